/* scalar.h - what the files of scalar functions share: the prototypes of functions.def, and ways to look at arguments.
 * Implementations are called sql_<function>, type rules rule_<shape>. Every sql_ function gets evaluated arguments; under NULL_STRICT none is NULL. */
#ifndef SQM_SCALAR_H
#define SQM_SCALAR_H

#include "eval.h"

#define SCALAR(name)                                                                                                                      \
    bool name(Eval *ev __attribute__((unused)), const Expr *e __attribute__((unused)), const Value *args __attribute__((unused)),         \
              int n __attribute__((unused)), Value *out)
#define RULE(name) bool name(const Type *args __attribute__((unused)), int n __attribute__((unused)), Type *out)

#define FUNCTION(name, min, max, nulls, volatility, type, eval, description) \
    RULE(type);                                                              \
    SCALAR(eval);
#include "functions.def"
#undef FUNCTION

/* ---- arguments (function.c) ---- */

Type scalar_arg_type(const Expr *e, int i);                                 /* static type of argument i; UNKNOWN when there is none */
Str scalar_text(Eval *ev, const Value *v);                                  /* any value as CAST(v AS text) */
bool scalar_int(Eval *ev, const Value *v, int64_t *out);                    /* as CAST(v AS bigint) */
bool scalar_double(Eval *ev, const Value *v, double *out);
bool scalar_decimal(Eval *ev, const Value *v, sqm_decimal_t *out);
Value scalar_from_text(Str s);
Value scalar_from_decimal(sqm_decimal_t d);
bool scalar_fail(Eval *ev, sqm_error_code_t code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Room for `size` bytes of result text; NULL with the error set when that is more than a value may have. */
char *scalar_room(Eval *ev, uint64_t size);

/* ---- shared between files ---- */

/* Parts of operators that live elsewhere. */
SCALAR(sql_regexp_substr);      /* substring(text FROM pattern) */
SCALAR(sql_json_concat);        /* || */
SCALAR(sql_json_delete);        /* - */
SCALAR(sql_json_contains);      /* @> */
/* The items of an SQL array, or of a stored or JSON array; false: not an array (no error set). */
bool array_items(Eval *ev, const Value *v, const Value **items, int *n);
bool array_is(const Value *v);
Value array_new(const Value *items, int n);
/* Interval arithmetic that checks its range. */
bool datetime_add(Eval *ev, const Expr *e, const Value *a, const Value *b, bool subtract, Value *out, bool *handled);
bool datetime_scale(Eval *ev, const Value *a, const Value *b, bool divide, Value *out, bool *handled);
/* to_char(number, format). */
bool format_number(Eval *ev, const Value *v, Str format, Value *out);

#endif
