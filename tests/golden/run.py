#!/usr/bin/env python3
"""run.py SQM: checks every golden file with the shell; `run.py SQM --rewrite` writes what the compiler says now (review the diff)."""
import pathlib
import subprocess
import sys

files = sorted(str(path) for path in pathlib.Path(__file__).parent.glob("*.test"))
sys.exit(subprocess.run([sys.argv[1], "--golden", *files, *sys.argv[2:]]).returncode)
