"""Runs a command with DJONGO_TEST_URI naming a MongoDB replica set of its own: with_server.py COMMAND...

The server is the embedded one, in a temporary directory, and may be told to fail (failpoints): the C tests of the server layer do.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
from djongo import embedded  # noqa: E402

directory = pathlib.Path(os.path.realpath(tempfile.mkdtemp(prefix="djongo-unit-"))) / "server"
try:
    uri = embedded.ensure_running(directory=directory, durable=False)
    status = subprocess.run(sys.argv[1:], env={**os.environ, "DJONGO_TEST_URI": uri}).returncode
finally:
    embedded.stop(directory=directory)
    shutil.rmtree(directory.parent, ignore_errors=True)
sys.exit(status)
