"""Django's compilers, with a difference for SELECT: what a column's field would make of a cell is left out where the cell can come as it is wanted.

A model with containers is loaded without decoding them: the cursor hands over Document and Array objects (Cursor.formats), no converter runs for these
columns, and the field's attribute makes the value on access. values(), annotations and raw() know no such attribute: there the converters run.
djongo's JSONField gets Python objects with all of BSON's types, where Django's gets JSON text.
And one more: a column declared over documents that were there may be missing in them, and then reads as its field's default.
"""

import functools

from django.db.models.expressions import ColPairs
from django.db.models.sql import compiler
from django.db.models.sql.compiler import SQLAggregateCompiler, SQLDeleteCompiler, SQLInsertCompiler, SQLUpdateCompiler  # noqa: F401
from django.db.models.sql.constants import LOUTER

LAZY, NATIVE, ORDINARY = b"ln "


class SQLCompiler(compiler.SQLCompiler):
    def execute_sql(self, *args, **kwargs):
        before = self.connection.reading
        self.connection.reading = self
        try:
            return super().execute_sql(*args, **kwargs)
        finally:
            self.connection.reading = before

    def formats(self):
        """For Cursor.formats, once the query is compiled: bytes, or None if there is nothing special."""
        if not self.select:
            return None
        found = bytearray([ORDINARY]) * len(self.select)
        for i, (expression, *_) in enumerate(self.select):
            if getattr(getattr(expression, "_output_field_or_none", None), "is_native_json", False):
                found[i] = NATIVE
        # values() has klass_info too, but not the default columns.
        infos = [self.klass_info] if self.klass_info and self.query.default_cols else []
        for info in infos:
            infos.extend(info.get("related_klass_infos", ()))
            for i in info["select_fields"]:
                if getattr(getattr(self.select[i][0], "target", None), "is_lazy", False):
                    found[i] = LAZY
        return bytes(found) if found.strip() else None

    def _add_defaults(self, converters, expressions):
        """What documents from before a column was declared lack reads as the field's default."""
        for i, expression in enumerate(expressions):
            if isinstance(expression, ColPairs):
                return  # a composite key: positions aren't columns
            field = getattr(expression, "target", None)
            if field is None or field.null or field.primary_key or not field.has_default():
                continue
            join = self.query.alias_map.get(expression.alias)
            if join is None or join.join_type == LOUTER or field.column not in self.connection.gaps(join.table_name):
                continue  # beyond an outer join, NULL may be a row that isn't there
            known, _ = converters.get(i, ((), expression))
            converters[i] = [*known, functools.partial(_default, field)], expression

    def get_converters(self, expressions):
        converters = super().get_converters(expressions)
        self._add_defaults(converters, expressions)
        if converters and self.select and len(expressions) == self.col_count:
            for i, format in enumerate(self.formats() or b""):
                if format != ORDINARY:
                    converters.pop(i, None)
        return converters


def _default(field, value, expression, connection):
    return field.get_default() if value is None else value
