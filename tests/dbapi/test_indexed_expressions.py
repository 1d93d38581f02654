"""Indexes on expressions seen from MongoDB: what lies in the documents, which indexes answer, and rows that other programs wrote."""

import bson.json_util
import pytest

from djongo import _sqm


@pytest.fixture
def people(documents, connection):
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE people (id integer PRIMARY KEY, name text, age integer)")
    cursor.execute("INSERT INTO people VALUES (1, 'Ann', 30), (2, 'BOB', NULL), (3, NULL, 50)")
    yield documents.people
    cursor.execute("DROP TABLE people")


def ids(connection, sql, *parameters):
    return sorted(row[0] for row in connection.cursor().execute(sql, parameters).fetchall())


def stages(plan):
    """Every stage's name of an explained find."""
    names = [plan["stage"]] if "stage" in plan else []
    for key in ("inputStage", "inputStages", "queryPlan"):
        inner = plan.get(key, [])
        for stage in inner if isinstance(inner, list) else [inner]:
            names += stages(stage)
    return names


def test_documents_keep_the_value(connection, people):
    connection.cursor().execute("CREATE INDEX people_lower ON people (lower(name))")
    connection.cursor().execute("INSERT INTO people VALUES (4, 'Dave', 1)")
    values = {row["_id"]: row["__x1"] for row in people.find()}
    assert (values[1], values[2], values[4]) == ("ann", "bob", "dave")
    assert people.count_documents({"__x1": {"$type": "minKey"}}) == 1  # NULL, apart from a missing field
    connection.cursor().execute("CREATE INDEX other ON people (age, lower(name))")
    assert not any("__x2" in row for row in people.find())  # shared
    connection.cursor().execute("DROP INDEX people_lower")
    assert people.count_documents({"__x1": {"$exists": True}}) == 4
    connection.cursor().execute("DROP INDEX other")
    assert people.count_documents({"__x1": {"$exists": True}}) == 0


@pytest.mark.parametrize("kind", ["", "UNIQUE"])
def test_rows_of_other_programs_are_found(connection, people, kind):
    connection.cursor().execute(f"CREATE {kind} INDEX people_lower ON people (lower(name))")
    people.insert_many([{"_id": 10, "name": "CAROL"}, {"_id": 11, "name": None}, {"_id": 12}, {"_id": 13, "name": "carl", "__x1": None}])
    assert ids(connection, "SELECT id FROM people WHERE lower(name) = %s", "carol") == [10]
    assert ids(connection, "SELECT id FROM people WHERE lower(name) LIKE 'car%%'") == [10, 13]
    assert ids(connection, "SELECT id FROM people WHERE lower(name) >= 'b'") == [2, 10, 13]
    assert ids(connection, "SELECT id FROM people WHERE lower(name) IS NULL") == [3, 11, 12]
    assert connection.cursor().execute("SELECT count(*) FROM people WHERE lower(name) <> 'carol'").fetchone() == (3,)
    connection.cursor().execute("UPDATE people SET age = 7 WHERE lower(name) = 'carol'")
    assert people.find_one({"_id": 10})["age"] == 7
    connection.cursor().execute("UPDATE people SET name = 'Carola' WHERE id = 10")
    assert people.find_one({"_id": 10})["__x1"] == "carola"


@pytest.mark.parametrize("kind", ["", "UNIQUE"])
def test_the_index_answers(connection, people, kind):
    connection.cursor().execute(f"CREATE {kind} INDEX people_lower ON people (lower(name))")
    people.insert_many([{"_id": i, "name": f"N{i}", "__x1": f"n{i}"} for i in range(100, 400)])
    for condition in ("lower(name) = 'n200'", "lower(name) LIKE 'n20%%'", "lower(name) >= 'n200' AND lower(name) < 'n21'", "lower(name) IN ('n200', 'n201') AND age IS NULL"):
        plan = "\n".join(row[0] for row in connection.cursor().execute(f"EXPLAIN SELECT id FROM people WHERE {condition}", ()).fetchall())
        assert "using people_lower" in plan, plan
        command = bson.json_util.loads(plan[plan.index('{ "find"') :])
        explained = people.database.command("explain", command, verbosity="executionStats")
        names = stages(explained["queryPlanner"]["winningPlan"])
        assert "COLLSCAN" not in names and "IXSCAN" in names, names
        assert explained["executionStats"]["totalDocsExamined"] <= 12


def test_unique_by_value(connection, people):
    cursor = connection.cursor()
    cursor.execute("CREATE UNIQUE INDEX people_lower ON people (lower(name))")
    with pytest.raises(_sqm.IntegrityError, match=r"people_lower.*lower\(name\).*ann"):
        cursor.execute("INSERT INTO people VALUES (5, 'ANN', 1)")
    cursor.execute("INSERT INTO people VALUES (6, NULL, 1)")
    assert people.count_documents({}) == 4


def test_introspection_does_not_show_it(connection, people):
    connection.cursor().execute("CREATE UNIQUE INDEX people_i ON people (lower(name) DESC, age)")
    table = connection.table("people")
    assert [column["name"] for column in table["columns"]] == ["id", "name", "age"]
    (index,) = table["indexes"]
    assert index["columns"] == [None, "age"] and index["expressions"] == ["lower(name)"] and index["orders"] == ["DESC", "ASC"]


def test_times_with_microseconds_are_refused(connection):
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE clock (id integer PRIMARY KEY, at timestamp, d interval)")
    try:
        with pytest.raises(_sqm.NotSupportedError, match="microseconds"):
            cursor.execute("CREATE INDEX clock_i ON clock ((at + d))")
        cursor.execute("CREATE INDEX clock_day ON clock (date_trunc('day', at))")
        cursor.execute("INSERT INTO clock VALUES (1, '2024-05-06 07:08:09.123456', NULL)")
        assert cursor.execute("SELECT id FROM clock WHERE date_trunc('day', at) = '2024-05-06'").fetchall() == [(1,)]
    finally:
        cursor.execute("DROP TABLE clock")


@pytest.mark.parametrize("kind", ["", "UNIQUE"])
def test_order_by_the_index(connection, people, kind):
    cursor = connection.cursor()
    cursor.execute(f"CREATE {kind} INDEX people_lower ON people (lower(name))")
    cursor.executemany("INSERT INTO people VALUES (%s, %s, %s)", [(i, f"{'nN'[i % 2]}{i}", i) for i in range(100, 200)])
    people.insert_many([{"_id": 10, "name": "CAROL"}, {"_id": 11, "name": None}, {"_id": 12, "name": "N1505"}, {"_id": 13, "name": "zz"}])

    def both(tail):
        """With the index, and by the same order said in words that it doesn't know."""
        fast = [row[0] for row in cursor.execute(f"SELECT id FROM people ORDER BY lower(name) {tail}").fetchall()]
        slow = [row[0] for row in cursor.execute(f"SELECT id FROM people ORDER BY lower(name || '') {tail}").fetchall()]
        assert fast == slow
        return fast

    assert both("ASC, id LIMIT 6") == [3, 11, 1, 2, 10, 100]
    assert both("DESC, id LIMIT 3") == [13, 199, 198]
    assert both("DESC, id LIMIT 2 OFFSET 3") == [197, 196]
    assert 12 in both("ASC, id LIMIT 10 OFFSET 50")
    assert both("DESC NULLS FIRST, id LIMIT 3") == [3, 11, 13]
    assert both("ASC, id LIMIT 0") == []
    plan = "\n".join(row[0] for row in cursor.execute("EXPLAIN SELECT id FROM people ORDER BY lower(name), age LIMIT 5").fetchall())
    command = bson.json_util.loads(plan[plan.index('{ "find"') :])
    assert command["limit"] == 5
    if not kind:
        cursor.execute("CREATE INDEX people_both ON people (lower(name), age)")
        explained = people.database.command("explain", command, verbosity="executionStats")
        assert explained["executionStats"]["totalDocsExamined"] <= 6
