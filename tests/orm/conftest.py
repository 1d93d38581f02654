"""Django's ORM on a real server: the models of tests/logic/orm_app. The server is the one that DJONGO_TEST_URI names, or an embedded one in a temporary directory."""
import os
import pathlib
import shutil
import sys
import tempfile
import uuid

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "logic"), str(HERE.parents[1])]

directory = None
uri = os.environ.get("DJONGO_TEST_URI")
if not uri:
    from djongo import embedded

    directory = pathlib.Path(os.path.realpath(tempfile.mkdtemp(prefix="djongo-orm-"))) / "server"
    uri = embedded.ensure_running(directory=directory, durable=False)

import django  # noqa: E402
from django.conf import settings  # noqa: E402

NAME = f"orm_{os.getpid()}_{uuid.uuid4().hex[:6]}"
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
    import pymongo

    if directory:
        from djongo import embedded

        embedded.stop(directory=directory)
        shutil.rmtree(directory.parent, ignore_errors=True)
    else:
        with pymongo.MongoClient(uri) as client:
            client.drop_database(NAME)
