/* test_server.c - server.h against a real MongoDB: reads, writes, errors, transactions, savepoints, replay, conflicts between connections, fork.
 *
 * Runs only when DJONGO_TEST_URI names a replica set; uses (and drops) the database djongo_test_server. A test is a function; CHECK reports and goes on. */
#include <bson/bson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

static int failures, checks;
static const char *uri;
static const char *const DATABASE = "djongo_test_server";

#define CHECK(condition)                                                                    \
    do {                                                                                    \
        checks++;                                                                           \
        if (!(condition)) failures++, printf("%s:%d: %s\n    %s\n", __func__, __LINE__, #condition, error.message); \
    } while (0)
#define OK(call)                                                                                                        \
    do {                                                                                                                \
        checks++;                                                                                                       \
        error_clear(&error);                                                                                            \
        if (!(call)) failures++, printf("%s:%d: %s\n    %s\n", __func__, __LINE__, #call, error.message);                \
    } while (0)
#define FAILS(call, expected)                                                                                            \
    do {                                                                                                                \
        checks++;                                                                                                       \
        error_clear(&error);                                                                                            \
        if ((call) || error.code != SQM_ERROR_##expected)                                                                \
            failures++, printf("%s:%d: %s should be " #expected "\n    %s: %s\n", __func__, __LINE__, #call, sqm_error_name(error.code), error.message); \
    } while (0)

static sqm_error_t error;

static Server *connect_with(int lock_timeout_ms) {
    Server *s = NULL;
    sqm_options_t options = {.lock_timeout_ms = lock_timeout_ms};
    if (!server_open(uri, DATABASE, &options, &s, &error)) {
        printf("cannot connect: %s\n", error.message);
        exit(1);
    }
    return s;
}

static bson_t *json(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bson_t *json(const char *format, ...) {
    char text[2000];
    bson_error_t parse;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bson_t *b = bson_new_from_json((const uint8_t *)text, -1, &parse);
    if (!b) printf("bad JSON: %s\n", text), abort();
    return b;
}

/* Runs a write, returns n, or -1 with `error` set. Destroys the command. */
static int64_t write_n(Server *s, bson_t *command) {
    bson_t reply;
    bson_iter_t it;
    bool ok = server_write(s, command, &reply, &error);
    int64_t n = bson_iter_init_find(&it, &reply, "n") ? bson_iter_as_int64(&it) : 0;
    bson_destroy(&reply);
    bson_destroy(command);
    return ok ? n : -1;
}

static bool insert(Server *s, const char *table, int id, int value) {
    return write_n(s, json("{\"insert\": \"%s\", \"documents\": [{\"_id\": %d, \"v\": %d}]}", table, id, value)) == 1;
}

static int64_t increment(Server *s, const char *table, int id, int by) {
    return write_n(s, json("{\"update\": \"%s\", \"updates\": [{\"q\": {\"_id\": %d}, \"u\": {\"$inc\": {\"v\": %d}}}]}", table, id, by));
}

static bool run(Server *s, bson_t *command) {
    bson_t reply;
    bool ok = server_command(s, command, false, true, &reply, &error);
    bson_destroy(&reply);
    bson_destroy(command);
    return ok;
}

/* Number of documents matching, summing v; -1 on error. */
static int count(Server *s, ServerView *v, const char *table, const char *filter, int64_t *sum) {
    ServerCursor *c = NULL;
    const bson_t *doc;
    bson_iter_t it;
    int n = 0, got;
    bson_t *command = json("{\"find\": \"%s\", \"filter\": %s}", table, filter);
    bool ok = server_read(s, v, command, &c, &error);
    bson_destroy(command);
    if (!ok) return -1;
    if (sum) *sum = 0;
    while ((got = server_cursor_next(c, &doc, &error)) == 1) {
        n++;
        if (sum && bson_iter_init_find(&it, doc, "v")) *sum += bson_iter_as_int64(&it);
    }
    server_cursor_close(c);
    return got < 0 ? -1 : n;
}

static int64_t value(Server *s, const char *table, int id) {
    char filter[40];
    int64_t v = 0;
    snprintf(filter, sizeof filter, "{\"_id\": %d}", id);
    return count(s, NULL, table, filter, &v) == 1 ? v : -1;
}

static void fresh(Server *s, const char *table) {
    run(s, json("{\"drop\": \"%s\"}", table));
    run(s, json("{\"create\": \"%s\"}", table));
}

static void test_reads_and_errors(void) {
    Server *s = connect_with(0);
    CHECK(server_version(s) >= 5000000 && server_has_transactions(s));
    OK(server_ping(s, &error));
    fresh(s, "a");
    for (int batch = 0; batch < 5; batch++) {
        bson_t command = BSON_INITIALIZER, list, doc;
        BSON_APPEND_UTF8(&command, "insert", "a");
        BSON_APPEND_ARRAY_BEGIN(&command, "documents", &list);
        for (int i = 0; i < 100; i++) {
            char key[16];
            snprintf(key, sizeof key, "%d", i);
            BSON_APPEND_DOCUMENT_BEGIN(&list, key, &doc);
            BSON_APPEND_INT32(&doc, "_id", batch * 100 + i);
            BSON_APPEND_INT32(&doc, "v", 1);
            bson_append_document_end(&list, &doc);
        }
        bson_append_array_end(&command, &list);
        CHECK(write_n(s, bson_copy(&command)) == 100);
        bson_destroy(&command);
    }
    int64_t sum;
    CHECK(count(s, NULL, "a", "{}", &sum) == 500 && sum == 500);      /* more than one batch */
    ServerView *v;
    OK(server_view_open(s, &v, &error));
    CHECK(count(s, v, "a", "{}", NULL) == 500);
    Server *other = connect_with(0);
    OK(insert(other, "a", 1000, 1));
    CHECK(count(s, v, "a", "{}", NULL) == 500);                         /* the view stays where it was */
    CHECK(count(s, NULL, "a", "{}", NULL) == 501);
    server_view_close(v);
    OK(run(s, json("{\"createIndexes\": \"a\", \"indexes\": [{\"key\": {\"u\": 1}, \"name\": \"a_u_key\", \"unique\": true, \"partialFilterExpression\": {\"u\": {\"$gte\": \"\"}}}]}")));
    OK(write_n(s, json("{\"insert\": \"a\", \"documents\": [{\"_id\": 2000, \"u\": \"x\"}]}")) == 1);
    FAILS(write_n(s, json("{\"insert\": \"a\", \"documents\": [{\"_id\": 2001, \"u\": \"x\"}]}")) == 1, UNIQUE_VIOLATION);
    CHECK(strcmp(error.message, "duplicate key value violates unique constraint \"a_u_key\": key (u)=(x) already exists") == 0);
    FAILS(insert(s, "a", 1, 1), UNIQUE_VIOLATION);
    CHECK(strstr(error.message, "\"a_pkey\": key (_id)=(1)") != NULL);
    OK(run(s, json("{\"collMod\": \"a\", \"validator\": {\"$and\": [{\"$or\": [{\"v\": {\"$lt\": 1000}}, {\"v\": null}]}, {\"v\": {\"$ne\": 13}}]}}")));
    FAILS(insert(s, "a", 3000, 13), CHECK_VIOLATION);
    CHECK(strcmp(error.message, "row for relation \"a\" violates check constraint number 2") == 0);
    OK(run(s, json("{\"collMod\": \"a\", \"validator\": {\"$and\": [{\"v\": {\"$ne\": 13}}]}}")));
    FAILS(insert(s, "a", 3000, 13), CHECK_VIOLATION);
    printf("single check: %s\n", error.message);
    bson_t *bad = json("{\"find\": \"a\", \"filter\": {\"$nope\": 1}}");
    ServerCursor *c;
    FAILS(server_read(s, NULL, bad, &c, &error), SERVER);
    bson_destroy(bad);
    server_close(other);
    server_close(s);
    Server *none = NULL;
    sqm_options_t quick = {.server_selection_timeout_ms = 300};
    FAILS(server_open("mongodb://someone:topsecret@127.0.0.1:1/?authSource=x", "d", &quick, &none, &error), CONNECTION);
    CHECK(strstr(error.message, "127.0.0.1:1 within 300 ms") != NULL && !strstr(error.message, "topsecret"));
    FAILS(server_open("mongodb://someone:topsecret@@:x/", "d", &quick, &none, &error), INTERFACE);
    CHECK(!strstr(error.message, "topsecret"));
    FAILS(server_open(uri, "a.b", NULL, &none, &error), INTERFACE);
}

static void test_transactions(void) {
    Server *s = connect_with(0), *other = connect_with(0);
    fresh(s, "t");
    OK(server_begin(s, &error));
    int64_t trips = server_round_trips(s);
    OK(server_commit(s, &error));
    CHECK(server_round_trips(s) == trips);                              /* an empty transaction sends nothing */
    OK(server_begin(s, &error));
    CHECK(count(s, NULL, "t", "{}", NULL) == 0);
    OK(insert(other, "t", 1, 10));
    CHECK(count(s, NULL, "t", "{}", NULL) == 1);                        /* read committed */
    OK(insert(s, "t", 2, 20));
    CHECK(count(s, NULL, "t", "{}", NULL) == 2);
    CHECK(count(other, NULL, "t", "{}", NULL) == 1);
    Str names[4];
    CHECK(server_written(s, names, 4) == 1 && str_is(names[0], "t"));
    OK(server_commit(s, &error));
    CHECK(count(other, NULL, "t", "{}", NULL) == 2);
    OK(server_begin(s, &error));
    OK(insert(s, "t", 3, 30));
    OK(server_rollback(s, &error));
    CHECK(count(other, NULL, "t", "{}", NULL) == 2);
    /* a failed statement */
    OK(server_begin(s, &error));
    OK(insert(s, "t", 3, 30));
    FAILS(insert(s, "t", 3, 31), UNIQUE_VIOLATION);
    FAILS(insert(s, "t", 4, 31), IN_FAILED_TRANSACTION);
    FAILS(server_commit(s, &error), IN_FAILED_TRANSACTION);
    CHECK(count(other, NULL, "t", "{}", NULL) == 2);
    CHECK(!server_in_transaction(s));
    /* isolation */
    OK(server_set_isolation(s, STR("snapshot"), &error));
    OK(server_begin(s, &error));
    CHECK(value(s, "t", 1) == 10);
    OK(increment(other, "t", 1, 1) == 1);
    CHECK(value(s, "t", 1) == 10);
    FAILS(increment(s, "t", 1, 1) == 1, SERIALIZATION_FAILURE);
    OK(server_rollback(s, &error));
    FAILS(server_set_isolation(s, STR("chaos"), &error), INVALID_ARGUMENT);
    server_close(s);
    server_close(other);
}

static void test_savepoints(void) {
    Server *s = connect_with(0), *other = connect_with(0);
    fresh(s, "t");
    fresh(s, "t2");
    FAILS(server_savepoint(s, STR("x"), &error), NO_ACTIVE_TRANSACTION);
    OK(server_begin(s, &error));
    OK(insert(s, "t", 1, 10));
    OK(insert(s, "t2", 1, 10));
    OK(insert(s, "t", 2, 20));
    OK(server_savepoint(s, STR("x"), &error));
    OK(increment(s, "t", 1, 5) == 1);
    CHECK(value(s, "t", 1) == 15);
    OK(server_rollback_to(s, STR("x"), &error));
    CHECK(value(s, "t", 1) == 10 && value(s, "t2", 1) == 10);
    /* free when nothing was written */
    int64_t trips = server_round_trips(s);
    OK(server_savepoint(s, STR("y"), &error));
    OK(server_rollback_to(s, STR("y"), &error));
    CHECK(server_round_trips(s) == trips);
    CHECK(value(s, "t", 2) == 20 && server_round_trips(s) == trips + 1);
    /* an error inside, the same name twice */
    OK(server_savepoint(s, STR("x"), &error));
    OK(insert(s, "t", 3, 30));
    OK(server_savepoint(s, STR("x"), &error));
    FAILS(insert(s, "t", 3, 31), UNIQUE_VIOLATION);
    FAILS(server_savepoint(s, STR("z"), &error), IN_FAILED_TRANSACTION);
    OK(server_rollback_to(s, STR("x"), &error));
    CHECK(count(s, NULL, "t", "{}", NULL) == 3);
    OK(server_release(s, STR("x"), &error));
    OK(server_rollback_to(s, STR("x"), &error));                       /* the outer one now */
    CHECK(count(s, NULL, "t", "{}", NULL) == 2);
    FAILS(server_rollback_to(s, STR("nope"), &error), INVALID_SAVEPOINT);
    OK(server_rollback_to(s, STR("x"), &error));
    /* findAndModify, update and delete in the replay */
    OK(server_savepoint(s, STR("p"), &error));
    bson_t reply, *fam = json("{\"findAndModify\": \"t\", \"query\": {\"_id\": 1}, \"update\": {\"$inc\": {\"v\": 1}}, \"new\": true}");
    OK(server_write(s, fam, &reply, &error));
    bson_destroy(&reply);
    bson_destroy(fam);
    OK(increment(s, "t", 1, 100) == 1);
    OK(increment(s, "t", 2, 100) == 1);
    OK(write_n(s, json("{\"delete\": \"t2\", \"deletes\": [{\"q\": {\"_id\": 1}, \"limit\": 1}]}")) == 1);
    OK(write_n(s, json("{\"update\": \"t\", \"updates\": [{\"q\": {\"_id\": 99}, \"u\": {\"$set\": {\"v\": 7}}, \"upsert\": true}]}")) == 1);
    OK(server_savepoint(s, STR("q"), &error));
    OK(increment(s, "t", 2, 1000) == 1);
    OK(server_rollback_to(s, STR("q"), &error));
    CHECK(value(s, "t", 1) == 111 && value(s, "t", 2) == 120 && value(s, "t", 99) == 7 && count(s, NULL, "t2", "{}", NULL) == 0);
    OK(server_rollback_to(s, STR("q"), &error));
    /* DDL in between: the transaction steps aside */
    OK(run(s, json("{\"createIndexes\": \"t\", \"indexes\": [{\"key\": {\"v\": 1}, \"name\": \"v\"}]}")));
    CHECK(value(s, "t", 1) == 111);
    OK(run(s, json("{\"createIndexes\": \"t2\", \"indexes\": [{\"key\": {\"v\": 1}, \"name\": \"v\"}]}")));
    OK(server_commit(s, &error));
    CHECK(value(other, "t", 1) == 111 && value(other, "t", 99) == 7 && count(other, NULL, "t", "{}", NULL) == 3);
    /* ROLLBACK TO, then COMMIT at once: the commit replays */
    OK(server_begin(s, &error));
    OK(increment(s, "t", 1, 1) == 1);
    OK(server_savepoint(s, STR("a"), &error));
    OK(increment(s, "t", 1, 1) == 1);
    OK(server_rollback_to(s, STR("a"), &error));
    OK(server_commit(s, &error));
    CHECK(value(other, "t", 1) == 112);
    server_close(s);
    server_close(other);
}

/* A failed statement makes the server abort; what came before the savepoint has its locks again at once, what came after it is free. (Rows that somebody changes in the moment between
 * are in tests/concurrency/test_deadlocks.py.) */
static void test_locks_survive_a_failure(void) {
    Server *s = connect_with(400), *other = connect_with(400);
    fresh(s, "t");
    for (int i = 1; i <= 3; i++) OK(insert(s, "t", i, i * 10));
    OK(server_begin(s, &error));
    OK(increment(s, "t", 1, 1) == 1);
    OK(server_savepoint(s, STR("x"), &error));
    OK(increment(s, "t", 3, 1) == 1);
    FAILS(insert(s, "t", 2, 0), UNIQUE_VIOLATION);
    OK(server_begin(other, &error));
    CHECK(increment(other, "t", 1, 1000) != 1 && error.code == SQM_ERROR_LOCK_NOT_AVAILABLE);
    OK(server_rollback(other, &error));
    OK(server_begin(other, &error));
    OK(increment(other, "t", 3, 1000) == 1);
    OK(server_commit(other, &error));
    OK(server_rollback_to(s, STR("x"), &error));
    CHECK(value(s, "t", 1) == 11);
    OK(server_commit(s, &error));
    CHECK(value(other, "t", 1) == 11 && value(other, "t", 3) == 1030);
    /* without a savepoint everything is free at once */
    OK(server_begin(s, &error));
    OK(increment(s, "t", 1, 1) == 1);
    FAILS(insert(s, "t", 2, 0), UNIQUE_VIOLATION);
    OK(increment(other, "t", 1, 100) == 1);
    OK(server_rollback(s, &error));
    CHECK(value(other, "t", 1) == 111);
    server_close(s);
    server_close(other);
}

typedef struct Later { Server *s; int ms; bool commit; } Later;
static void *finish_later(void *p) {
    Later *l = p;
    struct timespec t = {0, l->ms * 1000000L};
    nanosleep(&t, NULL);
    sqm_error_t ignored;
    if (l->commit) server_commit(l->s, &ignored);
    else server_rollback(l->s, &ignored);
    return NULL;
}

static void test_conflicts(void) {
    Server *a = connect_with(3000), *b = connect_with(3000);
    pthread_t thread;
    fresh(a, "t");
    for (int i = 1; i <= 3; i++) OK(insert(a, "t", i, 0));
    /* b waits for a and then works on what a committed, keeping its own earlier writes */
    OK(server_begin(a, &error));
    OK(increment(a, "t", 1, 1) == 1);
    OK(server_begin(b, &error));
    OK(increment(b, "t", 2, 5) == 1);
    Later later = {a, 100, true};
    pthread_create(&thread, NULL, finish_later, &later);
    OK(increment(b, "t", 1, 10) == 1);
    pthread_join(thread, NULL);
    CHECK(value(b, "t", 1) == 11 && value(b, "t", 2) == 5);
    OK(server_commit(b, &error));
    CHECK(value(a, "t", 1) == 11 && value(a, "t", 2) == 5);
    /* nobody gives way: a time-out, and a transaction that must be rolled back; NOWAIT */
    OK(server_begin(a, &error));
    OK(increment(a, "t", 1, 1) == 1);
    OK(server_begin(b, &error));
    server_set_lock_timeout(b, 0);
    FAILS(increment(b, "t", 1, 1) == 1, LOCK_NOT_AVAILABLE);
    printf("nowait: %s\n", error.message);
    OK(server_rollback(b, &error));
    server_set_lock_timeout(b, 200);
    OK(server_begin(b, &error));
    FAILS(increment(b, "t", 1, 1) == 1, LOCK_NOT_AVAILABLE);
    FAILS(increment(b, "t", 3, 1) == 1, IN_FAILED_TRANSACTION);
    OK(server_rollback(b, &error));
    OK(server_rollback(a, &error));
    server_set_lock_timeout(b, -1);
    /* bracketed statements start over: read, compute, write */
    OK(server_begin(a, &error));
    OK(increment(a, "t", 3, 100) == 1);
    later = (Later){a, 60, true};
    pthread_create(&thread, NULL, finish_later, &later);
    for (int explicit_ = 0; explicit_ < 2; explicit_++) {
        if (explicit_) OK(server_begin(b, &error));
        if (explicit_) OK(increment(b, "t", 2, 1) == 1);
        int rounds = 0;
        for (bool retry = true; retry; rounds++) {
            OK(server_statement_begin(b, &error));
            int64_t v = value(b, "t", 3);
            bool ok = write_n(b, json("{\"update\": \"t\", \"updates\": [{\"q\": {\"_id\": 3}, \"u\": {\"$set\": {\"v\": %d}}}]}", (int)v * 2 + 1)) == 1;
            bool done = server_statement_end(b, ok, &retry, &error);
            CHECK(done || retry);
        }
        if (explicit_) OK(server_commit(b, &error));
        else CHECK(rounds > 1);
    }
    pthread_join(thread, NULL);
    CHECK(value(a, "t", 3) == 403 && value(a, "t", 2) == 6);
    /* an implicit transaction that fails leaves nothing */
    bool retry;
    OK(server_statement_begin(a, &error));
    OK(insert(a, "t", 50, 1));
    FAILS(insert(a, "t", 1, 1), UNIQUE_VIOLATION);
    CHECK(!server_statement_end(a, false, &retry, &error) && !retry);
    CHECK(count(a, NULL, "t", "{\"_id\": 50}", NULL) == 0);
    OK(insert(a, "t", 51, 1));
    server_close(a);
    server_close(b);
}

static void test_killed_and_cursors(void) {
    Server *s = connect_with(0);
    fresh(s, "t");
    OK(server_begin(s, &error));
    for (int i = 0; i < 300; i++) insert(s, "t", i, 1);
    ServerCursor *c = NULL;
    const bson_t *doc;
    bson_t *find = json("{\"find\": \"t\", \"batchSize\": 50}");
    OK(server_read(s, NULL, find, &c, &error));
    CHECK(server_cursor_next(c, &doc, &error) == 1 && server_cursor_buffered(c));
    OK(server_commit(s, &error));
    int n = 1;
    while (server_cursor_next(c, &doc, &error) == 1) n++;
    CHECK(n == 300);                                                    /* fetched before the commit */
    server_cursor_close(c);
    /* the server ends all transactions: the next command repeats ours */
    OK(server_begin(s, &error));
    OK(increment(s, "t", 1, 41) == 1);
    OK(server_read(s, NULL, find, &c, &error));
    bson_t reply, *kill_all = json("{\"killAllSessions\": []}");
    OK(server_command(s, kill_all, true, false, &reply, &error));
    bson_destroy(&reply);
    bson_destroy(kill_all);
    CHECK(value(s, "t", 1) == 42);
    n = 0;
    while (server_cursor_next(c, &doc, &error) == 1) n++;
    CHECK(n == 50 && error.code == SQM_ERROR_INVALID_CURSOR_STATE);
    server_cursor_close(c);
    OK(server_commit(s, &error));
    CHECK(value(s, "t", 1) == 42);
    bson_destroy(find);
    /* larger than one message */
    bson_t command = BSON_INITIALIZER, list, doc2;
    char *text = malloc(1000001);
    memset(text, 'x', 1000000);
    text[1000000] = 0;
    BSON_APPEND_UTF8(&command, "insert", "t");
    BSON_APPEND_ARRAY_BEGIN(&command, "documents", &list);
    for (int i = 0; i < 40; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        BSON_APPEND_DOCUMENT_BEGIN(&list, key, &doc2);
        BSON_APPEND_INT32(&doc2, "_id", 1000 + i);
        BSON_APPEND_UTF8(&doc2, "s", text);
        bson_append_document_end(&list, &doc2);
    }
    bson_append_array_end(&command, &list);
    bool retry;
    OK(server_statement_begin(s, &error));
    OK(write_n(s, bson_copy(&command)) == 40);
    OK(server_statement_end(s, true, &retry, &error));
    CHECK(count(s, NULL, "t", "{\"_id\": {\"$gte\": 1000}}", NULL) == 40);
    bson_destroy(&command);
    free(text);
    server_close(s);
}

static void test_fork(void) {
    Server *s = connect_with(0);
    fresh(s, "t");
    OK(server_begin(s, &error));
    OK(insert(s, "t", 1, 1));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        failures = 0;
        CHECK(server_forked(s));
        FAILS(insert(s, "t", 2, 2), INTERFACE);
        server_close(s);
        Server *own = connect_with(0);
        OK(insert(own, "t", 3, 3));
        server_close(own);
        fflush(stdout);
        _exit(failures != 0);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    OK(insert(s, "t", 2, 2));
    OK(server_commit(s, &error));
    CHECK(count(s, NULL, "t", "{}", NULL) == 3);
    server_close(s);
}

static int compare_double(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void time_lookup(void) {
    enum { N = 1000 };
    Server *s = connect_with(0);
    fresh(s, "t");
    for (int i = 0; i < 100; i++) insert(s, "t", i, i);
    static double took[N];
    for (int i = 0; i < N; i++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        value(s, "t", i % 100);
        clock_gettime(CLOCK_MONOTONIC, &b);
        took[i] = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
    }
    qsort(took, N, sizeof *took, compare_double);
    printf("lookup by _id: median %.0f us\n", took[N / 2]);
    server_close(s);
}

int main(void) {
    uri = getenv("DJONGO_TEST_URI");
    if (!uri) {
        printf("DJONGO_TEST_URI is not set: skipped\n");
        return 77;
    }
    test_reads_and_errors();
    test_transactions();
    test_savepoints();
    test_locks_survive_a_failure();
    test_conflicts();
    test_killed_and_cursors();
    test_fork();
    if (getenv("DJONGO_TEST_TIMING")) time_lookup();
    Server *s = connect_with(0);
    run(s, json("{\"dropDatabase\": 1}"));
    server_close(s);
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
