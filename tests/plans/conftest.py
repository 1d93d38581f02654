"""A library of 20,000 books by 2,000 authors with 40,000 book-tag rows, loaded once through the ORM."""
import json
import pathlib
import random
import sys

import mongodb
import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[2])]

BOOKS, AUTHORS, PUBLISHERS, TAGS, BOOK_TAGS = 20_000, 2_000, 50, 500, 40_000


@pytest.fixture(scope="session")
def library(uri):
    """The models, on a database with their rows."""
    with mongodb.database(uri, "plans") as name:
        yield from library_on(uri, name)


def library_on(uri, name):
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": {"ENGINE": "djongo", "NAME": name, "HOST": uri}},
        INSTALLED_APPS=[], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True,
    )  # fmt: skip
    django.setup()
    import library as models
    from django.db import connection

    try:
        with connection.schema_editor() as editor:
            for model in models.ALL:
                editor.create_model(model)
        fill(models)
        yield models
    finally:
        connection.close()


def fill(models):
    rng = random.Random(4)
    rows = {
        models.Author: [models.Author(name=f"author {i}", country=rng.choice(["de", "fr", "it"])) for i in range(1, AUTHORS + 1)],
        models.Publisher: [models.Publisher(name=f"publisher {i}") for i in range(1, PUBLISHERS + 1)],
        models.Tag: [models.Tag(name=f"tag {i}") for i in range(1, TAGS + 1)],
        models.Book: [
            models.Book(
                title=f"The book number {i}", pages=rng.randrange(50, 1000), author_id=rng.randint(1, AUTHORS), publisher_id=rng.randint(1, PUBLISHERS),
                editor_id=rng.choice([None, rng.randint(1, AUTHORS)]),
            )
            for i in range(1, BOOKS + 1)
        ],
        models.Book.tags.through: [models.Book.tags.through(book_id=book, tag_id=tag) for book, tag in sorted(
            (n // TAGS + 1, n % TAGS + 1) for n in rng.sample(range(BOOKS * TAGS), BOOK_TAGS))],
    }  # fmt: skip
    for model, objects in rows.items():
        model.objects.bulk_create(objects, batch_size=5000)


@pytest.fixture(autouse=True, scope="session")
def fresh_connection(library):
    """One that has seen the row counts as they are now, as any process that starts later."""
    from django.db import connection

    connection.close()


class Plan:
    """An EXPLAIN (ANALYZE, FORMAT JSON)."""

    def __init__(self, text):
        (self.top,) = json.loads(text)
        self.text = text
        self.round_trips = self.top["Round Trips"]
        self.nodes = [node for root in self.roots() for node in walk(root)]
        self.scans = [node for node in self.nodes if node["Node Type"] == "Scan"]

    def roots(self):
        return [self.top["Plan"], *(item["Plan"] for key in ("Subqueries", "CTEs") for item in self.top.get(key, ()))]

    @property
    def rows(self):
        return self.top["Plan"]["Actual Rows"]

    @property
    def documents(self):
        return sum(scan["Documents Examined"] for scan in self.scans if scan["Actual Loops"] and "Documents Examined" in scan)

    def documents_of(self, table):
        return sum(scan.get("Documents Examined", 0) for scan in self.scans if scan["Relation Name"] == table)

    def access(self, table):
        return {way for scan in self.scans if scan["Relation Name"] == table and "Access" in scan for way in scan["Access"].split(", ")}

    def show(self):
        return "\n".join(
            f"{node['Node Type']} {node.get('Detail', '')[:150]} | rows {node.get('Actual Rows')} loops {node['Actual Loops']} commands {node.get('Commands')} "
            f"documents {node.get('Documents Examined')} keys {node.get('Keys Examined')} {node.get('Access', '')}"
            for node in self.nodes
        ) + f"\nround trips {self.round_trips}"


def walk(node):
    yield node
    for child in node.get("Plans", ()):
        yield from walk(child)


@pytest.fixture
def explain(library):
    """explain(queryset) or explain(sql, params) -> Plan"""

    def run(query, params=()):
        from django.db import connection

        if not isinstance(query, str):
            return Plan(query.explain(format="json", analyze=True))
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", params)
            return Plan(json.dumps(cursor.fetchone()[0]))

    return run
