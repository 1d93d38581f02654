/* test_catalog.c - `__schema__` documents in and out, look-ups, index questions, copies. */
#include "catalog.h"

#include "unit.h"

static sqm_error_t error;

static bool load(Catalog *c, const char *json) {
    bson_error_t why;
    bson_t *d = bson_new_from_json((const uint8_t *)json, -1, &why);
    unit_checks++;
    if (!d) return unit_fail(__FILE__, __LINE__), fprintf(stderr, "%s\n", why.message), false;
    bool ok = catalog_load_table(c, d, &error);
    bson_destroy(d);
    return ok;
}

static const char BOOK[] =
    "{\"name\": \"book\", \"auto\": {\"field_names\": [\"id\"], \"seq\": 4}, \"fields\": {},"
    " \"columns\": [{\"name\": \"id\", \"field\": \"_id\", \"type\": \"bigint\", \"not_null\": true, \"identity\": true},"
    "  {\"name\": \"name\", \"type\": \"varchar(30)\", \"not_null\": true, \"default\": \"'x'\", \"collation\": \"C\", \"comment\": \"the \\\"title\\\"\"},"
    "  {\"name\": \"price\", \"type\": \"numeric(10,2)\"}, {\"name\": \"author_id\", \"type\": \"bigint\"},"
    "  {\"name\": \"up\", \"type\": \"text\", \"generated\": \"upper(name)\", \"stored\": true}, {\"name\": \"tags\", \"type\": \"integer[]\"},"
    "  {\"name\": \"__x1\", \"type\": \"text\", \"indexed\": true, \"generated\": \"lower(name)\", \"stored\": true}],"
    " \"primary_key\": [\"id\"],"
    " \"constraints\": [{\"kind\": \"primary\", \"name\": \"book_pkey\", \"columns\": [\"id\"]}, {\"kind\": \"unique\", \"name\": \"book_name_key\", \"columns\": [\"name\"]},"
    "  {\"kind\": \"check\", \"name\": \"positive\", \"columns\": [\"price\"], \"check\": \"price > 0\"},"
    "  {\"kind\": \"foreign\", \"name\": \"fk\", \"columns\": [\"author_id\"], \"references\": \"author\", \"references_columns\": [\"id\"], \"deferrable\": true, \"initially_deferred\": true}],"
    " \"indexes\": [{\"name\": \"book_name_key\", \"unique\": true, \"keys\": [{\"column\": \"name\"}], \"constraint\": true},"
    "  {\"name\": \"by_price\", \"keys\": [{\"column\": \"price\", \"descending\": true}, {\"column\": \"name\"}], \"include\": [\"up\"]},"
    "  {\"name\": \"lower_name\", \"keys\": [{\"column\": \"__x1\", \"expr\": \"lower(name)\"}]},"
    "  {\"name\": \"cheap\", \"unique\": true, \"keys\": [{\"column\": \"author_id\"}], \"where\": \"price < 5\"},"
    "  {\"name\": \"author\", \"unique\": true, \"keys\": [{\"column\": \"author_id\"}], \"where\": \"(\\\"author_id\\\" IS NOT NULL)\"}],"
    " \"comment\": \"books\"}";

static const char *describe(const Table *t, Arena *a) {
    Text out = {.arena = a};
    catalog_describe(t, &out);
    return out.p;
}

TEST(documents) {
    Catalog *c = catalog_new(STR("shop"));
    CHECK(load(c, BOOK));
    const Table *t = catalog_find_table(c, STR("book"));
    CHECK(t && t->declared && !t->legacy && t->row_estimate == -1);
    CHECK_INT(t->columns.n, 7);
    CHECK(str_is(t->columns.at[0].field, "_id") && t->columns.at[0].identity && t->columns.at[0].type.tag == TYPE_INT8);
    CHECK(str_is(t->columns.at[1].field, "name") && t->columns.at[1].type.length == 30 && str_is(t->columns.at[1].default_text, "'x'"));
    CHECK(t->columns.at[2].type.scale == 2 && !t->columns.at[2].not_null);
    CHECK(t->columns.at[4].generated_stored && t->columns.at[5].type.element == TYPE_INT4);
    CHECK_INT(t->constraints.n, 4);
    CHECK(t->constraints.at[3].kind == TABLE_FOREIGN_KEY && str_is(t->constraints.at[3].references_columns.at[0], "id") && t->constraints.at[3].initially_deferred);
    CHECK_INT(t->indexes.n, 5);
    CHECK(t->indexes.at[1].keys.at[0].descending && t->indexes.at[1].include.at[0] == 4 && t->indexes.at[2].keys.at[0].column == 6);
    /* Written and read again it is the same table. */
    bson_t document = BSON_INITIALIZER;
    catalog_table_document(t, &document);
    CHECK(bson_has_field(&document, "auto.field_names") == false && bson_has_field(&document, "columns"));   /* the dot is in the name, not a path */
    Catalog *again = catalog_new(STR("shop"));
    CHECK(catalog_load_table(again, &document, &error));
    const Table *u = catalog_find_table(again, STR("book"));
    CHECK(u->id == t->id);
    Arena a = {0};
    CHECK_STR(describe(u, &a), describe(t, &a));
    bson_iter_t it, type;
    CHECK(bson_iter_init(&it, &document) && bson_iter_find_descendant(&it, "fields.price.type_code", &type) && strcmp(bson_iter_utf8(&type, NULL), "decimal") == 0);
    CHECK(bson_iter_init(&it, &document) && !bson_iter_find_descendant(&it, "fields._id", &type));
    bson_destroy(&document);
    arena_free(&a);
    catalog_release(again);
    catalog_release(c);
}

TEST(descriptions) {
    Catalog *c = catalog_new(STR("shop"));
    Arena a = {0};
    CHECK(load(c, "{\"name\": \"t\", \"columns\": [{\"name\": \"a\", \"field\": \"_id\", \"type\": \"integer\", \"not_null\": true, \"identity\": true},"
                  " {\"name\": \"b\", \"type\": \"varchar(5)\", \"comment\": \"x\"}, {\"name\": \"_id\", \"field\": \"zz\", \"type\": \"objectid\", \"hidden\": true},"
                  " {\"name\": \"__x1\", \"type\": \"integer\", \"indexed\": true, \"generated\": \"a + 1\", \"stored\": true}], \"primary_key\": [\"a\"],"
                  " \"constraints\": [{\"kind\": \"foreign\", \"name\": \"f\", \"columns\": [\"b\"], \"references\": \"o\", \"references_columns\": [\"id\"]}],"
                  " \"indexes\": [{\"name\": \"i\", \"keys\": [{\"column\": \"b\", \"descending\": true}, {\"column\": \"__x1\", \"expr\": \"a + 1\"}], \"where\": \"a > 1\"}]}"));
    CHECK_STR(describe(catalog_find_table(c, STR("t")), &a),
              "{\"name\": \"t\", \"columns\": [{\"name\": \"a\", \"field\": \"_id\", \"type\": \"integer\", \"not_null\": true, \"default\": null, \"auto\": true, \"implicit\": false, \"primary_key\": true, "
              "\"max_length\": null, \"precision\": null, \"scale\": null, \"collation\": null, \"generated\": null, \"stored\": false, \"comment\": null}, "
              "{\"name\": \"b\", \"field\": \"b\", \"type\": \"varchar(5)\", \"not_null\": false, \"default\": null, \"auto\": false, \"implicit\": false, \"primary_key\": false, "
              "\"max_length\": 5, \"precision\": null, \"scale\": null, \"collation\": null, \"generated\": null, \"stored\": false, \"comment\": \"x\"}], "
              "\"primary_key\": [\"a\"], \"constraints\": [{\"name\": \"f\", \"kind\": \"foreign\", \"columns\": [\"b\"], \"references\": [\"o\", \"id\"], \"on_delete\": \"NO ACTION\", \"on_update\": \"NO ACTION\", \"expression\": null, "
              "\"where\": null, \"deferrable\": false, \"nulls_not_distinct\": false}], "
              "\"indexes\": [{\"name\": \"i\", \"columns\": [\"b\", null], \"orders\": [\"DESC\", \"ASC\"], \"unique\": false, \"where\": \"a > 1\", \"expressions\": [\"a + 1\"], "
              "\"include\": [], \"nulls_not_distinct\": false, \"constraint\": false, \"paths\": [null, null], \"method\": null, \"options\": null}], \"comment\": null, \"view\": null, \"options\": null, \"declared\": true, \"legacy\": false, \"described\": true, \"implicit\": false, \"enforced\": false}");
    arena_free(&a);
    catalog_release(c);
}

TEST(questions) {
    Catalog *c = catalog_new(STR("shop"));
    CHECK(load(c, BOOK));
    const Table *t = catalog_find_table(c, STR("BOOK"));
    CHECK(t && !catalog_find_table(c, STR("books")));
    CHECK_INT(table_find_column(t, STR("name")), 1);
    CHECK_INT(table_find_column(t, STR("NAME")), 1);
    CHECK_INT(table_find_column(t, STR("nam")), -1);
    CHECK(table_find_index(t, STR("by_price")) == &t->indexes.at[1] && table_find_index(t, STR("_id_")) == &t->id_index && !table_find_index(t, STR("x")));
    CHECK(table_index_on(t, 0) == &t->id_index);
    CHECK(table_index_on(t, 1) == &t->indexes.at[0]);
    CHECK(table_index_on(t, 2) == &t->indexes.at[1]);
    CHECK(table_index_on(t, 3) == &t->indexes.at[4]);            /* not "cheap", which leaves rows out */
    CHECK(!table_index_on(t, 4) && !table_index_on(t, -1));
    CHECK(table_column_is_unique(t, 0) && table_column_is_unique(t, 1) && !table_column_is_unique(t, 2) && table_column_is_unique(t, 3) && !table_column_is_unique(t, -1));
    CHECK(load(c, "{\"name\": \"Twice\", \"columns\": [{\"name\": \"a\", \"type\": \"text\"}, {\"name\": \"A\", \"type\": \"text\"}]}"));
    CHECK(load(c, "{\"name\": \"tWICE\", \"columns\": []}"));
    CHECK(!catalog_find_table(c, STR("twice")) && catalog_find_table(c, STR("Twice")));
    CHECK_INT(table_find_column(catalog_find_table(c, STR("Twice")), STR("A")), 1);
    catalog_release(c);
}

TEST(legacy_tables) {
    Catalog *c = catalog_new(STR("old"));
    CHECK(load(c, "{\"_id\": {\"$oid\": \"65a1b2c3d4e5f60718293a4b\"}, \"name\": \"papp_author\", \"auto\": {\"field_names\": [\"id\"], \"seq\": 4},"
                  " \"fields\": {\"id\": {\"type_code\": \"int\"}, \"name\": {\"type_code\": \"string\"}, \"born\": {\"type_code\": \"date\"}, \"x\": {\"type_code\": null}}}"));
    const Table *t = catalog_find_table(c, STR("papp_author"));
    CHECK(t->legacy && t->declared);
    CHECK_INT(t->columns.n, 5);
    CHECK(str_is(t->columns.at[0].field, "id") && t->columns.at[0].identity && t->columns.at[0].type.tag == TYPE_INT4);
    CHECK(t->columns.at[2].type.tag == TYPE_TIMESTAMPTZ && t->columns.at[3].type.tag == TYPE_UNKNOWN);
    CHECK(str_is(t->columns.at[4].name, "_id") && t->columns.at[4].hidden && t->columns.at[4].type.tag == TYPE_OBJECTID);
    CHECK(t->primary_key.n == 1 && t->primary_key.at[0] == 0 && str_is(table_index_on(t, 0)->name, "__primary_key__"));
    CHECK(table_column_is_unique(t, 0) && table_column_is_unique(t, 4));
    CHECK(load(c, "{\"name\": \"entry\", \"auto\": {\"field_names\": [\"_id\"]}, \"fields\": {\"text\": {\"type_code\": \"string\"}}}"));
    t = catalog_find_table(c, STR("entry"));
    CHECK(t->columns.n == 2 && str_is(t->columns.at[0].name, "_id") && !t->columns.at[0].hidden && !t->columns.at[0].identity && t->primary_key.n == 1);
    CHECK_INT(t->indexes.n, 0);
    CHECK(load(c, "{\"name\": \"bare\"}"));
    t = catalog_find_table(c, STR("bare"));
    CHECK(t->columns.n == 1 && t->columns.at[0].hidden && t->primary_key.n == 0);
    catalog_release(c);
}

static const char *refusal(const char *json) {
    Catalog *c = catalog_new(STR("x"));
    static char message[600];
    snprintf(message, sizeof message, "%s", load(c, json) ? "accepted" : error.message);
    CHECK_INT(c->tables.n, 0);
    catalog_release(c);
    return message;
}

TEST(senseless) {
    CHECK_STR(refusal("{\"x\": 1}"), "a catalogue entry has no table name");
    CHECK_STR(refusal("{\"name\": \"t\", \"columns\": [{\"name\": \"a\", \"type\": \"nosuch\"}]}"), "the catalogue entry of table \"t\" makes no sense: there is no type \"nosuch\"");
    CHECK_STR(refusal("{\"name\": \"t\", \"columns\": [{\"name\": \"a\"}]}"), "the catalogue entry of table \"t\" makes no sense: there is no type \"\"");
    CHECK_STR(refusal("{\"name\": \"t\", \"columns\": [{\"type\": \"text\"}]}"), "the catalogue entry of table \"t\" makes no sense: a column without a name, type \"text\"");
    CHECK_STR(refusal("{\"name\": \"t\", \"columns\": [], \"primary_key\": [\"a\"]}"), "the catalogue entry of table \"t\" makes no sense: there is no column \"a\"");
    CHECK_STR(refusal("{\"name\": \"t\", \"columns\": [], \"indexes\": [{\"name\": \"i\", \"keys\": [{\"column\": \"q\"}]}]}"), "the catalogue entry of table \"t\" makes no sense: there is no column \"q\"");
    CHECK_STR(refusal("{\"name\": \"t\", \"columns\": [], \"constraints\": [{\"kind\": \"odd\"}]}"), "the catalogue entry of table \"t\" makes no sense: there is no kind of constraint \"odd\"");
    CHECK_STR(refusal("{\"name\": \"t\", \"columns\": [{\"name\": \"a\", \"type\": \"text\"}, {\"name\": \"a\", \"type\": \"text\"}]}"), "the catalogue entry of table \"t\" makes no sense: two columns are called \"a\"");
}

TEST(changes) {
    Catalog *c = catalog_new(STR("shop"));
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "table_%d", i);
        Table *t = table_new(&c->arena, str_from(name));
        catalog_put_table(c, t);
    }
    CHECK_INT(c->tables.n, 300);
    CHECK(load(c, BOOK));
    c->version = 7;
    Catalog *clone = catalog_clone(c);
    const Table *old = catalog_find_table(c, STR("book"));
    int64_t id = old->id;
    Table *t = table_copy(&clone->arena, old);
    Column extra = {.name = STR("extra"), .field = STR("extra"), .type = TYPE(DATE)};
    vec_push(&clone->arena, &t->columns, extra);
    catalog_put_table(clone, t);
    CHECK(catalog_find_table(clone, STR("book")) == t && t->id != id && clone->tables.n == 301 && clone->version == 7);
    CHECK(catalog_remove_table(clone, STR("table_17")) && !catalog_remove_table(clone, STR("table_17")));
    CHECK(!catalog_find_table(clone, STR("table_17")) && catalog_find_table(clone, STR("table_18")) && catalog_find_table(clone, STR("table_299")));
    CHECK(catalog_find_table(c, STR("table_17")) && old->columns.n == 7);
    CHECK(catalog_retain(c) == c);
    catalog_release(c);
    catalog_release(c);
    CHECK(str_is(t->indexes.at[4].where_text, "(\"author_id\" IS NOT NULL)") && str_is(t->constraints.at[3].references, "author"));   /* nothing points into the old one */
    bson_t *sample = BCON_NEW("b", BCON_INT32(1), "_id", BCON_INT32(2), "a", BCON_UTF8("x")), *other = BCON_NEW("c", BCON_NULL, "b", BCON_NULL);
    const bson_t *samples[] = {sample, other};
    const Table *undeclared = catalog_sample_table(clone, STR("loose"), samples, 2);
    bson_destroy(sample);
    bson_destroy(other);
    CHECK(!undeclared->declared && undeclared->columns.n == 4 && str_is(undeclared->columns.at[0].name, "_id") && str_is(undeclared->columns.at[3].name, "c"));
    CHECK(catalog_find_table(clone, STR("loose")) == undeclared && table_column_is_unique(undeclared, 0));
    catalog_release(clone);
    catalog_release(NULL);
}

int main(void) {
    RUN(documents);
    RUN(descriptions);
    RUN(questions);
    RUN(legacy_tables);
    RUN(senseless);
    RUN(changes);
    return unit_report();
}
