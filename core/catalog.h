/* catalog.h - tables, columns, keys, indexes as of one schema version. Pure memory: no server, no I/O.
 *
 * A Catalog is immutable once published and reference-counted: a refresh builds a new one, and statements compiled against the old one keep it alive
 * until they are compiled again. Stored form: one document per table in the `__schema__` collection (djongo 1.3's layout, extended):
 *   { name: "app_book", auto: {field_names: ["id"], seq: 4}, fields: {id: {type_code: "int"}, ...},          <- djongo 1.3
 *     columns: [{name, field, type: "varchar(30)", not_null, identity, always, default, generated, stored, collation, comment}],   <- ours
 *     primary_key: ["id"], constraints: [...], indexes: [...], comment, view, legacy, implicit, enforced }
 * A document without `columns` was written by djongo 1.3: its columns are read from `fields`, its pk is an ordinary field, `_id` an extra ObjectId. */
#ifndef SQM_CATALOG_H
#define SQM_CATALOG_H

#include <bson/bson.h>

#include "base.h"
#include "type.h"

typedef struct Column {
    Str name;           /* what SQL calls it */
    Str field;          /* the BSON key: "_id" for a new table's single-column primary key, else the name */
    Type type;
    bool not_null;
    bool hidden;        /* not part of SELECT * (the ObjectId _id beside a djongo 1.3 table's own key; `indexed` ones) */
    bool indexed;       /* no column of SQL's: the value of an expression that indexes are on (generated_text), which nobody can name. docs/semantics.md */
    bool identity;      /* fed from the table's counter */
    bool always;        /* ... and from nothing else, unless OVERRIDING SYSTEM VALUE says so */
    bool implicit;      /* declared over documents that were there: they may lack it (not_null then binds writers only); ADD COLUMN may declare it anew */
    Str default_text;   /* SQL expression or empty */
    Str generated_text; /* GENERATED ALWAYS AS (...) or empty */
    bool generated_stored;
    Str collation, comment;     /* collation: as written, type.collation is what it means */
} Column;

/* expr_text.n: an expression, `column` is the indexed one that holds it. folded.n: that expression is what the case_insensitive column of this name compares by, and the key is on
 * that column for all that SQL says. path: inner fields of a document. column -1: all fields (wildcard). */
typedef struct IndexKey { int column; Str expr_text, folded, path; bool descending; Str opclass; } IndexKey;
typedef struct Index {
    Str name;           /* also the MongoDB index name */
    bool unique, nulls_not_distinct;
    VEC(IndexKey) keys;
    VEC(int) include;
    Str where_text;     /* partial index condition, SQL, or empty */
    Str method;         /* MongoDB's own kinds (ddl_native.c): hashed, text, 2dsphere, wildcard, ttl; empty: an ordinary index */
    Str options;        /* JSON of createIndexes' further fields: {"expireAfterSeconds": 60, "sparse": true} */
    bool constraint;    /* made by a UNIQUE or PRIMARY KEY constraint of the same name */
} Index;

enum { MOST_KEY_COLUMNS = 32 };     /* of a foreign key; MongoDB's indexes have no more either */
typedef enum TableConstraintKind { TABLE_PRIMARY_KEY, TABLE_UNIQUE, TABLE_CHECK, TABLE_FOREIGN_KEY } TableConstraintKind;
typedef enum KeyAction { ACTION_NONE, ACTION_CASCADE, ACTION_SET_NULL, ACTION_SET_DEFAULT } KeyAction;
typedef struct Constraint {
    TableConstraintKind kind;
    KeyAction on_delete, on_update;     /* of a foreign key */
    Str name;
    VEC(int) columns;
    Str check_text;             /* SQL of a CHECK */
    bool local;                 /* a CHECK that no validator can decide: whoever writes a row does */
    Str references;             /* table */
    VEC(Str) references_columns;
    bool deferrable, initially_deferred, nulls_not_distinct;
} Constraint;

typedef struct Table {
    Str name;                   /* also the collection */
    VEC(Column) columns;
    VEC(int) primary_key;       /* column numbers; empty when there is none */
    VEC(Index) indexes;         /* without the server's own index on _id */
    Index id_index;             /* "_id_": one key, the column that lies in _id (keys.n 0: none does). Kept up by catalog_put_table */
    VEC(Constraint) constraints;
    bool declared;              /* false: a collection nobody declared; columns come from a sample and unknown names are allowed */
    bool legacy;                /* its rows were written by djongo 1.3 or another program, at least partly: UUIDs of either subtype */
    bool described;             /* false: declared by djongo 1.3, types are what its type codes say (a date is a timestamp, a duration an integer) */
    bool enforced;              /* the collection's validator holds all columns: types, NOT NULL, lengths, no other fields */
    bool implicit;              /* nobody wrote its CREATE TABLE yet: it was made or adopted on demand, and CREATE TABLE may come later */
    Str options;                /* JSON of create's further fields: {"capped": true, "size": 4096} */
    Str view_text;              /* CREATE VIEW body, or empty */
    Str comment;
    int64_t row_estimate;       /* collStats count when last looked, -1 unknown */
    int64_t id;                 /* changes whenever the definition changes */
} Table;

typedef struct Catalog {
    Arena arena;
    VEC(Table *) tables;
    Str database;
    int64_t version;            /* __schema__'s version number this was read at */
    int references;
    struct CatalogHash *hash;
} Catalog;

Catalog *catalog_new(Str database);
Catalog *catalog_retain(Catalog *c);
void catalog_release(Catalog *c);                                   /* NULL is fine */
const Table *catalog_find_table(const Catalog *c, Str name);        /* exact, then case-insensitive when unambiguous; NULL */
int table_find_column(const Table *t, Str name);                    /* exact, then case-insensitive; -1 */
const Index *table_find_index(const Table *t, Str name);
/* An index whose leading key is `column` and that every row is in (not partial, or partial only by NOT NULL): usable for equality and ranges. */
const Index *table_index_on(const Table *t, int column);
/* One whose first column is among these, and as many of the next ones as there are: what finds rows by values of all of them. */
const Index *table_index_over(const Table *t, const int *columns, int n);
bool table_column_is_virtual(const Table *t, int column);            /* generated, not stored: nothing in the documents */
bool table_column_is_unique(const Table *t, int column);            /* alone, by primary key or unique index */

/* Add or replace one table from its __schema__ document; false with a message when the document makes no sense. */
bool catalog_load_table(Catalog *c, const bson_t *document, sqm_error_t *error);
/* The `__schema__` fields of a table (without `_id` and `auto.seq`), appended to `out`: the operand of a $set, therefore with the dotted key
 * "auto.field_names" beside a counter that must survive. Every field is always written, so that $set also takes things away. */
void catalog_table_document(const Table *t, bson_t *out);
/* Description of a table as JSON text for sqm_table(): see docs/architecture.md. */
void catalog_describe(const Table *t, Text *out);
/* A copy of the catalogue to change and publish (DDL): tables are copied, arena is new. */
Catalog *catalog_clone(const Catalog *c);
Table *table_copy(Arena *a, const Table *t);                        /* deep */
Table *table_new(Arena *a, Str name);                               /* declared, no columns, row_estimate -1 */
/* Adds or replaces `t` (in the catalogue's arena) after it was made or changed: gives it its id and id_index. Also catalog_load_table's last step. */
void catalog_put_table(Catalog *c, Table *t);
/* Does a statement compiled for `a` do the same on `b`? */
bool table_same_definition(const Table *a, const Table *b);
bool catalog_remove_table(Catalog *c, Str name);                    /* exact name; false: there was none */
/* A collection nobody declared, from some of its documents: `_id` first, then every other top-level field in order of appearance, types unknown. */
const Table *catalog_sample_table(Catalog *c, Str name, const bson_t *const *samples, int n);

#endif
