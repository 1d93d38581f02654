"""Random transaction programs, and the machinery that runs one on several connections, statement by statement, on PostgreSQL and on djongo.

A program is a list of steps (connection, SQL). PostgreSQL runs it first: a statement that has to wait for somebody's lock is left waiting and the program goes on.
What waited, and after which step it went on, is written down; djongo has to do the same. Keys are taken in ascending order within a transaction, so no program deadlocks.

Not compared, because djongo says otherwise in docs/semantics.md: what a transaction that has written reads of other transactions' rows.
"""
import queue
import random
import threading
import time

ROWS = 6


def generate(seed):
    chosen = random.Random(seed)
    scripts = [_transaction(chosen) for _ in range(chosen.randint(2, 8))]
    steps = []
    while any(scripts):
        connection = chosen.choice([i for i, script in enumerate(scripts) if script])
        for _ in range(chosen.randint(1, 2)):
            if scripts[connection]:
                steps.append((connection, scripts[connection].pop(0)))
    return steps


def _transaction(chosen):
    script, key, depth, wrote = ["BEGIN"], 0, 0, False
    for _ in range(chosen.randint(2, 7)):
        which = chosen.randrange(12)
        if which in (0, 1):
            depth += 1
            script.append(f"SAVEPOINT s{depth}")
            continue
        if which == 2 and depth:
            depth = chosen.randint(1, depth)
            script.append(f"ROLLBACK TO SAVEPOINT s{depth}")
            continue
        if which == 3 and depth:
            script.append(f"RELEASE SAVEPOINT s{depth}")
            depth -= 1
            continue
        if which == 4 and not wrote:
            script.append("SELECT id, v, u FROM t ORDER BY id")
            continue
        if which == 5:
            script.append("SELECT 1 / 0")
            if depth:
                script.append(f"ROLLBACK TO SAVEPOINT s{depth}")
            continue
        key += chosen.randint(1, 3)
        wrote = True
        if key > ROWS:
            key = max(key, 20)
            if key > 24:
                break
            script.append(f"INSERT INTO t (id, v, u) VALUES ({key}, {chosen.randint(0, 9)}, {key})")
            if depth and chosen.random() < 0.8:
                script.append(f"ROLLBACK TO SAVEPOINT s{depth} -- if failed")
        elif which in (6, 7, 8):
            script.append(f"UPDATE t SET v = v + {chosen.randint(1, 9)} WHERE id = {key}")
        elif which == 9:
            script.append(f"DELETE FROM t WHERE id = {key}")
        elif which == 10:
            script.append(f"SELECT id, v FROM t WHERE id = {key} FOR UPDATE")
        else:
            script.append(f"UPDATE t SET v = v + 1000 WHERE id = {key}")
            if depth:
                script.append(f"ROLLBACK TO SAVEPOINT s{depth} -- if failed")
    script.append(chosen.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]))
    return script


class Actor:
    """A connection in a thread of its own."""

    def __init__(self, connection, errors):
        self.connection, self.errors = connection, errors
        self.asked, self.results = queue.Queue(), queue.Queue()
        self.busy, self.failed = False, False
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self):
        while (sql := self.asked.get()) is not None:
            try:
                with self.connection.cursor() as cursor:
                    cursor.execute(sql)
                    rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else None
                    counted = sql.split()[0] in ("UPDATE", "DELETE", "INSERT")
                    self.results.put(("ok", rows if rows is not None else cursor.rowcount if counted else None))
            except self.errors as error:
                self.results.put(("error", _class(error), str(error)))
            except Exception as error:  # a bug: shown as a difference
                self.results.put(("bug", repr(error)))

    def send(self, sql):
        self.busy = True
        self.asked.put(sql)

    def take(self, timeout):
        try:
            result = self.results.get(timeout=timeout)
        except queue.Empty:
            return None
        self.busy = False
        return result

    def close(self):
        self.asked.put(None)
        self.thread.join(20)
        self.connection.close()


def _class(error):
    if "savepoint" in str(error) and "does not exist" in str(error):
        return "no such savepoint"
    for kind in type(error).__mro__:
        if kind.__name__ in ("IntegrityError", "DataError", "OperationalError", "InternalError", "NotSupportedError", "ProgrammingError"):
            return kind.__name__
    return type(error).__name__


class Run:
    """Outcome of a program: results[step] = (result, step after which it came)."""

    def __init__(self, actors, is_waiting):
        self.actors, self.is_waiting = actors, is_waiting
        self.results, self.open, self.at = {}, {}, 0

    def collect(self, connection, result):
        step, sql = self.open.pop(connection)
        self.results[step] = (sql, result[:2], self.at, result[2:])
        actor = self.actors[connection]
        if result[0] == "error":
            actor.failed = True
        elif sql.startswith(("ROLLBACK", "COMMIT")):
            actor.failed = False

    def play(self, steps, plan=None):
        """`plan`: the results of PostgreSQL's run, to be waited for where it had them."""
        waiting = {i: [] for i in range(len(self.actors))}
        for self.at, (connection, sql) in enumerate(steps):
            waiting[connection].append((self.at, sql))
            self.advance(waiting, plan)
        deadline = time.monotonic() + 30
        while any(waiting.values()) or self.open:
            self.at += 1
            self.advance(waiting, plan)
            if time.monotonic() > deadline:
                raise TimeoutError(f"still waiting: {self.open}")
        return self.results

    def advance(self, waiting, plan):
        """Sends what can be sent, until every connection waits for a lock or for its turn."""
        progress = True
        while progress:
            progress = False
            for connection, actor in enumerate(self.actors):
                if connection not in self.open and self.send_next(connection, actor, waiting[connection]):
                    progress = True
            # Everything is under way before anything is waited for.
            for connection, actor in enumerate(self.actors):
                if connection in self.open and self.finish(connection, actor, plan):
                    progress = True

    def send_next(self, connection, actor, waiting):
        while waiting:
            step, sql = waiting.pop(0)
            if sql.endswith("-- if failed"):
                if not actor.failed:
                    continue
                sql = sql.split(" --")[0]
            if sql == "COMMIT" and actor.failed:
                sql = "ROLLBACK"
            self.open[connection] = (step, sql)
            actor.send(sql)
            return True
        return False

    def finish(self, connection, actor, plan):
        step, _ = self.open[connection]
        if plan is None:
            while (result := actor.take(0.002)) is None:
                if self.is_waiting(actor):
                    result = actor.take(0.02)
                    if result is None and self.is_waiting(actor):
                        return False
                    if result is not None:
                        break
        else:
            # Where PostgreSQL had the result by now, it has to come; where not, it may not.
            due = step in plan and plan[step][2] <= self.at
            result = actor.take(20 if due else 0.03 if self.at == step else 0.002)
            if result is None and due:
                raise TimeoutError(f"step {step} waits, and should not: {self.open[connection]}")
        if result is None:
            return False
        self.collect(connection, result)
        return True
