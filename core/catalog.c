/* catalog.c - the catalogue in memory: reading and writing `__schema__` documents, look-ups by name, index questions. See catalog.h for the contract.
 *
 * A document of ours names everything by column name; in memory columns are numbers. Its parts beside those of catalog.h's opening comment:
 *     constraints: [{kind: "primary"|"unique"|"check"|"foreign", name, columns: ["a"], check, references, references_columns: ["id"], on_delete: "CASCADE", on_update: "SET NULL", deferrable,
 *                    initially_deferred, nulls_not_distinct, local}]
 *     indexes: [{name, unique, nulls_not_distinct, keys: [{column: "a"} | {expr: "lower(a)"}, descending, opclass], include: ["b"], where, constraint}]
 * Absent means false or empty. Whatever names a column that isn't there makes the document senseless: it is refused rather than half understood.
 * A document of djongo 1.3 has no `columns`: its types come from type_code, its counter's column is taken for the primary key (djongo 1.3 gives every
 * key its unique index `__primary_key__`), and `_id` is one more column, hidden unless it is the key itself.
 * Not here: fetching documents and counts (exec.c), changing tables (ddl.c). */
#include "catalog.h"

#include <stdlib.h>

#include "json.h"

/* ---- tables by name ---- */

struct CatalogHash { int size, *slots; };                       /* table number + 1, 0 empty; open addressing, at most half full */

static uint64_t name_hash(Str name) { return hash_bytes(name.p, name.n, 0); }

static void hash_insert(struct CatalogHash *h, const Catalog *c, int i) {
    size_t slot = name_hash(c->tables.at[i]->name) & (size_t)(h->size - 1);
    while (h->slots[slot]) slot = (slot + 1) & (size_t)(h->size - 1);
    h->slots[slot] = i + 1;
}

static void rehash(Catalog *c) {
    struct CatalogHash *h = c->hash;
    if (h->size < 2 * c->tables.n + 2) {
        for (h->size = 64; h->size < 4 * c->tables.n;) h->size *= 2;
        h->slots = NEW_ARRAY(&c->arena, int, h->size);
    } else {
        memset(h->slots, 0, sizeof *h->slots * (size_t)h->size);
    }
    for (int i = 0; i < c->tables.n; i++) hash_insert(h, c, i);
}

static int exact_table(const Catalog *c, Str name) {
    const struct CatalogHash *h = c->hash;
    for (size_t slot = name_hash(name) & (size_t)(h->size - 1); h->slots[slot]; slot = (slot + 1) & (size_t)(h->size - 1))
        if (str_eq(c->tables.at[h->slots[slot] - 1]->name, name)) return h->slots[slot] - 1;
    return -1;
}

Catalog *catalog_new(Str database) {
    Catalog *c = calloc(1, sizeof *c);
    if (!c) abort();
    c->references = 1;
    c->database = arena_str(&c->arena, database.p, database.n);
    c->hash = NEW(&c->arena, struct CatalogHash);
    rehash(c);
    return c;
}

Catalog *catalog_retain(Catalog *c) {
    __atomic_add_fetch(&c->references, 1, __ATOMIC_RELAXED);    /* connections of several threads may share one */
    return c;
}

void catalog_release(Catalog *c) {
    if (!c || __atomic_sub_fetch(&c->references, 1, __ATOMIC_ACQ_REL) > 0) return;
    Arena arena = c->arena;
    free(c);
    arena_free(&arena);
}

const Table *catalog_find_table(const Catalog *c, Str name) {
    int found = exact_table(c, name);
    if (found >= 0) return c->tables.at[found];
    for (int i = 0; i < c->tables.n; i++) {
        if (!str_ieq(c->tables.at[i]->name, name)) continue;
        if (found >= 0) return NULL;
        found = i;
    }
    return found >= 0 ? c->tables.at[found] : NULL;
}

bool catalog_remove_table(Catalog *c, Str name) {
    int at = exact_table(c, name);
    if (at < 0) return false;
    memmove(&c->tables.at[at], &c->tables.at[at + 1], sizeof *c->tables.at * (size_t)(c->tables.n - at - 1));
    c->tables.n--;
    rehash(c);
    return true;
}

void catalog_put_table(Catalog *c, Table *t) {
    t->id_index = (Index){.name = STR("_id_"), .unique = true};
    for (int i = 0; i < t->columns.n; i++)
        if (str_is(t->columns.at[i].field, "_id")) vec_push(&c->arena, &t->id_index.keys, ((IndexKey){.column = i}));
    bson_t document = BSON_INITIALIZER;
    catalog_table_document(t, &document);
    t->id = (int64_t)(hash_bytes(bson_get_data(&document), document.len, 0) >> 1);
    bson_destroy(&document);
    int at = exact_table(c, t->name);
    if (at >= 0) {
        c->tables.at[at] = t;
        return;
    }
    vec_push(&c->arena, &c->tables, t);
    if (c->hash->size < 2 * c->tables.n) rehash(c);
    else hash_insert(c->hash, c, c->tables.n - 1);
}

Table *table_new(Arena *a, Str name) {
    Table *t = NEW(a, Table);
    t->name = arena_str(a, name.p, name.n);
    t->declared = t->described = true;
    t->row_estimate = -1;
    return t;
}

/* ---- questions ---- */

int table_find_column(const Table *t, Str name) {
    int found = -1;
    for (int i = 0; i < t->columns.n; i++)
        if (str_eq(t->columns.at[i].name, name)) return i;
    for (int i = 0; i < t->columns.n; i++) {
        if (!str_ieq(t->columns.at[i].name, name)) continue;
        if (found >= 0) return -1;
        found = i;
    }
    return found;
}

const Index *table_find_index(const Table *t, Str name) {
    for (int i = 0; i < t->indexes.n; i++)
        if (str_eq(t->indexes.at[i].name, name)) return &t->indexes.at[i];
    return t->id_index.keys.n && str_eq(t->id_index.name, name) ? &t->id_index : NULL;
}

/* Cuts blanks and parentheses that enclose all of `s`. The texts looked at here have no others. */
static Str bare(Str s) {
    for (;;) {
        while (s.n && (s.p[0] == ' ' || s.p[0] == '\n' || s.p[0] == '\t')) s = (Str){s.p + 1, s.n - 1};
        while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\t')) s.n--;
        if (s.n < 2 || s.p[0] != '(' || s.p[s.n - 1] != ')') return s;
        s = (Str){s.p + 1, s.n - 2};
    }
}

/* Is the condition just `column IS NOT NULL`? Then the rows it leaves out are those no comparison selects. */
static bool excludes_only_null(const Index *index, const Column *column) {
    Str s = bare(index->where_text), tail = STR("is not null");
    if (s.n <= tail.n || !str_ieq((Str){s.p + s.n - tail.n, tail.n}, tail)) return false;
    s = bare((Str){s.p, s.n - tail.n});
    if (s.n > 2 && s.p[0] == '"' && s.p[s.n - 1] == '"') s = (Str){s.p + 1, s.n - 2};
    return str_eq(s, column->name);
}

/* Is every row in it, in the order of SQL's values? */
static bool is_ordered(const Index *index) {
    if (index->method.n && !str_is(index->method, "ttl")) return false;
    return !index->options.n || (!strstr(index->options.p, "\"sparse\"") && !strstr(index->options.p, "\"collation\""));
}

static bool covers(const Table *t, const Index *index, int column) {
    return index->keys.n && index->keys.at[0].column == column && !index->keys.at[0].path.n && is_ordered(index) && (!index->where_text.n || excludes_only_null(index, &t->columns.at[column]));
}

const Index *table_index_on(const Table *t, int column) {
    if (column < 0) return NULL;
    if (covers(t, &t->id_index, column)) return &t->id_index;
    const Index *best = NULL;                                   /* fewest keys, unique before others: the narrowest read */
    for (int i = 0; i < t->indexes.n; i++) {
        const Index *index = &t->indexes.at[i];
        if (!covers(t, index, column)) continue;
        if (!best || index->keys.n < best->keys.n || (index->keys.n == best->keys.n && index->unique && !best->unique)) best = index;
    }
    return best;
}

static int columns_led(const Index *index, const int *columns, int n) {
    int led = 0;
    for (bool found = true; found && led < index->keys.n; led += found) {
        found = false;
        for (int i = 0; i < n; i++) found |= index->keys.at[led].column == columns[i] && !index->keys.at[led].path.n;
    }
    return led;
}

const Index *table_index_over(const Table *t, const int *columns, int n) {
    const Index *best = n ? table_index_on(t, columns[0]) : NULL;
    for (int i = 0; i < t->indexes.n && n > 1; i++) {
        const Index *index = &t->indexes.at[i];
        int led = columns_led(index, columns, n);
        if (led && covers(t, index, index->keys.at[0].column) && (!best || led > columns_led(best, columns, n))) best = index;
    }
    return best;
}

bool table_column_is_virtual(const Table *t, int column) {
    return t && column < t->columns.n && t->columns.at[column].generated_text.n && !t->columns.at[column].generated_stored;
}

bool table_column_is_unique(const Table *t, int column) {
    if (column < 0) return false;
    if (t->primary_key.n == 1 && t->primary_key.at[0] == column) return true;
    if (covers(t, &t->id_index, column)) return true;
    for (int i = 0; i < t->indexes.n; i++)
        if (t->indexes.at[i].unique && t->indexes.at[i].keys.n == 1 && covers(t, &t->indexes.at[i], column)) return true;
    return false;
}

/* ---- reading a document ---- */

typedef struct Reader { Arena *arena; Table *table; sqm_error_t *error; } Reader;

static bool senseless(const Reader *r, const char *what, Str name) {
    return error_set(r->error, SQM_ERROR_INTERNAL, "the catalogue entry of table \"" STR_FMT "\" makes no sense: %s \"" STR_FMT "\"", STR_ARG(r->table->name), what, STR_ARG(name));
}

static Str read_text(Arena *a, const bson_t *document, const char *key) {
    bson_iter_t it;
    uint32_t n;
    if (!bson_iter_init_find(&it, document, key) || !BSON_ITER_HOLDS_UTF8(&it)) return (Str){0};
    const char *p = bson_iter_utf8(&it, &n);
    return arena_str(a, p, n);
}

static bool read_flag(const bson_t *document, const char *key) {
    bson_iter_t it;
    return bson_iter_init_find(&it, document, key) && bson_iter_as_bool(&it);
}

/* The container under `key` as a document of its own; false when there is none. */
static bool read_container(const bson_t *document, const char *key, bson_t *out) {
    bson_iter_t it;
    const uint8_t *p;
    uint32_t n;
    if (!bson_iter_init_find(&it, document, key)) return false;
    if (BSON_ITER_HOLDS_ARRAY(&it)) bson_iter_array(&it, &n, &p);
    else if (BSON_ITER_HOLDS_DOCUMENT(&it)) bson_iter_document(&it, &n, &p);
    else return false;
    return bson_init_static(out, p, n);
}

/* The next element that is a document. */
static bool next_document(bson_iter_t *it, bson_t *out) {
    while (bson_iter_next(it)) {
        const uint8_t *p;
        uint32_t n;
        if (!BSON_ITER_HOLDS_DOCUMENT(it)) continue;
        bson_iter_document(it, &n, &p);
        return bson_init_static(out, p, n);
    }
    return false;
}

static Str iter_text(const bson_iter_t *it) {
    uint32_t n = 0;
    const char *p = BSON_ITER_HOLDS_UTF8(it) ? bson_iter_utf8(it, &n) : "";
    return (Str){p, n};
}

static int exact_column(const Table *t, Str name) {
    for (int i = 0; i < t->columns.n; i++)
        if (str_eq(t->columns.at[i].name, name)) return i;
    return -1;
}

typedef VEC(int) Numbers;

/* An array of column names as column numbers. `to`: any VEC(int). */
static bool read_columns(const Reader *r, const bson_t *document, const char *key, Numbers *to) {
    bson_t names;
    bson_iter_t it;
    if (!read_container(document, key, &names) || !bson_iter_init(&it, &names)) return true;
    while (bson_iter_next(&it)) {
        Str name = iter_text(&it);
        int column = exact_column(r->table, name);
        if (column < 0) return senseless(r, "there is no column", name);
        vec_push(r->arena, to, column);
    }
    return true;
}

#define READ_COLUMNS(r, document, key, vec)                                                   \
    do {                                                                                      \
        Numbers numbers_ = {0};                                                               \
        if (!read_columns((r), (document), (key), &numbers_)) return false;                   \
        (vec)->at = numbers_.at;                                                              \
        (vec)->n = numbers_.n;                                                                \
        (vec)->cap = numbers_.cap;                                                            \
    } while (0)

static bool read_column(Reader *r, const bson_t *d) {
    Column c = {.name = read_text(r->arena, d, "name"), .field = read_text(r->arena, d, "field")};
    Str type = read_text(r->arena, d, "type");
    if (!c.name.n) return senseless(r, "a column without a name, type", type);
    if (exact_column(r->table, c.name) >= 0) return senseless(r, "two columns are called", c.name);
    if (!type_parse(type, &c.type)) return senseless(r, "there is no type", type);
    if (!c.field.n) c.field = c.name;
    c.not_null = read_flag(d, "not_null");
    c.indexed = read_flag(d, "indexed");
    c.hidden = c.indexed || read_flag(d, "hidden");
    c.identity = read_flag(d, "identity");
    c.always = read_flag(d, "always");
    c.implicit = read_flag(d, "implicit");
    c.default_text = read_text(r->arena, d, "default");
    c.generated_text = read_text(r->arena, d, "generated");
    c.generated_stored = read_flag(d, "stored");
    c.collation = read_text(r->arena, d, "collation");
    Collation collation = COLLATION_DEFAULT;
    if (c.collation.n && !collation_find(c.collation, &collation)) return senseless(r, "there is no collation", c.collation);
    if (type_is_text(c.type)) c.type.collation = collation;
    c.comment = read_text(r->arena, d, "comment");
    vec_push(r->arena, &r->table->columns, c);
    return true;
}

static const char *const key_actions[] = {
    [ACTION_NONE] = "NO ACTION", [ACTION_CASCADE] = "CASCADE", [ACTION_SET_NULL] = "SET NULL", [ACTION_SET_DEFAULT] = "SET DEFAULT"};
static const char *const constraint_kinds[] = {
    [TABLE_PRIMARY_KEY] = "primary", [TABLE_UNIQUE] = "unique", [TABLE_CHECK] = "check", [TABLE_FOREIGN_KEY] = "foreign",
};

static KeyAction read_action(Arena *arena, const bson_t *d, const char *key) {
    Str action = read_text(arena, d, key);
    for (int i = 0; i < (int)(sizeof key_actions / sizeof *key_actions); i++)
        if (action.n && str_is(action, key_actions[i])) return (KeyAction)i;
    return ACTION_NONE;
}

static bool read_constraint(Reader *r, const bson_t *d) {
    Constraint c = {.name = read_text(r->arena, d, "name")};
    Str kind = read_text(r->arena, d, "kind");
    int k = 0;
    while (k < 4 && !str_is(kind, constraint_kinds[k])) k++;
    if (k == 4) return senseless(r, "there is no kind of constraint", kind);
    c.kind = (TableConstraintKind)k;
    READ_COLUMNS(r, d, "columns", &c.columns);
    c.check_text = read_text(r->arena, d, "check");
    c.local = read_flag(d, "local");
    c.references = read_text(r->arena, d, "references");
    bson_t names;
    bson_iter_t it;
    if (read_container(d, "references_columns", &names) && bson_iter_init(&it, &names)) {
        while (bson_iter_next(&it)) {
            Str name = iter_text(&it);
            vec_push(r->arena, &c.references_columns, arena_str(r->arena, name.p, name.n));
        }
    }
    c.on_delete = read_action(r->arena, d, "on_delete");
    c.on_update = read_action(r->arena, d, "on_update");
    c.deferrable = read_flag(d, "deferrable");
    c.initially_deferred = read_flag(d, "initially_deferred");
    c.nulls_not_distinct = read_flag(d, "nulls_not_distinct");
    vec_push(r->arena, &r->table->constraints, c);
    return true;
}

static bool read_index(Reader *r, const bson_t *d) {
    Index index = {.name = read_text(r->arena, d, "name"), .where_text = read_text(r->arena, d, "where")};
    index.unique = read_flag(d, "unique");
    index.nulls_not_distinct = read_flag(d, "nulls_not_distinct");
    index.constraint = read_flag(d, "constraint");
    index.method = read_text(r->arena, d, "method");
    index.options = read_text(r->arena, d, "options");
    bson_t keys, key;
    bson_iter_t it;
    if (read_container(d, "keys", &keys) && bson_iter_init(&it, &keys)) {
        while (next_document(&it, &key)) {
            Str column = read_text(r->arena, &key, "column");
            IndexKey k = {.column = -1, .expr_text = read_text(r->arena, &key, "expr"), .descending = read_flag(&key, "descending")};
            k.opclass = read_text(r->arena, &key, "opclass");
            k.folded = read_text(r->arena, &key, "folded");
            k.path = read_text(r->arena, &key, "path");
            k.column = exact_column(r->table, column);
            if (k.column < 0 && column.n) return senseless(r, "there is no column", column);
            vec_push(r->arena, &index.keys, k);
        }
    }
    if (!index.name.n || !index.keys.n) return senseless(r, "an index without a name or keys", index.name);
    READ_COLUMNS(r, d, "include", &index.include);
    vec_push(r->arena, &r->table->indexes, index);
    return true;
}

static bool read_list(Reader *r, const bson_t *document, const char *key, bool (*read)(Reader *, const bson_t *)) {
    bson_t list, item;
    bson_iter_t it;
    if (!read_container(document, key, &list) || !bson_iter_init(&it, &list)) return true;
    while (next_document(&it, &item))
        if (!read(r, &item)) return false;
    return true;
}

/* ---- a document of djongo 1.3 ---- */

static bool is_automatic(const bson_t *automatic, Str name) {
    bson_t names;
    bson_iter_t it;
    if (!read_container(automatic, "field_names", &names) || !bson_iter_init(&it, &names)) return false;
    while (bson_iter_next(&it))
        if (str_eq(iter_text(&it), name)) return true;
    return false;
}

static void read_legacy(Reader *r, const bson_t *document) {
    Table *t = r->table;
    t->legacy = true;
    t->described = false;
    bson_t fields, field, automatic;
    bson_iter_t it;
    bool any_automatic = read_container(document, "auto", &automatic);
    if (any_automatic && is_automatic(&automatic, STR("_id"))) {   /* _id = ObjectIdField(): the key itself; fields never lists it */
        vec_push(r->arena, &t->columns, ((Column){.name = STR("_id"), .field = STR("_id"), .type = TYPE(OBJECTID)}));
        vec_push(r->arena, &t->primary_key, 0);
    }
    if (read_container(document, "fields", &fields) && bson_iter_init(&it, &fields)) {
        while (next_document(&it, &field)) {
            Str name = arena_str(r->arena, bson_iter_key(&it), bson_iter_key_len(&it));
            if (exact_column(t, name) >= 0) continue;
            Column c = {.name = name, .field = name, .type = type_from_code(read_text(r->arena, &field, "type_code"))};
            if (any_automatic && is_automatic(&automatic, name) && c.type.tag != TYPE_OBJECTID) {
                c.identity = true;
                if (!t->primary_key.n) vec_push(r->arena, &t->primary_key, t->columns.n);
            }
            vec_push(r->arena, &t->columns, c);
        }
    }
    if (exact_column(t, STR("_id")) < 0)
        vec_push(r->arena, &t->columns, ((Column){.name = STR("_id"), .field = STR("_id"), .type = TYPE(OBJECTID), .hidden = true}));
    if (t->primary_key.n && !str_is(t->columns.at[t->primary_key.at[0]].field, "_id")) {
        Index index = {.name = STR("__primary_key__"), .unique = true, .constraint = true};
        vec_push(r->arena, &index.keys, ((IndexKey){.column = t->primary_key.at[0]}));
        vec_push(r->arena, &t->indexes, index);
    }
    if (t->primary_key.n) {
        Constraint key = {.kind = TABLE_PRIMARY_KEY, .name = STR("__primary_key__")};
        vec_push(r->arena, &key.columns, t->primary_key.at[0]);
        vec_push(r->arena, &t->constraints, key);
    }
}

bool catalog_load_table(Catalog *c, const bson_t *document, sqm_error_t *error) {
    Str name = read_text(&c->arena, document, "name");
    if (!name.n) return error_set(error, SQM_ERROR_INTERNAL, "a catalogue entry has no table name");
    Table *t = table_new(&c->arena, name);
    Reader r = {&c->arena, t, error};
    if (!bson_has_field(document, "columns")) {
        read_legacy(&r, document);
    } else {
        if (!read_list(&r, document, "columns", read_column)) return false;
        READ_COLUMNS(&r, document, "primary_key", &t->primary_key);
        t->legacy = read_flag(document, "legacy");
        t->implicit = read_flag(document, "implicit");
        t->enforced = read_flag(document, "enforced");
        if (!read_list(&r, document, "constraints", read_constraint) || !read_list(&r, document, "indexes", read_index)) return false;
    }
    t->comment = read_text(&c->arena, document, "comment");
    t->view_text = read_text(&c->arena, document, "view");
    t->options = read_text(&c->arena, document, "options");
    catalog_put_table(c, t);
    return true;
}

const Table *catalog_sample_table(Catalog *c, Str name, const bson_t *const *samples, int n) {
    Table *t = table_new(&c->arena, name);
    t->declared = t->described = false;
    vec_push(&c->arena, &t->columns, ((Column){.name = STR("_id"), .field = STR("_id"), .not_null = true}));
    vec_push(&c->arena, &t->primary_key, 0);
    for (int i = 0; i < n; i++) {
        bson_iter_t it;
        if (!bson_iter_init(&it, samples[i])) continue;
        while (bson_iter_next(&it)) {
            Str key = {bson_iter_key(&it), bson_iter_key_len(&it)};
            if (exact_column(t, key) >= 0) continue;
            key = arena_str(&c->arena, key.p, key.n);
            vec_push(&c->arena, &t->columns, ((Column){.name = key, .field = key, .type = TYPE(UNKNOWN)}));
        }
    }
    catalog_put_table(c, t);
    return t;
}

/* ---- writing a document ---- */

static void put_text(bson_t *d, const char *key, Str s) {
    if (s.n) bson_append_utf8(d, key, -1, s.p, (int)s.n);
}

static void put_flag(bson_t *d, const char *key, bool flag) {
    if (flag) bson_append_bool(d, key, -1, true);
}

/* A child of an array under construction: its name and itself. */
typedef struct Item { bson_t doc; char buffer[16]; const char *name; } Item;

static const char *number_name(int i, char *buffer) {
    const char *name;
    bson_uint32_to_string((uint32_t)i, &name, buffer, 16);
    return name;
}

static void put_names(bson_t *d, const char *key, const Table *t, const int *columns, int n, bool always) {
    bson_t array;
    if (!n && !always) return;
    bson_append_array_begin(d, key, -1, &array);
    for (int i = 0; i < n; i++) {
        char buffer[16];
        Str name = t->columns.at[columns[i]].name;
        bson_append_utf8(&array, number_name(i, buffer), -1, name.p, (int)name.n);
    }
    bson_append_array_end(d, &array);
}

static void put_column(bson_t *d, const Column *c) {
    char type[64];
    put_text(d, "name", c->name);
    put_text(d, "field", c->field);
    bson_append_utf8(d, "type", -1, type_text(c->type, type, sizeof type), -1);
    put_flag(d, "not_null", c->not_null);
    put_flag(d, "hidden", c->hidden);
    put_flag(d, "indexed", c->indexed);
    put_flag(d, "identity", c->identity);
    put_flag(d, "always", c->always);
    put_flag(d, "implicit", c->implicit);
    put_text(d, "default", c->default_text);
    put_text(d, "generated", c->generated_text);
    put_flag(d, "stored", c->generated_stored);
    put_text(d, "collation", c->collation);
    put_text(d, "comment", c->comment);
}

static void put_constraint(bson_t *d, const Table *t, const Constraint *c) {
    bson_append_utf8(d, "kind", -1, constraint_kinds[c->kind], -1);
    put_text(d, "name", c->name);
    put_names(d, "columns", t, c->columns.at, c->columns.n, false);
    put_text(d, "check", c->check_text);
    put_flag(d, "local", c->local);
    put_text(d, "references", c->references);
    if (c->references_columns.n) {
        bson_t array;
        bson_append_array_begin(d, "references_columns", -1, &array);
        for (int i = 0; i < c->references_columns.n; i++) {
            char buffer[16];
            bson_append_utf8(&array, number_name(i, buffer), -1, c->references_columns.at[i].p, (int)c->references_columns.at[i].n);
        }
        bson_append_array_end(d, &array);
    }
    if (c->on_delete != ACTION_NONE) put_text(d, "on_delete", str_from(key_actions[c->on_delete]));
    if (c->on_update != ACTION_NONE) put_text(d, "on_update", str_from(key_actions[c->on_update]));
    put_flag(d, "deferrable", c->deferrable);
    put_flag(d, "initially_deferred", c->initially_deferred);
    put_flag(d, "nulls_not_distinct", c->nulls_not_distinct);
}

static void put_index(bson_t *d, const Table *t, const Index *index) {
    put_text(d, "name", index->name);
    put_flag(d, "unique", index->unique);
    put_flag(d, "nulls_not_distinct", index->nulls_not_distinct);
    bson_t keys;
    bson_append_array_begin(d, "keys", -1, &keys);
    for (int i = 0; i < index->keys.n; i++) {
        const IndexKey *k = &index->keys.at[i];
        Item key;
        bson_append_document_begin(&keys, number_name(i, key.buffer), -1, &key.doc);
        if (k->column >= 0) put_text(&key.doc, "column", t->columns.at[k->column].name);
        put_text(&key.doc, "path", k->path);
        put_text(&key.doc, "expr", k->expr_text);
        put_text(&key.doc, "folded", k->folded);
        put_flag(&key.doc, "descending", k->descending);
        put_text(&key.doc, "opclass", k->opclass);
        bson_append_document_end(&keys, &key.doc);
    }
    bson_append_array_end(d, &keys);
    put_names(d, "include", t, index->include.at, index->include.n, false);
    put_text(d, "where", index->where_text);
    put_flag(d, "constraint", index->constraint);
    put_text(d, "method", index->method);
    put_text(d, "options", index->options);
}

/* The part djongo 1.3 reads. */
static void put_legacy_fields(bson_t *out, const Table *t) {
    bson_t array, fields, field;
    char buffer[16];
    int n = 0;
    bson_append_array_begin(out, "auto.field_names", -1, &array);
    for (int i = 0; i < t->columns.n; i++)
        if (t->columns.at[i].identity) bson_append_utf8(&array, number_name(n++, buffer), -1, t->columns.at[i].name.p, (int)t->columns.at[i].name.n);
    bson_append_array_end(out, &array);
    bson_append_document_begin(out, "fields", -1, &fields);
    for (int i = 0; i < t->columns.n; i++) {
        const Column *c = &t->columns.at[i];
        const char *code = type_code(c->type);
        if (str_is(c->field, "_id") || c->indexed) continue;
        bson_append_document_begin(&fields, c->field.p, (int)c->field.n, &field);
        if (*code) bson_append_utf8(&field, "type_code", -1, code, -1);
        else bson_append_null(&field, "type_code", -1);
        bson_append_document_end(&fields, &field);
    }
    bson_append_document_end(out, &fields);
}

void catalog_table_document(const Table *t, bson_t *out) {
    bson_t list;
    Item item;
    put_text(out, "name", t->name);
    put_legacy_fields(out, t);
    bson_append_array_begin(out, "columns", -1, &list);
    for (int i = 0; i < t->columns.n; i++) {
        bson_append_document_begin(&list, number_name(i, item.buffer), -1, &item.doc);
        put_column(&item.doc, &t->columns.at[i]);
        bson_append_document_end(&list, &item.doc);
    }
    bson_append_array_end(out, &list);
    put_names(out, "primary_key", t, t->primary_key.at, t->primary_key.n, true);
    bson_append_array_begin(out, "constraints", -1, &list);
    for (int i = 0; i < t->constraints.n; i++) {
        bson_append_document_begin(&list, number_name(i, item.buffer), -1, &item.doc);
        put_constraint(&item.doc, t, &t->constraints.at[i]);
        bson_append_document_end(&list, &item.doc);
    }
    bson_append_array_end(out, &list);
    bson_append_array_begin(out, "indexes", -1, &list);
    for (int i = 0; i < t->indexes.n; i++) {
        bson_append_document_begin(&list, number_name(i, item.buffer), -1, &item.doc);
        put_index(&item.doc, t, &t->indexes.at[i]);
        bson_append_document_end(&list, &item.doc);
    }
    bson_append_array_end(out, &list);
    bson_append_bool(out, "legacy", -1, t->legacy);
    bson_append_bool(out, "implicit", -1, t->implicit);
    bson_append_bool(out, "enforced", -1, t->enforced);
    bson_append_utf8(out, "comment", -1, t->comment.n ? t->comment.p : "", (int)t->comment.n);
    bson_append_utf8(out, "view", -1, t->view_text.n ? t->view_text.p : "", (int)t->view_text.n);
    bson_append_utf8(out, "options", -1, t->options.n ? t->options.p : "", (int)t->options.n);
}

/* ---- description ---- */

static void key_of(Text *out, const char *key) {
    if (out->n && out->p[out->n - 1] != '{' && out->p[out->n - 1] != '[') text_adds(out, ", ");
    json_quote(out, str_from(key));
    text_adds(out, ": ");
}

static void say_text(Text *out, const char *key, Str s) {
    key_of(out, key);
    if (s.n) json_quote(out, s);
    else text_adds(out, "null");
}

static void say_flag(Text *out, const char *key, bool flag) {
    key_of(out, key);
    text_adds(out, flag ? "true" : "false");
}

static void say_number(Text *out, const char *key, int n) {
    key_of(out, key);
    if (n >= 0) text_addf(out, "%d", n);
    else text_adds(out, "null");
}

static void separate(Text *out, int i) { text_adds(out, i ? ", " : ""); }

static void say_columns(Text *out, const char *key, const Table *t, const int *columns, int n) {
    key_of(out, key);
    text_adds(out, "[");
    for (int i = 0; i < n; i++) {
        separate(out, i);
        json_quote(out, t->columns.at[columns[i]].name);
    }
    text_adds(out, "]");
}

static bool in_primary_key(const Table *t, int column) {
    for (int i = 0; i < t->primary_key.n; i++)
        if (t->primary_key.at[i] == column) return true;
    return false;
}

static void describe_column(Text *out, const Table *t, int i) {
    const Column *c = &t->columns.at[i];
    char type[64];
    bool text = type_is_text(c->type), numeric = c->type.tag == TYPE_NUMERIC;
    text_adds(out, "{");
    say_text(out, "name", c->name);
    say_text(out, "field", c->field);
    say_text(out, "type", str_from(type_text(c->type, type, sizeof type)));
    say_flag(out, "not_null", c->not_null);
    say_text(out, "default", c->default_text);
    say_flag(out, "auto", c->identity);
    say_flag(out, "implicit", c->implicit);
    say_flag(out, "primary_key", in_primary_key(t, i));
    say_number(out, "max_length", text ? c->type.length : -1);
    say_number(out, "precision", numeric ? c->type.length : -1);
    say_number(out, "scale", numeric ? c->type.scale : -1);
    say_text(out, "collation", c->collation);
    say_text(out, "generated", c->generated_text);
    say_flag(out, "stored", c->generated_stored);
    say_text(out, "comment", c->comment);
    text_adds(out, "}");
}

static void describe_constraint(Text *out, const Table *t, const Constraint *c) {
    text_adds(out, "{");
    say_text(out, "name", c->name);
    say_text(out, "kind", str_from(constraint_kinds[c->kind]));
    say_columns(out, "columns", t, c->columns.at, c->columns.n);
    key_of(out, "references");
    if (c->references.n) {
        text_adds(out, "[");
        json_quote(out, c->references);
        for (int i = 0; i < c->references_columns.n; i++) {
            text_adds(out, ", ");
            json_quote(out, c->references_columns.at[i]);
        }
        text_adds(out, "]");
    } else {
        text_adds(out, "null");
    }
    if (c->kind == TABLE_FOREIGN_KEY) {
        say_text(out, "on_delete", str_from(key_actions[c->on_delete]));
        say_text(out, "on_update", str_from(key_actions[c->on_update]));
    }
    say_text(out, "expression", c->check_text);
    say_text(out, "where", (Str){0});
    say_flag(out, "deferrable", c->deferrable);
    say_flag(out, "nulls_not_distinct", c->nulls_not_distinct);
    text_adds(out, "}");
}

static void describe_index(Text *out, const Table *t, const Index *index) {
    text_adds(out, "{");
    say_text(out, "name", index->name);
    key_of(out, "columns");
    text_adds(out, "[");
    for (int i = 0; i < index->keys.n; i++) {
        separate(out, i);
        const IndexKey *k = &index->keys.at[i];
        if (k->folded.n) json_quote(out, k->folded);
        else if (k->column >= 0 && !k->expr_text.n) json_quote(out, t->columns.at[k->column].name);
        else text_adds(out, "null");
    }
    text_adds(out, "]");
    key_of(out, "orders");
    text_adds(out, "[");
    for (int i = 0; i < index->keys.n; i++) {
        separate(out, i);
        text_adds(out, index->keys.at[i].descending ? "\"DESC\"" : "\"ASC\"");
    }
    text_adds(out, "]");
    say_flag(out, "unique", index->unique);
    say_text(out, "where", index->where_text);
    key_of(out, "expressions");
    text_adds(out, "[");
    for (int i = 0, n = 0; i < index->keys.n; i++) {
        if (!index->keys.at[i].expr_text.n || index->keys.at[i].folded.n) continue;
        separate(out, n++);
        json_quote(out, index->keys.at[i].expr_text);
    }
    text_adds(out, "]");
    say_columns(out, "include", t, index->include.at, index->include.n);
    say_flag(out, "nulls_not_distinct", index->nulls_not_distinct);
    say_flag(out, "constraint", index->constraint);
    key_of(out, "paths");
    text_adds(out, "[");
    for (int i = 0; i < index->keys.n; i++) {
        separate(out, i);
        if (index->keys.at[i].path.n) json_quote(out, index->keys.at[i].path);
        else text_adds(out, "null");
    }
    text_adds(out, "]");
    say_text(out, "method", index->method);
    key_of(out, "options");
    text_adds(out, index->options.n ? index->options.p : "null");
    text_adds(out, "}");
}

void catalog_describe(const Table *t, Text *out) {
    text_adds(out, "{");
    say_text(out, "name", t->name);
    key_of(out, "columns");
    text_adds(out, "[");
    for (int i = 0, n = 0; i < t->columns.n; i++) {
        if (t->columns.at[i].hidden) continue;
        separate(out, n++);
        describe_column(out, t, i);
    }
    text_adds(out, "]");
    say_columns(out, "primary_key", t, t->primary_key.at, t->primary_key.n);
    key_of(out, "constraints");
    text_adds(out, "[");
    for (int i = 0; i < t->constraints.n; i++) {
        separate(out, i);
        describe_constraint(out, t, &t->constraints.at[i]);
    }
    text_adds(out, "]");
    key_of(out, "indexes");
    text_adds(out, "[");
    for (int i = 0; i < t->indexes.n; i++) {
        separate(out, i);
        describe_index(out, t, &t->indexes.at[i]);
    }
    text_adds(out, "]");
    say_text(out, "comment", t->comment);
    say_text(out, "view", t->view_text);
    key_of(out, "options");
    text_adds(out, t->options.n ? t->options.p : "null");
    say_flag(out, "declared", t->declared);
    say_flag(out, "legacy", t->legacy);
    say_flag(out, "described", t->described);
    say_flag(out, "implicit", t->implicit);
    say_flag(out, "enforced", t->enforced);
    text_adds(out, "}");
}

/* ---- copying ---- */

static void copy_text(Arena *a, Str *s) {
    if (s->n) *s = arena_str(a, s->p, s->n);
}

#define COPY_ITEMS(arena, vec)                                                                           \
    do {                                                                                                 \
        if ((vec)->n) (vec)->at = arena_copy((arena), (vec)->at, sizeof *(vec)->at * (size_t)(vec)->n);   \
        (vec)->cap = (vec)->n;                                                                           \
    } while (0)

static void copy_index(Arena *a, Index *index) {
    copy_text(a, &index->name);
    copy_text(a, &index->where_text);
    copy_text(a, &index->method);
    copy_text(a, &index->options);
    COPY_ITEMS(a, &index->keys);
    COPY_ITEMS(a, &index->include);
    for (int i = 0; i < index->keys.n; i++) {
        copy_text(a, &index->keys.at[i].expr_text);
        copy_text(a, &index->keys.at[i].folded);
        copy_text(a, &index->keys.at[i].path);
        copy_text(a, &index->keys.at[i].opclass);
    }
}

static void copy_constraint(Arena *a, Constraint *c) {
    copy_text(a, &c->name);
    copy_text(a, &c->check_text);
    copy_text(a, &c->references);
    COPY_ITEMS(a, &c->columns);
    COPY_ITEMS(a, &c->references_columns);
    for (int i = 0; i < c->references_columns.n; i++) copy_text(a, &c->references_columns.at[i]);
}

Table *table_copy(Arena *a, const Table *t) {
    Table *copy = arena_copy(a, t, sizeof *t);
    copy_text(a, &copy->name);
    copy_text(a, &copy->view_text);
    copy_text(a, &copy->options);
    copy_text(a, &copy->comment);
    COPY_ITEMS(a, &copy->columns);
    COPY_ITEMS(a, &copy->primary_key);
    COPY_ITEMS(a, &copy->indexes);
    COPY_ITEMS(a, &copy->constraints);
    for (int i = 0; i < copy->columns.n; i++) {
        Column *c = &copy->columns.at[i];
        Str *const texts[] = {&c->name, &c->field, &c->default_text, &c->generated_text, &c->collation, &c->comment};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) copy_text(a, texts[k]);
    }
    for (int i = 0; i < copy->indexes.n; i++) copy_index(a, &copy->indexes.at[i]);
    copy_index(a, &copy->id_index);
    for (int i = 0; i < copy->constraints.n; i++) copy_constraint(a, &copy->constraints.at[i]);
    return copy;
}

Catalog *catalog_clone(const Catalog *c) {
    Catalog *clone = catalog_new(c->database);
    clone->version = c->version;
    for (int i = 0; i < c->tables.n; i++) {
        Table *t = table_copy(&clone->arena, c->tables.at[i]);
        vec_push(&clone->arena, &clone->tables, t);
    }
    rehash(clone);
    return clone;
}

bool table_same_definition(const Table *a, const Table *b) {
    if (a == b) return true;
    if (a->declared != b->declared || a->legacy != b->legacy || !str_eq(a->name, b->name)) return false;
    if (!a->declared) return true;
    bson_t da = BSON_INITIALIZER, db = BSON_INITIALIZER;
    catalog_table_document(a, &da);
    catalog_table_document(b, &db);
    bool same = bson_equal(&da, &db);
    bson_destroy(&da);
    bson_destroy(&db);
    return same;
}
