#!/usr/bin/env python3
"""Runs the steps of the test ladder, adds up what they count, and ends with one line: "N passed, N failed".

    run_tests.py [step ...]        without a step: all of them, in this order, but for those that run only when they are named

A step is a command with a report that it writes (JUnit XML of pytest and meson, or the JSON of the Django suite's runner). What fails doesn't end the run: the
next steps tell more. A step that breaks down, reports nothing, or passes its time limit counts as one failure, so no silence can pass for success.
The exit status is 0 only if nothing failed. Reports and full logs stay in .cache/tests/.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".cache" / "tests"
BIN = pathlib.Path(sys.executable).parent
PYTHON = sys.executable
# All steps together; a step that would go on past it is ended and counted as failed.
TOTAL_MINUTES = 24


# ---- reports -> (passed, failed, skipped, names of failures) ---------------------------------------------------------


def junit(path):
    passed, failures, skipped = 0, [], 0
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            reason = next((child.get("message") or "" for child in case if child.tag in {"failure", "error"}), "")
            name = f"{case.get('classname', '')}::{case.get('name')}".lstrip(":")
            failures.append(f"{name}  {' '.join(reason.split())[:300]}".rstrip())
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    return passed, len(failures), skipped, failures


def django_suite(path):
    """Of Django's suite a test counts as failed if it passes on SQLite and not on djongo: the others are listed in its own report."""
    report = json.loads(path.read_text())
    lost = [f"{name} ({outcome})" for rows in report["lost"].values() for name, outcome in rows]
    total = report["total"]
    broken = [f"{app}: {result['status']}" for app, result in report["apps"].items() if result["status"] != "ok" and app not in report["lost"]]
    return total["passed"] + total["expected_failure"], len(lost) + len(broken), total["skipped"], lost + broken


# ---- the steps -------------------------------------------------------------------------------------------------------


class Step:
    def __init__(self, name, commands, report=None, read=None, minutes=5, needs=None, named_only=False):
        self.name, self.commands, self.read, self.minutes, self.needs = name, commands, read, minutes, needs
        self.report, self.named_only = report, named_only


def pytest_step(name, *paths, minutes=5):
    report = REPORTS / f"{name}.xml"
    command = [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *paths]
    return Step(name, [command], report, junit, minutes, needs=paths)


def meson_step(name, build, options=(), environment=()):
    """Compiles and runs the C tests and the golden tests in a build directory of its own."""
    setup = [str(BIN / "meson"), "setup", *options, build]
    configured = (ROOT / build / "build.ninja").exists()
    report = ROOT / build / "meson-logs" / "testlog.junit.xml"
    commands = ([] if configured else [setup]) + [
        [str(BIN / "ninja"), "-C", build],
        ["env", *environment, str(BIN / "meson"), "test", "-C", build, "--no-rebuild", "--print-errorlogs"],
    ]
    return Step(name, commands, report, junit, minutes=8)


def server_step():
    """The C tests that need a MongoDB, under the sanitizers (the step before has compiled them)."""
    report = ROOT / "build-sanitize" / "meson-logs" / "testlog.junit.xml"
    command = ["env", *SANITIZER_OPTIONS, str(BIN / "meson"), "test", "-C", "build-sanitize", "--no-rebuild", "--print-errorlogs", "test_server", "test_ddl"]
    return Step("server", [[PYTHON, "tests/unit/with_server.py", *command]], report, junit, minutes=4)


SANITIZE = ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dextension=false", "-Doptimization=1"]
SANITIZER_OPTIONS = ["ASAN_OPTIONS=detect_leaks=1:abort_on_error=1", "UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1"]


def valgrind_step():
    """The C unit tests and the golden tests under valgrind; --trace-children follows the golden tests' script into the shell, the grammar check not into lemon."""
    report = ROOT / "build" / "meson-logs" / "testlog-valgrind.junit.xml"
    valgrind = "valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --trace-children=yes --trace-children-skip=*lemon"
    command = [str(BIN / "meson"), "test", "-C", "build", "--no-rebuild", "--print-errorlogs", "--timeout-multiplier", "5"]
    return Step("valgrind", [[*command, "--wrapper", valgrind, "--suite", "unit", "--suite", "golden"]], report, junit, minutes=8, named_only=True)


def wheel_commands():
    """A wheel is built, installed where nothing of this tree is on the path, and imported."""
    place = REPORTS / "wheel"
    return [
        ["rm", "-rf", str(place)],
        [PYTHON, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(place), str(ROOT)],
        ["sh", "-c", f"cd {place} && {PYTHON} -m zipfile -e djongo-*.whl {place}/unpacked"],
        ["sh", "-c", f"cd {place}/unpacked/djongo-*.data/scripts && chmod +x sqm && ./sqm --plan 'SELECT 1'"],
        ["sh", "-c", f"cd {place}/unpacked && {PYTHON} -c 'import djongo, djongo._sqm; assert \"{place}\" in djongo._sqm.__file__, djongo._sqm.__file__'"],
    ]


def djongo13_step():
    """The tests of an old database once more, on one that djongo 1.3.7 writes now. Skipped where there is no Python old enough for it."""
    report, database = REPORTS / "djongo13.xml", REPORTS / "djongo-1.3.7.jsonl"
    commands = [
        [PYTHON, "tests/legacy/make_djongo13.py", str(database)],
        ["env", f"DJONGO13_DATABASE={database}", PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", "tests/legacy/test_djongo13.py"],
    ]
    return Step("djongo13", commands, report, junit, minutes=6)


def steps():
    return [
        meson_step("core", "build"),
        meson_step("sanitize", "build-sanitize", SANITIZE, SANITIZER_OPTIONS),
        server_step(),
        valgrind_step(),
        Step("layers", [[PYTHON, "tests/check_layers.py"]], minutes=1, needs=["tests/check_layers.py"]),
        pytest_step("dbapi", "tests/dbapi", minutes=8),
        pytest_step("logic", "tests/logic", minutes=8),
        pytest_step("concurrency", "tests/concurrency", minutes=6),
        pytest_step("embedded", "tests/embedded"),
        pytest_step("backend", "tests/backend", minutes=8),
        pytest_step("orm", "tests/orm", minutes=4),
        pytest_step("shell", "tests/shell", minutes=2),
        pytest_step("plans", "tests/plans", minutes=3),
        pytest_step("models", "tests/models", minutes=10),
        pytest_step("legacy", "tests/legacy", minutes=5),
        djongo13_step(),
        pytest_step("browser", "tests/browser", minutes=6),
        pytest_step("docs", "tests/docs", minutes=2),
        Step("wheel", wheel_commands(), minutes=5),
        Step("demo-check", [[PYTHON, "tools/demo.py", "check"], [PYTHON, "tools/demo.py", "stop"]], minutes=8),
        Step(
            "django",
            [[PYTHON, "tests/django_suite/run.py", "--against-sqlite", "--out", str(REPORTS / "django.json")]],
            REPORTS / "django.json",
            django_suite,
            minutes=18,
        ),
    ]


def run(step, end):
    """(passed, failed, skipped, names of failures) of one step, which is ended at its own limit or at `end`."""
    missing = [path for path in step.needs or () if not (ROOT / path).exists()]
    if missing:
        return 0, 1, 0, [f"missing: {', '.join(missing)}"]
    if step.report and step.report.exists():
        step.report.unlink()
    log_path = REPORTS / f"{step.name}.log"
    deadline = min(end, time.monotonic() + step.minutes * 60)
    # The driver's counters in shared memory outlive a process that is killed, and the next one with its number warns of them.
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1", "MONGOC_DISABLE_SHM": "1"}
    status = 0
    with open(log_path, "wb") as log:
        for command in step.commands:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                status = process.wait(max(1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
                status = f"over its time limit ({step.minutes} minutes, {TOTAL_MINUTES} for all steps)"
            if status:
                break
    text = log_path.read_text(errors="replace")
    if status == NOT_HERE:
        print(indent(text.strip()))
        return 0, 0, 1, []
    problem = [f"{step.name}: {status if isinstance(status, str) else f'exit status {status}'}"]
    if step.report is None:
        if not status:
            return 1, 0, 0, []
        print(indent("\n".join(text.splitlines()[-25:])))
        return 0, 1, 0, problem
    try:
        passed, failed, skipped, names = step.read(step.report)
    except (OSError, ValueError, KeyError, xml.etree.ElementTree.ParseError):
        passed, failed, skipped, names = 0, 0, 0, []
    if not failed and (status or not passed):
        failed, names = 1, problem if status else [f"{step.name}: no test ran"]
    if failed:
        print(indent("\n".join(text.splitlines()[-40:])))
    return passed, failed, skipped, names


# A command's exit status: this machine has not what the step needs.
NOT_HERE = 77


def indent(text):
    return re.sub(r"^", "    | ", text, flags=re.M)


def main():
    available = {step.name: step for step in steps()}
    chosen = sys.argv[1:] or [step.name for step in available.values() if not step.named_only]
    unknown = [name for name in chosen if name not in available]
    if unknown:
        sys.exit(f"{__doc__}\nno such step: {', '.join(unknown)}; there are {', '.join(available)}")
    REPORTS.mkdir(parents=True, exist_ok=True)
    started, rows = time.monotonic(), []
    for name in chosen:
        begun = time.monotonic()
        print(f"== {name}", flush=True)
        passed, failed, skipped, failures = run(available[name], started + TOTAL_MINUTES * 60)
        rows.append((name, passed, failed, skipped))
        for failure in failures[:60]:
            print(f"  FAILED  {failure}")
        if len(failures) > 60:
            print(f"  ... and {len(failures) - 60} more: {REPORTS / name}.log")
        print(f"   {passed} passed, {failed} failed, {skipped} skipped in {time.monotonic() - begun:.0f} s", flush=True)
    width = shutil.get_terminal_size((80, 24)).columns
    print("=" * min(width, 60))
    for name, passed, failed, skipped in rows:
        print(f"{name:12} {passed:6} passed {failed:5} failed {skipped:5} skipped")
    total_passed, total_failed = sum(row[1] for row in rows), sum(row[2] for row in rows)
    print(f"{time.monotonic() - started:.0f} s in all")
    print(f"{total_passed} passed, {total_failed} failed", flush=True)
    return 1 if total_failed or not total_passed else 0


if __name__ == "__main__":
    sys.exit(main())
