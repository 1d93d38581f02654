/* mql.h - from plans and resolved expressions to MongoDB commands.
 *
 * Two languages (shared notes: docs/semantics.md): $match predicates, index-friendly and by polarity ("is true" / "is false"), and aggregation
 * expressions. can_* answer at plan time from types and tags alone; the emitters then run at each execution, when parameters and outer references
 * have values: a constant is evaluated (eval) and its value may change the shape (NULL comparison -> never, LIKE prefix -> anchored regex). Emission
 * fails only when evaluating a constant does (division by zero ...). */
#ifndef SQM_MQL_H
#define SQM_MQL_H

#include "eval.h"
#include "plan.h"

/* May "e is true" be decided by the server for rows of relation `rel` alone? (Everything else in it is constant.) */
bool mql_can_match(const Expr *e, const Rel *rel);
/* Is `e`, as one of the conjuncts on `rel`, a condition that only the server can decide (mql_native.c)? mql_match() takes it too. */
bool mql_can_native(const Expr *e, const Rel *rel);
/* Has `e` an aggregation-expression form over relation `rel` whose value (NULLs, overflow, rounding, division by zero) is exactly eval()'s? */
bool mql_can_express(const Expr *e, const Rel *rel);
/* May the whole GROUP BY + aggregates of the query run as $group on `rel`? */
bool mql_can_group(const Query *q, const Rel *rel);
/* May SELECT DISTINCT of the query's targets run as $group on `rel`? */
bool mql_can_distinct(const Query *q, const Rel *rel);
/* SELECT COUNT(*) and nothing else. */
bool mql_counts_rows(const Query *q);
/* An aggregate that the server answers by [sum, count]: aggregate_mean() makes the value of it. */
bool mql_is_mean(const Expr *e);
/* Can the server leave out rows for which `e` isn't true, though not all of them (mql_narrow.c)? The condition stays to be decided here. */
bool mql_can_narrow(const Expr *e, const Rel *rel);
/* JSON_VALUE of a type the server tells apart, of a column of rel, by names alone (mql_path.c). */
bool mql_is_scalar_path(const Expr *e, const Rel *rel);
/* The same with indexes of elements among the names (mql_element.c). */
bool mql_is_element_path(const Expr *e, const Rel *rel);
/* The VAR under a JSON_VALUE or JSON_QUERY for which a projection of the path (as far as it goes by names) is as good as the document; else NULL. */
const Expr *mql_projected_root(const Expr *e);
/* May this sort key be sorted by the server (a plain column; NULLs where MongoDB puts them)? */
bool mql_can_sort(const SortKey *key, const Rel *rel);

typedef struct Emit {
    Eval *ev;               /* evaluates constants; ev->error receives failures */
    const Rel *rel;
    Arena *arena;
    bool second_half;       /* of a scan with `halves` */
    bool nearest;           /* near() may order the rows */
    bool show;              /* EXPLAIN without values: an unbound parameter is emitted as {"$parameter": i} */
    const Assign *refused;  /* mql_update() sets it: a NULL for a column that takes none, an error if there is a row to change */
} Emit;

/* Appends the filter for "all conjuncts are true" to `filter`. *never: no row can match (don't ask the server). */
bool mql_match(Emit *em, const Exprs *conjuncts, bson_t *filter, bool *never);
/* The same with conditions that only narrow beside it. */
bool mql_match_narrowed(Emit *em, const Exprs *conjuncts, const Exprs *narrow, bson_t *filter, bool *never);
/* A filter for CHECK validators: matches documents for which `e` isn't false. */
bool mql_not_false(Emit *em, const Expr *e, bson_t *filter);
/* Appends an aggregation expression that is true exactly when the condition e is TRUE. */
bool mql_express_true(Emit *em, const Expr *e, bson_t *out, const char *key);
/* Appends the aggregation expression under `key`. */
bool mql_express(Emit *em, const Expr *e, bson_t *out, const char *key);

/* Can the server compute what is assigned to the column: parts of it set, elements added or taken out (mql_assign.c)? */
bool mql_can_assign(const Expr *e, const Rel *rel, int column);
bool mql_express_assign(Emit *em, const Expr *e, bson_t *out, const char *key);

/* Documents that have one of several tuples of values (mql_tuple.c). add: the tuple stays where it is until the end. full: more would be too much for one command. */
enum { TUPLE_BRANCHES = 1000, TUPLE_BYTES = 8 << 20 };
typedef struct TupleField { Str name; Type type; } TupleField;
typedef struct TupleFilter { const TupleField *fields; int width, n; struct TupleBranch *branches; int n_branches, cap; uint32_t bytes; } TupleFilter;
void tuple_filter_begin(TupleFilter *t, const TupleField *fields, int width);
void tuple_filter_add(TupleFilter *t, const Value *tuple);
bool tuple_filter_full(const TupleFilter *t);
void tuple_filter_end(TupleFilter *t, bson_t *filter);

/* Rows to fetch by key: columns IN values (no NULLs, distinct; `width` values for each of the n keys). `none` (of one column): those whose column is in none of them, which
 * a NULL is not either, or (null_aware: NOT IN) may be: then NULLs are out unless there are no values at all, and with has_null everything is. */
typedef struct KeyFilter { int width; const int *columns; const Value *values; int n; bool none, null_aware, has_null; } KeyFilter;
/* What is asked of a SCAN beyond its plan. */
typedef struct ScanRequest {
    const KeyFilter *keys;          /* all of them */
    int n_keys;
    int64_t batch;                  /* documents in the first reply; 0: the usual number */
    bool part;                      /* rows [skip, skip + limit) (limit 0: to the end) of the plan's order, made total by _id: parts fit together */
    int64_t skip, limit;
    const Value *bound;             /* rows past this value of the first sort key aren't wanted */
} ScanRequest;
/* The command of a SCAN: find when match/sort/skip/limit/projection is enough, aggregate otherwise. *never: no command needed, no rows.
 * `offset`/`limit` are the scan's, evaluated. Output documents: for find the collection's (projected) documents; for grouped scans
 * { k: [key values...], a: [aggregate values...] } in query order. */
bool mql_scan(Emit *em, const Query *q, const Plan *scan, const ScanRequest *request, bson_t *command, bool *never);
/* The value of the first sort key in row `nth` (from 0) of a scan with a bound_index: {find, sort by that key alone, skip, limit 1, projection of it}. */
void mql_bound(const Plan *scan, int64_t nth, bson_t *command);
/* update/delete commands of MODIFY_COMMAND. */
bool mql_update(Emit *em, const ModifyQuery *m, const ModifyPlan *p, bson_t *command, bool *never);
bool mql_delete(Emit *em, const ModifyQuery *m, const ModifyPlan *p, bson_t *command, bool *never);
/* The find for one row that either would meet. */
bool mql_find_any(Emit *em, const ModifyQuery *m, const ModifyPlan *p, bson_t *command, bool *never);

#endif
