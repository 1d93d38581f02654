"""Random transaction programs on two to eight connections: djongo does what PostgreSQL does. DJONGO_PROGRAMS=500 and DJONGO_PROGRAM_SEED=... for more."""
import os

import pytest

import programs
from djongo import _sqm

COUNT = int(os.environ.get("DJONGO_PROGRAMS", "60"))
FIRST = int(os.environ.get("DJONGO_PROGRAM_SEED", "1"))
SETUP = [
    "CREATE TABLE t (id integer PRIMARY KEY, v integer NOT NULL CHECK (v < 1000), u integer UNIQUE)",
    "INSERT INTO t (id, v) VALUES " + ", ".join(f"({i}, {i * 10})" for i in range(1, programs.ROWS + 1)),
]


def execute(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else None


def play(connect, errors, steps, is_waiting, plan=None):
    actors = [programs.Actor(connect(), errors) for _ in range(1 + max(connection for connection, _ in steps))]
    try:
        return programs.Run(actors, is_waiting).play(steps, plan)
    finally:
        for actor in actors:
            actor.close()


def in_words(steps, theirs, ours):
    lines = []
    for number, (connection, sql) in enumerate(steps):
        a, b = theirs.get(number), ours.get(number)
        mark = " " if (a and a[:2]) == (b and b[:2]) else "*"
        lines.append(f"{mark} {number:3} c{connection} {sql:60} PostgreSQL {a and a[1:]}   djongo {b and b[1:]}")
    return "\n".join(lines)


def test_programs(postgres, uri, database):
    if postgres is None:
        pytest.skip("PostgreSQL isn't installed")
    with postgres() as watcher, postgres() as reference, _sqm.connect(uri, database, autocommit=True) as setup:
        compare(postgres, lambda: impatient(uri, database), watcher, reference, setup)


def impatient(uri, database):
    """Long enough for every wait that ends by itself; the transactions in the way here stay open until the program goes on."""
    connection = _sqm.connect(uri, database, autocommit=True)
    execute(connection, "SET lock_timeout = 3000")
    return connection


def compare(postgres, djongo, watcher, reference, setup):
    import psycopg

    def is_waiting(actor):
        return execute(watcher, f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = {actor.connection.info.backend_pid}") != [(0,)]

    for connection in (reference, setup):
        execute(connection, SETUP[0])
    gave_up, waits = [], 0
    for seed in range(FIRST, FIRST + COUNT):
        for connection in (reference, setup):
            execute(connection, "DELETE FROM t")
            execute(connection, SETUP[1])
        steps = programs.generate(seed)
        theirs = play(postgres, psycopg.Error, steps, is_waiting)
        ours = play(djongo, _sqm.Error, steps, None, theirs)
        waits += sum(result[2] > step for step, result in theirs.items())
        if any(ours[step][1] == ("error", "OperationalError") != theirs[step][1] for step in theirs if step in ours):
            gave_up.append(seed)
            continue
        final = "SELECT id, v, u FROM t ORDER BY id"
        same = {k: v[:2] for k, v in theirs.items()} == {k: v[:2] for k, v in ours.items()} and execute(reference, final) == execute(setup, final)
        assert same, f"seed {seed}\n{in_words(steps, theirs, ours)}\n{execute(reference, final)}\n{execute(setup, final)}"
    print(f"\n{COUNT} programs, {waits} waits; serialization errors that PostgreSQL hasn't, in seeds {gave_up}")
    # MongoDB ends a transaction that meets a conflict, so for some milliseconds its locks are away and another one that waits may take them (docs/semantics.md). That ends in a
    # serialization error, never in a wrong answer; with eight connections on six rows it isn't rare.
    assert len(gave_up) <= COUNT // 4
