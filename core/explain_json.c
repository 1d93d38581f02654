/* explain_json.c - EXPLAIN (FORMAT JSON): the plan as one JSON document, for programs.
 *
 * In and out as explain.c; the keys are PostgreSQL's where it has one ("Node Type", "Actual Rows", "Plans"), so that tools and people find their way:
 *     [{"Plan": {"Node Type": "Scan", "Relation Name": "book", "Alias": "b", "Index Name": "book_author_id", "Detail": " book b using ... match ...",
 *                "MongoDB Command": {"find": "book", ...}, "Actual Rows": 20, "Commands": 1, "Documents Examined": 20, "Keys Examined": 20,
 *                "Access": "IXSCAN book_author_id"},
 *       "Subqueries": [{"Number": 0, "Plan": {...}}], "CTEs": [{"Name": "c", "Plan": {...}}], "Round Trips": 1, "Execution Time": 0.412}]
 * "Commands" counts what an operator and those below it sent, getMore included. What belongs to ANALYZE is left out without it; an operator that was never
 * started has "Actual Loops" 0 and nothing else of it. */
#include "explain.h"
#include "json.h"

static void member(Text *out, const char *name) {
    text_adds(out, ", ");
    json_quote(out, str_from(name));
    text_adds(out, ": ");
}

static void text_member(Text *out, const char *name, Str value) {
    member(out, name);
    json_quote(out, value);
}

static void int_member(Text *out, const char *name, int64_t value) {
    member(out, name);
    text_addf(out, "%lld", (long long)value);
}

static void command_member(Text *out, const bson_t *command) {
    char *json = bson_as_relaxed_extended_json(command, NULL);
    if (!json) return;
    member(out, "MongoDB Command");
    text_adds(out, json);
    bson_free(json);
}

static void statistics(Text *out, const Plan *p, const Exec *x) {
    const PlanStats *s = exec_stats(x, p);
    int_member(out, "Actual Loops", s ? s->loops : 0);
    if (!s) return;
    int_member(out, "Actual Rows", s->rows);
    int_member(out, "Commands", s->commands);
    member(out, "Actual Time");
    text_addf(out, "%.3f", (double)s->nanoseconds / 1e6);
    if (p->tag != PLAN_SCAN) return;
    int_member(out, "Commands Sent", s->sent);
    if (s->documents < 0 || s->unknown) return;
    int_member(out, "Documents Examined", s->documents);
    int_member(out, "Keys Examined", s->keys);
    text_member(out, "Access", str_from(s->access));
}

static void node(Text *out, const QueryPlan *qp, const Plan *p, Eval *show, const Exec *x);

static void child(Text *out, const QueryPlan *qp, const Plan *p, Eval *show, const Exec *x, int *n) {
    if (!p) return;
    if ((*n)++) text_adds(out, ", ");
    else {
        member(out, "Plans");
        text_adds(out, "[");
    }
    node(out, qp, p, show, x);
}

static void node(Text *out, const QueryPlan *qp, const Plan *p, Eval *show, const Exec *x) {
    text_adds(out, "{\"Node Type\": ");
    json_quote(out, str_from(plan_name(p->tag)));
    if (p->tag == PLAN_SCAN) {
        text_member(out, "Relation Name", p->rel->table->name);
        text_member(out, "Alias", p->rel->alias);
        if (p->index) text_member(out, "Index Name", p->index->name);
    }
    if (p->tag == PLAN_JOIN) {
        text_member(out, "Join Type", str_from(join_kind_text(p->kind)));
        text_member(out, "Join Method", str_from(explain_join_method(p)));
    }
    if (p->rows >= 0) {
        member(out, "Plan Rows");
        text_addf(out, "%.0f", p->rows);
    }
    Text detail = {.arena = out->arena};
    explain_detail(&detail, qp->query, p);
    if (detail.n) text_member(out, "Detail", (Str){detail.p + (detail.p[0] == ' '), (uint32_t)detail.n - (detail.p[0] == ' ')});
    if (p->tag == PLAN_SCAN && show) {
        bson_t command = BSON_INITIALIZER;
        bool never = false;
        if (explain_scan_command(qp->query, p, show, &command, &never) && !never) command_member(out, &command);
        bson_destroy(&command);
    }
    if (x) statistics(out, p, x);
    int n = 0;
    if (p->tag == PLAN_SUBQUERY && p->rel->subquery->plan && !(p->rel->cte && p->rel->cte->materialised))
        child(out, p->rel->subquery->plan, p->rel->subquery->plan->root, show, x, &n);
    if (p->tag == PLAN_SETOP) {
        child(out, qp->query->left->plan, qp->query->left->plan->root, show, x, &n);
        child(out, qp->query->right->plan, qp->query->right->plan->root, show, x, &n);
    }
    const Plan *chosen = explain_chosen(p, x);
    if (!chosen || chosen == p->left) child(out, qp, p->left, show, x, &n);
    if (!chosen || chosen == p->right) child(out, qp, p->right, show, x, &n);
    text_adds(out, n ? "]}" : "}");
}

static void modify_node(Text *out, const StatementPlan *p, Eval *show, const Exec *x) {
    const Resolved *r = p->resolved;
    text_addf(out, "{\"Node Type\": \"%s\"", r->insert ? "Insert" : r->modify->set.n ? "Update" : "Delete");
    text_member(out, "Relation Name", r->insert ? r->insert->table->name : r->modify->table->name);
    if (r->modify) text_member(out, "Method", str_from(p->modify->method == MODIFY_COMMAND ? "command" : "rows"));
    if (r->modify && p->modify->method == MODIFY_COMMAND && show) {
        bson_t command = BSON_INITIALIZER;
        bool never = false;
        if (explain_modify_command(p, show, &command, &never) && !never) command_member(out, &command);
        bson_destroy(&command);
    }
    if (p->query) {
        member(out, "Plans");
        text_adds(out, "[");
        node(out, p->query, p->query->root, show, x);
        text_adds(out, "]");
    }
    text_adds(out, "}");
}

static void statement_node(Text *out, const StatementPlan *p, Eval *show, const Exec *x) {
    if (p->resolved->query) node(out, p->query, p->query->root, show, x);
    else modify_node(out, p, show, x);
}

void explain_json(Text *out, const StatementPlan *p, Eval *show, const Exec *x, int64_t round_trips, double milliseconds) {
    const Resolved *r = p->resolved;
    text_adds(out, "[{\"Plan\": ");
    statement_node(out, p, show, x);
    int n = 0;
    for (int i = 0; i < p->parts.n; i++) {
        if (!n) member(out, "CTEs");
        text_adds(out, n++ ? ", {\"Name\": " : "[{\"Name\": ");
        json_quote(out, r->parts.at[i]->cte->name);
        member(out, "Plan");
        statement_node(out, p->parts.at[i], show, x);
        text_adds(out, "}");
    }
    for (int i = 0; i < r->ctes.n; i++) {
        if (!r->ctes.at[i]->materialised) continue;
        if (!n) member(out, "CTEs");
        text_adds(out, n++ ? ", {\"Name\": " : "[{\"Name\": ");
        json_quote(out, r->ctes.at[i]->name);
        member(out, "Plan");
        node(out, r->ctes.at[i]->query->plan, r->ctes.at[i]->query->plan->root, show, x);
        text_adds(out, "}");
    }
    if (n) text_adds(out, "]");
    n = 0;
    for (int i = 0; i < r->sublinks.n; i++) {
        const Expr *e = r->sublinks.at[i];
        if (e->unnested) continue;
        if (!n) member(out, "Subqueries");
        text_addf(out, n++ ? ", {\"Number\": %d" : "[{\"Number\": %d", i);
        member(out, "Correlated");
        text_adds(out, e->subquery->correlated ? "true" : "false");
        member(out, "Plan");
        node(out, e->subquery->plan, e->subquery->plan->root, show, x);
        text_adds(out, "}");
    }
    if (n) text_adds(out, "]");
    if (x) {
        int_member(out, "Round Trips", round_trips);
        member(out, "Execution Time");
        text_addf(out, "%.3f", milliseconds);
    }
    text_adds(out, "}]\n");
}
