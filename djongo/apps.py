"""The Django app: management commands, templates, static files, and the admin's widgets inside embedded forms."""

from django.apps import AppConfig


class DjongoConfig(AppConfig):
    name = "djongo"
    verbose_name = "MongoDB"

    def ready(self):
        from django.apps import apps

        if apps.is_installed("django.contrib.admin"):
            from .admin.defaults import register

            register()
