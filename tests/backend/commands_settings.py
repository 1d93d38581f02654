"""For the management commands: an app with migrations, djongo's own commands, and a cache in the database."""
from settings import *  # noqa: F403

INSTALLED_APPS = ["djongo", "migrated"]
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache table", "OPTIONS": {"MAX_ENTRIES": 20, "CULL_FREQUENCY": 2}}
}
