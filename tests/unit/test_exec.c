/* test_exec.c - the executor over plans made by hand: VALUES as inputs, no server, no parser.
 *
 * Tables are written "1,a;2,~" (~ is NULL); results come back the same way, in the order of rows. Joins and windows are also compared with
 * definitions by brute force over random small tables. */
#include "unit.h"

#include "../../core/exec.h"

static Arena arena;
static Resolved resolved;
static StatementPlan statement;
static sqm_error_t error;
static size_t work_mem;
static char result[1 << 16];

static void begin(void) {
    arena_free(&arena);
    memset(&resolved, 0, sizeof resolved);
    statement = (StatementPlan){.resolved = &resolved, .n_reads = 1};
    work_mem = 0;
}

/* ---- builders ---- */

static Query *query(int n_slots) {
    Query *q = NEW(&arena, Query);
    q->n_slots = n_slots;
    q->grouping_slot = -1;
    return q;
}

static Expr *expr(ExprTag tag) {
    Expr *e = NEW(&arena, Expr);
    e->tag = tag;
    e->pos = NO_POS;
    e->rel = e->column = -1;
    return e;
}

static Expr *var(int slot) {
    Expr *e = expr(EXPR_VAR);
    e->slot = slot;
    return e;
}

static Expr *outer_var(int slot) {
    Expr *e = var(slot);
    e->level = 1;
    return e;
}

static Expr *constant(Value v) {
    Expr *e = expr(EXPR_CONST);
    e->value = v;
    return e;
}

static Expr *num(int64_t i) {
    Expr *e = constant(sqm_int(i));
    e->type = TYPE(INT8);
    return e;
}

static Expr *op(ExprTag tag, Operator o, Expr *a, Expr *b) {
    Expr *e = expr(tag);
    e->op = o;
    vec_push(&arena, &e->args, a);
    if (b) vec_push(&arena, &e->args, b);
    return e;
}

static Expr *compare(Operator o, Expr *a, Expr *b) { return op(EXPR_COMPARE, o, a, b); }

static Expr *call(const char *name, Expr *a, Expr *b) {
    Expr *e = op(EXPR_FUNC, OP_NONE, a, b);
    e->function = function_find(str_from(name), e->args.n);
    CHECK(e->function != NULL);
    e->type = TYPE(INT8);
    return e;
}

static Expr *aggregate(const char *name, Expr *arg) {
    Expr *e = expr(EXPR_AGG);
    e->aggregate = aggregate_find(str_from(name));
    CHECK(e->aggregate != NULL);
    if (arg) vec_push(&arena, &e->args, arg);
    Type types[4] = {arg ? arg->type : TYPE(UNKNOWN), TYPE(UNKNOWN), TYPE(UNKNOWN), TYPE(UNKNOWN)};
    int n = arg != NULL;
    e->aggregate->type(types, n > e->aggregate->min_args ? n : e->aggregate->min_args, &e->type);
    return e;
}

static Plan *plan(PlanTag tag, Plan *left, Plan *right) {
    Plan *p = NEW(&arena, Plan);
    p->tag = tag;
    p->left = left;
    p->right = right;
    p->rows = -1;
    for (int i = 0; left && i < left->slots.n; i++) vec_push(&arena, &p->slots, left->slots.at[i]);
    for (int i = 0; right && i < right->slots.n; i++) vec_push(&arena, &p->slots, right->slots.at[i]);
    return p;
}

static void sets(Plan *p, int slot) { vec_push(&arena, &p->slots, slot); }

static Value cell(const char *text, size_t n) {
    if (n == 1 && *text == '~') return sqm_null();
    char *end;
    char *copy = (char *)arena_str(&arena, text, n).p;
    int64_t i = strtoll(copy, &end, 10);
    return n && !*end ? sqm_int(i) : sqm_text(copy, n);
}

/* VALUES in slots first, first + 1 ... */
static Plan *values(int first, int width, const char *text) {
    Rel *rel = NEW(&arena, Rel);
    rel->kind = REL_VALUES;
    Plan *p = plan(PLAN_VALUES, NULL, NULL);
    p->rel = rel;
    for (int i = 0; i < width; i++) {
        RelColumn c = {.slot = first + i};
        vec_push(&arena, &rel->columns, c);
        sets(p, first + i);
    }
    while (*text) {
        Exprs row = {0};
        for (int i = 0; i < width; i++) {
            size_t n = strcspn(text, ",;");
            Expr *e = constant(cell(text, n));
            vec_push(&arena, &row, e);
            text += n;
            if (i + 1 < width || *text) text++;
        }
        vec_push(&arena, &rel->values, row);
    }
    return p;
}

static void key(Plan *join, Expr *left, Expr *right) {
    vec_push(&arena, &join->left_keys, left);
    vec_push(&arena, &join->right_keys, right);
}

static void condition(Plan *p, Expr *e) { vec_push(&arena, &p->conditions, e); }

static void order_by(SortKeys *keys, Expr *e, bool descending, bool nulls_first) {
    SortKey k = {e, descending, nulls_first};
    vec_push(&arena, keys, k);
}

static QueryPlan *finish(Query *q, Plan *root, int n_output, const int *output) {
    QueryPlan *qp = NEW(&arena, QueryPlan);
    qp->query = q;
    qp->root = root;
    qp->n_slots = q->n_slots;
    for (int i = 0; i < n_output; i++) vec_push(&arena, &qp->output, output[i]);
    q->plan = qp;
    return qp;
}

#define OUTPUT(q, root, ...) finish(q, root, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (const int[]){__VA_ARGS__})

static void print_row(char **at, QueryRun *run, const QueryPlan *qp) {
    Arena text = {0};
    for (int i = 0; i < qp->output.n; i++) {
        const Value *v = &exec_query_eval(run)->frame[qp->output.at[i]];
        Str s = v->type == SQM_NULL ? STR("~") : value_text(&text, v);
        if ((size_t)(*at - result) + s.n + 3 > sizeof result) abort();
        *at += sprintf(*at, "%s" STR_FMT, i ? "," : "", STR_ARG(s));
    }
    arena_free(&text);
}

/* Runs the block twice (the second time by a rescan): both must give the same. "ERROR code" when it fails. */
static const char *run(QueryPlan *qp) {
    Exec x;
    statement.query = qp;
    error_clear(&error);
    exec_init(&x, NULL, &statement, NULL, 0, work_mem, &error);
    QueryRun *r = exec_query_open(&x, qp, NULL);
    char first[sizeof result];
    for (int round = 0; round < 3; round++) {
        char *at = result;
        int state;
        *at = 0;
        while ((state = exec_query_next(r)) > 0) {
            if (at > result) *at++ = ';';
            print_row(&at, r, qp);
        }
        if (state < 0) {
            snprintf(result, sizeof result, "ERROR %s", sqm_error_name(error.code));
            break;
        }
        CHECK_INT(exec_query_next(r), 0);
        if (round) CHECK_STR(result, first);
        strcpy(first, result);
        exec_query_rescan(r);
    }
    exec_clear(&x);
    CHECK_INT(x.memory, 0);
    return result;
}

/* ---- joins ---- */

static const char *join(JoinKind kind, JoinMethod method, const char *left, const char *right, bool null_aware, bool with_condition) {
    Query *q = query(4);
    Plan *l = values(0, 2, left), *r = values(2, 2, right);
    if (method == METHOD_NESTED && kind != JOIN_RIGHT && kind != JOIN_FULL) {     /* lateral: the right side filters by the left row */
        r = plan(PLAN_FILTER, r, NULL);
        condition(r, compare(OP_EQ, var(0), var(2)));
    }
    Plan *j = plan(PLAN_JOIN, l, r);
    j->kind = kind;
    j->method = method;
    j->rescan = method == METHOD_NESTED && kind != JOIN_RIGHT && kind != JOIN_FULL;
    j->null_aware = null_aware;
    if (!j->rescan) key(j, var(0), var(2));
    if (with_condition) condition(j, compare(OP_LT, var(1), var(3)));
    if (kind == JOIN_SEMI || kind == JOIN_ANTI) return run(OUTPUT(q, j, 0, 1));
    return run(OUTPUT(q, j, 0, 1, 2, 3));
}

TEST(joins) {
    begin();
    const char *l = "1,a;2,b;~,c;2,d;4,e", *r = "2,x;3,y;~,z;2,w;1,v";
    CHECK_STR(join(JOIN_INNER, METHOD_HASH, l, r, false, false), "1,a,1,v;2,b,2,x;2,b,2,w;2,d,2,x;2,d,2,w");
    CHECK_STR(join(JOIN_LEFT, METHOD_HASH, l, r, false, false), "1,a,1,v;2,b,2,x;2,b,2,w;~,c,~,~;2,d,2,x;2,d,2,w;4,e,~,~");
    CHECK_STR(join(JOIN_RIGHT, METHOD_HASH, l, r, false, false), "1,a,1,v;2,b,2,x;2,b,2,w;2,d,2,x;2,d,2,w;~,~,3,y;~,~,~,z");
    CHECK_STR(join(JOIN_FULL, METHOD_HASH, l, r, false, false), "1,a,1,v;2,b,2,x;2,b,2,w;~,c,~,~;2,d,2,x;2,d,2,w;4,e,~,~;~,~,3,y;~,~,~,z");
    CHECK_STR(join(JOIN_SEMI, METHOD_HASH, l, r, false, false), "1,a;2,b;2,d");
    CHECK_STR(join(JOIN_ANTI, METHOD_HASH, l, r, false, false), "~,c;4,e");
    /* a server is needed for KEY: without a scan it reads everything, like HASH */
    CHECK_STR(join(JOIN_LEFT, METHOD_KEY, l, r, false, false), "1,a,1,v;2,b,2,x;2,b,2,w;~,c,~,~;2,d,2,x;2,d,2,w;4,e,~,~");
    CHECK_STR(join(JOIN_INNER, METHOD_HASH, l, "", false, false), "");
    CHECK_STR(join(JOIN_LEFT, METHOD_HASH, "1,a", "", false, false), "1,a,~,~");
    CHECK_STR(join(JOIN_FULL, METHOD_HASH, "", "1,a", false, false), "~,~,1,a");
    CHECK_STR(join(JOIN_ANTI, METHOD_HASH, "", "1,a", false, false), "");
}

TEST(not_in) {
    begin();
    CHECK_STR(join(JOIN_ANTI, METHOD_HASH, "1,a;2,b;~,c", "2,x;3,y", true, false), "1,a");
    CHECK_STR(join(JOIN_ANTI, METHOD_HASH, "1,a;2,b;~,c", "2,x;~,y", true, false), "");
    CHECK_STR(join(JOIN_ANTI, METHOD_HASH, "1,a;2,b;~,c", "", true, false), "1,a;2,b;~,c");
    /* the conditions say which rows are in the set: a < x */
    CHECK_STR(join(JOIN_ANTI, METHOD_HASH, "1,5;2,5;~,5;~,9", "2,1;~,6;3,7", true, true), "~,9");
    CHECK_STR(join(JOIN_ANTI, METHOD_HASH, "1,5;2,8;~,5", "2,1;~,6;3,7", true, true), "2,8");
}

static char *random_table(unsigned *seed, char *out) {
    char *at = out;
    int n = rand_r(seed) % 7;
    *at = 0;
    for (int i = 0; i < n; i++) {
        int k = rand_r(seed) % 5;
        at += k ? sprintf(at, "%s%d,%d", i ? ";" : "", k, rand_r(seed) % 6) : sprintf(at, "%s~,%d", i ? ";" : "", rand_r(seed) % 6);
    }
    return out;
}

TEST(joins_agree) {
    unsigned seed = 7;
    for (int i = 0; i < 400; i++) {
        char left[200], right[200], expected[sizeof result];
        JoinKind kinds[] = {JOIN_INNER, JOIN_LEFT, JOIN_SEMI, JOIN_ANTI};
        begin();
        random_table(&seed, left);
        random_table(&seed, right);
        for (int k = 0; k < 4; k++)
            for (int c = 0; c < 2; c++) {
                strcpy(expected, join(kinds[k], METHOD_NESTED, left, right, false, c));
                CHECK_STR(join(kinds[k], METHOD_HASH, left, right, false, c), expected);
            }
    }
}

TEST(cross_and_limits) {
    begin();
    Query *q = query(2);
    Plan *j = plan(PLAN_JOIN, values(0, 1, "1;2;3"), values(1, 1, "1;2;3"));
    j->kind = JOIN_CROSS;
    j->method = METHOD_NESTED;
    condition(j, compare(OP_LE, var(0), var(1)));
    Plan *l = plan(PLAN_LIMIT, j, NULL);
    l->limit = num(3);
    l->offset = num(1);
    CHECK_STR(run(OUTPUT(q, l, 0, 1)), "1,2;1,3;2,2");
    l->limit = num(-1);
    CHECK_STR(run(q->plan), "ERROR invalid_parameter_value");
    l->limit = constant(sqm_null());
    CHECK_STR(run(q->plan), "1,2;1,3;2,2;2,3;3,3");
    l->limit = num(0);
    CHECK_STR(run(q->plan), "");
}

/* ---- sort, distinct ---- */

TEST(sorts) {
    begin();
    const char *t = "3,a;1,b;~,c;2,d;1,e;~,f;3,g";
    Query *q = query(2);
    Plan *s = plan(PLAN_SORT, values(0, 2, t), NULL);
    order_by(&s->keys, var(0), false, true);
    CHECK_STR(run(OUTPUT(q, s, 0, 1)), "~,c;~,f;1,b;1,e;2,d;3,a;3,g");
    s->limit = num(3);
    s->offset = num(1);
    CHECK_STR(run(q->plan), "~,c;~,f;1,b;1,e");
    s->limit = s->offset = NULL;
    s->keys.n = 0;
    order_by(&s->keys, var(0), true, false);
    order_by(&s->keys, var(1), true, false);
    CHECK_STR(run(q->plan), "3,g;3,a;2,d;1,e;1,b;~,f;~,c");
    s->limit = num(2);
    CHECK_STR(run(q->plan), "3,g;3,a");
    Plan *l = plan(PLAN_LIMIT, s, NULL);
    s->keys.n = 0;
    s->limit = NULL;
    order_by(&s->keys, var(0), false, false);
    q->order = s->keys;
    l->limit = num(1);
    l->with_ties = true;
    CHECK_STR(run(OUTPUT(q, l, 0, 1)), "1,b;1,e");
}

TEST(top_n_stays_small) {
    begin();
    Query *q = query(2);
    Plan *f = plan(PLAN_FUNCTION, NULL, NULL);
    Rel *rel = NEW(&arena, Rel);
    rel->kind = REL_FUNCTION;
    RelColumn c = {.slot = 0};
    vec_push(&arena, &rel->columns, c);
    Function *series = NEW(&arena, Function);
    *series = (Function){.name = "generate_series", .volatility = STABLE};
    rel->function = op(EXPR_FUNC, OP_NONE, num(200000), num(1));
    vec_push(&arena, &rel->function->args, num(-1));
    rel->function->function = series;
    f->rel = rel;
    sets(f, 0);
    Plan *p = plan(PLAN_PROJECT, f, NULL);      /* text of 40 bytes per row, which value_copy has to copy */
    Target t = {.expr = call("repeat", constant(sqm_text("0123456789", 10)), num(4)), .slot = 1};
    vec_push(&arena, &q->targets, t);
    sets(p, 1);
    Plan *s = plan(PLAN_SORT, p, NULL);
    order_by(&s->keys, var(0), false, true);
    s->limit = num(3);
    work_mem = 4 << 20;
    CHECK_STR(run(OUTPUT(q, s, 0)), "1;2;3");
    s->limit = NULL;
    CHECK_STR(run(q->plan), "ERROR out_of_memory");
    CHECK(strstr(error.hint, "work_mem") != NULL);
}

TEST(distincts) {
    begin();
    Query *q = query(2);
    Plan *d = plan(PLAN_DISTINCT, values(0, 2, "1,a;1,b;~,a;1,a;~,a"), NULL);
    for (int i = 0; i < 2; i++) {
        Target t = {.expr = var(i), .slot = i};
        vec_push(&arena, &q->targets, t);
    }
    q->n_visible = 2;
    CHECK_STR(run(OUTPUT(q, d, 0, 1)), "1,a;1,b;~,a");
    vec_push(&arena, &q->distinct_on, var(0));
    CHECK_STR(run(q->plan), "1,a;~,a");
}

/* ---- grouping ---- */

static Plan *group(Query *q, Plan *input, int n_keys, int first) {
    Plan *g = plan(PLAN_GROUP, input, NULL);
    for (int i = 0; i < n_keys; i++) {
        vec_push(&arena, &q->group_keys, var(i));
        vec_push(&arena, &q->group_slots, first + i);
        sets(g, first + i);
    }
    return g;
}

static Expr *add_aggregate(Query *q, const char *name, Expr *arg, int slot) {
    Expr *e = aggregate(name, arg);
    vec_push(&arena, &q->aggs, e);
    vec_push(&arena, &q->agg_slots, slot);
    return e;
}

TEST(groups) {
    begin();
    Query *q = query(8);
    Plan *g = group(q, values(0, 2, "1,5;2,7;~,1;1,~;2,7;~,3"), 1, 2);
    add_aggregate(q, "count", NULL, 3);
    add_aggregate(q, "count", var(1), 4);
    add_aggregate(q, "sum", var(1), 5);
    add_aggregate(q, "sum", var(1), 6)->distinct = true;
    add_aggregate(q, "max", var(1), 7)->filter = compare(OP_LT, var(1), num(7));
    CHECK_STR(run(OUTPUT(q, g, 2, 3, 4, 5, 6, 7)), "1,2,1,5,5,5;2,2,2,14,7,~;~,2,2,4,4,3");
    g->left = values(0, 2, "");
    CHECK_STR(run(q->plan), "");
    q->group_keys.n = q->group_slots.n = 0;
    CHECK_STR(run(OUTPUT(q, g, 3, 4, 5, 6, 7)), "0,0,~,~,~");
}

TEST(grouping_sets) {
    begin();
    Query *q = query(6);
    Plan *g = group(q, values(0, 2, "1,a;2,a;1,b"), 2, 2);
    add_aggregate(q, "count", NULL, 4);
    q->grouping_slot = 5;
    for (int n = 2; n >= 0; n--) {
        GroupingSet s = {{0}};
        for (int i = 0; i < n; i++) vec_push(&arena, &s.keys, i);
        vec_push(&arena, &q->grouping_sets, s);
    }
    CHECK_STR(run(OUTPUT(q, g, 2, 3, 4, 5)), "1,a,1,0;2,a,1,0;1,b,1,0;1,~,2,2;2,~,1,2;~,~,3,3");
    g->left = values(0, 2, "");
    CHECK_STR(run(q->plan), "~,~,0,3");
}

TEST(ordered_aggregates) {
    begin();
    Query *q = query(6);
    Plan *g = group(q, values(0, 2, "1,c;1,a;1,~;1,c;2,b"), 1, 2);
    Expr *list = add_aggregate(q, "string_agg", var(1), 3);
    vec_push(&arena, &list->args, constant(sqm_text("+", 1)));
    list->order = NEW(&arena, SortKeys);
    order_by(list->order, var(1), true, true);
    Expr *unique = add_aggregate(q, "string_agg", var(1), 4);
    vec_push(&arena, &unique->args, constant(sqm_text("+", 1)));
    unique->distinct = true;
    CHECK_STR(run(OUTPUT(q, g, 2, 3, 4)), "1,c+c+a,a+c;2,b,b");
    begin();
    q = query(3);
    g = group(q, values(0, 1, "10;30;20;~;40"), 0, 0);
    Expr *median = add_aggregate(q, "percentile_disc", var(0), 1);
    vec_push(&arena, &median->args, constant(sqm_double(0.5)));
    median->order = NEW(&arena, SortKeys);
    order_by(median->order, var(0), false, true);
    CHECK_STR(run(OUTPUT(q, g, 1)), "20");
}

/* ---- windows ---- */

static WindowDef window(int partition, int order) {
    WindowDef d = {.unit = FRAME_RANGE, .start = BOUND_UNBOUNDED_PRECEDING, .end = BOUND_CURRENT_ROW};
    if (partition >= 0) vec_push(&arena, &d.partition, var(partition));
    if (order >= 0) order_by(&d.order, var(order), false, true);
    return d;
}

static Expr *add_window(Query *q, WindowFunction f, const char *name, int def, int slot, Expr *arg, Expr *arg2) {
    Expr *e = expr(EXPR_WINDOW);
    e->window_function = f;
    e->window = def;
    if (name) e->aggregate = aggregate_find(str_from(name));
    if (arg) vec_push(&arena, &e->args, arg);
    if (arg2) vec_push(&arena, &e->args, arg2);
    vec_push(&arena, &q->windows, e);
    vec_push(&arena, &q->window_slots, slot);
    return e;
}

TEST(ranking) {
    begin();
    Query *q = query(12);
    WindowDef d = window(0, 1);
    vec_push(&arena, &q->window_defs, d);
    Plan *w = plan(PLAN_WINDOW, values(0, 2, "1,10;1,20;2,5;1,10;~,1;1,~;~,1"), NULL);
    add_window(q, WINDOW_ROW_NUMBER, NULL, 0, 2, NULL, NULL);
    add_window(q, WINDOW_RANK, NULL, 0, 3, NULL, NULL);
    add_window(q, WINDOW_DENSE_RANK, NULL, 0, 4, NULL, NULL);
    add_window(q, WINDOW_CUME_DIST, NULL, 0, 5, NULL, NULL);
    add_window(q, WINDOW_NTILE, NULL, 0, 6, num(3), NULL);
    add_window(q, WINDOW_LAG, NULL, 0, 7, var(1), NULL);
    Expr *lead = add_window(q, WINDOW_LEAD, NULL, 0, 8, var(1), num(2));
    vec_push(&arena, &lead->args, num(-1));
    CHECK_STR(run(OUTPUT(q, w, 0, 1, 2, 3, 4, 5, 6, 7, 8)),
              "~,1,1,1,1,1,1,~,-1;~,1,2,1,1,1,2,1,-1;"
              "1,~,1,1,1,0.25,1,~,10;1,10,2,2,2,0.75,1,~,20;1,10,3,2,2,0.75,2,10,-1;1,20,4,4,3,1,3,10,-1;2,5,1,1,1,1,1,~,-1");
    begin();
    q = query(8);
    d = window(-1, 0);
    vec_push(&arena, &q->window_defs, d);
    w = plan(PLAN_WINDOW, values(0, 1, "1;2;2;3;4"), NULL);
    add_window(q, WINDOW_PERCENT_RANK, NULL, 0, 1, NULL, NULL);
    add_window(q, WINDOW_FIRST_VALUE, NULL, 0, 2, var(0), NULL);
    add_window(q, WINDOW_LAST_VALUE, NULL, 0, 3, var(0), NULL);
    add_window(q, WINDOW_NTH_VALUE, NULL, 0, 4, var(0), num(3));
    add_window(q, WINDOW_AGGREGATE, "sum", 0, 5, var(0), NULL);
    CHECK_STR(run(OUTPUT(q, w, 0, 1, 2, 3, 4, 5)), "1,0,1,1,~,1;2,0.25,1,2,2,5;2,0.25,1,2,2,5;3,0.75,1,3,2,8;4,1,1,4,2,12");
}

/* What a frame is, by definition; rows are in window order. */
typedef struct Brute { int n; int64_t k[16]; bool null[16]; } Brute;

static bool peers(const Brute *b, int i, int j) { return b->null[i] == b->null[j] && (b->null[i] || b->k[i] == b->k[j]); }

static int group_number(const Brute *b, int i) {
    int g = 0;
    for (int k = 1; k <= i; k++) g += !peers(b, k, k - 1);
    return g;
}

static bool past_start(const Brute *b, const WindowDef *d, int64_t offset, int i, int j) {
    int64_t sign = d->start == BOUND_PRECEDING ? -1 : 1;
    if (d->start == BOUND_UNBOUNDED_PRECEDING) return true;
    if (d->unit == FRAME_ROWS) return d->start == BOUND_CURRENT_ROW ? j >= i : j >= i + sign * offset;
    if (d->start == BOUND_CURRENT_ROW) return j >= i || peers(b, i, j);
    if (d->unit == FRAME_GROUPS) return group_number(b, j) >= group_number(b, i) + sign * offset;
    if (b->null[i]) return b->null[j] || j > i;
    if (b->null[j]) return j > i;
    return d->order.at[0].descending ? b->k[j] <= b->k[i] - sign * offset : b->k[j] >= b->k[i] + sign * offset;
}

static bool before_end(const Brute *b, const WindowDef *d, int64_t offset, int i, int j) {
    int64_t sign = d->end == BOUND_PRECEDING ? -1 : 1;
    if (d->end == BOUND_UNBOUNDED_FOLLOWING) return true;
    if (d->unit == FRAME_ROWS) return d->end == BOUND_CURRENT_ROW ? j <= i : j <= i + sign * offset;
    if (d->end == BOUND_CURRENT_ROW) return j <= i || peers(b, i, j);
    if (d->unit == FRAME_GROUPS) return group_number(b, j) <= group_number(b, i) + sign * offset;
    if (b->null[i]) return b->null[j] || j < i;
    if (b->null[j]) return j < i;
    return d->order.at[0].descending ? b->k[j] >= b->k[i] - sign * offset : b->k[j] <= b->k[i] + sign * offset;
}

static bool excluded(const Brute *b, const WindowDef *d, int i, int j) {
    switch (d->exclude) {
    case EXCLUDE_NO_OTHERS: return false;
    case EXCLUDE_CURRENT_ROW: return i == j;
    case EXCLUDE_GROUP: return peers(b, i, j);
    case EXCLUDE_TIES: return i != j && peers(b, i, j);
    }
    return false;
}

TEST(frames) {
    unsigned seed = 3;
    for (int round = 0; round < 6000; round++) {
        begin();
        Brute b = {.n = 1 + rand_r(&seed) % 9};
        bool descending = rand_r(&seed) % 2, nulls_first = rand_r(&seed) % 2;
        int nulls = rand_r(&seed) % 3 ? 0 : rand_r(&seed) % 3;
        if (nulls > b.n) nulls = b.n;
        int64_t v[16], k = rand_r(&seed) % 3;
        for (int i = 0; i < b.n; i++, k += rand_r(&seed) % 3) {      /* sorted, NULLs at their end */
            int at = descending ? b.n - 1 - i : i;
            b.null[at] = nulls_first ? at < nulls : at >= b.n - nulls;
            b.k[at] = k;
            v[at] = rand_r(&seed) % 10;
        }
        char table[400], *t = table;
        for (int i = 0; i < b.n; i++)       /* v 0 stands for NULL */
            t += sprintf(t, b.null[i] ? "%s~,%" PRId64 : "%s%" PRId64 ",%" PRId64, i ? ";" : "", b.null[i] ? v[i] : b.k[i], v[i]);
        Query *q = query(9);
        WindowDef d = {.unit = FRAME_ROWS + rand_r(&seed) % 3, .start = rand_r(&seed) % 4, .end = 1 + rand_r(&seed) % 4, .exclude = rand_r(&seed) % 2 ? 0 : rand_r(&seed) % 4};
        order_by(&d.order, var(0), descending, nulls_first);
        int64_t start = rand_r(&seed) % 3, end = rand_r(&seed) % 3;
        d.start_offset = d.start == BOUND_PRECEDING || d.start == BOUND_FOLLOWING ? num(start) : NULL;
        d.end_offset = d.end == BOUND_PRECEDING || d.end == BOUND_FOLLOWING ? num(end) : NULL;
        vec_push(&arena, &q->window_defs, d);
        Plan *w = plan(PLAN_WINDOW, values(0, 2, table), NULL);
        Expr *x = call("nullif", var(1), num(0));
        add_window(q, WINDOW_AGGREGATE, "count", 0, 2, x, NULL);
        add_window(q, WINDOW_AGGREGATE, "sum", 0, 3, x, NULL);
        add_window(q, WINDOW_AGGREGATE, "min", 0, 4, x, NULL);
        add_window(q, WINDOW_AGGREGATE, "max", 0, 5, x, NULL)->filter = compare(OP_NE, var(1), num(9));
        add_window(q, WINDOW_LAST_VALUE, NULL, 0, 6, var(1), NULL);
        add_window(q, WINDOW_NTH_VALUE, NULL, 0, 7, var(1), num(2));
        Expr *list = add_window(q, WINDOW_AGGREGATE, "string_agg", 0, 8, call("chr", call("+", var(1), num(65)), NULL), constant(sqm_text("", 0)));
        (void)list;
        char expected[2000], *e = expected;
        for (int i = 0; i < b.n; i++) {
            int64_t count = 0, sum = 0, min = -1, max = -1, last = -1, nth = -1;
            int n = 0;
            char letters[20] = "";
            for (int j = 0; j < b.n; j++) {
                if (!past_start(&b, &d, start, i, j) || !before_end(&b, &d, end, i, j) || excluded(&b, &d, i, j)) continue;
                letters[n] = (char)(65 + v[j]);
                last = v[j];
                if (++n == 2) nth = v[j];
                letters[n] = 0;
                if (v[j] == 0) continue;
                count++;
                sum += v[j];
                if (min < 0 || v[j] < min) min = v[j];
                if (v[j] != 9 && v[j] > max) max = v[j];
            }
            char text[4][24];
            int64_t all[4] = {count ? sum : -1, min, max, last};
            for (int c = 0; c < 4; c++) snprintf(text[c], sizeof text[c], all[c] < 0 ? "~" : "%" PRId64, all[c]);
            e += sprintf(e, "%s%" PRId64 ",%s,%s,%s,%s,", i ? ";" : "", count, text[0], text[1], text[2], text[3]);
            e += nth < 0 ? sprintf(e, "~") : sprintf(e, "%" PRId64, nth);
            e += sprintf(e, ",%s", n ? letters : "~");
        }
        int before = unit_failures;
        CHECK_STR(run(OUTPUT(q, w, 2, 3, 4, 5, 6, 7, 8)), expected);
        if (unit_failures > before) {
            fprintf(stderr, "unit %d start %d(%d) end %d(%d) exclude %d desc %d nulls first %d: %s\n", d.unit, d.start, (int)start, d.end, (int)end, d.exclude, descending,
                    nulls_first, table);
            return;
        }
    }
}

TEST(frame_offsets) {
    begin();
    Query *q = query(3);
    WindowDef d = window(-1, 0);
    d.unit = FRAME_ROWS;
    d.start = BOUND_PRECEDING;
    d.start_offset = num(-1);
    vec_push(&arena, &q->window_defs, d);
    Plan *w = plan(PLAN_WINDOW, values(0, 1, "1;2"), NULL);
    add_window(q, WINDOW_AGGREGATE, "count", 0, 1, NULL, NULL);
    CHECK_STR(run(OUTPUT(q, w, 0, 1)), "ERROR invalid_parameter_value");
    q->window_defs.at[0].start_offset = constant(sqm_null());
    CHECK_STR(run(q->plan), "ERROR invalid_parameter_value");
    /* dates within a day and a half, as timestamps of a DATE key; the key's own unit is days */
    q->window_defs.at[0].unit = FRAME_RANGE;
    q->window_defs.at[0].start_offset = constant((Value){.type = SQM_INTERVAL, .u.i = INT64_C(129600000000)});
    Plan *v = w->left;
    const int days[] = {0, 1, 3};
    Rel *rel = (Rel *)v->rel;
    rel->values.n = 0;
    for (int i = 0; i < 3; i++) {
        Exprs row = {0};
        vec_push(&arena, &row, constant((Value){.type = SQM_DATE, .u.i = days[i]}));
        vec_push(&arena, &rel->values, row);
    }
    CHECK_STR(run(q->plan), "1970-01-01,1;1970-01-02,2;1970-01-04,1");
    /* numbers of different kinds */
    q->window_defs.at[0].start_offset = constant(sqm_double(0.5));
    w->left = values(0, 1, "1;2;3");
    CHECK_STR(run(q->plan), "1,1;2,1;3,1");
    q->window_defs.at[0].start_offset = constant(sqm_double(1));
    CHECK_STR(run(q->plan), "1,1;2,2;3,2");
    /* NaN sorts first and is only in reach of itself */
    w->left = values(0, 1, "0;1;2");
    ((Rel *)w->left->rel)->values.at[0].at[0] = constant(sqm_double(__builtin_nan("")));
    CHECK_STR(run(q->plan), "NaN,1;1,1;2,2");
    w->left = values(0, 1, "a;b");
    CHECK_STR(run(q->plan), "ERROR feature_not_supported");
}

/* 100,000 rows must not take quadratic time. */
TEST(running_frames_are_fast) {
    begin();
    Query *q = query(8);
    Plan *f = plan(PLAN_FUNCTION, NULL, NULL);
    Rel *rel = NEW(&arena, Rel);
    RelColumn c = {.slot = 0};
    vec_push(&arena, &rel->columns, c);
    Function *series = NEW(&arena, Function);
    *series = (Function){.name = "generate_series", .volatility = STABLE};
    rel->function = op(EXPR_FUNC, OP_NONE, num(1), num(100000));
    rel->function->function = series;
    f->rel = rel;
    sets(f, 0);
    WindowDef running = window(-1, 0), moving = window(-1, 0), rest = window(-1, 0);
    moving.unit = FRAME_ROWS;
    moving.start = BOUND_PRECEDING;
    moving.start_offset = num(30000);
    rest.start = BOUND_CURRENT_ROW;
    rest.end = BOUND_UNBOUNDED_FOLLOWING;
    vec_push(&arena, &q->window_defs, running);
    vec_push(&arena, &q->window_defs, moving);
    vec_push(&arena, &q->window_defs, rest);
    add_window(q, WINDOW_AGGREGATE, "avg", 0, 1, var(0), NULL);
    add_window(q, WINDOW_AGGREGATE, "sum", 1, 2, var(0), NULL);
    add_window(q, WINDOW_AGGREGATE, "max", 1, 3, var(0), NULL);
    add_window(q, WINDOW_AGGREGATE, "stddev_pop", 2, 4, var(0), NULL);
    Plan *w = plan(PLAN_WINDOW, f, NULL);
    for (int i = 1; i < 5; i++) sets(w, i);
    Plan *s = plan(PLAN_SORT, w, NULL);
    order_by(&s->keys, var(0), true, false);
    s->limit = num(1);
    double began = unit_seconds();
    CHECK_STR(run(OUTPUT(q, s, 0, 2, 3, 4)), "100000,2550085000,100000,0");
    CHECK(unit_seconds() - began < 30);
}

/* ---- set operations ---- */

static Query *operand(const char *text) {
    Query *q = query(1);
    OUTPUT(q, values(0, 1, text), 0);
    return q;
}

static const char *set_op(SetOp set, bool all, const char *left, const char *right) {
    begin();
    Query *q = query(1);
    q->set_op = set;
    q->set_all = all;
    q->left = operand(left);
    q->right = operand(right);
    Plan *p = plan(PLAN_SETOP, NULL, NULL);
    sets(p, 0);
    return run(OUTPUT(q, p, 0));
}

TEST(set_operations) {
    const char *l = "1;1;2;~;3;~", *r = "1;2;2;~;4";
    CHECK_STR(set_op(SET_UNION, true, l, r), "1;1;2;~;3;~;1;2;2;~;4");
    CHECK_STR(set_op(SET_UNION, false, l, r), "1;2;~;3;4");
    CHECK_STR(set_op(SET_INTERSECT, false, l, r), "1;2;~");
    CHECK_STR(set_op(SET_INTERSECT, true, l, "1;1;1;~;2;2"), "1;1;2;~");
    CHECK_STR(set_op(SET_EXCEPT, false, l, "1"), "2;~;3");
    CHECK_STR(set_op(SET_EXCEPT, true, l, "1;~"), "1;2;3;~");
    CHECK_STR(set_op(SET_EXCEPT, true, "", "1"), "");
}

/* ---- nested blocks, sublinks, CTEs ---- */

static Plan *subquery(Query *inner, int slot) {
    Rel *rel = NEW(&arena, Rel);
    rel->kind = REL_SUBQUERY;
    rel->subquery = inner;
    for (int i = 0; i < inner->plan->output.n; i++) {
        RelColumn c = {.slot = slot + i};
        vec_push(&arena, &rel->columns, c);
    }
    Plan *p = plan(PLAN_SUBQUERY, NULL, NULL);
    p->rel = rel;
    for (int i = 0; i < inner->plan->output.n; i++) sets(p, slot + i);
    return p;
}

TEST(lateral) {
    begin();
    Query *q = query(2), *inner = query(1);
    inner->parent = q;
    inner->correlated = true;
    Plan *f = plan(PLAN_FILTER, values(0, 1, "1;2;3"), NULL);
    condition(f, compare(OP_LT, var(0), outer_var(0)));
    OUTPUT(inner, f, 0);
    Plan *j = plan(PLAN_JOIN, values(0, 1, "3;1;2"), subquery(inner, 1));
    j->kind = JOIN_LEFT;
    j->method = METHOD_NESTED;
    j->rescan = true;
    CHECK_STR(run(OUTPUT(q, j, 0, 1)), "3,1;3,2;1,~;2,1");
}

static Expr *sublink(SublinkKind kind, Query *inner, Operator o, Expr *operand_) {
    Expr *e = expr(EXPR_SUBLINK);
    e->sublink = kind;
    e->subquery = inner;
    e->op = o;
    e->number = resolved.sublinks.n;
    if (operand_) vec_push(&arena, &e->args, operand_);
    vec_push(&arena, &resolved.sublinks, e);
    return e;
}

/* SELECT x, <sublink> FROM (outer): the block inside filters "y < outer x" when correlated. */
static const char *with_sublink(SublinkKind kind, Operator o, const char *outer, const char *inner_rows, bool correlated) {
    begin();
    Query *q = query(2), *inner = query(1);
    inner->parent = q;
    Plan *rows = values(0, 1, inner_rows);
    if (correlated) {
        rows = plan(PLAN_FILTER, rows, NULL);
        condition(rows, compare(OP_LT, var(0), outer_var(0)));
    }
    OUTPUT(inner, rows, 0);
    Plan *p = plan(PLAN_PROJECT, values(0, 1, outer), NULL);
    Target t = {.expr = sublink(kind, inner, o, kind == SUBLINK_ANY || kind == SUBLINK_ALL ? var(0) : NULL), .slot = 1};
    vec_push(&arena, &q->targets, t);
    sets(p, 1);
    return run(OUTPUT(q, p, 0, 1));
}

TEST(sublinks) {
    CHECK_STR(with_sublink(SUBLINK_EXISTS, OP_NONE, "1;2;2;~", "1;3", true), "1,false;2,true;2,true;~,false");
    CHECK_STR(with_sublink(SUBLINK_EXISTS, OP_NONE, "1;2", "", false), "1,false;2,false");
    CHECK_STR(with_sublink(SUBLINK_SCALAR, OP_NONE, "1;2;2;0", "1", true), "1,~;2,1;2,1;0,~");
    CHECK_STR(with_sublink(SUBLINK_SCALAR, OP_NONE, "1;3", "1;2", true), "ERROR cardinality_violation");
    CHECK_STR(with_sublink(SUBLINK_SCALAR, OP_NONE, "5", "1;2", false), "ERROR cardinality_violation");
    CHECK_STR(with_sublink(SUBLINK_ANY, OP_EQ, "1;2;~", "1;3", false), "1,true;2,false;~,~");
    CHECK_STR(with_sublink(SUBLINK_ANY, OP_EQ, "1;2;~", "1;~", false), "1,true;2,~;~,~");
    CHECK_STR(with_sublink(SUBLINK_ANY, OP_EQ, "1;~", "", false), "1,false;~,false");
    CHECK_STR(with_sublink(SUBLINK_ALL, OP_NE, "1;2;~", "1;3", false), "1,false;2,true;~,~");
    CHECK_STR(with_sublink(SUBLINK_ALL, OP_NE, "1;2;~", "1;~", false), "1,false;2,~;~,~");
    CHECK_STR(with_sublink(SUBLINK_ALL, OP_GT, "1;4;~", "1;3", false), "1,false;4,true;~,~");
    CHECK_STR(with_sublink(SUBLINK_ALL, OP_GT, "1;4", "1;~", false), "1,false;4,~");
    CHECK_STR(with_sublink(SUBLINK_ANY, OP_GE, "1;4", "2;~", true), "1,false;4,true");
    CHECK_STR(with_sublink(SUBLINK_ALL, OP_EQ, "1;~;3", "1;2", true), "1,true;~,true;3,false");
}

/* Results are remembered by outer value; 3,000 different values are more than the trial. */
TEST(memo) {
    char outer[40000], *at = outer;
    for (int i = 0; i < 6000; i++) at += sprintf(at, "%s%d", i ? ";" : "", i < 3000 ? i : i % 10);
    const char *got = with_sublink(SUBLINK_SCALAR, OP_NONE, outer, "5", true);
    CHECK(strncmp(got, "0,~;1,~;2,~;3,~;4,~;5,~;6,5;7,5;", 32) == 0);
    CHECK_STR(got + strlen(got) - 8, ";8,5;9,5");
}

static Cte *cte(Query *q) {
    Cte *c = NEW(&arena, Cte);
    c->query = q;
    c->materialised = true;
    c->number = resolved.ctes.n;
    vec_push(&arena, &resolved.ctes, c);
    return c;
}

TEST(shared_cte) {
    begin();
    Query *q = query(2), *body = operand("1;2;3");
    body->parent = q;
    cte(body);
    Plan *j = plan(PLAN_JOIN, subquery(body, 0), subquery(body, 1));
    j->kind = JOIN_INNER;
    j->method = METHOD_NESTED;
    condition(j, compare(OP_LT, var(0), var(1)));
    CHECK_STR(run(OUTPUT(q, j, 0, 1)), "1,2;1,3;2,3");
}

/* WITH RECURSIVE t(n) AS (VALUES (1), (1) UNION [ALL] SELECT (n * 2) % limit FROM t WHERE n < 20) */
static const char *recursion(bool all, int64_t modulus, int64_t limit) {
    begin();
    Query *q = query(1), *whole = query(1), *step = query(2);
    whole->parent = q;
    whole->set_op = SET_UNION;
    whole->set_all = all;
    whole->left = operand("1;1");
    whole->left->parent = step->parent = whole;
    whole->right = step;
    Cte *c = cte(whole);
    c->recursive = true;
    Rel *rel = NEW(&arena, Rel);
    rel->kind = REL_CTE_WORK;
    rel->work = c;
    RelColumn column = {.slot = 0};
    vec_push(&arena, &rel->columns, column);
    Plan *work = plan(PLAN_WORK, NULL, NULL);
    work->rel = rel;
    sets(work, 0);
    Plan *p = plan(PLAN_PROJECT, work, NULL);
    Target t = {.expr = call("%", call("*", var(0), num(2)), num(modulus)), .slot = 1};
    vec_push(&arena, &step->targets, t);
    sets(p, 1);
    OUTPUT(step, p, 1);
    Plan *set = plan(PLAN_SETOP, NULL, NULL);
    sets(set, 0);
    OUTPUT(whole, set, 0);
    Plan *l = plan(PLAN_LIMIT, subquery(whole, 0), NULL);
    l->limit = limit < 0 ? NULL : num(limit);
    return run(OUTPUT(q, l, 0));
}

TEST(recursive_cte) {
    CHECK_STR(recursion(false, 7, -1), "1;2;4");
    CHECK_STR(recursion(false, 11, -1), "1;2;4;8;5;10;9;7;3;6");
    CHECK_STR(recursion(true, 1000, 7), "1;1;2;2;4;4;8");      /* endless, but LIMIT stops it */
}

/* ---- functions in FROM ---- */

static const char *from_function(const char *name, int n, const Value *args, int columns) {
    begin();
    Query *q = query(columns);
    Rel *rel = NEW(&arena, Rel);
    rel->kind = REL_FUNCTION;
    Plan *p = plan(PLAN_FUNCTION, NULL, NULL);
    for (int i = 0; i < columns; i++) {
        RelColumn c = {.slot = i};
        vec_push(&arena, &rel->columns, c);
        sets(p, i);
    }
    Function *marker = NEW(&arena, Function);
    *marker = (Function){.name = name, .volatility = STABLE};
    rel->function = expr(EXPR_FUNC);
    rel->function->function = marker;
    for (int i = 0; i < n; i++) vec_push(&arena, &rel->function->args, constant(args[i]));
    rel->with_ordinality = columns > 1 && strstr(name, "each") == NULL;
    p->rel = rel;
    return columns == 1 ? run(OUTPUT(q, p, 0)) : run(OUTPUT(q, p, 0, 1));
}

static Value json(const char *text) {
    static Arena kept;
    Value v = sqm_null();
    CHECK(json_parse(&kept, str_from(text), &v, &error));
    return v;
}

TEST(functions) {
    Value n[3] = {sqm_int(1), sqm_int(7), sqm_int(3)};
    CHECK_STR(from_function("generate_series", 2, n, 1), "1;2;3;4;5;6;7");
    CHECK_STR(from_function("generate_series", 3, n, 2), "1,1;4,2;7,3");
    n[2] = sqm_int(0);
    CHECK_STR(from_function("generate_series", 3, n, 1), "ERROR invalid_parameter_value");
    n[2] = sqm_int(-1);
    CHECK_STR(from_function("generate_series", 3, n, 1), "");
    n[1] = sqm_null();
    CHECK_STR(from_function("generate_series", 2, n, 1), "");
    n[0] = sqm_int(INT64_MAX - 1);
    n[1] = sqm_int(INT64_MAX);
    CHECK_STR(from_function("generate_series", 2, n, 1), "9223372036854775806;9223372036854775807");
    n[0] = (Value){.type = SQM_DATE, .u.i = 0};
    n[1] = (Value){.type = SQM_DATE, .u.i = 1};
    n[2] = (Value){.type = SQM_INTERVAL, .u.i = INT64_C(43200000000)};
    CHECK_STR(from_function("generate_series", 3, n, 1), "1970-01-01 00:00:00;1970-01-01 12:00:00;1970-01-02 00:00:00");
    n[0] = sqm_double(1);
    n[1] = sqm_double(2);
    n[2] = sqm_double(0.5);
    CHECK_STR(from_function("generate_series", 3, n, 1), "1;1.5;2");
    Value items[3] = {sqm_int(1), sqm_null(), sqm_int(3)}, tuple = {.type = SQM_TUPLE, .len = 3, .u.tuple = items};
    CHECK_STR(from_function("unnest", 1, &tuple, 2), "1,1;~,2;3,3");
    Value a = json("[1, \"x\", null, {\"k\": 2}]"), o = json("{\"a\": \"x\", \"b\": [1]}");
    CHECK_STR(from_function("jsonb_array_elements", 1, &a, 1), "1;\"x\";null;{\"k\": 2}");
    CHECK_STR(from_function("json_array_elements_text", 1, &a, 2), "1,1;x,2;~,3;{\"k\": 2},4");
    CHECK_STR(from_function("json_array_elements", 1, &o, 1), "ERROR invalid_parameter_value");
    CHECK_STR(from_function("jsonb_each", 1, &o, 2), "a,\"x\";b,[1]");
    CHECK_STR(from_function("json_each_text", 1, &o, 2), "a,x;b,[1]");
    CHECK_STR(from_function("jsonb_object_keys", 1, &o, 1), "a;b");
    Value split[2] = {sqm_text("a, b,c", 6), sqm_text(", *", 3)};
    CHECK_STR(from_function("regexp_split_to_table", 2, split, 1), "a;b;c");
}

int main(void) {
    RUN(joins);
    RUN(not_in);
    RUN(joins_agree);
    RUN(cross_and_limits);
    RUN(sorts);
    RUN(top_n_stays_small);
    RUN(distincts);
    RUN(groups);
    RUN(grouping_sets);
    RUN(ordered_aggregates);
    RUN(ranking);
    RUN(frames);
    RUN(frame_offsets);
    RUN(running_frames_are_fast);
    RUN(set_operations);
    RUN(lateral);
    RUN(sublinks);
    RUN(memo);
    RUN(shared_cte);
    RUN(recursive_cte);
    RUN(functions);
    arena_free(&arena);
    return unit_report();
}
