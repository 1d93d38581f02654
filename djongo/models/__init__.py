"""`from djongo import models`: everything of django.db.models."""

from django.db.models import *  # noqa: F403
from django.db.models import __all__ as _django_all

from .constraints import CollectionConstraint
from .indexes import *  # noqa: F403
from .indexes import __all__ as _indexes_all

__all__ = [*_django_all, *_indexes_all, "CollectionConstraint"]
