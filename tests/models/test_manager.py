"""PyMongo through managers and QuerySets."""

import datetime
from decimal import Decimal

import pymongo
from django.db import NotSupportedError, connection
from django.test import TransactionTestCase
from shop.models import Article, Entry, Writer

from djongo import models


class Manager(TransactionTestCase):
    def setUp(self):
        for headline, name in ("ax", "by", "cz"):
            Entry.objects.create(
                headline=headline, blog={"name": name, "tagline": {"title": "t"}}, tags=[name], scores=["1.5"], published=datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
                authors=[{"name": "P", "born": datetime.date(1942, 6, 18), "rating": "9.5"}],
            )  # fmt: skip

    def test_everything_of_a_collection(self):
        objects = Entry.objects
        self.assertEqual(objects.mongo_count_documents({}), 3)
        self.assertEqual(sorted(objects.mongo_distinct("blog.name")), ["x", "y", "z"])
        self.assertEqual(objects.mongo_find_one({"blog.name": "y"})["headline"], "b")
        self.assertEqual([d["headline"] for d in objects.mongo_find({}, sort=[("headline", -1)])], ["c", "b", "a"])
        self.assertEqual(list(objects.mongo_aggregate([{"$group": {"_id": None, "n": {"$sum": 1}}}])), [{"_id": None, "n": 3}])
        self.assertEqual(objects.mongo_update_many({}, {"$set": {"headline": "q"}}).modified_count, 3)
        self.assertEqual(objects.mongo_bulk_write([pymongo.InsertOne({"headline": "new"})]).inserted_count, 1)
        self.assertEqual(objects.mongo_name, "shop_entry")
        self.assertEqual(Entry.objects.all().mongo_count_documents({}), 4)
        self.assertEqual(Entry.objects.filter(headline="q").mongo_find_one({"headline": "new"})["headline"], "new")

    def test_model_instances(self):
        found = list(Entry.objects.mongo_find({"blog.name": "y"}, as_models=True))
        self.assertEqual(found, [Entry.objects.get(headline="b")])
        entry = found[0]
        self.assertEqual((entry.blog.tagline.title, entry.authors[0].born, entry.authors[0].rating, entry.scores), ("t", datetime.date(1942, 6, 18), Decimal("9.5"), [Decimal("1.5")]))
        self.assertEqual(entry.published, datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc))
        entry.blog.name = "new"
        entry.save()
        self.assertEqual(Entry.objects.get(pk=entry.pk).blog.name, "new")
        self.assertEqual(Entry.objects.mongo_find_one({"headline": "a"}, as_models=True).headline, "a")
        self.assertIsNone(Entry.objects.mongo_find_one({"headline": "none"}, as_models=True))
        part = next(Entry.objects.mongo_aggregate([{"$match": {"headline": "a"}}, {"$project": {"headline": 1}}], as_models=True))
        self.assertEqual(part.get_deferred_fields() >= {"blog", "tags"}, True)
        self.assertEqual(part.tags, ["x"])
        self.assertEqual(len(list(Entry.objects.all().models_from_documents(Entry.objects.mongo_find()))), 3)

    def test_unknown_names(self):
        for name in ("mongo_fnid", "mongo__x", "nothing"):
            for source in (Entry.objects, Entry.objects.all()):
                with self.assertRaises(AttributeError) as caught:
                    getattr(source, name)
                self.assertNotIn("super", str(caught.exception))

    def test_related_managers_and_explicit_ones(self):
        ann = Writer.objects.create(name="ann")
        article = Article.objects.create(title="x")
        article.writers.add(ann)
        self.assertEqual(article.writers.mongo_count_documents({}), 1)

        class Explicit(models.Model):
            objects = models.DjongoManager()

            class Meta:
                app_label = "shop"
                db_table = "shop_writer"

        self.assertEqual(Explicit.objects.mongo_find_one()["name"], "ann")

    def test_configure(self):
        Entry.objects.mongo_create_index([("headline", -1)])
        found = Entry.objects.filter(headline__gte="b").order_by("headline").configure(hint=["-headline"], allowDiskUse=True, comment="x")
        self.assertEqual([(entry.headline, entry.blog.name) for entry in found], [("b", "y"), ("c", "z")])
        self.assertEqual([entry.headline for entry in found.iterator()], ["b", "c"])
        self.assertEqual([entry.headline for entry in found[1:2]], ["c"])
        caseless = pymongo.collation.Collation("en", strength=2)
        self.assertEqual(Entry.objects.filter(headline="B").configure(collation=caseless).get().headline, "b")
        with self.assertRaises(NotSupportedError):
            list(Article.objects.filter(writers__name="x").configure(comment="x"))

    def test_tailable(self):
        from djongo.pymongo import database

        class Capped(models.Model):
            name = models.CharField(max_length=5)

            class Meta:
                app_label = "shop"
                db_table = "shop_capped"

        self.addCleanup(database().drop_collection, "shop_capped")
        with connection.schema_editor() as editor:
            editor.create_model(Capped)
        database().command("convertToCapped", "shop_capped", size=10000)
        Capped.objects.mongo_insert_many([{"name": "a"}, {"name": "b"}])
        found = Capped.objects.filter(name="b").configure(cursor_type=pymongo.CursorType.TAILABLE).iterator()
        self.assertEqual(next(found).name, "b")
