"""The project of the model tests: djongo's fields on a real server."""

import os

SECRET_KEY = "tests"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "shop", "guide"]
AUTH_USER_MODEL = "shop.Person"
DEFAULT_AUTO_FIELD = "djongo.models.ObjectIdAutoField"
DATABASES = {
    "default": {
        "ENGINE": "djongo",
        "NAME": os.environ.get("DJONGO_TEST_DATABASE", f"djongo_models_{os.getpid()}"),
        "HOST": os.environ.get("DJONGO_TEST_URI", "mongodb://nowhere.invalid/?serverSelectionTimeoutMS=200"),
    }
}
