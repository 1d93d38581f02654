"""Databases of other programs, opened by djongo.

Each test has the database of its own, loaded from the text that the other program's database was dumped to, and works as a project does: with manage.py and
scripts, in processes of their own.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
import uuid

import pymongo
import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

import dump  # noqa: E402


class Project:
    """A project directory and its database."""

    def __init__(self, source, directory, uri, content):
        self.directory = directory / source.name
        shutil.copytree(source, self.directory, ignore=shutil.ignore_patterns("__pycache__"))
        self.client = pymongo.MongoClient(uri)
        self.database = self.client[f"legacy_{os.getpid()}_{uuid.uuid4().hex[:8]}"]
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore",
            "SITE_URI": uri,
            "SITE_DATABASE": self.database.name,
        }
        self.environment.setdefault("DJANGO_SETTINGS_MODULE", "settings")
        if content:
            dump.load(self.database, content)

    def close(self):
        self.client.drop_database(self.database.name)
        self.client.close()

    def process(self, *arguments, **environment):
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.directory, env={**self.environment, **environment}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
        )  # fmt: skip

    def manage(self, *arguments, status=0, **environment):
        done = self.process("manage.py", *arguments, **environment)
        assert done.returncode == status, done.stdout
        return done.stdout

    def run(self, code, **environment):
        """Runs Python in the project; what it prints."""
        code = "import django; django.setup()\n" + textwrap.dedent(code)
        done = self.process("-c", code, **environment)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def edit(self, file, *changes):
        path = self.directory / file
        text = path.read_text()
        for old, new in changes:
            assert text.count(old) == 1, (old, text.count(old))
            text = text.replace(old, new)
        path.write_text(text)


@pytest.fixture
def make_project(uri, tmp_path):
    made = []

    def make(source, content=None):
        made.append(Project(HERE / source, tmp_path, uri, content))
        return made[-1]

    yield make
    for project in made:
        project.close()
