"""Values without a model: JSONField, ListField, DictField.

They are Django's JSONField by its lookups and its form, but keep what BSON keeps: dates, ObjectIds, decimals, bytes are stored and come back as
such, because nothing passes through JSON text. None is stored as NULL where the field allows it.
"""

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from .base import DjongoField
from .document import check_depth, plain, to_json


class JSONField(DjongoField, models.JSONField):
    """A dict or a list (or any JSON value) as MongoDB stores it."""

    description = _("JSON")
    # What the subclasses insist on.
    kinds, kind_name = (object,), ""
    default_error_messages = {
        "kind": _("A %(kind)s is needed here, not a value of type %(type)s."),
        "invalid": _("Value can't be stored: %(problem)s"),
    }

    # The compiler has the cursor give Python objects; from_db_value is left for raw(), which gets JSON text.
    is_native_json = True

    from_stored = staticmethod(plain)

    def get_db_prep_value(self, value, connection, prepared=False):
        if connection.vendor != "djongo" or value is None or hasattr(value, "resolve_expression"):
            return super().get_db_prep_value(value, connection, prepared)
        from djongo import Json

        return Json(self.to_stored(value, connection, 0))

    def to_stored(self, value, connection, depth):
        self.check_kind(value)
        return storable(value, depth)

    def check_kind(self, value):
        if value is not None and not isinstance(value, self.kinds):
            raise ValidationError(self.error_messages["kind"], code="kind", params={"kind": self.kind_name, "type": type(value).__name__})

    def validate(self, value, model_instance):
        models.Field.validate(self, value, model_instance)
        self.check_kind(value)
        storable(value, 0)

    def value_to_string(self, obj):
        return to_json(self.value_from_object(obj))

    def formfield(self, **kwargs):
        from .formfields import json_form_field

        return json_form_field(self, **kwargs)


class ListField(JSONField):
    """Any list."""

    description = _("List")
    kinds, kind_name = (list, tuple), "list"


class DictField(JSONField):
    """Any dict."""

    description = _("Dictionary")
    kinds, kind_name = (Mapping,), "dict"


def storable(value, depth):
    """The value in dicts and lists, with nothing that MongoDB can't hold. Raises ValidationError."""
    if isinstance(value, Mapping):
        check_depth(depth + 1)
        for key in value:
            if not isinstance(key, str) or "\0" in key:
                raise ValidationError(JSONField.default_error_messages["invalid"], code="invalid", params={"problem": f"the key {key!r} is not a text without NUL"})
        return {key: storable(value[key], depth + 1) for key in value}
    if isinstance(value, (list, tuple)):
        check_depth(depth + 1)
        return [storable(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset, models.Model)) or callable(value):
        raise ValidationError(JSONField.default_error_messages["invalid"], code="invalid", params={"problem": f"a value of type {type(value).__name__} has no form in BSON"})
    return value
