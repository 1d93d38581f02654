"""ModelAdmin and inlines whose options reach into documents."""

import functools

from django.contrib import admin
from django.contrib.admin.utils import display_for_field
from django.contrib.admin.widgets import AutocompleteSelect
from django.utils.text import capfirst

from djongo.models import ArrayField, EmbeddedField

from .checks import DocumentInlineChecks, DocumentModelAdminChecks
from .filters import document_filter
from .paths import document_path, has_array, values_at


class DocumentAdminMixin:
    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if isinstance(db_field, (EmbeddedField, ArrayField)):
            # Inner fields get what outer ones get: the admin's widgets, "add another" beside foreign keys, this class's own overrides.
            path = kwargs.pop("document_path", ()) + (db_field.name,)
            kwargs["formfield_callback"] = functools.partial(self._inner_formfield, path, request)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def _inner_formfield(self, path, request, db_field, **kwargs):
        if isinstance(db_field, (EmbeddedField, ArrayField)):
            kwargs["document_path"] = path
        elif db_field.is_relation and "__".join((*path, db_field.name)) in self.autocomplete_fields:
            kwargs["widget"] = AutocompleteSelect(db_field, self.admin_site, using=kwargs.get("using"))
        return self.formfield_for_dbfield(db_field, request, **kwargs)

    def get_readonly_fields(self, request, obj=None):
        return [self._column(name) or name for name in super().get_readonly_fields(request, obj)]

    def get_fields(self, request, obj=None):
        return [self._column(name) or name for name in super().get_fields(request, obj)]

    def get_fieldsets(self, request, obj=None):
        def named(names):
            return [named(name) if isinstance(name, (list, tuple)) else self._column(name) or name for name in names]

        return [(title, {**options, "fields": named(options["fields"])}) for title, options in super().get_fieldsets(request, obj)]

    def _column(self, path):
        """A callable column for a path into a document; None for any other name."""
        if not isinstance(path, str) or hasattr(self, path):
            return None
        columns = self.__dict__.setdefault("_document_columns", {})
        if path not in columns:
            fields = document_path(self.model, path)
            columns[path] = _document_column(path, fields) if fields else None
        return columns[path]


def _document_column(path, fields):
    inner, names = fields[-1], path.split("__")

    def column(obj):
        value = values_at(obj, names)
        if isinstance(value, list):
            return ", ".join(str(display_for_field(item, inner, "-")) for item in value) or None
        if value is None:
            return None
        return value if inner.get_internal_type() == "BooleanField" else display_for_field(value, inner, "-")

    column.__name__ = path
    column.short_description = capfirst(" ".join(str(field.verbose_name) for field in fields[-2:]))
    column.boolean = inner.get_internal_type() == "BooleanField"
    # Sorted by the path itself; through an array there is no one value to sort by.
    if not has_array(fields) and not inner.is_relation:
        column.admin_order_field = path
    return column


class ModelAdmin(DocumentAdminMixin, admin.ModelAdmin):
    checks_class = DocumentModelAdminChecks

    def get_list_display(self, request):
        return [self._column(item) or item for item in super().get_list_display(request)]

    def get_list_display_links(self, request, list_display):
        links = super().get_list_display_links(request, list_display)
        return links if links is None else [self._column(item) or item for item in links]

    def get_list_filter(self, request):
        filters = []
        for item in super().get_list_filter(request):
            fields = document_path(self.model, item)
            filters.append(document_filter(self.model, item, fields) if fields else item)
        return filters


class StackedInline(DocumentAdminMixin, admin.StackedInline):
    checks_class = DocumentInlineChecks


class TabularInline(DocumentAdminMixin, admin.TabularInline):
    checks_class = DocumentInlineChecks


__all__ = ["ModelAdmin", "StackedInline", "TabularInline"]
