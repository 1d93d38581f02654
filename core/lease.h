/* lease.h - how long a connection may trust the catalogue it has read, and how DDL waits until nobody trusts an old one.
 *
 * A connection that has read the catalogue's version holds a lease on it: for LEASE_MS it may use what it knows without asking, which is why an ordinary
 * statement costs no round trip more. DDL that changes what a table's documents look like first announces itself (a lock that names the tables), then
 * waits until every lease taken before the announcement has run out, and only then touches rows. Whoever renews its lease sees the lock and keeps
 * off those tables until the change is published. Nobody waits where nobody else is there: processes register, and DDL sees them. */
#ifndef SQM_LEASE_H
#define SQM_LEASE_H

#include "catalog.h"
#include "server.h"

typedef struct Lease Lease;                             /* one per connection */

Lease *lease_open(Server *s);
void lease_close(Lease *l);                             /* NULL is fine */

/* Registers this process where that is due, and reads the version and the locks: what was loaded at that version may be trusted until lease_until(). */
bool lease_renew(Lease *l, sqm_error_t *error);
/* Clock of clock_ms(). INT64_MIN: not at all. */
int64_t lease_until(const Lease *l);
const _Atomic int64_t *lease_clock(const Lease *l);     /* the same, for server_guard() */
void lease_expire(Lease *l);                            /* as if it had run out */
int64_t lease_version(const Lease *l);                  /* of the last renewal; 0 when no DDL was ever run */
bool lease_any_lock(const Lease *l);

/* A new connection (Django's, by default, at each request) need not load what another of this process has loaded. lease_shared(): that, retained, if it is of the version that `l` trusts,
 * else NULL. Version 0 is none: without declared tables nobody says what changes. */
void lease_share(const Lease *l, Catalog *catalog);
Catalog *lease_shared(const Lease *l);
/* Is another connection changing this table? *broken: it was, and didn't finish. */
bool lease_blocks(const Lease *l, Str table, bool *broken);

/* What a DDL statement is going to change. */
typedef struct LeaseClaim {
    const Str *tables;
    int n;
    bool layout;            /* a statement compiled before could answer wrongly, or write what it must not */
    bool rows;              /* cut off in the middle, it leaves rows that no catalogue describes */
} LeaseClaim;
typedef enum LeaseAnswer { LEASE_LOCKED, LEASE_STALE, LEASE_ERROR } LeaseAnswer;
/* Locks the tables, if the stored version still is `version`, and waits as long as the claim needs. LEASE_STALE: it isn't, load the catalogue again. */
LeaseAnswer lease_lock(Lease *l, int64_t version, const LeaseClaim *claim, int64_t *locked_version, sqm_error_t *error);
/* Raises the version and gives the lock up. */
bool lease_publish(Lease *l, int64_t *version, sqm_error_t *error);
/* Gives the lock up without a change. `broken`: rows were changed and others must not read them before the statement has been run again. */
void lease_unlock(Lease *l, bool broken);

#endif
