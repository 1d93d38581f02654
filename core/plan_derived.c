/* plan_derived.c - conditions on a derived table's columns go into its query.
 *
 *     FROM (SELECT author_id, count(*) AS n FROM book GROUP BY author_id) b WHERE b.author_id = 7 AND b.n > 2
 *  -> FROM (SELECT author_id, count(*) AS n FROM book WHERE author_id = 7 GROUP BY author_id HAVING count(*) > 2) b
 * so that an index serves them and fewer rows are grouped. A column is replaced by the expression that it is; what goes below GROUP BY speaks of its keys alone.
 * A condition stays above when
 *   (1) the query has LIMIT or OFFSET (other rows would be cut), windows (they would see fewer rows), DISTINCT ON, grouping sets or a set operation, locks, or is
 *       volatile; or its rows are kept for several readers (a materialised CTE);
 *   (2) it refers to anything but this table's columns, holds a subquery, or is volatile;
 *   (3) a column it reads is computed by a subquery. */
#include "plan_internal.h"

typedef struct Inside { Planner *p; const Rel *rel; const Query *sub; bool fits; } Inside;

static Walk check(Expr *e, void *context) {
    Inside *in = context;
    if (e->tag == EXPR_SUBLINK || e->tag == EXPR_AGG || e->tag == EXPR_WINDOW) in->fits = false;                                      /* (2) */
    if (e->tag == EXPR_VAR && (e->level || e->rel != in->rel->id || e->column < 0 || e->column >= in->sub->n_visible)) in->fits = false;     /* (2) */
    if (!in->fits) return WALK_STOP;
    if (e->tag != EXPR_VAR) return WALK_ON;
    const Expr *target = in->sub->targets.at[e->column].expr;
    if (plan_has_sublink(target)) in->fits = false;                                                                                      /* (3) */
    return in->fits ? WALK_ON : WALK_STOP;
}

/* The condition in the subquery's own terms. */
static Expr *inside(const Inside *in, const Expr *e) {
    if (e->tag == EXPR_VAR) return in->sub->targets.at[e->column].expr;
    Expr *copy = arena_copy(in->p->cc->arena, e, sizeof *e);
    copy->args = (Exprs){0};
    for (int i = 0; i < e->args.n; i++) vec_push(in->p->cc->arena, &copy->args, inside(in, e->args.at[i]));
    return copy;
}

/* After grouping, a key is the VAR of its slot: below, what it was made of. NULL: something else than keys is read. */
static Expr *below_grouping(Planner *p, const Query *sub, const Expr *e) {
    if (e->tag == EXPR_VAR && e->level == 0) {
        for (int i = 0; i < sub->group_slots.n; i++)
            if (sub->group_slots.at[i] == e->slot) return sub->group_keys.at[i];
        return NULL;
    }
    Expr *copy = arena_copy(p->cc->arena, e, sizeof *e);
    copy->args = (Exprs){0};
    for (int i = 0; i < e->args.n; i++) {
        Expr *arg = below_grouping(p, sub, e->args.at[i]);
        if (!arg) return NULL;
        vec_push(p->cc->arena, &copy->args, arg);
    }
    return copy;
}

static void add(Planner *p, Expr **where, Expr *e) {
    if (!*where) {
        *where = e;
        return;
    }
    Expr *both = NEW(p->cc->arena, Expr);
    *both = (Expr){.tag = EXPR_AND, .type = TYPE(BOOL), .nullable = true, .pos = e->pos, .rel = -1, .column = -1, .slot = -1};
    vec_push(p->cc->arena, &both->args, *where);
    vec_push(p->cc->arena, &both->args, e);
    *where = both;
}

Exprs plan_push_derived(Planner *p, const Rel *rel, const Exprs *conditions) {
    Query *sub = rel->subquery;
    Exprs rest = {0};
    bool closed = sub->plan || sub->limit || sub->offset || sub->windows.n || sub->distinct_on.n || sub->grouping_sets.n || sub->set_op != SET_NONE || sub->locking.n ||
                  sub->is_volatile || (rel->cte && rel->cte->materialised) || p->options->no_optimise;                                  /* (1) */
    for (int i = 0; i < conditions->n; i++) {
        Expr *e = conditions->at[i];
        Inside in = {.p = p, .rel = rel, .sub = sub, .fits = !closed && !expr_is_volatile(e) && !expr_is_constant(e)};
        if (in.fits) expr_walk(e, check, &in);
        if (!in.fits) {
            vec_push(p->cc->arena, &rest, e);
            continue;
        }
        Expr *own = inside(&in, e), *lower = sub->grouped && sub->group_keys.n ? below_grouping(p, sub, own) : NULL;
        add(p, sub->grouped && !lower ? &sub->having : &sub->where, lower ? lower : own);
    }
    return rest;
}
