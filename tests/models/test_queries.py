"""Queries into documents and arrays, by both spellings."""

import datetime
from decimal import Decimal

from django.core.exceptions import FieldError
from django.db.models import Avg, Count, Exists, F, Max, OuterRef, Q, Subquery, Sum
from django.test import TestCase
from shop.models import Entry, Holder, Owner, Person, Tour

from djongo.models import ElemMatch


class Base(TestCase):
    def headlines(self, *args, **kwargs):
        return "".join(sorted(Entry.objects.filter(*args, **kwargs).values_list("headline", flat=True)))

    def others(self, *args, **kwargs):
        return "".join(sorted(Entry.objects.exclude(*args, **kwargs).values_list("headline", flat=True)))

    def check(self, expected, *args, **kwargs):
        """filter() gives these, and exclude() all others, those without a value too."""
        self.assertEqual(self.headlines(*args, **kwargs), expected)
        self.assertEqual(self.others(*args, **kwargs), "".join(sorted(set("abcd") - set(expected))))


class Queries(Base):
    @classmethod
    def setUpTestData(cls):
        born = datetime.date
        cls.a = Entry.objects.create(
            headline="a", blog={"name": "Beatles", "tagline": {"title": "Fab", "subtitle": "four"}}, tags=["pop", "uk"], scores=["1.5", "9"],
            authors=[
                {"name": "Paul", "email": "p@b.uk", "born": born(1942, 6, 18), "rating": "9.5", "books": ["x", "y"]},
                {"name": "John", "email": "j@b.uk", "born": born(1940, 10, 9), "rating": "9"},
            ],
            data={"k": [{"z": 1}, {"z": 2}], "n": 5, "when": datetime.datetime(2020, 1, 1)},
        )  # fmt: skip
        cls.b = Entry.objects.create(
            headline="b", blog={"name": "Stones", "tagline": {"title": "Rolling"}}, tags=["rock", "uk"], scores=["2"],
            authors=[{"name": "Mick", "born": born(1943, 7, 26), "rating": "7"}, {"name": "Paul", "born": born(1900, 1, 1), "books": ["z"]}],
        )  # fmt: skip
        cls.c = Entry.objects.create(headline="c", blog={"name": "it's 100% a.b"}, tags=[], authors=[])
        cls.d = Entry.objects.create(headline="d")

    def test_django_spelling(self):
        self.check("a", blog__name="Beatles")
        self.check("b", blog__name__startswith="S")
        self.check("a", blog__name__iexact="BEATLES")
        self.check("c", blog__name__contains="100% a.")
        self.check("c", blog__name="it's 100% a.b")
        self.check("ab", blog__name__in=["Beatles", "Stones"])
        self.check("ab", blog__name__lt="T")
        self.check("ab", blog__name__regex="^[BS]")
        self.check("ab", blog__name__range=("A", "T"))
        self.check("a", blog__tagline__subtitle="four")
        self.check("b", blog__tagline__title__icontains="ROLL")
        self.check("cd", blog__tagline__isnull=True)
        self.check("cd", blog__tagline__title__isnull=True)
        self.check("ab", blog__tagline__title__isnull=False)
        self.check("cd", blog__tagline=None)
        self.check("d", blog=None)
        self.check("abc", blog__isnull=False)
        self.check("a", blog__name=F("blog__name"), blog__tagline__subtitle="four")

    def test_dict_form(self):
        self.check("a", blog={"name": "Beatles"})
        self.check("", blog={"name": "Beatles", "tagline": {"title": "Rolling"}})
        self.check("a", blog={"name": "Beatles", "tagline": {"title": "Fab"}})
        self.check("a", blog={"tagline.subtitle": "four"})
        self.check("b", blog__startswith={"name": "S"})
        self.check("c", blog__contains={"name": "100% a."})
        self.check("c", blog__contains={"name": "'s"})
        self.check("a", blog__icontains={"name": "BEAT", "tagline": {"title": "FA"}})
        self.check("a", blog__iexact={"name": "beatles"})
        self.check("b", blog__endswith={"name": "nes"})
        self.check("ac", blog__regex={"name": "[e]?at|a.b"})
        self.check("bc", blog__gt={"name": "Beatles"})
        self.check("ab", blog__lte={"name": "Stones"})
        self.check("ab", blog__in=[{"name": "Beatles"}, {"name": "Stones", "tagline": {"subtitle": ""}}])
        self.check("a", blog=self.a.blog)
        self.check("abc", blog={})

    def test_elements_of_arrays(self):
        self.check("ab", authors__name="Paul")
        self.check("ab", authors={"name": "Paul"})
        self.check("a", authors__0__name="Paul")
        self.check("a", authors={"0.name": "Paul"})
        self.check("b", authors={"1.name": "Paul"})
        self.check("", authors={"2.name": "Paul"})
        self.check("a", authors__lt={"name": "K"})
        self.check("ab", authors__name__startswith="P")
        self.check("b", authors__name__in=["Mick", "Keith"])
        self.check("ab", authors__born__year__gte=1940)
        self.check("a", authors__rating__gt=Decimal("9.2"))
        self.check("a", authors__email__isnull=False)
        self.check("bcd", authors__email__isnull=True)
        self.check("b", authors__books__contains=["z"])
        self.check("a", authors__books__0="x")
        self.check("b", authors__books="z")
        self.check("a", authors__books__len=2)
        self.check("ab", authors__len=2)
        self.check("c", authors__len=0)
        self.check("d", authors__isnull=True)

    def test_same_element(self):
        # A Paul, and somebody born in the forties: in "b" these are two.
        self.check("ab", Q(authors__name="Paul") & Q(authors__born__year__gte=1940))
        self.check("a", authors__elem_match=Q(name="Paul", born__year__gte=1940))
        self.check("a", authors__elem_match=Q(name="Paul") & ~Q(born__lt=datetime.date(1940, 1, 1)))
        self.check("ab", authors__elem_match=Q(name="Mick") | Q(name="John"))
        self.check("a", authors__elem_match={"name": "Paul", "born__year__gte": 1940})
        self.check("a", Q(authors__elem_match=ElemMatch(name="Paul", books__contains=["y"])))
        self.check("a", authors={"name": "Paul", "email": "p@b.uk"})
        self.check("", authors={"name": "John", "email": "p@b.uk"})
        self.check("a", scores__elem_match=Q(gt=1, lt=2))

    def test_arrays_of_values(self):
        self.check("a", tags=["pop", "uk"])
        self.check("", tags=["uk", "pop"])
        self.check("c", tags=[])
        self.check("ab", tags="uk")
        self.check("ab", tags__contains=["uk"])
        self.check("a", tags__contains=["uk", "pop"])
        self.check("ab", tags__contains="uk")
        self.check("ab", tags__overlap=["pop", "rock"])
        self.check("ac", tags__contained_by=["pop", "uk", "x"])
        self.check("ab", tags__len=2)
        self.check("a", tags__0="pop")
        self.check("ab", tags__1="uk")
        self.check("b", tags__0__startswith="r")
        self.check("a", tags__startswith="po")
        self.check("ab", tags__in=["pop", "rock", "x"])
        self.check("ac", tags__in=[["pop", "uk"], []])
        self.check("a", scores__gt=5)
        self.check("b", scores=[2])
        self.check("ab", scores__lte="2.0")

    def test_slices(self):
        self.check("b", tags__0_1=["rock"])
        self.check("ab", tags__1_2=["uk"])

    def test_arrays_of_documents(self):
        self.check("a", authors=[{"name": "Paul"}, {"name": "John"}])
        self.check("", authors=[{"name": "Paul"}])
        self.check("c", authors=[])
        self.check("a", authors__contains=[{"name": "Paul"}, {"name": "John", "email": "j@b.uk"}])
        self.check("ab", authors__overlap=[{"name": "Mick"}, {"name": "John"}])
        self.check("ac", authors__contained_by=[{"name": "Paul"}, {"name": "John"}])
        self.check("b", authors__in=[{"name": "Mick"}])

    def test_json(self):
        self.check("a", data__n=5)
        self.check("a", data__k__1__z=2)
        self.check("a", data__has_key="k")
        self.check("a", data__contains={"n": 5})

    def test_values_order_annotate_aggregate(self):
        rows = Entry.objects.order_by("blog__name").values_list("headline", "blog__name", "blog__tagline__title")
        self.assertEqual(list(rows), [("d", None, None), ("a", "Beatles", "Fab"), ("b", "Stones", "Rolling"), ("c", "it's 100% a.b", None)])
        self.assertEqual([entry.headline for entry in Entry.objects.order_by("-blog__name")], ["c", "b", "a", "d"])
        self.assertEqual(Entry.objects.values("authors__0__born", "tags__len").get(headline="a"), {"authors__0__born": datetime.date(1942, 6, 18), "tags__len": 2})
        self.assertEqual(Entry.objects.values_list("authors__name", flat=True).get(headline="a"), ["Paul", "John"])
        self.assertEqual(Entry.objects.values_list("authors__rating", flat=True).get(headline="b"), [Decimal(7), None])
        entry = Entry.objects.annotate(title=F("blog__tagline__title"), tagline=F("blog__tagline")).get(headline="a")
        self.assertEqual((entry.title, entry.tagline), ("Fab", {"title": "Fab", "subtitle": "four"}))
        self.assertEqual(Entry.objects.aggregate(n=Count("blog__name"), m=Max("authors__0__rating")), {"n": 3, "m": Decimal("9.5")})
        rows = Entry.objects.values("blog__tagline__title").annotate(n=Count("pk")).order_by("blog__tagline__title")
        self.assertEqual([tuple(row.values()) for row in rows], [(None, 2), ("Fab", 1), ("Rolling", 1)])
        self.assertEqual(Entry.objects.filter(blog__name__gt=F("blog__tagline__title")).count(), 1)
        self.assertEqual(Entry.objects.aggregate(s=Sum("scores__0"), a=Avg("tags__len"))["s"], Decimal("3.5"))
        self.assertEqual(list(Entry.objects.distinct().order_by("tags__1").values_list("tags__1", flat=True)), [None, "uk"])

    def test_subqueries(self):
        names = Entry.objects.filter(headline="a").values("blog__name")
        self.check("a", blog__name__in=names)
        same = Entry.objects.filter(authors__0__name=OuterRef("authors__1__name")).exclude(pk=OuterRef("pk"))
        self.assertEqual(self.headlines(Exists(same)), "b")
        inner = Entry.objects.filter(pk=OuterRef("pk")).values("blog__name")[:1]
        self.assertEqual(Entry.objects.annotate(n=Subquery(inner)).get(headline="b").n, "Stones")

    def test_wrong_names_and_values(self):
        for wrong in ({"blog__nom": 1}, {"blog": {"nom": 1}}, {"blog__name__foo": 1}, {"authors__nom": 1}, {"authors": {"0.nom": 1}}, {"blog": 5}, {"blog__foo": {}}):
            with self.subTest(wrong), self.assertRaises(FieldError):
                list(Entry.objects.filter(**wrong))

    def test_stored_keys_of_no_field(self):
        Entry.objects.filter(headline="d").update(blog={"name": "x", "mood": 1})
        self.check("d", blog__has_key="mood")


class DeeperQueries(Base):
    def test_several_array_levels(self):
        make = Tour.objects.create
        ann, bob = Person.objects.create_user("ann"), Person.objects.create_user("bob")
        make(name="a", visits=[{"place": {"country": "de", "point": [1, 2]}, "by": ann}, {"place": {"country": "fr"}, "nights": 3}])
        make(name="b", visits=[{"place": {"country": "it", "point": [3, 4]}, "by": bob}])
        make(name="c", home={"country": "de"}, grid=[[1, 2], [3]])

        def names(**kwargs):
            return "".join(Tour.objects.filter(**kwargs).order_by("name").values_list("name", flat=True))

        self.assertEqual(names(visits__place__country="fr"), "a")
        self.assertEqual(names(visits__place={"country": "de"}), "a")
        self.assertEqual(names(visits__place__point__0=3), "b")
        self.assertEqual(names(visits__place__point__gt=3), "b")
        self.assertEqual(names(visits__place__point__contains=[2.0]), "a")
        self.assertEqual(names(visits__elem_match=Q(place__country="de", nights=3)), "")
        self.assertEqual(names(visits__elem_match=Q(place={"country": "fr"}, nights=3)), "a")
        self.assertEqual(names(home__country="de"), "c")
        self.assertEqual(names(grid__0__1=2), "c")
        # From keys inside documents to the rows they refer to.
        self.assertEqual(names(visits__by=ann), "a")
        self.assertEqual(names(visits__by__in=[ann, bob]), "ab")
        self.assertEqual(names(visits__by_id=bob.pk), "b")
        self.assertEqual(names(visits__by__username="bob"), "b")
        self.assertEqual(names(visits__0__by__username__startswith="a"), "a")
        self.assertEqual(list(Tour.objects.order_by("name").values_list("visits__0__by__username", flat=True)), ["ann", "bob", None])
        self.assertEqual(list(Person.objects.filter(pk__in=Tour.objects.values("visits__0__by"))), [ann, bob])

    def test_arrays_in_arrays(self):
        Holder.objects.create(thread={"text": "0", "replies": [{"text": "1", "replies": [{"text": "2"}]}, {"text": "3"}]})
        for count, lookup in [(1, {"thread__replies__replies__text": "2"}), (0, {"thread__replies__text": "2"}), (1, {"thread__replies__1__text": "3"})]:
            self.assertEqual(Holder.objects.filter(**lookup).count(), count)
        self.assertEqual(Holder.objects.values_list("thread__replies__text", flat=True).get(), ["1", "3"])

    def test_one_of_several_containers(self):
        Owner.objects.create(name="a", pet={"_label": "shop.Dog", "name": "Rex"}, pets=[{"_label": "shop.Cat", "name": "Tom", "lives": 3}])
        self.assertEqual(Owner.objects.filter(pet__name="Rex", pet__barks=True, pets__lives__lt=4).count(), 1)
