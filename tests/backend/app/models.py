from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=50, unique=True)
    born = models.DateField(null=True)
    rating = models.FloatField(null=True)
    active = models.BooleanField(default=True)


class Book(models.Model):
    title = models.CharField(max_length=100, db_index=True)
    pages = models.PositiveIntegerField(default=0)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    published = models.DateTimeField(null=True)
    opens = models.TimeField(null=True)
    takes = models.DurationField(null=True)
    data = models.JSONField(null=True)
    key = models.UUIDField(null=True)
    ip = models.GenericIPAddressField(null=True)
    raw = models.BinaryField(null=True)
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    tags = models.ManyToManyField("Tag", related_name="books")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(pages__lt=100000) & ~models.Q(title__contains="%'"), name="book_sane"),
            models.UniqueConstraint(fields=["author", "title"], name="book_once"),
            models.UniqueConstraint(fields=["key"], condition=models.Q(pages__gt=0), name="book_key"),
        ]
        indexes = [models.Index(fields=["author", "-published"], name="book_recent")]
        db_table_comment = "50% of everything"


class Tag(models.Model):
    word = models.SlugField(primary_key=True, max_length=30)
