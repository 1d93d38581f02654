"""What django-mptt is for: nested sets that stay right whatever is inserted, moved and deleted, and questions about them."""
import random

from django.db import connection
from django.template import Context, Template
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from mptt.exceptions import InvalidMove
from mptt.forms import MoveNodeForm, TreeNodeChoiceField
from mptt.utils import drilldown_tree_for_node, get_cached_trees, tree_item_iterator

from .models import Category, Genre, Product, Unit


def shape(model, left="lft", right="rght", tree="tree_id", level="level"):
    return [(str(node.name), getattr(node, tree), getattr(node, level), getattr(node, left), getattr(node, right)) for node in model._tree_manager.order_by(tree, left)]


def names(nodes):
    return [node.name for node in nodes]


class Shop(TestCase):
    @classmethod
    def setUpTestData(cls):
        make = Category.objects.create
        cls.games = make(name="games")
        cls.wii = make(name="wii", parent=cls.games)
        cls.wii_games = make(name="wii games", parent=cls.wii)
        cls.wii_hardware = make(name="wii hardware", parent=cls.wii)
        cls.xbox = make(name="xbox", parent=cls.games)
        cls.xbox_games = make(name="xbox games", parent=cls.xbox)
        cls.books = make(name="books")
        cls.novels = make(name="novels", parent=cls.books)

    def setUp(self):
        for name in ("games", "wii", "wii_games", "wii_hardware", "xbox", "xbox_games", "books", "novels"):
            setattr(self, name, Category.objects.get(pk=getattr(self, name).pk))

    def assertSound(self, model=Category):
        before = shape(model)
        model.objects.rebuild()
        after = shape(model)
        # rebuild() numbers the trees anew; all else must be the same.
        self.assertEqual([row[:1] + row[2:] for row in before], [row[:1] + row[2:] for row in after])

    def test_insert(self):
        rows = [row[:1] + row[2:] for row in shape(Category)]
        self.assertEqual(rows, [("games", 0, 1, 12), ("wii", 1, 2, 7), ("wii games", 2, 3, 4), ("wii hardware", 2, 5, 6), ("xbox", 1, 8, 11), ("xbox games", 2, 9, 10),
                                ("books", 0, 1, 4), ("novels", 1, 2, 3)])

    def test_relatives(self):
        self.assertEqual(names(self.games.get_descendants()), ["wii", "wii games", "wii hardware", "xbox", "xbox games"])
        self.assertEqual(names(self.wii.get_descendants(include_self=True)), ["wii", "wii games", "wii hardware"])
        self.assertEqual(self.games.get_descendant_count(), 5)
        self.assertEqual(names(self.wii_games.get_ancestors()), ["games", "wii"])
        self.assertEqual(names(self.wii_games.get_ancestors(ascending=True, include_self=True)), ["wii games", "wii", "games"])
        self.assertEqual(names(self.wii_games.get_family()), ["games", "wii", "wii games"])
        self.assertEqual(names(self.games.get_children()), ["wii", "xbox"])
        self.assertEqual(names(self.games.get_leafnodes()), ["wii games", "wii hardware", "xbox games"])
        self.assertEqual(names(self.wii.get_siblings()), ["xbox"])
        self.assertEqual(self.wii.get_next_sibling().name, "xbox")
        self.assertIsNone(self.wii.get_previous_sibling())
        self.assertEqual(self.wii_games.get_root().name, "games")
        self.assertEqual(self.games.get_next_sibling().name, "books")
        self.assertTrue(self.wii_games.is_leaf_node() and self.games.is_root_node() and self.wii.is_child_node())
        self.assertTrue(self.wii_games.is_descendant_of(self.games) and self.games.is_ancestor_of(self.xbox_games))
        self.assertFalse(self.novels.is_descendant_of(self.games))

    def test_manager(self):
        self.assertEqual(names(Category.objects.root_nodes()), ["games", "books"])
        self.assertEqual(self.wii_games.get_level(), 2)
        some = Category.objects.filter(name__in=["wii", "novels"])
        self.assertEqual(names(Category.objects.get_queryset_descendants(some)), ["wii games", "wii hardware"])
        self.assertEqual(names(Category.objects.get_queryset_ancestors(some, include_self=True)), ["games", "wii", "books", "novels"])
        self.assertEqual(names(some.get_ancestors()), ["games", "books"])
        self.assertEqual(names(some.get_descendants(include_self=True)), ["wii", "wii games", "wii hardware", "novels"])

    def test_moves(self):
        for target, position in ((self.books, "first-child"), (self.books, "last-child"), (self.books, "left"), (self.novels, "right"), (None, "first-child")):
            with self.subTest(position=position):
                node = Category.objects.get(name="wii")
                node.move_to(target and Category.objects.get(pk=target.pk), position)
                self.assertSound()
        self.assertTrue(Category.objects.get(name="wii").is_root_node())
        self.assertEqual(names(Category.objects.get(name="wii").get_descendants()), ["wii games", "wii hardware"])

    def test_move_by_parent(self):
        self.xbox.parent = self.novels
        self.xbox.save()
        self.assertEqual(names(self.xbox_games.__class__.objects.get(pk=self.xbox_games.pk).get_ancestors()), ["books", "novels", "xbox"])
        self.assertSound()

    def test_impossible_moves(self):
        for target in (self.games, self.wii, self.wii_games):
            with self.assertRaises(InvalidMove):
                self.games.move_to(target)
        self.games.parent = self.wii_games
        with self.assertRaises(InvalidMove):
            self.games.save()

    def test_insert_at(self):
        Category(name="first").insert_at(self.games, "first-child", save=True)
        Category(name="before").insert_at(Category.objects.get(name="books"), "left", save=True)
        self.assertEqual(names(Category.objects.get(name="games").get_children()), ["first", "wii", "xbox"])
        self.assertEqual(names(Category.objects.root_nodes()), ["games", "before", "books"])
        self.assertSound()

    def test_delete(self):
        self.wii.delete()
        self.assertEqual(names(Category.objects.all()), ["games", "xbox", "xbox games", "books", "novels"])
        self.assertSound()
        Category.objects.get(name="games").delete()
        self.assertEqual(names(Category.objects.all()), ["books", "novels"])

    def test_random_programs(self):
        chance = random.Random(7)
        for step in range(60):
            nodes = list(Category.objects.all())
            node = chance.choice(nodes)
            action = chance.random()
            if action < 0.5:
                Category.objects.create(name=f"n{step}", parent=chance.choice([None, *nodes]))
            elif action < 0.85:
                target = chance.choice(nodes)
                if not target.is_descendant_of(node, include_self=True):
                    node.move_to(target, chance.choice(["first-child", "last-child", "left", "right"]))
            elif len(nodes) > 6 and node.is_leaf_node():
                node.delete()
        self.assertSound()

    def test_delayed_and_disabled_updates(self):
        with Category.objects.delay_mptt_updates():
            for number in range(10):
                Category.objects.create(name=f"d{number}", parent=self.books if number % 2 else None)
        self.assertEqual(Category.objects.get(name="books").get_descendant_count(), 6)
        self.assertSound()
        with Category.objects.disable_mptt_updates():
            Category.objects.create(name="x", parent=self.novels, lft=0, rght=0, tree_id=0, level=0)
        Category.objects.rebuild()
        self.assertEqual(names(Category.objects.get(name="novels").get_descendants()), ["x"])

    def test_partial_rebuild(self):
        Category.objects.filter(name="wii games").update(lft=99)
        Category.objects.partial_rebuild(self.games.tree_id)
        self.assertEqual(names(Category.objects.get(name="wii").get_descendants()), ["wii hardware", "wii games"])
        self.assertSound()

    def test_related_count(self):
        for name, category in (("a", self.wii_games), ("b", self.wii_games), ("c", self.wii), ("d", self.novels)):
            Product.objects.create(name=name, category=category)
        total = Category.objects.add_related_count(Category.objects.all(), Product, "category", "total", cumulative=True)
        own = Category.objects.add_related_count(Category.objects.all(), Product, "category", "own")
        self.assertEqual({node.name: node.total for node in total if node.total}, {"games": 3, "wii": 3, "wii games": 2, "books": 1, "novels": 1})
        self.assertEqual({node.name: node.own for node in own if node.own}, {"wii games": 2, "wii": 1, "novels": 1})
        found = Product.objects.filter(category__in=self.games.get_descendants(include_self=True)).order_by("name")
        self.assertEqual(names(found), ["a", "b", "c"])

    def test_cached_trees(self):
        with CaptureQueriesContext(connection) as queries:
            roots = get_cached_trees(Category.objects.all())
            tree = {root.name: {child.name: names(child.get_children()) for child in root.get_children()} for root in roots}
        self.assertEqual(tree, {"games": {"wii": ["wii games", "wii hardware"], "xbox": ["xbox games"]}, "books": {"novels": []}})
        self.assertEqual(len(queries), 1)

    def test_iterators_and_drilldown(self):
        found = [(item.name, info["new_level"], list(info["closed_levels"])) for item, info in tree_item_iterator(Category.objects.all())]
        self.assertEqual(found[3], ("wii hardware", False, [2]))
        self.assertEqual(names(drilldown_tree_for_node(self.wii)), ["games", "wii", "wii games", "wii hardware"])

    def test_template_tag(self):
        template = Template("{% load mptt_tags %}{% recursetree nodes %}{{ node.name }}({{ children }}){% endrecursetree %}")
        text = template.render(Context({"nodes": Category.objects.all()}))
        self.assertEqual("".join(text.split("\n")), "games(wii(wii games()wii hardware())xbox(xbox games()))books(novels())")

    def test_forms(self):
        field = TreeNodeChoiceField(queryset=Category.objects.all(), empty_label=None)
        self.assertEqual([str(label).strip() for _, label in field.choices][:3], ["games", "--- wii", "------ wii games"])
        form = MoveNodeForm(self.novels, {"target": str(self.wii.pk), "position": "first-child"})
        self.assertTrue(form.is_valid(), form.errors)
        form.save()
        self.assertEqual(Category.objects.get(name="novels").parent, self.wii)
        self.assertSound()

    def test_values_and_aggregates(self):
        from django.db.models import Count, F, Max

        self.assertEqual(Category.objects.filter(rght=F("lft") + 1).count(), 4)
        self.assertEqual(Category.objects.aggregate(depth=Max("level"))["depth"], 2)
        rows = Category.objects.values("parent__name").annotate(n=Count("pk")).order_by("-n", "parent__name")
        self.assertEqual({row["parent__name"]: row["n"] for row in rows}, {"games": 2, "wii": 2, None: 2, "xbox": 1, "books": 1})


class OrderedTests(TestCase):
    def test_ordered_insertion(self):
        rock = Genre.objects.create(name="rock")
        for name in ("punk", "hard", "zydeco", "alternative"):
            Genre.objects.create(name=name, parent=Genre.objects.get(pk=rock.pk))
        Genre.objects.create(name="jazz")
        self.assertEqual(names(Genre.objects.root_nodes()), ["jazz", "rock"])
        self.assertEqual(names(Genre.objects.get(name="rock").get_children()), ["alternative", "hard", "punk", "zydeco"])
        node = Genre.objects.get(name="hard")
        node.name = "yodel"
        node.save()
        self.assertEqual(names(Genre.objects.get(name="rock").get_children()), ["alternative", "punk", "yodel", "zydeco"])

    def test_many_to_many(self):
        rock = Genre.objects.create(name="rock")
        punk = Genre.objects.create(name="punk", parent=rock)
        product = Product.objects.create(name="record", category=Category.objects.create(name="music"))
        product.genres.set([rock, punk])
        rock.refresh_from_db()
        self.assertEqual(Product.objects.filter(genres__in=rock.get_descendants(include_self=True)).distinct().count(), 1)
        counted = Genre.objects.add_related_count(Genre.objects.all(), Product, "genres", "n", cumulative=True)
        self.assertEqual({genre.name: genre.n for genre in counted}, {"rock": 2, "punk": 1})  # it counts a product once for each genre


class UUIDTests(TestCase):
    def test_renamed_attributes(self):
        top = Unit.objects.create(name="top")
        left = Unit.objects.create(name="left", boss=top)
        right = Unit.objects.create(name="right", boss=top)
        low = Unit.objects.create(name="low", boss=left)
        low.move_to(right)
        rows = [row[:1] + row[2:] for row in shape(Unit, "lft_of", "rght_of", "tree", "depth")]
        self.assertEqual(rows, [("top", 0, 1, 8), ("left", 1, 2, 3), ("right", 1, 4, 7), ("low", 2, 5, 6)])
        self.assertEqual(names(Unit.objects.get(name="low").get_ancestors()), ["top", "right"])
        Unit.objects.get(name="right").delete()
        self.assertEqual(sorted(names(Unit.objects.all())), ["left", "top"])
