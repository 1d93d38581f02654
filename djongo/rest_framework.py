"""Django REST framework: a ModelSerializer that knows djongo's fields. REST framework itself is not required by anything else here.

Documents and arrays are nested JSON both ways, validated by the model field, with errors that name their path; ObjectIds are their 24 digits.
"""

from django.core.exceptions import ValidationError as ModelValidationError
from rest_framework import serializers

from .models.array import ArrayField
from .models.document import to_json
from .models.embedded import EmbeddedField
from .models.objectid import GenericObjectIdField, ObjectIdField


class ObjectIdSerializerField(serializers.ModelField):
    """24 hexadecimal digits."""

    def to_representation(self, obj):
        value = self.model_field.value_from_object(obj)
        return None if value is None else str(value)


class ContainerSerializerField(serializers.ModelField):
    """A document or an array as nested JSON."""

    def to_representation(self, obj):
        return to_json(self.model_field.value_from_object(obj))

    def to_internal_value(self, data):
        try:
            # Without an instance: the errors' paths begin inside of the field, under whose name they are told.
            return self.model_field.clean(data, None)
        except ModelValidationError as error:
            raise serializers.ValidationError(error.messages) from None


class KeyField(serializers.PrimaryKeyRelatedField):
    """A reference to a row whose key may be an ObjectId."""

    def to_representation(self, value):
        value = super().to_representation(value)
        return value if isinstance(value, (int, str)) or value is None else str(value)


class ModelSerializer(serializers.ModelSerializer):
    serializer_related_field = KeyField

    def build_standard_field(self, field_name, model_field):
        if isinstance(model_field, (EmbeddedField, ArrayField)):
            cls = ContainerSerializerField
        elif isinstance(model_field, (ObjectIdField, GenericObjectIdField)):
            cls = ObjectIdSerializerField
        else:
            return super().build_standard_field(field_name, model_field)
        _, kwargs = super().build_standard_field(field_name, model_field)
        kept = ("read_only", "required", "allow_null", "label", "help_text", "default", "initial", "source", "style")
        kwargs = {name: value for name, value in kwargs.items() if name in kept}
        return cls, {**kwargs, "model_field": model_field}


__all__ = ["ContainerSerializerField", "KeyField", "ModelSerializer", "ObjectIdSerializerField"]
