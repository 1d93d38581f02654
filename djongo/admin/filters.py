"""List filters for values inside documents."""

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.utils import display_for_field
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from .paths import has_array

# A sidebar with more entries than this helps nobody; search_fields does.
MAX_CHOICES = 100


def document_filter(model, path, fields):
    """A list filter class for `path`, a path into a document of `model`."""
    inner = fields[-1]

    class DocumentFilter(SimpleListFilter):
        title = " ".join(str(field.verbose_name) for field in fields[-2:])
        parameter_name = path

        def lookups(self, request, model_admin):
            if inner.flatchoices:
                return list(inner.flatchoices) + self._missing(inner)
            if isinstance(inner, models.BooleanField):
                return [("True", _("Yes")), ("False", _("No"))] + self._missing(inner)
            if isinstance(inner, models.ForeignKey):
                return [(str(pk), label) for pk, label in inner.get_choices(include_blank=False)][:MAX_CHOICES] + self._missing(inner)
            found = distinct_values(model_admin.get_queryset(request), path, fields)
            return [(str(value), display_for_field(value, inner, "-")) for value in found] + self._missing(inner)

        def _missing(self, field):
            return [("__none__", _("None"))] if field.null or field.blank or len(fields) > 2 or fields[0].null else []

        def queryset(self, request, queryset):
            value = self.value()
            if value is None:
                return queryset
            if value == "__none__":
                return queryset.filter(**{f"{path}__isnull": True})
            try:
                return queryset.filter(**{path: inner.to_python(value)})
            except (ValueError, ValidationError):
                return queryset.none()

    DocumentFilter.__qualname__ = DocumentFilter.__name__ = f"{capfirst(inner.name)}DocumentFilter"
    return DocumentFilter


def distinct_values(queryset, path, fields):
    """The values at `path`, in order, no more than a sidebar holds."""
    if not has_array(fields):
        values = queryset.order_by(path).values_list(path, flat=True).distinct()[: MAX_CHOICES + 1]
        return [value for value in values if value is not None][:MAX_CHOICES]
    from .paths import values_at

    found = set()
    for obj in queryset.only(fields[0].name).iterator():
        value = values_at(obj, path.split("__"))
        found.update(value if isinstance(value, list) else [] if value is None else [value])
        if len(found) > MAX_CHOICES:
            break
    return sorted(found)[:MAX_CHOICES]
