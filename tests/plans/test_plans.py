"""What queries of the ORM read: the documents and keys that the server examined and the round trips, as EXPLAIN (ANALYZE, FORMAT JSON) tells them."""
import pytest
from django.db.models import Exists, OuterRef


def assert_reads_only(plan, documents, round_trips):
    """No collection is scanned, every scan was measured, and no more than so many documents were looked at."""
    assert all("Documents Examined" in scan for scan in plan.scans if scan["Actual Loops"] and scan["Commands Sent"]), plan.show()
    assert not any("COLLSCAN" in scan.get("Access", "") for scan in plan.scans), plan.show()
    assert plan.documents <= documents, plan.show()
    assert plan.round_trips <= round_trips, plan.show()
    assert "$lookup" not in plan.text


def test_filter_on_a_joined_tables_indexed_column(library, explain):
    plan = explain(library.Book.objects.filter(author__name="author 77"))
    assert plan.rows == library.Book.objects.filter(author_id=library.Author.objects.get(name="author 77").pk).count() > 3
    assert_reads_only(plan, documents=plan.rows + 1, round_trips=2)


def test_filter_on_a_nullable_foreign_keys_column(library, explain):
    plan = explain(library.Book.objects.filter(editor__name="author 77"))
    assert plan.rows > 0
    assert_reads_only(plan, documents=plan.rows + 1, round_trips=2)


def test_many_to_many_filter(library, explain):
    plan = explain(library.Book.objects.filter(tags__name="tag 7"))
    assert 40 < plan.rows < 140
    assert_reads_only(plan, documents=2 * plan.rows + 1, round_trips=3)


def test_in_queryset(library, explain):
    plan = explain(library.Book.objects.filter(author__in=library.Author.objects.filter(name__in=["author 3", "author 4"])))
    assert plan.rows > 5
    assert_reads_only(plan, documents=plan.rows + 2, round_trips=2)


def test_select_related_over_all_books(library, explain):
    plan = explain(library.Book.objects.select_related("author", "publisher", "editor"))
    assert plan.rows == 20_000
    assert plan.round_trips <= 30, plan.show()
    assert "$lookup" not in plan.text
    assert plan.documents_of("library_book") == 20_000
    assert plan.documents_of("library_author") <= 4_000
    assert plan.documents_of("library_publisher") == 50


def test_what_django_hands_out(library):
    """The list that PostgreSQL gives, too; without ANALYZE nothing runs."""
    import json

    (top,) = json.loads(library.Book.objects.filter(author__name="x").explain(format="json"))
    assert top["Plan"]["Node Type"] == "Join" and "Round Trips" not in top
    assert [plan["Relation Name"] for plan in top["Plan"]["Plans"]] == ["library_author", "library_book"]
    text = library.Book.objects.filter(pk=7).explain(analyze=True)
    assert "server: documents=1 keys=1 by " in text and "Round trips: 1" in text


def test_exists(library, explain):
    plan = explain(library.Book.objects.filter(Exists(library.Author.objects.filter(pk=OuterRef("author"), name="author 5"))))
    assert plan.rows > 3
    assert_reads_only(plan, documents=plan.rows + 1, round_trips=2)


def test_exists_through_many_to_many(library, explain):
    through = library.Book.tags.through
    plan = explain(library.Tag.objects.filter(Exists(through.objects.filter(tag=OuterRef("pk"), book__pages=55))))
    books = library.Book.objects.filter(pages=55).count()
    assert plan.rows > 3 and books > 3
    assert_reads_only(plan, documents=books + 2 * through.objects.filter(book__pages=55).count(), round_trips=3)


def test_many_to_many_exclude(library, explain):
    """Every book that hasn't the tag is an answer: those are read, and no others."""
    plan = explain(library.Book.objects.exclude(tags__name="tag 7"))
    tagged = library.Book.objects.filter(tags__name="tag 7").count()
    assert plan.rows == 20_000 - tagged
    assert_reads_only(plan, documents=plan.rows + tagged + 1, round_trips=4)


def test_many_to_many_exclude_counted(library, explain):
    """The books are counted in an index, and those with the tag by their keys: not one of them is read."""
    sql, params = library.Book.objects.exclude(tags__name="tag 7").query.sql_with_params()
    plan = explain("SELECT COUNT(*) FROM" + sql.partition("FROM")[2], params)
    assert plan.rows == 1
    assert plan.documents_of("library_book") == 0, plan.show()
    assert "COUNT_SCAN _id_" in plan.access("library_book"), plan.show()
    assert_reads_only(plan, documents=141, round_trips=4)


def test_many_to_many_exclude_counted_with_a_condition(library, explain):
    """The other condition's index tells how many there are; only those that are taken off may be read."""
    books = library.Book.objects.filter(pages__gte=500)
    sql, params = books.exclude(tags__name="tag 7").query.sql_with_params()
    tagged = library.Book.objects.filter(tags__name="tag 7").count()
    plan = explain("SELECT COUNT(*) FROM" + sql.partition("FROM")[2], params)
    assert plan.rows == 1 and tagged > 40
    assert plan.documents_of("library_book") <= tagged, plan.show()
    assert_reads_only(plan, documents=2 * tagged + 1, round_trips=4)


def test_exists_with_order_and_limit(library, explain):
    """Sorted and cut by the server, by the list of keys."""
    author = library.Author.objects.filter(pk=OuterRef("author"), name__in=["author 5", "author 6"])
    plan = explain(library.Book.objects.filter(Exists(author)).order_by("title")[:5])
    assert plan.rows == 5
    assert_reads_only(plan, documents=60, round_trips=2)


def test_count_of_everything(library, explain):
    plan = explain("SELECT COUNT(*) FROM library_book")
    assert plan.documents == 0 and plan.access("library_book") <= {"IXSCAN _id_", "COUNT_SCAN _id_"}, plan.show()


def test_joins_start_at_the_smaller_side_only_if_that_pays(library, explain):
    """All books by way of 50 publishers would be the same rows in another order, found one by one in an index."""
    plan = explain(library.Book.objects.select_related("publisher").order_by("pages"))
    assert plan.scans[0]["Relation Name"] == "library_book", plan.show()
    plan = explain(library.Book.objects.filter(publisher__name="publisher 7", author__name="author 7"))
    assert plan.documents <= 1 + 50 + 30, plan.show()


def test_a_page_in_order(library, explain):
    """The index on pages tells where the page ends; of the books before that, and of their authors, those of the page are read."""
    plan = explain(library.Book.objects.order_by("-pages", "id")[:20])
    assert plan.rows == 20
    assert_reads_only(plan, documents=20 + 40, round_trips=2)
    plan = explain(library.Book.objects.select_related("author", "publisher").order_by("-pages", "id")[:20])
    assert plan.rows == 20
    assert_reads_only(plan, documents=20 + 40 + 20 + 20, round_trips=4)
    assert plan.documents_of("library_author") <= 20


def test_a_page_in_the_order_of_an_index(library, explain):
    plan = explain(library.Book.objects.select_related("author").order_by("-id")[40:60])
    assert plan.rows == 20
    assert_reads_only(plan, documents=130, round_trips=3)


def test_a_left_join_that_where_makes_inner(library, explain):
    books, authors = library.Book._meta.db_table, library.Author._meta.db_table
    plan = explain(f"SELECT b.id FROM {books} b LEFT JOIN {authors} e ON e.id = b.editor_id WHERE e.name = %s", ["author 77"])
    assert plan.rows > 0
    assert_reads_only(plan, documents=plan.rows + 1, round_trips=2)


def test_a_row_by_primary_key(library, explain):
    """By the server's own fast path for _id, not by a plan."""
    plan = explain(library.Book.objects.filter(pk=77))
    assert_reads_only(plan, documents=1, round_trips=1)
    assert plan.top["Plan"]["MongoDB Command"]["filter"] == {"_id": {"$parameter": 1}}
    assert all(way == "IDHACK" or way.startswith("EXPRESS") for way in plan.access("library_book")), plan.show()
