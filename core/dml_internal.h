/* dml_internal.h - what the files of dml share: dml.c (entry, commands, RETURNING), dml_with.c (WITH), dml_insert.c, dml_conflict.c (ON CONFLICT), dml_modify.c (UPDATE, DELETE).
 *
 * "Row" is always an array of Values, one per column of the table, in table order, after cast_assign(): what a reader will get back. */
#ifndef SQM_DML_INTERNAL_H
#define SQM_DML_INTERNAL_H

#include "dml.h"
#include "foreign.h"
#include "node.h"
#include "schema.h"

struct Dml {
    Exec *x;
    const StatementPlan *plan;  /* the statement, or the part of it */
    const Catalog *catalog;
    const Table *table;
    const Query *row;           /* block of RETURNING and ON CONFLICT SET; rel 0 is the table */
    bool has_returning;
    int64_t affected, last_id;
    Eval ev;                    /* over row's frame; its arena is `scratch` */
    Arena scratch;              /* of the row at hand */
    Rows returned;              /* RETURNING rows of the present attempt */
    Value **kept;               /* those of the finished statement, in x->arena */
    int n_kept, next;
};

/* Runs `attempt` in one transaction, again and again while it meets write conflicts that may be waited for. It finds affected 0 and no RETURNING rows. */
bool dml_transaction(Dml *d, bool (*attempt)(Dml *d, void *context), void *context);
/* Notes the values of a new or changed row in its foreign keys. */
void dml_note(Dml *d, const ForeignKeys *keys, const Value *row);
/* Notes that a row that keys refer to goes, or has changed: those without an action are checked at the end, the others' rows go or change too. run: does them, and what follows from them, in the open transaction. */
typedef struct Cascade Cascade;
void cascade_deleted(Dml *d, const ForeignKeys *keys, const Value *row);
void cascade_changed(Dml *d, const ForeignKeys *keys, const Value *before, const Value *after);
bool cascade_run(Dml *d);
void cascade_clear(Exec *x);
/* May a single write go without a transaction around it, as far as foreign keys are concerned? */
bool dml_may_go_alone(const Dml *d);
/* Adds the RETURNING row of a written row. Nothing without RETURNING. */
bool dml_return(Dml *d, const Value *row);
/* Puts a row into the slots that relation `rel` of the row block has. */
void dml_fill(Dml *d, int rel, const Value *row);
/* The value as column `c` takes it: cast, checked, NULL refused where the column needs a value. Errors point at `e` (may be NULL). */
bool dml_assign(Dml *d, int c, const Value *v, const Expr *e, Value *out);
/* Computes the stored generated columns of a complete row, then its CHECKs that the server doesn't make. Values lie in `scratch`. */
bool dml_derive(Dml *d, Value *row, const Assigns *generated, const RowChecks *checks);
/* Must this column have a value? */
bool dml_required(const Table *t, int c);
/* Raises NOT_NULL_VIOLATION for the column. */
bool dml_null_violation(Dml *d, int c, const Expr *e);
/* SQL NULL of a JSON column is the missing field: BSON null is JSON's null there. */
static inline bool dml_left_out(const Column *c, const Value *v) { return v->type == SQM_NULL && c->type.tag == TYPE_JSON && !c->indexed; }
int dml_id_column(const Table *t);                                      /* the column that lies in _id; -1 */
bool dml_append(Dml *d, bson_t *doc, int c, const Value *v);            /* under the column's field */
/* {_id: ...} for one or many keys, under `key` of `out`. */
bool dml_append_ids(Dml *d, bson_t *out, const char *key, const Value *const *ids, int n);
/* Did a write by _id meet as many rows as were read? An error if not, where the reading can't be outdated. */
bool dml_check_found(Dml *d, int64_t found, int64_t expected);
/* The row of a document: fields of the columns, NULL where missing. Points into the document. *id: its _id. */
void dml_decode(const Dml *d, const bson_t *doc, Value *row, Value *id);

/* Commands to come, of one kind: items go into as few commands as the server's limits allow. */
typedef struct Writes {
    Dml *d;
    const char *verb, *array;   /* "insert", "documents" ... */
    bson_t *items;              /* of the command being filled */
    uint32_t n_items;
    bson_t **commands;
    int n_commands, cap;
    int64_t total;              /* items in all commands */
    size_t bytes, held;
} Writes;
void writes_init(Writes *w, Dml *d, const char *verb, const char *array);
bool writes_add(Writes *w, const bson_t *item);
bool writes_close(Writes *w);                                           /* n_commands is final then */
bool writes_send(Writes *w, int64_t *n);                                /* adds up what the replies report; may be repeated */
void writes_clear(Writes *w);

/* Changes of stored rows by _id. A new _id is a new document in place of the old one. */
typedef struct Changes { Dml *d; Writes removed, added, updated; bson_t *item; } Changes;
void changes_init(Changes *c, Dml *d);
/* `columns` with their new `values` (n of them). `stored`: the whole document, needed only when _id is among the columns and differs. */
bool changes_add(Changes *c, const Value *id, const bson_t *stored, const int *columns, const Value *values, int n);
bool changes_send(Changes *c, int64_t *n);
void changes_clear(Changes *c);

typedef struct Insert {
    Dml *d;
    const InsertQuery *q;
    const Table *t;
    int id;                     /* the column in _id, -1 */
    int *order;                 /* columns as the document has them: _id's first */
    int *source;                /* column -> position in q->columns, -1 */
    bool *required;             /* must have a value */
    bool *forbidden;            /* must not be given NULL */
    bool has_identity, reads;
    int64_t first_id, n_ids, used_ids;  /* block of numbers taken from the counter */
    int64_t greatest, raised;   /* greatest number given explicitly; what the counter was raised to */
    Value *cells;               /* the source's row */
    bool *defaulted;            /* cells that are DEFAULT */
    Value *row;
    bson_t *doc;
    Writes writes;
} Insert;

/* A write in two steps. collect: reads everything, computes the rows, those of RETURNING included, and makes the commands; may be repeated. send: sends them. */
typedef struct Part {
    Dml *d;
    bool (*collect)(Dml *d, void *context);
    bool (*send)(Dml *d, void *context);
    void (*end)(void *context);
    void *context;
} Part;
void dml_init(Dml *d, Exec *x, const Catalog *catalog, const StatementPlan *plan);
bool insert_part(Dml *d, Part *out);
void modify_part(Dml *d, Part *out);
bool modify_same_row(const Part *a, const Part *b);                     /* of an UPDATE or DELETE each, of one table: do they change the same row? */
bool dml_insert(Dml *d, const InsertQuery *q);
bool dml_modify(Dml *d, const ModifyQuery *m, const ModifyPlan *p);
/* A statement with data-modifying WITH queries. */
bool dml_with(Dml *d);
/* Appends the row's document to the commands. */
bool insert_add(Insert *in, const Value *row);
/* ON CONFLICT. begin: once per statement. collect: decides about the complete rows, fills RETURNING; send: writes; both inside a transaction. */
typedef struct Conflict Conflict;
bool conflict_begin(Insert *in, Conflict **out);
bool conflict_collect(Conflict *c, const Rows *rows);
bool conflict_send(Conflict *c);
void conflict_end(Conflict *c);

#endif
