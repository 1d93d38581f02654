"""What happens past work_mem: joins by key go on in smaller batches, what the server can sort or group is its business, the rest is refused."""
import pytest

SMALL = 1 << 20


@pytest.fixture
def cursor(library, uri):
    from django.db import connection

    from djongo import _sqm

    with _sqm.connect(uri, connection.settings_dict["NAME"], autocommit=True, work_mem=SMALL) as small:
        yield small.cursor()


def count(cursor, sql):
    cursor.execute(sql)
    return sum(1 for _ in cursor)


def test_a_join_of_two_large_tables_streams(cursor):
    join = "FROM library_book b {} library_book_tags t ON t.book_id = b.id"
    assert count(cursor, f"SELECT b.title, t.tag_id {join.format('JOIN')}") == 40_000
    assert count(cursor, f"SELECT b.title, t.tag_id {join.format('LEFT JOIN')}") > 40_000
    assert count(cursor, "SELECT b.title FROM library_book b WHERE EXISTS (SELECT 1 FROM library_book_tags t WHERE t.book_id = b.id AND t.tag_id > b.id % 3)") > 10_000


def test_the_server_sorts_and_groups(cursor):
    assert count(cursor, "SELECT title FROM library_book ORDER BY title") == 20_000
    assert count(cursor, "SELECT title, count(*) FROM library_book GROUP BY title") == 20_000
    assert count(cursor, "SELECT DISTINCT title, pages FROM library_book") == 20_000


def test_a_top_n_keeps_its_rows_only(cursor):
    assert count(cursor, "SELECT title FROM library_book ORDER BY upper(title) LIMIT 10") == 10


@pytest.mark.parametrize("sql", [
    "SELECT title FROM library_book ORDER BY upper(title)",
    "SELECT upper(title), count(*) FROM library_book GROUP BY upper(title)",
    "SELECT b.title, c.title FROM library_book b FULL JOIN library_book c ON c.pages = b.pages",
])  # fmt: skip
def test_the_rest_is_refused(cursor, sql):
    from djongo import _sqm

    with pytest.raises(_sqm.OperationalError, match="statement needs more than 1 MB for its sorts, joins and groups"):
        count(cursor, sql)
