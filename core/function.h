/* function.h - every scalar function, operator, aggregate and window function the dialect has; one row each in functions.def.
 * The resolver asks for names and types, eval.c calls `eval`, mql_expr.c looks whether the server can do it, docs/sql.md is generated from it. */
#ifndef SQM_FUNCTION_H
#define SQM_FUNCTION_H

#include "type.h"
#include "value.h"

struct Expr;
struct Eval;

typedef enum NullRule { NULL_STRICT, NULL_CALLED } NullRule;          /* STRICT: NULL if any argument is NULL, eval isn't called */
typedef enum Volatility { IMMUTABLE, STABLE, VOLATILE } Volatility;   /* STABLE: constant within a statement (now()) */

/* args: evaluated arguments; out: result. Scratch memory: ev->arena. False: error set in ev->error. */
typedef bool (*ScalarEval)(struct Eval *ev, const struct Expr *e, const Value *args, int n, Value *out);
/* Result type from argument types; false: these argument types aren't accepted (undefined function ...(types)). UNKNOWN arguments must be accepted. */
typedef bool (*TypeRule)(const Type *args, int n, Type *out);

typedef struct Function {
    const char *name;           /* lower-case, or the operator's text: "+", "||", "->" */
    int min_args, max_args;     /* max -1: any number */
    NullRule nulls;
    Volatility volatility;
    TypeRule type;
    ScalarEval eval;
    const char *description;
} Function;

const Function *function_find(Str name, int n_args);            /* NULL: none of that name with so many arguments */
bool function_name_exists(Str name);
const char *function_nearest(Str name);                         /* for a hint; NULL */
const Function *function_at(int i);                             /* iteration for docs; NULL past the end */

typedef struct AggState AggState;
typedef struct Aggregate {
    const char *name;
    int min_args, max_args;
    TypeRule type;
    bool ignores_nulls;         /* rows with a NULL first argument are skipped */
    size_t state_size;
    /* state is zeroed memory; args as evaluated; memory that must outlive the row: `arena`. */
    bool (*step)(struct Eval *ev, void *state, Arena *arena, const Value *args, int n);
    bool (*finish)(struct Eval *ev, void *state, Arena *arena, const struct Expr *e, Value *out);
    const char *description;
} Aggregate;
/* COUNT SUM AVG MIN MAX STDDEV_* VAR_* BOOL_AND/OR EVERY STRING_AGG ARRAY_AGG JSON(B)_AGG JSON(B)_OBJECT_AGG COVAR/CORR/REGR_* BIT_AND/OR/XOR ANY_VALUE,
 * PERCENTILE_CONT/DISC and MODE (WITHIN GROUP: rows arrive sorted, args[0] the sorted value; the direct argument is args[1]). */
const Aggregate *aggregate_find(Str name);
const Aggregate *aggregate_at(int i);
/* AVG of integers or numerics, from their sum and how many they were. */
bool aggregate_mean(struct Eval *ev, const struct Expr *e, const Value *sum, int64_t n, Value *out);

typedef enum WindowFunction {
    WINDOW_AGGREGATE, WINDOW_ROW_NUMBER, WINDOW_RANK, WINDOW_DENSE_RANK, WINDOW_PERCENT_RANK, WINDOW_CUME_DIST, WINDOW_NTILE,
    WINDOW_LAG, WINDOW_LEAD, WINDOW_FIRST_VALUE, WINDOW_LAST_VALUE, WINDOW_NTH_VALUE
} WindowFunction;
/* False: not a window function (it may still be an aggregate). */
bool window_function_find(Str name, WindowFunction *out, int *min_args, int *max_args);

/* Conversion rules. Implicit/assignment casts and CAST share cast(); arena memory; false: error set. */
bool cast_value(struct Eval *ev, const Value *v, Type to, Value *out);          /* CAST(v AS to) */
/* Storing into a column: as cast, but varchar(n) overflow is an error, numeric rounds to its scale and checks precision, integers check their range. */
bool cast_assign(struct Eval *ev, const Value *v, Type to, Str column, Value *out);
/* The type a value has by itself: what an untyped parameter counts as. */
Type cast_natural_type(const Value *v);
/* CAST(timestamptz AS text): the zone is always shown, and it is UTC. */
Value cast_zoned_text(Arena *a, int64_t usec);
/* What a real becomes as text, or on the way to numeric: the digits of its 4 bytes, 0.1 where the double has 0.10000000149011612. */
Value cast_real_text(Arena *a, double d, Type to);
/* Static question of the resolver: may `from` be cast to `to` at all? */
bool cast_exists(Type from, Type to);

#endif
