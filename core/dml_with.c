/* dml_with.c - INSERT, UPDATE and DELETE in WITH, and the statement that follows it.
 *
 *     WITH gone AS (DELETE FROM book WHERE pages < 9 RETURNING id, title) INSERT INTO old_book SELECT id, title FROM gone
 *
 * In: a Dml of the whole statement (which may be a SELECT) with the plans of its parts. Out: all of them have been run once, in one transaction, and the rows of the
 * last one, RETURNING's or SELECT's, are kept.
 *
 * First every part reads what it has to, in the order in which they stand, and then the last one: all see the same state, and of each other only the rows that are
 * RETURNed. Then what they have made is sent: deletions first, insertions last, so that a row may take the place of one that goes. A row that two of
 * them change is refused: in PostgreSQL one of them does nothing, and which one isn't said. ON DELETE and ON UPDATE actions and foreign keys come at the end. */
#include "dml_internal.h"

typedef struct With { Part *parts; int n; } With;      /* the last one is the statement itself */

static bool read_select(Dml *d, void *context) {
    (void)context;
    const Ints *output = &d->plan->query->output;
    int r = 0;
    QueryRun *run = exec_query_open(d->x, d->plan->query, NULL);
    const Value *frame = exec_query_eval(run)->frame;
    bool ok = true;
    while (ok && (r = exec_query_next(run)) > 0) {
        Value *kept = rows_new(&d->returned, output->n ? output->n : 1);
        for (int i = 0; i < output->n; i++) kept[i] = value_keep(&d->returned.arena, &frame[output->at[i]]);
        ok = rows_push(&d->returned, kept);
    }
    exec_query_close(run);
    d->affected = d->returned.n;
    return ok && r == 0;
}

static bool make_part(Dml *d, Part *out) {
    const Resolved *r = d->plan->resolved;
    if (r->insert) return insert_part(d, out);
    if (r->modify) modify_part(d, out);
    else *out = (Part){.d = d, .collect = read_select};
    return true;
}

static bool rows_differ(const With *w, int last) {
    const Part *part = &w->parts[last];
    for (int i = 0; i < last; i++)
        if (part->d->plan->resolved->modify && w->parts[i].d->plan->resolved->modify && modify_same_row(&w->parts[i], part))
            return error_set(part->d->x->error, SQM_ERROR_NOT_SUPPORTED, "changing a row of \"" STR_FMT "\" in two parts of one statement is not supported", STR_ARG(part->d->table->name));
    return true;
}

static bool collect(const With *w) {
    for (int i = 0; i < w->n; i++) {
        const Part *part = &w->parts[i];
        Dml *d = part->d;
        rows_clear(&d->returned);
        d->affected = 0;
        if (!part->collect(d, part->context) || !rows_differ(w, i)) return false;
        if (i < w->n - 1 && !cte_give(d->x, d->plan->resolved->cte, &d->returned)) return false;
    }
    return true;
}

static bool attempt(Dml *d, void *context) {
    static const StmtTag order[] = {STMT_DELETE, STMT_UPDATE, STMT_INSERT};
    const With *w = context;
    if (!collect(w)) return false;
    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        for (int i = 0; i < w->n; i++) {
            const Part *part = &w->parts[i];
            if (part->send && part->d->plan->resolved->tag == order[k] && !part->send(part->d, part->context)) return false;
        }
    return cascade_run(d);
}

bool dml_with(Dml *d) {
    Exec *x = d->x;
    int n = d->plan->parts.n;
    With w = {.parts = NEW_ARRAY(&x->arena, Part, n + 1)};
    bool ok = true;
    for (; w.n <= n && ok; w.n++) {
        Dml *own = w.n < n ? NEW(&x->arena, Dml) : d;
        if (own != d) dml_init(own, x, d->catalog, d->plan->parts.at[w.n]);
        ok = make_part(own, &w.parts[w.n]);
    }
    ok = ok && dml_transaction(d, attempt, &w);
    for (int i = 0; i < w.n; i++) {
        if (w.parts[i].end) w.parts[i].end(w.parts[i].context);
        if (w.parts[i].d == d) continue;
        rows_free(&w.parts[i].d->returned);
        arena_free(&w.parts[i].d->scratch);
    }
    return ok;
}
