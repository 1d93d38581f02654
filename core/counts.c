/* counts.c - how many rows tables have, roughly: what the planner orders joins by.
 *
 * In:  names of tables.  Out: their numbers of documents from the collections' metadata, for all of them in one command:
 *     {aggregate: "book", pipeline: [{$collStats: {count: {}}}, {$unionWith: {coll: "author", pipeline: [{$collStats: {count: {}}}]}}], cursor: {}}
 * Known for COUNTS_MS, in a table that all connections of the process share (it is small and fixed: what is pushed out is asked again). Asked outside of
 * transactions. No answer depends on a count, so one that is old, or unknown because the server wouldn't tell, costs time at most. */
#include "counts.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { COUNTS_MS = 60000, PLACES = 4096 };

typedef struct Count { uint64_t key; int64_t rows, at; } Count;

static Count counts[PLACES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A thread that fork() leaves behind must not hold the lock in the child for ever. */
static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork(void) { pthread_mutex_unlock(&lock); }
__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(before_fork, after_fork, after_fork); }

int64_t counts_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint64_t key_of(const Server *s, Str table) { return hash_bytes(table.p, table.n, server_identity(s)) | 1; }

bool counts_find(const Server *s, Str table, int64_t *rows) {
    uint64_t key = key_of(s, table);
    Count *c = &counts[key % PLACES];
    pthread_mutex_lock(&lock);
    bool known = c->key == key && counts_clock() - c->at < COUNTS_MS;
    if (known) *rows = c->rows;
    pthread_mutex_unlock(&lock);
    return known;
}

static void put(const Server *s, Str table, int64_t rows) {
    uint64_t key = key_of(s, table);
    pthread_mutex_lock(&lock);
    counts[key % PLACES] = (Count){key, rows, counts_clock()};
    pthread_mutex_unlock(&lock);
}

void counts_add(const Server *s, Str table, int64_t rows) {
    uint64_t key = key_of(s, table);
    Count *c = &counts[key % PLACES];
    pthread_mutex_lock(&lock);
    if (c->key == key && c->rows >= 0) c->rows += rows;
    pthread_mutex_unlock(&lock);
}

/* [{$collStats: {count: {}}}] as `key` of `out`, further stages left open. */
static void begin_pipeline(bson_t *out, bson_t *pipeline) {
    bson_t stage, stats, count;
    bson_append_array_begin(out, "pipeline", -1, pipeline);
    bson_append_document_begin(pipeline, "0", -1, &stage);
    bson_append_document_begin(&stage, "$collStats", -1, &stats);
    bson_append_document_begin(&stats, "count", -1, &count);
    bson_append_document_end(&stats, &count);
    bson_append_document_end(&stage, &stats);
    bson_append_document_end(pipeline, &stage);
}

static void count_command(const Str *tables, int n, bson_t *command) {
    bson_t pipeline, inner, stage, with, cursor;
    char key[16];
    bson_append_utf8(command, "aggregate", -1, tables[0].p, (int)tables[0].n);
    begin_pipeline(command, &pipeline);
    for (int i = 1; i < n; i++) {
        snprintf(key, sizeof key, "%d", i);
        bson_append_document_begin(&pipeline, key, -1, &stage);
        bson_append_document_begin(&stage, "$unionWith", -1, &with);
        bson_append_utf8(&with, "coll", -1, tables[i].p, (int)tables[i].n);
        begin_pipeline(&with, &inner);
        bson_append_array_end(&with, &inner);
        bson_append_document_end(&stage, &with);
        bson_append_document_end(&pipeline, &stage);
    }
    bson_append_array_end(command, &pipeline);
    bson_append_document_begin(command, "cursor", -1, &cursor);
    bson_append_document_end(command, &cursor);
}

/* {ns: "database.collection", count: n}, one for each shard that has some of it. */
static bool add_reply(const Server *s, const bson_t *doc, const Str *tables, int n, int64_t *rows) {
    bson_iter_t ns, count;
    size_t database = strlen(server_database(s));
    if (!bson_iter_init_find(&ns, doc, "ns") || !BSON_ITER_HOLDS_UTF8(&ns) || !bson_iter_init_find(&count, doc, "count")) return false;
    Str name = str_from(bson_iter_utf8(&ns, NULL));
    if (name.n <= database) return false;
    name.p += database + 1;
    name.n -= (uint32_t)database + 1;
    for (int i = 0; i < n; i++)
        if (str_eq(name, tables[i])) rows[i] = (rows[i] < 0 ? 0 : rows[i]) + bson_iter_as_int64(&count);
    return true;
}

void counts_fetch(Server *s, const Str *tables, int n) {
    enum { TOGETHER = 50 };
    for (; n > 0; tables += TOGETHER, n -= TOGETHER) {
        int now = n < TOGETHER ? n : TOGETHER;
        int64_t rows[TOGETHER];
        bson_t command = BSON_INITIALIZER;
        ServerCursor *cursor = NULL;
        const bson_t *doc;
        sqm_error_t ignored;
        for (int i = 0; i < now; i++) rows[i] = -1;
        count_command(tables, now, &command);
        if (server_command_read(s, &command, &cursor, &ignored))
            while (server_cursor_next(cursor, &doc, &ignored) == 1) add_reply(s, doc, tables, now, rows);
        server_cursor_close(cursor);
        bson_destroy(&command);
        for (int i = 0; i < now; i++) put(s, tables[i], rows[i]);
    }
}
