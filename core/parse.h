/* parse.h - between parse.c, which builds nodes, and grammar.y, whose actions call it. Nobody else includes this. */
#ifndef SQM_PARSE_H
#define SQM_PARSE_H

#include "lex.h"

typedef struct Alias { Str name; AstNames columns; } Alias;
typedef struct With { AstCtes list; bool recursive; } With;
typedef struct Distinct { bool distinct; AstExprs on; } Distinct;
typedef struct Frame { FrameUnit unit; BoundKind start, end; AstExpr *start_offset, *end_offset; FrameExclude exclude; } Frame;
typedef struct Bound { BoundKind kind; AstExpr *offset; } Bound;
typedef struct Limits { AstExpr *limit, *offset; bool with_ties; } Limits;
typedef struct Tail { AstOrders order; Limits limits; AstLockings locking; } Tail;   /* what follows a query: ORDER BY, LIMIT, FOR UPDATE */
typedef struct JoinQual { AstExpr *on; AstNames using_; } JoinQual;

typedef struct Parse {
    Compile *cc;
    Arena *arena;
    Lex lex;
    Token token;            /* the look-ahead */
    int end;                /* where the token before it ends: the end of whatever is being reduced */
    bool after_semicolon;
    int first;              /* a token of the grammar's own, fed before all others; 0: none */
    Stmt *stmt;
    AstExpr *expression;
    AstNames parameters;
    struct { int *slots; int size; } parameter_index;   /* hash of names, once there are many */
    enum { NO_STYLE, FORMAT_STYLE, NAMED_STYLE, NUMBERED_STYLE } style;
    Str constraint_name;    /* CONSTRAINT name, until the constraint comes */
    Pos constraint_pos;
    bool adopt, implicit, enforced, lenient;   /* WITH (...), SET (...) */
} Parse;

/* grammar.y: runs the automaton over the tokens of p->lex. */
void grammar_run(Parse *p);

Pos parse_span(const Parse *p, int at);                 /* from byte `at` to the end of what is being reduced */
static inline Pos token_pos(Token t) { return (Pos){t.at, t.len}; }
_Noreturn void parse_refuse(Parse *p, Pos pos, const char *what);            /* NOT_SUPPORTED: "<what> is not supported" */

void parse_storage(Parse *p, Token word);                                    /* CREATE TABLE ... WITH (word), ALTER TABLE ... SET (word) */
void parse_alter_storage(Parse *p, AstAlter *a);
void parse_no_storage(Parse *p, Pos pos, const char *what);                  /* refuses any of these words */

/* expressions; every one checks the height of the tree */
AstExpr *parse_node(Parse *p, AstExprTag tag, int at);
void parse_arg(Parse *p, AstExpr *e, AstExpr *arg);
AstExpr *parse_unary(Parse *p, int at, Operator op, AstExpr *a);
AstExpr *parse_not(Parse *p, int at, AstExpr *a);
AstExpr *parse_binary(Parse *p, Operator op, AstExpr *a, AstExpr *b);
AstExpr *parse_logic(Parse *p, AstExprTag tag, AstExpr *a, AstExpr *b);      /* AND, OR: flattened */
AstExpr *parse_is(Parse *p, AstExpr *a, IsKind is, bool negated);
AstExpr *parse_two(Parse *p, AstExprTag tag, AstExpr *a, AstExpr *b, bool negated);
AstExpr *parse_like(Parse *p, LikeKind like, bool negated, AstExpr *a, AstExpr *b, AstExpr *escape);
AstExpr *parse_between(Parse *p, AstExpr *a, AstExpr *low, AstExpr *high, bool negated, bool symmetric);
AstExpr *parse_in_list(Parse *p, AstExpr *a, const AstExprs *list, bool negated);
AstExpr *parse_in_select(Parse *p, AstExpr *a, AstSelect *s, bool negated);
AstExpr *parse_quantified(Parse *p, AstExpr *a, Operator op, bool all, AstSelect *s, AstExpr *array);
AstExpr *parse_query_node(Parse *p, AstExprTag tag, int at, AstSelect *s);   /* EXISTS, SUBQUERY, ARRAY_SELECT */
AstExpr *parse_list(Parse *p, AstExprTag tag, int at, const AstExprs *list); /* ROW, ARRAY, ROLLUP ... */
AstExpr *parse_name(Parse *p, Token name);                                   /* a column, for now */
AstExpr *parse_dot(Parse *p, AstExpr *a, Token name);                        /* a.b: qualifies a column, or takes a field */
AstExpr *parse_star(Parse *p, AstExpr *qualifier);
AstExpr *parse_function(Parse *p, Token name, const AstExprs *args);
JsonOn parse_json_word(Parse *p, Token word);                                /* ERROR, the one word before ON that is no keyword */
AstExpr *parse_json_on(Parse *p, int at, JsonOn on, AstExpr *value, Token moment);
AstExpr *parse_json_on_both(Parse *p, AstExpr *clauses, AstExpr *more);
AstExpr *parse_json_call(Parse *p, Token name, const AstExprs *args, AstExpr *clauses);
AstExpr *parse_qualified_function(Parse *p, AstExpr *schema, Token name, const AstExprs *args);
AstExpr *parse_call(Parse *p, int at, Str name, int n, ...);                 /* n AstExpr * */
AstExpr *parse_call_list(Parse *p, int at, Str name, AstExpr *first, const AstExprs *rest);
AstExpr *parse_word_function(Parse *p, Token word, AstExpr *precision);      /* CURRENT_TIMESTAMP ... */
AstExpr *parse_extract(Parse *p, int at, AstExpr *field, AstExpr *from);
void parse_over(Parse *p, AstExpr *function, AstWindow *window);
AstExpr *parse_text(Parse *p, Token t);
AstExpr *parse_bytes(Parse *p, Token t);
AstExpr *parse_number(Parse *p, Token t, bool integer);
AstExpr *parse_null(Parse *p, Token t);
AstExpr *parse_bool(Parse *p, Token t, bool value);
AstExpr *parse_parameter(Parse *p, Token t);
AstExpr *parse_cast(Parse *p, int at, AstExpr *a, AstType *type);
AstExpr *parse_typed_literal(Parse *p, Token type_name, bool with_zone, Token text, Str unit);
AstExpr *parse_collate(Parse *p, AstExpr *a, Token name);
AstExpr *parse_subscript(Parse *p, AstExpr *a, AstExpr *low, AstExpr *high, bool slice);
AstExpr *parse_case_arm(Parse *p, AstExpr *e, AstExpr *when, AstExpr *then);
AstExpr *parse_case_end(Parse *p, int at, AstExpr *e, AstExpr *operand, AstExpr *otherwise);
AstType *parse_type(Parse *p, int at, Str name, const AstExprs *modifiers);
AstWindow *parse_window(Parse *p, const AstExprs *partition, const AstOrders *order, const Frame *frame);
Frame *parse_frame(Parse *p, int at, FrameUnit unit, Bound start, Bound end, FrameExclude exclude);

/* queries */
/* An INSERT, UPDATE or DELETE stands in WITH: none may stand in its own. */
void parse_written(Parse *p, const Stmt *write);
AstSelect *parse_select(Parse *p, int at);
AstSelect *parse_set_op(Parse *p, AstSelect *left, SetOp op, bool all, AstSelect *right);
AstSelect *parse_tail(Parse *p, AstSelect *s, const With *with, const Tail *tail);
AstSelect *parse_query(Parse *p, AstSelect *s);         /* complete: its height is known from here on */
Str parse_table_name(Parse *p, Token schema, Token name);
Str parse_relation_name(Parse *p, Token schema, Token name);        /* ... that is read: information_schema too */
AstFrom *parse_from(Parse *p, AstFromTag tag, int at, const Alias *alias);
AstFrom *parse_join(Parse *p, AstFrom *left, JoinKind kind, AstFrom *right, const JoinQual *qual, bool natural);
/* (a JOIN b ...) AS x. */
AstFrom *parse_named_join(Parse *p, Token open, AstFrom *join, const Alias *alias);

/* statements */
Stmt *parse_stmt(Parse *p, StmtTag tag, int at);
void parse_assign(Parse *p, AstAssigns *list, int at, Token column, AstExpr *value);
void parse_assign_row(Parse *p, AstAssigns *list, int at, const AstNames *columns, AstExpr *row);
void parse_assign_select(Parse *p, AstAssigns *list, int at, const AstNames *columns, AstSelect *select);
Str parse_expr_text(Parse *p, const AstExpr *e, Pos pos);                   /* the text of a stored expression, % undone */
Str parse_select_text(Parse *p, const AstSelect *s, Pos pos);
AstColumnDef *parse_column(Parse *p, Token name, AstType *type);
void parse_column_end(Parse *p);                        /* no CONSTRAINT name may be left over */
void parse_collation(Parse *p, AstColumnDef *column, Token name);
AstConstraint *parse_constraint(Parse *p, ConstraintKind kind, int at);
void parse_deferrable(Parse *p, AstConstraint *c, bool deferrable, bool initially);
AstConstraint *parse_last_constraint(Parse *p, const AstColumnDef *column);
Stmt *parse_explain_option(Parse *p, Stmt *s, Token name, Str value);
Str parse_lower(Parse *p, Str s);

#endif
