"""The servers that the concurrency tests share. MongoDB: tests/mongodb.py; tests that kill or reconfigure a server start their own (servers.py)."""
import pathlib
import sys

import mongodb
import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "logic"), str(HERE)]


@pytest.fixture
def database(uri):
    with mongodb.database(uri, "txn") as name:
        yield name


@pytest.fixture(scope="session")
def postgres():
    """connect(), or None where PostgreSQL isn't installed."""
    import databases

    with databases.postgres() as connect:
        yield connect


@pytest.fixture
def connect(uri, database):
    """Makes connections, which are closed at the end."""
    from djongo import _sqm

    made = []

    def make(**options):
        made.append(_sqm.connect(uri, database, **options))
        return made[-1]

    yield make
    for connection in made:
        connection.close()
