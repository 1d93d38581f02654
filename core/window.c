/* window.c - PLAN_WINDOW: all window functions of a block, over all its window definitions, with PostgreSQL's meaning.
 *
 * In: the child's rows; all are kept. For each definition the rows are sorted by partition and order keys; every function of it then gives one value
 * per row. Out: the rows in the order of the last definition, each with query->window_slots set. Arguments and FILTER belong to one row, so they are
 * evaluated once, when the row arrives; frame offsets once per run.
 *     sum(x) OVER (PARTITION BY a ORDER BY b ROWS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE TIES)
 * NULL partition keys form one partition; rows with equal order keys are peers; without ORDER BY all rows of a partition are.
 * A RANGE offset is added to the row's key (numbers; dates and times with intervals); rows with a NULL key have the NULLs as their frame.
 * Cost: frames that begin or end with the partition are computed by stepping once through it; count and whole-number sum by differences of running totals;
 * moving min and max by a queue of candidates; other moving frames by stepping through each frame. */
#include "node.h"

#include <stdlib.h>

#include "datetime.h"
#include "decimal.h"

typedef struct Range { int begin, end; } Range;

typedef struct Call {
    const Expr *expr;
    int args, filter;           /* where in a row; filter -1: none */
    int result;                 /* index into the results of a row */
} Call;

typedef struct Definition {
    const WindowDef *def;
    int partition, order;       /* where in a row */
    bool needs_frames;
    Value start_offset, end_offset;
    int64_t start_rows, end_rows;
} Definition;

typedef struct WindowNode {
    Node node;
    Layout layout;              /* [slots][all keys, arguments, filters], then a pointer to the results */
    Exprs extra;
    Value *extra_values;
    Rows rows;
    Value **original;           /* rows in the order they came */
    Definition *defs;
    Call *calls;
    int n_defs, n_calls, results;
    bool loaded;
    int at;
    /* the partition being computed: rows.at[base..base+n) */
    Value **part;
    int n;
    int *peer_begin, *peer_end; /* by row of the partition */
    Range *frames;
    size_t held;
    int null_begin, null_end;   /* RANGE with offset: rows whose key is NULL */
    Arena state_arena;
} WindowNode;

static Value *result_of(const WindowNode *w, Value *row, const Call *c) { return (Value *)(uintptr_t)row[w->results].u.bytes + c->result; }

static bool store(WindowNode *w, int i, const Call *c, const Value *v) {
    *result_of(w, w->part[i], c) = value_keep(&w->rows.arena, v);
    return rows_charge(&w->rows);
}

static const Value *args_of(const WindowNode *w, int i, const Call *c) { return w->part[i] + c->args; }

static bool counts(const WindowNode *w, int i, const Call *c) {
    if (c->filter >= 0 && !w->part[i][c->filter].u.b) return false;
    return !(c->expr->aggregate->ignores_nulls && c->expr->args.n && args_of(w, i, c)[0].type == SQM_NULL);
}

/* ---- frames ---- */

/* v + sign * offset for a RANGE bound; beyond the type's range it stays at the end, where it still compares rightly. */
static bool shift(Eval *ev, const Value *v, const Value *offset, int sign, Value *out) {
    bool temporal = v->type == SQM_TIMESTAMP || v->type == SQM_TIME || v->type == SQM_INTERVAL || v->type == SQM_DATE;
    *out = *v;
    if (temporal && offset->type == SQM_INTERVAL) {
        if (v->type == SQM_DATE) *out = (Value){.type = SQM_TIMESTAMP, .u.i = v->u.i * USEC_DAY};
        if (__builtin_add_overflow(out->u.i, sign * offset->u.i, &out->u.i)) out->u.i = sign > 0 ? INT64_MAX : INT64_MIN;
        return true;
    }
    if (v->type == SQM_INT && offset->type == SQM_INT) {
        if (__builtin_add_overflow(v->u.i, sign * offset->u.i, &out->u.i)) out->u.i = sign > 0 ? INT64_MAX : INT64_MIN;
        return true;
    }
    bool numbers = v->type >= SQM_INT && v->type <= SQM_DECIMAL && offset->type >= SQM_INT && offset->type <= SQM_DECIMAL;
    if (numbers && (v->type == SQM_DOUBLE || offset->type == SQM_DOUBLE)) {
        Value d[2] = {*v, *offset};
        for (int i = 0; i < 2; i++)
            if (d[i].type != SQM_DOUBLE) d[i] = sqm_double(d[i].type == SQM_INT ? (double)d[i].u.i : decimal_to_double(d[i].u.decimal));
        double sum = d[0].u.d + sign * d[1].u.d;
        if (sum != sum && d[0].u.d == d[0].u.d) sum = sign > 0 ? __builtin_inf() : -__builtin_inf();   /* inf - inf: everything is in reach */
        *out = sqm_double(sum);
        return true;
    }
    if (numbers) {
        Decimal a = v->type == SQM_INT ? decimal_from_int(v->u.i) : v->u.decimal, b = offset->type == SQM_INT ? decimal_from_int(offset->u.i) : offset->u.decimal;
        out->type = SQM_DECIMAL;
        if (!(sign > 0 ? decimal_add(a, b, &out->u.decimal) : decimal_sub(a, b, &out->u.decimal)))
            *out = sqm_double(sign > 0 ? __builtin_inf() : -__builtin_inf());
        return true;
    }
    return error_set(ev->error, SQM_ERROR_NOT_SUPPORTED, "RANGE with offset PRECEDING/FOLLOWING is not supported for %s and offset %s", value_type_name(v), value_type_name(offset));
}

static bool is_negative(const Value *v) {
    switch ((sqm_type_t)v->type) {
    case SQM_INT:
    case SQM_INTERVAL: return v->u.i < 0;
    case SQM_DOUBLE: return !(v->u.d >= 0);
    case SQM_DECIMAL: return decimal_is_nan(v->u.decimal) || decimal_sign(v->u.decimal) < 0;
    case SQM_NULL: case SQM_BOOL: case SQM_TEXT: case SQM_BYTES: case SQM_DATE: case SQM_TIME: case SQM_TIMESTAMP: case SQM_UUID: case SQM_OBJECTID: case SQM_JSON: case SQM_BSON:
    case SQM_TUPLE: return false;
    }
    return false;
}

static bool offset_value(WindowNode *w, const Definition *d, const Expr *e, const char *which, Value *value, int64_t *rows) {
    Node *n = &w->node;
    if (!e) return true;
    Value v;
    if (!eval(n->ev, e, &v)) return false;
    if (v.type == SQM_NULL) return eval_fail(n->ev, e, SQM_ERROR_INVALID_ARGUMENT, "frame %s offset must not be null", which);
    const WindowDef *def = d->def;
    if (def->unit == FRAME_RANGE) {
        Type key = def->order.at[0].expr->type;
        if (v.type == SQM_TEXT && !cast_value(n->ev, &v, type_is_datetime(key) || key.tag == TYPE_TIME || key.tag == TYPE_INTERVAL ? TYPE(INTERVAL) : TYPE(NUMERIC), &v)) return false;
    } else {
        if (!value_integer(n->ev, &v, rows)) return false;
        v = sqm_int(*rows);
    }
    if (is_negative(&v)) return eval_fail(n->ev, e, SQM_ERROR_INVALID_ARGUMENT, "frame %s offset must not be negative", which);
    *value = value_keep(&n->run->arena, &v);
    return true;
}

/* Rows of the partition from `from` on whose key lies before the limit (or, with `through`, not after it). Keys are sorted; NULLs aren't asked. */
static int advance(const WindowNode *w, const Definition *d, int from, int to, const Value *limit, bool through) {
    bool descending = d->def->order.at[0].descending;
    for (; from < to; from++) {
        int c = key_order(w->part[from] + d->order, limit);
        if (descending) c = -c;
        if (through ? c > 0 : c >= 0) break;
    }
    return from;
}

static int clamp(int64_t i, int n) { return i < 0 ? 0 : i > n ? n : (int)i; }

/* Peer groups from `at`, `groups` further on (backwards when negative): the first row of that group; -1 or n beyond the ends. */
static int group_away(const WindowNode *w, int at, int64_t groups) {
    for (at = w->peer_begin[at]; groups < 0 && at >= 0; groups++) at = at ? w->peer_begin[at - 1] : -1;
    for (; groups > 0 && at < w->n; groups--) at = w->peer_end[at];
    return at;
}

static bool bound_is_offset(BoundKind k) { return k == BOUND_PRECEDING || k == BOUND_FOLLOWING; }

static bool range_bound(WindowNode *w, const Definition *d, int i, bool start, int before, int *out) {
    const Value *key = w->part[i] + d->order;
    if (key->type == SQM_NULL) {
        *out = start ? w->null_begin : w->null_end;
        return true;
    }
    int first = w->null_begin == 0 ? w->null_end : 0, last = w->null_end == w->n && w->null_begin < w->null_end ? w->null_begin : w->n;
    BoundKind kind = start ? d->def->start : d->def->end;
    int sign = (kind == BOUND_FOLLOWING) == d->def->order.at[0].descending ? -1 : 1;
    Value limit;
    if (!shift(w->node.ev, key, start ? &d->start_offset : &d->end_offset, sign, &limit)) return false;
    *out = advance(w, d, before < first ? first : before, last, &limit, !start);
    return true;
}

/* The frame of each row of the partition, before EXCLUDE. */
static bool make_frames(WindowNode *w, const Definition *d) {
    const WindowDef *def = d->def;
    int before_start = 0, before_end = 0;     /* bounds never move backwards while keys aren't NULL */
    for (int i = 0; i < w->n; i++) {
        int b = 0, e = w->n;
        bool rows = def->unit == FRAME_ROWS;
        switch (def->start) {
        case BOUND_UNBOUNDED_PRECEDING: break;
        case BOUND_CURRENT_ROW: b = rows ? i : w->peer_begin[i]; break;
        case BOUND_UNBOUNDED_FOLLOWING: b = w->n; break;
        case BOUND_PRECEDING:
        case BOUND_FOLLOWING: {
            int64_t by = def->start == BOUND_PRECEDING ? -d->start_rows : d->start_rows;
            if (rows) b = clamp(by > w->n ? w->n : i + by, w->n);
            else if (def->unit == FRAME_GROUPS) b = clamp(group_away(w, i, by), w->n);
            else if (!range_bound(w, d, i, true, before_start, &b)) return false;
            break;
        }
        }
        switch (def->end) {
        case BOUND_UNBOUNDED_FOLLOWING: break;
        case BOUND_CURRENT_ROW: e = rows ? i + 1 : w->peer_end[i]; break;
        case BOUND_UNBOUNDED_PRECEDING: e = 0; break;
        case BOUND_PRECEDING:
        case BOUND_FOLLOWING: {
            int64_t by = def->end == BOUND_PRECEDING ? -d->end_rows : d->end_rows;
            if (rows) {
                e = clamp(by > w->n ? w->n : i + by + 1, w->n);
            } else if (def->unit == FRAME_GROUPS) {
                int at = group_away(w, i, by);
                e = at < 0 ? 0 : at < w->n ? w->peer_end[at] : w->n;
            } else if (!range_bound(w, d, i, false, before_end, &e)) {
                return false;
            }
            break;
        }
        }
        if (def->unit == FRAME_RANGE && (w->null_begin == w->null_end || i < w->null_begin || i >= w->null_end)) {
            if (bound_is_offset(def->start)) before_start = b;
            if (bound_is_offset(def->end)) before_end = e;
        }
        w->frames[i] = (Range){b, e < b ? b : e};
        node_scratch(&w->node);
    }
    return true;
}

/* The frame without what EXCLUDE takes out: up to three pieces. */
static int pieces(const WindowNode *w, const Definition *d, int i, Range *out) {
    Range f = w->frames[i], hole = {0, 0};
    switch (d->def->exclude) {
    case EXCLUDE_NO_OTHERS: break;
    case EXCLUDE_CURRENT_ROW: hole = (Range){i, i + 1}; break;
    case EXCLUDE_GROUP:
    case EXCLUDE_TIES: hole = (Range){w->peer_begin[i], w->peer_end[i]}; break;
    }
    int n = 0;
    Range parts[3] = {{f.begin, f.end}, {0, 0}, {0, 0}};
    if (hole.begin < hole.end) {
        parts[0].end = f.end < hole.begin ? f.end : hole.begin;
        if (d->def->exclude == EXCLUDE_TIES && i >= f.begin && i < f.end) parts[1] = (Range){i, i + 1};
        parts[2] = (Range){f.begin > hole.end ? f.begin : hole.end, f.end};
    }
    for (int k = 0; k < 3; k++)
        if (parts[k].begin < parts[k].end) out[n++] = parts[k];
    return n;
}

/* ---- aggregates ---- */

typedef struct Running { void *state, *copy; size_t size; } Running;

static void state_reset(WindowNode *w, const Call *c, Running *r) {
    arena_clear(&w->state_arena);
    r->size = c->expr->aggregate->state_size;
    r->state = arena_alloc(&w->state_arena, r->size);
    r->copy = arena_alloc(&w->state_arena, r->size);
}

static bool state_step(WindowNode *w, const Call *c, Running *r, int i) {
    return !counts(w, i, c) || c->expr->aggregate->step(w->node.ev, r->state, &w->state_arena, args_of(w, i, c), c->expr->args.n);
}

/* The result so far. The state goes on being used, so a copy of it is finished. */
static bool state_result(WindowNode *w, const Call *c, Running *r, Value *out) {
    memcpy(r->copy, r->state, r->size);
    Arena *scratch = node_scratch(&w->node);
    return c->expr->aggregate->finish(w->node.ev, r->copy, scratch, c->expr, out);
}

static bool same_frame(const Range *a, int n_a, const Range *b, int n_b) { return n_a == n_b && memcmp(a, b, sizeof *a * (size_t)n_a) == 0; }

static bool order_matters(const char *name) { return strstr(name, "_agg") || strcmp(name, "any_value") == 0; }

/* Any frame: goes on from the row before as long as its frame only grew at the end. */
static bool run_frames(WindowNode *w, const Definition *d, const Call *c) {
    Running r = {0};
    Value v;
    Range last[3] = {{0, 0}};
    int n_last = -1;
    for (int i = 0; i < w->n; i++) {
        Range parts[3];
        int n = pieces(w, d, i, parts);
        if (n_last >= 0 && same_frame(parts, n, last, n_last)) {
            *result_of(w, w->part[i], c) = *result_of(w, w->part[i - 1], c);
            continue;
        }
        bool grows = n_last == 1 && n == 1 && parts[0].begin == last[0].begin && parts[0].end > last[0].end;
        if (!grows) state_reset(w, c, &r);
        for (int k = 0; k < n; k++)
            for (int row = grows ? last[0].end : parts[k].begin; row < parts[k].end; row++)
                if (!state_step(w, c, &r, row)) return false;
        if (!state_result(w, c, &r, &v) || !store(w, i, c, &v)) return false;
        memcpy(last, parts, sizeof *parts * (size_t)n);
        n_last = n;
    }
    return true;
}

/* Frames that end with the partition: from its last row backwards. */
static bool run_backward(WindowNode *w, const Call *c) {
    Running r;
    Value v;
    state_reset(w, c, &r);
    int at = w->n, last = -1;
    for (int i = w->n - 1; i >= 0; i--) {
        int begin = w->frames[i].begin;
        if (begin == last) {
            *result_of(w, w->part[i], c) = *result_of(w, w->part[i + 1], c);
            continue;
        }
        while (at > begin)
            if (!state_step(w, c, &r, --at)) return false;
        if (!state_result(w, c, &r, &v) || !store(w, i, c, &v)) return false;
        last = begin;
    }
    return true;
}

/* count, and sum of whole numbers: differences of running totals. */
static bool run_totals(WindowNode *w, const Definition *d, const Call *c, bool sum) {
    __int128 *total = malloc(sizeof *total * (size_t)(w->n + 1));
    int *count = malloc(sizeof *count * (size_t)(w->n + 1));
    if (!total || !count) abort();
    total[0] = count[0] = 0;
    for (int i = 0; i < w->n; i++) {
        bool in = counts(w, i, c);
        count[i + 1] = count[i] + in;
        total[i + 1] = total[i] + (in && sum ? args_of(w, i, c)[0].u.i : 0);
    }
    bool ok = true, high = false;
    for (int i = 0; i < w->n && ok && !high; i++) {
        Range parts[3];
        int n = pieces(w, d, i, parts), rows = 0;
        __int128 all = 0;
        for (int k = 0; k < n; k++) {
            rows += count[parts[k].end] - count[parts[k].begin];
            all += total[parts[k].end] - total[parts[k].begin];
        }
        Value v = sqm_int(rows);
        if (sum) {              /* the aggregate itself says what type a sum has, and what no rows give */
            Running r;
            state_reset(w, c, &r);
            high = all > INT64_MAX || all < INT64_MIN;
            Value one = sqm_int((int64_t)all);
            ok = (!rows || c->expr->aggregate->step(w->node.ev, r.state, &w->state_arena, &one, 1)) && state_result(w, c, &r, &v);
        }
        ok = ok && store(w, i, c, &v);
    }
    free(total);
    free(count);
    return high ? run_frames(w, d, c) : ok;
}

/* min and max of frames whose bounds only move forward: rows that a later, better one hides leave the queue. */
static bool run_extreme(WindowNode *w, const Call *c, bool max) {
    int *queue = malloc(sizeof *queue * (size_t)w->n);
    if (!queue) abort();
    int head = 0, tail = 0, added = 0;
    bool ok = true;
    for (int i = 0; i < w->n && ok; i++) {
        Range f = w->frames[i];
        if (f.begin == f.end) {
            Value none = sqm_null();
            ok = store(w, i, c, &none);
            continue;
        }
        if (added < f.begin) added = f.begin;
        for (; added < f.end; added++) {
            if (!counts(w, added, c)) continue;
            while (tail > head) {
                int o = value_order(args_of(w, queue[tail - 1], c), args_of(w, added, c));
                if (max ? o >= 0 : o <= 0) break;
                tail--;
            }
            queue[tail++] = added;
        }
        while (head < tail && queue[head] < f.begin) head++;
        Running r;
        Value v;
        state_reset(w, c, &r);
        ok = (head == tail || state_step(w, c, &r, queue[head])) && state_result(w, c, &r, &v) && store(w, i, c, &v);
    }
    free(queue);
    return ok;
}

static bool run_aggregate(WindowNode *w, const Definition *d, const Call *c) {
    const char *name = c->expr->aggregate->name;
    const WindowDef *def = d->def;
    bool plain = def->exclude == EXCLUDE_NO_OTHERS, grows = plain, shrinks = plain;
    for (int i = 0; i < w->n && (grows || shrinks); i++) {
        grows &= w->frames[i].begin == w->frames[0].begin && (!i || w->frames[i].end >= w->frames[i - 1].end);
        shrinks &= w->frames[i].end == w->n && (!i || w->frames[i].begin >= w->frames[i - 1].begin);
    }
    if (grows) return run_frames(w, d, c);
    if (strcmp(name, "count") == 0) return run_totals(w, d, c, false);
    if (shrinks && !order_matters(name)) return run_backward(w, c);
    if (strcmp(name, "sum") == 0 && c->expr->args.n == 1) {
        bool whole = true;
        for (int i = 0; i < w->n && whole; i++) whole = !counts(w, i, c) || args_of(w, i, c)[0].type == SQM_INT;
        if (whole) return run_totals(w, d, c, true);
    }
    bool forward = plain, max = strcmp(name, "max") == 0;
    for (int i = 1; i < w->n && forward; i++) forward = w->frames[i].begin >= w->frames[i - 1].begin && w->frames[i].end >= w->frames[i - 1].end;
    if (forward && (max || strcmp(name, "min") == 0)) return run_extreme(w, c, max);
    return run_frames(w, d, c);
}

/* ---- the other functions ---- */

/* The k-th row (from 0) of the frame, or its last when k is -1; NULL beyond it. */
static Value frame_value(const WindowNode *w, const Definition *d, const Call *c, int i, int64_t k) {
    Range parts[3];
    int n = pieces(w, d, i, parts);
    if (!n) return sqm_null();
    if (k < 0) return args_of(w, parts[n - 1].end - 1, c)[0];
    for (int p = 0; p < n; p++) {
        if (k < parts[p].end - parts[p].begin) return args_of(w, parts[p].begin + (int)k, c)[0];
        k -= parts[p].end - parts[p].begin;
    }
    return sqm_null();
}

static bool argument_integer(WindowNode *w, const Call *c, int i, int which, int64_t *out, bool *null) {
    const Value *v = &args_of(w, i, c)[which];
    *null = v->type == SQM_NULL;
    return *null || value_integer(w->node.ev, v, out);
}

static bool offset_row(WindowNode *w, const Call *c, int i, int direction, Value *out) {
    int64_t by = 1;
    bool null = false;
    int n_args = c->expr->args.n;
    if (n_args > 1 && !argument_integer(w, c, i, 1, &by, &null)) return false;
    *out = sqm_null();
    if (null) return true;
    bool far = by > w->n || by < -w->n;
    int64_t at = far ? -1 : i + direction * by;
    if (at >= 0 && at < w->n) *out = args_of(w, (int)at, c)[0];
    else if (n_args > 2) *out = args_of(w, i, c)[2];
    return true;
}

static bool ntile(WindowNode *w, const Call *c) {
    int64_t tiles = 0;
    bool null;
    if (!argument_integer(w, c, 0, 0, &tiles, &null)) return false;
    if (!null && tiles <= 0) return eval_fail(w->node.ev, c->expr, SQM_ERROR_INVALID_ARGUMENT, "argument of ntile must be greater than zero");
    int64_t size = null ? 0 : w->n / tiles, larger = null ? 0 : w->n % tiles;
    for (int64_t i = 0; i < w->n; i++) {
        int64_t tile = i < larger * (size + 1) ? i / (size + 1) : larger + (i - larger * (size + 1)) / (size ? size : 1);
        *result_of(w, w->part[i], c) = null ? sqm_null() : sqm_int(tile + 1);
    }
    return true;
}

static bool run_call(WindowNode *w, const Definition *d, const Call *c) {
    if (c->expr->window_function == WINDOW_AGGREGATE) return run_aggregate(w, d, c);
    if (c->expr->window_function == WINDOW_NTILE) return ntile(w, c);
    int64_t dense = 0;
    for (int i = 0; i < w->n; i++) {
        Value v = sqm_null();
        int64_t k = 0;
        bool null = false;
        dense += w->peer_begin[i] == i;
        switch (c->expr->window_function) {
        case WINDOW_ROW_NUMBER: v = sqm_int(i + 1); break;
        case WINDOW_RANK: v = sqm_int(w->peer_begin[i] + 1); break;
        case WINDOW_DENSE_RANK: v = sqm_int(dense); break;
        case WINDOW_PERCENT_RANK: v = sqm_double(w->n > 1 ? (double)w->peer_begin[i] / (w->n - 1) : 0); break;
        case WINDOW_CUME_DIST: v = sqm_double((double)w->peer_end[i] / w->n); break;
        case WINDOW_LAG:
            if (!offset_row(w, c, i, -1, &v)) return false;
            break;
        case WINDOW_LEAD:
            if (!offset_row(w, c, i, 1, &v)) return false;
            break;
        case WINDOW_FIRST_VALUE: v = frame_value(w, d, c, i, 0); break;
        case WINDOW_LAST_VALUE: v = frame_value(w, d, c, i, -1); break;
        case WINDOW_NTH_VALUE:
            if (!argument_integer(w, c, i, 1, &k, &null)) return false;
            if (!null && k <= 0) return eval_fail(w->node.ev, c->expr, SQM_ERROR_INVALID_ARGUMENT, "argument of nth_value must be greater than zero");
            if (!null) v = frame_value(w, d, c, i, k - 1);
            break;
        case WINDOW_AGGREGATE:
        case WINDOW_NTILE: break;
        }
        *result_of(w, w->part[i], c) = v;     /* arguments are kept rows' values already */
        node_scratch(&w->node);
    }
    return true;
}

/* ---- partitions ---- */

static int compare_window(const Value *a, const Value *b, const void *context) {
    const Definition *d = context;
    for (int i = 0; i < d->def->partition.n; i++) {
        int c = value_order(a + d->partition + i, b + d->partition + i);
        if (c) return c;
    }
    return keys_order(&d->def->order, a + d->order, b + d->order);
}

static bool run_partition(WindowNode *w, Definition *d) {
    for (int i = 0; i < w->n;) {
        int end = i + 1;
        while (end < w->n && keys_order(&d->def->order, w->part[i] + d->order, w->part[end] + d->order) == 0) end++;
        for (int k = i; k < end; k++) {
            w->peer_begin[k] = i;
            w->peer_end[k] = end;
        }
        i = end;
    }
    w->null_begin = w->null_end = 0;
    if (d->needs_frames && d->def->unit == FRAME_RANGE && (bound_is_offset(d->def->start) || bound_is_offset(d->def->end))) {
        while (w->null_begin < w->n && w->part[w->null_begin][d->order].type != SQM_NULL) w->null_begin++;
        w->null_end = w->null_begin;
        while (w->null_end < w->n && w->part[w->null_end][d->order].type == SQM_NULL) w->null_end++;
    }
    if (d->needs_frames && !make_frames(w, d)) return false;
    for (int i = 0; i < w->n_calls; i++)
        if (w->calls[i].expr->window == (int)(d - w->defs) && !run_call(w, d, &w->calls[i])) return false;
    return true;
}

static bool run_definition(WindowNode *w, Definition *d) {
    Value **at = w->rows.at;
    int n = w->rows.n;
    if (!offset_value(w, d, d->def->start_offset, "starting", &d->start_offset, &d->start_rows)) return false;
    if (!offset_value(w, d, d->def->end_offset, "ending", &d->end_offset, &d->end_rows)) return false;
    memcpy(at, w->original, sizeof *at * (size_t)n);        /* ties in the order of the input, for each definition */
    rows_sort(at, n, compare_window, d);
    for (int begin = 0; begin < n;) {
        int end = begin + 1;
        while (end < n && keys_same(at[begin] + d->partition, at[end] + d->partition, d->def->partition.n)) end++;
        w->part = at + begin;
        w->n = end - begin;
        if (!run_partition(w, d)) return false;
        begin = end;
    }
    return true;
}

static bool load(WindowNode *w) {
    Node *n = &w->node;
    int r;
    w->loaded = true;
    while ((r = node_next(n->left)) > 0) {
        n->ev->arena = node_scratch(n);
        if (!keys_eval(n->ev, &w->extra, w->extra_values, NULL)) return false;
        for (int i = 0; i < w->n_calls; i++) {      /* a filter that isn't true is false */
            Value *filter = w->calls[i].filter < 0 ? NULL : &w->extra_values[w->calls[i].filter - w->layout.n_slots];
            if (filter) *filter = sqm_bool(filter->type == SQM_BOOL && filter->u.b);
        }
        Value *row = layout_save(&w->layout, &w->rows, n->ev->frame, w->extra_values);
        if (!row) return false;
        row[w->results].u.bytes = (const uint8_t *)rows_new(&w->rows, w->n_calls);
    }
    size_t count = (size_t)w->rows.n;
    if (r < 0 || !count) return r == 0;
    if (!memory_charge(n->x, &w->held, count * (sizeof(Value *) + 2 * sizeof(int) + sizeof(Range)))) return false;
    w->original = malloc(sizeof *w->original * count);
    w->peer_begin = malloc(sizeof(int) * count);
    w->peer_end = malloc(sizeof(int) * count);
    w->frames = malloc(sizeof(Range) * count);
    if (!w->original || !w->peer_begin || !w->peer_end || !w->frames) abort();
    memcpy(w->original, w->rows.at, sizeof *w->original * count);
    for (int i = 0; i < w->n_defs; i++)
        if (!run_definition(w, &w->defs[i])) return false;
    arena_free(&w->state_arena);
    return true;
}

static int window_next(Node *n) {
    WindowNode *w = (WindowNode *)n;
    if (!w->loaded && !load(w)) return -1;
    if (w->at == w->rows.n) return 0;
    Value *row = w->rows.at[w->at++];
    layout_restore(&w->layout, n->ev->frame, row);
    for (int i = 0; i < w->n_calls; i++) n->ev->frame[n->run->plan->query->window_slots.at[i]] = *result_of(w, row, &w->calls[i]);
    return 1;
}

static void window_drop(WindowNode *w) {
    free(w->original);
    free(w->peer_begin);
    free(w->peer_end);
    free(w->frames);
    w->original = NULL;
    w->peer_begin = w->peer_end = NULL;
    w->frames = NULL;
    memory_release(w->node.x, &w->held);
    arena_free(&w->state_arena);
}

static void window_rescan(Node *n) {
    WindowNode *w = (WindowNode *)n;
    window_drop(w);
    rows_clear(&w->rows);
    w->loaded = false;
    w->at = 0;
    node_rescan(n->left);
}

static void window_close(Node *n) {
    window_drop((WindowNode *)n);
    rows_free(&((WindowNode *)n)->rows);
}

static int window_buffered(const Node *n) { return ((const WindowNode *)n)->loaded ? 2 : 0; }

static const NodeOps window_ops = {window_next, window_rescan, window_close, window_buffered};

static int add_extra(WindowNode *w, Arena *a, Expr *e) {
    vec_push(a, &w->extra, e);
    return w->extra.n - 1;
}

Node *window_node(QueryRun *run, const Plan *plan) {
    WindowNode *w = node_init(run, plan, sizeof *w, &window_ops);
    const Query *q = run->plan->query;
    Arena *a = &run->arena;
    int slots = plan->left->slots.n;
    w->n_defs = q->window_defs.n;
    w->n_calls = q->windows.n;
    w->defs = NEW_ARRAY(a, Definition, w->n_defs);
    w->calls = NEW_ARRAY(a, Call, w->n_calls);
    for (int i = 0; i < w->n_defs; i++) {
        Definition *d = &w->defs[i];
        d->def = &q->window_defs.at[i];
        d->partition = slots + w->extra.n;
        for (int k = 0; k < d->def->partition.n; k++) add_extra(w, a, d->def->partition.at[k]);
        d->order = slots + w->extra.n;
        for (int k = 0; k < d->def->order.n; k++) add_extra(w, a, d->def->order.at[k].expr);
    }
    for (int i = 0; i < w->n_calls; i++) {
        Call *c = &w->calls[i];
        Expr *e = q->windows.at[i];
        *c = (Call){.expr = e, .args = slots + w->extra.n, .filter = -1, .result = i};
        for (int k = 0; k < e->args.n; k++) add_extra(w, a, e->args.at[k]);
        if (e->filter) c->filter = slots + add_extra(w, a, e->filter);
        WindowFunction f = e->window_function;
        if (f == WINDOW_AGGREGATE || f == WINDOW_FIRST_VALUE || f == WINDOW_LAST_VALUE || f == WINDOW_NTH_VALUE) w->defs[e->window].needs_frames = true;
    }
    w->results = slots + w->extra.n;
    layout_init(&w->layout, a, &plan->left->slots, w->extra.n + 1);
    for (int i = 0; i < w->extra.n; i++) layout_extra(&w->layout, i, w->extra.at[i]);
    for (int i = 0; i < w->n_calls; i++)        /* a filter is stored as true or false, not as the column it may be */
        if (w->calls[i].filter >= 0) w->layout.source[w->calls[i].filter - slots] = -1;
    w->extra_values = NEW_ARRAY(a, Value, w->extra.n + 1);
    w->rows.x = run->x;
    return &w->node;
}
