/* pattern.h - LIKE, ILIKE, SIMILAR TO and regular expressions over UTF-8. */
#ifndef SQM_PATTERN_H
#define SQM_PATTERN_H

#include "base.h"

/* The code point at *p (< end), which is moved past it; a byte that isn't UTF-8 comes out as 0x110000 + byte. */
int32_t utf8_next(const char **p, const char *end);
size_t utf8_put(char *out, int32_t c);                  /* 1..4 bytes */
size_t utf8_length(Str s);                              /* code points */
const char *utf8_skip(const char *p, const char *end, int64_t n);   /* past n code points, at most to end */

/* `escape`: NULL for the default backslash, empty for none, else one character. `fold`: case-insensitive over all of Unicode by simple folding, so that
 * '_' still stands for one code point. False: INVALID_ARGUMENT in error (pattern ends in its escape; escape longer than one character). */
bool like_match(Str text, Str pattern, const Str *escape, bool fold, bool *out, sqm_error_t *error);

#define REGEX_IGNORE_CASE 1u
#define REGEX_NEWLINE 2u        /* ^ and $ match at lines, . stops at a newline */
#define REGEX_EXTENDED 4u
#define REGEX_LITERAL 8u

/* Byte offsets of the match and its groups: group i is at[2i]..at[2i+1], SIZE_MAX when it took no part. Valid until the thread's next search. */
typedef struct RegexMatch { const size_t *at; int groups; } RegexMatch;

/* First match at or after byte `from`. Compiled patterns are kept by thread, the most recently used ones. False: INVALID_REGEX in error. */
bool regex_search(Str text, size_t from, Str pattern, unsigned flags, bool *found, RegexMatch *match, sqm_error_t *error);
/* The same pattern for MongoDB's $regex with option s: word characters are Unicode's, $ is the very end. */
Str regex_for_server(Arena *arena, Str pattern);
/* The PCRE form of a SIMILAR TO pattern, anchored at both ends. */
bool similar_to_regex(Arena *arena, Str pattern, const Str *escape, Str *out, sqm_error_t *error);

#endif
