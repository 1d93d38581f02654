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
