"""The databases that the logic tests ask: djongo on a MongoDB server, SQLite in memory, and a PostgreSQL of the tests' own.

PostgreSQL is started from what is installed, in a temporary directory and on a Unix socket in it, as another user if we are root (it refuses to run as root).
Text compares by code point (locale C.UTF-8) and the time zone is UTC, as in djongo.
"""
import contextlib
import glob
import os
import pathlib
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
import time

from runner import Database


def find_postgres():
    """The directory of the programs initdb and postgres, or None."""
    for directory in sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True) + os.environ.get("PATH", "").split(os.pathsep):
        if all(os.access(os.path.join(directory, program), os.X_OK) for program in ("initdb", "postgres")):
            return directory
    return None


def other_user():
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return None


@contextlib.contextmanager
def postgres():
    """Yields connect(), or None where PostgreSQL or psycopg isn't installed."""
    programs = find_postgres()
    try:
        import psycopg
    except ImportError:
        psycopg = None
    if not programs or not psycopg:
        yield None
        return
    directory = pathlib.Path(tempfile.mkdtemp(prefix="djongo-pg-"))
    user = other_user()
    identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    if user:
        os.chown(directory, user.pw_uid, user.pw_gid)
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    options = {"cwd": directory, "env": environment, "stdin": subprocess.DEVNULL, **identity}
    log = open(directory / "log", "wb")
    server = None
    try:
        subprocess.run(
            [f"{programs}/initdb", "-D", directory / "data", "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True, stdout=log, stderr=log, **options,
        )
        settings = {"listen_addresses": "", "unix_socket_directories": directory, "fsync": "off", "timezone": "UTC", "shared_buffers": "16MB"}
        server = subprocess.Popen(
            [f"{programs}/postgres", "-D", directory / "data", *(f"--{key}={value}" for key, value in settings.items())],
            stdout=log, stderr=log, **options,
        )

        def connect():
            return psycopg.connect(host=str(directory), user="test", dbname="postgres", autocommit=True, options="-c client_min_messages=error",
                                   cursor_factory=psycopg.ClientCursor)

        deadline = time.monotonic() + 30
        while True:
            try:
                connect().close()
                break
            except psycopg.OperationalError:
                if time.monotonic() > deadline or server.poll() is not None:
                    raise RuntimeError((directory / "log").read_text()) from None
                time.sleep(0.05)
        yield connect
    finally:
        if server:
            server.terminate()
            server.wait(30)
        log.close()
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def postgres_database(connect):
    """A PostgreSQL database without tables."""
    import psycopg

    with connect() as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
        yield Database("postgres", connection, psycopg.Error)


@contextlib.contextmanager
def sqlite_database():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    # As SQL has it; SQLite's own LIKE ignores case.
    connection.execute("PRAGMA case_sensitive_like = ON")
    yield Database("sqlite", connection, sqlite3.Error, loose=True)
    connection.close()


@contextlib.contextmanager
def djongo_databases(uri, name):
    """(djongo, connect_unoptimised) on one empty database; the second opens a connection with the optimiser off."""
    from djongo import _sqm

    with contextlib.ExitStack() as stack:

        def connect(**options):
            connection = stack.enter_context(_sqm.connect(uri, name, autocommit=True, **options))
            return Database("djongo", connection, _sqm.Error)

        djongo = connect()
        for table in djongo.connection.tables():
            quoted = table["name"].replace('"', '""')
            kind = "VIEW" if table.get("type") == "view" else "TABLE"
            djongo.run(f'DROP {kind} IF EXISTS "{quoted}" CASCADE')      # a view may have gone with its table
        yield djongo, lambda: connect(no_optimise=True)
