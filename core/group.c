/* group.c - PLAN_GROUP: hash aggregate of query->group_keys and query->aggs, one pass over the input per row and grouping set.
 *
 * In: rows in any order. Out: one row per group, in order of the group's first row (grouping set by grouping set): group_slots hold the keys (NULL where
 * the set leaves a key out), agg_slots the results, grouping_slot a mask in which bit i says that key i is left out. NULL keys form one group.
 * Without keys there is exactly one row, also for an empty input; so there is for an empty grouping set.
 *     SELECT a, count(DISTINCT b), string_agg(c, ',' ORDER BY d) FILTER (WHERE e) ... GROUP BY a
 * FILTER is asked first, then a NULL first argument is skipped where the aggregate ignores NULLs, then DISTINCT. Arguments of an aggregate with
 * ORDER BY (or WITHIN GROUP, or DISTINCT where order shows) are kept and stepped at the end, sorted; DISTINCT without ORDER BY sorts by the arguments,
 * as PostgreSQL does. All groups are in memory, charged to the statement. What the server groups never comes here (scan.c). */
#include "node.h"

typedef struct Kept { Value **at; int n, cap; } Kept;         /* rows of [arguments][order keys] that wait for the end */

typedef struct Call {
    const Expr *expr;
    const Aggregate *aggregate;
    int n_args, n_order;
    bool sorted;                /* wait until the end */
    SortKeys order;             /* of the kept rows; expressions unused */
    int order_at;               /* where in a kept row they begin */
    Hash distinct;              /* [group number][arguments] */
    size_t state;               /* offset in the group's states */
} Call;

typedef struct Set {            /* one grouping set */
    bool *has;                  /* which keys are in it; NULL: all */
    int64_t mask;
    Hash groups;
    Value *single;              /* no keys at all */
} Set;

typedef struct GroupNode {
    Node node;
    Call *calls;
    int n_calls, n_keys;
    Set *sets;
    int n_sets;
    size_t keys_size, states_size;      /* a group: [keys][number][states][Kept of each call] */
    Rows store;                 /* only its arena: groups, states, kept arguments */
    Value *keys, *args, *key_of_set, **row_groups;
    bool loaded;
    int64_t groups;
    int at_set, at;
} GroupNode;

static char *states_of(const GroupNode *g, Value *group) { return (char *)group + g->keys_size; }
static Kept *kept_of(const GroupNode *g, Value *group) { return (Kept *)(states_of(g, group) + g->states_size); }

static bool order_shows(const char *name) { return strstr(name, "_agg") != NULL; }

static void prepare_call(GroupNode *g, QueryRun *run, Call *c, const Expr *e) {
    Arena *a = &run->arena;
    c->expr = e;
    c->aggregate = e->aggregate;
    c->n_args = e->args.n;
    c->n_order = e->order ? e->order->n : 0;
    c->sorted = c->n_order || (e->distinct && order_shows(e->aggregate->name));
    if (c->n_order) {
        c->order = *e->order;
        c->order_at = c->n_args;
    } else if (c->sorted) {
        for (int i = 0; i < c->n_args; i++) {
            SortKey by_argument = {e->args.at[i], false, true};
            vec_push(a, &c->order, by_argument);
        }
    }
    c->state = g->states_size;
    g->states_size += (e->aggregate->state_size + 15) & ~(size_t)15;
    hash_init(&c->distinct, run->x, 0, c->n_args + 1);
}

static Value *new_group(GroupNode *g, const Value *keys) {
    Value *group = arena_alloc(&g->store.arena, g->keys_size + g->states_size + sizeof(Kept) * (size_t)g->n_calls);
    for (int i = 0; i < g->n_keys; i++) group[i] = value_keep(&g->store.arena, &keys[i]);
    group[g->n_keys] = sqm_int(g->groups++);
    return rows_charge(&g->store) ? group : NULL;
}

static Value *find_group(GroupNode *g, Set *s) {
    const Value *keys = g->keys;
    if (s->has) {
        for (int i = 0; i < g->n_keys; i++) g->key_of_set[i] = s->has[i] ? g->keys[i] : sqm_null();
        keys = g->key_of_set;
    }
    if (!g->n_keys) {
        if (!s->single) s->single = new_group(g, keys);
        return s->single;
    }
    uint64_t h = keys_hash(keys, g->n_keys);
    int found = hash_find(&s->groups, h, keys);
    if (found >= 0) return s->groups.at[found].row;
    Value *group = new_group(g, keys);
    return group && hash_add(&s->groups, h, group) ? group : NULL;
}

/* DISTINCT: has this group seen these arguments? Remembers them. */
static bool is_repeated(GroupNode *g, Call *c, const Value *group, const Value *args, bool *repeated) {
    int width = c->n_args + 1;
    Value few[8], *key = width <= 8 ? few : NEW_ARRAY(g->node.ev->arena, Value, width);
    key[0] = group[g->n_keys];
    if (c->n_args) memcpy(key + 1, args, sizeof *args * (size_t)c->n_args);
    uint64_t h = keys_hash(key, width);
    *repeated = hash_find(&c->distinct, h, key) >= 0;
    if (*repeated) return true;
    Value *row = rows_new(&g->store, width);
    for (int i = 0; i < width; i++) row[i] = value_keep(&g->store.arena, &key[i]);
    return rows_charge(&g->store) && hash_add(&c->distinct, h, row);
}

/* One row into one aggregate of one group; `args` are its arguments and order keys. */
static bool step(GroupNode *g, int i, Value *group, const Value *args) {
    Call *c = &g->calls[i];
    if (c->expr->distinct) {
        bool repeated;
        if (!is_repeated(g, c, group, args, &repeated)) return false;
        if (repeated) return true;
    }
    if (!c->sorted) {
        if (!c->aggregate->step(g->node.ev, states_of(g, group) + c->state, &g->store.arena, args, c->n_args)) return false;
        return rows_charge(&g->store);
    }
    int width = c->n_args + c->n_order;
    Value *row = rows_new(&g->store, width);
    for (int k = 0; k < width; k++) row[k] = value_keep(&g->store.arena, &args[k]);
    Kept *kept = &kept_of(g, group)[i];
    vec_push(&g->store.arena, kept, row);
    return rows_charge(&g->store);
}

static bool add_row(GroupNode *g, Value **groups) {
    Node *n = &g->node;
    const Query *q = n->run->plan->query;
    if (!keys_eval(n->ev, &q->group_keys, g->keys, NULL)) return false;
    for (int s = 0; s < g->n_sets; s++)
        if (!(groups[s] = find_group(g, &g->sets[s]))) return false;
    for (int i = 0; i < g->n_calls; i++) {
        Call *c = &g->calls[i];
        bool wanted = true;
        if (c->expr->filter && !eval_true(n->ev, c->expr->filter, &wanted)) return false;
        if (!wanted) continue;
        if (!keys_eval(n->ev, &c->expr->args, g->args, NULL)) return false;
        if (c->aggregate->ignores_nulls && c->n_args && g->args[0].type == SQM_NULL) continue;
        for (int k = 0; k < c->n_order; k++)
            if (!eval(n->ev, c->expr->order->at[k].expr, &g->args[c->n_args + k])) return false;
        for (int s = 0; s < g->n_sets; s++)
            if (!step(g, i, groups[s], g->args)) return false;
    }
    return true;
}

static bool load(GroupNode *g) {
    Node *n = &g->node;
    int r;
    g->loaded = true;
    while ((r = node_next(n->left)) > 0) {
        node_scratch(n);
        if (!add_row(g, g->row_groups)) return false;
    }
    for (int s = 0; s < g->n_sets && r == 0; s++) {
        Set *set = &g->sets[s];
        bool empty = true;
        for (int i = 0; i < g->n_keys; i++) empty &= set->has && !set->has[i];
        if (!empty || set->groups.n || set->single) continue;
        for (int i = 0; i < g->n_keys; i++) g->keys[i] = sqm_null();
        if (!find_group(g, set)) return false;
    }
    return r == 0;
}

typedef struct OrderContext { const SortKeys *keys; int at; } OrderContext;

static int compare_kept(const Value *a, const Value *b, const void *context) {
    const OrderContext *o = context;
    return keys_order(o->keys, a + o->at, b + o->at);
}

static bool emit(GroupNode *g, const Set *s, Value *group) {
    Node *n = &g->node;
    const Query *q = n->run->plan->query;
    Value *frame = n->ev->frame;
    for (int i = 0; i < g->n_keys; i++) frame[q->group_slots.at[i]] = group[i];
    if (q->grouping_slot >= 0) frame[q->grouping_slot] = sqm_int(s->mask);
    for (int i = 0; i < g->n_calls; i++) {
        const Call *c = &g->calls[i];
        char *state = states_of(g, group) + c->state;
        if (c->sorted) {
            Kept *kept = &kept_of(g, group)[i];
            OrderContext order = {&c->order, c->order_at};
            rows_sort(kept->at, kept->n, compare_kept, &order);
            for (int k = 0; k < kept->n; k++)
                if (!c->aggregate->step(n->ev, state, &n->scratch, kept->at[k], c->n_args)) return false;
        }
        if (!c->aggregate->finish(n->ev, state, &n->scratch, c->expr, &frame[q->agg_slots.at[i]])) return false;
    }
    return true;
}

static int group_next(Node *n) {
    GroupNode *g = (GroupNode *)n;
    if (!g->loaded) {
        if (!load(g)) return -1;
        node_scratch(n);
    }
    for (; g->at_set < g->n_sets; g->at_set++, g->at = 0) {
        Set *s = &g->sets[g->at_set];
        int groups = g->n_keys ? s->groups.n : s->single != NULL;
        if (g->at == groups) continue;
        Value *group = g->n_keys ? s->groups.at[g->at].row : s->single;
        g->at++;
        return emit(g, s, group) ? 1 : -1;
    }
    return 0;
}

static void group_rescan(Node *n) {
    GroupNode *g = (GroupNode *)n;
    rows_clear(&g->store);
    for (int i = 0; i < g->n_calls; i++) hash_clear(&g->calls[i].distinct);
    for (int s = 0; s < g->n_sets; s++) {
        hash_clear(&g->sets[s].groups);
        g->sets[s].single = NULL;
    }
    g->loaded = false;
    g->groups = 0;
    g->at_set = g->at = 0;
    node_rescan(n->left);
}

static void group_close(Node *n) {
    GroupNode *g = (GroupNode *)n;
    for (int i = 0; i < g->n_calls; i++) hash_free(&g->calls[i].distinct);
    for (int s = 0; s < g->n_sets; s++) hash_free(&g->sets[s].groups);
    rows_free(&g->store);
}

static int group_buffered(const Node *n) { return ((const GroupNode *)n)->loaded ? 2 : 0; }

static const NodeOps group_ops = {group_next, group_rescan, group_close, group_buffered};

Node *group_node(QueryRun *run, const Plan *plan) {
    GroupNode *g = node_init(run, plan, sizeof *g, &group_ops);
    const Query *q = run->plan->query;
    Arena *a = &run->arena;
    g->n_keys = q->group_keys.n;
    g->n_calls = q->aggs.n;
    g->calls = NEW_ARRAY(a, Call, g->n_calls);
    int widest = 0;
    for (int i = 0; i < g->n_calls; i++) {
        prepare_call(g, run, &g->calls[i], q->aggs.at[i]);
        int width = g->calls[i].n_args + g->calls[i].n_order;
        if (width > widest) widest = width;
    }
    g->keys_size = (sizeof(Value) * (size_t)(g->n_keys + 1) + 15) & ~(size_t)15;
    g->n_sets = q->grouping_sets.n ? q->grouping_sets.n : 1;
    g->sets = NEW_ARRAY(a, Set, g->n_sets);
    for (int s = 0; s < g->n_sets; s++) {
        hash_init(&g->sets[s].groups, run->x, 0, g->n_keys);
        if (!q->grouping_sets.n) continue;
        const Ints *keys = &q->grouping_sets.at[s].keys;
        g->sets[s].has = NEW_ARRAY(a, bool, g->n_keys);
        for (int i = 0; i < keys->n; i++) g->sets[s].has[keys->at[i]] = true;
        for (int i = 0; i < g->n_keys && i < 62; i++) g->sets[s].mask |= g->sets[s].has[i] ? 0 : INT64_C(1) << i;
    }
    g->keys = NEW_ARRAY(a, Value, g->n_keys + 1);
    g->key_of_set = NEW_ARRAY(a, Value, g->n_keys + 1);
    g->args = NEW_ARRAY(a, Value, widest + 1);
    g->row_groups = NEW_ARRAY(a, Value *, g->n_sets);
    g->store.x = run->x;
    return &g->node;
}
