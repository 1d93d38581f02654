from djongo import models


class Tagline(models.Model):
    title = models.CharField(max_length=100)
    subtitle = models.CharField(max_length=100, blank=True)

    class Meta:
        abstract = True


class Blog(models.EmbeddedModel):
    name = models.CharField(max_length=100)
    tagline = models.EmbeddedField(Tagline, null=True, blank=True)


class Author(models.EmbeddedModel):
    name = models.CharField(max_length=100)
    email = models.EmailField(blank=True)
    born = models.DateField(null=True, blank=True)


class Tag(models.Model):
    word = models.CharField(max_length=20)


class Entry(models.Model):
    _id = models.ObjectIdField()
    headline = models.CharField(max_length=200)
    blog = models.EmbeddedField(model_container=Blog)
    authors = models.ArrayField(model_container=Author, default=list, blank=True)
    words = models.ArrayField(base_field=models.CharField(max_length=20), max_size=10, default=list, blank=True)
    ratings = models.ArrayField(models.IntegerField(), null=True, blank=True)
    visits = models.JSONField(default=dict, blank=True)
    tags = models.ArrayReferenceField(to=Tag, on_delete=models.CASCADE, blank=True)
