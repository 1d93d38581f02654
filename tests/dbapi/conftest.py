"""What the tests of the extension share: a database of their own, connections and tables that go away again."""
import uuid

import mongodb
import pymongo
import pytest

from djongo import _sqm


@pytest.fixture(scope="session")
def database(uri):
    with mongodb.database(uri, "dbapi") as name:
        yield name


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
def documents(uri, database):
    """The tests' database as PyMongo has it."""
    with pymongo.MongoClient(uri) as client:
        yield client[database]


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
