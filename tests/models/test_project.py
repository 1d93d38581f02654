"""The fields in a project: migrations, fixtures, sessions, JSON, REST."""

import datetime
import importlib
import io
import json
import pathlib
import sys
import tempfile
from decimal import Decimal

import pytest
from bson import ObjectId
from django.contrib.auth import SESSION_KEY
from django.core import serializers
from django.core.management import call_command
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.migrations.writer import MigrationWriter
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from django.test.utils import isolate_apps, override_settings
from shop.models import Article, Author, Blog, Cat, Dog, Entry, Holder, Node, Owner, Person, Tour, Writer

from djongo import models


class Migrations(TransactionTestCase):
    def test_written_and_stable(self):
        """makemigrations writes all fields, finds nothing more to do, and the state's models work."""
        with tempfile.TemporaryDirectory() as directory:
            package = pathlib.Path(directory) / "written_migrations"
            package.mkdir()
            (package / "__init__.py").touch()
            sys.path.insert(0, directory)
            try:
                # The admin's log refers to the users of `shop`: by its own migrations it would have been there before them.
                with override_settings(MIGRATION_MODULES={"shop": "written_migrations", "admin": None}):
                    call_command("makemigrations", "shop", verbosity=0)
                    text = (package / "0001_initial.py").read_text()
                    for part in ("djongo.models.fields.EmbeddedField(", "model_container=shop.models.Blog", "djongo.models.fields.ArrayReferenceField(",
                                 "djongo.models.fields.ObjectIdAutoField(", "base_field=models.CharField(max_length=20)", "on_delete=django.db.models.deletion.CASCADE"):  # fmt: skip
                        self.assertIn(part, text)
                    self.assertNotIn("EmbeddedModel", text)
                    importlib.invalidate_caches()
                    call_command("makemigrations", "shop", check=True, dry_run=True, verbosity=0)
                    from django.db.migrations.loader import MigrationLoader

                    state = MigrationLoader(None).project_state(("shop", "0001_initial"))
                    Fake = state.apps.get_model("shop", "Entry")
                    entry = Fake.objects.create(headline="h", blog={"name": "x"}, authors=[{"name": "P"}])
                    self.assertEqual(Fake.objects.get(blog__name="x").authors[0].name, "P")
                    self.assertEqual(Entry.objects.get(pk=entry.pk).blog.name, "x")
                    article = state.apps.get_model("shop", "Article").objects.create(title="x")
                    article.writers.add(state.apps.get_model("shop", "Writer").objects.create(name="w"))
                    self.assertEqual(Article.objects.get().writers.get().name, "w")
            finally:
                sys.path.remove(directory)
                for name in [name for name in sys.modules if name.startswith("written_migrations")]:
                    del sys.modules[name]

    def test_old_migrations(self):
        from djongo.models import fields

        for name in ("ArrayField", "EmbeddedField", "ArrayReferenceField", "ObjectIdField", "GenericObjectIdField", "JSONField", "ListField", "DictField", "EmbeddedModelField", "ArrayModelField"):
            self.assertTrue(hasattr(fields, name), name)
        fields.ArrayReferenceField(on_delete=models.CASCADE, to="shop.Writer")
        fields.ObjectIdField(auto_created=True, primary_key=True, serialize=False)
        fields.ArrayModelField(model_container=Author, model_form_kwargs_l={})
        from djongo.models.json import JSONField

        self.assertIs(JSONField, models.JSONField)

    def test_schema(self):
        def editor(action, *arguments):
            with connection.schema_editor() as found:
                getattr(found, action)(*arguments)

        with isolate_apps("shop") as apps:
            apps.register_model("shop", Writer)

            class Old(models.Model):
                class Meta:
                    app_label = "shop"
                    db_table = "shop_changing"

            class New(models.Model):
                blog = models.EmbeddedField(Blog, default=lambda: {"name": "default"})
                tags = models.ArrayField(models.IntegerField(), null=True)
                counts = models.ArrayField(models.IntegerField(), default=list)
                authors = models.ArrayField(Author, default=lambda: [{"name": "x"}])
                names = models.ArrayField(models.CharField(max_length=5), default=lambda: ["a"])
                anything = models.JSONField(default=dict)
                writers = models.ArrayReferenceField(Writer, related_name="+")

                class Meta:
                    app_label = "shop"
                    db_table = "shop_changing"

        editor("create_model", Old)
        try:
            old = Old.objects.create()
            for name in ("blog", "tags", "counts", "authors", "names", "anything", "writers"):
                editor("add_field", Old, New._meta.get_field(name))
            found = New.objects.get(pk=old.pk)
            self.assertEqual((found.blog, found.tags, found.counts, found.authors[0].name, found.names, found.anything), ({"name": "default"}, None, [], "x", ["a"], {}))
            writer = Writer.objects.create(name="w")
            found.writers.add(writer)
            self.assertEqual(New.objects.mongo_find_one()["writers_id"], [writer.pk])
            renamed = models.ArrayReferenceField(Writer, related_name="+")
            with isolate_apps("shop") as apps:
                apps.register_model("shop", Writer)

                class Renamed(models.Model):
                    people = renamed

                    class Meta:
                        app_label = "shop"
                        db_table = "shop_changing"

            editor("alter_field", New, New._meta.get_field("writers"), Renamed._meta.get_field("people"))
            self.assertEqual(Renamed.objects.mongo_find_one()["people_id"], [writer.pk])
            editor("remove_field", Renamed, Renamed._meta.get_field("people"))
            editor("remove_field", New, New._meta.get_field("blog"))
            self.assertEqual(set(New.objects.mongo_find_one()) & {"blog", "people_id", "writers_id"}, set())
        finally:
            editor("delete_model", Old)

    def test_deconstruct(self):
        fields = [
            models.EmbeddedField(model_container=Blog, model_form_kwargs={"a": 1}, null=True), models.EmbeddedField((Dog, Cat)), models.ArrayField(Author),
            models.ArrayField(models.DecimalField(max_digits=5, decimal_places=1), size=3), models.ArrayField(), models.ArrayField(models.ArrayField(models.IntegerField())),
            models.ArrayReferenceField(Writer, on_delete=models.CASCADE, related_name="x", db_column="y"), models.ObjectIdField(), models.ObjectIdAutoField(),
            models.GenericObjectIdField(null=True), models.JSONField(default=dict), models.ListField(), models.DictField(),
        ]  # fmt: skip
        for field in fields:
            with self.subTest(type(field).__name__):
                copy = field.clone()
                self.assertEqual(MigrationWriter.serialize(copy), MigrationWriter.serialize(field))
                self.assertTrue(field.deconstruct()[1].startswith("djongo.models.fields."))


class Fixtures(TransactionTestCase):
    def objects(self):
        writer = Writer.objects.create(name="w")
        entry = Entry.objects.create(
            headline="h", blog={"name": "b", "tagline": {"title": "t"}, "mood": [1, {"x": None}]}, tags=["a"], scores=["1.50"],
            authors=[{"name": "P", "born": datetime.date(1942, 6, 18), "rating": "9.5", "books": ["x"]}], data={"a": [1]},
        )  # fmt: skip
        article = Article.objects.create(title="x")
        article.writers.add(writer)
        return [writer, entry, Entry.objects.create(headline="empty"), article, Node.objects.create(name="n", entry=entry, other=ObjectId()),
                Owner.objects.create(name="o", pet=Dog(name="d"), pets=[Cat(name="c")]), Holder.objects.create(list=[1], dict={"a": 2}),
                Tour.objects.create(name="t", visits=[{"place": {"country": "de", "point": [1, 2]}}])]  # fmt: skip

    def test_dumpdata_and_loaddata(self):
        for format in ("json", "xml", "jsonl"):
            with self.subTest(format):
                call_command("flush", interactive=False, verbosity=0)
                made = [type(instance).objects.get(pk=instance.pk) for instance in self.objects()]
                out = io.StringIO()
                call_command("dumpdata", "shop", format=format, stdout=out)
                with tempfile.NamedTemporaryFile("w", suffix=f".{format}") as file:
                    file.write(out.getvalue())
                    file.flush()
                    call_command("flush", interactive=False, verbosity=0)
                    call_command("loaddata", file.name, verbosity=0)
                for before in made:
                    after = type(before).objects.get(pk=before.pk)
                    for field in before._meta.concrete_fields:
                        self.assertEqual(getattr(after, field.attname), getattr(before, field.attname), (format, field))
                self.assertEqual(Article.objects.get().writers.get().name, "w")
                entry = Entry.objects.get(headline="h")
                self.assertEqual((entry.authors[0].born, entry.authors[0].rating, entry.scores), (datetime.date(1942, 6, 18), Decimal("9.5"), [Decimal("1.50")]))

    def test_text_or_dict(self):
        entry = Entry.objects.create(headline="h", blog={"name": "b"})
        (dumped,) = json.loads(serializers.serialize("json", [entry]))
        self.assertEqual(dumped["pk"], str(entry.pk))
        self.assertEqual(json.loads(dumped["fields"]["blog"]), {"name": "b", "tagline": None})
        dumped["fields"]["blog"], dumped["fields"]["tags"] = {"name": "c"}, ["x"]
        for loaded in serializers.deserialize("json", json.dumps([dumped])):
            loaded.save()
        entry.refresh_from_db()
        self.assertEqual((entry.blog.name, entry.tags), ("c", ["x"]))


class Sessions(TestCase):
    def test_login_with_objectid_keys(self):
        person = Person.objects.create_user("ann", password="secret")
        self.assertIsInstance(person.pk, ObjectId)
        self.assertTrue(self.client.login(username="ann", password="secret"))
        self.assertEqual(self.client.session[SESSION_KEY], str(person.pk))
        from django.contrib.auth import get_user
        from django.http import HttpRequest

        request = HttpRequest()
        request.session = self.client.session
        self.assertEqual(get_user(request), person)

    def test_urls(self):
        from django.shortcuts import get_object_or_404
        from django.urls import path, reverse

        urls = type(sys)("urls")
        urls.urlpatterns = [path("entry/<str:pk>/", lambda request, pk: None, name="entry")]
        entry = Entry.objects.create(headline="h")
        address = reverse("entry", urlconf=urls, kwargs={"pk": entry.pk})
        self.assertEqual(address, f"/entry/{entry.pk}/")
        self.assertEqual(get_object_or_404(Entry, pk=address.split("/")[2]), entry)


class JSON(SimpleTestCase):
    def test_plain_values(self):
        entry = Entry(_id=ObjectId(), headline="h", blog={"name": "b", "more": 1}, authors=[{"name": "P", "born": datetime.date(2000, 1, 1)}])
        text = json.dumps({"blog": entry.blog.to_dict(), "authors": [author.to_dict() for author in entry.authors]}, cls=DjangoJSONEncoder)
        self.assertEqual(json.loads(text)["authors"][0]["born"], "2000-01-01")
        self.assertEqual(json.loads(text)["blog"], {"name": "b", "tagline": None, "more": 1})


class REST(TestCase):
    def test_serializer(self):
        serializers = pytest.importorskip("rest_framework.serializers")
        from rest_framework.renderers import JSONRenderer

        from djongo.rest_framework import ModelSerializer

        class EntrySerializer(ModelSerializer):
            class Meta:
                model = Entry
                fields = ["_id", "headline", "blog", "authors", "tags", "scores", "data"]

        class NodeSerializer(ModelSerializer):
            class Meta:
                model = Node
                fields = ["id", "name", "other", "entry"]

        self.assertTrue(issubclass(EntrySerializer, serializers.ModelSerializer))
        given = {"headline": "h", "blog": {"name": "b", "tagline": {"title": "t"}}, "authors": [{"name": "P", "born": "1942-06-18"}], "tags": ["a"], "scores": ["1.50"], "data": {"k": 1}}
        serializer = EntrySerializer(data=given)
        self.assertTrue(serializer.is_valid(), serializer.errors)
        entry = serializer.save()
        self.assertEqual(Entry.objects.get(pk=entry.pk).authors[0].born, datetime.date(1942, 6, 18))
        shown = json.loads(JSONRenderer().render(EntrySerializer(Entry.objects.get(pk=entry.pk)).data))
        self.assertEqual(shown["_id"], str(entry.pk))
        self.assertEqual(shown["blog"], {"name": "b", "tagline": {"title": "t", "subtitle": ""}})
        self.assertEqual((shown["authors"][0]["born"], shown["tags"], shown["data"]), ("1942-06-18", ["a"], {"k": 1}))
        serializer = EntrySerializer(data={**given, "authors": [{"name": "P", "email": "no"}]})
        self.assertFalse(serializer.is_valid())
        self.assertEqual([str(error) for error in serializer.errors["authors"]], ["0.email: Enter a valid email address."])
        node = Node.objects.create(name="n", entry=entry, other=ObjectId())
        shown = json.loads(JSONRenderer().render(NodeSerializer(node).data))
        self.assertEqual(shown, {"id": str(node.pk), "name": "n", "other": str(node.other), "entry": str(entry.pk)})
        serializer = NodeSerializer(data={**shown, "name": "m"})
        self.assertTrue(serializer.is_valid(), serializer.errors)
        self.assertEqual(serializer.save().entry, entry)
