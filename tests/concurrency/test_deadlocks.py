"""Two transactions that wait for each other, and replays that cannot succeed: one of them is told so at once, not after the lock time-out."""
import threading
import time

import pytest

from djongo import _sqm

LOCK_TIMEOUT = 10


@pytest.fixture(autouse=True)
def tables(connect):
    setup = connect(autocommit=True)
    run(setup, "CREATE TABLE t (id integer PRIMARY KEY, v integer NOT NULL)")
    run(setup, "INSERT INTO t SELECT i, 0 FROM generate_series(1, 10) AS g(i)")


def run(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def cycle(connect, n, statement):
    """n transactions, each with a row of its own, then asking for the next one's. Returns the outcomes and how long the slowest took."""
    ready = threading.Barrier(n)
    outcomes, took = [None] * n, [0] * n
    connections = [connect() for _ in range(n)]

    def work(i):
        connection = connections[i]
        try:
            run(connection, statement.format(id=i + 1))
            ready.wait(20)
            begin = time.monotonic()
            try:
                run(connection, statement.format(id=(i + 1) % n + 1))
                connection.commit()
                outcomes[i] = "committed"
            except _sqm.OperationalError as error:
                connection.rollback()
                outcomes[i] = str(error)
            took[i] = time.monotonic() - begin
        except Exception as error:
            outcomes[i] = f"failed: {error!r}"

    threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return connections, outcomes, max(took)


@pytest.mark.parametrize("n", [2, 3])
def test_a_deadlock_ends_at_once(connect, n):
    connections, outcomes, took = cycle(connect, n, "UPDATE t SET v = v + 1 WHERE id = {id}")
    committed = outcomes.count("committed")
    assert committed >= 1
    assert all(outcome == "committed" or "serialize" in outcome or "repeat" in outcome for outcome in outcomes), outcomes
    assert took < LOCK_TIMEOUT / 3
    # Each committed transaction counts twice: none of its updates was lost.
    assert run(connections[0], "SELECT sum(v) FROM t") == [(2 * committed,)]


def test_a_deadlock_of_row_locks_ends_at_once(connect):
    _, outcomes, took = cycle(connect, 2, "SELECT v FROM t WHERE id = {id} FOR UPDATE")
    assert "committed" in outcomes and took < LOCK_TIMEOUT / 3, (outcomes, took)


def test_a_replay_that_cannot_succeed_answers_at_once(connect):
    """A waits for C's row; while it waits, its own row has no lock, and B changes that."""
    a, b, c = connect(), connect(autocommit=True), connect()
    run(a, "UPDATE t SET v = v + 1 WHERE id = 1")
    run(c, "UPDATE t SET v = v + 1 WHERE id = 2")
    outcome = []

    def wait():
        begin = time.monotonic()
        try:
            run(a, "UPDATE t SET v = v + 1 WHERE id = 2")
            outcome.append("done")
        except _sqm.OperationalError as error:
            outcome.append(str(error))
        outcome.append(time.monotonic() - begin)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    run(b, "UPDATE t SET v = 100 WHERE id = 1")
    thread.join(30)
    assert "serialize" in outcome[0] and outcome[1] < LOCK_TIMEOUT / 3, outcome
    a.rollback()
    c.commit()
    assert run(b, "SELECT id, v FROM t WHERE id < 3 ORDER BY id") == [(1, 100), (2, 1)]


def test_a_wait_ends_when_the_other_one_ends(connect):
    a, b = connect(), connect()
    run(a, "UPDATE t SET v = v + 1 WHERE id = 1")
    run(b, "UPDATE t SET v = v + 1 WHERE id = 2")
    for end in ("rollback", "commit"):
        run(a, "UPDATE t SET v = v + 1 WHERE id = 3")
        timer = threading.Timer(0.3, getattr(a, end))
        timer.start()
        begin = time.monotonic()
        run(b, "UPDATE t SET v = v + 1 WHERE id = 3")
        timer.join()
        assert 0.1 < time.monotonic() - begin < 3
        b.commit()
        run(b, "UPDATE t SET v = v + 1 WHERE id = 2")
    b.commit()
    assert run(connect(autocommit=True), "SELECT id, v FROM t WHERE id < 4 ORDER BY id") == [(1, 0), (2, 3), (3, 3)]


def test_nowait_answers_at_once(connect):
    a, b = connect(), connect()
    run(a, "SELECT v FROM t WHERE id = 1 FOR UPDATE")
    begin = time.monotonic()
    with pytest.raises(_sqm.OperationalError, match="lock"):
        run(b, "SELECT v FROM t WHERE id = 1 FOR UPDATE NOWAIT")
    assert time.monotonic() - begin < 2
    b.rollback()
    assert run(b, "SELECT v FROM t WHERE id = 2 FOR UPDATE NOWAIT") == [(0,)]
