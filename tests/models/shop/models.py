from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator

from djongo import models


# The models of djongo's documentation.
class Tagline(models.Model):
    title = models.CharField(max_length=100)
    subtitle = models.CharField(max_length=100, blank=True)

    class Meta:
        abstract = True


class Blog(models.Model):
    name = models.CharField(max_length=100)
    tagline = models.EmbeddedField(model_container=Tagline, null=True, blank=True)

    class Meta:
        abstract = True

    def clean(self):
        if self.name == "forbidden":
            raise ValidationError({"name": "Not this one."})

    def shout(self):
        return self.name.upper()


class Author(models.Model):
    name = models.CharField(max_length=200)
    email = models.EmailField(unique=True, null=True, blank=True)
    born = models.DateField(null=True, blank=True)
    rating = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    books = models.ArrayField(base_field=models.CharField(max_length=50), null=True, blank=True)

    class Meta:
        abstract = True


class Entry(models.Model):
    _id = models.ObjectIdField()
    headline = models.CharField(max_length=255)
    blog = models.EmbeddedField(model_container=Blog, null=True, blank=True)
    authors = models.ArrayField(model_container=Author, null=True, blank=True)
    tags = models.ArrayField(base_field=models.CharField(max_length=20), null=True, blank=True)
    scores = models.ArrayField(models.DecimalField(max_digits=6, decimal_places=2), null=True, blank=True, max_size=5)
    data = models.JSONField(null=True, blank=True)
    published = models.DateTimeField(null=True, blank=True)

    def __str__(self):
        return self.headline


class Place(models.EmbeddedModel):
    country = models.CharField(max_length=2)
    point = models.ArrayField(models.FloatField(), size=2, null=True, blank=True)


class Visit(models.EmbeddedModel):
    place = models.EmbeddedField(Place)
    at = models.DateTimeField(auto_now=True)
    by = models.ForeignKey("shop.Person", models.CASCADE, null=True, blank=True, related_name="visits")
    nights = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)])
    kind = models.CharField(max_length=1, choices=[("h", "hotel"), ("c", "camping")], default="h")


class Tour(models.Model):
    """Containers within containers, several array levels."""

    name = models.CharField(max_length=50)
    home = models.EmbeddedField(Place, null=True, blank=True)
    visits = models.ArrayField(Visit, default=list, blank=True)
    grid = models.ArrayField(models.ArrayField(models.IntegerField()), null=True, blank=True)


class Animal(models.EmbeddedModel):
    name = models.CharField(max_length=20)


class Dog(Animal):
    barks = models.BooleanField(default=True)


class Cat(Animal):
    lives = models.IntegerField(default=9)


class Owner(models.Model):
    name = models.CharField(max_length=20)
    pet = models.EmbeddedField((Dog, Cat), null=True, blank=True)
    pets = models.ArrayField((Dog, Cat), default=list, blank=True)


class Comment(models.EmbeddedModel):
    text = models.CharField(max_length=100)
    replies = models.ArrayField("self", default=list, blank=True)


class Every(models.EmbeddedModel):
    """One field of every kind."""

    boolean = models.BooleanField(null=True)
    binary = models.BinaryField(null=True, editable=True)
    char = models.CharField(max_length=10, null=True)
    date = models.DateField(null=True)
    datetime = models.DateTimeField(null=True)
    decimal = models.DecimalField(max_digits=8, decimal_places=3, null=True)
    duration = models.DurationField(null=True)
    email = models.EmailField(null=True)
    file = models.FileField(null=True)
    floating = models.FloatField(null=True)
    ip = models.GenericIPAddressField(null=True)
    integer = models.IntegerField(null=True)
    big = models.BigIntegerField(null=True)
    json = models.JSONField(null=True)
    slug = models.SlugField(null=True)
    text = models.TextField(null=True)
    time = models.TimeField(null=True)
    url = models.URLField(null=True)
    uuid = models.UUIDField(null=True)
    oid = models.GenericObjectIdField(null=True)


class Holder(models.Model):
    every = models.EmbeddedField(Every, null=True)
    thread = models.EmbeddedField(Comment, null=True)
    list = models.ListField(null=True)
    dict = models.DictField(null=True)


class Plain(models.Model):
    """A model with a table that serves as a container as well."""

    word = models.CharField(max_length=10)


class PlainHolder(models.Model):
    plain = models.EmbeddedField(Plain)


class Node(models.Model):
    """Keys: the default one, one given, and references to both."""

    name = models.CharField(max_length=20)
    other = models.GenericObjectIdField(null=True, blank=True)
    entry = models.ForeignKey(Entry, models.CASCADE, null=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True)
    friends = models.ManyToManyField("self", symmetrical=False)


class Writer(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self):
        return self.name


class Article(models.Model):
    title = models.CharField(max_length=20)
    writers = models.ArrayReferenceField(to=Writer, on_delete=models.CASCADE)
    readers = models.ArrayReferenceField(Writer, related_name="read")
    checked = models.ArrayReferenceField(Writer, on_delete=models.PROTECT, related_name="+", blank=True)
    related = models.ArrayReferenceField("self", related_name="related_to", blank=True)

    class Meta:
        ordering = ["title"]


class People(BaseUserManager):
    def create_user(self, username, password=None):
        person = self.model(username=username)
        person.set_password(password)
        person.save()
        return person


class Person(AbstractBaseUser):
    """Users with ObjectIds as keys."""

    username = models.CharField(max_length=20, unique=True)
    USERNAME_FIELD = "username"
    is_staff = True
    objects = People()

    def __str__(self):
        return self.username

    def has_perm(self, permission, obj=None):
        return True

    def has_module_perms(self, app):
        return True


class Indexed(models.Model):
    word = models.CharField(max_length=10)
    blog = models.EmbeddedField(Blog, null=True, blank=True)
    authors = models.ArrayField(Author, default=list, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["blog.name"], name="indexed_name"),
            models.Index(fields=["-authors.email", "word"], name="indexed_authors"),
            models.Index(fields=["blog__tagline__title"]),
        ]
        constraints = [
            models.UniqueConstraint(fields=["blog.name", "word"], name="indexed_unique"),
            models.UniqueConstraint(fields=["authors.email"], name="indexed_emails"),
        ]
