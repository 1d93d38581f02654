/* resolve_select_set.c - set-returning functions in the select list: SELECT id, unnest(tags) FROM post.
 *
 * Each is one more item of FROM, LATERAL and without a name, and the place where it stands is its column: rows are repeated for what it returns before they are grouped, made distinct, sorted
 * and counted, as in PostgreSQL. GROUP BY and ORDER BY mean the same item when they spell the same call. PostgreSQL computes aggregates and window functions before such a function, of which a join
 * knows nothing, and runs several of them side by side: these are refused. */
#include "resolve_internal.h"

static bool same_call(const Expr *a, const Expr *b) {
    if (strcmp(a->function->name, b->function->name) != 0 || a->args.n != b->args.n) return false;
    for (int i = 0; i < a->args.n; i++)
        if (!expr_equal(a->args.at[i], b->args.at[i])) return false;
    return true;
}

static _Noreturn void refuse(const Resolver *r, const AstExpr *e, const char *what) {
    fail_hint(r->cc, SQM_ERROR_NOT_SUPPORTED, e->pos, "Call it in FROM, as in: FROM t CROSS JOIN LATERAL f(t.x) AS s(value).", "set-returning function " STR_FMT " %s is not supported", STR_ARG(e->name), what);
}

static bool computes_groups(const AstExpr *e) {
    if (e->tag == AST_FUNCTION && (e->over || aggregate_find(e->name))) return true;
    for (int i = 0; i < e->args.n; i++)
        if (computes_groups(e->args.at[i])) return true;
    for (int i = 0; i < e->arms.n; i++)
        if (computes_groups(e->arms.at[i].when) || computes_groups(e->arms.at[i].then)) return true;
    return e->otherwise && computes_groups(e->otherwise);
}

Expr *resolve_select_set(Resolver *r, Scope *scope, const AstExpr *e) {
    if (!scope->select_sets || scope->in_aggregate || scope->in_window) refuse(r, e, "where it isn't an unconditional part of the select list");
    if (computes_groups(e)) refuse(r, e, "of aggregates or window functions");
    Query *q = scope->query;
    Rel *rel = resolve_add_rel(r, scope, REL_FUNCTION, (Str){0}, e->pos);
    bool aggregates = scope->aggregates, windows = scope->windows;
    scope->select_sets = scope->aggregates = scope->windows = false;
    rel->function = resolve_set_function(r, scope, e, rel);
    scope->select_sets = true;
    scope->aggregates = aggregates;
    scope->windows = windows;
    rel->alias = e->name;
    rel->hidden_names = true;
    if (rel->columns.n != 1) refuse(r, e, "of several columns");
    if (scope->select_set) {
        q->rels.n--;
        if (!same_call(scope->select_set->function, rel->function)) refuse(r, e, "beside another one");
        return var_new(r->cc->arena, q, scope->select_set, 0);
    }
    if (scope->select_sets_known) refuse(r, e, "where it isn't an unconditional part of the select list");
    scope->select_set = rel;
    rel->lateral = scope->visible.n > 0 && !expr_is_constant(rel->function);
    From *item = NEW(r->cc->arena, From);
    item->rel = rel->id;
    q->from = q->from ? resolve_cross_join(r, q->from, item) : item;
    return var_new(r->cc->arena, q, rel, 0);
}
