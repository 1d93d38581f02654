"""One process changes tables while others read and write them: nobody ever gets an answer by a layout that has gone.

Each reader knows what every column must hold, whatever it is called at the moment. Allowed answers: that value, or an error that says what happened (the column doesn't
exist, the definition has changed). NULLs, missing rows and values of a dropped table are failures. What a writer was told is stored must be there in the end.
"""
import json
import os
import random
import subprocess
import sys
import time

import pytest

from djongo import _sqm

ROWS = 20
SECONDS = float(os.environ.get("DJONGO_SCHEMA_SECONDS", "8"))


def run(connection, sql, params=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, params) if params else cursor.execute(sql)
        return cursor.fetchall() if cursor.description else None


def fine(error):
    """Errors that tell the truth."""
    text = str(error)
    return "does not exist" in text or "definition of" in text or "no column" in text or "columns have changed" in text


class Worker:
    def __init__(self, uri, database, seed):
        self.random = random.Random(seed)
        self.connection = _sqm.connect(uri, database, autocommit=True)
        self.asked = self.answered = 0
        self.wrong, self.written, self.errors = [], [], {}
        self.next_id = 1000 * (seed + 1)

    def attempt(self, sql, expected, params=None):
        self.asked += 1
        try:
            rows = run(self.connection, sql, params)
        except _sqm.Error as error:
            if not fine(error):
                self.wrong.append([sql, f"{type(error).__name__}: {error}"])
            kind = str(error)[:60]
            self.errors[kind] = self.errors.get(kind, 0) + 1
            return None
        self.answered += 1
        if expected is not None and not expected(rows):
            self.wrong.append([sql, repr(rows)[:300]])
        return rows

    def read(self):
        name = self.random.choice("ab")
        which = self.random.randrange(8)
        row = self.random.randrange(ROWS)
        if which == 0:
            self.attempt(f"SELECT {name} FROM t WHERE id = {row}", lambda r: r == [(row * 7,)])
        elif which == 1:
            self.attempt(f"SELECT count(*) FROM t WHERE {name} IS NULL", lambda r: r == [(0,)])
        elif which == 2:
            self.attempt(f"SELECT n FROM t WHERE id = {row}", lambda r: r in ([(row,)], [(str(row),)]))
        elif which == 3:
            self.attempt("SELECT x FROM t WHERE id < 20", lambda r: r == [(1,)] * ROWS)
        elif which == 4:
            self.attempt(f"SELECT t.{name}, u.id FROM u JOIN t ON t.id = u.t_id WHERE u.id = {row}", lambda r: r == [(row * 7, row)])
        elif which == 5:
            self.attempt("SELECT * FROM t WHERE id < 20", lambda r: len(r) == ROWS and all(v is not None for one in r for v in one))
        elif which == 6:
            # Dropped and made anew with other columns: the rows of one are never read as the other's. It may be empty for a moment.
            self.attempt("SELECT v, w FROM g", lambda r: r in ([], [(1, "old")]))
            self.attempt("SELECT w, z FROM g", lambda r: r in ([], [("new", 2)]))
        else:
            self.transaction(name, row)

    def transaction(self, name, row):
        self.connection.autocommit = False
        try:
            key = self.next_id
            self.next_id += 1
            self.attempt("INSERT INTO u (id, t_id) VALUES (%s, %s)", None, (key, row))
            for _ in range(3):
                # An error ends the transaction, as in PostgreSQL.
                if self.attempt(f"SELECT {name} FROM t WHERE id = {row}", lambda r: r == [(row * 7,)]) is None:
                    break
        finally:
            self.connection.rollback()
            self.connection.autocommit = True

    def write(self):
        key, name = self.next_id, self.random.choice("ab")
        self.next_id += 1
        if self.random.random() < 0.3:
            self.connection.autocommit = False
            try:
                with self.connection.cursor() as cursor:
                    cursor.execute(f"INSERT INTO t (id, {name}, n) VALUES (%s, %s, %s)", (key, key * 7, key))
                    cursor.execute(f"UPDATE t SET {name} = {name} + 0 WHERE id = %s", (key,))
                self.connection.commit()
                self.written.append(key)
            except _sqm.Error as error:
                self.connection.rollback()
                if not fine(error):
                    self.wrong.append(["transaction", f"{type(error).__name__}: {error}"])
            finally:
                self.connection.autocommit = True
        elif self.attempt(f"INSERT INTO t (id, {name}, n) VALUES (%s, %s, %s) RETURNING id", lambda r: r == [(key,)], (key, key * 7, key)):
            self.written.append(key)
        self.asked += 1
        self.answered += 1
        time.sleep(0.005)

    def loop(self, kind):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            getattr(self, kind)()
        return {"asked": self.asked, "answered": self.answered, "wrong": self.wrong[:5], "written": self.written, "errors": self.errors}


def change(connection, end, seed):
    """DDL until `end`; the milliseconds that each statement took."""
    chosen, took = random.Random(seed), []
    name, number, extra, old = "a", True, True, True
    while time.monotonic() < end:
        which = chosen.randrange(4)
        if which == 0:
            statements = [f"ALTER TABLE t RENAME COLUMN {name} TO {'b' if name == 'a' else 'a'}"]
            name = "b" if name == "a" else "a"
        elif which == 1:
            statements = ["ALTER TABLE t ALTER COLUMN n TYPE varchar(20) USING n::varchar" if number else "ALTER TABLE t ALTER COLUMN n TYPE integer USING n::integer"]
            number = not number
        elif which == 2:
            statements = ["ALTER TABLE t DROP COLUMN x" if extra else "ALTER TABLE t ADD COLUMN x integer NOT NULL DEFAULT 1"]
            extra = not extra
        else:
            statements = ["DROP TABLE g"]
            columns = "w varchar(5) DEFAULT 'new', z integer DEFAULT 2" if old else "v integer DEFAULT 1, w varchar(5) DEFAULT 'old'"
            statements += [f"CREATE TABLE g (id integer PRIMARY KEY, {columns})", "INSERT INTO g (id) VALUES (1)"]
            old = not old
        for sql in statements:
            begin = time.monotonic()
            run(connection, sql)
            took.append((time.monotonic() - begin) * 1000)
    return name, number, took


@pytest.mark.parametrize("seed", [1, 2])
def test_readers_and_writers_never_see_a_layout_that_has_gone(uri, database, seed):
    connection = _sqm.connect(uri, database, autocommit=True)
    run(connection, "CREATE TABLE t (id integer PRIMARY KEY, a integer, n integer, x integer NOT NULL DEFAULT 1)")
    run(connection, "CREATE TABLE u (id integer PRIMARY KEY, t_id integer)")
    run(connection, "CREATE TABLE g (id integer PRIMARY KEY, v integer DEFAULT 1, w varchar(5) DEFAULT 'old')")
    for i in range(ROWS):
        run(connection, "INSERT INTO t (id, a, n) VALUES (%s, %s, %s)", (i, i * 7, i))
        run(connection, "INSERT INTO u VALUES (%s, %s)", (i, i))
    arguments = [sys.executable, __file__, uri, database]
    workers = [subprocess.Popen([*arguments, kind, str(seed * 100 + i)], stdout=subprocess.PIPE, text=True) for i, kind in enumerate(["read", "read", "write"])]
    name, number, took = change(connection, time.monotonic() + SECONDS, seed)
    reports = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
    # Else nothing was tested. How often each comes to its turn beside a process that does nothing but DDL is the machine's affair.
    assert sum(report["answered"] for report in reports) > 60
    for report in reports:
        assert report["wrong"] == []
        assert report["answered"] > 0
    written = reports[2]["written"]
    stored = dict(run(connection, f"SELECT id, {name} FROM t WHERE id >= {ROWS}"))
    assert {key: stored.get(key) for key in written} == {key: key * 7 for key in written}
    assert run(connection, f"SELECT count(*) FROM t WHERE n IS NULL OR {name} IS NULL") == [(0,)]
    took.sort()
    print(f"\n{len(took)} changes, median {took[len(took) // 2]:.0f} ms, longest {took[-1]:.0f} ms; {sum(r['answered'] for r in reports)} answers, {len(written)} rows written")
    print({k: v for r in reports for k, v in r["errors"].items()})


if __name__ == "__main__":
    print(json.dumps(Worker(sys.argv[1], sys.argv[2], int(sys.argv[4])).loop(sys.argv[3])))
