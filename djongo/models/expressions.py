"""Values of lookups and updates that are more than a value.

    Entry.objects.filter(authors__elem_match=ElemMatch(name="Paul", born__year=1942))
    Entry.objects.update(tags=Push("new"))                        at the end; AddToSet("new"): unless it is there; PushFront("new")
    Entry.objects.update(tags=Pull("old"))                        each element equal to it; of documents: Pull({"name": "Paul"}), Pull(Q(born__lt=...))
    Entry.objects.update(blog=Set(name="B", tagline__title="T"))  these inner fields only: what update(blog__name="B", ...) says
    Entry.objects.update(blog__visits=Increment(1))               F("blog__visits") + 1, counted from 0 where there is no value

They know what they change when the UPDATE is compiled (bind), so any manager takes them.
"""

from django.core.exceptions import FieldError, ValidationError
from django.db.models import F, Q
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import Expression


class ElemMatch:
    """For `authors__elem_match=ElemMatch(Q(..))` where a QuerySet of another kind would resolve the Q itself."""

    def __init__(self, *args, **kwargs):
        self.q = Q(*args, **kwargs)


class Change(Expression):
    """An expression for the right side of update(field=...) that speaks of the field itself."""

    def __init__(self):
        super().__init__()
        self.target = None

    def bind(self, target, query):
        """The same, of this column or Path."""
        bound = self.copy()
        bound.target = target
        return bound

    def resolve_expression(self, query=None, allow_joins=True, reuse=None, summarize=False, for_save=False):
        return self

    def _resolve_output_field(self):
        return self.target.output_field

    def as_sql(self, compiler, connection):
        if self.target is None:
            raise FieldError(f"{type(self).__name__} is for update(): it changes the field that it is given for.")
        return self.sql(compiler, connection)

    def sql(self, compiler, connection):
        raise NotImplementedError


class ArrayChange(Change):
    def __init__(self, *values):
        super().__init__()
        self.values = values

    @property
    def array(self):
        from .array import ArrayField
        from .paths import field_of

        field = field_of(self.target)
        if not isinstance(field, ArrayField):
            raise FieldError(f"{type(self).__name__} changes an array, not a {type(field).__name__}.")
        return field

    def stored(self, value, connection):
        from .document import to_plain_stored, to_stored

        base = self.array.base_field
        try:
            return to_plain_stored(value, connection, 1) if base is None else to_stored(base, value, connection, 1)
        except ValidationError as error:
            raise ValidationError([f"{self.array.name}: {message}" for message in error.messages]) from None


class Push(ArrayChange):
    """Elements at the end."""

    template = "ARRAY_APPEND({array}, %s)"

    def sql(self, compiler, connection):
        array, params = compiler.compile(self.target)
        sql, params = array, list(params)
        for value in self.values:
            sql, params = self.one(array, sql, params, self.stored(value, connection), compiler)
        return sql, params

    def one(self, array, sql, params, value, compiler):
        return f"ARRAY_APPEND({sql}, %s)", [*params, value]


class PushFront(Push):
    """Elements at the start, in the order given."""

    def __init__(self, *values):
        super().__init__(*reversed(values))

    def one(self, array, sql, params, value, compiler):
        return f"ARRAY_PREPEND(%s, {sql})", [value, *params]


class AddToSet(Push):
    """Elements at the end unless they are there."""

    def one(self, array, sql, params, value, compiler):
        target, own = compiler.compile(self.target)
        return f"CASE WHEN {target} @> ARRAY[%s] THEN {sql} ELSE ARRAY_APPEND({sql}, %s) END", [*own, value, *params, *params, value]


class Pull(ArrayChange):
    """All elements equal to one of the values; of documents, all that match a dict or a Q."""

    def sql(self, compiler, connection):
        from .paths import Element, build, compile_condition, level_of, of_q

        array, params = compiler.compile(self.target)
        field = self.array
        if not field.holds_documents and not any(isinstance(value, Q) for value in self.values):
            sql = array
            for value in self.values:
                sql, params = f"ARRAY_REMOVE({sql}, %s)", [*params, self.stored(value, connection)]
            return sql, params
        level = level_of(self.target)
        element = Element(level, field.base_field)
        matches = [of_q(value, element) if isinstance(value, Q) else build(element, "exact", value) for value in self.values]
        condition, own = compile_condition(("NOT", [("OR", matches)]), compiler)
        kept = f'ARRAY(SELECT "e{level}"."doc" FROM UNNEST({array}) AS "e{level}"("doc") WHERE {condition})'
        return f"CASE WHEN {array} IS NOT NULL THEN {kept} END", [*params, *params, *own]


class Increment(Change):
    """Adds to a number; where there is none, to 0."""

    def __init__(self, by=1):
        super().__init__()
        self.by = by

    def sql(self, compiler, connection):
        sql, params = compiler.compile(self.target)
        return f"(COALESCE({sql}, 0) + %s)", [*params, self.by]


class Set(Change):
    """Inner fields and elements, the rest staying as it is."""

    def __init__(self, **changes):
        super().__init__()
        self.changes = changes

    def resolve_expression(self, query=None, allow_joins=True, reuse=None, summarize=False, for_save=False):
        resolved = self.copy()
        resolved.changes = {
            path: value.resolve_expression(query, allow_joins, reuse, summarize, for_save) if hasattr(value, "resolve_expression") else value
            for path, value in self.changes.items()
        }
        return resolved

    def sql(self, compiler, connection):
        """Assignments to parts of the column, marked for the compiler, which has written `column =` before."""
        from .document import to_stored
        from .paths import Path, walk

        texts, params = [], []
        quote = compiler.quote_name_unless_alias
        for names, value in self.changes.items():
            path, rest = walk(self.target, names.replace(".", LOOKUP_SEP).split(LOOKUP_SEP))
            if rest or not isinstance(path, Path) or path.many:
                raise FieldError(f"update() can't assign to {names!r} of {self.target.target.name!r}: it names no single inner field or element.")
            _, steps = path.chain()
            text = quote(self.target.target.column) + "".join(f"[{step.step + 1}]" if isinstance(step.step, int) else f".{quote(step.step)}" for step in steps)
            if isinstance(value, F):
                raise FieldError(f"update(): {value!r} could not be resolved.")
            if isinstance(value, Change):
                value = value.bind(path, compiler.query)
            if hasattr(value, "as_sql"):
                sql, some = compiler.compile(value)
            else:
                try:
                    sql, some = "%s", [to_stored(path.inner, value, connection, len(steps))]
                except ValidationError as error:
                    raise ValidationError([f"{self.target.target.name}.{names.replace(LOOKUP_SEP, '.')}: {message}" for message in error.messages]) from None
            texts.append(f"{text} = {sql}")
            params.extend(some)
        return ASSIGNMENTS + ", ".join(texts), params


# What Set's SQL begins with.
ASSIGNMENTS = "\0"
