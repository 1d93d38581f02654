"""The models that generate_orm.py asks about: nullable keys everywhere, a self-reference, two ways from Book to Author, many-to-many with and without a
table of its own in between."""
from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=20, null=True)
    score = models.IntegerField(null=True)
    rating = models.FloatField(null=True)
    active = models.BooleanField(default=True)
    born = models.DateField(null=True)
    boss = models.ForeignKey("self", models.SET_NULL, null=True, related_name="minions")


class Tag(models.Model):
    word = models.CharField(max_length=20, unique=True)
    weight = models.IntegerField(null=True)
    near = models.ManyToManyField("self")


class Book(models.Model):
    title = models.CharField(max_length=20)
    pages = models.IntegerField(null=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    published = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    data = models.JSONField(null=True)
    author = models.ForeignKey(Author, models.CASCADE, null=True, related_name="books")
    editor = models.ForeignKey(Author, models.SET_NULL, null=True, related_name="edited")
    tags = models.ManyToManyField(Tag, related_name="books")


class Review(models.Model):
    book = models.ForeignKey(Book, models.CASCADE, null=True, related_name="reviews")
    by = models.ForeignKey(Author, models.CASCADE, related_name="reviews")
    stars = models.IntegerField()
    text = models.TextField(blank=True)
    good = models.BooleanField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["book", "by"], name="one_review")]
