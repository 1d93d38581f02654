/* value.h - run-time SQL values: comparison, hashing, text, and the way in and out of BSON.
 *
 * Value is the public sqm_value_t: a tag and a pointer into somebody else's memory (a server document, an arena, a parameter). Copying the struct
 * copies the reference; value_copy() makes the bytes one's own. SQL semantics live here once: NULL handling, numeric promotion
 * (INT < DECIMAL < DOUBLE), text by code point (= UTF-8 bytes), NaN greatest and equal to itself, as in PostgreSQL. */
#ifndef SQM_VALUE_H
#define SQM_VALUE_H

#include <bson/bson.h>

#include "base.h"
#include "type.h"

typedef sqm_value_t Value;

/* Deep copy into the arena. */
Value value_copy(Arena *a, const Value *v);

/* flags of a SQM_TUPLE that is a row and no array. */
enum { VALUE_ROW = 1 };
static inline bool value_is_row(const Value *v) { return v->type == SQM_TUPLE && v->flags == VALUE_ROW; }

/* Three-valued comparison of two non-NULL values of comparable types; *unknown set when they aren't comparable (text with number ...)
 * or when a row comparison meets NULL. In an SQL array NULL is the greatest element, and equal to NULL. Returns <0, 0, >0. DATE compares with TIMESTAMP at midnight. JSON compares as MongoDB orders BSON. */
int value_compare(const Value *a, const Value *b, bool *unknown);
/* Total order for ORDER BY, MIN/MAX, merge and distinct: NULLs first, then by type class as BSON orders them, then value_compare. */
int value_order(const Value *a, const Value *b);
/* Same grouping key (NULL equals NULL, 1 equals 1.0): consistent with value_hash. */
bool value_same(const Value *a, const Value *b);
uint64_t value_hash(const Value *v, uint64_t seed);

/* Appends `v` under `key` in the storage form of `type` (TYPE_UNKNOWN: natural form): DATE midnight UTC, TIME on 1900-01-01, INTERVAL int64 microseconds,
 * NUMERIC decimal128, UUID binary 4, INT2/INT4 int32, INT8 int64, JSON/DOCUMENT/ARRAY native; NULL becomes BSON null. The value has been through
 * cast_assign() and therefore fits. Returns false only when the document would pass the BSON size limit. */
bool value_append(bson_t *doc, const char *key, int key_len, const Value *v, Type type);
/* The value of an indexed expression: NULL becomes MinKey, so that a null or missing field tells that another program wrote the document. */
bool value_append_indexed(bson_t *doc, const char *key, int key_len, const Value *v, Type type);
/* The element under the iterator as the SQL type of its column. Elements of another BSON type come out in their own natural type
 * (TYPE_UNKNOWN rules), never converted: schemaless data stays visible. Missing: call with it == NULL -> NULL. No copying: points into the document. */
Value value_from_bson(const bson_iter_t *it, Type type);
/* BSON null in a TYPE_JSON column is JSON null (an SQM_JSON value), elsewhere SQL NULL: value_from_bson does that. */

/* The SQL value a raw element (SQM_JSON, SQM_BSON) stands for: numbers, text, booleans, dates ...; JSON null becomes NULL. Documents, arrays and
 * types without an SQL form come back as SQM_BSON. Other values: unchanged. value_from_raw: the same from bytes, by the rules of value_from_bson. */
Value value_natural(const Value *v);
Value value_from_raw(uint8_t bson_type, const uint8_t *p, uint32_t len, Type type);
/* Is a non-NULL value of the type's class (any number for a numeric type, any text for varchar(3), any moment for date)? NULL is of every class.
 * Comparisons between classes are never true, here or in the server. */
bool value_fits(Type type, const Value *v);
#define TIME_EPOCH_DAY INT64_C(-25567)      /* 1900-01-01, the date that times of day are stored on */
/* Text of a double as PostgreSQL prints it: shortest that reads back the same, 1e+15 from 15 digits on, NaN, Infinity. Locale-independent both ways.
 * value_double_parse: the whole of `text` must be a decimal number (spaces around allowed), NaN or [-+]Infinity; *overflow (may be NULL): out of range. */
#define DOUBLE_TEXT 32
size_t value_double_text(double d, char *out);
bool value_double_parse(Str text, double *out, bool *overflow);
/* An SQL name for a run-time value's type, for messages: "integer", "text" ... */
const char *value_type_name(const Value *v);

/* Text of a value as CAST(v AS text) prints it (JSON: compact text with ", " and ": " as PostgreSQL's jsonb). Arena memory. */
Str value_text(Arena *a, const Value *v);
/* JSON text -> SQM_JSON value (arena). False with INVALID_TEXT in error when it isn't JSON. Integers stay int64, others double (or decimal128 beyond). */
bool json_parse(Arena *a, Str text, Value *out, sqm_error_t *error);
/* An SQL value as a JSON value (to_jsonb): numbers, strings, booleans natively; NULL -> JSON null; dates as ISO text. */
Value value_to_json(Arena *a, const Value *v);

#endif
