"""A database that django-mongodb-backend 5.2.4 wrote (official/fill.py): converted once, opened, written, migrated onward, by the steps that
docs/from-django-mongodb-backend.md tells people."""

import pathlib
import re
import subprocess

import bson
import pytest

HERE = pathlib.Path(__file__).parent
CONTENT = HERE / "django-mongodb-backend-5.2.4.jsonl"
GUIDE = HERE.parents[1] / "docs" / "from-django-mongodb-backend.md"


@pytest.fixture
def site(make_project):
    """The project after the guide's edits."""
    project = make_project("official", CONTENT.read_text())
    commands = re.search(r"```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL).group(1)
    subprocess.run(["sh", "-e", "-c", commands], cwd=project.directory, check=True)
    return project


def test_steps(site):
    out = site.manage("djongo_convert", "--dry-run")
    assert "library.Book: 5 documents to convert" in out
    assert site.database["library_book"].find_one({"title": "Book 1"})["length"] == 3600005
    assert "library.Book: 5 documents\n" in site.manage("djongo_convert")
    assert site.manage("djongo_convert") == ""
    stored = site.database["library_book"].find_one({"title": "Book 1"})
    assert stored["length"] == 3600005000 and stored["opens"].year == 1900 and stored["code"].subtype == 4
    out = site.manage("makemigrations", "library")
    assert "Delete model Address" in out and "Delete model Award" in out
    site.manage("migrate", "--fake")
    assert "No changes detected" in site.manage("makemigrations", "--check", "--dry-run")
    assert "models and the documents agree" in site.manage("djongo_diff")

    site.run("""
        from datetime import date, datetime, time, timedelta, timezone
        from decimal import Decimal
        from uuid import UUID
        from bson import ObjectId
        from django.contrib.auth import authenticate
        from django.contrib.auth.models import User
        from django.contrib.sessions.backends.db import SessionStore
        from django.db import IntegrityError
        from django.db.models import Sum
        from django.test import Client
        from library.models import Author, Book, Genre

        book = Book.objects.get(title="Book 1")
        assert isinstance(book.pk, ObjectId) and Book.objects.get(pk=str(book.pk)) == book
        assert (book.price, book.printed, book.score, book.pages, book.sold, bytes(book.cover)) == (Decimal("10.90"), date(2020, 1, 1), 0.25, 2**40 + 1, False, b"\\0")
        assert book.added == datetime(2020, 1, 1, 12, 30, 15, 123000, tzinfo=timezone.utc)
        assert (book.opens, book.length) == (time(8, 1, 30, 250000), timedelta(hours=1, milliseconds=5))
        assert book.code == UUID("12345678-90ab-cdef-0011-223344556601")
        assert book.data == {"a": [1, {"b": None}], "n": 1}
        for field in ("price", "printed", "added", "opens", "length", "code", "score", "pages", "cover", "reference"):
            assert book in Book.objects.filter(**{field: getattr(book, field)}), field
        assert Book.objects.filter(code=book.code).count() == 1 and Book.objects.filter(data__n=1).get() == book
        assert Book.objects.aggregate(Sum("price"))["price__sum"] == Decimal("64.50")
        assert Book.objects.filter(genres="poems", author__name="Bob").get() == book
        bare = Book.objects.get(title="Bare")
        assert (bare.price, bare.code, bare.pages, bare.author) == (None, None, 0, None)

        ann = Author.objects.get(name="Ann")
        assert ann.pk == ObjectId("60b8d2950000000000000001") == book.reference
        assert (ann.address.city, ann.address.since) == ("Rome", date(2001, 2, 3))
        assert [(award.name, award.amount) for award in ann.awards] == [("Gold", Decimal("12.50")), ("Silver", Decimal("3"))]
        assert ann.nicknames == ["A", "Annie"]
        assert Author.objects.filter(address__city="Rome").get() == ann

        assert authenticate(username="root", password="a password of 2025") == User.objects.get()
        assert SessionStore("officialsessionofficialsession00")["_auth_user_id"] == str(User.objects.get().pk)
        assert User.objects.get().groups.get().name == "readers"
        client = Client()
        assert client.post("/admin/login/?next=/admin/", {"username": "root", "password": "a password of 2025"}).url == "/admin/"
        assert client.get("/admin/auth/user/").status_code == 200

        book.price += 1
        book.length *= 2
        book.save()
        new = Book.objects.create(title="New", author=ann, added=datetime(2024, 1, 1, tzinfo=timezone.utc), code=UUID(int=5), length=timedelta(seconds=1))
        assert isinstance(new.pk, ObjectId)
        new.genres.add(*Genre.objects.all())
        Genre.objects.create(name="essays")
        for make in (lambda: Author.objects.create(name="Ann"), lambda: Genre.objects.create(name="poems")):
            try:
                make()
            except IntegrityError:
                continue
            raise AssertionError
    """)
    stored = site.database["library_book"].find_one({"title": "Book 1"})
    assert stored["price"] == bson.Decimal128("11.90") and stored["length"] == 7200010000

    site.edit("library/models.py", ("    sold = models.BooleanField(default=False)", "    sold = models.IntegerField(default=0)\n    shelf = models.CharField(max_length=5, default='A1', db_index=True)"))
    site.manage("makemigrations", "library")
    site.manage("migrate")
    site.run("""
        from library.models import Book

        assert Book.objects.filter(shelf="A1").count() == 7 and Book.objects.filter(sold=1).get().title == "Book 2"
    """)


def test_before_the_conversion(site):
    """Values that would be misread are refused."""
    out = site.process("-c", "import django; django.setup(); from library.models import Book; print(list(Book.objects.all()))").stdout
    assert 'collection "library_book" looks like django-mongodb-backend\'s' in out and "djongo_convert" in out
    assert "Ann" in site.run("from library.models import Author; print(Author.objects.get(name='Ann').name)")


def test_interrupted(site):
    """A conversion goes on where it was."""
    books = site.database["library_book"]
    one, two = books.find({"length": {"$ne": None}}).sort("_id").limit(2)
    books.update_one({"_id": one["_id"]}, {"$set": {"length": one["length"] * 1000}})
    site.database["__djongo_convert"].insert_one({"_id": "library_book", "last": one["_id"]})
    site.manage("djongo_convert")
    assert books.find_one(one["_id"])["length"] == one["length"] * 1000
    assert books.find_one(two["_id"])["length"] == two["length"] * 1000
    assert "__djongo_convert" not in site.database.list_collection_names()
