/* aggregate.c - the aggregate functions: a state, a step for each row, and the result. See function.h for the contract of a row of the table.
 *
 * In: rows that the caller has filtered, made distinct and sorted as the call asks. A NULL first argument never arrives where ignores_nulls is set.
 * Out: PostgreSQL's results. SUM and AVG are exact for integers and numerics; a sum of integers that leaves bigint is an error, never a double.
 *     sum(integer) -> bigint, avg(integer) -> numeric with at least 16 digits, stddev(anything) -> double precision, sum of no rows -> NULL
 * The type of a number is looked at row by row: a schemaless column may hold several, and the widest kind that came by decides (integer < numeric <
 * double), unless the resolver knew the type.
 * States live in memory the caller zeroes and aligns to 8 bytes; what grows lives in the arena given to step().
 * Not here: DISTINCT, ORDER BY, FILTER (group.c), the same functions done by the server (mql_*.c), ranking functions (window.c). */
#include <math.h>
#include <stdio.h>

#include "decimal.h"
#include "eval.h"
#include "json.h"

/* Groups pack states behind rows of 24-byte values: nothing here may ask for 16-byte alignment. */
typedef __int128 Wide __attribute__((aligned(8)));

#define STEP(name)                                                                                                                    \
    static bool name(Eval *ev __attribute__((unused)), void *state, Arena *arena __attribute__((unused)),                             \
                     const Value *args __attribute__((unused)), int n __attribute__((unused)))
#define FINISH(name)                                                                                                                  \
    static bool name(Eval *ev __attribute__((unused)), void *state __attribute__((unused)), Arena *arena __attribute__((unused)),     \
                     const Expr *e __attribute__((unused)), Value *out)

static bool refuse(Eval *ev, const char *function, const Value *v) {
    error_set(ev->error, SQM_ERROR_UNDEFINED_FUNCTION, "function %s(%s) does not exist", function, value_type_name(v));
    return false;
}

static bool fail_here(Eval *ev, const Expr *e, sqm_error_code_t code, const char *message) {
    error_set(ev->error, code, "%s", message);
    if (ev->error && e) {
        ev->error->position = e->pos.at;
        ev->error->length = e->pos.len;
    }
    return false;
}

static bool give(Value *out, Value v) {
    *out = v;
    return true;
}

static Value from_decimal(Decimal d) { return (Value){.type = SQM_DECIMAL, .u.decimal = d}; }

/* A value that is replaced now and then: its bytes are kept in one buffer that grows, not anew for each replacement. */
typedef struct Slot { Value value; uint8_t *buffer; uint32_t size; bool filled; } Slot;

static void slot_set(Slot *s, Arena *arena, const Value *v) {
    s->filled = true;
    bool bytes = v->type == SQM_TEXT || v->type == SQM_BYTES || v->type == SQM_UUID || v->type == SQM_OBJECTID || json_is(v);
    if (!bytes) {
        s->value = value_copy(arena, v);
        return;
    }
    if (v->len > s->size || !s->buffer) {
        s->size = v->len + v->len / 2 + 16;
        s->buffer = arena_alloc(arena, s->size);
    }
    if (v->len) memcpy(s->buffer, v->u.bytes, v->len);
    s->value = *v;
    s->value.u.bytes = s->buffer;
}

/* ---- types ---- */

static bool is(Type t, TypeTag tag) { return t.tag == tag || t.tag == TYPE_UNKNOWN; }

#define RULE(name) static bool name(const Type *args __attribute__((unused)), int n __attribute__((unused)), Type *out)

RULE(rule_count) { return *out = TYPE(INT8), true; }
RULE(rule_same) { return *out = args[0], true; }
RULE(rule_array) { return *out = type_array(args[0].tag), true; }
RULE(rule_json) { return *out = TYPE(JSON), true; }
RULE(rule_bool) { return *out = TYPE(BOOL), is(args[0], TYPE_BOOL); }

RULE(rule_sum) {
    *out = type_is_integer(args[0]) ? TYPE(INT8) : args[0].tag == TYPE_FLOAT4 ? TYPE(FLOAT8) : type_of(args[0].tag);
    return type_is_numeric(args[0]) || is(args[0], TYPE_INTERVAL);
}

RULE(rule_avg) {
    *out = type_is_integer(args[0]) ? TYPE(NUMERIC) : args[0].tag == TYPE_FLOAT4 ? TYPE(FLOAT8) : type_of(args[0].tag);
    return type_is_numeric(args[0]) || is(args[0], TYPE_INTERVAL);
}

RULE(rule_bits) {
    *out = args[0];
    return type_is_integer(args[0]) || args[0].tag == TYPE_UNKNOWN;
}

RULE(rule_deviation) {
    *out = TYPE(FLOAT8);
    return type_is_numeric(args[0]) || args[0].tag == TYPE_UNKNOWN;
}

RULE(rule_pair) {
    *out = TYPE(FLOAT8);
    return (type_is_numeric(args[0]) || args[0].tag == TYPE_UNKNOWN) && (type_is_numeric(args[1]) || args[1].tag == TYPE_UNKNOWN);
}

RULE(rule_pair_count) { return rule_pair(args, n, out) && (*out = TYPE(INT8), true); }

RULE(rule_string) {
    *out = args[0].tag == TYPE_BYTEA ? TYPE(BYTEA) : TYPE(TEXT);
    if (args[0].tag == TYPE_BYTEA) return is(args[1], TYPE_BYTEA);
    return (type_is_text(args[0]) || args[0].tag == TYPE_UNKNOWN) && (type_is_text(args[1]) || is(args[1], TYPE_BYTEA));
}

static bool is_fraction(Type t) { return type_is_numeric(t) || t.tag == TYPE_UNKNOWN || t.tag == TYPE_ARRAY; }

RULE(rule_continuous) {
    *out = args[0].tag == TYPE_INTERVAL ? TYPE(INTERVAL) : args[0].tag == TYPE_UNKNOWN ? TYPE(UNKNOWN) : TYPE(FLOAT8);
    if (args[1].tag == TYPE_ARRAY) *out = type_array(out->tag);
    return is_fraction(args[1]) && (type_is_numeric(args[0]) || is(args[0], TYPE_INTERVAL));
}

RULE(rule_discrete) {
    *out = args[1].tag == TYPE_ARRAY ? type_array(args[0].tag) : args[0];
    return is_fraction(args[1]);
}

/* ---- count, sum, avg ---- */

typedef struct Count { int64_t n; } Count;

STEP(count_step) {
    ((Count *)state)->n++;
    return true;
}

FINISH(count_finish) { return give(out, sqm_int(((Count *)state)->n)); }

typedef struct Sum {
    int64_t n;
    Wide integers;                      /* of integers, or of intervals */
    Decimal decimals;
    double doubles, lost;               /* Neumaier's sum: what the additions rounded off, added back at the end */
    bool any_integer, any_decimal, any_double, any_interval;
    bool infinite;                      /* an operand was: then an infinite sum is no overflow */
} Sum;

static void add_double(Sum *s, double d) {
    double sum = s->doubles + d;
    if (isfinite(sum)) s->lost += fabs(s->doubles) >= fabs(d) ? s->doubles - sum + d : d - sum + s->doubles;
    s->doubles = sum;
    s->infinite |= !isfinite(d);
    s->any_double = true;
}

STEP(sum_step) {
    Sum *s = state;
    const Value *v = &args[0];
    if (!s->n++) s->decimals = decimal_from_int(0);
    if (v->type == SQM_INT || v->type == SQM_INTERVAL) {
        s->integers += v->u.i;                                  /* 2^63 rows of the largest bigint still fit */
        if (v->type == SQM_INT) s->any_integer = true;
        else s->any_interval = true;
    } else if (v->type == SQM_DOUBLE) {
        add_double(s, v->u.d);
    } else if (v->type == SQM_DECIMAL) {
        s->any_decimal = true;
        if (!decimal_add(s->decimals, v->u.decimal, &s->decimals)) return error_set(ev->error, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value overflows numeric format");
    } else {
        return refuse(ev, "sum", v);
    }
    if (s->any_interval && (s->any_integer || s->any_decimal || s->any_double)) return refuse(ev, "sum", v);
    return true;
}

static bool add_up_decimals(const Sum *s, Decimal *out) {
    *out = s->decimals;
    return !s->any_integer || decimal_add(s->decimals, decimal_from_int128(s->integers), out);
}

static double add_up_doubles(const Sum *s) {
    double sum = isfinite(s->doubles) ? s->doubles + s->lost : s->doubles;
    if (s->any_integer) sum += (double)s->integers;
    if (s->any_decimal) sum += decimal_to_double(s->decimals);
    return sum;
}

static bool narrow(Eval *ev, const Expr *e, __int128 i, uint8_t type, Value *out) {
    if (i > INT64_MAX || i < INT64_MIN)
        return fail_here(ev, e, SQM_ERROR_NUMERIC_OUT_OF_RANGE, type == SQM_INTERVAL ? "interval out of range" : "bigint out of range");
    return give(out, (Value){.type = type, .u.i = (int64_t)i});
}

static bool give_double(Eval *ev, const Expr *e, double d, bool may_be_infinite, Value *out) {
    if (isinf(d) && !may_be_infinite) return fail_here(ev, e, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value out of range: overflow");
    return give(out, sqm_double(d));
}

static bool wants(const Expr *e, TypeTag tag) { return e && e->type.tag == tag; }

FINISH(sum_finish) {
    const Sum *s = state;
    Decimal d;
    if (!s->n) return give(out, sqm_null());
    if (s->any_interval) return narrow(ev, e, s->integers, SQM_INTERVAL, out);
    if (s->any_double) return give_double(ev, e, add_up_doubles(s), s->infinite || (s->any_decimal && !decimal_is_finite(s->decimals)), out);
    if (wants(e, TYPE_FLOAT8)) return give(out, sqm_double(add_up_doubles(s)));
    if (!s->any_decimal && !wants(e, TYPE_NUMERIC)) return narrow(ev, e, s->integers, SQM_INT, out);
    if (!add_up_decimals(s, &d)) return fail_here(ev, e, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value overflows numeric format");
    return give(out, from_decimal(d));
}

/* Half to even, as rint() does it for PostgreSQL's intervals. */
static __int128 divide_rounded(__int128 sum, int64_t n) {
    __int128 quotient = sum / n, rest = sum % n, twice = (rest < 0 ? -rest : rest) * 2;
    if (twice > n || (twice == n && (quotient & 1))) quotient += sum < 0 ? -1 : 1;
    return quotient;
}

FINISH(avg_finish) {
    const Sum *s = state;
    Decimal d;
    if (!s->n) return give(out, sqm_null());
    if (s->any_interval) return narrow(ev, e, divide_rounded(s->integers, s->n), SQM_INTERVAL, out);
    if (s->any_double || wants(e, TYPE_FLOAT8)) {
        bool infinite = s->infinite || (s->any_decimal && !decimal_is_finite(s->decimals));
        return give_double(ev, e, add_up_doubles(s) / (double)s->n, infinite, out);
    }
    if (!add_up_decimals(s, &d) || !decimal_div(d, decimal_from_int(s->n), &d)) return fail_here(ev, e, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value overflows numeric format");
    return give(out, from_decimal(d));
}

bool aggregate_mean(Eval *ev, const Expr *e, const Value *sum, int64_t n, Value *out) {
    Sum s = {0};
    if (n && !sum_step(ev, &s, ev->arena, sum, 1)) return false;
    s.n = n;
    return avg_finish(ev, &s, ev->arena, e, out);
}

/* ---- min, max, any_value ---- */

STEP(min_step) {
    Slot *s = state;
    if (!s->filled || value_order(&args[0], &s->value) < 0) slot_set(s, arena, &args[0]);
    return true;
}

STEP(max_step) {
    Slot *s = state;
    if (!s->filled || value_order(&args[0], &s->value) > 0) slot_set(s, arena, &args[0]);
    return true;
}

STEP(any_step) {
    Slot *s = state;
    if (!s->filled) slot_set(s, arena, &args[0]);
    return true;
}

FINISH(slot_finish) {
    const Slot *s = state;
    return give(out, s->filled ? value_copy(arena, &s->value) : sqm_null());   /* the slot's buffer is written again */
}

/* ---- booleans and bits ---- */

typedef struct Fold { bool any, b; int64_t i; } Fold;

STEP(and_step) {
    Fold *f = state;
    if (args[0].type != SQM_BOOL) return refuse(ev, "bool_and", &args[0]);
    f->b = f->any ? f->b && args[0].u.b : args[0].u.b;
    return f->any = true;
}

STEP(or_step) {
    Fold *f = state;
    if (args[0].type != SQM_BOOL) return refuse(ev, "bool_or", &args[0]);
    f->b |= args[0].u.b;
    return f->any = true;
}

FINISH(bool_finish) {
    const Fold *f = state;
    return give(out, f->any ? sqm_bool(f->b) : sqm_null());
}

STEP(bit_and_step) {
    Fold *f = state;
    if (args[0].type != SQM_INT) return refuse(ev, "bit_and", &args[0]);
    f->i = f->any ? f->i & args[0].u.i : args[0].u.i;
    return f->any = true;
}

STEP(bit_or_step) {
    Fold *f = state;
    if (args[0].type != SQM_INT) return refuse(ev, "bit_or", &args[0]);
    f->i |= args[0].u.i;
    return f->any = true;
}

STEP(bit_xor_step) {
    Fold *f = state;
    if (args[0].type != SQM_INT) return refuse(ev, "bit_xor", &args[0]);
    f->i ^= args[0].u.i;
    return f->any = true;
}

FINISH(bit_finish) {
    const Fold *f = state;
    return give(out, f->any ? sqm_int(f->i) : sqm_null());
}

/* ---- statistics ---- */

static bool as_double(Eval *ev, const char *function, const Value *v, double *out) {
    if (v->type == SQM_DOUBLE) *out = v->u.d;
    else if (v->type == SQM_INT) *out = (double)v->u.i;
    else if (v->type == SQM_DECIMAL) *out = decimal_to_double(v->u.decimal);
    else return refuse(ev, function, v);
    return true;
}

typedef struct Deviation { int64_t n; double mean, squares; bool infinite; } Deviation;   /* Welford: squares of distances from the running mean */

STEP(deviation_step) {
    Deviation *d = state;
    double x;
    if (!as_double(ev, "stddev", &args[0], &x)) return false;
    d->n++;
    d->infinite |= !isfinite(x);
    double delta = x - d->mean;
    d->mean += delta / (double)d->n;
    d->squares += delta * (x - d->mean);
    return true;
}

static bool variance(Eval *ev, const Expr *e, const Deviation *d, int64_t less, bool root, Value *out) {
    if (d->n <= less) return give(out, sqm_null());
    if (d->infinite) return give(out, sqm_double(NAN));
    double v = d->squares / (double)(d->n - less);
    if (v < 0) v = 0;
    if (!isfinite(v)) return fail_here(ev, e, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value out of range: overflow");
    return give(out, sqm_double(root ? sqrt(v) : v));
}

FINISH(stddev_samp_finish) { return variance(ev, e, state, 1, true, out); }
FINISH(stddev_pop_finish) { return variance(ev, e, state, 0, true, out); }
FINISH(var_samp_finish) { return variance(ev, e, state, 1, false, out); }
FINISH(var_pop_finish) { return variance(ev, e, state, 0, false, out); }

/* Youngs and Cramer's updates, as PostgreSQL's regression aggregates have them. SQL's order of arguments is (y, x). */
typedef struct Pair { double n, sx, sxx, sy, syy, sxy; } Pair;

STEP(pair_step) {
    Pair *p = state;
    double x, y;
    if (args[1].type == SQM_NULL || args[0].type == SQM_NULL) return true;
    if (!as_double(ev, "regr", &args[0], &y) || !as_double(ev, "regr", &args[1], &x)) return false;
    p->n++;
    p->sx += x;
    p->sy += y;
    if (p->n > 1) {
        double dx = x * p->n - p->sx, dy = y * p->n - p->sy, scale = 1.0 / (p->n * (p->n - 1));
        p->sxx += dx * dx * scale;
        p->syy += dy * dy * scale;
        p->sxy += dx * dy * scale;
    }
    if (!isfinite(x)) p->sxx = p->sxy = NAN;
    if (!isfinite(y)) p->syy = p->sxy = NAN;
    return true;
}

static bool give_if(bool known, double d, Value *out) { return give(out, known ? sqm_double(d) : sqm_null()); }

#define PAIR const Pair *p = state
FINISH(regr_count_finish) { PAIR; return give(out, sqm_int((int64_t)p->n)); }
FINISH(regr_sxx_finish) { PAIR; return give_if(p->n >= 1, p->sxx, out); }
FINISH(regr_syy_finish) { PAIR; return give_if(p->n >= 1, p->syy, out); }
FINISH(regr_sxy_finish) { PAIR; return give_if(p->n >= 1, p->sxy, out); }
FINISH(regr_avgx_finish) { PAIR; return give_if(p->n >= 1, p->sx / p->n, out); }
FINISH(regr_avgy_finish) { PAIR; return give_if(p->n >= 1, p->sy / p->n, out); }
FINISH(covar_pop_finish) { PAIR; return give_if(p->n >= 1, p->sxy / p->n, out); }
FINISH(covar_samp_finish) { PAIR; return give_if(p->n >= 2, p->sxy / (p->n - 1), out); }
FINISH(corr_finish) { PAIR; return give_if(p->n >= 1 && p->sxx != 0 && p->syy != 0, p->sxy / sqrt(p->sxx * p->syy), out); }
FINISH(regr_slope_finish) { PAIR; return give_if(p->n >= 1 && p->sxx != 0, p->sxy / p->sxx, out); }
FINISH(regr_intercept_finish) { PAIR; return give_if(p->n >= 1 && p->sxx != 0, (p->sy - p->sx * p->sxy / p->sxx) / p->n, out); }
FINISH(regr_r2_finish) { PAIR; return give_if(p->n >= 1 && p->sxx != 0, p->syy == 0 ? 1 : p->sxy * p->sxy / (p->sxx * p->syy), out); }

/* ---- collections ---- */

typedef struct Joined { Text text; bool any, bytes; } Joined;

STEP(string_step) {
    Joined *j = state;
    const Value *v = &args[0], *delimiter = &args[1];
    if (v->type != SQM_TEXT && v->type != SQM_BYTES) return refuse(ev, "string_agg", v);
    if (delimiter->type != SQM_NULL && delimiter->type != v->type) return refuse(ev, "string_agg", delimiter);
    if (j->any && j->bytes != (v->type == SQM_BYTES)) return refuse(ev, "string_agg", v);
    if (!j->any) j->text.arena = arena;
    if (j->any && delimiter->type != SQM_NULL) text_add(&j->text, delimiter->u.text, delimiter->len);
    text_add(&j->text, v->u.text, v->len);
    if (j->text.n > INT32_MAX) return error_set(ev->error, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, "string_agg() result is too long");
    j->bytes = v->type == SQM_BYTES;
    return j->any = true;
}

FINISH(string_finish) {
    const Joined *j = state;
    if (!j->any) return give(out, sqm_null());
    *out = sqm_text(j->text.p, j->text.n);
    if (j->bytes) out->type = SQM_BYTES;
    return true;
}

typedef struct List { VEC(Value) items; Value direct; } List;

STEP(array_step) {
    List *l = state;
    vec_push(arena, &l->items, value_copy(arena, &args[0]));
    return true;
}

FINISH(array_finish) {
    const List *l = state;
    if (!l->items.n) return give(out, sqm_null());
    return give(out, (Value){.type = SQM_TUPLE, .len = (uint32_t)l->items.n, .u.tuple = l->items.at});
}

typedef struct Json { JsonBuilder builder; bool any; } Json;

STEP(json_step) {
    Json *j = state;
    if (!j->any) j->builder = json_builder(arena, true);
    json_add(&j->builder, STR(""), &args[0]);
    return j->any = true;
}

STEP(json_object_step) {
    Json *j = state;
    if (args[0].type == SQM_NULL) return error_set(ev->error, SQM_ERROR_INVALID_ARGUMENT, "field name must not be null");
    if (!j->any) j->builder = json_builder(arena, false);
    Str key = value_text(arena, &args[0]);
    if (key.n && memchr(key.p, 0, key.n)) return error_set(ev->error, SQM_ERROR_INVALID_TEXT, "a field name cannot hold a zero byte");
    json_add(&j->builder, key, &args[1]);
    return j->any = true;
}

FINISH(json_finish_) {
    Json *j = state;
    if (!j->any) return give(out, sqm_null());
    JsonBuilder copy = j->builder;              /* finishing closes the bytes; a window may ask again after further rows */
    copy.raw.p = arena_copy(arena, j->builder.raw.p, j->builder.raw.n);
    copy.raw.cap = copy.raw.n;
    copy.raw.arena = arena;
    return give(out, json_finish(&copy));
}

/* ---- ordered sets: rows arrive sorted by WITHIN GROUP's ORDER BY ---- */

STEP(percentile_step) {
    List *l = state;
    if (!l->items.n) l->direct = value_copy(arena, &args[1]);
    vec_push(arena, &l->items, value_copy(arena, &args[0]));
    return true;
}

static bool continuous(Eval *ev, const List *l, double fraction, Value *out) {
    double position = fraction * (double)(l->items.n - 1), below = floor(position), part = position - below, x, y;
    const Value *low = &l->items.at[(int)below], *high = &l->items.at[(int)ceil(position)];
    if (low->type == SQM_INTERVAL && high->type == SQM_INTERVAL)
        return give(out, (Value){.type = SQM_INTERVAL, .u.i = low->u.i + (int64_t)rint(part * ((double)high->u.i - (double)low->u.i))});
    if (!as_double(ev, "percentile_cont", low, &x) || !as_double(ev, "percentile_cont", high, &y)) return false;
    return give(out, sqm_double(low == high ? x : x + part * (y - x)));
}

static bool discrete(Eval *ev __attribute__((unused)), const List *l, double fraction, Value *out) {
    int row = (int)ceil(fraction * (double)l->items.n);
    return give(out, l->items.at[row > 0 ? row - 1 : 0]);
}

typedef bool (*Percentile)(Eval *ev, const List *l, double fraction, Value *out);

static bool percentile_of(Eval *ev, const Expr *e, const List *l, const Value *fraction, Percentile compute, Value *out) {
    double f;
    if (fraction->type == SQM_NULL) return give(out, sqm_null());
    if (!as_double(ev, "percentile", fraction, &f)) return false;
    if (!(f >= 0 && f <= 1)) {
        char message[80], number[DOUBLE_TEXT];
        value_double_text(f, number);
        snprintf(message, sizeof message, "percentile value %s is not between 0 and 1", number);
        return fail_here(ev, e, SQM_ERROR_NUMERIC_OUT_OF_RANGE, message);
    }
    return compute(ev, l, f, out);
}

static bool percentile(Eval *ev, const List *l, Arena *arena, const Expr *e, Percentile compute, Value *out) {
    if (e && (!e->order || !e->order->n)) return fail_here(ev, e, SQM_ERROR_GROUPING, "WITHIN GROUP is required for an ordered-set aggregate");
    if (!l->items.n) return give(out, sqm_null());
    const Value *direct = &l->direct;
    if (direct->type != SQM_TUPLE) return percentile_of(ev, e, l, direct, compute, out);
    Value *results = NEW_ARRAY(arena, Value, direct->len);
    for (uint32_t i = 0; i < direct->len; i++)
        if (!percentile_of(ev, e, l, &direct->u.tuple[i], compute, &results[i])) return false;
    return give(out, (Value){.type = SQM_TUPLE, .len = direct->len, .u.tuple = results});
}

FINISH(percentile_cont_finish) { return percentile(ev, state, arena, e, continuous, out); }
FINISH(percentile_disc_finish) { return percentile(ev, state, arena, e, discrete, out); }

typedef struct Mode { Slot current, best; int64_t run, best_run; } Mode;

STEP(mode_step) {
    Mode *m = state;
    if (m->current.filled && value_same(&m->current.value, &args[0])) {
        m->run++;
    } else {
        slot_set(&m->current, arena, &args[0]);
        m->run = 1;
    }
    if (m->run > m->best_run) {
        m->best_run = m->run;
        if (m->run == 1 || !value_same(&m->best.value, &m->current.value)) slot_set(&m->best, arena, &m->current.value);
    }
    return true;
}

FINISH(mode_finish) {
    const Mode *m = state;
    if (e && (!e->order || !e->order->n)) return fail_here(ev, e, SQM_ERROR_GROUPING, "WITHIN GROUP is required for an ordered-set aggregate");
    return give(out, m->best.filled ? value_copy(arena, &m->best.value) : sqm_null());
}

/* ---- the table ---- */

static const Aggregate aggregates[] = {
    {"any_value", 1, 1, rule_same, true, sizeof(Slot), any_step, slot_finish, "some value that isn't NULL (the first met)"},
    {"array_agg", 1, 1, rule_array, false, sizeof(List), array_step, array_finish, "all values as an array, NULLs included"},
    {"avg", 1, 1, rule_avg, true, sizeof(Sum), sum_step, avg_finish, "arithmetic mean"},
    {"bit_and", 1, 1, rule_bits, true, sizeof(Fold), bit_and_step, bit_finish, "bitwise AND of integers"},
    {"bit_or", 1, 1, rule_bits, true, sizeof(Fold), bit_or_step, bit_finish, "bitwise OR of integers"},
    {"bit_xor", 1, 1, rule_bits, true, sizeof(Fold), bit_xor_step, bit_finish, "bitwise exclusive OR of integers"},
    {"bool_and", 1, 1, rule_bool, true, sizeof(Fold), and_step, bool_finish, "true if all values are"},
    {"bool_or", 1, 1, rule_bool, true, sizeof(Fold), or_step, bool_finish, "true if any value is"},
    {"corr", 2, 2, rule_pair, true, sizeof(Pair), pair_step, corr_finish, "correlation coefficient of (y, x)"},
    {"count", 0, 1, rule_count, true, sizeof(Count), count_step, count_finish, "number of rows, or of values that aren't NULL"},
    {"covar_pop", 2, 2, rule_pair, true, sizeof(Pair), pair_step, covar_pop_finish, "population covariance of (y, x)"},
    {"covar_samp", 2, 2, rule_pair, true, sizeof(Pair), pair_step, covar_samp_finish, "sample covariance of (y, x)"},
    {"every", 1, 1, rule_bool, true, sizeof(Fold), and_step, bool_finish, "true if all values are"},
    {"json_agg", 1, 1, rule_json, false, sizeof(Json), json_step, json_finish_, "all values as a JSON array"},
    {"json_object_agg", 2, 2, rule_json, false, sizeof(Json), json_object_step, json_finish_, "all (key, value) pairs as a JSON object"},
    {"jsonb_agg", 1, 1, rule_json, false, sizeof(Json), json_step, json_finish_, "all values as a JSON array"},
    {"jsonb_object_agg", 2, 2, rule_json, false, sizeof(Json), json_object_step, json_finish_, "all (key, value) pairs as a JSON object"},
    {"max", 1, 1, rule_same, true, sizeof(Slot), max_step, slot_finish, "greatest value"},
    {"min", 1, 1, rule_same, true, sizeof(Slot), min_step, slot_finish, "least value"},
    {"mode", 1, 1, rule_same, true, sizeof(Mode), mode_step, mode_finish, "most frequent value: mode() WITHIN GROUP (ORDER BY x)"},
    {"percentile_cont", 2, 2, rule_continuous, true, sizeof(List), percentile_step, percentile_cont_finish, "interpolated percentile: percentile_cont(0.5) WITHIN GROUP (ORDER BY x)"},
    {"percentile_disc", 2, 2, rule_discrete, true, sizeof(List), percentile_step, percentile_disc_finish, "first value at or beyond a fraction of the rows: percentile_disc(0.5) WITHIN GROUP (ORDER BY x)"},
    {"regr_avgx", 2, 2, rule_pair, true, sizeof(Pair), pair_step, regr_avgx_finish, "mean of x over pairs (y, x)"},
    {"regr_avgy", 2, 2, rule_pair, true, sizeof(Pair), pair_step, regr_avgy_finish, "mean of y over pairs (y, x)"},
    {"regr_count", 2, 2, rule_pair_count, true, sizeof(Pair), pair_step, regr_count_finish, "number of pairs without NULL"},
    {"regr_intercept", 2, 2, rule_pair, true, sizeof(Pair), pair_step, regr_intercept_finish, "y where the least-squares line crosses x = 0"},
    {"regr_r2", 2, 2, rule_pair, true, sizeof(Pair), pair_step, regr_r2_finish, "square of the correlation coefficient"},
    {"regr_slope", 2, 2, rule_pair, true, sizeof(Pair), pair_step, regr_slope_finish, "slope of the least-squares line"},
    {"regr_sxx", 2, 2, rule_pair, true, sizeof(Pair), pair_step, regr_sxx_finish, "sum of squares of x about its mean"},
    {"regr_sxy", 2, 2, rule_pair, true, sizeof(Pair), pair_step, regr_sxy_finish, "sum of products about the means"},
    {"regr_syy", 2, 2, rule_pair, true, sizeof(Pair), pair_step, regr_syy_finish, "sum of squares of y about its mean"},
    {"stddev", 1, 1, rule_deviation, true, sizeof(Deviation), deviation_step, stddev_samp_finish, "sample standard deviation"},
    {"stddev_pop", 1, 1, rule_deviation, true, sizeof(Deviation), deviation_step, stddev_pop_finish, "population standard deviation"},
    {"stddev_samp", 1, 1, rule_deviation, true, sizeof(Deviation), deviation_step, stddev_samp_finish, "sample standard deviation"},
    {"string_agg", 2, 2, rule_string, true, sizeof(Joined), string_step, string_finish, "values joined with a delimiter between them"},
    {"sum", 1, 1, rule_sum, true, sizeof(Sum), sum_step, sum_finish, "sum"},
    {"var_pop", 1, 1, rule_deviation, true, sizeof(Deviation), deviation_step, var_pop_finish, "population variance"},
    {"var_samp", 1, 1, rule_deviation, true, sizeof(Deviation), deviation_step, var_samp_finish, "sample variance"},
    {"variance", 1, 1, rule_deviation, true, sizeof(Deviation), deviation_step, var_samp_finish, "sample variance"},
};
enum { N_AGGREGATES = sizeof aggregates / sizeof *aggregates };

const Aggregate *aggregate_find(Str name) {
    int low = 0, high = N_AGGREGATES - 1;                       /* the table is in order of names */
    while (low <= high) {
        int middle = (low + high) / 2;
        const char *candidate = aggregates[middle].name;
        int order = strncmp(name.p, candidate, name.n);
        if (order == 0 && candidate[name.n]) order = -1;
        if (order == 0) return &aggregates[middle];
        if (order < 0) high = middle - 1;
        else low = middle + 1;
    }
    return NULL;
}

const Aggregate *aggregate_at(int i) { return i >= 0 && i < N_AGGREGATES ? &aggregates[i] : NULL; }
