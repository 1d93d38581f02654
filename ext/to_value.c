/* to_value.c - Python parameters -> bound sqm values.
 *
 * In:  a sequence or mapping of Python objects.   Out: sqm_bind for each parameter; the memory behind the values belongs to the Execution.
 *
 *     None bool int float str             NULL BOOL INT DOUBLE TEXT; subclasses too (IntegerChoices, SafeString)
 *     Decimal, bson.Decimal128            DECIMAL; more than 34 significant digits is DataError, never rounding
 *     bytes bytearray memoryview          BYTES
 *     date time datetime timedelta        DATE TIME TIMESTAMP INTERVAL; milliseconds, aware date-times as UTC, naive ones are UTC
 *     uuid.UUID, bson.ObjectId            UUID OBJECTID
 *     tuple                               TUPLE of converted items (IN %s)
 *     dict, list, bson.Regex ...          BSON: a document, an array, a value; never an operator
 *     Document, Array                     BSON: the bytes that they hold
 *     Json(anything above)                JSON
 *
 * Anything else is ProgrammingError "can't adapt type 'X'". Text parameters hold no NUL (as in PostgreSQL); strings inside documents may. JSON has no NaN.
 * A document nests at most 100 levels, which also ends cycles, and is at most 16 MB.
 *
 * Errors name the place: `parameter 2: int too large ...`, `parameter "doc", at a[0].b: can't adapt type 'set'`. The place is a linked list of Path
 * nodes on the C stack, rendered only on failure. Conversions may run Python code (tzinfo.utcoffset, Decimal.__str__), so containers are re-checked
 * after each item and items are held. */
#include "module.h"

#include <bson/bson.h>
#include <datetime.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { MAX_DOCUMENT_BYTES = 16 << 20, MAX_DOCUMENT_DEPTH = 100, CHUNK_BYTES = 1024, MAX_UUID_BYTES = 16, OBJECTID_BYTES = 12 };

#define MICROSECONDS_PER_DAY INT64_C(86400000000)
#define DAYS_TO_1900 INT64_C(-25567)     /* TIME values lie on 1900-01-01 */

/* ---- executions -------------------------------------------------------------------------------------------------- */

struct Chunk {
    Chunk *next;
    size_t used, size;
    unsigned char bytes[] __attribute__((aligned(8)));
};

Execution *execution_new(void) {
    Execution *execution = PyMem_Calloc(1, sizeof *execution);
    if (!execution) PyErr_NoMemory();
    return execution;
}

static void *allocate(Execution *execution, size_t size) {
    size = (size + 7) & ~(size_t)7;
    Chunk *chunk = execution->chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t wanted = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        chunk = PyMem_Malloc(sizeof *chunk + wanted);
        if (!chunk) return PyErr_NoMemory();
        *chunk = (Chunk){.next = execution->chunks, .size = wanted};
        execution->chunks = chunk;
    }
    void *memory = chunk->bytes + chunk->used;
    chunk->used += size;
    return memory;
}

static const uint8_t *allocate_copy(Execution *execution, const void *bytes, size_t size) {
    void *memory = allocate(execution, size);
    return memory && size ? memcpy(memory, bytes, size) : memory;
}

/* Keeps `object` alive until the execution is cleared. */
static bool hold(Execution *execution, PyObject *object) {
    if (execution->reference_count == execution->reference_capacity) {
        Py_ssize_t capacity = execution->reference_capacity ? execution->reference_capacity * 2 : 8;
        PyObject **grown = PyMem_Realloc(execution->references, (size_t)capacity * sizeof *grown);
        if (!grown) return PyErr_NoMemory(), false;
        execution->references = grown;
        execution->reference_capacity = capacity;
    }
    execution->references[execution->reference_count++] = Py_NewRef(object);
    return true;
}

void execution_clear(Execution *execution) {
    while (execution->reference_count) Py_DECREF(execution->references[--execution->reference_count]);
    for (Chunk *chunk = execution->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        PyMem_Free(chunk);
    }
    execution->chunks = NULL;
}

void execution_free(Execution *execution) {
    if (!execution) return;
    execution_clear(execution);
    PyMem_Free(execution->references);
    PyMem_Free(execution);
}

/* ---- errors that name the place ---------------------------------------------------------------------------------- */

typedef struct Path {
    const struct Path *up;
    const char *key;        /* NULL: an array index */
    Py_ssize_t index;
} Path;

typedef struct Encoder {
    ModuleState *state;
    Execution *execution;
    const char *name;       /* %(name)s, or NULL */
    int number;             /* from 1 */
    Py_ssize_t set;         /* of an executemany, from 0; or -1 */
    int depth;              /* of documents and arrays; 0: the parameter itself */
    bool json;
} Encoder;

static size_t render_path(const Path *path, char *out, size_t size) {
    if (!path) return 0;
    size_t n = render_path(path->up, out, size);
    if (n >= size) return n;
    int added = path->key ? PyOS_snprintf(out + n, size - n, "%s%.60s", n ? "." : "", path->key)
                          : PyOS_snprintf(out + n, size - n, "[%zd]", path->index);
    return added < 0 ? n : n + (size_t)added;
}

static bool fail(const Encoder *e, const Path *path, sqm_error_code_t code, const char *format, ...) __attribute__((format(printf, 4, 5)));
static bool fail(const Encoder *e, const Path *path, sqm_error_code_t code, const char *format, ...) {
    char problem[256], where[160] = "", set[40] = "", parameter[120];
    va_list arguments;
    va_start(arguments, format);
    PyOS_vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    render_path(path, where, sizeof where);
    if (e->set >= 0) PyOS_snprintf(set, sizeof set, " of parameter set %zd", e->set + 1);
    if (e->name) PyOS_snprintf(parameter, sizeof parameter, "parameter \"%.80s\"", e->name);
    else PyOS_snprintf(parameter, sizeof parameter, "parameter %d", e->number);
    raise_error(e->state, code, "%s%s%s%s: %s", parameter, set, where[0] ? ", at " : "", where, problem);
    return false;
}

static bool fail_type(const Encoder *e, const Path *path, PyObject *value) {
    return fail(e, path, SQM_ERROR_DATATYPE_MISMATCH, "can't adapt type '%.100s'", Py_TYPE(value)->tp_name);
}

static bool fail_size(const Encoder *e, const Path *path) {
    return fail(e, path, SQM_ERROR_DOCUMENT_TOO_LARGE, "the value is larger than a document can be (16 MB)");
}

/* ---- scalars ------------------------------------------------------------------------------------------------------ */

/* The UTF-8 bytes of a str, owned by it. */
static const char *utf8_of(const Encoder *e, const Path *path, PyObject *text, Py_ssize_t *length) {
    const char *bytes = PyUnicode_AsUTF8AndSize(text, length);
    if (bytes || !PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return bytes;
    PyErr_Clear();
    Py_ssize_t at = 0;
    while (at < PyUnicode_GET_LENGTH(text) && !Py_UNICODE_IS_SURROGATE(PyUnicode_READ_CHAR(text, at))) at++;
    fail(e, path, SQM_ERROR_INVALID_TEXT, "text has a lone surrogate at index %zd, which UTF-8 cannot express", at);
    return NULL;
}

static bool convert_text(Encoder *e, const Path *path, PyObject *value, sqm_value_t *out) {
    Py_ssize_t length;
    const char *bytes = utf8_of(e, path, value, &length);
    if (!bytes) return false;
    if (length > MAX_DOCUMENT_BYTES) return fail_size(e, path);
    if (e->depth == 0) {
        const char *nul = memchr(bytes, 0, (size_t)length);
        if (nul) return fail(e, path, SQM_ERROR_INVALID_TEXT, "text cannot contain a NUL (at byte %zd)", (Py_ssize_t)(nul - bytes));
        if (!hold(e->execution, value)) return false;
    }
    *out = sqm_text(bytes, (size_t)length);
    return true;
}

static bool convert_int(Encoder *e, const Path *path, PyObject *value, sqm_value_t *out) {
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow) return fail(e, path, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "int too large (more than 64 bits)");
    if (number == -1 && PyErr_Occurred()) return false;
    *out = sqm_int(number);
    return true;
}

static bool convert_double(Encoder *e, const Path *path, double number, sqm_value_t *out) {
    if (e->json && !isfinite(number)) return fail(e, path, SQM_ERROR_INVALID_TEXT, "JSON has no %s", isnan(number) ? "NaN" : "infinity");
    *out = sqm_double(number);
    return true;
}

static bool convert_decimal(Encoder *e, const Path *path, PyObject *value, sqm_value_t *out) {
    PyObject *text = PyObject_Str(value);
    if (!text) return false;
    Py_ssize_t length = 0;
    const char *digits = PyUnicode_AsUTF8AndSize(text, &length);
    bson_decimal128_t number;
    bool ok = digits && length <= INT_MAX;
    if (ok && strchr(digits, 'N')) digits = "NaN", length = 3;     /* also -NaN, sNaN, NaN123: decimal128 keeps no payload */
    if (ok && e->json && !strpbrk(digits, "0123456789")) {
        fail(e, path, SQM_ERROR_INVALID_TEXT, "JSON has no %.20s", digits);
        ok = false;
    } else if (ok && !bson_decimal128_from_string_w_len(digits, (int)length, &number)) {
        fail(e, path, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "decimal out of range: at most 34 significant digits and exponents from -6176 to 6111");
        ok = false;
    }
    if (ok) *out = (sqm_value_t){.type = SQM_DECIMAL, .u.decimal = {.low = number.low, .high = number.high}};
    Py_DECREF(text);
    return ok;
}

static bool convert_bytes(Encoder *e, const Path *path, const void *bytes, Py_ssize_t length, sqm_type_t type, sqm_value_t *out) {
    if (length > MAX_DOCUMENT_BYTES) return fail_size(e, path);
    const uint8_t *copy = allocate_copy(e->execution, bytes, (size_t)length);
    if (!copy) return false;
    *out = (sqm_value_t){.type = (uint8_t)type, .len = (uint32_t)length, .u.bytes = copy};
    return true;
}

static bool convert_bytes_object(Encoder *e, const Path *path, PyObject *value, sqm_value_t *out) {
    if (PyBytes_GET_SIZE(value) > MAX_DOCUMENT_BYTES) return fail_size(e, path);
    if (e->depth == 0 && !hold(e->execution, value)) return false;
    *out = (sqm_value_t){.type = SQM_BYTES, .len = (uint32_t)PyBytes_GET_SIZE(value), .u.bytes = (const uint8_t *)PyBytes_AS_STRING(value)};
    return true;
}

static bool convert_buffer(Encoder *e, const Path *path, PyObject *value, sqm_value_t *out) {
    Py_buffer view;
    if (PyObject_GetBuffer(value, &view, PyBUF_FULL_RO) < 0) return false;
    bool ok;
    if (PyBuffer_IsContiguous(&view, 'C')) ok = convert_bytes(e, path, view.buf, view.len, SQM_BYTES, out);
    else if (view.len > MAX_DOCUMENT_BYTES) ok = fail_size(e, path);
    else {
        uint8_t *copy = allocate(e->execution, (size_t)view.len);
        ok = copy && PyBuffer_ToContiguous(copy, &view, view.len, 'C') == 0;
        if (ok) *out = (sqm_value_t){.type = SQM_BYTES, .len = (uint32_t)view.len, .u.bytes = copy};
    }
    PyBuffer_Release(&view);
    return ok;
}

/* A bytes attribute of exactly `length` bytes: UUID.bytes, ObjectId.binary, Decimal128.bid. New reference. */
static PyObject *get_bytes(const Encoder *e, const Path *path, PyObject *value, const char *attribute, Py_ssize_t length) {
    PyObject *bytes = PyObject_GetAttrString(value, attribute);
    if (bytes && PyBytes_Check(bytes) && PyBytes_GET_SIZE(bytes) == length) return bytes;
    if (bytes) fail_type(e, path, value);
    Py_XDECREF(bytes);
    return NULL;
}

static bool convert_bytes_attribute(Encoder *e, const Path *path, PyObject *value, const char *attribute, Py_ssize_t length, sqm_type_t type, sqm_value_t *out) {
    PyObject *bytes = get_bytes(e, path, value, attribute, length);
    bool ok = bytes && convert_bytes(e, path, PyBytes_AS_STRING(bytes), length, type, out);
    Py_XDECREF(bytes);
    return ok;
}

static bool convert_decimal128(Encoder *e, const Path *path, PyObject *value, sqm_value_t *out) {
    PyObject *bid = get_bytes(e, path, value, "bid", 16);
    if (!bid) return false;
    uint64_t words[2];
    memcpy(words, PyBytes_AS_STRING(bid), sizeof words);
    *out = (sqm_value_t){.type = SQM_DECIMAL, .u.decimal = {.low = BSON_UINT64_FROM_LE(words[0]), .high = BSON_UINT64_FROM_LE(words[1])}};
    Py_DECREF(bid);
    return true;
}

/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar. */
static int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = year / 400, year_of_era = year - era * 400;       /* years here are >= 0 */
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int64_t floor_to_millisecond(int64_t microseconds) {
    int64_t rest = microseconds % 1000;
    return microseconds - (rest < 0 ? rest + 1000 : rest);
}

static bool delta_microseconds(PyObject *delta, int64_t *out) {
    int64_t days;
    return !__builtin_mul_overflow((int64_t)PyDateTime_DELTA_GET_DAYS(delta), MICROSECONDS_PER_DAY, &days) &&
           !__builtin_add_overflow(days, PyDateTime_DELTA_GET_SECONDS(delta) * INT64_C(1000000) + PyDateTime_DELTA_GET_MICROSECONDS(delta), out);
}

static bool convert_datetime(Encoder *e, const Path *path, PyObject *value, sqm_value_t *out) {
    int64_t t = days_from_civil(PyDateTime_GET_YEAR(value), PyDateTime_GET_MONTH(value), PyDateTime_GET_DAY(value)) * MICROSECONDS_PER_DAY +
                (PyDateTime_DATE_GET_HOUR(value) * INT64_C(3600) + PyDateTime_DATE_GET_MINUTE(value) * 60 + PyDateTime_DATE_GET_SECOND(value)) * 1000000 +
                PyDateTime_DATE_GET_MICROSECOND(value);
    PyObject *zone = PyDateTime_DATE_GET_TZINFO(value);
    if (zone != Py_None && zone != PyDateTime_TimeZone_UTC) {
        PyObject *offset = PyObject_CallMethodNoArgs(value, e->state->str_utcoffset);
        if (!offset) return false;
        int64_t shift = 0;
        bool ok = offset == Py_None || (PyDelta_Check(offset) && delta_microseconds(offset, &shift));
        Py_DECREF(offset);
        if (!ok) return fail(e, path, SQM_ERROR_INVALID_DATETIME, "utcoffset() of the date-time's tzinfo is not a timedelta");
        t -= shift;
    }
    *out = (sqm_value_t){.type = SQM_TIMESTAMP, .u.i = floor_to_millisecond(t)};
    return true;
}

static bool convert_date(PyObject *value, sqm_value_t *out) {
    *out = (sqm_value_t){.type = SQM_DATE, .u.i = days_from_civil(PyDateTime_GET_YEAR(value), PyDateTime_GET_MONTH(value), PyDateTime_GET_DAY(value))};
    return true;
}

static bool convert_time(Encoder *e, const Path *path, PyObject *value, sqm_value_t *out) {
    if (PyDateTime_TIME_GET_TZINFO(value) != Py_None)
        return fail(e, path, SQM_ERROR_INVALID_DATETIME, "a time with a time zone cannot be stored (use one without tzinfo)");
    int64_t t = (PyDateTime_TIME_GET_HOUR(value) * INT64_C(3600) + PyDateTime_TIME_GET_MINUTE(value) * 60 + PyDateTime_TIME_GET_SECOND(value)) * 1000000 +
                PyDateTime_TIME_GET_MICROSECOND(value);
    *out = (sqm_value_t){.type = SQM_TIME, .u.i = floor_to_millisecond(t)};
    return true;
}

static bool convert_delta(Encoder *e, const Path *path, PyObject *value, sqm_value_t *out) {
    int64_t t;
    if (!delta_microseconds(value, &t)) return fail(e, path, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "timedelta too large (more than 64 bits of microseconds)");
    *out = (sqm_value_t){.type = SQM_INTERVAL, .u.i = t};
    return true;
}

typedef enum Verdict { FAILED, CONVERTED, NOT_SCALAR } Verdict;
#define VERDICT(ok) ((ok) ? CONVERTED : FAILED)

/* PyMongo's scalar classes. Binary and Code are subclasses of bytes and str, so this comes before those. */
static Verdict convert_bson_scalar(Encoder *e, const Path *path, PyObject *value, sqm_value_t *out) {
    ModuleState *state = e->state;
    if (PyObject_TypeCheck(value, state->ObjectId)) return VERDICT(convert_bytes_attribute(e, path, value, "binary", OBJECTID_BYTES, SQM_OBJECTID, out));
    if (PyObject_TypeCheck(value, state->Decimal128)) return VERDICT(convert_decimal128(e, path, value, out));
    if (PyObject_TypeCheck(value, state->Binary)) {
        PyObject *subtype = PyObject_GetAttrString(value, "subtype");
        long number = subtype ? PyLong_AsLong(subtype) : -1;
        Py_XDECREF(subtype);
        if (number == -1 && PyErr_Occurred()) return FAILED;
        if (number == BSON_SUBTYPE_BINARY) return VERDICT(convert_bytes_object(e, path, value, out));
        if ((number == BSON_SUBTYPE_UUID || number == BSON_SUBTYPE_UUID_DEPRECATED) && PyBytes_GET_SIZE(value) == MAX_UUID_BYTES && e->depth == 0)
            return VERDICT(convert_bytes(e, path, PyBytes_AS_STRING(value), MAX_UUID_BYTES, SQM_UUID, out));
    }
    return NOT_SCALAR;
}

static bool is_bson_class(ModuleState *state, PyObject *value) {
    return PyObject_TypeCheck(value, state->Binary) || PyObject_TypeCheck(value, state->Code);
}

static Verdict convert_scalar(Encoder *e, const Path *path, PyObject *value, sqm_value_t *out) {
    if (value == Py_None) return *out = sqm_null(), CONVERTED;
    if (PyUnicode_CheckExact(value)) return VERDICT(convert_text(e, path, value, out));
    if (PyLong_CheckExact(value)) return VERDICT(convert_int(e, path, value, out));
    if (PyBool_Check(value)) return *out = sqm_bool(value == Py_True), CONVERTED;
    if (PyFloat_Check(value)) return VERDICT(convert_double(e, path, PyFloat_AS_DOUBLE(value), out));
    if (PyDateTime_Check(value)) return VERDICT(convert_datetime(e, path, value, out));
    if (PyDate_Check(value)) return VERDICT(convert_date(value, out));
    if (PyDict_CheckExact(value) || PyList_CheckExact(value)) return NOT_SCALAR;
    if (PyObject_TypeCheck(value, e->state->Decimal)) return VERDICT(convert_decimal(e, path, value, out));
    if (PyObject_TypeCheck(value, e->state->UUID)) return VERDICT(convert_bytes_attribute(e, path, value, "bytes", MAX_UUID_BYTES, SQM_UUID, out));
    if (PyBytes_CheckExact(value)) return VERDICT(convert_bytes_object(e, path, value, out));
    if (PyTime_Check(value)) return VERDICT(convert_time(e, path, value, out));
    if (PyDelta_Check(value)) return VERDICT(convert_delta(e, path, value, out));
    if (module_bson_loaded(e->state)) {
        Verdict verdict = convert_bson_scalar(e, path, value, out);
        if (verdict != NOT_SCALAR || is_bson_class(e->state, value)) return verdict;
    }
    if (PyUnicode_Check(value)) return VERDICT(convert_text(e, path, value, out));
    if (PyLong_Check(value)) return VERDICT(convert_int(e, path, value, out));
    if (PyBytes_Check(value)) return VERDICT(convert_bytes_object(e, path, value, out));
    if (PyByteArray_Check(value) || PyMemoryView_Check(value)) return VERDICT(convert_buffer(e, path, value, out));
    if (PyIndex_Check(value)) {     /* integers of other libraries say so with __index__ */
        PyObject *number = PyNumber_Index(value);
        if (!number && PyErr_ExceptionMatches(PyExc_TypeError)) return PyErr_Clear(), NOT_SCALAR;   /* an array, say */
        bool ok = number && convert_int(e, path, number, out);
        Py_XDECREF(number);
        return VERDICT(ok);
    }
    return NOT_SCALAR;
}

/* ---- documents and arrays ------------------------------------------------------------------------------------------ */

static bool append(Encoder *e, bson_t *to, const char *key, int key_length, PyObject *value, const Path *path);

static int64_t milliseconds(int64_t microseconds) { return floor_to_millisecond(microseconds) / 1000; }

static bool append_scalar(bson_t *to, const char *key, int n, const sqm_value_t *v) {
    bson_decimal128_t decimal;
    switch ((sqm_type_t)v->type) {
    case SQM_NULL: return bson_append_null(to, key, n);
    case SQM_BOOL: return bson_append_bool(to, key, n, v->u.b);
    case SQM_INT:
        return v->u.i >= INT32_MIN && v->u.i <= INT32_MAX ? bson_append_int32(to, key, n, (int32_t)v->u.i) : bson_append_int64(to, key, n, v->u.i);
    case SQM_DOUBLE: return bson_append_double(to, key, n, v->u.d);
    case SQM_DECIMAL:
        decimal.low = v->u.decimal.low;
        decimal.high = v->u.decimal.high;
        return bson_append_decimal128(to, key, n, &decimal);
    case SQM_TEXT: return bson_append_utf8(to, key, n, v->u.text, (int)v->len);
    case SQM_BYTES: return bson_append_binary(to, key, n, BSON_SUBTYPE_BINARY, v->u.bytes, v->len);
    case SQM_DATE: return bson_append_date_time(to, key, n, v->u.i * 86400000);
    case SQM_TIME: return bson_append_date_time(to, key, n, DAYS_TO_1900 * 86400000 + milliseconds(v->u.i));
    case SQM_TIMESTAMP: return bson_append_date_time(to, key, n, milliseconds(v->u.i));
    case SQM_INTERVAL: return bson_append_int64(to, key, n, v->u.i);
    case SQM_UUID: return bson_append_binary(to, key, n, BSON_SUBTYPE_UUID, v->u.bytes, MAX_UUID_BYTES);
    case SQM_OBJECTID: return bson_append_oid(to, key, n, (const bson_oid_t *)v->u.bytes);
    case SQM_JSON:
    case SQM_BSON:
    case SQM_TUPLE: break;      /* convert_scalar makes none of these */
    }
    return false;
}

/* Text of a document key. Json spells other keys as json.dumps does. New reference. */
static PyObject *key_text(const Encoder *e, const Path *path, PyObject *key) {
    if (PyUnicode_Check(key)) return Py_NewRef(key);
    if (e->json && key == Py_None) return PyUnicode_FromString("null");
    if (e->json && PyBool_Check(key)) return PyUnicode_FromString(key == Py_True ? "true" : "false");
    if (e->json && PyLong_Check(key)) return PyLong_Type.tp_repr(key);
    if (e->json && PyFloat_Check(key)) return PyFloat_Type.tp_repr(key);
    fail(e, path, SQM_ERROR_DATATYPE_MISMATCH, "keys of a document must be str, not '%.100s'", Py_TYPE(key)->tp_name);
    return NULL;
}

static bool append_member(Encoder *e, bson_t *document, PyObject *key, PyObject *value, const Path *path) {
    PyObject *text = key_text(e, path, key);
    if (!text) return false;
    Py_ssize_t length = 0;
    const char *name = utf8_of(e, path, text, &length);
    bool ok = name != NULL;
    if (ok && (memchr(name, 0, (size_t)length) || length > MAX_DOCUMENT_BYTES))
        ok = fail(e, path, SQM_ERROR_INVALID_TEXT, length > MAX_DOCUMENT_BYTES ? "a key of a document is too long" : "keys of a document cannot contain a NUL");
    Path here = {.up = path, .key = name};
    ok = ok && append(e, document, name, (int)length, value, &here);
    Py_DECREF(text);
    return ok;
}

static bool append_dict_members(Encoder *e, bson_t *document, PyObject *dict, const Path *path) {
    PyObject *key, *value;
    Py_ssize_t position = 0, size = PyDict_GET_SIZE(dict);
    while (PyDict_Next(dict, &position, &key, &value)) {
        Py_INCREF(key);
        Py_INCREF(value);
        bool ok = append_member(e, document, key, value, path);
        Py_DECREF(key);
        Py_DECREF(value);
        if (!ok) return false;
        if (PyDict_GET_SIZE(dict) != size) return fail(e, path, SQM_ERROR_INVALID_ARGUMENT, "the dict changed size during conversion");
    }
    return true;
}

/* Subclasses (OrderedDict, SON) have their own idea of order: items() knows it. */
static bool append_mapping_members(Encoder *e, bson_t *document, PyObject *mapping, const Path *path) {
    PyObject *items = PyMapping_Items(mapping);     /* a list */
    if (!items) return false;
    bool ok = true;
    for (Py_ssize_t i = 0; ok && i < PyList_GET_SIZE(items); i++) {
        PyObject *item = PyList_GET_ITEM(items, i);
        if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 2) ok = fail_type(e, path, mapping);
        else ok = append_member(e, document, PyTuple_GET_ITEM(item, 0), PyTuple_GET_ITEM(item, 1), path);
    }
    Py_DECREF(items);
    return ok;
}

static bool append_items(Encoder *e, bson_t *array, PyObject *items, const Path *path) {
    PyObject *sequence = PySequence_Fast(items, "");
    if (!sequence) return false;
    bool ok = true;
    for (Py_ssize_t i = 0; ok && i < PySequence_Fast_GET_SIZE(sequence); i++) {
        char buffer[16];
        const char *key;
        size_t length = bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof buffer);
        PyObject *item = Py_NewRef(PySequence_Fast_GET_ITEM(sequence, i));
        Path here = {.up = path, .index = i};
        ok = append(e, array, key, (int)length, item, &here);
        Py_DECREF(item);
    }
    Py_DECREF(sequence);
    return ok;
}

static bool append_container(Encoder *e, bson_t *to, const char *key, int n, PyObject *value, const Path *path) {
    if (e->depth == MAX_DOCUMENT_DEPTH)
        return fail(e, NULL, SQM_ERROR_INVALID_ARGUMENT, "nested deeper than %d levels, or contains itself", MAX_DOCUMENT_DEPTH);
    e->depth++;
    bson_t child;
    bool ok, is_document = PyDict_Check(value);
    if (!(is_document ? bson_append_document_begin(to, key, n, &child) : bson_append_array_begin(to, key, n, &child))) return fail_size(e, path);
    if (!is_document) ok = append_items(e, &child, value, path);
    else if (PyDict_CheckExact(value)) ok = append_dict_members(e, &child, value, path);
    else ok = append_mapping_members(e, &child, value, path);
    e->depth--;
    if (!ok) return false;
    return (is_document ? bson_append_document_end(to, &child) : bson_append_array_end(to, &child)) || fail_size(e, path);
}

static bool append_regex(Encoder *e, bson_t *to, const char *key, int n, PyObject *value, const Path *path) {
    PyObject *pattern = PyObject_GetAttrString(value, "pattern"), *flags = pattern ? PyObject_GetAttrString(value, "flags") : NULL;
    long bits = flags ? PyLong_AsLong(flags) : -1;
    bool ok = !(bits == -1 && PyErr_Occurred());
    const char *text = NULL;
    Py_ssize_t length = 0;
    if (ok && PyUnicode_Check(pattern)) text = utf8_of(e, path, pattern, &length);
    else if (ok && PyBytes_Check(pattern)) text = PyBytes_AS_STRING(pattern), length = PyBytes_GET_SIZE(pattern);
    else if (ok) fail_type(e, path, value);
    ok = ok && text;
    if (ok && memchr(text, 0, (size_t)length)) ok = fail(e, path, SQM_ERROR_INVALID_TEXT, "a regular expression cannot contain a NUL");
    if (ok) {
        /* The bits of Python's re module in the alphabetical order that BSON wants. */
        static const struct { long bit; char letter; } letters[] = {{2, 'i'}, {4, 'l'}, {8, 'm'}, {16, 's'}, {32, 'u'}, {64, 'x'}};
        char options[8];
        size_t used = 0;
        for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
            if (bits & letters[i].bit) options[used++] = letters[i].letter;
        options[used] = 0;
        ok = bson_append_regex_w_len(to, key, n, text, (int)length, options) || fail_size(e, path);
    }
    Py_XDECREF(pattern);
    Py_XDECREF(flags);
    return ok;
}

static bool get_uint32(PyObject *value, const char *attribute, uint32_t *out) {
    PyObject *number = PyObject_GetAttrString(value, attribute);
    unsigned long long n = number ? PyLong_AsUnsignedLongLong(number) : 0;
    Py_XDECREF(number);
    if (PyErr_Occurred()) return false;
    *out = (uint32_t)n;
    return true;
}

static bool append_code(Encoder *e, bson_t *to, const char *key, int n, PyObject *value, const Path *path) {
    Py_ssize_t length;
    const char *text = utf8_of(e, path, value, &length);
    if (!text) return false;
    if (memchr(text, 0, (size_t)length)) return fail(e, path, SQM_ERROR_INVALID_TEXT, "code cannot contain a NUL");
    PyObject *scope = PyObject_GetAttrString(value, "scope");
    if (!scope) return false;
    bool ok;
    if (scope == Py_None) ok = bson_append_code(to, key, n, text) || fail_size(e, path);
    else if (!PyDict_Check(scope)) ok = fail_type(e, path, scope);
    else {
        bson_t members = BSON_INITIALIZER;
        ok = append_mapping_members(e, &members, scope, path) && (bson_append_code_with_scope(to, key, n, text, &members) || fail_size(e, path));
        bson_destroy(&members);
    }
    Py_DECREF(scope);
    return ok;
}

/* PyMongo's classes that have no SQL type. */
static Verdict append_bson_class(Encoder *e, bson_t *to, const char *key, int n, PyObject *value, const Path *path) {
    ModuleState *state = e->state;
    if (!module_bson_loaded(state)) return NOT_SCALAR;
    if (PyObject_TypeCheck(value, state->Regex)) return VERDICT(append_regex(e, to, key, n, value, path));
    if (PyObject_TypeCheck(value, state->Code)) return VERDICT(append_code(e, to, key, n, value, path));
    if (PyObject_TypeCheck(value, state->MinKey)) return VERDICT(bson_append_minkey(to, key, n));
    if (PyObject_TypeCheck(value, state->MaxKey)) return VERDICT(bson_append_maxkey(to, key, n));
    if (PyObject_TypeCheck(value, state->Timestamp)) {
        uint32_t seconds, increment;
        return VERDICT(get_uint32(value, "time", &seconds) && get_uint32(value, "inc", &increment) && bson_append_timestamp(to, key, n, seconds, increment));
    }
    if (PyObject_TypeCheck(value, state->Binary)) {
        uint32_t subtype;
        return VERDICT(get_uint32(value, "subtype", &subtype) &&
                       bson_append_binary(to, key, n, (bson_subtype_t)subtype, (const uint8_t *)PyBytes_AS_STRING(value), (uint32_t)PyBytes_GET_SIZE(value)));
    }
    if (PyObject_TypeCheck(value, state->DBRef)) {
        PyObject *document = PyObject_CallMethod(value, "as_doc", NULL);
        bool ok = document && append(e, to, key, n, document, path);
        Py_XDECREF(document);
        return VERDICT(ok);
    }
    return NOT_SCALAR;
}

/* A Document or an Array: its bytes as they were stored. */
static bool append_stored(Encoder *e, bson_t *to, const char *key, int n, const uint8_t *bytes, uint32_t size, bool is_array, const Path *path) {
    bson_t stored;
    if (!bson_init_static(&stored, bytes, size)) return fail(e, path, SQM_ERROR_INVALID_ARGUMENT, "the stored value is not well-formed BSON");
    return (is_array ? bson_append_array(to, key, n, &stored) : bson_append_document(to, key, n, &stored)) || fail_size(e, path);
}

/* Appends any value that a document can hold. */
static bool append(Encoder *e, bson_t *to, const char *key, int n, PyObject *value, const Path *path) {
    if (to->len > MAX_DOCUMENT_BYTES) return fail_size(e, NULL);
    while (Py_IS_TYPE(value, e->state->json_type)) value = ((Json *)value)->value;
    sqm_value_t scalar;
    e->depth++;     /* the rules of nested values: strings need not be held and may contain NUL */
    Verdict verdict = convert_scalar(e, path, value, &scalar);
    e->depth--;
    if (verdict == FAILED) return false;
    if (verdict == CONVERTED) {
        bool long_int = scalar.type == SQM_INT && e->state->Int64 && PyObject_TypeCheck(value, e->state->Int64);
        return (long_int ? bson_append_int64(to, key, n, scalar.u.i) : append_scalar(to, key, n, &scalar)) || fail_size(e, path);
    }
    if (PyDict_Check(value) || PyList_Check(value) || PyTuple_Check(value)) return append_container(e, to, key, n, value, path);
    uint32_t stored_size;
    bool is_array;
    const uint8_t *stored = document_bytes(e->state, value, &stored_size, &is_array);
    if (stored) return append_stored(e, to, key, n, stored, stored_size, is_array, path);
    verdict = append_bson_class(e, to, key, n, value, path);
    if (verdict == CONVERTED) return true;
    if (verdict == NOT_SCALAR) return fail_type(e, path, value);
    return PyErr_Occurred() ? false : fail_size(e, path);
}

/* ---- parameters ----------------------------------------------------------------------------------------------------- */

/* The raw BSON value of anything: the one element of the document {"": value}, without type byte and key. */
static bool convert_document(Encoder *e, PyObject *value, sqm_type_t type, sqm_value_t *out) {
    enum { BEFORE = 4 + 1 + 1, AFTER = 1 };
    bson_t wrapper = BSON_INITIALIZER;
    bool ok = append(e, &wrapper, "", 0, value, NULL);
    if (ok && wrapper.len - BEFORE - AFTER > MAX_DOCUMENT_BYTES) ok = fail_size(e, NULL);
    if (ok) {
        const uint8_t *data = bson_get_data(&wrapper);
        uint32_t length = wrapper.len - BEFORE - AFTER;
        const uint8_t *copy = allocate_copy(e->execution, data + BEFORE, length);
        *out = (sqm_value_t){.type = (uint8_t)type, .bson_type = data[4], .len = length, .u.bytes = copy};
        ok = copy != NULL;
    }
    bson_destroy(&wrapper);
    return ok;
}

static bool convert(Encoder *e, PyObject *value, sqm_value_t *out);

static bool convert_tuple(Encoder *e, PyObject *tuple, sqm_value_t *out) {
    if (Py_EnterRecursiveCall(" while converting a tuple parameter")) return false;
    Py_ssize_t n = PyTuple_GET_SIZE(tuple);
    sqm_value_t *items = allocate(e->execution, (size_t)n * sizeof *items);
    bool ok = items != NULL;
    for (Py_ssize_t i = 0; ok && i < n; i++) ok = convert(e, PyTuple_GET_ITEM(tuple, i), &items[i]);
    if (ok) *out = (sqm_value_t){.type = SQM_TUPLE, .len = (uint32_t)n, .u.tuple = items};
    Py_LeaveRecursiveCall();
    return ok;
}

static bool convert(Encoder *e, PyObject *value, sqm_value_t *out) {
    Verdict verdict = convert_scalar(e, NULL, value, out);
    if (verdict != NOT_SCALAR) return verdict == CONVERTED;
    if (PyTuple_Check(value)) return convert_tuple(e, value, out);
    e->json = Py_IS_TYPE(value, e->state->json_type);
    bool ok = convert_document(e, value, e->json ? SQM_JSON : SQM_BSON, out);
    e->json = false;
    return ok;
}

static bool bind_sequence(Encoder *e, PyObject *values) {
    sqm_statement_t *statement = e->execution->statement;
    int wanted = sqm_parameter_count(statement);
    if (PyTuple_GET_SIZE(values) != wanted) {
        raise_error(e->state, SQM_ERROR_PARAMETER_COUNT, "the statement has %d placeholder%s but %zd parameter%s passed", wanted, wanted == 1 ? "" : "s",
                    PyTuple_GET_SIZE(values), PyTuple_GET_SIZE(values) == 1 ? " was" : "s were");
        return false;
    }
    for (int i = 0; i < wanted; i++) {
        const char *name = sqm_parameter_name(statement, i);
        if (name) {
            raise_error(e->state, SQM_ERROR_PARAMETER_COUNT, "the statement has named placeholders such as %%(%.80s)s: pass a mapping, not a sequence", name);
            return false;
        }
        sqm_value_t value;
        e->number = i + 1;
        if (!convert(e, PyTuple_GET_ITEM(values, i), &value)) return false;
        sqm_bind(statement, i, &value);
    }
    return true;
}

static bool bind_mapping(Encoder *e, PyObject *values) {
    sqm_statement_t *statement = e->execution->statement;
    int count = sqm_parameter_count(statement);
    for (int i = 0; i < count; i++) {
        e->name = sqm_parameter_name(statement, i);
        if (!e->name) {
            raise_error(e->state, SQM_ERROR_PARAMETER_COUNT, "the statement has positional placeholders (%%s): pass a sequence, not a mapping");
            return false;
        }
        PyObject *value = PyMapping_GetItemString(values, e->name);
        if (!value) {
            if (!PyErr_ExceptionMatches(PyExc_KeyError)) return false;
            PyErr_Clear();
            raise_error(e->state, SQM_ERROR_PARAMETER_COUNT, "no value for the placeholder %%(%.200s)s", e->name);
            return false;
        }
        sqm_value_t bound;
        e->number = i + 1;
        /* Scalars are held by the execution, everything else is copied: the reference may go. */
        bool ok = convert(e, value, &bound);
        Py_DECREF(value);
        if (!ok) return false;
        sqm_bind(statement, i, &bound);
    }
    return true;
}

bool execution_bind(ModuleState *state, Execution *execution, PyObject *parameters, Py_ssize_t set) {
    if (!PyDateTimeAPI) PyDateTime_IMPORT;     /* the pointer is one per file */
    if (!PyDateTimeAPI) return false;
    Encoder e = {.state = state, .execution = execution, .set = set};
    if (PyTuple_CheckExact(parameters)) return bind_sequence(&e, parameters);
    if (PyDict_Check(parameters)) return bind_mapping(&e, parameters);
    bool is_text = PyUnicode_Check(parameters) || PyBytes_Check(parameters) || PyByteArray_Check(parameters);
    bool is_list = PyList_Check(parameters) || PyTuple_Check(parameters);
    if (!is_text && !is_list && PyMapping_Check(parameters) && PyObject_HasAttrString(parameters, "keys")) return bind_mapping(&e, parameters);
    if (is_text || !PySequence_Check(parameters)) {
        raise_error(state, SQM_ERROR_PARAMETER_COUNT, "parameters must be a sequence or a mapping, not '%.100s'", Py_TYPE(parameters)->tp_name);
        return false;
    }
    PyObject *values = PySequence_Tuple(parameters);    /* a snapshot: conversions may run code that changes a list */
    bool ok = values && bind_sequence(&e, values);
    Py_XDECREF(values);
    return ok;
}
