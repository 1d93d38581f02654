"""A pytest plugin under which a package's own tests run on djongo: their settings stay as they are, but for DATABASES.

In: SUITE_ENGINE, SUITE_URI and SUITE_DATABASE (see run.py). With SUITE_ENGINE=sqlite nothing is touched.
"""
import os

import django.conf
import pytest

_ours = os.environ["SUITE_ENGINE"] == "djongo"


def _databases(given):
    return {
        alias: {"ENGINE": "djongo", "NAME": f"{os.environ['SUITE_DATABASE']}_{alias}", "HOST": os.environ["SUITE_URI"]} for alias in given
    }


if _ours:
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


@pytest.fixture(autouse=True)
def _sequences(request):
    """The REST framework's fixture of this name starts counters from 1 on PostgreSQL, where rolling back doesn't; nor does it here."""
    if _ours and "reset_sequences" in request.fixturenames:
        request.getfixturevalue("db")
        from django.apps import apps
        from django.core.management.color import no_style
        from django.db import connection

        names = set(connection.introspection.table_names())
        models = [model for model in apps.get_models() if model._meta.db_table in names]
        with connection.cursor() as cursor:
            for sql in connection.ops.sequence_reset_sql(no_style(), models):
                cursor.execute(sql)
