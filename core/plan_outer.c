/* plan_outer.c - outer joins that conditions above them make inner.
 *
 *     FROM book b LEFT JOIN author e ON e.id = b.editor_id WHERE e.name = 'X'    ->    FROM book b JOIN author e ON e.id = b.editor_id WHERE e.name = 'X'
 * The rows that the outer join adds have NULLs for every column of e, for which e.name = 'X' isn't true: WHERE drops them again. As an inner join it may start at
 * either side. What drops such rows: a conjunct of WHERE, or of the ON of an inner join above (or of the preserved rows' partners), that can't be true when all
 * of the columns it reads of that side are NULL. RIGHT likewise; FULL loses the side that is dropped.
 * A conjunct doesn't count when
 *   (1) it may be true of NULLs: IS NULL, IS DISTINCT FROM, COALESCE, CASE, a function that is called with NULLs;
 *   (2) it holds a subquery elsewhere than as x IN (SELECT ...) with x of that side, or anything volatile.
 * Afterwards Rel.null_extended says which relations are still on a nullable side. */
#include "plan_internal.h"

/* Is `e` NULL whenever all of `slots` are? */
static bool is_null(const Expr *e, const Ints *slots) {
    switch (e->tag) {
    case EXPR_VAR: return e->level == 0 && plan_has_slot(slots, e->slot);
    case EXPR_FUNC:
        if (e->function->nulls != NULL_STRICT || e->function->volatility == VOLATILE) return false;
        for (int i = 0; i < e->args.n; i++)
            if (is_null(e->args.at[i], slots)) return true;
        return false;
    case EXPR_COMPARE:
        if (e->args.at[0]->tag == EXPR_ROW || e->args.at[1]->tag == EXPR_ROW) return false;
        return is_null(e->args.at[0], slots) || is_null(e->args.at[1], slots);
    case EXPR_NOT: case EXPR_CAST: case EXPR_IN: case EXPR_REGEX: return is_null(e->args.at[0], slots);
    case EXPR_LIKE: return is_null(e->args.at[0], slots) || is_null(e->args.at[1], slots);
    case EXPR_AND: case EXPR_OR:
        for (int i = 0; i < e->args.n; i++)
            if (!is_null(e->args.at[i], slots)) return false;
        return true;
    case EXPR_CONST: case EXPR_PARAM: case EXPR_IS: case EXPR_DISTINCT: case EXPR_CASE: case EXPR_COALESCE: case EXPR_ROW: case EXPR_ARRAY: case EXPR_AGG: case EXPR_WINDOW:
    case EXPR_SUBLINK: break;
    }
    return false;                                                                               /* (1) (2) */
}

/* Can `e` not be true when all of `slots` are NULL? */
static bool rejects(const Expr *e, const Ints *slots) {
    switch (e->tag) {
    case EXPR_AND:
        for (int i = 0; i < e->args.n; i++)
            if (rejects(e->args.at[i], slots)) return true;
        return false;
    case EXPR_OR:
        for (int i = 0; i < e->args.n; i++)
            if (!rejects(e->args.at[i], slots)) return false;
        return true;
    case EXPR_IS:       /* IS NOT NULL; IS TRUE, IS FALSE of a condition that is NULL */
        return (e->is == IS_NULL) == e->negated && e->is != IS_UNKNOWN && e->args.at[0]->tag != EXPR_ROW && is_null(e->args.at[0], slots);
    case EXPR_SUBLINK: return e->sublink == SUBLINK_ANY && e->args.at[0]->tag != EXPR_ROW && is_null(e->args.at[0], slots);
    case EXPR_CONST: case EXPR_PARAM: case EXPR_VAR: case EXPR_FUNC: case EXPR_COMPARE: case EXPR_NOT: case EXPR_DISTINCT: case EXPR_IN: case EXPR_LIKE: case EXPR_REGEX:
    case EXPR_CASE: case EXPR_COALESCE: case EXPR_CAST: case EXPR_ROW: case EXPR_ARRAY: case EXPR_AGG: case EXPR_WINDOW: break;
    }
    return is_null(e, slots);
}

static bool any_rejects(Planner *p, const Query *q, const From *side, const Exprs *conditions) {
    Ints slots = {0};
    plan_from_slots(p, q, side, &slots);
    for (int i = 0; i < conditions->n; i++)
        if (rejects(conditions->at[i], &slots)) return true;
    return false;
}

static Exprs with_conjuncts(Planner *p, const Exprs *conditions, Expr *on) {
    Exprs all = {0};
    for (int i = 0; i < conditions->n; i++) vec_push(p->cc->arena, &all, conditions->at[i]);
    plan_conjuncts(p, on, &all);
    return all;
}

/* `conditions`: what must be true of every row of `f` that is still wanted. */
static From *reduced(Planner *p, const Query *q, From *f, const Exprs *conditions) {
    if (f->rel >= 0) return f;
    JoinKind kind = f->kind;
    if ((kind == JOIN_LEFT || kind == JOIN_FULL) && any_rejects(p, q, f->right, conditions)) kind = kind == JOIN_LEFT ? JOIN_INNER : JOIN_RIGHT;
    if ((kind == JOIN_RIGHT || kind == JOIN_FULL) && any_rejects(p, q, f->left, conditions)) kind = kind == JOIN_RIGHT ? JOIN_INNER : JOIN_LEFT;
    /* Below, also ON must be true: for both sides of an inner join, for the nullable side of an outer one. Nothing from above reaches a nullable side. */
    Exprs on = {0}, all = with_conjuncts(p, conditions, f->on), none = {0};
    plan_conjuncts(p, f->on, &on);
    bool inner = kind == JOIN_INNER || kind == JOIN_CROSS;
    From *copy = arena_copy(p->cc->arena, f, sizeof *f);
    copy->kind = kind;
    copy->left = reduced(p, q, f->left, inner ? &all : kind == JOIN_LEFT ? conditions : kind == JOIN_RIGHT ? &on : &none);
    copy->right = reduced(p, q, f->right, inner ? &all : kind == JOIN_RIGHT ? conditions : kind == JOIN_LEFT ? &on : &none);
    return copy;
}

static void mark_nullable(const Query *q, const From *f, bool nullable) {
    if (f->rel >= 0) {
        q->rels.at[f->rel]->null_extended = nullable;
        return;
    }
    mark_nullable(q, f->left, nullable || f->kind == JOIN_RIGHT || f->kind == JOIN_FULL);
    mark_nullable(q, f->right, nullable || f->kind == JOIN_LEFT || f->kind == JOIN_FULL);
}

void plan_reduce_outer(Planner *p, Query *q, const Exprs *conditions) {
    if (!q->from || q->from->rel >= 0) return;
    q->from = reduced(p, q, q->from, conditions);
    mark_nullable(q, q->from, false);
}
