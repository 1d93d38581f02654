"""Fills the site under django-mongodb-backend. What was written is known: test_official.py says it again from memory."""
import datetime
import decimal
import os
import uuid

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

import django

django.setup()

from bson import ObjectId
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from library.models import Address, Author, Award, Book, Genre

utc = datetime.timezone.utc
ann = Author(
    id=ObjectId("60b8d2950000000000000001"),
    name="Ann",
    address=Address(city="Rome", since=datetime.date(2001, 2, 3)),
    awards=[Award(name="Gold", amount=decimal.Decimal("12.50")), Award(name="Silver", amount=decimal.Decimal("3"))],
    nicknames=["A", "Annie"],
)
ann.save(force_insert=True)
bob = Author.objects.create(name="Bob")
poems, novels = Genre.objects.create(name="poems"), Genre.objects.create(name="novels")
for i in range(1, 6):
    book = Book.objects.create(
        author=[ann, bob, None][i % 3],
        title="Book %d" % i,
        price=decimal.Decimal("9.90") + i,
        printed=datetime.date(2020, 1, i),
        added=datetime.datetime(2020, 1, i, 12, 30, 15, 123000, tzinfo=utc),
        opens=datetime.time(8, i, 30, 250000),
        length=datetime.timedelta(hours=i, milliseconds=5),
        code=uuid.UUID(int=0x1234567890ABCDEF0011223344556600 + i),
        score=i / 4,
        pages=2**40 + i,
        sold=i == 2,
        cover=bytes(range(i)),
        data={"a": [1, {"b": None}], "n": i},
        reference=ann.pk,
    )
    book.genres.add(poems if i < 3 else novels)
Book.objects.create(title="Bare", added=datetime.datetime(2021, 1, 1, tzinfo=utc))
root = User.objects.create_superuser("root", "root@example.com", "a password of 2025")
readers = Group.objects.create(name="readers")
root.groups.add(readers)
session = SessionStore()
session["_auth_user_id"] = str(root.pk)
session._session_key = "officialsessionofficialsession00"
session.set_expiry(86400 * 365 * 40)
session.save(must_create=True)
print("filled")
