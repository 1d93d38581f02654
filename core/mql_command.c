/* mql_command.c - whole commands: a SCAN as find or aggregate, UPDATE and DELETE as one command.
 *
 *     Scan book  match pages > %1  sort name  limit 5
 *         { find: "book", filter: {pages: {$gt: 100}}, sort: {name: 1}, limit: 5, projection: {name: 1, _id: 0} }
 *     Scan book  grouped by author_id: count(*)
 *         { aggregate: "book", pipeline: [ {$group: {_id: {k0: {$ifNull: ["$author_id", null]}}, a0: {$sum: 1}}}, {$project: {_id: 0, k: ["$_id.k0"], a: ["$a0"]}} ], cursor: {} }
 * find whenever match, sort, skip, limit and projection are enough: it is the cheaper command, and the only one that MongoDB plans with its fast path for _id. */
#include <math.h>
#include <stdio.h>

#include "decimal.h"
#include "mql_internal.h"

/* ---- grouping ---- */

static bool is_aggregate(const Expr *e, const char *name) { return strcmp(e->aggregate->name, name) == 0; }

static bool ordered_type(Type t) {
    return type_is_integer(t) || t.tag == TYPE_NUMERIC || type_is_text(t) || type_is_datetime(t) || t.tag == TYPE_INTERVAL || t.tag == TYPE_UUID || t.tag == TYPE_OBJECTID;
}

static bool may_hold_nan(Type t) { return t.tag == TYPE_FLOAT8 || t.tag == TYPE_NUMERIC; }

/* MIN and MAX over what may hold NaN: greatest in SQL, least in $min and $max. */
static bool extreme_with_nan(const Expr *e) { return (is_aggregate(e, "min") || is_aggregate(e, "max")) && may_hold_nan(e->args.at[0]->type); }

static Walk find_path(Expr *e, void *context) {
    (void)context;
    return mql_is_json_value(e) ? WALK_STOP : WALK_ON;
}

static bool reads_path(const Expr *e) { return !expr_walk((Expr *)e, find_path, NULL); }

/* AVG of what adds up exactly: the server gives sum and count, and the division is ours, whose digits are PostgreSQL's. */
bool mql_is_mean(const Expr *e) { return is_aggregate(e, "avg") && (type_is_integer(e->args.at[0]->type) || e->args.at[0]->type.tag == TYPE_NUMERIC); }

/* Values that $group tells apart exactly as we do. */
static bool can_be_key(const Expr *e, const Rel *rel) {
    Type t = e->type;
    return mql_can_express(e, rel) && (ordered_type(t) || t.tag == TYPE_BOOL || t.tag == TYPE_FLOAT8) && !(rel->table->legacy && t.tag == TYPE_UUID);
}

/* COUNT(DISTINCT x) alone, any number of times: grouped by x too, then the groups are counted. */
static bool counts_distinct(const Query *q) {
    for (int i = 0; i < q->aggs.n; i++) {
        const Expr *e = q->aggs.at[i];
        if (!e->distinct || !is_aggregate(e, "count") || e->args.n != 1 || e->filter || e->order || !expr_equal(e->args.at[0], q->aggs.at[0]->args.at[0])) return false;
    }
    return q->aggs.n > 0;
}

/* Sums and averages of doubles depend on the order of addition. */
static bool can_aggregate(const Expr *e, const Rel *rel) {
    if (e->distinct || e->order || (e->filter && !(mql_can_express(e->filter, rel)))) return false;
    if (is_aggregate(e, "count")) return e->args.n == 0 || mql_can_express(e->args.at[0], rel);
    if (e->args.n != 1 || !mql_can_express(e->args.at[0], rel) || expr_is_constant(e->args.at[0])) return false;
    Type t = e->args.at[0]->type;
    bool path = reads_path(e->args.at[0]);      /* numbers of several kinds may be there: adding them up is done here */
    if (path && (is_aggregate(e, "sum") || is_aggregate(e, "avg"))) return false;
    if (is_aggregate(e, "sum")) return type_is_integer(t) || t.tag == TYPE_INTERVAL || t.tag == TYPE_FLOAT8 || t.tag == TYPE_NUMERIC;
    if (is_aggregate(e, "avg")) return t.tag == TYPE_FLOAT8 || mql_is_mean(e);
    if (is_aggregate(e, "min") || is_aggregate(e, "max")) return ordered_type(t) || may_hold_nan(t);
    return false;
}

bool mql_can_group(const Query *q, const Rel *rel) {
    if (rel->kind != REL_TABLE || q->grouping_sets.n) return false;
    for (int i = 0; i < q->group_keys.n; i++)
        if (!can_be_key(q->group_keys.at[i], rel)) return false;
    if (counts_distinct(q)) return can_be_key(q->aggs.at[0]->args.at[0], rel) && !expr_is_constant(q->aggs.at[0]->args.at[0]);
    for (int i = 0; i < q->aggs.n; i++)
        if (!can_aggregate(q->aggs.at[i], rel)) return false;
    return true;
}

bool mql_can_distinct(const Query *q, const Rel *rel) {
    if (rel->kind != REL_TABLE) return false;
    for (int i = 0; i < q->n_visible; i++)
        if (!can_be_key(q->targets.at[i].expr, rel) || expr_is_constant(q->targets.at[i].expr)) return false;
    return true;
}

bool mql_can_sort(const SortKey *key, const Rel *rel) {
    const Expr *e = key->expr;
    if (rel->kind == REL_TABLE && (mql_is_scalar_path(e, rel) || mql_is_element_path(e, rel))) return e->type.tag != TYPE_UUID && e->type.tag != TYPE_UNKNOWN && key->nulls_first != key->descending;   /* UUIDs are of two kinds */
    if (!mql_is_column(e, rel) || rel->kind != REL_TABLE) return false;
    if (!ordered_type(e->type) && e->type.tag != TYPE_BOOL && e->type.tag != TYPE_FLOAT8 && e->type.tag != TYPE_FLOAT4 && e->type.tag != TYPE_BYTEA) return false;
    return key->nulls_first != key->descending || !e->nullable;
}

/* {$cond: [filter, value, null]} or the value alone. `counted`: 1 for a row that counts, else 0. */
static bool aggregate_value(Emit *em, const Expr *e, bson_t *out, const char *key, bool counted) {
    bson_t cond, list;
    bool ok = true;
    const Expr *arg = e->args.n ? e->args.at[0] : NULL;
    if (!counted && !e->filter) return mql_express(em, arg, out, key);
    if (counted && !e->filter && !arg) { bson_append_int32(out, key, -1, 1); return true; }
    bson_append_document_begin(out, key, -1, &cond);
    bson_append_array_begin(&cond, "$cond", -1, &list);
    if (counted) {
        bson_t both, parts;
        bson_append_document_begin(&list, "0", -1, &both);
        bson_append_array_begin(&both, "$and", -1, &parts);
        if (arg) {
            bson_t gt, pair;
            bson_append_document_begin(&parts, "0", -1, &gt);
            bson_append_array_begin(&gt, "$gt", -1, &pair);
            ok = mql_express(em, arg, &pair, "0");
            bson_append_null(&pair, "1", -1);
            bson_append_array_end(&gt, &pair);
            bson_append_document_end(&parts, &gt);
        }
        if (ok && e->filter) ok = mql_express_true(em, e->filter, &parts, arg ? "1" : "0");
        bson_append_array_end(&both, &parts);
        bson_append_document_end(&list, &both);
        bson_append_int32(&list, "1", -1, 1);
        bson_append_int32(&list, "2", -1, 0);
    } else {
        ok = mql_express_true(em, e->filter, &list, "0") && mql_express(em, arg, &list, "1");
        bson_append_null(&list, "2", -1);
    }
    bson_append_array_end(&cond, &list);
    bson_append_document_end(out, &cond);
    return ok;
}

static void append_nan(bson_t *out, const char *key, Type type) {
    Value nan = sqm_double(NAN);
    if (type.tag == TYPE_NUMERIC) {
        Decimal d = decimal_from_double(NAN);
        nan = (Value){.type = SQM_DECIMAL, .u.decimal = d};
    }
    value_append(out, key, -1, &nan, type);
}

/* {$cond: [{$eq: [value, NaN]}, 1, 0]}, to be counted; or {$cond: [{$eq: [value, NaN]}, null, value]}, the value without NaNs. */
static bool nan_aside(Emit *em, const Expr *e, bson_t *out, const char *key, bool counted) {
    bson_t cond, list, equal, pair;
    bson_append_document_begin(out, key, -1, &cond);
    bson_append_array_begin(&cond, "$cond", -1, &list);
    bson_append_document_begin(&list, "0", -1, &equal);
    bson_append_array_begin(&equal, "$eq", -1, &pair);
    bool ok = aggregate_value(em, e, &pair, "0", false);
    append_nan(&pair, "1", TYPE(FLOAT8));
    bson_append_array_end(&equal, &pair);
    bson_append_document_end(&list, &equal);
    if (counted) {
        bson_append_int32(&list, "1", -1, 1);
        bson_append_int32(&list, "2", -1, 0);
    } else {
        bson_append_null(&list, "1", -1);
        ok = ok && aggregate_value(em, e, &list, "2", false);
    }
    bson_append_array_end(&cond, &list);
    bson_append_document_end(out, &cond);
    return ok;
}

/* MAX: {$cond: [NaNs, NaN, $a]}. MIN: {$ifNull: [$a, {$cond: [NaNs, NaN, null]}]}. */
static void extreme(const Expr *e, int i, bson_t *out, const char *key) {
    bool max = is_aggregate(e, "max");
    char a[32], n[32];
    bson_t if_null, outer, cond, list;
    snprintf(a, sizeof a, "$a%d", i);
    snprintf(n, sizeof n, "$n%d", i);
    if (!max) {
        bson_append_document_begin(out, key, -1, &if_null);
        bson_append_array_begin(&if_null, "$ifNull", -1, &outer);
        bson_append_utf8(&outer, "0", -1, a, -1);
    }
    bson_append_document_begin(max ? out : &outer, max ? key : "1", -1, &cond);
    bson_append_array_begin(&cond, "$cond", -1, &list);
    bson_append_utf8(&list, "0", -1, n, -1);
    append_nan(&list, "1", e->type);
    if (max) bson_append_utf8(&list, "2", -1, a, -1);
    else bson_append_null(&list, "2", -1);
    bson_append_array_end(&cond, &list);
    bson_append_document_end(max ? out : &outer, &cond);
    if (!max) {
        bson_append_array_end(&if_null, &outer);
        bson_append_document_end(out, &if_null);
    }
}

/* {$ifNull: [key, null]}: a missing field is a NULL, in the same group. */
static bool group_key(Emit *em, const Expr *e, bson_t *id, const char *at) {
    bson_t key, list;
    bson_append_document_begin(id, at, -1, &key);
    bson_append_array_begin(&key, "$ifNull", -1, &list);
    bool ok = mql_express(em, e, &list, "0");
    bson_append_null(&list, "1", -1);
    bson_append_array_end(&key, &list);
    bson_append_document_end(id, &key);
    return ok;
}

/* {$group: {_id: {k0: ..., d: x}}}, {$group: {_id: {k0: "$_id.k0"}, a0: {$sum: {$cond: [{$gt: ["$_id.d", null]}, 1, 0]}}}} */
static bool distinct_stages(Emit *em, const Query *q, bson_t *pipeline, int *stage) {
    char key[16], at[24], path[32];
    bson_t s, group, id, sum, cond, list, known;
    bool ok = true;
    snprintf(key, sizeof key, "%d", (*stage)++);
    bson_append_document_begin(pipeline, key, -1, &s);
    bson_append_document_begin(&s, "$group", -1, &group);
    bson_append_document_begin(&group, "_id", -1, &id);
    for (int i = 0; i < q->group_keys.n && ok; i++) {
        snprintf(at, sizeof at, "k%d", i);
        ok = group_key(em, q->group_keys.at[i], &id, at);
    }
    ok = ok && group_key(em, q->aggs.at[0]->args.at[0], &id, "d");
    bson_append_document_end(&group, &id);
    bson_append_document_end(&s, &group);
    bson_append_document_end(pipeline, &s);

    snprintf(key, sizeof key, "%d", (*stage)++);
    bson_append_document_begin(pipeline, key, -1, &s);
    bson_append_document_begin(&s, "$group", -1, &group);
    if (q->group_keys.n) {
        bson_append_document_begin(&group, "_id", -1, &id);
        for (int i = 0; i < q->group_keys.n; i++) {
            snprintf(at, sizeof at, "k%d", i);
            snprintf(path, sizeof path, "$_id.k%d", i);
            bson_append_utf8(&id, at, -1, path, -1);
        }
        bson_append_document_end(&group, &id);
    } else {
        bson_append_null(&group, "_id", -1);
    }
    for (int i = 0; i < q->aggs.n; i++) {
        snprintf(at, sizeof at, "a%d", i);
        bson_append_document_begin(&group, at, -1, &sum);
        bson_append_document_begin(&sum, "$sum", -1, &cond);
        bson_append_array_begin(&cond, "$cond", -1, &list);
        bson_append_document_begin(&list, "0", -1, &id);
        bson_append_array_begin(&id, "$gt", -1, &known);
        bson_append_utf8(&known, "0", -1, "$_id.d", -1);
        bson_append_null(&known, "1", -1);
        bson_append_array_end(&id, &known);
        bson_append_document_end(&list, &id);
        bson_append_int32(&list, "1", -1, 1);
        bson_append_int32(&list, "2", -1, 0);
        bson_append_array_end(&cond, &list);
        bson_append_document_end(&sum, &cond);
        bson_append_document_end(&group, &sum);
    }
    bson_append_document_end(&s, &group);
    bson_append_document_end(pipeline, &s);
    return ok;
}

static bool gather_stages(Emit *em, const Query *q, bson_t *pipeline, int *stage) {
    char key[16], at[24];
    bson_t s, group, id, acc, sum_;
    bool ok = true;
    snprintf(key, sizeof key, "%d", (*stage)++);
    bson_append_document_begin(pipeline, key, -1, &s);
    bson_append_document_begin(&s, "$group", -1, &group);
    if (q->group_keys.n) {
        bson_append_document_begin(&group, "_id", -1, &id);
        for (int i = 0; i < q->group_keys.n && ok; i++) {
            snprintf(at, sizeof at, "k%d", i);
            ok = group_key(em, q->group_keys.at[i], &id, at);
        }
        bson_append_document_end(&group, &id);
    } else {
        bson_append_null(&group, "_id", -1);
    }
    for (int i = 0; i < q->aggs.n && ok; i++) {
        const Expr *e = q->aggs.at[i];
        bool count = is_aggregate(e, "count"), mean = mql_is_mean(e), sum = is_aggregate(e, "sum") || mean;
        snprintf(at, sizeof at, "a%d", i);
        bson_append_document_begin(&group, at, -1, &acc);
        const char *operator = count || sum ? "$sum" : is_aggregate(e, "avg") ? "$avg" : is_aggregate(e, "min") ? "$min" : "$max";
        /* A mean's sum of bigints goes past bigint: as decimals it stays exact. */
        bool wide = mean && e->args.at[0]->type.tag == TYPE_INT8;
        if (wide) bson_append_document_begin(&acc, "$sum", -1, &sum_);
        ok = extreme_with_nan(e) ? nan_aside(em, e, &acc, operator, false) : aggregate_value(em, e, wide ? &sum_ : &acc, wide ? "$toDecimal" : operator, count);
        if (wide) bson_append_document_end(&acc, &sum_);
        bson_append_document_end(&group, &acc);
        if ((sum || extreme_with_nan(e)) && ok) {   /* SUM and AVG of nothing is NULL: how many values went in; how many NaNs */
            snprintf(at, sizeof at, "n%d", i);
            bson_append_document_begin(&group, at, -1, &acc);
            ok = sum ? aggregate_value(em, e, &acc, "$sum", true) : nan_aside(em, e, &acc, "$sum", true);
            bson_append_document_end(&group, &acc);
        }
    }
    bson_append_document_end(&s, &group);
    bson_append_document_end(pipeline, &s);
    return ok;
}

/* {k: [keys], a: [aggregates]}. */
static bool group_stages(Emit *em, const Query *q, bson_t *pipeline, int *stage) {
    bool distinct = counts_distinct(q), ok = distinct ? distinct_stages(em, q, pipeline, stage) : gather_stages(em, q, pipeline, stage);
    char key[16], at[24], path[32];
    bson_t s, project, list, cond, parts;
    snprintf(key, sizeof key, "%d", (*stage)++);
    bson_append_document_begin(pipeline, key, -1, &s);
    bson_append_document_begin(&s, "$project", -1, &project);
    bson_append_int32(&project, "_id", -1, 0);
    bson_append_array_begin(&project, "k", -1, &list);
    for (int i = 0; i < q->group_keys.n; i++) {
        snprintf(at, sizeof at, "%d", i);
        snprintf(path, sizeof path, "$_id.k%d", i);
        bson_append_utf8(&list, at, -1, path, -1);
    }
    bson_append_array_end(&project, &list);
    bson_append_array_begin(&project, "a", -1, &list);
    for (int i = 0; i < q->aggs.n; i++) {
        snprintf(at, sizeof at, "%d", i);
        if (is_aggregate(q->aggs.at[i], "sum")) {
            char n[32];
            bson_append_document_begin(&list, at, -1, &cond);
            bson_append_array_begin(&cond, "$cond", -1, &parts);
            snprintf(n, sizeof n, "$n%d", i);
            bson_append_utf8(&parts, "0", -1, n, -1);
            snprintf(path, sizeof path, "$a%d", i);
            if (type_is_integer(q->aggs.at[i]->type)) {     /* past bigint $sum goes on in doubles; $toLong raises */
                bson_t whole;
                bson_append_document_begin(&parts, "1", -1, &whole);
                bson_append_utf8(&whole, "$toLong", -1, path, -1);
                bson_append_document_end(&parts, &whole);
            } else bson_append_utf8(&parts, "1", -1, path, -1);
            bson_append_null(&parts, "2", -1);
            bson_append_array_end(&cond, &parts);
            bson_append_document_end(&list, &cond);
        } else if (mql_is_mean(q->aggs.at[i])) {
            char n[32];
            snprintf(path, sizeof path, "$a%d", i);
            snprintf(n, sizeof n, "$n%d", i);
            bson_append_array_begin(&list, at, -1, &parts);
            bson_append_utf8(&parts, "0", -1, path, -1);
            bson_append_utf8(&parts, "1", -1, n, -1);
            bson_append_array_end(&list, &parts);
        } else if (extreme_with_nan(q->aggs.at[i])) {
            extreme(q->aggs.at[i], i, &list, at);
        } else {
            snprintf(path, sizeof path, "$a%d", i);
            bson_append_utf8(&list, at, -1, path, -1);
        }
    }
    bson_append_array_end(&project, &list);
    bson_append_document_end(&s, &project);
    bson_append_document_end(pipeline, &s);
    return ok;
}

/* ---- scans ---- */

static void key_list(Emit *em, const KeyFilter *keys, bson_t *ops) {
    bson_t list;
    char at[16];
    int k = 0;
    bson_append_array_begin(ops, keys->none ? "$nin" : "$in", -1, &list);
    for (int i = 0; i < keys->n; i++) {
        snprintf(at, sizeof at, "%d", k++);
        mql_value(&list, at, &keys->values[i]);
        if (em->rel->table->legacy && keys->values[i].type == SQM_UUID) {
            snprintf(at, sizeof at, "%d", k++);
            bson_append_binary(&list, at, -1, BSON_SUBTYPE_UUID_DEPRECATED, keys->values[i].u.bytes, 16);
        }
    }
    if (keys->none && keys->null_aware) {
        snprintf(at, sizeof at, "%d", k++);
        bson_append_null(&list, at, -1);
    }
    bson_append_array_end(ops, &list);
}

static void tuple_keys(Emit *em, const KeyFilter *keys, bson_t *out) {
    TupleField *fields = NEW_ARRAY(em->arena, TupleField, keys->width);
    TupleFilter t;
    for (int i = 0; i < keys->width; i++) fields[i] = (TupleField){rel_field(em->rel, keys->columns[i]), TYPE(UNKNOWN)};
    tuple_filter_begin(&t, fields, keys->width);
    for (int i = 0; i < keys->n; i++) tuple_filter_add(&t, &keys->values[i * keys->width]);
    tuple_filter_end(&t, out);
}

static void key_filter(Emit *em, const KeyFilter *keys, bson_t *out) {
    bson_t ops;
    if (keys->width > 1) {
        tuple_keys(em, keys, out);
        return;
    }
    Str field = rel_field(em->rel, keys->columns[0]);
    if (keys->n == 1 && !keys->none && str_is(field, "_id") && (keys->values[0].type == SQM_INT || keys->values[0].type == SQM_TEXT)) {     /* the server's fast path */
        mql_value(out, "_id", &keys->values[0]);
        return;
    }
    bson_append_document_begin(out, field.p, (int)field.n, &ops);
    if (keys->n == 1 && !keys->none && !(em->rel->table->legacy && keys->values[0].type == SQM_UUID)) mql_value(&ops, "$eq", &keys->values[0]);
    else key_list(em, keys, &ops);
    bson_append_document_end(out, &ops);
}

static void show_key(Emit *em, const Plan *keys, int i, bson_t *out, const char *key) {
    bson_t of;
    Text text = {.arena = em->arena};
    expr_dump(&text, keys->right_keys.at[i]);
    bson_append_document_begin(out, key, -1, &of);
    bson_append_utf8(&of, "$keys", -1, text.p, (int)text.n);
    bson_append_document_end(out, &of);
}

/* What a dump shows for keys that nobody has read: {author_id: {$in: {$keys: "b.id"}}}, of several columns {$or: [{shop: {$keys: "s.shop"}, number: {$keys: "s.number"}}]}. */
static void show_keys(Emit *em, const Plan *keys, bson_t *out) {
    bson_t ops, list;
    Str field = rel_field(em->rel, keys->left_keys.at[0]->column);
    if (keys->left_keys.n > 1) {
        BSON_APPEND_ARRAY_BEGIN(out, "$or", &list);
        BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &ops);
        for (int i = 0; i < keys->left_keys.n; i++) {
            field = rel_field(em->rel, keys->left_keys.at[i]->column);
            show_key(em, keys, i, &ops, arena_str(em->arena, field.p, field.n).p);
        }
        bson_append_document_end(&list, &ops);
        bson_append_array_end(out, &list);
        return;
    }
    bson_append_document_begin(out, field.p, (int)field.n, &ops);
    show_key(em, keys, 0, &ops, keys->kind == JOIN_ANTI ? "$nin" : "$in");
    bson_append_document_end(out, &ops);
}

/* filter -> {$and: [extra, filter]} */
static void and_filter(bson_t *filter, bson_t *extra) {
    if (bson_empty(filter)) {
        bson_destroy(filter);
        bson_steal(filter, extra);
        return;
    }
    bson_t all = BSON_INITIALIZER, list;
    bson_append_array_begin(&all, "$and", -1, &list);
    bson_append_document(&list, "0", -1, extra);
    bson_append_document(&list, "1", -1, filter);
    bson_append_array_end(&all, &list);
    bson_destroy(extra);
    bson_destroy(filter);
    bson_steal(filter, &all);
}

static void add_keys(Emit *em, const Plan *scan, const KeyFilter *keys, int n_keys, bson_t *filter, bool *never) {
    for (int i = 0; i < n_keys; i++) {
        const KeyFilter *k = &keys[i];
        if (k->none ? k->null_aware && k->has_null : !k->n) *never = true;
        if (k->none && !k->n) continue;
        bson_t extra = BSON_INITIALIZER;
        key_filter(em, k, &extra);
        and_filter(filter, &extra);
    }
    for (const Plan *k = em->show && !scan->by_difference ? scan->left : NULL; k; k = k->right) {
        bson_t extra = BSON_INITIALIZER;
        show_keys(em, k, &extra);
        and_filter(filter, &extra);
    }
}

/* Nothing that sorts before `bound` is left out, whatever its type: ascending {$not: {$gt: bound}}, NULLs first; descending {$not: {$lt: bound}, $ne: null}. */
static void add_bound(Emit *em, const Plan *scan, const Value *bound, bson_t *filter) {
    const SortKey *key = &scan->sort.at[0];
    bson_t extra = BSON_INITIALIZER, ops, negated;
    Str field = rel_field(em->rel, key->expr->column);
    bson_append_document_begin(&extra, field.p, (int)field.n, &ops);
    bson_append_document_begin(&ops, "$not", -1, &negated);
    mql_value(&negated, key->descending ? "$lt" : "$gt", bound);
    bson_append_document_end(&ops, &negated);
    if (key->descending) bson_append_null(&ops, "$ne", -1);
    bson_append_document_end(&extra, &ops);
    and_filter(filter, &extra);
}

void mql_bound(const Plan *scan, int64_t nth, bson_t *command) {
    const SortKey *key = &scan->sort.at[0];
    Str name = scan->rel->table->name, field = rel_field(scan->rel, key->expr->column);
    bson_t child;
    bson_append_utf8(command, "find", -1, name.p, (int)name.n);
    bson_append_document_begin(command, "sort", -1, &child);
    bson_append_int32(&child, field.p, (int)field.n, key->descending ? -1 : 1);
    bson_append_document_end(command, &child);
    bson_append_int64(command, "skip", -1, nth);
    bson_append_int64(command, "limit", -1, 1);
    bson_append_bool(command, "singleBatch", -1, true);
    bson_append_document_begin(command, "projection", -1, &child);
    bson_append_int32(&child, field.p, (int)field.n, 1);
    if (!str_is(field, "_id")) bson_append_int32(&child, "_id", 3, 0);
    bson_append_document_end(command, &child);
}

/* Evaluates LIMIT or OFFSET. -1: none. */
static bool count_value(Emit *em, const Expr *e, const char *what, int64_t *out, int *parameter) {
    *out = -1;
    *parameter = -1;
    if (!e) return true;
    Value v;
    bool unbound;
    int number = 0;
    if (!mql_constant(em, e, &v, &unbound, &number)) return false;
    if (unbound) { *parameter = number; return true; }
    if (v.type == SQM_NULL) return true;
    if (v.type != SQM_INT) return eval_fail(em->ev, e, SQM_ERROR_INVALID_ARGUMENT, "argument of %s must be an integer", what);
    if (v.u.i < 0) return eval_fail(em->ev, e, SQM_ERROR_INVALID_ARGUMENT, "%s must not be negative", what);
    *out = v.u.i;
    return true;
}

/* Is it said of every row that comes that the path has a value? Then no array and no value of another class can stand in its place. */
static bool is_known(const Exprs *match, const Expr *path) {
    for (int i = 0; i < match->n; i++) {
        const Expr *e = match->at[i];
        bool strict = e->tag == EXPR_COMPARE || e->tag == EXPR_IN || e->tag == EXPR_LIKE || e->tag == EXPR_REGEX || (e->tag == EXPR_IS && e->is == IS_NULL && e->negated);
        if (e->tag == EXPR_IN && e->negated && e->args.n == 1) strict = false;
        if (strict && expr_equal(e->args.at[0], path)) return true;
        if (e->tag == EXPR_COMPARE && expr_equal(e->args.at[1], path)) return true;
    }
    return false;
}

/* A path's value must be computed for sorting where documents may hold something else there, or the field may be another one as well. */
static bool is_computed_key(const Plan *scan, const Expr *e) { return e->tag != EXPR_VAR && (mql_is_element_path(e, scan->rel) || !is_known(&scan->match, e)); }

static bool has_computed_key(const Plan *scan) {
    for (int i = 0; i < scan->sort.n; i++)
        if (is_computed_key(scan, scan->sort.at[i].expr)) return true;
    return false;
}

static void append_sort(Emit *em, const Plan *scan, const ScanRequest *request, bson_t *out) {
    for (int i = 0; i < scan->sort.n; i++) {
        const SortKey *key = &scan->sort.at[i];
        int direction = key->descending ? -1 : 1;
        char name[32];
        if (is_computed_key(scan, key->expr)) {
            snprintf(name, sizeof name, "_sqm_key%d", i);
            bson_append_int32(out, name, -1, direction);
            continue;
        }
        Str field = mql_place(em->arena, em->rel, key->expr).field;
        bson_append_int32(out, field.p, (int)field.n, direction);
    }
    if (request->part && !bson_has_field(out, "_id")) bson_append_int32(out, "_id", 3, 1);
}

/* {$set: {_sqm_key0: the path's value}} */
static void append_keys(Emit *em, const Plan *scan, bson_t *out) {
    for (int i = 0; i < scan->sort.n; i++) {
        const Expr *e = scan->sort.at[i].expr;
        char name[32];
        if (!is_computed_key(scan, e)) continue;
        snprintf(name, sizeof name, "_sqm_key%d", i);
        mql_express_path(em->arena, em->rel, e, out, name);
    }
}

static bool is_under(Str path, Str prefix) { return path.n > prefix.n && path.p[prefix.n] == '.' && memcmp(path.p, prefix.p, prefix.n) == 0; }

/* Paths of one document; of "a.b" and "a.b.c" the shorter. */
static void append_paths(Emit *em, const Exprs *paths, bson_t *out) {
    Str *names = NEW_ARRAY(em->arena, Str, paths->n);
    for (int i = 0; i < paths->n; i++) names[i] = mql_projected_path(em->arena, em->rel, paths->at[i]);
    for (int i = 0; i < paths->n; i++) {
        bool covered = false;
        for (int k = 0; k < paths->n && !covered; k++) covered = is_under(names[i], names[k]) || (k < i && str_eq(names[i], names[k]));
        if (!covered) bson_append_int32(out, names[i].p, (int)names[i].n, 1);
    }
}

static void append_projection(Emit *em, const Plan *scan, bson_t *out) {
    bool id = false;
    for (int i = 0; i < scan->columns.n; i++) {
        Str field = rel_field(em->rel, scan->columns.at[i].column);
        if (str_is(field, "_id")) id = true;
        if (scan->columns.at[i].paths.n && !str_is(field, "_id")) append_paths(em, &scan->columns.at[i].paths, out);
        else bson_append_int32(out, field.p, (int)field.n, 1);
    }
    /* With nothing to fetch the smallest document is _id alone. */
    if (!id) bson_append_int32(out, "_id", 3, scan->columns.n ? 0 : 1);
}

/* `filter` AND `more`, which is used up. */
static void add_filter(bson_t *filter, bson_t *more) {
    if (!bson_empty(filter)) {
        bson_t all = BSON_INITIALIZER, list;
        bson_append_array_begin(&all, "$and", -1, &list);
        bson_append_document(&list, "0", -1, more);
        bson_append_document(&list, "1", -1, filter);
        bson_append_array_end(&all, &list);
        bson_destroy(more);
        bson_steal(more, &all);
    }
    bson_destroy(filter);
    bson_steal(filter, more);
}

bool mql_counts_rows(const Query *q) {
    if (q->group_keys.n || !q->aggs.n || q->aggs.at[0]->distinct) return false;
    for (int i = 0; i < q->aggs.n; i++)
        if (!is_aggregate(q->aggs.at[i], "count") || q->aggs.at[i]->args.n || q->aggs.at[i]->filter) return false;
    return true;
}

/* More rows in the first reply than the server's default of 101: most results then need one round trip. */
enum { FIRST_BATCH = 2000 };

bool mql_scan(Emit *em, const Query *q, const Plan *scan, const ScanRequest *request, bson_t *command, bool *never) {
    bson_t filter = BSON_INITIALIZER, child;
    Str name = scan->rel->table->name;
    int64_t limit = -1, offset = -1;
    int limit_parameter = -1, offset_parameter = -1;
    em->rel = scan->rel;
    *never = scan->never;
    em->nearest = !scan->grouped && !scan->sort.n && !request->n_keys;
    bool ok = mql_match_narrowed(em, &scan->match, &scan->narrow, &filter, never) && count_value(em, scan->limit, "LIMIT", &limit, &limit_parameter) &&
              count_value(em, scan->offset, "OFFSET", &offset, &offset_parameter);
    if (ok && limit == 0) *never = true;
    if (ok) add_keys(em, scan, request->keys, request->n_keys, &filter, never);
    if (ok && request->bound) add_bound(em, scan, request->bound, &filter);
    if (request->part) {
        offset = request->skip;
        limit = request->limit ? request->limit : -1;
    }
    /* An aggregate without GROUP BY has a row even of nothing: the executor makes it when no document comes. */
    if (ok && *never) { bson_destroy(&filter); return true; }
    if (ok && scan->halves) {
        bson_t half = BSON_INITIALIZER, other;
        Str field = rel_field(em->rel, scan->halves->column);
        if (em->second_half) {
            bson_append_null(&half, field.p, (int)field.n);
            limit = -1, limit_parameter = -1;
        } else {
            bson_append_document_begin(&half, field.p, (int)field.n, &other);
            bson_append_null(&other, "$ne", 3);
            bson_append_document_end(&half, &other);
            if (limit > 0 && offset > 0) limit = limit > INT64_MAX - offset ? -1 : limit + offset;
            if (offset_parameter >= 0) limit_parameter = -1, limit = -1;      /* shown only */
        }
        add_filter(&filter, &half);
        offset = -1, offset_parameter = -1;
    }
    if (!ok) { bson_destroy(&filter); return false; }
    if (!scan->grouped && !has_computed_key(scan)) {
        bson_append_utf8(command, "find", 4, name.p, (int)name.n);
        if (!bson_empty(&filter)) bson_append_document(command, "filter", 6, &filter);
        if (scan->sort.n && !em->second_half) {
            bson_append_document_begin(command, "sort", 4, &child);
            append_sort(em, scan, request, &child);
            bson_append_document_end(command, &child);
        }
        if (offset_parameter >= 0) mql_parameter(command, "skip", offset_parameter);
        else if (offset > 0) bson_append_int64(command, "skip", 4, offset);
        if (limit_parameter >= 0) mql_parameter(command, "limit", limit_parameter);
        else if (limit > 0) bson_append_int64(command, "limit", 5, limit);
        bson_append_document_begin(command, "projection", 10, &child);
        append_projection(em, scan, &child);
        bson_append_document_end(command, &child);
        if (limit > 0 && limit <= FIRST_BATCH) {
            /* One document always fits into a batch; of more, a single batch of 16 MB could lose some. A batch with room for one more lets the server
             * see that there is none: otherwise a cursor may stay open, whose end costs a round trip. */
            if (limit == 1) bson_append_bool(command, "singleBatch", 11, true);
            bson_append_int64(command, "batchSize", 9, limit == 1 ? 1 : limit + 1);
        } else if (request->batch) {
            bson_append_int64(command, "batchSize", 9, request->batch);
        } else if (!em->show) {
            bson_append_int32(command, "batchSize", 9, FIRST_BATCH);
        }
    } else {
        bson_t pipeline, stage;
        int n = 0;
        bson_append_utf8(command, "aggregate", 9, name.p, (int)name.n);
        bson_append_array_begin(command, "pipeline", 8, &pipeline);
        if (bson_empty(&filter) && mql_counts_rows(q) && scan->rel->table->declared) {
            /* All rows, said so that the server counts the keys of an index instead of reading every document. */
            bson_append_document_begin(&filter, "_id", 3, &stage);
            bson_append_minkey(&stage, "$gte", 4);
            bson_append_document_end(&filter, &stage);
        }
        if (!bson_empty(&filter)) {
            bson_append_document_begin(&pipeline, "0", 1, &stage);
            bson_append_document(&stage, "$match", 6, &filter);
            bson_append_document_end(&pipeline, &stage);
            n = 1;
        }
        if (scan->grouped) {
            ok = group_stages(em, q, &pipeline, &n);
        } else {
            char at[16];
            bson_t part;
            for (int i = 0; i < 5; i++) {
                if (i == 2 && offset <= 0 && offset_parameter < 0) continue;
                if (i == 3 && limit <= 0 && limit_parameter < 0) continue;
                snprintf(at, sizeof at, "%d", n++);
                bson_append_document_begin(&pipeline, at, -1, &stage);
                if (i == 2 && offset_parameter >= 0) mql_parameter(&stage, "$skip", offset_parameter);
                else if (i == 2) bson_append_int64(&stage, "$skip", -1, offset);
                else if (i == 3 && limit_parameter >= 0) mql_parameter(&stage, "$limit", limit_parameter);
                else if (i == 3) bson_append_int64(&stage, "$limit", -1, limit);
                else {
                    bson_append_document_begin(&stage, i == 0 ? "$set" : i == 1 ? "$sort" : "$project", -1, &part);
                    if (i == 0) append_keys(em, scan, &part);
                    else if (i == 1) append_sort(em, scan, request, &part);
                    else append_projection(em, scan, &part);
                    bson_append_document_end(&stage, &part);
                }
                bson_append_document_end(&pipeline, &stage);
            }
        }
        bson_append_array_end(command, &pipeline);
        bson_append_bool(command, "allowDiskUse", 12, true);
        bson_append_document_begin(command, "cursor", 6, &child);
        if (!scan->grouped && !em->show) bson_append_int32(&child, "batchSize", 9, FIRST_BATCH);
        bson_append_document_end(command, &child);
    }
    bson_destroy(&filter);
    return ok;
}

/* ---- UPDATE and DELETE by one command ---- */

static bool assigned_value(Emit *em, const ModifyQuery *m, const Assign *a, Value *out, bool *unbound, int *parameter) {
    const Column *c = &m->table->columns.at[a->column];
    Value v;
    if (!mql_constant(em, a->value, &v, unbound, parameter)) return false;
    if (*unbound) return true;
    if (!cast_assign(em->ev, &v, c->type, c->name, out)) return false;
    if (out->type == SQM_NULL && c->not_null && !c->implicit && !em->refused) em->refused = a;
    return true;
}

/* JSON's SQL NULL is the absent field; every other column keeps an explicit null. */
static bool is_unset(const ModifyQuery *m, const Assign *a, const Value *v) { return v->type == SQM_NULL && m->table->columns.at[a->column].type.tag == TYPE_JSON && !m->table->columns.at[a->column].indexed; }

static bool set_constants(Emit *em, const ModifyQuery *m, bson_t *out) {
    bson_t set = BSON_INITIALIZER, unset = BSON_INITIALIZER;
    bool ok = true;
    for (int i = 0; i < m->set.n && ok; i++) {
        const Assign *a = &m->set.at[i];
        const Column *c = &m->table->columns.at[a->column];
        Value v;
        bool unbound;
        int parameter = 0;
        ok = assigned_value(em, m, a, &v, &unbound, &parameter);
        if (!ok) break;
        if (unbound) mql_parameter(&set, c->field.p, parameter);
        else if (is_unset(m, a, &v)) bson_append_utf8(&unset, c->field.p, (int)c->field.n, "", 0);
        else ok = (c->indexed ? value_append_indexed : value_append)(&set, c->field.p, (int)c->field.n, &v, c->type) ||
                  eval_fail(em->ev, a->value, SQM_ERROR_DOCUMENT_TOO_LARGE, "value is too large for a document");
    }
    if (!bson_empty(&set)) bson_append_document(out, "$set", -1, &set);
    if (!bson_empty(&unset)) bson_append_document(out, "$unset", -1, &unset);
    bson_destroy(&set);
    bson_destroy(&unset);
    return ok;
}

static bool set_expressions(Emit *em, const ModifyQuery *m, bson_t *pipeline) {
    bson_t stage, set, child, literal;
    bool ok = true;
    bson_append_document_begin(pipeline, "0", -1, &stage);
    bson_append_document_begin(&stage, "$set", -1, &set);
    for (int i = 0; i < m->set.n && ok; i++) {
        const Assign *a = &m->set.at[i];
        const Column *c = &m->table->columns.at[a->column];
        if (expr_is_constant(a->value)) {
            Value v;
            bool unbound;
            int parameter = 0;
            ok = assigned_value(em, m, a, &v, &unbound, &parameter);
            if (!ok) break;
            if (unbound) { mql_parameter(&set, c->field.p, parameter); continue; }
            if (is_unset(m, a, &v)) { bson_append_utf8(&set, c->field.p, (int)c->field.n, "$$REMOVE", -1); continue; }
            bson_append_document_begin(&set, c->field.p, (int)c->field.n, &literal);
            (c->indexed ? value_append_indexed : value_append)(&literal, "$literal", -1, &v, c->type);
            bson_append_document_end(&set, &literal);
            continue;
        }
        if (mql_can_assign(a->value, em->rel, a->column)) {
            Str field = arena_str(em->arena, c->field.p, c->field.n);
            ok = mql_express_assign(em, a->value, &set, field.p);
            continue;
        }
        /* $toInt and $toLong raise when the value doesn't fit; null stays null. */
        bson_append_document_begin(&set, c->field.p, (int)c->field.n, &child);
        ok = mql_express(em, a->value, &child, c->type.tag == TYPE_INT8 ? "$toLong" : "$toInt");
        bson_append_document_end(&set, &child);
    }
    bson_append_document_end(&stage, &set);
    bson_append_document_end(pipeline, &stage);
    return ok;
}

bool mql_update(Emit *em, const ModifyQuery *m, const ModifyPlan *p, bson_t *command, bool *never) {
    bson_t filter = BSON_INITIALIZER, updates, one, change;
    em->rel = m->rows->rels.at[0];
    bool ok = mql_match(em, &p->match, &filter, never);
    if (ok) {
        bson_append_utf8(command, "update", -1, m->table->name.p, (int)m->table->name.n);
        bson_append_array_begin(command, "updates", -1, &updates);
        bson_append_document_begin(&updates, "0", -1, &one);
        bson_append_document(&one, "q", -1, &filter);
        if (p->by_constants) {
            bson_append_document_begin(&one, "u", -1, &change);
            ok = set_constants(em, m, &change);
            bson_append_document_end(&one, &change);
        } else {
            bson_append_array_begin(&one, "u", -1, &change);
            ok = set_expressions(em, m, &change);
            bson_append_array_end(&one, &change);
        }
        bson_append_bool(&one, "multi", -1, true);
        bson_append_document_end(&updates, &one);
        bson_append_array_end(command, &updates);
    }
    bson_destroy(&filter);
    return ok;
}

bool mql_find_any(Emit *em, const ModifyQuery *m, const ModifyPlan *p, bson_t *command, bool *never) {
    bson_t filter = BSON_INITIALIZER, fields;
    em->rel = m->rows->rels.at[0];
    bool ok = mql_match(em, &p->match, &filter, never);
    if (ok) {
        bson_append_utf8(command, "find", -1, m->table->name.p, (int)m->table->name.n);
        bson_append_document(command, "filter", -1, &filter);
        bson_append_document_begin(command, "projection", -1, &fields);
        bson_append_int32(&fields, "_id", -1, 1);
        bson_append_document_end(command, &fields);
        bson_append_int64(command, "limit", -1, 1);
        bson_append_bool(command, "singleBatch", -1, true);
    }
    bson_destroy(&filter);
    return ok;
}

bool mql_delete(Emit *em, const ModifyQuery *m, const ModifyPlan *p, bson_t *command, bool *never) {
    bson_t filter = BSON_INITIALIZER, deletes, one;
    em->rel = m->rows->rels.at[0];
    bool ok = mql_match(em, &p->match, &filter, never);
    if (ok) {
        bson_append_utf8(command, "delete", -1, m->table->name.p, (int)m->table->name.n);
        bson_append_array_begin(command, "deletes", -1, &deletes);
        bson_append_document_begin(&deletes, "0", -1, &one);
        bson_append_document(&one, "q", -1, &filter);
        bson_append_int32(&one, "limit", -1, 0);
        bson_append_document_end(&deletes, &one);
        bson_append_array_end(command, &deletes);
    }
    bson_destroy(&filter);
    return ok;
}
