/* keys.c - PLAN_KEYS: the values that a scan is asked by. PLAN_CHOOSE: whether they are few enough for one command.
 *
 *     Scan author a (Keys SEMI a.id = b.author_id (Scan book b match pages > 900))
 * KEYS gives the distinct values of right_keys over its left input, those with a NULL excepted, and keeps them: the scan above reads them all before it sends anything.
 * Run again, it gives the same values without asking when its input is static.
 * CHOOSE: reads the KEYS of the scan in its left input first. When each has at most KEYS_IN_COMMAND values (TUPLE_BRANCHES of several columns, and KEYS_BYTES of them), the left input runs, else the
 * right one, which makes the same rows by joins. The choice stands until the node is run again. */
#include "node.h"

enum { KEYS_IN_COMMAND = 20000, KEYS_BYTES = 4 << 20 };

typedef struct KeysNode {
    Node node;
    int width;                  /* columns of the key */
    Rows rows;                  /* `width` values each */
    Hash seen;
    Value *values;              /* rows as one array, once ended; in rows.arena */
    int *columns;               /* of the scan's table */
    bool ended, has_null, known, is_static;
} KeysNode;

static int keys_next(Node *n) {
    KeysNode *k = (KeysNode *)n;
    int r;
    while (!k->ended && (r = node_next(n->left)) != 0) {
        bool null;
        Value *key = NEW_ARRAY(&n->scratch, Value, k->width);
        if (r < 0 || !keys_eval(n->ev, &n->plan->right_keys, key, &null)) return -1;
        uint64_t h = keys_hash(key, k->width);
        k->has_null |= null;
        if (null || hash_find(&k->seen, h, key) >= 0) {
            node_scratch(n);
            continue;
        }
        Value *kept = rows_new(&k->rows, k->width);
        for (int i = 0; i < k->width; i++) kept[i] = value_keep(&k->rows.arena, &key[i]);
        return rows_push(&k->rows, kept) && hash_add(&k->seen, h, kept) ? 1 : -1;
    }
    k->ended = true;
    return 0;
}

static void keys_rescan(Node *n) {
    KeysNode *k = (KeysNode *)n;
    if (!k->known) k->is_static = plan_is_static(n->run, n->plan->left);
    k->known = true;
    node_rescan(n->right);
    if (k->is_static && k->ended) return;
    rows_clear(&k->rows);
    hash_clear(&k->seen);
    k->values = NULL;
    k->ended = k->has_null = false;
    node_rescan(n->left);
}

static void keys_close(Node *n) {
    KeysNode *k = (KeysNode *)n;
    rows_free(&k->rows);
    hash_free(&k->seen);
}

static const NodeOps keys_ops = {keys_next, keys_rescan, keys_close, NULL};

Node *keys_node(QueryRun *run, const Plan *plan) {
    KeysNode *k = node_init(run, plan, sizeof *k, &keys_ops);
    k->rows.x = run->x;
    k->width = plan->right_keys.n;
    k->columns = NEW_ARRAY(&run->arena, int, k->width);
    for (int i = 0; i < k->width; i++) k->columns[i] = plan->left_keys.at[i]->column;
    hash_init(&k->seen, run->x, 0, k->width);
    return &k->node;
}

bool keys_read(Node *n, KeyFilter *out) {
    KeysNode *k = (KeysNode *)n;
    int r;
    while (!k->ended && (r = node_next(n)) != 0)
        if (r < 0) return false;
    if (!k->values) {
        k->values = NEW_ARRAY(&k->rows.arena, Value, k->rows.n * k->width + 1);
        for (int i = 0; i < k->rows.n; i++) memcpy(&k->values[i * k->width], k->rows.at[i], sizeof *k->values * (size_t)k->width);
        if (!rows_charge(&k->rows)) return false;
    }
    const Plan *p = n->plan;
    *out = (KeyFilter){.width = k->width, .columns = k->columns, .values = k->values, .n = k->rows.n, .none = p->kind == JOIN_ANTI,
                       .null_aware = p->null_aware, .has_null = k->has_null};
    return true;
}

bool keys_has(const Node *n, const Value *v) {
    const KeysNode *k = (const KeysNode *)n;
    return hash_find(&k->seen, keys_hash(v, k->width), v) >= 0;
}

bool keys_are_few(const Node *n) {
    const KeysNode *k = (const KeysNode *)n;
    return k->rows.n <= (k->width > 1 ? TUPLE_BRANCHES : KEYS_IN_COMMAND) && k->rows.arena.total <= KEYS_BYTES;
}

/* ---- choose ---- */

typedef struct ChooseNode { Node node; Node *chosen; } ChooseNode;

/* Reads the keys of all scans below until there are too many; false: error. */
static bool few_keys(Node *n, bool *few) {
    if (!n) return true;
    if (n->plan->tag == PLAN_KEYS) {
        KeysNode *k = (KeysNode *)n;
        int r = 1;
        while (*few && !k->ended && (r = node_next(n)) > 0) *few = keys_are_few(n);
        if (r < 0) return false;
        return few_keys(n->right, few);
    }
    return few_keys(n->left, few) && few_keys(n->right, few);
}

static int choose_next(Node *n) {
    ChooseNode *c = (ChooseNode *)n;
    if (!c->chosen) {
        bool few = true;
        if (!few_keys(n->left, &few)) return -1;
        c->chosen = few ? n->left : n->right;
        if (!few) node_rescan(n->left);     /* lets go of cursors and of what was read */
    }
    return node_next(c->chosen);
}

static void choose_rescan(Node *n) {
    ((ChooseNode *)n)->chosen = NULL;
    node_rescan(n->left);
    node_rescan(n->right);
}

static int choose_buffered(const Node *n) {
    const ChooseNode *c = (const ChooseNode *)n;
    return c->chosen ? node_buffered(c->chosen) : 0;
}

static const NodeOps choose_ops = {choose_next, choose_rescan, NULL, choose_buffered};

Node *choose_node(QueryRun *run, const Plan *plan) {
    ChooseNode *c = node_init(run, plan, sizeof *c, &choose_ops);
    return &c->node;
}
