"""Which form fields the model fields ask for. djongo.forms has them; without it, documents and arrays are edited as JSON text."""

import json

from django import forms

from .document import to_json


def _forms():
    try:
        from djongo import forms as found
    except ImportError:
        return None
    return found


class JSONText(forms.JSONField):
    """A document or array as JSON text."""

    def prepare_value(self, value):
        if isinstance(value, forms.fields.InvalidJSONInput):
            return value
        return json.dumps(to_json(value), ensure_ascii=False, cls=self.encoder) if not isinstance(value, str) else value

    def has_changed(self, initial, data):
        return super().has_changed(to_json(initial), data)


def objectid_form_field():
    return getattr(_forms(), "ObjectIdFormField", forms.CharField)


def _instead(name, field, kwargs, **arguments):
    """djongo.forms' class of that name with the arguments it takes, or JSON text."""
    cls = getattr(_forms(), name, None)
    if cls is None:
        return super_formfield(field, form_class=JSONText, **kwargs)
    return super_formfield(field, form_class=cls, **{**arguments, **kwargs})


def super_formfield(field, **kwargs):
    from django.db import models

    return models.Field.formfield(field, **kwargs)


def embedded_form_field(field, **kwargs):
    return _instead("EmbeddedFormField", field, kwargs, model_field=field, model_form_class=field.model_form_class, model_form_kwargs=field.model_form_kwargs)


def array_form_field(field, **kwargs):
    return _instead("ArrayFormField", field, kwargs, model_field=field, model_form_class=field.model_form_class, model_form_kwargs=field.model_form_kwargs)


def json_form_field(field, **kwargs):
    return _instead("JSONFormField", field, {"encoder": field.encoder, "decoder": field.decoder, **kwargs})
