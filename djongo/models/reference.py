"""ArrayReferenceField: a many-to-many relation kept as an array of keys in the document that has the field.

    class Entry(models.Model):
        authors = models.ArrayReferenceField(to=Author, on_delete=models.CASCADE)

stores `authors_id: [key, ...]` and has all that a ManyToManyField has: managers on both sides, prefetch_related, lookups, forms, signals. For Django it is one,
whose intermediate table is not there: the compiler (djongo/compiler.py) reads the rows (entry, author) off the arrays, and writes and deletes them in the arrays.

Deleting what is referred to takes its key out of the arrays and never deletes who refers to it, whatever on_delete says of rows; PROTECT and RESTRICT forbid
the deletion as usual, and DO_NOTHING leaves the key where it is.
"""

from django.db import models
from django.db.models.fields.related import ForeignKey, ManyToManyField, lazy_related_operation, resolve_relation
from django.db.models.utils import make_model_tuple

from djongo.arrays import ArrayTable, array_tables

from .base import DjongoField


class ArrayReferenceField(DjongoField, ManyToManyField):
    """A many-to-many relation without a table of its own."""

    def __init__(
        self, to, on_delete=None, related_name=None, related_query_name=None, limit_choices_to=None, parent_link=False, to_field=None, db_constraint=True, **kwargs
    ):  # fmt: skip
        self.on_delete, self.to_field, self.array_column = on_delete, to_field, kwargs.pop("db_column", None)
        # A null array and an empty one are the same relation.
        kwargs.pop("null", None)
        kwargs.setdefault("symmetrical", False)
        super().__init__(to, related_name, related_query_name, limit_choices_to, db_constraint=db_constraint, **kwargs)

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        for option, value in (("on_delete", self.on_delete), ("to_field", self.to_field), ("db_column", self.array_column)):
            if value is not None:
                kwargs[option] = value
        return name, path, args, kwargs

    def check(self, **kwargs):
        # The array is not a table that another model could stand for.
        return [message for message in super().check(**kwargs) if message.id not in ("fields.W340", "fields.W343")]

    def contribute_to_class(self, cls, name, **kwargs):
        self.set_attributes_from_name(name)
        self.model = cls
        if not cls._meta.abstract and not cls._meta.swapped and self.remote_field.through is None:
            self.remote_field.through = make_through(self, cls, name)
        if "through" not in self.__dict__ and self.remote_field.through is not None and not hasattr(cls, f"{name}_id"):
            setattr(cls, f"{name}_id", KeysAttribute(name))
        super().contribute_to_class(cls, name, **kwargs)

    @property
    def keys_column(self):
        return self.array_column or f"{self.name}_id"


class KeysAttribute:
    """`entry.authors_id`: the set of keys."""

    def __init__(self, name):
        self.name = name

    def __get__(self, instance, cls=None):
        if instance is None:
            return self
        through = getattr(instance, self.name)
        return set(through.values_list(through.target_field.target_field.attname, flat=True))


def make_through(field, cls, name):
    """The model of the rows (owner, target), as Django makes one for a many-to-many relation; its table stands in array_tables."""
    to = resolve_relation(cls, field.remote_field.model)
    table = field._get_m2m_db_table(cls._meta)

    def set_managed(model, related, through):
        through._meta.managed = model._meta.managed or related._meta.managed

    through_name = f"{cls._meta.object_name}_{name}"
    lazy_related_operation(set_managed, cls, to, through_name)
    target = make_model_tuple(to)[1]
    source = cls._meta.model_name
    if target == source:
        target, source = f"to_{target}", f"from_{source}"
    on_delete = field.on_delete if field.on_delete in (models.PROTECT, models.RESTRICT, models.DO_NOTHING) else models.CASCADE
    meta = type(
        "Meta", (),
        {
            "db_table": table, "auto_created": cls, "app_label": cls._meta.app_label, "unique_together": (source, target), "apps": cls._meta.apps,
            "verbose_name": f"{source}-{target} relationship", "verbose_name_plural": f"{source}-{target} relationships",
        },
    )  # fmt: skip
    through = type(
        through_name, (models.Model,),
        {
            "Meta": meta, "__module__": cls.__module__,
            "id": models.CharField(max_length=255, primary_key=True),
            source: ForeignKey(cls, models.CASCADE, related_name=f"{through_name}+", db_constraint=False, db_index=False),
            target: ForeignKey(to, on_delete, related_name=f"{through_name}+", db_constraint=False, db_index=False, to_field=field.to_field),
        },
    )  # fmt: skip
    array_tables[table] = through._meta.array_table = ArrayTable(through, source, target, field)
    return through
