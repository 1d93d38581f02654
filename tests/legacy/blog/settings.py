"""A site that never ran a migration."""
import os

SECRET_KEY = "blog"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "djongo", "entries"]
DATABASES = {
    "default": {
        "ENGINE": "djongo",
        "NAME": os.environ["SITE_DATABASE"],
        "ENFORCE_SCHEMA": os.environ.get("SITE_ENFORCE_SCHEMA") == "1",
        "CLIENT": {"host": os.environ["SITE_URI"]},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = True
ROOT_URLCONF = "entries"
