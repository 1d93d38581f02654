"""information_schema is as of the moment a statement runs, whoever has changed what it lists."""

SQL = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE %s ORDER BY table_name"


def test_collections_of_other_programs(documents, cursor):
    assert cursor.execute(SQL, ("made_by_%",)).fetchall() == []
    documents.made_by_mongo.insert_one({"a": 1})
    try:
        assert cursor.execute(SQL, ("made_by_%",)).fetchall() == [("made_by_mongo",)]
    finally:
        cursor.execute("DROP TABLE made_by_mongo")
    assert cursor.execute(SQL, ("made_by_%",)).fetchall() == []


def test_tables_of_another_connection(connect, cursor):
    other = connect(autocommit=True).cursor()
    assert other.execute(SQL, ("listed%",)).fetchall() == []
    cursor.execute("CREATE TABLE listed_1 (id integer PRIMARY KEY)")
    try:
        assert other.execute(SQL, ("listed%",)).fetchall() == [("listed_1",)]
        cursor.execute("ALTER TABLE listed_1 RENAME TO listed_2")
        assert other.execute(SQL, ("listed%",)).fetchall() == [("listed_2",)]
    finally:
        cursor.execute("DROP TABLE IF EXISTS listed_1, listed_2")


def test_inside_a_transaction(connect, make_table):
    connection = connect()
    table = make_table("id integer PRIMARY KEY")
    cursor = connection.cursor()
    cursor.execute(f"INSERT INTO {table} VALUES (1)")
    assert cursor.execute(SQL, (table,)).fetchall() == [(table,)]
    connection.rollback()
    assert cursor.execute(f"SELECT * FROM {table}").fetchall() == []
    connection.rollback()
