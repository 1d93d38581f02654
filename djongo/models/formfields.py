"""Which form fields the model fields ask for (djongo.forms)."""

from django.db import models


def _formfield(field, kwargs, **defaults):
    return models.Field.formfield(field, **{**defaults, **kwargs})


def _without_form_arguments(kwargs):
    return {name: value for name, value in kwargs.items() if name not in ("formfield_callback", "level")}


def objectid_form_field():
    from djongo import forms

    return forms.ObjectIdFormField


def embedded_form_field(field, **kwargs):
    from djongo import forms

    if kwargs.get("level", 1) > forms.MAX_LEVELS:
        return _formfield(field, _without_form_arguments(kwargs), form_class=forms.JSONFormField, kind=dict)
    return _formfield(
        field, kwargs, form_class=forms.EmbeddedFormField, model_field=field, model_form_class=field.model_form_class, model_form_kwargs=field.model_form_kwargs
    )


def array_form_field(field, **kwargs):
    """A formset; JSON for arrays of arrays, of anything, and for what lies too deep."""
    from djongo import forms

    base = field.base_field
    if kwargs.get("level", 1) > forms.MAX_LEVELS or base is None or isinstance(base, type(field)):
        return _formfield(field, _without_form_arguments(kwargs), form_class=forms.JSONFormField, kind=list)
    return _formfield(
        field, kwargs, form_class=forms.ArrayFormField, model_field=field, model_form_class=field.model_form_class, model_form_kwargs=field.model_form_kwargs
    )


def json_form_field(field, **kwargs):
    from djongo import forms

    return _formfield(field, kwargs, form_class=forms.JSONFormField, kind={"list": list, "dict": dict}.get(field.kind_name))
