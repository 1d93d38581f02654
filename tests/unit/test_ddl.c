/* test_ddl.c - DDL end to end against a real MongoDB: SQL in, rows and the server's own indexes and validators out.
 *
 * Runs only when DJONGO_TEST_URI names a replica set; uses (and drops) the database djongo_test_ddl. IS(sql, "rows") compares rows written as
 * "a|b;c|d" with NULL as ~; FAILS(sql, CODE) wants that error. */
#include <bson/bson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"
#include "sqm/sqm.h"

static int failures, checks;
static const char *const DATABASE = "djongo_test_ddl";
static sqm_connection_t *db;
static Server *raw;
static sqm_error_t error;
static char rows[20000];

static bool run_on(sqm_connection_t *c, const char *sql) {
    sqm_statement_t *st = NULL;
    sqm_step_t step = SQM_STEP_ERROR;
    error_clear(&error);
    rows[0] = '\0';
    if (!sqm_prepare(c, sql, SIZE_MAX, true, &st, &error)) return false;
    while ((step = sqm_step(st, &error)) == SQM_ROW) {
        for (int i = 0; i < sqm_column_count(st); i++) {
            const sqm_value_t *v = sqm_column(st, i);
            size_t n = 0;
            char *text = v->type == SQM_NULL ? NULL : sqm_value_to_text(v, &n);
            snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "%s%s", i ? "|" : rows[0] ? ";" : "", text ? text : "~");
            if (text) sqm_free(text);
        }
    }
    sqm_finalize(st);
    return step == SQM_DONE;
}

#define OK(sql)                                                                                                       \
    do {                                                                                                              \
        checks++;                                                                                                     \
        if (!run_on(db, sql)) failures++, printf("%s:%d: %s\n    %s\n", __func__, __LINE__, sql, error.message);       \
    } while (0)
#define IS(sql, expected)                                                                                             \
    do {                                                                                                              \
        OK(sql);                                                                                                      \
        if (strcmp(rows, expected) != 0) failures++, printf("%s:%d: %s\n    gave %s\n    not  %s\n", __func__, __LINE__, sql, rows, expected); \
    } while (0)
#define FAILS(sql, expected)                                                                                          \
    do {                                                                                                              \
        checks++;                                                                                                     \
        if (run_on(db, sql) || error.code != SQM_ERROR_##expected)                                                    \
            failures++, printf("%s:%d: %s\n    should be " #expected ", not %s: %s\n", __func__, __LINE__, sql, sqm_error_name(error.code), error.message); \
    } while (0)
#define SAYS(text)                                                                                                    \
    do {                                                                                                              \
        checks++;                                                                                                     \
        if (!strstr(error.message, text)) failures++, printf("%s:%d: \"%s\" not in: %s\n", __func__, __LINE__, text, error.message); \
    } while (0)
#define STORED(json, expected)                                                                                        \
    do {                                                                                                              \
        checks++;                                                                                                     \
        char *got = stored(json);                                                                                     \
        if (strcmp(got, expected) != 0) failures++, printf("%s:%d: %s\n    gave %s\n    not  %s\n", __func__, __LINE__, json, got, expected); \
        free(got);                                                                                                    \
    } while (0)

static bson_t *from_json(const char *text) {
    bson_error_t parse;
    bson_t *b = bson_new_from_json((const uint8_t *)text, -1, &parse);
    if (!b) printf("bad JSON: %s\n", text), abort();
    return b;
}

/* The documents of a reading command, one after the other; index and collection descriptions without what varies. */
static char *stored(const char *json) {
    bson_t *command = from_json(json);
    ServerCursor *c = NULL;
    const bson_t *doc;
    char *out = calloc(1, 20000);
    if (server_command_read(raw, command, &c, &error))
        while (server_cursor_next(c, &doc, &error) == 1) {
            bson_t brief = BSON_INITIALIZER;
            bson_copy_to_excluding_noinit(doc, &brief, "v", "info", "idIndex", "type", NULL);
            char *text = bson_as_relaxed_extended_json(&brief, NULL);
            strncat(out, text, 19999 - strlen(out));
            bson_free(text);
            bson_destroy(&brief);
        }
    server_cursor_close(c);
    bson_destroy(command);
    return out;
}

static void command(const char *json) {
    bson_t *b = from_json(json), reply;
    checks++;
    if (!server_command(raw, b, false, false, &reply, &error)) failures++, printf("%s: %s\n", json, error.message);
    bson_destroy(&reply);
    bson_destroy(b);
}

static void test_create(void) {
    OK("CREATE TABLE a (id bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, name varchar(10) NOT NULL UNIQUE, email text NULL UNIQUE, n integer NULL CHECK (n >= 0),"
       " x integer DEFAULT 5 NOT NULL, CONSTRAINT small CHECK (n < 100 OR x = 1))");
    FAILS("CREATE TABLE a (id integer)", DUPLICATE_TABLE);
    OK("CREATE TABLE IF NOT EXISTS a (id integer)");
    STORED("{\"listIndexes\": \"a\"}", "{ \"key\" : { \"_id\" : 1 }, \"name\" : \"_id_\" }{ \"key\" : { \"name\" : 1 }, \"name\" : \"a_name_key\", \"unique\" : true }"
           "{ \"key\" : { \"email\" : 1 }, \"name\" : \"a_email_key\", \"unique\" : true, \"partialFilterExpression\" : { \"email\" : { \"$gte\" : \"\" } } }");
    IS("INSERT INTO a (name, n) VALUES ('p', 1), ('q', NULL), ('r', 99) RETURNING id", "1;2;3");
    FAILS("INSERT INTO a (name, n) VALUES ('s', -1)", CHECK_VIOLATION);
    SAYS("\"a_n_check\"");
    FAILS("INSERT INTO a (name, n) VALUES ('s', 100)", CHECK_VIOLATION);
    SAYS("\"small\"");
    FAILS("INSERT INTO a (name) VALUES ('p')", UNIQUE_VIOLATION);
    SAYS("\"a_name_key\": key (name)=(p) already exists");
    FAILS("INSERT INTO a (id, name) VALUES (2, 't')", UNIQUE_VIOLATION);
    SAYS("\"a_pkey\": key (id)=(2) already exists");
    IS("INSERT INTO a (id, name) VALUES (50, 't') RETURNING x", "5");
    IS("INSERT INTO a (name) VALUES ('u') RETURNING id > 50", "true");
    FAILS("CREATE TABLE b (id integer PRIMARY KEY, j jsonb UNIQUE)", NOT_SUPPORTED);
    FAILS("CREATE TABLE b (id integer PRIMARY KEY, k integer PRIMARY KEY)", SYNTAX);
    FAILS("CREATE TABLE b (id integer, id text)", DUPLICATE_COLUMN);
    FAILS("CREATE TABLE b (id integer, k wrong)", UNDEFINED_OBJECT);
    FAILS("CREATE TABLE b (id integer, CHECK (nope > 1))", UNDEFINED_COLUMN);
    FAILS("CREATE TABLE b (id integer DEFAULT 'x')", INVALID_TEXT);
    FAILS("CREATE TABLE b (id integer REFERENCES nope)", UNDEFINED_TABLE);
    FAILS("CREATE TABLE b (id integer, UNIQUE (nope))", UNDEFINED_COLUMN);
    OK("CREATE TABLE b (x integer, y integer, z text, PRIMARY KEY (x, y), UNIQUE NULLS NOT DISTINCT (z), a_id bigint REFERENCES a)");
    OK("INSERT INTO b (x, y) VALUES (1, 1)");
    FAILS("INSERT INTO b (x, y) VALUES (1, 2)", UNIQUE_VIOLATION);
    FAILS("INSERT INTO b (x, y, z) VALUES (1, 1, 'z')", UNIQUE_VIOLATION);
    SAYS("\"b_pkey\"");
    OK("DROP TABLE b");
    /* a collection that is in the way */
    command("{\"insert\": \"left_over\", \"documents\": [{\"_id\": 1}]}");
    run_on(db, "SELECT 1 FROM nobody");
    FAILS("CREATE TABLE left_over (id integer PRIMARY KEY)", DUPLICATE_TABLE);
    command("{\"delete\": \"left_over\", \"deletes\": [{\"q\": {}, \"limit\": 0}]}");
    OK("CREATE TABLE left_over (id integer PRIMARY KEY)");
    OK("DROP TABLE left_over");
}

static void test_indexes(void) {
    OK("CREATE TABLE i (id integer PRIMARY KEY, p integer, q text, f boolean NOT NULL DEFAULT false)");
    OK("INSERT INTO i VALUES (1, 1, 'a', true), (2, 2, 'b', false), (3, 2, NULL, false)");
    OK("CREATE INDEX i1 ON i (p)");
    OK("CREATE INDEX i2 ON i (p)");
    OK("CREATE INDEX i3 ON i (q DESC, p) INCLUDE (f)");
    FAILS("CREATE INDEX i3 ON a (x)", DUPLICATE_TABLE);
    OK("CREATE INDEX IF NOT EXISTS i3 ON a (x)");
    FAILS("CREATE UNIQUE INDEX i4 ON i (p)", UNIQUE_VIOLATION);
    OK("CREATE UNIQUE INDEX i4 ON i (p) WHERE f");
    OK("CREATE UNIQUE INDEX i5 ON i (q) WHERE p > 1 AND f = false AND q IS NOT NULL AND p <> 7");
    FAILS("CREATE INDEX i6 ON i (p) WHERE random() > 0.5", SYNTAX);
    FAILS("CREATE INDEX i6 ON i ((p + random()))", SYNTAX);
    FAILS("CREATE INDEX i6 ON i (nope)", UNDEFINED_COLUMN);
    STORED("{\"listIndexes\": \"i\"}",
           "{ \"key\" : { \"_id\" : 1 }, \"name\" : \"_id_\" }{ \"key\" : { \"p\" : 1 }, \"name\" : \"i1\" }{ \"key\" : { \"q\" : -1, \"p\" : 1, \"f\" : 1 }, \"name\" : \"i3\" }"
           "{ \"key\" : { \"p\" : 1 }, \"name\" : \"i4\", \"unique\" : true, \"partialFilterExpression\" : { \"f\" : { \"$eq\" : true }, \"p\" : { \"$gte\" : { \"$numberDouble\" : \"-Infinity\" } } } }"
           "{ \"key\" : { \"q\" : 1 }, \"name\" : \"i5\", \"unique\" : true, \"partialFilterExpression\" : { \"$and\" : [ { \"p\" : { \"$gt\" : 1 } }, { \"f\" : { \"$eq\" : false } }, "
           "{ \"q\" : { \"$gte\" : \"\" } }, { \"$or\" : [ { \"p\" : { \"$lt\" : 7 } }, { \"p\" : { \"$gt\" : 7 } } ] } ], \"q\" : { \"$gte\" : \"\" } } }");
    OK("DROP INDEX i1");                /* i2 takes its place */
    OK("ALTER INDEX i3 RENAME TO i7");
    OK("DROP INDEX i4");
    OK("DROP INDEX i5");
    OK("DROP INDEX IF EXISTS i5");
    FAILS("DROP INDEX i5", UNDEFINED_OBJECT);
    STORED("{\"listIndexes\": \"i\"}",
           "{ \"key\" : { \"_id\" : 1 }, \"name\" : \"_id_\" }{ \"key\" : { \"p\" : 1 }, \"name\" : \"i2\" }{ \"key\" : { \"q\" : -1, \"p\" : 1, \"f\" : 1 }, \"name\" : \"i7\" }");
    OK("ALTER TABLE i RENAME COLUMN q TO \"weird.name\"");
    STORED("{\"listIndexes\": \"i\"}", "{ \"key\" : { \"_id\" : 1 }, \"name\" : \"_id_\" }{ \"key\" : { \"p\" : 1 }, \"name\" : \"i2\" }"
                                       "{ \"key\" : { \"weird\xEF\xBC\x8Ename\" : -1, \"p\" : 1, \"f\" : 1 }, \"name\" : \"i7\" }");
    IS("SELECT \"weird.name\" FROM i ORDER BY id", "a;b;~");
    OK("ALTER TABLE i DROP COLUMN p");
    STORED("{\"listIndexes\": \"i\"}", "{ \"key\" : { \"_id\" : 1 }, \"name\" : \"_id_\" }");
    STORED("{\"find\": \"i\"}", "{ \"_id\" : 1, \"f\" : true, \"weird\xEF\xBC\x8Ename\" : \"a\" }{ \"_id\" : 2, \"f\" : false, \"weird\xEF\xBC\x8Ename\" : \"b\" }"
                                "{ \"_id\" : 3, \"f\" : false, \"weird\xEF\xBC\x8Ename\" : null }");
}

static void test_alter(void) {
    OK("CREATE TABLE t (id integer PRIMARY KEY, p integer, q varchar(10), UNIQUE (p, q), CONSTRAINT c CHECK (p > 0))");
    OK("CREATE TABLE u (id integer PRIMARY KEY, t_id integer CONSTRAINT fk REFERENCES t (id))");
    OK("INSERT INTO t VALUES (1, 1, 'a'), (2, 2, '22'), (3, NULL, NULL)");
    OK("ALTER TABLE t ADD COLUMN d date DEFAULT '2020-02-03' NOT NULL");
    FAILS("ALTER TABLE t ADD COLUMN d date", DUPLICATE_COLUMN);
    OK("ALTER TABLE t ADD COLUMN IF NOT EXISTS d date");
    FAILS("ALTER TABLE t ADD COLUMN e date NOT NULL", NOT_NULL_VIOLATION);
    OK("ALTER TABLE t ADD COLUMN g integer GENERATED ALWAYS AS (p * 10) STORED");
    OK("ALTER TABLE t ADD COLUMN r double precision DEFAULT random() NOT NULL");
    IS("SELECT id, d, g, COUNT(*) OVER () FROM t WHERE r BETWEEN 0 AND 1 ORDER BY id", "1|2020-02-03|10|3;2|2020-02-03|20|3;3|2020-02-03|~|3");
    FAILS("ALTER TABLE t DROP COLUMN p", OBJECT_IN_USE);
    OK("ALTER TABLE t DROP COLUMN g, DROP COLUMN r");
    FAILS("ALTER TABLE t ALTER COLUMN p SET NOT NULL", NOT_NULL_VIOLATION);
    OK("UPDATE t SET p = 3, q = 'c' WHERE id = 3");
    OK("ALTER TABLE t ALTER COLUMN p SET NOT NULL, ALTER COLUMN q SET NOT NULL");
    FAILS("INSERT INTO t (id, p) VALUES (4, 4)", NOT_NULL_VIOLATION);
    OK("ALTER TABLE t ALTER COLUMN q DROP NOT NULL, ALTER COLUMN q SET DEFAULT 'dd'");
    OK("INSERT INTO t (id, p) VALUES (4, 4)");
    IS("SELECT q FROM t WHERE id = 4", "dd");
    FAILS("ALTER TABLE t ALTER COLUMN id DROP NOT NULL", SYNTAX);
    FAILS("ALTER TABLE t ALTER COLUMN q TYPE varchar(1)", STRING_TRUNCATION);
    FAILS("ALTER TABLE t ALTER COLUMN q TYPE integer USING q::integer", INVALID_TEXT);
    OK("ALTER TABLE t ALTER COLUMN q DROP DEFAULT");
    OK("ALTER TABLE t ALTER COLUMN q TYPE integer USING CASE WHEN q = '22' THEN q::integer ELSE id + 100 END");
    IS("SELECT id, q + 1 FROM t ORDER BY id", "1|102;2|23;3|104;4|105");
    OK("ALTER TABLE t ALTER COLUMN q TYPE bigint");
    FAILS("ALTER TABLE t ALTER COLUMN d TYPE integer", DATATYPE_MISMATCH);
    OK("ALTER TABLE t ALTER COLUMN d TYPE text USING d::text");
    IS("SELECT d FROM t WHERE id = 1", "2020-02-03");
    FAILS("ALTER TABLE t ADD CONSTRAINT c2 CHECK (p < 3)", CHECK_VIOLATION);
    FAILS("ALTER TABLE t ADD CONSTRAINT c CHECK (p < 30)", DUPLICATE_OBJECT);
    OK("ALTER TABLE t ADD CONSTRAINT c2 CHECK (t.p < 30)");
    FAILS("UPDATE t SET p = 40", CHECK_VIOLATION);
    SAYS("\"c2\"");
    OK("ALTER TABLE t RENAME COLUMN p TO pp");
    OK("ALTER TABLE t RENAME TO tt");
    FAILS("UPDATE tt SET pp = 0 WHERE id = 1", CHECK_VIOLATION);
    SAYS("\"c\"");
    FAILS("SELECT 1 FROM t", UNDEFINED_TABLE);
    OK("ALTER TABLE tt RENAME CONSTRAINT t_p_q_key TO pq");
    FAILS("INSERT INTO tt (id, pp, q, d) VALUES (9, 1, 101, '')", UNIQUE_VIOLATION);
    SAYS("\"pq\"");
    OK("ALTER TABLE tt DROP CONSTRAINT pq, DROP CONSTRAINT c");
    FAILS("ALTER TABLE tt DROP CONSTRAINT pq", UNDEFINED_OBJECT);
    OK("ALTER TABLE tt DROP CONSTRAINT IF EXISTS pq");
    OK("UPDATE tt SET pp = -1 WHERE id = 1");
    FAILS("ALTER TABLE tt ADD UNIQUE (nope)", UNDEFINED_COLUMN);
    FAILS("ALTER TABLE nope ADD COLUMN x integer", UNDEFINED_TABLE);
    OK("ALTER TABLE IF EXISTS nope ADD COLUMN x integer");
    FAILS("DROP TABLE tt", OBJECT_IN_USE);
    OK("COMMENT ON TABLE tt IS 'hello'");
    OK("COMMENT ON COLUMN tt.pp IS 'there'");
    OK("DROP TABLE tt CASCADE");
    char *json = NULL;
    checks++;
    if (!sqm_table(db, "u", &json, &error) || strstr(json, "\"fk\"")) failures++, printf("the foreign key outlived its table: %s\n", json);
    sqm_free(json);
    FAILS("DROP TABLE tt", UNDEFINED_TABLE);
    OK("DROP TABLE IF EXISTS tt");
}

static void test_keys(void) {
    OK("CREATE TABLE k (id integer PRIMARY KEY, code varchar(10) NOT NULL, w integer)");
    OK("CREATE INDEX k_w ON k (w)");
    OK("INSERT INTO k VALUES (1, 'one', 10), (2, '2', 20), (3, 'two', 30)");
    OK("ALTER TABLE k ALTER COLUMN id TYPE bigint");
    OK("ALTER TABLE k DROP CONSTRAINT k_pkey");
    FAILS("ALTER TABLE k ADD PRIMARY KEY (nope)", UNDEFINED_COLUMN);
    OK("ALTER TABLE k ADD CONSTRAINT kk PRIMARY KEY (code)");
    STORED("{\"find\": \"k\"}", "{ \"_id\" : \"one\", \"id\" : 1, \"w\" : 10 }{ \"_id\" : \"2\", \"id\" : 2, \"w\" : 20 }{ \"_id\" : \"two\", \"id\" : 3, \"w\" : 30 }");
    STORED("{\"listIndexes\": \"k\"}", "{ \"key\" : { \"_id\" : 1 }, \"name\" : \"_id_\" }{ \"key\" : { \"w\" : 1 }, \"name\" : \"k_w\" }");
    FAILS("INSERT INTO k VALUES (4, 'one', 1)", UNIQUE_VIOLATION);
    SAYS("\"kk\": key (code)=(one)");
    FAILS("ALTER TABLE k ALTER COLUMN code TYPE integer USING code::integer", INVALID_TEXT);
    FAILS("ALTER TABLE k ALTER COLUMN code TYPE integer USING 7", UNIQUE_VIOLATION);
    OK("ALTER TABLE k ALTER COLUMN code TYPE integer USING w");
    IS("SELECT * FROM k ORDER BY code", "1|10|10;2|20|20;3|30|30");
    OK("ALTER TABLE k DROP CONSTRAINT kk, DROP COLUMN code");
    OK("ALTER TABLE k ADD COLUMN nr bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY");
    IS("SELECT COUNT(DISTINCT nr), MIN(nr) > 0, MAX(w) FROM k", "3|true|30");
    IS("INSERT INTO k (id, w) VALUES (9, 9) RETURNING nr > 3", "true");
    OK("ALTER TABLE k ALTER COLUMN nr DROP IDENTITY");
    FAILS("ALTER TABLE k ALTER COLUMN nr DROP IDENTITY", SYNTAX);
    OK("ALTER TABLE k ALTER COLUMN nr DROP IDENTITY IF EXISTS");
    OK("INSERT INTO k (id, w, nr) VALUES (10, 10, 100000)");
    OK("ALTER TABLE k ALTER COLUMN nr ADD GENERATED BY DEFAULT AS IDENTITY");
    IS("INSERT INTO k (id, w) VALUES (11, 11) RETURNING nr", "100001");
    STORED("{\"listCollections\": 1, \"filter\": {\"name\": {\"$regex\": \"__sqm\"}}}", "{ \"name\" : \"__sqm_keys\", \"options\" : {  } }");    /* foreign keys have been made */
    IS("SELECT COUNT(*) FROM k", "6");
    OK("TRUNCATE k");
    IS("INSERT INTO k (id, w) VALUES (1, 1) RETURNING nr", "100002");
    OK("TRUNCATE k RESTART IDENTITY");
    IS("INSERT INTO k (id, w) VALUES (1, 1) RETURNING nr", "1");
}

/* What djongo 1.3 leaves: a numeric id beside ObjectIds, a counter (as a double), plain unique indexes. */
static void test_legacy(void) {
    command("{\"insert\": \"old\", \"documents\": [{\"_id\": {\"$oid\": \"5f0000000000000000000001\"}, \"id\": 1, \"name\": \"x\"}, {\"_id\": {\"$oid\": \"5f0000000000000000000002\"}, \"id\": 2, \"name\": \"y\"}]}");
    command("{\"createIndexes\": \"old\", \"indexes\": [{\"key\": {\"id\": 1}, \"name\": \"__primary_key__\", \"unique\": true}, {\"key\": {\"name\": 1}, \"name\": \"name_1\", \"unique\": true}]}");
    command("{\"insert\": \"__schema__\", \"documents\": [{\"name\": \"old\", \"auto\": {\"field_names\": [\"id\"], \"seq\": {\"$numberDouble\": \"2.0\"}},"
            " \"fields\": {\"id\": {\"type_code\": \"int\"}, \"name\": {\"type_code\": \"string\"}}}]}");
    command("{\"update\": \"__schema__\", \"updates\": [{\"q\": {\"name\": \"\"}, \"u\": {\"$inc\": {\"version\": 1}}}]}");
    sqm_close(db);
    if (!sqm_open(getenv("DJONGO_TEST_URI"), DATABASE, NULL, &db, &error)) failures++, printf("%s\n", error.message), exit(1);
    IS("SELECT id, name FROM old ORDER BY id", "1|x;2|y");
    IS("INSERT INTO old (name) VALUES ('z') RETURNING id", "3");
    OK("ALTER TABLE old RENAME COLUMN name TO title");
    IS("SELECT * FROM old ORDER BY id", "1|x;2|y;3|z");
    STORED("{\"listIndexes\": \"old\"}", "{ \"key\" : { \"_id\" : 1 }, \"name\" : \"_id_\" }{ \"key\" : { \"id\" : 1 }, \"name\" : \"__primary_key__\", \"unique\" : true }"
                                         "{ \"key\" : { \"title\" : 1 }, \"name\" : \"name_1\", \"unique\" : true }");
    OK("ALTER TABLE old ADD COLUMN n integer DEFAULT 7 NOT NULL");
    OK("ALTER TABLE old DROP CONSTRAINT name_1");
    IS("INSERT INTO old (title) VALUES ('z') RETURNING id, n", "4|7");
    OK("ALTER TABLE old RENAME TO older");
    IS("INSERT INTO older (title) VALUES ('z') RETURNING id", "5");
    /* a collection that nobody declared */
    command("{\"insert\": \"foreign\", \"documents\": [{\"_id\": 1, \"a\": \"x\"}, {\"_id\": 2, \"b\": 3}]}");
    IS("SELECT a, b FROM \"foreign\" ORDER BY _id", "x|~;~|3");
    FAILS("ALTER TABLE \"foreign\" ADD COLUMN c integer", NOT_SUPPORTED);
    OK("DROP TABLE \"foreign\"");
}

/* Tables declared over what is stored, and tables whose CREATE TABLE comes after the first row. */
static void test_adopt(void) {
    /* keys in a field of their own, as djongo 1.3 has them, without an entry in the catalogue; a document lacks a field */
    command("{\"insert\": \"log\", \"documents\": [{\"_id\": {\"$oid\": \"5f0000000000000000000001\"}, \"id\": 3, \"text\": \"x\"}, {\"_id\": {\"$oid\": \"5f0000000000000000000002\"}, \"id\": 5, \"n\": 1}]}");
    command("{\"createIndexes\": \"log\", \"indexes\": [{\"key\": {\"id\": 1}, \"name\": \"__primary_key__\", \"unique\": true}, {\"key\": {\"text\": 1}, \"name\": \"text_1\", \"unique\": true}]}");
    FAILS("CREATE TABLE log (id integer PRIMARY KEY, text varchar(10) UNIQUE) WITH (ADOPT)", NOT_SUPPORTED);
    FAILS("CREATE TABLE log (id integer) WITH (fillfactor)", NOT_SUPPORTED);
    OK("CREATE TABLE log (id integer NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, text varchar(10) NOT NULL) WITH (ADOPT)");
    IS("SELECT * FROM log ORDER BY id", "3|x;5|~");
    IS("SELECT id FROM log WHERE text IS NULL", "5");
    IS("SELECT id FROM log WHERE NOT text = 'x'", "");
    FAILS("INSERT INTO log (id, text) VALUES (9, NULL)", NOT_NULL_VIOLATION);
    OK("UPDATE log SET text = NULL WHERE id = 5");                                           /* as it was */
    FAILS("INSERT INTO log (id, text) VALUES (3, 'y')", UNIQUE_VIOLATION);
    IS("INSERT INTO log (text) VALUES ('z') RETURNING id", "6");
    FAILS("INSERT INTO log (text) VALUES ('z')", UNIQUE_VIOLATION);
    STORED("{\"find\": \"log\", \"filter\": {\"id\": 6}, \"projection\": {\"_id\": 0}}", "{ \"id\" : 6, \"text\" : \"z\" }");
    FAILS("SELECT n FROM log", UNDEFINED_COLUMN);
    OK("CREATE TABLE log (id integer PRIMARY KEY, n integer NOT NULL) WITH (ADOPT)");       /* a column more */
    IS("SELECT id, n FROM log ORDER BY id", "3|~;5|1;6|~");
    OK("ALTER TABLE log ADD COLUMN n bigint DEFAULT 7 NOT NULL");                            /* what is stored stays */
    IS("SELECT id, n FROM log ORDER BY id", "3|7;5|1;6|7");
    FAILS("ALTER TABLE log ADD COLUMN n bigint", DUPLICATE_COLUMN);
    FAILS("ALTER TABLE log ALTER COLUMN text SET NOT NULL", NOT_NULL_VIOLATION);
    OK("CREATE TABLE log (id integer PRIMARY KEY, label text) WITH (ADOPT)");
    OK("ALTER TABLE log RENAME COLUMN text TO label");                                       /* the code knew the new name before the migration ran */
    IS("SELECT id, label FROM log ORDER BY id", "3|x;5|~;6|z");
    OK("UPDATE log SET label = 'five' WHERE label IS NULL");
    OK("ALTER TABLE log ALTER COLUMN label SET NOT NULL");
    OK("DROP TABLE log");
    /* keys in _id */
    command("{\"insert\": \"doc\", \"documents\": [{\"_id\": {\"$oid\": \"5f0000000000000000000001\"}, \"name\": \"x\"}]}");
    FAILS("CREATE TABLE doc (id integer PRIMARY KEY, name text) WITH (ADOPT)", DATATYPE_MISMATCH);
    OK("CREATE TABLE doc (id objectid PRIMARY KEY, name text) WITH (ADOPT)");
    IS("SELECT * FROM doc", "5f0000000000000000000001|x");
    OK("DROP TABLE doc");
    /* an emptied one: its index tells where keys lie */
    command("{\"createIndexes\": \"bare\", \"indexes\": [{\"key\": {\"id\": 1}, \"name\": \"__primary_key__\", \"unique\": true}]}");
    OK("CREATE TABLE bare (id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, text text) WITH (ADOPT)");
    IS("INSERT INTO bare (text) VALUES ('a'), ('b') RETURNING id", "1;2");
    OK("DROP TABLE bare");
    /* a table whose collection takes nothing else */
    OK("CREATE TABLE strict (id integer PRIMARY KEY, name varchar(3) NOT NULL, price numeric(5, 2) CHECK (price > 0), at timestamptz, j jsonb) WITH (ENFORCED)");
    OK("INSERT INTO strict VALUES (1, 'abc', 1.5, '2020-01-01', '{}'), (2, 'é東x', NULL, NULL, NULL)");
    FAILS("INSERT INTO strict VALUES (3, 'abc', 0, NULL, NULL)", CHECK_VIOLATION);
    STORED("{\"insert\": \"strict\", \"documents\": [{\"_id\": 3, \"name\": \"abcd\"}, {\"_id\": 4}, {\"_id\": 5, \"name\": \"x\", \"more\": 1}, {\"_id\": 6, \"name\": \"x\", \"price\": 1}], \"ordered\": false}", "");
    IS("SELECT COUNT(*) FROM strict", "2");
    OK("ALTER TABLE strict ADD COLUMN more integer DEFAULT 1 NOT NULL");
    OK("ALTER TABLE strict DROP COLUMN at");
    OK("ALTER TABLE strict ALTER COLUMN name TYPE varchar(4)");
    IS("INSERT INTO strict (id, name) VALUES (7, 'abcd') RETURNING more", "1");
    OK("ALTER TABLE strict SET (LENIENT)");
    command("{\"insert\": \"strict\", \"documents\": [{\"_id\": 8, \"name\": \"abcde\"}]}");
    FAILS("ALTER TABLE strict SET (ENFORCED)", CHECK_VIOLATION);
    FAILS("ALTER TABLE strict SET (ADOPT)", NOT_SUPPORTED);
    OK("DELETE FROM strict WHERE id = 8");
    OK("ALTER TABLE strict SET (ENFORCED)");
    OK("DROP TABLE strict");
    /* no collection yet; the migration comes later */
    OK("CREATE TABLE soon (id bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, name varchar(10) NOT NULL UNIQUE, old text) WITH (IMPLICIT)");
    IS("INSERT INTO soon (name) VALUES ('a'), ('b') RETURNING id", "1;2");
    FAILS("INSERT INTO soon (name) VALUES ('a')", UNIQUE_VIOLATION);
    OK("CREATE TABLE soon (id bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, name varchar(20) NOT NULL, price integer CHECK (price > 0))");
    IS("SELECT * FROM soon ORDER BY id", "1|a|~;2|b|~");
    IS("INSERT INTO soon (name, price) VALUES ('a', 4) RETURNING id", "4");
    FAILS("INSERT INTO soon (name, price) VALUES ('a', 0)", CHECK_VIOLATION);
    FAILS("CREATE TABLE soon (id bigint PRIMARY KEY)", DUPLICATE_TABLE);
    OK("DROP TABLE soon");
}

static void test_transactions(void) {
    OK("CREATE TABLE tx (id integer PRIMARY KEY, v integer)");
    OK("BEGIN");
    OK("INSERT INTO tx VALUES (1, 1)");
    FAILS("ALTER TABLE tx ADD COLUMN w integer DEFAULT 1", OBJECT_IN_USE);
    OK("ROLLBACK");
    OK("BEGIN");
    OK("INSERT INTO tx VALUES (1, 1)");
    OK("CREATE TABLE ty (id integer PRIMARY KEY)");          /* outside of the transaction */
    OK("CREATE INDEX tx_v ON tx (v)");
    OK("INSERT INTO ty VALUES (1)");
    IS("SELECT v FROM tx", "1");
    OK("ROLLBACK");
    IS("SELECT COUNT(*) FROM tx", "0");
    IS("SELECT COUNT(*) FROM ty", "0");
    OK("BEGIN");
    OK("INSERT INTO tx VALUES (1, 1)");
    OK("INSERT INTO ty VALUES (1)");
    OK("DROP TABLE ty");
    OK("COMMIT");
    IS("SELECT COUNT(*) FROM tx", "1");
    FAILS("SELECT COUNT(*) FROM ty", UNDEFINED_TABLE);
    OK("BEGIN");
    OK("TRUNCATE tx");
    IS("SELECT COUNT(*) FROM tx", "0");
    OK("ROLLBACK");
    IS("SELECT COUNT(*) FROM tx", "1");
    /* two connections: the second one's catalogue is stale */
    sqm_connection_t *other = NULL;
    checks++;
    if (!sqm_open(getenv("DJONGO_TEST_URI"), DATABASE, NULL, &other, &error)) failures++, printf("%s\n", error.message), exit(1);
    OK("ALTER TABLE tx ADD COLUMN w integer DEFAULT 5");
    checks++;
    if (!run_on(other, "ALTER TABLE tx ADD COLUMN y integer DEFAULT 6")) failures++, printf("%s\n", error.message);
    sqm_close(other);
    OK("ALTER TABLE tx ADD COLUMN z integer DEFAULT 7");
    IS("SELECT * FROM tx", "1|1|5|6|7");
}

static void test_views(void) {
    OK("CREATE VIEW vv (one, two) AS SELECT id, v FROM tx");
    IS("SELECT two FROM vv", "1");
    FAILS("CREATE VIEW vv AS SELECT id FROM tx", DUPLICATE_TABLE);
    OK("CREATE OR REPLACE VIEW vv AS SELECT v + 1 AS x FROM tx");
    IS("SELECT x FROM vv", "2");
    FAILS("DROP TABLE vv", DATATYPE_MISMATCH);
    FAILS("ALTER TABLE vv ADD COLUMN z integer", NOT_SUPPORTED);
    OK("DROP VIEW vv");
    FAILS("DROP VIEW vv", UNDEFINED_TABLE);
    OK("CREATE DATABASE whatever");
    OK("DROP DATABASE IF EXISTS djongo_test_no_such_database");
}

int main(void) {
    const char *uri = getenv("DJONGO_TEST_URI");
    if (!uri) {
        printf("DJONGO_TEST_URI is not set: skipped\n");
        return 77;
    }
    if (!server_open(uri, DATABASE, NULL, &raw, &error) || !server_drop_database(raw, str_from(DATABASE), &error) || !sqm_open(uri, DATABASE, NULL, &db, &error)) {
        printf("cannot connect: %s\n", error.message);
        return 1;
    }
    test_create();
    test_indexes();
    test_alter();
    test_keys();
    test_legacy();
    test_adopt();
    test_transactions();
    test_views();
    sqm_close(db);
    server_drop_database(raw, str_from(DATABASE), &error);
    server_close(raw);
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
