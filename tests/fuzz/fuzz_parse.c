/* fuzz_parse.c - bytes -> AST -> text -> AST is a fixed point, and no bytes do harm.
 *
 * Each input is read as a statement (with and without placeholders), dumped, and read as an expression. Whatever was accepted as an expression or a
 * query must print to text that reads to an equal tree. Build with libFuzzer, or with standalone.c to replay files. */
#include "ast.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static AstExpr *read_expr(Arena *arena, Str sql, sqm_error_t *error) {
    Compile cc = {.arena = arena, .sql = sql, .error = error};
    if (setjmp(cc.exit)) return NULL;
    return parse_expression(&cc);
}

static Stmt *read_stmt(Arena *arena, Str sql, bool literal_percent, sqm_error_t *error) {
    Compile cc = {.arena = arena, .sql = sql, .error = error};
    if (setjmp(cc.exit)) {
        char text[2000];
        sqm_error_render(error, sql.p, sql.n, text, sizeof text);
        if (error->position > (int)sql.n) abort();
        return NULL;
    }
    return parse(&cc, literal_percent).stmt;
}

static void must_agree(Arena *arena, Str sql, const AstExpr *e) {
    sqm_error_t error;
    Text text = {.arena = arena};
    ast_expr_sql(&text, e);
    if (text.n > MAX_SQL_BYTES) return;
    const AstExpr *again = read_expr(arena, (Str){text.p, (uint32_t)text.n}, &error);
    if (again && ast_equal(e, again)) return;
    if (!again && error.code == SQM_ERROR_PROGRAM_LIMIT_EXCEEDED) return;      /* the printed parentheses nest deeper than the input did */
    fprintf(stderr, "not a fixed point:\n" STR_FMT "\n%s\n%s\n", STR_ARG(sql), text.p, again ? "(reads to another tree)" : error.message);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena arena = {0};
    sqm_error_t error;
    Str sql = {(const char *)data, (uint32_t)size};
    for (int mode = 0; mode < 2; mode++) {
        const Stmt *s = read_stmt(&arena, sql, mode, &error);
        if (!s) continue;
        Text dump = {.arena = &arena};
        ast_dump(&dump, s);
        if (!s->select) continue;
        AstExpr wrapped = {.tag = AST_SUBQUERY, .select = s->select};
        must_agree(&arena, sql, &wrapped);
    }
    const AstExpr *e = read_expr(&arena, sql, &error);
    if (e) must_agree(&arena, sql, e);
    arena_free(&arena);
    return 0;
}
