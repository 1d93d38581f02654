"""What users of djongo relied on or suffered from, row by row: the numbers are those of the feature list (fields, managers, queries, writes) and of the list
of complaints (B11 ... E4) that this version was written against."""

import datetime
import json
from decimal import Decimal

from bson import ObjectId
from django.contrib.auth.hashers import check_password
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, F, Max, Q, Sum
from django.test import TransactionTestCase
from shop.models import Article, Author, Blog, Entry, Holder, Node, Person, Tour, Writer

from djongo import models


class Fields(TransactionTestCase):
    def entry(self, **values):
        return Entry.objects.create(**{"headline": "h", **values})

    def test_3_1_embedded(self):
        entry = self.entry()
        entry.blog = {"name": "Beatles"}
        entry.save()
        self.assertEqual(Entry.objects.get().blog, {"name": "Beatles"})
        self.assertEqual(Entry.objects.mongo_find_one()["blog"], {"name": "Beatles", "tagline": None})

    def test_3_2_options(self):
        field = models.EmbeddedField(model_container=Blog, db_column="b", verbose_name="v", help_text="h", validators=[lambda value: None], editable=False)
        self.assertEqual((field.db_column, field.verbose_name, field.help_text, field.editable), ("b", "v", "h", False))
        with self.assertRaises(ValidationError) as caught:
            Tour(name="t", visits=[{"place": None}]).clean_fields()
        self.assertEqual(caught.exception.message_dict, {"visits": ["visits.0.place: This field cannot be null."]})

    def test_3_4_to_3_6_nesting_and_validation(self):
        self.entry(blog={"name": "a", "tagline": {"title": "t"}})
        with self.assertRaises(ValidationError):
            Entry(headline="h", blog={"name": "x" * 101}).clean_fields()
        for wrong in ("x", 1, ["a"]):
            with self.assertRaises(ValidationError), transaction.atomic():
                self.entry(blog=wrong)
        self.assertEqual(Entry.objects.count(), 1)

    def test_3_7_serialization(self):
        entry = self.entry(blog={"name": "a"})
        field = Entry._meta.get_field("blog")
        self.assertEqual(json.loads(field.value_to_string(entry)), {"name": "a", "tagline": None})
        self.assertEqual(field.to_python('{"name": "a"}'), {"name": "a"})
        empty = self.entry()
        self.assertIsNone(json.loads(serializers.serialize("json", [empty]))[0]["fields"]["blog"])

    def test_3_8_and_3_10_old_names(self):
        self.assertIsInstance(models.EmbeddedModelField(model_container=Blog, model_form_class=None, model_form_kwargs=None), models.EmbeddedField)
        self.assertIsInstance(models.ArrayModelField(model_container=Author, model_form_kwargs_l={}), models.ArrayField)

    def test_3_9_array(self):
        self.entry(authors=[{"name": "Paul", "email": "p@b.uk"}, {"name": "John"}])
        self.assertEqual([author["name"] for author in Entry.objects.get().authors], ["Paul", "John"])

    def test_3_11_to_3_15_array_reference(self):
        field = models.ArrayReferenceField(
            to=Writer, on_delete=None, related_name=None, related_query_name=None, limit_choices_to=None, parent_link=False, to_field=None, db_constraint=True
        )
        self.assertTrue(field.many_to_many)
        writer, article = Writer.objects.create(name="a"), Article.objects.create(title="t")
        article.writers.add(writer)
        self.assertEqual((article.writers_id, Article.objects.mongo_find_one()["writers_id"]), ({writer.pk}, [writer.pk]))
        self.assertEqual(Article.objects.filter(writers=writer).count() + Article.objects.filter(writers__name="a").count() + Article.objects.filter(writers__in=[writer]).count(), 3)
        writer.delete()
        self.assertEqual((Article.objects.count(), Article.objects.mongo_find_one()["writers_id"]), (1, []))

    def test_3_17_and_3_18_objectids(self):
        entry = self.entry()
        self.assertEqual((Entry._meta.pk.name, type(entry.pk), entry.pk), ("_id", ObjectId, entry._id))
        self.assertEqual(Entry.objects.get(pk=str(entry.pk)), entry)
        node = Node.objects.create(name="n", other=ObjectId())
        self.assertIsInstance(node.pk, ObjectId)

    def test_3_19_to_3_22_free_values(self):
        for value in ({"a": [1, {"b": None}]}, [1, "x"], None, {}):
            self.assertEqual(Entry.objects.get(pk=self.entry(data=value).pk).data, value)
        holder = Holder.objects.create(list=[1, {"a": 2}], dict={"a": [1]})
        holder.refresh_from_db()
        self.assertEqual((holder.list, holder.dict), ([1, {"a": 2}], {"a": [1]}))

    def test_3_24_djangos_names(self):
        from django.db import models as plain

        for name in plain.__all__:
            self.assertTrue(hasattr(models, name), name)


class Queries(TransactionTestCase):
    def setUp(self):
        for headline, name in (("a", "Beatles"), ("b", "Byrds"), ("c", "The (Who).")):
            Entry.objects.create(
                headline=headline, blog={"name": name, "tagline": {"title": headline.upper(), "subtitle": "x"}},
                authors=[{"name": "Paul", "rating": "1.5"}, {"name": f"{headline}2"}, {"name": "John"}], data={"k": {"1": {"z": 2}}, "name": name},
            )  # fmt: skip

    def found(self, *args, **kwargs):
        return "".join(Entry.objects.filter(*args, **kwargs).order_by("headline").values_list("headline", flat=True))

    def test_5_1_to_5_8_embedded(self):
        self.assertEqual(self.found(blog={"name": "Beatles"}), "a")
        self.assertEqual(self.found(blog={"name": "Beatles", "tagline": {"title": "B"}}), "")
        self.assertEqual(self.found(blog={"tagline.title": "B"}), "b")
        self.assertEqual(self.found(blog={"tagline": {"title": "B"}}), "b")
        for lookup, expected in (("startswith", "ab"), ("istartswith", "ab"), ("contains", "abc"), ("icontains", "abc"), ("gt", "bc"), ("gte", "abc"), ("lt", ""), ("lte", "a")):
            value = {"startswith": "B", "istartswith": "b", "contains": "", "icontains": "", "gt": "Beatles", "gte": "Beatles", "lt": "B", "lte": "Beatles"}[lookup]
            self.assertEqual(self.found(**{f"blog__{lookup}": {"name": value}}), expected, lookup)
        self.assertEqual(self.found(blog__contains={"name": "."}), "c")
        self.assertEqual(self.found(blog__contains={"name": "("}), "c")
        self.assertEqual(self.found(blog__endswith={"name": "s"}), "ab")
        self.assertEqual(self.found(blog__iexact={"name": "beatles"}), "a")
        self.assertEqual(self.found(authors={"2.name": "John"}), "abc")
        self.assertEqual(self.found(authors={"1.name": "b2"}), "b")
        self.assertEqual(self.found(authors={"name": "Paul"}), "abc")
        self.assertEqual(self.found(authors__lt={"name": "J"}), "")
        self.assertEqual(self.found(authors=[{"name": "Paul", "rating": Decimal("1.5")}, {"name": "a2"}, {"name": "John"}]), "a")

    def test_5_9_to_5_16_the_rest(self):
        self.assertEqual(self.found(blog__name="Byrds"), "b")
        self.assertEqual(self.found(blog__name__regex=r"^B.*s$") + self.found(blog__name__iregex="^b"), "abab")
        self.assertEqual(self.found(Q(blog__name="Byrds") | ~Q(authors__name="a2")), "bc")
        self.assertEqual(self.found(blog__name__in=Entry.objects.filter(headline="a").values("blog__name")), "a")
        self.assertEqual([e.headline for e in Entry.objects.order_by("-blog__name")[1:3]], ["b", "a"])
        self.assertEqual(Entry.objects.aggregate(n=Count("blog__name", distinct=True), m=Max("blog__name"), s=Sum("authors__0__rating")), {"n": 3, "m": "The (Who).", "s": Decimal("4.5")})
        self.assertEqual(Entry.objects.values("blog__tagline__subtitle").annotate(n=Count("pk")).get(), {"blog__tagline__subtitle": "x", "n": 3})
        self.assertEqual(Entry.objects.values("blog__tagline__subtitle").distinct().count(), 1)

    def test_5_20_raw_sql(self):
        entry = Entry.objects.raw("SELECT * FROM shop_entry WHERE JSON_VALUE(blog, '$.name' RETURNING text) = %s", ["Byrds"])[0]
        self.assertEqual((entry.headline, entry.blog.tagline.title), ("b", "B"))
        with connection.cursor() as cursor:
            cursor.execute("SELECT blog FROM shop_entry WHERE headline = 'a'")
            self.assertEqual(cursor.fetchone()[0]["name"], "Beatles")

    def test_6_1_and_6_2_writes(self):
        made = Entry.objects.bulk_create([Entry(headline=str(i), blog={"name": "new"}) for i in range(3)])
        self.assertTrue(all(isinstance(entry.pk, ObjectId) for entry in made))
        for entry in made:
            entry.blog.name = f"changed {entry.headline}"
        self.assertEqual(Entry.objects.bulk_update(made, ["blog"]), 3)
        self.assertEqual(self.found(blog__name__startswith="changed"), "012")
        self.assertEqual(Entry.objects.update(blog={"name": "all"}), 6)
        self.assertEqual(Entry.objects.filter(blog__name="all").update(headline=F("blog__name")), 6)
        self.assertEqual(Entry.objects.get_or_create(headline="g", defaults={"blog": {"name": "g"}})[0].blog.name, "g")
        self.assertEqual(Entry.objects.update_or_create(headline="g", defaults={"blog": {"name": "u"}})[0].blog.name, "u")


class Complaints(TransactionTestCase):
    def test_B12_decimals(self):
        Entry.objects.create(headline="h", authors=[{"name": "a", "rating": "9.50"}], scores=["1.25"])
        entry = Entry.objects.get(authors__rating=Decimal("9.5"), scores__contains=[Decimal("1.25")])
        entry.save()
        self.assertEqual((entry.authors[0].rating + 1, Entry.objects.aggregate(s=Sum("scores__0"))["s"]), (Decimal("10.50"), Decimal("1.25")))

    def test_B15_C5_keys(self):
        entry = Entry.objects.create(headline="h")
        self.assertEqual(Entry.objects.filter(pk__in=[str(entry.pk)]).count(), 1)
        given = ObjectId()
        Entry.objects.create(_id=given, headline="given")
        Entry.objects.create(headline="after")
        with self.assertRaises(IntegrityError), transaction.atomic():
            Entry.objects.create(_id=given, headline="again")

    def test_C7_generic_objectid(self):
        node = Node.objects.create(name="n", other=ObjectId())
        self.assertEqual(Node.objects.get(pk=node.pk).pk, node.pk)

    def test_C8_null(self):
        holder = Holder.objects.create()
        self.assertEqual(Holder.objects.get(list__isnull=True, dict__isnull=True), holder)

    def test_C9_D6_changed_containers(self):
        Entry.objects.mongo_insert_one({"headline": "old", "blog": {"gone": 1}, "authors": [{"name": "a", "also": 2}, {}]})
        entry = Entry.objects.get()
        self.assertEqual((entry.blog.name, entry.authors[1].name, entry.tags, entry.data), ("", "", None, None))
        entry.authors[1].name = "b"
        entry.save()
        stored = Entry.objects.mongo_find_one()
        self.assertEqual((stored["blog"], stored["authors"][0]), ({"gone": 1}, {"name": "a", "also": 2}))

    def test_C10_references_and_plain_arrays_inside(self):
        person = Person.objects.create_user("ann", "secret")
        Tour.objects.create(name="t", visits=[{"place": {"country": "de", "point": [1, 2]}, "by": person}])
        self.assertTrue(check_password("secret", Tour.objects.get().visits[0].by.password))

    def test_C11_uuids_of_both_kinds(self):
        import uuid

        from bson.binary import Binary, UuidRepresentation

        value = uuid.uuid4()
        Holder.objects.mongo_insert_one({"every": {"uuid": Binary.from_uuid(value, UuidRepresentation.PYTHON_LEGACY)}})
        Holder.objects.create(every={"uuid": value})
        self.assertEqual([holder.every.uuid for holder in Holder.objects.all()], [value, value])
        self.assertEqual(Holder.objects.filter(every__uuid=value).count(), 2)

    def test_dates_inside(self):
        day = datetime.date(2020, 2, 29)
        Entry.objects.create(headline="h", authors=[{"name": "a", "born": day}])
        self.assertEqual(Entry.objects.filter(authors=[{"name": "a", "born": day}]).count(), 1)
