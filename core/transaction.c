/* transaction.c - transactions, savepoints and waiting, built on the journal. Contract: server.h; invariants: server_internal.h.
 *
 * MongoDB has no savepoints, aborts a whole transaction at any error, and answers a write conflict at once instead of waiting. PostgreSQL's behaviour
 * is made from that by keeping the writes of the open transaction and running them again:
 *
 *     INSERT a        journal: a                      server: a
 *     SAVEPOINT x     mark 1
 *     INSERT b        journal: a b                    server: a b
 *     ROLLBACK TO x   journal: a                      server: a b, does not match any more: abort at the next command
 *     SELECT          journal: a                      server: new transaction, a replayed, then the find
 *
 * A replay must be indistinguishable from never having let go. Two checks make sure: each command must report what it reported before, and the new
 * transaction's snapshot is Server.time, when our locks still stood; MongoDB then answers a replayed write with a conflict if anybody has changed that row since.
 * A conflict may be somebody's unfinished transaction, so it is waited for. If the same write meets no conflict on a new snapshot, then a row of ours was changed and committed
 * while our lock was away: no waiting helps, and the transaction fails at once (is_hopeless). So that this is rare, whoever waits holds on to what it has (hold_on). After a second it
 * lets go, which is how deadlocks end: one of the two gets through, and the other finds its rows changed.
 *
 * A transaction that nobody has looked into (is_blind) is then replayed on the newest rows: `n = n + 1` adds to what the others have left. It is then as if its statements had only come now, each
 * of them answers what it answered, and no other question was asked. That needs reports compared one by one: updates and deletes aren't merged.
 *
 * Consecutive replayed inserts become one command per collection (they can't see each other); consecutive updates or deletes of one collection likewise.
 *
 * Writes that change nothing are not journalled: at read committed nobody may rely on rows that were not there.
 * What this file does not do: know tables, or retry reads that a caller has already seen rows of. */
#include "server_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/time.h>
#include <time.h>

enum {
    JOURNAL_LIMIT = 256 << 20,
    COMMAND_LIMIT = (16 << 20) - (128 << 10),   /* of an array of several items; a single item may fill the document */
    ITEM_LIMIT = 100000,
    COMMIT_ATTEMPTS = 4,
    HOLD_MS = 1000                              /* PostgreSQL's deadlock_timeout */
};

typedef enum Outcome { OUTCOME_DONE, OUTCOME_CONFLICT, OUTCOME_FAILED } Outcome;

int64_t clock_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void pause_ms(int ms) {
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static int64_t wall_clock(void) {
    struct timeval t;
    gettimeofday(&t, NULL);
    return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

static mongoc_client_session_t *session_of(Server *s) { return s->channel->sessions[SESSION_TRANSACTION]; }
static bool in_transaction(const Server *s) { return (s->open || s->implicit) && s->pool->transactions; }

/* ---- the journal ---- */

static void entry_free(JournalEntry *e) {
    if (e->command) bson_destroy(e->command);
    if (e->value) bson_destroy(e->value);
    *e = (JournalEntry){0};
}

static void journal_truncate(Server *s, int n) {
    while (s->journal_n > n) {
        JournalEntry *e = &s->journal[--s->journal_n];
        if (e->command) s->journal_bytes -= e->command->len;
        entry_free(e);
    }
}

static void savepoints_truncate(Server *s, int n) {
    while (s->savepoints_n > n) bson_free(s->savepoints[--s->savepoints_n].name);
}

void transaction_clear(Server *s) {
    journal_truncate(s, 0);
    savepoints_truncate(s, 0);
    for (int i = 0; i < s->written_n; i++) bson_free(s->written[i]);
    bson_free(s->written);
    s->written = NULL;
    s->written_n = s->written_cap = 0;
    s->open = s->implicit = s->failed = s->conflict = s->observed = s->forget_time = s->journal_lost = s->fixed_used = false;
    s->time = s->fixed_time = (Stamp){0, 0};
    s->journal_bytes = 0;
    s->applied = s->statement_depth = s->statement_mark = 0;
    s->writes = 0;
}

static void note_written(Server *s, const bson_t *command) {
    const char *name = command_collection(command);
    if (!name || strncmp(name, "__sqm_", 6) == 0) return;      /* no table of the user's */
    for (int i = 0; i < s->written_n; i++)
        if (strcmp(s->written[i], name) == 0) return;
    if (s->written_n == s->written_cap) {
        s->written_cap = s->written_cap ? s->written_cap * 2 : 8;
        s->written = bson_realloc(s->written, sizeof *s->written * (size_t)s->written_cap);
    }
    s->written[s->written_n++] = bson_strdup(name);
}

static int64_t get_int(const bson_t *doc, const char *key) {
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, key) ? bson_iter_as_int64(&it) : 0;
}

/* What a reply says was done: counts, and what findAndModify returned or an upsert made. */
static JournalEntry outcome_of(const bson_t *reply) {
    JournalEntry e = {.n = get_int(reply, "n"), .modified = get_int(reply, "nModified")};
    bson_iter_t it, inner;
    if (bson_iter_init_find(&it, reply, "lastErrorObject") && bson_iter_recurse(&it, &inner) && bson_iter_find(&inner, "n")) e.n = bson_iter_as_int64(&inner);
    const char *const keys[] = {"value", "upserted"};
    for (int i = 0; i < 2; i++)
        if (bson_iter_init_find(&it, reply, keys[i])) {
            if (!e.value) e.value = bson_new();
            bson_append_iter(e.value, keys[i], -1, &it);
        }
    return e;
}

static void journal_add(Server *s, const bson_t *command, const bson_t *reply) {
    JournalEntry e = outcome_of(reply);
    if (e.value || (e.n == 0 && s->journal_n > 0)) s->observed = true;
    if (e.n == 0) {
        entry_free(&e);
        return;
    }
    note_written(s, command);
    if (s->journal_n == s->journal_cap) {
        s->journal_cap = s->journal_cap ? s->journal_cap * 2 : 32;
        s->journal = bson_realloc(s->journal, sizeof *s->journal * (size_t)s->journal_cap);
    }
    if (!s->journal_lost) {
        e.command = bson_copy(command);
        s->journal_bytes += command->len;
    }
    s->journal[s->journal_n++] = e;
    s->applied = s->journal_n;
    if (s->journal_bytes > JOURNAL_LIMIT) {
        for (int i = 0; i < s->journal_n; i++) entry_free(&s->journal[i]);
        s->journal_lost = true;
        s->journal_bytes = 0;
    }
}

/* May the journal be run on newer rows than those it was written on? Whoever has read rows since the first write, or met an error, may have decided by what he saw what came next. */
static bool is_blind(const Server *s) { return s->open && !s->observed && !s->snapshot_isolation; }

void server_note_read(Server *s) {
    if (in_transaction(s) && (s->journal_n > 0 || s->statement_depth > 0)) s->observed = true;
}

/* ---- the server's transaction ---- */

/* ---- collections the live transaction has locked ---- */

static void release_held(Server *s) {
    while (s->held_n > 0) bson_free(s->held[--s->held_n]);
}

bool server_holds(const Server *s, Str collection) {
    for (int i = 0; s->live && i < s->held_n; i++)
        if (str_is(collection, s->held[i])) return true;
    return false;
}

static void note_held(Server *s, const bson_t *command) {
    const char *name = command_collection(command);
    if (!name) return;
    for (int i = 0; i < s->held_n; i++)
        if (strcmp(s->held[i], name) == 0) return;
    if (s->held_n == s->held_cap) {
        s->held_cap = s->held_cap ? s->held_cap * 2 : 8;
        s->held = bson_realloc(s->held, sizeof *s->held * (size_t)s->held_cap);
    }
    s->held[s->held_n++] = bson_strdup(name);
}

static void end_live(Server *s) {
    release_held(s);
    if (!s->live) return;
    if (!s->first) s->round_trips++;
    session_abort(session_of(s));
    s->live = s->first = false;
    s->applied = 0;
}

void transaction_suspend(Server *s) {
    /* It steps aside for a change of collections. After one, the server answers writes on an older snapshot with conflicts, for ever. */
    s->forget_time = true;
    s->fixed_time = (Stamp){0, 0};
    if (!s->live) return;
    cursor_park_all(s);
    end_live(s);
}

/* The collection may be younger than the snapshot; or the server has no longer, or not yet, what a snapshot needs. */
static bool snapshot_missing(const Failure *f) { return f->domain == MONGOC_ERROR_SERVER && f->code == 246; }

/* May the journal be run on a newer snapshot, when nothing tells whether rows of it have been changed since? Inserts are of no rows that others can have. */
static bool may_move(const Server *s) {
    bson_iter_t it;
    if (!s->open || is_blind(s)) return true;
    for (int i = 0; i < s->journal_n; i++)
        if (s->journal_lost || !bson_iter_init(&it, s->journal[i].command) || !bson_iter_next(&it) || strcmp(bson_iter_key(&it), "insert") != 0) return false;
    return true;
}

static bool send_inside(Server *s, const bson_t *command, bson_t *reply, Failure *failure) {
    bson_t with;
    bool first = s->first;
    if (first) {
        bson_t concern;
        Stamp at = s->snapshot_isolation ? s->fixed_time : s->forget_time ? (Stamp){0, 0} : s->time;
        bson_copy_to(command, &with);
        BSON_APPEND_DOCUMENT_BEGIN(&with, "readConcern", &concern);
        BSON_APPEND_UTF8(&concern, "level", "snapshot");
        if (at.seconds) BSON_APPEND_TIMESTAMP(&concern, "atClusterTime", at.seconds, at.ordinal);
        bson_append_document_end(&with, &concern);
        s->first = false;
    }
    bool ok = server_send(s, s->database, first ? &with : command, &s->channel->opts[SESSION_TRANSACTION], SEND_RAW, reply, failure);
    if (first) bson_destroy(&with);
    if (!ok) {
        if (snapshot_missing(failure) && may_move(s)) s->forget_time = true;
        end_live(s);
    } else {
        note_held(s, command);
    }
    return ok;
}

static Outcome judge(Server *s, const Failure *f, const bson_t *command, const bson_t *reply, sqm_error_t *error) {
    server_report(s, f, command, reply, error);
    bool conflict = f->transient || (f->domain == MONGOC_ERROR_SERVER && (f->code == 112 || f->code == 251 || f->code == 246));
    if (!conflict) return OUTCOME_FAILED;
    if (f->code == 112 && error) {
        const char *collection = command_collection(command);
        error_set(error, SQM_ERROR_SERIALIZATION_FAILURE, "could not serialize access due to concurrent update of \"%s\"", collection ? collection : "?");
        error->mongo_code = 112;
    }
    if (s->journal_lost) {
        error_set(error, SQM_ERROR_SERIALIZATION_FAILURE, "the transaction was aborted by the server and is too large (more than %d MB) to be started over", JOURNAL_LIMIT >> 20);
        return OUTCOME_FAILED;
    }
    if (snapshot_missing(f) && !s->snapshot_isolation && !may_move(s)) {
        const char *collection = command_collection(command);
        error_set(error, SQM_ERROR_SERIALIZATION_FAILURE, "could not repeat the transaction: \"%s\" was made or altered after it had begun, and its rows may have been changed since", collection ? collection : "?");
        return OUTCOME_FAILED;
    }
    /* A transaction that the server ended for its age can be repeated on the very same snapshot; a row changed by others can't. */
    return s->snapshot_isolation && s->open && f->code == 112 ? OUTCOME_FAILED : OUTCOME_CONFLICT;
}

/* A command of the form {insert: t, documents: [...], ordered: true}: replayed together with its neighbours. */
static const char *mergeable(const JournalEntry *e, const char **collection, bson_t *items) {
    static const char *const names[] = {"insert", "update", "delete"}, *const arrays[] = {"documents", "updates", "deletes"};
    bson_iter_t it;
    const char *name = NULL, *array = NULL;
    bool found = false;
    if (e->value || !bson_iter_init(&it, e->command)) return NULL;
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        if (!name) {
            for (int i = 0; i < 3; i++)
                if (strcmp(key, names[i]) == 0) name = names[i], array = arrays[i];
            if (!name || !BSON_ITER_HOLDS_UTF8(&it)) return NULL;
            *collection = bson_iter_utf8(&it, NULL);
        } else if (strcmp(key, array) == 0 && BSON_ITER_HOLDS_ARRAY(&it)) {
            uint32_t length;
            const uint8_t *data;
            bson_iter_array(&it, &length, &data);
            found = bson_init_static(items, data, length);
        } else if (!(strcmp(key, "ordered") == 0 && bson_iter_as_bool(&it))) {
            return NULL;
        }
    }
    return found ? name : NULL;
}

static void replay_mismatch(sqm_error_t *error, const bson_t *command) {
    error_set(error, SQM_ERROR_SERIALIZATION_FAILURE, "could not repeat the transaction: a write to \"%s\" no longer has the effect that it had", command_collection(command));
}

static bool session_start(mongoc_client_session_t *session, const mongoc_transaction_opt_t *opts, bson_error_t *text) {
    driver_enter();
    bool ok = mongoc_client_session_start_transaction(session, opts, text);
    driver_leave();
    return ok;
}

static bool begin_live(Server *s, sqm_error_t *error) {
    bson_error_t text;
    if (!session_start(session_of(s), s->transaction_opts, &text)) {
        Failure failure = {.domain = (int)text.domain, .code = (int)text.code, .text = text};
        return server_report(s, &failure, NULL, NULL, error);
    }
    s->live = s->first = true;
    s->applied = 0;
    s->generation++;
    return true;
}

/* Tries `command` in a transaction of its own, which is given up at once. *time: when it was tried. */
static bool try_beside(Server *s, const bson_t *command, Failure *failure, Stamp *time) {
    mongoc_client_session_t *session = s->channel->sessions[SESSION_PROBE];
    bson_t with, concern, reply;
    if (!session_start(session, s->transaction_opts, &failure->text)) {
        failure->network = true;
        return false;
    }
    bson_copy_to(command, &with);
    BSON_APPEND_DOCUMENT_BEGIN(&with, "readConcern", &concern);
    BSON_APPEND_UTF8(&concern, "level", "snapshot");
    bson_append_document_end(&with, &concern);
    bool ok = server_send(s, s->database, &with, &s->channel->opts[SESSION_PROBE], SEND_RAW, &reply, failure);
    *time = reply_time(&reply);
    session_abort(session);
    bson_destroy(&reply);
    bson_destroy(&with);
    return ok;
}

/* Would `command` get through now? */
static bool is_free(Server *s, const bson_t *command, Stamp *time) {
    Failure failure = {0};
    return try_beside(s, command, &failure, time) || !(failure.transient || failure.network || failure.code == 112);     /* a duplicate key is an answer too */
}

bool server_is_locked(Server *s, const bson_t *command) {
    Failure failure = {0};
    Stamp time;
    return !try_beside(s, command, &failure, &time) && failure.code == 112;
}

/* The replay of `command` met a write conflict on the snapshot at Server.time. If there is none on a new one, the other transaction has committed, unless it gave up just in
 * between: only the second time in a row counts. */
static bool is_hopeless(Server *s, const bson_t *command) {
    Stamp time;
    if (s->forget_time || !s->time.seconds) return false;
    s->hopeless = is_free(s, command, &time) ? s->hopeless + 1 : 0;
    return s->hopeless >= 2;
}

/* Sends one (merged) command of the replay and compares counts. */
static Outcome replay_command(Server *s, const bson_t *command, const JournalEntry *expected, sqm_error_t *error, Stamp *time) {
    bson_t reply;
    Failure failure;
    Outcome outcome = OUTCOME_DONE;
    if (!send_inside(s, command, &reply, &failure)) {
        outcome = judge(s, &failure, command, &reply, error);
        if (outcome == OUTCOME_CONFLICT && failure.code == 112 && is_blind(s)) {
            s->forget_time = true;
        } else if (outcome == OUTCOME_CONFLICT && failure.code == 112 && is_hopeless(s, command)) {
            error_set(error, SQM_ERROR_SERIALIZATION_FAILURE, "could not serialize access: \"%s\" was changed by another transaction while this one waited", command_collection(command));
            if (error) error->mongo_code = 112;
            outcome = OUTCOME_FAILED;
        }
        if (outcome == OUTCOME_FAILED && error && error->code != SQM_ERROR_SERIALIZATION_FAILURE && error->code != SQM_ERROR_CONNECTION) {
            sqm_error_t cause = *error;
            error_set(error, SQM_ERROR_SERIALIZATION_FAILURE, "could not repeat the transaction: %s", cause.message);
        }
    } else {
        JournalEntry now = outcome_of(&reply);
        bool same = now.n == expected->n && now.modified == expected->modified;
        if (same && expected->value) same = now.value && bson_equal(now.value, expected->value);
        if (!same) {
            replay_mismatch(error, command);
            end_live(s);
            outcome = OUTCOME_FAILED;
        }
        entry_free(&now);
        *time = reply_time(&reply);
    }
    bson_destroy(&reply);
    return outcome;
}

typedef struct Merge { bson_t command, items; uint32_t count; size_t bytes; JournalEntry sum; bool open; } Merge;

static void merge_begin(Merge *m, const char *name, const char *collection) {
    bson_init(&m->command);
    bson_append_utf8(&m->command, name, -1, collection, -1);
    const char *array = strcmp(name, "insert") == 0 ? "documents" : strcmp(name, "update") == 0 ? "updates" : "deletes";
    BSON_APPEND_ARRAY_BEGIN(&m->command, array, &m->items);
    m->count = 0;
    m->bytes = 0;
    m->sum = (JournalEntry){0};
    m->open = true;
}

static void merge_add(Merge *m, const JournalEntry *e, const bson_t *items) {
    bson_iter_t it;
    char digits[16];
    const char *key;
    bson_iter_init(&it, items);
    while (bson_iter_next(&it)) {
        size_t n = bson_uint32_to_string(m->count++, &key, digits, sizeof digits);
        bson_append_iter(&m->items, key, (int)n, &it);
    }
    m->bytes += items->len;
    m->sum.n += e->n;
    m->sum.modified += e->modified;
}

static Outcome merge_send(Server *s, Merge *m, sqm_error_t *error, Stamp *time) {
    if (!m->open) return OUTCOME_DONE;
    bson_append_array_end(&m->command, &m->items);
    m->open = false;
    Outcome outcome = replay_command(s, &m->command, &m->sum, error, time);
    bson_destroy(&m->command);
    return outcome;
}

/* journal[from .. to) are mergeable commands of one kind: inserts of any collections, or updates/deletes of one. */
static Outcome replay_run(Server *s, int from, int to, sqm_error_t *error, Stamp *time) {
    Outcome outcome = OUTCOME_DONE;
    bool *done = bson_malloc0((size_t)(to - from) * sizeof *done);
    for (int i = from; i < to && outcome == OUTCOME_DONE; i++) {
        if (done[i - from]) continue;
        const char *collection, *other;
        bson_t items;
        const char *name = mergeable(&s->journal[i], &collection, &items);
        Merge m = {.open = false};
        for (int j = i; j < to && outcome == OUTCOME_DONE; j++) {
            if (done[j - from] || !mergeable(&s->journal[j], &other, &items) || strcmp(other, collection) != 0) continue;
            if (m.open && (m.bytes + items.len > COMMAND_LIMIT || m.count > ITEM_LIMIT / 2)) outcome = merge_send(s, &m, error, time);
            if (outcome != OUTCOME_DONE) break;
            if (!m.open) merge_begin(&m, name, collection);
            merge_add(&m, &s->journal[j], &items);
            done[j - from] = true;
        }
        if (outcome == OUTCOME_DONE) outcome = merge_send(s, &m, error, time);
    }
    bson_free(done);
    return outcome;
}

static Outcome replay(Server *s, sqm_error_t *error) {
    Stamp time = {0, 0};
    Outcome outcome = OUTCOME_DONE;
    for (int i = 0, j; i < s->journal_n && outcome == OUTCOME_DONE; i = j) {
        const char *collection, *other;
        bson_t items;
        const char *name = mergeable(&s->journal[i], &collection, &items), *next;
        j = i + 1;
        if (!name) {
            outcome = replay_command(s, s->journal[i].command, &s->journal[i], error, &time);
            continue;
        }
        while (j < s->journal_n && (next = mergeable(&s->journal[j], &other, &items)) && strcmp(next, name) == 0 && (*name == 'i' || (!is_blind(s) && strcmp(other, collection) == 0))) j++;
        outcome = replay_run(s, i, j, error, &time);
    }
    if (outcome != OUTCOME_DONE) return outcome;
    s->hopeless = 0;
    s->applied = s->journal_n;
    s->forget_time = false;
    if (time.seconds) s->time = time;
    return outcome;
}

/* The snapshot of a whole transaction at snapshot isolation: any recent moment will do, and the server's answer to a ping has one. */
static bool fix_time(Server *s, sqm_error_t *error) {
    if (s->fixed_time.seconds) return true;
    bson_t reply, *ping = BCON_NEW("ping", BCON_INT32(1));
    Failure failure;
    bool ok = server_send(s, "admin", ping, &s->channel->opts[SESSION_PLAIN], SEND_RAW, &reply, &failure) || server_report(s, &failure, NULL, &reply, error);
    if (ok) s->fixed_time = reply_time(&reply);
    bson_destroy(&reply);
    bson_destroy(ping);
    return ok;
}

/* After it, the server's transaction is ours and has done exactly the journal. */
static Outcome bring_up(Server *s, sqm_error_t *error) {
    if (s->live && s->applied == s->journal_n) return OUTCOME_DONE;
    end_live(s);
    if (s->journal_lost) {
        error_set(error, SQM_ERROR_SERIALIZATION_FAILURE, "the transaction is too large (more than %d MB) to be started over", JOURNAL_LIMIT >> 20);
        return OUTCOME_FAILED;
    }
    if (s->snapshot_isolation && !fix_time(s, error)) return OUTCOME_FAILED;
    if (s->journal_n == 0) s->time = (Stamp){0, 0}, s->forget_time = false;
    if (s->journal_n > 0 && !server_still_valid(s, error)) return OUTCOME_FAILED;     /* commands of the journal say what documents look like */
    if (!begin_live(s, error)) return OUTCOME_FAILED;
    Outcome outcome = replay(s, error);
    if (outcome == OUTCOME_DONE && s->journal_n > 0 && !server_still_valid(s, error)) {
        end_live(s);
        return OUTCOME_FAILED;
    }
    return outcome;
}

static void block_on(Server *s, const bson_t *command) {
    if (s->blocked) bson_destroy(s->blocked);
    s->blocked = command ? bson_copy(command) : NULL;
}

static Outcome run_inside(Server *s, const bson_t *command, bson_t *reply, sqm_error_t *error) {
    Outcome outcome = bring_up(s, error);
    if (outcome != OUTCOME_DONE) {
        bson_init(reply);
        return outcome;
    }
    Failure failure;
    if (!send_inside(s, command, reply, &failure)) {
        outcome = judge(s, &failure, command, reply, error);
        if (outcome == OUTCOME_CONFLICT && failure.code == 112) block_on(s, command);
        if (outcome == OUTCOME_CONFLICT && snapshot_missing(&failure) && s->snapshot_isolation) {
            if (s->fixed_used) outcome = OUTCOME_FAILED;
            else s->fixed_time = (Stamp){0, 0};
        }
        return outcome;
    }
    if (!server_still_valid(s, error)) {
        end_live(s);
        return OUTCOME_FAILED;
    }
    Stamp time = reply_time(reply);
    if (time.seconds) s->time = time;
    s->fixed_used = true;
    return OUTCOME_DONE;
}

static void back_off(Server *s) {
    int shift = s->retries < 5 ? s->retries : 5;
    s->retries++;
    pause_ms((1 << shift) + (int)(wall_clock() % 3));
}

/* Waits for a lock as PostgreSQL does, without letting go of those we have: they are taken again at once, and another session tries whether the write would get through by now.
 * Not for ever: two that wait for each other would never end, and a write that meets rows of our own never gets through beside us. */
static bool hold_on(Server *s) {
    int64_t until = s->waiting_since + HOLD_MS < s->retry_deadline ? s->waiting_since + HOLD_MS : s->retry_deadline;
    Stamp time;
    if (!s->blocked || !s->journal_n || !s->open || s->snapshot_isolation || clock_ms() >= until || bring_up(s, NULL) != OUTCOME_DONE) return false;
    while (clock_ms() < until) {
        back_off(s);
        if (!is_free(s, s->blocked, &time)) continue;
        cursor_park_all(s);
        if (time.seconds && s->live) s->time = time;        /* we still had our locks then */
        break;
    }
    end_live(s);
    return true;
}

/* Waits before a conflicting statement is tried again; false once the lock time-out has passed. */
static bool wait_turn(Server *s) {
    int64_t now = clock_ms();
    if (!s->retry_deadline) s->waiting_since = now, s->retry_deadline = now + s->lock_timeout_ms;
    if (now >= s->retry_deadline) return false;
    if (!hold_on(s)) back_off(s);
    block_on(s, NULL);
    return true;
}

static void end_waiting(Server *s) {
    s->retry_deadline = 0;
    s->retries = 0;
}

static void report_time_out(const Server *s, sqm_error_t *error) {
    if (!error || error->code == SQM_ERROR_CONNECTION) return;
    sqm_error_t cause = *error;
    if (cause.mongo_code == 112 && s->lock_timeout_ms == 0) error_set(error, SQM_ERROR_LOCK_NOT_AVAILABLE, "could not obtain lock: %s", cause.message);
    else error_set(error, cause.mongo_code == 112 ? SQM_ERROR_LOCK_NOT_AVAILABLE : SQM_ERROR_SERIALIZATION_FAILURE, "%s (waited %d ms)", cause.message, s->lock_timeout_ms);
    error->mongo_code = cause.mongo_code;
}

/* The transaction has failed. What came after the innermost savepoint is lost whatever happens now, and its locks are free for others. The rest gets its locks back, which the
 * server has let go of, before others take them: ROLLBACK TO will most likely follow. If it can't be had now, the next command will try again. */
static void fail_open(Server *s, bool reachable) {
    if (!s->open) return;
    s->failed = s->observed = true;
    if (!s->pool->transactions || s->journal_lost) return;
    int mark = s->savepoints_n ? s->savepoints[s->savepoints_n - 1].mark : 0;
    if (s->live && (s->applied < 0 || s->journal_n > mark)) {
        cursor_park_all(s);
        end_live(s);
    }
    journal_truncate(s, mark);
    if (reachable && !s->live && s->journal_n > 0) bring_up(s, NULL);
}

static bool is_reachable(const sqm_error_t *error) { return !error || error->code != SQM_ERROR_CONNECTION; }

/* Runs a command inside, restarting the transaction on conflicts when nothing but this command depends on what it has seen. */
static bool settle_inside(Server *s, const bson_t *command, bool may_retry, bson_t *reply, sqm_error_t *error) {
    for (;;) {
        Outcome outcome = run_inside(s, command, reply, error);
        if (outcome == OUTCOME_DONE) {
            if (s->statement_depth == 0) end_waiting(s);
            return true;
        }
        if (outcome == OUTCOME_CONFLICT && s->statement_depth > 0) {
            s->conflict = true;
            return false;
        }
        if (outcome == OUTCOME_CONFLICT && may_retry && wait_turn(s)) {
            bson_destroy(reply);
            continue;
        }
        if (outcome == OUTCOME_CONFLICT && may_retry) report_time_out(s, error);
        end_waiting(s);
        fail_open(s, is_reachable(error));
        return false;
    }
}

bool server_reads_inside(const Server *s) {
    return in_transaction(s) && (s->journal_n > 0 || s->statement_depth > 0 || s->snapshot_isolation);
}

bool transaction_read(Server *s, ServerView *view, const bson_t *command, bson_t *reply, sqm_error_t *error) {
    server_note_read(s);
    bool used = view && view->used;
    if (used && !(s->live && s->generation == view->generation)) {
        bson_init(reply);
        if (s->statement_depth > 0) s->conflict = true;
        else if (s->open) s->failed = true;
        return error_set(error, SQM_ERROR_SERIALIZATION_FAILURE, "the transaction had to be restarted in the middle of a statement");
    }
    if (!settle_inside(s, command, !used, reply, error)) return false;
    if (view) view->used = true, view->generation = s->generation;
    return true;
}

bool transaction_continue(Server *s, const bson_t *command, bson_t *reply, sqm_error_t *error) {
    Failure failure;
    if (send_inside(s, command, reply, &failure)) return true;
    if (judge(s, &failure, NULL, reply, error) == OUTCOME_CONFLICT && s->statement_depth > 0) s->conflict = true;
    else if (s->open) s->failed = true;
    return false;
}

/* ---- writes ---- */

/* A replayed insert must make the same documents: those without _id get it here instead of from the server. Returns NULL when all have one. */
static bson_t *with_ids(const bson_t *command) {
    bson_iter_t it, docs, doc;
    if (!bson_iter_init(&it, command) || !bson_iter_next(&it) || strcmp(bson_iter_key(&it), "insert") != 0) return NULL;
    if (!bson_iter_find(&it, "documents") || !bson_iter_recurse(&it, &docs)) return NULL;
    bool missing = false;
    while (!missing && bson_iter_next(&docs)) missing = bson_iter_recurse(&docs, &doc) && !bson_iter_find(&doc, "_id");
    if (!missing) return NULL;
    bson_t *out = bson_new(), array, made;
    bson_copy_to_excluding_noinit(command, out, "documents", NULL);
    BSON_APPEND_ARRAY_BEGIN(out, "documents", &array);
    bson_iter_init_find(&it, command, "documents");
    bson_iter_recurse(&it, &docs);
    while (bson_iter_next(&docs)) {
        bson_iter_recurse(&docs, &doc);
        if (bson_iter_find(&doc, "_id")) {
            bson_append_iter(&array, bson_iter_key(&docs), -1, &docs);
            continue;
        }
        bson_oid_t oid;
        bson_oid_init(&oid, NULL);
        bson_append_document_begin(&array, bson_iter_key(&docs), -1, &made);
        BSON_APPEND_OID(&made, "_id", &oid);
        bson_iter_recurse(&docs, &doc);
        while (bson_iter_next(&doc)) bson_append_iter(&made, NULL, 0, &doc);
        bson_append_document_end(&array, &made);
    }
    bson_append_array_end(out, &array);
    return out;
}

static bool write_one(Server *s, const bson_t *command, bson_t *reply, sqm_error_t *error) {
    if (!in_transaction(s)) {
        s->writing = true;      /* before the look at the clock: server_writing() */
        bool valid = server_still_valid(s, error), ok = valid && server_write_alone(s, s->database, command, reply, error);
        s->writing = false;
        if (!valid) bson_init(reply);
        if (!ok) return false;
        if (s->open && outcome_of(reply).n > 0) s->writes++, note_written(s, command);
        return true;
    }
    bson_t *completed = with_ids(command);
    const bson_t *sent = completed ? completed : command;
    if (s->live && s->journal_n == 0 && s->statement_depth == 0 && !s->snapshot_isolation) transaction_suspend(s);     /* a snapshot that only reads had */
    bool ok = settle_inside(s, sent, true, reply, error);
    if (ok) journal_add(s, sent, reply);
    if (completed) bson_destroy(completed);
    return ok;
}

static const char *array_of(const bson_t *command) {
    bson_iter_t it;
    if (!bson_iter_init(&it, command) || !bson_iter_next(&it)) return NULL;
    const char *name = bson_iter_key(&it);
    return strcmp(name, "insert") == 0 ? "documents" : strcmp(name, "update") == 0 ? "updates" : strcmp(name, "delete") == 0 ? "deletes" : NULL;
}

typedef struct Totals { int64_t n, modified; bson_t *upserted; uint32_t upserted_n; bool is_update; } Totals;

static void add_up(Totals *t, const bson_t *reply, int64_t offset) {
    bson_iter_t it, items, one;
    t->n += get_int(reply, "n");
    t->modified += get_int(reply, "nModified");
    t->is_update |= bson_has_field(reply, "nModified");
    if (!bson_iter_init_find(&it, reply, "upserted") || !bson_iter_recurse(&it, &items)) return;
    if (!t->upserted) t->upserted = bson_new();
    while (bson_iter_next(&items)) {
        char digits[16];
        const char *key;
        bson_t made;
        size_t n = bson_uint32_to_string(t->upserted_n++, &key, digits, sizeof digits);
        bson_append_document_begin(t->upserted, key, (int)n, &made);
        bson_iter_recurse(&items, &one);
        while (bson_iter_next(&one))
            if (strcmp(bson_iter_key(&one), "index") == 0) BSON_APPEND_INT64(&made, "index", offset + bson_iter_as_int64(&one));
            else bson_append_iter(&made, NULL, 0, &one);
        bson_append_document_end(t->upserted, &made);
    }
}

/* A command too large for one message: its items in several, one after the other. */
static bool write_split(Server *s, const bson_t *command, const char *array, bson_t *reply, sqm_error_t *error) {
    Totals totals = {0};
    bson_iter_t it, items;
    bool ok = true, last = false;
    int64_t offset = 0;
    bson_iter_init_find(&it, command, array);
    bson_iter_recurse(&it, &items);
    bool more = bson_iter_next(&items);
    bson_init(reply);
    while (ok && !last) {
        bson_t piece = BSON_INITIALIZER, list;
        uint32_t count = 0;
        bson_copy_to_excluding_noinit(command, &piece, array, NULL);
        BSON_APPEND_ARRAY_BEGIN(&piece, array, &list);
        size_t size = piece.len;
        while (more && count < ITEM_LIMIT) {
            uint32_t length;
            const uint8_t *data;
            char digits[16];
            const char *key;
            bson_iter_document(&items, &length, &data);
            if (count && size + length > COMMAND_LIMIT) break;
            size_t n = bson_uint32_to_string(count, &key, digits, sizeof digits);
            bson_append_iter(&list, key, (int)n, &items);
            size += length + n + 2;
            count++;
            more = bson_iter_next(&items);
        }
        bson_append_array_end(&piece, &list);
        last = !more;
        bson_destroy(reply);
        ok = write_one(s, &piece, reply, error);
        if (ok) add_up(&totals, reply, offset);
        offset += count;
        bson_destroy(&piece);
    }
    if (ok) {
        bson_reinit(reply);
        BSON_APPEND_INT64(reply, "n", totals.n);
        if (totals.is_update) BSON_APPEND_INT64(reply, "nModified", totals.modified);
        if (totals.upserted) BSON_APPEND_ARRAY(reply, "upserted", totals.upserted);
        BSON_APPEND_DOUBLE(reply, "ok", 1);
    }
    if (totals.upserted) bson_destroy(totals.upserted);
    return ok;
}

bool server_write(Server *s, const bson_t *command, bson_t *reply, sqm_error_t *error) {
    if (!server_check(s, error)) {
        bson_init(reply);
        return false;
    }
    const char *array = command->len > 1000000 ? array_of(command) : NULL;     /* 100,000 items take more than that */
    if (array) {
        bson_iter_t it, items;
        uint32_t count = 0;
        if (bson_iter_init_find(&it, command, array) && bson_iter_recurse(&it, &items))
            while (bson_iter_next(&items)) count++;
        if (count > ITEM_LIMIT || (count > 1 && command->len > COMMAND_LIMIT)) return write_split(s, command, array, reply, error);
    }
    return write_one(s, command, reply, error);
}

/* ---- statements ---- */

bool server_statement_begin(Server *s, sqm_error_t *error) {
    if (!server_check(s, error)) return false;
    if (s->statement_depth++ > 0 || !s->pool->transactions) return true;
    s->conflict = s->hurried = false;
    block_on(s, NULL);
    if (!s->open) s->implicit = true;
    else if (s->live && s->journal_n == 0 && !s->snapshot_isolation) transaction_suspend(s);
    s->statement_mark = s->journal_n;
    return true;
}

uint64_t server_generation(const Server *s) { return s->generation; }

bool server_met_lock(const Server *s) { return s->conflict && s->blocked; }

bool server_snapshot_is_new(const Server *s) { return s->statement_mark == 0 && !s->snapshot_isolation; }

void server_statement_hurry(Server *s) { s->hurried = true; }

static Outcome commit_live(Server *s, sqm_error_t *error) {
    Outcome outcome = bring_up(s, error);
    if (outcome != OUTCOME_DONE) return outcome;
    cursor_park_all(s);
    if (!s->live) {
        error_set(error, SQM_ERROR_SERIALIZATION_FAILURE, "the server ended the transaction");
        return OUTCOME_CONFLICT;
    }
    for (int attempt = 1;; attempt++) {
        bson_t reply;
        Failure f = {0};
        s->round_trips++;
        driver_enter();
        bool committed = mongoc_client_session_commit_transaction(session_of(s), &reply, &f.text);
        driver_leave();
        if (committed) {
            bson_destroy(&reply);
            s->live = s->first = false;
            if (s->weak_snapshot) {     /* reads that follow must not be older than this commit */
                Stamp t;
                mongoc_client_session_t *plain = s->channel->sessions[SESSION_PLAIN];
                mongoc_client_session_get_operation_time(session_of(s), &t.seconds, &t.ordinal);
                mongoc_client_session_advance_operation_time(plain, t.seconds, t.ordinal);
                const bson_t *cluster = mongoc_client_session_get_cluster_time(session_of(s));
                if (cluster) mongoc_client_session_advance_cluster_time(plain, cluster);
            }
            return OUTCOME_DONE;
        }
        f.domain = (int)f.text.domain == MONGOC_ERROR_WRITE_CONCERN ? MONGOC_ERROR_SERVER : (int)f.text.domain;
        f.code = (int)f.text.code;
        bson_iter_t it, labels;
        if (bson_iter_init_find(&it, &reply, "errorLabels") && bson_iter_recurse(&it, &labels))
            while (bson_iter_next(&labels)) {
                const char *label = bson_iter_utf8(&labels, NULL);
                f.transient |= strcmp(label, "TransientTransactionError") == 0;
                f.unknown_commit |= strcmp(label, "UnknownTransactionCommitResult") == 0;
            }
        if (f.unknown_commit && attempt < COMMIT_ATTEMPTS) {
            bson_destroy(&reply);
            pause_ms(10 << attempt);
            continue;
        }
        outcome = judge(s, &f, NULL, &reply, error);
        bson_destroy(&reply);
        if (f.unknown_commit && error) {
            sqm_error_t cause = *error;
            error_set(error, SQM_ERROR_CONNECTION, "the outcome of COMMIT is unknown: %s", cause.message);
            outcome = OUTCOME_FAILED;
        }
        /* Back to a state that libmongoc can start from; the server has nothing of ours any more, or will end it by itself. */
        s->live = s->first = false;
        session_abort(session_of(s));
        return outcome;
    }
}

bool server_statement_end(Server *s, bool ok, bool *retry, sqm_error_t *error) {
    *retry = false;
    if (--s->statement_depth > 0 || !s->pool->transactions) return ok;
    s->statement_depth = 0;
    bool conflict = !ok && s->conflict;
    s->conflict = false;
    bool may_retry = s->implicit || !s->snapshot_isolation;
    if (s->implicit) {
        if (ok && (s->live || s->journal_n)) {
            Outcome outcome = s->journal_n ? commit_live(s, error) : (transaction_suspend(s), OUTCOME_DONE);
            ok = outcome == OUTCOME_DONE;
            conflict = outcome == OUTCOME_CONFLICT;
        }
        if (!ok) end_live(s);
        transaction_clear(s);
    } else if (!ok) {
        journal_truncate(s, s->statement_mark);
        if (s->live && s->applied > s->journal_n) s->applied = -1;      /* has more than the journal: bring_up() starts over */
        if (!conflict) fail_open(s, is_reachable(error));
    }
    if (!conflict) {
        end_waiting(s);
        return ok;
    }
    if (may_retry && (s->hurried || wait_turn(s))) {
        *retry = true;
        return false;
    }
    if (may_retry) report_time_out(s, error);
    end_waiting(s);
    fail_open(s, is_reachable(error));
    return false;
}

/* ---- transactions ---- */

bool server_begin(Server *s, sqm_error_t *error) {
    if (server_forked(s)) return server_check(s, error);
    if (s->open) return error_set(error, SQM_ERROR_ACTIVE_TRANSACTION, "there is already a transaction in progress");
    transaction_clear(s);
    s->open = true;
    s->started = wall_clock();
    return true;
}

bool server_in_transaction(const Server *s) { return s->open; }

bool server_commit(Server *s, sqm_error_t *error) {
    if (server_forked(s)) return server_check(s, error);
    if (!s->open) return true;
    if (s->failed) {
        server_rollback(s, NULL);
        return error_set(error, SQM_ERROR_IN_FAILED_TRANSACTION, "the transaction was rolled back, not committed, because a statement in it had failed");
    }
    bool ok = true;
    if (s->pool->transactions && s->journal_n == 0) {
        transaction_suspend(s);
    } else if (s->pool->transactions) {
        for (;;) {
            Outcome outcome = commit_live(s, error);
            ok = outcome == OUTCOME_DONE;
            if (outcome != OUTCOME_CONFLICT) break;
            if (s->snapshot_isolation) break;
            if (wait_turn(s)) continue;
            report_time_out(s, error);
            break;
        }
        end_waiting(s);
        end_live(s);
    }
    transaction_clear(s);
    return ok;
}

bool server_rollback(Server *s, sqm_error_t *error) {
    if (server_forked(s)) return server_check(s, error);
    if (!s->open) return true;
    transaction_suspend(s);
    int64_t kept = s->writes;
    transaction_clear(s);
    end_waiting(s);
    if (!kept) return true;
    return error_set(error, SQM_ERROR_NOT_SUPPORTED, "cannot roll back: MongoDB at %s is a standalone server without transactions, %lld write%s stay%s", s->pool->addresses,
                     (long long)kept, kept == 1 ? "" : "s", kept == 1 ? "s" : "");
}

void server_fail_transaction(Server *s) {
    if (s->open && s->pool->transactions && !s->failed) fail_open(s, true);
}

int64_t server_now(Server *s) { return s->open ? s->started : wall_clock(); }

static int find_savepoint(const Server *s, Str name, sqm_error_t *error) {
    for (int i = s->savepoints_n - 1; i >= 0; i--)
        if (s->savepoints[i].length == name.n && memcmp(s->savepoints[i].name, name.p, name.n) == 0) return i;
    error_set(error, SQM_ERROR_INVALID_SAVEPOINT, "savepoint \"" STR_FMT "\" does not exist", STR_ARG(name));
    return -1;
}

static bool needs_block(const Server *s, const char *what, sqm_error_t *error) {
    return s->open || error_set(error, SQM_ERROR_NO_ACTIVE_TRANSACTION, "%s can only be used in transaction blocks", what);
}

bool server_savepoint(Server *s, Str name, sqm_error_t *error) {
    if (!server_check(s, error) || !needs_block(s, "SAVEPOINT", error)) return false;
    if (s->journal_lost)
        return error_set(error, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, "a transaction with more than %d MB of writes cannot have savepoints", JOURNAL_LIMIT >> 20);
    if (s->savepoints_n == s->savepoints_cap) {
        s->savepoints_cap = s->savepoints_cap ? s->savepoints_cap * 2 : 8;
        s->savepoints = bson_realloc(s->savepoints, sizeof *s->savepoints * (size_t)s->savepoints_cap);
    }
    s->savepoints[s->savepoints_n++] = (Savepoint){bson_strndup(name.p, name.n), name.n, s->journal_n, s->writes};
    return true;
}

bool server_release(Server *s, Str name, sqm_error_t *error) {
    if (!server_check(s, error) || !needs_block(s, "RELEASE SAVEPOINT", error)) return false;
    int i = find_savepoint(s, name, error);
    if (i >= 0) savepoints_truncate(s, i);
    return i >= 0;
}

bool server_rollback_to(Server *s, Str name, sqm_error_t *error) {
    if (server_forked(s)) return server_check(s, error);
    if (!needs_block(s, "ROLLBACK TO SAVEPOINT", error)) return false;
    int i = find_savepoint(s, name, error);
    if (i < 0) {
        if (s->pool->transactions) s->failed = true;
        return false;
    }
    const Savepoint *p = &s->savepoints[i];
    if (s->writes > p->writes)
        return error_set(error, SQM_ERROR_NOT_SUPPORTED, "cannot roll back: MongoDB at %s is a standalone server without transactions", s->pool->addresses);
    if (s->journal_lost && (s->journal_n > p->mark || !s->live)) {
        s->failed = true;
        return error_set(error, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, "a transaction with more than %d MB of writes can only be rolled back as a whole", JOURNAL_LIMIT >> 20);
    }
    if (s->journal_n > p->mark) {
        s->observed = true;
        if (s->live) cursor_park_all(s);
        journal_truncate(s, p->mark);
        if (s->live) s->applied = -1;
    }
    savepoints_truncate(s, i + 1);
    s->failed = false;
    end_waiting(s);
    if (s->live && s->applied < 0) {        /* others may have the locks of what was taken back, now */
        end_live(s);
        if (s->journal_n > 0) bring_up(s, NULL);
    }
    return true;
}

/* ---- settings and questions ---- */

bool server_set_isolation(Server *s, Str level, sqm_error_t *error) {
    bool committed = str_ieq(level, STR("read committed")) || str_ieq(level, STR("read uncommitted"));
    if (!committed && !str_ieq(level, STR("snapshot")) && !str_ieq(level, STR("repeatable read")) && !str_ieq(level, STR("serializable")))
        return error_set(error, SQM_ERROR_INVALID_ARGUMENT, "unknown isolation level \"" STR_FMT "\"", STR_ARG(level));
    if (s->live || s->journal_n) return error_set(error, SQM_ERROR_ACTIVE_TRANSACTION, "the isolation level must be set before any query of the transaction");
    s->snapshot_isolation = !committed;
    return true;
}

const char *server_isolation(const Server *s) { return s->snapshot_isolation ? "snapshot" : "read committed"; }

int server_lock_timeout(const Server *s) { return s->lock_timeout_ms; }

void server_set_lock_timeout(Server *s, int ms) { s->lock_timeout_ms = ms < 0 ? s->default_lock_timeout_ms : ms; }

int server_written(const Server *s, Str *out, int max) {
    for (int i = 0; i < s->written_n && i < max; i++) out[i] = str_from(s->written[i]);
    return s->written_n;
}

void server_forget_writes(Server *s, Str collection) {
    int kept = 0, mark = 0;
    if (s->journal_lost) return;
    for (int i = 0; i < s->journal_n; i++) {
        for (; mark < s->savepoints_n && s->savepoints[mark].mark == i; mark++) s->savepoints[mark].mark = kept;
        JournalEntry *e = &s->journal[i];
        if (str_is(collection, command_collection(e->command))) {
            s->journal_bytes -= e->command->len;
            entry_free(e);
        } else {
            s->journal[kept++] = *e;
        }
    }
    for (; mark < s->savepoints_n; mark++) s->savepoints[mark].mark = kept;
    if (kept < s->journal_n && s->live) s->applied = -1;
    s->journal_n = kept;
}
