/* connection.c - the type Connection: one sqm_connection_t, the DB-API's idea of a transaction, and who may use it when.
 *
 * In:  connect(), commit(), rollback(), autocommit ...   Out: sqm_open/begin/commit/rollback/close with the GIL released.
 *
 * PEP 249 has autocommit off: before a statement runs, cursor.c begins a transaction unless one is open (the core sends nothing until the first command).
 * Autocommit cannot change inside a transaction. Results of the transaction's statements that are in memory survive commit and rollback.
 *
 * connection_enter/leave bracket every use (see module.h). After fork() a child's use of an inherited connection is InterfaceError; its close() only
 * lets go of memory, and if the parent was in the middle of a call in another thread, not even that: that state belongs to the parent. */
#include "module.h"

#include <datetime.h>

bool connection_enter(Connection *self) {
    if (!self->db) return raise_error(self->state, SQM_ERROR_INTERFACE, "the connection is closed") != NULL;
    if (sqm_forked(self->db))
        return raise_error(self->state, SQM_ERROR_INTERFACE, "the connection was opened before fork(); open a new one in this process") != NULL;
    if (self->busy)
        return raise_error(self->state, SQM_ERROR_OBJECT_IN_USE, "the connection is in use by another thread; each thread needs its own connection") != NULL;
    self->busy = true;
    return true;
}

void connection_leave(Connection *self) {
    Execution *done = NULL;
    while (self->orphans) {
        Execution *orphan = self->orphans;
        self->orphans = orphan->next;
        sqm_finalize(orphan->statement);
        orphan->statement = NULL;
        orphan->next = done;
        done = orphan;
    }
    self->busy = false;
    while (done) {      /* dropping parameters may run code, which may use the connection */
        Execution *next = done->next;
        execution_free(done);
        done = next;
    }
}

/* ---- opening and closing ------------------------------------------------------------------------------------------ */

PyObject *connection_new(ModuleState *state, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"uri", "database", "json_text", "autocommit", "connect_timeout_ms", "server_selection_timeout_ms", "app_name", "work_mem",
                            "lock_timeout_ms", "no_optimise", NULL};
    const char *uri, *database;
    int json_text = 0, autocommit = 0, no_optimise = 0;
    long long work_mem = 0;
    sqm_options_t options = {0};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ss|$ppiizLip:connect", names, &uri, &database, &json_text, &autocommit, &options.connect_timeout_ms,
                                     &options.server_selection_timeout_ms, &options.app_name, &work_mem, &options.lock_timeout_ms, &no_optimise))
        return NULL;
    if (options.connect_timeout_ms < 0 || options.server_selection_timeout_ms < 0 || options.lock_timeout_ms < 0 || work_mem < 0) {
        PyErr_SetString(PyExc_ValueError, "connect(): time-outs and work_mem cannot be negative");
        return NULL;
    }
    options.work_mem = work_mem;
    options.no_optimise = no_optimise;

    Connection *self = (Connection *)state->connection_type->tp_alloc(state->connection_type, 0);
    if (!self) return NULL;
    self->state = state;
    self->json_text = json_text;
    self->autocommit = autocommit;
    sqm_connection_t *db = NULL;
    sqm_error_t error;
    bool ok;
    Py_BEGIN_ALLOW_THREADS
    ok = sqm_open(uri, database, &options, &db, &error);
    Py_END_ALLOW_THREADS
    if (!ok) {
        raise_sqm_error(state, &error, NULL);
        Py_DECREF(self);
        return NULL;
    }
    self->db = db;
    return (PyObject *)self;
}

/* Closes; the connection is open and this thread's. */
static void close_entered(Connection *self) {
    cursors_detach(self);
    sqm_connection_t *db = self->db;
    self->db = NULL;
    Py_BEGIN_ALLOW_THREADS
    sqm_close(db);
    Py_END_ALLOW_THREADS
    connection_leave(self);
}

static PyObject *connection_close(Connection *self, PyObject *unused) {
    (void)unused;
    if (!self->db) Py_RETURN_NONE;
    if (self->busy && sqm_forked(self->db)) {
        self->db = NULL;
        Py_RETURN_NONE;
    }
    if (self->busy) return raise_error(self->state, SQM_ERROR_OBJECT_IN_USE, "the connection is in use by another thread and cannot be closed now");
    self->busy = true;
    close_entered(self);
    Py_RETURN_NONE;
}

static int connection_traverse(Connection *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->define);
    Py_VISIT(self->zone);
    return 0;
}

static int connection_clear(Connection *self) {
    Py_CLEAR(self->define);
    Py_CLEAR(self->zone);
    return 0;
}

/* No cursor is left: each holds a reference to its connection. */
static void connection_dealloc(Connection *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    connection_clear(self);
    if (self->db && !self->busy) {
        self->busy = true;
        connection_leave(self);
        sqm_close(self->db);
    }
    type->tp_free(self);
    Py_DECREF(type);
}

/* ---- transactions --------------------------------------------------------------------------------------------------- */

static PyObject *end_transaction(Connection *self, bool (*end)(sqm_connection_t *, sqm_error_t *)) {
    if (!connection_enter(self)) return NULL;
    bool ok = true;
    sqm_error_t error;
    if (sqm_in_transaction(self->db)) {
        cursors_end_transaction(self);
        Py_BEGIN_ALLOW_THREADS
        ok = end(self->db, &error);
        Py_END_ALLOW_THREADS
    }
    connection_leave(self);
    if (!ok) return raise_sqm_error(self->state, &error, NULL);
    Py_RETURN_NONE;
}

static PyObject *connection_commit(Connection *self, PyObject *unused) { return (void)unused, end_transaction(self, sqm_commit); }
static PyObject *connection_rollback(Connection *self, PyObject *unused) { return (void)unused, end_transaction(self, sqm_rollback); }

static PyObject *get_autocommit(Connection *self, void *unused) { return (void)unused, PyBool_FromLong(self->autocommit); }

static int set_autocommit(Connection *self, PyObject *value, void *unused) {
    (void)unused;
    if (!value) return PyErr_SetString(PyExc_AttributeError, "autocommit cannot be deleted"), -1;
    int wanted = PyObject_IsTrue(value);
    if (wanted < 0 || !connection_enter(self)) return -1;
    bool allowed = wanted == self->autocommit || !sqm_in_transaction(self->db);
    if (allowed) self->autocommit = wanted;
    connection_leave(self);
    if (allowed) return 0;
    raise_error(self->state, SQM_ERROR_ACTIVE_TRANSACTION, "autocommit cannot change inside a transaction: commit or roll back first");
    return -1;
}

static PyObject *connection_enter_context(PyObject *self, PyObject *unused) { return (void)unused, Py_NewRef(self); }

static PyObject *connection_exit_context(Connection *self, PyObject *const *args, Py_ssize_t nargs) {
    if (!self->db) Py_RETURN_NONE;
    bool failed = nargs > 0 && args[0] != Py_None;
    PyObject *ended = end_transaction(self, failed ? sqm_rollback : sqm_commit);
    if (!ended && failed) PyErr_Clear();        /* the block's own exception is the one to see */
    bool raise = !ended && !failed;
    Py_XDECREF(ended);
    PyObject *type = NULL, *exception = NULL, *traceback = NULL;
    if (raise) PyErr_Fetch(&type, &exception, &traceback);
    PyObject *closed = connection_close(self, NULL);
    if (raise) {
        Py_CLEAR(closed);
        PyErr_Restore(type, exception, traceback);
    }
    return closed;
}

/* ---- definitions from the application ----------------------------------------------------------------------------------- */

/* The statements of a list of str, each ended by a NUL, in malloc'ed memory; NULL with an exception, or for None and an empty list. */
static char *definitions(PyObject *list) {
    if (list == Py_None) return NULL;
    PyObject *texts = PySequence_Fast(list, "define() must return a list of statements or None");
    char *out = NULL, *at = NULL;
    size_t size = 1;
    for (int pass = 0; texts && pass < 2; pass++) {
        if (pass == 1) {
            at = out = malloc(size);
            if (!out) PyErr_NoMemory();
        }
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(texts) && !PyErr_Occurred(); i++) {
            Py_ssize_t n;
            const char *text = PyUnicode_AsUTF8AndSize(PySequence_Fast_GET_ITEM(texts, i), &n);
            if (!text) break;
            if (pass == 0) size += (size_t)n + 1;
            else at = (char *)memcpy(at, text, (size_t)n + 1) + n + 1;
        }
        if (PyErr_Occurred()) Py_CLEAR(texts);
    }
    if (texts && at == out) Py_CLEAR(texts);   /* an empty list */
    if (!texts) {
        free(out);
        return NULL;
    }
    *at = '\0';
    Py_DECREF(texts);
    return out;
}

/* Called by sqm_prepare(), with or without the GIL. An exception stays set: prepare() of cursor.c finds it. */
static char *define(void *context, sqm_undefined_t kind, const char *table, const char *column) {
    static const char *const kinds[] = {
        [SQM_UNDEFINED_TABLE] = "table", [SQM_UNDEFINED_COLUMN] = "column", [SQM_UNDECLARED_COLLECTION] = "collection", [SQM_UNDESCRIBED_TABLE] = "undescribed"};
    Connection *self = context;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *callable = Py_XNewRef(self->define), *answer = NULL;
    char *texts = NULL;
    if (callable && !PyErr_Occurred()) answer = PyObject_CallFunction(callable, "ssz", kinds[kind], table, column);
    if (answer) texts = definitions(answer);
    Py_XDECREF(answer);
    Py_XDECREF(callable);
    PyGILState_Release(gil);
    return texts;
}

static PyObject *get_define(Connection *self, void *unused) { return (void)unused, Py_NewRef(self->define ? self->define : Py_None); }

static int set_define(Connection *self, PyObject *value, void *unused) {
    (void)unused;
    if (!value) return PyErr_SetString(PyExc_AttributeError, "define cannot be deleted"), -1;
    if (value != Py_None && !PyCallable_Check(value)) return PyErr_SetString(PyExc_TypeError, "define must be callable or None"), -1;
    if (!connection_enter(self)) return -1;
    Py_XSETREF(self->define, value == Py_None ? NULL : Py_NewRef(value));
    sqm_set_define(self->db, self->define ? define : NULL, self);
    connection_leave(self);
    return 0;
}

/* ---- the rest --------------------------------------------------------------------------------------------------------- */

static PyObject *connection_cursor(Connection *self, PyObject *unused) {
    (void)unused;
    if (!connection_enter(self)) return NULL;
    connection_leave(self);
    return cursor_new(self);
}

static PyObject *connection_ping(Connection *self, PyObject *unused) {
    (void)unused;
    if (!connection_enter(self)) return NULL;
    bool ok;
    sqm_error_t error;
    Py_BEGIN_ALLOW_THREADS
    ok = sqm_ping(self->db, &error);
    Py_END_ALLOW_THREADS
    connection_leave(self);
    if (!ok) return raise_sqm_error(self->state, &error, NULL);
    Py_RETURN_NONE;
}

static PyObject *load_json(Connection *self, bool ok, char *json, const sqm_error_t *error) {
    if (!ok) return raise_sqm_error(self->state, error, NULL);
    PyObject *text = PyUnicode_FromString(json);
    sqm_free(json);
    PyObject *result = text ? PyObject_CallOneArg(self->state->json_loads, text) : NULL;
    Py_XDECREF(text);
    return result;
}

static PyObject *connection_tables(Connection *self, PyObject *unused) {
    (void)unused;
    if (!connection_enter(self)) return NULL;
    char *json = NULL;
    sqm_error_t error;
    bool ok;
    Py_BEGIN_ALLOW_THREADS
    ok = sqm_tables(self->db, &json, &error);
    Py_END_ALLOW_THREADS
    connection_leave(self);
    return load_json(self, ok, json, &error);
}

static PyObject *connection_table(Connection *self, PyObject *name) {
    const char *text = PyUnicode_AsUTF8(name);
    if (!text || !connection_enter(self)) return NULL;
    char *json = NULL;
    sqm_error_t error;
    bool ok;
    Py_BEGIN_ALLOW_THREADS
    ok = sqm_table(self->db, text, &json, &error);
    Py_END_ALLOW_THREADS
    connection_leave(self);
    return load_json(self, ok, json, &error);
}

static PyObject *get_closed(Connection *self, void *unused) { return (void)unused, PyBool_FromLong(!self->db); }

static PyObject *get_in_transaction(Connection *self, void *unused) {
    (void)unused;
    if (!self->db) Py_RETURN_FALSE;
    if (!connection_enter(self)) return NULL;
    bool in_transaction = sqm_in_transaction(self->db);
    connection_leave(self);
    return PyBool_FromLong(in_transaction);
}

static PyObject *get_server_version(Connection *self, void *unused) {
    (void)unused;
    if (!connection_enter(self)) return NULL;
    int version = sqm_server_version(self->db);
    connection_leave(self);
    return Py_BuildValue("iii", version / 1000000, version / 1000 % 1000, version % 1000);
}

static PyObject *get_has_transactions(Connection *self, void *unused) {
    (void)unused;
    if (!connection_enter(self)) return NULL;
    bool has_transactions = sqm_has_transactions(self->db);
    connection_leave(self);
    return PyBool_FromLong(has_transactions);
}

static PyObject *get_written_tables(Connection *self, void *unused) {
    (void)unused;
    if (!connection_enter(self)) return NULL;
    char *json = NULL;
    sqm_error_t error;
    bool ok = sqm_written_tables(self->db, &json, &error);
    connection_leave(self);
    return load_json(self, ok, json, &error);
}

static PyObject *get_timezone(Connection *self, void *unused) {
    (void)unused;
    return Py_NewRef(self->zone ? self->zone : Py_None);
}

static int set_timezone(Connection *self, PyObject *value, void *unused) {
    (void)unused;
    if (!PyDateTimeAPI) PyDateTime_IMPORT;
    if (!PyDateTimeAPI) return -1;
    if (!value || (value != Py_None && !PyTZInfo_Check(value))) return PyErr_SetString(PyExc_TypeError, "timezone must be None or a tzinfo"), -1;
    Py_XSETREF(self->zone, value == Py_None ? NULL : Py_NewRef(value));
    return 0;
}

static PyObject *connection_repr(Connection *self) {
    return PyUnicode_FromFormat("<djongo._sqm.Connection %s at %p>", self->db ? "open" : "closed", self);
}

static PyMethodDef connection_methods[] = {
    {"cursor", (PyCFunction)connection_cursor, METH_NOARGS, "cursor() -> Cursor"},
    {"commit", (PyCFunction)connection_commit, METH_NOARGS, "Commits the open transaction, if any."},
    {"rollback", (PyCFunction)connection_rollback, METH_NOARGS, "Rolls the open transaction back, if any."},
    {"close", (PyCFunction)connection_close, METH_NOARGS, "Rolls back an open transaction and closes. Closing twice is allowed."},
    {"ping", (PyCFunction)connection_ping, METH_NOARGS, "Asks the server for a sign of life; OperationalError without one."},
    {"tables", (PyCFunction)connection_tables, METH_NOARGS, "tables() -> list of the names of all tables"},
    {"table", (PyCFunction)connection_table, METH_O, "table(name) -> dict: columns, constraints and indexes of a table"},
    {"__enter__", (PyCFunction)connection_enter_context, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))connection_exit_context, METH_FASTCALL,
     "Commits, or rolls back if the block raised; then closes the connection."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef connection_getset[] = {
    {"autocommit", (getter)get_autocommit, (setter)set_autocommit, "Off by default: the first statement begins a transaction.", NULL},
    {"define", (getter)get_define, (setter)set_define,
     "None, or a function (kind, table, column) -> list of statements or None: asked for tables and columns that a statement names and the catalogue lacks. "
     "kind is 'table', 'column', 'collection' (there, but undeclared) or 'undescribed' (by djongo 1.3). It must not use the connection.", NULL},
    {"closed", (getter)get_closed, NULL, NULL, NULL},
    {"in_transaction", (getter)get_in_transaction, NULL, NULL, NULL},
    {"server_version", (getter)get_server_version, NULL, "(major, minor, patch)", NULL},
    {"has_transactions", (getter)get_has_transactions, NULL, "False on a standalone server.", NULL},
    {"timezone", (getter)get_timezone, (setter)set_timezone, "None: moments are fetched as naive UTC. A tzinfo: columns of type timestamptz as aware datetimes of it.", NULL},
    {"written_tables", (getter)get_written_tables, NULL, "List of the names of the tables written in the open transaction.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot connection_slots[] = {
    {Py_tp_doc, "A connection to a database. Made by connect()."},
    {Py_tp_traverse, connection_traverse},
    {Py_tp_clear, connection_clear},
    {Py_tp_dealloc, connection_dealloc},
    {Py_tp_repr, connection_repr},
    {Py_tp_methods, connection_methods},
    {Py_tp_getset, connection_getset},
    {0, NULL},
};

PyType_Spec connection_spec = {
    "djongo._sqm.Connection", sizeof(Connection), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, connection_slots};
