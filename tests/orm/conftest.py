"""Django's ORM on a real server: the models of tests/logic/orm_app."""
import contextlib
import pathlib
import sys

import mongodb
import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "logic"), str(HERE.parents[1])]

# The settings name the server, so it is there before any fixture.
stack = contextlib.ExitStack()
uri = stack.enter_context(mongodb.server("orm"))
NAME = stack.enter_context(mongodb.database(uri, "orm"))

import django  # noqa: E402
from django.conf import settings  # noqa: E402

settings.configure(
    SECRET_KEY="tests", USE_TZ=True, TIME_ZONE="Europe/Paris", DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["orm_app", "django.contrib.contenttypes", "django.contrib.auth"], PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DATABASES={"default": {"ENGINE": "djongo", "NAME": NAME, "HOST": uri}},
)  # fmt: skip
django.setup()


@pytest.fixture(scope="session", autouse=True)
def tables():
    from django.apps import apps
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        for model in apps.get_app_config("orm_app").get_models():
            editor.create_model(model)
    yield
    connection.close()


@pytest.fixture(autouse=True)
def empty(tables, mongo):
    """Each test starts without rows."""
    yield
    from django.apps import apps

    for model in apps.get_app_config("orm_app").get_models(include_auto_created=True):
        mongo[model._meta.db_table].delete_many({})


@pytest.fixture(scope="session")
def mongo():
    """The documents, as another program sees them."""
    import pymongo

    with pymongo.MongoClient(uri) as client:
        yield client[NAME]


def pytest_unconfigure():
    stack.close()
