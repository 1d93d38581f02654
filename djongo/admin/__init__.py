"""The admin for models with embedded documents and arrays.

`admin.site.register(Entry)` is enough to edit them. `djongo.admin.ModelAdmin` adds what needs the ModelAdmin: the admin's widgets, permissions and
autocomplete inside embedded forms, and paths into documents, `blog__name`, in list_display, list_filter, autocomplete_fields and readonly_fields.
"""

from .options import ModelAdmin, StackedInline, TabularInline

__all__ = ["ModelAdmin", "StackedInline", "TabularInline"]
