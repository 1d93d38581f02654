"""djongo's fields, forms and admin on a real server (tests/mongodb.py), in the project of settings.py."""

import contextlib
import os
import pathlib
import sys

import mongodb
import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

stack = contextlib.ExitStack()
os.environ["DJONGO_TEST_URI"] = stack.enter_context(mongodb.server("models"))

# Not before: starting a server looks at the settings, and these name the server.
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django  # noqa: E402

django.setup()


@pytest.fixture(scope="session", autouse=True)
def databases():
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases, teardown_test_environment

    setup_test_environment()
    made = setup_databases(verbosity=0, interactive=False)
    yield
    teardown_databases(made, verbosity=0)
    teardown_test_environment()


def pytest_unconfigure():
    stack.close()
