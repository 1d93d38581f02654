"""The models of the benchmark: books of authors and publishers, with tags. Keys are integers on both backends, so that the rows are the same, and the column
is called _id, so that both have it as the document's key (else django-mongodb-backend makes a field of its own with an index that reads don't use)."""
from django.db import models


class Author(models.Model):
    id = models.IntegerField(primary_key=True, db_column="_id")
    name = models.CharField(max_length=50, db_index=True)
    country = models.CharField(max_length=2)

    class Meta:
        app_label = "bench"


class Publisher(models.Model):
    id = models.IntegerField(primary_key=True, db_column="_id")
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "bench"


class Tag(models.Model):
    id = models.IntegerField(primary_key=True, db_column="_id")
    name = models.CharField(max_length=20, db_index=True)

    class Meta:
        app_label = "bench"


class Book(models.Model):
    id = models.IntegerField(primary_key=True, db_column="_id")
    title = models.CharField(max_length=80)
    pages = models.IntegerField(db_index=True)
    author = models.ForeignKey(Author, models.CASCADE)
    publisher = models.ForeignKey(Publisher, models.CASCADE)
    tags = models.ManyToManyField(Tag, through="BookTag")

    class Meta:
        app_label = "bench"


class BookTag(models.Model):
    id = models.IntegerField(primary_key=True, db_column="_id")
    book = models.ForeignKey(Book, models.CASCADE)
    tag = models.ForeignKey(Tag, models.CASCADE)

    class Meta:
        app_label = "bench"
