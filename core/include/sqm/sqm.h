/* sqm.h - SQL for MongoDB: the public C interface of libsqm.
 *
 *     sqm_connection_t *db = NULL;
 *     sqm_statement_t *st = NULL;
 *     sqm_error_t error;
 *     if (!sqm_open("mongodb://localhost/?replicaSet=rs0", "shop", NULL, &db, &error)) ...
 *     if (!sqm_prepare(db, "SELECT name FROM book WHERE pages > %s", SIZE_MAX, false, &st, &error)) ...
 *     sqm_value_t pages = sqm_int(100);
 *     sqm_bind(st, 0, &pages);
 *     while (sqm_step(st, &error) == SQM_ROW) use(sqm_column(st, 0));
 *     sqm_finalize(st);
 *     sqm_close(db);
 *
 * Conventions
 *   - Functions that can fail return bool (or sqm_step_t) and fill a caller-owned sqm_error_t; nothing is kept in globals. `error` may be NULL.
 *   - `T **out` parameters hand ownership to the caller; directly returned pointers are borrowed.
 *   - A connection and its statements belong to one thread at a time. Connections of one process and URI share one pool of sockets.
 *   - After fork() a child must not use a connection made before it; sqm_forked() tells, and sqm_close() is safe (nothing is sent).
 *   - Text is UTF-8, length-counted, not NUL-terminated unless stated.
 */
#ifndef SQM_H
#define SQM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SQM_EXPORT __attribute__((visibility("default")))
#else
#define SQM_EXPORT
#endif

#define SQM_VERSION "2.0.0"

/* ---- errors ---------------------------------------------------------------------------------------------------- */

typedef enum sqm_error_code {
    SQM_OK = 0,
#define ERROR(name, class_name, description) SQM_ERROR_##name,
#include "errors.def"
#undef ERROR
} sqm_error_code_t;

typedef struct sqm_error {
    sqm_error_code_t code;
    int position;       /* byte offset into the SQL text, or -1 */
    int length;         /* bytes of the offending construct, 0 when unknown */
    int mongo_code;     /* MongoDB server error code, 0 when the error is ours */
    char message[600];  /* one sentence, no trailing newline */
    char hint[300];     /* empty when there is none */
} sqm_error_t;

/* The PEP 249 class of a code: "ProgrammingError", "IntegrityError", ... Static text. */
SQM_EXPORT const char *sqm_error_class(sqm_error_code_t code);
/* "undefined_column" and so on. Static text. */
SQM_EXPORT const char *sqm_error_name(sqm_error_code_t code);
/* Renders message, LINE, caret and HINT as PostgreSQL does into `out` (at most `size` bytes, always terminated). Returns the length. */
SQM_EXPORT size_t sqm_error_render(const sqm_error_t *error, const char *sql, size_t sql_len, char *out, size_t size);

/* ---- values ---------------------------------------------------------------------------------------------------- */

typedef enum sqm_type {
    SQM_NULL = 0,
    SQM_BOOL,       /* u.b */
    SQM_INT,        /* u.i */
    SQM_DOUBLE,     /* u.d */
    SQM_DECIMAL,    /* u.decimal: BSON/IEEE 754-2008 decimal128, BID encoding */
    SQM_TEXT,       /* u.text, len bytes */
    SQM_BYTES,      /* u.bytes, len bytes */
    SQM_DATE,       /* u.i: days since 1970-01-01 */
    SQM_TIME,       /* u.i: microseconds since midnight */
    SQM_TIMESTAMP,  /* u.i: microseconds since 1970-01-01T00:00 UTC (or of a local clock for a timestamp without time zone) */
    SQM_INTERVAL,   /* u.i: microseconds */
    SQM_UUID,       /* u.bytes: 16 bytes */
    SQM_OBJECTID,   /* u.bytes: 12 bytes */
    SQM_JSON,       /* a json/jsonb value: bson_type + u.bytes/len = the raw BSON element value (a document's bytes, a string's length-prefixed bytes, ...) */
    SQM_BSON,       /* like SQM_JSON, for native document/array columns and for BSON types without an SQL type (regex, timestamp, MinKey, ...) */
    SQM_TUPLE       /* row value or SQL array: u.tuple, len items */
} sqm_type_t;

typedef struct sqm_decimal { uint64_t low, high; } sqm_decimal_t;

typedef struct sqm_value {
    uint8_t type;       /* sqm_type_t */
    uint8_t bson_type;  /* SQM_JSON and SQM_BSON: the BSON type byte (0x03 document, 0x04 array, 0x02 string, 0x0A null ...) */
    uint8_t flags;      /* SQM_TUPLE: 1 for a row (a, b), whose NULLs are unknown; 0 for an array. Else 0 */
    uint32_t len;       /* bytes (or items for SQM_TUPLE) */
    union {
        bool b;
        int64_t i;
        double d;
        sqm_decimal_t decimal;
        const char *text;
        const uint8_t *bytes;
        const struct sqm_value *tuple;
    } u;
} sqm_value_t;

static inline sqm_value_t sqm_null(void) { sqm_value_t v = {.type = SQM_NULL}; return v; }
static inline sqm_value_t sqm_bool(bool b) { sqm_value_t v = {.type = SQM_BOOL, .u.b = b}; return v; }
static inline sqm_value_t sqm_int(int64_t i) { sqm_value_t v = {.type = SQM_INT, .u.i = i}; return v; }
static inline sqm_value_t sqm_double(double d) { sqm_value_t v = {.type = SQM_DOUBLE, .u.d = d}; return v; }
static inline sqm_value_t sqm_text(const char *s, size_t len) { sqm_value_t v = {.type = SQM_TEXT, .len = (uint32_t)len, .u.text = s}; return v; }

/* ---- connections ----------------------------------------------------------------------------------------------- */

typedef struct sqm_connection sqm_connection_t;
typedef struct sqm_statement sqm_statement_t;

typedef struct sqm_options {
    const char *app_name;               /* NULL: "djongo" */
    int connect_timeout_ms;             /* 0: the URI's or the driver's default */
    int server_selection_timeout_ms;    /* 0: the URI's or the driver's default (30 s) */
    int64_t work_mem;                   /* bytes that one statement's local operators may hold; 0: 256 MiB */
    int lock_timeout_ms;                /* how long a write conflict is waited for at read committed; 0: 10 s */
    bool offline;                       /* no server: the catalogue lives in memory, statements can be explained but not run */
    bool no_optimise;                   /* compile with every optimiser pass switched off (differential testing) */
} sqm_options_t;

/* Opens `database` at `uri`. Contacts the server (ping + catalogue) unless offline. */
SQM_EXPORT bool sqm_open(const char *uri, const char *database, const sqm_options_t *options, sqm_connection_t **out, sqm_error_t *error);
/* Rolls back an open transaction, finalises nothing: finalise statements first. NULL is allowed. */
SQM_EXPORT void sqm_close(sqm_connection_t *db);
SQM_EXPORT bool sqm_forked(const sqm_connection_t *db);
SQM_EXPORT bool sqm_ping(sqm_connection_t *db, sqm_error_t *error);
/* Server version as major*1000000 + minor*1000 + patch; 0 offline. */
SQM_EXPORT int sqm_server_version(const sqm_connection_t *db);
/* False on a standalone server, which has no transactions. */
SQM_EXPORT bool sqm_has_transactions(const sqm_connection_t *db);

/* Transactions. With autocommit on (the default) each statement stands alone; with it off, or after sqm_begin, the first command begins one. */
SQM_EXPORT bool sqm_begin(sqm_connection_t *db, sqm_error_t *error);
SQM_EXPORT bool sqm_commit(sqm_connection_t *db, sqm_error_t *error);
SQM_EXPORT bool sqm_rollback(sqm_connection_t *db, sqm_error_t *error);
SQM_EXPORT bool sqm_in_transaction(const sqm_connection_t *db);
/* The tables written in the open transaction, as a JSON array of names. malloc'ed; sqm_free. */
SQM_EXPORT bool sqm_written_tables(const sqm_connection_t *db, char **out, sqm_error_t *error);

/* What a statement names and the catalogue doesn't have, or only knows from a sample of documents or from djongo 1.3's type codes. */
typedef enum sqm_undefined {
    SQM_UNDEFINED_TABLE,        /* there is no such collection */
    SQM_UNDEFINED_COLUMN,       /* a table of ours without that column */
    SQM_UNDECLARED_COLLECTION,  /* a collection that nobody declared */
    SQM_UNDESCRIBED_TABLE       /* declared by djongo 1.3 */
} sqm_undefined_t;
/* An application that knows its tables answers with their definitions: CREATE TABLE ... WITH (IMPLICIT) and its indexes for the first kind, CREATE TABLE ...
 * WITH (ADOPT) for the others; each statement ended by a NUL, the last one by two, in malloc'ed memory. NULL: it doesn't know this one. They are run, outside of
 * an open transaction, and the statement is compiled again. `column` is NULL except for a column. The function must not use the connection. */
typedef char *(*sqm_define_t)(void *context, sqm_undefined_t kind, const char *table, const char *column);
SQM_EXPORT void sqm_set_define(sqm_connection_t *db, sqm_define_t define, void *context);

/* The catalogue as JSON text: all tables (an array of {"name", "type": "table" or "view", "comment"}), or one table's description (shape: docs/architecture.md, "Catalogue").
 * *out is malloc'ed; free it with sqm_free. */
SQM_EXPORT bool sqm_tables(sqm_connection_t *db, char **out, sqm_error_t *error);
SQM_EXPORT bool sqm_table(sqm_connection_t *db, const char *name, char **out, sqm_error_t *error);
SQM_EXPORT void sqm_free(void *memory);

/* ---- statements ------------------------------------------------------------------------------------------------ */

typedef enum sqm_step { SQM_STEP_ERROR = 0, SQM_ROW = 1, SQM_DONE = 2 } sqm_step_t;

/* Compiles one statement. `sql_len` SIZE_MAX: up to the NUL. The text is copied. Compiled plans are cached per connection, so preparing
 * the same text again is a hash look-up. Never touches the network except to refresh a stale catalogue.
 * With `literal_percent` true, % is an ordinary character and the statement has no parameters. */
SQM_EXPORT bool sqm_prepare(sqm_connection_t *db, const char *sql, size_t sql_len, bool literal_percent, sqm_statement_t **out, sqm_error_t *error);
/* False when sqm_prepare of this text is a look-up in the plan cache and touches no network. True when unsure. */
SQM_EXPORT bool sqm_prepare_would_block(const sqm_connection_t *db, const char *sql, size_t sql_len, bool literal_percent);
/* Returns the statement to its connection's cache or frees it. NULL is allowed. */
SQM_EXPORT void sqm_finalize(sqm_statement_t *statement);

SQM_EXPORT int sqm_parameter_count(const sqm_statement_t *statement);
/* Name of parameter i when written %(name)s (each name counts once); NULL for %s. */
SQM_EXPORT const char *sqm_parameter_name(const sqm_statement_t *statement, int i);
/* Binds a copy of the struct: the memory that text/bytes/row point to stays the caller's and must live until sqm_reset or sqm_finalize. */
SQM_EXPORT void sqm_bind(sqm_statement_t *statement, int i, const sqm_value_t *value);

/* Runs to the first row, then to each next one. Blocks on the network: this is where a caller with a global lock releases it. */
SQM_EXPORT sqm_step_t sqm_step(sqm_statement_t *statement, sqm_error_t *error);
/* False when the next sqm_step will answer from rows already in memory: no network, no sorting or joining of many rows. True when unsure.
 * A caller with a global lock keeps it for such steps. */
SQM_EXPORT bool sqm_step_would_block(const sqm_statement_t *statement);
/* Ends execution, closes server cursors; bindings are cleared. */
SQM_EXPORT void sqm_reset(sqm_statement_t *statement);

SQM_EXPORT bool sqm_returns_rows(const sqm_statement_t *statement);
SQM_EXPORT int sqm_column_count(const sqm_statement_t *statement);
SQM_EXPORT const char *sqm_column_name(const sqm_statement_t *statement, int i);  /* NUL-terminated */
SQM_EXPORT const char *sqm_column_type(const sqm_statement_t *statement, int i);  /* SQL type name, "unknown" when only rows can tell */
/* The columns of the current row: an array of sqm_column_count values, valid until the next sqm_step/reset/finalize. */
SQM_EXPORT const sqm_value_t *sqm_row(const sqm_statement_t *statement);
static inline const sqm_value_t *sqm_column(const sqm_statement_t *statement, int i) { return &sqm_row(statement)[i]; }

/* Rows inserted, updated (matched) or deleted; -1 before the end or for statements that do neither. */
SQM_EXPORT int64_t sqm_rows_affected(const sqm_statement_t *statement);
/* The last value generated for an identity column by this statement, 0 if none. */
SQM_EXPORT int64_t sqm_last_insert_id(const sqm_statement_t *statement);
/* "SELECT", "INSERT", "CREATE TABLE" ... Static text. */
SQM_EXPORT const char *sqm_statement_kind(const sqm_statement_t *statement);

typedef enum sqm_stage { SQM_STAGE_AST, SQM_STAGE_QUERY, SQM_STAGE_PLAN, SQM_STAGE_PASSES, SQM_STAGE_MQL } sqm_stage_t;
/* Text of one stage of the compilation. MQL shows the commands with the bound parameters, or with {"$parameter": i} where unbound. malloc'ed; sqm_free. */
SQM_EXPORT bool sqm_dump(sqm_statement_t *statement, sqm_stage_t stage, char **out, sqm_error_t *error);

/* ---- helpers for callers that convert values -------------------------------------------------------------------- */

/* Value as text the way CAST(v AS text) prints it; malloc'ed, NUL-terminated, *len without the NUL. */
SQM_EXPORT char *sqm_value_to_text(const sqm_value_t *value, size_t *len);
/* JSON text (RFC 8259) of an SQM_JSON or SQM_BSON value; non-JSON BSON types as in relaxed Extended JSON. malloc'ed. */
SQM_EXPORT char *sqm_value_to_json(const sqm_value_t *value, size_t *len);

#endif
