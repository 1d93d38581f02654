/* shell.c - the sqm program: SQL at a prompt, every stage of the compiler as text, and the golden tests.
 *
 *     sqm URI [-d DATABASE] [-c SQL] [-f FILE]                                   a prompt, or one text, or a file; URI may come in SQM_URI instead
 *     sqm --ast|--query|--plan|--passes|--mql [--schema FILE.sql] [SQL]          no server: what the compiler makes of SQL (or of standard input)
 *     sqm --golden FILE... [--rewrite]                                           checks (or rewrites) golden files
 *
 * A golden file is a schema (SQL statements), then blocks that end before the next block's head line:
 *     mql: in_subquery (2) NOT IN over a nullable column
 *     SELECT id FROM a WHERE x NOT IN (SELECT y FROM b)
 *     ----
 *     { "aggregate": "a", ... }
 * The word is ast, query, plan, passes, mql or error. Statements before a block's last one are run first, on a catalogue of that block's own.
 * In dumps and golden files %s is a placeholder and %% a percent sign; elsewhere % is itself.
 * This file sees the library through sqm.h alone, like any program. It knows no SQL but where a statement ends. */
#include "sqm/sqm.h"

#include <bson/bson.h>
#include <ctype.h>
#include <editline/readline.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* ---- strings ---- */

typedef struct Buffer { char *p; size_t n, cap; } Buffer;

static void add(Buffer *b, const char *p, size_t n) {
    if (b->n + n + 1 > b->cap) {
        b->cap = (b->n + n + 1) * 2;
        b->p = realloc(b->p, b->cap);
        if (!b->p) abort();
    }
    if (n) memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

static void adds(Buffer *b, const char *z) { add(b, z, strlen(z)); }

__attribute__((format(printf, 2, 3))) static void addf(Buffer *b, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *text = bson_strdupv_printf(fmt, args);
    va_end(args);
    adds(b, text);
    bson_free(text);
}

static bool read_all(FILE *file, Buffer *out) {
    char chunk[65536];
    size_t n;
    add(out, "", 0);
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0) add(out, chunk, n);
    return !ferror(file);
}

static bool read_file(const char *path, Buffer *out) {
    FILE *file = fopen(path, "rb");
    bool ok = file && read_all(file, out);
    if (file) fclose(file);
    if (!ok) fprintf(stderr, "sqm: cannot read %s\n", path);
    return ok;
}

/* The end of the statement that begins at p: behind its ';', or NULL when the text ends first. */
static const char *statement_end(const char *p) {
    const char *start = p;
    while (*p) {
        if (*p == ';') return p + 1;
        if (*p == '\'' || *p == '"') {
            char quote = *p;
            bool escapes = quote == '\'' && p > start && (p[-1] | 32) == 'e' && (p - 1 == start || !isalnum((unsigned char)p[-2]));
            for (p++; *p && *p != quote; p++) p += escapes && *p == '\\' && p[1];
            if (!*p) return NULL;
            p++;
        } else if (p[0] == '-' && p[1] == '-') {
            while (*p && *p != '\n') p++;
        } else if (p[0] == '/' && p[1] == '*') {
            int depth = 1;
            for (p += 2; *p && depth > 0;) {
                if (p[0] == '*' && p[1] == '/') depth--, p += 2;
                else if (p[0] == '/' && p[1] == '*') depth++, p += 2;
                else p++;
            }
            if (depth > 0) return NULL;
        } else if (*p == '$') {
            const char *tag_end = p + 1;
            while (isalnum((unsigned char)*tag_end) || *tag_end == '_') tag_end++;
            if (*tag_end == '$' && !isdigit((unsigned char)p[1])) {
                size_t n = (size_t)(++tag_end - p);
                const char *q = tag_end;
                while (*q && strncmp(q, p, n) != 0) q++;
                if (!*q) return NULL;
                p = q + n;
            } else {
                p++;
            }
        } else {
            p++;
        }
    }
    return NULL;
}

/* Nothing but space and comments. */
static bool is_blank(const char *p, const char *end) {
    while (p < end) {
        if (isspace((unsigned char)*p) || *p == ';') p++;
        else if (p[0] == '-' && p + 1 < end && p[1] == '-') while (p < end && *p != '\n') p++;
        else return false;
    }
    return true;
}

/* ---- tables of text, as psql prints them ---- */

typedef struct Table {
    int columns, rows;
    char **cells;           /* the head, then the rows; owned; NULL prints as nothing */
    int cap;
    bool *right;
} Table;

static Table new_table(int columns) { return (Table){.columns = columns, .right = calloc((size_t)columns + 1, sizeof(bool))}; }

static void put_cell(Table *t, int i, char *text) {
    if (i == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->cells = realloc(t->cells, sizeof(char *) * (size_t)t->cap);
        if (!t->cells) abort();
    }
    t->cells[i] = text;
}

static void free_table(Table *t) {
    for (int i = 0; i < (t->rows + 1) * t->columns; i++) free(t->cells[i]);
    free(t->cells);
    free(t->right);
}

/* The line of a cell that begins at p: its bytes; its width on a terminal goes to *width. */
static int line_of(const char *p, int *width) {
    mbstate_t state = {0};
    int n = 0;
    *width = 0;
    while (p[n] && p[n] != '\n') {
        wchar_t c;
        size_t bytes = mbrtowc(&c, p + n, MB_CUR_MAX, &state);
        if (bytes == 0 || bytes > MB_CUR_MAX) {
            bytes = 1;
            *width += 1;
        } else {
            int w = wcwidth(c);
            *width += w > 0 ? w : 0;
        }
        n += (int)bytes;
    }
    return n;
}

static int width_of(const char *cell) {
    int widest = 0, width;
    for (const char *p = cell; p;) {
        p += line_of(p, &width);
        if (width > widest) widest = width;
        p = *p == '\n' ? p + 1 : NULL;
    }
    return widest;
}

static void print_padding(int n) { printf("%*s", n > 0 ? n : 0, ""); }

/* One row over as many lines as its tallest cell; '+' marks a cell that goes on. */
static void print_row(const Table *t, char *const *cells, const int *widths, bool head) {
    const char **next = malloc(sizeof *next * ((size_t)t->columns + 1));
    bool more = true;
    for (int c = 0; c < t->columns; c++) next[c] = cells[c] ? cells[c] : "";
    while (more) {
        more = false;
        for (int c = 0; c < t->columns; c++) {
            int width = 0, n = next[c] ? line_of(next[c], &width) : 0, gap = widths[c] - width;
            bool goes_on = next[c] && next[c][n] == '\n', last = c == t->columns - 1;
            printf(c ? "| " : " ");
            print_padding(head ? gap / 2 : t->right[c] ? gap : 0);
            if (n) fwrite(next[c], 1, (size_t)n, stdout);
            if (!last || goes_on) print_padding(head ? gap - gap / 2 : t->right[c] ? 0 : gap);
            if (!last || goes_on) putchar(goes_on ? '+' : ' ');
            next[c] = goes_on ? next[c] + n + 1 : NULL;
            more |= goes_on;
        }
        putchar('\n');
    }
    free(next);
}

static void print_table(const Table *t) {
    int *widths = calloc((size_t)t->columns + 1, sizeof(int));
    for (int i = 0; i < (t->rows + 1) * t->columns; i++) {
        int width = t->cells[i] ? width_of(t->cells[i]) : 0;
        if (width > widths[i % t->columns]) widths[i % t->columns] = width;
    }
    print_row(t, t->cells, widths, true);
    for (int c = 0; c < t->columns; c++) {
        if (c) putchar('+');
        for (int i = 0; i < widths[c] + 2; i++) putchar('-');
    }
    putchar('\n');
    for (int r = 1; r <= t->rows; r++) print_row(t, t->cells + r * t->columns, widths, false);
    printf("(%d row%s)\n\n", t->rows, t->rows == 1 ? "" : "s");
    free(widths);
}

/* ---- running statements ---- */

typedef struct Shell { sqm_connection_t *db; const char *database; bool timing; } Shell;

static void print_error(const sqm_error_t *error, const char *sql, size_t n) {
    char text[2000];
    fflush(stdout);
    sqm_error_render(error, sql, n, text, sizeof text);
    fprintf(stderr, "ERROR:  %s\n", text);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool is_number(const char *type) {
    static const char *const numbers[] = {"smallint", "integer", "bigint", "real", "double precision", "numeric"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strncmp(type, numbers[i], strlen(numbers[i])) == 0) return true;
    return false;
}

static char *text_of(const sqm_value_t *value) {
    if (value->type == SQM_NULL) return NULL;
    size_t n;
    char *text = sqm_value_to_text(value, &n), *copy = strdup(text ? text : "?");
    sqm_free(text);
    return copy;
}

static bool print_rows(sqm_statement_t *st, sqm_error_t *error) {
    Table t = new_table(sqm_column_count(st));
    for (int c = 0; c < t.columns; c++) {
        put_cell(&t, c, strdup(sqm_column_name(st, c)));
        t.right[c] = is_number(sqm_column_type(st, c));
    }
    sqm_step_t step;
    while ((step = sqm_step(st, error)) == SQM_ROW) {
        t.rows++;
        for (int c = 0; c < t.columns; c++) put_cell(&t, t.rows * t.columns + c, text_of(sqm_column(st, c)));
    }
    if (step == SQM_DONE) print_table(&t);
    free_table(&t);
    return step == SQM_DONE;
}

static bool run(const Shell *shell, const char *sql, size_t n) {
    sqm_statement_t *st = NULL;
    sqm_error_t error;
    double begin = seconds();
    bool ok = sqm_prepare(shell->db, sql, n, true, &st, &error);
    if (ok && sqm_parameter_count(st) > 0) {
        fprintf(stderr, "ERROR:  the statement has parameters, and there is nothing to bind to them here\n");
        sqm_finalize(st);
        return false;
    }
    if (ok && sqm_returns_rows(st)) {
        ok = print_rows(st, &error);
    } else if (ok) {
        sqm_step_t step;
        while ((step = sqm_step(st, &error)) == SQM_ROW) continue;
        ok = step == SQM_DONE;
        if (ok && sqm_rows_affected(st) >= 0) printf("%s %lld\n", sqm_statement_kind(st), (long long)sqm_rows_affected(st));
        else if (ok) printf("%s\n", sqm_statement_kind(st));
    }
    if (!ok) print_error(&error, sql, n);
    else if (shell->timing) printf("Time: %.3f ms\n", (seconds() - begin) * 1000);
    sqm_finalize(st);
    return ok;
}

/* All statements of a text; stops at the first error. */
static bool run_all(const Shell *shell, const char *text) {
    while (*text) {
        const char *end = statement_end(text);
        if (!end) end = text + strlen(text);
        while (text < end && isspace((unsigned char)*text)) text++;
        if (!is_blank(text, end) && !run(shell, text, (size_t)(end - text))) return false;
        text = end;
    }
    return true;
}

/* ---- backslash commands ---- */

static bson_t *json(const char *text) {
    Buffer wrapped = {0};
    bson_error_t error;
    addf(&wrapped, "{\"v\": %s}", text);
    bson_t *doc = bson_new_from_json((const uint8_t *)wrapped.p, (ssize_t)wrapped.n, &error);
    free(wrapped.p);
    return doc;
}

static const char *string_at(const bson_iter_t *parent, const char *key) {
    bson_iter_t child, found;
    if (!bson_iter_recurse(parent, &child) || !bson_iter_find_descendant(&child, key, &found)) return NULL;
    return BSON_ITER_HOLDS_UTF8(&found) ? bson_iter_utf8(&found, NULL) : NULL;
}

static bool is_true_at(const bson_iter_t *parent, const char *key) {
    bson_iter_t child, found;
    return bson_iter_recurse(parent, &child) && bson_iter_find_descendant(&child, key, &found) && bson_iter_as_bool(&found);
}

static bool list_at(const bson_iter_t *parent, const char *key, bson_iter_t *list) {
    bson_iter_t child, found;
    return bson_iter_recurse(parent, &child) && bson_iter_find_descendant(&child, key, &found) && bson_iter_recurse(&found, list);
}

static void add_names(Buffer *b, const bson_iter_t *parent, const char *key) {
    bson_iter_t list;
    const char *gap = "";
    if (!list_at(parent, key, &list)) return;
    adds(b, " (");
    for (; bson_iter_next(&list); gap = ", ")
        if (BSON_ITER_HOLDS_UTF8(&list)) addf(b, "%s%s", gap, bson_iter_utf8(&list, NULL));
    adds(b, ")");
}

static void describe_all(const Shell *shell) {
    char *text = NULL;
    sqm_error_t error;
    bson_iter_t top, list;
    if (!sqm_tables(shell->db, &text, &error)) {
        print_error(&error, NULL, 0);
        return;
    }
    bson_t *doc = json(text);
    static const char *const heads[] = {"Table", "Type", "Comment"}, *const keys[] = {"name", "type", "comment"};
    Table t = new_table(3);
    for (int c = 0; c < 3; c++) put_cell(&t, c, strdup(heads[c]));
    if (doc && bson_iter_init_find(&top, doc, "v") && bson_iter_recurse(&top, &list))
        while (bson_iter_next(&list)) {
            t.rows++;
            for (int c = 0; c < 3; c++) {
                const char *cell = string_at(&list, keys[c]);
                put_cell(&t, t.rows * t.columns + c, strdup(cell ? cell : ""));
            }
        }
    print_table(&t);
    free_table(&t);
    bson_destroy(doc);
    sqm_free(text);
}

static void describe_constraints(const bson_iter_t *table) {
    bson_iter_t list;
    const char *head = "Constraints:\n";
    if (!list_at(table, "constraints", &list)) return;
    while (bson_iter_next(&list)) {
        Buffer b = {0};
        const char *name = string_at(&list, "name"), *kind = string_at(&list, "kind"), *check = string_at(&list, "expression"), *where = string_at(&list, "where");
        addf(&b, "    \"%s\" %s", name ? name : "", kind ? kind : "");
        if (check) addf(&b, " (%s)", check);
        else add_names(&b, &list, "columns");
        bson_iter_t target;
        if (list_at(&list, "references", &target) && bson_iter_next(&target)) {
            addf(&b, " references %s", BSON_ITER_HOLDS_UTF8(&target) ? bson_iter_utf8(&target, NULL) : "?");
            if (bson_iter_next(&target) && BSON_ITER_HOLDS_UTF8(&target)) addf(&b, " (%s)", bson_iter_utf8(&target, NULL));
        }
        if (where) addf(&b, " where %s", where);
        printf("%s%s\n", head, b.p);
        head = "";
        free(b.p);
    }
}

static void describe_indexes(const bson_iter_t *table) {
    bson_iter_t list;
    const char *head = "Indexes:\n";
    if (!list_at(table, "indexes", &list)) return;
    while (bson_iter_next(&list)) {
        Buffer b = {0};
        const char *name = string_at(&list, "name"), *where = string_at(&list, "where");
        addf(&b, "    \"%s\"%s", name ? name : "", is_true_at(&list, "unique") ? " unique" : "");
        add_names(&b, &list, "columns");
        if (where) addf(&b, " where %s", where);
        printf("%s%s\n", head, b.p);
        head = "";
        free(b.p);
    }
}

static void describe(const Shell *shell, const char *name) {
    char *text = NULL;
    sqm_error_t error;
    bson_iter_t top, list;
    if (!sqm_table(shell->db, name, &text, &error)) {
        print_error(&error, NULL, 0);
        return;
    }
    bson_t *doc = json(text);
    static const char *const heads[] = {"Column", "Type", "Nullable", "Default"};
    Table t = new_table(4);
    for (int c = 0; c < 4; c++) put_cell(&t, c, strdup(heads[c]));
    bool found = doc && bson_iter_init_find(&top, doc, "v");
    if (found && list_at(&top, "columns", &list)) {
        while (bson_iter_next(&list)) {
            const char *column = string_at(&list, "name"), *type = string_at(&list, "type"), *value = string_at(&list, "default");
            int row = ++t.rows * t.columns;
            put_cell(&t, row, strdup(column ? column : ""));
            put_cell(&t, row + 1, strdup(type ? type : ""));
            put_cell(&t, row + 2, strdup(is_true_at(&list, "not_null") ? "not null" : ""));
            put_cell(&t, row + 3, strdup(is_true_at(&list, "auto") ? "identity" : value ? value : ""));
        }
    }
    printf("Table \"%s\"\n", name);
    print_table(&t);
    free_table(&t);
    if (found) {
        describe_indexes(&top);
        describe_constraints(&top);
    }
    bson_destroy(doc);
    sqm_free(text);
}

static const char help[] =
    "\\d              tables                 \\explain SQL    the plan and its commands\n"
    "\\d TABLE        one table              \\timing         how long each statement takes\n"
    "\\q              quit                   \\?              this help\n"
    "Anything else is SQL, up to a semicolon.\n";

/* False: quit. */
static bool command(Shell *shell, char *line) {
    char *word = line + 1, *rest = word + strcspn(word, " \t\n");
    if (*rest) *rest++ = '\0';
    rest += strspn(rest, " \t\n");
    for (size_t n = strlen(rest); n > 0 && (isspace((unsigned char)rest[n - 1]) || rest[n - 1] == ';'); n--) rest[n - 1] = '\0';
    if (strcmp(word, "q") == 0) return false;
    if (strcmp(word, "?") == 0) {
        fputs(help, stdout);
    } else if (strcmp(word, "d") == 0) {
        if (*rest) describe(shell, rest);
        else describe_all(shell);
    } else if (strcmp(word, "explain") == 0) {
        Buffer sql = {0};
        addf(&sql, "EXPLAIN %s", rest);
        run(shell, sql.p, sql.n);
        free(sql.p);
    } else if (strcmp(word, "timing") == 0) {
        shell->timing = !shell->timing;
        printf("Timing is %s.\n", shell->timing ? "on" : "off");
    } else {
        fprintf(stderr, "unknown command \\%s; try \\?\n", word);
    }
    return true;
}

/* ---- the prompt ---- */

/* Runs the complete statements at the front of `pending` and keeps the rest. */
static void run_complete(const Shell *shell, Buffer *pending) {
    const char *end;
    size_t done = 0;
    while ((end = statement_end(pending->p + done)) != NULL) {
        const char *begin = pending->p + done;
        while (isspace((unsigned char)*begin)) begin++;
        if (!is_blank(begin, end)) run(shell, begin, (size_t)(end - begin));
        done = (size_t)(end - pending->p);
    }
    while (isspace((unsigned char)pending->p[done])) done++;
    memmove(pending->p, pending->p + done, pending->n - done + 1);
    pending->n -= done;
}

static void interact(Shell *shell) {
    Buffer pending = {0}, history = {0};
    const char *home = getenv("HOME");
    if (home) {
        addf(&history, "%s/.sqm_history", home);
        using_history();
        stifle_history(1000);
        read_history(history.p);
    }
    printf("sqm %s, database \"%s\". \\? for help, \\q to quit.\n", SQM_VERSION, shell->database);
    add(&pending, "", 0);
    for (;;) {
        char prompt[100];
        snprintf(prompt, sizeof prompt, "%s%s> ", shell->database, sqm_in_transaction(shell->db) ? (pending.n ? "*-" : "*=") : pending.n ? "-" : "=");
        char *line = readline(prompt);
        if (!line) break;
        if (*line) add_history(line);
        bool go_on = true;
        if (pending.n == 0 && *line == '\\') {
            go_on = command(shell, line);
        } else {
            adds(&pending, line);
            if (pending.n) adds(&pending, "\n");
            run_complete(shell, &pending);
        }
        free(line);
        if (!go_on) break;
    }
    if (history.p) write_history(history.p);
    free(pending.p);
    free(history.p);
}

/* ---- dumps, without a server ---- */

static sqm_connection_t *open_offline(void) {
    sqm_connection_t *db = NULL;
    sqm_error_t error;
    sqm_options_t options = {.offline = true};
    if (!sqm_open("mongodb://localhost/", "offline", &options, &db, &error)) {
        print_error(&error, NULL, 0);
        exit(2);
    }
    return db;
}

/* Executes all statements but leaves the last one alone when `last` is given: it is returned there. */
static bool run_schema(sqm_connection_t *db, const char *text, const char **last, size_t *last_n, sqm_error_t *error, const char **failed, size_t *failed_n) {
    while (*text) {
        const char *end = statement_end(text), *begin = text;
        if (!end) end = text + strlen(text);
        text = end;
        while (begin < end && isspace((unsigned char)*begin)) begin++;
        if (is_blank(begin, end)) continue;
        if (last && is_blank(end, end + strlen(end))) {
            *last = begin;
            *last_n = (size_t)(end - begin);
            return true;
        }
        sqm_statement_t *st = NULL;
        bool ok = sqm_prepare(db, begin, (size_t)(end - begin), true, &st, error) && sqm_step(st, error) != SQM_STEP_ERROR;
        sqm_finalize(st);
        if (ok) continue;
        *failed = begin;
        *failed_n = (size_t)(end - begin);
        return false;
    }
    return true;
}

static const struct { const char *name; sqm_stage_t stage; } stages[] = {
    {"ast", SQM_STAGE_AST}, {"query", SQM_STAGE_QUERY}, {"plan", SQM_STAGE_PLAN}, {"passes", SQM_STAGE_PASSES}, {"mql", SQM_STAGE_MQL},
};
enum { N_STAGES = sizeof stages / sizeof stages[0], NO_STAGE = -1, ERROR_STAGE = N_STAGES };

static int stage_named(const char *name, size_t n) {
    for (int i = 0; i < N_STAGES; i++)
        if (strlen(stages[i].name) == n && memcmp(stages[i].name, name, n) == 0) return i;
    return n == 5 && memcmp(name, "error", 5) == 0 ? ERROR_STAGE : NO_STAGE;
}

/* The dump of the last statement of `sql`, or the error, as golden files show it. True unless it is an error. */
static bool dump(sqm_connection_t *db, const char *sql, int stage, Buffer *out) {
    sqm_error_t error;
    const char *at = "", *failed = NULL;
    size_t n = 0, failed_n = 0;
    if (!run_schema(db, sql, &at, &n, &error, &failed, &failed_n)) {
        at = failed;
        n = failed_n;
    } else {
        sqm_statement_t *st = NULL;
        char *text = NULL;
        bool ok = sqm_prepare(db, at, n, false, &st, &error) && sqm_dump(st, stage == ERROR_STAGE ? SQM_STAGE_MQL : stages[stage].stage, &text, &error);
        if (ok) {
            adds(out, text);
            if (out->n && out->p[out->n - 1] != '\n') adds(out, "\n");
        }
        sqm_free(text);
        sqm_finalize(st);
        if (ok) return true;
    }
    char text[2000];
    sqm_error_render(&error, at, n, text, sizeof text);
    addf(out, "%s: %s\n", sqm_error_name(error.code), text);
    return false;
}

static int dump_main(int stage, const char *schema, const char *sql) {
    sqm_connection_t *db = open_offline();
    Buffer text = {0}, input = {0}, out = {0};
    sqm_error_t error;
    const char *failed;
    size_t failed_n;
    bool ok = true;
    if (schema) {
        ok = read_file(schema, &text);
        if (ok && !run_schema(db, text.p, NULL, NULL, &error, &failed, &failed_n)) {
            print_error(&error, failed, failed_n);
            ok = false;
        }
    }
    if (ok && !sql) ok = read_all(stdin, &input);
    if (ok) {
        ok = dump(db, sql ? sql : input.p, stage, &out);
        fputs(out.p, ok ? stdout : stderr);
    }
    sqm_close(db);
    free(text.p);
    free(input.p);
    free(out.p);
    return ok ? 0 : 1;
}

/* ---- golden files ---- */

static const char *next_line(const char *p) {
    p += strcspn(p, "\n");
    return *p ? p + 1 : p;
}

static bool is_head(const char *line) {
    size_t n = strcspn(line, ":\n");
    return line[n] == ':' && line[n + 1] == ' ' && stage_named(line, n) != NO_STAGE;
}

static const char *next_head(const char *p) {
    while (*p && !is_head(p)) p = next_line(p);
    return p;
}

static const char *separator(const char *p, const char *end) {
    for (; p < end; p = next_line(p))
        if (strncmp(p, "----\n", 5) == 0) return p;
    return NULL;
}

static sqm_connection_t *open_with_schema(const char *path, const char *schema) {
    sqm_connection_t *db = open_offline();
    sqm_error_t error;
    const char *failed;
    size_t failed_n;
    if (!run_schema(db, schema, NULL, NULL, &error, &failed, &failed_n)) {
        fprintf(stderr, "%s: the schema fails\n", path);
        print_error(&error, failed, failed_n);
        exit(2);
    }
    return db;
}

/* Compares one block, from head to end; adds what it should look like to *rewritten. */
static bool golden_block(const char *path, const char *schema, const char *head, const char *end, Buffer *rewritten) {
    const char *sql = next_line(head), *line = separator(sql, end);
    if (!line) {
        fprintf(stderr, "%s: no ---- line in the block \"%.*s\"\n", path, (int)strcspn(head, "\n"), head);
        exit(2);
    }
    const char *expected = next_line(line);
    while (end > expected && isspace((unsigned char)end[-1])) end--;
    int stage = stage_named(head, strcspn(head, ":"));
    Buffer text = {0}, got = {0};
    add(&text, sql, (size_t)(line - sql));
    add(&got, "", 0);
    sqm_connection_t *db = open_with_schema(path, schema);
    bool compiled = dump(db, text.p, stage, &got);
    sqm_close(db);
    while (got.n && isspace((unsigned char)got.p[got.n - 1])) got.p[--got.n] = '\0';
    bool same = compiled == (stage != ERROR_STAGE) && got.n == (size_t)(end - expected) && memcmp(got.p, expected, got.n) == 0;
    if (!same) printf("%s: %.*s\n%s--- expected\n%.*s\n--- got\n%s\n\n", path, (int)strcspn(head, "\n"), head, text.p, (int)(end - expected), expected, got.p);
    add(rewritten, head, (size_t)(expected - head));
    add(rewritten, got.p, got.n);
    adds(rewritten, "\n\n");
    free(text.p);
    free(got.p);
    return same;
}

static int golden_file(const char *path, bool rewrite, int *blocks) {
    Buffer file = {0}, schema = {0}, rewritten = {0};
    int failures = 0;
    if (!read_file(path, &file)) exit(2);
    const char *head = next_head(file.p);
    add(&schema, file.p, (size_t)(head - file.p));
    add(&rewritten, schema.p, schema.n);
    while (*head) {
        const char *end = next_head(next_line(head));
        failures += !golden_block(path, schema.p, head, end, &rewritten);
        ++*blocks;
        head = end;
    }
    while (rewritten.n > 1 && rewritten.p[rewritten.n - 1] == '\n' && rewritten.p[rewritten.n - 2] == '\n') rewritten.p[--rewritten.n] = '\0';
    if (rewrite && failures) {
        FILE *out = fopen(path, "wb");
        bool ok = out && fwrite(rewritten.p, 1, rewritten.n, out) == rewritten.n;
        if (!out || fclose(out) != 0 || !ok) {
            fprintf(stderr, "sqm: cannot write %s\n", path);
            exit(2);
        }
    }
    free(file.p);
    free(schema.p);
    free(rewritten.p);
    return failures;
}

static int golden_main(char **paths, int n) {
    bool rewrite = false;
    int failures = 0, blocks = 0, files = 0;
    for (int i = 0; i < n; i++) rewrite |= strcmp(paths[i], "--rewrite") == 0;
    for (int i = 0; i < n; i++) {
        if (strcmp(paths[i], "--rewrite") == 0) continue;
        failures += golden_file(paths[i], rewrite, &blocks);
        files++;
    }
    printf("%d blocks in %d files, %d %s\n", blocks, files, failures, rewrite ? "rewritten" : "failed");
    return failures && !rewrite ? 1 : 0;
}

/* ---- the command line ---- */

static int usage(void) {
    fprintf(stderr, "usage: sqm URI [-d DATABASE] [-c SQL] [-f FILE]\n"
                    "       sqm --ast|--query|--plan|--passes|--mql [--schema FILE.sql] [SQL]\n"
                    "       sqm --golden FILE... [--rewrite]\n");
    return 2;
}

/* mongodb://host/NAME?options -> NAME; "test" when there is none. */
static char *database_of(const char *uri) {
    const char *host = strstr(uri, "://"), *slash = host ? strchr(host + 3, '/') : NULL;
    size_t n = slash ? strcspn(slash + 1, "?") : 0;
    return n ? strndup(slash + 1, n) : strdup("test");
}

static int connect_main(const char *uri, const char *database, const char *sql, const char *file) {
    char *name = database ? strdup(database) : database_of(uri);
    Shell shell = {.database = name};
    sqm_error_t error;
    Buffer text = {0};
    bool ok = sqm_open(uri, name, NULL, &shell.db, &error);
    if (!ok) print_error(&error, NULL, 0);
    if (ok && sql) ok = run_all(&shell, sql);
    if (ok && file) ok = read_file(file, &text) && run_all(&shell, text.p);
    if (ok && !sql && !file) {
        if (isatty(STDIN_FILENO)) interact(&shell);
        else ok = read_all(stdin, &text) && run_all(&shell, text.p);
    }
    sqm_close(shell.db);
    free(text.p);
    free(name);
    return ok ? 0 : 1;
}

int main(int argc, char **argv) {
    setlocale(LC_CTYPE, "");
    if (argc > 1 && strcmp(argv[1], "--golden") == 0) return argc > 2 ? golden_main(argv + 2, argc - 2) : usage();
    int stage = NO_STAGE;
    const char *uri = NULL, *schema = NULL, *database = NULL, *sql = NULL, *file = NULL, *words = NULL;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        bool has_value = i + 1 < argc;
        if (strcmp(arg, "--schema") == 0 && has_value) schema = argv[++i];
        else if (strcmp(arg, "-d") == 0 && has_value) database = argv[++i];
        else if (strcmp(arg, "-c") == 0 && has_value) sql = argv[++i];
        else if (strcmp(arg, "-f") == 0 && has_value) file = argv[++i];
        else if (strncmp(arg, "--", 2) == 0 && stage == NO_STAGE && (stage = stage_named(arg + 2, strlen(arg + 2))) != NO_STAGE && stage != ERROR_STAGE) continue;
        else if (*arg != '-' && stage != NO_STAGE && !words) words = arg;
        else if (*arg != '-' && !uri) uri = arg;
        else return usage();
    }
    if (stage != NO_STAGE) return uri || database || file ? usage() : dump_main(stage, schema, words ? words : sql);
    /* A command line is there for all to read; where the URI holds a password it comes this way. */
    if (!uri) uri = getenv("SQM_URI");
    return uri && !schema ? connect_main(uri, database, sql, file) : usage();
}
