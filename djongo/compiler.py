"""Django's compilers, with a difference for SELECT: what a column's field would make of a cell is left out where the cell can come as it is wanted.

A model with containers is loaded without decoding them: the cursor hands over Document and Array objects (Cursor.formats), no converter runs for these
columns, and the field's attribute makes the value on access. values(), annotations and raw() know no such attribute: there the converters run.
djongo's JSONField gets Python objects with all of BSON's types, where Django's gets JSON text.

A column declared over documents that were there may be missing in them, and then reads as its field's default.

The other difference: the intermediate table of an ArrayReferenceField is read off the arrays of keys, and written in them (arrays.py).
"""

import functools
import re

from django.db.models.expressions import Col, ColPairs
from django.db.models.sql import AND, Query, compiler
from django.db.models.sql.constants import CURSOR, INNER, LOUTER, ROW_COUNT
from django.db.models.sql.query import RawQuery
from django.db.models.sql.where import WhereNode

from .arrays import array_tables

LAZY, NATIVE, ORDINARY = b"ln "
_whole_column = re.compile(r'"(?:[^"]|"")*" = \0')


class ArrayTables:
    """FROM and JOIN of tables that stand for arrays."""

    def compile(self, node):
        sql, params = super().compile(node)
        table = array_tables.get(getattr(node, "table_name", None)) if hasattr(node, "join_type") else None
        if table is None:
            return sql, params
        quote = self.quote_name_unless_alias
        name = quote(node.table_name)
        before = f"{node.join_type} " if node.join_type else ""
        if not sql.startswith(before + name):
            return sql, params
        after = sql[len(before + name) :]
        if node.table_alias == node.table_name:
            after = f" AS {name}{after}"
        owner = self.array_owner(table, node)
        conditions, own = self.array_conditions(table, node.table_alias, owner or '"o"')
        if owner is None:
            return before + table.derived_table(quote, conditions) + after, [*own, *params]
        if node.join_type == INNER and conditions:
            # The join's own condition is one of the owner's scan.
            after, params = f"{after.removesuffix(')')} AND {' AND '.join(conditions)})", [*params, *own]
        lateral = "LATERAL " if node.join_type else ""
        return f"{before}{lateral}{table.of_owner(quote, owner)}{after}", params

    def array_owner(self, table, node):
        """How SQL names the owner's row if the query has it already: the arrays need not be found again."""
        keys = table.key_column, table.source.column
        if node.join_type:
            parent = self.query.alias_map.get(node.parent_alias)
            if parent is not None and parent.table_name == table.owner._meta.db_table and tuple(node.join_cols) == (keys,):
                return self.quote_name_unless_alias(node.parent_alias)
            return None
        for lookup in _conjuncts(self.query.where):
            lhs, rhs = getattr(lookup, "lhs", None), getattr(lookup, "rhs", None)
            if isinstance(lhs, Col) and isinstance(rhs, Col) and lookup.lookup_name == "exact" and lhs.alias == node.table_alias:
                # A subquery about a row of the outer query.
                if (rhs.target.column, lhs.target.column) == keys and rhs.target.model._meta.db_table == table.owner._meta.db_table:
                    return self.compile(rhs)[0].rpartition(".")[0]
        return None

    def array_conditions(self, table, alias, owner):
        """Conditions that every row must fulfil anyhow, said of the document that holds the array."""
        conditions, params = [], []
        for lookup in _conjuncts(self.query.where):
            lhs = getattr(lookup, "lhs", None)
            if not isinstance(lhs, Col) or lhs.alias != alias or not lookup.rhs_is_direct_value():
                continue
            column = lhs.target.column
            if lookup.lookup_name not in ("exact", "in") or column not in (table.source.column, table.target.column):
                continue
            sql, some = lookup.process_rhs(self, self.connection)
            many = lookup.lookup_name == "in"
            quote = self.quote_name_unless_alias
            if column == table.source.column:
                conditions.append(f'{owner}.{quote(table.key_column)} {"IN" if many else "="} {sql}')
            else:
                values = sql.strip("()") if many else sql
                conditions.append(f'{owner}.{quote(table.column)} {"&&" if many else "@>"} ARRAY[{values}]')
            params.extend(some)
        return conditions, params


def _conjuncts(where):
    if not isinstance(where, WhereNode):
        yield where
    elif where.connector == AND and not where.negated:
        for child in where.children:
            yield from _conjuncts(child)


class SQLCompiler(ArrayTables, compiler.SQLCompiler):
    def execute_sql(self, *args, **kwargs):
        if self.connection.bulk_write is not None:
            self.connection.bulk_write.send()  # what was saved is seen
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
            field = expression.target if isinstance(expression, Col) else None
            if field is None or field.null or field.primary_key or not field.has_default():
                continue
            table = self._inner_table(expression.alias)
            if table is None or field.column not in self.connection.gaps(table):
                continue
            known, _ = converters.get(i, ((), expression))
            converters[i] = [*known, functools.partial(_default, field)], expression

    def _inner_table(self, alias):
        """The table that each row has a row of; None beyond an outer join, where NULL may be a row that isn't there."""
        if isinstance(self.query, RawQuery):
            return alias  # of a model's row, whose key is there
        join = self.query.alias_map.get(alias)
        return None if join is None or join.join_type == LOUTER else join.table_name

    def get_converters(self, expressions):
        converters = super().get_converters(expressions)
        if converters and self.select and len(expressions) == self.col_count:
            for i, format in enumerate(self.formats() or b""):
                if format != ORDINARY:
                    converters.pop(i, None)
        self._add_defaults(converters, expressions)
        return converters




def _default(field, value, expression, connection):
    return field.get_default() if value is None else value


class SQLInsertCompiler(compiler.SQLInsertCompiler):
    def execute_sql(self, returning_fields=None):
        table = array_tables.get(self.query.get_meta().db_table)
        bulk = self.connection.bulk_write
        if bulk is not None and table is None and bulk.insert(self.query, returning_fields):
            return []
        if table is None:
            return super().execute_sql(returning_fields)
        pairs = [
            tuple(field.get_db_prep_save(getattr(obj, field.attname), self.connection) for field in (table.source, table.target)) for obj in self.query.objs
        ]
        with self.connection.cursor() as cursor:
            table.add(cursor, self.connection.ops.quote_name, pairs)
        return []


class SQLDeleteCompiler(ArrayTables, compiler.SQLDeleteCompiler):
    def execute_sql(self, result_type=CURSOR, **kwargs):
        if self.connection.bulk_write is not None:
            self.connection.bulk_write.send()
        table = array_tables.get(self.query.get_meta().db_table)
        if table is None:
            return super().execute_sql(result_type, **kwargs)
        query = self.query.chain(klass=Query)
        query.clear_ordering(force=True)
        query.set_values([table.source.attname, table.target.attname])
        pairs = set(query.get_compiler(self.using, self.connection).results_iter(tuple_expected=True))
        with self.connection.cursor() as cursor:
            count = table.remove(cursor, self.connection.ops.quote_name, sorted(pairs))
            return cursor if result_type == CURSOR else count if result_type == ROW_COUNT else None


class SQLUpdateCompiler(ArrayTables, compiler.SQLUpdateCompiler):
    def execute_sql(self, result_type):
        bulk = self.connection.bulk_write
        if bulk is not None and bulk.update(self.query):
            return 1
        return super().execute_sql(result_type)

    def as_sql(self):
        """Changes of a field in terms of itself (models/expressions.py) learn here which field it is."""
        alias = self.query.get_initial_alias() if self.query.values else None
        self.query.values = [
            (field, model, value.bind(field.get_col(alias), self.query) if hasattr(value, "bind") else value) for field, model, value in self.query.values
        ]
        sql, params = super().as_sql()
        # Django writes `column = value`; a value that is a list of assignments to parts of the column begins with a NUL.
        return (_whole_column.sub("", sql) if "\0" in sql else sql), params


class SQLAggregateCompiler(ArrayTables, compiler.SQLAggregateCompiler):
    pass
