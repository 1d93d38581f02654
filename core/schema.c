/* schema.c - reading the catalogue, looking at collections nobody declared, counters. Contract: schema.h.
 *
 * In: a Server; out: catalogues. Writes only counters: definitions are written by ddl.c.
 *
 * Counters (`auto.seq` of a table's document, as djongo 1.3 has them; it may be a double there) are taken outside the user's transaction, because two
 * transactions must not conflict over them; numbers of a rolled back transaction are lost, as in PostgreSQL. They are written with w: 1: a row
 * acknowledged by the majority lies later in the oplog than the number it got, so no acknowledged number can be handed out twice.
 *
 * Example: INSERT of three rows: {findAndModify: "__schema__", query: {name: "book"}, update: {$inc: {"auto.seq": 3}}, new: true} -> 12: the ids are 10, 11, 12. */
#include "schema.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLE_SIZE = 50 };

static void append_str(bson_t *d, const char *key, Str s) { bson_append_utf8(d, key, -1, s.p, (int)s.n); }

static bool is_name(Str s, const char *prefix) { return s.n >= strlen(prefix) && memcmp(s.p, prefix, strlen(prefix)) == 0; }

static Str iter_text(const bson_iter_t *it) {
    uint32_t n = 0;
    const char *p = BSON_ITER_HOLDS_UTF8(it) ? bson_iter_utf8(it, &n) : "";
    return (Str){p, n};
}

static Str field_text(const bson_t *d, const char *key) {
    bson_iter_t it;
    return bson_iter_init_find(&it, d, key) ? iter_text(&it) : (Str){"", 0};
}

/* ---- reading ---- */

static bool load_declared(Server *s, Catalog *c, sqm_error_t *error) {
    ServerCursor *cursor = NULL;
    const bson_t *doc;
    /* By the index on name: the version's document, whose name is empty, is read before all others. */
    bson_t *find = BCON_NEW("find", SCHEMA_COLLECTION, "sort", "{", "name", BCON_INT32(1), "}");
    bool ok = server_command_read(s, find, &cursor, error);
    bson_destroy(find);
    int got = 0;
    while (ok && (got = server_cursor_next(cursor, &doc, error)) == 1) {
        bson_iter_t it;
        Str name = field_text(doc, "name");
        if (name.n) ok = catalog_load_table(c, doc, error);
        else if (bson_iter_init_find(&it, doc, "version")) c->version = bson_iter_as_int64(&it);
    }
    server_cursor_close(cursor);
    return ok && got == 0;
}

static bool load_undeclared(Server *s, Catalog *c, sqm_error_t *error) {
    ServerCursor *cursor = NULL;
    const bson_t *doc;
    bson_t *list = BCON_NEW("listCollections", BCON_INT32(1), "nameOnly", BCON_BOOL(true), "authorizedCollections", BCON_BOOL(true));
    bool ok = server_command_read(s, list, &cursor, error);
    bson_destroy(list);
    int got = 0;
    while (ok && (got = server_cursor_next(cursor, &doc, error)) == 1) {
        Str name = field_text(doc, "name");
        const Table *known = catalog_find_table(c, name);
        if ((known && str_eq(known->name, name)) || is_name(name, "system.") || is_name(name, "__sqm_") || str_is(name, SCHEMA_COLLECTION)) continue;
        catalog_sample_table(c, name, NULL, 0);
    }
    server_cursor_close(cursor);
    return ok && got == 0;
}

bool schema_load(Server *s, Str database, Catalog **out, sqm_error_t *error) {
    Catalog *c = catalog_new(database);
    if (load_declared(s, c, error) && load_undeclared(s, c, error)) {
        *out = c;
        return true;
    }
    catalog_release(c);
    return false;
}

/* The first document of a read; *found false when there is none. Its fields are copied to `doc`. */
static bool read_one(Server *s, const bson_t *command, bson_t *doc, bool *found, sqm_error_t *error) {
    ServerCursor *cursor = NULL;
    const bson_t *first;
    *found = false;
    if (!server_command_read(s, command, &cursor, error)) return false;
    int got = server_cursor_next(cursor, &first, error);
    if (got == 1) bson_concat(doc, first), *found = true;
    server_cursor_close(cursor);
    return got >= 0;
}

bool schema_version(Server *s, int64_t *version, sqm_error_t *error) {
    bson_t doc = BSON_INITIALIZER, *find = BCON_NEW("find", SCHEMA_COLLECTION, "filter", "{", "name", "", "}", "limit", BCON_INT32(1));
    bson_iter_t it;
    bool found, ok = read_one(s, find, &doc, &found, error);
    *version = ok && bson_iter_init_find(&it, &doc, "version") ? bson_iter_as_int64(&it) : 0;
    bson_destroy(find);
    bson_destroy(&doc);
    return ok;
}

/* ---- looking at a collection ---- */

static bool sample(Server *s, Catalog *c, Str name, sqm_error_t *error) {
    bson_t command = BSON_INITIALIZER, *samples[SAMPLE_SIZE], *rest = BCON_NEW("pipeline", "[", "{", "$sample", "{", "size", BCON_INT32(SAMPLE_SIZE), "}", "}", "]", "cursor", "{", "}");
    ServerCursor *cursor = NULL;
    const bson_t *doc;
    int n = 0, got = 0;
    append_str(&command, "aggregate", name);
    bson_concat(&command, rest);
    bool ok = server_command_read(s, &command, &cursor, error);
    while (ok && n < SAMPLE_SIZE && (got = server_cursor_next(cursor, &doc, error)) == 1) samples[n++] = bson_copy(doc);
    server_cursor_close(cursor);
    ok = ok && got >= 0;
    if (ok) catalog_sample_table(c, name, (const bson_t *const *)samples, n);
    for (int i = 0; i < n; i++) bson_destroy(samples[i]);
    bson_destroy(rest);
    bson_destroy(&command);
    return ok;
}

static int column_of_field(const Table *t, const char *field) {
    for (int i = 0; i < t->columns.n; i++)
        if (str_is(t->columns.at[i].field, field)) return i;
    return -1;
}

/* An index that every row is in and that orders plain columns; others would promise the planner what they don't keep. */
static bool read_index(Arena *a, const Table *t, const bson_t *d, Index *out) {
    static const char *const special[] = {"partialFilterExpression", "sparse", "collation", "hidden", "expireAfterSeconds"};
    bson_iter_t it, key;
    *out = (Index){.nulls_not_distinct = true};
    for (int i = 0; i < 4; i++)
        if (bson_iter_init_find(&it, d, special[i]) && (i == 0 || i == 2 || bson_iter_as_bool(&it))) return false;
    Str name = field_text(d, "name");
    if (!name.n || str_is(name, "_id_") || table_find_index(t, name)) return false;
    out->name = arena_str(a, name.p, name.n);
    out->unique = bson_iter_init_find(&it, d, "unique") && bson_iter_as_bool(&it);
    if (!bson_iter_init_find(&it, d, "key") || !bson_iter_recurse(&it, &key)) return false;
    while (bson_iter_next(&key)) {
        IndexKey k = {.column = column_of_field(t, bson_iter_key(&key))};
        if (k.column < 0 || !BSON_ITER_HOLDS_NUMBER(&key)) return false;
        k.descending = bson_iter_as_int64(&key) < 0;
        vec_push(a, &out->keys, k);
    }
    return out->keys.n > 0;
}

static bool read_indexes(Server *s, Catalog *c, Str name, sqm_error_t *error) {
    bson_t command = BSON_INITIALIZER;
    ServerCursor *cursor = NULL;
    const bson_t *doc;
    sqm_error_t own;
    append_str(&command, "listIndexes", name);
    bool ok = server_command_read(s, &command, &cursor, &own);
    bson_destroy(&command);
    if (!ok) {
        /* 26: no such collection yet; 166: a view */
        if (own.mongo_code == 26 || own.mongo_code == 166) return true;
        if (error) *error = own;
        return false;
    }
    Table *t = table_copy(&c->arena, catalog_find_table(c, name));
    int got;
    while ((got = server_cursor_next(cursor, &doc, error)) == 1) {
        Index index;
        if (read_index(&c->arena, t, doc, &index)) vec_push(&c->arena, &t->indexes, index);
    }
    server_cursor_close(cursor);
    catalog_put_table(c, t);
    return got == 0;
}

bool schema_estimate(Server *s, Str table, int64_t *rows, sqm_error_t *error) {
    bson_t command = BSON_INITIALIZER, reply;
    bson_iter_t it;
    append_str(&command, "count", table);
    bool ok = server_command(s, &command, false, false, &reply, error);
    *rows = ok && bson_iter_init_find(&it, &reply, "n") ? bson_iter_as_int64(&it) : -1;
    bson_destroy(&reply);
    bson_destroy(&command);
    return ok;
}

bool schema_look(Server *s, const Catalog *catalog, Str table, Catalog **out, sqm_error_t *error) {
    Catalog *c = catalog_clone(catalog);
    c->version = catalog->version;
    const Table *t = catalog_find_table(c, table);
    if (!t) {
        catalog_release(c);
        return error_set(error, SQM_ERROR_UNDEFINED_TABLE, "relation \"" STR_FMT "\" does not exist", STR_ARG(table));
    }
    Str name = t->name;
    int64_t rows = -1;
    bool ok = true;
    if (!t->declared) ok = sample(s, c, name, error);
    t = catalog_find_table(c, name);
    if (ok && (!t->declared || t->legacy)) ok = read_indexes(s, c, name, error);
    if (ok && !t->view_text.n) ok = schema_estimate(s, name, &rows, error);
    if (!ok) {
        catalog_release(c);
        return false;
    }
    Table *known = table_copy(&c->arena, catalog_find_table(c, name));
    known->row_estimate = rows;
    catalog_put_table(c, known);
    *out = c;
    return true;
}

/* ---- counters ---- */

/* {name: table} as the filter `key`. */
static void append_filter(bson_t *d, const char *key, Str table, bool with_counter) {
    bson_t q, exists;
    bson_append_document_begin(d, key, -1, &q);
    append_str(&q, "name", table);
    if (with_counter) {
        bson_append_document_begin(&q, "auto.seq", -1, &exists);
        BSON_APPEND_BOOL(&exists, "$exists", true);
        bson_append_document_end(&q, &exists);
    }
    bson_append_document_end(d, &q);
}

static void append_change(bson_t *d, const char *key, const char *operator_, int64_t value) {
    bson_t u, change;
    bson_append_document_begin(d, key, -1, &u);
    bson_append_document_begin(&u, operator_, -1, &change);
    BSON_APPEND_INT64(&change, "auto.seq", value);
    bson_append_document_end(&u, &change);
    bson_append_document_end(d, &u);
}

static void append_w1(bson_t *d) {
    bson_t concern;
    BSON_APPEND_DOCUMENT_BEGIN(d, "writeConcern", &concern);
    BSON_APPEND_INT32(&concern, "w", 1);
    bson_append_document_end(d, &concern);
}

static bool change_counter(Server *s, Str table, const char *operator_, int64_t value, sqm_error_t *error) {
    bson_t command = BSON_INITIALIZER, list, one, reply;
    BSON_APPEND_UTF8(&command, "update", SCHEMA_COLLECTION);
    BSON_APPEND_ARRAY_BEGIN(&command, "updates", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
    append_filter(&one, "q", table, false);
    append_change(&one, "u", operator_, value);
    bson_append_document_end(&list, &one);
    bson_append_array_end(&command, &list);
    append_w1(&command);
    bson_iter_t it;
    bool ok = server_command(s, &command, false, false, &reply, error);
    if (ok && !(bson_iter_init_find(&it, &reply, "n") && bson_iter_as_int64(&it)))
        ok = error_set(error, SQM_ERROR_UNDEFINED_TABLE, "relation \"" STR_FMT "\" has no entry in the catalogue", STR_ARG(table));
    bson_destroy(&reply);
    bson_destroy(&command);
    return ok;
}

bool schema_bump_counter(Server *s, const Table *table, int64_t value, sqm_error_t *error) {
    return value <= 0 || change_counter(s, table->name, "$max", value, error);
}

bool schema_set_counter(Server *s, Str table, int64_t value, sqm_error_t *error) { return change_counter(s, table, "$set", value, error); }

bool schema_reset_counters(Server *s, const Str *tables, int n, sqm_error_t *error) {
    bson_t command = BSON_INITIALIZER, list, one, reply;
    if (!n) return true;
    BSON_APPEND_UTF8(&command, "update", SCHEMA_COLLECTION);
    BSON_APPEND_ARRAY_BEGIN(&command, "updates", &list);
    for (int i = 0; i < n; i++) {
        char digits[16];
        const char *key;
        size_t length = bson_uint32_to_string((uint32_t)i, &key, digits, sizeof digits);
        bson_append_document_begin(&list, key, (int)length, &one);
        append_filter(&one, "q", tables[i], false);
        append_change(&one, "u", "$set", 0);
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(&command, &list);
    append_w1(&command);
    bool ok = server_command(s, &command, false, false, &reply, error);
    bson_destroy(&reply);
    bson_destroy(&command);
    return ok;
}

static int64_t to_int(const bson_iter_t *it) { return BSON_ITER_HOLDS_DOUBLE(it) ? (int64_t)bson_iter_double(it) : bson_iter_as_int64(it); }

bool schema_get_counter(Server *s, Str table, int64_t *value, sqm_error_t *error) {
    bson_t command = BSON_INITIALIZER, doc = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&command, "find", SCHEMA_COLLECTION);
    append_filter(&command, "filter", table, false);
    BSON_APPEND_INT32(&command, "limit", 1);
    bson_iter_t it, at;
    bool found, ok = read_one(s, &command, &doc, &found, error);
    *value = ok && bson_iter_init(&it, &doc) && bson_iter_find_descendant(&it, "auto.seq", &at) ? to_int(&at) : 0;
    bson_destroy(&command);
    bson_destroy(&doc);
    return ok;
}

bool schema_raise_counter(Server *s, const Table *table, sqm_error_t *error) {
    int64_t greatest = 0;
    for (int i = 0; i < table->columns.n; i++) {
        const Column *c = &table->columns.at[i];
        if (!c->identity) continue;
        bson_t command = BSON_INITIALIZER, order, doc = BSON_INITIALIZER;
        bson_iter_t it;
        bool found;
        append_str(&command, "find", table->name);
        bson_t filter, range;
        BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
        bson_append_document_begin(&filter, c->field.p, (int)c->field.n, &range);
        BSON_APPEND_DOUBLE(&range, "$gt", 0);
        BSON_APPEND_DOUBLE(&range, "$lt", INFINITY);
        bson_append_document_end(&filter, &range);
        bson_append_document_end(&command, &filter);
        BSON_APPEND_DOCUMENT_BEGIN(&command, "sort", &order);
        bson_append_int32(&order, c->field.p, (int)c->field.n, -1);
        bson_append_document_end(&command, &order);
        BSON_APPEND_INT32(&command, "limit", 1);
        bool ok = read_one(s, &command, &doc, &found, error);
        char field[256];
        snprintf(field, sizeof field, STR_FMT, STR_ARG(c->field));
        if (ok && found && bson_iter_init_find(&it, &doc, field) && to_int(&it) > greatest) greatest = to_int(&it);
        bson_destroy(&command);
        bson_destroy(&doc);
        if (!ok) return false;
    }
    return change_counter(s, table->name, "$max", greatest, error);
}

bool schema_next_ids(Server *s, const Table *table, int64_t n, int64_t *first, sqm_error_t *error) {
    for (int attempt = 0; attempt < 2; attempt++) {
        bson_t command = BSON_INITIALIZER, fields, reply;
        bson_iter_t it, at;
        BSON_APPEND_UTF8(&command, "findAndModify", SCHEMA_COLLECTION);
        append_filter(&command, "query", table->name, true);
        append_change(&command, "update", "$inc", n);
        BSON_APPEND_BOOL(&command, "new", true);
        BSON_APPEND_DOCUMENT_BEGIN(&command, "fields", &fields);
        BSON_APPEND_INT32(&fields, "auto.seq", 1);
        bson_append_document_end(&command, &fields);
        append_w1(&command);
        bool ok = server_command(s, &command, false, false, &reply, error);
        bool found = ok && bson_iter_init(&it, &reply) && bson_iter_find_descendant(&it, "value.auto.seq", &at);
        if (found) *first = to_int(&at) - n + 1;
        bson_destroy(&reply);
        bson_destroy(&command);
        if (!ok) return false;
        if (found) return true;
        if (!schema_raise_counter(s, table, error)) return false;
    }
    return error_set(error, SQM_ERROR_INTERNAL, "the counter of relation \"" STR_FMT "\" cannot be used", STR_ARG(table->name));
}

/* ---- messages ---- */

void schema_name_violation(const Table *table, sqm_error_t *error) {
    if (!error) return;
    sqm_error_t old = *error;
    int number = 0;
    const char *at;
    if (error->code == SQM_ERROR_CHECK_VIOLATION && (at = strstr(old.message, "constraint number ")) && sscanf(at, "constraint number %d", &number) == 1) {
        for (int i = 0; i < table->constraints.n; i++) {
            const Constraint *c = &table->constraints.at[i];
            if (c->kind != TABLE_CHECK || c->local || --number > 0) continue;
            error_set(error, old.code, "new row for relation \"" STR_FMT "\" violates check constraint \"" STR_FMT "\"", STR_ARG(table->name), STR_ARG(c->name));
            error->mongo_code = old.mongo_code;
            return;
        }
    }
    if (error->code == SQM_ERROR_UNIQUE_VIOLATION && (at = strstr(old.message, "\": key (")) && strstr(at, "__x")) {
        char message[sizeof old.message];
        for (int i = 0; i < table->columns.n; i++) {
            const Column *c = &table->columns.at[i];
            const char *end = strchr(at, '='), *name = c->indexed ? strstr(at, c->name.p) : NULL;
            if (!name || !end || name > end || (name[c->name.n] != ')' && name[c->name.n] != ',')) continue;
            snprintf(message, sizeof message, "%.*s" STR_FMT "%s", (int)(name - old.message), old.message, STR_ARG(c->generated_text), name + c->name.n);
            error_set(error, old.code, "%s", message);
            error->mongo_code = old.mongo_code;
            old = *error;
            at = strstr(old.message, "\": key (");
        }
        return;
    }
    if (error->code == SQM_ERROR_UNIQUE_VIOLATION && (at = strstr(old.message, "_pkey\": key (_id)=")) && table->id_index.keys.n) {
        Str key = table->columns.at[table->id_index.keys.at[0].column].name, name = {0};
        for (int i = 0; i < table->constraints.n; i++)
            if (table->constraints.at[i].kind == TABLE_PRIMARY_KEY) name = table->constraints.at[i].name;
        const char *value = at + strlen("_pkey\": key (_id)=");
        if (name.n) error_set(error, old.code, "duplicate key value violates unique constraint \"" STR_FMT "\": key (" STR_FMT ")=%s", STR_ARG(name), STR_ARG(key), value);
        else error_set(error, old.code, "duplicate key value violates unique constraint \"" STR_FMT "_pkey\": key (" STR_FMT ")=%s", STR_ARG(table->name), STR_ARG(key), value);
        error->mongo_code = old.mongo_code;
    }
}
