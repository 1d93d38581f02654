/* base.c - slices, arena, text buffers, errors and their rendering. See base.h for the contracts. */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- slices ---- */

Str str_from(const char *z) { return (Str){z, (uint32_t)strlen(z)}; }

bool str_eq(Str a, Str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }

static int ascii_lower(int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

bool str_ieq(Str a, Str b) {
    if (a.n != b.n) return false;
    for (uint32_t i = 0; i < a.n; i++)
        if (ascii_lower((unsigned char)a.p[i]) != ascii_lower((unsigned char)b.p[i])) return false;
    return true;
}

/* FNV-1a in 64 bits with a final mix; keys here are short (names, join keys). */
uint64_t hash_bytes(const void *p, size_t n, uint64_t seed) {
    const unsigned char *s = p;
    uint64_t h = 14695981039346656037ull ^ seed;
    for (size_t i = 0; i < n; i++) h = (h ^ s[i]) * 1099511628211ull;
    h ^= h >> 32;
    return h * 0x9E3779B97F4A7C15ull;
}

int edit_distance(Str a, Str b, int limit) {
    enum { MAX = 64 };
    int row[MAX + 1];
    if (a.n > MAX || b.n > MAX) return limit + 1;
    for (uint32_t j = 0; j <= b.n; j++) row[j] = (int)j;
    for (uint32_t i = 1; i <= a.n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (uint32_t j = 1; j <= b.n; j++) {
            int cost = ascii_lower((unsigned char)a.p[i - 1]) != ascii_lower((unsigned char)b.p[j - 1]);
            int best = diagonal + cost;
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.n];
}

/* ---- arena ---- */

struct ArenaBlock { ArenaBlock *next; size_t size; _Alignas(16) char data[]; };

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

static void add_block(Arena *a, size_t need) {
    size_t size = a->head ? a->head->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK) size = LARGEST_BLOCK;
#ifdef SQM_ARENA_DEBUG
    size = need;
#endif
    if (size < need) size = need;
    ArenaBlock *block = malloc(sizeof *block + size);
    if (!block) abort();
    block->next = a->head;
    block->size = size;
    a->head = block;
    a->next = block->data;
    a->end = block->data + size;
    a->total += size;
}

void *arena_alloc(Arena *a, size_t size) {
    size = (size + 15) & ~(size_t)15;
    if (size == 0) size = 16;
    if ((size_t)(a->end - a->next) < size) add_block(a, size);
    void *p = a->next;
    a->next += size;
    return memset(p, 0, size);
}

void *arena_copy(Arena *a, const void *p, size_t size) {
    void *copy = arena_alloc(a, size);
    if (size) memcpy(copy, p, size);
    return copy;
}

Str arena_str(Arena *a, const char *p, size_t n) {
    char *copy = arena_alloc(a, n + 1);
    if (n) memcpy(copy, p, n);
    return (Str){copy, (uint32_t)n};
}

Str arena_printf(Arena *a, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (Str){p, (uint32_t)n};
}

void arena_free(Arena *a) {
    for (ArenaBlock *b = a->head; b;) {
        ArenaBlock *next = b->next;
        free(b);
        b = next;
    }
    *a = (Arena){0};
}

void arena_clear(Arena *a) {
#ifdef SQM_ARENA_DEBUG
    arena_free(a);
#else
    if (!a->head) return;
    for (ArenaBlock *b = a->head->next; b;) {
        ArenaBlock *next = b->next;
        free(b);
        b = next;
    }
    a->head->next = NULL;
    a->next = a->head->data;
    a->total = a->head->size;
#endif
}

/* ---- text ---- */

void text_add(Text *t, const char *p, size_t n) {
    if (t->n + n + 1 > t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 256;
        while (cap < t->n + n + 1) cap *= 2;
        char *grown = arena_alloc(t->arena, cap);
        if (t->n) memcpy(grown, t->p, t->n);
        t->p = grown;
        t->cap = cap;
    }
    if (n) memcpy(t->p + t->n, p, n);
    t->n += n;
    t->p[t->n] = '\0';
}

void text_adds(Text *t, const char *z) { text_add(t, z, strlen(z)); }

void text_add_quoted(Text *out, Str s, char quote) {
    text_add(out, &quote, 1);
    for (uint32_t i = 0; i < s.n; i++) {
        if (s.p[i] == quote) text_add(out, &quote, 1);
        text_add(out, s.p + i, 1);
    }
    text_add(out, &quote, 1);
}

void text_addf(Text *t, const char *fmt, ...) {
    char small[512];
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if ((size_t)n < sizeof small) {
        text_add(t, small, (size_t)n);
    } else {
        char *large = arena_alloc(t->arena, (size_t)n + 1);
        vsnprintf(large, (size_t)n + 1, fmt, again);
        text_add(t, large, (size_t)n);
    }
    va_end(again);
}

/* ---- errors ---- */

static const struct { const char *class_name, *name; } error_table[] = {
    {"", "ok"},
#define ERROR(name, class_name, description) {class_name, description},
#include "sqm/errors.def"
#undef ERROR
};

const char *sqm_error_class(sqm_error_code_t code) { return error_table[code].class_name; }
const char *sqm_error_name(sqm_error_code_t code) { return error_table[code].name; }

void error_clear(sqm_error_t *error) {
    if (!error) return;
    error->code = SQM_OK;
    error->position = -1;
    error->length = 0;
    error->mongo_code = 0;
    error->message[0] = error->hint[0] = '\0';
}

static void fill(sqm_error_t *error, sqm_error_code_t code, const char *fmt, va_list args) {
    error_clear(error);
    error->code = code;
    vsnprintf(error->message, sizeof error->message, fmt, args);
}

bool error_set(sqm_error_t *error, sqm_error_code_t code, const char *fmt, ...) {
    if (error) {
        va_list args;
        va_start(args, fmt);
        fill(error, code, fmt, args);
        va_end(args);
    }
    return false;
}

void fail(Compile *cc, sqm_error_code_t code, Pos pos, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fill(cc->error, code, fmt, args);
    va_end(args);
    cc->error->position = pos.at;
    cc->error->length = pos.len;
    longjmp(cc->exit, 1);
}

void fail_hint(Compile *cc, sqm_error_code_t code, Pos pos, const char *hint, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fill(cc->error, code, fmt, args);
    va_end(args);
    cc->error->position = pos.at;
    cc->error->length = pos.len;
    snprintf(cc->error->hint, sizeof cc->error->hint, "%s", hint);
    longjmp(cc->exit, 1);
}

void enter(Compile *cc, Pos pos) {
    if (++cc->depth > MAX_DEPTH) fail(cc, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, pos, "statement is nested more than %d levels deep", MAX_DEPTH);
}

/* How wide a window of a long line is shown around the error. */
enum { LINE_WINDOW = 100 };

size_t sqm_error_render(const sqm_error_t *error, const char *sql, size_t sql_len, char *out, size_t size) {
    if (size == 0) return 0;
    int used = snprintf(out, size, "%s", error->message);
    size_t n = used < 0 ? 0 : (size_t)used < size ? (size_t)used : size - 1;
    if (sql && error->position >= 0 && (size_t)error->position <= sql_len) {
        size_t at = (size_t)error->position, begin = at, end = at;
        int line = 1;
        for (size_t i = 0; i < at; i++) line += sql[i] == '\n';
        while (begin > 0 && sql[begin - 1] != '\n') begin--;
        while (end < sql_len && sql[end] != '\n') end++;
        const char *before = "", *after = "";
        if (at - begin > LINE_WINDOW / 2) {
            begin = at - LINE_WINDOW / 2;
            while (begin < at && ((unsigned char)sql[begin] & 0xC0) == 0x80) begin++;
            before = "...";
        }
        if (end - begin > LINE_WINDOW) {
            end = begin + LINE_WINDOW;
            while (end > at && ((unsigned char)sql[end] & 0xC0) == 0x80) end--;
            after = "...";
        }
        char prefix[40];
        int indent = snprintf(prefix, sizeof prefix, "LINE %d: %s", line, before);
        int columns = 0, width = 0;
        for (size_t i = begin; i < at; i++) columns += ((unsigned char)sql[i] & 0xC0) != 0x80;
        for (size_t i = at; i < end && i < at + (size_t)error->length; i++) width += ((unsigned char)sql[i] & 0xC0) != 0x80;
        used = snprintf(out + n, size - n, "\n%s%.*s%s\n%*s", prefix, (int)(end - begin), sql + begin, after, indent + columns, "");
        n += used < 0 ? 0 : (size_t)used < size - n ? (size_t)used : size - n - 1;
        for (int i = 0; i < (width ? width : 1) && n + 1 < size; i++) out[n++] = '^';
        out[n] = '\0';
    }
    if (error->hint[0]) {
        used = snprintf(out + n, size - n, "\nHINT:  %s", error->hint);
        n += used < 0 ? 0 : (size_t)used < size - n ? (size_t)used : size - n - 1;
    }
    return n;
}
