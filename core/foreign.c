/* foreign.c - foreign keys are checked when a transaction ends: at COMMIT, or at the end of a statement outside of one, as if all were INITIALLY DEFERRED.
 *
 * In: values, noted by whoever writes rows (dml*.c): of a key of several columns, one of each. Out: a FOREIGN_KEY_VIOLATION, or nothing.
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
 * Checked are keys between declared tables that djongo 1.3 hasn't written. Not here: ON DELETE actions (dml_cascade.c), rows that were there
 * before the constraint, servers without transactions (where a check at the end could undo nothing). */
#include "foreign.h"

#include <stdlib.h>

#include "mql.h"
#include "node.h"

enum { VALUES_AT_ONCE = 5000, VALUES_TO_ASK = 1000, NAMES = 256, UNION_VERSION = 4004000, STRIPES = 32 };

/* One end of a key: its columns as the user calls them ("shop, number") and as documents have them. */
typedef struct End { Str table, columns; TupleField *fields; } End;

typedef struct Group {
    Str constraint;
    End child, parent;
    bool removed;
    int width;                  /* columns of the key */
    Value **values;             /* `width` each */
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
    return (uint32_t)keys_hash(v, g->width) & g->mask;
}

static int find_value(const Group *g, const Value *v) {
    if (!g->n) return -1;
    for (uint32_t b = bucket_of(g, v); g->buckets[b]; b = (b + 1) & g->mask)
        if (keys_same(g->values[g->buckets[b] - 1], v, g->width)) return g->buckets[b] - 1;
    return -1;
}

static void put_in_bucket(Group *g, int number) {
    uint32_t b = bucket_of(g, g->values[number]);
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
    Value *kept = g->values[g->n] = NEW_ARRAY(&f->arena, Value, g->width);
    for (int i = 0; i < g->width; i++) kept[i] = value_copy(&f->arena, &v[i]);
    put_in_bucket(g, g->n++);
}

static Str keep(Foreign *f, Str s) { return arena_str(&f->arena, s.p, s.n); }

static End end_of(Foreign *f, const Table *t, const int *columns, int n) {
    End end = {.table = keep(f, t->name), .fields = NEW_ARRAY(&f->arena, TupleField, n)};
    Text names = {.arena = &f->arena};
    for (int i = 0; i < n; i++) {
        const Column *c = &t->columns.at[columns[i]];
        end.fields[i] = (TupleField){keep(f, c->field), c->type};
        text_addf(&names, "%s" STR_FMT, i ? ", " : "", STR_ARG(c->name));
    }
    end.columns = (Str){names.p, (uint32_t)names.n};
    return end;
}

static Group *group_of(Foreign *f, const ForeignKey *key, bool removed) {
    for (int i = 0; i < f->n; i++) {
        Group *g = &f->groups[i];
        if (g->removed == removed && str_eq(g->constraint, key->constraint->name) && str_eq(g->child.table, key->child->name)) return g;
    }
    if (f->n == f->cap) f->groups = grown(f->groups, sizeof *f->groups * (size_t)(f->cap = f->cap ? f->cap * 2 : 4));
    Group *g = &f->groups[f->n++];
    *g = (Group){.constraint = keep(f, key->constraint->name), .removed = removed, .width = key->n};
    g->child = end_of(f, key->child, key->child_columns, key->n);
    g->parent = end_of(f, key->parent, key->parent_columns, key->n);
    return g;
}

void foreign_note(Foreign *f, const ForeignKey *key, const Value *row, bool removed) {
    const int *columns = removed ? key->parent_columns : key->child_columns;
    Value value[MOST_KEY_COLUMNS];
    if (removed) foreign_note_parent(f, key->parent);
    for (int i = 0; i < key->n; i++) {
        value[i] = row[columns[i]];
        if (value[i].type == SQM_NULL) return;
    }
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
    BSON_APPEND_UTF8(&command, "update", FOREIGN_LOCKS);
    BSON_APPEND_ARRAY_BEGIN(&command, "updates", &list);
    for (int i = 0; i < f->removed_from.n; i++)
        for (int k = 0; k < STRIPES; k++) append_lock(&list, &n, f->removed_from.at[i], k);
    for (int i = 0; i < f->n; i++) {
        const Group *g = &f->groups[i];
        bool known = !g->n || g->removed || removes_from(f, g->parent.table);
        for (int k = 0; k < i && !known; k++) known = f->groups[k].n && !f->groups[k].removed && str_eq(f->groups[k].parent.table, g->parent.table);
        if (known) continue;
        append_lock(&list, &n, g->parent.table, (int)(server_lane(s) % STRIPES));
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

/* The filter for the values from *at on, as many as fit, and how many these are; `missing`: those that aren't present. */
static int append_in(bson_t *filter, const Group *g, const End *end, bool missing, int *at) {
    TupleFilter t;
    tuple_filter_begin(&t, end->fields, g->width);
    for (; *at < g->n && t.n < VALUES_AT_ONCE && !tuple_filter_full(&t); ++*at)
        if (!(missing && g->present[*at])) tuple_filter_add(&t, g->values[*at]);
    int n = t.n;
    tuple_filter_end(&t, filter);
    return n;
}

static bool find(Server *s, const Group *g, const End *end, const bson_t *filter, bool one, ServerCursor **cursor, sqm_error_t *error) {
    bson_t command = BSON_INITIALIZER, fields;
    bool with_id = false;
    append_str(&command, "find", end->table);
    BSON_APPEND_DOCUMENT(&command, "filter", filter);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "projection", &fields);
    for (int i = 0; i < g->width; i++) {
        with_id |= str_is(end->fields[i].name, "_id");
        bson_append_int32(&fields, end->fields[i].name.p, (int)end->fields[i].name.n, 1);
    }
    if (!with_id) BSON_APPEND_INT32(&fields, "_id", 0);
    bson_append_document_end(&command, &fields);
    if (one) BSON_APPEND_INT32(&command, "limit", 1), BSON_APPEND_BOOL(&command, "singleBatch", true);
    else BSON_APPEND_INT32(&command, "batchSize", VALUES_AT_ONCE + 1);
    bool ok = server_read(s, NULL, &command, cursor, error);
    bson_destroy(&command);
    return ok;
}

static Value field_of(const bson_t *doc, const TupleField *field) {
    bson_iter_t it;
    return value_from_bson(bson_iter_init(&it, doc) && bson_iter_find_w_len(&it, field->name.p, (int)field->name.n) ? &it : NULL, field->type);
}

static void mark(Group *g, const Value *value) {
    int i = find_value(g, value);
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
        append_in(&filter, g, &g->parent, false, &at);
        ok = find(s, g, &g->parent, &filter, false, &cursor, error);
        while (ok && (r = server_cursor_next(cursor, &doc, error)) > 0) {
            Value value[MOST_KEY_COLUMNS];
            for (int i = 0; i < g->width; i++) value[i] = field_of(doc, &g->parent.fields[i]);
            mark(g, value);
        }
        ok = ok && r == 0;
        server_cursor_close(cursor);
        bson_destroy(&filter);
    }
    return ok;
}

static void set_violation(const Group *g, const bson_t *child, sqm_error_t *error) {
    Arena arena = {0};
    Text text = {.arena = &arena};
    for (int i = 0; i < g->width; i++) {
        Value v = field_of(child, &g->child.fields[i]);
        text_addf(&text, "%s%.200s", i ? ", " : "", value_text(&arena, &v).p);
    }
    if (g->removed)
        error_set(error, SQM_ERROR_FOREIGN_KEY_VIOLATION,
                  "update or delete on table \"" STR_FMT "\" violates foreign key constraint \"" STR_FMT "\" on table \"" STR_FMT "\": key (" STR_FMT ")=(%s) is still referenced",
                  STR_ARG(g->parent.table), STR_ARG(g->constraint), STR_ARG(g->child.table), STR_ARG(g->parent.columns), text.p);
    else
        error_set(error, SQM_ERROR_FOREIGN_KEY_VIOLATION,
                  "insert or update on table \"" STR_FMT "\" violates foreign key constraint \"" STR_FMT "\": key (" STR_FMT ")=(%s) is not present in table \"" STR_FMT "\"",
                  STR_ARG(g->child.table), STR_ARG(g->constraint), STR_ARG(g->child.columns), text.p, STR_ARG(g->parent.table));
    arena_free(&arena);
}

/* 1: a row of the child has one of the values (then *error tells so), 0: none, -1: error. */
static int find_child(Server *s, const Group *g, bool missing, sqm_error_t *error) {
    int r = 0;
    for (int at = 0; at < g->n && r == 0;) {
        bson_t filter = BSON_INITIALIZER;
        ServerCursor *cursor = NULL;
        const bson_t *doc;
        if (append_in(&filter, g, &g->child, missing, &at)) {
            r = find(s, g, &g->child, &filter, true, &cursor, error) ? server_cursor_next(cursor, &doc, error) : -1;
            if (r > 0) set_violation(g, doc, error);
            server_cursor_close(cursor);
        }
        bson_destroy(&filter);
    }
    return r;
}

/* ---- checking ---- */

/* [{$match: {field: {$in: values}}}, {$project: {_id: 0, g: <group>, v: ["$field"]}}] */
static void append_stages(bson_t *pipeline, const Group *g, int number, uint32_t *n) {
    bson_t stage, inner, literal, fields;
    char digits[16], *path;
    const char *key;
    int at = 0;
    size_t length = bson_uint32_to_string((*n)++, &key, digits, sizeof digits);
    bson_append_document_begin(pipeline, key, (int)length, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$match", &inner);
    append_in(&inner, g, &g->parent, false, &at);
    bson_append_document_end(&stage, &inner);
    bson_append_document_end(pipeline, &stage);
    length = bson_uint32_to_string((*n)++, &key, digits, sizeof digits);
    bson_append_document_begin(pipeline, key, (int)length, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$project", &inner);
    BSON_APPEND_INT32(&inner, "_id", 0);
    BSON_APPEND_DOCUMENT_BEGIN(&inner, "g", &literal);
    BSON_APPEND_INT32(&literal, "$literal", number);
    bson_append_document_end(&inner, &literal);
    BSON_APPEND_ARRAY_BEGIN(&inner, "v", &fields);
    for (int i = 0; i < g->width; i++) {
        length = bson_uint32_to_string((uint32_t)i, &key, digits, sizeof digits);
        path = bson_strdup_printf("$" STR_FMT, STR_ARG(g->parent.fields[i].name));
        bson_append_utf8(&fields, key, (int)length, path, -1);
        bson_free(path);
    }
    bson_append_array_end(&inner, &fields);
    bson_append_document_end(&stage, &inner);
    bson_append_document_end(pipeline, &stage);
}

/* {g: <group>, v: [values]} */
static void mark_answer(Foreign *f, const bson_t *doc) {
    bson_iter_t it, item;
    if (!bson_iter_init_find(&it, doc, "g")) return;
    Group *g = &f->groups[bson_iter_as_int64(&it)];
    Value value[MOST_KEY_COLUMNS];
    if (!bson_iter_init_find(&it, doc, "v") || !bson_iter_recurse(&it, &item)) return;
    for (int i = 0; i < g->width; i++) {
        if (!bson_iter_next(&item)) return;
        value[i] = value_from_bson(&item, g->parent.fields[i].type);
    }
    mark(g, value);
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
        if (!g->n || g->removed || g->n > VALUES_TO_ASK || (any && server_version(s) < UNION_VERSION) || written_here(s, g->parent.table)) continue;
        asked[i] = true;
        memset(g->present, 0, sizeof *g->present * (size_t)g->n);
        if (!any) {
            append_str(&command, "aggregate", g->parent.table);
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
        append_str(&with, "coll", g->parent.table);
        BSON_APPEND_ARRAY_BEGIN(&with, "pipeline", &inner);
        append_stages(&inner, g, i, &n_inner);
        bson_append_array_end(&with, &inner);
        bson_append_document_end(&stage, &with);
        bson_append_document_end(&pipeline, &stage);
    }
    if (any) {
        ServerCursor *cursor = NULL;
        const bson_t *doc;
        int r = 0;
        bson_append_array_end(&command, &pipeline);
        BSON_APPEND_DOCUMENT_BEGIN(&command, "cursor", &cursor_options);
        BSON_APPEND_INT32(&cursor_options, "batchSize", VALUES_AT_ONCE);
        bson_append_document_end(&command, &cursor_options);
        server_note_read(s);
        ok = server_command_read(s, &command, &cursor, error);
        while (ok && (r = server_cursor_next(cursor, &doc, error)) > 0) mark_answer(f, doc);
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
