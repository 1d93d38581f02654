"""MongoDB's own indexes and collections as Django makes them. Run by test_indexes.py through `manage.py test`, not collected by pytest."""

import pymongo
from django.conf import settings
from django.db import IntegrityError, NotSupportedError, connection
from django.db import migrations as operations
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter
from django.db.models import Q
from django.test import SimpleTestCase, TransactionTestCase

from djongo import models

from .models import Article, Line, Page


def collection(model):
    client = pymongo.MongoClient(settings.DATABASES["default"]["HOST"])
    return client[connection.settings_dict["NAME"]][model._meta.db_table]


def stages(plan):
    names = [plan["stage"]] if "stage" in plan else []
    for key in ("inputStage", "inputStages", "queryPlan"):
        inner = plan.get(key, [])
        for stage in inner if isinstance(inner, list) else [inner]:
            names += stages(stage)
    return names


class Server(TransactionTestCase):
    available_apps = ["native"]

    def indexes(self):
        return {index.pop("name"): {k: v for k, v in index.items() if k != "v"} for index in map(dict, collection(Article).list_indexes())}

    def test_what_the_server_has(self):
        found = self.indexes()
        (compound,) = [index for index in found.values() if list(index["key"].items()) == [("title", 1), ("blog.tagline", -1)]]
        self.assertEqual(list(compound), ["key"])
        unique = found["article_blog_name"]
        self.assertTrue(unique["unique"])
        self.assertEqual(unique["partialFilterExpression"]["views"], {"$gte": 10})
        self.assertEqual(found["article_body_ci"]["collation"]["strength"], 2)
        self.assertTrue(found["article_body_ci"]["sparse"])
        self.assertEqual(found["article_words"]["weights"], {"title": 5, "body": 1})
        self.assertEqual(found["article_words"]["default_language"], "none")
        self.assertEqual(dict(found["article_anything"]["key"]), {"blog.$**": 1})
        self.assertEqual(list(found["article_place"]["key"].items()), [("place", "2dsphere"), ("views", 1)])
        self.assertEqual(dict(found["article_hash"]["key"]), {"title": "hashed"})
        self.assertEqual(found["article_seen"]["expireAfterSeconds"], 3600)

    def test_the_server_uses_them(self):
        Article.objects.bulk_create(Article(title=f"t{i}", blog={"name": f"n{i}", "deep": {"er": i}}, views=i) for i in range(50))
        cases = {
            "article_anything": {"blog.deep.er": 7},
            "article_words": {"$text": {"$search": "t7"}},
            "article_hash": {"title": "t7"},
        }
        for name, condition in cases.items():
            with self.subTest(name):
                hint = {"hint": name} if name == "article_hash" else {}  # there is an ordinary index on title too
                explained = collection(Article).database.command("explain", {"find": Article._meta.db_table, "filter": condition, **hint})
                self.assertNotIn("COLLSCAN", stages(explained["queryPlanner"]["winningPlan"]))
        self.assertEqual(Article.objects.get(title="t7").views, 7)

    def test_unique_within_a_document(self):
        Article.objects.create(title="a", blog={"name": "x"}, views=10)
        Article.objects.create(title="b", blog={"name": "x"}, views=9)
        Article.objects.create(title="c", blog={"name": None}, views=10)
        Article.objects.create(title="d", blog={}, views=10)
        Article.objects.create(title="e", blog={"name": None}, views=10)
        with self.assertRaises(IntegrityError):
            Article.objects.create(title="f", blog={"name": "x"}, views=11)

    def test_text_search(self):
        for title, body in (("war and peace", "a long book"), ("peace", "war"), ("nothing", "else")):
            Article.objects.create(title=title, body=body)
        found = Article.objects.filter(title__text_search="war")
        self.assertEqual(set(found.values_list("title", flat=True)), {"war and peace", "peace"})
        self.assertEqual(found.filter(body__contains="long").count(), 1)
        self.assertEqual(Article.objects.filter(title__text_search='"war and"').get().title, "war and peace")
        self.assertIn("$text", found.explain())
        for wrong in (
            Article.objects.exclude(title__text_search="war"),
            Article.objects.filter(Q(title__text_search="war") | Q(views=7)),
            Page.objects.filter(number__text_search="x"),
        ):
            Page.objects.get_or_create(number=1)
            with self.assertRaisesMessage(NotSupportedError, "joined with AND"):
                list(wrong)
        self.assertEqual(found.update(views=5), 2)
        self.assertEqual(found.delete()[0], 2)
        self.assertEqual(Article.objects.get().title, "nothing")

    def test_places(self):
        places = {"Berlin": [13.40, 52.52], "Potsdam": [13.06, 52.40], "Paris": [2.35, 48.86]}
        for views, (title, coordinates) in enumerate(places.items()):
            Article.objects.create(title=title, views=views, place={"type": "Point", "coordinates": coordinates})
        Article.objects.create(title="nowhere")

        def near(**distances):
            return Article.objects.filter(place__near=models.Near(type="point", coordinates=[13.0, 52.4], **distances))

        self.assertEqual([article.title for article in near()], ["Potsdam", "Berlin", "Paris"])
        self.assertEqual([article.title for article in near(maxDistance=50_000)], ["Potsdam", "Berlin"])
        self.assertEqual([article.title for article in near(minDistance=10_000, maxDistance=50_000)], ["Berlin"])
        self.assertEqual(near(minDistance=10_000).count(), 2)
        self.assertEqual(near(maxDistance=50_000).count(), 2)
        self.assertEqual(near().count(), 3)
        self.assertEqual(list(near(maxDistance=50_000).order_by("title").values_list("title", flat=True)), ["Berlin", "Potsdam"])
        self.assertEqual(near(maxDistance=50_000).update(body="close"), 2)
        box = {"type": "Polygon", "coordinates": [[[13.2, 52], [14, 52], [14, 53], [13.2, 53], [13.2, 52]]]}
        self.assertEqual(Article.objects.get(place__geo_within=box).title, "Berlin")
        line = {"type": "LineString", "coordinates": [[2.35, 48.86], [2.4, 48.9]]}
        self.assertEqual(Article.objects.get(place__geo_intersects=line).title, "Paris")
        with self.assertRaises(Exception):
            list(Article.objects.filter(place__geo_within={"type": "Nonsense"}))
        for mistake in (lambda: models.Near(coordinates=[1]), lambda: models.Near(type="line", coordinates=[1, 2])):
            self.assertRaises(ValueError, mistake)

    def test_introspection(self):
        with connection.cursor() as cursor:
            found = connection.introspection.get_constraints(cursor, Article._meta.db_table)
        self.assertEqual(found["article_words"]["type"], "text")
        self.assertEqual(found["article_words"]["columns"], ["title", "body"])
        self.assertEqual(found["article_seen"]["options"], {"expireAfterSeconds": 3600})
        self.assertEqual(found["article_blog_name"]["columns"], ["blog.name"])
        self.assertTrue(found["article_blog_name"]["unique"])
        self.assertEqual(found["article_place"]["type"], "2dsphere")

    def test_a_capped_collection_keeps_the_newest(self):
        self.assertTrue(collection(Line).options()["capped"])
        for text in "abcde":
            Line.objects.create(text=text)
        self.assertEqual(list(Line.objects.order_by("id").values_list("text", flat=True)), ["c", "d", "e"])
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO native_line (text) VALUES ('f'), ('g')")
        self.assertEqual(list(Line.objects.order_by("id").values_list("text", flat=True)), ["e", "f", "g"])

    def test_capping_and_back(self):
        constraint = models.CollectionConstraint(name="page_cap", capped=True, size=1_000_000)
        Page.objects.create(number=7)
        before = list(collection(Page).list_indexes())
        with connection.schema_editor() as editor:
            editor.add_constraint(Page, constraint)
        self.assertTrue(collection(Page).options()["capped"])
        with connection.schema_editor() as editor:
            editor.remove_constraint(Page, constraint)
        self.assertNotIn("capped", collection(Page).options())
        self.assertEqual(list(collection(Page).list_indexes()), before)
        self.assertEqual(Page.objects.get().number, 7)

    def test_what_mongodb_cannot_build(self):
        cases = [
            (models.HashedIndex(fields=["title", "body"], name="x"), "a second key"),
            (models.HashedIndex(fields=["title"], unique=True, name="x"), "UNIQUE"),
            (models.TextIndex(fields=["body"], name="x"), "a second text index"),
            (models.TTLIndex(field="title", expireAfterSeconds=1, name="x"), "is none"),
            (models.CompoundIndex(fields=["title.x"], name="x"), "no inner fields"),
            (models.WildcardIndex(fields=["blog"], wildcardProjection={"a": 1}, name="x"), "wildcard_projection"),
        ]
        for index, message in cases:
            with self.subTest(index), self.assertRaisesMessage(Exception, message):
                with connection.schema_editor() as editor:
                    editor.add_index(Article, index)
        self.assertNotIn("x", self.indexes())


class Migrations(TransactionTestCase):
    available_apps = ["native"]

    def test_add_rename_remove(self):
        state = ProjectState()
        state.add_model(ModelState("native", "Note", [("id", models.BigAutoField(primary_key=True)), ("word", models.TextField()), ("at", models.DateTimeField(null=True))]))  # fmt: skip
        steps = [
            operations.AddIndex("Note", models.TextIndex(fields=["word"], weights={"word": 2}, name="note_words")),
            operations.AddIndex("Note", models.TTLIndex(field="at", expireAfterSeconds=60, name="note_at")),
            operations.AddIndex("Note", models.WildcardIndex(name="note_all", wildcardProjection={"word": 1})),
            operations.RenameField("Note", "word", "text"),
            operations.RenameIndex("Note", new_name="note_text", old_name="note_words"),
            operations.RemoveIndex("Note", "note_at"),
        ]
        model = state.apps.get_model("native", "Note")
        with connection.schema_editor() as editor:
            editor.create_model(model)
        try:
            for step in steps:
                after = state.clone()
                step.state_forwards("native", after)
                with connection.schema_editor() as editor:
                    step.database_forwards("native", editor, state, after)
                state = after
            found = {index["name"]: index for index in collection(model).list_indexes()}
            self.assertEqual(set(found), {"_id_", "note_text", "note_all"})
            self.assertEqual(dict(found["note_text"]["weights"]), {"text": 2})
            self.assertEqual(dict(found["note_all"]["wildcardProjection"]), {"text": 1})
        finally:
            with connection.schema_editor() as editor:
                editor.delete_model(state.apps.get_model("native", "Note"))


class Declarations(SimpleTestCase):
    everything = [
        models.CompoundIndex(["a", "-b.c"], "n", True, True, Q(x=1), True, {"locale": "en"}),
        models.TextIndex(fields=["a"], name="n", weights={"a": 2}, default_language="german", language_override="l", textIndexVersion=3),
        models.WildcardIndex(wildcardProjection={"a": 1}, name="n"),
        models.TwoDSphereIndex(fields=["a"], name="n", min=-1, max=1),
        models.HashedIndex(fields=["a"], name="n"),
        models.TTLIndex(field="a", name="n", expireAfterSeconds=0),
    ]

    def test_deconstruction(self):
        for index in self.everything:
            with self.subTest(index):
                self.assertEqual(index.clone(), index)
                text, imports = MigrationWriter.serialize(index)
                self.assertIn("djongo.models.indexes", text)
                space = {}
                exec("\n".join(imports), space)
                self.assertEqual(eval(text, space), index)

    def test_pymongo_collation(self):
        from pymongo.collation import Collation

        index = models.CompoundIndex(fields=["a"], collation=Collation("fr", strength=1))
        self.assertEqual(index.options["collation"], {"locale": "fr", "strength": 1})
        self.assertEqual(MigrationWriter.serialize(index)[1], {"import djongo.models.indexes"})

    def test_names_differ(self):
        names = set()
        for fields in (["blog.name"], ["blog.tagline"], ["-blog.name"], ["blog"]):
            index = models.CompoundIndex(fields=fields)
            index.set_name_with_model(Article)
            self.assertLessEqual(len(index.name), 30)
            names.add(index.name)
        self.assertEqual(len(names), 4)

    def test_mistakes(self):
        for make in (
            lambda: models.CompoundIndex(),
            lambda: models.CompoundIndex(fields="title"),
            lambda: models.CompoundIndex(fields=["a"], partialFilterExpression={"a": 1}),
            lambda: models.TTLIndex(field="a"),
            lambda: models.CollectionConstraint(capped=True),
            lambda: models.CollectionConstraint(max=3),
        ):
            self.assertRaises(ValueError, make)
        with self.assertRaisesMessage(NotSupportedError, "the connection's"):
            models.CollectionConstraint(read_concern="majority")
        with self.assertRaises(TypeError):
            models.CollectionConstraint(timber=1)

    def test_collection_constraint(self):
        constraint = Line._meta.constraints[0]
        self.assertEqual(constraint.name, "native_line_collection")
        self.assertEqual(constraint.clone(), constraint)
        self.assertNotEqual(constraint, models.CollectionConstraint(capped=True, size=1))
