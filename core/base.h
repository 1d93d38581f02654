/* base.h - what every phase stands on: slices, arena, growable arrays, and the one way out of the compiler.
 *
 * Compile phase (lex ... emit): memory comes from an Arena, and an error is `fail(cc, ...)`, which formats into cc->error and longjmps to the
 * only setjmp (statement.c, or a test's own). Lawful because nothing but the arena is live there: no malloc, no bson_t on the heap, no I/O.
 * Run phase (exec, client, ext): `bool f(..., sqm_error_t *error)`, one exit; use error_set(). */
#ifndef SQM_BASE_H
#define SQM_BASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sqm/sqm.h"

typedef struct Str { const char *p; uint32_t n; } Str;    /* a slice; never owned */
#define STR(literal) ((Str){(literal), sizeof(literal) - 1})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p
Str str_from(const char *z);                               /* z must outlive the slice */
bool str_eq(Str a, Str b);
bool str_ieq(Str a, Str b);                                /* ASCII case-insensitive */
static inline bool str_is(Str a, const char *z) { return strlen(z) == a.n && memcmp(a.p, z, a.n) == 0; }
/* For messages: a length of at most `limit` bytes that doesn't end inside a UTF-8 character. */
static inline int str_clip(Str s, int limit) {
    int n = s.n <= (uint32_t)limit ? (int)s.n : limit;
    while (n > 0 && (uint32_t)n < s.n && ((unsigned char)s.p[n] & 0xC0) == 0x80) n--;
    return n;
}
uint64_t hash_bytes(const void *p, size_t n, uint64_t seed);

/* An arena hands out zeroed memory that lives until arena_free/arena_clear. Under SQM_ARENA_DEBUG each block is its own malloc, so ASan sees overruns. */
typedef struct ArenaBlock ArenaBlock;
typedef struct Arena { ArenaBlock *head; char *next, *end; size_t total; } Arena;
void *arena_alloc(Arena *a, size_t size);                  /* aborts the process when the system has no memory, as libbson does */
void *arena_copy(Arena *a, const void *p, size_t size);
Str arena_str(Arena *a, const char *p, size_t n);          /* copy, NUL-terminated as a courtesy */
Str arena_printf(Arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_clear(Arena *a);                                /* forgets everything, keeps one block for reuse */
void arena_free(Arena *a);
#define NEW(arena, T) ((T *)arena_alloc((arena), sizeof(T)))
#define NEW_ARRAY(arena, T, n) ((T *)arena_alloc((arena), sizeof(T) * (size_t)(n)))

/* Growable arrays in an arena: VEC(Expr *) args; vec_push(arena, &args, e). */
#define VEC(T) struct { T *at; int n, cap; }
#define vec_push(arena, v, item)                                                                                  \
    do {                                                                                                          \
        if ((v)->n == (v)->cap) {                                                                                 \
            int cap_ = (v)->cap ? (v)->cap * 2 : 4;                                                               \
            void *grown_ = arena_alloc((arena), sizeof *(v)->at * (size_t)cap_);                                  \
            if ((v)->n) memcpy(grown_, (v)->at, sizeof *(v)->at * (size_t)(v)->n);                                \
            (v)->at = grown_;                                                                                     \
            (v)->cap = cap_;                                                                                      \
        }                                                                                                         \
        (v)->at[(v)->n++] = (item);                                                                               \
    } while (0)

/* Text that grows (dumps, rendered SQL): arena-backed. */
typedef struct Text { Arena *arena; char *p; size_t n, cap; } Text;
void text_add(Text *t, const char *p, size_t n);
void text_adds(Text *t, const char *z);
void text_add_quoted(Text *t, Str s, char quote);                /* with each quote inside doubled */
void text_addf(Text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Compile context: one per prepare. */
/* A table that somebody else may know more about than the catalogue does: see sqm_options_t.define. */
typedef struct Wanted { Str table, column; enum { WANTED_TABLE, WANTED_COLUMN, WANTED_COLLECTION, WANTED_LEGACY } kind; } Wanted;
typedef VEC(Wanted) WantedList;

typedef struct Compile {
    Arena *arena;
    Str sql;
    sqm_error_t *error;
    jmp_buf exit;
    int depth;              /* nesting of the construct at hand; guards the C stack */
    Str *undeclared;        /* may be NULL; receives the name of an undeclared collection whose documents nobody has looked at yet */
    WantedList *wanted;     /* may be NULL; receives the names of tables, and columns, that the catalogue doesn't have or only knows by hearsay */
} Compile;
#define MAX_DEPTH 1000           /* nested parentheses, subqueries, expressions */
#define MAX_SQL_BYTES (16u << 20)

typedef struct Pos { int at, len; } Pos;
#define NO_POS ((Pos){-1, 0})
_Noreturn void fail(Compile *cc, sqm_error_code_t code, Pos pos, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
_Noreturn void fail_hint(Compile *cc, sqm_error_code_t code, Pos pos, const char *hint, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void enter(Compile *cc, Pos pos);                          /* ++depth, fails with PROGRAM_LIMIT_EXCEEDED past MAX_DEPTH */
static inline void leave(Compile *cc) { cc->depth--; }

/* Run phase. Always returns false, so `return error_set(...)`. error may be NULL. */
bool error_set(sqm_error_t *error, sqm_error_code_t code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void error_clear(sqm_error_t *error);

int edit_distance(Str a, Str b, int limit);                /* for "Perhaps you meant" */

#endif
