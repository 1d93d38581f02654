/* function_array.c - SQL arrays: literals of ARRAY[...], array columns, parameters that are lists.
 *
 * An array is a tuple (made here) or a BSON array (stored in a document); both are read through array_items(). Comparison of elements is value_same():
 * NULL matches NULL in array_position and array_remove, and nothing in @>, <@ and &&.
 *     ARRAY[1, 2] || 3 = {1,2,3}        array_position(ARRAY['a','b'], 'b') = 2        x = ANY(ARRAY[...]) is "= any"(x, array)
 * unnest() returns rows and belongs in FROM. */
#include <stdio.h>

#include "json.h"
#include "pattern.h"
#include "scalar.h"

bool array_is(const Value *v) { return v->type == SQM_TUPLE || json_is_array(v); }

Value array_new(const Value *items, int n) { return (Value){.type = SQM_TUPLE, .len = (uint32_t)n, .u.tuple = items}; }

bool array_items(Eval *ev, const Value *v, const Value **items, int *n) {
    if (v->type == SQM_TUPLE) {
        *items = v->u.tuple;
        *n = (int)v->len;
        return true;
    }
    if (!json_is_array(v)) return false;
    int64_t length = json_length(v);
    Value *natural = NEW_ARRAY(ev->arena, Value, length ? length : 1), item;
    JsonIter it = json_iter(v);
    for (*n = 0; *n < length && json_next(&it, NULL, &item); ++*n) natural[*n] = value_natural(&item);
    *items = natural;
    return true;
}

/* An array column of a document written elsewhere may hold something else: for the functions here that is NULL. */
static bool is_foreign(const Expr *e, const Value *args, int i) {
    return args[i].type != SQM_NULL && !array_is(&args[i]) && scalar_arg_type(e, i).tag == TYPE_ARRAY;
}

/* An argument that must be an array: text is read as an array literal. */
static bool read_array(Eval *ev, const Value *v, const Value **items, int *n) {
    Value parsed = *v;
    if (v->type == SQM_TEXT && !cast_value(ev, v, TYPE(ARRAY), &parsed)) return false;
    return array_items(ev, &parsed, items, n) || scalar_fail(ev, SQM_ERROR_DATATYPE_MISMATCH, "an array is needed, not %s", value_type_name(v));
}

static bool equal(const Value *a, const Value *b) {
    bool unknown = false;
    return a->type != SQM_NULL && b->type != SQM_NULL && value_compare(a, b, &unknown) == 0 && !unknown;
}

SCALAR(sql_array_length) {
    if (is_foreign(e, args, 0)) return *out = sqm_null(), true;
    const Value *items;
    int count;
    int64_t dimension = 1;
    if (!read_array(ev, &args[0], &items, &count) || (n > 1 && !scalar_int(ev, &args[1], &dimension))) return false;
    for (; dimension > 1 && count > 0 && array_is(&items[0]); dimension--) array_items(ev, &items[0], &items, &count);
    *out = dimension == 1 && count > 0 ? sqm_int(count) : sqm_null();
    return true;
}

static int64_t count_items(Eval *ev, const Value *items, int n) {
    int64_t total = 0;
    for (int i = 0; i < n; i++) {
        const Value *inner;
        int inner_n;
        total += array_items(ev, &items[i], &inner, &inner_n) ? count_items(ev, inner, inner_n) : 1;
    }
    return total;
}

SCALAR(sql_cardinality) {
    if (is_foreign(e, args, 0)) return *out = sqm_null(), true;
    if (json_is_array(&args[0])) return *out = sqm_int(json_length(&args[0])), true;    /* stored arrays have one dimension, of whatever they hold */
    const Value *items;
    int count;
    if (!read_array(ev, &args[0], &items, &count)) return false;
    return *out = sqm_int(count_items(ev, items, count)), true;
}

/* array[i], from 1; NULL outside. JSON is subscripted from 0 and by key. */
SCALAR(sql_subscript) {
    if (is_foreign(e, args, 0)) return *out = sqm_null(), true;
    if (args[0].type == SQM_JSON || json_is_object(&args[0])) return sql_json_get(ev, e, args, n, out);
    const Value *items;
    int count;
    int64_t i;
    if (!read_array(ev, &args[0], &items, &count) || !scalar_int(ev, &args[1], &i)) return false;
    *out = i >= 1 && i <= count ? items[i - 1] : sqm_null();
    if (e->type.tag != TYPE_UNKNOWN && out->type != SQM_NULL) json_value_as(*out, e->type, out);
    return true;
}

/* array[a:b]; NULL bounds are open. */
SCALAR(sql_slice) {
    const Value *items;
    int count;
    int64_t from = 1, to;
    *out = sqm_null();
    if (args[0].type == SQM_NULL || args[1].type == SQM_NULL || args[2].type == SQM_NULL || is_foreign(e, args, 0)) return true;
    if (!read_array(ev, &args[0], &items, &count) || !scalar_int(ev, &args[1], &from) || !scalar_int(ev, &args[2], &to)) return false;
    if (from < 1) from = 1;
    if (to > count) to = count;
    *out = from <= to ? array_new(items + from - 1, (int)(to - from + 1)) : array_new(items, 0);
    return true;
}

/* array_position(array, item [, start]) */
SCALAR(sql_array_position) {
    if (is_foreign(e, args, 0)) return *out = sqm_null(), true;
    const Value *items;
    int count;
    int64_t start = 1;
    *out = sqm_null();
    if (args[0].type == SQM_NULL) return true;
    if (!read_array(ev, &args[0], &items, &count) || (n > 2 && !scalar_int(ev, &args[2], &start))) return false;
    for (int64_t i = start < 1 ? 0 : start - 1; i < count; i++)
        if (value_same(&items[i], &args[1])) return *out = sqm_int(i + 1), true;
    return true;
}

SCALAR(sql_array_positions) {
    if (is_foreign(e, args, 0)) return *out = sqm_null(), true;
    const Value *items;
    int count;
    VEC(Value) found = {0};
    *out = sqm_null();
    if (args[0].type == SQM_NULL) return true;
    if (!read_array(ev, &args[0], &items, &count)) return false;
    for (int i = 0; i < count; i++)
        if (value_same(&items[i], &args[1])) vec_push(ev->arena, &found, sqm_int(i + 1));
    *out = array_new(found.at, found.n);
    return true;
}

/* Elements of a stored array that aren't of its type stay what they are (raw): a changed array keeps what somebody else put there. */
static bool read_stored(Eval *ev, const Value *v, Type array, const Value **items, int *n) {
    if (!read_array(ev, v, items, n)) return false;
    if (v->type != SQM_BSON || array.element == TYPE_UNKNOWN) return true;
    Value *kept = arena_copy(ev->arena, *items, sizeof(Value) * (size_t)(*n ? *n : 1)), item, typed;
    JsonIter it = json_iter(v);
    for (int i = 0; i < *n && json_next(&it, NULL, &item); i++)
        if (kept[i].type != SQM_NULL && !json_value_as(item, type_of(array.element), &typed)) kept[i] = item;
    *items = kept;
    return true;
}

/* The items of `v` (none when NULL), or `v` as the one item when it isn't an array. */
static bool read_items(Eval *ev, const Value *v, Type type, bool array, const Value **items, int *n) {
    *n = v->type != SQM_NULL || !array;
    *items = v;
    if (v->type == SQM_NULL) return true;
    return array ? read_stored(ev, v, type, items, n) : true;
}

static bool join_items(Eval *ev, const Expr *e, const Value *left, bool left_array, const Value *right, bool right_array, Value *out) {
    const Value *a, *b;
    int na, nb;
    if (!read_items(ev, left, e->type, left_array, &a, &na) || !read_items(ev, right, e->type, right_array, &b, &nb)) return false;
    Value *all = NEW_ARRAY(ev->arena, Value, na + nb ? na + nb : 1);
    if (na) memcpy(all, a, sizeof(Value) * (size_t)na);
    if (nb) memcpy(all + na, b, sizeof(Value) * (size_t)nb);
    *out = array_new(all, na + nb);
    return true;
}

/* array || array, array || item, item || array: the sides that aren't arrays are items. Beside an array NULL is the empty array, as in PostgreSQL's ||. */
SCALAR(sql_array_cat) {
    bool left = array_is(&args[0]) || scalar_arg_type(e, 0).tag == TYPE_ARRAY, right = array_is(&args[1]) || scalar_arg_type(e, 1).tag == TYPE_ARRAY;
    if (args[0].type == SQM_NULL && args[1].type == SQM_NULL) return *out = sqm_null(), true;
    if (args[0].type == SQM_NULL && (scalar_arg_type(e, 0).tag == TYPE_UNKNOWN || e->args.at[0]->tag == EXPR_CONST)) left = true;
    if (args[1].type == SQM_NULL && (scalar_arg_type(e, 1).tag == TYPE_UNKNOWN || e->args.at[1]->tag == EXPR_CONST)) right = true;
    return join_items(ev, e, &args[0], left, &args[1], right, out);
}
SCALAR(sql_array_append) { return join_items(ev, e, &args[0], true, &args[1], false, out); }
SCALAR(sql_array_prepend) { return join_items(ev, e, &args[0], false, &args[1], true, out); }

static bool change_items(Eval *ev, const Expr *e, const Value *args, const Value *with, Value *out) {
    const Value *items;
    int count;
    VEC(Value) kept = {0};
    *out = sqm_null();
    if (args[0].type == SQM_NULL) return true;
    if (!read_stored(ev, &args[0], e->type, &items, &count)) return false;
    for (int i = 0; i < count; i++) {
        bool same = value_same(&items[i], &args[1]);
        if (!same) vec_push(ev->arena, &kept, items[i]);
        else if (with) vec_push(ev->arena, &kept, *with);
    }
    *out = array_new(kept.at, kept.n);
    return true;
}
SCALAR(sql_array_remove) { return change_items(ev, e, args, NULL, out); }
SCALAR(sql_array_replace) { return change_items(ev, e, args, &args[2], out); }

/* "row item"(row, i): the resolver made the index, from 0. */
SCALAR(sql_row_item) { return *out = args[0].u.tuple[args[1].u.i], true; }

/* array_to_string(array, separator [, text for NULL]) */
SCALAR(sql_array_to_string) {
    if (is_foreign(e, args, 0)) return *out = sqm_null(), true;
    const Value *items;
    int count;
    *out = sqm_null();
    if (args[0].type == SQM_NULL || args[1].type == SQM_NULL) return true;
    if (!read_array(ev, &args[0], &items, &count)) return false;
    Str separator = scalar_text(ev, &args[1]);
    Text t = {.arena = ev->arena};
    bool any = false;
    for (int i = 0; i < count; i++) {
        if (items[i].type == SQM_NULL && (n < 3 || args[2].type == SQM_NULL)) continue;
        Str s = items[i].type == SQM_NULL ? scalar_text(ev, &args[2]) : items[i].type == SQM_BOOL ? (items[i].u.b ? STR("t") : STR("f")) : scalar_text(ev, &items[i]);
        if (any) text_add(&t, separator.p, separator.n);
        text_add(&t, s.p, s.n);
        any = true;
    }
    return *out = scalar_from_text((Str){t.p ? t.p : "", (uint32_t)t.n}), true;
}

/* string_to_array(text, separator [, text for NULL]): without a separator each character is an item, an empty one splits nothing. */
SCALAR(sql_string_to_array) {
    VEC(Value) items = {0};
    *out = sqm_null();
    if (args[0].type == SQM_NULL) return true;
    Str s = scalar_text(ev, &args[0]), separator = args[1].type == SQM_NULL ? (Str){"", 0} : scalar_text(ev, &args[1]);
    const char *p = s.p, *end = s.p + s.n;
    while (s.n) {
        const char *stop = args[1].type == SQM_NULL ? utf8_skip(p, end, 1) : separator.n ? memmem(p, (size_t)(end - p), separator.p, separator.n) : end;
        if (!stop) stop = end;
        Value item = scalar_from_text((Str){p, (uint32_t)(stop - p)});
        if (n > 2 && args[2].type != SQM_NULL && str_eq((Str){p, (uint32_t)(stop - p)}, scalar_text(ev, &args[2]))) item = sqm_null();
        vec_push(ev->arena, &items, item);
        if (stop == end) break;
        p = stop + separator.n;
    }
    *out = array_new(items.at, items.n);
    return true;
}

/* ---- @>, <@, && (JSON and documents: function_json.c) ---- */

static bool has_item(const Value *items, int n, const Value *wanted) {
    for (int i = 0; i < n; i++)
        if (equal(&items[i], wanted)) return true;
    return false;
}

static bool contains(Eval *ev, const Expr *e, const Value *args, const Value *a, const Value *b, Value *out) {
    if (is_foreign(e, args, 0) || is_foreign(e, args, 1)) return *out = sqm_null(), true;
    const Value *x, *y;
    int nx, ny;
    bool arrays = a->type == SQM_TUPLE || b->type == SQM_TUPLE || (a->type == SQM_BSON && json_is_array(a)) || (b->type == SQM_BSON && json_is_array(b));
    if (!arrays || (a->type == SQM_JSON && b->type != SQM_TUPLE) || (b->type == SQM_JSON && a->type != SQM_TUPLE)) return sql_json_contains(ev, NULL, (Value[2]){*a, *b}, 2, out);
    if (!read_array(ev, a, &x, &nx) || !read_array(ev, b, &y, &ny)) return false;
    bool all = true;
    for (int i = 0; i < ny && all; i++) all = has_item(x, nx, &y[i]);
    return *out = sqm_bool(all), true;
}
SCALAR(sql_contains) { return contains(ev, e, args, &args[0], &args[1], out); }
SCALAR(sql_contained) { return contains(ev, e, args, &args[1], &args[0], out); }

SCALAR(sql_overlap) {
    if (is_foreign(e, args, 0) || is_foreign(e, args, 1)) return *out = sqm_null(), true;
    const Value *x, *y;
    int nx, ny;
    if (!read_array(ev, &args[0], &x, &nx) || !read_array(ev, &args[1], &y, &ny)) return false;
    bool any = false;
    for (int i = 0; i < ny && !any; i++) any = has_item(x, nx, &y[i]);
    return *out = sqm_bool(any), true;
}

/* ---- x op ANY(array), x op ALL(array) ---- */

static bool quantified(Eval *ev, const Expr *e, Operator op, const Value *args, bool all, Value *out) {
    const Value *items;
    int count;
    bool unknown = false;
    *out = sqm_null();
    if (args[1].type == SQM_NULL || is_foreign(e, args, 1)) return true;
    if (!read_array(ev, &args[1], &items, &count)) return false;
    bool stored = json_is(&args[1]);      /* what isn't of x's class compares with nothing; elsewhere untyped text becomes what it meets */
    for (int i = 0; i < count; i++) {
        Value r, x = args[0], y = items[i];
        if (!stored && x.type == SQM_TEXT && y.type != SQM_TEXT && y.type != SQM_NULL && !cast_value(ev, &args[0], cast_natural_type(&y), &x)) return false;
        if (!stored && y.type == SQM_TEXT && x.type != SQM_TEXT && x.type != SQM_NULL && !cast_value(ev, &items[i], cast_natural_type(&x), &y)) return false;
        if (!eval_compare(ev, op, &x, &y, &r)) return false;
        if (r.type == SQM_NULL) unknown = true;
        else if (r.u.b != all) return *out = r, true;
    }
    if (!unknown) *out = sqm_bool(all);
    return true;
}
#define QUANTIFIED(name, op, all) \
    SCALAR(name) { return quantified(ev, e, op, args, all, out); }
QUANTIFIED(sql_eq_any, OP_EQ, false)
QUANTIFIED(sql_ne_any, OP_NE, false)
QUANTIFIED(sql_lt_any, OP_LT, false)
QUANTIFIED(sql_le_any, OP_LE, false)
QUANTIFIED(sql_gt_any, OP_GT, false)
QUANTIFIED(sql_ge_any, OP_GE, false)
QUANTIFIED(sql_eq_all, OP_EQ, true)
QUANTIFIED(sql_ne_all, OP_NE, true)
QUANTIFIED(sql_lt_all, OP_LT, true)
QUANTIFIED(sql_le_all, OP_LE, true)
QUANTIFIED(sql_gt_all, OP_GT, true)
QUANTIFIED(sql_ge_all, OP_GE, true)
