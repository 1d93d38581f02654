/* module.h - what the files of djongo._sqm share: module state, the two object types, and the two directions of value conversion.
 *
 * In:  DB-API calls.   Out: calls of sqm.h and nothing else of the core. No SQL knowledge: statements are opaque text, types are names.
 *
 *     connection.c   Connection: one sqm_connection_t, its transaction state and the list of cursors that hold a statement
 *     cursor.c       Cursor: one statement at a time, streaming
 *     to_value.c     Python parameter -> sqm_value_t, memory owned by an Execution
 *     from_value.c   sqm_value_t -> Python object (the hot loop)
 *     document.c     Document and Array: stored BSON as Python objects that decode what is asked for
 *     module.c       state, exceptions, constants; the one function that raises
 *
 * Invariants
 *   - A connection is `busy` from connection_enter to connection_leave, Python code called by a conversion included. Whoever comes in between, another
 *     thread or a re-entrant call, gets ProgrammingError. sqm_* functions that take a connection or a statement are called only while busy.
 *   - A cursor deallocated while its connection is busy (another thread steps with the GIL released, or the collector runs during a conversion)
 *     leaves its Execution on connection->orphans; connection_leave finalises it.
 *   - An Execution keeps every byte that bound parameters point to until its statement is reset or finalised. */
#ifndef DJONGO_MODULE_H
#define DJONGO_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <sqm/sqm.h>

/* EXCEPTION(name, base, doc), in the order of PEP 249. */
#define EXCEPTIONS(EXCEPTION)                                                                                                     \
    EXCEPTION(Warning, PyExc_Exception, "Important warnings.")                                                                    \
    EXCEPTION(Error, PyExc_Exception,                                                                                             \
              "Base class of all errors.\n\nposition, length: where in sql (indices into the text), or None\nhint: advice, or None\n" \
              "code: condition name such as 'undefined_column'\nmongo_code: the server's error number, or None\nsql: the statement, or None") \
    EXCEPTION(InterfaceError, state->Error, "Wrong use of the interface: a closed or inherited connection.")                      \
    EXCEPTION(DatabaseError, state->Error, "An error of the database.")                                                           \
    EXCEPTION(DataError, state->DatabaseError, "A value that cannot be processed: out of range, malformed, too long.")            \
    EXCEPTION(OperationalError, state->DatabaseError, "Server unreachable, transaction conflict, out of memory.")                 \
    EXCEPTION(IntegrityError, state->DatabaseError, "A unique, not-null, check or foreign key constraint was violated.")          \
    EXCEPTION(InternalError, state->DatabaseError, "The database or this library is in a state it should not be in.")             \
    EXCEPTION(ProgrammingError, state->DatabaseError, "Wrong SQL, unknown table or column, wrong number of parameters.")          \
    EXCEPTION(NotSupportedError, state->DatabaseError, "Valid SQL that is not supported.")

/* BSON_CLASS(name, module): PyMongo's value classes. Loaded on demand; a parameter can be one of them only if the bson package is loaded. */
#define BSON_CLASSES(BSON_CLASS)                                                                                                  \
    BSON_CLASS(ObjectId, "bson.objectid")                                                                                         \
    BSON_CLASS(Decimal128, "bson.decimal128")                                                                                     \
    BSON_CLASS(Int64, "bson.int64")                                                                                               \
    BSON_CLASS(Binary, "bson.binary")                                                                                             \
    BSON_CLASS(Regex, "bson.regex")                                                                                               \
    BSON_CLASS(Timestamp, "bson.timestamp")                                                                                       \
    BSON_CLASS(Code, "bson.code")                                                                                                 \
    BSON_CLASS(DBRef, "bson.dbref")                                                                                               \
    BSON_CLASS(MinKey, "bson.min_key")                                                                                            \
    BSON_CLASS(MaxKey, "bson.max_key")

enum { KEY_CACHE_SLOTS = 512, KEY_CACHE_BYTES = 32 };

typedef struct ModuleState {
#define EXCEPTION(name, base, doc) PyObject *name;
    EXCEPTIONS(EXCEPTION)
#undef EXCEPTION
#define BSON_CLASS(name, module) PyTypeObject *name;
    BSON_CLASSES(BSON_CLASS)
#undef BSON_CLASS
    PyTypeObject *connection_type, *cursor_type, *json_type, *type_object_type, *document_type, *array_type;
    PyTypeObject *Decimal, *UUID;
    PyObject *json_loads, *safe_uuid_unknown, *no_arguments;
    PyObject *str_bytes, *str_int, *str_is_safe, *str_utcoffset, *str_params;
    PyObject *key_cache[KEY_CACHE_SLOTS];   /* str keys of documents, short ASCII ones, by hash */
} ModuleState;

/* Loads PyMongo's classes into the state. False with ImportError set. */
bool module_load_bson(ModuleState *state);
/* The same if the application has the bson package loaded already; false without an exception if not, so no value can be of its classes. */
bool module_bson_loaded(ModuleState *state);

/* Raise. `sql` (a str) may be NULL: it gives the error its LINE, caret and .sql. All return NULL so that they can be returned. */
void *raise_sqm_error(ModuleState *state, const sqm_error_t *error, PyObject *sql);
void *raise_error(ModuleState *state, sqm_error_code_t code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- executions: a statement and the memory of its parameters ---------------------------------------------------- */

typedef struct Chunk Chunk;
typedef struct Execution {
    struct Execution *next;         /* connection->orphans */
    sqm_statement_t *statement;     /* NULL between executions */
    PyObject **references;          /* str and bytes objects that bound values point into */
    Py_ssize_t reference_count, reference_capacity;
    Chunk *chunks;                  /* memory of everything else that bound values point into */
} Execution;

Execution *execution_new(void);     /* NULL with MemoryError set */
/* Lets go of the parameters' memory. The statement must have been reset or finalised. */
void execution_clear(Execution *execution);
void execution_free(Execution *execution);
/* Converts `parameters` (a sequence or a mapping) and binds them to execution->statement. `set` numbers the parameter set of an executemany, or is -1.
 * False with an exception set; the statement must then be reset or finalised before anything else. */
bool execution_bind(ModuleState *state, Execution *execution, PyObject *parameters, Py_ssize_t set);

/* ---- rows ------------------------------------------------------------------------------------------------------- */

/* How a column is fetched, as Cursor.formats says with one character per column; any other character, or none: as the connection says. */
enum { FORMAT_LAZY = 'l', FORMAT_NATIVE = 'n' };

/* The current row as a tuple; NULL with an exception that names the column. `formats`: bytes, or NULL. */
PyObject *row_new(ModuleState *state, const sqm_statement_t *statement, int column_count, bool json_text, PyObject *formats, PyObject *zone);

/* ---- stored documents (document.c), read piece by piece ----------------------------------------------------------- */

/* A Document or an Array of these bytes: copied, or shared with `owner` (one of the two) if there is one. Their length was checked. */
PyObject *document_new(ModuleState *state, PyObject *owner, const uint8_t *bytes, uint32_t size, bool is_array);
/* If `object` is a Document or an Array: its bytes. */
const uint8_t *document_bytes(ModuleState *state, PyObject *object, uint32_t *size, bool *is_array);

/* One element of a BSON document. */
typedef struct StoredItem {
    uint8_t type;
    const char *key;
    size_t key_length;
    const uint8_t *value;
    size_t size;
} StoredItem;

/* Steps *at over the next element; false at the end, and with DataError set if it is malformed. */
bool stored_next(ModuleState *state, StoredItem *item, const uint8_t **at, const uint8_t *end);
/* Nested documents and arrays are lazy if there is an owner. */
PyObject *stored_value_new(ModuleState *state, PyObject *owner, const StoredItem *item);
PyObject *stored_key_new(ModuleState *state, const StoredItem *item);

/* ---- objects ---------------------------------------------------------------------------------------------------- */

typedef struct Cursor Cursor;
typedef struct Connection {
    PyObject_HEAD
    ModuleState *state;         /* borrowed: our type keeps the module alive */
    sqm_connection_t *db;       /* NULL once closed */
    Cursor *open;               /* cursors that hold a statement; borrowed, doubly linked */
    Execution *orphans;
    PyObject *define;           /* callable, or NULL: see sqm_set_define() */
    bool busy, autocommit, json_text;
    PyObject *zone;             /* a tzinfo that "timestamp with time zone" columns come in; NULL: naive UTC */
} Connection;

/* Takes the connection for this thread; false with InterfaceError (closed, forked) or ProgrammingError (busy). */
bool connection_enter(Connection *self);
void connection_leave(Connection *self);
PyObject *connection_new(ModuleState *state, PyObject *args, PyObject *kwargs);

PyObject *cursor_new(Connection *connection);
/* A transaction is about to end. Rows of its statements that are in memory already stay readable; what would have to come from the server is lost,
 * and fetching it raises. Called while busy. */
void cursors_end_transaction(Connection *connection);
/* Finalises every open statement. Called while busy. */
void cursors_detach(Connection *connection);

typedef struct Json {
    PyObject_HEAD
    PyObject *value;
} Json;

extern PyType_Spec connection_spec, cursor_spec, json_spec, document_spec, array_spec;

#endif
