"""System checks of djongo.admin.ModelAdmin: paths into documents are as good as fields."""

from django.contrib.admin.checks import InlineModelAdminChecks, ModelAdminChecks
from django.db.models import ForeignKey

from .paths import document_path


class DocumentChecksMixin:
    def _check_list_display_item(self, obj, item, label):
        return [] if document_path(obj.model, item) else super()._check_list_display_item(obj, item, label)

    def _check_list_filter_item(self, obj, item, label):
        return [] if document_path(obj.model, item) else super()._check_list_filter_item(obj, item, label)

    def _check_autocomplete_fields_item(self, obj, field_name, label):
        fields = document_path(obj.model, field_name)
        if not fields or not isinstance(fields[-1], ForeignKey):
            return super()._check_autocomplete_fields_item(obj, field_name, label)
        # The rest of Django's check, on the model that has the key.
        owner = type("Owner", (), {"model": fields[-1].model, "admin_site": obj.admin_site})()
        return super()._check_autocomplete_fields_item(owner, fields[-1].name, label)

    def _check_readonly_fields_item(self, obj, field_name, label):
        return [] if document_path(obj.model, field_name) else super()._check_readonly_fields_item(obj, field_name, label)


class DocumentModelAdminChecks(DocumentChecksMixin, ModelAdminChecks):
    pass


class DocumentInlineChecks(DocumentChecksMixin, InlineModelAdminChecks):
    pass
