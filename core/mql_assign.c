/* mql_assign.c - parts of documents and arrays written by the server: SET blog.name = ..., SET tags = array_append(tags, ...).
 *
 * In:  the value of an assignment that resolve_json.c made ("json assign"), or an array function over the column. Out: an aggregation expression for the $set stage
 * of an update, so that two programs can change two fields of one document at the same time:
 *     SET blog.name = 'x', blog.in.n = 5   ->   {blog: {$mergeObjects: ["$blog", {name: {$literal: "x"}, in: {$mergeObjects: ["$blog.in", {n: {$literal: 5}}]}}]}}
 *     SET tags = array_append(tags, 'x')   ->   {tags: {$concatArrays: [{$ifNull: ["$tags", []]}, [{$literal: "x"}]]}}
 * $mergeObjects makes what is missing or null and refuses what is no object, as "json assign" does; $concatArrays, $filter and $map refuse what is no array.
 * Not here: elements by index, names that a field path can't hold, and values that only the executor computes; such rows are read and written back. */
#include <stdio.h>

#include "mql_internal.h"
#include "scalar.h"

static bool is_call(const Expr *e, const char *name) { return e->tag == EXPR_FUNC && strcmp(e->function->name, name) == 0; }

static Walk find_sublink(Expr *e, void *context) {
    (void)context;
    return e->tag == EXPR_SUBLINK ? WALK_STOP : WALK_ON;
}

static bool is_literal(const Expr *e) { return expr_is_constant(e) && expr_walk((Expr *)e, find_sublink, NULL); }

/* ---- array functions ---- */

static bool can_array_value(const Expr *e, const Rel *rel) {
    if (e->tag != EXPR_FUNC || e->type.tag != TYPE_ARRAY) return false;
    bool first = is_call(e, "array_prepend");
    if (!first && !is_call(e, "array_append") && !is_call(e, "array_remove") && !is_call(e, "array_replace")) return false;
    const Expr *array = e->args.at[first];
    Type element = type_of(array->type.element);
    if (!mql_is_array_place(array, rel, 0) || !mql_told_apart(element) || element.tag == TYPE_UUID) return false;
    for (int i = 0; i < e->args.n; i++)
        if (i != first && !is_literal(e->args.at[i])) return false;
    return true;
}

/* The array, or null where there is none; an array column that holds something else is left to fail. */
static void append_array(Emit *em, const Expr *array, bson_t *out, const char *key) {
    Place at = mql_place(em->arena, em->rel, array);
    Str path = arena_printf(em->arena, "$" STR_FMT, STR_ARG(at.field));
    if (!at.path) {
        bson_append_utf8(out, key, -1, path.p, (int)path.n);
        return;
    }
    bson_t cond, list, test, both, part, none;
    char nth[16];
    int n = 0;
    bson_append_document_begin(out, key, -1, &cond);
    bson_append_array_begin(&cond, "$cond", -1, &list);
    bson_append_document_begin(&list, "0", -1, &test);
    bson_append_array_begin(&test, "$and", -1, &both);
    bson_append_document_begin(&both, "0", -1, &part);
    bson_append_utf8(&part, "$isArray", -1, path.p, (int)path.n);
    bson_append_document_end(&both, &part);
    for (uint32_t i = at.field.n; i-- > at.root;) {
        if (at.field.p[i] != '.') continue;
        snprintf(nth, sizeof nth, "%d", ++n);
        bson_append_document_begin(&both, nth, -1, &part);
        bson_append_array_begin(&part, "$not", -1, &none);
        bson_t is_array;
        bson_append_document_begin(&none, "0", -1, &is_array);
        bson_append_utf8(&is_array, "$isArray", -1, path.p, (int)i + 1);
        bson_append_document_end(&none, &is_array);
        bson_append_array_end(&part, &none);
        bson_append_document_end(&both, &part);
    }
    bson_append_array_end(&test, &both);
    bson_append_document_end(&list, &test);
    bson_append_utf8(&list, "1", -1, path.p, (int)path.n);
    bson_append_null(&list, "2", -1);
    bson_append_array_end(&cond, &list);
    bson_append_document_end(out, &cond);
}

/* {$literal: item}, as an element of the array would be stored. */
static bool append_item(Emit *em, const Expr *e, Type element, bson_t *out, const char *key) {
    Value v, item;
    bool unbound;
    int parameter = 0;
    if (!mql_constant(em, e, &v, &unbound, &parameter)) return false;
    if (unbound) { mql_parameter(out, key, parameter); return true; }
    if (!cast_assign(em->ev, &v, element, STR("array element"), &item)) return false;
    bson_t child;
    bson_append_document_begin(out, key, -1, &child);
    value_append(&child, "$literal", -1, &item, element);
    bson_append_document_end(out, &child);
    return true;
}

static bool express_array_value(Emit *em, const Expr *e, bson_t *out, const char *key) {
    bool first = is_call(e, "array_prepend"), remove = is_call(e, "array_remove"), ok = true;
    const Expr *array = e->args.at[first];
    Type element = type_of(array->type.element);
    bson_t child, args, parts, empty, item;
    bson_append_document_begin(out, key, -1, &child);
    if (!remove && !is_call(e, "array_replace")) {
        bson_append_array_begin(&child, "$concatArrays", -1, &args);
        for (int i = 0; i < 2 && ok; i++) {
            char at[2] = {(char)('0' + i), '\0'};
            if ((i == 0) == first) {
                bson_append_array_begin(&args, at, -1, &item);
                ok = append_item(em, e->args.at[!first], element, &item, "0");
                bson_append_array_end(&args, &item);
                continue;
            }
            bson_append_document_begin(&args, at, -1, &parts);
            bson_append_array_begin(&parts, "$ifNull", -1, &item);
            append_array(em, array, &item, "0");
            bson_append_array_begin(&item, "1", -1, &empty);
            bson_append_array_end(&item, &empty);
            bson_append_array_end(&parts, &item);
            bson_append_document_end(&args, &parts);
        }
        bson_append_array_end(&child, &args);
    } else {
        bson_t test, pair;
        bson_append_document_begin(&child, remove ? "$filter" : "$map", -1, &args);
        append_array(em, array, &args, "input");
        bson_append_document_begin(&args, remove ? "cond" : "in", -1, &test);
        if (remove) {
            bson_append_array_begin(&test, "$ne", -1, &pair);
            bson_append_utf8(&pair, "0", -1, "$$this", -1);
            ok = append_item(em, e->args.at[1], element, &pair, "1");
            bson_append_array_end(&test, &pair);
        } else {
            bson_append_array_begin(&test, "$cond", -1, &parts);
            bson_append_document_begin(&parts, "0", -1, &item);
            bson_append_array_begin(&item, "$eq", -1, &pair);
            bson_append_utf8(&pair, "0", -1, "$$this", -1);
            ok = append_item(em, e->args.at[1], element, &pair, "1");
            bson_append_array_end(&item, &pair);
            bson_append_document_end(&parts, &item);
            ok = ok && append_item(em, e->args.at[2], element, &parts, "1");
            bson_append_utf8(&parts, "2", -1, "$$this", -1);
            bson_append_array_end(&test, &parts);
        }
        bson_append_document_end(&args, &test);
        bson_append_document_end(&child, &args);
    }
    bson_append_document_end(out, &child);
    return ok;
}

/* ---- json assign ---- */

static bool plain_name(const Expr *step) {
    return step->tag == EXPR_CONST && step->value.type == SQM_TEXT && step->value.len && step->value.u.text[0] != '$' && !memchr(step->value.u.text, '.', step->value.len) &&
           !memchr(step->value.u.text, '\0', step->value.len);
}

bool mql_can_assign(const Expr *e, const Rel *rel, int column) {
    if (can_array_value(e, rel)) return !rel->table->columns.at[column].not_null && !(rel->table->columns.at[column].type.element != e->type.element);
    const Expr *call = e;
    for (; is_call(call, "json assign"); call = call->args.at[0]) {
        const Expr *value = call->args.at[1];
        if (!is_literal(value) && !can_array_value(value, rel) && (call->type.tag == TYPE_JSON || !mql_can_express(value, rel))) return false;
        for (int i = 2; i < call->args.n; i++)
            if (!plain_name(call->args.at[i])) return false;
    }
    return call != e && call->tag == EXPR_VAR && call->level == 0 && call->column == column && call->rel == rel->id;
}

static bool append_leaf(Emit *em, const Expr *value, Type column, bson_t *out, const char *key) {
    if (can_array_value(value, em->rel)) return express_array_value(em, value, out, key);
    bson_t child, list;
    if (!is_literal(value)) {
        bson_append_document_begin(out, key, -1, &child);
        bson_append_array_begin(&child, "$ifNull", -1, &list);
        bool ok = mql_express(em, value, &list, "0");
        bson_append_null(&list, "1", -1);
        bson_append_array_end(&child, &list);
        bson_append_document_end(out, &child);
        return ok;
    }
    Value v;
    bool unbound;
    int parameter = 0;
    if (!mql_constant(em, value, &v, &unbound, &parameter)) return false;
    if (unbound) { mql_parameter(out, key, parameter); return true; }
    if (column.tag == TYPE_JSON && v.type != SQM_JSON) v = value_to_json(em->arena, &v);
    bson_append_document_begin(out, key, -1, &child);
    bool ok = value_append(&child, "$literal", -1, &v, TYPE(UNKNOWN)) || eval_fail(em->ev, value, SQM_ERROR_DOCUMENT_TOO_LARGE, "value is too large for a document");
    bson_append_document_end(out, &child);
    return ok;
}

static Str step_name(const Expr *call, int step) { return (Str){call->args.at[step]->value.u.text, call->args.at[step]->value.len}; }

static bool same_start(const Expr *a, const Expr *b, int n) {
    if (a->args.n < n || b->args.n < n) return false;
    for (int i = 2; i < n; i++)
        if (!str_eq(step_name(a, i), step_name(b, i))) return false;
    return true;
}

/* {$mergeObjects: [path, {name: leaf or the same one level down, ...}]} of the calls whose first `depth` steps are those of `like`. */
static bool append_level(Emit *em, const Exprs *calls, const Expr *like, int depth, Str path, Type column, bson_t *out, const char *key) {
    bson_t merge, list, object;
    bool ok = true;
    bson_append_document_begin(out, key, -1, &merge);
    bson_append_array_begin(&merge, "$mergeObjects", -1, &list);
    bson_append_utf8(&list, "0", -1, path.p, (int)path.n);
    bson_append_document_begin(&list, "1", -1, &object);
    for (int i = 0; i < calls->n && ok; i++) {
        const Expr *call = calls->at[i];
        bool seen = false;
        if (!same_start(call, like, depth)) continue;
        for (int k = 0; k < i && !seen; k++) seen = same_start(calls->at[k], call, depth + 1);
        if (seen) continue;
        Str name = step_name(call, depth);
        const char *field = arena_str(em->arena, name.p, name.n).p;
        if (call->args.n == depth + 1) ok = append_leaf(em, call->args.at[1], column, &object, field);
        else ok = append_level(em, calls, call, depth + 1, arena_printf(em->arena, STR_FMT "." STR_FMT, STR_ARG(path), STR_ARG(name)), column, &object, field);
    }
    bson_append_document_end(&list, &object);
    bson_append_array_end(&merge, &list);
    bson_append_document_end(out, &merge);
    return ok;
}

bool mql_express_assign(Emit *em, const Expr *e, bson_t *out, const char *key) {
    if (can_array_value(e, em->rel)) return express_array_value(em, e, out, key);
    Exprs calls = {0}, written = {0};
    for (const Expr *call = e; is_call(call, "json assign"); call = call->args.at[0]) vec_push(em->arena, &calls, (Expr *)call);
    for (int i = calls.n; i-- > 0;) vec_push(em->arena, &written, calls.at[i]);      /* as they were written */
    const Expr *column = calls.at[calls.n - 1]->args.at[0];
    return append_level(em, &written, written.at[0], 2, arena_printf(em->arena, "$" STR_FMT, STR_ARG(rel_field(em->rel, column->column))), e->type, out, key);
}
