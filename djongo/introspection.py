"""What tables, columns and constraints there are, from the catalogue: information_schema.tables and Connection.table(name)."""

from collections import namedtuple

import django
from django.db import ProgrammingError
from django.db.backends.base.introspection import BaseDatabaseIntrospection
from django.db.backends.base.introspection import FieldInfo as BaseFieldInfo
from django.db.backends.base.introspection import TableInfo as BaseTableInfo
from django.db.models import Index

from .arrays import array_tables

FieldInfo = namedtuple("FieldInfo", [*BaseFieldInfo._fields, "is_autofield", "comment"])
TableInfo = namedtuple("TableInfo", [*BaseTableInfo._fields, "comment"])


class DatabaseIntrospection(BaseDatabaseIntrospection):
    sample_size = 1000
    data_types_reverse = {
        "array": "JSONField",
        "bigint": "BigIntegerField",
        "boolean": "BooleanField",
        "bytea": "BinaryField",
        "char": "CharField",
        "date": "DateField",
        "document": "JSONField",
        "double precision": "FloatField",
        "inet": "GenericIPAddressField",
        "integer": "IntegerField",
        "interval": "DurationField",
        "json": "JSONField",
        "jsonb": "JSONField",
        "numeric": "DecimalField",
        "real": "FloatField",
        "smallint": "SmallIntegerField",
        "text": "TextField",
        "time": "TimeField",
        "timestamp": "DateTimeField",
        "timestamp with time zone": "DateTimeField",
        "uuid": "UUIDField",
        "varchar": "CharField",
    }
    auto_fields = {"IntegerField": "AutoField", "BigIntegerField": "BigAutoField", "SmallIntegerField": "SmallAutoField"}

    def get_field_type(self, data_type, description):
        field_type = super().get_field_type(data_type, description)
        return self.auto_fields.get(field_type, field_type) if description.is_autofield else field_type

    def _connection(self, cursor):
        # The cursor proves that there is a connection; the catalogue is read through the connection itself.
        return self.connection.connection

    def _table(self, cursor, table_name):
        with self.connection.wrap_database_errors:
            return self._connection(cursor).table(table_name)

    def get_table_list(self, cursor):
        cursor.execute("SELECT table_name, table_type, table_comment FROM information_schema.tables")
        return [TableInfo(name, "v" if kind == "VIEW" else "t", comment) for name, kind, comment in cursor.fetchall()]

    def get_table_description(self, cursor, table_name):
        columns = self._table(cursor, table_name)["columns"]
        found = self._found_types(cursor, table_name, [column["name"] for column in columns if column["type"] == "unknown"])
        return [
            FieldInfo(
                name=column["name"],
                type_code=found.get(column["name"], column["type"]).split("(")[0].strip(),
                display_size=column.get("max_length"),
                internal_size=column.get("max_length"),
                precision=column.get("precision"),
                scale=column.get("scale"),
                null_ok=not column.get("not_null"),
                default=column.get("default"),
                collation=None if column.get("collation") == "default" else column.get("collation"),
                is_autofield=bool(column.get("auto")),
                comment=column.get("comment"),
            )
            for column in columns
        ]

    def _found_types(self, cursor, table_name, names):
        """{name: type} of undeclared columns whose values in a sample of rows are all of one type."""
        if not names:
            return {}
        quote = self.connection.ops.quote_name
        cursor.execute(f"SELECT {', '.join(f'pg_typeof({quote(name)})' for name in names)} FROM {quote(table_name)} LIMIT {self.sample_size}")
        kinds = [set(column) - {"unknown", None} for column in zip(*cursor.fetchall())]
        return {name: kind.pop() for name, kind in zip(names, kinds) if len(kind) == 1}

    def get_sequences(self, cursor, table_name, table_fields=()):
        if table_name in array_tables:
            return []
        return [
            {"table": table_name, "column": column["name"]}
            for column in self._table(cursor, table_name)["columns"]
            if column.get("auto")
        ]

    def get_relations(self, cursor, table_name):
        relations = {}
        for constraint in self._foreign(self._table(cursor, table_name)):
            other_table, other_column, *more = constraint["references"]
            if more:
                continue  # no relation that a model could have
            action = (self.on_delete_types[constraint["on_delete"]],) if django.VERSION >= (6, 1) else ()
            relations[constraint["columns"][0]] = (other_column, other_table, *action)
        return relations

    def foreign_keys(self, cursor, table_names=None):
        """(table, primary key column, columns, referenced table, referenced columns) of the foreign keys of these tables (None: of all)."""
        if table_names is None:
            with self.connection.wrap_database_errors:
                table_names = [table["name"] for table in self._connection(cursor).tables()]
        for name in table_names:
            try:
                table = self._table(cursor, name)
            except ProgrammingError:
                continue  # dropped meanwhile
            for constraint in self._foreign(table):
                columns = constraint["columns"]
                key = (table.get("primary_key") or columns)[0]
                yield name, key, columns, constraint["references"][0], constraint["references"][1:]

    @staticmethod
    def _foreign(table):
        return [constraint for constraint in table.get("constraints", ()) if constraint["kind"] == "foreign"]

    def get_constraints(self, cursor, table_name):
        table = self._table(cursor, table_name)
        constraints = {}
        for constraint in table.get("constraints", ()):
            kind = constraint["kind"]
            constraints[constraint["name"]] = {
                "columns": list(constraint["columns"]),
                "primary_key": kind == "primary",
                "unique": kind in ("primary", "unique"),
                "foreign_key": tuple(constraint["references"][:2]) if kind == "foreign" else None,
                "check": kind == "check",
                "index": False,
                "definition": None,
                "options": None,
            }
        key = list(table.get("primary_key") or ())
        if key and not any(constraint["primary_key"] for constraint in constraints.values()):
            constraints[f"{table_name}_pkey"] = {
                "columns": key,
                "primary_key": True,
                "unique": True,
                "foreign_key": None,
                "check": False,
                "index": False,
                "definition": None,
                "options": None,
            }
        for index in table.get("indexes", ()):
            if index["name"] in constraints:
                continue  # the index that carries a constraint
            constraints[index["name"]] = {
                "columns": [*_with_paths(index), *index.get("include", ())],
                "orders": ["DESC" if str(order).upper() in ("DESC", "-1") else "ASC" for order in index.get("orders", ())],
                "primary_key": False,
                "unique": bool(index.get("unique")),
                "foreign_key": None,
                "check": False,
                "index": True,
                "type": index.get("method") or Index.suffix,
                "definition": None,
                "options": index.get("options"),
            }
        return constraints


def _with_paths(index):
    """The keys; "blog.tagline" for a field within a document, None for an expression."""
    paths = index.get("paths") or [None] * len(index["columns"])
    return [f"{column}.{path}" if path else column for column, path in zip(index["columns"], paths)]
