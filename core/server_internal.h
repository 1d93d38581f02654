/* server_internal.h - what client.c and transaction.c share about a Server. Nobody else includes it: it is where libmongoc's types are visible.
 *
 * Division of work: client.c owns pools, channels, sending, errors, cursors and everything outside of transactions; transaction.c owns the journal,
 * savepoints, replay, and the choice of where a write goes. Both send only through server_send().
 *
 * Invariants of a transaction (Server.open or Server.implicit):
 *   - `live`: libmongoc's session is inside a transaction; journal[0 .. applied) has been done in it, nothing else has.
 *   - not `live`: the server holds nothing of ours; the next command starts a transaction and replays journal[0 .. n) on it.
 *   - `time`: a moment at which the server still held our locks on everything that journal[0 .. applied) wrote. A replay starts its snapshot
 *     there, so a document that somebody else changed since then makes the replay fail with a write conflict instead of overwriting it.
 *   - not `observed`: nothing was read since the first write, no statement failed or was taken back, and each write that came after the first changed something. */
#ifndef SQM_SERVER_INTERNAL_H
#define SQM_SERVER_INTERNAL_H

#include <mongoc/mongoc.h>
#include <pthread.h>

#include "server.h"

/* A driver client with its sessions. Kept together in the pool's idle list: sessions are not made and ended for each connection.
 * PLAIN (causally consistent) runs everything outside transactions; its txnNumbers for retryable writes are ours, so libmongoc's own
 * retry helpers must not be used on it. SNAPSHOT reads for views. TRANSACTION and PROBE (does this write still meet a conflict?) are numbered by libmongoc. */
typedef enum SessionKind { SESSION_PLAIN, SESSION_SNAPSHOT, SESSION_TRANSACTION, SESSION_PROBE, N_SESSIONS } SessionKind;
typedef struct Channel {
    struct Channel *next;
    mongoc_client_t *client;
    mongoc_client_session_t *sessions[N_SESSIONS];
    bson_t opts[N_SESSIONS];            /* {sessionId: ...} */
    int64_t write_number;
    uint32_t lane;                      /* server_lane() */
} Channel;

typedef struct Pool {
    struct Pool *next;
    char *key;                          /* URI and options; never shown */
    mongoc_client_pool_t *driver;
    Channel *idle;
    int references, n_idle;
    pid_t pid;
    char *addresses;                    /* "host:port, host:port" */
    char *user, *secrets[2];            /* password as written and decoded: cut out of messages */
    int selection_ms, connect_ms;
    bool known;                         /* the fields below are */
    bool transactions, mongos;
    int version;
} Pool;

typedef struct JournalEntry {
    bson_t *command;
    int64_t n, modified;
    bson_t *value;                      /* {value, upserted} of the reply; NULL when it has neither */
} JournalEntry;

typedef struct Savepoint { char *name; uint32_t length; int mark; int64_t writes; } Savepoint;

typedef struct Stamp { uint32_t seconds, ordinal; } Stamp;     /* a BSON timestamp; {0, 0}: unknown */

struct Server {
    Pool *pool;
    Channel *channel;
    pid_t pid;
    char *database;
    bson_t *write_concern;              /* the URI's, sent with writes outside transactions; NULL: the server's default */
    mongoc_transaction_opt_t *transaction_opts;
    bool retry_writes;
    bool weak_snapshot;                 /* a snapshot may lag behind our own writes (w: 1, secondary reads) unless its time is given */
    bool pin_reads;                     /* several servers may answer a read: getMore must go to the same one */
    int lock_timeout_ms, default_lock_timeout_ms;
    bool snapshot_isolation;
    int64_t round_trips;
    struct ServerCursor *cursors;       /* open ones with a cursor on the server */

    bool open;                          /* server_begin() */
    bool implicit;                      /* server_statement_begin() outside of a transaction */
    bool failed;
    bool live;
    bool first;                         /* the live transaction's first command is still to be sent: it carries the read concern */
    bool conflict;                      /* the bracketed statement met a write conflict and has to start over */
    bool hurried;                       /* ... at once */
    int hopeless;                       /* times in a row that a replay met a row which somebody has changed and committed */
    bool forget_time;                   /* the collections changed meanwhile: the next replay cannot be at `time` */
    bool observed;                      /* the caller knows more of the open transaction's state than what each write of the journal reported: is_blind() */
    bool journal_lost;                  /* past JOURNAL_LIMIT: no way back */
    uint64_t generation;                /* counts the server's transactions: views and cursors belong to one */
    Stamp time, fixed_time;             /* fixed_time: the snapshot of a transaction at snapshot isolation */
    bool fixed_used;                    /* something was read at fixed_time */
    int statement_depth, statement_mark;
    int64_t retry_deadline;             /* of the statement being restarted; 0 none */
    int64_t waiting_since;
    bson_t *blocked;                    /* the write that met the conflict; NULL: it wasn't one */
    int retries;
    int64_t started;                    /* microseconds UTC */
    JournalEntry *journal;
    int journal_n, journal_cap, applied;
    size_t journal_bytes;
    int64_t writes;                     /* on a standalone server: what rollback cannot undo */
    ServerRenew renew;                  /* NULL: nothing to guard */
    void *renew_context;
    const _Atomic int64_t *until;
    _Atomic bool writing;
    bool renewing;
    char **held;                        /* collections that the live transaction has touched */
    int held_n, held_cap;
    char **written;                     /* names of the collections written in the open transaction */
    int written_n, written_cap;
    Savepoint *savepoints;
    int savepoints_n, savepoints_cap;
};

typedef struct Batch { struct Batch *next; bson_t reply; } Batch;

struct ServerCursor {
    Server *server;
    struct ServerCursor *previous, *next;   /* Server.cursors */
    Batch *batch, *parked, **parked_end;    /* the batch being read; further ones fetched ahead by cursor_park() */
    bson_iter_t it;                         /* stands on an unread element when `more` */
    bson_t doc;
    char *database, *collection;
    int64_t id;                             /* on the server; 0: everything is here */
    uint64_t generation;                    /* of the transaction it was opened in */
    uint32_t server_id;
    SessionKind session;
    bool more, lost;
    bool guarded;                           /* rows of a table, read outside of transactions */
};

struct ServerView {
    bool in_transaction, used;
    uint64_t generation;
    Stamp time;
};

/* What went wrong with a command, in the terms that decisions are made of. */
typedef struct Failure {
    int domain, code;
    bool transient;         /* the transaction is gone; starting over may succeed */
    bool unknown_commit;
    bool retryable;         /* a retryable write may be sent again as it is */
    bool network;
    bson_error_t text;
} Failure;

typedef enum SendMode { SEND_READ, SEND_RAW } SendMode;     /* READ: the URI's read preference and concern, retryable reads. RAW: primary, as it is */

/* Sends one command; `reply` is initialised in every case. False on a command error or write errors inside the reply. */
bool server_send(Server *s, const char *database, const bson_t *command, const bson_t *opts, SendMode mode, bson_t *reply, Failure *failure);
/* Fills `error` from a failure. `command` (may be NULL) names the collection. Returns false. */
bool server_report(const Server *s, const Failure *failure, const bson_t *command, const bson_t *reply, sqm_error_t *error);
/* Is what was read still believable? Cheap until the guard's time is over. */
bool server_still_valid(Server *s, sqm_error_t *error);
/* A single write outside of every transaction, retried by number when the network or the primary fails. */
bool server_write_alone(Server *s, const char *database, const bson_t *command, bson_t *reply, sqm_error_t *error);
/* Time of the last thing the session saw, from a reply. */
Stamp reply_time(const bson_t *reply);
const char *command_collection(const bson_t *command);

/* The cursor over a find/aggregate reply, which it takes over. NULL and error when the reply has no cursor. */
ServerCursor *cursor_open(Server *s, bson_t *reply, uint32_t server_id, sqm_error_t *error);
/* Fetches what the cursors of the live transaction still have on the server, before that transaction ends. Those that can't be are marked lost. */
void cursor_park_all(Server *s);

/* transaction.c */
/* A getMore or killCursors of the live transaction: sent as it is; a failure ends the transaction. */
bool transaction_continue(Server *s, const bson_t *command, bson_t *reply, sqm_error_t *error);
bool transaction_read(Server *s, ServerView *view, const bson_t *command, bson_t *reply, sqm_error_t *error);
#define transaction_reads_inside server_reads_inside
void transaction_suspend(Server *s);
void transaction_clear(Server *s);                  /* frees journal and savepoints, resets the state */
/* A bson_t is aligned more strictly than malloc()'s memory, and so is what holds one. free() it. */
void *new_aligned(size_t size);

/* ---- server_fork.c: around each call that may make the driver look at its servers ---- */

void driver_enter(void);
void driver_leave(void);
void session_abort(mongoc_client_session_t *session);       /* its transaction, if there is one */

#endif
