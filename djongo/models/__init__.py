"""`from djongo import models`: everything of django.db.models."""

from django.db.models import *  # noqa: F403
from django.db.models import __all__ as _django_all

__all__ = list(_django_all)
