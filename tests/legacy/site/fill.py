"""Fills the site under djongo 1.3.7. What was written is known: test_djongo13.py says it again from memory."""
import datetime
import decimal
import os
import sys
import uuid

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

import django

django.setup()

from bson import ObjectId
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.backends.db import SessionStore
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone
from flights.models import Airline, Airport, Booking, Flight, Log, Passenger, Tag

utc = datetime.timezone.utc


def instant(*parts):
    return datetime.datetime(*parts, tzinfo=utc) if django.conf.settings.USE_TZ else datetime.datetime(*parts)


Airline.objects.create(code="UA", name="United Air Lines Inc.")
Airline.objects.create(code="B6", name="JetBlue Airways")
ewr = Airport.objects.create(faa="EWR", name="Newark Liberty Intl", latitude=40.6925, altitude=18, utc_offset=decimal.Decimal("-5.00"))
jfk = Airport.objects.create(faa="JFK", name="John F Kennedy Intl", latitude=40.639751, altitude=13, utc_offset=decimal.Decimal("-5.00"), remarks="")
lga = Airport.objects.create(faa="LGA", name="La Guardia", latitude=40.777245, utc_offset=decimal.Decimal("-5.00"), remarks="Zürich 東京 \U0001f6eb")
early, late = Tag.objects.create(word="early"), Tag.objects.create(word="late", kind=1)
for i in range(1, 21):
    flight = Flight.objects.create(
        airline_id="UA" if i % 2 else "B6",
        origin=[ewr, jfk, lga][i % 3],
        number=1500 + i,
        day=datetime.date(2013, 1, i),
        scheduled=instant(2013, 1, i, 5, 15, 30, 123000),
        departs=None if i % 5 == 0 else datetime.time(5, i, 30, 250000),
        air_time=datetime.timedelta(hours=i, microseconds=123000),
        price=None if i == 20 else decimal.Decimal("99.90") + i,
        ticket=uuid.UUID(int=0x1234567890ABCDEF0011223344556600 + i),  # unique NULLs collided
        delay=None if i % 4 == 0 else i / 8,
        cancelled=i % 7 == 0,
        miles=2**40 + i,
        signature=bytes(range(i)),
        slug="flight-%d" % i,
        gate="10.0.0.%d" % i if i % 2 else "2001:db8::%x" % i,
        crew={"captain": "Ann %d" % i, "seats": [1, 2, {"row": i}], "none": None},
    )
    flight.tags.add(early if i < 10 else late)
Flight.objects.get(number=1501).tags.add(late)
Flight.objects.filter(number=1520).delete()  # the counter stays at 20

for name in ("first", "second", "third"):
    Log.objects.create(id={"first": 1, "second": 2, "third": 3}[name], text=name)  # no counter is left after the renames

ann = User.objects.create_superuser("ann", "ann@example.com", "a password of 2021")
bob = User.objects.create_user("bob", "bob@example.com", "bob's secret", first_name="Bob")
User.objects.create_user("eve", password="eve", is_active=False)
pilots = Group.objects.create(name="pilots")
pilots.permissions.add(Permission.objects.get(codename="add_flight"), Permission.objects.get(codename="view_flight"))
bob.groups.add(pilots)

session = SessionStore()
session["seat"] = "12A"
session["_auth_user_id"] = str(bob.pk)
session.set_expiry(86400 * 365 * 40)
session._session_key = "legacysessionlegacysessionlegacy"
session.save(must_create=True)

flights = list(Flight.objects.filter(number__lte=1503).order_by("number"))
carl = Passenger(
    _id=ObjectId("60b8d2950000000000000001"),
    name="Carl",
    profile={"nickname": "cc", "born": datetime.date(1990, 2, 28), "address": {"street": "Main 1", "zip_code": None}},
    contacts=[{"kind": "mail", "value": "carl@example.com"}, {"kind": "phone", "value": "555-1"}],
)
carl.save()
carl.flown.add(*flights)
dora = Passenger(_id=ObjectId("60b8d2950000000000000002"), name="Dora", profile=None, contacts=[])
dora.save()
booking = Booking(id=1, passenger=carl, user=bob, friend=dora._id)
booking.manual.save("safety.txt", SimpleUploadedFile("safety.txt", b"Fasten your seat belt.\n" * 20, "text/plain"), save=False)
booking.save()
# Written by another program, and before a field was added: keys are missing, one is not in any model.
database = connection.cursor().db_conn
database["flights_airport"].insert_one({"id": 77, "faa": "XXX", "name": "Somewhere", "latitude": 1, "owner": {"name": "city"}})
database["readings"].insert_many([{"station": "EWR", "celsius": 21.5, "at": datetime.datetime(2013, 1, 1)}, {"station": "JFK", "celsius": 22}])
print("filled", database.name)
sys.exit(0)
