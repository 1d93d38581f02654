/* mql_narrow.c - what the server can leave out before a condition on JSON is decided here.
 *
 * In:  a condition with jsonb's operators over a json column and constant names. Out: a filter that matches every row for which the condition is true, and maybe
 * more: rows still pass the condition itself. So MongoDB's ways with arrays, and JSON's text of numbers, need no guards, and an index can serve:
 *     data->'k' = '5'            ->   {"data.k": {$eq: 5}}
 *     data->>'k' = 'x'           ->   {"data.k": {$in: ["x"]}}             '5' also finds the number: {$in: ["5", 5]}
 *     data @> '{"a": 1, "b": {"c": ["x"]}}'   ->   {"data.a": {$eq: 1}, "data.b.c": {$eq: "x"}}
 *     data ? 'k'                 ->   {$or: [{"data.k": {$exists: true}}, {"data": {$eq: "k"}}]}
 * Names that a dotted field can't hold, indexes and empty containers narrow nothing. */
#include <stdio.h>

#include "json.h"
#include "mql_internal.h"

static bool is_call(const Expr *e, const char *name) { return e->tag == EXPR_FUNC && e->args.n == 2 && strcmp(e->function->name, name) == 0; }

static bool plain_name(Str s) {
    return s.n && s.p[0] != '$' && !memchr(s.p, '.', s.n) && !memchr(s.p, '\0', s.n);
}

static bool plain_step(const Expr *step) { return step->tag == EXPR_CONST && step->value.type == SQM_TEXT && plain_name((Str){step->value.u.text, step->value.len}); }

/* column -> 'a' -> 'b', or the column alone. */
static bool is_json_path(const Expr *e, const Rel *rel) {
    while (is_call(e, "->")) {
        if (!plain_step(e->args.at[1])) return false;
        e = e->args.at[0];
    }
    if (!mql_is_column(e, rel) || rel->kind != REL_TABLE || e->type.tag != TYPE_JSON) return false;
    Str field = rel_field(rel, e->column);
    return !memchr(field.p, '.', field.n) && !str_is(field, "_id");
}

static bool is_text_path(const Expr *e, const Rel *rel) { return is_call(e, "->>") && plain_step(e->args.at[1]) && is_json_path(e->args.at[0], rel); }

bool mql_can_narrow(const Expr *e, const Rel *rel) {
    if (e->tag == EXPR_COMPARE && e->op == OP_EQ) {
        const Expr *a = e->args.at[0], *b = e->args.at[1];
        if (expr_is_constant(a)) a = e->args.at[1], b = e->args.at[0];
        return expr_is_constant(b) && (is_text_path(a, rel) || is_json_path(a, rel));
    }
    if (e->tag == EXPR_IN && !e->negated && e->args.n > 1 && (is_text_path(e->args.at[0], rel) || is_json_path(e->args.at[0], rel))) {
        for (int i = 1; i < e->args.n; i++)
            if (!expr_is_constant(e->args.at[i])) return false;
        return true;
    }
    return (is_call(e, "@>") || is_call(e, "?")) && is_json_path(e->args.at[0], rel) && expr_is_constant(e->args.at[1]);
}

/* ---- emitting ---- */

typedef struct Narrow { Emit *em; bson_t *list; int *n; } Narrow;

static Str path_of(Emit *em, const Expr *e) {
    if (e->tag == EXPR_VAR) return rel_field(em->rel, e->column);
    const Value *step = &e->args.at[1]->value;
    return arena_printf(em->arena, STR_FMT "." STR_FMT, STR_ARG(path_of(em, e->args.at[0])), STR_ARG(((Str){step->u.text, step->len})));
}

static void begin(const Narrow *w, Str field, bson_t *item, bson_t *ops) {
    char key[16];
    snprintf(key, sizeof key, "%d", (*w->n)++);
    bson_append_document_begin(w->list, key, -1, item);
    bson_append_document_begin(item, field.p, (int)field.n, ops);
}

static void end(const Narrow *w, bson_t *item, bson_t *ops) {
    bson_append_document_end(item, ops);
    bson_append_document_end(w->list, item);
}

static void add_equal(const Narrow *w, Str field, const Value *v) {
    bson_t item, ops;
    begin(w, field, &item, &ops);
    mql_value(&ops, "$eq", v);
    end(w, &item, &ops);
}

/* Whatever holds the value at the field: of a container its scalars, of an object in an array nothing. */
static void add_contains(const Narrow *w, Str field, const Value *v) {
    Str key;
    Value item;
    if (!json_is_object(v) && !json_is_array(v)) { add_equal(w, field, v); return; }
    for (JsonIter it = json_iter(v); json_next(&it, &key, &item);) {
        if (json_is_array(v)) {
            if (!json_is_object(&item) && !json_is_array(&item)) add_equal(w, field, &item);
        } else if (plain_name(key)) add_contains(w, arena_printf(w->em->arena, STR_FMT "." STR_FMT, STR_ARG(field), STR_ARG(key)), &item);
    }
}

/* The values whose JSON text this may be. False: too many to say. */
static bool append_texts(const Narrow *w, bson_t *list, int *n, const Value *text) {
    char nth[16];
    Str s = {text->u.text, text->len};
    Value v;
    sqm_error_t ignored = {.position = -1};
    snprintf(nth, sizeof nth, "%d", (*n)++);
    mql_value(list, nth, text);
    if (s.n && (s.p[0] == '{' || s.p[0] == '[' || s.p[0] == 'N' || s.p[0] == 'I' || s.p[0] == '-')) return false;
    if (!s.n || !json_parse(w->em->arena, s, &v, &ignored)) return true;
    v = value_natural(&v);
    if (v.type == SQM_TEXT || v.type == SQM_NULL) return true;
    snprintf(nth, sizeof nth, "%d", (*n)++);
    mql_value(list, nth, &v);
    if (v.type != SQM_DOUBLE) return true;
    sqm_error_t *kept = w->em->ev->error;       /* 0.1 is one double and another decimal */
    w->em->ev->error = &ignored;
    Value decimal;
    if (cast_value(w->em->ev, text, TYPE(NUMERIC), &decimal)) {
        snprintf(nth, sizeof nth, "%d", (*n)++);
        mql_value(list, nth, &decimal);
    }
    w->em->ev->error = kept;
    return true;
}

/* path = any of args[from..]. */
static bool add_any_of(const Narrow *w, const Expr *e, const Expr *path, const Expr *const *items, int n_items) {
    bool text = is_call(path, "->>"), narrow = true, ok = true;
    bson_t any = BSON_INITIALIZER, list, item, ops;
    int n = 0;
    (void)e;
    bson_append_array_begin(&any, "$in", -1, &list);
    for (int i = 0; i < n_items && ok && narrow; i++) {
        Value v;
        bool unbound;
        int parameter = 0;
        char nth[16];
        ok = mql_constant(w->em, items[i], &v, &unbound, &parameter);
        if (!ok || v.type == SQM_NULL) {
            if (ok && unbound) {
                snprintf(nth, sizeof nth, "%d", n++);
                mql_parameter(&list, nth, parameter);
            }
            continue;
        }
        if (text) narrow = v.type == SQM_TEXT && append_texts(w, &list, &n, &v);
        else if (json_is_object(&v) || json_is_array(&v)) narrow = false;
        else {
            snprintf(nth, sizeof nth, "%d", n++);
            mql_value(&list, nth, &v);
        }
    }
    bson_append_array_end(&any, &list);
    if (ok && narrow) {
        begin(w, path_of(w->em, path), &item, &ops);
        bson_concat(&ops, &any);
        end(w, &item, &ops);
    }
    bson_destroy(&any);
    return ok;
}

bool mql_add_narrow(Emit *em, const Expr *e, bson_t *list, int *n) {
    Narrow w = {em, list, n};
    Value v;
    bool unbound;
    int parameter = 0;
    if (e->tag == EXPR_IN) return add_any_of(&w, e, e->args.at[0], (const Expr *const *)e->args.at + 1, e->args.n - 1);
    const Expr *path = e->args.at[0], *constant = e->args.at[1];
    if (e->tag == EXPR_COMPARE && expr_is_constant(path)) path = e->args.at[1], constant = e->args.at[0];
    if (is_call(path, "->>")) return add_any_of(&w, e, path, &constant, 1);
    if (!mql_constant(em, constant, &v, &unbound, &parameter)) return false;
    Str field = path_of(em, path);
    if (unbound) {
        bson_t item, ops;
        begin(&w, field, &item, &ops);
        mql_parameter(&ops, e->tag == EXPR_COMPARE ? "$eq" : is_call(e, "?") ? "$exists" : "$contains", parameter);
        end(&w, &item, &ops);
        return true;
    }
    if (is_call(e, "?")) {
        Str key = v.type == SQM_TEXT ? (Str){v.u.text, v.len} : (Str){0};
        if (!plain_name(key)) return true;
        bson_t item, any, one, ops;
        char at[16];
        snprintf(at, sizeof at, "%d", (*n)++);
        bson_append_document_begin(list, at, -1, &item);
        bson_append_array_begin(&item, "$or", -1, &any);
        Str member = arena_printf(em->arena, STR_FMT "." STR_FMT, STR_ARG(field), STR_ARG(key));
        for (int i = 0; i < 2; i++) {
            bson_append_document_begin(&any, i ? "1" : "0", -1, &one);
            bson_append_document_begin(&one, i ? field.p : member.p, (int)(i ? field.n : member.n), &ops);
            if (i) mql_value(&ops, "$eq", &v);
            else bson_append_bool(&ops, "$exists", -1, true);
            bson_append_document_end(&one, &ops);
            bson_append_document_end(&any, &one);
        }
        bson_append_array_end(&item, &any);
        bson_append_document_end(list, &item);
        return true;
    }
    if (json_is(&v)) add_contains(&w, field, &v);
    return true;
}
