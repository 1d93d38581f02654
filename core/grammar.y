/* grammar.y - the dialect, as a Lemon grammar. Tokens come from lex.c, nodes are built by parse.c; an action is a line that builds.
 *
 * Operator precedence is PostgreSQL's, lowest first:
 *     UNION EXCEPT < INTERSECT;  OR < AND < NOT < IS ISNULL NOTNULL < comparison (not associative) < BETWEEN IN LIKE ILIKE SIMILAR < ESCAPE
 *     < any other operator (|| -> ->> #> @> ? & | # << >> ~ ...) < + - < * / % < ^ < AT TIME ZONE < COLLATE < unary minus < [ ] < :: < .
 * so a -> 'x' + 1 is a -> ('x' + 1), and -2 ^ 2 is 4, as there.
 *
 * Names: any word that is not reserved may be one. %fallback turns such a word into ID wherever the state has no use for the keyword itself. The rule
 * to keep: a word in that list must never be able to follow a place where an alias without AS may stand, except by a shift (Lemon folds the most
 * frequent reduction of a state into its default and would then take the alias); that is why SET is reserved.
 *
 * The look-ahead token is always known when an action runs, and p->end is the end of the last token that belongs to it: parse_span(p, at). */

%name grammar_
%token_prefix T_
%token_type {Token}
%default_type {AstExpr *}
%extra_argument {Parse *p}
%start_symbol input

/* Nested constructs take two to ten entries a level. Fixed, since a growing stack would leak across fail()'s longjmp; 160 KB of C stack. */
%stack_size 5000
%stack_overflow { fail(p->cc, SQM_ERROR_PROGRAM_LIMIT_EXCEEDED, token_pos(p->token), "the statement is nested too deeply"); }

%include {
#include "parse.h"

#include <stdio.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wswitch-enum"

#define NDEBUG 1            /* Lemon's own tracing */
#define grammar__ENGINEALWAYSONSTACK 1
#define YYNOERRORRECOVERY 1
#define YYPARSEFREENEVERNULL 1

struct yyParser;
static _Noreturn void report(struct yyParser *engine, Parse *p, int code);

static const AstExprs NO_EXPRS;
static const AstNames NO_NAMES;
static const AstOrders NO_ORDERS;
static const Token NO_TOKEN;
static Pos token_span(Parse *p, Token t) { return parse_span(p, t.at); }

#define PUSH(list, item) vec_push(p->arena, &(list), (item))
}

%syntax_error { report(yypParser, p, yymajor); }

%left UNION EXCEPT.
%left INTERSECT.
%left OR.
%left AND.
%right NOT.
%nonassoc IS ISNULL NOTNULL.
%nonassoc LT GT EQ LE GE NE.
%nonassoc BETWEEN IN LIKE ILIKE SIMILAR NOT_LA.
%nonassoc ESCAPE.
%left OP TILDE LIKE_OP ILIKE_OP NOT_LIKE_OP NOT_ILIKE_OP.
%left PLUS MINUS.
%left STAR SLASH PERCENT.
%left POW.
%left AT.
%left COLLATE.
%right UMINUS.
%left LBRACKET RBRACKET.
%left LP RP.
%left TYPECAST.
%left DOT.
%left JOIN CROSS LEFT FULL RIGHT INNER NATURAL.

%fallback ID
  ABORT ACTION ADD ALTER ALWAYS ANALYZE AUTOINCREMENT BEGIN BY CASCADE CHAIN CHARACTER CHARACTERISTICS COMMENT COMMIT COMMITTED CONCURRENTLY CONFLICT
  CONSTRAINTS CONTINUE CUBE CURRENT DATA DATABASE DEFERRED DELETE DOUBLE DROP ESCAPE EXCLUDE EXPLAIN EXPRESSION_WORD EXTRACT FILTER FIRST FOLLOWING
  GENERATED GROUPING GROUPS IDENTITY IF IMMEDIATE INCLUDE INDEX INSERT INTERVAL ISOLATION KEY LAST LEVEL LOCAL LOCKED MATCH MATERIALIZED NAMES NEXT NO
  NOTHING NOWAIT OF ORDINALITY OTHERS OVER OVERLAY OVERRIDING PARTITION POSITION PRECEDING PRECISION RANGE READ RECURSIVE RELEASE RENAME REPEATABLE
  REPLACE RESET RESTART RESTRICT ROLLBACK ROLLUP ROW ROWS SAVEPOINT SERIALIZABLE SESSION SETS SHARE SHOW SKIP SNAPSHOT START STORED SUBSTRING SYSTEM
  TEMPORARY TIES TIME TRANSACTION TRIM TRUNCATE TYPE UNBOUNDED UNCOMMITTED UNIT UNKNOWN UPDATE USER VALUE VARYING VERBOSE VIEW VIRTUAL WITHIN WITHOUT WORK
  WRITE ZONE.

/* After AS and after a dot every word is a name. */
%token_class label
  ID|ALL|AND|ANY|ARRAY|AS|ASC|ASYMMETRIC|BETWEEN|BOTH|CASE|CAST|CHECK|COLLATE|COLUMN|CONSTRAINT|CREATE|CROSS|CURRENT_CATALOG|CURRENT_DATE|CURRENT_ROLE
  |CURRENT_TIME|CURRENT_TIMESTAMP|CURRENT_USER|DEFAULT|DEFERRABLE|DESC|DISTINCT|DO|ELSE|END|EXCEPT|EXISTS|FALSE|FETCH|FOR|FOREIGN|FROM|FULL|GROUP|HAVING
  |ILIKE|IN|INITIALLY|INNER|INTERSECT|INTO|IS|ISNULL|JOIN|LATERAL|LEADING|LEFT|LIKE|LIMIT|LOCALTIME|LOCALTIMESTAMP|NATURAL|NOT|NOTNULL|NULL|OFFSET|ON
  |ONLY|OR|ORDER|OUTER|PLACING|PRIMARY|REFERENCES|RETURNING|RIGHT|SELECT|SESSION_USER|SET|SIMILAR|SOME|SYMMETRIC|TABLE|THEN|TO|TRAILING|TRUE|UNION
  |UNIQUE|USING|VALUES|WHEN|WHERE|WINDOW|WITH.

/* Sets of tokens that several rules share must be classes: Lemon takes two A|B written out for two symbols. */
%token_class comparison LT|GT|EQ|LE|GE|NE.
%token_class other_op OP|TILDE.
%token_class sum_op PLUS|MINUS.
%token_class product_op STAR|SLASH|PERCENT.
%token_class clock CURRENT_TIME|CURRENT_TIMESTAMP|LOCALTIME|LOCALTIMESTAMP.
%token_class session CURRENT_DATE|CURRENT_USER|CURRENT_ROLE|CURRENT_CATALOG|SESSION_USER.
%token_class numeral INTEGER|NUMBER.

/* ---- the statement ---- */

input ::= stmt(S) semicolons. { p->stmt = S; }
input ::= EXPRESSION expr(E). { p->expression = E; }
semicolons ::= .
semicolons ::= semicolons SEMI. { p->after_semicolon = true; }

%type stmt {Stmt *}
%type dml {Stmt *}
%type write {Stmt *}
stmt(A) ::= dml(A).

dml(A) ::= write(A).
dml(A) ::= select(S). { A = parse_stmt(p, STMT_SELECT, S->pos.at); A->select = S; }

/* ---- queries: the shape is PostgreSQL's, which keeps ((SELECT 1)) free of conflicts ---- */

%type select {AstSelect *}
%type selectnp {AstSelect *}
%type selectwp {AstSelect *}
%type setexpr {AstSelect *}
%type simple {AstSelect *}
%type with {With}
%type with_opt {With}
%type tail {Tail *}
%type tail_limits {Tail *}
%type limits {Limits}
%type locking {AstLockings}
%type rows {AstRows}
%type row {AstExprs}
%type row_items {AstExprs}

select(A) ::= selectnp(A). [UMINUS]
select(A) ::= selectwp(A). [UMINUS]

selectwp(A) ::= LP(T) selectnp(S) RP. { A = S; A->pos = token_span(p, T); }
selectwp(A) ::= LP(T) selectwp(S) RP. { A = S; A->pos = token_span(p, T); }

selectnp(A) ::= simple(S). { A = parse_query(p, S); }
selectnp(A) ::= setexpr(S) tail(T). { A = parse_tail(p, S, NULL, T); }
selectnp(A) ::= with(W) setexpr(S). { A = parse_tail(p, S, &W, NULL); }
selectnp(A) ::= with(W) setexpr(S) tail(T). { A = parse_tail(p, S, &W, T); }

setexpr(A) ::= simple(A).
setexpr(A) ::= selectwp(A).

simple(A) ::= SELECT(T) distinct(D) targets(L) from_opt(F) where_opt(W) group_opt(G) having_opt(H) window_opt(V). {
    A = parse_select(p, T.at);
    A->distinct = D.distinct;
    A->distinct_on = D.on;
    A->targets = L;
    A->from = F;
    A->where = W;
    A->group_by = G;
    A->having = H;
    A->windows = V;
}
simple(A) ::= SELECT(T) FROM froms(F) where_opt(W) group_opt(G) having_opt(H) window_opt(V). {      /* EXISTS (SELECT FROM t): rows without columns */
    A = parse_select(p, T.at);
    A->from = F;
    A->where = W;
    A->group_by = G;
    A->having = H;
    A->windows = V;
}
simple(A) ::= VALUES(T) rows(L). { A = parse_select(p, T.at); A->values = L; }
simple(A) ::= TABLE(T) qname(N). {
    A = parse_select(p, T.at);
    AstFrom *table = parse_from(p, FROM_TABLE, N.at, NULL);
    table->name = N.text;
    PUSH(A->from, table);
    PUSH(A->targets, ((AstTarget){.expr = parse_star(p, NULL), .pos = A->pos}));
}
simple(A) ::= setexpr(L) UNION all_opt(F) setexpr(R). [UNION] { A = parse_set_op(p, L, SET_UNION, F, R); }
simple(A) ::= setexpr(L) EXCEPT all_opt(F) setexpr(R). [EXCEPT] { A = parse_set_op(p, L, SET_EXCEPT, F, R); }
simple(A) ::= setexpr(L) INTERSECT all_opt(F) setexpr(R). [INTERSECT] { A = parse_set_op(p, L, SET_INTERSECT, F, R); }

%type all_opt {bool}
all_opt(A) ::= . { A = false; }
all_opt(A) ::= ALL. { A = true; }
all_opt(A) ::= DISTINCT. { A = false; }

rows(A) ::= row(R). { A = (AstRows){0}; PUSH(A, R); }
rows(A) ::= rows(A) COMMA row(R). { PUSH(A, R); }
row(A) ::= LP row_items(L) RP. { A = L; }
row_items(A) ::= value(E). { A = NO_EXPRS; PUSH(A, E); }
row_items(A) ::= row_items(A) COMMA value(E). { PUSH(A, E); }
value(A) ::= expr(A).
value(A) ::= DEFAULT(T). { A = parse_node(p, AST_DEFAULT, T.at); }

with_opt(A) ::= . { A = (With){0}; }
with_opt(A) ::= with(A).
with(A) ::= WITH ctes(L). { A = (With){L, false}; }
with(A) ::= WITH RECURSIVE ctes(L). { A = (With){L, true}; }
ctes(A) ::= cte(E). { A = (AstCtes){0}; PUSH(A, *E); }
ctes(A) ::= ctes(A) COMMA cte(E). { PUSH(A, *E); }
%type cte {AstCte *}
%type ctes {AstCtes}
cte(A) ::= ID(N) names_opt(C) AS materialized LP select(S) RP. { A = NEW(p->arena, AstCte); *A = (AstCte){.name = N.text, .columns = C, .select = S, .pos = token_pos(N)}; }
cte(A) ::= ID(N) names_opt(C) AS materialized LP write(S) RP. { A = NEW(p->arena, AstCte); *A = (AstCte){.name = N.text, .columns = C, .write = S, .pos = token_pos(N)}; parse_written(p, S); }
materialized ::= .
materialized ::= MATERIALIZED.
materialized ::= NOT MATERIALIZED.

%type distinct {Distinct}
distinct(A) ::= . { A = (Distinct){0}; }
distinct(A) ::= ALL. { A = (Distinct){0}; }
distinct(A) ::= DISTINCT. { A = (Distinct){.distinct = true}; }
distinct(A) ::= DISTINCT ON LP exprs(L) RP. { A = (Distinct){true, L}; }

%type targets {AstTargets}
%type target {AstTarget *}
targets(A) ::= target(T). { A = (AstTargets){0}; PUSH(A, *T); }
targets(A) ::= targets(A) COMMA target(T). { PUSH(A, *T); }
target(A) ::= expr(E). { A = NEW(p->arena, AstTarget); *A = (AstTarget){.expr = E, .pos = E->pos}; }
target(A) ::= expr(E) AS label(N). { A = NEW(p->arena, AstTarget); *A = (AstTarget){E, N.text, parse_span(p, E->pos.at)}; }
target(A) ::= expr(E) ID(N). { A = NEW(p->arena, AstTarget); *A = (AstTarget){E, N.text, parse_span(p, E->pos.at)}; }
target(A) ::= STAR(T). { A = NEW(p->arena, AstTarget); *A = (AstTarget){.expr = parse_star(p, NULL), .pos = token_pos(T)}; A->expr->pos = A->pos; }
target(A) ::= primary(E) DOT STAR. { A = NEW(p->arena, AstTarget); *A = (AstTarget){.expr = parse_star(p, E), .pos = E->pos}; }

%type from_opt {AstFroms}
%type froms {AstFroms}
%type tableref {AstFrom *}
%type joined {AstFrom *}
from_opt(A) ::= . { A = (AstFroms){0}; }
from_opt(A) ::= FROM froms(L). { A = L; }
froms(A) ::= tableref(E). { A = (AstFroms){0}; PUSH(A, E); }
froms(A) ::= froms(A) COMMA tableref(E). { PUSH(A, E); }

%type alias_opt {Alias *}
%type alias {Alias *}
alias_opt(A) ::= . { A = NULL; }
alias_opt(A) ::= alias(A).
alias(A) ::= as_opt ID(N). { A = NEW(p->arena, Alias); A->name = N.text; }
alias(A) ::= as_opt ID(N) LP names(L) RP. { A = NEW(p->arena, Alias); *A = (Alias){N.text, L}; }
as_opt ::= .
as_opt ::= AS.

%type relname {Token}
%type qname {Token}
qname(A) ::= ID(A).
qname(A) ::= ID(S) DOT label(N). { A = (Token){.at = S.at, .len = parse_span(p, S.at).len}; A.text = parse_table_name(p, S, N); }

%type ordinality_opt {bool}
ordinality_opt(A) ::= . { A = false; }
ordinality_opt(A) ::= WITH ORDINALITY. { A = true; }

relname(A) ::= ID(A).
relname(A) ::= ID(S) DOT label(N). { A = (Token){.at = S.at, .len = parse_span(p, S.at).len}; A.text = parse_relation_name(p, S, N); }
tableref(A) ::= relname(N) alias_opt(L). { A = parse_from(p, FROM_TABLE, N.at, L); A->name = N.text; }
tableref(A) ::= func(F) ordinality_opt(O) alias_opt(L). { A = parse_from(p, FROM_FUNCTION, F->pos.at, L); A->function = F; A->with_ordinality = O; A->height = F->height + 1; }
tableref(A) ::= LATERAL(T) func(F) ordinality_opt(O) alias_opt(L). { A = parse_from(p, FROM_FUNCTION, T.at, L); A->function = F; A->with_ordinality = O; A->lateral = true; A->height = F->height + 1; }
tableref(A) ::= selectwp(S) alias_opt(L). { A = parse_from(p, FROM_SELECT, S->pos.at, L); A->select = S; A->height = S->height + 1; }
tableref(A) ::= LATERAL(T) selectwp(S) alias_opt(L). { A = parse_from(p, FROM_SELECT, T.at, L); A->select = S; A->lateral = true; A->height = S->height + 1; }
tableref(A) ::= joined(A).
tableref(A) ::= LP(T) joined(J) RP alias(L). { A = parse_named_join(p, T, J, L); }

joined(A) ::= LP(T) joined(J) RP. { A = J; A->pos = token_span(p, T); }
joined(A) ::= tableref(L) CROSS JOIN tableref(R). { A = parse_join(p, L, JOIN_CROSS, R, NULL, false); }
joined(A) ::= tableref(L) join(K) tableref(R) join_qual(Q). { A = parse_join(p, L, K, R, &Q, false); }
joined(A) ::= tableref(L) NATURAL join(K) tableref(R). { A = parse_join(p, L, K, R, NULL, true); }
%type join {JoinKind}
join(A) ::= JOIN. { A = JOIN_INNER; }
join(A) ::= INNER JOIN. { A = JOIN_INNER; }
join(A) ::= LEFT outer_opt JOIN. { A = JOIN_LEFT; }
join(A) ::= RIGHT outer_opt JOIN. { A = JOIN_RIGHT; }
join(A) ::= FULL outer_opt JOIN. { A = JOIN_FULL; }
outer_opt ::= .
outer_opt ::= OUTER.
%type join_qual {JoinQual}
join_qual(A) ::= ON expr(E). { A = (JoinQual){.on = E}; }
join_qual(A) ::= USING LP names(L) RP. { A = (JoinQual){.using_ = L}; }

where_opt(A) ::= . { A = NULL; }
where_opt(A) ::= WHERE expr(E). { A = E; }
having_opt(A) ::= . { A = NULL; }
having_opt(A) ::= HAVING expr(E). { A = E; }

%type group_opt {AstExprs}
%type group_items {AstExprs}
group_opt(A) ::= . { A = NO_EXPRS; }
group_opt(A) ::= GROUP BY group_items(L). { A = L; }
group_items(A) ::= group_item(E). { A = NO_EXPRS; PUSH(A, E); }
group_items(A) ::= group_items(A) COMMA group_item(E). { PUSH(A, E); }
group_item(A) ::= expr(A).
group_item(A) ::= LP(T) RP. { A = parse_list(p, AST_ROW, T.at, &NO_EXPRS); }
group_item(A) ::= ROLLUP(T) LP exprs(L) RP. { A = parse_list(p, AST_ROLLUP, T.at, &L); }
group_item(A) ::= CUBE(T) LP exprs(L) RP. { A = parse_list(p, AST_CUBE, T.at, &L); }
group_item(A) ::= GROUPING(T) SETS LP group_items(L) RP. { A = parse_list(p, AST_GROUPING_SETS, T.at, &L); }

%type window_opt {AstWindows}
%type windows {AstWindows}
%type window {AstWindow *}
window_opt(A) ::= . { A = (AstWindows){0}; }
window_opt(A) ::= WINDOW windows(L). { A = L; }
windows(A) ::= ID(N) AS window(W). { A = (AstWindows){0}; W->name = N.text; PUSH(A, W); }
windows(A) ::= windows(A) COMMA ID(N) AS window(W). { W->name = N.text; PUSH(A, W); }

/* Written out case by case, so that PARTITION, ROWS, RANGE and GROUPS are shifted here and not taken for the name of a base window. */
%type window_body {AstWindow *}
%type frame_opt {Frame *}
%type frame {Frame *}
%type frame_unit {FrameUnit}
%type bound {Bound}
%type exclude_opt {FrameExclude}
window(A) ::= LP(T) window_body(W) RP. { A = W; A->pos = token_span(p, T); }
window(A) ::= LP(T) ID(B) window_body(W) RP. { A = W; A->base = B.text; A->pos = token_span(p, T); }
window_body(A) ::= . { A = parse_window(p, &NO_EXPRS, &NO_ORDERS, NULL); }
window_body(A) ::= PARTITION BY exprs(P) order_opt(O) frame_opt(F). { A = parse_window(p, &P, &O, F); }
window_body(A) ::= order(O) frame_opt(F). { A = parse_window(p, &NO_EXPRS, &O, F); }
window_body(A) ::= frame(F). { A = parse_window(p, &NO_EXPRS, &NO_ORDERS, F); }
frame_opt(A) ::= . { A = NULL; }
frame_opt(A) ::= frame(A).
frame(A) ::= frame_unit(U) bound(S) exclude_opt(X). { A = parse_frame(p, p->end, U, S, (Bound){BOUND_CURRENT_ROW, NULL}, X); }
frame(A) ::= frame_unit(U) BETWEEN(T) bound(S) AND bound(E) exclude_opt(X). { A = parse_frame(p, T.at, U, S, E, X); }
frame_unit(A) ::= ROWS. { A = FRAME_ROWS; }
frame_unit(A) ::= RANGE. { A = FRAME_RANGE; }
frame_unit(A) ::= GROUPS. { A = FRAME_GROUPS; }
bound(A) ::= UNBOUNDED PRECEDING. { A = (Bound){BOUND_UNBOUNDED_PRECEDING, NULL}; }
bound(A) ::= UNBOUNDED FOLLOWING. { A = (Bound){BOUND_UNBOUNDED_FOLLOWING, NULL}; }
bound(A) ::= CURRENT ROWS. { A = (Bound){BOUND_CURRENT_ROW, NULL}; }
bound(A) ::= expr(E) PRECEDING. { A = (Bound){BOUND_PRECEDING, E}; }
bound(A) ::= expr(E) FOLLOWING. { A = (Bound){BOUND_FOLLOWING, E}; }
exclude_opt(A) ::= . { A = EXCLUDE_NO_OTHERS; }
exclude_opt(A) ::= EXCLUDE CURRENT ROWS. { A = EXCLUDE_CURRENT_ROW; }
exclude_opt(A) ::= EXCLUDE GROUP. { A = EXCLUDE_GROUP; }
exclude_opt(A) ::= EXCLUDE TIES. { A = EXCLUDE_TIES; }
exclude_opt(A) ::= EXCLUDE NO OTHERS. { A = EXCLUDE_NO_OTHERS; }

tail(A) ::= order(O). { A = NEW(p->arena, Tail); A->order = O; }
tail(A) ::= order(O) tail_limits(T). { A = T; A->order = O; }
tail(A) ::= tail_limits(A).
tail_limits(A) ::= limits(L). { A = NEW(p->arena, Tail); A->limits = L; }
tail_limits(A) ::= locking(K). { A = NEW(p->arena, Tail); A->locking = K; }
tail_limits(A) ::= limits(L) locking(K). { A = NEW(p->arena, Tail); A->limits = L; A->locking = K; }
tail_limits(A) ::= locking(K) limits(L). { A = NEW(p->arena, Tail); A->limits = L; A->locking = K; }

%type order_opt {AstOrders}
%type order {AstOrders}
%type orders {AstOrders}
%type order_item {AstOrder}
%type direction {bool}
%type nulls_opt {NullsOrder}
order_opt(A) ::= . { A = NO_ORDERS; }
order_opt(A) ::= order(A).
order(A) ::= ORDER BY orders(L). { A = L; }
orders(A) ::= order_item(E). { A = NO_ORDERS; PUSH(A, E); }
orders(A) ::= orders(A) COMMA order_item(E). { PUSH(A, E); }
order_item(A) ::= expr(E) direction(D) nulls_opt(N). { A = (AstOrder){E, D, N}; }
direction(A) ::= . { A = false; }
direction(A) ::= ASC. { A = false; }
direction(A) ::= DESC. { A = true; }
nulls_opt(A) ::= . { A = NULLS_DEFAULT; }
nulls_opt(A) ::= NULLS FIRST. { A = NULLS_FIRST; }
nulls_opt(A) ::= NULLS LAST. { A = NULLS_LAST; }

%type limit {Limits}
%type offset {AstExpr *}
limits(A) ::= limit(A).
limits(A) ::= offset(O). { A = (Limits){.offset = O}; }
limits(A) ::= limit(L) offset(O). { A = L; A.offset = O; }
limits(A) ::= offset(O) limit(L). { A = L; A.offset = O; }
limit(A) ::= LIMIT expr(E). { A = (Limits){.limit = E}; }
limit(A) ::= LIMIT ALL. { A = (Limits){0}; }
limit(A) ::= LIMIT expr COMMA(T) expr. { A = (Limits){0}; fail_hint(p->cc, SQM_ERROR_NOT_SUPPORTED, token_pos(T), "Write LIMIT count OFFSET start.", "LIMIT start, count is not supported"); }
limit(A) ::= FETCH first expr(E) ROWS ONLY. { A = (Limits){.limit = E}; }
limit(A) ::= FETCH first expr(E) ROWS WITH TIES. { A = (Limits){.limit = E, .with_ties = true}; }
limit(A) ::= FETCH first ROWS(T) ONLY. { A = (Limits){.limit = parse_number(p, (Token){.at = T.at, .text = STR("1")}, true)}; }
limit(A) ::= FETCH first ROWS(T) WITH TIES. { A = (Limits){.limit = parse_number(p, (Token){.at = T.at, .text = STR("1")}, true), .with_ties = true}; }
first ::= FIRST.
first ::= NEXT.
offset(A) ::= OFFSET expr(E). { A = E; }
offset(A) ::= OFFSET expr(E) ROWS. { A = E; }

locking(A) ::= lock(K). { A = (AstLockings){0}; PUSH(A, *K); }
locking(A) ::= locking(A) lock(K). { PUSH(A, *K); }
%type lock {AstLocking *}
%type lock_share {bool}
%type lock_of {AstNames}
%type lock_wait {LockWait}
lock(A) ::= FOR(T) lock_share(S) lock_of(O) lock_wait(W). { A = NEW(p->arena, AstLocking); *A = (AstLocking){S, O, W, token_span(p, T)}; }
lock_share(A) ::= UPDATE. { A = false; }
lock_share(A) ::= NO KEY UPDATE. { A = false; }
lock_share(A) ::= SHARE. { A = true; }
lock_share(A) ::= KEY SHARE. { A = true; }
lock_of(A) ::= . { A = NO_NAMES; }
lock_of(A) ::= OF names(L). { A = L; }
lock_wait(A) ::= . { A = LOCK_WAIT; }
lock_wait(A) ::= NOWAIT. { A = LOCK_NOWAIT; }
lock_wait(A) ::= SKIP LOCKED. { A = LOCK_SKIP; }

%type names {AstNames}
%type names_opt {AstNames}
names_opt(A) ::= . { A = NO_NAMES; }
names_opt(A) ::= LP names(L) RP. { A = L; }
names(A) ::= ID(N). { A = NO_NAMES; PUSH(A, N.text); }
names(A) ::= names(A) COMMA ID(N). { PUSH(A, N.text); }

/* ---- expressions ---- */

%type exprs {AstExprs}
%type exprs_opt {AstExprs}
exprs_opt(A) ::= . { A = NO_EXPRS; }
exprs_opt(A) ::= exprs(A).
exprs(A) ::= expr(E). { A = NO_EXPRS; PUSH(A, E); }
exprs(A) ::= exprs(A) COMMA expr(E). { PUSH(A, E); }

expr(A) ::= primary(A).
expr(A) ::= expr(L) OR expr(R). { A = parse_logic(p, AST_OR, L, R); }
expr(A) ::= expr(L) AND expr(R). { A = parse_logic(p, AST_AND, L, R); }
expr(A) ::= NOT|NOT_LA(T) expr(E). [NOT] { A = parse_not(p, T.at, E); }
expr(A) ::= expr(L) comparison(O) expr(R). { A = parse_binary(p, O.op, L, R); }
expr(A) ::= expr(L) other_op(O) expr(R). { A = parse_binary(p, O.op, L, R); }
expr(A) ::= expr(L) sum_op(O) expr(R). { A = parse_binary(p, O.op, L, R); }
expr(A) ::= expr(L) product_op(O) expr(R). { A = parse_binary(p, O.op, L, R); }
expr(A) ::= expr(L) POW(O) expr(R). { A = parse_binary(p, O.op, L, R); }
expr(A) ::= TILDE(T) expr(E). { A = parse_unary(p, T.at, OP_BIT_NOT, E); }
expr(A) ::= MINUS(T) expr(E). [UMINUS] { A = parse_unary(p, T.at, OP_NEG, E); }
expr(A) ::= PLUS(T) expr(E). [UMINUS] { A = parse_unary(p, T.at, OP_POS, E); }
expr(A) ::= expr(E) TYPECAST type(T). { A = parse_cast(p, E->pos.at, E, T); }
expr(A) ::= expr(E) COLLATE ID(N). { A = parse_collate(p, E, N); }
expr(A) ::= expr(E) AT TIME ZONE expr(Z). [AT] { A = parse_call(p, E->pos.at, STR("timezone"), 2, Z, E); }

expr(A) ::= expr(E) ISNULL. { A = parse_is(p, E, IS_NULL, false); }
expr(A) ::= expr(E) NOTNULL. { A = parse_is(p, E, IS_NULL, true); }
expr(A) ::= expr(E) IS not_opt(N) is_what(K). [IS] { A = parse_is(p, E, K, N); }
expr(A) ::= expr(L) IS not_opt(N) DISTINCT FROM expr(R). [IS] { A = parse_two(p, AST_IS_DISTINCT, L, R, N); }
%type not_opt {bool}
%type is_what {IsKind}
not_opt(A) ::= . { A = false; }
not_opt(A) ::= NOT. { A = true; }
is_what(A) ::= NULL. { A = IS_NULL; }
is_what(A) ::= TRUE. { A = IS_TRUE; }
is_what(A) ::= FALSE. { A = IS_FALSE; }
is_what(A) ::= UNKNOWN. { A = IS_UNKNOWN; }

expr(A) ::= expr(L) LIKE expr(R). { A = parse_like(p, LIKE_LIKE, false, L, R, NULL); }
expr(A) ::= expr(L) LIKE expr(R) ESCAPE expr(E). [LIKE] { A = parse_like(p, LIKE_LIKE, false, L, R, E); }
expr(A) ::= expr(L) NOT_LA LIKE expr(R). [NOT_LA] { A = parse_like(p, LIKE_LIKE, true, L, R, NULL); }
expr(A) ::= expr(L) NOT_LA LIKE expr(R) ESCAPE expr(E). [NOT_LA] { A = parse_like(p, LIKE_LIKE, true, L, R, E); }
expr(A) ::= expr(L) ILIKE expr(R). { A = parse_like(p, LIKE_ILIKE, false, L, R, NULL); }
expr(A) ::= expr(L) ILIKE expr(R) ESCAPE expr(E). [ILIKE] { A = parse_like(p, LIKE_ILIKE, false, L, R, E); }
expr(A) ::= expr(L) NOT_LA ILIKE expr(R). [NOT_LA] { A = parse_like(p, LIKE_ILIKE, true, L, R, NULL); }
expr(A) ::= expr(L) NOT_LA ILIKE expr(R) ESCAPE expr(E). [NOT_LA] { A = parse_like(p, LIKE_ILIKE, true, L, R, E); }
expr(A) ::= expr(L) SIMILAR TO expr(R). [SIMILAR] { A = parse_like(p, LIKE_SIMILAR, false, L, R, NULL); }
expr(A) ::= expr(L) SIMILAR TO expr(R) ESCAPE expr(E). [SIMILAR] { A = parse_like(p, LIKE_SIMILAR, false, L, R, E); }
expr(A) ::= expr(L) NOT_LA SIMILAR TO expr(R). [NOT_LA] { A = parse_like(p, LIKE_SIMILAR, true, L, R, NULL); }
expr(A) ::= expr(L) NOT_LA SIMILAR TO expr(R) ESCAPE expr(E). [NOT_LA] { A = parse_like(p, LIKE_SIMILAR, true, L, R, E); }
expr(A) ::= expr(L) LIKE_OP expr(R). { A = parse_like(p, LIKE_LIKE, false, L, R, NULL); }
expr(A) ::= expr(L) ILIKE_OP expr(R). { A = parse_like(p, LIKE_ILIKE, false, L, R, NULL); }
expr(A) ::= expr(L) NOT_LIKE_OP expr(R). { A = parse_like(p, LIKE_LIKE, true, L, R, NULL); }
expr(A) ::= expr(L) NOT_ILIKE_OP expr(R). { A = parse_like(p, LIKE_ILIKE, true, L, R, NULL); }

expr(A) ::= expr(E) BETWEEN symmetric(S) expr(L) AND expr(H). [BETWEEN] { A = parse_between(p, E, L, H, false, S); }
expr(A) ::= expr(E) NOT_LA BETWEEN symmetric(S) expr(L) AND expr(H). [NOT_LA] { A = parse_between(p, E, L, H, true, S); }
%type symmetric {bool}
symmetric(A) ::= . { A = false; }
symmetric(A) ::= ASYMMETRIC. { A = false; }
symmetric(A) ::= SYMMETRIC. { A = true; }

/* x IN %s: the parameter holds the whole list, as with psycopg2. */
expr(A) ::= expr(E) IN LP exprs_opt(L) RP. [IN] { A = parse_in_list(p, E, &L, false); }
expr(A) ::= expr(E) IN selectwp(S). [IN] { A = parse_in_select(p, E, S, false); }
expr(A) ::= expr(E) IN PARAM(T). [IN] { A = parse_quantified(p, E, OP_EQ, false, NULL, parse_parameter(p, T)); }
expr(A) ::= expr(E) NOT_LA IN LP exprs_opt(L) RP. [NOT_LA] { A = parse_in_list(p, E, &L, true); }
expr(A) ::= expr(E) NOT_LA IN selectwp(S). [NOT_LA] { A = parse_in_select(p, E, S, true); }
expr(A) ::= expr(E) NOT_LA IN PARAM(T). [NOT_LA] { A = parse_quantified(p, E, OP_NE, true, NULL, parse_parameter(p, T)); }

expr(A) ::= expr(E) comparison(O) all_or_any(Q) selectwp(S). [OP] { A = parse_quantified(p, E, O.op, Q, S, NULL); }
expr(A) ::= expr(E) comparison(O) all_or_any(Q) LP expr(R) RP. [OP] { A = parse_quantified(p, E, O.op, Q, NULL, R); }
expr(A) ::= expr(E) other_op(O) all_or_any(Q) selectwp(S). [OP] { A = parse_quantified(p, E, O.op, Q, S, NULL); }
expr(A) ::= expr(E) other_op(O) all_or_any(Q) LP expr(R) RP. [OP] { A = parse_quantified(p, E, O.op, Q, NULL, R); }
%type all_or_any {bool}
all_or_any(A) ::= ALL. { A = true; }
all_or_any(A) ::= ANY. { A = false; }
all_or_any(A) ::= SOME. { A = false; }

/* What may stand where a following NOT, IN or CHECK belongs to something else: DEFAULT values, POSITION(a IN b). */
bexpr(A) ::= primary(A).
bexpr(A) ::= bexpr(L) other_op(O) bexpr(R). { A = parse_binary(p, O.op, L, R); }
bexpr(A) ::= bexpr(L) sum_op(O) bexpr(R). { A = parse_binary(p, O.op, L, R); }
bexpr(A) ::= bexpr(L) product_op(O) bexpr(R). { A = parse_binary(p, O.op, L, R); }
bexpr(A) ::= MINUS(T) bexpr(E). [UMINUS] { A = parse_unary(p, T.at, OP_NEG, E); }
bexpr(A) ::= PLUS(T) bexpr(E). [UMINUS] { A = parse_unary(p, T.at, OP_POS, E); }
bexpr(A) ::= bexpr(E) TYPECAST type(T). { A = parse_cast(p, E->pos.at, E, T); }

primary(A) ::= INTEGER(T). { A = parse_number(p, T, true); }
primary(A) ::= NUMBER(T). { A = parse_number(p, T, false); }
primary(A) ::= STRING(T). { A = parse_text(p, T); }
primary(A) ::= BYTES(T). { A = parse_bytes(p, T); }
primary(A) ::= NULL(T). { A = parse_null(p, T); }
primary(A) ::= TRUE(T). { A = parse_bool(p, T, true); }
primary(A) ::= FALSE(T). { A = parse_bool(p, T, false); }
primary(A) ::= PARAM(T). { A = parse_parameter(p, T); }
primary(A) ::= ID(T). { A = parse_name(p, T); }
primary(A) ::= primary(E) DOT label(N). { A = parse_dot(p, E, N); }
primary(A) ::= primary(S) DOT label(N) LP exprs_opt(L) RP. { A = parse_qualified_function(p, S, N, &L); }
primary(A) ::= ID(N) STRING(T). { A = parse_typed_literal(p, N, false, T, (Str){0}); }
primary(A) ::= ID(N) WITH(W) TIME ZONE STRING(T). { A = parse_typed_literal(p, N, true, T, (Str){0}); (void)W; }
primary(A) ::= INTERVAL(N) STRING(T). { A = parse_typed_literal(p, N, false, T, (Str){0}); }
primary(A) ::= INTERVAL(N) STRING(T) UNIT(U). { A = parse_typed_literal(p, N, false, T, U.text); }
primary(A) ::= INTERVAL STRING UNIT TO(W) UNIT. { A = NULL; parse_refuse(p, token_pos(W), "an interval with a range of units"); }
primary(A) ::= LP(T) expr(E) RP. { A = E; A->parenthesised = true; A->pos = token_span(p, T); }
primary(A) ::= LP(T) expr(E) COMMA exprs(L) RP. { A = parse_call_list(p, T.at, (Str){0}, E, &L); }
primary(A) ::= ROW(T) LP exprs_opt(L) RP. { A = parse_list(p, AST_ROW, T.at, &L); }
primary(A) ::= selectwp(S). [UMINUS] { A = parse_query_node(p, AST_SUBQUERY, S->pos.at, S); }
primary(A) ::= EXISTS(T) selectwp(S). { A = parse_query_node(p, AST_EXISTS, T.at, S); }
primary(A) ::= ARRAY(T) selectwp(S). { A = parse_query_node(p, AST_ARRAY_SELECT, T.at, S); }
primary(A) ::= ARRAY(T) array_items(E). { A = E; A->pos = token_span(p, T); }
primary(A) ::= primary(E) LBRACKET expr(I) RBRACKET. { A = parse_subscript(p, E, I, NULL, false); }
primary(A) ::= primary(E) LBRACKET slice_end(L) COLON slice_end(H) RBRACKET. { A = parse_subscript(p, E, L, H, true); }
slice_end(A) ::= . { A = NULL; }
slice_end(A) ::= expr(A).

array_items(A) ::= LBRACKET(T) exprs_opt(L) RBRACKET. { A = parse_list(p, AST_ARRAY, T.at, &L); }
array_items(A) ::= LBRACKET(T) arrays(L) RBRACKET. { A = parse_list(p, AST_ARRAY, T.at, &L); }
%type arrays {AstExprs}
arrays(A) ::= array_items(E). { A = NO_EXPRS; PUSH(A, E); }
arrays(A) ::= arrays(A) COMMA array_items(E). { PUSH(A, E); }

primary(A) ::= CASE(T) case_operand(O) arms(E) else_opt(X) END. { A = parse_case_end(p, T.at, E, O, X); }
case_operand(A) ::= . { A = NULL; }
case_operand(A) ::= expr(A).
arms(A) ::= WHEN(T) expr(W) THEN expr(X). { A = parse_case_arm(p, parse_node(p, AST_CASE, T.at), W, X); }
arms(A) ::= arms(E) WHEN expr(W) THEN expr(X). { A = parse_case_arm(p, E, W, X); }
else_opt(A) ::= . { A = NULL; }
else_opt(A) ::= ELSE expr(E). { A = E; }

primary(A) ::= CAST(T) LP expr(E) AS type(Y) RP. { A = parse_cast(p, T.at, E, Y); }
primary(A) ::= EXTRACT(T) LP expr(F) FROM expr(E) RP. { A = parse_extract(p, T.at, F, E); }
primary(A) ::= POSITION(T) LP bexpr(L) IN bexpr(R) RP. { A = parse_call(p, T.at, STR("position"), 2, L, R); }
primary(A) ::= POSITION(T) LP bexpr(L) COMMA bexpr(R) RP. { A = parse_call(p, T.at, STR("position"), 2, L, R); }
primary(A) ::= SUBSTRING(T) LP expr(E) FROM expr(F) RP. { A = parse_call(p, T.at, STR("substring"), 2, E, F); }
primary(A) ::= SUBSTRING(T) LP expr(E) FROM expr(F) FOR expr(N) RP. { A = parse_call(p, T.at, STR("substring"), 3, E, F, N); }
primary(A) ::= SUBSTRING(T) LP expr(E) FOR expr(N) FROM expr(F) RP. { A = parse_call(p, T.at, STR("substring"), 3, E, F, N); }
primary(A) ::= SUBSTRING(T) LP expr(E) FOR expr(N) RP. { A = parse_call(p, T.at, STR("substring"), 3, E, parse_number(p, (Token){.at = T.at, .text = STR("1")}, true), N); }
primary(A) ::= SUBSTRING(T) LP exprs(L) RP. { A = parse_call_list(p, T.at, STR("substring"), NULL, &L); }
primary(A) ::= OVERLAY(T) LP expr(E) PLACING expr(B) FROM expr(F) RP. { A = parse_call(p, T.at, STR("overlay"), 3, E, B, F); }
primary(A) ::= OVERLAY(T) LP expr(E) PLACING expr(B) FROM expr(F) FOR expr(N) RP. { A = parse_call(p, T.at, STR("overlay"), 4, E, B, F, N); }
primary(A) ::= OVERLAY(T) LP exprs(L) RP. { A = parse_call_list(p, T.at, STR("overlay"), NULL, &L); }
primary(A) ::= TRIM(T) LP trim_side(S) trim_args(E) RP. { A = E; A->name = S; A->pos = token_span(p, T); }
%type trim_side {Str}
trim_side(A) ::= . { A = STR("btrim"); }
trim_side(A) ::= BOTH. { A = STR("btrim"); }
trim_side(A) ::= LEADING. { A = STR("ltrim"); }
trim_side(A) ::= TRAILING. { A = STR("rtrim"); }
trim_args(A) ::= expr(C) FROM exprs(L). { AstExprs args = L; PUSH(args, C); A = parse_call_list(p, C->pos.at, STR("btrim"), NULL, &args); }
trim_args(A) ::= FROM(T) exprs(L). { A = parse_call_list(p, T.at, STR("btrim"), NULL, &L); }
trim_args(A) ::= exprs(L). { A = parse_call_list(p, p->end, STR("btrim"), NULL, &L); }
primary(A) ::= session(T). { A = parse_word_function(p, T, NULL); }
primary(A) ::= clock(T). { A = parse_word_function(p, T, NULL); }
primary(A) ::= clock(T) LP expr(E) RP. { A = parse_word_function(p, T, E); }

primary(A) ::= func(F) within_opt(O) filter_opt(W) over_opt(V). { A = F; if (O.n) A->order = O, A->within_group = true; A->filter = W; parse_over(p, A, V); }
%type within_opt {AstOrders}
%type over_opt {AstWindow *}
within_opt(A) ::= . { A = NO_ORDERS; }
within_opt(A) ::= WITHIN GROUP LP order(O) RP. { A = O; }
filter_opt(A) ::= . { A = NULL; }
filter_opt(A) ::= FILTER LP WHERE expr(E) RP. { A = E; }
over_opt(A) ::= . { A = NULL; }
over_opt(A) ::= OVER ID(N). { A = NEW(p->arena, AstWindow); A->name = N.text; A->pos = token_pos(N); }
over_opt(A) ::= OVER window(W). { A = W; }

func(A) ::= ID(N) LP exprs_opt(L) RP. { A = parse_function(p, N, &L); }
func(A) ::= ID(N) LP exprs(L) order(O) RP. { A = parse_function(p, N, &L); A->order = O; }
func(A) ::= ID(N) LP ALL exprs(L) order_opt(O) RP. { A = parse_function(p, N, &L); A->order = O; }
func(A) ::= ID(N) LP DISTINCT exprs(L) order_opt(O) RP. { A = parse_function(p, N, &L); A->distinct = true; A->order = O; }
func(A) ::= ID(N) LP STAR RP. { A = parse_function(p, N, &NO_EXPRS); A->star = true; }

/* JSON_VALUE(document, '$.path' RETURNING type NULL ON EMPTY ...): the clauses are collected in a node of their own. */
primary(A) ::= ID(N) LP exprs(L) json_clauses(J) RP. { A = parse_json_call(p, N, &L, J); }
json_clauses(A) ::= RETURNING(T) type(Y). { A = parse_node(p, AST_FUNCTION, T.at); A->type = Y; }
json_clauses(A) ::= json_on(A).
json_clauses(A) ::= json_clauses(B) json_on(C). { A = parse_json_on_both(p, B, C); }
json_on(A) ::= NULL(T) ON ID(W). { A = parse_json_on(p, T.at, JSON_ON_NULL, NULL, W); }
json_on(A) ::= DEFAULT(T) expr(E) ON ID(W). { A = parse_json_on(p, T.at, JSON_ON_DEFAULT, E, W); }
json_on(A) ::= ID(T) ON ID(W). { A = parse_json_on(p, T.at, parse_json_word(p, T), NULL, W); }

/* ---- types ---- */

%type type {AstType *}
%type type_name {AstType *}
%type modifiers_opt {AstExprs}
type(A) ::= type_name(A).
type(A) ::= type_name(T) array_bounds. { A = T; A->is_array = true; A->pos = parse_span(p, A->pos.at); }
type(A) ::= type_name(T) ARRAY. { A = T; A->is_array = true; A->pos = parse_span(p, A->pos.at); }
array_bounds ::= array_bound.
array_bounds ::= array_bounds array_bound.
array_bound ::= LBRACKET RBRACKET.
array_bound ::= LBRACKET INTEGER RBRACKET.
type_name(A) ::= ID(N) modifiers_opt(M). { A = parse_type(p, N.at, N.text, &M); }
type_name(A) ::= ID(N) modifiers_opt(M) WITH TIME ZONE. { A = parse_type(p, N.at, arena_printf(p->arena, STR_FMT " with time zone", STR_ARG(N.text)), &M); }
type_name(A) ::= ID(N) modifiers_opt(M) WITHOUT TIME ZONE. { A = parse_type(p, N.at, N.text, &M); }
type_name(A) ::= ARRAY(N). { A = parse_type(p, N.at, STR("array"), &NO_EXPRS); }
type_name(A) ::= DOUBLE(N) PRECISION. { A = parse_type(p, N.at, STR("double precision"), &NO_EXPRS); }
type_name(A) ::= CHARACTER(N) VARYING modifiers_opt(M). { A = parse_type(p, N.at, STR("varchar"), &M); }
modifiers_opt(A) ::= . { A = NO_EXPRS; }
modifiers_opt(A) ::= LP exprs(L) RP. { A = L; }

/* ---- INSERT, UPDATE, DELETE ---- */

%type insert_columns {AstInsert *}
%type insert_into {AstInsert *}
%type insert_source {AstInsert *}
%type conflict_opt {AstInsert *}
%type conflict_target {AstInsert *}
%type returning_opt {AstTargets}
write(A) ::= with_opt(W) INSERT(T) INTO insert_into(I) insert_source(S) conflict_opt(C) returning_opt(R). {
    A = parse_stmt(p, STMT_INSERT, T.at);
    A->insert = S;
    S->with = W.list;
    S->recursive = W.recursive;
    S->table = I->table;
    S->alias = I->alias;
    S->table_pos = I->table_pos;
    if (C) {
        S->on_conflict = true;
        S->do_nothing = C->do_nothing;
        S->conflict_columns = C->conflict_columns;
        S->conflict_constraint = C->conflict_constraint;
        S->conflict_set = C->conflict_set;
        S->conflict_where = C->conflict_where;
        S->conflict_index_where = C->conflict_index_where;
    }
    S->returning = R;
}
insert_into(A) ::= qname(N). { A = NEW(p->arena, AstInsert); A->table = N.text; A->table_pos = token_pos(N); }
insert_into(A) ::= qname(N) AS ID(L). { A = NEW(p->arena, AstInsert); A->table = N.text; A->table_pos = token_pos(N); A->alias = L.text; }
insert_source(A) ::= select(S). { A = NEW(p->arena, AstInsert); A->select = S; }
insert_source(A) ::= overriding(O) select(S). { A = NEW(p->arena, AstInsert); A->overriding = O; A->select = S; }
insert_source(A) ::= LP insert_columns(I) RP select(S). { A = I; A->select = S; }
insert_source(A) ::= LP insert_columns(I) RP overriding(O) select(S). { A = I; A->overriding = O; A->select = S; }
insert_source(A) ::= DEFAULT VALUES. { A = NEW(p->arena, AstInsert); }
%type overriding {Overriding}
overriding(A) ::= OVERRIDING SYSTEM VALUE. { A = OVERRIDING_SYSTEM; }
overriding(A) ::= OVERRIDING USER VALUE. { A = OVERRIDING_USER; }
insert_columns(A) ::= ID(N). { A = NEW(p->arena, AstInsert); PUSH(A->columns, N.text); PUSH(A->column_pos, token_pos(N)); }
insert_columns(A) ::= insert_columns(A) COMMA ID(N). { PUSH(A->columns, N.text); PUSH(A->column_pos, token_pos(N)); }

conflict_opt(A) ::= . { A = NULL; }
conflict_opt(A) ::= ON CONFLICT conflict_target(C) DO NOTHING. { A = C; A->do_nothing = true; }
conflict_opt(A) ::= ON CONFLICT conflict_target(C) DO UPDATE SET assigns(L) where_opt(W). { A = C; A->conflict_set = L; A->conflict_where = W; }
conflict_target(A) ::= . { A = NEW(p->arena, AstInsert); }
conflict_target(A) ::= LP names(L) RP where_opt(W). { A = NEW(p->arena, AstInsert); A->conflict_columns = L; A->conflict_index_where = W; }
conflict_target(A) ::= ON CONSTRAINT ID(N). { A = NEW(p->arena, AstInsert); A->conflict_constraint = N.text; }

returning_opt(A) ::= . { A = (AstTargets){0}; }
returning_opt(A) ::= RETURNING targets(L). { A = L; }

%type assigns {AstAssigns}
assigns(A) ::= assign(L). { A = L; }
assigns(A) ::= assigns(A) COMMA assign(L). { for (int i = 0; i < L.n; i++) PUSH(A, L.at[i]); }
%type assign {AstAssigns}
assign(A) ::= ID(N) EQ value(E). { A = (AstAssigns){0}; parse_assign(p, &A, N.at, N, E); }
assign(A) ::= ID(N) assign_steps(S) EQ value(E). { A = (AstAssigns){0}; parse_assign(p, &A, N.at, N, E); A.at[0].steps = S; }
%type assign_steps {AstExprs}
assign_steps(A) ::= assign_step(E). { A = NO_EXPRS; PUSH(A, E); }
assign_steps(A) ::= assign_steps(A) assign_step(E). { PUSH(A, E); }
assign_step(A) ::= DOT label(N). { A = parse_text(p, N); }
assign_step(A) ::= LBRACKET expr(E) RBRACKET. { A = E; }
assign(A) ::= LP(T) names(L) RP EQ row(R). { A = (AstAssigns){0}; AstExpr *e = parse_list(p, AST_ROW, T.at, &R); parse_assign_row(p, &A, T.at, &L, e); }
assign(A) ::= LP(T) names(L) RP EQ ROW row(R). { A = (AstAssigns){0}; AstExpr *e = parse_list(p, AST_ROW, T.at, &R); parse_assign_row(p, &A, T.at, &L, e); }
assign(A) ::= LP(T) names(L) RP EQ selectwp(S). { A = (AstAssigns){0}; parse_assign_select(p, &A, T.at, &L, S); }

write(A) ::= with_opt(W) UPDATE(T) only_opt qname(N) alias_opt(L) SET assigns(S) from_opt(F) where_opt(C) returning_opt(R). {
    A = parse_stmt(p, STMT_UPDATE, T.at);
    A->update = NEW(p->arena, AstUpdate);
    *A->update = (AstUpdate){.with = W.list, .recursive = W.recursive, .table = N.text, .alias = L ? L->name : (Str){0}, .table_pos = token_pos(N),
                             .set = S, .from = F, .where = C, .returning = R};
}
%type using_opt {AstFroms}
using_opt(A) ::= . { A = (AstFroms){0}; }
using_opt(A) ::= USING froms(L). { A = L; }
write(A) ::= with_opt(W) DELETE(T) FROM only_opt qname(N) alias_opt(L) using_opt(U) where_opt(C) returning_opt(R). {
    A = parse_stmt(p, STMT_DELETE, T.at);
    A->delete_ = NEW(p->arena, AstDelete);
    *A->delete_ = (AstDelete){.with = W.list, .recursive = W.recursive, .table = N.text, .alias = L ? L->name : (Str){0}, .table_pos = token_pos(N),
                              .using_ = U, .where = C, .returning = R};
}
only_opt ::= .
only_opt ::= ONLY.

/* ---- CREATE TABLE ---- */

%type if_exists {bool}
%type if_not_exists {bool}
%type temporary {bool}
%type cascade_opt {bool}
%type qnames {AstNames}
if_exists(A) ::= . { A = false; }
if_exists(A) ::= IF EXISTS. { A = true; }
if_not_exists(A) ::= . { A = false; }
if_not_exists(A) ::= IF NOT EXISTS. { A = true; }
temporary(A) ::= . { A = false; }
temporary(A) ::= TEMPORARY. { A = true; }
cascade_opt(A) ::= . { A = false; }
cascade_opt(A) ::= CASCADE. { A = true; }
cascade_opt(A) ::= RESTRICT. { A = false; }
qnames(A) ::= qname(N). { A = NO_NAMES; PUSH(A, N.text); }
qnames(A) ::= qnames(A) COMMA qname(N). { PUSH(A, N.text); }

%type elements {AstCreateTable *}
%type column {AstColumnDef *}
%type column_head {AstColumnDef *}
%type constraint {AstConstraint *}
%type constraint_body {AstConstraint *}
stmt(A) ::= CREATE(T) temporary(M) TABLE if_not_exists(I) qname(N) LP elements(E) RP options_opt(O). {
    A = parse_stmt(p, STMT_CREATE_TABLE, T.at);
    A->name = N.text;
    A->create_table = E;
    E->table = N.text;
    E->if_not_exists = A->if_not_exists = I;
    E->temporary = M;
    E->adopt = p->adopt;
    E->implicit = p->implicit;
    E->enforced = p->enforced;
    E->options = O;
}
stmt(A) ::= CREATE(T) temporary(M) TABLE if_not_exists(I) qname(N) AS(W) select(S). {
    A = parse_stmt(p, STMT_CREATE_TABLE, T.at);
    A->name = N.text;
    A->if_not_exists = I;
    A->create_table = NEW(p->arena, AstCreateTable);
    *A->create_table = (AstCreateTable){.table = N.text, .if_not_exists = I, .temporary = M};
    A->select = S;
    A->text = parse_select_text(p, S, parse_span(p, W.at + W.len));
}
elements(A) ::= column(C). { A = NEW(p->arena, AstCreateTable); PUSH(A->columns, C); }
elements(A) ::= constraint(C). { A = NEW(p->arena, AstCreateTable); PUSH(A->constraints, C); }
elements(A) ::= elements(A) COMMA column(C). { PUSH(A->columns, C); }
elements(A) ::= elements(A) COMMA constraint(C). { PUSH(A->constraints, C); }

column(A) ::= column_head(C). { A = C; A->pos = parse_span(p, A->pos.at); parse_column_end(p); }
column_head(A) ::= ID(N) type(T). { A = parse_column(p, N, T); }
column_head(A) ::= column_head(A) CONSTRAINT ID(N). { p->constraint_name = N.text; p->constraint_pos = token_pos(N); }
column_head(A) ::= column_head(A) NOT NULL. { A->not_null = true; p->constraint_name = (Str){0}; }
column_head(A) ::= column_head(A) NULL. { A->is_null = true; p->constraint_name = (Str){0}; }
column_head(A) ::= column_head(A) DEFAULT bexpr(E). { A->default_ = E; A->default_text = parse_expr_text(p, E, E->pos); }
column_head(A) ::= column_head(A) COLLATE ID(N). { parse_collation(p, A, N); }
column_head(A) ::= column_head(A) GENERATED ALWAYS AS IDENTITY. { A->identity = A->identity_always = true; }
column_head(A) ::= column_head(A) GENERATED BY DEFAULT AS IDENTITY. { A->identity = true; }
column_head(A) ::= column_head(A) AUTOINCREMENT. { A->identity = true; }
column_head(A) ::= column_head(A) GENERATED ALWAYS AS LP(T) expr(E) RP(U) stored(S). { A->generated = E; A->generated_text = parse_expr_text(p, E, (Pos){T.at + 1, U.at - T.at - 1}); A->generated_stored = S; }
column_head(A) ::= column_head(A) PRIMARY(T) KEY. { PUSH(A->constraints, parse_constraint(p, CONSTRAINT_PRIMARY_KEY, T.at)); }
column_head(A) ::= column_head(A) UNIQUE(T) nulls_distinct(N). { AstConstraint *c = parse_constraint(p, CONSTRAINT_UNIQUE, T.at); c->nulls_not_distinct = N; PUSH(A->constraints, c); }
column_head(A) ::= column_head(A) check(C). { PUSH(A->constraints, C); }
column_head(A) ::= column_head(A) references(C). { PUSH(A->constraints, C); }
column_head(A) ::= column_head(A) DEFERRABLE. { parse_deferrable(p, parse_last_constraint(p, A), true, false); }
column_head(A) ::= column_head(A) NOT DEFERRABLE. { parse_deferrable(p, parse_last_constraint(p, A), false, false); }
column_head(A) ::= column_head(A) INITIALLY DEFERRED. { parse_deferrable(p, parse_last_constraint(p, A), true, true); }
column_head(A) ::= column_head(A) INITIALLY IMMEDIATE. { parse_last_constraint(p, A)->initially_deferred = false; }
%type generated_when {bool}
generated_when(A) ::= ALWAYS. { A = true; }
generated_when(A) ::= BY DEFAULT. { A = false; }
%type stored {bool}
stored(A) ::= STORED. { A = true; }
stored(A) ::= VIRTUAL. { A = false; }
stored(A) ::= . { A = false; }
%type nulls_distinct {bool}
nulls_distinct(A) ::= . { A = false; }
nulls_distinct(A) ::= NULLS DISTINCT. { A = false; }
nulls_distinct(A) ::= NULLS NOT DISTINCT. { A = true; }

%type check {AstConstraint *}
%type references {AstConstraint *}
check(A) ::= CHECK(K) LP(T) expr(E) RP(U). { A = parse_constraint(p, CONSTRAINT_CHECK, K.at); A->check = E; A->check_text = parse_expr_text(p, E, (Pos){T.at + 1, U.at - T.at - 1}); }
references(A) ::= REFERENCES(T) qname(N) names_opt(L) fk_actions(D). { A = parse_constraint(p, CONSTRAINT_FOREIGN_KEY, T.at); A->references = N.text; A->references_columns = L; A->actions = D; }
%type fk_actions {AstActions}
fk_actions(A) ::= . { A = (AstActions){0}; }
fk_actions(A) ::= fk_actions(B) ON DELETE fk_action(W). { A = B; A.on_delete = W; }
fk_actions(A) ::= fk_actions(B) ON UPDATE fk_action(W). { A = B; A.on_update = W; }
fk_actions(A) ::= fk_actions(B) MATCH(T) ID(N). { A = B; if (!str_ieq(N.text, STR("simple"))) parse_refuse(p, token_pos(T), "MATCH other than SIMPLE"); }
fk_actions(A) ::= fk_actions(B) MATCH(T) FULL. { A = B; parse_refuse(p, token_pos(T), "MATCH other than SIMPLE"); }
%type fk_action {Str}
fk_action(A) ::= NO ACTION. { A = (Str){0}; }
fk_action(A) ::= RESTRICT. { A = (Str){0}; }
fk_action(A) ::= CASCADE. { A = STR("CASCADE"); }
fk_action(A) ::= SET NULL. { A = STR("SET NULL"); }
fk_action(A) ::= SET DEFAULT. { A = STR("SET DEFAULT"); }

constraint(A) ::= constraint_body(A).
constraint(A) ::= CONSTRAINT(T) ID(N) constraint_body(C). { A = C; A->name = N.text; A->pos = token_span(p, T); }
constraint(A) ::= constraint(A) DEFERRABLE. { parse_deferrable(p, A, true, false); }
constraint(A) ::= constraint(A) NOT DEFERRABLE. { parse_deferrable(p, A, false, false); }
constraint(A) ::= constraint(A) INITIALLY DEFERRED. { parse_deferrable(p, A, true, true); }
constraint(A) ::= constraint(A) INITIALLY IMMEDIATE. { A->initially_deferred = false; }
constraint_body(A) ::= PRIMARY(T) KEY LP names(L) RP. { A = parse_constraint(p, CONSTRAINT_PRIMARY_KEY, T.at); A->columns = L; }
constraint_body(A) ::= UNIQUE(T) nulls_distinct(N) LP names(L) RP include_opt. { A = parse_constraint(p, CONSTRAINT_UNIQUE, T.at); A->columns = L; A->nulls_not_distinct = N; }
constraint_body(A) ::= check(A).
constraint_body(A) ::= FOREIGN(T) KEY LP names(L) RP references(C). { A = C; A->columns = L; A->pos = token_span(p, T); }
%type include_opt {AstNames}
include_opt(A) ::= . { A = NO_NAMES; }
include_opt(A) ::= INCLUDE LP names(L) RP. { A = L; }

/* ---- ALTER TABLE ---- */

%type alter {Stmt *}
%type action {AstAlter *}
stmt(A) ::= alter(A).
alter(A) ::= ALTER(T) TABLE if_exists(I) only_opt qname(N) action(C). { A = parse_stmt(p, STMT_ALTER_TABLE, T.at); A->name = N.text; A->if_exists = I; PUSH(A->alters, C); }
alter(A) ::= alter(S) COMMA action(C). { A = S; A->pos = parse_span(p, A->pos.at); PUSH(A->alters, C); }

action(A) ::= add(X) if_not_exists(I) column(C). { A = NEW(p->arena, AstAlter); *A = (AstAlter){.tag = ALTER_ADD_COLUMN, .name = C->name, .if_not_exists = I, .column = C, .pos = token_span(p, X)}; }
action(A) ::= ADD(X) constraint(C). { A = NEW(p->arena, AstAlter); *A = (AstAlter){.tag = ALTER_ADD_CONSTRAINT, .name = C->name, .constraint = C, .pos = token_span(p, X)}; }
action(A) ::= drop_column(X) if_exists(I) ID(N) cascade_opt(K). { A = NEW(p->arena, AstAlter); *A = (AstAlter){.tag = ALTER_DROP_COLUMN, .name = N.text, .if_exists = I, .cascade = K, .pos = token_span(p, X)}; }
action(A) ::= DROP(X) CONSTRAINT if_exists(I) ID(N) cascade_opt(K). { A = NEW(p->arena, AstAlter); *A = (AstAlter){.tag = ALTER_DROP_CONSTRAINT, .name = N.text, .if_exists = I, .cascade = K, .pos = token_span(p, X)}; }
action(A) ::= RENAME(X) TO ID(N). { A = NEW(p->arena, AstAlter); *A = (AstAlter){.tag = ALTER_RENAME_TABLE, .new_name = N.text, .pos = token_span(p, X)}; }
action(A) ::= RENAME(X) column_opt ID(N) TO ID(M). { A = NEW(p->arena, AstAlter); *A = (AstAlter){.tag = ALTER_RENAME_COLUMN, .name = N.text, .new_name = M.text, .pos = token_span(p, X)}; }
action(A) ::= RENAME(X) CONSTRAINT ID(N) TO ID(M). { A = NEW(p->arena, AstAlter); *A = (AstAlter){.tag = ALTER_RENAME_CONSTRAINT, .name = N.text, .new_name = M.text, .pos = token_span(p, X)}; }
%type add {Token}
%type drop_column {Token}
add(A) ::= ADD(A).
add(A) ::= ADD(A) COLUMN.
drop_column(A) ::= DROP(A).
drop_column(A) ::= DROP(A) COLUMN.
column_opt ::= .
column_opt ::= COLUMN.

%type alter_column {AstAlter *}
action(A) ::= alter_column(C). { A = C; A->pos = parse_span(p, A->pos.at); }
action(A) ::= SET(T) LP options(L) RP. { A = NEW(p->arena, AstAlter); A->tag = ALTER_SET_OPTIONS; A->options = L; A->pos = parse_span(p, T.at); parse_alter_storage(p, A); }
action(A) ::= RESET(T) LP names(L) RP. {
    A = NEW(p->arena, AstAlter);
    A->tag = ALTER_SET_OPTIONS;
    A->pos = parse_span(p, T.at);
    for (int i = 0; i < L.n; i++) PUSH(A->options, ((AstOption){L.at[i], NULL, A->pos}));
}
%type alter_head {AstAlter *}
alter_head(A) ::= ALTER(X) column_opt ID(N). { A = NEW(p->arena, AstAlter); A->name = N.text; A->pos = token_pos(X); }
alter_column(A) ::= alter_head(H) set_data TYPE type(T) collate_opt(C) using_expr(E). {
    A = H;
    A->tag = ALTER_COLUMN_TYPE;
    A->type = T;
    A->collation = C;
    A->expr = E;
    if (E) A->expr_text = parse_expr_text(p, E, E->pos);
}
alter_column(A) ::= alter_head(H) SET NOT NULL. { A = H; A->tag = ALTER_SET_NOT_NULL; }
alter_column(A) ::= alter_head(H) DROP NOT NULL. { A = H; A->tag = ALTER_DROP_NOT_NULL; }
alter_column(A) ::= alter_head(H) SET DEFAULT expr(E). { A = H; A->tag = ALTER_SET_DEFAULT; A->expr = E; A->expr_text = parse_expr_text(p, E, E->pos); }
alter_column(A) ::= alter_head(H) DROP DEFAULT. { A = H; A->tag = ALTER_DROP_DEFAULT; }
alter_column(A) ::= alter_head(H) ADD GENERATED generated_when(W) AS IDENTITY. { A = H; A->tag = ALTER_ADD_IDENTITY; A->always = W; }
alter_column(A) ::= alter_head(H) DROP IDENTITY if_exists(I). { A = H; A->tag = ALTER_DROP_IDENTITY; A->if_exists = I; }
alter_column(A) ::= alter_head(H) DROP EXPRESSION_WORD if_exists(I). { A = H; A->tag = ALTER_DROP_EXPRESSION; A->if_exists = I; }
set_data ::= .
set_data ::= SET DATA.
%type collate_opt {Str}
collate_opt(A) ::= . { A = (Str){0}; }
collate_opt(A) ::= COLLATE ID(N). { A = N.text; }
using_expr(A) ::= . { A = NULL; }
using_expr(A) ::= USING expr(E). { A = E; }

/* ---- indexes ---- */

%type index_keys {AstIndexKeys}
%type index_key {AstIndexKey *}
%type index_item {AstIndexKey *}
%type method_opt {Str}
%type unique_opt {bool}
%type concurrently {bool}
%type opclass {Str}
stmt(A) ::= CREATE(T) unique_opt(U) INDEX concurrently(C) if_not_exists(I) index_name(N) ON only_opt qname(B) method_opt(M) LP index_keys(K) RP include_opt(X) nulls_distinct(D) options_opt(O) where_opt(W). {
    parse_no_storage(p, token_pos(T), "CREATE INDEX ... WITH (ADOPT | IMPLICIT | ENFORCED | LENIENT)");
    A = parse_stmt(p, STMT_CREATE_INDEX, T.at);
    A->name = N.text;
    A->if_not_exists = I;
    A->create_index = NEW(p->arena, AstCreateIndex);
    *A->create_index = (AstCreateIndex){.name = N.text, .table = B.text, .method = M, .table_pos = token_pos(B), .unique = U, .if_not_exists = I,
                                        .concurrently = C, .nulls_not_distinct = D, .keys = K, .include = X, .options = O, .where = W};
    if (W) A->create_index->where_text = parse_expr_text(p, W, W->pos);
}
%type index_name {Token}
index_name(A) ::= . { A = NO_TOKEN; }
index_name(A) ::= ID(A).
unique_opt(A) ::= . { A = false; }
unique_opt(A) ::= UNIQUE. { A = true; }
concurrently(A) ::= . { A = false; }
concurrently(A) ::= CONCURRENTLY. { A = true; }
method_opt(A) ::= . { A = (Str){0}; }
method_opt(A) ::= USING ID(N). { A = N.text; }
index_keys(A) ::= index_key(K). { A = (AstIndexKeys){0}; PUSH(A, *K); }
index_keys(A) ::= index_keys(A) COMMA index_key(K). { PUSH(A, *K); }
index_key(A) ::= index_item(K) collate_opt(C) opclass(O) direction(D) nulls_opt. { A = K; A->collation = C; A->opclass = O; A->descending = D; A->pos = parse_span(p, A->pos.at); }
index_item(A) ::= ID(N). { A = NEW(p->arena, AstIndexKey); A->column = N.text; A->pos = token_pos(N); }
index_item(A) ::= ID(N) DOT inner_path(P). { A = NEW(p->arena, AstIndexKey); A->column = N.text; A->path = P; A->pos = token_pos(N); }
index_item(A) ::= STAR(T). { A = NEW(p->arena, AstIndexKey); A->pos = token_pos(T); }
%type inner_path {Str}
inner_path(A) ::= label(N). { A = N.text; }
inner_path(A) ::= inner_path(B) DOT label(N). { A = arena_printf(p->arena, STR_FMT "." STR_FMT, STR_ARG(B), STR_ARG(N.text)); }
%type options_opt {AstOptions}
%type options {AstOptions}
%type option {AstOption}
options_opt(A) ::= . { A = (AstOptions){0}; }
options_opt(A) ::= WITH LP options(L) RP. { A = L; }
options(A) ::= option(O). { A = (AstOptions){0}; if (O.name.n) PUSH(A, O); }
options(A) ::= options(A) COMMA option(O). { if (O.name.n) PUSH(A, O); }
option(A) ::= label(N). { parse_storage(p, N); A = (AstOption){0}; }
option(A) ::= label(N) EQ bexpr(E). { A = (AstOption){N.text, E, token_pos(N)}; }
index_item(A) ::= func(F). { A = NEW(p->arena, AstIndexKey); A->expr = F; A->pos = F->pos; A->expr_text = parse_expr_text(p, F, F->pos); }
index_item(A) ::= LP(T) expr(E) RP(U). { A = NEW(p->arena, AstIndexKey); A->expr = E; A->pos = token_span(p, T); A->expr_text = parse_expr_text(p, E, (Pos){T.at + 1, U.at - T.at - 1}); }
opclass(A) ::= . { A = (Str){0}; }
opclass(A) ::= ID(N). { A = N.text; }

stmt(A) ::= ALTER(T) INDEX if_exists(I) qname(N) RENAME TO ID(M). { A = parse_stmt(p, STMT_RENAME_INDEX, T.at); A->name = N.text; A->if_exists = I; A->text = M.text; }

/* ---- the other definitions ---- */

%type drop_what {StmtTag}
stmt(A) ::= DROP(T) drop_what(W) if_exists(I) qnames(L) cascade_opt(C). { A = parse_stmt(p, W, T.at); A->name = L.at[0]; A->names = L; A->if_exists = I; A->cascade = C; }
drop_what(A) ::= TABLE. { A = STMT_DROP_TABLE; }
drop_what(A) ::= INDEX concurrently. { A = STMT_DROP_INDEX; }
drop_what(A) ::= VIEW. { A = STMT_DROP_VIEW; }
stmt(A) ::= DROP(T) DATABASE if_exists(I) ID(N). { A = parse_stmt(p, STMT_DROP_DATABASE, T.at); A->name = N.text; A->if_exists = I; }
stmt(A) ::= CREATE(T) DATABASE ID(N). { A = parse_stmt(p, STMT_CREATE_DATABASE, T.at); A->name = N.text; }

%type create_view {Stmt *}
stmt(A) ::= create_view(V) qname(N) names_opt(L) AS(T) select(S). {
    int at = T.at + T.len;      /* the WITH before a select is no part of its position */
    A = V;
    A->pos = parse_span(p, A->pos.at);
    A->name = N.text;
    A->columns = L;
    A->select = S;
    A->text = parse_select_text(p, S, parse_span(p, at));
}
create_view(A) ::= CREATE(T) temporary VIEW. { A = parse_stmt(p, STMT_CREATE_VIEW, T.at); }
create_view(A) ::= CREATE(T) OR REPLACE temporary VIEW. { A = parse_stmt(p, STMT_CREATE_VIEW, T.at); A->or_replace = true; }
create_view(A) ::= CREATE MATERIALIZED(T) VIEW. { A = NULL; parse_refuse(p, token_pos(T), "a materialized view"); }

stmt(A) ::= TRUNCATE(T) table_opt only_opt qnames(L) restart(R) cascade_opt(C). { A = parse_stmt(p, STMT_TRUNCATE, T.at); A->names = L; A->name = L.at[0]; A->restart_identity = R; A->cascade = C; }
table_opt ::= .
table_opt ::= TABLE.
%type restart {bool}
restart(A) ::= . { A = false; }
restart(A) ::= RESTART IDENTITY. { A = true; }
restart(A) ::= CONTINUE IDENTITY. { A = false; }

%type comment_text {Str}
stmt(A) ::= COMMENT(T) ON TABLE qname(N) IS comment_text(X). { A = parse_stmt(p, STMT_COMMENT, T.at); A->name = N.text; A->text = X; }
stmt(A) ::= COMMENT(T) ON COLUMN ID(N) DOT label(C) IS comment_text(X). { A = parse_stmt(p, STMT_COMMENT, T.at); A->name = N.text; A->column = C.text; A->text = X; }
comment_text(A) ::= STRING(T). { A = T.text; }
comment_text(A) ::= NULL. { A = (Str){0}; }

/* ---- transactions ---- */

%type modes {Str}
%type modes_opt {Str}
%type mode {Str}
stmt(A) ::= BEGIN(T) work modes_opt(M). { A = parse_stmt(p, STMT_BEGIN, T.at); A->text = M; }
stmt(A) ::= START(T) TRANSACTION modes_opt(M). { A = parse_stmt(p, STMT_BEGIN, T.at); A->text = M; }
stmt(A) ::= COMMIT|END(T) work no_chain. { A = parse_stmt(p, STMT_COMMIT, T.at); }
stmt(A) ::= ABORT(T) work no_chain. { A = parse_stmt(p, STMT_ROLLBACK, T.at); }
stmt(A) ::= ROLLBACK(T) work no_chain. { A = parse_stmt(p, STMT_ROLLBACK, T.at); }
stmt(A) ::= ROLLBACK(T) work TO savepoint ID(N). { A = parse_stmt(p, STMT_ROLLBACK_TO, T.at); A->name = N.text; }
stmt(A) ::= SAVEPOINT(T) ID(N). { A = parse_stmt(p, STMT_SAVEPOINT, T.at); A->name = N.text; }
stmt(A) ::= RELEASE(T) savepoint ID(N). { A = parse_stmt(p, STMT_RELEASE, T.at); A->name = N.text; }
savepoint ::= .
savepoint ::= SAVEPOINT.
work ::= .
work ::= WORK.
work ::= TRANSACTION.
no_chain ::= .
no_chain ::= AND NO CHAIN.
no_chain ::= AND CHAIN(T). { parse_refuse(p, token_pos(T), "AND CHAIN"); }
modes_opt(A) ::= . { A = (Str){0}; }
modes_opt(A) ::= modes(A).
modes(A) ::= mode(A).
modes(A) ::= modes(L) comma_opt mode(M). { A = M.n ? M : L; }
comma_opt ::= .
comma_opt ::= COMMA.
mode(A) ::= ISOLATION LEVEL isolation(L). { A = L; }
mode(A) ::= READ WRITE. { A = (Str){0}; }
mode(A) ::= READ ONLY(T). { A = (Str){0}; parse_refuse(p, token_pos(T), "a read-only transaction"); }
mode(A) ::= DEFERRABLE. { A = (Str){0}; }
mode(A) ::= NOT DEFERRABLE. { A = (Str){0}; }
%type isolation {Str}
isolation(A) ::= READ COMMITTED. { A = STR("read committed"); }
isolation(A) ::= READ UNCOMMITTED. { A = STR("read uncommitted"); }
isolation(A) ::= REPEATABLE READ. { A = STR("repeatable read"); }
isolation(A) ::= SERIALIZABLE. { A = STR("serializable"); }
isolation(A) ::= SNAPSHOT. { A = STR("snapshot"); }

/* ---- SET, SHOW, EXPLAIN ---- */

%type variable {Token}
%type settings {Token}
%type setting {Token}
%type scope {bool}
scope(A) ::= . { A = false; }
scope(A) ::= SESSION. { A = false; }
scope(A) ::= LOCAL. { A = true; }
variable(A) ::= ID(A).
variable(A) ::= variable(L) DOT ID. { A = L; A.len = parse_span(p, L.at).len; A.text = (Str){p->cc->sql.p + A.at, (uint32_t)A.len}; }
stmt(A) ::= SET(T) scope(L) variable(N) to settings(V). { A = parse_stmt(p, STMT_SET, T.at); A->name = parse_lower(p, N.text); A->local = L; A->text = V.text; }
stmt(A) ::= SET(T) scope(L) TIME ZONE setting(V). { A = parse_stmt(p, STMT_SET, T.at); A->name = STR("timezone"); A->local = L; A->text = V.text; }
stmt(A) ::= SET(T) NAMES setting(V). { A = parse_stmt(p, STMT_SET, T.at); A->name = STR("client_encoding"); A->text = V.text; }
stmt(A) ::= SET(T) scope TRANSACTION modes(M). { A = parse_stmt(p, STMT_SET, T.at); A->name = STR("transaction_isolation"); A->local = true; A->text = M; }
stmt(A) ::= SET(T) SESSION CHARACTERISTICS AS TRANSACTION modes(M). { A = parse_stmt(p, STMT_SET, T.at); A->name = STR("default_transaction_isolation"); A->text = M; }
stmt(A) ::= SET(T) CONSTRAINTS ALL constraint_mode(M). { A = parse_stmt(p, STMT_SET, T.at); A->name = STR("constraints"); A->local = true; A->text = M; }
stmt(A) ::= SET(T) CONSTRAINTS names(L) constraint_mode(M). { A = parse_stmt(p, STMT_SET, T.at); A->name = STR("constraints"); A->local = true; A->names = L; A->text = M; }
stmt(A) ::= RESET(T) variable(N). { A = parse_stmt(p, STMT_SET, T.at); A->name = parse_lower(p, N.text); A->text = STR("default"); }
stmt(A) ::= SHOW(T) variable(N). { A = parse_stmt(p, STMT_SHOW, T.at); A->name = parse_lower(p, N.text); }
stmt(A) ::= SHOW(T) ALL. { A = parse_stmt(p, STMT_SHOW, T.at); A->name = STR("all"); }
stmt(A) ::= SHOW(T) TIME ZONE. { A = parse_stmt(p, STMT_SHOW, T.at); A->name = STR("timezone"); }
stmt(A) ::= SHOW(T) TRANSACTION ISOLATION LEVEL. { A = parse_stmt(p, STMT_SHOW, T.at); A->name = STR("transaction_isolation"); }
%type constraint_mode {Str}
constraint_mode(A) ::= DEFERRED. { A = STR("deferred"); }
constraint_mode(A) ::= IMMEDIATE. { A = STR("immediate"); }
to ::= TO.
to ::= EQ.
settings(A) ::= setting(A).
settings(A) ::= settings(L) COMMA setting. { A = L; A.len = parse_span(p, L.at).len; A.text = (Str){p->cc->sql.p + A.at, (uint32_t)A.len}; }
setting(A) ::= STRING(A).
setting(A) ::= numeral(A).
setting(A) ::= ID|TRUE|FALSE|ON|DEFAULT(T). { A = T; A.text = parse_lower(p, (Str){p->cc->sql.p + T.at, (uint32_t)T.len}); }
setting(A) ::= MINUS(T) numeral. { A = T; A.len = parse_span(p, T.at).len; A.text = (Str){p->cc->sql.p + A.at, (uint32_t)A.len}; }

%type explain_options {Stmt *}
%type option_value {Str}
stmt(A) ::= EXPLAIN(T) dml(S). { A = parse_stmt(p, STMT_EXPLAIN, T.at); A->explained = S; }
stmt(A) ::= EXPLAIN(T) ANALYZE verbose(V) dml(S). { A = parse_stmt(p, STMT_EXPLAIN, T.at); A->explained = S; A->analyze = true; A->verbose = V; }
stmt(A) ::= EXPLAIN(T) VERBOSE dml(S). { A = parse_stmt(p, STMT_EXPLAIN, T.at); A->explained = S; A->verbose = true; }
stmt(A) ::= EXPLAIN(T) LP explain_options(O) RP dml(S). { A = O; A->pos = token_span(p, T); A->explained = S; }
%type verbose {bool}
verbose(A) ::= . { A = false; }
verbose(A) ::= VERBOSE. { A = true; }
explain_options(A) ::= ID(N) option_value(V). { A = parse_explain_option(p, parse_stmt(p, STMT_EXPLAIN, N.at), N, V); }
explain_options(A) ::= explain_options(S) COMMA ID(N) option_value(V). { A = parse_explain_option(p, S, N, V); }
option_value(A) ::= . { A = STR("true"); }
option_value(A) ::= setting(T). { A = T.text; }

%code {
/* The tokens the automaton would take next: each is tried on a copy of the state stack, reductions included. */
static bool acceptable(const yyParser *engine, int token) {
    enum { SCRATCH = 64 };
    YYACTIONTYPE own[SCRATCH];       /* states the trial pushed, above `depth` of the real stack */
    int n_own = 0;
    const yyStackEntry *top = engine->yytos;
    for (int steps = 0; steps < 1000; steps++) {
        YYACTIONTYPE state = n_own ? own[n_own - 1] : top->stateno;
        YYACTIONTYPE action;
        if (state > YY_MAX_SHIFT) {
            action = state;          /* a shift that goes on to reduce */
        } else {
            int i = yy_shift_ofst[state] + token;
            action = yy_lookahead[i] == token ? yy_action[i] : yy_default[state];
        }
        if (action <= YY_MAX_SHIFTREDUCE) return true;
        if (action == YY_ACCEPT_ACTION) return true;
        if (action < YY_MIN_REDUCE) return false;
        int rule = action - YY_MIN_REDUCE, size = -yyRuleInfoNRhs[rule];
        if (size <= n_own) {
            n_own -= size;
        } else {
            top -= size - n_own;
            n_own = 0;
        }
        state = n_own ? own[n_own - 1] : top->stateno;
        if (state > YY_MAX_SHIFT || n_own == SCRATCH) return false;
        YYACTIONTYPE next = yy_find_reduce_action(state, (YYCODETYPE)yyRuleInfoLhs[rule]);
        if (next == YY_ACCEPT_ACTION) return token == 0;
        if (next > YY_MAX_SHIFT && next <= YY_MAX_SHIFTREDUCE) next = (YYACTIONTYPE)(next + YY_MIN_REDUCE - YY_MIN_SHIFTREDUCE);
        own[n_own++] = next;
    }
    return false;
}

static bool is_transposition(Str word, Str name) {
    if (word.n != name.n) return false;
    for (uint32_t i = 0; i + 1 < word.n; i++) {
        char swapped[32];
        if (word.n > sizeof swapped) return false;
        memcpy(swapped, word.p, word.n);
        swapped[i] = word.p[i + 1];
        swapped[i + 1] = word.p[i];
        if (str_ieq((Str){swapped, word.n}, name)) return true;
    }
    return false;
}

/* Words that open a clause are hardly ever meant as names: something is missing before them. */
static bool opens_clause(Str word) {
    static const char *const words[] = {"from", "where", "select", "and", "or", "then", "else", "end", "when", "join", "inner", "left", "right", "full", "cross", "natural", "as", "on",
                                        "in", "is", "by", "having", "limit", "offset", "union", "except", "intersect", "set", "into", "values", "returning", "using", "group", "like"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_ieq(word, str_from(words[i]))) return true;
    return false;
}

static void add_token_name(Text *out, const char *name) {
    bool is_keyword = *name >= 'a' && *name <= 'z' && !strchr(name, ' ');
    for (; *name; name++) {
        char c = is_keyword && *name >= 'a' && *name <= 'z' ? (char)(*name - 32) : *name;
        text_add(out, &c, 1);
    }
}

/* A misspelt keyword, a reserved word used as a name, or the short list of what could stand here. */
static void find_hint(const yyParser *engine, Parse *p, int code, char *hint, size_t size) {
    enum { MOST = 6, FAR = 3 };
    const char *expected[MOST], *closest = NULL;
    int n = 0, best = FAR;
    Str word = {p->cc->sql.p + p->token.at, (uint32_t)p->token.len};
    bool is_word = code == T_ID && p->token.text.p == word.p;
    Text text = {.arena = p->arena};
    if (lex_is_reserved(word) && !opens_clause(word) && acceptable(engine, T_ID)) {
        snprintf(hint, size, "\"" STR_FMT "\" is a reserved word; put it in double quotes to use it as a name.", STR_ARG(word));
        return;
    }
    for (int token = 1; token < YYNTOKEN; token++) {
        const char *name = lex_token_name(token);
        if (!name || !acceptable(engine, token)) continue;
        if (is_word && word.n > 2 && *name >= 'a' && *name <= 'z') {
            int distance = is_transposition(word, str_from(name)) ? 0 : edit_distance(word, str_from(name), FAR);
            if (distance < best && distance * 2 < (int)word.n) best = distance, closest = name;
        }
        bool known = false;
        for (int i = 0; i < n && i < MOST; i++) known |= strcmp(expected[i], name) == 0;
        if (known) continue;
        if (n < MOST) expected[n] = name;
        n++;
    }
    if (closest) {
        text_adds(&text, "Perhaps you meant ");
        add_token_name(&text, closest);
        text_adds(&text, ".");
    } else if (n > 0 && n <= MOST) {
        text_adds(&text, "Expected ");
        for (int i = 0; i < n; i++) {
            if (i) text_adds(&text, i < n - 1 ? ", " : " or ");
            add_token_name(&text, expected[i]);
        }
        text_adds(&text, ".");
    } else {
        return;
    }
    snprintf(hint, size, "%s", text.p);
}

/* A statement of PostgreSQL's that we do not have deserves better than "syntax error". */
static void refuse_statement(Parse *p) {
    static const char *const words[] = {"merge", "copy", "grant", "revoke", "call", "vacuum", "analyze", "lock", "listen", "notify", "unlisten", "prepare", "execute",
                                        "deallocate", "declare", "move", "close", "cluster", "reindex", "refresh", "checkpoint", "discard", "load", "import", "security", "reassign"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_ieq((Str){p->cc->sql.p + p->token.at, (uint32_t)p->token.len}, str_from(words[i])))
            fail(p->cc, SQM_ERROR_NOT_SUPPORTED, token_pos(p->token), "%.*s is not supported", p->token.len, p->cc->sql.p + p->token.at);
}

static void init(yyParser *engine, Parse *p) {
    grammar_Init(engine);
    if (p->first) grammar_(engine, p->first, NO_TOKEN, p);
}

static int next_token(Parse *p) {
    p->end = p->token.at + p->token.len;
    return lex_next(&p->lex, &p->token);
}

/* By the time an error shows, default reductions have left the states in which other tokens were welcome; so the statement is read a second time,
 * up to the offending token, and the automaton is asked there. */
static _Noreturn void report(struct yyParser *engine, Parse *p, int code) {
    char hint[200] = "";
    Pos pos = token_pos(p->token);
    if (p->end == 0 && code == 0) fail(p->cc, SQM_ERROR_SYNTAX, pos, "the statement is empty");
    if (p->end == 0) refuse_statement(p);
    if (p->after_semicolon) fail(p->cc, SQM_ERROR_SYNTAX, pos, "only one statement can be run at a time");
    yyParser second;
    Parse again = {.cc = p->cc, .arena = p->arena, .lex = p->lex, .first = p->first};
    again.lex.p = again.lex.begin;
    init(&second, &again);
    for (int next; next = next_token(&again), again.token.at < pos.at;) grammar_(&second, next, again.token, &again);
    find_hint(&second, p, code, hint, sizeof hint);
    if (pos.len == 0) fail_hint(p->cc, SQM_ERROR_SYNTAX, pos, hint, "syntax error at end of input");
    fail_hint(p->cc, SQM_ERROR_SYNTAX, pos, hint, "syntax error at or near \"%.*s\"", pos.len < 100 ? pos.len : 100, p->cc->sql.p + pos.at);
}

void grammar_run(Parse *p) {
    yyParser engine;
    init(&engine, p);
    for (int code = 1; code != 0; ) {
        code = next_token(p);
        grammar_(&engine, code, p->token, p);
    }
    grammar_Finalize(&engine);
}
}
