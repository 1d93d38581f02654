"""Indexes and unique constraints on paths into documents."""

from django.core.exceptions import FieldError, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import SimpleTestCase, TransactionTestCase
from shop.models import Indexed

from djongo import models


class Indexes(TransactionTestCase):
    def test_native_indexes(self):
        found = {name: index["key"] for name, index in Indexed.objects.mongo_index_information().items()}
        self.assertEqual(found["indexed_name"], [("blog.name", 1)])
        self.assertEqual(found["indexed_authors"], [("authors.email", -1), ("word", 1)])
        self.assertIn([("blog.tagline.title", 1)], found.values())
        self.assertEqual(found["indexed_unique"], [("blog.name", 1), ("word", 1)])

    def test_used(self):
        for i in range(50):
            Indexed.objects.create(word=str(i), blog={"name": f"n{i}"})
        self.assertIn("IXSCAN", Indexed.objects.filter(blog__name="n7").explain(analyze=True))

    def test_used_for_an_element(self):
        Indexed.objects.mongo_create_index("authors.0.name")
        self.addCleanup(Indexed.objects.mongo_drop_index, "authors.0.name_1")
        for i in range(50):
            Indexed.objects.create(word=str(i), authors=[{"name": f"n{i}"}, {"name": "n7"}])
        found = Indexed.objects.filter(authors__0__name="n7")
        plan = found.explain(analyze=True)
        self.assertIn("IXSCAN", plan)
        self.assertNotIn("Filter", plan)
        self.assertEqual(found.get().word, "7")

    def test_the_key_0_is_no_index(self):
        Indexed.objects.create(word="first", authors=[{"name": "a"}])
        Indexed.objects.mongo_insert_one({"word": "odd", "authors": [{"name": "x"}, {"0": {"name": "a"}}]})
        self.assertEqual([indexed.word for indexed in Indexed.objects.filter(authors__0__name="a")], ["first"])
        self.assertEqual([indexed.word for indexed in Indexed.objects.exclude(authors__0__name="a")], ["odd"])
        self.assertEqual([indexed.word for indexed in Indexed.objects.order_by("-authors__0__name")], ["odd", "first"])

    def test_unique(self):
        Indexed.objects.create(word="w", blog={"name": "a"}, authors=[{"name": "x", "email": "a@a.de"}])
        with self.assertRaises(IntegrityError), transaction.atomic():
            Indexed.objects.create(word="w", blog={"name": "a"})
        Indexed.objects.create(word="v", blog={"name": "a"})
        for _ in range(2):
            Indexed.objects.create(word="w", blog=None)
        with self.assertRaisesMessage(ValidationError, "Constraint “indexed_unique” is violated."):
            Indexed(word="w", blog={"name": "a"}).full_clean()
        Indexed(word="u", blog={"name": "a"}).full_clean()
        first = Indexed.objects.get(word="w", blog__name="a")
        first.full_clean()

    def test_unique_over_an_array(self):
        Indexed.objects.create(word="1", authors=[{"name": "x", "email": "a@a.de"}, {"name": "y", "email": "b@a.de"}])
        with self.assertRaises(IntegrityError), transaction.atomic():
            Indexed.objects.create(word="2", authors=[{"name": "z", "email": "b@a.de"}])
        with self.assertRaises(ValidationError):
            Indexed(word="2", authors=[{"name": "z", "email": "b@a.de"}]).full_clean()

    def test_added_and_removed(self):
        index, unique = models.Index(fields=["-blog.name"], name="added"), models.UniqueConstraint(fields=["blog__tagline__subtitle"], name="added_unique")
        with connection.schema_editor() as editor:
            editor.add_index(Indexed, index)
            editor.add_constraint(Indexed, unique)
        found = {name: info["key"] for name, info in Indexed.objects.mongo_index_information().items()}
        self.assertEqual((found["added"], found["added_unique"]), ([("blog.name", -1)], [("blog.tagline.subtitle", 1)]))
        with connection.schema_editor() as editor:
            editor.remove_index(Indexed, index)
            editor.remove_constraint(Indexed, unique)
        self.assertFalse({"added", "added_unique"} & set(Indexed.objects.mongo_index_information()))


class Declared(SimpleTestCase):
    def test_names_and_deconstruction(self):
        index = models.Index(fields=["-blog.name", "word"])
        index.set_name_with_model(Indexed)
        self.assertNotEqual(index.name, models.Index(fields=["blog.name", "word"], name="x").name)
        self.assertEqual(index.deconstruct()[::2], ("djongo.models.Index", {"fields": ["-blog.name", "word"], "name": index.name}))
        self.assertEqual(models.Index(fields=["word"], name="x").deconstruct()[0], "django.db.models.Index")
        unique = models.UniqueConstraint(fields=["blog.name"], name="x")
        self.assertEqual(unique.deconstruct()[::2], ("djongo.models.UniqueConstraint", {"fields": ("blog.name",), "name": "x"}))
        self.assertEqual(unique.clone(), unique)
        self.assertNotEqual(unique, models.UniqueConstraint(fields=["blog.tagline"], name="x"))
        self.assertEqual(models.UniqueConstraint(fields=["word"], name="x").deconstruct()[0], "django.db.models.UniqueConstraint")

    def test_checks(self):
        self.assertEqual([message for message in Indexed.check(databases=["default"]) if message.is_serious()], [])
        constraint = models.UniqueConstraint(fields=["blog.nom"], name="x")
        self.assertEqual([message.id for message in constraint._check(Indexed, connection)], ["models.E012"])
        with self.assertRaises(FieldError):
            models.Index(fields=["blog.nom"]).set_name_with_model(Indexed)
