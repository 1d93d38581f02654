/* mql_internal.h - shared by mql_match.c, mql_expr.c and mql_command.c. */
#ifndef SQM_MQL_INTERNAL_H
#define SQM_MQL_INTERNAL_H

#include "mql.h"

/* A plain column of `rel` (level 0). */
bool mql_is_column(const Expr *e, const Rel *rel);
/* The BSON value of a constant expression. *unbound: a parameter has no value yet (show mode), *parameter its number. */
bool mql_constant(Emit *em, const Expr *e, Value *out, bool *unbound, int *parameter);
/* Appends a value in its natural storage form. */
void mql_value(bson_t *out, const char *key, const Value *v);
/* {"$parameter": n}, numbered from 1 as in the SQL text. */
void mql_parameter(bson_t *out, const char *key, int parameter);
/* An SQL LIKE pattern as a PCRE: anchored, (?s). *exact: no wildcard at all, `out` is then the plain text. False: the pattern ends in a lone escape. */
bool mql_like_pattern(Arena *arena, Str pattern, int escape, bool *exact, Str *out);

#endif
