/* test_value.c - types' names, comparison, order, hashing, text, and the way in and out of BSON. */
#include "value.h"

#include <locale.h>
#include <math.h>

#include "decimal.h"
#include "json.h"
#include "unit.h"

static Arena arena;

static Value text(const char *z) { return sqm_text(z, strlen(z)); }
static Value of(sqm_type_t type, int64_t i) { return (Value){.type = (uint8_t)type, .u.i = i}; }

static Value number(const char *z) {
    Value v = {.type = SQM_DECIMAL};
    CHECK_INT(decimal_from_text(str_from(z), &v.u.decimal), DECIMAL_OK);
    return v;
}

static Value json(const char *z) {
    Value v = json_null();
    CHECK(json_parse(&arena, str_from(z), &v, NULL));
    return v;
}

static Value uuid(char fill) {
    char *p = arena_alloc(&arena, 16);
    memset(p, fill, 16);
    return (Value){.type = SQM_UUID, .len = 16, .u.text = p};
}

static Value row(int n, ...) {
    Value *items = NEW_ARRAY(&arena, Value, n);
    va_list args;
    va_start(args, n);
    for (int i = 0; i < n; i++) items[i] = va_arg(args, Value);
    va_end(args);
    return (Value){.type = SQM_TUPLE, .len = (uint32_t)n, .u.tuple = items};
}
static Value of_row(Value array) { return array.flags = VALUE_ROW, array; }

/* -1, 0, 1; 9 for unknown. Checks symmetry, agreement with value_order, and hashes of equals on the way. */
static int compare(Value a, Value b) {
    bool unknown, unknown_too;
    int c = value_compare(&a, &b, &unknown), d = value_compare(&b, &a, &unknown_too);
    CHECK_INT(unknown, unknown_too);
    int order = value_order(&a, &b), back = value_order(&b, &a);
    CHECK_INT((order > 0) - (order < 0), (back < 0) - (back > 0));
    if (order == 0) CHECK(value_same(&a, &b) && value_hash(&a, 7) == value_hash(&b, 7));
    if (unknown) return 9;
    c = (c > 0) - (c < 0);
    CHECK_INT(c, (d < 0) - (d > 0));
    CHECK_INT(c, (order > 0) - (order < 0));
    return c;
}

TEST(numbers) {
    CHECK_INT(compare(sqm_int(1), sqm_int(2)), -1);
    CHECK_INT(compare(sqm_int(1), sqm_double(1.0)), 0);
    CHECK_INT(compare(sqm_int(1), number("1.00")), 0);
    CHECK_INT(compare(sqm_double(0.5), number("0.50")), 0);
    CHECK_INT(compare(sqm_double(0.1), number("0.1")), 1);
    CHECK_INT(compare(sqm_int(9007199254740993), sqm_double(9007199254740992.0)), 1);
    CHECK_INT(compare(sqm_int(INT64_MAX), sqm_double(0x1p63)), -1);
    CHECK_INT(compare(sqm_int(INT64_MIN), sqm_double(-0x1p63)), 0);
    CHECK_INT(compare(sqm_int(-3), sqm_double(-2.5)), -1);
    CHECK_INT(compare(sqm_int(-2), sqm_double(-2.5)), 1);
    CHECK_INT(compare(sqm_int(2), sqm_double(2.5)), -1);
    CHECK_INT(compare(sqm_double(0x1p63), number("9223372036854775808")), 0);
    CHECK_INT(compare(sqm_double(1e300), number("1e300")), 1);
    CHECK_INT(compare(sqm_double(NAN), sqm_double(NAN)), 0);
    CHECK_INT(compare(sqm_double(NAN), number("NaN")), 0);
    CHECK_INT(compare(sqm_double(NAN), sqm_double(INFINITY)), 1);
    CHECK_INT(compare(sqm_double(NAN), sqm_int(INT64_MAX)), 1);
    CHECK_INT(compare(sqm_double(-0.0), sqm_int(0)), 0);
    CHECK_INT(compare(number("-0.0"), sqm_double(0.0)), 0);
    CHECK_INT(compare(sqm_double(INFINITY), number("Infinity")), 0);
}

TEST(others) {
    CHECK_INT(compare(text("a"), text("b")), -1);
    CHECK_INT(compare(text("a"), text("aa")), -1);
    CHECK_INT(compare(text("Z"), text("a")), -1);
    CHECK_INT(compare(text("é"), text("z")), 1);
    CHECK_INT(compare(text(""), text("")), 0);
    CHECK_INT(compare(sqm_bool(false), sqm_bool(true)), -1);
    CHECK_INT(compare(of(SQM_DATE, 1), of(SQM_TIMESTAMP, INT64_C(86400000000))), 0);
    CHECK_INT(compare(of(SQM_DATE, 1), of(SQM_TIMESTAMP, INT64_C(86400000001))), -1);
    CHECK_INT(compare(of(SQM_DATE, -1), of(SQM_DATE, 1)), -1);
    CHECK_INT(compare(of(SQM_TIME, 1), of(SQM_TIME, 2)), -1);
    CHECK_INT(compare(of(SQM_INTERVAL, -1), of(SQM_INTERVAL, 1)), -1);
    CHECK_INT(compare(uuid(1), uuid(2)), -1);
    CHECK_INT(compare(uuid(1), uuid(1)), 0);
    /* Not comparable: no guessing. */
    CHECK_INT(compare(text("1"), sqm_int(1)), 9);
    CHECK_INT(compare(sqm_bool(true), sqm_int(1)), 9);
    CHECK_INT(compare(text("2020-01-01"), of(SQM_DATE, 18262)), 9);
    CHECK_INT(compare(text("x"), uuid('x')), 9);
    CHECK_INT(compare(of(SQM_INTERVAL, 1), sqm_int(1)), 9);
    CHECK_INT(compare(of(SQM_TIME, 1), of(SQM_TIMESTAMP, 1)), 9);
    CHECK_INT(compare(json("1"), sqm_int(1)), 9);
    CHECK_INT(compare(json("1"), json("1.0")), 0);
    CHECK_INT(compare(json("{\"a\":1,\"b\":2}"), json("{\"b\":2,\"a\":1}")), 0);
    CHECK_INT(compare(json("[1]"), row(1, sqm_double(1))), 0);
    CHECK_INT(compare(json("null"), json("0")), -1);
    CHECK_INT(compare(of_row(row(2, sqm_int(1), text("b"))), of_row(row(2, sqm_double(1), text("a")))), 1);
    CHECK_INT(compare(of_row(row(2, sqm_int(1), sqm_null())), of_row(row(2, sqm_int(1), text("a")))), 9);
    CHECK_INT(compare(of_row(row(2, sqm_int(1), sqm_null())), of_row(row(2, sqm_int(2), text("a")))), -1);
}

/* In an array NULL is the greatest element, whichever form the array has. */
TEST(arrays) {
    bool unknown;
    Value with_null = row(2, sqm_int(1), sqm_null()), greatest = row(2, sqm_int(1), text("a")), same = row(2, sqm_int(1), sqm_null());
    CHECK(value_compare(&with_null, &greatest, &unknown) > 0 && !unknown);
    CHECK(value_compare(&greatest, &with_null, &unknown) < 0 && !unknown);
    CHECK(value_compare(&with_null, &same, &unknown) == 0 && !unknown);
}

TEST(order) {
    Value sorted[] = {sqm_null(), json("null"), sqm_int(-1), sqm_double(0.5), number("3"), sqm_double(NAN), of(SQM_INTERVAL, 1), text("a"), json("{}"), json("[]"),
                      row(1, sqm_int(1)), uuid(1), sqm_bool(false), sqm_bool(true), of(SQM_TIME, 0), of(SQM_DATE, 0), of(SQM_TIMESTAMP, 1)};
    int n = sizeof sorted / sizeof *sorted;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            int c = value_order(&sorted[i], &sorted[j]);
            if ((c > 0) - (c < 0) != (i > j) - (i < j)) unit_fail(__FILE__, __LINE__), fprintf(stderr, "%d and %d\n", i, j);
            CHECK((c == 0) == value_same(&sorted[i], &sorted[j]));
            Value copy = value_copy(&arena, &sorted[i]);
            CHECK(value_same(&copy, &sorted[i]) && value_hash(&copy, 0) == value_hash(&sorted[i], 0));
        }
    CHECK(value_same(&(Value[]){json("\"a\"")}[0], &sorted[7]) && value_hash(&(Value[]){json("\"a\"")}[0], 0) == value_hash(&sorted[7], 0));
}

static const char *z(Value v) {
    Str s = value_text(&arena, &v);
    return arena_str(&arena, s.p, s.n).p;
}

TEST(texts) {
    static const struct { double d; const char *text; } doubles[] = {
        {0, "0"}, {-0.0, "-0"}, {1, "1"}, {0.1, "0.1"}, {-2.5, "-2.5"}, {100, "100"}, {1e14, "100000000000000"}, {1e15, "1e+15"}, {123456789012345680.0, "1.2345678901234568e+17"},
        {999999999999999.9, "999999999999999.9"}, {0.0001, "0.0001"}, {0.00001, "1e-05"}, {1.0 / 3, "0.3333333333333333"}, {0.1 + 0.2, "0.30000000000000004"}, {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"}, {2.2250738585072014e-308, "2.2250738585072014e-308"}, {1e22, "1e+22"}, {12345.678, "12345.678"}, {NAN, "NaN"}, {-INFINITY, "-Infinity"},
    };
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
        double back;
        CHECK_STR(z(sqm_double(doubles[i].d)), doubles[i].text);
        CHECK(value_double_parse(str_from(doubles[i].text), &back, NULL) && (back == doubles[i].d || (isnan(back) && isnan(doubles[i].d))));
    }
    double d;
    bool overflow;
    CHECK(value_double_parse(STR("1e999"), &d, &overflow) && overflow);
    CHECK(value_double_parse(STR(" +1.5 "), &d, &overflow) && d == 1.5 && !overflow);
    CHECK(!value_double_parse(STR(""), &d, NULL) && !value_double_parse(STR("0x10"), &d, NULL) && !value_double_parse(STR("1,5"), &d, NULL));
    CHECK(!value_double_parse(STR("1 2"), &d, NULL) && !value_double_parse(STR("nan(1)"), &d, NULL) && !value_double_parse(STR("-"), &d, NULL));
    CHECK_STR(z(sqm_bool(true)), "true");
    CHECK_STR(z(sqm_int(INT64_MIN)), "-9223372036854775808");
    CHECK_STR(z(number("1.10")), "1.10");
    CHECK_STR(z((Value){.type = SQM_BYTES, .len = 2, .u.text = "\x0f\xa0"}), "\\x0fa0");
    CHECK_STR(z(uuid('\x1f')), "1f1f1f1f-1f1f-1f1f-1f1f-1f1f1f1f1f1f");
    CHECK_STR(z((Value){.type = SQM_OBJECTID, .len = 12, .u.text = "abcdefghijkl"}), "6162636465666768696a6b6c");
    CHECK_STR(z(of(SQM_DATE, 18263)), "2020-01-02");
    CHECK_STR(z(of(SQM_TIME, INT64_C(37932500000))), "10:32:12.5");
    CHECK_STR(z(of(SQM_TIMESTAMP, INT64_C(1577959932500000))), "2020-01-02 10:12:12.5");
    CHECK_STR(z(of(SQM_INTERVAL, INT64_C(93600000000))), "1 day 02:00:00");
    CHECK_STR(z(json("{\"a\":[1,null]}")), "{\"a\": [1, null]}");
    CHECK_STR(z(row(5, sqm_int(1), sqm_null(), text("a b"), text("null"), row(1, text("\"")))), "{1,NULL,\"a b\",\"null\",{\"\\\"\"}}");
    CHECK_STR(z(value_to_json(&arena, &(Value[]){row(4, sqm_int(1), sqm_null(), of(SQM_TIMESTAMP, INT64_C(1577959932500000)), sqm_double(NAN))}[0])), "[1, null, \"2020-01-02T10:12:12.5\", \"NaN\"]");
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8")) {
        CHECK_STR(z(sqm_double(1.5)), "1.5");
        CHECK(value_double_parse(STR("2.5"), &d, NULL) && d == 2.5);
        setlocale(LC_NUMERIC, "C");
    }
}

/* Stores `v` as a column of `type` and reads it back; *stored: the BSON type on the way. */
static Value round_trip(Value v, Type type, int *stored) {
    bson_t doc = BSON_INITIALIZER;
    bson_iter_t it;
    CHECK(value_append(&doc, "x", 1, &v, type));
    CHECK(bson_validate(&doc, BSON_VALIDATE_UTF8, NULL));
    CHECK(bson_iter_init_find(&it, &doc, "x"));
    *stored = bson_iter_type(&it);
    Value back = value_from_bson(&it, type);
    back = value_copy(&arena, &back);
    bson_destroy(&doc);
    return back;
}

#define ROUND_TRIP(value, tag, expected_bson)                                           \
    do {                                                                                \
        int stored_;                                                                    \
        Value v_ = (value), back_ = round_trip(v_, TYPE(tag), &stored_);                \
        CHECK_INT(stored_, expected_bson);                                              \
        CHECK_INT(back_.type, v_.type);                                                 \
        CHECK(value_same(&v_, &back_));                                                 \
    } while (0)

TEST(storage) {
    ROUND_TRIP(sqm_bool(true), BOOL, BSON_TYPE_BOOL);
    ROUND_TRIP(sqm_int(5), INT4, BSON_TYPE_INT32);
    ROUND_TRIP(sqm_int(-5), INT2, BSON_TYPE_INT32);
    ROUND_TRIP(sqm_int(5), INT8, BSON_TYPE_INT64);
    ROUND_TRIP(sqm_int(5), UNKNOWN, BSON_TYPE_INT32);
    ROUND_TRIP(sqm_int(INT64_MAX), UNKNOWN, BSON_TYPE_INT64);
    ROUND_TRIP(sqm_int(INT64_MAX), FLOAT8, BSON_TYPE_INT64);            /* a comparison's constant: a double could not hold it */
    ROUND_TRIP(sqm_double(1.5), FLOAT8, BSON_TYPE_DOUBLE);
    ROUND_TRIP(sqm_double(3.0), INT4, BSON_TYPE_DOUBLE);
    ROUND_TRIP(number("1.10"), NUMERIC, BSON_TYPE_DECIMAL128);
    ROUND_TRIP(text("é"), TEXT, BSON_TYPE_UTF8);
    ROUND_TRIP(text(""), VARCHAR, BSON_TYPE_UTF8);
    ROUND_TRIP(((Value){.type = SQM_BYTES, .len = 3, .u.text = "a\0b"}), BYTEA, BSON_TYPE_BINARY);
    ROUND_TRIP(((Value){.type = SQM_BYTES}), BYTEA, BSON_TYPE_BINARY);
    ROUND_TRIP(uuid(7), UUID, BSON_TYPE_BINARY);
    ROUND_TRIP(of(SQM_DATE, -1), DATE, BSON_TYPE_DATE_TIME);
    ROUND_TRIP(of(SQM_DATE, 18263), DATE, BSON_TYPE_DATE_TIME);
    ROUND_TRIP(of(SQM_TIME, INT64_C(86399999000)), TIME, BSON_TYPE_DATE_TIME);
    ROUND_TRIP(of(SQM_TIME, 0), TIME, BSON_TYPE_DATE_TIME);
    ROUND_TRIP(of(SQM_TIMESTAMP, -1000), TIMESTAMP, BSON_TYPE_DATE_TIME);
    ROUND_TRIP(of(SQM_INTERVAL, -1), INTERVAL, BSON_TYPE_INT64);
    ROUND_TRIP(((Value){.type = SQM_OBJECTID, .len = 12, .u.text = "abcdefghijkl"}), OBJECTID, BSON_TYPE_OID);
    ROUND_TRIP(json("{\"a\":[1,{}]}"), JSON, BSON_TYPE_DOCUMENT);
    ROUND_TRIP(json("\"x\""), JSON, BSON_TYPE_UTF8);
    ROUND_TRIP(json("null"), JSON, BSON_TYPE_NULL);
    ROUND_TRIP(json("1.5"), JSON, BSON_TYPE_DOUBLE);
    ROUND_TRIP(sqm_null(), TEXT, BSON_TYPE_NULL);
    int stored;
    Value back = round_trip(row(2, sqm_int(1), text("a")), TYPE(ARRAY), &stored);
    CHECK_INT(back.type, SQM_BSON);
    CHECK_STR(z(back), "[1, \"a\"]");
    back = round_trip(of(SQM_TIMESTAMP, -1), TYPE(TIMESTAMP), &stored);
    CHECK_INT(back.u.i, -1000);                                          /* milliseconds, rounded down */
    back = round_trip(sqm_int(7), TYPE(NUMERIC), &stored);
    CHECK_INT(stored, BSON_TYPE_DECIMAL128);
    char *large = arena_alloc(&arena, 100000);
    memset(large, 'x', 100000);
    Value long_text = sqm_text(large, 100000);
    ROUND_TRIP(value_to_json(&arena, &long_text), JSON, BSON_TYPE_UTF8);
    CHECK_INT(value_from_bson(NULL, TYPE(JSON)).type, SQM_NULL);
}

static Value field(const bson_t *doc, const char *key, Type type) {
    bson_iter_t it;
    CHECK(bson_iter_init_find(&it, doc, key));
    return value_from_bson(&it, type);
}

/* What a schemaless column may hold. */
TEST(legacy) {
    bson_t doc = BSON_INITIALIZER;
    bson_iter_t it;
    BSON_APPEND_BINARY(&doc, "old", BSON_SUBTYPE_UUID_DEPRECATED, (const uint8_t *)"0123456789abcdef", 16);
    BSON_APPEND_INT32(&doc, "int", 7);
    BSON_APPEND_DOUBLE(&doc, "whole", 3.0);
    BSON_APPEND_DATE_TIME(&doc, "far", INT64_MAX);
    BSON_APPEND_REGEX(&doc, "regex", "a", "i");
    BSON_APPEND_UTF8(&doc, "text", "t");
    BSON_APPEND_DATE_TIME(&doc, "date", -1);
    BSON_APPEND_MAXKEY(&doc, "max");
    CHECK_INT(field(&doc, "old", TYPE(UUID)).type, SQM_UUID);
    CHECK_INT(field(&doc, "old", TYPE(UNKNOWN)).type, SQM_UUID);
    CHECK_INT(field(&doc, "old", TYPE(TEXT)).type, SQM_UUID);
    CHECK_INT(field(&doc, "old", TYPE(BYTEA)).type, SQM_BYTES);
    CHECK_INT(field(&doc, "old", TYPE(JSON)).type, SQM_JSON);
    CHECK_INT(field(&doc, "int", TYPE(INTERVAL)).type, SQM_INTERVAL);
    CHECK_INT(field(&doc, "int", TYPE(NUMERIC)).type, SQM_INT);
    CHECK_INT(field(&doc, "int", TYPE(BOOL)).type, SQM_INT);
    CHECK_INT(field(&doc, "whole", TYPE(INT4)).type, SQM_DOUBLE);
    CHECK_INT(field(&doc, "whole", TYPE(INTERVAL)).u.i, 3);
    CHECK_INT(field(&doc, "far", TYPE(TIMESTAMP)).type, SQM_BSON);
    CHECK_INT(field(&doc, "far", TYPE(UNKNOWN)).bson_type, BSON_TYPE_DATE_TIME);
    CHECK_INT(field(&doc, "regex", TYPE(TEXT)).type, SQM_BSON);
    CHECK_INT(field(&doc, "text", TYPE(INT4)).type, SQM_TEXT);
    CHECK_INT(field(&doc, "date", TYPE(DATE)).u.i, -1);
    CHECK_INT(field(&doc, "date", TYPE(TIME)).u.i, INT64_C(86399999000));
    CHECK_INT(field(&doc, "date", TYPE(UNKNOWN)).type, SQM_TIMESTAMP);
    Value far = field(&doc, "far", TYPE(UNKNOWN)), date = field(&doc, "date", TYPE(UNKNOWN)), max = field(&doc, "max", TYPE(UNKNOWN)), regex = field(&doc, "regex", TYPE(UNKNOWN));
    CHECK(value_order(&far, &date) > 0 && value_order(&max, &far) > 0 && value_order(&regex, &date) > 0 && value_same(&regex, &regex));
    bson_t again = BSON_INITIALIZER;
    CHECK(value_append(&again, "regex", -1, &regex, TYPE(UNKNOWN)) && value_append(&again, "max", -1, &max, TYPE(UNKNOWN)));
    CHECK(bson_iter_init_find(&it, &again, "regex") && BSON_ITER_HOLDS_REGEX(&it) && bson_iter_init_find(&it, &again, "max"));
    bson_destroy(&again);
    bson_destroy(&doc);
}

TEST(types) {
    static const struct { const char *name; int a, b; const char *printed; } good[] = {
        {"int", -1, -1, "integer"}, {"bigserial", -1, -1, "bigint"}, {"varchar", 30, -1, "varchar(30)"}, {"character varying", -1, -1, "varchar"}, {"char", -1, -1, "char(1)"},
        {"numeric", 10, 2, "numeric(10,2)"}, {"decimal", 5, -1, "numeric(5,0)"}, {"numeric", -1, -1, "numeric"}, {"timestamptz", 6, -1, "timestamp with time zone"},
        {"timestamp without time zone", -1, -1, "timestamp"}, {"json", -1, -1, "jsonb"}, {"inet", -1, -1, "text"}, {"float", 24, -1, "real"}, {"float", -1, -1, "double precision"},
        {"bool", -1, -1, "boolean"}, {"interval", -1, -1, "interval"}, {"document", -1, -1, "document"}, {"array", -1, -1, "array"}, {"objectid", -1, -1, "objectid"},
    };
    char out[64];
    Type t, back;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK(type_from_name(str_from(good[i].name), good[i].a, good[i].b, &t));
        CHECK_STR(type_text(t, out, sizeof out), good[i].printed);
        CHECK(type_parse(str_from(out), &back) && back.tag == t.tag && back.length == t.length && back.scale == t.scale);
    }
    CHECK(!type_from_name(STR("integer"), 5, -1, &t) && !type_from_name(STR("nosuch"), -1, -1, &t) && !type_from_name(STR("varchar"), 0, -1, &t));
    CHECK(!type_from_name(STR("timestamp"), 0, -1, &t) && !type_from_name(STR("unknown"), -1, -1, &t) && !type_from_name(STR("varchar"), 3, 4, &t));
    CHECK(type_parse(STR("integer[]"), &t) && t.tag == TYPE_ARRAY && t.element == TYPE_INT4);
    CHECK_STR(type_text(t, out, sizeof out), "integer[]");
    CHECK(!type_parse(STR(""), &t) && !type_parse(STR("varchar(x)"), &t) && !type_parse(STR("varchar(3"), &t) && !type_parse(STR("[]"), &t));
    CHECK(type_parse(STR("unknown"), &t) && t.tag == TYPE_UNKNOWN);
    static const struct { TypeTag a, b; int common; } pairs[] = {
        {TYPE_UNKNOWN, TYPE_DATE, TYPE_DATE}, {TYPE_INT2, TYPE_INT8, TYPE_INT8}, {TYPE_INT8, TYPE_NUMERIC, TYPE_NUMERIC}, {TYPE_NUMERIC, TYPE_FLOAT4, TYPE_FLOAT8}, {TYPE_FLOAT4, TYPE_FLOAT4, TYPE_FLOAT4},
        {TYPE_VARCHAR, TYPE_TEXT, TYPE_TEXT}, {TYPE_DATE, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ}, {TYPE_DATE, TYPE_TIME, -1}, {TYPE_INT4, TYPE_TEXT, -1}, {TYPE_BOOL, TYPE_INT4, -1}, {TYPE_JSON, TYPE_TEXT, -1},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        Type a = type_of(pairs[i].a), b = type_of(pairs[i].b);
        CHECK_INT(type_common(a, b, &t) ? (int)t.tag : -1, pairs[i].common);
        CHECK_INT(type_common(b, a, &t) ? (int)t.tag : -1, pairs[i].common);
    }
    CHECK(type_common((Type){.tag = TYPE_VARCHAR, .length = 10, .scale = -1}, (Type){.tag = TYPE_VARCHAR, .length = 20, .scale = -1}, &t) && t.length == -1);
    CHECK_STR(type_code(TYPE(INTERVAL)), "long");
    CHECK_INT(type_from_code(STR("date")).tag, TYPE_TIMESTAMPTZ);
    CHECK_INT(type_from_code((Str){0}).tag, TYPE_UNKNOWN);
}

int main(void) {
    RUN(numbers);
    RUN(others);
    RUN(arrays);
    RUN(order);
    RUN(texts);
    RUN(storage);
    RUN(legacy);
    RUN(types);
    arena_free(&arena);
    return unit_report();
}
