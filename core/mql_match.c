/* mql_match.c - conditions as $match filters.
 *
 * In:  a condition over one relation, everything else in it constant for the run.  Out: a filter document that matches exactly the rows for which
 * the condition is TRUE. Three-valued logic by polarity: each condition has two filters, "is true" and "is false"; NOT swaps them, and rows for which
 * the condition is NULL are in neither:
 *          NOT (a > 5 OR b = 'x')     ->    {$and: [{a: {$lte: 5}}, {b: {$nin: ["x", null]}}]}
 * so nothing here is ever wrapped in $not over a comparison (which would match NULL). MongoDB's traps are met one by one, where they bite: $ne and $nin
 * match NULL; ranges see only their own type class; NaN is in no range; a regular expression's $ matches before a last newline; dates have milliseconds.
 * Conditions that compare two expressions of the row go through $expr (mql_expr.c). Not here: what can't be said exactly; can_* say no to it. */
#include <math.h>
#include <stdio.h>

#include "datetime.h"
#include "decimal.h"
#include "mql_internal.h"
#include "pattern.h"

/* ---- columns and constants ---- */

bool mql_is_column(const Expr *e, const Rel *rel) { return e->tag == EXPR_VAR && e->level == 0 && e->rel == rel->id && e->column >= 0; }

/* Types whose values compare in the server exactly as here. Documents don't (key order), nor do columns nobody declared (an array matches its items). */
static bool scalar(Type t) {
    return t.tag != TYPE_UNKNOWN && t.tag != TYPE_JSON && t.tag != TYPE_DOCUMENT && t.tag != TYPE_ARRAY && t.tag != TYPE_ROW;
}

/* A column, or a path into one. A primary key kept in _id of an undeclared collection is a scalar whatever its type. */
static bool plain_column(const Expr *e, const Rel *rel) {
    if (mql_is_scalar_path(e, rel) || mql_is_element_path(e, rel)) return true;
    if (rel->kind == REL_FUNCTION) return mql_is_column(e, rel) && mql_told_apart(e->type);     /* the element itself */
    if (!mql_is_column(e, rel) || rel->kind != REL_TABLE) return false;
    if (str_is(rel_field(rel, e->column), "_id")) return e->type.tag != TYPE_DOCUMENT && e->type.tag != TYPE_JSON;
    return scalar(e->type);
}

/* What a dump can't know: a parameter's number, or with these added an outer row's slot and a subquery's number. */
enum { OUTER_SLOT = 1 << 24, SUBQUERY = 1 << 25 };

static bool find_unbound(const Expr *e, int *parameter) {
    if (e->tag == EXPR_PARAM) { *parameter = e->number; return true; }
    if (e->tag == EXPR_VAR && e->level > 0) { *parameter = OUTER_SLOT + e->slot; return true; }
    if (e->tag == EXPR_SUBLINK) { *parameter = SUBQUERY + e->number; return true; }
    for (int i = 0; i < e->args.n; i++)
        if (find_unbound(e->args.at[i], parameter)) return true;
    return false;
}

bool mql_constant(Emit *em, const Expr *e, Value *out, bool *unbound, int *parameter) {
    *unbound = false;
    if (em->show && find_unbound(e, parameter)) {
        *unbound = true;
        *out = sqm_null();
        return true;
    }
    return eval(em->ev, e, out);
}

void mql_parameter(bson_t *out, const char *key, int parameter) {
    bson_t child;
    bson_append_document_begin(out, key, -1, &child);
    if (parameter >= SUBQUERY) bson_append_int32(&child, "$subquery", -1, parameter - SUBQUERY);
    else if (parameter >= OUTER_SLOT) bson_append_int32(&child, "$outer", -1, parameter - OUTER_SLOT);
    else bson_append_int32(&child, "$parameter", -1, parameter + 1);
    bson_append_document_end(out, &child);
}

void mql_value(bson_t *out, const char *key, const Value *v) { value_append(out, key, -1, v, TYPE(UNKNOWN)); }

/* ---- filters ---- */

/* A filter under construction: a list of ANDed documents is an array; `never` means that no row matches. */
typedef struct Filter { bson_t *out; int n; } Filter;   /* out: an array being filled */

static void begin_item(Filter *f, bson_t *child, char *key) {
    snprintf(key, 16, "%d", f->n++);
    bson_append_document_begin(f->out, key, -1, child);
}

static void add_never(Filter *f) {
    char key[16];
    bson_t item;
    begin_item(f, &item, key);
    bson_append_int32(&item, "$alwaysFalse", -1, 1);
    bson_append_document_end(f->out, &item);
}

static void begin_field(Filter *f, const Place *at, bson_t *item, bson_t *ops, char *key) {
    if (at->element) {
        bson_init(ops);
        return;
    }
    begin_item(f, item, key);
    bson_append_document_begin(item, at->field.p, (int)at->field.n, ops);
}

static void add_guards(Filter *f, const Place *at) {
    char key[16];
    bson_t item;
    for (int i = 0; i < mql_guards(at); i++) {
        begin_item(f, &item, key);
        mql_append_guard(at, i, &item);
        bson_append_document_end(f->out, &item);
    }
}

static void end_field(Filter *f, const Place *at, bson_t *item, bson_t *ops) {
    if (at->element) {
        char key[16];
        begin_item(f, item, key);
        mql_append_element(at, ops, item);
        bson_append_document_end(f->out, item);
        bson_destroy(ops);
        return;
    }
    mql_guard_leaf(at, ops);
    bson_append_document_end(item, ops);
    bson_append_document_end(f->out, item);
    add_guards(f, at);
}

static void begin_list(Filter *f, const char *op, bson_t *item, bson_t *list, char *key) {
    begin_item(f, item, key);
    bson_append_array_begin(item, op, -1, list);
}

static void end_list(Filter *f, bson_t *item, bson_t *list) {
    bson_append_array_end(item, list);
    bson_append_document_end(f->out, item);
}

/* {field: {op: value}} */
/* {_id: 7} alone is what the server has a fast path for (IDHACK); it has none for {_id: {$eq: 7}}. Values that can't be taken for operators or patterns. */
static bool by_key(const Place *at, const char *op) { return str_is(at->field, "_id") && strcmp(op, "$eq") == 0; }
static bool is_plain_key(const Value *v) { return v->type == SQM_INT || v->type == SQM_TEXT || v->type == SQM_UUID || v->type == SQM_OBJECTID; }

static void add_op(Filter *f, const Place *at, const char *op, const Value *v) {
    char key[16];
    bson_t item, ops;
    if (by_key(at, op) && is_plain_key(v)) {
        begin_item(f, &item, key);
        mql_value(&item, "_id", v);
        bson_append_document_end(f->out, &item);
        return;
    }
    begin_field(f, at, &item, &ops, key);
    mql_value(&ops, op, v);
    end_field(f, at, &item, &ops);
}

static void add_op_parameter(Filter *f, const Place *at, const char *op, int parameter) {
    char key[16];
    bson_t item, ops;
    if (by_key(at, op)) {
        begin_item(f, &item, key);
        mql_parameter(&item, "_id", parameter);
        bson_append_document_end(f->out, &item);
        return;
    }
    begin_field(f, at, &item, &ops, key);
    mql_parameter(&ops, op, parameter);
    end_field(f, at, &item, &ops);
}

static void add_known_path(Filter *f, const Place *at);

static void add_null(Filter *f, const Place *at, bool negated) {
    Value null = sqm_null();
    if (!at->path && at->type.tag != TYPE_UNKNOWN && at->type.tag != TYPE_ARRAY && at->type.tag != TYPE_DOCUMENT) {
        add_op(f, at, negated ? "$ne" : "$eq", &null);
        return;
    }
    char key[16];
    bson_t item, list, ops;
    if (at->path && negated) { add_known_path(f, at); return; }
    if (at->path) {
        begin_item(f, &item, key);
        bson_t one;
        bson_append_array_begin(&item, "$nor", -1, &list);
        bson_append_document_begin(&list, "0", -1, &one);
        bson_t parts = BSON_INITIALIZER, merged = BSON_INITIALIZER;
        bool never;
        Filter inner = {&parts, 0};
        add_known_path(&inner, at);
        mql_merge(&parts, &merged, &never);
        bson_concat(&one, &merged);
        bson_destroy(&merged);
        bson_destroy(&parts);
        bson_append_document_end(&list, &one);
        bson_append_array_end(&item, &list);
        bson_append_document_end(f->out, &item);
        return;
    }
    /* What may hold an array: one with a null in it isn't NULL. */
    if (!negated) {
        begin_field(f, at, &item, &ops, key);
        mql_value(&ops, "$eq", &null);
        mql_append_no_array(&ops);
        end_field(f, at, &item, &ops);
        return;
    }
    begin_list(f, "$or", &item, &list, key);
    Filter either = {&list, 0};
    add_op(&either, at, "$ne", &null);
    Value array = sqm_text("array", 5);
    add_op(&either, at, "$type", &array);
    end_list(f, &item, &list);
}

static void append_not_a_number(bson_t *list, const char *at) { bson_append_double(list, at, -1, NAN); }

/* A value of the place's type is there. NaN is no integer. */
static void add_known_path(Filter *f, const Place *at) {
    char key[16];
    bson_t item, ops, list;
    if (at->type.tag == TYPE_JSON) {
        begin_list(f, "$or", &item, &list, key);
        Filter either = {&list, 0};
        Place bare = {.field = at->field, .type = at->type};
        Value array = sqm_text("array", 5), null = sqm_null();
        add_op(&either, &bare, "$type", &array);
        add_op(&either, &bare, "$ne", &null);
        end_list(f, &item, &list);
        add_guards(f, at);
        return;
    }
    begin_field(f, at, &item, &ops, key);
    mql_append_class(at, &ops);
    if (type_is_integer(at->type)) append_not_a_number(&ops, "$ne");
    end_field(f, at, &item, &ops);
}

/* {field: {$nin: [v, null]}}: different, and known to be. A path's NULL is any value of another class. */
static void add_not_equal(Filter *f, const Place *at, const Value *v, int n, bool legacy) {
    char key[16], nth[16];
    bson_t item, ops, list;
    begin_field(f, at, &item, &ops, key);
    bson_append_array_begin(&ops, "$nin", -1, &list);
    int k = 0;
    for (int i = 0; i < n; i++) {
        snprintf(nth, sizeof nth, "%d", k++);
        mql_value(&list, nth, &v[i]);
        if (!legacy || v[i].type != SQM_UUID) continue;
        snprintf(nth, sizeof nth, "%d", k++);
        bson_append_binary(&list, nth, -1, BSON_SUBTYPE_UUID_DEPRECATED, v[i].u.bytes, 16);
    }
    snprintf(nth, sizeof nth, "%d", k);
    if (!at->path) bson_append_null(&list, nth, -1);
    else if (type_is_integer(at->type)) append_not_a_number(&list, nth);
    bson_append_array_end(&ops, &list);
    if (at->path) mql_append_class(at, &ops);
    end_field(f, at, &item, &ops);
}

/* ---- comparisons with a constant ---- */

static bool below_millisecond(const Value *v) { return (v->type == SQM_TIMESTAMP || v->type == SQM_TIME) && v->u.i % 1000 != 0; }

static void floor_millisecond(Value *v) {
    int64_t rest = v->u.i % 1000;
    v->u.i -= rest < 0 ? rest + 1000 : rest;
}

static bool is_nan(const Value *v) { return (v->type == SQM_DOUBLE && isnan(v->u.d)) || (v->type == SQM_DECIMAL && decimal_is_nan(v->u.decimal)); }

static bool may_hold_nan(Type t) { return t.tag == TYPE_FLOAT4 || t.tag == TYPE_FLOAT8 || t.tag == TYPE_NUMERIC; }

static Operator negated_operator(Operator op) {
    switch ((int)op) {
    case OP_EQ: return OP_NE;
    case OP_NE: return OP_EQ;
    case OP_LT: return OP_GE;
    case OP_LE: return OP_GT;
    case OP_GT: return OP_LE;
    default: return OP_LT;
    }
}

static Operator swapped_operator(Operator op) {
    switch ((int)op) {
    case OP_LT: return OP_GT;
    case OP_LE: return OP_GE;
    case OP_GT: return OP_LT;
    case OP_GE: return OP_LE;
    default: return op;
    }
}

static const char *range_operator(Operator op) { return op == OP_LT ? "$lt" : op == OP_LE ? "$lte" : op == OP_GT ? "$gt" : "$gte"; }

/* UUIDs of djongo 1.3 carry the legacy subtype 3 in the same byte order. */
static void add_uuid(Filter *f, const Place *at, const Value *v, bool negated) {
    char key[16];
    bson_t item, ops, list;
    begin_field(f, at, &item, &ops, key);
    bson_append_array_begin(&ops, negated ? "$nin" : "$in", -1, &list);
    bson_append_binary(&list, "0", -1, BSON_SUBTYPE_UUID, v->u.bytes, 16);
    bson_append_binary(&list, "1", -1, BSON_SUBTYPE_UUID_DEPRECATED, v->u.bytes, 16);
    if (negated && !at->path) bson_append_null(&list, "2", -1);
    bson_append_array_end(&ops, &list);
    if (negated && at->path) mql_append_class(at, &ops);
    end_field(f, at, &item, &ops);
}

/* column op value is TRUE; the value isn't NULL and fits the column. */
static void add_compare(Filter *f, const Place *at, Type column, Operator op, Value v, bool legacy) {
    bool nan = is_nan(&v);
    if (below_millisecond(&v)) {
        /* Nothing stored equals it; everything stored lies on one side. */
        floor_millisecond(&v);
        if (op == OP_EQ) { add_never(f); return; }
        if (op == OP_NE) { add_null(f, at, true); return; }
        op = op == OP_LT || op == OP_LE ? OP_LE : OP_GT;
    }
    switch ((int)op) {
    case OP_EQ:
        if (legacy && v.type == SQM_UUID) add_uuid(f, at, &v, false);
        else add_op(f, at, "$eq", &v);
        return;
    case OP_NE:
        if (legacy && v.type == SQM_UUID) add_uuid(f, at, &v, true);
        else add_not_equal(f, at, &v, 1, legacy);
        return;
    default: break;
    }
    if (nan) {   /* NaN is the greatest number and equals itself */
        if (op == OP_GT) add_never(f);
        else if (op == OP_GE) add_op(f, at, "$eq", &v);
        else if (op == OP_LT) add_not_equal(f, at, &v, 1, legacy);
        else add_null(f, at, true);
        return;
    }
    if (may_hold_nan(column) && (op == OP_GT || op == OP_GE)) {
        char key[16];
        bson_t item, list;
        Value not_a_number = sqm_double(NAN);
        Place bare = *at;      /* its prefixes are guarded once, beside the $or */
        bare.root = bare.field.n;
        begin_list(f, "$or", &item, &list, key);
        Filter either = {&list, 0};
        add_op(&either, &bare, range_operator(op), &v);
        add_op(&either, &bare, "$eq", &not_a_number);
        end_list(f, &item, &list);
        add_guards(f, at);
        return;
    }
    add_op(f, at, range_operator(op), &v);
}

/* ---- patterns ---- */

static bool is_special(char c) { return strchr("\\^$.|?*+()[]{}", c) != NULL && c != '\0'; }

bool mql_like_pattern(Arena *arena, Str pattern, int escape, bool *exact, Str *out) {
    Text plain = {.arena = arena}, regex = {.arena = arena};
    text_add(&regex, "^", 1);
    text_add(&plain, "", 0);
    bool wild = false, open_end = false;
    for (uint32_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        open_end = false;
        if (escape >= 0 && (unsigned char)c == escape) {
            if (++i >= pattern.n) return false;
            c = pattern.p[i];
        } else if (c == '%') {
            wild = true;
            while (i + 1 < pattern.n && pattern.p[i + 1] == '%') i++;
            if (i + 1 == pattern.n) { open_end = true; break; }
            text_adds(&regex, ".*");
            continue;
        } else if (c == '_') {
            wild = true;
            text_adds(&regex, ".");
            continue;
        }
        text_add(&plain, &c, 1);
        if (is_special(c)) text_add(&regex, "\\", 1);
        text_add(&regex, &c, 1);
    }
    if (!open_end) text_adds(&regex, "\\z");   /* not $, which matches before a last newline too */
    *exact = !wild;
    *out = wild ? (Str){regex.p, (uint32_t)regex.n} : (Str){plain.p, (uint32_t)plain.n};
    return true;
}

static void add_regex(Filter *f, const Place *at, Str pattern, const char *options, bool negated) {
    char key[16];
    bson_t item, ops;
    begin_field(f, at, &item, &ops, key);
    if (negated && at->path) {
        bson_t list;
        bson_append_array_begin(&ops, "$nin", -1, &list);
        bson_append_regex_w_len(&list, "0", -1, pattern.p, (int)pattern.n, options);
        bson_append_array_end(&ops, &list);
    } else if (negated) {
        bson_append_regex_w_len(&ops, "$not", -1, pattern.p, (int)pattern.n, options);
        bson_append_null(&ops, "$ne", -1);
    } else {
        bson_append_utf8(&ops, "$regex", -1, pattern.p, (int)pattern.n);
        bson_append_utf8(&ops, "$options", -1, options, -1);
    }
    if (at->path) mql_append_class(at, &ops);
    end_field(f, at, &item, &ops);
}

/* ---- the two polarities ---- */

static bool add_true(Emit *em, Filter *f, const Expr *e, bool want);

/* As eval() does: any other value is matched by its text. */
static Str pattern_text(Emit *em, const Value *v) { return v->type == SQM_TEXT ? (Str){v->u.text, v->len} : value_text(em->arena, v); }

static bool fail_pattern(Emit *em, const Expr *e) { return eval_fail(em->ev, e, SQM_ERROR_INVALID_ARGUMENT, "LIKE pattern must not end with escape character"); }

static bool add_like(Emit *em, Filter *f, const Expr *e, bool want) {
    Place place = mql_place(em->arena, em->rel, e->args.at[0]), *at = &place;
    Value pattern, escape = sqm_text("\\", 1);
    bool unbound, no_escape = false;
    int parameter = 0;
    if (!mql_constant(em, e->args.at[1], &pattern, &unbound, &parameter)) return false;
    if (unbound) { add_op_parameter(f, at, "$regex", parameter); return true; }
    if (e->args.n > 2) {
        if (!mql_constant(em, e->args.at[2], &escape, &unbound, &parameter)) return false;
        no_escape = escape.type == SQM_TEXT && escape.len == 0;
    }
    if (pattern.type == SQM_NULL || escape.type == SQM_NULL) { add_never(f); return true; }
    if (escape.type != SQM_TEXT || escape.len > 1) return eval_fail(em->ev, e, SQM_ERROR_INVALID_ARGUMENT, "invalid escape string: it must be empty or one character");
    bool exact, negated = e->negated == want;
    Str regex;
    if (!mql_like_pattern(em->arena, pattern_text(em, &pattern), no_escape ? -1 : (unsigned char)escape.u.text[0], &exact, &regex)) return fail_pattern(em, e);
    if (e->like == LIKE_LIKE && exact) {
        Value v = sqm_text(regex.p, regex.n);
        if (negated) add_not_equal(f, at, &v, 1, false);
        else add_op(f, at, "$eq", &v);
        return true;
    }
    if (e->like == LIKE_ILIKE && exact) {
        /* No wildcard: the text itself, escaped and anchored. */
        Text t = {.arena = em->arena};
        text_adds(&t, "^");
        for (uint32_t i = 0; i < regex.n; i++) {
            if (is_special(regex.p[i])) text_adds(&t, "\\");
            text_add(&t, &regex.p[i], 1);
        }
        text_adds(&t, "\\z");
        regex = (Str){t.p, (uint32_t)t.n};
    }
    add_regex(f, at, regex, e->like == LIKE_ILIKE ? "is" : "s", negated);
    return true;
}

static bool add_regular(Emit *em, Filter *f, const Expr *e, bool want) {
    Place place = mql_place(em->arena, em->rel, e->args.at[0]), *at = &place;
    Value pattern;
    bool unbound;
    int parameter = 0;
    if (!mql_constant(em, e->args.at[1], &pattern, &unbound, &parameter)) return false;
    if (unbound) { add_op_parameter(f, at, "$regex", parameter); return true; }
    if (pattern.type == SQM_NULL) { add_never(f); return true; }
    Str regex = regex_for_server(em->arena, pattern_text(em, &pattern));
    add_regex(f, at, regex, e->op == OP_REGEX_I ? "is" : "s", e->negated == want);
    return true;
}

/* A path of no type takes the class of the value it is compared with. False (with the error set): a value that can't be compared so. *never: nothing equals it. */
static bool take_class(Emit *em, const Expr *e, Place *at, Value *v, bool *never) {
    *never = false;
    if (!at->path || at->type.tag != TYPE_UNKNOWN || v->type == SQM_NULL) return true;
    *v = value_natural(v);
    if (v->type == SQM_BSON || v->type == SQM_JSON || v->type == SQM_TUPLE || v->type == SQM_BYTES)
        return eval_fail(em->ev, e, SQM_ERROR_NOT_SUPPORTED, "a dotted path is compared with scalars only; JSON_VALUE(... RETURNING json) compares documents");
    at->type = cast_natural_type(v);
    if (type_is_numeric(at->type)) at->type = TYPE(NUMERIC);
    *never = !mql_told_apart(at->type);     /* durations and times of day: what is stored is a number or a date, and not comparable */
    return true;
}

static bool add_in(Emit *em, Filter *f, const Expr *e, bool want) {
    const Expr *column = e->args.at[0];
    Place place = mql_place(em->arena, em->rel, column), *at = &place;
    bool negated = e->negated == want, has_null = false, legacy = place.path || em->rel->table->legacy;
    Value *list = NEW_ARRAY(em->arena, Value, 2 * e->args.n + 1);
    int n = 0, parameter = 0, unbound_parameter = -1;
    for (int i = 1; i < e->args.n; i++) {
        bool unbound;
        Value v;
        if (!mql_constant(em, e->args.at[i], &v, &unbound, &parameter)) return false;
        if (unbound) { unbound_parameter = parameter; continue; }
        bool never = false;
        Place one = {.path = place.path, .type = column->type};
        if (!take_class(em, e, &one, &v, &never)) return false;
        if (never || v.type == SQM_NULL) { has_null = true; continue; }
        has_null |= n && column->type.tag == TYPE_UNKNOWN && place.type.tag != one.type.tag;     /* of two classes: every value is of another one than some item */
        place.type = one.type;
        if (!value_fits(column->type, &v) && column->type.tag != TYPE_UNKNOWN) { has_null = true; continue; }   /* not comparable: unknown */
        if (below_millisecond(&v)) continue;
        list[n++] = v;
    }
    if (unbound_parameter >= 0) { add_op_parameter(f, at, negated ? "$nin" : "$in", unbound_parameter); return true; }
    if (negated) {
        if (has_null) add_never(f);
        else if (e->args.n > 1) add_not_equal(f, at, list, n, legacy);   /* x NOT IN () is true for NULL as well; the grammar's empty list has args.n == 1 */
        return true;
    }
    if (!n) { add_never(f); return true; }
    char key[16], nth[16];
    bson_t item, ops, values;
    begin_field(f, at, &item, &ops, key);
    bson_append_array_begin(&ops, "$in", -1, &values);
    int k = 0;
    for (int i = 0; i < n; i++) {
        snprintf(nth, sizeof nth, "%d", k++);
        mql_value(&values, nth, &list[i]);
        if (legacy && list[i].type == SQM_UUID) {
            snprintf(nth, sizeof nth, "%d", k++);
            bson_append_binary(&values, nth, -1, BSON_SUBTYPE_UUID_DEPRECATED, list[i].u.bytes, 16);
        }
    }
    bson_append_array_end(&ops, &values);
    end_field(f, at, &item, &ops);
    return true;
}

/* x IN (SELECT ...): the subquery ran first, its values are a list. */
static bool add_in_values(Emit *em, Filter *f, const Expr *e, bool want) {
    const Expr *column = e->args.at[0];
    Place place = mql_place(em->arena, em->rel, column), *at = &place;
    if (em->show || !em->ev->sublink_values) {
        char key[16];
        bson_t item, ops, sub;
        begin_field(f, at, &item, &ops, key);
        bson_append_document_begin(&ops, want ? "$in" : "$nin", -1, &sub);
        bson_append_int32(&sub, "$subquery", -1, e->number);
        bson_append_document_end(&ops, &sub);
        end_field(f, at, &item, &ops);
        return true;
    }
    const Value *values;
    int n;
    bool has_null, legacy = place.path || em->rel->table->legacy;
    if (!em->ev->sublink_values(em->ev, e, &values, &n, &has_null)) return false;
    if (!want) {
        if (has_null) add_never(f);
        else if (n) add_not_equal(f, at, values, n, legacy);
        return true;   /* NOT IN of an empty set is true even for NULL */
    }
    if (!n) { add_never(f); return true; }
    char key[16], nth[16];
    bson_t item, ops, list;
    begin_field(f, at, &item, &ops, key);
    bson_append_array_begin(&ops, "$in", -1, &list);
    int k = 0;
    for (int i = 0; i < n; i++) {
        if (!value_fits(column->type, &values[i]) || below_millisecond(&values[i])) continue;
        snprintf(nth, sizeof nth, "%d", k++);
        mql_value(&list, nth, &values[i]);
        if (!legacy || values[i].type != SQM_UUID) continue;
        snprintf(nth, sizeof nth, "%d", k++);
        bson_append_binary(&list, nth, -1, BSON_SUBTYPE_UUID_DEPRECATED, values[i].u.bytes, 16);
    }
    bson_append_array_end(&ops, &list);
    end_field(f, at, &item, &ops);
    return true;
}

static bool add_constant(Emit *em, Filter *f, const Expr *e, bool want) {
    Value v;
    bool unbound;
    int parameter = 0;
    if (!mql_constant(em, e, &v, &unbound, &parameter)) return false;
    if (unbound) {
        char key[16];
        bson_t item;
        begin_item(f, &item, key);
        mql_parameter(&item, "$expr", parameter);
        bson_append_document_end(f->out, &item);
        return true;
    }
    if (v.type != SQM_BOOL || v.u.b != want) add_never(f);
    return true;
}

static bool add_comparison(Emit *em, Filter *f, const Expr *e, bool want) {
    const Expr *a = e->args.at[0], *b = e->args.at[1];
    Operator op = e->op;
    if (!plain_column(a, em->rel)) {
        const Expr *t = a;
        a = b;
        b = t;
        op = swapped_operator(op);
    }
    if (!want) op = negated_operator(op);
    Place place = mql_place(em->arena, em->rel, a), *at = &place;
    Value v;
    bool unbound;
    int parameter = 0;
    if (!mql_constant(em, b, &v, &unbound, &parameter)) return false;
    if (unbound) { add_op_parameter(f, at, op == OP_EQ ? "$eq" : op == OP_NE ? "$ne" : range_operator(op), parameter); return true; }
    bool never;
    if (!take_class(em, e, &place, &v, &never)) return false;
    if (never || v.type == SQM_NULL || (!value_fits(a->type, &v) && a->type.tag != TYPE_UNKNOWN)) { add_never(f); return true; }
    if (place.path && v.type == SQM_UUID && op != OP_EQ && op != OP_NE) return eval_fail(em->ev, e, SQM_ERROR_NOT_SUPPORTED, "UUIDs in documents are compared for equality only");
    add_compare(f, at, place.type, op, v, place.path || em->rel->table->legacy);
    return true;
}

static bool add_distinct(Emit *em, Filter *f, const Expr *e, bool want) {
    const Expr *a = e->args.at[0], *b = e->args.at[1];
    if (!plain_column(a, em->rel)) { a = e->args.at[1]; b = e->args.at[0]; }
    bool equal = e->negated == want;   /* IS NOT DISTINCT FROM, wanted true */
    Place place = mql_place(em->arena, em->rel, a), *at = &place;
    Value v;
    bool unbound;
    int parameter = 0;
    if (!mql_constant(em, b, &v, &unbound, &parameter)) return false;
    if (unbound) { add_op_parameter(f, at, equal ? "$eq" : "$ne", parameter); return true; }
    bool never;
    if (v.type == SQM_NULL) { add_null(f, at, !equal); return true; }
    if (!take_class(em, e, &place, &v, &never)) return false;
    if (never || !value_fits(place.type, &v) || below_millisecond(&v)) { if (equal) add_never(f); return true; }
    if (place.path && !equal) {     /* every NULL is different */
        char key[16], nth[16];
        bson_t item, list, one, parts;
        begin_list(f, "$nor", &item, &list, key);
        Filter none = {&list, 0};
        begin_item(&none, &one, nth);
        bson_append_array_begin(&one, "$and", -1, &parts);
        Filter inner = {&parts, 0};
        add_compare(&inner, at, place.type, OP_EQ, v, true);
        bson_append_array_end(&one, &parts);
        bson_append_document_end(none.out, &one);
        end_list(f, &item, &list);
        return true;
    }
    if (place.path) { add_compare(f, at, place.type, OP_EQ, v, true); return true; }
    add_op(f, at, equal ? "$eq" : "$ne", &v);
    return true;
}

/* What IS NULL can be asked of. */
static bool nullable_place(const Expr *e, const Rel *rel) {
    return mql_is_column(e, rel) || mql_is_element_path(e, rel) || (mql_is_scalar_path(e, rel) && e->type.tag != TYPE_UNKNOWN) || (mql_is_path(e, rel) && (e->type.tag == TYPE_DOCUMENT || e->type.tag == TYPE_ARRAY || e->type.tag == TYPE_JSON));
}

static bool add_is(Emit *em, Filter *f, const Expr *e, bool want) {
    const Expr *x = e->args.at[0];
    bool positive = e->negated != want;
    if (e->is == IS_NULL || e->is == IS_UNKNOWN) {
        if (nullable_place(x, em->rel)) {
            Place place = mql_place(em->arena, em->rel, x), *at = &place;
            if (x->type.tag == TYPE_JSON && !place.path) {   /* BSON null is JSON's null there; SQL's NULL is the missing field */
                Value yes = sqm_bool(!positive);
                add_op(f, at, "$exists", &yes);
            } else {
                add_null(f, at, !positive);
            }
            return true;
        }
        /* (condition) IS NULL: neither true nor false. */
        char key[16];
        bson_t item, list;
        begin_list(f, positive ? "$nor" : "$or", &item, &list, key);
        Filter either = {&list, 0};
        for (int side = 0; side < 2; side++) {
            char at[16];
            bson_t one, parts;
            begin_item(&either, &one, at);
            bson_append_array_begin(&one, "$and", -1, &parts);
            Filter inner = {&parts, 0};
            if (!add_true(em, &inner, x, side == 0)) return false;
            if (!inner.n) { bson_t all; bson_append_document_begin(&parts, "0", -1, &all); bson_append_document_end(&parts, &all); }
            bson_append_array_end(&one, &parts);
            bson_append_document_end(either.out, &one);
        }
        end_list(f, &item, &list);
        return true;
    }
    bool sought = e->is == IS_TRUE;
    if (positive) return add_true(em, f, x, sought);
    char key[16], at[16];
    bson_t item, list, one, parts;
    begin_list(f, "$nor", &item, &list, key);
    Filter none = {&list, 0};
    begin_item(&none, &one, at);
    bson_append_array_begin(&one, "$and", -1, &parts);
    Filter inner = {&parts, 0};
    if (!add_true(em, &inner, x, sought)) return false;
    if (!inner.n) { bson_t all; bson_append_document_begin(&parts, "0", -1, &all); bson_append_document_end(&parts, &all); }
    bson_append_array_end(&one, &parts);
    bson_append_document_end(none.out, &one);
    end_list(f, &item, &list);
    return true;
}

/* AND and OR under one polarity are either all of their parts or any of them. */
static bool add_parts(Emit *em, Filter *f, const Expr *e, bool want) {
    if ((e->tag == EXPR_AND) == want) {
        for (int i = 0; i < e->args.n; i++)
            if (!add_true(em, f, e->args.at[i], want)) return false;
        return true;
    }
    char key[16];
    bson_t item, list;
    begin_list(f, "$or", &item, &list, key);
    Filter any = {&list, 0};
    for (int i = 0; i < e->args.n; i++) {
        char at[16];
        bson_t one, parts;
        begin_item(&any, &one, at);
        bson_append_array_begin(&one, "$and", -1, &parts);
        Filter inner = {&parts, 0};
        if (!add_true(em, &inner, e->args.at[i], want)) return false;
        if (!inner.n) { bson_t all; bson_append_document_begin(&parts, "0", -1, &all); bson_append_document_end(&parts, &all); }
        bson_append_array_end(&one, &parts);
        bson_append_document_end(any.out, &one);
    }
    end_list(f, &item, &list);
    return true;
}

static bool by_expression(Emit *em, Filter *f, const Expr *e, bool want) {
    char key[16];
    bson_t item;
    begin_item(f, &item, key);
    if (want) {
        if (!mql_express_true(em, e, &item, "$expr")) return false;
    } else {
        Expr not_ = {.tag = EXPR_NOT, .type = TYPE(BOOL), .nullable = e->nullable, .pos = e->pos};
        Expr *operand = (Expr *)e;
        not_.args.at = &operand;
        not_.args.n = 1;
        if (!mql_express_true(em, &not_, &item, "$expr")) return false;
    }
    bson_append_document_end(f->out, &item);
    return true;
}

static bool column_against_constant(const Expr *e, const Rel *rel) {
    return (plain_column(e->args.at[0], rel) && expr_is_constant(e->args.at[1])) || (plain_column(e->args.at[1], rel) && expr_is_constant(e->args.at[0]));
}

static bool in_against_constants(const Expr *e, const Rel *rel) {
    if (!plain_column(e->args.at[0], rel)) return false;
    for (int i = 1; i < e->args.n; i++)
        if (!expr_is_constant(e->args.at[i])) return false;
    return true;
}

static bool add_true(Emit *em, Filter *f, const Expr *e, bool want) {
    if (expr_is_constant(e)) return add_constant(em, f, e, want);
    if (mql_can_array(e, em->rel)) return mql_add_array(em, e, want, f->out, &f->n);
    if (e->tag == EXPR_VAR || ((mql_is_scalar_path(e, em->rel) || mql_is_element_path(e, em->rel)) && e->type.tag == TYPE_BOOL)) {
        Value v = sqm_bool(want);
        Place at = mql_place(em->arena, em->rel, e);
        add_op(f, &at, "$eq", &v);
        return true;
    }
    switch (e->tag) {
    case EXPR_NOT: return add_true(em, f, e->args.at[0], !want);
    case EXPR_AND: case EXPR_OR: return add_parts(em, f, e, want);
    case EXPR_COMPARE: return column_against_constant(e, em->rel) ? add_comparison(em, f, e, want) : by_expression(em, f, e, want);
    case EXPR_DISTINCT: return add_distinct(em, f, e, want);
    case EXPR_IN: return in_against_constants(e, em->rel) ? add_in(em, f, e, want) : by_expression(em, f, e, want);
    case EXPR_LIKE: return add_like(em, f, e, want);
    case EXPR_REGEX: return add_regular(em, f, e, want);
    case EXPR_IS: return add_is(em, f, e, want);
    case EXPR_SUBLINK: return add_in_values(em, f, e, want);
    case EXPR_CONST: case EXPR_PARAM: case EXPR_VAR: case EXPR_FUNC: case EXPR_CASE: case EXPR_COALESCE: case EXPR_CAST: case EXPR_ROW: case EXPR_ARRAY: case EXPR_AGG: case EXPR_WINDOW:
        return by_expression(em, f, e, want);
    }
    return false;
}

static bool is_uuid_path(const Expr *e, const Rel *rel) { return e->type.tag == TYPE_UUID && mql_is_path(e, rel); }

bool mql_add(Emit *em, bson_t *list, int *n, const Expr *e, bool want) {
    Filter f = {list, *n};
    bool ok = add_true(em, &f, e, want);
    *n = f.n;
    return ok;
}

bool mql_can_match(const Expr *e, const Rel *rel) {
    if (rel->kind != REL_TABLE && rel->kind != REL_FUNCTION) return false;    /* the function is an unnest under EXISTS (mql_array.c) */
    if (expr_is_constant(e)) return true;
    if (mql_can_array(e, rel)) return true;
    switch (e->tag) {
    case EXPR_VAR: return mql_is_column(e, rel) && e->type.tag == TYPE_BOOL;
    case EXPR_NOT: case EXPR_AND: case EXPR_OR:
        for (int i = 0; i < e->args.n; i++)
            if (!mql_can_match(e->args.at[i], rel)) return false;
        return true;
    case EXPR_COMPARE:
        if (e->op != OP_EQ && e->op != OP_NE && (is_uuid_path(e->args.at[0], rel) || is_uuid_path(e->args.at[1], rel))) return false;   /* two kinds of UUID: two orders */
        return column_against_constant(e, rel) || mql_can_express(e, rel);
    case EXPR_DISTINCT: {      /* against a NULL it asks for the class */
        const Expr *a = e->args.at[0], *b = e->args.at[1];
        return column_against_constant(e, rel) && !(mql_is_path(a, rel) && a->type.tag == TYPE_UNKNOWN) && !(mql_is_path(b, rel) && b->type.tag == TYPE_UNKNOWN);
    }
    case EXPR_IN: return in_against_constants(e, rel) || mql_can_express(e, rel);
    case EXPR_LIKE:
        return e->like != LIKE_SIMILAR && plain_column(e->args.at[0], rel) && type_is_text(e->args.at[0]->type) && expr_is_constant(e->args.at[1]) &&
               (e->args.n < 3 || expr_is_constant(e->args.at[2]));
    case EXPR_REGEX: return plain_column(e->args.at[0], rel) && type_is_text(e->args.at[0]->type) && expr_is_constant(e->args.at[1]);
    case EXPR_IS:
        if (e->is == IS_NULL && nullable_place(e->args.at[0], rel)) return true;
        return e->args.at[0]->type.tag == TYPE_BOOL && mql_can_match(e->args.at[0], rel);
    case EXPR_SUBLINK:
        return e->sublink == SUBLINK_ANY && rel->kind == REL_TABLE && e->op == OP_EQ && !e->subquery->correlated && !e->subquery->is_volatile && plain_column(e->args.at[0], rel) &&
               scalar(e->args.at[0]->type);
    case EXPR_FUNC: case EXPR_CASE: case EXPR_COALESCE: return e->type.tag == TYPE_BOOL && (mql_is_scalar_path(e, rel) || mql_is_element_path(e, rel) || mql_can_express(e, rel));
    case EXPR_CONST: case EXPR_PARAM: case EXPR_CAST: case EXPR_ROW: case EXPR_ARRAY: case EXPR_AGG: case EXPR_WINDOW: break;
    }
    return false;
}

/* ---- whole filters ---- */

static bool is_never(const bson_t *item) { return bson_has_field(item, "$alwaysFalse"); }

/* A list of conditions as one document: fields merge when no key repeats, else $and. {a: 1}, {b: {$gt: 2}} -> {a: 1, b: {$gt: 2}}. What is said twice
 * (guards of paths into the same document) is said once. */
void mql_merge(const bson_t *list, bson_t *out, bool *never) {
    bson_iter_t it, field, probe;
    bson_t all = BSON_INITIALIZER;
    bool clash = false;
    char at[16];
    int n = 0;
    if (bson_iter_init(&it, list))
        while (bson_iter_next(&it)) {
            bson_t item;
            const uint8_t *data;
            uint32_t len;
            bson_iter_document(&it, &len, &data);
            if (!bson_init_static(&item, data, len)) continue;
            bool again = false;
            for (bool more = n < 100 && bson_iter_init(&probe, &all) && bson_iter_next(&probe); more && !again; more = bson_iter_next(&probe)) {
                const uint8_t *other;
                uint32_t other_len;
                bson_iter_document(&probe, &other_len, &other);
                again = other_len == len && memcmp(other, data, len) == 0;
            }
            if (again) continue;
            snprintf(at, sizeof at, "%d", n++);
            bson_append_document(&all, at, -1, &item);
            if (is_never(&item)) *never = true;
            if (bson_iter_init(&field, &item) && bson_iter_next(&field)) {
                const char *key = bson_iter_key(&field);
                if (bson_iter_init_find(&probe, out, key)) clash = true;
                else bson_append_iter(out, key, -1, &field);
            }
        }
    if (clash) {
        bson_reinit(out);
        bson_append_array(out, "$and", -1, &all);
    }
    bson_destroy(&all);
}

bool mql_match(Emit *em, const Exprs *conjuncts, bson_t *filter, bool *never) { return mql_match_narrowed(em, conjuncts, &(Exprs){0}, filter, never); }

bool mql_match_narrowed(Emit *em, const Exprs *conjuncts, const Exprs *narrow, bson_t *filter, bool *never) {
    bson_t list = BSON_INITIALIZER, merged = BSON_INITIALIZER;
    Filter f = {&list, 0};
    *never = false;
    bool ok = true;
    for (int i = 0; i < conjuncts->n && ok; i++) {
        const Expr *e = conjuncts->at[i];
        if (!mql_can_native(e, em->rel)) {
            ok = add_true(em, &f, e, true);
            continue;
        }
        char key[16];
        bson_t item;
        begin_item(&f, &item, key);
        ok = mql_native(em, e, &item);
        bson_append_document_end(f.out, &item);
    }
    for (int i = 0; i < narrow->n && ok; i++) ok = mql_add_narrow(em, narrow->at[i], &list, &f.n);
    if (ok) {
        mql_merge(&list, &merged, never);
        bson_concat(filter, &merged);
    }
    bson_destroy(&merged);
    bson_destroy(&list);
    return ok;
}

bool mql_not_false(Emit *em, const Expr *e, bson_t *filter) {
    bson_t list, one, parts;
    bson_append_array_begin(filter, "$nor", -1, &list);
    bson_append_document_begin(&list, "0", -1, &one);
    bson_append_array_begin(&one, "$and", -1, &parts);
    Filter f = {&parts, 0};
    bool ok = add_true(em, &f, e, false);
    if (!f.n) { bson_t all; bson_append_document_begin(&parts, "0", -1, &all); bson_append_document_end(&parts, &all); }
    bson_append_array_end(&one, &parts);
    bson_append_document_end(&list, &one);
    bson_append_array_end(filter, &list);
    return ok;
}
