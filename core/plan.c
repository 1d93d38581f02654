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

static bool has_slot(const Ints *slots, int slot) {
    for (int i = 0; i < slots->n; i++)
        if (slots->at[i] == slot) return true;
    return false;
}

/* References of an expression to this block's frame, subqueries included (their VARs of the matching level). */
typedef struct SlotScan { VarVisitor visit; void *context; int depth; } SlotScan;

static bool scan_query(const Query *q, SlotScan *s);

static bool scan_expr(const Expr *e, SlotScan *s) {
    if (!e) return true;
    if (e->tag == EXPR_VAR) return e->level == s->depth ? s->visit(e, s->context) : true;
    if (e->tag == EXPR_SUBLINK && e->subquery->correlated) {
        s->depth++;
        bool on = scan_query(e->subquery, s);
        s->depth--;
        if (!on) return false;
    }
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
    if (q->set_op != SET_NONE) {
        s->depth++;
        bool on = scan_query(q->left, s) && scan_query(q->right, s);
        s->depth--;
        if (!on) return false;
    }
    for (int i = 0; i < q->rels.n; i++) {
        const Rel *rel = q->rels.at[i];
        if (rel->kind == REL_SUBQUERY && !rel->cte) {
            s->depth++;
            bool on = scan_query(rel->subquery, s);
            s->depth--;
            if (!on) return false;
        }
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
    SlotScan s = {visit, context, 0};
    return scan_expr(e, &s);
}

static bool query_visit_vars(const Query *q, VarVisitor visit, void *context) {
    SlotScan s = {visit, context, 1};
    return scan_query(q, &s);
}

static bool slot_available(const Expr *var, void *context) { return has_slot(context, var->slot); }

/* Does `e` read only slots of `slots` (of this block's frame)? */
bool plan_covered(const Expr *e, const Ints *slots) { return plan_visit_vars(e, slot_available, (void *)slots); }

static bool slot_absent(const Expr *var, void *context) { return !has_slot(context, var->slot); }
bool plan_touches(const Expr *e, const Ints *slots) { return !plan_visit_vars(e, slot_absent, (void *)slots); }

static bool has_sublink(const Expr *e) {
    if (!e) return false;
    if (e->tag == EXPR_SUBLINK) return true;
    for (int i = 0; i < e->args.n; i++)
        if (has_sublink(e->args.at[i])) return true;
    return has_sublink(e->filter);
}

/* ---- relations ---- */

/* Guesses good enough to choose a side: PostgreSQL's defaults in spirit. */
enum { DEFAULT_ROWS = 1000 };

static const Index *index_on(const Rel *rel, int column) {
    if (rel->kind != REL_TABLE || column < 0 || column >= rel->table->columns.n) return NULL;
    return table_index_on(rel->table, column);
}

static bool is_id(const Rel *rel, int column) { return rel->kind == REL_TABLE && column >= 0 && str_is(rel_field(rel, column), "_id"); }

static bool column_unique(const Rel *rel, int column) {
    return is_id(rel, column) || (rel->kind == REL_TABLE && column >= 0 && column < rel->table->columns.n && table_column_is_unique(rel->table, column));
}

static double selectivity(const Expr *e, const Rel *rel, double rows) {
    switch (e->tag) {
    case EXPR_COMPARE: {
        const Expr *var = e->args.at[0]->tag == EXPR_VAR ? e->args.at[0] : e->args.at[1];
        if (e->op == OP_EQ) {
            if (var->tag == EXPR_VAR && column_unique(rel, var->column)) return 1 / rows;
            return var->tag == EXPR_VAR && index_on(rel, var->column) ? 0.005 : 0.05;
        }
        return e->op == OP_NE ? 0.99 : 0.33;
    }
    case EXPR_IN: {
        const Expr *var = e->args.at[0];
        double each = var->tag == EXPR_VAR && column_unique(rel, var->column) ? 1 / rows : 0.02;
        double all = each * (e->args.n - 1);
        return e->negated ? 0.9 : all < 1 ? all : 1;
    }
    case EXPR_AND: {
        double all = 1;
        for (int i = 0; i < e->args.n; i++) all *= selectivity(e->args.at[i], rel, rows);
        return all;
    }
    case EXPR_OR: {
        double none = 1;
        for (int i = 0; i < e->args.n; i++) none *= 1 - selectivity(e->args.at[i], rel, rows);
        return 1 - none;
    }
    case EXPR_LIKE: return 0.1;
    case EXPR_IS: return e->negated ? 0.9 : 0.1;
    case EXPR_SUBLINK: return 0.3;
    case EXPR_CONST: case EXPR_PARAM: case EXPR_VAR: case EXPR_FUNC: case EXPR_NOT: case EXPR_DISTINCT: case EXPR_REGEX: case EXPR_CASE: case EXPR_COALESCE:
    case EXPR_CAST: case EXPR_ROW: case EXPR_ARRAY: case EXPR_AGG: case EXPR_WINDOW: break;
    }
    return 0.5;
}

static const Index *match_index(const Plan *scan) {
    for (int i = 0; i < scan->match.n; i++) {
        const Expr *e = scan->match.at[i];
        if (e->tag != EXPR_COMPARE && e->tag != EXPR_IN && e->tag != EXPR_LIKE) continue;
        for (int a = 0; a < 2; a++) {
            const Expr *var = e->args.at[a];
            if (var->tag == EXPR_VAR && var->level == 0 && index_on(scan->rel, var->column)) return index_on(scan->rel, var->column);
        }
    }
    return NULL;
}

static void scan_columns(Planner *p, Plan *scan) {
    const Rel *rel = scan->rel;
    scan->columns.n = 0;
    for (int c = 0; c < rel->columns.n; c++)
        if (rel->columns.at[c].slot >= 0) {
            ScanColumn column = {c, rel->columns.at[c].slot};
            vec_push(p->cc->arena, &scan->columns, column);
        }
}

static Plan *filter(Planner *p, Plan *below, Exprs conditions) {
    if (!conditions.n) return below;
    Plan *f = plan_new(p, PLAN_FILTER, below);
    f->conditions = conditions;
    return f;
}

/* A leaf of FROM with the conditions that speak of it alone. */
static Plan *plan_rel(Planner *p, const Query *q, const Rel *rel, const Exprs *conditions) {
    Exprs rest = {0};
    Plan *leaf = NULL;
    switch (rel->kind) {
    case REL_TABLE:
        leaf = plan_new(p, PLAN_SCAN, NULL);
        leaf->rel = rel;
        leaf->rows = rel->table->row_estimate >= 0 ? (double)rel->table->row_estimate : DEFAULT_ROWS;
        if (leaf->rows < 1) leaf->rows = 1;
        for (int i = 0; i < conditions->n; i++) {
            Expr *e = conditions->at[i];
            if (!p->options->no_optimise && mql_can_match(e, rel)) {
                vec_push(p->cc->arena, &leaf->match, e);
                leaf->rows *= selectivity(e, rel, leaf->rows);
            } else {
                vec_push(p->cc->arena, &rest, e);
            }
        }
        leaf->index = match_index(leaf);
        const Index *indexed = plan_indexed(p, rel, conditions, &leaf->match);
        if (!leaf->index) leaf->index = indexed;
        p->n_reads++;
        break;
    case REL_SUBQUERY:
        plan_block(p, rel->subquery);
        leaf = plan_new(p, PLAN_SUBQUERY, NULL);
        leaf->rows = rel->subquery->plan->root->rows;
        rest = *conditions;
        break;
    case REL_VALUES: leaf = plan_new(p, PLAN_VALUES, NULL); leaf->rows = rel->values.n; rest = *conditions; break;
    case REL_FUNCTION: leaf = plan_new(p, PLAN_FUNCTION, NULL); leaf->rows = 100; rest = *conditions; break;
    case REL_CTE_WORK: leaf = plan_new(p, PLAN_WORK, NULL); leaf->rows = 100; rest = *conditions; break;
    }
    (void)q;
    leaf->rel = rel;
    for (int c = 0; c < rel->columns.n; c++)
        if (rel->columns.at[c].slot >= 0) plan_add_slot(p, leaf, rel->columns.at[c].slot);
    return filter(p, leaf, rest);
}

/* ---- joins ---- */

static bool key_type(Type a, Type b) {
    return a.tag != TYPE_ROW && b.tag != TYPE_ROW && a.tag != TYPE_JSON && b.tag != TYPE_JSON && a.tag != TYPE_DOCUMENT && b.tag != TYPE_DOCUMENT && a.tag != TYPE_ARRAY &&
           b.tag != TYPE_ARRAY;
}

/* Sorts ON/WHERE conjuncts that span both sides into equality keys and the rest. */
static void split_keys(Planner *p, const Exprs *conditions, const Plan *left, const Plan *right, Plan *join) {
    for (int i = 0; i < conditions->n; i++) {
        Expr *e = conditions->at[i];
        bool key = e->tag == EXPR_COMPARE && e->op == OP_EQ && e->args.at[0]->tag != EXPR_ROW && !has_sublink(e);
        if (key) {
            Expr *a = e->args.at[0], *b = e->args.at[1];
            bool straight = plan_covered(a, &left->slots) && plan_covered(b, &right->slots) && plan_touches(b, &right->slots) && plan_touches(a, &left->slots);
            bool crossed = !straight && plan_covered(b, &left->slots) && plan_covered(a, &right->slots) && plan_touches(a, &right->slots) && plan_touches(b, &left->slots);
            if (straight || crossed) {
                vec_push(p->cc->arena, &join->left_keys, straight ? a : b);
                vec_push(p->cc->arena, &join->right_keys, straight ? b : a);
                continue;
            }
        }
        vec_push(p->cc->arena, &join->conditions, e);
    }
}

static Plan *scan_under(Plan *plan) {
    while (plan->tag == PLAN_FILTER) plan = plan->left;
    return plan->tag == PLAN_SCAN && !plan->grouped ? plan : NULL;
}

/* The equality key whose right side is a plain, indexed column of a scan: what a key join fetches by. -1: none. */
static int fetch_key(const Plan *join, Plan *right) {
    Plan *scan = scan_under(right);
    int best = -1;
    if (!scan || scan->limit || scan->offset || scan->never) return -1;
    for (int k = 0; k < join->right_keys.n; k++) {
        const Expr *var = join->right_keys.at[k];
        if (var->tag != EXPR_VAR || var->level != 0 || var->rel != scan->rel->id) continue;
        if (!key_type(join->left_keys.at[k]->type, var->type)) continue;
        if (column_unique(scan->rel, var->column)) return k;
        if (best < 0 && index_on(scan->rel, var->column)) best = k;
    }
    return best;
}

static bool right_unique(const Plan *join, Plan *right) {
    Plan *scan = scan_under(right);
    if (!scan) return false;
    for (int k = 0; k < join->right_keys.n; k++) {
        const Expr *var = join->right_keys.at[k];
        if (var->tag == EXPR_VAR && var->level == 0 && var->rel == scan->rel->id && column_unique(scan->rel, var->column)) return true;
    }
    return false;
}

static bool refers_to(const Plan *plan, const Ints *slots) {
    if (!plan) return false;
    for (int i = 0; i < plan->conditions.n; i++)
        if (plan_touches(plan->conditions.at[i], slots)) return true;
    if (plan->rel) {
        if (plan->rel->kind == REL_SUBQUERY && !plan->rel->cte && !query_visit_vars(plan->rel->subquery, slot_absent, (void *)slots)) return true;
        if (plan->rel->function && plan_touches(plan->rel->function, slots)) return true;
    }
    return refers_to(plan->left, slots) || refers_to(plan->right, slots);
}

/* Estimated cost of reading right rows one batch of keys at a time against reading it whole. */
static bool prefer_key(const Plan *left, const Plan *right_scan) {
    double all = right_scan->rows, outer = left->rows < 0 ? DEFAULT_ROWS : left->rows;
    if (all < 0) return true;
    return outer < all * 20 || all > 20000;
}

Plan *plan_join(Planner *p, JoinKind kind, Plan *left, Plan *right, const Exprs *conditions) {
    Plan *join = plan_new(p, PLAN_JOIN, left);
    join->right = right;
    join->kind = kind;
    if (kind != JOIN_SEMI && kind != JOIN_ANTI)
        for (int i = 0; i < right->slots.n; i++) plan_add_slot(p, join, right->slots.at[i]);
    split_keys(p, conditions, left, right, join);
    bool lateral = refers_to(right, &left->slots);
    join->key = -1;
    if (lateral) {
        join->method = METHOD_NESTED;
        join->rescan = true;
    } else {
        join->key = p->options->no_optimise || kind == JOIN_FULL || kind == JOIN_RIGHT ? -1 : fetch_key(join, right);
        if (join->key >= 0 && prefer_key(left, scan_under(right))) join->method = METHOD_KEY;
        else join->method = join->left_keys.n ? METHOD_HASH : METHOD_NESTED;
        join->unique_right = right_unique(join, right);
    }
    if (join->method == METHOD_NESTED) {
        /* Without a hash table keys are conditions like any other. */
        for (int k = 0; k < join->left_keys.n; k++) {
            Expr *e = NEW(p->cc->arena, Expr);
            *e = (Expr){.tag = EXPR_COMPARE, .type = TYPE(BOOL), .nullable = true, .op = OP_EQ, .pos = join->left_keys.at[k]->pos, .rel = -1, .column = -1, .slot = -1};
            vec_push(p->cc->arena, &e->args, join->left_keys.at[k]);
            vec_push(p->cc->arena, &e->args, join->right_keys.at[k]);
            vec_push(p->cc->arena, &join->conditions, e);
        }
        join->left_keys.n = join->right_keys.n = 0;
    }
    double l = left->rows < 0 ? DEFAULT_ROWS : left->rows, r = right->rows < 0 ? DEFAULT_ROWS : right->rows;
    if (kind == JOIN_SEMI || kind == JOIN_ANTI) join->rows = l / 2;
    else if (join->unique_right) join->rows = kind == JOIN_LEFT ? l : l * 0.9;
    else if (join->left_keys.n) join->rows = l * r / 100 > l ? l * 2 : l;
    else join->rows = l * r;
    if (kind == JOIN_LEFT && join->rows < l) join->rows = l;
    return join;
}

static Plan *plan_from(Planner *p, const Query *q, const From *f, Exprs *conditions);

/* Takes out of `conditions` what reads only `slots`. */
static Exprs take_covered(Planner *p, Exprs *conditions, const Ints *slots) {
    Exprs taken = {0}, rest = {0};
    for (int i = 0; i < conditions->n; i++) {
        Expr *e = conditions->at[i];
        if (plan_covered(e, slots) && !expr_is_volatile(e)) vec_push(p->cc->arena, &taken, e);
        else vec_push(p->cc->arena, &rest, e);
    }
    *conditions = rest;
    return taken;
}

static void from_slots(Planner *p, const Query *q, const From *f, Ints *out) {
    if (f->rel < 0) {
        from_slots(p, q, f->left, out);
        from_slots(p, q, f->right, out);
        return;
    }
    const Rel *rel = q->rels.at[f->rel];
    for (int c = 0; c < rel->columns.n; c++)
        if (rel->columns.at[c].slot >= 0) vec_push(p->cc->arena, out, rel->columns.at[c].slot);
}

/* ---- inner joins: one flat list, ordered here ---- */

typedef struct Item { const From *from; Plan *plan; Ints slots; bool used; bool fixed; } Item;
typedef struct Items { Item *at; int n, cap; } Items;

static void flatten(Planner *p, const Query *q, const From *f, Items *items, Exprs *conditions) {
    if (f->rel < 0 && (f->kind == JOIN_INNER || f->kind == JOIN_CROSS)) {
        plan_conjuncts(p, f->on, conditions);
        flatten(p, q, f->left, items, conditions);
        flatten(p, q, f->right, items, conditions);
        return;
    }
    Item item = {.from = f};
    from_slots(p, q, f, &item.slots);
    if (f->rel >= 0) item.fixed = q->rels.at[f->rel]->lateral;
    vec_push(p->cc->arena, items, item);
}

static bool connected(const Exprs *conditions, const Ints *have, const Item *item) {
    for (int i = 0; i < conditions->n; i++) {
        const Expr *e = conditions->at[i];
        if (e->tag != EXPR_COMPARE || e->op != OP_EQ) continue;
        if (plan_touches(e, have) && plan_touches(e, &item->slots)) return true;
    }
    return false;
}

/* Can `item` be fetched by an indexed key from what is there? Then its own size hardly matters. */
static double join_cost(Planner *p, const Exprs *conditions, const Plan *have, Item *item) {
    double rows = item->plan->rows < 0 ? DEFAULT_ROWS : item->plan->rows;
    Plan *scan = scan_under(item->plan);
    if (!scan) return rows;
    for (int i = 0; i < conditions->n; i++) {
        const Expr *e = conditions->at[i];
        if (e->tag != EXPR_COMPARE || e->op != OP_EQ) continue;
        for (int side = 0; side < 2; side++) {
            const Expr *var = e->args.at[side];
            if (var->tag != EXPR_VAR || var->level || var->rel != scan->rel->id || !plan_covered(e->args.at[1 - side], &have->slots)) continue;
            if (column_unique(scan->rel, var->column)) return have->rows < rows ? have->rows : rows;
            if (index_on(scan->rel, var->column)) return have->rows * 10 < rows ? have->rows * 10 : rows;
        }
    }
    (void)p;
    return rows;
}

static Plan *plan_inner(Planner *p, const Query *q, const From *f, Exprs *conditions) {
    Items items = {0};
    flatten(p, q, f, &items, conditions);
    for (int i = 0; i < items.n; i++) {
        Exprs own = take_covered(p, conditions, &items.at[i].slots);
        items.at[i].plan = items.at[i].from->rel >= 0 ? plan_rel(p, q, q->rels.at[items.at[i].from->rel], &own) : plan_from(p, q, items.at[i].from, &own);
        if (items.at[i].from->rel < 0) items.at[i].plan = filter(p, items.at[i].plan, own);
    }
    bool free_order = !p->options->no_optimise;
    for (int i = 0; i < items.n; i++) free_order &= !items.at[i].fixed;
    /* Start at the most selective item; ties keep the order of FROM, whose first table is what a reader expects to drive. */
    int first = 0;
    if (free_order)
        for (int i = 1; i < items.n; i++) {
            double best = items.at[first].plan->rows, rows = items.at[i].plan->rows;
            if (rows >= 0 && best >= 0 && rows * 4 < best) first = i;
        }
    Plan *plan = items.at[first].plan;
    items.at[first].used = true;
    for (int done = 1; done < items.n; done++) {
        int next = -1;
        double next_cost = 0;
        for (int i = 0; i < items.n; i++) {
            if (items.at[i].used) continue;
            if (!free_order) { next = i; break; }
            if (!connected(conditions, &plan->slots, &items.at[i])) continue;
            double cost = join_cost(p, conditions, plan, &items.at[i]);
            if (next < 0 || cost * 2 < next_cost) { next = i; next_cost = cost; }
        }
        for (int i = 0; i < items.n && next < 0; i++)
            if (!items.at[i].used) next = i;
        items.at[next].used = true;
        Ints both = {0};
        for (int i = 0; i < plan->slots.n; i++) vec_push(p->cc->arena, &both, plan->slots.at[i]);
        for (int i = 0; i < items.at[next].slots.n; i++) vec_push(p->cc->arena, &both, items.at[next].slots.at[i]);
        Exprs on = take_covered(p, conditions, &both);
        plan = plan_join(p, JOIN_INNER, plan, items.at[next].plan, &on);
    }
    return plan;
}

/* `conditions` come from above (WHERE) and may be applied here or below; what can't be is left in it. */
static Plan *plan_from(Planner *p, const Query *q, const From *f, Exprs *conditions) {
    if (f->rel >= 0) {
        Ints slots = {0};
        from_slots(p, q, f, &slots);
        Exprs own = take_covered(p, conditions, &slots);
        return plan_rel(p, q, q->rels.at[f->rel], &own);
    }
    switch (f->kind) {
    case JOIN_INNER: case JOIN_CROSS: return plan_inner(p, q, f, conditions);
    case JOIN_LEFT: case JOIN_RIGHT: {
        const From *outer = f->kind == JOIN_LEFT ? f->left : f->right, *inner = f->kind == JOIN_LEFT ? f->right : f->left;
        Exprs on = {0};
        plan_conjuncts(p, f->on, &on);
        Ints outer_slots = {0}, inner_slots = {0};
        from_slots(p, q, outer, &outer_slots);
        from_slots(p, q, inner, &inner_slots);
        /* WHERE conditions on the preserved side go below; those on the other side stay above (they see the NULLs that the join makes). */
        Exprs above = take_covered(p, conditions, &outer_slots);
        Plan *left = plan_from(p, q, outer, &above);
        left = filter(p, left, above);
        /* ON conditions on the inner side alone select its rows before the join. A condition without any column stays with the join. */
        Exprs inner_only = {0}, rest = {0};
        for (int i = 0; i < on.n; i++) {
            if (plan_covered(on.at[i], &inner_slots) && plan_touches(on.at[i], &inner_slots) && !expr_is_volatile(on.at[i])) vec_push(p->cc->arena, &inner_only, on.at[i]);
            else vec_push(p->cc->arena, &rest, on.at[i]);
        }
        Plan *right = plan_from(p, q, inner, &inner_only);
        right = filter(p, right, inner_only);
        return plan_join(p, JOIN_LEFT, left, right, &rest);
    }
    case JOIN_FULL: {
        Exprs on = {0}, none = {0}, none_too = {0};
        plan_conjuncts(p, f->on, &on);
        Plan *left = plan_from(p, q, f->left, &none), *right = plan_from(p, q, f->right, &none_too);
        return plan_join(p, JOIN_FULL, left, right, &on);
    }
    case JOIN_SEMI: case JOIN_ANTI: break;
    }
    return NULL;
}

Plan *plan_from_items(Planner *p, const Query *q, const From *f, Exprs *conditions) { return plan_from(p, q, f, conditions); }

/* ---- one block ---- */

static bool is_false(const Expr *e) { return e->tag == EXPR_CONST && (e->value.type == SQM_NULL || (e->value.type == SQM_BOOL && !e->value.u.b)); }
static bool is_true(const Expr *e) { return e->tag == EXPR_CONST && e->value.type == SQM_BOOL && e->value.u.b; }

static Plan *driving_scan(Plan *plan) {
    for (;;) {
        if (plan->tag == PLAN_SCAN) return plan->grouped ? NULL : plan;
        if (plan->tag == PLAN_FILTER) { plan = plan->left; continue; }
        if (plan->tag == PLAN_JOIN && plan->kind != JOIN_FULL && plan->kind != JOIN_RIGHT) { plan = plan->left; continue; }
        return NULL;
    }
}

/* ORDER BY on the columns of the collection that drives the joins: joins and filters keep its order, so the server sorts, by an index when there is one. */
static bool push_sort(Planner *p, const Query *q, Plan *plan) {
    Plan *scan = driving_scan(plan);
    if (!scan || scan->sort.n || q->order.n > 32) return false;
    for (int i = 0; i < q->order.n; i++) {
        const Expr *e = q->order.at[i].expr;
        if (e->tag != EXPR_VAR || e->level || e->rel != scan->rel->id || !mql_can_sort(&q->order.at[i], scan->rel)) return false;
        for (int k = 0; k < i; k++)   /* a sort document can't name a field twice */
            if (expr_equal(q->order.at[k].expr, e)) return false;
    }
    for (int i = 0; i < q->order.n; i++) vec_push(p->cc->arena, &scan->sort, q->order.at[i]);
    return true;
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
        return plan;
    }
    Plan *l = plan_new(p, PLAN_LIMIT, plan);
    l->limit = q->limit;
    l->offset = q->offset;
    l->with_ties = q->with_ties;
    if (plan->tag == PLAN_SORT && q->limit && !q->with_ties) {
        plan->limit = q->limit;
        plan->offset = q->offset;
    }
    return l;
}

static Plan *sort(Planner *p, const Query *q, Plan *plan) {
    plan = plan_new(p, PLAN_SORT, plan);
    for (int i = 0; i < q->order.n; i++) vec_push(p->cc->arena, &plan->keys, q->order.at[i]);
    return plan;
}

static Plan *lock(Planner *p, Query *q, Plan *plan) {
    Plan *l = plan_new(p, PLAN_LOCK, plan);
    for (int i = 0; i < q->locking.n; i++) {
        const AstLocking *one = &q->locking.at[i];
        if (one->wait == LOCK_SKIP) fail(p->cc, SQM_ERROR_NOT_SUPPORTED, one->pos, "SKIP LOCKED is not supported: MongoDB tells of a lock only by failing");
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

/* _id of every table to be locked must be fetched: decided before scans are made. */
static void lock_columns(Planner *p, Query *q) {
    for (int i = 0; i < q->locking.n; i++)
        for (int k = 0; k < q->rels.n; k++)
            if (q->rels.at[k]->kind == REL_TABLE) var_new(p->cc->arena, q, q->rels.at[k], rel_id_column(p->cc->arena, q->rels.at[k]));
}

/* LIMIT sinks below a projection that only renames or computes: fewer values to compute, fewer bytes to fetch. */
void plan_block(Planner *p, Query *q) {
    if (q->plan) return;
    QueryPlan *qp = NEW(p->cc->arena, QueryPlan);
    q->plan = qp;
    qp->query = q;
    qp->correlated = q->correlated;
    for (int i = 0; i < q->ctes.n; i++) {
        Cte *cte = q->ctes.at[i];
        cte->materialised = cte->recursive || cte->references > 1 || cte->query->is_volatile;
        plan_block(p, cte->query);
    }
    Plan *plan;
    Exprs conditions = {0};
    plan_conjuncts(p, q->where, &conditions);
    SemiJoin *const *semi = NULL;
    int n_semi = 0;
    if (q->set_op != SET_NONE) {
        plan_block(p, q->left);
        plan_block(p, q->right);
        plan = plan_new(p, PLAN_SETOP, NULL);
        for (int i = 0; i < q->n_visible; i++) plan_add_slot(p, plan, q->targets.at[i].slot);
        plan->rows = q->left->plan->root->rows < 0 || q->right->plan->root->rows < 0 ? -1 : q->left->plan->root->rows + q->right->plan->root->rows;
    } else {
        lock_columns(p, q);
        if (!p->options->no_optimise) {
            plan_unnest(p, q, &conditions);
            semi = p->semi.at;
            n_semi = p->semi.n;
            p->semi.at = NULL;   /* nested blocks have lists of their own */
            p->semi.n = p->semi.cap = 0;
        }
        bool never = false;
        Exprs kept = {0};
        for (int i = 0; i < conditions.n; i++) {
            if (is_false(conditions.at[i])) never = true;
            if (!is_true(conditions.at[i])) vec_push(p->cc->arena, &kept, conditions.at[i]);
        }
        conditions = kept;
        if (!q->from || (never && !p->options->no_optimise)) {
            plan = plan_new(p, PLAN_RESULT, NULL);
            plan->rows = never ? 0 : 1;
            plan->never = never;
            if (q->from) {
                Ints slots = {0};
                from_slots(p, q, q->from, &slots);
                for (int i = 0; i < slots.n; i++) plan_add_slot(p, plan, slots.at[i]);
            }
            if (!never) plan = filter(p, plan, conditions);
        } else {
            plan = plan_from(p, q, q->from, &conditions);
            plan = filter(p, plan, conditions);
        }
        plan = plan_semi_joins(p, q, plan, semi, n_semi);
    }
    if (q->grouped) {
        bool pushed = plan->tag == PLAN_SCAN && !plan->never && !p->options->no_optimise && mql_can_group(q, plan->rel);
        if (pushed) {
            plan->grouped = true;
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
        plan = filter(p, plan, having);
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
        plan = limit(p, q, plan);
        if (q->locking.n) plan = lock(p, q, plan);
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
        plan = limit(p, q, plan);
        if (q->locking.n) plan = lock(p, q, plan);
    }
    qp->root = plan;
    qp->n_slots = q->n_slots;
    for (int i = 0; i < q->n_visible; i++) vec_push(p->cc->arena, &qp->output, q->targets.at[i].slot);
}

/* Scans fetch what somebody still reads: a column that only a pushed condition, sort or grouping mentions stays on the server. */
static bool mark(const Expr *var, void *context) {
    bool *slots = context;
    if (var->slot >= 0) slots[var->slot] = true;
    return true;
}

static void mark_all(const Exprs *list, bool *slots) {
    for (int i = 0; i < list->n; i++) plan_visit_vars(list->at[i], mark, slots);
}

static void mark_plan(const Query *q, const Plan *plan, bool *slots) {
    if (!plan) return;
    mark_plan(q, plan->left, slots);
    mark_plan(q, plan->right, slots);
    mark_all(&plan->conditions, slots);
    mark_all(&plan->left_keys, slots);
    mark_all(&plan->right_keys, slots);
    for (int i = 0; i < plan->keys.n; i++) plan_visit_vars(plan->keys.at[i].expr, mark, slots);
    if (plan->tag == PLAN_GROUP) {
        mark_all(&q->group_keys, slots);
        mark_all(&q->aggs, slots);
    }
    if (plan->rel) {
        if (plan->rel->kind == REL_SUBQUERY && !plan->rel->cte) query_visit_vars(plan->rel->subquery, mark, slots);
        if (plan->rel->function) plan_visit_vars(plan->rel->function, mark, slots);
        for (int v = 0; v < plan->rel->values.n; v++) mark_all(&plan->rel->values.at[v], slots);
    }
    if (plan->tag == PLAN_LOCK)
        for (int i = 0; i < plan->lock_rels.n; i++) {
            const Rel *rel = q->rels.at[plan->lock_rels.at[i]];
            for (int c = 0; c < rel->columns.n; c++)
                if (str_is(rel_field(rel, c), "_id") && rel->columns.at[c].slot >= 0) slots[rel->columns.at[c].slot] = true;
        }
}

static void prune_scans(Planner *p, Plan *plan, const bool *slots) {
    if (!plan) return;
    prune_scans(p, plan->left, slots);
    prune_scans(p, plan->right, slots);
    if (plan->tag != PLAN_SCAN || plan->grouped) return;
    scan_columns(p, plan);
    int kept = 0;
    for (int i = 0; i < plan->columns.n; i++)
        if (slots[plan->columns.at[i].slot]) plan->columns.at[kept++] = plan->columns.at[i];
    plan->columns.n = kept;
}

static void prune_block(Planner *p, Query *q) {
    if (q->set_op != SET_NONE) {
        prune_block(p, q->left);
        prune_block(p, q->right);
    }
    for (int i = 0; i < q->rels.n; i++)
        if (q->rels.at[i]->kind == REL_SUBQUERY && !q->rels.at[i]->cte && q->rels.at[i]->subquery->plan) prune_block(p, q->rels.at[i]->subquery);
    bool *slots = NEW_ARRAY(p->cc->arena, bool, q->n_slots + 1);
    for (int i = 0; i < q->targets.n; i++) {
        plan_visit_vars(q->targets.at[i].expr, mark, slots);
        slots[q->targets.at[i].slot] = true;
    }
    for (int i = 0; i < q->window_defs.n; i++) {
        mark_all(&q->window_defs.at[i].partition, slots);
        for (int k = 0; k < q->window_defs.at[i].order.n; k++) plan_visit_vars(q->window_defs.at[i].order.at[k].expr, mark, slots);
    }
    mark_all(&q->windows, slots);
    for (int i = 0; i < q->windows.n; i++) plan_visit_vars(q->windows.at[i]->filter, mark, slots);
    for (int i = 0; i < q->order.n; i++)
        if (q->with_ties) plan_visit_vars(q->order.at[i].expr, mark, slots);
    mark_all(&q->distinct_on, slots);
    mark_plan(q, q->plan->root, slots);
    prune_scans(p, q->plan->root, slots);
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
    bool command = !p->options->no_optimise && single_table(m->rows) && !m->whole_rows;
    for (int i = 0; i < conditions.n && command; i++) command = mql_can_match(conditions.at[i], rel);
    mp->by_constants = true;
    for (int i = 0; i < m->set.n && command; i++) {
        const Assign *a = &m->set.at[i];
        Str field = rel_field(rel, a->column);
        if (str_is(field, "_id")) command = false;
        bool constant = expr_is_constant(a->value) && !has_sublink(a->value);
        if (!constant) {
            mp->by_constants = false;
            /* Only where storing can't need a check that the server doesn't make: integers go through $toInt/$toLong, which raise (smallint has none). */
            Type to = m->table->columns.at[a->column].type;
            command = command && type_is_integer(to) && to.tag != TYPE_INT2 && type_is_integer(a->value->type) && mql_can_express(a->value, rel);
        }
    }
    for (int i = 0; i < m->foreign.n && command; i++)       /* their values must be known here */
        for (int k = 0; k < m->set.n; k++)
            if (m->set.at[k].column == m->foreign.at[i].child_column) command = command && expr_is_constant(m->set.at[k].value) && !has_sublink(m->set.at[k].value);
    if (!command) return mp;
    mp->method = MODIFY_COMMAND;
    mp->match = conditions;
    plan_indexed(p, rel, &conditions, &mp->match);
    return mp;
}

/* ---- statements ---- */

StatementPlan *plan_statement(Compile *cc, Resolved *r, const PlanOptions *options) {
    Planner p = {.cc = cc, .resolved = r, .options = options};
    StatementPlan *sp = NEW(cc->arena, StatementPlan);
    sp->resolved = r;
    if (r->query) {
        plan_block(&p, r->query);
        sp->query = r->query->plan;
    }
    if (r->insert && r->insert->source) {
        plan_block(&p, r->insert->source);
        sp->query = r->insert->source->plan;
    }
    if (r->modify) {
        sp->modify = plan_modify(&p, r);
        if (sp->modify->method == MODIFY_ROWS) {
            plan_block(&p, r->modify->rows);
            sp->query = r->modify->rows->plan;
        }
    }
    for (int i = 0; i < r->sublinks.n; i++) {
        if (r->sublinks.at[i]->unnested) continue;
        plan_block(&p, r->sublinks.at[i]->subquery);
        if (r->sublinks.at[i]->subquery->correlated) p.n_reads++;
    }
    if (sp->query) prune_block(&p, sp->query->query);
    for (int i = 0; i < r->sublinks.n; i++)
        if (!r->sublinks.at[i]->unnested) prune_block(&p, r->sublinks.at[i]->subquery);
    for (int i = 0; i < r->ctes.n; i++) prune_block(&p, r->ctes.at[i]->query);
    sp->n_reads = p.n_reads;
    return sp;
}
