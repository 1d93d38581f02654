"""QuerySets and managers that let PyMongo through: `Entry.objects.mongo_find({...})`.

`mongo_X` of a manager or QuerySet is X of the PyMongo collection behind the model, with PyMongo's arguments and results; it is PyMongo's connection, so it
takes no part in the transaction of atomic(). `mongo_find`, `mongo_find_one` and `mongo_aggregate` take `as_models=True` and then give instances of the
model: documents with an `_id` at least; what a document lacks is deferred or, of a whole document, the field's default.
"""

from django.core.exceptions import FieldError
from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.db.models.query import ModelIterable
from django.db.utils import NotSupportedError

from .expressions import ElemMatch, Set


class ConfiguredIterable(ModelIterable):
    """The rows of a query that is one find or aggregate, by PyMongo with options that SQL has no words for."""

    def __iter__(self):
        from .document import reader

        queryset = self.queryset
        fields, found = run_configured(queryset)
        readers = [reader(field) for field in fields]
        names = [field.attname for field in fields]
        for document in found:
            values = [document.get(field.column if not field.primary_key or field.column in document else "_id") for field in fields]
            values = [value if value is None or read is None else read(_native(value)) for value, read in zip(values, readers, strict=True)]
            yield queryset.model.from_db(queryset.db, names, values)


# configure()'s names for options that PyMongo's find() calls otherwise.
FIND_OPTIONS = {"allowDiskUse": "allow_disk_use", "maxTimeMS": "max_time_ms", "batchSize": "batch_size", "returnKey": "return_key"}


def run_configured(queryset):
    from bson import json_util

    compiler = queryset.query.get_compiler(queryset.db)
    sql, params = compiler.as_sql()
    with compiler.connection.cursor() as cursor:
        # With literals: the plan then shows what is sent, down to the patterns made of LIKE.
        cursor.execute(f"EXPLAIN (FORMAT JSON) {compiler.connection.ops.compose_sql(sql, params)}")
        plan = cursor.fetchone()[0]
    plan = (json_util.loads(plan) if isinstance(plan, str) else json_util.loads(json_util.dumps(plan)))[0]["Plan"]
    if plan.get("Plans") or "MongoDB Command" not in plan or compiler.klass_info is None or compiler.klass_info.get("related_klass_infos"):
        raise NotSupportedError("configure() is for queries that MongoDB answers by one command, without joins or steps of djongo's own: see explain().")
    command = plan["MongoDB Command"]
    fields = [compiler.select[i][0].target for i in compiler.klass_info["select_fields"]]
    collection = queryset._pymongo_collection()
    options = dict(queryset._configured)
    if isinstance(hint := options.get("hint"), (list, tuple)):
        options["hint"] = [(name.removeprefix("-"), -1 if name.startswith("-") else 1) if isinstance(name, str) else name for name in hint]
    if "aggregate" in command:
        return fields, collection.aggregate(command["pipeline"], **options)
    options = {FIND_OPTIONS.get(name, name): value for name, value in options.items()}
    found = collection.find(
        command.get("filter") or {}, sort=list(command["sort"].items()) if command.get("sort") else None,
        skip=command.get("skip", 0), limit=command.get("limit", 0), **options,
    )  # fmt: skip
    return fields, found


class DjongoQuerySet(models.QuerySet):
    _configured = None

    def __getattr__(self, name):
        return _pymongo_attribute(self, name)

    # -- conditions

    def _filter_or_exclude_inplace(self, negate, args, kwargs):
        # Django would resolve a Q as a value against the model and not against the element of its array.
        args = tuple(map(_wrap_elem_match, args))
        super()._filter_or_exclude_inplace(negate, args, {name: _wrap_value(name, value) for name, value in kwargs.items()})

    # -- changes of inner fields

    def update(self, **kwargs):
        """Takes paths as well: update(blog__name="B", authors__0__email=None)."""
        return super().update(**_gather_paths(self.model, kwargs))

    update.alters_data = True

    # -- options

    def configure(self, **options):
        """Options of PyMongo's find() or aggregate() for this query: hint, collation, allowDiskUse, cursor_type, comment ..."""
        if not issubclass(self._iterable_class, ModelIterable):
            raise TypeError("configure() is for queries of model instances.")
        clone = self._chain()
        clone._configured = {**(self._configured or {}), **options}
        clone._iterable_class = ConfiguredIterable
        return clone

    def _clone(self):
        clone = super()._clone()
        clone._configured = self._configured
        return clone

    # -- raw access

    def _pymongo_collection(self):
        from djongo.pymongo import collection

        return collection(self.model, self.db)

    def models_from_documents(self, documents):
        """Model instances of documents of the model's collection, as PyMongo or a change stream gives them."""
        return models_from_documents(self.model, documents, self.db)


def _gather_paths(model, kwargs):
    names = {field.name for field in model._meta.get_fields()}
    gathered, parts = {}, {}
    for name, value in kwargs.items():
        field, separator, path = name.partition(LOOKUP_SEP)
        if not separator or name in names or field not in names:
            gathered[name] = value
        else:
            parts.setdefault(field, {})[path] = value
    for field, changes in parts.items():
        if field in gathered:
            raise FieldError(f"update() assigns to {field!r} and to parts of it.")
        if not getattr(model._meta.get_field(field), "is_lazy", False):
            raise FieldError(f"update() can't assign to parts of {field!r}: it holds no documents.")
        gathered[field] = Set(**changes)
    return gathered


def _wrap_value(name, value):
    return ElemMatch(value) if isinstance(value, models.Q) and name.rpartition(LOOKUP_SEP)[2] == "elem_match" else value


def _wrap_elem_match(q):
    if not isinstance(q, models.Q):
        return q
    copy = q.copy()
    copy.children = [
        _wrap_elem_match(child) if not isinstance(child, tuple) else (child[0], _wrap_value(*child)) for child in q.children
    ]
    return copy


def _pymongo_attribute(queryset, name):
    if not name.startswith("mongo_"):
        raise AttributeError(f"{type(queryset).__name__!r} object has no attribute {name!r}")
    name = name.removeprefix("mongo_")
    collection = queryset._pymongo_collection()
    # A Collection answers every unknown name with a sub-collection, which nobody meant.
    if name.startswith("_") or not hasattr(type(collection), name):
        raise AttributeError(f"PyMongo's Collection has no attribute {name!r}")
    found = getattr(collection, name)
    if name not in ("find", "find_one", "aggregate"):
        return found

    def call(*args, as_models=False, **kwargs):
        result = found(*args, **kwargs)
        if not as_models:
            return result
        if name == "find_one":
            return None if result is None else next(models_from_documents(queryset.model, [result], queryset.db))
        return models_from_documents(queryset.model, result, queryset.db)

    return call


def models_from_documents(model, documents, using="default"):
    """An iterator of instances. A field whose value another Python type stands for (dates, durations, containers) has it."""
    from .document import reader

    fields = model._meta.concrete_fields
    readers = [reader(field) for field in fields]
    for document in documents:
        values, present = [], []
        for field, read in zip(fields, readers, strict=True):
            # A table that djongo made has its key in _id, whatever the column is called.
            name = "_id" if field.primary_key and field.column not in document else field.column
            if name in document:
                value = document[name]
                values.append(value if value is None or read is None else read(_native(value)))
                present.append(field.attname)
        yield model.from_db(using, present, values)


def _native(value):
    """PyMongo's Decimal128 as Decimal, at any depth."""
    from bson import Decimal128

    if isinstance(value, Decimal128):
        return value.to_decimal()
    if isinstance(value, dict):
        return {key: _native(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_native(item) for item in value]
    return value


class DjongoManager(models.Manager.from_queryset(DjongoQuerySet)):
    def __getattr__(self, name):
        if name.startswith("mongo_"):
            return getattr(self.get_queryset(), name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
