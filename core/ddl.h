/* ddl.h - CREATE, ALTER, DROP, TRUNCATE, COMMENT: what they change in the catalogue and in MongoDB. */
#ifndef SQM_DDL_H
#define SQM_DDL_H

#include "ast.h"
#include "catalog.h"
#include "lease.h"
#include "server.h"

/* Runs a DDL statement (every tag from STMT_CREATE_TABLE to STMT_DROP_DATABASE of nodes.def) outside of any transaction and publishes the new catalogue.
 * `current` is what the caller knows; when another process has changed the stored one since, that is loaded first. *out: the catalogue from now on, a
 * reference for the caller; NULL when `current` still is the one. The tables are locked meanwhile (lease.h). s == NULL: offline, only the catalogue in memory changes. */
bool ddl_run(Server *s, Lease *lease, Catalog *current, const Stmt *stmt, Str sql, Catalog **out, sqm_error_t *error);
/* Calls `each` with the commands the statement would send, in order, without those that publish the catalogue. Rows that are rewritten here show as the
 * read and one write with placeholders. `server_version` as server_version(): what the server can do decides. */
bool ddl_commands(const Catalog *current, int server_version, const Stmt *stmt, Str sql, void (*each)(void *context, const bson_t *command), void *context,
                  sqm_error_t *error);
bool ddl_is_ddl(StmtTag tag);

#endif
