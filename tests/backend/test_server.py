"""The parts that need a server: `manage.py test` of the little app next door, in a process of its own (here the extension is a stand-in).

The server is the one that DJONGO_TEST_URI names, or an embedded one in a temporary directory.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import uuid

import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def manage():
    environment = {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}", "DJANGO_SETTINGS_MODULE": "settings"}
    probe = subprocess.run([sys.executable, "-c", "import djongo._sqm"], env=environment, capture_output=True, text=True)
    if probe.returncode:
        pytest.skip("djongo._sqm isn't compiled")
    directory = None
    if "DJONGO_TEST_URI" not in os.environ:
        from djongo import embedded

        directory = pathlib.Path(os.path.realpath(tempfile.mkdtemp(prefix="djongo-backend-"))) / "server"
        environment["DJONGO_TEST_URI"] = embedded.ensure_running(directory=directory, durable=False)
    environment["DJONGO_TEST_DATABASE"] = f"backend_{os.getpid()}_{uuid.uuid4().hex[:6]}"

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "django", *arguments],
            cwd=HERE, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        )  # fmt: skip
        return done.returncode, done.stdout

    yield run
    if directory:
        from djongo import embedded

        embedded.stop(directory=directory)
        shutil.rmtree(directory.parent)


def test_the_app(manage):
    status, output = manage("test", "app", "--noinput")
    assert status == 0, output


def test_the_app_on_cloned_databases(manage):
    status, output = manage("test", "app", "--noinput", "--parallel=2", "-v2")
    assert status == 0, output
    assert "Cloning test database" in output


def test_system_checks(manage):
    status, output = manage("check", "--database", "default")
    assert status == 0 and "djongo.W001" not in output, output
