"""Bad input: a clear error of the right DB-API class, nothing written, and the connection goes on working."""
import collections
import datetime
import decimal
import enum
import math

import pytest

from djongo import _sqm


@pytest.fixture
def table(make_table, cursor):
    name = make_table("id integer PRIMARY KEY, name varchar(30), big bigint, doc document, js jsonb, price numeric(20, 2), stamp timestamp, t time, d interval")
    cursor.execute(f"INSERT INTO {name} (id, name, big) VALUES (1, 'one', 1)")
    return name


@pytest.fixture(params=["autocommit", "transaction"])
def refuse(request, connect, table):
    """refuse(class, text, sql, params): the statement fails so, the table is as it was, the connection works."""
    connection = connect(autocommit=request.param == "autocommit")
    cursor = connection.cursor()

    def check(error_class, text, sql, params=None):
        with pytest.raises(_sqm.Error) as caught:
            cursor.execute(sql, params)
            if cursor.description:
                cursor.fetchall()
        assert type(caught.value) is error_class, caught.value
        assert text in str(caught.value)
        connection.rollback()
        assert cursor.execute(f"SELECT id, name, big FROM {table}").fetchall() == [(1, "one", 1)]
        connection.rollback()
        return caught.value

    return check


@pytest.mark.parametrize(
    "sql",
    ["", ";", "SELEC 1", "SELECT", "SELECT FROM WHERE", "SELECT 1 +", "SELECT (1", "SELECT 1)", "SELECT 'open", 'SELECT "open', "SELECT /* open", "SELECT 1 1 1 FROM",
     "INSERT INTO", "SELECT * FROM", "SELECT 1; SELECT 2", "\x00", "SELECT \x00 1", "SELECT 1 \x00", "\ufeffSELECT 1 FROM (", "💥"],
)  # fmt: skip
def test_syntax_errors(refuse, sql):
    error = refuse(_sqm.ProgrammingError, "", sql)
    assert error.code == "syntax_error" and error.sql == sql
    assert error.position is None or 0 <= error.position <= len(sql)


def test_lone_surrogate_in_sql(refuse):
    refuse(_sqm.ProgrammingError, "surrogate", "SELECT '\ud800'")


def test_unknown_names(refuse, table):
    error = refuse(_sqm.ProgrammingError, "nmae", f"SELECT nmae FROM {table}")
    assert error.code == "undefined_column" and "name" in error.hint
    error = refuse(_sqm.ProgrammingError, "", f"SELECT 1 FROM {table}x")
    assert error.code == "undefined_table"
    error = refuse(_sqm.ProgrammingError, "", f"SELECT no_such_function(id) FROM {table}")
    assert error.code == "undefined_function"
    refuse(_sqm.ProgrammingError, "", f"INSERT INTO {table} (id, nmae) VALUES (2, 'x')")
    refuse(_sqm.ProgrammingError, "", f"UPDATE {table} SET nmae = 'x'")


@pytest.mark.parametrize(
    ("placeholders", "params", "text"),
    [
        ("%s, %s", [], "2 placeholders but 0 parameters were"),
        ("%s, %s", [2], "2 placeholders but 1 parameter was"),
        ("%s, %s", [2, "x", 3], "2 placeholders but 3 parameters were"),
        ("2, 'x'", [1], "0 placeholders but 1 parameter was"),
        ("%(a)s, %(b)s", {"a": 2}, "no value for the placeholder %(b)s"),
        ("%(a)s, %(b)s", {}, "no value for the placeholder %(a)s"),
        ("%(a)s, %(b)s", [2, "x"], "pass a mapping"),
        ("%s, %s", {"a": 2, "b": 3}, "pass a sequence"),
        ("%s, %s", "ab", "must be a sequence or a mapping, not 'str'"),
        ("%s, %s", b"ab", "must be a sequence or a mapping, not 'bytes'"),
        ("%s, %s", 5, "must be a sequence or a mapping, not 'int'"),
        ("%s, %s", {1, 2}, "must be a sequence or a mapping, not 'set'"),
    ],
)
def test_wrong_parameters(refuse, table, placeholders, params, text):
    refuse(_sqm.ProgrammingError, text, f"INSERT INTO {table} (id, name) VALUES ({placeholders})", params)


def test_placeholders_without_parameters(refuse, table):
    refuse(_sqm.ProgrammingError, "", f"INSERT INTO {table} (id) VALUES (%s)")


class Unknown:
    def __repr__(self):
        return "Unknown()"


class Plain(enum.Enum):
    A = 1


@pytest.mark.parametrize(
    ("value", "error_class", "text"),
    [
        (2**63, _sqm.DataError, "parameter 2: int too large"),
        (-(2**63) - 1, _sqm.DataError, "parameter 2: int too large"),
        (10**1000, _sqm.DataError, "parameter 2: int too large"),
        ("a\0b", _sqm.DataError, "parameter 2: text cannot contain a NUL"),
        ("ab\ud800c", _sqm.DataError, "lone surrogate at index 2"),
        (Unknown(), _sqm.ProgrammingError, "parameter 2: can't adapt type 'Unknown'"),
        (Plain.A, _sqm.ProgrammingError, "can't adapt type 'Plain'"),
        ({1, 2}, _sqm.ProgrammingError, "can't adapt type 'set'"),
        (1j, _sqm.ProgrammingError, "can't adapt type 'complex'"),
        (range(3), _sqm.ProgrammingError, "can't adapt type 'range'"),
        (int, _sqm.ProgrammingError, "can't adapt type 'type'"),
        ({1: 2}, _sqm.ProgrammingError, "keys of a document must be str, not 'int'"),
        ({"a\0": 1}, _sqm.DataError, "keys of a document cannot contain a NUL"),
        ({"\udfff": 1}, _sqm.DataError, "surrogate"),
        ({"a": [0, {"b": 2**64}]}, _sqm.DataError, "parameter 2, at a[1].b: int too large"),
        ([Unknown()], _sqm.ProgrammingError, "parameter 2, at [0]: can't adapt type 'Unknown'"),
        ({"x": "y" * (16 << 20)}, _sqm.DataError, "16 MB"),
        ({"x": ["y" * (1 << 20)] * 17}, _sqm.DataError, "16 MB"),
        (["y"] * 3_000_000, _sqm.DataError, "16 MB"),
        (b"y" * (17 << 20), _sqm.DataError, "16 MB"),
        ("y" * (17 << 20), _sqm.DataError, "16 MB"),
        (decimal.Decimal("1." + "1" * 34), _sqm.DataError, "34 significant digits"),
        (decimal.Decimal("1E7000"), _sqm.DataError, "34 significant digits"),
        (datetime.time(1, tzinfo=datetime.timezone.utc), _sqm.DataError, "time zone"),
        (datetime.timedelta.max, _sqm.DataError, "timedelta too large"),
        (_sqm.Json(math.nan), _sqm.DataError, "JSON has no NaN"),
        (_sqm.Json({"a": [-math.inf]}), _sqm.DataError, "parameter 2, at a[0]: JSON has no infinity"),
        (_sqm.Json(2**64), _sqm.DataError, "int too large"),
        (_sqm.Json({"a": Unknown()}), _sqm.ProgrammingError, "at a: can't adapt type 'Unknown'"),
        (_sqm.Json({(1, 2): 3}), _sqm.ProgrammingError, "keys of a document must be str, not 'tuple'"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_values(refuse, table, value, error_class, text):
    """Whatever the column: the parameter is refused by itself."""
    refuse(error_class, text, f"INSERT INTO {table} (id, doc) VALUES (%s, %s)", [2, value])
    refuse(error_class, text.replace("parameter 2", 'parameter "v"'), f"INSERT INTO {table} (id, doc) VALUES (%(i)s, %(v)s)", {"i": 2, "v": value})


def test_cycles_and_depth(refuse, table):
    cycle = []
    cycle.append({"again": cycle})
    deep = 1
    for _ in range(101):
        deep = [deep]
    for value in (cycle, deep, _sqm.Json(cycle)):
        refuse(_sqm.DataError, "nested deeper than 100 levels", f"INSERT INTO {table} (id, doc) VALUES (%s, %s)", [2, value])


def test_a_document_is_a_value(cursor, table):
    """No parameter becomes an operator, and no key with a dollar sign does."""
    for value in ({"$gt": ""}, {"$ne": None}, {"$exists": True}, {"$where": "1"}, {"$expr": True}, ["$name"], {"$regex": "."}):
        for column in ("name", "doc"):
            try:
                rows = cursor.execute(f"SELECT id FROM {table} WHERE {column} = %s", [value]).fetchall()
            except (_sqm.ProgrammingError, _sqm.DataError):
                rows = []
            assert rows == []
    assert cursor.execute(f"SELECT id FROM {table} WHERE name = %s", ["$name"]).fetchall() == []
    for key, value in enumerate([{"$gt": 1}, {"$set": {"name": "x"}}, {"a.b": "$name"}], start=10):
        cursor.execute(f"INSERT INTO {table} (id, doc) VALUES (%s, %s)", [key, value])
        assert cursor.execute(f"SELECT doc FROM {table} WHERE id = %s AND doc = %s", [key, value]).fetchall() == [(value,)]
        cursor.execute(f"UPDATE {table} SET doc = %s WHERE id = %s", [value, key])
        assert cursor.execute(f"SELECT doc FROM {table} WHERE id = %s", [key]).fetchall() == [(value,)]


def test_text_is_not_sql(cursor, table):
    for text in ("' OR '1'='1", "'; DROP TABLE x; --", '"', "\\", "%s", "%(a)s", "$1", "{$ne: 1}"):
        assert cursor.execute(f"SELECT id FROM {table} WHERE name = %s", [text]).fetchall() == []
        assert cursor.execute("SELECT %s", [text]).fetchone() == (text,)


def test_row_beyond_16_mb(refuse, table):
    """Each value fits, the row doesn't."""
    with_two = ["x" * (9 << 20)] * 2
    refuse(_sqm.DataError, "", f"INSERT INTO {table} (id, doc, js) VALUES (%s, %s, %s)", [2, {"x": with_two[0]}, _sqm.Json(with_two[1])])


def test_out_of_range_for_the_column(refuse, table):
    refuse(_sqm.DataError, "", f"INSERT INTO {table} (id) VALUES (%s)", [2**31])
    refuse(_sqm.DataError, "", f"INSERT INTO {table} (id, name) VALUES (2, %s)", ["x" * 31])
    refuse(_sqm.DataError, "", f"UPDATE {table} SET price = %s", [decimal.Decimal("1E+20")])
    refuse(_sqm.DataError, "", f"UPDATE {table} SET big = big + %s", [2**63 - 1])
    refuse(_sqm.DataError, "", f"SELECT id / 0 FROM {table}")


def test_ten_megabytes_of_sql(refuse, cursor, table):
    refuse(_sqm.ProgrammingError, "", "SELECT " + "1 " * (5 << 20))
    refuse(_sqm.ProgrammingError, "", "(" * (10 << 20))
    refuse(_sqm.ProgrammingError, "", "SELECT '" + "x" * (17 << 20) + "'")
    # Much text alone is no mistake.
    filler = "x" * (10 << 20)
    try:
        found = cursor.execute(f"SELECT id, '{filler}' FROM {table}").fetchall()
    except _sqm.ProgrammingError as error:
        assert error.code == "program_limit_exceeded"
    else:
        assert found == [(1, filler)]


@pytest.mark.parametrize(
    "sql",
    ["SELECT " + "(" * 10_000 + "1" + ")" * 10_000, "SELECT " + "(" * 10_000, "SELECT " + "NOT " * 10_000 + "true", "SELECT " + "- " * 10_000 + "1",
     "SELECT 1" + " + (1" * 10_000 + ")" * 10_000, "SELECT * FROM " + "(SELECT * FROM " * 10_000, "SELECT " + "CASE WHEN true THEN " * 10_000],
    ids=lambda sql: sql[:30],
)  # fmt: skip
def test_deep_nesting(refuse, sql):
    refuse(_sqm.ProgrammingError, "", sql)


def test_long_chains_are_not_deep(cursor):
    """What people generate: many terms at one level. Either it works or the limit is named."""
    for sql, expected in (
        ("SELECT " + " + ".join(["1"] * 2_000), 2_000),
        ("SELECT " + " OR ".join(["false"] * 2_000), False),
        ("SELECT 1 IN (" + ", ".join(map(str, range(20_000))) + ")", True),
    ):
        try:
            assert cursor.execute(sql).fetchone() == (expected,)
        except _sqm.ProgrammingError as error:
            assert error.code == "program_limit_exceeded"


def test_many_parameters(cursor, table):
    assert cursor.execute(f"SELECT id FROM {table} WHERE id IN ({', '.join(['%s'] * 20_000)})", range(20_000)).fetchall() == [(1,)]
    assert cursor.execute(f"SELECT id FROM {table} WHERE id IN %s", [tuple(range(20_000))]).fetchall() == [(1,)]


def test_conversions_that_raise(cursor, connection):
    class Zone(datetime.tzinfo):
        def utcoffset(self, when):
            raise ZeroDivisionError

    class Reentrant(datetime.tzinfo):
        def utcoffset(self, when):
            cursor.execute("SELECT 1")

    with pytest.raises(ZeroDivisionError):
        cursor.execute("SELECT %s", [datetime.datetime(2024, 1, 1, tzinfo=Zone())])
    with pytest.raises(_sqm.ProgrammingError, match="in use"):
        cursor.execute("SELECT %s", [datetime.datetime(2024, 1, 1, tzinfo=Reentrant())])
    assert cursor.execute("SELECT 1").fetchone() == (1,)


def test_containers_that_change_during_conversion(cursor):
    class Zone(datetime.tzinfo):
        def utcoffset(self, when):
            document.clear()
            items.clear()
            return datetime.timedelta(0)

    when = datetime.datetime(2024, 1, 1, tzinfo=Zone())
    document, items = {"when": when, "rest": ["x" * 100]}, []
    with pytest.raises(_sqm.DataError, match="changed size"):
        cursor.execute("SELECT %s", [document])
    document, items = {}, [when, "x" * 100, {"y": 1}]
    cursor.execute("SELECT %s", [items])
    assert cursor.execute("SELECT 1").fetchone() == (1,)


def test_mapping_that_raises(cursor):
    class Parameters(collections.UserDict):
        def __getitem__(self, name):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cursor.execute("SELECT %(a)s", Parameters(a=1))
    assert cursor.execute("SELECT %(a)s", collections.UserDict(a=1)).fetchone() == (1,)
    assert cursor.execute("SELECT %(a)s", collections.defaultdict(int, a=1)).fetchone() == (1,)


@pytest.mark.parametrize("sql", [None, b"SELECT 1", 5, ["SELECT 1"]])
def test_statement_must_be_str(cursor, sql):
    with pytest.raises(TypeError):
        cursor.execute(sql)
    assert cursor.execute("SELECT 1").fetchone() == (1,)
