/* rows.c - what blocking operators keep rows in: charged arenas, packed rows, keys, a stable sort and a hash table. See node.h for the contracts.
 *
 * In: values that point into somebody's short-lived memory (a server document, an operator's scratch). Out: deep copies that live until the Rows
 * are cleared. Every byte is charged to the statement (Exec.memory); the first charge past the limit fails with OUT_OF_MEMORY.
 *
 *     Value *row = layout_save(&layout, &rows, ev->frame, keys);     -- NULL: out of memory, error set
 *     hash_add(&table, keys_hash(keys, n), row);
 *     ...
 *     for (int i = hash_find(&table, h, keys); i >= 0; i = hash_after(&table, i, keys)) layout_restore(&layout, ev->frame, table.at[i].row);
 *
 * Row pointers are stable; Rows.at and Hash.at move when they grow. Nothing here spills to disk. */
#include "node.h"
#include "decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- memory ---- */

bool memory_charge(Exec *x, size_t *held, size_t now) {
    x->memory = x->memory - *held + now;
    bool grew = now > *held;
    *held = now;
    if (!grew || x->memory <= x->memory_limit) return true;
    bool small = x->memory_limit < 1 << 20;
    error_set(x->error, SQM_ERROR_OUT_OF_MEMORY, "statement needs more than %zu %s for its sorts, joins and groups", x->memory_limit >> (small ? 10 : 20), small ? "kB" : "MB");
    if (x->error) snprintf(x->error->hint, sizeof x->error->hint, "Raise work_mem, add an index that spares the sort or join, or add a LIMIT.");
    return false;
}

void memory_release(Exec *x, size_t *held) {
    x->memory -= *held;
    *held = 0;
}

static void *grown(void *p, size_t size) {
    p = realloc(p, size);
    if (!p) abort();
    return p;
}

/* ---- rows ---- */

Value *rows_new(Rows *r, int width) { return NEW_ARRAY(&r->arena, Value, width); }

bool rows_charge(Rows *r) {
    size_t now = r->arena.total + sizeof *r->at * (size_t)r->cap;
    return now == r->held || memory_charge(r->x, &r->held, now);
}

bool rows_push(Rows *r, Value *row) {
    if (r->n == r->cap) {
        if (r->n >= INT32_MAX / 2) return error_set(r->x->error, SQM_ERROR_OUT_OF_MEMORY, "more than %d rows to keep in memory", r->n);
        r->cap = r->cap ? r->cap * 2 : 16;
        r->at = grown(r->at, sizeof *r->at * (size_t)r->cap);
    }
    r->at[r->n++] = row;
    return rows_charge(r);
}

void rows_clear(Rows *r) {
    arena_clear(&r->arena);
    r->n = 0;
    rows_charge(r);
}

void rows_free(Rows *r) {
    if (r->x) memory_release(r->x, &r->held);
    arena_free(&r->arena);
    free(r->at);
    *r = (Rows){.x = r->x};
}

void layout_init(Layout *l, Arena *a, const Ints *slots, int n_extra) {
    static const Ints none = {0};
    *l = (Layout){.slots = slots ? slots : &none, .n_slots = slots ? slots->n : 0, .n_extra = n_extra};
    l->source = NEW_ARRAY(a, int, n_extra ? n_extra : 1);
    for (int i = 0; i < n_extra; i++) l->source[i] = -1;
}

void layout_extra(Layout *l, int i, const Expr *e) {
    if (e->tag != EXPR_VAR || e->level != 0) return;
    for (int k = 0; k < l->n_slots && l->source[i] < 0; k++)
        if (l->slots->at[k] == e->slot) l->source[i] = k;
}

Value *layout_save(const Layout *l, Rows *r, const Value *frame, const Value *extra) {
    Value *row = rows_new(r, l->n_slots + l->n_extra);
    for (int i = 0; i < l->n_slots; i++) row[i] = value_keep(&r->arena, &frame[l->slots->at[i]]);
    for (int i = 0; i < l->n_extra; i++) row[l->n_slots + i] = l->source[i] >= 0 ? row[l->source[i]] : value_keep(&r->arena, &extra[i]);
    return rows_push(r, row) ? row : NULL;
}

/* ---- keys ---- */

bool keys_eval(Eval *ev, const Exprs *keys, Value *out, bool *has_null) {
    bool null = false;
    for (int i = 0; i < keys->n; i++) {
        if (!eval(ev, keys->at[i], &out[i])) return false;
        null |= out[i].type == SQM_NULL;
    }
    if (has_null) *has_null = null;
    return true;
}

uint64_t keys_hash(const Value *v, int n) {
    uint64_t h = 0x243F6A8885A308D3ull;
    for (int i = 0; i < n; i++) h = value_hash(&v[i], h);
    return h ^ h >> 32;
}

bool keys_same(const Value *a, const Value *b, int n) {
    for (int i = 0; i < n; i++) {
        if (a[i].type == SQM_INT && b[i].type == SQM_INT ? a[i].u.i != b[i].u.i : !value_same(&a[i], &b[i])) return false;
    }
    return true;
}

static bool is_nan(const Value *v) { return (v->type == SQM_DOUBLE && isnan(v->u.d)) || (v->type == SQM_DECIMAL && decimal_is_nan(v->u.decimal)); }

/* ORDER BY has NaN below all numbers, as the server's indexes do; everywhere else it is the greatest. */
int key_order(const Value *a, const Value *b) {
    bool left = is_nan(a), right = is_nan(b);
    return left || right ? right - left : value_order(a, b);
}

int keys_order(const SortKeys *keys, const Value *a, const Value *b) {
    for (int i = 0; i < keys->n; i++, a++, b++) {
        const SortKey *k = &keys->at[i];
        if (a->type == SQM_NULL || b->type == SQM_NULL) {
            if (a->type == b->type) continue;
            return (a->type == SQM_NULL) == k->nulls_first ? -1 : 1;
        }
        int c = a->type == SQM_INT && b->type == SQM_INT ? (a->u.i > b->u.i) - (a->u.i < b->u.i) : key_order(a, b);
        if (c) return k->descending ? -c : c;
    }
    return 0;
}

bool conditions_true(Eval *ev, const Exprs *conditions, bool *out) {
    *out = true;
    for (int i = 0; i < conditions->n && *out; i++)
        if (!eval_true(ev, conditions->at[i], out)) return false;
    return true;
}

/* ---- sort: merge sort by halves; runs that are in order already cost one comparison ---- */

static void merge(Value **at, int n, Value **spare, RowCompare compare, const void *context) {
    if (n <= 8) {
        for (int i = 1; i < n; i++) {
            Value *row = at[i];
            int k = i;
            for (; k > 0 && compare(at[k - 1], row, context) > 0; k--) at[k] = at[k - 1];
            at[k] = row;
        }
        return;
    }
    int half = n / 2;
    merge(at, half, spare, compare, context);
    merge(at + half, n - half, spare, compare, context);
    if (compare(at[half - 1], at[half], context) <= 0) return;
    memcpy(spare, at, sizeof *at * (size_t)half);
    for (int i = 0, k = half, to = 0; i < half; to++) at[to] = k < n && compare(spare[i], at[k], context) > 0 ? at[k++] : spare[i++];
}

void rows_sort(Value **at, int n, RowCompare compare, const void *context) {
    if (n < 2) return;
    Value **spare = grown(NULL, sizeof *at * (size_t)n);
    merge(at, n, spare, compare, context);
    free(spare);
}

/* ---- hash table: chained entries in one array ---- */

void hash_init(Hash *h, Exec *x, int offset, int width) { *h = (Hash){.x = x, .offset = offset, .width = width}; }

/* Chains all entries anew, later ones first, so that each chain is in order of insertion. */
static void chain(Hash *h) {
    memset(h->buckets, -1, sizeof *h->buckets * ((size_t)h->mask + 1));
    for (int i = h->n - 1; i >= 0; i--) {
        int *bucket = &h->buckets[h->at[i].hash & h->mask];
        h->at[i].next = *bucket;
        *bucket = i;
    }
}

void hash_order(Hash *h) {
    if (h->n) chain(h);
}

bool hash_add(Hash *h, uint64_t hash, Value *row) {
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->at = grown(h->at, sizeof *h->at * (size_t)h->cap);
        h->buckets = grown(h->buckets, sizeof *h->buckets * (size_t)h->cap);
        h->mask = (uint32_t)h->cap - 1;
        chain(h);
        if (!memory_charge(h->x, &h->held, (sizeof *h->at + sizeof *h->buckets) * (size_t)h->cap)) return false;
    }
    int *bucket = &h->buckets[hash & h->mask];
    h->at[h->n] = (HashEntry){hash, row, *bucket};
    *bucket = h->n++;
    return true;
}

static int follow(const Hash *h, int i, uint64_t hash, const Value *key) {
    while (i >= 0 && !(h->at[i].hash == hash && keys_same(h->at[i].row + h->offset, key, h->width))) i = h->at[i].next;
    return i;
}

int hash_find(const Hash *h, uint64_t hash, const Value *key) { return h->n ? follow(h, h->buckets[hash & h->mask], hash, key) : -1; }

int hash_after(const Hash *h, int entry, const Value *key) { return follow(h, h->at[entry].next, h->at[entry].hash, key); }

void hash_clear(Hash *h) {
    h->n = 0;
    if (h->buckets) memset(h->buckets, -1, sizeof *h->buckets * ((size_t)h->mask + 1));
}

void hash_free(Hash *h) {
    if (h->x) memory_release(h->x, &h->held);
    free(h->at);
    free(h->buckets);
    hash_init(h, h->x, h->offset, h->width);
}

/* ---- whole numbers ---- */

bool value_integer(Eval *ev, const Value *v, int64_t *out) {
    Value whole = *v;
    if (v->type != SQM_INT && !cast_value(ev, v, TYPE(INT8), &whole)) return false;
    if (whole.type != SQM_INT) return error_set(ev->error, SQM_ERROR_DATATYPE_MISMATCH, "a whole number is required here");
    *out = whole.u.i;
    return true;
}

bool eval_integer(Eval *ev, const Expr *e, int64_t *out, bool *null) {
    Value v;
    if (!eval(ev, e, &v)) return false;
    *null = v.type == SQM_NULL;
    return *null || value_integer(ev, &v, out);
}
