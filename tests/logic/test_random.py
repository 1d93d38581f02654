"""Random SELECTs (generate.py), the same ones in every run: what PostgreSQL answers, djongo answers, with the optimiser on and off.

    test_random.py URI SEED [COUNT]      by hand: other seeds, each query of which COUNT tells
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

SEEDS, QUERIES = range(1, 7), 60


def run(uri, database, connect, seed, count):
    """What went wrong with the queries of a seed."""
    problems = []
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(databases.postgres_database(connect))
        djongo, connect_unoptimised = stack.enter_context(databases.djongo_databases(uri, database))
        for sql in generate.SCHEMA + list(generate.rows(random.Random(seed))):
            postgres.run(sql)
            djongo.run(sql)
        run = runner.Run(djongo, connect_unoptimised, [postgres])
        for number in range(count):
            sql, ordered = generate.Generator(seed * 100_000 + number).select()
            block = runner.Block("query", ["nosort" if ordered else "rowsort"], [sql], None, number, set(), set())
            problems += run.file([block])
    return problems


@pytest.mark.parametrize("seed", SEEDS)
def test_random(seed, uri, database, postgres):
    if not postgres:
        pytest.skip("PostgreSQL is not installed")
    problems = run(uri, database, postgres, seed, QUERIES)
    if problems:
        pytest.fail(f"{len(problems)} of {QUERIES} queries:\n" + "\n".join(problems), pytrace=False)


if __name__ == "__main__":
    with databases.postgres() as connect_postgres:
        found = run(sys.argv[1], "logic_random", connect_postgres, int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1000)
    print("\n".join(found) or "nothing wrong")
