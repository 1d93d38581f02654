"""`from djongo import models`: everything of django.db.models, and what MongoDB adds."""

from django.db.models import *  # noqa: F403
from django.db.models import __all__ as _django_all

from .array import ArrayField, ArrayModelField, EmbeddedModelArrayField
from .base import EmbeddedModel, Model
from .constraints import CollectionConstraint
from .embedded import EmbeddedField, EmbeddedModelField
from .indexes import CompoundIndex, HashedIndex, TextIndex, TTLIndex, TwoDSphereIndex, WildcardIndex
from .json import DictField, JSONField, ListField
from .expressions import AddToSet, ElemMatch, Increment, Pull, Push, PushFront, Set
from .manager import DjongoManager, DjongoQuerySet
from .objectid import GenericObjectIdField, ObjectIdAutoField, ObjectIdField
from .reference import ArrayReferenceField

__all__ = [
    *_django_all,
    "AddToSet",
    "Increment",
    "Pull",
    "Push",
    "PushFront",
    "Set",
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
    "JSONField",
    "ListField",
    "Model",
    "ObjectIdAutoField",
    "ObjectIdField",
    "TTLIndex",
    "TextIndex",
    "TwoDSphereIndex",
    "WildcardIndex",
]
