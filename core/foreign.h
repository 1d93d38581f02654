/* foreign.h - foreign keys: what a transaction wrote that one of them speaks of, and whether it still holds when the transaction ends. */
#ifndef SQM_FOREIGN_H
#define SQM_FOREIGN_H

#include "query.h"
#include "server.h"

/* The collection of locks: made with the first foreign key, because a transaction can't use one that is younger than its snapshot. */
#define FOREIGN_LOCKS "__sqm_keys"

typedef struct Foreign Foreign;             /* one per connection: values noted and not yet checked */

Foreign *foreign_new(void);
void foreign_free(Foreign *f);              /* NULL is fine */
void foreign_clear(Foreign *f);
bool foreign_any(const Foreign *f);
/* The child now has `row`, or (`removed`) this row of the parent went or changed. With a NULL in the key's columns it refers to nothing, and nothing to it (MATCH SIMPLE). */
void foreign_note(Foreign *f, const ForeignKey *key, const Value *row, bool removed);
/* Rows of `parent` that keys refer to go, whatever becomes of those that refer to them. */
void foreign_note_parent(Foreign *f, const Table *parent);
/* Inside the open (or the statement's) transaction, after its writes: from now on no other transaction that refers to the same parents, or removes them, commits before this one ends;
 * one that has done so since this one's snapshot is a write conflict. Then the questions below are asked. */
bool foreign_lock(Foreign *f, Server *s, sqm_error_t *error);
/* Asks once, outside of every transaction, for the parents of what was written. *satisfied: they are all there, and no parent was removed. */
bool foreign_ask(Foreign *f, Server *s, bool *satisfied, sqm_error_t *error);
/* Checks what is left, in the open (or the statement's) transaction. FOREIGN_KEY_VIOLATION for the first value that isn't all right. */
bool foreign_check(Foreign *f, Server *s, sqm_error_t *error);

#endif
