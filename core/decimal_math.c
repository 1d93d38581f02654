/* decimal_math.c - square roots, logarithms and exponentials of decimals: DECIMAL_KNOWN right digits, on every machine the same ones. See decimal.h.
 *
 * In and out: finite decimals. Arguments are brought near 1, where the series are short:
 *     sqrt(m * 100^k) = sqrt(m) * 10^k            ln(m * 2^j * 10^k) = ln m + j ln 2 + k ln 10            exp(r + n ln 10) = exp(r) * 10^n
 * Not here: how many digits SQL shows of a result (function_math.c). */
#include "decimal.h"

#include <math.h>

/* These never overflow: what they are given has been brought near 1. */
static Decimal add(Decimal a, Decimal b) { return decimal_add(a, b, &a), a; }
static Decimal subtract(Decimal a, Decimal b) { return decimal_sub(a, b, &a), a; }
static Decimal multiply(Decimal a, Decimal b) { return decimal_mul(a, b, &a), a; }
static Decimal divide(Decimal a, Decimal b) { return decimal_quotient(a, b, &a), a; }
static Decimal times(Decimal a, int n) { return multiply(a, decimal_from_int(n)); }

static Decimal constant(const char *digits) {
    Decimal d = {0};
    decimal_from_text(str_from(digits), &d);
    return d;
}

static Decimal ln_2(void) { return constant("0.6931471805599453094172321214581766"); }
static Decimal ln_10(void) { return constant("2.302585092994045684017991454684364"); }

/* Newton's method doubles the right digits: 15 of the double, 30, 60. */
Decimal decimal_sqrt(Decimal a) {
    if (decimal_is_zero(a)) return a;
    int weight = decimal_weight(a), half = (weight - (weight % 2 != 0)) / 2;
    Decimal m = decimal_shift(a, -2 * half), root = decimal_from_double(sqrt(decimal_to_double(m)));
    for (int i = 0; i < 2; i++) root = multiply(add(root, divide(m, root)), constant("0.5"));
    return decimal_shift(root, half);
}

/* ln a of 0.7 <= a <= 1.42, by z = (a - 1) / (a + 1): 2 (z + z^3/3 + z^5/5 + ...). The difference is exact, so the result's first digits are too. */
static Decimal ln_near_1(Decimal a) {
    enum { TERMS = 24 };                                        /* |z| < 0.18: z^48 < 1E-35 */
    Decimal one = decimal_from_int(1), z = divide(subtract(a, one), add(a, one)), square = multiply(z, z), sum = decimal_from_int(0);
    for (int i = TERMS; i >= 0; i--) sum = add(multiply(sum, square), divide(one, decimal_from_int(2 * i + 1)));
    return times(multiply(z, sum), 2);
}

Decimal decimal_ln(Decimal a) {
    Decimal low = constant("0.7"), high = constant("1.42");
    int tens = 0, twos = 0;
    if (decimal_compare(a, low) < 0 || decimal_compare(a, high) > 0) {
        tens = decimal_weight(a);
        a = decimal_shift(a, -tens);
        for (; decimal_compare(a, high) > 0; twos++) a = multiply(a, constant("0.5"));
    }
    return add(ln_near_1(a), add(times(ln_2(), twos), times(ln_10(), tens)));
}

/* ln 10 in two pieces, the first so short that its multiples are exact: the rest of a large argument keeps its digits. */
bool decimal_exp(Decimal a, Decimal *out) {
    enum { TERMS = 40, LARGEST = 14300 };                       /* e^14300 > 10^6145; |r| <= 1.16: r^40/40! < 1E-45 */
    if (decimal_compare_int(a, LARGEST) > 0) return false;
    if (decimal_compare_int(a, -LARGEST) < 0) return *out = decimal_from_int(0), true;
    int tens = (int)lrint(decimal_to_double(a) / M_LN10);
    Decimal one = decimal_from_int(1), sum = one;
    Decimal r = subtract(subtract(a, times(constant("2.3025850929940456840179914546"), tens)), times(constant("8.436420760110148862877297603332790E-29"), tens));
    for (int i = TERMS; i > 0; i--) sum = add(one, divide(multiply(sum, r), decimal_from_int(i)));
    *out = decimal_shift(sum, tens);
    return decimal_is_finite(*out);
}
