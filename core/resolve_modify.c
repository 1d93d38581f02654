/* resolve_modify.c - INSERT, UPDATE, DELETE.
 *
 * INSERT ... VALUES / SELECT: the source is a block whose visible targets line up with the column list; DEFAULT is a marker (EXPR_CONST, number -1).
 * UPDATE, DELETE: `rows` is an ordinary block over the target table (rel 0) and FROM/USING, so WHERE can be anything a SELECT's can.
 * RETURNING, ON CONFLICT, stored generated columns and local CHECKs are resolved over `row`, a block of one relation (two with EXCLUDED) that the
 * writer fills by hand.
 *     UPDATE t SET a = 3           -- g is GENERATED ALWAYS AS (a * 2) STORED: becomes SET a = 3, g = 3::integer * 2, which can stay one command
 *     UPDATE t SET a = a + 1       -- g is in `generated`: the writer computes it from the row */
#include "resolve_internal.h"

static int find_column(Resolver *r, const Table *t, Str name, Pos pos) {
    int c = table_find_column(t, name);
    if (c >= 0 && !t->columns.at[c].indexed) return c;
    Str best = {0};
    int limit = name.n <= 3 ? 2 : name.n <= 5 ? 3 : 4;
    for (int i = 0; i < t->columns.n; i++) {
        int distance = edit_distance(name, t->columns.at[i].name, limit);
        if (distance < limit && !t->columns.at[i].indexed) { limit = distance; best = t->columns.at[i].name; }
    }
    if (!t->view_text.n) resolve_want(r, t->name, name, WANTED_COLUMN);
    Str hint = best.n ? arena_printf(r->cc->arena, "Perhaps you meant the column \"" STR_FMT "\".", STR_ARG(best)) : STR("");
    fail_hint(r->cc, SQM_ERROR_UNDEFINED_COLUMN, pos, hint.p, "column \"" STR_FMT "\" of relation \"" STR_FMT "\" does not exist", STR_ARG(name), STR_ARG(t->name));
}

/* A collection that nobody declared takes any field: the statement gets a table of its own with the names it mentions. */
static const Table *with_columns(Resolver *r, const Table *t, const AstNames *names) {
    if (t->declared) return t;
    Table *copy = table_copy(r->cc->arena, t);
    for (int i = 0; i < names->n; i++) {
        if (table_find_column(copy, names->at[i]) >= 0) continue;
        Column c = {.name = names->at[i], .field = names->at[i], .type = TYPE(UNKNOWN)};
        vec_push(r->cc->arena, &copy->columns, c);
    }
    return copy;
}

static const Table *target_table(Resolver *r, Str name, Pos pos) {
    const Table *t = resolve_table(r, name, pos);
    if (t->view_text.n) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, pos, "cannot change view \"" STR_FMT "\"", STR_ARG(name));
    return t;
}

/* A relation of FROM as RETURNING sees it: the same columns, with slots in the row block. */
static Rel *copy_rel(Resolver *r, Query *q, const Rel *rel) {
    Rel *copy = arena_copy(r->cc->arena, rel, sizeof *rel);
    copy->id = q->rels.n;
    copy->columns = (__typeof__(copy->columns)){0};
    for (int c = 0; c < rel->columns.n; c++) {
        RelColumn column = rel->columns.at[c];
        column.slot = -1;
        vec_push(r->cc->arena, &copy->columns, column);
    }
    vec_push(r->cc->arena, &q->rels, copy);
    return copy;
}

/* A merged column of FROM, over the copies of its relations. */
static Expr *copy_merged(Resolver *r, const Scope *from, Scope *scope, Expr *e) {
    if (e->tag == EXPR_VAR)
        for (int i = 1; i < from->visible.n; i++)
            if (from->visible.at[i]->id == e->rel) return resolve_rel_column(r, scope->query, scope->visible.at[i], e->column);
    Expr *copy = arena_copy(r->cc->arena, e, sizeof *e);
    copy->args = (Exprs){0};
    for (int i = 0; i < e->args.n; i++) vec_push(r->cc->arena, &copy->args, copy_merged(r, from, scope, e->args.at[i]));
    return copy;
}

/* `from`: what stands in FROM or USING beside the table; NULL for INSERT. */
static Query *row_block(Resolver *r, const Table *table, Str alias, const Scope *from, const AstTarget *returning, int n, bool *has_returning) {
    Query *q = NEW(r->cc->arena, Query);
    q->grouping_slot = -1;
    Scope scope = {.query = q, .clause = "RETURNING"};
    Rel *rel = resolve_table_rel(r, &scope, table, alias, NO_POS);
    vec_push(r->cc->arena, &scope.visible, rel);
    for (int i = 1; from && n && i < from->visible.n; i++) vec_push(r->cc->arena, &scope.visible, copy_rel(r, q, from->visible.at[i]));
    for (int i = 0; from && n && i < from->merged.n; i++) {
        Merged m = from->merged.at[i];
        m.expr = copy_merged(r, from, &scope, m.expr);
        vec_push(r->cc->arena, &scope.merged, m);
    }
    *has_returning = n > 0;
    if (n) resolve_targets(r, &scope, q, returning, n);
    target_slots(r, q);
    return q;
}

static void reject_generated(Resolver *r, const Table *t, int c, Pos pos) {
    if (t->columns.at[c].generated_text.n)
        fail(r->cc, SQM_ERROR_SYNTAX, pos, "column \"" STR_FMT "\" is a generated column and cannot be assigned", STR_ARG(t->columns.at[c].name));
}

/* What INSERT gives a column, other than DEFAULT. */
static void reject_given(Resolver *r, const Table *t, int c, Overriding overriding, Pos pos) {
    const Column *column = &t->columns.at[c];
    reject_generated(r, t, c, pos);
    if (column->identity && column->always && overriding == OVERRIDING_NONE)
        fail_hint(r->cc, SQM_ERROR_SYNTAX, pos, "Use OVERRIDING SYSTEM VALUE to override.", "cannot insert a non-DEFAULT value into column \"" STR_FMT "\", an identity column defined as GENERATED ALWAYS",
                  STR_ARG(column->name));
}

/* What SET assigns, other than DEFAULT. */
static void reject_assigned(Resolver *r, const Table *t, int c, Pos pos) {
    const Column *column = &t->columns.at[c];
    reject_generated(r, t, c, pos);
    if (column->identity && column->always)
        fail(r->cc, SQM_ERROR_SYNTAX, pos, "column \"" STR_FMT "\" can only be updated to DEFAULT: it is an identity column defined as GENERATED ALWAYS", STR_ARG(column->name));
}

/* nextval('"table"') */
static Expr *next_number(Resolver *r, const Table *t, Pos pos) {
    Text name = {.arena = r->cc->arena};
    text_add_quoted(&name, t->name, '"');
    Expr *e = expr_new(r, EXPR_FUNC, TYPE(INT8), false, pos);
    e->function = function_find(STR("nextval"), 1);
    vec_push(r->cc->arena, &e->args, expr_const(r, sqm_text(name.p, (uint32_t)name.n), TYPE(TEXT), pos));
    return e;
}

/* SET column = DEFAULT. */
static Expr *default_value(Resolver *r, const Table *t, int c, Pos pos) {
    const Column *column = &t->columns.at[c];
    if (column->identity) return next_number(r, t, pos);
    return column->default_text.n ? resolve_default(r->cc, r->catalog, column->default_text) : expr_const(r, sqm_null(), column->type, pos);
}

/* SET g = DEFAULT of a generated column: it is what it is anyway. */
static bool is_own_default(const Table *t, int c, const AstAssign *a) { return t->columns.at[c].generated_text.n && a->value->tag == AST_DEFAULT; }

/* Values meet their column: untyped literals take its type, and what can't be cast is the user's error. The conversion itself is cast_assign at run time. */
static Expr *assignable(Resolver *r, const Table *t, int c, Expr *e) {
    const Column *column = &t->columns.at[c];
    Expr *out = expr_coerce(r, e, column->type);
    bool text_into_other = type_is_text(out->type) && !type_is_text(column->type) && column->type.tag != TYPE_JSON && column->type.tag != TYPE_UNKNOWN;
    bool other_into_text = type_is_text(column->type) && out->type.tag == TYPE_ROW;
    bool kinds_differ = (out->type.tag == TYPE_BOOL) != (column->type.tag == TYPE_BOOL) && !type_is_text(column->type) && out->type.tag != TYPE_UNKNOWN && column->type.tag != TYPE_UNKNOWN &&
                        column->type.tag != TYPE_JSON;
    if (text_into_other || other_into_text || kinds_differ || !cast_exists(out->type, column->type)) {
        char have[64], want[64];
        fail_hint(r->cc, SQM_ERROR_DATATYPE_MISMATCH, e->pos, "You will need to rewrite or cast the expression.", "column \"" STR_FMT "\" is of type %s but expression is of type %s",
                  STR_ARG(column->name), type_text(column->type, want, sizeof want), type_text(out->type, have, sizeof have));
    }
    return out;
}

/* SET n = n + %s, of integer columns: the parameter. It nearly always is an integer, and a sum that is known to be one is made by MongoDB, in one command, instead of row by row here.
 * The promise is checked when values are bound; if it doesn't hold the statement is compiled again with its values known. */
static const AstExpr *counted_parameter(Resolver *r, const Table *t, int c, const AstExpr *value) {
    if (!type_is_integer(t->columns.at[c].type) || value->tag != AST_BINARY || (value->op != OP_ADD && value->op != OP_SUB && value->op != OP_MUL)) return NULL;
    int which = value->args.at[0]->tag == AST_PARAMETER ? 0 : 1;
    const AstExpr *parameter = value->args.at[which], *other = value->args.at[1 - which];
    if (parameter->tag != AST_PARAMETER || other->tag != AST_COLUMN) return NULL;
    int column = table_find_column(t, other->name);
    if (column < 0 || !type_is_integer(t->columns.at[column].type)) return NULL;
    if (r->params) return r->params[parameter->parameter].type == SQM_INT ? parameter : NULL;
    vec_push(r->cc->arena, &r->out->integer_params, parameter->parameter);
    return parameter;
}

static Expr *plain_value(Resolver *r, Scope *scope, const Table *t, int c, const AstExpr *value) {
    r->counted = counted_parameter(r, t, c, value);
    Expr *e = resolve_expr(r, scope, value);
    r->counted = NULL;
    return assignable(r, t, c, e);
}

/* The value of SET. (a, b) = (SELECT x, y ...): the subquery is resolved with the first of the columns; *row keeps it for the others. */
static Expr *assigned_value(Resolver *r, Scope *scope, const Table *t, int c, const AstAssign *a, Expr **row) {
    if (!a->width) return plain_value(r, scope, t, c, a->value);
    if (a->item == 1) *row = resolve_row_subquery(r, scope, a->value, a->width);
    if (a->width == 1) return assignable(r, t, c, *row);
    /* Each column asks for the row, and is answered from memory: but not if it may differ. */
    if ((*row)->subquery->is_volatile) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, a->value->pos, "assigning a row from a subquery with volatile functions is not supported");
    return assignable(r, t, c, expr_item(r, *row, a->item - 1));
}

/* ---- what a written row must go through ---- */

static Walk note_column(Expr *e, void *context) {
    bool *used = context;
    if (e->tag == EXPR_VAR && e->level == 0 && e->rel == 0) used[e->column] = true;
    return WALK_ON;
}

static bool reads_any(Resolver *r, const Rel *rel, Expr *e, const bool *columns) {
    bool *used = NEW_ARRAY(r->cc->arena, bool, rel->columns.n + 1);
    expr_walk(e, note_column, used);
    for (int c = 0; c < rel->columns.n; c++)
        if (used[c] && columns[c]) return true;
    return false;
}

static void add_generated(Resolver *r, const Table *t, Query *row, int c, Assigns *out) {
    Assign a = {c, assignable(r, t, c, resolve_generated(r, row, row->rels.at[0], c))};
    vec_push(r->cc->arena, out, a);
}

/* CHECKs, all or those that the server can't decide, that read one of `columns` (NULL: any). */
static void add_checks(Resolver *r, const Table *t, Query *row, const bool *columns, bool all, RowChecks *out) {
    for (int i = 0; i < t->constraints.n; i++) {
        const Constraint *c = &t->constraints.at[i];
        if (c->kind != TABLE_CHECK || !(c->local || all)) continue;
        RowCheck check = {c, resolve_stored_condition(r, row, row->rels.at[0], c->check_text, "CHECK")};
        if (!columns || reads_any(r, row->rels.at[0], check.condition, columns)) vec_push(r->cc->arena, out, check);
    }
}

static bool comparable(Type a, Type b) {
    if (type_is_integer(a)) return type_is_integer(b);
    if (a.tag == TYPE_TEXT || a.tag == TYPE_VARCHAR) return b.tag == TYPE_TEXT || b.tag == TYPE_VARCHAR;
    return a.tag == b.tag && (a.tag == TYPE_UUID || a.tag == TYPE_OBJECTID || a.tag == TYPE_NUMERIC || a.tag == TYPE_DATE);
}

bool foreign_key_checked(const Table *child, const Table *parent, const Constraint *c, int *parent_columns) {
    int n = c->columns.n;
    if (!n || n > MOST_KEY_COLUMNS || n != c->references_columns.n) return false;
    if (!child->declared || child->legacy || !parent->declared || parent->legacy || parent->view_text.n) return false;
    for (int i = 0; i < n; i++) {
        parent_columns[i] = table_find_column(parent, c->references_columns.at[i]);
        if (parent_columns[i] < 0 || !comparable(child->columns.at[c->columns.at[i]].type, parent->columns.at[parent_columns[i]].type)) return false;
    }
    return true;
}

/* False: a key that isn't checked. */
static bool make_foreign(Resolver *r, const Table *child, const Constraint *c, ForeignKey *out) {
    if (c->kind != TABLE_FOREIGN_KEY) return false;
    const Table *parent = catalog_find_table(r->catalog, c->references);
    int *columns = NEW_ARRAY(r->cc->arena, int, MOST_KEY_COLUMNS);
    if (!parent || !foreign_key_checked(child, parent, c, columns)) return false;
    *out = (ForeignKey){c, child, parent, c->columns.n, c->columns.at, columns};
    resolve_note_table(r, parent);
    resolve_note_table(r, child);
    return true;
}

static bool any_of(const int *columns, int n, const bool *set) {
    for (int i = 0; i < n; i++)
        if (set[columns[i]]) return true;
    return false;
}

/* Keys of `t`, and keys that refer to it, by one of `columns` (NULL: any). */
static void add_foreign(Resolver *r, const Table *t, const bool *columns, ForeignKeys *out) {
    ForeignKey key;
    for (int i = 0; i < t->constraints.n; i++)
        if (make_foreign(r, t, &t->constraints.at[i], &key) && (!columns || any_of(key.child_columns, key.n, columns))) vec_push(r->cc->arena, out, key);
}

static void add_referring(Resolver *r, const Table *t, const bool *columns, ForeignKeys *out) {
    ForeignKey key;
    for (int k = 0; k < r->catalog->tables.n; k++) {
        const Table *child = r->catalog->tables.at[k];
        for (int i = 0; i < child->constraints.n; i++)
            if (str_eq(child->constraints.at[i].references, t->name) && make_foreign(r, child, &child->constraints.at[i], &key) && (!columns || any_of(key.parent_columns, key.n, columns)))
                vec_push(r->cc->arena, out, key);
    }
}

static Walk find_sublink(Expr *e, void *context) {
    (void)context;
    return e->tag == EXPR_SUBLINK ? WALK_STOP : WALK_ON;
}

/* The expression with every column replaced by what the UPDATE assigns to it; NULL when a column isn't assigned, or not by a plain constant. */
static Expr *with_assigned(Resolver *r, const ModifyQuery *m, const Expr *e) {
    if (e->tag == EXPR_VAR) {
        for (int i = 0; i < m->set.n; i++) {
            const Assign *a = &m->set.at[i];
            if (a->column == e->column && expr_is_constant(a->value) && expr_walk(a->value, find_sublink, NULL)) return expr_cast(r, a->value, m->table->columns.at[e->column].type);
        }
        return NULL;
    }
    Expr *copy = arena_copy(r->cc->arena, e, sizeof *e);
    copy->args = (Exprs){0};
    for (int i = 0; i < e->args.n; i++) {
        Expr *arg = with_assigned(r, m, e->args.at[i]);
        if (!arg) return NULL;
        vec_push(r->cc->arena, &copy->args, arg);
    }
    return copy;
}

static void add_assignment(Resolver *r, ModifyQuery *m, int column, Expr *value, Str name) {
    Assign assign = {column, value};
    vec_push(r->cc->arena, &m->set, assign);
    Target t = {.expr = value, .name = name, .slot = -1};
    vec_push(r->cc->arena, &m->rows->targets, t);
}

/* What a generated column is assigned when nothing else changes: it is computed anew. */
static Expr *own_value(Resolver *r, ModifyQuery *m, int c) {
    if (table_column_is_virtual(m->table, c)) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, NO_POS, "an UPDATE of nothing but virtual generated columns is not supported");
    return assignable(r, m->table, c, resolve_generated(r, m->rows, m->rows->rels.at[0], c));
}

/* What follows from the assignments. */
static void complete_update(Resolver *r, ModifyQuery *m) {
    const Table *t = m->table;
    Rel *rel = m->row->rels.at[0];
    bool *changed = NEW_ARRAY(r->cc->arena, bool, t->columns.n + 1);
    int n_set = m->set.n;
    for (int i = 0; i < n_set; i++) changed[m->set.at[i].column] = true;
    for (int c = 0; c < t->columns.n; c++) {
        if (!t->columns.at[c].generated_text.n || table_column_is_virtual(t, c)) continue;
        Assigns one = {0};
        add_generated(r, t, m->row, c, &one);
        if (!reads_any(r, rel, one.at[0].value, changed)) continue;
        changed[c] = true;
        Expr *value = with_assigned(r, m, one.at[0].value);
        if (value) add_assignment(r, m, c, value, t->columns.at[c].name);
        else vec_push(r->cc->arena, &m->generated, one.at[0]);
    }
    add_checks(r, t, m->row, changed, false, &m->checks);
    add_foreign(r, t, changed, &m->foreign);
    add_referring(r, t, changed, &m->referring);
}

static Expr *default_marker(Resolver *r, Pos pos) {
    Expr *e = expr_const(r, sqm_null(), TYPE(UNKNOWN), pos);
    e->number = -1;
    return e;
}

static Query *insert_values(Resolver *r, Scope *scope, InsertQuery *ins, const AstSelect *s, Overriding overriding) {
    Query *q = NEW(r->cc->arena, Query);
    q->grouping_slot = -1;
    Scope inner = {.outer = scope, .query = q, .clause = "VALUES"};
    q->parent = scope->query;
    Rel *rel = NEW(r->cc->arena, Rel);
    rel->kind = REL_VALUES;
    rel->alias = STR("*VALUES*");
    vec_push(r->cc->arena, &q->rels, rel);
    int width = s->values.at[0].n;
    for (int c = 0; c < width; c++) {
        RelColumn column = {.name = arena_printf(r->cc->arena, "column%d", c + 1), .type = TYPE(UNKNOWN), .nullable = true, .slot = -1};
        vec_push(r->cc->arena, &rel->columns, column);
    }
    for (int i = 0; i < s->values.n; i++) {
        const AstExprs *from = &s->values.at[i];
        if (from->n != width) fail(r->cc, SQM_ERROR_SYNTAX, s->pos, "VALUES lists must all be the same length");
        Exprs row = {0};
        for (int c = 0; c < width; c++) {
            const AstExpr *ast = from->at[c];
            if (c >= ins->columns.n) fail(r->cc, SQM_ERROR_SYNTAX, ast->pos, "INSERT has more expressions than target columns");
            int column = ins->columns.at[c];
            Expr *e = ast->tag == AST_DEFAULT ? default_marker(r, ast->pos) : resolve_expr(r, &inner, ast);
            if (e->number != -1 || e->tag != EXPR_CONST) {
                reject_given(r, ins->table, column, overriding, ast->pos);
                e = assignable(r, ins->table, column, e);
            }
            vec_push(r->cc->arena, &row, e);
        }
        vec_push(r->cc->arena, &rel->values, row);
    }
    From *leaf = NEW(r->cc->arena, From);
    q->from = leaf;
    for (int c = 0; c < width; c++) {
        Target t = {.expr = var_new(r->cc->arena, q, rel, c), .name = rel->columns.at[c].name, .slot = -1};
        vec_push(r->cc->arena, &q->targets, t);
    }
    q->n_visible = width;
    target_slots(r, q);
    return q;
}

/* The primary key is not in Table.indexes when it lies in _id: it gets an Index of its own here. */
static const Index *key_index(Resolver *r, const Table *t) {
    Index *index = NEW(r->cc->arena, Index);
    index->name = STR("_id_");
    index->unique = true;
    for (int k = 0; k < t->primary_key.n; k++) {
        IndexKey key = {.column = t->primary_key.at[k]};
        vec_push(r->cc->arena, &index->keys, key);
    }
    return index;
}

/* The constraint's own name, or the one that PostgreSQL gives it. */
static bool is_primary_key_name(const Table *t, Str name) {
    if (!t->primary_key.n) return false;
    for (int i = 0; i < t->constraints.n; i++)
        if (t->constraints.at[i].kind == TABLE_PRIMARY_KEY && t->constraints.at[i].name.n) return str_ieq(t->constraints.at[i].name, name);
    return name.n == t->name.n + 5 && memcmp(name.p, t->name.p, t->name.n) == 0 && memcmp(name.p + t->name.n, "_pkey", 5) == 0;
}

/* Is the key on that column? Of a case_insensitive one it is on what the column compares by. */
static bool key_is_on(const Table *t, const IndexKey *key, int column) { return key->column == column || (key->folded.n && str_eq(key->folded, t->columns.at[column].name)); }

static const Index *find_conflict_index(Resolver *r, const Table *t, const AstInsert *s) {
    if (s->conflict_index_where) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, s->conflict_index_where->pos, "ON CONFLICT with a WHERE after its columns is not supported");
    if (s->conflict_constraint.n) {
        const Index *i = table_find_index(t, s->conflict_constraint);
        if (!i && is_primary_key_name(t, s->conflict_constraint)) return key_index(r, t);
        if (!i || !i->unique) fail(r->cc, SQM_ERROR_UNDEFINED_OBJECT, s->table_pos, "constraint \"" STR_FMT "\" does not exist", STR_ARG(s->conflict_constraint));
        return i;
    }
    for (int i = 0; i < t->indexes.n; i++) {
        const Index *index = &t->indexes.at[i];
        if (!index->unique || index->keys.n != s->conflict_columns.n || index->where_text.n) continue;
        bool all = true;
        for (int k = 0; k < index->keys.n && all; k++) {
            bool found = false;
            for (int n = 0; n < s->conflict_columns.n; n++) found |= key_is_on(t, &index->keys.at[k], find_column(r, t, s->conflict_columns.at[n], s->table_pos));
            all = found && index->keys.at[k].column >= 0 && !index->keys.at[k].path.n;
        }
        if (all) return index;
    }
    fail(r->cc, SQM_ERROR_SYNTAX, s->table_pos, "there is no unique or exclusion constraint matching the ON CONFLICT specification");
}

static const Index *primary_key_index(Resolver *r, const Table *t, const AstInsert *s) {
    if (s->conflict_columns.n != t->primary_key.n || !t->primary_key.n) return NULL;
    for (int k = 0; k < t->primary_key.n; k++) {
        bool found = false;
        for (int n = 0; n < s->conflict_columns.n; n++) found |= find_column(r, t, s->conflict_columns.at[n], s->table_pos) == t->primary_key.at[k];
        if (!found) return NULL;
    }
    return key_index(r, t);
}

/* WITH, after the WITH queries of the statement that this one is a part of. */
static void begin_with(Resolver *r, Scope *scope, const Scope *outer, const AstCtes *with, bool recursive) {
    for (int i = 0; outer && i < outer->ctes.n; i++) vec_push(r->cc->arena, &scope->ctes, outer->ctes.at[i]);
    resolve_with(r, scope, with->at, with->n, recursive);
}

static void resolve_insert(Resolver *r, const AstInsert *s, const Scope *outer) {
    InsertQuery *ins = NEW(r->cc->arena, InsertQuery);
    r->out->insert = ins;
    ins->table = with_columns(r, target_table(r, s->table, s->table_pos), &s->columns);
    const Table *t = ins->table;
    Query *root = NEW(r->cc->arena, Query);
    root->grouping_slot = -1;
    Scope scope = {.query = root, .clause = "INSERT"};
    begin_with(r, &scope, outer, &s->with, s->recursive);
    for (int i = 0; i < s->columns.n; i++) {
        Pos pos = i < s->column_pos.n ? s->column_pos.at[i] : s->table_pos;
        int c = find_column(r, t, s->columns.at[i], pos);
        for (int k = 0; k < ins->columns.n; k++)
            if (ins->columns.at[k] == c) fail(r->cc, SQM_ERROR_DUPLICATE_COLUMN, pos, "column \"" STR_FMT "\" specified more than once", STR_ARG(s->columns.at[i]));
        vec_push(r->cc->arena, &ins->columns, c);
    }
    if (!s->columns.n && s->select)
        for (int c = 0; c < t->columns.n; c++)
            if (!t->columns.at[c].hidden) vec_push(r->cc->arena, &ins->columns, c);
    if (s->select) {
        const AstSelect *source = s->select;
        bool plain = source->values.n && !source->order.n && !source->limit && !source->offset && !source->with.n;
        ins->source = plain ? insert_values(r, &scope, ins, source, s->overriding) : resolve_select(r, source, &scope);
        if (ins->source->n_visible > ins->columns.n) fail(r->cc, SQM_ERROR_SYNTAX, source->pos, "INSERT has more expressions than target columns");
        if (ins->source->n_visible < ins->columns.n && s->columns.n) fail(r->cc, SQM_ERROR_SYNTAX, source->pos, "INSERT has more target columns than expressions");
        ins->columns.n = ins->source->n_visible;
        if (!plain)
            for (int i = 0; i < ins->source->n_visible; i++) {
                reject_given(r, t, ins->columns.at[i], s->overriding, source->pos);
                Target *target = &ins->source->targets.at[i];
                if (ins->source->set_op == SET_NONE && expr_is_literal(target->expr)) target->expr = expr_untyped(r, target->expr, t->columns.at[ins->columns.at[i]].type);
                target->expr = assignable(r, t, ins->columns.at[i], target->expr);
            }
    }
    for (int c = 0; c < t->columns.n; c++) {
        const Column *column = &t->columns.at[c];
        Expr *e = NULL;
        if (column->default_text.n) {
            Scope alone = {.query = root, .clause = "DEFAULT"};
            Str sql = r->cc->sql;
            r->cc->sql = column->default_text;
            e = assignable(r, t, c, resolve_expr(r, &alone, parse_expression(r->cc)));
            r->cc->sql = sql;
        }
        vec_push(r->cc->arena, &ins->defaults, e);
    }
    ins->row = row_block(r, t, s->alias, NULL, s->returning.at, s->returning.n, &ins->has_returning);
    for (int c = 0; c < t->columns.n; c++)
        if (t->columns.at[c].generated_text.n && !table_column_is_virtual(t, c)) add_generated(r, t, ins->row, c, &ins->generated);
    add_checks(r, t, ins->row, NULL, s->on_conflict, &ins->checks);
    add_foreign(r, t, NULL, &ins->foreign);
    ins->own_identity = s->overriding == OVERRIDING_USER;
    ins->on_conflict = s->on_conflict;
    ins->do_nothing = s->do_nothing;
    if (!s->on_conflict) return;
    if (s->conflict_columns.n || s->conflict_constraint.n) {
        ins->conflict_index = s->conflict_columns.n ? primary_key_index(r, t, s) : NULL;
        if (!ins->conflict_index) ins->conflict_index = find_conflict_index(r, t, s);
    } else if (!s->do_nothing) {
        fail(r->cc, SQM_ERROR_SYNTAX, s->table_pos, "ON CONFLICT DO UPDATE requires inference specification or constraint name");
    }
    Scope both = {.query = ins->row, .clause = "ON CONFLICT"};
    Rel *stored = ins->row->rels.at[0];
    vec_push(r->cc->arena, &both.visible, stored);
    Rel *excluded = resolve_table_rel(r, &both, t, STR("excluded"), s->table_pos);
    Expr *row = NULL;
    for (int i = 0; i < s->conflict_set.n; i++) {
        const AstAssign *a = &s->conflict_set.at[i];
        int c = find_column(r, t, a->column, a->pos);
        if (is_own_default(t, c, a)) continue;
        if (a->value->tag != AST_DEFAULT) reject_assigned(r, t, c, a->pos);
        /* A bare name is the stored row's; EXCLUDED must be spelt. */
        both.visible.n = 1;
        Scope qualified = both;
        qualified.visible = (__typeof__(qualified.visible)){0};
        vec_push(r->cc->arena, &qualified.visible, stored);
        excluded->hidden_names = true;
        vec_push(r->cc->arena, &qualified.visible, excluded);
        if (a->steps.n) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, a->pos, "assigning to a part of a column in ON CONFLICT DO UPDATE is not supported");
        Expr *value = a->value->tag == AST_DEFAULT ? default_value(r, t, c, a->pos) : assigned_value(r, &qualified, t, c, a, &row);
        Assign assign = {c, value};
        vec_push(r->cc->arena, &ins->conflict_set, assign);
    }
    bool *changed = NEW_ARRAY(r->cc->arena, bool, t->columns.n + 1);
    for (int i = 0; i < ins->conflict_set.n; i++) changed[ins->conflict_set.at[i].column] = true;
    for (int i = 0; i < ins->generated.n; i++) changed[ins->generated.at[i].column] = true;
    if (!ins->do_nothing) {
        add_checks(r, t, ins->row, NULL, false, &ins->set_checks);
        add_foreign(r, t, changed, &ins->set_foreign);
        add_referring(r, t, changed, &ins->set_referring);
    }
    if (s->conflict_where) {
        excluded->hidden_names = true;
        vec_push(r->cc->arena, &both.visible, excluded);
        ins->conflict_where = resolve_condition_expr(r, &both, s->conflict_where);
    }
}

static bool assigns(const ModifyQuery *m, int column) {
    for (int i = 0; i < m->set.n; i++)
        if (m->set.at[i].column == column) return true;
    return false;
}

/* Marks the columns of foreign keys that have to be read. True: a key of the table's own changes in some of its columns only. */
static bool mark_keys(const ModifyQuery *m, bool *columns) {
    bool partly = false;
    for (int i = 0; i < m->referring.n; i++)
        for (int k = 0; k < m->referring.at[i].n; k++) columns[m->referring.at[i].parent_columns[k]] = true;
    for (int i = 0; i < m->foreign.n; i++)
        for (int k = 0; k < m->foreign.at[i].n; k++) {
            int c = m->foreign.at[i].child_columns[k];
            if (!assigns(m, c)) partly = columns[c] = true;
        }
    return partly;
}

/* The common part of UPDATE and DELETE: rel 0 is the target, then FROM/USING, WHERE; _id and (when needed) all columns behind the assignments. */
static void finish_modify(Resolver *r, Scope *scope, ModifyQuery *m, const AstExpr *where) {
    Query *q = m->rows;
    Rel *rel = q->rels.at[0];
    if (where) {
        scope->clause = "WHERE";
        q->where = resolve_condition_expr(r, scope, where);
    }
    Target id = {.expr = var_new(r->cc->arena, q, rel, rel_id_column(r->cc->arena, rel)), .name = STR("_id"), .slot = -1};
    vec_push(r->cc->arena, &q->targets, id);
    bool *key = NEW_ARRAY(r->cc->arena, bool, m->table->columns.n + 1);
    bool partly = mark_keys(m, key);
    m->whole_rows = m->has_returning || m->generated.n || m->checks.n || m->referring.n || partly;
    for (int c = 0; c < m->table->columns.n && m->whole_rows; c++) {
        const Column *column = &m->table->columns.at[c];
        bool needed = key[c] || m->has_returning || m->generated.n || m->checks.n;
        needed = needed && !table_column_is_virtual(m->table, c) && !column->indexed;
        Expr *e = needed ? var_new(r->cc->arena, q, rel, c) : expr_const(r, sqm_null(), column->type, NO_POS);
        Target t = {.expr = e, .name = column->name, .slot = -1};
        vec_push(r->cc->arena, &q->targets, t);
    }
    for (int i = 1; i < m->row->rels.n; i++) {
        const Rel *shown = m->row->rels.at[i];
        for (int c = 0; c < shown->columns.n; c++) {
            if (shown->columns.at[c].slot < 0) continue;
            /* Both blocks list the relations of FROM in the order in which names find them. */
            Rel *from = scope->visible.at[i];
            int k = 0;
            while (k < from->columns.n && !str_eq(from->columns.at[k].name, shown->columns.at[c].name)) k++;
            if (k == from->columns.n) {     /* a field of an undeclared collection that only RETURNING names */
                RelColumn field = {.name = shown->columns.at[c].name, .type = shown->columns.at[c].type, .nullable = true, .slot = -1};
                vec_push(r->cc->arena, &from->columns, field);
            }
            Target t = {.expr = var_new(r->cc->arena, q, from, k), .name = shown->columns.at[c].name, .slot = -1};
            vec_push(r->cc->arena, &q->targets, t);
            vec_push(r->cc->arena, &m->from_slots, shown->columns.at[c].slot);
        }
    }
    q->n_visible = q->targets.n;
    target_slots(r, q);
}

static Rel *begin_modify(Resolver *r, Scope *scope, ModifyQuery *m, Str alias, Pos pos, const AstFroms *from) {
    Query *q = scope->query;
    m->rows = q;
    q->grouping_slot = -1;
    Rel *rel = resolve_table_rel(r, scope, m->table, alias, pos);
    vec_push(r->cc->arena, &scope->visible, rel);
    From *leaf = NEW(r->cc->arena, From);
    leaf->rel = rel->id;
    q->from = resolve_from_list(r, scope, from, leaf);
    return rel;
}

static bool is_part_assignment(const Expr *e) { return e->tag == EXPR_FUNC && strcmp(e->function->name, "json assign") == 0; }

static void resolve_update(Resolver *r, const AstUpdate *s, const Scope *outer) {
    ModifyQuery *m = NEW(r->cc->arena, ModifyQuery);
    r->out->modify = m;
    AstNames assigned = {0};
    for (int i = 0; i < s->set.n; i++) vec_push(r->cc->arena, &assigned, s->set.at[i].column);
    m->table = with_columns(r, target_table(r, s->table, s->table_pos), &assigned);
    Scope scope = {.query = NEW(r->cc->arena, Query), .clause = "UPDATE"};
    begin_with(r, &scope, outer, &s->with, s->recursive);
    begin_modify(r, &scope, m, s->alias, s->table_pos, &s->from);
    scope.clause = "UPDATE SET";
    int recomputed = -1;
    Expr *row = NULL;
    for (int i = 0; i < s->set.n; i++) {
        const AstAssign *a = &s->set.at[i];
        int c = find_column(r, m->table, a->column, a->pos);
        int known = -1;
        for (int k = 0; k < m->set.n; k++)
            if (m->set.at[k].column == c) known = k;
        if (a->steps.n) {
            bool more = known >= 0 && is_part_assignment(m->set.at[known].value);
            if (known >= 0 && !more) fail(r->cc, SQM_ERROR_DUPLICATE_COLUMN, a->pos, "multiple assignments to same column \"" STR_FMT "\"", STR_ARG(a->column));
            reject_assigned(r, m->table, c, a->pos);
            Expr *changed = resolve_assign_path(r, &scope, more ? m->set.at[known].value : resolve_rel_column(r, m->rows, m->rows->rels.at[0], c), a);
            if (!more) {
                add_assignment(r, m, c, changed, a->column);
            } else {
                m->set.at[known].value = changed;
                m->rows->targets.at[known].expr = changed;
            }
            continue;
        }
        if (known >= 0) fail(r->cc, SQM_ERROR_DUPLICATE_COLUMN, a->pos, "multiple assignments to same column \"" STR_FMT "\"", STR_ARG(a->column));
        if (is_own_default(m->table, c, a)) {
            recomputed = c;
            continue;
        }
        if (a->value->tag != AST_DEFAULT) reject_assigned(r, m->table, c, a->pos);
        Expr *value = a->value->tag == AST_DEFAULT ? default_value(r, m->table, c, a->pos) : assigned_value(r, &scope, m->table, c, a, &row);
        add_assignment(r, m, c, value, a->column);
    }
    if (!m->set.n && recomputed >= 0) add_assignment(r, m, recomputed, own_value(r, m, recomputed), m->table->columns.at[recomputed].name);
    m->row = row_block(r, m->table, s->alias, &scope, s->returning.at, s->returning.n, &m->has_returning);
    complete_update(r, m);
    finish_modify(r, &scope, m, s->where);
}

static void resolve_delete(Resolver *r, const AstDelete *s, const Scope *outer) {
    ModifyQuery *m = NEW(r->cc->arena, ModifyQuery);
    r->out->modify = m;
    m->table = target_table(r, s->table, s->table_pos);
    Scope scope = {.query = NEW(r->cc->arena, Query), .clause = "DELETE"};
    begin_with(r, &scope, outer, &s->with, s->recursive);
    begin_modify(r, &scope, m, s->alias, s->table_pos, &s->using_);
    add_referring(r, m->table, NULL, &m->referring);
    m->row = row_block(r, m->table, s->alias, &scope, s->returning.at, s->returning.n, &m->has_returning);
    finish_modify(r, &scope, m, s->where);
}

void resolve_write(Resolver *r, const Stmt *stmt, const Scope *outer) {
    if (stmt->insert) resolve_insert(r, stmt->insert, outer);
    else if (stmt->update) resolve_update(r, stmt->update, outer);
    else resolve_delete(r, stmt->delete_, outer);
}
