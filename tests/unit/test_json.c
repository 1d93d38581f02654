/* test_json.c - JSON text in and out, navigation, containment, equality, building and change. Expected results are jsonb's. */
#include "json.h"

#include "unit.h"

static Arena arena;

static Value parsed(const char *z) {
    Value v = json_null();
    sqm_error_t error;
    unit_checks++;
    if (!json_parse(&arena, str_from(z), &v, &error)) unit_fail(__FILE__, __LINE__), fprintf(stderr, "%s: %s\n", z, error.message);
    return v;
}

static const char *text(const Value *v) { return json_text(&arena, v).p; }

static const char *round_trip(const char *z) {
    Value v = parsed(z);
    return text(&v);
}

static const char *refusal(Str s) {
    static sqm_error_t error;
    Value v;
    return json_parse(&arena, s, &v, &error) ? "accepted" : error.message;
}
#define REFUSES(z, why) CHECK_STR(refusal(STR(z)), "invalid input syntax for type json: " why)

TEST(texts) {
    CHECK_STR(round_trip(" {\"a\":1 , \"b\":[true,false,null,\"x\"],\"c\":{}} "), "{\"a\": 1, \"b\": [true, false, null, \"x\"], \"c\": {}}");
    CHECK_STR(round_trip("[]"), "[]");
    CHECK_STR(round_trip("{\"a\":1,\"b\":2,\"a\":{\"x\":1},\"c\":3,\"b\":4}"), "{\"a\": {\"x\": 1}, \"c\": 3, \"b\": 4}");
    CHECK_STR(round_trip("\"a\\u00e9\\ud83d\\ude00\\n\\\"\\\\\\/\\u0007\""), "\"aé😀\\n\\\"\\\\/\\u0007\"");
    CHECK_STR(round_trip("0"), "0");
    CHECK_STR(round_trip("-0"), "0");
    CHECK_STR(round_trip("9223372036854775807"), "9223372036854775807");
    CHECK_STR(round_trip("9223372036854775808"), "9223372036854775808");
    CHECK_STR(round_trip("-12345678901234567890123456789012"), "-12345678901234567890123456789012");
    CHECK_STR(round_trip("1.10"), "1.1");
    CHECK_STR(round_trip("3.0"), "3.0");
    CHECK_STR(round_trip("1e20"), "1e+20");
    CHECK_STR(round_trip("1E-7"), "1e-07");
    CHECK_STR(round_trip("1e400"), text(&(Value[]){parsed("1e400")}[0]));
    CHECK_INT(parsed("1e400").bson_type, BSON_TYPE_DECIMAL128);
    CHECK_INT(parsed("5").bson_type, BSON_TYPE_INT32);
    CHECK_INT(parsed("5000000000").bson_type, BSON_TYPE_INT64);
    CHECK_INT(parsed("null").bson_type, BSON_TYPE_NULL);
    CHECK_STR(round_trip("{\"\":{\"\":[]}}"), "{\"\": {\"\": []}}");
    char deep[400] = "";
    for (int i = 0; i < 100; i++) strcat(deep, "[");
    for (int i = 0; i < 100; i++) strcat(deep, "]");
    CHECK_STR(round_trip(deep), deep);
}

TEST(refusals) {
    REFUSES("", "unexpected end at byte 0");
    REFUSES("{\"a\":1,}", "expected a key at byte 7");
    REFUSES("[1,]", "unexpected token at byte 3");
    REFUSES("[1 2]", "expected \",\" or \"]\" at byte 3");
    REFUSES("{\"a\" 1}", "expected \":\" at byte 5");
    REFUSES("nul", "unexpected token at byte 0");
    REFUSES("NaN", "unexpected token at byte 0");
    REFUSES("-Infinity", "invalid number at byte 1");
    REFUSES("01", "invalid number at byte 2");
    REFUSES("1.", "invalid number at byte 2");
    REFUSES("1e", "invalid number at byte 2");
    REFUSES("\"a", "string without end at byte 2");
    REFUSES("\"\\x\"", "invalid escape in a string at byte 2");
    REFUSES("\"\x01\"", "control character in a string at byte 1");
    REFUSES("\"\\u0000\"", "\\u0000 cannot be converted to text at byte 7");
    REFUSES("{\"\\u0000\":1}", "\\u0000 cannot be converted to text at byte 8");
    REFUSES("\"\\ud800\"", "Unicode high surrogate must be followed by a low surrogate at byte 7");
    REFUSES("\"\\udc00\"", "Unicode low surrogate must follow a high surrogate at byte 7");
    REFUSES("1 x", "unexpected text after the value at byte 2");
    CHECK_STR(refusal(STR("\"\xff\"")), "invalid input syntax for type json: not valid UTF-8");
    CHECK_STR(refusal((Str){"1\0", 2}), "invalid input syntax for type json: not valid UTF-8");
    CHECK_STR(refusal(STR("[12345678901234567890123456789012345678901234567890]")), "number in JSON at byte 1 has too many digits");
    char deep[102] = "";
    memset(deep, '[', 101);
    CHECK_STR(refusal(str_from(deep)), "JSON is nested more than 100 levels deep");
}

static const char *at(const char *z, const char *path) {
    Str steps[8];
    int n = 0;
    for (const char *p = path; *p;) {
        const char *end = strchrnul(p, ',');
        steps[n++] = (Str){p, (uint32_t)(end - p)};
        p = *end ? end + 1 : end;
    }
    Value v = parsed(z), out;
    return json_path(&v, steps, n, &out) ? text(&out) : "missing";
}

TEST(navigation) {
    Value v = parsed("{\"a\":[10,{\"b\":null},\"x\"],\"1\":2}"), out, array;
    CHECK(json_get(&v, STR("a"), &array) && json_length(&array) == 3);
    CHECK(json_get_index(&array, 0, &out) && value_natural(&out).u.i == 10);
    CHECK(json_get_index(&array, -1, &out));
    CHECK_STR(text(&out), "\"x\"");
    Value as_text = json_as_text(&arena, &out);
    CHECK_INT(as_text.type, SQM_TEXT);
    CHECK_INT(as_text.len, 1);
    CHECK(!json_get_index(&array, 3, &out) && !json_get_index(&array, -4, &out) && !json_get_index(&v, 0, &out));
    CHECK(!json_get(&array, STR("0"), &out) && !json_get(&v, STR("b"), &out));
    CHECK_STR(at("{\"a\":[10,{\"b\":null}],\"1\":2}", "a,1,b"), "null");
    CHECK_STR(at("{\"a\":[10,{\"b\":null}],\"1\":2}", "1"), "2");
    CHECK_STR(at("{\"a\":[10,20]}", "a,-1"), "20");
    CHECK_STR(at("{\"a\":[10,20]}", "a,x"), "missing");
    CHECK_STR(at("{\"a\":1}", "a,b"), "missing");
    CHECK_STR(at("{\"a\":1}", ""), "{\"a\": 1}");
    Value null = parsed("null");
    CHECK_INT(json_as_text(&arena, &null).type, SQM_NULL);
    CHECK_STR(json_typeof(&v), "object");
    CHECK_STR(json_typeof(&array), "array");
    CHECK_STR(json_typeof(&null), "null");
    CHECK_STR(json_typeof(&(Value[]){parsed("1.5")}[0]), "number");
    CHECK_STR(json_typeof(&(Value[]){parsed("true")}[0]), "boolean");
    CHECK_STR(json_typeof(&(Value[]){parsed("\"\"")}[0]), "string");
}

static bool contains(const char *a, const char *b) {
    Value x = parsed(a), y = parsed(b);
    return json_contains(&x, &y);
}

TEST(containment) {
    CHECK(contains("{\"a\":1,\"b\":2}", "{\"b\":2.0}"));
    CHECK(!contains("{\"a\":1}", "{\"a\":2}"));
    CHECK(!contains("{\"a\":1}", "{\"b\":1}"));
    CHECK(contains("{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"c\":2}}"));
    CHECK(contains("{\"a\":{\"b\":1}}", "{\"a\":{}}"));
    CHECK(!contains("{\"a\":{\"b\":1}}", "{\"a\":[]}"));
    CHECK(contains("[1,2,[1,3]]", "[1,3]") == false);
    CHECK(contains("[1,2,[1,3]]", "[[1]]"));
    CHECK(contains("[1,2]", "[2,2,1]"));
    CHECK(contains("[1,2]", "1"));
    CHECK(!contains("1", "[1]"));
    CHECK(!contains("[[1]]", "1"));
    CHECK(contains("\"a\"", "\"a\""));
    CHECK(contains("[{\"a\":1,\"b\":2}]", "[{\"a\":1}]"));
    CHECK(contains("{}", "{}") && contains("[]", "[]") && contains("[1]", "[]") && !contains("{}", "[]"));
    CHECK(contains("{\"a\":null}", "{\"a\":null}") && !contains("{}", "{\"a\":null}"));
    Value v = parsed("{\"a\":1}"), w = parsed("[\"a\",1]"), s = parsed("\"a\"");
    CHECK(json_has_key(&v, STR("a")) && !json_has_key(&v, STR("b")));
    CHECK(json_has_key(&w, STR("a")) && !json_has_key(&w, STR("1")));
    CHECK(json_has_key(&s, STR("a")) && !json_has_key(&s, STR("b")));
}

static int order(const char *a, const char *b) {
    Value x = parsed(a), y = parsed(b);
    int c = json_compare(&x, &y);
    CHECK_INT((c > 0) - (c < 0), -((json_compare(&y, &x) > 0) - (json_compare(&y, &x) < 0)));
    CHECK((c == 0) == json_equal(&x, &y));
    if (c == 0) CHECK(json_hash(&x, 1) == json_hash(&y, 1) && value_hash(&x, 1) == value_hash(&y, 1));
    return (c > 0) - (c < 0);
}

TEST(comparison) {
    CHECK_INT(order("{\"a\":1,\"b\":2}", "{\"b\":2.0,\"a\":1}"), 0);
    CHECK_INT(order("{\"a\":1}", "{\"a\":1,\"b\":2}"), -1);
    CHECK_INT(order("[1,2]", "[1,2,0]"), -1);
    CHECK_INT(order("[1,{\"x\":[1,{}]}]", "[1.0,{\"x\":[1,{}]}]"), 0);
    CHECK_INT(order("[2]", "[1,2]"), 1);
    CHECK_INT(order("null", "0"), -1);
    CHECK_INT(order("10", "\"1\""), -1);
    CHECK_INT(order("\"z\"", "{}"), -1);
    CHECK_INT(order("{\"z\":1}", "[]"), -1);
    CHECK_INT(order("[]", "false"), -1);
    CHECK_INT(order("false", "true"), -1);
    CHECK_INT(order("9007199254740993", "9007199254740992.0"), 1);
    CHECK_INT(order("1e400", "1"), 1);
    Value object = parsed("{\"k00\":0}");
    for (int i = 1; i < 60; i++) {                              /* many fields, in another order: off the stack */
        JsonBuilder b = json_builder(&arena, false);
        char key[16];
        for (int k = i; k >= 0; k--) snprintf(key, sizeof key, "k%02d", k), json_add(&b, str_from(key), &(Value){.type = SQM_INT, .u.i = k});
        Value reversed = json_finish(&b);
        CHECK((json_equal(&object, &reversed)) == false);
        snprintf(key, sizeof key, "k%02d", i);
        Str step = str_from(key);
        CHECK(json_change(&arena, &object, &step, 1, JSON_SET, &(Value){.type = SQM_INT, .u.i = i}, &object, NULL));
        CHECK(json_equal(&object, &reversed) && json_hash(&object, 0) == json_hash(&reversed, 0));
    }
}

static const char *changed(const char *z, const char *path, JsonChange how, const char *item) {
    static sqm_error_t error;
    Str steps[8];
    int n = 0;
    for (const char *p = path; *p;) {
        const char *end = strchrnul(p, ',');
        steps[n++] = (Str){p, (uint32_t)(end - p)};
        p = *end ? end + 1 : end;
    }
    Value v = parsed(z), with = parsed(item), out;
    return json_change(&arena, &v, steps, n, how, &with, &out, &error) ? text(&out) : error.message;
}

TEST(changes) {
    CHECK_STR(changed("{\"a\":{\"b\":1}}", "a,b", JSON_SET, "[2]"), "{\"a\": {\"b\": [2]}}");
    CHECK_STR(changed("{\"a\":1}", "c", JSON_SET, "3"), "{\"a\": 1, \"c\": 3}");
    CHECK_STR(changed("{\"a\":1}", "c", JSON_REPLACE, "3"), "{\"a\": 1}");
    CHECK_STR(changed("{\"a\":1}", "b,c", JSON_SET, "3"), "{\"a\": 1}");
    CHECK_STR(changed("{\"a\":1}", "a,c", JSON_SET, "3"), "{\"a\": 1}");
    CHECK_STR(changed("[1,2]", "0", JSON_SET, "9"), "[9, 2]");
    CHECK_STR(changed("[1,2]", "-1", JSON_SET, "9"), "[1, 9]");
    CHECK_STR(changed("[1,2]", "7", JSON_SET, "9"), "[1, 2, 9]");
    CHECK_STR(changed("[1,2]", "-7", JSON_SET, "9"), "[9, 1, 2]");
    CHECK_STR(changed("[1,2]", "x", JSON_SET, "9"), "path element at position 1 is not an integer: \"x\"");
    CHECK_STR(changed("1", "x", JSON_SET, "9"), "cannot set path in scalar");
    CHECK_STR(changed("[0,1,2]", "1", JSON_INSERT_BEFORE, "\"n\""), "[0, \"n\", 1, 2]");
    CHECK_STR(changed("[0,1,2]", "1", JSON_INSERT_AFTER, "\"n\""), "[0, 1, \"n\", 2]");
    CHECK_STR(changed("{\"a\":1}", "a", JSON_INSERT_AFTER, "2"), "cannot replace existing key");
    CHECK_STR(changed("{\"a\":1}", "b", JSON_INSERT_AFTER, "2"), "{\"a\": 1, \"b\": 2}");
    CHECK_STR(changed("{\"a\":[1,{\"b\":2}]}", "a,1,b", JSON_DELETE, "null"), "{\"a\": [1, {}]}");
    CHECK_STR(changed("{\"a\":[1]}", "a,0", JSON_DELETE, "null"), "{\"a\": []}");
    CHECK_STR(changed("{\"a\":[1]}", "", JSON_DELETE, "null"), "{\"a\": [1]}");
    Value a = parsed("{\"a\":1,\"b\":2}"), b = parsed("{\"b\":3}"), list = parsed("[1,\"b\"]"), one = parsed("1"), out;
    sqm_error_t error;
    CHECK_STR(text(&(Value[]){json_concat(&arena, &a, &b)}[0]), "{\"a\": 1, \"b\": 3}");
    CHECK_STR(text(&(Value[]){json_concat(&arena, &list, &one)}[0]), "[1, \"b\", 1]");
    CHECK_STR(text(&(Value[]){json_concat(&arena, &one, &one)}[0]), "[1, 1]");
    CHECK_STR(text(&(Value[]){json_concat(&arena, &b, &list)}[0]), "[{\"b\": 3}, 1, \"b\"]");
    CHECK(json_delete_key(&arena, &a, STR("a"), &out, &error));
    CHECK_STR(text(&out), "{\"b\": 2}");
    CHECK(json_delete_key(&arena, &list, STR("b"), &out, &error));
    CHECK_STR(text(&out), "[1]");
    CHECK(json_delete_index(&arena, &list, -2, &out, &error));
    CHECK_STR(text(&out), "[\"b\"]");
    CHECK(json_delete_index(&arena, &list, 5, &out, &error) && json_length(&out) == 2);
    CHECK(!json_delete_index(&arena, &a, 0, &out, &error) && !json_delete_key(&arena, &one, STR("a"), &out, &error));
    Value nulls = parsed("{\"a\":null,\"b\":[null,{\"c\":null}]}");
    CHECK_STR(text(&(Value[]){json_strip_nulls(&arena, &nulls)}[0]), "{\"b\": [null, {}]}");
}

TEST(extended) {
    bson_t doc = BSON_INITIALIZER;
    bson_oid_t oid;
    bson_oid_init_from_string(&oid, "65a1b2c3d4e5f60718293a4b");
    BSON_APPEND_OID(&doc, "o", &oid);
    BSON_APPEND_DATE_TIME(&doc, "d", 1577934672123);
    BSON_APPEND_DATE_TIME(&doc, "e", -1);
    BSON_APPEND_BINARY(&doc, "b", BSON_SUBTYPE_BINARY, (const uint8_t *)"abcd", 4);
    BSON_APPEND_REGEX(&doc, "r", "^a\"", "i");
    BSON_APPEND_TIMESTAMP(&doc, "t", 7, 9);
    BSON_APPEND_MINKEY(&doc, "n");
    BSON_APPEND_DOUBLE(&doc, "f", 0.0 / 0.0);
    bson_t *scoped = bson_copy(&doc);
    BSON_APPEND_CODE_WITH_SCOPE(&doc, "c", "f()", scoped);
    bson_destroy(scoped);
    Value v = {.type = SQM_BSON, .bson_type = BSON_TYPE_DOCUMENT, .len = doc.len, .u.bytes = bson_get_data(&doc)};
    Value scope;
    Str s = json_text(&arena, &v);
    const char *start = "{\"o\": {\"$oid\": \"65a1b2c3d4e5f60718293a4b\"}, \"d\": {\"$date\": \"2020-01-02T03:11:12.123Z\"}, \"e\": {\"$date\": {\"$numberLong\": \"-1\"}}, "
                        "\"b\": {\"$binary\": {\"base64\": \"YWJjZA==\", \"subType\": \"00\"}}, \"r\": {\"$regularExpression\": {\"pattern\": \"^a\\\"\", \"options\": \"i\"}}, "
                        "\"t\": {\"$timestamp\": {\"t\": 7, \"i\": 9}}, \"n\": {\"$minKey\": 1}, \"f\": {\"$numberDouble\": \"NaN\"}, \"c\": {\"$code\": \"f()\", \"$scope\": {\"o\": ";
    CHECK_STR(arena_str(&arena, s.p, strlen(start) < s.n ? strlen(start) : s.n).p, start);
    size_t n;
    char *copy = sqm_value_to_json(&v, &n);
    CHECK_INT(n, s.n);
    free(copy);
    CHECK(json_get(&v, STR("c"), &scope));
    for (uint32_t cut = 0; cut < doc.len; cut++) {              /* damaged bytes: never past the end */
        uint8_t *part = bson_malloc(cut + 1);
        memcpy(part, bson_get_data(&doc), cut);
        Value damaged = {.type = SQM_BSON, .bson_type = BSON_TYPE_DOCUMENT, .len = cut, .u.bytes = part};
        if (cut >= 4) memcpy(part, &cut, 4);
        json_text(&arena, &damaged);
        json_length(&damaged);
        bson_free(part);
    }
    bson_destroy(&doc);
}

int main(void) {
    RUN(texts);
    RUN(refusals);
    RUN(navigation);
    RUN(containment);
    RUN(comparison);
    RUN(changes);
    RUN(extended);
    arena_free(&arena);
    return unit_report();
}
