/* dml_cascade.c - ON DELETE CASCADE, SET NULL and SET DEFAULT: what becomes of the rows that refer to deleted ones.
 *
 * In: a key with such an action and the values of the rows that DELETE removes, row by row (cascade_add). Out (cascade_run): for each key a statement of its own,
 * compiled from text, in the transaction of the DELETE and after its own writes:
 *
 *     DELETE FROM "book" WHERE "author_id" IN ($1, $2)
 *     UPDATE "book" SET "author_id" = NULL WHERE "author_id" IN ($1, $2)
 *     DELETE FROM "line" WHERE ("shop", "number") IN (($1, $2), ($3, $4))
 *
 * These statements delete rows that others refer to: their values join the queue of the first statement, so that a chain of references of any length takes memory and
 * time, but no C stack. They see what was deleted before them as gone, so circles end. The rows that such a statement changes count neither as rows of the
 * DELETE nor for its RETURNING, as in PostgreSQL. Keys without an action are checked as ever, when the transaction ends (foreign.h).
 * Invariant: the queue is empty whenever an attempt at the first statement begins. */
#include "dml_internal.h"
#include "parse.h"
#include "resolve.h"

enum { ROWS_AT_ONCE = 1000 };

typedef struct Work { const ForeignKey *key; VEC(Value) values; } Work;     /* as many values as the key has columns for each row */

struct Cascade {
    Arena arena;
    VEC(Work) queue;
    int next;                   /* in the queue: what comes before has been done */
};

static Cascade *cascade_of(Exec *x) {
    if (!x->cascade) x->cascade = NEW(&x->arena, Cascade);
    return x->cascade;
}

void cascade_clear(Exec *x) {
    if (!x->cascade || x->nested) return;
    arena_free(&x->cascade->arena);
    *x->cascade = (Cascade){0};
}

static bool same_key(const ForeignKey *a, const ForeignKey *b) { return a->child == b->child && a->constraint == b->constraint; }

/* The key lies in the arena of a statement that may be over before this is done. */
static Work *new_work(Cascade *c, const ForeignKey *key) {
    ForeignKey *kept = arena_copy(&c->arena, key, sizeof *key);
    kept->parent_columns = arena_copy(&c->arena, key->parent_columns, sizeof *key->parent_columns * (size_t)key->n);
    Work fresh = {.key = kept};
    vec_push(&c->arena, &c->queue, fresh);
    return &c->queue.at[c->queue.n - 1];
}

void cascade_add(Dml *d, const ForeignKey *key, const Value *row) {
    Cascade *c = cascade_of(d->x);
    Work *work = NULL;
    /* In an open transaction rows may come between this statement and COMMIT: they are not looked for again, so COMMIT has to see that there are none. */
    if (d->x->foreign && server_in_transaction(d->x->server)) foreign_note(d->x->foreign, key, row, true);
    else if (d->x->foreign) foreign_note_parent(d->x->foreign, key->parent);
    for (int i = 0; i < key->n; i++)
        if (row[key->parent_columns[i]].type == SQM_NULL) return;
    for (int i = c->next; i < c->queue.n && !work; i++)
        if (same_key(c->queue.at[i].key, key)) work = &c->queue.at[i];
    if (!work) work = new_work(c, key);
    for (int i = 0; i < key->n; i++) {
        Value kept = value_copy(&c->arena, &row[key->parent_columns[i]]);
        vec_push(&c->arena, &work->values, kept);
    }
}

static void add_name(Text *t, Str name) {
    text_adds(t, "\"");
    for (uint32_t i = 0; i < name.n; i++) text_add(t, name.p[i] == '"' ? "\"\"" : &name.p[i], name.p[i] == '"' ? 2 : 1);
    text_adds(t, "\"");
}

static void add_assignment(Text *t, const ForeignKey *key, int column) {
    const Column *c = &key->child->columns.at[column];
    add_name(t, c->name);
    if (key->constraint->on_delete == DELETE_SET_DEFAULT && c->default_text.n) {
        text_adds(t, " = DEFAULT");
    } else if (!dml_required(key->child, column)) {
        text_adds(t, " = NULL");
    } else {
        /* An error, but only if there is such a row: a constant would be one at once. */
        text_adds(t, " = NULLIF(");
        add_name(t, c->name);
        text_adds(t, ", ");
        add_name(t, c->name);
        text_adds(t, ")");
    }
}

/* "author_id", or ("shop", "number") */
static void add_columns(Text *t, const ForeignKey *key) {
    if (key->n > 1) text_adds(t, "(");
    for (int i = 0; i < key->n; i++) {
        if (i) text_adds(t, ", ");
        add_name(t, key->child->columns.at[key->child_columns[i]].name);
    }
    if (key->n > 1) text_adds(t, ")");
}

static Str statement_of(Arena *arena, const ForeignKey *key, int rows) {
    Text t = {.arena = arena};
    bool cascade = key->constraint->on_delete == DELETE_CASCADE;
    text_adds(&t, cascade ? "DELETE FROM " : "UPDATE ");
    add_name(&t, key->child->name);
    for (int i = 0; i < key->n && !cascade; i++) {
        text_adds(&t, i ? ", " : " SET ");
        add_assignment(&t, key, key->child_columns[i]);
    }
    text_adds(&t, " WHERE ");
    add_columns(&t, key);
    text_adds(&t, " IN (");
    for (int row = 0; row < rows; row++)
        for (int i = 0; i < key->n; i++)
            text_addf(&t, "%s%s$%d%s", row + i ? ", " : "", key->n > 1 && i == 0 ? "(" : "", row * key->n + i + 1, key->n > 1 && i == key->n - 1 ? ")" : "");
    text_adds(&t, ")");
    return (Str){t.p, (uint32_t)t.n};
}

static StatementPlan *compile(Dml *d, Arena *arena, Str sql, const Value *params) {
    Compile cc = {.arena = arena, .sql = sql, .error = d->x->error};
    if (setjmp(cc.exit)) return NULL;
    Parsed parsed = parse(&cc, true);
    Resolved *resolved = resolve(&cc, d->catalog, &parsed, params);
    PlanOptions options = {.server_version = server_version(d->x->server)};
    return plan_statement(&cc, resolved, &options);
}

static bool run_one(Dml *d, const ForeignKey *key, const Value *values, int rows) {
    Exec *x = d->x, inner;
    Arena arena = {0};
    Dml *done;
    StatementPlan *plan = compile(d, &arena, statement_of(&arena, key, rows), values);
    bool ok = plan != NULL;
    if (ok) {
        exec_init(&inner, x->server, plan, values, rows * key->n, x->memory_limit, x->error);
        inner.now = x->now, inner.statement_now = x->statement_now;
        inner.catalog = d->catalog;
        inner.foreign = x->foreign;
        inner.cascade = x->cascade;
        inner.nested = true;
        ok = dml_run(&inner, d->catalog, &done, x->error);
        exec_clear(&inner);
    }
    arena_free(&arena);
    return ok;
}

bool cascade_run(Dml *d) {
    Cascade *c = d->x->cascade;
    if (!c || d->x->nested) return true;        /* the first statement does it */
    while (c->next < c->queue.n) {
        Work work = c->queue.at[c->next++];     /* a copy: the queue grows, and moves */
        int width = work.key->n, rows = work.values.n / width;
        for (int i = 0; i < rows; i += ROWS_AT_ONCE) {
            int n = rows - i < ROWS_AT_ONCE ? rows - i : ROWS_AT_ONCE;
            if (!run_one(d, work.key, work.values.at + i * width, n)) return false;
        }
    }
    return true;
}
