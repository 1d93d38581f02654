"""What the tests of the extension share: a server, a database of their own, connections and tables that go away again.

The server is the one that DJONGO_TEST_URI names, or an embedded one in a temporary directory.
"""
import os
import pathlib
import shutil
import sys
import tempfile
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from djongo import _sqm  # noqa: E402


@pytest.fixture(scope="session")
def uri():
    if given := os.environ.get("DJONGO_TEST_URI"):
        yield given
        return
    from djongo import embedded

    directory = pathlib.Path(os.path.realpath(tempfile.mkdtemp(prefix="djongo-dbapi-"))) / "server"
    yield embedded.ensure_running(directory=directory, durable=False)
    embedded.stop(directory=directory)
    shutil.rmtree(directory.parent)


@pytest.fixture(scope="session")
def database(uri):
    import pymongo

    name = f"dbapi_{os.getpid()}_{uuid.uuid4().hex[:6]}"
    yield name
    with pymongo.MongoClient(uri) as client:
        client.drop_database(name)


@pytest.fixture
def connect(uri, database):
    """connect(**options) -> a connection to the tests' database, closed after the test."""
    made = []

    def make(**options):
        made.append(_sqm.connect(uri, database, **options))
        return made[-1]

    yield make
    for connection in made:
        connection.close()


@pytest.fixture
def connection(connect):
    return connect(autocommit=True)


@pytest.fixture
def cursor(connection):
    return connection.cursor()


@pytest.fixture
def make_table(connect):
    """make_table("id integer, name text") -> the name of a new table, dropped after the test."""
    names = []
    connection = connect(autocommit=True)

    def make(columns):
        name = f"t{uuid.uuid4().hex[:10]}"
        connection.cursor().execute(f"CREATE TABLE {name} ({columns})")
        names.append(name)
        return name

    yield make
    for name in names:
        connection.cursor().execute(f"DROP TABLE {name}")


@pytest.fixture
def booze(make_table, cursor):
    """A table of six names, as in the public DB-API test-suites."""
    table = make_table("id integer PRIMARY KEY, name varchar(20)")
    names = ["Carlton Cold", "Carlton Draft", "Mountain Goat", "Redback", "Victoria Bitter", "XXXX"]
    cursor.executemany(f"INSERT INTO {table} (id, name) VALUES (%s, %s)", list(enumerate(names)))
    return table
