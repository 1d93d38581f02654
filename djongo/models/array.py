"""ArrayField: a list as the value of a field, of documents or of plain values.

    authors = models.ArrayField(model_container=Author)
    tags = models.ArrayField(base_field=models.CharField(max_length=20), max_size=10)
    grid = models.ArrayField(models.ArrayField(models.IntegerField()))

On an instance it is a list; one of documents makes container instances of the dicts that are put into it. `size` is the exact number of elements, `max_size` the
largest. `unique=True` on the base field, or on a field of the container, is: unique within the array.
"""

import copy

from django.core import checks
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from . import paths
from .document import StoredArray, check_depth, path_error, plain, reader, run_pre_save, to_plain_stored, to_stored
from .embedded import ContainerField, EmbeddedField


class ArrayValue(list):
    """A list whose elements are documents or lists themselves: dicts put into it become instances of the container."""

    def __init__(self, items=(), make=lambda item: item):
        self._make = make
        super().__init__(map(make, items))

    @classmethod
    def of(cls, items, make):
        """Of items that are what they should be."""
        self = cls()
        list.extend(self, items)
        self._make = make
        return self

    def __setitem__(self, index, value):
        super().__setitem__(index, [self._make(one) for one in value] if isinstance(index, slice) else self._make(value))

    def append(self, value):
        super().append(self._make(value))

    def insert(self, index, value):
        super().insert(index, self._make(value))

    def extend(self, values):
        super().extend([self._make(value) for value in values])

    def __iadd__(self, values):
        self.extend(values)
        return self

    def __reduce_ex__(self, protocol):
        # A plain list: the field makes it one of these again.
        return list, (list(self),)


class ArrayField(ContainerField):
    """A list of documents (model_container), or of values of one kind (base_field), or of anything."""

    description = _("Array")
    empty_values = [None, "", [], ()]
    default_error_messages = {
        "invalid": _("A list is needed here, not a value of type %(type)s."),
        "size": _("There must be exactly %(limit)d elements, not %(count)d."),
        "max_size": _("There may be at most %(limit)d elements, not %(count)d."),
        "unique": _("The value occurs more than once in the array."),
    }

    def __init__(
        self, model_container=None, model_form_class=None, model_form_kwargs=None, *args,
        base_field=None, size=None, max_size=None, embedded_model=None, model_form_kwargs_l=None, **kwargs,
    ):  # fmt: skip
        if isinstance(model_container, models.Field):
            model_container, base_field = None, model_container
        if embedded_model is not None:
            model_container = embedded_model
        if model_container is not None and base_field is not None:
            raise ValidationError("ArrayField takes a model_container or a base_field, not both.")
        if isinstance(model_container, list):
            model_container = tuple(model_container)
        self.model_container = model_container
        self.model_form_class = model_form_class
        self.model_form_kwargs = model_form_kwargs or model_form_kwargs_l or {}
        self.size, self.max_size = size, max_size
        self._base_given = base_field
        if model_container is not None:
            base_field = EmbeddedField(model_container, model_form_class, self.model_form_kwargs)
        self.base_field = base_field
        super().__init__(*args, **kwargs)

    @property
    def holds_documents(self):
        return isinstance(self.base_field, EmbeddedField)

    @property
    def container(self):
        return self.base_field.container

    @property
    def containers(self):
        return self.base_field.containers

    def contribute_to_class(self, cls, name, private_only=False):
        super().contribute_to_class(cls, name, private_only=private_only)
        self._own(cls, name)

    def _own(self, cls, name):
        """Gives the base field, a copy for this class, the name that its errors and lookups go by."""
        if self.base_field is not None:
            self.base_field = copy.deepcopy(self.base_field)
            self.base_field.set_attributes_from_name(name)
            self.base_field.model = cls
            if isinstance(self.base_field, ArrayField):
                self.base_field._own(cls, name)

    def get_internal_type(self):
        return "ArrayField"

    def db_type(self, connection):
        base = self.base_field
        if base is not None and not isinstance(base, (ContainerField, models.JSONField)) and "ArrayField" in connection.data_types:
            inner = base.db_type(connection)
            if inner:
                return f"{inner}[]"
        return super().db_type(connection)

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        if self.model_container is not None:
            kwargs["model_container"] = self.model_container
        if self._base_given is not None:
            kwargs["base_field"] = self._base_given.clone()
        for option in ("model_form_class", "size", "max_size"):
            if getattr(self, option) is not None:
                kwargs[option] = getattr(self, option)
        if self.model_form_kwargs:
            kwargs["model_form_kwargs"] = self.model_form_kwargs
        return name, path, args, kwargs

    def check(self, **kwargs):
        errors = super().check(**kwargs)
        if self._base_given is not None:
            if self._base_given.remote_field:
                errors.append(
                    checks.Error(
                        "The base field of an array can't be a relation.",
                        hint="ArrayReferenceField is an array of references.",
                        obj=self, id="djongo.E003",
                    )
                )  # fmt: skip
            else:
                errors += [
                    checks.Error(f"Base field for array has errors:\n    {error.msg} ({error.id})", obj=self, id="djongo.E004")
                    for error in self.base_field.check()
                    if error.is_serious() and error.id not in ("fields.E001", "fields.E008")
                ]
        elif self.base_field is not None:
            errors += self.base_field.check()
        if self.has_default() and self.default is not None and not callable(self.default):
            errors.append(
                checks.Warning(
                    "ArrayField default should be a callable instead of an instance so that it's not shared between all field instances.",
                    hint="Use a callable instead, e.g., use `list` instead of `[]`.", obj=self, id="fields.E010",
                )
            )  # fmt: skip
        return errors

    # -- queries

    def get_lookup(self, name):
        return paths.array_lookup(self, name)

    def get_transform(self, name):
        return paths.array_transform(self, name)

    # -- values

    def make(self, value):
        if type(value) is ArrayValue or value is None:
            return value
        if type(value) is StoredArray:
            return self.from_stored(value)
        if isinstance(value, (list, tuple)):
            if isinstance(self.base_field, ContainerField):
                return ArrayValue(value, self.base_field.make)
            return value if type(value) is list else list(value)
        return value

    def from_stored(self, value):
        if type(value) is not StoredArray and not isinstance(value, (list, tuple)):
            return value
        base = self.base_field
        if base is None:
            return plain(value)
        read = self.__dict__.get("_read")
        if read is None:
            read = self._read = reader(base) or _as_it_is
        if read is _as_it_is:
            return value.decode() if type(value) is StoredArray else list(value)
        items = [None if item is None else read(item) for item in value]
        return ArrayValue.of(items, base.make) if isinstance(base, ContainerField) else items

    def to_python(self, value):
        if value is None:
            return value
        if isinstance(value, str):
            value = self.parse(value)
            if value is None:
                return None
        if not isinstance(value, (list, tuple)):
            raise self.wrong_type(value)
        if self.base_field is None:
            return list(value)
        items, errors = [], []
        for index, item in enumerate(value):
            try:
                items.append(self.base_field.to_python(item))
            except ValidationError as error:
                errors += path_error(str(index), error)
        if errors:
            raise ValidationError(errors)
        return ArrayValue(items, self.base_field.make) if isinstance(self.base_field, ContainerField) else items

    def check_size(self, value):
        count = len(value)
        if self.size is not None and count != self.size:
            raise ValidationError(self.error_messages["size"], code="size", params={"limit": self.size, "count": count})
        if self.max_size is not None and count > self.max_size:
            raise ValidationError(self.error_messages["max_size"], code="max_size", params={"limit": self.max_size, "count": count})

    def check_unique(self, value):
        """Raises for what may occur once in the array and doesn't."""
        base, errors = self.base_field, []
        if base is None:
            return
        if base.unique and not self.holds_documents:
            errors += self._repeated((str(index), item) for index, item in enumerate(value))
        if self.holds_documents:
            for container in base.containers:
                for field in container._meta.concrete_fields:
                    if field.unique and not field.primary_key:
                        errors += self._repeated(
                            (f"{index}.{field.name}", getattr(item, field.attname)) for index, item in enumerate(value) if isinstance(item, container)
                        )
        if errors:
            raise ValidationError(errors)

    def _repeated(self, pairs):
        seen = []
        for path, item in pairs:
            if item is None:
                continue
            if item in seen:
                yield from path_error(path, ValidationError(self.error_messages["unique"], code="unique"))
            seen.append(item)

    def clean_inside(self, value):
        self.check_size(value)
        errors = []
        if self.base_field is not None:
            for index, item in enumerate(value):
                try:
                    cleaned = self.base_field.clean(item, None)
                except ValidationError as error:
                    errors += path_error(str(index), error)
                else:
                    list.__setitem__(value, index, cleaned)
        if errors:
            raise ValidationError(errors)
        self.check_unique(value)

    def pre_save(self, model_instance, add):
        value = super().pre_save(model_instance, add)
        if isinstance(self.base_field, ContainerField):
            run_pre_save(value, add)
        return value

    def to_stored(self, value, connection, depth):
        check_depth(depth)
        value = self.to_python(value)
        if value is None:
            return None
        if self.base_field is None:
            return to_plain_stored(value, connection, depth)
        self.check_size(value)
        items, errors = [], []
        for index, item in enumerate(value):
            try:
                items.append(to_stored(self.base_field, item, connection, depth))
            except ValidationError as error:
                errors += path_error(str(index), error)
        if errors:
            raise ValidationError(errors)
        self.check_unique(value)
        return items

    def formfield(self, **kwargs):
        from .formfields import array_form_field

        return array_form_field(self, **kwargs)


def _as_it_is(value):
    return value


# djongo before 1.3.
class ArrayModelField(ArrayField):
    pass


# The official backend's names.
class EmbeddedModelArrayField(ArrayField):
    pass


class PolymorphicEmbeddedModelArrayField(ArrayField):
    def __init__(self, embedded_models=None, *args, **kwargs):
        super().__init__(kwargs.pop("model_container", embedded_models), *args, **kwargs)
