"""What the backend does on a server. Run by test_server.py through `manage.py test`, not collected by pytest."""

import datetime
import io
import uuid
from decimal import Decimal

from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncMonth
from django.test import TestCase, TransactionTestCase

from .models import Author, Book, Tag

UTC = datetime.timezone.utc


class Values(TestCase):
    values = {
        "title": "Ünïcode ' \" % _ \\ 書",
        "pages": 99_999,
        "price": Decimal("-123456.78"),
        "published": datetime.datetime(2021, 2, 3, 4, 5, 6, 789000, UTC),
        "opens": datetime.time(23, 59, 59, 999000),
        "takes": datetime.timedelta(days=-3, microseconds=7),
        "data": {"a": [1, 2.5, None, {"$ne": "x"}], "dotted.key": True},
        "key": uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"),
        "ip": "2001:db8::1",
        "raw": b"\x00\xff",
    }

    def test_every_type_comes_back_as_it_went_in(self):
        author = Author.objects.create(name="a", born=datetime.date(1900, 1, 1), rating=0.1)
        pk = Book.objects.create(author=author, **self.values).pk
        book = Book.objects.get(pk=pk)
        for name, value in self.values.items():
            with self.subTest(name):
                found = getattr(book, name)
                self.assertEqual(bytes(found) if name == "raw" else found, value)
                if name != "data":
                    self.assertEqual(Book.objects.get(**{name: value}).pk, pk)
        self.assertEqual(Author.objects.get(born=datetime.date(1900, 1, 1), rating=0.1), author)

    def test_nulls_come_back_and_sort_first(self):
        author = Author.objects.create(name="a")
        Author.objects.create(name="b", rating=1)
        self.assertIsNone(Author.objects.get(pk=author.pk).rating)
        self.assertEqual(list(Author.objects.order_by("rating").values_list("rating", flat=True)), [None, 1.0])
        self.assertEqual(list(Author.objects.order_by(F("rating").asc(nulls_last=True)).values_list("name", flat=True)), ["b", "a"])

    def test_json_null_is_not_sql_null(self):
        author = Author.objects.create(name="a")
        sql = Book.objects.create(title="sql", author=author, data=None)
        json = Book.objects.create(title="json", author=author, data=models.Value(None, models.JSONField()))
        self.assertEqual(list(Book.objects.filter(data__isnull=True)), [sql])
        self.assertEqual(list(Book.objects.filter(data=None)), [json])


class Queries(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.ann = Author.objects.create(name="Ann", rating=2)
        cls.bob = Author.objects.create(name="Bob", active=False)
        cls.tag = Tag.objects.create(word="new")
        cls.books = Book.objects.bulk_create(
            Book(title=f"Book {i}", pages=i, author=cls.ann if i % 3 else cls.bob, data={"n": i, "l": [i]},
                 published=datetime.datetime(2020, 1 + i % 2, 31 if i % 2 == 0 else 1, 23, 30, tzinfo=UTC))
            for i in range(9)
        )  # fmt: skip
        cls.books[1].tags.add(cls.tag)

    def pages(self, *args, **kwargs):
        return sorted(Book.objects.filter(*args, **kwargs).values_list("pages", flat=True))

    def test_filters(self):
        self.assertEqual(self.pages(author__active=False), [0, 3, 6])
        self.assertEqual(self.pages(~Q(tags__word="new")), [0, 2, 3, 4, 5, 6, 7, 8])
        self.assertEqual(self.pages(title__icontains="BOOK 1"), [1])
        self.assertEqual(self.pages(title__iexact="bOOK 2"), [2])
        self.assertEqual(self.pages(title__regex=r"\s[34]$"), [3, 4])
        self.assertEqual(self.pages(author__in=Author.objects.filter(rating__gt=1), pages__lt=3), [1, 2])
        self.assertEqual(self.pages(data__n__gte=7), [7, 8])
        self.assertEqual(self.pages(data__l__0=5), [5])
        self.assertEqual(self.pages(data__contains={"n": 4}), [4])
        self.assertEqual(self.pages(published__date=datetime.date(2020, 2, 1)), [1, 3, 5, 7])

    def test_aggregates_and_updates(self):
        self.assertEqual(Book.objects.aggregate(n=Count("id"), s=Sum("pages")), {"n": 9, "s": 36})
        rows = Author.objects.annotate(n=Count("books")).order_by("name").values_list("name", "n")
        self.assertEqual(list(rows), [("Ann", 6), ("Bob", 3)])
        months = Book.objects.annotate(m=TruncMonth("published", tzinfo=UTC)).values("m").annotate(n=Count("id")).order_by("m")
        self.assertEqual([(row["m"].month, row["n"]) for row in months], [(1, 5), (2, 4)])
        self.assertEqual(Book.objects.filter(author__name="Bob").update(pages=F("pages") + 100), 3)
        self.assertEqual(self.pages(pages__gte=100), [100, 103, 106])
        self.assertEqual(Book.objects.filter(pages__gte=100).delete()[0], 3)

    def test_explain(self):
        self.assertIn("app_book", Book.objects.filter(pages=3).explain())


class Constraints(TestCase):
    def test_unique_and_checks(self):
        author = Author.objects.create(name="a")
        with self.assertRaises(IntegrityError), transaction.atomic():
            Author.objects.create(name="a")
        with self.assertRaises(IntegrityError), transaction.atomic():
            Book.objects.create(title="x", pages=-1, author=author)
        with self.assertRaises(IntegrityError), transaction.atomic():
            Book.objects.create(title=None, author=author)
        self.assertEqual(Author.objects.get_or_create(name="a"), (author, False))
        self.assertEqual(Author.objects.count(), 1)

    def test_foreign_keys_are_checked_on_demand(self):
        with transaction.atomic():
            point = transaction.savepoint()
            Book.objects.create(title="x", author_id=12345)
            with self.assertRaisesMessage(IntegrityError, "12345"):
                connection.check_constraints()
            transaction.savepoint_rollback(point)
        connection.check_constraints()

    def test_savepoints(self):
        with transaction.atomic():
            Author.objects.create(name="kept")
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                Author.objects.create(name="gone")
                1 / 0
            Author.objects.create(name="kept too")
        self.assertEqual(list(Author.objects.order_by("name").values_list("name", flat=True)), ["kept", "kept too"])


class Catalogue(TestCase):
    def test_introspection(self):
        with connection.cursor() as cursor:
            names = connection.introspection.table_names(cursor)
            self.assertLessEqual({"app_author", "app_book", "app_book_tags", "app_tag"}, set(names))
            self.assertEqual(connection.introspection.get_relations(cursor, "app_book"), {"author_id": ("id", "app_author")})
            constraints = connection.introspection.get_constraints(cursor, "app_book")
            types = [
                connection.introspection.get_field_type(field.type_code, field)
                for field in connection.introspection.get_table_description(cursor, "app_book")
            ]
        self.assertLessEqual({"book_once", "book_sane", "book_recent", "book_key"}, set(constraints))
        self.assertEqual(constraints["book_recent"]["orders"], ["ASC", "DESC"])
        self.assertEqual(constraints["book_once"]["columns"], ["author_id", "title"])
        self.assertEqual(
            types,
            ["BigAutoField", "CharField", "IntegerField", "DecimalField", "DateTimeField", "TimeField", "DurationField", "JSONField",
             "UUIDField", "CharField", "BinaryField", "BigIntegerField"],
        )  # fmt: skip

    def test_inspectdb(self):
        out = io.StringIO()
        call_command("inspectdb", "app_book", stdout=out)
        self.assertIn("author = models.ForeignKey('AppAuthor', models.DO_NOTHING)", out.getvalue())
        self.assertIn("price = models.DecimalField(max_digits=8, decimal_places=2, blank=True, null=True)", out.getvalue())


class Transactions(TransactionTestCase):
    def test_rollback_and_on_commit(self):
        done = []
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            Author.objects.create(name="gone")
            transaction.on_commit(lambda: done.append("gone"))
            1 / 0
        with transaction.atomic():
            Author.objects.create(name="kept")
            transaction.on_commit(lambda: done.append("kept"))
        self.assertEqual(done, ["kept"])
        self.assertEqual([author.name for author in Author.objects.all()], ["kept"])

    def test_foreign_keys_are_checked_when_the_transaction_ends(self):
        with self.assertRaisesMessage(IntegrityError, "violates foreign key constraint"):
            Book.objects.create(title="x", author_id=77)
        with transaction.atomic():
            book = Book.objects.create(title="x", author_id=77)
            Author.objects.create(pk=77, name="late")
        book.author_id = 78
        with self.assertRaisesMessage(IntegrityError, '=(78) is not present in table "app_author"'):
            book.save()
        with self.assertRaisesMessage(IntegrityError, "key (id)=(77) is still referenced"):
            with transaction.atomic():
                Author.objects.filter(pk=77)._raw_delete("default")
        self.assertEqual(list(Book.objects.values_list("author__name", flat=True)), ["late"])
        Author.objects.get(pk=77).delete()
        self.assertFalse(Book.objects.exists())

    def test_fixtures_advance_the_sequence(self):
        Author.objects.create(pk=1000, name="a")
        call_command("sqlsequencereset", "app", stdout=(out := io.StringIO()), no_color=True)
        with connection.cursor() as cursor:
            for line in out.getvalue().splitlines():
                if line.startswith("SELECT"):
                    cursor.execute(line)
        self.assertEqual(Author.objects.create(name="b").pk, 1001)

    def test_schema_changes(self):
        class Thing(models.Model):
            n = models.IntegerField()

            class Meta:
                app_label = "app"

        with connection.schema_editor() as editor:
            editor.create_model(Thing)
        try:
            Thing.objects.create(n=5)
            added = models.CharField(max_length=10, default="it's 5%")
            added.set_attributes_from_name("word")
            with connection.schema_editor() as editor:
                editor.add_field(Thing, added)
            old = Thing._meta.get_field("n")
            text = models.CharField(max_length=10)
            text.set_attributes_from_name("n")
            text.model = Thing
            with connection.schema_editor() as editor:
                editor.alter_field(Thing, old, text)
            with connection.cursor() as cursor:
                cursor.execute('SELECT "n", "word" FROM "app_thing"')
                self.assertEqual(cursor.fetchall(), [("5", "it's 5%")])
            renamed = models.CharField(max_length=10)
            renamed.set_attributes_from_name("m")
            renamed.model = Thing
            with connection.schema_editor() as editor:
                editor.alter_field(Thing, text, renamed)
                editor.remove_field(Thing, added)
            with connection.cursor() as cursor:
                cursor.execute('SELECT * FROM "app_thing"')
                self.assertEqual([column[0] for column in cursor.description], ["id", "m"])
        finally:
            with connection.schema_editor() as editor:
                editor.delete_model(Thing)
        self.assertNotIn("app_thing", connection.introspection.table_names())
