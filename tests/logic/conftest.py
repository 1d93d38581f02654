"""The servers that the logic tests share. MongoDB: the one that DJONGO_TEST_URI names, or an embedded one in a temporary directory."""
import os
import pathlib
import shutil
import sys
import tempfile
import uuid

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parents[2]), str(pathlib.Path(__file__).parent)]

import databases  # noqa: E402


@pytest.fixture(scope="session")
def uri():
    if given := os.environ.get("DJONGO_TEST_URI"):
        yield given
        return
    from djongo import embedded

    directory = pathlib.Path(os.path.realpath(tempfile.mkdtemp(prefix="djongo-logic-"))) / "server"
    yield embedded.ensure_running(directory=directory, durable=False)
    embedded.stop(directory=directory)
    shutil.rmtree(directory.parent)


@pytest.fixture(scope="session")
def database(uri):
    import pymongo

    name = f"logic_{os.getpid()}_{uuid.uuid4().hex[:6]}"
    yield name
    with pymongo.MongoClient(uri) as client:
        client.drop_database(name)


@pytest.fixture(scope="session")
def postgres():
    """connect(), or None where PostgreSQL isn't installed."""
    with databases.postgres() as connect:
        yield connect
