/* sort.c - PLAN_SORT (with top-n), PLAN_LIMIT (with ties), PLAN_DISTINCT (all targets, or DISTINCT ON).
 *
 * SORT in: rows in any order; out: the same rows by plan->keys, rows with equal keys in the order they came. With a limit on the plan only the first
 * limit + offset rows are kept, in a heap whose root is the row that goes out next; the LIMIT above it does the counting.
 *     ORDER BY a DESC NULLS LAST, lower(b) LIMIT 10 OFFSET 20   ->   30 rows in memory, however many come
 * LIMIT NULL is no limit, LIMIT 0 doesn't ask its input at all, a negative one is an error. WITH TIES goes on while query->order's keys stay equal.
 * DISTINCT lets the first of equal rows through, in the order they come, whether sorted or not; NULLs are equal to each other. */
#include "node.h"

/* ---- sort ---- */

typedef struct SortNode {
    Node node;
    Layout layout;              /* [slots][keys][number in the input] */
    Rows rows;
    Exprs exprs;
    Value *keys;                /* of the present row, then its number */
    int64_t seen, top;          /* top -1: keep all */
    bool loaded;
    int at;
} SortNode;

static int compare_rows(const Value *a, const Value *b, const void *context) {
    const SortNode *s = context;
    return keys_order(&s->node.plan->keys, a + s->layout.n_slots, b + s->layout.n_slots);
}

/* Heap order: among equal keys the later row is the greater. */
static int compare_heap(const SortNode *s, const Value *a_keys, const Value *b_keys) {
    int c = keys_order(&s->node.plan->keys, a_keys, b_keys);
    int n = s->exprs.n;
    return c ? c : (a_keys[n].u.i > b_keys[n].u.i) - (a_keys[n].u.i < b_keys[n].u.i);
}

static const Value *heap_keys(const SortNode *s, int i) { return s->rows.at[i] + s->layout.n_slots; }

static void swap(SortNode *s, int a, int b) {
    Value *row = s->rows.at[a];
    s->rows.at[a] = s->rows.at[b];
    s->rows.at[b] = row;
}

static void sift_up(SortNode *s, int i) {
    for (; i > 0 && compare_heap(s, heap_keys(s, i), heap_keys(s, (i - 1) / 2)) > 0; i = (i - 1) / 2) swap(s, i, (i - 1) / 2);
}

static void sift_down(SortNode *s, int i) {
    for (;;) {
        int largest = i;
        for (int child = 2 * i + 1; child <= 2 * i + 2 && child < s->rows.n; child++)
            if (compare_heap(s, heap_keys(s, child), heap_keys(s, largest)) > 0) largest = child;
        if (largest == i) return;
        swap(s, i, largest);
        i = largest;
    }
}

/* Rows that were thrown out still lie in the arena: copies the live ones into a new one. */
static bool compact(SortNode *s) {
    Rows live = {.x = s->node.x};
    int width = s->layout.n_slots + s->layout.n_extra;
    bool ok = true;
    for (int i = 0; i < s->rows.n && ok; i++) {
        Value *row = rows_new(&live, width);
        for (int k = 0; k < width; k++) {
            int from = k < s->layout.n_slots ? -1 : s->layout.source[k - s->layout.n_slots];
            row[k] = from >= 0 ? row[from] : value_keep(&live.arena, &s->rows.at[i][k]);
        }
        ok = rows_push(&live, row);
    }
    Rows old = s->rows;
    s->rows = live;
    rows_free(&old);
    return ok;
}

static bool add_top(SortNode *s, size_t *full) {
    Value *frame = s->node.ev->frame;
    if (s->rows.n < s->top) {
        if (!layout_save(&s->layout, &s->rows, frame, s->keys)) return false;
        sift_up(s, s->rows.n - 1);
        *full = s->rows.arena.total;
        return true;
    }
    if (compare_heap(s, s->keys, heap_keys(s, 0)) >= 0) return true;
    if (!layout_save(&s->layout, &s->rows, frame, s->keys)) return false;
    s->rows.at[0] = s->rows.at[--s->rows.n];
    sift_down(s, 0);
    if (s->rows.arena.total < *full * 2 + (1u << 20)) return true;
    if (!compact(s)) return false;
    *full = s->rows.arena.total;
    return true;
}

bool eval_limit(Eval *ev, const Plan *p, int64_t *limit, int64_t *offset) {
    bool null;
    *limit = -1;
    *offset = 0;
    if (p->limit) {
        if (!eval_integer(ev, p->limit, limit, &null)) return false;
        if (null) *limit = -1;
        else if (*limit < 0) return eval_fail(ev, p->limit, SQM_ERROR_INVALID_ARGUMENT, "LIMIT must not be negative");
    }
    if (p->offset) {
        if (!eval_integer(ev, p->offset, offset, &null)) return false;
        if (null) *offset = 0;
        else if (*offset < 0) return eval_fail(ev, p->offset, SQM_ERROR_INVALID_ARGUMENT, "OFFSET must not be negative");
    }
    return true;
}

static bool load(SortNode *s) {
    Node *n = &s->node;
    int64_t limit, offset;
    size_t full = 0;
    s->loaded = true;
    s->seen = 0;
    if (!eval_limit(n->ev, n->plan, &limit, &offset)) return false;
    s->top = limit < 0 || n->plan->with_ties || limit > INT32_MAX / 2 || offset > INT32_MAX / 2 ? -1 : limit + offset;
    if (s->top == 0) return true;
    int r;
    while ((r = node_next(n->left)) > 0) {
        n->ev->arena = node_scratch(n);
        if (!keys_eval(n->ev, &s->exprs, s->keys, NULL)) return false;
        s->keys[s->exprs.n] = sqm_int(s->seen++);
        if (s->top >= 0 ? !add_top(s, &full) : !layout_save(&s->layout, &s->rows, n->ev->frame, s->keys)) return false;
    }
    if (r < 0) return false;
    if (s->top >= 0) {                              /* the heap is in no order of arrival: that decides between equal keys here */
        for (int i = s->rows.n - 1, n_rows = s->rows.n; i > 0; i--) {
            swap(s, 0, i);
            s->rows.n = i;
            sift_down(s, 0);
            if (i == 1) s->rows.n = n_rows;
        }
    } else {
        rows_sort(s->rows.at, s->rows.n, compare_rows, s);
    }
    return true;
}

static int sort_next(Node *n) {
    SortNode *s = (SortNode *)n;
    if (!s->loaded && !load(s)) return -1;
    if (s->at == s->rows.n) return 0;
    layout_restore(&s->layout, n->ev->frame, s->rows.at[s->at++]);
    return 1;
}

static void sort_rescan(Node *n) {
    SortNode *s = (SortNode *)n;
    rows_clear(&s->rows);
    s->loaded = false;
    s->at = 0;
    node_rescan(n->left);
}

static void sort_close(Node *n) { rows_free(&((SortNode *)n)->rows); }
static int sort_buffered(const Node *n) { return ((const SortNode *)n)->loaded ? 2 : 0; }
static const NodeOps sort_ops = {sort_next, sort_rescan, sort_close, sort_buffered};

Node *sort_node(QueryRun *run, const Plan *plan) {
    SortNode *s = node_init(run, plan, sizeof *s, &sort_ops);
    Arena *a = &run->arena;
    for (int i = 0; i < plan->keys.n; i++) vec_push(a, &s->exprs, plan->keys.at[i].expr);
    layout_init(&s->layout, a, &plan->left->slots, plan->keys.n + 1);
    for (int i = 0; i < plan->keys.n; i++) layout_extra(&s->layout, i, plan->keys.at[i].expr);
    s->keys = NEW_ARRAY(a, Value, plan->keys.n + 1);
    s->rows.x = run->x;
    return &s->node;
}

/* ---- limit ---- */

typedef struct LimitNode {
    Node node;
    bool started, ended;
    int64_t limit, offset, given;
    Exprs order;                /* WITH TIES */
    Value *last, *keys;
    Arena arena;                /* of `last` */
} LimitNode;

/* WITH TIES: 1 the row ties with the last one, 0 not. */
static int is_tied(LimitNode *l) {
    if (!keys_eval(l->node.ev, &l->order, l->keys, NULL)) return -1;
    return keys_order(&l->node.run->plan->query->order, l->keys, l->last) == 0;
}

static bool remember_last(LimitNode *l) {
    if (!keys_eval(l->node.ev, &l->order, l->keys, NULL)) return false;
    arena_clear(&l->arena);
    for (int i = 0; i < l->order.n; i++) l->last[i] = value_keep(&l->arena, &l->keys[i]);
    return true;
}

static int limit_next(Node *n) {
    LimitNode *l = (LimitNode *)n;
    if (!l->started) {
        l->started = true;
        if (!eval_limit(n->ev, n->plan, &l->limit, &l->offset)) return -1;
        l->ended = l->limit == 0;
        for (; l->offset > 0 && !l->ended; l->offset--) {
            int r = node_next(n->left);
            if (r < 0) return -1;
            l->ended = r == 0;
        }
    }
    bool full = l->limit >= 0 && l->given >= l->limit;
    if (l->ended || (full && !n->plan->with_ties)) return 0;
    int r = node_next(n->left);
    if (r > 0 && full) r = is_tied(l);
    if (r > 0 && n->plan->with_ties && !full && l->given + 1 == l->limit && !remember_last(l)) r = -1;
    l->ended = r == 0;
    l->given++;
    return r;
}

static void limit_rescan(Node *n) {
    LimitNode *l = (LimitNode *)n;
    l->started = l->ended = false;
    l->given = 0;
    node_rescan(n->left);
}

static void limit_close(Node *n) { arena_free(&((LimitNode *)n)->arena); }

static int limit_buffered(const Node *n) {
    const LimitNode *l = (const LimitNode *)n;
    if (!l->started) return 0;
    bool full = l->limit >= 0 && l->given >= l->limit;
    return l->ended || (full && !n->plan->with_ties) ? 2 : node_buffered(n->left);
}

static const NodeOps limit_ops = {limit_next, limit_rescan, limit_close, limit_buffered};

Node *limit_node(QueryRun *run, const Plan *plan) {
    LimitNode *l = node_init(run, plan, sizeof *l, &limit_ops);
    const SortKeys *order = &run->plan->query->order;
    for (int i = 0; i < order->n; i++) vec_push(&run->arena, &l->order, order->at[i].expr);
    l->last = NEW_ARRAY(&run->arena, Value, order->n + 1);
    l->keys = NEW_ARRAY(&run->arena, Value, order->n + 1);
    return &l->node;
}

/* ---- distinct ---- */

typedef struct DistinctNode {
    Node node;
    int n;
    Value *keys;
    Rows rows;
    Hash seen;
} DistinctNode;

static bool distinct_keys(DistinctNode *d) {
    const Query *q = d->node.run->plan->query;
    if (q->distinct_on.n) return keys_eval(d->node.ev, &q->distinct_on, d->keys, NULL);
    for (int i = 0; i < d->n; i++) d->keys[i] = d->node.ev->frame[q->targets.at[i].slot];
    return true;
}

static int distinct_next(Node *n) {
    DistinctNode *d = (DistinctNode *)n;
    for (;;) {
        int r = node_next(n->left);
        if (r <= 0) return r;
        if (!distinct_keys(d)) return -1;
        uint64_t h = keys_hash(d->keys, d->n);
        if (hash_find(&d->seen, h, d->keys) < 0) {
            Value *row = rows_new(&d->rows, d->n);
            for (int i = 0; i < d->n; i++) row[i] = value_keep(&d->rows.arena, &d->keys[i]);
            return rows_charge(&d->rows) && hash_add(&d->seen, h, row) ? 1 : -1;
        }
        node_scratch(n);
    }
}

static void distinct_rescan(Node *n) {
    DistinctNode *d = (DistinctNode *)n;
    hash_clear(&d->seen);
    rows_clear(&d->rows);
    node_rescan(n->left);
}

static void distinct_close(Node *n) {
    DistinctNode *d = (DistinctNode *)n;
    hash_free(&d->seen);
    rows_free(&d->rows);
}

static int distinct_buffered(const Node *n) { return node_buffered(n->left) == 2 ? 2 : 0; }
static const NodeOps distinct_ops = {distinct_next, distinct_rescan, distinct_close, distinct_buffered};

Node *distinct_node(QueryRun *run, const Plan *plan) {
    DistinctNode *d = node_init(run, plan, sizeof *d, &distinct_ops);
    const Query *q = run->plan->query;
    d->n = q->distinct_on.n ? q->distinct_on.n : q->n_visible;
    d->keys = NEW_ARRAY(&run->arena, Value, d->n + 1);
    d->rows.x = run->x;
    hash_init(&d->seen, run->x, 0, d->n);
    return &d->node;
}
