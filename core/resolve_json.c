/* resolve_json.c - paths into documents: JSON_VALUE, JSON_QUERY, JSON_EXISTS.
 *
 * In:  the AST of a call whose path is a literal.  Out: an EXPR_FUNC whose arguments are the document, then one constant for each step (text: a member's
 * name; integer: an element's index from 0, or from the end when negative), then the DEFAULTs of ON EMPTY and ON ERROR; its type is RETURNING's.
 *     JSON_VALUE(blog, '$.tags[0]."a b"' RETURNING text)   ->   json_value(blog, 'tags', 0, 'a b')  text
 * Paths are strict: a member of an array or an element of an object isn't there, nothing is unwrapped. Without RETURNING the value is given as text,
 * whatever scalar it is ("json_value text"); with it a value of another class than the type's is an error, which is NULL unless ON ERROR says more:
 * so the call means what a column of that type in that field would, and mql_path.c can say it to the server.
 * SET blog.name = 'x' assigns json assign(blog, 'x', 'name') to blog; several paths of one column are nested calls.
 * Not here: wildcards, filters and methods of SQL/JSON's path language, and lax mode; they are refused. */
#include "resolve_internal.h"

typedef struct PathText { Resolver *r; Str s; uint32_t at; Pos pos; Exprs *steps; } PathText;

_Noreturn static void bad_path(const PathText *p, const char *what) {
    fail(p->r->cc, SQM_ERROR_SYNTAX, p->pos, "%s at character %u of the path", what, p->at + 1);
}

_Noreturn static void refuse_path(const PathText *p, const char *what) {
    fail(p->r->cc, SQM_ERROR_NOT_SUPPORTED, p->pos, "%s in a path is not supported (character %u)", what, p->at + 1);
}

static char peek(const PathText *p) { return p->at < p->s.n ? p->s.p[p->at] : '\0'; }

static void skip_space(PathText *p) {
    while (p->at < p->s.n && strchr(" \t\r\n", p->s.p[p->at])) p->at++;
}

static bool word_char(char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || (unsigned char)c >= 0x80 || (!first && c >= '0' && c <= '9');
}

static bool take_word(PathText *p, const char *word) {
    uint32_t n = (uint32_t)strlen(word);
    if (p->s.n - p->at < n || memcmp(p->s.p + p->at, word, n) != 0) return false;
    if (p->at + n < p->s.n && word_char(p->s.p[p->at + n], false)) return false;
    p->at += n;
    return true;
}

static void add_step(PathText *p, Value v, Type type) {
    Expr *step = expr_const(p->r, v, type, p->pos);
    vec_push(p->r->cc->arena, p->steps, step);
}

/* "a \"quoted\" name": a JSON string. */
static Str quoted_name(PathText *p) {
    uint32_t start = p->at++;
    while (p->at < p->s.n && p->s.p[p->at] != '"') p->at += p->s.p[p->at] == '\\' ? 2 : 1;
    if (p->at >= p->s.n) bad_path(p, "unterminated quoted name");
    p->at++;
    Value v;
    sqm_error_t ignored = {.position = -1};
    if (!json_parse(p->r->cc->arena, (Str){p->s.p + start, p->at - start}, &v, &ignored)) bad_path(p, "invalid quoted name");
    v = value_natural(&v);
    return (Str){v.u.text, v.len};
}

static int64_t read_index(PathText *p) {
    int64_t n = 0;
    if (peek(p) < '0' || peek(p) > '9') refuse_path(p, peek(p) == '*' ? "[*]" : "an index that is no number");
    for (; peek(p) >= '0' && peek(p) <= '9'; p->at++) {
        n = n * 10 + (peek(p) - '0');
        if (n > INT32_MAX) bad_path(p, "index out of range");
    }
    return n;
}

static void index_step(PathText *p) {
    p->at++;
    skip_space(p);
    int64_t index;
    if (take_word(p, "last")) {
        index = -1;
        skip_space(p);
        if (peek(p) == '-') {
            p->at++;
            skip_space(p);
            index -= read_index(p);
        }
    } else index = read_index(p);
    skip_space(p);
    if (peek(p) == ',' || take_word(p, "to")) refuse_path(p, "a list or range of indexes");
    if (peek(p) != ']') bad_path(p, "\"]\" expected");
    p->at++;
    add_step(p, sqm_int(index), TYPE(INT4));
}

static void member_step(PathText *p) {
    p->at++;
    skip_space(p);
    if (peek(p) == '*') refuse_path(p, ".*");
    Str name;
    if (peek(p) == '"') name = quoted_name(p);
    else {
        uint32_t start = p->at;
        if (!word_char(peek(p), true)) bad_path(p, "the name of a member expected");
        while (p->at < p->s.n && word_char(peek(p), false)) p->at++;
        name = (Str){p->s.p + start, p->at - start};
    }
    skip_space(p);
    if (peek(p) == '(') refuse_path(p, "a method");
    add_step(p, sqm_text(name.p, name.n), TYPE(TEXT));
}

static void read_path(PathText *p) {
    skip_space(p);
    if (take_word(p, "lax")) refuse_path(p, "lax mode");
    if (take_word(p, "strict")) skip_space(p);
    if (peek(p) != '$') bad_path(p, "\"$\" expected");
    p->at++;
    for (skip_space(p); p->at < p->s.n; skip_space(p)) {
        if (peek(p) == '.') member_step(p);
        else if (peek(p) == '[') index_step(p);
        else if (peek(p) == '?') refuse_path(p, "a filter");
        else bad_path(p, "\".\" or \"[\" expected");
    }
}

/* The document: untyped literals, parameters and text are JSON text. */
static Expr *document_operand(Resolver *r, Expr *e, const AstExpr *call) {
    e = expr_coerce(r, e, TYPE(JSON));
    if (type_is_text(e->type)) e = expr_cast(r, e, TYPE(JSON));
    TypeTag t = e->type.tag;
    if (t != TYPE_UNKNOWN && t != TYPE_JSON && t != TYPE_DOCUMENT && t != TYPE_ARRAY) {
        char name[64];
        fail(r->cc, SQM_ERROR_DATATYPE_MISMATCH, e->pos, STR_FMT " needs a document, an array or JSON, not %s", STR_ARG(call->name), type_text(e->type, name, sizeof name));
    }
    return e;
}

static Expr *default_value(Resolver *r, Scope *scope, const AstExpr *e, Type type) {
    Expr *value = expr_coerce(r, resolve_expr(r, scope, e), type);
    return value->type.tag == type.tag || value->type.tag == TYPE_UNKNOWN ? value : expr_cast(r, value, type);
}

bool resolve_is_json_call(Str name) { return str_is(name, "json_value") || str_is(name, "json_query") || str_is(name, "json_exists"); }

Expr *resolve_json_call(Resolver *r, Scope *scope, const AstExpr *e) {
    bool value = str_is(e->name, "json_value"), exists = str_is(e->name, "json_exists");
    if (e->args.n < 2) fail(r->cc, SQM_ERROR_UNDEFINED_FUNCTION, e->pos, STR_FMT " takes a document and a path", STR_ARG(e->name));
    Type type = e->type ? resolve_type(r, e->type) : exists ? TYPE(BOOL) : value ? TYPE(TEXT) : TYPE(JSON);
    int defaults = (e->on_empty == JSON_ON_DEFAULT) + (e->on_error == JSON_ON_DEFAULT);
    if (e->args.n != 2 + defaults) fail(r->cc, SQM_ERROR_UNDEFINED_FUNCTION, e->pos, STR_FMT " takes a document and a path", STR_ARG(e->name));
    if (!value && !exists && type.tag != TYPE_JSON && type.tag != TYPE_DOCUMENT && type.tag != TYPE_ARRAY)
        fail(r->cc, SQM_ERROR_NOT_SUPPORTED, e->type->pos, "JSON_QUERY returns json, document or an array: JSON_VALUE returns scalars");
    const AstExpr *path = e->args.at[1];
    if (path->tag != AST_LITERAL || path->literal.type != SQM_TEXT) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, path->pos, "a path that is no string literal is not supported");
    Expr *document = document_operand(r, resolve_expr(r, scope, e->args.at[0]), e);
    Expr *call = expr_new(r, EXPR_FUNC, type, !exists, e->pos);
    call->function = function_find(value && !e->type ? STR("json_value text") : e->name, 2);
    call->on_empty = e->on_empty;
    call->on_error = e->on_error;
    vec_push(r->cc->arena, &call->args, document);
    PathText text = {.r = r, .s = {path->literal.u.text, path->literal.len}, .pos = path->pos, .steps = &call->args};
    read_path(&text);
    for (int i = 2; i < e->args.n; i++) vec_push(r->cc->arena, &call->args, default_value(r, scope, e->args.at[i], type));
    return call;
}

/* ---- blog.name ---- */

bool expr_has_fields(const Expr *e) { return e->adapts || ((e->type.tag == TYPE_DOCUMENT || e->type.tag == TYPE_JSON || e->type.tag == TYPE_UNKNOWN) && e->tag == EXPR_VAR); }

/* One more step: into the same call, when the expression is a dotted path already. */
static Expr *add_path_step(Resolver *r, Expr *e, Expr *step, Pos pos) {
    Expr *call = expr_new(r, EXPR_FUNC, TYPE(JSON), true, pos);
    call->function = function_find(STR("json_value"), 2);
    call->adapts = true;
    if (!e->adapts) vec_push(r->cc->arena, &call->args, e);
    for (int i = 0; e->adapts && i < e->args.n; i++) vec_push(r->cc->arena, &call->args, e->args.at[i]);
    vec_push(r->cc->arena, &call->args, step);
    return call;
}

Expr *expr_field(Resolver *r, Expr *e, Str name, Pos pos) { return add_path_step(r, e, expr_const(r, sqm_text(name.p, name.n), TYPE(TEXT), pos), pos); }

Expr *expr_step(Resolver *r, Expr *e, const Expr *step, Pos pos) {
    if (step->value.type != SQM_TEXT && step->value.type != SQM_INT) return NULL;
    return add_path_step(r, e, expr_const(r, step->value, step->value.type == SQM_INT ? TYPE(INT4) : TYPE(TEXT), step->pos), pos);
}

Expr *expr_adapted(Resolver *r, Expr *e, Type to) {
    if (!e->adapts) return e;
    Expr *typed = arena_copy(r->cc->arena, e, sizeof *e);
    typed->adapts = false;
    to.length = to.scale = -1;
    typed->type = to;
    return typed;
}

/* What a path becomes beside `other`: its type; text beside a quoted literal; beside a parameter whatever value is stored. */
static Expr *adapt_to(Resolver *r, Expr *e, const Expr *other) {
    bool untyped = other->type.tag == TYPE_UNKNOWN;
    if (!e->adapts || other->type.tag == TYPE_JSON || other->type.tag == TYPE_ROW) return e;
    if (other->tag == EXPR_CONST && untyped) return other->value.type == SQM_TEXT ? expr_adapted(r, e, TYPE(TEXT)) : e;
    return expr_adapted(r, e, other->type);
}

/* A parameter beside a path of no type is compared as it is: text isn't read as what is stored. */
static Expr *as_it_is(Resolver *r, Expr *e, const Expr *path) {
    if (e->type.tag != TYPE_UNKNOWN || path->tag != EXPR_FUNC || strcmp(path->function->name, "json_value") != 0 || path->type.tag != TYPE_UNKNOWN) return e;
    if (e->tag == EXPR_CONST) return expr_coerce(r, e, TYPE(TEXT));
    if (e->tag != EXPR_PARAM) return e;
    Expr *cast = expr_cast(r, e, TYPE(TEXT));
    cast->implicit = true;
    return cast;
}

void expr_adapt(Resolver *r, Expr **a, Expr **b) {
    Expr *left = *a, *right = *b;
    if (left->adapts && right->adapts) {        /* two paths: what is stored in each */
        *a = expr_adapted(r, left, TYPE(UNKNOWN));
        *b = expr_adapted(r, right, TYPE(UNKNOWN));
        return;
    }
    *a = adapt_to(r, left, right);
    *b = adapt_to(r, right, left);
    if (left->adapts || !left->type.tag) *b = as_it_is(r, *b, *a);
    if (right->adapts || !right->type.tag) *a = as_it_is(r, *a, *b);
}

/* ---- SET column.path = value ---- */

static bool is_assign(const Expr *e) { return e->tag == EXPR_FUNC && strcmp(e->function->name, "json assign") == 0; }

/* Does one path lead through the other's end? Then the order of the two would matter. */
static bool overlaps(const Expr *a, const Expr *b) {
    int n = a->args.n < b->args.n ? a->args.n : b->args.n;
    for (int i = 2; i < n; i++)
        if (!expr_equal(a->args.at[i], b->args.at[i])) return false;
    return true;
}

/* Subscripts of SQL arrays count from 1, those inside documents and JSON from 0. */
static Expr *assign_step(Resolver *r, const AstExpr *step, bool from_one) {
    if (step->tag == AST_LITERAL && step->literal.type == SQM_TEXT && !from_one) return expr_const(r, step->literal, TYPE(TEXT), step->pos);
    if (step->tag != AST_LITERAL || step->literal.type != SQM_INT) fail(r->cc, SQM_ERROR_NOT_SUPPORTED, step->pos, "an index that is no integer constant is not supported here");
    int64_t index = step->literal.u.i - from_one;
    if (index < 0 || index > 100000) fail(r->cc, SQM_ERROR_INVALID_ARGUMENT, step->pos, "array subscript out of range");
    return expr_const(r, sqm_int(index), TYPE(INT4), step->pos);
}

Expr *resolve_assign_path(Resolver *r, Scope *scope, Expr *before, const AstAssign *a) {
    Type column = before->type;
    if (column.tag != TYPE_DOCUMENT && column.tag != TYPE_JSON && column.tag != TYPE_ARRAY && column.tag != TYPE_UNKNOWN) {
        char name[64];
        fail(r->cc, SQM_ERROR_DATATYPE_MISMATCH, a->pos, "cannot assign to a part of column \"" STR_FMT "\" because its type %s is no document or array", STR_ARG(a->column),
             type_text(column, name, sizeof name));
    }
    if (a->value->tag == AST_DEFAULT) fail(r->cc, SQM_ERROR_SYNTAX, a->value->pos, "DEFAULT is not allowed for a part of a column");
    Expr *value = resolve_expr(r, scope, a->value), *call = expr_new(r, EXPR_FUNC, column, false, a->pos);
    Type element = type_of(column.element);
    bool is_element = column.tag == TYPE_ARRAY && element.tag != TYPE_UNKNOWN && a->steps.n == 1;
    if (is_element) value = expr_coerce(r, value, element);
    else if (value->tag == EXPR_CONST) value = expr_coerce(r, value, TYPE(TEXT));
    if (is_element && value->type.tag != TYPE_UNKNOWN && value->type.tag != element.tag) {
        char have[64], want[64];
        if (!cast_exists(value->type, element) || type_is_text(value->type) != type_is_text(element))
            fail_hint(r->cc, SQM_ERROR_DATATYPE_MISMATCH, a->value->pos, "You will need to rewrite or cast the expression.", "an element of \"" STR_FMT "\" is of type %s but expression is of type %s",
                      STR_ARG(a->column), type_text(element, want, sizeof want), type_text(value->type, have, sizeof have));
        value = expr_cast(r, value, element);
    }
    call->function = function_find(STR("json assign"), 3);
    vec_push(r->cc->arena, &call->args, before);
    vec_push(r->cc->arena, &call->args, value);
    for (int i = 0; i < a->steps.n; i++) {
        Expr *step = assign_step(r, a->steps.at[i], column.tag == TYPE_ARRAY && i == 0);
        vec_push(r->cc->arena, &call->args, step);
    }
    for (const Expr *other = before; is_assign(other); other = other->args.at[0])
        if (overlaps(call, other)) fail(r->cc, SQM_ERROR_DUPLICATE_COLUMN, a->pos, "multiple assignments to same part of column \"" STR_FMT "\"", STR_ARG(a->column));
    return call;
}
