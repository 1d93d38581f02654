/* function.c - the table of scalar functions and operators, looking it up, and the rules for result types.
 *
 * functions.def holds one row for each name and range of argument counts. Names are found through a hash built on first use. A type rule sees the static
 * types of the arguments and answers with the result's, or says that no such function exists; TYPE_UNKNOWN is always accepted, and a result
 * stays UNKNOWN only when the argument's value decides.
 *     function_find("substr", 3) -> text        rule_add(date, integer) -> date        rule_add(text, integer) -> none
 * The functions themselves are in function_text.c, function_regex.c, function_math.c, function_datetime.c, function_format.c, function_json.c,
 * function_array.c; what they share is in scalar.h. */
#include <pthread.h>
#include <stdio.h>

#include "decimal.h"
#include "scalar.h"

static const Function functions[] = {
#define FUNCTION(name, min, max, nulls, volatility, type, eval, description) {name, min, max, nulls, volatility, type, eval, description},
#include "functions.def"
#undef FUNCTION
};

enum { COUNT = sizeof functions / sizeof *functions, BUCKETS = 1024 };

static int16_t first[BUCKETS], following[COUNT];     /* chains of indexes, -1 ends */
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static unsigned bucket_of(Str name) { return (unsigned)(hash_bytes(name.p, name.n, 0) >> 32) % BUCKETS; }

static void build_table(void) {
    memset(first, -1, sizeof first);
    for (int i = COUNT - 1; i >= 0; i--) {
        unsigned b = bucket_of(str_from(functions[i].name));
        following[i] = first[b];
        first[b] = (int16_t)i;
    }
}

/* The texts operator_text() gives prefix operators, under the names they have in the table. */
static Str plain_name(Str name) {
    if (str_is(name, "neg")) return STR("-");
    if (str_is(name, "pos")) return STR("+");
    if (str_is(name, "~ (prefix)")) return STR("~");
    return name;
}

const Function *function_find(Str name, int n_args) {
    pthread_once(&table_once, build_table);
    name = plain_name(name);
    for (int i = first[bucket_of(name)]; i >= 0; i = following[i]) {
        const Function *f = &functions[i];
        if (str_is(name, f->name) && n_args >= f->min_args && (f->max_args < 0 || n_args <= f->max_args)) return f;
    }
    return NULL;
}

bool function_name_exists(Str name) {
    pthread_once(&table_once, build_table);
    name = plain_name(name);
    for (int i = first[bucket_of(name)]; i >= 0; i = following[i])
        if (str_is(name, functions[i].name)) return true;
    return false;
}

const char *function_nearest(Str name) {
    const char *best = NULL;
    int limit = name.n < 4 ? 1 : name.n < 8 ? 2 : 3;
    for (int i = 0; i < COUNT; i++) {
        int d = edit_distance(name, str_from(functions[i].name), limit);
        if (d > limit || functions[i].name[0] < 'a') continue;
        limit = d - 1;
        best = functions[i].name;
    }
    return best;
}

const Function *function_at(int i) { return i >= 0 && i < COUNT ? &functions[i] : NULL; }

bool window_function_find(Str name, WindowFunction *out, int *min_args, int *max_args) {
    static const struct { const char *name; WindowFunction function; int8_t min, max; } rows[] = {
        {"row_number", WINDOW_ROW_NUMBER, 0, 0},   {"rank", WINDOW_RANK, 0, 0},     {"dense_rank", WINDOW_DENSE_RANK, 0, 0},
        {"percent_rank", WINDOW_PERCENT_RANK, 0, 0}, {"cume_dist", WINDOW_CUME_DIST, 0, 0}, {"ntile", WINDOW_NTILE, 1, 1},
        {"lag", WINDOW_LAG, 1, 3},                 {"lead", WINDOW_LEAD, 1, 3},     {"first_value", WINDOW_FIRST_VALUE, 1, 1},
        {"last_value", WINDOW_LAST_VALUE, 1, 1},   {"nth_value", WINDOW_NTH_VALUE, 2, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_is(name, rows[i].name)) {
            *out = rows[i].function;
            *min_args = rows[i].min;
            *max_args = rows[i].max;
            return true;
        }
    return false;
}

/* ---- arguments ---- */

Type scalar_arg_type(const Expr *e, int i) { return e && i < e->args.n ? e->args.at[i]->type : TYPE(UNKNOWN); }

Str scalar_text(Eval *ev, const Value *v) {
    if (v->type != SQM_TEXT) return value_text(ev->arena, v);
    return (Str){v->u.text ? v->u.text : "", v->len};
}

bool scalar_int(Eval *ev, const Value *v, int64_t *out) {
    Value cast = *v;
    if (v->type != SQM_INT && !cast_value(ev, v, TYPE(INT8), &cast)) return false;
    *out = cast.u.i;
    return true;
}

bool scalar_double(Eval *ev, const Value *v, double *out) {
    Value cast = *v;
    if (v->type != SQM_DOUBLE && !cast_value(ev, v, TYPE(FLOAT8), &cast)) return false;
    *out = cast.u.d;
    return true;
}

bool scalar_decimal(Eval *ev, const Value *v, sqm_decimal_t *out) {
    Value cast = *v;
    if (v->type != SQM_DECIMAL && !cast_value(ev, v, TYPE(NUMERIC), &cast)) return false;
    *out = cast.u.decimal;
    return true;
}

Value scalar_from_text(Str s) { return (Value){.type = SQM_TEXT, .len = s.n, .u.text = s.p}; }
/* SQL's numerics have no negative zero. */
Value scalar_from_decimal(sqm_decimal_t d) { return (Value){.type = SQM_DECIMAL, .u.decimal = decimal_is_zero(d) ? decimal_abs(d) : d}; }

bool scalar_fail(Eval *ev, sqm_error_code_t code, const char *fmt, ...) {
    char message[sizeof ev->error->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    return error_set(ev->error, code, "%s", message);
}

char *scalar_room(Eval *ev, uint64_t size) {
    enum { LIMIT = 64 << 20 };      /* well above a document's 16 MiB, well below what would hurt */
    if (size <= LIMIT) return arena_alloc(ev->arena, (size_t)size + 1);
    scalar_fail(ev, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, "result of text function is too long");
    return NULL;
}

/* ---- type rules ---- */

static bool is_unknown(Type t) { return t.tag == TYPE_UNKNOWN; }
static bool is_float(Type t) { return t.tag == TYPE_FLOAT4 || t.tag == TYPE_FLOAT8; }
static bool is_number(Type t) { return type_is_numeric(t) || is_unknown(t); }
static bool is_interval(Type t) { return t.tag == TYPE_INTERVAL; }
static bool is_json(Type t) { return t.tag == TYPE_JSON || t.tag == TYPE_DOCUMENT; }
static bool is_timestamp(Type t) { return t.tag == TYPE_TIMESTAMP || t.tag == TYPE_TIMESTAMPTZ; }

/* What text functions take: text, and any scalar that has a plain text form. */
static bool is_textual(Type t) {
    return t.tag != TYPE_BYTEA && t.tag != TYPE_ARRAY && t.tag != TYPE_ROW && t.tag != TYPE_DOCUMENT && t.tag != TYPE_JSON;
}

static bool answer(Type *out, Type t) { return *out = t, true; }

#define ANY_RULE(name, T) \
    RULE(name) { return answer(out, TYPE(T)); }
ANY_RULE(rule_any_to_text, TEXT)
ANY_RULE(rule_any_to_int8, INT8)
ANY_RULE(rule_any_to_bool, BOOL)
ANY_RULE(rule_any_to_int4, INT4)
ANY_RULE(rule_any_to_json, JSON)
ANY_RULE(rule_float8, FLOAT8)
ANY_RULE(rule_uuid, UUID)
ANY_RULE(rule_date, DATE)
ANY_RULE(rule_time, TIME)
ANY_RULE(rule_timestamp, TIMESTAMP)
ANY_RULE(rule_timestamptz, TIMESTAMPTZ)
ANY_RULE(rule_interval, INTERVAL)
ANY_RULE(rule_bytea, BYTEA)

/* Text arguments first, then whatever counts or flags the function takes. */
RULE(rule_text_to_text) { return is_textual(args[0]) && answer(out, TYPE(TEXT)); }
RULE(rule_text_to_bool) { return is_textual(args[0]) && answer(out, TYPE(BOOL)); }
RULE(rule_text_to_int) { return is_textual(args[0]) && answer(out, TYPE(INT4)); }
RULE(rule_text_to_array) {
    Type t = TYPE(ARRAY);
    t.element = TYPE_TEXT;
    return is_textual(args[0]) && answer(out, t);
}
RULE(rule_length) { return (is_textual(args[0]) || args[0].tag == TYPE_BYTEA) && answer(out, TYPE(INT4)); }
/* Text stays text, bytea stays bytea: substring, overlay, digests, trim. */
RULE(rule_text_or_bytea) {
    if (args[0].tag == TYPE_BYTEA) return answer(out, TYPE(BYTEA));
    return is_textual(args[0]) && answer(out, TYPE(TEXT));
}

static bool all_numbers(const Type *args, int n) {
    for (int i = 0; i < n; i++)
        if (!is_number(args[i])) return false;
    return true;
}

/* Integers are computed in 64 bits, whatever their declared width. */
static Type number_of(Type a, Type b) {
    if (is_float(a) || is_float(b)) return TYPE(FLOAT8);
    if (is_unknown(a) || is_unknown(b)) return TYPE(UNKNOWN);
    if (a.tag == TYPE_NUMERIC || b.tag == TYPE_NUMERIC) return TYPE(NUMERIC);
    return TYPE(INT8);
}

/* A date, time, timestamp or interval `a` plus something. */
static bool add_moment(Type a, Type b, Type *out) {
    if (a.tag == TYPE_DATE) {
        if (type_is_integer(b)) return answer(out, TYPE(DATE));
        if (is_interval(b) || b.tag == TYPE_TIME) return answer(out, TYPE(TIMESTAMP));
        return is_unknown(b) && answer(out, TYPE(UNKNOWN));
    }
    if (a.tag == TYPE_TIME || is_timestamp(a)) return (is_interval(b) || is_unknown(b)) && answer(out, a);
    if (!is_interval(a)) return false;
    return is_interval(b) ? answer(out, TYPE(INTERVAL)) : is_unknown(b) && answer(out, TYPE(UNKNOWN));
}

RULE(rule_add) {
    if (n == 1) return (is_number(args[0]) || is_interval(args[0])) && answer(out, type_is_integer(args[0]) ? TYPE(INT8) : args[0]);
    if (is_number(args[0]) && is_number(args[1])) return answer(out, number_of(args[0], args[1]));
    return add_moment(args[0], args[1], out) || add_moment(args[1], args[0], out);
}

RULE(rule_subtract) {
    if (n == 1) return rule_add(args, n, out);
    Type a = args[0], b = args[1];
    if (is_json(a)) return (type_is_text(b) || type_is_integer(b) || is_unknown(b) || b.tag == TYPE_ARRAY) && answer(out, TYPE(JSON));
    if (is_number(a) && is_number(b)) return answer(out, number_of(a, b));
    if (a.tag == TYPE_DATE && b.tag == TYPE_DATE) return answer(out, TYPE(INT4));
    if (a.tag == TYPE_DATE && type_is_integer(b)) return answer(out, TYPE(DATE));
    if (a.tag == TYPE_TIME && is_interval(b)) return answer(out, TYPE(TIME));
    if (a.tag == TYPE_TIME && b.tag == TYPE_TIME) return answer(out, TYPE(INTERVAL));
    if (a.tag == TYPE_DATE && is_interval(b)) return answer(out, TYPE(TIMESTAMP));
    if (is_timestamp(a) && is_interval(b)) return answer(out, a);
    if ((is_timestamp(a) || a.tag == TYPE_DATE) && (is_timestamp(b) || b.tag == TYPE_DATE)) return answer(out, TYPE(INTERVAL));
    if (is_interval(a) && (is_interval(b) || is_unknown(b))) return answer(out, TYPE(INTERVAL));
    bool left = type_is_datetime(a) || is_interval(a), right = type_is_datetime(b) || is_interval(b);
    return ((left && is_unknown(b)) || (is_unknown(a) && right)) && answer(out, TYPE(UNKNOWN));
}

RULE(rule_multiply) {
    Type a = args[0], b = args[1];
    if (is_interval(a) || is_interval(b)) return is_number(is_interval(a) ? b : a) && answer(out, TYPE(INTERVAL));
    if (!all_numbers(args, n)) return false;
    return answer(out, is_unknown(a) || is_unknown(b) ? TYPE(UNKNOWN) : number_of(a, b));
}

RULE(rule_divide) {
    if (is_interval(args[0])) return is_number(args[1]) && answer(out, TYPE(INTERVAL));
    return rule_multiply(args, n, out) && out->tag != TYPE_INTERVAL;
}

RULE(rule_number) { return all_numbers(args, n) && answer(out, n == 1 ? (type_is_integer(args[0]) ? TYPE(INT8) : args[0]) : number_of(args[0], args[1])); }

RULE(rule_integer) {
    for (int i = 0; i < n; i++)
        if (!type_is_integer(args[i]) && !is_unknown(args[i])) return false;
    return answer(out, TYPE(INT8));
}
RULE(rule_numeric) { return all_numbers(args, n) && answer(out, TYPE(NUMERIC)); }
RULE(rule_double) { return all_numbers(args, n) && answer(out, TYPE(FLOAT8)); }
/* round, ceil, sqrt, ln ...: numeric for numeric, double precision for all else. */
RULE(rule_double_or_numeric) {
    if (!all_numbers(args, n)) return false;
    bool unknown = false, numeric = false;
    for (int i = 0; i < n; i++) {
        if (is_float(args[i])) return answer(out, TYPE(FLOAT8));
        unknown |= is_unknown(args[i]);
        numeric |= args[i].tag == TYPE_NUMERIC;
    }
    return answer(out, unknown ? TYPE(UNKNOWN) : numeric ? TYPE(NUMERIC) : TYPE(FLOAT8));
}
/* round(x, n) and trunc(x, n) are numeric's in PostgreSQL; a double stays a double here. */
RULE(rule_round) {
    if (n == 1) return rule_double_or_numeric(args, n, out);
    if (!all_numbers(args, n)) return false;
    return answer(out, is_unknown(args[0]) ? TYPE(UNKNOWN) : is_float(args[0]) ? TYPE(FLOAT8) : TYPE(NUMERIC));
}
/* log(base, x) of integers is numeric in PostgreSQL, log(x) double precision. */
RULE(rule_log) {
    if (!rule_double_or_numeric(args, n, out)) return false;
    if (n == 2 && type_is_integer(args[0]) && type_is_integer(args[1])) *out = TYPE(NUMERIC);
    return true;
}
RULE(rule_quantified) { return (args[1].tag == TYPE_ARRAY || is_unknown(args[1])) && answer(out, TYPE(BOOL)); }

RULE(rule_common) {
    Type t = args[0];
    for (int i = 1; i < n; i++)
        if (!type_common(t, args[i], &t)) return false;
    return answer(out, t);
}
/* NULLIF has the type of its first argument. */
RULE(rule_first) {
    Type common;
    if (n > 1 && !type_common(args[0], args[1], &common)) return false;
    return answer(out, is_unknown(args[0]) && n > 1 ? args[1] : args[0]);
}

RULE(rule_concat) {
    Type a = args[0], b = args[1];
    if (is_json(a) || is_json(b)) {
        Type other = is_json(a) ? b : a;
        if (is_json(other) || is_unknown(other)) return answer(out, TYPE(JSON));
        return type_is_text(other) && answer(out, TYPE(TEXT));
    }
    if (a.tag == TYPE_ARRAY || b.tag == TYPE_ARRAY) return answer(out, a.tag == TYPE_ARRAY ? a : b);
    if (a.tag == TYPE_BYTEA || b.tag == TYPE_BYTEA) {
        Type other = a.tag == TYPE_BYTEA ? b : a;
        return (other.tag == TYPE_BYTEA || is_unknown(other)) && answer(out, TYPE(BYTEA));
    }
    if (type_is_text(a) || type_is_text(b)) return answer(out, TYPE(TEXT));
    return (is_unknown(a) || is_unknown(b)) && answer(out, is_unknown(a) && is_unknown(b) ? TYPE(UNKNOWN) : TYPE(TEXT));
}

RULE(rule_json_get) { return (is_json(args[0]) || args[0].tag == TYPE_ARRAY || is_unknown(args[0])) && answer(out, TYPE(JSON)); }
RULE(rule_json_get_text) { return (is_json(args[0]) || args[0].tag == TYPE_ARRAY || is_unknown(args[0])) && answer(out, TYPE(TEXT)); }
RULE(rule_json_to_bool) { return (is_json(args[0]) || is_unknown(args[0])) && answer(out, TYPE(BOOL)); }
RULE(rule_json_to_int) { return (is_json(args[0]) || args[0].tag == TYPE_ARRAY || is_unknown(args[0])) && answer(out, TYPE(INT4)); }
RULE(rule_json_to_text) { return (is_json(args[0]) || args[0].tag == TYPE_ARRAY || is_unknown(args[0])) && answer(out, TYPE(TEXT)); }
RULE(rule_json_to_json) { return (is_json(args[0]) || args[0].tag == TYPE_ARRAY || is_unknown(args[0])) && answer(out, TYPE(JSON)); }
RULE(rule_assign) { return answer(out, args[0]); }
RULE(rule_contains) {
    Type a = args[0], b = args[1];
    bool left = is_json(a) || a.tag == TYPE_ARRAY || is_unknown(a), right = is_json(b) || b.tag == TYPE_ARRAY || is_unknown(b);
    return left && right && answer(out, TYPE(BOOL));
}

RULE(rule_array_to_int) { return (args[0].tag == TYPE_ARRAY || is_unknown(args[0]) || is_json(args[0])) && answer(out, TYPE(INT4)); }
RULE(rule_array_to_text) { return (args[0].tag == TYPE_ARRAY || is_unknown(args[0])) && answer(out, TYPE(TEXT)); }
RULE(rule_array) {
    for (int i = 0; i < n; i++)
        if (args[i].tag == TYPE_ARRAY) return answer(out, args[i]);
    for (int i = 0; i < n; i++)
        if (is_unknown(args[i])) return answer(out, TYPE(ARRAY));
    return false;
}
RULE(rule_element) {
    if (args[0].tag == TYPE_ARRAY) return answer(out, type_of(args[0].element));
    if (is_json(args[0])) return answer(out, TYPE(JSON));
    return is_unknown(args[0]) && answer(out, TYPE(UNKNOWN));
}

static bool is_moment(Type t) { return type_is_datetime(t) || is_interval(t) || is_unknown(t); }
RULE(rule_extract) { return is_moment(args[1]) && answer(out, TYPE(NUMERIC)); }
RULE(rule_date_part) { return is_moment(args[1]) && answer(out, TYPE(FLOAT8)); }
/* A date is truncated as a timestamp with time zone, a time as an interval. */
RULE(rule_date_trunc) {
    if (!is_moment(args[1])) return false;
    if (args[1].tag == TYPE_DATE) return answer(out, TYPE(TIMESTAMPTZ));
    return answer(out, args[1].tag == TYPE_TIME ? TYPE(INTERVAL) : args[1]);
}
/* With a zone the instant becomes a local clock, a local clock an instant. An untyped value is an instant: stored times are. */
RULE(rule_timezone) {
    Type t = args[n - 1];
    if (t.tag == TYPE_TIMESTAMP) return answer(out, TYPE(TIMESTAMPTZ));
    return (t.tag == TYPE_TIMESTAMPTZ || t.tag == TYPE_DATE || is_unknown(t)) && answer(out, TYPE(TIMESTAMP));
}
RULE(rule_date_bin) { return is_moment(args[1]) && answer(out, args[1].tag == TYPE_TIMESTAMP ? TYPE(TIMESTAMP) : TYPE(TIMESTAMPTZ)); }
RULE(rule_age) { return is_moment(args[0]) && answer(out, TYPE(INTERVAL)); }
