"""The stock ModelAdmin's widgets for inner fields: with them `admin.site.register(Model)` gives embedded dates their calendar."""

import copy

from django.contrib.admin.options import FORMFIELD_FOR_DBFIELD_DEFAULTS

from djongo.models import ArrayField, EmbeddedField


def admin_formfield(db_field, **kwargs):
    """What ModelAdmin.formfield_for_dbfield does for a field without a ModelAdmin's own options."""
    if not db_field.choices:
        for cls in type(db_field).__mro__:
            if cls in FORMFIELD_FOR_DBFIELD_DEFAULTS:
                kwargs = {**copy.deepcopy(FORMFIELD_FOR_DBFIELD_DEFAULTS[cls]), **kwargs}
                break
    return db_field.formfield(**kwargs)


def register():
    for cls in (EmbeddedField, ArrayField):
        FORMFIELD_FOR_DBFIELD_DEFAULTS.setdefault(cls, {"formfield_callback": admin_formfield})
