/* mql_native.c - conditions that only MongoDB can decide: text_search(), near(), geo_within(), geo_intersects().
 *
 * In: such a call as one of the conjuncts on a table, its first argument a column of the table, the others constant. Out: its filter.
 *
 *     text_search(title, 'war peace')                  {$text: {$search: "war peace"}}
 *     near(place, 13.4, 52.5, 1000, 10)                {place: {$near: {$geometry: {type: "Point", coordinates: [13.4, 52.5]}, $maxDistance: 1000, $minDistance: 10}}}
 *     geo_within(place, '{"type": "Polygon", ...}')    {place: {$geoWithin: {$geometry: {...}}}}
 *
 * Nothing else knows what they mean, so nothing else may evaluate them: under NOT or OR, in targets, on a column without its text index they stay where
 * they are, and evaluating them there is the error (native_eval in function_native.c). $near also orders the rows, nearest first; where rows are counted, sorted, fetched by
 * key or written it can't be said, and the circle itself ($geoWithin) says the same. */
#include <math.h>

#include "mql_internal.h"

#define EARTH_RADIUS 6378100.0      /* metres, MongoDB's */

static bool is_call(const Expr *e, const char *name) { return e->tag == EXPR_FUNC && strcmp(e->function->name, name) == 0; }

static bool in_text_index(const Table *t, int column) {
    if (!t->declared) return true;
    for (int i = 0; i < t->indexes.n; i++)
        for (int k = 0; str_is(t->indexes.at[i].method, "text") && k < t->indexes.at[i].keys.n; k++)
            if (t->indexes.at[i].keys.at[k].column == column) return true;
    return false;
}

bool mql_can_native(const Expr *e, const Rel *rel) {
    bool text = is_call(e, "text_search");
    if (!text && !is_call(e, "near") && !is_call(e, "geo_within") && !is_call(e, "geo_intersects")) return false;
    if (rel->kind != REL_TABLE || !mql_is_column(e->args.at[0], rel) || (text && !in_text_index(rel->table, e->args.at[0]->column))) return false;
    for (int i = 1; i < e->args.n; i++)
        if (!expr_is_constant(e->args.at[i])) return false;
    return true;
}

/* ---- arguments ---- */

static bool wrong(Emit *em, const Expr *e, const char *needs) { return eval_fail(em->ev, e, SQM_ERROR_INVALID_ARGUMENT, "%s() needs %s", e->function->name, needs); }

static bool number_argument(Emit *em, const Expr *e, int i, double *out) {
    Value v;
    if (!eval(em->ev, e->args.at[i], &v) || !cast_value(em->ev, &v, TYPE(FLOAT8), &v)) return false;
    *out = v.type == SQM_DOUBLE ? v.u.d : 0;
    return (v.type == SQM_DOUBLE && isfinite(v.u.d)) || wrong(em, e, "numbers");
}

static bool append_geometry(Emit *em, const Expr *e, const Value *v, bson_t *out) {
    bson_t *parsed = v->type == SQM_TEXT ? bson_new_from_json((const uint8_t *)v->u.text, (ssize_t)v->len, NULL) : NULL;
    bool ok = parsed && bson_has_field(parsed, "type") && (bson_has_field(parsed, "coordinates") || bson_has_field(parsed, "geometries"));
    if (ok) bson_append_document(out, "$geometry", -1, parsed);
    if (parsed) bson_destroy(parsed);
    if (v->type != SQM_TEXT) {
        bson_iter_t it;
        bson_t one = BSON_INITIALIZER;
        ok = (v->type == SQM_JSON || v->type == SQM_BSON) && value_append(&one, "$geometry", -1, v, TYPE(JSON)) && bson_iter_init_find(&it, &one, "$geometry") && BSON_ITER_HOLDS_DOCUMENT(&it) &&
             bson_append_iter(out, NULL, 0, &it);
        bson_destroy(&one);
    }
    return ok || wrong(em, e, "a GeoJSON document");
}

/* ---- filters ---- */

/* {$centerSphere: [[x, y], radians]} */
static void append_circle(bson_t *out, double x, double y, double metres) {
    bson_t sphere, centre;
    bson_append_array_begin(out, "$centerSphere", -1, &sphere);
    bson_append_array_begin(&sphere, "0", 1, &centre);
    bson_append_double(&centre, "0", 1, x);
    bson_append_double(&centre, "1", 1, y);
    bson_append_array_end(&sphere, &centre);
    bson_append_double(&sphere, "1", 1, metres / EARTH_RADIUS);
    bson_append_array_end(out, &sphere);
}

static void append_within(bson_t *out, Str field, double x, double y, double metres) {
    bson_t ops, shape;
    bson_append_document_begin(out, field.p, (int)field.n, &ops);
    bson_append_document_begin(&ops, "$geoWithin", -1, &shape);
    append_circle(&shape, x, y, metres);
    bson_append_document_end(&ops, &shape);
    bson_append_document_end(out, &ops);
}

static bool append_near(Emit *em, const Expr *e, Str field, bson_t *out) {
    double x, y, most = EARTH_RADIUS * M_PI, least = 0;
    if (!number_argument(em, e, 1, &x) || !number_argument(em, e, 2, &y) || (e->args.n > 3 && !number_argument(em, e, 3, &most)) || (e->args.n > 4 && !number_argument(em, e, 4, &least))) return false;
    if (fabs(x) > 180 || fabs(y) > 90) return wrong(em, e, "a longitude and a latitude");
    if (most < 0 || least < 0) return wrong(em, e, "distances that aren't negative");
    bson_t ops, near, geometry, list;
    if (!em->nearest) {
        bson_t both, none;
        bson_append_array_begin(out, "$and", -1, &both);
        bson_append_document_begin(&both, "0", 1, &ops);
        append_within(&ops, field, x, y, most);
        bson_append_document_end(&both, &ops);
        bson_append_document_begin(&both, "1", 1, &ops);
        if (least > 0) {
            bson_append_array_begin(&ops, "$nor", -1, &none);
            bson_append_document_begin(&none, "0", 1, &near);
            append_within(&near, field, x, y, least);
            bson_append_document_end(&none, &near);
            bson_append_array_end(&ops, &none);
        }
        bson_append_document_end(&both, &ops);
        return bson_append_array_end(out, &both);
    }
    bson_append_document_begin(out, field.p, (int)field.n, &ops);
    bson_append_document_begin(&ops, "$near", -1, &near);
    bson_append_document_begin(&near, "$geometry", -1, &geometry);
    bson_append_utf8(&geometry, "type", -1, "Point", -1);
    bson_append_array_begin(&geometry, "coordinates", -1, &list);
    bson_append_double(&list, "0", 1, x);
    bson_append_double(&list, "1", 1, y);
    bson_append_array_end(&geometry, &list);
    bson_append_document_end(&near, &geometry);
    if (e->args.n > 3) bson_append_double(&near, "$maxDistance", -1, most);
    if (e->args.n > 4) bson_append_double(&near, "$minDistance", -1, least);
    bson_append_document_end(&ops, &near);
    bson_append_document_end(out, &ops);
    return true;
}

bool mql_native(Emit *em, const Expr *e, bson_t *out) {
    Str field = rel_field(em->rel, e->args.at[0]->column);
    bool text = is_call(e, "text_search"), unbound = false;
    int parameter = 0;
    Value v = sqm_null();
    bson_t ops, shape;
    for (int i = 1; i < e->args.n; i++) {
        bool open;
        if (!mql_constant(em, e->args.at[i], &v, &open, &parameter)) return false;
        unbound |= open;
        if (!open && v.type == SQM_NULL) return bson_append_int32(out, "$alwaysFalse", -1, 1);
    }
    if (!unbound && is_call(e, "near")) return append_near(em, e, field, out);
    Str key = text ? STR("$text") : field;
    bson_append_document_begin(out, key.p, (int)key.n, &ops);
    bool ok = true;
    if (unbound) {      /* shown only */
        mql_parameter(&ops, text ? "$search" : is_call(e, "near") ? "$near" : is_call(e, "geo_within") ? "$geoWithin" : "$geoIntersects", parameter);
    } else if (text) {
        ok = v.type == SQM_TEXT || wrong(em, e, "a text");
        if (ok) bson_append_utf8(&ops, "$search", -1, v.len ? v.u.text : "", (int)v.len);
    } else {
        bson_append_document_begin(&ops, is_call(e, "geo_within") ? "$geoWithin" : "$geoIntersects", -1, &shape);
        ok = append_geometry(em, e, &v, &shape);
        bson_append_document_end(&ops, &shape);
    }
    bson_append_document_end(out, &ops);
    return ok;
}
