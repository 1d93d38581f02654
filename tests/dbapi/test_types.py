"""Every type: Python -> parameter -> column -> row -> Python, and what a conversion must refuse."""
import collections
import datetime
import decimal
import enum
import json
import math
import time
import uuid
from decimal import Decimal

import bson
import pytest

from djongo import _sqm

DATE, TIME, DATETIME, DELTA = datetime.date, datetime.time, datetime.datetime, datetime.timedelta
UTC = datetime.timezone.utc
U = uuid.UUID("12345678-1234-5678-1234-567812345678")
O = bson.ObjectId("507f1f77bcf86cd799439011")


class SafeString(str):
    pass


class Level(enum.IntEnum):
    HIGH = 3


class Colour(str, enum.Enum):
    RED = "red"


# (column type, value): comes back equal and of the same class
ROUND_TRIPS = [
    ("boolean", True),
    ("boolean", False),
    ("smallint", -32768),
    ("integer", 2147483647),
    ("bigint", 9223372036854775807),
    ("bigint", -9223372036854775808),
    ("real", 1.5),
    ("double precision", 0.1),
    ("double precision", -0.0),
    ("double precision", math.inf),
    ("double precision", 5e-324),
    ("numeric(12, 4)", Decimal("-12345678.1234")),
    ("numeric", Decimal("1234567890.123456789012345678901234")),
    ("numeric", Decimal("1E-6000")),
    ("numeric(6, 2)", Decimal("0.10")),
    ("varchar(30)", "naïve 漢字 🐍"),
    ("varchar(30)", ""),
    ("char(5)", "abcde"),
    ("text", "a'b\"c\\d%s$x.y\n\t"),
    ("text", "x" * 1_000_000),
    ("bytea", bytes(range(256))),
    ("bytea", b""),
    ("date", DATE(2024, 2, 29)),
    ("date", DATE(1, 1, 1)),
    ("date", DATE(9999, 12, 31)),
    ("date", DATE(1969, 12, 31)),
    ("time", TIME(0, 0)),
    ("time", TIME(23, 59, 59, 999000)),
    ("timestamp", DATETIME(2024, 2, 29, 13, 45, 30, 123000)),
    ("timestamp with time zone", DATETIME(1, 1, 1)),
    ("timestamp with time zone", DATETIME(9999, 12, 31, 23, 59, 59, 999000)),
    ("timestamp with time zone", DATETIME(1969, 12, 31, 23, 59, 59, 999000)),
    ("interval", DELTA(days=-3, seconds=7, microseconds=11)),
    ("interval", DELTA(days=100_000_000)),
    ("uuid", U),
    ("objectid", O),
    ("document", {"a": 1, "b": {"c": [1, 2.5, None, True, "x"]}}),
    ("document", {}),
    ("document", {"": 0, "$gt": 1, "a.b": 2, "é": 3}),
    ("array", [1, "two", [3.0], {"four": 4}]),
    ("array", []),
    ("document", {"d": DATETIME(2024, 1, 2, 3, 4, 5, 6000), "n": Decimal("1.10"), "u": U, "b": b"\0", "o": O, "big": 2**40}),
]

# (column type, value, what comes back)
CONVERSIONS = [
    ("text", SafeString("safe"), "safe"),
    ("text", Colour.RED, "red"),
    ("integer", Level.HIGH, 3),
    ("bytea", bytearray(b"ab"), b"ab"),
    ("bytea", memoryview(b"abcdef")[::2], b"ace"),
    ("bytea", bson.Binary(b"ab"), b"ab"),
    ("uuid", bson.Binary(U.bytes, 4), U),
    ("numeric", bson.Decimal128("1.20"), Decimal("1.20")),
    ("bigint", bson.Int64(5), 5),
    ("timestamp", DATETIME(2024, 1, 1, 0, 0, 0, 1999), DATETIME(2024, 1, 1, 0, 0, 0, 1000)),
    ("timestamp", DATETIME(1960, 1, 1, 0, 0, 0, 1999), DATETIME(1960, 1, 1, 0, 0, 0, 1000)),
    ("timestamp with time zone", DATETIME(2024, 1, 1, 2, tzinfo=datetime.timezone(DELTA(hours=5, minutes=30))), DATETIME(2023, 12, 31, 20, 30)),
    ("timestamp with time zone", DATETIME(2024, 1, 1, tzinfo=UTC), DATETIME(2024, 1, 1)),
    ("time", TIME(1, 2, 3, 4567), TIME(1, 2, 3, 4000)),
    ("document", collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    ("document", {"t": (1, 2)}, {"t": [1, 2]}),
    ("document", {"day": DATE(2024, 1, 2), "at": TIME(3), "for": DELTA(seconds=1)}, {"day": DATETIME(2024, 1, 2), "at": DATETIME(1900, 1, 1, 3), "for": 1000000}),
    ("document", {"s": "a\0b"}, {"s": "a\0b"}),
]

JSON_VALUES = [None, True, 0, -1, 2**53, 1.5, "", "é\"\\\n", [], {}, [1, [2, [None]]], {"a": {"b": [1, {"c": None}]}, "": 1, "$x": 2}]


def store(cursor, make_table, column_type, value):
    table = make_table(f"id integer PRIMARY KEY, v {column_type}")
    cursor.execute(f"INSERT INTO {table} VALUES (1, %s)", [value])
    rows = cursor.execute(f"SELECT v FROM {table}").fetchall()
    assert len(rows) == 1
    return table, rows[0][0]


def name_of(value):
    return repr(value)[:40]


@pytest.mark.parametrize(("column_type", "value"), ROUND_TRIPS, ids=name_of)
def test_round_trip(cursor, make_table, column_type, value):
    table, found = store(cursor, make_table, column_type, value)
    assert found == value and type(found) is type(value)
    if isinstance(value, float):
        assert math.copysign(1, found) == math.copysign(1, value)
    # The same value finds its row.
    assert cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE v = %s", [value]).fetchone() == (1,)


@pytest.mark.parametrize("column_type", sorted({column_type for column_type, _ in ROUND_TRIPS} | {"json", "jsonb"}))
def test_null(cursor, make_table, column_type):
    assert store(cursor, make_table, column_type, None)[1] is None


@pytest.mark.parametrize(("column_type", "value", "expected"), CONVERSIONS, ids=name_of)
def test_conversion(cursor, make_table, column_type, value, expected):
    found = store(cursor, make_table, column_type, value)[1]
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize("value", [value for _, value in ROUND_TRIPS if not isinstance(value, str) or len(value) < 1000], ids=name_of)
def test_parameter_comes_straight_back(cursor, value):
    found = cursor.execute("SELECT %s", [value]).fetchone()[0]
    assert found == value and type(found) is type(value)
    assert cursor.fetchone() is None


def test_nan(cursor, make_table):
    assert math.isnan(store(cursor, make_table, "double precision", math.nan)[1])
    assert store(cursor, make_table, "numeric", Decimal("NaN"))[1].is_nan()


def test_decimals_keep_their_digits(cursor):
    for text in ("1.50", "0.00", "-0", "1E+3", "1E-20", "123456789012345678901234567890.1234", "9" * 34):
        assert str(cursor.execute("SELECT %s", [Decimal(text)]).fetchone()[0]) == text


def test_decimal_does_not_depend_on_the_context(cursor):
    with decimal.localcontext() as context:
        context.prec = 3
        assert cursor.execute("SELECT %s", [Decimal("1.23456789")]).fetchone() == (Decimal("1.23456789"),)


def test_uuid_is_whole(cursor):
    found = cursor.execute("SELECT %s", [U]).fetchone()[0]
    assert str(found) == str(U) and hash(found) == hash(U) and found.is_safe == U.is_safe and found.bytes == U.bytes and found.version == U.version


@pytest.mark.parametrize("value", JSON_VALUES, ids=name_of)
@pytest.mark.parametrize("column_type", ["json", "jsonb"])
def test_json(connect, make_table, column_type, value):
    as_objects, as_text = connect(autocommit=True).cursor(), connect(autocommit=True, json_text=True).cursor()
    table, found = store(as_objects, make_table, column_type, _sqm.Json(value))
    assert found == value and type(found) is type(value)
    text = as_text.execute(f"SELECT v FROM {table}").fetchone()[0]
    assert type(text) is str and json.loads(text) == value and type(json.loads(text)) is type(value)


def test_json_null_is_not_null(cursor, make_table):
    table, _ = store(cursor, make_table, "jsonb", _sqm.Json(None))
    assert cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE v IS NULL").fetchone() == (0,)
    cursor.execute(f"INSERT INTO {table} VALUES (2, NULL)")
    assert cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE v IS NULL").fetchone() == (1,)


def test_json_keys_are_spelled_as_json_dumps_does(cursor, make_table):
    value = {7: 1, None: 2, True: 3, 1.5: 4}
    assert store(cursor, make_table, "jsonb", _sqm.Json(value))[1] == json.loads(json.dumps(value))


def test_document_columns_are_objects_even_with_json_text(connect, make_table):
    cursor = connect(autocommit=True, json_text=True).cursor()
    assert store(cursor, make_table, "document", {"a": [1]})[1] == {"a": [1]}
    assert store(cursor, make_table, "array", [1, {"a": 2}])[1] == [1, {"a": 2}]


def test_order_of_keys(cursor, make_table):
    value = collections.OrderedDict([("z", 1), ("a", 2), ("m", 3)])
    value.move_to_end("z")
    assert list(store(cursor, make_table, "document", value)[1]) == ["a", "m", "z"]


@pytest.mark.parametrize(
    "value",
    [bson.Regex("a+", "im"), bson.Timestamp(5, 6), bson.MinKey(), bson.MaxKey(), bson.Code("f()"), bson.Code("f()", {"a": 1}), bson.Binary(b"x", 128)],
    ids=name_of,
)
def test_mongodb_types_inside_documents(cursor, make_table, value):
    found = store(cursor, make_table, "document", {"v": value, "list": [value]})[1]
    assert found == {"v": value, "list": [value]} and type(found["v"]) is type(value)


def test_documents_written_by_others(uri, database, cursor, make_table):
    """Legacy UUIDs, symbols of other drivers, values of an unexpected type: what is stored is what one sees."""
    import pymongo

    table = make_table("id integer PRIMARY KEY, v document")
    document = {"legacy": bson.Binary(U.bytes, 3), "new": bson.Binary(U.bytes, 4), "long": bson.Int64(1), "nested": {"deep": [{"x": [[]]}]}}
    with pymongo.MongoClient(uri) as client:
        client[database][table].insert_one({"_id": 1, "v": document})
    assert cursor.execute(f"SELECT v FROM {table}").fetchone()[0] == {"legacy": U, "new": U, "long": 1, "nested": {"deep": [{"x": [[]]}]}}


@pytest.mark.parametrize("year_ms", [253402300800000, -62135596800001, 2**62])
def test_dates_that_python_cannot_express(uri, database, cursor, make_table, year_ms):
    import pymongo
    from bson.datetime_ms import DatetimeMS

    table = make_table("id integer PRIMARY KEY, stamp timestamp")
    with pymongo.MongoClient(uri) as client:
        client[database][table].insert_one({"_id": 1, "stamp": DatetimeMS(year_ms)})
    with pytest.raises(_sqm.DataError, match="stamp"):
        cursor.execute(f"SELECT stamp FROM {table}").fetchall()
    assert cursor.execute(f"SELECT id FROM {table}").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "step, then",
    [
        (1, (11, 11, None)),
        (-3, (7, 7, None)),
        (True, _sqm.ProgrammingError),
        (None, _sqm.IntegrityError),
        (Decimal("2.5"), (13, 13, None)),
        (2.5, (12, 12, None)),
        ("4", (14, 14, None)),
        ("x", _sqm.DataError),
        (2**31, _sqm.DataError),
        (2**63 - 1, _sqm.DataError),
        (2**63, _sqm.DataError),
    ],
)
def test_counting_by_a_parameter(cursor, make_table, step, then):
    """An integer lets MongoDB add; whatever else it is, the same statement, cached for integers, gives what PostgreSQL gives."""
    table = make_table("id integer PRIMARY KEY, n integer NOT NULL, big bigint NOT NULL, nothing integer")
    cursor.execute(f"INSERT INTO {table} VALUES (1, 10, 10, NULL)")
    statement = f"UPDATE {table} SET n = n + %s, big = %s + big, nothing = nothing * %s WHERE id = %s"
    cursor.execute(statement, [0, 0, 0, 1])
    if isinstance(then, tuple):
        assert cursor.execute(statement, [step, step, step, 1]).rowcount == 1
    else:
        with pytest.raises(then):
            cursor.execute(statement, [step, step, step, 1])
        then = (10, 10, None)
    assert cursor.execute(f"SELECT n, big, nothing FROM {table}").fetchall() == [then]
    cursor.execute(statement, [1, 1, 1, 1])
    assert cursor.execute(f"SELECT n - %s FROM {table}", [then[0]]).fetchone() == (1,)


def test_description_names_types(cursor, make_table):
    columns = {"a": "integer", "b": "varchar(30)", "c": "numeric(10,2)", "d": "timestamp with time zone", "e": "bytea", "f": "objectid", "g": "text"}
    table = make_table(", ".join(f"{name} {kind}" for name, kind in columns.items()))
    cursor.execute(f"SELECT * FROM {table}")
    found = {column[0]: column[1] for column in cursor.description}
    assert list(found) == list(columns)
    expected = {"a": _sqm.NUMBER, "b": _sqm.STRING, "c": _sqm.NUMBER, "d": _sqm.DATETIME, "e": _sqm.BINARY, "f": _sqm.ROWID, "g": _sqm.STRING}
    assert all(found[name] == kind for name, kind in expected.items()), found


def test_uuid_functions(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT uuidv4(), uuidv7(), uuidv7(), uuidv7(%s), uuidv7(%s)", (DELTA(days=1), DELTA(days=-1)))
        four, first, second, later, earlier = cursor.fetchone()
        assert [value.version for value in (four, first, second, later, earlier)] == [4, 7, 7, 7, 7]
        assert earlier < first < second < later
        assert {value.variant for value in (four, first, later)} == {uuid.RFC_4122}
        moment = datetime.datetime.fromtimestamp((first.int >> 80) / 1000, UTC)
        assert abs(moment - datetime.datetime.now(UTC)) < DELTA(minutes=5)
        with pytest.raises(_sqm.ProgrammingError, match="uuidv7"):
            cursor.execute("SELECT uuidv7(1)")


def test_moments_of_the_transaction_and_of_the_statement(connection):
    connection.autocommit = False
    query = "SELECT now(), statement_timestamp(), clock_timestamp()"
    with connection.cursor() as cursor:
        cursor.execute(query)
        now, statement, clock = cursor.fetchone()
        assert now <= statement <= clock
        time.sleep(0.01)
        cursor.execute(query)
        assert cursor.fetchone()[0] == now
        cursor.execute(query)
        assert cursor.fetchone()[1] >= statement + DELTA(milliseconds=10)
    connection.rollback()


def test_moments_in_a_time_zone(connection):
    import zoneinfo

    paris = zoneinfo.ZoneInfo("Europe/Paris")
    moment = DATETIME(2020, 7, 1, 10, 30, 0, 5000)
    query = "SELECT %s::timestamptz, %s::timestamp, %s::date"
    with connection.cursor() as cursor:
        assert connection.timezone is None
        for zone in (UTC, paris, datetime.timezone(DELTA(hours=-5)), None):
            connection.timezone = zone
            aware, naive, day = cursor.execute(query, (moment, moment, moment)).fetchone()
            assert naive == moment and naive.tzinfo is None and day == moment.date()
            assert aware.tzinfo is zone
            assert aware == moment if zone is None else aware == moment.replace(tzinfo=UTC)
        with pytest.raises(TypeError):
            connection.timezone = "Europe/Paris"


def test_cursor_knows_its_query(connection):
    with connection.cursor() as cursor:
        assert cursor.query is None
        cursor.execute("SELECT %s /* here */", (1,))
        assert cursor.query == "SELECT %s /* here */"
