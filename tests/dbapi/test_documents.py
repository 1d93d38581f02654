"""Document and Array: what Cursor.formats makes of documents and arrays, and that they are the stored bytes."""

import copy
import datetime
import gc
import pickle
import sys
import uuid
from decimal import Decimal

import bson
import pytest

from djongo import _sqm

VALUE = {
    "text": "é", "int": 5, "big": 2**40, "float": 1.5, "none": None, "true": True, "decimal": Decimal("1.50"), "date": datetime.datetime(2020, 1, 2), "bytes": b"\x00\xff",
    "uuid": uuid.UUID(int=7), "oid": bson.ObjectId(), "regex": bson.Regex("a.b", "i"), "timestamp": bson.Timestamp(5, 6), "code": bson.Code("x", {}), "min": bson.MinKey(),
    "list": [1, [2, {"a": "b"}], {}], "document": {"a": {"b": {"c": [None]}}}, "": "empty key", "after": 1,
}  # fmt: skip


@pytest.fixture
def stored(make_table, cursor):
    table = make_table("id integer PRIMARY KEY, d document, a array, j jsonb")
    cursor.execute(f"INSERT INTO {table} VALUES (1, %s, %s, %s)", (VALUE, VALUE["list"], _sqm.Json({"a": 1})))

    def fetch(formats):
        cursor.formats = formats
        cursor.execute(f"SELECT d, a, j FROM {table} WHERE id = 1")
        return cursor.fetchone()

    fetch.table = table
    return fetch


def test_formats(stored):
    plain = stored(None)
    assert type(plain[0]) is dict and type(plain[1]) is list
    document, array, _ = stored(b"ll ")
    assert (type(document), type(array)) == (_sqm.Document, _sqm.Array)
    assert type(stored(b" l")[0]) is dict and type(stored(b"l")[1]) is list
    assert document == plain[0] == VALUE and plain[0] == document and not document != VALUE
    assert array == plain[1] and array != [1] and document != {} and document != array and document != 5


def test_formats_are_bytes(cursor):
    with pytest.raises(TypeError):
        cursor.formats = "l"
    cursor.formats = b"l"
    assert cursor.formats == b"l"
    cursor.formats = None
    assert cursor.formats is None


def test_native_json(connect, stored):
    with connect(json_text=True, autocommit=True).cursor() as cursor:
        for formats, expected in ((None, str), (b"n", dict), (b"l", str)):
            cursor.formats = formats
            cursor.execute(f"SELECT j FROM {stored.table}")
            assert type(cursor.fetchone()[0]) is expected


def test_a_document_is_a_mapping(stored):
    document = stored(b"l")[0]
    assert list(document) == document.keys() == list(VALUE) and len(document) == len(VALUE)
    assert document.values() == list(VALUE.values()) and document.items() == list(VALUE.items())
    for key, value in VALUE.items():
        assert document[key] == value and document.get(key) == value and key in document
    assert document.get("x") is None and document.get("x", 7) == 7 and "x" not in document and 5 not in document and "\udc80" not in document
    with pytest.raises(KeyError):
        document["x"]
    with pytest.raises(TypeError):
        hash(document)
    with pytest.raises(TypeError):
        _sqm.Document()
    assert repr(document["document"]) == repr(VALUE["document"])


def test_an_array_is_a_sequence(stored):
    array = stored(b" l")[1]
    assert len(array) == 3 and list(array) == VALUE["list"] and array[0] == 1 and array[-1] == {} and array[1:] == VALUE["list"][1:]
    assert 1 in array and 9 not in array
    for index in (3, -4):
        with pytest.raises(IndexError):
            array[index]
    with pytest.raises(TypeError):
        array["a"]


def test_nested_ones_outlive_the_outermost(stored):
    document = stored(b"l")[0]
    inner = document["document"]["a"]["b"]["c"]
    del document
    gc.collect()
    assert type(inner) is _sqm.Array and inner == [None]


def test_copies_are_plain(stored):
    document, array, _ = stored(b"ll")
    for made in (pickle.loads(pickle.dumps(document)), copy.copy(document), copy.deepcopy(document), document.decode()):
        assert type(made) is dict and made == VALUE
    assert type(copy.deepcopy(array)) is list


def test_stored_as_they_were(stored, cursor):
    """As parameters, alone or inside others, byte for byte: also what Python has no value for."""
    document = stored(b"l")[0]
    cursor.execute(f"INSERT INTO {stored.table} VALUES (2, %s, %s), (3, %s, NULL)", (document, document["list"], {"in": document, "list": [document["list"]]}))
    cursor.formats = b"ll"
    cursor.execute(f"SELECT d, a FROM {stored.table} WHERE id > 1 ORDER BY id")
    assert cursor.fetchall() == [(VALUE, VALUE["list"]), ({"in": VALUE, "list": [VALUE["list"]]}, None)]


def test_no_leaks(stored):
    document = stored(b"l")[0]
    before = sys.getrefcount(document)
    for _ in range(1000):
        document["list"][1][1].get("a")
        document.items()
        document == VALUE
        list(document["list"])
    assert sys.getrefcount(document) == before
