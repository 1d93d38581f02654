"""COLLATE case_insensitive seen from MongoDB and from the catalogue: what lies in the documents, which indexes answer, what a new connection knows."""

import bson.json_util
import pymongo
import pytest

from djongo import _sqm


@pytest.fixture
def people(documents, connection):
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE people (id integer PRIMARY KEY, name varchar(20) COLLATE case_insensitive UNIQUE, town text COLLATE case_insensitive, plain text)")
    cursor.execute("INSERT INTO people VALUES (1, 'Ann', 'Rome', 'x'), (2, 'BOB', 'ROME', 'x'), (3, NULL, NULL, NULL)")
    yield documents.people
    cursor.execute("DROP TABLE people")


def ids(connection, sql, *parameters):
    return sorted(row[0] for row in connection.cursor().execute(sql, parameters).fetchall())


def column(connection, name):
    return next(column for column in connection.table("people")["columns"] if column["name"] == name)


def test_a_new_connection_knows(uri, database, connection, people):
    with _sqm.connect(uri, database, autocommit=True) as other:
        assert column(other, "name")["collation"] == "case_insensitive" and column(other, "plain")["collation"] is None
        assert ids(other, "SELECT id FROM people WHERE name = %s", "ANN") == [1]
        assert ids(other, "SELECT id FROM people WHERE town = 'rome'") == [1, 2]
        with pytest.raises(_sqm.IntegrityError, match="people_name_key"):
            other.cursor().execute("INSERT INTO people VALUES (4, 'bob')")
        other.cursor().execute("ALTER TABLE people ALTER COLUMN plain TYPE text COLLATE case_insensitive")
        other.cursor().execute("ALTER TABLE people ALTER COLUMN town TYPE text")
    with _sqm.connect(uri, database, autocommit=True) as third:
        assert ids(third, "SELECT id FROM people WHERE plain = 'X'") == [1, 2]
        assert ids(third, "SELECT id FROM people WHERE town = 'rome'") == []


def test_keys_are_of_the_column(connection, people):
    connection.cursor().execute("CREATE INDEX people_town ON people (town DESC, plain)")
    table = connection.table("people")
    assert [column["name"] for column in table["columns"]] == ["id", "name", "town", "plain"]
    by_name = {index["name"]: index for index in table["indexes"]}
    assert by_name["people_town"]["columns"] == ["town", "plain"] and by_name["people_town"]["orders"] == ["DESC", "ASC"]
    assert by_name["people_town"]["expressions"] == [] and by_name["people_name_key"]["columns"] == ["name"]
    (unique,) = [constraint for constraint in table["constraints"] if constraint["kind"] == "unique"]
    assert unique["columns"] == ["name"]


def test_documents_keep_what_is_compared(connection, people):
    assert {row["_id"]: row["__x1"] for row in people.find({"_id": {"$lt": 3}})} == {1: "ann", 2: "bob"}
    connection.cursor().execute("UPDATE people SET name = 'Éva' WHERE id = 1")
    assert people.find_one({"_id": 1})["__x1"] == "éva"
    connection.cursor().execute("ALTER TABLE people ALTER COLUMN name TYPE varchar(20)")
    assert people.count_documents({"__x1": {"$exists": True}}) == 0
    assert people.index_information()["people_name_key"]["key"] == [("name", 1)]
    connection.cursor().execute("ALTER TABLE people ALTER COLUMN name TYPE varchar(30) COLLATE case_insensitive")
    assert people.index_information()["people_name_key"]["key"] == [("__x1", 1)]
    connection.cursor().execute("ALTER TABLE people DROP COLUMN name")
    assert people.count_documents({"__x1": {"$exists": True}}) == 0 and "people_name_key" not in people.index_information()


def test_the_index_answers(connection, people):
    connection.cursor().execute("CREATE INDEX people_town ON people (town)")
    people.insert_many([{"_id": i, "name": f"N{i}", "__x1": f"n{i}", "town": f"T{i}", "__x2": f"t{i}"} for i in range(100, 400)])
    people.insert_one({"_id": 500, "name": "CAROL", "town": "N200"})  # another program's
    for condition, found in (
        ("name = 'n200'", [200]), ("town IN ('T200', 't201')", [200, 201]), ("town >= 'T398' AND town < 'u'", [398, 399]),
        ("name = 'carol'", [500]), ("town = 'n200'", [500]),
    ):
        assert ids(connection, f"SELECT id FROM people WHERE {condition}") == found
        plan = "\n".join(row[0] for row in connection.cursor().execute(f"EXPLAIN SELECT id FROM people WHERE {condition}").fetchall())
        command = bson.json_util.loads(plan[plan.index('{ "find"') :])
        explained = people.database.command("explain", command, verbosity="executionStats")
        text = bson.json_util.dumps(explained["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in text and "COLLSCAN" not in text, text
        assert explained["executionStats"]["totalDocsExamined"] <= 5


def test_duplicates_keep_the_old_collation(connection, people):
    cursor = connection.cursor()
    cursor.execute("ALTER TABLE people ALTER COLUMN name TYPE varchar(20)")
    cursor.execute("INSERT INTO people VALUES (4, 'ANN')")
    with pytest.raises(_sqm.IntegrityError, match='could not create unique index "people_name_key"'):
        cursor.execute("ALTER TABLE people ALTER COLUMN name TYPE varchar(20) COLLATE case_insensitive")
    assert column(connection, "name")["collation"] is None
    assert ids(connection, "SELECT id FROM people WHERE name = 'ANN'") == [4]
    with pytest.raises(_sqm.IntegrityError):
        cursor.execute("INSERT INTO people VALUES (5, 'ANN')")
    cursor.execute("DELETE FROM people WHERE id = 4")
    cursor.execute("ALTER TABLE people ALTER COLUMN name TYPE varchar(20) COLLATE case_insensitive")
    assert ids(connection, "SELECT id FROM people WHERE name = 'ANN'") == [1]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE wrong (name text COLLATE case_insensitive PRIMARY KEY)",
        "CREATE TABLE wrong (a integer, name text COLLATE case_insensitive, PRIMARY KEY (a, name))",
        "CREATE TABLE wrong (id integer PRIMARY KEY, name varchar(20) COLLATE case_insensitive REFERENCES people (plain))",
        "CREATE TABLE wrong (id integer PRIMARY KEY, name varchar(20) REFERENCES people (name))",
        "CREATE TABLE wrong (id integer PRIMARY KEY, names text[] COLLATE case_insensitive)",
        "CREATE INDEX wrong ON people USING hashed (name COLLATE case_insensitive)",
        "SELECT array_agg(name) FROM people",
        "SELECT name, count(*) FROM people GROUP BY ROLLUP (name)",
        "SELECT greatest(name, town) FROM people",
        "SELECT mode() WITHIN GROUP (ORDER BY name) FROM people",
        "SELECT string_agg(DISTINCT name, ',') FROM people",
        "SELECT max(name) OVER () FROM people",
        "SELECT count(*) FROM people WHERE (name, town) = (SELECT name, town FROM people WHERE id = 1)",
        "SELECT id FROM people WHERE name = ANY(ARRAY['a'])",
        "WITH RECURSIVE r(n) AS (SELECT name FROM people UNION SELECT n FROM r) SELECT n FROM r",
        "SELECT id FROM people WHERE plain IN ('a', 'b' COLLATE case_insensitive)",
    ],
)
def test_what_is_refused_says_where(connection, people, sql):
    with pytest.raises(_sqm.NotSupportedError, match="(?s)LINE 1: .*HINT|this key is not supported"):
        connection.cursor().execute(sql)


def test_a_referenced_column_keeps_its_collation(connection, people):
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE child (id integer PRIMARY KEY, who text REFERENCES people (plain))")
    try:
        for table, name in (("people", "plain"), ("child", "who")):
            with pytest.raises(_sqm.NotSupportedError, match="foreign key"):
                cursor.execute(f"ALTER TABLE {table} ALTER COLUMN {name} TYPE text COLLATE case_insensitive")
    finally:
        cursor.execute("DROP TABLE child")


def test_tables_declared_later(uri, database, connection):
    """A collection that is there is adopted; the CREATE TABLE of a migration then makes the keys of rows that were written before it."""
    with pymongo.MongoClient(uri) as client:
        client[database].late.insert_many([{"_id": 1, "name": "Ann", "__x1": "left by something else"}, {"_id": 2, "name": "bob"}])
    cursor = connection.cursor()
    try:
        cursor.execute("CREATE TABLE late (id integer PRIMARY KEY, name text COLLATE case_insensitive) WITH (ADOPT)")
        assert ids(connection, "SELECT id FROM late WHERE name = 'ANN'") == [1]
        cursor.execute("CREATE TABLE late (id integer PRIMARY KEY, name text COLLATE case_insensitive UNIQUE)")
        assert ids(connection, "SELECT id FROM late WHERE name IN ('ANN', 'BOB')") == [1, 2]
        with pytest.raises(_sqm.IntegrityError):
            cursor.execute("INSERT INTO late VALUES (3, 'BOB')")
    finally:
        cursor.execute("DROP TABLE IF EXISTS late")
