"""How Django's expressions and lookups are written in our SQL where their standard form isn't ours: `as_djongo` methods.

Most are what Django already does for PostgreSQL; the rest are below, one function each, with the reason why.
"""

from django.core.exceptions import FieldError
from django.db.models import DurationField, TextField
from django.db.models.fields import tuple_lookups
from django.db.models.fields.json import HasKeyLookup, KeyTransform
from django.db.models.functions import Cast, ConcatPair, Extract, JSONObject, Now, StrIndex
from django.db.models.lookups import IExact, PatternLookup, PostgresOperatorLookup
from django.db.models.sql import Query

from .operations import TEXT_FIELDS

try:
    from django.db.models.functions import JSONArray
except ImportError:  # Django < 5.2
    JSONArray = None


def register():
    for expression in (ConcatPair, HasKeyLookup, KeyTransform, PostgresOperatorLookup):
        expression.as_djongo = as_postgresql
    Extract.as_djongo = extract
    IExact.as_djongo = iexact
    PatternLookup.as_djongo = pattern
    JSONObject.as_djongo = json_object
    if JSONArray:
        JSONArray.as_djongo = json_array
    Now.as_djongo = now
    StrIndex.as_djongo = str_index
    for name in ("TupleExact", "TupleGreaterThan", "TupleGreaterThanOrEqual", "TupleLessThan", "TupleLessThanOrEqual", "TupleIn"):
        getattr(tuple_lookups, name).as_djongo = tuple_lookup


def as_postgresql(self, compiler, connection, **extra_context):
    # Looked up on the instance, so that subclasses (HasKeyLookup of PostgresOperatorLookup) give their own.
    return self.as_postgresql(compiler, connection, **extra_context)


# Extracted from a duration: seconds of the part, and of the part that it is counted in.
DURATION_PARTS = {"day": (86400, None), "hour": (3600, 86400), "minute": (60, 3600), "second": (1, 60)}


def extract(self, compiler, connection):
    """Of a duration: the parts that the timedelta has, where days may be negative and hours, minutes and seconds are not."""
    if not isinstance(self.lhs.output_field, DurationField) or self.tzinfo is not None or self.lookup_name not in DURATION_PARTS:
        return self.as_sql(compiler, connection)
    part, whole = DURATION_PARTS[self.lookup_name]
    sql, params = compiler.compile(self.lhs)
    count = f"FLOOR(EXTRACT(EPOCH FROM {sql}) / {part})"
    if whole:
        count += f" - FLOOR(EXTRACT(EPOCH FROM {sql}) / {whole}) * {whole // part}"
    return f"CAST({count} AS integer)", (*params, *params) if whole else params


def iexact(self, compiler, connection):
    """A value is escaped for ILIKE in Python; an expression can't be, and its % and _ must not become wildcards. Case-insensitive text is just equal."""
    if getattr(self.lhs.output_field, "db_collation", None) == "case_insensitive":
        return _text_pair(self, compiler, connection, "{0} = {1}")
    if self.rhs_is_direct_value() and not self.bilateral_transforms:
        return self.as_sql(compiler, connection)
    return _text_pair(self, compiler, connection, "UPPER({0}) = UPPER({1})")


# What the LIKE with a pattern made of an expression says, without escaping the expression in SQL.
PATTERNS = {
    "contains": "STRPOS({0}, {1}) > 0",
    "startswith": "STARTS_WITH({0}, {1})",
    "endswith": "STARTS_WITH(REVERSE({0}), REVERSE({1}))",
}


def pattern(self, compiler, connection):
    if self.rhs_is_direct_value() and not self.bilateral_transforms:
        return self.as_sql(compiler, connection)
    name = self.lookup_name
    if name in PATTERNS:
        return _text_pair(self, compiler, connection, PATTERNS[name])
    return _text_pair(self, compiler, connection, PATTERNS[name.removeprefix("i")].format("UPPER({0})", "UPPER({1})"))


def _text_pair(self, compiler, connection, template):
    lhs, lhs_params = self.process_lhs(compiler, connection)
    # Past PatternLookup's own, which writes % around parameters.
    rhs, rhs_params = super(PatternLookup if isinstance(self, PatternLookup) else IExact, self).process_rhs(compiler, connection)
    if not _is_text(self.rhs):
        rhs = f"({rhs})::text"
    return template.format(lhs, rhs), (*lhs_params, *rhs_params)


def _is_text(expression):
    try:
        internal_type = expression.output_field.get_internal_type()
    except (AttributeError, FieldError):
        return True  # a value, or something that only the database knows the type of
    return internal_type in TEXT_FIELDS


def json_object(self, compiler, connection, **extra_context):
    copy = self.copy()
    copy.set_source_expressions(
        [
            Cast(expression, TextField()) if index % 2 == 0 else expression
            for index, expression in enumerate(copy.get_source_expressions())
        ]
    )
    return super(JSONObject, copy).as_sql(compiler, connection, function="JSONB_BUILD_OBJECT", **extra_context)


def json_array(self, compiler, connection, **extra_context):
    return self.as_sql(compiler, connection, function="JSONB_BUILD_ARRAY", **extra_context)


def now(self, compiler, connection, **extra_context):
    return self.as_sql(compiler, connection, template=connection.ops.now_sql().replace("%", "%%"), **extra_context)


def str_index(self, compiler, connection, **extra_context):
    return self.as_sql(compiler, connection, function="STRPOS", **extra_context)


def tuple_lookup(self, compiler, connection):
    """(a, b) > (1, 2) and the like as AND and OR of columns, which indexes answer; with a subquery as it is."""
    if isinstance(self.rhs, Query) or not connection.features.supports_tuple_lookups:
        return self.as_sql(compiler, connection)
    return self.get_fallback_sql(compiler, connection)
