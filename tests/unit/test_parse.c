/* test_parse.c - SQL to AST: precedence as printed SQL, the fixed point parse(print(parse(x))) = parse(x), dumps, every kind of bad input, sizes. */
#include "ast.h"

#include "unit.h"

static Arena arena;
static sqm_error_t error;

/* Both leave NULL (and `error`) behind when the text is refused. */
static Parsed parse_sql(Str sql, bool literal_percent) {
    error_clear(&error);
    Compile cc = {.arena = &arena, .sql = sql, .error = &error};
    if (setjmp(cc.exit)) return (Parsed){0};
    return parse(&cc, literal_percent);
}

static AstExpr *parse_expr(Str sql) {
    error_clear(&error);
    Compile cc = {.arena = &arena, .sql = sql, .error = &error};
    if (setjmp(cc.exit)) return NULL;
    return parse_expression(&cc);
}

static const char *printed(const AstExpr *e) {
    Text t = {.arena = &arena};
    ast_expr_sql(&t, e);
    return t.p;
}

static const char *dumped(const char *sql, bool literal_percent) {
    Parsed p = parse_sql(str_from(sql), literal_percent);
    if (!p.stmt) return arena_printf(&arena, "%s @%d", error.message, error.position).p;
    Text t = {.arena = &arena};
    ast_dump(&t, p.stmt);
    return t.p;
}

static void check_fixed_point(const char *file, int line, const char *sql, const char *expected) {
    unit_checks++;
    const AstExpr *first = parse_expr(str_from(sql));
    if (!first) {
        unit_fail(file, line);
        fprintf(stderr, "%s: %s @%d %s\n", sql, error.message, error.position, error.hint);
        return;
    }
    const char *text = printed(first);
    if (expected) unit_check_str(file, line, sql, text, expected);
    const AstExpr *second = parse_expr(str_from(text));
    if (second && ast_equal(first, second) && strcmp(printed(second), text) == 0) return;
    unit_fail(file, line);
    fprintf(stderr, "not a fixed point: %s\n  %s\n  %s\n", sql, text, second ? printed(second) : error.message);
}

#define EXPR(sql, expected) (arena_clear(&arena), check_fixed_point(__FILE__, __LINE__, sql, expected))
#define QUERY(sql) (arena_clear(&arena), check_fixed_point(__FILE__, __LINE__, "(" sql ")", NULL))
#define DUMP(sql, expected) (arena_clear(&arena), CHECK_STR(dumped(sql, false), expected))

static void check_error(const char *file, int line, const char *sql, size_t n, sqm_error_code_t code, const char *message, int position, const char *hint) {
    arena_clear(&arena);
    Parsed p = parse_sql((Str){sql, (uint32_t)n}, false);
    unit_checks++;
    if (!p.stmt && error.code == code && strcmp(error.message, message) == 0 && error.position == position && (!hint || strcmp(error.hint, hint) == 0)) return;
    unit_fail(file, line);
    fprintf(stderr, "%s\n  got \"%s\", %d, \"%s\", %s\n", sql, error.message, error.position, error.hint, sqm_error_name(error.code));
}
#define ERROR(sql, message, position, hint) check_error(__FILE__, __LINE__, sql, sizeof(sql) - 1, SQM_ERROR_SYNTAX, message, position, hint)
#define UNSUPPORTED(sql, message, position) check_error(__FILE__, __LINE__, sql, sizeof(sql) - 1, SQM_ERROR_NOT_SUPPORTED, message, position, NULL)

TEST(precedence) {
    EXPR("a OR b AND NOT c = d", "a OR (b AND (NOT (c = d)))");
    EXPR("a AND b AND (c AND d) OR e OR (f OR g)", "(a AND b AND c AND d) OR e OR f OR g");
    EXPR("a + b * c - d / e % f ^ g", "(a + (b * c)) - ((d / e) % (f ^ g))");
    EXPR("-2 ^ 2", "(-2) ^ 2");
    EXPR("- a::int", "-CAST(a AS int)");
    EXPR("-5::int", "-CAST(5 AS int)");
    EXPR("(-5)::int", "CAST(-5 AS int)");
    EXPR("- -5 + +a", "5 + (+a)");
    EXPR("a || b + c", "a || (b + c)");
    EXPR("a -> 'x' ->> 'y' = 'z'", "((a -> 'x') ->> 'y') = 'z'");
    EXPR("a -> 'x' + 1", "a -> ('x' + 1)");
    EXPR("a = b IS NULL", "(a = b) IS NULL");
    EXPR("NOT a IS NULL", "NOT (a IS NULL)");
    EXPR("a = b NOT IN (c)", "a = (b NOT IN (c))");
    EXPR("a < b LIKE c || d", "a < (b LIKE (c || d))");
    EXPR("a LIKE b ESCAPE c AND d", "(a LIKE b ESCAPE c) AND d");
    EXPR("a BETWEEN b + 1 AND c + 2 AND d", "(a BETWEEN (b + 1) AND (c + 2)) AND d");
    EXPR("a NOT BETWEEN SYMMETRIC b AND c OR d", "(a NOT BETWEEN SYMMETRIC b AND c) OR d");
    EXPR("a BETWEEN b AND c = d", "(a BETWEEN b AND c) = d");
    EXPR("~ a & b", "(~a) & b");
    EXPR("a AT TIME ZONE 'UTC' + b", "timezone('UTC', a) + b");
    EXPR("a COLLATE \"C\" || b", "(a COLLATE \"C\") || b");
    EXPR("a IS NOT DISTINCT FROM b AND c", "(a IS NOT DISTINCT FROM b) AND c");
    EXPR("NOT NOT a", "NOT (NOT a)");
    EXPR("a ISNULL OR b NOTNULL", "(a IS NULL) OR (b IS NOT NULL)");
    EXPR("a[1][2:3].b", "(((a)[1])[2 : 3]).b");
    EXPR("a % b", "a % b");
    EXPR("a !~* b", "a !~* b");
    EXPR("a ~~ b", "a LIKE b");
    EXPR("a !~~* b", "a NOT ILIKE b");
}

TEST(literals) {
    EXPR("9223372036854775807", "9223372036854775807");
    EXPR("-9223372036854775808", "-9223372036854775808");
    EXPR("-(-9223372036854775808)", "-(-9223372036854775808)");
    EXPR("9223372036854775808", "9223372036854775808.");
    EXPR("1.", "1.");
    EXPR("-1000000000000000000.", "-1000000000000000000.");
    EXPR("-.5", "-0.5");
    EXPR("1e3", "1E+3");
    EXPR("1e300", "1E+300");
    EXPR("00012", "12");
    EXPR("'it''s'", "'it''s'");
    EXPR("E'\\\\'", "'\\'");
    EXPR("x'00FF'", "x'00ff'");
    EXPR("true AND FALSE", "TRUE AND FALSE");
    EXPR("null", "NULL");
    EXPR("DATE '2020-01-01'", "CAST('2020-01-01' AS date)");
    EXPR("timestamp with time zone '2020-01-01'", "CAST('2020-01-01' AS timestamp with time zone)");
    EXPR("interval '1 day'", "CAST('1 day' AS interval)");
    EXPR("INTERVAL '1' DAY", "CAST('1 day' AS interval)");
    EXPR("'NaN'::double precision", "CAST('NaN' AS double precision)");
    EXPR("x::timestamp(3) with time zone[]", "CAST(x AS timestamp(3) with time zone[])");
    EXPR("x::numeric(10, 2)", "CAST(x AS numeric(10, 2))");
    EXPR("x::character varying(10)", "CAST(x AS varchar(10))");
    EXPR("CAST(x AS time without time zone)", "CAST(x AS time)");
    EXPR("$2 + $1", "$2 + $1");
}

TEST(functions) {
    EXPR("COUNT(*)", "count(*)");
    EXPR("Count(DISTINCT a)", "count(DISTINCT a)");
    EXPR("\"Count\"(a)", "\"Count\"(a)");
    EXPR("string_agg(a, ',' ORDER BY b DESC NULLS LAST) FILTER (WHERE c > 1)", "string_agg(a, ',' ORDER BY b DESC NULLS LAST) FILTER (WHERE c > 1)");
    EXPR("percentile_cont(0.5) WITHIN GROUP (ORDER BY a)", "percentile_cont(0.5) WITHIN GROUP (ORDER BY a)");
    EXPR("sum(a) OVER (PARTITION BY b ORDER BY c ROWS BETWEEN 1 PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE TIES)",
         "sum(a) OVER (PARTITION BY b ORDER BY c ROWS BETWEEN 1 PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE TIES)");
    EXPR("rank() OVER w", "rank() OVER w");
    EXPR("rank() OVER (w ORDER BY a RANGE UNBOUNDED PRECEDING)", "rank() OVER (w ORDER BY a RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)");
    EXPR("sum(a) FILTER (WHERE b) OVER ()", "sum(a) FILTER (WHERE b) OVER ()");
    EXPR("EXTRACT(YEAR FROM d)", "\"extract\"('year', d)");
    EXPR("EXTRACT('epoch' FROM d)", "\"extract\"('epoch', d)");
    EXPR("EXTRACT(isodow FROM d) + 1", "\"extract\"('isodow', d) + 1");
    EXPR("SUBSTRING(a FROM 2 FOR 3)", "\"substring\"(a, 2, 3)");
    EXPR("SUBSTRING(a FOR 3 FROM 2)", "\"substring\"(a, 2, 3)");
    EXPR("SUBSTRING(a FOR 3)", "\"substring\"(a, 1, 3)");
    EXPR("SUBSTRING(a, 2)", "\"substring\"(a, 2)");
    EXPR("OVERLAY(a PLACING b FROM 2 FOR 3)", "\"overlay\"(a, b, 2, 3)");
    EXPR("POSITION('x' IN a)", "\"position\"('x', a)");
    EXPR("TRIM(a)", "btrim(a)");
    EXPR("TRIM(BOTH 'x' FROM a)", "btrim(a, 'x')");
    EXPR("TRIM(LEADING FROM a)", "ltrim(a)");
    EXPR("TRIM(TRAILING 'x' FROM a)", "rtrim(a, 'x')");
    EXPR("CURRENT_TIMESTAMP", "current_timestamp");
    EXPR("CURRENT_TIMESTAMP(3)", "\"current_timestamp\"(3)");
    EXPR("LEFT(a, 1) || RIGHT(b, 2)", "\"left\"(a, 1) || \"right\"(b, 2)");
    EXPR("pg_catalog.lower(a)", "lower(a)");
    EXPR("GREATEST(a, b)", "greatest(a, b)");
    EXPR("grouping(a, b)", "\"grouping\"(a, b)");
    EXPR("STATEMENT_TIMESTAMP()", "statement_timestamp()");
}

TEST(conditions) {
    EXPR("a IN ()", "a IN ()");
    EXPR("a IN (1, 2)", "a IN (1, 2)");
    EXPR("a IN $1", "a = ANY ($1)");
    EXPR("a NOT IN $1", "a <> ALL ($1)");
    EXPR("(a, b) IN ((1, 2), (3, 4))", "ROW(a, b) IN (ROW(1, 2), ROW(3, 4))");
    EXPR("a IN (SELECT 1)", "a IN (SELECT 1)");
    EXPR("a IN ((SELECT 1))", "a IN (SELECT 1)");
    EXPR("a NOT IN ((SELECT 1), 2)", "a NOT IN ((SELECT 1), 2)");
    EXPR("a = ANY (SELECT 1)", "a = ANY (SELECT 1)");
    EXPR("a <= ALL (ARRAY[1, 2])", "a <= ALL (ARRAY[1, 2])");
    EXPR("a @> SOME ($1)", "a @> ANY ($1)");
    EXPR("a = ANY (SELECT 1) AND b", "(a = ANY (SELECT 1)) AND b");
    EXPR("EXISTS (SELECT 1 AS \"a\" FROM t)", "EXISTS (SELECT 1 AS a FROM t)");
    EXPR("ARRAY(SELECT a FROM t)", "ARRAY(SELECT a FROM t)");
    EXPR("ARRAY[[1, 2], [3]]", "ARRAY[ARRAY[1, 2], ARRAY[3]]");
    EXPR("ARRAY[]::int[]", "CAST(ARRAY[] AS int[])");
    EXPR("a IS NOT TRUE OR b IS UNKNOWN", "(a IS NOT TRUE) OR (b IS UNKNOWN)");
    EXPR("a SIMILAR TO b ESCAPE 'x'", "a SIMILAR TO b ESCAPE 'x'");
    EXPR("a NOT SIMILAR TO b", "a NOT SIMILAR TO b");
    EXPR("a NOT LIKE 'x%'", "a NOT LIKE 'x%'");
    EXPR("CASE a WHEN 1 THEN 'x' ELSE b END", "CASE a WHEN 1 THEN 'x' ELSE b END");
    EXPR("CASE WHEN a > 1 THEN 2 WHEN b THEN 3 END", "CASE WHEN a > 1 THEN 2 WHEN b THEN 3 END");
    EXPR("(a).b.c", "((a).b).c");
    EXPR("a.b.c", "(a.b).c");
    EXPR("\"T\".\"select\"", "T.\"select\"");
    EXPR("a.order", "a.\"order\"");
    EXPR("ROW(1) = ROW()", "ROW(1) = ROW()");
    EXPR("a ? 'x' AND b ?| c AND d ?& e", "(a ? 'x') AND (b ?| c) AND (d ?& e)");
    EXPR("((((SELECT 1))))", "(SELECT 1)");
}

TEST(queries) {
    QUERY("SELECT 1");
    QUERY("SELECT DISTINCT a, t.*, * FROM t");
    QUERY("SELECT DISTINCT ON (a, b) a AS \"x y\", b c FROM t AS u (p, q) ORDER BY a");
    QUERY("SELECT a FROM t, u v, LATERAL (SELECT 1) w, LATERAL f(x) WITH ORDINALITY AS g (h, i)");
    QUERY("SELECT a FROM t JOIN u ON t.a = u.b LEFT JOIN v USING (c, d) CROSS JOIN w NATURAL FULL JOIN x");
    QUERY("SELECT a FROM t RIGHT OUTER JOIN (u INNER JOIN v ON TRUE) ON a = b");
    QUERY("SELECT a FROM (t JOIN u ON TRUE) AS x");
    QUERY("SELECT a FROM t JOIN u JOIN v ON b ON c");
    QUERY("SELECT a FROM ((SELECT 1) UNION (SELECT 2)) subquery");
    QUERY("SELECT a FROM ((SELECT 1) x JOIN u ON TRUE)");
    QUERY("SELECT a FROM (VALUES (1, 'x'), (2, NULL)) AS v (a, b)");
    QUERY("SELECT * FROM (SELECT 1)");
    QUERY("SELECT a, count(*) FROM t WHERE b GROUP BY a, 2, (c, d), () HAVING count(*) > 1");
    QUERY("SELECT a FROM t GROUP BY ROLLUP (a, b), CUBE (c), GROUPING SETS (a, (a, b), ())");
    QUERY("SELECT sum(a) OVER w FROM t WINDOW w AS (PARTITION BY b), v AS (w ORDER BY c GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW)");
    QUERY("SELECT a FROM t ORDER BY a ASC NULLS FIRST, b DESC NULLS LAST, c = 1 DESC LIMIT 10 OFFSET 5");
    QUERY("SELECT a FROM t ORDER BY a OFFSET 5 ROWS FETCH NEXT 3 ROWS ONLY");
    QUERY("SELECT a FROM t ORDER BY a FETCH FIRST ROW WITH TIES");
    QUERY("SELECT a FROM t LIMIT ALL");
    QUERY("SELECT a FROM t FOR UPDATE OF t, u NOWAIT FOR SHARE SKIP LOCKED");
    QUERY("SELECT a FROM t FOR NO KEY UPDATE LIMIT 1");
    QUERY("SELECT 1 UNION SELECT 2 INTERSECT SELECT 3 EXCEPT ALL SELECT 4 ORDER BY 1");
    QUERY("(SELECT a FROM t ORDER BY b LIMIT 1) UNION ALL (SELECT 2) LIMIT 3");
    QUERY("WITH a AS (SELECT 1), b (x, y) AS MATERIALIZED (SELECT 1, 2) SELECT * FROM a, b");
    QUERY("WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT n FROM r ORDER BY n");
    QUERY("WITH a AS NOT MATERIALIZED (VALUES (1)) (SELECT * FROM a) ORDER BY 1");
    QUERY("VALUES (1), (2) ORDER BY 1 LIMIT 1");
    QUERY("TABLE t");
    QUERY("SELECT a FROM public.t");
    QUERY("SELECT (SELECT b FROM u WHERE u.x = t.x) AS s, EXISTS(SELECT 1) FROM t");
    QUERY("SELECT 1 AS order, 2 AS \"select\"");
    /* a query in parentheses with a limit of its own, and an order outside */
    QUERY("(SELECT a FROM t LIMIT 5) ORDER BY a");
}

/* INTERSECT binds tighter; UNION and EXCEPT lean left. */
TEST(set_precedence) {
    arena_clear(&arena);
    Parsed p = parse_sql(STR("SELECT 1 UNION SELECT 2 INTERSECT SELECT 3 EXCEPT SELECT 4"), true);
    CHECK_INT(p.stmt->select->set_op, SET_EXCEPT);
    CHECK_INT(p.stmt->select->left->set_op, SET_UNION);
    CHECK_INT(p.stmt->select->left->right->set_op, SET_INTERSECT);
}

TEST(parameters) {
    arena_clear(&arena);
    Parsed p = parse_sql(STR("SELECT %s, %s WHERE a LIKE '50%%' AND b %% %s = 0 LIMIT %s"), false);
    CHECK_INT(p.parameters.n, 4);
    CHECK_INT(p.stmt->select->limit->parameter, 3);
    CHECK_INT(p.parameters.at[0].n, 0);
    p = parse_sql(STR("SELECT %(b)s, %(a)s, %(b)s"), false);
    CHECK_INT(p.parameters.n, 2);
    CHECK(str_is(p.parameters.at[0], "b"));
    CHECK_INT(p.stmt->select->targets.at[2].expr->parameter, 0);
    p = parse_sql(STR("SELECT $3"), true);
    CHECK_INT(p.parameters.n, 3);
    p = parse_sql(STR("SELECT a %b"), true);
    CHECK_INT(p.parameters.n, 0);
    /* many names */
    Text t = {.arena = &arena};
    text_adds(&t, "SELECT 1");
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 500; i++) text_addf(&t, ", %%(name%d)s", i);
    p = parse_sql((Str){t.p, (uint32_t)t.n}, false);
    CHECK_INT(p.parameters.n, 500);
    CHECK_INT(p.stmt->select->targets.at[1 + 500 + 321].expr->parameter, 321);
    ERROR("SELECT %s, %(a)s", "placeholders of different styles cannot be mixed in one statement", 11, NULL);
    ERROR("SELECT $1, %s", "placeholders of different styles cannot be mixed in one statement", 11, NULL);
    ERROR("SELECT $0", "there is no parameter $0", 7, NULL);
    ERROR("SELECT $99999999999999999999", "there is no parameter $99999999999999999999", 7, NULL);
}

TEST(dumps) {
    DUMP("SELECT b.name FROM book b WHERE b.pages > %s",
         "(select @0+44\n  (targets\n    (column b.name @7+6))\n  (from\n    (table book as=b @19+6))\n  (where\n    (binary > @32+12\n      (column b.pages @32+7)\n      (parameter $1 @42+2))))\n");
    DUMP("INSERT INTO t (a, b) VALUES (%s, DEFAULT), (1, 2) ON CONFLICT (a) DO UPDATE SET b = EXCLUDED.b RETURNING t.id",
         "(insert t columns=(a, b) @0+109\n  (values @21+28\n    (values_row\n      (parameter $1 @29+2)\n      (default @33+7))\n    (values_row\n      (literal 1 @44+1)\n      (literal 2 @47+1)))\n"
         "  (on_conflict_do_update columns=(a)\n    (set\n      (assign b @80+14\n        (column EXCLUDED.b @84+10))))\n  (returning\n    (column t.id @105+4)))\n");
    DUMP("UPDATE t SET a = a + 1, (b, c) = (2, DEFAULT) FROM u WHERE t.x = u.x",
         "(update t @0+68\n  (set\n    (assign a @13+9\n      (binary + @17+5\n        (column a @17+1)\n        (literal 1 @21+1)))\n    (assign b @24+21\n      (literal 2 @34+1))\n    (assign c @24+21\n"
         "      (default @37+7)))\n  (from\n    (table u @51+1))\n  (where\n    (binary = @59+9\n      (column t.x @59+3)\n      (column u.x @65+3))))\n");
    DUMP("DELETE FROM t AS x USING u WHERE TRUE RETURNING *",
         "(delete t as=x @0+49\n  (using\n    (table u @25+1))\n  (where\n    (literal TRUE @33+4))\n  (returning\n    (star * @48+1)))\n");
    DUMP("CREATE TABLE \"t\" (\"id\" bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, \"n\" integer NULL CHECK (\"n\" >= 0), \"x\" text DEFAULT 'a' NOT NULL UNIQUE, "
         "\"a_id\" bigint CONSTRAINT \"fk\" REFERENCES \"a\"(\"id\") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT \"u\" UNIQUE NULLS NOT DISTINCT (\"n\", \"x\"))",
         "(create_table t @0+292\n"
         "  (column id bigint not_null identity @18+65\n    (primary_key @39+11))\n"
         "  (column n integer null @85+33\n    (check text='\"n\" >= 0' @102+16\n      (binary >= @109+8\n        (column n @109+3)\n        (literal 0 @116+1))))\n"
         "  (column x text not_null @120+36\n    (default text='''a'''\n      (literal 'a' @137+3))\n    (unique @150+6))\n"
         "  (column a_id bigint @158+80\n    (foreign_key fk references=a references_columns=(id) deferrable initially_deferred @188+20))\n"
         "  (unique u columns=(n, x) nulls_not_distinct @240+51))\n");
    DUMP("ALTER TABLE t ADD COLUMN c varchar(5) DEFAULT 'x' NOT NULL, DROP COLUMN d CASCADE, ALTER COLUMN e TYPE text USING e::text",
         "(alter_table t @0+121\n  (add_column c @14+44\n    (column c varchar(5) not_null @25+33\n      (default text='''x'''\n        (literal 'x' @46+3))))\n  (drop_column d cascade @60+21)\n"
         "  (column_type e text @83+38\n    (expr text='e::text'\n      (cast text @114+7\n        (column e @114+1)))))\n");
    DUMP("CREATE UNIQUE INDEX i ON t (a, lower(b) DESC, (c + 1), d text_pattern_ops) INCLUDE (e) WHERE a > 0 AND b LIKE 'x%%'",
         "(create_index i on=t unique include=(e) @0+115\n  (key a @28+1)\n  (key desc text='lower(b)' @31+13\n    (function lower @31+8\n      (column b @37+1)))\n  (key text='c + 1' @46+7\n"
         "    (binary + @47+5\n      (column c @47+1)\n      (literal 1 @51+1)))\n  (key d opclass=text_pattern_ops @55+18)\n  (where text='(a > 0) AND (b LIKE ''x%'')'\n    (and @93+22\n"
         "      (binary > @93+5\n        (column a @93+1)\n        (literal 0 @97+1))\n      (like LIKE @103+12\n        (column b @103+1)\n        (literal 'x%' @110+5)))))\n");
    DUMP("BEGIN ISOLATION LEVEL REPEATABLE READ, READ WRITE", "(begin text='repeatable read' @0+49)\n");
    DUMP("ROLLBACK TO SAVEPOINT \"s1_x2\";", "(rollback_to s1_x2 @0+29)\n");
    DUMP("SET LOCAL my.Var TO 'x'", "(set \"my.var\" text='x' local @0+23)\n");
    DUMP("SHOW TRANSACTION ISOLATION LEVEL", "(show transaction_isolation @0+32)\n");
    DUMP("EXPLAIN (ANALYZE true, VERBOSE, FORMAT JSON) SELECT 1", "(explain analyze verbose format=json @0+53\n  (select @45+8\n    (targets\n      (literal 1 @52+1))))\n");
    DUMP("COMMENT ON COLUMN \"t\".\"c\" IS 'x'", "(comment t column=c text='x' @0+32)\n");
    DUMP("DROP TABLE IF EXISTS a, b CASCADE", "(drop_table a names=(a, b) if_exists cascade @0+33)\n");
    DUMP("TRUNCATE \"a\", \"b\" RESTART IDENTITY CASCADE;", "(truncate_table a names=(a, b) cascade restart_identity @0+42)\n");
    DUMP("ALTER INDEX IF EXISTS a RENAME TO b", "(alter_index a text='b' if_exists @0+35)\n");
    DUMP("CREATE OR REPLACE VIEW v (a) AS SELECT 1 %% 2", "(create_view v columns=(a) text='SELECT 1 % 2' or_replace @0+45\n  (select @32+13\n    (targets\n      (binary % @39+6\n        (literal 1 @39+1)\n        (literal 2 @44+1)))))\n");
}

/* Everything that has only to be accepted. */
TEST(accepted) {
    static const char *const statements[] = {
        "SELECT setval(pg_get_serial_sequence('\"t\"','id'), coalesce(max(\"id\"), 1), max(\"id\") IS NOT null) FROM \"t\";",
        "INSERT INTO t DEFAULT VALUES", "INSERT INTO t SELECT * FROM u", "INSERT INTO t (SELECT 1)", "INSERT INTO t AS x (a) WITH c AS (SELECT 1) SELECT * FROM c",
        "INSERT INTO t (a) OVERRIDING SYSTEM VALUE VALUES (1) ON CONFLICT DO NOTHING", "INSERT INTO t VALUES (1) ON CONFLICT ON CONSTRAINT c DO UPDATE SET a = 1 WHERE t.b",
        "INSERT INTO t SELECT * FROM a JOIN b ON TRUE ON CONFLICT DO NOTHING", "INSERT INTO t VALUES (1) ON CONFLICT (a, b) WHERE c IS NULL DO NOTHING RETURNING *",
        "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", "WITH x AS (SELECT 1) UPDATE t SET a = 1", "WITH x AS (SELECT 1) DELETE FROM t",
        "WITH x (a) AS (WITH y AS (SELECT 1) INSERT INTO t SELECT * FROM y RETURNING *), z AS (UPDATE t SET a = 1), w AS MATERIALIZED (DELETE FROM t RETURNING a) SELECT 1 FROM x",
        "UPDATE t x SET a = DEFAULT", "UPDATE ONLY t SET a = (SELECT 1)",
        "CREATE TEMP TABLE IF NOT EXISTS t (a serial PRIMARY KEY, b varchar(3)[] COLLATE \"C\" DEFAULT -1 CHECK (b > 0), c int GENERATED ALWAYS AS (a + 1) STORED)",
        "CREATE TABLE t (id integer PRIMARY KEY AUTOINCREMENT, d timestamp with time zone DEFAULT (now()) NOT NULL, e interval, f double precision, g numeric(5, 2))",
        "CREATE TABLE t (a int, PRIMARY KEY (a), FOREIGN KEY (a) REFERENCES b ON DELETE NO ACTION ON UPDATE RESTRICT NOT DEFERRABLE, CHECK (a > 0), UNIQUE (a))",
        "CREATE TABLE t (a int REFERENCES u ON UPDATE CASCADE ON DELETE SET NULL, FOREIGN KEY (a, b) REFERENCES t ON UPDATE SET DEFAULT MATCH SIMPLE)",
        "CREATE TABLE t (a int CONSTRAINT n NOT NULL CONSTRAINT u UNIQUE NULLS NOT DISTINCT DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TABLE t (d interval DEFAULT INTERVAL '259205000000 microseconds' NOT NULL, u uuid DEFAULT '6f'::uuid NOT NULL, b bytea DEFAULT '\\x00ff'::bytea)",
        "ALTER TABLE IF EXISTS t RENAME TO u", "ALTER TABLE t RENAME a TO b", "ALTER TABLE t RENAME COLUMN a TO b", "ALTER TABLE t RENAME CONSTRAINT a TO b",
        "ALTER TABLE t ADD a int", "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int UNIQUE", "ALTER TABLE t DROP a", "ALTER TABLE t DROP COLUMN IF EXISTS a RESTRICT",
        "ALTER TABLE t ALTER a SET DATA TYPE varchar(3) COLLATE \"C\"", "ALTER TABLE t ALTER COLUMN a SET DEFAULT 1 + 2, ALTER COLUMN b DROP DEFAULT", "ALTER TABLE t ALTER a SET NOT NULL",
        "ALTER TABLE t ALTER a DROP NOT NULL", "ALTER TABLE t ALTER COLUMN a ADD GENERATED BY DEFAULT AS IDENTITY", "ALTER TABLE t ALTER COLUMN a DROP IDENTITY IF EXISTS",
        "ALTER TABLE t ALTER COLUMN a DROP EXPRESSION", "ALTER TABLE t ADD CONSTRAINT n UNIQUE NULLS NOT DISTINCT (a)", "ALTER TABLE t ADD PRIMARY KEY (a, b)",
        "ALTER TABLE t ADD CONSTRAINT n FOREIGN KEY (a) REFERENCES u (id) DEFERRABLE INITIALLY DEFERRED", "ALTER TABLE t DROP CONSTRAINT IF EXISTS n CASCADE",
        "CREATE INDEX ON t (a)", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t USING btree (a COLLATE \"C\" text_ops ASC NULLS FIRST) NULLS NOT DISTINCT", "DROP INDEX CONCURRENTLY IF EXISTS i, j",
        "DROP VIEW v", "CREATE VIEW v AS SELECT 1", "CREATE DATABASE \"n\"", "DROP DATABASE IF EXISTS n", "TRUNCATE TABLE ONLY t CONTINUE IDENTITY",
        "COMMENT ON TABLE t IS NULL", "BEGIN", "BEGIN WORK", "START TRANSACTION READ WRITE", "COMMIT", "END TRANSACTION", "COMMIT AND NO CHAIN", "ROLLBACK", "ABORT", "SAVEPOINT a",
        "RELEASE a", "RELEASE SAVEPOINT a", "ROLLBACK TO a", "SET x = 1", "SET SESSION x TO DEFAULT", "SET TIME ZONE 'UTC'", "SET x = a, 'b', -1.5", "SET CONSTRAINTS ALL IMMEDIATE",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET NAMES 'utf8'", "RESET x", "SHOW tables", "SHOW ALL",
        "SHOW TIME ZONE", "EXPLAIN DELETE FROM t", "EXPLAIN ANALYZE VERBOSE SELECT 1", "EXPLAIN (SELECT 1)", "EXPLAIN (COSTS off) SELECT 1;;",
        "SELECT date, time, timestamp, interval, text, name, type, key, value, index, position, year, action, level, zone, double, character, row, nulls, extract FROM t",
        "SELECT a interval, b time FROM t nulls", "SELECT t.select, t.from FROM t",
    };
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        arena_clear(&arena);
        const char *dump = dumped(statements[i], true);
        unit_checks++;
        if (error.code == SQM_OK) continue;
        unit_fail(__FILE__, __LINE__);
        fprintf(stderr, "%s\n  %s %s\n", statements[i], dump, error.hint);
    }
}

/* A word that is not reserved is a name: as a column, a table, an alias without AS, and before and after a dot. */
TEST(free_words) {
    enum { RESERVED, FREE, CALL, NEXT };
    static const struct { const char *word; int class; } words[] = {
#define KEYWORD(word, token, class) {word, class},
#include "keywords.def"
#undef KEYWORD
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *w = words[i].word;
        if (words[i].class == RESERVED || strcmp(w, "not") == 0 || strcmp(w, "left") == 0 || strcmp(w, "right") == 0) continue;
        bool over = strcmp(w, "over") == 0 || strcmp(w, "within") == 0;       /* f() over is the start of OVER w */
        arena_clear(&arena);
        Str sql = arena_printf(&arena, "SELECT %s, %s.%s, a %s, b + %s AS c, f(%s)%s%s FROM %s, %s.x %s WHERE %s.%s = %s ORDER BY %s", w, w, w, w, w, w, over ? "" : " ", over ? "" : w, w, "public", w, w, w, w, w);
        Parsed p = parse_sql(sql, true);
        unit_checks++;
        if (p.stmt) continue;
        unit_fail(__FILE__, __LINE__);
        fprintf(stderr, "%s\n  %s\n", sql.p, error.message);
    }
}

TEST(bad_statements) {
    ERROR("", "the statement is empty", 0, "");
    ERROR("  -- nothing\n", "the statement is empty", 13, "");
    ERROR("SELECT * FORM t", "syntax error at or near \"FORM\"", 9, "Perhaps you meant FROM.");
    ERROR("SELET 1", "syntax error at or near \"SELET\"", 0, "Perhaps you meant SELECT.");
    ERROR("SELECT a FROM t WERE b", "syntax error at or near \"b\"", 21, NULL);
    ERROR("SELECT a, FROM t", "syntax error at or near \"FROM\"", 10, "");
    ERROR("SELECT order FROM t", "syntax error at or near \"order\"", 7, "\"order\" is a reserved word; put it in double quotes to use it as a name.");
    ERROR("SELECT (1", "syntax error at end of input", 9, NULL);
    ERROR("SELECT 1; SELECT 2", "only one statement can be run at a time", 10, "");
    ERROR("SELECT 'abc", "unterminated quoted string", 7, "");
    ERROR("SELECT \"abc", "unterminated quoted name", 7, "");
    ERROR("SELECT /* abc", "unterminated /* comment", 7, "");
    ERROR("SELECT a\0b", "the statement contains a NUL byte", 8, "");
    ERROR("SELECT '\xff'", "invalid UTF-8 in the statement: byte 0xff", 8, "");
    ERROR("SELECT a < b < c", "syntax error at or near \"<\"", 13, NULL);
    ERROR("SELECT CASE WHEN a THEN b", "syntax error at end of input", 25, NULL);
    ERROR("CREATE TABLE t (a int CONSTRAINT x)", "CONSTRAINT \"x\" does not name a constraint", 33, NULL);
    ERROR("CREATE TABLE t (a int DEFERRABLE)", "DEFERRABLE does not follow a constraint", 16, NULL);
    ERROR("CREATE TABLE t (a varchar(x))", "a type modifier must be an integer constant", 26, NULL);
    ERROR("ALTER TABLE t", "syntax error at end of input", 13, NULL);
    ERROR("UPDATE t SET (a, b) = (1)", "the number of columns does not match the number of values", 13, NULL);
    ERROR("EXPLAIN (FOO) SELECT 1", "unrecognized EXPLAIN option \"FOO\"", 9, NULL);
    ERROR("SELECT EXTRACT(1 + 1 FROM a)", "EXTRACT needs the name of a field, such as YEAR", 15, NULL);
    ERROR("SELECT 'x'::text with time zone", "only time and timestamp can be WITH TIME ZONE", 12, NULL);
    UNSUPPORTED("SELECT a FROM t LIMIT 5, 10", "LIMIT start, count is not supported", 23);
    UNSUPPORTED("SELECT a FROM other.t", "schema \"other\": schemas are not supported", 14);
    UNSUPPORTED("MERGE INTO t USING u ON TRUE", "MERGE is not supported", 0);
    UNSUPPORTED("WITH x AS (WITH y AS (DELETE FROM t) DELETE FROM t) SELECT 1", "WITH clause containing a data-modifying statement must be at the top level", 16);
    UNSUPPORTED("START TRANSACTION READ ONLY", "a read-only transaction is not supported", 23);
    UNSUPPORTED("SELECT (a).* FROM t", "taking all fields of a value (.*) is not supported", 7);
    UNSUPPORTED("SELECT s.f(1)", "a schema-qualified function is not supported", 7);
    UNSUPPORTED("SELECT B'01'", "bit strings are not supported", 7);
    check_error(__FILE__, __LINE__, "SELECT sum(a) OVER (ROWS BETWEEN CURRENT ROW AND 1 PRECEDING)", 61, SQM_ERROR_WINDOWING, "the frame ends before it starts", 25, NULL);
    check_error(__FILE__, __LINE__, "SELECT 12345678901234567890123456789012345678901", 48, SQM_ERROR_NUMERIC_OUT_OF_RANGE, "the number has more than 34 digits or is out of range", 7, NULL);
}

/* ---- sizes ---- */

static Str repeated(const char *head, const char *item, const char *separator, int n, const char *tail) {
    Text t = {.arena = &arena};
    text_adds(&t, head);
    for (int i = 0; i < n; i++) {
        if (i) text_adds(&t, separator);
        text_adds(&t, item);
    }
    text_adds(&t, tail);
    return (Str){t.p, (uint32_t)t.n};
}

static sqm_error_code_t outcome(Str sql) {
    Parsed p = parse_sql(sql, true);
    return p.stmt ? SQM_OK : error.code;
}

TEST(depths) {
    arena_free(&arena);
    CHECK_INT(outcome(repeated("SELECT ", "(", "", 10000, "1")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    CHECK_INT(outcome(repeated("SELECT ", "(", "", 1000000, "1")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    CHECK_INT(outcome(repeated("SELECT ", "NOT", " ", 10000, " a")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    CHECK_INT(outcome(repeated("SELECT ", "- ", "", 10000, " a")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    CHECK_INT(outcome(repeated("SELECT ", "ARRAY[", "", 10000, "")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    CHECK_INT(outcome(repeated("SELECT ", "(SELECT ", "", 10000, "")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    CHECK_INT(outcome(repeated("SELECT a", "::int", "", 10000, "")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    CHECK_INT(outcome(repeated("SELECT ", "a", "+", 10000, "")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    CHECK_INT(outcome(repeated("", "SELECT 1", " UNION ", 10000, "")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    CHECK_INT(outcome(repeated("SELECT 1 FROM t", " JOIN t ON TRUE", "", 10000, "")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    CHECK_INT(outcome(repeated("SELECT 1 FROM ", "(SELECT 1 FROM ", "", 10000, "t")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    CHECK_INT(outcome(repeated("SELECT ", "CASE WHEN ", "", 10000, "")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    CHECK_INT(outcome(repeated("SELECT ", "f(", "", 10000, "")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    CHECK_INT(outcome(repeated("", "EXPLAIN ", "", 10000, "SELECT 1")), SQM_ERROR_SYNTAX);
    arena_free(&arena);
    CHECK_INT(outcome(repeated("SELECT ", "a", "+", 900, "")), SQM_OK);
    CHECK_INT(outcome(repeated("SELECT ", "(", "", 900, repeated("1", ")", "", 900, "").p)), SQM_OK);
    CHECK_INT(outcome(repeated("SELECT ", "a = 1", " AND ", 20000, "")), SQM_OK);
    CHECK_INT(outcome(repeated("SELECT ", "(a OR b)", " OR ", 20000, "")), SQM_OK);
    CHECK_INT(outcome(repeated("SELECT a IN (", "1", ",", 100000, ")")), SQM_OK);
    CHECK_INT(outcome(repeated("INSERT INTO t VALUES ", "(1, 'x')", ",", 50000, "")), SQM_OK);
    CHECK_INT(outcome(repeated("SELECT CASE ", "WHEN a THEN b", " ", 5000, " END")), SQM_OK);
    CHECK_INT(outcome(repeated("SELECT 1 FROM ", "t", ",", 5000, "")), SQM_OK);
    arena_free(&arena);
    CHECK_INT(outcome(repeated("SELECT 1", " ", "", (int)MAX_SQL_BYTES, "")), SQM_ERROR_PROGRAM_LIMIT_EXCEEDED);
    arena_free(&arena);
}

/* The trees at the limit can be printed and read again. */
TEST(deep_fixed_points) {
    arena_free(&arena);
    check_fixed_point(__FILE__, __LINE__, repeated("", "a", " + ", 900, "").p, NULL);
    arena_free(&arena);
    check_fixed_point(__FILE__, __LINE__, repeated("(SELECT 1 FROM t", " JOIN t ON TRUE", "", 400, ")").p, NULL);
    arena_free(&arena);
}

int main(void) {
    RUN(precedence);
    RUN(literals);
    RUN(functions);
    RUN(conditions);
    RUN(queries);
    RUN(set_precedence);
    RUN(parameters);
    RUN(dumps);
    RUN(accepted);
    RUN(free_words);
    RUN(bad_statements);
    RUN(depths);
    RUN(deep_fixed_points);
    arena_free(&arena);
    return unit_report();
}
