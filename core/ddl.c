/* ddl.c - what each DDL statement means for the catalogue, and which checks and changes of rows it needs.
 *
 * In: a statement's AST and a copy of the catalogue (Ddl.next). Out: the copy changed, Ddl.steps, Ddl.changes. Nothing is sent from here; every error of
 * the user is found here, with PostgreSQL's words where it has some. Indexes and validators follow from the catalogue: ddl_plan.c.
 *
 *     ALTER TABLE book ALTER COLUMN pages SET NOT NULL
 *     -> step: find {pages: null} must find nothing, else NOT_NULL_VIOLATION
 *     -> column.not_null = true (and a unique index over pages loses its bound in the partial filter)
 *
 * A single-column primary key lies in _id. Giving a table another key, or its key another type, writes all rows to a new collection (STEP_COPY).
 * FOREIGN KEY constraints are recorded, rows that are there aren't looked at; foreign.h checks those that are written. Statements are not transactional: each step can be repeated, the catalogue is published last. */
#include "ddl_internal.h"

#include <stdlib.h>

#include "eval.h"
#include "function.h"
#include "resolve.h"

typedef VEC(int) Numbers;

static Str keep(Ddl *d, Str s) { return s.n ? arena_str(&d->next->arena, s.p, s.n) : (Str){0}; }
#define PUSH(d, v, item) vec_push(&(d)->next->arena, (v), item)

/* A column that promised another order than the one text has here would sort wrongly without a word. */
static Str known_collation(Ddl *d, Str name, Pos pos) {
    if (name.n && !collation_is_known(name))
        fail_hint(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "Text compares by code point, as under COLLATE \"C\".", "collation \"" STR_FMT "\" is not supported", STR_ARG(name));
    return keep(d, name);
}

/* ---- tables and their changes ---- */

static Table *exact_table(const Ddl *d, Str name) {
    const Table *t = catalog_find_table(d->next, name);
    return t && str_eq(t->name, name) ? (Table *)t : NULL;
}

/* A table that may be altered; NULL when there is none and that is all right. */
static Table *own_table(Ddl *d, Str name, Pos pos, bool missing_ok) {
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

static Change *change_of(Ddl *d, Table *t, bool structure) {
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

void ddl_touch(Ddl *d, Table *t) { change_of(d, t, false); }

static void note(Ddl *d, Change *change, Step step) {
    if (!step.check) {
        bool known = false;
        for (int i = 0; i < d->altered.n; i++) known |= str_eq(d->altered.at[i], change->stored);
        if (!known) vec_push(&d->arena, &d->altered, change->stored);
    }
    vec_push(&d->arena, &change->steps, step);
}

/* Rows matching `filter` (NULL: any row) make the statement fail. */
static void expect_none(Ddl *d, Change *change, const bson_t *filter, sqm_error_code_t code, Str message) {
    bson_t *find = ddl_command(d, "find", change->table->name);
    if (filter) BSON_APPEND_DOCUMENT(find, "filter", filter);
    BSON_APPEND_INT32(find, "limit", 1);
    note(d, change, (Step){.tag = STEP_NONE, .check = true, .command = find, .code = code, .message = message});
}

static void expect_no_nulls(Ddl *d, Change *change, const Column *c) {
    if (str_is(c->field, "_id")) return;
    bson_t *filter = ddl_bson(d);
    ddl_null_filter(filter, c);
    expect_none(d, change, filter, SQM_ERROR_NOT_NULL_VIOLATION,
                arena_printf(&d->arena, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" contains null values", STR_ARG(c->name), STR_ARG(change->table->name)));
}

/* {update: t, updates: [{q: filter, u: {operator: {field: value}}, multi: true}]} */
static bson_t *begin_update(Ddl *d, Str collection, const bson_t *filter, const char *operator_, bson_t *list, bson_t *one, bson_t *u, bson_t *change) {
    bson_t *command = ddl_command(d, "update", collection);
    BSON_APPEND_ARRAY_BEGIN(command, "updates", list);
    BSON_APPEND_DOCUMENT_BEGIN(list, "0", one);
    BSON_APPEND_DOCUMENT(one, "q", filter);
    BSON_APPEND_DOCUMENT_BEGIN(one, "u", u);
    bson_append_document_begin(u, operator_, -1, change);
    return command;
}

static void end_update(bson_t *command, bson_t *list, bson_t *one, bson_t *u, bson_t *change) {
    bson_append_document_end(u, change);
    bson_append_document_end(one, u);
    BSON_APPEND_BOOL(one, "multi", true);
    bson_append_document_end(list, one);
    bson_append_array_end(command, list);
}

static bson_t *exists_filter(Ddl *d, Str field) {
    bson_t *filter = ddl_bson(d), condition;
    bson_append_document_begin(filter, field.p, (int)field.n, &condition);
    BSON_APPEND_BOOL(&condition, "$exists", true);
    bson_append_document_end(filter, &condition);
    return filter;
}

static Rewrite *rewrite_of(Ddl *d, const Table *rows, Str collection, const Column *target, int column) {
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

static void note_rewrite(Ddl *d, Change *change, Rewrite *r, bool checked) {
    bson_t *find = ddl_command(d, "find", r->collection);
    if (checked) note(d, change, (Step){.tag = STEP_TRY, .check = true, .command = find, .rewrite = r});
    note(d, change, (Step){.tag = STEP_REWRITE, .command = find, .rewrite = r});
}

static void note_copy(Ddl *d, Change *change, Rewrite *r) {
    if (change->copied) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, NO_POS, "changing the primary key twice in one statement is not supported");
    change->copied = true;
    r->copy = arena_printf(&d->arena, "__sqm_copy_" STR_FMT, STR_ARG(r->collection));
    note(d, change, (Step){.tag = STEP_TRY, .check = true, .command = ddl_command(d, "find", r->collection), .rewrite = r});
    note(d, change, (Step){.tag = STEP_COPY, .command = ddl_command(d, "find", r->collection), .rewrite = r});
}

/* ---- names ---- */

static bool index_name_taken(const Ddl *d, Str name) {
    for (int i = 0; i < d->next->tables.n; i++) {
        const Table *t = d->next->tables.at[i];
        for (int k = 0; k < t->indexes.n; k++)
            if (str_eq(t->indexes.at[k].name, name)) return true;
    }
    return false;
}

static const Constraint *find_constraint(const Table *t, Str name) {
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
        if (!find_constraint(t, name) && !index_name_taken(d, name) && !table_find_index(t, name)) return keep(d, name);
    }
}

/* There is nothing in the documents that MongoDB could index or look at. */
static void refuse_virtual(Ddl *d, const Table *t, int column, const char *what, Pos pos) {
    if (table_column_is_virtual(t, column))
        fail_hint(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "Make it STORED.", "%s on the virtual generated column \"" STR_FMT "\" is not supported", what, STR_ARG(t->columns.at[column].name));
}

static int key_column(Ddl *d, const Table *t, Str name, Pos pos) {
    int column = table_find_column(t, name);
    if (column < 0 || t->columns.at[column].hidden) fail(&d->cc, SQM_ERROR_UNDEFINED_COLUMN, pos, "column \"" STR_FMT "\" named in key does not exist", STR_ARG(name));
    refuse_virtual(d, t, column, "a key", pos);
    return column;
}

static int named_column(Ddl *d, const Table *t, Str name, Pos pos) {
    int column = table_find_column(t, name);
    if (column < 0 || t->columns.at[column].indexed)
        fail(&d->cc, SQM_ERROR_UNDEFINED_COLUMN, pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" does not exist", STR_ARG(name), STR_ARG(t->name));
    return column;
}

/* A BSON key that needs no escaping in filters and updates: dots and a leading $ become their full-width forms. */
static Str field_of(Ddl *d, Str name) {
    Text out = {.arena = &d->next->arena};
    for (uint32_t i = 0; i < name.n; i++) {
        if (name.p[i] == '.') text_adds(&out, "\xEF\xBC\x8E");
        else if (name.p[i] == '$' && i == 0) text_adds(&out, "\xEF\xBC\x84");
        else text_add(&out, name.p + i, 1);
    }
    return (Str){out.p, (uint32_t)out.n};
}

/* ---- columns ---- */

static Type type_of(Ddl *d, const AstType *ast) {
    Type type;
    if (!type_from_name(ast->name, ast->modifiers[0], ast->modifiers[1], &type))
        fail(&d->cc, SQM_ERROR_UNDEFINED_OBJECT, ast->pos, "type \"" STR_FMT "\" does not exist", STR_ARG(ast->name));
    if (ast->is_array) type = (Type){TYPE_ARRAY, -1, -1, type.tag};
    return type;
}

/* The default's value, when it is one for all rows. False: it must be computed row by row (*expr). */
static bool constant_default(Ddl *d, const Column *c, Value *value, Expr **expr) {
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

static Column make_column(Ddl *d, const Table *t, const AstColumnDef *def) {
    if (table_find_column(t, def->name) >= 0 && str_eq(t->columns.at[table_find_column(t, def->name)].name, def->name))
        fail(&d->cc, SQM_ERROR_DUPLICATE_COLUMN, def->pos, "column \"" STR_FMT "\" specified more than once", STR_ARG(def->name));
    Column c = {.name = keep(d, def->name), .field = field_of(d, def->name), .type = type_of(d, def->type), .not_null = def->not_null, .identity = def->identity};
    if (def->not_null && def->is_null)
        fail(&d->cc, SQM_ERROR_SYNTAX, def->pos, "conflicting NULL/NOT NULL declarations for column \"" STR_FMT "\" of table \"" STR_FMT "\"", STR_ARG(c.name), STR_ARG(t->name));
    if (c.identity && !type_is_integer(c.type)) fail(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, def->pos, "identity column type must be smallint, integer, or bigint");
    c.not_null |= c.identity;
    c.default_text = def->default_text;
    c.generated_text = keep(d, def->generated_text);
    c.generated_stored = def->generated_stored;
    if (c.generated_text.n && (c.identity || c.default_text.n)) fail(&d->cc, SQM_ERROR_SYNTAX, def->pos, "both default or identity and generation expression specified for column \"" STR_FMT "\"", STR_ARG(c.name));
    if (c.generated_text.n && !c.generated_stored && c.not_null)
        fail_hint(&d->cc, SQM_ERROR_NOT_SUPPORTED, def->pos, "Make it STORED.", "NOT NULL on the virtual generated column \"" STR_FMT "\" is not supported", STR_ARG(c.name));
    c.collation = known_collation(d, def->collation, def->pos);
    if (c.identity && c.default_text.n) fail(&d->cc, SQM_ERROR_SYNTAX, def->pos, "both default and identity specified for column \"" STR_FMT "\"", STR_ARG(c.name));
    Value ignored;
    Expr *expr;
    constant_default(d, &c, &ignored, &expr);
    c.default_text = keep(d, c.default_text);
    return c;
}

/* ---- constraints ---- */

static Index *find_index(Table *t, Str name) {
    for (int i = 0; i < t->indexes.n; i++)
        if (str_eq(t->indexes.at[i].name, name)) return &t->indexes.at[i];
    return NULL;
}

static void remove_index(Table *t, const Index *index) {
    int at = (int)(index - t->indexes.at);
    memmove(&t->indexes.at[at], &t->indexes.at[at + 1], sizeof *t->indexes.at * (size_t)(t->indexes.n - at - 1));
    t->indexes.n--;
}

static void remove_constraint(Table *t, int at) {
    memmove(&t->constraints.at[at], &t->constraints.at[at + 1], sizeof *t->constraints.at * (size_t)(t->constraints.n - at - 1));
    t->constraints.n--;
}

static bool indexable_unique(Type type) { return type.tag != TYPE_JSON && type.tag != TYPE_ARRAY && type.tag != TYPE_UNKNOWN && type.tag != TYPE_ROW; }

static void check_unique_types(Ddl *d, const Table *t, const int *columns, int n, Pos pos) {
    for (int i = 0; i < n; i++) {
        const Column *c = &t->columns.at[columns[i]];
        char type[64];
        if (indexable_unique(c->type)) continue;
        if (c->indexed) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "a unique index on an expression of type %s is not supported", type_text(c->type, type, sizeof type));
        fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "a unique or primary key on column \"" STR_FMT "\" of type %s is not supported", STR_ARG(c->name), type_text(c->type, type, sizeof type));
    }
}

static void add_unique_index(Ddl *d, Table *t, Str name, const int *columns, int n, bool nulls_not_distinct) {
    Index index = {.name = name, .unique = true, .nulls_not_distinct = nulls_not_distinct, .constraint = true};
    for (int i = 0; i < n; i++) PUSH(d, &index.keys, ((IndexKey){.column = columns[i]}));
    PUSH(d, &t->indexes, index);
}

/* The column that lies in _id moves out of it (it isn't the key any more). */
static Str leave_id(Ddl *d, Table *t, int except) {
    for (int i = 0; i < t->columns.n; i++) {
        Column *c = &t->columns.at[i];
        if (i == except || !str_is(c->field, "_id") || c->hidden) continue;
        c->field = field_of(d, c->name);
        if (str_is(c->field, "_id")) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, NO_POS, "column \"_id\" of relation \"" STR_FMT "\" must be the primary key", STR_ARG(t->name));
        return c->field;
    }
    return (Str){0};
}

static void set_primary_key(Ddl *d, Table *t, Change *change, const Numbers *columns, Str name, Rewrite *source, Pos pos) {
    if (t->primary_key.n) fail(&d->cc, SQM_ERROR_SYNTAX, pos, "multiple primary keys for table \"" STR_FMT "\" are not allowed", STR_ARG(t->name));
    check_unique_types(d, t, columns->at, columns->n, pos);
    for (int i = 0; i < columns->n; i++) {
        Column *c = &t->columns.at[columns->at[i]];
        if (change && columns->n > 1 && !c->not_null) expect_no_nulls(d, change, c);
        c->not_null = true;
        PUSH(d, &t->primary_key, columns->at[i]);
    }
    if (columns->n > 1) {
        add_unique_index(d, t, name, columns->at, columns->n, false);
        return;
    }
    int key = columns->at[0];
    Column *c = &t->columns.at[key];
    if (str_is(c->field, "_id")) return;
    if (!change) {
        c->field = STR("_id");
        return;
    }
    Rewrite *r = source ? source : rewrite_of(d, table_copy(&d->arena, t), t->name, c, key);
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
    note_copy(d, change, r);
}

static void add_foreign_key(Ddl *d, Table *t, Constraint *c, const AstConstraint *ast) {
    const Table *other = str_eq(ast->references, t->name) ? t : catalog_find_table(d->next, ast->references);
    if (!other) fail(&d->cc, SQM_ERROR_UNDEFINED_TABLE, ast->pos, "relation \"" STR_FMT "\" does not exist", STR_ARG(ast->references));
    c->references = keep(d, other->name);
    for (int i = 0; i < ast->references_columns.n; i++) {
        Str name = ast->references_columns.at[i];
        int column = table_find_column(other, name);
        if (column < 0 && other->declared)
            fail(&d->cc, SQM_ERROR_UNDEFINED_COLUMN, ast->pos, "column \"" STR_FMT "\" referenced in foreign key constraint does not exist", STR_ARG(name));
        PUSH(d, &c->references_columns, keep(d, column < 0 ? name : other->columns.at[column].name));
    }
    if (!ast->references_columns.n) {
        if (!other->primary_key.n && other != t)
            fail(&d->cc, SQM_ERROR_UNDEFINED_OBJECT, ast->pos, "there is no primary key for referenced table \"" STR_FMT "\"", STR_ARG(other->name));
        for (int i = 0; i < other->primary_key.n; i++) PUSH(d, &c->references_columns, keep(d, other->columns.at[other->primary_key.at[i]].name));
    }
    if (c->references_columns.n != c->columns.n)
        fail(&d->cc, SQM_ERROR_SYNTAX, ast->pos, "number of referencing and referenced columns for foreign key disagree");
    if (!ast->on_delete.n) return;
    /* What acts on rows must be able to tell them: the keys that are checked, and no others. */
    if (c->columns.n != 1) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, ast->pos, "ON DELETE " STR_FMT " of a foreign key of several columns is not supported", STR_ARG(ast->on_delete));
    if (t->legacy || other->legacy || !other->declared || other->view_text.n)
        fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, ast->pos, "ON DELETE " STR_FMT " of a foreign key to \"" STR_FMT "\", which no CREATE TABLE has declared, is not supported", STR_ARG(ast->on_delete), STR_ARG(other->name));
    int column = table_find_column(other, c->references_columns.at[0]);
    if (column >= 0 && !foreign_key_comparable(t->columns.at[c->columns.at[0]].type, other->columns.at[column].type))
        fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, ast->pos, "ON DELETE " STR_FMT " of a foreign key between columns of different types is not supported", STR_ARG(ast->on_delete));
    c->on_delete = str_is(ast->on_delete, "CASCADE") ? DELETE_CASCADE : str_is(ast->on_delete, "SET NULL") ? DELETE_SET_NULL : DELETE_SET_DEFAULT;
}

/* A virtual column is gone from a resolved condition: what stands there are the columns it is made of. */
static bool names_column(const AstExpr *e, Str name) {
    if (!e) return false;
    if (e->tag == AST_COLUMN && str_ieq(e->name, name)) return true;
    bool found = names_column(e->otherwise, name) || names_column(e->filter, name);
    for (int i = 0; i < e->args.n; i++) found |= names_column(e->args.at[i], name);
    for (int i = 0; i < e->arms.n; i++) found |= names_column(e->arms.at[i].when, name) || names_column(e->arms.at[i].then, name);
    return found;
}

/* Do the rows that are there satisfy a new CHECK? */
static void expect_check(Ddl *d, Change *change, const Constraint *c) {
    const Table *t = change->table;
    Rewrite *r = NEW(&d->arena, Rewrite);
    Str message = arena_printf(&d->arena, "check constraint \"" STR_FMT "\" of relation \"" STR_FMT "\" is violated by some row", STR_ARG(c->name), STR_ARG(t->name));
    r->table = table_copy(&d->arena, t);
    bson_t *violations = ddl_violations(d, d->next, r->table, c, &r->rel, &r->expr);
    if (violations) expect_none(d, change, violations, SQM_ERROR_CHECK_VIOLATION, message);
    else note(d, change, (Step){.tag = STEP_CHECK, .check = true, .command = ddl_command(d, "find", t->name), .rewrite = r, .code = SQM_ERROR_CHECK_VIOLATION, .message = message});
}

static Walk find_sublink(Expr *e, void *context) {
    (void)context;
    return e->tag == EXPR_SUBLINK ? WALK_STOP : WALK_ON;
}

/* Have the rows that are there a parent each? One that hasn't is looked for by the server; keys that aren't checked later aren't now. */
static void expect_parents(Ddl *d, Change *change, const Constraint *c) {
    const Table *t = change->table, *other = str_eq(c->references, t->name) ? t : catalog_find_table(d->next, c->references);
    if (c->columns.n != 1 || c->references_columns.n != 1 || t->legacy || !other || !other->declared || other->legacy || other->view_text.n) return;
    int column = table_find_column(other, c->references_columns.at[0]);
    if (column < 0) return;
    const Column *child = &t->columns.at[c->columns.at[0]], *parent = &other->columns.at[column];
    if (!foreign_key_comparable(child->type, parent->type)) return;
    Str message = arena_printf(&d->arena, "insert or update on table \"" STR_FMT "\" violates foreign key constraint \"" STR_FMT "\": a row of it refers to a row that is not present in table \"" STR_FMT "\"",
                               STR_ARG(t->name), STR_ARG(c->name), STR_ARG(other->name));
    bson_t *command = ddl_command(d, "aggregate", t->name);
    const char *local = arena_str(&d->arena, child->field.p, child->field.n).p, *foreign = arena_str(&d->arena, parent->field.p, parent->field.n).p,
               *from = arena_str(&d->arena, other->name.p, other->name.n).p;
    BCON_APPEND(command, "pipeline", "[", "{", "$match", "{", local, "{", "$ne", BCON_NULL, "}", "}", "}",
                "{", "$lookup", "{", "from", BCON_UTF8(from), "localField", BCON_UTF8(local), "foreignField", BCON_UTF8(foreign), "as", "__parent", "}", "}",
                "{", "$match", "{", "__parent", "{", "$size", BCON_INT32(0), "}", "}", "}", "{", "$limit", BCON_INT32(1), "}", "]", "cursor", "{", "}");
    note(d, change, (Step){.tag = STEP_NONE, .check = true, .command = command, .code = SQM_ERROR_FOREIGN_KEY_VIOLATION, .message = message});
}

/* `column` >= 0: written beside that column. `change`: the table has rows (NULL: it is being created). `source`: where the values of a new key column come from. */
static void add_constraint(Ddl *d, Table *t, Change *change, const AstConstraint *ast, int column, Rewrite *source) {
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
        refuse_virtual(d, t, column, "a key", ast->pos);
        PUSH(d, &columns, column);
    }
    if (ast->kind == CONSTRAINT_CHECK) {
        const Rel *rel;
        bool *used = NEW_ARRAY(&d->arena, bool, t->columns.n + 1);
        Expr *condition = ddl_condition(d, d->next, t, ast->check_text, &rel);
        if (!expr_walk(condition, find_sublink, NULL)) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, ast->pos, "cannot use subquery in check constraint");
        ddl_columns_of(condition, used);
        for (int i = 0; i < t->columns.n; i++) used[i] |= table_column_is_virtual(t, i) && names_column(ast->check, t->columns.at[i].name);
        c.check_text = keep(d, ast->check_text);
        for (int i = 0; i < t->columns.n; i++)
            if (used[i]) PUSH(d, &columns, i);
    }
    if (ast->name.n) {
        c.name = keep(d, ast->name);
        if (find_constraint(t, c.name))
            fail(&d->cc, SQM_ERROR_DUPLICATE_OBJECT, ast->pos, "constraint \"" STR_FMT "\" for relation \"" STR_FMT "\" already exists", STR_ARG(c.name), STR_ARG(t->name));
        if ((ast->kind == CONSTRAINT_UNIQUE || ast->kind == CONSTRAINT_PRIMARY_KEY) && (index_name_taken(d, c.name) || find_index(t, c.name)))
            fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, ast->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(c.name));
    } else {
        int shown = ast->kind == CONSTRAINT_PRIMARY_KEY || (ast->kind == CONSTRAINT_CHECK && columns.n != 1) ? 0 : columns.n;
        c.name = make_name(d, t, columns.at, shown, suffixes[ast->kind]);
    }
    c.columns.at = columns.at, c.columns.n = columns.n, c.columns.cap = columns.cap;
    switch (ast->kind) {
    case CONSTRAINT_PRIMARY_KEY: set_primary_key(d, t, change, &columns, c.name, source, ast->pos); break;
    case CONSTRAINT_UNIQUE:
        check_unique_types(d, t, columns.at, columns.n, ast->pos);
        add_unique_index(d, t, c.name, columns.at, columns.n, c.nulls_not_distinct);
        break;
    case CONSTRAINT_CHECK:
        if (change) expect_check(d, change, &c);
        break;
    case CONSTRAINT_FOREIGN_KEY:
        add_foreign_key(d, t, &c, ast);
        if (change) expect_parents(d, change, &c);
        break;
    }
    PUSH(d, &t->constraints, c);
}

/* ---- CREATE TABLE ---- */

static void check_table_name(Ddl *d, Str name, Pos pos) {
    bool bad = name.n == 0 || name.n > 200 || memchr(name.p, '$', name.n) || memchr(name.p, '\0', name.n) || (name.n >= 7 && memcmp(name.p, "system.", 7) == 0) ||
               str_is(name, "__schema__") || name.p[0] == '.' || name.p[name.n - 1] == '.';
    if (bad) fail(&d->cc, SQM_ERROR_SYNTAX, pos, "MongoDB cannot have a collection named \"" STR_FMT "\"", STR_ARG(name));
}

/* CREATE TABLE ... AS: the columns of its query. statement.c inserts the rows. */
static void columns_of_query(Ddl *d, Table *t) {
    Stmt select = {.tag = STMT_SELECT, .pos = d->stmt->pos, .select = d->stmt->select};
    Parsed parsed = {.stmt = &select};
    const Query *q = resolve(&d->cc, d->base, &parsed, NULL)->query;
    for (int i = 0; i < q->n_visible; i++) {
        const Target *target = &q->targets.at[i];
        Column c = {.name = keep(d, target->name), .field = field_of(d, target->name), .type = target->expr->type};
        if (c.type.tag == TYPE_ROW) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, target->expr->pos, "a column of rows is not supported: \"" STR_FMT "\"", STR_ARG(c.name));
        if (table_find_column(t, c.name) >= 0) fail(&d->cc, SQM_ERROR_DUPLICATE_COLUMN, d->stmt->pos, "column \"" STR_FMT "\" specified more than once", STR_ARG(c.name));
        if (str_is(c.field, "_id")) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, d->stmt->pos, "a column \"_id\" of CREATE TABLE AS is not supported: give it another name");
        if (c.type.tag == TYPE_UNKNOWN && target->expr->tag == EXPR_CONST) c.type = TYPE(TEXT);
        PUSH(d, &t->columns, c);
    }
}

static void create_table(Ddl *d) {
    const AstCreateTable *s = d->stmt->create_table;
    if (s->temporary) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, d->stmt->pos, "a temporary table is not supported");
    check_table_name(d, s->table, d->stmt->pos);
    Table *old = exact_table(d, s->table);
    bool adopt = s->adopt && old && !old->view_text.n, take_over = !adopt && old && old->implicit;
    if (old && (old->declared || old->view_text.n) && !adopt && !take_over) {
        if (s->if_not_exists) return;
        fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, d->stmt->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(s->table));
    }
    Table *t = table_new(&d->next->arena, s->table);
    t->options = ddl_native_collection(d, (Str){0}, &s->options);
    for (int i = 0; i < s->columns.n; i++) {
        Column c = make_column(d, t, s->columns.at[i]);
        PUSH(d, &t->columns, c);
    }
    if (d->stmt->select) columns_of_query(d, t);
    for (int pass = 0; pass < 2; pass++) {      /* the key first: others may refer to it */
        for (int i = 0; i < s->columns.n; i++)
            for (int k = 0; k < s->columns.at[i]->constraints.n; k++) {
                const AstConstraint *c = s->columns.at[i]->constraints.at[k];
                if ((c->kind == CONSTRAINT_PRIMARY_KEY) == (pass == 0)) add_constraint(d, t, NULL, c, i, NULL);
            }
        for (int i = 0; i < s->constraints.n; i++)
            if ((s->constraints.at[i]->kind == CONSTRAINT_PRIMARY_KEY) == (pass == 0)) add_constraint(d, t, NULL, s->constraints.at[i], -1, NULL);
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

/* ---- texts that name columns ---- */

/* In a stored expression: column `from` becomes `to` (from.n == 0: none), qualifier `table` becomes `new_table`. */
static void rename_in(Ddl *d, AstExpr *e, Str table, Str new_table, Str from, Str to) {
    if (!e) return;
    if (e->tag == AST_COLUMN) {
        if (from.n && str_ieq(e->name, from) && (!e->qualifier.n || str_ieq(e->qualifier, table))) e->name = to;
        if (e->qualifier.n && str_ieq(e->qualifier, table)) e->qualifier = new_table;
    }
    for (int i = 0; i < e->args.n; i++) rename_in(d, e->args.at[i], table, new_table, from, to);
    for (int i = 0; i < e->arms.n; i++) {
        rename_in(d, e->arms.at[i].when, table, new_table, from, to);
        rename_in(d, e->arms.at[i].then, table, new_table, from, to);
    }
    rename_in(d, e->otherwise, table, new_table, from, to);
    rename_in(d, e->filter, table, new_table, from, to);
}

static AstExpr *parse_stored(Ddl *d, Str text) {
    Str sql = d->cc.sql;
    d->cc.sql = d->text = text;
    AstExpr *e = parse_expression(&d->cc);
    d->cc.sql = sql;
    d->text = (Str){0};
    return e;
}

static Str renamed_text(Ddl *d, Str text, Str table, Str new_table, Str from, Str to) {
    if (!text.n) return text;
    AstExpr *e = parse_stored(d, text);
    rename_in(d, e, table, new_table, from, to);
    Text out = {.arena = &d->next->arena};
    ast_expr_sql(&out, e);
    return (Str){out.p, (uint32_t)out.n};
}

static void rename_texts(Ddl *d, Table *t, Str table, Str new_table, Str from, Str to) {
    for (int i = 0; i < t->constraints.n; i++) t->constraints.at[i].check_text = renamed_text(d, t->constraints.at[i].check_text, table, new_table, from, to);
    for (int i = 0; i < t->indexes.n; i++) {
        Index *index = &t->indexes.at[i];
        index->where_text = renamed_text(d, index->where_text, table, new_table, from, to);
        for (int k = 0; k < index->keys.n; k++) index->keys.at[k].expr_text = renamed_text(d, index->keys.at[k].expr_text, table, new_table, from, to);
    }
    for (int i = 0; i < t->columns.n; i++) t->columns.at[i].generated_text = renamed_text(d, t->columns.at[i].generated_text, table, new_table, from, to);
}

/* Does a stored condition read the column? */
static bool mentions(Ddl *d, const Table *t, Str text, int column) {
    if (!text.n) return false;
    if (table_column_is_virtual(t, column)) return names_column(parse_stored(d, text), t->columns.at[column].name);
    bool *used = NEW_ARRAY(&d->arena, bool, t->columns.n + 8);
    const Rel *rel;
    ddl_columns_of(ddl_condition(d, d->next, t, text, &rel), used);
    return used[column];
}

static bool generated_from(Ddl *d, const Table *t, int generated, int column) {
    if (!t->columns.at[generated].generated_text.n) return false;
    bool *used = NEW_ARRAY(&d->arena, bool, t->columns.n + 8);
    const Rel *rel;
    ddl_columns_of(ddl_generated(d, d->next, t, generated, &rel), used);
    return used[column];
}

/* ---- ALTER TABLE ---- */

static void alter_add_column(Ddl *d, Table *t, const AstAlter *a) {
    const AstColumnDef *def = a->column;
    int there = table_find_column(t, def->name);
    bool redefine = there >= 0 && str_eq(t->columns.at[there].name, def->name) && ddl_may_redefine(t, there);
    if (there >= 0 && !t->columns.at[there].hidden && !redefine) {
        if (a->if_not_exists) return;
        fail(&d->cc, SQM_ERROR_DUPLICATE_COLUMN, def->pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" already exists", STR_ARG(def->name), STR_ARG(t->name));
    }
    Change *change = change_of(d, t, true);
    if (redefine) t->columns.at[there].name = (Str){0};
    Column c = make_column(d, t, def);
    if (str_is(c.field, "_id")) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, def->pos, "a column \"_id\" cannot be added, MongoDB documents always have it");
    int number = redefine ? there : t->columns.n;
    if (redefine) t->columns.at[there] = c;
    else PUSH(d, &t->columns, c);
    const Table *rows = table_copy(&d->arena, t);
    Rewrite *r = rewrite_of(d, rows, t->name, &c, -1);
    Value value = sqm_null();
    Expr *expr = NULL;
    bool constant = false, computed = true;
    if (c.generated_text.n) {
        r->expr = ddl_generated(d, d->next, rows, number, &r->rel);
        computed = c.generated_stored;
    } else if (c.identity) {
        r->counter = true;
        change->raise_counter = true;
    } else if (!(constant = constant_default(d, &c, &value, &expr))) {
        r->expr = expr;
    }
    bool key = false;
    for (int i = 0; i < def->constraints.n; i++) key |= def->constraints.at[i]->kind == CONSTRAINT_PRIMARY_KEY;
    if (key) {
        if (constant && expr) r->expr = expr;
    } else if (constant) {
        if (value.type != SQM_NULL) {
            bson_t *filter = ddl_bson(d), list, one, u, set;
            ddl_null_filter(filter, &c);
            bson_t *command = begin_update(d, t->name, filter, "$set", &list, &one, &u, &set);
            if (!value_append(&set, c.field.p, (int)c.field.n, &value, c.type)) fail(&d->cc, SQM_ERROR_DOCUMENT_TOO_LARGE, def->pos, "the default is too large");
            end_update(command, &list, &one, &u, &set);
            note(d, change, (Step){.tag = STEP_COMMAND, .command = command});
        } else if (c.not_null) {
            expect_no_nulls(d, change, &c);
        }
    } else if (computed) {
        note_rewrite(d, change, r, true);
    }
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < def->constraints.n; i++)
            if ((def->constraints.at[i]->kind == CONSTRAINT_PRIMARY_KEY) == (pass == 0)) add_constraint(d, t, change, def->constraints.at[i], number, r);
}

/* Every number of a column behind `gone` is one less from now on. Lists that name it lose it. */
static void renumber(int *numbers, int *n, int gone) {
    int kept = 0;
    for (int i = 0; i < *n; i++)
        if (numbers[i] != gone) numbers[kept++] = numbers[i] - (numbers[i] > gone);
    *n = kept;
}

static bool in_list(const int *numbers, int n, int column) {
    for (int i = 0; i < n; i++)
        if (numbers[i] == column) return true;
    return false;
}

/* Takes a column that no index, key or constraint names any more out of the catalogue and out of the documents. */
static void forget_column(Table *t, int column) {
    renumber(t->primary_key.at, &t->primary_key.n, column);
    for (int i = 0; i < t->indexes.n; i++) {
        renumber(t->indexes.at[i].include.at, &t->indexes.at[i].include.n, column);
        for (int k = 0; k < t->indexes.at[i].keys.n; k++) t->indexes.at[i].keys.at[k].column -= t->indexes.at[i].keys.at[k].column > column;
    }
    for (int i = 0; i < t->constraints.n; i++) renumber(t->constraints.at[i].columns.at, &t->constraints.at[i].columns.n, column);
    memmove(&t->columns.at[column], &t->columns.at[column + 1], sizeof *t->columns.at * (size_t)(t->columns.n - column - 1));
    t->columns.n--;
}

static void remove_column(Ddl *d, Table *t, Change *change, int column) {
    Column gone = t->columns.at[column];
    forget_column(t, column);
    if (str_is(gone.field, "_id")) return;
    bson_t list, one, u, unset;
    bson_t *command = begin_update(d, t->name, exists_filter(d, gone.field), "$unset", &list, &one, &u, &unset);
    bson_append_utf8(&unset, gone.field.p, (int)gone.field.n, "", 0);
    end_update(command, &list, &one, &u, &unset);
    note(d, change, (Step){.tag = STEP_COMMAND, .command = command});
}

/* ---- indexed expressions (catalog.h: Column.indexed) ---- */

static Str quoted(Ddl *d, Str name) {
    AstExpr e = {.tag = AST_COLUMN, .name = name};
    Text out = {.arena = &d->arena};
    ast_expr_sql(&out, &e);
    return (Str){out.p, (uint32_t)out.n};
}

static bool expression_reads(Ddl *d, const Table *t, int indexed, int column) {
    const Column *c = &t->columns.at[indexed];
    return table_column_is_virtual(t, column) ? names_column(parse_stored(d, c->generated_text), t->columns.at[column].name) : generated_from(d, t, indexed, column);
}

/* The column that holds this expression's value: one that is there, or a new one, filled for the rows that are there. */
static int indexed_column(Ddl *d, Table *t, Change *change, Str text, Pos pos) {
    const AstExpr *e = parse_stored(d, text);
    int number = 1;
    for (int i = 0; i < t->columns.n; i++)
        if (t->columns.at[i].indexed && ast_equal(parse_stored(d, t->columns.at[i].generated_text), e)) return i;
    Column c = {.hidden = true, .indexed = true, .generated_stored = true, .generated_text = text};
    do c.name = keep(d, arena_printf(&d->arena, "__x%d", number++)); while (table_find_column(t, c.name) >= 0);
    c.field = c.name;
    c.type = ddl_indexable(d, d->next, t, text, pos);
    PUSH(d, &t->columns, c);
    Rewrite *r = rewrite_of(d, table_copy(&d->arena, t), t->name, &c, -1);
    r->expr = ddl_generated(d, d->next, r->table, t->columns.n - 1, &r->rel);
    note_rewrite(d, change, r, true);
    return t->columns.n - 1;
}

/* Values that no index needs any more go. */
static void drop_unindexed(Ddl *d, Table *t, Change *change) {
    for (int c = t->columns.n - 1; c >= 0; c--) {
        bool used = !t->columns.at[c].indexed;
        for (int i = 0; i < t->indexes.n && !used; i++) {
            used = str_eq(t->indexes.at[i].where_text, t->columns.at[c].generated_text);
            for (int k = 0; k < t->indexes.at[i].keys.n; k++) used |= t->indexes.at[i].keys.at[k].column == c;
        }
        if (!used) remove_column(d, t, change, c);
    }
}

/* A column has another type: what is computed from it is computed anew. `same`: its stored values stay what they are. */
static void retype_indexed(Ddl *d, Table *t, Change *change, int column, bool same) {
    for (int i = 0; i < t->columns.n; i++) {
        Column *c = &t->columns.at[i];
        if (!c->indexed || !expression_reads(d, t, i, column)) continue;
        Type old = c->type;
        c->type = ddl_indexable(d, d->next, t, c->generated_text, NO_POS);
        if (same && old.tag == c->type.tag) continue;
        Rewrite *r = rewrite_of(d, table_copy(&d->arena, t), t->name, c, -1);
        r->expr = ddl_generated(d, d->next, r->table, i, &r->rel);
        note_rewrite(d, change, r, false);
    }
}

/* Foreign keys of other tables that end at this table (and this column, if name.n). */
static void drop_references(Ddl *d, const Table *t, Str column, bool cascade, const char *what, Pos pos) {
    for (int i = 0; i < d->next->tables.n; i++) {
        Table *other = d->next->tables.at[i];
        for (int k = other->constraints.n - 1; k >= 0; k--) {
            const Constraint *c = &other->constraints.at[k];
            bool hit = c->kind == TABLE_FOREIGN_KEY && str_eq(c->references, t->name) && other != t;
            if (hit && column.n) {
                hit = false;
                for (int j = 0; j < c->references_columns.n; j++) hit |= str_eq(c->references_columns.at[j], column);
            }
            if (!hit) continue;
            bool going = false;
            for (int j = 0; j < d->stmt->names.n && d->stmt->tag == STMT_DROP_TABLE; j++) going |= str_eq(d->stmt->names.at[j], other->name);
            if (going) continue;
            if (!cascade)
                fail_hint(&d->cc, SQM_ERROR_OBJECT_IN_USE, pos, "Use DROP ... CASCADE to drop the dependent objects too.",
                          "cannot drop %s because constraint \"" STR_FMT "\" on table \"" STR_FMT "\" depends on it", what, STR_ARG(c->name), STR_ARG(other->name));
            change_of(d, other, false);
            remove_constraint(other, k);
        }
    }
}

static void alter_drop_column(Ddl *d, Table *t, const AstAlter *a) {
    int column = table_find_column(t, a->name);
    if (column < 0 && a->if_exists) return;
    column = named_column(d, t, a->name, a->pos);
    Column gone = t->columns.at[column];
    Change *change = change_of(d, t, true);
    drop_references(d, t, gone.name, a->cascade, arena_printf(&d->arena, "column " STR_FMT " of table " STR_FMT, STR_ARG(gone.name), STR_ARG(t->name)).p, a->pos);
    for (int i = 0; i < t->columns.n; i++) {
        if (i == column || t->columns.at[i].indexed || !generated_from(d, t, i, column)) continue;
        fail(&d->cc, SQM_ERROR_OBJECT_IN_USE, a->pos, "cannot drop column " STR_FMT " because column " STR_FMT " is generated from it", STR_ARG(gone.name), STR_ARG(t->columns.at[i].name));
    }
    for (int i = t->indexes.n - 1; i >= 0; i--) {
        Index *index = &t->indexes.at[i];
        bool hit = in_list(index->include.at, index->include.n, column) || mentions(d, t, index->where_text, column);
        for (int k = 0; k < index->keys.n; k++) hit |= index->keys.at[k].column == column || (index->keys.at[k].expr_text.n && expression_reads(d, t, index->keys.at[k].column, column));
        if (hit) remove_index(t, index);
    }
    for (int i = t->constraints.n - 1; i >= 0; i--)
        if (in_list(t->constraints.at[i].columns.at, t->constraints.at[i].columns.n, column)) remove_constraint(t, i);
    if (in_list(t->primary_key.at, t->primary_key.n, column)) t->primary_key.n = 0;
    remove_column(d, t, change, column);
    drop_unindexed(d, t, change);
}

static bool index_on(const Table *t, int column) {
    for (int i = 0; i < t->indexes.n; i++)
        for (int k = 0; k < t->indexes.at[i].keys.n; k++)
            if (t->indexes.at[i].keys.at[k].column == column) return true;
    return false;
}

static void alter_rename_column(Ddl *d, Table *t, const AstAlter *a) {
    int column = named_column(d, t, a->name, a->pos), other = table_find_column(t, a->new_name);
    bool merge = false;
    if (other >= 0 && other != column && ddl_may_redefine(t, other) && !index_on(t, other)) {   /* code that knew the new name came first */
        change_of(d, t, true);
        forget_column(t, other);
        column -= column > other;
        other = -1;
        merge = true;
    }
    if (other >= 0 && other != column) fail(&d->cc, SQM_ERROR_DUPLICATE_COLUMN, a->pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" already exists", STR_ARG(a->new_name), STR_ARG(t->name));
    Change *change = change_of(d, t, true);
    Column *c = &t->columns.at[column];
    Str old_name = c->name, old_field = c->field, new_name = keep(d, a->new_name);
    for (int i = 0; i < d->next->tables.n; i++) {
        Table *from = d->next->tables.at[i];
        for (int k = 0; k < from->constraints.n; k++) {
            Constraint *fk = &from->constraints.at[k];
            if (fk->kind != TABLE_FOREIGN_KEY || !str_eq(fk->references, t->name)) continue;
            for (int j = 0; j < fk->references_columns.n; j++)
                if (str_eq(fk->references_columns.at[j], old_name)) fk->references_columns.at[j] = new_name, change_of(d, from, false);
        }
    }
    c->name = new_name;
    rename_texts(d, t, t->name, t->name, old_name, new_name);
    ddl_rename_in_views(d, t->name, t->name, old_name, new_name);
    if (str_is(old_field, "_id")) return;
    c->field = field_of(d, new_name);
    if (str_is(c->field, "_id")) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, a->pos, "only the primary key can be called \"_id\"");
    if (str_eq(c->field, old_field)) return;
    for (int i = 0; i < t->indexes.n; i++) ddl_native_rename(d, &t->indexes.at[i], old_field, c->field);
    bson_t list, one, u, rename, *filter = exists_filter(d, old_field);
    if (merge) bson_append_null(filter, c->field.p, (int)c->field.n);       /* missing or null: what was written under the new name stays */
    bson_t *command = begin_update(d, t->name, filter, "$rename", &list, &one, &u, &rename);
    bson_append_utf8(&rename, old_field.p, (int)old_field.n, c->field.p, (int)c->field.n);
    end_update(command, &list, &one, &u, &rename);
    note(d, change, (Step){.tag = STEP_COMMAND, .command = command});
    if (!merge) return;
    command = begin_update(d, t->name, exists_filter(d, old_field), "$unset", &list, &one, &u, &rename);
    bson_append_utf8(&rename, old_field.p, (int)old_field.n, "", 0);
    end_update(command, &list, &one, &u, &rename);
    note(d, change, (Step){.tag = STEP_COMMAND, .command = command});
}

static void alter_rename_table(Ddl *d, Table *t, const AstAlter *a) {
    check_table_name(d, a->new_name, a->pos);
    if (exact_table(d, a->new_name)) fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, a->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(a->new_name));
    bool view = t->view_text.n > 0;
    Change *change = change_of(d, t, !view && t->declared);
    Str old = t->name, new_name = keep(d, a->new_name);
    for (int i = 0; i < d->next->tables.n; i++) {
        Table *from = d->next->tables.at[i];
        for (int k = 0; k < from->constraints.n; k++) {
            Constraint *fk = &from->constraints.at[k];
            if (fk->kind != TABLE_FOREIGN_KEY || !str_eq(fk->references, old)) continue;
            fk->references = new_name;
            change_of(d, from, false);
        }
    }
    if (!view) {
        bson_t *command = ddl_bson(d);
        ddl_append(command, "renameCollection", arena_printf(&d->arena, STR_FMT "." STR_FMT, STR_ARG(d->next->database), STR_ARG(old)));
        ddl_append(command, "to", arena_printf(&d->arena, STR_FMT "." STR_FMT, STR_ARG(d->next->database), STR_ARG(new_name)));
        note(d, change, (Step){.tag = STEP_COMMAND, .command = command, .admin = true, .tolerate = 26});
    }
    catalog_remove_table(d->next, old);
    t->name = new_name;
    rename_texts(d, t, old, new_name, (Str){0}, (Str){0});
    ddl_rename_in_views(d, old, new_name, (Str){0}, (Str){0});
    catalog_put_table(d->next, t);
}

/* Do all stored values of one type also lie in the other, just as they are stored? */
static bool same_storage(Type from, Type to) {
    if (type_is_integer(from) && type_is_integer(to)) return to.tag >= from.tag;
    if (type_is_text(from) && type_is_text(to)) return from.tag != TYPE_CHAR && to.tag != TYPE_CHAR && (to.tag == TYPE_TEXT || to.length < 0 || (from.length >= 0 && from.length <= to.length));
    if (from.tag == TYPE_NUMERIC && to.tag == TYPE_NUMERIC)
        return to.length < 0 || (from.length >= 0 && from.scale == to.scale && from.length <= to.length);
    if (from.tag == TYPE_FLOAT4 && to.tag == TYPE_FLOAT8) return true;
    if ((from.tag == TYPE_TIMESTAMP && to.tag == TYPE_TIMESTAMPTZ) || (from.tag == TYPE_TIMESTAMPTZ && to.tag == TYPE_TIMESTAMP)) return true;
    return from.tag == to.tag && from.length == to.length && from.scale == to.scale && from.element == to.element;
}

/* USING "c"::type: only the cast that happens anyway. */
static bool is_own_cast(const AstExpr *e, const Column *c) {
    return !e || (e->tag == AST_CAST && e->args.at[0]->tag == AST_COLUMN && str_ieq(e->args.at[0]->name, c->name));
}

static void alter_type(Ddl *d, Table *t, const AstAlter *a) {
    int column = named_column(d, t, a->name, a->pos);
    Change *change = change_of(d, t, true);
    const Table *rows = table_copy(&d->arena, t);
    Column *c = &t->columns.at[column];
    Type old = c->type, type = type_of(d, a->type);
    bool same = is_own_cast(a->expr, c) && same_storage(old, type) && !c->implicit;    /* the column may be of today's type and the documents of before */
    for (int i = 0; i < t->columns.n && !same; i++)
        if (i != column && !t->columns.at[i].indexed && generated_from(d, t, i, column))
            fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, a->pos, "cannot alter type of column \"" STR_FMT "\" because column \"" STR_FMT "\" is generated from it", STR_ARG(c->name), STR_ARG(t->columns.at[i].name));
    c->collation = known_collation(d, a->collation, a->pos);
    c->type = type;
    if (c->identity && !type_is_integer(type)) fail(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, a->pos, "identity column type must be smallint, integer, or bigint");
    if (!a->expr && !c->generated_text.n && old.tag != TYPE_UNKNOWN && !cast_exists(old, type)) {
        char text[64];
        fail_hint(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, a->pos, "You might need to specify a USING expression.", "column \"" STR_FMT "\" cannot be cast automatically to type %s",
                  STR_ARG(c->name), type_text(type, text, sizeof text));
    }
    Value ignored;
    Expr *expr;
    constant_default(d, c, &ignored, &expr);
    bool in_key = in_list(t->primary_key.at, t->primary_key.n, column);
    for (int i = 0; i < t->indexes.n; i++)
        for (int k = 0; k < t->indexes.at[i].keys.n && t->indexes.at[i].unique; k++) in_key |= t->indexes.at[i].keys.at[k].column == column;
    if (in_key) check_unique_types(d, t, &column, 1, a->pos);
    if (same) {
        retype_indexed(d, t, change, column, true);
        return;
    }
    Rewrite *r = rewrite_of(d, rows, t->name, c, column);
    if (c->generated_text.n) {
        r->expr = ddl_generated(d, d->next, t, column, &r->rel);
        if (!c->generated_stored) {
            retype_indexed(d, t, change, column, false);
            return;
        }
    } else if (a->expr) {
        r->expr = ddl_row_value(d, d->next, rows, a->expr_text, &r->rel);
    }
    if (str_is(c->field, "_id")) {
        r->not_null = true;
        note_copy(d, change, r);
    } else if (!a->expr && type_is_text(old) && type_is_text(type) && old.tag != TYPE_CHAR && type.tag != TYPE_CHAR) {
        note(d, change, (Step){.tag = STEP_TRY, .check = true, .command = ddl_command(d, "find", t->name), .rewrite = r});     /* shorter varchar: values fit or fail */
    } else {
        note_rewrite(d, change, r, true);
    }
    retype_indexed(d, t, change, column, false);
}

static void alter_drop_constraint(Ddl *d, Table *t, const AstAlter *a) {
    int at = -1;
    for (int i = 0; i < t->constraints.n; i++)
        if (str_eq(t->constraints.at[i].name, a->name)) at = i;
    Index *index = find_index(t, a->name);
    if (at < 0 && !(t->legacy && index && index->unique)) {
        if (a->if_exists) return;
        fail(&d->cc, SQM_ERROR_UNDEFINED_OBJECT, a->pos, "constraint \"" STR_FMT "\" of relation \"" STR_FMT "\" does not exist", STR_ARG(a->name), STR_ARG(t->name));
    }
    change_of(d, t, true);
    bool indexed = at < 0 || t->constraints.at[at].kind == TABLE_UNIQUE || t->constraints.at[at].kind == TABLE_PRIMARY_KEY;
    if (at >= 0 && t->constraints.at[at].kind == TABLE_PRIMARY_KEY) t->primary_key.n = 0;      /* a single column stays in _id until another key takes its place */
    if (index && indexed) remove_index(t, index);
    if (at >= 0) remove_constraint(t, at);
}

static void alter_rename_constraint(Ddl *d, Table *t, const AstAlter *a) {
    Constraint *c = (Constraint *)find_constraint(t, a->name);
    if (!c) fail(&d->cc, SQM_ERROR_UNDEFINED_OBJECT, a->pos, "constraint \"" STR_FMT "\" for table \"" STR_FMT "\" does not exist", STR_ARG(a->name), STR_ARG(t->name));
    if (find_constraint(t, a->new_name))
        fail(&d->cc, SQM_ERROR_DUPLICATE_OBJECT, a->pos, "constraint \"" STR_FMT "\" for relation \"" STR_FMT "\" already exists", STR_ARG(a->new_name), STR_ARG(t->name));
    change_of(d, t, true);
    Index *index = find_index(t, a->name);
    bool indexed = index && (c->kind == TABLE_UNIQUE || c->kind == TABLE_PRIMARY_KEY);
    if (indexed && index_name_taken(d, a->new_name)) fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, a->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(a->new_name));
    c->name = keep(d, a->new_name);
    if (indexed) index->name = c->name;
}

static void alter_column(Ddl *d, Table *t, const AstAlter *a) {
    int column = named_column(d, t, a->name, a->pos);
    Change *change = change_of(d, t, a->tag == ALTER_SET_NOT_NULL || a->tag == ALTER_DROP_NOT_NULL);
    Column *c = &t->columns.at[column];
    Value ignored;
    Expr *expr;
    switch (a->tag) {
    case ALTER_SET_NOT_NULL:
        refuse_virtual(d, t, column, "NOT NULL", a->pos);
        if (!c->not_null || c->implicit) expect_no_nulls(d, change, c);
        c->not_null = true;
        c->implicit = false;
        break;
    case ALTER_DROP_NOT_NULL:
        if (in_list(t->primary_key.at, t->primary_key.n, column)) fail(&d->cc, SQM_ERROR_SYNTAX, a->pos, "column \"" STR_FMT "\" is in a primary key", STR_ARG(c->name));
        if (c->identity) fail(&d->cc, SQM_ERROR_SYNTAX, a->pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" is an identity column", STR_ARG(c->name), STR_ARG(t->name));
        c->not_null = false;
        break;
    case ALTER_SET_DEFAULT:
        if (c->generated_text.n) fail(&d->cc, SQM_ERROR_SYNTAX, a->pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" is a generated column", STR_ARG(c->name), STR_ARG(t->name));
        c->default_text = a->expr_text;
        constant_default(d, c, &ignored, &expr);
        c->default_text = keep(d, a->expr_text);
        break;
    case ALTER_DROP_DEFAULT: c->default_text = (Str){0}; break;
    case ALTER_ADD_IDENTITY:
        if (c->identity) fail(&d->cc, SQM_ERROR_SYNTAX, a->pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" is already an identity column", STR_ARG(c->name), STR_ARG(t->name));
        if (!type_is_integer(c->type)) fail(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, a->pos, "identity column type must be smallint, integer, or bigint");
        if (!c->not_null) fail(&d->cc, SQM_ERROR_SYNTAX, a->pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" must be declared NOT NULL before identity can be added", STR_ARG(c->name), STR_ARG(t->name));
        c->identity = change->raise_counter = true;
        break;
    case ALTER_DROP_IDENTITY:
        if (!c->identity && !a->if_exists)
            fail(&d->cc, SQM_ERROR_SYNTAX, a->pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" is not an identity column", STR_ARG(c->name), STR_ARG(t->name));
        c->identity = false;
        break;
    case ALTER_DROP_EXPRESSION:
        if (!c->generated_text.n && !a->if_exists)
            fail(&d->cc, SQM_ERROR_SYNTAX, a->pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" is not a generated column", STR_ARG(c->name), STR_ARG(t->name));
        if (c->generated_text.n && !c->generated_stored) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, a->pos, "DROP EXPRESSION of a virtual generated column is not supported");
        c->generated_text = (Str){0};
        c->generated_stored = false;
        break;
    case ALTER_ADD_COLUMN: case ALTER_DROP_COLUMN: case ALTER_RENAME_COLUMN: case ALTER_RENAME_TABLE: case ALTER_COLUMN_TYPE: case ALTER_ADD_CONSTRAINT:
    case ALTER_DROP_CONSTRAINT: case ALTER_RENAME_CONSTRAINT: case ALTER_SET_OPTIONS: break;
    }
}

/* What a collection is created with can't be changed: its documents move into another one. */
/* ENFORCED: whatever is written, by whomever, fits the columns. Not before the documents that are there do. */
static void alter_storage(Ddl *d, Table *t, const AstAlter *a) {
    Change *change = change_of(d, t, true);
    t->enforced = a->enforced;
    if (!t->enforced) return;
    bson_t *filter = ddl_bson(d), *schema = ddl_json_schema(d, t), list;
    BSON_APPEND_ARRAY_BEGIN(filter, "$nor", &list);
    BSON_APPEND_DOCUMENT(&list, "0", schema);
    bson_append_array_end(filter, &list);
    expect_none(d, change, filter, SQM_ERROR_CHECK_VIOLATION, arena_printf(&d->arena, "collection \"" STR_FMT "\" has documents that don't fit the table's columns", STR_ARG(t->name)));
}

static void alter_options(Ddl *d, Table *t, const AstAlter *a) {
    if (a->enforced || a->lenient) alter_storage(d, t, a);
    if (!a->options.n) return;
    Change *change = change_of(d, t, true);
    Str options = ddl_native_collection(d, t->options, &a->options);
    if (str_eq(options, t->options)) return;
    if (!t->id_index.keys.n) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, a->pos, "options of the table \"" STR_FMT "\" without a primary key in _id cannot be changed", STR_ARG(t->name));
    int key = t->id_index.keys.at[0].column;
    t->options = options;
    note_copy(d, change, rewrite_of(d, table_copy(&d->arena, t), t->name, &t->columns.at[key], key));
}

static void alter_table(Ddl *d) {
    const Stmt *s = d->stmt;
    Table *t = exact_table(d, s->name);
    if (t && s->alters.n == 1 && s->alters.at[0]->tag == ALTER_RENAME_TABLE && (t->view_text.n || !t->declared)) {
        if (!t->declared && !t->view_text.n)
            fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, s->pos, "collection \"" STR_FMT "\" was never declared as a table, it cannot be renamed", STR_ARG(s->name));
    } else if (!(t = own_table(d, s->name, s->pos, s->if_exists))) {
        return;
    }
    for (int i = 0; i < s->alters.n; i++) {
        const AstAlter *a = s->alters.at[i];
        switch (a->tag) {
        case ALTER_ADD_COLUMN: alter_add_column(d, t, a); break;
        case ALTER_DROP_COLUMN: alter_drop_column(d, t, a); break;
        case ALTER_RENAME_COLUMN: alter_rename_column(d, t, a); break;
        case ALTER_RENAME_TABLE: alter_rename_table(d, t, a); break;
        case ALTER_COLUMN_TYPE: alter_type(d, t, a); break;
        case ALTER_ADD_CONSTRAINT: add_constraint(d, t, change_of(d, t, true), a->constraint, -1, NULL); break;
        case ALTER_DROP_CONSTRAINT: alter_drop_constraint(d, t, a); break;
        case ALTER_RENAME_CONSTRAINT: alter_rename_constraint(d, t, a); break;
        case ALTER_SET_OPTIONS: alter_options(d, t, a); break;
        case ALTER_SET_NOT_NULL: case ALTER_DROP_NOT_NULL: case ALTER_SET_DEFAULT: case ALTER_DROP_DEFAULT: case ALTER_ADD_IDENTITY: case ALTER_DROP_IDENTITY:
        case ALTER_DROP_EXPRESSION: alter_column(d, t, a); break;
        }
    }
}

/* ---- indexes ---- */

static void create_index(Ddl *d) {
    const AstCreateIndex *s = d->stmt->create_index;
    Table *t = own_table(d, s->table, s->table_pos, false);
    if (s->name.n && index_name_taken(d, s->name)) {
        if (s->if_not_exists) return;
        fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, d->stmt->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(s->name));
    }
    Change *change = change_of(d, t, true);
    const Rel *rel;
    if (s->where) ddl_condition(d, d->next, t, s->where_text, &rel);
    Index index = {.unique = s->unique, .nulls_not_distinct = s->nulls_not_distinct, .where_text = keep(d, s->where_text)};
    Numbers columns = {0};
    for (int i = 0; i < s->keys.n; i++) {
        AstIndexKey key = ddl_index_key(d, t, &s->keys.at[i], s->unique);
        const AstIndexKey *k = &key;
        known_collation(d, k->collation, k->pos);
        int column = k->expr || !k->column.n ? -1 : named_column(d, t, k->column, k->pos);
        Str text = k->expr_text;
        if (column >= 0 && table_column_is_virtual(t, column)) text = quoted(d, t->columns.at[column].name);
        if (text.n) column = indexed_column(d, t, change, keep(d, text), k->pos);
        if (column >= 0 && !k->path.n) PUSH(d, &columns, column);
        PUSH(d, &index.keys, ((IndexKey){.column = column, .expr_text = keep(d, text), .path = keep(d, k->path), .descending = k->descending, .opclass = keep(d, k->opclass)}));
    }
    if (s->unique) check_unique_types(d, t, columns.at, columns.n, d->stmt->pos);
    for (int i = 0; i < s->include.n; i++) {
        int column = named_column(d, t, s->include.at[i], d->stmt->pos);
        refuse_virtual(d, t, column, "an index", d->stmt->pos);
        PUSH(d, &index.include, column);
    }
    ddl_native_index(d, t, s, &index);
    index.name = s->name.n ? keep(d, s->name) : make_name(d, t, columns.at, columns.n, "idx");
    if (s->where && !ddl_partial_fits(d, d->next, t, &index)) indexed_column(d, t, change, index.where_text, s->where->pos);
    PUSH(d, &t->indexes, index);
}

/* The table an index belongs to; NULL when there is none. */
static Table *table_of_index(const Ddl *d, Str name) {
    for (int i = 0; i < d->next->tables.n; i++)
        if (find_index(d->next->tables.at[i], name)) return d->next->tables.at[i];
    for (int i = 0; i < d->next->tables.n; i++)
        for (int k = 0; k < d->next->tables.at[i]->indexes.n; k++)
            if (str_ieq(d->next->tables.at[i]->indexes.at[k].name, name)) return d->next->tables.at[i];
    return NULL;
}

static Index *index_named(Table *t, Str name) {
    Index *index = find_index(t, name);
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
        Change *change = change_of(d, t, true);
        remove_index(t, index_named(t, name));
        drop_unindexed(d, t, change);
    }
}

static void rename_index(Ddl *d) {
    Str name = d->stmt->name;
    Table *t = table_of_index(d, name);
    if (!t || !t->declared) {
        if (d->stmt->if_exists) return;
        fail(&d->cc, SQM_ERROR_UNDEFINED_TABLE, d->stmt->pos, "relation \"" STR_FMT "\" does not exist", STR_ARG(name));
    }
    if (index_name_taken(d, d->stmt->text)) fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, d->stmt->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(d->stmt->text));
    change_of(d, t, true);
    Index *index = index_named(t, name);
    Constraint *c = index->constraint ? (Constraint *)find_constraint(t, index->name) : NULL;
    index->name = keep(d, d->stmt->text);
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
            drop_references(d, t, (Str){0}, d->stmt->cascade, arena_printf(&d->arena, "table " STR_FMT, STR_ARG(t->name)).p, d->stmt->pos);
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
    Table *t = own_table(d, d->stmt->name, d->stmt->pos, false);
    change_of(d, t, false);
    if (!d->stmt->column.n) t->comment = keep(d, d->stmt->text);
    else t->columns.at[named_column(d, t, d->stmt->column, d->stmt->pos)].comment = keep(d, d->stmt->text);
}

static void create_view(Ddl *d) {
    const Stmt *s = d->stmt;
    check_table_name(d, s->name, s->pos);
    Table *old = exact_table(d, s->name);
    if (old && !(s->or_replace && old->view_text.n)) {
        if (s->if_not_exists) return;
        fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, s->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(s->name));
    }
    Parsed parsed = {.stmt = (Stmt *)s};
    const Query *q = resolve(&d->cc, d->base, &parsed, NULL)->query;
    if (s->columns.n > q->n_visible) fail(&d->cc, SQM_ERROR_SYNTAX, s->pos, "CREATE VIEW specifies more column names than columns");
    Table *t = table_new(&d->next->arena, s->name);
    t->view_text = keep(d, ddl_view_text(d, s->select, q, s->text));
    for (int i = 0; i < q->n_visible; i++) {
        const Target *target = &q->targets.at[i];
        Column c = {.name = keep(d, i < s->columns.n ? s->columns.at[i] : target->name), .type = target->expr->type};
        for (int k = 0; k < t->columns.n; k++)
            if (str_eq(t->columns.at[k].name, c.name)) fail(&d->cc, SQM_ERROR_DUPLICATE_COLUMN, s->pos, "column \"" STR_FMT "\" specified more than once", STR_ARG(c.name));
        c.field = c.name;
        PUSH(d, &t->columns, c);
    }
    catalog_put_table(d->next, t);
    change_of(d, t, false);
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
    case STMT_ALTER_TABLE: alter_table(d); break;
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
