/* mql_path.c - where a condition finds its value: a column, or a path into a document.
 *
 * In:  a column of the relation, or JSON_VALUE(column, '$.a.b' RETURNING type).  Out: a Place: the dotted field that MongoDB's operators take, and
 * what must be said beside an operator so that it means the value at exactly that path:
 *     JSON_VALUE(blog, '$.name' RETURNING text) = 'x'   ->   {"blog.name": {$eq: "x", $not: {$type: "array"}}, "blog": {$not: {$type: "array"}}}
 * because a dotted field also looks into arrays, on the way (an array of blogs) and at its end (an array of names); and because a value of another class
 * than the type's is NULL, negations say the class too ({$nin: ["x"], $type: "string"}).
 * Paths with indexes (authors.0 is also the key "0") are mql_element.c's. Not places, and decided here from the document itself: names with dots or a leading $, and
 * types whose stored form the server can't tell apart: bytea (from UUIDs), interval (from numbers), time (from dates). */
#include <math.h>
#include <stdio.h>

#include "mql_internal.h"

static bool is_call(const Expr *e, const char *name) { return e->tag == EXPR_FUNC && strcmp(e->function->name, name) == 0; }

bool mql_is_json_value(const Expr *e) { return is_call(e, "json_value") && e->on_empty <= JSON_ON_NULL && e->on_error <= JSON_ON_NULL; }

/* A member's name that a dotted field can hold. */
bool mql_is_plain_step(const Expr *step) {
    if (step->tag != EXPR_CONST || step->value.type != SQM_TEXT || step->value.len == 0 || step->value.u.text[0] == '$') return false;
    return !memchr(step->value.u.text, '.', step->value.len) && !memchr(step->value.u.text, '\0', step->value.len);
}

static bool container(Type t) { return t.tag == TYPE_JSON || t.tag == TYPE_DOCUMENT || t.tag == TYPE_UNKNOWN || t.tag == TYPE_ARRAY; }

static bool is_number(const Expr *step) {
    for (uint32_t i = 0; i < step->value.len; i++)
        if (step->value.u.text[i] < '0' || step->value.u.text[i] > '9') return false;
    return true;
}

/* The column that a chain of JSON_VALUEs starts from; `exact`: every step may stand in a dotted field. NULL: something else. Under $elemMatch an element
 * that is an array itself has fields "0", "1" ...: a name like that can't come first there. */
static const Expr *path_root(const Expr *e, const Rel *rel, int level, bool *exact) {
    while (mql_is_json_value(e)) {
        for (int i = 1; i < e->args.n; i++) *exact = *exact && mql_is_plain_step(e->args.at[i]);
        if (rel->kind == REL_FUNCTION && *exact && e->args.n > 1 && is_number(e->args.at[1])) *exact = false;
        e = e->args.at[0];
        if (!container(e->type)) return NULL;
    }
    if (e->tag != EXPR_VAR || e->level != level || e->rel != rel->id || e->column < 0) return NULL;
    if (rel->kind == REL_FUNCTION) return e;
    Str field = rel_field(rel, e->column);
    return rel->kind == REL_TABLE && !memchr(field.p, '.', field.n) ? e : NULL;
}

bool mql_is_path(const Expr *e, const Rel *rel) {
    bool exact = true;
    return mql_is_json_value(e) && e->args.n > 1 && path_root(e, rel, 0, &exact) && exact;
}

bool mql_is_array_place(const Expr *e, const Rel *rel, int level) {
    bool exact = true;
    if (e->type.tag != TYPE_ARRAY || !path_root(e, rel, level, &exact) || !exact) return false;
    return mql_is_json_value(e) ? e->args.n > 1 : rel->kind == REL_TABLE;
}

bool mql_told_apart(Type t) {
    return t.tag == TYPE_BOOL || type_is_numeric(t) || type_is_text(t) || (type_is_datetime(t) && t.tag != TYPE_TIME) || t.tag == TYPE_UUID || t.tag == TYPE_OBJECTID;
}

/* UNKNOWN: blog.name beside a parameter, whose value then says the class. */
bool mql_is_scalar_path(const Expr *e, const Rel *rel) { return (mql_told_apart(e->type) || (e->type.tag == TYPE_UNKNOWN && mql_is_json_value(e))) && mql_is_path(e, rel); }

static void append_steps(Text *t, const Expr *e, const Rel *rel, uint32_t *root) {
    if (e->tag == EXPR_VAR) {
        if (rel->kind == REL_TABLE) {
            Str field = rel_field(rel, e->column);
            text_add(t, field.p, field.n);
        }
        *root = (uint32_t)t->n;
        return;
    }
    append_steps(t, e->args.at[0], rel, root);
    for (int i = 1; i < e->args.n; i++) {
        if (t->n) text_adds(t, ".");
        text_add(t, e->args.at[i]->value.u.text, e->args.at[i]->value.len);
    }
}

Place mql_place(Arena *arena, const Rel *rel, const Expr *e) {
    if (e->tag == EXPR_VAR && rel->kind == REL_TABLE) return (Place){.field = rel_field(rel, e->column), .type = e->type};
    if (mql_is_element_path(e, rel)) return (Place){.field = mql_element_field(arena, rel, e), .type = e->type, .path = true, .element = e, .rel = rel, .arena = arena};
    Place at = {.type = e->type, .path = true};
    Text t = {.arena = arena};
    text_adds(&t, "");
    append_steps(&t, e, rel, &at.root);
    at.field = (Str){t.p, (uint32_t)t.n};
    return at;
}

/* ---- what stands beside the operators ---- */

static const char *class_name(Type type) {
    return type.tag == TYPE_BOOL ? "bool" : type_is_numeric(type) ? "number" : type_is_text(type) ? "string" : type_is_datetime(type) ? "date" :
           type.tag == TYPE_OBJECTID ? "objectId" : type.tag == TYPE_DOCUMENT ? "object" : "array";
}

static void append_class(bson_t *ops, Type type) {
    static const uint8_t least[16], greatest[16] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    if (type.tag == TYPE_UUID) {    /* binary data is ordered by length, kind and bytes: 16 bytes of kind 3 or 4 */
        bson_append_binary(ops, "$gte", -1, BSON_SUBTYPE_UUID_DEPRECATED, least, 16);
        bson_append_binary(ops, "$lte", -1, BSON_SUBTYPE_UUID, greatest, 16);
        return;
    }
    bson_append_utf8(ops, "$type", -1, class_name(type), -1);
}

void mql_append_class(const Place *at, bson_t *ops) { append_class(ops, at->type); }

void mql_append_no_array(bson_t *ops) {
    bson_t not_;
    bson_append_document_begin(ops, "$not", -1, &not_);
    bson_append_utf8(&not_, "$type", -1, "array", -1);
    bson_append_document_end(ops, &not_);
}

void mql_guard_leaf(const Place *at, bson_t *ops) {
    if (at->path && at->type.tag != TYPE_ARRAY) mql_append_no_array(ops);
}

int mql_guards(const Place *at) {
    int n = 0;
    if (at->path && !at->element)
        for (uint32_t i = at->root; i < at->field.n; i++) n += i > 0 && at->field.p[i] == '.';
    return n;
}

/* Guard number `which` of them, 0 the longest prefix: {prefix: {$not: {$type: "array"}}}. */
void mql_append_guard(const Place *at, int which, bson_t *item) {
    for (uint32_t i = at->field.n; i-- > at->root;) {
        if (i == 0 || at->field.p[i] != '.' || which-- > 0) continue;
        bson_t ops;
        bson_append_document_begin(item, at->field.p, (int)i, &ops);
        mql_append_no_array(&ops);
        bson_append_document_end(item, &ops);
        return;
    }
}

/* ---- expressions ---- */

void mql_append_class_test(bson_t *out, Str value, Type type) {
    static const char *const numbers[] = {"int", "long", "double", "decimal"};
    bson_t pair, of, names;
    bson_append_array_begin(out, "$in", -1, &pair);
    bson_append_document_begin(&pair, "0", -1, &of);
    bson_append_utf8(&of, "$type", -1, value.p, (int)value.n);
    bson_append_document_end(&pair, &of);
    bson_append_array_begin(&pair, "1", -1, &names);
    if (type_is_numeric(type)) {
        char nth[16];
        for (int i = 0; i < 4; i++) {
            snprintf(nth, sizeof nth, "%d", i);
            bson_append_utf8(&names, nth, -1, numbers[i], -1);
        }
    } else bson_append_utf8(&names, "0", -1, class_name(type), -1);
    bson_append_array_end(&pair, &names);
    bson_append_array_end(out, &pair);
}

/* {$cond: [{$in: [{$type: "$a.b"}, ["string"]]}, "$a.b", null]}: through an array on the way "$a.b" is an array, which no scalar type takes. */
static void append_typed(bson_t *out, const char *key, Str value, Type type) {
    bson_t cond, list, test, both, first, ne;
    bson_append_document_begin(out, key, -1, &cond);
    bson_append_array_begin(&cond, "$cond", -1, &list);
    bson_append_document_begin(&list, "0", -1, &test);
    if (type_is_integer(type)) {        /* NaN is no integer */
        bson_append_array_begin(&test, "$and", -1, &both);
        bson_append_document_begin(&both, "0", -1, &first);
        mql_append_class_test(&first, value, type);
        bson_append_document_end(&both, &first);
        bson_append_document_begin(&both, "1", -1, &first);
        bson_append_array_begin(&first, "$ne", -1, &ne);
        bson_append_utf8(&ne, "0", -1, value.p, (int)value.n);
        bson_append_double(&ne, "1", -1, NAN);
        bson_append_array_end(&first, &ne);
        bson_append_document_end(&both, &first);
        bson_append_array_end(&test, &both);
    } else mql_append_class_test(&test, value, type);
    bson_append_document_end(&list, &test);
    bson_append_utf8(&list, "1", -1, value.p, (int)value.n);
    bson_append_null(&list, "2", -1);
    bson_append_array_end(&cond, &list);
    bson_append_document_end(out, &cond);
}

void mql_express_path(Arena *arena, const Rel *rel, const Expr *e, bson_t *out, const char *key) {
    Place at = mql_place(arena, rel, e);
    if (!at.element) {
        append_typed(out, key, arena_printf(arena, "$" STR_FMT, STR_ARG(at.field)), e->type);
        return;
    }
    bson_t let, parts, vars;
    bson_append_document_begin(out, key, -1, &let);
    bson_append_document_begin(&let, "$let", -1, &parts);
    bson_append_document_begin(&parts, "vars", -1, &vars);
    mql_express_element(arena, rel, e, &vars, "v");
    bson_append_document_end(&parts, &vars);
    append_typed(&parts, "in", STR("$$v"), e->type);
    bson_append_document_end(&let, &parts);
    bson_append_document_end(out, &let);
}

/* ---- projections ---- */

/* ON EMPTY tells a document without the path from no document at all, which a projection doesn't. */
const Expr *mql_projected_root(const Expr *e) {
    if (!((is_call(e, "json_value") || is_call(e, "json_query")) && e->on_empty <= JSON_ON_NULL)) return NULL;
    int names = 0;
    do {
        names = 0;      /* of the innermost call: the steps next to the column */
        while (names + 1 < e->args.n && mql_is_plain_step(e->args.at[names + 1])) names++;
        e = e->args.at[0];
    } while (mql_is_json_value(e));
    return e->tag == EXPR_VAR && e->column >= 0 && names ? e : NULL;
}

/* Appends the names from the column on, up to the first index; false when that was met. */
static bool append_names(Text *t, const Expr *e, const Rel *rel) {
    if (e->tag == EXPR_VAR) {
        Str field = rel_field(rel, e->column);
        text_add(t, field.p, field.n);
        return true;
    }
    if (!append_names(t, e->args.at[0], rel)) return false;
    for (int i = 1; i < e->args.n; i++) {
        if (!mql_is_plain_step(e->args.at[i])) return false;
        text_adds(t, ".");
        text_add(t, e->args.at[i]->value.u.text, e->args.at[i]->value.len);
    }
    return true;
}

Str mql_projected_path(Arena *arena, const Rel *rel, const Expr *e) {
    Text t = {.arena = arena};
    append_names(&t, e, rel);
    return (Str){t.p, (uint32_t)t.n};
}
