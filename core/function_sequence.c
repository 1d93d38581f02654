/* function_sequence.c - setval(), nextval(), pg_get_serial_sequence(): what Django and PostgreSQL's tools say to a counter.
 * A table has one counter for all its identity columns (catalog.h, `auto`), so a "sequence" is named by its table. Nothing here talks to the server:
 * the executor does, through Eval.sequence. */
#include "scalar.h"

/* "public"."book", "book", book, or public.book_id_seq's older spellings: the last part without quotes. */
static Str unquoted(Eval *ev, Str name) {
    uint32_t begin = 0;
    bool quoted = false;
    for (uint32_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"') quoted = !quoted;
        else if (name.p[i] == '.' && !quoted) begin = i + 1;
    }
    Text t = {.arena = ev->arena};
    text_adds(&t, "");
    for (uint32_t i = begin; i < name.n; i++) {
        if (name.p[i] == '"') {
            if (i + 1 < name.n && name.p[i + 1] == '"' && i > begin) i++;
            else continue;
        }
        text_add(&t, &name.p[i], 1);
    }
    return (Str){t.p, (uint32_t)t.n};
}

SCALAR(sql_serial_sequence) {
    *out = scalar_from_text(unquoted(ev, scalar_text(ev, &args[0])));
    return true;
}

static bool counter(Eval *ev, const Value *name, bool set, int64_t *value) {
    if (!ev->sequence) return scalar_fail(ev, SQM_ERROR_NOT_SUPPORTED, "counters need a server");
    return ev->sequence(ev, unquoted(ev, scalar_text(ev, name)), set, value);
}

SCALAR(sql_setval) {
    int64_t value, last;
    if (!scalar_int(ev, &args[1], &value)) return false;
    bool called = n < 3 || (args[2].type == SQM_BOOL && args[2].u.b);
    last = called ? value : value - 1;
    if (!counter(ev, &args[0], true, &last)) return false;
    *out = sqm_int(value);
    return true;
}

SCALAR(sql_nextval) {
    int64_t value = 0;
    if (!counter(ev, &args[0], false, &value)) return false;
    *out = sqm_int(value);
    return true;
}
