"""A database that djongo 1.3.7 wrote (site/fill.py): opened unchanged, read, written, migrated onward. docs/from-djongo.md tells these steps to people.

The database is djongo-1.3.7.jsonl; with DJONGO13_DATABASE, what make_djongo13.py wrote there just now.
"""

import os
import pathlib

import bson
import pytest

HERE = pathlib.Path(__file__).parent
CONTENT = pathlib.Path(os.environ.get("DJONGO13_DATABASE", HERE / "djongo-1.3.7.jsonl"))


@pytest.fixture
def site(make_project):
    return make_project("site", CONTENT.read_text())


def without_catalogue(database):
    return {name: list(database[name].find().sort("_id")) for name in database.list_collection_names() if name != "__schema__"}


def test_reading_changes_nothing(site):
    before = without_catalogue(site.database)
    indexes = {name: site.database[name].index_information() for name in before}
    counters = {entry["name"]: entry.get("auto", {}).get("seq") for entry in site.database["__schema__"].find()}
    site.run("""
        from datetime import date, datetime, time, timedelta, timezone
        from decimal import Decimal
        from uuid import UUID
        from bson import ObjectId
        from django.db.models import Count, Sum
        from django.apps import apps
        from flights.models import Airline, Airport, Booking, Flight, Log, Passenger, Tag

        flight = Flight.objects.get(number=1501)
        assert (flight.pk, flight.airline_id, flight.airline.name, flight.origin.faa) == (1, "UA", "United Air Lines Inc.", "JFK")
        assert flight.day == date(2013, 1, 1) and type(flight.day) is date
        assert flight.scheduled == datetime(2013, 1, 1, 5, 15, 30, 123000, tzinfo=timezone.utc)
        assert flight.departs == time(5, 1, 30, 250000)
        assert flight.air_time == timedelta(hours=1, microseconds=123000)
        assert flight.price == Decimal("100.90") and type(flight.price) is Decimal
        assert flight.ticket == UUID("12345678-90ab-cdef-0011-223344556601")
        assert (flight.delay, flight.cancelled, flight.miles, bytes(flight.signature)) == (0.125, False, 2**40 + 1, b"\\0")
        assert (flight.slug, flight.gate) == ("flight-1", "10.0.0.1")
        assert flight.crew == {"captain": "Ann 1", "seats": [1, 2, {"row": 1}], "none": None}
        assert sorted(flight.tags.values_list("word", flat=True)) == ["early", "late"]

        # every kind of column is found again by its value
        for field in ("day", "scheduled", "departs", "air_time", "price", "ticket", "delay", "miles", "signature", "slug", "gate"):
            found = Flight.objects.filter(**{field: getattr(flight, field)}).values_list("number", flat=True)
            assert list(found) == [1501], (field, found)
        assert Flight.objects.filter(ticket__in=[flight.ticket]).count() == 1
        assert Flight.objects.filter(day__gte=date(2013, 1, 18)).count() == 2
        assert Flight.objects.filter(departs__isnull=True).count() == 3
        assert Flight.objects.filter(cancelled=True).count() == 2 == 19 - Flight.objects.filter(cancelled=False).count()
        assert Flight.objects.aggregate(Sum("price"))["price__sum"] == Decimal("99.90") * 19 + 190
        assert Flight.objects.filter(tags__word="late", origin__faa="JFK").count() == 5
        assert dict(Airport.objects.filter(departures__isnull=False).values_list("faa").annotate(Count("departures"))) == {"EWR": 6, "JFK": 7, "LGA": 6}

        # keys are missing in one that another program wrote, and there is one that no model has
        other = Airport.objects.get(faa="XXX")
        assert (other.pk, other.altitude, other.utc_offset, other.remarks, other.latitude) == (77, None, None, None, 1)
        assert list(Airport.objects.order_by("id").values_list("remarks", flat=True)) == [None, "", "Zürich 東京 \U0001f6eb", None]

        carl, dora = Passenger.objects.order_by("name")
        assert carl.pk == ObjectId("60b8d2950000000000000001") and Passenger.objects.get(pk=str(carl.pk)) == carl
        assert carl.profile["nickname"] == "cc" and carl.profile["address"]["street"] == "Main 1" and carl.profile.address.zip_code is None
        assert carl.profile.born == date(1990, 2, 28)
        assert [contact["value"] for contact in carl.contacts] == ["carl@example.com", "555-1"]
        assert (dora.profile, dora.contacts) == (None, [])
        assert sorted(carl.flown.values_list("number", flat=True)) == [1501, 1502, 1503] and not dora.flown.exists()
        assert [p.name for p in Flight.objects.get(number=1502).passenger_set.all()] == ["Carl"]
        assert Passenger.objects.filter(profile__address__street="Main 1").get() == carl
        assert Passenger.objects.filter(profile={"nickname": "cc"}).get() == carl

        booking = Booking.objects.select_related("passenger", "user").get()
        assert (booking.passenger, booking.user.username, booking.friend) == (carl, "bob", dora.pk)
        assert booking.manual.read() == b"Fasten your seat belt.\\n" * 20 and booking.manual.size == 460
        assert booking.manual.url.startswith("/manuals/") and booking.manual.storage.listdir("") == (["booked"], [])

        for model in apps.get_models(include_auto_created=True):
            assert model.objects.count() == len(model.objects.all()), model
    """)
    assert without_catalogue(site.database) == before
    assert {name: site.database[name].index_information() for name in before} == indexes
    after = {entry["name"]: entry.get("auto", {}).get("seq") for entry in site.database["__schema__"].find()}
    assert {name: after[name] for name in counters} == counters


def test_migrate_has_nothing_to_do(site):
    assert "No migrations to apply" in site.manage("migrate")
    assert "No changes detected" in site.manage("makemigrations", "--check", "--dry-run")
    site.manage("check", "--database", "default")


def test_logging_in(site):
    site.run("""
        from django.contrib.auth import authenticate
        from django.contrib.auth.models import User
        from django.contrib.sessions.backends.db import SessionStore
        from django.test import Client

        assert authenticate(username="bob", password="bob's secret").get_full_name() == "Bob"
        assert authenticate(username="bob", password="wrong") is None and authenticate(username="eve", password="eve") is None
        bob = User.objects.get(username="bob")
        assert bob.has_perm("flights.add_flight") and not bob.has_perm("flights.delete_flight")
        assert list(User.objects.filter(is_staff=True)) == [User.objects.get(username="ann")]
        session = SessionStore("legacysessionlegacysessionlegacy")
        assert session["seat"] == "12A" and session["_auth_user_id"] == str(bob.pk)

        client = Client()
        assert client.post("/admin/login/?next=/admin/", {"username": "ann", "password": "a password of 2021"}).url == "/admin/"
        page = client.get("/admin/auth/user/?is_staff__exact=1").content.decode()
        assert "1 user" in page and "ann@example.com" in page
        assert client.get(f"/admin/auth/user/{bob.pk}/change/").status_code == 200
    """)


def test_writing(site):
    site.run("""
        import datetime, decimal, uuid
        from django.contrib.auth.models import Group, User
        from django.db import IntegrityError
        from flights.models import Airline, Airport, Booking, Flight, Log, Passenger, Tag

        # counters continue, those that djongo 1.3 lost over a rename begin after what is there
        assert Tag.objects.create(word="new").pk == 3
        assert User.objects.create_user("dan", password="dan").pk == 4
        assert Flight.objects.order_by("-pk")[0].pk == 19
        new = Flight.objects.create(
            airline_id="UA", origin_id=1, number=1, day=datetime.date(2024, 2, 29), scheduled=datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc),
            departs=datetime.time(23, 59), air_time=datetime.timedelta(minutes=1), price=decimal.Decimal("1.5"), ticket=uuid.UUID(int=7), crew={"n": [1]}, signature=b"x",
        )
        assert new.pk == 21
        new.tags.add(*Tag.objects.all())
        new.tags.add(*Tag.objects.all())
        assert new.tags.count() == 3
        assert [log.pk for log in (Log.objects.create(text="4"), Log.objects.create(text="5"))] == [4, 5]

        # old rows are changed in place
        flight = Flight.objects.get(number=1502)
        flight.price += 1
        flight.save()
        assert Flight.objects.get(price=decimal.Decimal("102.90"), number=1502) == flight
        airport = Airport.objects.get(faa="XXX")
        airport.name, airport.utc_offset = "Elsewhere", 0
        airport.save()
        assert Flight.objects.filter(number=1503).update(delay=9) == 1 and Flight.objects.filter(number=1504).delete()[0] == 2

        for make in (
            lambda: Airport.objects.create(faa="EWR", name="again", latitude=0, utc_offset=0),
            lambda: Tag.objects.create(word="early"),
            lambda: Airline.objects.create(code="UA", name="again"),
            lambda: Airport.objects.create(faa="NUL", name="n", latitude=0, utc_offset=None),
        ):
            try:
                make()
            except IntegrityError:
                continue
            raise AssertionError(make)

        carl = Passenger.objects.get(name="Carl")
        carl.profile["address"]["street"] = "Side 2"
        carl.contacts.append({"kind": "fax", "value": "1"})
        carl.save()
        carl.flown.remove(Flight.objects.get(number=1501))
        carl.flown.add(new)
        erna = Passenger.objects.create(name="Erna", profile={"nickname": "e", "born": None, "address": {"street": "s", "zip_code": "1"}})
        erna.flown.set([new])
        booking = Booking(passenger=erna, user=User.objects.get(username="ann"))
        from django.core.files.base import ContentFile
        booking.manual.save("safety.txt", ContentFile(b"new"))
        assert booking.pk == 2 and booking.manual.name != "booked/safety.txt"
    """)
    find = {"_id": 0}
    assert site.database["flights_tag"].find_one({"word": "new"}, find) == {"id": 3, "word": "new", "kind": 0}
    new = site.database["flights_flight"].find_one({"id": 21})
    assert isinstance(new["_id"], bson.ObjectId) and new["air_time"] == 60_000_000 and new["departs"].year == 1900
    assert new["price"] == bson.Decimal128("1.50") and new["crew"] == {"n": [1]}
    airport = site.database["flights_airport"].find_one({"faa": "XXX"})
    assert airport["name"] == "Elsewhere" and airport["owner"] == {"name": "city"}  # what no model knows is kept
    carl = site.database["flights_passenger"].find_one({"name": "Carl"})
    assert carl["profile"]["address"] == {"street": "Side 2", "zip_code": None} and carl["contacts"][2]["kind"] == "fax"
    assert carl["flown_id"] == [2, 3, 21]
    erna = site.database["flights_passenger"].find_one({"name": "Erna"})
    assert isinstance(erna["_id"], bson.ObjectId) and erna["flown_id"] == [21]
    entry = site.database["__schema__"].find_one({"name": "site_log"})
    assert entry["auto"]["seq"] == 5


def test_migrating_onward(site):
    site.edit("settings.py", ('    "flights",', '    "flights",\n    "djongo",'))
    site.manage("djongo_diff", "flights.Tag", "--fix")  # a unique index that djongo 1.3 left behind
    site.edit(
        "flights/models.py",
        ("    remarks = models.TextField(null=True)", "    comment = models.TextField(null=True)\n    runways = models.PositiveSmallIntegerField(default=2)"),
        ("    altitude = models.IntegerField(null=True)", '    altitude = models.CharField(max_length=10, default="")'),
        ("    faa = models.CharField(max_length=3, unique=True)", "    faa = models.CharField(max_length=4)"),
        ("    gate = models.GenericIPAddressField(null=True)\n", ""),
        ("    word = models.CharField(max_length=20)\n", "    word = models.CharField(max_length=20)\n    color = models.CharField(max_length=9, null=True, unique=True)\n"),
        ('        unique_together = [("word", "kind")]', '        db_table = "labels"'),
        ("class Log(models.Model):", "class Pilot(models.Model):\n    name = models.CharField(max_length=20)\n    flights = models.ManyToManyField(Flight)\n\n\nclass Log(models.Model):"),
    )
    (site.directory / "flights/migrations/0003_onward.py").write_text("""
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("flights", "0002_changes")]
    operations = [
        migrations.AddField("Airport", "runways", models.PositiveSmallIntegerField(default=2)),
        migrations.RenameField("Airport", "remarks", "comment"),
        migrations.RunSQL("UPDATE flights_airport SET altitude = 0 WHERE altitude IS NULL"),
        migrations.AlterField("Airport", "altitude", models.CharField(max_length=10, default="")),
        migrations.AlterField("Airport", "faa", models.CharField(max_length=4)),
        migrations.RemoveField("Flight", "gate"),
        migrations.AddField("Tag", "color", models.CharField(max_length=9, null=True, unique=True)),
        migrations.AlterUniqueTogether("Tag", set()),
        migrations.AlterModelTable("Tag", "labels"),
        migrations.CreateModel(
            "Pilot",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=20)),
                ("flights", models.ManyToManyField("flights.Flight")),
            ],
        ),
    ]
""")
    assert "Applying flights.0003_onward... OK" in site.manage("migrate")
    assert "No changes detected" in site.manage("makemigrations", "--check", "--dry-run")
    site.run("""
        from django.contrib.contenttypes.models import ContentType
        from flights.models import Airport, Flight, Log, Pilot, Tag

        rows = {a.faa: (a.altitude, a.runways, a.comment) for a in Airport.objects.all()}
        assert rows == {"EWR": ("18", 2, None), "JFK": ("13", 2, ""), "LGA": ("0", 2, "Zürich 東京 \U0001f6eb"), "XXX": ("0", 2, None)}, rows
        Airport.objects.create(faa="EWR", name="again", latitude=0, utc_offset=0)
        assert Tag.objects.create(word="early").pk == 3 and Tag.objects.create(word="early").pk == 4
        assert Flight.objects.filter(tags__word="early").count() == 9
        ann = Pilot.objects.create(name="Ann")
        assert ann.pk == 1
        ann.flights.add(*Flight.objects.filter(number__lt=1504))
        assert Flight.objects.filter(pilot__isnull=False).count() and Pilot.objects.filter(flights__origin__faa="JFK").count() == 1
        assert ContentType.objects.filter(model="pilot").exists()
    """)
    airport = site.database["flights_airport"].find_one({"faa": "JFK"})
    assert airport["altitude"] == "13" and airport["runways"] == 2 and "remarks" not in airport
    assert "gate" not in site.database["flights_flight"].find_one()
    assert "flights_tag" not in site.database.list_collection_names() and site.database["labels"].count_documents({}) == 4
    indexes = site.database["labels"].index_information()
    assert not any(index["key"] == [("word", 1), ("kind", 1)] for index in indexes.values())
    assert not any(index["key"] == [("faa", 1)] for index in site.database["flights_airport"].index_information().values())


def test_new_code_before_its_migration(site):
    """The server was started before `migrate`: what it declared on demand is in no migration's way."""
    site.edit(
        "flights/models.py",
        ("    remarks = models.TextField(null=True)", "    comment = models.TextField(null=True)\n    runways = models.PositiveSmallIntegerField(default=2)"),
        ("    altitude = models.IntegerField(null=True)", "    altitude = models.FloatField(null=True)"),
    )
    site.run("""
        from flights.models import Airport

        assert {a.runways for a in Airport.objects.all()} == {2}
        Airport.objects.create(faa="NEW", name="new", latitude=0, utc_offset=0, runways=5, comment="fresh")
    """)
    (site.directory / "flights/migrations/0003_onward.py").write_text("""
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("flights", "0002_changes")]
    operations = [
        migrations.RenameField("Airport", "remarks", "comment"),
        migrations.AddField("Airport", "runways", models.PositiveSmallIntegerField(default=2)),
        migrations.AlterField("Airport", "altitude", models.FloatField(null=True)),
    ]
""")
    site.manage("migrate")
    site.run("""
        from flights.models import Airport

        rows = {a.faa: (a.altitude, a.runways, a.comment) for a in Airport.objects.all()}
        assert rows == {"EWR": (18.0, 2, None), "JFK": (13.0, 2, ""), "LGA": (None, 2, "Zürich 東京 \U0001f6eb"), "XXX": (None, 2, None), "NEW": (None, 5, "fresh")}, rows
        assert Airport.objects.filter(runways=2).count() == 4
    """)


def test_dumpdata_and_loaddata(site):
    site.run("from flights.models import Airport; Airport.objects.filter(utc_offset=None).update(utc_offset=0)")  # NOT NULL binds what is written anew
    site.manage("dumpdata", "--natural-foreign", "-e", "contenttypes", "-e", "auth.permission", "-o", "all.json")
    before = site.database["flights_flight"].count_documents({})
    site.manage("flush", "--noinput")
    assert site.database["flights_flight"].count_documents({}) == 0
    site.manage("loaddata", "all.json")
    assert site.database["flights_flight"].count_documents({}) == before
    site.run("""
        from flights.models import Flight, Log, Passenger, Tag

        assert Passenger.objects.get(name="Carl").flown.count() == 3
        assert Passenger.objects.get(profile__nickname="cc").contacts[1].value == "555-1"
        assert Tag.objects.create(word="x").pk == 3 and Log.objects.create(text="x").pk == 4
    """)


def test_without_time_zones(site):
    """USE_TZ = False, as most sites of Django 3.1 had it: what is stored is the wall clock."""
    site.run("""
        import datetime
        from flights.models import Flight

        flight = Flight.objects.get(number=1501)
        assert flight.scheduled == datetime.datetime(2013, 1, 1, 5, 15, 30, 123000) and flight.departs == datetime.time(5, 1, 30, 250000)
        assert Flight.objects.filter(scheduled=flight.scheduled, scheduled__hour=5).count() == 1
    """, SITE_USE_TZ="0")
