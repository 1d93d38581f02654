/* function_regex.c - functions that search and replace by regular expressions.
 *
 * Patterns and their dialect are pattern.c's. Flags are PostgreSQL's letters: g all matches, i case-insensitive, n or m newline-sensitive, s not so (the
 * default), x extended, q literal; c case-sensitive. Where the pattern has groups, the first group is "the" match of substring(s, p), and
 * regexp_match() gives them all:
 *     regexp_replace('abc', '(b)', '<\1>') = 'a<b>c'        regexp_match('k=v', '(\w)=(\w)') = {k,v}        substring('foobar', 'o(.)b') = 'o'
 * regexp_matches() and regexp_split_to_table() return rows and belong in FROM. */
#include "pattern.h"
#include "scalar.h"

static bool read_flags(Eval *ev, Str letters, unsigned *flags, bool *all) {
    *flags = 0;
    if (all) *all = false;
    for (uint32_t i = 0; i < letters.n; i++) {
        switch (letters.p[i]) {
        case 'g':
            if (!all) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "this function does not support the \"global\" option");
            *all = true;
            break;
        case 'i': *flags |= REGEX_IGNORE_CASE; break;
        case 'c': *flags &= ~REGEX_IGNORE_CASE; break;
        case 'm': case 'n': *flags |= REGEX_NEWLINE; break;
        case 's': *flags &= ~REGEX_NEWLINE; break;
        case 'x': *flags |= REGEX_EXTENDED; break;
        case 't': *flags &= ~REGEX_EXTENDED; break;
        case 'q': *flags |= REGEX_LITERAL; break;
        default: return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "invalid regular expression options: \"%.*s\"", str_clip(letters, 20), letters.p);
        }
    }
    return true;
}

/* Text, pattern and the flags in args[flags_at], if given. */
static bool read_arguments(Eval *ev, const Value *args, int n, int flags_at, Str *text, Str *pattern, unsigned *flags, bool *all) {
    *text = scalar_text(ev, &args[0]);
    *pattern = scalar_text(ev, &args[1]);
    return read_flags(ev, n > flags_at ? scalar_text(ev, &args[flags_at]) : (Str){"", 0}, flags, all);
}

static Str group(Str text, const RegexMatch *m, int i) { return (Str){text.p + m->at[2 * i], (uint32_t)(m->at[2 * i + 1] - m->at[2 * i])}; }
static bool took_part(const RegexMatch *m, int i) { return i < m->groups && m->at[2 * i] != SIZE_MAX; }

/* Where to search after a match: behind it, and one character on when it was empty. */
static size_t after(Str text, const RegexMatch *m) {
    size_t end = m->at[1];
    if (end > m->at[0]) return end;
    return end >= text.n ? (size_t)text.n + 1 : (size_t)(utf8_skip(text.p + end, text.p + text.n, 1) - text.p);
}

static void add_replacement(Text *t, Str text, Str with, const RegexMatch *m) {
    for (uint32_t i = 0; i < with.n; i++) {
        char c = with.p[i], next = i + 1 < with.n ? with.p[i + 1] : 0;
        int which = c != '\\' ? -1 : next == '&' ? 0 : next >= '1' && next <= '9' ? next - '0' : -1;
        if (which >= 0) {
            if (took_part(m, which)) text_add(t, group(text, m, which).p, group(text, m, which).n);
            i++;
        } else if (c == '\\' && next == '\\') {
            text_add(t, "\\", 1);
            i++;
        } else text_add(t, &with.p[i], 1);
    }
}

SCALAR(sql_regexp_replace) {
    Str text, pattern, with = scalar_text(ev, &args[2]);
    unsigned flags;
    bool all, found = true;
    if (!read_arguments(ev, args, n, 3, &text, &pattern, &flags, &all)) return false;
    Text t = {.arena = ev->arena};
    size_t from = 0, copied = 0;
    while (from <= text.n) {
        RegexMatch m;
        if (!regex_search(text, from, pattern, flags, &found, &m, ev->error)) return false;
        if (!found) break;
        text_add(&t, text.p + copied, m.at[0] - copied);
        add_replacement(&t, text, with, &m);
        if (t.n > 64u << 20) return scalar_fail(ev, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, "result of text function is too long");
        copied = m.at[1];
        if (!all) break;
        from = after(text, &m);
    }
    text_add(&t, text.p + copied, text.n - copied);
    return *out = scalar_from_text((Str){t.p ? t.p : "", (uint32_t)t.n}), true;
}

SCALAR(sql_regexp_match) {
    Str text, pattern;
    unsigned flags;
    bool found;
    RegexMatch m;
    if (!read_arguments(ev, args, n, 2, &text, &pattern, &flags, NULL) || !regex_search(text, 0, pattern, flags, &found, &m, ev->error)) return false;
    *out = sqm_null();
    if (!found) return true;
    int first = m.groups > 1 ? 1 : 0, count = m.groups > 1 ? m.groups - 1 : 1;
    Value *items = NEW_ARRAY(ev->arena, Value, count);
    for (int i = 0; i < count; i++) items[i] = took_part(&m, first + i) ? scalar_from_text(group(text, &m, first + i)) : sqm_null();
    *out = array_new(items, count);
    return true;
}

/* substring(s FROM pattern): the first group, or the whole match when there is none. */
SCALAR(sql_regexp_substr) {
    Str text = scalar_text(ev, &args[0]), pattern = scalar_text(ev, &args[1]);
    bool found;
    RegexMatch m;
    if (!regex_search(text, 0, pattern, 0, &found, &m, ev->error)) return false;
    int which = m.groups > 1 ? 1 : 0;
    *out = found && took_part(&m, which) ? scalar_from_text(group(text, &m, which)) : sqm_null();
    return true;
}

/* regexp_substr(s, pattern): the whole match. */
SCALAR(sql_regexp_whole) {
    Str text = scalar_text(ev, &args[0]), pattern = scalar_text(ev, &args[1]);
    bool found;
    RegexMatch m;
    if (!regex_search(text, 0, pattern, 0, &found, &m, ev->error)) return false;
    *out = found ? scalar_from_text(group(text, &m, 0)) : sqm_null();
    return true;
}

SCALAR(sql_regexp_like) {
    Str text, pattern;
    unsigned flags;
    bool found;
    if (!read_arguments(ev, args, n, 2, &text, &pattern, &flags, NULL) || !regex_search(text, 0, pattern, flags, &found, NULL, ev->error)) return false;
    return *out = sqm_bool(found), true;
}

/* regexp_count(s, p [, start [, flags]]) */
SCALAR(sql_regexp_count) {
    Str text, pattern;
    unsigned flags;
    int64_t start = 1, count = 0;
    if (!read_arguments(ev, args, n, 3, &text, &pattern, &flags, NULL) || (n > 2 && !scalar_int(ev, &args[2], &start))) return false;
    if (start < 1) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "invalid value for parameter \"start\": %lld", (long long)start);
    size_t from = start - 1 > (int64_t)text.n ? (size_t)text.n + 1 : (size_t)(utf8_skip(text.p, text.p + text.n, start - 1) - text.p);
    while (from <= text.n) {
        bool found;
        RegexMatch m;
        if (!regex_search(text, from, pattern, flags, &found, &m, ev->error)) return false;
        if (!found) break;
        count++;
        from = after(text, &m);
    }
    return *out = sqm_int(count), true;
}

/* Empty matches at the ends and right behind the last match split nothing. */
SCALAR(sql_regexp_split_to_array) {
    Str text, pattern;
    unsigned flags;
    VEC(Value) items = {0};
    size_t from = 0, begin = 0;
    if (!read_arguments(ev, args, n, 2, &text, &pattern, &flags, NULL)) return false;
    while (from <= text.n) {
        bool found;
        RegexMatch m;
        if (!regex_search(text, from, pattern, flags, &found, &m, ev->error)) return false;
        if (!found) break;
        from = after(text, &m);
        if (m.at[0] == m.at[1] && (m.at[0] == begin || m.at[0] >= text.n)) continue;
        vec_push(ev->arena, &items, scalar_from_text((Str){text.p + begin, (uint32_t)(m.at[0] - begin)}));
        begin = m.at[1];
    }
    vec_push(ev->arena, &items, scalar_from_text((Str){text.p + begin, text.n - (uint32_t)begin}));
    *out = array_new(items.at, items.n);
    return true;
}
