"""Trees in each of the ways that django-mptt offers."""
import uuid

from django.db import models
from mptt.fields import TreeForeignKey, TreeManyToManyField
from mptt.models import MPTTModel


class Category(MPTTModel):
    name = models.CharField(max_length=50)
    parent = TreeForeignKey("self", null=True, blank=True, related_name="children", on_delete=models.CASCADE)

    def __str__(self):
        return self.name


class Genre(MPTTModel):
    name = models.CharField(max_length=50, unique=True)
    parent = TreeForeignKey("self", null=True, blank=True, related_name="children", on_delete=models.CASCADE)

    class MPTTMeta:
        order_insertion_by = ["name"]


class Unit(MPTTModel):
    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=50)
    boss = TreeForeignKey("self", null=True, blank=True, related_name="below", on_delete=models.CASCADE)

    class MPTTMeta:
        parent_attr = "boss"
        left_attr = "lft_of"
        right_attr = "rght_of"
        level_attr = "depth"
        tree_id_attr = "tree"


class Product(models.Model):
    name = models.CharField(max_length=50)
    category = TreeForeignKey(Category, on_delete=models.CASCADE, related_name="products")
    genres = TreeManyToManyField(Genre, related_name="products")
