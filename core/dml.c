/* dml.c - the frame of INSERT, UPDATE and DELETE: transactions around a statement, commands of many items, documents, RETURNING.
 *
 * In: an Exec with a StatementPlan that writes. Out: the commands have been run, RETURNING rows are kept in the Exec's arena.
 *
 *     INSERT INTO book (id, title) VALUES (1, 'Emma'), (2, 'Persuasion') RETURNING id
 *         { insert: "book", documents: [ {_id: 1, title: "Emma"}, {_id: 2, title: "Persuasion"} ] }      in a transaction: two documents
 *
 * Atomicity: MongoDB keeps what a failed command had done before the error, so whatever may write more than one document outside of a transaction, and whatever
 * writes what it has computed from rows it read, runs in an implicit transaction (server_statement_begin). On a write conflict the attempt
 * starts over; only what an attempt has read or written is done again. RETURNING is evaluated before the writes: its subqueries see the state
 * before the statement, as in PostgreSQL, and a failing expression leaves nothing behind.
 * Everything is read before the first write, so a statement never meets its own rows.
 * Stored generated columns and the CHECKs that MongoDB can't decide are computed here, row by row (dml_derive); the others are the collection's validator.
 * Foreign keys are checked when the transaction ends (foreign.h): here only where that is the end of the statement. */
#include "counts.h"
#include "dml_internal.h"

#include <stdlib.h>

/* One document may fill a command; several share 16 MB, and the server takes 100,000 at most. The margin is for the command around them. */
enum { COMMAND_BYTES = (16 << 20) - (256 << 10), COMMAND_ITEMS = 100000 };

/* ---- commands ---- */

void writes_init(Writes *w, Dml *d, const char *verb, const char *array) { *w = (Writes){.d = d, .verb = verb, .array = array}; }

bool writes_close(Writes *w) {
    if (!w->n_items) return true;
    if (w->n_commands == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 4;
        w->commands = realloc(w->commands, sizeof *w->commands * (size_t)w->cap);
        if (!w->commands) abort();
    }
    Str name = w->d->table->name;
    bson_t *command = bson_sized_new(w->items->len + 256);
    bson_append_utf8(command, w->verb, -1, name.p, (int)name.n);
    bson_append_array(command, w->array, -1, w->items);
    bson_append_bool(command, "ordered", -1, true);
    w->commands[w->n_commands++] = command;
    w->bytes += command->len;
    w->n_items = 0;
    bson_reinit(w->items);
    return memory_charge(w->d->x, &w->held, w->bytes);
}

bool writes_add(Writes *w, const bson_t *item) {
    char digits[16];
    const char *key;
    if (!w->items) w->items = bson_new();
    if (w->n_items && (w->items->len + item->len > COMMAND_BYTES || w->n_items == COMMAND_ITEMS) && !writes_close(w)) return false;
    size_t n = bson_uint32_to_string(w->n_items++, &key, digits, sizeof digits);
    w->total++;
    return bson_append_document(w->items, key, (int)n, item) || error_set(w->d->x->error, SQM_ERROR_DOCUMENT_TOO_LARGE, "the row is too large for a command");
}

static int64_t reply_count(const bson_t *reply) {
    bson_iter_t it;
    return bson_iter_init_find(&it, reply, "n") ? bson_iter_as_int64(&it) : 0;
}

static bool send(Dml *d, const bson_t *command, int64_t *n) {
    bson_t reply;
    bool ok = server_write(d->x->server, command, &reply, d->x->error);
    int64_t count = ok ? reply_count(&reply) : 0;
    *n += count;
    if (ok && bson_has_field(command, "insert")) counts_add(d->x->server, d->table->name, count);
    if (!ok) schema_name_violation(d->table, d->x->error);
    bson_destroy(&reply);
    return ok;
}

bool writes_send(Writes *w, int64_t *n) {
    bool ok = writes_close(w);
    for (int i = 0; i < w->n_commands && ok; i++) ok = send(w->d, w->commands[i], n);
    return ok;
}

void writes_clear(Writes *w) {
    for (int i = 0; i < w->n_commands; i++) bson_destroy(w->commands[i]);
    free(w->commands);
    if (w->items) bson_destroy(w->items);
    memory_release(w->d->x, &w->held);
    writes_init(w, w->d, w->verb, w->array);
}

/* ---- one statement, one transaction ---- */

void dml_note(Dml *d, const ForeignKeys *keys, const Value *row) {
    if (!d->x->foreign) return;
    for (int i = 0; i < keys->n; i++) foreign_note(d->x->foreign, &keys->at[i], row, false);
}

static bool ends_here(const Dml *d) { return !d->x->nested && d->x->foreign && foreign_any(d->x->foreign) && !server_in_transaction(d->x->server); }

bool dml_may_go_alone(const Dml *d) { return !ends_here(d); }

static bool keys_hold(Dml *d) {
    Exec *x = d->x;
    bool satisfied;
    return foreign_lock(x->foreign, x->server, x->error) && foreign_ask(x->foreign, x->server, &satisfied, x->error) &&
           (satisfied || foreign_check(x->foreign, x->server, x->error));
}

bool dml_transaction(Dml *d, bool (*attempt)(Dml *d, void *context), void *context) {
    Exec *x = d->x;
    /* MongoDB has no transactions on capped collections: a statement that fails there keeps what it did before. */
    bool capped = d->table && d->table->options.n && strstr(d->table->options.p, "\"capped\"") && !server_in_transaction(x->server);
    if (x->nested || capped) {
        bool ok = attempt(d, context) && (!capped || !ends_here(d) || foreign_check(d->x->foreign, x->server, x->error));
        exec_forget(x);
        return ok;
    }
    for (;;) {
        bool retry = false;
        cascade_clear(x);
        if (!server_statement_begin(x->server, x->error)) return false;
        bool ok = attempt(d, context) && (!ends_here(d) || keys_hold(d));
        exec_forget(x);         /* its cursors and its view end with the transaction */
        if (server_statement_end(x->server, ok, &retry, x->error)) return true;
        if (!retry) return false;
        error_clear(x->error);
        rows_clear(&d->returned);
        d->affected = 0;
    }
}

/* ---- columns and documents ---- */

int dml_id_column(const Table *t) {
    for (int c = 0; c < t->columns.n; c++)
        if (str_is(t->columns.at[c].field, "_id")) return c;
    return -1;
}

bool dml_required(const Table *t, int c) {
    if (t->columns.at[c].not_null && !t->columns.at[c].implicit) return true;
    for (int i = 0; i < t->primary_key.n; i++)
        if (t->primary_key.at[i] == c) return true;
    return t->declared && str_is(t->columns.at[c].field, "_id");
}

/* The common cases of cast_assign(), which all others go through. */
static bool stays(const Value *v, Type to) {
    switch ((sqm_type_t)v->type) {
    case SQM_NULL: return true;
    case SQM_INT: return to.tag == TYPE_INT8 || (to.tag == TYPE_INT4 && v->u.i == (int32_t)v->u.i);
    case SQM_TEXT: return type_is_text(to) && to.tag != TYPE_CHAR && (to.length < 0 || v->len <= (uint32_t)to.length);
    case SQM_BOOL: return to.tag == TYPE_BOOL;
    case SQM_DOUBLE: return to.tag == TYPE_FLOAT8;
    case SQM_DECIMAL: case SQM_BYTES: case SQM_DATE: case SQM_TIME: case SQM_TIMESTAMP: case SQM_INTERVAL: case SQM_UUID: case SQM_OBJECTID:
    case SQM_JSON: case SQM_BSON: case SQM_TUPLE: break;
    }
    return false;
}

/* Values that come back from BSON as something else are given that form now: RETURNING and later comparisons see what a reader sees. */
static bool read_back(Dml *d, const Column *c, Value *v) {
    bool untyped = c->type.tag == TYPE_UNKNOWN && (v->type == SQM_DATE || v->type == SQM_TIME || v->type == SQM_INTERVAL || v->type == SQM_JSON);
    if (v->type != SQM_TUPLE && !untyped) return true;
    bson_t doc = BSON_INITIALIZER;
    bson_iter_t it;
    bool ok = value_append(&doc, "v", 1, v, c->type) && bson_iter_init_find(&it, &doc, "v");
    if (ok) {
        Value stored = value_from_bson(&it, c->type);
        *v = value_keep(&d->scratch, &stored);
    }
    bson_destroy(&doc);
    return ok || error_set(d->x->error, SQM_ERROR_DOCUMENT_TOO_LARGE, "value of column \"" STR_FMT "\" is too large", STR_ARG(c->name));
}

static bool point_at(sqm_error_t *error, const Expr *e) {
    if (error && e && error->position < 0 && e->pos.at >= 0) {
        error->position = e->pos.at;
        error->length = e->pos.len;
    }
    return false;
}

bool dml_assign(Dml *d, int c, const Value *v, const Expr *e, Value *out) {
    const Column *column = &d->table->columns.at[c];
    if (stays(v, column->type)) *out = *v;
    else if (!cast_assign(&d->ev, v, column->type, column->name, out) || !read_back(d, column, out)) return point_at(d->x->error, e);
    return out->type != SQM_NULL || !dml_required(d->table, c) || dml_null_violation(d, c, e);
}

bool dml_null_violation(Dml *d, int c, const Expr *e) {
    error_set(d->x->error, SQM_ERROR_NOT_NULL_VIOLATION, "null value in column \"" STR_FMT "\" of relation \"" STR_FMT "\" violates not-null constraint",
              STR_ARG(d->table->columns.at[c].name), STR_ARG(d->table->name));
    return point_at(d->x->error, e);
}

bool dml_derive(Dml *d, Value *row, const Assigns *generated, const RowChecks *checks) {
    if (!generated->n && !checks->n) return true;
    dml_fill(d, 0, row);
    for (int i = 0; i < generated->n; i++) {
        const Assign *a = &generated->at[i];
        Value v;
        if (i && d->table->columns.at[a->column].indexed) dml_fill(d, 0, row);      /* it may read generated columns; these can't */
        if (!eval(&d->ev, a->value, &v) || !dml_assign(d, a->column, &v, NULL, &row[a->column])) return false;
    }
    if (generated->n) dml_fill(d, 0, row);
    for (int i = 0; i < checks->n; i++) {
        Value v;
        if (!eval(&d->ev, checks->at[i].condition, &v)) return false;
        if (v.type == SQM_BOOL && !v.u.b)
            return error_set(d->x->error, SQM_ERROR_CHECK_VIOLATION, "new row for relation \"" STR_FMT "\" violates check constraint \"" STR_FMT "\"", STR_ARG(d->table->name),
                             STR_ARG(checks->at[i].constraint->name));
    }
    return true;
}

bool dml_append(Dml *d, bson_t *doc, int c, const Value *v) {
    const Column *column = &d->table->columns.at[c];
    return (column->indexed ? value_append_indexed : value_append)(doc, column->field.p, (int)column->field.n, v, column->type) ||
           error_set(d->x->error, SQM_ERROR_DOCUMENT_TOO_LARGE, "value of column \"" STR_FMT "\" is too large", STR_ARG(column->name));
}

static bool append_id(Dml *d, bson_t *out, const char *key, int len, const Value *id) {
    int c = dml_id_column(d->table);
    return value_append(out, key, len, id, c >= 0 ? d->table->columns.at[c].type : TYPE(UNKNOWN)) ||
           error_set(d->x->error, SQM_ERROR_DOCUMENT_TOO_LARGE, "the row's key is too large");
}

bool dml_append_ids(Dml *d, bson_t *out, const char *key, const Value *const *ids, int n) {
    bson_t query, ops, list;
    uint32_t at = 0;
    bool ok = true, two_forms = d->table->legacy || !d->table->declared;    /* a UUID there may have the old binary subtype */
    bson_append_document_begin(out, key, -1, &query);
    if (n == 1 && !(two_forms && ids[0]->type == SQM_UUID)) {
        ok = append_id(d, &query, "_id", 3, ids[0]);
    } else {
        bson_append_document_begin(&query, "_id", 3, &ops);
        bson_append_array_begin(&ops, "$in", 3, &list);
        for (int i = 0; i < n && ok; i++) {
            char digits[16];
            const char *k;
            size_t len = bson_uint32_to_string(at++, &k, digits, sizeof digits);
            ok = append_id(d, &list, k, (int)len, ids[i]);
            if (!two_forms || ids[i]->type != SQM_UUID) continue;
            len = bson_uint32_to_string(at++, &k, digits, sizeof digits);
            bson_append_binary(&list, k, (int)len, BSON_SUBTYPE_UUID_DEPRECATED, ids[i]->u.bytes, 16);
        }
        bson_append_array_end(&ops, &list);
        bson_append_document_end(&query, &ops);
    }
    bson_append_document_end(out, &query);
    return ok;
}

void dml_decode(const Dml *d, const bson_t *doc, Value *row, Value *id) {
    const Table *t = d->table;
    bson_iter_t it;
    int next = 0, n = t->columns.n, id_column = dml_id_column(t);
    for (int c = 0; c < n; c++) row[c] = sqm_null();
    *id = sqm_null();
    if (!bson_iter_init(&it, doc)) return;
    while (bson_iter_next(&it)) {
        Str key = {bson_iter_key(&it), bson_iter_key_len(&it)};
        if (id_column < 0 && str_is(key, "_id")) *id = value_from_bson(&it, TYPE(UNKNOWN));
        for (int k = 0; k < n; k++) {
            int c = (next + k) % n;         /* fields mostly come in the order of the columns */
            if (!str_eq(t->columns.at[c].field, key)) continue;
            row[c] = value_from_bson(&it, t->columns.at[c].type);
            next = c + 1;
            break;
        }
    }
    if (id_column >= 0) *id = row[id_column];
}

/* ---- changes by _id ---- */

void changes_init(Changes *c, Dml *d) {
    c->d = d;
    c->item = bson_new();
    writes_init(&c->removed, d, "delete", "deletes");
    writes_init(&c->added, d, "insert", "documents");
    writes_init(&c->updated, d, "update", "updates");
}

void changes_clear(Changes *c) {
    if (c->item) bson_destroy(c->item);
    c->item = NULL;
    writes_clear(&c->removed);
    writes_clear(&c->added);
    writes_clear(&c->updated);
}

static bool is_assigned(const Table *t, const int *columns, int n, Str field) {
    for (int i = 0; i < n; i++)
        if (str_eq(t->columns.at[columns[i]].field, field)) return true;
    return false;
}

/* Fields that no column stands for stay what they are. */
static bool move(Changes *ch, const Value *id, const bson_t *stored, const int *columns, const Value *values, int n) {
    Dml *d = ch->d;
    const Table *t = d->table;
    bson_iter_t it;
    bool ok = true;
    if (!stored) return error_set(d->x->error, SQM_ERROR_INTERNAL, "a row whose key changes was not read as a whole");
    bson_reinit(ch->item);
    ok = dml_append_ids(d, ch->item, "q", &id, 1) && bson_append_int32(ch->item, "limit", -1, 1) && writes_add(&ch->removed, ch->item);
    bson_reinit(ch->item);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < n && ok; i++) {
            const Column *column = &t->columns.at[columns[i]];
            bool is_id = str_is(column->field, "_id");
            if (is_id && pass == 0) ok = dml_append(d, ch->item, columns[i], &values[i]);
            if (pass == 0 || is_id || dml_left_out(column, &values[i])) continue;
            ok = dml_append(d, ch->item, columns[i], &values[i]);
        }
    if (!ok || !bson_iter_init(&it, stored)) return false;
    while (bson_iter_next(&it))
        if (!is_assigned(t, columns, n, (Str){bson_iter_key(&it), bson_iter_key_len(&it)})) bson_append_iter(ch->item, NULL, 0, &it);
    return writes_add(&ch->added, ch->item);
}

bool changes_add(Changes *ch, const Value *id, const bson_t *stored, const int *columns, const Value *values, int n) {
    Dml *d = ch->d;
    bson_t u, part;
    bool ok, any[2] = {false, false};
    for (int i = 0; i < n; i++) {
        const Column *column = &d->table->columns.at[columns[i]];
        bool is_id = str_is(column->field, "_id");
        if (is_id && !value_same(&values[i], id)) return move(ch, id, stored, columns, values, n);
        if (!is_id) any[dml_left_out(column, &values[i])] = true;
    }
    bson_reinit(ch->item);
    ok = dml_append_ids(d, ch->item, "q", &id, 1);
    bson_append_document_begin(ch->item, "u", 1, &u);
    if (!any[0] && !any[1]) {                               /* only _id, to what it is; servers before 5.0 refuse an empty $set */
        bson_append_document_begin(&u, "$set", -1, &part);
        ok = ok && append_id(d, &part, "_id", 3, id);
        bson_append_document_end(&u, &part);
    }
    for (int unset = 0; unset < 2 && ok; unset++) {
        if (!any[unset]) continue;
        bson_append_document_begin(&u, unset ? "$unset" : "$set", -1, &part);
        for (int i = 0; i < n && ok; i++) {
            const Column *column = &d->table->columns.at[columns[i]];
            if (str_is(column->field, "_id") || dml_left_out(column, &values[i]) != unset) continue;
            if (unset) bson_append_bool(&part, column->field.p, (int)column->field.n, true);
            else ok = dml_append(d, &part, columns[i], &values[i]);
        }
        bson_append_document_end(&u, &part);
    }
    bson_append_document_end(ch->item, &u);
    return ok && writes_add(&ch->updated, ch->item);
}

/* Inside a transaction a row that was just read cannot be gone. If the server finds fewer, a key doesn't survive the way through SQL. */
bool dml_check_found(Dml *d, int64_t found, int64_t expected) {
    if (found == expected || !server_has_transactions(d->x->server)) return true;
    return error_set(d->x->error, SQM_ERROR_INTERNAL, "%lld of %lld rows of \"" STR_FMT "\" were found again by their _id", (long long)found, (long long)expected, STR_ARG(d->table->name));
}

bool changes_send(Changes *c, int64_t *n) {
    int64_t removed = 0, added = 0, updated = 0;
    bool undoable = server_has_transactions(c->d->x->server);
    /* Rows may trade their keys, so the old ones go first; but where a failure can't be undone, no row may be gone before its successor is there. */
    if (!undoable && !writes_send(&c->added, &added)) return false;
    if (!writes_send(&c->removed, &removed) || !dml_check_found(c->d, removed, c->removed.total)) return false;
    if (undoable && !writes_send(&c->added, &added)) return false;
    if (!writes_send(&c->updated, &updated) || !dml_check_found(c->d, updated, c->updated.total)) return false;
    *n += added + updated;
    return true;
}

/* ---- RETURNING ---- */

void dml_fill(Dml *d, int rel, const Value *row) {
    const Rel *r = d->row->rels.at[rel];
    for (int c = 0; c < d->table->columns.n; c++)
        if (r->columns.at[c].slot >= 0) d->ev.frame[r->columns.at[c].slot] = row[c];
}

bool dml_return(Dml *d, const Value *row) {
    if (!d->has_returning) return true;
    const Query *q = d->row;
    dml_fill(d, 0, row);
    Value *kept = rows_new(&d->returned, q->n_visible ? q->n_visible : 1);
    for (int i = 0; i < q->n_visible; i++) {
        Value v;
        if (!eval(&d->ev, q->targets.at[i].expr, &v)) return false;
        kept[i] = value_keep(&d->returned.arena, &v);
    }
    return rows_push(&d->returned, kept);
}

static void keep_returned(Dml *d) {
    int width = d->has_returning ? d->row->n_visible : 0;
    Arena *a = &d->x->arena;
    d->n_kept = d->returned.n;
    d->kept = NEW_ARRAY(a, Value *, d->n_kept ? d->n_kept : 1);
    for (int i = 0; i < d->n_kept; i++) {
        d->kept[i] = NEW_ARRAY(a, Value, width ? width : 1);
        for (int k = 0; k < width; k++) d->kept[i][k] = value_keep(a, &d->returned.at[i][k]);
    }
}

/* ---- entry ---- */

void dml_init(Dml *d, Exec *x, const Catalog *catalog, const StatementPlan *plan) {
    const Resolved *r = plan->resolved;
    *d = (Dml){.x = x, .plan = plan, .catalog = catalog, .returned = {.x = x}};
    d->table = r->insert ? r->insert->table : r->modify ? r->modify->table : NULL;
    d->row = r->insert ? r->insert->row : r->modify ? r->modify->row : r->query;
    d->has_returning = r->insert ? r->insert->has_returning : r->modify ? r->modify->has_returning : true;
    exec_eval_init(x, &d->ev, NEW_ARRAY(&x->arena, Value, d->row->n_slots + 1), NULL, &d->scratch);
}

bool dml_run(Exec *x, const Catalog *catalog, Dml **out, sqm_error_t *error) {
    const Resolved *r = x->plan->resolved;
    if (error) x->error = error;
    if (!x->server) return error_set(x->error, SQM_ERROR_INTERFACE, "an offline connection cannot write");
    Dml *d = NEW(&x->arena, Dml);
    dml_init(d, x, catalog, x->plan);
    bool ok = server_check(x->server, x->error) && (r->parts.n ? dml_with(d) : r->insert ? dml_insert(d, r->insert) : dml_modify(d, r->modify, x->plan->modify));
    cascade_clear(x);
    if (x->foreign && !x->nested && !server_in_transaction(x->server)) foreign_clear(x->foreign);
    if (ok) keep_returned(d);
    rows_free(&d->returned);
    arena_free(&d->scratch);
    *out = ok ? d : NULL;
    return ok;
}

int64_t dml_rows_affected(const Dml *d) { return d->affected; }

int64_t dml_last_insert_id(const Dml *d) { return d->last_id; }

bool dml_next_returning(Dml *d, const Value **row) {
    if (d->next == d->n_kept) return false;
    *row = d->kept[d->next++];
    return true;
}
