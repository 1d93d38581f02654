#!/usr/bin/env python3
"""Runs apps of Django's own test-suite, unmodified, on djongo, SQLite or PostgreSQL, and counts.

    run.py [--engine djongo|sqlite|postgresql] [--python PYTHON] [--out counts.json] [--against-sqlite | --compare baseline.json] [app or test label ...]

The suite is that of the Django installed for PYTHON (default: this one): its sdist comes through pip into .cache/ once. Each app runs in a process of its own with a
time-out, two at most at a time, against a MongoDB that is started for this run in a temporary directory (in memory where /dev/shm has room)
or against --uri. The test databases' names are unique per run and app. The JSON file holds, per app, the counts, the seconds, and the outcome
of every test that did not simply pass. --compare reads such a file of another run and reports each test that passed there and does not pass here: these,
and runs that broke down, make the exit status 1. --against-sqlite is --compare with a run on SQLite, made first (about a minute for the default apps) and
kept in .cache/ per version of Django. A label may go as deep as unittest's: app.tests.Class.test.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUTCOMES = ("passed", "failed", "error", "skipped", "expected_failure", "unexpected_success")
GOOD = ("passed", "expected_failure")


def django_version(python=sys.executable):
    return subprocess.run([python, "-c", "import django; print(django.get_version())"], check=True, capture_output=True, text=True).stdout.strip()


def suite_directory(python=sys.executable):
    """The tests/ of the sdist of this interpreter's Django, downloaded on first use."""
    version = django_version(python)
    cache = ROOT / ".cache"
    target = cache / f"django-{version}"
    if not (target / "tests" / "runtests.py").exists():
        download_sdist("django", version, target, python)
    return target / "tests"


def download_sdist(name, version, target, python=sys.executable):
    """Unpacks a package's source distribution, got through pip, into this directory."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        subprocess.run(
            [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--no-binary", name, "--dest", scratch, f"{name}=={version}"],
            check=True,
        )
        (archive,) = pathlib.Path(scratch).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # since Python 3.11.4
        (unpacked,) = (path for path in pathlib.Path(scratch).iterdir() if path.is_dir())
        shutil.rmtree(target, ignore_errors=True)
        unpacked.rename(target)


@contextlib.contextmanager
def server(engine, uri=""):
    """What SUITE_URI is to be for this engine: a server of this run's own unless an address is given."""
    if uri or engine == "sqlite":
        yield uri or ""
    elif engine == "postgresql":
        sys.path.insert(0, str(ROOT / "tests" / "logic"))
        import databases

        with databases.postgres() as connect:
            if connect is None:
                sys.exit("PostgreSQL or psycopg isn't installed")
            with connect() as connection:
                yield connection.info.host
    else:
        from djongo import embedded

        scratch = scratch_directory()
        try:
            yield embedded.ensure_running(directory=scratch, cache_gb=2, durable=False)
        finally:
            embedded.stop(directory=scratch)
            shutil.rmtree(scratch, ignore_errors=True)


def scratch_directory():
    """Where the run's server keeps its data: in memory if there is room, for nothing of it is to last."""
    shm = pathlib.Path("/dev/shm")
    if shm.is_dir() and os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 3 << 30:
        return tempfile.mkdtemp(prefix="djongo-suite-", dir=shm)
    return tempfile.mkdtemp(prefix="djongo-suite-")


def run_app(label, suite, args, uri, engine=None):
    engine = engine or args.engine
    record = pathlib.Path(tempfile.mkstemp(prefix="djongo-suite-", suffix=".jsonl")[1])
    environment = dict(
        os.environ,
        PYTHONPATH=str(HERE),
        SUITE_ENGINE=engine,
        SUITE_URI=uri,
        SUITE_DATABASE="dj_" + uuid.uuid4().hex[:10],
        SUITE_RECORD=str(record),
        PYTHONWARNINGS="ignore",
    )
    command = [args.python, "runtests.py", "--settings=suite_settings", "--noinput", "--parallel=1",
               f"--verbosity={args.verbosity}", *(["-k", args.k] if args.k else []), label]
    started = time.monotonic()
    log = args.logs / f"{label}{'' if engine == 'djongo' else '-' + engine}.log"
    with open(log, "w") as out:
        process = subprocess.Popen(command, cwd=suite, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(args.timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            status = "time-out"
    tests = {}
    for line in record.read_text().splitlines():
        entry = json.loads(line)
        # An error after the test's own outcome (tearDown, a class's clean-up) outweighs it.
        old = tests.get(entry["id"])
        if old is None or OUTCOMES.index(entry["outcome"]) in (1, 2):
            tests[entry["id"]] = entry
    record.unlink()
    counts = collections.Counter(entry["outcome"] for entry in tests.values())
    result = {name: counts[name] for name in OUTCOMES}
    result["seconds"] = round(time.monotonic() - started, 1)
    result["status"] = "ok"
    # runtests exits 1 when a test failed; anything else, or a 1 with no failure recorded, is a run that broke down.
    bad = counts["failed"] + counts["error"] + counts["unexpected_success"]
    if status not in (0, 1) or (status == 1 and not bad) or (not tests and not args.k):
        tail = log.read_text(errors="replace").strip().splitlines()[-8:]
        result["status"] = f"broke down ({'time-out' if status == 'time-out' else f'exit status {status}'})"
        result["tail"] = tail
    result["passes"] = sorted(key for key, entry in tests.items() if entry["outcome"] in GOOD)
    result["others"] = {
        key: {"outcome": entry["outcome"], "detail": entry["detail"]}
        for key, entry in sorted(tests.items())
        if entry["outcome"] not in GOOD
    }
    if args.times:
        result["times"] = {key: entry["seconds"] for key, entry in sorted(tests.items(), key=lambda item: -item[1]["seconds"])[:25]}
    return result


def summary(label, result):
    parts = [f"{result[name]} {name.replace('_', ' ')}" for name in OUTCOMES if result[name] or name == "passed"]
    state = "" if result["status"] == "ok" else f"  ** {result['status']} **"
    return f"{label:24} {', '.join(parts)}  ({result['seconds']:.0f} s){state}"


def selected(label, name):
    """Whether a baseline test belongs to what this label asked for."""
    parts = label.split(".")
    return name == label or name.startswith(label + ".") or (len(parts) == 1 and f"({label}." in name)


def in_ledger(other):
    """Is this a skip whose reason stands in djongo/features.py?"""
    from djongo.features import DatabaseFeatures

    if other["outcome"] != "skipped":
        return False
    if other["detail"] in DatabaseFeatures.django_test_skips or other["detail"] in DatabaseFeatures.django_test_own_skips:
        return True
    flags = re.fullmatch(r"Database (?:doesn't support feature\(s\):|has feature\(s\)) (.+)", other["detail"])
    known = {**DatabaseFeatures.django_test_feature_skips, **DatabaseFeatures.django_test_sqlite_quirks}
    return bool(flags) and all(flag in known for flag in flags[1].split(", "))


def compare(results, baseline, pattern):
    """Tests that pass in the baseline and not here, per app: (name, outcome here, detail). Skips with a reason in the ledger don't count."""
    lost = {}
    for label, result in results.items():
        passes = set(result["passes"])
        wanted = [
            name
            for name in baseline["apps"].get(label.split(".")[0], {"passes": []})["passes"]
            if selected(label, name) and (not pattern or pattern.strip("*") in name)
        ]
        rows = []
        for name in wanted:
            if name not in passes:
                other = result["others"].get(name, {"outcome": "did not run", "detail": result["status"]})
                if not in_ledger(other):
                    rows.append((name, other["outcome"], other["detail"]))
        # A class whose set-up failed takes its tests along; show its error once, as its own line.
        rows += [
            (name, other["outcome"], other["detail"])
            for name, other in result["others"].items()
            if name.startswith(("setUpClass", "setUpModule", "tearDownClass", "tearDownModule", "unittest.loader"))
        ]
        if rows:
            lost[label] = rows
    return lost


def print_lost(lost, baseline_name):
    for label, rows in lost.items():
        print(f"\n{label}: {len(rows)} pass in {baseline_name} and not here")
        for name, outcome, detail in rows:
            last = detail.strip().splitlines()[-1] if detail.strip() else ""
            print(f"  {outcome:18} {name}\n    {last[:200]}")


def sqlite_baseline(labels, python):
    """The path of a JSON file of these apps' run on SQLite; what it lacks is run now."""
    path = ROOT / ".cache" / f"suite-sqlite-{django_version(python)}.json"
    known = json.loads(path.read_text()) if path.exists() else {"apps": {}}
    missing = sorted({label.split(".")[0] for label in labels} - set(known["apps"]))
    if missing:
        print(f"on SQLite first: {', '.join(missing)}", flush=True)
        part = path.with_suffix(".part")
        command = [sys.executable, __file__, "--engine", "sqlite", "--python", python, "--out", str(part), *missing]
        subprocess.run(command, stdout=subprocess.DEVNULL)
        known["apps"] |= json.loads(part.read_text())["apps"]
        part.unlink()
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(known) + "\n")
        scratch.rename(path)
    return path


def default_apps():
    lines = (HERE / "apps.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", nargs="*", help="apps or test labels; default: the list in apps.txt")
    parser.add_argument("--engine", choices=("djongo", "sqlite", "postgresql"), default="djongo")
    parser.add_argument("--python", type=os.path.abspath, default=sys.executable, help="the interpreter that runs the suite; default: the one that runs this")
    parser.add_argument("--uri", help="use this MongoDB (a replica set) instead of starting one")
    parser.add_argument("--out", type=pathlib.Path, help="JSON file to write")
    parser.add_argument("--compare", type=pathlib.Path, help="JSON file of another run to compare with")
    parser.add_argument("--against-sqlite", action="store_true", help="compare with a run on SQLite, made first if there is none yet")
    parser.add_argument("--timeout", type=float, default=600, help="seconds per app (default 600)")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=2)
    parser.add_argument("--logs", type=pathlib.Path, default=ROOT / ".cache" / "suite-logs")
    parser.add_argument("--times", action="store_true", help="keep the 25 slowest tests of each app")
    parser.add_argument("-k", help="only tests whose name matches this pattern, as unittest's -k")
    parser.add_argument("-v", "--verbosity", type=int, default=1)
    args = parser.parse_args()

    labels = args.labels or default_apps()
    suite = suite_directory(args.python)
    if args.against_sqlite:
        args.compare = sqlite_baseline(labels, args.python)
        seconds = {app: result["seconds"] for app, result in json.loads(args.compare.read_text())["apps"].items()}
        labels.sort(key=lambda label: -seconds.get(label.split(".")[0], 0))  # the longest first, so that both processes end together
    args.logs.mkdir(parents=True, exist_ok=True)
    args.logs = args.logs.resolve()
    results = {}
    with server(args.engine, args.uri) as uri, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = {pool.submit(run_app, label, suite, args, uri): label for label in labels}
        for job in concurrent.futures.as_completed(jobs):
            results[jobs[job]] = job.result()
            print(summary(jobs[job], job.result()), flush=True)
            for line in job.result().get("tail", ()):
                print("    |", line)

    results = {label: results[label] for label in labels}
    total = {name: sum(result[name] for result in results.values()) for name in OUTCOMES}
    lost = {}
    if args.compare:
        lost = compare(results, json.loads(args.compare.read_text()), args.k)
        print_lost(lost, args.compare.name)
    broken = [label for label, result in results.items() if result["status"] != "ok"]
    report = {
        "engine": args.engine,
        "django": django_version(args.python),
        "total": total,
        "lost": {label: [row[:2] for row in rows] for label, rows in lost.items()},
        "apps": results,
    }
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\nDjango {report['django']} on {args.engine}: " + ", ".join(f"{total[name]} {name.replace('_', ' ')}" for name in OUTCOMES if total[name]))
    if args.compare:
        print(f"{sum(map(len, lost.values()))} tests that pass in {args.compare.name} do not pass here"
              + (f"; broken runs: {', '.join(broken)}" if broken else ""))
        return 1 if lost or broken else 0
    return 1 if total["failed"] + total["error"] + total["unexpected_success"] or broken else 0


if __name__ == "__main__":
    sys.exit(main())
