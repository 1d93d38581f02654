/* parse.c - text to AST: runs the grammar over the lexer and builds the nodes its actions ask for.
 *
 * In: cc->sql. Out: a Stmt (or a lone expression) in the arena, and the list of its parameters.
 * Invariants afterwards: AND and OR are flat (two or more operands, none of the same kind below); a minus sign before a number is part of the literal;
 * special syntax is gone (EXTRACT, TRIM, AT TIME ZONE ... are plain functions, IN %s is = ANY(%s), INTERVAL '1' DAY is a cast); no tree is higher than
 * AST_MAX_HEIGHT, so later passes may recurse on it without counting; %s is numbered from left to right, equal %(name)s share a number.
 *     a = 1 AND b IN (%s) AND -2 < c     ->  (and (= a 1) (in b $1) (< -2 c))
 * Long lists (IN, VALUES, AND) are arrays and cost no height; a + b + c ... leans left and costs one a term.
 * Not here: whether a name exists, a type is known or an argument count is right. */
#include "parse.h"

#include "grammar.h"

#include <bson/bson.h>

static const uint64_t DECIMAL_INTEGER = 0x3040000000000000ull;     /* the high half of a decimal128 below 2^64 with exponent 0 */
enum { AST_MAX_HEIGHT = MAX_DEPTH - 50, MAX_PARAMETERS = 65535 };

Pos parse_span(const Parse *p, int at) { return (Pos){at, p->end > at ? p->end - at : 0}; }

void parse_refuse(Parse *p, Pos pos, const char *what) { fail(p->cc, SQM_ERROR_NOT_SUPPORTED, pos, "%s is not supported", what); }

void parse_storage(Parse *p, Token word) {
    if (str_ieq(word.text, STR("adopt"))) p->adopt = true;
    else if (str_ieq(word.text, STR("implicit"))) p->implicit = true;
    else if (str_ieq(word.text, STR("enforced"))) p->enforced = true;
    else if (str_ieq(word.text, STR("lenient"))) p->lenient = true;
    else fail_hint(p->cc, SQM_ERROR_NOT_SUPPORTED, token_pos(word), "There are ADOPT, IMPLICIT, ENFORCED and LENIENT.", "storage parameter \"" STR_FMT "\" is not supported", STR_ARG(word.text));
}

void parse_no_storage(Parse *p, Pos pos, const char *what) {
    if (p->adopt || p->implicit || p->enforced || p->lenient) parse_refuse(p, pos, what);
}

void parse_alter_storage(Parse *p, AstAlter *a) {
    if (p->adopt || p->implicit || (p->enforced && p->lenient)) parse_refuse(p, a->pos, "ALTER TABLE ... SET (ADOPT | IMPLICIT), or ENFORCED with LENIENT");
    a->enforced = p->enforced;
    a->lenient = p->lenient;
}

Str parse_lower(Parse *p, Str s) {
    for (uint32_t i = 0; i < s.n; i++) {
        if (s.p[i] < 'A' || s.p[i] > 'Z') continue;
        char *copy = arena_copy(p->arena, s.p, s.n);
        for (; i < s.n; i++)
            if (copy[i] >= 'A' && copy[i] <= 'Z') copy[i] = (char)(copy[i] + 32);
        return (Str){copy, s.n};
    }
    return s;
}

static Str lower_unless_quoted(Parse *p, Token t) { return lex_is_quoted(&p->lex, &t) ? t.text : parse_lower(p, t.text); }

static void grow(Parse *p, int *height, int child, Pos pos) {
    if (child < *height) return;
    *height = child + 1;
    if (*height > AST_MAX_HEIGHT) fail(p->cc, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, pos, "the statement is nested more than %d levels deep", AST_MAX_HEIGHT);
}

/* ---- expressions ---- */

AstExpr *parse_node(Parse *p, AstExprTag tag, int at) {
    AstExpr *e = NEW(p->arena, AstExpr);
    e->tag = tag;
    e->pos = parse_span(p, at);
    e->height = 1;
    return e;
}

void parse_arg(Parse *p, AstExpr *e, AstExpr *arg) {
    vec_push(p->arena, &e->args, arg);
    if (arg) grow(p, &e->height, arg->height, e->pos);
}

static AstExpr *node_of(Parse *p, AstExprTag tag, int at, AstExpr *a, AstExpr *b) {
    AstExpr *e = parse_node(p, tag, at);
    e->args.at = NEW_ARRAY(p->arena, AstExpr *, b ? 2 : 1);
    e->args.cap = b ? 2 : 1;
    parse_arg(p, e, a);
    if (b) parse_arg(p, e, b);
    return e;
}

AstExpr *parse_unary(Parse *p, int at, Operator op, AstExpr *a) {
    if (op == OP_NEG && a->tag == AST_LITERAL) {
        sqm_value_t *v = &a->literal;
        bool folds = true;
        if (v->type == SQM_INT && v->u.i != INT64_MIN) v->u.i = -v->u.i;
        else if (v->type == SQM_DECIMAL && v->u.decimal.low == (uint64_t)1 << 63 && v->u.decimal.high == DECIMAL_INTEGER) *v = sqm_int(INT64_MIN);
        else if (v->type == SQM_DECIMAL) v->u.decimal.high ^= (uint64_t)1 << 63;
        else folds = false;
        if (folds) {
            a->pos = parse_span(p, at);
            a->parenthesised = false;
            return a;
        }
    }
    AstExpr *e = node_of(p, AST_UNARY, at, a, NULL);
    e->op = op;
    return e;
}

AstExpr *parse_not(Parse *p, int at, AstExpr *a) { return node_of(p, AST_NOT, at, a, NULL); }

AstExpr *parse_binary(Parse *p, Operator op, AstExpr *a, AstExpr *b) {
    AstExpr *e = node_of(p, AST_BINARY, a->pos.at, a, b);
    e->op = op;
    return e;
}

AstExpr *parse_logic(Parse *p, AstExprTag tag, AstExpr *a, AstExpr *b) {
    AstExpr *e = a;
    int at = a->pos.at;
    if (a->tag != tag) {
        e = parse_node(p, tag, at);
        parse_arg(p, e, a);
    }
    e->pos = parse_span(p, at);
    e->parenthesised = false;
    if (b->tag != tag) parse_arg(p, e, b);
    else for (int i = 0; i < b->args.n; i++) parse_arg(p, e, b->args.at[i]);
    return e;
}

AstExpr *parse_is(Parse *p, AstExpr *a, IsKind is, bool negated) {
    AstExpr *e = node_of(p, AST_IS, a->pos.at, a, NULL);
    e->is = is;
    e->negated = negated;
    return e;
}

AstExpr *parse_two(Parse *p, AstExprTag tag, AstExpr *a, AstExpr *b, bool negated) {
    AstExpr *e = node_of(p, tag, a->pos.at, a, b);
    e->negated = negated;
    return e;
}

AstExpr *parse_like(Parse *p, LikeKind like, bool negated, AstExpr *a, AstExpr *b, AstExpr *escape) {
    AstExpr *e = parse_two(p, AST_LIKE, a, b, negated);
    e->like = like;
    if (escape) parse_arg(p, e, escape);
    return e;
}

AstExpr *parse_between(Parse *p, AstExpr *a, AstExpr *low, AstExpr *high, bool negated, bool symmetric) {
    AstExpr *e = parse_two(p, AST_BETWEEN, a, low, negated);
    parse_arg(p, e, high);
    e->distinct = symmetric;
    return e;
}

static void push_all(Parse *p, AstExpr *e, const AstExprs *list) {
    if (e->args.n == 0) {
        e->args = *list;            /* the list is nobody else's */
        for (int i = 0; i < list->n; i++) grow(p, &e->height, list->at[i]->height, e->pos);
    } else {
        for (int i = 0; i < list->n; i++) parse_arg(p, e, list->at[i]);
    }
}

AstExpr *parse_in_list(Parse *p, AstExpr *a, const AstExprs *list, bool negated) {
    AstExpr *e = parse_node(p, AST_IN_LIST, a->pos.at);
    e->args.cap = list->n + 1;
    e->args.at = NEW_ARRAY(p->arena, AstExpr *, e->args.cap);
    e->negated = negated;
    parse_arg(p, e, a);
    push_all(p, e, list);
    return e;
}

static void put_select(Parse *p, AstExpr *e, AstSelect *s) {
    e->select = s;
    grow(p, &e->height, s->height, e->pos);
}

AstExpr *parse_in_select(Parse *p, AstExpr *a, AstSelect *s, bool negated) {
    AstExpr *e = node_of(p, AST_IN_SELECT, a->pos.at, a, NULL);
    e->negated = negated;
    put_select(p, e, s);
    return e;
}

AstExpr *parse_quantified(Parse *p, AstExpr *a, Operator op, bool all, AstSelect *s, AstExpr *array) {
    AstExpr *e = node_of(p, AST_QUANTIFIED, a->pos.at, a, array);
    e->op = op;
    e->distinct = all;
    if (s) put_select(p, e, s);
    return e;
}

AstExpr *parse_query_node(Parse *p, AstExprTag tag, int at, AstSelect *s) {
    AstExpr *e = parse_node(p, tag, at);
    put_select(p, e, s);
    return e;
}

AstExpr *parse_list(Parse *p, AstExprTag tag, int at, const AstExprs *list) {
    AstExpr *e = parse_node(p, tag, at);
    push_all(p, e, list);
    if (tag != AST_GROUPING_SETS) return e;
    for (int i = 0; i < e->args.n; i++) {
        AstExpr *set = e->args.at[i];
        if (set->tag == AST_ROLLUP || set->tag == AST_CUBE || set->tag == AST_GROUPING_SETS) parse_refuse(p, set->pos, "a nested grouping set");
        if (set->tag == AST_ROW) continue;
        AstExpr *row = node_of(p, AST_ROW, set->pos.at, set, NULL);
        row->pos = set->pos;
        e->args.at[i] = row;
        grow(p, &e->height, row->height, e->pos);
    }
    return e;
}

AstExpr *parse_name(Parse *p, Token name) {
    AstExpr *e = parse_node(p, AST_COLUMN, name.at);
    e->name = name.text;
    return e;
}

static bool is_bare_column(const AstExpr *e) { return e->tag == AST_COLUMN && !e->parenthesised && !e->qualifier.p; }

AstExpr *parse_dot(Parse *p, AstExpr *a, Token name) {
    if (is_bare_column(a)) {
        a->qualifier = a->name;
        a->name = name.text;
        a->pos = parse_span(p, a->pos.at);
        return a;
    }
    AstExpr *e = node_of(p, AST_FIELD, a->pos.at, a, NULL);
    e->name = name.text;
    return e;
}

AstExpr *parse_star(Parse *p, AstExpr *qualifier) {
    if (!qualifier) return parse_node(p, AST_STAR, p->end);
    qualifier->pos = parse_span(p, qualifier->pos.at);
    if (!is_bare_column(qualifier)) parse_refuse(p, qualifier->pos, "taking all fields of a value (.*)");
    qualifier->tag = AST_STAR;
    qualifier->qualifier = qualifier->name;
    qualifier->name = (Str){0};
    return qualifier;
}

AstExpr *parse_function(Parse *p, Token name, const AstExprs *args) {
    AstExpr *e = parse_node(p, AST_FUNCTION, name.at);
    e->name = lower_unless_quoted(p, name);
    push_all(p, e, args);
    return e;
}

/* The clauses of JSON_VALUE: on_empty with its DEFAULT in `filter`, on_error with its DEFAULT in `otherwise`, until parse_json_call makes them arguments. */
JsonOn parse_json_word(Parse *p, Token word) {
    if (!str_ieq(word.text, STR("error"))) fail(p->cc, SQM_ERROR_SYNTAX, token_pos(word), "NULL, ERROR or DEFAULT is expected before ON");
    return JSON_ON_ERROR;
}

AstExpr *parse_json_on(Parse *p, int at, JsonOn on, AstExpr *value, Token moment) {
    AstExpr *e = parse_node(p, AST_FUNCTION, at);
    bool empty = str_ieq(moment.text, STR("empty"));
    if (!empty && !str_ieq(moment.text, STR("error"))) fail(p->cc, SQM_ERROR_SYNTAX, token_pos(moment), "EMPTY or ERROR is expected after ON");
    if (empty) e->on_empty = on, e->filter = value;
    else e->on_error = on, e->otherwise = value;
    return e;
}

AstExpr *parse_json_on_both(Parse *p, AstExpr *clauses, AstExpr *more) {
    if ((more->on_empty != JSON_ON_NONE && (clauses->on_empty != JSON_ON_NONE || clauses->on_error != JSON_ON_NONE)) ||
        (more->on_error != JSON_ON_NONE && clauses->on_error != JSON_ON_NONE))
        fail(p->cc, SQM_ERROR_SYNTAX, more->pos, "ON EMPTY and ON ERROR may stand once each, in this order");
    if (more->on_empty != JSON_ON_NONE) clauses->on_empty = more->on_empty, clauses->filter = more->filter;
    else clauses->on_error = more->on_error, clauses->otherwise = more->otherwise;
    return clauses;
}

AstExpr *parse_json_call(Parse *p, Token name, const AstExprs *args, AstExpr *clauses) {
    AstExpr *e = parse_function(p, name, args);
    bool value = str_is(e->name, "json_value"), query = str_is(e->name, "json_query");
    if (!value && !query) fail(p->cc, SQM_ERROR_SYNTAX, clauses->pos, "RETURNING, ON EMPTY and ON ERROR belong to JSON_VALUE and JSON_QUERY");
    if (args->n != 2) fail(p->cc, SQM_ERROR_SYNTAX, e->pos, "%s takes a document and a path", value ? "JSON_VALUE" : "JSON_QUERY");
    e->type = clauses->type;
    e->on_empty = clauses->on_empty;
    e->on_error = clauses->on_error;
    if (clauses->filter) parse_arg(p, e, clauses->filter);
    if (clauses->otherwise) parse_arg(p, e, clauses->otherwise);
    return e;
}

AstExpr *parse_qualified_function(Parse *p, AstExpr *schema, Token name, const AstExprs *args) {
    if (!is_bare_column(schema) || !str_ieq(schema->name, STR("pg_catalog"))) parse_refuse(p, schema->pos, "a schema-qualified function");
    return parse_function(p, name, args);
}

AstExpr *parse_call(Parse *p, int at, Str name, int n, ...) {
    AstExpr *e = parse_node(p, AST_FUNCTION, at);
    e->name = name;
    va_list args;
    va_start(args, n);
    for (int i = 0; i < n; i++) parse_arg(p, e, va_arg(args, AstExpr *));
    va_end(args);
    return e;
}

/* Without a name it is a row: (first, rest...). */
AstExpr *parse_call_list(Parse *p, int at, Str name, AstExpr *first, const AstExprs *rest) {
    AstExpr *e = parse_node(p, name.n ? AST_FUNCTION : AST_ROW, at);
    e->name = name;
    if (first) parse_arg(p, e, first);
    push_all(p, e, rest);
    return e;
}

AstExpr *parse_word_function(Parse *p, Token word, AstExpr *precision) {
    AstExpr *e = parse_node(p, AST_FUNCTION, word.at);
    e->name = parse_lower(p, word.text);
    if (precision) parse_arg(p, e, precision);
    return e;
}

AstExpr *parse_extract(Parse *p, int at, AstExpr *field, AstExpr *from) {
    if (is_bare_column(field)) {
        Str unit = parse_lower(p, field->name);
        field->tag = AST_LITERAL;
        field->name = (Str){0};
        field->literal = sqm_text(unit.p, unit.n);
    } else if (field->tag != AST_LITERAL && field->tag != AST_PARAMETER) {
        fail(p->cc, SQM_ERROR_SYNTAX, field->pos, "EXTRACT needs the name of a field, such as YEAR");
    }
    return parse_call(p, at, STR("extract"), 2, field, from);
}

static void grow_orders(Parse *p, int *height, const AstOrders *order, Pos pos) {
    for (int i = 0; i < order->n; i++) grow(p, height, order->at[i].expr->height, pos);
}

static void grow_list(Parse *p, int *height, const AstExprs *list, Pos pos) {
    for (int i = 0; i < list->n; i++) grow(p, height, list->at[i]->height, pos);
}

static void grow_window(Parse *p, int *height, const AstWindow *w, Pos pos) {
    grow_list(p, height, &w->partition, pos);
    grow_orders(p, height, &w->order, pos);
    if (w->start_offset) grow(p, height, w->start_offset->height, pos);
    if (w->end_offset) grow(p, height, w->end_offset->height, pos);
}

void parse_over(Parse *p, AstExpr *f, AstWindow *window) {
    f->over = window;
    f->pos = parse_span(p, f->pos.at);
    grow_orders(p, &f->height, &f->order, f->pos);
    if (f->filter) grow(p, &f->height, f->filter->height, f->pos);
    if (window) grow_window(p, &f->height, window, f->pos);
}

static AstExpr *literal(Parse *p, Token t, sqm_value_t value) {
    AstExpr *e = parse_node(p, AST_LITERAL, t.at);
    e->literal = value;
    return e;
}

AstExpr *parse_text(Parse *p, Token t) { return literal(p, t, sqm_text(t.text.p, t.text.n)); }
AstExpr *parse_bytes(Parse *p, Token t) { return literal(p, t, (sqm_value_t){.type = SQM_BYTES, .len = t.text.n, .u.bytes = (const uint8_t *)t.text.p}); }
AstExpr *parse_null(Parse *p, Token t) { return literal(p, t, sqm_null()); }
AstExpr *parse_bool(Parse *p, Token t, bool value) { return literal(p, t, sqm_bool(value)); }

AstExpr *parse_number(Parse *p, Token t, bool integer) {
    if (integer) {
        int64_t value = 0;
        bool fits = true;
        for (uint32_t i = 0; i < t.text.n && fits; i++) fits = !__builtin_mul_overflow(value, 10, &value) && !__builtin_add_overflow(value, t.text.p[i] - '0', &value);
        if (fits) return literal(p, t, sqm_int(value));
    }
    bson_decimal128_t d;
    bool ok = t.text.n < 10000 && bson_decimal128_from_string_w_len(t.text.p, (int)t.text.n, &d);
    if (!ok || (d.high & 0x7800000000000000ull) == 0x7800000000000000ull)
        fail(p->cc, SQM_ERROR_NUMERIC_OUT_OF_RANGE, token_pos(t), "the number has more than 34 digits or is out of range");
    return literal(p, t, (sqm_value_t){.type = SQM_DECIMAL, .u.decimal = {.low = d.low, .high = d.high}});
}

AstExpr *parse_cast(Parse *p, int at, AstExpr *a, AstType *type) {
    AstExpr *e = node_of(p, AST_CAST, at, a, NULL);
    e->type = type;
    return e;
}

AstExpr *parse_typed_literal(Parse *p, Token type_name, bool with_zone, Token text, Str unit) {
    AstExpr *a = parse_text(p, text);
    a->pos = token_pos(text);
    if (unit.n) {
        for (uint32_t i = 0; i < text.text.n; i++)
            if (!strchr("0123456789.+- ", text.text.p[i])) parse_refuse(p, token_pos(text), "an interval with units both inside and outside of the quotes");
        Str both = arena_printf(p->arena, STR_FMT " " STR_FMT, STR_ARG(text.text), STR_ARG(parse_lower(p, unit)));
        a->literal = sqm_text(both.p, both.n);
    }
    Str name = with_zone ? arena_printf(p->arena, STR_FMT " with time zone", STR_ARG(type_name.text)) : type_name.text;
    AstType *type = parse_type(p, type_name.at, name, &(AstExprs){0});
    type->pos = token_pos(type_name);
    return parse_cast(p, type_name.at, a, type);
}

AstExpr *parse_collate(Parse *p, AstExpr *a, Token name) {
    AstExpr *e = node_of(p, AST_COLLATE, a->pos.at, a, NULL);
    e->name = name.text;
    return e;
}

AstExpr *parse_subscript(Parse *p, AstExpr *a, AstExpr *low, AstExpr *high, bool slice) {
    AstExpr *e = node_of(p, AST_SUBSCRIPT, a->pos.at, a, NULL);
    parse_arg(p, e, low);
    if (slice) parse_arg(p, e, high);
    return e;
}

AstExpr *parse_case_arm(Parse *p, AstExpr *e, AstExpr *when, AstExpr *then) {
    vec_push(p->arena, &e->arms, ((AstCaseArm){when, then}));
    grow(p, &e->height, when->height, e->pos);
    grow(p, &e->height, then->height, e->pos);
    return e;
}

AstExpr *parse_case_end(Parse *p, int at, AstExpr *e, AstExpr *operand, AstExpr *otherwise) {
    e->pos = parse_span(p, at);
    if (operand) parse_arg(p, e, operand);
    e->otherwise = otherwise;
    if (otherwise) grow(p, &e->height, otherwise->height, e->pos);
    return e;
}

AstType *parse_type(Parse *p, int at, Str name, const AstExprs *modifiers) {
    AstType *t = NEW(p->arena, AstType);
    t->name = parse_lower(p, name);
    t->pos = parse_span(p, at);
    t->modifiers[0] = t->modifiers[1] = -1;
    static const char zone[] = " with time zone";
    if (t->name.n > sizeof zone - 1 && memcmp(t->name.p + t->name.n - (sizeof zone - 1), zone, sizeof zone - 1) == 0 &&
        !str_is(t->name, "timestamp with time zone") && !str_is(t->name, "time with time zone"))
        fail(p->cc, SQM_ERROR_SYNTAX, t->pos, "only time and timestamp can be WITH TIME ZONE");
    if (modifiers->n > 2) fail(p->cc, SQM_ERROR_SYNTAX, t->pos, "a type has at most two modifiers");
    for (int i = 0; i < modifiers->n; i++) {
        const AstExpr *m = modifiers->at[i];
        if (m->tag != AST_LITERAL || m->literal.type != SQM_INT || m->literal.u.i > INT32_MAX || m->literal.u.i < -1000)
            fail(p->cc, SQM_ERROR_SYNTAX, m->pos, "a type modifier must be an integer constant");
        if (m->literal.u.i < 0) fail(p->cc, SQM_ERROR_NOT_SUPPORTED, m->pos, "a negative type modifier is not supported");
        t->modifiers[i] = (int)m->literal.u.i;
    }
    t->n_modifiers = modifiers->n;
    return t;
}

AstWindow *parse_window(Parse *p, const AstExprs *partition, const AstOrders *order, const Frame *frame) {
    AstWindow *w = NEW(p->arena, AstWindow);
    w->partition = *partition;
    w->order = *order;
    if (!frame) return w;
    w->unit = frame->unit;
    w->start = frame->start;
    w->end = frame->end;
    w->start_offset = frame->start_offset;
    w->end_offset = frame->end_offset;
    w->exclude = frame->exclude;
    return w;
}

Frame *parse_frame(Parse *p, int at, FrameUnit unit, Bound start, Bound end, FrameExclude exclude) {
    Pos pos = parse_span(p, at);
    const char *wrong = start.kind == BOUND_UNBOUNDED_FOLLOWING ? "a frame cannot start at UNBOUNDED FOLLOWING"
                      : end.kind == BOUND_UNBOUNDED_PRECEDING ? "a frame cannot end at UNBOUNDED PRECEDING"
                      : end.kind < start.kind ? "the frame ends before it starts" : NULL;
    if (wrong) fail(p->cc, SQM_ERROR_WINDOWING, pos, "%s", wrong);
    Frame *f = NEW(p->arena, Frame);
    *f = (Frame){unit, start.kind, end.kind, start.offset, end.offset, exclude};
    return f;
}

/* ---- placeholders ---- */

static uint64_t name_slot(Str name) { return hash_bytes(name.p, name.n, 0); }

static void index_name(Parse *p, int i) {
    uint64_t mask = (uint64_t)p->parameter_index.size - 1, h = name_slot(p->parameters.at[i]) & mask;
    while (p->parameter_index.slots[h]) h = (h + 1) & mask;
    p->parameter_index.slots[h] = i + 1;
}

static int named_parameter(Parse *p, Str name) {
    enum { FEW = 8 };
    if (p->parameters.n <= FEW) {
        for (int i = 0; i < p->parameters.n; i++)
            if (str_eq(p->parameters.at[i], name)) return i;
    } else {
        uint64_t mask = (uint64_t)p->parameter_index.size - 1;
        for (uint64_t h = name_slot(name) & mask; p->parameter_index.slots[h]; h = (h + 1) & mask)
            if (str_eq(p->parameters.at[p->parameter_index.slots[h] - 1], name)) return p->parameter_index.slots[h] - 1;
    }
    vec_push(p->arena, &p->parameters, name);
    int n = p->parameters.n;
    if (n > FEW && n * 2 > p->parameter_index.size) {
        p->parameter_index.size = p->parameter_index.size ? p->parameter_index.size * 2 : 64;
        p->parameter_index.slots = NEW_ARRAY(p->arena, int, p->parameter_index.size);
        for (int i = 0; i < n; i++) index_name(p, i);
    } else if (n > FEW) {
        index_name(p, n - 1);
    }
    return n - 1;
}

AstExpr *parse_parameter(Parse *p, Token t) {
    AstExpr *e = parse_node(p, AST_PARAMETER, t.at);
    e->pos = token_pos(t);
    char sign = p->cc->sql.p[t.at];
    int style = sign == '$' ? NUMBERED_STYLE : t.text.p ? NAMED_STYLE : FORMAT_STYLE;
    if (p->style != NO_STYLE && (int)p->style != style) fail(p->cc, SQM_ERROR_SYNTAX, e->pos, "placeholders of different styles cannot be mixed in one statement");
    p->style = style;
    e->name = sign == '$' ? (Str){0} : t.text;
    if (style == NAMED_STYLE) {
        e->parameter = named_parameter(p, t.text);
    } else if (style == FORMAT_STYLE) {
        e->parameter = p->parameters.n;
        vec_push(p->arena, &p->parameters, ((Str){0}));
    } else {
        int number = 0;
        for (uint32_t i = 1; i < t.text.n && number <= MAX_PARAMETERS; i++) number = number * 10 + (t.text.p[i] - '0');
        if (number < 1 || number > MAX_PARAMETERS) fail(p->cc, SQM_ERROR_SYNTAX, e->pos, "there is no parameter " STR_FMT, STR_ARG(t.text));
        e->parameter = number - 1;
        while (p->parameters.n < number) vec_push(p->arena, &p->parameters, ((Str){0}));
    }
    return e;
}

/* ---- queries ---- */

void parse_written(Parse *p, const Stmt *write) {
    const AstCtes *with = write->insert ? &write->insert->with : write->update ? &write->update->with : &write->delete_->with;
    for (int i = 0; i < with->n; i++)
        if (with->at[i].write) fail(p->cc, SQM_ERROR_NOT_SUPPORTED, with->at[i].pos, "WITH clause containing a data-modifying statement must be at the top level");
}

AstSelect *parse_select(Parse *p, int at) {
    AstSelect *s = NEW(p->arena, AstSelect);
    s->pos = parse_span(p, at);
    return s;
}

AstSelect *parse_query(Parse *p, AstSelect *s) {
    int h = 1;
    for (int i = 0; i < s->with.n; i++)
        if (s->with.at[i].select) grow(p, &h, s->with.at[i].select->height, s->pos);
    if (s->left) grow(p, &h, s->left->height, s->pos);
    if (s->right) grow(p, &h, s->right->height, s->pos);
    for (int i = 0; i < s->values.n; i++) grow_list(p, &h, &s->values.at[i], s->pos);
    grow_list(p, &h, &s->distinct_on, s->pos);
    for (int i = 0; i < s->targets.n; i++) grow(p, &h, s->targets.at[i].expr->height, s->pos);
    for (int i = 0; i < s->from.n; i++) grow(p, &h, s->from.at[i]->height, s->pos);
    if (s->where) grow(p, &h, s->where->height, s->pos);
    grow_list(p, &h, &s->group_by, s->pos);
    if (s->having) grow(p, &h, s->having->height, s->pos);
    for (int i = 0; i < s->windows.n; i++) grow_window(p, &h, s->windows.at[i], s->pos);
    grow_orders(p, &h, &s->order, s->pos);
    if (s->limit) grow(p, &h, s->limit->height, s->pos);
    if (s->offset) grow(p, &h, s->offset->height, s->pos);
    s->height = h;
    return s;
}

AstSelect *parse_set_op(Parse *p, AstSelect *left, SetOp op, bool all, AstSelect *right) {
    AstSelect *s = parse_select(p, left->pos.at);
    s->set_op = op;
    s->set_all = all;
    s->left = parse_query(p, left);
    s->right = parse_query(p, right);
    return parse_query(p, s);
}

AstSelect *parse_tail(Parse *p, AstSelect *s, const With *with, const Tail *tail) {
    if (with && s->with.n) fail(p->cc, SQM_ERROR_SYNTAX, s->pos, "multiple WITH clauses are not allowed");
    /* s has a tail already if it is in parentheses. (SELECT ... LIMIT 5) ORDER BY x sorts what the limit left: only a query around it can say so. */
    if (tail && (s->limit || s->offset || s->locking.n || (s->order.n && tail->order.n))) {
        AstSelect *outer = parse_select(p, s->pos.at);
        AstFrom *from = parse_from(p, FROM_SELECT, s->pos.at, NULL);
        from->select = parse_query(p, s);
        from->height = s->height + 1;
        vec_push(p->arena, &outer->from, from);
        vec_push(p->arena, &outer->targets, ((AstTarget){.expr = parse_star(p, NULL), .pos = s->pos}));
        s = outer;
    }
    s->pos = parse_span(p, s->pos.at);
    if (with) {
        s->with = with->list;
        s->recursive = with->recursive;
    }
    if (tail) {
        if (tail->order.n) s->order = tail->order;
        if (tail->limits.limit) s->limit = tail->limits.limit;
        if (tail->limits.offset) s->offset = tail->limits.offset;
        s->with_ties |= tail->limits.with_ties;
        if (tail->locking.n) s->locking = tail->locking;
        if (s->with_ties && !s->order.n) fail(p->cc, SQM_ERROR_SYNTAX, s->pos, "WITH TIES needs an ORDER BY clause");
    }
    return parse_query(p, s);
}

Str parse_table_name(Parse *p, Token schema, Token name) {
    if (str_ieq(schema.text, STR("public"))) return name.text;
    fail_hint(p->cc, SQM_ERROR_NOT_SUPPORTED, token_pos(schema), "If the collection's name has a dot in it, put double quotes around the whole name.",
              "schema \"" STR_FMT "\": schemas are not supported", STR_ARG(schema.text));
}

Str parse_relation_name(Parse *p, Token schema, Token name) {
    if (!str_ieq(schema.text, STR("information_schema"))) return parse_table_name(p, schema, name);
    return arena_printf(p->arena, "information_schema." STR_FMT, STR_ARG(name.text));
}

AstFrom *parse_from(Parse *p, AstFromTag tag, int at, const Alias *alias) {
    AstFrom *f = NEW(p->arena, AstFrom);
    f->tag = tag;
    f->pos = parse_span(p, at);
    f->height = 1;
    if (alias) {
        f->alias = alias->name;
        f->columns = alias->columns;
    }
    return f;
}

AstFrom *parse_join(Parse *p, AstFrom *left, JoinKind kind, AstFrom *right, const JoinQual *qual, bool natural) {
    AstFrom *f = parse_from(p, FROM_JOIN, left->pos.at, NULL);
    f->join = kind;
    f->left = left;
    f->right = right;
    f->natural = natural;
    grow(p, &f->height, left->height, f->pos);
    grow(p, &f->height, right->height, f->pos);
    if (!qual) return f;
    f->on = qual->on;
    f->join_using = qual->using_;
    if (f->on) grow(p, &f->height, f->on->height, f->pos);
    return f;
}

/* (a JOIN b ...) AS x is (SELECT * FROM a JOIN b ...) AS x: the names inside are hidden. */
AstFrom *parse_named_join(Parse *p, Token open, AstFrom *join, const Alias *alias) {
    AstFrom *f = parse_from(p, FROM_SELECT, open.at, alias);
    AstSelect *s = NEW(p->arena, AstSelect);
    AstTarget all = {.expr = parse_star(p, NULL), .pos = f->pos};
    all.expr->pos = s->pos = f->pos;
    vec_push(p->arena, &s->targets, all);
    vec_push(p->arena, &s->from, join);
    grow(p, &s->height, join->height, f->pos);
    f->select = s;
    grow(p, &f->height, s->height, f->pos);
    return f;
}

/* ---- statements ---- */

Stmt *parse_stmt(Parse *p, StmtTag tag, int at) {
    Stmt *s = NEW(p->arena, Stmt);
    s->tag = tag;
    s->pos = parse_span(p, at);
    return s;
}

void parse_assign(Parse *p, AstAssigns *list, int at, Token column, AstExpr *value) {
    vec_push(p->arena, list, ((AstAssign){.column = column.text, .value = value, .pos = parse_span(p, at)}));
}

void parse_assign_row(Parse *p, AstAssigns *list, int at, const AstNames *columns, AstExpr *row) {
    if (row->args.n != columns->n) fail(p->cc, SQM_ERROR_SYNTAX, parse_span(p, at), "the number of columns does not match the number of values");
    for (int i = 0; i < columns->n; i++) vec_push(p->arena, list, ((AstAssign){.column = columns->at[i], .value = row->args.at[i], .pos = parse_span(p, at)}));
}

void parse_assign_select(Parse *p, AstAssigns *list, int at, const AstNames *columns, AstSelect *select) {
    AstExpr *row = parse_query_node(p, AST_SUBQUERY, select->pos.at, select);
    for (int i = 0; i < columns->n; i++)
        vec_push(p->arena, list, ((AstAssign){.column = columns->at[i], .value = row, .pos = parse_span(p, at), .item = i + 1, .width = columns->n}));
}

static Str trimmed(const Parse *p, Pos pos) {
    Str s = {p->cc->sql.p + pos.at, (uint32_t)pos.len};
    while (s.n && strchr(" \t\r\n", s.p[0])) s.p++, s.n--;
    while (s.n && strchr(" \t\r\n", s.p[s.n - 1])) s.n--;
    return s;
}

/* Stored text is read back with literal_percent, so text with %% or placeholders in it is written out anew. */
static bool must_print(const Parse *p, Str text) { return !p->lex.literal_percent && memchr(text.p, '%', text.n); }

Str parse_expr_text(Parse *p, const AstExpr *e, Pos pos) {
    Str text = trimmed(p, pos);
    if (text.n && !must_print(p, text)) return text;
    Text out = {.arena = p->arena};
    ast_expr_sql(&out, e);
    return (Str){out.p, (uint32_t)out.n};
}

Str parse_select_text(Parse *p, const AstSelect *s, Pos pos) {
    Str text = trimmed(p, pos);
    if (text.n && !must_print(p, text)) return text;
    Text out = {.arena = p->arena};
    ast_select_sql(&out, s);
    return (Str){out.p, (uint32_t)out.n};
}

AstColumnDef *parse_column(Parse *p, Token name, AstType *type) {
    AstColumnDef *c = NEW(p->arena, AstColumnDef);
    c->name = name.text;
    c->type = type;
    c->pos = parse_span(p, name.at);
    static const struct { const char *serial, *type; } serials[] = {
        {"serial", "integer"}, {"serial4", "integer"}, {"bigserial", "bigint"}, {"serial8", "bigint"}, {"smallserial", "smallint"}, {"serial2", "smallint"},
    };
    for (size_t i = 0; i < sizeof serials / sizeof serials[0]; i++) {
        if (type->is_array || !str_is(type->name, serials[i].serial)) continue;
        type->name = str_from(serials[i].type);
        c->identity = c->not_null = true;
    }
    return c;
}

void parse_column_end(Parse *p) {
    if (p->constraint_name.n) fail(p->cc, SQM_ERROR_SYNTAX, p->constraint_pos, "CONSTRAINT \"" STR_FMT "\" does not name a constraint", STR_ARG(p->constraint_name));
}

void parse_collation(Parse *p, AstColumnDef *column, Token name) {
    if (column->collation.n) fail(p->cc, SQM_ERROR_SYNTAX, token_pos(name), "multiple COLLATE clauses are not allowed");
    column->collation = name.text;
}

AstConstraint *parse_constraint(Parse *p, ConstraintKind kind, int at) {
    AstConstraint *c = NEW(p->arena, AstConstraint);
    c->kind = kind;
    c->name = p->constraint_name;
    c->pos = parse_span(p, at);
    p->constraint_name = (Str){0};
    return c;
}

void parse_deferrable(Parse *p, AstConstraint *c, bool deferrable, bool initially) {
    (void)p;
    c->deferrable = deferrable;
    c->initially_deferred = initially;
}

AstConstraint *parse_last_constraint(Parse *p, const AstColumnDef *column) {
    if (column->constraints.n == 0) fail(p->cc, SQM_ERROR_SYNTAX, column->pos, "DEFERRABLE does not follow a constraint");
    return column->constraints.at[column->constraints.n - 1];
}

Stmt *parse_explain_option(Parse *p, Stmt *s, Token name, Str value) {
    Str option = parse_lower(p, name.text);
    value = parse_lower(p, value);
    if (str_is(option, "format")) {
        if (!str_is(value, "text") && !str_is(value, "json")) parse_refuse(p, token_pos(name), "an EXPLAIN format other than TEXT and JSON");
        s->explain_format = value;
        return s;
    }
    bool on = str_is(value, "true") || str_is(value, "on") || str_is(value, "1");
    if (!on && !str_is(value, "false") && !str_is(value, "off") && !str_is(value, "0"))
        fail(p->cc, SQM_ERROR_SYNTAX, token_pos(name), "EXPLAIN option " STR_FMT " needs a boolean value", STR_ARG(name.text));
    static const char *const harmless[] = {"costs", "settings", "generic_plan", "buffers", "wal", "timing", "summary", "memory"};
    if (str_is(option, "analyze")) { s->analyze = on; return s; }
    if (str_is(option, "verbose")) { s->verbose = on; return s; }
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (str_is(option, harmless[i])) return s;
    fail(p->cc, SQM_ERROR_SYNTAX, token_pos(name), "unrecognized EXPLAIN option \"" STR_FMT "\"", STR_ARG(name.text));
}

/* ---- the door ---- */

static Parse start(Compile *cc, bool literal_percent) {
    Parse p = {.cc = cc, .arena = cc->arena};
    lex_init(&p.lex, cc, literal_percent);
    return p;
}

Parsed parse(Compile *cc, bool literal_percent) {
    Parse p = start(cc, literal_percent);
    grammar_run(&p);
    return (Parsed){p.stmt, p.parameters};
}

AstExpr *parse_expression(Compile *cc) {
    Parse p = start(cc, true);
    p.first = T_EXPRESSION;
    grammar_run(&p);
    return p.expression;
}
