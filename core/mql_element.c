/* mql_element.c - conditions on values at a path that counts elements: JSON_VALUE(authors, '$[0].name' RETURNING text).
 *
 * In:  such a path, and the operators that mql_match.c would ask of a dotted field.  Out: a filter in two halves:
 *     {$and: [{"authors.0.name": {$eq: "x"}}, {$expr: {$let: {vars: {v: <the value>}, in: {$and: [<v is a text>, {$eq: ["$$v", {$literal: "x"}]}]}}}}]}
 * The field "authors.0.name" alone is also the key "0" of a document, or of any element of the array. So it only finds candidates, by an index where there is
 * one: whatever a positive operator is true of at the path, it is true of among the field's values. The expression decides. A negation has no first half.
 * Always holds: <the value> is looked up strictly, an index in an array and a name in an object, and is missing or null where the path leads nowhere. */
#include <math.h>
#include <stdio.h>

#include "mql_internal.h"

static bool is_index(const Expr *step) { return step->tag == EXPR_CONST && step->value.type == SQM_INT && step->value.u.i >= 0; }

/* A declared array's elements of another class are NULL: so they are to a JSON_VALUE that returns the same class. */
static bool root_fits(const Expr *e) {
    Type root = e->args.at[0]->type, element = type_of(root.element);
    if (root.tag != TYPE_ARRAY || element.tag == TYPE_UNKNOWN) return true;
    return e->args.n == 2 && (element.tag == e->type.tag || (type_is_text(element) && type_is_text(e->type)));
}

bool mql_is_element_path(const Expr *e, const Rel *rel) {
    if (rel->kind != REL_TABLE || !mql_is_json_value(e) || !mql_told_apart(e->type) || e->type.tag == TYPE_UUID) return false;
    const Expr *root = e->args.at[0];
    if (!mql_is_column(root, rel) || !root_fits(e) || memchr(rel_field(rel, root->column).p, '.', rel_field(rel, root->column).n)) return false;
    int indexes = 0;
    for (int i = 1; i < e->args.n; i++) {
        if (is_index(e->args.at[i])) indexes++;
        else if (!mql_is_plain_step(e->args.at[i])) return false;
    }
    return indexes > 0;
}

Str mql_element_field(Arena *arena, const Rel *rel, const Expr *e) {
    Str field = rel_field(rel, e->args.at[0]->column);
    for (int i = 1; i < e->args.n; i++) {
        const Value *step = &e->args.at[i]->value;
        if (step->type == SQM_INT) field = arena_printf(arena, STR_FMT ".%lld", STR_ARG(field), (long long)step->u.i);
        else field = arena_printf(arena, STR_FMT "." STR_FMT, STR_ARG(field), STR_ARG(((Str){step->u.text, step->len})));
    }
    return field;
}

/* ---- the value ---- */

typedef struct Steps { Arena *arena; const Expr *path; Str root; } Steps;

static const Expr *step(const Steps *s, int n) { return s->path->args.at[n]; }

/* `base` and the names of steps from+1..to. */
static Str names_after(const Steps *s, Str base, int from, int to) {
    for (int i = from + 1; i <= to; i++) base = arena_printf(s->arena, STR_FMT "." STR_FMT, STR_ARG(base), STR_ARG(((Str){step(s, i)->value.u.text, step(s, i)->value.len})));
    return base;
}

static void append_name(bson_t *out, const char *key, Str name) { bson_append_utf8(out, key, -1, name.p, (int)name.n); }

static void append_array_at(const Steps *s, int n, bson_t *out, const char *key);

/* What the first n steps lead to. Names that follow each other are one field path: behind an array it gives an array, which is no scalar. */
static void append_steps(const Steps *s, int n, bson_t *out, const char *key) {
    int index = n;
    while (index > 0 && !is_index(step(s, index))) index--;
    if (index == 0) {
        append_name(out, key, names_after(s, arena_printf(s->arena, "$" STR_FMT, STR_ARG(s->root)), 0, n));
        return;
    }
    bson_t let, parts, vars, at, pair;
    if (index < n) {
        bson_append_document_begin(out, key, -1, &let);
        bson_append_document_begin(&let, "$let", -1, &parts);
        bson_append_document_begin(&parts, "vars", -1, &vars);
        append_steps(s, index, &vars, "v");
        bson_append_document_end(&parts, &vars);
        append_name(&parts, "in", names_after(s, STR("$$v"), index, n));
        bson_append_document_end(&let, &parts);
        bson_append_document_end(out, &let);
        return;
    }
    bson_append_document_begin(out, key, -1, &at);
    bson_append_array_begin(&at, "$arrayElemAt", -1, &pair);
    append_array_at(s, n - 1, &pair, "0");
    bson_append_int64(&pair, "1", -1, step(s, n)->value.u.i);
    bson_append_array_end(&at, &pair);
    bson_append_document_end(out, &at);
}

/* {$cond: [{$isArray: name}, name, []]} */
static void append_if_array(bson_t *out, const char *key, Str name) {
    bson_t cond, list, test, empty;
    bson_append_document_begin(out, key, -1, &cond);
    bson_append_array_begin(&cond, "$cond", -1, &list);
    bson_append_document_begin(&list, "0", -1, &test);
    append_name(&test, "$isArray", name);
    bson_append_document_end(&list, &test);
    append_name(&list, "1", name);
    bson_append_array_begin(&list, "2", -1, &empty);
    bson_append_array_end(&list, &empty);
    bson_append_array_end(&cond, &list);
    bson_append_document_end(out, &cond);
}

/* {$cond: [{$eq: [{$type: base}, "object"]}, base.name, null]} */
static void append_member(bson_t *out, const char *key, Str base, Str member) {
    bson_t cond, list, test, pair, type;
    bson_append_document_begin(out, key, -1, &cond);
    bson_append_array_begin(&cond, "$cond", -1, &list);
    bson_append_document_begin(&list, "0", -1, &test);
    bson_append_array_begin(&test, "$eq", -1, &pair);
    bson_append_document_begin(&pair, "0", -1, &type);
    append_name(&type, "$type", base);
    bson_append_document_end(&pair, &type);
    bson_append_utf8(&pair, "1", -1, "object", -1);
    bson_append_array_end(&test, &pair);
    bson_append_document_end(&list, &test);
    append_name(&list, "1", member);
    bson_append_null(&list, "2", -1);
    bson_append_array_end(&cond, &list);
    bson_append_document_end(out, &cond);
}

/* What the first n steps lead to, a name at the end being one of an object: a field path through an array would make an array of what its documents have. */
static void append_container(const Steps *s, int n, bson_t *out, const char *key) {
    int index = n;
    while (index > 0 && !is_index(step(s, index))) index--;
    if (index == n) {
        append_steps(s, n, out, key);
        return;
    }
    if (index == 0) {
        Str root = arena_printf(s->arena, "$" STR_FMT, STR_ARG(s->root));
        append_member(out, key, names_after(s, root, 0, n - 1), names_after(s, root, 0, n));
        return;
    }
    bson_t let, parts, vars;
    bson_append_document_begin(out, key, -1, &let);
    bson_append_document_begin(&let, "$let", -1, &parts);
    bson_append_document_begin(&parts, "vars", -1, &vars);
    append_steps(s, n - 1, &vars, "v");
    bson_append_document_end(&parts, &vars);
    append_member(&parts, "in", STR("$$v"), names_after(s, STR("$$v"), n - 1, n));
    bson_append_document_end(&let, &parts);
    bson_append_document_end(out, &let);
}

/* The array that an index is looked up in, or []. */
static void append_array_at(const Steps *s, int n, bson_t *out, const char *key) {
    if (n == 0) {
        append_if_array(out, key, arena_printf(s->arena, "$" STR_FMT, STR_ARG(s->root)));
        return;
    }
    bson_t let, parts, vars;
    bson_append_document_begin(out, key, -1, &let);
    bson_append_document_begin(&let, "$let", -1, &parts);
    bson_append_document_begin(&parts, "vars", -1, &vars);
    append_container(s, n, &vars, "v");
    bson_append_document_end(&parts, &vars);
    append_if_array(&parts, "in", STR("$$v"));
    bson_append_document_end(&let, &parts);
    bson_append_document_end(out, &let);
}

void mql_express_element(Arena *arena, const Rel *rel, const Expr *e, bson_t *out, const char *key) {
    Steps s = {arena, e, rel_field(rel, e->args.at[0]->column)};
    append_steps(&s, e->args.n - 1, out, key);
}

/* ---- the condition ---- */

/* A list of tests on $$v, being filled. */
typedef struct Tests { bson_t *list; int n; } Tests;

static void begin_test(Tests *t, bson_t *test) {
    char key[16];
    snprintf(key, sizeof key, "%d", t->n++);
    bson_append_document_begin(t->list, key, -1, test);
}

static void append_literal(bson_t *out, const char *key, const bson_iter_t *value) {
    bson_t literal;
    bson_append_document_begin(out, key, -1, &literal);
    bson_append_iter(&literal, "$literal", -1, value);
    bson_append_document_end(out, &literal);
}

/* {op: ["$$v", {$literal: value}]} */
static void append_operator(bson_t *out, const char *op, const bson_iter_t *value) {
    bson_t pair;
    bson_append_array_begin(out, op, -1, &pair);
    bson_append_utf8(&pair, "0", -1, "$$v", -1);
    append_literal(&pair, "1", value);
    bson_append_array_end(out, &pair);
}

static void append_regex(bson_t *out, const bson_iter_t *pattern, const char *options) {
    bson_t match;
    bson_append_document_begin(out, "$regexMatch", -1, &match);
    bson_append_utf8(&match, "input", -1, "$$v", -1);
    append_literal(&match, "regex", pattern);
    if (options) bson_append_utf8(&match, "options", -1, options, -1);
    bson_append_document_end(out, &match);
}

/* $nin: of values, of a pattern, or (shown) of a parameter. */
static void add_none(Tests *t, const bson_iter_t *values) {
    bson_t test, not_, inner;
    bson_iter_t first;
    bool pattern = BSON_ITER_HOLDS_ARRAY(values) && bson_iter_recurse(values, &first) && bson_iter_next(&first) && BSON_ITER_HOLDS_REGEX(&first);
    begin_test(t, &test);
    bson_append_array_begin(&test, "$not", -1, &not_);
    bson_append_document_begin(&not_, "0", -1, &inner);
    if (pattern) append_regex(&inner, &first, NULL);
    else append_operator(&inner, "$in", values);
    bson_append_document_end(&not_, &inner);
    bson_append_array_end(&test, &not_);
    bson_append_document_end(t->list, &test);
}

/* In expressions NaN is below all numbers; a filter's range has it on no side. */
static void add_range(Tests *t, const char *op, const bson_iter_t *value, bool numeric) {
    bson_t test, pair;
    begin_test(t, &test);
    append_operator(&test, op, value);
    bson_append_document_end(t->list, &test);
    if (!numeric || op[1] != 'l') return;
    begin_test(t, &test);
    bson_append_array_begin(&test, "$gt", -1, &pair);
    bson_append_utf8(&pair, "0", -1, "$$v", -1);
    bson_append_double(&pair, "1", -1, NAN);
    bson_append_array_end(&test, &pair);
    bson_append_document_end(t->list, &test);
}

/* One operator of a filter as a test; what it adds to `candidates` is true of the field whenever it is true of the value. */
static void add_operator(Tests *t, const Place *at, const bson_t *ops, bson_iter_t *it, bson_t *candidates) {
    const char *op = bson_iter_key(it);
    bson_t test;
    if (strcmp(op, "$nin") == 0) { add_none(t, it); return; }
    if (strcmp(op, "$type") == 0) return;      /* each of these conditions begins with it */
    if (strcmp(op, "$options") == 0) {
        bson_append_iter(candidates, op, -1, it);
        return;
    }
    if (strcmp(op, "$regex") == 0) {
        bson_iter_t options;
        begin_test(t, &test);
        append_regex(&test, it, bson_iter_init_find(&options, ops, "$options") ? bson_iter_utf8(&options, NULL) : NULL);
        bson_append_document_end(t->list, &test);
    } else if (op[1] == 'l' || op[1] == 'g') add_range(t, op, it, type_is_numeric(at->type));
    else {      /* $eq, $ne, $in */
        begin_test(t, &test);
        append_operator(&test, op, it);
        bson_append_document_end(t->list, &test);
    }
    if (strcmp(op, "$ne") != 0) bson_append_iter(candidates, op, -1, it);
}

static void append_test_of_value(const Place *at, const bson_t *ops, bson_t *candidates, bson_t *out) {
    bson_t expr, let, vars, in, list;
    bson_iter_t it;
    bson_append_document_begin(out, "$expr", -1, &expr);
    bson_append_document_begin(&expr, "$let", -1, &let);
    bson_append_document_begin(&let, "vars", -1, &vars);
    mql_express_element(at->arena, at->rel, at->element, &vars, "v");
    bson_append_document_end(&let, &vars);
    bson_append_document_begin(&let, "in", -1, &in);
    bson_append_array_begin(&in, "$and", -1, &list);
    Tests tests = {&list, 0};
    bson_t test;
    begin_test(&tests, &test);
    mql_append_class_test(&test, STR("$$v"), at->type);
    bson_append_document_end(&list, &test);
    if (bson_iter_init(&it, ops))
        while (bson_iter_next(&it)) add_operator(&tests, at, ops, &it, candidates);
    bson_append_array_end(&in, &list);
    bson_append_document_end(&let, &in);
    bson_append_document_end(&expr, &let);
    bson_append_document_end(out, &expr);
}

void mql_append_element(const Place *at, const bson_t *ops, bson_t *item) {
    bson_t candidates = BSON_INITIALIZER, exact = BSON_INITIALIZER, list, half;
    append_test_of_value(at, ops, &candidates, &exact);
    if (bson_empty(&candidates)) bson_concat(item, &exact);
    else {
        bson_append_array_begin(item, "$and", -1, &list);
        bson_append_document_begin(&list, "0", -1, &half);
        bson_append_document(&half, at->field.p, (int)at->field.n, &candidates);
        bson_append_document_end(&list, &half);
        bson_append_document(&list, "1", -1, &exact);
        bson_append_array_end(item, &list);
    }
    bson_destroy(&candidates);
    bson_destroy(&exact);
}
