"""Tables from models, without a migration: what a statement names and the catalogue lacks is declared as the installed models say.

In:  what the core asks for by Connection.define (kind, table, column). Out: CREATE TABLE statements, or None: no installed model knows that name, and the statement
fails as any statement with a wrong name does.

    "table"        there is no such collection         the model's whole table, WITH (IMPLICIT): a migration may still create it properly
    "column"       a table without that column         the columns that it lacks, WITH (ADOPT)
    "collection"   there, but nobody declared it       the model's columns over what is stored, WITH (ADOPT): nothing in it changes
    "undescribed"  declared by djongo 1.3              likewise: its type codes don't tell a date from a time

With ENFORCE_SCHEMA only the last kind is answered: all others are MigrationErrors until `migrate` has run.
"""

from django.apps import apps
from django.db.migrations.recorder import MigrationRecorder

from .exceptions import MigrationError


def define(connection, kind, table, column):
    connection.known_gaps = None, 0
    if not apps.models_ready:
        return None
    found = models_of(table)
    if column is not None:
        found = [model for model in found if column in [*(field.column for field in model._meta.local_concrete_fields), *array_columns(model, connection)]]
    if connection.enforce_schema and kind != "undescribed":
        if found:
            name = f'column "{column}" of table "{table}"' if column else f'table "{table}"'
            raise MigrationError(f"the {name} of model {found[0]._meta.label} is not in the database: run migrate (ENFORCE_SCHEMA is on)")
        return None
    if kind == "table":
        found = [model for model in found if model._meta.managed]
        return create_sql(connection, found[0]) if found else None
    if kind == "collection" and found:
        refuse_unconverted(connection, found[0])
    return [adopt_sql(connection, found, table)] if found else None


def refuse_unconverted(connection, model):
    """django-mongodb-backend keeps durations, UUIDs and times in another form, which would be misread."""
    from .management.commands.djongo_convert import converter
    from .pymongo import database

    if not any(converter(field) for field in model._meta.local_concrete_fields):
        return
    db = database(connection.alias)
    written = db["django_migrations"].find_one({}, {"id": 1})
    declared = db["__schema__"].find_one({"name": "django_migrations"}) or {"legacy": True}
    by_djongo = written is None or "id" in written or not declared.get("legacy")
    if not by_djongo and db[model._meta.db_table].find_one({}, {"_id": 1}):
        raise MigrationError(
            f'collection "{model._meta.db_table}" looks like django-mongodb-backend\'s, which keeps durations, UUIDs and times in another form:'
            " run `manage.py djongo_convert` (docs/from-django-mongodb-backend.md)"
        )


def stored_models():
    """The installed models that have a collection."""
    from .arrays import array_tables

    found = [*apps.get_models(include_auto_created=True, include_swapped=True), MigrationRecorder.Migration]
    return [model for model in found if not (model._meta.proxy or model._meta.swapped or model._meta.db_table in array_tables)]


def models_of(table):
    """The installed models that lie in this table; those that migrations manage come first."""
    return sorted((model for model in stored_models() if model._meta.db_table == table), key=lambda model: not model._meta.managed)


def array_columns(model, connection):
    """{column: type} of the relations that the model keeps in arrays."""
    tables = [field.remote_field.through._meta.array_table for field in model._meta.local_many_to_many if hasattr(field, "keys_column")]
    return {table.column: table.array_type(connection) for table in tables}


def create_sql(connection, model):
    """The model's table with its indexes. Foreign keys wait for the migration: the tables that they lead to may not be there."""
    editor = connection.SchemaEditorClass(connection, collect_sql=True, atomic=False)
    editor.deferred_sql = []
    sql, params = editor.table_sql(model)
    statements = [connection.ops.compose_sql(sql, params) if params else sql]
    statements[0] += " WITH (IMPLICIT)"
    for column, db_type in array_columns(model, connection).items():
        names = connection.ops.quote_name(model._meta.db_table), connection.ops.quote_name(column)
        statements.append("ALTER TABLE %s ADD COLUMN %s %s NULL" % (*names, db_type))
        index = editor._create_index_name(model._meta.db_table, [column])
        statements.append("CREATE INDEX %s ON %s (%s)" % (connection.ops.quote_name(index), *names))
    statements += [str(statement) for statement in editor._model_indexes_sql(model) if statement is not None]
    return statements


def adopt_sql(connection, models, table):
    quote = connection.ops.quote_name
    columns, key = {}, None
    for model in models:
        for field in model._meta.local_concrete_fields:
            if field.column is None or field.column in columns or getattr(field, "generated", False):
                continue
            parameters = field.db_parameters(connection)
            if parameters["type"] is None:
                continue
            definition = [quote(field.column), parameters["type"]]
            if parameters.get("collation"):
                definition.append(f"COLLATE {quote(parameters['collation'])}")
            if not field.null:
                definition.append("NOT NULL")
            if field.primary_key and key is None and field.column:
                key = field.column
                definition.append("PRIMARY KEY")
                definition.append(field.db_type_suffix(connection) or "")
            columns[field.column] = " ".join(filter(None, definition))
        for column, db_type in array_columns(model, connection).items():
            columns.setdefault(column, f"{quote(column)} {db_type}")
    elements = list(columns.values())
    pk = models[0]._meta.pk
    if key is None and getattr(pk, "columns", None):
        elements.append("PRIMARY KEY (%s)" % ", ".join(map(quote, pk.columns)))
    return "CREATE TABLE %s (%s) WITH (ADOPT)" % (quote(table), ", ".join(elements))
