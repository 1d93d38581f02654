"""The servers that the concurrency tests share. MongoDB: the one that DJONGO_TEST_URI names, or an embedded one in a temporary directory; tests that kill or reconfigure
a server start their own (servers.py)."""
import os
import pathlib
import shutil
import sys
import tempfile
import uuid

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "logic"), str(HERE)]


@pytest.fixture(scope="session")
def uri():
    if given := os.environ.get("DJONGO_TEST_URI"):
        yield given
        return
    from djongo import embedded

    directory = pathlib.Path(os.path.realpath(tempfile.mkdtemp(prefix="djongo-concurrency-"))) / "server"
    yield embedded.ensure_running(directory=directory, durable=False)
    embedded.stop(directory=directory)
    shutil.rmtree(directory.parent)


@pytest.fixture
def database(uri):
    import pymongo

    name = f"txn_{os.getpid()}_{uuid.uuid4().hex[:6]}"
    yield name
    with pymongo.MongoClient(uri) as client:
        client.drop_database(name)


@pytest.fixture(scope="session")
def postgres():
    """connect(), or None where PostgreSQL isn't installed."""
    import databases

    with databases.postgres() as connect:
        yield connect
