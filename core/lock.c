/* lock.c - PLAN_LOCK: SELECT ... FOR UPDATE.
 *
 * In: rows whose relations' _id is fetched. Out: the same rows, locked. Each document to lock gets a field set and, by a second update of the same command, unset again: that takes the
 * write lock and leaves the document as it was. Outside of a transaction there is nothing to hold beyond the statement. A write conflict that may be waited for starts the subtree over,
 * on the then newest rows.
 *
 * SKIP LOCKED: the LIMIT stands above, and rows are locked in their order until there are as many as it wants (plan->limit and plan->offset):
 *     SELECT id FROM job WHERE NOT done ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED
 *         find, {update: "job", _id: {$in: [1, 2]}} meets a conflict; 1 is found locked; find, {update: "job", _id: {$in: [2, 3]}}
 * MongoDB tells of a lock by aborting the transaction, so the statement then starts over without the rows that were found locked (Exec.locked), and doesn't wait.
 * Whose lock it was: a row that is alone in its command, on a snapshot made for this statement, was locked by somebody at a moment of this statement, whether he has committed since or not. Else
 * each row is tried beside the transaction (server_is_locked), and those that aren't locked were changed after our snapshot: the statement starts over on a newer one and looks at them again.
 * So what comes out is locked, and fulfils the condition as it is now. */
#include "node.h"

#include <stdlib.h>
#include <string.h>

typedef struct LockTarget { const Rel *rel; int slot; Type type; } LockTarget;

typedef struct LockNode {
    Node node;
    VEC(LockTarget) targets;
    Rows rows;
    Layout layout;
    bool loaded, pass;          /* pass: no transaction, rows go through */
    bool skips;                 /* SKIP LOCKED */
    int at;
} LockNode;

enum { LOCK_BATCH = 5000, LOCK_ATTEMPTS = 1000 };
#define LOCK_FIELD "_sqm_lock"

static const Plan *find_scan(const Plan *p, int rel) {
    if (!p || (p->tag == PLAN_SCAN && p->rel->id == rel)) return p;
    const Plan *found = find_scan(p->left, rel);
    return found ? found : find_scan(p->right, rel);
}

static bool find_targets(LockNode *l) {
    const Plan *p = l->node.plan;
    for (int i = 0; i < p->lock_rels.n; i++) {
        const Plan *scan = find_scan(p->left, p->lock_rels.at[i]);
        LockTarget t = {.slot = -1};
        for (int k = 0; scan && k < scan->columns.n; k++) {
            const ScanColumn *c = &scan->columns.at[k];
            if (str_is(rel_field(scan->rel, c->column), "_id")) t = (LockTarget){scan->rel, c->slot, scan->rel->columns.at[c->column].type};
        }
        if (t.slot < 0) return error_set(l->node.x->error, SQM_ERROR_INTERNAL, "the rows to lock have no _id");
        vec_push(&l->node.run->arena, &l->targets, t);
    }
    return true;
}

/* One update of the command: the rows of at[begin..end). */
static bool append_touch(bson_t *updates, const char *index, const char *op, const LockTarget *t, const Value *ids, int n) {
    bson_t update, q, id, in, u, set;
    bool ok = true;
    bson_append_document_begin(updates, index, -1, &update);
    bson_append_document_begin(&update, "q", -1, &q);
    bson_append_document_begin(&q, "_id", -1, &id);
    bson_append_array_begin(&id, "$in", -1, &in);
    for (int i = 0; i < n && ok; i++) {
        char buffer[16];
        const char *key;
        size_t len = bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof buffer);
        ok = value_append(&in, key, (int)len, &ids[i], t->type);
    }
    bson_append_array_end(&id, &in);
    bson_append_document_end(&q, &id);
    bson_append_document_end(&update, &q);
    bson_append_document_begin(&update, "u", -1, &u);
    bson_append_document_begin(&u, op, -1, &set);
    bson_append_bool(&set, LOCK_FIELD, -1, true);
    bson_append_document_end(&u, &set);
    bson_append_document_end(&update, &u);
    bson_append_bool(&update, "multi", -1, true);
    bson_append_document_end(updates, &update);
    return ok;
}

static bool make_touch(const LockNode *l, const LockTarget *t, const Value *ids, int n, bson_t *command) {
    bson_t updates;
    bson_append_utf8(command, "update", -1, t->rel->table->name.p, (int)t->rel->table->name.n);
    bson_append_array_begin(command, "updates", -1, &updates);
    bool ok = append_touch(&updates, "0", "$set", t, ids, n) && append_touch(&updates, "1", "$unset", t, ids, n);
    bson_append_array_end(command, &updates);
    bson_append_bool(command, "ordered", -1, true);
    return ok || error_set(l->node.x->error, SQM_ERROR_DOCUMENT_TOO_LARGE, "keys of the rows to lock are too long");
}

/* ---- SKIP LOCKED ---- */

/* Exec.locked outlives the node, which a statement around this one may make anew: [relation][_id]. */
static bool is_known_locked(const LockNode *l, const LockTarget *t, const Value *id) {
    const Value key[] = {sqm_int((int64_t)(intptr_t)t->rel), *id};
    return l->node.x->locked && hash_find(l->node.x->locked, keys_hash(key, 2), key) >= 0;
}

static bool note_locked(LockNode *l, const LockTarget *t, const Value *id) {
    Exec *x = l->node.x;
    if (!x->locked) {
        x->locked = NEW(&x->arena, Hash);
        hash_init(x->locked, x, 0, 2);
    }
    Value *key = NEW_ARRAY(&x->arena, Value, 2);
    key[0] = sqm_int((int64_t)(intptr_t)t->rel);
    key[1] = value_keep(&x->arena, id);
    return hash_add(x->locked, keys_hash(key, 2), key);
}

/* Which of them somebody else has locked: halves of a list that isn't free are tried in turn. */
static bool find_locked(LockNode *l, const LockTarget *t, const Value *ids, int n) {
    bson_t command = BSON_INITIALIZER;
    bool ok = make_touch(l, t, ids, n, &command), locked = ok && server_is_locked(l->node.x->server, &command);
    bson_destroy(&command);
    if (!locked) return ok;
    if (n == 1) return note_locked(l, t, ids);
    return find_locked(l, t, ids, n / 2) && find_locked(l, t, ids + n / 2, n - n / 2);
}

/* The command that was to lock these rows met a conflict. */
static bool skip_locked(LockNode *l, const LockTarget *t, const Value *ids, int n) {
    Exec *x = l->node.x;
    int known = x->locked ? x->locked->n : 0;
    bool alone = n == 1 && server_snapshot_is_new(x->server);
    if (!(alone ? note_locked(l, t, ids) : find_locked(l, t, ids, n))) return false;
    if (x->locked && x->locked->n > known) server_statement_hurry(x->server);
    return true;
}

/* ---- locking ---- */

static bool touch(LockNode *l, const LockTarget *t, const Value *ids, int n) {
    Exec *x = l->node.x;
    bson_t command = BSON_INITIALIZER, reply;
    bool ok = make_touch(l, t, ids, n, &command);
    if (ok) {
        ok = server_write(x->server, &command, &reply, x->error);
        bson_destroy(&reply);
        if (!ok && l->skips && server_met_lock(x->server)) skip_locked(l, t, ids, n);
    }
    bson_destroy(&command);
    return ok;
}

/* Locks the kept rows from `from` on, relation by relation; rows that an outer join left out have no _id. */
static bool lock_rows(LockNode *l, int from) {
    Node *n = &l->node;
    for (int i = 0; i < l->targets.n; i++) {
        const LockTarget *t = &l->targets.at[i];
        int column = 0;
        while (column < l->layout.n_slots && l->layout.slots->at[column] != t->slot) column++;
        if (column == l->layout.n_slots) return error_set(n->x->error, SQM_ERROR_INTERNAL, "the _id of the rows to lock is not kept");
        Hash seen;
        hash_init(&seen, n->x, 0, 1);
        Value *ids = NEW_ARRAY(node_scratch(n), Value, LOCK_BATCH);
        bool ok = true;
        int held = 0;
        for (int k = from; k < l->rows.n && ok; k++) {
            Value *id = &l->rows.at[k][column];
            uint64_t h = keys_hash(id, 1);
            if (id->type == SQM_NULL || hash_find(&seen, h, id) >= 0) continue;
            ok = hash_add(&seen, h, id);
            ids[held++] = *id;
            if (ok && held == LOCK_BATCH) {
                ok = touch(l, t, ids, held);
                held = 0;
            }
        }
        if (ok && held) ok = touch(l, t, ids, held);
        hash_free(&seen);
        if (!ok) return false;
    }
    return true;
}

static bool keep_all(LockNode *l) {
    int r;
    while ((r = node_next(l->node.left)) > 0)
        if (!layout_save(&l->layout, &l->rows, l->node.ev->frame, NULL)) return false;
    return r == 0;
}

static bool has_locked(const LockNode *l) {
    for (int i = 0; i < l->targets.n; i++)
        if (is_known_locked(l, &l->targets.at[i], &l->node.ev->frame[l->targets.at[i].slot])) return true;
    return false;
}

/* As many rows as the LIMIT above wants: those that nobody has locked, in their order. */
static bool lock_free_rows(LockNode *l) {
    Node *n = &l->node;
    int64_t limit, offset;
    if (!eval_limit(n->ev, n->plan, &limit, &offset)) return false;
    for (int r = 1; r > 0;) {
        int from = l->rows.n;
        int64_t room = LOCK_BATCH;
        if (limit >= 0 && limit - from < room - offset) room = limit + offset - from;
        if (limit == 0 || room <= 0) return true;
        while (l->rows.n - from < room && (r = node_next(n->left)) > 0)
            if (!has_locked(l) && !layout_save(&l->layout, &l->rows, n->ev->frame, NULL)) return false;
        if (r < 0 || !lock_rows(l, from)) return false;
    }
    return true;
}

/* At snapshot isolation a conflict ends the transaction, whoever has caused it. */
static bool may_skip(const LockNode *l) {
    const Exec *x = l->node.x;
    if (!l->skips || strcmp(server_isolation(x->server), "snapshot") != 0) return true;
    const AstLocking *locking = &l->node.plan->locking.at[0];
    error_set(x->error, SQM_ERROR_NOT_SUPPORTED, "SKIP LOCKED needs the isolation level read committed");
    if (x->error) x->error->position = locking->pos.at, x->error->length = locking->pos.len;
    return false;
}

static bool load(LockNode *l) {
    Node *n = &l->node;
    Exec *x = n->x;
    bool nowait = false, retry = true;
    if (!l->targets.n && !find_targets(l)) return false;
    if (!may_skip(l)) return false;
    for (int i = 0; i < n->plan->locking.n; i++) nowait |= n->plan->locking.at[i].wait == LOCK_NOWAIT;
    if (nowait) server_set_lock_timeout(x->server, 0);
    bool ok = false;
    for (int attempt = 0; retry && (l->skips || attempt < LOCK_ATTEMPTS); attempt++) {
        if (attempt) {          /* whatever was read before may be out of date */
            exec_forget(x);
            node_close(n->left);
            n->left = node_new(n->run, n->plan->left);
            rows_clear(&l->rows);
            error_clear(x->error);
        }
        retry = false;
        ok = server_statement_begin(x->server, x->error);
        if (!ok) break;
        ok = l->skips ? lock_free_rows(l) : keep_all(l) && lock_rows(l, 0);
        ok = server_statement_end(x->server, ok, &retry, x->error) && ok && !retry;
    }
    if (nowait) server_set_lock_timeout(x->server, -1);
    return ok;
}

static int lock_next(Node *n) {
    LockNode *l = (LockNode *)n;
    if (!l->loaded) {
        l->loaded = true;
        l->pass = !n->x->server || !server_has_transactions(n->x->server);
        if (!l->pass && !load(l)) return -1;
    }
    if (l->pass) return node_next(n->left);
    if (l->at == l->rows.n) return 0;
    layout_restore(&l->layout, n->ev->frame, l->rows.at[l->at++]);
    return 1;
}

static void lock_rescan(Node *n) {
    LockNode *l = (LockNode *)n;
    rows_clear(&l->rows);
    l->loaded = false;
    l->at = 0;
    node_rescan(n->left);
}

static void lock_close(Node *n) { rows_free(&((LockNode *)n)->rows); }

static int lock_buffered(const Node *n) {
    const LockNode *l = (const LockNode *)n;
    return l->pass ? node_buffered(n->left) : l->loaded ? 2 : 0;
}

static const NodeOps lock_ops = {lock_next, lock_rescan, lock_close, lock_buffered};

Node *lock_node(QueryRun *run, const Plan *plan) {
    LockNode *l = node_init(run, plan, sizeof *l, &lock_ops);
    l->rows.x = run->x;
    for (int i = 0; i < plan->locking.n; i++) l->skips |= plan->locking.at[i].wait == LOCK_SKIP;
    layout_init(&l->layout, &run->arena, &plan->left->slots, 0);
    return &l->node;
}
