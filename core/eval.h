/* eval.h - evaluation of resolved expressions over a frame. Everything the server doesn't do is computed here, with PostgreSQL's meaning. */
#ifndef SQM_EVAL_H
#define SQM_EVAL_H

#include "query.h"

typedef struct Eval {
    Value *frame;                   /* slots of the block being run */
    struct Eval *outer;             /* the enclosing block's; NULL at the top. outer->frame is what level-1 VARs read */
    const Value *params;
    int n_params;
    Arena *arena;                   /* scratch of whoever evaluates: lives until that operator's next row */
    int64_t now;                    /* transaction start, microseconds */
    int64_t statement_now;          /* statement start; 0: as `now` */
    sqm_error_t *error;
    /* Set by the executor: runs a sublink for the present frame. NULL when there is no executor (offline folding). */
    bool (*sublink)(struct Eval *ev, const Expr *e, Value *out);
    /* All values of an uncorrelated one-column sublink, NULLs left out (memory: the statement's). NULL when there is no executor. */
    bool (*sublink_values)(struct Eval *ev, const Expr *e, const Value **values, int *n, bool *has_null);
    /* Counters of identity columns. NULL when there is no executor. set: store *value as the last number; else take the next one into *value. */
    bool (*sequence)(struct Eval *ev, Str table, bool set, int64_t *value);
    void *exec;                     /* the executor's */
} Eval;

/* False: ev->error is set with the expression's position. NULL results are SQM_NULL values. */
bool eval(Eval *ev, const Expr *e, Value *out);
/* WHERE's question: is it true? (unknown and false are both false) */
bool eval_true(Eval *ev, const Expr *e, bool *out);
/* Compare two operands with SQL's `op`, giving BOOL or NULL; ROWs elementwise. Shared with joins and IN sets. */
bool eval_compare(Eval *ev, Operator op, const Value *a, const Value *b, Value *out);
/* Set error at the expression; returns false. */
bool eval_fail(Eval *ev, const Expr *e, sqm_error_code_t code, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
