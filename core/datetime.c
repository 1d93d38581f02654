/* datetime.c - calendar arithmetic and the text forms of dates, times, timestamps and intervals.
 *
 * In: text as PostgreSQL reads it in ISO style; out: the integers of datetime.h, or INVALID_DATETIME. A parse reads the whole text or fails; no
 * global state, no locale, no allocation. Fractions of a second are rounded to the microsecond with integer arithmetic, so that what is printed
 * parses back to the same number.
 *     '2020-01-02 10:11:12.5+05:30'  ->  1577940072500000 (with_zone)      '1 day -00:00:01'  ->  86399000000
 * Not read: two-digit years, month names, BC, infinity (refused, never guessed), and intervals of months or years other than zero.
 * Zones are zone.c's. */
#include "datetime.h"

#include <stdio.h>

/* ---- calendar: days <-> civil date, by eras of 400 years counted from 0000-03-01 ---- */

int64_t date_from_civil(int year, int month, int day) {
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

Civil date_to_civil(int64_t days) {
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t m = (5 * of_year + 2) / 153;
    Civil c = {.year = (int)(year + era * 400), .month = (int)(m < 10 ? m + 3 : m - 9), .day = (int)(of_year - (153 * m + 2) / 5 + 1)};
    c.year += c.month <= 2;
    return c;
}

Civil timestamp_to_civil(int64_t usec) {
    int64_t day = timestamp_day(usec), rest = usec - day * USEC_DAY;
    Civil c = date_to_civil(day);
    c.hour = (int)(rest / USEC_HOUR);
    c.minute = (int)(rest / USEC_MINUTE % 60);
    c.second = (int)(rest / USEC_SECOND % 60);
    c.usec = (int)(rest % USEC_SECOND);
    return c;
}

int days_in_month(int year, int month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

/* The ISO week belongs to the year its Thursday lies in. */
int date_iso_week(int64_t days, int *iso_year) {
    int64_t thursday = days + 4 - date_iso_weekday(days);
    *iso_year = date_to_civil(thursday).year;
    return (int)((thursday - date_from_civil(*iso_year, 1, 1)) / 7) + 1;
}

/* ---- text in ---- */

typedef struct Scan { const char *p, *end; } Scan;

static bool is_digit(int c) { return c >= '0' && c <= '9'; }
static bool is_space(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool is_letter(int c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
static int peek(const Scan *s) { return s->p < s->end ? (unsigned char)*s->p : 0; }

static Scan trim(Str text) {
    Scan s = {text.p, text.p + text.n};
    while (s.p < s.end && is_space((unsigned char)*s.p)) s.p++;
    while (s.end > s.p && is_space((unsigned char)s.end[-1])) s.end--;
    return s;
}

static void skip_space(Scan *s) {
    while (is_space(peek(s))) s->p++;
}

static bool take(Scan *s, char c) {
    if (peek(s) != c) return false;
    s->p++;
    return true;
}

static int count_digits(const Scan *s) {
    int n = 0;
    while (s->p + n < s->end && is_digit((unsigned char)s->p[n])) n++;
    return n;
}

/* Exactly the next `n` digits, which the caller has counted. */
static int take_digits(Scan *s, int n) {
    int v = 0;
    while (n-- > 0) v = v * 10 + (*s->p++ - '0');
    return v;
}

static bool take_number(Scan *s, int max_digits, int *out) {
    int n = count_digits(s);
    if (n == 0 || n > max_digits) return false;
    *out = take_digits(s, n);
    return true;
}

static bool bad_text(sqm_error_t *error, const char *type, Str text) {
    return error_set(error, SQM_ERROR_INVALID_DATETIME, "invalid input syntax for type %s: \"%.*s\"", type, str_clip(text, 100), text.p);
}

static bool bad_field(sqm_error_t *error, Str text) {
    return error_set(error, SQM_ERROR_INVALID_DATETIME, "date/time field value out of range: \"%.*s\"", str_clip(text, 100), text.p);
}

/* Microseconds of the ".5" at the scan, rounded; more than a second when it rounds up to one. */
static int64_t take_fraction(Scan *s) {
    int64_t usec = 0, unit = USEC_SECOND / 10;
    bool first_beyond = true;
    s->p++;
    for (; is_digit(peek(s)); s->p++) {
        int digit = *s->p - '0';
        if (unit) usec += digit * unit;
        else if (first_beyond) {
            usec += digit >= 5;
            first_beyond = false;
        }
        unit /= 10;
    }
    return usec;
}

typedef enum Parse { PARSE_OK, PARSE_BAD, PARSE_RANGE } Parse;

/* YYYY-MM-DD, YYYY/MM/DD, YYYYMMDD, YYYY-DDD is not read. */
static Parse scan_date(Scan *s, int64_t *days) {
    int year, month, day, digits = count_digits(s);
    if (digits == 8) {
        year = take_digits(s, 4);
        month = take_digits(s, 2);
        day = take_digits(s, 2);
    } else {
        if (digits < 4 || digits > 6) return PARSE_BAD;
        year = take_digits(s, digits);
        char separator = (char)peek(s);
        if (separator != '-' && separator != '/') return PARSE_BAD;
        s->p++;
        if (!take_number(s, 2, &month) || !take(s, separator) || !take_number(s, 2, &day)) return PARSE_BAD;
    }
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return PARSE_RANGE;
    *days = date_from_civil(year, month, day);
    return PARSE_OK;
}

/* HH:MM[:SS[.f]] [AM|PM], or HHMM[SS[.f]]. Second 60 is the next minute's first, 24:00:00 the end of the day. */
static Parse scan_time(Scan *s, int64_t *usec) {
    int hour, minute, second = 0, digits = count_digits(s);
    int64_t fraction = 0;
    if ((digits == 4 || digits == 6) && s->p + digits <= s->end && !(s->p + digits < s->end && s->p[digits] == ':')) {
        hour = take_digits(s, 2);
        minute = take_digits(s, 2);
        if (digits == 6) second = take_digits(s, 2);
    } else {
        if (!take_number(s, 2, &hour) || !take(s, ':') || !take_number(s, 2, &minute)) return PARSE_BAD;
        if (take(s, ':')) {
            if (!take_number(s, 2, &second)) return PARSE_BAD;
        } else digits = 4;
    }
    if (digits != 4 && peek(s) == '.') fraction = take_fraction(s);
    Scan after = *s;
    skip_space(&after);
    if (after.end - after.p >= 2 && (after.p[1] | 32) == 'm' && ((after.p[0] | 32) == 'a' || (after.p[0] | 32) == 'p') && (after.end - after.p == 2 || !is_letter((unsigned char)after.p[2]))) {
        if (hour < 1 || hour > 12) return PARSE_RANGE;
        hour = hour % 12 + ((after.p[0] | 32) == 'p' ? 12 : 0);
        s->p = after.p + 2;
    }
    if (hour > 24 || minute > 59 || second > 60) return PARSE_RANGE;
    *usec = hour * USEC_HOUR + minute * USEC_MINUTE + second * USEC_SECOND + fraction;
    return *usec > USEC_DAY ? PARSE_RANGE : PARSE_OK;
}

/* Z, an offset of ISO sign (+ is east), or a zone's name, to the end of the text. *zone is NULL for an offset, which is in *east. */
static Parse scan_zone(Scan *s, const Zone **zone, int64_t *east) {
    *zone = NULL;
    *east = 0;
    int c = peek(s);
    if (c == '+' || c == '-') {
        int hour, minute = 0, second = 0, digits;
        s->p++;
        digits = count_digits(s);
        if (digits == 4 || digits == 6) {
            hour = take_digits(s, 2);
            minute = take_digits(s, 2);
            if (digits == 6) second = take_digits(s, 2);
        } else {
            if (!take_number(s, 2, &hour)) return PARSE_BAD;
            if (take(s, ':') && !take_number(s, 2, &minute)) return PARSE_BAD;
            if (take(s, ':') && !take_number(s, 2, &second)) return PARSE_BAD;
        }
        if (hour > 15 || minute > 59 || second > 59) return PARSE_RANGE;
        *east = (hour * USEC_HOUR + minute * USEC_MINUTE + second * USEC_SECOND) * (c == '-' ? -1 : 1);
        return s->p == s->end ? PARSE_OK : PARSE_BAD;
    }
    if (!is_letter(c)) return PARSE_BAD;
    *zone = zone_find((Str){s->p, (uint32_t)(s->end - s->p)}, NULL);
    s->p = s->end;
    return *zone ? PARSE_OK : PARSE_BAD;
}

/* A date with an optional time and zone; *clock is -1 when there was no time. */
static Parse scan_timestamp(Scan *s, int64_t *days, int64_t *clock, const Zone **zone, int64_t *east) {
    *clock = -1;
    *zone = NULL;
    *east = 0;
    if (str_ieq((Str){s->p, (uint32_t)(s->end - s->p)}, STR("epoch"))) {
        *days = *clock = 0;
        return PARSE_OK;
    }
    Parse r = scan_date(s, days);
    if (r != PARSE_OK || s->p == s->end) return r;
    const char *after_date = s->p;
    if (!take(s, 'T') && !take(s, 't')) skip_space(s);
    if (s->p > after_date && is_digit(peek(s))) {
        r = scan_time(s, clock);
        if (r != PARSE_OK) return r;
        skip_space(s);
    }
    return s->p == s->end ? PARSE_OK : scan_zone(s, zone, east);
}

static bool report(Parse r, sqm_error_t *error, const char *type, Str text) {
    return r == PARSE_OK ? true : r == PARSE_BAD ? bad_text(error, type, text) : bad_field(error, text);
}

bool datetime_parse_date(Str text, int64_t *days, sqm_error_t *error) {
    Scan s = trim(text);
    int64_t clock, east;
    const Zone *zone;
    return report(scan_timestamp(&s, days, &clock, &zone, &east), error, "date", text);
}

bool datetime_parse_time(Str text, int64_t *usec, sqm_error_t *error) {
    Scan s = trim(text);
    const Zone *zone;
    int64_t east, days;
    if (memchr(s.p, '-', (size_t)(s.end - s.p)) && count_digits(&s) >= 4) {       /* a whole timestamp: its time of day */
        Parse r = scan_timestamp(&s, &days, usec, &zone, &east);
        return report(r == PARSE_OK && *usec < 0 ? PARSE_BAD : r, error, "time", text);
    }
    take(&s, 'T');
    Parse r = scan_time(&s, usec);
    skip_space(&s);
    if (r == PARSE_OK && s.p < s.end) r = scan_zone(&s, &zone, &east);
    return report(r, error, "time", text);
}

bool datetime_parse_timestamp(Str text, bool with_zone, int64_t *usec, sqm_error_t *error) {
    Scan s = trim(text);
    int64_t days, clock, east;
    const Zone *zone;
    Parse r = scan_timestamp(&s, &days, &clock, &zone, &east);
    if (r == PARSE_OK) {
        int64_t local = days * USEC_DAY + (clock < 0 ? 0 : clock);
        *usec = !with_zone ? local : zone ? zone_to_utc(zone, local) : local - east;
        if (!timestamp_in_range(*usec)) r = PARSE_RANGE;
    }
    return report(r, error, with_zone ? "timestamp with time zone" : "timestamp", text);
}

/* ---- intervals ---- */

/* Units by the abbreviations PostgreSQL takes; usec 0 stands for those that count months. */
typedef struct Unit { const char *names; int64_t usec; } Unit;
static const Unit units[] = {
    {" us usec usecs usecond useconds microsecond microseconds microsecon ", 1},
    {" ms msec msecs msecond mseconds millisecond milliseconds millisecon ", 1000},
    {" s sec secs second seconds ", USEC_SECOND},
    {" m min mins minute minutes ", USEC_MINUTE},
    {" h hr hrs hour hours ", USEC_HOUR},
    {" d day days ", USEC_DAY},
    {" w week weeks ", 7 * USEC_DAY},
    {" mon mons month months y yr yrs year years dec decs decade decades c cent century centuries mil mils millennia millennium ", 0},
};

static const Unit *find_unit(Str word) {
    char key[16] = " ";
    if (word.n > sizeof key - 3) return NULL;
    for (uint32_t i = 0; i < word.n; i++) key[i + 1] = (char)(word.p[i] | 32);
    key[word.n + 1] = ' ';
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strstr(units[i].names, key)) return &units[i];
    return NULL;
}

/* A decimal number as value / 10^digits; digits of the fraction past the twelfth are dropped. */
typedef struct Quantity { int64_t value; int digits; bool negative; } Quantity;

static bool take_quantity(Scan *s, Quantity *q) {
    *q = (Quantity){0};
    if (take(s, '-')) q->negative = true;
    else take(s, '+');
    int n = count_digits(s);
    if (n > 15) return false;
    for (int i = 0; i < n; i++) q->value = q->value * 10 + (*s->p++ - '0');
    if (peek(s) == '.') {
        s->p++;
        int fraction = count_digits(s);
        if (n + fraction == 0) return false;
        for (int i = 0; i < fraction; i++, s->p++)
            if (q->digits < 12 && q->value < INT64_MAX / 10 - 10) {
                q->value = q->value * 10 + (*s->p - '0');
                q->digits++;
            }
        return true;
    }
    return n > 0;
}

/* *total += q units of `usec`, rounded half away from zero. */
static bool add_quantity(__int128 *total, Quantity q, int64_t usec) {
    __int128 divisor = 1;
    for (int i = 0; i < q.digits; i++) divisor *= 10;
    __int128 amount = ((__int128)q.value * usec * 2 + divisor) / (divisor * 2);
    *total += q.negative ? -amount : amount;
    return *total <= INT64_MAX && *total >= -(__int128)INT64_MAX;
}

/* H:M[:S[.f]] after the hour has been read into q; PostgreSQL reads "M:S.f" when there is a fraction after two fields. */
static Parse scan_clock(Scan *s, Quantity q, __int128 *total) {
    int second_field, third = 0;
    int64_t fraction = 0, usec;
    if (q.digits || !take_number(s, 2, &second_field)) return PARSE_BAD;
    bool three = take(s, ':');
    if (three && !take_number(s, 2, &third)) return PARSE_BAD;
    if (peek(s) == '.') fraction = take_fraction(s);
    if (second_field > 59 || third > 60 || q.value > INT64_C(2500000000)) return PARSE_RANGE;
    if (three || !fraction) usec = q.value * USEC_HOUR + second_field * USEC_MINUTE + third * USEC_SECOND + fraction;
    else usec = q.value * USEC_MINUTE + second_field * USEC_SECOND + fraction;
    *total += q.negative ? -usec : usec;
    return PARSE_OK;
}

/* P[nY][nM][nW][nD][T[nH][nM][nS]] */
static Parse scan_iso_interval(Scan *s, __int128 *total, bool *months) {
    bool time = false, any = false;
    while (s->p < s->end) {
        Quantity q;
        if (!time && (take(s, 'T') || take(s, 't'))) {
            time = true;
            continue;
        }
        if (!take_quantity(s, &q) || s->p == s->end) return PARSE_BAD;
        int64_t usec = 0;
        switch (*s->p++ | 32) {
        case 'y': if (time) return PARSE_BAD; break;
        case 'm': usec = time ? USEC_MINUTE : 0; break;
        case 'w': usec = time ? -1 : 7 * USEC_DAY; break;
        case 'd': usec = time ? -1 : USEC_DAY; break;
        case 'h': usec = time ? USEC_HOUR : -1; break;
        case 's': usec = time ? USEC_SECOND : -1; break;
        default: return PARSE_BAD;
        }
        if (usec < 0) return PARSE_BAD;
        if (usec == 0 && q.value) *months = true;
        if (!add_quantity(total, q, usec)) return PARSE_RANGE;
        any = true;
    }
    return any ? PARSE_OK : PARSE_BAD;
}

static Parse scan_interval(Scan *s, __int128 *total, bool *months) {
    bool any = false, last_was_number = false;
    Quantity q = {0};
    take(s, '@');
    while (true) {
        while (is_space(peek(s)) || peek(s) == ',') s->p++;
        if (s->p == s->end) break;
        int c = peek(s);
        if (is_digit(c) || c == '+' || c == '-' || c == '.') {
            if (last_was_number && !add_quantity(total, q, USEC_DAY)) return PARSE_RANGE;     /* '3 4:05:06': three days */
            if (!take_quantity(s, &q)) return PARSE_BAD;
            last_was_number = !take(s, ':');
            if (!last_was_number) {
                Parse r = scan_clock(s, q, total);
                if (r != PARSE_OK) return r;
            } else if (peek(s) == '-') return PARSE_BAD;                                      /* '1-2': years and months in SQL's form */
            any = true;
        } else if (is_letter(c)) {
            Str word = {s->p, 0};
            while (is_letter(peek(s))) s->p++, word.n++;
            if (str_ieq(word, STR("ago")) && any && !last_was_number && s->p == s->end) {
                *total = -*total;
                break;
            }
            const Unit *unit = find_unit(word);
            if (!unit || !last_was_number) return PARSE_BAD;
            if (!unit->usec && q.value) *months = true;
            if (!add_quantity(total, q, unit->usec)) return PARSE_RANGE;
            last_was_number = false;
        } else return PARSE_BAD;
    }
    if (last_was_number && !add_quantity(total, q, USEC_SECOND)) return PARSE_RANGE;
    return any ? PARSE_OK : PARSE_BAD;
}

bool datetime_parse_interval(Str text, int64_t *usec, sqm_error_t *error) {
    Scan s = trim(text);
    __int128 total = 0;
    bool months = false;
    Parse r = take(&s, 'P') || take(&s, 'p') ? scan_iso_interval(&s, &total, &months) : scan_interval(&s, &total, &months);
    if (r == PARSE_OK && (total > INT64_MAX || total < -(__int128)INT64_MAX)) r = PARSE_RANGE;
    if (r == PARSE_RANGE) return error_set(error, SQM_ERROR_INVALID_DATETIME, "interval field value out of range: \"" STR_FMT "\"", str_clip(text, 100), text.p);
    if (r == PARSE_BAD) return bad_text(error, "interval", text);
    if (months) return error_set(error, SQM_ERROR_NOT_SUPPORTED, "intervals of months or years are not supported: \"" STR_FMT "\"", str_clip(text, 100), text.p);
    *usec = (int64_t)total;
    return true;
}

/* ---- text out ---- */

size_t date_text(int64_t days, char *out) {
    Civil c = date_to_civil(days);
    return (size_t)snprintf(out, DATETIME_TEXT, "%04d-%02d-%02d", c.year, c.month, c.day);
}

/* ".5" without trailing zeros; nothing for a whole second. */
static size_t add_fraction(char *out, size_t n, int64_t usec) {
    if (usec == 0) return n;
    n += (size_t)snprintf(out + n, DATETIME_TEXT - n, ".%06d", (int)usec);
    while (out[n - 1] == '0') n--;
    out[n] = 0;
    return n;
}

static size_t add_clock(char *out, size_t n, int64_t usec) {
    n += (size_t)snprintf(out + n, DATETIME_TEXT - n, "%02lld:%02d:%02d", (long long)(usec / USEC_HOUR), (int)(usec / USEC_MINUTE % 60), (int)(usec / USEC_SECOND % 60));
    return add_fraction(out, n, usec % USEC_SECOND);
}

size_t time_text(int64_t usec, char *out) { return add_clock(out, 0, usec); }

size_t timestamp_text(int64_t usec, char separator, bool with_zone, char *out) {
    int64_t day = timestamp_day(usec);
    size_t n = date_text(day, out);
    out[n++] = separator;
    n = add_clock(out, n, usec - day * USEC_DAY);
    if (with_zone) n += (size_t)snprintf(out + n, DATETIME_TEXT - n, "%s", separator == 'T' ? "+00:00" : "+00");
    return n;
}

size_t interval_text(int64_t usec, char *out) {
    uint64_t magnitude = usec < 0 ? 0 - (uint64_t)usec : (uint64_t)usec;
    int64_t days = (int64_t)(magnitude / USEC_DAY), rest = (int64_t)(magnitude % USEC_DAY);
    const char *sign = usec < 0 ? "-" : "";
    size_t n = 0;
    if (days) n = (size_t)snprintf(out, DATETIME_TEXT, "%s%lld %s", sign, (long long)days, days == 1 && usec > 0 ? "day" : "days");
    if (days && rest) out[n++] = ' ';
    if (rest || !days) {
        n += (size_t)snprintf(out + n, DATETIME_TEXT - n, "%s", sign);
        n = add_clock(out, n, rest);
    }
    return n;
}
