"""Paths into documents, as the admin's options spell them: `blog__name`, `authors__books__title`."""

from django.core.exceptions import FieldDoesNotExist
from django.db.models.constants import LOOKUP_SEP

from djongo.models import ArrayField, EmbeddedField


def container_of(field):
    """The model of the documents in an embedded or array field; None if it has no single one."""
    return getattr(field, "container", None) if isinstance(field, (EmbeddedField, ArrayField)) else None


def document_path(model, path):
    """The fields that `path` goes through, outermost first; None unless it leads into an embedded document or array."""
    if not isinstance(path, str):
        return None
    fields, within = [], False
    for name in path.split(LOOKUP_SEP):
        if model is None:
            return None
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist:
            return None
        fields.append(field)
        if (container := container_of(field)) is not None:
            model, within = container, True
        elif isinstance(field, (EmbeddedField, ArrayField)):
            model, within = None, True
        else:
            model = field.remote_field.model if field.is_relation and field.concrete and field.many_to_one else None
    return fields if within and len(fields) > 1 else None


def has_array(fields):
    return any(isinstance(field, ArrayField) for field in fields)


def values_at(obj, names):
    """What lies at a path of one object: a value, or a list of them where the path goes through arrays."""
    if not names or obj is None:
        return obj
    if isinstance(obj, (list, tuple)):
        found = []
        for item in obj:
            value = values_at(item, names)
            found.extend(value) if isinstance(value, list) else found.append(value)
        return [value for value in found if value is not None]
    return values_at(getattr(obj, names[0], None), names[1:])
