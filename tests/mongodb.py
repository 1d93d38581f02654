"""The MongoDB of the tests: the one that DJONGO_TEST_URI names, or an embedded one in a temporary directory, ended and removed afterwards."""

import contextlib
import os
import pathlib
import shutil
import sys
import tempfile
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))


@contextlib.contextmanager
def server(name):
    """The URI of a server; `name` tells in the directory's name whose it is."""
    if given := os.environ.get("DJONGO_TEST_URI"):
        yield given
        return
    from djongo import embedded

    # realpath: a socket's path must be short, and the same for every process.
    directory = pathlib.Path(os.path.realpath(tempfile.mkdtemp(prefix=f"djongo-{name}-"))) / "server"
    try:
        yield embedded.ensure_running(directory=directory, durable=False)
    finally:
        embedded.stop(directory=directory)
        shutil.rmtree(directory.parent, ignore_errors=True)


@contextlib.contextmanager
def database(uri, name):
    """The name of a database that nobody else uses, dropped afterwards."""
    import pymongo

    unique = f"{name}_{os.getpid()}_{uuid.uuid4().hex[:6]}"
    try:
        yield unique
    finally:
        with pymongo.MongoClient(uri) as client:
            client.drop_database(unique)
