"""Writes a database with the real djongo 1.3.7 and dumps it: `python make_djongo13.py FILE` (the tests' djongo-1.3.7.jsonl was made so).

djongo 1.3.7 needs what it was pinned to: Django 3.1, PyMongo 3.11, and so Python 3.6 to 3.9. The first one found of python3.8, python3.9, python3.7 on PATH, of
pyenv's versions and of DJONGO13_PYTHON is taken; its environment is made in .cache/djongo-1.3.7 and kept. Exit status 77: there is no such Python.
The server is the one that DJONGO_TEST_URI names, or an embedded one.
"""

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
PLACE = ROOT / ".cache" / "djongo-1.3.7"
sys.path[:0] = [str(HERE), str(HERE.parent), str(ROOT)]
HOW = """No Python from 3.6 to 3.9 was found, which djongo 1.3.7 needs. To get one:  pyenv install 3.8  or  uv python install 3.8
(then DJONGO13_PYTHON=/path/to/python3.8). Until then the tests read the database that is kept in djongo-1.3.7.jsonl."""


def old_python():
    candidates = [os.environ.get("DJONGO13_PYTHON")]
    candidates += [shutil.which(f"python3.{minor}") for minor in (8, 9, 7, 6)]
    for versions in (pathlib.Path.home() / ".pyenv/versions", pathlib.Path.home() / ".local/share/uv/python"):
        candidates += [path for minor in (8, 9, 7, 6) for path in sorted(versions.glob(f"*3.{minor}.*/bin/python3.{minor}"))]
    for candidate in candidates:
        if not candidate:
            continue
        # A pyenv shim is there for versions that aren't active.
        done = subprocess.run([candidate, "-c", "import sys, venv; print(sys.version_info[:2])"], capture_output=True, text=True)
        if done.returncode == 0 and done.stdout.strip() in ("(3, 6)", "(3, 7)", "(3, 8)", "(3, 9)"):
            return str(candidate)
    return None


def environment():
    """The Python of an environment with djongo 1.3.7."""
    python = PLACE / "bin" / "python"
    if not (PLACE / "ready").exists():
        base = old_python()
        if base is None:
            print(HOW)
            sys.exit(77)
        shutil.rmtree(PLACE, ignore_errors=True)
        subprocess.run([base, "-m", "venv", str(PLACE)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "djongo==1.3.7", "dnspython"], check=True)
        (PLACE / "ready").touch()
    return python


def write(uri, database):
    python = environment()
    variables = {**os.environ, "SITE_URI": uri, "SITE_DATABASE": database, "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("PYTHONPATH", "DJANGO_SETTINGS_MODULE"):
        variables.pop(name, None)
    for command in (["manage.py", "migrate"], ["fill.py"]):
        subprocess.run([python, *command], cwd=HERE / "site", env=variables, check=True, stdout=subprocess.DEVNULL, timeout=300)


def main(target):
    import dump
    import mongodb
    from pymongo import MongoClient

    environment()
    with mongodb.server("legacy") as uri, mongodb.database(uri, "legacy_write") as database, MongoClient(uri) as client:
        write(uri, database)
        text = dump.dump(client[database])
    pathlib.Path(target).write_text(text)
    print(f"{target}: {len(text.splitlines())} collections, {len(text)} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
