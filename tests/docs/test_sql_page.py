"""docs/sql.md: its examples compile, and its tables of functions are the core's."""
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SQM = ROOT / "build" / "core" / "sqm"
EXAMPLES = [
    statement
    for block in re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "sql.md").read_text(encoding="utf-8"), re.S)
    for statement in block.strip().split("\n")
]


def test_there_are_examples():
    assert len(EXAMPLES) > 20


@pytest.mark.parametrize("statement", EXAMPLES)
def test_example(statement):
    found = subprocess.run([SQM, "--mql", "--schema", "docs/book.sql", statement], capture_output=True, text=True, cwd=ROOT, timeout=30)
    assert found.returncode == 0 and not found.stderr, found.stderr + found.stdout


def test_grammar():
    subprocess.run([sys.executable, ROOT / "tools" / "grammar_page.py", "--check"], check=True)


def test_function_tables():
    subprocess.run([sys.executable, ROOT / "tools" / "function_tables.py", "--check"], check=True)
