/* function_text.c - text and bytea functions.
 *
 * Positions and lengths count code points, from 1, as PostgreSQL's do; case mapping is Unicode's full mapping by ICU. Arguments that aren't text are
 * taken by their text form. Digests of text are hexadecimal text, digests of bytea are bytea.
 *     substr('hello', -1, 4) = 'he'        left('abc', -1) = 'ab'        upper('straße') = 'STRASSE'        md5('a') = '0cc1...'
 * Results longer than scalar_room() allows are refused. Regular expressions are in function_regex.c, to_char() in function_format.c. */
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unicode/ucasemap.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "lex.h"
#include "pattern.h"
#include "scalar.h"

static bool give(Value *out, Str s) { return *out = scalar_from_text(s), true; }
static const char *end_of(Str s) { return s.p + s.n; }
static Str slice(const char *from, const char *to) { return (Str){from, (uint32_t)(to - from)}; }
static Value bytes_value(const void *p, size_t n) { return (Value){.type = SQM_BYTES, .len = (uint32_t)n, .u.bytes = p}; }

static bool is_ascii(Str s) {
    unsigned char all = 0;
    for (uint32_t i = 0; i < s.n; i++) all |= (unsigned char)s.p[i];
    return all < 128;
}

/* ---- case ---- */

static UCaseMap *case_map;
static pthread_once_t case_once = PTHREAD_ONCE_INIT;
static void open_case_map(void) {
    UErrorCode status = U_ZERO_ERROR;
    case_map = ucasemap_open("", U_FOLD_CASE_DEFAULT, &status);
}

typedef int32_t (*Mapping)(const UCaseMap *, char *, int32_t, const char *, int32_t, UErrorCode *);

static bool map_case(Eval *ev, Str s, Mapping mapping, Value *out) {
    pthread_once(&case_once, open_case_map);
    UErrorCode status = U_ZERO_ERROR;
    int32_t capacity = (int32_t)s.n + 16, length;
    char *room = scalar_room(ev, (uint64_t)capacity);
    if (!room) return false;
    length = mapping(case_map, room, capacity, s.p, (int32_t)s.n, &status);
    if (status == U_BUFFER_OVERFLOW_ERROR) {
        status = U_ZERO_ERROR;
        room = scalar_room(ev, (uint64_t)length);
        if (!room) return false;
        length = mapping(case_map, room, length + 1, s.p, (int32_t)s.n, &status);
    }
    if (U_FAILURE(status)) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "text is not valid UTF-8");
    return give(out, (Str){room, (uint32_t)length});
}

static bool change_case(Eval *ev, Str s, char low, char high, int shift, Mapping mapping, Value *out) {
    if (!is_ascii(s)) return map_case(ev, s, mapping, out);
    char *room = arena_alloc(ev->arena, s.n + 1u);
    for (uint32_t i = 0; i < s.n; i++) room[i] = (char)(s.p[i] >= low && s.p[i] <= high ? s.p[i] + shift : s.p[i]);
    return give(out, (Str){room, s.n});
}

SCALAR(sql_lower) { return change_case(ev, scalar_text(ev, &args[0]), 'A', 'Z', 32, ucasemap_utf8ToLower, out); }
SCALAR(sql_upper) { return change_case(ev, scalar_text(ev, &args[0]), 'a', 'z', -32, ucasemap_utf8ToUpper, out); }
SCALAR(sql_casefold) { return change_case(ev, scalar_text(ev, &args[0]), 'A', 'Z', 32, ucasemap_utf8FoldCase, out); }

/* First letter of each run of letters and digits in title case, the rest in lower case. */
SCALAR(sql_initcap) {
    Str s = scalar_text(ev, &args[0]);
    char *room = scalar_room(ev, (uint64_t)s.n * 4);
    if (!room) return false;
    size_t used = 0;
    bool inside = false;
    for (const char *p = s.p; p < end_of(s);) {
        int32_t c = utf8_next(&p, end_of(s));
        bool word = c < 0x110000 && u_isalnum(c);
        used += utf8_put(room + used, !word ? c : inside ? u_tolower(c) : u_toupper(c));
        inside = word;
    }
    return give(out, (Str){room, (uint32_t)used});
}

SCALAR(sql_normalize) {
    Str s = scalar_text(ev, &args[0]), form = n > 1 ? scalar_text(ev, &args[1]) : STR("NFC");
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *normalizer = str_ieq(form, STR("NFC")) ? unorm2_getNFCInstance(&status) : str_ieq(form, STR("NFD")) ? unorm2_getNFDInstance(&status)
        : str_ieq(form, STR("NFKC")) ? unorm2_getNFKCInstance(&status) : str_ieq(form, STR("NFKD")) ? unorm2_getNFKDInstance(&status) : NULL;
    if (!normalizer) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "invalid normalization form: " STR_FMT, STR_ARG(form));
    if (is_ascii(s)) return give(out, s);
    UChar *wide = (UChar *)scalar_room(ev, (uint64_t)s.n * 2), *normal;
    int32_t length, capacity;
    if (!wide) return false;
    u_strFromUTF8(wide, (int32_t)s.n, &length, s.p, (int32_t)s.n, &status);
    capacity = length * 4 + 64;
    normal = (UChar *)scalar_room(ev, (uint64_t)capacity * 2);
    if (!normal) return false;
    int32_t got = unorm2_normalize(normalizer, wide, length, normal, capacity, &status);
    if (status == U_BUFFER_OVERFLOW_ERROR) {        /* some compatibility ligatures grow to eighteen letters */
        status = U_ZERO_ERROR;
        capacity = got;
        normal = (UChar *)scalar_room(ev, (uint64_t)capacity * 2 + 2);
        if (!normal) return false;
        got = unorm2_normalize(normalizer, wide, length, normal, capacity + 1, &status);
    }
    char *room = scalar_room(ev, (uint64_t)got * 3);
    if (!room) return false;
    int32_t bytes = 0;
    u_strToUTF8(room, got * 3 + 1, &bytes, normal, got, &status);
    if (U_FAILURE(status)) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "text is not valid UTF-8");
    return give(out, (Str){room, (uint32_t)bytes});
}

/* ---- lengths and positions ---- */

SCALAR(sql_length) {
    if (args[0].type == SQM_BYTES) return *out = sqm_int(args[0].len), true;
    return *out = sqm_int((int64_t)utf8_length(scalar_text(ev, &args[0]))), true;
}

SCALAR(sql_octet_length) {
    if (args[0].type == SQM_BYTES) return *out = sqm_int(args[0].len), true;
    return *out = sqm_int(scalar_text(ev, &args[0]).n), true;
}

SCALAR(sql_bit_length) {
    if (!sql_octet_length(ev, e, args, n, out)) return false;
    out->u.i *= 8;
    return true;
}

static const char *find(Str s, const char *from, Str what) {
    if (what.n == 0) return from;
    return from > end_of(s) ? NULL : memmem(from, (size_t)(end_of(s) - from), what.p, what.n);
}

static bool position(Eval *ev, const Value *text, const Value *what, Value *out) {
    if (text->type == SQM_BYTES && what->type == SQM_BYTES) {
        const uint8_t *at = what->len ? memmem(text->u.bytes, text->len, what->u.bytes, what->len) : text->u.bytes;
        return *out = sqm_int(at ? at - text->u.bytes + 1 : 0), true;
    }
    Str s = scalar_text(ev, text);
    const char *at = find(s, s.p, scalar_text(ev, what));
    return *out = sqm_int(at ? (int64_t)utf8_length(slice(s.p, at)) + 1 : 0), true;
}

SCALAR(sql_strpos) { return position(ev, &args[0], &args[1], out); }
SCALAR(sql_position) { return position(ev, &args[1], &args[0], out); }

/* The part of `n` units that starts at the 1-based `start` and has `count` of them: PostgreSQL cuts what lies before the text off the count. */
static bool range(Eval *ev, int64_t start, bool counted, int64_t count, int64_t *from, int64_t *length) {
    if (counted && count < 0) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "negative substring length not allowed");
    int64_t end;
    if (!counted || __builtin_add_overflow(start, count, &end)) end = INT64_MAX;
    *from = start < 1 ? 0 : start - 1;
    *length = end - 1 - *from < 0 ? 0 : end - 1 - *from;
    return true;
}

SCALAR(sql_substring) {
    int64_t start = 0, count = 0, from = 0, length = 0;
    if (args[1].type == SQM_TEXT && (n == 2 || args[2].type == SQM_TEXT)) {
        if (n == 2) return sql_regexp_substr(ev, e, args, n, out);
        return scalar_fail(ev, SQM_ERROR_NOT_SUPPORTED, "substring(... SIMILAR ... ESCAPE ...) is not supported");
    }
    if (!scalar_int(ev, &args[1], &start) || (n > 2 && !scalar_int(ev, &args[2], &count)) || !range(ev, start, n > 2, count, &from, &length)) return false;
    if (args[0].type == SQM_BYTES) {
        int64_t size = args[0].len;
        if (from > size) from = size;
        if (length > size - from) length = size - from;
        *out = bytes_value(args[0].u.bytes + from, (size_t)length);
        return true;
    }
    Str s = scalar_text(ev, &args[0]);
    const char *begin = utf8_skip(s.p, end_of(s), from);
    return give(out, slice(begin, utf8_skip(begin, end_of(s), length)));
}

/* left(s, n): n characters, or all but the last -n. */
static int64_t how_many(Str s, int64_t count) {
    if (count >= 0) return count;
    int64_t length = (int64_t)utf8_length(s);
    return count == INT64_MIN || length + count < 0 ? 0 : length + count;
}

SCALAR(sql_left) {
    Str s = scalar_text(ev, &args[0]);
    int64_t count;
    return scalar_int(ev, &args[1], &count) && give(out, slice(s.p, utf8_skip(s.p, end_of(s), how_many(s, count))));
}

SCALAR(sql_right) {
    Str s = scalar_text(ev, &args[0]);
    int64_t count, length = (int64_t)utf8_length(s);
    if (!scalar_int(ev, &args[1], &count)) return false;
    int64_t keep = how_many(s, count);
    return give(out, slice(utf8_skip(s.p, end_of(s), keep > length ? 0 : length - keep), end_of(s)));
}

SCALAR(sql_overlay) {
    Str s = scalar_text(ev, &args[0]), with = scalar_text(ev, &args[1]);
    int64_t start, count = (int64_t)utf8_length(with);
    if (!scalar_int(ev, &args[2], &start) || (n > 3 && !scalar_int(ev, &args[3], &count))) return false;
    if (start <= 0) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "negative substring length not allowed");
    const char *head = utf8_skip(s.p, end_of(s), start - 1);
    const char *tail = count > 0 ? utf8_skip(head, end_of(s), count) : utf8_skip(s.p, end_of(s), start - 1 + count < 0 ? 0 : start - 1 + count);
    size_t before = (size_t)(head - s.p), after = (size_t)(end_of(s) - tail);
    char *room = scalar_room(ev, (uint64_t)before + with.n + after);
    if (!room) return false;
    memcpy(room, s.p, before);
    memcpy(room + before, with.p, with.n);
    memcpy(room + before + with.n, tail, after);
    return give(out, (Str){room, (uint32_t)(before + with.n + after)});
}

SCALAR(sql_split_part) {
    Str s = scalar_text(ev, &args[0]), by = scalar_text(ev, &args[1]);
    int64_t field, fields = 1;
    if (!scalar_int(ev, &args[2], &field)) return false;
    if (field == 0) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "field position must not be zero");
    if (by.n == 0) return give(out, field == 1 || field == -1 ? s : (Str){"", 0});
    if (field < 0) {
        for (const char *p = s.p; (p = find(s, p, by)); p += by.n) fields++;
        field += fields + 1;
        if (field <= 0) return give(out, (Str){"", 0});
    }
    const char *begin = s.p;
    for (const char *p; field > 1; field--, begin = p + by.n)
        if (!(p = find(s, begin, by))) return give(out, (Str){"", 0});
    const char *end = find(s, begin, by);
    return give(out, slice(begin, end ? end : end_of(s)));
}

SCALAR(sql_starts_with) {
    Str s = scalar_text(ev, &args[0]), prefix = scalar_text(ev, &args[1]);
    return *out = sqm_bool(prefix.n <= s.n && memcmp(s.p, prefix.p, prefix.n) == 0), true;
}

/* ---- building ---- */

static bool pad(Eval *ev, const Value *args, int n, bool left, Value *out) {
    Str s = scalar_text(ev, &args[0]), fill = n > 2 ? scalar_text(ev, &args[2]) : STR(" ");
    int64_t want, have = (int64_t)utf8_length(s);
    if (!scalar_int(ev, &args[1], &want)) return false;
    if (want < 0) want = 0;
    if (want <= have || fill.n == 0) return give(out, slice(s.p, utf8_skip(s.p, end_of(s), want)));
    if (want > INT32_MAX) return scalar_fail(ev, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, "requested length too large");
    int64_t missing = want - have, fill_length = (int64_t)utf8_length(fill);
    uint64_t whole = (uint64_t)(missing / fill_length) * fill.n;
    uint64_t rest = (uint64_t)(utf8_skip(fill.p, end_of(fill), missing % fill_length) - fill.p);
    char *room = scalar_room(ev, whole + rest + s.n), *p = room;
    if (!room) return false;
    if (!left) memcpy(p, s.p, s.n), p += s.n;
    for (uint64_t i = 0; i < whole; i += fill.n, p += fill.n) memcpy(p, fill.p, fill.n);
    memcpy(p, fill.p, rest);
    p += rest;
    if (left) memcpy(p, s.p, s.n), p += s.n;
    return give(out, slice(room, p));
}
SCALAR(sql_lpad) { return pad(ev, args, n, true, out); }
SCALAR(sql_rpad) { return pad(ev, args, n, false, out); }

SCALAR(sql_repeat) {
    Str s = scalar_text(ev, &args[0]);
    int64_t times;
    if (!scalar_int(ev, &args[1], &times)) return false;
    if (times <= 0 || s.n == 0) return give(out, (Str){"", 0});
    char *room = scalar_room(ev, times > INT32_MAX ? UINT64_MAX : (uint64_t)times * s.n);
    if (!room) return false;
    for (int64_t i = 0; i < times; i++) memcpy(room + i * s.n, s.p, s.n);
    return give(out, (Str){room, (uint32_t)(times * s.n)});
}

SCALAR(sql_reverse) {
    Str s = scalar_text(ev, &args[0]);
    char *room = arena_alloc(ev->arena, s.n + 1u), *to = room + s.n;
    for (const char *p = s.p; p < end_of(s);) {
        const char *next = utf8_skip(p, end_of(s), 1);
        to -= next - p;
        memcpy(to, p, (size_t)(next - p));
        p = next;
    }
    return give(out, (Str){room, s.n});
}

SCALAR(sql_replace) {
    Str s = scalar_text(ev, &args[0]), from = scalar_text(ev, &args[1]), to = scalar_text(ev, &args[2]);
    uint64_t count = 0;
    if (from.n == 0) return give(out, s);
    for (const char *p = s.p; (p = find(s, p, from)); p += from.n) count++;
    if (count == 0) return give(out, s);
    char *room = scalar_room(ev, s.n - count * from.n + count * to.n), *o = room;
    if (!room) return false;
    const char *p = s.p;
    for (const char *at; (at = find(s, p, from)); p = at + from.n) {
        memcpy(o, p, (size_t)(at - p));
        o += at - p;
        memcpy(o, to.p, to.n);
        o += to.n;
    }
    memcpy(o, p, (size_t)(end_of(s) - p));
    return give(out, slice(room, o + (end_of(s) - p)));
}

/* Index of code point c in `set`, -1 if absent. */
static int64_t index_of(Str set, int32_t c) {
    int64_t i = 0;
    for (const char *p = set.p; p < end_of(set); i++)
        if (utf8_next(&p, end_of(set)) == c) return i;
    return -1;
}

SCALAR(sql_translate) {
    Str s = scalar_text(ev, &args[0]), from = scalar_text(ev, &args[1]), to = scalar_text(ev, &args[2]);
    char *room = scalar_room(ev, (uint64_t)s.n * 4);
    if (!room) return false;
    size_t used = 0;
    for (const char *p = s.p; p < end_of(s);) {
        int32_t c = utf8_next(&p, end_of(s));
        int64_t i = index_of(from, c);
        const char *with = i < 0 ? NULL : utf8_skip(to.p, end_of(to), i);
        if (i < 0) used += utf8_put(room + used, c);
        else if (with < end_of(to)) used += utf8_put(room + used, utf8_next(&with, end_of(to)));
    }
    return give(out, (Str){room, (uint32_t)used});
}

/* Argument i as text; an instant shows its zone, which only its static type tells. */
static Str argument_text(Eval *ev, const Expr *e, const Value *args, int i) {
    if (args[i].type != SQM_TIMESTAMP || scalar_arg_type(e, i).tag != TYPE_TIMESTAMPTZ) return scalar_text(ev, &args[i]);
    Value zoned = cast_zoned_text(ev->arena, args[i].u.i);
    return (Str){zoned.u.text, zoned.len};
}

/* Output form, in which booleans are t and f: what concat() and format() print. */
static Str output_text(Eval *ev, const Expr *e, const Value *args, int i) {
    if (args[i].type == SQM_BOOL) return args[i].u.b ? STR("t") : STR("f");
    return argument_text(ev, e, args, i);
}

/* The arguments from `from` on. */
static bool join(Eval *ev, const Expr *e, Str separator, const Value *args, int from, int n, Value *out) {
    Str *parts = NEW_ARRAY(ev->arena, Str, n ? n : 1);
    int count = 0;
    uint64_t size = 0;
    for (int i = from; i < n; i++) {
        if (args[i].type == SQM_NULL) continue;
        size += (parts[count++] = output_text(ev, e, args, i)).n + (uint64_t)separator.n;
    }
    char *room = scalar_room(ev, size), *p = room;
    if (!room) return false;
    for (int i = 0; i < count; i++) {
        if (i) memcpy(p, separator.p, separator.n), p += separator.n;
        memcpy(p, parts[i].p, parts[i].n);
        p += parts[i].n;
    }
    return give(out, slice(room, p));
}

SCALAR(sql_concat) { return join(ev, e, (Str){"", 0}, args, 0, n, out); }
SCALAR(sql_concat_ws) {
    if (args[0].type == SQM_NULL) return *out = sqm_null(), true;
    return join(ev, e, scalar_text(ev, &args[0]), args, 1, n, out);
}

/* ||: also of bytea, arrays and JSON. Untyped text beside JSON is JSON. NULL is an element or the empty array only beside an array. */
SCALAR(sql_concat_operator) {
    bool array = array_is(&args[0]) || array_is(&args[1]) || scalar_arg_type(e, 0).tag == TYPE_ARRAY || scalar_arg_type(e, 1).tag == TYPE_ARRAY;
    bool json = args[0].type == SQM_JSON || args[1].type == SQM_JSON;
    if (json && e->type.tag == TYPE_JSON) array = false;
    if (array && args[0].type != SQM_JSON && args[1].type != SQM_JSON) return sql_array_cat(ev, e, args, n, out);
    if (args[0].type == SQM_NULL || args[1].type == SQM_NULL) return *out = sqm_null(), true;
    if (json && e->type.tag != TYPE_TEXT) return sql_json_concat(ev, e, args, n, out);
    if (args[0].type == SQM_BYTES && args[1].type == SQM_BYTES) {
        char *room = scalar_room(ev, (uint64_t)args[0].len + args[1].len);
        if (!room) return false;
        memcpy(room, args[0].u.bytes, args[0].len);
        memcpy(room + args[0].len, args[1].u.bytes, args[1].len);
        return *out = bytes_value(room, args[0].len + args[1].len), true;
    }
    Str a = argument_text(ev, e, args, 0), b = argument_text(ev, e, args, 1);
    char *room = scalar_room(ev, (uint64_t)a.n + b.n);
    if (!room) return false;
    memcpy(room, a.p, a.n);
    memcpy(room + a.n, b.p, b.n);
    return give(out, (Str){room, a.n + b.n});
}

/* ---- trimming ---- */

static bool trim(Eval *ev, const Value *args, int n, bool left, bool right, Value *out) {
    if (args[0].type == SQM_BYTES && n > 1 && args[1].type == SQM_BYTES) {
        const uint8_t *p = args[0].u.bytes, *end = p + args[0].len;
        while (left && p < end && memchr(args[1].u.bytes, *p, args[1].len)) p++;
        while (right && p < end && memchr(args[1].u.bytes, end[-1], args[1].len)) end--;
        return *out = bytes_value(p, (size_t)(end - p)), true;
    }
    Str s = scalar_text(ev, &args[0]), set = n > 1 ? scalar_text(ev, &args[1]) : STR(" ");
    const char *p = s.p, *end = end_of(s);
    while (left && p < end) {
        const char *next = p;
        if (index_of(set, utf8_next(&next, end)) < 0) break;
        p = next;
    }
    while (right && p < end) {
        const char *last = end - 1, *from;
        while (last > p && ((unsigned char)*last & 0xC0) == 0x80) last--;
        from = last;
        if (index_of(set, utf8_next(&from, end)) < 0) break;
        end = last;
    }
    return give(out, slice(p, end));
}
SCALAR(sql_btrim) { return trim(ev, args, n, true, true, out); }
SCALAR(sql_ltrim) { return trim(ev, args, n, true, false, out); }
SCALAR(sql_rtrim) { return trim(ev, args, n, false, true, out); }

/* ---- characters and numbers ---- */

SCALAR(sql_ascii) {
    Str s = scalar_text(ev, &args[0]);
    const char *p = s.p;
    int32_t c = s.n ? utf8_next(&p, end_of(s)) : 0;
    return *out = sqm_int(c), true;
}

SCALAR(sql_chr) {
    int64_t c;
    if (!scalar_int(ev, &args[0], &c)) return false;
    if (c == 0) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "null character not permitted");
    if (c < 0 || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "requested character too large for encoding: %lld", (long long)c);
    char *room = arena_alloc(ev->arena, 4);
    return give(out, (Str){room, (uint32_t)utf8_put(room, (int32_t)c)});
}

SCALAR(sql_to_hex) {
    int64_t i;
    if (!scalar_int(ev, &args[0], &i)) return false;
    /* integer is 32 bits wide: to_hex(-1) is ffffffff */
    Type t = scalar_arg_type(e, 0);
    bool narrow = i < 0 && i >= INT32_MIN && (t.tag == TYPE_INT4 || t.tag == TYPE_INT2);
    return give(out, arena_printf(ev->arena, "%llx", narrow ? (unsigned long long)(uint32_t)i : (unsigned long long)i));
}

/* ---- digests and encodings ---- */

static Str hex_of(Arena *arena, const uint8_t *p, size_t n) {
    char *room = arena_alloc(arena, n * 2 + 1);
    for (size_t i = 0; i < n; i++) {
        room[2 * i] = "0123456789abcdef"[p[i] >> 4];
        room[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
    }
    return (Str){room, (uint32_t)n * 2};
}

static bool digest(Eval *ev, const Value *v, const EVP_MD *algorithm, bool always_hex, Value *out) {
    bool bytes = v->type == SQM_BYTES;
    Str s = bytes ? (Str){(const char *)v->u.bytes, v->len} : scalar_text(ev, v);
    uint8_t *sum = arena_alloc(ev->arena, EVP_MAX_MD_SIZE);
    unsigned length = 0;
    if (!EVP_Digest(s.n ? s.p : "", s.n, sum, &length, algorithm, NULL)) return scalar_fail(ev, SQM_ERROR_NOT_SUPPORTED, "the digest %s is disabled on this system", EVP_MD_get0_name(algorithm));
    if (bytes && !always_hex) return *out = bytes_value(sum, length), true;
    return give(out, hex_of(ev->arena, sum, length));
}
SCALAR(sql_md5) { return digest(ev, &args[0], EVP_md5(), true, out); }
SCALAR(sql_sha1) { return digest(ev, &args[0], EVP_sha1(), false, out); }
SCALAR(sql_sha224) { return digest(ev, &args[0], EVP_sha224(), false, out); }
SCALAR(sql_sha256) { return digest(ev, &args[0], EVP_sha256(), false, out); }
SCALAR(sql_sha384) { return digest(ev, &args[0], EVP_sha384(), false, out); }
SCALAR(sql_sha512) { return digest(ev, &args[0], EVP_sha512(), false, out); }

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Lines of 76 characters, as in MIME: what PostgreSQL's encode() makes. */
static bool encode_base64(Eval *ev, const uint8_t *p, size_t n, Value *out) {
    char *room = scalar_room(ev, ((uint64_t)n + 2) / 3 * 4 + n / 57 + 1), *o = room;
    if (!room) return false;
    for (size_t i = 0; i < n; i += 3) {
        if (i && i % 57 == 0) *o++ = '\n';
        uint32_t bits = (uint32_t)p[i] << 16 | (i + 1 < n ? p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
        *o++ = base64_digits[bits >> 18];
        *o++ = base64_digits[bits >> 12 & 63];
        *o++ = i + 1 < n ? base64_digits[bits >> 6 & 63] : '=';
        *o++ = i + 2 < n ? base64_digits[bits & 63] : '=';
    }
    return give(out, slice(room, o));
}

static bool decode_base64(Eval *ev, Str s, Value *out) {
    uint8_t *room = arena_alloc(ev->arena, s.n / 4 * 3 + 4), *o = room;
    uint32_t bits = 0;
    int have = 0, padding = 0;
    for (uint32_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
        const char *digit = c && c != '=' ? strchr(base64_digits, c) : NULL;
        if ((!digit && c != '=') || (digit && padding)) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "invalid symbol found while decoding base64 sequence");
        padding += !digit;
        bits = bits << 6 | (digit ? (uint32_t)(digit - base64_digits) : 0);
        if (++have == 4) {
            if (padding > 2) break;
            *o++ = (uint8_t)(bits >> 16);
            if (padding < 2) *o++ = (uint8_t)(bits >> 8);
            if (padding < 1) *o++ = (uint8_t)bits;
            have = 0;
            bits = 0;
        }
    }
    if (have || padding > 2) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "invalid base64 end sequence");
    return *out = bytes_value(room, (size_t)(o - room)), true;
}

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

static bool decode_hex(Eval *ev, Str s, Value *out) {
    uint8_t *room = arena_alloc(ev->arena, s.n / 2 + 1);
    size_t used = 0;
    for (uint32_t i = 0; i < s.n;) {
        if (s.p[i] == ' ' || s.p[i] == '\n' || s.p[i] == '\t' || s.p[i] == '\r') {
            i++;
            continue;
        }
        int high = hex_digit(s.p[i]), low = i + 1 < s.n ? hex_digit(s.p[i + 1]) : -1;
        if (high < 0 || low < 0) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, i + 1 == s.n ? "invalid hexadecimal data: odd number of digits" : "invalid hexadecimal digit");
        room[used++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    return *out = bytes_value(room, used), true;
}

SCALAR(sql_encode) {
    Str format = scalar_text(ev, &args[1]);
    const uint8_t *p = args[0].u.bytes;
    if (args[0].type != SQM_BYTES) {
        Str s = scalar_text(ev, &args[0]);
        p = (const uint8_t *)s.p;
        if (args[0].type != SQM_TEXT) return scalar_fail(ev, SQM_ERROR_DATATYPE_MISMATCH, "encode() needs bytea");
    }
    size_t length = args[0].len;
    if (str_ieq(format, STR("hex"))) return give(out, hex_of(ev->arena, p, length));
    if (str_ieq(format, STR("base64"))) return encode_base64(ev, p, length, out);
    if (!str_ieq(format, STR("escape"))) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "unrecognized encoding: \"" STR_FMT "\"", STR_ARG(format));
    char *room = scalar_room(ev, (uint64_t)length * 4), *o = room;
    if (!room) return false;
    for (size_t i = 0; i < length; i++) {
        if (p[i] == 0 || p[i] >= 128) o += sprintf(o, "\\%03o", p[i]);
        else if (p[i] == '\\') *o++ = '\\', *o++ = '\\';
        else *o++ = (char)p[i];
    }
    return give(out, slice(room, o));
}

SCALAR(sql_decode) {
    Str s = scalar_text(ev, &args[0]), format = scalar_text(ev, &args[1]);
    if (str_ieq(format, STR("hex"))) return decode_hex(ev, s, out);
    if (str_ieq(format, STR("base64"))) return decode_base64(ev, s, out);
    if (!str_ieq(format, STR("escape"))) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "unrecognized encoding: \"" STR_FMT "\"", STR_ARG(format));
    uint8_t *room = arena_alloc(ev->arena, s.n + 1u);
    size_t used = 0;
    for (uint32_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\\') room[used++] = (uint8_t)s.p[i];
        else if (i + 1 < s.n && s.p[i + 1] == '\\') room[used++] = '\\', i++;
        else if (i + 3 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '3' && s.p[i + 2] >= '0' && s.p[i + 2] <= '7' && s.p[i + 3] >= '0' && s.p[i + 3] <= '7') {
            room[used++] = (uint8_t)((s.p[i + 1] - '0') << 6 | (s.p[i + 2] - '0') << 3 | (s.p[i + 3] - '0'));
            i += 3;
        } else return scalar_fail(ev, SQM_ERROR_INVALID_TEXT, "invalid input syntax for type bytea");
    }
    return *out = bytes_value(room, used), true;
}

/* convert_to/convert_from: only UTF8 exists here. */
static bool is_utf8_name(Eval *ev, const Value *v) {
    Str s = scalar_text(ev, v);
    return str_ieq(s, STR("UTF8")) || str_ieq(s, STR("UTF-8")) || scalar_fail(ev, SQM_ERROR_NOT_SUPPORTED, "encoding \"" STR_FMT "\" is not supported", STR_ARG(s));
}
SCALAR(sql_convert_to) {
    if (!is_utf8_name(ev, &args[1])) return false;
    Str s = scalar_text(ev, &args[0]);
    return *out = bytes_value(s.p, s.n), true;
}
SCALAR(sql_convert_from) {
    if (!is_utf8_name(ev, &args[1])) return false;
    if (args[0].type != SQM_BYTES) return scalar_fail(ev, SQM_ERROR_DATATYPE_MISMATCH, "convert_from() needs bytea");
    Str s = {(const char *)args[0].u.bytes, args[0].len};
    if (!bson_utf8_validate(s.p, s.n, false)) return scalar_fail(ev, SQM_ERROR_INVALID_TEXT, "invalid byte sequence for encoding \"UTF8\"");
    return give(out, s);
}

/* ---- quoting ---- */

static Str quote(Arena *arena, Str s, char mark) {
    char *room = arena_alloc(arena, (size_t)s.n * 2 + 4), *o = room;
    bool escape = mark == '\'' && memchr(s.p, '\\', s.n);
    if (escape) *o++ = 'E';
    *o++ = mark;
    for (uint32_t i = 0; i < s.n; i++) {
        if (s.p[i] == mark || (escape && s.p[i] == '\\')) *o++ = s.p[i];
        *o++ = s.p[i];
    }
    *o++ = mark;
    return slice(room, o);
}

static Str quote_identifier(Arena *arena, Str s) {
    bool plain = s.n > 0 && (s.p[0] == '_' || (s.p[0] >= 'a' && s.p[0] <= 'z'));
    for (uint32_t i = 0; plain && i < s.n; i++) plain = s.p[i] == '_' || (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9');
    plain = plain && !lex_is_reserved(s);
    return plain ? s : quote(arena, s, '"');
}

SCALAR(sql_quote_literal) { return give(out, quote(ev->arena, scalar_text(ev, &args[0]), '\'')); }
SCALAR(sql_quote_ident) { return give(out, quote_identifier(ev->arena, scalar_text(ev, &args[0]))); }
SCALAR(sql_quote_nullable) { return give(out, args[0].type == SQM_NULL ? STR("NULL") : quote(ev->arena, scalar_text(ev, &args[0]), '\'')); }

/* One %-directive: [position$][-][width]type. args[0] is the format itself; *next counts from 1. */
static bool format_one(Eval *ev, const Expr *e, Text *t, const char **p, const char *end, const Value *args, int n, int *next) {
    int64_t number = 0, width = 0;
    bool left = false, digits = false;
    const char *q = *p;
    for (; q < end && *q >= '0' && *q <= '9' && number < 100000; q++) number = number * 10 + (*q - '0'), digits = true;
    int argument = 0;
    if (digits && q < end && *q == '$') {
        if (number == 0) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "format specifies argument 0, but arguments are numbered from 1");
        argument = (int)number;
        q++;
        digits = false;
        number = 0;
    }
    if (!digits) {
        for (; q < end && *q == '-'; q++) left = true;
        if (q < end && *q == '*') {
            q++;
            if (*next >= n) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "too few arguments for format()");
            if (args[*next].type != SQM_NULL && !scalar_int(ev, &args[*next], &width)) return false;
            ++*next;
        } else
            for (; q < end && *q >= '0' && *q <= '9' && width < 100000; q++) width = width * 10 + (*q - '0');
    } else width = number;
    if (width < 0) left = true, width = -width;
    if (q >= end) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "unterminated format() type specifier");
    char kind = *q++;
    *p = q;
    if (kind != 's' && kind != 'I' && kind != 'L') return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "unrecognized format() type specifier \"%.*s\"", (int)(utf8_skip(q - 1, end, 1) - (q - 1)), q - 1);
    if (!argument) argument = *next;
    if (argument >= n) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "too few arguments for format()");
    *next = argument + 1;
    const Value *v = &args[argument];
    if (v->type == SQM_NULL && kind == 'I') return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "null values cannot be formatted as an SQL identifier");
    Str s = v->type == SQM_NULL ? (kind == 'L' ? STR("NULL") : (Str){"", 0}) : output_text(ev, e, args, argument);
    if (v->type != SQM_NULL && kind == 'L') s = quote(ev->arena, s, '\'');
    if (kind == 'I') s = quote_identifier(ev->arena, s);
    int64_t missing = width - (int64_t)utf8_length(s);
    if (missing > 1 << 20) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "format() width is too large");
    if (!left) for (int64_t i = 0; i < missing; i++) text_add(t, " ", 1);
    text_add(t, s.p, s.n);
    if (left) for (int64_t i = 0; i < missing; i++) text_add(t, " ", 1);
    return true;
}

SCALAR(sql_format) {
    if (args[0].type == SQM_NULL) return *out = sqm_null(), true;
    Str s = scalar_text(ev, &args[0]);
    Text t = {.arena = ev->arena};
    int next = 1;
    for (const char *p = s.p; p < end_of(s);) {
        const char *percent = memchr(p, '%', (size_t)(end_of(s) - p));
        text_add(&t, p, (size_t)((percent ? percent : end_of(s)) - p));
        if (!percent) break;
        p = percent + 1;
        if (p < end_of(s) && *p == '%') text_add(&t, p++, 1);
        else if (!format_one(ev, e, &t, &p, end_of(s), args, n, &next)) return false;
    }
    return give(out, (Str){t.p ? t.p : "", (uint32_t)t.n});
}

/* ---- the rest ---- */

SCALAR(sql_gen_random_uuid) {
    uint8_t *id = arena_alloc(ev->arena, 16);
    if (getentropy(id, 16) != 0) return scalar_fail(ev, SQM_ERROR_INTERNAL, "no random numbers from the system");
    id[6] = (uint8_t)((id[6] & 0x0F) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3F) | 0x80);
    *out = (Value){.type = SQM_UUID, .len = 16, .u.bytes = id};
    return true;
}

/* Milliseconds since 1970, the fraction of the millisecond in the 12 bits after the version, and random: what is generated later in a process sorts later.
 * With an interval the time is shifted by it. */
SCALAR(sql_uuidv7) {
    static _Atomic int64_t latest;
    enum { STEP = 1000000 / 4096 + 1 };         /* nanoseconds that change the fraction */
    struct timespec t;
    uint8_t *id = arena_alloc(ev->arena, 16);
    if (n > 0 && args[0].type != SQM_INTERVAL) return scalar_fail(ev, SQM_ERROR_UNDEFINED_FUNCTION, "function uuidv7(%s) does not exist", value_type_name(&args[0]));
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t before = atomic_load(&latest), now;
    do {
        now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
        if (now < before + STEP) now = before + STEP;
    } while (!atomic_compare_exchange_weak(&latest, &before, now));
    int64_t usec = now / 1000;
    if (n > 0 && __builtin_add_overflow(usec, args[0].u.i, &usec)) return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "interval out of range");
    int64_t ms = usec / 1000, fraction = (usec % 1000 * 1000 + now % 1000) * 4096 / 1000000;
    if (usec < 0 || ms >= (int64_t)1 << 48) return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "a UUID of version 7 can't hold this time");
    if (getentropy(id, 16) != 0) return scalar_fail(ev, SQM_ERROR_INTERNAL, "no random numbers from the system");
    for (int i = 0; i < 6; i++) id[i] = (uint8_t)(ms >> (40 - 8 * i));
    id[6] = (uint8_t)(0x70 | fraction >> 8);
    id[7] = (uint8_t)fraction;
    id[8] = (uint8_t)((id[8] & 0x3F) | 0x80);
    *out = (Value){.type = SQM_UUID, .len = 16, .u.bytes = id};
    return true;
}

SCALAR(sql_version) { return give(out, STR("djongo " SQM_VERSION)); }

/* grouping(mask, key, key ...), as resolve_group.c writes it. */
SCALAR(sql_grouping) {
    int64_t bits = 0;
    for (int i = 1; i < n; i++) bits = bits << 1 | (args[0].u.i >> args[i].u.i & 1);
    return *out = sqm_int(bits), true;
}

SCALAR(sql_pg_typeof) {
    char *name = arena_alloc(ev->arena, 64);
    Type t = scalar_arg_type(e, 0);
    return give(out, str_from(type_text(t.tag == TYPE_UNKNOWN ? cast_natural_type(&args[0]) : t, name, 64)));
}
