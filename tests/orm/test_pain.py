"""What hurt the users of earlier djongos in queries, writes and migrations, one test for each complaint (numbered as in the collection of them)."""
import datetime
import decimal

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import IntegrityError, connection, migrations, models, transaction
from django.db.migrations.state import ProjectState
from django.db.models import Case, Count, Exists, F, OuterRef, Q, StdDev, Sum, Value, When
from django.db.models.functions import Cast, Coalesce, Concat, ExtractWeek, Length, Lower, TruncDay, TruncMonth
from django.db.utils import DatabaseError, ProgrammingError
from orm_app.models import Author, Book, Review, Tag


@pytest.fixture
def users():
    User.objects.all().delete()
    Group.objects.all().delete()
    ann = User.objects.create_user("ann", "ann@example.com", "x")
    bob = User.objects.create_user("bob", "bob@example.com", "x", is_active=False)
    yield ann, bob
    User.objects.all().delete()
    Group.objects.all().delete()


@pytest.fixture
def books():
    ann, bob = Author.objects.create(pk=1, name="A", score=3), Author.objects.create(pk=2, name="B", score=None)
    for pk, (title, pages, author) in enumerate([("s", 1, ann), ("s", 2, ann), ("u", 3, ann), ("u", 4, bob), ("x(y)", None, None)], 1):
        Book.objects.create(pk=pk, title=title, pages=pages, author=author, price=decimal.Decimal("1.10") * pk)
    for pk, word in enumerate("xyz", 1):
        Tag.objects.create(pk=pk, word=word)
    Book.objects.get(pk=1).tags.set([1, 2])
    Book.objects.get(pk=3).tags.set([2])


def pks(queryset):
    return sorted(queryset.values_list("pk", flat=True))


def test_b1_bare_booleans(users):
    assert [user.username for user in User.objects.filter(is_active=True)] == ["ann"]
    assert [user.username for user in User.objects.filter(is_active=False)] == ["bob"]
    assert [user.username for user in User.objects.exclude(is_active=True)] == ["bob"]
    assert User.objects.filter(is_staff__exact=1).count() == 0 and User.objects.filter(Q(is_active=True) | Q(is_staff=True), is_superuser=False).count() == 1


def test_b2_f_and_case_in_updates_and_filters(books):
    Book.objects.filter(pk=1).update(pages=F("pages") + 10)
    assert Book.objects.get(pk=1).pages == 11
    assert pks(Book.objects.filter(pages__lt=F("author__score"))) == [2]
    Book.objects.bulk_update([Book(pk=2, pages=7), Book(pk=3, pages=8)], ["pages"])
    Book.objects.update(pages=Case(When(title="u", then=F("pages") * 2), default=F("pages")))
    assert list(Book.objects.order_by("pk").values_list("pages", flat=True)) == [11, 7, 16, 8, None]


def test_b3_update_without_filter(books):
    assert Book.objects.update(pages=0) == 5
    assert Book.objects.filter(pages=0).count() == 5


def test_b4_negations(books):
    assert pks(Book.objects.exclude(title__contains="s")) == [3, 4, 5]
    assert pks(Book.objects.exclude(tags__word="y")) == [2, 4, 5]
    assert pks(Book.objects.filter(~~Q(title="s"))) == [1, 2]
    assert pks(Book.objects.filter(~(~Q(title="s") & ~(Q(pages=3) | ~Q(price__gt=0))))) == [1, 2, 3]
    assert pks(Book.objects.exclude(title__in=["s", "u"])) == [5]


def test_b5_subqueries_slices_exists_unions(books):
    assert Book.objects.values("title").distinct().count() == 3
    assert Book.objects.order_by("pk")[1:4].count() == 3
    assert pks(Author.objects.filter(Exists(Book.objects.filter(author=OuterRef("pk"), title="s")))) == [1]
    assert set(Book.objects.values_list("title").union(Author.objects.values_list("name"))) == {("s",), ("u",), ("x(y)",), ("A",), ("B",)}
    assert Book.objects.filter(author__in=Author.objects.annotate(n=Count("books")).filter(n__gt=1)).count() == 3


def test_b6_in_subquery_beside_another_in(books):
    assert pks(Book.objects.filter(author__in=Author.objects.filter(name="A"), title__in=["s", "z"])) == [1, 2]
    assert Book.objects.filter(author__name="B").update(pages=40) == 1
    assert Book.objects.get(pk=4).pages == 40


def test_b7_the_same_table_twice(books):
    assert pks(Author.objects.filter(books__title="s").filter(books__title="u").distinct()) == [1]
    assert Author.objects.filter(books__title="s").filter(books__title="u").count() == 2
    assert pks(Author.objects.filter(books__title="s", books__pages=2)) == [1]


def test_b8_aggregates(books):
    counts = Author.objects.order_by("pk").annotate(d=Count("books__title", distinct=True), f=Count("books", filter=Q(books__title="s")), s=Sum("books__pages", filter=Q(books__title="u")), w=Sum(F("books__pages") * 2))
    assert list(counts.values_list("d", "f", "s", "w")) == [(2, 2, 3, 12), (1, 0, 4, 8)]
    assert list(Author.objects.annotate(n=Count("books")).filter(n__gt=1).order_by("n").values_list("name", "n")) == [("A", 3)]
    row = Book.objects.filter(pk=1).values_list(F("pages") + 1, Value("v"), Coalesce("author__score", 0), Lower("title"), Concat("title", Value("!")), Cast("pages", models.FloatField()), Length("title")).get()
    assert row == (2, "v", 3, "s", "s!", 1.0, 1)
    assert Book.objects.filter(author=1).aggregate(d=StdDev("pages"))["d"] == pytest.approx(0.816496580927726)


def test_b9_dates():
    for pk, day in enumerate([(2020, 1, 31), (2020, 1, 31), (2020, 12, 31), (2021, 1, 1)], 1):
        Book.objects.create(pk=pk, title="d", published=datetime.datetime(*day, 22, 30, tzinfo=datetime.timezone.utc), day=datetime.date(*day))
    assert pks(Book.objects.filter(published__date=datetime.date(2020, 1, 31))) == [1, 2]       # 23:30 in Paris
    assert pks(Book.objects.filter(day__week=53)) == [3, 4] and pks(Book.objects.filter(published__hour=23)) == [1, 2, 3, 4]
    assert sorted(Book.objects.annotate(m=TruncMonth("day")).values_list("m").annotate(n=Count("pk"))) == [(datetime.date(2020, 1, 1), 2), (datetime.date(2020, 12, 1), 1), (datetime.date(2021, 1, 1), 1)]
    assert sorted(row[1] for row in Book.objects.annotate(d=TruncDay("published")).values_list("d").annotate(n=Count("pk"))) == [1, 1, 2]
    assert list(Book.objects.order_by("pk").values_list(ExtractWeek("day"), flat=True)) == [5, 5, 53, 53]


def test_b10_characters_that_mean_something_in_patterns(books):
    assert pks(Book.objects.filter(title__contains="(")) == [5]
    assert pks(Book.objects.filter(title__contains=".")) == []
    assert pks(Book.objects.filter(title__startswith="%")) == [] and pks(Book.objects.filter(title__contains="_")) == []
    assert pks(Book.objects.filter(title__regex=r"^x\(")) == [5] and pks(Book.objects.filter(title__iregex="^X")) == [5]


def test_b12_decimals(books):
    assert pks(Book.objects.filter(price__gte=decimal.Decimal("3.30"))) == [3, 4, 5]
    assert Book.objects.aggregate(s=Sum("price"))["s"] == decimal.Decimal("16.50")
    book = Book.objects.get(price=decimal.Decimal("2.2"))
    assert isinstance(book.price, decimal.Decimal)
    book.save()
    assert Book.objects.get(pk=2).price == decimal.Decimal("2.20")


def test_b13_count_reads_no_rows(books):
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN SELECT COUNT(*) FROM orm_app_book WHERE pages > 1")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "$count" in plan or '"count"' in plan or "$sum" in plan


def test_b14_errors_say_what_is_wrong():
    with pytest.raises(ProgrammingError, match='"nothing" does not exist'), connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM orm_app_book")
    with pytest.raises(ProgrammingError, match='syntax error at or near "FRM"'), connection.cursor() as cursor:
        cursor.execute("SELECT * FRM orm_app_book")
    with pytest.raises(DatabaseError) as raised, connection.cursor() as cursor:
        cursor.execute("INSERT INTO orm_app_tag (id, word) VALUES (1, 'a'), (1, 'b')")
    assert str(raised.value)


def test_c1_atomic_rolls_back(books):
    with pytest.raises(RuntimeError), transaction.atomic():
        Book.objects.create(pk=9, title="gone")
        Book.objects.filter(pk=1).delete()
        raise RuntimeError
    assert not Book.objects.filter(pk=9).exists() and Book.objects.filter(pk=1).exists()
    with transaction.atomic():
        with pytest.raises(RuntimeError), transaction.atomic():
            Book.objects.filter(pk=2).update(title="inner")
            raise RuntimeError
        Book.objects.filter(pk=3).update(title="outer")
    assert [Book.objects.get(pk=pk).title for pk in (2, 3)] == ["s", "outer"]


def test_c2_duplicate_keys_are_integrity_errors(books):
    for make in (lambda: Tag.objects.create(word="x"), lambda: Tag.objects.create(pk=1, word="w"), lambda: Tag.objects.filter(pk=1).update(word="y")):
        with pytest.raises(IntegrityError, match="duplicate key value violates unique constraint"):
            make()
    assert Tag.objects.get_or_create(word="x") == (Tag.objects.get(pk=1), False)
    assert Tag.objects.get_or_create(word="new")[1]
    with pytest.raises(Exception, match="already exists"):
        Tag(word="x").full_clean()


def test_c2b_many_to_many_add_twice(books, users):
    group = Group.objects.create(name="g")
    for _ in range(2):
        users[0].groups.add(group)
    assert users[0].groups.count() == 1
    Tag.objects.get(pk=1).near.add(2)
    Tag.objects.get(pk=2).near.add(1, 3)
    assert pks(Tag.objects.get(pk=2).near.all()) == [1, 3] and pks(Tag.objects.get(pk=1).near.all()) == [2]
    Tag.objects.bulk_create([Tag(pk=1, word="x"), Tag(pk=8, word="v"), Tag(pk=9, word="x")], ignore_conflicts=True)
    assert pks(Tag.objects.all()) == [1, 2, 3, 8]


def test_c3_unique_with_several_nulls():
    author = Author.objects.create(pk=1)
    for pk in (1, 2, 3):
        Review.objects.create(pk=pk, book=None, by=author, stars=1)
    Book.objects.create(pk=1, title="t")
    Review.objects.create(pk=4, book_id=1, by=author, stars=1)
    with pytest.raises(IntegrityError):
        Review.objects.create(pk=5, book_id=1, by=author, stars=1)
    assert Review.objects.count() == 4


# ---- D: migrations ----


class Migrated:
    """A state of one app that operations change, on the database as well."""

    def __init__(self):
        self.state = ProjectState()

    def apply(self, *operations):
        for operation in operations:
            after = self.state.clone()
            operation.state_forwards("pain", after)
            with connection.schema_editor() as editor:
                operation.database_forwards("pain", editor, self.state, after)
            self.state = after
        return self

    def undo(self, operation, before):
        with connection.schema_editor() as editor:
            operation.database_backwards("pain", editor, self.state, before)
        self.state = before

    def __getitem__(self, name):
        return self.state.apps.get_model("pain", name)


@pytest.fixture
def thing(mongo):
    migrated = Migrated().apply(migrations.CreateModel("Thing", [("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=20)), ("n", models.IntegerField(null=True))]))
    yield migrated
    with connection.cursor() as cursor:
        for table in [name for name in connection.introspection.table_names() if name.startswith("pain_")]:
            cursor.execute(f'DROP TABLE "{table}" CASCADE')


def index_keys(mongo, name="pain_thing"):
    return sorted(tuple(index["key"]) for index in mongo[name].list_indexes() if index["name"] != "_id_")


def test_c4_keys_survive_renames_and_a_lost_catalogue(thing, mongo):
    first = thing["Thing"].objects.create(name="a")
    thing.apply(migrations.RenameModel("Thing", "Item"), migrations.AlterModelTable("Item", "pain_parts"))
    second = thing["Item"].objects.create(name="b")
    assert (first.pk, second.pk) == (1, 2)
    mongo["__schema__"].update_one({"name": "pain_parts"}, {"$unset": {"auto": 1}})  # the counter is lost
    third = thing["Item"].objects.create(name="c")
    assert third.pk == 3 and set(mongo["pain_parts"].distinct("_id")) == {1, 2, 3}
    third.name = "d"
    third.save()
    third.delete()
    assert list(thing["Item"].objects.order_by("pk").values_list("pk", "name")) == [(1, "a"), (2, "b")]


def test_d1_alter_field_changes_the_type(thing):
    thing["Thing"].objects.create(name="12", n=5)
    thing.apply(migrations.AlterField("Thing", "n", models.CharField(max_length=9, null=True)), migrations.AlterField("Thing", "name", models.TextField()))
    assert thing["Thing"].objects.get().n == "5"
    thing.apply(migrations.AlterField("Thing", "n", models.BigIntegerField(default=0)))
    assert thing["Thing"].objects.get().n == 5
    thing.apply(migrations.AlterField("Thing", "n", models.DecimalField(max_digits=6, decimal_places=2)))
    assert thing["Thing"].objects.get().n == decimal.Decimal("5.00")


def test_d2_check_constraints(thing):
    thing.apply(migrations.AddConstraint("Thing", models.CheckConstraint(condition=Q(n__gt=0), name="positive")))
    with pytest.raises(IntegrityError):
        thing["Thing"].objects.create(name="a", n=0)
    thing["Thing"].objects.create(name="a", n=None)
    with pytest.raises(IntegrityError):
        thing["Thing"].objects.update(n=-1)
    thing.apply(migrations.RemoveConstraint("Thing", "positive"))
    thing["Thing"].objects.update(n=-1)


def test_d3_removing_unique_removes_the_index(thing, mongo):
    thing.apply(migrations.AlterField("Thing", "name", models.CharField(max_length=20, unique=True)))
    assert len(index_keys(mongo)) >= 1
    thing.apply(migrations.AlterField("Thing", "name", models.CharField(max_length=20)))
    assert index_keys(mongo) == []
    thing.apply(migrations.AlterUniqueTogether("Thing", {("name", "n")}))
    with pytest.raises(IntegrityError):
        thing["Thing"].objects.bulk_create([thing["Thing"](name="a", n=1), thing["Thing"](name="a", n=1)])
    thing.apply(migrations.AlterUniqueTogether("Thing", set()), migrations.AddConstraint("Thing", models.UniqueConstraint(fields=["n"], name="one")), migrations.RemoveConstraint("Thing", "one"))
    assert index_keys(mongo) == []


def test_d3_rename_field_keeps_index_and_data(thing, mongo):
    thing.apply(migrations.AddIndex("Thing", models.Index(fields=["n"], name="thing_n")))
    thing["Thing"].objects.create(name="a", n=1)
    thing.apply(migrations.RenameField("Thing", "n", "m"))
    assert thing["Thing"].objects.get(m=1).name == "a"
    assert mongo.pain_thing.find_one({}, {"_id": 0}) == {"name": "a", "m": 1}
    assert index_keys(mongo) == [("m",)]
    thing.apply(migrations.RenameModel("Thing", "Object"))
    assert thing["Object"].objects.create(name="b", m=2).pk == 2


def test_d3_add_field_with_default_and_unique(thing):
    thing["Thing"].objects.create(name="a")
    thing.apply(migrations.AddField("Thing", "code", models.CharField(max_length=5, default="z", unique=True)), migrations.AddField("Thing", "flag", models.BooleanField(default=True)))
    assert list(thing["Thing"].objects.values_list("code", "flag")) == [("z", True)]
    with pytest.raises(IntegrityError):
        thing["Thing"].objects.create(name="b")


def test_d3_descending_conditional_and_doubled_indexes(thing, mongo):
    thing.apply(
        migrations.AddIndex("Thing", models.Index(fields=["-n", "name"], name="thing_desc")),
        migrations.AddConstraint("Thing", models.UniqueConstraint(fields=["name"], condition=Q(n__gt=0), name="thing_some")),
        migrations.AddField("Thing", "key", models.IntegerField(null=True, unique=True)),
        migrations.AddConstraint("Thing", models.UniqueConstraint(fields=["key"], name="thing_key")),
    )
    assert {"n": -1, "name": 1} in [dict(index["key"]) for index in mongo.pain_thing.list_indexes()]
    Thing = thing["Thing"]
    Thing.objects.create(name="a", n=0)
    Thing.objects.create(name="a", n=0)
    Thing.objects.create(name="a", n=1)
    with pytest.raises(IntegrityError):
        Thing.objects.create(name="a", n=2)
    Thing.objects.create(name="k", key=1)
    with pytest.raises(IntegrityError):
        Thing.objects.create(name="l", key=1)


def test_d3_delete_model_leaves_nothing(thing, mongo):
    thing["Thing"].objects.create(name="a")
    thing.apply(migrations.DeleteModel("Thing"))
    assert "pain_thing" not in mongo.list_collection_names()
    assert mongo["__schema__"].find_one({"name": "pain_thing"}) is None


def test_d3_undoing(thing):
    before, operation = thing.state, migrations.AddField("Thing", "extra", models.IntegerField(default=3))
    thing.apply(operation)
    thing["Thing"].objects.create(name="a")
    thing.undo(operation, before)
    assert not hasattr(thing["Thing"].objects.get(), "extra")


def test_d3_data_migrations_write_through_the_schema_editor(thing):
    """A migration's RunPython is in a transaction, on PostgreSQL too. wagtail's reset a sequence there."""

    def rows(apps, editor):
        model = apps.get_model("pain", "Thing")
        model.objects.create(id=40, name="first")
        editor.execute("UPDATE pain_thing SET n = %s WHERE name LIKE 'f%%'", [7])
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            editor.execute(statement)

    def apply(code):
        migration = migrations.Migration("0002", "pain")
        migration.operations = [migrations.RunPython(code)]
        with connection.schema_editor() as editor:
            migration.apply(thing.state, editor)

    apply(rows)
    thing["Thing"].objects.create(name="second")
    assert list(thing["Thing"].objects.order_by("id").values_list("id", "name", "n")) == [(40, "first", 7), (41, "second", None)]

    def schema(apps, editor):
        editor.execute("ALTER TABLE pain_thing DROP COLUMN n")

    with pytest.raises(transaction.TransactionManagementError, match="DDL"):
        apply(schema)


def test_d4_migrate_prints_nothing_of_its_own(capfd):
    call_command("migrate", verbosity=0)
    assert capfd.readouterr() == ("", "")


def test_d5_inspectdb_of_a_database_of_others(mongo, capsys):
    mongo.foreign_things.insert_many([{"_id": 1, "label": "x", "size": 3, "at": datetime.datetime(2020, 1, 1)}, {"_id": 2, "label": "y", "more": 1.5}])
    try:
        call_command("inspectdb", "foreign_things")
        text = capsys.readouterr().out
    finally:
        mongo.drop_collection("foreign_things")
    assert "class ForeignThings(models.Model)" in text
    for line in ("label = models.", "size = models.", "more = models.FloatField", "at = models.DateTimeField"):
        assert line in text


def test_d6_documents_that_lack_a_field(thing, mongo):
    mongo.pain_thing.insert_one({"_id": 77, "name": "old"})
    thing.apply(migrations.AddField("Thing", "later", models.IntegerField(null=True)))
    row = thing["Thing"].objects.get(pk=77)
    assert (row.n, row.later) == (None, None)
    row.n = 4
    row.save()
    assert mongo.pain_thing.find_one({"_id": 77})["n"] == 4
