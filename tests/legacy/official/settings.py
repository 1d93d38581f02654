"""A site on django-mongodb-backend 5.2, as `startproject` with its template makes one."""
import os

ALLOWED_HOSTS = ["*"]
SECRET_KEY = "a site on the official backend"
ROOT_URLCONF = "library.urls"
USE_TZ = True
INSTALLED_APPS = [
    "mongo_apps.MongoAdminConfig",
    "mongo_apps.MongoAuthConfig",
    "mongo_apps.MongoContentTypesConfig",
    "django.contrib.sessions",
    "django.contrib.messages",
    "library",
]
MIGRATION_MODULES = {"admin": "mongo_migrations.admin", "auth": "mongo_migrations.auth", "contenttypes": "mongo_migrations.contenttypes"}
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
DATABASES = {"default": {"ENGINE": "django_mongodb_backend", "NAME": os.environ["SITE_DATABASE"], "HOST": os.environ["SITE_URI"]}}
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
