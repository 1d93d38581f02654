"""Random statements on djongo and on PostgreSQL with the same rows: make fuzz-logic [N=20000] [SEED=1]

    fuzz.py [-n COUNT] [-s SEED] [--uri URI] [--only KIND] [--case NUMBER]

A case is made from the seed and its number alone; cases come in blocks over the same rows. Its kinds:

    select      a query (generate_query.py): the rows of PostgreSQL, of djongo, of djongo with the optimiser off, of djongo with constants bound as parameters
    partition   the rows for which a condition, its NOT, and its IS NULL hold partition a table, and are those for which it has that value
    write       a statement that writes (generate_write.py), some of them in transactions with savepoints: its count, its RETURNING, and the tables after it
    wrong       a statement that should raise: if PostgreSQL does, djongo does, with an error of the same PEP 249 class
    orm         a query of Django's ORM (generate_orm.py), evaluated with either engine

What differs is made smaller (shrink.py) and printed with its seed, its number, and the rows it needs. NotSupportedError is no difference: refusals are counted
and listed by what they say. The exit status is 0 if nothing differs.
"""
import argparse
import collections
import contextlib
import os
import pathlib
import random
import re
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).parents[n]) for n in (2, 1, 0)]

import databases  # noqa: E402
import generate  # noqa: E402
import runner  # noqa: E402
from generate_write import Writes  # noqa: E402
from shrink import plain, shrink, shrink_list  # noqa: E402

# How many of each kind a block has.
BLOCK = {"select": 60, "partition": 6, "wrong": 8, "write": 14, "orm": 22}
CLASSES = ("IntegrityError", "DataError", "ProgrammingError", "NotSupportedError", "OperationalError", "InternalError", "DatabaseError", "InterfaceError")
# PostgreSQL computes in 32 bits what djongo does in 64 (docs/semantics.md), and knows no type for NTH_VALUE('a', 1), no function for DATE_TRUNC('day', '2020-01-01').
NARROW = ("integer out of range", "smallint out of range", "could not determine polymorphic type", "is not unique")


class Outcome:
    def __init__(self, rows=None, count=None, error=None, message=""):
        self.rows, self.count, self.error, self.message = rows, count, error, message


def run(database, sql, parameters=None):
    try:
        return Outcome(*database.run(sql, parameters))
    except database.error as e:
        names = [cls.__name__ for cls in type(e).__mro__]
        return Outcome(error=next(name for name in CLASSES if name in names), message=str(e).split("\n")[0])


class Fuzz:
    def __init__(self, postgres, djongo, connect_unoptimised, documents):
        """`documents`: the pymongo database under djongo."""
        self.postgres, self.djongo, self.documents = postgres, djongo, documents
        self.postgres.run("SET statement_timeout = 1500")
        self.refused, self.skipped, self.done, self.slow = collections.Counter(), collections.Counter(), collections.Counter(), []
        for sql in generate.SCHEMA:
            postgres.run(sql)
            djongo.run(sql)
        self.unoptimised = connect_unoptimised()

    def load(self, rows):
        """The tables have these rows and no others; a column that isn't in a row isn't in its document."""
        self.rows = rows
        tables = {}
        for table, row in rows:
            tables.setdefault(table, []).append(row)
        for table, columns in generate.TABLES.items():
            self.postgres.run(f"DELETE FROM {table}")
            self.djongo.run(f"DELETE FROM {table}")
            if table not in tables:
                continue
            values = ", ".join("(" + ", ".join(row.get(name, "NULL") for name in columns) + ")" for row in tables[table])
            insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values}"
            self.postgres.run(insert)
            self.djongo.run(insert)
            for name in columns:
                missing = [int(row["id"]) for row in tables[table] if name not in row]
                if missing:
                    self.documents[table].update_many({"_id": {"$in": missing}}, {"$unset": {name: ""}})

    # ---- one statement ----

    def differs(self, sql, ordered, variants=True):
        """None, or (kind of difference, text)."""
        theirs = run(self.postgres, sql)
        if "statement timeout" in theirs.message:
            self.skipped["PostgreSQL took too long"] += 1
            return None
        begun = time.monotonic()
        ours = run(self.djongo, sql)
        if time.monotonic() - begun > 5:
            self.slow.append((time.monotonic() - begun, sql))
        found = self.outcomes(sql, ours, theirs, ordered, "postgres")
        if found or ours.error or not variants:
            return found
        again = run(self.unoptimised, sql)
        if found := self.outcomes(sql, ours, again, ordered, "with the optimiser off"):
            return found
        if bound := runner.with_parameters(sql):
            return self.outcomes(sql, ours, run(self.djongo, *bound), ordered, f"with the parameters {bound[1]}")
        return None

    def outcomes(self, sql, ours, theirs, ordered, who):
        if ours.error == "NotSupportedError":
            if theirs.error is None:
                self.refused[re.sub(r'"[^"]*"|\d+', "..", ours.message)] += 1
            return None
        if theirs.error or ours.error:
            if theirs.error == ours.error:
                return None
            if ours.error is None and any(text in theirs.message for text in NARROW):
                self.skipped["64 bits"] += 1
                return None
            return f"{who}: {theirs.error} / djongo: {ours.error}", f"  djongo: {ours.error} {ours.message}\n  {who}: {theirs.error} {theirs.message}"
        if ours.rows is None or theirs.rows is None:
            if (ours.rows is None) == (theirs.rows is None):
                return None
            return "rows", f"  djongo: {ours.rows}\n  {who}: {theirs.rows}"
        try:
            runner.compare("", ours.rows, theirs.rows, who, ordered)
        except runner.Mismatch as e:
            return f"rows {who.split(' (')[0]}", str(e).lstrip("\n")
        return None

    def partition(self, table, condition):
        """The same for a condition over a table."""
        condition = plain(condition)
        if found := self.differs(f"SELECT t.id, {condition} FROM {table} t", False):
            return found
        values = run(self.djongo, f"SELECT t.id, {condition} FROM {table} t")
        for form, value in ((condition, True), (f"NOT ({condition})", False), (f"({condition}) IS NULL", None)):
            sql = f"SELECT t.id FROM {table} t WHERE {form}"
            if found := self.differs(sql, False):
                return found
            rows = run(self.djongo, sql)
            if rows.error or values.error:
                return None
            if sorted(row[0] for row in rows.rows) != sorted(key for key, p in values.rows if p is value):
                return "partition", f"  {sql}\n  gives {rows.rows}; as a value it is\n{runner.listing(values.rows)}"
        return None

    # ---- statements that write ----

    def effect(self, sql, tables=None):
        """The difference in what a statement returned or did."""
        theirs, ours = run(self.postgres, sql), run(self.djongo, sql)
        if ours.error == "NotSupportedError" and theirs.error is None:
            self.refused[re.sub(r'"[^"]*"|\d+', "..", ours.message)] += 1
            return "refused", ours.message
        if ours.error is None and any(text in theirs.message for text in NARROW):
            return "narrow", ""
        if found := self.outcomes(sql, ours, theirs, False, "postgres"):
            return found
        if ours.error is None and ours.count != theirs.count and sql[:6] in ("INSERT", "UPDATE", "DELETE"):
            return "count", f"  djongo: {ours.count} rows affected, postgres: {theirs.count}"
        for table in tables or generate.TABLES:
            query = f"SELECT * FROM {table}"
            if found := self.outcomes(query, run(self.djongo, query), run(self.postgres, query), False, "postgres"):
                return found[0], f"  afterwards, {query}:\n{found[1]}"
        return None

    def sequence(self, statements):
        """The first difference of a list of marked statements on fresh rows: (kind, text), else None."""
        self.load(self.rows)
        found = None
        for statement in statements:
            sql = plain(statement)
            words = sql.split(" ", 2)
            tables = [table for table in generate.TABLES if table in words[1:2] or re.match(rf"INTO {table} |FROM {table} |UPDATE {table} ", sql.partition(" ")[2]) or sql.startswith(f"UPDATE {table} ")]
            if found := self.effect(sql, tables):
                break
        for database in (self.postgres, self.djongo):
            run(database, "ROLLBACK")
        return found

    # ---- cases ----

    def report(self, number, seed, what, found, sql, rows):
        data = "\n".join(f"  {table}: {row}" for table, row in rows)
        return f"case {number} of seed {seed} ({what}): {found[0]}\n{sql}\n{found[1]}\n rows:\n{data}\n"

    def fewer_rows(self, fails):
        """The rows that a difference needs."""
        everything = self.rows

        def with_rows(rows):
            try:
                self.load(rows)
                return fails()
            except (self.postgres.error, self.djongo.error):
                return False

        rows = shrink_list(list(everything), with_rows, 120)
        self.load(rows)
        return rows

    def shrunk(self, number, seed, what, found, text, differs):
        kind = found[0]

        def fails(candidate):
            again = differs(candidate)
            return again is not None and again[0] == kind

        everything, counters = self.rows, (self.refused.copy(), self.skipped.copy(), list(self.slow))
        with contextlib.suppress(RecursionError):
            text = shrink(text, fails, generate.SIMPLE)
        rows = self.fewer_rows(lambda: fails(text))
        found = differs(text) or found
        self.refused, self.skipped, self.slow = counters
        message = self.report(number, seed, what, found, plain(text), rows)
        self.load(everything)
        return message

    def select(self, number, seed):
        text, ordered = Writes(f"{seed}:{number}").query()
        differs = lambda candidate: self.differs(plain(candidate), ordered)  # noqa: E731
        found = differs(text)
        return found and self.shrunk(number, seed, "select", found, text, differs)

    def partitions(self, number, seed):
        maker = Writes(f"{seed}:{number}")
        table = maker.rng.choice("abc")
        condition = maker.predicate([generate.table_relation("t", table)], 3)
        differs = lambda candidate: self.partition(table, candidate)  # noqa: E731
        found = differs(condition)
        return found and self.shrunk(number, seed, f"partition of {table}", found, condition, differs)

    def wrong(self, number, seed):
        """If it can be run after all, its rows don't matter: a spoiled query need not have a definite answer."""
        sql, spoiled = Writes(f"{seed}:{number}").wrong()
        run(self.postgres, "BEGIN")
        theirs = run(self.postgres, sql)
        run(self.postgres, "ROLLBACK")
        if "statement timeout" in theirs.message:
            return None
        run(self.djongo, "BEGIN")
        ours = run(self.djongo, sql)
        run(self.djongo, "ROLLBACK")
        if spoiled and theirs.error is None and ours.message.startswith("syntax error"):     # SELECT x AND FROM t: any word is a label there
            self.skipped["spoiled, and read by PostgreSQL alone"] += 1
            return None
        if spoiled and {ours.error, theirs.error} <= {"ProgrammingError", "DataError"}:
            return None
        if ours.error != theirs.error and "NotSupportedError" not in (ours.error, theirs.error) and not any(text in theirs.message for text in NARROW):
            return self.report(number, seed, "wrong", ("errors differ", f"  djongo: {ours.error} {ours.message}\n  postgres: {theirs.error} {theirs.message}"), sql, [])
        return None

    def writes(self, numbers, seed):
        """Statements on the rows of the block, one after the other; the rows are loaded again afterwards."""
        statements, depth = [], 0
        rng = random.Random(f"{seed}:{numbers[0]}:transactions")
        for number in numbers:
            text = Writes(f"{seed}:{number}").write()
            if rng.random() < 0.15:
                if depth and rng.random() < 0.6:
                    control = rng.choice(["COMMIT", "ROLLBACK"] + [f"ROLLBACK TO s{depth - 1}", f"RELEASE s{depth - 1}"] * (depth > 1))
                    depth = 0 if " " not in control else depth - 1 if control.startswith("RELEASE") else depth
                else:
                    control, depth = (f"SAVEPOINT s{depth}" if depth else "BEGIN"), depth + 1
                statements.append(control)
            if depth:       # so that an error doesn't end the transaction
                statements.append(f"SAVEPOINT before{number}")
            statements.append(text)
        problems, done = [], 0
        self.load(self.rows)
        while done < len(statements):
            found = None
            sql = plain(statements[done])
            found = self.effect(sql)
            done += 1
            failed = found or self.last_failed(sql)
            if found and found[0] not in ("refused", "narrow"):
                problems.append(self.smallest_sequence(numbers, seed, found, statements[:done]))
                break
            if failed and done >= 2 and statements[done - 2].startswith("SAVEPOINT before"):
                for database in (self.postgres, self.djongo):
                    run(database, "ROLLBACK TO " + statements[done - 2].split()[1])
            elif found:
                break
        for database in (self.postgres, self.djongo):
            run(database, "ROLLBACK")
        self.load(self.rows)
        return problems

    def last_failed(self, sql):
        return run(self.postgres, "SELECT 1").error is not None

    def smallest_sequence(self, numbers, seed, found, statements):
        kind, counters = found[0], self.refused.copy()

        def fails(candidate):
            again = self.sequence(candidate)
            return again is not None and again[0] == kind

        for database in (self.postgres, self.djongo):
            run(database, "ROLLBACK")
        if fails(statements[-1:]):
            statements = statements[-1:]
        else:
            statements = shrink_list(statements, fails, 60)
        if len(statements) == 1:
            statements = [shrink(statements[0], lambda text: fails([text]), generate.SIMPLE, 250)]
        everything = self.rows
        rows = self.fewer_rows(lambda: fails(statements))
        found = self.sequence(statements) or found
        self.rows, self.refused = everything, counters
        return self.report(numbers[0], seed, "write", found, ";\n".join(map(plain, statements)), rows)


def fuzz(make, count, seed, only=None, case=None, orm=None, say=print):
    """The problems found. `make` is a Fuzz, `orm` an orm fuzz (or None)."""
    problems, number, begun = [], 0, time.monotonic()
    size = sum(n for kind, n in BLOCK.items())
    for block in range((count + size - 1) // size):
        if case is not None and not block * size <= case < (block + 1) * size:
            continue
        rows = generate.rows(random.Random(f"{seed}:{block}"))
        make.load(rows)
        number = block * size
        for kind, n in BLOCK.items():
            numbers = [at for at in range(number, number + n) if at < count and (case is None or at == case or kind == "write")]
            number += n
            if only and kind not in only or not numbers or (case is not None and case not in numbers):
                continue
            make.done[kind] += len(numbers)
            if kind == "write":
                found = make.writes(numbers, seed)
            elif kind == "orm":
                found = orm.cases(numbers, seed, block) if orm else []
            else:
                check = {"select": make.select, "partition": make.partitions, "wrong": make.wrong}[kind]
                found = [problem for problem in (check(at, seed) for at in numbers) if problem]
            for problem in found:
                say(problem, flush=True)
            problems += found
        if block % 20 == 19:
            say(f"... {min(count, number)} cases, {len(problems)} differences, {time.monotonic() - begun:.0f} s", flush=True)
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=20000)
    parser.add_argument("-s", "--seed", default="1")
    parser.add_argument("--uri", default=os.environ.get("DJONGO_TEST_URI"))
    parser.add_argument("--only", action="append", choices=list(BLOCK))
    parser.add_argument("--case", type=int)
    options = parser.parse_args()
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        uri = options.uri
        if not uri:
            import mongodb

            uri = stack.enter_context(mongodb.server("fuzz"))
        import pymongo

        name = f"fuzz_{os.getpid()}"
        documents = stack.enter_context(pymongo.MongoClient(uri))[name]
        stack.callback(documents.client.drop_database, name)
        connect = stack.enter_context(databases.postgres())
        if not connect:
            sys.exit("PostgreSQL is not installed")
        postgres = stack.enter_context(databases.postgres_database(connect))
        djongo, connect_unoptimised = stack.enter_context(databases.djongo_databases(uri, name))
        make = Fuzz(postgres, djongo, connect_unoptimised, documents)
        orm = None
        if not options.only or "orm" in options.only:
            import fuzz_orm

            orm = stack.enter_context(fuzz_orm.session(uri, name + "_orm", connect))
        problems = fuzz(make, options.n, options.seed, options.only, options.case, orm)
        print(f"\nseed {options.seed}: " + ", ".join(f"{n} {kind}" for kind, n in make.done.items()) + f" in {time.monotonic() - begun:.0f} s")
        refused = make.refused + (orm.refused if orm else collections.Counter())
        print(f"{sum(refused.values())} refused" + "".join(f"\n{n:6} {message}" for message, n in refused.most_common()))
        print(f"{sum(make.skipped.values())} not compared" + "".join(f"\n{n:6} {message}" for message, n in make.skipped.most_common()))
        for seconds, sql in sorted(make.slow, reverse=True)[:5]:
            print(f"took {seconds:.0f} s: {sql}")
    print(f"{len(problems)} differences")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
