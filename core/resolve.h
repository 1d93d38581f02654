/* resolve.h - AST -> Query: every name becomes a number, every expression gets a type, and every mistake of the user is found here. */
#ifndef SQM_RESOLVE_H
#define SQM_RESOLVE_H

#include "query.h"

/* Errors go through fail(). DDL and transaction statements come back with only `tag`, `stmt`. `params`: NULL, or the bound values, when what was taken for granted of them didn't hold
 * (Resolved.same_params, integer_params): only they can tell whether GROUP BY coalesce(a, %s) is the coalesce(a, %s) of the select list. */
Resolved *resolve(Compile *cc, const Catalog *catalog, const Parsed *parsed, const Value *params);
/* The text of a CHECK constraint (or partial index condition) as a condition over a block of one relation, rel 0 = the table. *out_rel: that relation. */
Expr *resolve_condition(Compile *cc, const Catalog *catalog, const Table *table, Str text, const Rel **out_rel);
/* A generated column's expression, over the same kind of block. */
Expr *resolve_generated_column(Compile *cc, const Catalog *catalog, const Table *table, int column, const Rel **out_rel);
/* The text of a column default: an expression without columns. */
Expr *resolve_default(Compile *cc, const Catalog *catalog, Str text);

/* The collation of that name; others than those of type.h are refused. */
Collation resolve_collation(Compile *cc, Str name, Pos pos);

#endif
