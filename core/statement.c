/* statement.c - connections and statements: the pipeline from text to rows, the plan cache, and the public API of sqm.h.
 *
 *     parse -> resolve -> plan_statement     once per text and catalogue (Prepared, cached, read-only while it runs)
 *     bind -> exec / dml / ddl / server      per execution (sqm_statement_t)
 *
 * A Prepared belongs to one catalogue version, and that is trusted as long as the connection's lease on it runs (lease.h). When another process has migrated, the connection
 * prepares again; an answer that came too late to be trusted is thrown away and the statement started over, if no row of it has been handed out: a statement never runs on a
 * table layout that has gone. Errors of the compile phase come here by longjmp, with nothing but the arena to drop. */
#include <stdlib.h>
#include <stdio.h>
#include <time.h>

#include "counts.h"
#include "ddl.h"
#include "dml.h"
#include "exec.h"
#include "explain.h"
#include "foreign.h"
#include "json.h"
#include "lease.h"
#include "resolve.h"
#include "schema.h"

/* Enough for an application's statements; texts beyond LARGEST (multi-row INSERTs, huge IN lists) rarely come twice and would only push others out. */
enum { CACHE_SIZE = 256, LARGEST_CACHED = 16384, STALE_ATTEMPTS = 20, LOCK_POLL_MS = 10 };

typedef struct RowCount { Str table; int64_t rows; } RowCount;
typedef VEC(RowCount) RowCounts;

typedef struct Prepared {
    struct Prepared *newer, *older, *same_hash;
    Arena arena;
    Str sql;
    bool literal_percent;
    uint64_t hash;
    int references;                 /* statements that use it, plus one while it is cached */
    bool cached;
    Catalog *catalog;
    Resolved *resolved;
    StatementPlan *plan;
    WantedList wanted;              /* tables the application may know more about */
    RowCounts counted;              /* what the plan went by ... */
    int64_t counted_at;             /* ... and when that was looked at (counts_clock) */
    VEC(Str) uncounted;             /* tables whose counts it would have liked to know */
    Str undeclared;                 /* a collection to sample before names in it can be resolved */
    const Query *output;            /* whose visible targets are the columns, or NULL */
    int n_columns;
    const char **names, **types;
} Prepared;

struct sqm_connection {
    Server *server;                 /* NULL offline */
    Catalog *catalog;
    Foreign *foreign;               /* NULL: nothing is checked (offline, or no transactions) */
    sqm_options_t options;
    char *database;
    Lease *lease;
    struct sqm_statement *current;  /* the one that is running: whose tables have to be as it was compiled for */
    bool stale;                     /* they weren't */
    Catalog *in_transaction;        /* what the open transaction began with; NULL: it has run nothing yet */
    Prepared *newest, *oldest, *buckets[CACHE_SIZE];
    int n_cached;
    sqm_define_t define;            /* NULL: nobody to ask */
    void *define_context;
    Arena asked_arena;
    VEC(Wanted) asked;              /* what was asked since the catalogue was loaded: nothing is asked twice */
    struct sqm_statement *open;     /* all statements, to end those that a rollback invalidates */
};

typedef enum State { READY, RUNNING, ENDED, FAILED } State;

struct sqm_statement {
    sqm_connection_t *db;
    struct sqm_statement *next, *previous;
    Prepared *p;
    Value *params;
    bool *bound;
    State state;
    Exec x;
    bool executing;                 /* x is initialised */
    QueryRun *run;
    Dml *dml;
    const Value *row;
    Value *columns;
    int64_t rows_affected, last_insert_id;
    Text lines;                     /* EXPLAIN, SHOW: the rows to come, one a line ... */
    size_t line_at;
    bool as_json;                   /* ... or EXPLAIN (FORMAT JSON): all of it is one JSON value, the only row */
    Value line;
    sqm_error_t *error;
};

/* ---- catalogue ---- */

static void use_catalogue(sqm_connection_t *db, Catalog *catalog) {
    catalog_release(db->catalog);
    db->catalog = catalog;
    arena_clear(&db->asked_arena);
    db->asked.at = NULL;
    db->asked.n = db->asked.cap = 0;
}

static bool load_catalogue(sqm_connection_t *db, sqm_error_t *error) {
    Catalog *fresh = NULL;
    for (int attempt = 0; attempt < STALE_ATTEMPTS; attempt++) {
        if (!lease_renew(db->lease, error) || !schema_load(db->server, str_from(db->database), &fresh, error)) return false;
        use_catalogue(db, fresh);
        if (fresh->version != lease_version(db->lease)) continue;       /* somebody has published in between */
        lease_share(db->lease, fresh);
        break;
    }
    return true;
}

/* What another connection of this process has loaded will do, if it is of the version that is to be trusted. */
static bool take_catalogue(sqm_connection_t *db, sqm_error_t *error) {
    Catalog *shared = lease_shared(db->lease);
    if (!shared) return load_catalogue(db, error);
    use_catalogue(db, shared);
    return true;
}

/* The catalogue is the stored one, as of a moment within the lease. */
static bool check_catalogue(sqm_connection_t *db, sqm_error_t *error) {
    if (!db->server || clock_ms() < lease_until(db->lease)) return true;
    if (!lease_renew(db->lease, error)) return false;
    return lease_version(db->lease) == db->catalog->version || take_catalogue(db, error);
}

static bool is_blocked(sqm_connection_t *db, Str table, bool *broken) {
    *broken = false;
    return lease_blocks(db->lease, table, broken) && !server_holds(db->server, table);
}

static bool has_changed(sqm_connection_t *db, const Catalog *then, Str name) {
    const Table *was = catalog_find_table(then, name), *is = catalog_find_table(db->catalog, name);
    bool broken;
    return is_blocked(db, name, &broken) || (was && (!is || !table_same_definition(was, is)));
}

/* Asked by the server's side when a reply came later than the catalogue could be trusted, and before a journal is replayed: are the tables that the statement, and
 * the open transaction's writes, speak of still what they were? */
static bool renew(void *context, sqm_error_t *error) {
    sqm_connection_t *db = context;
    if (!check_catalogue(db, error)) return false;
    const sqm_statement_t *st = db->current;
    enum { NAMES = 256 };
    Str names[NAMES];
    int n = server_in_transaction(db->server) && db->in_transaction ? server_written(db->server, names, NAMES) : 0;
    const Table *changed = NULL;
    for (int i = 0; st && st->p->plan && i < st->p->resolved->tables.n && !changed; i++) {
        const Table *t = st->p->resolved->tables.at[i];
        if (has_changed(db, st->p->catalog, t->name)) changed = t;
    }
    for (int i = 0; i < n && i < NAMES && !changed; i++)
        if (!server_holds(db->server, names[i]) && has_changed(db, db->in_transaction, names[i])) changed = catalog_find_table(db->in_transaction, names[i]);
    if (!changed) return true;
    db->stale = true;
    return error_set(error, SQM_ERROR_SERIALIZATION_FAILURE, "the definition of \"" STR_FMT "\" was changed by another connection at the same time", STR_ARG(changed->name));
}

/* ---- plan cache ---- */

static void prepared_release(Prepared *p) {
    if (!p || --p->references > 0) return;
    catalog_release(p->catalog);
    Arena arena = p->arena;         /* p itself lies in it */
    arena_free(&arena);
}

static void cache_unlink(sqm_connection_t *db, Prepared *p) {
    Prepared **link = &db->buckets[p->hash % CACHE_SIZE];
    while (*link != p) link = &(*link)->same_hash;
    *link = p->same_hash;
    if (p->newer) p->newer->older = p->older;
    else db->newest = p->older;
    if (p->older) p->older->newer = p->newer;
    else db->oldest = p->newer;
    p->newer = p->older = p->same_hash = NULL;
    p->cached = false;
    db->n_cached--;
    prepared_release(p);
}

static void cache_clear(sqm_connection_t *db) {
    while (db->newest) cache_unlink(db, db->newest);
}

static void cache_add(sqm_connection_t *db, Prepared *p) {
    if (p->sql.n > LARGEST_CACHED) return;
    if (db->n_cached == CACHE_SIZE) cache_unlink(db, db->oldest);
    p->same_hash = db->buckets[p->hash % CACHE_SIZE];
    db->buckets[p->hash % CACHE_SIZE] = p;
    p->older = db->newest;
    if (db->newest) db->newest->newer = p;
    else db->oldest = p;
    db->newest = p;
    p->cached = true;
    p->references++;
    db->n_cached++;
}

static void cache_touch(sqm_connection_t *db, Prepared *p) {
    if (db->newest == p) return;
    p->newer->older = p->older;
    if (p->older) p->older->newer = p->newer;
    else db->oldest = p->newer;
    p->newer = NULL;
    p->older = db->newest;
    db->newest->newer = p;
    db->newest = p;
}

static uint64_t text_hash(const char *sql, size_t n, bool literal_percent) { return hash_bytes(sql, n, literal_percent); }

static Prepared *cache_find(const sqm_connection_t *db, const char *sql, size_t n, bool literal_percent) {
    uint64_t hash = text_hash(sql, n, literal_percent);
    for (Prepared *p = db->buckets[hash % CACHE_SIZE]; p; p = p->same_hash)
        if (p->hash == hash && p->literal_percent == literal_percent && p->sql.n == n && memcmp(p->sql.p, sql, n) == 0 && p->catalog == db->catalog) return p;
    return NULL;
}

/* ---- compiling ---- */

static void describe(Prepared *p) {
    const Resolved *r = p->resolved;
    if (r->stmt->tag == STMT_EXPLAIN || r->tag == STMT_SHOW) {
        p->n_columns = 1;
        p->names = NEW_ARRAY(&p->arena, const char *, 1);
        p->types = NEW_ARRAY(&p->arena, const char *, 1);
        p->names[0] = r->tag == STMT_SHOW ? arena_str(&p->arena, r->stmt->name.p, r->stmt->name.n).p : "QUERY PLAN";
        p->types[0] = r->stmt->tag == STMT_EXPLAIN && str_ieq(r->stmt->explain_format, STR("json")) ? "json" : "text";
        return;
    }
    if (r->tag == STMT_SELECT) p->output = r->query;
    else if (r->insert && r->insert->has_returning) p->output = r->insert->row;
    else if (r->modify && r->modify->has_returning) p->output = r->modify->row;
    if (!p->output) return;
    p->n_columns = p->output->n_visible;
    p->names = NEW_ARRAY(&p->arena, const char *, p->n_columns + 1);
    p->types = NEW_ARRAY(&p->arena, const char *, p->n_columns + 1);
    for (int i = 0; i < p->n_columns; i++) {
        const Target *t = &p->output->targets.at[i];
        char type[64];
        p->names[i] = arena_str(&p->arena, t->name.p, t->name.n).p;
        type_text(t->expr->type, type, sizeof type);
        p->types[i] = t->expr->type.tag == TYPE_UNKNOWN ? "unknown" : arena_str(&p->arena, type, strlen(type)).p;
    }
}

typedef struct Counting { sqm_connection_t *db; Prepared *p; } Counting;

static bool count_rows(void *context, Str table, int64_t *rows) {
    Counting *c = context;
    bool known = counts_find(c->db->server, table, rows);
    for (int i = 0; i < c->p->uncounted.n; i++)
        if (str_eq(c->p->uncounted.at[i], table)) return false;
    if (known) {
        RowCount count = {table, *rows};
        vec_push(&c->p->arena, &c->p->counted, count);
    } else {
        vec_push(&c->p->arena, &c->p->uncounted, table);
    }
    return known;
}

/* The one setjmp. Whatever is set before it and read after a longjmp lies in *p, not in registers. */
static bool compile(sqm_connection_t *db, Prepared *p, const Value *params, sqm_error_t *error) {
    Compile cc = {.arena = &p->arena, .sql = p->sql, .error = error, .undeclared = &p->undeclared, .wanted = db->define ? &p->wanted : NULL};
    if (setjmp(cc.exit)) return false;
    Parsed parsed = parse(&cc, p->literal_percent);
    p->resolved = resolve(&cc, p->catalog, &parsed, params);
    Counting counting = {db, p};
    PlanOptions options = {.no_optimise = db->options.no_optimise, .server_version = db->server ? server_version(db->server) : 0, .rows = db->server ? count_rows : NULL,
                           .rows_context = &counting};
    if (p->resolved->query || p->resolved->insert || p->resolved->modify) p->plan = plan_statement(&cc, p->resolved, &options);
    describe(p);
    return true;
}

/* An undeclared collection is known by a sample of its documents, taken when it is first mentioned. */
static bool look_at(sqm_connection_t *db, Str table) {
    Catalog *known = NULL;
    sqm_error_t ignored;
    if (!db->server || !schema_look(db->server, db->catalog, table, &known, &ignored) || !known) return false;
    catalog_release(db->catalog);
    db->catalog = known;
    return true;
}

/* ---- definitions from the application ---- */

static void begin_with(sqm_connection_t *db) {
    Catalog *now = catalog_retain(db->catalog);
    catalog_release(db->in_transaction);
    db->in_transaction = now;
}

static bool run_definition(sqm_connection_t *db, const Stmt *stmt, Str sql, bool *changed, sqm_error_t *error) {
    Catalog *next = NULL;
    if (!ddl_run(db->server, db->lease, db->catalog, stmt, sql, &next, error)) return false;
    *changed = next != NULL;
    if (next && next != db->catalog) {
        catalog_release(db->catalog);
        db->catalog = next;
        if (db->server) lease_expire(db->lease);        /* rows that this connection is still reading */
    }
    if (db->server && server_in_transaction(db->server)) begin_with(db);
    return true;
}

static bool define_by(sqm_connection_t *db, const char *sql, sqm_error_t *error) {
    Arena arena = {0};
    Compile cc = {.arena = &arena, .sql = str_from(sql), .error = error};
    if (setjmp(cc.exit)) {
        arena_free(&arena);
        return false;
    }
    Parsed parsed = parse(&cc, true);
    bool ok = ddl_is_ddl(parsed.stmt->tag) || error_set(error, SQM_ERROR_INTERFACE, "a definition must be CREATE TABLE or CREATE INDEX");
    bool changed;
    ok = ok && run_definition(db, parsed.stmt, cc.sql, &changed, error);
    arena_free(&arena);
    return ok;
}

static bool was_asked(sqm_connection_t *db, const Wanted *w) {
    for (int i = 0; i < db->asked.n; i++)
        if (str_eq(db->asked.at[i].table, w->table) && str_eq(db->asked.at[i].column, w->column)) return true;
    Wanted kept = {arena_str(&db->asked_arena, w->table.p, w->table.n), {0}, w->kind};
    if (w->column.n) kept.column = arena_str(&db->asked_arena, w->column.p, w->column.n);
    vec_push(&db->asked_arena, &db->asked, kept);
    return false;
}

enum { UNAUTHORIZED = 13 };

/* 1: something was defined, 0: nothing, -1: a definition failed. What doesn't exist is asked only by a fresh catalogue: another process may have made it. */
static int define_wanted(sqm_connection_t *db, const Prepared *p, bool fresh, sqm_error_t *error) {
    int defined = 0;
    for (int i = 0; i < p->wanted.n && db->server; i++) {
        const Wanted *w = &p->wanted.at[i];
        bool missing = w->kind == WANTED_TABLE || w->kind == WANTED_COLUMN;
        if ((missing && !fresh) || was_asked(db, w)) continue;
        Str table = arena_str((Arena *)&p->arena, w->table.p, w->table.n), column = arena_str((Arena *)&p->arena, w->column.p, w->column.n);
        char *texts = db->define(db->define_context, (sqm_undefined_t)w->kind, table.p, w->column.n ? column.p : NULL);
        for (const char *sql = texts; sql && *sql; sql += strlen(sql) + 1) {
            sqm_error_t own;
            error_clear(&own);
            if (!define_by(db, sql, &own)) {
                free(texts);
                if (!missing && own.mongo_code == UNAUTHORIZED) return defined;     /* who may only read does without */
                own.position = -1;
                if (error) *error = own;
                return -1;
            }
            defined = 1;
        }
        free(texts);
    }
    return defined;
}

void sqm_set_define(sqm_connection_t *db, sqm_define_t define, void *context) {
    db->define = define;
    db->define_context = context;
}

static Prepared *prepared_once(sqm_connection_t *db, const char *sql, size_t n, bool literal_percent, const Value *params, bool fresh, sqm_error_t *error) {
    Arena arena = {0};
    Prepared *p = NEW(&arena, Prepared);
    p->arena = arena;
    p->sql = arena_str(&p->arena, sql, n);
    p->literal_percent = literal_percent;
    p->hash = text_hash(sql, n, literal_percent);
    p->references = 1;
    p->catalog = catalog_retain(db->catalog);
    p->counted_at = counts_clock();
    bool ok = compile(db, p, params, error);
    int defined = p->wanted.n ? define_wanted(db, p, fresh, error) : 0;
    if (defined) {
        prepared_release(p);
        return defined < 0 ? NULL : prepared_once(db, sql, n, literal_percent, params, fresh, error);
    }
    if (p->undeclared.n && look_at(db, p->undeclared)) {
        prepared_release(p);
        return prepared_once(db, sql, n, literal_percent, params, fresh, error);
    }
    if (ok) return p;
    prepared_release(p);
    return NULL;
}

static Prepared *prepared_new(sqm_connection_t *db, const char *sql, size_t n, bool literal_percent, const Value *params, bool fresh, sqm_error_t *error) {
    Prepared *p = prepared_once(db, sql, n, literal_percent, params, fresh, error);
    if (!p || !p->uncounted.n) return p;
    counts_fetch(db->server, p->uncounted.at, p->uncounted.n);
    prepared_release(p);
    return prepared_once(db, sql, n, literal_percent, params, fresh, error);
}

/* Have the tables grown or shrunk so much that another plan may be better? Looked at once a minute. */
static bool counts_changed(sqm_connection_t *db, Prepared *p) {
    enum { MINUTE = 60000, FACTOR = 4, SLACK = 1000, MOST = 64 };
    Str tables[MOST];
    int64_t now = counts_clock(), rows;
    if (!p->counted.n || now - p->counted_at < MINUTE) return false;
    p->counted_at = now;
    bool known = true, changed = false;
    for (int i = 0; i < p->counted.n; i++) {
        known &= counts_find(db->server, p->counted.at[i].table, &rows);
        if (i < MOST) tables[i] = p->counted.at[i].table;
    }
    if (!known) counts_fetch(db->server, tables, p->counted.n < MOST ? p->counted.n : MOST);
    for (int i = 0; i < p->counted.n; i++) {
        int64_t before = p->counted.at[i].rows;
        if (!counts_find(db->server, p->counted.at[i].table, &rows)) continue;
        changed |= rows > before * FACTOR + SLACK || before > rows * FACTOR + SLACK;
    }
    return changed;
}

static bool names_unknown(const sqm_error_t *e) { return e->code == SQM_ERROR_UNDEFINED_TABLE || e->code == SQM_ERROR_UNDEFINED_COLUMN; }

/* An unknown name may be one that another process has just made: look again before saying so. */
static Prepared *prepare(sqm_connection_t *db, const char *sql, size_t n, bool literal_percent, sqm_error_t *error) {
    if (n > MAX_SQL_BYTES) {
        error_set(error, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, "statement is %zu bytes long, the limit is %u", n, MAX_SQL_BYTES);
        return NULL;
    }
    Prepared *p = cache_find(db, sql, n, literal_percent);
    if (p && counts_changed(db, p)) {
        cache_unlink(db, p);
        p = NULL;
    }
    if (p) {
        cache_touch(db, p);
        p->references++;
        return p;
    }
    p = prepared_new(db, sql, n, literal_percent, NULL, false, error);
    if (!p && db->server && names_unknown(error)) {
        sqm_error_t other;
        if (!load_catalogue(db, &other)) return NULL;
        p = prepared_new(db, sql, n, literal_percent, NULL, true, error);
    }
    if (p && p->plan) cache_add(db, p);
    return p;
}

/* ---- connections ---- */

static void error_needed(sqm_error_t **error, sqm_error_t *own) {
    if (!*error) *error = own;
    error_clear(*error);
}

bool sqm_open(const char *uri, const char *database, const sqm_options_t *options, sqm_connection_t **out, sqm_error_t *error) {
    sqm_error_t own;
    error_needed(&error, &own);
    *out = NULL;
    sqm_connection_t *db = calloc(1, sizeof *db);
    if (!db) return error_set(error, SQM_ERROR_OUT_OF_MEMORY, "out of memory");
    if (options) db->options = *options;
    if (!db->options.work_mem) db->options.work_mem = (int64_t)256 << 20;
    db->database = strdup(database ? database : "");
    if (!db->database) abort();
    bool ok = true;
    if (db->options.offline) {
        db->catalog = catalog_new(str_from(db->database));
    } else {
        ok = server_open(uri, db->database, &db->options, &db->server, error);
        if (ok) {
            db->lease = lease_open(db->server);
            server_guard(db->server, renew, db, lease_clock(db->lease));
        }
        ok = ok && lease_renew(db->lease, error) && take_catalogue(db, error);
        if (ok && server_has_transactions(db->server)) db->foreign = foreign_new();
    }
    db->options.app_name = NULL;   /* the caller's memory */
    if (!ok) {
        sqm_close(db);
        return false;
    }
    *out = db;
    return true;
}

void sqm_close(sqm_connection_t *db) {
    if (!db) return;
    cache_clear(db);
    catalog_release(db->in_transaction);
    lease_close(db->lease);
    if (db->server) server_close(db->server);
    foreign_free(db->foreign);
    catalog_release(db->catalog);
    arena_free(&db->asked_arena);
    free(db->database);
    free(db);
}

bool sqm_forked(const sqm_connection_t *db) { return db->server && server_forked(db->server); }

bool sqm_ping(sqm_connection_t *db, sqm_error_t *error) {
    error_clear(error);
    return db->server ? server_ping(db->server, error) : error_set(error, SQM_ERROR_INTERFACE, "connection is offline");
}

int sqm_server_version(const sqm_connection_t *db) { return db->server ? server_version(db->server) : 0; }
bool sqm_has_transactions(const sqm_connection_t *db) { return db->server && server_has_transactions(db->server); }
bool sqm_in_transaction(const sqm_connection_t *db) { return db->server && server_in_transaction(db->server); }

bool sqm_begin(sqm_connection_t *db, sqm_error_t *error) {
    error_clear(error);
    return !db->server || server_begin(db->server, error);
}

static void forget_transaction(sqm_connection_t *db) {
    catalog_release(db->in_transaction);
    db->in_transaction = NULL;
}

/* What foreign keys say of the transaction is asked last. A failed one only has to end. */
static bool commit(sqm_connection_t *db, sqm_error_t *error) {
    bool ok = true, satisfied;
    if (!db->server) return true;
    if (db->foreign && foreign_any(db->foreign) && server_in_transaction(db->server) && server_check(db->server, NULL))
        ok = foreign_lock(db->foreign, db->server, error) && foreign_ask(db->foreign, db->server, &satisfied, error) && (satisfied || foreign_check(db->foreign, db->server, error));
    if (db->foreign) foreign_clear(db->foreign);
    forget_transaction(db);
    if (ok) return server_commit(db->server, error);
    server_rollback(db->server, NULL);
    return false;
}

static bool rollback(sqm_connection_t *db, sqm_error_t *error) {
    forget_transaction(db);
    if (db->foreign) foreign_clear(db->foreign);
    return !db->server || server_rollback(db->server, error);
}

bool sqm_commit(sqm_connection_t *db, sqm_error_t *error) {
    error_clear(error);
    return commit(db, error);
}

bool sqm_rollback(sqm_connection_t *db, sqm_error_t *error) {
    error_clear(error);
    return rollback(db, error);
}

void sqm_free(void *memory) { free(memory); }

static char *to_heap(const char *p, size_t n) {
    char *copy = malloc(n + 1);
    if (!copy) abort();
    if (n) memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

static void json_string(Text *out, Str s) {
    text_adds(out, "\"");
    for (uint32_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') text_addf(out, "\\%c", c);
        else if (c < 0x20) text_addf(out, "\\u%04x", c);
        else text_add(out, (const char *)&s.p[i], 1);
    }
    text_adds(out, "\"");
}

bool sqm_tables(sqm_connection_t *db, char **out, sqm_error_t *error) {
    sqm_error_t own;
    error_needed(&error, &own);
    if (db->server && !load_catalogue(db, error)) return false;
    Arena arena = {0};
    Text t = {.arena = &arena};
    text_adds(&t, "[");
    bool first = true;
    for (int i = 0; i < db->catalog->tables.n; i++) {
        const Table *table = db->catalog->tables.at[i];
        text_addf(&t, "%s{\"name\": ", first ? "" : ", ");
        json_string(&t, table->name);
        text_addf(&t, ", \"type\": \"%s\", \"declared\": %s, \"comment\": ", table->view_text.n ? "view" : "table", table->declared ? "true" : "false");
        json_string(&t, table->comment);
        text_adds(&t, "}");
        first = false;
    }
    text_adds(&t, "]");
    *out = to_heap(t.p, t.n);
    arena_free(&arena);
    return true;
}

bool sqm_table(sqm_connection_t *db, const char *name, char **out, sqm_error_t *error) {
    sqm_error_t own;
    error_needed(&error, &own);
    if (!check_catalogue(db, error)) return false;
    const Table *table = catalog_find_table(db->catalog, str_from(name));
    if (!table && db->server) {
        if (!load_catalogue(db, error)) return false;
        table = catalog_find_table(db->catalog, str_from(name));
    }
    if (!table) return error_set(error, SQM_ERROR_UNDEFINED_TABLE, "relation \"%s\" does not exist", name);
    if (!table->declared && db->server) {
        Catalog *known = NULL;
        if (!schema_look(db->server, db->catalog, table->name, &known, error)) return false;
        catalog_release(db->catalog);
        db->catalog = known;
        table = catalog_find_table(known, str_from(name));
    }
    Arena arena = {0};
    Text t = {.arena = &arena};
    catalog_describe(table, &t);
    *out = to_heap(t.p, t.n);
    arena_free(&arena);
    return true;
}

bool sqm_written_tables(const sqm_connection_t *db, char **out, sqm_error_t *error) {
    error_clear(error);
    Arena arena = {0};
    Text t = {.arena = &arena};
    int n = db->server ? server_written(db->server, NULL, 0) : 0;
    Str *names = NEW_ARRAY(&arena, Str, n);
    if (n) server_written(db->server, names, n);
    text_adds(&t, "[");
    for (int i = 0; i < n; i++) {
        if (i) text_adds(&t, ", ");
        json_string(&t, names[i]);
    }
    text_adds(&t, "]");
    *out = to_heap(t.p, t.n);
    arena_free(&arena);
    return true;
}

/* ---- statements ---- */

bool sqm_prepare_would_block(const sqm_connection_t *db, const char *sql, size_t sql_len, bool literal_percent) {
    if (sql_len == SIZE_MAX) sql_len = strlen(sql);
    return !cache_find(db, sql, sql_len, literal_percent);
}

bool sqm_prepare(sqm_connection_t *db, const char *sql, size_t sql_len, bool literal_percent, sqm_statement_t **out, sqm_error_t *error) {
    sqm_error_t own;
    error_needed(&error, &own);
    *out = NULL;
    if (sql_len == SIZE_MAX) sql_len = strlen(sql);
    if (db->server && server_forked(db->server)) return error_set(error, SQM_ERROR_INTERFACE, "this connection was opened before fork() and can't be used in the child");
    Prepared *p = prepare(db, sql, sql_len, literal_percent, error);
    if (!p) {
        if (db->server && server_in_transaction(db->server)) server_fail_transaction(db->server);
        return false;
    }
    sqm_statement_t *st = calloc(1, sizeof *st);
    int n = p->resolved->n_parameters;
    Value *params = calloc((size_t)n + 1, sizeof *params);
    bool *bound = calloc((size_t)n + 1, sizeof *bound);
    Value *columns = calloc((size_t)p->n_columns + 1, sizeof *columns);
    if (!st || !params || !bound || !columns) abort();
    st->db = db;
    st->p = p;
    st->params = params;
    st->bound = bound;
    st->columns = columns;
    st->rows_affected = -1;
    *out = st;
    return true;
}

static void stop(sqm_statement_t *st) {
    if (!st->executing) return;
    if (st->run) exec_query_close(st->run);
    st->run = NULL;
    st->dml = NULL;
    exec_clear(&st->x);
    st->executing = false;
    st->row = NULL;
    st->lines = (Text){0};
}

void sqm_reset(sqm_statement_t *st) {
    stop(st);
    st->state = READY;
    memset(st->bound, 0, (size_t)st->p->resolved->n_parameters * sizeof *st->bound);
}

void sqm_finalize(sqm_statement_t *st) {
    if (!st) return;
    stop(st);
    prepared_release(st->p);
    free(st->params);
    free(st->bound);
    free(st->columns);
    free(st);
}

int sqm_parameter_count(const sqm_statement_t *st) { return st->p->resolved->n_parameters; }

const char *sqm_parameter_name(const sqm_statement_t *st, int i) {
    Str name = st->p->resolved->parameter_names.at[i];
    return name.n ? arena_str(&st->p->arena, name.p, name.n).p : NULL;
}

void sqm_bind(sqm_statement_t *st, int i, const sqm_value_t *value) {
    st->params[i] = *value;
    st->bound[i] = true;
}

bool sqm_returns_rows(const sqm_statement_t *st) { return st->p->n_columns > 0 || st->p->output != NULL; }
int sqm_column_count(const sqm_statement_t *st) { return st->p->n_columns; }
const char *sqm_column_name(const sqm_statement_t *st, int i) { return st->p->names[i]; }
const char *sqm_column_type(const sqm_statement_t *st, int i) { return st->p->types[i]; }
const sqm_value_t *sqm_row(const sqm_statement_t *st) { return st->row; }
int64_t sqm_rows_affected(const sqm_statement_t *st) { return st->rows_affected; }
int64_t sqm_last_insert_id(const sqm_statement_t *st) { return st->last_insert_id; }
const char *sqm_statement_kind(const sqm_statement_t *st) { return stmt_name(st->p->resolved->tag); }

/* ---- running ---- */

static bool statement_fails(sqm_statement_t *st) {
    st->state = FAILED;
    Server *server = st->db->server;
    stop(st);
    if (server && server_in_transaction(server)) server_fail_transaction(server);
    return false;
}

static bool check_bindings(sqm_statement_t *st, sqm_error_t *error) {
    const Resolved *r = st->p->resolved;
    for (int i = 0; i < r->n_parameters; i++)
        if (!st->bound[i]) return error_set(error, SQM_ERROR_PARAMETER_COUNT, "no value was bound to parameter %d", i + 1);
    return true;
}

/* Were parameters that the plan takes for one bound to the same value, and those that it takes for integers to integers? */
static bool promises_hold(const sqm_statement_t *st) {
    const Resolved *r = st->p->resolved;
    for (int i = 0; i < r->integer_params.n; i++)
        if (st->params[r->integer_params.at[i]].type != SQM_INT) return false;
    for (int i = 0; i < r->same_params.n; i++) {
        const Value *a = &st->params[r->same_params.at[i].a], *b = &st->params[r->same_params.at[i].b];
        if (a->type != b->type || !value_same(a, b)) return false;
    }
    return true;
}

static void start_exec(sqm_statement_t *st, sqm_error_t *error) {
    exec_init(&st->x, st->db->server, st->p->plan, st->params, st->p->resolved->n_parameters, (size_t)st->db->options.work_mem, error);
    st->x.catalog = st->p->catalog;
    st->x.foreign = st->db->foreign;
    st->executing = true;
}

static bool run_text(sqm_connection_t *db, Str sql, sqm_error_t *error) {
    sqm_statement_t *st;
    if (!sqm_prepare(db, sql.p, sql.n, true, &st, error)) return false;
    sqm_step_t step = sqm_step(st, error);
    sqm_finalize(st);
    return step != SQM_STEP_ERROR;
}

/* CREATE TABLE ... AS: the rows. If they can't be had, there is no table. */
static bool fill_table(sqm_connection_t *db, const Stmt *stmt, sqm_error_t *error) {
    Arena arena = {0};
    AstExpr name = {.tag = AST_COLUMN, .name = stmt->name};
    Text quoted = {.arena = &arena};
    ast_expr_sql(&quoted, &name);
    bool ok = run_text(db, arena_printf(&arena, "INSERT INTO %s " STR_FMT, quoted.p, STR_ARG(stmt->text)), error);
    sqm_error_t ignored;
    if (!ok) {
        error->position = -1;      /* it would be one in the INSERT */
        run_text(db, arena_printf(&arena, "DROP TABLE %s", quoted.p), &ignored);
    }
    arena_free(&arena);
    return ok;
}

/* Waits until nobody is changing a table that the statement speaks of, and compiles it for what they are then. */
static bool settle(sqm_statement_t *st, sqm_error_t *error) {
    sqm_connection_t *db = st->db;
    int64_t deadline = 0;
    if (db->server && st->p->plan && st->p->resolved->reads_catalogue && !load_catalogue(db, error)) return false;
    for (;;) {
        if (st->p->catalog != db->catalog && st->p->plan) {   /* the schema has changed since: compile again */
            Prepared *fresh = prepare(db, st->p->sql.p, st->p->sql.n, st->p->literal_percent, error);
            if (!fresh) return false;
            if (fresh->n_columns != st->p->n_columns) {
                prepared_release(fresh);
                return error_set(error, SQM_ERROR_DATATYPE_MISMATCH, "the table's columns have changed since the statement was prepared");
            }
            prepared_release(st->p);
            st->p = fresh;
        }
        if (!db->server || !st->p->plan || !lease_any_lock(db->lease)) return true;
        const Table *blocked = NULL;
        bool broken = false;
        for (int i = 0; i < st->p->resolved->tables.n && !blocked; i++)
            if (is_blocked(db, st->p->resolved->tables.at[i]->name, &broken)) blocked = st->p->resolved->tables.at[i];
        if (!blocked) return true;
        if (broken)
            return error_set(error, SQM_ERROR_OBJECT_IN_USE, "a change of the definition of \"" STR_FMT "\" was cut off before it was complete: it has to be run again", STR_ARG(blocked->name));
        if (!deadline) deadline = clock_ms() + server_lock_timeout(db->server);
        if (clock_ms() >= deadline)
            return error_set(error, SQM_ERROR_LOCK_NOT_AVAILABLE, "could not use \"" STR_FMT "\" within %d ms: another connection is changing its definition", STR_ARG(blocked->name),
                             server_lock_timeout(db->server));
        pause_ms(LOCK_POLL_MS);
        if (!lease_renew(db->lease, error)) return false;
        if (lease_version(db->lease) != db->catalog->version && !load_catalogue(db, error)) return false;
    }
}

/* A transaction that reads its own snapshot can't follow a table that has changed since. */
static bool fits_transaction(sqm_statement_t *st, sqm_error_t *error) {
    sqm_connection_t *db = st->db;
    if (!server_in_transaction(db->server) || !st->p->plan) return true;
    if (!db->in_transaction || !server_reads_inside(db->server)) {
        if (db->in_transaction != db->catalog) begin_with(db);
        return true;
    }
    if (db->in_transaction == db->catalog) return true;
    for (int i = 0; i < st->p->resolved->tables.n; i++) {
        const Table *t = st->p->resolved->tables.at[i], *was = catalog_find_table(db->in_transaction, t->name);
        if (was && table_same_definition(was, t)) continue;
        if (!was && !t->declared) continue;
        return error_set(error, SQM_ERROR_SERIALIZATION_FAILURE, "the definition of \"" STR_FMT "\" has changed since the transaction began", STR_ARG(t->name));
    }
    return true;
}

static bool run_ddl(sqm_statement_t *st, sqm_error_t *error) {
    const Stmt *stmt = st->p->resolved->stmt;
    sqm_error_t ignored;
    bool changed;
    if (stmt->tag == STMT_CREATE_TABLE && stmt->select && st->p->resolved->n_parameters)
        return error_set(error, SQM_ERROR_NOT_SUPPORTED, "a parameter in CREATE TABLE ... AS is not supported");
    if (!run_definition(st->db, stmt, st->p->sql, &changed, error)) {
        if (st->db->server) load_catalogue(st->db, &ignored);
        return false;
    }
    return !changed || stmt->tag != STMT_CREATE_TABLE || !stmt->select || !st->db->server || fill_table(st->db, stmt, error);
}

static void show_eval(Eval *ev, Exec *x) {
    exec_eval_init(x, ev, NULL, NULL, &x->arena);
}

static bool any_unbound(const sqm_statement_t *st) {
    for (int i = 0; i < st->p->resolved->n_parameters; i++)
        if (!st->bound[i]) return true;
    return false;
}

static bool only_reads(const Resolved *r) { return r->query && !r->parts.n; }

static bool run_explain(sqm_statement_t *st, sqm_error_t *error) {
    const Stmt *stmt = st->p->resolved->stmt;
    if (!st->p->plan) return error_set(error, SQM_ERROR_NOT_SUPPORTED, "EXPLAIN of %s is not supported", stmt_name(stmt->explained->tag));
    start_exec(st, error);
    Exec *x = &st->x;
    Eval ev;
    bool json = str_ieq(stmt->explain_format, STR("json"));
    st->lines = (Text){.arena = &x->arena};
    st->as_json = json;
    if (stmt->analyze) {
        if (!only_reads(st->p->resolved)) return error_set(error, SQM_ERROR_NOT_SUPPORTED, "EXPLAIN ANALYZE is supported for SELECT only");
        exec_enable_stats(x);
        int64_t before = exec_round_trips(x);
        struct timespec begin, end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        QueryRun *run = exec_query_open(x, st->p->plan->query, NULL);
        int r;
        while ((r = exec_query_next(run)) == 1) { }
        if (r >= 0) {
            clock_gettime(CLOCK_MONOTONIC, &end);
            show_eval(&ev, x);
            int64_t trips = exec_round_trips(x) - before;
            double ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec - x->stats->probe_nanoseconds) / 1e6;
            if (json) explain_json(&st->lines, st->p->plan, &ev, x, trips, ms);
            else {
                explain_plan(&st->lines, st->p->plan, &ev, x);
                text_addf(&st->lines, "Round trips: %lld\nExecution time: %.3f ms\n", (long long)trips, ms);
            }
        }
        exec_query_close(run);
        if (r < 0) return false;
    } else {
        show_eval(&ev, x);
        if (json) explain_json(&st->lines, st->p->plan, &ev, NULL, 0, 0);
        else explain_plan(&st->lines, st->p->plan, &ev, NULL);
    }
    if (json && !json_parse(&x->arena, (Str){st->lines.p, (uint32_t)st->lines.n}, &st->line, error))
        return error_set(error, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, "the plan is nested too deeply for JSON; EXPLAIN without FORMAT JSON shows it");
    if (json) st->line.type = SQM_BSON;     /* the caller's own lists and mappings, as other drivers give a json column */
    st->line_at = 0;
    st->state = RUNNING;
    return true;
}

static bool run_show(sqm_statement_t *st, sqm_error_t *error) {
    const Stmt *stmt = st->p->resolved->stmt;
    start_exec(st, error);
    st->lines = (Text){.arena = &st->x.arena};
    st->as_json = false;
    sqm_connection_t *db = st->db;
    Str name = stmt->name;
    if (str_ieq(name, STR("server_version"))) {
        int v = sqm_server_version(db);
        text_addf(&st->lines, "%d.%d.%d\n", v / 1000000, v / 1000 % 1000, v % 1000);
    } else if (str_ieq(name, STR("transaction_isolation")) || str_ieq(name, STR("transaction isolation level"))) {
        text_addf(&st->lines, "%s\n", db->server ? server_isolation(db->server) : "read committed");
    } else if (str_ieq(name, STR("timezone"))) {
        text_adds(&st->lines, "UTC\n");
    } else {
        return error_set(error, SQM_ERROR_UNDEFINED_OBJECT, "unrecognized configuration parameter \"" STR_FMT "\"", STR_ARG(name));
    }
    st->line_at = 0;
    st->state = RUNNING;
    return true;
}

static bool run_set(sqm_statement_t *st, sqm_error_t *error) {
    const Stmt *stmt = st->p->resolved->stmt;
    Server *s = st->db->server;
    if (str_ieq(stmt->name, STR("transaction_isolation")) || str_ieq(stmt->name, STR("default_transaction_isolation"))) return !s || server_set_isolation(s, stmt->text, error);
    if (str_ieq(stmt->name, STR("lock_timeout"))) {
        char digits[16];
        snprintf(digits, sizeof digits, STR_FMT, STR_ARG(stmt->text));
        if (s) server_set_lock_timeout(s, atoi(digits));
        return true;
    }
    if (str_ieq(stmt->name, STR("timezone")) && (str_ieq(stmt->text, STR("UTC")) || str_ieq(stmt->text, STR("default")))) return true;
    return error_set(error, SQM_ERROR_NOT_SUPPORTED, "SET " STR_FMT " is not supported", STR_ARG(stmt->name));
}

static bool is_transaction_end(StmtTag tag) { return tag == STMT_ROLLBACK || tag == STMT_ROLLBACK_TO || tag == STMT_COMMIT; }

static bool start_write(sqm_statement_t *st, sqm_error_t *error) {
    start_exec(st, error);
    if (!dml_run(&st->x, st->p->catalog, &st->dml, error)) return false;
    st->rows_affected = dml_rows_affected(st->dml);
    st->last_insert_id = dml_last_insert_id(st->dml);
    st->state = RUNNING;
    return true;
}

/* Everything up to the first row. */
static bool start(sqm_statement_t *st, sqm_error_t *error) {
    sqm_connection_t *db = st->db;
    StmtTag tag = st->p->resolved->tag;
    const Stmt *stmt = st->p->resolved->stmt;
    st->rows_affected = -1;
    st->last_insert_id = 0;
    if (!check_bindings(st, error)) return false;
    if (db->server) {
        if (!is_transaction_end(tag) && !server_check(db->server, error)) return false;
        if (!is_transaction_end(tag) && !check_catalogue(db, error)) return false;
    }
    if (!settle(st, error) || (db->server && !fits_transaction(st, error))) return false;
    if (!promises_hold(st)) {
        Prepared *own = prepared_new(db, st->p->sql.p, st->p->sql.n, st->p->literal_percent, st->params, false, error);
        if (!own) return false;
        prepared_release(st->p);
        st->p = own;
    }
    switch (tag) {
    case STMT_SELECT:
        if (!db->server) return error_set(error, SQM_ERROR_INTERFACE, "connection is offline");
        if (st->p->resolved->parts.n) return start_write(st, error);
        start_exec(st, error);
        st->run = exec_query_open(&st->x, st->p->plan->query, NULL);
        st->state = RUNNING;
        return st->run != NULL;
    case STMT_INSERT: case STMT_UPDATE: case STMT_DELETE:
        if (!db->server) return error_set(error, SQM_ERROR_INTERFACE, "connection is offline");
        return start_write(st, error);
    case STMT_EXPLAIN: return run_explain(st, error);
    case STMT_SHOW: return run_show(st, error);
    case STMT_SET: st->state = ENDED; return run_set(st, error);
    case STMT_BEGIN:
        st->state = ENDED;
        if (!db->server) return true;
        if (stmt->text.n && !server_in_transaction(db->server) && !server_set_isolation(db->server, stmt->text, error)) return false;
        return server_begin(db->server, error);
    case STMT_COMMIT: st->state = ENDED; return commit(db, error);
    case STMT_ROLLBACK: st->state = ENDED; return rollback(db, error);
    case STMT_SAVEPOINT: st->state = ENDED; return !db->server || server_savepoint(db->server, stmt->name, error);
    case STMT_RELEASE: st->state = ENDED; return !db->server || server_release(db->server, stmt->name, error);
    case STMT_ROLLBACK_TO: st->state = ENDED; return !db->server || server_rollback_to(db->server, stmt->name, error);
    case STMT_CREATE_TABLE: case STMT_ALTER_TABLE: case STMT_DROP_TABLE: case STMT_CREATE_INDEX: case STMT_DROP_INDEX: case STMT_RENAME_INDEX: case STMT_CREATE_VIEW:
    case STMT_DROP_VIEW: case STMT_TRUNCATE: case STMT_COMMENT: case STMT_CREATE_DATABASE: case STMT_DROP_DATABASE:
        st->state = ENDED;
        return run_ddl(st, error);
    }
    return false;
}

static sqm_step_t next_line(sqm_statement_t *st) {
    if (st->line_at >= st->lines.n) { st->state = ENDED; return SQM_DONE; }
    const char *begin = st->lines.p + st->line_at, *end = memchr(begin, '\n', st->lines.n - st->line_at);
    size_t n = end ? (size_t)(end - begin) : st->lines.n - st->line_at;
    st->line_at += n + 1;
    if (st->as_json) st->line_at = st->lines.n;
    else st->line = sqm_text(begin, n);
    st->row = &st->line;
    return SQM_ROW;
}

/* Errors are the caller's to clean up after. */
static sqm_step_t take_step(sqm_statement_t *st, sqm_error_t *error) {
    if (st->state == READY && !start(st, error)) return SQM_STEP_ERROR;
    if (st->state == ENDED) return SQM_DONE;
    if (st->lines.arena) return next_line(st);
    if (st->dml) {
        if (!dml_next_returning(st->dml, &st->row)) { st->row = NULL; st->state = ENDED; stop(st); return SQM_DONE; }
        return SQM_ROW;
    }
    int r = exec_query_next(st->run);
    if (r < 0) return SQM_STEP_ERROR;
    if (r == 0) { st->state = ENDED; stop(st); return SQM_DONE; }
    const QueryPlan *qp = st->p->plan->query;
    const Value *frame = exec_query_eval(st->run)->frame;
    for (int i = 0; i < qp->output.n; i++) st->columns[i] = frame[qp->output.at[i]];
    st->row = st->columns;
    return SQM_ROW;
}

sqm_step_t sqm_step(sqm_statement_t *st, sqm_error_t *error) {
    sqm_error_t own;
    error_needed(&error, &own);
    st->row = NULL;
    if (st->state == ENDED || st->state == FAILED) return SQM_DONE;
    if (st->db->server && server_forked(st->db->server)) {
        error_set(error, SQM_ERROR_INTERFACE, "this connection was opened before fork() and can't be used in the child");
        return SQM_STEP_ERROR;
    }
    if (st->executing) st->x.error = error;
    sqm_step_t step;
    bool fresh = st->state == READY;
    for (int attempt = 1;; attempt++) {
        st->db->current = st;
        st->db->stale = false;
        step = take_step(st, error);
        bool stale = st->db->stale;
        st->db->current = NULL;
        st->db->stale = false;
        if (step != SQM_STEP_ERROR) return step;
        /* Nothing was handed out yet, nor written: the statement has not happened. */
        bool over = fresh && stale && attempt < STALE_ATTEMPTS && !server_in_transaction(st->db->server) && (only_reads(st->p->resolved) || server_has_transactions(st->db->server));
        if (!over) {
            statement_fails(st);
            return step;
        }
        stop(st);
        st->state = READY;
        error_clear(error);
    }
}

bool sqm_step_would_block(const sqm_statement_t *st) {
    if (st->state == ENDED || st->state == FAILED) return false;
    if (st->state == READY) return true;
    if (st->lines.arena || st->dml) return false;
    return !exec_query_buffered(st->run);
}

/* ---- looking inside ---- */

static void add_command(void *context, const bson_t *command) {
    char *json = bson_as_relaxed_extended_json(command, NULL);
    if (json) text_addf(context, "%s\n", json);
    bson_free(json);
}

bool sqm_dump(sqm_statement_t *st, sqm_stage_t stage, char **out, sqm_error_t *error) {
    sqm_error_t own;
    error_needed(&error, &own);
    Arena arena = {0};
    Text t = {.arena = &arena};
    bool ok = true;
    const Stmt *stmt = st->p->resolved->stmt;
    text_adds(&t, "");
    switch (stage) {
    case SQM_STAGE_AST: ast_dump(&t, stmt); break;
    case SQM_STAGE_QUERY: query_dump(&t, st->p->resolved); break;
    case SQM_STAGE_PLAN:
        if (st->p->plan) plan_dump(&t, st->p->plan);
        break;
    case SQM_STAGE_PASSES:
        if (st->p->plan) {
            bool switched = st->db->options.no_optimise;
            st->db->options.no_optimise = true;
            Prepared *plain = prepared_new(st->db, st->p->sql.p, st->p->sql.n, st->p->literal_percent, NULL, false, error);
            st->db->options.no_optimise = switched;
            ok = plain != NULL;
            text_adds(&t, "-- as written\n");
            if (plain) plan_dump(&t, plain->plan);
            text_adds(&t, "-- optimised\n");
            plan_dump(&t, st->p->plan);
            prepared_release(plain);
        }
        break;
    case SQM_STAGE_MQL:
        if (st->p->plan) {
            Exec x;
            Eval ev;
            exec_init(&x, NULL, st->p->plan, any_unbound(st) ? NULL : st->params, st->p->resolved->n_parameters, (size_t)st->db->options.work_mem, error);
            exec_eval_init(&x, &ev, NULL, NULL, &x.arena);
            ok = explain_mql(&t, st->p->plan, &ev);
            exec_clear(&x);
        } else {
            ok = !ddl_is_ddl(stmt->tag) || ddl_commands(st->db->catalog, sqm_server_version(st->db), stmt, st->p->sql, add_command, &t, error);
        }
        break;
    }
    if (ok) *out = to_heap(t.p, t.n);
    arena_free(&arena);
    return ok;
}

/* ---- conversions for callers ---- */

char *sqm_value_to_text(const sqm_value_t *value, size_t *len) {
    Arena arena = {0};
    Str s = value_text(&arena, value);
    char *out = to_heap(s.p, s.n);
    if (len) *len = s.n;
    arena_free(&arena);
    return out;
}
