/* foreign.c - foreign keys are checked when a transaction ends: at COMMIT, or at the end of a statement outside of one, as if all were INITIALLY DEFERRED.
 *
 * In: values, noted by whoever writes rows (dml*.c). Out: a FOREIGN_KEY_VIOLATION, or nothing.
 *
 * A value is a violation when no row of the parent has it and a row of the child does, both asked at the end. That needs no more memory than the values, whatever
 * happened in between: a row that was changed again, deleted, or rolled back to a savepoint is not found any more, so notes are never taken back.
 *
 *     INSERT INTO book (author_id) VALUES (7)         { insert: "book" }, { update: "__sqm_keys", updates: [ {q: {_id: "author/11"}, ...} ] },
 *                                                      { aggregate: "author", pipeline: [ {$match: {_id: {$in: [7]}}}, ... ] }, commit
 *     BEGIN; INSERT ... (8); COMMIT                    { find: "author", filter: {_id: {$in: [8]}} }   in the transaction, if it wrote to "author"
 *                                                      { find: "book", filter: {author_id: {$in: [8]}}, limit: 1 }   only if an author is missing
 *
 * The parents of all keys are asked for with one $unionWith outside of the transaction, unless it has written to them itself. MongoDB has no shared lock for "this row must
 * stay", and a write to the parent would make all who refer to it wait for each other. Instead each table that is referred to has STRIPES documents in `__sqm_keys`: who refers to the table
 * changes one of them, its own (server_lane), who deletes from it (or changes a key) changes all, each just before it asks and ends. So a transaction that refers and one that deletes always meet in a
 * write conflict, and the later one asks again on a newer snapshot; two that refer seldom do.
 * Checked are keys of one column between declared tables that djongo 1.3 hasn't written. Not here: ON DELETE actions (dml_cascade.c), rows that were there
 * before the constraint, servers without transactions (where a check at the end could undo nothing). */
#include "foreign.h"

#include <stdlib.h>

#define LOCKS "__sqm_keys"
enum { VALUES_AT_ONCE = 5000, VALUES_TO_ASK = 1000, NAMES = 256, UNION_VERSION = 4004000, STRIPES = 32 };

typedef struct Group {
    Str constraint, child, child_column, child_field, parent, parent_column, parent_field;
    Type child_type, parent_type;
    bool removed;
    Value *values;
    bool *present;              /* in the parent */
    int n, cap;
    int *buckets;               /* number + 1 in values; open addressing over mask + 1 */
    uint32_t mask;
} Group;

struct Foreign {
    Arena arena;
    Group *groups;
    int n, cap;
    VEC(Str) removed_from;      /* parents that rows were removed from */
};

static void *grown(void *p, size_t size) {
    p = realloc(p, size);
    if (!p) abort();
    return p;
}

Foreign *foreign_new(void) {
    Foreign *f = calloc(1, sizeof *f);
    if (!f) abort();
    return f;
}

void foreign_clear(Foreign *f) {
    for (int i = 0; i < f->n; i++) {
        free(f->groups[i].values);
        free(f->groups[i].present);
        free(f->groups[i].buckets);
    }
    f->n = 0;
    f->removed_from.n = f->removed_from.cap = 0;
    f->removed_from.at = NULL;
    arena_clear(&f->arena);
}

void foreign_free(Foreign *f) {
    if (!f) return;
    foreign_clear(f);
    arena_free(&f->arena);
    free(f->groups);
    free(f);
}

bool foreign_any(const Foreign *f) {
    if (f->removed_from.n) return true;
    for (int i = 0; i < f->n; i++)
        if (f->groups[i].n) return true;
    return false;
}

/* ---- values ---- */

static uint32_t bucket_of(const Group *g, const Value *v) {
    uint64_t h = value_hash(v, 0x243F6A8885A308D3ull);
    return (uint32_t)(h ^ h >> 32) & g->mask;
}

static int find_value(const Group *g, const Value *v) {
    if (!g->n) return -1;
    for (uint32_t b = bucket_of(g, v); g->buckets[b]; b = (b + 1) & g->mask)
        if (value_same(&g->values[g->buckets[b] - 1], v)) return g->buckets[b] - 1;
    return -1;
}

static void put_in_bucket(Group *g, int number) {
    uint32_t b = bucket_of(g, &g->values[number]);
    while (g->buckets[b]) b = (b + 1) & g->mask;
    g->buckets[b] = number + 1;
}

static void add_value(Foreign *f, Group *g, const Value *v) {
    if (g->n == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 8;
        g->values = grown(g->values, sizeof *g->values * (size_t)g->cap);
        g->present = grown(g->present, sizeof *g->present * (size_t)g->cap);
        g->mask = (uint32_t)g->cap * 2 - 1;
        g->buckets = grown(g->buckets, sizeof *g->buckets * ((size_t)g->mask + 1));
        memset(g->buckets, 0, sizeof *g->buckets * ((size_t)g->mask + 1));
        for (int i = 0; i < g->n; i++) put_in_bucket(g, i);
    }
    g->values[g->n] = value_copy(&f->arena, v);
    put_in_bucket(g, g->n++);
}

static Str keep(Foreign *f, Str s) { return arena_str(&f->arena, s.p, s.n); }

static Group *group_of(Foreign *f, const ForeignKey *key, bool removed) {
    for (int i = 0; i < f->n; i++) {
        Group *g = &f->groups[i];
        if (g->removed == removed && str_eq(g->constraint, key->constraint->name) && str_eq(g->child, key->child->name)) return g;
    }
    if (f->n == f->cap) f->groups = grown(f->groups, sizeof *f->groups * (size_t)(f->cap = f->cap ? f->cap * 2 : 4));
    const Column *child = &key->child->columns.at[key->child_column], *parent = &key->parent->columns.at[key->parent_column];
    Group *g = &f->groups[f->n++];
    *g = (Group){.constraint = keep(f, key->constraint->name), .child = keep(f, key->child->name), .parent = keep(f, key->parent->name), .removed = removed,
                 .child_type = child->type, .parent_type = parent->type};
    g->child_column = keep(f, child->name);
    g->child_field = keep(f, child->field);
    g->parent_column = keep(f, parent->name);
    g->parent_field = keep(f, parent->field);
    return g;
}

void foreign_note(Foreign *f, const ForeignKey *key, const Value *value, bool removed) {
    if (removed) foreign_note_parent(f, key->parent);
    if (value->type == SQM_NULL) return;
    Group *g = group_of(f, key, removed);
    if (find_value(g, value) < 0) add_value(f, g, value);
}

void foreign_note_parent(Foreign *f, const Table *parent) {
    for (int i = 0; i < f->removed_from.n; i++)
        if (str_eq(f->removed_from.at[i], parent->name)) return;
    Str name = keep(f, parent->name);
    vec_push(&f->arena, &f->removed_from, name);
}

/* ---- locks ---- */

static bool removes_from(const Foreign *f, Str parent) {
    for (int i = 0; i < f->removed_from.n; i++)
        if (str_eq(f->removed_from.at[i], parent)) return true;
    return false;
}

static void append_lock(bson_t *list, uint32_t *n, Str parent, int stripe) {
    bson_t one, q, u, inc;
    char digits[16], *id = bson_strdup_printf(STR_FMT "/%d", STR_ARG(parent), stripe);
    const char *key;
    size_t length = bson_uint32_to_string((*n)++, &key, digits, sizeof digits);
    bson_append_document_begin(list, key, (int)length, &one);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "q", &q);
    BSON_APPEND_UTF8(&q, "_id", id);
    bson_append_document_end(&one, &q);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "u", &u);
    BSON_APPEND_DOCUMENT_BEGIN(&u, "$inc", &inc);
    BSON_APPEND_INT64(&inc, "n", 1);
    bson_append_document_end(&u, &inc);
    bson_append_document_end(&one, &u);
    BSON_APPEND_BOOL(&one, "upsert", true);
    bson_append_document_end(list, &one);
    bson_free(id);
}

bool foreign_lock(Foreign *f, Server *s, sqm_error_t *error) {
    bson_t command = BSON_INITIALIZER, list, reply;
    uint32_t n = 0;
    uint64_t begun = server_generation(s);
    BSON_APPEND_UTF8(&command, "update", LOCKS);
    BSON_APPEND_ARRAY_BEGIN(&command, "updates", &list);
    for (int i = 0; i < f->removed_from.n; i++)
        for (int k = 0; k < STRIPES; k++) append_lock(&list, &n, f->removed_from.at[i], k);
    for (int i = 0; i < f->n; i++) {
        const Group *g = &f->groups[i];
        bool known = !g->n || g->removed || removes_from(f, g->parent);
        for (int k = 0; k < i && !known; k++) known = f->groups[k].n && !f->groups[k].removed && str_eq(f->groups[k].parent, g->parent);
        if (known) continue;
        append_lock(&list, &n, g->parent, (int)(server_lane(s) % STRIPES));
    }
    bson_append_array_end(&command, &list);
    BSON_APPEND_BOOL(&command, "ordered", true);
    bool ok = true;
    if (n) {
        ok = server_write(s, &command, &reply, error);
        bson_destroy(&reply);
        if (!ok || server_generation(s) != begun) server_change_lane(s);     /* a conflict: this one is in use */
    }
    bson_destroy(&command);
    return ok;
}

/* ---- questions ---- */

static void append_str(bson_t *d, const char *key, Str s) { bson_append_utf8(d, key, -1, s.p, (int)s.n); }

/* {field: {$in: [...]}} of the values from *at on, as many as fit; `missing`: those that aren't present. */
static uint32_t append_in(bson_t *filter, const Group *g, Str field, Type type, bool missing, int *at) {
    bson_t ops, list;
    uint32_t n = 0;
    bson_append_document_begin(filter, field.p, (int)field.n, &ops);
    BSON_APPEND_ARRAY_BEGIN(&ops, "$in", &list);
    for (; *at < g->n && n < VALUES_AT_ONCE && list.len < (8 << 20); ++*at) {
        char digits[16];
        const char *key;
        if (missing && g->present[*at]) continue;
        size_t length = bson_uint32_to_string(n++, &key, digits, sizeof digits);
        value_append(&list, key, (int)length, &g->values[*at], type);
    }
    bson_append_array_end(&ops, &list);
    bson_append_document_end(filter, &ops);
    return n;
}

static bool find(Server *s, Str collection, const bson_t *filter, Str field, bool one, ServerCursor **cursor, sqm_error_t *error) {
    bson_t command = BSON_INITIALIZER, fields;
    append_str(&command, "find", collection);
    BSON_APPEND_DOCUMENT(&command, "filter", filter);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "projection", &fields);
    if (!str_is(field, "_id")) BSON_APPEND_INT32(&fields, "_id", 0);
    bson_append_int32(&fields, field.p, (int)field.n, 1);
    bson_append_document_end(&command, &fields);
    if (one) BSON_APPEND_INT32(&command, "limit", 1), BSON_APPEND_BOOL(&command, "singleBatch", true);
    else BSON_APPEND_INT32(&command, "batchSize", VALUES_AT_ONCE + 1);
    bool ok = server_read(s, NULL, &command, cursor, error);
    bson_destroy(&command);
    return ok;
}

static void mark(Group *g, const bson_t *doc, Str field) {
    bson_iter_t it;
    if (!bson_iter_init(&it, doc) || !bson_iter_find_w_len(&it, field.p, (int)field.n)) return;
    Value v = value_from_bson(&it, g->parent_type);
    int i = find_value(g, &v);
    if (i >= 0) g->present[i] = true;
}

static int count_missing(const Group *g) {
    int n = 0;
    for (int i = 0; i < g->n; i++) n += !g->present[i];
    return n;
}

static bool mark_parents(Server *s, Group *g, sqm_error_t *error) {
    bool ok = true;
    memset(g->present, 0, sizeof *g->present * (size_t)g->n);
    for (int at = 0; at < g->n && ok;) {
        bson_t filter = BSON_INITIALIZER;
        ServerCursor *cursor = NULL;
        const bson_t *doc;
        int r = 0;
        append_in(&filter, g, g->parent_field, g->parent_type, false, &at);
        ok = find(s, g->parent, &filter, g->parent_field, false, &cursor, error);
        while (ok && (r = server_cursor_next(cursor, &doc, error)) > 0) mark(g, doc, g->parent_field);
        ok = ok && r == 0;
        server_cursor_close(cursor);
        bson_destroy(&filter);
    }
    return ok;
}

/* 1: a row of the child has one of the values (then *error tells so), 0: none, -1: error. */
static int find_child(Server *s, const Group *g, bool missing, sqm_error_t *error) {
    int r = 0;
    for (int at = 0; at < g->n && r == 0;) {
        bson_t filter = BSON_INITIALIZER;
        ServerCursor *cursor = NULL;
        const bson_t *doc;
        bson_iter_t it;
        if (append_in(&filter, g, g->child_field, g->child_type, missing, &at)) {
            r = find(s, g->child, &filter, g->child_field, true, &cursor, error) ? server_cursor_next(cursor, &doc, error) : -1;
            if (r > 0) {
                Arena arena = {0};
                Value v = value_from_bson(bson_iter_init(&it, doc) && bson_iter_find_w_len(&it, g->child_field.p, (int)g->child_field.n) ? &it : NULL, g->child_type);
                Str text = value_text(&arena, &v);
                if (g->removed)
                    error_set(error, SQM_ERROR_FOREIGN_KEY_VIOLATION,
                              "update or delete on table \"" STR_FMT "\" violates foreign key constraint \"" STR_FMT "\" on table \"" STR_FMT "\": key (" STR_FMT ")=(%.200s) is still referenced",
                              STR_ARG(g->parent), STR_ARG(g->constraint), STR_ARG(g->child), STR_ARG(g->parent_column), text.p);
                else
                    error_set(error, SQM_ERROR_FOREIGN_KEY_VIOLATION,
                              "insert or update on table \"" STR_FMT "\" violates foreign key constraint \"" STR_FMT "\": key (" STR_FMT ")=(%.200s) is not present in table \"" STR_FMT "\"",
                              STR_ARG(g->child), STR_ARG(g->constraint), STR_ARG(g->child_column), text.p, STR_ARG(g->parent));
                arena_free(&arena);
            }
            server_cursor_close(cursor);
        }
        bson_destroy(&filter);
    }
    return r;
}

/* ---- checking ---- */

/* [{$match: {field: {$in: values}}}, {$project: {_id: 0, g: <group>, v: "$field"}}] */
static void append_stages(bson_t *pipeline, const Group *g, int number, uint32_t *n) {
    bson_t stage, inner, literal;
    char digits[16], *path;
    const char *key;
    int at = 0;
    size_t length = bson_uint32_to_string((*n)++, &key, digits, sizeof digits);
    bson_append_document_begin(pipeline, key, (int)length, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$match", &inner);
    append_in(&inner, g, g->parent_field, g->parent_type, false, &at);
    bson_append_document_end(&stage, &inner);
    bson_append_document_end(pipeline, &stage);
    length = bson_uint32_to_string((*n)++, &key, digits, sizeof digits);
    bson_append_document_begin(pipeline, key, (int)length, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$project", &inner);
    BSON_APPEND_INT32(&inner, "_id", 0);
    BSON_APPEND_DOCUMENT_BEGIN(&inner, "g", &literal);
    BSON_APPEND_INT32(&literal, "$literal", number);
    bson_append_document_end(&inner, &literal);
    path = bson_strdup_printf("$" STR_FMT, STR_ARG(g->parent_field));
    BSON_APPEND_UTF8(&inner, "v", path);
    bson_free(path);
    bson_append_document_end(&stage, &inner);
    bson_append_document_end(pipeline, &stage);
}

static bool written_here(Server *s, Str table) {
    Str names[NAMES];
    int n = server_written(s, names, NAMES);
    for (int i = 0; i < n && i < NAMES; i++)
        if (str_eq(names[i], table)) return true;
    return n > NAMES;
}

bool foreign_ask(Foreign *f, Server *s, bool *satisfied, sqm_error_t *error) {
    bson_t command = BSON_INITIALIZER, pipeline, stage, with, inner, cursor_options;
    uint32_t n = 0, n_inner;
    bool *asked = calloc((size_t)f->n + 1, sizeof *asked), any = false, ok = true;
    if (!asked) abort();
    for (int i = 0; i < f->n; i++) {
        Group *g = &f->groups[i];
        if (!g->n || g->removed || g->n > VALUES_TO_ASK || (any && server_version(s) < UNION_VERSION) || written_here(s, g->parent)) continue;
        asked[i] = true;
        memset(g->present, 0, sizeof *g->present * (size_t)g->n);
        if (!any) {
            append_str(&command, "aggregate", g->parent);
            BSON_APPEND_ARRAY_BEGIN(&command, "pipeline", &pipeline);
            append_stages(&pipeline, g, i, &n);
            any = true;
            continue;
        }
        char digits[16];
        const char *key;
        size_t length = bson_uint32_to_string(n++, &key, digits, sizeof digits);
        n_inner = 0;
        bson_append_document_begin(&pipeline, key, (int)length, &stage);
        BSON_APPEND_DOCUMENT_BEGIN(&stage, "$unionWith", &with);
        append_str(&with, "coll", g->parent);
        BSON_APPEND_ARRAY_BEGIN(&with, "pipeline", &inner);
        append_stages(&inner, g, i, &n_inner);
        bson_append_array_end(&with, &inner);
        bson_append_document_end(&stage, &with);
        bson_append_document_end(&pipeline, &stage);
    }
    if (any) {
        ServerCursor *cursor = NULL;
        const bson_t *doc;
        bson_iter_t it;
        int r = 0;
        bson_append_array_end(&command, &pipeline);
        BSON_APPEND_DOCUMENT_BEGIN(&command, "cursor", &cursor_options);
        BSON_APPEND_INT32(&cursor_options, "batchSize", VALUES_AT_ONCE);
        bson_append_document_end(&command, &cursor_options);
        server_note_read(s);
        ok = server_command_read(s, &command, &cursor, error);
        while (ok && (r = server_cursor_next(cursor, &doc, error)) > 0)
            if (bson_iter_init_find(&it, doc, "g")) mark(&f->groups[bson_iter_as_int64(&it)], doc, STR("v"));
        ok = ok && r == 0;
        server_cursor_close(cursor);
    }
    *satisfied = ok;
    for (int i = 0; i < f->n; i++)
        if (f->groups[i].n && !(asked[i] && !count_missing(&f->groups[i]))) *satisfied = false;
    bson_destroy(&command);
    free(asked);
    return ok;
}

bool foreign_check(Foreign *f, Server *s, sqm_error_t *error) {
    for (int i = 0; i < f->n; i++) {
        Group *g = &f->groups[i];
        sqm_error_t own;
        if (!g->n) continue;
        if (g->removed) {           /* mostly nobody refers to it: one question less */
            int r = find_child(s, g, false, &own);
            if (r == 0) continue;
            if (r < 0) {
                if (error) *error = own;
                return false;
            }
        }
        if (!mark_parents(s, g, error)) return false;
        if (count_missing(g) && find_child(s, g, true, error) != 0) return false;
    }
    return true;
}
