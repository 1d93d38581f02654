"""Documents as other programs write them, in a table that declares them: whatever the server is asked to decide, the rows are those that come out
when everything is decided here (no_optimise), and a condition, its NOT and its IS NULL divide the table.

    test_documents.py URI SEED [COUNT]      by hand: another seed, with COUNT conditions
"""
import datetime
import pathlib
import random
import sys
import uuid

sys.path[:0] = [str(pathlib.Path(__file__).parents[2]), str(pathlib.Path(__file__).parent)]

import bson  # noqa: E402
import pymongo  # noqa: E402
import pytest  # noqa: E402

SEEDS, CONDITIONS, DOCUMENTS = range(1, 4), 120, 150
MISSING = object()
MOMENT = datetime.datetime(2020, 1, 2)
UUID = uuid.UUID("00000000-0000-4000-8000-000000000001")
ID = bson.ObjectId("0123456789ab0123456789ab")

LEAVES = [
    MISSING, None, 0, 1, 2, 3, bson.Int64(2**53 + 1), 1.0, 2.5, -0.0, float("nan"), float("inf"), bson.Decimal128("2"), bson.Decimal128("NaN"), "x", "y", "xy", "", "5", "X",
    True, False, MOMENT, MOMENT + datetime.timedelta(hours=5), bson.Binary(UUID.bytes, 4), bson.Binary(UUID.bytes, 3), bson.Binary(b"ab"), ID, bson.Regex("^x"), bson.MinKey(),
]
NAMES = ["a", "b", "0", "1", "odd key"]
TYPES = {
    "text": ["'x'", "'y'", "''", "'5'"], "integer": ["1", "2", "3", "9007199254740993"], "numeric": ["1.0", "2", "2.5"], "double precision": ["1", "2.5"],
    "boolean": ["true", "false"], "date": ["DATE '2020-01-02'"], "timestamp with time zone": ["TIMESTAMPTZ '2020-01-02 00:00:00+00'", "TIMESTAMPTZ '2020-01-02 00:00:00.0005+00'"],
    "uuid": [f"'{UUID}'::uuid"], "objectid": [f"'{ID}'::objectid"],
}


class Documents:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    def value(self, depth):
        kind = self.rng.random()
        if depth == 0 or kind < 0.4:
            return self.rng.choice(LEAVES)
        if kind < 0.75:
            return self.object(depth)
        return [item for item in (self.value(depth - 1) for _ in range(self.rng.randrange(4))) if item is not MISSING]

    def object(self, depth):
        pairs = ((name, self.value(depth - 1)) for name in NAMES if self.rng.random() < 0.6)
        return {name: value for name, value in pairs if value is not MISSING}

    def row(self, number):
        row = {"_id": number}
        for column in ("d", "j", "items"):
            value = self.value(3) if self.rng.random() < 0.8 else self.object(3)
            if value is not MISSING:
                row[column] = value
        tags = self.rng.choice([MISSING, None, [], ["x"], ["x", "y"], ["y", None], ["X", "xy", "x"], [["x"]], [1, "x"], "x", 5])
        if tags is not MISSING:
            row["tags"] = tags
        return row


class Conditions:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    def path(self, document, type_):
        steps = "".join(self.rng.choice(['.a', '.b', '."0"', '."1"', '."odd key"', "[0]", "[1]", "[last]"][: 5 if self.rng.random() < 0.5 else 8]) for _ in range(self.rng.randrange(1, 4)))
        return f"JSON_VALUE({document}, '${steps}' RETURNING {type_})"

    def simple(self, document):
        rng = self.rng
        type_ = rng.choice(list(TYPES))
        path, value = self.path(document, type_), rng.choice(TYPES[type_])
        forms = [
            f"{path} {rng.choice(['=', '<>', '<', '<=', '>', '>='])} {value}",
            f"{path} IN ({value}, {rng.choice(TYPES[type_])}{rng.choice(['', ', NULL'])})",
            f"{path} NOT IN ({value})",
            f"{path} BETWEEN {value} AND {rng.choice(TYPES[type_])}",
            f"{path} IS {rng.choice(['', 'NOT '])}NULL",
            f"{path} IS {rng.choice(['', 'NOT '])}DISTINCT FROM {value}",
            f"JSON_VALUE({document}, '$.a' RETURNING {rng.choice(['json', 'document', 'array', 'text[]'])}) IS {rng.choice(['', 'NOT '])}NULL",
        ]
        if type_ == "text":
            forms += [f"{path} {rng.choice(['', 'NOT '])}{rng.choice(['LIKE', 'ILIKE'])} '{rng.choice(['x', 'x%', '%y', '_'])}'", f"{path} {rng.choice(['~', '!~*'])} '^x'"] * 2
        if type_ == "boolean":
            forms += [path, f"{path} IS {rng.choice(['TRUE', 'NOT FALSE', 'UNKNOWN'])}"] * 2
        return rng.choice(forms)

    def array(self):
        steps = "".join(self.rng.choice([".a", ".b", '."odd key"', '."0"']) for _ in range(self.rng.randrange(1, 3)))
        return self.rng.choice(["tags", "tags", f"JSON_VALUE(d, '${steps}' RETURNING text[])", f"JSON_VALUE(d, '${steps}' RETURNING integer[])"])

    def element(self, array):
        return self.rng.choice(["1", "2", "3"] if "integer" in array else ["'x'", "'y'", "'xy'", "'5'", "''"])

    def about_array(self):
        rng, array = self.rng, self.array()
        item, items = self.element(array), f"ARRAY[{self.element(array)}, {self.element(array)}]"
        return rng.choice([
            f"{item} = ANY({array})", f"{item} = ANY({array})", f"NULL = ANY({array})", f"{array} @> {items}", f"{array} @> ARRAY[{item}, NULL]", f"{array} <@ {items}",
            f"{items} @> {array}", f"{array} && {items}", f"{items} && {array}", f"cardinality({array}) {rng.choice(['=', '<>', '>'])} {rng.randrange(4)}",
            f"array_length({array}, 1) {rng.choice(['=', '<>'])} {rng.randrange(4)}", f"{array} IS NULL", f"{array}[{rng.randrange(4)}] {rng.choice(['=', '<>', '<'])} {item}",
            f"{array}[1] IS NULL", f"JSON_VALUE(tags, '$[{rng.randrange(3)}]' RETURNING text) {rng.choice(['=', '<>', '<', 'LIKE'])} {self.element('tags')}", f"EXISTS (SELECT 1 FROM unnest({array}))",
        ])

    def about_element(self, alias, depth):
        rng = self.rng
        parts = []
        for _ in range(rng.choice([1, 2, 2, 3])):
            if depth and rng.random() < 0.3:
                parts.append(f"{rng.choice(['', 'NOT '])}EXISTS (SELECT 1 FROM unnest(JSON_VALUE({alias}.doc, '${rng.choice(['.a', '.b'])}' RETURNING array)) AS {alias}{alias}(doc) WHERE {self.about_element(alias * 2, depth - 1)})")
            else:
                parts.append(self.simple(f"{alias}.doc"))
        return rng.choice([" AND ", " AND ", " OR "]).join(f"({'NOT ' if rng.random() < 0.2 else ''}{part})" for part in parts)

    def exists(self):
        rng = self.rng
        if rng.random() < 0.3:
            array = self.array()
            item = self.element(array)
            condition = rng.choice([f"x {rng.choice(['=', '<>', '<', '>='])} {item}", f"x >= {item} AND x < {self.element(array)}", f"x IN ({item}, {self.element(array)})", "x IS NOT NULL",
                                    "x IS NULL", f"NOT x = {item}", f"x > {item} OR x = {item}"] + ([] if "integer" in array else ["x LIKE 'x%'", "NOT x LIKE 'x%'"]))
            return f"EXISTS (SELECT 1 FROM unnest({array}) AS x WHERE {condition})"
        array = rng.choice(["items", "items", "JSON_VALUE(d, '$.a' RETURNING array)", "JSON_VALUE(d, '$.b' RETURNING array)", "JSON_VALUE(j, '$.a.b' RETURNING array)"])
        return f"EXISTS (SELECT 1 FROM unnest({array}) AS e(doc) WHERE {self.about_element('e', 1)})"

    def json(self):
        rng = self.rng
        path = "j" + "".join(rng.choice([" -> 'a'", " -> 'b'", " -> 'odd key'", " -> '0'"]) for _ in range(rng.randrange(3)))
        value = rng.choice(["1", "2", '"x"', "true", "null", "2.5", "[]", "[1]", '["x", "y"]', '{"a": 1}', '{"b": "x"}', '{"a": {"b": [1]}}', "{}"])
        text = f"({path} ->> '{rng.choice(['a', 'b', '0'])}')"
        return rng.choice([f"{path} = '{value}'", f"{path} @> '{value}'", f"{path} IN ('{value}', '\"y\"')", f"{path} ? '{rng.choice(['a', 'x', '0'])}'",
                           f"{text} = '{rng.choice(['x', '1', '2', '2.5', 'true', '{}', '[]', '5', ''])}'", f"{text} IN ('x', '3', '-0.0')", f"{text} LIKE 'x%'", f"{path} <> '{value}'"])

    def part(self):
        kind = self.rng.random()
        if kind > 0.85:
            return self.json()
        return self.simple(self.rng.choice(["d", "d", "j", "items"])) if kind < 0.4 else self.about_array() if kind < 0.7 else self.exists()

    def condition(self):
        parts = [self.part() for _ in range(self.rng.choice([1, 1, 2, 3]))]
        return self.rng.choice([" AND ", " OR "]).join(f"({'NOT ' if self.rng.random() < 0.2 else ''}{part})" for part in parts)


    def assignment(self):
        rng = self.rng
        steps = rng.choice([".a", ".b", ".a.b", ".b.a", '."odd key"', ".a.b.c", '."0"'])
        values = ["'x'", "5", "NULL", "DATE '2020-01-02'", f"JSON_VALUE(d, '{'$' + steps}' RETURNING integer) + 1", "JSON_VALUE(d, '$.b' RETURNING text)", "id",
                  f"array_append(JSON_VALUE(d, '${steps}' RETURNING text[]), 'x')", f"array_prepend('x', JSON_VALUE(d, '$.b' RETURNING text[]))", "'{\"n\": 1}'::json"]
        part = f"d{steps} = {rng.choice(values)}"
        return rng.choice([part, part, part, part + ", d.new.x = 1", "tags = array_append(tags, 'x')", "tags = array_remove(tags, 'x')", "tags = array_replace(tags, 'x', 'z')",
                           "tags = array_prepend('x', tags)", "tags[2] = 'x'", "d.l[1] = 5", "items[1] = 7, j.k = 8"])


def ids(connection, sql):
    cursor = connection.cursor()
    cursor.execute(sql)
    return cursor.fetchall()


def problems_of(uri, database, seed, count):
    from djongo import _sqm

    found = []
    with pymongo.MongoClient(uri) as client:
        collection, documents = client[database].documents, Documents(seed)
        asked, here = _sqm.connect(uri, database, autocommit=True), _sqm.connect(uri, database, autocommit=True, no_optimise=True)
        asked.cursor().execute("CREATE TABLE documents (id integer PRIMARY KEY, d document, j jsonb, tags text[], items array)")
        try:
            collection.insert_many([documents.row(number) for number in range(DOCUMENTS)])
            for number in range(count):
                maker = Conditions(seed * 1000 + number)
                condition = maker.condition()
                parts = []
                for question in (condition, f"NOT ({condition})", f"({condition}) IS NULL"):
                    sql = f"SELECT id FROM documents WHERE {question} ORDER BY id"
                    rows = ids(asked, sql)
                    if rows != (there := ids(here, sql)):
                        found.append(f"{sql}\n  server: {rows}\n  here:   {there}")
                    parts += rows
                if sorted(parts) != [(i,) for i in range(DOCUMENTS)]:
                    found.append(f"not divided: {condition}")
                key = maker.path("d", maker.rng.choice([t for t in TYPES if t != "uuid"]))
                sql = f"SELECT id, {maker.path('d', 'text')} FROM documents WHERE {condition} ORDER BY {key} {maker.rng.choice(['', 'DESC'])}, id LIMIT {maker.rng.choice([5, 1000])}"
                if repr(rows := ids(asked, sql)) != repr(there := ids(here, sql)):
                    found.append(f"{sql}\n  server: {rows}\n  here:   {there}")
        finally:
            asked.cursor().execute("DROP TABLE documents")
            asked.close()
            here.close()
    return found


def update_problems_of(uri, database, seed, count):
    """One row after the other is changed by the server and here: the documents, or the errors, are the same."""
    from djongo import _sqm

    found = []
    with pymongo.MongoClient(uri) as client:
        collection, documents, rng = client[database].documents, Documents(seed), random.Random(seed)
        asked, here = _sqm.connect(uri, database, autocommit=True), _sqm.connect(uri, database, autocommit=True, no_optimise=True)
        asked.cursor().execute("CREATE TABLE documents (id integer PRIMARY KEY, d document, j jsonb, tags text[], items array)")
        try:
            rows = [documents.row(number) for number in range(DOCUMENTS)]
            for number in range(count):
                assignment, row = Conditions(seed * 1000 + number).assignment(), rng.choice(rows)
                results = []
                for connection in (asked, here):
                    collection.replace_one({"_id": row["_id"]}, row, upsert=True)
                    try:
                        ids_changed = connection.cursor().execute(f"UPDATE documents SET {assignment} WHERE id = {row['_id']}").rowcount
                        results.append((ids_changed, collection.find_one({"_id": row["_id"]})))
                    except (_sqm.DataError, _sqm.ProgrammingError):
                        results.append("refused")
                if repr(results[0]) != repr(results[1]):
                    found.append(f"{assignment}\n  {row}\n  server: {results[0]}\n  here:   {results[1]}")
        finally:
            asked.cursor().execute("DROP TABLE documents")
            asked.close()
            here.close()
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_assignments(uri, database, seed):
    found = update_problems_of(uri, database, seed, CONDITIONS)
    assert not found, "\n".join(found[:5])


@pytest.mark.parametrize("seed", SEEDS)
def test_conditions(uri, database, seed):
    found = problems_of(uri, database, seed, CONDITIONS)
    assert not found, "\n".join(found[:5])


if __name__ == "__main__":
    problems = problems_of(sys.argv[1], "docsql_fuzz", int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else CONDITIONS)
    problems += update_problems_of(sys.argv[1], "docsql_fuzz", int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else CONDITIONS)
    print("\n".join(problems[:10]), f"\n{len(problems)} problems")
