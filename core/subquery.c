/* subquery.c - subqueries in WHERE as semi and anti joins, and semi joins as lists of keys.
 *
 *     FROM author a WHERE EXISTS (SELECT 1 FROM book b WHERE b.author_id = a.id AND b.pages > 100)
 *  -> author a SEMI JOIN (book b WHERE b.pages > 100) ON b.author_id = a.id          NOT EXISTS -> ANTI JOIN
 *     FROM author a WHERE a.id IN (SELECT b.author_id FROM book b WHERE b.pages > 100)     -> the same; NOT IN -> ANTI JOIN, aware of NULLs
 *
 * A subquery per row becomes two commands, or one per batch of keys (plan_join picks). The subquery's relations move into the outer block: they get slots of
 * the outer frame, and its conditions are rewritten from (level 1 = outer, level 0 = inner) to one level.
 * EXISTS is left to run per row (with its results remembered) when
 *   (1) the subquery isn't one plain block over tables joined by INNER JOIN: set operations, grouping, HAVING, windows, LIMIT/OFFSET other than a positive LIMIT, WITH,
 *       derived tables, outer joins or set-returning functions in FROM;
 *   (2) its WHERE has no equality between the two blocks to join by;
 *   (3) it holds subqueries of its own (their levels would change), or anything volatile;
 *   (4) it refers to blocks further out than the one it stands in;
 *   (5) EXISTS doesn't stand as a conjunct of WHERE (under OR, CASE, in the target list) or NOT of one.
 * IN: (2) holds by nature. A subquery that fails (1) or (3) but refers to nothing outside is joined as a derived table. It stays a set that the executor
 * fills first and looks up (exec.c), or a list in a filter (mql_match.c), when
 *   (6) its operand is a constant, or isn't the block's alone; (7) it is correlated and LIMIT or OFFSET cut it; and for NOT IN that may meet NULLs, correlated at all.
 *
 * Keys instead of a join: when few rows are expected on the right, they are read first and the scan of the left is asked by the list of their keys, so that an
 * index serves it, and so that it can still group, sort and limit by itself:
 *     Join SEMI a.id = b.author_id (Scan author a, Scan book b match pages > 900)   ->   Scan author a (Keys SEMI a.id = b.author_id (Scan book b match pages > 900))
 * Not done when
 *   (k1) anything but one equality connects the two sides, or, in a semi join, equalities with several columns of one table; (k2) its left side isn't a column of a table, or that table's rows may be replaced by NULLs
 *   (an outer join's nullable side) before WHERE sees them; (k3) the server's equality of the two types isn't exactly ours; (k4) more than a fraction of the
 *   left's rows are expected on the right, or more than KEYS_EXPECTED. */
#include "plan_internal.h"

#include "mql.h"

struct SemiJoin {
    JoinKind kind;
    bool null_aware;
    Exprs conditions;
    Plan *right;
    Exprs left_keys, right_keys;    /* what KEYS would go by; empty: they can't */
    bool done;                      /* a scan has them */
};

/* ---- may it be done? ---- */

static bool plain_from(const Query *sub, const From *f) {
    if (f->rel >= 0) return sub->rels.at[f->rel]->kind == REL_TABLE;
    return (f->kind == JOIN_INNER || f->kind == JOIN_CROSS) && plain_from(sub, f->left) && plain_from(sub, f->right);
}

static Walk only_two_levels(Expr *e, void *context) {
    (void)context;
    if (e->tag == EXPR_SUBLINK) return WALK_STOP;
    if (e->tag == EXPR_VAR && e->level > 1) return WALK_STOP;
    if (e->tag == EXPR_FUNC && e->function->volatility == VOLATILE) return WALK_STOP;
    return WALK_ON;
}

typedef struct Levels { bool inner, outer; } Levels;

static Walk note_levels(Expr *e, void *context) {
    Levels *l = context;
    if (e->tag == EXPR_VAR) {
        if (e->level == 0) l->inner = true;
        else l->outer = true;
    }
    return WALK_ON;
}

static Levels levels_of(Expr *e) {
    Levels l = {0};
    expr_walk(e, note_levels, &l);
    return l;
}

static bool joins_blocks(const Expr *e) {
    if (e->tag != EXPR_COMPARE || e->op != OP_EQ) return false;
    Levels a = levels_of(e->args.at[0]), b = levels_of(e->args.at[1]);
    return (a.inner && !a.outer && b.outer && !b.inner) || (b.inner && !b.outer && a.outer && !a.inner);
}

static bool positive_limit(const Query *q) {
    return !q->limit || (q->limit->tag == EXPR_CONST && q->limit->value.type == SQM_INT && q->limit->value.u.i > 0);
}

static void from_conditions(Planner *p, const From *f, Exprs *out) {
    if (f->rel >= 0) return;
    plan_conjuncts(p, f->on, out);
    from_conditions(p, f->left, out);
    from_conditions(p, f->right, out);
}

static bool can_move(Planner *p, const Query *sub, Exprs *conditions) {
    if (sub->set_op != SET_NONE || sub->grouped || sub->windows.n || !positive_limit(sub) || sub->offset || sub->ctes.n || !sub->from || sub->locking.n) return false;   /* (1) */
    if (!plain_from(sub, sub->from)) return false;                                                                                                              /* (1) */
    if (sub->is_volatile) return false;                                                                                                                         /* (3) */
    plan_conjuncts(p, sub->where, conditions);
    from_conditions(p, sub->from, conditions);
    for (int k = 0; k < conditions->n; k++)
        if (!expr_walk(conditions->at[k], only_two_levels, NULL)) return false;                                                                                 /* (3) (4) */
    return true;
}

static bool can_unnest(Planner *p, const Query *sub, Exprs *conditions) {
    bool joined = false;
    if (!can_move(p, sub, conditions)) return false;
    for (int i = 0; i < conditions->n; i++) joined |= joins_blocks(conditions->at[i]);
    return joined;                                                                                                                                              /* (2) */
}

/* ---- doing it ---- */

typedef struct Move { Planner *p; Query *q; const Query *sub; int base; } Move;

/* The expression as the outer block says it: its own columns at level 0 already, the subquery's moved to new slots. */
static Expr *moved(Move *m, const Expr *e) {
    Expr *copy = arena_copy(m->p->cc->arena, e, sizeof *e);
    if (e->tag == EXPR_VAR) {
        if (e->level == 1) {
            copy->level = 0;
        } else {
            Rel *rel = m->q->rels.at[m->base + e->rel];
            Expr *var = var_new(m->p->cc->arena, m->q, rel, e->column);
            var->pos = e->pos;
            var->nullable = e->nullable;
            return var;
        }
    }
    copy->args = (Exprs){0};
    for (int i = 0; i < e->args.n; i++) vec_push(m->p->cc->arena, &copy->args, moved(m, e->args.at[i]));
    return copy;
}

static From *moved_from(Move *m, const From *f) {
    From *copy = NEW(m->p->cc->arena, From);
    *copy = *f;
    copy->on = NULL;   /* its conditions are among the join's */
    if (f->rel >= 0) {
        copy->rel = f->rel + m->base;
        return copy;
    }
    copy->left = moved_from(m, f->left);
    copy->right = moved_from(m, f->right);
    return copy;
}

/* The subquery's relations among the outer block's. */
static void move_rels(Move *m) {
    Arena *arena = m->p->cc->arena;
    for (int i = 0; i < m->sub->rels.n; i++) {
        Rel *rel = arena_copy(arena, m->sub->rels.at[i], sizeof *rel);
        rel->id = m->q->rels.n;
        rel->columns.at = arena_copy(arena, rel->columns.at, sizeof *rel->columns.at * (size_t)rel->columns.n);
        rel->columns.cap = rel->columns.n;
        for (int c = 0; c < rel->columns.n; c++) rel->columns.at[c].slot = -1;
        vec_push(arena, &m->q->rels, rel);
    }
}

static Expr *equality(Planner *p, Expr *a, Expr *b) {
    Expr *e = NEW(p->cc->arena, Expr);
    *e = (Expr){.tag = EXPR_COMPARE, .type = TYPE(BOOL), .nullable = a->nullable || b->nullable, .op = OP_EQ, .pos = a->pos, .rel = -1, .column = -1, .slot = -1};
    vec_push(p->cc->arena, &e->args, a);
    vec_push(p->cc->arena, &e->args, b);
    return e;
}

/* Types whose values are equal in the server exactly when they are here, and that are stored as they are computed. */
static bool same_equality(Type a, Type b) {
    if (type_is_integer(a) && type_is_integer(b)) return true;
    bool text = (a.tag == TYPE_TEXT || a.tag == TYPE_VARCHAR) && (b.tag == TYPE_TEXT || b.tag == TYPE_VARCHAR);
    return text || (a.tag == b.tag && (a.tag == TYPE_UUID || a.tag == TYPE_OBJECTID || a.tag == TYPE_BOOL));
}

/* One side of an equality: may the scan of its table be asked by the values of the other? */
static bool is_key(const Query *q, const SemiJoin *s, const Expr *left, Expr *right) {
    if (left->tag != EXPR_VAR || left->level || left->rel < 0 || left->column < 0 || plan_has_slot(&s->right->slots, left->slot)) return false;
    const Rel *rel = q->rels.at[left->rel];
    if (rel->kind != REL_TABLE || rel->null_extended || left->column >= rel->table->columns.n) return false;                                        /* (k2) */
    if (s->conditions.n > 1 && rel->table->legacy && left->type.tag == TYPE_UUID) return false;                                                     /* (k3) it has two forms */
    return plan_covered(right, &s->right->slots) && !plan_has_sublink(right) && !expr_is_volatile(right) && same_equality(left->type, right->type); /* (k1) (k3) */
}

static void find_keys(Planner *p, const Query *q, SemiJoin *s) {
    Exprs left_keys = {0}, right_keys = {0};
    if (s->conditions.n > 1 && s->kind != JOIN_SEMI) return;                                            /* (k1) */
    for (int i = 0; i < s->conditions.n; i++) {
        const Expr *e = s->conditions.at[i];
        if (e->tag != EXPR_COMPARE || e->op != OP_EQ) return;                                           /* (k1) */
        for (int side = 0; side < 2 && left_keys.n == i; side++) {
            Expr *left = e->args.at[side], *right = e->args.at[1 - side];
            if (!is_key(q, s, left, right) || (i && left->rel != left_keys.at[0]->rel)) continue;
            for (int k = 0; k < i; k++)
                if (left_keys.at[k]->column == left->column) return;                                    /* (k1) */
            vec_push(p->cc->arena, &left_keys, left);
            vec_push(p->cc->arena, &right_keys, right);
        }
        if (left_keys.n == i) return;
    }
    s->left_keys = left_keys;
    s->right_keys = right_keys;
}

static void add(Planner *p, Query *q, SemiJoin *s, const From *from) {
    s->right = plan_from_items(p, q, from, &s->conditions);
    find_keys(p, q, s);
    vec_push(p->cc->arena, &p->semi, s);
}

static void join_exists(Planner *p, Query *q, const Query *sub, JoinKind kind, const Exprs *conditions) {
    Move m = {p, q, sub, q->rels.n};
    SemiJoin *s = NEW(p->cc->arena, SemiJoin);
    s->kind = kind;
    move_rels(&m);
    const From *from = moved_from(&m, sub->from);
    for (int i = 0; i < conditions->n; i++) vec_push(p->cc->arena, &s->conditions, moved(&m, conditions->at[i]));
    add(p, q, s, from);
}

/* ---- IN ---- */

static Expr *item_of(const Expr *operand, int i) { return operand->tag == EXPR_ROW ? operand->args.at[i] : (Expr *)operand; }

static bool plain_operand(const Expr *e, int n) {
    for (int i = 0; i < n; i++) {
        const Expr *item = item_of(e, i);
        if (item->tag == EXPR_ROW || plan_has_sublink(item) || expr_is_constant(item) || expr_is_volatile(item)) return false;
    }
    return true;
}

/* The subquery's targets are values of its own, which can be moved with it. A constant is no key to join by: it stays a derived table's column, which is one. */
static bool targets_move(const Query *sub) {
    for (int i = 0; i < sub->n_visible; i++)
        if (expr_is_constant(sub->targets.at[i].expr) || !expr_walk(sub->targets.at[i].expr, only_two_levels, NULL)) return false;
    return true;
}

/* True when it has become a join. */
static bool join_in(Planner *p, Query *q, Expr *link, JoinKind kind) {
    Query *sub = link->subquery;
    Expr *operand = link->args.at[0];
    int width = operand->tag == EXPR_ROW ? operand->args.n : 1;
    if (link->op != OP_EQ || !plain_operand(operand, width) || sub->is_volatile || sub->n_visible != width) return false;           /* (6) */
    bool aware = false;
    for (int i = 0; i < width && kind == JOIN_ANTI; i++) aware |= item_of(operand, i)->nullable || sub->targets.at[i].expr->nullable;
    if (sub->correlated && (aware || sub->limit || sub->offset)) return false;                                                     /* (7) */
    Exprs inner = {0};
    SemiJoin *s = NEW(p->cc->arena, SemiJoin);
    s->kind = kind;
    s->null_aware = aware;
    if (!sub->limit && !sub->distinct_on.n && targets_move(sub) && can_move(p, sub, &inner)) {
        Move m = {p, q, sub, q->rels.n};
        move_rels(&m);
        const From *from = moved_from(&m, sub->from);
        for (int i = 0; i < inner.n; i++) vec_push(p->cc->arena, &s->conditions, moved(&m, inner.at[i]));
        for (int i = 0; i < width; i++) {
            Expr *value = moved(&m, sub->targets.at[i].expr);
            vec_push(p->cc->arena, &s->conditions, equality(p, item_of(operand, i), value));
        }
        add(p, q, s, from);
        return true;
    }
    if (sub->correlated) return false;
    Rel *rel = NEW(p->cc->arena, Rel);
    *rel = (Rel){.kind = REL_SUBQUERY, .id = q->rels.n, .alias = STR("IN"), .pos = link->pos, .subquery = sub};
    vec_push(p->cc->arena, &q->rels, rel);
    From *leaf = NEW(p->cc->arena, From);
    leaf->rel = rel->id;
    for (int i = 0; i < width; i++) {
        const Target *target = &sub->targets.at[i];
        RelColumn column = {target->name, target->expr->type, target->expr->nullable, -1, false};
        vec_push(p->cc->arena, &rel->columns, column);
        vec_push(p->cc->arena, &s->conditions, equality(p, item_of(operand, i), var_new(p->cc->arena, q, rel, i)));
    }
    add(p, q, s, leaf);
    return true;
}

void plan_unnest(Planner *p, Query *q, Exprs *conditions) {
    Exprs rest = {0};
    for (int i = 0; i < conditions->n; i++) {
        Expr *e = conditions->at[i], *link = e;
        JoinKind kind = JOIN_SEMI;
        if (e->tag == EXPR_NOT) {
            link = e->args.at[0];
            kind = JOIN_ANTI;
        }
        Exprs inner = {0};
        bool joined = false;
        if (link->tag == EXPR_SUBLINK && q->from && link->sublink == SUBLINK_EXISTS && link->subquery->correlated) {
            joined = can_unnest(p, link->subquery, &inner);
            if (joined) join_exists(p, q, link->subquery, kind, &inner);
        } else if (link->tag == EXPR_SUBLINK && q->from && link->sublink == SUBLINK_ANY) {
            joined = join_in(p, q, link, kind);
        }
        if (joined) link->unnested = true;
        else vec_push(p->cc->arena, &rest, e);   /* (5) */
    }
    *conditions = rest;
}

/* ---- keys ---- */

/* Past so many expected keys, and past this fraction of the rows that they would be looked for in, a join is as good. Where the number of rows is known and an
 * index serves the list, fewer keys than rows are enough. */
enum { KEYS_EXPECTED = 5000, KEYS_FRACTION = 4 };

static const Index *index_of_keys(const Rel *rel, const Exprs *left_keys) {
    int columns[MOST_KEY_COLUMNS], n = 0;
    while (n < left_keys->n && n < MOST_KEY_COLUMNS) columns[n] = left_keys->at[n]->column, n++;
    return table_index_over(rel->table, columns, n);
}

void plan_push_keys(Planner *p, Plan *scan) {
    for (int i = 0; i < p->semi.n; i++) {
        SemiJoin *s = p->semi.at[i];
        double expected = s->right->rows < 0 ? 1000 : s->right->rows;
        if (s->done || !s->left_keys.n || s->left_keys.at[0]->rel != scan->rel->id) continue;
        const Index *index = index_of_keys(scan->rel, &s->left_keys);
        double fraction = s->kind == JOIN_SEMI && scan->total >= 0 && index ? 1 : KEYS_FRACTION;
        if (expected > (s->left_keys.n > 1 ? TUPLE_BRANCHES : KEYS_EXPECTED) || expected * fraction > scan->rows) continue;     /* (k4) */
        Plan *keys = plan_new(p, PLAN_KEYS, s->right);
        keys->slots.n = 0;
        keys->kind = s->kind;
        keys->null_aware = s->null_aware;
        keys->left_keys = s->left_keys;
        keys->right_keys = s->right_keys;
        keys->right = scan->left;
        scan->left = keys;
        s->done = true;
        if (s->kind == JOIN_SEMI && index && !scan->index) scan->index = index;
        scan->rows = s->kind == JOIN_ANTI ? scan->rows * 0.9 : index && expected * 10 < scan->rows ? expected * 10 : scan->rows / 2;
    }
}

/* All of the right side must be known: a NULL there, whatever its key, decides. */
static void set_null_aware(Plan *join, bool aware) {
    join->null_aware = aware;
    if (aware && join->method == METHOD_KEY) join->method = METHOD_HASH;
}

Plan *plan_semi_joins(Planner *p, const Query *q, Plan *plan) {
    for (int i = 0; i < p->semi.n; i++) {
        SemiJoin *s = p->semi.at[i];
        if (s->done) continue;
        plan = plan_join(p, q, s->kind, plan, s->right, &s->conditions);
        set_null_aware(plan, s->null_aware);
    }
    return plan;
}

Plan *plan_without_keys(Planner *p, const Query *q, Plan *plan) {
    if (!plan) return NULL;
    if (plan->tag != PLAN_SCAN) {
        Plan *left = plan_without_keys(p, q, plan->left), *right = plan_without_keys(p, q, plan->right);
        if (left == plan->left && right == plan->right) return plan;
        Plan *copy = arena_copy(p->cc->arena, plan, sizeof *plan);
        copy->left = left;
        copy->right = right;
        /* A key join asks its right side's scan directly: under a join of its own it can't. */
        if (copy->tag == PLAN_JOIN && copy->method == METHOD_KEY && right != plan->right) copy->method = METHOD_HASH;
        return copy;
    }
    if (!plan->left) return plan;
    Plan *scan = arena_copy(p->cc->arena, plan, sizeof *plan), *joined = scan;
    scan->left = NULL;
    for (Plan *k = plan->left; k; k = k->right) {
        if (k->kind == JOIN_SEMI && scan->index == index_of_keys(scan->rel, &k->left_keys)) scan->index = NULL;
        Exprs conditions = {0};
        for (int i = 0; i < k->left_keys.n; i++) vec_push(p->cc->arena, &conditions, equality(p, k->left_keys.at[i], k->right_keys.at[i]));
        joined = plan_join(p, q, k->kind, joined, k->left, &conditions);
        set_null_aware(joined, k->null_aware);
    }
    return joined;
}
