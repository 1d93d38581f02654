"""A server that is no replica set has no transactions. Django stays usable: a system check warns, atomic() only groups, and an error in it arrives as itself."""
import os
import subprocess
import sys
import textwrap

import pytest
import servers

from djongo import _sqm


@pytest.fixture(scope="module")
def standalone():
    server = servers.Mongod(replica_set=False)
    yield server
    server.close()


def run(connection, sql, params=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, params) if params else cursor.execute(sql)
        return cursor.fetchall() if cursor.description else cursor.rowcount


SITE = """
    import sys, warnings
    import django
    from django.conf import settings
    settings.configure(SECRET_KEY="x", USE_TZ=True, LOGGING_CONFIG=None, INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
                       DATABASES={"default": {"ENGINE": "djongo", "NAME": "site", "CLIENT": {"host": sys.argv[1]}, "ATOMIC_REQUESTS": True}})
    django.setup()
    from django.core import checks
    from django.core.management import call_command
    from django.contrib.auth.models import Group, Permission, User
    from django.db import IntegrityError, connection, models, transaction

    found = checks.run_checks(databases=["default"])
    assert [c.id for c in found] == ["djongo.W001"], found
    assert "atomic() only groups" in found[0].hint

    call_command("migrate", verbosity=0)
    user = User.objects.create_user("ann", password="x")
    group = Group.objects.create(name="g")
    user.groups.add(group)
    user.user_permissions.set(Permission.objects.all()[:5])

    # The error that the block raises arrives as itself; what was written stays, and the log says so.
    try:
        with transaction.atomic():
            Group.objects.create(name="stays")
            raise KeyError("mine")
    except KeyError as error:
        assert error.__context__ is None, error.__context__
    assert Group.objects.filter(name="stays").exists()

    # A caught database error, nested blocks, get_or_create: the usual patterns go on.
    with transaction.atomic():
        Group.objects.create(name="outer")
        try:
            with transaction.atomic():
                Group.objects.create(name="g")
        except IntegrityError:
            pass
        assert Group.objects.get_or_create(name="g") == (group, False)
        assert Group.objects.get_or_create(name="new")[1]
    sid_block = transaction.atomic(savepoint=True)
    with transaction.atomic():
        sid = transaction.savepoint()
        transaction.savepoint_commit(sid)
    transaction.on_commit(lambda: None)
    assert Group.objects.count() == 4

    # SELECTs of several commands, deletes that cascade, the admin's kind of queries.
    assert User.objects.filter(groups__name="g").prefetch_related("user_permissions").get().user_permissions.count() == 5
    assert User.objects.select_for_update().get(pk=user.pk) == user if connection.features.has_select_for_update else True
    User.objects.filter(groups__in=Group.objects.filter(name="g")).update(first_name="A")
    Group.objects.all().delete()
    user.delete()
    assert User.groups.through.objects.count() == 0
    connection.close()
    print("fine")
"""


def test_django_stays_usable(standalone, tmp_path):
    script = tmp_path / "site.py"
    script.write_text(textwrap.dedent(SITE))
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    # Not as a file named site: the interpreter's own module has that name.
    script = script.rename(tmp_path / "alone.py")
    done = subprocess.run([sys.executable, str(script), standalone.uri()], capture_output=True, text=True, timeout=180, env={**os.environ, "PYTHONPATH": root})
    assert done.stdout.endswith("fine\n"), done.stdout + done.stderr


def test_db_api(standalone):
    with _sqm.connect(standalone.uri(), "api") as connection:
        assert not connection.has_transactions
        run(connection, "CREATE TABLE t (id integer PRIMARY KEY, v integer)")
        run(connection, "INSERT INTO t VALUES (1, 1)")
        connection.commit()
        run(connection, "UPDATE t SET v = 2")
        with pytest.raises(_sqm.NotSupportedError, match="cannot roll back.*1 write stays"):
            connection.rollback()
        # Said once; the connection goes on.
        connection.rollback()
        assert run(connection, "SELECT v FROM t") == [(2,)]
        connection.commit()


def test_with_keeps_the_error_of_its_block(standalone):
    with _sqm.connect(standalone.uri(), "api2", autocommit=True) as setup:
        run(setup, "CREATE TABLE t (id integer PRIMARY KEY)")
    with pytest.raises(KeyError, match="mine"):
        with _sqm.connect(standalone.uri(), "api2") as connection:
            run(connection, "INSERT INTO t VALUES (1)")
            raise KeyError("mine")


def test_a_failed_statement_does_not_end_the_block(standalone):
    with _sqm.connect(standalone.uri(), "api3") as connection:
        run(connection, "CREATE TABLE t (id integer PRIMARY KEY)")
        run(connection, "INSERT INTO t VALUES (1)")
        with pytest.raises(_sqm.IntegrityError):
            run(connection, "INSERT INTO t VALUES (1)")
        assert run(connection, "SELECT count(*) FROM t") == [(1,)]
        connection.commit()
