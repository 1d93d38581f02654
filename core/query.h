/* query.h - the second tree: what the statement means. Names are gone: relations, columns and slots are numbers, every expression has a type.
 *
 * Frames and slots. Each query block (SELECT level) has one *frame*: an array of Values. Every column of its relations that anybody needs, every
 * group key, aggregate, window result and target has a fixed slot in it, given out by resolve. Operators fill and read slots; an expression
 * never changes when a plan moves it. A reference to an enclosing block is a VAR with level > 0. A block may be run many times (correlated
 * subqueries, lateral joins): only its frame changes. */
#ifndef SQM_QUERY_H
#define SQM_QUERY_H

#include "ast.h"
#include "catalog.h"
#include "function.h"
#include "type.h"
#include "value.h"

typedef struct Expr Expr;
typedef struct Query Query;
typedef VEC(Expr *) Exprs;
typedef VEC(int) Ints;

typedef enum ExprTag {
    EXPR_CONST,         /* value */
    EXPR_PARAM,         /* number: index of the parameter */
    EXPR_VAR,           /* level, slot; rel and column when it is a relation's column (else rel = -1) */
    EXPR_FUNC,          /* function, args: every scalar function and operator that isn't listed below */
    EXPR_COMPARE,       /* op EQ NE LT LE GT GE; args[0], args[1] (ROWs of equal length are possible) */
    EXPR_AND, EXPR_OR,  /* args, two or more */
    EXPR_NOT,           /* args[0] */
    EXPR_IS,            /* args[0], is, negated */
    EXPR_DISTINCT,      /* args[0] IS [NOT: negated] DISTINCT FROM args[1] */
    EXPR_IN,            /* args[0] IN (args[1..]), negated */
    EXPR_LIKE,          /* args[0], args[1] pattern, args[2] escape (absent: backslash); like, negated */
    EXPR_REGEX,         /* args[0], args[1]; op REGEX/REGEX_I; negated */
    EXPR_CASE,          /* args: when, then, when, then, ..., else (always present) */
    EXPR_COALESCE,      /* args, evaluated left to right until one isn't NULL */
    EXPR_CAST,          /* args[0] to type */
    EXPR_ROW,           /* args */
    EXPR_ARRAY,         /* args */
    EXPR_AGG,           /* aggregate call; only inside Query.aggs. Elsewhere it has become a VAR */
    EXPR_WINDOW,        /* window call; only inside Query.windows. Elsewhere it has become a VAR */
    EXPR_SUBLINK        /* sublink, subquery; op and args[0] (outer operand) for IN/ANY/ALL */
} ExprTag;

typedef enum SublinkKind { SUBLINK_EXISTS, SUBLINK_SCALAR, SUBLINK_ANY, SUBLINK_ALL, SUBLINK_ARRAY } SublinkKind;   /* IN = ANY with op EQ; NOT IN = NOT of that */

struct Expr {
    ExprTag tag;
    Type type;
    bool nullable;              /* may be NULL for some row */
    bool negated;
    bool implicit;              /* CAST put in by the resolver around a parameter: converts TEXT only, any other value passes as it is */
    Pos pos;
    Operator op;
    LikeKind like;
    IsKind is;
    int number;                 /* PARAM: parameter; SUBLINK: index into Statement.sublinks */
    int level, slot, rel, column;
    Str label;                  /* VAR: "alias.column" for plans and dumps; empty for computed slots */
    Value value;
    JsonOn on_empty, on_error;  /* FUNC json_value, json_query */
    bool adapts;                /* FUNC json_value written as blog.name: json, unless what it meets says which type */
    const Function *function;
    Exprs args;
    SublinkKind sublink;
    Query *subquery;
    bool unnested;              /* SUBLINK: became a join (subquery.c); never evaluated */
    /* AGG */
    const Aggregate *aggregate;
    bool distinct;
    Expr *filter;
    struct SortKeys *order;
    /* WINDOW */
    int window;                 /* index into Query.window_defs */
    WindowFunction window_function;
};

typedef struct SortKey { Expr *expr; bool descending; bool nulls_first; } SortKey;   /* nulls_first is always decided */
typedef struct SortKeys { SortKey *at; int n, cap; } SortKeys;

/* ---- relations ---- */

typedef enum RelKind { REL_TABLE, REL_SUBQUERY, REL_VALUES, REL_FUNCTION, REL_CTE_WORK } RelKind;

typedef struct RelColumn { Str name; Type type; bool nullable; int slot; bool hidden; } RelColumn;   /* slot -1: nobody needs it */

typedef struct Rel {
    RelKind kind;
    int id;                     /* index in Query.rels */
    Str alias;
    Pos pos;
    const Table *table;         /* REL_TABLE */
    Query *subquery;            /* REL_SUBQUERY (derived tables, CTE references, views) */
    VEC(Exprs) values;          /* REL_VALUES */
    Expr *function;             /* REL_FUNCTION: generate_series, unnest, json_array_elements ... */
    bool with_ordinality;
    struct Cte *work;           /* REL_CTE_WORK: the recursive reference */
    bool lateral;               /* refers to relations to its left */
    bool null_extended;         /* on the nullable side of an outer join: every column may be NULL */
    bool hidden_names;          /* only qualified names find its columns (EXCLUDED) */
    struct Cte *cte;            /* REL_SUBQUERY: the CTE it stands for, or NULL */
    VEC(RelColumn) columns;     /* REL_TABLE: as table->columns, then fields nobody declared, by name */
} Rel;

typedef struct From {           /* leaf: rel >= 0; join: rel < 0 */
    int rel;
    JoinKind kind;
    struct From *left, *right;
    Expr *on;                   /* NULL: true */
} From;

/* A CTE that is computed once and read by all its references (recursive, or referenced more than once). */
typedef struct Cte {
    Str name;
    Query *query;               /* non-recursive: the query; recursive: the whole UNION [ALL]; NULL: `part` */
    const struct Resolved *part;/* INSERT, UPDATE or DELETE: its rows are what that returns */
    bool recursive, materialised;
    bool begun, in_recursive_term;      /* while names are resolved: its query is, and of that the recursive term */
    int number;                 /* index in Statement.ctes */
    int references;
    VEC(RelColumn) columns;
} Cte;

/* ---- blocks ---- */

typedef struct Target { Expr *expr; Str name; int slot; bool hidden; } Target;   /* hidden: only ORDER BY / DISTINCT ON needs it */

typedef struct WindowDef {
    Exprs partition;
    SortKeys order;
    FrameUnit unit;             /* FRAME_NONE has become RANGE UNBOUNDED PRECEDING .. CURRENT ROW */
    BoundKind start, end;
    Expr *start_offset, *end_offset;
    FrameExclude exclude;
} WindowDef;

typedef struct GroupingSet { Ints keys; } GroupingSet;   /* indexes into Query.group_keys */

struct Query {
    Query *parent;              /* enclosing block, NULL at the top */
    int n_slots;
    VEC(Rel *) rels;
    VEC(Cte *) ctes;            /* materialised CTEs defined here */
    From *from;                 /* NULL: one row without columns */
    Expr *where;                /* NULL: true */
    bool grouped;               /* GROUP BY, HAVING or an aggregate is present */
    Exprs group_keys;           /* over the relations' slots */
    Exprs group_shown;          /* NULL, or what was written where the key is its casefold(): a value of the group stands for it (resolve_collation.c) */
    Ints group_slots;           /* where each key lies after grouping */
    VEC(GroupingSet) grouping_sets;   /* empty: one set of all keys */
    int grouping_slot;          /* bit mask of absent keys for GROUPING(), or -1 */
    Exprs aggs;                 /* EXPR_AGG */
    Ints agg_slots;
    Expr *having;
    VEC(WindowDef) window_defs;
    Exprs windows;              /* EXPR_WINDOW */
    Ints window_slots;
    VEC(Target) targets;        /* visible ones first */
    int n_visible;
    bool distinct;
    Exprs distinct_on;
    SortKeys order;             /* over the block's slots (targets included: VAR of the target's slot when it names one) */
    Expr *limit, *offset;       /* NULL: none. No reference to this block's own rows */
    bool with_ties;
    SetOp set_op;               /* != SET_NONE: left and right, targets are VARs of this frame's slots 0..n-1 */
    bool set_all;
    Query *left, *right;
    VEC(AstLocking) locking;
    bool correlated;            /* refers to an enclosing block's frame */
    const void *ast_windows;    /* AstWindows of the block while it is being resolved */
    bool is_volatile;           /* random() and the like: never cached, never moved */
    struct QueryPlan *plan;     /* set by plan.c */
};

/* ---- statements ---- */

typedef struct Assign { int column; Expr *value; } Assign;   /* value NULL: DEFAULT */
typedef VEC(Assign) Assigns;
typedef struct RowCheck { const Constraint *constraint; Expr *condition; } RowCheck;
typedef VEC(RowCheck) RowChecks;
/* A foreign key between declared tables, by columns that can be compared: the kind that is checked. Each of the child's `n` columns refers to the parent's at the same place. */
typedef struct ForeignKey { const Constraint *constraint; const Table *child, *parent; int n; const int *child_columns, *parent_columns; } ForeignKey;
typedef VEC(ForeignKey) ForeignKeys;
static inline bool foreign_key_has(const ForeignKey *key, int child_column) {
    for (int i = 0; i < key->n; i++)
        if (key->child_columns[i] == child_column) return true;
    return false;
}
/* Is it one of these? Then *parent_columns (room for MOST_KEY_COLUMNS) are its columns there. */
bool foreign_key_checked(const Table *child, const Table *parent, const Constraint *c, int *parent_columns);

/* INSERT: rows of `source` (its visible targets line up with `columns`) go to the table. */
typedef struct InsertQuery {
    const Table *table;
    Ints columns;
    Query *source;                      /* VALUES or SELECT; NULL: DEFAULT VALUES. An EXPR_CONST of tag TYPE_UNKNOWN with number -1 marks DEFAULT */
    Exprs defaults;                     /* per table column, NULL: none; evaluated in `row` */
    Assigns generated;                  /* stored generated columns, over `row` */
    RowChecks checks;                   /* over `row`: CHECKs that the server can't decide; with on_conflict all, because the server never sees a row that conflicts */
    RowChecks set_checks;               /* those that the server can't decide, for the rows that ON CONFLICT changes */
    ForeignKeys foreign;                /* of the table */
    ForeignKeys set_foreign, set_referring;   /* of it, and to it, by columns that ON CONFLICT sets */
    bool own_identity;                  /* OVERRIDING USER VALUE: identity columns take the counter's numbers, whatever the source gives */
    bool on_conflict, do_nothing;
    const Index *conflict_index;        /* NULL with do_nothing: any; the primary key has an Index entry too */
    VEC(Assign) conflict_set;           /* over `row` (rel 0 the stored row, rel 1 excluded) */
    Expr *conflict_where;
    Query *row;                         /* block of one relation (the table; slots for its columns) for RETURNING, checks, generated */
    bool has_returning;                 /* row->targets */
} InsertQuery;

/* UPDATE and DELETE: `rows` selects the target rows (rel 0 of it is the target table). Its targets: the new value of each assignment (UPDATE), then the
 * row's _id, then, when something is to be said about the whole row (whole_rows), every column of the table in order (NULL for those that
 * nobody asks for, and for virtual ones), then the columns of FROM/USING that RETURNING names. */
typedef struct ModifyQuery {
    const Table *table;
    Query *rows;
    VEC(Assign) set;                    /* UPDATE: in the order of rows' first targets; values over rows' frame */
    Assigns generated;                  /* stored generated columns to recompute, over `row`; those that follow from constants alone are in `set` */
    RowChecks checks;                   /* as INSERT's, those that the change may violate */
    ForeignKeys foreign, referring;     /* keys of the columns that change; keys of other tables (or this one) to such columns, or to any (DELETE) */
    Query *row;                         /* block for RETURNING: the row after UPDATE, before DELETE (rel 0 = table), and the relations of FROM/USING */
    Ints from_slots;                    /* RETURNING names FROM/USING: rows' last targets, in `row` in these slots */
    bool has_returning, whole_rows;
} ModifyQuery;

typedef struct ParamPair { int a, b; Pos pos; } ParamPair;

typedef struct Resolved {
    StmtTag tag;
    const Stmt *stmt;                   /* DDL, transaction statements: read from the AST by ddl.c, exec.c */
    Query *query;
    InsertQuery *insert;
    ModifyQuery *modify;
    VEC(Expr *) sublinks;               /* every EXPR_SUBLINK of the statement, by number */
    VEC(Cte *) ctes;
    int n_parameters;
    AstNames parameter_names;
    VEC(const Table *) tables;          /* every table whose layout the statement relies on */
    VEC(ParamPair) same_params;         /* parameters that must be bound to the same value: SELECT a+%s ... GROUP BY a+%s */
    bool reads_catalogue;               /* has rows of information_schema in it: as of the catalogue that it was compiled for */
    Ints integer_params;                /* parameters that must be bound to integers: SET n = n + %s */
    VEC(struct Resolved *) parts;       /* the INSERTs, UPDATEs and DELETEs of WITH: `insert` or `modify`, and nothing else but the tag */
    const Cte *cte;                     /* of a part */
} Resolved;

/* ---- walking ---- */

/* The column of `rel` whose BSON key is _id (added, nameless to SQL, when no column has it). */
int rel_id_column(Arena *arena, Rel *rel);
/* BSON key of a column of a REL_TABLE. */
Str rel_field(const Rel *rel, int column);
/* A reference to a column of the block's own relation; gives the column a slot if it has none. */
Expr *var_new(Arena *arena, Query *q, Rel *rel, int column);

typedef enum Walk { WALK_ON, WALK_SKIP, WALK_STOP } Walk;
typedef Walk (*ExprVisitor)(Expr *e, void *context);
/* Pre-order over e and its operands (not into subqueries). False when stopped. NULL e is fine. */
bool expr_walk(Expr *e, ExprVisitor visit, void *context);
bool expr_equal(const Expr *a, const Expr *b);              /* same value in the same frame; volatile functions are never equal */
bool expr_is_volatile(const Expr *e);
/* No VAR of level 0, nothing volatile: a run-time constant of the block (parameters, outer references, uncorrelated subqueries allowed). */
bool expr_is_constant(const Expr *e);
void query_dump(Text *out, const Resolved *r);
void expr_dump(Text *out, const Expr *e);                   /* one line, SQL-like: ($0.3 + 1) */

#endif
