"""db_collation="case_insensitive" through the ORM."""
import io

import pytest
from django.core.management import call_command
from django.db import IntegrityError, NotSupportedError, connection, models
from django.db.models import Count, F, Max
from django.db.models.functions import Collate, Lower
from django.test.utils import isolate_apps


@pytest.fixture
def Member():
    with isolate_apps("orm_app"):

        class Member(models.Model):
            login = models.CharField(max_length=30, db_collation="case_insensitive", unique=True)
            town = models.CharField(max_length=30, db_collation="case_insensitive", null=True, db_index=True)
            team = models.IntegerField(default=0)
            note = models.TextField(default="")

            class Meta:
                app_label = "orm_app"
                constraints = [models.UniqueConstraint(fields=["team", "town"], name="place")]

    with connection.schema_editor() as editor:
        editor.create_model(Member)
    yield Member
    with connection.schema_editor() as editor:
        editor.delete_model(Member)


def logins(queryset):
    return sorted(queryset.values_list("login", flat=True))


def test_queries(Member):
    Member.objects.bulk_create([Member(login="Ann", town="Rome", team=1), Member(login="BOB", town="ROME", team=2), Member(login="cid", team=3)])
    assert Member.objects.get(login="aNN").login == "Ann"
    assert logins(Member.objects.filter(town="rome")) == ["Ann", "BOB"]
    assert logins(Member.objects.exclude(login__in=["ANN", "CID"])) == ["BOB"]
    assert list(Member.objects.order_by("-login").values_list("login", flat=True)) == ["cid", "BOB", "Ann"]
    assert [row["n"] for row in Member.objects.filter(town__isnull=False).values("town").annotate(n=Count("*"))] == [2]
    assert Member.objects.values("town").distinct().count() == 2
    assert Member.objects.aggregate(Max("login"))["login__max"] == "cid"
    assert logins(Member.objects.filter(login__iexact="bob")) == ["BOB"]
    assert logins(Member.objects.annotate(l=Collate("login", "C")).filter(l__startswith="A")) == ["Ann"]
    assert logins(Member.objects.filter(note=Lower("note"), login=F("login"))) == ["Ann", "BOB", "cid"]
    assert Member.objects.filter(town="rome").union(Member.objects.filter(login="ann")).count() == 2
    assert Member.objects.values("town").union(Member.objects.values("town")).count() == 2
    with pytest.raises(NotSupportedError, match="LIKE"):
        logins(Member.objects.filter(login__startswith="A"))


def test_unique(Member):
    ann, created = Member.objects.get_or_create(login="Ann", defaults={"town": "Rome"})
    assert created and Member.objects.get_or_create(login="ANN") == (ann, False)
    with pytest.raises(IntegrityError):
        Member.objects.create(login="ann")
    with pytest.raises(IntegrityError):
        Member.objects.create(login="bob", town="rOME")
    Member.objects.bulk_create([Member(login="ANN", note="new"), Member(login="eve")], update_conflicts=True, unique_fields=["login"], update_fields=["note"])
    assert sorted(Member.objects.values_list("login", "note")) == [("Ann", "new"), ("eve", "")]
    Member.objects.filter(login="EVE").update(login="Eva")
    assert logins(Member.objects.filter(login__in=["eva", "eve"])) == ["Eva"]


def test_introspection(Member):
    table = Member._meta.db_table
    with connection.cursor() as cursor:
        description = {column.name: column.collation for column in connection.introspection.get_table_description(cursor, table)}
        constraints = connection.introspection.get_constraints(cursor, table)
    assert description == {"id": None, "login": "case_insensitive", "town": "case_insensitive", "team": None, "note": None}
    assert ["login"] in [constraint["columns"] for constraint in constraints.values() if constraint["unique"]]
    assert constraints["place"]["columns"] == ["team", "town"]
    out = io.StringIO()
    call_command("inspectdb", table, stdout=out)
    assert "login = models.CharField(unique=True, max_length=30, db_collation='case_insensitive')" in out.getvalue()
