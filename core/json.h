/* json.h - JSON values: text in and out, navigation, containment and change, over BSON bytes.
 *
 * A JSON value is a Value tagged SQM_JSON (or SQM_BSON for native document/array columns): bson_type plus the raw bytes of one BSON element's value.
 * Items taken out of a value carry the same tag and point into it; nothing is copied until something is built, and then into the caller's arena.
 * Meaning is PostgreSQL's jsonb: numbers compare by value whatever their BSON type, the order of an object's keys does not matter for equality,
 * of duplicate keys the last wins. BSON types JSON lacks (ObjectId, date, binary ...) are carried along and print as relaxed Extended JSON. */
#ifndef SQM_JSON_H
#define SQM_JSON_H

#include "value.h"

#define JSON_MAX_DEPTH 100      /* containers within containers, as MongoDB allows */

static inline bool json_is(const Value *v) { return v->type == SQM_JSON || v->type == SQM_BSON; }
static inline bool json_is_object(const Value *v) { return json_is(v) && v->bson_type == BSON_TYPE_DOCUMENT; }
static inline bool json_is_array(const Value *v) { return json_is(v) && v->bson_type == BSON_TYPE_ARRAY; }
static inline bool json_is_null(const Value *v) { return json_is(v) && v->bson_type == BSON_TYPE_NULL; }
Value json_null(void);

/* ---- text (json_parse is in value.h) ---- */
/* Compact text as jsonb prints it: {"a": 1, "b": [true, null]}. Doubles print as their shortest round trip and stay doubles: 3.0, 1e+20. */
Str json_text(Arena *a, const Value *v);
void json_write(Text *out, const Value *v);
void json_quote(Text *out, Str s);                              /* "s" with quotes and escapes */

/* ---- reading ---- */
/* Elements of an object (key and item) or array (item; key is the index as text). v that is neither: no elements.
 *     JsonIter it = json_iter(&v); while (json_next(&it, &key, &item)) ...      key may be NULL */
typedef struct JsonIter { const uint8_t *at, *end; uint8_t tag; } JsonIter;
JsonIter json_iter(const Value *v);
bool json_next(JsonIter *it, Str *key, Value *item);
int64_t json_length(const Value *v);                            /* elements of a container, else 0 */

/* False: no such key or index, or v is not of the right kind. A negative index counts from the end. */
bool json_get(const Value *v, Str key, Value *out);             /* object -> 'key' */
bool json_get_index(const Value *v, int64_t index, Value *out); /* array -> index */
bool json_path(const Value *v, const Str *path, int n, Value *out);   /* #>: a step is a key of an object or an index, in digits, of an array */
/* ->> and #>>: a string's own text, NULL for JSON null, other values as JSON text. */
Value json_as_text(Arena *a, const Value *v);
const char *json_typeof(const Value *v);                        /* object array string number boolean null; BSON's own: date objectId binData ... */

/* An item of a document as JSON_VALUE ... RETURNING type gives it. False: it is of another class than the type (out is NULL then). */
bool json_value_as(Value item, Type type, Value *out);
Value value_as_number(Value v, Type type);

/* @>: does a contain b? */
bool json_contains(const Value *a, const Value *b);
bool json_has_key(const Value *v, Str key);                     /* ?: key of an object, string element of an array, the string itself */
bool json_equal(const Value *a, const Value *b);
/* Total order: BSON's order of types; objects as their fields sorted by key. 0 exactly when json_equal. */
int json_compare(const Value *a, const Value *b);
uint64_t json_hash(const Value *v, uint64_t seed);              /* consistent with json_equal, and with value_hash for scalars */

/* ---- building ---- */
/*     JsonBuilder b = json_builder(arena, false); json_add(&b, STR("a"), &v); Value object = json_finish(&b);
 * Values go in by value_to_json's rules. Arrays ignore the key. Adding a key again replaces the earlier one. */
typedef struct JsonBuilder { Text raw; bool array; uint32_t n; } JsonBuilder;
JsonBuilder json_builder(Arena *a, bool array);
void json_add(JsonBuilder *b, Str key, const Value *v);
Value json_finish(JsonBuilder *b);

/* a || b. Objects merge, the right one's keys win; arrays concatenate; anything else is wrapped into an array first. */
Value json_concat(Arena *a, const Value *left, const Value *right);
/* v - 'key' (an object's key, or an array's equal strings) and v - index. False with INVALID_ARGUMENT for scalars, and for an index into an object. */
bool json_delete_key(Arena *a, const Value *v, Str key, Value *out, sqm_error_t *error);
bool json_delete_index(Arena *a, const Value *v, int64_t index, Value *out, sqm_error_t *error);
/* jsonb_set (JSON_SET creates a missing last step, JSON_REPLACE does not), jsonb_insert, and #- (item is not read). A path that leads nowhere: unchanged.
 * False with INVALID_ARGUMENT: v is a scalar, an array step is not an integer, or an inserted key exists. */
typedef enum JsonChange { JSON_SET, JSON_REPLACE, JSON_INSERT_BEFORE, JSON_INSERT_AFTER, JSON_DELETE } JsonChange;
bool json_change(Arena *a, const Value *v, const Str *path, int n, JsonChange how, const Value *item, Value *out, sqm_error_t *error);
/* Without object fields that are null, at any depth. */
Value json_strip_nulls(Arena *a, const Value *v);

#endif
