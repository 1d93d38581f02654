"""A cursor streams: a million rows pass through it in less than 50 MB of extra memory, and the first ones come at once."""
import json
import os
import subprocess
import sys

import pymongo
import pytest

ROWS = int(os.environ.get("DJONGO_TEST_ROWS", 1_000_000))

SCRIPT = """
import json, resource, sys, time
from djongo import _sqm
uri, database, sql, mode = sys.argv[1:]

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

connection = _sqm.connect(uri, database, autocommit=mode != "transaction")
cursor = connection.cursor()
cursor.execute(sql + " LIMIT 1").fetchall()
before, began = peak(), time.perf_counter()
cursor.execute(sql)
cursor.fetchone()
first = time.perf_counter() - began
count, total = 1, 0
if mode == "fetchmany":
    while rows := cursor.fetchmany(1000):
        count += len(rows)
else:
    for row in cursor:
        count += 1
print(json.dumps({"rows": count, "kb": peak() - before, "first": first, "seconds": time.perf_counter() - began}))
connection.close()
"""


@pytest.fixture(scope="module")
def big(uri, database):
    """A table of a million rows, written past SQL because that is fast; its layout is the documented one (primary key in _id)."""
    from djongo import _sqm

    connection = _sqm.connect(uri, database, autocommit=True)
    connection.cursor().execute("CREATE TABLE big (id integer PRIMARY KEY, name varchar(30), price double precision)")
    with pymongo.MongoClient(uri) as client:
        for start in range(0, ROWS, 20_000):
            stop = min(start + 20_000, ROWS)
            client[database].big.insert_many([{"_id": i, "name": f"row number {i}", "price": i / 4} for i in range(start, stop)], ordered=False)
    yield "big"
    connection.cursor().execute("DROP TABLE big")
    connection.close()


def run(uri, database, sql, mode):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = os.pathsep.join(entry for entry in [root, *sys.path] if entry)
    result = subprocess.run([sys.executable, "-c", SCRIPT, uri, database, sql, mode], capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": path})
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    print(f"{mode}: {found['rows']:,} rows, {found['kb'] / 1024:.1f} MB more, first row after {found['first'] * 1000:.1f} ms, {found['seconds']:.1f} s in all")
    return found


@pytest.mark.parametrize("mode", ["iterate", "fetchmany", "transaction"])
def test_a_million_rows(uri, database, big, mode):
    found = run(uri, database, f"SELECT id, name, price FROM {big}", mode)
    assert found["rows"] == ROWS
    assert found["kb"] < 50 * 1024
    assert found["first"] < max(0.5, found["seconds"] / 4)


def test_rows_are_right(connect, big):
    cursor = connect(autocommit=True).cursor()
    expected = 0
    for key, name, price in cursor.execute(f"SELECT id, name, price FROM {big} ORDER BY id"):
        if key % 997 == 0 or key == ROWS - 1:
            assert (name, price) == (f"row number {key}", key / 4)
        assert key == expected
        expected += 1
    assert expected == ROWS and cursor.rowcount == ROWS


def test_abandoning_a_result_is_cheap(connect, big):
    connection = connect(autocommit=True)
    for _ in range(50):
        cursor = connection.cursor()
        assert cursor.execute(f"SELECT id FROM {big} ORDER BY id").fetchone() == (0,)
        cursor.close()
    assert connection.cursor().execute("SELECT 1").fetchone() == (1,)
