/* mql_internal.h - shared by mql_match.c, mql_expr.c and mql_command.c. */
#ifndef SQM_MQL_INTERNAL_H
#define SQM_MQL_INTERNAL_H

#include "mql.h"

/* mql_array.c: conditions about the elements of an array. `list` is an array of ANDed filters being filled, *n its length. */
bool mql_can_array(const Expr *e, const Rel *rel);
bool mql_add_array(Emit *em, const Expr *e, bool want, bson_t *list, int *n);
bool mql_add_narrow(Emit *em, const Expr *e, bson_t *list, int *n);
/* mql_match.c: the filter of one condition under one polarity; a list of filters as one document; a constant that is compared with. */
bool mql_add(Emit *em, bson_t *list, int *n, const Expr *e, bool want);
void mql_merge(const bson_t *list, bson_t *out, bool *never);
/* A plain column of `rel` (level 0). */
bool mql_is_column(const Expr *e, const Rel *rel);
/* The BSON value of a constant expression. *unbound: a parameter has no value yet (show mode), *parameter its number. */
bool mql_constant(Emit *em, const Expr *e, Value *out, bool *unbound, int *parameter);
/* Where a value lies: a column, or a path into one (mql_path.c). */
typedef struct Place {
    Str field;      /* dotted; empty: the element itself, inside $elemMatch */
    Type type;
    bool path;      /* values of other classes are NULL, and arrays on the way or at the end are not looked into */
    uint32_t root;  /* how much of `field` the column is; a longer prefix that ends before the leaf is guarded */
    const Expr *element;    /* a path that counts elements: `field` only finds candidates (mql_element.c); of `rel`, with an arena to say it in */
    const Rel *rel;
    Arena *arena;
} Place;
bool mql_is_json_value(const Expr *e);                      /* JSON_VALUE with NULL ON EMPTY and ON ERROR */
bool mql_is_path(const Expr *e, const Rel *rel);            /* of a column of rel, whatever its type; all steps fit a dotted field */
/* The dotted field that a projection needs for such a path. Empty: the whole column. */
Str mql_projected_path(Arena *arena, const Rel *rel, const Expr *e);
/* mql_element.c: paths with indexes, their dotted field, their value as an expression (of whatever type), and what stands for {field: ops}. */
Str mql_element_field(Arena *arena, const Rel *rel, const Expr *e);
void mql_express_element(Arena *arena, const Rel *rel, const Expr *e, bson_t *out, const char *key);
void mql_append_element(const Place *at, const bson_t *ops, bson_t *item);
/* The path's value as an expression: null unless it is of the type. */
void mql_express_path(Arena *arena, const Rel *rel, const Expr *e, bson_t *out, const char *key);
/* An array column or a path RETURNING an array, of a relation `level` blocks out. */
bool mql_is_array_place(const Expr *e, const Rel *rel, int level);
bool mql_told_apart(Type t);
Place mql_place(Arena *arena, const Rel *rel, const Expr *e);
/* {$type: class}: a value of the place's type, not NULL; needs the guards too. */
void mql_append_class(const Place *at, bson_t *ops);
/* {$in: [{$type: value}, [the type's BSON types]]}, of an expression's name. */
void mql_append_class_test(bson_t *out, Str value, Type type);
/* A member's name that a dotted field can hold. */
bool mql_is_plain_step(const Expr *step);
/* "$not: {$type: array}" beside the operators of the leaf, and the same for each prefix. Columns need none. */
void mql_append_no_array(bson_t *ops);
void mql_guard_leaf(const Place *at, bson_t *ops);
int mql_guards(const Place *at);
void mql_append_guard(const Place *at, int which, bson_t *item);
/* Appends a value in its natural storage form. */
void mql_value(bson_t *out, const char *key, const Value *v);
/* {"$parameter": n}, numbered from 1 as in the SQL text. */
void mql_parameter(bson_t *out, const char *key, int parameter);
/* An SQL LIKE pattern as a PCRE: anchored, (?s). *exact: no wildcard at all, `out` is then the plain text. False: the pattern ends in a lone escape. */
bool mql_like_pattern(Arena *arena, Str pattern, int escape, bool *exact, Str *out);

/* The filter of a condition for which mql_can_native() holds. */
bool mql_native(Emit *em, const Expr *e, bson_t *out);

#endif
