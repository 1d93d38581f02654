"""ENFORCE_SCHEMA: without it models need no migration, with it models and database agree."""

import pymongo
import pytest


@pytest.fixture
def blog(make_project):
    return make_project("blog")


def test_without_migrations(blog):
    """Collections come into being when they are first touched, as migrate would have made them."""
    blog.run("""
        from django.contrib.auth import authenticate
        from django.contrib.auth.models import User
        from django.db import IntegrityError, transaction
        from entries.models import Author, Entry, Tag

        assert list(Author.objects.all()) == [] and Entry.objects.filter(author__name="x").count() == 0
        ann = Author.objects.create(name="Ann")
        with transaction.atomic():
            bob = Author.objects.create(name="Bob")
            entry = Entry.objects.create(author=bob, headline="One", tagline={"title": "t", "subtitle": ""})
            entry.tags.add(Tag.objects.create(word="new"))
        assert (ann.pk, bob.pk, entry.pk) == (1, 2, 1)
        assert [a.pk for a in Author.objects.bulk_create([Author(name="C"), Author(name="D")])] == [3, 4]
        assert Entry.objects.filter(tags__word="new", author__name="Bob").get().tagline.title == "t"
        for make in (lambda: Author.objects.create(name="Ann"), lambda: Author.objects.create(name=None)):
            try:
                make()
            except IntegrityError:
                continue
            raise AssertionError
        User.objects.create_user("u", password="p")
        assert authenticate(username="u", password="p").pk == 1
    """)
    assert "by_headline" in blog.database["entries_entry"].index_information()
    assert blog.database["__schema__"].find_one({"name": "entries_author"})["auto"]["seq"] >= 4


def test_the_migration_comes_later(blog):
    blog.run("""
        from entries.models import Author, Entry, Tag

        entry = Entry.objects.create(author=Author.objects.create(name="Ann"), headline="One")
        entry.tags.add(Tag.objects.create(word="new"))
    """)
    blog.manage("makemigrations", "entries")
    blog.manage("migrate")
    blog.run("""
        from django.db import IntegrityError, connection
        from entries.models import Author, Entry, Tag

        assert Entry.objects.get().tags.get().word == "new" and Author.objects.create(name="Bob").pk == 2
        with connection.cursor() as cursor:
            assert connection.introspection.get_relations(cursor, "entries_entry") == {"author_id": ("id", "entries_author")}
    """)
    assert "by_headline" in blog.database["entries_entry"].index_information()
    assert "No changes detected" in blog.manage("makemigrations", "--check", "--dry-run")
    assert "No migrations to apply" in blog.manage("migrate")


def test_a_field_more(blog):
    blog.run("""
        from entries.models import Author, Entry

        Entry.objects.create(author=Author.objects.create(name="Ann"), headline="One", rating=5)
    """)
    blog.edit("entries/models.py", ("    rating =", '    section = models.CharField(max_length=9, default="news")\n    score = models.FloatField(null=True)\n    rating ='))
    blog.run("""
        from django.db import connection
        from entries.models import Author, Entry

        old = Entry.objects.get()
        assert (old.section, old.score, old.rating) == ("news", None, 5)
        assert list(Entry.objects.values_list("section", "score")) == [("news", None)]
        assert [(entry.section, entry.score) for entry in Entry.objects.raw("SELECT * FROM entries_entry")] == [("news", None)]
        assert Author.objects.filter(pk=99).values_list("entry__section").count() == 0
        assert list(Author.objects.values_list("entry__section", flat=True)) == [None]  # an outer join: conditions and joins see what is stored
        assert Entry.objects.filter(section="news").count() == 0
        new = Entry.objects.create(author=old.author, headline="Two", section="art", score=1.5)
        old.save()
        assert Entry.objects.filter(section="news").count() == 1 and Entry.objects.get(section="art") == new
        # what nobody knows is an error as ever
        with connection.cursor() as cursor:
            for sql in ("SELECT nosuch FROM entries_entry", "SELECT entries_entry.nosuch FROM entries_entry", "SELECT 1 FROM nosuch", "UPDATE entries_entry SET nosuch = 1"):
                try:
                    cursor.execute(sql)
                except connection.Database.Error:
                    raise AssertionError("not Django's")
                except Exception as error:
                    assert "nosuch" in str(error)
                else:
                    raise AssertionError(sql)
    """)


def test_unknown_fields_are_kept(blog):
    blog.database["entries_author"].insert_one({"_id": 7, "name": "Ann", "shoe": {"size": 44}})
    blog.run("""
        from entries.models import Author

        ann = Author.objects.get()
        assert (ann.pk, ann.name, ann.email) == (7, "Ann", None)
        ann.name = "Anne"
        ann.save()
        assert Author.objects.create(name="Bob").pk == 8
    """)
    assert blog.database["entries_author"].find_one({"_id": 7}) == {"_id": 7, "name": "Anne", "email": None, "shoe": {"size": 44}}


def test_keys_of_another_type(blog):
    blog.database["entries_author"].insert_one({"name": "Ann"})
    out = blog.process("-c", "import django; django.setup(); from entries.models import Author; list(Author.objects.all())").stdout
    assert 'collection "entries_author" has documents without a key "id" of type integer, neither in a field of that name nor in _id' in out


def test_enforced(blog):
    on = {"SITE_ENFORCE_SCHEMA": "1"}
    out = blog.process("-c", "import django; django.setup(); from entries.models import Author; list(Author.objects.all())", SITE_ENFORCE_SCHEMA="1").stdout
    assert 'the table "entries_author" of model entries.Author is not in the database: run migrate (ENFORCE_SCHEMA is on)' in out
    assert "django.db.utils.ProgrammingError" in out and "djongo.exceptions.MigrationError" in out
    blog.manage("makemigrations", "entries", **on)
    blog.manage("migrate", **on)
    blog.run("""
        from entries.models import Author, Entry, Tag

        entry = Entry.objects.create(author=Author.objects.create(name="Ann"), headline="One", tagline={"title": "t", "subtitle": ""})
        entry.tags.add(Tag.objects.create(word="new"))
        entry.rating = 4
        entry.save()
    """, **on)
    collection = blog.database["entries_entry"]
    good = collection.find_one({}, {"_id": 0})
    for wrong in (
        {**good, "headline": "x" * 21},
        {**good, "headline": None},
        {**good, "rating": "five"},
        {**good, "rating": -1},
        {**good, "more": 1},
        {key: value for key, value in good.items() if key != "author_id"},
    ):
        with pytest.raises(pymongo.errors.WriteError, match="failed validation"):
            collection.insert_one({"_id": 9, **wrong})
    collection.insert_one({"_id": 9, **good})
    blog.edit("entries/models.py", ("    rating =", '    section = models.CharField(max_length=9, default="news")\n    rating ='))
    out = blog.process("-c", "import django; django.setup(); from entries.models import Entry; list(Entry.objects.all())", SITE_ENFORCE_SCHEMA="1").stdout
    assert 'the column "section" of table "entries_entry" of model entries.Entry is not in the database' in out
    blog.manage("makemigrations", "entries", **on)
    blog.manage("migrate", **on)
    assert collection.count_documents({"section": "news"}) == 2
    with pytest.raises(pymongo.errors.WriteError, match="failed validation"):
        collection.insert_one({"_id": 10, **good})


def test_turned_on_later(blog):
    blog.manage("makemigrations", "entries")
    blog.manage("migrate")
    blog.database["entries_tag"].insert_one({"_id": "abc", "size": 1})
    out = blog.manage("migrate", status=1, SITE_ENFORCE_SCHEMA="1")
    assert 'collection "entries_tag" has documents that don\'t fit the table\'s columns' in out and "djongo_diff entries" in out
    blog.database["entries_tag"].update_one({}, {"$unset": {"size": 1}})
    blog.manage("migrate", SITE_ENFORCE_SCHEMA="1")
    with pytest.raises(pymongo.errors.WriteError):
        blog.database["entries_tag"].insert_one({"_id": "x", "size": 1})
    blog.manage("migrate")
    blog.database["entries_tag"].insert_one({"_id": "x", "size": 1})
