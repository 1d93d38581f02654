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

static const char *significant(Decimal d) { return text(decimal_round(d, DECIMAL_KNOWN - 1 - decimal_weight(d), ROUND_HALF_AWAY)); }
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

/* Values to 40 digits, by another program; DECIMAL_KNOWN digits must be theirs. */
TEST(roots_and_logarithms) {
    Decimal d;
    static const struct { const char *in, *sqrt, *ln; } cases[] = {
        {"2", "1.414213562373095048801688724209698078570", "0.6931471805599453094172321214581765680755"},
        {"4", "2", "1.386294361119890618834464242916353136151"},
        {"0.5", "0.7071067811865475244008443621048490392848", "-0.6931471805599453094172321214581765680755"},
        {"10", "3.162277660168379331998893544432718533720", "2.302585092994045684017991454684364207601"},
        {"1000000", "1000", "13.81551055796427410410794872810618524561"},
        {"0.0001", "0.01", "-9.210340371976182736071965818737456830404"},
        {"1.000000001", "1.000000000499999999875000000062499999961", "9.999999995000000003333333330833333335333e-10"},
        {"0.9999999999999999", "0.9999999999999999499999999999999987500000", "-1.000000000000000050000000000000003333333e-16"},
        {"0.7", "0.8366600265340755479781720257851874893928", "-0.3566749439387323789126387112411844779640"},
        {"0.69999", "0.8366540503696853555321537844136803337686", "-0.3566892297550598813525944043069989093731"},
        {"1.42", "1.191637528781298495405212121297656771088", "0.3506568716131693627107037446024822496329"},
        {"1.43", "1.195826074310139802112984075619561661399", "0.3576744442718159120794481101617194894248"},
        {"3", "1.732050807568877293527446341505872366943", "1.098612288668109691395245236922525704647"},
        {"9.999999999999999999999", "3.162277660168379331998735430549710114753", "2.302585092994045684017891454684364207601"},
        {"123456789.123456789", "11111.11106611111096943055498174930232834", "18.63140176716801803269393334829653754280"},
        {"99", "9.949874371066199547344798210012060051781", "4.595119850134589926852434051810180709117"},
        {"1e-6000", "1e-3000", "-13815.51055796427410410794872810618524561"},
        {"1e6100", "1e+3050", "14045.76906726367867250974787357462166637"},
        {"7e-31", "8.366600265340755479781720257851874893928e-16", "-69.43422773376010289945238235177211070600"},
        {"5.5e33", "74161984870956629.48711397440800713060980", "77.69005616104193280723842946109097158258"},
        {"1234567890123456789012345678901234", "35136418288201442.53111222381699882131053", "76.19602909111916013364871971507264227308"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_STR(significant(decimal_sqrt(dec(cases[i].in))), significant(dec(cases[i].sqrt)));
        CHECK_STR(significant(decimal_ln(dec(cases[i].in))), significant(dec(cases[i].ln)));
    }
    static const struct { const char *in, *exp; } powers[] = {
        {"0", "1"},
        {"1", "2.718281828459045235360287471352662497757"},
        {"-1", "0.3678794411714423215955237701614608674458"},
        {"0.5", "1.648721270700128146848650787814163571654"},
        {"1e-20", "1.000000000000000000010000000000000000000"},
        {"-0.0000001", "0.9999999000000049999998333333374999999167"},
        {"10", "22026.46579480671651695790064528424436635"},
        {"100.25", "3.451610733125923987136198599526574675092e+43"},
        {"-46", "1.053061735755381237876332444942810880554e-20"},
        {"1.151292546", "3.162277658596655102511039884427000079363"},
        {"1.1512925465", "3.162277660177793932204652143072982693952"},
        {"2.302585092994045684", "9.999999999999999999820085453156357923991"},
        {"700", "1.014232054735004509455329595231267615205e+304"},
        {"-2000.5", "1.562748002800391960126821160412937689816e-869"},
        {"5999.9", "5.290076730106223251294639834673043051777e+2605"},
        {"14000", "1.326620321137711275937776890335630900920e+6080"},
        {"-14000", "7.537951771629720907593006284141135566874e-6081"},
        {"12345.6789", "4.573215001197181597710868343170237088066e+5361"},
    };
    for (size_t i = 0; i < sizeof powers / sizeof *powers; i++) CHECK_STR(decimal_exp(dec(powers[i].in), &d) ? significant(d) : "overflow", significant(dec(powers[i].exp)));
    CHECK(!decimal_exp(dec("14200"), &d) && !decimal_exp(dec("1e40"), &d));
    CHECK(decimal_exp(dec("-1e40"), &d) && decimal_is_zero(d));
    CHECK(decimal_is_zero(decimal_sqrt(dec("0.00"))));
    CHECK(decimal_quotient(dec("1"), dec("3"), &d));
    CHECK_STR(text(d), "0.3333333333333333333333333333333333");
    CHECK_INT(decimal_weight(dec("123.4")), 2);
    CHECK_INT(decimal_weight(dec("0.05")), -2);
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

#ifdef __DECIMAL_BID_FORMAT__
/* Where the compiler has a decimal type of the same bits, its sums, products, order and doubles are ours, digits and scales included. */
static _Decimal128 native(Decimal a) {
    _Decimal128 d;
    memcpy(&d, &a, sizeof d);
    return d;
}

static bool same(Operation operation, Decimal a, Decimal b, _Decimal128 expected) {
    Decimal got, e;
    memcpy(&e, &expected, sizeof e);
    bool held = operation(a, b, &got);
    return held ? got.low == e.low && got.high == e.high : decimal_is_infinite(e);
}

static uint64_t next(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 11;
}

/* Up to 34 digits, often few of them or nines or zeros; exponents near each other, or anywhere. */
static Decimal any_decimal(uint64_t *seed) {
    char z[64];
    int n = 0, digits = 1 + (int)(next(seed) % 34), kind = (int)(next(seed) % 4);
    if (next(seed) % 2) z[n++] = '-';
    for (int i = 0; i < digits; i++) z[n++] = (char)(kind == 0 && i > 0 ? '0' : kind == 1 ? '9' : kind == 2 && i == digits - 1 ? '5' : '0' + (int)(next(seed) % 10));
    int range = next(seed) % 8 ? 40 : 6000;
    snprintf(z + n, sizeof z - (size_t)n, "e%d", (int)(next(seed) % (uint64_t)(2 * range)) - range);
    return dec(z);
}

TEST(against_the_compiler) {
    uint64_t seed = 1;
    for (int round = 0; round < 200000; round++) {
        Decimal a = any_decimal(&seed), b = any_decimal(&seed);
        _Decimal128 x = native(a), y = native(b);
        CHECK(same(decimal_add, a, b, x + y));
        CHECK(same(decimal_sub, a, b, x - y));
        CHECK(same(decimal_mul, a, b, x * y));
        CHECK_INT(decimal_compare(a, b), (x > y) - (x < y));
        CHECK(decimal_to_double(a) == (double)x);
    }
}
#endif

int main(void) {
#ifdef __DECIMAL_BID_FORMAT__
    RUN(against_the_compiler);
#endif
    RUN(texts);
    RUN(arithmetic);
    RUN(division);
    RUN(rounding);
    RUN(order);
    RUN(roots_and_logarithms);
    RUN(conversions);
    RUN(against_integers);
    arena_free(&arena);
    return unit_report();
}
