/* mql_array.c - conditions about the elements of an array, as $match operators.
 *
 * In:  EXISTS over the elements of an array of the row, and the array operators with a constant on the other side. Out: filters that are true, or false,
 * exactly where SQL says so:
 *     EXISTS (SELECT 1 FROM unnest(authors) AS a(doc) WHERE JSON_VALUE(a.doc, '$.name' RETURNING text) = 'x' AND JSON_VALUE(a.doc, '$.age' RETURNING integer) > 9)
 *                                     ->   {authors: {$elemMatch: {name: {$eq: "x", ...}, age: {$gt: 9, ...}}}}       one element meets both
 *     'x' = ANY(tags)                 ->   {tags: {$elemMatch: {$eq: "x"}}}
 *     tags @> ARRAY['x', 'y']         ->   {tags: {$all: ["x", "y"], $type: "array"}}
 *     cardinality(tags) = 3           ->   {tags: {$size: 3}}
 * $elemMatch with fields sees only elements that are documents (or arrays): a condition that could be true of another element (IS NULL) stays here, unless
 * one beside it needs a document. $elemMatch with bare operators takes each operator once. A field that isn't an array is NULL to all of this.
 * Conditions that read the outer row stay here too. */
#include <stdio.h>

#include "json.h"
#include "mql_internal.h"
#include "scalar.h"

/* ---- EXISTS (SELECT ... FROM unnest(array) WHERE ...) ---- */

static const Rel *unnested_rel(const Expr *e) {
    const Query *q = e->subquery;
    if (q->set_op != SET_NONE || q->grouped || q->windows.n || q->offset || q->ctes.n || q->locking.n || q->is_volatile || !q->from || q->from->rel != 0 || q->rels.n != 1) return NULL;
    if (q->limit && !(q->limit->tag == EXPR_CONST && q->limit->value.type == SQM_INT && q->limit->value.u.i > 0)) return NULL;
    const Rel *rel = q->rels.at[0];
    if (rel->kind != REL_FUNCTION || rel->with_ordinality || strcmp(rel->function->function->name, "unnest") != 0 || rel->function->args.n != 1) return NULL;
    return rel;
}

/* Only what the element itself and constants say; the rows of enclosing blocks are no constants for the server. */
static Walk only_element(Expr *e, void *context) {
    (void)context;
    if (e->tag == EXPR_VAR && e->level > 0) return WALK_STOP;
    if (e->tag == EXPR_SUBLINK && e->sublink != SUBLINK_EXISTS) return WALK_STOP;
    return WALK_ON;
}

static Walk find_element(Expr *e, void *context) {
    (void)context;
    if (mql_is_json_value(e)) return WALK_SKIP;
    return e->tag == EXPR_VAR && e->level == 0 ? WALK_STOP : WALK_ON;
}

static bool reads_element(const Expr *e) { return !expr_walk((Expr *)e, find_element, NULL); }

/* Can the condition be true (or false: !want) of no element but a document? */
static bool needs_document(const Expr *e, bool want) {
    if (expr_is_constant(e)) return false;
    switch (e->tag) {
    case EXPR_NOT: return needs_document(e->args.at[0], !want);
    case EXPR_AND: case EXPR_OR: {
        bool all = (e->tag == EXPR_AND) != want;
        for (int i = 0; i < e->args.n; i++)
            if (needs_document(e->args.at[i], want) != all) return !all;
        return all;
    }
    case EXPR_COMPARE: case EXPR_LIKE: case EXPR_REGEX: case EXPR_FUNC: return true;     /* NULL where there is no document */
    case EXPR_IN: return e->args.n > 1;
    case EXPR_IS: return e->is == IS_NULL || e->is == IS_UNKNOWN ? e->negated == want : e->negated != want;
    case EXPR_SUBLINK: return want;
    case EXPR_CONST: case EXPR_PARAM: case EXPR_VAR: case EXPR_DISTINCT: case EXPR_CASE: case EXPR_COALESCE: case EXPR_CAST: case EXPR_ROW: case EXPR_ARRAY: case EXPR_AGG:
    case EXPR_WINDOW: break;
    }
    return false;
}

static bool is_lower(const Expr *e) { return e->tag == EXPR_COMPARE && ((e->args.at[0]->tag == EXPR_VAR) ? e->op == OP_GT || e->op == OP_GE : e->op == OP_LT || e->op == OP_LE); }
static bool is_upper(const Expr *e) { return e->tag == EXPR_COMPARE && ((e->args.at[0]->tag == EXPR_VAR) ? e->op == OP_LT || e->op == OP_LE : e->op == OP_GT || e->op == OP_GE); }

/* A condition on the element that becomes one set of operators. Ranges of what may be NaN become an $or. */
static bool is_operator_form(const Expr *e, const Rel *rel) {
    if (e->tag == EXPR_NOT) e = e->args.at[0];
    else if (e->tag == EXPR_IS) return e->is == IS_NULL && e->negated && e->args.at[0]->tag == EXPR_VAR && mql_told_apart(e->args.at[0]->type);
    if (e->tag == EXPR_COMPARE) {
        const Expr *x = mql_is_column(e->args.at[0], rel) ? e->args.at[0] : e->args.at[1];
        bool equality = e->op == OP_EQ || e->op == OP_NE;
        return mql_is_column(x, rel) && (equality || (x->type.tag != TYPE_UUID && (type_is_integer(x->type) || !type_is_numeric(x->type)))) && mql_can_match(e, rel);
    }
    return (e->tag == EXPR_IN || e->tag == EXPR_LIKE || e->tag == EXPR_REGEX) && mql_is_column(e->args.at[0], rel) && mql_can_match(e, rel);
}

static void conjuncts(Arena *arena, Expr *e, Exprs *out) {
    if (!e) return;
    if (e->tag == EXPR_AND) {
        for (int i = 0; i < e->args.n; i++) conjuncts(arena, e->args.at[i], out);
        return;
    }
    vec_push(arena, out, e);
}

/* Walks the conjuncts of the subquery's WHERE without making a list of them. */
typedef struct Survey { int n, lower, upper, on_element; bool document, ok; } Survey;

static void survey(const Expr *e, const Rel *rel, Survey *s) {
    if (!e || !s->ok) return;
    if (e->tag == EXPR_AND) {
        for (int i = 0; i < e->args.n; i++) survey(e->args.at[i], rel, s);
        return;
    }
    s->n++;
    if (expr_is_constant(e) || !expr_walk((Expr *)e, only_element, NULL)) s->ok = false;
    else if (reads_element(e)) {
        s->on_element++;
        s->lower += is_lower(e);
        s->upper += is_upper(e);
        s->ok = is_operator_form(e, rel);
    } else {
        s->ok = mql_can_match(e, rel);
        s->document |= s->ok && needs_document(e, true);
    }
}

static bool can_exists(const Expr *e, const Rel *rel) {
    const Rel *inner = unnested_rel(e);
    if (!inner || !mql_is_array_place(inner->function->args.at[0], rel, 1)) return false;
    Survey s = {.ok = true};
    survey(e->subquery->where, inner, &s);
    if (!s.ok) return false;
    if (s.on_element) return s.on_element == s.n && (s.n == 1 || (s.n == 2 && s.lower == 1 && s.upper == 1));
    return s.n == 0 || s.document;
}

static void begin_item(bson_t *list, int *n, bson_t *item, char *key) {
    snprintf(key, 16, "%d", (*n)++);
    bson_append_document_begin(list, key, -1, item);
}

static void add_guards(bson_t *list, int *n, const Place *at) {
    char key[16];
    bson_t item;
    for (int i = 0; i < mql_guards(at); i++) {
        begin_item(list, n, &item, key);
        mql_append_guard(at, i, &item);
        bson_append_document_end(list, &item);
    }
}

static void add_never(bson_t *list, int *n) {
    char key[16];
    bson_t item;
    begin_item(list, n, &item, key);
    bson_append_int32(&item, "$alwaysFalse", -1, 1);
    bson_append_document_end(list, &item);
}

/* [{"": {ops}}, {"": {more ops}}] -> {ops, more ops} */
static bool append_operators(const bson_t *parts, bson_t *out) {
    bson_iter_t it, field, op;
    bson_iter_init(&it, parts);
    while (bson_iter_next(&it)) {
        if (!bson_iter_recurse(&it, &field) || !bson_iter_next(&field) || bson_iter_key(&field)[0] != '\0') return false;
        if (!bson_iter_recurse(&field, &op)) return false;
        while (bson_iter_next(&op))
            if (!bson_has_field(out, bson_iter_key(&op))) bson_append_iter(out, NULL, -1, &op);
    }
    return true;
}

/* Appends the items for "some element meets the conditions" (ANDed); *never: none can. */
static bool add_exists(Emit *em, const Expr *e, bson_t *list, int *n, bool *never) {
    const Rel *inner = unnested_rel(e);
    Place at = mql_place(em->arena, em->rel, inner->function->args.at[0]);
    Exprs conditions = {0};
    conjuncts(em->arena, e->subquery->where, &conditions);
    bson_t parts = BSON_INITIALIZER, match = BSON_INITIALIZER, item, ops;
    char key[16];
    int n_parts = 0;
    bool ok = true;
    Emit inside = *em;
    inside.rel = inner;
    for (int i = 0; i < conditions.n && ok; i++) ok = mql_add(&inside, &parts, &n_parts, conditions.at[i], true);
    if (ok && conditions.n && reads_element(conditions.at[0])) {
        if (!append_operators(&parts, &match)) *never = true;
    } else if (ok) mql_merge(&parts, &match, never);
    if (ok && !*never) {
        begin_item(list, n, &item, key);
        bson_append_document_begin(&item, at.field.p, (int)at.field.n, &ops);
        if (conditions.n) {
            bson_append_document(&ops, "$elemMatch", -1, &match);
        } else {
            bson_t empty;
            bson_append_utf8(&ops, "$type", -1, "array", -1);
            bson_append_document_begin(&ops, "$not", -1, &empty);
            bson_append_int32(&empty, "$size", -1, 0);
            bson_append_document_end(&ops, &empty);
        }
        bson_append_document_end(&item, &ops);
        bson_append_document_end(list, &item);
        add_guards(list, n, &at);
    }
    bson_destroy(&match);
    bson_destroy(&parts);
    return ok;
}

/* ---- array operators ---- */

typedef enum ArrayTest { TEST_NONE, TEST_ANY, TEST_CONTAINS, TEST_CONTAINED, TEST_OVERLAP, TEST_SIZE } ArrayTest;

static bool scalar_elements(const Expr *e) { return mql_told_apart(type_of(e->type.element)); }

static bool is_count(const Expr *e, const Rel *rel) {
    if (e->tag != EXPR_FUNC || !e->args.n || !mql_is_array_place(e->args.at[0], rel, 0)) return false;
    if (strcmp(e->function->name, "cardinality") == 0) return true;
    return strcmp(e->function->name, "array_length") == 0 && e->args.n == 2 && e->args.at[1]->tag == EXPR_CONST && e->args.at[1]->value.type == SQM_INT && e->args.at[1]->value.u.i == 1;
}

/* Which test is it, of which array, against which constant? */
static ArrayTest classify(const Expr *e, const Rel *rel, const Expr **array, const Expr **constant) {
    if (e->tag == EXPR_COMPARE && (e->op == OP_EQ || e->op == OP_NE)) {
        int side = is_count(e->args.at[0], rel) ? 0 : 1;
        *array = e->args.at[side];
        *constant = e->args.at[1 - side];
        return is_count(*array, rel) && expr_is_constant(*constant) ? TEST_SIZE : TEST_NONE;
    }
    if (e->tag != EXPR_FUNC || e->args.n != 2) return TEST_NONE;
    const char *name = e->function->name;
    ArrayTest test = strcmp(name, "= any") == 0 ? TEST_ANY : strcmp(name, "@>") == 0 ? TEST_CONTAINS : strcmp(name, "<@") == 0 ? TEST_CONTAINED : strcmp(name, "&&") == 0 ? TEST_OVERLAP : TEST_NONE;
    if (test == TEST_NONE) return TEST_NONE;
    int side = test == TEST_ANY || !mql_is_array_place(e->args.at[0], rel, 0) ? 1 : 0;
    *array = e->args.at[side];
    *constant = e->args.at[1 - side];
    if (!mql_is_array_place(*array, rel, 0) || !expr_is_constant(*constant) || !scalar_elements(*array)) return TEST_NONE;
    if (test == TEST_ANY) return (*array)->type.element != TYPE_UUID && (*constant)->type.tag != TYPE_ROW ? TEST_ANY : TEST_NONE;
    if ((*constant)->type.tag != TYPE_ARRAY && (*constant)->type.tag != TYPE_UNKNOWN) return TEST_NONE;
    if (side == 1 && test != TEST_OVERLAP) return test == TEST_CONTAINS ? TEST_CONTAINED : TEST_CONTAINS;
    return test;
}

bool mql_can_array(const Expr *e, const Rel *rel) {
    const Expr *array, *constant;
    if (e->tag == EXPR_SUBLINK) return e->sublink == SUBLINK_EXISTS && e->subquery->correlated && can_exists(e, rel);
    return classify(e, rel, &array, &constant) != TEST_NONE;
}

/* One filter {field: {ops}} with the guards of the way; `body` fills ops. */
typedef struct Ops { bson_t *list; int *n; const Place *at; char key[16]; bson_t item, ops; } Ops;

static void begin_ops(Ops *o, bson_t *list, int *n, const Place *at) {
    *o = (Ops){.list = list, .n = n, .at = at};
    begin_item(list, n, &o->item, o->key);
    bson_append_document_begin(&o->item, at->field.p, (int)at->field.n, &o->ops);
}

static void end_ops(Ops *o, bool guards) {
    bson_append_document_end(&o->item, &o->ops);
    bson_append_document_end(o->list, &o->item);
    if (guards) add_guards(o->list, o->n, o->at);
}

static void append_is_array(bson_t *ops) { bson_append_utf8(ops, "$type", -1, "array", -1); }

static void append_values(bson_t *out, const char *op, const Value *items, int n) {
    bson_t list;
    char nth[16];
    int k = 0;
    bson_append_array_begin(out, op, -1, &list);
    for (int i = 0; i < n; i++) {
        snprintf(nth, sizeof nth, "%d", k++);
        mql_value(&list, nth, &items[i]);
        if (items[i].type != SQM_UUID) continue;
        snprintf(nth, sizeof nth, "%d", k++);
        bson_append_binary(&list, nth, -1, BSON_SUBTYPE_UUID_DEPRECATED, items[i].u.bytes, 16);
    }
    bson_append_array_end(out, &list);
}

static void append_element_in(bson_t *ops, const char *op, const Value *items, int n) {
    bson_t match;
    bson_append_document_begin(ops, "$elemMatch", -1, &match);
    append_values(&match, op, items, n);
    bson_append_document_end(ops, &match);
}

static bool below_millisecond(const Value *v) { return v->type == SQM_TIMESTAMP && v->u.i % 1000 != 0; }

/* The constant's items that something stored may equal; *all_can: every one of them. */
static bool possible_items(Emit *em, const Expr *e, Type element, const Value *v, const Value **items, int *n, bool *all_can) {
    const Value *given;
    int count;
    Value array = *v;
    if (v->type == SQM_TEXT && !cast_value(em->ev, v, type_array(element.tag), &array)) return false;
    if (!array_items(em->ev, &array, &given, &count)) return eval_fail(em->ev, e, SQM_ERROR_DATATYPE_MISMATCH, "an array is needed, not %s", value_type_name(v));
    Value *kept = NEW_ARRAY(em->arena, Value, count + 1);
    *n = 0;
    *all_can = true;
    for (int i = 0; i < count; i++) {
        if (json_is(&given[i]) || given[i].type == SQM_TUPLE)
            return eval_fail(em->ev, e, SQM_ERROR_DATATYPE_MISMATCH, "an array of scalars is compared with a document or an array in an array");
        if (given[i].type != SQM_NULL && value_fits(element, &given[i]) && !below_millisecond(&given[i])) kept[(*n)++] = given[i];
        else *all_can = false;
    }
    *items = kept;
    return true;
}

static void add_is_array(bson_t *list, int *n, const Place *at) {
    Ops o;
    begin_ops(&o, list, n, at);
    append_is_array(&o.ops);
    end_ops(&o, true);
}

/* {$nor: [{field: {$elemMatch: {op: items}}}]} */
static void add_no_element(bson_t *list, int *n, const Place *at, const char *op, const Value *items, int n_items) {
    char key[16];
    bson_t item, nor;
    begin_item(list, n, &item, key);
    bson_append_array_begin(&item, "$nor", -1, &nor);
    int inner = 0;
    Ops o;
    begin_ops(&o, &nor, &inner, at);
    append_element_in(&o.ops, op, items, n_items);
    end_ops(&o, false);
    bson_append_array_end(&item, &nor);
    bson_append_document_end(list, &item);
}

/* x = ANY(array) is NULL when nothing is equal and some element can't be compared. */
static bool add_any(Emit *em, const Expr *e, const Place *at, Type element, const Value *x, bool want, bson_t *list, int *n) {
    (void)e;
    (void)em;
    bool possible = x->type != SQM_NULL && value_fits(element, x) && !below_millisecond(x);
    Ops o;
    if (want) {
        if (!possible) { add_never(list, n); return true; }
        begin_ops(&o, list, n, at);
        bson_t match;
        bson_append_document_begin(&o.ops, "$elemMatch", -1, &match);
        mql_value(&match, "$eq", x);
        bson_append_document_end(&o.ops, &match);
        end_ops(&o, true);
        return true;
    }
    if (x->type == SQM_NULL || !value_fits(element, x)) {       /* compared with nothing at all it is false */
        begin_ops(&o, list, n, at);
        bson_append_int32(&o.ops, "$size", -1, 0);
        end_ops(&o, true);
        return true;
    }
    add_is_array(list, n, at);
    if (possible) add_no_element(list, n, at, "$in", x, 1);
    char key[16];
    bson_t item, nor, match, not_;
    begin_item(list, n, &item, key);
    bson_append_array_begin(&item, "$nor", -1, &nor);
    int inner = 0;
    begin_ops(&o, &nor, &inner, at);
    bson_append_document_begin(&o.ops, "$elemMatch", -1, &match);
    bson_append_document_begin(&match, "$not", -1, &not_);
    Place one = {.type = element, .path = true};
    mql_append_class(&one, &not_);
    bson_append_document_end(&match, &not_);
    bson_append_document_end(&o.ops, &match);
    end_ops(&o, false);
    bson_append_array_end(&item, &nor);
    bson_append_document_end(list, &item);
    return true;
}

static void add_set_test(ArrayTest test, const Place *at, const Value *items, int n_items, bool all_can, bool want, bson_t *list, int *n) {
    Ops o;
    if (test == TEST_CONTAINS && !all_can) {        /* nothing contains that */
        if (want) add_never(list, n);
        else add_is_array(list, n, at);
        return;
    }
    if (test == TEST_OVERLAP || test == TEST_CONTAINED) {
        const char *op = test == TEST_OVERLAP ? "$in" : "$nin";
        if ((test == TEST_OVERLAP) == want) {
            begin_ops(&o, list, n, at);
            append_element_in(&o.ops, op, items, n_items);
            end_ops(&o, true);
        } else {
            add_is_array(list, n, at);
            add_no_element(list, n, at, op, items, n_items);
        }
        return;
    }
    add_is_array(list, n, at);
    if (want) {
        for (int i = 0; i < n_items; i++) {
            begin_ops(&o, list, n, at);
            append_element_in(&o.ops, "$in", &items[i], 1);
            end_ops(&o, false);
        }
        return;
    }
    char key[16];
    bson_t item, or_;
    if (!n_items) { add_never(list, n); return; }
    begin_item(list, n, &item, key);
    bson_append_array_begin(&item, "$or", -1, &or_);
    int inner = 0;
    for (int i = 0; i < n_items; i++) add_no_element(&or_, &inner, at, "$in", &items[i], 1);
    bson_append_array_end(&item, &or_);
    bson_append_document_end(list, &item);
}

/* {$all: ["x", "y"], $type: "array"} where nothing needs to be said twice. */
static bool add_all(const Place *at, const Value *items, int n_items, bson_t *list, int *n) {
    for (int i = 0; i < n_items; i++)
        if (items[i].type == SQM_UUID) return false;
    if (!n_items) return false;
    Ops o;
    begin_ops(&o, list, n, at);
    append_values(&o.ops, "$all", items, n_items);
    append_is_array(&o.ops);
    end_ops(&o, true);
    return true;
}

/* cardinality(array) = n; array_length(array, 1) = n, which is NULL for an empty array. */
static void add_size(const Expr *count, const Place *at, const Value *v, bool equal, bson_t *list, int *n) {
    bool length = strcmp(count->function->name, "array_length") == 0;
    bool possible = v->type == SQM_INT && v->u.i >= length && v->u.i <= INT32_MAX;
    Ops o;
    char key[16];
    if (v->type == SQM_NULL || (equal && !possible)) { add_never(list, n); return; }
    if (equal) {
        begin_ops(&o, list, n, at);
        bson_append_int32(&o.ops, "$size", -1, (int32_t)v->u.i);
        end_ops(&o, true);
        return;
    }
    add_is_array(list, n, at);
    bson_t item, nor;
    if (!possible && !length) return;
    begin_item(list, n, &item, key);
    bson_append_array_begin(&item, "$nor", -1, &nor);
    int inner = 0;
    if (possible) {
        begin_ops(&o, &nor, &inner, at);
        bson_append_int32(&o.ops, "$size", -1, (int32_t)v->u.i);
        end_ops(&o, false);
    }
    if (length) {
        begin_ops(&o, &nor, &inner, at);
        bson_append_int32(&o.ops, "$size", -1, 0);
        end_ops(&o, false);
    }
    bson_append_array_end(&item, &nor);
    bson_append_document_end(list, &item);
}

/* What EXPLAIN shows for a parameter without a value. */
static void add_unbound(ArrayTest test, const Place *at, int parameter, bool want, bson_t *list, int *n) {
    Ops o;
    bson_t match, item, nor, *to = list;
    char key[16];
    int inner = 0, *count = n;
    if (!want) {
        begin_item(list, n, &item, key);
        bson_append_array_begin(&item, "$nor", -1, &nor);
        to = &nor;
        count = &inner;
    }
    begin_ops(&o, to, count, at);
    if (test == TEST_ANY || test == TEST_OVERLAP) {
        bson_append_document_begin(&o.ops, "$elemMatch", -1, &match);
        mql_parameter(&match, test == TEST_ANY ? "$eq" : "$in", parameter);
        bson_append_document_end(&o.ops, &match);
    } else if (test == TEST_CONTAINED) {
        bson_t not_;
        bson_append_document_begin(&o.ops, "$not", -1, &not_);
        bson_append_document_begin(&not_, "$elemMatch", -1, &match);
        mql_parameter(&match, "$nin", parameter);
        bson_append_document_end(&not_, &match);
        bson_append_document_end(&o.ops, &not_);
    } else mql_parameter(&o.ops, test == TEST_SIZE ? "$size" : "$all", parameter);
    end_ops(&o, want);
    if (want) return;
    bson_append_array_end(&item, &nor);
    bson_append_document_end(list, &item);
}

bool mql_add_array(Emit *em, const Expr *e, bool want, bson_t *list, int *n) {
    if (e->tag == EXPR_SUBLINK) {
        bool never = false;
        if (want) {
            if (!add_exists(em, e, list, n, &never)) return false;
            if (never) add_never(list, n);
            return true;
        }
        bson_t parts = BSON_INITIALIZER, merged = BSON_INITIALIZER, item, nor;
        char key[16];
        int inner = 0;
        bool ok = add_exists(em, e, &parts, &inner, &never);
        if (ok && !never) {
            mql_merge(&parts, &merged, &never);
            begin_item(list, n, &item, key);
            bson_append_array_begin(&item, "$nor", -1, &nor);
            bson_append_document(&nor, "0", -1, &merged);
            bson_append_array_end(&item, &nor);
            bson_append_document_end(list, &item);
        }
        bson_destroy(&merged);
        bson_destroy(&parts);
        return ok;
    }
    const Expr *array = NULL, *constant = NULL;
    ArrayTest test = classify(e, em->rel, &array, &constant);
    const Expr *place = test == TEST_SIZE ? array->args.at[0] : array;
    Place at = mql_place(em->arena, em->rel, place);
    Type element = type_of(place->type.element);
    Value v;
    bool unbound, all_can = false;
    int parameter = 0, n_items = 0;
    const Value *items = NULL;
    if (!mql_constant(em, constant, &v, &unbound, &parameter)) return false;
    bool positive = test == TEST_SIZE ? (e->op == OP_EQ) == want : want;
    if (unbound) { add_unbound(test, &at, parameter, positive, list, n); return true; }
    if (test == TEST_SIZE) { add_size(array, &at, &v, positive, list, n); return true; }
    if (test == TEST_ANY) return add_any(em, e, &at, element, &v, want, list, n);
    if (v.type == SQM_NULL) { add_never(list, n); return true; }
    if (!possible_items(em, e, element, &v, &items, &n_items, &all_can)) return false;
    if (test == TEST_CONTAINS && want && all_can && add_all(&at, items, n_items, list, n)) return true;
    add_set_test(test, &at, items, n_items, all_can, want, list, n);
    return true;
}
