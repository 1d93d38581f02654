/* node.h - the executor's inside: operators (nodes), the rows they keep, hash tables, and what the operator files ask of each other.
 *
 * All operators of a block share one frame. A node's next() fills the slots of its plan; they stay valid until ITS next() is called again. A node
 * that keeps rows longer saves exactly the slots of its child, by deep copy, into Rows it owns, and restores them later. Each node owns a scratch
 * arena: node_next() clears it and makes it ev->arena while the node works, so a node that loops over many rows clears it between rows itself.
 * next() returns 1 (row), 0 (end), -1 (error in x->error). rescan() makes a node start over; a node that was never started accepts it too. */
#ifndef SQM_NODE_H
#define SQM_NODE_H

#include "exec.h"

typedef struct Node Node;

typedef struct NodeOps {
    int (*next)(Node *n);
    void (*rescan)(Node *n);            /* own state and children */
    void (*close)(Node *n);             /* frees what isn't in the run's arena; children are closed by node_close */
    int (*buffered)(const Node *n);     /* 2: every row to come is in memory, 1: the next row is, 0: not sure. NULL: 0 */
} NodeOps;

struct Node {
    const NodeOps *ops;
    const Plan *plan;
    QueryRun *run;
    Exec *x;
    Eval *ev;                           /* &run->ev */
    Node *left, *right;
    Arena scratch;
    PlanStats *stats;                   /* NULL unless EXPLAIN ANALYZE */
    bool begun;                         /* this loop is counted in stats */
};

struct QueryRun {
    Exec *x;
    QueryPlan *plan;
    Eval ev;
    Arena arena;                        /* nodes and frame */
    Arena scratch;                      /* of whoever reads the block's rows */
    Node *root;
    QueryRun *outer;                    /* whose ev is ev.outer; NULL when that is no block of ours */
    QueryRun *previous, *next;          /* Exec.runs */
    int state;                          /* 1 running, 0 ended, -1 failed */
};

Node *node_new(QueryRun *run, const Plan *plan);                        /* by tag, children included */
void *node_init(QueryRun *run, const Plan *plan, size_t size, const NodeOps *ops);   /* zeroed node of `size` bytes, children made */
int node_next_timed(Node *n);
void node_rescan(Node *n);                                              /* NULL is fine */
void node_close(Node *n);
int node_buffered(const Node *n);
static inline int node_next(Node *n) {
    if (n->stats) return node_next_timed(n);
    Arena *outer = n->ev->arena;
    arena_clear(&n->scratch);
    n->ev->arena = &n->scratch;
    int r = n->ops->next(n);
    n->ev->arena = outer;
    return r;
}
static inline Arena *node_scratch(Node *n) {                            /* a fresh one, for the next row of a loop */
    arena_clear(&n->scratch);
    return &n->scratch;
}
/* The evaluation context that level-1 references of nested block `q` read: the run of q's parent among `run` and its outer ones. */
Eval *run_outer_for(QueryRun *run, const Query *q);
/* Does the subtree always give the same rows within one statement (no outer or lateral references, nothing volatile, no recursion)? */
bool plan_is_static(const QueryRun *run, const Plan *p);
bool query_is_static(Exec *x, const Query *q);

/* Drops everything that was read before and is kept: view, CTEs, results of subqueries (not the nodes' own rows). */
void exec_forget(Exec *x);

/* CTEs that are computed once. */
typedef struct CteState CteState;
CteState *cte_of_rel(QueryRun *run, const Rel *rel);                    /* NULL: rel isn't a reference to one */
int cte_row(CteState *c, int i, const Value **row);                     /* row i in output order, made on demand */
CteState *cte_of_work(Exec *x, const Rel *rel);
void cte_work_range(const CteState *c, int *begin, int *end);

/* Operators, one constructor each. */
Node *scan_node(QueryRun *run, const Plan *plan);
Node *lock_node(QueryRun *run, const Plan *plan);
Node *join_node(QueryRun *run, const Plan *plan);
Node *keys_node(QueryRun *run, const Plan *plan);
Node *choose_node(QueryRun *run, const Plan *plan);
Node *group_node(QueryRun *run, const Plan *plan);
Node *window_node(QueryRun *run, const Plan *plan);
Node *sort_node(QueryRun *run, const Plan *plan);
Node *limit_node(QueryRun *run, const Plan *plan);
Node *distinct_node(QueryRun *run, const Plan *plan);
Node *setop_node(QueryRun *run, const Plan *plan);
Node *subquery_node(QueryRun *run, const Plan *plan);
Node *work_node(QueryRun *run, const Plan *plan);
Node *values_node(QueryRun *run, const Plan *plan);
Node *function_node(QueryRun *run, const Plan *plan);
/* Output i of one side of a set operation, in the type of the whole. */
bool setop_value(Eval *ev, const Query *whole, const Query *side, int i, Value *v);
/* METHOD_KEY: which rows the next (re)scan fetches. `keys` must live until then; NULL: all. */
int64_t node_wanted(Node *n);                                           /* rows that are likely to do; -1: all (SCAN, JOIN) */
void scan_set_keys(Node *scan, const KeyFilter *keys);

/* EXPLAIN ANALYZE: what this command of a scan cost the server (probe.c). */
void probe_command(Exec *x, PlanStats *s, const bson_t *command);

/* KEYS: all its values, as the filter they are to the scan above. Their column is the scan's. */
bool keys_read(Node *keys, KeyFilter *out);
bool keys_has(const Node *keys, const Value *v);                        /* after keys_read; the values of a key, no NULL among them */
bool keys_are_few(const Node *keys);                                    /* do they fit into one command? */

/* ---- memory (rows.c) ---- */

/* `held` bytes become `now`; past the limit: OUT_OF_MEMORY and false. */
bool memory_charge(Exec *x, size_t *held, size_t now);
void memory_release(Exec *x, size_t *held);

static inline Value value_keep(Arena *a, const Value *v) {              /* value_copy without a call for values that fit the struct */
    return v->type <= SQM_DECIMAL || (v->type >= SQM_DATE && v->type <= SQM_INTERVAL) ? *v : value_copy(a, v);
}

/* Kept rows: arrays of Values in an own arena, charged to the statement. */
typedef struct Rows {
    Exec *x;
    Arena arena;
    Value **at;
    int n, cap;
    size_t held;
} Rows;
Value *rows_new(Rows *r, int width);                                    /* uninitialised to NULLs, not yet in `at` */
bool rows_push(Rows *r, Value *row);                                    /* false: out of memory */
bool rows_charge(Rows *r);                                              /* after writing into r->arena */
void rows_clear(Rows *r);
void rows_free(Rows *r);
/* These are the rows of a CTE that isn't a query. They stay the caller's. */
bool cte_give(Exec *x, const Cte *cte, const Rows *rows);

/* How a row is packed: the child's slots, then extra values (keys, arguments). An extra that is a plain slot shares its copy. */
typedef struct Layout { const Ints *slots; int n_slots, n_extra; int *source; } Layout;
void layout_init(Layout *l, Arena *a, const Ints *slots, int n_extra);
void layout_extra(Layout *l, int i, const Expr *e);
Value *layout_save(const Layout *l, Rows *r, const Value *frame, const Value *extra);   /* pushed; NULL: out of memory */
static inline void layout_restore(const Layout *l, Value *frame, const Value *row) {
    for (int i = 0; i < l->n_slots; i++) frame[l->slots->at[i]] = row[i];
}
static inline void slots_null(Value *frame, const Ints *slots) {
    for (int i = 0; i < slots->n; i++) frame[slots->at[i]] = sqm_null();
}

/* ---- keys ---- */

bool keys_eval(Eval *ev, const Exprs *keys, Value *out, bool *has_null);    /* has_null may be NULL */
uint64_t keys_hash(const Value *v, int n);
bool keys_same(const Value *a, const Value *b, int n);                  /* NULL is the same as NULL */
int key_order(const Value *a, const Value *b);                          /* of two keys that aren't NULL, ascending; NaN first */
int keys_order(const SortKeys *keys, const Value *a, const Value *b);
typedef int (*RowCompare)(const Value *a, const Value *b, const void *context);
void rows_sort(Value **at, int n, RowCompare compare, const void *context);   /* stable */
bool conditions_true(Eval *ev, const Exprs *conditions, bool *out);

/* Hash table of rows owned by somebody else; keys start at row[offset]. */
typedef struct HashEntry { uint64_t hash; Value *row; int next; } HashEntry;
typedef struct Hash {
    Exec *x;
    HashEntry *at;
    int n, cap;
    int *buckets;
    uint32_t mask;
    int offset, width;
    size_t held;
} Hash;
void hash_init(Hash *h, Exec *x, int offset, int width);
bool hash_add(Hash *h, uint64_t hash, Value *row);                      /* false: out of memory */
int hash_find(const Hash *h, uint64_t hash, const Value *key);          /* first entry with these keys; -1: none */
int hash_after(const Hash *h, int entry, const Value *key);             /* the next one with the same keys */
void hash_order(Hash *h);                                               /* equal keys come out in order of insertion from now on */
void hash_clear(Hash *h);
void hash_free(Hash *h);

/* A whole number: LIMIT, OFFSET, frame offsets, NTILE's argument. NULL gives *null. */
bool eval_integer(Eval *ev, const Expr *e, int64_t *out, bool *null);
/* LIMIT and OFFSET of the plan, -1: all rows. */
bool eval_limit(Eval *ev, const Plan *p, int64_t *limit, int64_t *offset);
bool value_integer(Eval *ev, const Value *v, int64_t *out);

#endif
