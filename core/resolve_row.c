/* resolve_row.c - comparisons of row values, in terms of comparisons of their items: those MongoDB knows, and an index serves them.
 *
 *     (a, b) = (1, 2)                     a = 1 AND b = 2
 *     (a, b) <> (1, 2)                    a <> 1 OR b <> 2
 *     (a, b) <= (1, 2)                    a < 1 OR (a = 1 AND b <= 2)
 *     (a, b) IN ((1, 2), (3, 4))          (a = 1 AND b = 2) OR (a = 3 AND b = 4)
 *     (a, b) IN (more than MOST_ROWS)     a IN (...) AND b IN (...) AND (a, b) IN (...)
 * Both sides are true, false and unknown for the same rows. In the last one: where some row of the list may be equal, its items may be too, so that the first two are false only where the third is.
 *
 * Only where (1) all items are columns, constants or parameters, or casts or casefold() of these: they are evaluated more than once; (2) the list isn't negated beyond MOST_ROWS: NOT would undo the narrowing.
 * What isn't rewritten is an EXPR_COMPARE or EXPR_IN of rows, which is evaluated here. Rows against subqueries: resolve_expr.c. */
#include "resolve_internal.h"

enum { MOST_ROWS = 64 };        /* MongoDB plans each branch of an $or by itself */

static bool is_plain(const Expr *e) {
    while (e->tag == EXPR_CAST || expr_is_collated(e)) e = e->args.at[0];
    return e->tag == EXPR_VAR || e->tag == EXPR_CONST || e->tag == EXPR_PARAM;
}

static bool is_plain_row(const Expr *e) {
    if (e->tag != EXPR_ROW || !e->args.n) return false;
    for (int i = 0; i < e->args.n; i++)
        if (!is_plain(e->args.at[i])) return false; /* (1) */
    return true;
}

static Expr *item(Resolver *r, const Expr *row, int i) { return expr_copy(r, row->args.at[i], 0); }

static Expr *or_of(Resolver *r, Expr *a, Expr *b) {
    if (!a) return b;
    Expr *e = a;
    if (a->tag != EXPR_OR) {
        e = expr_new(r, EXPR_OR, TYPE(BOOL), a->nullable, a->pos);
        vec_push(r->cc->arena, &e->args, a);
    }
    vec_push(r->cc->arena, &e->args, b);
    e->nullable |= b->nullable;
    return e;
}

static Expr *equal(Resolver *r, const Expr *a, const Expr *b, int n, Pos pos) {
    Expr *all = NULL;
    for (int i = 0; i < n; i++) all = expr_and(r, all, expr_compare(r, OP_EQ, item(r, a, i), item(r, b, i), pos));
    return all;
}

Expr *row_compare(Resolver *r, Operator op, const Expr *a, const Expr *b, Pos pos) {
    if (!is_plain_row(a) || !is_plain_row(b) || a->args.n != b->args.n) return NULL;
    int n = a->args.n;
    if (op == OP_EQ) return equal(r, a, b, n, pos);
    Operator strict = op == OP_LE ? OP_LT : op == OP_GE ? OP_GT : op;
    Expr *any = NULL;
    for (int i = 0; i < n; i++) {
        Expr *differs = expr_compare(r, i == n - 1 ? op : strict, item(r, a, i), item(r, b, i), pos);
        any = or_of(r, any, op == OP_NE || i == 0 ? differs : expr_and(r, equal(r, a, b, i, pos), differs));
    }
    return any;
}

/* The values of one item. */
static Expr *item_in(Resolver *r, const Expr *in, int i) {
    Expr *out = expr_new(r, EXPR_IN, TYPE(BOOL), in->nullable, in->pos);
    for (int k = 0; k < in->args.n; k++) {
        vec_push(r->cc->arena, &out->args, item(r, in->args.at[k], i));
        out->nullable |= out->args.at[k]->nullable;
    }
    return out;
}

Expr *row_in(Resolver *r, Expr *in) {
    for (int k = 0; k < in->args.n; k++)
        if (!is_plain_row(in->args.at[k]) || in->args.at[k]->args.n != in->args.at[0]->args.n) return in;
    Expr *out = NULL;
    if (in->args.n - 1 <= MOST_ROWS) {
        for (int k = 1; k < in->args.n; k++) out = or_of(r, out, equal(r, in->args.at[0], in->args.at[k], in->args.at[0]->args.n, in->pos));
        return expr_negate(r, out, in->negated, in->pos);
    }
    if (in->negated) return in;     /* (2) */
    for (int i = 0; i < in->args.at[0]->args.n; i++) out = expr_and(r, out, item_in(r, in, i));
    return expr_and(r, out, in);
}
