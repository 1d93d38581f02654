"""Settings under which Django's own runtests.py runs (see run.py, which fills the environment)."""
import os

import django

_engine = os.environ["SUITE_ENGINE"]


def _database(alias):
    if _engine == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3"}
    if _engine == "postgresql":
        name = f"{os.environ['SUITE_DATABASE']}_{alias}"
        return {"ENGINE": "django.db.backends.postgresql", "HOST": os.environ["SUITE_URI"], "USER": "test", "NAME": name}
    return {
        "ENGINE": "djongo",
        "NAME": f"{os.environ['SUITE_DATABASE']}_{alias}",
        "HOST": os.environ["SUITE_URI"],
    }


DATABASES = {alias: _database(alias) for alias in ("default", "other")}
if django.VERSION < (6,):  # as the suite of that version wants it
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SECRET_KEY = "django_tests_secret_key"
TEST_RUNNER = "suite_recorder.Runner"
USE_TZ = False
