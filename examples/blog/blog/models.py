"""One entry is one document: its blog, its facts, its authors with their books, its tags.

    {_id: ObjectId, headline: "..", blog: {name, tagline}, meta: {published, rating, category_id},
     authors: [{name, email, books: [{title, year}]}], tags: ["..."], extra: {...}, topics_id: [ObjectId, ...]}
"""
from django.core.validators import MaxValueValidator, MinValueValidator
from djongo import models


class Category(models.Model):
    name = models.CharField(max_length=50, unique=True)

    class Meta:
        verbose_name_plural = "categories"

    def __str__(self):
        return self.name


class Topic(models.Model):
    name = models.CharField(max_length=50, unique=True)

    def __str__(self):
        return self.name


class Blog(models.Model):
    name = models.CharField(max_length=100)
    tagline = models.CharField(max_length=200, blank=True)

    class Meta:
        abstract = True

    def __str__(self):
        return self.name


class MetaData(models.Model):
    published = models.DateField()
    rating = models.IntegerField(default=3, validators=[MinValueValidator(1), MaxValueValidator(5)])
    category = models.ForeignKey(Category, models.SET_NULL, null=True, blank=True)

    class Meta:
        abstract = True


class Book(models.Model):
    title = models.CharField(max_length=100)
    year = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self):
        return self.title


class Author(models.Model):
    name = models.CharField(max_length=100)
    email = models.EmailField()
    books = models.ArrayField(model_container=Book, default=list, blank=True)

    class Meta:
        abstract = True

    def __str__(self):
        return self.name


class Entry(models.Model):
    headline = models.CharField(max_length=255)
    body_text = models.TextField(blank=True)
    blog = models.EmbeddedField(model_container=Blog)
    meta = models.EmbeddedField(model_container=MetaData, null=True, blank=True)
    authors = models.ArrayField(model_container=Author, default=list, blank=True)
    tags = models.ArrayField(base_field=models.CharField(max_length=30), default=list, blank=True)
    extra = models.JSONField(null=True, blank=True)
    topics = models.ArrayReferenceField(to=Topic, blank=True)

    class Meta:
        verbose_name_plural = "entries"
        ordering = ["headline"]

    def __str__(self):
        return self.headline
