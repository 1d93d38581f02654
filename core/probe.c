/* probe.c - what a read cost the server: EXPLAIN ANALYZE asks for each command that a scan sends.
 *
 * In:  a find or aggregate command, as it was sent.  Out: documents and keys examined are added up, and how the documents were found is noted, each way once:
 *     {find: "book", filter: {author_id: {$in: [7, 9]}}}    ->    documents 20, keys 22, access "IXSCAN book_author_id"
 * The server runs the command once more for it ({explain: ..., verbosity: "executionStats"}), outside of the statement's snapshot or transaction, where
 * explain isn't allowed: a transaction's own writes aren't in the figures. Neither that round trip nor its time counts as the statement's (ExecStats.probe_*).
 * A server that doesn't explain (no privilege, a proxy) leaves the figures at "unknown"; the statement goes on. */
#include "node.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static bool is_access(const char *stage) {
    static const char *const names[] = {"COLLSCAN", "IXSCAN", "IDHACK", "COUNT_SCAN", "DISTINCT_SCAN", "CLUSTERED_IXSCAN", "TEXT_MATCH", "GEO_NEAR_2DSPHERE", "SORT", "SORT_MERGE"};
    if (strncmp(stage, "EXPRESS", 7) == 0) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(stage, names[i]) == 0) return true;
    return false;
}

static void note(PlanStats *s, const char *stage, const char *index) {
    char name[sizeof s->access];
    snprintf(name, sizeof name, index ? "%s %s" : "%s", stage, index);
    for (const char *at = strstr(s->access, name); at; at = strstr(at + 1, name)) {
        char before = at == s->access ? ' ' : at[-1], after = at[strlen(name)];
        if (before == ' ' && (after == '\0' || after == ',')) return;
    }
    size_t used = strlen(s->access);
    const char *comma = used ? ", " : "";
    if (used + strlen(comma) + strlen(name) >= sizeof s->access) return;
    memcpy(s->access + used, comma, strlen(comma) + 1);
    memcpy(s->access + used + strlen(comma), name, strlen(name) + 1);
}

static void stages(PlanStats *s, bson_iter_t *it) {
    const char *stage = NULL, *index = NULL;
    bson_iter_t here = *it, child;
    while (bson_iter_next(&here)) {
        if (strcmp(bson_iter_key(&here), "stage") == 0 && BSON_ITER_HOLDS_UTF8(&here)) stage = bson_iter_utf8(&here, NULL);
        else if (strcmp(bson_iter_key(&here), "indexName") == 0 && BSON_ITER_HOLDS_UTF8(&here)) index = bson_iter_utf8(&here, NULL);
    }
    if (stage && is_access(stage)) note(s, stage, index);
    here = *it;
    while (bson_iter_next(&here))
        if ((BSON_ITER_HOLDS_DOCUMENT(&here) || BSON_ITER_HOLDS_ARRAY(&here)) && strcmp(bson_iter_key(&here), "slotBasedPlan") != 0 && bson_iter_recurse(&here, &child))
            stages(s, &child);
}

static bool find_number(bson_iter_t document, const char *key, int64_t *out) {
    if (!bson_iter_find(&document, key)) return false;
    *out = bson_iter_as_int64(&document);
    return true;
}

/* Wherever the reply has them: at the top, inside an aggregation's $cursor stage, or per shard. */
static bool read_reply(PlanStats *s, bson_iter_t *it) {
    bool found = false;
    bson_iter_t child;
    int64_t documents, keys;
    while (bson_iter_next(it)) {
        if ((!BSON_ITER_HOLDS_DOCUMENT(it) && !BSON_ITER_HOLDS_ARRAY(it)) || !bson_iter_recurse(it, &child)) continue;
        const char *key = bson_iter_key(it);
        if (strcmp(key, "winningPlan") == 0) {
            stages(s, &child);
        } else if (strcmp(key, "executionStats") == 0) {
            if (!find_number(child, "totalDocsExamined", &documents) || !find_number(child, "totalKeysExamined", &keys)) continue;
            s->documents = (s->documents < 0 ? 0 : s->documents) + documents;
            s->keys = (s->keys < 0 ? 0 : s->keys) + keys;
            found = true;
        } else if (strcmp(key, "rejectedPlans") != 0 && strcmp(key, "command") != 0) {
            found |= read_reply(s, &child);
        }
    }
    return found;
}

static int64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void probe_command(Exec *x, PlanStats *s, const bson_t *command) {
    int64_t began = clock_ns(), trips = server_round_trips(x->server);
    bson_t explain = BSON_INITIALIZER, reply;
    sqm_error_t ignored;
    bson_iter_t it;
    s->sent++;
    BSON_APPEND_DOCUMENT(&explain, "explain", command);
    BSON_APPEND_UTF8(&explain, "verbosity", "executionStats");
    bool ok = server_command(x->server, &explain, false, false, &reply, &ignored) && bson_iter_init(&it, &reply) && read_reply(s, &it);
    if (!ok) s->unknown = true;
    bson_destroy(&reply);
    bson_destroy(&explain);
    x->stats->probe_trips += server_round_trips(x->server) - trips;
    x->stats->probe_nanoseconds += clock_ns() - began;
}
