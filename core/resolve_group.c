/* resolve_group.c - what happens to expressions once rows have been grouped, and where windows and aggregates lie.
 *
 * In:  a block whose targets, HAVING, ORDER BY and DISTINCT ON still refer to the rows of FROM and carry EXPR_AGG / EXPR_WINDOW nodes.
 * Out: each such node has become a VAR: a group key's slot, an aggregate's slot, a window's slot. A column that is neither grouped nor determined by
 *      a grouped primary key is the user's error.
 *          SELECT a + 1, count(*) FROM t GROUP BY a + 1     keys: ($0 + 1) -> $1     aggs: count() -> $2     targets: $1, $2
 * Parameters at different places may be the same expression when bound to equal values (Django writes GROUP BY coalesce(a, %s) again in the target
 * list): they match here, and the pair is noted in Resolved.same_params, which is checked when values are bound; when they differ the statement is compiled
 * again with its values known. */
#include "resolve_internal.h"

typedef struct Grouping { Resolver *r; Query *q; } Grouping;

/* expr_equal, where `a` stands `depth` blocks below the block of `b` and parameters match by promise. */
static bool same(Grouping *g, const Expr *a, const Expr *b, int depth, bool note) {
    if (!a || !b) return a == b;
    if (a->tag != b->tag || a->negated != b->negated || a->args.n != b->args.n) return false;
    switch (a->tag) {
    case EXPR_VAR: return a->level == b->level + depth && a->slot == b->slot;
    case EXPR_PARAM:
        if (a->number != b->number && g->r->params) return value_same(&g->r->params[a->number], &g->r->params[b->number]);
        if (a->number != b->number && note) {
            ParamPair pair = {a->number, b->number, a->pos};
            vec_push(g->r->cc->arena, &g->r->out->same_params, pair);
        }
        return true;
    case EXPR_AGG: case EXPR_WINDOW:
        if (a->aggregate != b->aggregate || a->distinct != b->distinct || a->window != b->window || a->window_function != b->window_function || a->order || b->order)
            return depth == 0 && expr_equal(a, b);
        if (!same(g, a->filter, b->filter, depth, note)) return false;
        break;
    case EXPR_SUBLINK: return false;
    case EXPR_FUNC: if (a->function != b->function || a->function->volatility == VOLATILE) return false; break;
    case EXPR_CAST: if (a->type.tag != b->type.tag || a->type.length != b->type.length || a->type.scale != b->type.scale || a->implicit != b->implicit) return false; break;
    case EXPR_CONST: return expr_equal(a, b);
    case EXPR_COMPARE: case EXPR_AND: case EXPR_OR: case EXPR_NOT: case EXPR_IS: case EXPR_DISTINCT: case EXPR_IN: case EXPR_LIKE: case EXPR_REGEX:
    case EXPR_CASE: case EXPR_COALESCE: case EXPR_ROW: case EXPR_ARRAY:
        if (a->op != b->op || a->is != b->is || a->like != b->like) return false;
        break;
    }
    for (int i = 0; i < a->args.n; i++)
        if (!same(g, a->args.at[i], b->args.at[i], depth, note)) return false;
    return true;
}

static bool matches(Grouping *g, const Expr *a, const Expr *b, int depth) {
    if (!same(g, a, b, depth, false)) return false;
    return same(g, a, b, depth, true);
}

bool expr_same(Resolver *r, const Expr *a, const Expr *b) {
    Grouping g = {.r = r};
    return expr_equal(a, b) || matches(&g, a, b, 0);
}

/* Turns the node itself into a reference, so that every holder of the pointer sees it. */
static void become_var(Expr *e, int slot, int level) {
    Expr var = {.tag = EXPR_VAR, .type = e->type, .nullable = e->nullable, .pos = e->pos, .rel = -1, .column = -1, .slot = slot, .level = level};
    *e = var;
}

static bool key_covers_primary_key(const Query *q, const Rel *rel) {
    if (rel->kind != REL_TABLE || !rel->table->primary_key.n) return false;
    for (int p = 0; p < rel->table->primary_key.n; p++) {
        bool found = false;
        for (int i = 0; i < q->group_keys.n && !found; i++) {
            const Expr *k = q->group_keys.at[i];
            found = k->tag == EXPR_VAR && k->level == 0 && k->rel == rel->id && k->column == rel->table->primary_key.at[p];
        }
        if (!found) return false;
    }
    return q->grouping_sets.n == 0;
}

static void group_query(Grouping *g, Query *sub, int depth);

static bool is_grouping(const Expr *e) { return e->tag == EXPR_FUNC && strcmp(e->function->name, "grouping") == 0; }

/* GROUPING(a, b) -> grouping(mask, 0, 1): the mask of keys that the row's set leaves out, and which keys are meant. */
static Expr *grouping_call(Grouping *g, const Expr *e) {
    Query *q = g->q;
    const Expr *first = e->args.at[0];
    if (first->tag == EXPR_VAR && first->rel < 0 && first->slot == q->grouping_slot) return (Expr *)e;      /* ORDER BY names a target: done already */
    Expr *out = arena_copy(g->r->cc->arena, e, sizeof *e);
    if (q->grouping_slot < 0) q->grouping_slot = q->n_slots++;
    Expr *mask = expr_new(g->r, EXPR_VAR, TYPE(INT8), false, e->pos);
    mask->slot = q->grouping_slot;
    out->args = (Exprs){0};
    out->nullable = false;
    vec_push(g->r->cc->arena, &out->args, mask);
    for (int i = 0; i < e->args.n; i++) {
        int k = 0;
        while (k < q->group_keys.n && !matches(g, e->args.at[i], q->group_keys.at[k], 0)) k++;
        if (k == q->group_keys.n) fail(g->r->cc, SQM_ERROR_GROUPING, e->args.at[i]->pos, "arguments to GROUPING must be grouping expressions of the associated query level");
        vec_push(g->r->cc->arena, &out->args, expr_const(g->r, sqm_int(k), TYPE(INT4), e->pos));
    }
    return out;
}

static Expr *group_expr(Grouping *g, Expr *e, int depth);

/* Is `e` what was written as key k? One with a COLLATE clause stands for itself alone: GROUP BY a COLLATE case_insensitive doesn't determine a. */
static bool is_shown(Grouping *g, const Expr *e, int k, int depth) {
    const Expr *shown = g->q->group_shown.at[k];
    if (!shown || (shown->type.collated && (!e->type.collated || e->type.collation != shown->type.collation))) return false;
    return matches(g, e, shown, depth);
}

/* Texts of a group that differ in case only: one of them, of the collation of `e`. */
static Expr *shown_value(Grouping *g, const Expr *e, int k, int depth) {
    const Expr *shown = g->q->group_shown.at[k];
    Expr *agg = expr_new(g->r, EXPR_AGG, e->type, shown->nullable, e->pos);
    agg->aggregate = aggregate_find(STR("any_value"));
    agg->level = depth;
    vec_push(g->r->cc->arena, &agg->args, arena_copy(g->r->cc->arena, shown, sizeof *shown));
    return group_expr(g, agg, depth);
}

/* Rewrites `e`, which stands `depth` blocks below the grouped one. Returns the replacement (usually e itself). */
static Expr *group_expr(Grouping *g, Expr *e, int depth) {
    if (!e) return NULL;
    Query *q = g->q;
    if (e->tag != EXPR_CONST && e->tag != EXPR_PARAM)
        for (int i = 0; i < 2 * q->group_keys.n; i++) {
            /* The very same expression wins over one that only differs in parameters. */
            bool exact = i < q->group_keys.n;
            int k = i % q->group_keys.n;
            if (exact ? depth == 0 && (q->group_keys.at[k] == e || expr_equal(e, q->group_keys.at[k])) : matches(g, e, q->group_keys.at[k], depth)) {
                Expr *var = NEW(g->r->cc->arena, Expr);
                *var = *e;
                bool nullable = e->nullable || q->grouping_sets.n > 0;
                become_var(var, q->group_slots.at[k], depth);
                var->nullable = nullable;
                return var;
            }
        }
    for (int k = 0; k < q->group_shown.n; k++)
        if (is_shown(g, e, k, depth)) return shown_value(g, e, k, depth);
    if (depth == 0 && is_grouping(e)) return grouping_call(g, e);
    if (e->tag == EXPR_AGG && e->level > depth) return e;      /* a block further out computes it */
    if (e->tag == EXPR_AGG && e->level == depth) {
        if (depth) {
            e = arena_copy(g->r->cc->arena, e, sizeof *e);
            e->level = 0;
        }
        for (int i = 0; i < q->aggs.n; i++)
            if (expr_equal(e, q->aggs.at[i])) {
                Expr *var = NEW(g->r->cc->arena, Expr);
                *var = *e;
                become_var(var, q->agg_slots.at[i], depth);
                return var;
            }
        vec_push(g->r->cc->arena, &q->aggs, e);
        vec_push(g->r->cc->arena, &q->agg_slots, q->n_slots++);
        Expr *var = NEW(g->r->cc->arena, Expr);
        *var = *e;
        become_var(var, q->agg_slots.at[q->aggs.n - 1], depth);
        return var;
    }
    if (e->tag == EXPR_VAR && e->level == depth && e->rel >= 0) {
        const Rel *rel = q->rels.at[e->rel];
        if (key_covers_primary_key(q, rel)) {   /* determined by the key: it may as well be one */
            Expr *key = NEW(g->r->cc->arena, Expr);
            *key = *e;
            key->level = 0;
            vec_push(g->r->cc->arena, &q->group_keys, key);
            vec_push(g->r->cc->arena, &q->group_shown, NULL);
            vec_push(g->r->cc->arena, &q->group_slots, q->n_slots++);
            Expr *var = NEW(g->r->cc->arena, Expr);
            *var = *e;
            become_var(var, q->group_slots.at[q->group_slots.n - 1], depth);
            return var;
        }
        if (rel->kind == REL_FUNCTION && rel->hidden_names)
            fail(g->r->cc, SQM_ERROR_NOT_SUPPORTED, rel->pos, "a set-returning function that the rows aren't grouped by is not supported in the select list of grouped rows");
        Str name = rel->columns.at[e->column].name;
        fail(g->r->cc, SQM_ERROR_GROUPING, e->pos,
             depth ? "subquery uses ungrouped column \"" STR_FMT "." STR_FMT "\" from outer query"
                   : "column \"" STR_FMT "." STR_FMT "\" must appear in the GROUP BY clause or be used in an aggregate function",
             STR_ARG(rel->alias), STR_ARG(name));
    }
    if (e->tag == EXPR_SUBLINK) group_query(g, e->subquery, depth + 1);
    for (int i = 0; i < e->args.n; i++) e->args.at[i] = group_expr(g, e->args.at[i], depth);
    e->filter = group_expr(g, e->filter, depth);
    for (int i = 0; e->order && i < e->order->n; i++) e->order->at[i].expr = group_expr(g, e->order->at[i].expr, depth);
    return e;
}

static void group_from(Grouping *g, Query *sub, From *f, int depth) {
    if (!f) return;
    if (f->rel < 0) {
        f->on = group_expr(g, f->on, depth);
        group_from(g, sub, f->left, depth);
        group_from(g, sub, f->right, depth);
        return;
    }
    Rel *rel = sub->rels.at[f->rel];
    if (rel->kind == REL_SUBQUERY && rel->subquery->correlated && !rel->cte) group_query(g, rel->subquery, depth + 1);
    if (rel->kind == REL_FUNCTION)
        for (int i = 0; i < rel->function->args.n; i++) rel->function->args.at[i] = group_expr(g, rel->function->args.at[i], depth);
    for (int i = 0; i < rel->values.n; i++)
        for (int c = 0; c < rel->values.at[i].n; c++) rel->values.at[i].at[c] = group_expr(g, rel->values.at[i].at[c], depth);
}

/* The parts of an aggregate or window call of the subquery, which itself stays. */
static void group_call(Grouping *g, Expr *call, int depth) {
    for (int i = 0; i < call->args.n; i++) call->args.at[i] = group_expr(g, call->args.at[i], depth);
    call->filter = group_expr(g, call->filter, depth);
    for (int i = 0; call->order && i < call->order->n; i++) call->order->at[i].expr = group_expr(g, call->order->at[i].expr, depth);
}

/* References from a subquery to the grouped block. Expressions inside aggregates of the subquery are rows of the subquery: also only its outer VARs change. */
static void group_query(Grouping *g, Query *sub, int depth) {
    if (!sub->correlated) return;
    if (sub->set_op != SET_NONE) {
        group_query(g, sub->left, depth + 1);
        group_query(g, sub->right, depth + 1);
    }
    for (int i = 0; i < sub->ctes.n; i++) group_query(g, sub->ctes.at[i]->query, depth + 1);
    group_from(g, sub, sub->from, depth);
    sub->where = group_expr(g, sub->where, depth);
    for (int i = 0; i < sub->group_keys.n; i++) sub->group_keys.at[i] = group_expr(g, sub->group_keys.at[i], depth);
    for (int i = 0; i < sub->aggs.n; i++) group_call(g, sub->aggs.at[i], depth);
    sub->having = group_expr(g, sub->having, depth);
    for (int i = 0; i < sub->window_defs.n; i++) {
        WindowDef *w = &sub->window_defs.at[i];
        for (int k = 0; k < w->partition.n; k++) w->partition.at[k] = group_expr(g, w->partition.at[k], depth);
        for (int k = 0; k < w->order.n; k++) w->order.at[k].expr = group_expr(g, w->order.at[k].expr, depth);
    }
    for (int i = 0; i < sub->windows.n; i++) group_call(g, sub->windows.at[i], depth);
    for (int i = 0; i < sub->targets.n; i++) sub->targets.at[i].expr = group_expr(g, sub->targets.at[i].expr, depth);
    for (int i = 0; i < sub->order.n; i++) sub->order.at[i].expr = group_expr(g, sub->order.at[i].expr, depth);
    for (int i = 0; i < sub->distinct_on.n; i++) sub->distinct_on.at[i] = group_expr(g, sub->distinct_on.at[i], depth);
    sub->limit = group_expr(g, sub->limit, depth);
    sub->offset = group_expr(g, sub->offset, depth);
}

/* ---- windows: after grouping, each call gets a slot ---- */

static Expr *window_expr(Grouping *g, Expr *e) {
    if (!e) return NULL;
    Query *q = g->q;
    if (e->tag == EXPR_WINDOW) {
        int at = -1;
        for (int i = 0; i < q->windows.n && at < 0; i++)
            if (q->windows.at[i] == e || expr_equal(e, q->windows.at[i])) at = i;
        if (at < 0) {
            vec_push(g->r->cc->arena, &q->windows, e);
            vec_push(g->r->cc->arena, &q->window_slots, q->n_slots++);
            at = q->windows.n - 1;
        }
        Expr *var = NEW(g->r->cc->arena, Expr);
        *var = *e;
        become_var(var, q->window_slots.at[at], 0);
        return var;
    }
    for (int i = 0; i < e->args.n; i++) e->args.at[i] = window_expr(g, e->args.at[i]);
    return e;
}

static Walk find_aggregate(Expr *e, void *context) {
    (void)context;
    return (e->tag == EXPR_AGG && e->level == 0) || is_grouping(e) ? WALK_STOP : WALK_ON;
}

static bool has_aggregate(Expr *e) { return !expr_walk(e, find_aggregate, NULL); }

void resolve_grouping(Resolver *r, Query *q) {
    Grouping g = {r, q};
    for (int i = 0; i < q->targets.n; i++) q->grouped |= has_aggregate(q->targets.at[i].expr);
    for (int i = 0; i < q->order.n; i++) q->grouped |= has_aggregate(q->order.at[i].expr);
    for (int w = 0; w < q->window_defs.n; w++) {
        for (int i = 0; i < q->window_defs.at[w].partition.n; i++) q->grouped |= has_aggregate(q->window_defs.at[w].partition.at[i]);
        for (int i = 0; i < q->window_defs.at[w].order.n; i++) q->grouped |= has_aggregate(q->window_defs.at[w].order.at[i].expr);
    }
    /* ORDER BY and DISTINCT ON may share nodes with targets; rewriting a shared node twice must find the same answer, so targets are kept aside. */
    Exprs before = {0};
    for (int i = 0; i < q->targets.n; i++) vec_push(r->cc->arena, &before, q->targets.at[i].expr);
    if (q->grouped) {
        for (int i = 0; i < q->group_keys.n; i++) {
            if (has_aggregate(q->group_keys.at[i])) fail(r->cc, SQM_ERROR_GROUPING, q->group_keys.at[i]->pos, "aggregate functions are not allowed in GROUP BY");
            q->group_slots.at[i] = q->n_slots++;
        }
        for (int i = 0; i < q->targets.n; i++) q->targets.at[i].expr = group_expr(&g, q->targets.at[i].expr, 0);
    }
    Exprs grouped = {0};
    for (int i = 0; i < q->targets.n; i++) vec_push(r->cc->arena, &grouped, q->targets.at[i].expr);
#define SHARED(e)                                                       \
    for (int t_ = 0; t_ < before.n; t_++)                               \
        if (before.at[t_] == (e)) { (e) = grouped.at[t_]; break; }
    if (q->grouped) {
        q->having = group_expr(&g, q->having, 0);
        for (int i = 0; i < q->order.n; i++) {
            Expr *e = q->order.at[i].expr, *was = e;
            SHARED(e);
            q->order.at[i].expr = e != was ? e : group_expr(&g, e, 0);
        }
        for (int i = 0; i < q->distinct_on.n; i++) {
            Expr *e = q->distinct_on.at[i], *was = e;
            SHARED(e);
            q->distinct_on.at[i] = e != was ? e : group_expr(&g, e, 0);
        }
        for (int w = 0; w < q->window_defs.n; w++) {
            WindowDef *def = &q->window_defs.at[w];
            for (int i = 0; i < def->partition.n; i++) def->partition.at[i] = group_expr(&g, def->partition.at[i], 0);
            for (int i = 0; i < def->order.n; i++) def->order.at[i].expr = group_expr(&g, def->order.at[i].expr, 0);
        }
    }
    if (q->window_defs.n) {
        for (int i = 0; i < q->targets.n; i++) q->targets.at[i].expr = window_expr(&g, q->targets.at[i].expr);
        for (int i = 0; i < q->order.n; i++) {
            Expr *e = q->order.at[i].expr;
            bool shared = false;
            for (int t = 0; t < grouped.n && !shared; t++)
                if (grouped.at[t] == e) { q->order.at[i].expr = q->targets.at[t].expr; shared = true; }
            if (!shared) q->order.at[i].expr = window_expr(&g, e);
        }
        for (int i = 0; i < q->distinct_on.n; i++) q->distinct_on.at[i] = window_expr(&g, q->distinct_on.at[i]);
    }
#undef SHARED
}
