/* bare_find.c - the floor under every query: a document by its _id with libmongoc and nothing else, as often as asked.
 *
 *     bare_find URI DATABASE COLLECTION KEYS COUNT       finds {_id: random 1..KEYS} COUNT times and prints the nanoseconds of one find
 *
 * One client, one thread; each find makes its filter, opens a cursor with limit 1 and batch size 1, reads the document and its fields, and closes. */
#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool find(mongoc_collection_t *collection, int64_t key) {
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    BSON_APPEND_INT64(&filter, "_id", key);
    BSON_APPEND_INT64(&options, "limit", 1);
    BSON_APPEND_BOOL(&options, "singleBatch", true);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &filter, &options, NULL);
    const bson_t *document;
    int fields = 0;
    if (mongoc_cursor_next(cursor, &document)) {
        bson_iter_t i;
        for (bson_iter_init(&i, document); bson_iter_next(&i);) fields++;
    }
    bson_error_t error;
    bool ok = !mongoc_cursor_error(cursor, &error) && fields;
    if (!ok) fprintf(stderr, "bare_find: _id %lld: %s\n", (long long)key, fields ? error.message : "no such document");
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    bson_destroy(&options);
    return ok;
}

int main(int argc, char **argv) {
    if (argc != 6) return fprintf(stderr, "usage: bare_find URI DATABASE COLLECTION KEYS COUNT\n"), 2;
    mongoc_init();
    mongoc_client_t *client = mongoc_client_new(argv[1]);
    if (!client) return fprintf(stderr, "bare_find: bad URI\n"), 2;
    mongoc_collection_t *collection = mongoc_client_get_collection(client, argv[2], argv[3]);
    int64_t keys = atoll(argv[4]), count = atoll(argv[5]), spent = 0;
    bool ok = true;
    for (int64_t i = -20; ok && i < count; i++) {       /* the first ones connect */
        int64_t begun = now();
        ok = find(collection, 1 + random() % keys);
        if (i >= 0) spent += now() - begun;
    }
    if (ok) printf("%lld\n", (long long)(spent / count));
    mongoc_collection_destroy(collection);
    mongoc_client_destroy(client);
    mongoc_cleanup();
    return ok ? 0 : 1;
}
