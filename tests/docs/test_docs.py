"""The dumps in docs/*.md are what sqm prints today: every fenced block that begins with `$ sqm ` is run and compared."""
import pathlib
import re
import shlex
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SQM = ROOT / "build" / "core" / "sqm"
BLOCKS = [
    pytest.param(match.group(1), match.group(2), id=f"{page.name}-{number}")
    for page in sorted((ROOT / "docs").glob("*.md"))
    for number, match in enumerate(re.finditer(r"```\n\$ (sqm [^\n]*)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
]


def test_there_are_dumps():
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize("command, expected", BLOCKS)
def test_dump(command, expected):
    _, *arguments = shlex.split(command)
    found = subprocess.run([SQM, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=30)
    assert found.stderr == ""
    assert found.stdout.strip() == expected.strip()
