/* ast.h - the first tree: what the text says, before any name means anything.
 *
 * Made by lex.c and grammar.y (parse.c drives them), read by resolve.c and ddl.c. Every node knows its bytes in the SQL text. Identifiers are
 * slices with quotes removed (arena copies only where "" or U& had to be undone). Nothing here is checked against the catalogue.
 * Memory: the statement's arena. */
#ifndef SQM_AST_H
#define SQM_AST_H

#include "base.h"

typedef struct AstExpr AstExpr;
typedef struct AstSelect AstSelect;
typedef struct AstFrom AstFrom;
typedef VEC(AstExpr *) AstExprs;
typedef VEC(Str) AstNames;

/* ---- expressions ---- */

typedef enum AstExprTag {
#define AST_EXPR(tag, text) AST_##tag,
#include "nodes.def"
#undef AST_EXPR
} AstExprTag;

/* Operators of AST_UNARY, AST_BINARY and AST_QUANTIFIED; shared with the resolved tree. */
typedef enum Operator {
    OP_NONE,
#define OPERATOR(tag, text) OP_##tag,
#include "nodes.def"
#undef OPERATOR
} Operator;
const char *operator_text(Operator op);

typedef enum NullsOrder { NULLS_DEFAULT, NULLS_FIRST, NULLS_LAST } NullsOrder;

typedef struct AstOrder { AstExpr *expr; bool descending; NullsOrder nulls; } AstOrder;
typedef VEC(AstOrder) AstOrders;

typedef enum FrameUnit { FRAME_NONE, FRAME_ROWS, FRAME_RANGE, FRAME_GROUPS } FrameUnit;
typedef enum BoundKind { BOUND_UNBOUNDED_PRECEDING, BOUND_PRECEDING, BOUND_CURRENT_ROW, BOUND_FOLLOWING, BOUND_UNBOUNDED_FOLLOWING } BoundKind;
typedef enum FrameExclude { EXCLUDE_NO_OTHERS, EXCLUDE_CURRENT_ROW, EXCLUDE_GROUP, EXCLUDE_TIES } FrameExclude;

typedef struct AstWindow {
    Str name;               /* WINDOW name AS (...), or OVER name; empty for none */
    Str base;               /* OVER (base ...) */
    AstExprs partition;
    AstOrders order;
    FrameUnit unit;
    BoundKind start, end;
    AstExpr *start_offset, *end_offset;
    FrameExclude exclude;
    Pos pos;
} AstWindow;
typedef VEC(AstWindow *) AstWindows;

typedef struct AstCaseArm { AstExpr *when, *then; } AstCaseArm;

typedef enum LikeKind { LIKE_LIKE, LIKE_ILIKE, LIKE_SIMILAR } LikeKind;
typedef enum IsKind { IS_NULL, IS_TRUE, IS_FALSE, IS_UNKNOWN } IsKind;

typedef struct AstType {
    Str name;               /* lower-case, one space between words: "timestamp with time zone", "varchar" */
    int modifiers[2];       /* varchar(n), numeric(p,s); -1 when absent */
    int n_modifiers;
    bool is_array;
    Pos pos;
} AstType;

/* What JSON_VALUE gives when nothing is there (ON EMPTY), or what is there isn't of its type (ON ERROR). NONE: nothing was written, which means NULL. */
typedef enum JsonOn { JSON_ON_NONE, JSON_ON_NULL, JSON_ON_ERROR, JSON_ON_DEFAULT } JsonOn;

/* One node type for all expressions; which fields are set is told beside each tag in nodes.def. */
struct AstExpr {
    AstExprTag tag;
    Pos pos;
    Operator op;
    Str name;               /* column, function, parameter name, collation */
    Str qualifier;          /* table or alias before the dot; "a.b.c": qualifier a, name b, then AST_FIELD c */
    sqm_value_t literal;
    int parameter;          /* 0-based */
    bool negated;           /* NOT LIKE, NOT IN, IS NOT ... */
    bool distinct;          /* f(DISTINCT x) */
    bool star;              /* count(*) */
    LikeKind like;
    IsKind is;
    AstExprs args;
    AstSelect *select;
    AstType *type;
    VEC(AstCaseArm) arms;
    AstExpr *otherwise;     /* CASE ... ELSE */
    AstOrders order;        /* agg(x ORDER BY y), WITHIN GROUP (ORDER BY y) */
    bool within_group;
    AstExpr *filter;
    AstWindow *over;
    JsonOn on_empty, on_error;   /* JSON_VALUE(...): type is RETURNING's; a DEFAULT is one more argument, that of EMPTY first */
    bool parenthesised;     /* written in parentheses: (a).b is a field of column a */
    int height;             /* of the tree below and with this node; parse.c keeps it under MAX_DEPTH */
};

/* ---- SELECT ---- */

typedef struct AstTarget { AstExpr *expr; Str alias; Pos pos; } AstTarget;
typedef VEC(AstTarget) AstTargets;

typedef enum JoinKind { JOIN_INNER, JOIN_LEFT, JOIN_RIGHT, JOIN_FULL, JOIN_CROSS, JOIN_SEMI, JOIN_ANTI } JoinKind;   /* SEMI and ANTI: only the planner makes them */

typedef enum AstFromTag { FROM_TABLE, FROM_SELECT, FROM_FUNCTION, FROM_JOIN } AstFromTag;
struct AstFrom {
    AstFromTag tag;
    Pos pos;
    Str name;               /* FROM_TABLE */
    Str alias;
    AstNames columns;       /* alias (c1, c2) */
    AstSelect *select;      /* FROM_SELECT, VALUES included */
    AstExpr *function;      /* FROM_FUNCTION */
    bool with_ordinality;
    bool lateral;
    JoinKind join;          /* FROM_JOIN */
    AstFrom *left, *right;
    AstExpr *on;
    AstNames join_using;
    bool natural;
    int height;
};
typedef VEC(AstFrom *) AstFroms;

typedef struct AstCte { Str name; AstNames columns; AstSelect *select; struct Stmt *write; Pos pos; } AstCte;     /* write: INSERT, UPDATE or DELETE instead of a select */
typedef VEC(AstCte) AstCtes;

typedef enum SetOp { SET_NONE, SET_UNION, SET_INTERSECT, SET_EXCEPT } SetOp;

typedef enum LockWait { LOCK_WAIT, LOCK_NOWAIT, LOCK_SKIP } LockWait;
typedef struct AstLocking { bool share; AstNames of; LockWait wait; Pos pos; } AstLocking;
typedef VEC(AstLocking) AstLockings;
typedef VEC(AstExprs) AstRows;

struct AstSelect {
    Pos pos;
    AstCtes with;
    bool recursive;
    /* a set operation ... */
    SetOp set_op;
    bool set_all;
    AstSelect *left, *right;
    /* ... or VALUES rows ... */
    AstRows values;
    /* ... or a plain SELECT */
    bool distinct;
    AstExprs distinct_on;
    AstTargets targets;
    AstFroms from;          /* comma list */
    AstExpr *where;
    AstExprs group_by;      /* AST_GROUPING_SETS/ROLLUP/CUBE may stand in it */
    AstExpr *having;
    AstWindows windows;
    /* common tail */
    AstOrders order;
    AstExpr *limit, *offset;
    bool with_ties;
    AstLockings locking;
    int height;
};

/* ---- other statements ---- */

/* value AST_DEFAULT allowed. steps: SET column.name[1] = ...: a text literal for a name, an expression for an index.
 * width: of SET (a, b) = (SELECT x, y): `value` is the subquery, the same for each column, and `item` (from 1) which of its columns this one takes; else 0. */
typedef struct AstAssign { Str column; AstExpr *value; Pos pos; AstExprs steps; int item, width; } AstAssign;
typedef VEC(AstAssign) AstAssigns;

/* OVERRIDING SYSTEM VALUE: an identity column takes what is given. USER: what is given for it doesn't count. */
typedef enum Overriding { OVERRIDING_NONE, OVERRIDING_SYSTEM, OVERRIDING_USER } Overriding;

typedef struct AstInsert {
    AstCtes with;
    bool recursive;
    Str table, alias;
    Pos table_pos;
    AstNames columns;
    VEC(Pos) column_pos;
    AstSelect *select;                       /* VALUES or a query; NULL: DEFAULT VALUES */
    Overriding overriding;
    bool on_conflict, do_nothing;
    AstNames conflict_columns;
    Str conflict_constraint;
    AstAssigns conflict_set;                 /* excluded.x is an AST_COLUMN with qualifier "excluded" */
    AstExpr *conflict_where;                 /* DO UPDATE ... WHERE */
    AstExpr *conflict_index_where;           /* ON CONFLICT (columns) WHERE: names a partial index */
    AstTargets returning;
} AstInsert;

typedef struct AstUpdate {
    AstCtes with;
    bool recursive;
    Str table, alias;
    Pos table_pos;
    AstAssigns set;
    AstFroms from;
    AstExpr *where;
    AstTargets returning;
} AstUpdate;

typedef struct AstDelete {
    AstCtes with;
    bool recursive;
    Str table, alias;
    Pos table_pos;
    AstFroms using_;
    AstExpr *where;
    AstTargets returning;
} AstDelete;

typedef enum ConstraintKind { CONSTRAINT_PRIMARY_KEY, CONSTRAINT_UNIQUE, CONSTRAINT_CHECK, CONSTRAINT_FOREIGN_KEY } ConstraintKind;
typedef struct AstActions { Str on_delete, on_update; } AstActions;    /* CASCADE, SET NULL, SET DEFAULT; empty: no action */
typedef struct AstConstraint {
    ConstraintKind kind;
    Str name;                                /* empty: to be made up */
    AstNames columns;
    AstExpr *check;
    Str check_text;                          /* the SQL between the parentheses */
    Str references;
    AstNames references_columns;
    AstActions actions;
    bool deferrable, initially_deferred;
    bool nulls_not_distinct;
    Pos pos;
} AstConstraint;

typedef struct AstColumnDef {
    Str name;
    AstType *type;
    bool not_null, is_null;
    bool identity;                           /* GENERATED ... AS IDENTITY, AUTOINCREMENT, serial */
    bool identity_always;                    /* GENERATED ALWAYS AS IDENTITY */
    AstExpr *default_;
    Str default_text;
    AstExpr *generated;                      /* GENERATED ALWAYS AS (expr) STORED|VIRTUAL */
    Str generated_text;
    bool generated_stored;
    Str collation;
    VEC(AstConstraint *) constraints;        /* inline PRIMARY KEY, UNIQUE, CHECK, REFERENCES */
    Pos pos;
} AstColumnDef;

/* WITH (name = value, ...): `value` is a literal. */
typedef struct AstOption { Str name; AstExpr *value; Pos pos; } AstOption;
typedef VEC(AstOption) AstOptions;

typedef struct AstCreateTable {
    Str table;
    bool if_not_exists, temporary;
    bool adopt, implicit, enforced;                 /* WITH (...): see ddl_adopt.c */
    VEC(AstColumnDef *) columns;
    VEC(AstConstraint *) constraints;
    AstOptions options;
} AstCreateTable;

typedef VEC(AstColumnDef *) AstColumnDefs;
typedef VEC(AstConstraint *) AstConstraints;

typedef enum AlterTag {
    ALTER_ADD_COLUMN, ALTER_DROP_COLUMN, ALTER_RENAME_COLUMN, ALTER_RENAME_TABLE, ALTER_COLUMN_TYPE, ALTER_SET_NOT_NULL, ALTER_DROP_NOT_NULL,
    ALTER_SET_DEFAULT, ALTER_DROP_DEFAULT, ALTER_ADD_IDENTITY, ALTER_DROP_IDENTITY, ALTER_DROP_EXPRESSION, ALTER_ADD_CONSTRAINT, ALTER_DROP_CONSTRAINT, ALTER_RENAME_CONSTRAINT,
    ALTER_SET_OPTIONS
} AlterTag;
typedef struct AstAlter {
    AlterTag tag;
    Str name, new_name;                      /* column or constraint; RENAME's new name */
    bool if_exists, if_not_exists, cascade, enforced, lenient;
    bool always;                             /* ADD GENERATED ALWAYS AS IDENTITY */
    AstColumnDef *column;
    AstType *type;
    AstExpr *expr;                           /* USING, DEFAULT */
    Str expr_text;
    Str collation;
    AstConstraint *constraint;
    AstOptions options;                      /* SET (...): these; RESET (...): each without a value */
    Pos pos;
} AstAlter;

/* path: inner fields, "name.first" of the key author.name.first; `column` empty: * (wildcard indexes). */
typedef struct AstIndexKey { Str column, path; AstExpr *expr; Str expr_text; bool descending; Str opclass, collation; Pos pos; } AstIndexKey;
typedef VEC(AstIndexKey) AstIndexKeys;
typedef struct AstCreateIndex {
    Str name, table, method;
    Pos table_pos;
    bool unique, if_not_exists, concurrently, nulls_not_distinct;
    AstIndexKeys keys;
    AstNames include;
    AstOptions options;
    AstExpr *where;
    Str where_text;
} AstCreateIndex;

typedef enum StmtTag {
#define STATEMENT(tag, text) STMT_##tag,
#include "nodes.def"
#undef STATEMENT
} StmtTag;

typedef struct Stmt {
    StmtTag tag;
    Pos pos;
    Str name;                                /* DROP TABLE/INDEX/VIEW/DATABASE, SAVEPOINT, SET, SHOW, COMMENT ON */
    AstNames names;                          /* DROP TABLE a, b; TRUNCATE a, b */
    bool if_exists, if_not_exists, cascade, restart_identity, or_replace;
    AstSelect *select;
    AstInsert *insert;
    AstUpdate *update;
    AstDelete *delete_;
    AstCreateTable *create_table;
    VEC(AstAlter *) alters;                  /* ALTER TABLE name ... */
    AstCreateIndex *create_index;
    struct Stmt *explained;
    bool analyze;
    Str explain_format;
    Str text;                                /* COMMENT ... IS 'text', SET x TO 'text', the body of CREATE VIEW */
    Str column;                              /* COMMENT ON COLUMN table.column */
    AstNames columns;                        /* CREATE VIEW v (columns) */
    bool verbose;                            /* EXPLAIN VERBOSE */
    bool local;                              /* SET LOCAL */
} Stmt;

/* What the parser leaves: the statement and its parameters (name empty for %s). */
typedef struct Parsed {
    Stmt *stmt;
    AstNames parameters;
} Parsed;

/* Parses exactly one statement (a trailing ';' is allowed). Errors go through fail(). `literal_percent`: % is an operator and never a placeholder. */
Parsed parse(Compile *cc, bool literal_percent);
/* Parses a stand-alone expression (stored CHECK, DEFAULT, index conditions). */
AstExpr *parse_expression(Compile *cc);

const char *join_kind_text(JoinKind k);                      /* "INNER" */
const char *ast_expr_name(AstExprTag tag);
const char *stmt_name(StmtTag tag);
/* S-expression dump, one node a line, positions shown as @12+3. */
void ast_dump(Text *out, const Stmt *stmt);
/* Structural equality, positions ignored: GROUP BY a+b matches SELECT a+b. */
bool ast_equal(const AstExpr *a, const AstExpr *b);
/* Any AST expression printed back as SQL our parser reads to an equal tree. % is printed as one character and parameters as $n, so it is read
 * back with literal_percent. */
void ast_expr_sql(Text *out, const AstExpr *e);
void ast_select_sql(Text *out, const AstSelect *s);

#endif
