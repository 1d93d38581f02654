/* function_format.c - to_char(), to_date() and to_timestamp() with their template patterns.
 *
 * A date template is cut into fields (longest name first, case-insensitively; FM before and TH after are modifiers) and other text, which is copied or
 * skipped; "quoted" text is never a field. Names of months and days are English. Numbers are rounded half away from zero to the digits the template has.
 *     to_char(ts, 'FMDay, DD "of" Month YYYY')    to_char(1234.5, 'FM9G999D00') = '1,234.50'    to_date('05 Dec 2000', 'DD Mon YYYY')
 * Patterns that aren't known here (EEEE, V, RN, L, TM, FX, B.C. ...) are refused, not copied. */
#include <stdio.h>

#include "datetime.h"
#include "decimal.h"
#include "pattern.h"
#include "scalar.h"

/* ---- templates of dates ---- */

typedef enum Field {
    F_TEXT, F_YYYY, F_Y_YYY, F_YYY, F_YY, F_Y, F_IYYY, F_IYY, F_IY, F_I, F_MONTH, F_MON, F_MM, F_DAY, F_DY, F_DDD, F_DD, F_D, F_IDDD, F_ID, F_WW, F_W, F_IW, F_Q,
    F_CC, F_J, F_HH24, F_HH12, F_MI, F_SS, F_SSSS, F_MS, F_US, F_FF, F_AM, F_A_M, F_AD, F_TZ, F_OF, F_TZH, F_TZM, F_REFUSED
} Field;

static const struct { char name[8]; Field field; } field_names[] = {
    {"SSSSS", F_SSSS}, {"Y,YYY", F_Y_YYY}, {"MONTH", F_MONTH}, {"YYYY", F_YYYY}, {"IYYY", F_IYYY}, {"IDDD", F_IDDD}, {"HH24", F_HH24}, {"HH12", F_HH12},
    {"SSSS", F_SSSS},  {"A.M.", F_A_M},    {"P.M.", F_A_M},    {"A.D.", F_REFUSED}, {"B.C.", F_REFUSED}, {"YYY", F_YYY}, {"IYY", F_IYY}, {"DDD", F_DDD},
    {"DAY", F_DAY},    {"MON", F_MON},     {"TZH", F_TZH},     {"TZM", F_TZM},   {"FF1", F_FF},    {"FF2", F_FF},    {"FF3", F_FF},    {"FF4", F_FF},
    {"FF5", F_FF},     {"FF6", F_FF},      {"YY", F_YY},       {"IY", F_IY},     {"MM", F_MM},     {"MI", F_MI},     {"DD", F_DD},     {"DY", F_DY},
    {"ID", F_ID},      {"IW", F_IW},       {"WW", F_WW},       {"CC", F_CC},     {"HH", F_HH12},   {"SS", F_SS},     {"MS", F_MS},     {"US", F_US},
    {"AM", F_AM},      {"PM", F_AM},       {"AD", F_AD},       {"BC", F_AD},     {"TZ", F_TZ},     {"OF", F_OF},     {"RM", F_REFUSED}, {"TM", F_REFUSED},
    {"FX", F_REFUSED}, {"SP", F_REFUSED},  {"Y", F_Y},         {"I", F_I},       {"D", F_D},       {"W", F_W},       {"Q", F_Q},       {"J", F_J},
};

typedef struct Token { Field field; Str text; bool fill; char suffix; } Token;   /* fill: FM was given; suffix: 'T' for TH, 't' for th */

static bool starts_ieq(const char *p, const char *end, const char *word) {
    size_t n = strlen(word);
    return (size_t)(end - p) >= n && str_ieq((Str){p, (uint32_t)n}, (Str){word, (uint32_t)n});
}

/* The next field or piece of text of the template. */
static Token next_token(const char **at, const char *end) {
    Token t = {F_TEXT, {*at, 0}, false, 0};
    if (starts_ieq(*at, end, "FM")) {
        t.fill = true;
        *at += 2;
    }
    const char *p = *at;
    if (p == end) return t;
    for (size_t i = 0; i < sizeof field_names / sizeof *field_names; i++) {
        if (!starts_ieq(p, end, field_names[i].name)) continue;
        t.field = field_names[i].field;
        t.text = (Str){p, (uint32_t)strlen(field_names[i].name)};
        p += t.text.n;
        if (starts_ieq(p, end, "TH")) {
            t.suffix = p[0] == 't' ? 't' : 'T';
            p += 2;
        }
        *at = p;
        return t;
    }
    if (*p == '"') {
        const char *close = ++p;
        while (close < end && *close != '"') close += *close == '\\' && close + 1 < end ? 2 : 1;
        t.text = (Str){p, (uint32_t)(close - p)};
        *at = close < end ? close + 1 : end;
        return t;
    }
    if (*p == '\\' && p + 1 < end && p[1] == '"') p++;
    t.text = (Str){p, 1};
    *at = p + 1;
    return t;
}

static const char months[12][10] = {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"};
static const char weekdays[7][10] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

static bool refuse(Eval *ev, const char *function, Str pattern) { return scalar_fail(ev, SQM_ERROR_NOT_SUPPORTED, "%s(): the pattern \"" STR_FMT "\" is not supported", function, STR_ARG(pattern)); }

/* A name in the case of its pattern: MONTH, Month, month. Padded to `width`. */
static void add_name(Text *t, const char *name, size_t n, Str pattern, size_t width) {
    bool first_upper = pattern.p[0] >= 'A' && pattern.p[0] <= 'Z', second_upper = pattern.p[1] >= 'A' && pattern.p[1] <= 'Z';
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        if (c >= 'A' && c <= 'Z' && !first_upper) c = (char)(c + 32);
        if (c >= 'a' && c <= 'z' && first_upper && second_upper) c = (char)(c - 32);
        text_add(t, &c, 1);
    }
    for (; n < width; n++) text_add(t, " ", 1);
}

static const char *ordinal(int64_t i, bool upper) {
    int64_t tens = i % 100 / 10, ones = i % 10;
    const char *s = tens == 1 ? "th" : ones == 1 ? "st" : ones == 2 ? "nd" : ones == 3 ? "rd" : "th";
    return !upper ? s : s[0] == 's' ? "ST" : s[0] == 'n' ? "ND" : s[0] == 'r' ? "RD" : "TH";
}

static void add_number(Text *t, const Token *k, int64_t value, int width) {
    text_addf(t, "%0*lld", k->fill ? 0 : width, (long long)value);
    if (k->suffix) text_adds(t, ordinal(value, k->suffix == 'T'));
}

static bool add_field(Eval *ev, Text *t, const Token *k, int64_t day, const Civil *c, bool zoned) {
    int iso_year, hour12 = c->hour % 12 ? c->hour % 12 : 12, week = date_iso_week(day, &iso_year), weekday = date_iso_weekday(day);
    int64_t day_of_year = day - date_from_civil(c->year, 1, 1) + 1;
    switch (k->field) {
    case F_TEXT:
        for (uint32_t i = 0; i < k->text.n; i++)
            if (k->text.p[i] != '\\' || k->text.n == 1 || ++i < k->text.n) text_add(t, k->text.p + i, 1);
        return true;
    case F_YYYY: add_number(t, k, c->year, 4); return true;
    case F_Y_YYY:
        text_addf(t, "%d,%03d", c->year / 1000, c->year % 1000);
        return true;
    case F_YYY: add_number(t, k, c->year % 1000, 3); return true;
    case F_YY: add_number(t, k, c->year % 100, 2); return true;
    case F_Y: add_number(t, k, c->year % 10, 1); return true;
    case F_IYYY: add_number(t, k, iso_year, 4); return true;
    case F_IYY: add_number(t, k, iso_year % 1000, 3); return true;
    case F_IY: add_number(t, k, iso_year % 100, 2); return true;
    case F_I: add_number(t, k, iso_year % 10, 1); return true;
    case F_MONTH: add_name(t, months[c->month - 1], strlen(months[c->month - 1]), k->text, k->fill ? 0 : 9); return true;
    case F_MON: add_name(t, months[c->month - 1], 3, k->text, 0); return true;
    case F_MM: add_number(t, k, c->month, 2); return true;
    case F_DAY: add_name(t, weekdays[weekday - 1], strlen(weekdays[weekday - 1]), k->text, k->fill ? 0 : 9); return true;
    case F_DY: add_name(t, weekdays[weekday - 1], 3, k->text, 0); return true;
    case F_DDD: add_number(t, k, day_of_year, 3); return true;
    case F_DD: add_number(t, k, c->day, 2); return true;
    case F_D: add_number(t, k, weekday % 7 + 1, 1); return true;
    case F_IDDD: add_number(t, k, (week - 1) * 7 + weekday, 3); return true;
    case F_ID: add_number(t, k, weekday, 1); return true;
    case F_WW: add_number(t, k, (day_of_year - 1) / 7 + 1, 2); return true;
    case F_W: add_number(t, k, (c->day - 1) / 7 + 1, 1); return true;
    case F_IW: add_number(t, k, week, 2); return true;
    case F_Q: add_number(t, k, (c->month - 1) / 3 + 1, 1); return true;
    case F_CC: add_number(t, k, (c->year + 99) / 100, 2); return true;
    case F_J: add_number(t, k, day + 2440588, 1); return true;
    case F_HH24: add_number(t, k, c->hour, 2); return true;
    case F_HH12: add_number(t, k, hour12, 2); return true;
    case F_MI: add_number(t, k, c->minute, 2); return true;
    case F_SS: add_number(t, k, c->second, 2); return true;
    case F_SSSS: add_number(t, k, c->hour * 3600 + c->minute * 60 + c->second, 1); return true;
    case F_MS: add_number(t, &(Token){.suffix = k->suffix}, c->usec / 1000, 3); return true;
    case F_US: add_number(t, &(Token){.suffix = k->suffix}, c->usec, 6); return true;
    case F_FF: {
        int digits = k->text.p[2] - '0', value = c->usec;
        for (int i = digits; i < 6; i++) value /= 10;
        text_addf(t, "%0*d", digits, value);
        return true;
    }
    case F_AM: case F_A_M: {
        char mark[5] = {c->hour < 12 ? 'A' : 'P', 'M', 0}, dotted[5] = {mark[0], '.', 'M', '.', 0};
        bool lower = k->text.p[0] >= 'a';
        const char *s = k->field == F_AM ? mark : dotted;
        for (; *s; s++) text_addf(t, "%c", lower && *s >= 'A' && *s <= 'Z' ? *s + 32 : *s);
        return true;
    }
    case F_AD: text_adds(t, k->text.p[0] >= 'a' ? "ad" : "AD"); return true;
    case F_TZ:
        if (zoned) text_adds(t, k->text.p[0] >= 'a' ? "utc" : "UTC");
        return true;
    case F_OF: text_adds(t, "+00"); return true;
    case F_TZH: text_adds(t, "+00"); return true;
    case F_TZM: text_adds(t, "00"); return true;
    case F_REFUSED: break;
    }
    return refuse(ev, "to_char", k->text);
}

/* An interval has days and a clock; everything of the calendar is refused. */
static bool is_clock_field(Field f) { return f == F_TEXT || f == F_DD || f == F_HH24 || f == F_HH12 || f == F_MI || f == F_SS || f == F_SSSS || f == F_MS || f == F_US || f == F_FF || f == F_AM || f == F_A_M; }

/* to_char(moment or number, template) */
SCALAR(sql_to_char) {
    Value v = args[0];
    Str format = scalar_text(ev, &args[1]);
    if (v.type == SQM_TEXT && !cast_value(ev, &args[0], TYPE(TIMESTAMPTZ), &v)) return false;
    if (v.type == SQM_INT || v.type == SQM_DOUBLE || v.type == SQM_DECIMAL) return format_number(ev, &v, format, out);
    bool calendar = v.type == SQM_DATE || v.type == SQM_TIMESTAMP, zoned = v.type == SQM_DATE || (v.type == SQM_TIMESTAMP && scalar_arg_type(e, 0).tag != TYPE_TIMESTAMP);
    if (!calendar && v.type != SQM_INTERVAL && v.type != SQM_TIME) return scalar_fail(ev, SQM_ERROR_UNDEFINED_FUNCTION, "function to_char(%s, text) does not exist", value_type_name(&v));
    if (v.type == SQM_INTERVAL && v.u.i < 0) return scalar_fail(ev, SQM_ERROR_NOT_SUPPORTED, "to_char() of a negative interval is not supported");
    int64_t day = v.type == SQM_DATE ? v.u.i : timestamp_day(v.u.i);
    Civil c = timestamp_to_civil(v.type == SQM_DATE ? v.u.i * USEC_DAY : v.u.i);
    if (!calendar) c.day = (int)day;
    if (!format.n) return *out = sqm_null(), true;
    Text t = {.arena = ev->arena};
    for (const char *p = format.p, *end = p + format.n; p < end;) {
        Token k = next_token(&p, end);
        if (!calendar && !is_clock_field(k.field)) return refuse(ev, "to_char", k.text);
        if (!add_field(ev, &t, &k, day, &c, zoned)) return false;
    }
    return *out = scalar_from_text((Str){t.p ? t.p : "", (uint32_t)t.n}), true;
}

/* ---- reading by a template ---- */

typedef struct Parsing { const char *p, *end; int64_t value[F_REFUSED]; bool seen[F_REFUSED]; bool pm, meridiem; } Parsing;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static int field_width(Field f) {
    switch (f) {
    case F_YYYY: return 4;
    case F_YYY: case F_DDD: case F_MS: return 3;
    case F_YY: case F_MM: case F_DD: case F_HH24: case F_HH12: case F_MI: case F_SS: return 2;
    case F_Y: return 1;
    case F_SSSS: return 5;
    case F_US: return 6;
    case F_J: return 7;
    case F_TEXT: case F_Y_YYY: case F_IYYY: case F_IYY: case F_IY: case F_I: case F_MONTH: case F_MON: case F_DAY: case F_DY: case F_D: case F_IDDD: case F_ID:
    case F_WW: case F_W: case F_IW: case F_Q: case F_CC: case F_FF: case F_AM: case F_A_M: case F_AD: case F_TZ: case F_OF: case F_TZH: case F_TZM: case F_REFUSED: break;
    }
    return 0;
}

static bool read_name(Parsing *s, const char (*names)[10], int count, bool whole, int64_t *out) {
    for (int i = 0; i < count; i++) {
        char word[10];
        snprintf(word, sizeof word, "%.*s", whole ? 9 : 3, names[i]);
        if (!starts_ieq(s->p, s->end, word)) continue;
        s->p += strlen(word);
        *out = i + 1;
        return true;
    }
    return false;
}

/* Fractions of a second are read as such: '5' by MS is 500 milliseconds. */
static bool read_number(Parsing *s, const Token *k, bool bounded) {
    int width = field_width(k->field), digits = 0;
    int64_t value = 0;
    bool fraction = k->field == F_MS || k->field == F_US;
    for (; s->p < s->end && is_digit(*s->p) && digits < (bounded || fraction || k->fill ? width : 9); s->p++, digits++) value = value * 10 + (*s->p - '0');
    if (digits == 0) return false;
    for (int i = digits; fraction && i < width; i++) value *= 10;
    if (k->field == F_YY && digits <= 2) value += value < 70 ? 2000 : 1900;
    if (k->field == F_YYY && digits <= 3) value += value < 520 ? 2000 : 1000;
    if (k->field == F_Y && digits == 1) value += 2000;
    if (k->field == F_YYYY && digits <= 2) value += digits == 2 ? (value < 70 ? 2000 : 1900) : 2000;
    if (k->suffix && s->end - s->p >= 2 && is_letter(*s->p)) s->p += 2;
    s->value[k->field] = value;
    s->seen[k->field] = true;
    return true;
}

static bool bad_input(Eval *ev, Str text, Str pattern) {
    return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "invalid value \"%.*s\" for \"" STR_FMT "\"", str_clip(text, 100), text.p, STR_ARG(pattern));
}

static bool read_field(Eval *ev, Parsing *s, const Token *k, bool digits_follow) {
    Str rest = {s->p, (uint32_t)(s->end - s->p)};
    int64_t ignored;
    switch (k->field) {
    case F_MONTH: case F_MON:
        if (!(k->field == F_MONTH && read_name(s, months, 12, true, &s->value[F_MM])) && !read_name(s, months, 12, false, &s->value[F_MM])) return bad_input(ev, rest, k->text);
        s->seen[F_MM] = true;
        return true;
    case F_DAY: case F_DY:
        return (k->field == F_DAY && read_name(s, weekdays, 7, true, &ignored)) || read_name(s, weekdays, 7, false, &ignored) || bad_input(ev, rest, k->text);
    case F_AM: case F_A_M: {
        bool dots = s->end - s->p >= 4 && s->p[1] == '.';
        if (s->end - s->p < 2 || (!starts_ieq(s->p, s->end, "A") && !starts_ieq(s->p, s->end, "P"))) return bad_input(ev, rest, k->text);
        s->pm = starts_ieq(s->p, s->end, "P");
        s->meridiem = true;
        s->p += dots ? 4 : 2;
        return true;
    }
    case F_YYYY: case F_YYY: case F_YY: case F_Y: case F_MM: case F_DDD: case F_DD: case F_HH24: case F_HH12: case F_MI: case F_SS: case F_SSSS: case F_MS: case F_US: case F_J:
        while (s->p < s->end && *s->p == ' ') s->p++;
        return read_number(s, k, digits_follow) || bad_input(ev, rest, k->text);
    case F_TEXT: case F_Y_YYY: case F_IYYY: case F_IYY: case F_IY: case F_I: case F_D: case F_IDDD: case F_ID: case F_WW: case F_W: case F_IW: case F_Q: case F_CC:
    case F_FF: case F_AD: case F_TZ: case F_OF: case F_TZH: case F_TZM: case F_REFUSED: break;
    }
    return refuse(ev, "to_timestamp", k->text);
}

/* Text of the template: a letter or digit takes one character, a separator any separator (or none), a blank any blanks. */
static void skip_text(Parsing *s, Str text) {
    for (uint32_t i = 0; i < text.n && s->p < s->end; i++) {
        char c = text.p[i];
        if (c == ' ') {
            while (s->p < s->end && *s->p == ' ') s->p++;
        } else if (is_letter(c) || is_digit(c) || (unsigned char)c >= 128) s->p++;
        else {
            while (s->p < s->end && *s->p == ' ') s->p++;
            if (s->p < s->end && !is_letter(*s->p) && !is_digit(*s->p)) s->p++;
        }
    }
}

static bool parse_by_template(Eval *ev, Str text, Str format, int64_t *days, int64_t *clock) {
    Parsing s = {.p = text.p, .end = text.p + text.n};
    while (s.p < s.end && *s.p == ' ') s.p++;
    const char *end = format.p + format.n;
    for (const char *p = format.p; p < end && s.p < s.end;) {
        Token k = next_token(&p, end);
        if (k.field == F_TEXT) {
            skip_text(&s, k.text);
            continue;
        }
        const char *ahead = p;
        bool digits_follow = p < end && field_width(next_token(&ahead, end).field) > 0;
        if (!read_field(ev, &s, &k, digits_follow)) return false;
    }
    int64_t year = s.seen[F_YYYY] ? s.value[F_YYYY] : s.seen[F_YYY] ? s.value[F_YYY] : s.seen[F_YY] ? s.value[F_YY] : s.seen[F_Y] ? s.value[F_Y] : 1;
    int64_t month = s.seen[F_MM] ? s.value[F_MM] : 1, day = s.seen[F_DD] ? s.value[F_DD] : 1, hour = s.value[F_HH24];
    if (s.seen[F_HH12]) {
        hour = s.value[F_HH12];
        if (s.meridiem && (hour < 1 || hour > 12)) return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "hour \"%lld\" is invalid for the 12-hour clock", (long long)hour);
        if (hour < 1 || hour > 12) return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "hour \"%lld\" is invalid for the 12-hour clock", (long long)hour);
        hour = hour % 12 + (s.pm ? 12 : 0);
    }
    bool ok = year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= days_in_month((int)year, (int)month) && hour < 24 && s.value[F_MI] < 60 && s.value[F_SS] < 60 && s.value[F_SSSS] < 86400;
    if (ok && s.seen[F_DDD]) ok = s.value[F_DDD] >= 1 && s.value[F_DDD] <= 365 + (days_in_month((int)year, 2) == 29);
    if (!ok) return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "date/time field value out of range: \"%.*s\"", str_clip(text, 100), text.p);
    *days = s.seen[F_J] ? s.value[F_J] - 2440588 : s.seen[F_DDD] ? date_from_civil((int)year, 1, 1) + s.value[F_DDD] - 1 : date_from_civil((int)year, (int)month, (int)day);
    *clock = hour * USEC_HOUR + s.value[F_MI] * USEC_MINUTE + (s.value[F_SS] + s.value[F_SSSS]) * USEC_SECOND + s.value[F_MS] * 1000 + s.value[F_US];
    return date_in_range(*days) || scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "date out of range");
}

SCALAR(sql_to_date) {
    int64_t days, clock;
    if (!parse_by_template(ev, scalar_text(ev, &args[0]), scalar_text(ev, &args[1]), &days, &clock)) return false;
    *out = (Value){.type = SQM_DATE, .u.i = days};
    return true;
}

SCALAR(sql_to_timestamp_format) {
    int64_t days, clock;
    if (!parse_by_template(ev, scalar_text(ev, &args[0]), scalar_text(ev, &args[1]), &days, &clock)) return false;
    *out = (Value){.type = SQM_TIMESTAMP, .u.i = days * USEC_DAY + clock};
    return true;
}

/* ---- templates of numbers ---- */

typedef enum SignStyle { SIGN_DEFAULT, SIGN_S_BEFORE, SIGN_S_AFTER, SIGN_PR, SIGN_NONE } SignStyle;

typedef struct NumberFormat { bool fill; int whole, fraction, first_zero, last_zero; SignStyle sign; } NumberFormat;

/* What stands at *p: a keyword's length and its letter; plain characters come back as themselves. */
static char number_token(const char *p, const char *end, int *length) {
    static const struct { char word[5], letter; } words[] = {{"MI", 'M'}, {"PL", 'P'}, {"SG", 'g'}, {"PR", 'R'}, {"FM", 'F'}, {"EEEE", 'X'}, {"RN", 'X'}, {"TH", 'X'}, {"V", 'X'}, {"L", 'X'}, {"B", 'X'}, {"SP", 'X'}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (starts_ieq(p, end, words[i].word)) return *length = (int)strlen(words[i].word), words[i].letter;
    *length = 1;
    char c = *p;
    if (c == 'D' || c == 'd') return '.';
    if (c == 'G' || c == 'g') return ',';
    if (c == 's') return 'S';
    if (c == '9' || c == '0' || c == '.' || c == ',' || c == 'S') return c;
    return 't';
}

static bool read_number_format(Eval *ev, Str format, NumberFormat *f) {
    bool point = false;
    *f = (NumberFormat){.first_zero = -1};
    for (const char *p = format.p, *end = p + format.n; p < end;) {
        int length;
        char c = number_token(p, end, &length);
        if (c == 'X') return refuse(ev, "to_char", (Str){p, (uint32_t)length});
        if (c == '"') c = 't';
        if (*p == '"') {
            const char *close = memchr(p + 1, '"', (size_t)(end - p - 1));
            p = close ? close + 1 : end;
            continue;
        }
        if (c == '9' || c == '0') {
            if (point) {
                f->fraction++;
                if (c == '0') f->last_zero = f->fraction;
            } else {
                if (c == '0' && f->first_zero < 0) f->first_zero = f->whole;
                f->whole++;
            }
        } else if (c == '.') {
            if (point) return scalar_fail(ev, SQM_ERROR_SYNTAX, "multiple decimal points");
            point = true;
        } else if (c == 'F') f->fill = true;
        else if (c == 'S') f->sign = f->whole + f->fraction ? SIGN_S_AFTER : SIGN_S_BEFORE;
        else if (c == 'R') f->sign = SIGN_PR;
        else if (c == 'M' || c == 'g') f->sign = SIGN_NONE;
        p += length;
    }
    return true;
}

bool format_number(Eval *ev, const Value *v, Str format, Value *out) {
    NumberFormat f;
    Decimal d;
    if (!read_number_format(ev, format, &f) || !scalar_decimal(ev, v, &d)) return false;
    if (!decimal_is_finite(d)) return scalar_fail(ev, SQM_ERROR_NOT_SUPPORTED, "to_char() of NaN or infinity is not supported");
    if (v->type == SQM_DOUBLE) {                    /* a double is rounded by its binary value */
        char text[400];
        int length = snprintf(text, sizeof text, "%.*f", f.fraction < 30 ? f.fraction : 30, v->u.d);
        for (int i = 0; i < length; i++)
            if (text[i] == ',') text[i] = '.';
        decimal_from_text((Str){text, (uint32_t)length}, &d);
    }
    Str digits = decimal_text(ev->arena, decimal_round(decimal_abs(d), f.fraction, ROUND_HALF_AWAY));
    const char *point = memchr(digits.p, '.', digits.n), *fraction = point ? point + 1 : "";
    int whole = (int)(point ? point - digits.p : digits.n), fraction_digits = point ? (int)(digits.p + digits.n - fraction) : 0;
    bool zero = decimal_is_zero(decimal_round(d, f.fraction, ROUND_HALF_AWAY)), negative = decimal_sign(d) < 0 && !zero;
    bool overflow = whole > f.whole;
    if (whole == 1 && digits.p[0] == '0') overflow = false;
    /* a lone zero before the point is shown only where nothing else would be */
    bool bare_zero = whole == 1 && digits.p[0] == '0' && f.fraction > 0;
    int first_digit = bare_zero ? f.whole : f.whole - whole;
    if (f.first_zero >= 0 && f.first_zero < first_digit) first_digit = f.first_zero;
    int last_shown = f.fraction;
    if (f.fill && !overflow)
        for (; last_shown > f.last_zero && (last_shown > fraction_digits || fraction[last_shown - 1] == '0'); last_shown--) {}
    if (bare_zero && f.fill && zero && last_shown == 0 && first_digit == f.whole) first_digit--;       /* "0." rather than "." */
    Text t = {.arena = ev->arena};
    int place = 0, decimals = 0;
    bool after_point = false, started = false;
    bool floating = f.sign == SIGN_DEFAULT || f.sign == SIGN_S_BEFORE || f.sign == SIGN_PR, signed_ = false;
    const char *sign = f.sign == SIGN_S_BEFORE ? (negative ? "-" : "+") : f.sign == SIGN_PR ? (negative ? "<" : " ") : negative ? "-" : " ";
    for (const char *p = format.p, *end = p + format.n; p < end;) {
        int length;
        char c = number_token(p, end, &length);
        if (*p == '"') {
            const char *close = memchr(p + 1, '"', (size_t)(end - p - 1));
            text_add(&t, p + 1, (size_t)((close ? close : end) - p - 1));
            p = close ? close + 1 : end;
            continue;
        }
        bool digit_place = c == '9' || c == '0';
        if (floating && !signed_ && ((digit_place && (place >= first_digit || overflow)) || (c == '.' && !started))) {
            if (!(f.fill && *sign == ' ')) text_adds(&t, sign);
            signed_ = true;
        }
        if (digit_place && !after_point) {
            int index = place++ - (f.whole - whole);
            if (overflow) text_adds(&t, "#"), started = true;
            else if (place - 1 < first_digit) text_adds(&t, f.fill ? "" : " ");
            else {
                text_addf(&t, "%c", index >= 0 ? digits.p[index] : '0');
                started = true;
            }
        } else if (digit_place) {
            if (decimals < last_shown) text_addf(&t, "%c", overflow ? '#' : decimals < fraction_digits ? fraction[decimals] : '0');
            decimals++;
        } else if (c == '.') {
            after_point = started = true;
            text_adds(&t, ".");
        } else if (c == ',') text_adds(&t, started ? "," : f.fill ? "" : " ");
        else if (c == 'M') text_adds(&t, negative ? "-" : f.fill ? "" : " ");
        else if (c == 'P') text_adds(&t, negative ? (f.fill ? "" : " ") : "+");
        else if (c == 'g') text_adds(&t, negative ? "-" : "+");
        else if (c == 'S' && f.sign == SIGN_S_AFTER) text_adds(&t, negative ? "-" : "+");
        else if (c == 'R') text_adds(&t, negative ? ">" : f.fill ? "" : " ");
        else if (c == 't') text_add(&t, p, 1);
        p += length;
    }
    return *out = scalar_from_text((Str){t.p ? t.p : "", (uint32_t)t.n}), true;
}
