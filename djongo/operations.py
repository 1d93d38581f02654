"""SQL fragments and value conversions. The dialect is PostgreSQL's wherever there is a choice.

Two differences are deliberate. Units and zone names of date functions are literals in the text, not parameters, so that the same
expression in SELECT and GROUP BY is the same text. And with USE_TZ = False a timestamp holds the wall-clock time as it is given
(as it always did in djongo), so functions of the current time are moved to settings.TIME_ZONE.
"""

import datetime
import decimal
import json
import math
import uuid

from django.conf import settings
from django.db import DataError
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.utils import split_tzname_delta
from django.db.models import TextField
from django.db.models.constants import OnConflict
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.regex_helper import _lazy_re_compile

from . import _sqm as Database

# Lookups that work on text, and field types whose columns need no cast for them.
TEXT_LOOKUPS = frozenset(
    ["iexact", "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "regex", "iregex"]
)
TEXT_FIELDS = frozenset(
    ["CharField", "FileField", "FilePathField", "GenericIPAddressField", "IPAddressField", "SlugField", "TextField"]
)
TRUNC_UNITS = frozenset(["year", "quarter", "month", "week", "day", "hour", "minute", "second"])


class DatabaseOperations(BaseDatabaseOperations):
    compiler_module = "djongo.compiler"
    cast_char_field_without_max_length = "varchar"
    cast_data_types = {
        "AutoField": "integer",
        "BigAutoField": "bigint",
        "SmallAutoField": "smallint",
    }
    explain_prefix = "EXPLAIN"
    explain_options = frozenset(["ANALYZE", "VERBOSE"])

    # --- dates -----------------------------------------------------------------------------------

    _unit_re = _lazy_re_compile(r"[A-Z_]+")

    def date_extract_sql(self, lookup_type, sql, params):
        if lookup_type == "week_day":
            # Sunday is 1 and Saturday 7 on every backend.
            return f"EXTRACT(DOW FROM {sql}) + 1", params
        if lookup_type == "iso_week_day":
            return f"EXTRACT(ISODOW FROM {sql})", params
        if lookup_type == "iso_year":
            return f"EXTRACT(ISOYEAR FROM {sql})", params
        return f"EXTRACT({self._unit(lookup_type)} FROM {sql})", params

    def _unit(self, lookup_type):
        unit = lookup_type.upper()
        if not self._unit_re.fullmatch(unit):
            raise ValueError(f"Invalid lookup type: {lookup_type!r}")
        return unit

    def _trunc(self, lookup_type, sql):
        unit = lookup_type.lower()
        if unit not in TRUNC_UNITS:
            raise DataError(f"Invalid unit of time: {lookup_type!r}")
        return f"DATE_TRUNC('{unit}', {sql})"

    def _convert_sql_to_tz(self, sql, params, tzname):
        if tzname and settings.USE_TZ:
            return f"{sql} AT TIME ZONE {self._zone_sql(tzname)}", params
        return sql, params

    def _zone_sql(self, tzname):
        tzname, sign, offset = split_tzname_delta(tzname)
        if offset:
            # POSIX: what lies east of Greenwich has a minus.
            tzname = f"{tzname}{'-' if sign == '+' else '+'}{offset}"
        return self.literal(tzname).replace("%", "%%")

    def date_trunc_sql(self, lookup_type, sql, params, tzname=None):
        sql, params = self._convert_sql_to_tz(sql, params, tzname)
        return self._trunc(lookup_type, sql), params

    def datetime_cast_date_sql(self, sql, params, tzname):
        sql, params = self._convert_sql_to_tz(sql, params, tzname)
        return f"({sql})::date", params

    def datetime_cast_time_sql(self, sql, params, tzname):
        sql, params = self._convert_sql_to_tz(sql, params, tzname)
        return f"({sql})::time", params

    def datetime_extract_sql(self, lookup_type, sql, params, tzname):
        sql, params = self._convert_sql_to_tz(sql, params, tzname)
        return self.time_extract_sql(lookup_type, sql, params)

    def time_extract_sql(self, lookup_type, sql, params):
        if lookup_type == "second":
            # Without the fraction.
            sql = self._trunc("second", sql)
        return self.date_extract_sql(lookup_type, sql, params)

    def datetime_trunc_sql(self, lookup_type, sql, params, tzname):
        return self.date_trunc_sql(lookup_type, sql, params, tzname)

    def time_trunc_sql(self, lookup_type, sql, params, tzname=None):
        sql, params = self._convert_sql_to_tz(sql, params, tzname)
        return f"{self._trunc(lookup_type, sql)}::time", params

    def now_sql(self):
        if settings.USE_TZ:
            return "STATEMENT_TIMESTAMP()"
        return f"(STATEMENT_TIMESTAMP() AT TIME ZONE {self._zone_sql(settings.TIME_ZONE)})"

    def subtract_temporals(self, internal_type, lhs, rhs):
        if internal_type == "DateField":
            (lhs_sql, lhs_params), (rhs_sql, rhs_params) = lhs, rhs
            # The difference of two dates would be a number of days.
            return f"(CAST({lhs_sql} AS timestamp) - CAST({rhs_sql} AS timestamp))", (*lhs_params, *rhs_params)
        return super().subtract_temporals(internal_type, lhs, rhs)

    # --- expressions and lookups ------------------------------------------------------------------

    def combine_expression(self, connector, sub_expressions):
        if connector == "^":
            return "POWER(%s)" % ", ".join(sub_expressions)
        return super().combine_expression(connector, sub_expressions)

    def lookup_cast(self, lookup_type, internal_type=None):
        if lookup_type in TEXT_LOOKUPS and internal_type not in TEXT_FIELDS:
            return "(%s)::text"
        return "%s"

    def prepare_join_on_clause(self, lhs_table, lhs_field, rhs_table, rhs_field):
        """Generic relations may compare a number or a UUID with a text: as texts, since not every text is one of these."""
        lhs, rhs = super().prepare_join_on_clause(lhs_table, lhs_field, rhs_table, rhs_field)
        lhs_is_text, rhs_is_text = (self._is_text_type(field.db_type(self.connection)) for field in (lhs_field, rhs_field))
        if lhs_is_text and not rhs_is_text:
            rhs = Cast(rhs, TextField())
        elif rhs_is_text and not lhs_is_text:
            lhs = Cast(lhs, TextField())
        return lhs, rhs

    @staticmethod
    def _is_text_type(db_type):
        return (db_type or "").startswith(("varchar", "text", "char"))

    def unification_cast_sql(self, output_field):
        # A bare parameter has no type by itself; in a UNION it takes the field's.
        if output_field.get_internal_type() in ("GenericIPAddressField", "IPAddressField", "TimeField", "UUIDField"):
            return "CAST(%%s AS %s)" % output_field.db_type(self.connection).split("(")[0]
        return "%s"

    def distinct_sql(self, fields, params):
        if fields:
            return ["DISTINCT ON (%s)" % ", ".join(fields)], [param for param_list in params for param in param_list]
        return ["DISTINCT"], []

    def no_limit_value(self):
        return None

    def quote_name(self, name):
        if name.startswith('"') and name.endswith('"'):
            return name  # Quoting once is enough.
        return '"%s"' % name.replace('"', '""')

    def deferrable_sql(self):
        return " DEFERRABLE INITIALLY DEFERRED"

    def explain_query_prefix(self, format=None, **options):
        extra = []
        for name in list(options):
            if name.upper() in self.explain_options:
                extra.append(f"{name.upper()} {'true' if options.pop(name) else 'false'}")
        prefix = super().explain_query_prefix(format, **options)
        if format:
            extra.append(f"FORMAT {format.upper()}")
        return f"{prefix} ({', '.join(extra)})" if extra else prefix

    # --- writing ----------------------------------------------------------------------------------

    def bulk_batch_size(self, fields, objs):
        columns = sum(len(getattr(field, "fields", None) or (field,)) for field in fields)  # a composite key has several
        return max(self.connection.features.max_query_params // columns, 1) if columns else len(objs)

    # Django 5.2's names; Django 6 has these in the base class as returning_columns and fetch_returned_rows.
    def return_insert_columns(self, fields):
        if not fields:
            return "", ()
        columns = (f"{self.quote_name(f.model._meta.db_table)}.{self.quote_name(f.column)}" for f in fields)
        return f"RETURNING {', '.join(columns)}", ()

    def fetch_returned_insert_rows(self, cursor):
        return cursor.fetchall()

    def on_conflict_suffix_sql(self, fields, on_conflict, update_fields, unique_fields):
        if on_conflict == OnConflict.IGNORE:
            return "ON CONFLICT DO NOTHING"
        if on_conflict == OnConflict.UPDATE:
            targets = ", ".join(map(self.quote_name, unique_fields))
            updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in map(self.quote_name, update_fields))
            return f"ON CONFLICT({targets}) DO UPDATE SET {updates}"
        return super().on_conflict_suffix_sql(fields, on_conflict, update_fields, unique_fields)

    def sql_flush(self, style, tables, *, reset_sequences=False, allow_cascade=False):
        if not tables:
            return []
        # One statement for all, whatever refers to what.
        parts = [style.SQL_KEYWORD("TRUNCATE"), ", ".join(style.SQL_FIELD(self.quote_name(table)) for table in tables)]
        if reset_sequences:
            parts.append(style.SQL_KEYWORD("RESTART IDENTITY"))
        if allow_cascade:
            parts.append(style.SQL_KEYWORD("CASCADE"))
        return ["%s;" % " ".join(parts)]

    def sequence_reset_by_name_sql(self, style, sequences):
        return [
            "%s setval(pg_get_serial_sequence('%s','%s'), 1, false);"
            % (
                style.SQL_KEYWORD("SELECT"),
                style.SQL_TABLE(self.quote_name(sequence["table"])),
                style.SQL_FIELD(sequence["column"] or "id"),
            )
            for sequence in sequences
        ]

    def sequence_reset_sql(self, style, model_list):
        from django.db.models import AutoField

        output = []
        for model in model_list:
            for field in model._meta.local_fields:
                if isinstance(field, AutoField) and field.get_internal_type() in self.cast_data_types:
                    table = style.SQL_TABLE(self.quote_name(model._meta.db_table))
                    column = style.SQL_FIELD(self.quote_name(field.column))
                    output.append(
                        f"{style.SQL_KEYWORD('SELECT')} setval(pg_get_serial_sequence('{table}','{style.SQL_FIELD(field.column)}'),"
                        f" coalesce(max({column}), 1), max({column}) {style.SQL_KEYWORD('IS NOT')} null)"
                        f" {style.SQL_KEYWORD('FROM')} {table};"
                    )
                    break  # A model has at most one.
        return output

    def prepare_sql_script(self, sql):
        # djongo has no client-side splitter to trust with a script: sqlparse, which Django requires, does it.
        return super().prepare_sql_script(sql)

    # --- values in ---------------------------------------------------------------------------------

    def adapt_datefield_value(self, value):
        return value

    def adapt_datetimefield_value(self, value):
        if isinstance(value, datetime.datetime) and timezone.is_aware(value) and not settings.USE_TZ:
            return timezone.make_naive(value, timezone.get_default_timezone())
        return value

    def adapt_durationfield_value(self, value):
        return value

    def adapt_timefield_value(self, value):
        if isinstance(value, datetime.time) and value.tzinfo is not None:
            raise ValueError("djongo does not support timezone-aware times.")
        return value

    def adapt_decimalfield_value(self, value, max_digits=None, decimal_places=None):
        return value

    def adapt_ipaddressfield_value(self, value):
        return value or None

    def adapt_json_value(self, value, encoder):
        # Through JSON text: what an encoder makes of a value, and the errors for what JSON can't hold, are Python's.
        text = json.dumps(value, cls=encoder)
        try:
            return Database.Json(json.loads(text))
        except ValueError as error:
            raise DataError(f"the encoder {encoder.__name__} made text that isn't JSON: {error}") from error

    # --- values out --------------------------------------------------------------------------------

    def get_db_converters(self, expression):
        converters = super().get_db_converters(expression)
        internal_type = expression.output_field.get_internal_type()
        if internal_type == "DateTimeField" and settings.USE_TZ:
            converters.append(convert_datetime)
        return converters

    # --- literals ------------------------------------------------------------------------------------

    def literal(self, value):
        """The value as SQL text, for DDL and for showing queries. % is not doubled."""
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return int.__repr__(value)
        if isinstance(value, float):
            return float.__repr__(value) if math.isfinite(value) else f"'{float.__repr__(value)}'::double precision"
        if isinstance(value, decimal.Decimal):
            return f"'{value}'::numeric"
        if isinstance(value, str):
            return "'%s'" % value.replace("'", "''")
        if isinstance(value, (bytes, bytearray, memoryview)):
            return f"'\\x{bytes(value).hex()}'::bytea"
        if isinstance(value, datetime.datetime):
            if value.tzinfo is None:
                return f"'{value.isoformat()}'::timestamp"
            return f"'{value.astimezone(datetime.timezone.utc).isoformat()}'::timestamptz"
        if isinstance(value, datetime.date):
            return f"'{value.isoformat()}'::date"
        if isinstance(value, datetime.time):
            return f"'{value.isoformat()}'::time"
        if isinstance(value, datetime.timedelta):
            return f"INTERVAL '{value // datetime.timedelta(microseconds=1)} microseconds'"
        if isinstance(value, uuid.UUID):
            return f"'{value}'::uuid"
        if isinstance(value, Database.Json):
            return self.literal(json.dumps(value.value)) + "::jsonb"
        if isinstance(value, dict) or (isinstance(value, list) and (not value or isinstance(value[0], (dict, list)))):
            return self._document_literal(value)
        if isinstance(value, (list, tuple)):
            return "ARRAY[%s]" % ", ".join(map(self.literal, value))
        if type(value).__name__ == "ObjectId":
            return f"'{value}'::objectid"
        raise DataError(f"a value of type {type(value).__name__} can't be written as SQL text")

    def _document_literal(self, value):
        """A document or an array of such as JSON text, which can't say all that BSON can."""
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise DataError(f"a document can't be written as SQL text: {error}") from error
        return self.literal(text) + ("::document" if isinstance(value, dict) else "::array")

    def compose_sql(self, sql, params):
        """The statement with its parameters as literals, and %% as %."""
        if isinstance(params, dict):
            return sql % {name: self.literal(value) for name, value in params.items()}
        return sql % tuple(map(self.literal, params or ()))

    def last_executed_query(self, cursor, sql, params):
        # What an execute wrapper has made of it.
        sql = getattr(cursor, "query", None) or sql
        if params is None:
            return sql
        try:
            return self.compose_sql(sql, params)
        except (DataError, TypeError, ValueError, KeyError):
            return super().last_executed_query(cursor, sql, params)


def convert_datetime(value, expression, connection):
    """A column whose type only the values tell comes as naive UTC."""
    return value.replace(tzinfo=datetime.timezone.utc) if value is not None and value.tzinfo is None else value
