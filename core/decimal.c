/* decimal.c - NUMERIC arithmetic on decimal128. See decimal.h for the contract.
 *
 * In and out: sqm_decimal_t, the 128 bits of BSON's decimal128 in binary integer (BID) encoding, which gcc's _Decimal128 has on this platform too,
 * so a value is reinterpreted, never converted. Sums and products go through the compiler's decimal type (correctly rounded at 34 digits).
 * Whatever depends on the scale (rounding, division, remainder, text) unpacks into sign, coefficient and exponent and works on unsigned __int128:
 * 10^34 needs 113 bits, so a digit step (times ten) cannot overflow. Example: 10 / 4 is asked for 16 digits after the point, 1.10 * 2 is 2.20.
 * Not here: powers, roots and logarithms; those are computed in double or by repeated multiplication by their callers. */
#include "decimal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef unsigned __int128 u128;

enum { DIGITS = 34, EXPONENT_MIN = -6176, EXPONENT_MAX = 6111, DIVISION_DIGITS = 16 };

/* ---- the encoding ---- */

typedef struct Parts { bool negative; u128 coefficient; int exponent; } Parts;   /* of a finite decimal */

static _Decimal128 native(Decimal a) {
    _Decimal128 d;
    memcpy(&d, &a, sizeof d);
    return d;
}

static Decimal bits(_Decimal128 d) {
    Decimal a;
    memcpy(&a, &d, sizeof a);
    return a;
}

static u128 power(int n) {                                     /* 10^n, n <= 38 */
    static const uint64_t small[] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000,
        100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000, 10000000000000000000u,
    };
    return n <= 19 ? small[n] : (u128)small[19] * small[n - 19];
}

static int count_digits(u128 c) {                              /* 0 has none */
    int n = 0;
    for (; c > UINT64_MAX; c /= 10) n++;
    for (uint64_t small = (uint64_t)c; small; small /= 10) n++;
    return n;
}

static Parts unpack(Decimal a) {
    Parts p = {.negative = a.high >> 63};
    if ((a.high >> 61 & 3) == 3) {                             /* coefficients of this form exceed 34 digits: not canonical, zero by the standard */
        p.exponent = (int)(a.high >> 47 & 0x3fff) + EXPONENT_MIN;
        return p;
    }
    p.exponent = (int)(a.high >> 49 & 0x3fff) + EXPONENT_MIN;
    p.coefficient = (u128)(a.high & UINT64_C(0x1ffffffffffff)) << 64 | a.low;
    if (p.coefficient >= power(DIGITS)) p.coefficient = 0;
    return p;
}

/* Rounds half away to what fits; false when the magnitude does not. */
static bool pack(Parts p, Decimal *out) {
    u128 limit = power(DIGITS);
    while (p.coefficient >= limit || (p.exponent < EXPONENT_MIN && p.coefficient)) {
        int drop = 1;
        if (p.coefficient >= limit) drop = count_digits(p.coefficient) - DIGITS;
        else if (EXPONENT_MIN - p.exponent > DIGITS) p.coefficient = 0;
        else drop = EXPONENT_MIN - p.exponent;
        u128 unit = power(drop), rest = p.coefficient % unit;
        p.coefficient = p.coefficient / unit + (rest >= unit - rest);
        p.exponent += drop;
    }
    if (p.coefficient == 0 && p.exponent < EXPONENT_MIN) p.exponent = EXPONENT_MIN;
    if (p.coefficient == 0 && p.exponent > EXPONENT_MAX) p.exponent = EXPONENT_MAX;
    for (; p.exponent > EXPONENT_MAX && p.coefficient * 10 < limit; p.exponent--) p.coefficient *= 10;
    if (p.exponent > EXPONENT_MAX) return false;
    out->low = (uint64_t)p.coefficient;
    out->high = (uint64_t)(p.coefficient >> 64) | (uint64_t)(p.exponent - EXPONENT_MIN) << 49 | (uint64_t)p.negative << 63;
    return true;
}

/* 12E+2 -> 1200: SQL has no negative scales, so a positive exponent is only kept when 34 digits are not enough. */
static Parts plain(Parts p) {
    if (p.coefficient == 0 && p.exponent > 0) p.exponent = 0;
    int room = DIGITS - count_digits(p.coefficient);
    if (p.exponent > 0 && p.exponent <= room) {
        p.coefficient *= power(p.exponent);
        p.exponent = 0;
    }
    return p;
}

static const Decimal NOT_A_NUMBER = {0, UINT64_C(0x7c00000000000000)};
static const Decimal INFINITE = {0, UINT64_C(0x7800000000000000)};

bool decimal_is_nan(Decimal a) { return (a.high >> 58 & 31) == 31; }
bool decimal_is_infinite(Decimal a) { return (a.high >> 58 & 31) == 30; }
bool decimal_is_zero(Decimal a) { return decimal_is_finite(a) && unpack(a).coefficient == 0; }

int decimal_sign(Decimal a) {
    if (decimal_is_nan(a)) return 1;
    if (decimal_is_zero(a)) return 0;
    return a.high >> 63 ? -1 : 1;
}

int decimal_scale(Decimal a) {
    if (!decimal_is_finite(a)) return 0;
    int exponent = unpack(a).exponent;
    return exponent < 0 ? -exponent : 0;
}

/* ---- arithmetic ---- */

/* An infinite result of finite operands is an overflow. */
static bool finish(Decimal a, Decimal b, _Decimal128 result, Decimal *out) {
    *out = bits(result);
    if (decimal_is_nan(*out)) *out = NOT_A_NUMBER;
    return !decimal_is_infinite(*out) || !decimal_is_finite(a) || !decimal_is_finite(b);
}

bool decimal_add(Decimal a, Decimal b, Decimal *out) { return finish(a, b, native(a) + native(b), out); }
bool decimal_sub(Decimal a, Decimal b, Decimal *out) { return finish(a, b, native(a) - native(b), out); }
bool decimal_mul(Decimal a, Decimal b, Decimal *out) { return finish(a, b, native(a) * native(b), out); }

Decimal decimal_neg(Decimal a) {
    if (!decimal_is_nan(a)) a.high ^= UINT64_C(1) << 63;
    return a;
}

Decimal decimal_abs(Decimal a) {
    a.high &= ~(UINT64_C(1) << 63);
    return a;
}

/* PostgreSQL counts significant digits in groups of four: the weight of the first group and its value. */
static int first_group(Parts p, int *value) {
    int digits = count_digits(p.coefficient), top = digits - 1 + p.exponent;
    int weight = top >= 0 ? top / 4 : -((-top + 3) / 4);
    int wanted = top - weight * 4 + 1;                          /* decimal digits the first group shows */
    *value = (int)(digits >= wanted ? p.coefficient / power(digits - wanted) : p.coefficient * power(wanted - digits));
    return weight;
}

/* Scale of a quotient by numeric.c's select_div_scale: 16 significant digits, and no fewer after the point than either operand shows. */
static int division_scale(Parts a, Parts b) {
    int first_a = 0, first_b = 0, weight_a = 0, weight_b = 0;
    if (a.coefficient) weight_a = first_group(a, &first_a);
    if (b.coefficient) weight_b = first_group(b, &first_b);
    int weight = weight_a - weight_b - (first_a <= first_b);
    int scale = DIVISION_DIGITS - weight * 4;
    if (-a.exponent > scale) scale = -a.exponent;
    if (-b.exponent > scale) scale = -b.exponent;
    return scale > 0 ? scale : 0;
}

bool decimal_div(Decimal a, Decimal b, Decimal *out) {
    if (decimal_is_finite(a) && decimal_is_infinite(b)) return *out = decimal_from_int(0), true;
    if (!decimal_is_finite(a) || !decimal_is_finite(b)) return finish(a, b, native(a) / native(b), out);
    Parts x = unpack(a), y = unpack(b);
    Parts q = {.negative = x.negative != y.negative, .exponent = x.exponent - y.exponent};
    int scale = division_scale(x, y);
    if (x.coefficient == 0) {
        q.exponent = -scale;
        return pack(q, out);
    }
    /* Long division: digit after digit until the scale is reached or 34 digits stand there, then round by the remainder. */
    q.coefficient = x.coefficient / y.coefficient;
    u128 rest = x.coefficient % y.coefficient, full = power(DIGITS - 1);
    while (-q.exponent < scale && q.coefficient < full) {
        rest *= 10;
        q.coefficient = q.coefficient * 10 + rest / y.coefficient;
        rest %= y.coefficient;
        q.exponent--;
    }
    if (rest >= y.coefficient - rest) q.coefficient++;
    return pack(plain(q), out);
}

Decimal decimal_mod(Decimal a, Decimal b) {
    if (decimal_is_nan(a) || decimal_is_nan(b) || decimal_is_infinite(a)) return NOT_A_NUMBER;
    if (decimal_is_infinite(b)) return a;
    Parts x = unpack(a), y = unpack(b);
    if (y.coefficient == 0) return NOT_A_NUMBER;
    if (x.exponent >= y.exponent) {
        x.coefficient %= y.coefficient;
        for (; x.exponent > y.exponent; x.exponent--) x.coefficient = x.coefficient * 10 % y.coefficient;
    } else {
        int shift = y.exponent - x.exponent;
        /* A divisor that outgrows 34 digits at the dividend's scale is larger than the dividend, which then is the remainder. */
        if (shift + count_digits(y.coefficient) <= DIGITS) x.coefficient %= y.coefficient * power(shift);
    }
    Decimal out = NOT_A_NUMBER;
    pack(plain(x), &out);
    return out;
}

/* ---- comparison ---- */

int decimal_compare(Decimal a, Decimal b) {
    bool nan_a = decimal_is_nan(a), nan_b = decimal_is_nan(b);
    if (nan_a || nan_b) return nan_a - nan_b;
    _Decimal128 x = native(a), y = native(b);
    return (x > y) - (x < y);
}

int decimal_compare_int(Decimal a, int64_t b) { return decimal_compare(a, decimal_from_int(b)); }

/* The first 34 significant digits of a double, exactly (not rounded); *more tells whether others follow. Every double has at most 767 digits. */
static Decimal leading_digits(double d, bool *more) {
    char text[800];
    snprintf(text, sizeof text, "%.*e", 770, fabs(d));
    Parts p = {.negative = signbit(d)};
    int taken = 0;
    const char *c = text;
    *more = false;
    for (; *c != 'e'; c++) {                                   /* the decimal point depends on the locale: skipped whatever it is */
        if (*c < '0' || *c > '9') continue;
        if (taken < DIGITS) {
            p.coefficient = p.coefficient * 10 + (unsigned)(*c - '0');
            taken++;
        } else if (*c != '0') {
            *more = true;
        }
    }
    p.exponent = atoi(c + 1) - (DIGITS - 1);
    Decimal out = NOT_A_NUMBER;
    pack(p, &out);
    return out;
}

int decimal_compare_double(Decimal a, double b) {
    if (isnan(b)) return decimal_is_nan(a) - 1;
    if (decimal_is_nan(a)) return 1;
    if (isinf(b)) return decimal_compare(a, b > 0 ? INFINITE : decimal_neg(INFINITE));
    if (decimal_is_infinite(a)) return decimal_sign(a);
    if (b == trunc(b) && fabs(b) < 0x1p63) return decimal_compare_int(a, (int64_t)b);
    bool more;
    int order = decimal_compare(a, leading_digits(b, &more));
    if (order == 0 && more) return b > 0 ? -1 : 1;              /* the double lies a little farther from zero than its first digits */
    return order;
}

/* ---- scale ---- */

Decimal decimal_round(Decimal a, int scale, DecimalRounding how) {
    if (!decimal_is_finite(a)) return a;
    if (scale > -EXPONENT_MIN) scale = -EXPONENT_MIN;
    if (scale < -EXPONENT_MAX) scale = -EXPONENT_MAX;
    Parts p = unpack(a);
    int drop = -scale - p.exponent, digits = count_digits(p.coefficient);
    if (drop <= 0) {
        int pad = -drop;
        if (p.coefficient == 0) p.exponent = -scale;
        else if (pad > DIGITS - digits) pad = DIGITS - digits;
        if (p.coefficient) {
            p.coefficient *= power(pad);
            p.exponent -= pad;
        }
    } else {
        bool up = false;
        u128 unit = drop <= DIGITS ? power(drop) : 0, quotient = unit ? p.coefficient / unit : 0, rest = unit ? p.coefficient % unit : p.coefficient;
        switch (how) {
        case ROUND_HALF_AWAY: up = unit && rest >= unit - rest; break;
        case ROUND_TRUNCATE: break;
        case ROUND_FLOOR: up = rest && p.negative; break;
        case ROUND_CEILING: up = rest && !p.negative; break;
        }
        p.coefficient = quotient + up;
        p.exponent = -scale;
    }
    Decimal out = a;
    pack(plain(p), &out);
    return out;
}

bool decimal_quantise(Decimal a, int precision, int scale, Decimal *out) {
    *out = scale >= 0 ? decimal_round(a, scale, ROUND_HALF_AWAY) : a;
    if (precision < 0 || decimal_is_nan(a)) return true;
    if (decimal_is_infinite(a)) return false;
    Parts p = unpack(*out);
    return p.coefficient == 0 || count_digits(p.coefficient) + p.exponent <= precision - (scale > 0 ? scale : 0);
}

Decimal decimal_trim(Decimal a) {
    if (!decimal_is_finite(a)) return a;
    Parts p = unpack(a);
    while (p.exponent < 0 && p.coefficient % 10 == 0) {
        p.coefficient /= 10;
        p.exponent = p.coefficient ? p.exponent + 1 : 0;
    }
    Decimal out = a;
    pack(plain(p), &out);
    return out;
}

/* ---- conversions ---- */

Decimal decimal_from_int128(__int128 i) {
    Parts p = {.negative = i < 0, .coefficient = i < 0 ? -(u128)i : (u128)i};
    Decimal out = NOT_A_NUMBER;
    pack(p, &out);
    return out;
}

Decimal decimal_from_int(int64_t i) { return decimal_from_int128(i); }

Decimal decimal_from_double(double d) {
    if (isnan(d)) return NOT_A_NUMBER;
    if (isinf(d)) return d > 0 ? INFINITE : decimal_neg(INFINITE);
    char text[40];
    snprintf(text, sizeof text, "%.*e", DBL_DIG - 1, d);
    Parts p = {.negative = signbit(d)};
    const char *c = text;
    for (; *c != 'e'; c++)
        if (*c >= '0' && *c <= '9') p.coefficient = p.coefficient * 10 + (unsigned)(*c - '0');
    p.exponent = atoi(c + 1) - (DBL_DIG - 1);
    Decimal out = NOT_A_NUMBER;
    pack(p, &out);
    return decimal_trim(out);
}

bool decimal_is_int(Decimal a, int64_t *out) {
    if (!decimal_is_finite(a)) return false;
    Parts p = unpack(a);
    if (p.coefficient == 0) {
        *out = 0;
        return true;
    }
    if (p.exponent < 0) {
        if (p.exponent < -DIGITS) return false;
        u128 unit = power(-p.exponent);
        if (p.coefficient % unit) return false;
        p.coefficient /= unit;
    } else if (p.exponent > 0) {
        if (p.exponent > 19 || count_digits(p.coefficient) + p.exponent > 19) return false;
        p.coefficient *= power(p.exponent);
    }
    if (p.coefficient > (u128)INT64_MAX + p.negative) return false;
    *out = p.negative ? (int64_t)-(uint64_t)p.coefficient : (int64_t)p.coefficient;
    return true;
}

bool decimal_to_int(Decimal a, int64_t *out) { return decimal_is_int(decimal_round(a, 0, ROUND_HALF_AWAY), out); }

double decimal_to_double(Decimal a) {
    if (decimal_is_nan(a)) return NAN;
    return (double)native(a);
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static bool special(const char *p, const char *end, bool negative, Decimal *out) {
    Str word = {p, (uint32_t)(end - p)};
    if (str_ieq(word, STR("nan"))) *out = NOT_A_NUMBER;
    else if (str_ieq(word, STR("infinity")) || str_ieq(word, STR("inf"))) *out = negative ? decimal_neg(INFINITE) : INFINITE;
    else return false;
    return true;
}

DecimalParse decimal_from_text(Str text, Decimal *out) {
    const char *p = text.p, *end = text.p + text.n;
    while (p < end && is_space(*p)) p++;
    while (end > p && is_space(end[-1])) end--;
    Parts n = {0};
    if (p < end && (*p == '-' || *p == '+')) n.negative = *p++ == '-';
    if (special(p, end, n.negative, out)) return DECIMAL_OK;

    enum { KEEP = 36 };                                        /* two digits beyond 34, the last made odd by whatever follows: pack() then rounds right */
    int64_t exponent = 0;
    int kept = 0;
    bool point = false, any = false, sticky = false;
    for (; p < end && ((*p >= '0' && *p <= '9') || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        any = true;
        if (kept < KEEP) {
            n.coefficient = n.coefficient * 10 + (unsigned)(*p - '0');
            kept += n.coefficient != 0;
            exponent -= point;
        } else {
            sticky |= *p != '0';
            exponent += !point;
        }
    }
    if (!any) return DECIMAL_INVALID;
    if (p < end && (*p == 'e' || *p == 'E')) {
        bool down = ++p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+')) p++;
        if (p == end) return DECIMAL_INVALID;
        int64_t e = 0;
        for (; p < end && *p >= '0' && *p <= '9'; p++) e = e < 1000000 ? e * 10 + (*p - '0') : e;
        exponent += down ? -e : e;
    }
    if (p != end) return DECIMAL_INVALID;
    if (sticky && n.coefficient % 10 % 5 == 0) n.coefficient++;
    if (n.coefficient == 0 && exponent > 0) exponent = 0;
    if (exponent > 1000000) return DECIMAL_OVERFLOW;
    if (exponent < -1000000) exponent = -1000000;
    n.exponent = (int)exponent;
    return pack(plain(n), out) ? DECIMAL_OK : DECIMAL_OVERFLOW;
}

Str decimal_text(Arena *arena, Decimal a) {
    if (decimal_is_nan(a)) return STR("NaN");
    if (decimal_is_infinite(a)) return a.high >> 63 ? STR("-Infinity") : STR("Infinity");
    Parts p = unpack(a);
    char digits[DIGITS + 1];
    int n = 0;
    for (u128 c = p.coefficient; c; c /= 10) digits[n++] = (char)('0' + (int)(c % 10));   /* lowest first */
    int scale = p.exponent < 0 ? -p.exponent : 0, zeros = p.exponent > 0 && n ? p.exponent : 0;
    int whole = n - scale > 0 ? n - scale : 0;
    char *text = arena_alloc(arena, (size_t)(n + scale + zeros) + 4), *o = text;
    if (p.negative && n) *o++ = '-';
    if (whole == 0) *o++ = '0';
    for (int i = 0; i < whole; i++) *o++ = digits[n - 1 - i];
    for (int i = 0; i < zeros; i++) *o++ = '0';
    if (scale) *o++ = '.';
    for (int i = scale - 1; i >= 0; i--) *o++ = i < n ? digits[i] : '0';
    return (Str){text, (uint32_t)(o - text)};
}
