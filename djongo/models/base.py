"""djongo's Model, what djongo's fields share, and the private registry in which containers are real models.

`models.Model` is Django's with two additions: `objects` is a DjongoManager unless a model says otherwise, and an abstract model can be
called (Django forbids it since 3.2): what comes out is a value of the container class that document.py makes of it.
"""

from functools import partial

from django.apps import apps as django_apps
from django.apps.registry import Apps
from django.db import models
from django.db.models.base import ModelBase

from .manager import DjongoManager

# Begins the registered names of container classes, so that none is ever taken for a model of the project.
CONTAINER_PREFIX = "djongo container "


class DjongoField:
    """Migrations name djongo's fields as they always did, whichever module of the package they live in."""

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        if path.startswith("djongo.models."):
            path = f"djongo.models.fields.{path.rpartition('.')[2]}"
        return name, path, args, kwargs


class Model(models.Model):
    objects = DjongoManager()

    class Meta:
        abstract = True

    def __new__(cls, *args, **kwargs):
        if cls._meta.abstract:
            from .document import container_class

            cls = container_class(cls)
        return super().__new__(cls)


class EmbeddedModelBase(ModelBase):
    def __new__(mcs, name, bases, attrs, **kwargs):
        if not attrs.get("is_container_class"):
            given = attrs.get("Meta")
            attrs["Meta"] = type("Meta", (given,) if given else (), {"abstract": True})
        return super().__new__(mcs, name, bases, attrs, **kwargs)


class EmbeddedModel(Model, metaclass=EmbeddedModelBase):
    """A base for models that are only ever containers: abstract by themselves, without `class Meta`, and without a manager to be misled by."""

    objects = None


class ContainerApps(Apps):
    """Holds the container classes. They relate to models of the project, but are not among its models: no tables, no migrations, no reverse accessors."""

    def lazy_model_operation(self, function, *model_keys):
        """What waits for a model of the project waits in the project's registry."""
        if not model_keys:
            function()
            return
        first, *rest = model_keys
        if first[1].startswith(CONTAINER_PREFIX):
            super().lazy_model_operation(partial(self._went_on, function, rest), first)
        else:
            django_apps.lazy_model_operation(partial(self._went_on, function, rest), first)

    def _went_on(self, function, rest, model):
        self.lazy_model_operation(partial(function, model), *rest)


container_apps = ContainerApps()
