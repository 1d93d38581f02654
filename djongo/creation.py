"""Test databases. MongoDB creates a database with its first collection, so creating one is only making sure that none is there."""

from django.core.exceptions import ImproperlyConfigured
from django.db import ProgrammingError
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.base.creation import TEST_DATABASE_PREFIX, BaseDatabaseCreation


class DatabaseCreation(BaseDatabaseCreation):
    def sql_table_creation_suffix(self):
        test_settings = self.connection.settings_dict["TEST"]
        for key in ("CHARSET", "COLLATION"):
            if test_settings.get(key) is not None:
                raise ImproperlyConfigured(
                    f"DATABASES[{self.connection.alias!r}]['TEST'][{key!r}]: a MongoDB database has no such setting."
                )
        return ""

    def _get_test_db_name(self):
        settings_dict = self.connection.settings_dict
        if not settings_dict["TEST"]["NAME"] and not settings_dict["NAME"]:
            # NAME may come from the path of a URI in HOST.
            return TEST_DATABASE_PREFIX + self.connection.get_connection_settings().database
        return super()._get_test_db_name()

    def _database_exists(self, name):
        wrapper = self.connection.__class__({**self.connection.settings_dict, "NAME": name}, alias=NO_DB_ALIAS)
        try:
            wrapper.ensure_connection()
            with wrapper.wrap_database_errors:
                return bool(wrapper.connection.tables())
        finally:
            wrapper.close()

    def _execute_create_test_db(self, cursor, parameters, keepdb=False):
        name = parameters["dbname"].strip('"')
        if self._database_exists(name):
            if keepdb:
                return
            raise ProgrammingError(f'database "{name}" already exists')
        cursor.execute("CREATE DATABASE %(dbname)s" % parameters)

    def _clone_test_db(self, suffix, verbosity, keepdb=False):
        source = self.connection.settings_dict["NAME"]
        target = self.get_test_db_clone_settings(suffix)["NAME"]
        if keepdb and self._database_exists(target):
            return
        with self._nodb_cursor() as cursor:
            cursor.execute("DROP DATABASE %s" % self.connection.ops.quote_name(target))
        self._copy_database(source, target)

    def _copy_database(self, source, target):
        """Copy collections with options, indexes and documents; the server does it, nothing passes through here."""
        from pymongo import MongoClient

        with MongoClient(self.connection.get_connection_settings().uri) as client:
            for info in client[source].list_collections():
                name = info["name"]
                if info.get("type", "collection") != "collection" or name.startswith("system."):
                    continue
                client[target].command("create", name, **info.get("options", {}))
                indexes = [
                    {key: value for key, value in index.items() if key not in ("v", "ns")}
                    for index in client[source][name].list_indexes()
                    if index["name"] != "_id_"
                ]
                if indexes:
                    client[target].command("createIndexes", name, indexes=indexes)
                client[source][name].aggregate([{"$merge": {"into": {"db": target, "coll": name}, "whenMatched": "fail"}}])
