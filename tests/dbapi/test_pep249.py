"""PEP 249, clause by clause: module interface, connections, cursors, fetching, type objects, errors, and the optional extensions we offer."""
import datetime
import pickle
import time

import pytest

from djongo import _sqm

NAMES = ["Carlton Cold", "Carlton Draft", "Mountain Goat", "Redback", "Victoria Bitter", "XXXX"]


def count(cursor, table):
    return cursor.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


# ---- module -------------------------------------------------------------------------------------------------------------


def test_globals():
    assert (_sqm.apilevel, _sqm.threadsafety, _sqm.paramstyle) == ("2.0", 1, "pyformat")


def test_exception_hierarchy():
    assert issubclass(_sqm.Warning, Exception) and not issubclass(_sqm.Warning, _sqm.Error)
    assert issubclass(_sqm.InterfaceError, _sqm.Error) and not issubclass(_sqm.InterfaceError, _sqm.DatabaseError)
    for name in ("DataError", "OperationalError", "IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError"):
        assert issubclass(getattr(_sqm, name), _sqm.DatabaseError)
    assert issubclass(_sqm.DatabaseError, _sqm.Error)


def test_exceptions_are_connection_attributes(connection):
    for name in ("Warning", "Error", "InterfaceError", "DatabaseError", "DataError", "OperationalError", "IntegrityError", "InternalError",
                 "ProgrammingError", "NotSupportedError"):  # fmt: skip
        assert getattr(connection, name) is getattr(_sqm, name)


def test_constructors():
    assert _sqm.Date(2002, 12, 25) == datetime.date(2002, 12, 25)
    assert _sqm.Time(13, 45, 30) == datetime.time(13, 45, 30)
    assert _sqm.Timestamp(2002, 12, 25, 13, 45, 30) == datetime.datetime(2002, 12, 25, 13, 45, 30)
    assert _sqm.Binary(b"\0abc") == b"\0abc"
    ticks = 1040823930  # 2002-12-25T13:45:30Z: naive means UTC here
    assert _sqm.DateFromTicks(ticks) == datetime.date(2002, 12, 25)
    assert _sqm.TimeFromTicks(ticks) == datetime.time(13, 45, 30)
    assert _sqm.TimestampFromTicks(ticks) == datetime.datetime(2002, 12, 25, 13, 45, 30)


def test_type_objects_differ():
    kinds = [_sqm.STRING, _sqm.BINARY, _sqm.NUMBER, _sqm.DATETIME, _sqm.ROWID]
    for one in kinds:
        assert [one == other for other in kinds].count(True) == 1
        assert [one != other for other in kinds].count(False) == 1
    assert _sqm.STRING == "varchar(30)" and _sqm.NUMBER == "numeric(10,2)" and _sqm.STRING != "integer" and "bytea" == _sqm.BINARY
    assert _sqm.STRING != 3


# ---- connections ----------------------------------------------------------------------------------------------------------


def test_close(connect):
    connection = connect()
    cursor = connection.cursor()
    assert not connection.closed
    connection.close()
    assert connection.closed
    connection.close()
    for use in (connection.commit, connection.rollback, connection.cursor, connection.ping, connection.tables, lambda: cursor.execute("SELECT 1"), cursor.fetchone):
        with pytest.raises(_sqm.InterfaceError):
            use()
    cursor.close()


def test_close_rolls_back(connect, make_table, cursor):
    table = make_table("id integer")
    other = connect()
    other.cursor().execute(f"INSERT INTO {table} VALUES (1)")
    other.close()
    assert count(cursor, table) == 0


def test_commit_and_rollback(connect, make_table, cursor):
    table = make_table("id integer")
    other = connect()
    assert not other.autocommit and not other.in_transaction
    other.commit()
    other.rollback()
    mine = other.cursor()
    mine.execute(f"INSERT INTO {table} VALUES (1)")
    assert other.in_transaction
    assert count(mine, table) == 1 and count(cursor, table) == 0
    other.rollback()
    assert not other.in_transaction and count(cursor, table) == 0
    mine.execute(f"INSERT INTO {table} VALUES (2)")
    other.commit()
    assert count(cursor, table) == 1


def test_autocommit(connect, make_table, cursor):
    table = make_table("id integer")
    other = connect()
    other.autocommit = True
    other.cursor().execute(f"INSERT INTO {table} VALUES (1)")
    assert not other.in_transaction and count(cursor, table) == 1
    other.autocommit = False
    other.cursor().execute(f"INSERT INTO {table} VALUES (2)")
    with pytest.raises(_sqm.ProgrammingError, match="inside a transaction"):
        other.autocommit = True
    other.rollback()
    other.autocommit = True
    assert other.autocommit is True and count(cursor, table) == 1


def test_connection_context_manager(connect, make_table, cursor):
    table = make_table("id integer")
    with connect() as good:
        good.cursor().execute(f"INSERT INTO {table} VALUES (1)")
    assert good.closed and count(cursor, table) == 1
    with pytest.raises(ZeroDivisionError):
        with connect() as bad:
            bad.cursor().execute(f"INSERT INTO {table} VALUES (2)")
            1 / 0
    assert bad.closed and count(cursor, table) == 1


def test_server_facts(connection):
    assert connection.server_version >= (4, 4, 0) and len(connection.server_version) == 3
    assert connection.has_transactions is True
    assert connection.ping() is None


def test_catalogue(connection, make_table):
    table = make_table("id integer PRIMARY KEY, name varchar(20) NOT NULL, price numeric(10, 2) UNIQUE")
    assert table in [one if isinstance(one, str) else one["name"] for one in connection.tables()]
    found = connection.table(table)
    assert found["name"] == table
    assert [column["name"] for column in found["columns"]] == ["id", "name", "price"]
    assert found["columns"][1]["type"].startswith("varchar(20)") and found["columns"][1]["not_null"]
    assert found["primary_key"] == ["id"]
    with pytest.raises(_sqm.ProgrammingError):
        connection.table("no such table")


def test_connect_errors(database):
    with pytest.raises(TypeError):
        _sqm.connect()
    with pytest.raises(TypeError):
        _sqm.connect("mongodb://localhost", database, no_such_option=1)
    with pytest.raises(ValueError):
        _sqm.connect("mongodb://localhost", database, connect_timeout_ms=-1)
    with pytest.raises(_sqm.Error):
        _sqm.connect("not a uri", database)
    began = time.monotonic()
    with pytest.raises(_sqm.OperationalError, match="127.0.0.1:1|localhost:1"):
        _sqm.connect("mongodb://127.0.0.1:1/", database, server_selection_timeout_ms=300)
    assert time.monotonic() - began < 5


# ---- cursors ----------------------------------------------------------------------------------------------------------------


def test_cursor_sees_its_connection(connection, cursor):
    assert cursor.connection is connection


def test_cursors_of_a_connection_are_not_isolated(make_table, connect):
    table = make_table("id integer")
    connection = connect()
    one, other = connection.cursor(), connection.cursor()
    one.execute(f"INSERT INTO {table} VALUES (1)")
    assert count(other, table) == 1
    connection.rollback()  # or the table couldn't be dropped


def test_description(cursor, booze):
    assert cursor.description is None
    cursor.execute(f"SELECT id, name AS title FROM {booze}")
    assert [len(column) for column in cursor.description] == [7, 7]
    assert [column[0] for column in cursor.description] == ["id", "title"]
    assert cursor.description[0][1] == _sqm.NUMBER and cursor.description[1][1] == _sqm.STRING
    cursor.fetchall()
    assert len(cursor.description) == 2
    cursor.execute(f"INSERT INTO {booze} VALUES (7, 'x')")
    assert cursor.description is None


def test_rowcount(cursor, booze):
    assert cursor.execute(f"INSERT INTO {booze} VALUES (10, 'a'), (11, 'b')").rowcount == 2
    assert cursor.execute(f"UPDATE {booze} SET name = 'c' WHERE id >= 10").rowcount == 2
    # Matched rows count, changed or not.
    assert cursor.execute(f"UPDATE {booze} SET name = 'c' WHERE id >= 10").rowcount == 2
    assert cursor.execute(f"DELETE FROM {booze} WHERE id = 99").rowcount == 0
    assert cursor.execute(f"DELETE FROM {booze} WHERE id >= 10").rowcount == 2
    cursor.execute(f"SELECT * FROM {booze}")
    assert cursor.rowcount in (-1, 6)
    cursor.fetchall()
    assert cursor.rowcount == 6


def test_lastrowid(cursor, make_table):
    table = make_table("id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text")
    assert cursor.lastrowid is None
    first = cursor.execute(f"INSERT INTO {table} (name) VALUES ('a')").lastrowid
    assert cursor.execute(f"INSERT INTO {table} (name) VALUES ('b'), ('c')").lastrowid == first + 2
    assert cursor.execute(f"SELECT id FROM {table} ORDER BY id").fetchall() == [(first,), (first + 1,), (first + 2,)]


def test_returning(cursor, make_table):
    table = make_table("id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text")
    rows = cursor.execute(f"INSERT INTO {table} (name) VALUES (%s), (%s) RETURNING id, name", ["a", "b"]).fetchall()
    assert [name for _, name in rows] == ["a", "b"] and rows[1][0] == rows[0][0] + 1
    # All rows are written, however few are fetched.
    cursor.execute(f"INSERT INTO {table} (name) VALUES ('c'), ('d') RETURNING id").fetchone()
    cursor.close()
    assert count(cursor.connection.cursor(), table) == 4


def test_execute_parameters(cursor, booze):
    one = (2, "Mountain Goat")
    assert cursor.execute(f"SELECT * FROM {booze} WHERE id = %s", (2,)).fetchone() == one
    assert cursor.execute(f"SELECT * FROM {booze} WHERE id = %s", [2]).fetchone() == one
    assert cursor.execute(f"SELECT * FROM {booze} WHERE id = %(id)s AND id <= %(id)s", {"id": 2, "unused": object()}).fetchone() == one
    assert cursor.execute(f"SELECT * FROM {booze} WHERE id IN %s ORDER BY id", [(2, 4)]).fetchall() == [one, (4, "Victoria Bitter")]
    assert cursor.execute(f"SELECT * FROM {booze} WHERE id = %s", params=[2]).fetchone() == one


def test_percent(cursor, booze):
    """A percent sign is itself without parameters, and doubled with them."""
    assert count(cursor, f"{booze} WHERE name LIKE 'Carlton%'") == 2
    assert cursor.execute(f"SELECT COUNT(*) FROM {booze} WHERE name LIKE 'Carlton%%' AND id >= %s", [1]).fetchone() == (1,)
    assert cursor.execute(f"SELECT COUNT(*) FROM {booze} WHERE name LIKE 'Carlton%%'", []).fetchone() == (2,)


def test_executemany(cursor, make_table):
    table = make_table("id integer, name text")
    assert cursor.executemany(f"INSERT INTO {table} VALUES (%s, %s)", [(1, "a"), (2, "b")]).rowcount == 2
    assert cursor.executemany(f"INSERT INTO {table} VALUES (%(id)s, %(n)s)", iter([{"id": 3, "n": "c"}])).rowcount == 1
    assert cursor.executemany(f"INSERT INTO {table} VALUES (%s, %s)", []).rowcount == 0
    assert count(cursor, table) == 3
    with pytest.raises(_sqm.ProgrammingError):
        cursor.executemany(f"SELECT * FROM {table} WHERE id = %s", [(1,)])


def test_executemany_reads_from_another_cursor(cursor, booze, make_table):
    copy = make_table("id integer, name text")
    source = cursor.connection.cursor().execute(f"SELECT id, name FROM {booze}")
    assert cursor.executemany(f"INSERT INTO {copy} VALUES (%s, %s)", source).rowcount == 6


def test_executemany_names_the_set_that_fails(cursor, make_table):
    table = make_table("id bigint")
    with pytest.raises(_sqm.DataError, match="parameter 1 of parameter set 3"):
        cursor.executemany(f"INSERT INTO {table} VALUES (%s)", [(1,), (2,), (2**63,)])


def test_fetch_before_and_after(cursor, make_table):
    for fetch in (cursor.fetchone, cursor.fetchmany, cursor.fetchall, lambda: next(cursor)):
        with pytest.raises(_sqm.ProgrammingError, match="no rows to fetch"):
            fetch()
    table = make_table("id integer")
    cursor.execute(f"INSERT INTO {table} VALUES (1)")
    for fetch in (cursor.fetchone, cursor.fetchmany, cursor.fetchall, lambda: next(cursor)):
        with pytest.raises(_sqm.ProgrammingError, match="INSERT"):
            fetch()


def test_fetchone(cursor, booze):
    cursor.execute(f"SELECT name FROM {booze} ORDER BY name")
    assert [cursor.fetchone()[0] for _ in NAMES] == NAMES
    assert cursor.fetchone() is None and cursor.fetchone() is None
    cursor.execute(f"SELECT name FROM {booze} WHERE id < 0")
    assert cursor.fetchone() is None and cursor.rowcount == 0


def test_fetchmany(cursor, booze):
    cursor.execute(f"SELECT name FROM {booze} ORDER BY name")
    assert len(cursor.fetchmany()) == 1
    assert len(cursor.fetchmany(3)) == 3
    assert cursor.fetchmany(0) == []
    assert len(cursor.fetchmany(size=4)) == 2
    assert cursor.fetchmany(4) == []
    cursor.arraysize = 4
    cursor.execute(f"SELECT name FROM {booze} ORDER BY name")
    assert [len(cursor.fetchmany()) for _ in range(3)] == [4, 2, 0]
    for bad in (-1, "a"):
        with pytest.raises((ValueError, TypeError)):
            cursor.fetchmany(bad)
    with pytest.raises(ValueError):
        cursor.arraysize = 0


def test_fetchall(cursor, booze):
    cursor.execute(f"SELECT name FROM {booze} ORDER BY name")
    cursor.fetchone()
    assert [name for (name,) in cursor.fetchall()] == NAMES[1:]
    assert cursor.fetchall() == []


def test_iteration(cursor, booze):
    assert iter(cursor) is cursor
    assert [name for (name,) in cursor.execute(f"SELECT name FROM {booze} ORDER BY name")] == NAMES
    assert list(cursor) == []


def test_nested_cursors(connection, booze):
    outer, inner = connection.cursor(), connection.cursor()
    seen = []
    for (one,) in outer.execute(f"SELECT id FROM {booze} ORDER BY id"):
        inner.execute(f"SELECT name FROM {booze} WHERE id = %s", [one])
        seen += inner.fetchall()
    assert [name for (name,) in seen] == NAMES


def test_rows_are_tuples(cursor, booze):
    rows = cursor.execute(f"SELECT id, name FROM {booze}").fetchall()
    assert {type(row) for row in rows} == {tuple}


def test_cursor_close(connection, booze):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {booze}")
    assert cursor.closed
    cursor.close()
    for use in (cursor.fetchone, cursor.fetchall, lambda: cursor.execute("SELECT 1"), lambda: next(cursor), lambda: cursor.executemany("SELECT 1", [])):
        with pytest.raises(_sqm.InterfaceError, match="closed"):
            use()
    assert count(connection.cursor(), booze) == 6


def test_set_sizes(cursor):
    cursor.setinputsizes((25,))
    cursor.setoutputsize(1000)
    cursor.setoutputsize(2000, 0)
    assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def test_none(cursor, booze):
    cursor.execute(f"INSERT INTO {booze} VALUES (%s, %s)", [7, None])
    assert cursor.execute(f"SELECT name FROM {booze} WHERE id = 7").fetchall() == [(None,)]


def test_execute_abandons_the_result_before(cursor, booze):
    cursor.execute(f"SELECT name FROM {booze} ORDER BY name").fetchone()
    assert cursor.execute("SELECT 1").fetchall() == [(1,)]
    cursor.execute(f"SELECT name FROM {booze} ORDER BY name").fetchone()
    with pytest.raises(_sqm.ProgrammingError):
        cursor.execute("SELEC 1")
    with pytest.raises(_sqm.ProgrammingError):
        cursor.fetchone()


# ---- results and the end of a transaction -----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_small_results_outlive_their_transaction(connect, booze, end):
    connection = connect()
    cursor = connection.cursor()
    cursor.execute(f"SELECT name FROM {booze} ORDER BY name")
    cursor.fetchone()
    getattr(connection, end)()
    assert [name for (name,) in cursor.fetchall()] == NAMES[1:] and cursor.fetchone() is None


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_large_results_are_lost_loudly(connect, make_table, end):
    """What was not read from the server can't be read any more. Never a silent end: rows in their order, then an error, or all rows."""
    table = make_table("id integer PRIMARY KEY, filler text")
    connection = connect()
    cursor = connection.cursor()
    for start in range(0, 20000, 1000):
        row = "(%s, %s)"
        values = [value for i in range(start, start + 1000) for value in (i, "x" * 1000)]
        cursor.execute(f"INSERT INTO {table} VALUES {', '.join([row] * 1000)}", values)
    connection.commit()
    cursor.execute(f"SELECT id FROM {table} ORDER BY id")
    seen = [cursor.fetchone()[0]]
    getattr(connection, end)()
    try:
        while row := cursor.fetchone():
            seen.append(row[0])
    except _sqm.ProgrammingError as error:
        assert "transaction ended" in str(error)
        assert seen == list(range(len(seen)))
    else:
        assert seen == list(range(20000))
    assert cursor.execute("SELECT 1").fetchone() == (1,)


def test_autocommit_results_are_independent_of_later_transactions(connect, booze):
    connection = connect(autocommit=True)
    outer = connection.cursor()
    outer.execute(f"SELECT name FROM {booze} ORDER BY name")
    outer.fetchone()
    connection.autocommit = False
    connection.cursor().execute(f"INSERT INTO {booze} VALUES (20, 'new')")
    connection.commit()
    assert [name for (name,) in outer.fetchall()] == NAMES[1:]


# ---- errors ---------------------------------------------------------------------------------------------------------------------


def test_error_attributes(cursor, booze):
    sql = f"SELECT nmae AS \"é\" FROM {booze}"
    with pytest.raises(_sqm.ProgrammingError) as caught:
        cursor.execute(sql)
    error = caught.value
    assert error.code == "undefined_column" and error.sql == sql and error.mongo_code is None
    assert sql[error.position : error.position + error.length] == "nmae"
    assert "name" in error.hint and error.hint in str(error) and "LINE 1:" in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error) and copy.code == error.code and str(copy) == str(error)


def test_position_counts_characters(cursor, booze):
    sql = f"SELECT 'ééé', nmae FROM {booze}"
    with pytest.raises(_sqm.ProgrammingError) as caught:
        cursor.execute(sql)
    assert sql[caught.value.position :].startswith("nmae")


def test_errors_always_have_their_attributes():
    for name in ("position", "length", "hint", "code", "mongo_code", "sql"):
        assert getattr(_sqm.Error("x"), name) is None


def test_unique_violation(cursor, booze):
    with pytest.raises(_sqm.IntegrityError) as caught:
        cursor.execute(f"INSERT INTO {booze} VALUES (0, 'again')")
    assert caught.value.code == "unique_violation"


def test_not_null_violation(cursor, make_table):
    table = make_table("id integer NOT NULL")
    with pytest.raises(_sqm.IntegrityError) as caught:
        cursor.execute(f"INSERT INTO {table} VALUES (NULL)")
    assert caught.value.code == "not_null_violation"


def test_errors_of_rows_surface(cursor, booze):
    with pytest.raises(_sqm.DataError) as caught:
        cursor.execute(f"SELECT 1 / id FROM {booze} ORDER BY id").fetchall()
    assert caught.value.code == "division_by_zero"
    assert count(cursor, booze) == 6


def test_arithmetic_of_parameters_alone(cursor):
    """Parameters have no type of their own: what they become is known only when they are there, at any depth."""
    cursor.execute("SELECT (%s * %s) + %s, ((%s * %s) %% %s) * %s", (2, 3, 4, 7, 3, 5, 2))
    assert cursor.fetchone() == (10, 2)
    cursor.execute("SELECT (%s * %s) + %s", (2.5, 2, 1))
    assert cursor.fetchone() == (6.0,)


def test_dates_among_timestamps(cursor):
    """GREATEST of a timestamp and of parameters that turn out to be dates is a timestamp, whichever is the greatest."""
    day = datetime.date(2020, 1, 1)
    sql = "SELECT GREATEST(DATE_TRUNC('quarter', d), LEAST(%s, %s)) FROM (VALUES (DATE '2019-05-05'), (DATE '2024-10-10'), (NULL)) AS t(d)"
    cursor.execute(sql, (day, day))
    moments = [row[0].replace(tzinfo=None) for row in cursor.fetchall()]
    assert moments == [datetime.datetime(2020, 1, 1), datetime.datetime(2024, 10, 1), datetime.datetime(2020, 1, 1)]
