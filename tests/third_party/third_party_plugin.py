"""A pytest plugin under which a package's own tests run on djongo: their settings stay as they are, but for DATABASES.

In: SUITE_ENGINE, SUITE_URI and SUITE_DATABASE (see run.py). With SUITE_ENGINE=sqlite only databases on servers are touched: they become SQLite's.
"""
import datetime
import os
import time

import django.conf
import django.utils.timezone
import pytest

_ours = os.environ["SUITE_ENGINE"] == "djongo"


def _database(alias, given):
    if _ours:
        return {"ENGINE": "djongo", "NAME": f"{os.environ['SUITE_DATABASE']}_{alias}", "HOST": os.environ["SUITE_URI"]}
    sqlite = "django.db.backends.sqlite3"
    return given if given["ENGINE"] == sqlite else {"ENGINE": sqlite, "NAME": ":memory:"}


def _databases(given):
    return {alias: _database(alias, settings) for alias, settings in given.items()}


_configure = django.conf.LazySettings.configure
_init = django.conf.Settings.__init__


def configure(self, *args, **options):
    if "DATABASES" in options:
        options["DATABASES"] = _databases(options["DATABASES"])
    _configure(self, *args, **options)


def init(self, module):
    _init(self, module)
    self.DATABASES = _databases(self.DATABASES)


django.conf.LazySettings.configure = configure
django.conf.Settings.__init__ = init

# Tests that compare a time they know to the microsecond with what is stored, or want rows to have different times: MongoDB's dates are milliseconds. These get a
# clock that waits for the next millisecond and tells that.

_now = django.utils.timezone.now


def now():  # the name is in what some tests print
    moment = _now()
    # Whole already: a time that a test has stopped.
    wait = datetime.timedelta(microseconds=-moment.microsecond % 1000)
    time.sleep(wait.total_seconds())
    return moment + wait


if _ours and "SUITE_CLOCK" in os.environ:
    django.utils.timezone.now = now


def _reset_sequences():
    from django.apps import apps
    from django.core.management.color import no_style
    from django.db import connection

    names = set(connection.introspection.table_names())
    models = [model for model in apps.get_models() if model._meta.db_table in names]
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(sql)


# Tests that write the keys of new rows down: on SQLite a counter goes back when a test is rolled back, on PostgreSQL and here it doesn't. The REST framework has
# a fixture against that, which acts on PostgreSQL alone; django-filter has none.


def _without_database(test_class):
    from django.test import SimpleTestCase, TransactionTestCase

    return test_class and issubclass(test_class, SimpleTestCase) and not issubclass(test_class, TransactionTestCase)


@pytest.fixture(autouse=True)
def _sequences(request):
    if _without_database(request.cls):
        return
    if _ours and ("reset_sequences" in request.fixturenames or "SUITE_KEYS" in os.environ):
        request.getfixturevalue("db")
        _reset_sequences()


@pytest.fixture(autouse=True, scope="class")
def _sequences_of_class(request):
    """Before a TestCase's setUpTestData()."""
    from django.test import TestCase

    if _ours and "SUITE_KEYS" in os.environ and request.cls and issubclass(request.cls, TestCase):
        request.getfixturevalue("django_db_setup")
        with request.getfixturevalue("django_db_blocker").unblock():
            _reset_sequences()
