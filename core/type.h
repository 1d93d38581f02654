/* type.h - SQL types as the resolver and the catalogue know them. Small, passed by value. */
#ifndef SQM_TYPE_H
#define SQM_TYPE_H

#include "base.h"

typedef enum TypeTag {
    TYPE_UNKNOWN,       /* a parameter, an untyped literal, a column nobody declared: the run-time value's own tag decides */
    TYPE_BOOL, TYPE_INT2, TYPE_INT4, TYPE_INT8, TYPE_FLOAT4, TYPE_FLOAT8, TYPE_NUMERIC,
    TYPE_TEXT, TYPE_VARCHAR, TYPE_CHAR, TYPE_BYTEA,
    TYPE_DATE, TYPE_TIME, TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ, TYPE_INTERVAL,
    TYPE_UUID, TYPE_OBJECTID, TYPE_JSON, TYPE_DOCUMENT, TYPE_ARRAY, TYPE_ROW
} TypeTag;

/* What text compares by: its code points ("C", and what no COLLATE speaks of), or those of casefold(text). CONFLICT: two columns' collations met and no
 * COLLATE says which it is; an error wherever it is compared. */
typedef enum Collation { COLLATION_DEFAULT, COLLATION_C, COLLATION_CASE_INSENSITIVE, COLLATION_CONFLICT } Collation;

typedef struct Type {
    TypeTag tag;
    int32_t length;     /* varchar(n)/char(n) in code points, numeric precision; -1 none */
    int32_t scale;      /* numeric scale; -1 none */
    TypeTag element;    /* TYPE_ARRAY: element type when known */
    Collation collation;    /* of text, and of untyped operands of COLLATE */
    bool collated;      /* the collation was written with the expression: it wins over those of columns */
} Type;

#define TYPE(t) ((Type){.tag = TYPE_##t, .length = -1, .scale = -1})
static inline Type type_of(TypeTag tag) { return (Type){.tag = tag, .length = -1, .scale = -1}; }
static inline Type type_array(TypeTag element) { return (Type){.tag = TYPE_ARRAY, .length = -1, .scale = -1, .element = element}; }
static inline bool type_is_numeric(Type t) { return t.tag >= TYPE_INT2 && t.tag <= TYPE_NUMERIC; }
static inline bool type_is_integer(Type t) { return t.tag >= TYPE_INT2 && t.tag <= TYPE_INT8; }
static inline bool type_is_text(Type t) { return t.tag >= TYPE_TEXT && t.tag <= TYPE_CHAR; }
static inline bool type_is_datetime(Type t) { return t.tag >= TYPE_DATE && t.tag <= TYPE_TIMESTAMPTZ; }

/* "varchar(30)", "numeric(10,2)", "timestamp with time zone" ... into `out` (>= 64 bytes). */
const char *type_text(Type t, char *out, size_t size);
/* From a lower-case SQL type name; false when there is no such type. Knows aliases: int, serial (integer), float8, bool, timestamptz, json ... */
bool type_from_name(Str name, int modifier1, int modifier2, Type *out);
/* From what type_text() printed: "varchar(30)", "numeric(10,2)", "integer[]", "unknown". */
bool type_parse(Str text, Type *out);
/* The type_code djongo 1.3 writes in __schema__.fields: "int", "long", "string", "date", "decimal" ... */
const char *type_code(Type t);
/* And back, for tables djongo 1.3 declared; TYPE_UNKNOWN for a code it never wrote. */
Type type_from_code(Str code);
/* The type two branches of CASE/UNION/COALESCE meet in; false when they can't. UNKNOWN gives way; numerics promote; varchar+text = text. */
bool type_common(Type a, Type b, Type *out);

/* False: there is no such collation. */
bool collation_find(Str name, Collation *out);
const char *collation_name(Collation c);
/* `t` with the collation of an expression made of `a` and `b`: what COLLATE says, else the one that isn't the default. */
Type type_collate(Type t, Type a, Type b);
/* The type as a column of a subquery has it: its collation is no more than that column's. */
static inline Type type_as_column(Type t) { return t.collated = false, t; }

#endif
