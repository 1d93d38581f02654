/* function_json.c - operators and functions of json/jsonb, over json.h.
 *
 * JSON values and native documents are navigated alike; what is taken out of a value is JSON. Missing is SQL NULL, JSON null stays a JSON null. The step of
 * -> is a key when it is text and an index when it is a number; a path is an array of text or its literal '{a,0}'.
 *     '{"a": [1, 2]}' -> 'a' ->> 1 = '2'        '[1]' @> '1'        jsonb_build_object('a', 1)        '{"a": 1}' - 'a' = {}
 * Untyped text where JSON is wanted is parsed. Functions that return rows (jsonb_each ...) belong in FROM. */
#include <math.h>
#include <stdio.h>

#include "datetime.h"
#include "decimal.h"
#include "json.h"
#include "scalar.h"

/* An argument that must be JSON. SQL values from undeclared columns count as the JSON they would be. */
static bool read_json(Eval *ev, const Value *v, Value *out) {
    if (v->type == SQM_TEXT) return json_parse(ev->arena, (Str){v->u.text, v->len}, out, ev->error);
    *out = json_is(v) ? *v : value_to_json(ev->arena, v);
    return true;
}

static Value as_json(Value v) {
    if (v.type == SQM_BSON) v.type = SQM_JSON;
    return v;
}

/* ---- navigation ---- */

static bool get(Eval *ev, const Value *v, const Value *step, Value *item) {
    if (!json_is(v)) return false;
    if (step->type == SQM_INT) return json_get_index(v, step->u.i, item);
    return json_get(v, scalar_text(ev, step), item);
}

SCALAR(sql_json_get) {
    Value v, item;
    if (!read_json(ev, &args[0], &v)) return false;
    *out = get(ev, &v, &args[1], &item) ? as_json(item) : sqm_null();
    return true;
}

SCALAR(sql_json_get_text) {
    Value v, item;
    if (!read_json(ev, &args[0], &v)) return false;
    *out = get(ev, &v, &args[1], &item) ? json_as_text(ev->arena, &item) : sqm_null();
    return true;
}

/* Steps from an array (or its text form); *null set when one of them is NULL. */
static bool read_path(Eval *ev, const Value *v, Str **steps, int *n, bool *null) {
    Value path = *v;
    const Value *items;
    *null = false;
    if (v->type == SQM_TEXT && !cast_value(ev, v, type_array(TYPE_TEXT), &path)) return false;
    if (!array_items(ev, &path, &items, n)) return scalar_fail(ev, SQM_ERROR_DATATYPE_MISMATCH, "a JSON path must be an array of text");
    *steps = NEW_ARRAY(ev->arena, Str, *n ? *n : 1);
    for (int i = 0; i < *n; i++) {
        *null |= items[i].type == SQM_NULL;
        if (items[i].type != SQM_NULL) (*steps)[i] = scalar_text(ev, &items[i]);
    }
    return true;
}

static bool follow(Eval *ev, const Value *from, const Str *steps, int n, bool null, bool text, Value *out) {
    Value v, item;
    if (!read_json(ev, from, &v)) return false;
    bool found = !null && json_path(&v, steps, n, &item);
    *out = !found ? sqm_null() : text ? json_as_text(ev->arena, &item) : as_json(item);
    return true;
}

static bool path(Eval *ev, const Value *args, bool text, Value *out) {
    Str *steps;
    int count;
    bool null;
    return read_path(ev, &args[1], &steps, &count, &null) && follow(ev, &args[0], steps, count, null, text, out);
}
SCALAR(sql_json_path) { return path(ev, args, false, out); }
SCALAR(sql_json_path_text) { return path(ev, args, true, out); }

/* jsonb_extract_path(json, step, step, ...) */
static bool extract(Eval *ev, const Value *args, int n, bool text, Value *out) {
    Str *steps = NEW_ARRAY(ev->arena, Str, n);
    for (int i = 1; i < n; i++) steps[i - 1] = scalar_text(ev, &args[i]);
    return follow(ev, &args[0], steps, n - 1, false, text, out);
}
SCALAR(sql_json_extract_path) { return extract(ev, args, n, false, out); }
SCALAR(sql_json_extract_path_text) { return extract(ev, args, n, true, out); }

/* ---- JSON_VALUE and its kin: the steps are constants, see resolve_json.c ---- */

/* Follows the steps, args[1] .. args[n_steps]. Only arrays have indexes and only objects have names. */
static bool walk_steps(Eval *ev, const Value *args, int n_steps, Value *item) {
    *item = args[0].type == SQM_TUPLE ? value_to_json(ev->arena, &args[0]) : args[0];
    for (int i = 1; i <= n_steps; i++) {
        Value at = *item;
        if (!json_is(&at)) return false;
        if (!(args[i].type == SQM_INT ? json_get_index(&at, args[i].u.i, item) : json_get(&at, (Str){args[i].u.text, args[i].len}, item))) return false;
    }
    return true;
}

static bool is_nothing(const Value *v) {
    return v->type == SQM_NULL || (json_is(v) && (v->bson_type == BSON_TYPE_NULL || v->bson_type == BSON_TYPE_UNDEFINED));
}

static bool whole_number(const Value *v, int64_t *out) {
    if (v->type == SQM_DOUBLE) {
        if (!(v->u.d == trunc(v->u.d) && fabs(v->u.d) < 0x1p63)) return false;
        *out = (int64_t)v->u.d;
        return true;
    }
    return v->type == SQM_DECIMAL && decimal_is_int(v->u.decimal, out);
}

bool json_value_as(Value item, Type type, Value *out) {
    *out = sqm_null();
    if (type.tag == TYPE_JSON) return *out = as_json(item), true;
    if (type.tag == TYPE_DOCUMENT || type.tag == TYPE_ARRAY) {
        item.type = json_is(&item) ? SQM_BSON : item.type;
        bool fits = type.tag == TYPE_ARRAY ? array_is(&item) : json_is_object(&item);
        if (fits) *out = item;
        return fits;
    }
    /* A date that has a time of day isn't cut to the day: the server would find it neither. */
    Value v = json_is(&item) ? value_from_raw(item.bson_type, item.u.bytes, item.len, type.tag == TYPE_DATE || type.tag == TYPE_TIME ? TYPE(TIMESTAMP) : type) : item;
    if (v.type == SQM_TIMESTAMP && type.tag == TYPE_DATE && v.u.i % USEC_DAY == 0) v = (Value){.type = SQM_DATE, .u.i = v.u.i / USEC_DAY};
    if (v.type == SQM_TIMESTAMP && type.tag == TYPE_TIME) {
        int64_t since = v.u.i - TIME_EPOCH_DAY * USEC_DAY;
        if (since < 0 || since >= USEC_DAY) return false;
        v = (Value){.type = SQM_TIME, .u.i = since};
    }
    if (type.tag != TYPE_UNKNOWN && !value_fits(type, &v)) return false;
    if (type_is_integer(type) && ((v.type == SQM_DOUBLE && isnan(v.u.d)) || (v.type == SQM_DECIMAL && decimal_is_nan(v.u.decimal)))) return false;
    *out = value_as_number(v, type);
    return true;
}

/* A number in the form of the type, where that is the same number: 5.0 as integer, 5 as numeric or double precision. */
Value value_as_number(Value v, Type type) {
    int64_t whole;
    if (type_is_integer(type) && whole_number(&v, &whole)) return sqm_int(whole);
    if (v.type != SQM_INT) return v;
    if (type.tag == TYPE_NUMERIC) return scalar_from_decimal(decimal_from_int(v.u.i));
    if ((type.tag == TYPE_FLOAT8 || type.tag == TYPE_FLOAT4) && v.u.i >= -(INT64_C(1) << 53) && v.u.i <= INT64_C(1) << 53) return sqm_double((double)v.u.i);
    return v;
}

/* `on` says what an empty or failed path gives; the DEFAULTs are the last arguments. */
static bool otherwise(Eval *ev, JsonOn on, const Value *fallback, const char *what, Value *out) {
    *out = on == JSON_ON_DEFAULT ? *fallback : sqm_null();
    return on != JSON_ON_ERROR || scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "%s", what);
}

static bool value_at(Eval *ev, const Expr *e, const Value *args, int n, bool as_text, bool keep_null, Value *out) {
    int defaults = (e->on_empty == JSON_ON_DEFAULT) + (e->on_error == JSON_ON_DEFAULT);
    Value item;
    if (args[0].type == SQM_NULL) return *out = sqm_null(), true;
    if (!walk_steps(ev, args, n - 1 - defaults, &item)) return otherwise(ev, e->on_empty, &args[n - defaults], "no value at the path", out);
    if (is_nothing(&item)) return *out = keep_null && json_is(&item) ? json_null() : sqm_null(), true;
    if (as_text) {
        *out = json_is(&item) ? json_as_text(ev->arena, &item) : scalar_from_text(scalar_text(ev, &item));
        if (!json_is_object(&item) && !array_is(&item)) return true;
    } else if (json_value_as(item, e->type, out)) return true;
    return otherwise(ev, e->on_error, &args[n - 1], as_text ? "the value at the path is no scalar" : "the value at the path is of another type", out);
}

SCALAR(sql_json_value) { return value_at(ev, e, args, n, false, false, out); }
SCALAR(sql_json_value_text) { return value_at(ev, e, args, n, true, false, out); }
SCALAR(sql_json_query) { return value_at(ev, e, args, n, false, true, out); }

/* ---- SET column.path = value ---- */

typedef struct PathChange { Eval *ev; const Value *steps; int n; const Value *item; } PathChange;

static Value stored_container(Arena *arena, const bson_t *doc, bool array) {
    const uint8_t *bytes = arena_copy(arena, bson_get_data(doc), doc->len);
    return (Value){.type = SQM_BSON, .bson_type = array ? BSON_TYPE_ARRAY : BSON_TYPE_DOCUMENT, .len = doc->len, .u.bytes = bytes};
}

static bool append_item(const PathChange *c, bson_t *doc, Str key, const Value *v) {
    return value_append(doc, key.p, (int)key.n, v, TYPE(UNKNOWN)) || scalar_fail(c->ev, SQM_ERROR_DOCUMENT_TOO_LARGE, "value is too large for a document");
}

static bool append_element(const PathChange *c, bson_t *doc, int64_t index, const Value *v) {
    char key[24];
    int n = snprintf(key, sizeof key, "%lld", (long long)index);
    return append_item(c, doc, (Str){key, (uint32_t)n}, v);
}

/* The value with the item at steps[at..]. Nothing there (NULL, a null) counts as an empty container of the kind that the step needs. Elements beyond the end
 * of an array are filled up with nulls. Every other item stays as it is stored. */
static bool put_at(const PathChange *c, const Value *v, int at, Value *out) {
    if (at == c->n) return *out = *c->item, true;
    const Value *step = &c->steps[at];
    bool array = step->type == SQM_INT, nothing = is_nothing(v), found = false;
    if (!nothing && !(array ? json_is_array(v) : json_is_object(v)))
        return scalar_fail(c->ev, SQM_ERROR_INVALID_ARGUMENT, "cannot assign to %s of %s", array ? "an element" : "a field", json_is_object(v) ? "an object" : array_is(v) ? "an array" : "a scalar");
    bson_t doc = BSON_INITIALIZER;
    Value item, changed, none = sqm_null();
    int64_t n = 0;
    bool ok = true;
    Str key;
    for (JsonIter it = nothing ? (JsonIter){0} : json_iter(v); ok && !nothing && json_next(&it, &key, &item); n++) {
        bool here = array ? n == step->u.i : str_eq(key, (Str){step->u.text, step->len});
        changed = item;
        if (here) ok = put_at(c, &item, at + 1, &changed);
        found |= here;
        ok = ok && append_item(c, &doc, key, &changed);
    }
    if (ok && !found) {
        for (; array && ok && n < step->u.i; n++) ok = append_element(c, &doc, n, &none);
        ok = ok && put_at(c, &none, at + 1, &changed) && (array ? append_element(c, &doc, n, &changed) : append_item(c, &doc, (Str){step->u.text, step->len}, &changed));
    }
    if (ok) *out = stored_container(c->ev->arena, &doc, array);
    bson_destroy(&doc);
    return ok;
}

/* "json assign"(column, value, step, ...). JSON columns hold what JSON has; documents and arrays hold any type. */
SCALAR(sql_json_assign) {
    Value before = args[0].type == SQM_TUPLE ? value_to_json(ev->arena, &args[0]) : args[0], item = args[1];
    if (e->type.tag == TYPE_JSON && !json_is(&item)) item = value_to_json(ev->arena, &item);
    PathChange c = {ev, args + 2, n - 2, &item};
    if (!put_at(&c, &before, 0, out)) return false;
    if (e->type.tag == TYPE_JSON) out->type = SQM_JSON;
    return true;
}

SCALAR(sql_json_exists) {
    Value item;
    if (args[0].type == SQM_NULL) return *out = sqm_null(), true;
    return *out = sqm_bool(walk_steps(ev, args, n - 1, &item)), true;
}

/* ---- questions ---- */

SCALAR(sql_json_contains) {
    Value a, b;
    if (!read_json(ev, &args[0], &a) || !read_json(ev, &args[1], &b)) return false;
    return *out = sqm_bool(json_contains(&a, &b)), true;
}

SCALAR(sql_json_has_key) {
    Value v;
    if (!read_json(ev, &args[0], &v)) return false;
    return *out = sqm_bool(json_has_key(&v, scalar_text(ev, &args[1]))), true;
}

static bool has_keys(Eval *ev, const Value *args, bool all, Value *out) {
    Value v, keys = args[1];
    const Value *items;
    int count;
    if (!read_json(ev, &args[0], &v)) return false;
    if (keys.type == SQM_TEXT && !cast_value(ev, &args[1], type_array(TYPE_TEXT), &keys)) return false;
    if (!array_items(ev, &keys, &items, &count)) return scalar_fail(ev, SQM_ERROR_DATATYPE_MISMATCH, "an array of text is needed on the right");
    bool result = all;
    for (int i = 0; i < count && result == all; i++) {
        if (items[i].type == SQM_NULL) continue;
        result = json_has_key(&v, scalar_text(ev, &items[i]));
    }
    return *out = sqm_bool(result), true;
}
SCALAR(sql_json_has_any) { return has_keys(ev, args, false, out); }
SCALAR(sql_json_has_all) { return has_keys(ev, args, true, out); }

SCALAR(sql_json_typeof) {
    Value v;
    if (!read_json(ev, &args[0], &v)) return false;
    return *out = scalar_from_text(str_from(json_typeof(&v))), true;
}

SCALAR(sql_json_array_length) {
    Value v;
    if (!read_json(ev, &args[0], &v)) return false;
    if (!json_is_array(&v)) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "cannot get array length of %s", json_is_object(&v) ? "a non-array" : "a scalar");
    return *out = sqm_int(json_length(&v)), true;
}

SCALAR(sql_json_object_length) {
    Value v;
    if (!read_json(ev, &args[0], &v)) return false;
    if (!json_is_object(&v)) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "cannot get the number of keys of a JSON value that is no object");
    return *out = sqm_int(json_length(&v)), true;
}

/* ---- building ---- */

/* Argument i as it goes into JSON: an instant shows its zone, which the value alone doesn't know. */
static Value item_of(Eval *ev, const Expr *e, const Value *args, int i) {
    if (args[i].type != SQM_TIMESTAMP || scalar_arg_type(e, i).tag == TYPE_TIMESTAMP) return args[i];
    char *text = arena_alloc(ev->arena, DATETIME_TEXT);
    return sqm_text(text, timestamp_text(args[i].u.i, 'T', true, text));
}

SCALAR(sql_to_json) {
    Value item = item_of(ev, e, args, 0);
    *out = json_is(&item) ? as_json(item) : value_to_json(ev->arena, &item);
    return true;
}

SCALAR(sql_json_build_array) {
    JsonBuilder b = json_builder(ev->arena, true);
    for (int i = 0; i < n; i++) {
        Value item = item_of(ev, e, args, i);
        json_add(&b, (Str){"", 0}, &item);
    }
    *out = json_finish(&b);
    return true;
}

SCALAR(sql_json_build_object) {
    if (n % 2) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "argument list must have even number of elements");
    JsonBuilder b = json_builder(ev->arena, false);
    for (int i = 0; i + 1 < n; i += 2) {
        if (args[i].type == SQM_NULL) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "argument %d: key must not be null", i + 1);
        if (args[i].type == SQM_TUPLE || json_is(&args[i])) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "key value must be scalar, not array, composite, or json");
        Value item = item_of(ev, e, args, i + 1);
        json_add(&b, scalar_text(ev, &args[i]), &item);
    }
    *out = json_finish(&b);
    return true;
}

/* ---- change ---- */

SCALAR(sql_json_concat) {
    Value a, b;
    if (!read_json(ev, &args[0], &a) || !read_json(ev, &args[1], &b)) return false;
    *out = as_json(json_concat(ev->arena, &a, &b));
    return true;
}

/* json - key, json - index, json - array of keys */
SCALAR(sql_json_delete) {
    Value v;
    const Value *items;
    int count;
    if (!read_json(ev, &args[0], &v)) return false;
    if (args[1].type == SQM_INT) {
        if (!json_delete_index(ev->arena, &v, args[1].u.i, out, ev->error)) return false;
    } else if (array_items(ev, &args[1], &items, &count)) {
        *out = v;
        for (int i = 0; i < count; i++) {
            Value before = *out;
            if (items[i].type != SQM_NULL && !json_delete_key(ev->arena, &before, scalar_text(ev, &items[i]), out, ev->error)) return false;
        }
    } else if (!json_delete_key(ev->arena, &v, scalar_text(ev, &args[1]), out, ev->error)) return false;
    *out = as_json(*out);
    return true;
}

static bool change(Eval *ev, const Value *from, const Value *where, JsonChange how, const Value *item, Value *out) {
    Value v;
    Str *steps;
    int count;
    bool null;
    if (!read_json(ev, from, &v) || !read_path(ev, where, &steps, &count, &null)) return false;
    if (null) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "a path element is null");
    if (!json_change(ev->arena, &v, steps, count, how, item, out, ev->error)) return false;
    *out = as_json(*out);
    return true;
}

SCALAR(sql_json_delete_path) { return change(ev, &args[0], &args[1], JSON_DELETE, NULL, out); }

static bool read_flag(Eval *ev, const Value *args, int n, int i, bool absent, bool *out) {
    Value flag = sqm_bool(absent);
    if (n > i && !cast_value(ev, &args[i], TYPE(BOOL), &flag)) return false;
    *out = flag.type == SQM_BOOL && flag.u.b;
    return true;
}

/* jsonb_set(json, path, value [, create]) */
SCALAR(sql_json_set) {
    Value item;
    bool create;
    return read_json(ev, &args[2], &item) && read_flag(ev, args, n, 3, true, &create) && change(ev, &args[0], &args[1], create ? JSON_SET : JSON_REPLACE, &item, out);
}

/* jsonb_insert(json, path, value [, after]) */
SCALAR(sql_json_insert) {
    Value item;
    bool after;
    return read_json(ev, &args[2], &item) && read_flag(ev, args, n, 3, false, &after) && change(ev, &args[0], &args[1], after ? JSON_INSERT_AFTER : JSON_INSERT_BEFORE, &item, out);
}

SCALAR(sql_json_strip_nulls) {
    Value v;
    if (!read_json(ev, &args[0], &v)) return false;
    *out = as_json(json_strip_nulls(ev->arena, &v));
    return true;
}

/* Indented by four blanks, a line for each element. */
static void add_pretty(Text *t, const Value *v, int depth) {
    if (!json_is_object(v) && !json_is_array(v)) {
        json_write(t, v);
        return;
    }
    bool object = json_is_object(v), first = true;
    JsonIter it = json_iter(v);
    Str key;
    Value item;
    text_adds(t, object ? "{" : "[");
    while (json_next(&it, &key, &item)) {
        text_addf(t, "%s\n%*s", first ? "" : ",", (depth + 1) * 4, "");
        if (object) {
            json_quote(t, key);
            text_adds(t, ": ");
        }
        add_pretty(t, &item, depth + 1);
        first = false;
    }
    text_addf(t, "\n%*s%s", depth * 4, "", object ? "}" : "]");
}

SCALAR(sql_jsonb_pretty) {
    Value v;
    if (!read_json(ev, &args[0], &v)) return false;
    Text t = {.arena = ev->arena};
    add_pretty(&t, &v, 0);
    return *out = scalar_from_text((Str){t.p, (uint32_t)t.n}), true;
}
