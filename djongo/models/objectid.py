"""ObjectIds as field values: bson.ObjectId in Python, 24 hexadecimal digits wherever text is wanted (URLs, sessions, fixtures, JSON).

Every lookup takes either form. What is neither is a ValidationError, as it is with UUIDField, and never a query that silently finds nothing.
A key that isn't given is made by the database when the row is inserted.
"""

from bson import ObjectId
from bson.errors import InvalidId
from django.core import exceptions
from django.db.models import AutoField, Field
from django.utils.translation import gettext_lazy as _

from .base import DjongoField


class ObjectIdMixin(DjongoField):
    """What any field that holds an ObjectId does."""

    default_error_messages = {"invalid": _("“%(value)s” is not an ObjectId: it is written as 24 hexadecimal digits.")}
    description = _("ObjectId")
    empty_strings_allowed = False

    def get_internal_type(self):
        return "ObjectIdField"

    def db_type(self, connection):
        # Field.db_type would make it unsuitable as a foreign key's type: AutoField's rel_db_type is an integer's.
        return connection.data_types.get("ObjectIdField")

    rel_db_type = cast_db_type = db_type
    validators = Field.validators  # AutoField's are those of a range of integers

    def to_python(self, value):
        if value is None or isinstance(value, ObjectId):
            return value
        try:
            return ObjectId(value)
        except (InvalidId, TypeError):
            raise exceptions.ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value}) from None

    def get_prep_value(self, value):
        # Past IntegerField's int(). Resolves lazy objects.
        return self.to_python(Field.get_prep_value(self, value))

    def get_db_prep_value(self, value, connection, prepared=False):
        return value if prepared else self.get_prep_value(value)

    def value_to_string(self, obj):
        value = self.value_from_object(obj)
        return None if value is None else str(value)

    def get_lookup(self, lookup_name):
        # IntegerField's lookups check ranges of integers; those of Field don't.
        found = super().get_lookup(lookup_name)
        if found is not None and found.__module__ == "django.db.models.lookups" and "Integer" in found.__name__:
            found = Field.get_lookups().get(lookup_name)
        return found

    def formfield(self, **kwargs):
        from .formfields import objectid_form_field

        return Field.formfield(self, **{"form_class": objectid_form_field(), **kwargs})


class GenericObjectIdField(ObjectIdMixin, Field):
    """A field that holds an ObjectId: any but the primary key that the database makes."""

    def get_internal_type(self):
        return "GenericObjectIdField"


class ObjectIdField(ObjectIdMixin, AutoField):
    """The primary key as MongoDB makes it: `_id = models.ObjectIdField()`."""

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("primary_key", True)
        kwargs.setdefault("auto_created", True)
        super().__init__(*args, **kwargs)

    def validate(self, value, model_instance):
        pass

    def formfield(self, **kwargs):
        return None


class ObjectIdAutoField(ObjectIdField):
    """For DEFAULT_AUTO_FIELD: the field `id`, stored as the document's `_id`."""

    def get_attname_column(self):
        attname, column = super().get_attname_column()
        return attname, column if self.db_column or not self.primary_key else "_id"
