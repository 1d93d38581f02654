/* test_lex.c - tokens: each case is SQL and the tokens it makes, as "CODE:text" words. */
#include "lex.h"

#include "grammar.h"
#include "unit.h"

static Arena arena;
static sqm_error_t error;

/* "select:SELECT a name:x" ..., or the error. */
static const char *lexed_as(const char *sql, size_t n, bool literal_percent) {
    arena_free(&arena);
    error_clear(&error);
    Compile cc = {.arena = &arena, .sql = {sql, (uint32_t)n}, .error = &error};
    if (setjmp(cc.exit)) return arena_printf(&arena, "%s@%d", error.message, error.position).p;
    Lex lex;
    lex_init(&lex, &cc, literal_percent);
    Text out = {.arena = &arena};
    Token t;
    for (int code; (code = lex_next(&lex, &t)) != 0;) {
        if (out.n) text_adds(&out, " ");
        if (code == T_ID) text_addf(&out, "<" STR_FMT ">", STR_ARG(t.text));
        else if (code == T_STRING) text_addf(&out, "'" STR_FMT "'", STR_ARG(t.text));
        else if (code == T_BYTES) for (uint32_t i = 0; i < t.text.n; i++) text_addf(&out, "%02x", (unsigned char)t.text.p[i]);
        else if (code == T_PARAM) text_addf(&out, "[%.*s]", (int)t.text.n, t.text.p ? t.text.p : "");
        else text_addf(&out, "%.*s", t.len, sql + t.at);
    }
    text_adds(&out, "");
    return out.p ? out.p : "";
}

#define LEX(sql, expected) CHECK_STR(lexed_as(sql, sizeof(sql) - 1, true), expected)
#define LEX_PLACEHOLDERS(sql, expected) CHECK_STR(lexed_as(sql, sizeof(sql) - 1, false), expected)

TEST(words) {
    LEX("select Foo _b c$1 \xC3\xA9t\xC3\xA9", "select <Foo> <_b> <c$1> <\xC3\xA9t\xC3\xA9>");
    LEX("\"a\"\"b\" \"select\"", "<a\"b> <select>");
    LEX("extract extract(", "<extract> extract (");
    LEX("extract /* x */ (", "extract (");
    LEX("left left( left join", "left <left> ( left join");
    LEX("time time zone double double precision", "<time> time zone <double> double precision");
    LEX("interval interval '1'", "<interval> interval '1'");
    LEX("U&\"d\\0061t\\+000061\" U&'\\D83D\\DE00\\\\'", "<data> '\xF0\x9F\x98\x80\\'");
}

TEST(strings) {
    LEX("'a''b' '' 'x\ny'", "'a'b' '' 'x\ny'");
    LEX("'a'\n  'b'", "'ab'");
    LEX("'a\\n'", "'a\\n'");
    LEX("E'a\\n\\t\\\\\\'\\x41\\101\\u00e9\\U0001F600'''", "'a\n\t\\'AA\xC3\xA9\xF0\x9F\x98\x80''");
    LEX("e'\\ud83d\\ude00'", "'\xF0\x9F\x98\x80'");
    LEX("$$a'b$$ $x$ $$ $y$ $x$", "'a'b' ' $$ $y$ '");
    LEX("x'00fF'", "00ff");
    LEX("$1 $12", "[$1] [$12]");
}

TEST(numbers) {
    LEX("1 1.5 .5 1. 1e5 1.5E-3 1e+2", "1 1.5 .5 1. 1e5 1.5E-3 1e+2");
    LEX("1abc", "trailing junk after numeric literal at or near \"1abc\"@0");
    LEX("0x1F", "trailing junk after numeric literal at or near \"0x1F\"@0");
    LEX("1e", "trailing junk after numeric literal at or near \"1e\"@0");
    LEX("a[1:2]", "<a> [ 1 : 2 ]");
}

TEST(operators) {
    LEX("a<=b<>c!=d>=e", "<a> <= <b> <> <c> != <d> >= <e>");
    LEX("a->b->>c#>d#>>e#-f@>g<@h?i?|j?&k&&l", "<a> -> <b> ->> <c> #> <d> #>> <e> #- <f> @> <g> <@ <h> ? <i> ?| <j> ?& <k> && <l>");
    LEX("~ ~* !~ !~* ~~ ~~* !~~ !~~* << >> || | & # ^ ::", "~ ~* !~ !~* ~~ ~~* !~~ !~~* << >> || | & # ^ ::");
    LEX("a=-1", "<a> = - 1");
    LEX("a%b%%c", "<a> % <b> % % <c>");
    LEX("!", "syntax error at or near \"!\"@0");
    LEX("`a`", "syntax error at or near \"`\"@0");
}

TEST(comments) {
    LEX("a -- b\nc", "<a> <c>");
    LEX("a -- b", "<a>");
    LEX("a /* b /* c */ d */ e", "<a> <e>");
    LEX("a /* b /* c */", "unterminated /* comment@2");
    LEX("--", "");
    LEX("a/**/b", "<a> <b>");
}

TEST(placeholders) {
    LEX_PLACEHOLDERS("%s %(a)s %(b c)s", "[] [a] [b c]");
    LEX_PLACEHOLDERS("a %% b '50%%' \"x%%\" E'%%' $$%%$$", "<a> %% <b> '50%' <x%> '%' '%'");
    LEX_PLACEHOLDERS("'50%'", "'50%'");
    LEX_PLACEHOLDERS("%d", "unsupported placeholder@0");
    LEX_PLACEHOLDERS("%", "unsupported placeholder@0");
    LEX_PLACEHOLDERS("%(a", "unsupported placeholder@0");
    LEX_PLACEHOLDERS("%()s", "unsupported placeholder@0");
    LEX_PLACEHOLDERS("'%s'", "placeholder inside a quoted string@1");
    LEX_PLACEHOLDERS("\"a%(b)s\"", "placeholder inside a quoted name@2");
    LEX_PLACEHOLDERS("-- %s\n1", "1");
    LEX("'%s' '%%'", "'%s' '%%'");
}

TEST(bad_input) {
    LEX("'abc", "unterminated quoted string@0");
    LEX("a 'abc''", "unterminated quoted string@2");
    LEX("\"abc", "unterminated quoted name@0");
    LEX("\"\"", "zero-length quoted name@0");
    LEX("$$ abc", "unterminated dollar-quoted string@0");
    LEX("E'abc\\'", "unterminated quoted string@0");
    LEX("E'\\u12'", "invalid Unicode escape@2");
    LEX("E'\\ud83d'", "invalid Unicode surrogate pair@0");
    LEX("E'\\ude00'", "invalid Unicode escape value@2");
    LEX("E'\\0'", "a string cannot contain a NUL byte@2");
    LEX("E'\\xff'", "the escapes of this string do not make valid UTF-8@0");
    LEX("U&'\\00'", "invalid Unicode escape@3");
    LEX("x'0'", "a byte string needs an even number of hexadecimal digits@0");
    LEX("x'0g'", "invalid hexadecimal digit in a byte string@0");
    LEX("b'01'", "bit strings are not supported@0");
    LEX("a\0b", "the statement contains a NUL byte@1");
    LEX("ab \xff", "invalid UTF-8 in the statement: byte 0xff@3");
    LEX("\xC3", "invalid UTF-8 in the statement: byte 0xc3@0");
    LEX("12345678\xED\xA0\x80", "invalid UTF-8 in the statement: byte 0xed@8");
    LEX("\xC0\x80", "invalid UTF-8 in the statement: byte 0xc0@0");
    LEX("{", "syntax error at or near \"{\"@0");
    CHECK_STR(lexed_as("", 0, true), "");
    CHECK_STR(lexed_as(NULL, 0, true), "");
}

static int first_code(const char *sql) {
    arena_free(&arena);
    Compile cc = {.arena = &arena, .sql = str_from(sql), .error = &error};
    if (setjmp(cc.exit)) return -1;
    Lex lex;
    Token t;
    lex_init(&lex, &cc, true);
    return lex_next(&lex, &t);
}

/* Every keyword is found, in either case, and the list is in order. */
TEST(keywords) {
    static const struct { const char *word; int token; } words[] = {
#define KEYWORD(word, token, class) {word, T_##token},
#include "keywords.def"
#undef KEYWORD
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (i) CHECK(strcmp(words[i - 1].word, words[i].word) < 0);
        CHECK(lex_token_name(words[i].token) != NULL);
        CHECK(strlen(words[i].word) <= 17);
        char sql[40];
        snprintf(sql, sizeof sql, "%s(", words[i].word);
        for (size_t k = 0; k < strlen(sql); k += 2) sql[k] = sql[k] >= 'a' && sql[k] <= 'z' ? (char)(sql[k] - 32) : sql[k];
        int code = first_code(sql);
        bool decided_by_next = words[i].token == T_AT || words[i].token == T_LEFT || words[i].token == T_RIGHT || words[i].token == T_INTERVAL || words[i].token == T_TIME ||
                               words[i].token == T_DOUBLE || words[i].token == T_CHARACTER || words[i].token == T_GROUPING || words[i].token == T_NULLS;
        CHECK_INT(code, decided_by_next ? T_ID : words[i].token);
    }
    CHECK(lex_is_reserved(STR("Select")));
    CHECK(!lex_is_reserved(STR("extract")));
    CHECK(!lex_is_reserved(STR("")));
}

int main(void) {
    RUN(words);
    RUN(strings);
    RUN(numbers);
    RUN(operators);
    RUN(comments);
    RUN(placeholders);
    RUN(bad_input);
    RUN(keywords);
    arena_free(&arena);
    return unit_report();
}
