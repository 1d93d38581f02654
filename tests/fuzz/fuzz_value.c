/* fuzz_value.c - a document off the wire -> values of every type and back: whatever BSON arrives, nothing is read beyond it, and order and hash agree.
 *
 * What libbson refuses as malformed is left out: the driver would not hand it on. Elements are read as each type, printed, compared with each
 * other, hashed, copied, turned into JSON and parsed again. */
#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 24 };

static void must(bool condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void look(Arena *arena, const Value *v) {
    Value natural = value_natural(v), copy = value_copy(arena, v);
    must(value_same(v, &copy), "a copy is another value");
    must(value_hash(v, 1) == value_hash(&copy, 1), "a copy has another hash");
    value_text(arena, v);
    value_type_name(&natural);
    Value json = value_to_json(arena, v), again;
    Str text = value_text(arena, &json);
    sqm_error_t error = {0};
    if (json_is(&json)) json_parse(arena, text, &again, &error);
}

static void compare(const Value *a, const Value *b) {
    int there = value_order(a, b), back = value_order(b, a);
    must((there > 0) - (there < 0) == (back < 0) - (back > 0), "order isn't antisymmetric");
    if (there == 0) must(value_hash(a, 1) == value_hash(b, 1), "equal values with different hashes");
    bool unknown;
    value_compare(a, b, &unknown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const Type types[] = {TYPE(UNKNOWN), TYPE(BOOL), TYPE(INT4), TYPE(INT8), TYPE(FLOAT8), TYPE(NUMERIC), TYPE(TEXT), TYPE(BYTEA),
                          TYPE(DATE), TYPE(TIME), TYPE(TIMESTAMP), TYPE(INTERVAL), TYPE(UUID), TYPE(JSON), type_array(TYPE_INT4)};
    bson_t doc;
    bson_iter_t it;
    if (!bson_init_static(&doc, data, size) || !bson_iter_init(&it, &doc)) return 0;
    if (!bson_validate(&doc, BSON_VALIDATE_UTF8 | BSON_VALIDATE_UTF8_ALLOW_NULL, NULL)) return 0;
    Arena arena = {0};
    Value seen[MOST];
    int n = 0;
    while (bson_iter_next(&it)) {
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
            Value v = value_from_bson(&it, types[t]);
            look(&arena, &v);
            if (n < MOST) seen[n++] = v;
            bson_t out = BSON_INITIALIZER;
            value_append(&out, "k", 1, &v, types[0]);
            bson_destroy(&out);
        }
    }
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) compare(&seen[i], &seen[k]);
    arena_free(&arena);
    return 0;
}
