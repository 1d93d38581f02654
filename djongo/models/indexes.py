"""MongoDB's own kinds of indexes for Meta.indexes.

    class Meta:
        indexes = [CompoundIndex(fields=["name", "-blog.tagline"], unique=True), TextIndex(fields=["title"], weights={"title": 3}, name="words")]

`fields` are model fields, "-" for descending, or inner fields of a document: "blog.tagline". Inner names are those of the documents. Each class is
`CREATE INDEX ... USING method (...) WITH (...)` of djongo's SQL (docs/sql.md); what MongoDB can't build is refused there, with the reason."""

import json

from django.db import NotSupportedError
from django.db.backends.ddl_references import Columns, Statement, Table
from django.db.backends.utils import names_digest, split_identifier
from django.db.models import Index, Q

__all__ = ["CompoundIndex", "HashedIndex", "TTLIndex", "TextIndex", "TwoDSphereIndex", "WildcardIndex"]


class MongoIndex(Index):
    """What they have in common. `method` is SQL's USING; `option_names` maps attributes to the names in WITH."""

    method = ""
    suffix = "idx"
    option_names = {"background": "background", "sparse": "sparse", "collation": "collation"}
    takes_all_fields = False

    def __init__(self, fields, name, unique, background, partial_filter, **options):
        if not isinstance(fields, (list, tuple)) or not all(isinstance(field, str) for field in fields):
            raise ValueError(f"{type(self).__name__}.fields must be a list of field names.")
        if not fields and not self.takes_all_fields:
            raise ValueError(f"{type(self).__name__} needs at least one field.")
        if not isinstance(partial_filter, (type(None), Q)):
            raise ValueError(f"{type(self).__name__}.partialFilterExpression must be a Q.")
        self.fields = list(fields)
        self.name = name or ""
        self.unique = unique
        self.options = {"background": background, **options}
        if options.get("collation") is not None:
            self.options["collation"] = getattr(options["collation"], "document", options["collation"])
        # What Django looks at: the model's own fields.
        self.paths = [(field.removeprefix("-").split("."), "DESC" if field.startswith("-") else "") for field in self.fields]
        self.fields_orders = [(path[0], order) for path, order in self.paths]
        self.db_tablespace = None
        self.opclasses = ()
        self.condition = partial_filter
        self.include = ()
        self.expressions = ()

    def deconstruct(self):
        values = {
            "fields": self.fields,
            "name": self.name,
            "unique": self.unique,
            "partialFilterExpression": self.condition,
            **self.options,
        }
        needless = (None, False)
        return f"{type(self).__module__}.{type(self).__qualname__}", (), {k: v for k, v in values.items() if v not in needless}

    def set_name_with_model(self, model):
        super().set_name_with_model(model)
        if any(len(path) > 1 for path, _ in self.paths) or not self.paths:
            _, table = split_identifier(model._meta.db_table)
            parts = [order[:1] + ".".join(path) for path, order in self.paths]
            digest = names_digest(table, *parts, self.suffix, length=6)
            first = self.paths[0][0][-1][:7] if self.paths else "all"
            self.name = f"{table[:11]}_{first}_{digest}_{self.suffix}".lstrip("_0123456789") or f"i{digest}"

    def create_sql(self, model, schema_editor, using="", **kwargs):
        connection = schema_editor.connection
        if connection.vendor != "djongo":
            raise NotSupportedError(f"{type(self).__name__} is an index of MongoDB.")
        table, quote = model._meta.db_table, schema_editor.quote_name
        columns = [".".join([model._meta.get_field(path[0]).column, *path[1:]]) for path, _ in self.paths] or ["*"]

        def quote_path(path):
            return path if path == "*" else ".".join(map(quote, path.split(".")))

        condition = self._get_condition_sql(model, schema_editor)
        return Statement(
            "CREATE %(unique)sINDEX %(name)s ON %(table)s%(using)s (%(columns)s)%(options)s%(condition)s",
            unique="UNIQUE " if self.unique else "",
            name=quote(self.name),
            table=Table(table, quote),
            using=f' USING "{self.method}"' if self.method else "",
            columns=Columns(table, columns, quote_path, col_suffixes=[order for _, order in self.paths]),
            options=self._options_sql(schema_editor),
            condition=f" WHERE {condition}" if condition else "",
        )

    def _options_sql(self, schema_editor):
        given = []
        for attribute, value in self.options.items():
            if value is None or value is False:
                continue
            if isinstance(value, dict):
                value = json.dumps(value)
            given.append(f"{self.option_names[attribute]} = {'true' if value is True else schema_editor.quote_value(value)}")
        return f" WITH ({', '.join(given)})" if given else ""

    def __repr__(self):
        _, _, kwargs = self.deconstruct()
        return f"<{type(self).__name__}: {' '.join(f'{key}={value!r}' for key, value in kwargs.items())}>"


class CompoundIndex(MongoIndex):
    def __init__(self, fields=(), name=None, unique=False, background=False, partialFilterExpression=None, sparse=False, collation=None):
        super().__init__(fields, name, unique, background, partialFilterExpression, sparse=sparse, collation=collation)


class TextIndex(MongoIndex):
    """A table has one at most; text_search() and the lookup of that name read it."""

    method, suffix = "text", "txt"
    option_names = {
        "background": "background",
        "weights": "weights",
        "default_language": "default_language",
        "language_override": "language_override",
        "textIndexVersion": "text_index_version",
    }

    def __init__(
        self, fields=(), name=None, unique=False, background=False, partialFilterExpression=None,
        weights=None, default_language="english", language_override=None, textIndexVersion=None,
    ):  # fmt: skip
        super().__init__(
            fields, name, unique, background, partialFilterExpression,
            weights=weights, default_language=default_language, language_override=language_override, textIndexVersion=textIndexVersion,
        )  # fmt: skip


class WildcardIndex(MongoIndex):
    """fields=["blog"]: everything within blog; without fields: everything."""

    method, suffix = "wildcard", "wld"
    takes_all_fields = True
    option_names = {"background": "background", "sparse": "sparse", "collation": "collation", "wildcardProjection": "wildcard_projection"}

    def __init__(
        self, fields=(), name=None, unique=False, background=False, partialFilterExpression=None, sparse=False, collation=None,
        wildcardProjection=None,
    ):  # fmt: skip
        # A wildcard index leaves out what a document lacks, with or without the option.
        super().__init__(
            fields, name, unique, background, partialFilterExpression, collation=collation, wildcardProjection=wildcardProjection
        )


class TwoDSphereIndex(MongoIndex):
    method, suffix = "2dsphere", "geo"
    option_names = {"background": "background", "sparse": "sparse", "collation": "collation", "min": "min", "max": "max"}

    def __init__(
        self, fields=(), name=None, unique=False, background=False, partialFilterExpression=None, sparse=False, collation=None,
        min=None, max=None,
    ):  # fmt: skip
        super().__init__(fields, name, unique, background, partialFilterExpression, sparse=sparse, collation=collation, min=min, max=max)


class HashedIndex(MongoIndex):
    method, suffix = "hashed", "hsh"

    def __init__(self, fields=(), name=None, unique=False, background=False, partialFilterExpression=None, sparse=False, collation=None):
        super().__init__(fields, name, unique, background, partialFilterExpression, sparse=sparse, collation=collation)


class TTLIndex(MongoIndex):
    """Rows disappear `expireAfterSeconds` after the date in `field`: MongoDB deletes them, about once a minute."""

    method, suffix = "ttl", "ttl"
    option_names = {**MongoIndex.option_names, "expireAfterSeconds": "expire_after_seconds"}

    def __init__(
        self, field=None, name=None, unique=False, background=False, partialFilterExpression=None, sparse=False, collation=None,
        expireAfterSeconds=None,
    ):  # fmt: skip
        if isinstance(expireAfterSeconds, bool) or not isinstance(expireAfterSeconds, int) or expireAfterSeconds < 0:
            raise ValueError("TTLIndex needs expireAfterSeconds, a number of seconds.")
        super().__init__(
            [field] if field else [], name, unique, background, partialFilterExpression,
            sparse=sparse, collation=collation, expireAfterSeconds=expireAfterSeconds,
        )  # fmt: skip

    def deconstruct(self):
        path, args, kwargs = super().deconstruct()
        kwargs["field"] = kwargs.pop("fields")[0]
        kwargs["expireAfterSeconds"] = self.options["expireAfterSeconds"]  # 0 is one
        return path, args, kwargs
