/* counts.h - rough numbers of rows, shared by the connections of a process (counts.c). */
#ifndef SQM_COUNTS_H
#define SQM_COUNTS_H

#include "base.h"
#include "server.h"

/* False: not known, or not looked at for a while. *rows -1: the server doesn't tell. */
bool counts_find(const Server *s, Str table, int64_t *rows);
/* Asks the server; afterwards counts_find() knows them all. */
void counts_fetch(Server *s, const Str *tables, int n);
/* So many rows were inserted here. */
void counts_add(const Server *s, Str table, int64_t rows);
int64_t counts_clock(void);             /* milliseconds, monotonic */

#endif
