/* explain.c - plans and commands as text.
 *
 * In:  a StatementPlan, optionally an evaluation context (to build the commands) and an execution with statistics.
 * Out: text. Nothing here decides anything: what is printed is what plan.c made and mql_*.c would send. Unbound parameters show as {"$parameter": n}. */
#include "explain.h"

#include <stdio.h>

static void indent(Text *out, int depth) {
    for (int i = 0; i < depth; i++) text_adds(out, "  ");
}

const char *explain_join_method(const Plan *p) {
    switch (p->method) {
    case METHOD_HASH: return "hash";
    case METHOD_KEY: return "key";
    case METHOD_NESTED: return p->rescan ? "lateral" : "nested loop";
    }
    return "";
}

static void exprs(Text *out, const Exprs *list, const char *separator) {
    for (int i = 0; i < list->n; i++) {
        if (i) text_adds(out, separator);
        expr_dump(out, list->at[i]);
    }
}

static void sort_keys(Text *out, const SortKeys *keys) {
    for (int i = 0; i < keys->n; i++) {
        const SortKey *k = &keys->at[i];
        if (i) text_adds(out, ", ");
        expr_dump(out, k->expr);
        if (k->descending) text_adds(out, " DESC");
        if (k->nulls_first == k->descending) text_adds(out, k->nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
}

static void counts(Text *out, const Plan *p) {
    if (p->limit) { text_adds(out, " limit "); expr_dump(out, p->limit); }
    if (p->offset) { text_adds(out, " offset "); expr_dump(out, p->offset); }
    if (p->with_ties) text_adds(out, " with ties");
}

bool explain_scan_command(const Query *q, const Plan *p, Eval *show, bson_t *command, bool *never) {
    Emit em = {.ev = show, .rel = p->rel, .arena = show->arena, .show = true};
    ScanRequest request = {0};
    return mql_scan(&em, q, p, &request, command, never);
}

static void json_line(Text *out, const bson_t *document) {
    char *json = bson_as_relaxed_extended_json(document, NULL);
    if (json) text_adds(out, json);
    bson_free(json);
}

static void explain_query(Text *out, const QueryPlan *qp, Eval *show, const Exec *x, int depth);

static void statistics(Text *out, const Plan *p, const Exec *x) {
    if (!x) return;
    const PlanStats *s = exec_stats(x, p);
    if (!s) { text_adds(out, " (never executed)"); return; }
    text_addf(out, " (actual rows=%lld loops=%lld commands=%lld time=%.3f ms)", (long long)s->rows, (long long)s->loops, (long long)s->commands, (double)s->nanoseconds / 1e6);
    if (s->documents >= 0) text_addf(out, " (server: documents=%lld keys=%lld%s by %s)", (long long)s->documents, (long long)s->keys, s->unknown ? " at least" : "", s->access);
}

const Plan *explain_chosen(const Plan *p, const Exec *x) {
    const PlanStats *right = x && p->tag == PLAN_CHOOSE ? exec_stats(x, p->right) : NULL;
    return !x || p->tag != PLAN_CHOOSE ? NULL : right && right->loops ? p->right : p->left;
}

static void join_keys(Text *out, const Plan *p) {
    for (int k = 0; k < p->left_keys.n; k++) {
        text_adds(out, k ? ", " : " ");
        expr_dump(out, p->left_keys.at[k]);
        text_adds(out, " = ");
        expr_dump(out, p->right_keys.at[k]);
    }
}

void explain_detail(Text *out, const Query *q, const Plan *p) {
    switch (p->tag) {
    case PLAN_SCAN:
        text_addf(out, " " STR_FMT, STR_ARG(p->rel->table->name));
        if (!str_eq(p->rel->alias, p->rel->table->name)) text_addf(out, " " STR_FMT, STR_ARG(p->rel->alias));
        if (p->index) text_addf(out, " using " STR_FMT, STR_ARG(p->index->name));
        if (p->match.n) { text_adds(out, " match "); exprs(out, &p->match, " AND "); }
        if (p->grouped) text_adds(out, p->by_difference ? " grouped by difference" : " grouped");
        if (p->sort.n) { text_adds(out, " sort "); sort_keys(out, &p->sort); }
        if (p->bound_index) text_addf(out, " bounded by " STR_FMT, STR_ARG(p->bound_index->name));
        if (p->slack) text_adds(out, p->sort.n && !p->ordered ? " in parts" : " in small batches");
        counts(out, p);
        if (p->halves) { text_adds(out, ", then all without "); expr_dump(out, p->halves); }
        break;
    case PLAN_SUBQUERY: case PLAN_FUNCTION: case PLAN_WORK: text_addf(out, " " STR_FMT, STR_ARG(p->rel->alias)); break;
    case PLAN_VALUES: text_addf(out, " %d rows", p->rel->values.n); break;
    case PLAN_KEYS:
        text_addf(out, " %s", join_kind_text(p->kind));
        join_keys(out, p);
        break;
    case PLAN_FILTER: text_adds(out, " "); exprs(out, &p->conditions, " AND "); break;
    case PLAN_JOIN:
        text_addf(out, " %s by %s", join_kind_text(p->kind), explain_join_method(p));
        join_keys(out, p);
        if (p->conditions.n) { text_adds(out, " on "); exprs(out, &p->conditions, " AND "); }
        break;
    case PLAN_GROUP:
        if (q->group_keys.n) { text_adds(out, " by "); exprs(out, &q->group_keys, ", "); }
        if (q->aggs.n) { text_adds(out, ": "); exprs(out, &q->aggs, ", "); }
        break;
    case PLAN_WINDOW: text_adds(out, " "); exprs(out, &q->windows, ", "); break;
    case PLAN_SORT: text_adds(out, " "); sort_keys(out, &p->keys); counts(out, p); break;
    case PLAN_LIMIT: counts(out, p); break;
    case PLAN_SETOP: text_addf(out, " %s%s", q->set_op == SET_UNION ? "UNION" : q->set_op == SET_INTERSECT ? "INTERSECT" : "EXCEPT", q->set_all ? " ALL" : ""); break;
    case PLAN_RESULT: if (p->never) text_adds(out, " no rows: the condition is never true"); break;
    case PLAN_PROJECT: case PLAN_DISTINCT: case PLAN_CHOOSE: break;
    case PLAN_LOCK:
        if (p->locking.at[0].wait == LOCK_SKIP) { text_adds(out, " skip locked"); counts(out, p); }
        break;
    }
}

static void explain_node(Text *out, const QueryPlan *qp, const Plan *p, Eval *show, const Exec *x, int depth) {
    const Query *q = qp->query;
    indent(out, depth);
    text_adds(out, plan_name(p->tag));
    explain_detail(out, q, p);
    statistics(out, p, x);
    text_adds(out, "\n");
    if (p->tag == PLAN_SCAN && show) {
        bson_t command = BSON_INITIALIZER;
        bool never = false;
        indent(out, depth + 1);
        text_adds(out, "MongoDB: ");
        if (!explain_scan_command(q, p, show, &command, &never)) text_addf(out, "%s", show->error ? show->error->message : "error");
        else if (never) text_adds(out, "nothing to ask, no row can match");
        else json_line(out, &command);
        text_adds(out, "\n");
        bson_destroy(&command);
    }
    if (p->tag == PLAN_SUBQUERY && p->rel->subquery->plan && !(p->rel->cte && p->rel->cte->materialised)) explain_query(out, p->rel->subquery->plan, show, x, depth + 1);
    if (p->tag == PLAN_SETOP) {
        explain_query(out, q->left->plan, show, x, depth + 1);
        explain_query(out, q->right->plan, show, x, depth + 1);
    }
    const Plan *chosen = explain_chosen(p, x);
    if (p->left && (!chosen || chosen == p->left)) explain_node(out, qp, p->left, show, x, depth + 1);
    if (p->right && (!chosen || chosen == p->right)) explain_node(out, qp, p->right, show, x, depth + 1);
}

static void explain_query(Text *out, const QueryPlan *qp, Eval *show, const Exec *x, int depth) { explain_node(out, qp, qp->root, show, x, depth); }

/* UPDATE and DELETE done by one command. */
bool explain_modify_command(const StatementPlan *p, Eval *show, bson_t *command, bool *never) {
    const Resolved *r = p->resolved;
    Emit em = {.ev = show, .rel = r->modify->rows->rels.at[0], .arena = show->arena, .show = true};
    bool update = r->modify->set.n > 0;
    return update ? mql_update(&em, r->modify, p->modify, command, never) : mql_delete(&em, r->modify, p->modify, command, never);
}

static void explain_statement(Text *out, const StatementPlan *p, Eval *show, const Exec *x, int depth) {
    const Resolved *r = p->resolved;
    if (r->insert) {
        indent(out, depth);
        text_addf(out, "Insert " STR_FMT "%s\n", STR_ARG(r->insert->table->name), r->insert->on_conflict ? (r->insert->do_nothing ? " on conflict do nothing" : " on conflict do update") : "");
        depth++;
    }
    if (r->modify) {
        bool update = r->modify->set.n > 0;
        indent(out, depth);
        text_addf(out, "%s " STR_FMT " by %s", update ? "Update" : "Delete", STR_ARG(r->modify->table->name), p->modify->method == MODIFY_COMMAND ? "command" : "rows");
        if (p->modify->match.n) { text_adds(out, " match "); exprs(out, &p->modify->match, " AND "); }
        text_adds(out, "\n");
        if (p->modify->method == MODIFY_COMMAND && show) {
            bson_t command = BSON_INITIALIZER;
            bool never = false;
            indent(out, depth + 1);
            text_adds(out, "MongoDB: ");
            if (!explain_modify_command(p, show, &command, &never)) text_addf(out, "%s", show->error ? show->error->message : "error");
            else json_line(out, &command);
            text_adds(out, "\n");
            bson_destroy(&command);
        }
        depth++;
    }
    if (p->query) explain_query(out, p->query, show, x, depth);
}

void explain_plan(Text *out, const StatementPlan *p, Eval *show, const Exec *x) {
    const Resolved *r = p->resolved;
    explain_statement(out, p, show, x, 0);
    for (int i = 0; i < p->parts.n; i++) {
        text_addf(out, "CTE " STR_FMT "\n", STR_ARG(r->parts.at[i]->cte->name));
        explain_statement(out, p->parts.at[i], show, x, 1);
    }
    for (int i = 0; i < r->ctes.n; i++) {
        if (!r->ctes.at[i]->materialised) continue;
        text_addf(out, "CTE " STR_FMT "\n", STR_ARG(r->ctes.at[i]->name));
        explain_query(out, r->ctes.at[i]->query->plan, show, x, 1);
    }
    for (int i = 0; i < r->sublinks.n; i++) {
        const Expr *e = r->sublinks.at[i];
        if (e->unnested) continue;
        text_addf(out, "Subquery #%d%s\n", i, e->subquery->correlated ? " (for each row)" : "");
        explain_query(out, e->subquery->plan, show, x, 1);
    }
}

void plan_dump(Text *out, const StatementPlan *p) { explain_plan(out, p, NULL, NULL); }

/* ---- commands alone ---- */

static bool mql_query(Text *out, const QueryPlan *qp, Eval *show);

static bool mql_node(Text *out, const QueryPlan *qp, const Plan *p, Eval *show) {
    if (!p) return true;
    if (p->tag == PLAN_CHOOSE) return mql_node(out, qp, p->left, show);
    if (p->tag == PLAN_SCAN) {
        if (!mql_node(out, qp, p->left, show)) return false;
        bson_t command = BSON_INITIALIZER;
        bool never = false, ok = explain_scan_command(qp->query, p, show, &command, &never);
        if (ok && !never) {
            json_line(out, &command);
            text_adds(out, "\n");
        }
        bson_destroy(&command);
        return ok;
    }
    if (p->tag == PLAN_SUBQUERY && p->rel->subquery->plan && !(p->rel->cte && p->rel->cte->materialised) && !mql_query(out, p->rel->subquery->plan, show)) return false;
    if (p->tag == PLAN_SETOP && (!mql_query(out, qp->query->left->plan, show) || !mql_query(out, qp->query->right->plan, show))) return false;
    return mql_node(out, qp, p->left, show) && mql_node(out, qp, p->right, show);
}

static bool mql_query(Text *out, const QueryPlan *qp, Eval *show) { return mql_node(out, qp, qp->root, show); }

static bool mql_write(Text *out, const StatementPlan *p, Eval *show) {
    const Resolved *r = p->resolved;
    if (r->insert) text_addf(out, "{ \"insert\" : \"" STR_FMT "\", \"documents\" : [ ... ] }\n", STR_ARG(r->insert->table->name));
    if (r->modify) {
        if (p->modify->method == MODIFY_COMMAND) {
            bson_t command = BSON_INITIALIZER;
            bool never = false, ok = explain_modify_command(p, show, &command, &never);
            if (ok) { json_line(out, &command); text_adds(out, "\n"); }
            bson_destroy(&command);
            return ok;
        }
        bool update = r->modify->set.n > 0;
        text_addf(out, "{ \"%s\" : \"" STR_FMT "\", \"%s\" : [ one operation per row, by _id ] }\n", update ? "update" : "delete", STR_ARG(r->modify->table->name), update ? "updates" : "deletes");
    }
    return true;
}

bool explain_mql(Text *out, const StatementPlan *p, Eval *show) {
    const Resolved *r = p->resolved;
    for (int i = 0; i < r->ctes.n; i++)
        if (r->ctes.at[i]->materialised && !mql_query(out, r->ctes.at[i]->query->plan, show)) return false;
    for (int i = 0; i < r->sublinks.n; i++)
        if (!r->sublinks.at[i]->unnested && !mql_query(out, r->sublinks.at[i]->subquery->plan, show)) return false;
    for (int i = 0; i < p->parts.n; i++)
        if (p->parts.at[i]->query && !mql_query(out, p->parts.at[i]->query, show)) return false;
    if (p->query && !mql_query(out, p->query, show)) return false;
    for (int i = 0; i < p->parts.n; i++)
        if (!mql_write(out, p->parts.at[i], show)) return false;
    return mql_write(out, p, show);
}
