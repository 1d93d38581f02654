"""Runs a command with DJONGO_TEST_URI naming a MongoDB replica set of its own: with_server.py COMMAND...

The server is the embedded one, in a temporary directory, and may be told to fail (failpoints): the C tests of the server layer do.
"""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import mongodb  # noqa: E402

os.environ.pop("DJONGO_TEST_URI", None)
with mongodb.server("unit") as uri:
    status = subprocess.run(sys.argv[1:], env={**os.environ, "DJONGO_TEST_URI": uri}).returncode
sys.exit(status)
