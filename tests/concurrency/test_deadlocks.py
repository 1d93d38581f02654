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


class Overtaken:
    """A waits for C's row; while it waits, its own row has no lock, and B sets that to 100."""

    def __init__(self, connect, *statements):
        self.a, self.b, self.c = connect(), connect(autocommit=True), connect()
        for sql in statements:
            try:
                run(self.a, sql)
            except _sqm.IntegrityError:
                run(self.a, "ROLLBACK TO s")
        run(self.c, "UPDATE t SET v = v + 1 WHERE id = 2")
        self.outcome = None
        self.thread = threading.Thread(target=self.wait)
        self.thread.start()
        time.sleep(0.2)
        run(self.b, "UPDATE t SET v = 100 WHERE id = 1")

    def wait(self):
        begin = time.monotonic()
        try:
            self.outcome = run(self.a, "UPDATE t SET v = v + 1 WHERE id = 2")
        except _sqm.OperationalError as error:
            self.outcome = str(error)
        self.took = time.monotonic() - begin

    def end(self):
        self.thread.join(30)
        return self.outcome


ADD = "UPDATE t SET v = v + 1 WHERE id = 1"


@pytest.mark.parametrize("statements", [
    ("SELECT v FROM t WHERE id = 1 FOR UPDATE", "UPDATE t SET v = 1 WHERE id = 1"),
    (ADD, "SELECT v FROM t WHERE id = 1"),
    (ADD, "SELECT v FROM t WHERE id = 5"),
    (ADD + " RETURNING v",),
    (ADD, "UPDATE t SET v = 1 WHERE id = 99"),
    (ADD, "SAVEPOINT s", "UPDATE t SET v = 7 WHERE id = 7", "ROLLBACK TO s"),
    (ADD, "SAVEPOINT s", "INSERT INTO t VALUES (5, 0)"),
    ("UPDATE t SET v = 1 WHERE id = 1 AND v = 0",),
    ("UPDATE t SET v = (SELECT max(v) FROM t) + 1 WHERE id = 1",),
    ("INSERT INTO t VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET v = t.v + excluded.v",),
], ids=["locked read", "read", "read of another row", "RETURNING", "no row", "taken back", "failed", "other count", "subquery", "ON CONFLICT"])
def test_a_replay_that_cannot_succeed_answers_at_once(connect, statements):
    """What was seen of the state before B's change may have decided what A has written since."""
    overtaken = Overtaken(connect, *statements)
    outcome = overtaken.end()
    assert "serialize" in str(outcome) or "repeat" in str(outcome), outcome
    assert overtaken.took < LOCK_TIMEOUT / 3
    overtaken.a.rollback()
    overtaken.c.commit()
    assert run(overtaken.b, "SELECT id, v FROM t WHERE id < 3 ORDER BY id") == [(1, 100), (2, 1)]


@pytest.mark.parametrize("statements, v", [((ADD,), 101), ((ADD, "UPDATE t SET v = v * 2 WHERE id = 1"), 202), (("SELECT v FROM t WHERE id = 1", ADD, "INSERT INTO t VALUES (11, 0)"), 101)],
                         ids=["one", "two", "read before"])
def test_writes_that_nobody_looked_into_are_repeated_on_the_newest_rows(connect, statements, v):
    """As PostgreSQL would have had it, had they been queued behind B."""
    overtaken = Overtaken(connect, *statements)
    overtaken.c.commit()
    assert overtaken.end() == 1
    overtaken.a.commit()
    assert run(overtaken.b, "SELECT id, v FROM t WHERE id < 3 ORDER BY id") == [(1, v), (2, 2)]


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
