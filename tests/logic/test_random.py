"""Random statements (generate.py), the same ones in every run: what PostgreSQL answers, djongo answers, with the optimiser on and off.

    test_random.py URI SEED [COUNT]      by hand: another seed, with COUNT statements of either kind
"""
import contextlib
import pathlib
import random
import sys

sys.path[:0] = [str(pathlib.Path(__file__).parents[2]), str(pathlib.Path(__file__).parent)]

import databases  # noqa: E402
import generate  # noqa: E402
import pytest  # noqa: E402
import runner  # noqa: E402

SEEDS, STATEMENTS = range(1, 6), 60


def load(stack, uri, database, connect, seed):
    """(postgres, djongo, connect_unoptimised), with the rows of that seed"""
    postgres = stack.enter_context(databases.postgres_database(connect))
    djongo, connect_unoptimised = stack.enter_context(databases.djongo_databases(uri, database))
    for sql in generate.SCHEMA + list(generate.rows(random.Random(seed))):
        postgres.run(sql)
        djongo.run(sql)
    return postgres, djongo, connect_unoptimised


def selects(uri, database, connect, seed, count):
    """What went wrong with the queries of a seed."""
    problems = []
    with contextlib.ExitStack() as stack:
        postgres, djongo, connect_unoptimised = load(stack, uri, database, connect, seed)
        run = runner.Run(djongo, connect_unoptimised, [postgres])
        for number in range(count):
            sql, ordered = generate.Generator(seed * 100_000 + number).select()
            block = runner.Block("query", ["nosort" if ordered else "rowsort"], [sql], None, number, set(), set())
            problems += run.file([block])
    return problems


def modifications(uri, database, connect, seed, count):
    """The same for statements that write, with a transaction and savepoints around some of them. After each the tables are compared."""
    rng, depth, problems = random.Random(seed), 0, []
    with contextlib.ExitStack() as stack:
        postgres, djongo, connect_unoptimised = load(stack, uri, database, connect, seed)
        both = [postgres, djongo]
        for number in range(count):
            sql = generate.Generator(seed * 100_000 + number).modify()
            if depth and rng.random() < 0.2:
                sql = rng.choice(["COMMIT", "ROLLBACK", f"ROLLBACK TO s{depth - 1}", f"RELEASE s{depth - 1}"]) if depth > 1 else rng.choice(["COMMIT", "ROLLBACK"])
                depth = 0 if " " not in sql else depth - ("RELEASE" in sql)
            elif rng.random() < 0.15:
                sql, depth = (f"SAVEPOINT s{depth}" if depth else "BEGIN"), depth + 1
            if error := compare_effect(both, sql, depth):
                problems.append(f"{number}: {sql}\n  {error}")
                break
    return problems


def compare_effect(both, sql, depth):
    outcomes = []
    for database in both:
        try:
            count = database.run(sql)[1]
            outcomes.append(count if sql[:6] in ("UPDATE", "DELETE", "INSERT") else None)
        except database.error as e:
            outcomes.append(type(e).__mro__[1 if database.name == "postgres" else 0].__name__)
            if depth:
                database.run(f"ROLLBACK TO s{depth - 1}" if depth > 1 else "ROLLBACK")
                if depth == 1:
                    database.run("BEGIN")
    postgres, djongo = both
    if outcomes[0] != outcomes[1] and not all(isinstance(outcome, str) for outcome in outcomes):
        return f"postgres: {outcomes[0]}, djongo: {outcomes[1]}"
    for table in generate.COLUMNS:
        query = f"SELECT * FROM {table}"
        try:
            runner.compare(query, djongo.run(query)[0], postgres.run(query)[0], "postgres", False)
        except runner.Mismatch as e:
            return str(e)
    return None


@pytest.mark.parametrize("check, seed", [(selects, seed) for seed in SEEDS] + [(modifications, seed) for seed in SEEDS], ids=lambda value: getattr(value, "__name__", str(value)))
def test_random(check, seed, uri, database, postgres):
    if not postgres:
        pytest.skip("PostgreSQL is not installed")
    problems = check(uri, database, postgres, seed, STATEMENTS)
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


if __name__ == "__main__":
    with databases.postgres() as connect_postgres:
        arguments = sys.argv[1], "logic_random", connect_postgres, int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1000
        found = selects(*arguments) + modifications(*arguments)
    print("\n".join(found) or "nothing wrong")
