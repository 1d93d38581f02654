"""The settings of a site that djongo 1.3.7 ran, on Django 3.1. Only the server's address comes from outside."""
import os
import pathlib

BASE_DIR = pathlib.Path(__file__).parent
SECRET_KEY = "a site of 2021"
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "flights",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "urls"
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
DATABASES = {
    "default": {
        "ENGINE": "djongo",
        "NAME": os.environ.get("SITE_DATABASE", "flights"),
        "ENFORCE_SCHEMA": os.environ.get("SITE_ENFORCE_SCHEMA") == "1",
        "CLIENT": {"host": os.environ.get("SITE_URI", "mongodb://localhost:27017")},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = os.environ.get("SITE_USE_TZ", "1") == "1"
TIME_ZONE = "Europe/Berlin"
STATIC_URL = "/static/"
