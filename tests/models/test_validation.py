"""What is refused, when, and what the errors say: nothing broken is ever stored."""

import datetime

from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.test import SimpleTestCase, TestCase
from shop.models import Author, Blog, Comment, Dog, Entry, Holder, Owner, Place, Tour

from djongo import models


def errors(instance):
    try:
        instance.full_clean()
    except ValidationError as error:
        return error.message_dict
    return {}


class Cleaning(SimpleTestCase):
    def test_errors_name_their_path(self):
        found = errors(Entry(headline="h", authors=[{"name": "P"}, {"name": ""}, {"name": "Q", "email": "nope", "born": "yesterday"}], blog={"name": "b", "tagline": {}}))
        self.assertEqual(
            found,
            {
                "authors": [
                    "authors.1.name: This field cannot be blank.",
                    "authors.2.email: Enter a valid email address.",
                    "authors.2.born: “yesterday” value has an invalid date format. It must be in YYYY-MM-DD format.",
                ],
                "blog": ["blog.tagline.title: This field cannot be blank."],
            },
        )

    def test_inner_validation(self):
        for visit, message in [
            ({"place": {"country": "de"}, "nights": 0}, "visits.0.nights: Ensure this value is greater than or equal to 1."),
            ({"place": {"country": "de"}, "kind": "x"}, "visits.0.kind: Value 'x' is not a valid choice."),
            ({"place": {"country": "deu"}}, "visits.0.place.country: Ensure this value has at most 2 characters (it has 3)."),
            ({"place": {"country": "de", "point": [1]}}, "visits.0.place.point: There must be exactly 2 elements, not 1."),
            ({"place": {"country": "de", "point": [1, "x"]}}, "visits.0.place.point.1: “x” value must be a float."),
            ({"place": None}, "visits.0.place: This field cannot be null."),
            ({}, "visits.0.place: This field cannot be null."),
            ({"place": "de"}, "visits.0.place: A dict or an instance of the container is needed here, not a value of type str."),
            ("x", "visits.0: A dict or an instance of the container is needed here, not a value of type str."),
        ]:
            with self.subTest(visit):
                self.assertEqual(errors(Tour(name="t", visits=[visit])), {"visits": [message]})

    def test_the_containers_own_clean(self):
        self.assertEqual(errors(Entry(headline="h", blog={"name": "forbidden"})), {"blog": ["blog.name: Not this one."]})

    def test_unique_within_the_array(self):
        found = errors(Entry(headline="h", authors=[{"name": "a", "email": "a@a.de"}, {"name": "b"}, {"name": "c"}, {"name": "d", "email": "a@a.de"}]))
        self.assertEqual(found, {"authors": ["authors.3.email: The value occurs more than once in the array."]})
        field = models.ArrayField(models.IntegerField(unique=True))
        field.set_attributes_from_name("f")
        with self.assertRaisesMessage(ValidationError, "f.2: The value occurs more than once"):
            field.clean([1, 2, 1], Entry())

    def test_wrong_types(self):
        for name, value in [("blog", 5), ("blog", [1]), ("blog", "x"), ("authors", {"name": "x"}), ("authors", "x"), ("authors", [5]), ("tags", 5), ("tags", {"a": 1})]:
            with self.subTest(name=name, value=value):
                self.assertIn(name, errors(Entry(headline="h", **{name: value})))
        self.assertIn("An instance of Blog is needed here, not of Author.", errors(Entry(headline="h", blog=Author(name="x")))["blog"])
        self.assertIn("pet", errors(Owner(name="o", pet=Place(country="de"))))

    def test_sizes(self):
        self.assertEqual(errors(Entry(headline="h", scores=[1] * 6)), {"scores": ["There may be at most 5 elements, not 6."]})
        self.assertEqual(errors(Entry(headline="h", scores=["1.234"])), {"scores": ["scores.0: Ensure that there are no more than 2 decimal places."]})

    def test_null_and_blank(self):
        self.assertEqual(errors(Holder()), {"every": ["This field cannot be blank."], "thread": ["This field cannot be blank."],
                                            "list": ["This field cannot be blank."], "dict": ["This field cannot be blank."]})  # fmt: skip
        field = models.EmbeddedField(Blog)
        field.set_attributes_from_name("f")
        with self.assertRaisesMessage(ValidationError, "This field cannot be null."):
            field.clean(None, Entry())

    def test_values_are_cleaned(self):
        entry = Entry(headline="h", authors=[{"name": "P", "born": "1942-06-18", "rating": "9.5"}], tags=("a", 5))
        entry.full_clean()
        self.assertEqual((entry.authors[0].born, entry.authors[0].rating, entry.tags), (datetime.date(1942, 6, 18), 9.5, ["a", "5"]))


class Saving(TestCase):
    def refused(self, instance, message):
        with self.assertRaisesMessage(ValidationError, message), transaction.atomic():
            instance.save()
        self.assertFalse(type(instance).objects.exists())

    def test_nothing_broken_is_saved(self):
        self.refused(Entry(headline="h", blog="x"), "blog: A dict or an instance")
        self.refused(Entry(headline="h", blog={"name": None}), "blog.name: This field cannot be null.")
        self.refused(Entry(headline="h", blog={"name": "x" * 101}), "blog.name: The text has 101 characters, 100 are allowed.")
        self.refused(Entry(headline="h", authors=[{"name": "x", "born": "no"}]), "authors.0.born: “no” value has an invalid date format")
        self.refused(Entry(headline="h", authors=[{"name": "x", "rating": 10**9}]), "authors.0.rating: The number has more digits than the field.")
        self.refused(Entry(headline="h", authors=5), "authors: A list is needed here")
        self.refused(Entry(headline="h", tags=["x" * 21]), "tags.0: The text has 21 characters")
        self.refused(Entry(headline="h", scores=[1] * 6), "at most 5 elements")
        self.refused(Entry(headline="h", blog=Dog(name="x")), "An instance of Blog is needed here, not of Dog.")

    def test_keys(self):
        for key, message in [("a.b", "contains a dot"), ("$a", "begins with $"), ("a\0", "contains a NUL"), (5, "must be text, not int")]:
            with self.subTest(key):
                self.refused(Entry(headline="h", blog={"name": "x", key: 1}), message)
                self.refused(Entry(headline="h", blog={"name": "x", "more": [{key: 1}]}), message)
        self.refused(Entry(headline="h", data={"a\0": 1}), "NUL")
        self.refused(Holder(dict={5: 1}), "is not a text")
        self.refused(Holder(list=[{1, 2}]), "a value of type set has no form in BSON")
        self.assertIn("blog", errors(Entry(headline="h", blog={"name": "x", "$a": 1})))

    def test_depth_and_cycles(self):
        cycle = {}
        cycle["a"] = [cycle]
        deep = value = {}
        for _ in range(200):
            value["a"] = value = {}
        message = "nested deeper than 100 levels, or contains itself"
        for value in (cycle, deep):
            self.refused(Entry(headline="h", data=value), message)
            self.refused(Entry(headline="h", blog={"name": "x", "more": value}), message)
            self.assertIn("data", errors(Entry(headline="h", data=value)))
        thread = Comment(text="x")
        thread.replies.append(thread)
        self.refused(Holder(thread=thread), message)
        self.assertIn("thread", errors(Holder(thread=thread)))
        thread = Comment(text="x")
        for _ in range(150):
            thread = Comment(text="x", replies=[thread])
        self.refused(Holder(thread=thread), message)

    def test_sixteen_megabytes(self):
        for instance in (Holder(list=["x" * 2**20] * 17), Holder(thread={"text": "x", "more": ["x" * 2**20] * 17})):
            with self.assertRaises(DatabaseError) as caught, transaction.atomic():
                instance.save()
            self.assertIn("16 MB", str(caught.exception))
        self.assertFalse(Holder.objects.exists())


class Declaring(SimpleTestCase):
    def test_containers_that_cannot_be(self):
        class Numbered(models.Model):
            number = models.BigAutoField(primary_key=True)

            class Meta:
                abstract = True
                app_label = "shop"

        with self.assertRaisesMessage(ValidationError, "cannot be of type BigAutoField"):
            models.EmbeddedField(Numbered)
        for wrong in (None, dict, 5):
            with self.assertRaises(ValidationError):
                models.EmbeddedField(model_container=wrong)
        with self.assertRaises(ValidationError):
            models.ArrayField(Blog, base_field=models.CharField())

    def test_checks(self):
        from django.core.checks import run_checks

        found = [message for message in run_checks() if getattr(message.obj, "model", None) is Entry]
        self.assertEqual([message.id for message in found if message.is_serious()], [])

        class Bad(models.EmbeddedModel):
            many = models.ManyToManyField(Dog)
            word = models.CharField(max_length=5, db_index=True)

            class Meta:
                app_label = "shop"

        field = models.EmbeddedField(Bad)
        field.set_attributes_from_name("f")
        field.model = Entry
        self.assertEqual([message.id for message in field.check()], ["djongo.E001", "djongo.W002"])
