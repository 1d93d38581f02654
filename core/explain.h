/* explain.h - plans and commands as text: EXPLAIN, and the shell's --plan and --mql. */
#ifndef SQM_EXPLAIN_H
#define SQM_EXPLAIN_H

#include "exec.h"

/* The plan, one operator a line, indented by depth. `show` (may be NULL) evaluates constants: then each scan shows its command. `x` (may be NULL):
 * an execution with statistics, for EXPLAIN ANALYZE. */
void explain_plan(Text *out, const StatementPlan *p, Eval *show, const Exec *x);
/* The same as one JSON document in PostgreSQL's shape: [{"Plan": {"Node Type": "Scan", ..., "Plans": [...]}, ...}] (explain_json.c). `round_trips` and
 * `milliseconds` are those of the whole execution, with `x`. */
void explain_json(Text *out, const StatementPlan *p, Eval *show, const Exec *x, int64_t round_trips, double milliseconds);
/* Only the MongoDB commands, one JSON document a line, in the order in which they would be sent. False: evaluating a constant failed (show->error). */
bool explain_mql(Text *out, const StatementPlan *p, Eval *show);

/* What explain.c and explain_json.c share: the part of a node's line after its name, and its command. */
const Plan *explain_chosen(const Plan *p, const Exec *x);       /* ANALYZE of a CHOOSE: the input that ran; NULL: not that */
void explain_detail(Text *out, const Query *q, const Plan *p);
const char *explain_join_method(const Plan *p);
bool explain_scan_command(const Query *q, const Plan *p, Eval *show, bson_t *command, bool *never);
bool explain_modify_command(const StatementPlan *p, Eval *show, bson_t *command, bool *never);

#endif
