"""Threads: one connection each works in parallel, sharing one is refused without a race. fork(): a child can't use what it inherited, and can't harm it."""
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pymongo
import pytest

from djongo import _sqm


def in_threads(*functions):
    errors = []

    def guarded(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def test_a_connection_per_thread(connect, make_table, cursor):
    table = make_table("id integer PRIMARY KEY, who integer")

    def work(who):
        with connect() as connection:
            mine = connection.cursor()
            for i in range(50):
                mine.execute(f"INSERT INTO {table} VALUES (%s, %s)", [who * 1000 + i, who])
                assert mine.execute(f"SELECT COUNT(*) FROM {table} WHERE who = %s", [who]).fetchone() == (i + 1,)

    in_threads(*[lambda who=who: work(who) for who in range(4)])
    assert cursor.execute(f"SELECT who, COUNT(*) FROM {table} GROUP BY who ORDER BY who").fetchall() == [(who, 50) for who in range(4)]


def test_a_shared_connection_refuses_instead_of_racing(connection, booze):
    outcomes = {"rows": 0, "refused": 0}

    def work():
        for _ in range(300):
            try:
                with connection.cursor() as cursor:
                    assert len(cursor.execute(f"SELECT id, name FROM {booze} ORDER BY id").fetchall()) == 6
                outcomes["rows"] += 1
            except _sqm.ProgrammingError as error:
                assert "in use by another thread" in str(error)
                outcomes["refused"] += 1

    in_threads(work, work, work)
    assert outcomes["rows"] > 0
    assert connection.cursor().execute("SELECT 1").fetchone() == (1,)


def test_a_connection_may_move_between_threads(connection, booze):
    cursor = connection.cursor()
    in_threads(lambda: cursor.execute(f"SELECT id FROM {booze} ORDER BY id"))
    in_threads(lambda: cursor.fetchone())
    assert len(cursor.fetchall()) == 5


def test_cursors_dropped_while_another_thread_works(connection, booze):
    """Their statements are finalised later, by whoever has the connection."""
    stop = threading.Event()

    def work():
        while not stop.is_set():
            try:
                connection.cursor().execute(f"SELECT COUNT(*) FROM {booze}").fetchone()
            except _sqm.ProgrammingError:
                pass

    def drop():
        for _ in range(500):
            try:
                cursor = connection.cursor()
                cursor.execute(f"SELECT name FROM {booze}")
                cursor.fetchone()
                del cursor
            except _sqm.ProgrammingError:
                pass
        stop.set()

    in_threads(work, drop)
    assert connection.cursor().execute("SELECT 1").fetchone() == (1,)


def test_waiting_for_the_server_lets_other_threads_run(database):
    ticks = 0
    done = threading.Event()

    def connect():
        with pytest.raises(_sqm.OperationalError):
            _sqm.connect("mongodb://127.0.0.1:1/", database, server_selection_timeout_ms=700)
        done.set()

    thread = threading.Thread(target=connect)
    thread.start()
    while not done.is_set():
        time.sleep(0.01)
        ticks += 1
    thread.join()
    assert ticks > 20


# ---- fork ---------------------------------------------------------------------------------------------------------------------

PRELUDE = """
    import os, sys
    from djongo import _sqm
    uri, database, table = sys.argv[1:]

    def refused(function, *arguments):
        try:
            function(*arguments)
        except _sqm.InterfaceError as error:
            assert "fork" in str(error), error
        else:
            raise AssertionError(f"{function} worked in the child")

    def child_ok(pid):
        status = os.waitpid(pid, 0)[1]
        assert os.waitstatus_to_exitcode(status) == 0, status

    connection = _sqm.connect(uri, database)
    cursor = connection.cursor()
    cursor.execute(f"INSERT INTO {table} VALUES (1)")
    cursor.execute(f"SELECT a.id, b.id FROM {table} a CROSS JOIN {table} b")
"""

FORKS = {
    "use is refused, close is safe": """
        if (pid := os.fork()) == 0:
            refused(cursor.execute, "SELECT 1"); refused(cursor.fetchone); refused(connection.commit); refused(connection.rollback); refused(connection.cursor)
            refused(connection.ping); refused(connection.tables); refused(next, cursor)
            cursor.close(); connection.close(); connection.close()
            assert connection.closed
            sys.exit(0)
        child_ok(pid)
    """,
    "dropping is safe": """
        if (pid := os.fork()) == 0:
            del cursor, connection
            sys.exit(0)
        child_ok(pid)
    """,
    "exit without closing is safe": """
        if (pid := os.fork()) == 0:
            sys.exit(0)
        child_ok(pid)
    """,
    "a new connection in the child works": """
        if (pid := os.fork()) == 0:
            with _sqm.connect(uri, database) as mine:
                assert mine.cursor().execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,)
                mine.cursor().execute(f"INSERT INTO {table} VALUES (2)")
            connection.close()
            sys.exit(0)
        child_ok(pid)
        assert _sqm.connect(uri, database, autocommit=True).cursor().execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (1,)
    """,
    "a fork while another thread is in a call": """
        import threading, time
        other = _sqm.connect(uri, database)
        stop = threading.Event()
        def work():
            mine = other.cursor()
            while not stop.is_set():
                mine.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
        thread = threading.Thread(target=work)
        thread.start()
        for _ in range(20):
            time.sleep(0.003)
            if (pid := os.fork()) == 0:
                refused(other.cursor)
                other.close(); connection.close()
                with _sqm.connect(uri, database) as mine:
                    mine.cursor().execute("SELECT 1").fetchone()
                os._exit(0)
            child_ok(pid)
        stop.set()
        thread.join()
    """,
    "forks while many threads ask": """
        import threading
        stop = threading.Event()
        def work():
            with _sqm.connect(uri, database, autocommit=True) as other:
                number = 0
                while not stop.is_set():
                    number += 1
                    other.cursor().execute(f"SELECT {number} FROM {table} a JOIN {table} b ON b.id = a.id WHERE now() AT TIME ZONE 'Europe/Berlin' > '2020-01-01'").fetchall()
        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads: thread.start()
        for _ in range(100):
            if (pid := os.fork()) == 0:
                with _sqm.connect(uri, database) as mine:
                    mine.cursor().execute(f"SELECT 1 FROM {table} a JOIN {table} b ON b.id = a.id WHERE now() AT TIME ZONE 'Europe/Paris' > '2020-01-01'").fetchall()
                os._exit(0)
            child_ok(pid)
        stop.set()
        for thread in threads: thread.join()
    """,
    "grandchildren": """
        if (pid := os.fork()) == 0:
            mine = _sqm.connect(uri, database)
            mine.cursor().execute("SELECT 1").fetchone()
            if (inner := os.fork()) == 0:
                refused(mine.ping); refused(connection.ping)
                _sqm.connect(uri, database).ping()
                sys.exit(0)
            child_ok(inner)
            mine.ping()
            sys.exit(0)
        child_ok(pid)
    """,
}


@pytest.mark.parametrize("script", FORKS.values(), ids=FORKS)
def test_fork(uri, database, make_table, script):
    table = make_table("id integer")
    # The parent's transaction and cursor go on as if nothing had happened.
    end = """
    assert cursor.fetchall() == [(1, 1)]
    cursor.execute(f"INSERT INTO {table} VALUES (3)")
    connection.commit()
    connection.close()
    """
    source = textwrap.dedent(PRELUDE) + textwrap.dedent(script) + textwrap.dedent(end)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = os.pathsep.join(entry for entry in [root, *sys.path] if entry)
    process = subprocess.Popen(
        [sys.executable, "-c", source, uri, database, table], stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}, start_new_session=True
    )
    try:
        errors = process.communicate(timeout=60)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # children that hang, too
        raise
    assert process.returncode == 0, errors
    assert errors == ""


def test_a_second_connection_loads_no_catalogue(connect, make_table, uri):
    table = make_table("id integer PRIMARY KEY")
    first = connect(autocommit=True)
    first.cursor().execute(f"ALTER TABLE {table} ADD COLUMN added integer DEFAULT 7")
    first.cursor().execute(f"INSERT INTO {table} (id) VALUES (1)")
    first.tables()
    with pymongo.MongoClient(uri) as client:

        def listings():
            return client.admin.command("serverStatus")["metrics"]["commands"]["listCollections"]["total"]

        before = listings()
        for _ in range(5):
            with connect() as another:
                assert another.cursor().execute(f"SELECT added FROM {table}").fetchall() == [(7,)]
        assert listings() == before
        first.cursor().execute(f"ALTER TABLE {table} DROP COLUMN added")
        with connect() as another, pytest.raises(_sqm.ProgrammingError, match="added"):
            another.cursor().execute(f"SELECT added FROM {table}")
        assert listings() > before
