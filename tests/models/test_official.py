"""The fields of django-mongodb-backend, each with its counterpart here: the rows of the table in docs/fields.md."""

from bson import ObjectId
from django.db.models import Q
from django.test import TransactionTestCase
from shop.models import Cat, Dog, Entry, Holder, Node, Owner, Person, Place, Tour

from djongo import models


class Counterparts(TransactionTestCase):
    def test_objectid_auto_field(self):
        node = Node.objects.create(name="n")
        self.assertEqual((Node._meta.pk.name, Node._meta.pk.column, type(node.pk)), ("id", "_id", ObjectId))
        # As the official backend writes it.
        key = ObjectId()
        Node.objects.mongo_insert_one({"_id": key, "name": "theirs", "other": None, "entry_id": None, "parent_id": node.pk})
        self.assertEqual(Node.objects.get(parent=node).pk, key)

    def test_objectid_field(self):
        other = ObjectId()
        Node.objects.create(name="n", other=other)
        self.assertEqual(Node.objects.get(other__in=[str(other)]).other, other)

    def test_array_field(self):
        Entry.objects.create(headline="h", tags=["a", "b"])
        for lookup in ({"tags__contains": ["a"]}, {"tags__contained_by": ["a", "b", "c"]}, {"tags__overlap": ["b", "x"]}, {"tags__len": 2}, {"tags__1": "b"},
                       {"tags": ["a", "b"]}, {"tags__0__in": ["a"]}, {"tags__startswith": "b"}, {"tags__regex": "^a$"}):  # fmt: skip
            self.assertTrue(Entry.objects.filter(**lookup).exists(), lookup)
            self.assertFalse(Entry.objects.exclude(**lookup).exists(), lookup)
        field = models.ArrayField(models.IntegerField(), max_size=3)
        self.assertEqual((field.max_size, models.ArrayField(models.IntegerField(), size=3).size), (3, 3))

    def test_embedded_model_field(self):
        field = models.EmbeddedModelField(embedded_model=Place)
        self.assertIsInstance(field, models.EmbeddedField)
        self.assertTrue(issubclass(field.container, Place))
        Tour.objects.mongo_insert_one({"name": "theirs", "home": {"country": "de", "point": None}, "visits": [], "grid": None})
        self.assertEqual(Tour.objects.get(home__country="de").home.country, "de")
        Tour.objects.create(name="t", home=Place(country="fr"))
        self.assertEqual(list(Tour.objects.order_by("home__country").values_list("home__country", flat=True)), ["de", "fr"])

    def test_relations_inside(self):
        ann = Person.objects.create_user("ann")
        Tour.objects.create(name="t", visits=[{"place": {"country": "de"}, "by": ann}])
        self.assertEqual(Tour.objects.get(visits__by__username="ann").visits[0].by, ann)

    def test_changed_container(self):
        Tour.objects.mongo_insert_one({"name": "t", "home": {"gone": 1}, "visits": []})
        tour = Tour.objects.get()
        self.assertEqual((tour.home.country, tour.home["gone"]), ("", 1))
        tour.home.country = "de"
        tour.save()
        self.assertEqual(Tour.objects.mongo_find_one()["home"], {"country": "de", "gone": 1})

    def test_embedded_model_array_field(self):
        field = models.EmbeddedModelArrayField(Place)
        self.assertTrue(field.holds_documents)
        Entry.objects.create(headline="h", authors=[{"name": "Paul", "rating": "9.5"}, {"name": "John"}])
        for lookup in ({"authors__name": "Paul"}, {"authors__name__icontains": "AUL"}, {"authors__rating__range": (9, 10)}, {"authors__rating__isnull": False},
                       {"authors__name__iregex": "^j"}, {"authors__0__name": "Paul"}, {"authors__len__gte": 2}, {"authors__name__in": ["John"]}):  # fmt: skip
            self.assertTrue(Entry.objects.filter(**lookup).exists(), lookup)

    def test_two_array_levels(self):
        Holder.objects.create(thread={"text": "0", "replies": [{"text": "1", "replies": [{"text": "2"}]}]})
        self.assertTrue(Holder.objects.filter(thread__replies__replies__text="2").exists())
        self.assertFalse(Holder.objects.filter(thread__replies__replies__text="1").exists())

    def test_same_element(self):
        Entry.objects.create(headline="h", authors=[{"name": "a", "rating": 1}, {"name": "b", "rating": 2}])
        self.assertTrue(Entry.objects.filter(authors__name="a", authors__rating=2).exists())
        self.assertFalse(Entry.objects.filter(authors__elem_match=Q(name="a", rating=2)).exists())

    def test_polymorphic(self):
        for field in (models.PolymorphicEmbeddedModelField((Dog, Cat)), models.PolymorphicEmbeddedModelField([Dog, Cat])):
            self.assertEqual([container.__name__ for container in field.containers], ["Dog", "Cat"])
        self.assertTrue(models.PolymorphicEmbeddedModelArrayField((Dog, Cat)).base_field.is_polymorphic)
        Owner.objects.mongo_insert_one({"name": "o", "pet": {"_label": "shop.Cat", "name": "Tom", "lives": 3}, "pets": [{"_label": "shop.Dog", "name": "Rex", "barks": True}]})
        owner = Owner.objects.get(pet__lives=3)
        self.assertIsInstance(owner.pet, Cat)
        self.assertIsInstance(owner.pets[0], Dog)

    def test_embedded_model(self):
        place = Place(country="de")
        self.assertEqual(place["country"], "de")
        with self.assertRaises(TypeError):
            place.save()

    def test_raw_aggregate(self):
        Entry.objects.create(headline="h", tags=["a"])
        (entry,) = Entry.objects.mongo_aggregate([{"$match": {"tags": "a"}}], as_models=True)
        self.assertEqual(entry, Entry.objects.get())
