import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

import fake_sqm  # noqa: E402

# These tests look at text and settings: with the stand-in they run before anything is compiled, and never reach for a server.
import djongo  # noqa: E402

sys.modules["djongo._sqm"] = fake_sqm
djongo._sqm = fake_sqm

import django  # noqa: E402

django.setup()


@pytest.fixture
def make_connection():
    """A wrapper over the stand-in, with the given keys in its settings."""
    from django.db.utils import DEFAULT_DB_ALIAS

    from djongo.base import DatabaseWrapper

    made = []

    def make(**settings):
        base = {
            "ENGINE": "djongo", "NAME": "shop", "HOST": "db.example", "PORT": "", "USER": "", "PASSWORD": "", "OPTIONS": {},
            "TIME_ZONE": None, "ATOMIC_REQUESTS": False, "AUTOCOMMIT": True, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False,
            "TEST": {"CHARSET": None, "COLLATION": None, "MIGRATE": True, "MIRROR": None, "NAME": None},
        }  # fmt: skip
        wrapper = DatabaseWrapper({**base, **settings}, alias=DEFAULT_DB_ALIAS)
        made.append(wrapper)
        return wrapper

    yield make
    for wrapper in made:
        wrapper.close()


@pytest.fixture
def connection(monkeypatch):
    """The default connection, connected to the stand-in."""
    from django.db import connection

    connection.ensure_connection()
    connection.connection.statements.clear()
    yield connection
    connection.close()
