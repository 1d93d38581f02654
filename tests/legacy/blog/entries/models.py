from djongo import models


class Tagline(models.EmbeddedModel):
    title = models.CharField(max_length=20)
    subtitle = models.CharField(max_length=20, blank=True)


class Author(models.Model):
    name = models.CharField(max_length=20, unique=True)
    email = models.EmailField(null=True, unique=True)


class Entry(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    headline = models.CharField(max_length=20)
    rating = models.PositiveSmallIntegerField(default=3)
    tagline = models.EmbeddedField(model_container=Tagline, null=True)
    tags = models.ManyToManyField("Tag")

    class Meta:
        indexes = [models.Index(fields=["headline"], name="by_headline")]


class Tag(models.Model):
    word = models.CharField(max_length=10, primary_key=True)
