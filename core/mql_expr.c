/* mql_expr.c - expressions as aggregation expressions, for what $match can't say: two columns of a row, arithmetic, CASE, date parts.
 *
 * can: mql_can_express answers from types alone, and says yes only where the server's value is the one eval() would compute. What the server does
 * differently is left to the executor here: lower/upper (ASCII only there), rounding, text functions of NULL, bigint division, concatenation of non-text.
 * do:  mql_express. Integers stay integers by $toLong around each operation: MongoDB silently turns an overflow into a double, $toLong then raises.
 * Conditions have two forms as in mql_match.c: "is true" with every operand guarded by {$gt: [x, null]} (NULL and missing compare low here). */
#include <stdio.h>

#include "mql_internal.h"

/* ---- what can be said ---- */

static bool simple(Type t) {
    switch (t.tag) {
    case TYPE_BOOL: case TYPE_INT2: case TYPE_INT4: case TYPE_INT8: case TYPE_FLOAT4: case TYPE_FLOAT8: case TYPE_NUMERIC: case TYPE_TEXT: case TYPE_VARCHAR: case TYPE_CHAR:
    case TYPE_DATE: case TYPE_TIMESTAMP: case TYPE_TIMESTAMPTZ: case TYPE_INTERVAL: case TYPE_TIME: case TYPE_UUID: case TYPE_OBJECTID: case TYPE_BYTEA: return true;
    case TYPE_UNKNOWN: case TYPE_JSON: case TYPE_DOCUMENT: case TYPE_ARRAY: case TYPE_ROW: break;
    }
    return false;
}

static bool same_class(Type a, Type b) {
    if (type_is_numeric(a) && type_is_numeric(b)) return true;
    if (type_is_text(a) && type_is_text(b)) return true;
    if (a.tag == TYPE_TIME || b.tag == TYPE_TIME) return a.tag == b.tag;
    if (type_is_datetime(a) && type_is_datetime(b)) return true;
    return a.tag == b.tag;
}

static bool exact_integer(Type t) { return type_is_integer(t); }

typedef struct DatePart { const char *unit, *operator; } DatePart;
static const DatePart date_parts[] = {{"year", "$year"}, {"month", "$month"}, {"day", "$dayOfMonth"}, {"hour", "$hour"}, {"minute", "$minute"},
                                      {"isoyear", "$isoWeekYear"}, {"week", "$isoWeek"}, {"doy", "$dayOfYear"}, {"isodow", "$isoDayOfWeek"}};

static const char *date_operator(const Expr *unit) {
    if (unit->tag != EXPR_CONST || unit->value.type != SQM_TEXT) return NULL;
    for (size_t i = 0; i < sizeof date_parts / sizeof *date_parts; i++)
        if (str_ieq((Str){unit->value.u.text, unit->value.len}, str_from(date_parts[i].unit))) return date_parts[i].operator;
    return NULL;
}

static const char *trunc_unit(const Expr *unit) {
    static const char *const units[] = {"year", "quarter", "month", "week", "day", "hour", "minute", "second"};
    if (unit->tag != EXPR_CONST || unit->value.type != SQM_TEXT) return NULL;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (str_ieq((Str){unit->value.u.text, unit->value.len}, str_from(units[i]))) return units[i];
    return NULL;
}

static bool is_call(const Expr *e, const char *name, int n) { return e->tag == EXPR_FUNC && e->args.n == n && strcmp(e->function->name, name) == 0; }

static bool is_date_column(const Expr *e, const Rel *rel) {
    return mql_is_column(e, rel) && (e->type.tag == TYPE_DATE || e->type.tag == TYPE_TIMESTAMP || e->type.tag == TYPE_TIMESTAMPTZ);
}

/* A zone name that MongoDB and we read alike: an Olson name. Offsets have opposite signs in POSIX and ISO; they stay here. */
static bool olson_zone(const Expr *e) {
    if (e->tag != EXPR_CONST || e->value.type != SQM_TEXT || e->value.len < 3) return false;
    for (uint32_t i = 0; i < e->value.len; i++) {
        char c = e->value.u.text[i];
        if ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == ':') return false;
    }
    return true;
}

/* The date under an extract or date_trunc: a column, or a timestamptz column AT TIME ZONE zone. */
static bool dated(const Expr *e, const Rel *rel, const Expr **column, const Expr **zone) {
    *zone = NULL;
    if (is_date_column(e, rel)) { *column = e; return true; }
    if (is_call(e, "timezone", 2) && olson_zone(e->args.at[0]) && is_date_column(e->args.at[1], rel) && e->args.at[1]->type.tag == TYPE_TIMESTAMPTZ) {
        *zone = e->args.at[0];
        *column = e->args.at[1];
        return true;
    }
    return false;
}

/* CAST of a moment to its day. */
static bool is_day(const Expr *e, const Rel *rel) {
    const Expr *column, *zone;
    return e->tag == EXPR_CAST && e->type.tag == TYPE_DATE && !e->implicit && dated(e->args.at[0], rel, &column, &zone);
}

static bool can_function(const Expr *e, const Rel *rel) {
    const char *name = e->function->name;
    const Expr *column, *zone;
    if (mql_is_scalar_path(e, rel) || mql_is_element_path(e, rel)) return simple(e->type) && e->type.tag != TYPE_UUID && e->type.tag != TYPE_DATE;     /* UUIDs are of two kinds; a date may have a time there */
    if ((strcmp(name, "+") == 0 || strcmp(name, "-") == 0 || strcmp(name, "*") == 0) && e->args.n == 2) {
        for (int i = 0; i < 2; i++)
            if (!exact_integer(e->args.at[i]->type) || !mql_can_express(e->args.at[i], rel)) return false;
        return exact_integer(e->type);
    }
    if (strcmp(name, "extract") == 0 && e->args.n == 2)
        return date_operator(e->args.at[0]) && dated(e->args.at[1], rel, &column, &zone);
    if (strcmp(name, "date_trunc") == 0 && e->args.n == 2) return trunc_unit(e->args.at[0]) && dated(e->args.at[1], rel, &column, &zone);
    return false;
}

bool mql_can_express(const Expr *e, const Rel *rel) {
    if (rel->kind != REL_TABLE) return false;
    if (expr_is_constant(e)) return simple(e->type) || e->tag == EXPR_CONST || e->tag == EXPR_PARAM;
    switch (e->tag) {
    case EXPR_VAR: return mql_is_column(e, rel) && simple(e->type) && !(rel->table->legacy && e->type.tag == TYPE_UUID);
    case EXPR_FUNC: return can_function(e, rel);
    case EXPR_COMPARE: {
        const Expr *a = e->args.at[0], *b = e->args.at[1];
        /* An untyped parameter could be of any class; beside a column it is $match's business. */
        return simple(a->type) && simple(b->type) && same_class(a->type, b->type) && mql_can_express(a, rel) && mql_can_express(b, rel) &&
               a->type.tag != TYPE_FLOAT4 && a->type.tag != TYPE_FLOAT8 && b->type.tag != TYPE_FLOAT4 && b->type.tag != TYPE_FLOAT8;
    }
    case EXPR_AND: case EXPR_OR: case EXPR_NOT:
        for (int i = 0; i < e->args.n; i++)
            if (!mql_can_express(e->args.at[i], rel) || e->args.at[i]->type.tag != TYPE_BOOL) return false;
        return true;
    case EXPR_IS: return e->is == IS_NULL ? simple(e->args.at[0]->type) && mql_can_express(e->args.at[0], rel) : false;
    case EXPR_IN: {
        const Expr *a = e->args.at[0];
        if (!simple(a->type) || !mql_can_express(a, rel)) return false;
        for (int i = 1; i < e->args.n; i++)
            if (e->args.at[i]->tag != EXPR_CONST || !simple(e->args.at[i]->type) || !same_class(a->type, e->args.at[i]->type)) return false;
        return true;
    }
    case EXPR_CASE: case EXPR_COALESCE:
        if (!simple(e->type)) return false;
        for (int i = 0; i < e->args.n; i++)
            if (!mql_can_express(e->args.at[i], rel)) return false;
        return true;
    case EXPR_CAST: return is_day(e, rel);
    case EXPR_CONST: case EXPR_PARAM: case EXPR_DISTINCT: case EXPR_LIKE: case EXPR_REGEX: case EXPR_ROW: case EXPR_ARRAY: case EXPR_AGG: case EXPR_WINDOW:
    case EXPR_SUBLINK: break;
    }
    return false;
}

/* ---- saying it ---- */

static void append_path(bson_t *out, const char *key, Str field) {
    char path[1100];
    int n = snprintf(path, sizeof path, "$" STR_FMT, STR_ARG(field));
    bson_append_utf8(out, key, -1, path, n);
}

static bool literal(Emit *em, const Expr *e, bson_t *out, const char *key) {
    Value v;
    bool unbound;
    int parameter = 0;
    if (!mql_constant(em, e, &v, &unbound, &parameter)) return false;
    if (unbound) { mql_parameter(out, key, parameter); return true; }
    bson_t child;
    bson_append_document_begin(out, key, -1, &child);
    mql_value(&child, "$literal", &v);
    bson_append_document_end(out, &child);
    return true;
}

static bool list2(Emit *em, bson_t *out, const char *op, const Expr *a, const Expr *b) {
    bson_t list;
    bson_append_array_begin(out, op, -1, &list);
    bool ok = mql_express(em, a, &list, "0") && mql_express(em, b, &list, "1");
    bson_append_array_end(out, &list);
    return ok;
}

static bool is_utc(const Expr *zone) { return zone->value.len == 3 && strncmp(zone->value.u.text, "UTC", 3) == 0; }

/* The date: the column, or what a clock in the zone showed then: {$dateFromParts: {year: {$year: {date: "$t", timezone: "Europe/Berlin"}}, ...}}. */
static void local_date(Emit *em, const Expr *column, const Expr *zone, bson_t *out, const char *key) {
    static const DatePart parts[] = {{"year", "$year"}, {"month", "$month"}, {"day", "$dayOfMonth"}, {"hour", "$hour"}, {"minute", "$minute"}, {"second", "$second"},
                                     {"millisecond", "$millisecond"}};
    if (!zone || is_utc(zone)) {
        append_path(out, key, rel_field(em->rel, column->column));
        return;
    }
    bson_t whole, list, part, args;
    bson_append_document_begin(out, key, -1, &whole);
    bson_append_document_begin(&whole, "$dateFromParts", -1, &list);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        bson_append_document_begin(&list, parts[i].unit, -1, &part);
        bson_append_document_begin(&part, parts[i].operator, -1, &args);
        append_path(&args, "date", rel_field(em->rel, column->column));
        bson_append_utf8(&args, "timezone", -1, zone->value.u.text, (int)zone->value.len);
        bson_append_document_end(&part, &args);
        bson_append_document_end(&list, &part);
    }
    bson_append_document_end(&whole, &list);
    bson_append_document_end(out, &whole);
}

static bool express_trunc(Emit *em, const Expr *date, const char *unit, bson_t *out, const char *key) {
    const Expr *column = NULL, *zone = NULL;
    bson_t child, args;
    dated(date, em->rel, &column, &zone);
    bson_append_document_begin(out, key, -1, &child);
    bson_append_document_begin(&child, "$dateTrunc", -1, &args);
    local_date(em, column, zone, &args, "date");
    bson_append_utf8(&args, "unit", -1, unit, -1);
    bson_append_utf8(&args, "startOfWeek", -1, "monday", -1);
    bson_append_document_end(&child, &args);
    bson_append_document_end(out, &child);
    return true;
}

/* EXTRACT is numeric, as in PostgreSQL: 7 / 2 of it isn't 3. */
static bool express_date(Emit *em, const Expr *e, bson_t *out, const char *key) {
    const Expr *column = NULL, *zone = NULL;
    bson_t child, part, args;
    if (strcmp(e->function->name, "date_trunc") == 0) return express_trunc(em, e->args.at[1], trunc_unit(e->args.at[0]), out, key);
    dated(e->args.at[1], em->rel, &column, &zone);
    bson_append_document_begin(out, key, -1, &child);
    bson_append_document_begin(&child, "$toDecimal", -1, &part);
    bson_append_document_begin(&part, date_operator(e->args.at[0]), -1, &args);
    append_path(&args, "date", rel_field(em->rel, column->column));
    if (zone) bson_append_utf8(&args, "timezone", -1, zone->value.u.text, (int)zone->value.len);
    bson_append_document_end(&part, &args);
    bson_append_document_end(&child, &part);
    bson_append_document_end(out, &child);
    return true;
}

static Walk find_path(Expr *e, void *context) {
    (void)context;
    return mql_is_json_value(e) ? WALK_STOP : WALK_ON;
}

static bool reads_path(const Expr *e) { return !expr_walk((Expr *)e, find_path, NULL); }

static void same_as_truncated(bson_t *list, const char *at, const char *name) {
    bson_t eq, pair, trunc;
    bson_append_document_begin(list, at, -1, &eq);
    bson_append_array_begin(&eq, "$eq", -1, &pair);
    bson_append_utf8(&pair, "0", -1, name, -1);
    bson_append_document_begin(&pair, "1", -1, &trunc);
    bson_append_utf8(&trunc, "$trunc", -1, name, -1);
    bson_append_document_end(&pair, &trunc);
    bson_append_array_end(&eq, &pair);
    bson_append_document_end(list, &eq);
}

/* A field of a document may hold 2.5 where an integer is expected: then the result isn't made a long.
 * {$let: {vars: {a: .., b: ..}, in: {$cond: [{$and: [a and b are whole]}, {$toLong: {$add: [a, b]}}, {$add: [a, b]}]}}} */
static bool express_any_number(Emit *em, const Expr *e, bson_t *out, const char *key) {
    const char *op = e->function->name[0] == '+' ? "$add" : e->function->name[0] == '-' ? "$subtract" : "$multiply";
    bson_t child, let, vars, in, cond, test, both, branch, whole, pair;
    bson_append_document_begin(out, key, -1, &child);
    bson_append_document_begin(&child, "$let", -1, &let);
    bson_append_document_begin(&let, "vars", -1, &vars);
    bool ok = mql_express(em, e->args.at[0], &vars, "a") && mql_express(em, e->args.at[1], &vars, "b");
    bson_append_document_end(&let, &vars);
    bson_append_document_begin(&let, "in", -1, &in);
    bson_append_array_begin(&in, "$cond", -1, &cond);
    bson_append_document_begin(&cond, "0", -1, &test);
    bson_append_array_begin(&test, "$and", -1, &both);
    same_as_truncated(&both, "0", "$$a");
    same_as_truncated(&both, "1", "$$b");
    bson_append_array_end(&test, &both);
    bson_append_document_end(&cond, &test);
    for (int i = 1; i < 3; i++) {
        char at[2] = {(char)('0' + i), '\0'};
        bson_append_document_begin(&cond, at, -1, &branch);
        bson_t *to = &branch;
        if (i == 1) {
            bson_append_document_begin(&branch, "$toLong", -1, &whole);
            to = &whole;
        }
        bson_append_array_begin(to, op, -1, &pair);
        bson_append_utf8(&pair, "0", -1, "$$a", -1);
        bson_append_utf8(&pair, "1", -1, "$$b", -1);
        bson_append_array_end(to, &pair);
        if (i == 1) bson_append_document_end(&branch, &whole);
        bson_append_document_end(&cond, &branch);
    }
    bson_append_array_end(&in, &cond);
    bson_append_document_end(&let, &in);
    bson_append_document_end(&child, &let);
    bson_append_document_end(out, &child);
    return ok;
}

static bool express_function(Emit *em, const Expr *e, bson_t *out, const char *key) {
    const char *name = e->function->name;
    if (mql_is_json_value(e)) { mql_express_path(em->arena, em->rel, e, out, key); return true; }
    if (name[1] != '\0') return express_date(em, e, out, key);
    if (reads_path(e)) return express_any_number(em, e, out, key);
    bson_t child, sum;
    bson_append_document_begin(out, key, -1, &child);
    bson_append_document_begin(&child, "$toLong", -1, &sum);
    bool ok = list2(em, &sum, name[0] == '+' ? "$add" : name[0] == '-' ? "$subtract" : "$multiply", e->args.at[0], e->args.at[1]);
    bson_append_document_end(&child, &sum);
    bson_append_document_end(out, &child);
    return ok;
}

/* {$gt: [x, null]}: neither NULL nor missing. */
static bool known(Emit *em, const Expr *e, bson_t *out, const char *key) {
    bson_t child, list;
    bson_append_document_begin(out, key, -1, &child);
    bson_append_array_begin(&child, "$gt", -1, &list);
    bool ok = mql_express(em, e, &list, "0");
    bson_append_null(&list, "1", -1);
    bson_append_array_end(&child, &list);
    bson_append_document_end(out, &child);
    return ok;
}

static const char *compare_operator(Operator op, bool want) {
    switch ((int)op) {
    case OP_EQ: return want ? "$eq" : "$ne";
    case OP_NE: return want ? "$ne" : "$eq";
    case OP_LT: return want ? "$lt" : "$gte";
    case OP_LE: return want ? "$lte" : "$gt";
    case OP_GT: return want ? "$gt" : "$lte";
    default: return want ? "$gte" : "$lt";
    }
}

static bool express_polarity(Emit *em, const Expr *e, bool want, bson_t *out, const char *key) {
    bson_t child, list;
    bool ok = true;
    char at[16];
    if (expr_is_constant(e)) {
        Value v;
        bool unbound;
        int parameter = 0;
        if (!mql_constant(em, e, &v, &unbound, &parameter)) return false;
        if (unbound) mql_parameter(out, key, parameter);
        else bson_append_bool(out, key, -1, v.type == SQM_BOOL && v.u.b == want);
        return true;
    }
    switch (e->tag) {
    case EXPR_NOT: return express_polarity(em, e->args.at[0], !want, out, key);
    case EXPR_AND: case EXPR_OR:
        bson_append_document_begin(out, key, -1, &child);
        bson_append_array_begin(&child, (e->tag == EXPR_AND) == want ? "$and" : "$or", -1, &list);
        for (int i = 0; i < e->args.n && ok; i++) {
            snprintf(at, sizeof at, "%d", i);
            ok = express_polarity(em, e->args.at[i], want, &list, at);
        }
        bson_append_array_end(&child, &list);
        bson_append_document_end(out, &child);
        return ok;
    case EXPR_COMPARE: {
        bson_append_document_begin(out, key, -1, &child);
        bson_append_array_begin(&child, "$and", -1, &list);
        int n = 0;
        for (int i = 0; i < 2 && ok; i++)
            if (e->args.at[i]->nullable || e->args.at[i]->tag == EXPR_VAR || (e->args.at[i]->tag != EXPR_CONST && expr_is_constant(e->args.at[i]))) {
                snprintf(at, sizeof at, "%d", n++);
                ok = known(em, e->args.at[i], &list, at);
            }
        bson_t compare;
        snprintf(at, sizeof at, "%d", n);
        bson_append_document_begin(&list, at, -1, &compare);
        ok = ok && list2(em, &compare, compare_operator(e->op, want), e->args.at[0], e->args.at[1]);
        bson_append_document_end(&list, &compare);
        bson_append_array_end(&child, &list);
        bson_append_document_end(out, &child);
        return ok;
    }
    case EXPR_IS:
        bson_append_document_begin(out, key, -1, &child);
        bson_append_array_begin(&child, (e->negated != want) ? "$lte" : "$gt", -1, &list);
        ok = mql_express(em, e->args.at[0], &list, "0");
        bson_append_null(&list, "1", -1);
        bson_append_array_end(&child, &list);
        bson_append_document_end(out, &child);
        return ok;
    case EXPR_IN: {
        bool has_null = false, positive = e->negated != want;
        bson_t and_, in, pair, values;
        for (int i = 1; i < e->args.n; i++) has_null |= e->args.at[i]->value.type == SQM_NULL;
        if (!positive && has_null) { bson_append_bool(out, key, -1, false); return true; }
        bson_append_document_begin(out, key, -1, &child);
        bson_append_array_begin(&child, "$and", -1, &and_);
        ok = known(em, e->args.at[0], &and_, "0");
        bson_append_document_begin(&and_, "1", -1, &in);
        bson_t not_list, inner;
        bson_t *target = &in;
        if (!positive) {
            bson_append_array_begin(&in, "$not", -1, &not_list);
            bson_append_document_begin(&not_list, "0", -1, &inner);
            target = &inner;
        }
        bson_append_array_begin(target, "$in", -1, &pair);
        ok = ok && mql_express(em, e->args.at[0], &pair, "0");
        bson_append_array_begin(&pair, "1", -1, &values);
        int n = 0;
        for (int i = 1; i < e->args.n && ok; i++) {
            if (e->args.at[i]->value.type == SQM_NULL) continue;
            snprintf(at, sizeof at, "%d", n++);
            ok = literal(em, e->args.at[i], &values, at);
        }
        bson_append_array_end(&pair, &values);
        bson_append_array_end(target, &pair);
        if (!positive) {
            bson_append_document_end(&not_list, &inner);
            bson_append_array_end(&in, &not_list);
        }
        bson_append_document_end(&and_, &in);
        bson_append_array_end(&child, &and_);
        bson_append_document_end(out, &child);
        return ok;
    }
    case EXPR_CONST: case EXPR_PARAM: case EXPR_VAR: case EXPR_FUNC: case EXPR_DISTINCT: case EXPR_LIKE: case EXPR_REGEX: case EXPR_CASE: case EXPR_COALESCE: case EXPR_CAST:
    case EXPR_ROW: case EXPR_ARRAY: case EXPR_AGG: case EXPR_WINDOW: case EXPR_SUBLINK:
        /* A boolean value: equal to the wanted one. */
        bson_append_document_begin(out, key, -1, &child);
        bson_append_array_begin(&child, "$eq", -1, &list);
        ok = mql_express(em, e, &list, "0");
        bson_append_bool(&list, "1", -1, want);
        bson_append_array_end(&child, &list);
        bson_append_document_end(out, &child);
        return ok;
    }
    return false;
}

bool mql_express_true(Emit *em, const Expr *e, bson_t *out, const char *key) { return express_polarity(em, e, true, out, key); }

/* Result `i` of a CASE or COALESCE. MongoDB 6.0 refuses a $group in which two results of one expression are the same bare field ("duplicate field: 8"). */
static bool express_result(Emit *em, const Expr *e, int i, bson_t *out, const char *key) {
    const Expr *result = e->args.at[i];
    bool again = false;
    for (int k = 0; k < i && !again; k++) again = result->tag == EXPR_VAR && e->args.at[k]->tag == EXPR_VAR && e->args.at[k]->slot == result->slot;
    if (!again) return mql_express(em, result, out, key);
    bson_t child, list;
    bson_append_document_begin(out, key, -1, &child);
    bson_append_array_begin(&child, "$ifNull", -1, &list);
    bool ok = mql_express(em, result, &list, "0");
    bson_append_null(&list, "1", -1);
    bson_append_array_end(&child, &list);
    bson_append_document_end(out, &child);
    return ok;
}

static bool express_case(Emit *em, const Expr *e, bson_t *out, const char *key) {
    bson_t child, args, branches, branch;
    bool ok = true;
    char at[16];
    bson_append_document_begin(out, key, -1, &child);
    bson_append_document_begin(&child, "$switch", -1, &args);
    bson_append_array_begin(&args, "branches", -1, &branches);
    for (int i = 0; i + 1 < e->args.n && ok; i += 2) {
        snprintf(at, sizeof at, "%d", i / 2);
        bson_append_document_begin(&branches, at, -1, &branch);
        ok = mql_express_true(em, e->args.at[i], &branch, "case") && express_result(em, e, i + 1, &branch, "then");
        bson_append_document_end(&branches, &branch);
    }
    bson_append_array_end(&args, &branches);
    ok = ok && express_result(em, e, e->args.n - 1, &args, "default");
    bson_append_document_end(&child, &args);
    bson_append_document_end(out, &child);
    return ok;
}

bool mql_express(Emit *em, const Expr *e, bson_t *out, const char *key) {
    if (expr_is_constant(e)) return literal(em, e, out, key);
    bson_t child, list;
    bool ok = true;
    switch (e->tag) {
    case EXPR_VAR: append_path(out, key, rel_field(em->rel, e->column)); return true;
    case EXPR_FUNC: return express_function(em, e, out, key);
    case EXPR_CASE: return express_case(em, e, out, key);
    case EXPR_COALESCE:
        bson_append_document_begin(out, key, -1, &child);
        bson_append_array_begin(&child, "$ifNull", -1, &list);
        for (int i = 0; i < e->args.n && ok; i++) {
            char at[16];
            snprintf(at, sizeof at, "%d", i);
            ok = express_result(em, e, i, &list, at);
        }
        if (e->args.n == 1) bson_append_null(&list, "1", -1);
        bson_append_array_end(&child, &list);
        bson_append_document_end(out, &child);
        return ok;
    case EXPR_COMPARE: case EXPR_AND: case EXPR_OR: case EXPR_NOT: case EXPR_IS: case EXPR_IN: {
        /* A boolean value has three: {$cond: [T, true, {$cond: [F, false, null]}]}. */
        bson_t inner, inner_list;
        bson_append_document_begin(out, key, -1, &child);
        bson_append_array_begin(&child, "$cond", -1, &list);
        ok = express_polarity(em, e, true, &list, "0");
        bson_append_bool(&list, "1", -1, true);
        bson_append_document_begin(&list, "2", -1, &inner);
        bson_append_array_begin(&inner, "$cond", -1, &inner_list);
        ok = ok && express_polarity(em, e, false, &inner_list, "0");
        bson_append_bool(&inner_list, "1", -1, false);
        bson_append_null(&inner_list, "2", -1);
        bson_append_array_end(&inner, &inner_list);
        bson_append_document_end(&list, &inner);
        bson_append_array_end(&child, &list);
        bson_append_document_end(out, &child);
        return ok;
    }
    case EXPR_CAST: return express_trunc(em, e->args.at[0], "day", out, key);
    case EXPR_CONST: case EXPR_PARAM: case EXPR_DISTINCT: case EXPR_LIKE: case EXPR_REGEX: case EXPR_ROW: case EXPR_ARRAY: case EXPR_AGG: case EXPR_WINDOW:
    case EXPR_SUBLINK: break;
    }
    return eval_fail(em->ev, e, SQM_ERROR_INTERNAL, "no aggregation expression for this");
}
