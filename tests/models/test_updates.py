"""Updates of inner fields and elements."""

import datetime
from decimal import Decimal

from django.core.exceptions import FieldError, ValidationError
from django.db.models import F, Q
from django.test import TestCase
from shop.models import Entry, Tour

from djongo.models import AddToSet, Increment, Pull, Push, PushFront, Set


class Arrays(TestCase):
    def setUp(self):
        self.entry = Entry.objects.create(headline="a", tags=["x", "y", "x"], authors=[{"name": "P"}, {"name": "Q", "email": "q@q.de"}], scores=["1"])

    def updated(self, **kwargs):
        self.assertEqual(Entry.objects.filter(pk=self.entry.pk).update(**kwargs), 1)
        return Entry.objects.get(pk=self.entry.pk)

    def test_push(self):
        self.assertEqual(self.updated(tags=Push("z")).tags, ["x", "y", "x", "z"])
        self.assertEqual(self.updated(tags=Push("1", "2")).tags, ["x", "y", "x", "z", "1", "2"])
        self.assertEqual(self.updated(tags=PushFront("a", "b")).tags[:3], ["a", "b", "x"])
        self.assertEqual(self.updated(authors=Push({"name": "R", "born": datetime.date(2000, 1, 1)})).authors[2].born, datetime.date(2000, 1, 1))
        self.assertEqual(self.updated(scores=Push("2.5")).scores, [1, Decimal("2.5")])
        self.assertEqual(self.updated(tags=None).tags, None)
        self.assertEqual(self.updated(tags=Push("z")).tags, ["z"])

    def test_add_to_set(self):
        self.assertEqual(self.updated(tags=AddToSet("y", "z")).tags, ["x", "y", "x", "z"])

    def test_pull(self):
        self.assertEqual(self.updated(tags=Pull("x")).tags, ["y"])
        self.assertEqual(self.updated(authors=Pull({"name": "P"})).authors, [{"name": "Q", "email": "q@q.de"}])
        self.assertEqual(self.updated(authors=Pull(Q(name="Q", email__isnull=True))).authors, [{"name": "Q", "email": "q@q.de"}])
        self.assertEqual(self.updated(authors=Pull(Q(name="Q"))).authors, [])

    def test_wrong_values(self):
        for wrong in ({"authors": Push({"name": "x" * 300})}, {"authors": Push({"born": "no date", "name": "x"})}, {"scores": Push("x")}):
            with self.subTest(wrong), self.assertRaises(ValidationError):
                Entry.objects.update(**wrong)
        with self.assertRaises(FieldError):
            Entry.objects.update(blog=Push("x"))
        with self.assertRaises(FieldError):
            list(Entry.objects.annotate(x=Push("x")))


class InnerFields(TestCase):
    def setUp(self):
        self.entry = Entry.objects.create(
            headline="a", blog={"name": "b", "tagline": {"title": "t"}, "mood": "kept"}, tags=["x", "y"], authors=[{"name": "P"}, {"name": "Q", "email": "q@q.de"}]
        )
        self.empty = Entry.objects.create(headline="empty")

    def updated(self, entry=None, **kwargs):
        entry = entry or self.entry
        self.assertEqual(Entry.objects.filter(pk=entry.pk).update(**kwargs), 1)
        return Entry.objects.get(pk=entry.pk)

    def test_one_field(self):
        found = self.updated(blog__name="new", headline="also")
        self.assertEqual((found.headline, found.blog), ("also", {"name": "new", "tagline": {"title": "t"}, "mood": "kept"}))
        found = self.updated(blog__tagline__subtitle="s", blog__name=F("headline"))
        self.assertEqual(found.blog, {"name": "also", "tagline": {"title": "t", "subtitle": "s"}, "mood": "kept"})
        found = self.updated(blog=Set(name="by Set"))
        self.assertEqual((found.blog.name, found.blog["mood"]), ("by Set", "kept"))
        self.assertIsNone(self.updated(blog__tagline=None).blog.tagline)
        self.assertEqual(self.updated(blog__tagline={"title": "x"}).blog.tagline, {"title": "x"})

    def test_missing_parents_are_made(self):
        self.assertEqual(self.updated(self.empty, blog__tagline__title="t").blog.tagline.title, "t")

    def test_elements(self):
        found = self.updated(authors__1__email=None, authors__0__born="1942-06-18", tags__1="z")
        self.assertEqual([author.email for author in found.authors], [None, None])
        self.assertEqual((found.authors[0].born, found.authors[1].name, found.tags), (datetime.date(1942, 6, 18), "Q", ["x", "z"]))
        self.assertEqual(self.updated(authors__0__books=Push("b")).authors[0].books, ["b"])
        self.assertEqual(self.updated(authors__0__books=Push("c")).authors[0].books, ["b", "c"])

    def test_numbers(self):
        tour = Tour.objects.create(name="t", visits=[{"place": {"country": "de"}, "nights": 2}])
        Tour.objects.update(visits__0__nights=F("visits__0__nights") + 3)
        Tour.objects.update(visits__0__nights=Increment(2), home__country="fr")
        tour.refresh_from_db()
        self.assertEqual((tour.visits[0].nights, tour.home.country), (7, "fr"))

    def test_wrong_ones(self):
        for wrong in ({"blog__name": "x" * 101}, {"blog__name": None}, {"authors__0__born": "no"}, {"blog__tagline": 5}):
            with self.subTest(wrong), self.assertRaises(ValidationError):
                Entry.objects.update(**wrong)
        for wrong in ({"blog__nom": 1}, {"authors__name": "x"}, {"headline__x": 1}, {"blog__name": 1, "blog": None}, {"tags__len": 1}):
            with self.subTest(wrong), self.assertRaises(FieldError):
                Entry.objects.update(**wrong)
