/* json.c - JSON values over BSON bytes: parsing, printing, navigation, containment, building and change. See json.h for the contract.
 *
 * The parser writes BSON straight into one growing buffer: a container's length and an element's type byte are patched once they are known, and an
 * object that closes drops all but the last of its duplicate keys. It accepts RFC 8259 and nothing else (no NaN, comments, single quotes, control
 * characters in strings, lone surrogates), and refuses what jsonb refuses: \u0000. A number without fraction or exponent is exact: int32, int64, else
 * decimal128, else an error; others are doubles, or decimal128 when a double's range is not enough.
 *     {"a": 1, "a": [true, null]}   ->   {a: [true, null]}
 * Everything built is copied into the caller's arena; everything read points into the value it came from. Bytes cut short read as "no more elements".
 * Not here: the -> and @> operators' SQL side (eval.c), json_agg (aggregate.c). */
#include "json.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "decimal.h"

static uint32_t read32(const uint8_t *p) {
    uint32_t n;
    memcpy(&n, p, sizeof n);
    return BSON_UINT32_FROM_LE(n);
}

static uint64_t read64(const uint8_t *p) {
    uint64_t n;
    memcpy(&n, p, sizeof n);
    return BSON_UINT64_FROM_LE(n);
}

static void patch32(Text *raw, size_t at, size_t value) {
    uint32_t le = BSON_UINT32_TO_LE((uint32_t)value);
    memcpy(raw->p + at, &le, 4);
}

Value json_null(void) { return (Value){.type = SQM_JSON, .bson_type = BSON_TYPE_NULL, .u.bytes = (const uint8_t *)""}; }

/* ---- reading ---- */

/* Bytes the value of an element takes, at most `room`; -1 when it is cut short or of no known type. */
static int64_t element_length(uint8_t type, const uint8_t *p, int64_t room) {
    int64_t n = 0;
    switch (type) {
    case BSON_TYPE_UNDEFINED:
    case BSON_TYPE_NULL:
    case BSON_TYPE_MINKEY:
    case BSON_TYPE_MAXKEY: break;
    case BSON_TYPE_BOOL: n = 1; break;
    case BSON_TYPE_INT32: n = 4; break;
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DATE_TIME:
    case BSON_TYPE_TIMESTAMP:
    case BSON_TYPE_INT64: n = 8; break;
    case BSON_TYPE_OID: n = 12; break;
    case BSON_TYPE_DECIMAL128: n = 16; break;
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
    case BSON_TYPE_CODEWSCOPE:
        if (room < 5) return -1;
        n = read32(p);
        if (n < 5) return -1;
        break;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_CODE:
    case BSON_TYPE_SYMBOL:
    case BSON_TYPE_DBPOINTER:
    case BSON_TYPE_BINARY:
        if (room < 5) return -1;
        n = (int64_t)read32(p) + 4 + (type == BSON_TYPE_BINARY ? 1 : type == BSON_TYPE_DBPOINTER ? 12 : 0);
        break;
    case BSON_TYPE_REGEX:
        for (int i = 0; i < 2; i++) {
            const uint8_t *nul = room > n ? memchr(p + n, 0, (size_t)(room - n)) : NULL;
            if (!nul) return -1;
            n = nul - p + 1;
        }
        break;
    default: return -1;
    }
    return n <= room ? n : -1;
}

JsonIter json_iter(const Value *v) {
    if ((!json_is_object(v) && !json_is_array(v)) || v->len < 5) return (JsonIter){0};
    uint32_t n = read32(v->u.bytes);
    if (n < 5 || n > v->len) return (JsonIter){0};
    return (JsonIter){.at = v->u.bytes + 4, .end = v->u.bytes + n - 1, .tag = v->type};
}

bool json_next(JsonIter *it, Str *key, Value *item) {
    if (it->at >= it->end) return false;
    uint8_t type = *it->at;
    const uint8_t *name = it->at + 1, *nul = memchr(name, 0, (size_t)(it->end - name));
    int64_t n = nul ? element_length(type, nul + 1, it->end - nul - 1) : -1;
    if (n < 0) {
        it->at = it->end;
        return false;
    }
    if (key) *key = (Str){(const char *)name, (uint32_t)(nul - name)};
    *item = (Value){.type = it->tag, .bson_type = type, .len = (uint32_t)n, .u.bytes = nul + 1};
    it->at = nul + 1 + n;
    return true;
}

int64_t json_length(const Value *v) {
    int64_t n = 0;
    JsonIter it = json_iter(v);
    for (Value item; json_next(&it, NULL, &item);) n++;
    return n;
}

bool json_get(const Value *v, Str key, Value *out) {
    if (!json_is_object(v)) return false;
    JsonIter it = json_iter(v);
    bool found = false;
    Str name;
    for (Value item; json_next(&it, &name, &item);) {
        if (!str_eq(name, key)) continue;
        *out = item;
        found = true;
    }
    return found;
}

bool json_get_index(const Value *v, int64_t index, Value *out) {
    if (!json_is_array(v)) return false;
    if (index < 0) index += json_length(v);
    if (index < 0) return false;
    JsonIter it = json_iter(v);
    while (json_next(&it, NULL, out))
        if (index-- == 0) return true;
    return false;
}

static bool index_of_text(Str s, int64_t *out) {
    uint32_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
    int64_t n = 0;
    if (i == s.n || s.n > 11) return false;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        n = n * 10 + (s.p[i] - '0');
    }
    *out = s.p[0] == '-' ? -n : n;
    return true;
}

bool json_path(const Value *v, const Str *path, int n, Value *out) {
    Value at = *v;
    for (int i = 0; i < n; i++) {
        int64_t index;
        Value next;
        if (json_is_array(&at) ? !index_of_text(path[i], &index) || !json_get_index(&at, index, &next) : !json_get(&at, path[i], &next)) return false;
        at = next;
    }
    *out = at;
    return true;
}

Value json_as_text(Arena *a, const Value *v) {
    Value natural = value_natural(v);
    if (natural.type == SQM_NULL || natural.type == SQM_TEXT) return natural;
    Str s = json_text(a, v);
    return sqm_text(s.p, s.n);
}

const char *json_typeof(const Value *v) {
    switch (v->bson_type) {
    case BSON_TYPE_DOCUMENT: return "object";
    case BSON_TYPE_ARRAY: return "array";
    case BSON_TYPE_UTF8: return "string";
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DECIMAL128: return "number";
    case BSON_TYPE_BOOL: return "boolean";
    case BSON_TYPE_NULL: return "null";
    case BSON_TYPE_UNDEFINED: return "undefined";
    case BSON_TYPE_BINARY: return "binData";
    case BSON_TYPE_OID: return "objectId";
    case BSON_TYPE_DATE_TIME: return "date";
    case BSON_TYPE_REGEX: return "regex";
    case BSON_TYPE_DBPOINTER: return "dbPointer";
    case BSON_TYPE_CODE: return "javascript";
    case BSON_TYPE_SYMBOL: return "symbol";
    case BSON_TYPE_CODEWSCOPE: return "javascriptWithScope";
    case BSON_TYPE_TIMESTAMP: return "timestamp";
    case BSON_TYPE_MINKEY: return "minKey";
    case BSON_TYPE_MAXKEY: return "maxKey";
    }
    return "unknown";
}

/* ---- comparison ---- */

typedef struct Field { Str key; Value item; } Field;
enum { FEW_FIELDS = 24 };
typedef struct Fields { Field few[FEW_FIELDS], *at; size_t n; } Fields;

static int by_key(const void *a, const void *b) {
    const Field *x = a, *y = b;
    uint32_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    int order = n ? memcmp(x->key.p, y->key.p, n) : 0;
    return order ? order : (x->key.n > y->key.n) - (x->key.n < y->key.n);
}

/* Fields sorted by key; on the heap when they are many (comparison has no arena). */
static void sort_fields(const Value *v, Fields *out) {
    size_t n = (size_t)json_length(v);
    out->at = n <= FEW_FIELDS ? out->few : bson_malloc(n * sizeof *out->at);
    out->n = 0;
    JsonIter it = json_iter(v);
    for (; out->n < n && json_next(&it, &out->at[out->n].key, &out->at[out->n].item); out->n++) {}
    if (n) qsort(out->at, out->n, sizeof *out->at, by_key);
}

static void free_fields(Fields *f) {
    if (f->at != f->few) bson_free(f->at);
}

static int compare_objects(const Value *a, const Value *b) {
    if (a->len == b->len && memcmp(a->u.bytes, b->u.bytes, a->len) == 0) return 0;
    Fields x, y;
    sort_fields(a, &x);
    sort_fields(b, &y);
    int order = 0;
    for (size_t i = 0; order == 0 && i < x.n && i < y.n; i++) {
        order = by_key(&x.at[i], &y.at[i]);
        if (order == 0) order = value_order(&x.at[i].item, &y.at[i].item);
    }
    if (order == 0) order = (x.n > y.n) - (x.n < y.n);
    free_fields(&x);
    free_fields(&y);
    return order;
}

int json_compare(const Value *a, const Value *b) {
    return json_is_object(a) && json_is_object(b) ? compare_objects(a, b) : value_order(a, b);
}

bool json_equal(const Value *a, const Value *b) { return json_compare(a, b) == 0; }

uint64_t json_hash(const Value *v, uint64_t seed) {
    if (!json_is_object(v)) return value_hash(v, seed);
    uint64_t sum = seed;                                        /* a sum: the order of keys must not show */
    JsonIter it = json_iter(v);
    Str key;
    for (Value item; json_next(&it, &key, &item);) sum += value_hash(&item, hash_bytes(key.p, key.n, seed));
    return hash_bytes(&sum, sizeof sum, seed);
}

static bool is_container(const Value *v) { return json_is_object(v) || json_is_array(v); }

static bool contains_item(const Value *array, const Value *wanted) {
    JsonIter it = json_iter(array);
    for (Value item; json_next(&it, NULL, &item);)
        if (is_container(wanted) ? item.bson_type == wanted->bson_type && json_contains(&item, wanted) : json_equal(&item, wanted)) return true;
    return false;
}

bool json_contains(const Value *a, const Value *b) {
    Str key;
    if (json_is_object(a) && json_is_object(b)) {
        JsonIter it = json_iter(b);
        for (Value wanted, item; json_next(&it, &key, &wanted);) {
            if (!json_get(a, key, &item)) return false;
            if (is_container(&wanted) ? item.bson_type != wanted.bson_type || !json_contains(&item, &wanted) : !json_equal(&item, &wanted)) return false;
        }
        return true;
    }
    if (json_is_array(a) && json_is_array(b)) {
        JsonIter it = json_iter(b);
        for (Value wanted; json_next(&it, NULL, &wanted);)
            if (!contains_item(a, &wanted)) return false;
        return true;
    }
    if (is_container(b)) return false;
    return json_is_array(a) ? contains_item(a, b) : json_equal(a, b);   /* jsonb's exception: an array contains a bare scalar */
}

static bool is_string(const Value *v, Str s) {
    Value natural = value_natural(v);
    return natural.type == SQM_TEXT && str_eq((Str){natural.u.text, natural.len}, s);
}

bool json_has_key(const Value *v, Str key) {
    Value item;
    if (json_is_object(v)) return json_get(v, key, &item);
    if (!json_is_array(v)) return is_string(v, key);
    JsonIter it = json_iter(v);
    while (json_next(&it, NULL, &item))
        if (is_string(&item, key)) return true;
    return false;
}

/* ---- printing ---- */

void json_quote(Text *out, Str s) {
    static const char hex[] = "0123456789abcdef";
    text_adds(out, "\"");
    uint32_t from = 0;
    for (uint32_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        text_add(out, s.p + from, i - from);
        from = i + 1;
        char escape[6] = {'\\', (char)c, '0', '0', hex[c >> 4], hex[c & 15]};
        const char *letter = c < 0x20 ? memchr("\b\f\n\r\t", c, 5) : NULL;
        if (letter) escape[1] = "bfnrt"[strchr("\b\f\n\r\t", c) - "\b\f\n\r\t"];
        else if (c < 0x20) escape[1] = 'u';
        text_add(out, escape, c < 0x20 && !letter ? 6 : 2);
    }
    text_add(out, s.p + from, s.n - from);
    text_adds(out, "\"");
}

static void write_double(Text *out, double d) {
    char text[DOUBLE_TEXT];
    size_t n = value_double_text(d, text);
    if (d != d || d - d != 0) {
        text_addf(out, "{\"$numberDouble\": \"%s\"}", text);
        return;
    }
    text_add(out, text, n);
    if (!strpbrk(text, ".e")) text_adds(out, ".0");
}

static void write_decimal(Text *out, Decimal d) {
    Str s = decimal_text(out->arena, d);
    if (decimal_is_finite(d)) text_add(out, s.p, s.n);
    else text_addf(out, "{\"$numberDecimal\": \"" STR_FMT "\"}", STR_ARG(s));
}

static void write_hex(Text *out, const uint8_t *p, int n) {
    for (int i = 0; i < n; i++) text_addf(out, "%02x", p[i]);
}

static void write_oid(Text *out, const uint8_t *p) {
    text_adds(out, "{\"$oid\": \"");
    write_hex(out, p, 12);
    text_adds(out, "\"}");
}

static void write_date(Text *out, int64_t ms) {
    time_t t = ms / 1000;
    int fraction = (int)(ms % 1000);
    struct tm c;
    if (ms < 0 || t > INT64_C(253402300799) || !gmtime_r(&t, &c)) {   /* Extended JSON writes years 1970..9999 as text, others as a number */
        text_addf(out, "{\"$date\": {\"$numberLong\": \"%lld\"}}", (long long)ms);
        return;
    }
    text_addf(out, "{\"$date\": \"%04d-%02d-%02dT%02d:%02d:%02d", c.tm_year + 1900, c.tm_mon + 1, c.tm_mday, c.tm_hour, c.tm_min, c.tm_sec);
    if (fraction) text_addf(out, ".%03d", fraction);
    text_adds(out, "Z\"}");
}

static void write_binary(Text *out, const uint8_t *p, uint32_t n, unsigned subtype) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    text_adds(out, "{\"$binary\": {\"base64\": \"");
    for (uint32_t i = 0; i < n; i += 3) {
        uint32_t left = n - i, group = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0u);
        char four[4] = {digits[group >> 18], digits[group >> 12 & 63], left > 1 ? digits[group >> 6 & 63] : '=', left > 2 ? digits[group & 63] : '='};
        text_add(out, four, 4);
    }
    text_addf(out, "\", \"subType\": \"%02x\"}}", subtype);
}

static Str string_at(const uint8_t *p) { return (Str){(const char *)p + 4, read32(p) ? read32(p) - 1 : 0}; }

/* BSON types without an SQL form, as relaxed Extended JSON. */
static void write_exotic(Text *out, const Value *v) {
    const uint8_t *p = v->u.bytes;
    if (element_length(v->bson_type, p, v->len) < 0) {
        text_adds(out, "null");
        return;
    }
    switch (v->bson_type) {
    case BSON_TYPE_UNDEFINED: text_adds(out, "{\"$undefined\": true}"); return;
    case BSON_TYPE_MINKEY: text_adds(out, "{\"$minKey\": 1}"); return;
    case BSON_TYPE_MAXKEY: text_adds(out, "{\"$maxKey\": 1}"); return;
    case BSON_TYPE_TIMESTAMP: text_addf(out, "{\"$timestamp\": {\"t\": %u, \"i\": %u}}", read32(p + 4), read32(p)); return;
    case BSON_TYPE_DATE_TIME: write_date(out, (int64_t)read64(p)); return;
    case BSON_TYPE_BINARY: write_binary(out, p + 5, read32(p), p[4]); return;
    case BSON_TYPE_REGEX:
        text_adds(out, "{\"$regularExpression\": {\"pattern\": ");
        json_quote(out, str_from((const char *)p));
        text_adds(out, ", \"options\": ");
        json_quote(out, str_from((const char *)p + strlen((const char *)p) + 1));
        text_adds(out, "}}");
        return;
    case BSON_TYPE_CODE:
    case BSON_TYPE_SYMBOL:
        text_adds(out, v->bson_type == BSON_TYPE_CODE ? "{\"$code\": " : "{\"$symbol\": ");
        json_quote(out, string_at(p));
        text_adds(out, "}");
        return;
    case BSON_TYPE_DBPOINTER:
        text_adds(out, "{\"$dbPointer\": {\"$ref\": ");
        json_quote(out, string_at(p));
        text_adds(out, ", \"$id\": ");
        write_oid(out, p + v->len - 12);
        text_adds(out, "}}");
        return;
    case BSON_TYPE_CODEWSCOPE: {
        uint32_t n = v->len >= 9 ? read32(p + 4) : v->len;
        Value scope = {.type = v->type, .bson_type = BSON_TYPE_DOCUMENT, .len = v->len > 8 + (size_t)n ? v->len - 8 - n : 0, .u.bytes = p + 8 + n};
        text_adds(out, "{\"$code\": ");
        json_quote(out, scope.len ? string_at(p + 4) : STR(""));
        text_adds(out, ", \"$scope\": ");
        json_write(out, &scope);
        text_adds(out, "}");
        return;
    }
    }
    text_adds(out, "null");
}

static void write_container(Text *out, const Value *v) {
    bool object = json_is_object(v);
    JsonIter it = json_iter(v);
    Str key;
    const char *between = object ? "{" : "[";
    for (Value item; json_next(&it, &key, &item); between = ", ") {
        text_adds(out, between);
        if (object) {
            json_quote(out, key);
            text_adds(out, ": ");
        }
        json_write(out, &item);
    }
    text_adds(out, object ? *between == '{' ? "{}" : "}" : *between == '[' ? "[]" : "]");
}

void json_write(Text *out, const Value *v) {
    if (is_container(v)) {
        write_container(out, v);
        return;
    }
    if (!json_is(v)) {
        Value json = value_to_json(out->arena, v);
        json_write(out, &json);
        return;
    }
    Value natural = value_natural(v);
    switch ((sqm_type_t)natural.type) {
    case SQM_NULL: text_adds(out, "null"); return;              /* undefined too */
    case SQM_BOOL: text_adds(out, natural.u.b ? "true" : "false"); return;
    case SQM_INT: text_addf(out, "%lld", (long long)natural.u.i); return;
    case SQM_DOUBLE: write_double(out, natural.u.d); return;
    case SQM_DECIMAL: write_decimal(out, natural.u.decimal); return;
    case SQM_TEXT: json_quote(out, (Str){natural.u.text, natural.len}); return;
    case SQM_OBJECTID: write_oid(out, natural.u.bytes); return;
    case SQM_BYTES:
    case SQM_UUID:
    case SQM_TIMESTAMP:
    case SQM_JSON:
    case SQM_BSON: write_exotic(out, v); return;
    case SQM_DATE:
    case SQM_TIME:
    case SQM_INTERVAL:
    case SQM_TUPLE: return;                                     /* no BSON element is one by nature */
    }
}

Str json_text(Arena *a, const Value *v) {
    Text out = {.arena = a};
    json_write(&out, v);
    return (Str){out.p, (uint32_t)out.n};
}

char *sqm_value_to_json(const sqm_value_t *value, size_t *len) {
    Arena arena = {0};
    Value json = value_to_json(&arena, value);
    Str s = json_text(&arena, &json);
    char *copy = malloc((size_t)s.n + 1);
    if (copy) {
        memcpy(copy, s.p, s.n);
        copy[s.n] = '\0';
        if (len) *len = s.n;
    }
    arena_free(&arena);
    return copy;
}

/* ---- writing BSON ---- */

static size_t open_container(Text *raw) {
    size_t start = raw->n;
    text_add(raw, "\0\0\0\0", 4);
    return start;
}

static size_t add_key(Text *raw, Str key) {                     /* where the type byte goes */
    size_t at = raw->n;
    text_add(raw, "", 1);
    text_add(raw, key.p, key.n);
    text_add(raw, "", 1);
    return at;
}

static size_t add_index(Text *raw, uint32_t i) {
    char buffer[16];
    const char *name;
    size_t n = bson_uint32_to_string(i, &name, buffer, sizeof buffer);
    return add_key(raw, (Str){name, (uint32_t)n});
}

typedef struct Piece { size_t at, end; Str key; bool dead; } Piece;
typedef VEC(Piece) Pieces;

static uint64_t key_hash(Str key) { return hash_bytes(key.p, key.n, 0); }

/* The elements of the object that began at `start`; true when a key occurs again, and then all but its last occurrence are dead. */
static bool find_duplicates(Text *raw, size_t start, Pieces *pieces) {
    JsonIter it = {.at = (const uint8_t *)raw->p + start + 4, .end = (const uint8_t *)raw->p + raw->n, .tag = SQM_JSON};
    Value item;
    for (;;) {
        Piece piece = {.at = (size_t)((const char *)it.at - raw->p)};
        if (!json_next(&it, &piece.key, &item)) break;
        piece.end = (size_t)((const char *)it.at - raw->p);
        vec_push(raw->arena, pieces, piece);
    }
    size_t size = 4;
    while (size < 2 * (size_t)pieces->n) size *= 2;
    int *slots = NEW_ARRAY(raw->arena, int, size);              /* piece number + 1, by the key's hash */
    bool any = false;
    for (int i = 0; i < pieces->n; i++) {
        size_t slot = key_hash(pieces->at[i].key) & (size - 1);
        while (slots[slot] && !str_eq(pieces->at[slots[slot] - 1].key, pieces->at[i].key)) slot = (slot + 1) & (size - 1);
        if (slots[slot]) any = pieces->at[slots[slot] - 1].dead = true;
        slots[slot] = i + 1;
    }
    return any;
}

static void close_container(Text *raw, size_t start, bool object, uint32_t n) {
    Pieces pieces = {0};
    if (object && n > 1 && find_duplicates(raw, start, &pieces)) {
        size_t to = start + 4;
        for (int i = 0; i < pieces.n; i++) {
            Piece *p = &pieces.at[i];
            if (p->dead) continue;
            memmove(raw->p + to, raw->p + p->at, p->end - p->at);
            to += p->end - p->at;
        }
        raw->n = to;
    }
    text_add(raw, "", 1);
    patch32(raw, start, raw->n - start);
}

JsonBuilder json_builder(Arena *a, bool array) {
    JsonBuilder b = {.raw = {.arena = a}, .array = array};
    open_container(&b.raw);
    return b;
}

void json_add(JsonBuilder *b, Str key, const Value *v) {
    size_t at = b->array ? add_index(&b->raw, b->n) : add_key(&b->raw, key);
    Value json = value_to_json(b->raw.arena, v);
    b->raw.p[at] = (char)json.bson_type;
    text_add(&b->raw, (const char *)json.u.bytes, json.len);
    b->n++;
}

Value json_finish(JsonBuilder *b) {
    close_container(&b->raw, 0, !b->array, b->n);
    uint8_t type = b->array ? BSON_TYPE_ARRAY : BSON_TYPE_DOCUMENT;
    return (Value){.type = SQM_JSON, .bson_type = type, .len = (uint32_t)b->raw.n, .u.bytes = (const uint8_t *)b->raw.p};
}

/* ---- parsing ---- */

typedef struct Parser { const char *text, *p, *end; Text raw; int depth; sqm_error_t *error; } Parser;

static bool parse_value(Parser *s, uint8_t *type);

static bool complain(Parser *s, const char *what) {
    return error_set(s->error, SQM_ERROR_INVALID_TEXT, "invalid input syntax for type json: %s at byte %d", what, (int)(s->p - s->text));
}

static void skip_space(Parser *s) {
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) s->p++;
}

static bool accept(Parser *s, char c) {
    skip_space(s);
    if (s->p == s->end || *s->p != c) return false;
    s->p++;
    return true;
}

static bool parse_hex4(Parser *s, unsigned *out) {
    *out = 0;
    if (s->end - s->p < 4) return complain(s, "incomplete \\u escape");
    for (int i = 0; i < 4; i++, s->p++) {
        char c = *s->p;
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return complain(s, "\\u must be followed by four hexadecimal digits");
        *out = *out << 4 | (unsigned)digit;
    }
    return true;
}

static bool parse_unicode_escape(Parser *s) {
    unsigned c, low;
    if (!parse_hex4(s, &c)) return false;
    if (c == 0) return complain(s, "\\u0000 cannot be converted to text");
    if (c >= 0xDC00 && c <= 0xDFFF) return complain(s, "Unicode low surrogate must follow a high surrogate");
    if (c >= 0xD800 && c <= 0xDBFF) {
        if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u') return complain(s, "Unicode high surrogate must be followed by a low surrogate");
        s->p += 2;
        if (!parse_hex4(s, &low)) return false;
        if (low < 0xDC00 || low > 0xDFFF) return complain(s, "Unicode high surrogate must be followed by a low surrogate");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    char utf8[4];
    size_t n = 0;
    if (c < 0x80) {
        utf8[n++] = (char)c;
    } else {
        int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
        utf8[n++] = (char)(lead[more] | c >> (6 * more));
        while (more-- > 0) utf8[n++] = (char)(0x80 | (c >> (6 * more) & 0x3F));
    }
    text_add(&s->raw, utf8, n);
    return true;
}

/* The characters of a string whose opening quote has been read, without a terminator. */
static bool parse_characters(Parser *s) {
    const char *from = s->p;
    for (;;) {
        if (s->p == s->end) return complain(s, "string without end");
        unsigned char c = (unsigned char)*s->p;
        if (c < 0x20) return complain(s, "control character in a string");
        if (c != '"' && c != '\\') {
            s->p++;
            continue;
        }
        text_add(&s->raw, from, (size_t)(s->p - from));
        s->p++;
        if (c == '"') return true;
        if (s->p == s->end) return complain(s, "string without end");
        char escape = *s->p++;
        if (escape == 'u') {
            if (!parse_unicode_escape(s)) return false;
        } else {
            static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
            const char *found = memchr(names, escape, sizeof names - 1);
            if (!found) return s->p--, complain(s, "invalid escape in a string");
            text_add(&s->raw, &meant[found - names], 1);
        }
        from = s->p;
    }
}

static bool parse_string(Parser *s) {
    size_t start = open_container(&s->raw);
    if (!parse_characters(s)) return false;
    text_add(&s->raw, "", 1);
    patch32(&s->raw, start, s->raw.n - start - 4);
    return true;
}

static void skip_digits(Parser *s) {
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') s->p++;
}

/* The scale cannot say whether digits were lost, so an integer is compared with its own text. */
static bool exact_integer(Arena *a, Str text, Decimal d) {
    if (text.n && text.p[0] == '-') text = (Str){text.p + 1, text.n - 1};
    Str back = decimal_text(a, decimal_abs(d));
    return str_eq(back, text);
}

static bool parse_number(Parser *s, uint8_t *type) {
    const char *from = s->p;
    if (*s->p == '-') s->p++;
    const char *digits = s->p;
    skip_digits(s);
    if (s->p == digits || (*digits == '0' && s->p - digits > 1)) return complain(s, "invalid number");
    bool whole = true;
    if (s->p < s->end && *s->p == '.') {
        whole = false;
        const char *fraction = ++s->p;
        skip_digits(s);
        if (s->p == fraction) return complain(s, "invalid number");
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        whole = false;
        s->p++;
        if (s->p < s->end && (*s->p == '-' || *s->p == '+')) s->p++;
        const char *exponent = s->p;
        skip_digits(s);
        if (s->p == exponent) return complain(s, "invalid number");
    }
    Str text = {from, (uint32_t)(s->p - from)};
    Decimal d;
    Value v = sqm_null();
    bool too_large = false;
    if (!whole) {
        double x;
        value_double_parse(text, &x, &too_large);
        v = sqm_double(x);
    }
    if (whole || too_large) {
        int64_t i;
        if (decimal_from_text(text, &d) != DECIMAL_OK || (whole && !exact_integer(s->raw.arena, text, d) && !decimal_is_zero(d)))
            return error_set(s->error, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "number in JSON at byte %d has too many digits", (int)(from - s->text));
        v = whole && decimal_is_int(d, &i) ? sqm_int(i) : (Value){.type = SQM_DECIMAL, .u.decimal = d};
    }
    v = value_to_json(s->raw.arena, &v);
    *type = v.bson_type;
    text_add(&s->raw, (const char *)v.u.bytes, v.len);
    return true;
}

static bool parse_element(Parser *s, size_t type_at) {
    uint8_t type;
    if (!parse_value(s, &type)) return false;
    s->raw.p[type_at] = (char)type;
    return true;
}

static bool parse_container(Parser *s, bool object) {
    if (++s->depth > JSON_MAX_DEPTH) return error_set(s->error, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, "JSON is nested more than %d levels deep", JSON_MAX_DEPTH);
    size_t start = open_container(&s->raw);
    uint32_t n = 0;
    char close = object ? '}' : ']';
    if (!accept(s, close)) {
        do {
            size_t at;
            if (object) {
                if (!accept(s, '"')) return complain(s, "expected a key");
                at = s->raw.n;
                text_add(&s->raw, "", 1);
                if (!parse_characters(s)) return false;
                text_add(&s->raw, "", 1);
                if (!accept(s, ':')) return complain(s, "expected \":\"");
            } else {
                at = add_index(&s->raw, n);
            }
            if (!parse_element(s, at)) return false;
            n++;
        } while (accept(s, ','));
        if (!accept(s, close)) return complain(s, object ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
    }
    close_container(&s->raw, start, object, n);
    s->depth--;
    return true;
}

static bool parse_word(Parser *s, const char *word, uint8_t bson_type, uint8_t *type, const char *bytes, size_t n) {
    size_t length = strlen(word);
    if ((size_t)(s->end - s->p) < length || memcmp(s->p, word, length) != 0) return complain(s, "unexpected token");
    s->p += length;
    *type = bson_type;
    text_add(&s->raw, bytes, n);
    return true;
}

static bool parse_value(Parser *s, uint8_t *type) {
    skip_space(s);
    if (s->p == s->end) return complain(s, "unexpected end");
    switch (*s->p) {
    case '{': s->p++; *type = BSON_TYPE_DOCUMENT; return parse_container(s, true);
    case '[': s->p++; *type = BSON_TYPE_ARRAY; return parse_container(s, false);
    case '"': s->p++; *type = BSON_TYPE_UTF8; return parse_string(s);
    case 't': return parse_word(s, "true", BSON_TYPE_BOOL, type, "\1", 1);
    case 'f': return parse_word(s, "false", BSON_TYPE_BOOL, type, "", 1);
    case 'n': return parse_word(s, "null", BSON_TYPE_NULL, type, "", 0);
    }
    if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9')) return parse_number(s, type);
    return complain(s, "unexpected token");
}

bool json_parse(Arena *a, Str text, Value *out, sqm_error_t *error) {
    Parser s = {.text = text.p, .p = text.p, .end = text.p + text.n, .raw = {.arena = a}, .error = error};
    uint8_t type = 0;
    if (text.n > INT_MAX / 8) return error_set(error, SQM_ERROR_DOCUMENT_TOO_LARGE, "JSON text is too large");
    if (text.n && !bson_utf8_validate(text.p, text.n, false)) return error_set(error, SQM_ERROR_INVALID_TEXT, "invalid input syntax for type json: not valid UTF-8");
    text_add(&s.raw, "", 0);
    if (!parse_value(&s, &type)) return false;
    skip_space(&s);
    if (s.p != s.end) return complain(&s, "unexpected text after the value");
    *out = (Value){.type = SQM_JSON, .bson_type = type, .len = (uint32_t)s.raw.n, .u.bytes = (const uint8_t *)s.raw.p};
    return true;
}

/* ---- changing ---- */

static Value tagged(Value v, const Value *like) {
    v.type = like->type;
    return v;
}

static void add_items(JsonBuilder *b, const Value *v) {
    JsonIter it = json_iter(v);
    Str key;
    for (Value item; json_next(&it, &key, &item);) json_add(b, key, &item);
}

Value json_concat(Arena *a, const Value *left, const Value *right) {
    bool objects = json_is_object(left) && json_is_object(right);
    JsonBuilder b = json_builder(a, !objects);
    const Value *sides[] = {left, right};
    for (int i = 0; i < 2; i++) {
        if (objects || json_is_array(sides[i])) add_items(&b, sides[i]);
        else json_add(&b, STR(""), sides[i]);
    }
    return tagged(json_finish(&b), left);
}

bool json_delete_key(Arena *a, const Value *v, Str key, Value *out, sqm_error_t *error) {
    if (!is_container(v)) return error_set(error, SQM_ERROR_INVALID_ARGUMENT, "cannot delete from scalar");
    JsonBuilder b = json_builder(a, json_is_array(v));
    JsonIter it = json_iter(v);
    Str name;
    for (Value item; json_next(&it, &name, &item);)
        if (b.array ? !is_string(&item, key) : !str_eq(name, key)) json_add(&b, name, &item);
    *out = tagged(json_finish(&b), v);
    return true;
}

bool json_delete_index(Arena *a, const Value *v, int64_t index, Value *out, sqm_error_t *error) {
    if (json_is_object(v)) return error_set(error, SQM_ERROR_INVALID_ARGUMENT, "cannot delete from object using integer index");
    if (!json_is_array(v)) return error_set(error, SQM_ERROR_INVALID_ARGUMENT, "cannot delete from scalar");
    if (index < 0) index += json_length(v);
    JsonBuilder b = json_builder(a, true);
    JsonIter it = json_iter(v);
    int64_t i = 0;
    for (Value item; json_next(&it, NULL, &item); i++)
        if (i != index) json_add(&b, STR(""), &item);
    *out = tagged(json_finish(&b), v);
    return true;
}

typedef struct Change { Arena *arena; const Str *path; int n; JsonChange how; const Value *item; sqm_error_t *error; } Change;

static bool change_container(const Change *c, const Value *v, int step, Value *out);

/* The element the path's present step names. */
static bool change_element(const Change *c, JsonBuilder *b, Str key, const Value *item, int step) {
    if (step + 1 < c->n) {
        Value changed = *item;
        if (is_container(item) && !change_container(c, item, step + 1, &changed)) return false;
        json_add(b, key, &changed);
        return true;
    }
    switch (c->how) {
    case JSON_SET:
    case JSON_REPLACE: json_add(b, key, c->item); break;
    case JSON_DELETE: break;
    case JSON_INSERT_BEFORE:
    case JSON_INSERT_AFTER:
        if (!b->array) return error_set(c->error, SQM_ERROR_INVALID_ARGUMENT, "cannot replace existing key");
        if (c->how == JSON_INSERT_BEFORE) json_add(b, key, c->item);
        json_add(b, key, item);
        if (c->how == JSON_INSERT_AFTER) json_add(b, key, c->item);
        break;
    }
    return true;
}

static bool change_container(const Change *c, const Value *v, int step, Value *out) {
    bool array = json_is_array(v), last = step + 1 == c->n, creates = last && (c->how != JSON_REPLACE && c->how != JSON_DELETE), found = false;
    int64_t index = 0, length = array ? json_length(v) : 0, i = 0;
    if (array && !index_of_text(c->path[step], &index))
        return error_set(c->error, SQM_ERROR_INVALID_ARGUMENT, "path element at position %d is not an integer: \"" STR_FMT "\"", step + 1, STR_ARG(c->path[step]));
    if (index < 0) index += length;
    JsonBuilder b = json_builder(c->arena, array);
    if (array && creates && index < 0) json_add(&b, STR(""), c->item);
    JsonIter it = json_iter(v);
    Str key;
    for (Value item; json_next(&it, &key, &item); i++) {
        if (array ? i == index : str_eq(key, c->path[step])) {
            found = true;
            if (!change_element(c, &b, key, &item, step)) return false;
        } else {
            json_add(&b, key, &item);
        }
    }
    if (!found && creates && !(array && index < 0)) json_add(&b, c->path[step], c->item);
    *out = tagged(json_finish(&b), v);
    return true;
}

bool json_change(Arena *a, const Value *v, const Str *path, int n, JsonChange how, const Value *item, Value *out, sqm_error_t *error) {
    if (!is_container(v)) return error_set(error, SQM_ERROR_INVALID_ARGUMENT, how == JSON_DELETE ? "cannot delete path in scalar" : "cannot set path in scalar");
    *out = *v;
    if (n == 0) return true;
    Change change = {a, path, n, how, item, error};
    return change_container(&change, v, 0, out);
}

Value json_strip_nulls(Arena *a, const Value *v) {
    if (!is_container(v)) return *v;
    JsonBuilder b = json_builder(a, json_is_array(v));
    JsonIter it = json_iter(v);
    Str key;
    for (Value item; json_next(&it, &key, &item);) {
        if (!b.array && json_is_null(&item)) continue;
        Value stripped = json_strip_nulls(a, &item);
        json_add(&b, key, &stripped);
    }
    return tagged(json_finish(&b), v);
}
