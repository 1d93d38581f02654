"""The cases of fuzz.py that are queries of Django's ORM: the same source, evaluated on djongo and on Django's PostgreSQL backend.

Changes run inside atomic(), are compared there (what the call returned, then every table), and rolled back.
"""
import collections
import contextlib
import datetime
import decimal
import random
import re
import sys
import warnings

import generate_orm
from django.core.management.color import no_style
import runner
from shrink import plain, shrink

ALIASES = ("default", "postgres")


@contextlib.contextmanager
def session(uri, name, connect):
    """An Orm over the tables of orm_app, made anew on both databases."""
    import django
    from django.conf import settings

    with connect() as probe:
        host = probe.info.host
    if not settings.configured:
        settings.configure(
            SECRET_KEY="x", USE_TZ=True, TIME_ZONE="Europe/Paris", INSTALLED_APPS=["orm_app"], DEFAULT_AUTO_FIELD="django.db.models.AutoField",
            DATABASES={
                "default": {"ENGINE": "djongo", "HOST": uri, "NAME": name},
                "postgres": {"ENGINE": "django.db.backends.postgresql", "HOST": host, "USER": "test", "NAME": "postgres"},
            },
        )
        django.setup()
    from django.apps import apps
    from django.db import connections

    models = list(apps.get_app_config("orm_app").get_models())
    for alias in ALIASES:
        with connections[alias].schema_editor() as editor:
            for model in models:
                editor.create_model(model)
    try:
        yield Session(models, connections)
    finally:
        for alias in ALIASES:
            connections[alias].close()
        import pymongo

        with pymongo.MongoClient(uri) as client:
            client.drop_database(name)


class Session:
    def __init__(self, models, connections):
        from django import db
        from django.db import models as m
        from django.db.models import functions, lookups

        self.models = {model.__name__[0]: model for model in models}
        self.connections, self.db = connections, db
        self.refused, self.loaded = collections.Counter(), None
        self.names = {**vars(functions), **vars(m), "GreaterThan": lookups.GreaterThan, **{model.__name__: model for model in models}, "Decimal": decimal.Decimal, "date": datetime.date, "timedelta": datetime.timedelta,
                      "at": lambda *args: datetime.datetime(*args, tzinfo=datetime.timezone.utc)}

    # ---- rows ----

    def load(self, seed, block):
        key = (seed, block // 10)
        if self.loaded == key:
            return
        rng = random.Random(f"{seed}:{key[1]}:orm")
        rows = self.rows(rng)
        for alias in ALIASES:
            for model in reversed(list(self.models.values())):
                for through in [field.remote_field.through for field in model._meta.many_to_many]:
                    through.objects.using(alias).all()._raw_delete(alias)
                model.objects.using(alias).all()._raw_delete(alias)
            for model, values in rows:
                model.objects.using(alias).bulk_create([model(**row) for row in values])
            # PostgreSQL's counters don't notice keys that are given.
            connection = self.connections[alias]
            with connection.cursor() as cursor:
                for sql in connection.ops.sequence_reset_sql(no_style(), [model for model, _ in rows]):
                    cursor.execute(sql)
        self.loaded = key

    def rows(self, rng):
        value = lambda kind: eval(generate_orm.constant(rng, kind), self.names)  # noqa: E731
        some = lambda kind: None if rng.random() < 0.25 else value(kind)  # noqa: E731
        A, T, B, R = (self.models[name] for name in "ATBR")
        pick = lambda n: None if rng.random() < 0.25 else rng.randint(1, n)  # noqa: E731
        words = rng.sample(generate_orm.TEXTS, 7)
        authors = [{"pk": k, "name": some("text"), "score": some("int"), "rating": some("float"), "active": value("bool"), "born": some("date"), "boss_id": pick(k - 1) if k > 1 else None} for k in range(1, 10)]
        tags = [{"pk": k, "word": words[k - 1], "weight": some("int")} for k in range(1, 8)]
        books = [{"pk": k, "title": value("text"), "pages": some("int"), "price": some("num"), "published": some("dt"), "day": some("date"), "data": some("json"), "author_id": pick(9), "editor_id": pick(9)} for k in range(1, 14)]
        pairs = sorted({(rng.randint(1, 13), rng.randint(1, 9)) for _ in range(22)})
        reviews = [{"pk": n + 1, "book_id": None if rng.random() < 0.15 else book, "by_id": by, "stars": value("int"), "text": value("text"), "good": some("bool")} for n, (book, by) in enumerate(pairs)]
        between = sorted({(rng.randint(1, 13), rng.randint(1, 7)) for _ in range(20)})
        near = sorted({tuple(sorted(rng.sample(range(1, 8), 2))) for _ in range(6)})
        near = sorted(set(near) | {(b, a) for a, b in near})
        return [(A, authors), (T, tags), (B, books), (R, reviews), (B.tags.through, [{"pk": n + 1, "book_id": b, "tag_id": t} for n, (b, t) in enumerate(between)]),
                (T.near.through, [{"pk": n + 1, "from_tag_id": a, "to_tag_id": b} for n, (a, b) in enumerate(near)])]

    # ---- one case ----

    def evaluate(self, source, alias):
        """(rows, error)"""
        names = {**self.names, **{letter: model.objects.using(alias) for letter, model in self.models.items()}}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self.plain(eval(source, names), self.prefetched(source)), None
        except self.db.Error as e:
            return None, e
        except Exception as e:      # noqa: BLE001: FieldError, DoesNotExist ...: what Django itself says of the query
            return None, e

    def prefetched(self, source):
        found = re.search(r"prefetch_related\('([^']*)'\)", source)
        return found[1].split("__") if found else []

    def plain(self, value, prefetch=()):
        """Rows (lists) of what a query gives."""
        from django.db.models import Model, QuerySet

        if isinstance(value, Model):
            return [[self.instance(value, prefetch)]]
        if isinstance(value, dict):
            return [[sorted(([str(k), self.one(v, prefetch)] for k, v in value.items()), key=str)]]
        if isinstance(value, QuerySet) or hasattr(value, "__next__"):
            return [self.row(item, prefetch) for item in value]
        return [[value]]

    def row(self, item, prefetch):
        if isinstance(item, dict):
            return [self.one(item[key], prefetch) for key in sorted(item)]
        return [self.one(one, prefetch) for one in item] if isinstance(item, tuple) else [self.one(item, prefetch)]

    def one(self, value, prefetch):
        from django.db.models import Model

        return self.instance(value, prefetch) if isinstance(value, Model) else value

    def instance(self, model, prefetch):
        fields = [[key, value] for key, value in sorted(model.__dict__.items()) if not key.startswith("_")]
        if prefetch:
            related = getattr(model, prefetch[0])
            related = sorted(related.all(), key=lambda item: item.pk) if hasattr(related, "all") else [related] if related else []
            fields.append([prefetch[0], [self.instance(item, prefetch[1:]) for item in related]])
        cached = [[name, item.pk if item is not None else None] for name, item in sorted(model._state.fields_cache.items()) if hasattr(item, "pk") or item is None]
        return [type(model).__name__, fields, cached]

    def compare(self, answers, ordered):
        (ours, our_error), (theirs, their_error) = answers
        if our_error is not None and type(our_error).__name__ == "NotSupportedError":
            if their_error is None:
                self.refused[re.sub(r'"[^"]*"|\d+', "..", str(our_error).split("\n")[0])] += 1
            return None
        if our_error is not None or their_error is not None:
            if type(our_error) is type(their_error) or (type(their_error).__name__ == "DataError" and "out of range" in str(their_error)):
                return None
            return f"postgres: {type(their_error).__name__} / djongo: {type(our_error).__name__}", f"  djongo: {our_error}\n  postgres: {their_error}"
        try:
            runner.compare("", ours, theirs, "postgres", ordered)
        except runner.Mismatch as e:
            return "rows postgres", str(e).lstrip("\n")
        return None

    def differs(self, source, ordered):
        return self.compare([self.evaluate(source, alias) for alias in ALIASES], ordered)

    def effect(self, source):
        answers, tables = [], []
        for alias in ALIASES:
            try:
                with self.db.transaction.atomic(using=alias):
                    answer = None
                    with contextlib.suppress(self.db.Error), self.db.transaction.atomic(using=alias):
                        answer = self.evaluate(source, alias)
                        if isinstance(answer[1], self.db.Error):
                            raise answer[1]
                    answers.append(answer)
                    tables.append([self.evaluate(table, alias) for table in self.tables()])
                    raise Undo
            except Undo:
                pass
        if found := self.compare(answers, False):
            return found
        if any(answer[1] is not None for answer in answers):
            tables = tables if all(answer[1] is not None for answer in answers) else []
        for source_, *pair in zip(self.tables(), *tables):
            if found := self.compare(pair, False):
                return found[0], f"  afterwards, {source_}:\n{found[1]}"
        return None

    def tables(self):
        return ["A.all().values_list()", "T.all().values_list()", "B.all().values_list()", "R.all().values_list()", "Book.tags.through.objects.using(A.db).values_list('book_id', 'tag_id')",
                "Tag.near.through.objects.using(A.db).values_list('from_tag_id', 'to_tag_id')"]

    def cases(self, numbers, seed, block):
        self.load(seed, block)
        problems = []
        for number in numbers:
            made = generate_orm.Orm(f"{seed}:{number}")
            if number % 6 == 5:
                text, differs = made.write(), lambda candidate: self.effect(plain(candidate))
            else:
                text, ordered = made.query()
                differs = lambda candidate, ordered=ordered: self.differs(plain(candidate), ordered)  # noqa: E731
            if found := differs(text):
                counters = self.refused.copy()
                text = shrink(text, lambda candidate: (again := differs(candidate)) is not None and again[0] == found[0], generate_orm.SIMPLE)
                found = differs(text) or found
                self.refused = counters
                problems.append(f"case {number} of seed {seed} (orm): {found[0]}\n{plain(text)}\n{found[1]}\n{self.sql(plain(text))}\n")
        return problems

    def sql(self, source):
        """The statements that djongo got."""
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(self.connections["default"]) as captured:
            try:
                with self.db.transaction.atomic(using="default"):
                    self.evaluate(source, "default")
                    raise Undo
            except (Undo, self.db.Error):
                pass
        return "\n".join("  " + query["sql"] for query in captured.captured_queries[:8])


class Undo(Exception):
    pass
