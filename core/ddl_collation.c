/* ddl_collation.c - COLLATE in definitions: which columns may have a collation, and what keys on them are.
 *
 * In: definitions of columns, indexes and constraints. Out: the column's collation; IndexKeys. A key on case_insensitive text is one on the indexed expression casefold(...),
 * because that is what its comparisons are (resolve_collation.c):
 *     name text COLLATE case_insensitive UNIQUE      hidden column __x1 = casefold("name"), {key: {__x1: 1}, unique: true}
 * ALTER COLUMN TYPE to or from it makes such keys anew and looks at the rows by the CHECKs that read the column. Refused: primary and foreign keys, whose other uses (_id, the server's
 * $lookup, ON DELETE) tell texts apart by code point. */
#include "ddl_internal.h"

#include "resolve.h"

Str ddl_collation(Ddl *d, Str name, Type *type, Pos pos) {
    if (!name.n) return name;
    Collation collation = resolve_collation(&d->cc, name, pos);
    bool array = type->tag == TYPE_ARRAY && type_is_text(type_of(type->element));
    char text[64];
    if (!array && !type_is_text(*type)) fail(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, pos, "collations are not supported by type %s", type_text(*type, text, sizeof text));
    if (array && collation == COLLATION_CASE_INSENSITIVE)
        fail_hint(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "Arrays of text compare by code point.", "an array with the collation \"" STR_FMT "\" is not supported", STR_ARG(name));
    if (!array) type->collation = collation;
    return ddl_keep(d, name);
}

Str ddl_query_collation(Ddl *d, const Expr *e) {
    if (e->type.collation == COLLATION_CONFLICT)
        fail_hint(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, e->pos, "Use the COLLATE clause to set the collation explicitly.", "no collation was derived for a column of type text");
    return e->type.collation == COLLATION_DEFAULT || !type_is_text(e->type) ? (Str){0} : ddl_keep(d, str_from(collation_name(e->type.collation)));
}

static bool is_folded(const Table *t, int column) { return t->columns.at[column].type.collation == COLLATION_CASE_INSENSITIVE; }

void ddl_refuse_folded(Ddl *d, const Table *t, int column, const char *what, Pos pos) {
    if (is_folded(t, column))
        fail_hint(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "Make it UNIQUE beside a key of another column, or COLLATE \"C\".", "%s on the case-insensitive column \"" STR_FMT "\" is not supported", what,
                  STR_ARG(t->columns.at[column].name));
}

/* ---- keys ---- */

static IndexKey folded_key(Ddl *d, Table *t, Change *change, Str text, Str column, Pos pos) {
    IndexKey key = {.expr_text = ddl_keep(d, arena_printf(&d->arena, "casefold(" STR_FMT ")", STR_ARG(text))), .folded = column};
    key.column = ddl_indexed_column(d, t, change, key.expr_text, pos);
    return key;
}

IndexKey ddl_column_key(Ddl *d, Table *t, Change *change, int column, Pos pos) {
    Str name = t->columns.at[column].name;
    return is_folded(t, column) ? folded_key(d, t, change, ddl_quoted(d, name), name, pos) : (IndexKey){.column = column};
}

/* What the key's text compares by; MongoDB's own kinds of index look into values in their own ways. */
static Collation key_collation(Ddl *d, const Table *t, const AstIndexKey *k, int column, Str text, bool native) {
    Collation by = COLLATION_DEFAULT;
    if (k->collation.n) by = resolve_collation(&d->cc, k->collation, k->pos);
    else if (!native && !k->path.n) by = text.n ? ddl_indexable(d, d->next, t, text, k->pos).collation : column >= 0 ? t->columns.at[column].type.collation : COLLATION_DEFAULT;
    if (by == COLLATION_CASE_INSENSITIVE && (native || k->path.n || column < 0) && !text.n)
        fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, k->pos, "COLLATE \"" STR_FMT "\" of this key is not supported", STR_ARG(k->collation));
    return by;
}

IndexKey ddl_index_key_on(Ddl *d, Table *t, Change *change, const AstIndexKey *k, int column, bool native) {
    bool is_virtual = column >= 0 && table_column_is_virtual(t, column);
    Str text = is_virtual ? ddl_quoted(d, t->columns.at[column].name) : k->expr_text;
    IndexKey key = {.column = column};
    if (key_collation(d, t, k, column, text, native) == COLLATION_CASE_INSENSITIVE) {
        if (!text.n && !k->collation.n) key = ddl_column_key(d, t, change, column, k->pos);
        else key = folded_key(d, t, change, text.n ? text : ddl_quoted(d, t->columns.at[column].name), (Str){0}, k->pos);
    } else if (text.n) {
        key.expr_text = ddl_keep(d, text);
        key.column = ddl_indexed_column(d, t, change, key.expr_text, k->pos);
    }
    key.path = ddl_keep(d, k->path);
    key.descending = k->descending;
    key.opclass = ddl_keep(d, k->opclass);
    return key;
}

/* ---- ALTER COLUMN TYPE ---- */

static bool in_list(const int *numbers, int n, int column) {
    for (int i = 0; i < n; i++)
        if (numbers[i] == column) return true;
    return false;
}

static void refuse_in_keys(Ddl *d, const Table *t, int column, Pos pos) {
    if (in_list(t->primary_key.at, t->primary_key.n, column)) ddl_refuse_folded(d, t, column, "a primary key", pos);
    for (int k = 0; k < d->next->tables.n; k++) {
        const Table *other = d->next->tables.at[k];
        for (int i = 0; i < other->constraints.n; i++) {
            const Constraint *c = &other->constraints.at[i];
            if (c->kind != TABLE_FOREIGN_KEY) continue;
            bool child = other == t && in_list(c->columns.at, c->columns.n, column);
            for (int j = 0; str_eq(c->references, t->name) && j < c->references_columns.n; j++) child |= str_eq(c->references_columns.at[j], t->columns.at[column].name);
            if (child) ddl_refuse_folded(d, t, column, "a foreign key", pos);
        }
    }
}

void ddl_unfold_keys(Ddl *d, Table *t, int column, Pos pos) {
    refuse_in_keys(d, t, column, pos);
    for (int i = 0; i < t->indexes.n; i++) {
        Index *index = &t->indexes.at[i];
        for (int k = 0; k < index->keys.n; k++) {
            IndexKey *key = &index->keys.at[k];
            if (key->folded.n && str_eq(key->folded, t->columns.at[column].name)) *key = (IndexKey){.column = column, .descending = key->descending, .opclass = key->opclass};
            else if (index->unique && key->expr_text.n && ddl_expression_reads(d, t, key->column, column))
                fail_hint(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "Drop the index first.", "another collation of column \"" STR_FMT "\" is not supported because the unique index \"" STR_FMT "\" is on an expression of it",
                          STR_ARG(t->columns.at[column].name), STR_ARG(index->name));
        }
    }
}

void ddl_fold_keys(Ddl *d, Table *t, Change *change, int column, Pos pos) {
    for (int i = 0; is_folded(t, column) && i < t->indexes.n; i++) {
        if (ddl_index_is_native(&t->indexes.at[i])) continue;
        for (int k = 0; k < t->indexes.at[i].keys.n; k++) {
            IndexKey was = t->indexes.at[i].keys.at[k];
            if (was.column != column || was.path.n) continue;
            IndexKey key = ddl_column_key(d, t, change, column, pos);
            key.descending = was.descending;
            key.opclass = was.opclass;
            t->indexes.at[i].keys.at[k] = key;
        }
    }
    for (int i = 0; i < t->constraints.n; i++) {
        const Constraint *c = &t->constraints.at[i];
        if (c->kind == TABLE_CHECK && in_list(c->columns.at, c->columns.n, column)) ddl_expect_check(d, change, c);
    }
}
