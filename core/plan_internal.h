/* plan_internal.h - what plan.c and subquery.c share. */
#ifndef SQM_PLAN_INTERNAL_H
#define SQM_PLAN_INTERNAL_H

#include "plan.h"

typedef struct SemiJoin SemiJoin;

typedef struct Planner {
    Compile *cc;
    Resolved *resolved;
    const PlanOptions *options;
    int n_reads;
    VEC(SemiJoin *) semi;       /* what plan_unnest took out of the conditions of the block being planned */
} Planner;

/* A VAR of this block's frame; false stops the walk. */
typedef bool (*VarVisitor)(const Expr *var, void *context);

Plan *plan_new(Planner *p, PlanTag tag, Plan *left);
void plan_add_slot(Planner *p, Plan *plan, int slot);
void plan_conjuncts(Planner *p, Expr *e, Exprs *out);                 /* appends the ANDed parts of e */
bool plan_visit_vars(const Expr *e, VarVisitor visit, void *context); /* level-0 references, those from within subqueries included */
bool plan_covered(const Expr *e, const Ints *slots);
bool plan_touches(const Expr *e, const Ints *slots);
Plan *plan_join(Planner *p, JoinKind kind, Plan *left, Plan *right, const Exprs *conditions);
Plan *plan_from_items(Planner *p, const Query *q, const From *f, Exprs *conditions);   /* a FROM tree; conditions that fit go in, the rest stays */
/* plan_indexed.c: appends to `match` what the conditions on `rel` imply for indexed expressions; the first index that serves one, or NULL. */
const Index *plan_indexed(Planner *p, const Rel *rel, const Exprs *conditions, Exprs *match);
/* Is the block's ORDER BY ... LIMIT over `scan` an indexed expression's? Then the scan brings a few rows, of which the first ones are among those wanted. */
void plan_indexed_order(Planner *p, const Query *q, Plan *scan);
void plan_block(Planner *p, Query *q);                                /* sets q->plan; idempotent */

/* subquery.c: takes EXISTS / NOT EXISTS / IN that can be joins out of `conditions` ... */
void plan_unnest(Planner *p, Query *q, Exprs *conditions);
/* ... and puts the joins on top of the block's FROM. */
Plan *plan_semi_joins(Planner *p, Query *q, Plan *plan, SemiJoin *const *joins, int n);

#endif
