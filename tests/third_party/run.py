#!/usr/bin/env python3
"""The tests of third-party packages, as published on PyPI, with ENGINE "djongo" and on SQLite: the counts side by side.

    run.py [package ...]

The packages of requirements.txt are installed, and their sdists unpacked, into .cache/third-party/ (through pip). Where an sdist holds tests, these run,
unmodified but for what third_party_plugin.py does; for django-taggit and django-mptt, whose sdists hold none, the tests here in taggit_features/ and
mptt_features/ exercise what the packages are for. A test that passes on SQLite and not on djongo is a failure, and so is a run that breaks down.
"""
import collections
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import typing
import uuid
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "django_suite"))
import run as django_suite  # noqa: E402

CACHE = ROOT / ".cache" / "third-party"
PACKAGES = CACHE / "packages"

class Suite(typing.NamedTuple):
    """How a package's tests run: pytest's arguments, the folders of the sdist that are to be on Python's path (none: the tests are ours, here), environment."""

    arguments: list
    path: tuple = (".",)
    environment: dict = {}


# What the plugin does about tests that write down the keys of new rows, and about those that compare microseconds.
KEYS = {"SUITE_KEYS": "1"}
CLOCK = {"SUITE_CLOCK": "1"}

SUITES = {
    "djangorestframework": Suite(["tests"], environment=CLOCK),
    "django-filter": Suite(["tests", "--ds=tests.settings"], environment=KEYS),
    "django-guardian": Suite(["guardian/testapp/tests"]),
    "django-taggit": Suite(["taggit_features", "--ds=taggit_features.settings", "--no-migrations"], ()),
    "django-mptt": Suite(["mptt_features", "--ds=mptt_features.settings", "--no-migrations"], ()),
    "django-treebeard": Suite(["tests/test_treebeard.py", "tests/test_numconv.py", "--ds=tests.settings"]),
    # Without the measuring of coverage that its settings ask for.
    "django-axes": Suite(["tests", "-o", "addopts="]),
    "django-reversion": Suite(["tests/test_app/tests", "--ds=test_project.settings"], (".", "tests")),
    # This test is skipped on SQLite, and waits forever elsewhere: for eight look-ups of a code, where this version makes one.
    "django-allauth": Suite(["tests", "--deselect=tests/apps/idp/oidc/test_authorization.py::test_authorization_code_concurrent_redemption"], environment=CLOCK),
    "django-import-export": Suite(["tests/core/tests", "--ds=settings"], (".", "tests")),
    "django-simple-history": Suite(["simple_history/tests", "--ds=simple_history_settings"], environment=CLOCK),
    # The other file marks fixtures, which this version of pytest refuses.
    "django-celery-beat": Suite(["t/unit", "--ignore=t/unit/test_schedulers.py"]),
    "django-ordered-model": Suite(["tests/tests.py", "--ds=tests.settings"], environment=KEYS | CLOCK),
    "django-model-utils": Suite(["tests"], environment={"SQLITE": "1"}),
    "django-auditlog": Suite(["auditlog_tests", "--ds=auditlog_tests.test_settings"], environment=CLOCK | {"TEST_DB_BACKEND": "sqlite3"}),
    "django-otp": Suite(["src/django_otp", "--ds=test_project.settings"], ("src", "test"), CLOCK),
}

# Tests that can't pass, and why.
LEDGER = {
    "django-allauth: tests.apps.account.test_phone.test_signup_conflict": "The test wants its user to have key 1, which on PostgreSQL and here was an earlier test's.",
}


def versions():
    lines = (HERE / "requirements.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def install():
    requirements = HERE / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = CACHE / ".installed"
    if stamp.exists() and stamp.read_text() == digest:
        return
    shutil.rmtree(PACKAGES, ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", PACKAGES, "-r", requirements],
        check=True,
    )
    stamp.write_text(digest)


def sources(package):
    """Where the tests run: the unpacked sdist, or this directory."""
    if not SUITES[package].path:
        return HERE
    version = versions()[package]
    target = CACHE / f"{package}-{version}"
    if not target.exists():
        django_suite.download_sdist(package, version, target)
    return target


def configuration(directory):
    """The sdist's own settings of pytest, or none: those of this tree, further up, are not for it."""
    for name, section in (("pytest.ini", "[pytest]"), ("pyproject.toml", "[tool.pytest"), ("tox.ini", "[pytest]"), ("setup.cfg", "[tool:pytest]")):
        file = directory / name
        if file.exists() and section in file.read_text():
            return ["-c", file]
    return ["-c", os.devnull, "-o", "python_files=test*.py"]


def outcomes(report):
    tests = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        kinds = {child.tag: child for child in case}
        bad = kinds.get("failure", kinds.get("error"))
        if bad is not None:
            tests[name] = ("failed", f"{bad.get('message', '')}\n{bad.text or ''}")
        elif "skipped" in kinds:
            tests[name] = ("skipped", kinds["skipped"].get("message", ""))
        else:
            tests[name] = ("passed", "")
    return tests


def run(package, engine, uri):
    directory = sources(package)
    suite = SUITES[package]
    report = pathlib.Path(tempfile.mkstemp(prefix="djongo-third-", suffix=".xml")[1])
    environment = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join(map(str, (*(directory / folder for folder in suite.path), PACKAGES, HERE))),
        SUITE_ENGINE=engine,
        SUITE_URI=uri,
        SUITE_DATABASE="dj_" + uuid.uuid4().hex[:10],
        **suite.environment,
    )
    environment.pop("DATABASE_URL", None)
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "third_party_plugin", f"--junitxml={report}", f"--rootdir={directory}",
               "--timeout=300", *configuration(directory), *suite.arguments]
    log = CACHE / f"{package}-{engine}.log"
    started = time.monotonic()
    with open(log, "w") as out:
        status = subprocess.run(command, cwd=directory, env=environment, stdout=out, stderr=subprocess.STDOUT, timeout=1800).returncode
    tests = outcomes(report) if status in (0, 1) and report.stat().st_size else {}
    report.unlink()
    return tests, time.monotonic() - started, log


def counts(tests):
    found = collections.Counter(outcome for outcome, _ in tests.values())
    return "/".join(str(found[name]) for name in ("passed", "failed", "skipped"))


def last_line(text):
    lines = [line for line in text.strip().splitlines() if re.match(r"E  |\S*Error", line)] or text.strip().splitlines() or [""]
    return lines[-1].strip()[:200]


def main():
    packages = sys.argv[1:] or list(SUITES)
    unknown = set(packages) - set(SUITES)
    if unknown:
        sys.exit(f"{__doc__}\nno such package: {', '.join(unknown)}; there are {', '.join(SUITES)}")
    install()
    lost, broken, table = {}, [], []
    with django_suite.server("djongo") as uri:
        for package in packages:
            theirs, their_seconds, their_log = run(package, "sqlite", "")
            ours, seconds, log = run(package, "djongo", uri)
            for tests, path in ((theirs, their_log), (ours, log)):
                if not tests:
                    broken.append(f"{package}: see {path.relative_to(ROOT)}")
            missing = {name: ours.get(name, ("did not run", "")) for name, (outcome, _) in theirs.items() if outcome == "passed" and ours.get(name, ("",))[0] != "passed"}
            lost |= {f"{package}: {name}": found for name, found in missing.items()}
            table.append((f"{package} {versions()[package]}", counts(ours), counts(theirs), seconds, their_seconds))
            print(f"{table[-1][0]:32} {table[-1][1]:>16} {table[-1][2]:>16} {seconds:7.1f} {their_seconds:7.1f}", flush=True)
    print(f"\npassed/failed/skipped\n{'package':32} {'djongo':>16} {'SQLite':>16} {'s':>7} {'s':>7}")
    for name, ours, theirs, seconds, their_seconds in table:
        print(f"{name:32} {ours:>16} {theirs:>16} {seconds:7.1f} {their_seconds:7.1f}")
    explained = {name: LEDGER[name] for name in lost if name in LEDGER}
    lost = {name: found for name, found in lost.items() if name not in explained}
    for name, reason in explained.items():
        print(f"  in the ledger: {name}\n      {reason}")
    for name, (outcome, detail) in lost.items():
        print(f"  {outcome}: {name}\n      {last_line(detail)}")
    print("".join(f"broke down: {line}\n" for line in broken) + f"{len(lost)} tests that pass on SQLite do not pass here")
    return 1 if lost or broken else 0


if __name__ == "__main__":
    sys.exit(main())
