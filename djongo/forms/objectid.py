"""ObjectIdFormField: an ObjectId as 24 hexadecimal digits."""

from bson import ObjectId
from bson.errors import InvalidId
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


class ObjectIdFormField(forms.Field):
    default_error_messages = {"invalid": _("Enter a valid ObjectId: 24 hexadecimal digits.")}

    def prepare_value(self, value):
        return str(value) if isinstance(value, ObjectId) else value

    def to_python(self, value):
        if isinstance(value, str):
            value = value.strip()
        if value in self.empty_values:
            return None
        try:
            return ObjectId(value)
        except (InvalidId, TypeError):
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None
