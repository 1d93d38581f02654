"""ArrayFormField: an array within a form, a row for each element.

Elements are documents (a form each) or plain values (a form with the one field `value`). Rows are added, removed and reordered by static/djongo/forms.js
without a page reload; without JavaScript one empty row, a number for the place and a box for deletion do the same.
"""

from django import forms
from django.core.exceptions import ValidationError
from django.forms.formsets import DELETION_FIELD_NAME, ORDERING_FIELD_NAME, BaseFormSet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from .embedded import KindsForm, default_form, document_kwargs, kinds_form, nested_value
from .nested import NestedBoundField, NestedWidget, is_blank

# Rows a form shows and takes for an array without a size of its own; DATA_UPLOAD_MAX_NUMBER_FIELDS limits a post before that.
MAX_ROWS = 1000


class OrderField(forms.IntegerField):
    """A row's place. Moving a row isn't a change of the row: a new row that has only a place is still an empty one."""

    def has_changed(self, initial, data):
        return False


class ArrayFormSet(BaseFormSet):
    """The rows. `documents` are the array's elements as stored; row i edits a copy of element i."""

    can_order = can_delete = True
    can_delete_extra = True
    edit_only = False
    ordering_widget = forms.NumberInput(attrs={"class": "djongo-order", "min": "1", "size": "4"})
    default_error_messages = {
        "too_many_forms": ngettext_lazy("Please submit at most %(num)d row.", "Please submit at most %(num)d rows.", "num"),
        "too_few_forms": ngettext_lazy("Please submit at least %(num)d row.", "Please submit at least %(num)d rows.", "num"),
    }

    def __init__(self, field, documents, data=None, **kwargs):
        self.field, self.documents = field, documents
        self.form = field.form_class
        self.renderer = kwargs.pop("renderer", None)
        self.extra = 0 if field.disabled else 1
        self.min_num = 0
        self.max_num = max(MAX_ROWS, len(documents)) if field.max_length is None else field.max_length
        self.absolute_max = self.max_num + MAX_ROWS
        self.validate_min = False
        self.validate_max = True
        super().__init__(data, initial=[{}] * len(documents), **kwargs)

    def get_form_kwargs(self, index):
        stored = index is not None and index < len(self.documents)
        return {**self.form_kwargs, **self.field.row_kwargs(self.documents[index] if stored else None, stored)}

    def add_fields(self, form, index):
        super().add_fields(form, index)
        known = index is not None and index < self.initial_form_count()
        form.fields[ORDERING_FIELD_NAME] = OrderField(
            label=_("Order"), required=False, initial=index + 1 if known else None, widget=forms.NumberInput(self.ordering_widget.attrs)
        )
        form.fields[DELETION_FIELD_NAME].label = _("Remove")

    @property
    def row_name(self):
        return self.field.row_name

    def shown_rows(self):
        """The rows as they are shown: in the order that was posted, so that a form that comes back with errors looks as it did when it was sent."""
        forms_ = self.forms
        for i, form in enumerate(forms_):
            form.blank_row = i >= self.initial_form_count() and not (self.is_bound and form.has_changed())
        if not self.is_bound:
            return forms_

        def place(form):
            digits = str(form[ORDERING_FIELD_NAME].data or "").strip()
            return int(digits) if digits.isdecimal() and len(digits) < 10 else 10**9

        return sorted(forms_, key=place)

    def rows(self):
        """The valid rows that stay, in their new order."""
        return self.ordered_forms

    def was_reordered(self):
        kept = [form for i, form in enumerate(self.forms) if i < self.initial_form_count()]
        order = [form for form in self.ordered_forms if form in kept]
        return order != [form for form in kept if form in order] or any(form in kept for form in self.ordered_forms[len(order) :])


class ArrayFormBoundField(NestedBoundField):
    pass


class ArrayFormWidget(NestedWidget):
    template_name = "djongo/forms/array.html"


class ArrayFormField(forms.Field):
    """An array, edited as a formset.

    model_field         the ArrayField: its base_field gives the inputs of a row, its size and max_size how many rows there may be
    model_form_class    the form of one document: a ModelForm of the container, or a plain Form; by default one is made
    model_form_kwargs   more keyword arguments for it
    formfield_callback  how the default form makes its fields, as modelform_factory has it
    """

    widget = ArrayFormWidget
    default_error_messages = {"invalid_inside": _("Please correct the errors below.")}

    def __init__(self, model_field, model_form_class=None, model_form_kwargs=None, formfield_callback=None, level=1, **kwargs):
        self.model_field = model_field
        base = model_field.base_field
        self.container = model_field.containers[0] if model_field.holds_documents else None
        if model_form_class is not None:
            self.form_class = model_form_class
        elif self.container is None:
            value = base.formfield() if formfield_callback is None else formfield_callback(base)
            value.label = ""
            self.form_class = type("ValueForm", (forms.Form,), {"value": value})
        elif base.is_polymorphic:
            self.form_class = kinds_form(model_field.containers, formfield_callback, level)
        else:
            self.form_class = default_form(self.container, formfield_callback, level)
        self.form_kwargs = model_form_kwargs or {}
        self.min_length, self.max_length = model_field.size, model_field.size or model_field.max_size
        self.null = model_field.null
        kwargs.setdefault("widget", ArrayFormWidget())
        # Django's model fields ask for it where the default is callable; the rows know what they began with.
        kwargs["show_hidden_initial"] = False
        super().__init__(**kwargs)
        self.widget.field_widgets = [field.widget for field in self.form_class.base_fields.values()]

    @property
    def row_name(self):
        if self.container is not None and not issubclass(self.form_class, KindsForm):
            return self.container.container_of._meta.verbose_name
        return _("item")

    def get_bound_field(self, form, field_name):
        return ArrayFormBoundField(form, self, field_name)

    def row_kwargs(self, element, stored):
        """Keyword arguments of one row's form."""
        if self.container is None:
            return {"initial": {"value": element} if stored else {}}
        return document_kwargs(self, element)

    def nested_form(self, initial, **kwargs):
        return ArrayFormSet(self, [] if initial in self.empty_values else list(initial), **kwargs)

    def nested_is_blank(self, nested):
        if not nested.management_form.is_valid():
            return False
        return all(is_blank(form) or form[DELETION_FIELD_NAME].data for form in nested.forms)

    def clean(self, value):
        if not isinstance(value, ArrayFormSet):
            return super().clean(value)
        if not value.is_valid():
            raise ValidationError(self.error_messages["invalid_inside"], code="invalid_inside")
        rows = value.rows()
        if self.container is None:
            elements = [form.cleaned_data.get("value") for form in rows]
        else:
            elements = [nested_value(form, self.container) for form in rows]
        if not elements and self.required:
            raise ValidationError(self.error_messages["required"], code="required")
        if self.min_length is not None and elements and len(elements) < self.min_length:
            raise ValidationError(value.error_messages["too_few_forms"] % {"num": self.min_length}, code="too_few_forms")
        self.run_validators(elements)
        return None if self.null and not elements else elements

    def has_changed(self, initial, data):
        if self.disabled:
            return False
        if not isinstance(data, ArrayFormSet):
            return super().has_changed(initial, data)
        if not data.is_valid():
            return True
        return data.has_changed() or bool(data.deleted_forms) or data.was_reordered()
