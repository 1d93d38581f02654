/* plan.c - Query -> Plan: which operator does what, and what of it the server does.
 *
 * In:  Resolved (query.h).  Out: StatementPlan (plan.h); every block has its QueryPlan.
 * A block is built bottom-up, in the order SQL gives its clauses:
 *     FROM and WHERE (joins ordered, conditions as low as they go)  ->  GROUP BY, HAVING  ->  windows  ->  targets  ->  DISTINCT  ->  ORDER BY  ->  LIMIT
 * and what a single collection can do itself sinks into its SCAN: conditions (mql_can_match), grouping (mql_can_group), order, LIMIT.
 * With options->no_optimise nothing sinks and joins stay as written: the same rows by another road, which the tests compare.
 *
 *     SELECT b.name FROM book b JOIN author a ON a.id = b.author_id WHERE a.name = 'X' ORDER BY b.name LIMIT 5
 *     Limit 5
 *       Project
 *         Sort
 *           Join INNER by key book.author_id = author.id        <- starts at the selective side
 *             Scan author  match name = 'X'
 *             Scan book    fetched by author_id
 *
 * Nothing here looks at parameter values, so a plan serves every execution of its text. */
#include "plan_internal.h"

#include "mql.h"

#include <stdio.h>

const char *plan_name(PlanTag tag) {
    switch (tag) {
    case PLAN_RESULT: return "Result";
    case PLAN_SCAN: return "Scan";
    case PLAN_SUBQUERY: return "Subquery";
    case PLAN_VALUES: return "Values";
    case PLAN_FUNCTION: return "Function";
    case PLAN_WORK: return "Work Table";
    case PLAN_FILTER: return "Filter";
    case PLAN_JOIN: return "Join";
    case PLAN_KEYS: return "Keys";
    case PLAN_CHOOSE: return "Choose";
    case PLAN_GROUP: return "Group";
    case PLAN_WINDOW: return "Window";
    case PLAN_PROJECT: return "Project";
    case PLAN_DISTINCT: return "Distinct";
    case PLAN_SORT: return "Sort";
    case PLAN_LIMIT: return "Limit";
    case PLAN_SETOP: return "Set Operation";
    case PLAN_LOCK: return "Lock";
    }
    return "";
}

/* ---- small tools ---- */

Plan *plan_new(Planner *p, PlanTag tag, Plan *left) {
    Plan *plan = NEW(p->cc->arena, Plan);
    plan->tag = tag;
    plan->left = left;
    plan->rows = left ? left->rows : -1;
    if (left)
        for (int i = 0; i < left->slots.n; i++) vec_push(p->cc->arena, &plan->slots, left->slots.at[i]);
    return plan;
}

void plan_add_slot(Planner *p, Plan *plan, int slot) {
    for (int i = 0; i < plan->slots.n; i++)
        if (plan->slots.at[i] == slot) return;
    vec_push(p->cc->arena, &plan->slots, slot);
}

void plan_conjuncts(Planner *p, Expr *e, Exprs *out) {
    if (!e) return;
    if (e->tag == EXPR_AND) {
        for (int i = 0; i < e->args.n; i++) plan_conjuncts(p, e->args.at[i], out);
        return;
    }
    vec_push(p->cc->arena, out, e);
}

bool plan_has_slot(const Ints *slots, int slot) {
    for (int i = 0; i < slots->n; i++)
        if (slots->at[i] == slot) return true;
    return false;
}

/* References of an expression to this block's frame, subqueries included (their VARs of the matching level). */
typedef struct SlotScan { VarVisitor visit; void *context; int depth; VarVisitor visit_path; } SlotScan;   /* visit_path, if set, gets calls of JSON_VALUE instead of their VARs */

static bool scan_query(const Query *q, SlotScan *s);

static bool scan_nested(const Query *q, SlotScan *s) {
    s->depth++;
    bool on = scan_query(q, s);
    s->depth--;
    return on;
}

static bool scan_expr(const Expr *e, SlotScan *s) {
    if (!e) return true;
    if (e->tag == EXPR_VAR) return e->level == s->depth ? s->visit(e, s->context) : true;
    if (s->visit_path && e->tag == EXPR_FUNC) {
        const Expr *root = mql_projected_root(e);
        if (root) return root->level == s->depth ? s->visit_path(e, s->context) : true;
    }
    if (e->tag == EXPR_SUBLINK && !scan_nested(e->subquery, s)) return false;
    for (int i = 0; i < e->args.n; i++)
        if (!scan_expr(e->args.at[i], s)) return false;
    if (e->order)
        for (int i = 0; i < e->order->n; i++)
            if (!scan_expr(e->order->at[i].expr, s)) return false;
    return scan_expr(e->filter, s);
}

static bool scan_exprs(const Exprs *list, SlotScan *s) {
    for (int i = 0; i < list->n; i++)
        if (!scan_expr(list->at[i], s)) return false;
    return true;
}

static bool scan_from(const From *f, SlotScan *s) {
    if (!f || f->rel >= 0) return true;
    return scan_expr(f->on, s) && scan_from(f->left, s) && scan_from(f->right, s);
}

static bool scan_keys(const SortKeys *keys, SlotScan *s) {
    for (int i = 0; i < keys->n; i++)
        if (!scan_expr(keys->at[i].expr, s)) return false;
    return true;
}

static bool scan_query(const Query *q, SlotScan *s) {
    if (!q->correlated) return true;
    if (q->set_op != SET_NONE && !(scan_nested(q->left, s) && scan_nested(q->right, s))) return false;
    /* A WITH query belongs to the block that defines it, not to those that name it: only from here are its levels counted. */
    for (int i = 0; i < q->ctes.n; i++)
        if (!scan_nested(q->ctes.at[i]->query, s)) return false;
    for (int i = 0; i < q->rels.n; i++) {
        const Rel *rel = q->rels.at[i];
        if (rel->kind == REL_SUBQUERY && !rel->cte && !scan_nested(rel->subquery, s)) return false;
        if (rel->function && !scan_expr(rel->function, s)) return false;
        for (int v = 0; v < rel->values.n; v++)
            if (!scan_exprs(&rel->values.at[v], s)) return false;
    }
    for (int i = 0; i < q->window_defs.n; i++)
        if (!scan_exprs(&q->window_defs.at[i].partition, s) || !scan_keys(&q->window_defs.at[i].order, s)) return false;
    for (int i = 0; i < q->targets.n; i++)
        if (!scan_expr(q->targets.at[i].expr, s)) return false;
    return scan_from(q->from, s) && scan_expr(q->where, s) && scan_exprs(&q->group_keys, s) && scan_exprs(&q->aggs, s) && scan_expr(q->having, s) &&
           scan_exprs(&q->windows, s) && scan_keys(&q->order, s) && scan_exprs(&q->distinct_on, s) && scan_expr(q->limit, s) && scan_expr(q->offset, s);
}

bool plan_visit_vars(const Expr *e, VarVisitor visit, void *context) {
    SlotScan s = {visit, context, 0, NULL};
    return scan_expr(e, &s);
}

bool plan_query_visit_vars(const Query *q, VarVisitor visit, void *context) {
    SlotScan s = {visit, context, 1, NULL};
    return scan_query(q, &s);
}

static bool slot_available(const Expr *var, void *context) { return plan_has_slot(context, var->slot); }

/* Does `e` read only slots of `slots` (of this block's frame)? */
bool plan_covered(const Expr *e, const Ints *slots) { return plan_visit_vars(e, slot_available, (void *)slots); }

bool plan_slot_absent(const Expr *var, void *context) { return !plan_has_slot(context, var->slot); }
bool plan_touches(const Expr *e, const Ints *slots) { return !plan_visit_vars(e, plan_slot_absent, (void *)slots); }

bool plan_has_sublink(const Expr *e) {
    if (!e) return false;
    if (e->tag == EXPR_SUBLINK) return true;
    for (int i = 0; i < e->args.n; i++)
        if (plan_has_sublink(e->args.at[i])) return true;
    return plan_has_sublink(e->filter);
}

/* ---- one block ---- */

static bool is_false(const Expr *e) { return e->tag == EXPR_CONST && (e->value.type == SQM_NULL || (e->value.type == SQM_BOOL && !e->value.u.b)); }
static bool is_true(const Expr *e) { return e->tag == EXPR_CONST && e->value.type == SQM_BOOL && e->value.u.b; }

Plan *plan_driving_scan(Plan *plan) {
    for (;;) {
        if (plan->tag == PLAN_SCAN) return plan->grouped ? NULL : plan;
        if (plan->tag == PLAN_FILTER) { plan = plan->left; continue; }
        if (plan->tag == PLAN_JOIN && plan->kind != JOIN_FULL && plan->kind != JOIN_RIGHT) { plan = plan->left; continue; }
        return NULL;
    }
}

const Plan *plan_scan_of(const Plan *plan, int rel) {
    if (!plan || (plan->tag == PLAN_SCAN && plan->rel->id == rel)) return plan;
    const Plan *found = plan_scan_of(plan->left, rel);
    return found ? found : plan_scan_of(plan->right, rel);
}

/* Do the joins above the driving scan leave each of its rows at most once? */
static bool keeps_single(const Plan *plan) {
    for (; plan->tag != PLAN_SCAN; plan = plan->left)
        if (plan->tag == PLAN_JOIN && plan->kind != JOIN_SEMI && plan->kind != JOIN_ANTI && !plan->unique_right) return false;
    return true;
}

/* Is every row in the index, in the order of its keys? A unique index may leave NULLs out. */
static bool orders_rows(const Table *t, const Index *index) {
    if (index->where_text.n || !index->keys.n) return false;
    for (int i = 0; i < index->keys.n; i++) {
        int column = index->keys.at[i].column;
        if (column < 0 || index->keys.at[i].opclass.n || (index->unique && index != &t->id_index && !t->columns.at[column].not_null)) return false;
    }
    return true;
}

static bool index_has_order(const Index *index, const SortKeys *sort) {
    if (index->keys.n < sort->n) return false;
    for (int i = 0; i < sort->n; i++) {
        const IndexKey *k = &index->keys.at[i];
        bool backwards = index->keys.at[0].descending != sort->at[0].descending;
        if (k->column != sort->at[i].expr->column || (k->descending != sort->at[i].descending) != backwards) return false;
    }
    return true;
}

/* What indexes do for the scan's order. Only of a whole table: with conditions or keys the server has other indexes to choose from. */
static void note_order(Plan *scan) {
    const Table *t = scan->rel->table;
    enum { BOUND_ROWS = 2000 };         /* below that sorting everything costs less than asking twice */
    if (!t->declared || scan->match.n || scan->left) return;
    for (int i = 0; i < scan->sort.n; i++)
        if (scan->sort.at[i].expr->tag != EXPR_VAR) return;
    for (int i = -1; i < t->indexes.n && !scan->ordered; i++) {
        const Index *index = i < 0 ? &t->id_index : &t->indexes.at[i];
        if (!orders_rows(t, index)) continue;
        scan->ordered = index_has_order(index, &scan->sort);
        if (index->keys.at[0].column == scan->sort.at[0].expr->column && scan->total >= BOUND_ROWS) scan->bound_index = index;
    }
    if (scan->ordered) scan->bound_index = NULL;
}

/* ORDER BY on the columns of the collection that drives the joins: joins and filters keep its order, so the server sorts, by an index when there is one.
 * Past a key that no two rows share the order is decided. */
static bool push_sort(Planner *p, const Query *q, Plan *plan) {
    Plan *scan = plan_driving_scan(plan);
    if (!scan || scan->sort.n || q->order.n > 32) return false;
    bool single = keeps_single(plan), decided = false;
    int n = 0;
    for (; n < q->order.n && !decided; n++) {
        const Expr *e = q->order.at[n].expr;
        bool column = e->tag == EXPR_VAR && e->level == 0 && e->rel == scan->rel->id;
        if (!(mql_is_scalar_path(e, scan->rel) || mql_is_element_path(e, scan->rel) || column) || !mql_can_sort(&q->order.at[n], scan->rel)) return false;
        for (int k = 0; k < n; k++)   /* a sort document can't name a field twice */
            if (expr_equal(q->order.at[k].expr, e)) return false;
        decided = single && column && !e->nullable && e->column < scan->rel->table->columns.n && table_column_is_unique(scan->rel->table, e->column);
    }
    for (int i = 0; i < n; i++) vec_push(p->cc->arena, &scan->sort, q->order.at[i]);
    note_order(scan);
    return true;
}

/* LIMIT stands above joins that may drop rows: those who read hear how many rows are likely to do. */
static void want(const Query *q, Plan *plan) {
    enum { SLACK = 4 };
    int slack = 1;
    if (!plan_driving_scan(plan)) return;
    for (;; plan = plan->left) {
        if (plan->tag == PLAN_SCAN || plan->tag == PLAN_JOIN) {
            plan->wanted_limit = q->limit;
            plan->wanted_offset = q->offset;
        }
        if (plan->tag == PLAN_FILTER || (plan->tag == PLAN_JOIN && (plan->kind == JOIN_SEMI || plan->kind == JOIN_ANTI))) slack = SLACK;
        plan->slack = slack;
        if (plan->tag == PLAN_SCAN) return;
    }
}

static bool targets_are_slots(const Query *q) {
    for (int i = 0; i < q->targets.n; i++)
        if (q->targets.at[i].expr->tag != EXPR_VAR || q->targets.at[i].expr->level) return false;
    return true;
}

static Plan *project(Planner *p, const Query *q, Plan *plan) {
    if (targets_are_slots(q)) return plan;
    plan = plan_new(p, PLAN_PROJECT, plan);
    for (int i = 0; i < q->targets.n; i++) plan_add_slot(p, plan, q->targets.at[i].slot);
    return plan;
}

static bool reads_targets(const Query *q) {
    for (int i = 0; i < q->order.n; i++)
        for (int t = 0; t < q->targets.n; t++) {
            const Expr *target = q->targets.at[t].expr;
            if (target->tag != EXPR_VAR && (q->order.at[i].expr == target || expr_equal(q->order.at[i].expr, target))) return true;
        }
    return false;
}

/* A sort key that is a computed target reads the target's slot instead of computing it again (which for random() would be another value). */
static void order_by_target_slots(Planner *p, Query *q) {
    for (int i = 0; i < q->order.n; i++)
        for (int t = 0; t < q->targets.n; t++) {
            Expr *target = q->targets.at[t].expr;
            if (target->tag == EXPR_VAR && target->level == 0) continue;
            if (q->order.at[i].expr != target && !expr_equal(q->order.at[i].expr, target)) continue;
            Expr *var = NEW(p->cc->arena, Expr);
            *var = (Expr){.tag = EXPR_VAR, .type = target->type, .nullable = target->nullable, .pos = target->pos, .rel = -1, .column = -1, .slot = q->targets.at[t].slot};
            q->order.at[i].expr = var;
            break;
        }
}

static Plan *limit(Planner *p, const Query *q, Plan *plan) {
    if (!q->limit && !q->offset) return plan;
    /* A LEFT JOIN to at most one row per row keeps their number and order: the collection that drives it can count. */
    Plan *counted = plan;
    while (counted->tag == PLAN_JOIN && counted->kind == JOIN_LEFT && counted->unique_right) counted = counted->left;
    if (counted->tag == PLAN_SCAN && !counted->grouped && !q->with_ties && !p->options->no_optimise) {
        counted->limit = q->limit;
        counted->offset = q->offset;
        if (counted->bound_index && q->limit) p->n_reads++;
        else counted->bound_index = NULL;
        return plan;
    }
    Plan *l = plan_new(p, PLAN_LIMIT, plan);
    l->limit = q->limit;
    l->offset = q->offset;
    l->with_ties = q->with_ties;
    if (!q->limit || q->with_ties || p->options->no_optimise) return l;
    if (plan->tag == PLAN_SORT) {
        plan->limit = q->limit;
        plan->offset = q->offset;
    } else {
        want(q, plan);
    }
    return l;
}

static Plan *sort(Planner *p, const Query *q, Plan *plan) {
    plan = plan_new(p, PLAN_SORT, plan);
    for (int i = 0; i < q->order.n; i++) vec_push(p->cc->arena, &plan->keys, q->order.at[i]);
    return plan;
}

static bool skips_locked(const Query *q) { return q->locking.n && q->locking.at[0].wait == LOCK_SKIP; }

static Plan *lock(Planner *p, Query *q, Plan *plan) {
    Plan *l = plan_new(p, PLAN_LOCK, plan);
    for (int i = 0; i < q->locking.n; i++) {
        const AstLocking *one = &q->locking.at[i];
        if (one->wait == LOCK_SKIP && one->share)
            fail_hint(p->cc, SQM_ERROR_NOT_SUPPORTED, one->pos, "Use FOR UPDATE.", "FOR SHARE SKIP LOCKED is not supported: MongoDB has no shared locks of rows");
        if ((one->wait == LOCK_SKIP) != skips_locked(q)) fail(p->cc, SQM_ERROR_NOT_SUPPORTED, one->pos, "SKIP LOCKED must stand in all FOR UPDATE clauses of a query or in none");
        vec_push(p->cc->arena, &l->locking, *one);
        for (int k = 0; k < q->rels.n; k++) {
            bool wanted = one->of.n == 0;
            for (int n = 0; n < one->of.n; n++) wanted |= str_ieq(one->of.at[n], q->rels.at[k]->alias);
            if (!wanted || q->rels.at[k]->kind != REL_TABLE) continue;
            if (q->rels.at[k]->null_extended && one->of.n == 0)
                fail(p->cc, SQM_ERROR_NOT_SUPPORTED, one->pos, "FOR UPDATE cannot be applied to the nullable side of an outer join");
            vec_push(p->cc->arena, &l->lock_rels, k);
        }
    }
    return l;
}

/* What LIMIT counts are the rows that have been locked, where some are skipped. */
static Plan *limit_and_lock(Planner *p, Query *q, Plan *plan) {
    if (!q->locking.n) return limit(p, q, plan);
    if (!skips_locked(q)) return lock(p, q, limit(p, q, plan));
    if (q->with_ties) fail(p->cc, SQM_ERROR_SYNTAX, q->locking.at[0].pos, "SKIP LOCKED and WITH TIES options cannot be used together");
    plan = lock(p, q, plan);
    plan->limit = q->limit;
    plan->offset = q->offset;
    return limit(p, q, plan);
}

/* _id of every table to be locked must be fetched: decided before scans are made. */
static void lock_columns(Planner *p, Query *q) {
    for (int i = 0; i < q->locking.n; i++)
        for (int k = 0; k < q->rels.n; k++)
            if (q->rels.at[k]->kind == REL_TABLE) var_new(p->cc->arena, q, q->rels.at[k], rel_id_column(p->cc->arena, q->rels.at[k]));
}

/* FROM, WHERE and the semi joins. */
static Plan *base(Planner *p, Query *q) {
    Exprs conditions = {0}, kept = {0};
    plan_conjuncts(p, q->where, &conditions);
    if (!p->options->no_optimise) {
        plan_reduce_outer(p, q, &conditions);
        plan_unnest(p, q, &conditions);
    }
    bool never = false;
    for (int i = 0; i < conditions.n; i++) {
        if (is_false(conditions.at[i])) never = true;
        if (!is_true(conditions.at[i])) vec_push(p->cc->arena, &kept, conditions.at[i]);
    }
    conditions = kept;
    Plan *plan;
    if (!q->from || (never && !p->options->no_optimise)) {
        plan = plan_new(p, PLAN_RESULT, NULL);
        plan->rows = never ? 0 : 1;
        plan->never = never;
        if (q->from) {
            Ints slots = {0};
            plan_from_slots(p, q, q->from, &slots);
            for (int i = 0; i < slots.n; i++) plan_add_slot(p, plan, slots.at[i]);
        }
        return never ? plan : plan_filter(p, plan, conditions);
    }
    plan = plan_from_items(p, q, q->from, &conditions);
    return plan_semi_joins(p, q, plan_filter(p, plan, conditions));
}

/* COUNT(*) of the rows without certain keys is that of all rows, less that of the rows with them: an index counts the first, a few look-ups the second, where $nin
 * is compared with every key.
 * Not done when (1) anything but rows is counted, or groups are made; (2) other KEYS choose rows too; (3) a NULL rejects rows (NOT IN); (4) no index finds the keys. */
static bool counts_by_difference(const Query *q, const Plan *scan) {
    const Plan *keys = scan->left;
    if (!mql_counts_rows(q)) return false;                                                  /* (1) */
    if (!keys || keys->right || keys->kind != JOIN_ANTI) return false;                      /* (2) */
    if (keys->null_aware) return false;                                                     /* (3) */
    return table_index_on(scan->rel->table, keys->left_keys.at[0]->column) != NULL;         /* (4) */
}

/* Everything above FROM and WHERE. What the scan at the bottom can do itself sinks into it; `plan` is changed. */
static Plan *top(Planner *p, Query *q, Plan *plan) {
    if (q->grouped) {
        bool pushed = plan->tag == PLAN_SCAN && !plan->never && !p->options->no_optimise && mql_can_group(q, plan->rel);
        if (pushed) {
            plan->grouped = true;
            plan->by_difference = counts_by_difference(q, plan);
            plan->slots.n = 0;
        } else {
            plan = plan_new(p, PLAN_GROUP, plan);
            plan->slots.n = 0;
        }
        plan->rows = q->group_keys.n ? plan->rows / 4 + 1 : 1;
        for (int i = 0; i < q->group_slots.n; i++) plan_add_slot(p, plan, q->group_slots.at[i]);
        for (int i = 0; i < q->agg_slots.n; i++) plan_add_slot(p, plan, q->agg_slots.at[i]);
        if (q->grouping_slot >= 0) plan_add_slot(p, plan, q->grouping_slot);
        Exprs having = {0};
        plan_conjuncts(p, q->having, &having);
        plan = plan_filter(p, plan, having);
    }
    if (q->windows.n) {
        plan = plan_new(p, PLAN_WINDOW, plan);
        for (int i = 0; i < q->window_slots.n; i++) plan_add_slot(p, plan, q->window_slots.at[i]);
    }
    if (q->set_op != SET_NONE || (!q->distinct && !reads_targets(q))) {
        /* Order and limit rows first, compute targets for what is left. */
        if (q->order.n && !(!q->grouped && !q->windows.n && q->set_op == SET_NONE && !p->options->no_optimise && push_sort(p, q, plan))) {
            plan_indexed_order(p, q, plan);
            plan = sort(p, q, plan);
        }
        plan = limit_and_lock(p, q, plan);
        plan = q->set_op == SET_NONE ? project(p, q, plan) : plan;
    } else {
        plan = project(p, q, plan);
        order_by_target_slots(p, q);
        if (q->distinct_on.n) {
            for (int i = 0; i < q->distinct_on.n; i++)
                for (int t = 0; t < q->targets.n; t++)
                    if (q->targets.at[t].expr->tag != EXPR_VAR && expr_equal(q->targets.at[t].expr, q->distinct_on.at[i])) {
                        Expr *var = NEW(p->cc->arena, Expr);
                        *var = (Expr){.tag = EXPR_VAR, .type = q->distinct_on.at[i]->type, .nullable = true, .pos = NO_POS, .rel = -1, .column = -1, .slot = q->targets.at[t].slot};
                        q->distinct_on.at[i] = var;
                        break;
                    }
            if (q->order.n) plan = sort(p, q, plan);
            plan = plan_new(p, PLAN_DISTINCT, plan);
        } else {
            if (q->distinct) plan = plan_new(p, PLAN_DISTINCT, plan);
            if (q->order.n) plan = sort(p, q, plan);
        }
        plan = limit_and_lock(p, q, plan);
    }
    return plan;
}

static bool keys_shape_the_plan(const Plan *plan) {
    if (!plan) return false;
    if (plan->tag == PLAN_SCAN) return plan->left && (plan->grouped || plan->sort.n || plan->limit || plan->offset);
    return keys_shape_the_plan(plan->left) || keys_shape_the_plan(plan->right);
}

/* A scan that is asked by a list of keys can still group, sort and count by itself, but only in one command, into which just so many keys fit. How many
 * there are is known when they have been read, so the way without the list is planned too. */
static Plan *choose(Planner *p, Query *q, Plan *plan) {
    Plan *joined = p->options->no_optimise ? plan : plan_without_keys(p, q, plan);
    plan = top(p, q, plan);
    if (!keys_shape_the_plan(plan)) return plan;
    Plan *c = plan_new(p, PLAN_CHOOSE, plan);
    c->right = top(p, q, joined);
    return c;
}

static int target_of(const Query *q, const Expr *e) {
    for (int t = 0; t < q->n_visible; t++)
        if (expr_equal(e, q->targets.at[t].expr) || (e->tag == EXPR_VAR && e->level == 0 && e->slot == q->targets.at[t].slot)) return t;
    return -1;
}

static Expr *slot_var(Planner *p, const Target *t) {
    Expr *var = NEW(p->cc->arena, Expr);
    *var = (Expr){.tag = EXPR_VAR, .type = t->expr->type, .nullable = t->expr->nullable, .pos = t->expr->pos, .rel = -1, .column = -1, .slot = t->slot, .label = t->expr->label};
    return var;
}

/* SELECT DISTINCT a, b FROM t   ->   SELECT a, b FROM t GROUP BY a, b, which the server can do; with a key of t among them every row is distinct anyway.
 * Not done when (1) more than one table is read, or something stands between the rows and DISTINCT; (2) the server's groups aren't exactly ours;
 * (3) a LIMIT without ORDER BY ends it early; (4) ORDER BY has keys that aren't targets. */
static void group_distinct(Planner *p, Query *q) {
    if (!q->distinct || q->distinct_on.n || q->grouped || q->windows.n || q->locking.n || !q->from || q->from->rel < 0) return;         /* (1) */
    const Rel *rel = q->rels.at[q->from->rel];
    if (rel->kind != REL_TABLE || q->targets.n != q->n_visible) return;                                                                 /* (1) */
    for (int t = 0; t < q->n_visible; t++) {
        const Expr *e = q->targets.at[t].expr;
        bool key = e->tag == EXPR_VAR && !e->level && !e->nullable && e->rel == rel->id && e->column < rel->table->columns.n && table_column_is_unique(rel->table, e->column);
        if (key) {
            q->distinct = false;
            return;
        }
    }
    if (!mql_can_distinct(q, rel) || (q->limit && !q->order.n)) return;                                                                 /* (2) (3) */
    for (int i = 0; i < q->order.n; i++)
        if (target_of(q, q->order.at[i].expr) < 0) return;                                                                              /* (4) */
    for (int i = 0; i < q->order.n; i++) q->order.at[i].expr = slot_var(p, &q->targets.at[target_of(q, q->order.at[i].expr)]);
    for (int t = 0; t < q->n_visible; t++) {
        vec_push(p->cc->arena, &q->group_keys, q->targets.at[t].expr);
        vec_push(p->cc->arena, &q->group_slots, q->targets.at[t].slot);
        q->targets.at[t].expr = slot_var(p, &q->targets.at[t]);
    }
    q->distinct = false;
    q->grouped = true;
}

void plan_block(Planner *p, Query *q) {
    if (q->plan) return;
    QueryPlan *qp = NEW(p->cc->arena, QueryPlan);
    q->plan = qp;
    qp->query = q;
    qp->correlated = q->correlated;
    for (int i = 0; i < q->ctes.n; i++) plan_block(p, q->ctes.at[i]->query);
    Plan *plan;
    if (q->set_op != SET_NONE) {
        plan_block(p, q->left);
        plan_block(p, q->right);
        plan = plan_new(p, PLAN_SETOP, NULL);
        for (int i = 0; i < q->n_visible; i++) plan_add_slot(p, plan, q->targets.at[i].slot);
        plan->rows = q->left->plan->root->rows < 0 || q->right->plan->root->rows < 0 ? -1 : q->left->plan->root->rows + q->right->plan->root->rows;
        plan = top(p, q, plan);
    } else {
        SemiJoins outer = p->semi;
        p->semi = (SemiJoins){0};
        lock_columns(p, q);
        if (!p->options->no_optimise) group_distinct(p, q);
        plan = choose(p, q, base(p, q));
        p->semi = outer;
    }
    qp->root = plan;
    qp->n_slots = q->n_slots;
    for (int i = 0; i < q->n_visible; i++) vec_push(p->cc->arena, &qp->output, q->targets.at[i].slot);
}

/* Scans fetch what somebody still reads: a column that only a pushed condition, sort or grouping mentions stays on the server, and of a document that is
 * read by paths alone only those paths come. */
typedef struct Marks { Arena *arena; bool *slots, *whole; Exprs *paths; } Marks;

static bool mark(const Expr *var, void *context) {
    Marks *m = context;
    if (var->slot >= 0) m->slots[var->slot] = m->whole[var->slot] = true;
    return true;
}

static bool mark_path(const Expr *call, void *context) {
    Marks *m = context;
    int slot = mql_projected_root(call)->slot;
    m->slots[slot] = true;
    vec_push(m->arena, &m->paths[slot], (Expr *)call);
    return true;
}

static void mark_expr(const Expr *e, Marks *m) {
    SlotScan s = {mark, m, 0, mark_path};
    scan_expr(e, &s);
}

static void mark_query(const Query *q, Marks *m) {
    SlotScan s = {mark, m, 1, mark_path};
    scan_query(q, &s);
}

static void mark_all(const Exprs *list, Marks *m) {
    for (int i = 0; i < list->n; i++) mark_expr(list->at[i], m);
}

static void mark_plan(const Query *q, const Plan *plan, Marks *marks) {
    if (!plan) return;
    mark_plan(q, plan->left, marks);
    mark_plan(q, plan->right, marks);
    mark_all(&plan->conditions, marks);
    mark_all(&plan->left_keys, marks);
    mark_all(&plan->right_keys, marks);
    for (int i = 0; i < plan->keys.n; i++) mark_expr(plan->keys.at[i].expr, marks);
    if (plan->tag == PLAN_GROUP) {
        mark_all(&q->group_keys, marks);
        mark_all(&q->aggs, marks);
    }
    if (plan->rel) {
        if (plan->rel->kind == REL_SUBQUERY && !plan->rel->cte) mark_query(plan->rel->subquery, marks);
        if (plan->rel->function) mark_expr(plan->rel->function, marks);
        for (int v = 0; v < plan->rel->values.n; v++) mark_all(&plan->rel->values.at[v], marks);
    }
    if (plan->tag == PLAN_LOCK)
        for (int i = 0; i < plan->lock_rels.n; i++) {
            const Rel *rel = q->rels.at[plan->lock_rels.at[i]];
            for (int c = 0; c < rel->columns.n; c++)
                if (str_is(rel_field(rel, c), "_id") && rel->columns.at[c].slot >= 0) marks->slots[rel->columns.at[c].slot] = marks->whole[rel->columns.at[c].slot] = true;
        }
}

static void scan_columns(Planner *p, Plan *scan) {
    const Rel *rel = scan->rel;
    scan->columns.n = 0;
    for (int c = 0; c < rel->columns.n; c++)
        if (rel->columns.at[c].slot >= 0) {
            ScanColumn column = {c, rel->columns.at[c].slot, {0}};
            vec_push(p->cc->arena, &scan->columns, column);
        }
}

static void prune_scans(Planner *p, Plan *plan, const Marks *marks) {
    if (!plan) return;
    prune_scans(p, plan->left, marks);
    prune_scans(p, plan->right, marks);
    if (plan->tag != PLAN_SCAN || plan->grouped) return;
    scan_columns(p, plan);
    int kept = 0;
    for (int i = 0; i < plan->columns.n; i++)
        if (marks->slots[plan->columns.at[i].slot]) {
            ScanColumn *c = &plan->columns.at[kept++];
            *c = plan->columns.at[i];
            if (!marks->whole[c->slot]) c->paths = marks->paths[c->slot];
        }
    plan->columns.n = kept;
}

static void prune_block(Planner *p, Query *q) {
    if (q->set_op != SET_NONE) {
        prune_block(p, q->left);
        prune_block(p, q->right);
    }
    for (int i = 0; i < q->rels.n; i++)
        if (q->rels.at[i]->kind == REL_SUBQUERY && !q->rels.at[i]->cte && q->rels.at[i]->subquery->plan) prune_block(p, q->rels.at[i]->subquery);
    int n = q->n_slots + 1;
    Marks lists = {p->cc->arena, NEW_ARRAY(p->cc->arena, bool, n), NEW_ARRAY(p->cc->arena, bool, n), NEW_ARRAY(p->cc->arena, Exprs, n)}, *marks = &lists;
    for (int i = 0; i < q->targets.n; i++) {
        mark_expr(q->targets.at[i].expr, marks);
        marks->slots[q->targets.at[i].slot] = true;
    }
    for (int i = 0; i < q->window_defs.n; i++) {
        mark_all(&q->window_defs.at[i].partition, marks);
        for (int k = 0; k < q->window_defs.at[i].order.n; k++) mark_expr(q->window_defs.at[i].order.at[k].expr, marks);
    }
    mark_all(&q->windows, marks);
    for (int i = 0; i < q->windows.n; i++) mark_expr(q->windows.at[i]->filter, marks);
    for (int i = 0; i < q->order.n; i++)
        if (q->with_ties) mark_expr(q->order.at[i].expr, marks);
    mark_all(&q->distinct_on, marks);
    mark_plan(q, q->plan->root, marks);
    prune_scans(p, q->plan->root, marks);
    q->plan->n_slots = q->n_slots;
}

/* ---- UPDATE, DELETE ---- */

static bool single_table(const Query *q) { return q->rels.n == 1 && q->rels.at[0]->kind == REL_TABLE && q->from && q->from->rel == 0 && !q->ctes.n; }

static ModifyPlan *plan_modify(Planner *p, const Resolved *r) {
    ModifyQuery *m = r->modify;
    ModifyPlan *mp = NEW(p->cc->arena, ModifyPlan);
    mp->method = MODIFY_ROWS;
    mp->id_slot = m->rows->targets.at[m->set.n].slot;
    const Rel *rel = m->rows->rels.at[0];
    Exprs conditions = {0};
    plan_conjuncts(p, m->rows->where, &conditions);
    bool command = !p->options->no_optimise && single_table(m->rows) && !m->whole_rows && !p->resolved->parts.n;     /* with parts, all reads come before the first write */
    for (int i = 0; i < conditions.n && command; i++) command = mql_can_match(conditions.at[i], rel) || mql_can_native(conditions.at[i], rel);
    mp->by_constants = true;
    for (int i = 0; i < m->set.n && command; i++) {
        const Assign *a = &m->set.at[i];
        Str field = rel_field(rel, a->column);
        if (str_is(field, "_id")) command = false;
        bool constant = expr_is_constant(a->value) && !plan_has_sublink(a->value);
        if (!constant) {
            mp->by_constants = false;
            /* Only where storing can't need a check that the server doesn't make: integers go through $toInt/$toLong, which raise (smallint has none), but let NULL pass. */
            const Column *to = &m->table->columns.at[a->column];
            if (mql_can_assign(a->value, rel, a->column)) continue;
            command = command && type_is_integer(to->type) && to->type.tag != TYPE_INT2 && type_is_integer(a->value->type) && mql_can_express(a->value, rel) &&
                      !(to->not_null && a->value->nullable);
        }
    }
    for (int i = 0; i < m->foreign.n && command; i++)       /* their values must be known here */
        for (int k = 0; k < m->set.n; k++)
            if (foreign_key_has(&m->foreign.at[i], m->set.at[k].column)) command = command && expr_is_constant(m->set.at[k].value) && !plan_has_sublink(m->set.at[k].value);
    if (!command) return mp;
    for (int i = 0; i < conditions.n; i++) plan_mark_pushed(conditions.at[i]);
    mp->method = MODIFY_COMMAND;
    mp->match = conditions;
    plan_indexed(p, rel, &conditions, &mp->match);
    return mp;
}

/* ---- statements ---- */

static void plan_write(Planner *p, StatementPlan *sp) {
    const Resolved *r = sp->resolved;
    if (r->insert && r->insert->source) {
        plan_block(p, r->insert->source);
        sp->query = r->insert->source->plan;
    }
    if (r->modify) {
        sp->modify = plan_modify(p, r);
        if (sp->modify->method == MODIFY_ROWS) {
            plan_block(p, r->modify->rows);
            sp->query = r->modify->rows->plan;
        }
    }
}

/* What all parts may read comes first. */
static void plan_parts(Planner *p, StatementPlan *sp) {
    Resolved *r = sp->resolved;
    for (int i = 0; i < r->ctes.n; i++)
        if (r->ctes.at[i]->query) plan_block(p, r->ctes.at[i]->query);
    for (int i = 0; i < r->parts.n; i++) {
        StatementPlan *part = NEW(p->cc->arena, StatementPlan);
        part->resolved = r->parts.at[i];
        plan_write(p, part);
        vec_push(p->cc->arena, &sp->parts, part);
    }
}

StatementPlan *plan_statement(Compile *cc, Resolved *r, const PlanOptions *options) {
    Planner p = {.cc = cc, .resolved = r, .options = options};
    StatementPlan *sp = NEW(cc->arena, StatementPlan);
    sp->resolved = r;
    for (int i = 0; i < r->ctes.n; i++) {
        Cte *cte = r->ctes.at[i];
        cte->materialised = cte->query && (cte->recursive || cte->references > 1 || cte->query->is_volatile);
    }
    if (r->parts.n) plan_parts(&p, sp);
    if (r->query) {
        plan_block(&p, r->query);
        sp->query = r->query->plan;
    }
    plan_write(&p, sp);
    for (int i = 0; i < r->sublinks.n; i++) {
        if (r->sublinks.at[i]->unnested) continue;
        plan_block(&p, r->sublinks.at[i]->subquery);
        if (r->sublinks.at[i]->subquery->correlated) p.n_reads++;
    }
    if (sp->query) prune_block(&p, sp->query->query);
    for (int i = 0; i < r->sublinks.n; i++)
        if (!r->sublinks.at[i]->unnested) prune_block(&p, r->sublinks.at[i]->subquery);
    for (int i = 0; i < r->ctes.n; i++)
        if (r->ctes.at[i]->query) prune_block(&p, r->ctes.at[i]->query);
    for (int i = 0; i < sp->parts.n; i++)
        if (sp->parts.at[i]->query) prune_block(&p, sp->parts.at[i]->query->query);
    sp->n_reads = p.n_reads;
    return sp;
}
