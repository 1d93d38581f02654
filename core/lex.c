/* lex.c - SQL text to tokens, the way PostgreSQL cuts it, plus placeholders.
 *
 * In: cc->sql (any bytes). Out: one token per call, with its byte position; names and strings decoded.
 * Invariant: what comes out is valid UTF-8 without NUL; slices point into the SQL text, arena copies are made only where an escape had to be undone.
 *     SELECT "a""b", E'\n' FROM t -- x     ->  SELECT, ID a"b, COMMA, STRING <newline>, FROM, ID t
 * Words: a name or a keyword (keywords.def). Where PostgreSQL's grammar needs a second token to decide, the decision is made here: NOT before IN, LIKE,
 * BETWEEN ... is NOT_LA (it binds as tightly as they do), LEFT before "(" is a function name, NULLS is a keyword only before FIRST, LAST, NOT, DISTINCT.
 * Percent signs: with literal_percent, % is the modulo operator. Otherwise %s and %(name)s are placeholders and %% is one percent sign, inside
 * quotes too (as every DB-API driver of format style does it); a placeholder inside quotes is an error, because it would not be one.
 * Not here: numbers are not converted, placeholders are not numbered (parse.c does both). */
#include "lex.h"

#include "grammar.h"

/* ---- characters ---- */

enum { SPACE = 1, DIGIT = 2, WORD_START = 4, WORD = 8, HEX = 16 };

static int class_of(char ch) {
    unsigned char c = (unsigned char)ch;
    if (c >= 'a' && c <= 'z') return c <= 'f' ? WORD_START | WORD | HEX : WORD_START | WORD;
    if (c >= 'A' && c <= 'Z') return c <= 'F' ? WORD_START | WORD | HEX : WORD_START | WORD;
    if (c >= '0' && c <= '9') return DIGIT | WORD | HEX;
    if (c == ' ' || (c >= '\t' && c <= '\r')) return SPACE;
    if (c == '_' || c >= 0x80) return WORD_START | WORD;
    return c == '$' ? WORD : 0;
}

static char peek(const Lex *lex, const char *p) { return p < lex->end ? *p : '\0'; }

static int hex_value(char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; }

static Pos from(const Lex *lex, const char *start) { return (Pos){(int)(start - lex->begin), (int)(lex->p - start)}; }

/* The bytes of one well-formed UTF-8 character at p, 0 if there is none. */
static int utf8_length(const unsigned char *p, const unsigned char *end) {
    int n = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
    if (n == 0 || end - p < n) return 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F)) return 0;
    return n;
}

static void check_text(const Lex *lex) {
    const unsigned char *begin = (const unsigned char *)lex->begin, *p = begin, *end = (const unsigned char *)lex->end;
    while (p < end) {
        uint64_t eight;
        while (end - p >= 8 && (memcpy(&eight, p, 8), (eight & 0x8080808080808080u) == 0)) p += 8;
        if (p == end) break;
        int n = utf8_length(p, end);
        if (n == 0) fail(lex->cc, SQM_ERROR_SYNTAX, (Pos){(int)(p - begin), 1}, "invalid UTF-8 in the statement: byte 0x%02x", *p);
        p += n;
    }
    const void *nul = lex->begin < lex->end ? memchr(lex->begin, '\0', (size_t)(lex->end - lex->begin)) : NULL;
    if (nul) fail(lex->cc, SQM_ERROR_SYNTAX, (Pos){(int)((const char *)nul - lex->begin), 1}, "the statement contains a NUL byte");
}

void lex_init(Lex *lex, Compile *cc, bool literal_percent) {
    *lex = (Lex){.cc = cc, .begin = cc->sql.p, .p = cc->sql.p, .end = cc->sql.p + cc->sql.n, .literal_percent = literal_percent};
    if (cc->sql.n > MAX_SQL_BYTES) fail(cc, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, NO_POS, "the statement is longer than %u bytes", MAX_SQL_BYTES);
    check_text(lex);
}

/* Skips space and comments from p; comments nest, as in PostgreSQL. */
static const char *skip_space(Lex *lex, const char *p) {
    for (;;) {
        while (p < lex->end && (class_of(*p) & SPACE)) p++;
        if (peek(lex, p) == '-' && peek(lex, p + 1) == '-') {
            while (p < lex->end && *p != '\n') p++;
        } else if (peek(lex, p) == '/' && peek(lex, p + 1) == '*') {
            const char *start = p;
            int depth = 1;
            for (p += 2; depth > 0; ) {
                if (p >= lex->end) fail(lex->cc, SQM_ERROR_SYNTAX, (Pos){(int)(start - lex->begin), 2}, "unterminated /* comment");
                if (*p == '*' && peek(lex, p + 1) == '/') depth--, p += 2;
                else if (*p == '/' && peek(lex, p + 1) == '*') depth++, p += 2;
                else p++;
            }
        } else {
            return p;
        }
    }
}

/* ---- words ---- */

enum { RESERVED, FREE, CALL, NEXT };
typedef struct Keyword { uint8_t n, class; uint16_t token; char word[18]; } Keyword;

static const Keyword keywords[] = {
#define KEYWORD(word, token, class) {sizeof(word) - 1, class, T_##token, word},
#include "keywords.def"
#undef KEYWORD
};
enum { N_KEYWORDS = sizeof keywords / sizeof keywords[0], LONGEST_KEYWORD = 17 };
_Static_assert(N_KEYWORDS < 256, "first_word holds bytes");

/* Where each letter's words begin; made once, before main, so that the list itself stays in plain alphabetical order. */
static uint8_t first_word[27];
__attribute__((constructor)) static void index_keywords(void) {
    int i = 0;
    for (int letter = 0; letter < 27; letter++) {
        while (i < N_KEYWORDS && keywords[i].word[0] - 'a' < letter) i++;
        first_word[letter] = (uint8_t)i;
    }
}

static const Keyword *find_keyword(const char *p, size_t n) {
    char lower[LONGEST_KEYWORD + 1];
    if (n > LONGEST_KEYWORD || n < 2) return NULL;
    for (size_t i = 0; i < n; i++) lower[i] = (char)(p[i] | 32);      /* '_' becomes DEL */
    if (lower[0] < 'a' || lower[0] > 'z') return NULL;
    for (size_t i = 1; i < n; i++)
        if (p[i] == '_') lower[i] = '_';
    int low = first_word[lower[0] - 'a'], high = first_word[lower[0] - 'a' + 1];
    while (low < high) {
        int middle = (low + high) / 2;
        const Keyword *k = &keywords[middle];
        int order = memcmp(lower, k->word, n < k->n ? n : k->n);
        if (order == 0) order = (int)n - k->n;
        if (order == 0) return k;
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

bool lex_is_reserved(Str word) {
    const Keyword *k = find_keyword(word.p, word.n);
    return k && (k->class == RESERVED || k->token == T_NOT);
}

const char *lex_token_name(int token) {
    switch (token) {
#define PUNCTUATION(code, text) case T_##code: return text;
#include "keywords.def"
#undef PUNCTUATION
    default: break;
    }
    if (token == T_UNIT) return "an interval unit";
    if (token == T_NOT_LA) return "not";
    for (int i = 0; i < N_KEYWORDS; i++)
        if (keywords[i].token == token) return keywords[i].word;
    return NULL;
}

static Str next_word(Lex *lex) {
    const char *p = skip_space(lex, lex->p), *start = p;
    if (class_of(peek(lex, p)) & WORD_START)
        while (p < lex->end && (class_of(*p) & WORD)) p++;
    return (Str){start, (uint32_t)(p - start)};
}

/* What PostgreSQL's own filter between lexer and grammar decides, and a little more, so that few words are reserved. */
static int look_ahead(Lex *lex, int token) {
    Str next = next_word(lex);
#define IS(word) str_ieq(next, STR(word))
    switch (token) {
    case T_NOT: return IS("in") || IS("like") || IS("between") || IS("ilike") || IS("similar") ? T_NOT_LA : T_NOT;
    case T_NULLS: return IS("first") || IS("last") || IS("not") || IS("distinct") ? token : T_ID;
    case T_AT: return IS("time") ? token : T_ID;
    case T_TIME: return IS("zone") ? token : T_ID;
    case T_DOUBLE: return IS("precision") ? token : T_ID;
    case T_CHARACTER: return IS("varying") ? token : T_ID;
    case T_GROUPING: return IS("sets") ? token : T_ID;
    case T_LEFT: case T_RIGHT: return peek(lex, next.p) == '(' ? T_ID : token;
    case T_ROW: return peek(lex, next.p) == '(' ? token : T_ROWS;
    case T_INTERVAL: return peek(lex, next.p) == '\'' ? token : T_ID;
    default: return token;
    }
#undef IS
}

/* ---- quoted things ---- */

/* Ends at the closing `quote`; doubled quotes and (with placeholders on) %% are undone. lex->p stands behind the opening quote. */
static Str quoted(Lex *lex, const char *start, char quote, const char *what) {
    const char *body = lex->p, *p = body;
    bool plain = true;
    for (;; p++) {
        p = p < lex->end ? memchr(p, quote, (size_t)(lex->end - p)) : NULL;
        if (!p) fail(lex->cc, SQM_ERROR_SYNTAX, (Pos){(int)(start - lex->begin), 1}, "unterminated %s", what);
        if (peek(lex, p + 1) != quote) break;
        plain = false;
        p++;
    }
    lex->p = p + 1;
    size_t n = (size_t)(p - body);
    if (plain && (lex->literal_percent || n == 0 || !memchr(body, '%', n))) return (Str){body, (uint32_t)n};
    char *copy = arena_alloc(lex->cc->arena, n + 1), *to = copy;
    for (const char *s = body; s < p; s++) {
        *to++ = *s;
        if (*s == quote) s++;
        else if (*s == '%' && !lex->literal_percent) {
            if (s[1] == '%' && s + 1 < p) s++;
            else if (s + 1 < p && (s[1] == 's' || s[1] == '('))
                fail_hint(lex->cc, SQM_ERROR_SYNTAX, (Pos){(int)(s - lex->begin), 2}, "Write the placeholder without quotes around it, or %% for a percent sign.",
                          "placeholder inside a quoted %s", quote == '"' ? "name" : "string");
        }
    }
    return (Str){copy, (uint32_t)(to - copy)};
}

static char *put_utf8(char *to, uint32_t c) {
    if (c < 0x80) { *to++ = (char)c; return to; }
    if (c < 0x800) *to++ = (char)(0xC0 | c >> 6);
    else if (c < 0x10000) *to++ = (char)(0xE0 | c >> 12), *to++ = (char)(0x80 | (c >> 6 & 63));
    else *to++ = (char)(0xF0 | c >> 18), *to++ = (char)(0x80 | (c >> 12 & 63)), *to++ = (char)(0x80 | (c >> 6 & 63));
    *to++ = (char)(0x80 | (c & 63));
    return to;
}

static uint32_t hex_digits(Lex *lex, const char *p, const char *end, int n, const char *escape) {
    uint32_t value = 0;
    for (int i = 0; i < n; i++) {
        if (p + i >= end || !(class_of(p[i]) & HEX)) fail(lex->cc, SQM_ERROR_SYNTAX, (Pos){(int)(escape - lex->begin), 2}, "invalid Unicode escape");
        value = value << 4 | (uint32_t)hex_value(p[i]);
    }
    return value;
}

/* A code point, or the first half of a surrogate pair (kept in *high until the second comes). */
static char *put_code_point(Lex *lex, char *to, uint32_t c, uint32_t *high, const char *escape) {
    Pos pos = {(int)(escape - lex->begin), 2};
    bool is_low = c >= 0xDC00 && c <= 0xDFFF;
    if (c == 0 || c > 0x10FFFF || (*high != 0) != is_low) fail(lex->cc, SQM_ERROR_SYNTAX, pos, "invalid Unicode escape value");
    if (c >= 0xD800 && c <= 0xDBFF) { *high = c; return to; }
    if (is_low) c = 0x10000 + ((*high - 0xD800) << 10) + (c - 0xDC00);
    *high = 0;
    return put_utf8(to, c);
}

/* E'...': C escapes. lex->p stands behind the opening quote. */
static Str escape_string(Lex *lex, const char *start) {
    const char *p = lex->p;
    while (p < lex->end && !(*p == '\'' && peek(lex, p + 1) != '\'')) p += (*p == '\\' || *p == '\'') ? 2 : 1;
    if (p >= lex->end) fail(lex->cc, SQM_ERROR_SYNTAX, (Pos){(int)(start - lex->begin), 1}, "unterminated quoted string");
    const char *end = p;
    char *copy = arena_alloc(lex->cc->arena, (size_t)(end - lex->p) + 4), *to = copy;
    uint32_t high = 0;
    for (p = lex->p; p < end; ) {
        const char *escape = p;
        char c = *p++;
        bool unicode = false;
        if (c == '\'') {
            p++;
        } else if (c == '%' && !lex->literal_percent) {
            if (p < end && *p == '%') p++;
            else if (p < end && (*p == 's' || *p == '('))
                fail_hint(lex->cc, SQM_ERROR_SYNTAX, (Pos){(int)(escape - lex->begin), 2}, "Write the placeholder without quotes around it, or %% for a percent sign.",
                          "placeholder inside a quoted string");
        } else if (c == '\\') {
            c = *p++;
            switch (c) {
            case 'b': c = '\b'; break;
            case 'f': c = '\f'; break;
            case 'n': c = '\n'; break;
            case 'r': c = '\r'; break;
            case 't': c = '\t'; break;
            case 'u': case 'U': {
                int n = c == 'u' ? 4 : 8;
                to = put_code_point(lex, to, hex_digits(lex, p, end, n, escape), &high, escape);
                p += n;
                unicode = true;
                break;
            }
            case 'x':
                if (p < end && (class_of(*p) & HEX)) {
                    int value = hex_value(*p++);
                    if (p < end && (class_of(*p) & HEX)) value = value * 16 + hex_value(*p++);
                    c = (char)value;
                }
                break;
            case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': {
                int value = c - '0';
                for (int i = 0; i < 2 && p < end && *p >= '0' && *p <= '7'; i++) value = value * 8 + (*p++ - '0');
                c = (char)value;
                break;
            }
            default: break;
            }
        }
        if (unicode) continue;
        if (high || c == '\0') fail(lex->cc, SQM_ERROR_SYNTAX, (Pos){(int)(escape - lex->begin), 2}, high ? "invalid Unicode surrogate pair" : "a string cannot contain a NUL byte");
        *to++ = c;
    }
    lex->p = end + 1;
    if (high) fail(lex->cc, SQM_ERROR_SYNTAX, from(lex, start), "invalid Unicode surrogate pair");
    for (const unsigned char *s = (unsigned char *)copy; s < (unsigned char *)to; ) {
        int n = utf8_length(s, (unsigned char *)to);
        if (n == 0) fail(lex->cc, SQM_ERROR_SYNTAX, from(lex, start), "the escapes of this string do not make valid UTF-8");
        s += n;
    }
    return (Str){copy, (uint32_t)(to - copy)};
}

/* U&'...' and U&"...": \XXXX and \+XXXXXX. */
static Str unicode_quoted(Lex *lex, const char *start, char quote, const char *what) {
    const char *body = lex->p;
    Str raw = quoted(lex, start, quote, what);
    bool in_place = raw.p == body;      /* then an escape's position can be told */
    char *copy = arena_alloc(lex->cc->arena, raw.n + 1), *to = copy;
    uint32_t high = 0;
    const char *end = raw.p + raw.n;
    for (const char *p = raw.p; p < end; ) {
        const char *escape = in_place ? p : start;
        if (*p != '\\') {
            if (high) fail(lex->cc, SQM_ERROR_SYNTAX, from(lex, start), "invalid Unicode surrogate pair");
            *to++ = *p++;
        } else if (p + 1 < end && p[1] == '\\') {
            *to++ = '\\';
            p += 2;
        } else {
            bool plus = p + 1 < end && p[1] == '+';
            int skip = plus ? 2 : 1, n = plus ? 6 : 4;
            to = put_code_point(lex, to, hex_digits(lex, p + skip, end, n, escape), &high, escape);
            p += skip + n;
        }
    }
    if (high) fail(lex->cc, SQM_ERROR_SYNTAX, from(lex, start), "invalid Unicode surrogate pair");
    return (Str){copy, (uint32_t)(to - copy)};
}

/* X'00ff' */
static Str hex_string(Lex *lex, const char *start) {
    Str hex = quoted(lex, start, '\'', "byte string");
    char *bytes = arena_alloc(lex->cc->arena, hex.n / 2 + 1);
    for (uint32_t i = 0; i < hex.n; i++) {
        if (!(class_of(hex.p[i]) & HEX)) fail(lex->cc, SQM_ERROR_SYNTAX, from(lex, start), "invalid hexadecimal digit in a byte string");
        bytes[i / 2] = (char)(bytes[i / 2] << 4 | hex_value(hex.p[i]));
    }
    if (hex.n % 2) fail(lex->cc, SQM_ERROR_SYNTAX, from(lex, start), "a byte string needs an even number of hexadecimal digits");
    return (Str){bytes, hex.n / 2};
}

/* 'a' <newline> 'b' is one string, by the standard. */
static Str string_parts(Lex *lex, Str first) {
    Str all = first;
    for (;;) {
        const char *p = lex->p;
        bool newline = false;
        for (; p < lex->end && (class_of(*p) & SPACE); p++) newline |= *p == '\n';
        if (!newline || peek(lex, p) != '\'') return all;
        lex->p = p + 1;
        Str next = quoted(lex, p, '\'', "quoted string");
        char *both = arena_alloc(lex->cc->arena, (size_t)all.n + next.n + 1);
        memcpy(both, all.p, all.n);
        memcpy(both + all.n, next.p, next.n);
        all = (Str){both, all.n + next.n};
    }
}

/* $tag$ ... $tag$; returns false when there is no such opening here. */
static bool dollar_string(Lex *lex, Str *out) {
    const char *start = lex->p, *p = start + 1;
    if (class_of(peek(lex, p)) & DIGIT) return false;
    while (p < lex->end && *p != '$' && (class_of(*p) & WORD)) p++;
    if (peek(lex, p) != '$') return false;
    size_t tag = (size_t)(++p - start);
    const char *body = p;
    for (;; p++) {
        p = p < lex->end ? memchr(p, '$', (size_t)(lex->end - p)) : NULL;
        if (!p) fail(lex->cc, SQM_ERROR_SYNTAX, (Pos){(int)(start - lex->begin), (int)tag}, "unterminated dollar-quoted string");
        if ((size_t)(lex->end - p) >= tag && memcmp(p, start, tag) == 0) break;
    }
    lex->p = p + tag;
    char *copy = arena_alloc(lex->cc->arena, (size_t)(p - body) + 1), *to = copy;
    for (const char *s = body; s < p; s++) {
        *to++ = *s;
        if (*s == '%' && !lex->literal_percent && s + 1 < p && s[1] == '%') s++;
    }
    *out = (Str){copy, (uint32_t)(to - copy)};
    return true;
}

/* ---- numbers, operators, placeholders ---- */

static int number(Lex *lex, const char *start) {
    const char *p = start;
    int token = T_INTEGER;
    while (class_of(peek(lex, p)) & DIGIT) p++;
    if (peek(lex, p) == '.') {
        token = T_NUMBER;
        for (p++; class_of(peek(lex, p)) & DIGIT; ) p++;
    }
    if ((peek(lex, p) | 32) == 'e') {
        const char *q = p + 1;
        if (peek(lex, q) == '+' || peek(lex, q) == '-') q++;
        if (class_of(peek(lex, q)) & DIGIT) {
            token = T_NUMBER;
            for (p = q; class_of(peek(lex, p)) & DIGIT; ) p++;
        }
    }
    lex->p = p;
    if (class_of(peek(lex, p)) & WORD) {
        while (class_of(peek(lex, lex->p)) & WORD) lex->p++;
        Pos pos = from(lex, start);
        fail(lex->cc, SQM_ERROR_SYNTAX, pos, "trailing junk after numeric literal at or near \"%.*s\"", pos.len < 60 ? pos.len : 60, start);
    }
    return token;
}

static int placeholder(Lex *lex, const char *start, Token *token) {
    char next = peek(lex, start + 1);
    if (next == 's') {
        lex->p = start + 2;
        token->text = (Str){NULL, 0};
        return T_PARAM;
    }
    if (next == '(') {
        const char *close = memchr(start, ')', (size_t)(lex->end - start));
        if (close && peek(lex, close + 1) == 's' && close > start + 2) {
            lex->p = close + 2;
            token->text = (Str){start + 2, (uint32_t)(close - start - 2)};
            return T_PARAM;
        }
    }
    lex->p = start + (next ? 2 : 1);
    fail_hint(lex->cc, SQM_ERROR_SYNTAX, (Pos){(int)(start - lex->begin), 1}, "Placeholders are %s and %(name)s; write %% for a percent sign.", "unsupported placeholder");
}

/* The longest match wins, so longer texts stand first. */
static const struct { char text[5]; uint8_t op; uint16_t token; } symbols[] = {
    {"!~~*", OP_NONE, T_NOT_ILIKE_OP}, {"!~~", OP_NONE, T_NOT_LIKE_OP}, {"!~*", OP_NOT_REGEX_I, T_OP}, {"~~*", OP_NONE, T_ILIKE_OP}, {"->>", OP_JSON_GET_TEXT, T_OP},
    {"#>>", OP_JSON_PATH_TEXT, T_OP}, {"!~", OP_NOT_REGEX, T_OP}, {"!=", OP_NE, T_NE}, {"~~", OP_NONE, T_LIKE_OP}, {"~*", OP_REGEX_I, T_OP}, {"->", OP_JSON_GET, T_OP},
    {"#>", OP_JSON_PATH, T_OP}, {"#-", OP_JSON_DELETE_PATH, T_OP}, {"@>", OP_CONTAINS, T_OP}, {"<@", OP_CONTAINED, T_OP}, {"<=", OP_LE, T_LE}, {">=", OP_GE, T_GE},
    {"<>", OP_NE, T_NE}, {"<<", OP_SHIFT_LEFT, T_OP}, {">>", OP_SHIFT_RIGHT, T_OP}, {"||", OP_CONCAT, T_OP}, {"&&", OP_OVERLAP, T_OP}, {"?|", OP_HAS_ANY, T_OP},
    {"?&", OP_HAS_ALL, T_OP}, {"::", OP_NONE, T_TYPECAST}, {"=", OP_EQ, T_EQ}, {"<", OP_LT, T_LT}, {">", OP_GT, T_GT}, {"+", OP_ADD, T_PLUS}, {"-", OP_SUB, T_MINUS},
    {"*", OP_MUL, T_STAR}, {"/", OP_DIV, T_SLASH}, {"^", OP_POW, T_POW}, {"&", OP_BIT_AND, T_OP}, {"|", OP_BIT_OR, T_OP}, {"#", OP_BIT_XOR, T_OP}, {"~", OP_REGEX, T_TILDE},
    {"?", OP_HAS_KEY, T_OP}, {":", OP_NONE, T_COLON},
};

static int symbol(Lex *lex, const char *start, Token *token) {
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        const char *s = symbols[i].text;
        size_t n = 0;
        while (s[n] && peek(lex, start + n) == s[n]) n++;
        if (s[n]) continue;
        lex->p = start + n;
        token->text = (Str){NULL, 0};
        token->op = (Operator)symbols[i].op;
        return symbols[i].token;
    }
    int n = utf8_length((const unsigned char *)start, (const unsigned char *)lex->end);
    fail_hint(lex->cc, SQM_ERROR_SYNTAX, (Pos){(int)(start - lex->begin), n}, *start == '`' ? "Put double quotes around a name." : "", "syntax error at or near \"%.*s\"", n, start);
}

/* ---- the door ---- */

bool lex_is_quoted(const Lex *lex, const Token *token) { return token->len > 0 && (lex->begin[token->at] == '"' || lex->begin[token->at + token->len - 1] == '"'); }

static Str name_in_quotes(Lex *lex, const char *start, Str name) {
    if (name.n == 0) fail(lex->cc, SQM_ERROR_SYNTAX, from(lex, start), "zero-length quoted name");
    return name;
}

static int word(Lex *lex, const char *start, Token *token) {
    const char *p = start + 1;
    char c = (char)(*start | 32);
    if (peek(lex, p) == '\'' && (c == 'e' || c == 'x' || c == 'b')) {
        lex->p = p + 1;
        if (c == 'b') fail_hint(lex->cc, SQM_ERROR_NOT_SUPPORTED, (Pos){(int)(start - lex->begin), 2}, "Use an integer and the operators & | # << >>.", "bit strings are not supported");
        token->text = c == 'e' ? escape_string(lex, start) : hex_string(lex, start);
        return c == 'e' ? T_STRING : T_BYTES;
    }
    if (c == 'u' && peek(lex, p) == '&' && (peek(lex, p + 1) == '\'' || peek(lex, p + 1) == '"')) {
        char quote = p[1];
        lex->p = p + 2;
        token->text = unicode_quoted(lex, start, quote, quote == '"' ? "quoted name" : "quoted string");
        if (quote == '"') name_in_quotes(lex, start, token->text);
        return quote == '"' ? T_ID : T_STRING;
    }
    while (p < lex->end && (class_of(*p) & WORD)) p++;
    lex->p = p;
    token->text = (Str){start, (uint32_t)(p - start)};
    const Keyword *k = find_keyword(start, token->text.n);
    if (!k) return T_ID;
    if (k->class == CALL) return peek(lex, skip_space(lex, p)) == '(' ? k->token : T_ID;
    return k->class == NEXT ? look_ahead(lex, k->token) : k->token;
}

static int cut(Lex *lex, const char *start, Token *token) {
    char c = *start;
    int class = class_of(c);
    if (class & WORD_START) return word(lex, start, token);
    if (class & DIGIT) return number(lex, start);
    lex->p = start + 1;
    switch (c) {
    case '"':
        token->text = name_in_quotes(lex, start, quoted(lex, start, '"', "quoted name"));
        return T_ID;
    case '\'':
        token->text = string_parts(lex, quoted(lex, start, '\'', "quoted string"));
        return T_STRING;
    case '.': return class_of(peek(lex, start + 1)) & DIGIT ? number(lex, start) : T_DOT;
    case ',': return T_COMMA;
    case '(': return T_LP;
    case ')': return T_RP;
    case '[': return T_LBRACKET;
    case ']': return T_RBRACKET;
    case ';': return T_SEMI;
    case '%':
        if (!lex->literal_percent && peek(lex, start + 1) != '%') return placeholder(lex, start, token);
        lex->p = start + (lex->literal_percent ? 1 : 2);
        token->op = OP_MOD;
        return T_PERCENT;
    case '$':
        lex->p = start;
        if (dollar_string(lex, &token->text)) return T_STRING;
        for (lex->p = start + 1; class_of(peek(lex, lex->p)) & DIGIT; ) lex->p++;
        if (lex->p > start + 1) {
            token->text = (Str){start, (uint32_t)(lex->p - start)};
            return T_PARAM;
        }
        return symbol(lex, start, token);
    default:
        return symbol(lex, start, token);
    }
}

int lex_next(Lex *lex, Token *token) {
    const char *start = skip_space(lex, lex->p);
    lex->p = start;
    token->at = (int)(start - lex->begin);
    token->len = 0;
    token->text = (Str){start, 0};
    if (start >= lex->end) return 0;
    int code = cut(lex, start, token);
    token->len = (int)(lex->p - start);
    if (code == T_INTEGER || code == T_NUMBER) token->text = (Str){start, (uint32_t)token->len};
    return code;
}
