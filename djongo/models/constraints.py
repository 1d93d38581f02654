"""CollectionConstraint: how a model's collection is created."""

from django.db import NotSupportedError
from django.db.models import BaseConstraint

__all__ = ["CollectionConstraint"]

# Given in Meta as documented, but MongoDB or a connection keeps them elsewhere.
ELSEWHERE = {
    "collation": "a column's is its db_collation; a CompoundIndex takes MongoDB's",
    "codec_options": "values are converted by the fields of the model",
    "read_concern": "it is the connection's: readConcernLevel in the URI",
    "write_concern": "it is the connection's: w and journal in the URI",
}


class CollectionConstraint(BaseConstraint):
    """`Meta.constraints = [CollectionConstraint(capped=True, size=5242880, max=5000)]`: a capped collection keeps its newest documents. MongoDB has no
    transactions on it, so several rows written at once aren't one unit, and nothing can be written in atomic()."""

    def __init__(self, name="%(app_label)s_%(class)s_collection", **options):
        super().__init__(name=name)
        self.options = {key: value for key, value in options.items() if value is not None}
        for key in self.options:
            if key in ELSEWHERE:
                raise NotSupportedError(f"CollectionConstraint({key}=...) is not supported: {ELSEWHERE[key]}.")
            if key not in ("capped", "size", "max"):
                raise TypeError(f"CollectionConstraint has no option {key!r}.")
        if "max" in self.options and not self.options.get("capped"):
            raise ValueError("CollectionConstraint: max belongs to capped=True.")
        if self.options.get("capped"):
            # The documents set the limit; MongoDB wants to know the bytes too.
            self.options.setdefault("size", 2**30 if "max" in self.options else None)
            if self.options["size"] is None:
                raise ValueError("CollectionConstraint(capped=True) needs size (bytes) or max (documents).")

    @property
    def options_sql(self):
        """What stands in WITH (...)."""
        return ", ".join(f"{key} = {str(value).lower()}" for key, value in self.options.items() if value is not False)

    def constraint_sql(self, model, schema_editor):
        return None  # DatabaseSchemaEditor.table_sql() writes it behind the columns

    def create_sql(self, model, schema_editor):
        return f"ALTER TABLE {schema_editor.quote_name(model._meta.db_table)} SET ({self.options_sql})" if self.options_sql else None

    def remove_sql(self, model, schema_editor):
        names = ", ".join(key for key, value in self.options.items() if value is not False)
        return f"ALTER TABLE {schema_editor.quote_name(model._meta.db_table)} RESET ({names})" if names else None

    def validate(self, model, instance, exclude=None, using=None):
        pass

    def deconstruct(self):
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, **self.options}

    def __eq__(self, other):
        return self.deconstruct() == other.deconstruct() if isinstance(other, CollectionConstraint) else NotImplemented

    __hash__ = BaseConstraint.__hash__
