/* dml_cascade.c - ON DELETE and ON UPDATE actions (CASCADE, SET NULL, SET DEFAULT): what becomes of the rows that refer to those that go or get another key.
 *
 * In: the rows that a statement deletes (cascade_deleted) or changes (cascade_changed), one by one, and the keys that refer to them. Out (cascade_run): for each key a
 * statement of its own, compiled from text, in the transaction of the first one and after its own writes:
 *
 *     DELETE FROM "book" c WHERE "author_id" IN ($1, $2)
 *     UPDATE "book" c SET "author_id" = NULL WHERE "author_id" IN ($1, $2)
 *     DELETE FROM "line" c WHERE ("shop", "number") IN (($1, $2), ($3, $4))
 *     UPDATE "book" c SET "author_id" = k.n1 FROM (VALUES ($1::bigint, $2::bigint), ...) k (o1, n1) WHERE c."author_id" = k.o1          ON UPDATE CASCADE
 *
 * These statements write rows that others refer to: they join the queue of the first statement, so that a chain of references of any length takes memory and
 * time, but no C stack. They see what was deleted before them as gone, so circles end. The rows that such a statement changes count neither as rows of the
 * first one nor for its RETURNING, as in PostgreSQL. Keys without an action are checked as ever, when the transaction ends (foreign.h).
 * Rows may trade their keys in one statement; what refers to them follows only if all of them are looked at together.
 * Invariant: the queue is empty whenever an attempt at the first statement begins. */
#include "dml_internal.h"
#include "parse.h"
#include "resolve.h"

/* Keys that are changed in a circle of tables may go round for ever. In PostgreSQL the stack ends sometime. */
enum { ROWS_AT_ONCE = 1000, MOST_ROUNDS = 1000 };

/* Of rows that went: the values of the key. Of rows that changed (`moved`): the old values of each, then the new ones. */
typedef struct Work {
    const ForeignKey *key;
    KeyAction action;
    bool moved;
    int statement, round;       /* which statement of the queue has asked for it; changes of keys in a row up to it */
    VEC(Value) values;
} Work;

struct Cascade {
    Arena arena;
    VEC(Work) queue;
    int next;                   /* in the queue: what comes before has been done */
    int round;                  /* of the statement that runs */
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

/* What one statement has deleted joins what another has; changes don't, because the later ones start from what the earlier ones have made. */
static Work *work_of(Cascade *c, const ForeignKey *key, KeyAction action, bool moved) {
    for (int i = c->next; i < c->queue.n; i++) {
        Work *work = &c->queue.at[i];
        if (same_key(work->key, key) && work->moved == moved && work->action == action && (!moved || work->statement == c->next)) return work;
    }
    /* The key lies in the arena of a statement that may be over before this is done. */
    ForeignKey *kept = arena_copy(&c->arena, key, sizeof *key);
    kept->parent_columns = arena_copy(&c->arena, key->parent_columns, sizeof *key->parent_columns * (size_t)key->n);
    Work fresh = {.key = kept, .action = action, .moved = moved, .statement = c->next, .round = moved ? c->round + 1 : 0};
    vec_push(&c->arena, &c->queue, fresh);
    return &c->queue.at[c->queue.n - 1];
}

static void add_values(Cascade *c, Work *work, const Value *row) {
    for (int i = 0; i < work->key->n; i++) {
        Value kept = value_copy(&c->arena, &row[work->key->parent_columns[i]]);
        vec_push(&c->arena, &work->values, kept);
    }
}

/* `after`: what the row has become; NULL: it goes. */
static void add(Dml *d, const ForeignKey *key, KeyAction action, const Value *before, const Value *after) {
    Cascade *c = cascade_of(d->x);
    /* In an open transaction rows may come between this statement and COMMIT: they are not looked for again, so COMMIT has to see that there are none. */
    if (d->x->foreign && server_in_transaction(d->x->server)) foreign_note(d->x->foreign, key, before, true);
    else if (d->x->foreign) foreign_note_parent(d->x->foreign, key->parent);
    for (int i = 0; i < key->n; i++)
        if (before[key->parent_columns[i]].type == SQM_NULL) return;
    Work *work = work_of(c, key, action, after && action == ACTION_CASCADE);
    add_values(c, work, before);
    if (work->moved) add_values(c, work, after);
}

void cascade_deleted(Dml *d, const ForeignKeys *keys, const Value *row) {
    for (int i = 0; i < keys->n; i++) {
        const ForeignKey *key = &keys->at[i];
        if (key->constraint->on_delete != ACTION_NONE) add(d, key, key->constraint->on_delete, row, NULL);
        else if (d->x->foreign) foreign_note(d->x->foreign, key, row, true);
    }
}

static bool keeps(const ForeignKey *key, const Value *before, const Value *after) {
    for (int i = 0; i < key->n; i++)
        if (!value_same(&before[key->parent_columns[i]], &after[key->parent_columns[i]])) return false;
    return true;
}

void cascade_changed(Dml *d, const ForeignKeys *keys, const Value *before, const Value *after) {
    for (int i = 0; i < keys->n; i++) {
        const ForeignKey *key = &keys->at[i];
        if (keeps(key, before, after)) continue;
        if (key->constraint->on_update != ACTION_NONE) add(d, key, key->constraint->on_update, before, after);
        else if (d->x->foreign) foreign_note(d->x->foreign, key, before, true);
    }
}

/* ---- statements ---- */

static void add_name(Text *t, Str name) {
    text_adds(t, "\"");
    for (uint32_t i = 0; i < name.n; i++) text_add(t, name.p[i] == '"' ? "\"\"" : &name.p[i], name.p[i] == '"' ? 2 : 1);
    text_adds(t, "\"");
}

static void add_assignment(Text *t, const Work *work, int i) {
    const ForeignKey *key = work->key;
    int column = key->child_columns[i];
    const Column *c = &key->child->columns.at[column];
    add_name(t, c->name);
    if (work->action == ACTION_CASCADE) {
        text_addf(t, " = k.n%d", i + 1);
    } else if (work->action == ACTION_SET_DEFAULT && c->default_text.n) {
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

/* "author_id" IN ($1, $2), or ("shop", "number") IN (($1, $2), ($3, $4)) */
static void add_condition(Text *t, const ForeignKey *key, int rows) {
    const char *open = key->n > 1 ? "(" : "", *close = key->n > 1 ? ")" : "";
    text_adds(t, open);
    for (int i = 0; i < key->n; i++) {
        if (i) text_adds(t, ", ");
        add_name(t, key->child->columns.at[key->child_columns[i]].name);
    }
    text_addf(t, "%s IN (", close);
    for (int row = 0, number = 0; row < rows; row++) {
        text_addf(t, "%s%s", row ? ", " : "", open);
        for (int i = 0; i < key->n; i++) text_addf(t, "%s$%d", i ? ", " : "", ++number);
        text_adds(t, close);
    }
    text_adds(t, ")");
}

/* The types are those that the values have: a NULL among them has none of its own. */
static void add_source(Text *t, const ForeignKey *key, int rows) {
    text_adds(t, " FROM (VALUES ");
    for (int row = 0, number = 0; row < rows; row++) {
        text_adds(t, row ? ", (" : "(");
        for (int i = 0; i < 2 * key->n; i++) {
            char type[64];
            text_addf(t, "%s$%d::%s", i ? ", " : "", ++number, type_text(key->parent->columns.at[key->parent_columns[i % key->n]].type, type, sizeof type));
        }
        text_adds(t, ")");
    }
    text_adds(t, ") k (");
    for (int i = 0; i < 2 * key->n; i++) text_addf(t, "%s%c%d", i ? ", " : "", i < key->n ? 'o' : 'n', i % key->n + 1);
    text_adds(t, ") WHERE ");
    for (int i = 0; i < key->n; i++) {
        text_adds(t, i ? " AND c." : "c.");
        add_name(t, key->child->columns.at[key->child_columns[i]].name);
        text_addf(t, " = k.o%d", i + 1);
    }
}

static Str statement_of(Arena *arena, const Work *work, int rows) {
    const ForeignKey *key = work->key;
    Text t = {.arena = arena};
    bool deletes = work->action == ACTION_CASCADE && !work->moved;
    text_adds(&t, deletes ? "DELETE FROM " : "UPDATE ");
    add_name(&t, key->child->name);
    text_adds(&t, " c");
    for (int i = 0; i < key->n && !deletes; i++) {
        text_adds(&t, i ? ", " : " SET ");
        add_assignment(&t, work, i);
    }
    if (work->moved) {
        add_source(&t, key, rows);
    } else {
        text_adds(&t, " WHERE ");
        add_condition(&t, key, rows);
    }
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

static int values_per_row(const Work *work) { return work->key->n * (work->moved ? 2 : 1); }

static bool run_one(Dml *d, const Work *work, const Value *values, int rows) {
    Exec *x = d->x, inner;
    Arena arena = {0};
    Dml *done;
    StatementPlan *plan = compile(d, &arena, statement_of(&arena, work, rows), values);
    bool ok = plan != NULL;
    if (ok) {
        exec_init(&inner, x->server, plan, values, rows * values_per_row(work), x->memory_limit, x->error);
        inner.now = x->now, inner.statement_now = x->statement_now;
        inner.catalog = d->catalog;
        inner.foreign = x->foreign;
        inner.cascade = x->cascade;
        inner.nested = true;
        ok = dml_run(&inner, d->catalog, &done, x->error);
        exec_clear(&inner);
    }
    if (!ok && x->error) x->error->position = -1;       /* it is one in a text that the user doesn't know */
    arena_free(&arena);
    return ok;
}

/* Does some row get the key that another had? Then a row that refers to the one must not be found again, as one that refers to the other, by a later command. */
static bool trades(Dml *d, const Work *work, bool *out) {
    int n = work->key->n;
    Hash old;
    bool ok = true;
    *out = false;
    hash_init(&old, d->x, 0, n);
    for (int i = 0; i < work->values.n && ok; i += 2 * n) ok = hash_add(&old, keys_hash(&work->values.at[i], n), &work->values.at[i]);
    for (int i = n; i < work->values.n && ok && !*out; i += 2 * n) *out = hash_find(&old, keys_hash(&work->values.at[i], n), &work->values.at[i]) >= 0;
    hash_free(&old);
    return ok;
}

static bool run_work(Dml *d, const Work *work) {
    int width = values_per_row(work), rows = work->values.n / width;
    bool together = false;
    if (work->round > MOST_ROUNDS)
        return error_set(d->x->error, SQM_ERROR_NOT_SUPPORTED, "ON UPDATE CASCADE of foreign key constraint \"" STR_FMT "\" comes round again and again", STR_ARG(work->key->constraint->name));
    if (work->moved && rows > ROWS_AT_ONCE && !trades(d, work, &together)) return false;
    for (int i = 0; i < rows;) {
        int n = together || rows - i < ROWS_AT_ONCE ? rows - i : ROWS_AT_ONCE;
        if (!run_one(d, work, work->values.at + i * width, n)) return false;
        i += n;
    }
    return true;
}

bool cascade_run(Dml *d) {
    Cascade *c = d->x->cascade;
    if (!c || d->x->nested) return true;        /* the first statement does it */
    while (c->next < c->queue.n) {
        Work work = c->queue.at[c->next++];     /* a copy: the queue grows, and moves */
        c->round = work.round;
        if (!run_work(d, &work)) return false;
    }
    return true;
}
