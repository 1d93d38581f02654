/* decimal.c - NUMERIC arithmetic on decimal128. See decimal.h for the contract.
 *
 * In and out: sqm_decimal_t, the 128 bits of BSON's decimal128 in binary integer (BID) encoding. Everything unpacks into sign, coefficient and exponent and
 * works on unsigned __int128, so that the digits are the same with every compiler and processor: 10^34 needs 113 bits, so a digit step (times ten) cannot
 * overflow, and sums and products have room for three digits more before they are rounded to 34, half to even as IEEE 754 (and the server) does.
 * Example: 10 / 4 is asked for 16 digits after the point, 1.10 * 2 is 2.20.
 * Not here: roots, exponentials and logarithms (decimal_math.c). */
#include "decimal.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef unsigned __int128 u128;

enum { DIGITS = 34, EXPONENT_MIN = -6176, EXPONENT_MAX = 6111, DIVISION_DIGITS = 16, WORD_DIGITS = 38 };   /* 10^38 fits in 128 bits */

/* ---- the encoding ---- */

typedef struct Parts { bool negative; u128 coefficient; int exponent; } Parts;   /* of a finite decimal */

static u128 power(int n) {                                     /* 10^n, n <= 38 */
    static const uint64_t small[] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000,
        100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000, 10000000000000000000u,
    };
    return n <= 19 ? small[n] : (u128)small[19] * small[n - 19];
}

static int count_digits(u128 c) {                              /* 0 has none; c < 10^38 */
    if (c == 0) return 0;
    uint64_t high = (uint64_t)(c >> 64);
    int bits = high ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64_t)c);
    int n = bits * 1233 >> 12;                                 /* log10(2) is 1233 / 4096 or a little less */
    return n + (c >= power(n));
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

int decimal_weight(Decimal a) {
    Parts p = unpack(a);
    return p.coefficient ? count_digits(p.coefficient) - 1 + p.exponent : 0;
}

int decimal_scale(Decimal a) {
    if (!decimal_is_finite(a)) return 0;
    int exponent = unpack(a).exponent;
    return exponent < 0 ? -exponent : 0;
}

/* ---- arithmetic ---- */

/* A coefficient below 10^38, behind which nonzero digits were cut off if `more`, to 34 digits, half to even. False when the magnitude does not fit. */
static bool round_even(Parts p, bool more, Decimal *out) {
    int drop = count_digits(p.coefficient) - DIGITS;
    if (drop < EXPONENT_MIN - p.exponent) drop = EXPONENT_MIN - p.exponent;
    if (drop > WORD_DIGITS) {
        p.coefficient = 0;
    } else if (drop > 0) {
        u128 unit = power(drop), rest = p.coefficient % unit;
        p.coefficient /= unit;
        if (rest > unit / 2 || (rest == unit / 2 && (more || p.coefficient % 2))) p.coefficient++;
        p.exponent += drop;
    }
    return pack(p, out);
}

/* Drops n digits; true if one of them was nonzero. */
static bool drop_digits(u128 *c, int n) {
    u128 unit = n <= WORD_DIGITS ? power(n) : 0, whole = unit ? *c / unit : 0;
    bool more = *c != (unit ? whole * unit : 0);
    *c = whole;
    return more;
}

/* The operand of the larger exponent is brought to the other's, as far as three digits beyond 34; past that the other one loses digits. */
static bool add_finite(Parts x, Parts y, Decimal *out) {
    if (x.exponent < y.exponent) {
        Parts swap = x;
        x = y;
        y = swap;
    }
    int gap = x.exponent - y.exponent, room = DIGITS + 3 - count_digits(x.coefficient), up = gap < room || x.coefficient == 0 ? gap : room;
    if (x.coefficient) x.coefficient *= power(up);
    bool more = drop_digits(&y.coefficient, gap - up);
    Parts sum = {.negative = x.negative, .exponent = x.exponent - up};
    if (x.negative == y.negative) {
        sum.coefficient = x.coefficient + y.coefficient;
    } else if (x.coefficient >= y.coefficient) {
        sum.coefficient = x.coefficient - y.coefficient - more; /* more: then x has 37 digits and y at most 33 */
    } else {
        sum.coefficient = y.coefficient - x.coefficient;
        sum.negative = y.negative;
    }
    if (sum.coefficient == 0) sum.negative = x.negative && y.negative;
    return round_even(sum, more, out);
}

/* 256 bits, the lowest word first. */
typedef struct Wide { uint64_t words[4]; } Wide;

static Wide multiply(u128 x, u128 y) {
    uint64_t x0 = (uint64_t)x, x1 = (uint64_t)(x >> 64), y0 = (uint64_t)y, y1 = (uint64_t)(y >> 64);
    u128 low = (u128)x0 * y0, cross = (u128)x1 * y0, other = (u128)x0 * y1;
    u128 middle = (low >> 64) + (uint64_t)cross + (uint64_t)other, high = (u128)x1 * y1 + (cross >> 64) + (other >> 64) + (middle >> 64);
    return (Wide){{(uint64_t)low, (uint64_t)middle, (uint64_t)high, (uint64_t)(high >> 64)}};
}

static uint64_t divide_wide(Wide *w, uint64_t divisor) {        /* -> remainder */
    u128 rest = 0;
    for (int i = 3; i >= 0; i--) {
        rest = rest << 64 | w->words[i];
        w->words[i] = (uint64_t)(rest / divisor);
        rest %= divisor;
    }
    return (uint64_t)rest;
}

static bool multiply_finite(Parts x, Parts y, Decimal *out) {
    Wide product = multiply(x.coefficient, y.coefficient);
    int drop = count_digits(x.coefficient) + count_digits(y.coefficient) - WORD_DIGITS;
    bool more = false;
    Parts p = {.negative = x.negative != y.negative, .exponent = x.exponent + y.exponent};
    while (drop > 0) {
        int step = drop < 19 ? drop : 19;
        more |= divide_wide(&product, (uint64_t)power(step)) != 0;
        p.exponent += step;
        drop -= step;
    }
    p.coefficient = (u128)product.words[1] << 64 | product.words[0];
    return round_even(p, more, out);
}

static Decimal infinite(bool negative) { return negative ? decimal_neg(INFINITE) : INFINITE; }

bool decimal_add(Decimal a, Decimal b, Decimal *out) {
    if (decimal_is_finite(a) && decimal_is_finite(b)) return add_finite(unpack(a), unpack(b), out);
    bool both = decimal_is_infinite(a) && decimal_is_infinite(b), opposite = both && decimal_sign(a) != decimal_sign(b);
    if (decimal_is_nan(a) || decimal_is_nan(b) || opposite) *out = NOT_A_NUMBER;
    else *out = decimal_is_infinite(a) ? infinite(decimal_sign(a) < 0) : infinite(decimal_sign(b) < 0);
    return true;
}

bool decimal_sub(Decimal a, Decimal b, Decimal *out) { return decimal_add(a, decimal_neg(b), out); }

bool decimal_mul(Decimal a, Decimal b, Decimal *out) {
    if (decimal_is_finite(a) && decimal_is_finite(b)) return multiply_finite(unpack(a), unpack(b), out);
    if (decimal_is_nan(a) || decimal_is_nan(b) || decimal_is_zero(a) || decimal_is_zero(b)) *out = NOT_A_NUMBER;
    else *out = infinite(decimal_sign(a) != decimal_sign(b));
    return true;
}

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

/* Long division of nonzero numbers, as many digits at once as fit, until `scale` digits stand after the point or 34 in all; then rounded by the remainder. */
static bool divide(Parts x, Parts y, int scale, Decimal *out) {
    Parts q = {.negative = x.negative != y.negative, .exponent = x.exponent - y.exponent, .coefficient = x.coefficient / y.coefficient};
    u128 rest = x.coefficient % y.coefficient;
    int most = WORD_DIGITS - count_digits(y.coefficient);
    while (-q.exponent < scale && q.coefficient < power(DIGITS - 1)) {
        int step = DIGITS - count_digits(q.coefficient);
        if (step > most) step = most;
        if (step > scale + q.exponent) step = scale + q.exponent;
        rest *= power(step);
        q.coefficient = q.coefficient * power(step) + rest / y.coefficient;
        rest %= y.coefficient;
        q.exponent -= step;
    }
    if (rest >= y.coefficient - rest) q.coefficient++;
    return pack(plain(q), out);
}

bool decimal_div(Decimal a, Decimal b, Decimal *out) {
    if (!decimal_is_finite(a) || !decimal_is_finite(b)) {
        if (decimal_is_finite(a) && decimal_is_infinite(b)) *out = decimal_from_int(0);
        else if (decimal_is_infinite(a) && decimal_is_finite(b)) *out = infinite((decimal_sign(a) < 0) != (b.high >> 63));
        else *out = NOT_A_NUMBER;
        return true;
    }
    Parts x = unpack(a), y = unpack(b);
    int scale = division_scale(x, y);
    if (x.coefficient == 0) return pack((Parts){.negative = x.negative != y.negative, .exponent = -scale}, out);
    return divide(x, y, scale, out);
}

bool decimal_quotient(Decimal a, Decimal b, Decimal *out) {
    Parts x = unpack(a), y = unpack(b);
    if (x.coefficient == 0) return *out = decimal_from_int(0), true;
    return divide(x, y, 2 * -EXPONENT_MIN, out);
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

static int compare_magnitudes(Parts x, Parts y) {               /* neither is zero */
    int top_x = count_digits(x.coefficient) + x.exponent, top_y = count_digits(y.coefficient) + y.exponent;
    if (top_x != top_y) return top_x < top_y ? -1 : 1;
    /* As the first digits stand at the same place, the exponents are at most 33 apart, and the longer coefficient sets what the other grows to. */
    if (x.exponent > y.exponent) x.coefficient *= power(x.exponent - y.exponent);
    else y.coefficient *= power(y.exponent - x.exponent);
    return (x.coefficient > y.coefficient) - (x.coefficient < y.coefficient);
}

int decimal_compare(Decimal a, Decimal b) {
    bool nan_a = decimal_is_nan(a), nan_b = decimal_is_nan(b);
    if (nan_a || nan_b) return nan_a - nan_b;
    int sign_a = decimal_sign(a), sign_b = decimal_sign(b);
    if (sign_a != sign_b) return sign_a < sign_b ? -1 : 1;
    if (sign_a == 0) return 0;
    if (!decimal_is_finite(a) || !decimal_is_finite(b)) return sign_a * (decimal_is_infinite(a) - decimal_is_infinite(b));
    return sign_a * compare_magnitudes(unpack(a), unpack(b));
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

Decimal decimal_shift(Decimal a, int digits) {
    Parts p = unpack(a);
    p.exponent += digits;
    Decimal out = INFINITE;
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
    if (decimal_is_infinite(a)) return a.high >> 63 ? -INFINITY : INFINITY;
    Parts p = unpack(a);
    double d;
    if (p.coefficient < UINT64_C(1) << 53 && p.exponent >= -19 && p.exponent <= 19) {
        double unit = (double)power(abs(p.exponent));           /* both exact, so one rounding */
        d = p.exponent < 0 ? (double)p.coefficient / unit : (double)p.coefficient * unit;
    } else {
        char text[64];
        snprintf(text, sizeof text, "%" PRIu64 "%019" PRIu64 "e%d", (uint64_t)(p.coefficient / power(19)), (uint64_t)(p.coefficient % power(19)), p.exponent);
        d = strtod(text, NULL);
    }
    return p.negative ? -d : d;
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
