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
        found = [model for model in found if any(field.column == column for field in model._meta.local_concrete_fields)]
    if connection.enforce_schema and kind != "undescribed":
        if found:
            name = f'column "{column}" of table "{table}"' if column else f'table "{table}"'
            raise MigrationError(f"the {name} of model {found[0]._meta.label} is not in the database: run migrate (ENFORCE_SCHEMA is on)")
        return None
    if kind == "table":
        found = [model for model in found if model._meta.managed]
        return create_sql(connection, found[0]) if found else None
    return [adopt_sql(connection, found, table)] if found else None


def models_of(table):
    """The installed models that lie in this table; those that migrations manage come first."""
    found = [
        model
        for model in [*apps.get_models(include_auto_created=True, include_swapped=True), MigrationRecorder.Migration]
        if model._meta.db_table == table and not model._meta.proxy and not model._meta.swapped
    ]
    return sorted(found, key=lambda model: not model._meta.managed)


def create_sql(connection, model):
    """The model's table with its indexes. Foreign keys wait for the migration: the tables that they lead to may not be there."""
    editor = connection.SchemaEditorClass(connection, collect_sql=True, atomic=False)
    editor.deferred_sql = []
    sql, params = editor.table_sql(model)
    statements = [connection.ops.compose_sql(sql, params) if params else sql]
    statements[0] += " WITH (IMPLICIT)"
    statements += [str(statement) for statement in editor._model_indexes_sql(model) if statement is not None]
    return statements


def adopt_sql(connection, models, table):
    quote = connection.ops.quote_name
    columns, key = {}, None
    for model in models:
        for field in model._meta.local_concrete_fields:
            if field.column is None or field.column in columns or getattr(field, "generated", False):
                continue
            db_type = field.db_parameters(connection)["type"]
            if db_type is None:
                continue
            definition = [quote(field.column), db_type]
            if not field.null:
                definition.append("NOT NULL")
            if field.primary_key and key is None and field.column:
                key = field.column
                definition.append("PRIMARY KEY")
                definition.append(field.db_type_suffix(connection) or "")
            columns[field.column] = " ".join(filter(None, definition))
    elements = list(columns.values())
    pk = models[0]._meta.pk
    if key is None and getattr(pk, "columns", None):
        elements.append("PRIMARY KEY (%s)" % ", ".join(map(quote, pk.columns)))
    return "CREATE TABLE %s (%s) WITH (ADOPT)" % (quote(table), ", ".join(elements))
