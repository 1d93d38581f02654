"""Servers that die, lose their rank or their network, in the middle of something: the error has the right class, tells the truth, and the connection can be used afterwards."""
import threading
import time

import pytest
import servers

from djongo import _sqm


def run(connection, sql, params=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, params) if params else cursor.execute(sql)
        return cursor.fetchall() if cursor.description else cursor.rowcount


@pytest.fixture(scope="module")
def server():
    server = servers.Mongod()
    yield server
    server.close()


@pytest.fixture
def table(server):
    with _sqm.connect(server.uri(), "failures", autocommit=True) as connection:
        run(connection, "DROP TABLE IF EXISTS t")
        run(connection, "CREATE TABLE t (id integer PRIMARY KEY, v integer, filler text)")
        run(connection, "INSERT INTO t SELECT i, 0, 'x' FROM generate_series(1, 500) AS g(i)")
        yield connection


def later(seconds, work):
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer


def restart(server):
    server.kill()
    server.start()
    server.wait()


def test_a_server_killed_between_statements_of_a_transaction(server, table):
    with _sqm.connect(server.uri(), "failures") as connection:
        run(connection, "UPDATE t SET v = 1 WHERE id = 1")
        restart(server)
        # The server has forgotten the transaction; its writes are repeated, or it fails as a whole. Never half of it.
        try:
            run(connection, "UPDATE t SET v = 1 WHERE id = 2")
            connection.commit()
            expected = [(1, 1), (2, 1)]
        except _sqm.OperationalError:
            connection.rollback()
            expected = [(1, 0), (2, 0)]
        assert run(connection, "SELECT id, v FROM t WHERE id < 3 ORDER BY id") == expected
        connection.commit()
        run(connection, "UPDATE t SET v = 5 WHERE id = 3")
        connection.commit()
    assert run(table, "SELECT v FROM t WHERE id = 3") == [(5,)]


def test_a_server_that_is_gone_and_comes_back(server, table):
    with _sqm.connect(server.uri(serverSelectionTimeoutMS=500), "failures") as connection:
        run(connection, "UPDATE t SET v = 7 WHERE id = 1")
        server.kill()
        with pytest.raises(_sqm.OperationalError, match="(?i)connect"):
            run(connection, "SELECT v FROM t WHERE id = 2")
        with pytest.raises(_sqm.Error):
            connection.commit()
        with pytest.raises(_sqm.OperationalError):
            connection.ping()
        server.start()
        server.wait()
        assert run(connection, "SELECT v FROM t WHERE id = 1") == [(0,)]
        connection.commit()


def test_commit_while_the_server_is_away_never_lies(server, table):
    with _sqm.connect(server.uri(serverSelectionTimeoutMS=500), "failures") as connection:
        run(connection, "UPDATE t SET v = 9 WHERE id = 1")
        server.kill()
        with pytest.raises(_sqm.OperationalError):
            connection.commit()
        server.start()
        server.wait()
        # "Unknown" is allowed, half or a wrong "committed" isn't.
        assert run(connection, "SELECT v FROM t WHERE id = 1") in ([(0,)], [(9,)])


def step_down(server):
    import pymongo

    with server.client() as client:
        try:
            client.admin.command({"replSetStepDown": 2, "force": True, "secondaryCatchUpPeriodSecs": 0})
        except pymongo.errors.PyMongoError:
            pass


def test_step_down_in_autocommit_is_not_noticed(server, table):
    """A single node is elected again after the two seconds; retryable writes and reads wait for it or fail as a whole."""
    uri = server.uri(replicaSet="rs").replace("directConnection=true&", "")
    with _sqm.connect(uri, "failures", autocommit=True) as connection:
        step_down(server)
        done, failed = 0, []
        for i in range(20):
            try:
                run(connection, "UPDATE t SET v = v + 1 WHERE id = 10")
                done += 1
            except _sqm.OperationalError as error:
                failed.append(str(error))
        server.wait()
        assert run(connection, "SELECT v FROM t WHERE id = 10") == [(done,)], failed
        assert done > 0


def test_step_down_in_a_transaction(server, table):
    uri = server.uri(replicaSet="rs").replace("directConnection=true&", "")
    with _sqm.connect(uri, "failures") as connection:
        run(connection, "UPDATE t SET v = v + 1 WHERE id = 11")
        step_down(server)
        try:
            run(connection, "UPDATE t SET v = v + 1 WHERE id = 12")
            connection.commit()
            expected = [(1,), (1,)]
        except _sqm.OperationalError:
            connection.rollback()
            expected = [(0,), (0,)]
        server.wait()
        assert run(connection, "SELECT v FROM t WHERE id IN (11, 12) ORDER BY id") == expected


def test_a_cut_network(server, table):
    proxy = servers.Proxy(server.port)
    try:
        with _sqm.connect(server.uri(port=proxy.port, serverSelectionTimeoutMS=3000), "failures") as connection:
            run(connection, "UPDATE t SET v = v + 1 WHERE id = 20")
            proxy.cut()
            try:
                run(connection, "UPDATE t SET v = v + 1 WHERE id = 21")
                connection.commit()
                expected = [(1,), (1,)]
            except _sqm.OperationalError:
                connection.rollback()
                expected = [(0,), (0,)]
            assert run(connection, "SELECT v FROM t WHERE id IN (20, 21) ORDER BY id") == expected
            connection.commit()
        with _sqm.connect(server.uri(port=proxy.port, serverSelectionTimeoutMS=3000), "failures", autocommit=True) as connection:
            # A write of one row is repeated under its number: done once.
            for _ in range(5):
                proxy.cut()
                run(connection, "UPDATE t SET v = v + 1 WHERE id = 22")
            assert run(connection, "SELECT v FROM t WHERE id = 22") == [(5,)]
    finally:
        proxy.close()


def test_a_network_that_hangs(server, table):
    proxy = servers.Proxy(server.port)
    try:
        with _sqm.connect(server.uri(port=proxy.port, serverSelectionTimeoutMS=2000, socketTimeoutMS=700), "failures", autocommit=True) as connection:
            proxy.hanging = True
            begin = time.monotonic()
            with pytest.raises(_sqm.OperationalError):
                run(connection, "SELECT v FROM t WHERE id = 1")
            assert time.monotonic() - begin < 20
            proxy.hanging = False
            deadline = time.monotonic() + 20
            while True:
                try:
                    assert run(connection, "SELECT id FROM t WHERE id = 1") == [(1,)]
                    break
                except _sqm.OperationalError:
                    assert time.monotonic() < deadline
    finally:
        proxy.close()


def test_a_cursor_that_the_server_has_closed(server, table):
    """The rows that are left are gone, and that is an error, not an end."""
    for first in range(1001, 2501, 100):  # a transaction must fit into a small server's cache
        run(table, "INSERT INTO t SELECT i, 0, repeat('x', 20000) FROM generate_series(%s::integer, %s) AS g(i)", (first, first + 99))
    cursor = table.cursor()
    cursor.execute("SELECT filler FROM t WHERE id > 1000")
    got = len(cursor.fetchmany(10))
    restart(server)
    with pytest.raises(_sqm.Error):
        while rows := cursor.fetchmany(100):
            got += len(rows)
    assert got < 1500
    assert run(table, "SELECT count(*) FROM t WHERE id > 1000") == [(1500,)]


def test_a_transaction_that_the_server_ends_for_its_age(server, table):
    with server.client() as client:
        client.admin.command("setParameter", 1, transactionLifetimeLimitSeconds=1)
    try:
        with _sqm.connect(server.uri(), "failures") as connection:
            run(connection, "UPDATE t SET v = 3 WHERE id = 30")
            time.sleep(3.5)
            # Nobody has touched its rows: it is repeated and goes on.
            run(connection, "UPDATE t SET v = 3 WHERE id = 31")
            connection.commit()
            assert run(table, "SELECT v FROM t WHERE id IN (30, 31)") == [(3,), (3,)]
            # Somebody has, and it has read them.
            run(connection, "SELECT v FROM t WHERE id = 30 FOR UPDATE")
            run(connection, "UPDATE t SET v = 4 WHERE id = 30")
            time.sleep(3.5)
            run(table, "UPDATE t SET v = 100 WHERE id = 30")
            begin = time.monotonic()
            with pytest.raises(_sqm.OperationalError, match="serialize|repeat"):
                run(connection, "UPDATE t SET v = 4 WHERE id = 31")
            assert time.monotonic() - begin < 4
            connection.rollback()
            assert run(table, "SELECT v FROM t WHERE id IN (30, 31) ORDER BY id") == [(100,), (3,)]
            # Somebody has, and it has only written: it comes after him.
            run(connection, "UPDATE t SET v = v + 4 WHERE id = 30")
            time.sleep(3.5)
            run(table, "UPDATE t SET v = v + 100 WHERE id = 30")
            run(connection, "UPDATE t SET v = 4 WHERE id = 31")
            connection.commit()
            assert run(table, "SELECT v FROM t WHERE id IN (30, 31) ORDER BY id") == [(204,), (4,)]
    finally:
        with server.client() as client:
            client.admin.command("setParameter", 1, transactionLifetimeLimitSeconds=60)
