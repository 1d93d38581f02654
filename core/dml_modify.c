/* dml_modify.c - UPDATE and DELETE.
 *
 * In: ModifyQuery and ModifyPlan. Out: the rows are changed, counted, and returned if asked for.
 *
 *     UPDATE book SET pages = pages + 1 WHERE id = 3          MODIFY_COMMAND: { update: "book", updates: [ {q: {_id: 3}, u: [...]} ] }
 *     UPDATE book SET title = lower(title) WHERE pages > 9    MODIFY_ROWS: read _id and the new title of each row, then
 *         { update: "book", updates: [ {q: {_id: 3}, u: {$set: {title: "emma"}}}, ... ] }
 *
 * MODIFY_COMMAND that can meet one document only goes as it is (one round trip, retryable); otherwise in a transaction, because a command that fails at its second
 * document keeps the first. MODIFY_ROWS reads everything first, in the transaction that writes: a row that somebody changes meanwhile is a
 * write conflict, and the statement starts over. A row that UPDATE ... FROM finds several times is changed once, by the first match. */
#include "dml_internal.h"

enum { IDS_AT_ONCE = 5000 };

/* ---- one command ---- */

static bool is_own_unique(const Expr *e, const ModifyQuery *m) {
    return e->tag == EXPR_VAR && e->level == 0 && e->rel == 0 && e->column >= 0 && e->column < m->table->columns.n && table_column_is_unique(m->table, e->column);
}

static bool one_row_at_most(const ModifyQuery *m, const Exprs *match) {
    for (int i = 0; i < match->n; i++) {
        const Expr *e = match->at[i];
        if (e->negated || e->args.n != 2) continue;
        if (e->tag == EXPR_COMPARE && e->op == OP_EQ) {
            if (is_own_unique(e->args.at[0], m) && expr_is_constant(e->args.at[1])) return true;
            if (is_own_unique(e->args.at[1], m) && expr_is_constant(e->args.at[0])) return true;
        }
        if (e->tag == EXPR_IN && is_own_unique(e->args.at[0], m) && expr_is_constant(e->args.at[1])) return true;
    }
    return false;
}

typedef struct Command { const ModifyQuery *m; const ModifyPlan *p; bool one; } Command;

/* A write of one document is one that the server can be asked twice for, if the first answer got lost. */
static void make_single(bson_t *command) {
    bson_iter_t it, at;
    if (bson_iter_init(&it, command) && bson_iter_find_descendant(&it, "updates.0.multi", &at)) bson_iter_overwrite_bool(&at, false);
    if (bson_iter_init(&it, command) && bson_iter_find_descendant(&it, "deletes.0.limit", &at)) bson_iter_overwrite_int32(&at, 1);
}

/* A constant NULL for a NOT NULL column: an error if there is a row that would get it. */
static bool refuse_null(Dml *d, Emit *em, const Command *c) {
    Exec *x = d->x;
    bson_t command = BSON_INITIALIZER;
    ServerView *view;
    ServerCursor *cursor = NULL;
    const bson_t *doc;
    bool never = false;
    int found = 0;
    bool ok = mql_find_any(em, c->m, c->p, &command, &never) && (never || (exec_view(x, &view) && server_read(x->server, view, &command, &cursor, x->error)));
    if (ok && !never) found = server_cursor_next(cursor, &doc, x->error);
    server_cursor_close(cursor);
    bson_destroy(&command);
    return found > 0 ? dml_null_violation(d, em->refused->column, em->refused->value) : ok && found == 0;
}

static bool attempt_command(Dml *d, void *context) {
    const Command *c = context;
    Exec *x = d->x;
    Eval ev;
    bson_t command = BSON_INITIALIZER, reply;
    bson_iter_t it;
    bool never = false;
    arena_clear(&d->scratch);
    exec_eval_init(x, &ev, NULL, NULL, &d->scratch);
    Emit em = {.ev = &ev, .arena = &d->scratch};
    bool ok = d->plan->resolved->tag == STMT_DELETE ? mql_delete(&em, c->m, c->p, &command, &never) : mql_update(&em, c->m, c->p, &command, &never);
    if (ok && em.refused) {
        ok = refuse_null(d, &em, c);
    } else if (ok && !never) {
        if (c->one) make_single(&command);
        ok = server_write(x->server, &command, &reply, x->error);
        if (ok && bson_iter_init_find(&it, &reply, "n")) d->affected = bson_iter_as_int64(&it);
        if (!ok) schema_name_violation(d->table, x->error);
        bson_destroy(&reply);
    }
    bson_destroy(&command);
    return ok;
}

/* Values of an UPDATE's foreign keys: constants here (plan_modify). */
static bool note_constants(Dml *d, const ModifyQuery *m) {
    Value *row = m->foreign.n ? NEW_ARRAY(&d->scratch, Value, m->table->columns.n + 1) : NULL, v;
    for (int i = 0; i < m->foreign.n; i++)
        for (int k = 0; k < m->set.n; k++) {
            const Assign *a = &m->set.at[k];
            const Column *column = &m->table->columns.at[a->column];
            if (foreign_key_has(&m->foreign.at[i], a->column) && !(eval(&d->ev, a->value, &v) && cast_assign(&d->ev, &v, column->type, column->name, &row[a->column]))) return false;
        }
    if (m->foreign.n) dml_note(d, &m->foreign, row);
    return true;
}

static bool run_command(Dml *d, const ModifyQuery *m, const ModifyPlan *p) {
    Command c = {m, p, one_row_at_most(m, &p->match)};
    if (!note_constants(d, m)) return false;
    bool alone = !d->x->nested && d->x->plan->n_reads == 0 && (c.one || server_in_transaction(d->x->server));
    return alone && dml_may_go_alone(d) ? attempt_command(d, &c) : dml_transaction(d, attempt_command, &c);
}

/* ---- row by row ---- */

typedef struct Modify {
    Dml *d;
    const ModifyQuery *m;
    Rows rows;                  /* [new values][_id][row, with whole_rows][columns of FROM, for RETURNING] */
    Hash ids;
    Hash documents;             /* [_id][document]: rows whose _id changes */
    Rows document_rows;
    Changes changes;
    Writes deletes;
    int *columns;               /* of m->set, then of m->generated */
    Value *values;              /* theirs */
    int id;                     /* which assignment is to _id, -1 */
} Modify;

static bool read_rows(Modify *o) {
    Dml *d = o->d;
    Exec *x = d->x;
    const ModifyQuery *m = o->m;
    int n_set = m->set.n, n_columns = (m->whole_rows ? m->table->columns.n : 0) + m->from_slots.n, r = 0;
    bool ok = true;
    QueryRun *run = exec_query_open(x, d->plan->query, NULL);
    const Value *frame = exec_query_eval(run)->frame;
    while (ok && (r = exec_query_next(run)) > 0) {
        const Value *id = &frame[d->plan->modify->id_slot];
        uint64_t h = keys_hash(id, 1);
        if (hash_find(&o->ids, h, id) >= 0) continue;
        arena_clear(&d->scratch);
        Value *row = rows_new(&o->rows, n_set + 1 + n_columns);
        for (int i = 0; i < n_set && ok; i++) {
            Value v;
            ok = dml_assign(d, m->set.at[i].column, &frame[m->rows->targets.at[i].slot], m->set.at[i].value, &v);
            if (ok) row[i] = value_keep(&o->rows.arena, &v);
        }
        row[n_set] = value_keep(&o->rows.arena, id);
        for (int c = 0; c < n_columns; c++) row[n_set + 1 + c] = value_keep(&o->rows.arena, &frame[m->rows->targets.at[n_set + 1 + c].slot]);
        ok = ok && rows_push(&o->rows, row) && hash_add(&o->ids, h, row);
    }
    exec_query_close(run);
    return ok && r == 0;
}

/* RETURNING of a row whose columns stand at `whole`. */
static bool return_row(Modify *o, const Value *whole) {
    for (int i = 0; i < o->m->from_slots.n; i++) o->d->ev.frame[o->m->from_slots.at[i]] = whole[o->m->table->columns.n + i];
    return dml_return(o->d, whole);
}

/* The whole documents of the rows that get a new _id, with the fields that no column stands for. */
static bool read_documents(Modify *o) {
    Dml *d = o->d;
    Exec *x = d->x;
    int n_set = o->m->set.n;
    bool ok = true;
    for (int i = 0; i < o->rows.n && ok;) {
        const Value **ids = NEW_ARRAY(&o->document_rows.arena, const Value *, IDS_AT_ONCE);
        int n = 0, r = 0;
        for (; i < o->rows.n && n < IDS_AT_ONCE; i++)
            if (!value_same(&o->rows.at[i][o->id], &o->rows.at[i][n_set])) ids[n++] = &o->rows.at[i][n_set];
        if (!n) continue;
        bson_t command = BSON_INITIALIZER;
        ServerView *view;
        ServerCursor *cursor = NULL;
        const bson_t *doc;
        bson_append_utf8(&command, "find", 4, d->table->name.p, (int)d->table->name.n);
        ok = dml_append_ids(d, &command, "filter", ids, n) && exec_view(x, &view) && server_read(x->server, view, &command, &cursor, x->error);
        Value *scratch = NEW_ARRAY(&o->document_rows.arena, Value, d->table->columns.n + 1);
        while (ok && (r = server_cursor_next(cursor, &doc, x->error)) > 0) {
            Value *kept = rows_new(&o->document_rows, 2), id;
            const uint8_t *bytes = arena_copy(&o->document_rows.arena, bson_get_data(doc), doc->len);
            bson_t own;
            if (!bson_init_static(&own, bytes, doc->len)) continue;
            dml_decode(d, &own, scratch, &id);
            kept[0] = id;
            kept[1] = (Value){.type = SQM_BSON, .bson_type = BSON_TYPE_DOCUMENT, .len = doc->len, .u.bytes = bytes};
            ok = rows_charge(&o->document_rows) && hash_add(&o->documents, keys_hash(kept, 1), kept);
        }
        ok = ok && r == 0;
        server_cursor_close(cursor);
        bson_destroy(&command);
    }
    return ok;
}

/* dml_note() for a row of which only the new values are known. */
static void note_assigned(Modify *o, const Value *values, int n) {
    if (!o->m->foreign.n) return;
    Value *row = NEW_ARRAY(&o->d->scratch, Value, o->m->table->columns.n + 1);
    for (int k = 0; k < n; k++) row[o->columns[k]] = values[k];
    dml_note(o->d, &o->m->foreign, row);
    arena_clear(&o->d->scratch);
}

static bool change_rows(Modify *o) {
    Dml *d = o->d;
    int n_set = o->m->set.n;
    size_t row_size = sizeof(Value) * (size_t)d->table->columns.n;
    if (o->id >= 0 && !read_documents(o)) return false;
    for (int i = 0; i < o->rows.n; i++) {
        Value *row = o->rows.at[i], *id = &row[n_set];
        bson_t document;
        const bson_t *stored = NULL;
        int found = o->id >= 0 ? hash_find(&o->documents, keys_hash(id, 1), id) : -1;
        if (found >= 0) {
            const Value *raw = &o->documents.at[found].row[1];
            if (bson_init_static(&document, raw->u.bytes, raw->len)) stored = &document;
        }
        if (!o->m->whole_rows) {
            note_assigned(o, row, n_set);
            if (!changes_add(&o->changes, id, stored, o->columns, row, n_set)) return false;
            continue;
        }
        Value *whole = row + n_set + 1;
        arena_clear(&d->scratch);
        const Value *before = o->m->referring.n ? arena_copy(&o->rows.arena, whole, row_size) : NULL;
        for (int k = 0; k < n_set; k++) whole[o->columns[k]] = o->values[k] = row[k];
        if (!dml_derive(d, whole, &o->m->generated, &o->m->checks)) return false;
        for (int k = n_set; k < n_set + o->m->generated.n; k++) o->values[k] = whole[o->columns[k]];
        if (before) cascade_changed(d, &o->m->referring, before, whole);
        dml_note(d, &o->m->foreign, whole);
        if (!changes_add(&o->changes, id, stored, o->columns, o->values, n_set + o->m->generated.n) || !return_row(o, whole)) return false;
    }
    return true;
}

static bool delete_rows(Modify *o) {
    Dml *d = o->d;
    const Value **ids = NEW_ARRAY(&o->document_rows.arena, const Value *, IDS_AT_ONCE);
    bson_t *item = o->changes.item;
    bool ok = true;
    for (int i = 0; i < o->rows.n && ok;) {
        int n = 0;
        for (; i < o->rows.n && n < IDS_AT_ONCE && ok; i++) {
            ids[n++] = &o->rows.at[i][0];
            arena_clear(&d->scratch);
            cascade_deleted(d, &o->m->referring, &o->rows.at[i][1]);
            ok = return_row(o, &o->rows.at[i][1]);
        }
        bson_reinit(item);
        ok = ok && dml_append_ids(d, item, "q", ids, n) && bson_append_int32(item, "limit", -1, 0) && writes_add(&o->deletes, item);
    }
    return ok;
}

static void forget(Modify *o) {
    hash_free(&o->ids);
    hash_free(&o->documents);
    rows_free(&o->rows);
    rows_free(&o->document_rows);
    writes_clear(&o->deletes);
    changes_clear(&o->changes);
}

static bool collect_rows(Dml *d, void *context) {
    Modify *o = context;
    forget(o);
    changes_init(&o->changes, d);
    if (!read_rows(o)) return false;
    return d->plan->resolved->tag == STMT_DELETE ? delete_rows(o) : change_rows(o);
}

static bool send_rows(Dml *d, void *context) {
    Modify *o = context;
    if (d->plan->resolved->tag == STMT_UPDATE) return changes_send(&o->changes, &d->affected);
    return writes_send(&o->deletes, &d->affected) && dml_check_found(d, d->affected, o->rows.n);
}

static bool attempt_rows(Dml *d, void *context) { return collect_rows(d, context) && send_rows(d, context) && cascade_run(d); }

static void begin(Modify *o, Dml *d, const ModifyQuery *m) {
    Exec *x = d->x;
    *o = (Modify){.d = d, .m = m, .rows = {.x = x}, .document_rows = {.x = x}, .id = -1};
    hash_init(&o->ids, x, m->set.n, 1);
    hash_init(&o->documents, x, 0, 1);
    writes_init(&o->deletes, d, "delete", "deletes");
    changes_init(&o->changes, d);
    o->columns = NEW_ARRAY(&x->arena, int, m->set.n + m->generated.n + 1);
    o->values = NEW_ARRAY(&x->arena, Value, m->set.n + m->generated.n + 1);
    for (int i = 0; i < m->set.n; i++) {
        o->columns[i] = m->set.at[i].column;
        if (str_is(m->table->columns.at[o->columns[i]].field, "_id")) o->id = i;
    }
    for (int i = 0; i < m->generated.n; i++) o->columns[m->set.n + i] = m->generated.at[i].column;
}

static bool run_rows(Dml *d, const ModifyQuery *m) {
    Modify o;
    begin(&o, d, m);
    bool ok = dml_transaction(d, attempt_rows, &o);
    forget(&o);
    return ok;
}

static void end(void *context) { forget(context); }

void modify_part(Dml *d, Part *out) {
    Modify *o = NEW(&d->x->arena, Modify);
    begin(o, d, d->plan->resolved->modify);
    *out = (Part){.d = d, .collect = collect_rows, .send = send_rows, .end = end, .context = o};
}

bool modify_same_row(const Part *a, const Part *b) {
    const Modify *one = a->context, *other = b->context;
    if (!str_eq(one->m->table->name, other->m->table->name)) return false;
    for (int i = 0; i < other->rows.n; i++) {
        const Value *id = &other->rows.at[i][other->m->set.n];
        if (hash_find(&one->ids, keys_hash(id, 1), id) >= 0) return true;
    }
    return false;
}

bool dml_modify(Dml *d, const ModifyQuery *m, const ModifyPlan *p) {
    return p->method == MODIFY_COMMAND ? run_command(d, m, p) : run_rows(d, m);
}
