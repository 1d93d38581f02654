"""The project of the model tests: djongo's fields on a real server."""

import os

SECRET_KEY = "tests"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "django.contrib.sessions",
    "djongo",
    "shop",
    "guide",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "urls"
STATIC_URL = "static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AUTH_USER_MODEL = "shop.Person"
DEFAULT_AUTO_FIELD = "djongo.models.ObjectIdAutoField"
DATABASES = {
    "default": {
        "ENGINE": "djongo",
        "NAME": os.environ.get("DJONGO_TEST_DATABASE", f"djongo_models_{os.getpid()}"),
        "HOST": os.environ.get("DJONGO_TEST_URI", "mongodb://nowhere.invalid/?serverSelectionTimeoutMS=200"),
    }
}
