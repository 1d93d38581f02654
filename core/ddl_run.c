/* ddl_run.c - doing what ddl.c planned: sending commands, checking and rewriting rows, publishing the catalogue. Contract: ddl.h.
 *
 * In: a planned Ddl. Out: MongoDB changed, a new Catalog.
 *
 * Order: checks, commands, rows, and last the catalogue with its version. Whatever is cut off in between can be run again: creating what exists,
 * dropping what is gone and rewriting what is rewritten are no errors, and an orphaned copy is dropped before the next one is made.
 * Rows are rewritten here, not by $convert, because only our own casts are SQL's: all values are tried before the first one is written.
 *
 *     ALTER TABLE book ALTER COLUMN pages TYPE varchar(10) USING pages::varchar(10)
 *     -> {find: "book"}                                                        every value converts, else DataError
 *     -> {find: "book"}, {update: "book", updates: [{q: {_id: 1}, u: {$set: {pages: "120"}}}, ...]}
 *     -> {update: "__schema__", ...}, {findAndModify: "__schema__", query: {name: ""}, ...}
 *
 * DDL runs outside of the open transaction, which steps aside; a table with uncommitted rows can't be altered. Before the first change the tables are locked against
 * everybody who knows them by the old catalogue (lease.h); the version that ends the lock is written last. */
#include "ddl_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "eval.h"
#include "function.h"
#include "lease.h"
#include "schema.h"

enum { BATCH_ROWS = 1000, BATCH_BYTES = 8 << 20, LARGE_TABLE = 20000, NAMES = 256, STALE_ATTEMPTS = 50 };

static void append_str(bson_t *d, const char *key, Str s) { bson_append_utf8(d, key, -1, s.p, (int)s.n); }

static const char *number_key(uint32_t i, char *digits) {
    const char *key;
    bson_uint32_to_string(i, &key, digits, 16);
    return key;
}

static bool run(Server *s, const bson_t *command, bool admin, int tolerate, sqm_error_t *error) {
    bson_t reply;
    sqm_error_t own;
    bool ok = server_command(s, command, admin, true, &reply, &own);
    bson_destroy(&reply);
    if (ok || (tolerate && own.mongo_code == tolerate)) return true;
    if (error) *error = own;
    return false;
}

/* ---- rows ---- */

typedef struct RowReader {
    const Rewrite *r;
    Server *server;
    Arena arena;
    Value *frame;
    Eval ev;
    int64_t next_id, last_id;       /* numbers taken for r->counter, not yet used */
} RowReader;

static bool find_field(const bson_t *doc, Str field, bson_iter_t *it) {
    return bson_iter_init(it, doc) && bson_iter_find_w_len(it, field.p, (int)field.n);
}

static void reader_init(RowReader *w, Server *s, const Rewrite *r, int64_t now, sqm_error_t *error) {
    *w = (RowReader){.r = r, .server = s, .next_id = 1};
    int slots = 0;
    for (int i = 0; r->rel && i < r->rel->columns.n; i++)
        if (r->rel->columns.at[i].slot >= slots) slots = r->rel->columns.at[i].slot + 1;
    w->frame = calloc((size_t)slots + 1, sizeof *w->frame);
    w->ev = (Eval){.frame = w->frame, .arena = &w->arena, .now = now, .error = error};
}

static void reader_clear(RowReader *w) {
    free(w->frame);
    arena_free(&w->arena);
}

static Value column_value(const bson_t *doc, const Table *t, int column) {
    bson_iter_t it;
    const Column *c = &t->columns.at[column];
    return value_from_bson(find_field(doc, c->field, &it) ? &it : NULL, c->type);
}

static void fill_frame(RowReader *w, const bson_t *doc) {
    const Rewrite *r = w->r;
    for (int i = 0; r->rel && i < r->rel->columns.n; i++) {
        int slot = r->rel->columns.at[i].slot;
        if (slot >= 0) w->frame[slot] = i < r->table->columns.n ? column_value(doc, r->table, i) : sqm_null();
    }
}

/* The row's new value, in the form that is stored; NULL included. */
static bool new_value(RowReader *w, const bson_t *doc, bool dry, Value *out) {
    const Rewrite *r = w->r;
    *out = sqm_null();
    if (r->expr) {
        fill_frame(w, doc);
        if (!eval(&w->ev, r->expr, out)) return false;
    } else if (r->column >= 0) {
        *out = column_value(doc, r->table, r->column);
    }
    if (out->type == SQM_NULL && r->counter) {
        if (dry) return true;
        if (w->next_id > w->last_id) {
            if (!schema_next_ids(w->server, r->table, BATCH_ROWS, &w->next_id, w->ev.error)) return false;
            w->last_id = w->next_id + BATCH_ROWS - 1;
        }
        *out = sqm_int(w->next_id++);
    }
    if (out->type == SQM_NULL)
        return !r->not_null || error_set(w->ev.error, SQM_ERROR_NOT_NULL_VIOLATION, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" contains null values", STR_ARG(r->name), STR_ARG(r->table->name));
    return cast_assign(&w->ev, out, r->type, r->name, out);
}

/* Calls `use` with every row of the step's collection, as far as it says true. */
static bool each_row(Server *s, const Step *step, int64_t now, bool (*use)(RowReader *w, const bson_t *doc, void *context), void *context, sqm_error_t *error) {
    ServerCursor *cursor = NULL;
    const bson_t *doc;
    RowReader w;
    if (!server_command_read(s, step->command, &cursor, error)) return false;
    reader_init(&w, s, step->rewrite, now, error);
    int got;
    bool ok = true;
    while (ok && (got = server_cursor_next(cursor, &doc, error)) == 1) {
        ok = use(&w, doc, context);
        arena_clear(&w.arena);
    }
    server_cursor_close(cursor);
    reader_clear(&w);
    return ok && got == 0;
}

static bool try_row(RowReader *w, const bson_t *doc, void *context) {
    Value v;
    (void)context;
    return new_value(w, doc, true, &v);
}

static bool check_row(RowReader *w, const bson_t *doc, void *context) {
    const Step *step = context;
    Value v;
    fill_frame(w, doc);
    if (!eval(&w->ev, step->rewrite->expr, &v)) return false;
    return v.type != SQM_BOOL || v.u.b || error_set(w->ev.error, step->code, STR_FMT, STR_ARG(step->message));
}

/* ---- REWRITE ---- */

typedef struct Batch { bson_t command, list; uint32_t n; } Batch;

static void batch_begin(Batch *b, const char *name, Str collection, const char *array) {
    bson_init(&b->command);
    append_str(&b->command, name, collection);
    bson_append_bool(&b->command, "ordered", -1, true);
    bson_append_array_begin(&b->command, array, -1, &b->list);
    b->n = 0;
}

static bool batch_end(Server *s, Batch *b, bool send, sqm_error_t *error) {
    bson_append_array_end(&b->command, &b->list);
    bool ok = !send || b->n == 0 || run(s, &b->command, false, 0, error);
    bson_destroy(&b->command);
    return ok;
}

static bool add_update(RowReader *w, Batch *b, const bson_t *doc) {
    const Rewrite *r = w->r;
    Value v;
    bson_iter_t id, old;
    bson_t fresh = BSON_INITIALIZER, one, q, u, set;
    char digits[16];
    if (!new_value(w, doc, false, &v)) return false;
    bool there = find_field(doc, r->field, &old);
    bool ok = (r->indexed ? value_append_indexed : value_append)(&fresh, r->field.p, (int)r->field.n, &v, r->type);
    bool same = !ok || (v.type == SQM_NULL && !there && !r->indexed);
    if (!same && there) {
        bson_t now = BSON_INITIALIZER;
        bson_append_iter(&now, NULL, 0, &old);
        same = bson_equal(&now, &fresh);
        bson_destroy(&now);
    }
    if (!same && find_field(doc, STR("_id"), &id)) {
        bson_append_document_begin(&b->list, number_key(b->n++, digits), -1, &one);
        BSON_APPEND_DOCUMENT_BEGIN(&one, "q", &q);
        bson_append_iter(&q, "_id", 3, &id);
        bson_append_document_end(&one, &q);
        BSON_APPEND_DOCUMENT_BEGIN(&one, "u", &u);
        BSON_APPEND_DOCUMENT_BEGIN(&u, "$set", &set);
        bson_concat(&set, &fresh);
        bson_append_document_end(&u, &set);
        bson_append_document_end(&one, &u);
        bson_append_document_end(&b->list, &one);
    }
    bson_destroy(&fresh);
    return ok || error_set(w->ev.error, SQM_ERROR_DOCUMENT_TOO_LARGE, "a row of \"" STR_FMT "\" would be too large", STR_ARG(r->collection));
}

static bool is_full(const Batch *b) { return b->n >= BATCH_ROWS || b->list.len > BATCH_BYTES; }

static bool rewrite_row(RowReader *w, const bson_t *doc, void *context) {
    Batch *b = context;
    if (!add_update(w, b, doc)) return false;
    if (!is_full(b)) return true;
    bool ok = batch_end(w->server, b, true, w->ev.error);
    batch_begin(b, "update", w->r->collection, "updates");
    return ok;
}

static bool rewrite_rows(Server *s, const Step *step, int64_t now, sqm_error_t *error) {
    Batch b;
    batch_begin(&b, "update", step->rewrite->collection, "updates");
    bool ok = each_row(s, step, now, rewrite_row, &b, error);
    return batch_end(s, &b, ok, error) && ok;
}

/* ---- COPY ---- */

static bool add_copy(RowReader *w, Batch *b, const bson_t *doc) {
    const Rewrite *r = w->r;
    Value id;
    bson_iter_t it;
    bson_t row;
    char digits[16];
    if (!new_value(w, doc, false, &id)) return false;
    bson_append_document_begin(&b->list, number_key(b->n++, digits), -1, &row);
    bool ok = value_append(&row, "_id", 3, &id, r->type);
    if (bson_iter_init(&it, doc))
        while (bson_iter_next(&it)) {
            Str key = {bson_iter_key(&it), bson_iter_key_len(&it)};
            if (str_is(key, "_id")) {
                if (r->demote.n) bson_append_iter(&row, r->demote.p, (int)r->demote.n, &it);
            } else if (!str_eq(key, r->promote) && !(r->demote.n && str_eq(key, r->demote))) {
                bson_append_iter(&row, NULL, 0, &it);
            }
        }
    bson_append_document_end(&b->list, &row);
    return ok || error_set(w->ev.error, SQM_ERROR_DOCUMENT_TOO_LARGE, "a row of \"" STR_FMT "\" would be too large", STR_ARG(r->collection));
}

static bool send_copies(Server *s, Batch *b, const Rewrite *r, bool send, sqm_error_t *error) {
    if (batch_end(s, b, send, error)) return true;
    if (error && error->code == SQM_ERROR_UNIQUE_VIOLATION && strstr(error->message, "key (_id)=")) {
        sqm_error_t cause = *error;
        error_set(error, cause.code, "could not create the primary key of \"" STR_FMT "\": column \"" STR_FMT "\" has a value twice, %.200s", STR_ARG(r->collection), STR_ARG(r->name),
                  strstr(cause.message, "(_id)=") + strlen("(_id)="));
    }
    return false;
}

static bool drop_copy(Server *s, const Rewrite *r, sqm_error_t *error) {
    bson_t drop = BSON_INITIALIZER;
    append_str(&drop, "drop", r->copy);
    bool ok = run(s, &drop, false, 26, error);
    bson_destroy(&drop);
    return ok;
}

static void append_rename(bson_t *command, const char *database, const Rewrite *r) {
    char name[600];
    snprintf(name, sizeof name, "%s." STR_FMT, database, STR_ARG(r->copy));
    BSON_APPEND_UTF8(command, "renameCollection", name);
    snprintf(name, sizeof name, "%s." STR_FMT, database, STR_ARG(r->collection));
    BSON_APPEND_UTF8(command, "to", name);
    BSON_APPEND_BOOL(command, "dropTarget", true);
}

static bool copy_row(RowReader *w, const bson_t *doc, void *context) {
    Batch *b = context;
    if (!add_copy(w, b, doc)) return false;
    if (!is_full(b)) return true;
    bool ok = send_copies(w->server, b, w->r, true, w->ev.error);
    batch_begin(b, "insert", w->r->copy, "documents");
    return ok;
}

static bool copy_rows(Server *s, const Step *step, int64_t now, sqm_error_t *error) {
    const Rewrite *r = step->rewrite;
    Batch b;
    if (!drop_copy(s, r, error)) return false;
    for (int i = 0; i < r->prepare.n; i++)
        if (!run(s, r->prepare.at[i], false, 0, error)) return false;
    batch_begin(&b, "insert", r->copy, "documents");
    bool ok = each_row(s, step, now, copy_row, &b, error);
    ok = send_copies(s, &b, r, ok, error) && ok;
    if (ok) {
        bson_t rename = BSON_INITIALIZER;
        append_rename(&rename, server_database(s), r);
        ok = run(s, &rename, true, 0, error);
        bson_destroy(&rename);
    }
    if (!ok) drop_copy(s, r, NULL);
    return ok;
}

/* ---- TRUNCATE ---- */

static void append_delete_all(bson_t *command, Str table) {
    bson_t list, one, q;
    append_str(command, "delete", table);
    BSON_APPEND_ARRAY_BEGIN(command, "deletes", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "q", &q);
    bson_append_document_end(&one, &q);
    BSON_APPEND_INT32(&one, "limit", 0);
    bson_append_document_end(&list, &one);
    bson_append_array_end(command, &list);
}

static bool delete_all(Server *s, Str table, sqm_error_t *error) {
    bson_t command = BSON_INITIALIZER, reply;
    append_delete_all(&command, table);
    bool ok = server_write(s, &command, &reply, error);
    bson_destroy(&reply);
    bson_destroy(&command);
    return ok;
}

/* All small tables in one transaction (the open one, or one of their own); large ones, when none is open, by themselves. */
static bool empty_tables(Server *s, const Step *step, sqm_error_t *error) {
    if (step->apart) {
        bson_t command = BSON_INITIALIZER;
        append_delete_all(&command, step->tables.at[0]);
        bool done = run(s, &command, false, 0, error);
        bson_destroy(&command);
        return done;
    }
    bool *large = calloc((size_t)step->tables.n + 1, sizeof *large), ok = true, retry = false;
    for (int i = 0; i < step->tables.n && ok && !server_in_transaction(s); i++) {
        int64_t rows;
        ok = schema_estimate(s, step->tables.at[i], &rows, error);
        large[i] = ok && rows > LARGE_TABLE;
        if (large[i]) ok = delete_all(s, step->tables.at[i], error);
    }
    do {
        if (!ok || !server_statement_begin(s, error)) {
            ok = false;
            break;
        }
        bool done = true;
        for (int i = 0; i < step->tables.n && done; i++)
            if (!large[i]) done = delete_all(s, step->tables.at[i], error);
        ok = server_statement_end(s, done, &retry, error) && done;
        if (retry) ok = true;
    } while (retry);
    free(large);
    return ok;
}

/* ---- publishing ---- */

static void append_w1(bson_t *d) {
    bson_t concern;
    BSON_APPEND_DOCUMENT_BEGIN(d, "writeConcern", &concern);      /* the version's write, which follows, waits for all */
    BSON_APPEND_INT32(&concern, "w", 1);
    bson_append_document_end(d, &concern);
}

static bool publish_removed(Server *s, const Ddl *d, sqm_error_t *error) {
    if (!d->removed.n) return true;
    bson_t command = BSON_INITIALIZER, list, one, q;
    BSON_APPEND_UTF8(&command, "delete", SCHEMA_COLLECTION);
    BSON_APPEND_ARRAY_BEGIN(&command, "deletes", &list);
    for (int i = 0; i < d->removed.n; i++) {
        char digits[16];
        bson_append_document_begin(&list, number_key((uint32_t)i, digits), -1, &one);
        BSON_APPEND_DOCUMENT_BEGIN(&one, "q", &q);
        append_str(&q, "name", d->removed.at[i]);
        bson_append_document_end(&one, &q);
        BSON_APPEND_INT32(&one, "limit", 0);
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(&command, &list);
    append_w1(&command);
    bool ok = run(s, &command, false, 0, error);
    bson_destroy(&command);
    return ok;
}

static bool publish_changed(Server *s, const Ddl *d, sqm_error_t *error) {
    if (!d->changes.n) return true;
    bson_t command = BSON_INITIALIZER, list, one, q, u, set;
    BSON_APPEND_UTF8(&command, "update", SCHEMA_COLLECTION);
    BSON_APPEND_ARRAY_BEGIN(&command, "updates", &list);
    for (int i = 0; i < d->changes.n; i++) {
        const Change *change = d->changes.at[i];
        char digits[16];
        bson_append_document_begin(&list, number_key((uint32_t)i, digits), -1, &one);
        BSON_APPEND_DOCUMENT_BEGIN(&one, "q", &q);
        append_str(&q, "name", change->stored);
        bson_append_document_end(&one, &q);
        BSON_APPEND_DOCUMENT_BEGIN(&one, "u", &u);
        BSON_APPEND_DOCUMENT_BEGIN(&u, "$set", &set);
        catalog_table_document(change->table, &set);
        if (change->reset_counter) BSON_APPEND_INT64(&set, "auto.seq", 0);
        bson_append_document_end(&u, &set);
        bson_append_document_end(&one, &u);
        BSON_APPEND_BOOL(&one, "upsert", true);
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(&command, &list);
    append_w1(&command);
    bool ok = run(s, &command, false, 0, error);
    bson_destroy(&command);
    return ok;
}

static bool publish(Server *s, Lease *lease, Ddl *d, sqm_error_t *error) {
    int64_t version = 0;
    if (!publish_changed(s, d, error) || !publish_removed(s, d, error)) return false;
    for (int i = 0; i < d->changes.n; i++)
        if (d->changes.at[i]->raise_counter && !schema_raise_counter(s, d->changes.at[i]->table, error)) return false;
    if (!lease_publish(lease, &version, error)) return false;
    if (version == d->base->version + 1) {
        d->next->version = version;
        return true;
    }
    /* Somebody else's change came in between, or this was the first: what is stored is the truth. */
    Catalog *stored;
    if (!schema_load(s, d->base->database, &stored, error)) return false;
    catalog_release(d->next);
    d->next = stored;
    return true;
}

/* ---- the whole ---- */

static bool plan(Ddl *d, sqm_error_t *error) {
    d->cc = (Compile){.arena = &d->arena, .sql = d->sql, .error = error};
    if (setjmp(d->cc.exit)) {
        Str text = d->text;
        if (text.n && error->position >= 0) {
            bool inside = text.p >= d->sql.p && text.p + text.n <= d->sql.p + d->sql.n;
            error->position = inside ? error->position + (int)(text.p - d->sql.p) : -1;
        }
        if (error->position < 0) error->position = d->stmt->pos.at, error->length = 0;
        return false;
    }
    ddl_statement(d);
    return true;
}

static bool run_step(Server *s, Ddl *d, const Step *step, sqm_error_t *error) {
    switch (step->tag) {
    case STEP_COMMAND: {
        sqm_error_t own;
        if (run(s, step->command, step->admin, step->tolerate, &own)) return true;
        *error = own;
        if (step->message.n && own.code == step->code) error_set(error, step->code, STR_FMT, STR_ARG(step->message));
        return false;
    }
    case STEP_NONE: {
        ServerCursor *cursor = NULL;
        const bson_t *doc;
        if (!server_command_read(s, step->command, &cursor, error)) return false;
        int got = server_cursor_next(cursor, &doc, error);
        server_cursor_close(cursor);
        if (got == 1) error_set(error, step->code, STR_FMT, STR_ARG(step->message));
        return got == 0;
    }
    case STEP_TRY: return each_row(s, step, d->now, try_row, NULL, error);
    case STEP_CHECK: return each_row(s, step, d->now, check_row, (void *)step, error);
    case STEP_REWRITE: return rewrite_rows(s, step, d->now, error);
    case STEP_COPY: return copy_rows(s, step, d->now, error);
    case STEP_EMPTY: {
        VEC(Str) counters = {0};
        if (!empty_tables(s, step, error)) return false;
        for (int i = 0; i < step->tables.n && d->stmt->restart_identity; i++) {
            const Table *t = catalog_find_table(d->next, step->tables.at[i]);
            bool counter = false;
            for (int k = 0; k < t->columns.n; k++) counter |= t->columns.at[k].identity;
            if (counter) vec_push(&d->arena, &counters, t->name);
        }
        return schema_reset_counters(s, counters.at, counters.n, error);
    }
    case STEP_DROP_DATABASE: return server_drop_database(s, step->message, error);
    }
    return false;
}

static bool no_uncommitted_rows(Server *s, const Ddl *d, sqm_error_t *error) {
    Str names[NAMES];
    int n = server_in_transaction(s) ? server_written(s, names, NAMES) : 0;
    for (int i = 0; i < n && i < NAMES; i++)
        for (int k = 0; k < d->altered.n; k++)
            if (str_eq(names[i], d->altered.at[k]))
                return error_set(error, SQM_ERROR_OBJECT_IN_USE, "cannot alter table \"" STR_FMT "\" because it has uncommitted changes in this transaction", STR_ARG(names[i]));
    return true;
}

static bool changes_rows(const Step *step) { return step->tag == STEP_REWRITE || step->tag == STEP_COPY || (step->tag == STEP_COMMAND && !step->check); }

/* Could a statement that was compiled before this one answer wrongly after it, or write what it must not? */
static bool changes_layout(const Ddl *d) {
    StmtTag tag = d->stmt->tag;
    if (tag != STMT_CREATE_TABLE) return tag != STMT_CREATE_INDEX && tag != STMT_RENAME_INDEX && tag != STMT_CREATE_VIEW && tag != STMT_COMMENT;
    for (int i = 0; i < d->changes.n; i++) {            /* whoever deletes a parent has to know of its children */
        const Table *t = d->changes.at[i]->table;
        for (int k = 0; k < t->constraints.n; k++)
            if (t->constraints.at[k].kind == TABLE_FOREIGN_KEY && !str_eq(t->constraints.at[k].references, t->name)) return true;
    }
    return false;
}

/* Every table that changes, under its old and its new name, and the parents of its foreign keys. */
static void claim_tables(Ddl *d, LeaseClaim *claim) {
    VEC(Str) names = {0};
    for (int i = 0; i < d->changes.n; i++) {
        const Change *c = d->changes.at[i];
        vec_push(&d->arena, &names, c->stored);
        if (!str_eq(c->stored, c->table->name)) vec_push(&d->arena, &names, c->table->name);
        for (int k = 0; k < c->table->constraints.n; k++)
            if (c->table->constraints.at[k].kind == TABLE_FOREIGN_KEY) vec_push(&d->arena, &names, c->table->constraints.at[k].references);
    }
    for (int i = 0; i < d->removed.n; i++) vec_push(&d->arena, &names, d->removed.at[i]);
    for (int i = 0; i < d->dropped.n; i++) vec_push(&d->arena, &names, d->dropped.at[i]);
    *claim = (LeaseClaim){.tables = names.at, .n = names.n, .layout = changes_layout(d)};
    for (int i = 0; i < d->steps.n; i++) claim->rows |= claim->layout && changes_rows(&d->steps.at[i]);
}

static bool run_steps(Server *s, Ddl *d, bool *touched, sqm_error_t *error) {
    bool in_transaction = server_in_transaction(s);
    for (int i = 0; i < d->steps.n; i++) {
        *touched |= changes_rows(&d->steps.at[i]);
        if (run_step(s, d, &d->steps.at[i], error)) continue;
        if (in_transaction) server_fail_transaction(s);
        return false;
    }
    for (int i = 0; i < d->dropped.n; i++) server_forget_writes(s, d->dropped.at[i]);
    return true;
}

/* *stale: nothing was done, the catalogue that this was planned with is not the stored one. */
static bool perform(Server *s, Lease *lease, Ddl *d, bool *stale, sqm_error_t *error) {
    bool touched = false;
    if (!no_uncommitted_rows(s, d, error)) return false;
    if (d->stmt->tag == STMT_DROP_DATABASE || (!d->changes.n && !d->removed.n)) return run_steps(s, d, &touched, error);
    LeaseClaim claim;
    int64_t version;
    claim_tables(d, &claim);
    LeaseAnswer answer = lease_lock(lease, d->base->version, &claim, &version, error);
    if (answer != LEASE_LOCKED) {
        *stale = answer == LEASE_STALE;
        return false;
    }
    bool ok = run_steps(s, d, &touched, error) && publish(s, lease, d, error);
    if (!ok) lease_unlock(lease, claim.rows && touched && error->code == SQM_ERROR_CONNECTION);
    return ok;
}

static void finish(Ddl *d) {
    for (int i = 0; i < d->owned_n; i++) bson_destroy(d->owned[i]);
    bson_free(d->owned);
    arena_free(&d->arena);
}

static int64_t wall_clock(void) {
    struct timeval t;
    gettimeofday(&t, NULL);
    return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

/* The catalogue to start from, with what a table of djongo 1.3 is really like; `stored`: as it is stored now. A reference for the caller. */
static bool refresh(Server *s, Catalog *current, const Stmt *stmt, bool stored, Catalog **out, sqm_error_t *error) {
    Catalog *base = catalog_retain(current), *fresh;
    if (s && stmt->tag != STMT_DROP_DATABASE && stmt->tag != STMT_CREATE_DATABASE) {
        bool adopt = stmt->create_table && stmt->create_table->adopt;     /* of a collection that others may have made just now, without a new version */
        if (stored || (adopt && !catalog_find_table(base, stmt->name))) {
            if (!schema_load(s, base->database, &fresh, error)) goto fail;
            catalog_release(base);
            base = fresh;
        }
        Str name = stmt->create_index ? stmt->create_index->table : stmt->name;
        bool alter = stmt->tag == STMT_ALTER_TABLE || stmt->tag == STMT_CREATE_INDEX;
        const Table *t = alter || adopt ? catalog_find_table(base, name) : NULL;
        if (t && (t->legacy || (adopt && !t->declared && !t->view_text.n))) {
            if (!schema_look(s, base, t->name, &fresh, error)) goto fail;
            catalog_release(base);
            base = fresh;
        }
    }
    *out = base;
    return true;
fail:
    catalog_release(base);
    return false;
}

/* Does the stored catalogue differ from the one that the statement was planned with? */
static bool is_stale(Server *s, const Catalog *base) {
    int64_t version;
    sqm_error_t ignored;
    return schema_version(s, &version, &ignored) && version != base->version;
}

static bool attempt(Server *s, Lease *lease, Catalog *current, const Stmt *stmt, Str sql, bool stored, bool *stale, Catalog **out, sqm_error_t *error) {
    Catalog *base;
    if (!refresh(s, current, stmt, stored, &base, error)) return false;
    Ddl d = {.base = base, .next = catalog_clone(base), .stmt = stmt, .sql = sql, .server_version = s ? server_version(s) : 0, .now = s ? server_now(s) : wall_clock()};
    if (!s) d.server_version = 8000000;
    bool planned = plan(&d, error), changed = d.changes.n || d.removed.n || (stmt->tag == STMT_DROP_DATABASE && str_eq(stmt->name, base->database)), ok = planned;
    /* A lock finds out by itself whether the catalogue is the stored one; an error, or a statement that locks nothing, has to ask. */
    if (s && !stored && (!planned || !changed || stmt->tag == STMT_TRUNCATE) && stmt->tag != STMT_CREATE_DATABASE && is_stale(s, base)) *stale = true, ok = false;
    if (ok && s) ok = perform(s, lease, &d, stale, error);
    if (ok && !s && changed) d.next->version = base->version + 1;
    *out = NULL;
    if (ok && changed) *out = d.next;
    else catalog_release(d.next);
    if (ok && !changed && base != current) *out = base;
    else catalog_release(base);
    finish(&d);
    return ok;
}

bool ddl_run(Server *s, Lease *lease, Catalog *current, const Stmt *stmt, Str sql, Catalog **out, sqm_error_t *error) {
    sqm_error_t own;
    if (!error) error = &own;
    if (s && !server_check(s, error)) return false;
    for (int i = 0; i < STALE_ATTEMPTS; i++) {
        bool stale = false;
        if (attempt(s, lease, current, stmt, sql, i > 0, &stale, out, error)) return true;
        if (!stale) return false;
        error_clear(error);
    }
    return error_set(error, SQM_ERROR_LOCK_NOT_AVAILABLE, "other connections change the schema all the time: give up after %d attempts", STALE_ATTEMPTS);
}

/* ---- showing ---- */

static void show_rewrite(const Rewrite *r, void (*each)(void *, const bson_t *), void *context) {
    bson_t command = BSON_INITIALIZER, list, one, q, u, set;
    append_str(&command, "update", r->collection);
    BSON_APPEND_ARRAY_BEGIN(&command, "updates", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "q", &q);
    BSON_APPEND_UTF8(&q, "_id", "<row>");
    bson_append_document_end(&one, &q);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "u", &u);
    BSON_APPEND_DOCUMENT_BEGIN(&u, "$set", &set);
    bson_append_utf8(&set, r->field.p, (int)r->field.n, "<value>", -1);
    bson_append_document_end(&u, &set);
    bson_append_document_end(&one, &u);
    bson_append_document_end(&list, &one);
    bson_append_array_end(&command, &list);
    each(context, &command);
    bson_destroy(&command);
}

static void show_copy(const Ddl *d, const Rewrite *r, void (*each)(void *, const bson_t *), void *context) {
    bson_t insert = BSON_INITIALIZER, list, one, rename = BSON_INITIALIZER;
    char database[64];
    append_str(&insert, "insert", r->copy);
    BSON_APPEND_ARRAY_BEGIN(&insert, "documents", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
    BSON_APPEND_UTF8(&one, "_id", "<value>");
    bson_append_document_end(&list, &one);
    bson_append_array_end(&insert, &list);
    each(context, &insert);
    snprintf(database, sizeof database, STR_FMT, STR_ARG(d->base->database));
    append_rename(&rename, database, r);
    each(context, &rename);
    bson_destroy(&insert);
    bson_destroy(&rename);
}

bool ddl_commands(const Catalog *current, int version, const Stmt *stmt, Str sql, void (*each)(void *context, const bson_t *command), void *context, sqm_error_t *error) {
    sqm_error_t own;
    if (!error) error = &own;
    Ddl d = {.base = current, .next = catalog_clone(current), .stmt = stmt, .sql = sql, .server_version = version, .now = wall_clock()};
    bool ok = plan(&d, error);
    for (int i = 0; ok && i < d.steps.n; i++) {
        const Step *step = &d.steps.at[i];
        if (step->tag == STEP_COPY)
            for (int k = 0; k < step->rewrite->prepare.n; k++) each(context, step->rewrite->prepare.at[k]);
        if (step->command) each(context, step->command);
        if (step->tag == STEP_REWRITE) show_rewrite(step->rewrite, each, context);
        if (step->tag == STEP_COPY) show_copy(&d, step->rewrite, each, context);
        for (int k = 0; k < step->tables.n; k++) {
            bson_t command = BSON_INITIALIZER;
            append_delete_all(&command, step->tables.at[k]);
            each(context, &command);
            bson_destroy(&command);
        }
        if (step->tag == STEP_DROP_DATABASE) {
            bson_t *drop = BCON_NEW("dropDatabase", BCON_INT32(1));
            each(context, drop);
            bson_destroy(drop);
        }
    }
    catalog_release(d.next);
    finish(&d);
    return ok;
}
