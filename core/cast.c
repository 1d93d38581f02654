/* cast.c - converting values between SQL types.
 *
 * cast_value() is CAST(v AS type): text is parsed by the type's input rules, everything prints to text, numbers round (a double half to even, a numeric
 * half away from zero), varchar(n) cuts. cast_assign() is storing into a column: the same, but what doesn't fit is an error, and times are cut to the
 * millisecond MongoDB keeps. Which pairs exist at all is cast_exists(), asked before anything runs; the run-time rules are wider only where a value's
 * type was not known then.
 *     '12'::integer = 12    2.5::integer = 3    'abc'::varchar(2) = 'ab'    timestamp::date    '{"a": 1}'::jsonb    jsonb 5::integer
 * char(n) isn't padded: the blanks would become visible to every other reader of the collection. Those at the end, which don't count, are cut: values that are equal look alike. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "datetime.h"
#include "decimal.h"
#include "json.h"
#include "pattern.h"
#include "scalar.h"

static Str text_of(const Value *v) { return (Str){v->u.text, v->len}; }
static Value moment(sqm_type_t type, int64_t i) { return (Value){.type = (uint8_t)type, .u.i = i}; }
static Value bytes_value(sqm_type_t type, const uint8_t *p, size_t n) { return (Value){.type = (uint8_t)type, .len = (uint32_t)n, .u.bytes = p}; }

static const char *name_of(Type to) {
    static _Thread_local char name[64];
    return type_text(to, name, sizeof name);
}

static bool bad_text(Eval *ev, Type to, const Value *v) {
    to.length = to.scale = -1;
    return scalar_fail(ev, SQM_ERROR_INVALID_TEXT, "invalid input syntax for type %s: \"%.*s\"", name_of(to), str_clip(text_of(v), 100), v->u.text);
}
static bool bad_range(Eval *ev, Type to) { return scalar_fail(ev, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "%s out of range", name_of(to)); }
static bool no_cast(Eval *ev, const Value *v, Type to) { return scalar_fail(ev, SQM_ERROR_DATATYPE_MISMATCH, "cannot cast type %s to %s", value_type_name(v), name_of(to)); }

/* ---- each target ---- */

static Str trimmed(Str s) {
    while (s.n && (s.p[0] == ' ' || (s.p[0] >= '\t' && s.p[0] <= '\r'))) s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || (s.p[s.n - 1] >= '\t' && s.p[s.n - 1] <= '\r'))) s.n--;
    return s;
}

static bool is_prefix(Str s, const char *word, uint32_t least) {
    return s.n >= least && s.n <= strlen(word) && str_ieq(s, (Str){word, s.n});
}

static bool to_bool(Eval *ev, const Value *v, Type to, Value *out) {
    if (v->type == SQM_INT) return *out = sqm_bool(v->u.i != 0), true;
    if (v->type != SQM_TEXT) return no_cast(ev, v, to);
    Str s = trimmed(text_of(v));
    bool yes = is_prefix(s, "true", 1) || is_prefix(s, "yes", 1) || is_prefix(s, "on", 2) || str_is(s, "1");
    bool no = is_prefix(s, "false", 1) || is_prefix(s, "no", 1) || is_prefix(s, "off", 2) || str_is(s, "0");
    return yes || no ? (*out = sqm_bool(yes), true) : bad_text(ev, to, v);
}

static bool parse_int(Str s, int64_t *out, bool *overflow) {
    s = trimmed(s);
    uint32_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
    int64_t value = 0;
    *overflow = false;
    if (i == s.n) return false;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        int digit = s.p[i] - '0';
        *overflow |= __builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, digit, &value);     /* negative: reaches INT64_MIN */
    }
    if (s.p[0] != '-') *overflow |= __builtin_sub_overflow(0, value, &value);
    *out = value;
    return true;
}

static bool to_int(Eval *ev, const Value *v, Type to, Value *out) {
    int64_t i = 0;
    bool overflow = false;
    switch ((sqm_type_t)v->type) {
    case SQM_INT: i = v->u.i; break;
    case SQM_BOOL: i = v->u.b; break;
    case SQM_DOUBLE: {
        double d = rint(v->u.d);
        overflow = !(d >= -0x1p63 && d < 0x1p63);
        if (!overflow) i = (int64_t)d;
        break;
    }
    case SQM_DECIMAL: overflow = !decimal_to_int(v->u.decimal, &i); break;
    case SQM_TEXT:
        if (!parse_int(text_of(v), &i, &overflow)) return bad_text(ev, to, v);
        break;
    case SQM_NULL: case SQM_BYTES: case SQM_DATE: case SQM_TIME: case SQM_TIMESTAMP: case SQM_INTERVAL: case SQM_UUID: case SQM_OBJECTID: case SQM_JSON:
    case SQM_BSON: case SQM_TUPLE: return no_cast(ev, v, to);
    }
    if (to.tag == TYPE_INT4) overflow |= i != (int32_t)i;
    if (to.tag == TYPE_INT2) overflow |= i != (int16_t)i;
    return overflow ? bad_range(ev, to) : (*out = sqm_int(i), true);
}

static bool to_double(Eval *ev, const Value *v, Type to, Value *out) {
    double d;
    bool overflow = false;
    if (v->type == SQM_DOUBLE) d = v->u.d;
    else if (v->type == SQM_INT) d = (double)v->u.i;
    else if (v->type == SQM_DECIMAL) {
        d = decimal_is_zero(v->u.decimal) ? 0 : decimal_to_double(v->u.decimal);
        overflow = isinf(d) && decimal_is_finite(v->u.decimal);
    } else if (v->type != SQM_TEXT) return no_cast(ev, v, to);
    else if (!value_double_parse(text_of(v), &d, &overflow) && !overflow) return bad_text(ev, to, v);
    if (!overflow && to.tag == TYPE_FLOAT4) {
        overflow = isfinite(d) && isinf((float)d);
        d = (float)d;
    }
    if (overflow) return scalar_fail(ev, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value is out of range for type %s", name_of(to));
    return *out = sqm_double(d), true;
}

static bool to_numeric(Eval *ev, const Value *v, Type to, Value *out) {
    Decimal d;
    if (v->type == SQM_DECIMAL) d = v->u.decimal;
    else if (v->type == SQM_INT) d = decimal_from_int(v->u.i);
    else if (v->type == SQM_DOUBLE) d = decimal_from_double(v->u.d);
    else if (v->type == SQM_TEXT) {
        DecimalParse r = decimal_from_text(text_of(v), &d);
        if (r == DECIMAL_INVALID) return bad_text(ev, to, v);
        if (r == DECIMAL_OVERFLOW) return bad_range(ev, TYPE(NUMERIC));
    } else return no_cast(ev, v, to);
    if (!decimal_quantise(d, to.length, to.scale, &d)) return scalar_fail(ev, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "numeric field overflow: the value does not fit %s", name_of(to));
    return *out = scalar_from_decimal(d), true;
}

static bool to_text(Eval *ev, const Value *v, Type to, Value *out) {
    Str s = v->type == SQM_TEXT ? text_of(v) : value_text(ev->arena, v);
    if (to.length >= 0 && s.n > (uint32_t)to.length) s.n = (uint32_t)(utf8_skip(s.p, s.p + s.n, to.length) - s.p);
    while (to.tag == TYPE_CHAR && s.n && s.p[s.n - 1] == ' ') s.n--;
    return *out = scalar_from_text(s), true;
}

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

/* Exactly `n` bytes of hexadecimal digits; hyphens between bytes and braces around are a UUID's. */
static const uint8_t *parse_hex(Arena *arena, Str s, size_t n, bool uuid) {
    s = trimmed(s);
    if (uuid && s.n > 2 && s.p[0] == '{' && s.p[s.n - 1] == '}') s = (Str){s.p + 1, s.n - 2};
    uint8_t *bytes = arena_alloc(arena, n ? n : 1);
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (uuid && i && i % 2 == 0 && at < s.n && s.p[at] == '-') at++;
        int high = at < s.n ? hex_digit(s.p[at]) : -1, low = at + 1 < s.n ? hex_digit(s.p[at + 1]) : -1;
        if (high < 0 || low < 0) return NULL;
        bytes[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    return at == s.n ? bytes : NULL;
}

static bool to_bytea(Eval *ev, const Value *v, Type to, Value *out) {
    if (v->type != SQM_TEXT) return no_cast(ev, v, to);
    Str s = text_of(v);
    if (s.n >= 2 && s.p[0] == '\\' && s.p[1] == 'x') {
        const uint8_t *bytes = s.n % 2 ? NULL : parse_hex(ev->arena, (Str){s.p + 2, s.n - 2}, s.n / 2 - 1, false);
        return bytes ? (*out = bytes_value(SQM_BYTES, bytes, s.n / 2 - 1), true) : bad_text(ev, to, v);
    }
    Value escape[2] = {*v, sqm_text("escape", 6)};
    return sql_decode(ev, NULL, escape, 2, out);
}

static bool to_id(Eval *ev, const Value *v, Type to, sqm_type_t type, size_t n, Value *out) {
    if (v->type == SQM_BYTES && v->len == n) return *out = bytes_value(type, v->u.bytes, n), true;
    if (v->type != SQM_TEXT) return no_cast(ev, v, to);
    const uint8_t *bytes = parse_hex(ev->arena, text_of(v), n, type == SQM_UUID);
    return bytes ? (*out = bytes_value(type, bytes, n), true) : bad_text(ev, to, v);
}

static bool to_date(Eval *ev, const Value *v, Type to, Value *out) {
    int64_t days = 0;
    if (v->type == SQM_TIMESTAMP) days = timestamp_day(v->u.i);
    else if (v->type != SQM_TEXT) return no_cast(ev, v, to);
    else if (!datetime_parse_date(text_of(v), &days, ev->error)) return false;
    return *out = moment(SQM_DATE, days), true;
}

static bool to_time(Eval *ev, const Value *v, Type to, Value *out) {
    int64_t usec = 0;
    if (v->type == SQM_TIMESTAMP || v->type == SQM_INTERVAL) usec = v->u.i - timestamp_day(v->u.i) * USEC_DAY;
    else if (v->type != SQM_TEXT) return no_cast(ev, v, to);
    else if (!datetime_parse_time(text_of(v), &usec, ev->error)) return false;
    return *out = moment(SQM_TIME, usec), true;
}

static bool to_timestamp(Eval *ev, const Value *v, Type to, Value *out) {
    int64_t usec = 0;
    if (v->type == SQM_DATE) usec = v->u.i * USEC_DAY;
    else if (v->type != SQM_TEXT) return no_cast(ev, v, to);
    else if (!datetime_parse_timestamp(text_of(v), to.tag == TYPE_TIMESTAMPTZ, &usec, ev->error)) return false;
    return *out = moment(SQM_TIMESTAMP, usec), true;
}

static bool to_interval(Eval *ev, const Value *v, Type to, Value *out) {
    int64_t usec = 0;
    if (v->type == SQM_TIME) usec = v->u.i;
    else if (v->type != SQM_TEXT) return no_cast(ev, v, to);
    else if (!datetime_parse_interval(text_of(v), &usec, ev->error)) return false;
    return *out = moment(SQM_INTERVAL, usec), true;
}

static bool to_json(Eval *ev, const Value *v, Value *out) {
    if (v->type == SQM_TEXT) return json_parse(ev->arena, text_of(v), out, ev->error);
    *out = value_to_json(ev->arena, v);
    return true;
}

static bool to_document(Eval *ev, const Value *v, Type to, Value *out) {
    Value parsed = *v;
    if (v->type == SQM_TEXT && !json_parse(ev->arena, text_of(v), &parsed, ev->error)) return false;
    if (!json_is_object(&parsed)) return no_cast(ev, v, to);
    parsed.type = SQM_BSON;
    return *out = parsed, true;
}

/* ---- arrays ---- */

typedef struct ArrayText { const char *p, *end; Type element; const Value *whole; Type to; } ArrayText;

/* {a,"b c",NULL,{...}} from after the opening brace to after the closing one. */
static bool parse_array(Eval *ev, ArrayText *t, int depth, Value *out) {
    VEC(Value) items = {0};
    if (depth > 6) return bad_text(ev, t->to, t->whole);
    while (true) {
        while (t->p < t->end && *t->p == ' ') t->p++;
        if (t->p >= t->end) return bad_text(ev, t->to, t->whole);
        if (*t->p == '}' && items.n == 0) break;
        Value item;
        if (*t->p == '{') {
            t->p++;
            if (!parse_array(ev, t, depth + 1, &item)) return false;
        } else {
            Text word = {.arena = ev->arena};
            bool quoted = *t->p == '"', closed = !quoted;
            t->p += quoted;
            while (t->p < t->end && (quoted ? *t->p != '"' : *t->p != ',' && *t->p != '}')) {
                if (*t->p == '\\' && t->p + 1 < t->end) t->p++;
                text_add(&word, t->p++, 1);
            }
            if (quoted && t->p < t->end) t->p++, closed = true;
            Str s = {word.n ? word.p : "", (uint32_t)word.n};
            if (!quoted) s = trimmed(s);
            if (!closed || (!quoted && s.n == 0)) return bad_text(ev, t->to, t->whole);
            item = !quoted && str_ieq(s, STR("NULL")) ? sqm_null() : scalar_from_text(s);
            if (item.type == SQM_TEXT && !cast_value(ev, &item, t->element, &item)) return false;
        }
        vec_push(ev->arena, &items, item);
        while (t->p < t->end && *t->p == ' ') t->p++;
        if (t->p >= t->end || (*t->p != ',' && *t->p != '}')) return bad_text(ev, t->to, t->whole);
        if (*t->p == '}') break;
        t->p++;
    }
    t->p++;
    *out = array_new(items.at, items.n);
    return true;
}

static bool to_array(Eval *ev, const Value *v, Type to, Value *out) {
    Type element = type_of(to.element);
    const Value *items;
    int n;
    if (v->type == SQM_TEXT) {
        Str s = trimmed(text_of(v));
        if (s.n && s.p[0] == '[') {
            Value parsed;
            return json_parse(ev->arena, s, &parsed, ev->error) && to_array(ev, &parsed, to, out);
        }
        ArrayText t = {s.p + 1, s.p + s.n, element, v, to};
        if (s.n < 2 || s.p[0] != '{') return bad_text(ev, to, v);
        return parse_array(ev, &t, 0, out) && (t.p == t.end || bad_text(ev, to, v));
    }
    if (!array_items(ev, v, &items, &n)) return no_cast(ev, v, to);
    if (element.tag == TYPE_UNKNOWN) {
        *out = *v;
        if (v->type == SQM_JSON) out->type = SQM_BSON;
        return true;
    }
    Value *converted = NEW_ARRAY(ev->arena, Value, n ? n : 1);
    for (int i = 0; i < n; i++) {
        bool nested = array_is(&items[i]);
        if (items[i].type == SQM_BSON && v->type == SQM_TUPLE && !nested && !json_is_object(&items[i])) {    /* what a stored array had beside its type: left as it is */
            converted[i] = items[i];
            continue;
        }
        if (!(nested ? to_array(ev, &items[i], to, &converted[i]) : cast_value(ev, &items[i], element, &converted[i]))) return false;
    }
    *out = array_new(converted, n);
    return true;
}

/* ---- the casts ---- */

Type cast_natural_type(const Value *v) {
    switch ((sqm_type_t)v->type) {
    case SQM_NULL: return TYPE(UNKNOWN);
    case SQM_BOOL: return TYPE(BOOL);
    case SQM_INT: return TYPE(INT8);
    case SQM_DOUBLE: return TYPE(FLOAT8);
    case SQM_DECIMAL: return TYPE(NUMERIC);
    case SQM_TEXT: return TYPE(TEXT);
    case SQM_BYTES: return TYPE(BYTEA);
    case SQM_DATE: return TYPE(DATE);
    case SQM_TIME: return TYPE(TIME);
    case SQM_TIMESTAMP: return TYPE(TIMESTAMPTZ);
    case SQM_INTERVAL: return TYPE(INTERVAL);
    case SQM_UUID: return TYPE(UUID);
    case SQM_OBJECTID: return TYPE(OBJECTID);
    case SQM_JSON: return TYPE(JSON);
    case SQM_BSON: return v->bson_type == BSON_TYPE_ARRAY ? TYPE(ARRAY) : TYPE(DOCUMENT);
    case SQM_TUPLE: return TYPE(ARRAY);
    }
    return TYPE(UNKNOWN);
}

Value cast_zoned_text(Arena *a, int64_t usec) {
    char *text = arena_alloc(a, DATETIME_TEXT);
    return scalar_from_text((Str){text, (uint32_t)timestamp_text(usec, ' ', true, text)});
}

Value cast_real_text(Arena *a, double d, Type to) {
    if (!isfinite(d)) return sqm_double(d);
    char *text = arena_alloc(a, 32);
    int digits = to.tag == TYPE_NUMERIC ? FLT_DIG : 1;
    for (;; digits++) {
        snprintf(text, 32, "%.*e", digits - 1, d);
        if (to.tag == TYPE_NUMERIC || digits == FLT_DECIMAL_DIG || (float)strtod(text, NULL) == (float)d) break;
    }
    int exponent = atoi(strchr(text, 'e') + 1);
    if (exponent >= -4 && exponent < FLT_DIG) snprintf(text, 32, "%.*f", digits - 1 > exponent ? digits - 1 - exponent : 0, d);
    for (char *c = text; *c; c++)
        if (*c == ',') *c = '.';
    return scalar_from_text((Str){text, (uint32_t)strlen(text)});
}

static bool is_time_tag(TypeTag t) { return t == TYPE_TIMESTAMP || t == TYPE_TIMESTAMPTZ; }

/* Nothing to do: the value has the type already, and no length or precision to check. */
static bool has_type(const Value *v, Type to) {
    if (to.tag == TYPE_UNKNOWN || to.tag == TYPE_ROW) return true;
    if (to.length >= 0 || to.scale >= 0 || to.tag == TYPE_ARRAY || to.tag == TYPE_CHAR || to.tag == TYPE_FLOAT4 || to.tag == TYPE_INT2 || to.tag == TYPE_INT4) return false;
    TypeTag natural = cast_natural_type(v).tag;
    if (v->type == SQM_BSON) return false;
    return natural == to.tag || (natural == TYPE_TEXT && type_is_text(to)) || (is_time_tag(natural) && is_time_tag(to.tag));
}

bool cast_value(Eval *ev, const Value *v, Type to, Value *out) {
    Value natural;
    if (v->type == SQM_NULL || has_type(v, to)) return *out = *v, true;
    bool opens = to.tag != TYPE_JSON && to.tag != TYPE_DOCUMENT && to.tag != TYPE_ARRAY && !type_is_text(to);
    if (opens && json_is(v)) {          /* a JSON or undeclared scalar counts as what it holds; JSON null as NULL */
        natural = value_natural(v);
        bool number = type_is_numeric(to) || to.tag == TYPE_BOOL;
        if (v->type == SQM_JSON && number && (json_is(&natural) || natural.type == SQM_TEXT)) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "cannot cast jsonb %s to type %s", json_typeof(v), name_of(to));
        if (json_is(&natural)) return no_cast(ev, v, to);
        return cast_value(ev, &natural, to, out);
    }
    switch (to.tag) {
    case TYPE_BOOL: return to_bool(ev, v, to, out);
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8: return to_int(ev, v, to, out);
    case TYPE_FLOAT4:
    case TYPE_FLOAT8: return to_double(ev, v, to, out);
    case TYPE_NUMERIC: return to_numeric(ev, v, to, out);
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_CHAR: return to_text(ev, v, to, out);
    case TYPE_BYTEA: return to_bytea(ev, v, to, out);
    case TYPE_DATE: return to_date(ev, v, to, out);
    case TYPE_TIME: return to_time(ev, v, to, out);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ: return to_timestamp(ev, v, to, out);
    case TYPE_INTERVAL: return to_interval(ev, v, to, out);
    case TYPE_UUID: return to_id(ev, v, to, SQM_UUID, 16, out);
    case TYPE_OBJECTID: return to_id(ev, v, to, SQM_OBJECTID, 12, out);
    case TYPE_JSON: return to_json(ev, v, out);
    case TYPE_DOCUMENT: return to_document(ev, v, to, out);
    case TYPE_ARRAY: return to_array(ev, v, to, out);
    case TYPE_UNKNOWN:
    case TYPE_ROW: break;
    }
    return *out = *v, true;
}

/* Blanks beyond the length may be dropped, nothing else. */
static bool fits(Str s, int32_t length) {
    if (length < 0 || s.n <= (uint32_t)length) return true;
    for (const char *p = utf8_skip(s.p, s.p + s.n, length); p < s.p + s.n; p++)
        if (*p != ' ') return false;
    return true;
}

static bool assign(Eval *ev, const Value *v, Type to, Value *out) {
    Type unlimited = to;
    if (type_is_text(to)) {
        unlimited.length = -1;
        if (!cast_value(ev, v, unlimited, out)) return false;
        if (out->type == SQM_TEXT && !fits(text_of(out), to.length)) return scalar_fail(ev, SQM_ERROR_STRING_TRUNCATION, "value too long for type %s", name_of(to));
        Value whole = *out;
        return cast_value(ev, &whole, to, out);
    }
    if (!cast_value(ev, v, to, out)) return false;
    if (out->type == SQM_DATE && !date_in_range(out->u.i)) return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "date out of range");
    if (out->type == SQM_TIMESTAMP || out->type == SQM_TIME) {
        if (out->type == SQM_TIMESTAMP && !timestamp_in_range(out->u.i)) return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "timestamp out of range");
        out->u.i -= (out->u.i % 1000 + 1000) % 1000;
    }
    return true;
}

bool cast_assign(Eval *ev, const Value *v, Type to, Str column, Value *out) {
    if (assign(ev, v, to, out)) return true;
    if (ev->error && !ev->error->hint[0] && column.n) snprintf(ev->error->hint, sizeof ev->error->hint, "The value is for column \"%.*s\".", str_clip(column, 200), column.p);
    return false;
}

bool cast_exists(Type from, Type to) {
    if (from.tag == to.tag || from.tag == TYPE_UNKNOWN || to.tag == TYPE_UNKNOWN) return true;
    if (to.tag == TYPE_ROW || from.tag == TYPE_ROW) return false;
    if (type_is_text(from) || type_is_text(to) || to.tag == TYPE_JSON) return true;
    if (type_is_numeric(from) && type_is_numeric(to)) return true;
    switch (from.tag) {
    case TYPE_BOOL: return type_is_integer(to);
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8: return to.tag == TYPE_BOOL;
    case TYPE_DATE: return is_time_tag(to.tag);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ: return type_is_datetime(to);
    case TYPE_TIME: return to.tag == TYPE_INTERVAL;
    case TYPE_INTERVAL: return to.tag == TYPE_TIME;
    case TYPE_JSON: return type_is_numeric(to) || to.tag == TYPE_BOOL || to.tag == TYPE_DOCUMENT || to.tag == TYPE_ARRAY;
    case TYPE_BYTEA: return to.tag == TYPE_UUID || to.tag == TYPE_OBJECTID;
    case TYPE_UNKNOWN: case TYPE_FLOAT4: case TYPE_FLOAT8: case TYPE_NUMERIC: case TYPE_TEXT: case TYPE_VARCHAR: case TYPE_CHAR: case TYPE_UUID:
    case TYPE_OBJECTID: case TYPE_DOCUMENT: case TYPE_ARRAY: case TYPE_ROW: break;
    }
    return false;
}
