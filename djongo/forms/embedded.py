"""EmbeddedFormField: a document within a form."""

import copy

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import modelform_factory
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from .nested import NestedBoundField, NestedWidget, is_blank

# Containers within containers that get forms of their own; a container that contains itself would never end. What lies deeper is edited as JSON.
MAX_LEVELS = 6
LABEL = "_label"


def default_form(container, callback=None, level=1):
    """The ModelForm of a container class: a form field for each of its fields."""
    from djongo.models import ArrayField, EmbeddedField

    def formfield(field, **kwargs):
        if isinstance(field, (EmbeddedField, ArrayField)):
            kwargs["level"] = level + 1
            if callback is not None:
                kwargs["formfield_callback"] = callback
        return field.formfield(**kwargs) if callback is None else callback(field, **kwargs)

    return modelform_factory(container, fields="__all__", formfield_callback=formfield)


class EmbeddedFormBoundField(NestedBoundField):
    pass


class EmbeddedFormWidget(NestedWidget):
    template_name = "djongo/forms/embedded.html"


class EmbeddedFormField(forms.Field):
    """One embedded document, edited by a form of its own.

    model_field         the EmbeddedField
    model_form_class    a ModelForm of the container, or a plain Form whose cleaned data become the document; by default one is made
    model_form_kwargs   more keyword arguments for it
    formfield_callback  how the default form makes its fields, as modelform_factory has it

    Nothing filled in means None if the field isn't required (an empty document where the model field can't be null).
    """

    widget = EmbeddedFormWidget
    default_error_messages = {
        "incomplete": _("Enter all required fields."),
        "invalid_inside": _("Please correct the errors below."),
    }

    def __init__(self, model_field, model_form_class=None, model_form_kwargs=None, formfield_callback=None, level=1, **kwargs):
        self.form_class = model_form_class or (
            kinds_form(model_field.containers, formfield_callback, level)
            if model_field.is_polymorphic
            else default_form(model_field.container, formfield_callback, level)
        )
        self.container = model_field.containers[0]
        self.form_kwargs = model_form_kwargs or {}
        self.null = model_field.null
        kwargs.setdefault("widget", EmbeddedFormWidget())
        # Django's model fields ask for it where the default is callable; the rows know what they began with.
        kwargs["show_hidden_initial"] = False
        super().__init__(**kwargs)
        self.widget.field_widgets = [field.widget for field in self.form_class.base_fields.values()]

    def get_bound_field(self, form, field_name):
        return EmbeddedFormBoundField(form, self, field_name)

    def nested_form(self, initial, **kwargs):
        kwargs.setdefault("use_required_attribute", False)
        return self.form_class(**kwargs, **document_kwargs(self, initial))

    def nested_is_blank(self, nested):
        return is_blank(nested)

    def clean(self, value):
        if not isinstance(value, forms.BaseForm):
            return super().clean(value)
        if self.nested_is_blank(value):
            if not self.required:
                return None if self.null else self.container()
            if any(bound.field.required for name, bound in value._bound_items()):
                value.full_clean()
                raise ValidationError(self.error_messages["required"], code="required")
        if not value.is_valid():
            missing = all(error.code == "required" for errors in value.errors.as_data().values() for error in errors)
            code = "incomplete" if missing else "invalid_inside"
            raise ValidationError(self.error_messages[code], code=code)
        document = nested_value(value, self.container)
        self.run_validators(document)
        return document

    def has_changed(self, initial, data):
        if self.disabled:
            return False
        if not isinstance(data, forms.BaseForm):
            return super().has_changed(initial, data)
        if not self.required and self.nested_is_blank(data):
            return initial not in self.empty_values
        return data.has_changed()


def document_kwargs(field, document):
    """Keyword arguments with which field.form_class shows `document`, None for a new one. What was loaded is copied: it must not change before the whole
    form is valid, and keys that no input shows go back with the copy."""
    empty = document in (None, "")
    if issubclass(field.form_class, forms.ModelForm):
        if empty:
            instance = field.container()
        else:
            instance = copy.deepcopy(document) if isinstance(document, field.container) else field.container.from_mapping(document)
        return {**field.form_kwargs, "instance": instance}
    if issubclass(field.form_class, KindsForm):
        return {**field.form_kwargs, "document": None if empty else document}
    return {**field.form_kwargs, "initial": {} if empty else dict(document)}


def nested_value(form, container):
    """The document that a valid form describes: its model instance, or a container filled from its cleaned data."""
    if isinstance(form, KindsForm):
        return form.cleaned_data[form.chosen]
    if isinstance(form, forms.ModelForm):
        return form.instance
    return container.from_mapping({key: item for key, item in form.cleaned_data.items() if key not in ("ORDER", "DELETE")})


# ---- one of several containers ------------------------------------------------------------------------------------------


class KindsForm(forms.Form):
    """The form of a document that may be of several containers: a choice, and a form for each of them, of which only the chosen one counts."""

    is_kinds = True
    kinds = {}  # label -> name of the field that holds its form

    def __init__(self, *args, document=None, **kwargs):
        initial = {}
        if document is not None:
            label = type(document).container_of._meta.label
            initial = {LABEL: label, self.kinds[label]: document}
        super().__init__(*args, **{**kwargs, "initial": {**initial, **kwargs.get("initial", {})}})

    @property
    def chosen(self):
        """The name of the field of the chosen container; None if none is."""
        label = self[LABEL].data if self.is_bound else self.initial.get(LABEL)
        return self.kinds.get(label)

    def _bound_items(self):
        """What isn't chosen is neither validated nor looked at for changes."""
        chosen = self.chosen
        for name, bound in super()._bound_items():
            if name == chosen or name not in self.kinds.values():
                yield name, bound

    @property
    def shown_kinds(self):
        return [(label, self[name]) for label, name in self.kinds.items()]


def kinds_form(containers, callback, level):
    fields, kinds = {}, {}
    choices = [("", "---------")]
    for container in containers:
        meta = container.container_of._meta
        name = meta.label_lower.replace(".", "_")
        kinds[meta.label] = name
        choices.append((meta.label, capfirst(meta.verbose_name)))
        fields[name] = _OneKind(container, callback, level)
    fields = {LABEL: forms.ChoiceField(choices=choices, label=_("Kind")), **fields}
    return type("KindsForm", (KindsForm,), {"kinds": kinds, **fields})


class _OneKind(EmbeddedFormField):
    """The form of one of several containers. It is required once it is chosen."""

    def __init__(self, container, callback, level):
        self.form_class = default_form(container, callback, level)
        self.container, self.form_kwargs, self.null = container, {}, False
        forms.Field.__init__(self, required=True, label=capfirst(container.container_of._meta.verbose_name), widget=EmbeddedFormWidget())
        self.widget.field_widgets = [field.widget for field in self.form_class.base_fields.values()]
