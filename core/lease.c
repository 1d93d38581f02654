/* lease.c - the document with the empty name in `__schema__`: version, registered processes, locks of DDL. Contract: lease.h.
 *
 *     { name: "", version: 17, born: <date>, at: <date of the last change>,
 *       leases: { "<process>": <date> },                           processes that may hold leases, by the time they last said so
 *       locks: [ {by, tables: ["book"], until: <date>, rows} ],    DDL that is under way
 *       watch_since: <date>, watch_until: <date> }                 leases are short in between
 *
 * All dates are the server's ($$NOW); intervals are measured by each process' own monotonic clock, from before a question is sent or after an answer has come, whichever is
 * the safe side. So clocks that differ do no harm.
 *
 * Why no reader can be wrong: its answer arrived before its lease ended (client.c asks again otherwise), so the server had computed it before DDL
 * that saw the registration began to change rows. Why no writer can: writes are sent within the lease, DDL waits SLACK_MS longer than it, and then takes the
 * collection's exclusive lock once (collMod), which lets transactions finish that have used the table.
 *
 * A series of migrations must not wait a second each time: the first one begins a watch, in which everybody who renews gets WATCH_LEASE_MS only.
 * A process that has died leaves its registration (it runs out) and its locks. A lock that runs out before any row was changed is nothing; after that the tables
 * are refused until the statement has been run again, because no catalogue says what their rows look like.
 * A connection that may not write can't register. It asks before each statement. */
#include "lease.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "schema.h"

enum {
    LEASE_MS = 1000, WATCH_LEASE_MS = 100, SLACK_MS = 400, WATCH_MS = 30000,
    REGISTERED_MS = 20000, REGISTER_EVERY_MS = 8000, FORGOTTEN_MS = 150000,
    LOCK_MS = 15000, HEARTBEAT_MS = 4000, POLL_MS = 20, RENEWALS = 10,
    IDLE_CATALOGS = 16
};

typedef struct Registration {
    struct Registration *next;
    uint64_t server;                /* and database */
    char id[40];
    pid_t pid;
    int64_t registered;             /* our clock, before it was sent; INT64_MIN: never */
    bool refused;                   /* we may not write */
    Lease *leases;                  /* of this process' connections */
    int64_t revoked;                /* counts the times that DDL of this process has ended them */
    Catalog *catalog;               /* the last one that a connection has loaded */
} Registration;

struct Lease {
    Lease *next;
    Server *server;
    Registration *registration;
    _Atomic int64_t until;          /* DDL of another thread sets it back */
    int64_t version;
    bson_t *locks;                  /* of others; an array */
    char by[64];                    /* our lock's name */
    bool locked;
    /* The heartbeat of a lock. */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool beating, stop;
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static Registration *registry;

static void after_fork(void) {
    pthread_mutex_init(&registry_lock, NULL);
    registry = NULL;                /* the parent's; connections made before fork() are not used in the child */
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, after_fork); }

static Registration *find_registration(Server *s) {
    for (Registration **at = &registry; *at; at = &(*at)->next)
        if ((*at)->server == server_identity(s)) {
            Registration *found = *at;
            *at = found->next;
            found->next = registry;
            return registry = found;
        }
    Registration *r = calloc(1, sizeof *r);
    if (!r) abort();
    bson_oid_t oid;
    bson_oid_init(&oid, NULL);
    bson_oid_to_string(&oid, r->id);
    r->server = server_identity(s);
    r->pid = getpid();
    r->registered = INT64_MIN;
    r->next = registry;
    registry = r;
    return r;
}

Lease *lease_open(Server *s) {
    Lease *l = calloc(1, sizeof *l);
    if (!l) abort();
    pthread_once(&fork_once, watch_forks);
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->wake, NULL);
    l->server = s;
    l->until = INT64_MIN;
    bson_oid_t oid;
    bson_oid_init(&oid, NULL);
    bson_oid_to_string(&oid, l->by);
    pthread_mutex_lock(&registry_lock);
    l->registration = find_registration(s);
    l->next = l->registration->leases;
    l->registration->leases = l;
    pthread_mutex_unlock(&registry_lock);
    return l;
}

/* A process that goes from database to database keeps the catalogues of those that it has connected to last. */
static Catalog *idle_catalog(void) {
    int idle = 0;
    for (Registration *r = registry; r; r = r->next)
        if (r->catalog && !r->leases && ++idle > IDLE_CATALOGS) {
            Catalog *drop = r->catalog;
            r->catalog = NULL;
            return drop;
        }
    return NULL;
}

void lease_close(Lease *l) {
    if (!l) return;
    if (!server_forked(l->server)) {
        lease_unlock(l, false);
        pthread_mutex_lock(&registry_lock);
        for (Lease **at = &l->registration->leases; *at; at = &(*at)->next)
            if (*at == l) {
                *at = l->next;
                break;
            }
        Catalog *drop = idle_catalog();
        pthread_mutex_unlock(&registry_lock);
        catalog_release(drop);
        pthread_mutex_destroy(&l->mutex);
        pthread_cond_destroy(&l->wake);
    }
    if (l->locks) bson_destroy(l->locks);
    free(l);
}

int64_t lease_until(const Lease *l) { return l->until; }
const _Atomic int64_t *lease_clock(const Lease *l) { return &l->until; }
void lease_expire(Lease *l) { l->until = INT64_MIN; }
int64_t lease_version(const Lease *l) { return l->version; }

void lease_share(const Lease *l, Catalog *catalog) {
    pthread_mutex_lock(&registry_lock);
    Catalog *before = l->registration->catalog;
    l->registration->catalog = catalog_retain(catalog);
    pthread_mutex_unlock(&registry_lock);
    catalog_release(before);
}

Catalog *lease_shared(const Lease *l) {
    pthread_mutex_lock(&registry_lock);
    Catalog *c = l->registration->catalog;
    bool same = c && c->version != 0 && c->version == l->version;
    if (same) catalog_retain(c);
    pthread_mutex_unlock(&registry_lock);
    return same ? c : NULL;
}

/* ---- reading the document ---- */

static int64_t date_of(const bson_t *d, const char *key) {
    bson_iter_t it;
    return d && bson_iter_init_find(&it, d, key) && BSON_ITER_HOLDS_DATE_TIME(&it) ? bson_iter_date_time(&it) : 0;
}

static int64_t int_of(const bson_t *d, const char *key) {
    bson_iter_t it;
    return d && bson_iter_init_find(&it, d, key) && BSON_ITER_HOLDS_NUMBER(&it) ? bson_iter_as_int64(&it) : 0;
}

static bool sub_of(const bson_t *d, const char *key, bson_t *out) {
    bson_iter_t it;
    const uint8_t *data;
    uint32_t length;
    if (!bson_iter_init_find(&it, d, key)) return false;
    if (BSON_ITER_HOLDS_DOCUMENT(&it)) bson_iter_document(&it, &length, &data);
    else if (BSON_ITER_HOLDS_ARRAY(&it)) bson_iter_array(&it, &length, &data);
    else return false;
    return bson_init_static(out, data, length);
}

static bool lock_is(const bson_iter_t *it, const char *by, bson_t *lock) {
    const uint8_t *data;
    uint32_t length;
    bson_iter_t name;
    if (!BSON_ITER_HOLDS_DOCUMENT(it)) return false;
    bson_iter_document(it, &length, &data);
    return bson_init_static(lock, data, length) && (!by || (bson_iter_init_find(&name, lock, "by") && BSON_ITER_HOLDS_UTF8(&name) && strcmp(bson_iter_utf8(&name, NULL), by) == 0));
}

/* Takes over what the document says; `sent`, `revoked`: as they were before we asked. */
static void take_in(Lease *l, const bson_t *doc, int64_t sent, int64_t revoked) {
    bson_t list, lock;
    bson_iter_t it;
    int64_t now = date_of(doc, "now"), length = LEASE_MS;
    l->version = doc ? int_of(doc, "version") : 0;
    if (l->locks) bson_destroy(l->locks);
    l->locks = NULL;
    if (doc && sub_of(doc, "locks", &list) && bson_iter_init(&it, &list))
        while (bson_iter_next(&it)) {
            if (!lock_is(&it, NULL, &lock) || lock_is(&it, l->by, &lock)) continue;
            bool over = date_of(&lock, "until") <= now, rows = false;
            bson_iter_t flag;
            rows = bson_iter_init_find(&flag, &lock, "rows") && bson_iter_as_bool(&flag);
            if (over && !rows) continue;
            bson_t kept, tables;
            if (!l->locks) l->locks = bson_new();
            BSON_APPEND_DOCUMENT_BEGIN(l->locks, "lock", &kept);
            if (sub_of(&lock, "tables", &tables)) BSON_APPEND_ARRAY(&kept, "tables", &tables);
            BSON_APPEND_BOOL(&kept, "broken", over);
            bson_append_document_end(l->locks, &kept);
        }
    if (doc && date_of(doc, "watch_until") > now) length = WATCH_LEASE_MS;
    pthread_mutex_lock(&registry_lock);
    const Registration *r = l->registration;
    int64_t until = sent + (r->refused ? 0 : length);
    if (doc && !r->refused && r->registered == INT64_MIN) until = INT64_MIN;
    else if (doc && !r->refused && until > r->registered + REGISTERED_MS - LEASE_MS) until = r->registered + REGISTERED_MS - LEASE_MS;
    l->until = r->revoked == revoked ? until : INT64_MIN;
    pthread_mutex_unlock(&registry_lock);
}

static void append_w1(bson_t *command) {
    bson_t concern;
    BSON_APPEND_DOCUMENT_BEGIN(command, "writeConcern", &concern);      /* only the primary's word counts here, and it is asked only while it is one */
    BSON_APPEND_INT32(&concern, "w", 1);
    bson_append_document_end(command, &concern);
}

/* {$set: {leases.<id>: now}}, and the document. *found: there is one. */
static bool enrol(Lease *l, bson_t *reply, bson_t *doc, bool *found, sqm_error_t *error) {
    char key[64];
    snprintf(key, sizeof key, "leases.%s", l->registration->id);
    bson_t *command = BCON_NEW("findAndModify", SCHEMA_COLLECTION, "query", "{", "name", "", "}", "update", "[", "{", "$set", "{", key, "$$NOW", "now", "$$NOW", "}", "}", "]",
                               "new", BCON_BOOL(true), "fields", "{", "leases", BCON_INT32(0), "}");
    append_w1(command);
    bool ok = server_command(l->server, command, false, false, reply, error);
    *found = ok && sub_of(reply, "value", doc);
    bson_destroy(command);
    return ok;
}

static bool look(Lease *l, int64_t revoked, sqm_error_t *error) {
    char key[64];
    ServerCursor *cursor = NULL;
    const bson_t *doc = NULL;
    int64_t sent = clock_ms();
    snprintf(key, sizeof key, "leases.%s", l->registration->id);
    bson_t *find = BCON_NEW("find", SCHEMA_COLLECTION, "filter", "{", "name", "", "}", "projection", "{", "version", BCON_INT32(1), "locks", BCON_INT32(1), "watch_until", BCON_INT32(1),
                            key, BCON_INT32(1), "now", "$$NOW", "}", "limit", BCON_INT32(1), "singleBatch", BCON_BOOL(true));
    bool ok = server_command_read(l->server, find, &cursor, error);
    bson_destroy(find);
    if (!ok) return false;
    int got = server_cursor_next(cursor, &doc, error);
    if (got >= 0) {
        bson_t leases;
        pthread_mutex_lock(&registry_lock);
        /* A database that was dropped and made anew has forgotten us. */
        if (got == 1 && !(sub_of(doc, "leases", &leases) && bson_has_field(&leases, l->registration->id))) l->registration->registered = INT64_MIN;
        pthread_mutex_unlock(&registry_lock);
        take_in(l, got == 1 ? doc : NULL, sent, revoked);
    }
    server_cursor_close(cursor);
    return got >= 0;
}

bool lease_renew(Lease *l, sqm_error_t *error) {
    for (int attempt = 0; attempt < RENEWALS; attempt++) {
        int64_t sent = clock_ms();
        pthread_mutex_lock(&registry_lock);
        Registration *r = l->registration;
        bool due = !r->refused && (r->registered == INT64_MIN || sent - r->registered > REGISTER_EVERY_MS);
        int64_t revoked = r->revoked;
        pthread_mutex_unlock(&registry_lock);
        if (!due) {
            if (!look(l, revoked, error)) return false;
        } else {
            bson_t reply, doc;
            bool found;
            sqm_error_t own;
            if (!enrol(l, &reply, &doc, &found, &own)) {
                bson_destroy(&reply);
                if (own.code != SQM_ERROR_AUTHENTICATION && own.code != SQM_ERROR_NOT_SUPPORTED) {
                    if (error) *error = own;
                    return false;
                }
                pthread_mutex_lock(&registry_lock);
                r->refused = true;
                pthread_mutex_unlock(&registry_lock);
                continue;
            }
            pthread_mutex_lock(&registry_lock);
            if (found) r->registered = sent;
            pthread_mutex_unlock(&registry_lock);
            take_in(l, found ? &doc : NULL, sent, revoked);
            bson_destroy(&reply);
        }
        if (l->until != INT64_MIN) return true;
    }
    return true;
}

bool lease_any_lock(const Lease *l) { return l->locks != NULL; }

bool lease_blocks(const Lease *l, Str table, bool *broken) {
    bson_iter_t it, at;
    bson_t lock, tables;
    if (!l->locks || !bson_iter_init(&it, l->locks)) return false;
    while (bson_iter_next(&it)) {
        if (!lock_is(&it, NULL, &lock) || !sub_of(&lock, "tables", &tables) || !bson_iter_init(&at, &tables)) continue;
        while (bson_iter_next(&at)) {
            uint32_t n = 0;
            const char *p = BSON_ITER_HOLDS_UTF8(&at) ? bson_iter_utf8(&at, &n) : "";
            if (n != table.n || memcmp(p, table.p, n) != 0) continue;
            bson_iter_t flag;
            *broken = bson_iter_init_find(&flag, &lock, "broken") && bson_iter_as_bool(&flag);
            return true;
        }
    }
    return false;
}

/* ---- DDL ---- */

static void *beat(void *context) {
    Lease *l = context;
    Server *own = NULL;
    pthread_mutex_lock(&l->mutex);
    while (!l->stop) {
        struct timespec at;
        clock_gettime(CLOCK_REALTIME, &at);
        at.tv_sec += HEARTBEAT_MS / 1000;
        if (pthread_cond_timedwait(&l->wake, &l->mutex, &at) == 0 || l->stop) continue;
        pthread_mutex_unlock(&l->mutex);
        if (own || (own = server_sibling(l->server, NULL))) {
            bson_t reply, *command = BCON_NEW("findAndModify", SCHEMA_COLLECTION, "query", "{", "name", "", "locks.by", l->by, "}", "update", "[", "{", "$set", "{", "locks", "{", "$map", "{",
                                             "input", "$locks", "as", "l", "in", "{", "$cond", "[", "{", "$eq", "[", "$$l.by", l->by, "]", "}", "{", "$mergeObjects", "[", "$$l", "{", "until",
                                             "{", "$add", "[", "$$NOW", BCON_INT32(LOCK_MS), "]", "}", "}", "]", "}", "$$l", "]", "}", "}", "}", "}", "}", "]", "fields", "{", "_id", BCON_INT32(1), "}");
            append_w1(command);
            server_command(own, command, false, false, &reply, NULL);
            bson_destroy(&reply);
            bson_destroy(command);
        }
        pthread_mutex_lock(&l->mutex);
    }
    pthread_mutex_unlock(&l->mutex);
    server_close(own);
    return NULL;
}

static void begin_beating(Lease *l) {
    l->stop = false;
    l->beating = pthread_create(&l->thread, NULL, beat, l) == 0;
}

static void end_beating(Lease *l) {
    if (!l->beating) return;
    pthread_mutex_lock(&l->mutex);
    l->stop = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->mutex);
    pthread_join(l->thread, NULL);
    l->beating = false;
}

/* The pipeline that adds our lock unless somebody else's stands on one of the tables. */
static bson_t *claim_pipeline(const Lease *l, const LeaseClaim *claim, int64_t first_version) {
    bson_t names = BSON_INITIALIZER;
    for (int i = 0; i < claim->n; i++) {
        char digits[16];
        const char *key;
        bson_uint32_to_string((uint32_t)i, &key, digits, sizeof digits);
        bson_append_utf8(&names, key, -1, claim->tables[i].p, (int)claim->tables[i].n);
    }
    bson_t *out = BCON_NEW(
        "update", "[",
        "{", "$set", "{",
            "version", "{", "$ifNull", "[", "$version", BCON_INT64(first_version), "]", "}", "born", "{", "$ifNull", "[", "$born", "$$NOW", "]", "}", "now", "$$NOW",
            "locks", "{", "$filter", "{", "input", "{", "$ifNull", "[", "$locks", "[", "]", "]", "}", "as", "l", "cond", "{", "$or", "[", "{", "$gt", "[", "$$l.until", "$$NOW", "]", "}",
                "{", "$and", "[", "$$l.rows", "{", "$eq", "[", "{", "$setIntersection", "[", "$$l.tables", "{", "$literal", BCON_ARRAY(&names), "}", "]", "}", "[", "]", "]", "}", "]", "}", "]", "}", "}", "}",
            "leases", "{", "$arrayToObject", "{", "$filter", "{", "input", "{", "$objectToArray", "{", "$ifNull", "[", "$leases", "{", "}", "]", "}", "}", "as", "p", "cond",
                "{", "$gt", "[", "$$p.v", "{", "$subtract", "[", "$$NOW", BCON_INT32(FORGOTTEN_MS), "]", "}", "]", "}", "}", "}", "}",
        "}", "}",
        "{", "$set", "{",
            "locks", "{", "$cond", "[",
                "{", "$anyElementTrue", "[", "{", "$map", "{", "input", "$locks", "as", "l", "in", "{", "$ne", "[", "{", "$setIntersection", "[", "$$l.tables", "{", "$literal", BCON_ARRAY(&names), "}", "]", "}", "[", "]", "]", "}", "}", "}", "]", "}",
                "$locks", "{", "$concatArrays", "[", "$locks", "[", "{", "by", l->by, "tables", "{", "$literal", BCON_ARRAY(&names), "}", "until", "{", "$add", "[", "$$NOW", BCON_INT32(LOCK_MS), "]", "}",
                    "rows", "{", "$literal", BCON_BOOL(claim->rows), "}", "}", "]", "]", "}",
            "]", "}",
        "}", "}",
        "]");
    bson_destroy(&names);
    return out;
}

/* A watch begins, or goes on: {$set} as a stage of its own, because watch_since depends on the old watch_until. */
static void append_watch(bson_t *pipeline_holder) {
    bson_t *with = bson_new(), list, array;
    bson_iter_t it;
    bson_t *watch = BCON_NEW("$set", "{", "watch_since", "{", "$cond", "[", "{", "$gt", "[", "$watch_until", "$$NOW", "]", "}", "$watch_since", "$$NOW", "]", "}", "watch_until",
                             "{", "$add", "[", "$$NOW", BCON_INT32(WATCH_MS), "]", "}", "}");
    uint32_t n = 0;
    sub_of(pipeline_holder, "update", &list);
    BSON_APPEND_ARRAY_BEGIN(with, "update", &array);
    bson_iter_init(&it, &list);
    while (bson_iter_next(&it)) bson_append_iter(&array, NULL, 0, &it), n++;
    char digits[16];
    const char *key;
    bson_uint32_to_string(n, &key, digits, sizeof digits);
    BSON_APPEND_DOCUMENT(&array, key, watch);
    bson_append_array_end(with, &array);
    bson_destroy(watch);
    bson_reinit(pipeline_holder);
    bson_concat(pipeline_holder, with);
    bson_destroy(with);
}

/* How long from now, in ms, until no lease of another process is left that was taken before our lock. *others: somebody may have a transaction open. */
static int64_t time_to_wait(const Lease *l, const bson_t *doc, bool *others) {
    bson_t leases;
    bson_iter_t it;
    int64_t now = date_of(doc, "now"), born = date_of(doc, "born"), since = date_of(doc, "watch_since"), need = 0;
    const int full = LEASE_MS + SLACK_MS;
    bool recent = false;
    if (sub_of(doc, "leases", &leases) && bson_iter_init(&it, &leases))
        while (bson_iter_next(&it)) {
            if (strcmp(bson_iter_key(&it), l->registration->id) == 0 || !BSON_ITER_HOLDS_DATE_TIME(&it)) continue;
            *others = true;
            recent |= bson_iter_date_time(&it) + REGISTERED_MS > now;
        }
    if (recent) need = now - since >= full ? WATCH_LEASE_MS + SLACK_MS : full;
    /* Before the document was there, nobody could register. */
    if (now < born + full && born + full - now > need) need = born + full - now;
    return need;
}

/* Leases of this process' other connections end at once: they look again before they believe an answer. Only a write that has been sent has to be waited for. */
static bool end_leases(Lease *l, int64_t deadline) {
    bool others = false, writing;
    pthread_mutex_lock(&registry_lock);
    l->registration->revoked++;
    for (Lease *other = l->registration->leases; other; other = other->next)
        if (other != l) others = true, other->until = INT64_MIN;
    pthread_mutex_unlock(&registry_lock);
    do {
        writing = false;
        pthread_mutex_lock(&registry_lock);
        for (const Lease *other = l->registration->leases; other; other = other->next) writing |= other != l && server_writing(other->server);
        pthread_mutex_unlock(&registry_lock);
        if (writing) pause_ms(1);
    } while (writing && clock_ms() < deadline);
    return others;
}

/* Waits for the transactions that have used the table: an exclusive lock on the collection, for a moment. */
static bool let_finish(Lease *l, Str table, sqm_error_t *error) {
    bson_t command = BSON_INITIALIZER, reply;
    sqm_error_t own;
    bson_append_utf8(&command, "collMod", -1, table.p, (int)table.n);
    bool ok = server_command(l->server, &command, false, true, &reply, &own);
    bson_destroy(&reply);
    bson_destroy(&command);
    if (ok || own.mongo_code == 26 || own.mongo_code == 166) return true;
    if (error) *error = own;
    return false;
}

LeaseAnswer lease_lock(Lease *l, int64_t version, const LeaseClaim *claim, int64_t *locked_version, sqm_error_t *error) {
    Server *s = l->server;
    int64_t deadline = clock_ms() + server_lock_timeout(s);
    if (version == 0) {
        bson_t reply, *index = BCON_NEW("createIndexes", SCHEMA_COLLECTION, "indexes", "[", "{", "key", "{", "name", BCON_INT32(1), "}", "name", "name_1", "unique", BCON_BOOL(true), "}", "]");
        server_command(s, index, false, true, &reply, NULL);       /* an older one may be there in another form: it serves too */
        bson_destroy(&reply);
        bson_destroy(index);
    }
    for (;;) {
        struct timespec clock;
        clock_gettime(CLOCK_REALTIME, &clock);
        /* A database's first version is taken from the clock: one that is dropped and made anew never repeats numbers that somebody may still hold. */
        int64_t first = (int64_t)clock.tv_sec * 1000000 + clock.tv_nsec / 1000;
        bson_t command = BSON_INITIALIZER, query, reply, doc, locks, lock, *pipeline = claim_pipeline(l, claim, first);
        bson_iter_t it;
        if (claim->layout) append_watch(pipeline);
        BSON_APPEND_UTF8(&command, "findAndModify", SCHEMA_COLLECTION);
        BSON_APPEND_DOCUMENT_BEGIN(&command, "query", &query);
        BSON_APPEND_UTF8(&query, "name", "");
        if (version) BSON_APPEND_INT64(&query, "version", version);
        bson_append_document_end(&command, &query);
        bson_concat(&command, pipeline);
        BSON_APPEND_BOOL(&command, "new", true);
        if (!version) BSON_APPEND_BOOL(&command, "upsert", true);
        append_w1(&command);
        bson_destroy(pipeline);
        bool ok = server_command(s, &command, false, true, &reply, error);
        bson_destroy(&command);
        if (!ok || !sub_of(&reply, "value", &doc)) {
            bson_destroy(&reply);
            return ok ? LEASE_STALE : LEASE_ERROR;
        }
        bool got = false, others = false;
        if (sub_of(&doc, "locks", &locks) && bson_iter_init(&it, &locks))
            while (!got && bson_iter_next(&it)) got = lock_is(&it, l->by, &lock);
        *locked_version = int_of(&doc, "version");
        l->locked = got;
        int64_t wait = got ? time_to_wait(l, &doc, &others) : 0;
        bool newer = got && *locked_version != (version ? version : first);
        bson_destroy(&reply);
        if (newer) {
            lease_unlock(l, false);
            return LEASE_STALE;
        }
        if (!got) {
            if (clock_ms() >= deadline) {
                error_set(error, SQM_ERROR_LOCK_NOT_AVAILABLE, "could not lock \"" STR_FMT "\" for a change of its definition within %d ms: another connection is changing it",
                          STR_ARG(claim->tables[0]), server_lock_timeout(s));
                return LEASE_ERROR;
            }
            pause_ms(POLL_MS);
            continue;
        }
        begin_beating(l);
        if (!claim->layout) return LEASE_LOCKED;
        others |= end_leases(l, deadline);
        if (wait) pause_ms((int)wait);
        if (!others) return LEASE_LOCKED;
        for (int i = 0; i < claim->n; i++)
            if (!let_finish(l, claim->tables[i], error)) {
                lease_unlock(l, false);
                return LEASE_ERROR;
            }
        return LEASE_LOCKED;
    }
}

/* {locks: those of others} */
static bson_t *without_lock(const Lease *l, bool raise) {
    bson_t *out = BCON_NEW("update", "[", "{", "$set", "{", "locks", "{", "$filter", "{", "input", "$locks", "as", "l", "cond", "{", "$ne", "[", "$$l.by", l->by, "]", "}", "}", "}",
                           "version", "{", "$add", "[", "$version", BCON_INT64(raise), "]", "}", "}", "}", "]");
    return out;
}

static bool give_up(Lease *l, bool raise, bool w1, bson_t *reply, sqm_error_t *error) {
    bson_t *command = BCON_NEW("findAndModify", SCHEMA_COLLECTION, "query", "{", "name", "", "locks.by", l->by, "}"), *update = without_lock(l, raise);
    bson_concat(command, update);
    BSON_APPEND_BOOL(command, "new", true);
    if (w1) append_w1(command);
    bool ok = server_command(l->server, command, false, false, reply, error);
    bson_destroy(update);
    bson_destroy(command);
    return ok;
}

bool lease_publish(Lease *l, int64_t *version, sqm_error_t *error) {
    bson_t reply, doc;
    end_beating(l);
    bool ok = give_up(l, true, false, &reply, error);
    if (ok && !sub_of(&reply, "value", &doc)) ok = error_set(error, SQM_ERROR_SERIALIZATION_FAILURE, "the lock of this schema change was lost: run it again");
    if (ok) *version = int_of(&doc, "version"), l->locked = false;
    bson_destroy(&reply);
    return ok;
}

void lease_unlock(Lease *l, bool broken) {
    bson_t reply;
    end_beating(l);
    if (!l->locked) return;
    l->locked = false;
    if (broken) {
        /* The lock stays, as one that has run out: see take_in(). */
        bson_t *command = BCON_NEW("findAndModify", SCHEMA_COLLECTION, "query", "{", "name", "", "locks.by", l->by, "}", "update", "{", "$set", "{", "locks.$.until", BCON_DATE_TIME(0), "}", "}");
        append_w1(command);
        server_command(l->server, command, false, false, &reply, NULL);
        bson_destroy(command);
    } else {
        give_up(l, false, true, &reply, NULL);
    }
    bson_destroy(&reply);
}
