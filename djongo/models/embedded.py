"""EmbeddedField: one document as the value of a field, described by a model.

    class Entry(models.Model):
        blog = models.EmbeddedField(model_container=Blog, null=True)

The value is an instance of the container's class (document.py); a dict may be given wherever one is expected. With several containers,
`EmbeddedField(model_container=(Dog, Cat))`, the stored document says under "_label" which one it is, as "app.Dog".
"""

import json
from collections.abc import Mapping

from django.core import checks
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.query_utils import DeferredAttribute
from django.utils.functional import cached_property
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from . import paths
from .base import DjongoField
from .document import (
    ContainerValue,
    StoredDocument,
    check_levels,
    clean_container,
    container_class,
    check_depth,
    path_error,
    plain,
    run_pre_save,
    to_document,
    to_json,
)

LABEL = "_label"


class ContainerAttribute(DeferredAttribute):
    """The attribute of a field whose value is made when it is first looked at: of what was stored, or of what was set."""

    def __get__(self, instance, cls=None):
        if instance is None:
            return self
        data, name = instance.__dict__, self.field.attname
        try:
            value = data[name]
        except KeyError:
            value = super().__get__(instance, cls)
        made = self.field.make(value)
        if made is not value:
            data[name] = made
        return made

    def __set__(self, instance, value):
        instance.__dict__[self.field.attname] = value


class ContainerField(DjongoField, models.Field):
    """What EmbeddedField and ArrayField share: lazy values, JSON text, errors with paths."""

    descriptor_class = ContainerAttribute
    empty_strings_allowed = False
    # The compiler leaves the value to the attribute.
    is_lazy = True

    def make(self, value):
        """The value as it appears on an instance; whatever can't be one stays as it is, for validation to tell of."""
        raise NotImplementedError

    def from_stored(self, value):
        """The value of what was stored."""
        raise NotImplementedError

    def from_db_value(self, value, expression, connection):
        return self.from_stored(value)

    def parse(self, text):
        try:
            return json.loads(text)
        except ValueError:
            raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": text, "type": "str"}) from None

    def wrong_type(self, value):
        return ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value, "type": type(value).__name__})

    def clean(self, value, model_instance):
        try:
            if not isinstance(model_instance, ContainerValue) and model_instance is not None:
                check_levels(value)
            value = self.to_python(value)
            self.validate(value, model_instance)
            if value is not None:
                self.clean_inside(value)
            self.run_validators(value)
        except ValidationError as error:
            if isinstance(model_instance, ContainerValue) or model_instance is None:
                raise
            # The instance's own errors are told under the field's name anyway; those further inside with their whole path.
            errors = [one if not getattr(one, "path", "") else path_error(self.name, one)[0] for one in error.error_list]
            raise ValidationError(errors) from None
        return value

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        return value if value is None or hasattr(value, "resolve_expression") else self.to_python(value)

    def get_db_prep_value(self, value, connection, prepared=False):
        if value is None or hasattr(value, "resolve_expression"):
            return value
        try:
            return self.to_stored(value, connection, 0)
        except ValidationError as error:
            raise ValidationError(path_error(self.name or "", error)) from None

    def value_to_string(self, obj):
        value = self.value_from_object(obj)
        return None if value is None else json.dumps(to_json(value), ensure_ascii=False)

    def get_form_kwargs(self):
        return {"model_form_class": self.model_form_class, **(self.model_form_kwargs or {})}


class EmbeddedField(ContainerField):
    """One document inside another."""

    description = _("Embedded document")
    empty_values = [None, ""]
    default_error_messages = {
        "invalid": _("A dict or an instance of the container is needed here, not a value of type %(type)s."),
        "container": _("An instance of %(wanted)s is needed here, not of %(given)s."),
        "label": _("Which of %(wanted)s it is can't be told: an instance, or a dict with its label under “_label”, is needed."),
    }

    def __init__(self, model_container=None, model_form_class=None, model_form_kwargs=None, *args, embedded_model=None, **kwargs):
        self.model_container = embedded_model if model_container is None else model_container
        if isinstance(self.model_container, list):
            self.model_container = tuple(self.model_container)
        self.model_form_class = model_form_class
        self.model_form_kwargs = model_form_kwargs or {}
        super().__init__(*args, **kwargs)
        if not self.model_container:
            raise ValidationError("A container is needed: EmbeddedField(model_container=SomeModel).")
        for given in self._given:
            if isinstance(given, type) and issubclass(given, models.Model):
                check_container(given)
            elif not isinstance(given, str):
                raise ValidationError(f"A container must be a model, not {given!r}.")

    @property
    def _given(self):
        return self.model_container if isinstance(self.model_container, tuple) else (self.model_container,)

    @cached_property
    def containers(self):
        """The container classes."""
        return tuple(container_class(self._resolve(given)) for given in self._given)

    @property
    def container(self):
        """The container class of a field that has one only."""
        return self.containers[0]

    @cached_property
    def is_polymorphic(self):
        return isinstance(self.model_container, tuple) and len(self.model_container) > 1

    def _resolve(self, given):
        if given == "self":
            return getattr(self.model, "container_of", self.model)
        if isinstance(given, str):
            given = import_string(given)
            check_container(given)
        return given

    @cached_property
    def _labels(self):
        return {container.container_of._meta.label: container for container in self.containers}

    def get_internal_type(self):
        return "EmbeddedField"

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        kwargs["model_container"] = self.model_container
        if self.model_form_class is not None:
            kwargs["model_form_class"] = self.model_form_class
        if self.model_form_kwargs:
            kwargs["model_form_kwargs"] = self.model_form_kwargs
        return name, path, args, kwargs

    def check(self, **kwargs):
        errors = super().check(**kwargs)
        for container in self.containers:
            for field in container._meta.many_to_many:
                errors.append(
                    checks.Error(
                        f"The container {container.__name__} has the many-to-many field {field.name!r}: a document has no row for it to refer to.",
                        hint="Use an ArrayField of keys, or an ArrayReferenceField in the model that holds the document.",
                        obj=self, id="djongo.E001",
                    )
                )  # fmt: skip
            for field in container._meta.concrete_fields:
                if not field.primary_key and (field.db_index or field.unique) and not isinstance(field, models.ForeignKey):
                    errors.append(
                        checks.Warning(
                            f"The index that {container.__name__}.{field.name} asks for is not made: a container has no table.",
                            hint=f'Name the path in Meta of the model that holds it: models.Index(fields=["{self.name}.{field.column}"]) or models.UniqueConstraint.',
                            obj=self, id="djongo.W002",
                        )
                    )  # fmt: skip
        return errors

    # -- queries

    def get_lookup(self, name):
        return paths.embedded_lookup(self, name)

    def get_transform(self, name):
        return paths.document_transform(self, name)

    # -- values

    def make(self, value):
        if value is None or isinstance(value, ContainerValue):
            return value
        if type(value) is StoredDocument:
            return self.from_stored(value)
        if isinstance(value, (Mapping, models.Model)):
            try:
                return self._of_given(value)
            except ValidationError:
                return value
        return value

    def from_stored(self, value):
        if type(value) is not StoredDocument and (not isinstance(value, Mapping) or isinstance(value, ContainerValue)):
            return value
        if not self.is_polymorphic:
            return self.containers[0].from_document(value)
        container = self._labels.get(value.get(LABEL))
        if container is None:
            return plain(value)
        made = container.from_document(value)
        made._extras().pop(LABEL, None)
        return made

    def _of_given(self, value):
        """The instance that is meant by an instance or a dict."""
        if isinstance(value, ContainerValue):
            if not isinstance(value, self.containers):
                raise self._wrong_container(value)
            return value
        if isinstance(value, models.Model):
            for container in self.containers:
                if container._meta.concrete_model is value._meta.concrete_model:
                    return container.from_mapping({field.attname: getattr(value, field.attname) for field in value._meta.concrete_fields})
            raise self._wrong_container(value)
        if not self.is_polymorphic:
            return self.containers[0].from_mapping(value)
        if LABEL in value:
            container = self._labels.get(value[LABEL])
        else:
            fitting = [container for container in self.containers if all(key in container._layout.by_key for key in value)]
            container = fitting[0] if len(fitting) == 1 else None
        if container is None:
            raise ValidationError(self.error_messages["label"], code="label", params={"wanted": ", ".join(self._labels)})
        return container.from_mapping({key: value[key] for key in value if key != LABEL})

    def _wrong_container(self, value):
        wanted = ", ".join(container.__name__ for container in self.containers)
        return ValidationError(self.error_messages["container"], code="container", params={"wanted": wanted, "given": type(value).__name__})

    def to_python(self, value):
        if value is None:
            return value
        if isinstance(value, str):
            value = self.parse(value)
            if value is None:
                return None
        if not isinstance(value, (Mapping, models.Model)):
            raise self.wrong_type(value)
        return self._of_given(value)

    def clean_inside(self, value):
        errors = clean_container(value)
        if not errors:
            try:
                value.clean()
            except ValidationError as error:
                errors = path_error("", error)
        if errors:
            raise ValidationError(errors)

    def pre_save(self, model_instance, add):
        value = super().pre_save(model_instance, add)
        run_pre_save(value, add)
        return value

    def to_stored(self, value, connection, depth):
        check_depth(depth)
        value = self.to_python(value)
        if value is None:
            return None
        document = to_document(value, connection, depth)
        if self.is_polymorphic and isinstance(document, dict):
            document = {LABEL: type(value).container_of._meta.label, **document}
        return document

    def formfield(self, **kwargs):
        from .formfields import embedded_form_field

        return embedded_form_field(self, **kwargs)


def check_container(model):
    """What can be said of a container before any model that refers to it is complete."""
    for field in model._meta.local_fields:
        if isinstance(field, models.AutoField) and not field.auto_created:
            raise ValidationError(
                f"Field {model.__name__}.{field.name} cannot be of type {type(field).__name__}: nothing numbers documents inside a document."
            )


# djongo before 1.3, and the official backend.
class EmbeddedModelField(EmbeddedField):
    pass


class PolymorphicEmbeddedModelField(EmbeddedField):
    def __init__(self, embedded_models=None, *args, **kwargs):
        super().__init__(kwargs.pop("model_container", embedded_models), *args, **kwargs)
