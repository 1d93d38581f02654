"""The fields by the name that migrations know them by: djongo.models.fields.EmbeddedField and the like."""

from .array import ArrayField, ArrayModelField, EmbeddedModelArrayField, PolymorphicEmbeddedModelArrayField  # noqa: F401
from .embedded import EmbeddedField, EmbeddedModelField, PolymorphicEmbeddedModelField  # noqa: F401
from .json import DictField, JSONField, ListField  # noqa: F401
from .objectid import GenericObjectIdField, ObjectIdAutoField, ObjectIdField  # noqa: F401
from .reference import ArrayReferenceField  # noqa: F401
