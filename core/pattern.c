/* pattern.c - matching text against LIKE patterns and regular expressions.
 *
 * LIKE is matched here, without a regular expression: one pass with a single point to go back to (the last '%'), so the cost is at most
 * text x pattern and never exponential. Regular expressions are PCRE2's in UTF mode with PostgreSQL's defaults: '.' matches a newline, '^' and '$' only
 * the ends of the whole text. PostgreSQL's escapes that PCRE lacks are translated (\y \Y \m \M, and \Z which means the very end).
 * Each thread keeps its CACHED most recent compiled patterns; patterns that need too much backtracking fail with INVALID_REGEX instead of running on.
 *     'foo' LIKE 'f_%'        'É' ILIKE 'é'        'abc' SIMILAR TO '(a|b)%'  ->  \A(?:(?:a|b).*)\z */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "pattern.h"

#include <pcre2.h>
#include <pthread.h>
#include <stdlib.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

/* ---- UTF-8 ---- */

int32_t utf8_next(const char **p, const char *end) {
    const uint8_t *s = (const uint8_t *)*p;
    if (*s < 0x80) return ++*p, *s;
    int32_t i = 0, c, n = end - *p > 4 ? 4 : (int32_t)(end - *p);
    U8_NEXT(s, i, n, c);
    if (c < 0) return ++*p, 0x110000 + *s;
    *p += i;
    return c;
}

size_t utf8_put(char *out, int32_t c) {
    size_t i = 0;
    if (c >= 0x110000) out[i++] = (char)(c - 0x110000);
    else U8_APPEND_UNSAFE((uint8_t *)out, i, c);
    return i;
}

size_t utf8_length(Str s) {
    size_t n = 0;
    for (uint32_t i = 0; i < s.n; i++) n += ((uint8_t)s.p[i] & 0xC0) != 0x80;
    return n;
}

const char *utf8_skip(const char *p, const char *end, int64_t n) {
    for (; n > 0 && p < end; n--)
        do p++;
        while (p < end && ((uint8_t)*p & 0xC0) == 0x80);
    return p;
}

/* ---- LIKE ---- */

static int32_t fold_case(int32_t c) {
    if (c < 128) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    return c < 0x110000 ? u_foldCase(c, U_FOLD_CASE_DEFAULT) : c;
}

enum { NO_ESCAPE = -1 };

static bool match_like(const char *t, const char *t_end, const char *p, const char *p_end, int32_t escape, bool fold) {
    const char *retry_p = NULL, *retry_t = NULL;
    while (true) {
        bool ok;
        if (p == p_end) ok = t == t_end;
        else {
            int32_t c = utf8_next(&p, p_end);
            bool literal = c == escape;
            if (literal) c = utf8_next(&p, p_end);
            if (!literal && c == '%') {
                if (p == p_end) return true;
                retry_p = p;
                retry_t = t;
                continue;
            }
            if (t == t_end) return false;       /* going back could only leave less text */
            int32_t d = utf8_next(&t, t_end);
            ok = (!literal && c == '_') || c == d || (fold && fold_case(c) == fold_case(d));
            if (ok) continue;
        }
        if (ok) return true;
        if (!retry_p || retry_t == t_end) return false;
        utf8_next(&retry_t, t_end);
        p = retry_p;
        t = retry_t;
    }
}

static bool read_escape(const Str *escape, int32_t *out, sqm_error_t *error) {
    *out = escape ? NO_ESCAPE : '\\';
    if (!escape || escape->n == 0) return true;
    const char *p = escape->p;
    *out = utf8_next(&p, escape->p + escape->n);
    return p == escape->p + escape->n || error_set(error, SQM_ERROR_INVALID_ARGUMENT, "invalid escape string: escape string must be empty or one character");
}

bool like_match(Str text, Str pattern, const Str *escape, bool fold, bool *out, sqm_error_t *error) {
    int32_t esc;
    if (!read_escape(escape, &esc, error)) return false;
    if (esc != NO_ESCAPE && pattern.n) {
        for (const char *p = pattern.p, *end = p + pattern.n; p < end;) {
            if (utf8_next(&p, end) != esc) continue;
            if (p == end) return error_set(error, SQM_ERROR_INVALID_ARGUMENT, "LIKE pattern must not end with escape character");
            utf8_next(&p, end);
        }
    }
    *out = match_like(text.p, text.p + text.n, pattern.p, pattern.p + pattern.n, esc, fold);
    return true;
}

bool similar_to_regex(Arena *arena, Str pattern, const Str *escape, Str *out, sqm_error_t *error) {
    int32_t esc;
    if (!read_escape(escape, &esc, error)) return false;
    Text t = {.arena = arena};
    text_adds(&t, "\\A(?:");
    bool in_class = false;
    for (const char *p = pattern.p, *end = p + pattern.n; p < end;) {
        const char *start = p;
        int32_t c = utf8_next(&p, end);
        if (c == esc) {
            if (p == end) return error_set(error, SQM_ERROR_INVALID_ARGUMENT, "SIMILAR TO pattern must not end with escape character");
            start = p;
            c = utf8_next(&p, end);
            if (c < 128 && !u_isalnum(c)) text_adds(&t, "\\");
            text_add(&t, start, (size_t)(p - start));
        } else if (in_class) {
            if (c == '\\') text_adds(&t, "\\");
            text_add(&t, start, (size_t)(p - start));
            in_class = c != ']';
        } else if (c == '%') text_adds(&t, ".*");
        else if (c == '_') text_adds(&t, ".");
        else if (c == '(') text_adds(&t, "(?:");
        else if (c == '.' || c == '^' || c == '$' || c == '\\') text_addf(&t, "\\%c", (int)c);
        else {
            in_class = c == '[';
            text_add(&t, start, (size_t)(p - start));
        }
    }
    text_adds(&t, ")\\z");
    *out = (Str){t.p, (uint32_t)t.n};
    return true;
}

/* ---- regular expressions ---- */

enum { CACHED = 16 };

typedef struct Compiled {
    char *pattern;
    uint32_t n;
    unsigned flags;
    uint64_t used;
    pcre2_code *code;
    pcre2_match_data *data;
} Compiled;

typedef struct RegexCache { Compiled at[CACHED]; uint64_t clock; } RegexCache;

static pthread_key_t cache_key;
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;

static void clear_compiled(Compiled *c) {
    pcre2_match_data_free(c->data);
    pcre2_code_free(c->code);
    free(c->pattern);
    *c = (Compiled){0};
}

static void free_cache(void *memory) {
    RegexCache *cache = memory;
    for (int i = 0; i < CACHED; i++) clear_compiled(&cache->at[i]);
    free(cache);
}

static void make_key(void) { pthread_key_create(&cache_key, free_cache); }

static RegexCache *thread_cache(void) {
    static _Thread_local RegexCache *mine;
    if (!mine) {
        pthread_once(&cache_once, make_key);
        mine = calloc(1, sizeof *mine);
        if (!mine) abort();
        pthread_setspecific(cache_key, mine);
    }
    return mine;
}

/* PostgreSQL's word escapes in PCRE's terms, and $ as the very end; everything else is PCRE's already. *out is malloc'ed. */
static size_t translate(Str pattern, bool lines, char **out) {
    char *o = *out = malloc((size_t)pattern.n * 8 + 1);
    if (!o) abort();
    bool in_class = false;
    for (uint32_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        if (c == '\\' && i + 1 < pattern.n) {
            char next = pattern.p[++i];
            const char *to = in_class ? NULL : next == 'y' ? "\\b" : next == 'Y' ? "\\B" : next == 'm' ? "\\b(?=\\w)" : next == 'M' ? "\\b(?<=\\w)" : next == 'Z' ? "\\z" : NULL;
            if (to) {
                size_t n = strlen(to);
                memcpy(o, to, n);
                o += n;
            } else {
                *o++ = c;
                *o++ = next;
            }
            continue;
        }
        if (in_class && c == '[' && i + 1 < pattern.n && (pattern.p[i + 1] == ':' || pattern.p[i + 1] == '.' || pattern.p[i + 1] == '=')) {
            const char *close = memchr(pattern.p + i + 2, ']', pattern.n - i - 2);      /* [[:alpha:]]: not the end of the class */
            if (close && close[-1] == pattern.p[i + 1]) {
                size_t n = (size_t)(close - (pattern.p + i)) + 1;
                memcpy(o, pattern.p + i, n);
                o += n;
                i += (uint32_t)n - 1;
                continue;
            }
        }
        if (c == '$' && !in_class && !lines) {
            *o++ = '\\';
            c = 'z';
        }
        *o++ = c;
        if (!in_class && c == '[') {
            in_class = true;
            if (i + 1 < pattern.n && pattern.p[i + 1] == '^') *o++ = pattern.p[++i];
            if (i + 1 < pattern.n && pattern.p[i + 1] == ']') *o++ = pattern.p[++i];
        } else if (c == ']') in_class = false;
    }
    return (size_t)(o - *out);
}

static Compiled *compile(Str pattern, unsigned flags, sqm_error_t *error) {
    RegexCache *cache = thread_cache();
    Compiled *victim = &cache->at[0];
    for (int i = 0; i < CACHED; i++) {
        Compiled *c = &cache->at[i];
        if (c->code && c->flags == flags && c->n == pattern.n && memcmp(c->pattern, pattern.p, pattern.n) == 0) {
            c->used = ++cache->clock;
            return c;
        }
        if (c->used < victim->used) victim = c;
    }
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
    if (flags & REGEX_IGNORE_CASE) options |= PCRE2_CASELESS;
    if (flags & REGEX_LITERAL) options |= PCRE2_LITERAL;
    else {
        options |= PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
        options |= flags & REGEX_NEWLINE ? PCRE2_MULTILINE : PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY;
        if (flags & REGEX_EXTENDED) options |= PCRE2_EXTENDED;
    }
    char *text;
    size_t n = pattern.n;
    if (flags & REGEX_LITERAL) {
        text = malloc(n + 1);
        if (!text) abort();
        if (n) memcpy(text, pattern.p, n);
    } else n = translate(pattern, flags & REGEX_NEWLINE, &text);
    int code;
    PCRE2_SIZE at;
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)text, n, options, &code, &at, NULL);
    free(text);
    if (!compiled) {
        char message[160];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message);
        error_set(error, SQM_ERROR_INVALID_REGEX, "invalid regular expression: %s", message);
        return NULL;
    }
    pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);       /* without JIT it is merely slower */
    clear_compiled(victim);
    victim->pattern = malloc((size_t)pattern.n + 1);
    victim->data = pcre2_match_data_create_from_pattern(compiled, NULL);
    if (!victim->pattern || !victim->data) abort();
    if (pattern.n) memcpy(victim->pattern, pattern.p, pattern.n);
    victim->n = pattern.n;
    victim->flags = flags;
    victim->code = compiled;
    victim->used = ++cache->clock;
    return victim;
}

Str regex_for_server(Arena *arena, Str pattern) {
    char *text;
    size_t n = translate(pattern, false, &text);
    /* (*UCP) costs the server its index bounds, so only where character classes could meet more than ASCII. */
    bool classes = memmem(pattern.p, pattern.n, "[:", 2) != NULL;
    for (uint32_t i = 0; i + 1 < pattern.n && !classes; i++)
        if (pattern.p[i] == '\\') classes = strchr("wWdDsSbByYmMhHvV", pattern.p[++i]) && pattern.p[i];
    Text out = {.arena = arena};
    if (classes) text_adds(&out, "(*UCP)");
    text_add(&out, text, n);
    free(text);
    return (Str){out.p, (uint32_t)out.n};
}

bool regex_search(Str text, size_t from, Str pattern, unsigned flags, bool *found, RegexMatch *match, sqm_error_t *error) {
    Compiled *c = compile(pattern, flags, error);
    if (!c) return false;
    PCRE2_SPTR subject = (PCRE2_SPTR)(text.n ? text.p : "");
    int n = pcre2_match(c->code, subject, text.n, from, 0, c->data, NULL);
    if (n == PCRE2_ERROR_JIT_STACKLIMIT) n = pcre2_match(c->code, subject, text.n, from, PCRE2_NO_JIT, c->data, NULL);
    *found = n > 0;
    if (n < 0 && n != PCRE2_ERROR_NOMATCH) {
        char message[160];
        pcre2_get_error_message(n, (PCRE2_UCHAR *)message, sizeof message);
        return error_set(error, SQM_ERROR_INVALID_REGEX, "regular expression failed: %s", message);
    }
    if (match) *match = (RegexMatch){(const size_t *)pcre2_get_ovector_pointer(c->data), (int)pcre2_get_ovector_count(c->data)};
    return true;
}
