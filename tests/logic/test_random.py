"""Random statements (fuzz.py), the same ones in every run: what PostgreSQL answers, djongo answers. make fuzz-logic runs as many as wanted."""
import contextlib
import pathlib
import sys

sys.path[:0] = [str(pathlib.Path(__file__).parents[2]), str(pathlib.Path(__file__).parent)]

import databases  # noqa: E402
import fuzz  # noqa: E402
import pymongo  # noqa: E402
import pytest  # noqa: E402
import shrink  # noqa: E402

COUNT = 330


@pytest.mark.parametrize("kind", [kind for kind in fuzz.BLOCK if kind != "orm"])
def test_random(kind, uri, database, postgres):
    if not postgres:
        pytest.skip("PostgreSQL is not installed")
    with contextlib.ExitStack() as stack:
        documents = stack.enter_context(pymongo.MongoClient(uri))[database]
        oracle = stack.enter_context(databases.postgres_database(postgres))
        djongo, connect_unoptimised = stack.enter_context(databases.djongo_databases(uri, database))
        make = fuzz.Fuzz(oracle, djongo, connect_unoptimised, documents)
        problems = fuzz.fuzz(make, COUNT, "default", [kind], say=lambda *_, **__: None)
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
    assert make.done[kind] and sum(make.refused.values()) <= make.done[kind] * 0.02, make.refused


def test_shrinking():
    """What a failure is made into: the parts that it needs and no others."""
    mark = shrink.mark
    text = mark("p", "(" + mark("p", "x = " + mark("int", "(" + mark("int", "y") + " + " + mark("int", "BAD") + ")")) + " AND " + mark("p", "z") + ")") + mark("opt", " LIMIT 1")
    smaller = shrink.shrink(text, lambda candidate: "BAD" in candidate, {"p": ["TRUE"], "int": ["1"]})
    assert shrink.plain(smaller) == "x = BAD"
    assert shrink.shrink_list(list(range(20)), lambda items: {3, 17} <= set(items)) == [3, 17]
