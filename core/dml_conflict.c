/* dml_conflict.c - INSERT ... ON CONFLICT DO NOTHING / DO UPDATE.
 *
 * In: complete rows. Out: those without a conflict are inserted, the stored rows that conflict are left alone or updated, in one transaction with the reading.
 *
 *     INSERT INTO stock (sku, n) VALUES ('a', 1), ('b', 2) ON CONFLICT (sku) DO UPDATE SET n = stock.n + excluded.n
 *         { find: "stock", filter: {sku: {$in: ["a", "b"]}} }                                 -> {_id: 7, sku: "a", n: 5}
 *         { insert: "stock", documents: [ {_id: ..., sku: "b", n: 2} ] }
 *         { update: "stock", updates: [ {q: {_id: 7}, u: {$set: {n: 6}}} ] }
 *
 * Arbiters: the named index, or for a bare DO NOTHING every unique index and the one on _id. A key with a NULL conflicts with nothing unless its index says
 * NULLS NOT DISTINCT; a partial index sees only rows that satisfy its condition, which is evaluated here for both sides.
 * A second row for the same key is skipped by DO NOTHING and refused by DO UPDATE, as in PostgreSQL. A writer that comes between causes a write
 * conflict, after which dml_transaction() starts over. Not done: arbiters on inner fields of documents or with a collation (refused). */
#include <stdio.h>

#include "dml_internal.h"
#include "resolve.h"

enum { KEYS_AT_ONCE = 2000, FILTER_BYTES = 8 << 20 };

typedef struct Arbiter {
    const Index *index;
    int n;                      /* keys */
    int *columns;
    bool nulls_equal;
    Expr *where;                /* NULL: all rows */
    const Rel *rel;             /* whose slots `where` reads */
    Value *frame;
    Hash stored;                /* [keys][row][_id][document][touched] of stored rows that may conflict */
    Hash fresh;                 /* [keys] of rows that this statement inserts */
} Arbiter;

struct Conflict {
    Insert *in;
    VEC(Arbiter) arbiters;
    bool whole;                 /* stored rows are read whole, not only their keys */
    Rows rows;                  /* memory of the hashes */
    Changes changes;
    int *columns;               /* of conflict_set, then the stored generated ones */
    Value *values;
};

/* ---- arbiters ---- */

static bool add_arbiter(Conflict *c, const Index *index) {
    Insert *in = c->in;
    Exec *x = in->d->x;
    Arbiter a = {.index = index, .n = index->keys.n, .nulls_equal = index->nulls_not_distinct};
    a.columns = NEW_ARRAY(&x->arena, int, a.n);
    for (int k = 0; k < a.n; k++) {
        a.columns[k] = index->keys.at[k].column;
        if (a.columns[k] < 0 || index->keys.at[k].path.n || strstr(index->options.n ? index->options.p : "", "\"collation\""))
            return error_set(x->error, SQM_ERROR_NOT_SUPPORTED, "ON CONFLICT on a table with the unique index \"" STR_FMT "\" is not supported", STR_ARG(index->name));
    }
    if (index->where_text.n) {
        Compile cc = {.arena = &x->arena, .sql = index->where_text, .error = x->error};
        if (setjmp(cc.exit)) return false;
        a.where = resolve_condition(&cc, in->d->catalog, in->t, index->where_text, &a.rel);
        a.frame = NEW_ARRAY(&x->arena, Value, a.rel->columns.n + 1);
        c->whole = true;
    }
    hash_init(&a.stored, x, 0, a.n);
    hash_init(&a.fresh, x, 0, a.n);
    vec_push(&x->arena, &c->arbiters, a);
    return true;
}

/* An ObjectId made here collides with nothing. */
static bool id_is_made(const Insert *in) {
    return in->id < 0 || (in->source[in->id] < 0 && !in->t->columns.at[in->id].identity && !in->q->defaults.at[in->id]);
}

bool conflict_begin(Insert *in, Conflict **out) {
    Exec *x = in->d->x;
    const InsertQuery *q = in->q;
    const Table *t = in->t;
    Conflict *c = NEW(&x->arena, Conflict);
    c->in = in;
    c->rows.x = x;
    c->whole = !q->do_nothing;
    c->columns = NEW_ARRAY(&x->arena, int, q->conflict_set.n + q->generated.n + 1);
    c->values = NEW_ARRAY(&x->arena, Value, q->conflict_set.n + q->generated.n + 1);
    changes_init(&c->changes, in->d);
    *out = c;
    if (q->conflict_index) return add_arbiter(c, q->conflict_index);
    if (t->id_index.keys.n && !id_is_made(in) && !add_arbiter(c, &t->id_index)) return false;
    for (int i = 0; i < t->indexes.n; i++)
        if (t->indexes.at[i].unique && !add_arbiter(c, &t->indexes.at[i])) return false;
    return true;
}

static void forget(Conflict *c) {
    for (int i = 0; i < c->arbiters.n; i++) {
        hash_free(&c->arbiters.at[i].stored);
        hash_free(&c->arbiters.at[i].fresh);
    }
    rows_free(&c->rows);
    changes_clear(&c->changes);
}

void conflict_end(Conflict *c) {
    if (c) forget(c);
}

/* The key of a row, or NULL in *key when the row can't conflict by this index. Points to the row's bytes. */
static bool key_of(Conflict *c, const Arbiter *a, const Value *row, const Value **key) {
    Dml *d = c->in->d;
    *key = NULL;
    if (a->where) {
        Eval ev;
        bool applies;
        exec_eval_init(d->x, &ev, a->frame, NULL, &d->scratch);
        for (int i = 0; i < c->in->t->columns.n; i++)
            if (a->rel->columns.at[i].slot >= 0) a->frame[a->rel->columns.at[i].slot] = row[i];
        if (!eval_true(&ev, a->where, &applies)) return false;
        if (!applies) return true;
    }
    Value *out = rows_new(&c->rows, a->n);
    for (int k = 0; k < a->n; k++) {
        out[k] = row[a->columns[k]];
        if (out[k].type == SQM_NULL && !a->nulls_equal) return true;
    }
    *key = out;
    return true;
}

/* ---- reading what is stored ---- */

/* Stored row, from its place in the hash. */
static Value *row_part(const Arbiter *a, Value *kept) { return kept + a->n; }
static Value *id_part(const Conflict *c, const Arbiter *a, Value *kept) { return kept + a->n + c->in->t->columns.n; }

static bool keep_stored(Conflict *c, Arbiter *a, const bson_t *doc) {
    int n = c->in->t->columns.n;
    Value *kept = rows_new(&c->rows, a->n + n + 3), *id = id_part(c, a, kept);
    const uint8_t *bytes = arena_copy(&c->rows.arena, bson_get_data(doc), doc->len);
    bson_t own;
    if (!bson_init_static(&own, bytes, doc->len)) return error_set(c->in->d->x->error, SQM_ERROR_SERVER, "the server sent a damaged document");
    dml_decode(c->in->d, &own, row_part(a, kept), id);
    id[1] = (Value){.type = SQM_BSON, .bson_type = BSON_TYPE_DOCUMENT, .len = doc->len, .u.bytes = bytes};
    id[2] = sqm_bool(false);
    const Value *key;
    if (!key_of(c, a, row_part(a, kept), &key)) return false;
    if (!key) return true;
    memcpy(kept, key, sizeof *kept * (size_t)a->n);
    return rows_charge(&c->rows) && hash_add(&a->stored, keys_hash(kept, a->n), kept);
}

static bool read_stored(Conflict *c, Arbiter *a, const bson_t *filter) {
    Dml *d = c->in->d;
    Exec *x = d->x;
    ServerView *view;
    ServerCursor *cursor = NULL;
    bson_t command = BSON_INITIALIZER, fields;
    bson_append_utf8(&command, "find", 4, c->in->t->name.p, (int)c->in->t->name.n);
    bson_append_document(&command, "filter", 6, filter);
    if (!c->whole) {
        bson_append_document_begin(&command, "projection", -1, &fields);
        for (int k = 0; k < a->n; k++) {
            Str field = c->in->t->columns.at[a->columns[k]].field;
            bson_append_int32(&fields, field.p, (int)field.n, 1);
        }
        bson_append_document_end(&command, &fields);
    }
    bson_append_int32(&command, "batchSize", -1, KEYS_AT_ONCE + 1);
    bool ok = exec_view(x, &view) && server_read(x->server, view, &command, &cursor, x->error);
    const bson_t *doc;
    int r = 0;
    while (ok && (r = server_cursor_next(cursor, &doc, x->error)) > 0) ok = keep_stored(c, a, doc);
    server_cursor_close(cursor);
    bson_destroy(&command);
    return ok && r == 0;
}

/* One key, two when a UUID may be stored in the old binary subtype. */
static bool add_key(Conflict *c, const Arbiter *a, const Value *key, bson_t *list, uint32_t *n) {
    Dml *d = c->in->d;
    const Table *t = c->in->t;
    char digits[16];
    const char *k;
    bson_t both, equal;
    bool ok = true;
    size_t len = bson_uint32_to_string((*n)++, &k, digits, sizeof digits);
    if (a->n == 1) {
        ok = value_append(list, k, (int)len, &key[0], t->columns.at[a->columns[0]].type);
        if (ok && t->legacy && key[0].type == SQM_UUID) {
            len = bson_uint32_to_string((*n)++, &k, digits, sizeof digits);
            bson_append_binary(list, k, (int)len, BSON_SUBTYPE_UUID_DEPRECATED, key[0].u.bytes, 16);
        }
        return ok || error_set(d->x->error, SQM_ERROR_DOCUMENT_TOO_LARGE, "the row's key is too large");
    }
    bson_append_document_begin(list, k, (int)len, &both);
    for (int i = 0; i < a->n && ok; i++) {
        const Column *column = &t->columns.at[a->columns[i]];
        bson_append_document_begin(&both, column->field.p, (int)column->field.n, &equal);
        ok = value_append(&equal, "$eq", 3, &key[i], column->type);
        bson_append_document_end(&both, &equal);
    }
    bson_append_document_end(list, &both);
    return ok || error_set(d->x->error, SQM_ERROR_DOCUMENT_TOO_LARGE, "the row's key is too large");
}

static bool find_stored(Conflict *c, Arbiter *a, const Rows *rows) {
    Str field = c->in->t->columns.at[a->columns[0]].field;
    int i = 0;
    bool ok = true;
    while (i < rows->n && ok) {
        bson_t filter = BSON_INITIALIZER, ops, list;
        uint32_t n = 0;
        bool single = a->n == 1;
        if (single) bson_append_document_begin(&filter, field.p, (int)field.n, &ops);
        bson_append_array_begin(single ? &ops : &filter, single ? "$in" : "$or", -1, &list);
        for (; i < rows->n && n < KEYS_AT_ONCE && list.len < FILTER_BYTES && ok; i++) {
            const Value *key;
            arena_clear(&c->in->d->scratch);
            ok = key_of(c, a, rows->at[i], &key) && (!key || add_key(c, a, key, &list, &n));
        }
        bson_append_array_end(single ? &ops : &filter, &list);
        if (single) bson_append_document_end(&filter, &ops);
        ok = ok && (!n || read_stored(c, a, &filter));
        bson_destroy(&filter);
    }
    return ok;
}

/* ---- deciding ---- */

static bool second_time(Conflict *c) {
    sqm_error_t *error = c->in->d->x->error;
    error_set(error, SQM_ERROR_CARDINALITY, "ON CONFLICT DO UPDATE command cannot affect row a second time");
    if (error) snprintf(error->hint, sizeof error->hint, "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.");
    return false;
}

static bool update(Conflict *c, const Arbiter *a, Value *kept, const Value *row) {
    Dml *d = c->in->d;
    const InsertQuery *q = c->in->q;
    Value *id = id_part(c, a, kept), *stored = row_part(a, kept);
    if (id[2].u.b) return second_time(c);
    dml_fill(d, 0, stored);
    dml_fill(d, 1, row);
    bool wanted = true;
    if (q->conflict_where && !eval_true(&d->ev, q->conflict_where, &wanted)) return false;
    if (!wanted) return true;
    for (int i = 0; i < q->conflict_set.n; i++) {
        const Assign *assign = &q->conflict_set.at[i];
        Value v;
        c->columns[i] = assign->column;
        if (!eval(&d->ev, assign->value, &v) || !dml_assign(d, assign->column, &v, assign->value, &c->values[i])) return false;
    }
    bson_t document;
    int n = q->conflict_set.n;
    bson_init_static(&document, id[1].u.bytes, id[1].len);
    id[2].u.b = true;
    const Value *before = q->set_referring.n ? arena_copy(&c->rows.arena, stored, sizeof *stored * (size_t)c->in->t->columns.n) : NULL;
    for (int i = 0; i < n; i++) stored[c->columns[i]] = value_keep(&c->rows.arena, &c->values[i]);
    if (!dml_derive(d, stored, &q->generated, &q->set_checks)) return false;
    for (int i = 0; i < q->generated.n; i++, n++) {
        int column = c->columns[n] = q->generated.at[i].column;
        c->values[n] = stored[column] = value_keep(&c->rows.arena, &stored[column]);
    }
    if (before) cascade_changed(d, &q->set_referring, before, stored);
    dml_note(d, &q->set_foreign, stored);
    return changes_add(&c->changes, id, &document, c->columns, c->values, n) && dml_return(d, stored);
}

static bool decide(Conflict *c, const Value *row) {
    const InsertQuery *q = c->in->q;
    for (int i = 0; i < c->arbiters.n; i++) {
        Arbiter *a = &c->arbiters.at[i];
        const Value *key;
        if (!key_of(c, a, row, &key)) return false;
        if (!key) continue;
        uint64_t h = keys_hash(key, a->n);
        int found = hash_find(&a->stored, h, key);
        if (found >= 0) return q->do_nothing || update(c, a, a->stored.at[found].row, row);
        if (hash_find(&a->fresh, h, key) >= 0) return q->do_nothing || second_time(c);
    }
    for (int i = 0; i < c->arbiters.n; i++) {
        Arbiter *a = &c->arbiters.at[i];
        const Value *key;
        if (!key_of(c, a, row, &key)) return false;
        if (key && !hash_add(&a->fresh, keys_hash(key, a->n), (Value *)key)) return false;
    }
    return insert_add(c->in, row) && dml_return(c->in->d, row);
}

bool conflict_collect(Conflict *c, const Rows *rows) {
    Dml *d = c->in->d;
    forget(c);
    changes_init(&c->changes, d);
    for (int i = 0; i < c->arbiters.n; i++)
        if (!find_stored(c, &c->arbiters.at[i], rows)) return false;
    for (int i = 0; i < rows->n; i++) {
        arena_clear(&d->scratch);
        if (!decide(c, rows->at[i])) return false;
    }
    return rows_charge(&c->rows);
}

bool conflict_send(Conflict *c) {
    Dml *d = c->in->d;
    return writes_send(&c->in->writes, &d->affected) && changes_send(&c->changes, &d->affected);
}
