/* scan.c - rows from MongoDB: PLAN_SCAN (one find or aggregate).
 *
 * SCAN in: what mql_scan() makes of the plan with the parameters and outer rows of this moment, and possibly a KeyFilter (METHOD_KEY joins). Out: the
 * slots of plan->columns, or the query's group and aggregate slots when the server groups. Values point into the server's document, which lives until the
 * next next(). A field that is missing is NULL; a field of another BSON type than its column's comes out as what it is.
 *     {_id: 7, title: "Emma", pages: 474}  with columns (title, year)  ->  slots ("Emma", NULL)
 * A scan with `halves` asks twice: for the first documents in order, and for all that lack the field the order is by.
 * Documents of a collection mostly have their fields in the same order: the field after the one just seen is guessed from the document before.
 * KEYS below a scan are read before it asks. A list too long for one command is cut into several, one after the other; a second such list, or one of keys that
 * must not be there, is looked up here for each row instead. (A scan that groups, sorts or limits has short lists only: CHOOSE sees to it.)
 * A count by_difference asks for all rows first, then for those with the keys.
 * Under a LIMIT that joins stand between, a sorted scan is fetched in parts: as many rows as the LIMIT says, which the server finds without sorting all of them; only when
 * the joins have dropped some, more, and at last the rest. The key of the last row wanted may be looked up in an index first, so that the server sorts few.
 * A static scan that is run again and again (a correlated subquery that filters here) is recorded on its second run and replayed from memory after it. */
#include "node.h"
#include "json.h"

/* ---- scan ---- */

typedef struct Field { Str name; Type type; int slot; uint64_t seen; } Field;

typedef enum TapeState { TAPE_OFF, TAPE_RECORDING, TAPE_READY } TapeState;

typedef struct ScanNode {
    Node node;
    Field *fields;
    int n_fields;
    int *guess;                 /* by position in the document: the field found there last time, -1 none */
    int n_guess;
    int *by_name;               /* hash of field names, -1 empty; mask + 1 places */
    uint32_t mask;
    uint64_t documents;         /* marks the fields seen in the present document */
    ServerCursor *cursor;
    const KeyFilter *keys;
    KeyFilter *filters;         /* of the next command: `keys`, then those KEYS that the server looks at */
    int n_filters;
    VEC(Node *) checked;        /* KEYS that are looked up here */
    Node *cut;                  /* KEYS whose list goes out in parts, filters[n_filters - 1] being the present one; NULL: none */
    KeyFilter cut_keys;         /* what is left of the list */
    bool parts;                 /* the rows are fetched in parts of their order: the first as many as are likely to be wanted, ... */
    int64_t part_skip, part_limit, received;    /* ... then more, then the rest; limit 0: to the end */
    int part;
    KeyFilter less;             /* the rows with these keys are still to be taken off the count; n 0: none */
    bool started, ended, any, second;      /* second: of the two commands of a scan with `halves` */
    int runs, is_static;        /* is_static: -1 not known yet */
    TapeState state;
    Rows tape;
    Layout layout;
    int at;
    PlanStats *stats;           /* node.stats, which is away while the node runs */
} ScanNode;

static int find_field(const ScanNode *s, const char *key, uint32_t n) {
    for (uint32_t i = (uint32_t)hash_bytes(key, n, 0) & s->mask; s->by_name[i] >= 0; i = (i + 1) & s->mask) {
        const Field *f = &s->fields[s->by_name[i]];
        if (f->name.n == n && memcmp(f->name.p, key, n) == 0) return s->by_name[i];
    }
    return -1;
}

static void add_field(ScanNode *s, Str name, Type type, int slot) {
    int same = find_field(s, name.p, name.n);
    uint32_t i = (uint32_t)hash_bytes(name.p, name.n, 0) & s->mask;
    if (same >= 0 && s->fields[same].slot == slot) return;
    while (s->by_name[i] >= 0) i = (i + 1) & s->mask;
    s->by_name[i] = s->n_fields;
    s->fields[s->n_fields++] = (Field){name, type, slot, 0};
}

static void prepare_fields(ScanNode *s, QueryRun *run, const Plan *p) {
    uint32_t places = 8;
    while (places < (uint32_t)p->columns.n * 2 + 2) places *= 2;
    s->mask = places - 1;
    s->by_name = NEW_ARRAY(&run->arena, int, places);
    for (uint32_t i = 0; i < places; i++) s->by_name[i] = -1;
    s->fields = NEW_ARRAY(&run->arena, Field, p->columns.n + 1);
    for (int i = 0; i < p->columns.n; i++) {
        const ScanColumn *c = &p->columns.at[i];
        if (c->slot >= 0) add_field(s, rel_field(p->rel, c->column), p->rel->columns.at[c->column].type, c->slot);
    }
    s->n_guess = p->columns.n * 2 + 8;
    s->guess = NEW_ARRAY(&run->arena, int, s->n_guess);
    for (int i = 0; i < s->n_guess; i++) s->guess[i] = -1;
}

enum { KEYS_IN_PART = 10000, MOST_WANTED = 5000 };

/* How many rows those above are likely to read: LIMIT + OFFSET, with room for what is dropped. -1: all, or nobody knows. */
int64_t node_wanted(Node *n) {
    const Plan *p = n->plan;
    int64_t limit = 0, offset = 0;
    bool no_limit = false, no_offset = false;
    if (!p->slack || p->halves || !eval_integer(n->ev, p->wanted_limit, &limit, &no_limit) || (p->wanted_offset && !eval_integer(n->ev, p->wanted_offset, &offset, &no_offset))) {
        error_clear(n->x->error);       /* the LIMIT above will say it */
        return -1;
    }
    if (no_limit || limit < 0 || offset < 0 || limit > MOST_WANTED || offset > MOST_WANTED || (limit + offset) * p->slack > MOST_WANTED) return -1;
    return (limit + offset) * p->slack;
}

/* The first sort key of the last row that is wanted, by the index alone: {pages: 998}. *bound NULL: there are no more rows than that, or it is NULL. */
static bool find_bound(ScanNode *s, int64_t wanted, Value **bound) {
    Node *n = &s->node;
    const Plan *p = n->plan;
    bson_t command = BSON_INITIALIZER;
    const bson_t *doc;
    bson_iter_t it;
    ServerView *view = NULL;
    ServerCursor *cursor = NULL;
    mql_bound(p, wanted - 1, &command);
    bool ok = exec_view(n->x, &view) && server_read(n->x->server, view, &command, &cursor, n->x->error);
    int r = ok ? server_cursor_next(cursor, &doc, n->x->error) : -1;
    if (r > 0 && bson_iter_init(&it, doc) && bson_iter_next(&it) && !BSON_ITER_HOLDS_NULL(&it)) {
        *bound = NEW_ARRAY(&n->scratch, Value, 1);
        **bound = value_from_bson(&it, p->sort.at[0].expr->type);
        **bound = value_copy(&n->scratch, *bound);
    }
    server_cursor_close(cursor);
    if (ok && n->x->stats) probe_command(n->x, s->stats, &command);
    bson_destroy(&command);
    return r >= 0;
}

/* How much of it the first command asks for. */
static bool first_part(ScanNode *s, ScanRequest *request, Value **bound) {
    Node *n = &s->node;
    const Plan *p = n->plan;
    int64_t wanted = node_wanted(n);
    ServerView *view = NULL;
    if (!exec_view(n->x, &view)) return false;
    s->parts = view && wanted > 0 && p->sort.n && !p->ordered;      /* several commands of one order need one snapshot */
    s->part = 0;
    s->part_skip = 0;
    s->part_limit = s->parts ? wanted : 0;
    if (wanted >= 0 && !s->parts) request->batch = wanted + 1;
    if (!p->bound_index || !view) return true;
    if (p->limit) {
        int64_t limit = 0, offset = 0;
        bool null;
        if (!eval_integer(n->ev, p->limit, &limit, &null) || null || limit < 0 || (p->offset && !eval_integer(n->ev, p->offset, &offset, &null)) || limit > MOST_WANTED || offset < 0 ||
            offset > MOST_WANTED) {
            error_clear(n->x->error);
            return true;
        }
        wanted = limit + offset;
    } else if (!s->parts) {
        return true;
    }
    return wanted <= 0 || find_bound(s, wanted, bound);
}

/* The next command, and its cursor. *never: there is nothing to ask. */
static bool ask(ScanNode *s, bool *never) {
    Node *n = &s->node;
    Exec *x = n->x;
    bson_t command = BSON_INITIALIZER;
    Emit em = {.ev = n->ev, .rel = n->plan->rel, .arena = &n->scratch, .second_half = s->second};
    ServerView *view = NULL;
    Value *bound = NULL;
    ScanRequest request = {.keys = s->filters, .n_keys = s->n_filters};
    if (s->part == 0 && !first_part(s, &request, &bound)) return false;
    request.part = s->parts;
    request.skip = s->part_skip;
    request.limit = s->part_limit;
    request.bound = bound;
    s->received = 0;
    bool ok = mql_scan(&em, n->run->plan->query, n->plan, &request, &command, never) &&
              (*never || (exec_view(x, &view) && server_read(x->server, view, &command, &s->cursor, x->error)));
    if (ok && !*never && x->stats) {
        /* A cursor that is likely to be left has cost the server its first reply. */
        if (request.batch) BSON_APPEND_INT64(&command, "limit", request.batch);
        probe_command(x, s->stats, &command);
    }
    bson_destroy(&command);
    return ok;
}

/* More rows of an order were wanted than expected. */
static bool further_part(ScanNode *s, bool *never) {
    enum { GROWTH = 16, PARTS = 2 };
    s->part++;
    s->part_skip += s->part_limit;
    s->part_limit = s->part < PARTS ? s->part_limit * GROWTH : 0;
    return ask(s, never);
}

static bool next_keys(ScanNode *s, bool *never) {
    KeyFilter *part = &s->filters[s->n_filters - 1];
    *part = s->cut_keys;
    int most = part->width > 1 ? TUPLE_BRANCHES : KEYS_IN_PART;
    if (part->n > most) part->n = most;
    s->cut_keys.values += part->n * part->width;
    s->cut_keys.n -= part->n;
    return ask(s, never);
}

/* Reads the KEYS; decides for each who looks at them. */
static bool read_keys(ScanNode *s, bool *never) {
    const Plan *p = s->node.plan;
    bool shaped = p->grouped || p->sort.n || p->limit || p->offset;
    int n = 1;
    for (Node *k = s->node.left; k; k = k->right) n++;
    if (!s->filters) s->filters = NEW_ARRAY(&s->node.run->arena, KeyFilter, n);
    s->n_filters = 0;
    s->checked.n = 0;
    s->cut = NULL;
    s->less.n = 0;
    if (s->keys) s->filters[s->n_filters++] = *s->keys;
    for (Node *k = s->node.left; k; k = k->right) {
        KeyFilter filter;
        if (!keys_read(k, &filter)) return false;
        if (filter.none && filter.null_aware && filter.has_null) *never = true;
        if (shaped || keys_are_few(k)) {
            s->filters[s->n_filters++] = filter;
        } else if (filter.none || s->keys || s->cut) {
            vec_push(&s->node.run->arena, &s->checked, k);
        } else {
            s->cut = k;
            s->cut_keys = filter;
        }
    }
    if (s->cut) s->n_filters++;
    if (p->by_difference && server_has_transactions(s->node.x->server)) {       /* two commands need one snapshot */
        s->n_filters = 0;
        s->less = s->filters[0];
        s->less.none = false;
    }
    return true;
}

static bool start_scan(ScanNode *s) {
    Node *n = &s->node;
    Exec *x = n->x;
    s->started = true;
    s->ended = true;
    s->any = false;
    if (s->runs++ > 0 && !s->keys && s->is_static < 0) s->is_static = plan_is_static(n->run, n->plan);
    s->state = s->is_static > 0 && !s->keys ? TAPE_RECORDING : TAPE_OFF;
    s->part = 0;
    if (n->plan->never) return true;
    if (!x->server) return error_set(x->error, SQM_ERROR_INTERFACE, "an offline connection cannot read a table");
    bool never = s->keys && s->keys->n == 0;
    if (!never && !read_keys(s, &never)) return false;
    if (!never && !(s->cut ? next_keys(s, &never) : ask(s, &never))) return false;
    s->ended = never;
    return true;
}

/* Does the present row pass the lists that the server didn't look at? */
static bool passes(ScanNode *s) {
    for (int i = 0; i < s->checked.n; i++) {
        const Plan *p = s->checked.at[i]->plan;
        Value *key = NEW_ARRAY(&s->node.scratch, Value, p->left_keys.n);
        bool none = p->kind == JOIN_ANTI, null = false;
        for (int k = 0; k < p->left_keys.n; k++) {
            key[k] = s->node.ev->frame[p->left_keys.at[k]->slot];
            null |= key[k].type == SQM_NULL;
        }
        if (null ? !none || p->null_aware : keys_has(s->checked.at[i], key) == none) return false;
    }
    return true;
}

static bool decode(ScanNode *s, const bson_t *doc) {
    Value *frame = s->node.ev->frame;
    bson_iter_t it;
    if (!bson_iter_init(&it, doc)) return error_set(s->node.x->error, SQM_ERROR_SERVER, "the server sent a damaged document");
    int left = s->n_fields;
    uint64_t mark = ++s->documents;
    for (int at = 0; left && bson_iter_next(&it); at++) {
        const char *key = bson_iter_key(&it);
        uint32_t n = bson_iter_key_len(&it);
        int i = at < s->n_guess ? s->guess[at] : -1;
        if (i < 0 || s->fields[i].name.n != n || memcmp(s->fields[i].name.p, key, n) != 0) {
            i = find_field(s, key, n);
            if (at < s->n_guess) s->guess[at] = i;
        }
        if (i < 0 || s->fields[i].seen == mark) continue;
        s->fields[i].seen = mark;
        frame[s->fields[i].slot] = value_from_bson(&it, s->fields[i].type);
        left--;
    }
    for (int i = 0; left && i < s->n_fields; i++) {
        Field *f = &s->fields[i];
        if (f->seen == mark) continue;
        left--;
        int first = find_field(s, f->name.p, f->name.n);      /* the same field in a second slot */
        frame[f->slot] = first != i && s->fields[first].seen == mark ? frame[s->fields[first].slot] : sqm_null();
    }
    return true;
}

/* The server's date parts are integers where SQL's extract() is numeric, and paths find 5.0 where an integer is asked for. */
static Value group_value(const bson_iter_t *it, Type type) {
    return value_as_number(value_from_bson(it, type), type);
}

/* [sum, count] */
static bool decode_mean(ScanNode *s, const Expr *e, const bson_iter_t *it, Value *out) {
    bson_iter_t item;
    if (!bson_iter_recurse(it, &item) || !bson_iter_next(&item)) return error_set(s->node.x->error, SQM_ERROR_SERVER, "the server sent a damaged document");
    Value sum = value_from_bson(&item, TYPE(UNKNOWN));
    int64_t n = bson_iter_next(&item) ? bson_iter_as_int64(&item) : 0;
    return aggregate_mean(s->node.ev, e, &sum, n, out);
}

/* { k: [...], a: [...] } */
static bool decode_group(ScanNode *s, const bson_t *doc) {
    const Query *q = s->node.run->plan->query;
    Value *frame = s->node.ev->frame;
    bson_iter_t it, item;
    for (int i = 0; i < q->group_slots.n; i++) frame[q->group_slots.at[i]] = sqm_null();
    for (int i = 0; i < q->agg_slots.n; i++) frame[q->agg_slots.at[i]] = sqm_null();
    if (bson_iter_init_find(&it, doc, "k") && bson_iter_recurse(&it, &item))
        for (int i = 0; i < q->group_slots.n && bson_iter_next(&item); i++) frame[q->group_slots.at[i]] = group_value(&item, q->group_keys.at[i]->type);
    if (bson_iter_init_find(&it, doc, "a") && bson_iter_recurse(&it, &item))
        for (int i = 0; i < q->agg_slots.n && bson_iter_next(&item); i++) {
            if (!mql_is_mean(q->aggs.at[i])) frame[q->agg_slots.at[i]] = group_value(&item, q->aggs.at[i]->type);
            else if (!decode_mean(s, q->aggs.at[i], &item, &frame[q->agg_slots.at[i]])) return false;
        }
    if (q->grouping_slot >= 0) frame[q->grouping_slot] = sqm_int(0);
    return true;
}

/* The frame has the count of all rows. */
static bool take_off(ScanNode *s) {
    const Query *q = s->node.run->plan->query;
    Value *frame = s->node.ev->frame;
    int64_t all = frame[q->agg_slots.at[0]].u.i;
    const bson_t *doc;
    bool never = false;
    server_cursor_close(s->cursor);
    s->cursor = NULL;
    s->filters[0] = s->less;
    s->n_filters = 1;
    s->less.n = 0;
    if (!ask(s, &never)) return false;
    int r = never ? 0 : server_cursor_next(s->cursor, &doc, s->node.x->error);
    if (r < 0 || (r > 0 && !decode_group(s, doc))) return false;
    int64_t with_keys = r > 0 ? frame[q->agg_slots.at[0]].u.i : 0;
    for (int i = 0; i < q->agg_slots.n; i++) frame[q->agg_slots.at[i]] = sqm_int(all - with_keys);
    return true;
}

/* Aggregates of no rows at all: the server sends no document then, SQL wants one row. */
static bool empty_group(ScanNode *s) {
    Node *n = &s->node;
    const Query *q = n->run->plan->query;
    for (int i = 0; i < q->aggs.n; i++) {
        const Expr *e = q->aggs.at[i];
        void *state = arena_alloc(&n->scratch, e->aggregate->state_size);
        if (!e->aggregate->finish(n->ev, state, &n->scratch, e, &n->ev->frame[q->agg_slots.at[i]])) return false;
    }
    if (q->grouping_slot >= 0) n->ev->frame[q->grouping_slot] = sqm_int(0);
    return true;
}

static bool record(ScanNode *s) {
    Exec *x = s->node.x;
    if (x->memory + (2u << 20) > x->memory_limit / 2) {       /* a recording is a luxury */
        s->state = TAPE_OFF;
        s->is_static = 0;
        rows_free(&s->tape);
        return true;
    }
    return layout_save(&s->layout, &s->tape, s->node.ev->frame, NULL) != NULL;
}

static int scan_next(Node *n) {
    ScanNode *s = (ScanNode *)n;
    if (s->state == TAPE_READY) {
        if (s->at == s->tape.n) return 0;
        layout_restore(&s->layout, n->ev->frame, s->tape.at[s->at++]);
        return 1;
    }
    if (!s->started && !start_scan(s)) return -1;
    const Query *q = n->run->plan->query;
    const bson_t *doc;
    int r = 0;
    while (!s->ended) {
        r = server_cursor_next(s->cursor, &doc, n->x->error);
        if (r < 0) return -1;
        if (r > 0) {
            if (!(n->plan->grouped ? decode_group(s, doc) : decode(s, doc))) return -1;
            if (s->less.n && !take_off(s)) return -1;
            s->received++;
            if (passes(s)) break;
        } else if (s->parts && s->part_limit && s->received == s->part_limit) {
            bool never = false;
            server_cursor_close(s->cursor);
            s->cursor = NULL;
            if (!further_part(s, &never)) return -1;
            s->ended = never;
        } else if (s->cut && s->cut_keys.n) {
            bool never = false;
            server_cursor_close(s->cursor);
            s->cursor = NULL;
            if (!next_keys(s, &never)) return -1;
            s->ended = never;
        } else if (n->plan->halves && !s->second) {
            bool never = false;
            server_cursor_close(s->cursor);
            s->cursor = NULL;
            s->second = true;
            if (!ask(s, &never)) return -1;
            s->ended = never;
        } else {
            break;
        }
    }
    if (r <= 0) {
        server_cursor_close(s->cursor);
        s->cursor = NULL;
        s->ended = true;
        bool whole = n->plan->grouped && q->group_keys.n == 0 && !s->any;
        if (!whole) {
            if (s->state == TAPE_RECORDING) {
                s->state = TAPE_READY;
                s->at = s->tape.n;
            }
            return 0;
        }
        if (!empty_group(s)) return -1;
    }
    s->any = true;
    return s->state == TAPE_RECORDING && !record(s) ? -1 : 1;
}

static void scan_rescan(Node *n) {
    ScanNode *s = (ScanNode *)n;
    server_cursor_close(s->cursor);
    s->cursor = NULL;
    s->at = 0;
    if (s->state == TAPE_READY && !s->keys) return;
    node_rescan(n->left);
    s->state = TAPE_OFF;
    rows_clear(&s->tape);
    s->started = s->ended = s->second = false;
}

static void scan_close(Node *n) {
    ScanNode *s = (ScanNode *)n;
    server_cursor_close(s->cursor);
    rows_free(&s->tape);
}

static int scan_buffered(const Node *n) {
    const ScanNode *s = (const ScanNode *)n;
    if (s->state == TAPE_READY || (s->started && s->ended)) return 2;
    if (n->plan->halves && !s->second) return 0;
    return s->cursor && !s->checked.n && server_cursor_buffered(s->cursor);
}

static const NodeOps scan_ops = {scan_next, scan_rescan, scan_close, scan_buffered};

Node *scan_node(QueryRun *run, const Plan *plan) {
    ScanNode *s = node_init(run, plan, sizeof *s, &scan_ops);
    s->is_static = -1;
    s->stats = s->node.stats;
    s->tape.x = run->x;
    layout_init(&s->layout, &run->arena, &plan->slots, 0);
    if (!plan->grouped) prepare_fields(s, run, plan);
    return &s->node;
}

void scan_set_keys(Node *scan, const KeyFilter *keys) { ((ScanNode *)scan)->keys = keys; }
