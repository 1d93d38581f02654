"""PyMongo's client for a database of the project: what `mongo_*` of managers, `connection.cursor().db_conn` and the commands use.

One client per server and process, made when it is first asked for. It is a connection of its own: what it does is outside of the transaction that
Django may be in, and doesn't see what that hasn't committed.
"""

import os
import threading

from django.db import connections

_clients = {}
_lock = threading.Lock()


def client(using="default"):
    """The pymongo.MongoClient for that alias of DATABASES."""
    import pymongo

    settings = connections[using].get_connection_settings()
    # A client doesn't survive a fork.
    key = os.getpid(), settings.uri
    with _lock:
        found = _clients.get(key)
        if found is None:
            found = _clients[key] = pymongo.MongoClient(settings.uri, uuidRepresentation="standard")
    return found


def database(using="default"):
    """The pymongo.database.Database for that alias of DATABASES."""
    return client(using)[connections[using].get_connection_settings().database]


def collection(model, using="default"):
    return database(using)[model._meta.db_table]
