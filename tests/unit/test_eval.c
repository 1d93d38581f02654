/* test_eval.c - expressions evaluated without a server: eval_cases.def through parser and resolver, then what only hand-made trees and values reach:
 * parameters, frames and outer frames, subquery call-backs, short circuits, error positions, casts on assignment, patterns, threads. */
#include "eval.h"

#include <pthread.h>

#include "datetime.h"
#include "decimal.h"
#include "json.h"
#include "pattern.h"
#include "resolve.h"
#include "unit.h"

#define NOW INT64_C(1700000000123456)

static Arena arena;
static sqm_error_t error;

static Value text(const char *z) { return sqm_text(z, strlen(z)); }
static Value moment(sqm_type_t type, int64_t i) { return (Value){.type = (uint8_t)type, .u.i = i}; }
static Value numeric(const char *z) {
    Value v = {.type = SQM_DECIMAL};
    decimal_from_text(str_from(z), &v.u.decimal);
    return v;
}

/* The result of an expression as text; a failed one is "ERROR name". */
static const char *run(const char *sql, const Value *params, int n_params) {
    Compile cc = {.arena = &arena, .sql = arena_printf(&arena, "SELECT %s", sql), .error = &error};
    Catalog *catalog = catalog_new(STR("test"));
    Str out;
    Value v;
    error_clear(&error);
    if (setjmp(cc.exit) == 0) {
        Parsed parsed = parse(&cc, n_params == 0);
        const Expr *e = resolve(&cc, catalog, &parsed, NULL)->query->targets.at[0].expr;
        Eval ev = {.params = params, .n_params = n_params, .arena = &arena, .now = NOW, .error = &error};
        if (!eval(&ev, e, &v)) out = arena_printf(&arena, "ERROR %s", sqm_error_name(error.code));
        else if (v.type == SQM_NULL) out = STR("<null>");
        else if (v.type == SQM_BOOL) out = v.u.b ? STR("t") : STR("f");
        else {
            if (v.type == SQM_TIMESTAMP && e->type.tag == TYPE_TIMESTAMPTZ) v = cast_zoned_text(&arena, v.u.i);
            out = value_text(&arena, &v);
        }
    } else out = arena_printf(&arena, "ERROR %s", sqm_error_name(error.code));
    catalog_release(catalog);
    return arena_str(&arena, out.p, out.n).p;
}

TEST(cases) {
    static const struct { const char *sql, *expected; } rows[] = {
#define CASE(sql, expected) {sql, expected},
#include "eval_cases.def"
#undef CASE
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = run(rows[i].sql, NULL, 0);
        unit_check_str("eval_cases.def", (int)i, rows[i].sql, got, rows[i].expected);
        arena_clear(&arena);
    }
}

/* What Django sends: everything that varies is a parameter whose type only its value tells. */
TEST(parameters) {
    Value two[] = {sqm_int(7), sqm_int(2)};
    CHECK_STR(run("%s / %s", two, 2), "3");
    CHECK_STR(run("%s %% %s", two, 2), "1");
    CHECK_STR(run("power(%s, %s)", two, 2), "49");
    CHECK_STR(run("coalesce(%s, %s)", two, 2), "7");
    CHECK_STR(run("greatest(%s, %s)", two, 2), "7");
    Value mixed[] = {numeric("1.50"), sqm_int(2)};
    CHECK_STR(run("%s + %s", mixed, 2), "3.50");
    CHECK_STR(run("round(%s, %s)", (Value[]){numeric("2.675"), sqm_int(2)}, 2), "2.68");
    CHECK_STR(run("round(%s, %s)", (Value[]){sqm_double(2.5), sqm_int(0)}, 2), "3");
    CHECK_STR(run("round(%s)", (Value[]){sqm_double(2.5)}, 1), "2");
    CHECK_STR(run("mod(%s, %s)", (Value[]){sqm_double(5.5), sqm_double(2)}, 2), "1.5");
    Value day = moment(SQM_DATE, 19782), instant = moment(SQM_TIMESTAMP, INT64_C(1709214330678000)), hours = moment(SQM_INTERVAL, 90 * USEC_MINUTE);
    CHECK_STR(run("%s + %s", (Value[]){day, sqm_int(1)}, 2), "2024-03-01");
    CHECK_STR(run("%s + %s", (Value[]){instant, hours}, 2), "2024-02-29 15:15:30.678");
    CHECK_STR(run("%s - %s", (Value[]){instant, day}, 2), "13:45:30.678");
    CHECK_STR(run("%s * %s", (Value[]){hours, sqm_double(1.5)}, 2), "02:15:00");
    CHECK_STR(run("%s < %s", (Value[]){day, instant}, 2), "t");
    CHECK_STR(run("%s = %s", (Value[]){day, text("2024-02-29")}, 2), "t");
    CHECK_STR(run("%s in (%s, null)", (Value[]){day, text("2024-02-28")}, 2), "<null>");
    CHECK_STR(run("extract(second from date_trunc('second', %s))", &instant, 1), "30.000000");
    CHECK_STR(run("extract(dow from %s) + 1", &day, 1), "5");
    CHECK_STR(run("(%s at time zone 'Europe/Paris')::date", &instant, 1), "2024-02-29");
    CHECK_STR(run("(%s at time zone 'Asia/Tokyo')::time", &instant, 1), "22:45:30.678");
    CHECK_STR(run("date_trunc('day', %s at time zone '-01:00')", &instant, 1), "2024-02-29 00:00:00");
    CHECK_STR(run("%s || %s", (Value[]){text("a"), sqm_int(1)}, 2), "a1");
    CHECK_STR(run("lower(%s)", (Value[]){text("ÀB")}, 1), "àb");
    CHECK_STR(run("sha256(%s)", (Value[]){text("abc")}, 1), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK_STR(run("%s::text", (Value[]){sqm_bool(true)}, 1), "true");
    CHECK_STR(run("case when %s then %s else 'x' end", (Value[]){sqm_bool(false), text("y")}, 2), "x");
    CHECK_STR(run("nullif(%s, '')", (Value[]){text("")}, 1), "<null>");

    Value document, path[] = {text("a"), text("1")}, keys = {.type = SQM_TUPLE, .len = 2, .u.tuple = path};
    CHECK(json_parse(&arena, STR("{\"a\": [1, {\"b\": null}], \"c\": \"x\"}"), &document, NULL));
    CHECK_STR(run("%s -> %s", (Value[]){document, text("a")}, 2), "[1, {\"b\": null}]");
    CHECK_STR(run("%s -> %s -> %s", (Value[]){document, text("a"), sqm_int(0)}, 3), "1");
    CHECK_STR(run("%s #>> %s", (Value[]){document, keys}, 2), "{\"b\": null}");
    CHECK_STR(run("%s ?| %s", (Value[]){document, keys}, 2), "t");
    CHECK_STR(run("%s ?& %s", (Value[]){document, keys}, 2), "f");
    CHECK_STR(run("%s @> %s", (Value[]){document, text("{\"c\": \"x\"}")}, 2), "t");
    CHECK_STR(run("(%s -> 'z') is null", &document, 1), "t");
    CHECK_STR(run("%s -> 'c' = %s", (Value[]){document, document}, 2), "f");
    CHECK_STR(run("jsonb_build_object((%s)::text, %s)", (Value[]){text("k"), instant}, 2), "{\"k\": \"2024-02-29T13:45:30.678+00:00\"}");
    CHECK_STR(run("%s = any(%s)", (Value[]){text("1"), keys}, 2), "t");
    Value null_json = json_null();
    CHECK_STR(run("%s is null", &null_json, 1), "f");
    CHECK_STR(run("%s ->> 'a'", &null_json, 1), "<null>");
}

TEST(present_time) {
    CHECK_STR(run("now()", NULL, 0), "2023-11-14 22:13:20.123456+00");
    CHECK_STR(run("current_timestamp(0)", NULL, 0), "2023-11-14 22:13:20+00");
    CHECK_STR(run("current_date", NULL, 0), "2023-11-14");
    CHECK_STR(run("localtime", NULL, 0), "22:13:20.123456");
    CHECK_STR(run("statement_timestamp() = now()", NULL, 0), "t");
    CHECK_STR(run("clock_timestamp() > now()", NULL, 0), "t");
    CHECK_STR(run("random() between 0 and 1", NULL, 0), "t");
    CHECK_STR(run("length(gen_random_uuid()::text)", NULL, 0), "36");
    CHECK_STR(run("gen_random_uuid() = gen_random_uuid()", NULL, 0), "f");
}

/* ---- hand-made trees ---- */

static Expr *node(ExprTag tag, Type type, int n, Expr **args) {
    Expr *e = NEW(&arena, Expr);
    e->tag = tag;
    e->type = type;
    e->pos = (Pos){10, 3};
    for (int i = 0; i < n; i++) vec_push(&arena, &e->args, args[i]);
    return e;
}
static Expr *constant(Value v, Type type) {
    Expr *e = node(EXPR_CONST, type, 0, NULL);
    e->value = v;
    return e;
}
static Expr *variable(int level, int slot) {
    Expr *e = node(EXPR_VAR, TYPE(UNKNOWN), 0, NULL);
    e->level = level;
    e->slot = slot;
    return e;
}
static Expr *call(const char *name, Expr *a, Expr *b) {
    Expr *e = node(EXPR_FUNC, TYPE(UNKNOWN), b ? 2 : 1, (Expr *[]){a, b});
    e->function = function_find(str_from(name), b ? 2 : 1);
    return e;
}

static bool answer_seven(Eval *ev, const Expr *e, Value *out) {
    (void)ev;
    *out = sqm_int(7 + e->number);
    return true;
}

TEST(frames) {
    Value inner[] = {sqm_int(1), sqm_int(2)}, outer[] = {sqm_int(10)}, outermost[] = {sqm_int(100)}, v;
    error_clear(&error);
    Eval top = {.frame = outermost, .arena = &arena, .error = &error}, middle = {.frame = outer, .outer = &top, .arena = &arena, .error = &error};
    Eval ev = {.frame = inner, .outer = &middle, .arena = &arena, .error = &error, .sublink = answer_seven};
    CHECK(eval(&ev, call("+", call("+", variable(0, 1), variable(1, 0)), variable(2, 0)), &v));
    CHECK_INT(v.u.i, 112);
    CHECK(!eval(&ev, variable(3, 0), &v));
    Expr *sublink = node(EXPR_SUBLINK, TYPE(INT8), 0, NULL);
    sublink->number = 1;
    CHECK(eval(&ev, sublink, &v));
    CHECK_INT(v.u.i, 8);
    CHECK(!eval(&top, sublink, &v));
    CHECK_INT(error.code, SQM_ERROR_NOT_SUPPORTED);
}

TEST(short_circuit_and_positions) {
    Value v;
    Eval ev = {.arena = &arena, .error = &error};
    Expr *zero = constant(sqm_int(0), TYPE(INT4)), *one = constant(sqm_int(1), TYPE(INT4)), *boom = call("/", one, zero);
    boom->pos = (Pos){42, 5};
    Expr *wrong = node(EXPR_COMPARE, TYPE(BOOL), 2, (Expr *[]){boom, one}), *no = constant(sqm_bool(false), TYPE(BOOL)), *yes = constant(sqm_bool(true), TYPE(BOOL));
    wrong->op = OP_EQ;
    bool is;
    error_clear(&error);
    CHECK(eval(&ev, node(EXPR_AND, TYPE(BOOL), 2, (Expr *[]){no, wrong}), &v) && !v.u.b);
    CHECK(eval(&ev, node(EXPR_OR, TYPE(BOOL), 2, (Expr *[]){yes, wrong}), &v) && v.u.b);
    CHECK(eval(&ev, node(EXPR_COALESCE, TYPE(INT4), 2, (Expr *[]){one, boom}), &v) && v.u.i == 1);
    CHECK(eval(&ev, node(EXPR_CASE, TYPE(INT4), 3, (Expr *[]){yes, one, boom}), &v) && v.u.i == 1);
    CHECK(!eval(&ev, node(EXPR_AND, TYPE(BOOL), 2, (Expr *[]){yes, wrong}), &v));
    CHECK_INT(error.code, SQM_ERROR_DIVISION_BY_ZERO);
    CHECK_INT(error.position, 42);
    CHECK_INT(error.length, 5);
    CHECK(eval_true(&ev, constant(sqm_null(), TYPE(BOOL)), &is) && !is);
    /* an undeclared column's text counts as a condition the way CAST does */
    CHECK(eval_true(&ev, constant(text("yes"), TYPE(UNKNOWN)), &is) && is);
    error_clear(&error);
    CHECK(!eval_fail(&ev, boom, SQM_ERROR_CARDINALITY, "more than %s", "one"));
    CHECK_STR(error.message, "more than one");
    CHECK_INT(error.position, 42);
}

/* A CAST the resolver put around a parameter reads text and leaves every other value alone. */
TEST(implicit_cast) {
    Value v;
    Eval ev = {.arena = &arena, .error = &error};
    Expr *e = node(EXPR_CAST, TYPE(INT4), 1, (Expr *[]){constant(text("12"), TYPE(UNKNOWN))});
    e->implicit = true;
    CHECK(eval(&ev, e, &v) && v.type == SQM_INT && v.u.i == 12);
    e->args.at[0] = constant(sqm_double(1.5), TYPE(UNKNOWN));
    CHECK(eval(&ev, e, &v) && v.type == SQM_DOUBLE && v.u.d == 1.5);
    e->implicit = false;
    CHECK(eval(&ev, e, &v) && v.type == SQM_INT && v.u.i == 2);
}

TEST(comparison) {
    Value v, a = sqm_int(1), b = text("x"), null = sqm_null();
    Value left[] = {sqm_int(1), sqm_null(), sqm_int(3)}, right[] = {sqm_int(1), sqm_int(2), sqm_int(4)};
    Value x = {.type = SQM_TUPLE, .flags = VALUE_ROW, .len = 3, .u.tuple = left}, y = {.type = SQM_TUPLE, .flags = VALUE_ROW, .len = 3, .u.tuple = right};
    Eval ev = {.arena = &arena, .error = &error};
    CHECK(eval_compare(&ev, OP_EQ, &a, &null, &v) && v.type == SQM_NULL);
    CHECK(eval_compare(&ev, OP_EQ, &a, &b, &v) && v.type == SQM_NULL);
    CHECK(eval_compare(&ev, OP_EQ, &x, &y, &v) && v.type == SQM_BOOL && !v.u.b);
    CHECK(eval_compare(&ev, OP_NE, &x, &y, &v) && v.type == SQM_BOOL && v.u.b);
    CHECK(eval_compare(&ev, OP_LT, &x, &y, &v) && v.type == SQM_NULL);
    Value nan = sqm_double(0.0 / 0.0), big = sqm_double(1e300);
    CHECK(eval_compare(&ev, OP_GT, &nan, &big, &v) && v.u.b);
    CHECK(eval_compare(&ev, OP_EQ, &nan, &nan, &v) && v.u.b);
}

/* ---- assignment ---- */

static const char *assign(Value v, Type to) {
    Value out;
    Eval ev = {.arena = &arena, .error = &error};
    error_clear(&error);
    if (!cast_assign(&ev, &v, to, STR("c"), &out)) return sqm_error_name(error.code);
    if (out.type == SQM_NULL) return "<null>";
    Str s = value_text(&arena, &out);
    return arena_str(&arena, s.p, s.n).p;
}

TEST(assignment) {
    Type varchar = {.tag = TYPE_VARCHAR, .length = 3, .scale = -1}, price = {.tag = TYPE_NUMERIC, .length = 5, .scale = 2}, texts = type_array(TYPE_TEXT);
    CHECK_STR(assign(text("abc"), varchar), "abc");
    CHECK_STR(assign(text("äöü"), varchar), "äöü");
    CHECK_STR(assign(text("abc  "), varchar), "abc");
    CHECK_STR(assign(text("abcd"), varchar), "string_data_right_truncation");
    CHECK_STR(error.hint, "The value is for column \"c\".");
    CHECK_STR(assign(sqm_int(1234), varchar), "string_data_right_truncation");
    CHECK_STR(assign(numeric("1.005"), price), "1.01");
    CHECK_STR(assign(numeric("1"), price), "1.00");
    CHECK_STR(assign(numeric("999.999"), price), "numeric_value_out_of_range");
    CHECK_STR(assign(sqm_int(70000), TYPE(INT2)), "numeric_value_out_of_range");
    CHECK_STR(assign(sqm_int(INT64_C(3000000000)), TYPE(INT4)), "numeric_value_out_of_range");
    CHECK_STR(assign(sqm_double(2.5), TYPE(INT4)), "2");
    CHECK_STR(assign(text("x"), TYPE(INT4)), "invalid_text_representation");
    CHECK_STR(assign(text("2024-01-01 10:00:00.123456"), TYPE(TIMESTAMPTZ)), "2024-01-01 10:00:00.123");
    CHECK_STR(assign(moment(SQM_TIMESTAMP, -1), TYPE(TIMESTAMPTZ)), "1969-12-31 23:59:59.999");
    CHECK_STR(assign(moment(SQM_TIME, 1999), TYPE(TIME)), "00:00:00.001");
    CHECK_STR(assign(moment(SQM_TIMESTAMP, TIMESTAMP_MAX + 1), TYPE(TIMESTAMP)), "invalid_datetime_format");
    CHECK_STR(assign(text("{\"a\": 1}"), TYPE(JSON)), "{\"a\": 1}");
    CHECK_STR(assign(text("{a"), TYPE(JSON)), "invalid_text_representation");
    CHECK_STR(assign(text("[1]"), TYPE(DOCUMENT)), "datatype_mismatch");
    CHECK_STR(assign(text("{a,\"b c\"}"), texts), "{a,\"b c\"}");
    CHECK_STR(assign(text("6f1d1f9e9b0e4a5e8f3b0c1d2e3f4a5b"), TYPE(UUID)), "6f1d1f9e-9b0e-4a5e-8f3b-0c1d2e3f4a5b");
    CHECK_STR(assign(text("507f1f77bcf86cd799439011"), TYPE(OBJECTID)), "507f1f77bcf86cd799439011");
    CHECK_STR(assign(sqm_null(), TYPE(INT4)), "<null>");
    CHECK(cast_exists(TYPE(DATE), TYPE(TIMESTAMP)) && !cast_exists(TYPE(DATE), TYPE(INT4)) && cast_exists(TYPE(UNKNOWN), TYPE(UUID)));
}

/* ---- tables ---- */

TEST(function_table) {
    CHECK(function_find(STR("lower"), 1) && !function_find(STR("lower"), 2) && !function_find(STR("nothing"), 1));
    CHECK(function_find(STR("neg"), 1) == function_find(STR("-"), 1));
    CHECK(function_name_exists(STR("lower")));
    CHECK_STR(function_nearest(STR("lowr")), "lower");
    WindowFunction w;
    int lo, hi;
    CHECK(window_function_find(STR("lag"), &w, &lo, &hi) && w == WINDOW_LAG && lo == 1 && hi == 3);
    CHECK(!window_function_find(STR("sum"), &w, &lo, &hi));
    int n = 0;
    for (const Function *f; (f = function_at(n)); n++) {
        CHECK(f->description && f->description[0]);
        /* untyped arguments are always accepted, except where a type is asked for */
        Type out, unknown[8] = {{0}};
        for (int k = f->min_args; k <= (f->max_args < 0 ? 4 : f->max_args); k++) CHECK(f->type(unknown, k, &out));
        CHECK(function_find(str_from(f->name), f->min_args) != NULL);
    }
    CHECK(n > 180);
}

TEST(like_is_linear) {
    size_t n = 20000;
    char *s = arena_alloc(&arena, n + 1), pattern[] = "%a%a%a%a%a%a%a%a%a%a%a%a%b";
    memset(s, 'a', n);
    bool found;
    double start = unit_seconds();
    CHECK(like_match((Str){s, (uint32_t)n}, str_from(pattern), NULL, false, &found, &error) && !found);
    CHECK(unit_seconds() - start < 1.0);
}

static void *search_in_thread(void *context) {
    char pattern[32];
    intptr_t seed = (intptr_t)context;
    for (int i = 0; i < 400; i++) {
        bool found;
        sqm_error_t mine;
        snprintf(pattern, sizeof pattern, "^(a|b)%d$", (int)((i + seed) % 40));
        Str subject = {pattern + 1, 0};
        char value[16];
        subject = (Str){value, (uint32_t)snprintf(value, sizeof value, "b%d", (int)((i + seed) % 40))};
        if (!regex_search(subject, 0, str_from(pattern), 0, &found, NULL, &mine) || !found) return (void *)1;
        static const char *const names[] = {"Europe/Rome", "Asia/Seoul", "America/Lima", "+03:30", "EST5EDT", "Africa/Lagos"};
        const Zone *z = zone_find(str_from(names[(i + seed) % 6]), &mine);
        if (!z || zone_to_utc(z, zone_to_local(z, NOW)) != NOW) return (void *)1;
    }
    return NULL;
}

TEST(threads) {
    pthread_t t[4];
    for (intptr_t i = 0; i < 4; i++) pthread_create(&t[i], NULL, search_in_thread, (void *)i);
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        pthread_join(t[i], &failed);
        CHECK(!failed);
    }
}

int main(void) {
    RUN(cases);
    RUN(parameters);
    RUN(present_time);
    RUN(frames);
    RUN(short_circuit_and_positions);
    RUN(implicit_cast);
    RUN(comparison);
    RUN(assignment);
    RUN(function_table);
    RUN(like_is_linear);
    RUN(threads);
    arena_free(&arena);
    return unit_report();
}
