/* ddl_alter.c - ALTER TABLE: what each of its actions means for the catalogue, for texts that name what it changes, and for the rows.
 *
 * In: a statement's actions, the table in Ddl.next. Out: the table changed; checks and rewrites of its rows noted (Ddl.changes), run by ddl_run.c.
 *
 *     ALTER TABLE book RENAME COLUMN title TO name
 *     -> step: $rename of the field; the column's name; CHECKs, generated columns, indexed expressions and views that say "title" say "name"
 *     ALTER TABLE book ALTER COLUMN pages TYPE bigint
 *     -> STEP_TRY and STEP_REWRITE: every row's new value, computed here with SQL's own casts
 *
 * Not here: adding a constraint and finding tables, columns and constraints (ddl.c); which indexes and validators follow (ddl_plan.c). */
#include "ddl_internal.h"

#include "eval.h"
#include "function.h"
#include "resolve.h"

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
        for (int k = 0; k < index->keys.n; k++) {
            IndexKey *key = &index->keys.at[k];
            key->expr_text = renamed_text(d, key->expr_text, table, new_table, from, to);
            if (from.n && str_eq(key->folded, from)) key->folded = to;
        }
    }
    for (int i = 0; i < t->columns.n; i++) t->columns.at[i].generated_text = renamed_text(d, t->columns.at[i].generated_text, table, new_table, from, to);
}

/* Does a stored condition read the column? */
static bool mentions(Ddl *d, const Table *t, Str text, int column) {
    if (!text.n) return false;
    if (table_column_is_virtual(t, column)) return ddl_names_column(parse_stored(d, text), t->columns.at[column].name);
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
    Change *change = ddl_change_of(d, t, true);
    if (redefine) t->columns.at[there].name = (Str){0};
    Column c = ddl_make_column(d, t, def);
    if (str_is(c.field, "_id")) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, def->pos, "a column \"_id\" cannot be added, MongoDB documents always have it");
    int number = redefine ? there : t->columns.n;
    if (redefine) t->columns.at[there] = c;
    else PUSH(d, &t->columns, c);
    const Table *rows = table_copy(&d->arena, t);
    Rewrite *r = ddl_rewrite_of(d, rows, t->name, &c, -1);
    Value value = sqm_null();
    Expr *expr = NULL;
    bool constant = false, computed = true;
    if (c.generated_text.n) {
        r->expr = ddl_generated(d, d->next, rows, number, &r->rel);
        computed = c.generated_stored;
    } else if (c.identity) {
        r->counter = true;
        change->raise_counter = true;
    } else if (!(constant = ddl_constant_default(d, &c, &value, &expr))) {
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
            bson_t *command = ddl_begin_update(d, t->name, filter, "$set", &list, &one, &u, &set);
            if (!value_append(&set, c.field.p, (int)c.field.n, &value, c.type)) fail(&d->cc, SQM_ERROR_DOCUMENT_TOO_LARGE, def->pos, "the default is too large");
            ddl_end_update(command, &list, &one, &u, &set);
            ddl_note(d, change, (Step){.tag = STEP_COMMAND, .command = command});
        } else if (c.not_null) {
            ddl_expect_no_nulls(d, change, &c);
        }
    } else if (computed) {
        ddl_note_rewrite(d, change, r, true);
    }
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < def->constraints.n; i++)
            if ((def->constraints.at[i]->kind == CONSTRAINT_PRIMARY_KEY) == (pass == 0)) ddl_add_constraint(d, t, change, def->constraints.at[i], number, r);
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
    bson_t *command = ddl_begin_update(d, t->name, ddl_exists_filter(d, gone.field), "$unset", &list, &one, &u, &unset);
    bson_append_utf8(&unset, gone.field.p, (int)gone.field.n, "", 0);
    ddl_end_update(command, &list, &one, &u, &unset);
    ddl_note(d, change, (Step){.tag = STEP_COMMAND, .command = command});
}

/* ---- indexed expressions (catalog.h: Column.indexed) ---- */

Str ddl_quoted(Ddl *d, Str name) {
    AstExpr e = {.tag = AST_COLUMN, .name = name};
    Text out = {.arena = &d->arena};
    ast_expr_sql(&out, &e);
    return (Str){out.p, (uint32_t)out.n};
}

bool ddl_expression_reads(Ddl *d, const Table *t, int indexed, int column) {
    const Column *c = &t->columns.at[indexed];
    return table_column_is_virtual(t, column) ? ddl_names_column(parse_stored(d, c->generated_text), t->columns.at[column].name) : generated_from(d, t, indexed, column);
}

void ddl_fill_indexed(Ddl *d, Table *t, Change *change, int column) {
    Rewrite *r = ddl_rewrite_of(d, table_copy(&d->arena, t), t->name, &t->columns.at[column], -1);
    r->expr = ddl_generated(d, d->next, r->table, column, &r->rel);
    ddl_note_rewrite(d, change, r, true);
}

/* The column that holds this expression's value: one that is there, or a new one, filled for the rows that are there. */
int ddl_indexed_column(Ddl *d, Table *t, Change *change, Str text, Pos pos) {
    const AstExpr *e = parse_stored(d, text);
    int number = 1;
    for (int i = 0; i < t->columns.n; i++)
        if (t->columns.at[i].indexed && ast_equal(parse_stored(d, t->columns.at[i].generated_text), e)) return i;
    Column c = {.hidden = true, .indexed = true, .generated_stored = true, .generated_text = text};
    do c.name = ddl_keep(d, arena_printf(&d->arena, "__x%d", number++)); while (table_find_column(t, c.name) >= 0);
    c.field = c.name;
    c.type = ddl_indexable(d, d->next, t, text, pos);
    PUSH(d, &t->columns, c);
    if (change) ddl_fill_indexed(d, t, change, t->columns.n - 1);
    return t->columns.n - 1;
}

/* Values that no index needs any more go. */
void ddl_drop_unindexed(Ddl *d, Table *t, Change *change) {
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
        if (!c->indexed || !ddl_expression_reads(d, t, i, column)) continue;
        Type old = c->type;
        c->type = ddl_indexable(d, d->next, t, c->generated_text, NO_POS);
        if (same && old.tag == c->type.tag) continue;
        Rewrite *r = ddl_rewrite_of(d, table_copy(&d->arena, t), t->name, c, -1);
        r->expr = ddl_generated(d, d->next, r->table, i, &r->rel);
        ddl_note_rewrite(d, change, r, false);
    }
}

/* Foreign keys of other tables that end at this table (and this column, if name.n). */
void ddl_drop_references(Ddl *d, const Table *t, Str column, bool cascade, const char *what, Pos pos) {
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
            ddl_change_of(d, other, false);
            ddl_remove_constraint(other, k);
        }
    }
}

static void alter_drop_column(Ddl *d, Table *t, const AstAlter *a) {
    int column = table_find_column(t, a->name);
    if (column < 0 && a->if_exists) return;
    column = ddl_named_column(d, t, a->name, a->pos);
    Column gone = t->columns.at[column];
    Change *change = ddl_change_of(d, t, true);
    ddl_drop_references(d, t, gone.name, a->cascade, arena_printf(&d->arena, "column " STR_FMT " of table " STR_FMT, STR_ARG(gone.name), STR_ARG(t->name)).p, a->pos);
    for (int i = 0; i < t->columns.n; i++) {
        if (i == column || t->columns.at[i].indexed || !generated_from(d, t, i, column)) continue;
        fail(&d->cc, SQM_ERROR_OBJECT_IN_USE, a->pos, "cannot drop column " STR_FMT " because column " STR_FMT " is generated from it", STR_ARG(gone.name), STR_ARG(t->columns.at[i].name));
    }
    for (int i = t->indexes.n - 1; i >= 0; i--) {
        Index *index = &t->indexes.at[i];
        bool hit = in_list(index->include.at, index->include.n, column) || mentions(d, t, index->where_text, column);
        for (int k = 0; k < index->keys.n; k++) hit |= index->keys.at[k].column == column || (index->keys.at[k].expr_text.n && ddl_expression_reads(d, t, index->keys.at[k].column, column));
        if (hit) ddl_remove_index(t, index);
    }
    for (int i = t->constraints.n - 1; i >= 0; i--)
        if (in_list(t->constraints.at[i].columns.at, t->constraints.at[i].columns.n, column)) ddl_remove_constraint(t, i);
    if (in_list(t->primary_key.at, t->primary_key.n, column)) t->primary_key.n = 0;
    remove_column(d, t, change, column);
    ddl_drop_unindexed(d, t, change);
}

static bool index_on(const Table *t, int column) {
    for (int i = 0; i < t->indexes.n; i++)
        for (int k = 0; k < t->indexes.at[i].keys.n; k++)
            if (t->indexes.at[i].keys.at[k].column == column) return true;
    return false;
}

static void alter_rename_column(Ddl *d, Table *t, const AstAlter *a) {
    int column = ddl_named_column(d, t, a->name, a->pos), other = table_find_column(t, a->new_name);
    bool merge = false;
    if (other >= 0 && other != column && ddl_may_redefine(t, other) && !index_on(t, other)) {   /* code that knew the new name came first */
        ddl_change_of(d, t, true);
        forget_column(t, other);
        column -= column > other;
        other = -1;
        merge = true;
    }
    if (other >= 0 && other != column) fail(&d->cc, SQM_ERROR_DUPLICATE_COLUMN, a->pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" already exists", STR_ARG(a->new_name), STR_ARG(t->name));
    Change *change = ddl_change_of(d, t, true);
    Column *c = &t->columns.at[column];
    Str old_name = c->name, old_field = c->field, new_name = ddl_keep(d, a->new_name);
    for (int i = 0; i < d->next->tables.n; i++) {
        Table *from = d->next->tables.at[i];
        for (int k = 0; k < from->constraints.n; k++) {
            Constraint *fk = &from->constraints.at[k];
            if (fk->kind != TABLE_FOREIGN_KEY || !str_eq(fk->references, t->name)) continue;
            for (int j = 0; j < fk->references_columns.n; j++)
                if (str_eq(fk->references_columns.at[j], old_name)) fk->references_columns.at[j] = new_name, ddl_change_of(d, from, false);
        }
    }
    c->name = new_name;
    rename_texts(d, t, t->name, t->name, old_name, new_name);
    ddl_rename_in_views(d, t->name, t->name, old_name, new_name);
    if (str_is(old_field, "_id")) return;
    c->field = ddl_field_of(d, new_name);
    if (str_is(c->field, "_id")) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, a->pos, "only the primary key can be called \"_id\"");
    if (str_eq(c->field, old_field)) return;
    for (int i = 0; i < t->indexes.n; i++) ddl_native_rename(d, &t->indexes.at[i], old_field, c->field);
    bson_t list, one, u, rename, *filter = ddl_exists_filter(d, old_field);
    if (merge) bson_append_null(filter, c->field.p, (int)c->field.n);       /* missing or null: what was written under the new name stays */
    bson_t *command = ddl_begin_update(d, t->name, filter, "$rename", &list, &one, &u, &rename);
    bson_append_utf8(&rename, old_field.p, (int)old_field.n, c->field.p, (int)c->field.n);
    ddl_end_update(command, &list, &one, &u, &rename);
    ddl_note(d, change, (Step){.tag = STEP_COMMAND, .command = command});
    if (!merge) return;
    command = ddl_begin_update(d, t->name, ddl_exists_filter(d, old_field), "$unset", &list, &one, &u, &rename);
    bson_append_utf8(&rename, old_field.p, (int)old_field.n, "", 0);
    ddl_end_update(command, &list, &one, &u, &rename);
    ddl_note(d, change, (Step){.tag = STEP_COMMAND, .command = command});
}

static void alter_rename_table(Ddl *d, Table *t, const AstAlter *a) {
    ddl_check_table_name(d, a->new_name, a->pos);
    if (ddl_exact_table(d, a->new_name)) fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, a->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(a->new_name));
    bool view = t->view_text.n > 0;
    Change *change = ddl_change_of(d, t, !view && t->declared);
    Str old = t->name, new_name = ddl_keep(d, a->new_name);
    for (int i = 0; i < d->next->tables.n; i++) {
        Table *from = d->next->tables.at[i];
        for (int k = 0; k < from->constraints.n; k++) {
            Constraint *fk = &from->constraints.at[k];
            if (fk->kind != TABLE_FOREIGN_KEY || !str_eq(fk->references, old)) continue;
            fk->references = new_name;
            ddl_change_of(d, from, false);
        }
    }
    if (!view) {
        bson_t *command = ddl_bson(d);
        ddl_append(command, "renameCollection", arena_printf(&d->arena, STR_FMT "." STR_FMT, STR_ARG(d->next->database), STR_ARG(old)));
        ddl_append(command, "to", arena_printf(&d->arena, STR_FMT "." STR_FMT, STR_ARG(d->next->database), STR_ARG(new_name)));
        ddl_note(d, change, (Step){.tag = STEP_COMMAND, .command = command, .admin = true, .tolerate = 26});
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

/* The rows have the column's new type: so do the values that indexes need, and the rows fit the CHECKs. */
static void finish_type(Ddl *d, Table *t, Change *change, const AstAlter *a, bool recollated, bool same) {
    if (recollated) ddl_drop_unindexed(d, t, change);
    int column = ddl_named_column(d, t, a->name, a->pos);
    retype_indexed(d, t, change, column, same);
    if (recollated) ddl_fold_keys(d, t, change, column, a->pos);
}

static void alter_type(Ddl *d, Table *t, const AstAlter *a) {
    int column = ddl_named_column(d, t, a->name, a->pos);
    Change *change = ddl_change_of(d, t, true);
    const Table *rows = table_copy(&d->arena, t);
    Column *c = &t->columns.at[column];
    Type old = c->type, type = ddl_type_of(d, a->type);
    Str collation = ddl_collation(d, a->collation, &type, a->pos);
    bool recollated = (old.collation == COLLATION_CASE_INSENSITIVE) != (type.collation == COLLATION_CASE_INSENSITIVE);
    bool same = is_own_cast(a->expr, c) && same_storage(old, type) && !c->implicit && !recollated;    /* the column may be of today's type and the documents of before */
    for (int i = 0; i < t->columns.n && !same; i++)
        if (i != column && !t->columns.at[i].indexed && generated_from(d, t, i, column))
            fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, a->pos, "cannot alter type of column \"" STR_FMT "\" because column \"" STR_FMT "\" is generated from it", STR_ARG(c->name), STR_ARG(t->columns.at[i].name));
    c->collation = collation;
    c->type = type;
    if (recollated) ddl_unfold_keys(d, t, column, a->pos);
    if (c->identity && !type_is_integer(type)) fail(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, a->pos, "identity column type must be smallint, integer, or bigint");
    if (!a->expr && !c->generated_text.n && old.tag != TYPE_UNKNOWN && !cast_exists(old, type)) {
        char text[64];
        fail_hint(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, a->pos, "You might need to specify a USING expression.", "column \"" STR_FMT "\" cannot be cast automatically to type %s",
                  STR_ARG(c->name), type_text(type, text, sizeof text));
    }
    Value ignored;
    Expr *expr;
    ddl_constant_default(d, c, &ignored, &expr);
    bool in_key = in_list(t->primary_key.at, t->primary_key.n, column);
    for (int i = 0; i < t->indexes.n; i++)
        for (int k = 0; k < t->indexes.at[i].keys.n && t->indexes.at[i].unique; k++) in_key |= t->indexes.at[i].keys.at[k].column == column;
    if (in_key) ddl_check_unique_types(d, t, &column, 1, a->pos);
    if (same) {
        finish_type(d, t, change, a, recollated, true);
        return;
    }
    Rewrite *r = ddl_rewrite_of(d, rows, t->name, c, column);
    if (c->generated_text.n) {
        r->expr = ddl_generated(d, d->next, t, column, &r->rel);
        if (!c->generated_stored) {
            finish_type(d, t, change, a, recollated, false);
            return;
        }
    } else if (a->expr) {
        r->expr = ddl_row_value(d, d->next, rows, a->expr_text, &r->rel);
    }
    if (str_is(c->field, "_id")) {
        r->not_null = true;
        ddl_note_copy(d, change, r);
    } else if (!a->expr && type_is_text(old) && type_is_text(type) && old.tag != TYPE_CHAR && type.tag != TYPE_CHAR) {
        ddl_note(d, change, (Step){.tag = STEP_TRY, .check = true, .command = ddl_command(d, "find", t->name), .rewrite = r});     /* shorter varchar: values fit or fail */
    } else {
        ddl_note_rewrite(d, change, r, true);
    }
    finish_type(d, t, change, a, recollated, false);
}

static void alter_drop_constraint(Ddl *d, Table *t, const AstAlter *a) {
    int at = -1;
    for (int i = 0; i < t->constraints.n; i++)
        if (str_eq(t->constraints.at[i].name, a->name)) at = i;
    Index *index = ddl_find_index(t, a->name);
    if (at < 0 && !(t->legacy && index && index->unique)) {
        if (a->if_exists) return;
        fail(&d->cc, SQM_ERROR_UNDEFINED_OBJECT, a->pos, "constraint \"" STR_FMT "\" of relation \"" STR_FMT "\" does not exist", STR_ARG(a->name), STR_ARG(t->name));
    }
    ddl_change_of(d, t, true);
    bool indexed = at < 0 || t->constraints.at[at].kind == TABLE_UNIQUE || t->constraints.at[at].kind == TABLE_PRIMARY_KEY;
    if (at >= 0 && t->constraints.at[at].kind == TABLE_PRIMARY_KEY) t->primary_key.n = 0;      /* a single column stays in _id until another key takes its place */
    if (index && indexed) ddl_remove_index(t, index);
    if (at >= 0) ddl_remove_constraint(t, at);
}

static void alter_rename_constraint(Ddl *d, Table *t, const AstAlter *a) {
    Constraint *c = (Constraint *)ddl_find_constraint(t, a->name);
    if (!c) fail(&d->cc, SQM_ERROR_UNDEFINED_OBJECT, a->pos, "constraint \"" STR_FMT "\" for table \"" STR_FMT "\" does not exist", STR_ARG(a->name), STR_ARG(t->name));
    if (ddl_find_constraint(t, a->new_name))
        fail(&d->cc, SQM_ERROR_DUPLICATE_OBJECT, a->pos, "constraint \"" STR_FMT "\" for relation \"" STR_FMT "\" already exists", STR_ARG(a->new_name), STR_ARG(t->name));
    ddl_change_of(d, t, true);
    Index *index = ddl_find_index(t, a->name);
    bool indexed = index && (c->kind == TABLE_UNIQUE || c->kind == TABLE_PRIMARY_KEY);
    if (indexed && ddl_index_name_taken(d, a->new_name)) fail(&d->cc, SQM_ERROR_DUPLICATE_TABLE, a->pos, "relation \"" STR_FMT "\" already exists", STR_ARG(a->new_name));
    c->name = ddl_keep(d, a->new_name);
    if (indexed) index->name = c->name;
}

static void alter_column(Ddl *d, Table *t, const AstAlter *a) {
    int column = ddl_named_column(d, t, a->name, a->pos);
    Change *change = ddl_change_of(d, t, a->tag == ALTER_SET_NOT_NULL || a->tag == ALTER_DROP_NOT_NULL);
    Column *c = &t->columns.at[column];
    Value ignored;
    Expr *expr;
    switch (a->tag) {
    case ALTER_SET_NOT_NULL:
        ddl_refuse_virtual(d, t, column, "NOT NULL", a->pos);
        if (!c->not_null || c->implicit) ddl_expect_no_nulls(d, change, c);
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
        ddl_constant_default(d, c, &ignored, &expr);
        c->default_text = ddl_keep(d, a->expr_text);
        break;
    case ALTER_DROP_DEFAULT: c->default_text = (Str){0}; break;
    case ALTER_ADD_IDENTITY:
        if (c->identity) fail(&d->cc, SQM_ERROR_SYNTAX, a->pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" is already an identity column", STR_ARG(c->name), STR_ARG(t->name));
        if (!type_is_integer(c->type)) fail(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, a->pos, "identity column type must be smallint, integer, or bigint");
        if (!c->not_null) fail(&d->cc, SQM_ERROR_SYNTAX, a->pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" must be declared NOT NULL before identity can be added", STR_ARG(c->name), STR_ARG(t->name));
        c->identity = change->raise_counter = true;
        c->always = a->always;
        break;
    case ALTER_DROP_IDENTITY:
        if (!c->identity && !a->if_exists)
            fail(&d->cc, SQM_ERROR_SYNTAX, a->pos, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" is not an identity column", STR_ARG(c->name), STR_ARG(t->name));
        c->identity = c->always = false;
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

/* ENFORCED: whatever is written, by whomever, fits the columns. Not before the documents that are there do. */
static void alter_storage(Ddl *d, Table *t, const AstAlter *a) {
    Change *change = ddl_change_of(d, t, true);
    t->enforced = a->enforced;
    if (!t->enforced) return;
    bson_t *filter = ddl_bson(d), *schema = ddl_json_schema(d, t), list;
    BSON_APPEND_ARRAY_BEGIN(filter, "$nor", &list);
    BSON_APPEND_DOCUMENT(&list, "0", schema);
    bson_append_array_end(filter, &list);
    ddl_expect_none(d, change, filter, SQM_ERROR_CHECK_VIOLATION, arena_printf(&d->arena, "collection \"" STR_FMT "\" has documents that don't fit the table's columns", STR_ARG(t->name)));
}

/* What a collection is created with can't be changed: its documents move into another one. */
static void alter_options(Ddl *d, Table *t, const AstAlter *a) {
    if (a->enforced || a->lenient) alter_storage(d, t, a);
    if (!a->options.n) return;
    Change *change = ddl_change_of(d, t, true);
    Str options = ddl_native_collection(d, t->options, &a->options);
    if (str_eq(options, t->options)) return;
    if (!t->id_index.keys.n) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, a->pos, "options of the table \"" STR_FMT "\" without a primary key in _id cannot be changed", STR_ARG(t->name));
    int key = t->id_index.keys.at[0].column;
    t->options = options;
    ddl_note_copy(d, change, ddl_rewrite_of(d, table_copy(&d->arena, t), t->name, &t->columns.at[key], key));
}

void ddl_alter_table(Ddl *d) {
    const Stmt *s = d->stmt;
    Table *t = ddl_exact_table(d, s->name);
    if (t && s->alters.n == 1 && s->alters.at[0]->tag == ALTER_RENAME_TABLE && (t->view_text.n || !t->declared)) {
        if (!t->declared && !t->view_text.n)
            fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, s->pos, "collection \"" STR_FMT "\" was never declared as a table, it cannot be renamed", STR_ARG(s->name));
    } else if (!(t = ddl_own_table(d, s->name, s->pos, s->if_exists))) {
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
        case ALTER_ADD_CONSTRAINT: ddl_add_constraint(d, t, ddl_change_of(d, t, true), a->constraint, -1, NULL); break;
        case ALTER_DROP_CONSTRAINT: alter_drop_constraint(d, t, a); break;
        case ALTER_RENAME_CONSTRAINT: alter_rename_constraint(d, t, a); break;
        case ALTER_SET_OPTIONS: alter_options(d, t, a); break;
        case ALTER_SET_NOT_NULL: case ALTER_DROP_NOT_NULL: case ALTER_SET_DEFAULT: case ALTER_DROP_DEFAULT: case ALTER_ADD_IDENTITY: case ALTER_DROP_IDENTITY:
        case ALTER_DROP_EXPRESSION: alter_column(d, t, a); break;
        }
    }
}
