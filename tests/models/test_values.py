"""What the fields' values are: instances that are mappings, there and back."""

import copy
import datetime
import decimal
import json
import pickle
import uuid

from bson import ObjectId
from django.core.exceptions import ValidationError
from django.db import transaction
from django.test import TestCase, TransactionTestCase
from shop.models import Blog, Cat, Dog, Entry, Every, Holder, Node, Owner, Person, Plain, PlainHolder, Tour

UTC = datetime.timezone.utc


def saved(instance):
    instance.save()
    return type(instance).objects.get(pk=instance.pk)


class EmbeddedValues(TransactionTestCase):
    def test_an_instance_that_is_a_mapping(self):
        entry = saved(Entry(headline="h", blog={"name": "Beatles", "tagline": {"title": "Fab"}}))
        blog = entry.blog
        self.assertEqual((blog.name, blog["name"], blog.get("name"), blog.shout()), ("Beatles", "Beatles", "Beatles", "BEATLES"))
        self.assertEqual((blog.tagline.title, blog["tagline"]["title"]), ("Fab", "Fab"))
        self.assertEqual(list(blog), ["name", "tagline"])
        self.assertEqual(len(blog), 2)
        self.assertEqual({**blog}, {"name": "Beatles", "tagline": {"title": "Fab", "subtitle": ""}})
        self.assertEqual(blog, {"name": "Beatles", "tagline": {"title": "Fab"}})
        self.assertEqual({"name": "Beatles", "tagline": {"title": "Fab"}}, blog)
        self.assertNotEqual(blog, {"name": "Stones"})
        self.assertNotEqual(blog, "Beatles")
        self.assertIsInstance(blog, Blog)
        self.assertIn("name", blog)
        self.assertNotIn("nom", blog)
        self.assertRaises(KeyError, lambda: blog["nom"])

    def test_dicts_and_instances_may_be_set(self):
        entry = Entry(headline="h", blog=Blog(name="a"))
        self.assertEqual(saved(entry).blog.name, "a")
        entry.blog = {"name": "b"}
        self.assertEqual(entry.blog.name, "b")
        entry.blog.name = "c"
        entry.blog["tagline"] = {"title": "t"}
        entry.blog.tagline.subtitle = "s"
        self.assertEqual(saved(entry).blog, {"name": "c", "tagline": {"title": "t", "subtitle": "s"}})
        entry.blog = None
        self.assertIsNone(saved(entry).blog)

    def test_unknown_keys_are_kept_and_missing_ones_are_the_default(self):
        entry = Entry.objects.create(headline="h", blog={"name": "a"})
        Entry.objects.mongo_update_one({"_id": entry.pk}, {"$set": {"blog": {"mood": {"deep": [1]}, "when": datetime.datetime(2020, 1, 1)}}})
        found = Entry.objects.get(pk=entry.pk)
        self.assertEqual((found.blog.name, found.blog.tagline, found.blog["mood"]), ("", None, {"deep": [1]}))
        found.headline = "changed"
        found.save()
        self.assertEqual(Entry.objects.mongo_find_one({"_id": entry.pk})["blog"], {"mood": {"deep": [1]}, "when": datetime.datetime(2020, 1, 1)})
        found.blog.name = "now"
        found.blog["more"] = 1
        del found.blog["mood"]
        found.save()
        self.assertEqual(
            Entry.objects.mongo_find_one({"_id": entry.pk})["blog"], {"name": "now", "when": datetime.datetime(2020, 1, 1), "more": 1}
        )

    def test_copies(self):
        blog = saved(Entry(headline="h", blog={"name": "a", "tagline": {"title": "t"}, "mood": "x"})).blog
        for made in (copy.copy(blog), copy.deepcopy(blog), pickle.loads(pickle.dumps(blog))):
            self.assertEqual(made, blog)
            made.name = "b"
            self.assertEqual((blog.name, made["mood"]), ("a", "x"))
        entry = pickle.loads(pickle.dumps(Entry(headline="h", authors=[{"name": "P"}])))
        entry.authors.append({"name": "Q"})
        self.assertEqual([author.name for author in entry.authors], ["P", "Q"])

    def test_a_value_is_part_of_its_document(self):
        for method in ("save", "delete"):
            with self.assertRaisesMessage(TypeError, "save the model that holds it"):
                getattr(Blog(name="a"), method)()
        self.assertRaises(TypeError, hash, Blog(name="a"))

    def test_every_kind_of_field(self):
        values = {
            "boolean": True, "binary": b"\x00\xff", "char": "ü", "date": datetime.date(1900, 2, 3), "datetime": datetime.datetime(2021, 2, 3, 4, 5, 6, 789000, UTC),
            "decimal": decimal.Decimal("-12.340"), "duration": datetime.timedelta(days=-3, microseconds=7), "email": "a@b.de", "file": "a/b.txt",
            "floating": 2.0, "ip": "2001:db8::1", "integer": -5, "big": 2**40, "json": {"a": [None, 1]}, "slug": "a-b", "text": "t", "time": datetime.time(23, 59, 1),
            "url": "http://a.de/", "uuid": uuid.UUID(int=5), "oid": ObjectId(),
        }  # fmt: skip
        every = saved(Holder(every=values)).every
        for name, value in values.items():
            with self.subTest(name):
                self.assertEqual(every[name], value)
                self.assertIs(type(every[name] if name != "file" else every.file.name), type(value) if name != "file" else str)
        # Each again after passing through the database untouched, and touched.
        holder = Holder.objects.get()
        list(holder.every.values())
        self.assertEqual(saved(holder).every, every)
        self.assertEqual(saved(Holder(every={})).every, {**dict.fromkeys(values), "file": ""})

    def test_nested_deeply(self):
        thread = {"text": "0", "replies": []}
        for number in range(1, 40):
            thread = {"text": str(number), "replies": [thread, {"text": "x"}]}
        found = saved(Holder(thread=thread)).thread
        self.assertEqual(found, thread)
        for _ in range(39):
            found = found.replies[0]
        self.assertEqual(found.text, "0")

    def test_a_plain_model_as_container(self):
        holder = saved(PlainHolder(plain={"word": "a"}))
        self.assertEqual((holder.plain.word, holder.plain), ("a", {"word": "a"}))
        self.assertIsInstance(holder.plain, Plain)
        self.assertEqual(saved(PlainHolder(plain=Plain(word="b"))).plain, {"word": "b"})
        row = Plain.objects.create(word="c")
        self.assertEqual(saved(PlainHolder(plain=row)).plain["id"], row.pk)

    def test_one_of_several_containers(self):
        owner = saved(Owner(name="o", pet=Dog(name="Rex"), pets=[Cat(name="Tom", lives=3), {"name": "Rex", "barks": False}, {"_label": "shop.Cat", "name": "C"}]))
        self.assertIsInstance(owner.pet, Dog)
        self.assertEqual([type(pet).__name__ for pet in owner.pets], ["Cat", "Dog", "Cat"])
        self.assertEqual((owner.pets[0].lives, owner.pets[1].barks, owner.pets[2].lives), (3, False, 9))
        self.assertEqual(owner.pet, Dog(name="Rex"))
        self.assertNotEqual(owner.pet, Cat(name="Rex"))
        self.assertEqual(Owner.objects.mongo_find_one()["pet"], {"_label": "shop.Dog", "name": "Rex", "barks": True})
        with self.assertRaisesMessage(ValidationError, "Which of shop.Dog, shop.Cat"):
            Owner(name="o", pet={"name": "?"}).full_clean()

    def test_relations_inside(self):
        user = Person.objects.create_user("ann")
        tour = saved(Tour(name="t", visits=[{"place": {"country": "de"}, "by": user}, {"place": {"country": "fr"}, "by_id": str(user.pk)}]))
        self.assertEqual([visit.by for visit in tour.visits], [user, user])
        self.assertEqual(Tour.objects.mongo_find_one()["visits"][0]["by_id"], user.pk)
        self.assertFalse(hasattr(user, "visits"))
        self.assertEqual(user.delete()[0], 1)

    def test_pre_save_of_inner_fields(self):
        tour = saved(Tour(name="t", visits=[{"place": {"country": "de"}}]))
        first = tour.visits[0].at
        self.assertLess(datetime.datetime.now(UTC) - first, datetime.timedelta(minutes=1))
        tour.visits[0].at = None
        self.assertGreaterEqual(saved(tour).visits[0].at, first)


class ArrayValues(TestCase):
    def test_arrays_of_documents(self):
        entry = saved(Entry(headline="h", authors=[{"name": "Paul", "born": datetime.date(1942, 6, 18)}, {"name": "John", "rating": "9.5"}]))
        self.assertEqual([author.name for author in entry.authors], ["Paul", "John"])
        self.assertEqual(entry.authors[1].rating, decimal.Decimal("9.50"))
        self.assertEqual(entry.authors, [{"name": "Paul", "born": datetime.date(1942, 6, 18)}, {"name": "John", "rating": decimal.Decimal("9.5")}])
        entry.authors.append({"name": "George"})
        entry.authors += [{"name": "Ringo"}]
        entry.authors[0] = {"name": "Pete"}
        entry.authors[1:2] = [{"name": "x"}, {"name": "y"}]
        entry.authors.insert(0, {"name": "z"})
        self.assertEqual([author.name for author in saved(entry).authors], ["z", "Pete", "x", "y", "George", "Ringo"])

    def test_arrays_of_values(self):
        entry = saved(Entry(headline="h", tags=["a", "b"], scores=["1.50", 2]))
        self.assertEqual((entry.tags, entry.scores), (["a", "b"], [decimal.Decimal("1.50"), decimal.Decimal(2)]))
        self.assertIs(type(entry.tags), list)
        entry.tags.append("c")
        self.assertEqual(saved(entry).tags, ["a", "b", "c"])
        self.assertEqual(saved(Tour(name="t", grid=[[1, 2], [3]])).grid, [[1, 2], [3]])

    def test_plain_lists_and_dicts_in_values(self):
        Entry.objects.create(headline="h", blog={"name": "b"}, tags=["a"], authors=[{"name": "P"}])
        row = Entry.objects.values("blog", "tags", "authors").get()
        self.assertEqual(row, {"blog": {"name": "b"}, "tags": ["a"], "authors": [{"name": "P"}]})
        self.assertEqual(json.dumps(row["tags"]), '["a"]')
        self.assertEqual([type(value).__name__ for value in row.values()], ["Blog", "list", "ArrayValue"])
        entry = Entry.objects.raw("SELECT * FROM shop_entry")[0]
        self.assertEqual((entry.blog, entry.tags, entry.authors[0].name), ({"name": "b"}, ["a"], "P"))

    def test_json_list_dict(self):
        value = {"when": datetime.datetime(2020, 1, 1), "oid": ObjectId(), "n": decimal.Decimal("1.50"), "b": b"x", "l": [{"a": None}], "dotted.key": 1}
        holder = saved(Holder(dict=value, list=[1, value]))
        self.assertEqual((holder.dict, holder.list), (value, [1, value]))
        holder.dict = holder.list = None
        holder = saved(holder)
        self.assertEqual((holder.dict, holder.list), (None, None))
        for name, wrong in (("dict", [1]), ("list", {"a": 1})):
            with self.assertRaises(ValidationError):
                Holder(**{name: wrong}).full_clean()
            with self.assertRaises(ValidationError), transaction.atomic():
                Holder(**{name: wrong}).save()
        entry = saved(Entry(headline="h", data=[1, "x"]))
        self.assertEqual(entry.data, [1, "x"])
        entry.data = None
        self.assertIsNone(saved(entry).data)


class Keys(TransactionTestCase):
    def test_generated_and_found_by_text(self):
        node = Node.objects.create(name="a", entry=Entry.objects.create(headline="h"))
        self.assertIsInstance(node.pk, ObjectId)
        for key in (node.pk, str(node.pk)):
            self.assertEqual(Node.objects.get(pk=key), node)
            self.assertEqual(Node.objects.get(pk__in=[key]), node)
            self.assertEqual(Node.objects.get(pk__gte=key, pk__lte=key), node)
        for key in (node.entry_id, str(node.entry_id)):
            self.assertEqual(Node.objects.get(entry=key), node)
            self.assertEqual(Node.objects.get(entry__pk=key), node)
            self.assertEqual(Node.objects.get(entry_id__in=[key]), node)
        self.assertEqual(set(Node.objects.mongo_find_one()), {"_id", "name", "other", "entry_id", "parent_id"})
        for wrong in ("x", 5, "5f"):
            with self.assertRaises(ValidationError):
                Node.objects.filter(pk=wrong).exists()

    def test_references(self):
        parent = Node.objects.create(name="p")
        nodes = Node.objects.bulk_create([Node(name=str(i), parent=parent) for i in range(3)])
        self.assertEqual({node.pk for node in nodes}, set(Node.objects.filter(parent__name="p").values_list("pk", flat=True)))
        parent.friends.add(*nodes)
        self.assertEqual(parent.friends.count(), 3)
        self.assertEqual(list(Node.objects.filter(friends__name="1")), [parent])
        self.assertEqual(parent.delete()[0], 7)

    def test_generic_objectid(self):
        other = ObjectId()
        node = saved(Node(name="a", other=str(other)))
        self.assertEqual(node.other, other)
        self.assertIsInstance(node.pk, ObjectId)
        self.assertEqual(Node.objects.get(other=str(other)), node)
        with self.assertRaisesMessage(ValidationError, "24 hexadecimal digits"):
            Node(name="a", other="zz").full_clean()
        form = Node._meta.get_field("other").formfield()
        self.assertEqual(form.clean(str(other)), other)
