/* test_datetime.c - calendar, text forms and zones below the functions of SQL: round trips over the whole range, bad input, offsets around shifts. */
#include "datetime.h"
#include "unit.h"

static sqm_error_t error;
static char buffer[DATETIME_TEXT];

static Str str(const char *z) { return str_from(z); }

TEST(calendar) {
    CHECK_INT(date_from_civil(1970, 1, 1), 0);
    CHECK_INT(date_from_civil(1, 1, 1), DATE_MIN);
    CHECK_INT(date_from_civil(9999, 12, 31), DATE_MAX);
    int year = 1, month = 1, day = 1, bad = 0;
    for (int64_t d = DATE_MIN; d <= DATE_MAX; d++) {
        Civil c = date_to_civil(d);
        bad += c.year != year || c.month != month || c.day != day || date_from_civil(year, month, day) != d;
        if (++day > days_in_month(year, month)) {
            day = 1;
            if (++month > 12) month = 1, year++;
        }
    }
    CHECK_INT(bad, 0);
    int iso_year;
    CHECK_INT(date_iso_week(date_from_civil(2021, 1, 3), &iso_year), 53);
    CHECK_INT(iso_year, 2020);
    CHECK_INT(date_iso_week(date_from_civil(2024, 12, 30), &iso_year), 1);
    CHECK_INT(iso_year, 2025);
    CHECK_INT(date_iso_weekday(date_from_civil(2024, 2, 29)), 4);
    CHECK_INT(date_iso_weekday(-4), 7);
    Civil c = timestamp_to_civil(-1);
    CHECK(c.year == 1969 && c.month == 12 && c.day == 31 && c.hour == 23 && c.minute == 59 && c.second == 59 && c.usec == 999999);
}

TEST(round_trips) {
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        int64_t ts = TIMESTAMP_MIN + (int64_t)(x % (uint64_t)(TIMESTAMP_MAX - TIMESTAMP_MIN)), back = 0;
        timestamp_text(ts, i % 2 ? ' ' : 'T', i % 3 == 0, buffer);
        if (!datetime_parse_timestamp(str(buffer), true, &back, &error) || back != ts) CHECK_STR(buffer, "a timestamp that reads back");
        int64_t interval = (int64_t)x >> (x % 60);
        if (interval == INT64_MIN) interval++;
        interval_text(interval, buffer);
        if (!datetime_parse_interval(str(buffer), &back, &error) || back != interval) CHECK_STR(buffer, "an interval that reads back");
        time_text(ts - timestamp_day(ts) * USEC_DAY, buffer);
        if (!datetime_parse_time(str(buffer), &back, &error) || back != ts - timestamp_day(ts) * USEC_DAY) CHECK_STR(buffer, "a time that reads back");
    }
    interval_text(0, buffer);
    CHECK_STR(buffer, "00:00:00");
    interval_text(-USEC_DAY - 1, buffer);
    CHECK_STR(buffer, "-1 days -00:00:00.000001");
    interval_text(INT64_MIN, buffer);
    CHECK_STR(buffer, "-106751991 days -04:00:54.775808");
}

TEST(refused) {
    static const char *const dates[] = {"", " ", "2024", "2024-", "2024-1", "24-01-01", "2024-00-01", "2024-01-32", "0000-01-01", "10000-01-01", "2024-01-01x", "infinity", "2024-01/01", "Jan 1 2024", "2024-01-01 BC", "-2024-01-01"};
    static const char *const times[] = {"", "1", "10:", "10:1x", "25:00", "10:60", "10:00:61", "24:00:00.1", "10:00 XM", "13:00 pm", "10:00:00+99"};
    static const char *const intervals[] = {"", "x", "1 x", "day", "1 day day", "P", "P1", "PT1D", "1-2", "1:2:3:4", "--1 day", "1 day +", "1e3 days", "99999999999999999999 days", "9999999999 days"};
    static const char *const months[] = {"1 month", "2 years", "P1Y", "P1M", "1 decade"};
    int64_t out;
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
        if (datetime_parse_date(str(dates[i]), &out, &error) || error.code != SQM_ERROR_INVALID_DATETIME) CHECK_STR(dates[i], "a refused date");
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (datetime_parse_time(str(times[i]), &out, &error) || error.code != SQM_ERROR_INVALID_DATETIME) CHECK_STR(times[i], "a refused time");
    for (size_t i = 0; i < sizeof intervals / sizeof *intervals; i++)
        if (datetime_parse_interval(str(intervals[i]), &out, &error) || error.code != SQM_ERROR_INVALID_DATETIME) CHECK_STR(intervals[i], "a refused interval");
    for (size_t i = 0; i < sizeof months / sizeof *months; i++)
        if (datetime_parse_interval(str(months[i]), &out, &error) || error.code != SQM_ERROR_NOT_SUPPORTED) CHECK_STR(months[i], "an interval of months");
    CHECK(datetime_parse_interval(str("0 months 1 day"), &out, &error) && out == USEC_DAY);
    CHECK(!datetime_parse_timestamp(str("0001-01-01 00:00+05"), true, &out, &error));
    CHECK(datetime_parse_timestamp(str("0001-01-01 00:00+05"), false, &out, &error) && out == TIMESTAMP_MIN);
}

static int64_t parse(const char *z) {
    int64_t out = -1;
    CHECK(datetime_parse_timestamp(str(z), false, &out, &error));
    return out;
}
static const char *shown(int64_t ts) { return timestamp_text(ts, ' ', false, buffer), buffer; }

TEST(zones) {
    const Zone *paris = zone_find(str("Europe/Paris"), &error);
    CHECK(paris && paris == zone_find(str("Europe/Paris"), &error));
    CHECK_INT(zone_offset(paris, parse("2024-03-31 00:59:59.999999")), 3600);
    CHECK_INT(zone_offset(paris, parse("2024-03-31 01:00:00")), 7200);
    CHECK_INT(zone_offset(paris, parse("1800-01-01 00:00:00")), 561);
    CHECK_INT(zone_offset(paris, parse("9999-07-01 00:00:00")), 7200);
    CHECK_STR(shown(zone_to_utc(paris, parse("2024-03-31 02:30:00"))), "2024-03-31 01:30:00");
    CHECK_STR(shown(zone_to_utc(paris, parse("2024-10-27 02:30:00"))), "2024-10-27 01:30:00");
    static const struct { const char *name; int offset; } fixed[] = {
        {"UTC", 0}, {"z", 0}, {"+05:30", -19800}, {"-05:30", 19800}, {"-8", 28800}, {"Africa/Nairobi-01:00", 3600}, {"Etc/GMT+5", -18000}, {"EST", -18000},
        {"<x>3", -10800}, {"cet", 3600}, {"asia/KOLKATA", 19800}, {"UTC+01:02:03", -3723}, {"Asia/Kathmandu", 20700}, {"EST5", -18000},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        const Zone *z = zone_find(str(fixed[i].name), &error);
        CHECK_INT(z ? zone_offset(z, parse("2024-07-01 00:00:00")) : -1, fixed[i].offset);
    }
    static const char *const unknown[] = {"", "Nowhere", "Europe/Pari", "+", "Europe/Paris ", "+05:30:", "+05:60", "ECT", "+05x"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        if (zone_find(str(unknown[i]), &error) || error.code != SQM_ERROR_INVALID_ARGUMENT) CHECK_STR(unknown[i], "an unknown zone");
    /* local times that exist once come back */
    static const char *const names[] = {"America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns", "Africa/Monrovia"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        const Zone *z = zone_find(str(names[k]), &error);
        int bad = 0;
        for (int64_t t = parse("1950-01-01 00:00:00"); t < parse("2600-01-01 00:00:00"); t += 37 * USEC_HOUR + 11 * USEC_SECOND) {
            int64_t back = zone_to_utc(z, zone_to_local(z, t));
            bad += back != t && (zone_to_local(z, back) != zone_to_local(z, t) || back < t);
        }
        CHECK_INT(bad, 0);
    }
}

int main(void) {
    RUN(calendar);
    RUN(round_trips);
    RUN(refused);
    RUN(zones);
    return unit_report();
}
