/* resolve.c - SELECT blocks: WITH, FROM, WHERE, GROUP BY, targets, ORDER BY, LIMIT, set operations; the entry points of the resolver.
 *
 * In:  the AST and the catalogue.  Out: Resolved (query.h). Every user error of names and types is raised here or in resolve_*.c.
 * Order inside a block, which decides what sees what:
 *     WITH -> FROM (left to right; ON sees both sides; LATERAL sees everything to its left) -> WHERE -> GROUP BY -> targets -> HAVING ->
 *     ORDER BY -> LIMIT -> resolve_grouping() -> slots of targets
 * Slots are given out on first use, so a column nobody mentions is never fetched. */
#include "resolve_internal.h"

#include <stdio.h>

/* ---- tables ---- */

static Cte *find_cte(Scope *scope, Str name) {
    for (Scope *s = scope; s; s = s->outer)
        for (int i = s->ctes.n - 1; i >= 0; i--)
            if (str_ieq(s->ctes.at[i]->name, name)) return s->ctes.at[i];
    return NULL;
}

void resolve_want(Resolver *r, Str table, Str column, int kind) {
    WantedList *list = r->cc->wanted;
    if (!list) return;
    for (int i = 0; i < list->n; i++)
        if (str_eq(list->at[i].table, table) && str_eq(list->at[i].column, column)) return;
    vec_push(r->cc->arena, list, ((Wanted){.table = table, .column = column, .kind = kind}));
}

void resolve_note_table(Resolver *r, const Table *t) {
    for (int i = 0; i < r->out->tables.n; i++)
        if (r->out->tables.at[i] == t) return;
    vec_push(r->cc->arena, &r->out->tables, t);
}

const Table *resolve_table(Resolver *r, Str name, Pos pos) {
    const Table *t = catalog_find_table(r->catalog, name);
    if (t && !t->declared && t->row_estimate < 0 && r->cc->undeclared) *r->cc->undeclared = t->name;
    if (t && !t->described && !t->view_text.n) resolve_want(r, t->name, (Str){0}, t->declared ? WANTED_LEGACY : WANTED_COLLECTION);
    if (t) {
        resolve_note_table(r, t);
        return t;
    }
    resolve_want(r, name, (Str){0}, WANTED_TABLE);
    Str best = {0};
    int limit = name.n <= 3 ? 2 : name.n <= 5 ? 3 : 4;
    for (int i = 0; i < r->catalog->tables.n; i++) {
        int distance = edit_distance(name, r->catalog->tables.at[i]->name, limit);
        if (distance < limit) { limit = distance; best = r->catalog->tables.at[i]->name; }
    }
    char hint[300] = "";
    if (best.n) snprintf(hint, sizeof hint, "Perhaps you meant the table \"" STR_FMT "\".", STR_ARG(best));
    fail_hint(r->cc, SQM_ERROR_UNDEFINED_TABLE, pos, hint, "relation \"" STR_FMT "\" does not exist", STR_ARG(name));
}

Rel *resolve_add_rel(Resolver *r, Scope *scope, RelKind kind, Str alias, Pos pos) {
    Rel *rel = NEW(r->cc->arena, Rel);
    rel->kind = kind;
    rel->alias = alias;
    rel->pos = pos;
    rel->id = scope->query->rels.n;
    vec_push(r->cc->arena, &scope->query->rels, rel);
    return rel;
}

void resolve_add_column(Resolver *r, Rel *rel, Str name, Type type, bool nullable) {
    RelColumn c = {.name = name, .type = type, .nullable = nullable, .slot = -1};
    vec_push(r->cc->arena, &rel->columns, c);
}

Rel *resolve_table_rel(Resolver *r, Scope *scope, const Table *table, Str alias, Pos pos) {
    Rel *rel = resolve_add_rel(r, scope, REL_TABLE, alias.n ? alias : table->name, pos);
    rel->table = table;
    for (int i = 0; i < table->columns.n; i++) {
        const Column *c = &table->columns.at[i];
        resolve_add_column(r, rel, c->name, c->type, !c->not_null || c->implicit);
        rel->columns.at[i].hidden = c->hidden;
    }
    return rel;
}

/* ---- stored expressions ---- */

static Walk forget_position(Expr *e, void *context) {
    (void)context;
    e->pos = NO_POS;
    return WALK_ON;
}

static Expr *resolve_stored(Resolver *r, Query *q, Rel *rel, Str text, const char *clause, bool condition) {
    Scope scope = {.query = q, .clause = clause, .own_name = rel->table->name};
    vec_push(r->cc->arena, &scope.visible, rel);
    Str sql = r->cc->sql;
    r->cc->sql = text;
    const AstExpr *ast = parse_expression(r->cc);
    Expr *e = condition ? resolve_condition_expr(r, &scope, ast) : resolve_expr(r, &scope, ast);
    r->cc->sql = sql;
    expr_walk(e, forget_position, NULL);
    return e;
}

Expr *resolve_stored_condition(Resolver *r, Query *q, Rel *rel, Str text, const char *clause) { return resolve_stored(r, q, rel, text, clause, true); }

Expr *resolve_generated(Resolver *r, Query *q, Rel *rel, int column) {
    const Column *c = &rel->table->columns.at[column];
    r->in_generated = !c->indexed;
    Expr *e = expr_coerce(r, resolve_stored(r, q, rel, c->generated_text, "column generation expression", false), c->type);
    r->in_generated = false;
    return e;
}

static bool needs_cast(Type from, Type to) {
    if (type_is_text(from) && type_is_text(to)) return to.tag == TYPE_CHAR;
    return from.tag != to.tag || from.length != to.length || from.scale != to.scale || from.element != to.element;
}

/* A row that an outer join made up has no columns, so its virtual ones are NULL too, whatever their expression says of NULLs. */
Expr *resolve_rel_column(Resolver *r, Query *q, Rel *rel, int column) {
    const Table *t = rel->table;
    if (r->in_generated && rel->kind == REL_TABLE && column < t->columns.n && t->columns.at[column].generated_text.n)
        fail(r->cc, SQM_ERROR_SYNTAX, NO_POS, "cannot use generated column \"" STR_FMT "\" in column generation expression", STR_ARG(t->columns.at[column].name));
    if (rel->kind != REL_TABLE || !table_column_is_virtual(t, column)) return var_new(r->cc->arena, q, rel, column);
    Expr *e = resolve_generated(r, q, rel, column);
    if (needs_cast(e->type, t->columns.at[column].type)) e = expr_cast(r, e, t->columns.at[column].type);
    e->type = type_collate(e->type, TYPE(TEXT), t->columns.at[column].type);
    if (!rel->null_extended) return e;
    Expr *real = expr_new(r, EXPR_IS, TYPE(BOOL), false, NO_POS), *value = expr_new(r, EXPR_CASE, e->type, true, NO_POS);
    real->is = IS_NULL;
    real->negated = true;
    vec_push(r->cc->arena, &real->args, var_new(r->cc->arena, q, rel, rel_id_column(r->cc->arena, rel)));
    vec_push(r->cc->arena, &value->args, real);
    vec_push(r->cc->arena, &value->args, e);
    vec_push(r->cc->arena, &value->args, expr_const(r, sqm_null(), e->type, NO_POS));
    return value;
}

/* ---- FROM ---- */

static void subquery_columns(Resolver *r, Rel *rel, const Query *q, const AstNames *names, Pos pos) {
    if (names->n > q->n_visible)
        fail(r->cc, SQM_ERROR_SYNTAX, pos, "table \"" STR_FMT "\" has %d columns available but %d columns specified", STR_ARG(rel->alias), q->n_visible, names->n);
    for (int i = 0; i < q->n_visible; i++) {
        const Target *t = &q->targets.at[i];
        Type type = type_as_column(t->expr->type);
        if (type.tag == TYPE_UNKNOWN && t->expr->tag == EXPR_CONST && t->expr->value.type == SQM_TEXT) type = TYPE(TEXT);
        resolve_add_column(r, rel, i < names->n ? names->at[i] : t->name, type, t->expr->nullable);
    }
}

static void rename_columns(Resolver *r, Rel *rel, const AstNames *names, Pos pos) {
    if (names->n > rel->columns.n)
        fail(r->cc, SQM_ERROR_SYNTAX, pos, "table \"" STR_FMT "\" has %d columns available but %d columns specified", STR_ARG(rel->alias), rel->columns.n, names->n);
    for (int i = 0; i < names->n; i++) rel->columns.at[i].name = names->at[i];
}

/* A view is its query, resolved in a scope of its own (it can't see the statement's names). */
static Query *expand_view(Resolver *r, const Table *table, Pos pos) {
    if (++r->view_depth > 32) fail(r->cc, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, pos, "views are nested more than 32 deep");
    Str sql = r->cc->sql;
    r->cc->sql = table->view_text;
    Parsed body = parse(r->cc, true);
    Query *q = resolve_select(r, body.stmt->select, NULL);
    r->cc->sql = sql;
    r->view_depth--;
    return q;
}

static From *leaf(Resolver *r, const Rel *rel) {
    From *f = NEW(r->cc->arena, From);
    f->rel = rel->id;
    return f;
}

static void make_visible(Resolver *r, Scope *scope, Rel *rel) {
    for (int i = 0; i < scope->visible.n; i++)
        if (str_eq(scope->visible.at[i]->alias, rel->alias) && rel->alias.n)
            fail(r->cc, SQM_ERROR_DUPLICATE_ALIAS, rel->pos, "table name \"" STR_FMT "\" specified more than once", STR_ARG(rel->alias));
    vec_push(r->cc->arena, &scope->visible, rel);
}

static From *resolve_from(Resolver *r, Scope *scope, const AstFrom *f);

static Str after_dot(Str name) {
    const char *dot = memchr(name.p, '.', name.n);
    return dot ? (Str){dot + 1, name.n - (size_t)(dot + 1 - name.p)} : name;
}

/* Why a recursive query's name may not stand here, or NULL. `scope`: where it stands, inside the recursive term or, wrongly, elsewhere in its WITH query. */
static const char *misplaced(const Scope *scope, const Cte *cte) {
    bool sublink = false, outer_join = false, intersect = false, except = false;
    for (const Scope *s = scope; s; s = s->outer) {
        sublink |= s->in_sublink;
        outer_join |= s->nullable_side;
        const Query *q = s->query;
        intersect |= q->set_op == SET_INTERSECT && q->set_all;
        except |= q->set_op == SET_EXCEPT && (q->set_all || q->left);
        for (int i = 0; i < s->ctes.n; i++)
            if (s->ctes.at[i] == cte) goto found;
    }
found:
    if (sublink) return "within a subquery";
    if (!cte->in_recursive_term) return "within its non-recursive term";
    if (outer_join) return "within an outer join";
    if (intersect) return "within INTERSECT";
    if (except) return "within EXCEPT";
    return cte->references > 1 ? "more than once" : NULL;
}

/* A WITH query named while it or one before it is resolved: in its own recursive term, or an error. */
static void check_recursive_reference(Resolver *r, const Scope *scope, const Cte *cte, Pos pos) {
    if (!cte->begun)
        fail_hint(r->cc, SQM_ERROR_NOT_SUPPORTED, pos, "Put it before the query that reads it.", "reading the WITH query \"" STR_FMT "\" before its definition is not supported", STR_ARG(cte->name));
    const char *where = misplaced(scope, cte);
    if (where) fail(r->cc, SQM_ERROR_SYNTAX, pos, "recursive reference to query \"" STR_FMT "\" must not appear %s", STR_ARG(cte->name), where);
}

static From *resolve_named(Resolver *r, Scope *scope, const AstFrom *f) {
    Cte *cte = find_cte(scope, f->name);
    Rel *rel;
    if (cte) {
        cte->references++;
        if (cte->part && !cte->columns.n) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, f->pos, "WITH query \"" STR_FMT "\" does not have a RETURNING clause", STR_ARG(f->name));
        if (!cte->query) {
            if (!cte->part) check_recursive_reference(r, scope, cte, f->pos);
            rel = resolve_add_rel(r, scope, REL_CTE_WORK, f->alias.n ? f->alias : f->name, f->pos);
            rel->work = cte;
            for (int i = 0; i < cte->columns.n; i++) {
                resolve_add_column(r, rel, cte->columns.at[i].name, cte->columns.at[i].type, !cte->part || cte->columns.at[i].nullable);
            }
        } else {
            if (cte->query->correlated && cte->query->parent != scope->query)
                fail(r->cc, SQM_ERROR_NOT_SUPPORTED, f->pos, "a reference from a nested query to the correlated WITH query \"" STR_FMT "\" is not supported", STR_ARG(f->name));
            rel = resolve_add_rel(r, scope, REL_SUBQUERY, f->alias.n ? f->alias : f->name, f->pos);
            rel->subquery = cte->query;
            rel->cte = cte;
            for (int i = 0; i < cte->columns.n; i++) resolve_add_column(r, rel, cte->columns.at[i].name, cte->columns.at[i].type, cte->columns.at[i].nullable);
        }
        rename_columns(r, rel, &f->columns, f->pos);
        return leaf(r, rel);
    }
    if (resolve_is_information(f->name)) {
        rel = resolve_add_rel(r, scope, REL_VALUES, f->alias.n ? f->alias : after_dot(f->name), f->pos);
        resolve_information(r, rel, f->name);
        rename_columns(r, rel, &f->columns, f->pos);
        return leaf(r, rel);
    }
    const Table *table = resolve_table(r, f->name, f->pos);
    if (table->view_text.n) {
        rel = resolve_add_rel(r, scope, REL_SUBQUERY, f->alias.n ? f->alias : f->name, f->pos);
        rel->subquery = expand_view(r, table, f->pos);
        AstNames names = {0};
        for (int i = 0; i < table->columns.n; i++) vec_push(r->cc->arena, &names, table->columns.at[i].name);
        subquery_columns(r, rel, rel->subquery, &names, f->pos);
        rename_columns(r, rel, &f->columns, f->pos);
    } else {
        rel = resolve_table_rel(r, scope, table, f->alias, f->pos);
        rename_columns(r, rel, &f->columns, f->pos);
    }
    return leaf(r, rel);
}

static int column_by_name(const Rel *rel, Str name) {
    for (int i = 0; i < rel->columns.n; i++)
        if (!rel->columns.at[i].hidden && str_ieq(rel->columns.at[i].name, name)) return i;
    return -1;
}

static bool column_repeats(const Rel *rel, int column) {
    for (int i = column + 1; i < rel->columns.n; i++)
        if (!rel->columns.at[i].hidden && str_eq(rel->columns.at[i].name, rel->columns.at[column].name)) return true;
    return false;
}

const Merged *resolve_merged(const Scope *scope, int visible, Str name) {
    for (int i = 0; i < scope->merged.n; i++) {
        const Merged *m = &scope->merged.at[i];
        if (m->from <= visible && visible < m->to && str_ieq(m->name, name)) return m;
    }
    return NULL;
}

static Expr *side_column(Resolver *r, Scope *scope, int from, int to, Str name, Pos pos) {
    Expr *found = NULL;
    for (int i = from; i < to; i++) {
        const Merged *m = resolve_merged(scope, i, name);
        int c = m ? -1 : column_by_name(scope->visible.at[i], name);
        if (!m && c < 0) continue;
        if (found || (!m && column_repeats(scope->visible.at[i], c))) fail(r->cc, SQM_ERROR_AMBIGUOUS_COLUMN, pos, "common column name \"" STR_FMT "\" appears more than once", STR_ARG(name));
        if (m) {
            found = m->expr;
            i = m->to - 1;
            continue;
        }
        Rel *rel = scope->visible.at[i];
        if (table_column_is_virtual(rel->table, c))
            fail(r->cc, SQM_ERROR_NOT_SUPPORTED, pos, "joining by the virtual generated column \"" STR_FMT "\" with USING or NATURAL is not supported", STR_ARG(name));
        found = var_new(r->cc->arena, scope->query, rel, c);
        found->pos = pos;
    }
    return found;
}

static void add_merged(Resolver *r, Scope *scope, const Merged *added) {
    int kept = 0;
    for (int i = 0; i < scope->merged.n; i++) {
        const Merged *m = &scope->merged.at[i];
        if (m->from < added->from || m->to > added->to || !str_ieq(m->name, added->name)) scope->merged.at[kept++] = *m;
    }
    scope->merged.n = kept;
    vec_push(r->cc->arena, &scope->merged, *added);
}

/* A column that a join further out may leave NULL was made before it was known. */
static void refresh_nullable(const Query *q, Expr *e) {
    if (e->tag == EXPR_VAR) e->nullable |= q->rels.at[e->rel]->null_extended;
    for (int i = 0; i < e->args.n; i++) {
        refresh_nullable(q, e->args.at[i]);
        if (e->tag == EXPR_CAST) e->nullable |= e->args.at[i]->nullable;
    }
}

static void set_null_extended(Scope *scope, int from, int to) {
    for (int i = from; i < to; i++) scope->visible.at[i]->null_extended = true;
}

static From *resolve_join(Resolver *r, Scope *scope, const AstFrom *f) {
    From *join = NEW(r->cc->arena, From);
    join->rel = -1;
    join->kind = f->join;
    int first = scope->visible.n;
    bool nullable_side = scope->nullable_side, lateral_outer = f->join == JOIN_RIGHT || f->join == JOIN_FULL;
    scope->nullable_side = nullable_side || lateral_outer;
    join->left = resolve_from(r, scope, f->left);
    int middle = scope->visible.n;
    scope->nullable_side = nullable_side || f->join == JOIN_LEFT || f->join == JOIN_FULL;
    join->right = resolve_from(r, scope, f->right);
    scope->nullable_side = nullable_side;
    int last = scope->visible.n;
    if (lateral_outer)
        for (int i = middle; i < last; i++)
            if (scope->visible.at[i]->lateral)
                fail(r->cc, SQM_ERROR_SYNTAX, scope->visible.at[i]->pos, "the combining JOIN type must be INNER or LEFT for a LATERAL reference");
    AstNames names = f->join_using;
    if (f->natural)
        for (int i = first; i < middle; i++)
            for (int c = 0; c < scope->visible.at[i]->columns.n; c++) {
                Str name = scope->visible.at[i]->columns.at[c].name;
                bool common = false;
                for (int k = middle; k < last; k++) common |= column_by_name(scope->visible.at[k], name) >= 0;
                for (int k = 0; k < names.n; k++) common &= !str_ieq(names.at[k], name);
                if (common && !scope->visible.at[i]->columns.at[c].hidden) vec_push(r->cc->arena, &names, name);
            }
    VEC(Merged) merged = {0};
    for (int i = 0; i < names.n; i++) {
        Expr *a = side_column(r, scope, first, middle, names.at[i], f->pos), *b = side_column(r, scope, middle, last, names.at[i], f->pos);
        if (!a || !b)
            fail(r->cc, SQM_ERROR_UNDEFINED_COLUMN, f->pos, "column \"" STR_FMT "\" specified in USING clause does not exist in %s table", STR_ARG(names.at[i]), a ? "right" : "left");
        join->on = expr_and(r, join->on, expr_compare(r, OP_EQ, a, b, f->pos));
        Merged m = {names.at[i], resolve_using(r, f->join, a, b, f->pos), first, last};
        vec_push(r->cc->arena, &merged, m);
    }
    if (f->on) {
        const char *clause = scope->clause;
        scope->clause = "JOIN/ON";
        join->on = resolve_condition_expr(r, scope, f->on);
        scope->clause = clause;
    }
    if (f->join == JOIN_LEFT || f->join == JOIN_FULL) set_null_extended(scope, middle, last);
    if (f->join == JOIN_RIGHT || f->join == JOIN_FULL) set_null_extended(scope, first, middle);
    for (int i = 0; i < merged.n; i++) add_merged(r, scope, &merged.at[i]);
    for (int i = 0; i < scope->merged.n; i++) refresh_nullable(scope->query, scope->merged.at[i].expr);
    return join;
}

static From *resolve_from(Resolver *r, Scope *scope, const AstFrom *f) {
    enter(r->cc, f->pos);
    From *out = NULL;
    switch (f->tag) {
    case FROM_TABLE:
        out = resolve_named(r, scope, f);
        make_visible(r, scope, scope->query->rels.at[out->rel]);
        break;
    case FROM_SELECT: {
        /* A derived table that isn't LATERAL sees the enclosing blocks but not its neighbours. */
        Scope hidden = *scope;
        hidden.visible.n = 0;
        hidden.merged.n = 0;
        Query *q = resolve_select(r, f->select, f->lateral ? scope : &hidden);
        Rel *rel = resolve_add_rel(r, scope, REL_SUBQUERY, f->alias, f->pos);
        rel->subquery = q;
        rel->lateral = f->lateral && q->correlated;
        subquery_columns(r, rel, q, &f->columns, f->pos);
        make_visible(r, scope, rel);
        if (q->is_volatile) scope->query->is_volatile = true;
        out = leaf(r, rel);
        break;
    }
    case FROM_FUNCTION: {
        Rel *rel = resolve_add_rel(r, scope, REL_FUNCTION, f->alias, f->pos);
        int before = scope->visible.n;
        rel->function = resolve_set_function(r, scope, f->function, rel);
        if (!rel->alias.n) rel->alias = f->function->name;
        rel->lateral = before > 0 && !expr_is_constant(rel->function);
        rel->with_ordinality = f->with_ordinality;
        if (f->with_ordinality) resolve_add_column(r, rel, STR("ordinality"), TYPE(INT8), false);
        rename_columns(r, rel, &f->columns, f->pos);
        make_visible(r, scope, rel);
        out = leaf(r, rel);
        break;
    }
    case FROM_JOIN: out = resolve_join(r, scope, f); break;
    }
    leave(r->cc);
    return out;
}

From *resolve_cross_join(Resolver *r, From *left, From *right) {
    From *cross = NEW(r->cc->arena, From);
    *cross = (From){.rel = -1, .kind = JOIN_CROSS, .left = left, .right = right};
    return cross;
}

From *resolve_from_list(Resolver *r, Scope *scope, const AstFroms *items, From *first) {
    From *all = first;
    for (int i = 0; i < items->n; i++) {
        From *one = resolve_from(r, scope, items->at[i]);
        all = all ? resolve_cross_join(r, all, one) : one;
    }
    return all;
}

/* ---- targets ---- */

Str target_name(const AstExpr *e) {
    switch (e->tag) {
    case AST_COLUMN: case AST_FIELD: return e->name;
    case AST_FUNCTION: return e->name;
    case AST_CAST: {
        Str inner = target_name(e->args.at[0]);
        return str_is(inner, "?column?") ? e->type->name : inner;
    }
    case AST_CASE: return STR("case");
    case AST_EXISTS: return STR("exists");
    case AST_ARRAY: case AST_ARRAY_SELECT: return STR("array");
    case AST_ROW: return STR("row");
    case AST_COLLATE: return target_name(e->args.at[0]);
    case AST_SUBQUERY:
        return e->select->targets.n ? (e->select->targets.at[0].alias.n ? e->select->targets.at[0].alias : target_name(e->select->targets.at[0].expr)) : STR("?column?");
    case AST_LITERAL: case AST_PARAMETER: case AST_STAR: case AST_UNARY: case AST_BINARY: case AST_AND: case AST_OR: case AST_NOT: case AST_IS: case AST_IS_DISTINCT:
    case AST_BETWEEN: case AST_IN_LIST: case AST_IN_SELECT: case AST_QUANTIFIED: case AST_LIKE: case AST_SUBSCRIPT: case AST_DEFAULT: case AST_GROUPING_SETS:
    case AST_ROLLUP: case AST_CUBE: break;
    }
    return STR("?column?");
}

static void push_target(Resolver *r, Query *q, Expr *e, Str name) {
    Target t = {.expr = e, .name = name, .slot = -1};
    vec_push(r->cc->arena, &q->targets, t);
}

/* The merged columns of the joins that begin at a relation, the outermost first. */
static void push_merged(Resolver *r, Scope *scope, Query *q, int visible) {
    for (int to = scope->visible.n; to > visible; to--)
        for (int i = 0; i < scope->merged.n; i++) {
            const Merged *m = &scope->merged.at[i];
            if (m->from == visible && m->to == to) push_target(r, q, m->expr, m->name);
        }
}

static void expand_star(Resolver *r, Scope *scope, Query *q, Str qualifier, Pos pos) {
    bool any = false;
    for (int i = 0; i < scope->visible.n; i++) {
        if (!qualifier.n) push_merged(r, scope, q, i);
        Rel *rel = scope->visible.at[i];
        if (qualifier.n && !str_ieq(rel->alias, qualifier)) continue;
        any = true;
        int n = rel->kind == REL_TABLE ? rel->table->columns.n : rel->columns.n;
        for (int c = 0; c < n; c++) {
            if (rel->columns.at[c].hidden) continue;
            if (!qualifier.n && resolve_merged(scope, i, rel->columns.at[c].name)) continue;
            Expr *var = resolve_rel_column(r, q, rel, c);
            var->pos = pos;
            push_target(r, q, var, rel->columns.at[c].name);
        }
    }
    if (!any && qualifier.n) fail(r->cc, SQM_ERROR_UNDEFINED_TABLE, pos, "missing FROM-clause entry for table \"" STR_FMT "\"", STR_ARG(qualifier));
    if (!any) fail(r->cc, SQM_ERROR_SYNTAX, pos, "SELECT * with no tables specified is not valid");
}

void resolve_targets(Resolver *r, Scope *scope, Query *q, const AstTarget *targets, int n) {
    for (int i = 0; i < n; i++) {
        const AstTarget *t = &targets[i];
        if (t->expr->tag == AST_STAR) { expand_star(r, scope, q, t->expr->qualifier, t->expr->pos); continue; }
        Expr *e = resolve_expr(r, scope, t->expr);
        if (e->tag == EXPR_ROW) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, e->pos, "a row value is not supported as a result column");
        if (e->tag == EXPR_CONST && e->type.tag == TYPE_UNKNOWN && e->value.type == SQM_TEXT) e->type = TYPE(TEXT);
        push_target(r, q, e, t->alias.n ? t->alias : target_name(t->expr));
    }
    q->n_visible = q->targets.n;
}

/* A target that is a column of this frame is where it already lies. */
void target_slots(Resolver *r, Query *q) {
    (void)r;
    for (int i = 0; i < q->targets.n; i++) {
        Target *t = &q->targets.at[i];
        if (t->slot >= 0) continue;
        t->slot = t->expr->tag == EXPR_VAR && t->expr->level == 0 ? t->expr->slot : q->n_slots++;
    }
}

/* ---- ORDER BY, GROUP BY items that name a target ---- */

static int target_by_position(Resolver *r, const Query *q, const AstExpr *e, const char *clause) {
    if (e->tag != AST_LITERAL || e->literal.type != SQM_INT) return -1;
    if (e->literal.u.i < 1 || e->literal.u.i > q->n_visible)
        fail(r->cc, SQM_ERROR_SYNTAX, e->pos, "%s position %lld is not in select list", clause, (long long)e->literal.u.i);
    return (int)e->literal.u.i - 1;
}

static int target_by_name(Resolver *r, const Query *q, const AstExpr *e, const char *clause) {
    if (e->tag != AST_COLUMN || e->qualifier.n) return -1;
    int found = -1;
    for (int pass = 0; pass < 2 && found < 0; pass++)
        for (int i = 0; i < q->n_visible; i++) {
            if (pass == 0 ? !str_eq(q->targets.at[i].name, e->name) : !str_ieq(q->targets.at[i].name, e->name)) continue;
            if (found >= 0 && !expr_equal(q->targets.at[found].expr, q->targets.at[i].expr))
                fail(r->cc, SQM_ERROR_AMBIGUOUS_COLUMN, e->pos, "%s \"" STR_FMT "\" is ambiguous", clause, STR_ARG(e->name));
            if (found < 0) found = i;
        }
    return found;
}

/* (expr) in parentheses is the expression, so ORDER BY (1) is Django's way to say position 1 after a set operation. */
static void resolve_order(Resolver *r, Scope *scope, Query *q, const AstOrder *orders, int n) {
    scope->clause = "ORDER BY";
    for (int i = 0; i < n; i++) {
        const AstExpr *item = orders[i].expr;
        int target = target_by_position(r, q, item, "ORDER BY");
        if (target < 0) target = target_by_name(r, q, item, "ORDER BY");
        Expr *e;
        if (target >= 0) {
            e = q->targets.at[target].expr;
        } else {
            if (q->set_op != SET_NONE)
                fail_hint(r->cc, SQM_ERROR_NOT_SUPPORTED, item->pos, "Use a column name or number of the result.",
                          "ORDER BY on a UNION/INTERSECT/EXCEPT result must be on one of the result columns");
            e = resolve_expr(r, scope, item);
        }
        SortKey key = resolve_sort_key(expr_collated(r, e), &orders[i]);
        /* Position of the target this key is, so that resolve_grouping and the slots keep them one. */
        vec_push(r->cc->arena, &q->order, key);
    }
}

/* ---- GROUP BY ---- */

static int add_group_key(Resolver *r, Scope *scope, Query *q, const AstExpr *item) {
    int target = target_by_position(r, q, item, "GROUP BY");
    Expr *e = NULL;
    if (target < 0 && item->tag == AST_COLUMN && !item->qualifier.n) {
        /* An input column wins over an output name (SQL-92), unlike in ORDER BY. */
        bool input = false;
        for (int i = 0; i < scope->visible.n; i++) input |= column_by_name(scope->visible.at[i], item->name) >= 0;
        if (!input) target = target_by_name(r, q, item, "GROUP BY");
    }
    if (target >= 0) {
        e = q->targets.at[target].expr;
        if (e->tag == EXPR_AGG) fail(r->cc, SQM_ERROR_GROUPING, item->pos, "aggregate functions are not allowed in GROUP BY");
    } else {
        e = resolve_expr(r, scope, item);
    }
    Expr *key = expr_collated(r, e);
    for (int i = 0; i < q->group_keys.n; i++)
        if (expr_equal(q->group_keys.at[i], key)) return i;
    vec_push(r->cc->arena, &q->group_keys, key);
    vec_push(r->cc->arena, &q->group_shown, key == e ? NULL : e);
    vec_push(r->cc->arena, &q->group_slots, -1);
    return q->group_keys.n - 1;
}

static void add_set(Resolver *r, Query *q, const Ints *keys) {
    GroupingSet set = {0};
    for (int i = 0; i < keys->n; i++) vec_push(r->cc->arena, &set.keys, keys->at[i]);
    vec_push(r->cc->arena, &q->grouping_sets, set);
}

static void group_item_keys(Resolver *r, Scope *scope, Query *q, const AstExpr *item, Ints *keys) {
    if (item->tag == AST_ROW) {
        for (int i = 0; i < item->args.n; i++) vec_push(r->cc->arena, keys, add_group_key(r, scope, q, item->args.at[i]));
    } else {
        vec_push(r->cc->arena, keys, add_group_key(r, scope, q, item));
    }
}

static void resolve_group_by(Resolver *r, Scope *scope, Query *q, const AstExprs *items) {
    scope->clause = "GROUP BY";
    const AstExpr *sets = NULL;
    Ints plain = {0};
    for (int i = 0; i < items->n; i++) {
        const AstExpr *item = items->at[i];
        bool special = item->tag == AST_GROUPING_SETS || item->tag == AST_ROLLUP || item->tag == AST_CUBE;
        if (special && sets) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, item->pos, "more than one GROUPING SETS, ROLLUP or CUBE is not supported");
        if (special) sets = item;
        else group_item_keys(r, scope, q, item, &plain);
    }
    if (!sets) return;
    VEC(Ints) parts = {0};
    for (int i = 0; i < sets->args.n; i++) {
        Ints keys = {0};
        group_item_keys(r, scope, q, sets->args.at[i], &keys);
        vec_push(r->cc->arena, &parts, keys);
    }
    if (sets->tag == AST_CUBE && parts.n > 12) fail(r->cc, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, sets->pos, "CUBE is limited to 12 elements");
    int n_sets = sets->tag == AST_GROUPING_SETS ? parts.n : sets->tag == AST_ROLLUP ? parts.n + 1 : 1 << parts.n;
    for (int s = 0; s < n_sets; s++) {
        Ints keys = {0};
        for (int k = 0; k < plain.n; k++) vec_push(r->cc->arena, &keys, plain.at[k]);
        for (int p = 0; p < parts.n; p++) {
            bool in = sets->tag == AST_GROUPING_SETS ? p == s : sets->tag == AST_ROLLUP ? p < parts.n - s : ((n_sets - 1 - s) >> (parts.n - 1 - p)) & 1;
            for (int k = 0; in && k < parts.at[p].n; k++) vec_push(r->cc->arena, &keys, parts.at[p].at[k]);
        }
        add_set(r, q, &keys);
    }
    for (int i = 0; i < q->group_shown.n; i++)
        if (q->group_shown.at[i]) expr_refuse_collated(r, q->group_shown.at[i], sets->pos, "grouping sets");
}

/* ---- LIMIT ---- */

static Expr *resolve_count(Resolver *r, Scope *scope, const AstExpr *e, const char *clause) {
    if (!e) return NULL;
    Scope empty = {.outer = scope->outer, .query = scope->query, .clause = clause};
    Expr *n = resolve_expr(r, &empty, e);
    if (!expr_is_constant(n)) fail(r->cc, SQM_ERROR_SYNTAX, e->pos, "argument of %s must not contain variables", clause);
    if (n->type.tag != TYPE_UNKNOWN && !type_is_numeric(n->type)) fail(r->cc, SQM_ERROR_DATATYPE_MISMATCH, e->pos, "argument of %s must be a number", clause);
    return n;
}

/* ---- WITH ---- */

static Cte *add_cte(Resolver *r, Scope *scope, const AstCte *ast) {
    for (int i = 0; i < scope->ctes.n; i++)
        if (str_ieq(scope->ctes.at[i]->name, ast->name))
            fail(r->cc, SQM_ERROR_DUPLICATE_ALIAS, ast->pos, "WITH query name \"" STR_FMT "\" specified more than once", STR_ARG(ast->name));
    Cte *cte = NEW(r->cc->arena, Cte);
    cte->name = ast->name;
    cte->number = r->out->ctes.n;
    vec_push(r->cc->arena, &r->out->ctes, cte);
    vec_push(r->cc->arena, &scope->ctes, cte);
    return cte;
}

static void cte_columns(Resolver *r, Cte *cte, const Query *q, const AstCte *ast) {
    if (ast->columns.n > q->n_visible)
        fail(r->cc, SQM_ERROR_SYNTAX, ast->pos, "WITH query \"" STR_FMT "\" has %d columns available but %d columns specified", STR_ARG(ast->name), q->n_visible, ast->columns.n);
    for (int i = 0; i < q->n_visible; i++) {
        const Target *t = &q->targets.at[i];
        RelColumn c = {.name = i < ast->columns.n ? ast->columns.at[i] : t->name, .type = type_as_column(t->expr->type), .nullable = t->expr->nullable, .slot = -1};
        vec_push(r->cc->arena, &cte->columns, c);
    }
}

static bool mentions(const AstFrom *f, Str name);
static bool select_mentions(const AstSelect *s, Str name) {
    if (!s) return false;
    if (s->set_op != SET_NONE) return select_mentions(s->left, name) || select_mentions(s->right, name);
    for (int i = 0; i < s->from.n; i++)
        if (mentions(s->from.at[i], name)) return true;
    return false;
}
static bool mentions(const AstFrom *f, Str name) {
    switch (f->tag) {
    case FROM_TABLE: return str_ieq(f->name, name);
    case FROM_SELECT: return select_mentions(f->select, name);
    case FROM_FUNCTION: return false;
    case FROM_JOIN: return mentions(f->left, name) || mentions(f->right, name);
    }
    return false;
}

static Query *resolve_set_op(Resolver *r, const AstSelect *s, Scope *outer, Cte *recursive, const AstCte *ast);

/* INSERT, UPDATE or DELETE in WITH. `cte`: RECURSIVE has made it already; NULL: not. */
static void add_part(Resolver *r, Scope *scope, Cte *cte, const AstCte *ast) {
    if (scope->outer) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, ast->pos, "WITH clause containing a data-modifying statement must be at the top level");
    InsertQuery *insert = r->out->insert;
    ModifyQuery *modify = r->out->modify;
    r->out->insert = NULL, r->out->modify = NULL;
    resolve_write(r, ast->write, scope);
    if (!cte) cte = add_cte(r, scope, ast);
    Resolved *part = NEW(r->cc->arena, Resolved);
    *part = (Resolved){.tag = ast->write->tag, .stmt = ast->write, .insert = r->out->insert, .modify = r->out->modify, .cte = cte};
    r->out->insert = insert, r->out->modify = modify;
    vec_push(r->cc->arena, &r->out->parts, part);
    cte->part = part;
    if (part->insert ? part->insert->has_returning : part->modify->has_returning) cte_columns(r, cte, part->insert ? part->insert->row : part->modify->row, ast);
}

/* non-recursive-term UNION [ALL] recursive-term */
static void resolve_recursive(Resolver *r, Scope *scope, Cte *cte, const AstCte *ast) {
    const AstSelect *s = ast->select;
    if (s->set_op != SET_UNION || select_mentions(s->left, ast->name))
        fail(r->cc, SQM_ERROR_SYNTAX, ast->pos, "recursive query \"" STR_FMT "\" does not have the form non-recursive-term UNION [ALL] recursive-term", STR_ARG(cte->name));
    const AstExpr *tail = s->order.n ? s->order.at[0].expr : s->offset ? s->offset : s->limit;
    if (tail) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, tail->pos, "%s in a recursive query is not supported", s->order.n ? "ORDER BY" : s->offset ? "OFFSET" : "LIMIT");
    cte->recursive = true;
    cte->query = resolve_set_op(r, s, scope, cte, ast);
}

/* RECURSIVE puts all names into scope before the first query is resolved. */
void resolve_with(Resolver *r, Scope *scope, const AstCte *ctes, int n, bool recursive) {
    int first = scope->ctes.n;
    for (int i = 0; i < n && recursive; i++) add_cte(r, scope, &ctes[i]);
    for (int i = 0; i < n; i++) {
        Cte *cte = recursive ? scope->ctes.at[first + i] : NULL;
        Query *q = NULL;
        if (ctes[i].write) {
            add_part(r, scope, cte, &ctes[i]);
            continue;
        }
        if (cte) cte->begun = true;
        if (recursive && select_mentions(ctes[i].select, ctes[i].name)) {
            resolve_recursive(r, scope, cte, &ctes[i]);
        } else {
            q = resolve_select(r, ctes[i].select, scope);
            if (!cte) cte = add_cte(r, scope, &ctes[i]);
            cte_columns(r, cte, q, &ctes[i]);
            cte->query = q;
        }
        cte->references = 0;
        if (cte->query->correlated) scope->query->correlated = true;
        vec_push(r->cc->arena, &scope->query->ctes, cte);
    }
}

/* ---- blocks ---- */

static Query *query_new(Resolver *r, Scope *outer) {
    Query *q = NEW(r->cc->arena, Query);
    q->parent = outer ? outer->query : NULL;
    q->grouping_slot = -1;
    return q;
}

/* SELECT 1 UNION SELECT '2': a literal takes the type of the other side. */
static void meet_literal(Resolver *r, Query *q, int i, Type other) {
    Target *t = &q->targets.at[i];
    if (q->set_op == SET_NONE && expr_is_literal(t->expr) && !type_is_text(other)) t->expr = expr_untyped(r, t->expr, other);
}

/* The recursive term was resolved with the types of the other one. Lengths, and which integers, are no matter here. */
static void check_recursive_type(Resolver *r, const Cte *cte, int column, Type first, Type all, Pos pos) {
    if (first.tag == all.tag || first.tag == TYPE_UNKNOWN || (type_is_integer(first) && type_is_integer(all)) || (type_is_text(first) && type_is_text(all))) return;
    char have[64], want[64];
    fail_hint(r->cc, SQM_ERROR_DATATYPE_MISMATCH, pos, "Cast the output of the non-recursive term to the correct type.",
              "recursive query \"" STR_FMT "\" column %d has type %s in non-recursive term but type %s overall", STR_ARG(cte->name), column + 1, type_text(first, have, sizeof have),
              type_text(all, want, sizeof want));
}

/* UNION and friends: the targets of the whole are slots 0..n-1 of its own frame, typed by what both sides meet in. */
static Query *resolve_set_op(Resolver *r, const AstSelect *s, Scope *outer, Cte *recursive, const AstCte *ast) {
    Query *q = query_new(r, outer);
    Scope scope = {.outer = outer, .query = q, .clause = "SELECT"};
    resolve_with(r, &scope, s->with.at, s->with.n, s->recursive);
    q->set_op = s->set_op;
    q->set_all = s->set_all;
    Scope *inner = outer;
    if (s->with.n) inner = &scope;
    /* Operands stand one level below this block's frame only when WITH hangs on it; else directly under `outer`. */
    Scope link = {.outer = outer, .query = q, .clause = "SELECT"};
    link.ctes.at = scope.ctes.at;
    link.ctes.n = scope.ctes.n;
    inner = &link;
    q->left = resolve_select(r, s->left, inner);
    if (recursive) {
        cte_columns(r, recursive, q->left, ast);
        recursive->in_recursive_term = true;
    }
    q->right = resolve_select(r, s->right, inner);
    q->is_volatile = q->left->is_volatile || q->right->is_volatile;
    const char *word = s->set_op == SET_UNION ? "UNION" : s->set_op == SET_INTERSECT ? "INTERSECT" : "EXCEPT";
    if (q->left->n_visible != q->right->n_visible)
        fail(r->cc, SQM_ERROR_SYNTAX, q->right->n_visible ? q->right->targets.at[0].expr->pos : s->pos, "each %s query must have the same number of columns", word);
    q->n_slots = q->left->n_visible;
    for (int i = 0; i < q->left->n_visible; i++) {
        Expr *a = q->left->targets.at[i].expr, *b = q->right->targets.at[i].expr;
        meet_literal(r, q->left, i, b->type);
        meet_literal(r, q->right, i, a->type);
        a = q->left->targets.at[i].expr;
        b = q->right->targets.at[i].expr;
        Type type = a->type;
        if (!type_common(a->type, b->type, &type)) {
            char left[64], right[64];
            fail(r->cc, SQM_ERROR_DATATYPE_MISMATCH, b->pos.at >= 0 ? b->pos : s->pos, "%s types %s and %s cannot be matched", word, type_text(a->type, left, sizeof left), type_text(b->type, right, sizeof right));
        }
        if (recursive) check_recursive_type(r, recursive, i, a->type, type, s->pos);
        type = expr_meet_collations(r, type, a->type, b->type, s->pos);
        Expr *var = expr_new(r, EXPR_VAR, type_as_column(type), a->nullable || b->nullable, NO_POS);
        var->slot = i;
        Target t = {.expr = var, .name = q->left->targets.at[i].name, .slot = i};
        vec_push(r->cc->arena, &q->targets, t);
    }
    q->n_visible = q->targets.n;
    query_collate_set(r, q, recursive != NULL, s->pos);
    resolve_order(r, &scope, q, s->order.at, s->order.n);
    q->limit = resolve_count(r, &scope, s->limit, "LIMIT");
    q->offset = resolve_count(r, &scope, s->offset, "OFFSET");
    q->with_ties = s->with_ties;
    if (s->locking.n) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, s->locking.at[0].pos, "FOR UPDATE is not allowed with %s", word);
    return q;
}

static Query *resolve_values(Resolver *r, const AstSelect *s, Scope *outer) {
    Query *q = query_new(r, outer);
    Scope scope = {.outer = outer, .query = q, .clause = "VALUES"};
    resolve_with(r, &scope, s->with.at, s->with.n, s->recursive);
    Rel *rel = resolve_add_rel(r, &scope, REL_VALUES, STR("*VALUES*"), s->pos);
    int width = s->values.at[0].n;
    Type *types = NEW_ARRAY(r->cc->arena, Type, width);
    bool *nullable = NEW_ARRAY(r->cc->arena, bool, width);
    for (int i = 0; i < s->values.n; i++) {
        if (s->values.at[i].n != width) fail(r->cc, SQM_ERROR_SYNTAX, s->pos, "VALUES lists must all be the same length");
        Exprs row = {0};
        for (int c = 0; c < width; c++) {
            Expr *e = resolve_expr(r, &scope, s->values.at[i].at[c]);
            if (i == 0) types[c] = e->type;
            else if (!type_common(expr_meet_collations(r, types[c], types[c], e->type, e->pos), e->type, &types[c])) fail(r->cc, SQM_ERROR_DATATYPE_MISMATCH, e->pos, "VALUES types cannot be matched");
            if (types[c].tag == TYPE_UNKNOWN && e->tag == EXPR_CONST && e->value.type == SQM_TEXT) types[c] = TYPE(TEXT);
            nullable[c] |= e->nullable;
            vec_push(r->cc->arena, &row, e);
        }
        vec_push(r->cc->arena, &rel->values, row);
    }
    for (int c = 0; c < width; c++) {
        for (int i = 0; i < rel->values.n; i++) rel->values.at[i].at[c] = expr_coerce(r, rel->values.at[i].at[c], types[c]);
        resolve_add_column(r, rel, arena_printf(r->cc->arena, "column%d", c + 1), type_as_column(types[c]), nullable[c]);
    }
    q->from = leaf(r, rel);
    vec_push(r->cc->arena, &scope.visible, rel);
    expand_star(r, &scope, q, (Str){0}, s->pos);
    q->n_visible = q->targets.n;
    resolve_order(r, &scope, q, s->order.at, s->order.n);
    target_slots(r, q);
    q->limit = resolve_count(r, &scope, s->limit, "LIMIT");
    q->offset = resolve_count(r, &scope, s->offset, "OFFSET");
    return q;
}

/* A sort key that is spelled as one of these expressions becomes it. */
static bool sorts_by(Resolver *r, SortKey *key, Expr *e) {
    if (!expr_same(r, key->expr, e)) return false;
    key->expr = e;
    return true;
}

static void check_distinct_order(Resolver *r, const Query *q, const AstSelect *s) {
    if (q->distinct_on.n) {
        /* SELECT DISTINCT ON expressions must match initial ORDER BY expressions (in any order among themselves). */
        int n = q->order.n < q->distinct_on.n ? q->order.n : q->distinct_on.n;
        for (int i = 0; i < n; i++) {
            bool found = false;
            for (int k = 0; k < q->distinct_on.n && !found; k++) found = sorts_by(r, &q->order.at[i], q->distinct_on.at[k]);
            if (!found) fail(r->cc, SQM_ERROR_SYNTAX, s->pos, "SELECT DISTINCT ON expressions must match initial ORDER BY expressions");
        }
        return;
    }
    for (int i = 0; i < q->order.n; i++) {
        bool found = expr_is_constant(q->order.at[i].expr);
        for (int t = 0; t < q->n_visible && !found; t++) found = sorts_by(r, &q->order.at[i], expr_collated(r, q->targets.at[t].expr));
        if (!found) fail(r->cc, SQM_ERROR_SYNTAX, q->order.at[i].expr->pos, "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
    }
}

Query *resolve_select(Resolver *r, const AstSelect *s, Scope *outer) {
    enter(r->cc, s->pos);
    Query *q;
    if (s->set_op != SET_NONE) {
        q = resolve_set_op(r, s, outer, NULL, NULL);
        leave(r->cc);
        return q;
    }
    if (s->values.n) {
        q = resolve_values(r, s, outer);
        leave(r->cc);
        return q;
    }
    q = query_new(r, outer);
    Scope scope = {.outer = outer, .query = q, .clause = "FROM"};
    for (int i = 0; i < s->windows.n; i++)
        for (int k = 0; k < i; k++)
            if (str_ieq(s->windows.at[i]->name, s->windows.at[k]->name))
                fail(r->cc, SQM_ERROR_WINDOWING, s->windows.at[i]->pos, "window \"" STR_FMT "\" is already defined", STR_ARG(s->windows.at[i]->name));
    q->ast_windows = &s->windows;
    resolve_with(r, &scope, s->with.at, s->with.n, s->recursive);
    q->from = resolve_from_list(r, &scope, &s->from, NULL);
    if (s->where) {
        scope.clause = "WHERE";
        q->where = resolve_condition_expr(r, &scope, s->where);
    }
    scope.clause = "SELECT";
    scope.aggregates = scope.windows = scope.select_sets = true;
    resolve_targets(r, &scope, q, s->targets.at, s->targets.n);
    scope.aggregates = scope.windows = false;
    scope.select_sets_known = true;
    resolve_group_by(r, &scope, q, &s->group_by);
    q->grouped |= s->group_by.n > 0;       /* an aggregate of it may stand in a subquery already */
    if (s->having) {
        scope.clause = "HAVING";
        scope.aggregates = true;
        scope.select_sets = false;
        q->having = resolve_condition_expr(r, &scope, s->having);
        scope.select_sets = true;
        q->grouped = true;
    }
    scope.aggregates = scope.windows = true;
    resolve_order(r, &scope, q, s->order.at, s->order.n);
    q->distinct = s->distinct || s->distinct_on.n;
    scope.clause = "DISTINCT ON";
    for (int i = 0; i < s->distinct_on.n; i++) {
        int target = target_by_position(r, q, s->distinct_on.at[i], "DISTINCT ON");
        if (target < 0) target = target_by_name(r, q, s->distinct_on.at[i], "DISTINCT ON");
        Expr *key = target >= 0 ? q->targets.at[target].expr : resolve_expr(r, &scope, s->distinct_on.at[i]);
        vec_push(r->cc->arena, &q->distinct_on, expr_collated(r, key));
    }
    scope.select_sets = false;
    if (q->distinct) check_distinct_order(r, q, s);
    if (q->distinct && !q->distinct_on.n) query_collate_distinct(r, q);
    q->limit = resolve_count(r, &scope, s->limit, "LIMIT");
    q->offset = resolve_count(r, &scope, s->offset, "OFFSET");
    q->with_ties = s->with_ties;
    if (q->with_ties && !q->order.n) fail(r->cc, SQM_ERROR_SYNTAX, s->pos, "WITH TIES cannot be specified without ORDER BY clause");
    resolve_grouping(r, q);
    if (scope.select_set && q->windows.n)
        fail(r->cc, SQM_ERROR_NOT_SUPPORTED, scope.select_set->pos, "a set-returning function beside window functions is not supported");
    for (int i = 0; i < q->rels.n && q->aggs.n; i++)
        if (q->rels.at[i]->kind == REL_CTE_WORK && !q->rels.at[i]->work->part) fail(r->cc, SQM_ERROR_GROUPING, q->aggs.at[0]->pos, "aggregate functions are not allowed in a recursive query's recursive term");
    target_slots(r, q);
    for (int i = 0; i < s->locking.n; i++) {
        vec_push(r->cc->arena, &q->locking, s->locking.at[i]);
        if (q->grouped || q->distinct || q->windows.n) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, s->locking.at[i].pos, "FOR UPDATE is not allowed with GROUP BY, DISTINCT or window functions");
    }
    q->ast_windows = NULL;
    leave(r->cc);
    return q;
}

/* ---- entry points ---- */

Expr *resolve_condition(Compile *cc, const Catalog *catalog, const Table *table, Str text, const Rel **out_rel) {
    Resolved *out = NEW(cc->arena, Resolved);
    Resolver r = {.cc = cc, .catalog = catalog, .out = out};
    Query *q = query_new(&r, NULL);
    Scope scope = {.query = q, .clause = "CHECK"};
    Rel *rel = resolve_table_rel(&r, &scope, table, (Str){0}, NO_POS);
    vec_push(cc->arena, &scope.visible, rel);
    *out_rel = rel;
    Str sql = cc->sql;
    cc->sql = text;
    Expr *e = resolve_condition_expr(&r, &scope, parse_expression(cc));
    cc->sql = sql;
    return e;
}

Expr *resolve_generated_column(Compile *cc, const Catalog *catalog, const Table *table, int column, const Rel **out_rel) {
    Resolver r = {.cc = cc, .catalog = catalog, .out = NEW(cc->arena, Resolved)};
    Query *q = query_new(&r, NULL);
    Scope scope = {.query = q};
    Rel *rel = resolve_table_rel(&r, &scope, table, (Str){0}, NO_POS);
    *out_rel = rel;
    return resolve_generated(&r, q, rel, column);
}

Expr *resolve_default(Compile *cc, const Catalog *catalog, Str text) {
    Resolved *out = NEW(cc->arena, Resolved);
    Resolver r = {.cc = cc, .catalog = catalog, .out = out};
    Scope scope = {.query = query_new(&r, NULL), .clause = "DEFAULT"};
    Str sql = cc->sql;
    cc->sql = text;
    Expr *e = resolve_expr(&r, &scope, parse_expression(cc));
    cc->sql = sql;
    return e;
}

static const Table *written_table(const Resolved *r) { return r->insert ? r->insert->table : r->modify ? r->modify->table : NULL; }

/* What conflicts with a row that another part inserts or deletes is known too late: everything is read before anything is written. */
static void check_conflicts(Resolver *r, const Resolved *one, const Resolved *other) {
    if (one == other || !one->insert || !one->insert->on_conflict || !written_table(other) || !str_eq(written_table(other)->name, one->insert->table->name)) return;
    fail(r->cc, SQM_ERROR_NOT_SUPPORTED, r->out->stmt->pos, "ON CONFLICT on table \"" STR_FMT "\", which another part of the statement changes, is not supported", STR_ARG(one->insert->table->name));
}

static void check_parts(Resolver *r) {
    for (int i = 0; i < r->out->parts.n; i++) {
        check_conflicts(r, r->out, r->out->parts.at[i]);
        check_conflicts(r, r->out->parts.at[i], r->out);
        for (int k = 0; k < r->out->parts.n; k++) check_conflicts(r, r->out->parts.at[i], r->out->parts.at[k]);
    }
}

Resolved *resolve(Compile *cc, const Catalog *catalog, const Parsed *parsed, const Value *params) {
    Resolved *out = NEW(cc->arena, Resolved);
    Resolver r = {.cc = cc, .catalog = catalog, .out = out, .params = params};
    const Stmt *stmt = parsed->stmt;
    out->tag = stmt->tag;
    out->stmt = stmt;
    out->n_parameters = parsed->parameters.n;
    out->parameter_names = parsed->parameters;
    if (stmt->tag == STMT_EXPLAIN) stmt = stmt->explained;
    switch (stmt->tag) {
    case STMT_SELECT: out->query = resolve_select(&r, stmt->select, NULL); break;
    case STMT_INSERT: case STMT_UPDATE: case STMT_DELETE: resolve_write(&r, stmt, NULL); break;
    case STMT_CREATE_VIEW:
        out->query = resolve_select(&r, stmt->select, NULL);
        if (out->parts.n) fail(cc, SQM_ERROR_NOT_SUPPORTED, stmt->pos, "views must not contain data-modifying statements in WITH");
        break;
    case STMT_CREATE_TABLE: case STMT_ALTER_TABLE: case STMT_DROP_TABLE: case STMT_CREATE_INDEX: case STMT_DROP_INDEX: case STMT_RENAME_INDEX: case STMT_DROP_VIEW:
    case STMT_TRUNCATE: case STMT_COMMENT: case STMT_CREATE_DATABASE: case STMT_DROP_DATABASE: case STMT_BEGIN: case STMT_COMMIT: case STMT_ROLLBACK:
    case STMT_SAVEPOINT: case STMT_RELEASE: case STMT_ROLLBACK_TO: case STMT_SET: case STMT_SHOW: case STMT_EXPLAIN: break;
    }
    check_parts(&r);
    return out;
}
