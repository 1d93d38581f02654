/* test_aggregate.c - every aggregate over a handful of rows. Expected results are PostgreSQL's. */
#include <math.h>

#include "decimal.h"
#include "eval.h"
#include "json.h"
#include "unit.h"

static Arena arena;
static sqm_error_t error;

static Value text(const char *z) { return sqm_text(z, strlen(z)); }
static Value interval(int64_t i) { return (Value){.type = SQM_INTERVAL, .u.i = i}; }

static Value number(const char *z) {
    Value v = {.type = SQM_DECIMAL};
    CHECK_INT(decimal_from_text(str_from(z), &v.u.decimal), DECIMAL_OK);
    return v;
}

#define ROWS(...) (const Value[]){__VA_ARGS__}, (int)(sizeof((const Value[]){__VA_ARGS__}) / sizeof(Value))
#define NO_ROWS NULL, 0

/* The result as text, "NULL", or the error's message. Two arguments: rows are pairs. Values are in scratch memory that dies after the step. */
static const char *run_typed(const char *name, Type type, int n_args, const Value *rows, int n_values) {
    const Aggregate *agg = aggregate_find(str_from(name));
    CHECK(agg != NULL);
    if (!agg) return "missing";
    Eval ev = {.error = &error, .arena = &arena};
    SortKeys order = {.n = 1};
    Expr e = {.tag = EXPR_AGG, .type = type, .order = &order, .pos = {3, 4}};
    char *unaligned = arena_alloc(&arena, agg->state_size + 24);
    void *state = unaligned + 24;
    Value out = sqm_null();
    for (int i = 0; i < n_values; i += n_args) {
        Arena scratch = {0};
        Value args[2];
        for (int k = 0; k < n_args; k++) args[k] = value_copy(&scratch, &rows[i + k]);
        bool ok = (agg->ignores_nulls && args[0].type == SQM_NULL) || agg->step(&ev, state, &arena, args, n_args);
        arena_free(&scratch);
        if (!ok) return error.message;
    }
    if (!agg->finish(&ev, state, &arena, &e, &out)) return error.message;
    if (out.type == SQM_NULL) return "NULL";
    Str s = value_text(&arena, &out);
    return arena_str(&arena, s.p, s.n).p;
}

static const char *run(const char *name, const Value *rows, int n) { return run_typed(name, TYPE(UNKNOWN), 1, rows, n); }
static const char *run2(const char *name, const Value *rows, int n) { return run_typed(name, TYPE(UNKNOWN), 2, rows, n); }

#define N sqm_null()
#define I(i) sqm_int(i)
#define D(d) sqm_double(d)

TEST(sums) {
    CHECK_STR(run("count", ROWS(I(1), N, I(2))), "2");
    CHECK_STR(run("count", NO_ROWS), "0");
    CHECK_STR(run("sum", NO_ROWS), "NULL");
    CHECK_STR(run("sum", ROWS(N, N)), "NULL");
    CHECK_STR(run("sum", ROWS(I(1), N, I(41))), "42");
    CHECK_STR(run("sum", ROWS(I(INT64_MAX), I(INT64_MAX), I(-INT64_MAX))), "9223372036854775807");
    CHECK_STR(run("sum", ROWS(I(INT64_MAX), I(1))), "bigint out of range");
    CHECK_INT(error.position, 3);
    CHECK_STR(run("sum", ROWS(number("1.10"), number("2.2"), I(1))), "4.30");
    CHECK_STR(run("sum", ROWS(I(1), number("1.10"))), "2.10");
    CHECK_STR(run_typed("sum", TYPE(NUMERIC), 1, ROWS(I(1), I(2))), "3");
    CHECK_STR(run("sum", ROWS(D(0.1), D(0.2), D(0.3))), "0.6");
    CHECK_STR(run("sum", ROWS(D(1e100), D(1), D(-1e100))), "1");
    CHECK_STR(run("sum", ROWS(D(1.5), I(1), number("0.25"))), "2.75");
    CHECK_STR(run("sum", ROWS(D(1e308), D(1e308))), "value out of range: overflow");
    CHECK_STR(run("sum", ROWS(D(INFINITY), D(1))), "Infinity");
    CHECK_STR(run("sum", ROWS(D(INFINITY), D(-INFINITY))), "NaN");
    CHECK_STR(run("sum", ROWS(number("NaN"), number("1"))), "NaN");
    CHECK_STR(run("sum", ROWS(number("9e6144"), number("9e6144"))), "value overflows numeric format");
    CHECK_STR(run("sum", ROWS(interval(INT64_C(3600000000)), interval(INT64_C(1800000000)))), "01:30:00");
    CHECK_STR(run("sum", ROWS(interval(1), I(1))), "function sum(bigint) does not exist");
    CHECK_STR(run("sum", ROWS(text("a"))), "function sum(text) does not exist");
    CHECK_STR(run("avg", ROWS(I(1), I(2))), "1.5000000000000000");
    CHECK_STR(run("avg", ROWS(I(1), I(1), I(2))), "1.3333333333333333");
    CHECK_STR(run("avg", ROWS(I(INT64_MAX), I(INT64_MAX))), "9223372036854775807");
    CHECK_STR(run("avg", ROWS(number("0.10"), number("0.20"))), "0.15000000000000000000");
    CHECK_STR(run("avg", ROWS(D(1), D(2))), "1.5");
    CHECK_STR(run_typed("avg", TYPE(FLOAT8), 1, ROWS(I(1), I(2))), "1.5");
    CHECK_STR(run("avg", ROWS(interval(1), interval(2))), "00:00:00.000002");
    CHECK_STR(run("avg", ROWS(interval(-1), interval(-1), interval(-3))), "-00:00:00.000002");
    CHECK_STR(run("avg", NO_ROWS), "NULL");
}

TEST(extremes) {
    CHECK_STR(run("min", ROWS(text("b"), N, text("abc"), text("c"))), "abc");
    CHECK_STR(run("max", ROWS(text("b"), text("a longer text that must be kept"), text("bb"), text("ba"))), "bb");
    CHECK_STR(run("max", ROWS(I(1), D(2.5), number("2.4"))), "2.5");
    CHECK_STR(run("min", ROWS(D(NAN), D(1))), "1");
    CHECK_STR(run("max", ROWS(D(NAN), D(1))), "NaN");
    CHECK_STR(run("max", NO_ROWS), "NULL");
    CHECK_STR(run("any_value", ROWS(N, text("x"), text("y"))), "x");
}

TEST(folds) {
    CHECK_STR(run("bool_and", ROWS(sqm_bool(true), N, sqm_bool(false))), "false");
    CHECK_STR(run("every", ROWS(sqm_bool(true), sqm_bool(true))), "true");
    CHECK_STR(run("bool_or", ROWS(sqm_bool(false), sqm_bool(true))), "true");
    CHECK_STR(run("bool_or", ROWS(N)), "NULL");
    CHECK_STR(run("bit_and", ROWS(I(7), I(13))), "5");
    CHECK_STR(run("bit_or", ROWS(I(1), I(4))), "5");
    CHECK_STR(run("bit_xor", ROWS(I(7), I(2))), "5");
    CHECK_STR(run("bit_xor", NO_ROWS), "NULL");
    CHECK_STR(run("bool_and", ROWS(I(1))), "function bool_and(bigint) does not exist");
}

TEST(statistics) {
    CHECK_STR(run("stddev_pop", ROWS(I(2), I(4), I(4), I(4), I(5), I(5), I(7), I(9))), "2");
    CHECK_STR(run("var_pop", ROWS(number("1"), number("2"))), "0.25");
    CHECK_STR(run("var_samp", ROWS(D(1), D(2), D(3))), "1");
    CHECK_STR(run("variance", ROWS(D(1))), "NULL");
    CHECK_STR(run("stddev", NO_ROWS), "NULL");
    CHECK_STR(run("var_pop", ROWS(D(5))), "0");
    CHECK_STR(run("var_pop", ROWS(D(INFINITY), D(1))), "NaN");
    CHECK_STR(run2("regr_count", ROWS(I(1), I(1), I(2), N, N, I(3))), "1");
    CHECK_STR(run2("regr_slope", ROWS(I(2), I(1), I(4), I(2), I(6), I(3))), "2");
    CHECK_STR(run2("regr_intercept", ROWS(I(3), I(1), I(5), I(2), I(7), I(3))), "1");
    CHECK_STR(run2("regr_r2", ROWS(I(3), I(1), I(5), I(2), I(7), I(3))), "1");
    CHECK_STR(run2("regr_r2", ROWS(I(3), I(1), I(3), I(2))), "1");
    CHECK_STR(run2("regr_slope", ROWS(I(3), I(1), I(4), I(1))), "NULL");
    CHECK_STR(run2("corr", ROWS(I(1), I(3), I(2), I(2), I(3), I(1))), "-1");
    CHECK_STR(run2("covar_pop", ROWS(I(1), I(1), I(3), I(3))), "1");
    CHECK_STR(run2("covar_samp", ROWS(I(1), I(1), I(3), I(3))), "2");
    CHECK_STR(run2("covar_samp", ROWS(I(1), I(1))), "NULL");
    CHECK_STR(run2("regr_avgx", ROWS(I(1), I(10), I(3), I(20))), "15");
    CHECK_STR(run2("regr_avgy", ROWS(I(1), I(10), I(3), I(20))), "2");
    CHECK_STR(run2("regr_sxx", ROWS(I(1), I(10), I(3), I(20))), "50");
    CHECK_STR(run2("regr_syy", ROWS(I(1), I(10), I(3), I(20))), "2");
    CHECK_STR(run2("regr_sxy", ROWS(I(1), I(10), I(3), I(20))), "10");
}

TEST(collections) {
    CHECK_STR(run2("string_agg", ROWS(text("a"), text(", "), N, text("x"), text("b"), text("-"), text("c"), N)), "a-bc");
    CHECK_STR(run2("string_agg", NO_ROWS), "NULL");
    CHECK_STR(run2("string_agg", ROWS(I(1), text(","))), "function string_agg(bigint) does not exist");
    CHECK_STR(run("array_agg", ROWS(I(1), N, text("a b"))), "{1,NULL,\"a b\"}");
    CHECK_STR(run("array_agg", NO_ROWS), "NULL");
    CHECK_STR(run("jsonb_agg", ROWS(I(1), N, text("a"), number("1.10"))), "[1, null, \"a\", 1.10]");
    CHECK_STR(run("json_agg", NO_ROWS), "NULL");
    CHECK_STR(run2("jsonb_object_agg", ROWS(text("a"), I(1), text("b"), N, text("a"), I(2), I(7), sqm_bool(true))), "{\"b\": null, \"a\": 2, \"7\": true}");
    CHECK_STR(run2("json_object_agg", ROWS(N, I(1))), "field name must not be null");
}

TEST(ordered_sets) {
    CHECK_STR(run2("percentile_cont", ROWS(I(1), D(0.5), I(2), D(0.5), I(3), D(0.5), I(10), D(0.5))), "2.5");
    CHECK_STR(run2("percentile_cont", ROWS(I(1), number("0.25"), I(2), number("0.25"), I(3), number("0.25"))), "1.5");
    CHECK_STR(run2("percentile_cont", ROWS(interval(0), D(0.5), interval(3), D(0.5))), "00:00:00.000002");
    CHECK_STR(run2("percentile_disc", ROWS(text("a"), D(0.5), text("b"), D(0.5), text("c"), D(0.5), text("d"), D(0.5))), "b");
    CHECK_STR(run2("percentile_disc", ROWS(text("a"), I(0), text("b"), I(0))), "a");
    CHECK_STR(run2("percentile_disc", ROWS(text("a"), I(1), text("b"), I(1))), "b");
    CHECK_STR(run2("percentile_cont", ROWS(I(1), D(1.5))), "percentile value 1.5 is not between 0 and 1");
    CHECK_STR(run2("percentile_cont", ROWS(I(1), N)), "NULL");
    CHECK_STR(run2("percentile_cont", NO_ROWS), "NULL");
    Value fractions = {.type = SQM_TUPLE, .len = 3, .u.tuple = (Value[]){D(0), D(1), N}};
    CHECK_STR(run2("percentile_disc", ROWS(I(1), fractions, I(5), fractions)), "{1,5,NULL}");
    CHECK_STR(run("mode", ROWS(text("a"), text("bb"), text("bb"), text("ccc"), text("ccc"))), "bb");
    CHECK_STR(run("mode", ROWS(text("a"), text("bb"), text("ccc"), text("ccc"))), "ccc");
    CHECK_STR(run("mode", ROWS(N)), "NULL");
    Eval ev = {.error = &error};
    Expr e = {.tag = EXPR_AGG, .pos = NO_POS};
    char *state = arena_alloc(&arena, 256);
    Value out;
    CHECK(!aggregate_find(STR("mode"))->finish(&ev, state, &arena, &e, &out));   /* WITHIN GROUP is not optional */
}

TEST(table) {
    int n = 0;
    for (const Aggregate *a; (a = aggregate_at(n)); n++) {
        CHECK(aggregate_find(str_from(a->name)) == a);
        CHECK(a->state_size <= 256 && *a->description);
        if (n) CHECK(strcmp(aggregate_at(n - 1)->name, a->name) < 0);
        Type types[2] = {TYPE(UNKNOWN), TYPE(UNKNOWN)}, out;
        CHECK(a->type(types, a->max_args, &out));
    }
    CHECK(n > 35 && !aggregate_at(-1));
    CHECK(!aggregate_find(STR("su")) && !aggregate_find(STR("sums")) && !aggregate_find(STR("")) && !aggregate_find(STR("zzz")));
    Type out;
    CHECK(aggregate_find(STR("avg"))->type((Type[]){TYPE(INT4)}, 1, &out) && out.tag == TYPE_NUMERIC);
    CHECK(aggregate_find(STR("sum"))->type((Type[]){TYPE(INT2)}, 1, &out) && out.tag == TYPE_INT8);
    CHECK(!aggregate_find(STR("sum"))->type((Type[]){TYPE(TEXT)}, 1, &out));
    CHECK(!aggregate_find(STR("bool_and"))->type((Type[]){TYPE(INT4)}, 1, &out));
    CHECK(!aggregate_find(STR("string_agg"))->type((Type[]){TYPE(INT4), TYPE(TEXT)}, 2, &out));
    CHECK(aggregate_find(STR("array_agg"))->type((Type[]){TYPE(INT4)}, 1, &out) && out.tag == TYPE_ARRAY && out.element == TYPE_INT4);
}

int main(void) {
    RUN(sums);
    RUN(extremes);
    RUN(folds);
    RUN(statistics);
    RUN(collections);
    RUN(ordered_sets);
    RUN(table);
    arena_free(&arena);
    return unit_report();
}
