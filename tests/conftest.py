"""What all suites share: the server (mongodb.py)."""

import pathlib
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1])]

import mongodb  # noqa: E402


@pytest.fixture(scope="session")
def uri(request):
    """The server's URI."""
    suite = pathlib.Path(request.config.args[0].split("::")[0]).resolve()
    with mongodb.server(suite.name if suite.is_dir() else suite.parent.name) as uri:
        yield uri
