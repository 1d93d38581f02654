"""BulkWrite, the names of djongo 1.3's modules, raw handles."""

import datetime

import pymongo
import pytest
from bson import ObjectId
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, IntegrityError, connection, models
from django.db.transaction import TransactionManagementError
from django.test import TransactionTestCase
from django.test.utils import CaptureQueriesContext
from shop.models import Entry

from djongo import BulkWrite, transaction
from djongo.bulk import BulkWriteError


class Bulk(TransactionTestCase):
    def test_saves_are_collected(self):
        old = [Entry.objects.create(headline=f"old {i}", tags=["a"]) for i in range(5)]
        with CaptureQueriesContext(connection) as captured, BulkWrite():
            new = [Entry.objects.create(headline=f"new {i}", blog={"name": "b"}, data={"i": i}) for i in range(4)]
            assert new[0].pk is None
            for i, entry in enumerate(old):
                entry.headline = f"changed {i}"
                entry.tags.append("b")
                entry.published = datetime.datetime(2024, 1, 1 + i, tzinfo=datetime.timezone.utc)
                entry.save()
        assert len([query for query in captured if "INSERT INTO" in query["sql"] or query["sql"].startswith("UPDATE")]) == 2
        assert len({entry.pk for entry in new}) == 4 and all(isinstance(entry.pk, ObjectId) for entry in new)
        assert Entry.objects.count() == 9
        for entry in [*new, *old]:
            stored = Entry.objects.get(pk=entry.pk)
            assert (stored.headline, stored.tags, stored.data, stored.published, stored.blog) == (entry.headline, entry.tags, entry.data, entry.published, entry.blog)

    def test_integer_keys(self):
        with BulkWrite():
            groups = [Group.objects.create(name=f"g{i}") for i in range(3)]
        assert {group.pk for group in groups} == set(Group.objects.values_list("pk", flat=True))

    def test_reads_see_what_was_saved(self):
        with BulkWrite():
            entry = Entry.objects.create(headline="one")
            assert Entry.objects.get().headline == "one" and entry.pk is not None
            entry.headline = "two"
            entry.save()
            entry.headline = "three"
            entry.save()
            Entry.objects.filter(headline="three").update(headline="four")
            assert Entry.objects.filter(headline="four").delete()[0] == 1
            Entry.objects.filter(pk=entry.pk).update(headline=models.Value("x"))
        assert not Entry.objects.exists()

    def test_ordered_is_all_or_nothing(self):
        Group.objects.create(name="taken")
        with pytest.raises(IntegrityError), BulkWrite():
            Entry.objects.create(headline="before")
            Group.objects.create(name="taken")
            Entry.objects.create(headline="after")
        assert not Entry.objects.exists()

    def test_unordered_writes_what_it_can(self):
        Group.objects.create(name="taken")
        with pytest.raises(BulkWriteError, match="1 of the writes failed") as raised, BulkWrite(ordered=False):
            Entry.objects.create(headline="before")
            taken = Group(name="taken")
            taken.save()
            Group.objects.create(name="free")
            Entry.objects.create(headline="after")
        assert [obj for obj, _ in raised.value.errors] == [taken] and isinstance(raised.value.errors[0][1], IntegrityError)
        assert Entry.objects.count() == 2 and Group.objects.filter(name="free").exists()

    def test_an_exception_in_the_block(self):
        with pytest.raises(ZeroDivisionError), BulkWrite():
            Entry.objects.create(headline="lost")
            1 / 0
        assert not Entry.objects.exists() and connection.bulk_write is None

    def test_a_row_that_is_not_there(self):
        with pytest.raises(DatabaseError, match="1 of 1 rows of auth.Group that were saved aren't there"), BulkWrite():
            Group(pk=99, name="never inserted").save()
        with BulkWrite():
            Group.objects.create(pk=99, name="inserted")
        assert Group.objects.get(pk=99).name == "inserted"

    def test_not_nested(self):
        with BulkWrite(), pytest.raises(TransactionManagementError), BulkWrite():
            pass

    def test_in_a_transaction(self):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            with BulkWrite():
                Entry.objects.create(headline="x")
            assert Entry.objects.count() == 1
            1 / 0
        assert not Entry.objects.exists()

    def test_relations(self):
        kind = ContentType.objects.get_for_model(Entry)
        with BulkWrite():
            permission = Permission.objects.create(name="p", codename="p", content_type=kind)
            group = Group.objects.create(name="g")
            assert Group.objects.count() == 1  # sends: now both have keys
            group.permissions.add(permission)
        assert list(group.permissions.all()) == [permission]


def test_names_of_djongo_13():
    import djongo.database
    import djongo.exceptions
    import djongo.transaction

    assert djongo.transaction.atomic is not None
    assert issubclass(djongo.exceptions.MigrationError, djongo.database.ProgrammingError)
    for name in ("SQLDecodeError", "NotSupportedError", "MigrationError", "print_warn"):
        assert hasattr(djongo.exceptions, name)
    for name in ("Error", "InterfaceError", "DatabaseError", "DataError", "OperationalError", "IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError", "Binary", "connect"):
        assert hasattr(djongo.database, name)


def test_raw_handles():
    with connection.cursor() as cursor:
        assert isinstance(cursor.db_conn, pymongo.database.Database) and isinstance(cursor.client_conn, pymongo.MongoClient)
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
        assert cursor.db_conn["shop_entry"].count_documents({}) == 0
    assert connection.client_connection[connection.settings_dict["NAME"]].name == cursor.db_conn.name
