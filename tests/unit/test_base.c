/* test_base.c - slices, arena, text, errors. */
#include "base.h"
#include "unit.h"

TEST(slices) {
    CHECK(str_eq(STR("abc"), str_from("abc")));
    CHECK(!str_eq(STR("abc"), STR("abd")));
    CHECK(str_eq((Str){NULL, 0}, STR("")));
    CHECK(str_ieq(STR("SeLeCt"), STR("select")));
    CHECK(!str_ieq(STR("a["), STR("A{")));
    CHECK(str_is(STR("x"), "x"));
    CHECK(!str_is(STR("x"), "xy"));
    CHECK(hash_bytes("ab", 2, 0) != hash_bytes("ba", 2, 0));
    CHECK(hash_bytes("ab", 2, 0) != hash_bytes("ab", 2, 1));
}

TEST(distances) {
    CHECK_INT(edit_distance(STR("autor"), STR("author"), 3), 1);
    CHECK_INT(edit_distance(STR("KITTEN"), STR("sitting"), 9), 3);
    CHECK_INT(edit_distance(STR(""), STR("abc"), 9), 3);
}

TEST(arena_blocks) {
    Arena a = {0};
    char *one = arena_alloc(&a, 1);
    CHECK_INT(*one, 0);
    CHECK_INT((uintptr_t)one % 16, 0);
    for (int i = 0; i < 1000; i++) {
        char *p = arena_alloc(&a, 100);
        for (int j = 0; j < 100; j++)
            if (p[j]) CHECK(!"zeroed");
        memset(p, 'x', 100);
    }
    char *large = arena_alloc(&a, 5 << 20);
    large[(5 << 20) - 1] = 'x';
    Str s = arena_str(&a, "hello", 5);
    CHECK_STR(s.p, "hello");
    CHECK_STR(arena_printf(&a, "%d-%s", 7, "x").p, "7-x");
    arena_clear(&a);
    char *again = arena_alloc(&a, 64);
    for (int i = 0; i < 64; i++) CHECK_INT(again[i], 0);
    arena_free(&a);
    CHECK(a.head == NULL);
}

TEST(vectors) {
    Arena a = {0};
    VEC(int) v = {0};
    for (int i = 0; i < 1000; i++) vec_push(&a, &v, i);
    CHECK_INT(v.n, 1000);
    CHECK_INT(v.at[999], 999);
    arena_free(&a);
}

TEST(texts) {
    Arena a = {0};
    Text t = {.arena = &a};
    for (int i = 0; i < 300; i++) text_addf(&t, "%d,", i);
    CHECK_INT(t.n, strlen(t.p));
    char big[2000];
    memset(big, 'y', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    text_addf(&t, "%s", big);
    CHECK(strstr(t.p, "299,yyyy") != NULL);
    arena_free(&a);
}

TEST(failures) {
    Arena a = {0};
    sqm_error_t error;
    error_clear(&error);
    Compile cc = {.arena = &a, .sql = STR("SELECT 1"), .error = &error};
    if (setjmp(cc.exit) == 0) {
        fail_hint(&cc, SQM_ERROR_UNDEFINED_COLUMN, (Pos){7, 1}, "Look again.", "column \"%s\" does not exist", "x");
    }
    CHECK_INT(error.code, SQM_ERROR_UNDEFINED_COLUMN);
    CHECK_INT(error.position, 7);
    CHECK_STR(sqm_error_class(error.code), "ProgrammingError");
    CHECK_STR(sqm_error_name(error.code), "undefined_column");
    char out[400];
    sqm_error_render(&error, "SELECT 1", 8, out, sizeof out);
    CHECK_STR(out, "column \"x\" does not exist\nLINE 1: SELECT 1\n               ^\nHINT:  Look again.");
    error.position = 9;
    error.length = 3;
    sqm_error_render(&error, "SELECT\n \xC3\xA9 abc FROM t", 19, out, sizeof out);
    CHECK(strstr(out, "LINE 2: ") != NULL);
    for (size_t n = 1; n < 60; n++) CHECK(sqm_error_render(&error, "SELECT\n x", 9, out, n) < n);
    error.position = 1000;
    char longer[3000];
    memset(longer, 'a', sizeof longer);
    sqm_error_render(&error, longer, sizeof longer, out, sizeof out);
    CHECK(strstr(out, "...") != NULL);
    if (setjmp(cc.exit) == 0) {
        for (int i = 0; i <= MAX_DEPTH; i++) enter(&cc, NO_POS);
        CHECK(!"too deep");
    }
    CHECK_INT(error.code, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    arena_free(&a);
}

int main(void) {
    RUN(slices);
    RUN(distances);
    RUN(arena_blocks);
    RUN(vectors);
    RUN(texts);
    RUN(failures);
    return unit_report();
}
