/* subquery.c - EXISTS and NOT EXISTS in WHERE as semi and anti joins.
 *
 *     FROM author a WHERE EXISTS (SELECT 1 FROM book b WHERE b.author_id = a.id AND b.pages > 100)
 *  -> author a SEMI JOIN (book b WHERE b.pages > 100) ON b.author_id = a.id          NOT EXISTS -> ANTI JOIN
 *
 * A subquery per row becomes two commands, or one per batch of keys (plan_join picks). The subquery's relation moves into the outer block: it gets slots of
 * the outer frame, and its conditions are rewritten from (level 1 = outer, level 0 = inner) to one level.
 * Not done, and left to run per row (with its results remembered), when
 *   (1) the subquery isn't one plain block over tables joined by INNER JOIN: set operations, grouping, HAVING, windows, LIMIT/OFFSET other than a positive LIMIT, WITH,
 *       derived tables, outer joins or set-returning functions in FROM;
 *   (2) its WHERE has no equality between the two blocks to join by;
 *   (3) it holds subqueries of its own (their levels would change), or anything volatile;
 *   (4) it refers to blocks further out than the one it stands in;
 *   (5) EXISTS doesn't stand as a conjunct of WHERE (under OR, CASE, in the target list) or NOT of one.
 * IN (SELECT ...) needs no join: the subquery runs first and its values go into the filter as a list (mql_match.c), or a hash set (exec.c). */
#include "plan_internal.h"

struct SemiJoin {
    JoinKind kind;
    Query *sub;
    From *from;
    Exprs conditions;
};

/* ---- may it be done? ---- */

static bool plain_from(const Query *sub, const From *f) {
    if (f->rel >= 0) return sub->rels.at[f->rel]->kind == REL_TABLE;
    return (f->kind == JOIN_INNER || f->kind == JOIN_CROSS) && plain_from(sub, f->left) && plain_from(sub, f->right);
}

static Walk only_two_levels(Expr *e, void *context) {
    (void)context;
    if (e->tag == EXPR_SUBLINK) return WALK_STOP;
    if (e->tag == EXPR_VAR && e->level > 1) return WALK_STOP;
    if (e->tag == EXPR_FUNC && e->function->volatility == VOLATILE) return WALK_STOP;
    return WALK_ON;
}

typedef struct Levels { bool inner, outer; } Levels;

static Walk note_levels(Expr *e, void *context) {
    Levels *l = context;
    if (e->tag == EXPR_VAR) {
        if (e->level == 0) l->inner = true;
        else l->outer = true;
    }
    return WALK_ON;
}

static Levels levels_of(Expr *e) {
    Levels l = {0};
    expr_walk(e, note_levels, &l);
    return l;
}

static bool joins_blocks(const Expr *e) {
    if (e->tag != EXPR_COMPARE || e->op != OP_EQ) return false;
    Levels a = levels_of(e->args.at[0]), b = levels_of(e->args.at[1]);
    return (a.inner && !a.outer && b.outer && !b.inner) || (b.inner && !b.outer && a.outer && !a.inner);
}

static bool positive_limit(const Query *q) {
    return !q->limit || (q->limit->tag == EXPR_CONST && q->limit->value.type == SQM_INT && q->limit->value.u.i > 0);
}

static void from_conditions(Planner *p, const From *f, Exprs *out) {
    if (f->rel >= 0) return;
    plan_conjuncts(p, f->on, out);
    from_conditions(p, f->left, out);
    from_conditions(p, f->right, out);
}

static bool can_unnest(Planner *p, const Query *sub, Exprs *conditions) {
    if (sub->set_op != SET_NONE || sub->grouped || sub->windows.n || !positive_limit(sub) || sub->offset || sub->ctes.n || !sub->from || sub->locking.n) return false;   /* (1) */
    if (!plain_from(sub, sub->from)) return false;                                                                                                              /* (1) */
    if (sub->is_volatile) return false;                                                                                                                         /* (3) */
    plan_conjuncts(p, sub->where, conditions);
    from_conditions(p, sub->from, conditions);
    bool joined = false;
    for (int i = 0; i < conditions->n; i++) {
        if (!expr_walk(conditions->at[i], only_two_levels, NULL)) return false;                                                                                 /* (3) (4) */
        joined |= joins_blocks(conditions->at[i]);
    }
    return joined;                                                                                                                                              /* (2) */
}

/* ---- doing it ---- */

typedef struct Move { Planner *p; Query *q; const Query *sub; int base; } Move;

/* The expression as the outer block says it: its own columns at level 0 already, the subquery's moved to new slots. */
static Expr *moved(Move *m, const Expr *e) {
    Expr *copy = arena_copy(m->p->cc->arena, e, sizeof *e);
    if (e->tag == EXPR_VAR) {
        if (e->level == 1) {
            copy->level = 0;
        } else {
            Rel *rel = m->q->rels.at[m->base + e->rel];
            Expr *var = var_new(m->p->cc->arena, m->q, rel, e->column);
            var->pos = e->pos;
            var->nullable = e->nullable;
            return var;
        }
    }
    copy->args = (Exprs){0};
    for (int i = 0; i < e->args.n; i++) vec_push(m->p->cc->arena, &copy->args, moved(m, e->args.at[i]));
    return copy;
}

static From *moved_from(Move *m, const From *f) {
    From *copy = NEW(m->p->cc->arena, From);
    *copy = *f;
    copy->on = NULL;   /* its conditions are among the join's */
    if (f->rel >= 0) {
        copy->rel = f->rel + m->base;
        return copy;
    }
    copy->left = moved_from(m, f->left);
    copy->right = moved_from(m, f->right);
    return copy;
}

static SemiJoin *semi_join(Planner *p, Query *q, const Expr *link, JoinKind kind, const Exprs *conditions) {
    const Query *sub = link->subquery;
    Move m = {p, q, sub, q->rels.n};
    for (int i = 0; i < sub->rels.n; i++) {
        Rel *rel = arena_copy(p->cc->arena, sub->rels.at[i], sizeof *rel);
        rel->id = q->rels.n;
        rel->columns.at = arena_copy(p->cc->arena, rel->columns.at, sizeof *rel->columns.at * (size_t)rel->columns.n);
        rel->columns.cap = rel->columns.n;
        for (int c = 0; c < rel->columns.n; c++) rel->columns.at[c].slot = -1;
        vec_push(p->cc->arena, &q->rels, rel);
    }
    SemiJoin *s = NEW(p->cc->arena, SemiJoin);
    s->kind = kind;
    s->from = moved_from(&m, sub->from);
    for (int i = 0; i < conditions->n; i++) vec_push(p->cc->arena, &s->conditions, moved(&m, conditions->at[i]));
    return s;
}

void plan_unnest(Planner *p, Query *q, Exprs *conditions) {
    Exprs rest = {0};
    p->semi.n = 0;
    for (int i = 0; i < conditions->n; i++) {
        Expr *e = conditions->at[i], *link = e;
        JoinKind kind = JOIN_SEMI;
        if (e->tag == EXPR_NOT) {
            link = e->args.at[0];
            kind = JOIN_ANTI;
        }
        Exprs inner = {0};
        if (link->tag == EXPR_SUBLINK && link->sublink == SUBLINK_EXISTS && link->subquery->correlated && q->from && can_unnest(p, link->subquery, &inner)) {
            link->unnested = true;
            SemiJoin *s = semi_join(p, q, link, kind, &inner);
            vec_push(p->cc->arena, &p->semi, s);
        } else {
            vec_push(p->cc->arena, &rest, e);   /* (5) */
        }
    }
    *conditions = rest;
}

Plan *plan_semi_joins(Planner *p, Query *q, Plan *plan, SemiJoin *const *joins, int n) {
    for (int i = 0; i < n; i++) {
        SemiJoin *s = joins[i];
        Plan *right = plan_from_items(p, q, s->from, &s->conditions);
        plan = plan_join(p, s->kind, plan, right, &s->conditions);
    }
    return plan;
}
