"""What other backends for MongoDB get wrong, often without a word: a test for each. tests/logic/traps.test has those that are plain SQL."""
import datetime
import decimal

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import Avg, Case, CharField, Count, Exists, F, IntegerField, Max, OuterRef, Q, Subquery, Sum, Value, When, Window
from django.db.models.functions import Cast, CumeDist, LastValue, Left, Lower, PercentRank, Rank, Substr, Upper
from orm_app.models import Author, Book, Review, Tag


@pytest.fixture
def shelf():
    """Ann is Bob's boss; two books have no author, one of them no pages."""
    ann = Author.objects.create(pk=1, name="Ann", score=5)
    bob = Author.objects.create(pk=2, name="Bob", score=None, boss=ann)
    cid = Author.objects.create(pk=3, name=None, score=2, active=False)
    rows = [("a", 10, ann), ("b", 20, ann), ("c", None, bob), ("d", 20, None), ("e", None, None)]
    for pk, (title, pages, author) in enumerate(rows, 1):
        Book.objects.create(pk=pk, title=title, pages=pages, author=author)
    return ann, bob, cid


def titles(queryset):
    return "".join(sorted(queryset.values_list("title", flat=True)))


def test_f_comparison_with_null(shelf):
    assert titles(Book.objects.filter(pages__gt=F("author__score"))) == "ab"
    assert titles(Book.objects.exclude(pages__gt=F("author__score"))) == "cde"     # Django adds IS NOT NULL to what it negates
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM orm_app_book b LEFT JOIN orm_app_author a ON a.id = b.author_id WHERE NOT (b.pages > a.score)")
        assert cursor.fetchone() == (0,)                                            # in SQL unknown is neither
    assert titles(Book.objects.filter(pages=F("pages"))) == "abd"
    assert titles(Book.objects.filter(~Q(pages=F("author__score")))) == "abcde"
    assert Author.objects.filter(score__lt=F("boss__score")).count() == 0


def test_left_join_chain_attaches_no_orphans(shelf):
    rows = Book.objects.order_by("pk").values_list("title", "author__name", "author__boss__name", "author__boss__boss__name")
    assert list(rows) == [("a", "Ann", None, None), ("b", "Ann", None, None), ("c", "Bob", "Ann", None), ("d", None, None, None), ("e", None, None, None)]
    assert titles(Book.objects.filter(author__boss__isnull=True)) == "abde"
    assert list(Book.objects.select_related("author__boss").order_by("pk").values_list("author__boss", flat=True)) == [None, None, 1, None, None]
    assert Book.objects.select_related("author").get(title="d").author is None


def test_group_by_column_of_an_unmatched_join_is_one_group(shelf):
    assert sorted(Book.objects.values_list("author__name").annotate(n=Count("pk")), key=str) == [("Ann", 2), ("Bob", 1), (None, 2)]
    assert sorted(Book.objects.values_list("author__boss__name").annotate(n=Count("*"), p=Sum("pages")), key=str) == [("Ann", 1, None), (None, 4, 50)]


def test_update_with_subquery(shelf):
    changed = Book.objects.update(pages=Subquery(Author.objects.filter(pk=OuterRef("author_id")).values("score")[:1]))
    assert changed == 5
    assert list(Book.objects.order_by("pk").values_list("pages", flat=True)) == [5, 5, None, None, None]
    Author.objects.update(score=Subquery(Book.objects.filter(author=OuterRef("pk")).values("author").annotate(n=Count("*")).values("n")))
    assert list(Author.objects.order_by("pk").values_list("score", flat=True)) == [2, 1, None]


def test_sliced_subquery_in_in(shelf):
    newest = Author.objects.order_by("-pk").values("pk")
    assert titles(Book.objects.filter(author__in=newest[:2])) == "c"
    assert titles(Book.objects.filter(author__in=newest[2:])) == "ab"
    assert titles(Book.objects.exclude(author__in=newest[:2])) == "abde"


def test_not_in_with_nulls(shelf):
    # NULL in the list makes NOT IN unknown for every row that isn't in it; Django leaves None out of lists, a subquery keeps it.
    assert titles(Book.objects.exclude(pages__in=[20, None])) == "ace"
    assert Author.objects.exclude(pk__in=Book.objects.values("author")).count() == 0
    with connection.cursor() as cursor:
        cursor.execute('SELECT COUNT(*) FROM orm_app_author WHERE id NOT IN (SELECT author_id FROM orm_app_book)')
        assert cursor.fetchone() == (0,)
        cursor.execute('SELECT COUNT(*) FROM orm_app_author WHERE id NOT IN (SELECT author_id FROM orm_app_book WHERE author_id IS NOT NULL)')
        assert cursor.fetchone() == (1,)


def test_window_functions_with_ties_and_nulls(shelf):
    by_pages = [F("pages").asc(nulls_first=True)]
    rows = Book.objects.annotate(
        running=Window(Sum("pages"), order_by=by_pages), last=Window(LastValue("pages"), order_by=by_pages), percent=Window(PercentRank(), order_by=by_pages), share=Window(CumeDist(), order_by=by_pages),
    ).order_by("pk").values_list("title", "running", "last", "percent", "share")  # fmt: skip
    assert list(rows) == [("a", 10, 10, 0.5, 0.6), ("b", 50, 20, 0.75, 1.0), ("c", None, None, 0.0, 0.4), ("d", 50, 20, 0.75, 1.0), ("e", None, None, 0.0, 0.4)]


def test_rank_over_two_keys(shelf):
    Book.objects.create(pk=6, title="f", pages=20, author_id=1)
    rows = Book.objects.annotate(r=Window(Rank(), order_by=[F("pages").desc(nulls_last=True), F("author_id").asc(nulls_first=True)])).order_by("pk").values_list("title", "r")
    assert dict(rows) == {"a": 4, "b": 2, "c": 6, "d": 1, "e": 5, "f": 2}


def test_functions_of_null(shelf):
    row = Author.objects.filter(pk=3).values_list(Cast("boss_id", CharField()), Substr("name", 1, 2), Left("name", 1), Upper("name"), Cast("name", IntegerField())).get()
    assert row == (None,) * 5
    assert Author.objects.filter(name__startswith="").count() == 2


def test_trailing_newline():
    for pk, word in enumerate(["end", "end\n", "END", "end\r\n", "an end"], 1):
        Tag.objects.create(pk=pk, word=word)
    words = lambda **lookup: sorted(Tag.objects.filter(**lookup).values_list("pk", flat=True))  # noqa: E731
    assert words(word__iexact="end") == [1, 3]
    assert words(word__endswith="end") == [1, 5]
    assert words(word__iendswith="END\n") == [2]
    assert words(word__regex="^end$") == [1]
    assert words(word="end\n") == [2]


def test_case_of_what_is_not_ascii():
    for pk, name in enumerate(["Éva", "éva", "EVA", "ÅSA", "Ωμέγα", "Жук"], 1):
        Author.objects.create(pk=pk, name=name)
    found = lambda **lookup: sorted(Author.objects.filter(**lookup).values_list("pk", flat=True))  # noqa: E731
    assert found(name__iexact="ÉVA") == [1, 2]
    assert found(name__icontains="ж") == [6]
    assert found(name__istartswith="åS") == [4]
    assert found(name__iendswith="ΜΈΓΑ") == [5]
    assert list(Author.objects.annotate(u=Upper("name"), w=Lower("name")).order_by("pk").values_list("u", "w"))[3:] == [("ÅSA", "åsa"), ("ΩΜΈΓΑ", "ωμέγα"), ("ЖУК", "жук")]


def test_json_key_equality_against_arrays():
    for pk, data in enumerate([{"a": 1}, {"a": [1]}, {"a": [1, 2]}, {"a": {"b": 1}}, [{"a": 1}], None, {"a": None}, {}], 1):
        Book.objects.create(pk=pk, title="j", data=data)
    found = lambda **lookup: sorted(Book.objects.filter(**lookup).values_list("pk", flat=True))  # noqa: E731
    assert found(data__a=1) == [1]             # MongoDB's own equality also finds [1] and [{"a": 1}]
    assert found(data__a=[1]) == [2]
    assert found(data__a__b=1) == [4]
    assert found(data__a__isnull=True) == [5, 6, 8]
    assert found(data__a=None) == [7]
    assert found(data__0__a=1) == [5]
    assert found(data=[{"a": 1}]) == [5]


def test_everything_inside_atomic(shelf):
    with transaction.atomic():
        Book.objects.create(pk=9, title="z", pages=1, author_id=3)
        assert Book.objects.count() == 6
        assert Book.objects.aggregate(n=Count("author", distinct=True), s=Sum("pages"), m=Max("title"), a=Avg("pages")) == {"n": 3, "s": 51, "m": "z", "a": 12.75}
        assert titles(Book.objects.filter(author__in=Author.objects.filter(active=False))) == "z"
        assert set(Book.objects.values_list("title").union(Author.objects.values_list("name"))) == {(name,) for name in ["Ann", "Bob", None, *"abcdez"]}
        assert Book.objects.filter(title="z").exists() and not Book.objects.filter(title="y").exists()
        assert Author.objects.filter(Exists(Book.objects.filter(author=OuterRef("pk"), pages__lt=5))).get().pk == 3
    assert Book.objects.filter(pk=9).exists()


def test_caught_integrity_error_inside_atomic(shelf):
    with transaction.atomic():
        Tag.objects.create(pk=1, word="once")
        for _ in range(2):
            with pytest.raises(IntegrityError), transaction.atomic():
                Tag.objects.create(pk=2, word="once")
        Tag.objects.create(pk=3, word="twice")
        assert Tag.objects.count() == 2
    assert sorted(Tag.objects.values_list("pk", flat=True)) == [1, 3]


def test_sum_over_a_million_rows_in_one_group(mongo):
    """A group that keeps its values in an array passes 16 MB here."""
    mongo.drop_collection("many")
    mongo.seed.insert_one({})
    mongo.seed.aggregate([{"$set": {"n": {"$range": [1, 1_000_001]}}}, {"$unwind": "$n"}, {"$project": {"_id": "$n", "n": 1, "g": {"$literal": 1}}}, {"$out": "many"}])
    with connection.cursor() as cursor:
        cursor.execute("SELECT g, SUM(n), COUNT(*), MAX(n) FROM many GROUP BY g")
        assert cursor.fetchall() == [(1, 500000500000, 1000000, 1000000)]
    mongo.drop_collection("many")
    mongo.drop_collection("seed")


def test_overflow_and_division_by_zero_raise(shelf):
    with connection.cursor() as cursor:
        for sql in ("SELECT 9223372036854775807 + id FROM orm_app_book", "SELECT id * 9223372036854775807 FROM orm_app_book", "SELECT SUM(9223372036854775807 + 0 * id) FROM orm_app_book"):
            with pytest.raises(DataError):
                cursor.execute(sql)
                cursor.fetchall()
        for sql in ("SELECT 1 / (id - id) FROM orm_app_book", "SELECT id % 0 FROM orm_app_book", "UPDATE orm_app_book SET pages = pages / (id - 1)"):
            with pytest.raises(DataError):
                cursor.execute(sql)
                cursor.fetchall()
    assert Book.objects.get(pk=2).pages == 20       # of the UPDATE that failed nothing is left
    Book.objects.filter(pk=1).update(pages=2**31 - 1)
    with pytest.raises(DataError):
        Book.objects.filter(pk=1).update(pages=F("pages") + 1)


def test_documents_of_other_programs(mongo):
    """Missing fields are NULL, null is NULL; what has another type is read as it is, and no condition takes it for what it isn't."""
    mongo.orm_app_book.insert_many([{"_id": 1, "title": "a"}, {"_id": 2, "title": "b", "pages": None}, {"_id": 3, "title": "c", "pages": "12"}, {"_id": 4, "title": "d", "pages": 12.0}])
    found = lambda **lookup: titles(Book.objects.filter(**lookup))  # noqa: E731
    assert found(pages__isnull=True) == "ab"
    assert found(pages=12) == "d"
    assert found(pages__gt=1) == "d"
    assert titles(Book.objects.exclude(pages=12)) == "abc"
    assert found(pages__in=[11, 12]) == "d"
    assert Book.objects.filter(author__isnull=True).count() == 4
    assert dict(Book.objects.values_list("title", "pages"))["c"] == "12"


def test_case_when_and_conditional_counts(shelf):
    rows = Author.objects.annotate(n=Count("books", filter=Q(books__pages=20)), d=Count("books__pages", distinct=True), k=Case(When(score__gt=3, then=Value("high")), When(score=None, then=Value("none")), default=Value("low")))
    assert list(rows.order_by("pk").values_list("n", "d", "k")) == [(1, 2, "high"), (0, 0, "none"), (0, 0, "low")]


def test_prefetch_keeps_rows_apart(shelf):
    Review.objects.create(pk=1, book_id=1, by_id=2, stars=1)
    assert [[book.title for book in author.books.all()] for author in Author.objects.order_by("pk").prefetch_related("books__reviews")] == [["a", "b"], ["c"], []]
    assert decimal.Decimal("1.10") == Book.objects.create(pk=8, title="p", price=decimal.Decimal("1.10")).price and Book.objects.get(price=decimal.Decimal("1.1")).pk == 8
    assert Book.objects.create(pk=7, title="t", published=datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)).pk == 7


def test_check_constraints_of_keys_of_several_columns():
    """Rows of other programs may refer to nothing: check_constraints() finds them by all columns of a key."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE shelf (room integer, number integer, PRIMARY KEY (room, number))")
        cursor.execute("CREATE TABLE box (id integer PRIMARY KEY, room integer, number integer, CONSTRAINT on_shelf FOREIGN KEY (room, number) REFERENCES shelf (room, number))")
        try:
            cursor.execute("INSERT INTO shelf VALUES (1, 1), (2, 2)")
            cursor.execute("INSERT INTO box VALUES (1, 1, 1), (2, NULL, 7)")
            connection.check_constraints(["box"])
            cursor.db_conn["box"].insert_one({"_id": 3, "room": 1, "number": 2})
            with pytest.raises(IntegrityError, match=r"primary key '3' .* box.room, number contains a value '1, 2'.* shelf.room, number"):
                connection.check_constraints(["box"])
            assert connection.introspection.get_relations(cursor, "box") == {}
            assert connection.introspection.get_constraints(cursor, "box")["on_shelf"]["columns"] == ["room", "number"]
        finally:
            cursor.execute("DROP TABLE box, shelf")


def test_distinct_ordered_by_a_case(shelf):
    """The CASE stands in the select list and in ORDER BY, each time with parameters of its own."""
    mine = Case(When(author__name="Ann", then=Value(0)), default=Value(1), output_field=IntegerField())
    assert [book.title for book in Book.objects.distinct().order_by(mine, "-title")] == ["b", "a", "e", "d", "c"]
