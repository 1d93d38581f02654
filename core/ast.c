/* ast.c - what every phase may ask of the AST: names of tags, a dump to look at, structural equality, and SQL text again.
 *
 * In: trees from parse.c. Out: text in an arena-backed Text, or a bool. Nothing here changes a tree.
 * Invariant of the printer: parse(print(e)) equals e (ast_equal), in literal_percent mode. Operators are therefore printed with parentheses around every
 * operand that is not a primary expression, and names are quoted when they are keywords or not plain.
 *     a + 2 * b      ->  a + (2 * b)            EXTRACT(YEAR FROM d)  ->  "extract"('year', d)
 * The dump is for people and golden tests: one node a line, children indented, @offset+length behind the tag. */
#include "ast.h"

#include <bson/bson.h>
#include <stdio.h>

const char *join_kind_text(JoinKind k) {
    switch (k) {
    case JOIN_INNER: return "INNER";
    case JOIN_LEFT: return "LEFT";
    case JOIN_RIGHT: return "RIGHT";
    case JOIN_FULL: return "FULL";
    case JOIN_CROSS: return "CROSS";
    case JOIN_SEMI: return "SEMI";
    case JOIN_ANTI: return "ANTI";
    }
    return "";
}

const char *ast_expr_name(AstExprTag tag) {
    static const char *const names[] = {
#define AST_EXPR(t, text) [AST_##t] = text,
#include "nodes.def"
#undef AST_EXPR
    };
    return names[tag];
}

const char *stmt_name(StmtTag tag) {
    static const char *const names[] = {
#define STATEMENT(t, text) [STMT_##t] = text,
#include "nodes.def"
#undef STATEMENT
    };
    return names[tag];
}

const char *operator_text(Operator op) {
    static const char *const texts[] = {
        [OP_NONE] = "",
#define OPERATOR(t, text) [OP_##t] = text,
#include "nodes.def"
#undef OPERATOR
    };
    return texts[op];
}

/* ---- equality ---- */

static bool same_value(const sqm_value_t *a, const sqm_value_t *b) {
    if (a->type != b->type) return false;
    switch ((sqm_type_t)a->type) {
    case SQM_NULL: return true;
    case SQM_BOOL: return a->u.b == b->u.b;
    case SQM_INT: return a->u.i == b->u.i;
    case SQM_DECIMAL: return a->u.decimal.low == b->u.decimal.low && a->u.decimal.high == b->u.decimal.high;
    case SQM_TEXT: case SQM_BYTES: return a->len == b->len && (a->len == 0 || memcmp(a->u.text, b->u.text, a->len) == 0);
    case SQM_DOUBLE: case SQM_DATE: case SQM_TIME: case SQM_TIMESTAMP: case SQM_INTERVAL: case SQM_UUID: case SQM_OBJECTID: case SQM_JSON: case SQM_BSON: case SQM_TUPLE:
        return false;   /* the parser makes none */
    }
    return false;
}

static bool same_select(const AstSelect *a, const AstSelect *b);

static bool same_list(const AstExprs *a, const AstExprs *b) {
    if (a->n != b->n) return false;
    for (int i = 0; i < a->n; i++)
        if (!ast_equal(a->at[i], b->at[i])) return false;
    return true;
}

static bool same_names(const AstNames *a, const AstNames *b) {
    if (a->n != b->n) return false;
    for (int i = 0; i < a->n; i++)
        if (!str_eq(a->at[i], b->at[i])) return false;
    return true;
}

static bool same_orders(const AstOrders *a, const AstOrders *b) {
    if (a->n != b->n) return false;
    for (int i = 0; i < a->n; i++)
        if (a->at[i].descending != b->at[i].descending || a->at[i].nulls != b->at[i].nulls || !ast_equal(a->at[i].expr, b->at[i].expr)) return false;
    return true;
}

static bool same_type(const AstType *a, const AstType *b) {
    if (!a || !b) return a == b;
    return str_eq(a->name, b->name) && a->is_array == b->is_array && a->n_modifiers == b->n_modifiers && a->modifiers[0] == b->modifiers[0] && a->modifiers[1] == b->modifiers[1];
}

static bool same_window(const AstWindow *a, const AstWindow *b) {
    if (!a || !b) return a == b;
    return str_eq(a->name, b->name) && str_eq(a->base, b->base) && same_list(&a->partition, &b->partition) && same_orders(&a->order, &b->order) && a->unit == b->unit &&
           a->start == b->start && a->end == b->end && a->exclude == b->exclude && ast_equal(a->start_offset, b->start_offset) && ast_equal(a->end_offset, b->end_offset);
}

static bool same_from(const AstFrom *a, const AstFrom *b) {
    if (!a || !b) return a == b;
    return a->tag == b->tag && str_eq(a->name, b->name) && str_eq(a->alias, b->alias) && same_names(&a->columns, &b->columns) && same_select(a->select, b->select) &&
           ast_equal(a->function, b->function) && a->with_ordinality == b->with_ordinality && a->lateral == b->lateral && a->join == b->join && same_from(a->left, b->left) &&
           same_from(a->right, b->right) && ast_equal(a->on, b->on) && same_names(&a->join_using, &b->join_using) && a->natural == b->natural;
}

static bool same_select(const AstSelect *a, const AstSelect *b) {
    if (!a || !b) return a == b;
    if (a->with.n != b->with.n || a->recursive != b->recursive || a->set_op != b->set_op || a->set_all != b->set_all || a->values.n != b->values.n || a->distinct != b->distinct ||
        a->targets.n != b->targets.n || a->from.n != b->from.n || a->windows.n != b->windows.n || a->with_ties != b->with_ties || a->locking.n != b->locking.n)
        return false;
    for (int i = 0; i < a->with.n; i++)
        if (!str_eq(a->with.at[i].name, b->with.at[i].name) || !same_names(&a->with.at[i].columns, &b->with.at[i].columns) || a->with.at[i].write || b->with.at[i].write ||
            !same_select(a->with.at[i].select, b->with.at[i].select))
            return false;
    for (int i = 0; i < a->values.n; i++)
        if (!same_list(&a->values.at[i], &b->values.at[i])) return false;
    for (int i = 0; i < a->targets.n; i++)
        if (!str_eq(a->targets.at[i].alias, b->targets.at[i].alias) || !ast_equal(a->targets.at[i].expr, b->targets.at[i].expr)) return false;
    for (int i = 0; i < a->from.n; i++)
        if (!same_from(a->from.at[i], b->from.at[i])) return false;
    for (int i = 0; i < a->windows.n; i++)
        if (!same_window(a->windows.at[i], b->windows.at[i])) return false;
    for (int i = 0; i < a->locking.n; i++)
        if (a->locking.at[i].share != b->locking.at[i].share || a->locking.at[i].wait != b->locking.at[i].wait || !same_names(&a->locking.at[i].of, &b->locking.at[i].of)) return false;
    return same_select(a->left, b->left) && same_select(a->right, b->right) && same_list(&a->distinct_on, &b->distinct_on) && ast_equal(a->where, b->where) &&
           same_list(&a->group_by, &b->group_by) && ast_equal(a->having, b->having) && same_orders(&a->order, &b->order) && ast_equal(a->limit, b->limit) && ast_equal(a->offset, b->offset);
}

bool ast_equal(const AstExpr *a, const AstExpr *b) {
    if (!a || !b) return a == b;
    if (a->tag != b->tag || a->op != b->op || a->parameter != b->parameter || a->negated != b->negated || a->distinct != b->distinct || a->star != b->star || a->like != b->like ||
        a->is != b->is || a->on_empty != b->on_empty || a->on_error != b->on_error || a->within_group != b->within_group || a->arms.n != b->arms.n)
        return false;
    if (a->tag == AST_PARAMETER) return true;                  /* the number says which; a name, %(x)s, isn't printed */
    if (!str_eq(a->name, b->name) || !str_eq(a->qualifier, b->qualifier)) return false;
    if (a->tag == AST_LITERAL) return same_value(&a->literal, &b->literal);
    for (int i = 0; i < a->arms.n; i++)
        if (!ast_equal(a->arms.at[i].when, b->arms.at[i].when) || !ast_equal(a->arms.at[i].then, b->arms.at[i].then)) return false;
    return same_list(&a->args, &b->args) && same_select(a->select, b->select) && same_type(a->type, b->type) && ast_equal(a->otherwise, b->otherwise) &&
           same_orders(&a->order, &b->order) && ast_equal(a->filter, b->filter) && same_window(a->over, b->over);
}

/* ---- SQL text ---- */

static bool is_keyword(Str s, bool reserved_only) {
    enum { RESERVED, FREE, CALL, NEXT };
    static const struct { const char *word; int class; } words[] = {
#define KEYWORD(word, token, class) {word, class},
#include "keywords.def"
#undef KEYWORD
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_ieq(s, str_from(words[i].word))) return !reserved_only || words[i].class == RESERVED || words[i].class == NEXT;
    return false;
}

static bool is_plain(Str s, bool lower_only) {
    for (uint32_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || c == '_' || (!lower_only && c >= 'A' && c <= 'Z');
        if (!letter && (i == 0 || c < '0' || c > '9')) return false;
    }
    return s.n > 0;
}

static void put(Text *out, Str s) { text_add(out, s.p, s.n); }

static void put_name(Text *out, Str s) {
    if (is_plain(s, false) && !is_keyword(s, false)) put(out, s);
    else text_add_quoted(out, s, '"');
}

static void put_names(Text *out, const AstNames *names) {
    text_adds(out, "(");
    for (int i = 0; i < names->n; i++) {
        if (i) text_adds(out, ", ");
        put_name(out, names->at[i]);
    }
    text_adds(out, ")");
}

static void put_decimal(Text *out, sqm_decimal_t value) {
    char text[BSON_DECIMAL128_STRING];
    bson_decimal128_t d = {.low = value.low, .high = value.high};
    bson_decimal128_to_string(&d, text);
    text_adds(out, text);
    if (strspn(text, "-0123456789") == strlen(text)) text_adds(out, ".");    /* keeps it from being read as an integer */
}

static void put_literal(Text *out, const sqm_value_t *v) {
    switch ((sqm_type_t)v->type) {
    case SQM_NULL: text_adds(out, "NULL"); break;
    case SQM_BOOL: text_adds(out, v->u.b ? "TRUE" : "FALSE"); break;
    case SQM_INT: text_addf(out, "%lld", (long long)v->u.i); break;
    case SQM_DECIMAL: put_decimal(out, v->u.decimal); break;
    case SQM_TEXT: text_add_quoted(out, (Str){v->u.text, v->len}, '\''); break;
    case SQM_BYTES:
        text_adds(out, "x'");
        for (uint32_t i = 0; i < v->len; i++) text_addf(out, "%02x", v->u.bytes[i]);
        text_adds(out, "'");
        break;
    case SQM_DOUBLE: case SQM_DATE: case SQM_TIME: case SQM_TIMESTAMP: case SQM_INTERVAL: case SQM_UUID: case SQM_OBJECTID: case SQM_JSON: case SQM_BSON: case SQM_TUPLE:
        break;
    }
}

static bool is_negative(const AstExpr *e) {
    return e->tag == AST_LITERAL && ((e->literal.type == SQM_INT && e->literal.u.i < 0) || (e->literal.type == SQM_DECIMAL && e->literal.u.decimal.high >> 63));
}

static bool is_primary(const AstExpr *e) {
    switch (e->tag) {
    case AST_LITERAL: return !is_negative(e);
    case AST_PARAMETER: case AST_COLUMN: case AST_STAR: case AST_EXISTS: case AST_SUBQUERY: case AST_ARRAY_SELECT: case AST_CASE: case AST_CAST: case AST_FUNCTION: case AST_ROW:
    case AST_ARRAY: case AST_SUBSCRIPT: case AST_FIELD:
        return true;
    case AST_UNARY: case AST_BINARY: case AST_AND: case AST_OR: case AST_NOT: case AST_IS: case AST_IS_DISTINCT: case AST_BETWEEN: case AST_IN_LIST: case AST_IN_SELECT:
    case AST_QUANTIFIED: case AST_LIKE: case AST_COLLATE: case AST_DEFAULT: case AST_GROUPING_SETS: case AST_ROLLUP: case AST_CUBE:
        return false;
    }
    return false;
}

static void in_parentheses(Text *out, const AstExpr *e) {
    text_adds(out, "(");
    ast_expr_sql(out, e);
    text_adds(out, ")");
}

static void put_operand(Text *out, const AstExpr *e) {
    if (is_primary(e)) ast_expr_sql(out, e);
    else in_parentheses(out, e);
}

static void put_list(Text *out, const AstExprs *list, int from) {
    for (int i = from; i < list->n; i++) {
        if (i > from) text_adds(out, ", ");
        ast_expr_sql(out, list->at[i]);
    }
}

static void put_query(Text *out, const AstSelect *s) {
    text_adds(out, "(");
    ast_select_sql(out, s);
    text_adds(out, ")");
}

static void put_orders(Text *out, const AstOrders *order) {
    text_adds(out, "ORDER BY ");
    for (int i = 0; i < order->n; i++) {
        const AstOrder *o = &order->at[i];
        if (i) text_adds(out, ", ");
        ast_expr_sql(out, o->expr);
        if (o->descending) text_adds(out, " DESC");
        if (o->nulls != NULLS_DEFAULT) text_adds(out, o->nulls == NULLS_FIRST ? " NULLS FIRST" : " NULLS LAST");
    }
}

static void put_bound(Text *out, BoundKind kind, const AstExpr *offset) {
    switch (kind) {
    case BOUND_UNBOUNDED_PRECEDING: text_adds(out, "UNBOUNDED PRECEDING"); break;
    case BOUND_UNBOUNDED_FOLLOWING: text_adds(out, "UNBOUNDED FOLLOWING"); break;
    case BOUND_CURRENT_ROW: text_adds(out, "CURRENT ROW"); break;
    case BOUND_PRECEDING: case BOUND_FOLLOWING:
        put_operand(out, offset);
        text_adds(out, kind == BOUND_PRECEDING ? " PRECEDING" : " FOLLOWING");
        break;
    }
}

static const char *const frame_units[] = {[FRAME_NONE] = "", [FRAME_ROWS] = "ROWS", [FRAME_RANGE] = "RANGE", [FRAME_GROUPS] = "GROUPS"};
static const char *const frame_excludes[] = {[EXCLUDE_NO_OTHERS] = "", [EXCLUDE_CURRENT_ROW] = " EXCLUDE CURRENT ROW", [EXCLUDE_GROUP] = " EXCLUDE GROUP", [EXCLUDE_TIES] = " EXCLUDE TIES"};

static void put_window(Text *out, const AstWindow *w) {
    const char *gap = "";
    text_adds(out, "(");
    if (w->base.n) {
        put_name(out, w->base);
        gap = " ";
    }
    if (w->partition.n) {
        text_addf(out, "%sPARTITION BY ", gap);
        put_list(out, &w->partition, 0);
        gap = " ";
    }
    if (w->order.n) {
        text_adds(out, gap);
        put_orders(out, &w->order);
        gap = " ";
    }
    if (w->unit != FRAME_NONE) {
        text_addf(out, "%s%s BETWEEN ", gap, frame_units[w->unit]);
        put_bound(out, w->start, w->start_offset);
        text_adds(out, " AND ");
        put_bound(out, w->end, w->end_offset);
        text_adds(out, frame_excludes[w->exclude]);
    }
    text_adds(out, ")");
}

/* CURRENT_DATE and friends are functions without parentheses. */
static bool is_word_function(Str name) {
    static const char *const words[] = {"current_date", "current_time", "current_timestamp", "current_user", "current_role", "current_catalog", "session_user", "localtime", "localtimestamp"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_is(name, words[i])) return true;
    return false;
}

static void put_type(Text *out, const AstType *t) {
    static const char zone[] = " with time zone";
    Str name = t->name;
    bool zoned = name.n >= sizeof zone && memcmp(name.p + name.n - (sizeof zone - 1), zone, sizeof zone - 1) == 0;
    if (zoned) name.n -= (uint32_t)sizeof zone - 1;
    if (str_is(name, "double precision") || (is_plain(name, true) && !is_keyword(name, true)) || str_is(name, "interval") || str_is(name, "time")) put(out, name);
    else text_add_quoted(out, name, '"');
    if (t->n_modifiers == 1) text_addf(out, "(%d)", t->modifiers[0]);
    if (t->n_modifiers == 2) text_addf(out, "(%d, %d)", t->modifiers[0], t->modifiers[1]);
    if (zoned) text_adds(out, zone);
    if (t->is_array) text_adds(out, "[]");
}

static bool has_json_clauses(const AstExpr *e) { return e->type || e->on_empty != JSON_ON_NONE || e->on_error != JSON_ON_NONE; }

static void put_json_on(Text *out, JsonOn on, const AstExpr *value, const char *what) {
    if (on == JSON_ON_NONE) return;
    text_adds(out, on == JSON_ON_NULL ? " NULL" : on == JSON_ON_ERROR ? " ERROR" : " DEFAULT ");
    if (on == JSON_ON_DEFAULT) put_operand(out, value);
    text_addf(out, " ON %s", what);
}

/* What follows the path: RETURNING type and the two ON clauses. */
static void put_json_clauses(Text *out, const AstExpr *e) {
    int at = e->args.n - (e->on_empty == JSON_ON_DEFAULT) - (e->on_error == JSON_ON_DEFAULT);
    if (e->type) {
        text_adds(out, " RETURNING ");
        put_type(out, e->type);
    }
    put_json_on(out, e->on_empty, at < e->args.n ? e->args.at[at] : NULL, "EMPTY");
    put_json_on(out, e->on_error, e->args.at[e->args.n - 1], "ERROR");
}

static void put_function(Text *out, const AstExpr *e) {
    if (is_word_function(e->name) && e->args.n == 0 && !e->star && !e->over && !e->filter) {
        put(out, e->name);
        return;
    }
    if (is_plain(e->name, true) && !is_keyword(e->name, false)) put(out, e->name);
    else text_add_quoted(out, e->name, '"');
    text_adds(out, e->star ? "(*" : e->distinct ? "(DISTINCT " : "(");
    if (has_json_clauses(e)) {
        AstExprs plain = e->args;
        plain.n -= (e->on_empty == JSON_ON_DEFAULT) + (e->on_error == JSON_ON_DEFAULT);
        put_list(out, &plain, 0);
        put_json_clauses(out, e);
    } else put_list(out, &e->args, 0);
    if (e->order.n && !e->within_group) {
        text_adds(out, " ");
        put_orders(out, &e->order);
    }
    text_adds(out, ")");
    if (e->within_group) {
        text_adds(out, " WITHIN GROUP (");
        put_orders(out, &e->order);
        text_adds(out, ")");
    }
    if (e->filter) {
        text_adds(out, " FILTER (WHERE ");
        ast_expr_sql(out, e->filter);
        text_adds(out, ")");
    }
    if (!e->over) return;
    text_adds(out, " OVER ");
    if (e->over->name.n) put_name(out, e->over->name);
    else put_window(out, e->over);
}

/* a <between> b <between> c */
static void put_chain(Text *out, const AstExpr *e, const char *between) {
    for (int i = 0; i < e->args.n; i++) {
        if (i) text_adds(out, between);
        put_operand(out, e->args.at[i]);
    }
}

static void put_case(Text *out, const AstExpr *e) {
    text_adds(out, "CASE");
    if (e->args.n) {
        text_adds(out, " ");
        put_operand(out, e->args.at[0]);
    }
    for (int i = 0; i < e->arms.n; i++) {
        text_adds(out, " WHEN ");
        ast_expr_sql(out, e->arms.at[i].when);
        text_adds(out, " THEN ");
        ast_expr_sql(out, e->arms.at[i].then);
    }
    if (e->otherwise) {
        text_adds(out, " ELSE ");
        ast_expr_sql(out, e->otherwise);
    }
    text_adds(out, " END");
}

static const char *const like_words[] = {[LIKE_LIKE] = "LIKE", [LIKE_ILIKE] = "ILIKE", [LIKE_SIMILAR] = "SIMILAR TO"};
static const char *const is_words[] = {[IS_NULL] = "NULL", [IS_TRUE] = "TRUE", [IS_FALSE] = "FALSE", [IS_UNKNOWN] = "UNKNOWN"};

void ast_expr_sql(Text *out, const AstExpr *e) {
    AstExpr *const *arg = e->args.at;
    const char *negated = e->negated ? "NOT " : "";
    switch (e->tag) {
    case AST_LITERAL: put_literal(out, &e->literal); break;
    case AST_PARAMETER: text_addf(out, "$%d", e->parameter + 1); break;
    case AST_COLUMN:
        if (e->qualifier.n) {
            put_name(out, e->qualifier);
            text_adds(out, ".");
        }
        put_name(out, e->name);
        break;
    case AST_STAR:
        if (e->qualifier.n) {
            put_name(out, e->qualifier);
            text_adds(out, ".");
        }
        text_adds(out, "*");
        break;
    case AST_UNARY:
        text_adds(out, e->op == OP_NEG ? "-" : e->op == OP_POS ? "+" : "~");
        put_operand(out, arg[0]);
        break;
    case AST_BINARY:
        put_operand(out, arg[0]);
        text_addf(out, " %s ", operator_text(e->op));
        put_operand(out, arg[1]);
        break;
    case AST_AND: put_chain(out, e, " AND "); break;
    case AST_OR: put_chain(out, e, " OR "); break;
    case AST_NOT:
        text_adds(out, "NOT ");
        put_operand(out, arg[0]);
        break;
    case AST_IS:
        put_operand(out, arg[0]);
        text_addf(out, " IS %s%s", negated, is_words[e->is]);
        break;
    case AST_IS_DISTINCT:
        put_operand(out, arg[0]);
        text_addf(out, " IS %sDISTINCT FROM ", negated);
        put_operand(out, arg[1]);
        break;
    case AST_BETWEEN:
        put_operand(out, arg[0]);
        text_addf(out, " %sBETWEEN %s", negated, e->distinct ? "SYMMETRIC " : "");
        put_operand(out, arg[1]);
        text_adds(out, " AND ");
        put_operand(out, arg[2]);
        break;
    case AST_IN_LIST:
        put_operand(out, arg[0]);
        text_addf(out, " %sIN (", negated);
        put_list(out, &e->args, 1);
        text_adds(out, ")");
        break;
    case AST_IN_SELECT:
        put_operand(out, arg[0]);
        text_addf(out, " %sIN ", negated);
        put_query(out, e->select);
        break;
    case AST_QUANTIFIED:
        put_operand(out, arg[0]);
        text_addf(out, " %s %s ", operator_text(e->op), e->distinct ? "ALL" : "ANY");
        if (e->select) put_query(out, e->select);
        else in_parentheses(out, arg[1]);
        break;
    case AST_EXISTS:
        text_adds(out, "EXISTS ");
        put_query(out, e->select);
        break;
    case AST_SUBQUERY: put_query(out, e->select); break;
    case AST_ARRAY_SELECT:
        text_adds(out, "ARRAY");
        put_query(out, e->select);
        break;
    case AST_LIKE:
        put_operand(out, arg[0]);
        text_addf(out, " %s%s ", negated, like_words[e->like]);
        put_operand(out, arg[1]);
        if (e->args.n > 2) {
            text_adds(out, " ESCAPE ");
            put_operand(out, arg[2]);
        }
        break;
    case AST_CASE: put_case(out, e); break;
    case AST_CAST:
        text_adds(out, "CAST(");
        ast_expr_sql(out, arg[0]);
        text_adds(out, " AS ");
        put_type(out, e->type);
        text_adds(out, ")");
        break;
    case AST_FUNCTION: put_function(out, e); break;
    case AST_ROW: case AST_ROLLUP: case AST_CUBE: case AST_GROUPING_SETS:
        text_adds(out, e->tag == AST_ROW ? "ROW(" : e->tag == AST_ROLLUP ? "ROLLUP (" : e->tag == AST_CUBE ? "CUBE (" : "GROUPING SETS (");
        put_list(out, &e->args, 0);
        text_adds(out, ")");
        break;
    case AST_ARRAY:
        text_adds(out, "ARRAY[");
        put_list(out, &e->args, 0);
        text_adds(out, "]");
        break;
    case AST_SUBSCRIPT:
        in_parentheses(out, arg[0]);
        text_adds(out, "[");
        if (arg[1]) ast_expr_sql(out, arg[1]);
        if (e->args.n > 2) text_adds(out, " : ");
        if (e->args.n > 2 && arg[2]) ast_expr_sql(out, arg[2]);
        text_adds(out, "]");
        break;
    case AST_FIELD:
        in_parentheses(out, arg[0]);
        text_adds(out, ".");
        put_name(out, e->name);
        break;
    case AST_COLLATE:
        put_operand(out, arg[0]);
        text_adds(out, " COLLATE ");
        text_add_quoted(out, e->name, '"');
        break;
    case AST_DEFAULT: text_adds(out, "DEFAULT"); break;
    }
}

static const char *const join_words[] = {[JOIN_INNER] = "JOIN", [JOIN_LEFT] = "LEFT JOIN", [JOIN_RIGHT] = "RIGHT JOIN", [JOIN_FULL] = "FULL JOIN", [JOIN_CROSS] = "CROSS JOIN",
                                         [JOIN_SEMI] = "SEMI JOIN", [JOIN_ANTI] = "ANTI JOIN"};

static void put_from(Text *out, const AstFrom *f, bool as_operand) {
    bool parentheses = f->tag == FROM_JOIN && (as_operand || f->alias.n);
    if (parentheses) text_adds(out, "(");
    if (f->lateral) text_adds(out, "LATERAL ");
    switch (f->tag) {
    case FROM_TABLE: put_name(out, f->name); break;
    case FROM_SELECT: put_query(out, f->select); break;
    case FROM_FUNCTION:
        put_function(out, f->function);
        if (f->with_ordinality) text_adds(out, " WITH ORDINALITY");
        break;
    case FROM_JOIN:
        put_from(out, f->left, false);
        text_addf(out, " %s%s ", f->natural ? "NATURAL " : "", join_words[f->join]);
        put_from(out, f->right, true);
        if (f->on) {
            text_adds(out, " ON ");
            ast_expr_sql(out, f->on);
        }
        if (f->join_using.n) {
            text_adds(out, " USING ");
            put_names(out, &f->join_using);
        }
        break;
    }
    if (parentheses) text_adds(out, ")");
    if (f->alias.n) {
        text_adds(out, " AS ");
        put_name(out, f->alias);
    }
    if (f->columns.n) {
        text_adds(out, " ");
        put_names(out, &f->columns);
    }
}

static void put_with(Text *out, const AstCtes *with, bool recursive) {
    for (int i = 0; i < with->n; i++) {
        text_adds(out, i ? ", " : recursive ? "WITH RECURSIVE " : "WITH ");
        put_name(out, with->at[i].name);
        if (with->at[i].columns.n) put_names(out, &with->at[i].columns);
        text_adds(out, " AS ");
        put_query(out, with->at[i].select);
    }
    if (with->n) text_adds(out, " ");
}

static void put_plain_select(Text *out, const AstSelect *s) {
    text_adds(out, "SELECT ");
    if (s->distinct) text_adds(out, "DISTINCT ");
    if (s->distinct_on.n) {
        text_adds(out, "ON (");
        put_list(out, &s->distinct_on, 0);
        text_adds(out, ") ");
    }
    for (int i = 0; i < s->targets.n; i++) {
        if (i) text_adds(out, ", ");
        ast_expr_sql(out, s->targets.at[i].expr);
        if (s->targets.at[i].alias.n == 0) continue;
        text_adds(out, " AS ");
        put_name(out, s->targets.at[i].alias);
    }
    for (int i = 0; i < s->from.n; i++) {
        text_adds(out, i ? ", " : " FROM ");
        put_from(out, s->from.at[i], false);
    }
    if (s->where) {
        text_adds(out, " WHERE ");
        ast_expr_sql(out, s->where);
    }
    if (s->group_by.n) {
        text_adds(out, " GROUP BY ");
        put_list(out, &s->group_by, 0);
    }
    if (s->having) {
        text_adds(out, " HAVING ");
        ast_expr_sql(out, s->having);
    }
    for (int i = 0; i < s->windows.n; i++) {
        text_adds(out, i ? ", " : " WINDOW ");
        put_name(out, s->windows.at[i]->name);
        text_adds(out, " AS ");
        put_window(out, s->windows.at[i]);
    }
}

static const char *const set_words[] = {[SET_NONE] = "", [SET_UNION] = " UNION ", [SET_INTERSECT] = " INTERSECT ", [SET_EXCEPT] = " EXCEPT "};
static const char *const wait_words[] = {[LOCK_WAIT] = "", [LOCK_NOWAIT] = " NOWAIT", [LOCK_SKIP] = " SKIP LOCKED"};

static void put_tail(Text *out, const AstSelect *s) {
    if (s->order.n) {
        text_adds(out, " ");
        put_orders(out, &s->order);
    }
    if (s->limit && !s->with_ties) {
        text_adds(out, " LIMIT ");
        ast_expr_sql(out, s->limit);
    }
    if (s->offset) {
        text_adds(out, " OFFSET ");
        ast_expr_sql(out, s->offset);
    }
    if (s->limit && s->with_ties) {
        text_adds(out, " FETCH FIRST ");
        put_operand(out, s->limit);
        text_adds(out, " ROWS WITH TIES");
    }
    for (int i = 0; i < s->locking.n; i++) {
        const AstLocking *k = &s->locking.at[i];
        text_adds(out, k->share ? " FOR SHARE" : " FOR UPDATE");
        for (int j = 0; j < k->of.n; j++) {
            text_adds(out, j ? ", " : " OF ");
            put_name(out, k->of.at[j]);
        }
        text_adds(out, wait_words[k->wait]);
    }
}

void ast_select_sql(Text *out, const AstSelect *s) {
    put_with(out, &s->with, s->recursive);
    if (s->set_op != SET_NONE) {
        put_query(out, s->left);
        text_adds(out, set_words[s->set_op]);
        if (s->set_all) text_adds(out, "ALL ");
        put_query(out, s->right);
    } else if (s->values.n) {
        for (int i = 0; i < s->values.n; i++) {
            text_adds(out, i ? ", (" : "VALUES (");
            put_list(out, &s->values.at[i], 0);
            text_adds(out, ")");
        }
    } else {
        put_plain_select(out, s);
    }
    put_tail(out, s);
}

/* ---- dump ---- */

typedef struct Dump { Text *out; int depth; } Dump;

static void begin(Dump *d, const char *tag) {
    if (d->out->n && d->out->p[d->out->n - 1] != '\n') text_adds(d->out, "\n");
    text_addf(d->out, "%*s(%s", d->depth * 2, "", tag);
    d->depth++;
}

static void end(Dump *d) {
    text_adds(d->out, ")");
    d->depth--;
}

static void at(Dump *d, Pos pos) {
    if (pos.at >= 0) text_addf(d->out, " @%d+%d", pos.at, pos.len);
}

static void word(Dump *d, const char *label, bool when) {
    if (when) text_addf(d->out, " %s", label);
}

static void name(Dump *d, const char *label, Str s) {
    if (s.n == 0) return;
    text_addf(d->out, " %s%s", label, *label ? "=" : "");
    put_name(d->out, s);
}

static void string(Dump *d, const char *label, Str s) {
    text_addf(d->out, " %s=", label);
    text_add_quoted(d->out, s, '\'');
}

static void name_list(Dump *d, const char *label, const AstNames *names) {
    if (names->n == 0) return;
    text_addf(d->out, " %s=", label);
    put_names(d->out, names);
}

static void dump_expr(Dump *d, const AstExpr *e);
static void dump_select(Dump *d, const AstSelect *s);

static void part(Dump *d, const char *label, const AstExpr *e) {
    if (!e) return;
    begin(d, label);
    dump_expr(d, e);
    end(d);
}

static void part_list(Dump *d, const char *label, const AstExprs *list) {
    if (list->n == 0) return;
    begin(d, label);
    for (int i = 0; i < list->n; i++) dump_expr(d, list->at[i]);
    end(d);
}

static void dump_orders(Dump *d, const char *label, const AstOrders *order) {
    if (order->n == 0) return;
    begin(d, label);
    for (int i = 0; i < order->n; i++) {
        begin(d, order->at[i].descending ? "desc" : "asc");
        if (order->at[i].nulls != NULLS_DEFAULT) word(d, order->at[i].nulls == NULLS_FIRST ? "nulls_first" : "nulls_last", true);
        dump_expr(d, order->at[i].expr);
        end(d);
    }
    end(d);
}

static void dump_window(Dump *d, const char *label, const AstWindow *w) {
    begin(d, label);
    name(d, "", w->name);
    name(d, "base", w->base);
    at(d, w->pos);
    part_list(d, "partition", &w->partition);
    dump_orders(d, "order", &w->order);
    if (w->unit != FRAME_NONE) {
        begin(d, "frame");
        text_addf(d->out, " %s ", frame_units[w->unit]);
        put_bound(d->out, w->start, w->start_offset);
        text_adds(d->out, " .. ");
        put_bound(d->out, w->end, w->end_offset);
        text_adds(d->out, frame_excludes[w->exclude]);
        end(d);
    }
    end(d);
}

static void dump_expr(Dump *d, const AstExpr *e) {
    if (!e) {
        begin(d, "none");
        end(d);
        return;
    }
    begin(d, ast_expr_name(e->tag));
    if (e->tag == AST_LITERAL) {
        text_adds(d->out, " ");
        put_literal(d->out, &e->literal);
    }
    if (e->tag == AST_PARAMETER) text_addf(d->out, " $%d", e->parameter + 1);
    word(d, operator_text(e->op), e->op != OP_NONE);
    if (e->tag == AST_COLUMN || e->tag == AST_STAR) {
        text_adds(d->out, " ");
        ast_expr_sql(d->out, e);
    } else {
        name(d, "", e->name);
    }
    if (e->tag == AST_IS) word(d, is_words[e->is], true);
    if (e->tag == AST_LIKE) word(d, like_words[e->like], true);
    word(d, "not", e->negated);
    word(d, e->tag == AST_QUANTIFIED ? "all" : e->tag == AST_BETWEEN ? "symmetric" : "distinct", e->distinct);
    word(d, "*", e->star);
    word(d, "within_group", e->within_group);
    static const char *const on_words[] = {[JSON_ON_NONE] = "", [JSON_ON_NULL] = "null", [JSON_ON_ERROR] = "error", [JSON_ON_DEFAULT] = "default"};
    if (e->on_empty != JSON_ON_NONE) text_addf(d->out, " on_empty:%s", on_words[e->on_empty]);
    if (e->on_error != JSON_ON_NONE) text_addf(d->out, " on_error:%s", on_words[e->on_error]);
    if (e->type) {
        text_adds(d->out, " ");
        put_type(d->out, e->type);
    }
    at(d, e->pos);
    for (int i = 0; i < e->args.n; i++) dump_expr(d, e->args.at[i]);
    for (int i = 0; i < e->arms.n; i++) {
        begin(d, "when");
        dump_expr(d, e->arms.at[i].when);
        dump_expr(d, e->arms.at[i].then);
        end(d);
    }
    part(d, "else", e->otherwise);
    if (e->select) dump_select(d, e->select);
    dump_orders(d, "order", &e->order);
    part(d, "filter", e->filter);
    if (e->over) dump_window(d, "over", e->over);
    end(d);
}

static void dump_targets(Dump *d, const char *label, const AstTargets *targets) {
    if (targets->n == 0) return;
    begin(d, label);
    for (int i = 0; i < targets->n; i++) {
        if (targets->at[i].alias.n) {
            begin(d, "as");
            name(d, "", targets->at[i].alias);
        }
        dump_expr(d, targets->at[i].expr);
        if (targets->at[i].alias.n) end(d);
    }
    end(d);
}

static void dump_from(Dump *d, const AstFrom *f) {
    static const char *const tags[] = {[FROM_TABLE] = "table", [FROM_SELECT] = "derived", [FROM_FUNCTION] = "from_function", [FROM_JOIN] = "join"};
    begin(d, tags[f->tag]);
    name(d, "", f->name);
    if (f->tag == FROM_JOIN) word(d, join_words[f->join], true);
    name(d, "as", f->alias);
    name_list(d, "columns", &f->columns);
    name_list(d, "using", &f->join_using);
    word(d, "natural", f->natural);
    word(d, "lateral", f->lateral);
    word(d, "with_ordinality", f->with_ordinality);
    at(d, f->pos);
    if (f->left) dump_from(d, f->left);
    if (f->right) dump_from(d, f->right);
    part(d, "on", f->on);
    if (f->select) dump_select(d, f->select);
    if (f->function) dump_expr(d, f->function);
    end(d);
}

static void dump_froms(Dump *d, const char *label, const AstFroms *froms) {
    if (froms->n == 0) return;
    begin(d, label);
    for (int i = 0; i < froms->n; i++) dump_from(d, froms->at[i]);
    end(d);
}

static void dump_stmt(Dump *d, const Stmt *s);

static void dump_with(Dump *d, const AstCtes *with, bool recursive) {
    for (int i = 0; i < with->n; i++) {
        begin(d, recursive ? "with_recursive" : "with");
        name(d, "", with->at[i].name);
        name_list(d, "columns", &with->at[i].columns);
        at(d, with->at[i].pos);
        if (with->at[i].write) dump_stmt(d, with->at[i].write);
        else dump_select(d, with->at[i].select);
        end(d);
    }
}

static void dump_select(Dump *d, const AstSelect *s) {
    static const char *const sets[] = {[SET_NONE] = "select", [SET_UNION] = "union", [SET_INTERSECT] = "intersect", [SET_EXCEPT] = "except"};
    begin(d, s->values.n ? "values" : sets[s->set_op]);
    word(d, "all", s->set_all);
    word(d, "distinct", s->distinct);
    word(d, "with_ties", s->with_ties);
    at(d, s->pos);
    dump_with(d, &s->with, s->recursive);
    if (s->left) dump_select(d, s->left);
    if (s->right) dump_select(d, s->right);
    for (int i = 0; i < s->values.n; i++) part_list(d, "values_row", &s->values.at[i]);
    part_list(d, "distinct_on", &s->distinct_on);
    dump_targets(d, "targets", &s->targets);
    dump_froms(d, "from", &s->from);
    part(d, "where", s->where);
    part_list(d, "group_by", &s->group_by);
    part(d, "having", s->having);
    for (int i = 0; i < s->windows.n; i++) dump_window(d, "window", s->windows.at[i]);
    dump_orders(d, "order", &s->order);
    part(d, "limit", s->limit);
    part(d, "offset", s->offset);
    for (int i = 0; i < s->locking.n; i++) {
        begin(d, s->locking.at[i].share ? "for_share" : "for_update");
        text_adds(d->out, wait_words[s->locking.at[i].wait]);
        name_list(d, "of", &s->locking.at[i].of);
        at(d, s->locking.at[i].pos);
        end(d);
    }
    end(d);
}

static void dump_assigns(Dump *d, const char *label, const AstAssigns *list) {
    if (list->n == 0) return;
    begin(d, label);
    for (int i = 0; i < list->n; i++) {
        begin(d, "assign");
        name(d, "", list->at[i].column);
        at(d, list->at[i].pos);
        for (int k = 0; k < list->at[i].steps.n; k++) part(d, "step", list->at[i].steps.at[k]);
        if (list->at[i].width) text_addf(d->out, " item %d", list->at[i].item);
        dump_expr(d, list->at[i].value);
        end(d);
    }
    end(d);
}

static void dump_insert(Dump *d, const AstInsert *s, Pos pos) {
    name(d, "", s->table);
    name(d, "as", s->alias);
    name_list(d, "columns", &s->columns);
    at(d, pos);
    static const char *const overriding[] = {[OVERRIDING_SYSTEM] = "overriding_system_value", [OVERRIDING_USER] = "overriding_user_value"};
    if (s->overriding) word(d, overriding[s->overriding], true);
    dump_with(d, &s->with, s->recursive);
    if (s->select) dump_select(d, s->select);
    else {
        begin(d, "default_values");
        end(d);
    }
    if (s->on_conflict) {
        begin(d, s->do_nothing ? "on_conflict_do_nothing" : "on_conflict_do_update");
        name_list(d, "columns", &s->conflict_columns);
        name(d, "constraint", s->conflict_constraint);
        part(d, "index_where", s->conflict_index_where);
        dump_assigns(d, "set", &s->conflict_set);
        part(d, "where", s->conflict_where);
        end(d);
    }
    dump_targets(d, "returning", &s->returning);
}

static void dump_type(Dump *d, const AstType *t) {
    text_adds(d->out, " ");
    put_type(d->out, t);
}

static void dump_constraint(Dump *d, const AstConstraint *c) {
    static const char *const kinds[] = {[CONSTRAINT_PRIMARY_KEY] = "primary_key", [CONSTRAINT_UNIQUE] = "unique", [CONSTRAINT_CHECK] = "check", [CONSTRAINT_FOREIGN_KEY] = "foreign_key"};
    begin(d, kinds[c->kind]);
    name(d, "", c->name);
    name_list(d, "columns", &c->columns);
    name(d, "references", c->references);
    name_list(d, "references_columns", &c->references_columns);
    name(d, "on_delete", c->actions.on_delete);
    name(d, "on_update", c->actions.on_update);
    word(d, "deferrable", c->deferrable);
    word(d, "initially_deferred", c->initially_deferred);
    word(d, "nulls_not_distinct", c->nulls_not_distinct);
    if (c->check) string(d, "text", c->check_text);
    at(d, c->pos);
    if (c->check) dump_expr(d, c->check);
    end(d);
}

static void dump_column(Dump *d, const AstColumnDef *c) {
    begin(d, "column");
    name(d, "", c->name);
    dump_type(d, c->type);
    word(d, "not_null", c->not_null);
    word(d, "null", c->is_null);
    word(d, "identity", c->identity);
    word(d, "always", c->identity_always);
    name(d, "collate", c->collation);
    at(d, c->pos);
    if (c->default_) {
        begin(d, "default");
        string(d, "text", c->default_text);
        dump_expr(d, c->default_);
        end(d);
    }
    if (c->generated) {
        begin(d, c->generated_stored ? "generated_stored" : "generated_virtual");
        string(d, "text", c->generated_text);
        dump_expr(d, c->generated);
        end(d);
    }
    for (int i = 0; i < c->constraints.n; i++) dump_constraint(d, c->constraints.at[i]);
    end(d);
}

static void dump_options(Dump *d, const AstOptions *options) {
    for (int i = 0; i < options->n; i++) {
        begin(d, "with");
        name(d, "", options->at[i].name);
        at(d, options->at[i].pos);
        if (options->at[i].value) dump_expr(d, options->at[i].value);
        end(d);
    }
}

static void dump_alter(Dump *d, const AstAlter *a) {
    static const char *const tags[] = {
        [ALTER_ADD_COLUMN] = "add_column", [ALTER_DROP_COLUMN] = "drop_column", [ALTER_RENAME_COLUMN] = "rename_column", [ALTER_RENAME_TABLE] = "rename_table",
        [ALTER_COLUMN_TYPE] = "column_type", [ALTER_SET_NOT_NULL] = "set_not_null", [ALTER_DROP_NOT_NULL] = "drop_not_null", [ALTER_SET_DEFAULT] = "set_default",
        [ALTER_DROP_DEFAULT] = "drop_default", [ALTER_ADD_IDENTITY] = "add_identity", [ALTER_DROP_IDENTITY] = "drop_identity", [ALTER_DROP_EXPRESSION] = "drop_expression", [ALTER_SET_OPTIONS] = "set_options",
        [ALTER_ADD_CONSTRAINT] = "add_constraint", [ALTER_DROP_CONSTRAINT] = "drop_constraint", [ALTER_RENAME_CONSTRAINT] = "rename_constraint",
    };
    begin(d, tags[a->tag]);
    name(d, "", a->name);
    name(d, "to", a->new_name);
    word(d, "if_exists", a->if_exists);
    word(d, "if_not_exists", a->if_not_exists);
    word(d, "cascade", a->cascade);
    if (a->type) dump_type(d, a->type);
    name(d, "collate", a->collation);
    at(d, a->pos);
    if (a->column) dump_column(d, a->column);
    if (a->constraint) dump_constraint(d, a->constraint);
    dump_options(d, &a->options);
    if (a->expr) {
        begin(d, "expr");
        string(d, "text", a->expr_text);
        dump_expr(d, a->expr);
        end(d);
    }
    end(d);
}

static void dump_index(Dump *d, const AstCreateIndex *x, Pos pos) {
    name(d, "on", x->table);
    name(d, "using", x->method);
    word(d, "unique", x->unique);
    word(d, "concurrently", x->concurrently);
    word(d, "nulls_not_distinct", x->nulls_not_distinct);
    name_list(d, "include", &x->include);
    at(d, pos);
    for (int i = 0; i < x->keys.n; i++) {
        const AstIndexKey *k = &x->keys.at[i];
        begin(d, "key");
        name(d, "", k->column);
        name(d, "path", k->path);
        word(d, "desc", k->descending);
        name(d, "collate", k->collation);
        name(d, "opclass", k->opclass);
        if (k->expr) string(d, "text", k->expr_text);
        at(d, k->pos);
        if (k->expr) dump_expr(d, k->expr);
        end(d);
    }
    dump_options(d, &x->options);
    if (x->where) {
        begin(d, "where");
        string(d, "text", x->where_text);
        dump_expr(d, x->where);
        end(d);
    }
}

/* "CREATE TABLE" -> create_table */
static void open_stmt(Dump *d, StmtTag tag) {
    char lower[32];
    const char *text = stmt_name(tag);
    size_t n = 0;
    for (; text[n] && n < sizeof lower - 1; n++) lower[n] = text[n] == ' ' ? '_' : (char)(text[n] | 32);
    lower[n] = '\0';
    begin(d, lower);
}

static void dump_stmt(Dump *d, const Stmt *s) {
    if (s->tag == STMT_SELECT) {
        dump_select(d, s->select);
        return;
    }
    open_stmt(d, s->tag);
    name(d, "", s->name);
    name(d, "column", s->column);
    if (s->names.n > 1) name_list(d, "names", &s->names);
    name_list(d, "columns", &s->columns);
    if (s->text.n) string(d, "text", s->text);
    word(d, "if_exists", s->if_exists);
    word(d, "if_not_exists", s->if_not_exists);
    word(d, "cascade", s->cascade);
    word(d, "restart_identity", s->restart_identity);
    word(d, "or_replace", s->or_replace);
    word(d, "analyze", s->analyze);
    word(d, "verbose", s->verbose);
    word(d, "local", s->local);
    name(d, "format", s->explain_format);
    if (s->insert) dump_insert(d, s->insert, s->pos);
    else if (s->create_index) dump_index(d, s->create_index, s->pos);
    else if (!s->update && !s->delete_ && !s->create_table) at(d, s->pos);
    if (s->update) {
        name(d, "", s->update->table);
        name(d, "as", s->update->alias);
        at(d, s->pos);
        dump_with(d, &s->update->with, s->update->recursive);
        dump_assigns(d, "set", &s->update->set);
        dump_froms(d, "from", &s->update->from);
        part(d, "where", s->update->where);
        dump_targets(d, "returning", &s->update->returning);
    }
    if (s->delete_) {
        name(d, "", s->delete_->table);
        name(d, "as", s->delete_->alias);
        at(d, s->pos);
        dump_with(d, &s->delete_->with, s->delete_->recursive);
        dump_froms(d, "using", &s->delete_->using_);
        part(d, "where", s->delete_->where);
        dump_targets(d, "returning", &s->delete_->returning);
    }
    if (s->create_table) {
        word(d, "temporary", s->create_table->temporary);
        word(d, "adopt", s->create_table->adopt);
        word(d, "implicit", s->create_table->implicit);
        word(d, "enforced", s->create_table->enforced);
        at(d, s->pos);
        for (int i = 0; i < s->create_table->columns.n; i++) dump_column(d, s->create_table->columns.at[i]);
        for (int i = 0; i < s->create_table->constraints.n; i++) dump_constraint(d, s->create_table->constraints.at[i]);
        dump_options(d, &s->create_table->options);
    }
    for (int i = 0; i < s->alters.n; i++) dump_alter(d, s->alters.at[i]);
    if (s->select) dump_select(d, s->select);
    if (s->explained) dump_stmt(d, s->explained);
    end(d);
}

void ast_dump(Text *out, const Stmt *stmt) {
    Dump d = {.out = out};
    dump_stmt(&d, stmt);
    text_adds(out, "\n");
}
