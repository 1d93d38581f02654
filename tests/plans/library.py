"""The models of the library."""
from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=50, db_index=True)
    country = models.CharField(max_length=2)

    class Meta:
        app_label = "library"


class Publisher(models.Model):
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "library"


class Tag(models.Model):
    name = models.CharField(max_length=20, db_index=True)

    class Meta:
        app_label = "library"


class Book(models.Model):
    title = models.CharField(max_length=80)
    pages = models.IntegerField(db_index=True)
    author = models.ForeignKey(Author, models.CASCADE)
    editor = models.ForeignKey(Author, models.SET_NULL, null=True, related_name="edited")
    publisher = models.ForeignKey(Publisher, models.CASCADE)
    tags = models.ManyToManyField(Tag)

    class Meta:
        app_label = "library"


ALL = [Author, Publisher, Tag, Book]
