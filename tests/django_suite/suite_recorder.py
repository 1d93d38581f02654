"""A test runner that is Django's own, with a result class that also writes each outcome as a line of JSON.

In: SUITE_RECORD, the path of the file to append to. Out: {"id", "outcome", "detail", "seconds"} per test, flushed at once, so
that a run killed by its time-out still tells what it had done. Outcomes: passed, failed, error, skipped, expected_failure,
unexpected_success. A failing subtest marks its whole test failed. A class or module whose set-up fails has no test of its own
in unittest's report: it is recorded under the id that unittest gives ("setUpClass (app.tests.Case)").
"""
import json
import os
import time
import unittest

from django.test.runner import DiscoverRunner


class Result(unittest.TextTestResult):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._record = open(os.environ["SUITE_RECORD"], "a", encoding="utf-8")
        self._broken = {}  # tests of which a subtest has failed: id -> (outcome, detail)
        self._started = time.perf_counter()

    def _write(self, test, outcome, detail=""):
        line = {
            "id": test.id(),
            "outcome": outcome,
            "detail": detail[-4000:],
            "seconds": round(time.perf_counter() - self._started, 3),
        }
        self._record.write(json.dumps(line) + "\n")
        self._record.flush()

    def startTest(self, test):
        self._started = time.perf_counter()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        # unittest reports neither success nor failure for a test whose subtests failed.
        if test.id() in self._broken:
            self._write(test, *self._broken.pop(test.id()))

    def addSuccess(self, test):
        super().addSuccess(test)
        if test.id() not in self._broken:
            self._write(test, "passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._write(test, "failed", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self._write(test, "error", self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            outcome = "failed" if issubclass(err[0], test.failureException) else "error"
            self._broken.setdefault(test.id(), (outcome, self._exc_info_to_string(err, test)))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._write(test, "skipped", reason)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._write(test, "expected_failure")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._write(test, "unexpected_success")


class Runner(DiscoverRunner):
    def get_resultclass(self):
        return Result
