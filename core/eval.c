/* eval.c - what an expression is worth for the present row.
 *
 * In: a resolved expression and an Eval (frame, outer frames, parameters); out: a Value, whose bytes live in the frame's rows, the expression, the
 * parameters or ev->arena. The meaning is PostgreSQL's: three-valued logic (AND, OR and CASE stop at the first operand that decides), NULL in, NULL
 * out for strict functions, IN over NULLs, row comparison field by field.
 *     NULL AND false = false        1 IN (2, NULL) = NULL        (1, NULL) < (2, 0) = true
 * An untyped literal or parameter that is text takes the type of what it is compared with, as PostgreSQL's unknown literals do.
 * Failing functions leave their error in ev->error; the position of the innermost failing expression is added here.
 * Not done here: aggregates and window functions (they are slots by now) and subqueries, which ev->sublink runs. */
#include "eval.h"

#include <stdio.h>

#include "pattern.h"

bool eval_fail(Eval *ev, const Expr *e, sqm_error_code_t code, const char *fmt, ...) {
    char message[sizeof ev->error->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    error_set(ev->error, code, "%s", message);
    if (ev->error && e) {
        ev->error->position = e->pos.at;
        ev->error->length = e->pos.len;
    }
    return false;
}

static Value boolean_or_null(bool known, bool b) { return known ? sqm_bool(b) : sqm_null(); }

/* ---- comparison ---- */

static bool decide(Operator op, int c) {
    if (op == OP_EQ) return c == 0;
    if (op == OP_NE) return c != 0;
    if (op == OP_LT) return c < 0;
    if (op == OP_LE) return c <= 0;
    if (op == OP_GT) return c > 0;
    return c >= 0;
}

/* Equality of rows is false as soon as one pair differs, even beside a NULL; order is decided by the first pair that isn't equal. */
static Value compare_rows(Operator op, const Value *a, const Value *b) {
    bool unknown = false, equality = op == OP_EQ || op == OP_NE;
    for (uint32_t i = 0; i < a->len && i < b->len; i++) {
        const Value *x = &a->u.tuple[i], *y = &b->u.tuple[i];
        Value r;
        bool incomparable = x->type == SQM_NULL || y->type == SQM_NULL;
        int c = 0;
        if (!incomparable && (value_is_row(x) || value_is_row(y)) && x->type == y->type) {
            r = compare_rows(OP_EQ, x, y);
            incomparable = r.type == SQM_NULL;
            if (!incomparable && !r.u.b) return equality ? sqm_bool(op == OP_NE) : compare_rows(op, x, y);
        } else if (!incomparable) c = value_compare(x, y, &incomparable);
        if (incomparable) {
            if (!equality) return sqm_null();
            unknown = true;
        } else if (c) return sqm_bool(decide(op, c));
    }
    if (unknown) return sqm_null();
    return sqm_bool(decide(op, a->len < b->len ? -1 : a->len > b->len));
}

bool eval_compare(Eval *ev, Operator op, const Value *a, const Value *b, Value *out) {
    (void)ev;
    if (a->type == SQM_NULL || b->type == SQM_NULL) *out = sqm_null();
    else if (a->type == SQM_INT && b->type == SQM_INT) *out = sqm_bool(decide(op, a->u.i < b->u.i ? -1 : a->u.i > b->u.i));
    else if (a->type == SQM_TUPLE && b->type == SQM_TUPLE && (value_is_row(a) || value_is_row(b))) *out = compare_rows(op, a, b);
    else {
        bool unknown = false;
        int c = value_compare(a, b, &unknown);
        *out = boolean_or_null(!unknown, decide(op, c));
    }
    return true;
}

/* 'text' of unknown type beside a value of another type is read as that type. */
static bool adopt(Eval *ev, const Expr *e, Value *v, const Value *other, Type other_type) {
    if (v->type != SQM_TEXT || other->type == SQM_TEXT || other->type == SQM_NULL || e->type.tag != TYPE_UNKNOWN) return true;
    if (e->tag != EXPR_CONST && e->tag != EXPR_PARAM) return true;
    Value text = *v;
    return cast_value(ev, &text, other_type.tag != TYPE_UNKNOWN ? other_type : cast_natural_type(other), v);
}

/* Evaluates both operands and brings untyped text to the other's type, within rows too. */
static bool adopt_pair(Eval *ev, const Expr *ea, Value *a, const Expr *eb, Value *b) {
    if (a->type == b->type && a->type != SQM_TUPLE) return true;
    if (ea->tag == EXPR_ROW && eb->tag == EXPR_ROW && ea->args.n == eb->args.n && a->type == SQM_TUPLE && b->type == SQM_TUPLE) {
        Value *x = arena_copy(ev->arena, a->u.tuple, sizeof(Value) * a->len), *y = arena_copy(ev->arena, b->u.tuple, sizeof(Value) * b->len);
        for (uint32_t i = 0; i < a->len; i++)
            if (!adopt_pair(ev, ea->args.at[i], &x[i], eb->args.at[i], &y[i])) return false;
        a->u.tuple = x;
        b->u.tuple = y;
        return true;
    }
    return adopt(ev, ea, a, b, eb->type) && adopt(ev, eb, b, a, ea->type);
}

static bool eval_pair(Eval *ev, const Expr *e, Value *a, Value *b) {
    return eval(ev, e->args.at[0], a) && eval(ev, e->args.at[1], b) && adopt_pair(ev, e->args.at[0], a, e->args.at[1], b);
}

static bool eval_comparison(Eval *ev, const Expr *e, Value *out) {
    Value a, b;
    return eval_pair(ev, e, &a, &b) && eval_compare(ev, e->op, &a, &b, out);
}

/* NULLs are values here; rows are compared field by field, with NULL fields equal to each other. */
static bool is_distinct(const Value *a, const Value *b) {
    if (a->type == SQM_NULL || b->type == SQM_NULL) return a->type != b->type;
    if (a->type == SQM_TUPLE && b->type == SQM_TUPLE) {
        if (a->len != b->len) return true;
        for (uint32_t i = 0; i < a->len; i++)
            if (is_distinct(&a->u.tuple[i], &b->u.tuple[i])) return true;
        return false;
    }
    bool unknown = false;
    return value_compare(a, b, &unknown) != 0 || unknown;
}

static bool eval_distinct(Eval *ev, const Expr *e, Value *out) {
    Value a, b;
    if (!eval_pair(ev, e, &a, &b)) return false;
    *out = sqm_bool(is_distinct(&a, &b) != e->negated);
    return true;
}

static bool eval_in(Eval *ev, const Expr *e, Value *out) {
    Value needle;
    const Expr *left = e->args.at[0];
    if (!eval(ev, left, &needle)) return false;
    bool unknown = false;
    for (int i = 1; i < e->args.n; i++) {
        Value item, x = needle, equal;
        if (!eval(ev, e->args.at[i], &item) || !adopt_pair(ev, left, &x, e->args.at[i], &item) || !eval_compare(ev, OP_EQ, &x, &item, &equal)) return false;
        if (equal.type == SQM_NULL) unknown = true;
        else if (equal.u.b) {
            *out = sqm_bool(!e->negated);
            return true;
        }
    }
    *out = boolean_or_null(!unknown, e->negated);
    return true;
}

/* ---- logic ---- */

/* A condition's value: BOOL or NULL, whatever the expression gave (an undeclared column may hold anything). */
static bool eval_boolean(Eval *ev, const Expr *e, Value *out) {
    if (!eval(ev, e, out)) return false;
    if (out->type == SQM_BOOL || out->type == SQM_NULL) return true;
    Value v = *out;
    return cast_value(ev, &v, TYPE(BOOL), out);
}

bool eval_true(Eval *ev, const Expr *e, bool *out) {
    Value v;
    if (!eval_boolean(ev, e, &v)) return false;
    *out = v.type == SQM_BOOL && v.u.b;
    return true;
}

/* AND ends at the first false, OR at the first true. */
static bool eval_connective(Eval *ev, const Expr *e, bool decisive, Value *out) {
    bool unknown = false;
    for (int i = 0; i < e->args.n; i++) {
        if (!eval_boolean(ev, e->args.at[i], out)) return false;
        if (out->type == SQM_NULL) unknown = true;
        else if (out->u.b == decisive) return true;
    }
    *out = boolean_or_null(!unknown, !decisive);
    return true;
}

/* A row IS NULL when all its fields are, and IS NOT NULL when none is. */
static bool is_null(const Value *v, bool negated) {
    if (v->type != SQM_TUPLE || v->len == 0) return (v->type == SQM_NULL) != negated;
    for (uint32_t i = 0; i < v->len; i++)
        if ((v->u.tuple[i].type == SQM_NULL) == negated) return false;
    return true;
}

static bool eval_is(Eval *ev, const Expr *e, Value *out) {
    Value v;
    if (e->is == IS_NULL) {
        const Expr *operand = e->args.at[0];
        if (!eval(ev, operand, &v)) return false;
        *out = sqm_bool(operand->tag == EXPR_ROW ? is_null(&v, e->negated) : (v.type == SQM_NULL) != e->negated);
        return true;
    }
    if (!eval_boolean(ev, e->args.at[0], &v)) return false;
    bool is = e->is == IS_UNKNOWN ? v.type == SQM_NULL : v.type == SQM_BOOL && v.u.b == (e->is == IS_TRUE);
    *out = sqm_bool(is != e->negated);
    return true;
}

/* ---- patterns ---- */

static Str as_text(Eval *ev, const Value *v) {
    return v->type == SQM_TEXT ? (Str){v->u.text, v->len} : value_text(ev->arena, v);
}

static bool eval_like(Eval *ev, const Expr *e, Value *out) {
    Value v[3] = {sqm_null(), sqm_null(), sqm_null()};
    *out = sqm_null();
    for (int i = 0; i < e->args.n && i < 3; i++)
        if (!eval(ev, e->args.at[i], &v[i])) return false;
    for (int i = 0; i < e->args.n && i < 3; i++)
        if (v[i].type == SQM_NULL) return true;
    Str text = as_text(ev, &v[0]), pattern = as_text(ev, &v[1]), escape = {0};
    if (e->args.n > 2) escape = as_text(ev, &v[2]);
    const Str *given = e->args.n > 2 ? &escape : NULL;
    bool matches;
    if (e->like == LIKE_SIMILAR) {
        if (!similar_to_regex(ev->arena, pattern, given, &pattern, ev->error) || !regex_search(text, 0, pattern, 0, &matches, NULL, ev->error)) return false;
    } else if (!like_match(text, pattern, given, e->like == LIKE_ILIKE, &matches, ev->error)) return false;
    *out = sqm_bool(matches != e->negated);
    return true;
}

static bool eval_regex(Eval *ev, const Expr *e, Value *out) {
    Value v, pattern;
    if (!eval(ev, e->args.at[0], &v) || !eval(ev, e->args.at[1], &pattern)) return false;
    *out = sqm_null();
    if (v.type == SQM_NULL || pattern.type == SQM_NULL) return true;
    bool fold = e->op == OP_REGEX_I || e->op == OP_NOT_REGEX_I, negated = e->negated != (e->op == OP_NOT_REGEX || e->op == OP_NOT_REGEX_I), found;
    if (!regex_search(as_text(ev, &v), 0, as_text(ev, &pattern), fold ? REGEX_IGNORE_CASE : 0, &found, NULL, ev->error)) return false;
    *out = sqm_bool(found != negated);
    return true;
}

/* ---- the rest ---- */

static bool eval_function(Eval *ev, const Expr *e, Value *out) {
    const Function *f = e->function;
    int n = e->args.n;
    Value few[4], *args = n <= 4 ? few : NEW_ARRAY(ev->arena, Value, n);
    bool null = false;
    for (int i = 0; i < n; i++) {
        if (!eval(ev, e->args.at[i], &args[i])) return false;
        null |= args[i].type == SQM_NULL;
    }
    *out = sqm_null();
    return (null && f->nulls == NULL_STRICT) || f->eval(ev, e, args, n, out);
}

static bool eval_case(Eval *ev, const Expr *e, Value *out) {
    int i = 0;
    for (; i + 1 < e->args.n; i += 2) {
        bool taken;
        if (!eval_true(ev, e->args.at[i], &taken)) return false;
        if (taken) return eval(ev, e->args.at[i + 1], out);
    }
    *out = sqm_null();
    return i >= e->args.n || eval(ev, e->args.at[i], out);
}

static bool eval_coalesce(Eval *ev, const Expr *e, Value *out) {
    *out = sqm_null();
    for (int i = 0; i < e->args.n && out->type == SQM_NULL; i++)
        if (!eval(ev, e->args.at[i], out)) return false;
    return true;
}

static bool eval_tuple(Eval *ev, const Expr *e, Value *out) {
    Value *items = NEW_ARRAY(ev->arena, Value, e->args.n ? e->args.n : 1);
    for (int i = 0; i < e->args.n; i++)
        if (!eval(ev, e->args.at[i], &items[i])) return false;
    *out = (Value){.type = SQM_TUPLE, .flags = e->tag == EXPR_ROW ? VALUE_ROW : 0, .len = (uint32_t)e->args.n, .u.tuple = items};
    return true;
}

static bool eval_cast(Eval *ev, const Expr *e, Value *out) {
    Value v;
    if (!eval(ev, e->args.at[0], &v)) return false;
    /* A double beside a numeric is the number that it was written as: 1.1 finds 1.10. A numeric beside a double is the nearest one. */
    bool day = v.type == SQM_DATE && (e->type.tag == TYPE_TIMESTAMP || e->type.tag == TYPE_TIMESTAMPTZ);    /* GREATEST(timestamp, date) is a timestamp */
    bool to_other = (v.type == SQM_DOUBLE && e->type.tag == TYPE_NUMERIC) || (v.type == SQM_DECIMAL && e->type.tag == TYPE_FLOAT8);
    if (e->implicit && v.type != SQM_TEXT && !day && !to_other) {
        *out = v;
        return true;
    }
    if (v.type == SQM_TIMESTAMP && e->args.at[0]->type.tag == TYPE_TIMESTAMPTZ && type_is_text(e->type)) v = cast_zoned_text(ev->arena, v.u.i);
    if (v.type == SQM_DOUBLE && e->args.at[0]->type.tag == TYPE_FLOAT4 && (e->type.tag == TYPE_NUMERIC || type_is_text(e->type))) v = cast_real_text(ev->arena, v.u.d, e->type);
    return cast_value(ev, &v, e->type, out);
}

static const Value *find_slot(const Eval *ev, const Expr *e) {
    for (int level = e->level; level > 0 && ev; level--) ev = ev->outer;
    return ev && ev->frame ? &ev->frame[e->slot] : NULL;
}

static bool dispatch(Eval *ev, const Expr *e, Value *out) {
    const Value *slot;
    switch (e->tag) {
    case EXPR_CONST: *out = e->value; return true;
    case EXPR_PARAM:
        if (e->number < 0 || e->number >= ev->n_params) return eval_fail(ev, e, SQM_ERROR_INTERNAL, "no value for parameter %d", e->number + 1);
        *out = ev->params[e->number];
        return true;
    case EXPR_VAR:
        slot = find_slot(ev, e);
        if (!slot) return eval_fail(ev, e, SQM_ERROR_INTERNAL, "column reference outside of a row");
        *out = *slot;
        return true;
    case EXPR_FUNC: return eval_function(ev, e, out);
    case EXPR_COMPARE: return eval_comparison(ev, e, out);
    case EXPR_AND: return eval_connective(ev, e, false, out);
    case EXPR_OR: return eval_connective(ev, e, true, out);
    case EXPR_NOT:
        if (!eval_boolean(ev, e->args.at[0], out)) return false;
        if (out->type == SQM_BOOL) out->u.b = !out->u.b;
        return true;
    case EXPR_IS: return eval_is(ev, e, out);
    case EXPR_DISTINCT: return eval_distinct(ev, e, out);
    case EXPR_IN: return eval_in(ev, e, out);
    case EXPR_LIKE: return eval_like(ev, e, out);
    case EXPR_REGEX: return eval_regex(ev, e, out);
    case EXPR_CASE: return eval_case(ev, e, out);
    case EXPR_COALESCE: return eval_coalesce(ev, e, out);
    case EXPR_CAST: return eval_cast(ev, e, out);
    case EXPR_ROW:
    case EXPR_ARRAY: return eval_tuple(ev, e, out);
    case EXPR_SUBLINK:
        if (!ev->sublink) return eval_fail(ev, e, SQM_ERROR_NOT_SUPPORTED, "a subquery cannot be evaluated here");
        return ev->sublink(ev, e, out);
    case EXPR_AGG: return eval_fail(ev, e, SQM_ERROR_INTERNAL, "aggregate outside of its group");
    case EXPR_WINDOW: return eval_fail(ev, e, SQM_ERROR_INTERNAL, "window function outside of its window");
    }
    return eval_fail(ev, e, SQM_ERROR_INTERNAL, "expression of unknown kind");
}

bool eval(Eval *ev, const Expr *e, Value *out) {
    if (dispatch(ev, e, out)) return true;
    if (ev->error && ev->error->position < 0 && e->pos.at >= 0) {
        ev->error->position = e->pos.at;
        ev->error->length = e->pos.len;
    }
    return false;
}
