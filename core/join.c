/* join.c - PLAN_JOIN: two inputs over one frame become one, in the order of the left input.
 *
 * Every left row meets its candidates on the right; a pair counts when the keys are equal (NULL never is) and all conditions are true.
 *     INNER, CROSS  each pair                      SEMI  the left row, once, if it has a pair
 *     LEFT          also a left row without pair   ANTI  the left row if it has none
 *     RIGHT, FULL   also, at the end, right rows without pair (the other side's slots NULL)
 * Where the candidates come from:
 *     HASH            the right input, read once into a hash table. NESTED without rescan is the same; without keys every right row is a candidate
 *     KEY             left rows in batches (100, growing to 10,000); for each batch the right scan fetches {key: {$in: the batch's keys}} into the table.
 *                     Right rows and the keys they were fetched for stay for later batches while they are few
 *     NESTED, rescan  the right input runs again for each left row, whose slots it reads (lateral)
 * null_aware (NOT IN): the keys are NOT IN's operands; a right row for which "equal" isn't false and whose conditions are true rejects the left row.
 * Kept when the join itself is run again: a table whose input is static. The first left row is fetched before the right input is touched: an
 * empty left side costs no command on the right. SEMI and ANTI without conditions keep the distinct right keys only. */
#include "node.h"

enum { FIRST_BATCH = 100, LARGEST_BATCH = 10000, BATCH_BYTES = 8 << 20, KEEP_ROWS = 20000, KEEP_BYTES = 8 << 20 };

typedef struct JoinNode {
    Node node;
    JoinMethod method;
    int n_keys;
    Exprs no_keys;
    /* right side: rows are [slots][keys][matched] */
    Rows rows;
    Layout layout;
    Hash table;
    VEC(Value *) null_rows;     /* null_aware: rows with a NULL key */
    bool built, right_static, right_known;
    bool keys_only, marks;      /* marks: RIGHT, FULL */
    /* left side */
    Value *keys;                /* of the present left row */
    Arena key_arena;
    uint64_t hash;
    bool have_left, left_null, left_ended, matched;
    int candidate;              /* next entry or row number; -1: none */
    int null_candidate;         /* null_aware: next among null_rows or all rows */
    bool right_open;            /* rescan */
    int tail;                   /* RIGHT, FULL: next row to look at, -1 before */
    /* KEY: left rows are [slots][keys] */
    Rows batch, last_batch;     /* last: the left input may still be working on a row that was restored from it */
    Layout left_layout;
    Value *left_values;
    int batch_size, batch_at;
    Node *scan;
    Hash fetched;               /* key values the table already has the rows of */
    Rows fetched_keys;
    KeyFilter filter;
    int column;                 /* its column */
} JoinNode;

static JoinKind kind_of(const JoinNode *j) { return j->node.plan->kind; }
static bool keeps_right(JoinKind k) { return k == JOIN_RIGHT || k == JOIN_FULL; }

/* ---- right side ---- */

static bool add_right(JoinNode *j) {
    Node *n = &j->node;
    const Plan *p = n->plan;
    bool null = false;
    Value *extra = NEW_ARRAY(&n->scratch, Value, j->n_keys + 1);
    if (!keys_eval(n->ev, j->n_keys ? &p->right_keys : &j->no_keys, extra, &null)) return false;
    if (null && !j->marks && !p->null_aware) return true;
    extra[j->n_keys] = sqm_bool(false);
    uint64_t h = keys_hash(extra, j->n_keys);
    if (j->keys_only && hash_find(&j->table, h, extra) >= 0) return true;
    Value *row = layout_save(&j->layout, &j->rows, n->ev->frame, extra);
    if (!row) return false;
    if (null) {
        vec_push(&j->rows.arena, &j->null_rows, row);
        return !j->keys_only || hash_add(&j->table, h, row);        /* keys_only: so that it isn't kept twice; left rows with a NULL never probe */
    }
    return !j->n_keys || hash_add(&j->table, h, row);
}

static bool read_right(JoinNode *j) {
    int r;
    while ((r = node_next(j->node.right)) > 0) {
        if (!add_right(j)) return false;
        node_scratch(&j->node);
    }
    hash_order(&j->table);
    return r == 0;
}

static void drop_right(JoinNode *j) {
    rows_clear(&j->rows);
    hash_clear(&j->table);
    memset(&j->null_rows, 0, sizeof j->null_rows);
    rows_clear(&j->fetched_keys);
    hash_clear(&j->fetched);
    j->built = false;
}

/* ---- KEY: a batch of left rows and the right rows for it ---- */

static bool fetch_right(JoinNode *j, int n_new) {
    j->filter.n = n_new;
    if (!n_new) return true;
    scan_set_keys(j->scan, &j->filter);
    node_rescan(j->node.right);
    return read_right(j);
}

/* 1: there are rows in the batch, 0: left has ended. */
static int fill_batch(JoinNode *j) {
    Node *n = &j->node;
    const Plan *p = n->plan;
    if (j->left_ended) return 0;
    Rows oldest = j->last_batch;
    j->last_batch = j->batch;
    j->batch = oldest;
    rows_clear(&j->batch);
    j->batch_at = 0;
    /* Both sides together stay well below work_mem, however large the inputs are: what is kept goes, and batches shrink, when a batch brings too much. */
    size_t share = n->x->memory_limit / 8, keep = share < KEEP_BYTES ? share : KEEP_BYTES, batch_bytes = share < BATCH_BYTES ? share : BATCH_BYTES;
    size_t right = j->rows.held + j->table.held + j->fetched_keys.held + j->fetched.held;
    if (j->rows.n > KEEP_ROWS || j->fetched.n > KEEP_ROWS || right > keep) drop_right(j);
    if (j->batch_size) {
        j->batch_size = right > keep && j->batch_size > FIRST_BATCH ? j->batch_size / 2 : right * 4 > share ? j->batch_size : j->batch_size * 4;
    } else {
        int64_t wanted = node_wanted(n);
        j->batch_size = wanted > 0 && wanted < FIRST_BATCH ? (int)wanted : FIRST_BATCH;
    }
    if (j->batch_size > LARGEST_BATCH) j->batch_size = LARGEST_BATCH;
    Value *wanted = NULL;
    int n_wanted = 0, cap = 0;
    Arena list = {0};
    int r = 1;
    while (j->batch.n < j->batch_size && j->batch.arena.total < batch_bytes && (r = node_next(n->left)) > 0) {
        bool null;
        n->ev->arena = node_scratch(n);
        r = keys_eval(n->ev, &p->left_keys, j->left_values, &null) ? 1 : -1;
        Value *row = r > 0 ? layout_save(&j->left_layout, &j->batch, n->ev->frame, j->left_values) : NULL;
        if (!row) r = -1;
        if (r < 0) break;
        Value *key = row + j->left_layout.n_slots + p->key;
        uint64_t h = keys_hash(key, 1);
        if (null || hash_find(&j->fetched, h, key) >= 0) continue;
        Value *kept = rows_new(&j->fetched_keys, 1);
        kept[0] = value_keep(&j->fetched_keys.arena, key);
        if (!rows_push(&j->fetched_keys, kept) || !hash_add(&j->fetched, h, kept)) {
            r = -1;
            break;
        }
        if (n_wanted == cap) {
            cap = cap ? cap * 2 : 256;
            Value *grown = NEW_ARRAY(&list, Value, cap);
            if (n_wanted) memcpy(grown, wanted, sizeof *wanted * (size_t)n_wanted);
            wanted = grown;
        }
        wanted[n_wanted++] = *kept;
    }
    if (r == 0) j->left_ended = true;
    j->filter.values = wanted;
    if (r >= 0 && !fetch_right(j, n_wanted)) r = -1;
    j->filter = (KeyFilter){.width = 1, .columns = &j->column};
    arena_free(&list);
    return r < 0 ? -1 : j->batch.n > 0;
}

/* ---- left side ---- */

static bool build(JoinNode *j) {
    j->built = true;
    return read_right(j);
}

/* The next left row into the frame, its keys evaluated. */
static int next_left(JoinNode *j) {
    Node *n = &j->node;
    const Plan *p = n->plan;
    if (j->method == METHOD_KEY) {
        if (j->batch_at == j->batch.n) {
            int r = fill_batch(j);
            if (r <= 0) return r;
        }
        Value *row = j->batch.at[j->batch_at++];
        layout_restore(&j->left_layout, n->ev->frame, row);
        j->keys = row + j->left_layout.n_slots;
        j->left_null = false;
        for (int i = 0; i < j->n_keys; i++) j->left_null |= j->keys[i].type == SQM_NULL;
    } else {
        if (j->left_ended) return 0;
        if (p->rescan && j->marks) {
            error_set(n->x->error, SQM_ERROR_NOT_SUPPORTED, "RIGHT and FULL JOIN cannot refer to the left side laterally");
            return -1;
        }
        int r = node_next(n->left);
        if (r < 0) return -1;
        if (r == 0) {
            j->left_ended = true;
            return 0;
        }
        if (j->n_keys && !p->rescan) {              /* they outlive this next() when the row has several pairs */
            arena_clear(&j->key_arena);
            n->ev->arena = &j->key_arena;
            bool ok = keys_eval(n->ev, &p->left_keys, j->keys, &j->left_null);
            n->ev->arena = &n->scratch;
            if (!ok) return -1;
        }
        if (!p->rescan && !j->built && !build(j)) return -1;
        if (!p->rescan && !j->rows.n && (p->kind == JOIN_INNER || p->kind == JOIN_CROSS || p->kind == JOIN_SEMI || p->kind == JOIN_RIGHT)) {
            j->left_ended = true;       /* nothing can match */
            return 0;
        }
    }
    j->have_left = true;
    j->matched = false;
    j->right_open = false;
    j->null_candidate = -1;
    if (p->rescan) return 1;
    j->hash = keys_hash(j->keys, j->n_keys);
    j->candidate = j->left_null ? -1 : j->n_keys ? hash_find(&j->table, j->hash, j->keys) : j->rows.n ? 0 : -1;
    if (p->null_aware) j->null_candidate = 0;
    return 1;
}

/* ---- pairs ---- */

static int rescan_candidate(JoinNode *j) {
    Node *n = &j->node;
    if (!j->right_open) {
        node_rescan(n->right);
        j->right_open = true;
    }
    for (;;) {
        int r = node_next(n->right);
        if (r <= 0) return r;
        bool equal = true;
        for (int i = 0; i < n->plan->left_keys.n && equal; i++) {
            Value a, b, c;
            if (!eval(n->ev, n->plan->left_keys.at[i], &a) || !eval(n->ev, n->plan->right_keys.at[i], &b) || !eval_compare(n->ev, OP_EQ, &a, &b, &c)) return -1;
            equal = c.type == SQM_BOOL && c.u.b;
        }
        if (equal) return 1;
        node_scratch(n);
    }
}

/* The next right row with equal keys into the frame. */
static Value *table_candidate(JoinNode *j) {
    if (j->candidate < 0) return NULL;
    Value *row;
    if (j->n_keys) {
        row = j->table.at[j->candidate].row;
        j->candidate = hash_after(&j->table, j->candidate, j->keys);
    } else {
        row = j->rows.at[j->candidate++];
        if (j->candidate == j->rows.n) j->candidate = -1;
    }
    layout_restore(&j->layout, j->node.ev->frame, row);
    return row;
}

/* NOT IN: a right row that is equal or, for a NULL on either side, may be. */
static int null_candidate(JoinNode *j) {
    int n = j->left_null ? j->rows.n : j->null_rows.n;
    while (j->null_candidate >= 0 && j->null_candidate < n) {
        Value *row = j->left_null ? j->rows.at[j->null_candidate] : j->null_rows.at[j->null_candidate];
        const Value *right = row + j->layout.n_slots;
        j->null_candidate++;
        bool possible = true;
        for (int i = 0; i < j->n_keys && possible; i++) {
            Value c;
            if (!eval_compare(j->node.ev, OP_EQ, &j->keys[i], &right[i], &c)) return -1;
            possible = c.type == SQM_NULL || c.u.b;
        }
        if (!possible) continue;
        layout_restore(&j->layout, j->node.ev->frame, row);
        return 1;
    }
    return 0;
}

/* The next pair of the present left row: 1, 0, -1. */
static int next_pair(JoinNode *j) {
    Node *n = &j->node;
    for (;;) {
        Value *row = NULL;
        if (n->plan->rescan) {
            int r = rescan_candidate(j);
            if (r <= 0) return r;
        } else if (!(row = table_candidate(j))) {
            int r = null_candidate(j);
            if (r <= 0) return r;
        }
        bool pass;
        if (!conditions_true(n->ev, &n->plan->conditions, &pass)) return -1;
        if (!pass) {
            node_scratch(n);
            continue;
        }
        if (j->marks && row) row[j->layout.n_slots + j->n_keys] = sqm_bool(true);
        return 1;
    }
}

/* RIGHT, FULL: right rows that nobody matched. */
static int unmatched_right(JoinNode *j) {
    Node *n = &j->node;
    if (!j->built && !build(j)) return -1;
    if (j->tail < 0) {
        j->tail = 0;
        slots_null(n->ev->frame, &n->left->plan->slots);
    }
    while (j->tail < j->rows.n) {
        const Value *row = j->rows.at[j->tail++];
        if (row[j->layout.n_slots + j->n_keys].u.b) continue;
        layout_restore(&j->layout, n->ev->frame, row);
        return 1;
    }
    return 0;
}

static int join_next(Node *n) {
    JoinNode *j = (JoinNode *)n;
    JoinKind kind = kind_of(j);
    for (;;) {
        if (!j->have_left) {
            int r = j->tail >= 0 ? 0 : next_left(j);
            if (r < 0) return -1;
            if (r == 0) return keeps_right(kind) ? unmatched_right(j) : 0;
        }
        int r = next_pair(j);
        if (r < 0) return -1;
        if (r > 0) {
            bool single = kind == JOIN_SEMI || kind == JOIN_ANTI || n->plan->unique_right;
            j->matched = true;
            if (single) j->have_left = false;
            if (kind != JOIN_ANTI) return 1;
            node_scratch(n);
            continue;
        }
        j->have_left = false;
        bool alone = !j->matched && (kind == JOIN_LEFT || kind == JOIN_FULL || kind == JOIN_ANTI);
        if (alone && kind != JOIN_ANTI) slots_null(n->ev->frame, &n->right->plan->slots);
        if (alone) return 1;
    }
}

static void join_rescan(Node *n) {
    JoinNode *j = (JoinNode *)n;
    if (!j->right_known) j->right_static = !n->plan->rescan && plan_is_static(j->node.run, n->plan->right);
    j->right_known = true;
    node_rescan(n->left);
    if (!j->right_static) {
        drop_right(j);
        node_rescan(n->right);
    }
    for (int i = 0; j->marks && i < j->rows.n; i++) j->rows.at[i][j->layout.n_slots + j->n_keys] = sqm_bool(false);
    rows_clear(&j->batch);
    rows_clear(&j->last_batch);
    j->batch_at = j->batch_size = 0;
    j->have_left = j->left_ended = false;
    j->tail = -1;
}

static void join_close(Node *n) {
    JoinNode *j = (JoinNode *)n;
    rows_free(&j->rows);
    hash_free(&j->table);
    rows_free(&j->batch);
    rows_free(&j->last_batch);
    rows_free(&j->fetched_keys);
    hash_free(&j->fetched);
    arena_free(&j->key_arena);
}

/* KEY: one of the batch's next few rows is sure to give a row. */
static bool pair_ahead(const JoinNode *j) {
    enum { LOOK_AHEAD = 8 };
    JoinKind kind = kind_of(j);
    if (j->node.plan->conditions.n || kind == JOIN_ANTI) return false;
    if (j->have_left && j->candidate >= 0) return true;
    for (int i = j->batch_at; i < j->batch.n && i < j->batch_at + LOOK_AHEAD; i++) {
        const Value *keys = j->batch.at[i] + j->left_layout.n_slots;
        if (hash_find(&j->table, keys_hash(keys, j->n_keys), keys) >= 0) return true;      /* no key in the table is NULL */
    }
    return false;
}

static int join_buffered(const Node *n) {
    const JoinNode *j = (const JoinNode *)n;
    if (n->plan->rescan) return 0;
    if (j->method == METHOD_KEY) {
        if (j->left_ended) return 2;
        return (kind_of(j) == JOIN_LEFT && j->batch_at < j->batch.n) || pair_ahead(j);
    }
    if (!j->built) return 0;
    int left = j->left_ended ? 2 : node_buffered(n->left);
    return left == 2 ? 2 : left == 1 && kind_of(j) == JOIN_LEFT && !n->plan->conditions.n;
}

static const NodeOps join_ops = {join_next, join_rescan, join_close, join_buffered};

/* KEY needs a scan that can be asked by key, and can't see NULLs or unmatched rows: otherwise the whole right side is read. */
static Node *key_scan(Node *right, const Plan *p) {
    if (p->null_aware || keeps_right(p->kind) || p->key < 0 || p->key >= p->right_keys.n) return NULL;
    const Expr *e = p->right_keys.at[p->key];
    while (right && right->plan->tag == PLAN_FILTER) right = right->left;
    return right && right->plan->tag == PLAN_SCAN && !right->plan->grouped && e->tag == EXPR_VAR && e->level == 0 && e->rel == right->plan->rel->id ? right : NULL;
}

Node *join_node(QueryRun *run, const Plan *plan) {
    JoinNode *j = node_init(run, plan, sizeof *j, &join_ops);
    Arena *a = &run->arena;
    j->method = plan->method;
    j->n_keys = plan->rescan ? 0 : plan->left_keys.n;
    j->marks = keeps_right(plan->kind);
    j->keys_only = (plan->kind == JOIN_SEMI || plan->kind == JOIN_ANTI) && !plan->conditions.n && j->n_keys;
    j->tail = -1;
    j->candidate = j->null_candidate = -1;
    j->keys = NEW_ARRAY(a, Value, j->n_keys + 1);
    j->rows.x = j->batch.x = j->last_batch.x = j->fetched_keys.x = run->x;
    layout_init(&j->layout, a, j->keys_only ? NULL : &plan->right->slots, j->n_keys + 1);
    for (int i = 0; i < j->n_keys; i++) layout_extra(&j->layout, i, plan->right_keys.at[i]);
    hash_init(&j->table, run->x, j->layout.n_slots, j->n_keys);
    hash_init(&j->fetched, run->x, 0, 1);
    if (plan->method == METHOD_KEY) {
        j->scan = key_scan(j->node.right, plan);
        if (!j->scan) j->method = METHOD_HASH;
    }
    if (j->method == METHOD_KEY) {
        j->column = plan->right_keys.at[plan->key]->column;
        j->filter = (KeyFilter){.width = 1, .columns = &j->column};
        layout_init(&j->left_layout, a, &plan->left->slots, j->n_keys);
        for (int i = 0; i < j->n_keys; i++) layout_extra(&j->left_layout, i, plan->left_keys.at[i]);
        j->left_values = NEW_ARRAY(a, Value, j->n_keys + 1);
    }
    return &j->node;
}
