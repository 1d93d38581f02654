/* exec.h - running plans. One Exec per running statement; one QueryRun per block being run; one Node per operator. */
#ifndef SQM_EXEC_H
#define SQM_EXEC_H

#include "mql.h"
#include "plan.h"
#include "server.h"

typedef struct QueryRun QueryRun;

/* What one operator did (EXPLAIN ANALYZE); operators below included, as in PostgreSQL. */
typedef struct PlanStats {
    const Plan *plan;
    int64_t loops, rows, commands, nanoseconds;
    /* SCAN: its own commands (without getMore), and what the server says of them (probe.c) */
    int64_t sent, documents, keys;      /* documents, keys: -1 nothing was asked */
    bool unknown;                       /* the server wouldn't explain one of them */
    char access[256];                   /* "IXSCAN book_author_id, COLLSCAN": each way once */
} PlanStats;
typedef struct ExecStats { VEC(PlanStats *) at; int64_t probe_trips, probe_nanoseconds; } ExecStats;

typedef struct Exec {
    Server *server;             /* NULL: offline */
    ServerView *view;           /* opened at the first read when plan->n_reads > 1 */
    bool view_open;             /* that has been done (view stays NULL on a standalone server) */
    const StatementPlan *plan;
    const Catalog *catalog;     /* as of the start; set by the caller, may be NULL */
    struct Foreign *foreign;    /* the connection's, for writes; set by the caller, NULL: foreign keys aren't checked */
    struct Cascade *cascade;    /* of a DELETE: what ON DELETE actions have still to do (dml_cascade.c) */
    bool nested;                /* a statement of such an action: the transaction and the queue are another statement's */
    const Value *params;
    int n_params;
    Arena arena;                /* lives as long as the execution */
    int64_t now, statement_now;
    size_t memory, memory_limit;/* bytes held by blocking operators */
    sqm_error_t *error;
    struct SublinkState *sublinks;  /* by EXPR_SUBLINK number */
    struct CteState *ctes;      /* by Cte number */
    struct Hash *locked;        /* rows that SKIP LOCKED has found locked (lock.c); NULL: none yet */
    QueryRun *runs;             /* all that are open, newest first */
    ExecStats *stats;    /* EXPLAIN ANALYZE: per operator rows/time/commands; NULL otherwise */
} Exec;

void exec_init(Exec *x, Server *server, const StatementPlan *plan, const Value *params, int n_params, size_t memory_limit, sqm_error_t *error);
void exec_clear(Exec *x);       /* closes cursors, frees memory; charged memory is back to 0 */
void exec_enable_stats(Exec *x);                    /* before the first exec_query_open */
int64_t exec_round_trips(const Exec *x);            /* the connection's, without those that only measured */
const PlanStats *exec_stats(const Exec *x, const Plan *plan);   /* NULL: the operator never ran */
/* An evaluation context that isn't a block's (RETURNING, CHECK, generated columns): sublinks work in it. */
void exec_eval_init(Exec *x, Eval *ev, Value *frame, Eval *outer, Arena *arena);
/* For callers that read by themselves (dml.c): opens the statement's view when the plan needs one. */
bool exec_view(Exec *x, ServerView **out);

/* Start running a block; `outer` is the enclosing block's evaluation context or NULL. */
QueryRun *exec_query_open(Exec *x, QueryPlan *plan, Eval *outer);
/* 1 row (slots of run's frame are set), 0 end, -1 error in x->error. */
int exec_query_next(QueryRun *run);
void exec_query_rescan(QueryRun *run);      /* from the start, with the outer frame as it is now */
void exec_query_close(QueryRun *run);
Eval *exec_query_eval(QueryRun *run);       /* frame and scratch arena of the block */
/* True when the next row needs no network wait for sure. */
bool exec_query_buffered(const QueryRun *run);

#endif
