/* function_datetime.c - dates, times, timestamps and intervals: arithmetic, parts, truncation, zones.
 *
 * Timestamps are microseconds in UTC whether or not they carry a zone; which of the two an argument is, its static type tells (an untyped one is an
 * instant). The session's zone is UTC. Weeks start on Monday; EXTRACT gives numeric, date_part double precision, as in PostgreSQL.
 *     date '2024-01-31' + 1 = date    timestamp + interval    extract(second from time '10:00:01.5') = 1.500000    timestamptz AT TIME ZONE 'Europe/Paris'
 * Not done here: to_char and to_date patterns (function_format.c); months in intervals, which don't exist. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "datetime.h"
#include "decimal.h"
#include "scalar.h"

static bool is_moment(const Value *v) { return v->type == SQM_DATE || v->type == SQM_TIME || v->type == SQM_TIMESTAMP || v->type == SQM_INTERVAL; }
static bool give(Value *out, sqm_type_t type, int64_t i) { return *out = (Value){.type = (uint8_t)type, .u.i = i}, true; }

static bool give_timestamp(Eval *ev, int64_t usec, Value *out) {
    return timestamp_in_range(usec) ? give(out, SQM_TIMESTAMP, usec) : scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "timestamp out of range");
}
static bool give_date(Eval *ev, int64_t days, Value *out) {
    return date_in_range(days) ? give(out, SQM_DATE, days) : scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "date out of range");
}
static bool give_interval(Eval *ev, __int128 usec, Value *out) {
    if (usec > INT64_MAX || usec < -(__int128)INT64_MAX) return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "interval out of range");
    return give(out, SQM_INTERVAL, (int64_t)usec);
}
static int64_t time_of_day(int64_t usec) { return usec - timestamp_day(usec) * USEC_DAY; }
static int64_t usec_of(const Value *v) { return v->type == SQM_DATE ? v->u.i * USEC_DAY : v->u.i; }
static bool is_instant(const Value *v) { return v->type == SQM_DATE || v->type == SQM_TIMESTAMP; }

/* ---- arithmetic ---- */

/* Untyped text beside a moment: an interval where one fits, else a moment of the same kind (ts - '2020-01-01'); beside a date it may be a number. */
static bool read_partner(Eval *ev, const Value *text, const Value *other, bool subtract, Value *out) {
    sqm_error_t ignored;
    int64_t usec;
    if (other->type == SQM_DATE) {
        if (datetime_parse_date((Str){text->u.text, text->len}, &usec, &ignored)) return give(out, SQM_DATE, usec);
        sqm_error_t *error = ev->error;
        ev->error = &ignored;
        bool number = cast_value(ev, text, TYPE(INT8), out);
        ev->error = error;
        if (number) return true;
    }
    if (datetime_parse_interval((Str){text->u.text, text->len}, &usec, &ignored)) return give(out, SQM_INTERVAL, usec);
    return cast_value(ev, text, subtract ? cast_natural_type(other) : TYPE(INTERVAL), out);
}

bool datetime_add(Eval *ev, const Expr *e, const Value *left, const Value *right, bool subtract, Value *out, bool *handled) {
    (void)e;
    Value a = *left, b = *right, swap;
    *handled = is_moment(&a) || is_moment(&b);
    if (!*handled) return true;
    if (a.type == SQM_TEXT && !read_partner(ev, left, &b, subtract, &a)) return false;
    if (b.type == SQM_TEXT && !read_partner(ev, right, &a, subtract, &b)) return false;
    if (!subtract && (a.type == SQM_INT || (a.type == SQM_INTERVAL && b.type != SQM_INTERVAL) || (a.type == SQM_TIME && b.type == SQM_DATE))) {
        swap = a;                                   /* sums: the moment first */
        a = b;
        b = swap;
    }
    int sign = subtract ? -1 : 1;
    if (a.type == SQM_DATE && b.type == SQM_INT) {
        int64_t days;
        if (__builtin_add_overflow(a.u.i, sign * (b.u.i == INT64_MIN ? INT64_MAX : b.u.i), &days)) days = INT64_MAX;
        return give_date(ev, days, out);
    }
    if (subtract && a.type == SQM_DATE && b.type == SQM_DATE) return *out = sqm_int(a.u.i - b.u.i), true;
    if (subtract && is_instant(&a) && is_instant(&b)) return give_interval(ev, (__int128)usec_of(&a) - usec_of(&b), out);
    if (is_instant(&a) && (b.type == SQM_INTERVAL || (a.type == SQM_DATE && b.type == SQM_TIME && !subtract))) {
        __int128 sum = (__int128)usec_of(&a) + (__int128)sign * b.u.i;
        return give_timestamp(ev, sum > INT64_MAX || sum < INT64_MIN ? INT64_MAX : (int64_t)sum, out);
    }
    if (a.type == SQM_TIME && b.type == SQM_INTERVAL) return give(out, SQM_TIME, time_of_day(a.u.i + sign * (b.u.i % USEC_DAY)));
    if (subtract && a.type == SQM_TIME && b.type == SQM_TIME) return give_interval(ev, (__int128)a.u.i - b.u.i, out);
    if (a.type == SQM_INTERVAL && b.type == SQM_INTERVAL) return give_interval(ev, (__int128)a.u.i + (__int128)sign * b.u.i, out);
    return scalar_fail(ev, SQM_ERROR_UNDEFINED_FUNCTION, "operator does not exist: %s %s %s", value_type_name(left), subtract ? "-" : "+", value_type_name(right));
}

/* In doubles, as PostgreSQL does it: the days first, what is left of a day joins the time. */
static bool scale_interval(Eval *ev, int64_t usec, double x, bool divide, Value *out) {
    double days = (double)(usec / USEC_DAY), time = (double)(usec % USEC_DAY);
    days = divide ? days / x : days * x;
    time = divide ? time / x : time * x;
    if (!(fabs(days) < INT32_MAX)) return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "interval out of range");
    double seconds = rint((days - trunc(days)) * 86400 * 1e6) / 1e6;
    time = rint(time + seconds * 1e6);
    if (!(fabs(time) < 0x1p63)) return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "interval out of range");
    return give_interval(ev, (__int128)trunc(days) * USEC_DAY + (int64_t)time, out);
}

/* interval * number, number * interval, interval / number. */
bool datetime_scale(Eval *ev, const Value *a, const Value *b, bool divide, Value *out, bool *handled) {
    *handled = is_moment(a) || is_moment(b);
    if (!*handled) return true;
    const Value *interval = !divide && b->type == SQM_INTERVAL ? b : a, *number = interval == a ? b : a;
    if (interval->type != SQM_INTERVAL || is_moment(number)) return scalar_fail(ev, SQM_ERROR_UNDEFINED_FUNCTION, "operator does not exist: %s %s %s", value_type_name(a), divide ? "/" : "*", value_type_name(b));
    if (number->type == SQM_INT && !divide) return give_interval(ev, (__int128)interval->u.i * number->u.i, out);
    double x;
    if (!scalar_double(ev, number, &x)) return false;
    if (divide && x == 0) return scalar_fail(ev, SQM_ERROR_DIVISION_BY_ZERO, "division by zero");
    return scale_interval(ev, interval->u.i, x, divide, out);
}

/* ---- the clock ---- */

/* CURRENT_TIMESTAMP(p): rounded to p digits of the second. */
static bool present(Eval *ev, const Value *args, int n, int64_t *usec) {
    int64_t precision = 6, step = 1;
    if (n > 0 && !scalar_int(ev, &args[0], &precision)) return false;
    for (; precision >= 0 && precision < 6; precision++) step *= 10;
    *usec = (ev->now + step / 2) / step * step;
    return true;
}

SCALAR(sql_now) {
    int64_t usec;
    return present(ev, args, n, &usec) && give(out, SQM_TIMESTAMP, usec);
}
SCALAR(sql_statement_timestamp) { return give(out, SQM_TIMESTAMP, ev->statement_now ? ev->statement_now : ev->now); }
SCALAR(sql_current_date) { return give(out, SQM_DATE, timestamp_day(ev->now)); }
SCALAR(sql_current_time) {
    int64_t usec;
    return present(ev, args, n, &usec) && give(out, SQM_TIME, time_of_day(usec));
}
SCALAR(sql_clock_timestamp) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return give(out, SQM_TIMESTAMP, (int64_t)t.tv_sec * USEC_SECOND + t.tv_nsec / 1000);
}

/* ---- parts ---- */

typedef enum Unit {
    UNIT_MICROSECONDS, UNIT_MILLISECONDS, UNIT_SECOND, UNIT_MINUTE, UNIT_HOUR, UNIT_DAY, UNIT_WEEK, UNIT_MONTH, UNIT_QUARTER, UNIT_YEAR, UNIT_DECADE,
    UNIT_CENTURY, UNIT_MILLENNIUM, UNIT_DOW, UNIT_ISODOW, UNIT_DOY, UNIT_ISOYEAR, UNIT_EPOCH, UNIT_JULIAN, UNIT_TIMEZONE, UNIT_NONE
} Unit;

static const struct { const char *names; Unit unit; } unit_names[] = {
    {" microseconds microsecond us usec usecs ", UNIT_MICROSECONDS}, {" milliseconds millisecond ms msec msecs ", UNIT_MILLISECONDS},
    {" second seconds sec secs s ", UNIT_SECOND},     {" minute minutes min mins m ", UNIT_MINUTE},         {" hour hours hr hrs h ", UNIT_HOUR},
    {" day days d ", UNIT_DAY},                       {" week weeks w ", UNIT_WEEK},                        {" month months mon mons ", UNIT_MONTH},
    {" quarter qtr ", UNIT_QUARTER},                  {" year years yr yrs y ", UNIT_YEAR},                 {" decade decades dec decs ", UNIT_DECADE},
    {" century centuries cent c ", UNIT_CENTURY},     {" millennium millennia mil mils ", UNIT_MILLENNIUM}, {" dow ", UNIT_DOW},
    {" isodow ", UNIT_ISODOW},                        {" doy ", UNIT_DOY},                                  {" isoyear ", UNIT_ISOYEAR},
    {" epoch ", UNIT_EPOCH},                          {" julian ", UNIT_JULIAN},                            {" timezone timezone_hour timezone_minute ", UNIT_TIMEZONE},
};

static Unit find_unit(Str name) {
    char key[24] = " ";
    if (name.n == 0 || name.n > sizeof key - 3) return UNIT_NONE;
    for (uint32_t i = 0; i < name.n; i++) key[i + 1] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    key[name.n + 1] = ' ';
    for (size_t i = 0; i < sizeof unit_names / sizeof *unit_names; i++)
        if (strstr(unit_names[i].names, key)) return unit_names[i].unit;
    return UNIT_NONE;
}

/* A part as value * 10^-scale. */
typedef struct Part { __int128 value; int scale; } Part;

static int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }

static bool part_of_clock(Unit unit, int64_t usec, Part *p) {
    switch (unit) {
    case UNIT_MICROSECONDS: *p = (Part){usec % USEC_MINUTE, 0}; return true;
    case UNIT_MILLISECONDS: *p = (Part){usec % USEC_MINUTE, 3}; return true;
    case UNIT_SECOND: *p = (Part){usec % USEC_MINUTE, 6}; return true;
    case UNIT_MINUTE: *p = (Part){usec / USEC_MINUTE % 60, 0}; return true;
    case UNIT_HOUR: *p = (Part){usec / USEC_HOUR, 0}; return true;
    case UNIT_EPOCH: *p = (Part){usec, 6}; return true;
    case UNIT_DAY: case UNIT_WEEK: case UNIT_MONTH: case UNIT_QUARTER: case UNIT_YEAR: case UNIT_DECADE: case UNIT_CENTURY: case UNIT_MILLENNIUM:
    case UNIT_DOW: case UNIT_ISODOW: case UNIT_DOY: case UNIT_ISOYEAR: case UNIT_JULIAN: case UNIT_TIMEZONE: case UNIT_NONE: break;
    }
    return false;
}

/* Days are the largest part an interval has: its months and years are zero. */
static bool part_of_interval(Unit unit, int64_t usec, Part *p) {
    switch (unit) {
    case UNIT_DAY: *p = (Part){usec / USEC_DAY, 0}; return true;
    case UNIT_QUARTER: *p = (Part){1, 0}; return true;
    case UNIT_MONTH: case UNIT_YEAR: case UNIT_DECADE: case UNIT_CENTURY: case UNIT_MILLENNIUM: *p = (Part){0, 0}; return true;
    case UNIT_MICROSECONDS: case UNIT_MILLISECONDS: case UNIT_SECOND: case UNIT_MINUTE: case UNIT_HOUR: return part_of_clock(unit, usec % USEC_DAY, p);
    case UNIT_EPOCH: return part_of_clock(unit, usec, p);
    case UNIT_WEEK: case UNIT_DOW: case UNIT_ISODOW: case UNIT_DOY: case UNIT_ISOYEAR: case UNIT_JULIAN: case UNIT_TIMEZONE: case UNIT_NONE: break;
    }
    return false;
}

static bool part_of_date(Unit unit, int64_t days, Part *p) {
    Civil c = date_to_civil(days);
    int iso_year;
    int64_t value = 0;
    switch (unit) {
    case UNIT_DAY: value = c.day; break;
    case UNIT_WEEK: value = date_iso_week(days, &iso_year); break;
    case UNIT_MONTH: value = c.month; break;
    case UNIT_QUARTER: value = (c.month + 2) / 3; break;
    case UNIT_YEAR: value = c.year; break;
    case UNIT_DECADE: value = c.year / 10; break;
    case UNIT_CENTURY: value = ceiling(c.year, 100); break;
    case UNIT_MILLENNIUM: value = ceiling(c.year, 1000); break;
    case UNIT_DOW: value = date_iso_weekday(days) % 7; break;
    case UNIT_ISODOW: value = date_iso_weekday(days); break;
    case UNIT_DOY: value = days - date_from_civil(c.year, 1, 1) + 1; break;
    case UNIT_ISOYEAR: date_iso_week(days, &iso_year); value = iso_year; break;
    case UNIT_EPOCH: value = days * 86400; break;
    case UNIT_JULIAN: value = days + 2440588; break;
    case UNIT_MICROSECONDS: case UNIT_MILLISECONDS: case UNIT_SECOND: case UNIT_MINUTE: case UNIT_HOUR: case UNIT_TIMEZONE: case UNIT_NONE: return false;
    }
    *p = (Part){value, 0};
    return true;
}

/* Reads the argument of a function that wants a moment: untyped text is a timestamp. */
static bool read_moment(Eval *ev, const Value *v, Value *out) {
    *out = *v;
    if (is_moment(v)) return true;
    return cast_value(ev, v, TYPE(TIMESTAMPTZ), out);
}

static bool extract(Eval *ev, const Expr *e, const Value *args, Part *p) {
    Value v;
    Str name = scalar_text(ev, &args[0]);
    Unit unit = find_unit(name);
    Type declared = scalar_arg_type(e, 1);
    if (!read_moment(ev, &args[1], &v)) return false;
    bool ok = false;
    if (v.type == SQM_DATE) ok = part_of_date(unit, v.u.i, p);
    else if (v.type == SQM_TIME) ok = part_of_clock(unit, v.u.i, p);
    else if (v.type == SQM_INTERVAL) ok = part_of_interval(unit, v.u.i, p);
    else if (unit == UNIT_TIMEZONE) {
        *p = (Part){0, 0};
        ok = declared.tag != TYPE_TIMESTAMP;
    } else if (unit == UNIT_EPOCH) ok = part_of_clock(unit, v.u.i, p);
    else if (unit == UNIT_JULIAN) return scalar_fail(ev, SQM_ERROR_NOT_SUPPORTED, "unit \"julian\" is supported for dates only");
    else ok = part_of_clock(unit, time_of_day(v.u.i), p) || part_of_date(unit, timestamp_day(v.u.i), p);
    if (ok) return true;
    if (unit == UNIT_NONE) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "unit \"%.*s\" not recognized for type %s", str_clip(name, 100), name.p, value_type_name(&v));
    return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "unit \"%.*s\" not supported for type %s", str_clip(name, 100), name.p, value_type_name(&v));
}

/* 10^-scale steps of a decimal: 1500000 at scale 6 is 1.500000. */
static Decimal scaled(__int128 value, int scale) {
    static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    Decimal d;
    if (scale == 0) return decimal_from_int128(value);
    decimal_div(decimal_from_int128(value), decimal_from_int(powers[scale]), &d);
    return decimal_round(d, scale, ROUND_HALF_AWAY);
}

SCALAR(sql_extract) {
    Part p;
    if (!extract(ev, e, args, &p)) return false;
    *out = scalar_from_decimal(scaled(p.value, p.scale));
    return true;
}

SCALAR(sql_date_part) {
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    Part p;
    if (!extract(ev, e, args, &p)) return false;
    return *out = sqm_double((double)p.value / powers[p.scale]), true;
}

/* ---- truncation ---- */

static int64_t floor_to(int64_t value, int64_t step) { return value - ((value % step) + step) % step; }

static int64_t truncate_day(Unit unit, int64_t day) {
    Civil c = date_to_civil(day);
    switch (unit) {
    case UNIT_WEEK: return day - (date_iso_weekday(day) - 1);
    case UNIT_MONTH: return day - (c.day - 1);
    case UNIT_QUARTER: return date_from_civil(c.year, (c.month - 1) / 3 * 3 + 1, 1);
    case UNIT_YEAR: return date_from_civil(c.year, 1, 1);
    case UNIT_DECADE: return date_from_civil(c.year / 10 * 10, 1, 1);
    case UNIT_CENTURY: return date_from_civil((c.year - 1) / 100 * 100 + 1, 1, 1);
    case UNIT_MILLENNIUM: return date_from_civil((c.year - 1) / 1000 * 1000 + 1, 1, 1);
    case UNIT_MICROSECONDS: case UNIT_MILLISECONDS: case UNIT_SECOND: case UNIT_MINUTE: case UNIT_HOUR: case UNIT_DAY: case UNIT_DOW: case UNIT_ISODOW:
    case UNIT_DOY: case UNIT_ISOYEAR: case UNIT_EPOCH: case UNIT_JULIAN: case UNIT_TIMEZONE: case UNIT_NONE: break;
    }
    return day;
}

static bool truncate_local(Unit unit, int64_t *usec) {
    switch (unit) {
    case UNIT_MICROSECONDS: return true;
    case UNIT_MILLISECONDS: *usec = floor_to(*usec, 1000); return true;
    case UNIT_SECOND: *usec = floor_to(*usec, USEC_SECOND); return true;
    case UNIT_MINUTE: *usec = floor_to(*usec, USEC_MINUTE); return true;
    case UNIT_HOUR: *usec = floor_to(*usec, USEC_HOUR); return true;
    case UNIT_DAY: case UNIT_WEEK: case UNIT_MONTH: case UNIT_QUARTER: case UNIT_YEAR: case UNIT_DECADE: case UNIT_CENTURY: case UNIT_MILLENNIUM:
        *usec = truncate_day(unit, timestamp_day(*usec)) * USEC_DAY;
        return true;
    case UNIT_DOW: case UNIT_ISODOW: case UNIT_DOY: case UNIT_ISOYEAR: case UNIT_EPOCH: case UNIT_JULIAN: case UNIT_TIMEZONE: case UNIT_NONE: break;
    }
    return false;
}

static bool truncate_interval(Unit unit, int64_t *usec) {
    int64_t step = unit == UNIT_DAY ? USEC_DAY : 1;
    if (unit == UNIT_WEEK || unit > UNIT_MILLENNIUM) return false;
    if (unit < UNIT_DAY) {
        static const int64_t steps[] = {1, 1000, USEC_SECOND, USEC_MINUTE, USEC_HOUR};
        step = steps[unit];
    }
    *usec = unit > UNIT_DAY ? 0 : *usec - *usec % step;         /* toward zero */
    return true;
}

/* date_trunc(unit, x [, zone]) */
SCALAR(sql_date_trunc) {
    Value v;
    Str name = scalar_text(ev, &args[0]);
    Unit unit = find_unit(name);
    if (!read_moment(ev, &args[1], &v)) return false;
    int64_t usec = usec_of(&v);
    if (v.type == SQM_INTERVAL || v.type == SQM_TIME) {
        if (!truncate_interval(unit, &usec)) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "unit \"%.*s\" not supported for type interval", str_clip(name, 100), name.p);
        return give(out, SQM_INTERVAL, usec);
    }
    const Zone *zone = NULL;
    if (n > 2 && !(zone = zone_find(scalar_text(ev, &args[2]), ev->error))) return false;
    int64_t offset = zone ? zone_to_local(zone, usec) - usec : 0;
    usec += offset;
    if (!truncate_local(unit, &usec)) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "unit \"%.*s\" not supported for type %s", str_clip(name, 100), name.p, value_type_name(&v));
    /* An hour that comes twice is cut where it is; days and more begin by the zone's rules. */
    usec = zone && unit >= UNIT_DAY ? zone_to_utc(zone, usec) : usec - offset;
    return give_timestamp(ev, usec, out);
}

/* timezone(zone, x), written x AT TIME ZONE zone. The zone may be an interval east of Greenwich. */
SCALAR(sql_timezone) {
    Value v;
    bool local = scalar_arg_type(e, 1).tag == TYPE_TIMESTAMP;
    if (!read_moment(ev, &args[1], &v)) return false;
    if (!is_instant(&v)) return scalar_fail(ev, SQM_ERROR_NOT_SUPPORTED, "AT TIME ZONE of a %s is not supported", value_type_name(&v));
    int64_t usec = usec_of(&v);
    if (args[0].type == SQM_INTERVAL || args[0].type == SQM_TIME) return give_timestamp(ev, local ? usec - args[0].u.i : usec + args[0].u.i, out);
    if (args[0].type != SQM_TEXT) return scalar_fail(ev, SQM_ERROR_DATATYPE_MISMATCH, "a time zone is text or an interval, not %s", value_type_name(&args[0]));
    const Zone *zone = zone_find(scalar_text(ev, &args[0]), ev->error);
    return zone && give_timestamp(ev, local ? zone_to_utc(zone, usec) : zone_to_local(zone, usec), out);
}

/* ---- making ---- */

static bool read_fields(Eval *ev, const Value *args, int n, int64_t *fields) {
    for (int i = 0; i < n; i++)
        if (!scalar_int(ev, &args[i], &fields[i])) return false;
    return true;
}

static bool make_days(Eval *ev, const int64_t *f, int64_t *days) {
    if (f[0] < 1 || f[0] > 9999 || f[1] < 1 || f[1] > 12 || f[2] < 1 || f[2] > days_in_month((int)f[0], (int)f[1])) {
        return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "date field value out of range: %lld-%02lld-%02lld", (long long)f[0], (long long)f[1], (long long)f[2]);
    }
    *days = date_from_civil((int)f[0], (int)f[1], (int)f[2]);
    return true;
}

/* args: hour, minute, seconds with a fraction. */
static bool make_clock(Eval *ev, const Value *args, int64_t *usec) {
    int64_t f[2];
    double seconds;
    if (!read_fields(ev, args, 2, f) || !scalar_double(ev, &args[2], &seconds)) return false;
    bool ok = f[0] >= 0 && f[0] <= 24 && f[1] >= 0 && f[1] < 60 && seconds >= 0 && seconds <= 60;
    *usec = ok ? f[0] * USEC_HOUR + f[1] * USEC_MINUTE + (int64_t)rint(seconds * 1e6) : -1;
    if (!ok || *usec > USEC_DAY) return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "time field value out of range: %lld:%02lld:%g", (long long)f[0], (long long)f[1], seconds);
    return true;
}

SCALAR(sql_make_date) {
    int64_t f[3], days;
    return read_fields(ev, args, 3, f) && make_days(ev, f, &days) && give(out, SQM_DATE, days);
}

SCALAR(sql_make_time) {
    int64_t usec;
    return make_clock(ev, args, &usec) && give(out, SQM_TIME, usec);
}

SCALAR(sql_make_timestamp) {
    int64_t f[3], days, clock;
    return read_fields(ev, args, 3, f) && make_days(ev, f, &days) && make_clock(ev, args + 3, &clock) && give_timestamp(ev, days * USEC_DAY + clock, out);
}

/* make_timestamptz(y, m, d, h, min, s [, zone]) */
SCALAR(sql_make_timestamptz) {
    if (!sql_make_timestamp(ev, e, args, 6, out)) return false;
    if (n < 7) return true;
    const Zone *zone = zone_find(scalar_text(ev, &args[6]), ev->error);
    return zone && give_timestamp(ev, zone_to_utc(zone, out->u.i), out);
}

/* make_interval(years, months, weeks, days, hours, mins, secs), each of them optional. */
SCALAR(sql_make_interval) {
    static const int64_t units[] = {0, 0, 7 * USEC_DAY, USEC_DAY, USEC_HOUR, USEC_MINUTE};
    __int128 total = 0;
    for (int i = 0; i < n && i < 6; i++) {
        int64_t f;
        if (!scalar_int(ev, &args[i], &f)) return false;
        if (i < 2 && f) return scalar_fail(ev, SQM_ERROR_NOT_SUPPORTED, "intervals of months or years are not supported");
        total += (__int128)f * units[i];
    }
    double seconds = 0;
    if (n > 6 && !scalar_double(ev, &args[6], &seconds)) return false;
    if (!(fabs(seconds) < 9e12)) return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "interval out of range");
    return give_interval(ev, total + (__int128)rint(seconds * 1e6), out);
}

/* age(a [, b]): the time between, in days and less; with one argument from a to midnight today. */
SCALAR(sql_age) {
    Value a, b;
    if (!read_moment(ev, &args[0], &a)) return false;
    if (n == 1) {
        b = a;
        give(&a, SQM_TIMESTAMP, timestamp_day(ev->now) * USEC_DAY);
    } else if (!read_moment(ev, &args[1], &b)) return false;
    if (!is_instant(&a) || !is_instant(&b)) return scalar_fail(ev, SQM_ERROR_UNDEFINED_FUNCTION, "function age(%s, %s) does not exist", value_type_name(&a), value_type_name(&b));
    return give_interval(ev, (__int128)usec_of(&a) - usec_of(&b), out);
}

/* to_timestamp(seconds); with a format: function_format.c. */
SCALAR(sql_to_timestamp) {
    double seconds;
    if (!scalar_double(ev, &args[0], &seconds)) return false;
    if (!(fabs(seconds) < 9e11)) return scalar_fail(ev, SQM_ERROR_INVALID_DATETIME, "timestamp out of range: \"%g\"", seconds);
    return give_timestamp(ev, (int64_t)rint(seconds * 1e6), out);
}

/* date_bin(step, x, origin) */
SCALAR(sql_date_bin) {
    Value step = args[0], v, origin;
    if (step.type == SQM_TEXT && !cast_value(ev, &args[0], TYPE(INTERVAL), &step)) return false;
    if (!read_moment(ev, &args[1], &v) || !read_moment(ev, &args[2], &origin)) return false;
    if (step.type != SQM_INTERVAL || !is_instant(&v) || !is_instant(&origin)) return scalar_fail(ev, SQM_ERROR_DATATYPE_MISMATCH, "date_bin() needs an interval and two timestamps");
    if (step.u.i <= 0) return scalar_fail(ev, SQM_ERROR_INVALID_ARGUMENT, "stride must be greater than zero");
    int64_t offset = usec_of(&v) - usec_of(&origin);
    return give_timestamp(ev, usec_of(&origin) + floor_to(offset, step.u.i), out);
}

/* Days never overflow into months here, and hours already count as days. */
SCALAR(sql_justify) { return *out = args[0], true; }

SCALAR(sql_isfinite) { return *out = sqm_bool(true), true; }
