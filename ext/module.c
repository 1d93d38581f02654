/* module.c - the module djongo._sqm: state, exceptions, DB-API constants and constructors.
 *
 * Multi-phase initialisation with per-module state, heap types only. This file is the only one that makes exceptions: raise_sqm_error turns an
 * sqm_error_t into an instance of the class that core/errors.def names, with the text as sqm_error_render draws it:
 *
 *     djongo._sqm.ProgrammingError: column "autor" does not exist
 *     LINE 1: SELECT autor FROM book
 *                    ^^^^^
 *     HINT:  Perhaps you meant the column "book.author".
 *
 * and .position/.length (indices into the str, not bytes), .hint, .code, .mongo_code, .sql. Class attributes of Error give all of them None, so that
 * every error has them. Type objects (STRING, NUMBER ...) compare equal to the SQL type names of Cursor.description. */
#include "module.h"

#include <datetime.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <structmember.h>

/* ---- errors ----------------------------------------------------------------------------------------------------- */

static PyObject *exception_class(ModuleState *state, sqm_error_code_t code) {
    const char *name = sqm_error_class(code);
#define EXCEPTION(class_name, base, doc) \
    if (strcmp(name, #class_name) == 0) return state->class_name;
    EXCEPTIONS(EXCEPTION)
#undef EXCEPTION
    return state->DatabaseError;
}

/* Characters in the first `bytes` bytes of UTF-8 text. */
static Py_ssize_t count_characters(const char *text, Py_ssize_t bytes) {
    Py_ssize_t n = 0;
    for (Py_ssize_t i = 0; i < bytes; i++) n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

/* Sets an attribute to a new reference, which it takes; NULL value means a failed construction. */
static bool set_taking(PyObject *object, const char *name, PyObject *value) {
    bool ok = value && PyObject_SetAttrString(object, name, value) == 0;
    Py_XDECREF(value);
    return ok;
}

void *raise_sqm_error(ModuleState *state, const sqm_error_t *error, PyObject *sql) {
    char text[4096];
    Py_ssize_t size = 0;
    const char *utf8 = NULL;
    if (sql && !(utf8 = PyUnicode_AsUTF8AndSize(sql, &size))) PyErr_Clear();
    sqm_error_t without_place = {.position = -1};
    if (!utf8 || error->position < 0 || error->position > size) {
        without_place = *error;
        without_place.position = -1;
        error = &without_place;
    }
    size_t length = sqm_error_render(error, utf8 ? utf8 : "", (size_t)size, text, sizeof text);
    /* The caret line's window is cut by bytes and server messages may hold anything, hence "replace". */
    PyObject *message = PyUnicode_DecodeUTF8(text, (Py_ssize_t)length, "replace");
    PyObject *exception = message ? PyObject_CallOneArg(exception_class(state, error->code), message) : NULL;
    Py_XDECREF(message);
    if (!exception) return NULL;

    bool ok = set_taking(exception, "code", PyUnicode_FromString(sqm_error_name(error->code)));
    if (ok && error->hint[0]) ok = set_taking(exception, "hint", PyUnicode_DecodeUTF8(error->hint, (Py_ssize_t)strlen(error->hint), "replace"));
    if (ok && error->mongo_code) ok = set_taking(exception, "mongo_code", PyLong_FromLong(error->mongo_code));
    if (ok && sql) ok = PyObject_SetAttrString(exception, "sql", sql) == 0;
    if (ok && error->position >= 0) {
        Py_ssize_t at = error->position, end = at + error->length > size ? size : at + error->length;
        ok = set_taking(exception, "position", PyLong_FromSsize_t(count_characters(utf8, at))) &&
             set_taking(exception, "length", PyLong_FromSsize_t(count_characters(utf8 + at, end - at)));
    }
    if (ok) PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return NULL;
}

void *raise_error(ModuleState *state, sqm_error_code_t code, const char *format, ...) {
    sqm_error_t error = {.code = code, .position = -1};
    va_list arguments;
    va_start(arguments, format);
    PyOS_vsnprintf(error.message, sizeof error.message, format, arguments);
    va_end(arguments);
    return raise_sqm_error(state, &error, NULL);
}

/* ---- PyMongo's classes ------------------------------------------------------------------------------------------ */

bool module_load_bson(ModuleState *state) {
    if (state->MaxKey) return true;    /* the last one in the list */
#define BSON_CLASS(name, module_name)                                                    \
    if (!state->name) {                                                                  \
        PyObject *module = PyImport_ImportModule(module_name);                           \
        if (!module) return false;                                                       \
        PyObject *found = PyObject_GetAttrString(module, #name);                         \
        Py_DECREF(module);                                                               \
        if (!found) return false;                                                        \
        if (!PyType_Check(found)) {                                                      \
            Py_DECREF(found);                                                            \
            PyErr_SetString(PyExc_TypeError, module_name "." #name " is not a class");   \
            return false;                                                                \
        }                                                                                \
        state->name = (PyTypeObject *)found;                                             \
    }
    BSON_CLASSES(BSON_CLASS)
#undef BSON_CLASS
    return true;
}

bool module_bson_loaded(ModuleState *state) {
    if (state->MaxKey) return true;
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *module = modules ? PyDict_GetItemString(modules, "bson.max_key") : NULL;
    if (!module) return false;
    if (module_load_bson(state)) return true;
    PyErr_Clear();
    return false;
}

/* ---- Json ------------------------------------------------------------------------------------------------------- */

static PyObject *json_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *value;
    static char *names[] = {"value", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Json", names, &value)) return NULL;
    Json *self = (Json *)type->tp_alloc(type, 0);
    if (self) self->value = Py_NewRef(value);
    return (PyObject *)self;
}

static int json_traverse(Json *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->value);
    return 0;
}

static int json_clear(Json *self) {
    Py_CLEAR(self->value);
    return 0;
}

static void json_dealloc(Json *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    json_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *json_repr(Json *self) { return PyUnicode_FromFormat("Json(%R)", self->value); }

static PyMemberDef json_members[] = {
    {"value", T_OBJECT, offsetof(Json, value), READONLY, "The Python value."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot json_slots[] = {
    {Py_tp_doc, "Json(value)\n\nWraps a parameter that is a JSON value: Json(None) is JSON null, Json('x') the JSON string."},
    {Py_tp_new, json_new},
    {Py_tp_traverse, json_traverse},
    {Py_tp_clear, json_clear},
    {Py_tp_dealloc, json_dealloc},
    {Py_tp_repr, json_repr},
    {Py_tp_members, json_members},
    {0, NULL},
};

PyType_Spec json_spec = {"djongo._sqm.Json", sizeof(Json), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, json_slots};

/* ---- type objects ------------------------------------------------------------------------------------------------ */

typedef struct TypeObject {
    PyObject_HEAD
    const char *name;           /* "STRING" */
    const char *const *types;   /* SQL type names without modifiers */
} TypeObject;

static const char *const string_types[] = {"text", "varchar", "character varying", "char", "character", "inet", NULL};
static const char *const binary_types[] = {"bytea", NULL};
static const char *const number_types[] = {"boolean", "smallint", "integer", "bigint", "real", "double precision", "numeric", "decimal", NULL};
static const char *const datetime_types[] = {
    "date", "time", "timestamp", "timestamp with time zone", "timestamp without time zone", "interval", NULL};
static const char *const rowid_types[] = {"objectid", NULL};

/* "varchar(30)" is of the types "varchar". */
static bool type_object_has(const TypeObject *self, PyObject *type_code) {
    const char *text = PyUnicode_AsUTF8(type_code);
    if (!text) return PyErr_Clear(), false;
    size_t length = strcspn(text, "(");
    for (const char *const *name = self->types; *name; name++)
        if (strlen(*name) == length && memcmp(*name, text, length) == 0) return true;
    return false;
}

static PyObject *type_object_compare(TypeObject *self, PyObject *other, int operation) {
    if (operation != Py_EQ && operation != Py_NE) Py_RETURN_NOTIMPLEMENTED;
    bool same;
    if (PyUnicode_Check(other)) same = type_object_has(self, other);
    else if (Py_TYPE(other) == Py_TYPE(self)) same = (PyObject *)self == other;
    else Py_RETURN_NOTIMPLEMENTED;
    return PyBool_FromLong(same == (operation == Py_EQ));
}

static Py_hash_t type_object_hash(TypeObject *self) { return PyObject_HashNotImplemented((PyObject *)self); }
static PyObject *type_object_repr(TypeObject *self) { return PyUnicode_FromFormat("djongo._sqm.%s", self->name); }

static void type_object_dealloc(TypeObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot type_object_slots[] = {
    {Py_tp_doc, "A DB-API type object: equal to the type_code of each column type it stands for."},
    {Py_tp_richcompare, type_object_compare},
    {Py_tp_hash, type_object_hash},
    {Py_tp_repr, type_object_repr},
    {Py_tp_dealloc, type_object_dealloc},
    {0, NULL},
};

static PyType_Spec type_object_spec = {
    "djongo._sqm.TypeObject", sizeof(TypeObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, type_object_slots};

static bool add_type_object(PyObject *module, ModuleState *state, const char *name, const char *const *types) {
    TypeObject *object = (TypeObject *)state->type_object_type->tp_alloc(state->type_object_type, 0);
    if (!object) return false;
    object->name = name;
    object->types = types;
    bool ok = PyModule_AddObjectRef(module, name, (PyObject *)object) == 0;
    Py_DECREF(object);
    return ok;
}

/* ---- functions --------------------------------------------------------------------------------------------------- */

static PyObject *module_connect(PyObject *module, PyObject *args, PyObject *kwargs) {
    return connection_new(PyModule_GetState(module), args, kwargs);
}

/* One statement of offline_commands(): its commands as text, then its effect on the catalogue. */
static PyObject *commands_of(PyObject *module, sqm_connection_t *db, PyObject *sql) {
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(sql, &length);
    if (!text) return NULL;
    sqm_statement_t *statement = NULL;
    sqm_error_t error;
    char *out = NULL;
    PyObject *result = NULL;
    if (sqm_prepare(db, text, (size_t)length, true, &statement, &error) && sqm_dump(statement, SQM_STAGE_MQL, &out, &error)) {
        const char *kind = sqm_statement_kind(statement);
        bool defines = strncmp(kind, "CREATE", 6) == 0 || strncmp(kind, "ALTER", 5) == 0 || strncmp(kind, "DROP", 4) == 0 || strncmp(kind, "RENAME", 6) == 0 ||
                       strncmp(kind, "COMMENT", 7) == 0;
        if (!defines || sqm_step(statement, &error) != SQM_STEP_ERROR) result = PyUnicode_FromString(out);
    }
    if (!result && !PyErr_Occurred()) {
        raise_sqm_error(PyModule_GetState(module), &error, sql);
        PyObject *type, *exception, *traceback;
        PyErr_Fetch(&type, &exception, &traceback);
        PyErr_NormalizeException(&type, &exception, &traceback);
        Py_XDECREF(type);
        Py_XDECREF(traceback);
        result = exception;
    }
    sqm_free(out);
    sqm_finalize(statement);
    return result;
}

static PyObject *offline_commands(PyObject *module, PyObject *statements) {
    PyObject *all = PySequence_Fast(statements, "offline_commands(): a sequence of statements is wanted");
    if (!all) return NULL;
    sqm_connection_t *db = NULL;
    sqm_error_t error;
    sqm_options_t options = {.offline = true};
    if (!sqm_open("mongodb://localhost/", "offline", &options, &db, &error)) {
        Py_DECREF(all);
        return raise_sqm_error(PyModule_GetState(module), &error, NULL);
    }
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; list && i < PySequence_Fast_GET_SIZE(all); i++) {
        PyObject *item = commands_of(module, db, PySequence_Fast_GET_ITEM(all, i));
        if (!item || PyList_Append(list, item) < 0) Py_CLEAR(list);
        Py_XDECREF(item);
    }
    sqm_close(db);
    Py_DECREF(all);
    return list;
}

/* PEP 249's ...FromTicks. Naive date-times mean UTC here, so ticks are read as UTC and not in the machine's zone. */
static PyObject *utc_from_ticks(PyObject *ticks) {
    PyObject *arguments = PyTuple_Pack(2, ticks, PyDateTime_TimeZone_UTC);
    PyObject *aware = arguments ? PyDateTime_FromTimestamp(arguments) : NULL;
    Py_XDECREF(arguments);
    return aware;
}

static PyObject *date_from_ticks(PyObject *module, PyObject *ticks) {
    (void)module;
    PyObject *t = utc_from_ticks(ticks);
    PyObject *result = t ? PyDate_FromDate(PyDateTime_GET_YEAR(t), PyDateTime_GET_MONTH(t), PyDateTime_GET_DAY(t)) : NULL;
    Py_XDECREF(t);
    return result;
}

static PyObject *time_from_ticks(PyObject *module, PyObject *ticks) {
    (void)module;
    PyObject *t = utc_from_ticks(ticks);
    PyObject *result = !t ? NULL
                          : PyTime_FromTime(PyDateTime_DATE_GET_HOUR(t), PyDateTime_DATE_GET_MINUTE(t), PyDateTime_DATE_GET_SECOND(t),
                                            PyDateTime_DATE_GET_MICROSECOND(t));
    Py_XDECREF(t);
    return result;
}

static PyObject *timestamp_from_ticks(PyObject *module, PyObject *ticks) {
    (void)module;
    PyObject *t = utc_from_ticks(ticks);
    PyObject *result = !t ? NULL
                          : PyDateTime_FromDateAndTime(PyDateTime_GET_YEAR(t), PyDateTime_GET_MONTH(t), PyDateTime_GET_DAY(t), PyDateTime_DATE_GET_HOUR(t),
                                                       PyDateTime_DATE_GET_MINUTE(t), PyDateTime_DATE_GET_SECOND(t), PyDateTime_DATE_GET_MICROSECOND(t));
    Py_XDECREF(t);
    return result;
}

static PyMethodDef module_methods[] = {
    {"connect", (PyCFunction)(void (*)(void))module_connect, METH_VARARGS | METH_KEYWORDS,
     "connect(uri, database, *, json_text=False, autocommit=False, connect_timeout_ms=0, server_selection_timeout_ms=0,\n"
     "        app_name=None, work_mem=0, lock_timeout_ms=0) -> Connection\n\n"
     "Opens a database. With json_text, jsonb values are fetched as JSON text, otherwise as Python objects. 0 means the default."},
    {"offline_commands", offline_commands, METH_O,
     "offline_commands(statements) -> list\n\n"
     "What MongoDB would be told, statement by statement, for an empty database and without a server: text with one command a line, or the\n"
     "exception that the statement fails with. Statements that define tables take effect for the following ones."},
    {"DateFromTicks", date_from_ticks, METH_O, "DateFromTicks(ticks) -> datetime.date, in UTC"},
    {"TimeFromTicks", time_from_ticks, METH_O, "TimeFromTicks(ticks) -> datetime.time, in UTC"},
    {"TimestampFromTicks", timestamp_from_ticks, METH_O, "TimestampFromTicks(ticks) -> naive datetime.datetime, in UTC"},
    {NULL, NULL, 0, NULL},
};

/* ---- initialisation ---------------------------------------------------------------------------------------------- */

static bool add_exceptions(PyObject *module, ModuleState *state) {
#define EXCEPTION(name, base, doc)                                                             \
    if (!(state->name = PyErr_NewExceptionWithDoc("djongo._sqm." #name, doc, base, NULL))) return false; \
    if (PyModule_AddObjectRef(module, #name, state->name) < 0) return false;
    EXCEPTIONS(EXCEPTION)
#undef EXCEPTION
    static const char *const attributes[] = {"position", "length", "hint", "code", "mongo_code", "sql", NULL};
    for (const char *const *name = attributes; *name; name++)
        if (PyObject_SetAttrString(state->Error, *name, Py_None) < 0) return false;
    return true;
}

static bool add_type(PyObject *module, PyType_Spec *spec, const char *name, PyTypeObject **out) {
    *out = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *out && (!name || PyModule_AddObjectRef(module, name, (PyObject *)*out) == 0);
}

static bool add_types(PyObject *module, ModuleState *state) {
    if (!add_type(module, &connection_spec, "Connection", &state->connection_type)) return false;
    if (!add_type(module, &cursor_spec, "Cursor", &state->cursor_type)) return false;
    if (!add_type(module, &json_spec, "Json", &state->json_type)) return false;
    if (!add_type(module, &document_spec, "Document", &state->document_type)) return false;
    if (!add_type(module, &array_spec, "Array", &state->array_type)) return false;
    if (!add_type(module, &type_object_spec, NULL, &state->type_object_type)) return false;
    /* PEP 249, optional: the exceptions as attributes of connections. */
#define EXCEPTION(name, base, doc) \
    if (PyObject_SetAttrString((PyObject *)state->connection_type, #name, state->name) < 0) return false;
    EXCEPTIONS(EXCEPTION)
#undef EXCEPTION
    return add_type_object(module, state, "STRING", string_types) && add_type_object(module, state, "BINARY", binary_types) &&
           add_type_object(module, state, "NUMBER", number_types) && add_type_object(module, state, "DATETIME", datetime_types) &&
           add_type_object(module, state, "ROWID", rowid_types);
}

static bool add_constants(PyObject *module) {
    return PyModule_AddStringConstant(module, "apilevel", "2.0") == 0 && PyModule_AddIntConstant(module, "threadsafety", 1) == 0 &&
           PyModule_AddStringConstant(module, "paramstyle", "pyformat") == 0 && PyModule_AddStringConstant(module, "version", SQM_VERSION) == 0 &&
           PyModule_AddObjectRef(module, "Date", (PyObject *)PyDateTimeAPI->DateType) == 0 &&
           PyModule_AddObjectRef(module, "Time", (PyObject *)PyDateTimeAPI->TimeType) == 0 &&
           PyModule_AddObjectRef(module, "Timestamp", (PyObject *)PyDateTimeAPI->DateTimeType) == 0 &&
           PyModule_AddObjectRef(module, "Binary", (PyObject *)&PyBytes_Type) == 0;
}

static PyObject *import_attribute(const char *module_name, const char *name) {
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *found = module ? PyObject_GetAttrString(module, name) : NULL;
    Py_XDECREF(module);
    return found;
}

static bool load_helpers(ModuleState *state) {
    if (!(state->Decimal = (PyTypeObject *)import_attribute("decimal", "Decimal"))) return false;
    if (!(state->UUID = (PyTypeObject *)import_attribute("uuid", "UUID"))) return false;
    if (!(state->json_loads = import_attribute("json", "loads"))) return false;
    if (!(state->no_arguments = PyTuple_New(0))) return false;
    PyObject *safe = import_attribute("uuid", "SafeUUID");
    state->safe_uuid_unknown = safe ? PyObject_GetAttrString(safe, "unknown") : NULL;
    Py_XDECREF(safe);
    return state->safe_uuid_unknown && (state->str_bytes = PyUnicode_InternFromString("bytes")) && (state->str_int = PyUnicode_InternFromString("int")) &&
           (state->str_is_safe = PyUnicode_InternFromString("is_safe")) && (state->str_utcoffset = PyUnicode_InternFromString("utcoffset")) &&
           (state->str_params = PyUnicode_InternFromString("params"));
}

static int module_exec(PyObject *module) {
    ModuleState *state = PyModule_GetState(module);
    PyDateTime_IMPORT;
    if (!PyDateTimeAPI) return -1;
    return add_exceptions(module, state) && add_types(module, state) && add_constants(module) && load_helpers(state) ? 0 : -1;
}

/* Every object the state owns, for traverse and clear. */
#define STATE_OBJECTS(OBJECT)                                                                                                  \
    OBJECT(connection_type) OBJECT(cursor_type) OBJECT(json_type) OBJECT(type_object_type) OBJECT(document_type)               \
    OBJECT(array_type) OBJECT(Decimal) OBJECT(UUID)                                                                            \
    OBJECT(json_loads) OBJECT(safe_uuid_unknown) OBJECT(no_arguments) OBJECT(str_bytes) OBJECT(str_int) OBJECT(str_is_safe)    \
    OBJECT(str_utcoffset) OBJECT(str_params)

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    ModuleState *state = PyModule_GetState(module);
#define EXCEPTION(name, base, doc) Py_VISIT(state->name);
#define BSON_CLASS(name, module_name) Py_VISIT(state->name);
#define OBJECT(name) Py_VISIT(state->name);
    EXCEPTIONS(EXCEPTION)
    BSON_CLASSES(BSON_CLASS)
    STATE_OBJECTS(OBJECT)
#undef EXCEPTION
#undef BSON_CLASS
#undef OBJECT
    return 0;
}

static int module_clear(PyObject *module) {
    ModuleState *state = PyModule_GetState(module);
#define EXCEPTION(name, base, doc) Py_CLEAR(state->name);
#define BSON_CLASS(name, module_name) Py_CLEAR(state->name);
#define OBJECT(name) Py_CLEAR(state->name);
    EXCEPTIONS(EXCEPTION)
    BSON_CLASSES(BSON_CLASS)
    STATE_OBJECTS(OBJECT)
#undef EXCEPTION
#undef BSON_CLASS
#undef OBJECT
    for (int i = 0; i < KEY_CACHE_SLOTS; i++) Py_CLEAR(state->key_cache[i]);
    return 0;
}

static void module_free(void *module) { module_clear(module); }

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "djongo._sqm",
    .m_doc = "DB-API 2.0 (PEP 249) for MongoDB: SQL in, rows out.",
    .m_size = sizeof(ModuleState),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__sqm(void);
PyMODINIT_FUNC PyInit__sqm(void) { return PyModuleDef_Init(&module_def); }
