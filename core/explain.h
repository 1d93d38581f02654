/* explain.h - plans and commands as text: EXPLAIN, and the shell's --plan and --mql. */
#ifndef SQM_EXPLAIN_H
#define SQM_EXPLAIN_H

#include "exec.h"

/* The plan, one operator a line, indented by depth. `show` (may be NULL) evaluates constants: then each scan shows its command. `x` (may be NULL):
 * an execution with statistics, for EXPLAIN ANALYZE. */
void explain_plan(Text *out, const StatementPlan *p, Eval *show, const Exec *x);
/* Only the MongoDB commands, one JSON document a line, in the order in which they would be sent. False: evaluating a constant failed (show->error). */
bool explain_mql(Text *out, const StatementPlan *p, Eval *show);

#endif
