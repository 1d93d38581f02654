/* ddl_plan.c - how a table lies in MongoDB: its indexes, its validator, and the commands that lead from one state to another.
 *
 * In: a Table of a catalogue. Out: index specifications, a validator, steps. Everything is derived from the catalogue's SQL, so the state before a
 * statement and the one after it are computed alike and compared; what is equal isn't touched.
 *
 * Unique indexes. SQL lets NULLs repeat, so NULLs must not be in the index: its partialFilterExpression is a lower bound of the column's type for each key column that
 * may be NULL, e.g. {email: {$gte: ""}}. The server's planner can see that {email: "x"} implies it ($type it could not). NaN lies below
 * every number: a nullable double column lets NaNs repeat. Columns that are NOT NULL need no bound, and then queries on a prefix can use the index.
 *
 *     UNIQUE (author_id, title), title nullable -> {key: {author_id: 1, title: 1}, unique: true, partialFilterExpression: {title: {$gte: ""}}}
 *
 * CHECK constraints are the validator {$and: [...]}, in catalogue order: schema_name_violation() finds the name by the number. Those that MongoDB can't
 * decide (Constraint.local) are left to whoever writes a row: dml.c.
 * Two indexes of the same shape can't exist in MongoDB; the catalogue keeps both, the server has the first. An index on the primary key alone is _id's.
 * Not here: the meaning of statements (ddl.c), running anything (ddl_run.c). */
#include "ddl_internal.h"

#include <math.h>
#include <stdlib.h>

#include "function.h"
#include "mql.h"
#include "resolve.h"

/* ---- documents ---- */

bson_t *ddl_bson(Ddl *d) {
    if (d->owned_n == d->owned_cap) {
        d->owned_cap = d->owned_cap ? d->owned_cap * 2 : 16;
        d->owned = bson_realloc(d->owned, sizeof *d->owned * (size_t)d->owned_cap);
    }
    return d->owned[d->owned_n++] = bson_new();
}

void ddl_append(bson_t *d, const char *key, Str text) { bson_append_utf8(d, key, -1, text.p, (int)text.n); }

bson_t *ddl_command(Ddl *d, const char *name, Str collection) {
    bson_t *command = ddl_bson(d);
    ddl_append(command, name, collection);
    return command;
}

void ddl_raise(Ddl *d) { longjmp(d->cc.exit, 1); }

/* ---- stored expressions ---- */

Expr *ddl_condition(Ddl *d, const Catalog *c, const Table *t, Str text, const Rel **rel) {
    d->text = text;
    Expr *e = resolve_condition(&d->cc, c, t, text, rel);
    d->text = (Str){0};
    return e;
}

Expr *ddl_row_value(Ddl *d, const Catalog *c, const Table *t, Str text, const Rel **rel) {
    /* The resolver offers conditions; x IS NULL is one about any x. */
    Str wrapped = arena_printf(&d->arena, "(" STR_FMT ") IS NULL", STR_ARG(text));
    Expr *e = ddl_condition(d, c, t, wrapped, rel);
    return e->args.at[0];
}

/* PostgreSQL's conditions: a value that depends on nothing but the row. */
static Walk find_unfit(Expr *e, void *context) {
    if (e->tag == EXPR_SUBLINK) *(const char **)context = "cannot use subquery in column generation expression";
    else if (e->tag == EXPR_FUNC && e->function->volatility != IMMUTABLE) *(const char **)context = "generation expression is not immutable";
    else return WALK_ON;
    return WALK_STOP;
}

Expr *ddl_generated(Ddl *d, const Catalog *c, const Table *t, int column, const Rel **rel) {
    const Column *target = &t->columns.at[column];
    const char *unfit = NULL;
    d->text = target->generated_text;
    Expr *e = resolve_generated_column(&d->cc, c, t, column, rel);
    d->text = (Str){0};
    expr_walk(e, find_unfit, &unfit);
    if (unfit && !target->indexed) fail(&d->cc, SQM_ERROR_SYNTAX, NO_POS, "%s", unfit);
    if (!cast_exists(e->type, target->type)) {
        char want[64], have[64];
        fail(&d->cc, SQM_ERROR_DATATYPE_MISMATCH, NO_POS, "column \"" STR_FMT "\" is of type %s but generation expression is of type %s", STR_ARG(target->name),
             type_text(target->type, want, sizeof want), type_text(e->type, have, sizeof have));
    }
    return e;
}

/* BSON dates count milliseconds, so a value with microseconds would not be found again. */
static bool is_storable(const Expr *e) {
    Type t = e->type;
    if (t.tag != TYPE_TIMESTAMP && t.tag != TYPE_TIMESTAMPTZ && t.tag != TYPE_TIME) return true;
    if (e->tag == EXPR_VAR || (e->tag == EXPR_FUNC && strcmp(e->function->name, "date_trunc") == 0)) return true;
    if (e->tag == EXPR_CONST) return e->value.type == SQM_NULL || e->value.u.i % 1000 == 0;
    bool ok = e->tag == EXPR_CASE || e->tag == EXPR_COALESCE || (e->tag == EXPR_CAST && e->args.at[0]->type.tag != TYPE_TEXT && e->args.at[0]->type.tag != TYPE_VARCHAR);
    for (int i = 0; i < e->args.n; i++) ok = ok && is_storable(e->args.at[i]);
    return ok;
}

Type ddl_indexable(Ddl *d, const Catalog *c, const Table *t, Str text, Pos pos) {
    const Rel *rel;
    const char *unfit = NULL;
    Expr *e = ddl_row_value(d, c, t, text, &rel);
    expr_walk(e, find_unfit, &unfit);
    if (unfit) fail(&d->cc, SQM_ERROR_SYNTAX, pos, "%s", strstr(unfit, "subquery") ? "cannot use subquery in index expression" : "functions in index expression must be immutable");
    if (e->type.tag == TYPE_UNKNOWN && e->tag == EXPR_CONST) return TYPE(TEXT);
    if (e->type.tag == TYPE_UNKNOWN || e->type.tag == TYPE_ROW) fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "an index on an expression of unknown type is not supported: " STR_FMT, STR_ARG(text));
    if (!is_storable(e)) fail_hint(&d->cc, SQM_ERROR_NOT_SUPPORTED, pos, "date_trunc() makes it whole milliseconds.", "an index on a time that may have microseconds is not supported: " STR_FMT, STR_ARG(text));
    return e->type;
}

Expr *ddl_default(Ddl *d, const Catalog *c, Str text) {
    d->text = text;
    Expr *e = resolve_default(&d->cc, c, text);
    d->text = (Str){0};
    return e;
}

static Walk note_column(Expr *e, void *context) {
    bool *used = context;
    if (e->tag == EXPR_VAR && e->level == 0 && e->rel >= 0) used[e->column] = true;
    return WALK_ON;
}

void ddl_columns_of(const Expr *e, bool *used) { expr_walk((Expr *)e, note_column, used); }

void ddl_null_filter(bson_t *filter, const Column *c) {
    bson_t condition;
    if (c->type.tag != TYPE_JSON) {
        bson_append_null(filter, c->field.p, (int)c->field.n);
        return;
    }
    bson_append_document_begin(filter, c->field.p, (int)c->field.n, &condition);      /* a null there is JSON's null */
    BSON_APPEND_BOOL(&condition, "$exists", false);
    bson_append_document_end(filter, &condition);
}

/* ---- index filters ---- */

/* {field: {$gte: the least value of the type}} */
static bool append_bound(bson_t *out, const Column *c) {
    static const bson_oid_t least_oid = {{0}};
    bson_t bound;
    bson_append_document_begin(out, c->field.p, (int)c->field.n, &bound);
    bool ok = true;
    switch (c->type.tag) {
    case TYPE_BOOL: BSON_APPEND_BOOL(&bound, "$gte", false); break;
    case TYPE_INT2: case TYPE_INT4: case TYPE_INT8: case TYPE_FLOAT4: case TYPE_FLOAT8: case TYPE_NUMERIC: case TYPE_INTERVAL: BSON_APPEND_DOUBLE(&bound, "$gte", -INFINITY); break;
    case TYPE_TEXT: case TYPE_VARCHAR: case TYPE_CHAR: BSON_APPEND_UTF8(&bound, "$gte", ""); break;
    case TYPE_BYTEA: case TYPE_UUID: bson_append_binary(&bound, "$gte", -1, BSON_SUBTYPE_BINARY, (const uint8_t *)"", 0); break;
    case TYPE_DATE: case TYPE_TIME: case TYPE_TIMESTAMP: case TYPE_TIMESTAMPTZ: BSON_APPEND_DATE_TIME(&bound, "$gte", INT64_MIN); break;
    case TYPE_OBJECTID: BSON_APPEND_OID(&bound, "$gte", &least_oid); break;
    case TYPE_DOCUMENT: {
        bson_t empty = BSON_INITIALIZER;
        BSON_APPEND_DOCUMENT(&bound, "$gte", &empty);
        break;
    }
    case TYPE_UNKNOWN: case TYPE_JSON: case TYPE_ARRAY: case TYPE_ROW: ok = false; break;
    }
    bson_append_document_end(out, &bound);
    return ok;
}

/* {path: {$type: [all types but null]}}: an inner field has no type of its own. */
static void append_any_value(bson_t *out, Str field) {
    static const char *const types[] = {"number", "string", "object", "array", "binData", "objectId", "bool", "date", "regex", "timestamp", "minKey", "maxKey"};
    bson_t condition, list;
    bson_append_document_begin(out, field.p, (int)field.n, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$type", &list);
    for (uint32_t i = 0; i < sizeof types / sizeof *types; i++) {
        char digits[16];
        const char *key;
        size_t n = bson_uint32_to_string(i, &key, digits, sizeof digits);
        bson_append_utf8(&list, key, (int)n, types[i], -1);
    }
    bson_append_array_end(&condition, &list);
    bson_append_document_end(out, &condition);
}

static const Column *column_of_field(const Table *t, const char *field) {
    for (int i = 0; i < t->columns.n; i++)
        if (str_is(t->columns.at[i].field, field)) return &t->columns.at[i];
    return NULL;
}

static bool holds(const bson_iter_t *it, bson_type_t type) { return bson_iter_type(it) == type; }

static bool child(const bson_iter_t *it, bson_t *out) {
    uint32_t n;
    const uint8_t *p;
    if (holds(it, BSON_TYPE_DOCUMENT)) bson_iter_document(it, &n, &p);
    else if (holds(it, BSON_TYPE_ARRAY)) bson_iter_array(it, &n, &p);
    else return false;
    return bson_init_static(out, p, n);
}

/* {$or: [{field: {$lt: v}}, {field: {$gt: v}}]}: what <> v means for rows that have a value. */
static void append_unequal(bson_t *out, const char *field, const bson_iter_t *v) {
    static const char *const operators[] = {"$lt", "$gt"}, *const keys[] = {"0", "1"};
    bson_t list, one, condition;
    BSON_APPEND_ARRAY_BEGIN(out, "$or", &list);
    for (int i = 0; i < 2; i++) {
        bson_append_document_begin(&list, keys[i], 1, &one);
        bson_append_document_begin(&one, field, -1, &condition);
        bson_append_iter(&condition, operators[i], -1, v);
        bson_append_document_end(&one, &condition);
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(out, &list);
}

/* The value in {$ne: v} or {$nin: [v, null]}; false when it is something else. *is_null: {$ne: null}. */
static bool unequal_value(const bson_t *condition, bson_iter_t *v, bool *is_null) {
    bson_iter_t it, item;
    int values = 0;
    *is_null = false;
    if (!bson_iter_init(&it, condition)) return false;
    bool nulls = false;
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        if (strcmp(key, "$ne") == 0) {
            if (holds(&it, BSON_TYPE_NULL)) nulls = true;
            else *v = it, values++;
        } else if (strcmp(key, "$nin") == 0 && bson_iter_recurse(&it, &item)) {
            while (bson_iter_next(&item)) {
                if (holds(&item, BSON_TYPE_NULL)) nulls = true;
                else *v = item, values++;
            }
        } else {
            return false;
        }
    }
    *is_null = nulls && values == 0;
    return nulls && values <= 1;
}

/* The range of the texts that {$regex: "^prefix"} finds, which a partial index knows; false: it isn't a plain prefix. */
static bool append_prefix(Ddl *d, bson_t *out, const char *key, const bson_t *regex) {
    bson_iter_t it;
    if (!bson_iter_init_find(&it, regex, "$options") || strcmp(bson_iter_utf8(&it, NULL), "s") != 0) return false;
    if (!bson_iter_init_find(&it, regex, "$regex") || !BSON_ITER_HOLDS_UTF8(&it) || bson_count_keys(regex) != 2) return false;
    const char *p = bson_iter_utf8(&it, NULL);
    Text low = {.arena = &d->arena};
    if (*p++ != '^' || !*p) return false;
    for (; *p; p++) {
        bool escaped = *p == '\\';
        if (escaped) p++;
        if (!*p || escaped != (strchr("\\^$.|?*+()[]{}", *p) != NULL)) return false;     /* \z, or a wildcard's . */
        text_add(&low, p, 1);
    }
    /* The last code point's successor ends the range; where its last byte has one, no carry is needed. */
    Text high = {.arena = &d->arena};
    text_add(&high, low.p, low.n);
    unsigned char *last = (unsigned char *)high.p + high.n - 1;
    if (*last == 0x7f || *last == 0xbf) return false;
    ++*last;
    bson_t range;
    bson_append_document_begin(out, key, -1, &range);
    bson_append_utf8(&range, "$gte", -1, low.p, (int)low.n);
    bson_append_utf8(&range, "$lt", -1, high.p, (int)high.n);
    return bson_append_document_end(out, &range);
}

/* Copies a $match filter in the words a partialFilterExpression may have: comparisons, $in, $and, $or. False: it can't be said. */
static bool restrict_filter(Ddl *d, const Table *t, const bson_t *filter, bson_t *out) {
    bson_iter_t it, inner, v;
    bool modern = d->server_version >= 6000000, ok = true, is_null;
    if (!bson_iter_init(&it, filter)) return false;
    while (ok && bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        bson_t part, list, made;
        if (strcmp(key, "$and") == 0 || strcmp(key, "$or") == 0) {
            if (*(key + 1) == 'o' && !modern) return false;
            if (!child(&it, &part)) return false;
            bson_append_array_begin(out, key, -1, &list);
            bson_iter_init(&inner, &part);
            while (bson_iter_next(&inner)) {
                bson_t item;
                ok = ok && child(&inner, &item);
                bson_append_document_begin(&list, bson_iter_key(&inner), -1, &made);
                ok = ok && restrict_filter(d, t, &item, &made);
                bson_append_document_end(&list, &made);
            }
            bson_append_array_end(out, &list);
            continue;
        }
        const Column *c = column_of_field(t, key);
        if (*key == '$' || !c) return false;
        if (!holds(&it, BSON_TYPE_DOCUMENT)) {
            ok = !holds(&it, BSON_TYPE_REGEX) && bson_append_iter(out, key, -1, &it);
            continue;
        }
        child(&it, &part);
        if (append_prefix(d, out, key, &part)) continue;
        if (unequal_value(&part, &v, &is_null)) {
            if (is_null) ok = append_bound(out, c);
            else if (!modern || bson_has_field(out, "$or")) ok = false;
            else append_unequal(out, key, &v);
            continue;
        }
        bson_iter_init(&inner, &part);
        while (ok && bson_iter_next(&inner)) {
            static const char *const words[] = {"$eq", "$gt", "$gte", "$lt", "$lte", "$type", "$in"};
            bool known = false;
            for (int i = 0; i < (modern ? 7 : 6); i++) known |= strcmp(bson_iter_key(&inner), words[i]) == 0;
            ok = known;
        }
        ok = ok && bson_append_iter(out, key, -1, &it);
    }
    return ok;
}

/* The index's condition as a partialFilterExpression. False: it can't be said. */
static bool restrict_condition(Ddl *d, const Catalog *c, const Table *t, const Index *index, bson_t *out) {
    const Rel *rel;
    Expr *e = ddl_condition(d, c, t, index->where_text, &rel);
    bson_t *filter = ddl_bson(d);
    Eval ev = {.arena = &d->arena, .now = d->now, .error = d->cc.error};
    Emit em = {.ev = &ev, .rel = rel, .arena = &d->arena};
    Exprs conjuncts = {0};
    if (e->tag == EXPR_AND) conjuncts = e->args;
    else vec_push(&d->arena, &conjuncts, e);
    bool never = false, can = true;
    for (int i = 0; i < conjuncts.n; i++) can = can && mql_can_match(conjuncts.at[i], rel);
    if (can && !mql_match(&em, &conjuncts, filter, &never)) ddl_raise(d);
    return can && !never && restrict_filter(d, t, filter, out);
}

bool ddl_partial_fits(Ddl *d, const Catalog *c, const Table *t, const Index *index) { return restrict_condition(d, c, t, index, ddl_bson(d)); }

/* The indexed expression that is the index's condition; -1. */
static int condition_column(const Table *t, const Index *index) {
    for (int i = 0; i < t->columns.n; i++)
        if (t->columns.at[i].indexed && t->columns.at[i].type.tag == TYPE_BOOL && str_eq(t->columns.at[i].generated_text, index->where_text)) return i;
    return -1;
}

static void append_partial(Ddl *d, const Catalog *c, const Table *t, const Index *index, bson_t *spec) {
    bson_t *bounds = ddl_bson(d), *where = ddl_bson(d);
    if (index->unique && !index->nulls_not_distinct)
        for (int i = 0; i < index->keys.n; i++) {
            if (index->keys.at[i].path.n) {
                append_any_value(bounds, ddl_key_field(d, t, &index->keys.at[i]));
                continue;
            }
            const Column *key = &t->columns.at[index->keys.at[i].column];
            if ((key->not_null && !key->implicit) || str_is(key->field, "_id") || bson_has_field(bounds, key->field.p)) continue;
            if (!append_bound(bounds, key)) {
                char type[64];
                fail(&d->cc, SQM_ERROR_NOT_SUPPORTED, NO_POS, "a unique index on column \"" STR_FMT "\" of type %s is not supported", STR_ARG(key->name), type_text(key->type, type, sizeof type));
            }
        }
    if (index->where_text.n && !restrict_condition(d, c, t, index, where)) {
        int held = condition_column(t, index);
        if (held < 0)
            fail_hint(&d->cc, SQM_ERROR_NOT_SUPPORTED, NO_POS, "MongoDB's partial indexes know comparisons of columns with constants, LIKE 'prefix%', IN, IS [NOT] NULL, AND and (from 6.0) OR.",
                      "the condition of index \"" STR_FMT "\" is not supported: " STR_FMT, STR_ARG(index->name), STR_ARG(index->where_text));
        bson_reinit(where);
        bson_append_bool(where, t->columns.at[held].field.p, (int)t->columns.at[held].field.n, true);
    }
    if (bson_empty(bounds) && bson_empty(where)) return;
    bson_t filter, list;
    bson_iter_t it;
    bool clash = false;
    if (bson_iter_init(&it, bounds))
        while (bson_iter_next(&it)) clash |= bson_has_field(where, bson_iter_key(&it));
    BSON_APPEND_DOCUMENT_BEGIN(spec, "partialFilterExpression", &filter);
    if (clash) {
        BSON_APPEND_ARRAY_BEGIN(&filter, "$and", &list);
        BSON_APPEND_DOCUMENT(&list, "0", where);
        BSON_APPEND_DOCUMENT(&list, "1", bounds);
        bson_append_array_end(&filter, &list);
    } else {
        bson_concat(&filter, where);
        bson_concat(&filter, bounds);
    }
    bson_append_document_end(spec, &filter);
}

/* ---- indexes ---- */

static void append_key(bson_t *key, const Column *c, bool descending) {
    bson_append_int32(key, c->field.p, (int)c->field.n, descending ? -1 : 1);
}

/* Everything but the name, for comparing; NULL: no index of its own (the primary key's). */
static bson_t *shape(Ddl *d, const Catalog *c, const Table *t, const Index *index) {
    bson_t *spec = ddl_bson(d), key;
    bool *used = NEW_ARRAY(&d->arena, bool, t->columns.n + 1);
    int n = 0;
    BSON_APPEND_DOCUMENT_BEGIN(spec, "key", &key);
    for (int i = 0; i < index->keys.n; i++) {
        const IndexKey *k = &index->keys.at[i];
        if (k->column >= 0 && !k->path.n) {
            if (used[k->column]) continue;
            used[k->column] = true;
        }
        n++;
        ddl_native_key(d, t, index, k, &key);
    }
    bool only_id = n == 1 && !index->method.n && str_is(ddl_key_field(d, t, &index->keys.at[0]), "_id");
    for (int i = 0; i < index->include.n && !index->unique; i++) {
        int column = index->include.at[i];
        if (used[column]) continue;
        used[column] = true;
        only_id = false;
        append_key(&key, &t->columns.at[column], false);
    }
    bson_append_document_end(spec, &key);
    if (only_id) return NULL;
    if (index->unique) BSON_APPEND_BOOL(spec, "unique", true);
    append_partial(d, c, t, index, spec);
    ddl_native_options(d, index, spec);
    return spec;
}

/* Do all indexes that start with this field leave out documents without it? */
static bool only_partly(const Physicals *list, Str field) {
    bool any = false;
    for (int i = 0; i < list->n; i++) {
        bson_iter_t it, key;
        bool leads = bson_iter_init_find(&it, list->at[i].spec, "key") && bson_iter_recurse(&it, &key) && bson_iter_next(&key) && str_is(field, bson_iter_key(&key));
        if (!leads) continue;
        any = true;
        if (!bson_has_field(list->at[i].spec, "partialFilterExpression")) return false;
    }
    return any;
}

/* Of the documents that other programs wrote, for plan_indexed.c's second question. It is small, mostly empty. */
static Physical missing_index(Ddl *d, const Column *c) {
    bson_t *spec = ddl_bson(d), child;
    Str name = arena_printf(&d->arena, STR_FMT "_missing", STR_ARG(c->field));
    BSON_APPEND_DOCUMENT_BEGIN(spec, "key", &child);
    append_key(&child, c, false);
    bson_append_document_end(spec, &child);
    ddl_append(spec, "name", name);
    BSON_APPEND_DOCUMENT_BEGIN(spec, "partialFilterExpression", &child);
    bson_append_null(&child, c->field.p, (int)c->field.n);
    bson_append_document_end(spec, &child);
    return (Physical){name, spec};
}

Physicals ddl_physical(Ddl *d, const Catalog *c, const Table *t) {
    Physicals list = {0}, shapes = {0};
    for (int i = 0; i < t->indexes.n; i++) {
        const Index *index = &t->indexes.at[i];
        bson_t *bare = shape(d, c, t, index);
        bool known = !bare;
        for (int j = 0; j < shapes.n && !known; j++) known = bson_equal(shapes.at[j].spec, bare);
        if (known) continue;
        bson_t *spec = ddl_bson(d);
        bson_iter_t it;
        bson_iter_init_find(&it, bare, "key");
        bson_append_iter(spec, "key", -1, &it);
        ddl_append(spec, "name", index->name);
        bson_copy_to_excluding_noinit(bare, spec, "key", NULL);
        vec_push(&d->arena, &list, ((Physical){index->name, spec}));
        vec_push(&d->arena, &shapes, ((Physical){index->name, bare}));
    }
    for (int k = 0; k < t->columns.n && d->server_version >= 5000000; k++)
        if (t->columns.at[k].indexed && only_partly(&list, t->columns.at[k].field)) vec_push(&d->arena, &list, missing_index(d, &t->columns.at[k]));
    return list;
}

bson_t *ddl_create_indexes(Ddl *d, Str collection, const Physicals *list) {
    if (!list->n) return NULL;
    bson_t *command = ddl_command(d, "createIndexes", collection), array;
    BSON_APPEND_ARRAY_BEGIN(command, "indexes", &array);
    for (int i = 0; i < list->n; i++) {
        char digits[16];
        const char *key;
        size_t n = bson_uint32_to_string((uint32_t)i, &key, digits, sizeof digits);
        bson_append_document(&array, key, (int)n, list->at[i].spec);
    }
    bson_append_array_end(command, &array);
    return command;
}

/* ---- validators ---- */

static void append_not_false(Ddl *d, const Rel *rel, const Expr *e, bson_t *out) {
    Eval ev = {.arena = &d->arena, .now = d->now, .error = d->cc.error};
    Emit em = {.ev = &ev, .rel = rel, .arena = &d->arena};
    if (!mql_not_false(&em, e, out)) ddl_raise(d);
}

/* The BSON types a column's values have; NULL: any. */
static const char *bson_types(Type type) {
    switch (type.tag) {
    case TYPE_INT2: case TYPE_INT4: case TYPE_INT8: return "int long";
    case TYPE_TEXT: case TYPE_VARCHAR: case TYPE_CHAR: return "string";
    case TYPE_BOOL: return "bool";
    case TYPE_FLOAT4: case TYPE_FLOAT8: return "double int long";
    case TYPE_NUMERIC: return "decimal";
    case TYPE_BYTEA: case TYPE_UUID: return "binData";
    case TYPE_DATE: case TYPE_TIME: case TYPE_TIMESTAMP: case TYPE_TIMESTAMPTZ: return "date";
    case TYPE_INTERVAL: return "long int";
    case TYPE_OBJECTID: return "objectId";
    case TYPE_DOCUMENT: return "object";
    case TYPE_ARRAY: return "array";
    case TYPE_UNKNOWN: case TYPE_JSON: case TYPE_ROW: return NULL;
    }
    return NULL;
}

static void append_words(bson_t *list, const char *words, int n) {
    while (*words) {
        char digits[16];
        const char *key;
        size_t length = bson_uint32_to_string((uint32_t)n++, &key, digits, sizeof digits), word = strcspn(words, " ");
        bson_append_utf8(list, key, (int)length, words, (int)word);
        words += word + (words[word] == ' ');
    }
}

bson_t *ddl_json_schema(Ddl *d, const Table *t) {
    bson_t *out = ddl_bson(d), schema, list, properties, one;
    int required = 0;
    BSON_APPEND_DOCUMENT_BEGIN(out, "$jsonSchema", &schema);
    BSON_APPEND_UTF8(&schema, "bsonType", "object");
    for (int i = 0; i < t->columns.n; i++) required += t->columns.at[i].not_null && !t->columns.at[i].implicit && !table_column_is_virtual(t, i);
    if (required) {     /* an empty list isn't allowed */
        BSON_APPEND_ARRAY_BEGIN(&schema, "required", &list);
        required = 0;
        for (int i = 0; i < t->columns.n; i++) {
            char digits[16];
            const char *key;
            const Column *c = &t->columns.at[i];
            if (!c->not_null || c->implicit || table_column_is_virtual(t, i)) continue;
            size_t length = bson_uint32_to_string((uint32_t)required++, &key, digits, sizeof digits);
            bson_append_utf8(&list, key, (int)length, c->field.p, (int)c->field.n);
        }
        bson_append_array_end(&schema, &list);
    }
    BSON_APPEND_DOCUMENT_BEGIN(&schema, "properties", &properties);
    bool has_id = false;
    for (int i = 0; i < t->columns.n; i++) {
        const Column *c = &t->columns.at[i];
        const char *types = bson_types(c->type);
        if (table_column_is_virtual(t, i)) continue;
        has_id |= str_is(c->field, "_id");
        bson_append_document_begin(&properties, c->field.p, (int)c->field.n, &one);
        if (types && !c->hidden) {
            BSON_APPEND_ARRAY_BEGIN(&one, "bsonType", &list);
            bool null = !str_is(c->field, "_id") && (!c->not_null || c->implicit);
            if (null) bson_append_utf8(&list, "0", 1, "null", 4);
            append_words(&list, types, null);
            bson_append_array_end(&one, &list);
        }
        if (type_is_text(c->type) && c->type.tag != TYPE_TEXT && c->type.length > 0) BSON_APPEND_INT32(&one, "maxLength", c->type.length);
        bson_append_document_end(&properties, &one);
    }
    if (!has_id) {
        BSON_APPEND_DOCUMENT_BEGIN(&properties, "_id", &one);
        bson_append_document_end(&properties, &one);
    }
    bson_append_document_end(&schema, &properties);
    BSON_APPEND_BOOL(&schema, "additionalProperties", false);
    bson_append_document_end(out, &schema);
    return out;
}

bson_t *ddl_validator(Ddl *d, const Catalog *c, const Table *t) {
    bson_t *validator = ddl_bson(d), list, one;
    int n = 0;
    BSON_APPEND_ARRAY_BEGIN(validator, "$and", &list);
    for (int i = 0; i < t->constraints.n; i++) {
        const Constraint *check = &t->constraints.at[i];
        const Rel *rel;
        char digits[16];
        const char *key;
        if (check->kind != TABLE_CHECK || check->local) continue;
        const Expr *e = ddl_condition(d, c, t, check->check_text, &rel);
        size_t length = bson_uint32_to_string((uint32_t)n++, &key, digits, sizeof digits);
        bson_append_document_begin(&list, key, (int)length, &one);
        append_not_false(d, rel, e, &one);
        bson_append_document_end(&list, &one);
    }
    if (t->enforced) {      /* last: an error's number counts the checks */
        char digits[16];
        const char *key;
        size_t length = bson_uint32_to_string((uint32_t)n++, &key, digits, sizeof digits);
        bson_append_document(&list, key, (int)length, ddl_json_schema(d, t));
    }
    bson_append_array_end(validator, &list);
    return n ? validator : NULL;
}

bson_t *ddl_violations(Ddl *d, const Catalog *c, const Table *t, const Constraint *check, const Rel **rel, const Expr **expr) {
    const Expr *e = *expr = ddl_condition(d, c, t, check->check_text, rel);
    if (!mql_can_match(e, *rel)) return NULL;
    bson_t *filter = ddl_bson(d), list, one;
    BSON_APPEND_ARRAY_BEGIN(filter, "$nor", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
    append_not_false(d, *rel, e, &one);
    bson_append_document_end(&list, &one);
    bson_append_array_end(filter, &list);
    return filter;
}

/* ---- from one state to the other ---- */

static void add_command(Ddl *d, bson_t *command, bool admin, int tolerate) {
    if (command) vec_push(&d->arena, &d->steps, ((Step){.tag = STEP_COMMAND, .command = command, .admin = admin, .tolerate = tolerate}));
}

static bool contains(const Physicals *list, const Physical *p) {
    for (int i = 0; i < list->n; i++)
        if (str_eq(list->at[i].name, p->name) && bson_equal(list->at[i].spec, p->spec)) return true;
    return false;
}

static bson_t *set_validator(Ddl *d, Str collection, const bson_t *validator) {
    bson_t *command = ddl_command(d, "collMod", collection), empty = BSON_INITIALIZER;
    BSON_APPEND_DOCUMENT(command, "validator", validator ? validator : &empty);
    return command;
}

enum { INDEX_NOT_FOUND = 27, NAMESPACE_NOT_FOUND = 26, INDEX_EXISTS = 85 };

static void drop_index(Ddl *d, Str collection, Str name) {
    bson_t *command = ddl_command(d, "dropIndexes", collection);
    ddl_append(command, "index", name);
    add_command(d, command, false, INDEX_NOT_FOUND);
}

/* Does the change leave what the rows hold alone, but for the values of indexed expressions? */
static bool keeps_values(const Change *change, int first) {
    for (int i = first; i < change->steps.n; i++)
        if (change->steps.at[i].tag != STEP_REWRITE || !change->steps.at[i].rewrite->indexed) return false;
    return true;
}

/* The unique index that takes the place of one of the same name; NULL: there is none. While other values change, the old one would be in their way. */
static const Physical *successor(const Physicals *after, const Physical *old, bool values_stay) {
    if (!values_stay) return NULL;
    for (int i = 0; i < after->n; i++)
        if (str_eq(after->at[i].name, old->name) && !bson_equal(after->at[i].spec, old->spec) && bson_has_field(after->at[i].spec, "unique")) return &after->at[i];
    return NULL;
}

/* Rows that a unique index can't have are found while the old one still is there: it is made once under another name. */
static void replace_index(Ddl *d, const Table *t, const Physical *index) {
    Physicals one = {0};
    Str name = arena_printf(&d->arena, "__sqm_try_" STR_FMT, STR_ARG(index->name));
    bson_t *spec = ddl_bson(d);
    bson_copy_to_excluding_noinit(index->spec, spec, "name", NULL);
    ddl_append(spec, "name", name);
    vec_push(&d->arena, &one, ((Physical){name, spec}));
    Str message = arena_printf(&d->arena, "could not create unique index \"" STR_FMT "\": rows of table \"" STR_FMT "\" have equal keys", STR_ARG(index->name), STR_ARG(t->name));
    Step step = {.tag = STEP_COMMAND, .command = ddl_create_indexes(d, t->name, &one), .tolerate = INDEX_EXISTS, .code = SQM_ERROR_UNIQUE_VIOLATION, .message = message};
    vec_push(&d->arena, &d->steps, step);
    drop_index(d, t->name, index->name);
    drop_index(d, t->name, name);
}

static bson_t *create_collection(Ddl *d, const Table *t, Str name, const bson_t *validator) {
    bson_t *command = ddl_command(d, "create", name);
    ddl_native_create(d, t, command);
    if (validator) BSON_APPEND_DOCUMENT(command, "validator", validator);
    return command;
}

/* The types that a CHECK compares may have changed, so all are looked at anew. */
static void divide_checks(Ddl *d, Table *t) {
    for (int i = 0; i < t->constraints.n; i++) {
        Constraint *check = &t->constraints.at[i];
        const Rel *rel;
        if (check->kind != TABLE_CHECK) continue;
        const Expr *e = ddl_condition(d, d->next, t, check->check_text, &rel);
        check->local = !mql_can_match(e, rel);
    }
}

void ddl_assemble(Ddl *d, Change *change, bool created) {
    Table *t = change->table;
    divide_checks(d, t);
    Physicals after = ddl_physical(d, d->next, t), fresh = {0};
    bson_t *validator = ddl_validator(d, d->next, t);
    if (created) {
        add_command(d, create_collection(d, t, t->name, validator), false, NAMESPACE_EXISTS);
        add_command(d, ddl_create_indexes(d, t->name, &after), false, 0);
        return;
    }
    int i = 0;
    for (; i < change->steps.n && change->steps.at[i].check; i++) vec_push(&d->arena, &d->steps, change->steps.at[i]);
    bool changes_rows = i < change->steps.n;
    bool other_validator = validator ? !change->validator_before || !bson_equal(validator, change->validator_before) : change->validator_before != NULL;
    if (change->copied) {
        for (; i < change->steps.n; i++) {
            Step *step = &change->steps.at[i];
            if (step->tag == STEP_COPY) {
                vec_push(&d->arena, &step->rewrite->prepare, create_collection(d, t, step->rewrite->copy, validator));
                bson_t *indexes = ddl_create_indexes(d, step->rewrite->copy, &after);
                if (indexes) vec_push(&d->arena, &step->rewrite->prepare, indexes);
            }
            vec_push(&d->arena, &d->steps, *step);
        }
        return;
    }
    /* Old rows may be in nobody's way while they change. */
    if (other_validator && change->validator_before && changes_rows) add_command(d, set_validator(d, change->stored, NULL), false, 0);
    bool values_stay = keeps_values(change, i);
    for (int k = 0; k < change->before.n; k++)
        if (!contains(&after, &change->before.at[k]) && !successor(&after, &change->before.at[k], values_stay)) drop_index(d, change->stored, change->before.at[k].name);
    for (; i < change->steps.n; i++) vec_push(&d->arena, &d->steps, change->steps.at[i]);
    for (int k = 0; k < change->before.n; k++) {
        const Physical *next = successor(&after, &change->before.at[k], values_stay);
        if (next) replace_index(d, t, next);
    }
    for (int k = 0; k < after.n; k++)
        if (!contains(&change->before, &after.at[k])) vec_push(&d->arena, &fresh, after.at[k]);
    add_command(d, ddl_create_indexes(d, t->name, &fresh), false, 0);
    if (other_validator && (validator || !changes_rows)) add_command(d, set_validator(d, t->name, validator), false, 0);
}
