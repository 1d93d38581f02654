/* query.c - walking, comparing and printing resolved trees. */
#include "query.h"

/* ---- relations ---- */

Str rel_field(const Rel *rel, int column) {
    if (rel->table && column < rel->table->columns.n) return rel->table->columns.at[column].field;
    return rel->columns.at[column].name;
}

int rel_id_column(Arena *arena, Rel *rel) {
    for (int i = 0; i < rel->columns.n; i++)
        if (str_is(rel_field(rel, i), "_id")) return i;
    RelColumn id = {.name = STR("_id"), .type = TYPE(UNKNOWN), .slot = -1, .hidden = true};
    vec_push(arena, &rel->columns, id);
    return rel->columns.n - 1;
}

Expr *var_new(Arena *arena, Query *q, Rel *rel, int column) {
    RelColumn *c = &rel->columns.at[column];
    if (c->slot < 0) c->slot = q->n_slots++;
    Expr *e = NEW(arena, Expr);
    e->tag = EXPR_VAR;
    e->type = c->type;
    e->nullable = c->nullable || rel->null_extended;
    e->pos = NO_POS;
    e->rel = rel->id;
    e->column = column;
    e->slot = c->slot;
    e->label = arena_printf(arena, STR_FMT "." STR_FMT, STR_ARG(rel->alias), STR_ARG(c->name));
    return e;
}

/* ---- walking ---- */

bool expr_walk(Expr *e, ExprVisitor visit, void *context) {
    if (!e) return true;
    switch (visit(e, context)) {
    case WALK_STOP: return false;
    case WALK_SKIP: return true;
    case WALK_ON: break;
    }
    for (int i = 0; i < e->args.n; i++)
        if (!expr_walk(e->args.at[i], visit, context)) return false;
    if (e->filter && !expr_walk(e->filter, visit, context)) return false;
    if (e->order)
        for (int i = 0; i < e->order->n; i++)
            if (!expr_walk(e->order->at[i].expr, visit, context)) return false;
    return true;
}

static Walk find_volatile(Expr *e, void *context) {
    (void)context;
    if (e->tag == EXPR_FUNC && e->function->volatility == VOLATILE) return WALK_STOP;
    if (e->tag == EXPR_SUBLINK && e->subquery->is_volatile) return WALK_STOP;
    return WALK_ON;
}

bool expr_is_volatile(const Expr *e) { return !expr_walk((Expr *)e, find_volatile, NULL); }

static Walk find_own_rows(Expr *e, void *context) {
    (void)context;
    switch (e->tag) {
    case EXPR_VAR: return e->level == 0 ? WALK_STOP : WALK_ON;
    case EXPR_AGG: case EXPR_WINDOW: return WALK_STOP;
    case EXPR_FUNC: return e->function->volatility == VOLATILE ? WALK_STOP : WALK_ON;
    case EXPR_SUBLINK: return e->subquery->correlated || e->subquery->is_volatile ? WALK_STOP : WALK_ON;
    case EXPR_CONST: case EXPR_PARAM: case EXPR_COMPARE: case EXPR_AND: case EXPR_OR: case EXPR_NOT: case EXPR_IS: case EXPR_DISTINCT: case EXPR_IN:
    case EXPR_LIKE: case EXPR_REGEX: case EXPR_CASE: case EXPR_COALESCE: case EXPR_CAST: case EXPR_ROW: case EXPR_ARRAY: return WALK_ON;
    }
    return WALK_ON;
}

bool expr_is_constant(const Expr *e) { return expr_walk((Expr *)e, find_own_rows, NULL); }

/* ---- equality ---- */

static bool exprs_equal(const Exprs *a, const Exprs *b) {
    if (a->n != b->n) return false;
    for (int i = 0; i < a->n; i++)
        if (!expr_equal(a->at[i], b->at[i])) return false;
    return true;
}

static bool keys_equal(const SortKeys *a, const SortKeys *b) {
    int na = a ? a->n : 0, nb = b ? b->n : 0;
    if (na != nb) return false;
    for (int i = 0; i < na; i++)
        if (a->at[i].descending != b->at[i].descending || a->at[i].nulls_first != b->at[i].nulls_first || !expr_equal(a->at[i].expr, b->at[i].expr)) return false;
    return true;
}

static bool same_const(const Value *a, const Value *b) {
    return a->type == b->type && a->bson_type == b->bson_type && value_same(a, b);
}

bool expr_equal(const Expr *a, const Expr *b) {
    if (a == b) return a == NULL || !expr_is_volatile(a);
    if (!a || !b || a->tag != b->tag || a->negated != b->negated) return false;
    switch (a->tag) {
    case EXPR_CONST: return same_const(&a->value, &b->value);
    case EXPR_PARAM: return a->number == b->number;
    case EXPR_VAR: return a->level == b->level && a->slot == b->slot;
    case EXPR_FUNC:     /* a function's type follows from its arguments' but for JSON_VALUE's */
        return a->function == b->function && a->type.tag == b->type.tag && a->type.element == b->type.element && a->on_empty == b->on_empty && a->on_error == b->on_error &&
               a->function->volatility != VOLATILE && exprs_equal(&a->args, &b->args);
    case EXPR_COMPARE: return a->op == b->op && exprs_equal(&a->args, &b->args);
    case EXPR_AND: case EXPR_OR: case EXPR_NOT: case EXPR_DISTINCT: case EXPR_IN: case EXPR_CASE: case EXPR_COALESCE: case EXPR_ROW: case EXPR_ARRAY:
        return exprs_equal(&a->args, &b->args);
    case EXPR_IS: return a->is == b->is && exprs_equal(&a->args, &b->args);
    case EXPR_LIKE: return a->like == b->like && exprs_equal(&a->args, &b->args);
    case EXPR_REGEX: return a->op == b->op && exprs_equal(&a->args, &b->args);
    case EXPR_CAST:
        return a->type.tag == b->type.tag && a->type.length == b->type.length && a->type.scale == b->type.scale && a->implicit == b->implicit &&
               exprs_equal(&a->args, &b->args);
    case EXPR_AGG:
        return a->aggregate == b->aggregate && a->distinct == b->distinct && exprs_equal(&a->args, &b->args) && expr_equal(a->filter, b->filter) &&
               keys_equal(a->order, b->order);
    case EXPR_WINDOW:
        return a->aggregate == b->aggregate && a->window_function == b->window_function && a->window == b->window && exprs_equal(&a->args, &b->args) &&
               expr_equal(a->filter, b->filter);
    case EXPR_SUBLINK: return false;
    }
    return false;
}

/* ---- printing ---- */

static void dump_list(Text *out, const Exprs *list, int from, const char *separator) {
    for (int i = from; i < list->n; i++) {
        if (i > from) text_adds(out, separator);
        expr_dump(out, list->at[i]);
    }
}

static void dump_type(Text *out, Type t) {
    char name[64];
    text_adds(out, type_text(t, name, sizeof name));
}

static void dump_const(Text *out, const Value *v) {
    switch ((sqm_type_t)v->type) {
    case SQM_NULL: text_adds(out, "NULL"); return;
    case SQM_BOOL: text_adds(out, v->u.b ? "true" : "false"); return;
    case SQM_INT: text_addf(out, "%lld", (long long)v->u.i); return;
    case SQM_TEXT: text_addf(out, "'%.*s'", (int)v->len, v->u.text); return;
    case SQM_DOUBLE: case SQM_DECIMAL: case SQM_BYTES: case SQM_DATE: case SQM_TIME: case SQM_TIMESTAMP: case SQM_INTERVAL: case SQM_UUID: case SQM_OBJECTID:
    case SQM_JSON: case SQM_BSON: case SQM_TUPLE: {
        Str s = value_text(out->arena, v);
        text_addf(out, STR_FMT, STR_ARG(s));
        return;
    }
    }
}

static const char *is_text(IsKind k) {
    switch (k) {
    case IS_NULL: return "NULL";
    case IS_TRUE: return "TRUE";
    case IS_FALSE: return "FALSE";
    case IS_UNKNOWN: return "UNKNOWN";
    }
    return "";
}

static const char *sublink_text(const Expr *e) {
    switch (e->sublink) {
    case SUBLINK_EXISTS: return "EXISTS";
    case SUBLINK_SCALAR: return "SCALAR";
    case SUBLINK_ANY: return "ANY";
    case SUBLINK_ALL: return "ALL";
    case SUBLINK_ARRAY: return "ARRAY";
    }
    return "";
}

static const char *window_text(const Expr *e) {
    switch (e->window_function) {
    case WINDOW_AGGREGATE: return e->aggregate->name;
    case WINDOW_ROW_NUMBER: return "row_number";
    case WINDOW_RANK: return "rank";
    case WINDOW_DENSE_RANK: return "dense_rank";
    case WINDOW_PERCENT_RANK: return "percent_rank";
    case WINDOW_CUME_DIST: return "cume_dist";
    case WINDOW_NTILE: return "ntile";
    case WINDOW_LAG: return "lag";
    case WINDOW_LEAD: return "lead";
    case WINDOW_FIRST_VALUE: return "first_value";
    case WINDOW_LAST_VALUE: return "last_value";
    case WINDOW_NTH_VALUE: return "nth_value";
    }
    return "";
}

static void dump_keys(Text *out, const SortKeys *keys) {
    for (int i = 0; i < keys->n; i++) {
        if (i) text_adds(out, ", ");
        expr_dump(out, keys->at[i].expr);
        if (keys->at[i].descending) text_adds(out, " DESC");
        if (keys->at[i].nulls_first == keys->at[i].descending) text_adds(out, keys->at[i].nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
}

void expr_dump(Text *out, const Expr *e) {
    switch (e->tag) {
    case EXPR_CONST: dump_const(out, &e->value); return;
    case EXPR_PARAM: text_addf(out, "%%%d", e->number + 1); return;
    case EXPR_VAR:
        for (int i = 0; i < e->level; i++) text_adds(out, "^");
        if (e->label.n) text_addf(out, STR_FMT, STR_ARG(e->label));
        else text_addf(out, "$%d", e->slot);
        return;
    case EXPR_FUNC:
        text_addf(out, "%s(", e->function->name);
        dump_list(out, &e->args, 0, ", ");
        if (strcmp(e->function->name, "json_value") == 0) {
            text_adds(out, " RETURNING ");
            dump_type(out, e->type);
        }
        text_adds(out, ")");
        return;
    case EXPR_COMPARE:
        text_adds(out, "(");
        expr_dump(out, e->args.at[0]);
        text_addf(out, " %s ", operator_text(e->op));
        expr_dump(out, e->args.at[1]);
        text_adds(out, ")");
        return;
    case EXPR_AND: text_adds(out, "("); dump_list(out, &e->args, 0, " AND "); text_adds(out, ")"); return;
    case EXPR_OR: text_adds(out, "("); dump_list(out, &e->args, 0, " OR "); text_adds(out, ")"); return;
    case EXPR_NOT: text_adds(out, "NOT "); expr_dump(out, e->args.at[0]); return;
    case EXPR_IS: text_adds(out, "("); expr_dump(out, e->args.at[0]); text_addf(out, " IS %s%s)", e->negated ? "NOT " : "", is_text(e->is)); return;
    case EXPR_DISTINCT:
        text_adds(out, "(");
        expr_dump(out, e->args.at[0]);
        text_adds(out, e->negated ? " IS NOT DISTINCT FROM " : " IS DISTINCT FROM ");
        expr_dump(out, e->args.at[1]);
        text_adds(out, ")");
        return;
    case EXPR_IN:
        text_adds(out, "(");
        expr_dump(out, e->args.at[0]);
        text_adds(out, e->negated ? " NOT IN (" : " IN (");
        dump_list(out, &e->args, 1, ", ");
        text_adds(out, "))");
        return;
    case EXPR_LIKE: case EXPR_REGEX:
        text_adds(out, "(");
        expr_dump(out, e->args.at[0]);
        text_addf(out, " %s%s ", e->negated ? "NOT " : "",
                  e->tag == EXPR_REGEX ? operator_text(e->op) : e->like == LIKE_LIKE ? "LIKE" : e->like == LIKE_ILIKE ? "ILIKE" : "SIMILAR TO");
        dump_list(out, &e->args, 1, " ESCAPE ");
        text_adds(out, ")");
        return;
    case EXPR_CASE: text_adds(out, "CASE("); dump_list(out, &e->args, 0, ", "); text_adds(out, ")"); return;
    case EXPR_COALESCE: text_adds(out, "coalesce("); dump_list(out, &e->args, 0, ", "); text_adds(out, ")"); return;
    case EXPR_CAST:
        if (e->implicit) { expr_dump(out, e->args.at[0]); return; }
        text_adds(out, "CAST(");
        expr_dump(out, e->args.at[0]);
        text_adds(out, " AS ");
        dump_type(out, e->type);
        text_adds(out, ")");
        return;
    case EXPR_ROW: text_adds(out, "ROW("); dump_list(out, &e->args, 0, ", "); text_adds(out, ")"); return;
    case EXPR_ARRAY: text_adds(out, "ARRAY["); dump_list(out, &e->args, 0, ", "); text_adds(out, "]"); return;
    case EXPR_AGG: case EXPR_WINDOW:
        text_addf(out, "%s(%s", e->tag == EXPR_AGG ? e->aggregate->name : window_text(e), e->distinct ? "DISTINCT " : "");
        dump_list(out, &e->args, 0, ", ");
        if (e->order && e->order->n) { text_adds(out, " ORDER BY "); dump_keys(out, e->order); }
        text_adds(out, ")");
        if (e->filter) { text_adds(out, " FILTER "); expr_dump(out, e->filter); }
        if (e->tag == EXPR_WINDOW) text_addf(out, " OVER #%d", e->window);
        return;
    case EXPR_SUBLINK:
        if (e->args.n) { text_adds(out, "("); expr_dump(out, e->args.at[0]); text_addf(out, " %s ", operator_text(e->op)); }
        text_addf(out, "%s(#%d)%s", sublink_text(e), e->number, e->args.n ? ")" : "");
        return;
    }
}

static void indent(Text *out, int depth) { for (int i = 0; i < depth; i++) text_adds(out, "  "); }

static void dump_query(Text *out, const Query *q, int depth);

static void dump_from(Text *out, const Query *q, const From *f, int depth) {
    indent(out, depth);
    if (f->rel < 0) {
        text_addf(out, "%s JOIN", join_kind_text(f->kind));
        if (f->on) { text_adds(out, " ON "); expr_dump(out, f->on); }
        text_adds(out, "\n");
        dump_from(out, q, f->left, depth + 1);
        dump_from(out, q, f->right, depth + 1);
        return;
    }
    const Rel *rel = q->rels.at[f->rel];
    text_addf(out, "rel %d " STR_FMT ":", rel->id, STR_ARG(rel->alias));
    for (int i = 0; i < rel->columns.n; i++) {
        const RelColumn *c = &rel->columns.at[i];
        if (c->slot < 0) continue;
        text_addf(out, " $%d=" STR_FMT " ", c->slot, STR_ARG(c->name));
        dump_type(out, c->type);
        if (c->nullable || rel->null_extended) text_adds(out, "?");
    }
    text_adds(out, "\n");
    if (rel->subquery && rel->kind == REL_SUBQUERY) dump_query(out, rel->subquery, depth + 1);
}

static void dump_clause(Text *out, int depth, const char *name, const Expr *e) {
    if (!e) return;
    indent(out, depth);
    text_addf(out, "%s ", name);
    expr_dump(out, e);
    text_adds(out, "\n");
}

static void dump_query(Text *out, const Query *q, int depth) {
    indent(out, depth);
    text_addf(out, "query %d slots%s\n", q->n_slots, q->correlated ? " correlated" : "");
    depth++;
    if (q->set_op != SET_NONE) {
        indent(out, depth);
        text_addf(out, "%s%s\n", q->set_op == SET_UNION ? "UNION" : q->set_op == SET_INTERSECT ? "INTERSECT" : "EXCEPT", q->set_all ? " ALL" : "");
        dump_query(out, q->left, depth + 1);
        dump_query(out, q->right, depth + 1);
    }
    if (q->from) { indent(out, depth); text_adds(out, "from\n"); dump_from(out, q, q->from, depth + 1); }
    dump_clause(out, depth, "where", q->where);
    for (int i = 0; i < q->group_keys.n; i++) {
        indent(out, depth);
        text_addf(out, "group $%d := ", q->group_slots.at[i]);
        expr_dump(out, q->group_keys.at[i]);
        text_adds(out, "\n");
    }
    for (int i = 0; i < q->aggs.n; i++) {
        indent(out, depth);
        text_addf(out, "aggregate $%d := ", q->agg_slots.at[i]);
        expr_dump(out, q->aggs.at[i]);
        text_adds(out, "\n");
    }
    dump_clause(out, depth, "having", q->having);
    for (int i = 0; i < q->windows.n; i++) {
        indent(out, depth);
        text_addf(out, "window $%d := ", q->window_slots.at[i]);
        expr_dump(out, q->windows.at[i]);
        text_adds(out, "\n");
    }
    for (int i = 0; i < q->targets.n; i++) {
        const Target *t = &q->targets.at[i];
        indent(out, depth);
        text_addf(out, "target $%d " STR_FMT " ", t->slot, STR_ARG(t->name));
        dump_type(out, t->expr->type);
        text_adds(out, t->expr->nullable ? "? := " : " := ");
        expr_dump(out, t->expr);
        text_adds(out, "\n");
    }
    if (q->distinct) { indent(out, depth); text_adds(out, "distinct"); if (q->distinct_on.n) { text_adds(out, " on "); dump_list(out, &q->distinct_on, 0, ", "); } text_adds(out, "\n"); }
    if (q->order.n) { indent(out, depth); text_adds(out, "order "); dump_keys(out, &q->order); text_adds(out, "\n"); }
    dump_clause(out, depth, "limit", q->limit);
    dump_clause(out, depth, "offset", q->offset);
}

void query_dump(Text *out, const Resolved *r) {
    for (int i = 0; i < r->parts.n; i++) {
        text_addf(out, "with " STR_FMT " ", STR_ARG(r->parts.at[i]->cte->name));
        query_dump(out, r->parts.at[i]);
    }
    text_addf(out, "%s\n", stmt_name(r->tag));
    if (r->insert) {
        text_addf(out, "into " STR_FMT "\n", STR_ARG(r->insert->table->name));
        if (r->insert->source) dump_query(out, r->insert->source, 1);
        if (r->insert->has_returning) dump_query(out, r->insert->row, 1);
    }
    if (r->modify) {
        text_addf(out, "on " STR_FMT "\n", STR_ARG(r->modify->table->name));
        dump_query(out, r->modify->rows, 1);
        if (r->modify->has_returning) dump_query(out, r->modify->row, 1);
    }
    if (r->query) dump_query(out, r->query, 0);
    for (int i = 0; i < r->sublinks.n; i++) {
        text_addf(out, "sublink #%d %s\n", i, sublink_text(r->sublinks.at[i]));
        dump_query(out, r->sublinks.at[i]->subquery, 1);
    }
}
