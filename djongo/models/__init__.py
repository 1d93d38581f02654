"""`from djongo import models`: everything of django.db.models, and what MongoDB adds."""

from django.db.models import *  # noqa: F403
from django.db.models import __all__ as _django_all

from .array import ArrayField, ArrayModelField, EmbeddedModelArrayField, PolymorphicEmbeddedModelArrayField
from .base import EmbeddedModel, Model
from .constraints import CollectionConstraint
from .embedded import EmbeddedField, EmbeddedModelField, PolymorphicEmbeddedModelField
from .expressions import AddToSet, ElemMatch, Increment, Pull, Push, PushFront, Set
from .indexes import CompoundIndex, HashedIndex, TextIndex, TTLIndex, TwoDSphereIndex, WildcardIndex
from .inner_indexes import Index, UniqueConstraint
from .json import DictField, JSONField, ListField
from .lookups import Near
from .manager import DjongoManager, DjongoQuerySet
from .objectid import GenericObjectIdField, ObjectIdAutoField, ObjectIdField
from .reference import ArrayReferenceField

__all__ = [
    *_django_all,
    "AddToSet",
    "ArrayField",
    "ArrayModelField",
    "ArrayReferenceField",
    "CollectionConstraint",
    "CompoundIndex",
    "DictField",
    "DjongoManager",
    "DjongoQuerySet",
    "ElemMatch",
    "EmbeddedField",
    "EmbeddedModel",
    "EmbeddedModelArrayField",
    "EmbeddedModelField",
    "GenericObjectIdField",
    "HashedIndex",
    "Increment",
    "JSONField",
    "ListField",
    "Model",
    "Near",
    "ObjectIdAutoField",
    "ObjectIdField",
    "PolymorphicEmbeddedModelArrayField",
    "PolymorphicEmbeddedModelField",
    "Pull",
    "Push",
    "PushFront",
    "Set",
    "TextIndex",
    "TTLIndex",
    "TwoDSphereIndex",
    "WildcardIndex",
]


def __getattr__(name):
    # `from djongo.models import forms`, as djongo before 1.3 had it; not on import, forms need models.
    if name == "forms":
        import djongo.forms

        return djongo.forms
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
