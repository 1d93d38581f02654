/* mql_tuple.c - the filter for documents that have one of several tuples of values in some of their fields.
 *
 *     (shop, number): (1, 7), (1, 8), (2, 7)       { $or: [ {shop: 1, number: {$in: [7, 8]}}, {shop: 2, number: {$in: [7]}} ] }
 *     (number): (7), (8)                           { number: {$in: [7, 8]} }
 *
 * By the last field, under each combination of the others: MongoDB plans each branch of an $or by itself (measured: 17 us each), and any index on these fields serves
 * all of them. The values are no NULLs. */
#include <stdlib.h>

#include "mql.h"

/* `alike`: the fields that all of the branch's tuples have in common. */
typedef struct TupleBranch { const Value *like; bson_t *alike, *list; uint32_t n; } TupleBranch;

void tuple_filter_begin(TupleFilter *t, const TupleField *fields, int width) { *t = (TupleFilter){.fields = fields, .width = width}; }

bool tuple_filter_full(const TupleFilter *t) { return t->n_branches >= TUPLE_BRANCHES || t->bytes >= TUPLE_BYTES; }

static bool same_branch(const TupleFilter *t, const Value *a, const Value *b) {
    for (int i = 0; i < t->width - 1; i++)
        if (!value_same(&a[i], &b[i])) return false;
    return true;
}

static void append_field(bson_t *out, const TupleField *field, const Value *v) { value_append(out, field->name.p, (int)field->name.n, v, field->type); }

static TupleBranch *branch_of(TupleFilter *t, const Value *tuple) {
    for (int i = t->n_branches - 1; i >= 0; i--)
        if (same_branch(t, t->branches[i].like, tuple)) return &t->branches[i];
    if (t->n_branches == t->cap) {
        t->cap = t->cap ? t->cap * 4 : 4;
        t->branches = realloc(t->branches, sizeof *t->branches * (size_t)t->cap);
        if (!t->branches) abort();
    }
    TupleBranch *branch = &t->branches[t->n_branches++];
    *branch = (TupleBranch){.like = tuple, .alike = bson_new(), .list = bson_new()};
    for (int i = 0; i < t->width - 1; i++) append_field(branch->alike, &t->fields[i], &tuple[i]);
    t->bytes += branch->alike->len;
    return branch;
}

void tuple_filter_add(TupleFilter *t, const Value *tuple) {
    TupleBranch *branch = branch_of(t, tuple);
    char digits[16];
    const char *key;
    uint32_t before = branch->list->len;
    size_t length = bson_uint32_to_string(branch->n++, &key, digits, sizeof digits);
    value_append(branch->list, key, (int)length, &tuple[t->width - 1], t->fields[t->width - 1].type);
    t->bytes += branch->list->len - before;
    t->n++;
}

static void append_branch(bson_t *filter, const TupleFilter *t, const TupleBranch *branch) {
    const TupleField *last = &t->fields[t->width - 1];
    bson_t ops;
    bson_concat(filter, branch->alike);
    bson_append_document_begin(filter, last->name.p, (int)last->name.n, &ops);
    BSON_APPEND_ARRAY(&ops, "$in", branch->list);
    bson_append_document_end(filter, &ops);
}

void tuple_filter_end(TupleFilter *t, bson_t *filter) {
    bson_t list, one;
    if (t->n_branches == 1) append_branch(filter, t, &t->branches[0]);
    if (t->n_branches > 1) {
        BSON_APPEND_ARRAY_BEGIN(filter, "$or", &list);
        for (int i = 0; i < t->n_branches; i++) {
            char digits[16];
            const char *key;
            size_t length = bson_uint32_to_string((uint32_t)i, &key, digits, sizeof digits);
            bson_append_document_begin(&list, key, (int)length, &one);
            append_branch(&one, t, &t->branches[i]);
            bson_append_document_end(&list, &one);
        }
        bson_append_array_end(filter, &list);
    }
    for (int i = 0; i < t->n_branches; i++) {
        bson_destroy(t->branches[i].alike);
        bson_destroy(t->branches[i].list);
    }
    free(t->branches);
}
