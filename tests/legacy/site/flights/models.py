"""Models as people wrote them for djongo 1.3."""
import os

from django.conf import settings
from djongo import models
from djongo.storage import GridFSStorage

manuals = GridFSStorage(collection="manuals", base_url="/manuals/", database="default")


class Airline(models.Model):
    code = models.CharField(max_length=2, primary_key=True)
    name = models.CharField(max_length=60)


class Airport(models.Model):
    faa = models.CharField(max_length=3, unique=True)
    name = models.CharField(max_length=80, db_index=True)
    latitude = models.FloatField()
    altitude = models.IntegerField(null=True)
    utc_offset = models.DecimalField(max_digits=4, decimal_places=2)
    remarks = models.TextField(null=True)


class Tag(models.Model):
    word = models.CharField(max_length=20)
    kind = models.SmallIntegerField(default=0)

    class Meta:
        unique_together = [("word", "kind")]


class Flight(models.Model):
    airline = models.ForeignKey(Airline, on_delete=models.CASCADE)
    origin = models.ForeignKey(Airport, on_delete=models.CASCADE, related_name="departures")
    number = models.PositiveSmallIntegerField()
    day = models.DateField()
    scheduled = models.DateTimeField()
    departs = models.TimeField(null=True)
    air_time = models.DurationField(null=True)
    price = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    ticket = models.UUIDField(null=True, unique=True)
    delay = models.FloatField(null=True)
    cancelled = models.BooleanField(default=False)
    miles = models.BigIntegerField(default=0)
    signature = models.BinaryField(null=True)
    slug = models.SlugField(default="")
    gate = models.GenericIPAddressField(null=True)
    crew = models.JSONField(default=dict)
    tags = models.ManyToManyField(Tag)

    class Meta:
        indexes = [models.Index(fields=["day", "number"], name="day_number")]


class Log(models.Model):
    """Began as Diary, in another table: two renames that djongo 1.3 lost the counter over."""

    text = models.CharField(max_length=100)

    class Meta:
        db_table = "site_log"


class Address(models.Model):
    street = models.CharField(max_length=80)
    zip_code = models.CharField(max_length=10, null=True, blank=True)

    class Meta:
        abstract = True


class Profile(models.Model):
    nickname = models.CharField(max_length=30)
    born = models.DateField(null=True)
    address = models.EmbeddedField(model_container=Address)

    class Meta:
        abstract = True


class Contact(models.Model):
    kind = models.CharField(max_length=10)
    value = models.CharField(max_length=80)

    class Meta:
        abstract = True


class Passenger(models.Model):
    _id = models.ObjectIdField()
    name = models.CharField(max_length=80)
    profile = models.EmbeddedField(model_container=Profile, null=True)
    contacts = models.ArrayField(model_container=Contact, default=list)
    flown = models.ArrayReferenceField(to=Flight, on_delete=models.CASCADE)

    objects = models.DjongoManager()


class Booking(models.Model):
    passenger = models.ForeignKey(Passenger, on_delete=models.CASCADE)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    manual = models.FileField(upload_to="booked", storage=manuals, blank=True)
    friend = models.GenericObjectIdField(null=True)
