/* lex.h - SQL text to tokens. Contract in lex.c. */
#ifndef SQM_LEX_H
#define SQM_LEX_H

#include "ast.h"

/* `text` is the decoded value of a name, string or byte string, else the token as written. */
typedef struct Token {
    int at, len;            /* bytes of the token in the SQL text */
    union {
        Str text;
        Operator op;        /* operator tokens */
    };
} Token;

typedef struct Lex {
    Compile *cc;
    const char *begin, *p, *end;
    bool literal_percent;
} Lex;

/* Refuses text that is too long, has a NUL byte or is not UTF-8. */
void lex_init(Lex *lex, Compile *cc, bool literal_percent);
/* Next token code (T_... of grammar.h), 0 at the end. Fails on malformed tokens. */
int lex_next(Lex *lex, Token *token);
/* "SELECT", "a name" ...: how a hint names a token; NULL for tokens of the grammar's own. */
const char *lex_token_name(int token);
bool lex_is_reserved(Str word);
bool lex_is_quoted(const Lex *lex, const Token *token);

#endif
