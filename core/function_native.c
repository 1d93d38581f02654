/* function_native.c - text_search(), near(), geo_within(), geo_intersects(): what they are where MongoDB isn't asked (mql_native.c), an error. */
#include "scalar.h"

SCALAR(sql_native) {
    (void)args;
    (void)out;
    bool text = e->function->name[0] == 't';
    return scalar_fail(ev, SQM_ERROR_NOT_SUPPORTED, "%s() is only supported as a condition of WHERE by itself or beside others joined with AND, on a column of a table%s, with constants",
                       e->function->name, text ? " that its text index has" : "");
}
