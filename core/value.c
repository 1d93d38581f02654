/* value.c - run-time values: order, equality, hashing, text, and the way in and out of BSON. See value.h for the contract.
 *
 * Everything that asks "which is greater" ends in one function, compare_in_class(): a value belongs to a class (numbers, text, dates ...), classes are
 * ordered as BSON orders types, and within a class two values compare exactly: 9007199254740993 > 9007199254740992.0, 1.10 = 1.1, NaN = NaN.
 * value_order() is that order; value_compare() adds SQL's question whether the two may be compared at all; value_hash() hashes what value_order() calls 0
 * alike. Binary data compares as the server does (length, then kind, then bytes), so that rows sorted there and here merge.
 * Not here: casts (cast.c), arithmetic (eval.c, decimal.c), the inside of JSON containers (json.c). */
#include "value.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "datetime.h"
#include "decimal.h"
#include "json.h"

#define MS_DAY INT64_C(86400000)
#define TIME_EPOCH_MS (TIME_EPOCH_DAY * MS_DAY)

/* ---- classes and order ---- */

typedef enum Class {
    CLASS_NULL, CLASS_MIN_KEY, CLASS_JSON_NULL, CLASS_NUMBER, CLASS_INTERVAL, CLASS_TEXT, CLASS_OBJECT, CLASS_ARRAY, CLASS_BINARY, CLASS_OBJECTID,
    CLASS_BOOL, CLASS_TIME, CLASS_DATE, CLASS_OTHER, CLASS_MAX_KEY
} Class;

/* The class, and *v in its natural form: JSON "x" and text 'x' are the same value here. */
static Class classify(Value *v) {
    bool raw = json_is(v);
    if (raw) *v = value_natural(v);
    switch ((sqm_type_t)v->type) {
    case SQM_NULL: return raw ? CLASS_JSON_NULL : CLASS_NULL;
    case SQM_BOOL: return CLASS_BOOL;
    case SQM_INT:
    case SQM_DOUBLE:
    case SQM_DECIMAL: return CLASS_NUMBER;
    case SQM_TEXT: return CLASS_TEXT;
    case SQM_BYTES:
    case SQM_UUID: return CLASS_BINARY;
    case SQM_DATE:
    case SQM_TIMESTAMP: return CLASS_DATE;
    case SQM_TIME: return CLASS_TIME;
    case SQM_INTERVAL: return CLASS_INTERVAL;
    case SQM_OBJECTID: return CLASS_OBJECTID;
    case SQM_TUPLE: return CLASS_ARRAY;
    case SQM_JSON:
    case SQM_BSON: break;
    }
    switch (v->bson_type) {                                     /* a byte off the wire, not an enum */
    case BSON_TYPE_DOCUMENT: return CLASS_OBJECT;
    case BSON_TYPE_ARRAY: return CLASS_ARRAY;
    case BSON_TYPE_MINKEY: return CLASS_MIN_KEY;
    case BSON_TYPE_MAXKEY: return CLASS_MAX_KEY;
    case BSON_TYPE_DATE_TIME: return CLASS_DATE;                /* beyond int64 microseconds */
    }
    return CLASS_OTHER;
}

static int sign_of(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int compare_bytes(const void *a, size_t na, const void *b, size_t nb) {
    size_t n = na < nb ? na : nb;
    int order = n ? memcmp(a, b, n) : 0;
    return order ? order : (na > nb) - (na < nb);
}

static int compare_int_double(int64_t i, double d) {
    if (isnan(d)) return -1;
    if (d >= 0x1p63) return -1;
    if (d < -0x1p63) return 1;
    double whole = trunc(d);
    int order = sign_of(i, (int64_t)whole);
    return order ? order : (whole > d) - (whole < d);
}

static int compare_doubles(double a, double b) {
    if (isnan(a) || isnan(b)) return !!isnan(a) - !!isnan(b);
    return (a > b) - (a < b);
}

static int compare_numbers(const Value *a, const Value *b) {
    if (a->type == SQM_INT && b->type == SQM_INT) return sign_of(a->u.i, b->u.i);
    if (a->type > b->type) return -compare_numbers(b, a);       /* INT < DOUBLE < DECIMAL as tags */
    if (b->type == SQM_DOUBLE) return a->type == SQM_INT ? compare_int_double(a->u.i, b->u.d) : compare_doubles(a->u.d, b->u.d);
    if (a->type == SQM_INT) return -decimal_compare_int(b->u.decimal, a->u.i);
    if (a->type == SQM_DOUBLE) return -decimal_compare_double(b->u.decimal, a->u.d);
    return decimal_compare(a->u.decimal, b->u.decimal);
}

/* Elements of an SQL array or row and of a BSON array alike. */
typedef struct Sequence { const Value *tuple; uint32_t at, n; JsonIter iter; } Sequence;

static Sequence sequence(const Value *v) {
    if (v->type == SQM_TUPLE) return (Sequence){.tuple = v->u.tuple, .n = v->len};
    return (Sequence){.iter = json_iter(v)};
}

static bool next_item(Sequence *s, Value *item) {
    if (!s->tuple) return json_next(&s->iter, NULL, item);
    if (s->at == s->n) return false;
    *item = s->tuple[s->at++];
    if (item->type == SQM_NULL) *item = json_null();            /* inside arrays there is one null */
    return true;
}

static int compare_sequences(const Value *a, const Value *b, bool nulls_greatest) {
    Sequence x = sequence(a), y = sequence(b);
    Value p, q;
    for (;;) {
        bool more_x = next_item(&x, &p), more_y = next_item(&y, &q);
        if (!more_x || !more_y) return more_x - more_y;
        if (nulls_greatest) {
            Value r = p, s = q;
            bool null_p = classify(&r) == CLASS_JSON_NULL, null_q = classify(&s) == CLASS_JSON_NULL;
            if (null_p != null_q) return null_p - null_q;
        }
        int order = value_order(&p, &q);
        if (order) return order;
    }
}

/* Every timestamp in milliseconds or finer fits 128 bits in microseconds. */
static __int128 instant(const Value *v) {
    if (v->type == SQM_DATE) return (__int128)v->u.i * USEC_DAY;
    if (v->type == SQM_TIMESTAMP) return v->u.i;
    int64_t ms;
    memcpy(&ms, v->u.bytes, sizeof ms);
    return (__int128)(int64_t)BSON_UINT64_FROM_LE((uint64_t)ms) * 1000;
}

static int compare_in_class(Class class, const Value *a, const Value *b) {
    switch (class) {
    case CLASS_NULL:
    case CLASS_JSON_NULL:
    case CLASS_MIN_KEY:
    case CLASS_MAX_KEY: return 0;
    case CLASS_NUMBER: return compare_numbers(a, b);
    case CLASS_INTERVAL:
    case CLASS_TIME: return sign_of(a->u.i, b->u.i);
    case CLASS_TEXT: return compare_bytes(a->u.text, a->len, b->u.text, b->len);
    case CLASS_OBJECT: return json_compare(a, b);
    case CLASS_ARRAY: return compare_sequences(a, b, false);
    case CLASS_BINARY:
        if (a->len != b->len) return a->len < b->len ? -1 : 1;
        if (a->type != b->type) return a->type < b->type ? -1 : 1;
        return compare_bytes(a->u.bytes, a->len, b->u.bytes, b->len);
    case CLASS_OBJECTID: return compare_bytes(a->u.bytes, a->len, b->u.bytes, b->len);
    case CLASS_BOOL: return a->u.b - b->u.b;
    case CLASS_DATE: {
        __int128 x = instant(a), y = instant(b);
        return (x > y) - (x < y);
    }
    case CLASS_OTHER:
        if (a->bson_type != b->bson_type) return a->bson_type < b->bson_type ? -1 : 1;
        if (a->bson_type == BSON_TYPE_TIMESTAMP && a->len == 8 && b->len == 8) {
            uint64_t x, y;
            memcpy(&x, a->u.bytes, 8);
            memcpy(&y, b->u.bytes, 8);
            x = BSON_UINT64_FROM_LE(x);
            y = BSON_UINT64_FROM_LE(y);
            return (x > y) - (x < y);
        }
        return compare_bytes(a->u.bytes, a->len, b->u.bytes, b->len);
    }
    return 0;
}

int value_order(const Value *a, const Value *b) {
    Value x = *a, y = *b;
    Class class_x = classify(&x), class_y = classify(&y);
    if (class_x != class_y) return class_x < class_y ? -1 : 1;
    return compare_in_class(class_x, &x, &y);
}

bool value_same(const Value *a, const Value *b) { return value_order(a, b) == 0; }

static int compare_rows(const Value *a, const Value *b, bool *unknown) {
    uint32_t n = a->len < b->len ? a->len : b->len;
    for (uint32_t i = 0; i < n; i++) {
        const Value *x = &a->u.tuple[i], *y = &b->u.tuple[i];
        if (x->type == SQM_NULL || y->type == SQM_NULL) {
            *unknown = true;
            return 0;
        }
        int order = value_compare(x, y, unknown);
        if (order || *unknown) return order;
    }
    return (a->len > b->len) - (a->len < b->len);
}

static bool is_array(const Value *v) { return v->type == SQM_TUPLE || (v->type == SQM_BSON && v->bson_type == BSON_TYPE_ARRAY); }

int value_compare(const Value *a, const Value *b, bool *unknown) {
    *unknown = false;
    if (a->type == SQM_INT && b->type == SQM_INT) return sign_of(a->u.i, b->u.i);
    if (a->type == SQM_TUPLE && b->type == SQM_TUPLE && (value_is_row(a) || value_is_row(b))) return compare_rows(a, b, unknown);
    if (a->type != SQM_JSON && b->type != SQM_JSON && is_array(a) && is_array(b)) return compare_sequences(a, b, true);
    bool raw_a = json_is(a), raw_b = json_is(b);
    if (raw_a && raw_b) return value_order(a, b);
    Value x = *a, y = *b;
    Class class_x = classify(&x), class_y = classify(&y);
    bool comparable = class_x == class_y && class_x != CLASS_NULL;
    if (raw_a || raw_b) comparable = comparable && class_x == CLASS_ARRAY;
    if (class_x == CLASS_BINARY && x.type != y.type) comparable = false;
    if (comparable) return compare_in_class(class_x, &x, &y);
    *unknown = true;
    return 0;
}

/* Numbers that compare equal must hash alike whatever their type: as int64 if they are one, else as the nearest double. */
static uint64_t hash_number(const Value *v, uint64_t seed) {
    int64_t i = v->u.i;
    double d = 0;
    bool whole = true;
    if (v->type == SQM_DECIMAL) {
        whole = decimal_is_int(v->u.decimal, &i);
        if (!whole) d = decimal_to_double(v->u.decimal);
    } else if (v->type == SQM_DOUBLE) {
        d = v->u.d;
        whole = d >= -0x1p63 && d < 0x1p63 && d == trunc(d);
        if (whole) i = (int64_t)d;
    }
    if (whole) return hash_bytes(&i, sizeof i, seed);
    if (isnan(d)) return hash_bytes("NaN", 3, seed);
    return hash_bytes(&d, sizeof d, seed);
}

uint64_t value_hash(const Value *v, uint64_t seed) {
    Value x = *v;
    Class class = classify(&x);
    seed = seed * 31 + class;
    switch (class) {
    case CLASS_NULL:
    case CLASS_JSON_NULL:
    case CLASS_MIN_KEY:
    case CLASS_MAX_KEY: return hash_bytes("", 0, seed);
    case CLASS_NUMBER: return hash_number(&x, seed);
    case CLASS_INTERVAL:
    case CLASS_TIME: return hash_bytes(&x.u.i, sizeof x.u.i, seed);
    case CLASS_BOOL: return hash_bytes(&x.u.b, 1, seed);
    case CLASS_OBJECT: return json_hash(&x, seed);
    case CLASS_ARRAY: {
        Sequence s = sequence(&x);
        for (Value item; next_item(&s, &item);) seed = value_hash(&item, seed);
        return seed;
    }
    case CLASS_DATE: {
        __int128 t = instant(&x);
        return hash_bytes(&t, sizeof t, seed);
    }
    case CLASS_TEXT:
    case CLASS_BINARY:
    case CLASS_OBJECTID:
    case CLASS_OTHER: return hash_bytes(x.u.bytes, x.len, seed);
    }
    return seed;
}

Value value_copy(Arena *a, const Value *v) {
    Value copy = *v;
    switch ((sqm_type_t)v->type) {
    case SQM_NULL:
    case SQM_BOOL:
    case SQM_INT:
    case SQM_DOUBLE:
    case SQM_DECIMAL:
    case SQM_DATE:
    case SQM_TIME:
    case SQM_TIMESTAMP:
    case SQM_INTERVAL: break;
    case SQM_TEXT: copy.u.text = arena_str(a, v->u.text, v->len).p; break;
    case SQM_BYTES:
    case SQM_UUID:
    case SQM_OBJECTID:
    case SQM_JSON:
    case SQM_BSON: copy.u.bytes = arena_copy(a, v->u.bytes, v->len); break;
    case SQM_TUPLE: {
        Value *items = NEW_ARRAY(a, Value, v->len);
        for (uint32_t i = 0; i < v->len; i++) items[i] = value_copy(a, &v->u.tuple[i]);
        copy.u.tuple = items;
        break;
    }
    }
    return copy;
}

const char *value_type_name(const Value *v) {
    switch ((sqm_type_t)v->type) {
    case SQM_NULL: return "unknown";
    case SQM_BOOL: return "boolean";
    case SQM_INT: return "bigint";
    case SQM_DOUBLE: return "double precision";
    case SQM_DECIMAL: return "numeric";
    case SQM_TEXT: return "text";
    case SQM_BYTES: return "bytea";
    case SQM_DATE: return "date";
    case SQM_TIME: return "time";
    case SQM_TIMESTAMP: return "timestamp";
    case SQM_INTERVAL: return "interval";
    case SQM_UUID: return "uuid";
    case SQM_OBJECTID: return "objectid";
    case SQM_JSON: return "jsonb";
    case SQM_BSON: return v->bson_type == BSON_TYPE_ARRAY ? "array" : v->bson_type == BSON_TYPE_DOCUMENT ? "document" : json_typeof(v);
    case SQM_TUPLE: return "record";
    }
    return "unknown";
}

/* ---- to BSON ---- */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* libbson appends by type; an iterator over a one-element document made around the raw bytes lets it append any. */
static bool append_raw(bson_t *doc, const char *key, int key_len, uint8_t bson_type, const uint8_t *p, uint32_t n) {
    uint8_t small[256], *one = small;
    uint32_t size = 4 + 1 + 1 + n + 1, le = BSON_UINT32_TO_LE(size);
    if (size > sizeof small) one = bson_malloc(size);
    memcpy(one, &le, 4);
    one[4] = bson_type;
    one[5] = 0;
    if (n) memcpy(one + 6, p, n);
    one[size - 1] = 0;
    bson_t whole;
    bson_iter_t it;
    bool ok = bson_init_static(&whole, one, size) && bson_iter_init(&it, &whole) && bson_iter_next(&it) && bson_append_iter(doc, key, key_len, &it);
    if (one != small) bson_free(one);
    return ok;
}

static bool append_items(bson_t *doc, const char *key, int key_len, const Value *v, Type element) {
    bson_t array;
    if (!bson_append_array_begin(doc, key, key_len, &array)) return false;
    bool ok = true;
    for (uint32_t i = 0; ok && i < v->len; i++) {
        char buffer[16];
        const char *name;
        size_t n = bson_uint32_to_string(i, &name, buffer, sizeof buffer);
        ok = value_append(&array, name, (int)n, &v->u.tuple[i], element);
    }
    return bson_append_array_end(doc, &array) && ok;
}

static bool append_integer(bson_t *doc, const char *key, int key_len, int64_t i, Type type) {
    if (type.tag == TYPE_INT8) return bson_append_int64(doc, key, key_len, i);
    if ((type.tag == TYPE_FLOAT8 || type.tag == TYPE_FLOAT4) && i >= -(INT64_C(1) << 53) && i <= INT64_C(1) << 53)
        return bson_append_double(doc, key, key_len, (double)i);
    if (type.tag == TYPE_NUMERIC) {
        Value v = {.type = SQM_DECIMAL, .u.decimal = decimal_from_int(i)};
        return value_append(doc, key, key_len, &v, type);
    }
    if (i >= INT32_MIN && i <= INT32_MAX) return bson_append_int32(doc, key, key_len, (int32_t)i);
    return bson_append_int64(doc, key, key_len, i);
}

bool value_append(bson_t *doc, const char *key, int key_len, const Value *v, Type type) {
    switch ((sqm_type_t)v->type) {
    case SQM_NULL: return bson_append_null(doc, key, key_len);
    case SQM_BOOL: return bson_append_bool(doc, key, key_len, v->u.b);
    case SQM_INT: return append_integer(doc, key, key_len, v->u.i, type);
    case SQM_DOUBLE: return bson_append_double(doc, key, key_len, v->u.d);
    case SQM_DECIMAL: {
        bson_decimal128_t d = {.low = v->u.decimal.low, .high = v->u.decimal.high};
        return bson_append_decimal128(doc, key, key_len, &d);
    }
    case SQM_TEXT: return bson_append_utf8(doc, key, key_len, v->len ? v->u.text : "", (int)v->len);
    case SQM_BYTES: return bson_append_binary(doc, key, key_len, BSON_SUBTYPE_BINARY, v->len ? v->u.bytes : (const uint8_t *)"", v->len);
    case SQM_DATE: return bson_append_date_time(doc, key, key_len, v->u.i < INT64_MIN / MS_DAY ? INT64_MIN : v->u.i * MS_DAY);     /* the first day has no midnight */
    case SQM_TIME: return bson_append_date_time(doc, key, key_len, TIME_EPOCH_MS + floor_div(v->u.i, 1000));
    case SQM_TIMESTAMP: return bson_append_date_time(doc, key, key_len, floor_div(v->u.i, 1000));
    case SQM_INTERVAL: return bson_append_int64(doc, key, key_len, v->u.i);
    case SQM_UUID: return bson_append_binary(doc, key, key_len, BSON_SUBTYPE_UUID, v->u.bytes, 16);
    case SQM_OBJECTID: {
        bson_oid_t oid;
        memcpy(&oid, v->u.bytes, sizeof oid);
        return bson_append_oid(doc, key, key_len, &oid);
    }
    case SQM_JSON:
    case SQM_BSON: return append_raw(doc, key, key_len, v->bson_type, v->u.bytes, v->len);
    case SQM_TUPLE: return append_items(doc, key, key_len, v, type.tag == TYPE_ARRAY ? type_of(type.element) : TYPE(UNKNOWN));
    }
    return false;
}

bool value_append_indexed(bson_t *doc, const char *key, int key_len, const Value *v, Type type) {
    return v->type == SQM_NULL ? bson_append_minkey(doc, key, key_len) : value_append(doc, key, key_len, v, type);
}

/* ---- from BSON ---- */

static uint32_t read32(const uint8_t *p) {
    uint32_t n;
    memcpy(&n, p, sizeof n);
    return BSON_UINT32_FROM_LE(n);
}

static int64_t read64(const uint8_t *p) {
    uint64_t n;
    memcpy(&n, p, sizeof n);
    return (int64_t)BSON_UINT64_FROM_LE(n);
}

static Value from_binary(const uint8_t *p, uint32_t len, Type type) {
    uint32_t n = len >= 5 ? read32(p) : 0;
    const uint8_t *data = p + 5;
    if (len < 5 || n > len - 5) return (Value){.type = SQM_BSON, .bson_type = BSON_TYPE_BINARY, .len = len, .u.bytes = p};
    uint8_t subtype = p[4];
    if (subtype == BSON_SUBTYPE_BINARY_DEPRECATED && n >= 4) {
        data += 4;
        n -= 4;
    }
    bool uuid = n == 16 && (subtype == BSON_SUBTYPE_UUID || subtype == BSON_SUBTYPE_UUID_DEPRECATED) && type.tag != TYPE_BYTEA;
    return (Value){.type = uuid ? SQM_UUID : SQM_BYTES, .len = n, .u.bytes = data};
}

static Value from_date(const uint8_t *p, Type type) {
    int64_t ms = read64(p), usec;
    if (type.tag == TYPE_DATE) return (Value){.type = SQM_DATE, .u.i = floor_div(ms, MS_DAY)};
    if (type.tag == TYPE_TIME) return (Value){.type = SQM_TIME, .u.i = (ms % MS_DAY + MS_DAY) % MS_DAY * 1000};
    if (__builtin_mul_overflow(ms, INT64_C(1000), &usec)) return (Value){.type = SQM_BSON, .bson_type = BSON_TYPE_DATE_TIME, .len = 8, .u.bytes = p};
    return (Value){.type = SQM_TIMESTAMP, .u.i = usec};
}

/* Smallest length of a fixed-size value: a shorter one is left raw rather than read past its end. */
static uint32_t least_length(uint8_t bson_type) {
    switch (bson_type) {
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DATE_TIME:
    case BSON_TYPE_INT64: return 8;
    case BSON_TYPE_UTF8: return 5;
    case BSON_TYPE_OID: return 12;
    case BSON_TYPE_BOOL: return 1;
    case BSON_TYPE_INT32: return 4;
    case BSON_TYPE_DECIMAL128: return 16;
    }
    return 0;
}

Value value_from_raw(uint8_t bson_type, const uint8_t *p, uint32_t len, Type type) {
    Value raw = {.type = SQM_BSON, .bson_type = bson_type, .len = len, .u.bytes = p};
    if (type.tag == TYPE_JSON) {
        raw.type = SQM_JSON;
        return raw;
    }
    if (len < least_length(bson_type)) return raw;
    uint8_t number = type.tag == TYPE_INTERVAL ? SQM_INTERVAL : SQM_INT;
    switch (bson_type) {
    case BSON_TYPE_UNDEFINED:
    case BSON_TYPE_NULL: return sqm_null();
    case BSON_TYPE_BOOL: return sqm_bool(p[0] != 0);
    case BSON_TYPE_INT32: return (Value){.type = number, .u.i = (int32_t)read32(p)};
    case BSON_TYPE_INT64: return (Value){.type = number, .u.i = read64(p)};
    case BSON_TYPE_DOUBLE: {
        int64_t as_bits = read64(p);
        double d;
        memcpy(&d, &as_bits, sizeof d);
        if (type.tag == TYPE_INTERVAL && d == trunc(d) && fabs(d) < 0x1p63) return (Value){.type = SQM_INTERVAL, .u.i = (int64_t)d};
        return sqm_double(d);
    }
    case BSON_TYPE_DECIMAL128: return (Value){.type = SQM_DECIMAL, .u.decimal = {.low = (uint64_t)read64(p), .high = (uint64_t)read64(p + 8)}};
    case BSON_TYPE_UTF8: {
        uint32_t n = read32(p);
        return n >= 1 && n <= len - 4 ? sqm_text((const char *)p + 4, n - 1) : raw;
    }
    case BSON_TYPE_BINARY: return from_binary(p, len, type);
    case BSON_TYPE_OID: return (Value){.type = SQM_OBJECTID, .len = 12, .u.bytes = p};
    case BSON_TYPE_DATE_TIME: return from_date(p, type);
    }
    return raw;                                                 /* documents, arrays, and what SQL has no type for */
}

Value value_natural(const Value *v) {
    return json_is(v) ? value_from_raw(v->bson_type, v->u.bytes, v->len, TYPE(UNKNOWN)) : *v;
}

Value value_from_bson(const bson_iter_t *it, Type type) {
    if (!it) return sqm_null();
    return value_from_raw((uint8_t)bson_iter_type(it), it->raw + it->d1, it->next_off - it->d1, type);
}

/* ---- classes of types ---- */

bool value_fits(Type type, const Value *v) {
    switch ((sqm_type_t)v->type) {
    case SQM_NULL: return true;
    case SQM_BOOL: return type.tag == TYPE_BOOL;
    case SQM_INT: case SQM_DOUBLE: case SQM_DECIMAL: return type_is_numeric(type);
    case SQM_TEXT: return type_is_text(type);
    case SQM_BYTES: return type.tag == TYPE_BYTEA;
    case SQM_DATE: case SQM_TIMESTAMP: return type_is_datetime(type) && type.tag != TYPE_TIME;
    case SQM_TIME: return type.tag == TYPE_TIME;
    case SQM_INTERVAL: return type.tag == TYPE_INTERVAL;
    case SQM_UUID: return type.tag == TYPE_UUID;
    case SQM_OBJECTID: return type.tag == TYPE_OBJECTID;
    case SQM_JSON: case SQM_BSON: case SQM_TUPLE: return false;
    }
    return false;
}

/* ---- text ---- */

size_t value_double_text(double d, char *out) {
    if (isnan(d)) return (size_t)sprintf(out, "NaN");
    if (isinf(d)) return (size_t)sprintf(out, d < 0 ? "-Infinity" : "Infinity");
    if (d == 0) return (size_t)sprintf(out, signbit(d) ? "-0" : "0");
    char text[40], digits[20];
    /* 15 digits always survive the way to a double and back; only what they do not tell needs 16 or 17. Subnormals have fewer to begin with. */
    for (int n = fabs(d) < 0x1p-1022 ? 1 : 15; n <= 17; n++) {
        snprintf(text, sizeof text, "%.*e", n - 1, d);
        if (strtod(text, NULL) == d) break;
    }
    int n = 0;
    const char *c = text;
    for (; *c != 'e'; c++)
        if (*c >= '0' && *c <= '9') digits[n++] = *c;           /* the point depends on the locale */
    int exponent = atoi(c + 1);
    while (n > 1 && digits[n - 1] == '0') n--;
    char *o = out;
    if (d < 0) *o++ = '-';
    if (exponent < -4 || exponent >= 15) {
        *o++ = digits[0];
        if (n > 1) {
            *o++ = '.';
            memcpy(o, digits + 1, (size_t)n - 1);
            o += n - 1;
        }
        o += sprintf(o, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        *o++ = '0';
        *o++ = '.';
        for (int i = exponent + 1; i < 0; i++) *o++ = '0';
        memcpy(o, digits, (size_t)n);
        o += n;
    } else {
        for (int i = 0; i < n || i <= exponent; i++) {
            if (i == exponent + 1) *o++ = '.';
            *o++ = i < n ? digits[i] : '0';
        }
    }
    *o = '\0';
    return (size_t)(o - out);
}

/* strtod() reads the point of the process's locale; SQL's is always '.'. */
static locale_t plain_locale(void) {
    static locale_t made;
    locale_t present = __atomic_load_n(&made, __ATOMIC_ACQUIRE);
    if (present) return present;
    locale_t fresh = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (__atomic_compare_exchange_n(&made, &present, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return fresh;
    freelocale(fresh);
    return present;
}

bool value_double_parse(Str text, double *out, bool *overflow) {
    const char *p = text.p, *end = text.p + text.n;
    while (p < end && (*p == ' ' || (*p >= '\t' && *p <= '\r'))) p++;
    while (end > p && (end[-1] == ' ' || (end[-1] >= '\t' && end[-1] <= '\r'))) end--;
    if (overflow) *overflow = false;
    Str number = {p, (uint32_t)(end - p)}, word = number;
    bool negative = word.n && *word.p == '-';
    if (word.n && (*word.p == '-' || *word.p == '+')) word = (Str){p + 1, number.n - 1};
    if (str_ieq(word, STR("infinity")) || str_ieq(word, STR("inf"))) {
        *out = negative ? -INFINITY : INFINITY;
        return true;
    }
    if (str_ieq(number, STR("nan"))) {
        *out = NAN;
        return true;
    }
    for (uint32_t i = 0; i < number.n; i++)                     /* keeps strtod's hexadecimal and NaN(...) forms out */
        if (!memchr("0123456789.eE+-", number.p[i], 15)) return false;
    if (number.n == 0) return false;
    char small[128], *copy = number.n < sizeof small ? small : bson_malloc(number.n + 1), *stop;
    memcpy(copy, number.p, number.n);
    copy[number.n] = '\0';
    *out = strtod_l(copy, &stop, plain_locale());
    bool whole = stop == copy + number.n;
    if (copy != small) bson_free(copy);
    if (whole && overflow) *overflow = isinf(*out);
    return whole;
}

static Str hex(Arena *a, const char *prefix, const uint8_t *p, uint32_t n) {
    static const char digits[] = "0123456789abcdef";
    size_t start = strlen(prefix);
    char *text = arena_alloc(a, start + 2 * (size_t)n + 1);
    memcpy(text, prefix, start);
    for (uint32_t i = 0; i < n; i++) {
        text[start + 2 * i] = digits[p[i] >> 4];
        text[start + 2 * i + 1] = digits[p[i] & 15];
    }
    return (Str){text, (uint32_t)(start + 2 * n)};
}

static Str uuid_text(Arena *a, const uint8_t *p) {
    Str h = hex(a, "", p, 16);
    return arena_printf(a, "%.8s-%.4s-%.4s-%.4s-%.12s", h.p, h.p + 8, h.p + 12, h.p + 16, h.p + 20);
}

/* One element of an array literal: quoted when it would read back as something else. */
static void add_element(Text *out, const Value *v) {
    if (v->type == SQM_NULL) {
        text_adds(out, "NULL");
        return;
    }
    Str s = v->type == SQM_BOOL ? v->u.b ? STR("t") : STR("f") : value_text(out->arena, v);
    bool quote = s.n == 0 || str_ieq(s, STR("null"));
    for (uint32_t i = 0; i < s.n && !quote; i++) quote = memchr("{},\"\\ \t\n\r\v\f", s.p[i], 11) != NULL;
    if (!quote || v->type == SQM_TUPLE) {
        text_add(out, s.p, s.n);
        return;
    }
    text_adds(out, "\"");
    for (uint32_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\') text_adds(out, "\\");
        text_add(out, &s.p[i], 1);
    }
    text_adds(out, "\"");
}

static Str array_text(Arena *a, const Value *v) {
    Text out = {.arena = a};
    text_adds(&out, "{");
    for (uint32_t i = 0; i < v->len; i++) {
        if (i) text_adds(&out, ",");
        add_element(&out, &v->u.tuple[i]);
    }
    text_adds(&out, "}");
    return (Str){out.p, (uint32_t)out.n};
}

Str value_text(Arena *a, const Value *v) {
    char text[DATETIME_TEXT > DOUBLE_TEXT ? DATETIME_TEXT : DOUBLE_TEXT];
    switch ((sqm_type_t)v->type) {
    case SQM_NULL: return STR("");
    case SQM_BOOL: return v->u.b ? STR("true") : STR("false");
    case SQM_INT: return arena_printf(a, "%lld", (long long)v->u.i);
    case SQM_DOUBLE: return arena_str(a, text, value_double_text(v->u.d, text));
    case SQM_DECIMAL: return decimal_text(a, v->u.decimal);
    case SQM_TEXT: return (Str){v->u.text, v->len};
    case SQM_BYTES: return hex(a, "\\x", v->u.bytes, v->len);
    case SQM_DATE: return arena_str(a, text, date_text(v->u.i, text));
    case SQM_TIME: return arena_str(a, text, time_text(v->u.i, text));
    case SQM_TIMESTAMP: return arena_str(a, text, timestamp_text(v->u.i, ' ', false, text));
    case SQM_INTERVAL: return arena_str(a, text, interval_text(v->u.i, text));
    case SQM_UUID: return uuid_text(a, v->u.bytes);
    case SQM_OBJECTID: return hex(a, "", v->u.bytes, v->len);
    case SQM_JSON:
    case SQM_BSON: return json_text(a, v);
    case SQM_TUPLE: return array_text(a, v);
    }
    return STR("");
}

/* ---- to JSON ---- */

static Value raw_bytes(Arena *a, bson_type_t bson_type, const void *p, uint32_t n) {
    return (Value){.type = SQM_JSON, .bson_type = (uint8_t)bson_type, .len = n, .u.bytes = arena_copy(a, p, n)};
}

static Value raw_int64(Arena *a, bson_type_t bson_type, int64_t i) {
    uint64_t le = BSON_UINT64_TO_LE((uint64_t)i);
    return raw_bytes(a, bson_type, &le, 8);
}

static Value raw_text(Arena *a, Str s) {
    uint8_t *p = arena_alloc(a, (size_t)s.n + 5);
    uint32_t le = BSON_UINT32_TO_LE(s.n + 1);
    memcpy(p, &le, 4);
    if (s.n) memcpy(p + 4, s.p, s.n);
    return (Value){.type = SQM_JSON, .bson_type = BSON_TYPE_UTF8, .len = s.n + 5, .u.bytes = p};
}

Value value_to_json(Arena *a, const Value *v) {
    Value json = *v;
    switch ((sqm_type_t)v->type) {
    case SQM_NULL: return json_null();
    case SQM_BOOL: return raw_bytes(a, BSON_TYPE_BOOL, &(uint8_t){v->u.b}, 1);
    case SQM_INT:
        if (v->u.i >= INT32_MIN && v->u.i <= INT32_MAX) {
            uint32_t le = BSON_UINT32_TO_LE((uint32_t)(int32_t)v->u.i);
            return raw_bytes(a, BSON_TYPE_INT32, &le, 4);
        }
        return raw_int64(a, BSON_TYPE_INT64, v->u.i);
    case SQM_DOUBLE: {
        if (!isfinite(v->u.d)) return raw_text(a, value_text(a, v));   /* JSON has no such number; to_jsonb makes it a string too */
        int64_t as_bits;
        memcpy(&as_bits, &v->u.d, 8);
        return raw_int64(a, BSON_TYPE_DOUBLE, as_bits);
    }
    case SQM_DECIMAL: {
        if (!decimal_is_finite(v->u.decimal)) return raw_text(a, value_text(a, v));
        uint64_t le[2] = {BSON_UINT64_TO_LE(v->u.decimal.low), BSON_UINT64_TO_LE(v->u.decimal.high)};
        return raw_bytes(a, BSON_TYPE_DECIMAL128, le, 16);
    }
    case SQM_TIMESTAMP: {
        char text[DATETIME_TEXT];
        size_t n = timestamp_text(v->u.i, 'T', false, text);
        return raw_text(a, (Str){text, (uint32_t)n});
    }
    case SQM_TEXT:
    case SQM_BYTES:
    case SQM_DATE:
    case SQM_TIME:
    case SQM_INTERVAL:
    case SQM_UUID:
    case SQM_OBJECTID: return raw_text(a, value_text(a, v));
    case SQM_JSON:
    case SQM_BSON: json.type = SQM_JSON; return json;
    case SQM_TUPLE: {
        JsonBuilder b = json_builder(a, true);
        for (uint32_t i = 0; i < v->len; i++) json_add(&b, STR(""), &v->u.tuple[i]);
        return json_finish(&b);
    }
    }
    return json_null();
}
