"""ArrayReferenceField: everything a many-to-many relation does, from both sides, on arrays of keys."""

import io

from django.core import serializers
from django.core.management import call_command
from django.db import connection
from django.db.models import Count, ProtectedError, Q
from django.db.models.signals import m2m_changed
from django.test import TestCase, TransactionTestCase
from shop.models import Article, Writer


class Reference(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.ann, cls.bob, cls.eve = (Writer.objects.create(name=name) for name in ("ann", "bob", "eve"))
        cls.x, cls.y, cls.z = (Article.objects.create(title=title) for title in "xyz")

    def names(self, article):
        return sorted(article.writers.values_list("name", flat=True))

    def titles(self, queryset):
        return [article.title for article in queryset]

    def test_forward_manager(self):
        x = self.x
        x.writers.add(self.ann, self.bob)
        x.writers.add(self.ann, str(self.bob.pk))
        self.assertEqual(self.names(x), ["ann", "bob"])
        self.assertEqual((x.writers.count(), x.writers.exists(), x.writers_id), (2, True, {self.ann.pk, self.bob.pk}))
        self.assertEqual(x.writers.get(name="bob"), self.bob)
        self.assertEqual(list(x.writers.filter(name__startswith="a")), [self.ann])
        x.writers.remove(self.ann)
        self.assertEqual(self.names(x), ["bob"])
        x.writers.set([self.ann, self.eve])
        self.assertEqual(self.names(x), ["ann", "eve"])
        x.writers.set([self.bob], clear=True)
        self.assertEqual(self.names(x), ["bob"])
        new = x.writers.create(name="new")
        self.assertEqual(x.writers.get_or_create(name="new"), (new, False))
        self.assertTrue(x.writers.get_or_create(name="newer")[1])
        self.assertEqual(x.writers.update_or_create(name="newest", defaults={"name": "last"})[0].name, "last")
        self.assertEqual(self.names(x), ["bob", "last", "new", "newer"])
        x.writers.clear()
        self.assertEqual((self.names(x), Writer.objects.count()), ([], 6))
        self.assertEqual(self.y.writers.count(), 0)

    def test_reverse_manager(self):
        self.ann.article_set.add(self.x, self.y)
        self.assertEqual(self.titles(self.ann.article_set.all()), ["x", "y"])
        self.ann.article_set.remove(self.x)
        self.assertEqual(self.titles(self.ann.article_set.all()), ["y"])
        self.ann.article_set.set([self.x, self.z])
        self.assertEqual(self.titles(self.ann.article_set.all()), ["x", "z"])
        self.ann.article_set.create(title="w")
        self.assertEqual(self.titles(self.ann.article_set.all()), ["w", "x", "z"])
        self.ann.article_set.clear()
        self.assertEqual((self.ann.article_set.count(), Article.objects.count()), (0, 4))
        self.ann.read.add(self.x)
        self.assertEqual((self.titles(self.ann.read.all()), self.x.writers.count()), (["x"], 0))

    def related(self):
        self.x.writers.add(self.ann, self.bob)
        self.y.writers.add(self.ann)

    def test_lookups(self):
        self.related()
        find = Article.objects.filter
        for lookup, expected in [
            ({"writers": self.ann}, "xy"), ({"writers": str(self.bob.pk)}, "x"), ({"writers__name": "ann"}, "xy"), ({"writers__name__startswith": "b"}, "x"),
            ({"writers__in": [self.bob, self.eve]}, "x"), ({"writers__isnull": True}, "z"), ({"writers__isnull": False, "writers__name": "bob"}, "x"),
            ({"writers__pk": self.ann.pk, "writers__name": "bob"}, ""), ({"writers__article__title": "y"}, "xy"),
        ]:  # fmt: skip
            with self.subTest(lookup):
                self.assertEqual("".join(sorted(set(self.titles(find(**lookup))))), expected)
        self.assertEqual(self.titles(find(writers=self.ann).filter(writers=self.bob)), ["x"])
        self.assertEqual(self.titles(Article.objects.exclude(writers=self.bob)), ["y", "z"])
        self.assertEqual(self.titles(Article.objects.exclude(writers__name="ann")), ["z"])
        self.assertEqual(self.titles(find(Q(writers=self.bob) | Q(title="z"))), ["x", "z"])
        self.assertEqual(self.titles(find(writers__in=Writer.objects.filter(name="bob"))), ["x"])
        self.assertEqual(list(Writer.objects.filter(article__title="x").order_by("name")), [self.ann, self.bob])
        self.assertEqual(list(Writer.objects.exclude(article=self.x)), [self.eve])

    def test_values_and_aggregates(self):
        self.related()
        rows = Article.objects.order_by("title", "writers__name").values_list("title", "writers__name")
        self.assertEqual(list(rows), [("x", "ann"), ("x", "bob"), ("y", "ann"), ("z", None)])
        self.assertEqual([a.n for a in Article.objects.annotate(n=Count("writers"))], [2, 1, 0])
        self.assertEqual([w.n for w in Writer.objects.annotate(n=Count("article")).order_by("name")], [2, 1, 0])

    def test_prefetch(self):
        self.related()
        with self.assertNumQueries(2):
            found = [(a.title, sorted(w.name for w in a.writers.all())) for a in Article.objects.prefetch_related("writers")]
        self.assertEqual(found, [("x", ["ann", "bob"]), ("y", ["ann"]), ("z", [])])
        with self.assertNumQueries(2):
            found = [(w.name, [a.title for a in w.article_set.all()]) for w in Writer.objects.prefetch_related("article_set").order_by("name")]
        self.assertEqual(found, [("ann", ["x", "y"]), ("bob", ["x"]), ("eve", [])])

    def test_deleting_never_deletes_who_refers(self):
        self.related()
        self.ann.delete()
        self.assertEqual(self.titles(Article.objects.all()), ["x", "y", "z"])
        self.assertEqual([self.names(article) for article in Article.objects.all()], [["bob"], [], []])
        Writer.objects.filter(name="bob").delete()
        self.assertEqual((Article.objects.count(), self.x.writers_id), (3, set()))
        self.x.writers.add(self.eve)
        self.x.delete()
        self.assertTrue(Writer.objects.filter(name="eve").exists())
        self.y.checked.add(self.eve)
        with self.assertRaises(ProtectedError):
            self.eve.delete()

    def test_self(self):
        self.x.related.add(self.y)
        self.assertEqual((self.titles(self.x.related.all()), self.titles(self.y.related.all()), self.titles(self.y.related_to.all())), (["y"], [], ["x"]))

    def test_signals(self):
        seen = []

        def receiver(sender, action, pk_set, reverse, **kwargs):
            seen.append((action, pk_set, reverse))

        m2m_changed.connect(receiver, sender=Article.writers.through)
        try:
            self.x.writers.add(self.ann)
            self.x.writers.add(self.ann)
            self.ann.article_set.remove(self.x)
        finally:
            m2m_changed.disconnect(receiver, sender=Article.writers.through)
        self.assertEqual([entry[0] for entry in seen], ["pre_add", "post_add", "pre_add", "post_add", "pre_remove", "post_remove"])
        self.assertEqual((seen[0][1], seen[2][1], seen[4][1:]), ({self.ann.pk}, set(), ({self.x.pk}, True)))

    def test_form_and_fixture(self):
        from django.forms import modelform_factory

        Form = modelform_factory(Article, fields=["title", "writers"])
        form = Form({"title": "f", "writers": [str(self.ann.pk), str(self.bob.pk)]})
        self.assertTrue(form.is_valid(), form.errors)
        article = form.save()
        self.assertEqual(self.names(article), ["ann", "bob"])
        form = Form({"title": "f", "writers": [str(self.eve.pk)]}, instance=article)
        form.save()
        self.assertEqual(self.names(article), ["eve"])
        text = serializers.serialize("json", [article])
        article.delete()
        for loaded in serializers.deserialize("json", text):
            loaded.save()
        self.assertEqual(self.names(Article.objects.get(title="f")), ["eve"])


class Stored(TransactionTestCase):
    def test_layout_and_index(self):
        ann, bob = Writer.objects.create(name="ann"), Writer.objects.create(name="bob")
        article = Article.objects.create(title="x")
        article.writers.add(ann, bob)
        article.save()
        self.assertEqual(Article.objects.mongo_find_one()["writers_id"], [ann.pk, bob.pk])
        self.assertIn([("writers_id", 1)], [index["key"] for index in Article.objects.mongo_index_information().values()])
        self.assertNotIn("shop_article_writers", connection.introspection.table_names())
        plan = Article.objects.filter(writers=ann).explain()
        self.assertIn('"filter" : { "writers_id" : { "$all"', plan)
        self.assertEqual(plan.count('"find"'), 1, plan)
        self.assertEqual(Article.objects.exclude(writers=ann).explain().count('"find"'), 1)
        self.assertEqual(Article.objects.exclude(writers__name="ann").explain().count('"find"'), 2)
        self.assertIn("using _id_", article.writers.all().explain())
        # As djongo 1.3 left it: no array at all, or a key that refers to nothing.
        Article.objects.mongo_update_many({}, {"$unset": {"writers_id": 1}})
        self.assertEqual(article.writers.count(), 0)
        article.writers.add(bob)
        self.assertEqual(Article.objects.mongo_find_one()["writers_id"], [bob.pk])
        call_command("sqlsequencereset", "shop", stdout=io.StringIO())
