"""Each call a thousand times: no object, no memory block and no megabyte may stay behind, whether the call succeeds or raises."""
import datetime
import gc
import resource
import sys
import uuid
from decimal import Decimal

import bson
import pytest

from djongo import _sqm

ROUNDS = 1000
WARM_UP = 100


def current_rss():
    """In KB. Not the peak: what earlier tests used must not hide a leak."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize() // 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def growth(function):
    """(objects, blocks, KB) that ROUNDS calls leave behind."""
    gc.collect()
    objects, blocks, rss = len(gc.get_objects()), sys.getallocatedblocks(), current_rss()
    for _ in range(ROUNDS):
        function()
    gc.collect()
    return len(gc.get_objects()) - objects, sys.getallocatedblocks() - blocks, current_rss() - rss


def check_leaks(function):
    """A leak leaves something at every round of measuring; the interpreter's own caches (interned strings, free lists) fill up once."""
    for _ in range(WARM_UP):
        function()
    for _ in range(3):
        objects, blocks, rss = growth(function)
        if objects < 20 and blocks < ROUNDS / 4 and rss < 6_000:
            return
    assert objects < 20
    assert blocks < ROUNDS / 4
    assert rss < 6_000


VALUES = [
    None, True, 1, 2**40, 1.5, "text", "é" * 50, b"bytes", memoryview(b"abcdef")[::2], Decimal("1.10"), datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
    datetime.date(2024, 1, 1), datetime.time(1), datetime.timedelta(1), uuid.uuid4(), bson.ObjectId(), {"a": [1, {"b": bson.Regex("x")}]}, [1, [2]],
]  # fmt: skip

BAD_VALUES = [
    2**64, "\0", "\ud800", object(), {1: 2}, {"a": {"b": object()}}, Decimal("1" * 40), datetime.timedelta.max, _sqm.Json(float("nan")), {"x": "y" * (17 << 20)},
]  # fmt: skip


@pytest.fixture
def calls(cursor, booze, connect, uri, database):
    connection = cursor.connection
    other = connect()
    theirs = other.cursor()

    def raises(function, *arguments):
        try:
            function(*arguments)
        except _sqm.Error:
            return
        raise AssertionError("no error")

    def context():
        with connection.cursor() as one:
            one.execute(f"SELECT name FROM {booze}").fetchone()

    def transaction():
        theirs.execute(f"SELECT name FROM {booze}").fetchone()
        other.commit()
        theirs.fetchall()
        theirs.execute(f"SELECT name FROM {booze}")
        other.rollback()

    return {
        "fetchone": lambda: cursor.execute(f"SELECT id, name FROM {booze}").fetchone(),
        "fetchmany": lambda: cursor.execute(f"SELECT id, name FROM {booze}").fetchmany(3),
        "fetchall": lambda: cursor.execute(f"SELECT id, name FROM {booze}").fetchall(),
        "iterate": lambda: list(cursor.execute(f"SELECT id, name FROM {booze}")),
        "description": lambda: cursor.execute(f"SELECT id, name FROM {booze}").description,
        "values": lambda: cursor.execute("SELECT " + ", ".join(["%s"] * len(VALUES)), VALUES).fetchall(),
        "named": lambda: cursor.execute("SELECT %(a)s, %(b)s", {"a": "x" * 100, "b": [1, 2, 3]}).fetchall(),
        "in": lambda: cursor.execute(f"SELECT id FROM {booze} WHERE name IN %s", [("a", "b" * 50)]).fetchall(),
        "json": lambda: cursor.execute("SELECT %s", [_sqm.Json({"a": [1, None, "x"]})]).fetchall(),
        "bad values": lambda: [raises(cursor.execute, "SELECT %s", [value]) for value in BAD_VALUES[:-1]],
        "bad counts": lambda: [raises(cursor.execute, "SELECT %s", []), raises(cursor.execute, "SELECT %(a)s", {}), raises(cursor.execute, "SELECT 1", 5)],
        "syntax error": lambda: raises(cursor.execute, "SELECT FROM"),
        "unknown column": lambda: raises(cursor.execute, f"SELECT nmae FROM {booze}"),
        "row error": lambda: raises(lambda: cursor.execute(f"SELECT 1 / id FROM {booze}").fetchall()),
        "no rows": lambda: raises(connection.cursor().fetchone),
        "cursors": lambda: connection.cursor(),
        "abandoned": lambda: connection.cursor().execute(f"SELECT name FROM {booze}").fetchone(),
        "context": context,
        "update": lambda: cursor.execute(f"UPDATE {booze} SET name = %s WHERE id = %s", ["x", -1]),
        "executemany": lambda: cursor.executemany(f"UPDATE {booze} SET name = %s WHERE id = %s", [("x", -1)] * 2),
        "transaction": transaction,
        "duplicate": lambda: raises(cursor.execute, f"INSERT INTO {booze} VALUES (0, 'x')"),
        "catalogue": lambda: (connection.tables(), connection.table(booze)),
        "ping": connection.ping,
        "attributes": lambda: (connection.server_version, connection.in_transaction, cursor.rowcount, cursor.lastrowid, repr(connection)),
    }  # fmt: skip


CALLS = ["fetchone", "fetchmany", "fetchall", "iterate", "description", "values", "named", "in", "json", "bad values", "bad counts", "syntax error", "unknown column",
         "row error", "no rows", "cursors", "abandoned", "context", "update", "executemany", "transaction", "duplicate", "catalogue", "ping", "attributes"]  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_call(calls, name):
    check_leaks(calls[name])


def test_connections(uri, database):
    def open_and_close():
        _sqm.connect(uri, database).close()

    def open_and_drop():
        _sqm.connect(uri, database).cursor().execute("SELECT 1")

    for function in (open_and_close, open_and_drop):
        check_leaks(function)


def test_large_values_are_let_go(cursor):
    """Ten refusals and ten echoes of some megabytes each."""
    for _ in range(3):
        cursor.execute("SELECT %s", ["x" * (4 << 20)]).fetchall()
    gc.collect()
    before = current_rss()
    for _ in range(10):
        cursor.execute("SELECT %s", ["x" * (4 << 20)]).fetchall()
        with pytest.raises(_sqm.DataError):
            cursor.execute("SELECT %s", [BAD_VALUES[-1]])
    cursor.execute("SELECT 1").fetchall()
    assert current_rss() - before < 60_000
