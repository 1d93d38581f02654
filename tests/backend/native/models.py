from djongo import models


class Article(models.Model):
    title = models.CharField(max_length=100)
    body = models.TextField(default="")
    blog = models.JSONField(null=True)
    place = models.JSONField(null=True)
    seen = models.DateTimeField(null=True)
    views = models.IntegerField(default=0)

    class Meta:
        indexes = [
            models.CompoundIndex(fields=["title", "-blog.tagline"]),
            models.CompoundIndex(
                fields=["blog.name"], unique=True, partialFilterExpression=models.Q(views__gte=10), name="article_blog_name"
            ),
            models.CompoundIndex(fields=["body"], sparse=True, collation={"locale": "en", "strength": 2}, name="article_body_ci"),
            models.TextIndex(fields=["title", "body"], weights={"title": 5}, default_language="none", name="article_words"),
            models.WildcardIndex(fields=["blog"], name="article_anything"),
            models.TwoDSphereIndex(fields=["place", "views"], name="article_place"),
            models.HashedIndex(fields=["title"], name="article_hash"),
            models.TTLIndex(field="seen", expireAfterSeconds=3600, name="article_seen"),
        ]


class Line(models.Model):
    text = models.CharField(max_length=100)

    class Meta:
        constraints = [models.CollectionConstraint(capped=True, size=100_000, max=3)]


class Page(models.Model):
    number = models.IntegerField(db_index=True)
