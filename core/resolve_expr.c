/* resolve_expr.c - AST expressions -> typed expressions over slots.
 *
 * In:  an AstExpr and the scope of names it stands in.
 * Out: an Expr whose columns are VARs (level, slot), whose functions are table rows, and whose type is known (or TYPE_UNKNOWN for parameters and
 *      undeclared fields). Untyped literals and parameters take the type of what they meet (expr_coerce):
 *          WHERE day = '2020-01-31'    ->   ($0 = CAST('2020-01-31' AS date))
 *          WHERE day = %s              ->   ($0 = implicit CAST(%1 AS date))       a datetime.date passes, a text is parsed
 * Does not fold constants, push NOT, or decide where anything runs. Aggregates and windows stay EXPR_AGG/EXPR_WINDOW until resolve_group.c. */
#include "resolve_internal.h"

#include <stdio.h>

/* ---- making nodes ---- */

Expr *expr_new(Resolver *r, ExprTag tag, Type type, bool nullable, Pos pos) {
    Expr *e = NEW(r->cc->arena, Expr);
    e->tag = tag;
    e->type = type;
    e->nullable = nullable;
    e->pos = pos;
    e->rel = e->column = e->slot = -1;
    return e;
}

static void add_arg(Resolver *r, Expr *e, Expr *arg) { vec_push(r->cc->arena, &e->args, arg); }

Expr *expr_const(Resolver *r, Value v, Type type, Pos pos) {
    Expr *e = expr_new(r, EXPR_CONST, type, v.type == SQM_NULL, pos);
    e->value = v;
    return e;
}

Expr *expr_cast(Resolver *r, Expr *e, Type to) {
    Expr *cast = expr_new(r, EXPR_CAST, to, e->nullable, e->pos);
    add_arg(r, cast, e);
    return cast;
}

Expr *expr_and(Resolver *r, Expr *a, Expr *b) {
    if (!a) return b;
    if (!b) return a;
    Expr *e = expr_new(r, EXPR_AND, TYPE(BOOL), a->nullable || b->nullable, a->pos);
    add_arg(r, e, a);
    add_arg(r, e, b);
    return e;
}

static bool is_untyped(const Expr *e) { return e->type.tag == TYPE_UNKNOWN && (e->tag == EXPR_CONST || e->tag == EXPR_PARAM); }

Expr *expr_coerce(Resolver *r, Expr *e, Type to) {
    if (!is_untyped(e) || to.tag == TYPE_UNKNOWN || to.tag == TYPE_ROW) return e;
    if (e->tag == EXPR_CONST && e->value.type == SQM_NULL) { e->type = to; return e; }
    if (type_is_text(to) && to.tag != TYPE_CHAR) {
        if (e->tag == EXPR_CONST) e->type = TYPE(TEXT);
        return e;
    }
    if (e->tag == EXPR_CONST && e->value.type != SQM_TEXT) return e;
    if (type_is_numeric(to)) to = TYPE(NUMERIC).tag == to.tag ? TYPE(NUMERIC) : to.tag == TYPE_FLOAT8 || to.tag == TYPE_FLOAT4 ? TYPE(FLOAT8) : TYPE(INT8);
    to.length = to.scale = -1;
    Expr *cast = expr_cast(r, e, to);
    cast->implicit = e->tag == EXPR_PARAM;
    return cast;
}

bool expr_is_literal(const Expr *e) { return e->tag == EXPR_CONST && e->type.tag == TYPE_TEXT && e->value.type == SQM_TEXT; }

Expr *expr_untyped(Resolver *r, const Expr *literal, Type to) { return expr_coerce(r, expr_const(r, literal->value, TYPE(UNKNOWN), literal->pos), to); }

/* ---- names ---- */

static Walk raise_level(Expr *e, void *context) {
    if (e->tag == EXPR_VAR) e->level += *(int *)context;
    return WALK_ON;
}

static Expr *make_var(Resolver *r, Scope *from, Scope *owner, int level, Rel *rel, int column, Pos pos) {
    Expr *e = resolve_rel_column(r, owner->query, rel, column);
    expr_walk(e, raise_level, &level);
    e->pos = pos;
    for (Scope *s = from; s != owner; s = s->outer) s->query->correlated = true;
    return e;
}

static int find_rel_column(Resolver *r, Rel *rel, Str name, Pos pos) {
    int exact = -1, loose = -1;
    for (int i = 0; i < rel->columns.n; i++) {
        if (rel->columns.at[i].hidden) continue;
        if (str_eq(rel->columns.at[i].name, name)) {
            if (exact >= 0) fail(r->cc, SQM_ERROR_AMBIGUOUS_COLUMN, pos, "column reference \"" STR_FMT "\" is ambiguous", STR_ARG(name));
            exact = i;
        }
        if (loose < 0 && str_ieq(rel->columns.at[i].name, name)) loose = i;
    }
    if (exact >= 0) return exact;
    if (loose >= 0) return loose;
    /* A collection nobody declared has whatever field one asks for. */
    if (rel->kind == REL_TABLE && !rel->table->declared && !rel->table->view_text.n) {
        RelColumn c = {.name = name, .type = TYPE(UNKNOWN), .nullable = true, .slot = -1};
        if (str_is(name, "_id")) return rel_id_column(r->cc->arena, rel);
        vec_push(r->cc->arena, &rel->columns, c);
        return rel->columns.n - 1;
    }
    if (rel->kind == REL_TABLE && str_is(name, "_id")) return rel_id_column(r->cc->arena, rel);
    return -1;
}

/* The column name nearest to what was written, among everything visible: "Perhaps you meant". */
static void nearest_column(Scope *scope, Str name, char *hint, size_t size) {
    int best = name.n <= 3 ? 2 : name.n <= 5 ? 3 : 4;      /* less than half of it may differ */
    hint[0] = '\0';
    for (Scope *s = scope; s; s = s->outer)
        for (int i = 0; i < s->visible.n; i++)
            for (int c = 0; c < s->visible.at[i]->columns.n; c++) {
                Str candidate = s->visible.at[i]->columns.at[c].name;
                int distance = edit_distance(name, candidate, best);
                if (distance >= best || s->visible.at[i]->columns.at[c].hidden) continue;
                best = distance;
                snprintf(hint, size, "Perhaps you meant the column \"" STR_FMT "." STR_FMT "\".", STR_ARG(s->visible.at[i]->alias), STR_ARG(candidate));
            }
}

Expr *expr_copy(Resolver *r, const Expr *e, int level) {
    Expr *copy = arena_copy(r->cc->arena, e, sizeof *e);
    if (copy->tag == EXPR_VAR) copy->level += level;
    if (copy->args.n) {
        copy->args = (Exprs){0};
        for (int i = 0; i < e->args.n; i++) add_arg(r, copy, expr_copy(r, e->args.at[i], level));
    }
    return copy;
}

static bool undeclared_rel(const Rel *rel) { return rel->kind == REL_TABLE && !rel->table->declared && !rel->table->view_text.n; }

static Expr *use_merged(Resolver *r, Scope *scope, const Scope *at, int level, const Merged *m) {
    for (Scope *s = scope; s != at; s = s->outer) s->query->correlated = true;
    return expr_copy(r, m->expr, level);
}

/* An unqualified name, or NULL: declared columns first; only then may an undeclared collection claim it. */
static Expr *find_unqualified(Resolver *r, Scope *scope, Str name, Pos pos) {
    int level = 0;
    for (Scope *s = scope; s; s = s->outer, level++) {
        Rel *found = NULL;
        const Merged *merged = NULL;
        int column = -1;
        for (int pass = 0; pass < 2 && !found && !merged; pass++)
            for (int i = 0; i < s->visible.n; i++) {
                Rel *rel = s->visible.at[i];
                const Merged *m = resolve_merged(s, i, name);
                if (m && m == merged) continue;
                int c = -1;
                if (!m) {
                    if (rel->hidden_names || undeclared_rel(rel) != (pass == 1)) continue;
                    c = find_rel_column(r, rel, name, pos);
                    if (c < 0 || (rel->columns.at[c].hidden && !undeclared_rel(rel) && found)) continue;
                }
                if (found || merged) fail(r->cc, SQM_ERROR_AMBIGUOUS_COLUMN, pos, "column reference \"" STR_FMT "\" is ambiguous", STR_ARG(name));
                if (m) {
                    merged = m;
                } else {
                    found = rel;
                    column = c;
                }
            }
        if (merged) return use_merged(r, scope, s, level, merged);
        if (found) return make_var(r, scope, s, level, found, column, pos);
    }
    return NULL;
}

Expr *resolve_column(Resolver *r, Scope *scope, Str qualifier, Str name, Pos pos) {
    int level = 0;
    if (!qualifier.n) {
        Expr *e = find_unqualified(r, scope, name, pos);
        if (e) return e;
    }
    for (Scope *s = qualifier.n ? scope : NULL; s; s = s->outer, level++) {
        Rel *found = NULL;
        int column = -1;
        if (qualifier.n) {
            Rel *rel = NULL;
            for (int i = 0; i < s->visible.n && !rel; i++)
                if (str_eq(s->visible.at[i]->alias, qualifier)) rel = s->visible.at[i];
            for (int i = 0; i < s->visible.n && !rel; i++)
                if (str_ieq(s->visible.at[i]->alias, qualifier)) rel = s->visible.at[i];
            if (!rel && s->own_name.n && str_ieq(s->own_name, qualifier)) rel = s->visible.at[0];
            if (!rel) continue;
            column = find_rel_column(r, rel, name, pos);
            if (column < 0) {
                char hint[300];
                nearest_column(s, name, hint, sizeof hint);
                if (rel->kind == REL_TABLE && !rel->table->view_text.n) resolve_want(r, rel->table->name, name, WANTED_COLUMN);
                fail_hint(r->cc, SQM_ERROR_UNDEFINED_COLUMN, pos, hint, "column " STR_FMT "." STR_FMT " does not exist", STR_ARG(qualifier), STR_ARG(name));
            }
            found = rel;
        }
        if (found) return make_var(r, scope, s, level, found, column, pos);
    }
    if (qualifier.n) {
        char hint[300] = "";
        for (Scope *s = scope; s; s = s->outer)
            for (int i = 0; i < s->visible.n; i++)
                if (s->visible.at[i]->table && str_ieq(s->visible.at[i]->table->name, qualifier))
                    snprintf(hint, sizeof hint, "Perhaps you meant to reference the table alias \"" STR_FMT "\".", STR_ARG(s->visible.at[i]->alias));
        /* No table of that name: a field of a document column. */
        Expr *document = hint[0] ? NULL : find_unqualified(r, scope, qualifier, pos);
        if (document && expr_has_fields(document)) return expr_field(r, document, name, pos);
        fail_hint(r->cc, SQM_ERROR_UNDEFINED_TABLE, pos, hint, "missing FROM-clause entry for table \"" STR_FMT "\"", STR_ARG(qualifier));
    }
    char hint[300];
    nearest_column(scope, name, hint, sizeof hint);
    fail_hint(r->cc, SQM_ERROR_UNDEFINED_COLUMN, pos, hint, "column \"" STR_FMT "\" does not exist", STR_ARG(name));
}

/* ---- operators ---- */

static const char *type_name(Type t, char *out, size_t size) { return t.tag == TYPE_UNKNOWN ? "unknown" : type_text(t, out, size); }

_Noreturn static void no_operator(Resolver *r, Pos pos, const char *op, Type a, Type b) {
    char left[64], right[64];
    fail_hint(r->cc, SQM_ERROR_UNDEFINED_FUNCTION, pos, "No operator matches these types. You might need to add explicit type casts.",
              "operator does not exist: %s %s %s", type_name(a, left, sizeof left), op, type_name(b, right, sizeof right));
}

/* May values of these types be compared? Text against a number never may: PostgreSQL refuses, and MongoDB would silently find nothing. */
static bool comparable(Type a, Type b) {
    if (a.tag == TYPE_UNKNOWN || b.tag == TYPE_UNKNOWN) return true;
    if (type_is_numeric(a) && type_is_numeric(b)) return true;
    if (type_is_text(a) && type_is_text(b)) return true;
    if (type_is_datetime(a) && type_is_datetime(b)) return (a.tag == TYPE_TIME) == (b.tag == TYPE_TIME);
    bool document_a = a.tag == TYPE_JSON || a.tag == TYPE_DOCUMENT || a.tag == TYPE_ARRAY;
    bool document_b = b.tag == TYPE_JSON || b.tag == TYPE_DOCUMENT || b.tag == TYPE_ARRAY;
    if (document_a && document_b) return true;
    return a.tag == b.tag;
}

static bool is_float(Type t) { return t.tag == TYPE_FLOAT4 || t.tag == TYPE_FLOAT8; }

/* What values of two types are compared as, if that isn't what they are: a float and a numeric as floats, as in PostgreSQL (0.1 finds the double nearest to it); char(n) and varchar
 * without the blanks at the end. */
static TypeTag compared_as(Type a, Type b) {
    if ((is_float(a) && b.tag == TYPE_NUMERIC) || (a.tag == TYPE_NUMERIC && is_float(b))) return TYPE_FLOAT8;
    if ((a.tag == TYPE_CHAR && b.tag == TYPE_VARCHAR) || (a.tag == TYPE_VARCHAR && b.tag == TYPE_CHAR)) return TYPE_CHAR;
    return TYPE_UNKNOWN;
}

/* The operand of the two that has to change: numeric, varchar. */
static bool changes(Type t) { return t.tag == TYPE_NUMERIC || t.tag == TYPE_VARCHAR; }

static Expr *cast_to(Resolver *r, Expr *e, TypeTag tag) { return expr_cast(r, e, type_collate(type_of(tag), e->type, e->type)); }

/* But a float constant beside a numeric column becomes the numeric that it was written as, so that an index on the column serves. */
static void meet_types(Resolver *r, Expr **a, Expr **b) {
    TypeTag as = compared_as((*a)->type, (*b)->type);
    if (as == TYPE_UNKNOWN) return;
    Expr **changed = changes((*a)->type) ? a : b, **other = changed == a ? b : a;
    if (as == TYPE_FLOAT8 && expr_is_constant(*other) && !expr_is_constant(*changed)) *other = cast_to(r, *other, TYPE_NUMERIC);
    else *changed = cast_to(r, *changed, as);
}

/* Gives both operands a common footing: untyped ones take the other's type. */
static void meet(Resolver *r, Expr **a, Expr **b) {
    if (is_untyped(*a) && is_untyped(*b)) return;
    expr_adapt(r, a, b);
    *a = expr_coerce(r, *a, (*b)->type);
    *b = expr_coerce(r, *b, (*a)->type);
    meet_types(r, a, b);
}

Expr *expr_compare(Resolver *r, Operator op, Expr *a, Expr *b, Pos pos) {
    if (a->tag == EXPR_ROW && b->tag == EXPR_ROW) {
        if (a->args.n != b->args.n) fail(r->cc, SQM_ERROR_SYNTAX, pos, "unequal number of entries in row expressions");
        for (int i = 0; i < a->args.n; i++) {
            meet(r, &a->args.at[i], &b->args.at[i]);
            if (!comparable(a->args.at[i]->type, b->args.at[i]->type)) no_operator(r, pos, operator_text(op), a->args.at[i]->type, b->args.at[i]->type);
        }
    } else {
        meet(r, &a, &b);
        if (!comparable(a->type, b->type)) no_operator(r, pos, operator_text(op), a->type, b->type);
    }
    expr_collate_pair(r, &a, &b);
    Expr *e = expr_new(r, EXPR_COMPARE, TYPE(BOOL), a->nullable || b->nullable, pos);
    e->op = op;
    add_arg(r, e, a);
    add_arg(r, e, b);
    return e;
}

static Expr *call(Resolver *r, Str name, Exprs *args, Pos pos, bool is_operator) {
    const Function *f = function_find(name, args->n);
    Type types[64];
    int n = args->n < 64 ? args->n : 64;
    for (int i = 0; i < n; i++) types[i] = args->at[i]->type;
    Type result = TYPE(UNKNOWN);
    if (f && args->n <= 64 && !f->type(types, n, &result))      /* blog.name is text to lower() */
        for (int i = 0; i < n; i++) {
            args->at[i] = expr_adapted(r, args->at[i], TYPE(UNKNOWN));
            types[i] = args->at[i]->type;
        }
    if (!f || args->n > 64 || !f->type(types, n, &result)) {
        if (is_operator) {
            if (args->n == 2) no_operator(r, pos, name.p, types[0], types[1]);
            char operand[64];
            fail(r->cc, SQM_ERROR_UNDEFINED_FUNCTION, pos, "operator does not exist: " STR_FMT " %s", STR_ARG(name), type_name(types[0], operand, sizeof operand));
        }
        Text list = {.arena = r->cc->arena};
        for (int i = 0; i < n; i++) {
            char one[64];
            text_addf(&list, "%s%s", i ? ", " : "", type_name(types[i], one, sizeof one));
        }
        char hint[300] = "";
        if (function_name_exists(name)) {
            snprintf(hint, sizeof hint, "No function matches the given name and argument types. You might need to add explicit type casts.");
        } else {
            const char *near = function_nearest(name);
            if (near) snprintf(hint, sizeof hint, "Perhaps you meant the function \"%s\".", near);
        }
        fail_hint(r->cc, SQM_ERROR_UNDEFINED_FUNCTION, pos, hint, "function " STR_FMT "(%s) does not exist", STR_ARG(name), list.n ? list.p : "");
    }
    /* Only arithmetic and || are known to give NULL for NULL operands alone; #> and -> find nothing now and then. */
    bool nullable = true;
    if (f->nulls == NULL_STRICT && is_operator && strchr("+*/%|^&#", f->name[0]) && (!f->name[1] || strcmp(f->name, "||") == 0)) {
        nullable = false;
        for (int i = 0; i < args->n; i++) nullable |= args->at[i]->nullable;
    }
    Expr *e = expr_new(r, EXPR_FUNC, result, nullable, pos);
    e->function = f;
    e->args = *args;
    expr_collate_call(r, e);
    return e;
}

/* What an untyped operand next to `other` becomes under arithmetic: '1 day' beside a timestamp is an interval, else it takes the other's type. */
static Type arithmetic_partner(Operator op, Type other) {
    if (other.tag == TYPE_JSON) return TYPE(TEXT);   /* json - 'key' */
    if (type_is_datetime(other)) return op == OP_SUB || op == OP_ADD ? (other.tag == TYPE_DATE ? TYPE(UNKNOWN) : TYPE(INTERVAL)) : TYPE(UNKNOWN);
    return other;
}

static Expr *binary(Resolver *r, Operator op, Expr *a, Expr *b, Pos pos) {
    if (op == OP_ADD || op == OP_SUB || op == OP_MUL || op == OP_DIV || op == OP_MOD || op == OP_POW || op == OP_CONCAT) expr_adapt(r, &a, &b);
    switch (op) {
    case OP_EQ: case OP_NE: case OP_LT: case OP_LE: case OP_GT: case OP_GE: {
        Expr *by_items = row_compare(r, op, a, b, pos);
        return by_items ? by_items : expr_compare(r, op, a, b, pos);
    }
    case OP_REGEX: case OP_REGEX_I: case OP_NOT_REGEX: case OP_NOT_REGEX_I: {
        a = expr_coerce(r, expr_adapted(r, a, TYPE(TEXT)), TYPE(TEXT));
        b = expr_coerce(r, b, TYPE(TEXT));
        if ((a->type.tag != TYPE_UNKNOWN && !type_is_text(a->type)) || (b->type.tag != TYPE_UNKNOWN && !type_is_text(b->type)))
            no_operator(r, pos, operator_text(op), a->type, b->type);
        expr_refuse_collated(r, a, pos, "regular expressions");
        expr_refuse_collated(r, b, pos, "regular expressions");
        Expr *e = expr_new(r, EXPR_REGEX, TYPE(BOOL), a->nullable || b->nullable, pos);
        e->op = op == OP_REGEX || op == OP_NOT_REGEX ? OP_REGEX : OP_REGEX_I;
        e->negated = op == OP_NOT_REGEX || op == OP_NOT_REGEX_I;
        add_arg(r, e, a);
        add_arg(r, e, b);
        return e;
    }
    case OP_ADD: case OP_SUB: case OP_MUL: case OP_DIV: case OP_MOD: case OP_POW:
        if (!(is_untyped(a) && is_untyped(b))) {
            if (a->tag == EXPR_CONST) a = expr_coerce(r, a, arithmetic_partner(op, b->type));
            if (b->tag == EXPR_CONST) b = expr_coerce(r, b, op == OP_SUB && a->type.tag == TYPE_JSON ? TYPE(TEXT) : arithmetic_partner(op, a->type));
        }
        break;
    case OP_CONTAINS: case OP_CONTAINED: case OP_OVERLAP:
        meet(r, &a, &b);
        break;
    case OP_CONCAT:
        if (a->tag == EXPR_CONST) a = expr_coerce(r, a, b->type.tag == TYPE_JSON || b->type.tag == TYPE_BYTEA ? b->type : TYPE(TEXT));
        if (b->tag == EXPR_CONST) b = expr_coerce(r, b, a->type.tag == TYPE_JSON || a->type.tag == TYPE_BYTEA ? a->type : TYPE(TEXT));
        break;
    case OP_JSON_GET: case OP_JSON_GET_TEXT: case OP_JSON_PATH: case OP_JSON_PATH_TEXT: case OP_JSON_DELETE_PATH: case OP_HAS_KEY: case OP_HAS_ANY: case OP_HAS_ALL:
        if (b->tag == EXPR_CONST) b = expr_coerce(r, b, TYPE(TEXT));
        break;
    case OP_NONE: case OP_BIT_AND: case OP_BIT_OR: case OP_BIT_XOR: case OP_SHIFT_LEFT: case OP_SHIFT_RIGHT: case OP_NEG: case OP_POS: case OP_BIT_NOT: break;
    }
    Exprs args = {0};
    vec_push(r->cc->arena, &args, a);
    vec_push(r->cc->arena, &args, b);
    return call(r, str_from(operator_text(op)), &args, pos, true);
}

/* ---- functions, aggregates, windows ---- */

/* `shows`: the aggregate whose result is one of the sorted values themselves. */
static SortKeys *resolve_orders(Resolver *r, Scope *scope, const AstOrder *orders, int n, const char *shows) {
    if (!n) return NULL;
    SortKeys *keys = NEW(r->cc->arena, SortKeys);
    for (int i = 0; i < n; i++) {
        Expr *e = resolve_expr(r, scope, orders[i].expr);
        if (shows) expr_refuse_collated(r, e, e->pos, shows);
        SortKey key = resolve_sort_key(expr_collated(r, e), &orders[i]);
        vec_push(r->cc->arena, keys, key);
    }
    return keys;
}

SortKey resolve_sort_key(Expr *e, const AstOrder *o) {
    bool nulls_first = o->nulls == NULLS_FIRST || (o->nulls == NULLS_DEFAULT && !o->descending);
    return (SortKey){e, o->descending, nulls_first};
}

/* The nearest block whose columns are named (-1: none is); what a correlated subquery names isn't looked at. */
typedef struct Nearest { int level; bool correlated; } Nearest;

static Walk find_nearest(Expr *e, void *context) {
    Nearest *nearest = context;
    if (e->tag == EXPR_SUBLINK) nearest->correlated |= e->subquery->correlated;
    if (e->tag == EXPR_VAR && (nearest->level < 0 || e->level < nearest->level)) nearest->level = e->level;
    return WALK_ON;
}

/* An aggregate belongs to the nearest block whose columns its arguments name, be it an outer one: SELECT a.id FROM a GROUP BY a.id HAVING EXISTS (SELECT .. WHERE
 * b.n = SUM(a.n)). Then its expressions are put as that block sees them, and `level` says how far out it is (resolve_group.c). */
static Scope *find_owner(Resolver *r, Scope *scope, Expr *agg) {
    Nearest found = {.level = -1};
    for (int i = 0; i < agg->args.n; i++) expr_walk(agg->args.at[i], find_nearest, &found);
    expr_walk(agg->filter, find_nearest, &found);
    for (int i = 0; agg->order && i < agg->order->n; i++) expr_walk(agg->order->at[i].expr, find_nearest, &found);
    int nearest = found.level;
    if (nearest <= 0) return scope;
    if (found.correlated) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, agg->pos, "an aggregate over columns of an outer query alone is not supported with a correlated subquery in it");
    for (int i = 0; i < nearest; i++) scope = scope->outer;
    /* Copies: BETWEEN and the like hold one node twice. */
    for (int i = 0; i < agg->args.n; i++) agg->args.at[i] = expr_copy(r, agg->args.at[i], -nearest);
    if (agg->filter) agg->filter = expr_copy(r, agg->filter, -nearest);
    for (int i = 0; agg->order && i < agg->order->n; i++) agg->order->at[i].expr = expr_copy(r, agg->order->at[i].expr, -nearest);
    agg->level = nearest;
    return scope;
}

/* f(DISTINCT x ORDER BY y): one of the equal x would decide where they stand. */
static void check_distinct_aggregate(Resolver *r, const Expr *call_) {
    for (int i = 0; i < call_->order->n; i++) {
        bool found = false;
        for (int k = 0; k < call_->args.n && !found; k++) found = expr_equal(call_->order->at[i].expr, call_->args.at[k]);
        if (!found) fail(r->cc, SQM_ERROR_SYNTAX, call_->order->at[i].expr->pos, "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list");
    }
}

static Expr *resolve_aggregate(Resolver *r, Scope *scope, const AstExpr *e, const Aggregate *agg) {
    if (scope->in_aggregate) fail(r->cc, SQM_ERROR_GROUPING, e->pos, "aggregate function calls cannot be nested");
    bool windows = scope->windows;
    scope->in_aggregate = true;
    scope->windows = false;
    Expr *call_ = expr_new(r, EXPR_AGG, TYPE(UNKNOWN), true, e->pos);
    call_->aggregate = agg;
    call_->distinct = e->distinct;
    Type types[8];
    int n = 0;
    if (e->within_group) {
        /* WITHIN GROUP (ORDER BY x): the sorted value is the first argument, the direct ones follow. */
        call_->order = resolve_orders(r, scope, e->order.at, e->order.n, agg->name);
        for (int i = 0; call_->order && i < call_->order->n; i++) add_arg(r, call_, call_->order->at[i].expr);
    }
    if (e->args.n > 6) fail(r->cc, SQM_ERROR_UNDEFINED_FUNCTION, e->pos, "function %s with %d arguments does not exist", agg->name, e->args.n);
    for (int i = 0; i < e->args.n; i++) {
        Expr *arg = resolve_expr(r, scope, e->args.at[i]);
        if (arg->tag == EXPR_CONST) arg = expr_coerce(r, arg, TYPE(TEXT));
        add_arg(r, call_, arg);
    }
    if (!e->within_group) call_->order = resolve_orders(r, scope, e->order.at, e->order.n, NULL);
    if (e->distinct && !e->within_group && call_->order) check_distinct_aggregate(r, call_);
    if (e->filter) call_->filter = resolve_condition_expr(r, scope, e->filter);
    scope->in_aggregate = false;
    scope->windows = windows;
    for (; n < call_->args.n; n++) types[n] = call_->args.at[n]->type;
    if (n >= agg->min_args && !agg->type(types, n, &call_->type))
        for (int i = 0; i < n; i++) {
            call_->args.at[i] = expr_adapted(r, call_->args.at[i], TYPE(UNKNOWN));
            types[i] = call_->args.at[i]->type;
        }
    if (n < agg->min_args || (agg->max_args >= 0 && n > agg->max_args) || !agg->type(types, n, &call_->type) || (n == 0 && !e->star)) {
        char one[64] = "";
        if (n) type_name(types[0], one, sizeof one);
        fail_hint(r->cc, SQM_ERROR_UNDEFINED_FUNCTION, e->pos, "No function matches the given name and argument types. You might need to add explicit type casts.",
                  "function %s(%s%s) does not exist", agg->name, one, n > 1 ? ", ..." : "");
    }
    if (strcmp(agg->name, "count") == 0) call_->nullable = false;
    expr_collate_aggregate(r, call_);
    Scope *owner = find_owner(r, scope, call_);
    if (!owner->aggregates) fail(r->cc, SQM_ERROR_GROUPING, e->pos, "aggregate functions are not allowed in %s", owner->clause);
    if (owner->in_aggregate) fail(r->cc, SQM_ERROR_GROUPING, e->pos, "aggregate function calls cannot be nested");
    if (owner != scope) owner->query->grouped = true;
    return call_;
}

static bool same_window(const WindowDef *a, const WindowDef *b) {
    if (a->partition.n != b->partition.n || a->order.n != b->order.n || a->unit != b->unit || a->start != b->start || a->end != b->end || a->exclude != b->exclude)
        return false;
    if (!expr_equal(a->start_offset, b->start_offset) || !expr_equal(a->end_offset, b->end_offset)) return false;
    for (int i = 0; i < a->partition.n; i++)
        if (!expr_equal(a->partition.at[i], b->partition.at[i])) return false;
    for (int i = 0; i < a->order.n; i++)
        if (a->order.at[i].descending != b->order.at[i].descending || a->order.at[i].nulls_first != b->order.at[i].nulls_first ||
            !expr_equal(a->order.at[i].expr, b->order.at[i].expr))
            return false;
    return true;
}

/* The window of that name among the first `n`; a definition sees those before it. */
static const AstWindow *named_window(Resolver *r, const AstWindows *defined, int n, Str name, Pos pos) {
    for (int i = 0; i < n; i++)
        if (str_ieq(defined->at[i]->name, name)) return defined->at[i];
    fail(r->cc, SQM_ERROR_UNDEFINED_OBJECT, pos, "window \"" STR_FMT "\" does not exist", STR_ARG(name));
}

/* (base ...) adds to a window what that leaves open; OVER base takes it as it is. */
static void check_base(Resolver *r, const AstWindow *w, const AstWindow *base, const WindowDef *def) {
    if (w->partition.n) fail(r->cc, SQM_ERROR_WINDOWING, w->pos, "cannot override PARTITION BY clause of window \"" STR_FMT "\"", STR_ARG(base->name));
    if (w->order.n && def->order.n) fail(r->cc, SQM_ERROR_WINDOWING, w->pos, "cannot override ORDER BY clause of window \"" STR_FMT "\"", STR_ARG(base->name));
    if (base->unit != FRAME_NONE)
        fail_hint(r->cc, SQM_ERROR_WINDOWING, w->pos, "OVER and the name alone, without parentheses, takes the window with its frame.", "cannot copy window \"" STR_FMT "\" because it has a frame clause",
                  STR_ARG(base->name));
}

static Expr *frame_offset(Resolver *r, Scope *scope, const AstExpr *e, FrameUnit unit) {
    if (!e) return NULL;
    Expr *offset = resolve_expr(r, scope, e);
    if (!expr_is_constant(offset))
        fail(r->cc, SQM_ERROR_SYNTAX, e->pos, "argument of %s must not contain variables", unit == FRAME_ROWS ? "ROWS" : unit == FRAME_GROUPS ? "GROUPS" : "RANGE");
    return offset;
}

static void fill_window(Resolver *r, Scope *scope, const AstWindow *w, const AstWindows *defined, WindowDef *def) {
    int before = 0;
    while (defined && before < defined->n && defined->at[before] != w) before++;
    bool is_definition = defined && before < defined->n;
    Str name = w->base.n || is_definition ? w->base : w->name;
    if (name.n) {
        const AstWindow *base = named_window(r, defined, before, name, w->pos);
        fill_window(r, scope, base, defined, def);
        if (w->base.n) check_base(r, w, base, def);
    }
    for (int i = 0; i < w->partition.n; i++) {
        Expr *key = expr_collated(r, resolve_expr(r, scope, w->partition.at[i]));
        vec_push(r->cc->arena, &def->partition, key);
    }
    for (int i = 0; i < w->order.n; i++) {
        SortKey key = resolve_sort_key(expr_collated(r, resolve_expr(r, scope, w->order.at[i].expr)), &w->order.at[i]);
        vec_push(r->cc->arena, &def->order, key);
    }
    if (w->unit != FRAME_NONE) {
        def->unit = w->unit;
        def->start = w->start;
        def->end = w->end;
        def->exclude = w->exclude;
        def->start_offset = frame_offset(r, scope, w->start_offset, w->unit);
        def->end_offset = frame_offset(r, scope, w->end_offset, w->unit);
    }
}

static Type common_type(Resolver *r, Type common, const Expr *e, const char *what);
static Expr *to_common(Resolver *r, Expr *e, Type common);

static Expr *resolve_window(Resolver *r, Scope *scope, const AstExpr *e) {
    if (!scope->windows || scope->in_window || scope->in_aggregate)
        fail(r->cc, SQM_ERROR_WINDOWING, e->pos, scope->in_window ? "window function calls cannot be nested" : "window functions are not allowed in %s", scope->clause);
    Expr *w = expr_new(r, EXPR_WINDOW, TYPE(UNKNOWN), true, e->pos);
    int min_args = 0, max_args = 0;
    const Aggregate *agg = NULL;
    if (!window_function_find(e->name, &w->window_function, &min_args, &max_args)) {
        agg = aggregate_find(e->name);
        if (!agg) fail(r->cc, SQM_ERROR_UNDEFINED_FUNCTION, e->pos, "window function " STR_FMT " does not exist", STR_ARG(e->name));
        w->window_function = WINDOW_AGGREGATE;
        min_args = agg->min_args;
        max_args = agg->max_args;
        if (e->distinct) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, e->pos, "DISTINCT is not implemented for window functions");
        if (e->order.n) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, e->pos, "aggregate ORDER BY is not implemented for window functions");
    } else if (e->distinct || e->filter) {
        fail(r->cc, SQM_ERROR_NOT_SUPPORTED, e->pos, "DISTINCT and FILTER are not implemented for non-aggregate window functions");
    }
    if (e->args.n < min_args || (max_args >= 0 && e->args.n > max_args) || e->args.n > 8)
        fail(r->cc, SQM_ERROR_UNDEFINED_FUNCTION, e->pos, "function " STR_FMT " with %d arguments does not exist", STR_ARG(e->name), e->args.n);
    w->aggregate = agg;
    scope->in_window = true;
    Type types[8];
    for (int i = 0; i < e->args.n; i++) {
        add_arg(r, w, resolve_expr(r, scope, e->args.at[i]));
        types[i] = w->args.at[i]->type;
    }
    if (e->filter) w->filter = resolve_condition_expr(r, scope, e->filter);
    WindowDef def = {.unit = FRAME_RANGE, .start = BOUND_UNBOUNDED_PRECEDING, .end = BOUND_CURRENT_ROW};
    const AstWindows *defined = (const AstWindows *)scope->query->ast_windows;
    fill_window(r, scope, e->over, defined, &def);
    scope->in_window = false;
    if (def.unit == FRAME_GROUPS && def.order.n == 0)
        fail(r->cc, SQM_ERROR_WINDOWING, e->pos, "GROUPS mode requires an ORDER BY clause");
    if (def.unit == FRAME_RANGE && (def.start_offset || def.end_offset) && def.order.n != 1)
        fail(r->cc, SQM_ERROR_WINDOWING, e->pos, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column");
    Query *q = scope->query;
    w->window = -1;
    for (int i = 0; i < q->window_defs.n && w->window < 0; i++)
        if (same_window(&q->window_defs.at[i], &def)) w->window = i;
    if (w->window < 0) {
        vec_push(r->cc->arena, &q->window_defs, def);
        w->window = q->window_defs.n - 1;
    }
    switch (w->window_function) {
    case WINDOW_AGGREGATE:
        if (!agg->type(types, e->args.n, &w->type))
            fail(r->cc, SQM_ERROR_UNDEFINED_FUNCTION, e->pos, "function " STR_FMT " does not accept these argument types", STR_ARG(e->name));
        w->nullable = strcmp(agg->name, "count") != 0;
        expr_collate_window(r, w);
        break;
    case WINDOW_ROW_NUMBER: case WINDOW_RANK: case WINDOW_DENSE_RANK: case WINDOW_NTILE:
        w->type = TYPE(INT8);
        w->nullable = w->window_function == WINDOW_NTILE;
        break;
    case WINDOW_PERCENT_RANK: case WINDOW_CUME_DIST:
        w->type = TYPE(FLOAT8);
        w->nullable = false;
        break;
    case WINDOW_LAG: case WINDOW_LEAD: case WINDOW_FIRST_VALUE: case WINDOW_LAST_VALUE: case WINDOW_NTH_VALUE:
        w->type = types[0];
        if (w->args.n > 2) {       /* the default beyond the partition */
            w->type = common_type(r, types[0], w->args.at[2], "LAG or LEAD");
            w->args.at[0] = to_common(r, w->args.at[0], w->type);
            w->args.at[2] = to_common(r, w->args.at[2], w->type);
        }
        break;
    }
    return w;
}

static bool name_is(Str name, const char *z) { return str_ieq(name, str_from(z)); }

static bool is_set_returning(Str name) {
    static const char *const names[] = {"generate_series", "unnest", "json_array_elements", "jsonb_array_elements", "json_array_elements_text", "jsonb_array_elements_text",
                                        "json_each", "jsonb_each", "json_each_text", "jsonb_each_text", "json_object_keys", "jsonb_object_keys", "regexp_split_to_table"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (name_is(name, names[i])) return true;
    return false;
}

static Expr *coalesce(Resolver *r, Scope *scope, const AstExpr *e, const char *what);

/* The function compares by code point. */
static Expr *null_if(Resolver *r, const Exprs *args, Pos pos) {
    Expr *c = expr_new(r, EXPR_CASE, expr_meet_collations(r, args->at[0]->type, args->at[0]->type, args->at[1]->type, pos), true, pos);
    add_arg(r, c, expr_compare(r, OP_EQ, args->at[0], args->at[1], pos));
    add_arg(r, c, expr_const(r, sqm_null(), c->type, pos));
    add_arg(r, c, args->at[0]);
    return c;
}

static Expr *resolve_function(Resolver *r, Scope *scope, const AstExpr *e) {
    if (e->over) return resolve_window(r, scope, e);
    const Aggregate *agg = aggregate_find(e->name);
    if (agg) return resolve_aggregate(r, scope, e, agg);
    WindowFunction ignored;
    int lo, hi;
    if (window_function_find(e->name, &ignored, &lo, &hi))
        fail(r->cc, SQM_ERROR_WINDOWING, e->pos, "window function " STR_FMT " requires an OVER clause", STR_ARG(e->name));
    if (e->distinct || e->filter || e->star || e->order.n)
        fail(r->cc, SQM_ERROR_UNDEFINED_FUNCTION, e->pos, "DISTINCT, FILTER, ORDER BY or * given, but " STR_FMT " is not an aggregate function", STR_ARG(e->name));
    if (resolve_is_json_call(e->name)) return resolve_json_call(r, scope, e);
    if (name_is(e->name, "coalesce")) return coalesce(r, scope, e, "COALESCE");
    if (name_is(e->name, "grouping") && !scope->aggregates) fail(r->cc, SQM_ERROR_GROUPING, e->pos, "grouping operations are not allowed in %s", scope->clause);
    if (is_set_returning(e->name)) return resolve_select_set(r, scope, e);
    Exprs args = {0};
    for (int i = 0; i < e->args.n; i++) {
        Expr *arg = resolve_expr(r, scope, e->args.at[i]);
        if (arg->tag == EXPR_ROW && !name_is(e->name, "row")) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, arg->pos, "a row value is not supported as an argument");
        vec_push(r->cc->arena, &args, arg);
    }
    bool unify = name_is(e->name, "greatest") || name_is(e->name, "least") || name_is(e->name, "nullif");
    if (unify) {
        Type common = TYPE(UNKNOWN);
        for (int i = 0; i < args.n; i++)
            if (!is_untyped(args.at[i]) && !type_common(common, args.at[i]->type, &common))
                no_operator(r, e->pos, "=", common, args.at[i]->type);
        for (int i = 0; i < args.n; i++) args.at[i] = name_is(e->name, "nullif") ? expr_coerce(r, args.at[i], common) : to_common(r, args.at[i], common);
        TypeTag as = args.n == 2 ? compared_as(args.at[0]->type, args.at[1]->type) : TYPE_UNKNOWN;
        for (int i = 0; as != TYPE_UNKNOWN && i < args.n; i++)
            if (changes(args.at[i]->type)) args.at[i] = cast_to(r, args.at[i], as);
    }
    bool by_collation = name_is(e->name, "nullif") && args.n == 2 && (args.at[0]->type.collation > COLLATION_C || args.at[1]->type.collation > COLLATION_C);
    if (by_collation) return null_if(r, &args, e->pos);
    bool of_array = (e->name.n > 6 && memcmp(e->name.p, "array_", 6) == 0) || name_is(e->name, "cardinality");
    for (int i = 0; of_array && i < args.n; i++) args.at[i] = expr_adapted(r, args.at[i], i == name_is(e->name, "array_prepend") || name_is(e->name, "array_cat") ? TYPE(ARRAY) : TYPE(UNKNOWN));
    if (of_array)       /* items take the type of the array's */
        for (int i = 0, array = name_is(e->name, "array_prepend"); i < args.n && array < args.n; i++)
            if (i != array && args.at[array]->type.tag == TYPE_ARRAY && args.at[array]->type.element != TYPE_UNKNOWN && !name_is(e->name, "array_to_string") && args.at[i]->type.tag == TYPE_UNKNOWN)
                args.at[i] = expr_coerce(r, args.at[i], name_is(e->name, "array_cat") ? args.at[array]->type : type_of(args.at[array]->type.element));
    Expr *f = call(r, e->name, &args, e->pos, false);
    if (f->function->volatility == VOLATILE) scope->query->is_volatile = true;
    return f;
}

/* ---- CASE, COALESCE ---- */

static Expr *to_common(Resolver *r, Expr *e, Type common) {
    if (is_untyped(e)) return expr_coerce(r, e, common);
    /* Values carry their own tags, so only a change of representation (int to numeric, date to timestamp) needs a CAST. */
    bool same_family = (type_is_text(e->type) && type_is_text(common)) || (type_is_integer(e->type) && type_is_integer(common)) || e->type.tag == TYPE_UNKNOWN ||
                       common.tag == TYPE_UNKNOWN || e->type.tag == common.tag;
    if (same_family) return e;
    common.length = common.scale = -1;
    return expr_cast(r, e, common);
}

static Type common_type(Resolver *r, Type a, const Expr *e, const char *what) {
    Type out = a;
    if (is_untyped(e) && !(e->tag == EXPR_CONST && e->value.type != SQM_TEXT && e->value.type != SQM_NULL)) return expr_meet_collations(r, a, a, e->type, e->pos);
    if (!type_common(a, e->type, &out)) {
        char left[64], right[64];
        fail(r->cc, SQM_ERROR_DATATYPE_MISMATCH, e->pos, "%s types %s and %s cannot be matched", what, type_name(a, left, sizeof left), type_name(e->type, right, sizeof right));
    }
    return expr_meet_collations(r, out, a, e->type, e->pos);
}

static Expr *coalesce(Resolver *r, Scope *scope, const AstExpr *e, const char *what) {
    Expr *c = expr_new(r, EXPR_COALESCE, TYPE(UNKNOWN), true, e->pos);
    bool select_sets = scope->select_sets;
    scope->select_sets = false;
    for (int i = 0; i < e->args.n; i++) {
        add_arg(r, c, resolve_expr(r, scope, e->args.at[i]));
        c->type = common_type(r, c->type, c->args.at[i], what);
    }
    scope->select_sets = select_sets;
    for (int i = 0; i < c->args.n; i++) {
        c->args.at[i] = to_common(r, c->args.at[i], c->type);
        if (!c->args.at[i]->nullable) c->nullable = false;
    }
    return c;
}

Expr *resolve_using(Resolver *r, JoinKind join, Expr *left, Expr *right, Pos pos) {
    Type common = common_type(r, left->type, right, "JOIN/USING");
    Expr *a = to_common(r, left, common), *b = to_common(r, right, common);
    if (join != JOIN_FULL) return join == JOIN_RIGHT ? b : a;
    Expr *c = expr_new(r, EXPR_COALESCE, common, true, pos);
    add_arg(r, c, a);
    add_arg(r, c, b);
    return c;
}

static Expr *resolve_case(Resolver *r, Scope *scope, const AstExpr *e) {
    Expr *c = expr_new(r, EXPR_CASE, TYPE(UNKNOWN), false, e->pos);
    bool select_sets = scope->select_sets;
    scope->select_sets = false;
    Expr *operand = e->args.n ? resolve_expr(r, scope, e->args.at[0]) : NULL;
    for (int i = 0; i < e->arms.n; i++) {
        Expr *when = operand ? expr_compare(r, OP_EQ, operand, resolve_expr(r, scope, e->arms.at[i].when), e->arms.at[i].when->pos)
                             : resolve_condition_expr(r, scope, e->arms.at[i].when);
        add_arg(r, c, when);
        add_arg(r, c, resolve_expr(r, scope, e->arms.at[i].then));
    }
    add_arg(r, c, e->otherwise ? resolve_expr(r, scope, e->otherwise) : expr_const(r, sqm_null(), TYPE(UNKNOWN), e->pos));
    scope->select_sets = select_sets;
    for (int i = 1; i < c->args.n; i += 2) c->type = common_type(r, c->type, c->args.at[i], "CASE");
    c->type = common_type(r, c->type, c->args.at[c->args.n - 1], "CASE");
    for (int i = 0; i < c->args.n; i++)
        if (i % 2 == 1 || i == c->args.n - 1) {
            c->args.at[i] = to_common(r, c->args.at[i], c->type);
            c->nullable |= c->args.at[i]->nullable;
        }
    return c;
}

/* ---- subqueries ---- */

/* `width`: the columns that a scalar subquery must have, 1 but beside a row. */
static Expr *sublink(Resolver *r, Scope *scope, SublinkKind kind, const AstSelect *select, int width, Pos pos) {
    enter(r->cc, pos);
    bool was_in_sublink = scope->in_sublink;
    scope->in_sublink = true;
    Query *q = resolve_select(r, select, scope);
    scope->in_sublink = was_in_sublink;
    leave(r->cc);
    Expr *e = expr_new(r, EXPR_SUBLINK, TYPE(BOOL), kind != SUBLINK_EXISTS, pos);
    e->sublink = kind;
    e->subquery = q;
    e->number = r->out->sublinks.n;
    vec_push(r->cc->arena, &r->out->sublinks, e);
    if (q->is_volatile) scope->query->is_volatile = true;
    if (kind == SUBLINK_SCALAR || kind == SUBLINK_ARRAY) {
        if (q->n_visible != width) {
            if (width == 1) fail(r->cc, SQM_ERROR_SYNTAX, pos, "subquery must return only one column");
            fail(r->cc, SQM_ERROR_SYNTAX, pos, "subquery has too %s columns", q->n_visible > width ? "many" : "few");
        }
        e->type = width == 1 ? type_as_column(q->targets.at[0].expr->type) : TYPE(ROW);
        if (kind == SUBLINK_ARRAY) expr_refuse_collated(r, e, pos, "ARRAY");
        if (kind == SUBLINK_ARRAY) e->type = type_array(e->type.tag);
    }
    return e;
}

Expr *resolve_row_subquery(Resolver *r, Scope *scope, const AstExpr *e, int width) { return sublink(r, scope, SUBLINK_SCALAR, e->select, width, e->pos); }

Expr *expr_item(Resolver *r, Expr *row_subquery, int i) {
    const Target *t = &row_subquery->subquery->targets.at[i];
    Expr *item = expr_new(r, EXPR_FUNC, t->expr->type, true, t->expr->pos);
    item->function = function_find(STR("row item"), 2);
    add_arg(r, item, row_subquery);
    add_arg(r, item, expr_const(r, sqm_int(i), TYPE(INT4), item->pos));
    return item;
}

/* What is compared with a column of the subquery; one of them is cast where it must be. */
static Expr *meet_target(Resolver *r, Expr *mine, Query *q, int i) {
    Target *t = &q->targets.at[i];
    mine = expr_coerce(r, mine, t->expr->type);
    TypeTag as = compared_as(mine->type, t->expr->type);
    if (as == TYPE_UNKNOWN) return mine;
    if (changes(mine->type)) return cast_to(r, mine, as);
    if (q->set_op != SET_NONE) {        /* its operands are cast to its targets' types */
        t->expr->type = type_collate(type_of(as), t->expr->type, t->expr->type);
    } else {
        t->expr = cast_to(r, t->expr, as);
        t->slot = q->n_slots++;
    }
    return mine;
}

static Expr *quantified(Resolver *r, Scope *scope, const AstExpr *e, SublinkKind kind, Operator op) {
    Expr *operand = resolve_expr(r, scope, e->args.at[0]);
    Expr *link = sublink(r, scope, kind, e->select, 0, e->pos);
    int width = operand->tag == EXPR_ROW ? operand->args.n : 1;
    if (link->subquery->n_visible != width)
        fail(r->cc, SQM_ERROR_SYNTAX, e->pos, "subquery has too %s columns", link->subquery->n_visible > width ? "many" : "few");
    for (int i = 0; i < width; i++) {
        Expr *mine = operand->tag == EXPR_ROW ? operand->args.at[i] : operand;
        Type theirs = link->subquery->targets.at[i].expr->type;
        mine = expr_adapted(r, mine, theirs);
        if (!is_untyped(mine) && !comparable(mine->type, theirs)) no_operator(r, e->pos, operator_text(op), mine->type, theirs);
        mine = meet_target(r, mine, link->subquery, i);
        expr_collate_column(r, &mine, link->subquery, i, e->pos);
        if (operand->tag == EXPR_ROW) operand->args.at[i] = mine;
        else operand = mine;
    }
    link->op = op;
    link->type = TYPE(BOOL);
    add_arg(r, link, operand);
    link->nullable = operand->nullable;
    for (int i = 0; i < width; i++) link->nullable |= link->subquery->targets.at[i].expr->nullable;
    return link;
}

static bool is_comparison(Operator op) { return op == OP_EQ || op == OP_NE || op == OP_LT || op == OP_LE || op == OP_GT || op == OP_GE; }

/* (a, b) = (SELECT x, y ...): a scalar subquery whose one row is a value; none is NULL. */
static Expr *row_against_subquery(Resolver *r, Scope *scope, const AstExpr *e) {
    Expr *row = resolve_expr(r, scope, e->args.at[0]);
    Expr *link = resolve_row_subquery(r, scope, e->args.at[1], row->args.n);
    for (int i = 0; i < row->args.n; i++) {
        Type theirs = link->subquery->targets.at[i].expr->type;
        row->args.at[i] = meet_target(r, row->args.at[i], link->subquery, i);
        if (!comparable(row->args.at[i]->type, theirs)) no_operator(r, e->pos, operator_text(e->op), row->args.at[i]->type, theirs);
        expr_refuse_collated(r, row->args.at[i], e->pos, "comparing a row with a subquery's");
        expr_refuse_collated(r, link->subquery->targets.at[i].expr, e->pos, "comparing a row with a subquery's");
    }
    Expr *compare = expr_new(r, EXPR_COMPARE, TYPE(BOOL), true, e->pos);
    compare->op = e->op;
    add_arg(r, compare, row);
    add_arg(r, compare, link);
    return compare;
}

Expr *expr_negate(Resolver *r, Expr *e, bool negated, Pos pos) {
    if (!negated) return e;
    Expr *not_ = expr_new(r, EXPR_NOT, TYPE(BOOL), e->nullable, pos);
    add_arg(r, not_, e);
    return not_;
}

Type resolve_type(Resolver *r, const AstType *t) {
    Type type;
    if (!type_from_name(t->name, t->modifiers[0], t->modifiers[1], &type))
        fail(r->cc, SQM_ERROR_UNDEFINED_OBJECT, t->pos, "type \"" STR_FMT "\" does not exist", STR_ARG(t->name));
    return t->is_array ? type_array(type.tag) : type;
}

/* ---- the switch ---- */

Expr *resolve_condition_expr(Resolver *r, Scope *scope, const AstExpr *e) {
    Expr *c = expr_adapted(r, resolve_expr(r, scope, e), TYPE(BOOL));
    if (c->type.tag == TYPE_UNKNOWN) return expr_coerce(r, c, TYPE(BOOL));
    if (c->type.tag != TYPE_BOOL) {
        char name[64];
        fail(r->cc, SQM_ERROR_DATATYPE_MISMATCH, e->pos, "argument of %s must be type boolean, not type %s", scope->clause, type_name(c->type, name, sizeof name));
    }
    return c;
}

/* meet_types() for x IN (a, b ...): x is the same for all. */
static void meet_items(Resolver *r, Expr *in) {
    Expr **operand = &in->args.at[0];
    for (int i = 1; i < in->args.n; i++) {
        TypeTag as = compared_as((*operand)->type, in->args.at[i]->type);
        if (as != TYPE_UNKNOWN && changes((*operand)->type) && !(as == TYPE_FLOAT8 && expr_is_constant(in->args.at[i]))) *operand = cast_to(r, *operand, as);
    }
    for (int i = 1; i < in->args.n; i++) meet_types(r, operand, &in->args.at[i]);
}

static Expr *in_list(Resolver *r, Scope *scope, const AstExpr *e) {
    Expr *in = expr_new(r, EXPR_IN, TYPE(BOOL), false, e->pos);
    in->negated = e->negated;
    Expr *operand = resolve_expr(r, scope, e->args.at[0]);
    add_arg(r, in, operand);
    in->nullable = operand->nullable;
    for (int i = 1; i < e->args.n; i++) {
        Expr *item = resolve_expr(r, scope, e->args.at[i]);
        if (operand->adapts) {      /* the first item says which type */
            expr_adapt(r, &operand, &item);
            in->args.at[0] = operand;
        } else if (operand->type.tag == TYPE_UNKNOWN && operand->tag == EXPR_FUNC) expr_adapt(r, &operand, &item);
        if (operand->tag == EXPR_ROW && item->tag == EXPR_ROW) {
            if (operand->args.n != item->args.n) fail(r->cc, SQM_ERROR_SYNTAX, item->pos, "unequal number of entries in row expressions");
            for (int k = 0; k < item->args.n; k++) item->args.at[k] = expr_coerce(r, item->args.at[k], operand->args.at[k]->type);
        } else {
            item = expr_coerce(r, item, operand->type);
            if (!comparable(operand->type, item->type)) no_operator(r, item->pos, "=", operand->type, item->type);
        }
        add_arg(r, in, item);
        in->nullable |= item->nullable || item->tag == EXPR_PARAM || item->tag == EXPR_CAST;
    }
    meet_items(r, in);
    expr_collate_list(r, &in->args);
    return row_in(r, in);
}

static Expr *is_text_or_unknown(Resolver *r, Expr *e, Operator op, Pos pos) {
    e = expr_coerce(r, e, TYPE(TEXT));
    if (e->type.tag != TYPE_UNKNOWN && !type_is_text(e->type)) no_operator(r, pos, operator_text(op), e->type, TYPE(TEXT));
    return e;
}

static Expr *like(Resolver *r, Scope *scope, const AstExpr *e) {
    Expr *l = expr_new(r, EXPR_LIKE, TYPE(BOOL), false, e->pos);
    l->like = e->like;
    l->negated = e->negated;
    for (int i = 0; i < e->args.n; i++) {
        Expr *arg = expr_coerce(r, expr_adapted(r, resolve_expr(r, scope, e->args.at[i]), TYPE(TEXT)), TYPE(TEXT));
        if (arg->type.tag != TYPE_UNKNOWN && !type_is_text(arg->type)) {
            char name[64];
            fail_hint(r->cc, SQM_ERROR_UNDEFINED_FUNCTION, e->pos, "No operator matches these types. You might need to add explicit type casts.",
                      "operator does not exist: %s LIKE text", type_name(arg->type, name, sizeof name));
        }
        expr_refuse_collated(r, arg, e->pos, l->like == LIKE_LIKE ? "LIKE" : l->like == LIKE_ILIKE ? "ILIKE" : "regular expressions");
        add_arg(r, l, arg);
        l->nullable |= arg->nullable || arg->tag == EXPR_PARAM;
    }
    return l;
}

static Expr *between(Resolver *r, Scope *scope, const AstExpr *e) {
    Expr *x = resolve_expr(r, scope, e->args.at[0]), *lo = resolve_expr(r, scope, e->args.at[1]), *hi = resolve_expr(r, scope, e->args.at[2]);
    Expr *inside = expr_and(r, expr_compare(r, OP_GE, x, lo, e->pos), expr_compare(r, OP_LE, x, hi, e->pos));
    if (e->distinct) {   /* SYMMETRIC: either way round, also as far as NULLs are concerned */
        Expr *either = expr_new(r, EXPR_OR, TYPE(BOOL), inside->nullable, e->pos);
        add_arg(r, either, inside);
        add_arg(r, either, expr_and(r, expr_compare(r, OP_GE, x, hi, e->pos), expr_compare(r, OP_LE, x, lo, e->pos)));
        inside = either;
    }
    return expr_negate(r, inside, e->negated, e->pos);
}

Expr *resolve_expr(Resolver *r, Scope *scope, const AstExpr *e) {
    enter(r->cc, e->pos);
    Expr *out = NULL;
    switch (e->tag) {
    case AST_LITERAL: {
        Type t = TYPE(UNKNOWN);
        switch ((sqm_type_t)e->literal.type) {
        case SQM_BOOL: t = TYPE(BOOL); break;
        case SQM_INT: t = e->literal.u.i >= INT32_MIN && e->literal.u.i <= INT32_MAX ? TYPE(INT4) : TYPE(INT8); break;
        case SQM_DECIMAL: t = TYPE(NUMERIC); break;
        case SQM_DOUBLE: t = TYPE(FLOAT8); break;
        case SQM_BYTES: t = TYPE(BYTEA); break;
        case SQM_NULL: case SQM_TEXT: case SQM_DATE: case SQM_TIME: case SQM_TIMESTAMP: case SQM_INTERVAL: case SQM_UUID: case SQM_OBJECTID: case SQM_JSON:
        case SQM_BSON: case SQM_TUPLE: break;
        }
        out = expr_const(r, e->literal, t, e->pos);
        break;
    }
    case AST_PARAMETER:
        out = e == r->counted ? expr_new(r, EXPR_PARAM, TYPE(INT8), false, e->pos) : expr_new(r, EXPR_PARAM, TYPE(UNKNOWN), true, e->pos);
        out->number = e->parameter;
        break;
    case AST_COLUMN: out = resolve_column(r, scope, e->qualifier, e->name, e->pos); break;
    case AST_STAR: fail(r->cc, SQM_ERROR_SYNTAX, e->pos, "* is not allowed here");
    case AST_UNARY: {
        Exprs args = {0};
        vec_push(r->cc->arena, &args, resolve_expr(r, scope, e->args.at[0]));
        out = call(r, e->op == OP_NEG ? STR("-") : e->op == OP_POS ? STR("+") : STR("~"), &args, e->pos, true);
        break;
    }
    case AST_BINARY: {
        if (is_comparison(e->op) && e->args.at[0]->tag == AST_ROW && e->args.at[0]->args.n > 1 && e->args.at[1]->tag == AST_SUBQUERY) {
            out = row_against_subquery(r, scope, e);
            break;
        }
        Expr *a = resolve_expr(r, scope, e->args.at[0]);
        Expr *b = resolve_expr(r, scope, e->args.at[1]);
        out = binary(r, e->op, a, b, e->pos);
        break;
    }
    case AST_AND: case AST_OR:
        out = expr_new(r, e->tag == AST_AND ? EXPR_AND : EXPR_OR, TYPE(BOOL), false, e->pos);
        for (int i = 0; i < e->args.n; i++) {
            add_arg(r, out, resolve_condition_expr(r, scope, e->args.at[i]));
            out->nullable |= out->args.at[i]->nullable;
        }
        break;
    case AST_NOT: out = expr_negate(r, resolve_condition_expr(r, scope, e->args.at[0]), true, e->pos); break;
    case AST_IS:
        out = expr_new(r, EXPR_IS, TYPE(BOOL), false, e->pos);
        out->is = e->is;
        out->negated = e->negated;
        add_arg(r, out, e->is == IS_NULL ? resolve_expr(r, scope, e->args.at[0]) : resolve_condition_expr(r, scope, e->args.at[0]));
        break;
    case AST_IS_DISTINCT: {
        Expr *cmp = expr_compare(r, OP_EQ, resolve_expr(r, scope, e->args.at[0]), resolve_expr(r, scope, e->args.at[1]), e->pos);
        cmp->tag = EXPR_DISTINCT;
        cmp->negated = e->negated;
        cmp->nullable = false;
        out = cmp;
        break;
    }
    case AST_BETWEEN: out = between(r, scope, e); break;
    case AST_IN_LIST: out = in_list(r, scope, e); break;
    case AST_IN_SELECT: out = expr_negate(r, quantified(r, scope, e, SUBLINK_ANY, OP_EQ), e->negated, e->pos); break;
    case AST_QUANTIFIED:
        if (e->select) {
            out = quantified(r, scope, e, e->distinct ? SUBLINK_ALL : SUBLINK_ANY, e->op);
        } else {
            /* x op ANY(array): the array is unpacked by the function of that name. */
            Exprs args = {0};
            vec_push(r->cc->arena, &args, resolve_expr(r, scope, e->args.at[0]));
            vec_push(r->cc->arena, &args, resolve_expr(r, scope, e->args.at[1]));
            Str name = arena_printf(r->cc->arena, "%s %s", operator_text(e->op), e->distinct ? "all" : "any");
            Type item = args.at[0]->tag == EXPR_CONST && is_untyped(args.at[0]) ? TYPE(TEXT) : args.at[0]->type;
            args.at[1] = expr_adapted(r, args.at[1], type_array(item.tag));
            if (args.at[1]->type.tag == TYPE_ARRAY && args.at[1]->type.element != TYPE_UNKNOWN) args.at[0] = expr_coerce(r, args.at[0], type_of(args.at[1]->type.element));
            Type array = args.at[1]->type;
            if (is_float(args.at[0]->type) && array.element == TYPE_NUMERIC) args.at[1] = expr_cast(r, args.at[1], type_array(TYPE_FLOAT8));
            if (args.at[0]->type.tag == TYPE_NUMERIC && (array.element == TYPE_FLOAT4 || array.element == TYPE_FLOAT8)) args.at[0] = cast_to(r, args.at[0], TYPE_FLOAT8);
            if (!function_find(name, 2)) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, e->pos, "%s with an array is not supported", e->distinct ? "ALL" : "ANY");
            out = call(r, name, &args, e->pos, false);
        }
        break;
    case AST_EXISTS: out = sublink(r, scope, SUBLINK_EXISTS, e->select, 0, e->pos); break;
    case AST_SUBQUERY: out = resolve_row_subquery(r, scope, e, 1); break;
    case AST_ARRAY_SELECT: out = sublink(r, scope, SUBLINK_ARRAY, e->select, 1, e->pos); break;
    case AST_LIKE: out = like(r, scope, e); break;
    case AST_CASE: out = resolve_case(r, scope, e); break;
    case AST_CAST: {
        Type to = resolve_type(r, e->type);
        Expr *operand = resolve_expr(r, scope, e->args.at[0]);
        if (!cast_exists(operand->type, to)) {
            char from[64], into[64];
            fail(r->cc, SQM_ERROR_DATATYPE_MISMATCH, e->pos, "cannot cast type %s to %s", type_name(operand->type, from, sizeof from), type_name(to, into, sizeof into));
        }
        if (type_is_text(operand->type)) to = type_collate(to, operand->type, TYPE(TEXT));
        out = expr_cast(r, operand, to);
        out->pos = e->pos;
        if (operand->tag == EXPR_PARAM) out->nullable = true;
        break;
    }
    case AST_FUNCTION: out = resolve_function(r, scope, e); break;
    case AST_ROW: case AST_ARRAY: {
        out = expr_new(r, e->tag == AST_ROW ? EXPR_ROW : EXPR_ARRAY, e->tag == AST_ROW ? TYPE(ROW) : TYPE(ARRAY), false, e->pos);
        Type element = TYPE(UNKNOWN);
        for (int i = 0; i < e->args.n; i++) {
            add_arg(r, out, resolve_expr(r, scope, e->args.at[i]));
            if (e->tag == AST_ARRAY) expr_refuse_collated(r, out->args.at[i], out->args.at[i]->pos, "ARRAY");
            if (e->tag == AST_ARRAY) element = common_type(r, element, out->args.at[i], "ARRAY");
        }
        if (e->tag == AST_ARRAY) {
            for (int i = 0; i < out->args.n; i++) out->args.at[i] = to_common(r, out->args.at[i], element);
            out->type.element = element.tag;
        }
        break;
    }
    case AST_SUBSCRIPT: {
        Exprs args = {0};
        if (e->args.n > 2) {        /* a[low:high]; an absent bound is the array's own */
            for (int i = 0; i < 3; i++) {
                Expr *arg = e->args.at[i] ? resolve_expr(r, scope, e->args.at[i]) : expr_const(r, sqm_int(i == 1 ? 1 : INT32_MAX), TYPE(INT4), e->pos);
                if (i == 0) arg = expr_adapted(r, arg, TYPE(ARRAY));
                if (i > 0 && arg->tag == EXPR_CONST) arg = expr_coerce(r, arg, TYPE(INT4));
                vec_push(r->cc->arena, &args, arg);
            }
            out = call(r, STR("[:]"), &args, e->pos, false);
            break;
        }
        vec_push(r->cc->arena, &args, resolve_expr(r, scope, e->args.at[0]));
        vec_push(r->cc->arena, &args, resolve_expr(r, scope, e->args.at[1]));
        if (args.at[0]->adapts && args.at[1]->tag == EXPR_CONST) {      /* inside a document: counted from 0, as in JSON */
            out = expr_step(r, args.at[0], args.at[1], e->pos);
            if (out) break;
        }
        if (!function_find(STR("[]"), 2)) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, e->pos, "array subscripts are not supported");
        out = call(r, STR("[]"), &args, e->pos, false);
        break;
    }
    case AST_FIELD: {
        Exprs args = {0};
        vec_push(r->cc->arena, &args, resolve_expr(r, scope, e->args.at[0]));
        if (expr_has_fields(args.at[0])) { out = expr_field(r, args.at[0], e->name, e->pos); break; }
        vec_push(r->cc->arena, &args, expr_const(r, sqm_text(e->name.p, e->name.n), TYPE(TEXT), e->pos));
        out = call(r, STR("->"), &args, e->pos, true);
        break;
    }
    case AST_COLLATE: {
        Collation collation = resolve_collation(r->cc, e->name, e->pos);
        out = expr_collate(r, is_text_or_unknown(r, resolve_expr(r, scope, e->args.at[0]), OP_EQ, e->pos), collation);
        break;
    }
    case AST_DEFAULT: fail(r->cc, SQM_ERROR_SYNTAX, e->pos, "DEFAULT is not allowed in this context");
    case AST_GROUPING_SETS: case AST_ROLLUP: case AST_CUBE: fail(r->cc, SQM_ERROR_SYNTAX, e->pos, "%s is allowed in GROUP BY only", ast_expr_name(e->tag));
    }
    leave(r->cc);
    return out;
}

/* ---- FROM f(...) ---- */

static void add_column(Resolver *r, Rel *rel, const char *name, Type type) {
    RelColumn c = {.name = str_from(name), .type = type, .nullable = true, .slot = -1};
    vec_push(r->cc->arena, &rel->columns, c);
}

Expr *resolve_set_function(Resolver *r, Scope *scope, const AstExpr *e, Rel *rel) {
    if (e->tag != AST_FUNCTION || !is_set_returning(e->name))
        fail(r->cc, SQM_ERROR_NOT_SUPPORTED, e->pos, "only set-returning functions are supported in FROM");
    Exprs args = {0};
    for (int i = 0; i < e->args.n; i++) {
        Expr *arg = resolve_expr(r, scope, e->args.at[i]);
        if (name_is(e->name, "unnest")) arg = expr_adapted(r, arg, TYPE(ARRAY));
        if (name_is(e->name, "regexp_split_to_table")) expr_refuse_collated(r, arg, e->pos, "regexp_split_to_table");
        vec_push(r->cc->arena, &args, arg);
    }
    int min = name_is(e->name, "generate_series") || name_is(e->name, "regexp_split_to_table") ? 2 : 1;
    int max = name_is(e->name, "generate_series") || name_is(e->name, "regexp_split_to_table") ? 3 : 1;
    if (args.n < min || args.n > max) fail(r->cc, SQM_ERROR_UNDEFINED_FUNCTION, e->pos, "function " STR_FMT " with %d arguments does not exist", STR_ARG(e->name), args.n);
    Type value = TYPE(JSON);
    if (name_is(e->name, "generate_series")) {
        value = args.at[0]->type.tag == TYPE_UNKNOWN ? args.at[1]->type : args.at[0]->type;
        if (args.n == 3 && args.at[2]->type.tag == TYPE_UNKNOWN && type_is_datetime(value)) args.at[2] = expr_coerce(r, args.at[2], TYPE(INTERVAL));
        if (value.tag == TYPE_DATE) value = TYPE(TIMESTAMP);
    } else if (name_is(e->name, "unnest")) {
        value = type_of(args.at[0]->type.element);
    } else if (name_is(e->name, "regexp_split_to_table")) {
        value = TYPE(TEXT);
    } else {
        args.at[0] = expr_coerce(r, args.at[0], TYPE(JSON));
        if (e->name.n > 5 && (memcmp(e->name.p + e->name.n - 5, "_text", 5) == 0 || memcmp(e->name.p + e->name.n - 5, "_keys", 5) == 0)) value = TYPE(TEXT);
    }
    bool each = name_is(e->name, "json_each") || name_is(e->name, "jsonb_each") || name_is(e->name, "json_each_text") || name_is(e->name, "jsonb_each_text");
    if (each) add_column(r, rel, "key", TYPE(TEXT));
    Str single = rel->alias.n ? rel->alias : e->name;
    if (name_is(e->name, "json_array_elements") || name_is(e->name, "jsonb_array_elements") || value.tag == TYPE_TEXT) single = each ? STR("value") : rel->alias.n ? rel->alias : STR("value");
    if (each) single = STR("value");
    add_column(r, rel, arena_str(r->cc->arena, single.p, single.n).p, value);
    /* A carrier for name and arguments: the executor knows set-returning functions by name. */
    Expr *call_ = expr_new(r, EXPR_FUNC, value, true, e->pos);
    Function *marker = NEW(r->cc->arena, Function);
    char *lower = arena_alloc(r->cc->arena, e->name.n + 1);
    for (uint32_t i = 0; i < e->name.n; i++) lower[i] = (char)(e->name.p[i] >= 'A' && e->name.p[i] <= 'Z' ? e->name.p[i] + 32 : e->name.p[i]);
    *marker = (Function){.name = lower, .min_args = min, .max_args = max, .nulls = NULL_CALLED, .volatility = STABLE};
    call_->function = marker;
    call_->args = args;
    return call_;
}
