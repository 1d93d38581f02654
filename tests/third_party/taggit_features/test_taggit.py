"""What django-taggit is for: tagging, asking by tags, counting them, finding what is alike, cleaning up."""
from django.core.management import call_command
from django.db import connection
from django.db.models import Count, Q
from django.test import TestCase, override_settings
from django.test.utils import CaptureQueriesContext
from taggit.forms import TagField
from taggit.models import Tag, TaggedItem
from taggit.utils import edit_string_for_tags, parse_tags

from .models import CodeFood, DirectFood, Drink, Food, Fruit, Label, Thing, UUIDFood


def names(queryset):
    return sorted(item.name for item in queryset)


class Basics:
    """Run for each way of tagging."""

    model = Food

    def make(self, name, *tags):
        item = self.model.objects.create(**({"code": name} if self.model is CodeFood else {"name": name}))
        item.tags.add(*tags)
        return item

    def test_add_and_read(self):
        item = self.make("apple", "green", "red", "green")
        self.assertEqual(sorted(item.tags.names()), ["green", "red"])
        self.assertEqual(sorted(item.tags.slugs()), ["green", "red"])
        self.assertEqual(item.tags.count(), 2)
        self.assertTrue(item.tags.filter(name="red").exists())

    def test_the_same_tag_once(self):
        self.make("apple", "green")
        self.make("pear", "green", "yellow")
        self.assertEqual(Tag.objects.count(), 2)
        self.assertEqual(self.model.objects.filter(tags__name="green").count(), 2)

    def test_remove_set_clear(self):
        item = self.make("apple", "green", "red")
        item.tags.remove("green")
        self.assertEqual(list(item.tags.names()), ["red"])
        item.tags.set(["blue", "red", "black"])
        self.assertEqual(sorted(item.tags.names()), ["black", "blue", "red"])
        item.tags.set(["white"], clear=True)
        self.assertEqual(list(item.tags.names()), ["white"])
        item.tags.clear()
        self.assertFalse(item.tags.exists())
        self.assertEqual(Tag.objects.count(), 5)

    def test_lookups(self):
        apple, pear, plum = self.make("apple", "green", "red"), self.make("pear", "green"), self.make("plum")
        find = self.model.objects.filter
        self.assertCountEqual(find(tags__name__in=["green", "red"]).distinct(), [apple, pear])
        self.assertCountEqual(find(tags__name="green").filter(tags__name="red"), [apple])
        self.assertCountEqual(self.model.objects.exclude(tags__name="red"), [pear, plum])
        self.assertCountEqual(find(tags__isnull=True), [plum])
        self.assertCountEqual(find(Q(tags__slug="red") | Q(tags=None)).distinct(), [apple, plum])
        self.assertCountEqual(find(tags=Tag.objects.get(name="red")), [apple])
        self.assertCountEqual(find(tags__in=Tag.objects.filter(name__startswith="r")), [apple])

    def test_count_by_tag(self):
        apple, pear, plum = self.make("apple", "green", "red"), self.make("pear", "green"), self.make("plum")
        rows = self.model.objects.annotate(n=Count("tags")).order_by("-n", "pk")
        self.assertEqual({item.pk: item.n for item in rows}, {apple.pk: 2, pear.pk: 1, plum.pk: 0})

    def test_most_common(self):
        self.make("apple", "green", "red")
        self.make("pear", "green", "soft")
        self.make("plum", "green", "red")
        found = self.model.tags.most_common()
        self.assertEqual([(tag.name, tag.num_times) for tag in found.order_by("-num_times", "name")], [("green", 3), ("red", 2), ("soft", 1)])
        self.assertEqual({tag.name for tag in self.model.tags.most_common(min_count=2)}, {"green", "red"})

    def test_prefetch(self):
        for number in range(5):
            self.make(f"food{number}", "one", "two")
        with CaptureQueriesContext(connection) as queries:
            found = {item.pk: sorted(tag.name for tag in item.tags.all()) for item in self.model.objects.prefetch_related("tags")}
        self.assertEqual(set(map(tuple, found.values())), {("one", "two")})
        self.assertEqual(len(queries), 2)

    def test_deleting_an_object_frees_its_tags(self):
        apple = self.make("apple", "green")
        self.make("pear", "green")
        apple.delete()
        self.assertEqual(self.model.objects.filter(tags__name="green").count(), 1)
        self.assertEqual(Tag.objects.count(), 1)

    def test_deleting_a_tag(self):
        apple = self.make("apple", "green", "red")
        Tag.objects.get(name="green").delete()
        self.assertEqual(list(apple.tags.names()), ["red"])


class GenericTests(Basics, TestCase):
    def test_similar_objects(self):
        apple, pear, plum = self.make("apple", "green", "red", "round"), self.make("pear", "green", "red"), self.make("plum", "round")
        self.assertEqual([item.pk for item in apple.tags.similar_objects()], [pear.pk, plum.pk])

    def test_two_models_share_tags(self):
        self.make("apple", "green")
        tea = Drink.objects.create(name="tea")
        tea.tags.add("green", "hot")
        self.assertEqual(Tag.objects.count(), 2)
        self.assertEqual(names(Food.tags.all()), ["green"])
        self.assertEqual(names(Drink.tags.all()), ["green", "hot"])
        self.assertEqual(TaggedItem.objects.filter(tag__name="green").count(), 2)

    def test_inheritance(self):
        fruit = Fruit.objects.create(name="apple", sweet=True)
        fruit.tags.add("green")
        self.assertEqual(list(Fruit.objects.filter(tags__name="green")), [fruit])
        self.assertEqual(Food.objects.filter(pk=fruit.pk, tags__name="green").count(), 1)

    def test_orphans(self):
        apple = self.make("apple", "green", "red")
        apple.tags.remove("red")
        call_command("remove_orphaned_tags", verbosity=0)
        self.assertEqual(names(Tag.objects.all()), ["green"])

    def test_deduplicate(self):
        for name, tag in (("apple", "Green"), ("pear", "green"), ("plum", "GREEN")):
            self.make(name, tag)
        with override_settings(TAGGIT_CASE_INSENSITIVE=True):
            call_command("deduplicate_tags", verbosity=0)
        self.assertEqual(Tag.objects.count(), 1)
        self.assertEqual(Food.objects.filter(tags=Tag.objects.get()).count(), 3)

    @override_settings(TAGGIT_CASE_INSENSITIVE=True)
    def test_case_insensitive(self):
        self.make("apple", "Green")
        self.make("pear", "green", "GREEN")
        self.assertEqual(names(Tag.objects.all()), ["Green"])
        self.assertEqual(Food.objects.filter(tags__name__iexact="gReEn").count(), 2)

    def test_slugs(self):
        apple = self.make("apple", "ä b", "a-b", "a b")
        self.assertEqual(len(set(apple.tags.slugs())), 3)

    @override_settings(TAGGIT_STRIP_UNICODE_WHEN_SLUGIFYING=True)
    def test_ascii_slugs(self):
        apple = self.make("apple", "あい", "うえ")
        self.assertEqual(len(set(apple.tags.slugs())), 2)

    def test_form_field(self):
        self.assertEqual(TagField().clean('green, "with, comma" red'), ["green", "red", "with, comma"])
        self.assertEqual(parse_tags("a b"), ["a", "b"])
        apple = self.make("apple", "green", "two words", "a,b")
        self.assertEqual(edit_string_for_tags(apple.tags.order_by("name")), '"a,b", "two words", green')


class DirectTests(Basics, TestCase):
    model = DirectFood


class UUIDTests(Basics, TestCase):
    model = UUIDFood


class TextKeyTests(Basics, TestCase):
    model = CodeFood


class OwnTagModelTests(TestCase):
    def test_own_tags(self):
        thing = Thing.objects.create(name="chair")
        thing.labels.add("wood", "old", tag_kwargs={"colour": "brown"})
        self.assertEqual(names(Label.objects.filter(colour="brown")), ["old", "wood"])
        self.assertEqual(names(Thing.objects.filter(labels__name="wood", labels__colour="brown")), ["chair"])
        self.assertEqual(Label.objects.filter(things__content_object=thing).count(), 2)
        thing.labels.set(["new"])
        self.assertEqual(list(thing.labels.names()), ["new"])
