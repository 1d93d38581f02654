#!/usr/bin/env python3
"""All of Django's own suite, unmodified, on SQLite and on djongo, and every difference with its reason.

    all.py [--django 5|6] [--resume] [--jobs 1|2] [--engine postgresql] [app ...]

An app runs on SQLite and at once, in the same slot, on djongo, so that both find the same machine; their seconds add up to the ratio that is printed. The
results stay in .cache/django-all-VERSION.json after every app; --resume takes from there what ran to its end and the same sources haven't outdated
(the package djongo/ and its extension: --resume-anyway doesn't ask). --engine postgresql runs PostgreSQL as well and tells what passes there and not here.

Every test that passes on SQLite has to pass here, or to fall into one of these groups, which djongo/features.py spells out:
  ledger     a limit of MongoDB makes it impossible (django_test_skips, django_test_feature_skips, django_test_own_skips). At most LEDGER_LIMIT tests.
  sqlite     the test wants SQLite itself, a quirk of it (django_test_sqlite_quirks) or a database without a feature that is here: PostgreSQL skips it too.
Anything else is an unexplained difference. Exit status 0: none of these, a ledger within its limit, and no run that broke down here and not on SQLite.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import run
from djongo.features import DatabaseFeatures

LEDGER_LIMIT = 100
RATIO_LIMIT = 6
# Apps that can't run on a machine with Debian's and pip's ordinary packages, on any database.
NOT_RUN = {"gis_tests": "needs GDAL and a spatial database", "postgres_tests": "skips itself off PostgreSQL"}
SETUP = ("setUpClass", "setUpModule", "tearDownClass", "tearDownModule", "unittest.loader")
# What a test says that is skipped because the database isn't SQLite.
SQLITE_ONLY = re.compile(r"\bsqlite\b", re.IGNORECASE)


# ---- running ----------------------------------------------------------------------------------------------------------


def all_apps(suite):
    return [
        path.name
        for path in sorted(suite.iterdir())
        if (path / "__init__.py").exists() and any(path.rglob("test*.py")) and path.name not in NOT_RUN
    ]


def fingerprint(python):
    """Changes with the backend's sources and its extension."""
    suffix = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_config_var('EXT_SUFFIX'))"], check=True, capture_output=True, text=True
    ).stdout.strip()
    package = run.ROOT / "djongo"
    digest = hashlib.sha256()
    for path in sorted([*package.rglob("*.py"), package / f"_sqm{suffix}"]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Results:
    """What is known, in a file that is whole at any time."""

    def __init__(self, path, stamp, resume, anyway):
        self.path, self.stamp, self.lock = path, stamp, threading.Lock()
        self.apps = json.loads(path.read_text())["apps"] if resume and path.exists() else {}
        if not anyway:
            for engines in self.apps.values():
                if engines.get("djongo", {}).get("stamp") != stamp:
                    engines.pop("djongo", None)

    def get(self, app, engine):
        return self.apps.get(app, {}).get(engine)

    def put(self, app, engine, result):
        with self.lock:
            self.apps.setdefault(app, {})[engine] = {**result, "stamp": self.stamp}
            scratch = self.path.with_suffix(".new")
            scratch.write_text(json.dumps({"apps": self.apps}) + "\n")
            scratch.rename(self.path)


def run_all(apps, engines, results, suite, args, uris):
    def one(app):
        for engine in engines:
            if results.get(app, engine) is None:
                results.put(app, engine, run.run_app(app, suite, args, uris[engine], engine))
        return app

    done = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for job in concurrent.futures.as_completed([pool.submit(one, app) for app in apps]):
            app, done = job.result(), done + 1
            print(f"[{done}/{len(apps)}] " + line(app, results), flush=True)
            for text in results.get(app, "djongo").get("tail", ()):
                print("    |", text)


# ---- reading ----------------------------------------------------------------------------------------------------------


def ledger_reason(detail):
    """The reason in djongo/features.py of a skip that counts, or None."""
    if detail in DatabaseFeatures.django_test_skips:
        return detail
    if detail in DatabaseFeatures.django_test_own_skips:
        return f"{detail} {DatabaseFeatures.django_test_own_skips[detail]}"
    return next((f"{flag}: {reason}" for flag, reason in DatabaseFeatures.django_test_feature_skips.items() if flag in flags(detail)), None)


def sqlite_reason(detail):
    """Why a skipped test is none of ours: (the group's heading) or None."""
    for flag in flags(detail):
        if flag in DatabaseFeatures.django_test_sqlite_quirks:
            return f"{flag}: {DatabaseFeatures.django_test_sqlite_quirks[flag]}"
    if detail.startswith("Database has feature(s)"):
        return f"for databases without {', '.join(flags(detail))}"
    if detail in DatabaseFeatures.django_test_not_here:
        return f"{detail}: {DatabaseFeatures.django_test_not_here[detail]}"
    return "written for SQLite alone" if SQLITE_ONLY.search(detail) else None


def flags(detail):
    match = re.fullmatch(r"Database (?:doesn't support(?: any of the)? feature\(s\):|has feature\(s\)) (.+)", detail)
    return match[1].split(", ") if match else []


class Differences:
    def __init__(self):
        self.ledger = collections.defaultdict(list)
        self.sqlite = collections.defaultdict(list)
        self.unexplained = []  # (test, outcome, detail)
        self.more = []  # pass here and not on SQLite

    def app(self, name, ours, theirs):
        """Sorts one app's differences; returns what its line in the table says of them."""
        passes = set(ours["passes"])
        before = len(self.unexplained)
        counts = collections.Counter()
        for test in theirs["passes"]:
            if test in passes:
                continue
            other = ours["others"].get(test, {"outcome": "did not run", "detail": ours["status"]})
            detail = other["detail"]
            skipped = other["outcome"] == "skipped"
            if skipped and ledger_reason(detail):
                self.ledger[ledger_reason(detail)].append(test)
                counts["in the ledger"] += 1
            elif skipped and sqlite_reason(detail):
                self.sqlite[sqlite_reason(detail)].append(test)
                counts["for SQLite"] += 1
            else:
                self.unexplained.append((test, other["outcome"], detail))
        # What fails here and did not pass there: explained if it fails there too.
        for test, other in ours["others"].items():
            bad = other["outcome"] in ("failed", "error", "unexpected_success")
            if bad and test not in theirs["passes"] and theirs["others"].get(test, {}).get("outcome") not in ("failed", "error", "unexpected_success"):
                self.unexplained.append((test, other["outcome"], other["detail"]))
        if ours["status"] != "ok" and theirs["status"] == "ok":
            self.unexplained.append((name, ours["status"], "\n".join(ours.get("tail", ()))))
        self.more += sorted(passes - set(theirs["passes"]))
        counts["more than SQLite"] = len(passes - set(theirs["passes"]))
        counts["UNEXPLAINED"] = len(self.unexplained) - before
        both_fail = [test for test, other in ours["others"].items() if other["outcome"] in ("failed", "error", "unexpected_success")]
        counts["fail on both"] = len(both_fail) - sum(1 for row in self.unexplained[before:] if row[0] in both_fail)
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count > 0)


def counts(result):
    return "/".join(str(result[name]) for name in ("passed", "failed", "error", "skipped"))


def line(app, results):
    ours, theirs = results.get(app, "djongo"), results.get(app, "sqlite")
    note = Differences().app(app, ours, theirs)
    return f"{app:28} {counts(ours):>16} {counts(theirs):>16} {ours['seconds']:7.1f} {theirs['seconds']:7.1f}  {note}"


def last_line(detail):
    return (detail.strip().splitlines() or [""])[-1][:220]


def print_group(title, groups):
    total = sum(map(len, groups.values()))
    print(f"\n{title}: {total} tests")
    for reason, tests in sorted(groups.items(), key=lambda item: -len(item[1])):
        print(f"  {len(tests):4}  {reason}")
        for test in sorted(tests):
            print(f"          {test}")
    return total


def report(version, apps, results):
    """Prints everything; True if it is as it should be."""
    print(f"\nDjango {version}: passed/failed/error/skipped\n\n{'app':28} {'djongo':>16} {'SQLite':>16} {'s':>7} {'s':>7}")
    differences = Differences()
    for app in apps:
        print(line(app, results))
        differences.app(app, results.get(app, "djongo"), results.get(app, "sqlite"))
    count = print_group("Ledger (djongo/features.py): pass on SQLite, impossible on MongoDB", differences.ledger)
    print_group("For SQLite or for databases with less (not counted)", differences.sqlite)
    if results.apps[apps[0]].get("postgresql"):
        print_postgresql(apps, results)
    print(f"\nUnexplained differences: {len(differences.unexplained)}")
    for test, outcome, detail in differences.unexplained:
        print(f"  {outcome:18} {test}\n      {last_line(detail)}")
    sums = {
        engine: {key: sum(results.get(app, engine)[key] for app in apps) for key in (*run.OUTCOMES, "seconds")} for engine in ("djongo", "sqlite")
    }
    print()
    for engine, total in sums.items():
        text = ", ".join(f"{total[name]} {name.replace('_', ' ')}" for name in run.OUTCOMES if total[name])
        print(f"Django {version} on {engine:7}: {text}; {total['seconds']:.0f} s")
    ratio = sums["djongo"]["seconds"] / max(sums["sqlite"]["seconds"], 0.1)
    print(f"{len(differences.more)} tests pass here that SQLite skips")
    print(f"time: {ratio:.1f} times SQLite's (limit {RATIO_LIMIT}); ledger: {count} tests (limit {LEDGER_LIMIT})")
    print(f"{len(differences.unexplained)} unexplained differences")
    return not differences.unexplained and count <= LEDGER_LIMIT and ratio <= RATIO_LIMIT


def print_postgresql(apps, results):
    """What passes on PostgreSQL and neither passes here nor on SQLite: what its features could still add."""
    groups = collections.defaultdict(list)
    for app in apps:
        ours, theirs = results.get(app, "djongo"), results.get(app, "postgresql")
        passes = set(ours["passes"]) | set(results.get(app, "sqlite")["passes"])
        for test in theirs["passes"]:
            if test not in passes:
                groups[last_line(ours["others"].get(test, {}).get("detail", "did not run"))].append(test)
    print_group("Pass on PostgreSQL and neither here nor on SQLite", groups)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("apps", nargs="*", help="default: all")
    parser.add_argument("--django", choices=("5", "6"), default="5")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--resume-anyway", action="store_true", help="--resume whatever has changed")
    parser.add_argument("--report", action="store_true", help="run nothing: report of what is known")
    parser.add_argument("--engine", choices=("postgresql",), help="this one too")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=2)
    parser.add_argument("--timeout", type=float, default=900, help="seconds per app (default 900)")
    args = parser.parse_args()
    args.python = sys.executable if args.django == "5" else str(run.ROOT / ".venv-django6" / "bin" / "python")
    if not os.path.exists(args.python):
        sys.exit("there is no .venv-django6: run tools/bootstrap.py django6 (or make test-django6)")
    args.verbosity, args.k, args.times = 1, None, False
    version = run.django_version(args.python)
    args.logs = run.ROOT / ".cache" / f"suite-logs-{version}"
    args.logs.mkdir(parents=True, exist_ok=True)
    suite = run.suite_directory(args.python)
    apps = args.apps or all_apps(suite)
    path = run.ROOT / ".cache" / f"django-all-{version}.json"
    keep = args.resume or args.resume_anyway or args.report or bool(args.apps)
    results = Results(path, fingerprint(args.python), keep, args.resume_anyway or args.report or bool(args.apps))
    if args.apps and not (args.resume or args.resume_anyway or args.report):
        for app in apps:
            results.apps.pop(app, None)
    engines = ["sqlite", "djongo", *([args.engine] if args.engine else [])]
    started = time.monotonic()
    if args.report:
        apps = [app for app in apps if results.get(app, "djongo") and results.get(app, "sqlite")]
    else:
        # The longest first, as far as it is known, so that both slots end together.
        order = sorted(apps, key=lambda app: -(results.apps.get(app, {}).get("sqlite") or {"seconds": 0})["seconds"])
        with run.server("djongo") as uri, run.server(args.engine or "sqlite") as other:
            run_all(order, engines, results, suite, args, {"sqlite": "", "djongo": uri, "postgresql": other})
    ok = report(version, apps, results)
    print(f"ran for {time.monotonic() - started:.0f} s; not run: " + "; ".join(f"{app} ({why})" for app, why in NOT_RUN.items()))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
