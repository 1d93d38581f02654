/* plan_indexed.c - conditions on indexed expressions: what the server can find by the hidden field that holds the value.
 *
 * In:  the conjuncts of one table's scan. Out: further conjuncts that they imply, over the hidden columns (Column.indexed). The given ones stay what they are, done by
 * the server or here: the added ones narrow what is read and never decide a row, so nothing depends on them for a right answer.
 *
 *     CREATE INDEX author_lower ON author (lower(name));
 *     SELECT * FROM author WHERE lower(name) = 'ann'
 *         adds ((__x1 = 'ann' AND __x1 IS NOT NULL) OR __x1 IS NULL)   ->   {$or: [{$and: [{__x1: {$eq: "ann"}}, ...]}, {__x1: null}]},  both sides by the index
 *
 * Where the expression is NULL the field holds MinKey; it is null or missing only in documents that other programs wrote (value_append_indexed). So the second side finds
 * exactly those, and the condition that stayed decides about them. Because NULL isn't null there, only conditions that are never TRUE for NULL are
 * taken: = < <= > >= IN LIKE and regular expressions, and AND and OR of them. A condition's expression must be the indexed one, term by term
 * (expr_equal): no algebra is tried.
 *
 *     SELECT id FROM author ORDER BY lower(name) LIMIT 5
 *         {find: "author", filter: {__x1: {$ne: null}}, sort: {__x1: 1}, limit: 5}, {find: "author", filter: {__x1: null}}
 *
 * The five wanted are among what these bring, whatever their order: the Sort above takes them. */
#include "mql.h"
#include "plan_internal.h"
#include "resolve.h"

typedef struct Hidden {
    Planner *p;
    const Rel *rel;
    const Expr *expr;           /* the indexed expression over `rel` */
    Expr *field;                /* a reference to the hidden column */
} Hidden;

/* The stored expression was resolved over a block of its own; the same over `rel` of the query. NULL: it reads a column that the query doesn't, so the query can't contain it. */
static Expr *transfer(Planner *p, const Rel *rel, const Expr *e) {
    Expr *copy = arena_copy(p->cc->arena, e, sizeof *e);
    if (e->tag == EXPR_VAR) {
        copy->rel = rel->id;
        copy->slot = rel->columns.at[e->column].slot;
        return copy->slot < 0 ? NULL : copy;
    }
    copy->args = (Exprs){0};
    for (int i = 0; i < e->args.n; i++) {
        Expr *arg = transfer(p, rel, e->args.at[i]);
        if (!arg) return NULL;
        vec_push(p->cc->arena, &copy->args, arg);
    }
    return copy;
}

static Expr *with_operand(const Hidden *h, const Expr *e, int operand) {
    Expr *copy = arena_copy(h->p->cc->arena, e, sizeof *e);
    copy->args = (Exprs){0};
    for (int i = 0; i < e->args.n; i++) vec_push(h->p->cc->arena, &copy->args, i == operand ? h->field : e->args.at[i]);
    return copy;
}

static Expr *logic(Arena *a, ExprTag tag, Expr *left, Expr *right) {
    Expr *e = NEW(a, Expr);
    *e = (Expr){.tag = tag, .type = TYPE(BOOL), .nullable = true, .pos = NO_POS, .rel = -1, .column = -1, .slot = -1};
    if (left) vec_push(a, &e->args, left);
    if (right) vec_push(a, &e->args, right);
    return e;
}

/* A unique index holds texts only (ddl_plan.c), and the server doesn't see that a regular expression asks for nothing else. */
static Expr *any_text(const Hidden *h, Expr *pattern) {
    Arena *a = h->p->cc->arena;
    Expr *empty = NEW(a, Expr);
    *empty = (Expr){.tag = EXPR_CONST, .type = TYPE(TEXT), .pos = NO_POS, .rel = -1, .column = -1, .slot = -1, .value = {.type = SQM_TEXT, .u.text = ""}};
    Expr *some = logic(a, EXPR_COMPARE, h->field, empty);
    some->op = OP_GE;
    return logic(a, EXPR_AND, some, pattern);
}

/* What follows from e for the hidden field, wherever it holds the expression's value; NULL: nothing that helps. */
static Expr *implied(const Hidden *h, const Expr *e) {
    if (e->type.tag == TYPE_BOOL && expr_equal(e, h->expr)) return h->field;
    switch (e->tag) {
    case EXPR_AND: case EXPR_OR: {
        Expr *all = arena_copy(h->p->cc->arena, e, sizeof *e);
        all->args = (Exprs){0};
        for (int i = 0; i < e->args.n; i++) {
            Expr *part = implied(h, e->args.at[i]);
            if (part) vec_push(h->p->cc->arena, &all->args, part);
            else if (e->tag == EXPR_OR) return NULL;
        }
        return all->args.n > 1 ? all : all->args.n ? all->args.at[0] : NULL;
    }
    case EXPR_COMPARE:
        if (e->op == OP_NE) return NULL;
        for (int i = 0; i < 2; i++)
            if (expr_equal(e->args.at[i], h->expr)) return with_operand(h, e, i);
        return NULL;
    case EXPR_IN: return !e->negated && expr_equal(e->args.at[0], h->expr) ? with_operand(h, e, 0) : NULL;
    case EXPR_LIKE: case EXPR_REGEX: return !e->negated && expr_equal(e->args.at[0], h->expr) ? any_text(h, with_operand(h, e, 0)) : NULL;
    case EXPR_CONST: case EXPR_PARAM: case EXPR_VAR: case EXPR_FUNC: case EXPR_NOT: case EXPR_IS: case EXPR_DISTINCT: case EXPR_CASE: case EXPR_COALESCE: case EXPR_CAST:
    case EXPR_ROW: case EXPR_ARRAY: case EXPR_AGG: case EXPR_WINDOW: case EXPR_SUBLINK: break;
    }
    return NULL;
}

/* Two conditions on one field would become one $in in the server, which no partial index could answer; three don't. */
static Expr *or_missing(const Hidden *h, Expr *condition) {
    Arena *a = h->p->cc->arena;
    Expr *missing = logic(a, EXPR_IS, h->field, NULL), *there = logic(a, EXPR_IS, h->field, NULL);
    missing->is = there->is = IS_NULL;
    there->negated = true;
    return logic(a, EXPR_OR, logic(a, EXPR_AND, condition, there), missing);
}

static bool leads(const Table *t, int column) {
    for (int i = 0; i < t->indexes.n; i++)
        if (t->indexes.at[i].keys.n && t->indexes.at[i].keys.at[0].column == column && !t->indexes.at[i].method.n) return true;
    return false;
}

/* False: the query doesn't read what the expression is made of. */
static bool open_hidden(Hidden *h, Planner *p, const Rel *rel, int column) {
    const Rel *own;
    const Column *c = &rel->table->columns.at[column];
    *h = (Hidden){p, rel, transfer(p, rel, resolve_generated_column(p->cc, NULL, rel->table, column, &own)), NEW(p->cc->arena, Expr)};
    if (!h->expr) return false;
    *h->field = (Expr){.tag = EXPR_VAR, .type = c->type, .nullable = h->expr->nullable, .pos = NO_POS, .rel = rel->id, .column = column, .slot = -1,
                       .label = arena_printf(p->cc->arena, STR_FMT "." STR_FMT, STR_ARG(rel->alias), STR_ARG(c->name))};
    return true;
}

void plan_indexed_order(Planner *p, const Query *q, Plan *scan) {
    if (scan->tag != PLAN_SCAN || scan->left || p->options->no_optimise || scan->rel->kind != REL_TABLE || scan->never || scan->limit || scan->sort.n || q->grouped || q->windows.n || q->distinct ||
        q->distinct_on.n || !q->limit || q->with_ties || q->locking.n || q->set_op != SET_NONE || q->order.n > 32)
        return;
    const Table *t = scan->rel->table;
    SortKeys keys = {0};
    const Expr *halves = NULL;
    for (int i = 0; i < q->order.n; i++) {
        SortKey key = q->order.at[i];
        for (int c = 0; c < t->columns.n && i == 0; c++) {
            Hidden h;
            if (!t->columns.at[c].indexed || !leads(t, c) || !open_hidden(&h, p, scan->rel, c) || !expr_equal(h.expr, key.expr)) continue;
            key.expr = h.field;
            halves = h.field;
        }
        if (!halves || !mql_can_sort(&key, scan->rel)) return;
        for (int k = 0; k < i; k++)
            if (keys.at[k].expr->column == key.expr->column) return;
        vec_push(p->cc->arena, &keys, key);
    }
    if (!halves) return;
    scan->sort = keys;
    scan->halves = halves;
    scan->limit = q->limit;
    scan->offset = q->offset;
}

const Index *plan_indexed(Planner *p, const Rel *rel, const Exprs *conditions, Exprs *match) {
    const Index *index = NULL;
    if (rel->kind != REL_TABLE || p->options->no_optimise) return NULL;
    const Table *t = rel->table;
    for (int c = 0; c < t->columns.n && conditions->n; c++) {
        if (!t->columns.at[c].indexed || !leads(t, c)) continue;
        Hidden h;
        if (!open_hidden(&h, p, rel, c)) continue;
        Expr *all = logic(p->cc->arena, EXPR_AND, NULL, NULL);
        for (int i = 0; i < conditions->n; i++) {
            Expr *found = implied(&h, conditions->at[i]);
            if (found && mql_can_match(found, rel)) vec_push(p->cc->arena, &all->args, found);
        }
        if (!all->args.n) continue;
        vec_push(p->cc->arena, match, or_missing(&h, all->args.n > 1 ? all : all->args.at[0]));
        if (!index) index = table_index_on(t, c);
    }
    return index;
}
