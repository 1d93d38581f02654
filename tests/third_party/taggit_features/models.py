"""Models tagged in each of the ways that django-taggit offers."""
import uuid

from django.db import models
from taggit.managers import TaggableManager
from taggit.models import CommonGenericTaggedItemBase, GenericUUIDTaggedItemBase, ItemBase, TagBase, TaggedItemBase


class Food(models.Model):
    name = models.CharField(max_length=50)
    tags = TaggableManager()

    def __str__(self):
        return self.name


class Fruit(Food):
    sweet = models.BooleanField(default=False)


class Drink(models.Model):
    name = models.CharField(max_length=50)
    tags = TaggableManager(blank=True)


class DirectTag(TaggedItemBase):
    content_object = models.ForeignKey("DirectFood", on_delete=models.CASCADE)


class DirectFood(models.Model):
    name = models.CharField(max_length=50)
    tags = TaggableManager(through=DirectTag)


class Label(TagBase):
    colour = models.CharField(max_length=20, default="red")


class LabelledThing(ItemBase):
    tag = models.ForeignKey(Label, on_delete=models.CASCADE, related_name="things")
    content_object = models.ForeignKey("Thing", on_delete=models.CASCADE)


class Thing(models.Model):
    name = models.CharField(max_length=50)
    labels = TaggableManager(through=LabelledThing)


class UUIDItem(GenericUUIDTaggedItemBase, TaggedItemBase):
    pass


class UUIDFood(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=50)
    tags = TaggableManager(through=UUIDItem)


class TextItem(CommonGenericTaggedItemBase, TaggedItemBase):
    object_id = models.CharField(max_length=50, db_index=True)


class CodeFood(models.Model):
    code = models.CharField(primary_key=True, max_length=50)
    tags = TaggableManager(through=TextItem)

