/* setop.c - set operations and the inputs that aren't collections: PLAN_SETOP, PLAN_SUBQUERY, PLAN_WORK, PLAN_VALUES, PLAN_FUNCTION.
 *
 * SETOP out: the targets' slots of the whole, in the order of the left operand (UNION: then the right one). Values come out in the type both sides meet
 * in, and are told apart by what these compare by. UNION streams and remembers what it gave; INTERSECT and EXCEPT read the right operand into a table with a count
 * per row, then stream the left.
 *     {1,1,2} INTERSECT ALL {1,2,2} = {1,2}      {1,1,2} EXCEPT ALL {1} = {1,2}      {1,1,2} EXCEPT {1} = {2}
 * SUBQUERY copies the outputs of a nested block into its relation's slots; a CTE that is computed once is read from its kept rows (exec.c). WORK
 * reads the rows of the recursion's last round. VALUES evaluates one row at a time. FUNCTION runs a set-returning function:
 *     generate_series(start, stop[, step]) over integers, numerics, doubles, dates and timestamps; unnest(array, ...); json[b]_array_elements[_text],
 *     json[b]_each[_text], json[b]_object_keys; regexp_split_to_table(text, pattern[, flags]); any scalar function: one row.
 * A NULL argument gives no rows. Not here: CTE recursion itself (exec.c). */
#include "node.h"

#include "datetime.h"
#include "decimal.h"
#include "json.h"

/* ---- set operations ---- */

typedef struct SetopNode {
    Node node;
    QueryRun *left_run, *right_run;
    int n;
    Value *row, *keys;          /* keys: what the row's values compare by */
    Ints outputs;
    Rows rows;                  /* [keys][count] */
    Hash table;
    bool loaded, on_right;      /* UNION: the left operand has ended */
} SetopNode;

bool setop_value(Eval *ev, const Query *whole, const Query *side, int i, Value *v) {
    Type to = whole->targets.n > i ? whole->targets.at[i].expr->type : TYPE(UNKNOWN), from = side->targets.n > i ? side->targets.at[i].expr->type : TYPE(UNKNOWN);
    if (to.tag == from.tag || to.tag == TYPE_UNKNOWN || v->type == SQM_NULL) return true;
    if (type_is_text(to) && type_is_text(from)) return true;
    if (from.tag == TYPE_UNKNOWN && v->type != SQM_TEXT) return true;      /* whatever a schemaless column holds */
    Value given = *v;
    return cast_value(ev, &given, to.tag == TYPE_ARRAY ? type_array(to.element) : type_of(to.tag), v);
}

/* The operand's next row into s->row. */
static int operand_next(SetopNode *s, bool right) {
    Node *n = &s->node;
    const Query *q = n->run->plan->query;
    QueryRun **run = right ? &s->right_run : &s->left_run;
    const Query *side = right ? q->right : q->left;
    if (!*run) *run = exec_query_open(n->x, side->plan, run_outer_for(n->run, side));
    int r = exec_query_next(*run);
    if (r <= 0) return r;
    for (int i = 0; i < s->n; i++) {
        s->row[i] = (*run)->ev.frame[(*run)->plan->output.at[i]];
        if (!setop_value(n->ev, q, side, i, &s->row[i])) return -1;
    }
    return 1;
}

/* Under case_insensitive a text compares by its casefold(). */
static bool fill_keys(SetopNode *s) {
    const Query *q = s->node.run->plan->query;
    for (int i = 0; i < s->n; i++) {
        s->keys[i] = s->row[i];
        const Expr *target = i < q->targets.n ? q->targets.at[i].expr : NULL;
        if (!target || target->type.collation != COLLATION_CASE_INSENSITIVE || s->row[i].type == SQM_NULL) continue;
        if (!function_find(STR("casefold"), 1)->eval(s->node.ev, target, &s->row[i], 1, &s->keys[i])) return false;
    }
    return true;
}

static int give(SetopNode *s) {
    for (int i = 0; i < s->n; i++) s->node.ev->frame[s->outputs.at[i]] = s->row[i];
    return 1;
}

/* The row's counter in the table; `add`: put there, with 0, when it is new. NULL: not there, or (*failed) an error. */
static Value *counter(SetopNode *s, bool add, bool *failed) {
    *failed = !fill_keys(s);
    if (*failed) return NULL;
    uint64_t h = keys_hash(s->keys, s->n);
    int found = hash_find(&s->table, h, s->keys);
    if (found >= 0) return &s->table.at[found].row[s->n];
    if (!add) return NULL;
    Value *row = rows_new(&s->rows, s->n + 1);
    for (int i = 0; i < s->n; i++) row[i] = value_keep(&s->rows.arena, &s->keys[i]);
    row[s->n] = sqm_int(0);
    *failed = !rows_charge(&s->rows) || !hash_add(&s->table, h, row);
    return *failed ? NULL : &row[s->n];
}

static int union_next(SetopNode *s) {
    const Query *q = s->node.run->plan->query;
    for (;;) {
        int r = operand_next(s, s->on_right);
        if (r < 0 || (r == 0 && s->on_right)) return r;
        if (r == 0) {
            s->on_right = true;
            continue;
        }
        if (q->set_all) return give(s);
        bool failed = false;
        Value *count = counter(s, true, &failed);
        if (!count) return -1;
        if (count->u.i++ == 0) return give(s);
        node_scratch(&s->node);
    }
}

static bool count_right(SetopNode *s) {
    int r;
    bool failed = false;
    s->loaded = true;
    while ((r = operand_next(s, true)) > 0) {
        Value *count = counter(s, true, &failed);
        if (!count) return false;
        count->u.i++;
        node_scratch(&s->node);
    }
    return r == 0;
}

/* A count below zero marks a row that was given already (EXCEPT, INTERSECT without ALL). */
static int difference_next(SetopNode *s) {
    const Query *q = s->node.run->plan->query;
    bool intersect = q->set_op == SET_INTERSECT, failed = false;
    if (!s->loaded && !count_right(s)) return -1;
    for (;;) {
        int r = operand_next(s, false);
        if (r <= 0) return r;
        Value *count = counter(s, !intersect && !q->set_all, &failed);
        if (failed) return -1;
        int64_t c = count ? count->u.i : 0;
        bool wanted;
        if (q->set_all) {
            wanted = intersect ? c > 0 : c == 0;
            if (c > 0) count->u.i--;
        } else {
            wanted = intersect ? c > 0 : c == 0;
            if (wanted) count->u.i = -1;
        }
        if (wanted) return give(s);
        node_scratch(&s->node);
    }
}

static int setop_next(Node *n) {
    SetopNode *s = (SetopNode *)n;
    return n->run->plan->query->set_op == SET_UNION ? union_next(s) : difference_next(s);
}

static void setop_rescan(Node *n) {
    SetopNode *s = (SetopNode *)n;
    if (s->left_run) exec_query_rescan(s->left_run);
    if (s->right_run) exec_query_rescan(s->right_run);
    hash_clear(&s->table);
    rows_clear(&s->rows);
    s->loaded = s->on_right = false;
}

static void setop_close(Node *n) {
    SetopNode *s = (SetopNode *)n;
    exec_query_close(s->left_run);
    exec_query_close(s->right_run);
    hash_free(&s->table);
    rows_free(&s->rows);
}

static int setop_buffered(const Node *n) {
    const SetopNode *s = (const SetopNode *)n;
    const Query *q = n->run->plan->query;
    if (q->set_op != SET_UNION || !q->set_all) return 0;
    const QueryRun *run = s->on_right ? s->right_run : s->left_run;
    return run && run->state > 0 && node_buffered(run->root) == 1;
}

static const NodeOps setop_ops = {setop_next, setop_rescan, setop_close, setop_buffered};

Node *setop_node(QueryRun *run, const Plan *plan) {
    SetopNode *s = node_init(run, plan, sizeof *s, &setop_ops);
    const Query *q = run->plan->query;
    s->n = q->left->plan->output.n;
    for (int i = 0; i < s->n; i++) vec_push(&run->arena, &s->outputs, i < q->targets.n ? q->targets.at[i].slot : i);
    s->row = NEW_ARRAY(&run->arena, Value, s->n + 1);
    s->keys = NEW_ARRAY(&run->arena, Value, s->n + 1);
    s->rows.x = run->x;
    hash_init(&s->table, run->x, 0, s->n);
    return &s->node;
}

/* ---- nested blocks and working tables ---- */

typedef struct SubqueryNode {
    Node node;
    QueryRun *inner;
    CteState *cte;              /* instead of `inner` */
    bool found;                 /* cte has been looked for */
    bool running;               /* inner has been started over */
    int at, end;
    int is_static, runs;        /* is_static: -1 not known yet */
    int tape;                   /* 0 none, 1 being recorded, 2 ready */
    Rows rows;
    Layout layout;
} SubqueryNode;

static void fill(Node *n, const Value *row, int width) {
    const Rel *rel = n->plan->rel;
    for (int i = 0; i < rel->columns.n && i < width; i++)
        if (rel->columns.at[i].slot >= 0) n->ev->frame[rel->columns.at[i].slot] = row[i];
}

/* A nested block that can't change is recorded the second time it runs, as scans are. */
static void start_inner(SubqueryNode *s) {
    Node *n = &s->node;
    const Query *q = n->plan->rel->subquery;
    if (s->runs++ > 0 && s->is_static < 0) s->is_static = query_is_static(n->x, q);
    s->tape = s->is_static > 0;
    if (s->inner) exec_query_rescan(s->inner);
    else s->inner = exec_query_open(n->x, q->plan, run_outer_for(n->run, q));
}

static int inner_next(SubqueryNode *s) {
    Node *n = &s->node;
    if (s->tape == 2) {
        if (s->at == s->rows.n) return 0;
        layout_restore(&s->layout, n->ev->frame, s->rows.at[s->at++]);
        return 1;
    }
    if (!s->running) start_inner(s);
    s->running = true;
    int r = exec_query_next(s->inner);
    if (r == 0 && s->tape) {
        s->tape = 2;
        s->at = s->rows.n;
    }
    if (r <= 0) return r;
    const Ints *output = &s->inner->plan->output;
    const Rel *rel = n->plan->rel;
    for (int i = 0; i < rel->columns.n && i < output->n; i++)
        if (rel->columns.at[i].slot >= 0) n->ev->frame[rel->columns.at[i].slot] = s->inner->ev.frame[output->at[i]];
    if (s->tape && n->x->memory + (2u << 20) > n->x->memory_limit / 2) {
        rows_free(&s->rows);
        s->tape = s->is_static = 0;
    }
    return s->tape && !layout_save(&s->layout, &s->rows, n->ev->frame, NULL) ? -1 : 1;
}

static int subquery_next(Node *n) {
    SubqueryNode *s = (SubqueryNode *)n;
    if (!s->found) {
        s->found = true;
        s->cte = cte_of_rel(n->run, n->plan->rel);
    }
    if (!s->cte) return inner_next(s);
    const Value *row;
    int r = cte_row(s->cte, s->at, &row);
    if (r <= 0) return r;
    s->at++;
    fill(n, row, n->plan->rel->columns.n);
    return 1;
}

static void subquery_rescan(Node *n) {
    SubqueryNode *s = (SubqueryNode *)n;
    s->found = false;           /* a correlated CTE may have been dropped meanwhile */
    s->running = false;
    s->at = 0;
    if (s->tape == 2) return;
    s->tape = 0;
    rows_clear(&s->rows);
}

static void subquery_close(Node *n) {
    SubqueryNode *s = (SubqueryNode *)n;
    exec_query_close(s->inner);
    rows_free(&s->rows);
}

static int subquery_buffered(const Node *n) {
    const SubqueryNode *s = (const SubqueryNode *)n;
    if (s->tape == 2) return 2;
    return s->inner && s->running && s->inner->state > 0 ? node_buffered(s->inner->root) : 0;
}

static const NodeOps subquery_ops = {subquery_next, subquery_rescan, subquery_close, subquery_buffered};

Node *subquery_node(QueryRun *run, const Plan *plan) {
    SubqueryNode *s = node_init(run, plan, sizeof *s, &subquery_ops);
    s->is_static = -1;
    s->rows.x = run->x;
    layout_init(&s->layout, &run->arena, &plan->slots, 0);
    return &s->node;
}

static int work_next(Node *n) {
    SubqueryNode *s = (SubqueryNode *)n;
    if (!s->found) {
        s->found = true;
        s->cte = cte_of_work(n->x, n->plan->rel);
        if (!s->cte) {
            error_set(n->x->error, SQM_ERROR_INTERNAL, "recursive reference outside of its query");
            return -1;
        }
        cte_work_range(s->cte, &s->at, &s->end);
    }
    const Value *row;
    if (s->at >= s->end) return 0;
    int r = cte_row(s->cte, s->at++, &row);
    if (r > 0) fill(n, row, n->plan->rel->columns.n);
    return r;
}

static int work_buffered(const Node *n) {
    (void)n;
    return 2;
}

static const NodeOps work_ops = {work_next, subquery_rescan, NULL, work_buffered};

Node *work_node(QueryRun *run, const Plan *plan) {
    SubqueryNode *s = node_init(run, plan, sizeof *s, &work_ops);
    s->rows.x = run->x;
    return &s->node;
}

/* ---- VALUES ---- */

typedef struct ValuesNode { Node node; int at; } ValuesNode;

static int values_next(Node *n) {
    ValuesNode *v = (ValuesNode *)n;
    const Rel *rel = n->plan->rel;
    if (v->at == rel->values.n) return 0;
    const Exprs *row = &rel->values.at[v->at++];
    for (int i = 0; i < row->n && i < rel->columns.n; i++) {
        int slot = rel->columns.at[i].slot;
        if (slot >= 0 && !eval(n->ev, row->at[i], &n->ev->frame[slot])) return -1;
    }
    return 1;
}

static void values_rescan(Node *n) { ((ValuesNode *)n)->at = 0; }
static const NodeOps values_ops = {values_next, values_rescan, NULL, NULL};

Node *values_node(QueryRun *run, const Plan *plan) { return node_init(run, plan, sizeof(ValuesNode), &values_ops); }

/* ---- set-returning functions ---- */

typedef enum SeriesKind { SERIES_INT, SERIES_DOUBLE, SERIES_DECIMAL, SERIES_TIMESTAMP } SeriesKind;
typedef enum SourceKind { SOURCE_SERIES, SOURCE_ITEMS, SOURCE_ELEMENTS, SOURCE_EACH, SOURCE_KEYS, SOURCE_SPLIT, SOURCE_SCALAR } SourceKind;

typedef struct FunctionNode {
    Node node;
    SourceKind kind;
    bool text;                  /* ..._text: strings as they are, JSON null as NULL */
    bool started, ended;
    Arena arena;                /* arguments */
    Value *args;
    int n_args;
    int64_t row;                /* rows given */
    SeriesKind series;
    Value current, stop, by;
    int direction;
    JsonIter *items;            /* JSON containers: one per argument */
} FunctionNode;

static SourceKind source_kind(const char *name, bool *text) {
    const char *json = strncmp(name, "jsonb_", 6) == 0 ? name + 6 : strncmp(name, "json_", 5) == 0 ? name + 5 : "";
    size_t n = strlen(name);
    *text = n > 5 && strcmp(name + n - 5, "_text") == 0;
    if (strcmp(name, "generate_series") == 0) return SOURCE_SERIES;
    if (strcmp(name, "unnest") == 0) return SOURCE_ITEMS;
    if (strncmp(json, "array_elements", 14) == 0) return SOURCE_ELEMENTS;
    if (strcmp(json, "each") == 0 || strcmp(json, "each_text") == 0) return SOURCE_EACH;
    if (strcmp(json, "object_keys") == 0) return SOURCE_KEYS;
    if (strcmp(name, "regexp_split_to_table") == 0) return SOURCE_SPLIT;
    return SOURCE_SCALAR;
}

static void set_column(Node *n, int i, Value v) {
    const Rel *rel = n->plan->rel;
    if (i < rel->columns.n && rel->columns.at[i].slot >= 0) n->ev->frame[rel->columns.at[i].slot] = v;
}

/* generate_series: start, stop and step in one kind of number. */
static bool start_series(FunctionNode *f) {
    Node *n = &f->node;
    const Expr *e = n->plan->rel->function;
    Value *a = f->args;
    bool zero = false;
    Value by = f->n_args > 2 ? a[2] : sqm_int(1);
    bool temporal = false, twice = false, decimal = false;
    for (int i = 0; i < 2; i++) {
        Type t = e->type.tag == TYPE_TIMESTAMP || e->type.tag == TYPE_TIMESTAMPTZ ? TYPE(TIMESTAMP) : TYPE(NUMERIC);
        if (a[i].type == SQM_TEXT && !cast_value(n->ev, &a[i], t, &a[i])) return false;
        if (a[i].type == SQM_DATE) a[i] = (Value){.type = SQM_TIMESTAMP, .u.i = a[i].u.i * USEC_DAY};
        temporal |= a[i].type == SQM_TIMESTAMP;
        twice |= a[i].type == SQM_DOUBLE;
        decimal |= a[i].type == SQM_DECIMAL;
    }
    if (by.type == SQM_TEXT && !cast_value(n->ev, &by, temporal ? TYPE(INTERVAL) : TYPE(NUMERIC), &by)) return false;
    twice |= by.type == SQM_DOUBLE;
    decimal |= by.type == SQM_DECIMAL;
    f->series = temporal ? SERIES_TIMESTAMP : twice ? SERIES_DOUBLE : decimal ? SERIES_DECIMAL : SERIES_INT;
    Type to = TYPE(INT8);
    switch (f->series) {
    case SERIES_TIMESTAMP:
        if (a[0].type != SQM_TIMESTAMP || a[1].type != SQM_TIMESTAMP || by.type != SQM_INTERVAL)
            return eval_fail(n->ev, e, SQM_ERROR_UNDEFINED_FUNCTION, "generate_series over timestamps needs an interval as its step");
        f->direction = by.u.i < 0 ? -1 : 1;
        zero = by.u.i == 0;
        break;
    case SERIES_DOUBLE: to = TYPE(FLOAT8); break;
    case SERIES_DECIMAL: to = TYPE(NUMERIC); break;
    case SERIES_INT: break;
    }
    if (!temporal) {
        Value given[3] = {a[0], a[1], by}, out[3];
        for (int i = 0; i < 3; i++)
            if (!cast_value(n->ev, &given[i], to, &out[i])) return false;
        a[0] = out[0];
        a[1] = out[1];
        by = out[2];
        Value nought = sqm_int(0);
        int sign = value_order(&by, &nought);
        f->direction = sign < 0 ? -1 : 1;
        zero = sign == 0;
    }
    if (zero) return eval_fail(n->ev, e, SQM_ERROR_INVALID_ARGUMENT, "step size cannot equal zero");
    f->current = a[0];
    f->stop = a[1];
    f->by = by;
    return true;
}

static bool is_nan(const Value *v) { return (v->type == SQM_DOUBLE && v->u.d != v->u.d) || (v->type == SQM_DECIMAL && !decimal_is_finite(v->u.decimal)); }

static int series_next(FunctionNode *f) {
    if (is_nan(&f->current) || is_nan(&f->stop) || is_nan(&f->by)) {
        eval_fail(f->node.ev, f->node.plan->rel->function, SQM_ERROR_INVALID_ARGUMENT, "bounds and step of generate_series must be finite");
        return -1;
    }
    int c = value_order(&f->current, &f->stop);
    if (f->direction > 0 ? c > 0 : c < 0) return 0;
    set_column(&f->node, 0, f->current);
    Value next = f->current;
    bool over = false;
    switch (f->series) {
    case SERIES_INT:
    case SERIES_TIMESTAMP: over = __builtin_add_overflow(next.u.i, f->by.u.i, &next.u.i); break;
    case SERIES_DOUBLE:
        next.u.d = f->args[0].u.d + (double)(f->row + 1) * f->by.u.d;
        over = next.u.d == f->current.u.d;
        break;
    case SERIES_DECIMAL: over = !decimal_add(f->current.u.decimal, f->by.u.decimal, &next.u.decimal) || value_order(&next, &f->current) == 0; break;
    }
    f->ended = over;
    f->current = next;
    return 1;
}

/* unnest: SQL arrays, and stored or JSON ones. */
static bool item_at(FunctionNode *f, int which, Value *out) {
    const Value *v = &f->args[which];
    const Rel *rel = f->node.plan->rel;
    *out = sqm_null();
    if (v->type == SQM_TUPLE) {
        if (f->row >= v->len) return false;
        *out = v->u.tuple[f->row];
        return true;
    }
    Value item;
    if (v->type == SQM_NULL || !json_next(&f->items[which], NULL, &item)) return false;
    Type type = which < rel->columns.n ? rel->columns.at[which].type : TYPE(UNKNOWN);
    if (type.tag == TYPE_JSON) *out = item;
    else if (type.tag == TYPE_UNKNOWN) *out = value_natural(&item);
    else json_value_as(item, type, out);    /* an element of another class is NULL, as what JSON_VALUE finds */
    return true;
}

static bool start_items(FunctionNode *f) {
    const Expr *e = f->node.plan->rel->function;
    f->items = NEW_ARRAY(&f->arena, JsonIter, f->n_args + 1);
    for (int i = 0; i < f->n_args; i++) {
        const Value *v = &f->args[i];
        bool array = v->type == SQM_TUPLE || json_is_array(v) || v->type == SQM_NULL;
        bool object = json_is_object(v);
        switch (f->kind) {
        case SOURCE_ITEMS:
            if (!array && e->args.at[i]->type.tag == TYPE_ARRAY) {      /* an array column of a document written elsewhere: no elements */
                f->args[i] = sqm_null();
                v = &f->args[i];
            } else if (!array) return eval_fail(f->node.ev, e, SQM_ERROR_INVALID_ARGUMENT, "unnest needs an array, not %s", value_type_name(v));
            break;
        case SOURCE_ELEMENTS:
            if (!array) return eval_fail(f->node.ev, e, SQM_ERROR_INVALID_ARGUMENT, "cannot extract elements from %s", object ? "an object" : "a scalar");
            break;
        case SOURCE_EACH:
        case SOURCE_KEYS:
            if (!object && v->type != SQM_NULL)
                return eval_fail(f->node.ev, e, SQM_ERROR_INVALID_ARGUMENT, "cannot call %s on %s", e->function->name, array ? "an array" : "a scalar");
            break;
        case SOURCE_SERIES:
        case SOURCE_SPLIT:
        case SOURCE_SCALAR: break;
        }
        if (json_is(v)) f->items[i] = json_iter(v);
    }
    return true;
}

/* regexp_split_to_table is regexp_split_to_array, row by row. */
static bool start_split(FunctionNode *f) {
    Eval *ev = f->node.ev;
    const Expr *e = f->node.plan->rel->function;
    const Function *split = function_find(STR("regexp_split_to_array"), f->n_args);
    if (!split) return eval_fail(ev, e, SQM_ERROR_NOT_SUPPORTED, "%s is not supported", e->function->name);
    Arena *scratch = ev->arena;
    Value parts;
    ev->arena = &f->arena;
    bool ok = split->eval(ev, e, f->args, f->n_args, &parts);
    ev->arena = scratch;
    f->args[0] = parts;
    return ok;
}

static bool start_function(FunctionNode *f) {
    Node *n = &f->node;
    const Expr *e = n->plan->rel->function;
    f->started = true;
    f->row = 0;
    arena_clear(&f->arena);
    f->args = NEW_ARRAY(&f->arena, Value, f->n_args + 3);
    if (f->kind == SOURCE_SCALAR) return true;
    bool null = false;
    for (int i = 0; i < f->n_args; i++) {
        Value v;
        if (!eval(n->ev, e->args.at[i], &v)) return false;
        if (v.type == SQM_TEXT && f->kind != SOURCE_SERIES && f->kind != SOURCE_SPLIT && !(f->kind == SOURCE_ITEMS && e->args.at[i]->type.tag == TYPE_ARRAY) && !cast_value(n->ev, &v, f->kind == SOURCE_ITEMS ? TYPE(ARRAY) : TYPE(JSON), &v))
            return false;
        f->args[i] = value_keep(&f->arena, &v);
        null |= v.type == SQM_NULL;
    }
    f->ended = null && (f->kind != SOURCE_ITEMS || f->n_args == 1);
    if (f->ended) return true;
    if (f->kind == SOURCE_SERIES) return start_series(f);
    return f->kind == SOURCE_SPLIT ? start_split(f) : start_items(f);
}

static int function_rows(FunctionNode *f) {
    Node *n = &f->node;
    Value item;
    Str key;
    switch (f->kind) {
    case SOURCE_SERIES: return series_next(f);
    case SOURCE_ITEMS: {
        bool any = false;
        for (int i = 0; i < f->n_args; i++) {
            any |= item_at(f, i, &item);
            set_column(n, i, item);
        }
        return any;
    }
    case SOURCE_ELEMENTS:
        if (f->args[0].type == SQM_TUPLE) {             /* an SQL array where JSON was asked for */
            if (f->row >= f->args[0].len) return 0;
            item = value_to_json(&n->scratch, &f->args[0].u.tuple[f->row]);
        } else if (!json_next(&f->items[0], NULL, &item)) {
            return 0;
        }
        set_column(n, 0, f->text ? json_as_text(&n->scratch, &item) : item);
        return 1;
    case SOURCE_EACH:
    case SOURCE_KEYS:
        if (!json_next(&f->items[0], &key, &item)) return 0;
        set_column(n, 0, sqm_text(key.p, key.n));
        if (f->kind == SOURCE_EACH) set_column(n, 1, f->text ? json_as_text(&n->scratch, &item) : item);
        return 1;
    case SOURCE_SPLIT:
        if (!item_at(f, 0, &item)) return 0;
        set_column(n, 0, item);
        return 1;
    case SOURCE_SCALAR:
        if (f->row) return 0;
        if (!eval(n->ev, n->plan->rel->function, &item)) return -1;
        set_column(n, 0, item);
        return 1;
    }
    return 0;
}

static int function_next(Node *n) {
    FunctionNode *f = (FunctionNode *)n;
    if (!f->started && !start_function(f)) return -1;
    if (f->ended) return 0;
    int r = function_rows(f);
    if (r == 0) f->ended = true;
    if (r > 0) {
        f->row++;
        if (n->plan->rel->with_ordinality) set_column(n, n->plan->rel->columns.n - 1, sqm_int(f->row));
    }
    return r;
}

static void function_rescan(Node *n) {
    FunctionNode *f = (FunctionNode *)n;
    f->started = f->ended = false;
}

static void function_close(Node *n) { arena_free(&((FunctionNode *)n)->arena); }
static int function_buffered(const Node *n) { return ((const FunctionNode *)n)->started ? 2 : 0; }
static const NodeOps function_ops = {function_next, function_rescan, function_close, function_buffered};

Node *function_node(QueryRun *run, const Plan *plan) {
    FunctionNode *f = node_init(run, plan, sizeof *f, &function_ops);
    const Expr *e = plan->rel->function;
    f->n_args = e->args.n;
    f->kind = e->tag == EXPR_FUNC && e->function ? source_kind(e->function->name, &f->text) : SOURCE_SCALAR;
    return &f->node;
}
