/* ddl_internal.h - shared by ddl.c and ddl_alter.c (what the statement means for the catalogue), ddl_plan.c (how tables lie in MongoDB) and ddl_run.c (doing it).
 *
 * A DDL statement is compiled like any other: ddl.c changes a copy of the catalogue and notes *steps*; errors go through fail(). Only then are the steps
 * run. Indexes and validators are not steps of their own: ddl_plan.c derives what a table needs before and after, and the difference is done. */
#ifndef SQM_DDL_INTERNAL_H
#define SQM_DDL_INTERNAL_H

#include "ddl.h"
#include "query.h"

/* The new value of one field, for every row, computed here with SQL's own meaning (casts, USING, generated columns, volatile defaults); or a condition. */
typedef struct Rewrite {
    const Table *table;         /* how rows are read: the table as it was */
    Str collection;
    const Rel *rel;             /* with `expr`: where its columns go in the frame */
    const Expr *expr;           /* NULL: the old value of `column` */
    int column;                 /* old column, -1 none */
    Str field, name;            /* written; the column's name for messages */
    Type type;
    bool not_null;
    bool counter;               /* NULL: the table's next number */
    bool indexed;               /* the value of an indexed expression */
    /* STEP_COPY: the field becomes _id. */
    Str promote;                /* field that moved into _id and isn't kept; empty: none */
    Str demote;                 /* field that takes the old _id; empty: it is given up */
    Str copy;                   /* the collection written */
    VEC(bson_t *) prepare;      /* commands that make it */
} Rewrite;

enum { NAMESPACE_EXISTS = 48 };     /* MongoDB's error of `create` */

typedef enum StepTag {
    STEP_COMMAND,               /* sent as it is; an error `code` is said as `message`, if there is one */
    STEP_NONE,                  /* a find that must find nothing, else `code`, `message` */
    STEP_TRY,                   /* does every row's new value exist? Nothing is written */
    STEP_CHECK,                 /* is the condition rewrite->expr FALSE for any row? Then `code`, `message` */
    STEP_REWRITE,               /* $set of the new values */
    STEP_COPY,                  /* rows with a new _id, into another collection that then takes this one's place */
    STEP_EMPTY,                 /* TRUNCATE of `tables` */
    STEP_DROP_DATABASE
} StepTag;

typedef struct Step {
    StepTag tag;
    bool check;                 /* changes nothing: runs before everything else when no change stands before it */
    bool admin;
    int tolerate;               /* server error that means: already so */
    bson_t *command;
    sqm_error_code_t code;
    Str message;
    Rewrite *rewrite;
    VEC(Str) tables;
    bool apart;                 /* STEP_EMPTY: of one capped table, which no transaction may do */
} Step;
typedef VEC(Step) Steps;

typedef struct Physical { Str name; bson_t *spec; } Physical;     /* an index as createIndexes takes it */
typedef VEC(Physical) Physicals;

/* A table whose entry has to be written. */
typedef struct Change {
    Table *table;               /* in Ddl.next */
    Str stored;                 /* its name in __schema__ until now */
    bool structure;             /* indexes or validator may change too */
    Physicals before;
    bson_t *validator_before;   /* NULL: none */
    bool copied;                /* a STEP_COPY makes everything anew */
    bool reset_counter;         /* to 0: a new table */
    bool raise_counter;         /* to the greatest number in use */
    Steps steps;                /* checks and changes of rows, in order */
} Change;

typedef VEC(int) Numbers;           /* columns of a table */

typedef struct Ddl {
    Compile cc;
    Arena arena;
    const Catalog *base;
    Catalog *next;
    const Stmt *stmt;
    Str sql, text;              /* text: the stored SQL being resolved; positions in it are no positions in the statement */
    int server_version;
    int64_t now;
    Steps steps;
    VEC(Change *) changes;
    VEC(Str) removed;           /* tables whose entries go */
    VEC(Str) altered;           /* collections whose rows or shape change: they must have no uncommitted rows */
    VEC(Str) dropped;           /* collections that go */
    bson_t **owned;             /* every command, freed at the end whatever happens: fail() may jump out of its making */
    int owned_n, owned_cap;
} Ddl;

/* ---- ddl_plan.c ---- */

bson_t *ddl_bson(Ddl *d);                                           /* a new document owned by d */
bson_t *ddl_command(Ddl *d, const char *name, Str collection);
void ddl_append(bson_t *d, const char *key, Str text);
_Noreturn void ddl_raise(Ddl *d);                                   /* cc.error is filled */
/* Condition / value expression over the rows of t; default without rows. */
Expr *ddl_condition(Ddl *d, const Catalog *c, const Table *t, Str text, const Rel **rel);
Expr *ddl_row_value(Ddl *d, const Catalog *c, const Table *t, Str text, const Rel **rel);
/* The value of a generated column; fails when such a column may not have this expression. */
Expr *ddl_generated(Ddl *d, const Catalog *c, const Table *t, int column, const Rel **rel);
Expr *ddl_default(Ddl *d, const Catalog *c, Str text);
/* The type of an expression that an index is to be on; fails when it can't be. */
Type ddl_indexable(Ddl *d, const Catalog *c, const Table *t, Str text, Pos pos);
/* Can MongoDB's partial indexes say the index's condition? Else its value becomes an indexed expression. */
bool ddl_partial_fits(Ddl *d, const Catalog *c, const Table *t, const Index *index);
/* The columns an expression over a table reads, as a set. */
void ddl_columns_of(const Expr *e, bool *used);
/* Appends {field: <NULL>}: rows in which the column is NULL. */
void ddl_null_filter(bson_t *filter, const Column *c);
/* Indexes a table has on the server; indexes of the same shape exist once. */
Physicals ddl_physical(Ddl *d, const Catalog *c, const Table *t);
bson_t *ddl_validator(Ddl *d, const Catalog *c, const Table *t);    /* NULL: none */
bson_t *ddl_json_schema(Ddl *d, const Table *t);                    /* {$jsonSchema: ...}: what an ENFORCED table's documents are like */
/* The filter of rows that violate a CHECK; NULL when MongoDB can't decide it: then *expr over *rel is to be computed here. */
bson_t *ddl_violations(Ddl *d, const Catalog *c, const Table *t, const Constraint *check, const Rel **rel, const Expr **expr);
bson_t *ddl_create_indexes(Ddl *d, Str collection, const Physicals *list);   /* NULL for an empty list */
/* Turns what was noted for a change into Ddl.steps. */
void ddl_assemble(Ddl *d, Change *change, bool created);

/* ---- ddl_adopt.c ---- */

/* WITH (ADOPT): `wanted` is what the statement says, `old` the table as it is known (undeclared, djongo 1.3's, or described). change->table is what comes of it. */
void ddl_adopt(Ddl *d, Change *change, Table *wanted, Table *old);
/* An ordinary CREATE TABLE `t` over the implicit table `old`. */
void ddl_take_over(Ddl *d, Change *change, Table *t, const Table *old);
/* Was the column only declared on demand, so that ADD COLUMN may say what it is? */
bool ddl_may_redefine(const Table *t, int column);

/* ---- ddl_collation.c ---- */

/* The collation a column of this type is declared with, as it is stored, and in *type; fails where there is no such. */
Str ddl_collation(Ddl *d, Str name, Type *type, Pos pos);
Str ddl_query_collation(Ddl *d, const Expr *e);                               /* of a column that holds the expression's values */
void ddl_refuse_folded(Ddl *d, const Table *t, int column, const char *what, Pos pos);   /* `what` on a case_insensitive column */
/* A key on the column. `change`: as for ddl_indexed_column. */
IndexKey ddl_column_key(Ddl *d, Table *t, Change *change, int column, Pos pos);
/* The key that CREATE INDEX names; column -1: its expression, or all fields. native: MongoDB compares in its own way. */
IndexKey ddl_index_key_on(Ddl *d, Table *t, Change *change, const AstIndexKey *k, int column, bool native);
/* The column has gone from case_insensitive to another collation or back: keys of before become keys on the plain column, then (the rows being what they will be) those
 * of after. */
void ddl_unfold_keys(Ddl *d, Table *t, int column, Pos pos);
void ddl_fold_keys(Ddl *d, Table *t, Change *change, int column, Pos pos);

/* ---- ddl_native.c ---- */

bool ddl_asks_native(const AstCreateIndex *s);                                /* for an index whose values MongoDB compares in its own way */
bool ddl_index_is_native(const Index *index);
/* Takes method and options of CREATE INDEX into `index`, whose keys are known; fails where they can't be together. */
void ddl_native_index(Ddl *d, const Table *t, const AstCreateIndex *s, Index *index);
/* The key, or where it is an expression that is a path into a document, the key on that path. */
AstIndexKey ddl_index_key(Ddl *d, const Table *t, const AstIndexKey *given, bool unique);
Str ddl_key_field(Ddl *d, const Table *t, const IndexKey *k);                 /* the field a key is on: "blog.name" */
void ddl_native_key(Ddl *d, const Table *t, const Index *index, const IndexKey *k, bson_t *key);
void ddl_native_options(Ddl *d, const Index *index, bson_t *spec);            /* appends them to an index specification */
void ddl_native_rename(Ddl *d, Index *index, Str from, Str to);               /* a field has another name */
/* For Table.options: those of `old` with what WITH (...), SET (...) or RESET (...) says. */
Str ddl_native_collection(Ddl *d, Str old, const AstOptions *options);
void ddl_native_create(Ddl *d, const Table *t, bson_t *command);              /* appends them to a create command */

/* ---- ddl_view.c ---- */

/* The text that is stored of a view: `text`, with * spelt out as what it stands for now. */
Str ddl_view_text(Ddl *d, AstSelect *s, const Query *q, Str text);
/* A table (column.n == 0) or one of its columns has another name. */
void ddl_rename_in_views(Ddl *d, Str table, Str new_table, Str column, Str new_column);
/* Fails when a view of Ddl.next isn't what it was; `cascade`: drops it. */
void ddl_check_views(Ddl *d, bool cascade);

/* ---- ddl_alter.c ---- */

void ddl_alter_table(Ddl *d);
void ddl_drop_references(Ddl *d, const Table *t, Str column, bool cascade, const char *what, Pos pos);
void ddl_drop_unindexed(Ddl *d, Table *t, Change *change);
bool ddl_expression_reads(Ddl *d, const Table *t, int indexed, int column);   /* an indexed expression */
int ddl_indexed_column(Ddl *d, Table *t, Change *change, Str text, Pos pos);   /* `change` NULL: there are no rows */
void ddl_fill_indexed(Ddl *d, Table *t, Change *change, int column);         /* with its values, in all rows */
Str ddl_quoted(Ddl *d, Str name);

/* ---- ddl.c ---- */

#define PUSH(d, v, item) vec_push(&(d)->next->arena, (v), item)

Table *ddl_exact_table(const Ddl *d, Str name);   /* the table of Ddl.next with that very name; NULL */
Table *ddl_own_table(Ddl *d, Str name, Pos pos, bool missing_ok);   /* one of ours, to be changed; fails otherwise, or gives NULL with missing_ok */
void ddl_check_table_name(Ddl *d, Str name, Pos pos);
Change *ddl_change_of(Ddl *d, Table *t, bool structure);   /* the change noted for a table, made when there is none */
Str ddl_keep(Ddl *d, Str s);   /* a copy in the catalogue's memory */
Str ddl_field_of(Ddl *d, Str name);
int ddl_named_column(Ddl *d, const Table *t, Str name, Pos pos);
bool ddl_index_name_taken(const Ddl *d, Str name);   /* by an index of any table */
Index *ddl_find_index(Table *t, Str name);
const Constraint *ddl_find_constraint(const Table *t, Str name);
void ddl_remove_index(Table *t, const Index *index);
void ddl_remove_constraint(Table *t, int at);
void ddl_refuse_virtual(Ddl *d, const Table *t, int column, const char *what, Pos pos);
bool ddl_names_column(const AstExpr *e, Str name);
Type ddl_type_of(Ddl *d, const AstType *ast);
Column ddl_make_column(Ddl *d, const Table *t, const AstColumnDef *def);
bool ddl_constant_default(Ddl *d, const Column *c, Value *value, Expr **expr);
void ddl_check_unique_types(Ddl *d, const Table *t, const int *columns, int n, Pos pos);
void ddl_expect_check(Ddl *d, Change *change, const Constraint *c);          /* the rows that are there satisfy it */
void ddl_add_constraint(Ddl *d, Table *t, Change *change, const AstConstraint *ast, int column, Rewrite *source);
void ddl_note(Ddl *d, Change *change, Step step);   /* a step of the change, in order */
void ddl_expect_none(Ddl *d, Change *change, const bson_t *filter, sqm_error_code_t code, Str message);   /* the filter must match no document, else `code`, `message` */
void ddl_expect_no_nulls(Ddl *d, Change *change, const Column *c);
bson_t *ddl_exists_filter(Ddl *d, Str field);
bson_t *ddl_begin_update(Ddl *d, Str collection, const bson_t *filter, const char *operator_, bson_t *list, bson_t *one, bson_t *u, bson_t *change);
void ddl_end_update(bson_t *command, bson_t *list, bson_t *one, bson_t *u, bson_t *change);
Rewrite *ddl_rewrite_of(Ddl *d, const Table *rows, Str collection, const Column *target, int column);   /* the value of a column for every row */
void ddl_note_rewrite(Ddl *d, Change *change, Rewrite *r, bool checked);   /* STEP_TRY when `checked`, then STEP_REWRITE */
void ddl_note_copy(Ddl *d, Change *change, Rewrite *r);   /* STEP_COPY */

void ddl_touch(Ddl *d, Table *t);                                   /* its entry has to be written */
void ddl_statement(Ddl *d);

#endif
