/* cursor.c - the type Cursor: runs one statement at a time and streams its rows.
 *
 *     cursor.execute("SELECT name FROM book WHERE pages > %s", [100])    prepare, bind, begin a transaction if need be, step to the first row
 *     for (name,) in cursor: ...                                         step when a row is asked for; nothing is read ahead
 *
 * execute() takes the first step, so that errors of a SELECT surface there and statements without rows run to their end. The GIL is released for steps
 * that may wait for the server; rows that are in memory already are stepped with the GIL held.
 *
 *     phase         statement        the next fetch
 *     NO_RESULT     maybe            raises ProgrammingError
 *     ROW_READY     on a row         converts the row
 *     STREAMING     between rows     steps, converts
 *     EXHAUSTED     reset            None / []
 *     LOST          none             raises: the transaction ended before the rows were read
 *
 * A statement is kept after its end, reset, because description is made from it on demand. `held` rows, left by a commit or rollback, come before
 * anything else. A cursor is on connection->open exactly while it has a statement. */
#include "module.h"

#include <string.h>
#include <structmember.h>

typedef enum Phase { NO_RESULT, ROW_READY, STREAMING, EXHAUSTED, LOST } Phase;

struct Cursor {
    PyObject_HEAD
    Connection *connection;
    Execution *execution;
    Cursor *previous, *next;    /* on connection->open */
    PyObject *sql;              /* of the last execute: errors show it */
    PyObject *description;      /* NULL until asked for */
    PyObject *formats;          /* bytes, or NULL */
    PyObject *held;             /* list of rows, or NULL */
    Py_ssize_t held_next;
    const char *kind;           /* "INSERT": static text */
    int64_t row_count, fetched, last_id;
    uint64_t run;               /* counts executions: executemany sees whether its statement is still there */
    Py_ssize_t array_size;
    int column_count;
    Phase phase;
    bool in_transaction;        /* the statement belongs to the transaction that is open */
    bool closed;
};

enum { ROWS_BETWEEN_SIGNAL_CHECKS = 1024 };

PyObject *cursor_new(Connection *connection) {
    PyTypeObject *type = connection->state->cursor_type;
    Cursor *self = (Cursor *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->connection = (Connection *)Py_NewRef(connection);
    self->array_size = 1;
    self->row_count = -1;
    if (!(self->execution = execution_new())) Py_CLEAR(self);
    return (PyObject *)self;
}

static bool enter(Cursor *self) {
    if (self->closed) return raise_error(self->connection->state, SQM_ERROR_INTERFACE, "the cursor is closed") != NULL;
    return connection_enter(self->connection);
}

static sqm_statement_t *statement_of(const Cursor *self) { return self->execution ? self->execution->statement : NULL; }

/* ---- owning a statement -------------------------------------------------------------------------------------------- */

static void link_statement(Cursor *self) {
    self->previous = NULL;
    self->next = self->connection->open;
    if (self->next) self->next->previous = self;
    self->connection->open = self;
}

static void unlink_statement(Cursor *self) {
    if (self->previous) self->previous->next = self->next;
    else self->connection->open = self->next;
    if (self->next) self->next->previous = self->previous;
    self->previous = self->next = NULL;
}

/* Finalises the statement. Busy. */
static void drop_statement(Cursor *self) {
    sqm_statement_t *statement = statement_of(self);
    if (!statement) return;
    unlink_statement(self);
    self->execution->statement = NULL;
    if (self->phase == ROW_READY || self->phase == STREAMING) {     /* has a server cursor to close, perhaps */
        Py_BEGIN_ALLOW_THREADS
        sqm_finalize(statement);
        Py_END_ALLOW_THREADS
    } else {
        sqm_finalize(statement);
    }
    self->phase = NO_RESULT;
    execution_clear(self->execution);
}

/* Back to the state of a new cursor. Busy. */
static void forget_result(Cursor *self) {
    drop_statement(self);
    self->phase = NO_RESULT;
    Py_CLEAR(self->description);
    Py_CLEAR(self->held);
    Py_CLEAR(self->sql);
    self->held_next = 0;
    self->kind = NULL;
    self->row_count = -1;
    self->fetched = self->last_id = 0;
    self->column_count = 0;
    self->run++;
}

void cursors_detach(Connection *connection) {
    while (connection->open) {
        Cursor *cursor = (Cursor *)Py_NewRef(connection->open);
        drop_statement(cursor);
        Py_DECREF(cursor);
    }
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

static sqm_step_t step(sqm_statement_t *statement, sqm_error_t *error) {
    if (!sqm_step_would_block(statement)) return sqm_step(statement, error);
    sqm_step_t result;
    Py_BEGIN_ALLOW_THREADS
    result = sqm_step(statement, error);
    Py_END_ALLOW_THREADS
    return result;
}

/* The statement has come to its end: keeps what it reports, and the statement itself for description. */
static void finish(Cursor *self) {
    sqm_statement_t *statement = statement_of(self);
    int64_t affected = sqm_rows_affected(statement);
    self->row_count = affected >= 0 || !sqm_returns_rows(statement) ? affected : self->fetched;
    int64_t last_id = sqm_last_insert_id(statement);
    if (last_id) self->last_id = last_id;
    self->phase = sqm_returns_rows(statement) ? EXHAUSTED : NO_RESULT;
    sqm_reset(statement);
    execution_clear(self->execution);
}

static bool prepare(Cursor *self, PyObject *sql, bool literal_percent) {
    ModuleState *state = self->connection->state;
    forget_result(self);
    if (!PyUnicode_Check(sql)) {
        PyErr_Format(PyExc_TypeError, "the statement must be a str, not '%.100s'", Py_TYPE(sql)->tp_name);
        return false;
    }
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(sql, &length);
    if (!text) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return false;
        PyErr_Clear();
        return raise_error(state, SQM_ERROR_SYNTAX, "the statement has a lone surrogate, which UTF-8 cannot express") != NULL;
    }
    self->sql = Py_NewRef(sql);
    sqm_connection_t *db = self->connection->db;
    sqm_statement_t *statement = NULL;
    sqm_error_t error;
    bool ok;
    if (sqm_prepare_would_block(db, text, (size_t)length, literal_percent)) {
        Py_BEGIN_ALLOW_THREADS
        ok = sqm_prepare(db, text, (size_t)length, literal_percent, &statement, &error);
        Py_END_ALLOW_THREADS
    } else {
        ok = sqm_prepare(db, text, (size_t)length, literal_percent, &statement, &error);
    }
    if (PyErr_Occurred()) {      /* of Connection.define */
        if (ok) sqm_finalize(statement);
        return false;
    }
    if (!ok) return raise_sqm_error(state, &error, sql) != NULL;
    self->execution->statement = statement;
    self->kind = sqm_statement_kind(statement);
    link_statement(self);
    return true;
}

/* Steps a bound statement to its first row, or to its end when it has none. On failure the statement remains. */
static bool start(Cursor *self) {
    Connection *connection = self->connection;
    sqm_statement_t *statement = statement_of(self);
    sqm_error_t error;
    if (!connection->autocommit && !sqm_in_transaction(connection->db)) {
        bool ok;
        Py_BEGIN_ALLOW_THREADS
        ok = sqm_begin(connection->db, &error);
        Py_END_ALLOW_THREADS
        if (!ok) return raise_sqm_error(connection->state, &error, self->sql) != NULL;
    }
    self->in_transaction = sqm_in_transaction(connection->db);
    sqm_step_t result = step(statement, &error);
    while (result == SQM_ROW && !sqm_returns_rows(statement)) result = step(statement, &error);
    if (result == SQM_STEP_ERROR) return raise_sqm_error(connection->state, &error, self->sql) != NULL;
    self->column_count = sqm_column_count(statement);
    if (result == SQM_DONE) {
        finish(self);
    } else {
        self->phase = ROW_READY;
        self->row_count = sqm_rows_affected(statement);
        self->last_id = sqm_last_insert_id(statement);
    }
    return true;
}

/* Drops a statement that failed, keeping the exception. */
static bool abandon(Cursor *self) {
    PyObject *type, *exception, *traceback;
    PyErr_Fetch(&type, &exception, &traceback);
    forget_result(self);
    PyErr_Restore(type, exception, traceback);
    return false;
}

static bool run(Cursor *self, PyObject *sql, PyObject *parameters) {
    bool ok = prepare(self, sql, parameters == NULL) &&
              (!parameters || execution_bind(self->connection->state, self->execution, parameters, -1)) && start(self);
    return ok || abandon(self);
}

/* execute(sql, params=None), with params by name too. */
static PyObject *cursor_execute(Cursor *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names) {
    Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    if (nargs < 1 || nargs + named > 2 || (named && PyUnicode_Compare(PyTuple_GET_ITEM(names, 0), self->connection->state->str_params) != 0)) {
        PyErr_SetString(PyExc_TypeError, "usage: execute(sql, params=None)");
        return NULL;
    }
    PyObject *parameters = nargs + named == 2 && args[1] != Py_None ? args[1] : NULL;
    if (!enter(self)) return NULL;
    bool ok = run(self, args[0], parameters);
    connection_leave(self->connection);
    return ok ? Py_NewRef(self) : NULL;
}

/* One parameter set of an executemany. The connection is free while the next set is fetched, since that may run a generator that uses it. */
static bool run_set(Cursor *self, PyObject *parameters, Py_ssize_t set, uint64_t this_run, int64_t *total) {
    if (!enter(self)) return false;
    bool ok = true;
    if (self->run != this_run || !statement_of(self)) {
        ok = raise_error(self->connection->state, SQM_ERROR_OBJECT_IN_USE, "the cursor was used for something else during its executemany()") != NULL;
    } else if (!execution_bind(self->connection->state, self->execution, parameters, set) || !start(self)) {
        ok = abandon(self);
    } else {
        *total = *total < 0 || self->row_count < 0 ? -1 : *total + self->row_count;
    }
    connection_leave(self->connection);
    return ok;
}

static PyObject *cursor_executemany(Cursor *self, PyObject *const *args, Py_ssize_t nargs) {
    if (nargs != 2) return PyErr_SetString(PyExc_TypeError, "usage: executemany(sql, seq_of_params)"), NULL;
    PyObject *sets = PyObject_GetIter(args[1]);
    if (!sets) return NULL;
    if (!enter(self)) {
        Py_DECREF(sets);
        return NULL;
    }
    bool ok = prepare(self, args[0], false);
    if (ok && sqm_returns_rows(statement_of(self))) {
        raise_error(self->connection->state, SQM_ERROR_INVALID_CURSOR_STATE, "executemany() is for statements that return no rows; use execute()");
        ok = false;
    }
    if (!ok) abandon(self);
    uint64_t this_run = self->run;
    connection_leave(self->connection);

    int64_t total = 0;
    Py_ssize_t set = 0;
    for (PyObject *parameters; ok && (parameters = PyIter_Next(sets)); set++) {
        ok = run_set(self, parameters, set, this_run, &total) && (set % ROWS_BETWEEN_SIGNAL_CHECKS || PyErr_CheckSignals() == 0);
        Py_DECREF(parameters);
    }
    Py_DECREF(sets);
    if (PyErr_Occurred()) return NULL;
    self->row_count = total;
    return Py_NewRef(self);
}

/* ---- fetching ----------------------------------------------------------------------------------------------------------- */

static PyObject *row_of(Cursor *self) {
    self->phase = STREAMING;
    self->fetched++;
    return row_new(self->connection->state, statement_of(self), self->column_count, self->connection->json_text, self->formats,
                   self->connection->zone);
}

static PyObject *take_held(Cursor *self) {
    PyObject *row = Py_NewRef(PyList_GET_ITEM(self->held, self->held_next));
    if (++self->held_next == PyList_GET_SIZE(self->held)) {
        Py_CLEAR(self->held);
        self->held_next = 0;
    }
    return row;
}

/* The next row; NULL without an exception at the end. Busy. */
static PyObject *next_row(Cursor *self) {
    ModuleState *state = self->connection->state;
    sqm_error_t error;
    if (self->held) return take_held(self);
    switch (self->phase) {
    case ROW_READY: return row_of(self);
    case STREAMING:
        switch (step(statement_of(self), &error)) {
        case SQM_ROW: return row_of(self);
        case SQM_DONE: finish(self); return NULL;
        case SQM_STEP_ERROR:
            raise_sqm_error(state, &error, self->sql);
            abandon(self);
            return NULL;
        }
        break;
    case EXHAUSTED: return NULL;
    case LOST:
        return raise_error(state, SQM_ERROR_INVALID_CURSOR_STATE,
                           "the transaction ended before all rows were fetched; fetch before commit() and rollback(), or read in autocommit mode");
    case NO_RESULT: break;
    }
    if (!self->kind) return raise_error(state, SQM_ERROR_INVALID_CURSOR_STATE, "there are no rows to fetch: no statement was executed");
    return raise_error(state, SQM_ERROR_INVALID_CURSOR_STATE, "there are no rows to fetch: %.60s returns none", self->kind);
}

static Cursor *find_unread(const Connection *connection) {
    Cursor *cursor = connection->open;
    while (cursor && (!cursor->in_transaction || (cursor->phase != ROW_READY && cursor->phase != STREAMING))) cursor = cursor->next;
    return cursor;
}

/* The list is searched from its head each time: a step or a new row can let other cursors go. */
void cursors_end_transaction(Connection *connection) {
    for (Cursor *cursor; (cursor = find_unread(connection));) {
        Py_INCREF(cursor);
        PyObject *rows = PyList_New(0);
        bool ok = rows != NULL;
        while (ok && (cursor->phase == ROW_READY || (cursor->phase == STREAMING && !sqm_step_would_block(statement_of(cursor))))) {
            PyObject *row = next_row(cursor);
            if (row) ok = PyList_Append(rows, row) == 0;
            else ok = !PyErr_Occurred();
            Py_XDECREF(row);
        }
        PyErr_Clear();
        if (cursor->phase != EXHAUSTED || !ok) {    /* what an error cut short is lost too, and a fetch says so */
            drop_statement(cursor);
            cursor->phase = LOST;
        }
        if (rows && PyList_GET_SIZE(rows)) cursor->held = Py_NewRef(rows);
        Py_XDECREF(rows);
        Py_DECREF(cursor);
    }
}

static PyObject *cursor_fetchone(Cursor *self, PyObject *unused) {
    (void)unused;
    if (!enter(self)) return NULL;
    PyObject *row = next_row(self);
    connection_leave(self->connection);
    return row || PyErr_Occurred() ? row : Py_NewRef(Py_None);
}

static PyObject *cursor_next(Cursor *self) {
    if (!enter(self)) return NULL;
    PyObject *row = next_row(self);
    connection_leave(self->connection);
    return row;
}

/* Up to `limit` rows as a list; all of them when it is negative. */
static PyObject *fetch_rows(Cursor *self, Py_ssize_t limit) {
    if (!enter(self)) return NULL;
    PyObject *rows = PyList_New(0), *row = NULL;
    bool ok = rows != NULL;
    if (ok && limit == 0 && self->phase == NO_RESULT) ok = next_row(self) != NULL;      /* raises */
    for (Py_ssize_t n = 0; ok && n != limit && (row = next_row(self)); n++) {
        ok = PyList_Append(rows, row) == 0 && ((n + 1) % ROWS_BETWEEN_SIGNAL_CHECKS || PyErr_CheckSignals() == 0);
        Py_DECREF(row);
    }
    connection_leave(self->connection);
    if (PyErr_Occurred()) Py_CLEAR(rows);
    return rows;
}

static PyObject *cursor_fetchmany(Cursor *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"size", NULL};
    PyObject *size_object = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:fetchmany", names, &size_object)) return NULL;
    Py_ssize_t size = self->array_size;
    if (size_object != Py_None && (size = PyNumber_AsSsize_t(size_object, PyExc_OverflowError)) == -1 && PyErr_Occurred()) return NULL;
    if (size < 0) return PyErr_SetString(PyExc_ValueError, "fetchmany(): size cannot be negative"), NULL;
    return fetch_rows(self, size);
}

static PyObject *cursor_fetchall(Cursor *self, PyObject *unused) { return (void)unused, fetch_rows(self, -1); }

/* ---- attributes ------------------------------------------------------------------------------------------------------------ */

static PyObject *describe_column(const sqm_statement_t *statement, int i) {
    return Py_BuildValue("ssOOOOO", sqm_column_name(statement, i), sqm_column_type(statement, i), Py_None, Py_None, Py_None, Py_None, Py_None);
}

static PyObject *get_description(Cursor *self, void *unused) {
    (void)unused;
    sqm_statement_t *statement = statement_of(self);
    if (self->description) return Py_NewRef(self->description);
    if (!statement || self->connection->busy || !sqm_returns_rows(statement)) Py_RETURN_NONE;
    PyObject *columns = PyTuple_New(self->column_count);
    for (int i = 0; columns && i < self->column_count; i++) {
        PyObject *column = describe_column(statement, i);
        if (column) PyTuple_SET_ITEM(columns, i, column);
        else Py_CLEAR(columns);
    }
    return columns ? self->description = columns, Py_NewRef(columns) : NULL;
}

static PyObject *get_row_count(Cursor *self, void *unused) { return (void)unused, PyLong_FromLongLong(self->row_count); }
static PyObject *get_connection(Cursor *self, void *unused) { return (void)unused, Py_NewRef(self->connection); }
static PyObject *get_query(Cursor *self, void *unused) { return (void)unused, Py_NewRef(self->sql ? self->sql : Py_None); }
static PyObject *get_closed(Cursor *self, void *unused) { return (void)unused, PyBool_FromLong(self->closed); }
static PyObject *get_last_row_id(Cursor *self, void *unused) { return (void)unused, self->last_id ? PyLong_FromLongLong(self->last_id) : Py_NewRef(Py_None); }
static PyObject *get_formats(Cursor *self, void *unused) { return (void)unused, Py_NewRef(self->formats ? self->formats : Py_None); }

static int set_formats(Cursor *self, PyObject *value, void *unused) {
    (void)unused;
    if (value && value != Py_None && !PyBytes_Check(value)) return PyErr_SetString(PyExc_TypeError, "formats is bytes, one for each column, or None"), -1;
    Py_XSETREF(self->formats, value && value != Py_None ? Py_NewRef(value) : NULL);
    return 0;
}

static PyObject *get_array_size(Cursor *self, void *unused) { return (void)unused, PyLong_FromSsize_t(self->array_size); }

static int set_array_size(Cursor *self, PyObject *value, void *unused) {
    (void)unused;
    Py_ssize_t size = value ? PyNumber_AsSsize_t(value, PyExc_OverflowError) : 0;
    if (size == -1 && PyErr_Occurred()) return -1;
    if (size < 1) return PyErr_SetString(PyExc_ValueError, "arraysize must be at least 1"), -1;
    self->array_size = size;
    return 0;
}

/* ---- closing ----------------------------------------------------------------------------------------------------------------- */

static PyObject *cursor_close(Cursor *self, PyObject *unused) {
    (void)unused;
    Connection *connection = self->connection;
    if (self->closed) Py_RETURN_NONE;
    if (statement_of(self) && connection->db) {
        if (connection->busy && !sqm_forked(connection->db))
            return raise_error(connection->state, SQM_ERROR_OBJECT_IN_USE, "the connection is in use by another thread");
        if (!connection->busy) {
            connection->busy = true;
            forget_result(self);
            connection_leave(connection);
        }
    }
    Py_CLEAR(self->held);
    Py_CLEAR(self->description);
    Py_CLEAR(self->sql);
    self->closed = true;
    Py_RETURN_NONE;
}

static PyObject *cursor_enter_context(PyObject *self, PyObject *unused) { return (void)unused, Py_NewRef(self); }

static PyObject *cursor_exit_context(Cursor *self, PyObject *const *args, Py_ssize_t nargs) {
    (void)args, (void)nargs;
    return cursor_close(self, NULL);
}

/* PEP 249 wants them; parameter types are taken from the values, and rows stream. */
static PyObject *cursor_set_sizes(Cursor *self, PyObject *args) { return (void)self, (void)args, Py_NewRef(Py_None); }

static int cursor_traverse(Cursor *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->connection);
    Py_VISIT(self->description);
    Py_VISIT(self->held);
    Py_VISIT(self->formats);
    return 0;
}

static int cursor_clear(Cursor *self) {
    Py_CLEAR(self->description);
    Py_CLEAR(self->formats);
    Py_CLEAR(self->held);
    return 0;
}

static void cursor_dealloc(Cursor *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Connection *connection = self->connection;
    if (statement_of(self)) {
        unlink_statement(self);
        if (connection->busy) {
            self->execution->next = connection->orphans;
            connection->orphans = self->execution;
            self->execution = NULL;
        } else if (connection->db) {
            sqm_finalize(self->execution->statement);
        }
    }
    execution_free(self->execution);
    cursor_clear(self);
    Py_CLEAR(self->sql);
    Py_XDECREF(connection);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef cursor_methods[] = {
    {"execute", (PyCFunction)(void (*)(void))cursor_execute, METH_FASTCALL | METH_KEYWORDS,
     "execute(sql, params=None) -> self\n\nWithout params, % is an ordinary character; with a sequence, %s are placeholders; with a mapping, %(name)s are."},
    {"executemany", (PyCFunction)(void (*)(void))cursor_executemany, METH_FASTCALL,
     "executemany(sql, seq_of_params) -> self\n\nOne statement for each set of parameters; rowcount is the sum."},
    {"fetchone", (PyCFunction)cursor_fetchone, METH_NOARGS, "The next row as a tuple, or None."},
    {"fetchmany", (PyCFunction)(void (*)(void))cursor_fetchmany, METH_VARARGS | METH_KEYWORDS, "fetchmany(size=arraysize) -> list of rows"},
    {"fetchall", (PyCFunction)cursor_fetchall, METH_NOARGS, "All remaining rows as a list."},
    {"close", (PyCFunction)cursor_close, METH_NOARGS, "Ends the statement. Closing twice is allowed."},
    {"setinputsizes", (PyCFunction)cursor_set_sizes, METH_VARARGS, "Does nothing."},
    {"setoutputsize", (PyCFunction)cursor_set_sizes, METH_VARARGS, "Does nothing."},
    {"__enter__", (PyCFunction)cursor_enter_context, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))cursor_exit_context, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef cursor_getset[] = {
    {"description", (getter)get_description, NULL, "A 7-tuple for each column, (name, SQL type, None ...); None when there are no rows.", NULL},
    {"rowcount", (getter)get_row_count, NULL, "Rows written, or rows of a finished SELECT; -1 when unknown.", NULL},
    {"lastrowid", (getter)get_last_row_id, NULL, "The last generated key of an INSERT, or None.", NULL},
    {"formats", (getter)get_formats, (setter)set_formats,
     "How columns are fetched: bytes, one for each column, or None. b'l': documents and arrays as Document and Array, which decode what is\n"
     "asked for; b'n': JSON as Python objects in spite of json_text; any other: as always.", NULL},
    {"arraysize", (getter)get_array_size, (setter)set_array_size, "Default size of fetchmany.", NULL},
    {"connection", (getter)get_connection, NULL, NULL, NULL},
    {"closed", (getter)get_closed, NULL, NULL, NULL},
    {"query", (getter)get_query, NULL, "The text of the last statement as it was given, or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot cursor_slots[] = {
    {Py_tp_doc, "A cursor. Made by Connection.cursor()."},
    {Py_tp_traverse, cursor_traverse},
    {Py_tp_clear, cursor_clear},
    {Py_tp_dealloc, cursor_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, cursor_next},
    {Py_tp_methods, cursor_methods},
    {Py_tp_getset, cursor_getset},
    {0, NULL},
};

PyType_Spec cursor_spec = {
    "djongo._sqm.Cursor", sizeof(Cursor), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, cursor_slots};
