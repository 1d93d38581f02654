"""What form fields that hold forms have in common: a bound field that makes the inner form once, and a widget that shows it.

Django passes a field's posted value from widget to field as `BoundField.data`, and shows `BoundField.value()`. Here both are the inner form (or formset)
itself, bound or not: it is validated by the field's clean() and shown again with its own errors at its own inputs.
"""

import functools
import pathlib

from django import forms
from django.forms.boundfield import BoundField
from django.forms.models import model_to_dict
from django.template import TemplateDoesNotExist
from django.template.backends.django import DjangoTemplates
from django.utils.safestring import mark_safe

TEMPLATES = pathlib.Path(__file__).resolve().parent.parent / "templates"


@functools.cache
def _own_engine():
    return DjangoTemplates({"NAME": "djongo.forms", "DIRS": [str(TEMPLATES)], "APP_DIRS": False, "OPTIONS": {"builtins": ["django.templatetags.i18n"]}})


def render(renderer, template_name, context):
    """By the form's renderer, so that a project can override the template; without "djongo" in INSTALLED_APPS from the package itself."""
    try:
        template = renderer.get_template(template_name)
    except TemplateDoesNotExist:
        template = _own_engine().get_template(template_name)
    return mark_safe(template.render(context).strip())


class NestedBoundField(BoundField):
    """The bound field of a form within a form; `.nested` is the inner form or formset."""

    @functools.cached_property
    def nested(self):
        bound = self.form.is_bound and not self.field.disabled
        return self.field.nested_form(
            self.initial,
            data=self.form.data if bound else None,
            files=self.form.files if bound else None,
            prefix=self.html_name,
            auto_id=self.form.auto_id,
            error_class=self.form.error_class,
            renderer=self.form.renderer,
        )

    @property
    def data(self):
        return self.nested

    def value(self):
        return self.nested


class NestedWidget(forms.Widget):
    """Shows an inner form. `field_widgets` are the widgets it is made of, for their media and for file uploads."""

    use_fieldset = True
    template_name = None

    def __init__(self, field_widgets=(), attrs=None):
        super().__init__(attrs)
        self.field_widgets = list(field_widgets)

    def render(self, name, value, attrs=None, renderer=None):
        context = self.get_context(name, value, attrs)
        return render(renderer or value.renderer, self.template_name, context)

    def get_context(self, name, value, attrs):
        return {"widget": {"name": name, "attrs": self.build_attrs(self.attrs, attrs), "template_name": self.template_name}, "nested": value}

    def value_from_datadict(self, data, files, name):
        raise TypeError(f"{type(self).__name__} needs the bound field of its form field ({name!r})")

    def value_omitted_from_data(self, data, files, name):
        start = f"{name}-"
        return not any(key.startswith(start) for key in data) and not any(key.startswith(start) for key in files)

    def id_for_label(self, id_):
        return ""  # the label belongs to a group of inputs: a legend

    @property
    def needs_multipart_form(self):
        return any(widget.needs_multipart_form for widget in self.field_widgets)

    @property
    def media(self):
        media = forms.Media(css={"all": ["djongo/forms.css"]}, js=["djongo/forms.js"])
        for widget in self.field_widgets:
            media += widget.media
        return media


def is_blank(form):
    """True if nothing was filled in: every input of a bound form is empty, or still what an untouched form of the same kind would post."""
    untouched = model_to_dict(type(form.instance)(), form._meta.fields, form._meta.exclude) if isinstance(form, forms.ModelForm) else {}
    for name, bound in form._bound_items():
        field = bound.field
        if name in ("ORDER", "DELETE"):
            continue
        if isinstance(bound, NestedBoundField):
            if not field.nested_is_blank(bound.nested):
                return False
        elif isinstance(field, forms.FileField):
            if bound.data or bound.initial:
                return False
        elif bound.data not in field.empty_values and field.has_changed(untouched.get(name, field.initial), bound.data):
            return False
    return True
