"""The servers that the logic tests share. MongoDB: tests/mongodb.py."""
import pathlib
import sys

import mongodb
import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parents[2]), str(pathlib.Path(__file__).parent)]

import databases  # noqa: E402


@pytest.fixture(scope="session")
def database(uri):
    with mongodb.database(uri, "logic") as name:
        yield name


@pytest.fixture(scope="session")
def postgres():
    """connect(), or None where PostgreSQL isn't installed."""
    with databases.postgres() as connect:
        yield connect
