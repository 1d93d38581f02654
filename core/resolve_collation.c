/* resolve_collation.c - what text compares by.
 *
 * There are two ways: by code points, which is what "C" says, and case_insensitive, by the code points of casefold(text). So a comparison that is to be
 * case_insensitive is one of casefold(...) on both sides, and so are the keys of ORDER BY, GROUP BY, DISTINCT and windows: behind the
 * resolver only set operations know of collations (setop.c), and an index on such a column is one on that expression (ddl_collation.c).
 *     name = 'Ann'                     ->  (casefold(name) = casefold('Ann'))          name being case_insensitive
 *     SELECT name .. GROUP BY name     ->  key: casefold(name), target: any_value(name)
 *     min(name)                        ->  any_value(name ORDER BY casefold(name))
 * Which collation an expression has is part of its type (type_collate). What looks into text (LIKE, regular expressions, strpos ...) is refused, as
 * PostgreSQL refuses it for collations that aren't deterministic. */
#include "resolve_internal.h"

static const char hint[] = "Add COLLATE \"C\" to compare by code point.";

Collation resolve_collation(Compile *cc, Str name, Pos pos) {
    Collation c;
    if (!collation_find(name, &c))
        fail_hint(cc, SQM_ERROR_NOT_SUPPORTED, pos, "Text compares by code point, as under COLLATE \"C\", or by COLLATE case_insensitive.", "collation \"" STR_FMT "\" is not supported", STR_ARG(name));
    return c;
}

static void refuse(Resolver *r, Pos pos, const char *what) {
    fail_hint(r->cc, SQM_ERROR_NOT_SUPPORTED, pos, hint, "nondeterministic collations are not supported for %s", what);
}

/* CONFLICT: what compares by it has no meaning. */
_Noreturn static void clash(Resolver *r, Pos pos) {
    fail_hint(r->cc, SQM_ERROR_DATATYPE_MISMATCH, pos, "Use the COLLATE clause to set the collation explicitly.", "could not determine which collation to use for string comparison");
}

Type expr_meet_collations(Resolver *r, Type t, Type a, Type b, Pos pos) {
    t = type_collate(t, a, b);
    if (t.collation == COLLATION_CONFLICT && t.collated)
        fail(r->cc, SQM_ERROR_DATATYPE_MISMATCH, pos, "collation mismatch between explicit collations \"%s\" and \"%s\"", collation_name(a.collation), collation_name(b.collation));
    return t;
}

void expr_refuse_collated(Resolver *r, const Expr *e, Pos pos, const char *what) {
    if (e->type.collation == COLLATION_CASE_INSENSITIVE || e->type.collation == COLLATION_CONFLICT) refuse(r, pos, what);
}

Expr *expr_collate(Resolver *r, Expr *e, Collation collation) {
    Expr *copy = arena_copy(r->cc->arena, e, sizeof *e);
    copy->type.collation = collation;
    copy->type.collated = true;
    return copy;
}

static Expr *key_by(Resolver *r, Expr *e, Collation by) {
    switch (by) {
    case COLLATION_DEFAULT: case COLLATION_C: return e;
    case COLLATION_CONFLICT: clash(r, e->pos);
    case COLLATION_CASE_INSENSITIVE: break;
    }
    Expr *key = expr_new(r, EXPR_FUNC, TYPE(TEXT), e->nullable, e->pos);
    key->function = function_find(STR("casefold"), 1);
    vec_push(r->cc->arena, &key->args, e);
    return key;
}

bool expr_is_collated(const Expr *e) { return e->tag == EXPR_FUNC && strcmp(e->function->name, "casefold") == 0; }

Expr *expr_collated(Resolver *r, Expr *e) { return key_by(r, e, e->type.collation); }

/* The array belongs to a node that another may share: rows that are compared twice (BETWEEN) are folded once, because a key has no collation. */
static void collate_rows(Resolver *r, Expr *a, Expr *b) {
    for (int i = 0; i < a->args.n; i++) expr_collate_pair(r, &a->args.at[i], &b->args.at[i]);
}

void expr_collate_pair(Resolver *r, Expr **a, Expr **b) {
    if ((*a)->tag == EXPR_ROW && (*b)->tag == EXPR_ROW) {
        collate_rows(r, *a, *b);
        return;
    }
    Collation by = expr_meet_collations(r, TYPE(TEXT), (*a)->type, (*b)->type, (*b)->pos).collation;
    *a = key_by(r, *a, by);
    *b = key_by(r, *b, by);
}

/* The operand, or its item `member` if it is a row (-1: it isn't). */
static Expr **member_of(Expr **e, int member) { return member < 0 ? e : &(*e)->args.at[member]; }

/* One operand stands for all comparisons of the list, so they must be of one kind. */
static void collate_members(Resolver *r, Exprs *items, int member) {
    Type mine = (*member_of(&items->at[0], member))->type;
    Collation by = mine.collation;
    for (int i = 1; i < items->n; i++) {
        const Expr *item = *member_of(&items->at[i], member);
        Collation met = expr_meet_collations(r, TYPE(TEXT), mine, item->type, item->pos).collation;
        if (met == COLLATION_CONFLICT) clash(r, item->pos);
        if (i > 1 && (met == COLLATION_CASE_INSENSITIVE) != (by == COLLATION_CASE_INSENSITIVE))
            fail_hint(r->cc, SQM_ERROR_NOT_SUPPORTED, item->pos, "Write COLLATE behind the operand of IN.", "an IN list with items of different collations is not supported");
        by = met;
    }
    for (int i = 0; i < items->n; i++) *member_of(&items->at[i], member) = key_by(r, *member_of(&items->at[i], member), by);
}

void expr_collate_list(Resolver *r, Exprs *items) {
    bool rows = items->at[0]->tag == EXPR_ROW;
    for (int i = 0; i < items->n; i++)
        if (rows != (items->at[i]->tag == EXPR_ROW)) return;      /* not comparable anyway */
    if (!rows) collate_members(r, items, -1);
    for (int m = 0; rows && m < items->at[0]->args.n; m++) collate_members(r, items, m);
}

/* The subquery's column becomes the key. Its DISTINCT or set operation tells values apart by what the column was, so a LIMIT behind them would cut elsewhere. */
void expr_collate_column(Resolver *r, Expr **operand, Query *q, int column, Pos pos) {
    Target *t = &q->targets.at[column];
    Collation by = expr_meet_collations(r, TYPE(TEXT), (*operand)->type, type_as_column(t->expr->type), pos).collation;
    if (by == COLLATION_CONFLICT) clash(r, pos);
    Expr *key = key_by(r, t->expr, by);
    *operand = key_by(r, *operand, by);
    if (key == t->expr) return;
    if (q->set_op != SET_NONE || q->distinct)
        fail_hint(r->cc, SQM_ERROR_NOT_SUPPORTED, pos, "Put the subquery in FROM: (SELECT x FROM (...) s).", "a case-insensitive comparison with the rows of %s is not supported", q->distinct ? "SELECT DISTINCT" : "a set operation");
    t->expr = key;
    t->slot = q->n_slots++;
}

/* Functions whose result depends on which texts are equal. */
static bool compares(const char *name) {
    static const char *const names[] = {"greatest", "least", "nullif", "position", "strpos", "replace", "split_part", "starts_with", "string_to_array"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    size_t n = strlen(name);
    return strncmp(name, "regexp_", 7) == 0 || strncmp(name, "array_", 6) == 0 || (n > 4 && (strcmp(name + n - 4, " any") == 0 || strcmp(name + n - 4, " all") == 0));
}

void expr_collate_call(Resolver *r, Expr *call) {
    const char *name = call->function->name;
    Type t = TYPE(TEXT);
    for (int i = 0; i < call->args.n; i++) {
        const Expr *arg = call->args.at[i];
        if (!type_is_text(arg->type) && arg->type.tag != TYPE_UNKNOWN) continue;
        t = expr_meet_collations(r, t, t, arg->type, arg->pos);
        bool pattern = i == 1 && strcmp(name, "substring") == 0;
        if (compares(name) || pattern) expr_refuse_collated(r, arg, call->pos, name);
        if (pattern) expr_refuse_collated(r, call->args.at[0], call->pos, name);
    }
    if (!type_is_text(call->type) || strcmp(name, "casefold") == 0) return;
    call->type.collation = t.collation;
    call->type.collated = t.collated;
}

/* count(DISTINCT x) counts keys; min and max take the row whose key is the first or last. */
void expr_collate_aggregate(Resolver *r, Expr *agg) {
    if (!agg->args.n) return;
    Expr *arg = agg->args.at[0], *key = expr_collated(r, arg);
    if (type_is_text(agg->type)) agg->type = type_collate(agg->type, TYPE(TEXT), arg->type);
    if (key == arg) return;
    const char *name = agg->aggregate->name;
    bool max = strcmp(name, "max") == 0;
    if (max || strcmp(name, "min") == 0) {
        agg->aggregate = aggregate_find(STR("any_value"));
        agg->distinct = false;
        agg->order = NEW(r->cc->arena, SortKeys);
        vec_push(r->cc->arena, agg->order, ((SortKey){key, max, !max}));
    } else if (agg->distinct && strcmp(name, "count") == 0) {
        agg->args.at[0] = key;
    } else if (agg->distinct || strcmp(name, "array_agg") == 0) {
        refuse(r, agg->pos, name);
    }
}

void expr_collate_window(Resolver *r, Expr *window) {
    if (!window->aggregate || !window->args.n) return;
    const char *name = window->aggregate->name;
    if (strcmp(name, "min") == 0 || strcmp(name, "max") == 0 || strcmp(name, "array_agg") == 0) expr_refuse_collated(r, window->args.at[0], window->pos, name);
    if (type_is_text(window->type)) window->type = type_collate(window->type, TYPE(TEXT), window->args.at[0]->type);
}

void query_collate_distinct(Resolver *r, Query *q) {
    Exprs keys = {0};
    bool plain = true;
    for (int i = 0; i < q->n_visible; i++) {
        Expr *key = expr_collated(r, q->targets.at[i].expr);
        plain = plain && key == q->targets.at[i].expr;
        vec_push(r->cc->arena, &keys, key);
    }
    if (!plain) q->distinct_on = keys;
}

/* setop.c tells the rows apart by case_insensitive's keys; the recursion of WITH RECURSIVE (exec.c) doesn't. */
void query_collate_set(Resolver *r, const Query *q, bool recursive, Pos pos) {
    for (int i = 0; i < q->n_visible; i++) {
        Type t = q->targets.at[i].expr->type;
        if (!q->set_all && t.collation == COLLATION_CONFLICT) clash(r, pos);
        if (recursive && (!q->set_all || t.collation != q->left->targets.at[i].expr->type.collation)) expr_refuse_collated(r, q->targets.at[i].expr, pos, "WITH RECURSIVE ... UNION");
    }
}
