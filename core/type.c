/* type.c - names of SQL types, in and out, and the type two expressions meet in. See type.h for the contract.
 *
 * type_text() prints what the catalogue stores and type_parse() reads back: for every type without a row shape type_parse(type_text(t)) is t.
 *     varchar(30)   numeric(10,2)   timestamp with time zone   integer[]
 * Spellings people write (int4, serial, character varying ...) are a table; a modifier on a type that takes none is no type at all, and neither is
 * timestamp(0..2), whose rounding nothing here would do. Not here: conversion of values (cast.c). */
#include "type.h"

#include <stdio.h>
#include <stdlib.h>

typedef enum Modifiers { PLAIN, LENGTH, NUMERIC, FRACTION, BITS } Modifiers;   /* what stands in the parentheses */

static const struct { const char *name; TypeTag tag; Modifiers modifiers; } names[] = {
    /* the first name of a tag is the one printed */
    {"unknown", TYPE_UNKNOWN, PLAIN},
    {"boolean", TYPE_BOOL, PLAIN}, {"bool", TYPE_BOOL, PLAIN},
    {"smallint", TYPE_INT2, PLAIN}, {"int2", TYPE_INT2, PLAIN}, {"smallserial", TYPE_INT2, PLAIN}, {"serial2", TYPE_INT2, PLAIN},
    {"integer", TYPE_INT4, PLAIN}, {"int", TYPE_INT4, PLAIN}, {"int4", TYPE_INT4, PLAIN}, {"serial", TYPE_INT4, PLAIN}, {"serial4", TYPE_INT4, PLAIN},
    {"bigint", TYPE_INT8, PLAIN}, {"int8", TYPE_INT8, PLAIN}, {"bigserial", TYPE_INT8, PLAIN}, {"serial8", TYPE_INT8, PLAIN},
    {"real", TYPE_FLOAT4, PLAIN}, {"float4", TYPE_FLOAT4, PLAIN},
    {"double precision", TYPE_FLOAT8, PLAIN}, {"float8", TYPE_FLOAT8, PLAIN}, {"float", TYPE_FLOAT8, BITS}, {"double", TYPE_FLOAT8, PLAIN},
    {"numeric", TYPE_NUMERIC, NUMERIC}, {"decimal", TYPE_NUMERIC, NUMERIC}, {"dec", TYPE_NUMERIC, NUMERIC},
    {"text", TYPE_TEXT, PLAIN}, {"inet", TYPE_TEXT, PLAIN}, {"name", TYPE_TEXT, PLAIN},
    {"varchar", TYPE_VARCHAR, LENGTH}, {"character varying", TYPE_VARCHAR, LENGTH}, {"char varying", TYPE_VARCHAR, LENGTH},
    {"char", TYPE_CHAR, LENGTH}, {"character", TYPE_CHAR, LENGTH}, {"bpchar", TYPE_CHAR, LENGTH},
    {"bytea", TYPE_BYTEA, PLAIN},
    {"date", TYPE_DATE, PLAIN},
    {"time", TYPE_TIME, FRACTION}, {"time without time zone", TYPE_TIME, FRACTION},
    {"timestamp", TYPE_TIMESTAMP, FRACTION}, {"timestamp without time zone", TYPE_TIMESTAMP, FRACTION},
    {"timestamp with time zone", TYPE_TIMESTAMPTZ, FRACTION}, {"timestamptz", TYPE_TIMESTAMPTZ, FRACTION},
    {"interval", TYPE_INTERVAL, FRACTION},
    {"uuid", TYPE_UUID, PLAIN},
    {"objectid", TYPE_OBJECTID, PLAIN},
    {"jsonb", TYPE_JSON, PLAIN}, {"json", TYPE_JSON, PLAIN},
    {"document", TYPE_DOCUMENT, PLAIN},
    {"array", TYPE_ARRAY, PLAIN},
    {"record", TYPE_ROW, PLAIN},
};
enum { N_NAMES = sizeof names / sizeof *names };

static const char *name_of(TypeTag tag) {
    for (int i = 0; i < N_NAMES; i++)
        if (names[i].tag == tag) return names[i].name;
    return "unknown";
}

const char *type_text(Type t, char *out, size_t size) {
    if (t.tag == TYPE_ARRAY && t.element != TYPE_UNKNOWN) snprintf(out, size, "%s[]", name_of(t.element));
    else if (t.tag == TYPE_NUMERIC && t.length >= 0) snprintf(out, size, "numeric(%d,%d)", (int)t.length, t.scale < 0 ? 0 : (int)t.scale);
    else if ((t.tag == TYPE_VARCHAR || t.tag == TYPE_CHAR) && t.length >= 0) snprintf(out, size, "%s(%d)", name_of(t.tag), (int)t.length);
    else snprintf(out, size, "%s", name_of(t.tag));
    return out;
}

static bool with_modifiers(TypeTag tag, Modifiers kind, int a, int b, Type *out) {
    *out = type_of(tag);
    switch (kind) {
    case PLAIN: return a < 0 && b < 0;
    case LENGTH:
        out->length = a;
        return b < 0 && a != 0;
    case NUMERIC:
        if (a < 0) return b < 0;
        out->length = a;
        out->scale = b < 0 ? 0 : b;
        return a > 0;
    case FRACTION: return b < 0 && (a < 0 || (a >= 3 && a <= 6));
    case BITS:
        if (a >= 1 && a <= 24) out->tag = TYPE_FLOAT4;
        return b < 0 && a != 0 && a <= 53;
    }
    return false;
}

bool type_from_name(Str name, int modifier1, int modifier2, Type *out) {
    for (int i = 0; i < N_NAMES; i++) {
        if (!str_is(name, names[i].name) || names[i].tag == TYPE_UNKNOWN || names[i].tag == TYPE_ROW) continue;
        /* char is char(1), but bpchar without a length is any length */
        if (names[i].tag == TYPE_CHAR && modifier1 < 0 && !str_is(name, "bpchar")) modifier1 = 1;
        return with_modifiers(names[i].tag, names[i].modifiers, modifier1, modifier2, out);
    }
    return false;
}

static bool read_number(Str s, uint32_t *at, int *out) {
    uint32_t start = *at;
    int64_t n = 0;
    for (; *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9'; ++*at) {
        n = n * 10 + (s.p[*at] - '0');
        if (n > INT32_MAX) return false;
    }
    *out = (int)n;
    return *at > start;
}

bool type_parse(Str text, Type *out) {
    if (str_is(text, "unknown")) return *out = TYPE(UNKNOWN), true;
    if (text.n > 2 && memcmp(text.p + text.n - 2, "[]", 2) == 0) {
        Type element;
        if (!type_parse((Str){text.p, text.n - 2}, &element)) return false;
        *out = type_array(element.tag);
        return true;
    }
    const char *open = text.n ? memchr(text.p, '(', text.n) : NULL;
    if (!open) {
        if (str_is(text, "char")) return *out = TYPE(CHAR), true;   /* stored without a length: it has none */
        return type_from_name(text, -1, -1, out);
    }
    int first, second = -1;
    uint32_t at = (uint32_t)(open - text.p) + 1;
    if (!read_number(text, &at, &first)) return false;
    if (at < text.n && text.p[at] == ',') {
        at++;
        if (at < text.n && text.p[at] == ' ') at++;
        if (!read_number(text, &at, &second)) return false;
    }
    if (at + 1 != text.n || text.p[at] != ')') return false;
    return type_from_name((Str){text.p, (uint32_t)(open - text.p)}, first, second, out);
}

const char *type_code(Type t) {
    switch (t.tag) {
    case TYPE_UNKNOWN:
    case TYPE_ROW: return "";
    case TYPE_BOOL: return "bool";
    case TYPE_INT2:
    case TYPE_INT4: return "int";
    case TYPE_INT8:
    case TYPE_INTERVAL: return "long";
    case TYPE_FLOAT4:
    case TYPE_FLOAT8: return "double";
    case TYPE_NUMERIC: return "decimal";
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_CHAR:
    case TYPE_UUID: return "string";
    case TYPE_BYTEA: return "binData";
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ: return "date";
    case TYPE_OBJECTID: return "objectId";
    case TYPE_JSON:
    case TYPE_DOCUMENT: return "object";
    case TYPE_ARRAY: return "array";
    }
    return "";
}

Type type_from_code(Str code) {
    static const struct { const char *code; TypeTag tag; } codes[] = {
        {"int", TYPE_INT4}, {"long", TYPE_INT8}, {"bool", TYPE_BOOL}, {"double", TYPE_FLOAT8}, {"decimal", TYPE_NUMERIC}, {"string", TYPE_TEXT},
        {"binData", TYPE_BYTEA}, {"date", TYPE_TIMESTAMPTZ}, {"objectId", TYPE_OBJECTID}, {"object", TYPE_DOCUMENT}, {"array", TYPE_ARRAY},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (str_is(code, codes[i].code)) return type_of(codes[i].tag);
    return TYPE(UNKNOWN);
}

/* Integers and numerics widen in order; any float among them makes it double precision, which alone holds what the others hold nearly enough. */
static Type common_number(Type a, Type b) {
    if (a.tag == b.tag) return type_of(a.tag);
    if (a.tag == TYPE_FLOAT8 || b.tag == TYPE_FLOAT8 || a.tag == TYPE_FLOAT4 || b.tag == TYPE_FLOAT4) return TYPE(FLOAT8);
    return type_of(a.tag > b.tag ? a.tag : b.tag);
}

static bool common(Type a, Type b, Type *out) {
    if (a.tag == TYPE_UNKNOWN) return *out = b, true;
    if (b.tag == TYPE_UNKNOWN) return *out = a, true;
    if (a.tag == TYPE_ARRAY && b.tag == TYPE_ARRAY) {
        Type element;
        if (!common(type_of(a.element), type_of(b.element), &element)) return false;
        *out = type_array(element.tag);
        return true;
    }
    if (a.tag == b.tag) {
        bool same = a.length == b.length && a.scale == b.scale;
        *out = same ? a : type_of(a.tag);
        return true;
    }
    if (type_is_numeric(a) && type_is_numeric(b)) return *out = common_number(a, b), true;
    if (type_is_text(a) && type_is_text(b)) return *out = TYPE(TEXT), true;
    if (type_is_datetime(a) && type_is_datetime(b) && a.tag != TYPE_TIME && b.tag != TYPE_TIME) {
        *out = type_of(a.tag > b.tag ? a.tag : b.tag);   /* date < timestamp < timestamptz */
        return true;
    }
    return false;
}

bool type_common(Type a, Type b, Type *out) {
    if (!common(a, b, out)) return false;
    *out = type_collate(*out, a, b);
    return true;
}

/* ---- collations ---- */

static const struct { const char *name; Collation collation; } collations[] = {
    {"default", COLLATION_DEFAULT}, {"C", COLLATION_C}, {"POSIX", COLLATION_C}, {"ucs_basic", COLLATION_C}, {"case_insensitive", COLLATION_CASE_INSENSITIVE},
};
enum { N_COLLATIONS = sizeof collations / sizeof *collations };

bool collation_find(Str name, Collation *out) {
    for (int i = 0; i < N_COLLATIONS; i++)
        if (str_ieq(name, str_from(collations[i].name))) return *out = collations[i].collation, true;
    return false;
}

const char *collation_name(Collation c) {
    for (int i = 0; i < N_COLLATIONS; i++)
        if (collations[i].collation == c) return collations[i].name;
    return "default";
}

Type type_collate(Type t, Type a, Type b) {
    t.collation = COLLATION_DEFAULT;
    t.collated = false;
    if (!type_is_text(t) && t.tag != TYPE_UNKNOWN) return t;
    bool first = a.collated || (!b.collated && a.collation != COLLATION_DEFAULT);
    Type from = first ? a : b, other = first ? b : a;
    t.collation = from.collation;
    t.collated = from.collated;
    bool speaks = other.collated || (!from.collated && other.collation != COLLATION_DEFAULT);
    if (speaks && other.collated == from.collated && other.collation != from.collation) t.collation = COLLATION_CONFLICT;
    return t;
}
