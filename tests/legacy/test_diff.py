"""djongo_diff: where documents and models disagree, and models from documents."""

import datetime
import json

import bson
import pytest


@pytest.fixture
def blog(make_project):
    project = make_project("blog")
    project.manage("makemigrations", "entries")
    project.manage("migrate")
    project.run("""
        from entries.models import Author, Entry, Tag

        entry = Entry.objects.create(author=Author.objects.create(name="Ann"), headline="One", tagline={"title": "t", "subtitle": ""})
        entry.tags.add(Tag.objects.create(word="new"))
    """)
    return project


def spoil(database):
    entries, authors = database["entries_entry"], database["entries_author"]
    database.command("collMod", "entries_entry", validator={})
    entries.insert_many(
        [
            {"_id": 11, "author_id": 1, "headline": "x" * 30, "rating": 1, "tagline": {"title": 5}},
            {"_id": 12, "author_id": "1", "headline": None, "tagline": {"title": "t", "subtitle": "", "color": "red"}, "extra": [1]},
        ]
    )
    authors.insert_one({"_id": 50, "name": "Fay"})
    authors.create_index("email", name="plain", unique=False)
    database["__schema__"].insert_one({"name": "gone", "fields": {}})
    database["readings"].insert_one({"celsius": 1})


def test_agreement(blog):
    assert "models and the documents agree" in blog.manage("djongo_diff")
    assert "2 models and the documents agree" in blog.manage("djongo_diff", "entries.Author", "entries.Entry")
    assert "no app or model 'nosuch'" in blog.manage("djongo_diff", "nosuch", status=1)


def test_differences(blog):
    spoil(blog.database)
    out = blog.manage("djongo_diff", status=1)
    for line in (
        "entries.Entry (entries_entry)\n",
        "  author_id: 1 document: string instead of int or long (_id 12)\n",
        "  headline: 1 document: missing or null, and the field isn't null=True (_id 12)\n",
        "  headline: 1 document: longer than 20 characters (_id 11)\n",
        "  rating: 1 document: missing or null, and the field isn't null=True; its default is 3 (_id 12)\n",
        "  tagline.title: 1 document: int instead of string (_id 11)\n",
        "  tagline.subtitle: 1 document: missing or null, and the field isn't null=True\n",
        "  tagline.color: 1 document: no field of the model (string) (_id 12)\n",
        "  extra: 1 document: no field of the model (array) (_id 12)\n",
        "entries.Author (entries_author)\n",
        "  _id: the counter stands at 1, the greatest key is 50\n",
        "catalogue (__schema__)\n",
        "  gone: an entry of the catalogue without a collection and a model\n",
        "note: the collection readings has no model (--write-models readings)\n",
    ):
        assert line in out, (line, out)
    found = json.loads(blog.manage("djongo_diff", "entries", "--format", "json", status=1))
    assert {"model": "entries.Entry", "path": "extra", "problem": "no field of the model (array)", "count": 1, "examples": ["12"], "fixable": False} in found["differences"]
    blog.manage("djongo_diff", "entries.Tag")


def test_fix(blog):
    spoil(blog.database)
    out = blog.manage("djongo_diff", "--fix", status=1)
    assert "fixed  entries.Entry rating" in out and "fixed  entries.Author _id: the counter" in out and "fixed  gone" in out and "FAILED" not in out
    assert blog.database["entries_entry"].find_one({"_id": 12})["rating"] == 3
    assert blog.database["__schema__"].find_one({"name": "gone"}) is None
    blog.run("from entries.models import Author; assert Author.objects.create(name='Gus').pk == 51")
    blog.database["entries_entry"].delete_many({"_id": {"$in": [11, 12]}})
    assert "models and the documents agree" in blog.manage("djongo_diff")


def test_write_models(blog):
    blog.database["shop.orders"].insert_many(
        [
            {
                "number": 7, "total": bson.Decimal128("12.50"), "at": datetime.datetime(2024, 1, 2, 3, 4), "day": datetime.datetime(2024, 1, 2), "paid": True,
                "customer": {"name": "Ann", "class": "A", "address": {"city": "Rome", "zip": None}}, "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": bson.Int64(2)}],
                "tags": ["x"], "mixed": 1, "free": {"a-b": 1}, "weight": 1, "pk": 1,
            },
            {"number": 8, "mixed": "two", "weight": 1.5},
        ]
    )  # fmt: skip
    out = blog.manage("djongo_diff", "--write-models")
    assert "class ShopOrders(models.Model):\n    _id = models.ObjectIdField()\n" in out
    for line in (  # in the order in which the sample shows them
        "    number = models.IntegerField()\n",
        "    total = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)\n",
        "    at = models.DateTimeField(null=True, blank=True)\n",
        "    day = models.DateField(null=True, blank=True)\n",
        "    paid = models.BooleanField(null=True, blank=True)\n",
        "    customer = models.JSONField(null=True, blank=True)\n",
        "    lines = models.ArrayField(model_container=ShopOrdersLines, null=True, blank=True)\n",
        "class ShopOrdersLines(models.EmbeddedModel):\n    sku = models.CharField(max_length=255)\n    n = models.BigIntegerField()\n",
        "    tags = models.ArrayField(base_field=models.CharField(max_length=255), null=True, blank=True)\n",
        "    mixed = models.JSONField()\n",
        "    free = models.JSONField(null=True, blank=True)\n",
        "    weight = models.FloatField()\n",
        "    field_pk = models.IntegerField(db_column='pk', null=True, blank=True)\n",
    ):
        assert line in out, (line, out)
    blog.database["people"].insert_one({"_id": 3, "name": "Ann", "address": {"city": "Rome", "geo": {"lat": 1.5}}})
    text = blog.manage("djongo_diff", "--write-models", "people")
    (blog.directory / "entries/models.py").write_text(text)
    blog.run("""
        from entries.models import People

        ann = People.objects.get(address__geo__lat=1.5)
        assert (ann.pk, ann.name, ann.address.city) == (3, "Ann", "Rome")
        ann.address.city = "Oslo"
        ann.save()
    """)
    assert blog.database["people"].find_one()["address"] == {"city": "Oslo", "geo": {"lat": 1.5}}
    assert "There is no collection 'nosuch'" in blog.manage("djongo_diff", "--write-models", "nosuch", status=1)
