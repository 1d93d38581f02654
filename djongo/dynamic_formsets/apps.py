"""djongo up to 1.3.6 had rows that could be added to arrays in an app of its own. The name stays so that old INSTALLED_APPS load: djongo.forms does it by itself."""

from django.apps import AppConfig


class DynamicFormsetsConfig(AppConfig):
    name = "djongo.dynamic_formsets"
