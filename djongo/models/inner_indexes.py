"""Indexes and unique constraints on what is inside documents: `models.Index(fields=["blog.name", "-authors.email"])`.

Paths are written with dots or with double underscores. The index is MongoDB's own on the dotted path, multikey where an array lies on it. A unique constraint lets
the missing value repeat, as every unique constraint does, and speaks of documents: one document may hold a value twice (unique=True on a container's
field is about that). Without paths both are Django's, and migrations say so.
"""

from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.db import models
from django.db.backends.utils import names_digest, split_identifier
from django.db.models import DEFERRED, Exists
from django.db.models.constants import LOOKUP_SEP
from django.db.utils import DEFAULT_DB_ALIAS


def is_path(name):
    return "." in name or LOOKUP_SEP in name


def split_path(name):
    return name.replace(".", LOOKUP_SEP).split(LOOKUP_SEP)


def stored_path(model, name):
    """The columns that a path goes through: ["blog", "name"]."""
    from .paths import ArrayLength, Path, walk

    first, *rest = split_path(name)
    field = model._meta.get_field(first)
    reached, left = walk(field.get_col(model._meta.db_table), rest)
    if left or (rest and not isinstance(reached, Path)) or isinstance(reached, ArrayLength):
        raise FieldError(f"{model._meta.label} has no inner field {name!r} that an index could be on.")
    steps = reached.chain()[1] if rest else []
    return [field.column, *(str(step.step) for step in steps if step.step is not None)]


def quoted_path(model, name, quote):
    return ".".join(map(quote, stored_path(model, name)))


class Index(models.Index):
    """An index that may be on paths into documents."""

    def __init__(self, *expressions, fields=(), name=None, **kwargs):
        super().__init__(*expressions, fields=fields, name=name, **kwargs)
        self.paths = [(field.removeprefix("-"), "DESC" if field.startswith("-") else "") for field in self.fields]
        self.has_paths = any(is_path(field) for field, _ in self.paths)
        if self.has_paths:
            # What Django's checks look for in the model.
            self.fields_orders = [(split_path(field)[0], order) for field, order in self.paths]

    def deconstruct(self):
        path, args, kwargs = super().deconstruct()
        return ("djongo.models.Index" if self.has_paths else "django.db.models.Index"), args, kwargs

    def __eq__(self, other):
        # Django's own of the same definition is the same index: migrations that say django.db.models.Index stay true.
        return self.deconstruct() == other.deconstruct() if isinstance(other, models.Index) else NotImplemented

    __hash__ = None

    def set_name_with_model(self, model):
        if not self.has_paths:
            return super().set_name_with_model(model)
        _, table = split_identifier(model._meta.db_table)
        columns = ["-" * bool(order) + ".".join(stored_path(model, field)) for field, order in self.paths]
        self.name = f"{table[:11]}_{columns[0].strip('-').replace('.', '_')[:7]}_{names_digest(table, *columns, self.suffix, length=6)}_{self.suffix}"
        if self.name[0] == "_" or self.name[0].isdigit():
            self.name = "D" + self.name[1:]

    def create_sql(self, model, schema_editor, using="", **kwargs):
        statement = super().create_sql(model, schema_editor, using=using, **kwargs)
        if self.has_paths and statement is not None:
            quote = schema_editor.quote_name
            statement.parts["columns"] = ", ".join(f"{quoted_path(model, field, quote)} {order}".strip() for field, order in self.paths)
        return statement


class UniqueConstraint(models.UniqueConstraint):
    """A unique constraint that may be on paths into documents."""

    def __init__(self, *expressions, fields=(), **kwargs):
        super().__init__(*expressions, fields=fields, **kwargs)
        self.has_paths = any(map(is_path, self.fields))
        self.paths = self.fields
        if self.has_paths:
            if self.deferrable or self.opclasses:
                raise ValueError("A UniqueConstraint on inner fields can't be deferrable and has no opclasses.")
            # For Django it is one on something other than fields: it looks at no names and leaves the check to validate().
            self.fields = ()

    @property
    def contains_expressions(self):
        return self.has_paths or bool(self.expressions)

    def deconstruct(self):
        path, args, kwargs = super().deconstruct()
        if self.has_paths:
            kwargs["fields"] = self.paths
        return ("djongo.models.UniqueConstraint" if self.has_paths else "django.db.models.UniqueConstraint"), args, kwargs

    def __eq__(self, other):
        if isinstance(other, UniqueConstraint) and self.paths != other.paths:
            return False
        return super().__eq__(other)

    __hash__ = None

    def _check(self, model, connection):
        if not self.has_paths:
            return super()._check(model, connection)
        from django.core import checks

        errors = []
        for path in self.paths:
            try:
                stored_path(model, path)
            except (FieldDoesNotExist, FieldError) as error:
                errors.append(checks.Error(f"'constraints' refers to the nonexistent field {path!r}: {error}", obj=model, id="models.E012"))
        return errors

    def constraint_sql(self, model, schema_editor):
        if not self.has_paths:
            return super().constraint_sql(model, schema_editor)
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))
        return None

    def create_sql(self, model, schema_editor):
        if not self.has_paths:
            return super().create_sql(model, schema_editor)
        fields = [model._meta.get_field(split_path(path)[0]) for path in self.paths]
        include = [model._meta.get_field(name).column for name in self.include]
        statement = schema_editor._create_unique_sql(
            model, fields, self.name, condition=self._get_condition_sql(model, schema_editor), include=include, nulls_distinct=self.nulls_distinct
        )
        statement.template = schema_editor.sql_create_unique_index
        statement.parts["columns"] = ", ".join(quoted_path(model, path, schema_editor.quote_name) for path in self.paths)
        return statement

    def remove_sql(self, model, schema_editor):
        if not self.has_paths:
            return super().remove_sql(model, schema_editor)
        return schema_editor._delete_constraint_sql(schema_editor.sql_delete_index, model, self.name)

    def validate(self, model, instance, exclude=None, using=DEFAULT_DB_ALIAS):
        if not self.has_paths:
            return super().validate(model, instance, exclude=exclude, using=using)
        lookups = {}
        for path in self.paths:
            names = split_path(path)
            if exclude and names[0] in exclude:
                return
            values = [value for value in values_at(instance, names) if value is not None]
            if not values and self.nulls_distinct is not False:
                return
            lookups[f"{LOOKUP_SEP.join(names)}__in" if values else f"{LOOKUP_SEP.join(names)}__isnull"] = values or True
        queryset = model._default_manager.using(using).filter(**lookups)
        if not instance._state.adding and instance.pk is not None:
            queryset = queryset.exclude(pk=instance.pk)
        if self.condition is None:
            violated = queryset.exists()
        else:
            against = instance._get_field_expression_map(meta=model._meta, exclude=exclude)
            violated = (self.condition & Exists(queryset.filter(self.condition))).check(against, using=using)
        if violated:
            raise ValidationError(self.get_violation_error_message(), code=self.violation_error_code)


def values_at(value, names):
    """The values that a path leads to: several where arrays lie on it."""
    if isinstance(value, (list, tuple)) and not (names and names[0].isdecimal()):
        for item in value:
            yield from values_at(item, names)
    elif not names or value is None or value is DEFERRED:
        yield value
    elif isinstance(value, (list, tuple)):
        yield from values_at(value[int(names[0])] if int(names[0]) < len(value) else None, names[1:])
    elif isinstance(value, models.Model):
        yield from values_at(getattr(value, names[0], None), names[1:])
    else:
        yield from values_at(value.get(names[0]) if hasattr(value, "get") else None, names[1:])
