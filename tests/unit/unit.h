/* unit.h - the smallest test runner that says where it failed.
 *
 *     TEST(adds) { CHECK_INT(1 + 1, 2); }
 *     int main(void) { RUN(adds); return unit_report(); }
 *
 * A failed check prints file, line and both values, and the test goes on. */
#ifndef SQM_UNIT_H
#define SQM_UNIT_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int unit_checks, unit_failures;
static const char *unit_test = "";

#define TEST(name) static void name(void)
#define RUN(name) (unit_test = #name, name())

static inline void unit_fail(const char *file, int line) {
    unit_failures++;
    fprintf(stderr, "%s:%d: in %s: ", file, line, unit_test);
}

#define CHECK(condition)                                                                                              \
    do {                                                                                                              \
        unit_checks++;                                                                                                \
        if (!(condition)) unit_fail(__FILE__, __LINE__), fprintf(stderr, "not true: %s\n", #condition);               \
    } while (0)

#define CHECK_INT(got, expected)                                                                                      \
    do {                                                                                                              \
        int64_t got_ = (int64_t)(got), expected_ = (int64_t)(expected);                                               \
        unit_checks++;                                                                                                \
        if (got_ != expected_) unit_fail(__FILE__, __LINE__), fprintf(stderr, "%s is %" PRId64 ", expected %" PRId64 "\n", #got, got_, expected_); \
    } while (0)

#define CHECK_STR(got, expected) unit_check_str(__FILE__, __LINE__, #got, (got), (expected))
static inline void unit_check_str(const char *file, int line, const char *what, const char *got, const char *expected) {
    unit_checks++;
    if (got && expected && strcmp(got, expected) == 0) return;
    unit_fail(file, line);
    fprintf(stderr, "%s is\n  %s\nexpected\n  %s\n", what, got ? got : "(null)", expected ? expected : "(null)");
}

static inline double unit_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline int unit_report(void) {
    fprintf(stderr, "%d checks, %d failed\n", unit_checks, unit_failures);
    return unit_failures != 0;
}

#endif
