/* schema.h - the catalogue's stored side: `__schema__`, undeclared collections, counters, row counts. Everything here runs outside of transactions.
 *
 * `__schema__` has one document per table (catalog.h) and one with the name "" whose `version` every DDL statement raises. The version is written last and
 * read first, so a catalogue is never taken for newer than it is. */
#ifndef SQM_SCHEMA_H
#define SQM_SCHEMA_H

#include "catalog.h"
#include "server.h"

#define SCHEMA_COLLECTION "__schema__"

/* The whole catalogue as stored now. Collections that nobody declared come as tables with declared == false and only `_id`: see schema_look(). */
bool schema_load(Server *s, Str database, Catalog **out, sqm_error_t *error);
/* The stored version: 0 when no DDL was ever run. One small read. */
bool schema_version(Server *s, int64_t *version, sqm_error_t *error);
/* A copy of the catalogue in which this table is known as far as the server can tell: an undeclared collection has the columns of a sample, undeclared
 * and djongo 1.3 tables have the server's indexes, row_estimate is set. */
bool schema_look(Server *s, const Catalog *catalog, Str table, Catalog **out, sqm_error_t *error);
/* Number of rows from the collection's metadata: cheap, not exact after a crash, blind to transactions. */
bool schema_estimate(Server *s, Str table, int64_t *rows, sqm_error_t *error);

/* The next `n` numbers of the table's counter: *first .. *first + n - 1. A counter that doesn't exist is made, from the greatest key in the table. */
bool schema_next_ids(Server *s, const Table *table, int64_t n, int64_t *first, sqm_error_t *error);
/* A row was written with this key: the counter is raised to it if it is lower, so that the key is never handed out. */
bool schema_bump_counter(Server *s, const Table *table, int64_t value, sqm_error_t *error);
/* Raises the counter to the greatest number in use; makes it when there is none. */
bool schema_raise_counter(Server *s, const Table *table, sqm_error_t *error);
/* setval(), RESTART IDENTITY: the counter's last handed out number, 0 for none. */
bool schema_set_counter(Server *s, Str table, int64_t value, sqm_error_t *error);
/* The same to 0 for several tables, in one command. */
bool schema_reset_counters(Server *s, const Str *tables, int n, sqm_error_t *error);
/* The counter's last handed out number; 0 when it has none. */
bool schema_get_counter(Server *s, Str table, int64_t *value, sqm_error_t *error);

/* Puts names into the message of a failed write: which CHECK constraint, what the primary key's columns are called. For other errors: nothing. */
void schema_name_violation(const Table *table, sqm_error_t *error);

#endif
