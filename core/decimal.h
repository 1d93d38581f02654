/* decimal.h - NUMERIC arithmetic on IEEE 754-2008 decimal128, the type BSON stores, with the meaning of PostgreSQL's numeric.
 *
 * A decimal is (-1)^s * coefficient * 10^exponent with at most 34 digits; its scale (digits after the point) is part of the value's looks, not of
 * its worth: 1.10 equals 1.1 and prints as 1.10. Sums keep the larger scale, products add scales, quotients get at least 16 significant digits.
 * A result that needs more than 34 digits is rounded there; one whose magnitude cannot be held at all (>= 1E+6145) makes the function return false,
 * which the caller reports as NUMERIC_OUT_OF_RANGE. NaN and infinities compute as in PostgreSQL; NaN equals itself and is greater than anything.
 * Nothing here depends on the compiler's or the processor's floating point: the digits are the same everywhere. */
#ifndef SQM_DECIMAL_H
#define SQM_DECIMAL_H

#include "base.h"

typedef sqm_decimal_t Decimal;

typedef enum DecimalRounding { ROUND_HALF_AWAY, ROUND_TRUNCATE, ROUND_FLOOR, ROUND_CEILING } DecimalRounding;
typedef enum DecimalParse { DECIMAL_OK, DECIMAL_INVALID, DECIMAL_OVERFLOW } DecimalParse;

/* Arithmetic: false on overflow. */
bool decimal_add(Decimal a, Decimal b, Decimal *out);
bool decimal_sub(Decimal a, Decimal b, Decimal *out);
bool decimal_mul(Decimal a, Decimal b, Decimal *out);
bool decimal_div(Decimal a, Decimal b, Decimal *out);          /* b is not zero: the caller has reported that */
Decimal decimal_mod(Decimal a, Decimal b);                     /* exact, sign of a; b is not zero */
bool decimal_quotient(Decimal a, Decimal b, Decimal *out);     /* of finite numbers to 34 digits, whatever their scales; b is not zero */
Decimal decimal_neg(Decimal a);
Decimal decimal_abs(Decimal a);

/* Of finite numbers, in 34 digits of which the first DECIMAL_KNOWN are right. */
enum { DECIMAL_KNOWN = 28 };
Decimal decimal_sqrt(Decimal a);                               /* a >= 0 */
Decimal decimal_ln(Decimal a);                                 /* a > 0 */
bool decimal_exp(Decimal a, Decimal *out);                     /* false on overflow */

int decimal_compare(Decimal a, Decimal b);                     /* by value, total: NaN greatest */
int decimal_compare_double(Decimal a, double b);               /* by exact value: 0.1 differs from 0.1::float8 */
int decimal_compare_int(Decimal a, int64_t b);
bool decimal_is_nan(Decimal a);
bool decimal_is_infinite(Decimal a);
static inline bool decimal_is_finite(Decimal a) { return (a.high >> 59 & 15) != 15; }
bool decimal_is_zero(Decimal a);
int decimal_sign(Decimal a);                                   /* -1, 0, 1; NaN: 1 */
int decimal_weight(Decimal a);                                 /* where the first digit stands: 2 in 123.4, 0 in 1.5, -2 in 0.05; 0 for zero */
int decimal_scale(Decimal a);                                  /* digits after the point; 0 for NaN and infinities */

/* To `scale` digits after the point (negative: before it), shorter values padded with zeros as far as 34 digits go: ROUND(1.5, 3) is 1.500. */
Decimal decimal_round(Decimal a, int scale, DecimalRounding how);
/* A value as a numeric(precision, scale) column holds it; precision or scale -1: not limited. False: does not fit. */
bool decimal_quantise(Decimal a, int precision, int scale, Decimal *out);
/* Without trailing zeros after the point (trim_scale). */
Decimal decimal_trim(Decimal a);

Decimal decimal_shift(Decimal a, int digits);                  /* a finite a * 10^digits; infinity when that is too large */
Decimal decimal_from_int(int64_t i);
Decimal decimal_from_int128(__int128 i);                       /* rounded beyond 34 digits */
Decimal decimal_from_double(double d);                         /* 15 significant digits, as float8::numeric does */
/* False: NaN, infinite or out of range. Rounds half away from zero. */
bool decimal_to_int(Decimal a, int64_t *out);
bool decimal_is_int(Decimal a, int64_t *out);                  /* true when the value is exactly that integer */
double decimal_to_double(Decimal a);                           /* nearest; overflow gives infinity */

/* SQL's numeric literals and input text: spaces around, sign, exponent, NaN, Infinity. Digits beyond 34 are rounded. */
DecimalParse decimal_from_text(Str text, Decimal *out);
/* Plain notation, never an exponent: "1.10", "-0.001", "1000", "NaN", "Infinity". */
Str decimal_text(Arena *arena, Decimal a);

#endif
