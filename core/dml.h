/* dml.h - running INSERT, UPDATE and DELETE. One statement is one unit: all of it happens or nothing (where the server has transactions). */
#ifndef SQM_DML_H
#define SQM_DML_H

#include "exec.h"

typedef struct Dml Dml;

/* Runs the whole write of x->plan. *out lives in x->arena. After an error nothing was written outside of an open transaction; inside one the caller
 * marks it as failed. */
bool dml_run(Exec *x, const Catalog *catalog, Dml **out, sqm_error_t *error);
/* Rows inserted, matched by UPDATE (changed or not), or deleted; ON CONFLICT: inserted and updated ones. */
int64_t dml_rows_affected(const Dml *d);
/* The last number that the table's counter gave to this statement, 0 if none. */
int64_t dml_last_insert_id(const Dml *d);
/* RETURNING rows in the order of the written rows; false after the last one. */
bool dml_next_returning(Dml *d, const Value **row);

#endif
