"""The server is the one that DJONGO_TEST_URI names, or an embedded one in a temporary directory."""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
directory = None
if "DJONGO_TEST_URI" not in os.environ:
    from djongo import embedded

    directory = pathlib.Path(os.path.realpath(tempfile.mkdtemp(prefix="djongo-models-"))) / "server"
    os.environ["DJONGO_TEST_URI"] = embedded.ensure_running(directory=directory, durable=False)

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
    if directory:
        from djongo import embedded

        embedded.stop(directory=directory)
        shutil.rmtree(directory.parent, ignore_errors=True)
