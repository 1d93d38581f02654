/* plan_join.c - FROM and WHERE -> Plan: which relation is read when, and how each next one is joined to what is there.
 *
 * In:  a FROM tree and the conjuncts of WHERE.  Out: a tree of SCANs, JOINs and FILTERs that sets the slots of all its relations; conjuncts that were applied
 * are taken out of the list.
 *   - Conditions go as low as they may: into the SCAN of the one relation they speak of (mql_can_match), else to the first join that has all their columns.
 *     A preserved side of an outer join takes conditions of WHERE, the other side only those of ON.
 *   - Inner joins are one flat list: it starts at the relation of which the fewest rows are expected, and goes on with what an indexed key reaches.
 *         book b JOIN author a ON a.id = b.author_id WHERE a.name = 'X'    ->    Join by key (Scan author match name = 'X', Scan book by author_id)
 *   - A join is by KEY when the right side is a scan with an indexed key column and isn't cheaper to read whole, else by HASH, else NESTED.
 * Estimates are guesses in PostgreSQL's spirit, from row counts (where known), indexes and the shape of conditions; no answer depends on them. */
#include "plan_internal.h"

#include "mql.h"

/* ---- relations ---- */

/* Guesses good enough to choose a side: PostgreSQL's defaults in spirit. */
enum { DEFAULT_ROWS = 1000, FEWEST_ROWS = 100 };     /* fewest: a count may be old, and a table that is filled now is empty at first */

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

Plan *plan_filter(Planner *p, Plan *below, Exprs conditions) {
    if (!conditions.n) return below;
    Plan *f = plan_new(p, PLAN_FILTER, below);
    f->conditions = conditions;
    return f;
}

/* -1: not known. A statement that has nothing to choose doesn't ask: it would cost a command. */
static double row_count(Planner *p, const Query *q, const Rel *rel) {
    int64_t rows;
    bool choice = q->rels.n > 1 || p->semi.n || q->parent || (q->order.n && q->limit);
    if (choice && p->options->rows && !p->options->no_optimise && rel->table->declared && p->options->rows(p->options->rows_context, rel->table->name, &rows) && rows >= 0)
        return rows < FEWEST_ROWS ? FEWEST_ROWS : (double)rows;
    return rel->table->row_estimate >= 0 ? (double)rel->table->row_estimate : -1;
}

/* All rows of a scan's table, guessed if need be. */
static double whole(const Plan *scan) { return scan->total < 0 ? DEFAULT_ROWS : scan->total < 1 ? 1 : scan->total; }

/* EXISTS over an array of the row: a part of the command now, run by nobody. */
static Walk mark_pushed(Expr *e, void *context) {
    if (e->tag == EXPR_SUBLINK && e->sublink == SUBLINK_EXISTS && e->subquery->correlated) {
        e->unnested = true;
        expr_walk(e->subquery->where, mark_pushed, context);
    }
    return WALK_ON;
}

void plan_mark_pushed(Expr *condition) { expr_walk(condition, mark_pushed, NULL); }

/* A leaf of FROM with the conditions that speak of it alone. */
static Plan *plan_rel(Planner *p, const Query *q, const Rel *rel, const Exprs *conditions) {
    Exprs rest = {0};
    Plan *leaf = NULL;
    switch (rel->kind) {
    case REL_TABLE:
        leaf = plan_new(p, PLAN_SCAN, NULL);
        leaf->rel = rel;
        leaf->total = row_count(p, q, rel);
        leaf->rows = whole(leaf);
        for (int i = 0; i < conditions->n; i++) {
            Expr *e = conditions->at[i];
            if ((!p->options->no_optimise && mql_can_match(e, rel)) || mql_can_native(e, rel)) {
                vec_push(p->cc->arena, &leaf->match, e);
                plan_mark_pushed(e);
                leaf->rows *= selectivity(e, rel, leaf->rows);
            } else {
                vec_push(p->cc->arena, &rest, e);
                if (!p->options->no_optimise && mql_can_narrow(e, rel)) vec_push(p->cc->arena, &leaf->narrow, e);
            }
        }
        leaf->index = match_index(leaf);
        const Index *indexed = plan_indexed(p, rel, conditions, &leaf->match);
        if (!leaf->index) leaf->index = indexed;
        p->n_reads++;
        if (!p->options->no_optimise) plan_push_keys(p, leaf);
        break;
    case REL_SUBQUERY:
        rest = plan_push_derived(p, rel, conditions);
        plan_block(p, rel->subquery);
        leaf = plan_new(p, PLAN_SUBQUERY, NULL);
        leaf->rows = rel->subquery->plan->root->rows;
        break;
    case REL_VALUES: leaf = plan_new(p, PLAN_VALUES, NULL); leaf->rows = rel->values.n; rest = *conditions; break;
    case REL_FUNCTION: leaf = plan_new(p, PLAN_FUNCTION, NULL); leaf->rows = 100; rest = *conditions; break;
    case REL_CTE_WORK: leaf = plan_new(p, PLAN_WORK, NULL); leaf->rows = 100; rest = *conditions; break;
    }
    (void)q;
    leaf->rel = rel;
    for (int c = 0; c < rel->columns.n; c++)
        if (rel->columns.at[c].slot >= 0) plan_add_slot(p, leaf, rel->columns.at[c].slot);
    return plan_filter(p, leaf, rest);
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
        bool key = e->tag == EXPR_COMPARE && e->op == OP_EQ && e->args.at[0]->tag != EXPR_ROW && !plan_has_sublink(e);
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

/* Is the right side of this equality a plain column of the scan? */
static bool is_fetchable(const Plan *join, const Plan *scan, int k) {
    const Expr *var = join->right_keys.at[k];
    return var->tag == EXPR_VAR && var->level == 0 && var->rel == scan->rel->id && key_type(join->left_keys.at[k]->type, var->type);
}

/* The keys of the columns that the index begins with, in its order; those that the server compares exactly as we do. */
static Ints keys_of_index(Planner *p, const Plan *join, const Plan *scan, const Index *index) {
    Ints keys = {0};
    for (int i = 0; i < index->keys.n && keys.n == i && i < MOST_KEY_COLUMNS; i++)
        for (int k = 0; k < join->right_keys.n && keys.n == i; k++) {
            const Expr *var = join->right_keys.at[k];
            bool plain = plan_same_equality(join->left_keys.at[k]->type, var->type) && !(scan->rel->table->legacy && var->type.tag == TYPE_UUID);
            if (plain && is_fetchable(join, scan, k) && var->column == index->keys.at[i].column && !index->keys.at[i].path.n) vec_push(p->cc->arena, &keys, k);
        }
    return keys;
}

/* The equality keys whose right side is a plain, indexed column of a scan: what a key join fetches by. Empty: none. */
static Ints fetch_keys(Planner *p, const Plan *join, Plan *right) {
    Plan *scan = scan_under(right);
    Ints best = {0};
    if (!scan || scan->limit || scan->offset || scan->never) return best;
    for (int k = 0; k < join->right_keys.n; k++) {
        if (!is_fetchable(join, scan, k)) continue;
        int column = join->right_keys.at[k]->column;
        bool unique = column_unique(scan->rel, column);
        if (unique) best.n = 0;
        if (unique || (!best.n && index_on(scan->rel, column))) vec_push(p->cc->arena, &best, k);
        if (unique) return best;
    }
    for (int i = 0; best.n && i < scan->rel->table->indexes.n; i++) {
        const Index *index = &scan->rel->table->indexes.at[i];
        Ints keys = table_index_leads(scan->rel->table, index) ? keys_of_index(p, join, scan, index) : (Ints){0};
        if (keys.n > best.n) best = keys;
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
        if (plan->rel->kind == REL_SUBQUERY && !plan->rel->cte && !plan_query_visit_vars(plan->rel->subquery, plan_slot_absent, (void *)slots)) return true;
        if (plan->rel->function && plan_touches(plan->rel->function, slots)) return true;
    }
    return refers_to(plan->left, slots) || refers_to(plan->right, slots);
}

static double driven_rows(const Query *q, const Plan *left);

/* ---- what joins cost: documents read, and a round trip as so many of them ---- */

enum { ROUND_TRIP = 20, FANOUT = 10, KEYS_AT_ONCE = 5000, WHOLE_AT_MOST = 20000 };

static double least(double a, double b) { return a < b ? a : b; }

/* How many rows of the scan's table have one value of this column, when `other` is what it is compared with. A key of `other`'s table has one row for each of its
 * values, so a foreign key to it has as many rows for each as the tables' sizes say. */
static double rows_per_key(const Query *q, const Plan *scan, const Expr *var, const Expr *other, const Plan *left) {
    if (column_unique(scan->rel, var->column)) return 1;
    if (other->tag == EXPR_VAR && !other->level && other->rel >= 0 && column_unique(q->rels.at[other->rel], other->column)) {
        const Plan *parent = plan_scan_of(left, other->rel);
        if (parent && scan->total >= 0 && parent->total > 0) return scan->total > parent->total ? scan->total / parent->total : 1;
    }
    return FANOUT;
}

/* Reading the rows for the keys of `outer` left rows, against reading the whole right side. */
static bool prefer_key(const Query *q, const Plan *join, const Plan *scan, double outer) {
    if (scan->total < 0) return outer < scan->rows * 20 || scan->rows > WHOLE_AT_MOST;
    if (scan->rows > WHOLE_AT_MOST) return true;        /* that much isn't kept in memory at once */
    int first = join->fetch.at[0], at_once = join->fetch.n > 1 ? TUPLE_BRANCHES : KEYS_AT_ONCE;
    double each = join->fetch.n > 1 ? 1 : rows_per_key(q, scan, join->right_keys.at[first], join->left_keys.at[first], join->left);
    return least(outer * each, whole(scan)) + (double)(int)(outer / at_once) * ROUND_TRIP < scan->rows;
}

Plan *plan_join(Planner *p, const Query *q, JoinKind kind, Plan *left, Plan *right, const Exprs *conditions) {
    Plan *join = plan_new(p, PLAN_JOIN, left);
    join->right = right;
    join->kind = kind;
    if (kind != JOIN_SEMI && kind != JOIN_ANTI)
        for (int i = 0; i < right->slots.n; i++) plan_add_slot(p, join, right->slots.at[i]);
    split_keys(p, conditions, left, right, join);
    bool lateral = refers_to(right, &left->slots);
    if (lateral) {
        join->method = METHOD_NESTED;
        join->rescan = true;
    } else {
        if (!p->options->no_optimise && kind != JOIN_FULL && kind != JOIN_RIGHT) join->fetch = fetch_keys(p, join, right);
        if (join->fetch.n && prefer_key(q, join, scan_under(right), driven_rows(q, left))) join->method = METHOD_KEY;
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

void plan_from_slots(Planner *p, const Query *q, const From *f, Ints *out) {
    if (f->rel < 0) {
        plan_from_slots(p, q, f->left, out);
        plan_from_slots(p, q, f->right, out);
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
    plan_from_slots(p, q, f, &item.slots);
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

/* Joining `item` to `rows` rows of `have`: what it costs, and how many rows come out. By an indexed key the item's own size hardly matters. */
static double join_cost(const Query *q, const Exprs *conditions, const Items *items, const Ints *have, double rows, const Item *item, double *out) {
    double own = item->plan->rows < 0 ? DEFAULT_ROWS : item->plan->rows, best = own + ROUND_TRIP;
    Plan *scan = scan_under(item->plan);
    *out = connected(conditions, have, item) ? (rows > own ? rows : own) : rows * own;
    if (!scan) return best;
    for (int i = 0; i < conditions->n; i++) {
        const Expr *e = conditions->at[i];
        if (e->tag != EXPR_COMPARE || e->op != OP_EQ) continue;
        for (int side = 0; side < 2; side++) {
            const Expr *var = e->args.at[side], *other = e->args.at[1 - side];
            if (var->tag != EXPR_VAR || var->level || var->rel != scan->rel->id || !plan_covered(other, have)) continue;
            double each = FANOUT;
            if (column_unique(scan->rel, var->column)) each = 1;
            for (int k = 0; k < items->n && each > 1; k++)
                if (items->at[k].from->rel >= 0 && plan_covered(other, &items->at[k].slots)) each = rows_per_key(q, scan, var, other, items->at[k].plan);
            double found = least(rows * each, rows > whole(scan) ? rows * each : whole(scan));
            *out = found * own / whole(scan);
            if (!index_on(scan->rel, var->column) && !is_id(scan->rel, var->column)) continue;
            double cost = least(rows * each, whole(scan)) + ROUND_TRIP * (1 + rows / KEYS_AT_ONCE);
            if (cost < best) best = cost;
        }
    }
    return best;
}

/* How many rows of `plan`'s driving collection are wanted at all: LIMIT + OFFSET where its order is the block's, or there is none. < 0: all. */
static double wanted_rows(const Query *q, const Plan *plan) {
    const Plan *scan = plan_driving_scan((Plan *)plan);
    if (!q->limit || !scan || q->grouped || q->windows.n || q->distinct || q->set_op != SET_NONE) return -1;
    for (int i = 0; i < q->order.n; i++)
        if (!mql_can_sort(&q->order.at[i], scan->rel)) return -1;
    double n = 0;
    const Expr *both[] = {q->limit, q->offset};
    for (int i = 0; i < 2; i++)
        if (both[i]) n += both[i]->tag == EXPR_CONST && both[i]->value.type == SQM_INT ? (double)both[i]->value.u.i : 100;
    return n;
}

static double driven_rows(const Query *q, const Plan *left) {
    double rows = left->rows < 0 ? DEFAULT_ROWS : left->rows, wanted = wanted_rows(q, left);
    return wanted >= 0 && wanted < rows ? wanted : rows;
}

/* The rest of the order when item `first` drives: always what is cheapest to join next, in FROM's order where that is about the same. */
static double order_from(Planner *p, const Query *q, const Exprs *conditions, Items *items, int first, int *order) {
    Ints have = {0};
    const Item *driver = &items->at[first];
    double own = driver->plan->rows < 0 ? DEFAULT_ROWS : driver->plan->rows, rows = driven_rows(q, driver->plan);
    double cost = ROUND_TRIP + (rows < own ? rows + (own - rows) / 4 : own);       /* what is sorted away stays on the server */
    for (int i = 0; i < items->n; i++) items->at[i].used = false;
    for (int done = 0;; done++) {
        items->at[first].used = true;
        order[done] = first;
        for (int i = 0; i < items->at[first].slots.n; i++) vec_push(p->cc->arena, &have, items->at[first].slots.at[i]);
        if (done == items->n - 1) return cost;
        int next = -1;
        double next_cost = 0, next_out = 0, out;
        for (int i = 0; i < items->n; i++) {
            if (items->at[i].used || !connected(conditions, &have, &items->at[i])) continue;
            double c = join_cost(q, conditions, items, &have, rows, &items->at[i], &out);
            if (next < 0 || (c + out) * 1.5 < next_cost + next_out) { next = i; next_cost = c; next_out = out; }
        }
        for (int i = 0; i < items->n && next < 0; i++)
            if (!items->at[i].used) {
                next = i;
                next_cost = join_cost(q, conditions, items, &have, rows, &items->at[i], &next_out);
            }
        cost += next_cost;
        rows = next_out;
        first = next;
    }
}

static Plan *plan_inner(Planner *p, const Query *q, const From *f, Exprs *conditions) {
    Items items = {0};
    flatten(p, q, f, &items, conditions);
    for (int i = 0; i < items.n; i++) {
        Exprs own = take_covered(p, conditions, &items.at[i].slots);
        items.at[i].plan = items.at[i].from->rel >= 0 ? plan_rel(p, q, q->rels.at[items.at[i].from->rel], &own) : plan_from(p, q, items.at[i].from, &own);
        if (items.at[i].from->rel < 0) items.at[i].plan = plan_filter(p, items.at[i].plan, own);
    }
    bool free_order = !p->options->no_optimise;
    for (int i = 0; i < items.n; i++) free_order &= !items.at[i].fixed;
    int *order = NEW_ARRAY(p->cc->arena, int, items.n), *other = NEW_ARRAY(p->cc->arena, int, items.n);
    for (int i = 0; i < items.n; i++) order[i] = i;
    if (free_order) {
        /* Each may drive; about the same cost keeps the order of FROM, whose first table is what a reader expects to drive. */
        enum { MOST = 12 };
        double best = order_from(p, q, conditions, &items, 0, order);
        for (int i = 1; i < items.n && items.n <= MOST; i++) {
            double cost = order_from(p, q, conditions, &items, i, other);
            if (cost * 1.5 < best) {
                best = cost;
                memcpy(order, other, sizeof *order * (size_t)items.n);
            }
        }
    }
    Plan *plan = items.at[order[0]].plan;
    for (int done = 1; done < items.n; done++) {
        Item *next = &items.at[order[done]];
        Ints both = {0};
        for (int i = 0; i < plan->slots.n; i++) vec_push(p->cc->arena, &both, plan->slots.at[i]);
        for (int i = 0; i < next->slots.n; i++) vec_push(p->cc->arena, &both, next->slots.at[i]);
        Exprs on = take_covered(p, conditions, &both);
        plan = plan_join(p, q, JOIN_INNER, plan, next->plan, &on);
    }
    return plan;
}

/* `conditions` come from above (WHERE) and may be applied here or below; what can't be is left in it. */
static Plan *plan_from(Planner *p, const Query *q, const From *f, Exprs *conditions) {
    if (f->rel >= 0) {
        Ints slots = {0};
        plan_from_slots(p, q, f, &slots);
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
        plan_from_slots(p, q, outer, &outer_slots);
        plan_from_slots(p, q, inner, &inner_slots);
        /* WHERE conditions on the preserved side go below; those on the other side stay above (they see the NULLs that the join makes). */
        Exprs above = take_covered(p, conditions, &outer_slots);
        Plan *left = plan_from(p, q, outer, &above);
        left = plan_filter(p, left, above);
        /* ON conditions on the inner side alone select its rows before the join. A condition without any column stays with the join. */
        Exprs inner_only = {0}, rest = {0};
        for (int i = 0; i < on.n; i++) {
            if (plan_covered(on.at[i], &inner_slots) && plan_touches(on.at[i], &inner_slots) && !expr_is_volatile(on.at[i])) vec_push(p->cc->arena, &inner_only, on.at[i]);
            else vec_push(p->cc->arena, &rest, on.at[i]);
        }
        Plan *right = plan_from(p, q, inner, &inner_only);
        right = plan_filter(p, right, inner_only);
        return plan_join(p, q, JOIN_LEFT, left, right, &rest);
    }
    case JOIN_FULL: {
        Exprs on = {0}, none = {0}, none_too = {0};
        plan_conjuncts(p, f->on, &on);
        Plan *left = plan_from(p, q, f->left, &none), *right = plan_from(p, q, f->right, &none_too);
        return plan_join(p, q, JOIN_FULL, left, right, &on);
    }
    case JOIN_SEMI: case JOIN_ANTI: break;
    }
    return NULL;
}

Plan *plan_from_items(Planner *p, const Query *q, const From *f, Exprs *conditions) { return plan_from(p, q, f, conditions); }
