/* ddl.c - what each DDL statement means for the catalogue, and which checks and changes of rows it needs.
 *
 * In: a statement's AST and a copy of the catalogue (Ddl.next). Out: the copy changed, Ddl.steps, Ddl.changes. Nothing is sent from here; every error of
 * the user is found here, with PostgreSQL's words where it has some. ALTER TABLE is ddl_alter.c's. Indexes and validators follow from the catalogue: ddl_plan.c.
 *
 *     ALTER TABLE book ALTER COLUMN pages SET NOT NULL
 *     -> step: find {pages: null} must find nothing, else NOT_NULL_VIOLATION
 *     -> column.not_null = true (and a unique index over pages loses its bound in the partial filter)
 *
 * A single-column primary key lies in _id. Giving a table another key, or its key another type, writes all rows to a new collection (STEP_COPY).
 * FOREIGN KEY constraints are recorded and the rows that are there checked once; foreign.h checks those that are written. Statements are not transactional: each step can be repeated, the catalogue is published last. */
#include "ddl_internal.h"
#include "foreign.h"

#include <stdlib.h>

#include "eval.h"
#include "function.h"
#include "resolve.h"

Str ddl_keep(Ddl *d, Str s) { return s.n ? arena_str(&d->next->arena, s.p, s.n) : (Str){0}; }

/* ---- tables and their changes ---- */

Table *ddl_exact_table(const Ddl *d, Str name) {
    const Table *t = catalog_find_table(d->next, name);
    return t && str_eq(t->name, name) ? (Table *)t : NULL;
}

/* A table that may be altered; NULL when there is none and that is all right. */
Table *ddl_own_table(Ddl *d, Str name, Pos pos, bool missing_ok) {
    Table *t = (Table *)catalog_find_table(d->next, name);
    if (!t) {
        if (missing_ok) return NULL;
        fail(&d->cc, SQM_ERROR_UNDEFINED_TABLE, pos, "relation \"" STR_FMT "\" does not exist", STR_ARG(name));
    }
    if (t->view_text.n) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "\"" STR_FMT "\" is a view", STR_ARG(name));
    if (!t->declared)
        fail_hint(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "Its columns are only known from a sample of its documents.", "collection \"" STR_FMT "\" was never declared as a table, its definition cannot be changed", STR_ARG(name));
    return t;
}

Change *ddl_change_of(Ddl *d, Table *t, bool structure) {
    Change *change = NULL;
    for (int i = 0; i < d->changes.n; i++)
        if (d->changes.at[i]->table == t) change = d->changes.at[i];
    if (!change) {
        change = NEW(&d->arena, Change);
        change->table = t;
        change->stored = t->name;
        vec_push(&d->arena, &d->changes, change);
    }
    if (structure && !change->structure) {
        const Table *old = catalog_find_table(d->base, change->stored);
        change->structure = true;
        change->before = ddl_physical(d, d->base, old);
        change->validator_before = ddl_validator(d, d->base, old);
    }
    return change;
}

void ddl_touch(Ddl *d, Table *t) { ddl_change_of(d, t, false); }

void ddl_note(Ddl *d, Change *change, Step step) {
    if (!step.check) {
        bool known = false;
        for (int i = 0; i < d->altered.n; i++) known |= str_eq(d->altered.at[i], change->stored);
        if (!known) vec_push(&d->arena, &d->altered, change->stored);
    }
    vec_push(&d->arena, &change->steps, step);
}

/* Rows matching `filter` (NULL: any row) make the statement fail. */
void ddl_expect_none(Ddl *d, Change *change, const bson_t *filter, sqm_error_code_t code, Str message) {
    bson_t *find = ddl_command(d, "find", change->table->name);
    if (filter) BSON_APPEND_DOCUMENT(find, "filter", filter);
    BSON_APPEND_INT32(find, "limit", 1);
    ddl_note(d, change, (Step){.tag = STEP_NONE, .check = true, .command = find, .code = code, .message = message});
}

void ddl_expect_no_nulls(Ddl *d, Change *change, const Column *c) {
    if (str_is(c->field, "_id")) return;
    bson_t *filter = ddl_bson(d);
    ddl_null_filter(filter, c);
    ddl_expect_none(d, change, filter, SQM_ERROR_NOT_NULL_VIOLATION,
                arena_printf(&d->arena, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" contains null values", STR_ARG(c->name), STR_ARG(change->table->name)));
}

/* {update: t, updates: [{q: filter, u: {operator: {field: value}}, multi: true}]} */
bson_t *ddl_begin_update(Ddl *d, Str collection, const bson_t *filter, const char *operator_, bson_t *list, bson_t *one, bson_t *u, bson_t *change) {
    bson_t *command = ddl_command(d, "update", collection);
    BSON_APPEND_ARRAY_BEGIN(command, "updates", list);
    BSON_APPEND_DOCUMENT_BEGIN(list, "0", one);
    BSON_APPEND_DOCUMENT(one, "q", filter);
    BSON_APPEND_DOCUMENT_BEGIN(one, "u", u);
    bson_append_document_begin(u, operator_, -1, change);
    return command;
}

void ddl_end_update(bson_t *command, bson_t *list, bson_t *one, bson_t *u, bson_t *change) {
    bson_append_document_end(u, change);
    bson_append_document_end(one, u);
    BSON_APPEND_BOOL(one, "multi", true);
    bson_append_document_end(list, one);
    bson_append_array_end(command, list);
}

bson_t *ddl_exists_filter(Ddl *d, Str field) {
    bson_t *filter = ddl_bson(d), condition;
    bson_append_document_begin(filter, field.p, (int)field.n, &condition);
    BSON_APPEND_BOOL(&condition, "$exists", true);
    bson_append_document_end(filter, &condition);
    return filter;
}

Rewrite *ddl_rewrite_of(Ddl *d, const Table *rows, Str collection, const Column *target, int column) {
    Rewrite *r = NEW(&d->arena, Rewrite);
    r->table = rows;
    r->collection = collection;
    r->column = column;
    r->field = target->field;
    r->name = target->name;
    r->type = target->type;
    r->not_null = target->not_null;
    r->indexed = target->indexed;
    return r;
}

void ddl_note_rewrite(Ddl *d, Change *change, Rewrite *r, bool checked) {
    bson_t *find = ddl_command(d, "find", r->collection);
    if (checked) ddl_note(d, change, (Step){.tag = STEP_TRY, .check = true, .command = find, .rewrite = r});
    ddl_note(d, change, (Step){.tag = STEP_REWRITE, .command = find, .rewrite = r});
}

void ddl_note_copy(Ddl *d, Change *change, Rewrite *r) {
    if (change->copied) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, NO_POS, "changing the primary key twice in one statement is not supported");
    change->copied = true;
    r->copy = arena_printf(&d->arena, "__sqm_copy_" STR_FMT, STR_ARG(r->collection));
    ddl_note(d, change, (Step){.tag = STEP_TRY, .check = true, .command = ddl_command(d, "find", r->collection), .rewrite = r});
    ddl_note(d, change, (Step){.tag = STEP_COPY, .command = ddl_command(d, "find", r->collection), .rewrite = r});
}

/* ---- names ---- */

bool ddl_index_name_taken(const Ddl *d, Str name) {
    for (int i = 0; i < d->next->tables.n; i++) {
        const Table *t = d->next->tables.at[i];
        for (int k = 0; k < t->indexes.n; k++)
            if (str_eq(t->indexes.at[k].name, name)) return true;
    }
    return false;
}

const Constraint *ddl_find_constraint(const Table *t, Str name) {
    for (int i = 0; i < t->constraints.n; i++)
        if (str_eq(t->constraints.at[i].name, name)) return &t->constraints.at[i];
    return NULL;
}

/* PostgreSQL's default names: book_title_key, book_pkey, book_check, book_author_id_idx; a number makes them different. */
static Str make_name(Ddl *d, const Table *t, const int *columns, int n, const char *suffix) {
    Text base = {.arena = &d->arena};
    text_add(&base, t->name.p, t->name.n);
    for (int i = 0; i < n; i++) text_addf(&base, "_" STR_FMT, STR_ARG(t->columns.at[columns[i]].indexed ? STR("expr") : t->columns.at[columns[i]].name));
    for (int number = 0;; number++) {
        Str name = number ? arena_printf(&d->arena, "%s_%s%d", base.p, suffix, number) : arena_printf(&d->arena, "%s_%s", base.p, suffix);
        if (!ddl_find_constraint(t, name) && !ddl_index_name_taken(d, name) && !table_find_index(t, name)) return ddl_keep(d, name);
    }
}

/* There is nothing in the documents that MongoDB could index or look at. */
void ddl_refuse_virtual(Ddl *d, const Table *t, int column, const char *what, Pos pos) {
    if (table_column_is_virtual(t, column))
        fail_hint(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "Make it STORED.", "%s on the virtual generated column \"" STR_FMT "\" is not supported", what, STR_ARG(t->columns.at[column].name));
}

static int key_column(Ddl *d, const Table *t, Str name, Pos pos) {
    int column = table_find_column(t, name);
    if (column < 0 || t->columns.at[column].hidden) fail(&d->cc, SQM_ERROR_UNDEFINED_COLUMN, pos, "column \"" STR_FMT "\" named in key does not exist", STR_ARG(name));
    ddl_refuse_virtual(d, t, column, "a key", pos);
    return column;
}

int ddl_named_column(Ddl *d, const Table *t, Str name, Pos pos) {
    int column = table_find_column(t, name);
    if (column < 0 || t->columns.at[column].indexed)
        fail(&d->cc, SQM_ERROR_UNDEFINED_COLUMN, pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" does not exist", STR_ARG(name), STR_ARG(t->name));
    return column;
}

/* A BSON key that needs no escaping in filters and updates: dots and a leading $ become their full-width forms. */
Str ddl_field_of(Ddl *d, Str name) {
    Text out = {.arena = &d->next->arena};
    for (uint32_t i = 0; i < name.n; i++) {
        if (name.p[i] == '.') text_adds(&out, "\xEF\xBC\x8E");
        else if (name.p[i] == '$' && i == 0) text_adds(&out, "\xEF\xBC\x84");
        else text_add(&out, name.p + i, 1);
    }
    return (Str){out.p, (uint32_t)out.n};
}

/* ---- columns ---- */

Type ddl_type_of(Ddl *d, const AstType *ast) {
    Type type;
    if (!type_from_name(ast->name, ast->modifiers[0], ast->modifiers[1], &type))
        fail(&d->cc, SQM_ERROR_UNDEFINED_OBJECT, ast->pos, "type \"" STR_FMT "\" does not exist", STR_ARG(ast->name));
    if (ast->is_array) type = type_array(type.tag);
    return type;
}

/* The default's value, when it is one for all rows. False: it must be computed row by row (*expr). */
bool ddl_constant_default(Ddl *d, const Column *c, Value *value, Expr **expr) {
    *value = sqm_null();
    *expr = NULL;
    if (!c->default_text.n) return true;
    *expr = ddl_default(d, d->next, c->default_text);
    if (expr_is_volatile(*expr)) return false;
    Eval ev = {.arena = &d->arena, .now = d->now, .error = d->cc.error};
    if (!eval(&ev, *expr, value)) ddl_raise(d);
    if (value->type != SQM_NULL && !cast_assign(&ev, value, c->type, c->name, value)) ddl_raise(d);
    return true;
}

Column ddl_make_column(Ddl *d, const Table *t, const AstColumnDef *def) {
    if (table_find_column(t, def->name) >= 0 && str_eq(t->columns.at[table_find_column(t, def->name)].name, def->name))
        fail(&d->cc, SQM_ERROR_DUPLICATE_COLUMN, def->pos, "column \"" STR_FMT "\" specified more than once", STR_ARG(def->name));
    Column c = {.name = ddl_keep(d, def->name), .field = ddl_field_of(d, def->name), .type = ddl_type_of(d, def->type), .not_null = def->not_null, .identity = def->identity, .always = def->identity_always};
    if (def->not_null && def->is_null)
        fail(&d->cc, SQM_ERROR_SYNTAX, def->pos, "conflicting NULL/NOT NULL declarations for column \"" STR_FMT "\" of table \"" STR_FMT "\"", STR_ARG(c.name), STR_ARG(t->name));
    if (c.identity && !type_is_integer(c.type)) fail(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, def->pos, "identity column type must be smallint, integer, or bigint");
    c.not_null |= c.identity;
    c.default_text = def->default_text;
    c.generated_text = ddl_keep(d, def->generated_text);
    c.generated_stored = def->generated_stored;
    if (c.generated_text.n && (c.identity || c.default_text.n)) fail(&d->cc, SQM_ERROR_SYNTAX, def->pos, "both default or identity and generation expression specified for column \"" STR_FMT "\"", STR_ARG(c.name));
    if (c.generated_text.n && !c.generated_stored && c.not_null)
        fail_hint(&d->cc, SQM_ERROR_NOT_SUPPORTED, def->pos, "Make it STORED.", "NOT NULL on the virtual generated column \"" STR_FMT "\" is not supported", STR_ARG(c.name));
    c.collation = ddl_collation(d, def->collation, &c.type, def->pos);
    if (c.identity && c.default_text.n) fail(&d->cc, SQM_ERROR_SYNTAX, def->pos, "both default and identity specified for column \"" STR_FMT "\"", STR_ARG(c.name));
    Value ignored;
    Expr *expr;
    ddl_constant_default(d, &c, &ignored, &expr);
    c.default_text = ddl_keep(d, c.default_text);
    return c;
}

/* ---- constraints ---- */

Index *ddl_find_index(Table *t, Str name) {
    for (int i = 0; i < t->indexes.n; i++)
        if (str_eq(t->indexes.at[i].name, name)) return &t->indexes.at[i];
    return NULL;
}

void ddl_remove_index(Table *t, const Index *index) {
    int at = (int)(index - t->indexes.at);
    memmove(&t->indexes.at[at], &t->indexes.at[at + 1], sizeof *t->indexes.at * (size_t)(t->indexes.n - at - 1));
    t->indexes.n--;
}

void ddl_remove_constraint(Table *t, int at) {
    memmove(&t->constraints.at[at], &t->constraints.at[at + 1], sizeof *t->constraints.at * (size_t)(t->constraints.n - at - 1));
    t->constraints.n--;
}

static bool indexable_unique(Type type) { return type.tag != TYPE_JSON && type.tag != TYPE_ARRAY && type.tag != TYPE_UNKNOWN && type.tag != TYPE_ROW; }

void ddl_check_unique_types(Ddl *d, const Table *t, const int *columns, int n, Pos pos) {
    for (int i = 0; i < n; i++) {
        const Column *c = &t->columns.at[columns[i]];
        char type[64];
        if (indexable_unique(c->type)) continue;
        if (c->indexed) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "a unique index on an expression of type %s is not supported", type_text(c->type, type, sizeof type));
        fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "a unique or primary key on column \"" STR_FMT "\" of type %s is not supported", STR_ARG(c->name), type_text(c->type, type, sizeof type));
    }
}

static void add_unique_index(Ddl *d, Table *t, Change *change, Str name, const Numbers *columns, bool nulls_not_distinct, Pos pos) {
    Index index = {.name = name, .unique = true, .nulls_not_distinct = nulls_not_distinct, .constraint = true};
    for (int i = 0; i < columns->n; i++) PUSH(d, &index.keys, ddl_column_key(d, t, change, columns->at[i], pos));
    PUSH(d, &t->indexes, index);
}

/* The column that lies in _id moves out of it (it isn't the key any more). */
static Str leave_id(Ddl *d, Table *t, int except) {
    for (int i = 0; i < t->columns.n; i++) {
        Column *c = &t->columns.at[i];
        if (i == except || !str_is(c->field, "_id") || c->hidden) continue;
        c->field = ddl_field_of(d, c->name);
        if (str_is(c->field, "_id")) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, NO_POS, "column \"_id\" of relation \"" STR_FMT "\" must be the primary key", STR_ARG(t->name));
        return c->field;
    }
    return (Str){0};
}

static void set_primary_key(Ddl *d, Table *t, Change *change, const Numbers *columns, Str name, Rewrite *source, Pos pos) {
    if (t->primary_key.n) fail(&d->cc, SQM_ERROR_SYNTAX, pos, "multiple primary keys for table \"" STR_FMT "\" are not allowed", STR_ARG(t->name));
    ddl_check_unique_types(d, t, columns->at, columns->n, pos);
    for (int i = 0; i < columns->n; i++) {
        ddl_refuse_folded(d, t, columns->at[i], "a primary key", pos);
        Column *c = &t->columns.at[columns->at[i]];
        if (change && columns->n > 1 && !c->not_null) ddl_expect_no_nulls(d, change, c);
        c->not_null = true;
        PUSH(d, &t->primary_key, columns->at[i]);
    }
    if (columns->n > 1) {
        add_unique_index(d, t, change, name, columns, false, pos);
        return;
    }
    int key = columns->at[0];
    Column *c = &t->columns.at[key];
    if (str_is(c->field, "_id")) return;
    if (!change) {
        c->field = STR("_id");
        return;
    }
    Rewrite *r = source ? source : ddl_rewrite_of(d, table_copy(&d->arena, t), t->name, c, key);
    r->promote = source ? (Str){0} : c->field;
    r->demote = leave_id(d, t, key);
    r->field = STR("_id");
    r->not_null = true;
    c->field = STR("_id");
    for (int i = 0; i < t->columns.n; i++) {        /* djongo 1.3's spare ObjectId gives way */
        Column *other = &t->columns.at[i];
        if (i == key || !other->hidden || !str_is(other->field, "_id")) continue;
        other->field = STR("__object_id");
        r->demote = other->field;
    }
    ddl_note_copy(d, change, r);
}

/* A key of several columns refers to one row: some unique index is on them, in any order. */
static void require_unique(Ddl *d, const Table *other, const Constraint *c, Pos pos) {
    if (!other->declared || other->legacy || other->view_text.n) return;
    for (int i = 0; i < other->indexes.n; i++) {
        const Index *index = &other->indexes.at[i];
        bool all = index->unique && !index->where_text.n && index->keys.n == c->references_columns.n;
        for (int k = 0; k < index->keys.n && all; k++) {
            all = false;
            for (int n = 0; n < c->references_columns.n; n++) all |= !index->keys.at[k].path.n && index->keys.at[k].column == table_find_column(other, c->references_columns.at[n]);
        }
        if (all) return;
    }
    fail(&d->cc, SQM_ERROR_UNDEFINED_OBJECT, pos, "there is no unique constraint matching given keys for referenced table \"" STR_FMT "\"", STR_ARG(other->name));
}

/* What acts on rows must be able to tell them: the keys that are checked, and no others. */
static KeyAction action_of(Ddl *d, const Table *t, const Table *other, const Constraint *c, const char *when, Str name, Pos pos) {
    int columns[MOST_KEY_COLUMNS];
    if (!name.n) return ACTION_NONE;
    if (t->legacy || other->legacy || !other->declared || other->view_text.n)
        fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "%s " STR_FMT " of a foreign key to \"" STR_FMT "\", which no CREATE TABLE has declared, is not supported", when, STR_ARG(name), STR_ARG(other->name));
    if (!foreign_key_checked(t, other, c, columns))
        fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "%s " STR_FMT " of a foreign key between columns of different types is not supported", when, STR_ARG(name));
    KeyAction action = str_is(name, "CASCADE") ? ACTION_CASCADE : str_is(name, "SET NULL") ? ACTION_SET_NULL : ACTION_SET_DEFAULT;
    bool deletes = action == ACTION_CASCADE && strcmp(when, "ON DELETE") == 0;
    for (int i = 0; i < c->columns.n && !deletes; i++)
        if (t->columns.at[c->columns.at[i]].generated_text.n)
            fail(&d->cc, SQM_ERROR_SYNTAX, pos, "invalid %s action for foreign key constraint containing generated column", when);
    return action;
}

static void add_foreign_key(Ddl *d, Table *t, Constraint *c, const AstConstraint *ast) {
    const Table *other = str_eq(ast->references, t->name) ? t : catalog_find_table(d->next, ast->references);
    if (!other) fail(&d->cc, SQM_ERROR_UNDEFINED_TABLE, ast->pos, "relation \"" STR_FMT "\" does not exist", STR_ARG(ast->references));
    c->references = ddl_keep(d, other->name);
    for (int i = 0; i < ast->references_columns.n; i++) {
        Str name = ast->references_columns.at[i];
        int column = table_find_column(other, name);
        if (column < 0 && other->declared)
            fail(&d->cc, SQM_ERROR_UNDEFINED_COLUMN, ast->pos, "column \"" STR_FMT "\" referenced in foreign key constraint does not exist", STR_ARG(name));
        PUSH(d, &c->references_columns, ddl_keep(d, column < 0 ? name : other->columns.at[column].name));
        if (column >= 0) ddl_refuse_folded(d, other, column, "a foreign key", ast->pos);
    }
    for (int i = 0; i < c->columns.n; i++) ddl_refuse_folded(d, t, c->columns.at[i], "a foreign key", ast->pos);
    if (!ast->references_columns.n) {
        if (!other->primary_key.n && other != t)
            fail(&d->cc, SQM_ERROR_UNDEFINED_OBJECT, ast->pos, "there is no primary key for referenced table \"" STR_FMT "\"", STR_ARG(other->name));
        for (int i = 0; i < other->primary_key.n; i++) PUSH(d, &c->references_columns, ddl_keep(d, other->columns.at[other->primary_key.at[i]].name));
    }
    if (c->references_columns.n != c->columns.n)
        fail(&d->cc, SQM_ERROR_SYNTAX, ast->pos, "number of referencing and referenced columns for foreign key disagree");
    if (c->columns.n > MOST_KEY_COLUMNS) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, ast->pos, "a foreign key of more than %d columns is not supported", MOST_KEY_COLUMNS);
    if (c->columns.n > 1) require_unique(d, other, c, ast->pos);
    vec_push(&d->arena, &d->steps, ((Step){.tag = STEP_COMMAND, .command = ddl_command(d, "create", STR(FOREIGN_LOCKS)), .tolerate = NAMESPACE_EXISTS}));
    c->on_delete = action_of(d, t, other, c, "ON DELETE", ast->actions.on_delete, ast->pos);
    c->on_update = action_of(d, t, other, c, "ON UPDATE", ast->actions.on_update, ast->pos);
}

/* A virtual column is gone from a resolved condition: what stands there are the columns it is made of. */
bool ddl_names_column(const AstExpr *e, Str name) {
    if (!e) return false;
    if (e->tag == AST_COLUMN && str_ieq(e->name, name)) return true;
    bool found = ddl_names_column(e->otherwise, name) || ddl_names_column(e->filter, name);
    for (int i = 0; i < e->args.n; i++) found |= ddl_names_column(e->args.at[i], name);
    for (int i = 0; i < e->arms.n; i++) found |= ddl_names_column(e->arms.at[i].when, name) || ddl_names_column(e->arms.at[i].then, name);
    return found;
}

void ddl_expect_check(Ddl *d, Change *change, const Constraint *c) {
    const Table *t = change->table;
    Rewrite *r = NEW(&d->arena, Rewrite);
    Str message = arena_printf(&d->arena, "check constraint \"" STR_FMT "\" of relation \"" STR_FMT "\" is violated by some row", STR_ARG(c->name), STR_ARG(t->name));
    r->table = table_copy(&d->arena, t);
    bson_t *violations = ddl_violations(d, d->next, r->table, c, &r->rel, &r->expr);
    if (violations) ddl_expect_none(d, change, violations, SQM_ERROR_CHECK_VIOLATION, message);
    else ddl_note(d, change, (Step){.tag = STEP_CHECK, .check = true, .command = ddl_command(d, "find", t->name), .rewrite = r, .code = SQM_ERROR_CHECK_VIOLATION, .message = message});
}

static Walk find_sublink(Expr *e, void *context) {
    (void)context;
    return e->tag == EXPR_SUBLINK ? WALK_STOP : WALK_ON;
}

/* {from: parent, localField: "a", foreignField: "x", as: "__parent"}; of several columns {from: parent, let: {k0: "$a", ...}, pipeline: [{$match: {$expr: {$and: [{$eq: ["$x", "$$k0"]}, ...]}}}], as: "__parent"} */
static bson_t *lookup_of_parents(Ddl *d, const Table *t, const Table *other, const Constraint *c, const int *columns) {
    bson_t *lookup = ddl_bson(d), *let = ddl_bson(d), *equal = ddl_bson(d), pair;
    ddl_append(lookup, "from", other->name);
    if (c->columns.n == 1) {
        ddl_append(lookup, "localField", t->columns.at[c->columns.at[0]].field);
        ddl_append(lookup, "foreignField", other->columns.at[columns[0]].field);
    } else {
        for (int i = 0; i < c->columns.n; i++) {
            char digits[16];
            const char *key;
            size_t length = bson_uint32_to_string((uint32_t)i, &key, digits, sizeof digits);
            ddl_append(let, arena_printf(&d->arena, "k%d", i).p, arena_printf(&d->arena, "$" STR_FMT, STR_ARG(t->columns.at[c->columns.at[i]].field)));
            bson_append_document_begin(equal, key, (int)length, &pair);
            BCON_APPEND(&pair, "$eq", "[", BCON_UTF8(arena_printf(&d->arena, "$" STR_FMT, STR_ARG(other->columns.at[columns[i]].field)).p), BCON_UTF8(arena_printf(&d->arena, "$$k%d", i).p), "]");
            bson_append_document_end(equal, &pair);
        }
        BCON_APPEND(lookup, "let", BCON_DOCUMENT(let), "pipeline", "[", "{", "$match", "{", "$expr", "{", "$and", BCON_ARRAY(equal), "}", "}", "}", "{", "$limit", BCON_INT32(1), "}", "]");
    }
    ddl_append(lookup, "as", STR("__parent"));
    return lookup;
}

/* Have the rows that are there a parent each? One that hasn't is looked for by the server; keys that aren't checked later aren't now. */
static void expect_parents(Ddl *d, Change *change, const Constraint *c) {
    const Table *t = change->table, *other = str_eq(c->references, t->name) ? t : catalog_find_table(d->next, c->references);
    int columns[MOST_KEY_COLUMNS];
    if (!other || !foreign_key_checked(t, other, c, columns)) return;
    Str message = arena_printf(&d->arena, "insert or update on table \"" STR_FMT "\" violates foreign key constraint \"" STR_FMT "\": a row of it refers to a row that is not present in table \"" STR_FMT "\"",
                               STR_ARG(t->name), STR_ARG(c->name), STR_ARG(other->name));
    bson_t *command = ddl_command(d, "aggregate", t->name), *known = ddl_bson(d);
    for (int i = 0; i < c->columns.n; i++) {
        const Column *column = &t->columns.at[c->columns.at[i]];
        BCON_APPEND(known, arena_str(&d->arena, column->field.p, column->field.n).p, "{", "$ne", BCON_NULL, "}");
    }
    BCON_APPEND(command, "pipeline", "[", "{", "$match", BCON_DOCUMENT(known), "}", "{", "$lookup", BCON_DOCUMENT(lookup_of_parents(d, t, other, c, columns)), "}",
                "{", "$match", "{", "__parent", "{", "$size", BCON_INT32(0), "}", "}", "}", "{", "$limit", BCON_INT32(1), "}", "]", "cursor", "{", "}");
    ddl_note(d, change, (Step){.tag = STEP_NONE, .check = true, .command = command, .code = SQM_ERROR_FOREIGN_KEY_VIOLATION, .message = message});
}

/* `column` >= 0: written beside that column. `change`: the table has rows (NULL: it is being created). `source`: where the values of a new key column come from. */
void ddl_add_constraint(Ddl *d, Table *t, Change *change, const AstConstraint *ast, int column, Rewrite *source) {
    static const char *const suffixes[] = {[CONSTRAINT_PRIMARY_KEY] = "pkey", [CONSTRAINT_UNIQUE] = "key", [CONSTRAINT_CHECK] = "check", [CONSTRAINT_FOREIGN_KEY] = "fkey"};
    static const TableConstraintKind kinds[] = {
        [CONSTRAINT_PRIMARY_KEY] = TABLE_PRIMARY_KEY, [CONSTRAINT_UNIQUE] = TABLE_UNIQUE, [CONSTRAINT_CHECK] = TABLE_CHECK, [CONSTRAINT_FOREIGN_KEY] = TABLE_FOREIGN_KEY};
    Constraint c = {.kind = kinds[ast->kind], .deferrable = ast->deferrable, .initially_deferred = ast->initially_deferred, .nulls_not_distinct = ast->nulls_not_distinct};
    Numbers columns = {0};
    for (int i = 0; i < ast->columns.n; i++) {
        int k = key_column(d, t, ast->columns.at[i], ast->pos);
        for (int j = 0; j < columns.n; j++)
            if (columns.at[j] == k) fail(&d->cc, SQM_ERROR_DUPLICATE_COLUMN, ast->pos, "column \"" STR_FMT "\" appears twice in the constraint", STR_ARG(ast->columns.at[i]));
        PUSH(d, &columns, k);
    }
    if (!columns.n && column >= 0 && ast->kind != CONSTRAINT_CHECK) {
        ddl_refuse_virtual(d, t, column, "a key", ast->pos);
        PUSH(d, &columns, column);
    }
    if (ast->kind == CONSTRAINT_CHECK) {
        const Rel *rel;
        bool *used = NEW_ARRAY(&d->arena, bool, t->columns.n + 1);
        Expr *condition = ddl_condition(d, d->next, t, ast->check_text, &rel);
        if (!expr_walk(condition, find_sublink, NULL)) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, ast->pos, "cannot use subquery in check constraint");
        ddl_columns_of(condition, used);
        for (int i = 0; i < t->columns.n; i++) used[i] |= table_column_is_virtual(t, i) && ddl_names_column(ast->check, t->columns.at[i].name);
        c.check_text = ddl_keep(d, ast->check_text);
        for (int i = 0; i < t->columns.n; i++)
            if (used[i]) PUSH(d, &columns, i);
    }
    if (ast->name.n) {
        c.name = ddl_keep(d, ast->name);
        if (ddl_find_constraint(t, c.name))
            fail(&d->cc, SQM_ERROR_DUPLICATE_OBJECT, ast->pos, "constraint \"" STR_FMT "\" for relation \"" STR_FMT "\" already exists", STR_ARG(c.name), STR_ARG(t->name));
        if ((ast->kind == CONSTRAINT_UNIQUE || ast->kind == CONSTRAINT_PRIMARY_KEY) && (ddl_index_name_taken(d, c.name) || ddl_find_index(t, c.name)))
            fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, ast->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(c.name));
    } else {
        int shown = ast->kind == CONSTRAINT_PRIMARY_KEY || (ast->kind == CONSTRAINT_CHECK && columns.n != 1) ? 0 : columns.n;
        c.name = make_name(d, t, columns.at, shown, suffixes[ast->kind]);
    }
    c.columns.at = columns.at, c.columns.n = columns.n, c.columns.cap = columns.cap;
    switch (ast->kind) {
    case CONSTRAINT_PRIMARY_KEY: set_primary_key(d, t, change, &columns, c.name, source, ast->pos); break;
    case CONSTRAINT_UNIQUE:
        ddl_check_unique_types(d, t, columns.at, columns.n, ast->pos);
        add_unique_index(d, t, change, c.name, &columns, c.nulls_not_distinct, ast->pos);
        break;
    case CONSTRAINT_CHECK:
        if (change) ddl_expect_check(d, change, &c);
        break;
    case CONSTRAINT_FOREIGN_KEY:
        add_foreign_key(d, t, &c, ast);
        if (change) expect_parents(d, change, &c);
        break;
    }
    PUSH(d, &t->constraints, c);
}

/* ---- CREATE TABLE ---- */

void ddl_check_table_name(Ddl *d, Str name, Pos pos) {
    bool bad = name.n == 0 || name.n > 200 || memchr(name.p, '$', name.n) || memchr(name.p, '\0', name.n) || (name.n >= 7 && memcmp(name.p, "system.", 7) == 0) ||
               str_is(name, "__schema__") || name.p[0] == '.' || name.p[name.n - 1] == '.';
    if (bad) fail(&d->cc, SQM_ERROR_SYNTAX, pos, "MongoDB cannot have a collection named \"" STR_FMT "\"", STR_ARG(name));
}

/* CREATE TABLE ... AS: the columns of its query. statement.c inserts the rows. */
static void columns_of_query(Ddl *d, Table *t) {
    Stmt select = {.tag = STMT_SELECT, .pos = d->stmt->pos, .select = d->stmt->select};
    Parsed parsed = {.stmt = &select};
    const Resolved *resolved = resolve(&d->cc, d->base, &parsed, NULL);
    const Query *q = resolved->query;
    if (resolved->parts.n) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, d->stmt->pos, "CREATE TABLE AS of a query with data-modifying statements in WITH is not supported");
    for (int i = 0; i < q->n_visible; i++) {
        const Target *target = &q->targets.at[i];
        Column c = {.name = ddl_keep(d, target->name), .field = ddl_field_of(d, target->name), .type = type_as_column(target->expr->type), .collation = ddl_query_collation(d, target->expr)};
        if (c.type.tag == TYPE_ROW) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, target->expr->pos, "a column of rows is not supported: \"" STR_FMT "\"", STR_ARG(c.name));
        if (table_find_column(t, c.name) >= 0) fail(&d->cc, SQM_ERROR_DUPLICATE_COLUMN, d->stmt->pos, "column \"" STR_FMT "\" specified more than once", STR_ARG(c.name));
        if (str_is(c.field, "_id")) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, d->stmt->pos, "a column \"_id\" of CREATE TABLE AS is not supported: give it another name");
        if (c.type.tag == TYPE_UNKNOWN && target->expr->tag == EXPR_CONST) c.type = TYPE(TEXT);
        PUSH(d, &t->columns, c);
    }
}

static int pass_of(ConstraintKind kind) { return kind == CONSTRAINT_PRIMARY_KEY ? 0 : kind == CONSTRAINT_FOREIGN_KEY ? 2 : 1; }

static void create_table(Ddl *d) {
    const AstCreateTable *s = d->stmt->create_table;
    if (s->temporary) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, d->stmt->pos, "a temporary table is not supported");
    ddl_check_table_name(d, s->table, d->stmt->pos);
    Table *old = ddl_exact_table(d, s->table);
    bool adopt = s->adopt && old && !old->view_text.n, take_over = !adopt && old && old->implicit;
    if (old && (old->declared || old->view_text.n) && !adopt && !take_over) {
        if (s->if_not_exists) return;
        fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, d->stmt->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(s->table));
    }
    Table *t = table_new(&d->next->arena, s->table);
    t->options = ddl_native_collection(d, (Str){0}, &s->options);
    for (int i = 0; i < s->columns.n; i++) {
        Column c = ddl_make_column(d, t, s->columns.at[i]);
        PUSH(d, &t->columns, c);
    }
    if (d->stmt->select) columns_of_query(d, t);
    for (int pass = 0; pass < 3; pass++) {      /* the keys first: the table's own rows may refer to them */
        for (int i = 0; i < s->columns.n; i++)
            for (int k = 0; k < s->columns.at[i]->constraints.n; k++) {
                const AstConstraint *c = s->columns.at[i]->constraints.at[k];
                if (pass_of(c->kind) == pass) ddl_add_constraint(d, t, NULL, c, i, NULL);
            }
        for (int i = 0; i < s->constraints.n; i++)
            if (pass_of(s->constraints.at[i]->kind) == pass) ddl_add_constraint(d, t, NULL, s->constraints.at[i], -1, NULL);
    }
    bool counter = false;
    for (int i = 0; i < t->columns.n; i++) {
        const Column *c = &t->columns.at[i];
        counter |= c->identity;
        if (str_is(c->field, "_id") && !(t->primary_key.n == 1 && t->primary_key.at[0] == i))
            fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, d->stmt->pos, "column \"_id\" must be the primary key");
        const Rel *rel;
        if (c->generated_text.n) ddl_generated(d, d->next, t, i, &rel);
    }
    Change *change = NEW(&d->arena, Change);
    *change = (Change){.table = t, .stored = t->name, .structure = true, .reset_counter = counter};
    t->implicit = s->adopt || s->implicit;
    t->enforced = s->enforced;
    if (t->implicit) change->raise_counter = counter, change->reset_counter = false;     /* two processes may come to it at the same time */
    if (adopt) {
        *change = (Change){.table = t, .stored = t->name};
        ddl_adopt(d, change, t, old);
        catalog_put_table(d->next, change->table);
        vec_push(&d->arena, &d->changes, change);
        return;
    }
    if (take_over) {
        ddl_take_over(d, change, t, old);
        for (int i = 0; i < t->columns.n; i++)
            if (t->columns.at[i].indexed) ddl_fill_indexed(d, t, change, i);
    } else if (old) {      /* a collection of that name, left by others or by a statement that was cut off: only if it holds nothing */
        bson_t *find = ddl_command(d, "find", t->name);
        BSON_APPEND_INT32(find, "limit", 1);
        vec_push(&d->arena, &d->steps, ((Step){.tag = STEP_NONE, .check = true, .command = find, .code = SQM_ERROR_DUPLICATE_TABLE,
                                               .message = arena_printf(&d->arena, "collection \"" STR_FMT "\" already exists and has documents", STR_ARG(t->name))}));
        vec_push(&d->arena, &d->steps, ((Step){.tag = STEP_COMMAND, .command = ddl_command(d, "drop", t->name), .tolerate = 26}));
    }
    catalog_put_table(d->next, t);
    vec_push(&d->arena, &d->changes, change);
    ddl_assemble(d, change, !take_over);
}

/* ---- indexes ---- */

static void create_index(Ddl *d) {
    const AstCreateIndex *s = d->stmt->create_index;
    Table *t = ddl_own_table(d, s->table, s->table_pos, false);
    if (s->name.n && ddl_index_name_taken(d, s->name)) {
        if (s->if_not_exists) return;
        fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, d->stmt->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(s->name));
    }
    Change *change = ddl_change_of(d, t, true);
    const Rel *rel;
    if (s->where) ddl_condition(d, d->next, t, s->where_text, &rel);
    Index index = {.unique = s->unique, .nulls_not_distinct = s->nulls_not_distinct, .where_text = ddl_keep(d, s->where_text)};
    Numbers columns = {0};
    bool native = ddl_asks_native(s);
    for (int i = 0; i < s->keys.n; i++) {
        AstIndexKey key = ddl_index_key(d, t, &s->keys.at[i], s->unique);
        const AstIndexKey *k = &key;
        int column = k->expr || !k->column.n ? -1 : ddl_named_column(d, t, k->column, k->pos);
        IndexKey made = ddl_index_key_on(d, t, change, k, column, native);
        if (!made.folded.n) column = made.column;
        if (column >= 0 && !k->path.n) PUSH(d, &columns, column);
        PUSH(d, &index.keys, made);
    }
    if (s->unique) ddl_check_unique_types(d, t, columns.at, columns.n, d->stmt->pos);
    for (int i = 0; i < s->include.n; i++) {
        int column = ddl_named_column(d, t, s->include.at[i], d->stmt->pos);
        ddl_refuse_virtual(d, t, column, "an index", d->stmt->pos);
        PUSH(d, &index.include, column);
    }
    ddl_native_index(d, t, s, &index);
    index.name = s->name.n ? ddl_keep(d, s->name) : make_name(d, t, columns.at, columns.n, "idx");
    if (s->where && !ddl_partial_fits(d, d->next, t, &index)) ddl_indexed_column(d, t, change, index.where_text, s->where->pos);
    PUSH(d, &t->indexes, index);
}

/* The table an index belongs to; NULL when there is none. */
static Table *table_of_index(const Ddl *d, Str name) {
    for (int i = 0; i < d->next->tables.n; i++)
        if (ddl_find_index(d->next->tables.at[i], name)) return d->next->tables.at[i];
    for (int i = 0; i < d->next->tables.n; i++)
        for (int k = 0; k < d->next->tables.at[i]->indexes.n; k++)
            if (str_ieq(d->next->tables.at[i]->indexes.at[k].name, name)) return d->next->tables.at[i];
    return NULL;
}

static Index *index_named(Table *t, Str name) {
    Index *index = ddl_find_index(t, name);
    for (int k = 0; k < t->indexes.n && !index; k++)
        if (str_ieq(t->indexes.at[k].name, name)) index = &t->indexes.at[k];
    return index;
}

static void drop_index(Ddl *d) {
    for (int i = 0; i < d->stmt->names.n; i++) {
        Str name = d->stmt->names.at[i];
        Table *t = table_of_index(d, name);
        if (!t || !t->declared) {
            if (d->stmt->if_exists) continue;
            fail(&d->cc, SQM_ERROR_UNDEFINED_OBJECT, d->stmt->pos, "index \"" STR_FMT "\" does not exist", STR_ARG(name));
        }
        Index *index = index_named(t, name);
        if (index->constraint && !t->legacy)
            fail_hint(&d->cc, SQM_ERROR_OBJECT_IN_USE, d->stmt->pos, "Drop the constraint instead.", "cannot drop index " STR_FMT " because constraint " STR_FMT " on table " STR_FMT " requires it",
                      STR_ARG(name), STR_ARG(name), STR_ARG(t->name));
        Change *change = ddl_change_of(d, t, true);
        ddl_remove_index(t, index_named(t, name));
        ddl_drop_unindexed(d, t, change);
    }
}

static void rename_index(Ddl *d) {
    Str name = d->stmt->name;
    Table *t = table_of_index(d, name);
    if (!t || !t->declared) {
        if (d->stmt->if_exists) return;
        fail(&d->cc, SQM_ERROR_UNDEFINED_TABLE, d->stmt->pos, "relation \"" STR_FMT "\" does not exist", STR_ARG(name));
    }
    if (ddl_index_name_taken(d, d->stmt->text)) fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, d->stmt->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(d->stmt->text));
    ddl_change_of(d, t, true);
    Index *index = index_named(t, name);
    Constraint *c = index->constraint ? (Constraint *)ddl_find_constraint(t, index->name) : NULL;
    index->name = ddl_keep(d, d->stmt->text);
    if (c) c->name = index->name;
}

/* ---- DROP, TRUNCATE, COMMENT, views, databases ---- */

static void drop_table(Ddl *d) {
    for (int i = 0; i < d->stmt->names.n; i++) {
        Str name = d->stmt->names.at[i];
        Table *t = (Table *)catalog_find_table(d->next, name);
        bool view = d->stmt->tag == STMT_DROP_VIEW;
        if (!t) {
            if (d->stmt->if_exists) continue;
            fail(&d->cc, SQM_ERROR_UNDEFINED_TABLE, d->stmt->pos, "%s \"" STR_FMT "\" does not exist", view ? "view" : "table", STR_ARG(name));
        }
        if (view != (t->view_text.n > 0))
            fail_hint(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, d->stmt->pos, view ? "Use DROP TABLE to remove a table." : "Use DROP VIEW to remove a view.",
                      "\"" STR_FMT "\" is not a %s", STR_ARG(name), view ? "view" : "table");
        if (!view) {
            ddl_drop_references(d, t, (Str){0}, d->stmt->cascade, arena_printf(&d->arena, "table " STR_FMT, STR_ARG(t->name)).p, d->stmt->pos);
            vec_push(&d->arena, &d->steps, ((Step){.tag = STEP_COMMAND, .command = ddl_command(d, "drop", t->name), .tolerate = 26}));
            vec_push(&d->arena, &d->dropped, t->name);
        }
        for (int k = d->changes.n - 1; k >= 0; k--)      /* a CASCADE may have touched it before */
            if (d->changes.at[k]->table == t) d->changes.at[k] = d->changes.at[--d->changes.n];
        if (t->declared || view) vec_push(&d->arena, &d->removed, t->name);
        catalog_remove_table(d->next, t->name);
    }
}

static void truncate_tables(Ddl *d) {
    Step step = {.tag = STEP_EMPTY};
    for (int i = 0; i < d->stmt->names.n; i++) {
        const Table *t = catalog_find_table(d->next, d->stmt->names.at[i]);
        if (!t) fail(&d->cc, SQM_ERROR_UNDEFINED_TABLE, d->stmt->pos, "relation \"" STR_FMT "\" does not exist", STR_ARG(d->stmt->names.at[i]));
        if (t->view_text.n) fail(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, d->stmt->pos, "\"" STR_FMT "\" is not a table", STR_ARG(t->name));
        vec_push(&d->arena, &step.tables, t->name);
    }
    for (int i = 0; d->stmt->cascade && i < step.tables.n; i++)      /* the list grows while it is walked */
        for (int k = 0; k < d->next->tables.n; k++) {
            const Table *other = d->next->tables.at[k];
            bool refers = false, known = false;
            for (int j = 0; j < other->constraints.n; j++) refers |= other->constraints.at[j].kind == TABLE_FOREIGN_KEY && str_eq(other->constraints.at[j].references, step.tables.at[i]);
            for (int j = 0; j < step.tables.n; j++) known |= str_eq(step.tables.at[j], other->name);
            if (refers && !known) vec_push(&d->arena, &step.tables, other->name);
        }
    Step others = {.tag = STEP_EMPTY};
    for (int i = 0; i < step.tables.n; i++) {
        Step one = {.tag = STEP_EMPTY, .apart = true};
        Str options = catalog_find_table(d->next, step.tables.at[i])->options;
        bool capped = options.n && strstr(options.p, "\"capped\"");
        if (capped) vec_push(&d->arena, &one.tables, step.tables.at[i]);
        if (capped) vec_push(&d->arena, &d->steps, one);
        else vec_push(&d->arena, &others.tables, step.tables.at[i]);
    }
    if (others.tables.n) vec_push(&d->arena, &d->steps, others);
}

static void comment_on(Ddl *d) {
    Table *t = ddl_own_table(d, d->stmt->name, d->stmt->pos, false);
    ddl_change_of(d, t, false);
    if (!d->stmt->column.n) t->comment = ddl_keep(d, d->stmt->text);
    else t->columns.at[ddl_named_column(d, t, d->stmt->column, d->stmt->pos)].comment = ddl_keep(d, d->stmt->text);
}

static void create_view(Ddl *d) {
    const Stmt *s = d->stmt;
    ddl_check_table_name(d, s->name, s->pos);
    Table *old = ddl_exact_table(d, s->name);
    if (old && !(s->or_replace && old->view_text.n)) {
        if (s->if_not_exists) return;
        fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, s->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(s->name));
    }
    Parsed parsed = {.stmt = (Stmt *)s};
    const Query *q = resolve(&d->cc, d->base, &parsed, NULL)->query;
    if (s->columns.n > q->n_visible) fail(&d->cc, SQM_ERROR_SYNTAX, s->pos, "CREATE VIEW specifies more column names than columns");
    Table *t = table_new(&d->next->arena, s->name);
    t->view_text = ddl_keep(d, ddl_view_text(d, s->select, q, s->text));
    for (int i = 0; i < q->n_visible; i++) {
        const Target *target = &q->targets.at[i];
        Column c = {.name = ddl_keep(d, i < s->columns.n ? s->columns.at[i] : target->name), .type = type_as_column(target->expr->type), .collation = ddl_query_collation(d, target->expr)};
        for (int k = 0; k < t->columns.n; k++)
            if (str_eq(t->columns.at[k].name, c.name)) fail(&d->cc, SQM_ERROR_DUPLICATE_COLUMN, s->pos, "column \"" STR_FMT "\" specified more than once", STR_ARG(c.name));
        c.field = c.name;
        PUSH(d, &t->columns, c);
    }
    catalog_put_table(d->next, t);
    ddl_change_of(d, t, false);
}

static void drop_database(Ddl *d) {
    vec_push(&d->arena, &d->steps, ((Step){.tag = STEP_DROP_DATABASE, .message = d->stmt->name}));
    if (!str_eq(d->stmt->name, d->base->database)) return;
    for (int i = 0; i < d->next->tables.n; i++) vec_push(&d->arena, &d->dropped, d->next->tables.at[i]->name);
    while (d->next->tables.n) catalog_remove_table(d->next, d->next->tables.at[d->next->tables.n - 1]->name);
    d->next->version = 0;
}

static bool cascades(const Stmt *s) {
    bool cascade = s->cascade;
    for (int i = 0; i < s->alters.n; i++) cascade |= s->alters.at[i]->cascade;
    return cascade;
}

bool ddl_is_ddl(StmtTag tag) { return tag >= STMT_CREATE_TABLE && tag <= STMT_DROP_DATABASE; }

void ddl_statement(Ddl *d) {
    switch (d->stmt->tag) {
    case STMT_CREATE_TABLE: create_table(d); return;
    case STMT_ALTER_TABLE: ddl_alter_table(d); break;
    case STMT_DROP_TABLE: case STMT_DROP_VIEW: drop_table(d); break;
    case STMT_CREATE_INDEX: create_index(d); break;
    case STMT_DROP_INDEX: drop_index(d); break;
    case STMT_RENAME_INDEX: rename_index(d); break;
    case STMT_CREATE_VIEW: create_view(d); break;
    case STMT_TRUNCATE: truncate_tables(d); break;
    case STMT_COMMENT: comment_on(d); break;
    case STMT_CREATE_DATABASE: break;
    case STMT_DROP_DATABASE: drop_database(d); break;
    case STMT_SELECT: case STMT_INSERT: case STMT_UPDATE: case STMT_DELETE: case STMT_BEGIN: case STMT_COMMIT: case STMT_ROLLBACK: case STMT_SAVEPOINT:
    case STMT_RELEASE: case STMT_ROLLBACK_TO: case STMT_SET: case STMT_SHOW: case STMT_EXPLAIN:
        fail(&d->cc, SQM_ERROR_INTERNAL, d->stmt->pos, "not a definition");
    }
    if (d->changes.n || d->removed.n) ddl_check_views(d, cascades(d->stmt));
    for (int i = 0; i < d->changes.n; i++) {
        Change *change = d->changes.at[i];
        catalog_put_table(d->next, change->table);
        if (change->structure) ddl_assemble(d, change, false);
    }
}
