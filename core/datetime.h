/* datetime.h - calendar, text forms and time zones of dates, times, timestamps and intervals.
 *
 * A date is days since 1970-01-01, a time microseconds since midnight (24:00:00 allowed), a timestamp microseconds since 1970-01-01T00:00,
 * an interval microseconds: a day is 24 hours, and months, which have no fixed length, are refused. Proleptic Gregorian, years 1..9999. */
#ifndef SQM_DATETIME_H
#define SQM_DATETIME_H

#include "base.h"

#define USEC_SECOND INT64_C(1000000)
#define USEC_MINUTE (60 * USEC_SECOND)
#define USEC_HOUR (3600 * USEC_SECOND)
#define USEC_DAY (86400 * USEC_SECOND)
#define DATE_MIN (-719162)                      /* 0001-01-01 */
#define DATE_MAX 2932896                        /* 9999-12-31 */
#define TIMESTAMP_MIN (DATE_MIN * USEC_DAY)
#define TIMESTAMP_MAX ((DATE_MAX + 1) * USEC_DAY - 1)

typedef struct Civil { int year, month, day, hour, minute, second, usec; } Civil;

int64_t date_from_civil(int year, int month, int day);              /* month 1..12, day 1..31 */
Civil date_to_civil(int64_t days);
Civil timestamp_to_civil(int64_t usec);
int days_in_month(int year, int month);
int date_iso_week(int64_t days, int *iso_year);                     /* 1..53 */
static inline int date_iso_weekday(int64_t days) { return (int)(((days + 3) % 7 + 7) % 7) + 1; }   /* Monday 1 .. Sunday 7 */
/* Floor division: the day a timestamp lies in. */
static inline int64_t timestamp_day(int64_t usec) { return usec / USEC_DAY - (usec % USEC_DAY < 0); }
static inline bool date_in_range(int64_t days) { return days >= DATE_MIN && days <= DATE_MAX; }
static inline bool timestamp_in_range(int64_t usec) { return usec >= TIMESTAMP_MIN && usec <= TIMESTAMP_MAX; }

/* Text in. ISO 8601 and PostgreSQL's ISO style; surrounding space is ignored. INVALID_DATETIME otherwise. A timestamp's offset or zone name
 * is applied when `with_zone` (none: UTC) and ignored when not, as PostgreSQL does. */
bool datetime_parse_date(Str text, int64_t *days, sqm_error_t *error);
bool datetime_parse_time(Str text, int64_t *usec, sqm_error_t *error);
bool datetime_parse_timestamp(Str text, bool with_zone, int64_t *usec, sqm_error_t *error);
bool datetime_parse_interval(Str text, int64_t *usec, sqm_error_t *error);   /* '1 day 02:00:00', 'P1DT2H', '3 hours ago', '90' (seconds) */

/* Text out, NUL-terminated into at least DATETIME_TEXT bytes; returns the length. PostgreSQL's ISO style: 2020-01-02, 10:11:12.5,
 * 2020-01-02 10:11:12.5[+00], 1 day 02:00:00. `separator` is ' ' or 'T' (JSON). */
#define DATETIME_TEXT 64
size_t date_text(int64_t days, char *out);
size_t time_text(int64_t usec, char *out);
size_t timestamp_text(int64_t usec, char separator, bool with_zone, char *out);
size_t interval_text(int64_t usec, char *out);

/* Time zones: Olson names by ICU's data, abbreviations PostgreSQL knows, and POSIX forms in which a positive offset lies WEST of Greenwich,
 * as PostgreSQL reads '+05:30' and 'Any/Name-01:00'. NULL: no such zone, error set. Zones live as long as the process; any thread may use them. */
typedef struct Zone Zone;
const Zone *zone_find(Str name, sqm_error_t *error);
int zone_offset(const Zone *z, int64_t utc);                         /* seconds east of Greenwich at that instant */
int64_t zone_to_local(const Zone *z, int64_t utc);
/* A local time that a spring-forward skips is read with the offset before it, one that occurs twice as the later (standard) one. */
int64_t zone_to_utc(const Zone *z, int64_t local);

#endif
