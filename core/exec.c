/* exec.c - running a statement's plans: Exec, one QueryRun per block, the simplest operators, sublinks, CTEs, statistics.
 *
 * In: a StatementPlan (read-only) and parameter values. Out: rows, by pulling: exec_query_next() leaves the block's slots set, of which
 * plan->output names the visible ones. Memory: a QueryRun owns its frame and nodes; Exec owns what lives as long as the execution (sublink results, CTE rows).
 *
 *     exec_init(&x, server, plan, params, n, work_mem, &error);
 *     QueryRun *run = exec_query_open(&x, plan->query, NULL);
 *     while ((r = exec_query_next(run)) > 0) use(exec_query_eval(run)->frame[plan->query->output.at[0]]);
 *     exec_clear(&x);
 *
 * Sublinks: one that refers to nothing outside (checked here, over the plan, not by Query.correlated) and isn't volatile runs once per execution: IN and
 * <> ALL become a hash set. Others are memoised by the values of the outer slots they read, as long as that pays; else they run again for each row.
 * CTEs that are materialised make their rows on demand, so LIMIT over an endless recursion ends.
 * Not here: anything about MongoDB (scan.c), writes (dml.c), compiling. */
#include "node.h"
#include "schema.h"

#include <stdlib.h>
#include <time.h>

/* ---- Exec ---- */

static bool run_sublink(Eval *ev, const Expr *e, Value *out);
static bool sublink_values(Eval *ev, const Expr *e, const Value **values, int *n, bool *has_null);

/* setval() and nextval(): they act at once and outside of any transaction, as PostgreSQL's sequences do. */
static bool sequence(Eval *ev, Str table, bool set, int64_t *value) {
    Exec *x = ev->exec;
    const Table *t = x->catalog ? catalog_find_table(x->catalog, table) : NULL;
    if (!x->server || !t) return error_set(x->error, SQM_ERROR_UNDEFINED_TABLE, "relation \"" STR_FMT "\" does not exist", STR_ARG(table));
    return set ? schema_set_counter(x->server, t->name, *value, x->error) : schema_next_ids(x->server, t, 1, value, x->error);
}

static void sublinks_free(Exec *x);
static void ctes_free(Exec *x);

enum { DEFAULT_WORK_MEM = 256 << 20 };

void exec_init(Exec *x, Server *server, const StatementPlan *plan, const Value *params, int n_params, size_t memory_limit, sqm_error_t *error) {
    *x = (Exec){.server = server, .plan = plan, .params = params, .n_params = n_params, .error = error};
    x->memory_limit = memory_limit ? memory_limit : DEFAULT_WORK_MEM;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    x->statement_now = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
    x->now = server && server_in_transaction(server) ? server_now(server) : x->statement_now;
}

void exec_clear(Exec *x) {
    ctes_free(x);
    sublinks_free(x);
    x->ctes = NULL;
    x->sublinks = NULL;
    while (x->runs) {
        QueryRun *oldest = x->runs;     /* a block's nodes close the blocks that they opened later */
        while (oldest->next) oldest = oldest->next;
        exec_query_close(oldest);
    }
    server_view_close(x->view);
    x->view = NULL;
    x->view_open = false;
    if (x->locked) hash_free(x->locked);
    x->locked = NULL;
    arena_free(&x->arena);
    x->sublinks = NULL;
    x->ctes = NULL;
    x->stats = NULL;
}

void exec_forget(Exec *x) {
    ctes_free(x);
    sublinks_free(x);
    server_view_close(x->view);
    x->view = NULL;
    x->view_open = false;
}

void exec_eval_init(Exec *x, Eval *ev, Value *frame, Eval *outer, Arena *arena) {
    *ev = (Eval){.frame = frame, .outer = outer, .params = x->params, .n_params = x->n_params, .arena = arena, .now = x->now, .statement_now = x->statement_now, .error = x->error,
                 .sublink = run_sublink, .sublink_values = sublink_values, .sequence = sequence, .exec = x};
}

bool exec_view(Exec *x, ServerView **out) {
    if (!x->view_open && x->plan && x->plan->n_reads > 1 && !server_view_open(x->server, &x->view, x->error)) return false;
    x->view_open = true;
    *out = x->view;
    return true;
}

/* ---- statistics ---- */

void exec_enable_stats(Exec *x) { x->stats = NEW(&x->arena, ExecStats); }

static PlanStats *find_stats(const Exec *x, const Plan *plan) {
    for (int i = 0; x->stats && i < x->stats->at.n; i++)
        if (x->stats->at.at[i]->plan == plan) return x->stats->at.at[i];
    return NULL;
}

const PlanStats *exec_stats(const Exec *x, const Plan *plan) { return find_stats(x, plan); }

static int64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t exec_round_trips(const Exec *x) { return x->server ? server_round_trips(x->server) - (x->stats ? x->stats->probe_trips : 0) : 0; }

int node_next_timed(Node *n) {
    PlanStats *stats = n->stats;
    const ExecStats *all = n->x->stats;
    int64_t began = clock_ns() - all->probe_nanoseconds, trips = exec_round_trips(n->x);
    if (!n->begun) stats->loops++;
    n->begun = true;
    n->stats = NULL;
    int r = node_next(n);
    n->stats = stats;
    stats->nanoseconds += clock_ns() - all->probe_nanoseconds - began;
    stats->commands += exec_round_trips(n->x) - trips;
    stats->rows += r > 0;
    return r;
}

/* ---- nodes ---- */

void *node_init(QueryRun *run, const Plan *plan, size_t size, const NodeOps *ops) {
    Node *n = arena_alloc(&run->arena, size);
    *n = (Node){.ops = ops, .plan = plan, .run = run, .x = run->x, .ev = &run->ev};
    if (run->x->stats) {
        n->stats = find_stats(run->x, plan);
        if (!n->stats) {
            n->stats = NEW(&run->x->arena, PlanStats);
            n->stats->plan = plan;
            n->stats->documents = n->stats->keys = -1;
            vec_push(&run->x->arena, &run->x->stats->at, n->stats);
        }
    }
    if (plan->left) n->left = node_new(run, plan->left);
    if (plan->right) n->right = node_new(run, plan->right);
    return n;
}

void node_rescan(Node *n) {
    if (!n) return;
    n->begun = false;
    n->ops->rescan(n);
}

void node_close(Node *n) {
    if (!n) return;
    node_close(n->left);
    node_close(n->right);
    if (n->ops->close) n->ops->close(n);
    arena_free(&n->scratch);
}

int node_buffered(const Node *n) { return n && n->ops->buffered ? n->ops->buffered(n) : 0; }

/* RESULT: one row, no columns. */
typedef struct ResultNode { Node node; bool done; } ResultNode;

static int result_next(Node *n) {
    ResultNode *r = (ResultNode *)n;
    if (r->done || n->plan->never) return 0;
    r->done = true;
    return 1;
}

static void result_rescan(Node *n) { ((ResultNode *)n)->done = false; }

static int result_buffered(const Node *n) {
    (void)n;
    return 2;
}

static const NodeOps result_ops = {result_next, result_rescan, NULL, result_buffered};

/* FILTER */
static int filter_next(Node *n) {
    for (;;) {
        int r = node_next(n->left);
        if (r <= 0) return r;
        bool pass;
        if (!conditions_true(n->ev, &n->plan->conditions, &pass)) return -1;
        if (pass) return 1;
        node_scratch(n);
    }
}

static void pass_rescan(Node *n) { node_rescan(n->left); }

static int filter_buffered(const Node *n) { return node_buffered(n->left) == 2 ? 2 : 0; }

static const NodeOps filter_ops = {filter_next, pass_rescan, NULL, filter_buffered};

/* PROJECT: a target that is its own slot (set operations, grouped columns) needs no work. */
typedef struct ProjectNode { Node node; bool has_sublink; } ProjectNode;

static int project_next(Node *n) {
    int r = n->left ? node_next(n->left) : 1;
    if (r <= 0) return r;
    const Query *q = n->run->plan->query;
    for (int i = 0; i < q->targets.n; i++) {
        const Target *t = &q->targets.at[i];
        if (t->slot < 0 || (t->expr->tag == EXPR_VAR && t->expr->level == 0 && t->expr->slot == t->slot)) continue;
        Value v;
        if (!eval(n->ev, t->expr, &v)) return -1;
        n->ev->frame[t->slot] = v;
    }
    return 1;
}

static int project_buffered(const Node *n) { return ((const ProjectNode *)n)->has_sublink ? 0 : node_buffered(n->left); }

static const NodeOps project_ops = {project_next, pass_rescan, NULL, project_buffered};

static bool has_sublink(const Expr *e) {
    if (e->tag == EXPR_SUBLINK) return true;
    for (int i = 0; i < e->args.n; i++)
        if (has_sublink(e->args.at[i])) return true;
    return false;
}

Node *node_new(QueryRun *run, const Plan *plan) {
    switch (plan->tag) {
    case PLAN_RESULT: return node_init(run, plan, sizeof(ResultNode), &result_ops);
    case PLAN_FILTER: return node_init(run, plan, sizeof(Node), &filter_ops);
    case PLAN_PROJECT: {
        ProjectNode *p = node_init(run, plan, sizeof(ProjectNode), &project_ops);
        const Query *q = run->plan->query;
        for (int i = 0; i < q->targets.n; i++) p->has_sublink |= has_sublink(q->targets.at[i].expr);
        return &p->node;
    }
    case PLAN_SCAN: return scan_node(run, plan);
    case PLAN_LOCK: return lock_node(run, plan);
    case PLAN_SUBQUERY: return subquery_node(run, plan);
    case PLAN_VALUES: return values_node(run, plan);
    case PLAN_FUNCTION: return function_node(run, plan);
    case PLAN_WORK: return work_node(run, plan);
    case PLAN_JOIN: return join_node(run, plan);
    case PLAN_KEYS: return keys_node(run, plan);
    case PLAN_CHOOSE: return choose_node(run, plan);
    case PLAN_GROUP: return group_node(run, plan);
    case PLAN_WINDOW: return window_node(run, plan);
    case PLAN_DISTINCT: return distinct_node(run, plan);
    case PLAN_SORT: return sort_node(run, plan);
    case PLAN_LIMIT: return limit_node(run, plan);
    case PLAN_SETOP: return setop_node(run, plan);
    }
    abort();
}

/* ---- blocks ---- */

static QueryRun *run_of(const Exec *x, const Eval *ev) {
    for (QueryRun *r = x->runs; r; r = r->next)
        if (&r->ev == ev) return r;
    return NULL;
}

QueryRun *exec_query_open(Exec *x, QueryPlan *plan, Eval *outer) {
    QueryRun *run = calloc(1, sizeof *run);
    if (!run) abort();
    run->x = x;
    run->plan = plan;
    run->outer = outer ? run_of(x, outer) : NULL;
    run->state = 1;
    int n_slots = plan->n_slots > plan->query->n_slots ? plan->n_slots : plan->query->n_slots;
    exec_eval_init(x, &run->ev, NEW_ARRAY(&run->arena, Value, n_slots + 1), outer, &run->scratch);
    run->next = x->runs;
    if (x->runs) x->runs->previous = run;
    x->runs = run;
    run->root = node_new(run, plan->root);
    return run;
}

int exec_query_next(QueryRun *run) {
    if (run->state <= 0) return run->state;
    arena_clear(&run->scratch);
    run->ev.error = run->x->error;      /* a caller may give another one for each step */
    return run->state = node_next(run->root);
}

Eval *exec_query_eval(QueryRun *run) { return &run->ev; }

bool exec_query_buffered(const QueryRun *run) { return run->state <= 0 || node_buffered(run->root) > 0; }

void exec_query_close(QueryRun *run) {
    if (!run) return;
    node_close(run->root);
    *(run->previous ? &run->previous->next : &run->x->runs) = run->next;
    if (run->next) run->next->previous = run->previous;
    arena_free(&run->scratch);
    arena_free(&run->arena);
    free(run);
}

Eval *run_outer_for(QueryRun *run, const Query *q) {
    for (QueryRun *r = run; r && q->parent; r = r->outer)
        if (r->plan->query == q->parent) return &r->ev;
    return &run->ev;
}

/* ---- what a piece of plan depends on ---- */

typedef struct OuterVar { int hops, slot; } OuterVar;   /* hops 0: the frame of the block that evaluates the sublink */

typedef struct Dependence {
    const Exec *x;
    Arena *arena;
    const Ints *own;            /* subtree: the slots it sets; others of its frame come from outside. NULL: a whole block */
    const Rel *scanned;         /* columns of it that the server reads have no slot here, yet they aren't from outside */
    VEC(OuterVar) vars;
    VEC(const Cte *) entered;   /* a recursive reference inside its own CTE is no dependence */
    bool foreign;               /* something of the own frame that the subtree doesn't set */
    bool is_volatile, works;
} Dependence;

static void depend_plan(Dependence *d, const Plan *p, const Query *q, int depth);

static const Cte *cte_of(const Exec *x, const Query *q) {
    const Resolved *r = x->plan ? x->plan->resolved : NULL;
    for (int i = 0; r && i < r->ctes.n; i++)
        if (r->ctes.at[i]->query == q && (r->ctes.at[i]->materialised || r->ctes.at[i]->recursive)) return r->ctes.at[i];
    return NULL;
}

/* A block at `depth` whose parent isn't `q` but one of q's ancestors lies as much less deep. */
static void depend_query(Dependence *d, const Query *sub, const Query *q, int depth) {
    int below = depth + 1, up = depth + 1;
    for (const Query *a = q; a; a = a->parent, up--)
        if (a == sub->parent) {
            below = up;
            break;
        }
    const Cte *cte = cte_of(d->x, sub);
    if (cte) vec_push(d->arena, &d->entered, cte);
    if (sub->plan) depend_plan(d, sub->plan->root, sub, below);
}

static void depend_expr(Dependence *d, const Expr *e, const Query *q, int depth) {
    if (!e) return;
    if (e->tag == EXPR_VAR && e->level > depth) {
        OuterVar v = {e->level - depth - 1, e->slot};
        for (int i = 0; i < d->vars.n; i++)
            if (d->vars.at[i].hops == v.hops && d->vars.at[i].slot == v.slot) return;
        vec_push(d->arena, &d->vars, v);
    } else if (e->tag == EXPR_VAR && e->level == depth && d->own) {
        bool own = depth == 0 && d->scanned && e->rel == d->scanned->id;
        for (int i = 0; i < d->own->n; i++) own |= d->own->at[i] == e->slot;
        d->foreign |= !own;
    }
    if (e->tag == EXPR_FUNC && e->function && e->function->volatility == VOLATILE) d->is_volatile = true;
    for (int i = 0; i < e->args.n; i++) depend_expr(d, e->args.at[i], q, depth);
    depend_expr(d, e->filter, q, depth);
    for (int i = 0; e->order && i < e->order->n; i++) depend_expr(d, e->order->at[i].expr, q, depth);
    if (e->subquery) {
        d->is_volatile |= e->subquery->is_volatile;
        depend_query(d, e->subquery, q, depth);
    }
}

static void depend_exprs(Dependence *d, const Exprs *list, const Query *q, int depth) {
    for (int i = 0; i < list->n; i++) depend_expr(d, list->at[i], q, depth);
}

static void depend_keys(Dependence *d, const SortKeys *keys, const Query *q, int depth) {
    for (int i = 0; i < keys->n; i++) depend_expr(d, keys->at[i].expr, q, depth);
}

/* The slots below KEYS are nobody's but theirs: no slots of the scan above. */
static void depend_keys_plan(Dependence *d, const Plan *p, const Query *q, int depth) {
    const Ints *outer = d->own;
    Ints own = {0};
    for (int i = 0; outer && i < outer->n; i++) vec_push(d->arena, &own, outer->at[i]);
    for (int i = 0; i < p->left->slots.n; i++) vec_push(d->arena, &own, p->left->slots.at[i]);
    if (outer) d->own = &own;
    depend_plan(d, p->left, q, depth);
    depend_exprs(d, &p->right_keys, q, depth);
    d->own = outer;
    depend_plan(d, p->right, q, depth);
}

static void depend_plan(Dependence *d, const Plan *p, const Query *q, int depth) {
    if (!p) return;
    if (p->tag == PLAN_KEYS) {
        depend_keys_plan(d, p, q, depth);
        return;
    }
    depend_plan(d, p->left, q, depth);
    depend_plan(d, p->right, q, depth);
    d->scanned = p->tag == PLAN_SCAN ? p->rel : NULL;
    depend_exprs(d, &p->match, q, depth);
    depend_exprs(d, &p->conditions, q, depth);
    depend_exprs(d, &p->left_keys, q, depth);
    depend_exprs(d, &p->right_keys, q, depth);
    depend_keys(d, &p->keys, q, depth);
    depend_expr(d, p->limit, q, depth);
    depend_expr(d, p->offset, q, depth);
    switch (p->tag) {
    case PLAN_VALUES:
        for (int i = 0; i < p->rel->values.n; i++) depend_exprs(d, &p->rel->values.at[i], q, depth);
        break;
    case PLAN_FUNCTION: depend_expr(d, p->rel->function, q, depth); break;
    case PLAN_SUBQUERY:
        d->is_volatile |= p->rel->subquery->is_volatile;
        depend_query(d, p->rel->subquery, q, depth);
        break;
    case PLAN_WORK: {
        bool inside = p->rel->work->part != NULL;       /* its rows are there before anybody reads them */
        for (int i = 0; i < d->entered.n; i++) inside |= d->entered.at[i] == p->rel->work;
        d->works |= !inside;
        break;
    }
    case PLAN_SCAN:
    case PLAN_GROUP:
        if (p->tag == PLAN_SCAN && !p->grouped) break;
        depend_exprs(d, &q->group_keys, q, depth);
        depend_exprs(d, &q->aggs, q, depth);
        d->scanned = NULL;
        break;
    case PLAN_WINDOW:
        depend_exprs(d, &q->windows, q, depth);
        for (int i = 0; i < q->window_defs.n; i++) {
            const WindowDef *w = &q->window_defs.at[i];
            depend_exprs(d, &w->partition, q, depth);
            depend_keys(d, &w->order, q, depth);
            depend_expr(d, w->start_offset, q, depth);
            depend_expr(d, w->end_offset, q, depth);
        }
        break;
    case PLAN_PROJECT:
        for (int i = 0; i < q->targets.n; i++) depend_expr(d, q->targets.at[i].expr, q, depth);
        break;
    case PLAN_DISTINCT: depend_exprs(d, &q->distinct_on, q, depth); break;
    case PLAN_LIMIT: depend_keys(d, &q->order, q, depth); break;
    case PLAN_SETOP:
        d->is_volatile |= q->left->is_volatile || q->right->is_volatile;
        depend_query(d, q->left, q, depth);
        depend_query(d, q->right, q, depth);
        break;
    case PLAN_LOCK: d->is_volatile = true; break;
    case PLAN_RESULT:
    case PLAN_FILTER:
    case PLAN_JOIN:
    case PLAN_KEYS:
    case PLAN_CHOOSE:
    case PLAN_SORT: break;
    }
}

bool plan_is_static(const QueryRun *run, const Plan *p) {
    Dependence d = {.x = run->x, .arena = &run->x->arena, .own = &p->slots};
    depend_plan(&d, p, run->plan->query, 0);
    return !d.foreign && !d.vars.n && !d.is_volatile && !d.works;
}

bool query_is_static(Exec *x, const Query *q) {
    Dependence d = {.x = x, .arena = &x->arena, .is_volatile = q->is_volatile};
    depend_query(&d, q, NULL, -1);
    return !d.vars.n && !d.is_volatile && !d.works;
}

/* ---- CTEs computed once ---- */

struct CteState {
    const Cte *cte;
    bool started, ended, is_static;
    QueryRun *shell;            /* recursive: the UNION's block, only for its frame */
    QueryRun *base, *step;      /* step NULL: not recursive, or the base part isn't finished */
    Rows rows;
    Hash seen;                  /* recursive UNION without ALL */
    int work_begin, work_end;   /* recursive: the rows of the round before */
};

static CteState *cte_state(Exec *x, const Cte *cte) {
    const Resolved *r = x->plan->resolved;
    if (!x->ctes) x->ctes = NEW_ARRAY(&x->arena, CteState, r->ctes.n);
    CteState *c = NULL;
    for (int i = 0; i < r->ctes.n; i++)
        if (r->ctes.at[i] == cte) c = &x->ctes[i];
    if (c && !c->cte) {
        c->cte = cte;
        c->rows.x = x;
        c->is_static = !cte->query || query_is_static(x, cte->query);
    }
    return c;
}

static void cte_reset(CteState *c) {
    exec_query_close(c->step);
    exec_query_close(c->base);
    exec_query_close(c->shell);
    c->step = c->base = c->shell = NULL;
    hash_free(&c->seen);
    rows_free(&c->rows);
    c->work_begin = c->work_end = 0;
    c->started = c->ended = false;
}

static void ctes_free(Exec *x) {
    for (int i = 0; x->ctes && i < x->plan->resolved->ctes.n; i++)
        if (x->ctes[i].cte) cte_reset(&x->ctes[i]);
}

CteState *cte_of_rel(QueryRun *run, const Rel *rel) {
    const Cte *cte = cte_of(run->x, rel->subquery);
    if (!cte) return NULL;
    CteState *c = cte_state(run->x, cte);
    if (c->started) return c;
    Exec *x = run->x;
    Query *q = cte->query;
    c->started = true;
    Eval *outer = run_outer_for(run, q);
    if (cte->recursive && q->set_op == SET_UNION) {
        c->shell = exec_query_open(x, q->plan, outer);
        c->base = exec_query_open(x, q->left->plan, run_outer_for(c->shell, q->left));
        hash_init(&c->seen, x, 0, q->left->plan->output.n);
    } else {
        c->base = exec_query_open(x, q->plan, outer);
    }
    return c;
}

static int next_round(CteState *c) {
    Query *q = c->cte->query;
    c->work_begin = c->work_end;
    c->work_end = c->rows.n;
    if (c->work_begin == c->work_end) return 0;
    if (c->step) exec_query_rescan(c->step);
    else c->step = exec_query_open(c->shell->x, q->right->plan, run_outer_for(c->shell, q->right));
    return 1;
}

/* Appends one row. */
static int cte_produce(CteState *c) {
    for (;;) {
        QueryRun *run = c->step ? c->step : c->base;
        int r = exec_query_next(run);
        if (r < 0) return -1;
        if (r == 0) {
            if (c->shell && next_round(c)) continue;
            c->ended = true;
            return 0;
        }
        int n = run->plan->output.n;
        bool dedupe = c->shell && !c->cte->query->set_all;
        const Query *q = c->cte->query, *side = c->step ? q->right : q->left;
        Value *row = NEW_ARRAY(&run->scratch, Value, n);
        for (int i = 0; i < n; i++) {
            row[i] = run->ev.frame[run->plan->output.at[i]];
            if (c->shell && !setop_value(&run->ev, q, side, i, &row[i])) return -1;
        }
        uint64_t h = dedupe ? keys_hash(row, n) : 0;
        if (dedupe && hash_find(&c->seen, h, row) >= 0) continue;
        Value *kept = rows_new(&c->rows, n);
        for (int i = 0; i < n; i++) kept[i] = value_keep(&c->rows.arena, &row[i]);
        if (!rows_push(&c->rows, kept)) return -1;
        return dedupe && !hash_add(&c->seen, h, kept) ? -1 : 1;
    }
}

int cte_row(CteState *c, int i, const Value **row) {
    while (i >= c->rows.n) {
        int r = c->ended ? 0 : cte_produce(c);
        if (r <= 0) return r;
    }
    *row = c->rows.at[i];
    return 1;
}

bool cte_give(Exec *x, const Cte *cte, const Rows *rows) {
    CteState *c = cte_state(x, cte);
    cte_reset(c);
    c->started = c->ended = true;
    c->work_end = rows->n;
    for (int i = 0; i < rows->n; i++)
        if (!rows_push(&c->rows, rows->at[i])) return false;
    return true;
}

CteState *cte_of_work(Exec *x, const Rel *rel) { return cte_state(x, rel->work); }

void cte_work_range(const CteState *c, int *begin, int *end) {
    *begin = c->work_begin;
    *end = c->work_end;
}

void exec_query_rescan(QueryRun *run) {
    const Query *q = run->plan->query;
    for (int i = 0; i < q->ctes.n && run->x->ctes; i++) {
        CteState *c = cte_state(run->x, q->ctes.at[i]);
        if (c && c->started && !c->is_static) cte_reset(c);
    }
    node_rescan(run->root);
    run->state = 1;
}

/* ---- sublinks ---- */

typedef struct SublinkState {
    bool analysed, constant, memoise;
    VEC(OuterVar) vars;
    QueryRun *run;
    bool done;                  /* constant: `value` (EXISTS, SCALAR, ARRAY) or `rows` (ANY, ALL) are there */
    Value value;
    Layout layout;
    Rows rows;
    Hash set;                   /* ANY =, ALL <> */
    VEC(Value *) null_rows;     /* those with a NULL somewhere */
    Rows memo_rows;             /* outer values, operand, result */
    Hash memo;
    int64_t asked, hits;
} SublinkState;

enum { MEMO_ROWS = 10000, MEMO_BYTES = 8 << 20, MEMO_TRIAL = 2000 };

static void sublinks_free(Exec *x) {
    for (int i = 0; x->sublinks && i < x->plan->resolved->sublinks.n; i++) {
        SublinkState *s = &x->sublinks[i];
        exec_query_close(s->run);
        hash_free(&s->set);
        hash_free(&s->memo);
        rows_free(&s->rows);
        rows_free(&s->memo_rows);
        *s = (SublinkState){0};
    }
}

/* Which outer values the sublink's rows depend on, and whether they depend on nothing else. */
static SublinkState *sublink_state(Exec *x, const Expr *e) {
    int n = x->plan && x->plan->resolved ? x->plan->resolved->sublinks.n : 0;
    if (e->number < 0 || e->number >= n || !e->subquery || !e->subquery->plan) {
        error_set(x->error, SQM_ERROR_INTERNAL, "subquery %d has no plan", e->number);
        return NULL;
    }
    if (!x->sublinks) x->sublinks = NEW_ARRAY(&x->arena, SublinkState, n);
    SublinkState *s = &x->sublinks[e->number];
    if (s->analysed) return s;
    Dependence d = {.x = x, .arena = &x->arena, .is_volatile = e->subquery->is_volatile};
    depend_query(&d, e->subquery, e->subquery->parent, -1);
    memcpy(&s->vars, &d.vars, sizeof s->vars);
    s->constant = !d.vars.n && !d.is_volatile && !d.works;
    s->memoise = !s->constant && !d.is_volatile && !d.works;
    s->rows.x = s->memo_rows.x = x;
    hash_init(&s->memo, x, 0, d.vars.n + 1);
    hash_init(&s->set, x, 0, e->subquery->plan->output.n);
    s->analysed = true;
    return s;
}

/* The block's present row as one value. */
static Value row_value(QueryRun *run, Arena *a) {
    const Ints *output = &run->plan->output;
    if (output->n == 1) return run->ev.frame[output->at[0]];
    Value *items = NEW_ARRAY(a, Value, output->n);
    for (int i = 0; i < output->n; i++) items[i] = run->ev.frame[output->at[i]];
    return (Value){.type = SQM_TUPLE, .flags = VALUE_ROW, .len = (uint32_t)output->n, .u.tuple = items};
}

/* One step of ANY/ALL: *decided when no further row can change the answer. */
static bool quantify(Eval *ev, const Expr *e, const Value *operand, const Value *item, Value *answer, bool *decided) {
    Value c;
    if (!eval_compare(ev, e->op, operand, item, &c)) return false;
    bool stop_at = e->sublink == SUBLINK_ANY;
    *decided = c.type == SQM_BOOL && c.u.b == stop_at;
    if (*decided) *answer = sqm_bool(stop_at);
    else if (c.type == SQM_NULL) *answer = sqm_null();
    return true;
}

/* Runs the block from its start; the result lies in `keep`. */
static bool run_rows(Eval *ev, const Expr *e, SublinkState *s, const Value *operand, Arena *keep, Value *out) {
    QueryRun *run = s->run;
    int r;
    bool decided = false;
    VEC(Value) items = {0};
    *out = e->sublink == SUBLINK_EXISTS || e->sublink == SUBLINK_ANY ? sqm_bool(false) : e->sublink == SUBLINK_ALL ? sqm_bool(true) : sqm_null();
    for (int rows = 0; !decided && (r = exec_query_next(run)) != 0; rows++) {
        if (r < 0) return false;
        switch (e->sublink) {
        case SUBLINK_EXISTS:
            *out = sqm_bool(true);
            decided = true;
            break;
        case SUBLINK_SCALAR: {
            if (rows) return eval_fail(ev, e, SQM_ERROR_CARDINALITY, "more than one row returned by a subquery used as an expression");
            Value v = row_value(run, &run->scratch);
            *out = value_keep(keep, &v);
            break;
        }
        case SUBLINK_ARRAY: {
            Value v = row_value(run, &run->scratch);
            v = value_keep(keep, &v);
            vec_push(keep, &items, v);
            break;
        }
        case SUBLINK_ANY:
        case SUBLINK_ALL: {
            Value v = row_value(run, &run->scratch);
            if (!quantify(ev, e, operand, &v, out, &decided)) return false;
            break;
        }
        }
    }
    if (e->sublink == SUBLINK_ARRAY) *out = (Value){.type = SQM_TUPLE, .len = (uint32_t)items.n, .u.tuple = items.at};
    return true;
}

static bool load_set(const Expr *e, SublinkState *s) {
    QueryRun *run = s->run;
    int n = run->plan->output.n, r;
    bool hashed = e->op == (e->sublink == SUBLINK_ANY ? OP_EQ : OP_NE);
    layout_init(&s->layout, &run->x->arena, &run->plan->output, 0);
    Value *key = NEW_ARRAY(&run->x->arena, Value, n);
    while ((r = exec_query_next(run)) > 0) {
        bool null = false;
        for (int i = 0; i < n; i++) {
            key[i] = run->ev.frame[run->plan->output.at[i]];
            null |= key[i].type == SQM_NULL;
        }
        uint64_t h = keys_hash(key, n);
        if (hashed && hash_find(&s->set, h, key) >= 0) continue;
        Value *row = layout_save(&s->layout, &s->rows, run->ev.frame, NULL);
        if (!row || (hashed && !hash_add(&s->set, h, row))) return false;
        if (null) vec_push(&s->rows.arena, &s->null_rows, row);
    }
    s->done = r == 0;
    return s->done;
}

/* The values of an uncorrelated one-column subquery, for a filter that the server applies: {$in: [...]}. */
static void rewind_sublink(Exec *x, const Expr *e, SublinkState *s, Eval *ev);
static bool sublink_values(Eval *ev, const Expr *e, const Value **values, int *n, bool *has_null) {
    Exec *x = ev->exec;
    SublinkState *s = sublink_state(x, e);
    if (!s) return false;
    if (!s->done) {
        rewind_sublink(x, e, s, ev);
        if (!load_set(e, s)) return false;
        exec_query_close(s->run);
        s->run = NULL;
    }
    Value *list = NEW_ARRAY(ev->arena, Value, s->rows.n + 1);
    *n = 0;
    *has_null = s->null_rows.n > 0;
    for (int i = 0; i < s->rows.n; i++)
        if (s->rows.at[i][0].type != SQM_NULL) list[(*n)++] = s->rows.at[i][0];
    *values = list;
    return true;
}

static bool scan_set(Eval *ev, const Expr *e, const Value *operand, Value *const *rows, int n, int width, Value *out) {
    bool decided = false;
    for (int i = 0; i < n && !decided; i++) {
        Value item = width == 1 ? rows[i][0] : (Value){.type = SQM_TUPLE, .flags = VALUE_ROW, .len = (uint32_t)width, .u.tuple = rows[i]};
        if (!quantify(ev, e, operand, &item, out, &decided)) return false;
    }
    return true;
}

/* ANY and ALL over rows that never change. Only rows with a NULL can make "not found" unknown. */
static bool ask_set(Eval *ev, const Expr *e, SublinkState *s, const Value *operand, Value *out) {
    int width = s->set.width;
    bool any = e->sublink == SUBLINK_ANY, null = operand->type == SQM_NULL;
    const Value *key = width == 1 ? operand : operand->u.tuple;
    *out = sqm_bool(!any);
    if (s->rows.n == 0) return true;
    if (!null && width > 1) {
        if (operand->type != SQM_TUPLE || (int)operand->len != width) return eval_fail(ev, e, SQM_ERROR_DATATYPE_MISMATCH, "subquery has %d columns", width);
        for (int i = 0; i < width; i++) null |= key[i].type == SQM_NULL;
    }
    if (e->op != (any ? OP_EQ : OP_NE) || null) return scan_set(ev, e, operand, s->rows.at, s->rows.n, width, out);
    if (hash_find(&s->set, keys_hash(key, width), key) >= 0) {
        *out = sqm_bool(any);
        return true;
    }
    return scan_set(ev, e, operand, s->null_rows.at, s->null_rows.n, width, out);
}

static void rewind_sublink(Exec *x, const Expr *e, SublinkState *s, Eval *ev) {
    if (s->run) {
        s->run->ev.outer = ev;
        s->run->outer = run_of(x, ev);
        exec_query_rescan(s->run);
    } else {
        s->run = exec_query_open(x, e->subquery->plan, ev);
    }
}

/* Indistinguishable even to a cast: 1.0 and 1.00 are the same key elsewhere but not here. */
static bool identical(const Value *a, const Value *b) {
    if (a->type != b->type || a->bson_type != b->bson_type || a->len != b->len) return false;
    switch ((sqm_type_t)a->type) {
    case SQM_NULL: return true;
    case SQM_BOOL: return a->u.b == b->u.b;
    case SQM_DOUBLE: return memcmp(&a->u.d, &b->u.d, sizeof a->u.d) == 0;
    case SQM_DECIMAL: return a->u.decimal.low == b->u.decimal.low && a->u.decimal.high == b->u.decimal.high;
    case SQM_INT:
    case SQM_DATE:
    case SQM_TIME:
    case SQM_TIMESTAMP:
    case SQM_INTERVAL: return a->u.i == b->u.i;
    case SQM_UUID: return memcmp(a->u.bytes, b->u.bytes, 16) == 0;
    case SQM_OBJECTID: return memcmp(a->u.bytes, b->u.bytes, 12) == 0;
    case SQM_TEXT:
    case SQM_BYTES:
    case SQM_JSON:
    case SQM_BSON: return a->len == 0 || memcmp(a->u.bytes, b->u.bytes, a->len) == 0;
    case SQM_TUPLE:
        for (uint32_t i = 0; i < a->len; i++)
            if (!identical(&a->u.tuple[i], &b->u.tuple[i])) return false;
        return true;
    }
    return false;
}

/* Remembered result for the outer values in `key`: NULL when there is none. */
static const Value *recall(SublinkState *s, const Value *key, int width, uint64_t h) {
    int found = hash_find(&s->memo, h, key);
    for (; found >= 0; found = hash_after(&s->memo, found, key)) {
        bool same = true;
        for (int i = 0; i < width && same; i++) same = identical(&s->memo.at[found].row[i], &key[i]);
        if (same) break;
    }
    s->asked++;
    s->hits += found >= 0;
    if (s->asked == MEMO_TRIAL && s->hits < MEMO_TRIAL / 20) {      /* the values hardly repeat: remembering them only costs */
        s->memoise = false;
        hash_free(&s->memo);
        rows_free(&s->memo_rows);
        return NULL;
    }
    return found < 0 ? NULL : &s->memo.at[found].row[width];
}

static bool remember(SublinkState *s, const Value *key, int width, uint64_t h, const Value *result) {
    if (s->memo.n >= MEMO_ROWS || s->memo_rows.arena.total > MEMO_BYTES) {
        hash_clear(&s->memo);
        rows_clear(&s->memo_rows);
    }
    Value *row = rows_new(&s->memo_rows, width + 1);
    for (int i = 0; i < width; i++) row[i] = value_keep(&s->memo_rows.arena, &key[i]);
    row[width] = value_keep(&s->memo_rows.arena, result);
    return rows_push(&s->memo_rows, row) && hash_add(&s->memo, h, row);
}

static bool run_sublink(Eval *ev, const Expr *e, Value *out) {
    Exec *x = ev->exec;
    SublinkState *s = sublink_state(x, e);
    if (!s) return false;
    bool quantified = e->sublink == SUBLINK_ANY || e->sublink == SUBLINK_ALL;
    Value operand = sqm_null();
    if (quantified && !eval(ev, e->args.at[0], &operand)) return false;

    if (s->constant) {
        if (!s->done) {
            rewind_sublink(x, e, s, ev);
            if (quantified ? !load_set(e, s) : !run_rows(ev, e, s, NULL, &x->arena, &s->value)) return false;
            s->done = true;
            exec_query_close(s->run);       /* gives the cursor back */
            s->run = NULL;
        }
        if (quantified) return ask_set(ev, e, s, &operand, out);
        *out = s->value;
        return true;
    }

    int width = s->vars.n + 1;
    uint64_t h = 0;
    Value *key = NULL;
    if (s->memoise) {
        key = NEW_ARRAY(ev->arena, Value, width);
        for (int i = 0; i < s->vars.n; i++) {
            const Eval *at = ev;
            for (int up = 0; up < s->vars.at[i].hops && at; up++) at = at->outer;
            if (!at) return error_set(x->error, SQM_ERROR_INTERNAL, "subquery refers to a block that isn't running");
            key[i] = at->frame[s->vars.at[i].slot];
        }
        key[width - 1] = operand;
        h = keys_hash(key, width);
        const Value *known = recall(s, key, width, h);
        if (known) {
            *out = value_keep(ev->arena, known);    /* the memo may be emptied while this row is still being worked on */
            return true;
        }
    }
    rewind_sublink(x, e, s, ev);
    if (!run_rows(ev, e, s, &operand, ev->arena, out)) return false;
    return !s->memoise || remember(s, key, width, h, out);
}
