/* from_value.c - rows of sqm values -> tuples of Python objects: the hot loop.
 *
 * In:  sqm_row of a statement, valid until its next step.   Out: a new tuple of new objects; nothing points into the row afterwards.
 *
 *     NULL BOOL INT DOUBLE TEXT       None bool int float str
 *     DECIMAL                         decimal.Decimal, exact: 1.50 keeps its zero
 *     BYTES UUID OBJECTID             bytes uuid.UUID bson.ObjectId (the bson package is imported when the first one is met)
 *     DATE TIME TIMESTAMP INTERVAL    date time naive-UTC-datetime timedelta; with the connection's timezone set, "timestamp with time zone" aware datetime
 *     JSON                            Python objects, or JSON text with json_text
 *     BSON TUPLE                      dict, list, PyMongo's class for types that Python lacks (Regex, Timestamp ...); list
 *
 * A column's format may say otherwise: LAZY, documents and arrays are Document and Array objects (document.c) that hold the BSON and decode what is asked
 * for; NATIVE, JSON comes as Python objects in spite of json_text.
 *
 * Inside documents BSON dates are naive UTC datetimes, decimal128 is Decimal, binary of subtype 3 and 4 is UUID. Data may come from anywhere, so every
 * length is checked; errors are DataError and name the column, with its text made only on failure. A tuple of plain values is taken
 * from the collector's sight at once (it cannot be in a cycle), which spares a fetch of a million rows a dozen full collections. */
#include "module.h"

#include <bson/bson.h>
#include <datetime.h>
#include <stdarg.h>
#include <string.h>

/* MongoDB stores 180 levels at most; a limit of our own guards the C stack against data that did not come through it. */
enum { MAX_DEPTH = 250 };

#define MICROSECONDS_PER_DAY INT64_C(86400000000)
#define FIRST_DAY INT64_C(-719162)      /* 0001-01-01 */
#define LAST_DAY INT64_C(2932896)       /* 9999-12-31 */

/* Where a value comes from: all that an error message needs. */
typedef struct Source {
    ModuleState *state;
    const sqm_statement_t *statement;   /* NULL: a Document that has outlived it */
    PyObject *owner;                    /* the Document or Array whose bytes are read, for nested ones to share; NULL in a row */
    PyObject *zone;                     /* of the connection, borrowed */
    int column, depth;
    bool json_text, lazy;
    bool plain;     /* no container was made: the row can be untracked */
} Source;

static PyObject *fail(const Source *source, sqm_error_code_t code, const char *format, ...) __attribute__((format(printf, 3, 4)));
static PyObject *fail(const Source *source, sqm_error_code_t code, const char *format, ...) {
    char problem[400];
    va_list arguments;
    va_start(arguments, format);
    PyOS_vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    if (!source->statement) return raise_error(source->state, code, "stored document: %s", problem);
    return raise_error(source->state, code, "column \"%.150s\": %s", sqm_column_name(source->statement, source->column), problem);
}

/* Enters a container; --source->depth leaves it. */
static bool descend(Source *source) {
    source->plain = false;
    if (++source->depth <= MAX_DEPTH) return true;
    return fail(source, SQM_ERROR_INVALID_ARGUMENT, "the value is nested deeper than %d levels", MAX_DEPTH) != NULL;
}

static PyObject *fail_corrupt(const Source *source) { return fail(source, SQM_ERROR_INVALID_ARGUMENT, "the stored value is not well-formed BSON"); }

/* ---- scalars ------------------------------------------------------------------------------------------------------ */

static PyObject *text_new(const Source *source, const char *text, size_t length) {
    PyObject *result = PyUnicode_DecodeUTF8(text, (Py_ssize_t)length, NULL);
    if (result || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) return result;
    PyErr_Clear();
    return fail(source, SQM_ERROR_INVALID_TEXT, "the stored text is not valid UTF-8");
}

static PyObject *decimal_from_text(const Source *source, const char *text, Py_ssize_t length) {
    PyObject *string = PyUnicode_New(length, 127);
    if (!string) return NULL;
    memcpy(PyUnicode_1BYTE_DATA(string), text, (size_t)length);
    PyObject *result = PyObject_CallOneArg((PyObject *)source->state->Decimal, string);
    Py_DECREF(string);
    return result;
}

/* IEEE 754-2008 decimal128, binary integer significand. "-1234E-2" is Decimal('-12.34'), digit for digit. */
static PyObject *decimal_new(const Source *source, uint64_t low, uint64_t high) {
    __extension__ typedef unsigned __int128 u128;
    const u128 largest = (u128)UINT64_C(542101086242752) << 64 | UINT64_C(4003012203950112767);    /* 10**34 - 1 */
    bool negative = high >> 63;
    unsigned combination = (unsigned)(high >> 58) & 0x1F;
    if (combination == 0x1F) return decimal_from_text(source, "NaN", 3);
    if (combination == 0x1E) return negative ? decimal_from_text(source, "-Infinity", 9) : decimal_from_text(source, "Infinity", 8);
    u128 digits;
    int exponent;
    if (combination >> 3 == 3) {    /* would need more than 34 digits: the standard reads it as zero */
        exponent = (int)(high >> 47 & 0x3FFF) - 6176;
        digits = 0;
    } else {
        exponent = (int)(high >> 49 & 0x3FFF) - 6176;
        digits = (u128)(high & ((UINT64_C(1) << 49) - 1)) << 64 | low;
        if (digits > largest) digits = 0;
    }
    char text[64], *end = text + 48, *at = end;
    uint64_t small;
    while (digits >> 64) {
        *--at = (char)('0' + (int)(digits % 10));
        digits /= 10;
    }
    for (small = (uint64_t)digits; small; small /= 10) *--at = (char)('0' + small % 10);
    if (at == end) *--at = '0';
    if (negative) *--at = '-';
    if (exponent) end += PyOS_snprintf(end, (size_t)(text + sizeof text - end), "E%d", exponent);
    return decimal_from_text(source, at, end - at);
}

/* Floor division: the day, and microseconds into it. */
static int64_t split_day(int64_t microseconds, int64_t *rest) {
    int64_t day = microseconds / MICROSECONDS_PER_DAY;
    *rest = microseconds % MICROSECONDS_PER_DAY;
    if (*rest < 0) *rest += MICROSECONDS_PER_DAY, day--;
    return day;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day) {
    days += 719468;     /* from 0000-03-01 */
    int64_t era = (days < 0 ? days - 146096 : days) / 146097, day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static PyObject *fail_year(const Source *source, const char *kind, int64_t days) {
    int year, month, day;
    civil_from_days(days, &year, &month, &day);
    return fail(source, SQM_ERROR_INVALID_DATETIME, "the %s is in the year %d, but Python's datetime knows the years 1 to 9999 only", kind, year);
}

static PyObject *date_new(const Source *source, int64_t days) {
    if (days < FIRST_DAY || days > LAST_DAY) return fail_year(source, "date", days);
    int year, month, day;
    civil_from_days(days, &year, &month, &day);
    return PyDate_FromDate(year, month, day);
}

static PyObject *timestamp_new(const Source *source, int64_t microseconds) {
    int64_t rest, days = split_day(microseconds, &rest);
    if (days < FIRST_DAY || days > LAST_DAY) return fail_year(source, "timestamp", days);
    int year, month, day, seconds = (int)(rest / 1000000);
    civil_from_days(days, &year, &month, &day);
    return PyDateTime_FromDateAndTime(year, month, day, seconds / 3600, seconds / 60 % 60, seconds % 60, (int)(rest % 1000000));
}

/* The value of a column of type timestamptz, where the connection has a time zone. */
static PyObject *moment_new(const Source *source, int64_t microseconds) {
    PyObject *naive = timestamp_new(source, microseconds);
    if (!naive) return NULL;
    PyObject *there = PyDateTimeAPI->DateTime_FromDateAndTime(
        PyDateTime_GET_YEAR(naive), PyDateTime_GET_MONTH(naive), PyDateTime_GET_DAY(naive), PyDateTime_DATE_GET_HOUR(naive), PyDateTime_DATE_GET_MINUTE(naive),
        PyDateTime_DATE_GET_SECOND(naive), PyDateTime_DATE_GET_MICROSECOND(naive), source->zone, PyDateTimeAPI->DateTimeType);
    Py_DECREF(naive);
    if (!there || source->zone == PyDateTime_TimeZone_UTC) return there;
    PyObject *local = PyObject_CallMethod(source->zone, "fromutc", "O", there);
    Py_DECREF(there);
    return local;
}

static bool is_timestamptz(const Source *source) {
    return source->statement && !source->depth && strcmp(sqm_column_type(source->statement, source->column), "timestamp with time zone") == 0;
}

static PyObject *time_new(const Source *source, int64_t microseconds) {
    if (microseconds < 0 || microseconds >= MICROSECONDS_PER_DAY) return fail(source, SQM_ERROR_INVALID_DATETIME, "the time is not within one day");
    int seconds = (int)(microseconds / 1000000);
    return PyTime_FromTime(seconds / 3600, seconds / 60 % 60, seconds % 60, (int)(microseconds % 1000000));
}

static PyObject *interval_new(int64_t microseconds) {
    int64_t rest, days = split_day(microseconds, &rest);
    return PyDelta_FromDSU((int)days, (int)(rest / 1000000), (int)(rest % 1000000));
}

/* UUID.__init__ is Python code that validates; we have 16 bytes, so its two slots are filled directly (a fifth of the time). */
static PyObject *uuid_new(const Source *source, const uint8_t *bytes) {
    ModuleState *state = source->state;
    PyObject *number = _PyLong_FromByteArray(bytes, 16, 0, 0);
    PyObject *uuid = number ? PyBaseObject_Type.tp_new(state->UUID, state->no_arguments, NULL) : NULL;
    if (uuid && (PyObject_GenericSetAttr(uuid, state->str_int, number) < 0 || PyObject_GenericSetAttr(uuid, state->str_is_safe, state->safe_uuid_unknown) < 0))
        Py_CLEAR(uuid);
    Py_XDECREF(number);
    return uuid;
}

static PyObject *objectid_new(const Source *source, const uint8_t *bytes) {
    if (!module_load_bson(source->state)) return NULL;
    return PyObject_CallFunction((PyObject *)source->state->ObjectId, "y#", bytes, (Py_ssize_t)12);
}

/* ---- BSON ----------------------------------------------------------------------------------------------------------- */

typedef struct Reader {
    Source *source;
    const uint8_t *at, *end;
} Reader;

static PyObject *read_value(Reader *r, uint8_t type);

static bool has(const Reader *r, size_t n) { return (size_t)(r->end - r->at) >= n; }

static uint32_t peek_u32(const uint8_t *p) {
    uint32_t n;
    memcpy(&n, p, sizeof n);
    return BSON_UINT32_FROM_LE(n);
}

static uint64_t peek_u64(const uint8_t *p) {
    uint64_t n;
    memcpy(&n, p, sizeof n);
    return BSON_UINT64_FROM_LE(n);
}

static const uint8_t *take(Reader *r, size_t n) {
    const uint8_t *p = r->at;
    r->at += n;
    return p;
}

/* A length-prefixed string with its NUL: *length without it. NULL (with DataError set) when malformed. */
static const char *take_string(Reader *r, size_t *length) {
    if (!has(r, 4)) return fail_corrupt(r->source), NULL;
    uint32_t size = peek_u32(take(r, 4));
    if (size < 1 || !has(r, size) || r->at[size - 1] != 0) return fail_corrupt(r->source), NULL;
    *length = size - 1;
    return (const char *)take(r, size);
}

static const char *take_cstring(Reader *r, size_t *length) {
    const uint8_t *nul = memchr(r->at, 0, (size_t)(r->end - r->at));
    if (!nul) return fail_corrupt(r->source), NULL;
    *length = (size_t)(nul - r->at);
    return (const char *)take(r, *length + 1);
}

static PyObject *read_string(Reader *r) {
    size_t length;
    const char *text = take_string(r, &length);
    return text ? text_new(r->source, text, length) : NULL;
}

/* Keys repeat from row to row: short ASCII ones are kept. The cache is a few kilobytes and a collision only replaces an entry. */
static PyObject *key_new(const Source *source, const char *key, size_t length) {
    if (length == 0 || length > KEY_CACHE_BYTES) return text_new(source, key, length);
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)key[i]) * 16777619u;
    PyObject **slot = &source->state->key_cache[hash % KEY_CACHE_SLOTS], *cached = *slot;
    if (cached && (size_t)PyUnicode_GET_LENGTH(cached) == length && memcmp(PyUnicode_1BYTE_DATA(cached), key, length) == 0) return Py_NewRef(cached);
    PyObject *text = text_new(source, key, length);
    if (text && PyUnicode_IS_ASCII(text)) Py_XSETREF(*slot, Py_NewRef(text));
    return text;
}

/* The elements of a document or array; the reader stands at its length. */
static PyObject *read_container(Reader *r, bool is_array) {
    if (!has(r, 5)) return fail_corrupt(r->source);
    uint32_t size = peek_u32(r->at);
    if (size < 5 || !has(r, size) || r->at[size - 1] != 0) return fail_corrupt(r->source);
    if (r->source->lazy) return document_new(r->source->state, r->source->owner, take(r, size), size, is_array);
    Reader inner = {.source = r->source, .at = r->at + 4, .end = r->at + size - 1};
    r->at += size;

    PyObject *result = !descend(r->source) ? NULL : is_array ? PyList_New(0) : PyDict_New();
    bool ok = result != NULL;
    while (ok && inner.at < inner.end) {
        uint8_t type = *take(&inner, 1);
        size_t length;
        const char *name = take_cstring(&inner, &length);
        PyObject *key = !name ? NULL : is_array ? Py_NewRef(Py_None) : key_new(r->source, name, length);
        PyObject *value = key ? read_value(&inner, type) : NULL;
        ok = value && (is_array ? PyList_Append(result, value) : PyDict_SetItem(result, key, value)) == 0;
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    r->source->depth--;
    if (!ok) Py_CLEAR(result);
    return result;
}

static PyObject *read_binary(Reader *r) {
    if (!has(r, 5)) return fail_corrupt(r->source);
    uint32_t length = peek_u32(take(r, 4));
    uint8_t subtype = *take(r, 1);
    if (!has(r, length)) return fail_corrupt(r->source);
    const uint8_t *bytes = take(r, length);
    if (subtype == BSON_SUBTYPE_BINARY_DEPRECATED && length >= 4 && peek_u32(bytes) == length - 4) bytes += 4, length -= 4;
    if (subtype == BSON_SUBTYPE_BINARY) return PyBytes_FromStringAndSize((const char *)bytes, length);
    if ((subtype == BSON_SUBTYPE_UUID || subtype == BSON_SUBTYPE_UUID_DEPRECATED) && length == 16) return uuid_new(r->source, bytes);
    if (!module_load_bson(r->source->state)) return NULL;
    return PyObject_CallFunction((PyObject *)r->source->state->Binary, "y#i", bytes, (Py_ssize_t)length, (int)subtype);
}

static PyObject *read_regex(Reader *r) {
    size_t pattern_length, options_length;
    const char *pattern = take_cstring(r, &pattern_length);
    const char *options = pattern ? take_cstring(r, &options_length) : NULL;
    if (!options || !module_load_bson(r->source->state)) return NULL;
    PyObject *text = text_new(r->source, pattern, pattern_length), *flags = text ? text_new(r->source, options, options_length) : NULL;
    PyObject *result = flags ? PyObject_CallFunctionObjArgs((PyObject *)r->source->state->Regex, text, flags, NULL) : NULL;
    Py_XDECREF(text);
    Py_XDECREF(flags);
    return result;
}

static PyObject *read_code(Reader *r, bool has_scope) {
    if (has_scope) {
        if (!has(r, 4)) return fail_corrupt(r->source);
        take(r, 4);     /* the total, which the parts give again */
    }
    PyObject *text = read_string(r);
    bool lazy = r->source->lazy;
    r->source->lazy = false;    /* the class takes a dict */
    PyObject *scope = !text ? NULL : has_scope ? read_container(r, false) : Py_NewRef(Py_None);
    r->source->lazy = lazy;
    PyObject *result = scope && module_load_bson(r->source->state) ? PyObject_CallFunctionObjArgs((PyObject *)r->source->state->Code, text, scope, NULL) : NULL;
    Py_XDECREF(text);
    Py_XDECREF(scope);
    return result;
}

static PyObject *read_dbpointer(Reader *r) {
    PyObject *collection = read_string(r), *id = NULL, *result = NULL;
    if (collection && !has(r, 12)) fail_corrupt(r->source);
    else if (collection) id = objectid_new(r->source, take(r, 12));
    if (id) result = PyObject_CallFunctionObjArgs((PyObject *)r->source->state->DBRef, collection, id, NULL);
    Py_XDECREF(collection);
    Py_XDECREF(id);
    return result;
}

static PyObject *call_bson_class(Reader *r, PyTypeObject **type) {
    return module_load_bson(r->source->state) ? PyObject_CallNoArgs((PyObject *)*type) : NULL;
}

/* Milliseconds beyond what microseconds in 64 bits hold are years past 290,000: out of range anyway. */
static PyObject *bson_date_new(const Source *source, int64_t ms) {
    int64_t microseconds;
    if (__builtin_mul_overflow(ms, 1000, &microseconds)) return fail_year(source, "timestamp", ms / 86400000);
    return timestamp_new(source, microseconds);
}

static PyObject *read_value(Reader *r, uint8_t type) {
    switch ((bson_type_t)type) {
    case BSON_TYPE_DOUBLE: {
        if (!has(r, 8)) break;
        uint64_t bits = peek_u64(take(r, 8));
        double number;
        memcpy(&number, &bits, sizeof number);
        return PyFloat_FromDouble(number);
    }
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL: return read_string(r);
    case BSON_TYPE_DOCUMENT: return read_container(r, false);
    case BSON_TYPE_ARRAY: return read_container(r, true);
    case BSON_TYPE_BINARY: return read_binary(r);
    case BSON_TYPE_UNDEFINED:
    case BSON_TYPE_NULL: Py_RETURN_NONE;
    case BSON_TYPE_OID:
        if (!has(r, 12)) break;
        return objectid_new(r->source, take(r, 12));
    case BSON_TYPE_BOOL:
        if (!has(r, 1)) break;
        return PyBool_FromLong(*take(r, 1));
    case BSON_TYPE_DATE_TIME:
        if (!has(r, 8)) break;
        return bson_date_new(r->source, (int64_t)peek_u64(take(r, 8)));
    case BSON_TYPE_REGEX: return read_regex(r);
    case BSON_TYPE_DBPOINTER: return read_dbpointer(r);
    case BSON_TYPE_CODE: return read_code(r, false);
    case BSON_TYPE_CODEWSCOPE: return read_code(r, true);
    case BSON_TYPE_INT32:
        if (!has(r, 4)) break;
        return PyLong_FromLong((int32_t)peek_u32(take(r, 4)));
    case BSON_TYPE_TIMESTAMP: {
        if (!has(r, 8) || !module_load_bson(r->source->state)) break;
        uint64_t both = peek_u64(take(r, 8));
        return PyObject_CallFunction((PyObject *)r->source->state->Timestamp, "II", (unsigned)(both >> 32), (unsigned)both);
    }
    case BSON_TYPE_INT64:
        if (!has(r, 8)) break;
        return PyLong_FromLongLong((int64_t)peek_u64(take(r, 8)));
    case BSON_TYPE_DECIMAL128:
        if (!has(r, 16)) break;
        take(r, 16);
        return decimal_new(r->source, peek_u64(r->at - 16), peek_u64(r->at - 8));
    case BSON_TYPE_MAXKEY: return call_bson_class(r, &r->source->state->MaxKey);
    case BSON_TYPE_MINKEY: return call_bson_class(r, &r->source->state->MinKey);
    case BSON_TYPE_EOD: break;
    }
    return PyErr_Occurred() ? NULL : fail_corrupt(r->source);
}

static PyObject *bson_value_new(Source *source, const sqm_value_t *value) {
    Reader r = {.source = source, .at = value->u.bytes, .end = value->u.bytes + value->len};
    return read_value(&r, value->bson_type);
}

/* The bytes of a value in a document; 0 if they are not there. */
static size_t stored_size(uint8_t type, const uint8_t *at, size_t left) {
    size_t size = 0;
    const uint8_t *nul;
    switch ((bson_type_t)type) {
    case BSON_TYPE_UNDEFINED:
    case BSON_TYPE_NULL:
    case BSON_TYPE_MINKEY:
    case BSON_TYPE_MAXKEY: return 0;
    case BSON_TYPE_BOOL: size = 1; break;
    case BSON_TYPE_INT32: size = 4; break;
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DATE_TIME:
    case BSON_TYPE_TIMESTAMP:
    case BSON_TYPE_INT64: size = 8; break;
    case BSON_TYPE_OID: size = 12; break;
    case BSON_TYPE_DECIMAL128: size = 16; break;
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
    case BSON_TYPE_CODEWSCOPE: size = left < 4 ? SIZE_MAX : peek_u32(at); break;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
    case BSON_TYPE_CODE: size = left < 4 ? SIZE_MAX : (size_t)peek_u32(at) + 4; break;
    case BSON_TYPE_BINARY: size = left < 4 ? SIZE_MAX : (size_t)peek_u32(at) + 5; break;
    case BSON_TYPE_DBPOINTER: size = left < 4 ? SIZE_MAX : (size_t)peek_u32(at) + 4 + 12; break;
    case BSON_TYPE_REGEX:
        nul = memchr(at, 0, left);
        nul = nul ? memchr(nul + 1, 0, left - (size_t)(nul + 1 - at)) : NULL;
        size = nul ? (size_t)(nul + 1 - at) : SIZE_MAX;
        break;
    case BSON_TYPE_EOD: size = SIZE_MAX; break;
    }
    return size ? size : SIZE_MAX;
}

bool stored_next(ModuleState *state, StoredItem *item, const uint8_t **at, const uint8_t *end) {
    Source source = {.state = state};
    if (*at == end) return false;
    Reader r = {.source = &source, .at = *at, .end = end};
    item->type = *take(&r, 1);
    item->key = take_cstring(&r, &item->key_length);
    if (!item->key) return false;
    item->value = r.at;
    item->size = stored_size(item->type, r.at, (size_t)(end - r.at));
    if (item->size > (size_t)(end - r.at)) return fail_corrupt(&source) != NULL;
    *at = r.at + item->size;
    return true;
}

PyObject *stored_value_new(ModuleState *state, PyObject *owner, const StoredItem *item) {
    if (!PyDateTimeAPI) PyDateTime_IMPORT;
    if (!PyDateTimeAPI) return NULL;
    Source source = {.state = state, .owner = owner, .lazy = owner != NULL};
    Reader r = {.source = &source, .at = item->value, .end = item->value + item->size};
    return read_value(&r, item->type);
}

PyObject *stored_key_new(ModuleState *state, const StoredItem *item) {
    Source source = {.state = state};
    return key_new(&source, item->key, item->key_length);
}

static PyObject *json_text_new(const Source *source, const sqm_value_t *value) {
    size_t length;
    char *text = sqm_value_to_json(value, &length);
    if (!text) return PyErr_NoMemory();
    PyObject *result = text_new(source, text, length);
    sqm_free(text);
    return result;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

static PyObject *value_new(Source *source, const sqm_value_t *value);

static PyObject *tuple_new(Source *source, const sqm_value_t *value) {
    PyObject *list = descend(source) ? PyList_New(value->len) : NULL;
    for (uint32_t i = 0; list && i < value->len; i++) {
        PyObject *item = value_new(source, &value->u.tuple[i]);
        if (item) PyList_SET_ITEM(list, i, item);
        else Py_CLEAR(list);
    }
    source->depth--;
    return list;
}

static inline PyObject *value_new(Source *source, const sqm_value_t *value) {
    switch ((sqm_type_t)value->type) {
    case SQM_NULL: Py_RETURN_NONE;
    case SQM_BOOL: return PyBool_FromLong(value->u.b);
    case SQM_INT: return PyLong_FromLongLong(value->u.i);
    case SQM_DOUBLE: return PyFloat_FromDouble(value->u.d);
    case SQM_DECIMAL: return decimal_new(source, value->u.decimal.low, value->u.decimal.high);
    case SQM_TEXT: return text_new(source, value->u.text, value->len);
    case SQM_BYTES: return PyBytes_FromStringAndSize((const char *)value->u.bytes, value->len);
    case SQM_DATE: return date_new(source, value->u.i);
    case SQM_TIME: return time_new(source, value->u.i);
    case SQM_TIMESTAMP: return source->zone && is_timestamptz(source) ? moment_new(source, value->u.i) : timestamp_new(source, value->u.i);
    case SQM_INTERVAL: return interval_new(value->u.i);
    case SQM_UUID: return uuid_new(source, value->u.bytes);
    case SQM_OBJECTID: return objectid_new(source, value->u.bytes);
    case SQM_JSON: return source->json_text ? json_text_new(source, value) : bson_value_new(source, value);
    case SQM_BSON: return bson_value_new(source, value);
    case SQM_TUPLE: return tuple_new(source, value);
    }
    return fail(source, SQM_ERROR_INTERNAL, "value of unknown type %d", value->type);
}

PyObject *row_new(ModuleState *state, const sqm_statement_t *statement, int column_count, bool json_text, PyObject *formats, PyObject *zone) {
    if (!PyDateTimeAPI) PyDateTime_IMPORT;      /* the pointer is one per file */
    if (!PyDateTimeAPI) return NULL;
    const sqm_value_t *values = sqm_row(statement);
    PyObject *row = PyTuple_New(column_count);
    if (!row) return NULL;
    Source source = {.state = state, .statement = statement, .json_text = json_text, .plain = true, .zone = zone};
    const char *format = formats ? PyBytes_AS_STRING(formats) : NULL;
    Py_ssize_t format_count = formats ? PyBytes_GET_SIZE(formats) : 0;
    for (int i = 0; i < column_count; i++) {
        source.column = i;
        if (i < format_count) {
            source.lazy = format[i] == FORMAT_LAZY;
            source.json_text = json_text && format[i] != FORMAT_NATIVE;
        } else {
            source.lazy = false;
            source.json_text = json_text;
        }
        PyObject *value = value_new(&source, &values[i]);
        if (!value) {
            Py_DECREF(row);
            return NULL;
        }
        PyTuple_SET_ITEM(row, i, value);
    }
    if (source.plain && column_count) PyObject_GC_UnTrack(row);
    return row;
}
