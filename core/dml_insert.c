/* dml_insert.c - INSERT: source rows, defaults, numbers from the counter, documents.
 *
 * In: InsertQuery and, for a SELECT, its plan. Out: `insert` commands (dml.c sends them), RETURNING rows.
 *
 *     INSERT INTO book (title, tags) VALUES ('Emma', NULL), (%s, DEFAULT)
 *         {_id: 41, title: "Emma", pages: null}       tags is jsonb: NULL is the missing field; pages wasn't named and has no default
 *
 * A row goes: source cell -> DEFAULT / counter / column default -> cast_assign -> NOT NULL -> generated columns, CHECKs -> document with _id first. A table without a column in _id, or whose
 * _id is an ObjectId that nobody gave, gets one here, so that a command that is sent twice inserts once.
 * Plain VALUES are evaluated straight from the statement, cell by cell, without a QueryRun: thousands of rows cost little more than their BSON.
 * Numbers are taken from the counter once per statement, outside of the transaction: they are not given back. */
#include "dml_internal.h"

enum { LARGEST_DOCUMENT = 16 << 20 };

/* ---- the source ---- */

static bool is_marker(const Expr *e) { return e->tag == EXPR_CONST && e->number == -1; }

/* VALUES whose rows may be evaluated in place: nothing but the list itself, targets in order. */
static const Rel *plain_values(const Query *q) {
    if (q->rels.n != 1 || q->rels.at[0]->kind != REL_VALUES || q->where || q->grouped || q->windows.n || q->distinct || q->distinct_on.n || q->order.n ||
        q->limit || q->offset || q->set_op != SET_NONE || q->ctes.n)
        return NULL;
    for (int i = 0; i < q->n_visible; i++) {
        const Expr *e = q->targets.at[i].expr;
        if (e->tag != EXPR_VAR || e->level != 0 || e->column != i) return NULL;
    }
    return q->rels.at[0];
}

/* ---- complete rows ---- */

static bool take_ids(Insert *in, int64_t n) {
    in->used_ids = 0;
    if (n <= in->n_ids) return true;        /* an attempt that starts over uses the numbers it has */
    in->n_ids = n;
    return schema_next_ids(in->d->x->server, in->t, n, &in->first_id, in->d->x->error);
}

static Value object_id(Arena *a) {
    bson_oid_t *oid = arena_alloc(a, sizeof *oid);
    bson_oid_init(oid, NULL);
    return (Value){.type = SQM_OBJECTID, .len = 12, .u.bytes = oid->bytes};
}

/* Several identity columns of a table share one number per row, as they share the counter. */
static bool complete(Insert *in, const Exprs *exprs) {
    Dml *d = in->d;
    const Table *t = in->t;
    int64_t number = 0;
    for (int c = 0; c < t->columns.n; c++) {
        const Column *column = &t->columns.at[c];
        int s = in->source[c];
        if (column->generated_text.n) {
            in->row[c] = sqm_null();
            continue;
        }
        bool given = s >= 0 && !in->defaulted[s];
        const Expr *e = given && exprs ? exprs->at[s] : in->q->defaults.at[c];
        Value v = sqm_null();
        if (given) {
            v = in->cells[s];
        } else if (column->identity) {
            if (!number) number = d->last_id = in->first_id + in->used_ids++;
            v = sqm_int(number);
        } else if (e) {
            if (!eval(&d->ev, e, &v)) return false;
        } else if (c == in->id && (column->type.tag == TYPE_OBJECTID || column->type.tag == TYPE_UNKNOWN)) {
            v = object_id(&d->scratch);
        }
        if (v.type == SQM_NULL && given && in->forbidden[c]) return dml_null_violation(d, c, exprs ? e : NULL);
        if (v.type == SQM_NULL && !in->required[c]) in->row[c] = v;
        else if (!dml_assign(d, c, &v, given ? e : NULL, &in->row[c])) return false;
        if (given && column->identity && in->row[c].type == SQM_INT && in->row[c].u.i > in->greatest) in->greatest = in->row[c].u.i;
    }
    return dml_derive(d, in->row, &in->q->generated, &in->q->checks);
}

bool insert_add(Insert *in, const Value *row) {
    Dml *d = in->d;
    const Table *t = in->t;
    dml_note(d, &in->q->foreign, row);
    bson_reinit(in->doc);
    if (in->id < 0) {
        bson_oid_t oid;
        bson_oid_init(&oid, NULL);
        bson_append_oid(in->doc, "_id", 3, &oid);
    }
    for (int i = 0; i < t->columns.n; i++) {
        int c = in->order[i];
        bool loose = !t->declared || (t->columns.at[c].implicit && row[c].type == SQM_NULL);
        bool unknown = loose && in->source[c] < 0 && c != in->id;           /* a field that other documents happen to have */
        if (unknown || table_column_is_virtual(t, c) || dml_left_out(&t->columns.at[c], &row[c])) continue;
        if (!dml_append(d, in->doc, c, &row[c])) return false;
    }
    if (in->doc->len > LARGEST_DOCUMENT)
        return error_set(d->x->error, SQM_ERROR_DOCUMENT_TOO_LARGE, "a row of \"" STR_FMT "\" takes %u bytes, a document may have %d", STR_ARG(t->name), in->doc->len, LARGEST_DOCUMENT);
    return writes_add(&in->writes, in->doc);
}

/* ---- from source to rows ---- */

typedef bool (*RowUser)(Insert *in, void *context);     /* in->row is complete; it lives until the next one */

static bool identity_missing(const Insert *in, const Exprs *row) {
    for (int c = 0; c < in->t->columns.n; c++)
        if (in->t->columns.at[c].identity && (in->source[c] < 0 || (row && is_marker(row->at[in->source[c]])))) return true;
    return false;
}

static bool from_values(Insert *in, const Rel *values, RowUser use, void *context) {
    Dml *d = in->d;
    Exec *x = d->x;
    Eval ev;
    int64_t missing = 0;
    for (int i = 0; in->has_identity && i < values->values.n; i++) missing += identity_missing(in, &values->values.at[i]);
    if (!take_ids(in, missing)) return false;
    exec_eval_init(x, &ev, NEW_ARRAY(&x->arena, Value, in->q->source->n_slots + 1), NULL, &d->scratch);
    for (int i = 0; i < values->values.n; i++) {
        const Exprs *row = &values->values.at[i];
        arena_clear(&d->scratch);
        for (int k = 0; k < in->q->columns.n; k++) {
            const Expr *e = row->at[k];
            in->defaulted[k] = is_marker(e);
            if (e->tag == EXPR_CAST && e->implicit) e = e->args.at[0];      /* the column's own type is what text is read as */
            if (!in->defaulted[k] && !eval(&ev, e, &in->cells[k])) return false;
        }
        if (!complete(in, row) || !use(in, context)) return false;
    }
    return true;
}

/* The counter is asked once, so rows that need it wait until all are known. */
static bool from_query(Insert *in, RowUser use, void *context) {
    Dml *d = in->d;
    Exec *x = d->x;
    const Ints *output = &d->plan->query->output;
    bool wait = in->has_identity && identity_missing(in, NULL), ok = true;
    int n = in->q->columns.n, r = 0;
    Rows waiting = {.x = x};
    QueryRun *run = exec_query_open(x, d->plan->query, NULL);
    Eval *ev = exec_query_eval(run);
    while (ok && (r = exec_query_next(run)) > 0) {
        arena_clear(&d->scratch);
        if (wait) {
            Value *row = rows_new(&waiting, n);
            for (int k = 0; k < n; k++) row[k] = value_keep(&waiting.arena, &ev->frame[output->at[k]]);
            ok = rows_push(&waiting, row);
        } else {
            for (int k = 0; k < n; k++) in->cells[k] = ev->frame[output->at[k]];
            ok = complete(in, NULL) && use(in, context);
        }
    }
    ok = ok && r == 0;
    exec_query_close(run);
    ok = ok && take_ids(in, waiting.n);
    for (int i = 0; i < waiting.n && ok; i++) {
        arena_clear(&d->scratch);
        memcpy(in->cells, waiting.at[i], sizeof *in->cells * (size_t)n);
        ok = complete(in, NULL) && use(in, context);
    }
    rows_free(&waiting);
    return ok;
}

static bool each_row(Insert *in, RowUser use, void *context) {
    if (!in->q->source) return take_ids(in, in->has_identity) && complete(in, NULL) && use(in, context);
    const Rel *values = plain_values(in->q->source);
    return values ? from_values(in, values, use, context) : from_query(in, use, context);
}

/* A number that the user chose must never be handed out again. */
static bool raise_counter(Insert *in) {
    if (in->greatest <= in->raised) return true;
    in->raised = in->greatest;
    return schema_bump_counter(in->d->x->server, in->t, in->greatest, in->d->x->error);
}

/* ---- without ON CONFLICT ---- */

static bool use_now(Insert *in, void *context) {
    (void)context;
    return insert_add(in, in->row) && dml_return(in->d, in->row);
}

static bool build(Insert *in) {
    writes_clear(&in->writes);
    return each_row(in, use_now, NULL) && writes_close(&in->writes) && raise_counter(in);
}

static bool attempt_send(Dml *d, void *context) { return writes_send(&((Insert *)context)->writes, &d->affected); }

static bool collect_all(Dml *d, void *context) {
    (void)d;
    return build(context);
}

static bool attempt_all(Dml *d, void *context) { return collect_all(d, context) && attempt_send(d, context); }

/* What was computed without reading is computed once; dml_transaction() would forget its RETURNING rows. */
static bool send_built(Insert *in) {
    Dml *d = in->d;
    bool alone = in->writes.total == 1 || (in->writes.n_commands == 1 && server_in_transaction(d->x->server));
    if ((alone && dml_may_go_alone(d)) || !in->writes.total) return attempt_send(d, in);
    Rows returned = d->returned;
    d->returned = (Rows){.x = d->x};
    bool ok = dml_transaction(d, attempt_send, in);
    d->returned = returned;
    return ok;
}

/* ---- with ON CONFLICT ---- */

typedef struct Upsert { Insert *in; Conflict *conflict; Rows rows; bool built; } Upsert;

static bool use_later(Insert *in, void *context) {
    Rows *rows = context;
    Value *row = rows_new(rows, in->t->columns.n);
    for (int c = 0; c < in->t->columns.n; c++) row[c] = value_keep(&rows->arena, &in->row[c]);
    return rows_push(rows, row);
}

static bool collect_upsert(Dml *d, void *context) {
    Upsert *u = context;
    (void)d;
    if (!u->built || u->in->reads) {
        rows_clear(&u->rows);
        if (!each_row(u->in, use_later, &u->rows) || !raise_counter(u->in)) return false;
        u->built = true;
    }
    writes_clear(&u->in->writes);
    return conflict_collect(u->conflict, &u->rows);
}

static bool send_upsert(Dml *d, void *context) {
    (void)d;
    return conflict_send(((Upsert *)context)->conflict);
}

static bool attempt_upsert(Dml *d, void *context) { return collect_upsert(d, context) && send_upsert(d, context) && cascade_run(d); }

/* Without transactions another writer may come between our look and our insert; one row that failed so has changed nothing yet. */
static bool run_upsert(Upsert *u) {
    Dml *d = u->in->d;
    Exec *x = d->x;
    enum { ATTEMPTS = 4 };
    for (int attempt = 1;; attempt++) {
        if (dml_transaction(d, attempt_upsert, u)) return true;
        bool race = x->error && x->error->code == SQM_ERROR_UNIQUE_VIOLATION && !server_has_transactions(x->server) && u->rows.n == 1;
        if (!race || attempt == ATTEMPTS) return false;
        error_clear(x->error);
        rows_clear(&d->returned);
        d->affected = 0;
    }
}

/* ---- entry ---- */

static void prepare(Insert *in) {
    Arena *a = &in->d->x->arena;
    const Table *t = in->t;
    int n = t->columns.n, at = 0;
    in->id = dml_id_column(t);
    in->order = NEW_ARRAY(a, int, n + 1);
    in->source = NEW_ARRAY(a, int, n + 1);
    in->required = NEW_ARRAY(a, bool, n + 1);
    in->forbidden = NEW_ARRAY(a, bool, n + 1);
    in->row = NEW_ARRAY(a, Value, n + 1);
    in->cells = NEW_ARRAY(a, Value, in->q->columns.n + 1);
    in->defaulted = NEW_ARRAY(a, bool, in->q->columns.n + 1);
    if (in->id >= 0) in->order[at++] = in->id;
    for (int c = 0; c < n; c++) {
        if (c != in->id) in->order[at++] = c;
        in->source[c] = -1;
        in->required[c] = dml_required(t, c);
        /* Of a column declared over older documents, NULL may stay where it is, and code that doesn't know the column may leave it out. */
        in->forbidden[c] = t->columns.at[c].not_null;
        in->has_identity |= t->columns.at[c].identity;
    }
    for (int k = 0; k < in->q->columns.n; k++) {
        int c = in->q->columns.at[k];
        if (!(in->q->own_identity && t->columns.at[c].identity)) in->source[c] = k;
    }
}

static void begin(Insert *in, Dml *d, const InsertQuery *q) {
    *in = (Insert){.d = d, .q = q, .t = q->table, .reads = d->x->plan->n_reads > 0 || d->x->plan->parts.n};
    prepare(in);
    in->doc = bson_new();
    writes_init(&in->writes, d, "insert", "documents");
}

static void end(void *context) {
    Insert *in = context;
    writes_clear(&in->writes);
    bson_destroy(in->doc);
}

static void end_upsert(void *context) {
    Upsert *u = context;
    conflict_end(u->conflict);
    rows_free(&u->rows);
    end(u->in);
}

bool insert_part(Dml *d, Part *out) {
    const InsertQuery *q = d->plan->resolved->insert;
    Insert *in = NEW(&d->x->arena, Insert);
    begin(in, d, q);
    *out = (Part){.d = d, .collect = collect_all, .send = attempt_send, .end = end, .context = in};
    if (!q->on_conflict) return true;
    Upsert *u = NEW(&d->x->arena, Upsert);
    *u = (Upsert){.in = in, .rows = {.x = d->x}};
    *out = (Part){.d = d, .collect = collect_upsert, .send = send_upsert, .end = end_upsert, .context = u};
    return conflict_begin(in, &u->conflict);
}

bool dml_insert(Dml *d, const InsertQuery *q) {
    Insert in;
    bool ok;
    begin(&in, d, q);
    if (q->on_conflict) {
        Upsert u = {.in = &in, .rows = {.x = d->x}};
        ok = conflict_begin(&in, &u.conflict) && run_upsert(&u);
        end_upsert(&u);
        return ok;
    }
    if (in.reads) ok = dml_transaction(d, attempt_all, &in);
    else ok = build(&in) && send_built(&in);
    end(&in);
    return ok;
}
