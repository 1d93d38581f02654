/* plan.h - the third tree: which operator does what, and where (in MongoDB or here).
 *
 * plan.c turns each Query block into a QueryPlan: a tree of operators over the block's frame (query.h). Everything that may be refused is refused
 * by now: whatever a SCAN carries in `match`, `sort`, `group` is known to be expressible (mql_can_*), so emitting cannot fail for want of a
 * construct. Plans are read-only while they run; exec.c keeps run-time state in a parallel tree. */
#ifndef SQM_PLAN_H
#define SQM_PLAN_H

#include "query.h"

typedef enum PlanTag {
    PLAN_RESULT,        /* one row, no columns (SELECT without FROM); `never`: no row at all */
    PLAN_SCAN,          /* one find or aggregate on a collection; sets columns' slots, or group/agg slots when `grouped` */
    PLAN_SUBQUERY,      /* rows of a nested block (derived table, CTE reference): copies its targets into this frame's slots */
    PLAN_VALUES,        /* rel->values */
    PLAN_FUNCTION,      /* rel->function: a set-returning function */
    PLAN_WORK,          /* the working table of a recursive CTE */
    PLAN_FILTER,        /* left, `conditions` */
    PLAN_JOIN,          /* left, right, kind, method */
    PLAN_KEYS,          /* left; the distinct values of right_keys[0], for the scan above: rows whose left_keys[0] is (SEMI) or isn't (ANTI) among them */
    PLAN_CHOOSE,        /* left, right: two ways to the same rows; left while the KEYS in it are few enough for one command */
    PLAN_GROUP,         /* left; hash aggregate of query->group_keys/aggs (grouping sets included) */
    PLAN_WINDOW,        /* left; all of query->windows */
    PLAN_PROJECT,       /* left; computes query->targets into their slots */
    PLAN_DISTINCT,      /* left; over visible targets' slots, or query->distinct_on (input sorted: first row of each key wins) */
    PLAN_SORT,          /* left; sort keys; top-n when a LIMIT stands right above it (`limit`, `offset`) */
    PLAN_LIMIT,         /* left; limit, offset, with_ties (over query->order) */
    PLAN_SETOP,         /* the blocks query->left and query->right; sets slots 0..n-1 */
    PLAN_LOCK           /* left; SELECT ... FOR UPDATE: write-touches the rows of `lock_rels`; SKIP LOCKED: of `limit` + `offset` rows that nobody has locked */
} PlanTag;

typedef enum JoinMethod {
    METHOD_HASH,        /* right is read once into a hash table on right_keys; left streams */
    METHOD_KEY,         /* batches of left rows; right (a SCAN, possibly under a FILTER) is fetched by {field: {$in: keys}} on `key_column`; left order kept */
    METHOD_NESTED       /* right is run again for each left row when `rescan` (it refers to left's slots: lateral), else buffered once */
} JoinMethod;

typedef struct ScanColumn { int column; int slot; Exprs paths; } ScanColumn;   /* paths: calls of JSON_VALUE, all that is read of a document; empty: the whole column */       /* column: number in table->columns; -1: unknown field `name` of an undeclared table */

typedef struct Plan {
    PlanTag tag;
    struct Plan *left, *right;      /* SCAN: left is the first of its KEYS, whose right is the next one */
    Ints slots;                     /* every slot that this subtree sets: what a blocking operator must save and restore */
    double rows;                    /* estimate; < 0 unknown */
    double total;                   /* SCAN: rows of the whole table; < 0 unknown */
    /* SCAN, SUBQUERY, VALUES, FUNCTION, WORK */
    const Rel *rel;
    VEC(ScanColumn) columns;        /* SCAN: fields to fetch */
    Exprs match;                    /* SCAN: conjuncts done by the server (mql_can_match); constants in them are evaluated when the scan opens */
    Exprs narrow;                   /* SCAN: conditions of the FILTER above by which the server may leave out rows (mql_can_narrow) */
    SortKeys sort;                  /* SCAN: done by the server; keys are VARs of this relation, or paths into them, with the server's NULL order */
    Expr *limit, *offset;           /* SCAN, SORT (top-n), LIMIT, LOCK (SKIP LOCKED) */
    bool with_ties;
    Expr *wanted_limit, *wanted_offset;     /* SCAN, JOIN by key: LIMIT and OFFSET of the block, which stand above; about so many rows will do. A hint */
    int slack;                      /* SCAN, JOIN: so many times as many, because conditions above drop rows; 0: no hint */
    bool ordered;                   /* SCAN: an index has the rows in the order of `sort` */
    const Index *bound_index;       /* SCAN: an index has them by the first key of `sort` at least: the key of the last row wanted is looked up in it first */
    bool grouped;                   /* SCAN: $group of query->group_keys and query->aggs done by the server (mql_can_group) */
    bool by_difference;             /* SCAN, grouped: two commands. All rows are counted, and those with the KEYS, which are ANTI, are taken off */
    const Expr *halves;             /* SCAN: two commands. `sort` and `limit` are for documents that have this hidden field; all others come after them (plan_indexed.c) */
    const Index *index;             /* SCAN: what the planner expects the server to use; NULL: collection scan */
    bool never;                     /* RESULT, SCAN: WHERE is constant FALSE */
    /* FILTER, JOIN */
    Exprs conditions;               /* FILTER: all must be true; JOIN: ON conjuncts beyond the keys */
    JoinKind kind;
    JoinMethod method;
    Exprs left_keys, right_keys;    /* equality keys; NULL never matches */
    int key;                        /* METHOD_KEY: which of the keys is fetched by */
    bool unique_right;              /* at most one right row per key */
    bool null_aware;                /* ANTI made of NOT IN: a NULL on either side rejects (conditions of NOT IN's three-valued logic). JOIN, KEYS */
    bool rescan;                    /* NESTED */
    /* SORT */
    SortKeys keys;
    /* LOCK */
    VEC(AstLocking) locking;
    Ints lock_rels;
} Plan;

typedef struct QueryPlan {
    Query *query;
    Plan *root;
    int n_slots;
    Ints output;                    /* slots of the visible targets, in order */
    bool correlated;                /* must run again when the outer frame changes */
} QueryPlan;

typedef enum ModifyMethod {
    MODIFY_COMMAND,     /* one update/delete command: `match` is all of WHERE, every assignment is expressible in the server */
    MODIFY_ROWS         /* read the rows (keys, new values) here, then write them by _id, in one transaction */
} ModifyMethod;

typedef struct ModifyPlan {
    ModifyMethod method;
    Exprs match;                    /* MODIFY_COMMAND */
    int id_slot;                    /* MODIFY_ROWS: slot of the row's _id in rows' frame */
    bool by_constants;              /* MODIFY_COMMAND UPDATE: plain {$set: ...}, no pipeline */
} ModifyPlan;

typedef struct StatementPlan {
    Resolved *resolved;
    QueryPlan *query;               /* SELECT; the source of INSERT; the row source of UPDATE/DELETE (MODIFY_ROWS) */
    ModifyPlan *modify;
    VEC(struct StatementPlan *) parts;      /* of Resolved.parts, in the same order */
    int n_reads;                    /* how many server commands a run may need at least: 1 = no snapshot session needed; 2 = many */
} StatementPlan;

/* `rows`: how many rows the table has, roughly; false: not known. NULL: nobody knows. */
typedef struct PlanOptions {
    bool no_optimise;
    const char *disabled;
    int server_version;
    bool (*rows)(void *context, Str table, int64_t *rows);
    void *rows_context;
} PlanOptions;
StatementPlan *plan_statement(Compile *cc, Resolved *r, const PlanOptions *options);
void plan_dump(Text *out, const StatementPlan *p);
/* Panics (INTERNAL error) when an operator reads a slot that nothing below it sets. Debug builds call it after each pass. */
void plan_verify(Compile *cc, const StatementPlan *p);
const char *plan_name(PlanTag tag);

#endif
