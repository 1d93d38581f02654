/* resolve_internal.h - what the files of the resolver share: resolve.c (blocks, FROM), resolve_expr.c (expressions), resolve_collation.c (comparing text),
 * resolve_group.c (after grouping), resolve_modify.c (INSERT, UPDATE, DELETE). */
#ifndef SQM_RESOLVE_INTERNAL_H
#define SQM_RESOLVE_INTERNAL_H

#include "resolve.h"

/* A column that USING or NATURAL merged: one name for the columns of visible relations `from` to `to` - 1, taken from one side (coalesced under FULL). A join
 * that merges the name once more replaces it. */
typedef struct Merged { Str name; Expr *expr; int from, to; } Merged;

typedef struct Scope {
    struct Scope *outer;
    Query *query;
    VEC(Rel *) visible;         /* what unqualified and qualified names may mean, in FROM order */
    VEC(Merged) merged;
    VEC(Cte *) ctes;            /* defined by this block's WITH; inner blocks see them too */
    const char *clause;         /* "WHERE", "GROUP BY" ...: for error texts */
    bool aggregates;            /* allowed here */
    bool windows;
    bool in_aggregate;
    bool in_window;
    bool select_sets;           /* set-returning functions may stand here: resolve_select_set.c */
    bool select_sets_known;     /* ... which the select list has named already */
    Rel *select_set;            /* the one of this block, or NULL */
    Str own_name;               /* in a stored expression: the table's own name is the one relation, whatever its alias */
    bool in_sublink;            /* a subquery of an expression is being resolved, from here */
    bool nullable_side;         /* a side of an outer join that may be left NULL */
    bool lateral_barrier;       /* a derived table that isn't LATERAL: relations of the enclosing FROM aren't visible through it */
} Scope;

typedef struct Resolver {
    Compile *cc;
    const Catalog *catalog;
    Resolved *out;
    int view_depth;
    bool in_generated;          /* resolving the expression of a generated column */
    const Value *params;        /* bound values, when the statement is compiled for them alone; else NULL */
    const AstExpr *counted;     /* the parameter that is taken for an integer: SET n = n + %s */
} Resolver;

/* resolve.c */
Query *resolve_select(Resolver *r, const AstSelect *s, Scope *outer);
Rel *resolve_table_rel(Resolver *r, Scope *scope, const Table *table, Str alias, Pos pos);
const Table *resolve_table(Resolver *r, Str name, Pos pos);
/* Notes a table (and column, if column.n) that the application may be able to define. */
void resolve_want(Resolver *r, Str table, Str column, int kind);
void resolve_note_table(Resolver *r, const Table *t);                        /* into r->out->tables */
From *resolve_from_list(Resolver *r, Scope *scope, const AstFroms *items, From *first);
void resolve_targets(Resolver *r, Scope *scope, Query *q, const AstTarget *targets, int n);
void resolve_with(Resolver *r, Scope *scope, const AstCte *ctes, int n, bool recursive);
const Merged *resolve_merged(const Scope *scope, int visible, Str name);     /* what `name` of the i-th visible relation went into, or NULL */
void target_slots(Resolver *r, Query *q);
Str target_name(const AstExpr *e);
Rel *resolve_add_rel(Resolver *r, Scope *scope, RelKind kind, Str alias, Pos pos);
From *resolve_cross_join(Resolver *r, From *left, From *right);
void resolve_add_column(Resolver *r, Rel *rel, Str name, Type type, bool nullable);

/* resolve_select_set.c */
Expr *resolve_select_set(Resolver *r, Scope *scope, const AstExpr *e);       /* a set-returning function outside of FROM: its column */

/* resolve_information.c */
bool resolve_is_information(Str name);                                       /* information_schema.tables ...: no table of the catalogue */
void resolve_information(Resolver *r, Rel *rel, Str name);                   /* gives `rel` its columns and rows */

/* resolve_expr.c */
Expr *resolve_expr(Resolver *r, Scope *scope, const AstExpr *e);
Expr *resolve_condition_expr(Resolver *r, Scope *scope, const AstExpr *e);   /* must be boolean */
Expr *resolve_using(Resolver *r, JoinKind join, Expr *left, Expr *right, Pos pos);   /* the column that USING makes of two, of the type they meet in */
Expr *resolve_column(Resolver *r, Scope *scope, Str qualifier, Str name, Pos pos);
/* What a reference to a column of the block's own relation means: its slot, or the expression behind a virtual generated column. */
Expr *resolve_rel_column(Resolver *r, Query *q, Rel *rel, int column);
/* A generated column's expression over `rel`; its positions are no positions in the statement. */
Expr *resolve_generated(Resolver *r, Query *q, Rel *rel, int column);
/* A stored condition (CHECK) over `rel`, likewise. */
Expr *resolve_stored_condition(Resolver *r, Query *q, Rel *rel, Str text, const char *clause);
Expr *expr_new(Resolver *r, ExprTag tag, Type type, bool nullable, Pos pos);
Expr *expr_const(Resolver *r, Value v, Type type, Pos pos);
Expr *expr_cast(Resolver *r, Expr *e, Type to);                              /* unconditional CAST */
Expr *expr_coerce(Resolver *r, Expr *e, Type to);                            /* literals and parameters of unknown type only */
/* A text literal among targets, which is text only because nothing has asked for another type yet; and the literal as that type. */
bool expr_is_literal(const Expr *e);
Expr *expr_untyped(Resolver *r, const Expr *literal, Type to);
Expr *expr_and(Resolver *r, Expr *a, Expr *b);                               /* NULL operands are TRUE */
Expr *expr_negate(Resolver *r, Expr *e, bool negated, Pos pos);              /* NOT e if `negated`, else e */
Expr *expr_copy(Resolver *r, const Expr *e, int level);                      /* deep; for a place `level` blocks further in */
Expr *expr_compare(Resolver *r, Operator op, Expr *a, Expr *b, Pos pos);
/* A subquery whose one row is a value: of `width` columns, a row if that isn't 1; NULL without a row. */
Expr *resolve_row_subquery(Resolver *r, Scope *scope, const AstExpr *e, int width);
Expr *expr_item(Resolver *r, Expr *row_subquery, int i);                    /* column i of it, from 0 */
SortKey resolve_sort_key(Expr *e, const AstOrder *o);
Expr *resolve_set_function(Resolver *r, Scope *scope, const AstExpr *e, Rel *rel);   /* FROM f(...): columns are added to rel */

/* The type a name in the statement means; an unknown one is refused. */
Type resolve_type(Resolver *r, const AstType *t);

/* resolve_row.c */
Expr *row_compare(Resolver *r, Operator op, const Expr *a, const Expr *b, Pos pos);  /* NULL: not of two rows, or not by their items */
Expr *row_in(Resolver *r, Expr *in);                                         /* an EXPR_IN, maybe of rows: by items, or as it is */

/* resolve_json.c */
bool resolve_is_json_call(Str name);                                         /* json_value, json_query, json_exists */
Expr *resolve_json_call(Resolver *r, Scope *scope, const AstExpr *e);
/* SET column.path = value: the new value of the column, `before` being its old one or what earlier assignments of the statement made of it. */
Expr *resolve_assign_path(Resolver *r, Scope *scope, Expr *before, const AstAssign *a);

/* May fields of the expression be taken by a dot? */
bool expr_has_fields(const Expr *e);
Expr *expr_field(Resolver *r, Expr *e, Str name, Pos pos);
Expr *expr_step(Resolver *r, Expr *e, const Expr *step, Pos pos);            /* NULL: not a step */
/* A dotted path as the given type; other expressions unchanged. expr_adapt: each of the two as what the other asks for. */
Expr *expr_adapted(Resolver *r, Expr *e, Type to);
void expr_adapt(Resolver *r, Expr **a, Expr **b);

/* resolve_collation.c: what text compares by. */
Expr *expr_collate(Resolver *r, Expr *e, Collation collation);               /* e COLLATE ...: a copy */
bool expr_is_collated(const Expr *e);                                        /* a casefold(): it, or the user, made it one */
Expr *expr_collated(Resolver *r, Expr *e);                                   /* what e sorts and groups by */
void expr_collate_pair(Resolver *r, Expr **a, Expr **b);                     /* the two sides of a comparison; rows of equal length, too */
void expr_collate_list(Resolver *r, Exprs *items);                           /* IN: operand and items */
void expr_collate_column(Resolver *r, Expr **operand, Query *q, int column, Pos pos);    /* operand IN (SELECT ...) */
void expr_collate_call(Resolver *r, Expr *call);                             /* the result's collation; refuses what compares inside */
void expr_collate_aggregate(Resolver *r, Expr *agg);
void expr_collate_window(Resolver *r, Expr *window);
void expr_refuse_collated(Resolver *r, const Expr *e, Pos pos, const char *what);
void query_collate_distinct(Resolver *r, Query *q);                          /* DISTINCT that isn't by code points becomes DISTINCT ON */
void query_collate_set(Resolver *r, const Query *q, bool recursive, Pos pos);     /* UNION and the like */
Type expr_meet_collations(Resolver *r, Type t, Type a, Type b, Pos pos);     /* type_collate; two COLLATE clauses that differ are an error */

/* resolve_modify.c: fill r->out->insert / modify. */
/* `outer`: whose WITH queries are seen; NULL: nobody's. */
void resolve_write(Resolver *r, const Stmt *stmt, const Scope *outer);

/* resolve_group.c */
void resolve_grouping(Resolver *r, Query *q);
bool expr_same(Resolver *r, const Expr *a, const Expr *b);                   /* expr_equal, where parameters are equal by promise (Resolved.same_params) */

#endif
