/* ddl_view.c - views follow the tables they read: their texts are rewritten where a name changes, and a change that would break one is refused.
 *
 * In: the AST of a view and what it resolves to; names that change; the catalogues before and after a statement. Out: view texts in the new catalogue, or an error.
 * A view is stored as text and resolved wherever it is read (resolve.c), so whatever happens to its tables would otherwise change it without a word.
 *
 *     CREATE VIEW v AS SELECT * FROM book          stored: SELECT book.id, book.title FROM book: columns added later are not its own
 *     ALTER TABLE book RENAME TO work              v: ... FROM work AS book
 *     ALTER TABLE book RENAME title TO name        v: SELECT book.id, book.name FROM book; its own columns keep their names
 *     ALTER TABLE book DROP COLUMN title           refused: view "v" depends on it (CASCADE drops it)
 *
 * Renaming a column is done where it is plain what each name means, level by level; anything else (USING, NATURAL, an output column of that name, a name that
 * reaches out of a subquery) is left as it is, and then the view no longer resolves and the statement is refused. ddl_check_views() has the last word. */
#include "ddl_internal.h"

#include "resolve.h"

/* ---- what a view is ---- */

/* The view's query under a catalogue; NULL: it means nothing there. */
static const Query *view_query(Ddl *d, const Catalog *c, Str text) {
    sqm_error_t own;
    Compile cc = {.arena = &d->arena, .sql = text, .error = &own};
    if (setjmp(cc.exit)) return NULL;
    Parsed body = parse(&cc, true);
    return resolve(&cc, c, &body, NULL)->query;
}

static AstSelect *view_ast(Ddl *d, Str text) {
    Str sql = d->cc.sql;
    d->cc.sql = text;
    AstSelect *s = parse(&d->cc, true).stmt->select;
    d->cc.sql = sql;
    return s;
}

static Str printed(Ddl *d, const AstSelect *s) {
    Text out = {.arena = &d->next->arena};
    ast_select_sql(&out, s);
    return (Str){out.p, (uint32_t)out.n};
}

/* ---- * ---- */

static int visible_columns(const Rel *rel) {
    int n = 0;
    for (int i = 0; i < rel->columns.n; i++) n += !rel->columns.at[i].hidden;
    return n;
}

/* How many columns the star stands for; -1: an unqualified one. */
static int star_width(const Query *q, const AstExpr *star) {
    if (!star->qualifier.n) return -1;
    for (int i = 0; i < q->rels.n; i++)
        if (str_ieq(q->rels.at[i]->alias, star->qualifier)) return visible_columns(q->rels.at[i]);
    return -1;
}

Str ddl_view_text(Ddl *d, AstSelect *s, const Query *q, Str text) {
    int stars = 0, known = 0, open = 0;
    for (int i = 0; i < s->targets.n; i++) {
        const AstExpr *e = s->targets.at[i].expr;
        int width = e->tag == AST_STAR ? star_width(q, e) : 1;
        stars += e->tag == AST_STAR;
        if (width < 0) open++;
        else known += width;
    }
    if (!stars || s->set_op != SET_NONE || (open && (q->n_visible - known) % open)) return text;
    AstTargets targets = {0};
    for (int i = 0, at = 0; i < s->targets.n; i++) {
        const AstTarget *t = &s->targets.at[i];
        int width = t->expr->tag == AST_STAR ? star_width(q, t->expr) : 1;
        if (width < 0) width = (q->n_visible - known) / open;
        if (t->expr->tag != AST_STAR) {
            vec_push(&d->arena, &targets, *t);
            at++;
        }
        for (; t->expr->tag == AST_STAR && width > 0; width--, at++) {
            const Expr *e = q->targets.at[at].expr;
            bool own = e->tag == EXPR_VAR && e->level == 0 && e->rel >= 0 && e->column >= 0;
            AstExpr *column = NEW(&d->arena, AstExpr);
            column->tag = AST_COLUMN;
            column->pos = t->pos;
            column->name = q->targets.at[at].name;
            if (own) column->qualifier = q->rels.at[e->rel]->alias;
            vec_push(&d->arena, &targets, ((AstTarget){.expr = column, .pos = t->pos}));
        }
    }
    s->targets = targets;
    return printed(d, s);
}

/* ---- names that change ---- */

typedef struct Renaming {
    Ddl *d;
    Str table, new_table;       /* a table's new name */
    Str column, new_column;     /* or its column's (then new_table is `table`) */
    bool changed, obscure;      /* obscure: something is said that isn't followed here */
} Renaming;

typedef struct Level { const struct Level *outer; const AstSelect *select; AstNames aliases; } Level;

static void rename_select(Renaming *r, AstSelect *s, const Level *outer);

static bool is_cte(const Level *level, Str name) {
    for (; level; level = level->outer)
        for (int i = 0; i < level->select->with.n; i++)
            if (str_ieq(level->select->with.at[i].name, name)) return true;
    return false;
}

static bool is_alias(const Level *level, Str name) {
    for (int i = 0; i < level->aliases.n; i++)
        if (!name.n || str_ieq(level->aliases.at[i], name)) return true;
    return false;
}

static void rename_expr(Renaming *r, AstExpr *e, const Level *level);

static void rename_exprs(Renaming *r, const AstExprs *list, const Level *level) {
    for (int i = 0; i < list->n; i++) rename_expr(r, list->at[i], level);
}

static void rename_window(Renaming *r, AstWindow *w, const Level *level) {
    if (!w) return;
    rename_exprs(r, &w->partition, level);
    for (int i = 0; i < w->order.n; i++) rename_expr(r, w->order.at[i].expr, level);
    rename_expr(r, w->start_offset, level);
    rename_expr(r, w->end_offset, level);
}

static void rename_expr(Renaming *r, AstExpr *e, const Level *level) {
    if (!e) return;
    if (e->tag == AST_COLUMN && r->column.n) {
        /* Qualified, the nearest level that knows the name decides; unqualified, only this level's own table is meant for sure. */
        const Level *found = level;
        while (e->qualifier.n && found && !is_alias(found, e->qualifier)) found = found->outer;
        if (found && str_ieq(e->name, r->column) && is_alias(found, e->qualifier)) e->name = r->new_column, r->changed = true;
    }
    rename_exprs(r, &e->args, level);
    for (int i = 0; i < e->arms.n; i++) {
        rename_expr(r, e->arms.at[i].when, level);
        rename_expr(r, e->arms.at[i].then, level);
    }
    for (int i = 0; i < e->order.n; i++) rename_expr(r, e->order.at[i].expr, level);
    rename_expr(r, e->otherwise, level);
    rename_expr(r, e->filter, level);
    rename_window(r, e->over, level);
    if (e->select) rename_select(r, e->select, level);
}

static void rename_from(Renaming *r, AstFrom *f, Level *level) {
    if (!f) return;
    switch (f->tag) {
    case FROM_TABLE:
        if (!str_ieq(f->name, r->table) || is_cte(level, f->name)) break;
        if (r->column.n) {
            r->obscure |= f->columns.n > 0;
            vec_push(&r->d->arena, &level->aliases, f->alias.n ? f->alias : f->name);
            break;
        }
        if (!f->alias.n) f->alias = f->name;
        f->name = r->new_table;
        r->changed = true;
        break;
    case FROM_SELECT: rename_select(r, f->select, level); break;
    case FROM_FUNCTION: rename_expr(r, f->function, level); break;
    case FROM_JOIN:
        rename_from(r, f->left, level);
        rename_from(r, f->right, level);
        rename_expr(r, f->on, level);
        r->obscure |= f->natural || f->join_using.n;
        break;
    }
}

static void rename_select(Renaming *r, AstSelect *s, const Level *outer) {
    if (!s) return;
    Level level = {outer, s, {0}};
    for (int i = 0; i < s->with.n; i++) rename_select(r, s->with.at[i].select, &level);
    rename_select(r, s->left, &level);
    rename_select(r, s->right, &level);
    for (int i = 0; i < s->from.n; i++) rename_from(r, s->from.at[i], &level);
    for (int i = 0; i < s->values.n; i++) rename_exprs(r, &s->values.at[i], &level);
    for (int i = 0; i < s->targets.n; i++) {
        r->obscure |= r->column.n && str_ieq(s->targets.at[i].alias, r->column);
        rename_expr(r, s->targets.at[i].expr, &level);
    }
    rename_exprs(r, &s->distinct_on, &level);
    rename_expr(r, s->where, &level);
    rename_exprs(r, &s->group_by, &level);
    rename_expr(r, s->having, &level);
    for (int i = 0; i < s->windows.n; i++) rename_window(r, s->windows.at[i], &level);
    for (int i = 0; i < s->order.n; i++) rename_expr(r, s->order.at[i].expr, &level);
    rename_expr(r, s->limit, &level);
    rename_expr(r, s->offset, &level);
}

void ddl_rename_in_views(Ddl *d, Str table, Str new_table, Str column, Str new_column) {
    for (int i = 0; i < d->next->tables.n; i++) {
        Table *view = d->next->tables.at[i];
        if (!view->view_text.n) continue;
        Renaming r = {.d = d, .table = table, .new_table = new_table, .column = column, .new_column = new_column};
        AstSelect *s = view_ast(d, view->view_text);
        rename_select(&r, s, NULL);
        if (!r.changed || (column.n && r.obscure)) continue;
        view->view_text = printed(d, s);
        ddl_touch(d, view);
    }
}

/* ---- the last word ---- */

static bool same_columns(const Query *a, const Query *b) {
    if (a->n_visible != b->n_visible) return false;
    for (int i = 0; i < a->n_visible; i++) {
        Type x = a->targets.at[i].expr->type, y = b->targets.at[i].expr->type;
        if (x.tag != y.tag || x.length != y.length || x.scale != y.scale || x.element != y.element) return false;
    }
    return true;
}

/* A view that depends on what has changed; NULL: all are what they were. */
static Table *broken_view(Ddl *d) {
    for (int i = 0; i < d->next->tables.n; i++) {
        Table *view = d->next->tables.at[i];
        if (!view->view_text.n || (d->stmt->tag == STMT_CREATE_VIEW && str_eq(view->name, d->stmt->name))) continue;      /* not the one that is replaced */
        const Query *now = view_query(d, d->next, view->view_text);
        /* Its columns are what it had when it was made; one that was broken before is nobody's fault now. */
        const Table *was = catalog_find_table(d->base, view->name);
        const Query *before = was && was->view_text.n ? view_query(d, d->base, was->view_text) : NULL;
        if (before && (!now || !same_columns(before, now))) return view;
    }
    return NULL;
}

void ddl_check_views(Ddl *d, bool cascade) {
    bool any = false;
    for (int i = 0; i < d->next->tables.n; i++) any |= d->next->tables.at[i]->view_text.n > 0;
    for (Table *view; any && (view = broken_view(d));) {
        if (!cascade)
            fail_hint(&d->cc, SQM_ERROR_OBJECT_IN_USE, d->stmt->pos, "Drop the view first; DROP ... CASCADE drops it too.", "view \"" STR_FMT "\" depends on what this changes", STR_ARG(view->name));
        for (int k = d->changes.n - 1; k >= 0; k--)
            if (d->changes.at[k]->table == view) d->changes.at[k] = d->changes.at[--d->changes.n];
        vec_push(&d->arena, &d->removed, view->name);
        catalog_remove_table(d->next, view->name);
    }
}
