#!/usr/bin/env python3
"""Statement coverage of core/ under the tests: a table of files, a total, and the lines that no test reaches.

    coverage.py [--step NAME ...] [--keep] [--lines FILE ...]

The core, the shell, the C tests and the extension are compiled with gcov's counters into build-coverage/, the tree's Python files are copied beside it (so that
the tests find that extension and not the usual one), and the steps run there: unit and golden tests, the C tests that need a server, fuzz-parse, dbapi, logic,
embedded, backend, plans, docs, and a short run of the SQL and ORM fuzzer. gcovr (PyPI, installed below build-coverage/) reads the counters.

--step: only these steps; --keep: add to the counters of the run before; --lines: also list the lines of these files that were not reached.
Lines marked GCOVR_EXCL_LINE, or between GCOVR_EXCL_START and GCOVR_EXCL_STOP, are left out; each says why. The exit status is 0 if the total is at least MINIMUM.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-coverage"
TREE, TOOLS = BUILD / "tree", BUILD / "tools"
BIN = pathlib.Path(sys.executable).parent
GCOVR = "gcovr==8.8"
MINIMUM = 90.0


def run(*command, **options):
    return subprocess.run([str(part) for part in command], **options)


def prepare(keep):
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    if not (BUILD / "build.ninja").exists():
        run(BIN / "meson", "setup", "-Db_coverage=true", "-Dwerror=false", "-Doptimization=1", BUILD, check=True, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
    run(BIN / "ninja", "-C", BUILD, "--quiet", check=True, env=environment, cwd=ROOT)
    if not keep:
        for counters in BUILD.rglob("*.gcda"):
            counters.unlink()
    shutil.rmtree(TREE, ignore_errors=True)
    unwanted = shutil.ignore_patterns("_sqm*.so", "__pycache__", ".djongo")
    for name in ("djongo", "tests", "docs", "tools", "examples", "core"):
        shutil.copytree(ROOT / name, TREE / name, ignore=unwanted)
    for file in ROOT.glob("*.*"):
        if file.is_file():
            shutil.copy(file, TREE)
    (extension,) = (BUILD / "ext").glob("_sqm*.so")
    shutil.copy(extension, TREE / "djongo")
    (TREE / "build").symlink_to(BUILD)          # tests that run the shell look for it there
    if not TOOLS.exists():
        run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", TOOLS, GCOVR, check=True)


def steps(uri):
    def pytest(name, minutes=10):
        return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/{name}"], {"DJONGO_TEST_URI": uri} if name in ("logic", "dbapi", "shell", "models", "orm", "plans") else {}

    found = {
        "meson": ([BIN / "meson", "test", "-C", BUILD, "--no-rebuild", "--print-errorlogs"], {"DJONGO_TEST_URI": uri}),
        "fuzz-sql": ([sys.executable, "tests/logic/fuzz.py", "-n", "1500", "-s", "coverage", "--uri", uri], {}),
    }
    for name in ("dbapi", "logic", "embedded", "backend", "orm", "shell", "models", "plans", "docs"):
        if (ROOT / "tests" / name).exists():
            found[name] = pytest(name)
    return found


def measure(chosen):
    sys.path.insert(0, str(ROOT / "tests"))
    import mongodb

    failed = []
    with mongodb.server("coverage") as uri:
        for name, (command, more) in steps(uri).items():
            if chosen and name not in chosen:
                continue
            environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(TREE), "PYTHONDONTWRITEBYTECODE": "1", **more}
            log = BUILD / f"step-{name}.log"
            with open(log, "wb") as out:
                status = run(*command, cwd=TREE, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=1800).returncode
            print(f"  {name}: {'ok' if status == 0 else f'exit status {status}, see {log.relative_to(ROOT)}'}", flush=True)
            if status:
                failed.append(name)
    return failed


def report(listed):
    out = BUILD / "coverage.json"
    run(sys.executable, "-m", "gcovr", "--root", ROOT, "--object-directory", BUILD, "--filter", "core/.*", "--gcov-ignore-errors", "no_working_dir_found", "--gcov-ignore-parse-errors", "negative_hits.warn_once_per_file",
        "--merge-mode-functions", "merge-use-line-0", "--json", out, BUILD, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(TOOLS)}, stderr=subprocess.DEVNULL)
    reached_of_all, lines_of_all = 0, 0
    rows = []
    for file in json.loads(out.read_text())["files"]:
        counts = {}
        for line in file["lines"]:
            if not line.get("gcovr/noncode") and not line.get("gcovr/excluded"):
                counts[line["line_number"]] = counts.get(line["line_number"], 0) + line["count"]
        if not counts:
            continue
        missed = sorted(number for number, count in counts.items() if not count)
        rows.append((file["file"], len(counts) - len(missed), len(counts), missed))
    for name, reached, lines, missed in sorted(rows):
        reached_of_all, lines_of_all = reached_of_all + reached, lines_of_all + lines
        print(f"{name:32} {lines:6} {reached:6} {100 * reached / lines:6.1f} %")
    for name, _, _, missed in sorted(rows):
        if pathlib.Path(name).name in listed:
            source = (ROOT / name).read_text().split("\n")
            print(f"\n{name}")
            for number in missed:
                print(f"{number:6}  {source[number - 1]}")
    total = 100 * reached_of_all / lines_of_all
    print(f"{'core/':32} {lines_of_all:6} {reached_of_all:6} {total:6.1f} %")
    return total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--step", action="append")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--report", action="store_true", help="run nothing, read the counters of the run before")
    parser.add_argument("--lines", nargs="+", default=[])
    options = parser.parse_args()
    failed = []
    if not options.report:
        prepare(options.keep)
        failed = measure(options.step)
    total = report(options.lines)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return bool(failed) or total < MINIMUM


if __name__ == "__main__":
    sys.exit(main())
