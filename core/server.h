/* server.h - one SQL connection's dealings with MongoDB: commands, cursors, transactions, savepoints. The only interface to libmongoc
 * (implemented in client.c and transaction.c). Everything blocks; no SQL knowledge here.
 *
 * Transactions: begun lazily at the first command after server_begin(). All writes of a transaction are journalled (the command documents and what they
 * reported). ROLLBACK TO, a failed write (the server has then aborted everything), a DDL in between, or a write conflict at read committed abort
 * the server's transaction and replay the journal on a new one at the next command; each replayed write must report what it reported before, else
 * SERIALIZATION_FAILURE. After a failed statement the transaction is in the failed state (IN_FAILED_TRANSACTION) until rollback or ROLLBACK TO.
 *
 * Isolation. At read committed (the default) reads that come before the transaction's first write run outside of it: each statement sees what is
 * committed then, and a transaction that only reads costs nothing. Once something was written, reads go into the transaction's snapshot. At snapshot isolation
 * the first command fixes the snapshot for everything, and a write conflict is an error at once.
 * Restarts never lose somebody else's update: the replay's snapshot is a moment at which our locks were still held, so a row changed by others since
 * is a write conflict of the replay. A transaction of which nothing is known but what its writes reported is replayed on the newest rows instead, as if it had come later. */
#ifndef SQM_SERVER_H
#define SQM_SERVER_H

#include <bson/bson.h>

#include "base.h"

typedef struct Server Server;
typedef struct ServerCursor ServerCursor;
typedef struct ServerView ServerView;       /* a snapshot for the reads of one statement */

bool server_open(const char *uri, const char *database, const sqm_options_t *options, Server **out, sqm_error_t *error);
void server_close(Server *s);               /* aborts an open transaction; after fork: forgets everything without touching the sockets */
bool server_forked(const Server *s);
bool server_ping(Server *s, sqm_error_t *error);
int server_version(const Server *s);        /* major*1000000 + minor*1000 + patch */
bool server_has_transactions(const Server *s);
const char *server_database(const Server *s);
uint64_t server_identity(const Server *s);  /* the same for all connections to one database by one URI */
/* Another connection to the same database, for another thread. NULL error is fine. */
Server *server_sibling(const Server *s, sqm_error_t *error);

/* What the caller knows of the tables holds until *until (clock_ms()), which other threads may set back. A reply that arrives later isn't believed before `renew` has said that it still holds:
 * `renew` brings a new time, or fails the command. It is asked before a transaction is replayed as well. */
typedef bool (*ServerRenew)(void *context, sqm_error_t *error);
void server_guard(Server *s, ServerRenew renew, void *context, const _Atomic int64_t *until);
/* Is a write outside of transactions under way that was begun while the guard's time ran? For other threads: after they have set the time back. */
bool server_writing(const Server *s);
int64_t clock_ms(void);                                 /* monotonic */
void pause_ms(int ms);

/* ---- reads ---- */
/* Consistent reads for one statement. In a transaction it is the transaction's own snapshot; else a snapshot session (none on a standalone). */
bool server_view_open(Server *s, ServerView **out, sqm_error_t *error);
void server_view_close(ServerView *v);      /* NULL is fine */
/* Runs a find/aggregate command (first key: the collection) and opens its cursor. `view` NULL: no snapshot. */
bool server_read(Server *s, ServerView *view, const bson_t *command, ServerCursor **out, sqm_error_t *error);
/* 1: *doc is the next document, valid until the next call; 0: end; -1: error. */
int server_cursor_next(ServerCursor *c, const bson_t **doc, sqm_error_t *error);
/* Something was read for the open transaction by server_command_read(). */
void server_note_read(Server *s);
/* True when the next document is already here (no network wait). */
bool server_cursor_buffered(const ServerCursor *c);
void server_cursor_close(ServerCursor *c);  /* NULL is fine */
/* Number of commands sent so far (find, getMore, writes ...): EXPLAIN ANALYZE and benchmarks. */
int64_t server_round_trips(const Server *s);

/* ---- writes: insert, update, delete, findAndModify ---- */
/* Runs one write command in the open transaction, or alone when none is open (then with the driver's retryable writes). Write errors inside the reply
 * (duplicate key 11000, validation 121 ...) are reported as errors. `reply` is initialised in every case; the caller destroys it.
 * Commands past 16 MB / 100,000 items are split here and their replies added up: bracket them by server_statement_begin/end, or they aren't atomic. */
bool server_write(Server *s, const bson_t *command, bson_t *reply, sqm_error_t *error);
/* Brackets a statement that needs several writes, or that writes what it computed from rows it has read: all its reads and writes happen in one transaction,
 * an implicit one when none is open. Brackets nest. server_statement_end(ok=false) aborts the implicit transaction, or fails the open one. On a write conflict
 * the running command fails, and server_statement_end() sets *retry (after waiting; bounded by the lock time-out): the caller undoes nothing and starts the statement
 * over with server_statement_begin. When it returns false with *retry false, `error` tells why. On a standalone server it does nothing. */
bool server_statement_begin(Server *s, sqm_error_t *error);
bool server_statement_end(Server *s, bool ok, bool *retry, sqm_error_t *error);
/* The bracketed statement's last write met somebody's lock, or a row that was changed after the snapshot. */
bool server_met_lock(const Server *s);
/* The snapshot of the bracketed statement was made for it: nothing had been written before. */
bool server_snapshot_is_new(const Server *s);
/* It knows how to do without the row that the lock was on: server_statement_end() doesn't wait before it sets *retry. */
void server_statement_hurry(Server *s);
/* Which of several documents that serve alike a connection changes: it keeps to its lane as long as it meets nobody there, so that connections part after their first conflicts.
 * The lane stays with the driver's connection, which the process' next connection takes over. */
uint32_t server_lane(const Server *s);
void server_change_lane(Server *s);
/* Counts the transactions begun on the server, replays included. */
uint64_t server_generation(const Server *s);
/* Would this write meet a lock of another transaction? Tried on the newest rows, beside the statement's transaction, which has just met a conflict. */
bool server_is_locked(Server *s, const bson_t *command);
/* Outside every transaction, by its own session: counters of __schema__, DDL, introspection. `admin_db`: run on "admin". If a transaction is open with
 * locks that a DDL would wait for, `suspend` aborts the server's transaction first; the journal is replayed at the next command. */
bool server_command(Server *s, const bson_t *command, bool admin_db, bool suspend, bson_t *reply, sqm_error_t *error);
/* A command with its own writeConcern keeps it. */
bool server_drop_database(Server *s, Str name, sqm_error_t *error);
bool server_command_read(Server *s, const bson_t *command, ServerCursor **out, sqm_error_t *error);   /* same, for find/aggregate/listIndexes/listCollections */

/* ---- transactions ---- */
bool server_begin(Server *s, sqm_error_t *error);
bool server_commit(Server *s, sqm_error_t *error);
bool server_rollback(Server *s, sqm_error_t *error);
bool server_in_transaction(const Server *s);            /* explicit transaction open (begun, even if nothing was sent yet) */
bool server_savepoint(Server *s, Str name, sqm_error_t *error);
bool server_release(Server *s, Str name, sqm_error_t *error);
bool server_rollback_to(Server *s, Str name, sqm_error_t *error);
/* A statement failed for a reason of ours (not the server's) inside a transaction: PostgreSQL's meaning, the transaction is failed until rolled back. */
void server_fail_transaction(Server *s);
/* Error unless statements may run now (failed transaction, forked, closed). */
bool server_check(Server *s, sqm_error_t *error);
/* "read committed" or "snapshot" (also "repeatable read", "serializable"); not inside an open transaction. */
bool server_set_isolation(Server *s, Str level, sqm_error_t *error);
const char *server_isolation(const Server *s);
/* How long write conflicts are waited for from now on; -1: what the connection was opened with, 0: not at all (NOWAIT). */
void server_set_lock_timeout(Server *s, int ms);
int server_lock_timeout(const Server *s);
/* Names of the collections written in the open transaction, each once, into out[0..max): returns how many there are. They live until it ends. */
int server_written(const Server *s, Str *out, int max);
/* The collection was dropped: the open transaction's writes to it are not replayed any more. */
/* Does the open transaction hold this collection's lock on the server, so that nobody can change its shape? */
bool server_holds(const Server *s, Str collection);
/* Is the next read of the open transaction one of its own snapshot, rather than of what is committed by then? */
bool server_reads_inside(const Server *s);
void server_forget_writes(Server *s, Str collection);
int64_t server_now(Server *s);                          /* transaction (or statement) start, microseconds UTC */

/* Maps a driver/server error to an sqm_error_t: code, class, message with the server's text; duplicate keys name index and value. */
void server_error(sqm_error_t *error, int domain, int mongo_code, const char *message, const bson_t *reply);

#endif
