/* plan_internal.h - what plan.c, plan_join.c and subquery.c share. */
#ifndef SQM_PLAN_INTERNAL_H
#define SQM_PLAN_INTERNAL_H

#include "plan.h"

typedef struct SemiJoin SemiJoin;
typedef VEC(SemiJoin *) SemiJoins;

typedef struct Planner {
    Compile *cc;
    Resolved *resolved;
    const PlanOptions *options;
    int n_reads;
    SemiJoins semi;       /* what plan_unnest took out of the conditions of the block being planned; nested blocks have lists of their own */
} Planner;

/* A VAR of this block's frame; false stops the walk. */
typedef bool (*VarVisitor)(const Expr *var, void *context);

Plan *plan_new(Planner *p, PlanTag tag, Plan *left);
void plan_add_slot(Planner *p, Plan *plan, int slot);
void plan_conjuncts(Planner *p, Expr *e, Exprs *out);                 /* appends the ANDed parts of e */
bool plan_visit_vars(const Expr *e, VarVisitor visit, void *context); /* level-0 references, those from within subqueries included */
bool plan_query_visit_vars(const Query *q, VarVisitor visit, void *context);   /* the references that nested block `q` makes to this block */
bool plan_slot_absent(const Expr *var, void *context);                /* a VarVisitor: stops at a slot of the Ints `context` */
bool plan_has_slot(const Ints *slots, int slot);
bool plan_has_sublink(const Expr *e);
void plan_mark_pushed(Expr *condition);                               /* the server decides it: EXISTS over arrays in it are never run here */
bool plan_covered(const Expr *e, const Ints *slots);
bool plan_touches(const Expr *e, const Ints *slots);
Plan *plan_filter(Planner *p, Plan *below, Exprs conditions);         /* `below` itself when there are none */
void plan_from_slots(Planner *p, const Query *q, const From *f, Ints *out);
Plan *plan_join(Planner *p, const Query *q, JoinKind kind, Plan *left, Plan *right, const Exprs *conditions);
/* plan_derived.c: puts what it can of the conditions on a derived table into its query, which isn't planned yet; gives back the rest. */
Exprs plan_push_derived(Planner *p, const Rel *rel, const Exprs *conditions);
/* plan_outer.c: changes q->from, of which `conditions` are WHERE's conjuncts. */
void plan_reduce_outer(Planner *p, Query *q, const Exprs *conditions);
/* The scan whose order the rows of a tree of joins and filters have; NULL: none. */
Plan *plan_driving_scan(Plan *plan);
const Plan *plan_scan_of(const Plan *plan, int rel);                   /* the scan of that relation; NULL */
Plan *plan_from_items(Planner *p, const Query *q, const From *f, Exprs *conditions);   /* a FROM tree; conditions that fit go in, the rest stays */
/* plan_indexed.c: appends to `match` what the conditions on `rel` imply for indexed expressions; the first index that serves one, or NULL. */
const Index *plan_indexed(Planner *p, const Rel *rel, const Exprs *conditions, Exprs *match);
/* Is the block's ORDER BY ... LIMIT over `scan` an indexed expression's? Then the scan brings a few rows, of which the first ones are among those wanted. */
void plan_indexed_order(Planner *p, const Query *q, Plan *scan);
void plan_block(Planner *p, Query *q);                                /* sets q->plan; idempotent */

/* subquery.c. Takes EXISTS / NOT EXISTS / IN / NOT IN that can be joins out of `conditions` into p->semi, their right sides planned ... */
void plan_unnest(Planner *p, Query *q, Exprs *conditions);
/* ... gives a scan those whose keys it had better be asked by ... */
void plan_push_keys(Planner *p, Plan *scan);
/* ... and puts the others as joins on top of the block's FROM. */
Plan *plan_semi_joins(Planner *p, const Query *q, Plan *plan);
/* The same plan with joins instead of KEYS; `plan` itself when there are none. What lies below the KEYS is shared. */
Plan *plan_without_keys(Planner *p, const Query *q, Plan *plan);

/* Types whose values are equal in the server exactly when they are here, and that are stored as they are computed. */
bool plan_same_equality(Type a, Type b);
/* What became a part of a command is run by nobody: marks the EXISTS in it. */
void plan_mark_pushed(Expr *e);

#endif
