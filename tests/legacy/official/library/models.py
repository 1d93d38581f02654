"""Models for the official backend."""
from django.db import models
from django_mongodb_backend.fields import ArrayField, EmbeddedModelArrayField, EmbeddedModelField, ObjectIdField
from django_mongodb_backend.models import EmbeddedModel


class Address(EmbeddedModel):
    city = models.CharField(max_length=20)
    since = models.DateField(null=True)


class Award(EmbeddedModel):
    name = models.CharField(max_length=20)
    amount = models.DecimalField(max_digits=8, decimal_places=2)


class Author(models.Model):
    name = models.CharField(max_length=20, unique=True)
    address = EmbeddedModelField(Address, null=True)
    awards = EmbeddedModelArrayField(Award, null=True)
    nicknames = ArrayField(models.CharField(max_length=10), null=True)


class Book(models.Model):
    author = models.ForeignKey(Author, models.CASCADE, null=True)
    title = models.CharField(max_length=30, db_index=True)
    price = models.DecimalField(max_digits=6, decimal_places=2, null=True)
    printed = models.DateField(null=True)
    added = models.DateTimeField()
    opens = models.TimeField(null=True)
    length = models.DurationField(null=True)
    code = models.UUIDField(null=True)
    score = models.FloatField(null=True)
    pages = models.BigIntegerField(default=0)
    sold = models.BooleanField(default=False)
    cover = models.BinaryField(null=True)
    data = models.JSONField(null=True)
    reference = ObjectIdField(null=True)
    genres = models.ManyToManyField("Genre")


class Genre(models.Model):
    name = models.CharField(max_length=20, primary_key=True)
