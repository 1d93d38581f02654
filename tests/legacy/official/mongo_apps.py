"""Django's own apps with ObjectId keys, as the template of django-mongodb-backend has them."""
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.contrib.auth.apps import AuthConfig
from django.contrib.contenttypes.apps import ContentTypesConfig


class MongoAdminConfig(AdminConfig):
    default_auto_field = settings.DEFAULT_AUTO_FIELD


class MongoAuthConfig(AuthConfig):
    default_auto_field = settings.DEFAULT_AUTO_FIELD


class MongoContentTypesConfig(ContentTypesConfig):
    default_auto_field = settings.DEFAULT_AUTO_FIELD
