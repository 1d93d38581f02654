"""DATABASES entries -> URI, and what is said about wrong ones."""

import pathlib

import pytest
from django.core.exceptions import ImproperlyConfigured

from djongo.uri import connection_settings, has_host

SECRET = "s3cr3t!/@:"


def uri(**settings):
    return connection_settings({"ENGINE": "djongo", "NAME": "shop", **settings}).uri


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({}, "mongodb://localhost/shop?appName=djongo"),
        ({"HOST": "db"}, "mongodb://db/shop?appName=djongo"),
        ({"HOST": "db", "PORT": 27018}, "mongodb://db:27018/shop?appName=djongo"),
        ({"HOST": "a,b:1", "PORT": "2"}, "mongodb://a:2,b:1/shop?appName=djongo"),
        ({"PORT": 5}, "mongodb://localhost:5/shop?appName=djongo"),
        ({"HOST": "::1", "PORT": 5}, "mongodb://[::1]:5/shop?appName=djongo"),
        ({"HOST": "[::1]"}, "mongodb://[::1]/shop?appName=djongo"),
        ({"HOST": "/run/m.sock"}, "mongodb://%2Frun%2Fm.sock/shop?appName=djongo"),
        ({"HOST": "mongodb://%2Frun%2Fm.sock/?replicaSet=r"}, "mongodb://%2Frun%2Fm.sock/shop?replicaSet=r&appName=djongo"),
        (
            {"HOST": "db", "USER": "ann", "PASSWORD": SECRET},
            "mongodb://ann:s3cr3t%21%2F%40%3A@db/shop?appName=djongo&authSource=admin",
        ),
        (
            {"HOST": "mongodb://ann:p%40@a:1,b/users?w=majority&appName=x"},
            "mongodb://ann:p%40@a:1,b/shop?w=majority&appName=x&authSource=users",
        ),
        ({"HOST": "mongodb+srv://c.example.net/?retryWrites=true"}, "mongodb+srv://c.example.net/shop?retryWrites=true&appName=djongo"),
        ({"HOST": "mongodb://db/?W=1", "CLIENT": {"w": 2}}, "mongodb://db/shop?w=2&appName=djongo"),
        (
            {"CLIENT": {"host": "db", "port": 9, "username": "u", "password": "p", "authSource": "x", "authMechanism": "scram-sha-1"}},
            "mongodb://u:p@db:9/shop?authSource=x&authMechanism=SCRAM-SHA-1&appName=djongo",
        ),
        ({"CLIENT": {"host": ["a:1", "b:2"], "replicaset": "r"}}, "mongodb://a:1,b:2/shop?replicaSet=r&appName=djongo"),
        ({"CLIENT": {"host": "mongodb://db", "tls": True, "tlsCAFile": "/c a.pem"}}, "mongodb://db/shop?tls=true&tlsCAFile=/c%20a.pem&appName=djongo"),
        ({"CLIENT": {"ssl": True, "ssl_ca_certs": "/ca", "connect": False, "tz_aware": True}}, "mongodb://localhost/shop?tls=true&tlsCAFile=/ca&appName=djongo"),
        ({"CLIENT": {"authMechanism": "MONGODB-X509"}}, "mongodb://localhost/shop?authMechanism=MONGODB-X509&appName=djongo&authSource=%24external"),
        (
            {"CLIENT": {"readPreferenceTags": [{"dc": "ny", "rack": "1"}, ""], "compressors": ["zstd", "zlib"]}},
            "mongodb://localhost/shop?readPreferenceTags=dc:ny,rack:1&readPreferenceTags=&compressors=zstd,zlib&appName=djongo",
        ),
        ({"OPTIONS": {"serverSelectionTimeoutMS": 500}}, "mongodb://localhost/shop?serverSelectionTimeoutMS=500&appName=djongo"),
        (
            {"HOST": "db", "AUTH_SOURCE": "x", "REPLICASET": "r", "SSL": False, "READ_PREFERENCE": "SECONDARY"},
            "mongodb://db/shop?authSource=x&replicaSet=r&tls=false&readPreference=secondary&appName=djongo",
        ),
    ],
)
def test_uri(settings, expected):
    assert uri(**settings) == expected


def test_database_name_may_come_from_the_uri():
    assert connection_settings({"NAME": "", "HOST": "mongodb://db/shop"}).database == "shop"
    assert connection_settings({"NAME": "x", "HOST": "mongodb://db/shop"}).database == "x"
    assert connection_settings({"NAME": None, "HOST": "db"}).database == "admin"


def test_default_uri_is_only_for_entries_without_a_host():
    assert connection_settings({"NAME": "x"}, default_uri="mongodb://other/?replicaSet=r").uri == "mongodb://other/x?replicaSet=r&appName=djongo"
    assert "other" not in connection_settings({"NAME": "x", "HOST": "db"}, default_uri="mongodb://other").uri
    assert not has_host({"CLIENT": {"replicaSet": "r", "host": None}})
    assert has_host({"CLIENT": {"Host": "x"}}) and has_host({"PORT": 1})


def test_options_of_djongo():
    found = connection_settings({"NAME": "x", "OPTIONS": {"work_mem": 1000, "lock_timeout_ms": 5}, "ENFORCE_SCHEMA": True})
    assert found.connect_options == {"work_mem": 1000, "lock_timeout_ms": 5} and found.enforce_schema is True


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"HOTS": "db"}, ["'HOTS'", "'HOST'", "ENFORCE_SCHEMA"]),
        ({"replicaSet": "r"}, ["'replicaSet'", "['CLIENT']"]),
        ({"NAME": ""}, ["['NAME']", "empty"]),
        ({"NAME": pathlib.Path("/srv/shop/db.sqlite3")}, ["['NAME']", "SQLite", "'NAME': 'db'"]),
        ({"NAME": "a.b"}, ["['NAME']", "'.'"]),
        ({"NAME": "x" * 64}, ["['NAME']", "63", "64"]),
        ({"NAME": "admin"}, ["['NAME']", "admin"]),
        ({"NAME": 5}, ["['NAME']", "int"]),
        ({"PORT": "x"}, ["['PORT']", "'x'"]),
        ({"PORT": 70000}, ["['PORT']", "65535"]),
        ({"PORT": True}, ["['PORT']"]),
        ({"HOST": 5}, ["['HOST']", "int"]),
        ({"HOST": "a,,b"}, ["['HOST']", "empty host"]),
        ({"HOST": "a:b"}, ["['HOST']", "port number"]),
        ({"HOST": "user@db"}, ["['HOST']", "mongodb://"]),
        ({"HOST": "db/x"}, ["['HOST']", "mongodb://"]),
        ({"HOST": "http://db"}, ["['HOST']", "mongodb://"]),
        ({"HOST": f"mongodb://ann:{SECRET}@db"}, ["['HOST']", "percent-encoded"]),
        ({"HOST": "mongodb://ann:p%zz@db"}, ["['HOST']", "percent-encoded"]),
        ({"HOST": "mongodb://ann:s3cr3t"}, ["['HOST']", "port number"]),
        ({"HOST": "mongodb://ann:s3cr3t?x@db"}, ["['HOST']", "percent-encoded"]),
        ({"HOST": "mongodb://db/?replicaset"}, ["['HOST']", "name=value"]),
        ({"HOST": "mongodb://db/?replicSet=x"}, ["['HOST']", "'replicSet'", "'replicaSet'"]),
        ({"HOST": "mongodb+srv://a:1"}, ["srv", "port"]),
        ({"HOST": "mongodb+srv://a", "PORT": 1}, ["['PORT']", "no port"]),
        ({"PASSWORD": SECRET}, ["['PASSWORD']", "user name"]),
        ({"USER": "u", "PASSWORD": 5}, ["['PASSWORD']", "int"]),
        ({"CLIENT": []}, ["['CLIENT']", "dictionary"]),
        ({"CLIENT": {"max_pool_size": 3}}, ["['CLIENT']", "'max_pool_size'", "'maxPoolSize'"]),
        ({"CLIENT": {3: 3}}, ["['CLIENT']", "3"]),
        ({"CLIENT": {"maxPoolSize": "many"}}, ["['CLIENT']['maxPoolSize']", "whole number", "'many'"]),
        ({"CLIENT": {"maxPoolSize": -1}}, ["['CLIENT']['maxPoolSize']", "-1"]),
        ({"CLIENT": {"tls": "yes"}}, ["['CLIENT']['tls']", "True or False"]),
        ({"CLIENT": {"authMechanism": "SCRAM"}}, ["['CLIENT']['authMechanism']", "SCRAM-SHA-256"]),
        ({"CLIENT": {"tlsCertificateKeyFilePassword": [SECRET]}}, ["tlsCertificateKeyFilePassword", "a text"]),
        ({"HOST": "a", "CLIENT": {"host": "b"}}, ["['HOST']", "['CLIENT']['host']"]),
        ({"USER": "a", "CLIENT": {"username": "b"}}, ["['USER']", "['CLIENT']['username']"]),
        ({"SSL": True, "CLIENT": {"tls": False}}, ["['SSL']", "['CLIENT']['tls']"]),
        ({"OPTIONS": {"host": "b"}}, ["['OPTIONS']", "CLIENT", "'HOST'"]),
        ({"OPTIONS": {"work_mem": "1GB"}}, ["['OPTIONS']['work_mem']", "'1GB'"]),
        ({"ENFORCE_SCHEMA": "no"}, ["['ENFORCE_SCHEMA']", "'no'"]),
    ],
)
def test_wrong_settings_name_the_key_and_what_is_expected(settings, words):
    with pytest.raises(ImproperlyConfigured) as caught:
        connection_settings({"ENGINE": "djongo", "NAME": "shop", **settings}, alias="other")
    message = str(caught.value)
    assert "DATABASES['other']" in message
    for word in words:
        assert word in message
    assert "s3cr3t" not in message


def test_secrets_are_in_no_representation():
    assert "pw" not in repr(connection_settings({"NAME": "x", "USER": "u", "PASSWORD": "pw"}))
