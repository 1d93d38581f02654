"""The same SQL on MongoDB and on SQLite or PostgreSQL must give the same rows: one test per .test file (runner.py tells what is in them)."""
import contextlib
import pathlib

import databases
import pytest
import runner

FILES = sorted(pathlib.Path(__file__).parent.glob("*.test"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file(path, uri, database, postgres):
    wanted, blocks = runner.parse(path.read_text())
    with contextlib.ExitStack() as stack:
        oracles = []
        if "sqlite" in wanted:
            oracles.append(stack.enter_context(databases.sqlite_database()))
        if "postgres" in wanted and postgres:
            oracles.append(stack.enter_context(databases.postgres_database(postgres)))
        if wanted and not oracles:
            pytest.skip("PostgreSQL is not installed")
        djongo, connect_unoptimised = stack.enter_context(databases.djongo_databases(uri, database))
        problems = runner.Run(djongo, connect_unoptimised, oracles).file(blocks)
    if problems:
        pytest.fail(f"{len(problems)} of {len(blocks)} blocks:\n" + "\n".join(problems), pytrace=False)
