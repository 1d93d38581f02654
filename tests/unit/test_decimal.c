/* test_decimal.c - NUMERIC arithmetic, scales, rounding and text. Expected values are PostgreSQL's. */
#include "decimal.h"

#include <math.h>

#include "unit.h"

static Arena arena;

static Decimal dec(const char *z) {
    Decimal d = {0};
    unit_checks++;
    if (decimal_from_text(str_from(z), &d) != DECIMAL_OK) unit_fail(__FILE__, __LINE__), fprintf(stderr, "not a number: %s\n", z);
    return d;
}

static const char *text(Decimal d) {
    Str s = decimal_text(&arena, d);
    return arena_str(&arena, s.p, s.n).p;
}

typedef bool (*Operation)(Decimal, Decimal, Decimal *);

static const char *apply(Operation operation, const char *a, const char *b) {
    Decimal out;
    return operation(dec(a), dec(b), &out) ? text(out) : "overflow";
}

static const char *rounded(const char *z, int scale, DecimalRounding how) { return text(decimal_round(dec(z), scale, how)); }

TEST(texts) {
    static const struct { const char *in, *out; } cases[] = {
        {"1.10", "1.10"}, {"0", "0"}, {"0.00", "0.00"}, {"-0", "0"}, {"-0.0", "0.0"}, {" 12 ", "12"}, {"+5", "5"}, {".5", "0.5"}, {"5.", "5"}, {"1e3", "1000"},
        {"1.5E3", "1500"}, {"1e-3", "0.001"}, {"-12.5e-2", "-0.125"}, {"nan", "NaN"}, {"-Infinity", "-Infinity"}, {"inf", "Infinity"}, {"00012.30", "12.30"},
        {"9999999999999999999999999999999999", "9999999999999999999999999999999999"},
        {"12345678901234567890123456789012345", "12345678901234567890123456789012350"},         /* 35 digits: half away */
        {"0.12345678901234567890123456789012344", "0.1234567890123456789012345678901234"},
        {"1000000000000000000000000000000000050000001", "1000000000000000000000000000000000000000000"},
        {"99999999999999999999999999999999995", "100000000000000000000000000000000000"},
        {"99999999999999999999999999999999994", "99999999999999999999999999999999990"},
        {"0.00000000000000000000000000000000000000012", "0.00000000000000000000000000000000000000012"},
        {"1e40", "10000000000000000000000000000000000000000"}, {"0e999999999", "0"}, {"1e-999999999", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = text(dec(cases[i].in));
        if (cases[i].out) CHECK_STR(got, cases[i].out);
        else CHECK(decimal_is_zero(dec(cases[i].in)));
    }
    static const char *const wrong[] = {"", " ", "a", "1a", "1e", "1e+", "--1", "1.2.3", ".", "e5", "0x10", "1 2", "+", "nanx"};
    Decimal d;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) CHECK_INT(decimal_from_text(str_from(wrong[i]), &d), DECIMAL_INVALID);
    CHECK_INT(decimal_from_text(STR("1e6145"), &d), DECIMAL_OVERFLOW);
    CHECK_INT(decimal_from_text(STR("1e99999999999999999999"), &d), DECIMAL_OVERFLOW);
    CHECK_INT(decimal_from_text(STR("9.9e6144"), &d), DECIMAL_OK);
    CHECK_INT(strlen(text(d)), 6145);
}

TEST(arithmetic) {
    CHECK_STR(apply(decimal_add, "1.10", "2.2"), "3.30");
    CHECK_STR(apply(decimal_add, "0.1", "0.2"), "0.3");
    CHECK_STR(apply(decimal_sub, "1.10", "1.1"), "0.00");
    CHECK_STR(apply(decimal_sub, "1", "0.001"), "0.999");
    CHECK_STR(apply(decimal_mul, "1.10", "1.10"), "1.2100");
    CHECK_STR(apply(decimal_mul, "-3", "2"), "-6");
    CHECK_STR(apply(decimal_mul, "9e6000", "9e6000"), "overflow");
    CHECK_STR(apply(decimal_add, "Infinity", "1"), "Infinity");
    CHECK_STR(apply(decimal_sub, "Infinity", "Infinity"), "NaN");
    CHECK_STR(apply(decimal_mul, "NaN", "1"), "NaN");
    CHECK_STR(apply(decimal_add, "9999999999999999999999999999999999", "1"), "10000000000000000000000000000000000");
}

TEST(division) {
    CHECK_STR(apply(decimal_div, "1", "3"), "0.33333333333333333333");
    CHECK_STR(apply(decimal_div, "2", "3"), "0.66666666666666666667");
    CHECK_STR(apply(decimal_div, "10", "4"), "2.5000000000000000");
    CHECK_STR(apply(decimal_div, "6", "2"), "3.0000000000000000");
    CHECK_STR(apply(decimal_div, "100", "3"), "33.3333333333333333");
    CHECK_STR(apply(decimal_div, "1", "7000"), "0.00014285714285714286");
    CHECK_STR(apply(decimal_div, "123456789", "7"), "17636684.142857142857");
    CHECK_STR(apply(decimal_div, "1.10", "1"), "1.10000000000000000000");
    CHECK_STR(apply(decimal_div, "0", "5"), "0.00000000000000000000");
    CHECK_STR(apply(decimal_div, "0.00", "5"), "0.00000000000000000000");
    CHECK_STR(apply(decimal_div, "-1", "3"), "-0.33333333333333333333");
    CHECK_STR(apply(decimal_div, "1", "1.00000000000000000000000000000"), "1.00000000000000000000000000000");
    CHECK_STR(apply(decimal_div, "1e34", "3"), "3333333333333333333333333333333333");
    CHECK_STR(apply(decimal_div, "20000000000000000000000000000000000", "3"), "6666666666666666666666666666666667");
    CHECK_STR(apply(decimal_div, "9e6144", "1e-6000"), "overflow");
    CHECK_STR(apply(decimal_div, "1", "Infinity"), "0");
    CHECK_STR(text(decimal_mod(dec("5.5"), dec("2"))), "1.5");
    CHECK_STR(text(decimal_mod(dec("-5"), dec("3"))), "-2");
    CHECK_STR(text(decimal_mod(dec("5"), dec("-3"))), "2");
    CHECK_STR(text(decimal_mod(dec("5"), dec("0.30"))), "0.20");
    CHECK_STR(text(decimal_mod(dec("1e40"), dec("7"))), "4");
    CHECK_STR(text(decimal_mod(dec("5"), dec("1e40"))), "5");
    CHECK_STR(text(decimal_mod(dec("5"), dec("Infinity"))), "5");
    CHECK_STR(text(decimal_mod(dec("1.5"), dec("1e33"))), "1.5");
}

TEST(rounding) {
    CHECK_STR(rounded("2.5", 0, ROUND_HALF_AWAY), "3");
    CHECK_STR(rounded("-2.5", 0, ROUND_HALF_AWAY), "-3");
    CHECK_STR(rounded("2.49", 0, ROUND_HALF_AWAY), "2");
    CHECK_STR(rounded("2.675", 2, ROUND_HALF_AWAY), "2.68");
    CHECK_STR(rounded("1.5", 3, ROUND_HALF_AWAY), "1.500");
    CHECK_STR(rounded("1250", -2, ROUND_HALF_AWAY), "1300");
    CHECK_STR(rounded("49", -2, ROUND_HALF_AWAY), "0");
    CHECK_STR(rounded("50", -2, ROUND_HALF_AWAY), "100");
    CHECK_STR(rounded("5", -100, ROUND_HALF_AWAY), "0");
    CHECK_STR(rounded("0.999", 2, ROUND_HALF_AWAY), "1.00");
    CHECK_STR(rounded("2.9", 0, ROUND_TRUNCATE), "2");
    CHECK_STR(rounded("-2.9", 0, ROUND_TRUNCATE), "-2");
    CHECK_STR(rounded("-2.1", 0, ROUND_FLOOR), "-3");
    CHECK_STR(rounded("2.1", 0, ROUND_CEILING), "3");
    CHECK_STR(rounded("-2.1", 0, ROUND_CEILING), "-2");
    CHECK_STR(rounded("0.00000000000000000000000000000000000000001", 0, ROUND_CEILING), "1");
    CHECK_STR(rounded("NaN", 2, ROUND_HALF_AWAY), "NaN");
    CHECK_STR(rounded("0", 2, ROUND_HALF_AWAY), "0.00");
    CHECK_STR(rounded("1e30", 6, ROUND_HALF_AWAY), "1000000000000000000000000000000.000");     /* 34 digits is all there is */
    CHECK_STR(text(decimal_trim(dec("1.500"))), "1.5");
    CHECK_STR(text(decimal_trim(dec("100.00"))), "100");
    CHECK_STR(text(decimal_trim(dec("0.000"))), "0");
    Decimal d;
    CHECK(decimal_quantise(dec("12345678.905"), 10, 2, &d));
    CHECK_STR(text(d), "12345678.91");
    CHECK(!decimal_quantise(dec("99999999.995"), 10, 2, &d));
    CHECK(!decimal_quantise(dec("1e30"), 10, 2, &d));
    CHECK(decimal_quantise(dec("0.004"), 2, 2, &d));
    CHECK_STR(text(d), "0.00");
    CHECK(!decimal_quantise(dec("Infinity"), 10, 2, &d));
    CHECK(decimal_quantise(dec("1.234"), -1, -1, &d));
    CHECK_STR(text(d), "1.234");
}

TEST(order) {
    CHECK_INT(decimal_compare(dec("1.10"), dec("1.1")), 0);
    CHECK_INT(decimal_compare(dec("-0"), dec("0")), 0);
    CHECK_INT(decimal_compare(dec("NaN"), dec("NaN")), 0);
    CHECK_INT(decimal_compare(dec("NaN"), dec("Infinity")), 1);
    CHECK_INT(decimal_compare(dec("-Infinity"), dec("-1e6000")), -1);
    CHECK_INT(decimal_compare_int(dec("9223372036854775807.1"), INT64_MAX), 1);
    CHECK_INT(decimal_compare_double(dec("0.5"), 0.5), 0);
    CHECK_INT(decimal_compare_double(dec("0.1"), 0.1), -1);                    /* 0.1 is 0.1000000000000000055... */
    CHECK_INT(decimal_compare_double(dec("-0.1"), -0.1), 1);
    CHECK_INT(decimal_compare_double(dec("0.1000000000000000055511151231257827"), 0.1), -1);
    CHECK_INT(decimal_compare_double(dec("0.1000000000000000055511151231257828"), 0.1), 1);
    CHECK_INT(decimal_compare_double(dec("9007199254740993"), 9007199254740992.0), 1);
    CHECK_INT(decimal_compare_double(dec("1e300"), 1e300), -1);
    CHECK_INT(decimal_compare_double(dec("1e23"), 1e23), 1);                   /* the double is 99999999999999991611392 */
    CHECK_INT(decimal_compare_double(dec("1e400"), INFINITY), -1);
    CHECK_INT(decimal_compare_double(dec("NaN"), NAN), 0);
    CHECK_INT(decimal_compare_double(dec("NaN"), INFINITY), 1);
    CHECK_INT(decimal_compare_double(dec("1"), NAN), -1);
    CHECK_INT(decimal_compare_double(dec("0"), -0.0), 0);
    CHECK_INT(decimal_compare_double(dec("1e-6000"), 0), 1);
    CHECK_INT(decimal_compare_double(dec("-Infinity"), -1), -1);
}

TEST(conversions) {
    int64_t i;
    CHECK(decimal_to_int(dec("2.5"), &i));
    CHECK_INT(i, 3);
    CHECK(decimal_to_int(dec("-9223372036854775808"), &i));
    CHECK_INT(i, INT64_MIN);
    CHECK(!decimal_to_int(dec("9223372036854775808"), &i));
    CHECK(!decimal_to_int(dec("9223372036854775807.5"), &i));
    CHECK(!decimal_to_int(dec("NaN"), &i));
    CHECK(!decimal_to_int(dec("1e300"), &i));
    CHECK(decimal_is_int(dec("1e18"), &i));
    CHECK_INT(i, INT64_C(1000000000000000000));
    CHECK(decimal_is_int(dec("7.00"), &i));
    CHECK(!decimal_is_int(dec("7.01"), &i));
    CHECK(decimal_to_double(dec("0.1")) == 0.1);
    CHECK(decimal_to_double(dec("1e23")) == 1e23);
    CHECK(isinf(decimal_to_double(dec("1e400"))));
    CHECK_STR(text(decimal_from_double(0.1)), "0.1");
    CHECK_STR(text(decimal_from_double(1.0 / 3)), "0.333333333333333");
    CHECK_STR(text(decimal_from_double(1e20)), "100000000000000000000");
    CHECK_STR(text(decimal_from_double(-12.5)), "-12.5");
    CHECK_STR(text(decimal_from_double(0)), "0");
    CHECK_STR(text(decimal_from_double(-INFINITY)), "-Infinity");
    CHECK_STR(text(decimal_from_int(INT64_MIN)), "-9223372036854775808");
    CHECK_INT(decimal_scale(dec("1.230")), 3);
    CHECK_INT(decimal_sign(dec("-0.1")), -1);
}

/* Small operands against 128-bit integers: sums, products, quotients and remainders must be exact. */
TEST(against_integers) {
    uint64_t seed = 42;
    for (int round = 0; round < 20000; round++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int64_t a = (int64_t)(seed >> 20) % 1000000000000 - 500000000000, b = (int64_t)(seed >> 7) % 99999 - 50000;
        Decimal x = decimal_from_int(a), y = decimal_from_int(b), out;
        CHECK(decimal_add(x, y, &out) && decimal_compare_int(out, a + b) == 0);
        CHECK(decimal_mul(x, y, &out) && decimal_compare_int(out, a * b) == 0);
        if (!b) continue;
        CHECK(decimal_compare_int(decimal_mod(x, y), a % b) == 0);
        CHECK(decimal_div(x, y, &out) && decimal_compare_int(decimal_round(out, 0, ROUND_TRUNCATE), a / b) == 0);
    }
}

int main(void) {
    RUN(texts);
    RUN(arithmetic);
    RUN(division);
    RUN(rounding);
    RUN(order);
    RUN(conversions);
    RUN(against_integers);
    arena_free(&arena);
    return unit_report();
}
