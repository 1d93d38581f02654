/* function_math.c - arithmetic operators and mathematical functions.
 *
 * Operators decide by the run-time tags: integers in 64 bits with an error on overflow, decimals by decimal.h, anything with a double in doubles; dates,
 * times and intervals are datetime_add's and datetime_scale's, JSON's minus is sql_json_delete's. An untyped text operand is read as the other's type.
 * Functions are numeric for numeric arguments and double precision otherwise, integers included, as in PostgreSQL:
 *     7 / 2 = 3        7.0 / 2 = 3.5000000000000000        round(2.5) = 3        round(2.5::float8) = 2        sqrt(2.0) = 1.414213562373095
 * Roots, powers and logarithms of numerics have PostgreSQL's number of digits, as far as DECIMAL_KNOWN significant ones go; integer powers have 34. */
#include <math.h>
#include <stdio.h>
#include <sys/random.h>

#include "decimal.h"
#include "scalar.h"

static bool give_int(Value *out, int64_t i) { return *out = sqm_int(i), true; }
static bool give_decimal(Value *out, Decimal d) { return *out = scalar_from_decimal(d), true; }

static bool out_of_range(Eval *ev, const char *type) { return scalar_fail(ev, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "%s out of range", type); }
static bool by_zero(Eval *ev) { return scalar_fail(ev, SQM_ERROR_DIVISION_BY_ZERO, "division by zero"); }

static bool is_numeric_value(const Value *v) { return v->type == SQM_INT || v->type == SQM_DOUBLE || v->type == SQM_DECIMAL; }

/* A double result computed from finite arguments must be finite. */
static bool give_double(Eval *ev, double d, bool finite_arguments, Value *out) {
    if (isinf(d) && finite_arguments) return scalar_fail(ev, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value out of range: overflow");
    return *out = sqm_double(d), true;
}

/* ---- operators ---- */

/* Copies the operands, reading untyped text as the other's type. */
static bool operands(Eval *ev, const Value *args, Value *a, Value *b) {
    *a = args[0];
    *b = args[1];
    if (a->type == SQM_TEXT && b->type == SQM_TEXT) return cast_value(ev, &args[0], TYPE(NUMERIC), a) && cast_value(ev, &args[1], TYPE(NUMERIC), b);
    if (a->type == SQM_TEXT) return cast_value(ev, &args[0], cast_natural_type(b), a);
    if (b->type == SQM_TEXT) return cast_value(ev, &args[1], cast_natural_type(a), b);
    return true;
}

static bool no_operator(Eval *ev, const char *op, const Value *a, const Value *b) {
    return scalar_fail(ev, SQM_ERROR_UNDEFINED_FUNCTION, "operator does not exist: %s %s %s", value_type_name(a), op, value_type_name(b));
}

/* Where both operands are to be computed with: the widest of the two. */
typedef enum Domain { DOMAIN_INT, DOMAIN_DECIMAL, DOMAIN_DOUBLE, DOMAIN_NONE } Domain;
static Domain domain_of(const Value *a, const Value *b) {
    if (!is_numeric_value(a) || !is_numeric_value(b)) return DOMAIN_NONE;
    if (a->type == SQM_DOUBLE || b->type == SQM_DOUBLE) return DOMAIN_DOUBLE;
    return a->type == SQM_DECIMAL || b->type == SQM_DECIMAL ? DOMAIN_DECIMAL : DOMAIN_INT;
}

static Decimal decimal_of(const Value *v) { return v->type == SQM_DECIMAL ? v->u.decimal : decimal_from_int(v->u.i); }
static double double_of(const Value *v) { return v->type == SQM_DOUBLE ? v->u.d : v->type == SQM_INT ? (double)v->u.i : decimal_to_double(v->u.decimal); }

typedef bool (*DecimalOperation)(Decimal, Decimal, Decimal *);

static bool by_decimal(Eval *ev, DecimalOperation operation, const Value *a, const Value *b, Value *out) {
    Decimal d;
    return operation(decimal_of(a), decimal_of(b), &d) ? give_decimal(out, d) : scalar_fail(ev, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value overflows numeric format");
}

static bool add_or_subtract(Eval *ev, const Expr *e, const Value *args, bool subtract, Value *out) {
    Value a = args[0], b = args[1];
    bool handled;
    if (!datetime_add(ev, e, &a, &b, subtract, out, &handled)) return false;
    if (handled) return true;
    if (!operands(ev, args, &a, &b)) return false;
    int64_t i;
    switch (domain_of(&a, &b)) {
    case DOMAIN_INT:
        if (subtract ? __builtin_sub_overflow(a.u.i, b.u.i, &i) : __builtin_add_overflow(a.u.i, b.u.i, &i)) return out_of_range(ev, "bigint");
        return give_int(out, i);
    case DOMAIN_DECIMAL: return by_decimal(ev, subtract ? decimal_sub : decimal_add, &a, &b, out);
    case DOMAIN_DOUBLE: {
        double x = double_of(&a), y = double_of(&b);
        return give_double(ev, subtract ? x - y : x + y, isfinite(x) && isfinite(y), out);
    }
    case DOMAIN_NONE: break;
    }
    return no_operator(ev, subtract ? "-" : "+", &a, &b);
}

static bool negate(Eval *ev, const Value *v, Value *out) {
    Value a = *v;
    if (a.type == SQM_TEXT && !cast_value(ev, v, TYPE(NUMERIC), &a)) return false;
    *out = a;
    if (a.type == SQM_DOUBLE) out->u.d = -a.u.d;
    else if (a.type == SQM_DECIMAL) out->u.decimal = decimal_neg(a.u.decimal);
    else if (a.type != SQM_INT && a.type != SQM_INTERVAL) return scalar_fail(ev, SQM_ERROR_UNDEFINED_FUNCTION, "operator does not exist: - %s", value_type_name(&a));
    else if (__builtin_sub_overflow(0, a.u.i, &out->u.i)) return out_of_range(ev, a.type == SQM_INT ? "bigint" : "interval");
    return true;
}

SCALAR(sql_add) {
    if (n == 1) return *out = args[0], true;
    return add_or_subtract(ev, e, args, false, out);
}

SCALAR(sql_subtract) {
    if (n == 1) return negate(ev, &args[0], out);
    if (args[0].type == SQM_JSON || args[0].type == SQM_BSON) return sql_json_delete(ev, e, args, n, out);
    return add_or_subtract(ev, e, args, true, out);
}

SCALAR(sql_multiply) {
    Value a, b;
    bool handled;
    if (!datetime_scale(ev, &args[0], &args[1], false, out, &handled)) return false;
    if (handled) return true;
    if (!operands(ev, args, &a, &b)) return false;
    int64_t i;
    switch (domain_of(&a, &b)) {
    case DOMAIN_INT: return __builtin_mul_overflow(a.u.i, b.u.i, &i) ? out_of_range(ev, "bigint") : give_int(out, i);
    case DOMAIN_DECIMAL: return by_decimal(ev, decimal_mul, &a, &b, out);
    case DOMAIN_DOUBLE: return give_double(ev, double_of(&a) * double_of(&b), isfinite(double_of(&a)) && isfinite(double_of(&b)), out);
    case DOMAIN_NONE: break;
    }
    return no_operator(ev, "*", &a, &b);
}

SCALAR(sql_divide) {
    Value a, b;
    bool handled;
    if (!datetime_scale(ev, &args[0], &args[1], true, out, &handled)) return false;
    if (handled) return true;
    if (!operands(ev, args, &a, &b)) return false;
    switch (domain_of(&a, &b)) {
    case DOMAIN_INT:
        if (b.u.i == 0) return by_zero(ev);
        if (b.u.i == -1) return negate(ev, &a, out);
        return give_int(out, a.u.i / b.u.i);
    case DOMAIN_DECIMAL: return decimal_is_zero(decimal_of(&b)) && !decimal_is_nan(decimal_of(&a)) ? by_zero(ev) : by_decimal(ev, decimal_div, &a, &b, out);
    case DOMAIN_DOUBLE: {
        double x = double_of(&a), y = double_of(&b);
        return y == 0 && !isnan(x) ? by_zero(ev) : give_double(ev, x / y, isfinite(x), out);
    }
    case DOMAIN_NONE: break;
    }
    return no_operator(ev, "/", &a, &b);
}

SCALAR(sql_modulo) {
    Value a, b;
    if (!operands(ev, args, &a, &b)) return false;
    switch (domain_of(&a, &b)) {
    case DOMAIN_INT:
        if (b.u.i == 0) return by_zero(ev);
        return give_int(out, b.u.i == -1 ? 0 : a.u.i % b.u.i);
    case DOMAIN_DECIMAL: return decimal_is_zero(decimal_of(&b)) && !decimal_is_nan(decimal_of(&a)) ? by_zero(ev) : give_decimal(out, decimal_mod(decimal_of(&a), decimal_of(&b)));
    case DOMAIN_DOUBLE: return double_of(&b) == 0 ? by_zero(ev) : give_double(ev, fmod(double_of(&a), double_of(&b)), false, out);
    case DOMAIN_NONE: break;
    }
    return no_operator(ev, "%", &a, &b);
}

static bool bit_operands(Eval *ev, const Value *args, const char *op, int64_t *a, int64_t *b) {
    Value x, y;
    if (!operands(ev, args, &x, &y)) return false;
    if (x.type != SQM_INT || y.type != SQM_INT) return no_operator(ev, op, &x, &y);
    *a = x.u.i;
    *b = y.u.i;
    return true;
}

SCALAR(sql_bit_and) {
    int64_t a, b;
    return bit_operands(ev, args, "&", &a, &b) && give_int(out, a & b);
}
SCALAR(sql_bit_or) {
    int64_t a, b;
    return bit_operands(ev, args, "|", &a, &b) && give_int(out, a | b);
}
SCALAR(sql_bit_xor) {
    int64_t a, b;
    return bit_operands(ev, args, "#", &a, &b) && give_int(out, a ^ b);
}
SCALAR(sql_bit_not) {
    int64_t a;
    return scalar_int(ev, &args[0], &a) && give_int(out, ~a);
}
/* Counts are taken modulo 64, as the processor's shifts (and so PostgreSQL's) do. */
SCALAR(sql_shift_left) {
    int64_t a, b;
    return bit_operands(ev, args, "<<", &a, &b) && give_int(out, (int64_t)((uint64_t)a << (b & 63)));
}
SCALAR(sql_shift_right) {
    int64_t a, b;
    return bit_operands(ev, args, ">>", &a, &b) && give_int(out, a >> (b & 63));
}

/* ---- roots, powers, logarithms ---- */

/* PostgreSQL's limits of a result's scale, and its significant digits at least. */
enum { MOST_SCALE = 1000, SIGNIFICANT = 16 };

/* `scale` digits after the point, but no more than the significant ones that are known. */
static bool give_known(Eval *ev, Decimal d, int scale, Value *out) {
    if (!decimal_is_finite(d)) return scalar_fail(ev, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value overflows numeric format");
    int known = DECIMAL_KNOWN - 1 - decimal_weight(d);
    if (scale > MOST_SCALE) scale = MOST_SCALE;
    if (scale < 0) scale = 0;
    return give_decimal(out, decimal_round(d, known < scale && !decimal_is_zero(d) ? known : scale, ROUND_HALF_AWAY));
}

static int larger(int a, int b) { return a > b ? a : b; }

/* Is the function to be computed in numeric? Otherwise *x holds the arguments as doubles. */
static bool numeric_arguments(Eval *ev, const Value *args, int n, Decimal *d, double *x, bool *numeric) {
    bool has_double = false, has_decimal = false;
    for (int i = 0; i < n; i++) {
        has_double |= args[i].type == SQM_DOUBLE || args[i].type == SQM_TEXT;
        has_decimal |= args[i].type == SQM_DECIMAL;
    }
    *numeric = has_decimal && !has_double;
    for (int i = 0; i < n; i++) {
        if (*numeric ? !scalar_decimal(ev, &args[i], &d[i]) : !scalar_double(ev, &args[i], &x[i])) return false;
        if (*numeric && !decimal_is_finite(d[i])) {
            *numeric = false;                       /* NaN and infinities obey the same laws in doubles */
            for (i = 0; i < n; i++)
                if (!scalar_double(ev, &args[i], &x[i])) return false;
        }
    }
    return true;
}

static bool bad_argument(Eval *ev, const char *message) { return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "%s", message); }

/* PostgreSQL keeps numerics in base 10000 and counts a root's digits in those. */
static int group_weight(Decimal d) {
    int weight = decimal_weight(d);
    return (weight - (weight < 0 ? 3 : 0)) / 4;
}

SCALAR(sql_sqrt) {
    Decimal d;
    double x;
    bool numeric;
    if (!numeric_arguments(ev, args, 1, &d, &x, &numeric)) return false;
    if (numeric ? decimal_sign(d) < 0 : x < 0) return bad_argument(ev, "cannot take square root of a negative number");
    if (!numeric) return give_double(ev, sqrt(x), false, out);
    return give_known(ev, decimal_sqrt(d), larger(SIGNIFICANT - ((group_weight(d) + 1) * 2 - 1), decimal_scale(d)), out);
}

/* e^d with 16 significant digits, and no fewer than `scale` after the point. Where PostgreSQL gives up is its own choice. */
static bool exponential(Eval *ev, Decimal d, int scale, Value *out) {
    enum { OVERFLOW = 6000 };
    Decimal result;
    if (decimal_compare_int(d, OVERFLOW) >= 0 || !decimal_exp(d, &result)) return scalar_fail(ev, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value overflows numeric format");
    if (decimal_compare_int(d, -OVERFLOW) < 0) result = decimal_from_int(0);
    double weight = decimal_to_double(d) * M_LOG10E;
    return give_known(ev, result, larger(SIGNIFICANT - (int)(weight < -MOST_SCALE ? -MOST_SCALE : weight), scale), out);
}

SCALAR(sql_exp) {
    Decimal d;
    double x;
    bool numeric;
    if (!numeric_arguments(ev, args, 1, &d, &x, &numeric)) return false;
    if (!numeric) return give_double(ev, exp(x), isfinite(x), out);
    return exponential(ev, d, decimal_scale(d), out);
}

static bool logarithm_domain(Eval *ev, bool zero, bool negative) {
    if (zero) return bad_argument(ev, "cannot take logarithm of zero");
    return !negative || bad_argument(ev, "cannot take logarithm of a negative number");
}

/* Where the first digit of ln(d) stands, as PostgreSQL estimates it: what a logarithm's digits are counted by. */
static int logarithm_weight(Decimal d) {
    Decimal beyond = d, one = decimal_from_int(1);
    decimal_sub(d, one, &beyond);
    if (decimal_compare_double(decimal_abs(beyond), 0.1) <= 0) return decimal_weight(beyond);
    int weight = decimal_weight(d);
    double ln = log(decimal_to_double(decimal_shift(d, -weight))) + weight * M_LN10;
    return (int)log10(fabs(ln));
}

static int logarithm_scale(int weight, int scale) { return larger(SIGNIFICANT - weight, scale); }

SCALAR(sql_ln) {
    Decimal d;
    double x;
    bool numeric;
    if (!numeric_arguments(ev, args, 1, &d, &x, &numeric)) return false;
    if (numeric ? !logarithm_domain(ev, decimal_is_zero(d), decimal_sign(d) < 0) : !logarithm_domain(ev, x == 0, x < 0)) return false;
    if (!numeric) return give_double(ev, log(x), false, out);
    return give_known(ev, decimal_ln(d), logarithm_scale(logarithm_weight(d), decimal_scale(d)), out);
}

static bool numeric_logarithm(Eval *ev, Decimal base, Decimal d, Value *out) {
    Decimal below = decimal_ln(base), result;
    if (decimal_is_zero(below)) return by_zero(ev);
    if (!decimal_quotient(decimal_ln(d), below, &result)) return scalar_fail(ev, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value overflows numeric format");
    return give_known(ev, result, logarithm_scale(logarithm_weight(d) - logarithm_weight(base), larger(decimal_scale(base), decimal_scale(d))), out);
}

/* log(x) to base 10, log(base, x). The latter is PostgreSQL's for numerics alone: doubles are read as its cast reads them. */
SCALAR(sql_log) {
    Decimal d[2] = {decimal_from_int(10), decimal_from_int(10)};
    double x[2] = {10, 10};
    bool numeric;
    Value both[2] = {args[0], args[n - 1]};
    if (n == 2 && args[0].type == SQM_INT && args[1].type == SQM_INT) both[0] = scalar_from_decimal(decimal_from_int(args[0].u.i));
    int first = n == 1;                             /* of what the caller gave */
    if (!numeric_arguments(ev, both + first, n, d + first, x + first, &numeric)) return false;
    for (int i = first; i < 2; i++)
        if (numeric ? !logarithm_domain(ev, decimal_is_zero(d[i]), decimal_sign(d[i]) < 0) : !logarithm_domain(ev, x[i] == 0, x[i] < 0)) return false;
    if (numeric) return numeric_logarithm(ev, d[0], d[1], out);
    if (n == 1) return give_double(ev, log10(x[1]), false, out);
    if (x[0] == 1) return by_zero(ev);
    if (!isfinite(x[0]) || !isfinite(x[1])) return give_double(ev, log(x[1]) / log(x[0]), false, out);
    Value logarithm;
    if (!numeric_logarithm(ev, decimal_from_double(x[0]), decimal_from_double(x[1]), &logarithm)) return false;
    return give_double(ev, decimal_to_double(logarithm.u.decimal), false, out);
}

/* Exact as far as 34 digits go; false when it overflows. */
static bool integer_power(Decimal base, int64_t exponent, Decimal *out) {
    uint64_t left = exponent < 0 ? 0 - (uint64_t)exponent : (uint64_t)exponent;
    Decimal result = decimal_from_int(1);
    for (;; left >>= 1) {
        if ((left & 1) && !decimal_mul(result, base, &result)) return false;
        if (left <= 1) break;
        if (!decimal_mul(base, base, &base)) return false;
    }
    *out = result;
    return true;
}

/* A negative exponent's power is the reciprocal of the other, which may be too large or too small to be held. */
static bool whole_power(Decimal base, int64_t exponent, Decimal *out) {
    Decimal result;
    bool held = integer_power(base, exponent, &result);
    if (exponent >= 0 || !held) return *out = held ? result : decimal_from_int(0), held || exponent < 0;
    return !decimal_is_zero(result) && decimal_quotient(decimal_from_int(1), result, out);
}

SCALAR(sql_power) {
    Decimal d[2], result;
    double x[2];
    bool numeric;
    int64_t exponent;
    if (!numeric_arguments(ev, args, 2, d, x, &numeric)) return false;
    if (numeric ? decimal_is_zero(d[0]) && decimal_sign(d[1]) < 0 : x[0] == 0 && x[1] < 0) return bad_argument(ev, "zero raised to a negative power is undefined");
    bool whole = numeric ? decimal_is_int(d[1], &exponent) : x[1] == floor(x[1]);
    if (!whole && (numeric ? decimal_sign(d[0]) < 0 : isfinite(x[0]) && x[0] < 0)) return bad_argument(ev, "a negative number raised to a non-integer power yields a complex result");
    if (!numeric) return give_double(ev, pow(x[0], x[1]), isfinite(x[0]) && isfinite(x[1]), out);
    int scale = larger(decimal_scale(d[0]), decimal_scale(d[1]));
    if (whole) {
        if (!whole_power(d[0], exponent, &result)) return scalar_fail(ev, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value overflows numeric format");
        return give_decimal(out, decimal_round(result, larger(SIGNIFICANT, scale), ROUND_HALF_AWAY));
    }
    if (decimal_is_zero(d[0])) return give_decimal(out, decimal_round(decimal_from_int(0), SIGNIFICANT, ROUND_HALF_AWAY));
    if (!decimal_mul(d[1], decimal_ln(d[0]), &result)) return scalar_fail(ev, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value overflows numeric format");
    return exponential(ev, result, scale, out);
}

/* ---- rounding ---- */

static double round_half_even(double x) {
    double r = round(x);
    return fabs(x - trunc(x)) == 0.5 ? 2 * round(x / 2) : r;
}
static double truncate_double(double x) { return trunc(x); }

/* round(x) of a double goes to even, of a numeric away from zero; with a number of digits a double is rounded by its decimal form. */
static bool round_to(Eval *ev, const Value *args, int n, DecimalRounding how, double (*plain)(double), Value *out) {
    Decimal d;
    double x;
    int64_t digits = 0;
    bool numeric;
    if (n > 1 && !scalar_int(ev, &args[1], &digits)) return false;
    if (digits > 2000) digits = 2000;
    if (digits < -2000) digits = -2000;
    if (n > 1 && args[0].type != SQM_DOUBLE) {
        if (!scalar_decimal(ev, &args[0], &d)) return false;
        return give_decimal(out, decimal_round(d, (int)digits, how));
    }
    if (!numeric_arguments(ev, args, 1, &d, &x, &numeric)) return false;
    if (numeric) return give_decimal(out, decimal_round(d, 0, how));
    if (n == 1 || !isfinite(x)) return give_double(ev, n == 1 ? plain(x) : x, false, out);
    return give_double(ev, decimal_to_double(decimal_round(decimal_from_double(x), (int)digits, how)), false, out);
}
SCALAR(sql_round) { return round_to(ev, args, n, ROUND_HALF_AWAY, round_half_even, out); }
SCALAR(sql_trunc) { return round_to(ev, args, n, ROUND_TRUNCATE, truncate_double, out); }
SCALAR(sql_ceil) { return round_to(ev, args, n, ROUND_CEILING, ceil, out); }
SCALAR(sql_floor) { return round_to(ev, args, n, ROUND_FLOOR, floor, out); }

SCALAR(sql_abs) {
    Value v = args[0];
    if (v.type == SQM_TEXT && !cast_value(ev, &args[0], TYPE(NUMERIC), &v)) return false;
    if (v.type == SQM_INT) return v.u.i < 0 ? negate(ev, &v, out) : give_int(out, v.u.i);
    if (v.type == SQM_DECIMAL) return give_decimal(out, decimal_abs(v.u.decimal));
    double x;
    return scalar_double(ev, &v, &x) && give_double(ev, fabs(x), false, out);
}

SCALAR(sql_sign) {
    Decimal d;
    double x;
    bool numeric;
    if (!numeric_arguments(ev, args, 1, &d, &x, &numeric)) return false;
    if (numeric) return give_decimal(out, decimal_from_int(decimal_sign(d)));
    int sign = (x > 0) - (x < 0);
    if (args[0].type != SQM_DECIMAL) return give_double(ev, sign, false, out);
    return give_decimal(out, isnan(x) ? args[0].u.decimal : decimal_from_int(sign));
}

SCALAR(sql_scale) {
    Decimal d;
    if (!scalar_decimal(ev, &args[0], &d)) return false;
    *out = decimal_is_finite(d) ? sqm_int(decimal_scale(d)) : sqm_null();
    return true;
}
SCALAR(sql_trim_scale) {
    Decimal d;
    return scalar_decimal(ev, &args[0], &d) && give_decimal(out, decimal_trim(d));
}

/* div(a, b): the quotient without its fraction. */
SCALAR(sql_div) {
    Decimal a, b, whole;
    if (!scalar_decimal(ev, &args[0], &a) || !scalar_decimal(ev, &args[1], &b)) return false;
    if (decimal_is_zero(b)) return by_zero(ev);
    if (!decimal_is_finite(a) || !decimal_is_finite(b)) return scalar_fail(ev, SQM_ERROR_NOT_SUPPORTED, "div() of NaN or infinity is not supported");
    if (!decimal_sub(a, decimal_mod(a, b), &whole) || !decimal_div(whole, b, &whole)) return scalar_fail(ev, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "value overflows numeric format");
    return give_decimal(out, decimal_round(whole, 0, ROUND_HALF_AWAY));
}

static uint64_t magnitude_of(int64_t i) { return i < 0 ? 0 - (uint64_t)i : (uint64_t)i; }
static uint64_t gcd(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

SCALAR(sql_gcd) {
    int64_t a, b;
    if (!scalar_int(ev, &args[0], &a) || !scalar_int(ev, &args[1], &b)) return false;
    uint64_t g = gcd(magnitude_of(a), magnitude_of(b));
    return g > INT64_MAX ? out_of_range(ev, "bigint") : give_int(out, (int64_t)g);
}

SCALAR(sql_lcm) {
    int64_t a, b;
    uint64_t product;
    if (!scalar_int(ev, &args[0], &a) || !scalar_int(ev, &args[1], &b)) return false;
    if (a == 0 || b == 0) return give_int(out, 0);
    if (__builtin_mul_overflow(magnitude_of(a) / gcd(magnitude_of(a), magnitude_of(b)), magnitude_of(b), &product) || product > INT64_MAX) return out_of_range(ev, "bigint");
    return give_int(out, (int64_t)product);
}

SCALAR(sql_width_bucket) {
    double x[3];
    int64_t count;
    for (int i = 0; i < 3; i++)
        if (!scalar_double(ev, &args[i], &x[i])) return false;
    if (!scalar_int(ev, &args[3], &count)) return false;
    if (count <= 0 || count >= INT32_MAX) return bad_argument(ev, "count must be greater than zero");
    if (isnan(x[0]) || !isfinite(x[1]) || !isfinite(x[2])) return bad_argument(ev, "operand, lower bound, and upper bound cannot be NaN");
    if (x[1] == x[2]) return bad_argument(ev, "lower bound cannot equal upper bound");
    bool up = x[1] < x[2];
    double low = up ? x[1] : x[2], high = up ? x[2] : x[1];
    if (up ? x[0] < low : x[0] > high) return give_int(out, 0);
    if (up ? x[0] >= high : x[0] <= low) return give_int(out, count + 1);
    double part = up ? (x[0] - low) / (high - low) : (high - x[0]) / (high - low);
    int64_t bucket = (int64_t)(part * (double)count);
    return give_int(out, (bucket >= count ? count - 1 : bucket) + 1);
}

/* ---- doubles only ---- */

#define DOUBLE_FUNCTION(name, formula)                                                 \
    SCALAR(name) {                                                                     \
        double x;                                                                      \
        return scalar_double(ev, &args[0], &x) && give_double(ev, formula, isfinite(x), out); \
    }
DOUBLE_FUNCTION(sql_cbrt, cbrt(x))
DOUBLE_FUNCTION(sql_degrees, x * (180.0 / M_PI))
DOUBLE_FUNCTION(sql_radians, x * (M_PI / 180.0))
DOUBLE_FUNCTION(sql_atan, atan(x))
DOUBLE_FUNCTION(sql_tanh, tanh(x))
DOUBLE_FUNCTION(sql_asinh, asinh(x))

/* A function that isn't defined for every double. */
#define RANGE_FUNCTION(name, condition, formula)                                                                                   \
    SCALAR(name) {                                                                                                                 \
        double x;                                                                                                                  \
        if (!scalar_double(ev, &args[0], &x)) return false;                                                                        \
        if (!isnan(x) && !(condition)) return scalar_fail(ev, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "input is out of range");            \
        return *out = sqm_double(formula), true;                                                                                   \
    }
RANGE_FUNCTION(sql_sinh, true, sinh(x))
RANGE_FUNCTION(sql_cosh, true, cosh(x))
RANGE_FUNCTION(sql_sin, isfinite(x), sin(x))
RANGE_FUNCTION(sql_cos, isfinite(x), cos(x))
RANGE_FUNCTION(sql_tan, isfinite(x), tan(x))
RANGE_FUNCTION(sql_cot, isfinite(x), 1.0 / tan(x))
RANGE_FUNCTION(sql_asin, x >= -1 && x <= 1, asin(x))
RANGE_FUNCTION(sql_acos, x >= -1 && x <= 1, acos(x))
RANGE_FUNCTION(sql_acosh, x >= 1, acosh(x))
RANGE_FUNCTION(sql_atanh, x >= -1 && x <= 1, atanh(x))

SCALAR(sql_atan2) {
    double y, x;
    return scalar_double(ev, &args[0], &y) && scalar_double(ev, &args[1], &x) && give_double(ev, atan2(y, x), false, out);
}

SCALAR(sql_pi) { return *out = sqm_double(M_PI), true; }

/* xoshiro256** seeded from the system, one generator for each thread. */
SCALAR(sql_random) {
    static _Thread_local uint64_t s[4];
    if (!(s[0] | s[1] | s[2] | s[3]) && getentropy(s, sizeof s) != 0) return scalar_fail(ev, SQM_ERROR_INTERNAL, "no random numbers from the system");
    uint64_t five = s[1] * 5, result = (five << 7 | five >> 57) * 9, shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = s[3] << 45 | s[3] >> 19;
    return *out = sqm_double((double)(result >> 11) * 0x1p-53), true;
}

/* ---- choosing ---- */

/* Untyped text among other types is read as theirs. */
static bool extreme(Eval *ev, const Expr *e, const Value *args, int n, int sign, Value *out) {
    const Value *typed = NULL;
    *out = sqm_null();
    for (int i = 0; i < n && !typed; i++)
        if (args[i].type != SQM_NULL && args[i].type != SQM_TEXT) typed = &args[i];
    for (int i = 0; i < n; i++) {
        Value v = args[i];
        if (v.type == SQM_NULL) continue;
        if (v.type == SQM_TEXT && typed && !cast_value(ev, &args[i], cast_natural_type(typed), &v)) return false;
        bool unknown = false;
        if (out->type != SQM_NULL && sign * value_compare(&v, out, &unknown) <= 0) {
            if (unknown) return scalar_fail(ev, SQM_ERROR_DATATYPE_MISMATCH, "%s and %s cannot be compared", value_type_name(&v), value_type_name(out));
            continue;
        }
        *out = v;
    }
    /* Parameters that turn out to be dates, among timestamps: one type in every row. */
    bool moment = e->type.tag == TYPE_TIMESTAMP || e->type.tag == TYPE_TIMESTAMPTZ;
    if (moment && out->type == SQM_DATE) {
        Value date = *out;
        return cast_value(ev, &date, e->type, out);
    }
    return true;
}
SCALAR(sql_greatest) { return extreme(ev, e, args, n, 1, out); }
SCALAR(sql_least) { return extreme(ev, e, args, n, -1, out); }

SCALAR(sql_nullif) {
    Value equal, a = args[0], b = args[1];
    if (a.type == SQM_TEXT && b.type != SQM_TEXT && b.type != SQM_NULL && !cast_value(ev, &args[0], cast_natural_type(&b), &a)) return false;
    if (b.type == SQM_TEXT && a.type != SQM_TEXT && a.type != SQM_NULL && !cast_value(ev, &args[1], cast_natural_type(&a), &b)) return false;
    if (!eval_compare(ev, OP_EQ, &a, &b, &equal)) return false;
    *out = equal.type == SQM_BOOL && equal.u.b ? sqm_null() : a;
    return true;
}
