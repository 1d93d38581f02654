"""A minimal Django for the backend's tests: one database that nobody connects to unless a test says so."""

import os

SECRET_KEY = "tests"
USE_TZ = True
INSTALLED_APPS = ["app", "native"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "djongo",
        "NAME": os.environ.get("DJONGO_TEST_DATABASE", "djongo_backend_tests"),
        "HOST": os.environ.get("DJONGO_TEST_URI", "mongodb://nowhere.invalid/?serverSelectionTimeoutMS=200"),
    }
}
