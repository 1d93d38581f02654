"""manage.py djongo_convert: the documents of django-mongodb-backend in djongo's layout.

Most of it is the same. Three kinds of values are not, and no reader could tell them apart:

    DurationField   milliseconds              ->  microseconds
    UUIDField       32 hexadecimal digits     ->  binary, subtype 4
    TimeField       a date of the year 1      ->  of the year 1900, as djongo always had it

at any depth of embedded documents and arrays, and in foreign keys. Each batch is a transaction that also remembers how far it came, in the collection
__djongo_convert, so that the command can be interrupted and run again; a collection that is done becomes a declared table and is never converted twice.
"""

import datetime
import uuid

from bson import Binary
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections, models, router

from djongo.implicit import adopt_sql, stored_models
from djongo.pymongo import client, database

PROGRESS = "__djongo_convert"
BATCH = 500


class Command(BaseCommand):
    help = "Converts a database that django-mongodb-backend wrote, once: durations, UUIDs and times. Stop the site first."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser):
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=tuple(connections), help="alias of the database")
        parser.add_argument("--dry-run", action="store_true", help="count what would be converted")

    def handle(self, *, database: str, dry_run, **options):
        connection = connections[database]
        if connection.vendor != "djongo":
            raise CommandError(f"The database {database!r} isn't djongo's.")
        connection.ensure_connection()
        if not connection.features.supports_transactions and not dry_run:
            raise CommandError("The conversion needs transactions: a replica set, one member is enough.")
        for model in stored_models():
            if router.allow_migrate_model(database, model):
                self._model(connection, model, dry_run)
        if not dry_run:
            _database(connection).drop_collection(PROGRESS)

    def _model(self, connection, model, dry_run):
        table = model._meta.db_table
        try:
            known = connection.connection.table(table)
        except connection.Database.Error:
            return  # there is no such collection
        if known.get("declared", True):
            return
        fields = {field.column: convert for field in model._meta.local_concrete_fields if (convert := converter(field))}
        changed = self._convert(connection, table, fields, dry_run) if fields else 0
        if changed:
            self.stdout.write(f"{model._meta.label}: {changed} document{'s' * (changed != 1)}{' to convert' if dry_run else ''}")
        if not dry_run:
            with connection.schema_editor() as editor:
                editor.execute(adopt_sql(connection, [model], table), None)

    def _convert(self, connection, table, fields, dry_run):
        from pymongo import UpdateOne

        db = _database(connection)
        progress = db[PROGRESS].find_one({"_id": table}) or {}
        changed, last = 0, progress.get("last")
        while True:
            query = {"_id": {"$gt": last}} if last is not None else {}
            documents = list(db[table].find(query, dict.fromkeys(fields, 1)).sort("_id", 1).limit(BATCH))
            if not documents:
                return changed
            last = documents[-1]["_id"]
            updates = []
            for document in documents:
                new = {name: convert(document[name]) for name, convert in fields.items() if document.get(name) is not None}
                new = {name: value for name, value in new.items() if value != document[name] or type(value) is not type(document[name])}
                if new:
                    updates.append(UpdateOne({"_id": document["_id"]}, {"$set": new}))
            changed += len(updates)
            if dry_run:
                continue

            def write(session, updates=updates, last=last):
                if updates:
                    db[table].bulk_write(updates, session=session)
                db[PROGRESS].update_one({"_id": table}, {"$set": {"last": last}}, upsert=True, session=session)

            with client(connection.alias).start_session() as session:
                session.with_transaction(write)


def _database(connection):
    return database(connection.alias)


def converter(field):
    """A function of a stored value that isn't None, or None: the field's values are the same in both layouts."""
    while field.is_relation and getattr(field, "target_field", None) is not None:
        field = field.target_field
    if isinstance(field, models.DurationField):
        return lambda value: value * 1000 if isinstance(value, int) else value
    if isinstance(field, models.UUIDField):
        return lambda value: Binary(uuid.UUID(hex=value).bytes, 4) if isinstance(value, str) else value
    if isinstance(field, models.TimeField):
        return lambda value: value.replace(year=1900, month=1, day=1) if isinstance(value, datetime.datetime) else value
    base = getattr(field, "base_field", None)
    if isinstance(base, models.Field):
        inner = converter(base)
        return inner and (lambda value: [item if item is None else inner(item) for item in value] if isinstance(value, list) else value)
    inner = {}
    for container in getattr(field, "containers", None) or ():
        inner.update({g.attname: convert for g in container._meta.local_concrete_fields if (convert := converter(g))})
    if not inner:
        return None

    def document(value):
        if not isinstance(value, dict):
            return value
        return {key: inner[key](item) if key in inner and item is not None else item for key, item in value.items()}

    return document
