/* compile.c - what a statement costs before MongoDB hears of it: lexing, parsing, resolving, planning. No server.
 *
 *     compile ROUNDS      prints "name<TAB>nanoseconds" (median of the rounds) for each statement below
 *
 * Plans are cached by text, so each compilation gets a text of its own: a comment with a number stands behind it. "cached" is the same text again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sqm/sqm.h"

static const char *SCHEMA[] = {
    "CREATE TABLE author (id integer PRIMARY KEY, name varchar(50), country varchar(2))",
    "CREATE TABLE book (id integer PRIMARY KEY, title varchar(80), pages integer, author_id integer NOT NULL, publisher_id integer NOT NULL)",
    "CREATE TABLE tag (id integer PRIMARY KEY, name varchar(20))",
    "CREATE TABLE book_tag (id integer PRIMARY KEY, book_id integer NOT NULL, tag_id integer NOT NULL)",
};
static const struct { const char *name, *sql; } STATEMENTS[] = {
    {"row by key", "SELECT book.id, book.title, book.pages, book.author_id, book.publisher_id FROM book WHERE book.id = %s"},
    {"join", "SELECT b.id, b.title FROM book b INNER JOIN author a ON (b.author_id = a.id) WHERE a.name = %s ORDER BY b.title ASC LIMIT 20"},
    {"many-to-many exclude",
     "SELECT COUNT(*) AS c FROM book WHERE NOT (EXISTS(SELECT 1 AS a FROM book_tag u1 INNER JOIN tag u2 ON (u1.tag_id = u2.id) WHERE (u2.name = %s AND "
     "u1.book_id = (book.id)) LIMIT 1))"},
    {"group", "SELECT a.country, COUNT(*) AS n, SUM(b.pages) AS s FROM book b INNER JOIN author a ON (b.author_id = a.id) WHERE b.pages > %s GROUP BY a.country "
              "HAVING COUNT(*) > %s ORDER BY n DESC"},
};

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t prepare(sqm_connection_t *db, const char *sql) {
    sqm_statement_t *statement;
    sqm_error_t error;
    int64_t begun = now();
    if (!sqm_prepare(db, sql, SIZE_MAX, false, &statement, &error)) {
        fprintf(stderr, "%s\n%s\n", sql, error.message);
        exit(1);
    }
    int64_t spent = now() - begun;
    sqm_finalize(statement);
    return spent;
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1000;
    sqm_options_t options = {.offline = true};
    sqm_connection_t *db;
    sqm_error_t error;
    if (!sqm_open(NULL, "bench", &options, &db, &error)) return fprintf(stderr, "%s\n", error.message), 1;
    for (size_t i = 0; i < sizeof SCHEMA / sizeof *SCHEMA; i++) {
        sqm_statement_t *statement;
        if (!sqm_prepare(db, SCHEMA[i], SIZE_MAX, true, &statement, &error) || sqm_step(statement, &error) == SQM_STEP_ERROR)
            return fprintf(stderr, "%s\n", error.message), 1;
        sqm_finalize(statement);
    }
    int64_t *times = malloc(sizeof *times * (size_t)rounds);
    for (size_t i = 0; i < sizeof STATEMENTS / sizeof *STATEMENTS; i++) {
        for (int cached = 0; cached < 2; cached++) {
            if (cached && i) continue;
            for (int r = -10; r < rounds; r++) {
                char sql[2000];
                snprintf(sql, sizeof sql, cached ? "%s" : "%s /* %d */", STATEMENTS[i].sql, r);
                int64_t t = prepare(db, sql);
                if (r >= 0) times[r] = t;
            }
            qsort(times, (size_t)rounds, sizeof *times, compare);
            printf("%s%s\t%lld\n", STATEMENTS[i].name, cached ? ", cached" : "", (long long)times[rounds / 2]);
        }
    }
    free(times);
    sqm_close(db);
    return 0;
}
