"""Queries into documents and arrays: how `blog__tagline__title`, `authors__0__name` and the dict form become SQL.

A step into a document or to an element is a Path, a transform; a chain of them is one JSON_VALUE with the type of the inner field, which the core treats
like a column of that type stored in the dotted field:

    blog__name="B"                  (JSON_VALUE("blog", '$.name' RETURNING varchar) = 'B') IS TRUE
    authors__2__name="Paul"         JSON_VALUE("authors", '$[2].name' RETURNING varchar)
    authors__name="Paul"            EXISTS (SELECT 1 FROM UNNEST("authors") AS "e1"("doc") WHERE JSON_VALUE("e1"."doc", '$.name' RETURNING varchar) = 'Paul')

A step by name out of an array means any of its elements, at any number of levels. A condition on what is inside is never NULL but false where the path leads
nowhere, so exclude() gives what filter() doesn't. All conditions of one dict, or of elem_match=Q(..), speak of the same element.

Documents are compared by the keys that are given: `blog={"name": "B"}` asks for the name only; keys may be dotted, nested and indices.
"""

import functools
import re
from collections.abc import Mapping

from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db import models
from django.db.models import F, Lookup, Q, Transform
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import Expression
from django.db.models.lookups import Exact, In, IsNull

from .document import ContainerValue, target_field
from .expressions import ElemMatch
from .lookups import MongoLookup

_identifier = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_modifiers = re.compile(r"\([^)]*\)")


# ---- paths --------------------------------------------------------------------------------------------------------------


def sql_type(field, connection):
    """The type that JSON_VALUE returns for a field's value."""
    if getattr(field, "remote_field", None) and hasattr(field, "target_field"):
        field = target_field(field)
    found = field.rel_db_type(connection) if isinstance(field, models.AutoField) else field.cast_db_type(connection)
    return _modifiers.sub("", found) if found else "jsonb"


def step_text(step):
    """A step in a JSON path, as it stands in an SQL literal that is formatted with %."""
    if isinstance(step, int):
        return f"[{step}]"
    if not _identifier.fullmatch(step):
        step = '"%s"' % step.replace("\\", "\\\\").replace('"', '\\"')
    return f".{step}".replace("'", "''").replace("%", "%%")


class Element(Expression):
    """The element of an array that an EXISTS goes through."""

    def __init__(self, level, field):
        super().__init__(output_field=field)
        self.level = level

    def as_sql(self, compiler, connection):
        return f'"e{self.level}"."doc"', []

    def get_lookup(self, name):
        return two_valued(self.output_field.get_lookup(name))

    def get_transform(self, name):
        return self.output_field.get_transform(name)


class Path(Transform):
    """One step into a document (a key) or an array (an index, or None: every element)."""

    def __init__(self, step, field, lhs):
        super().__init__(lhs)
        self.step, self.inner = step, field

    @property
    def many(self):
        return self.step is None or (isinstance(self.lhs, Path) and self.lhs.many)

    def _resolve_output_field(self):
        if self.many:
            from .array import ArrayField

            return ArrayField(base_field=self.inner)
        return self.inner

    @functools.cached_property
    def output_field(self):
        return self._resolve_output_field()

    def chain(self):
        """What the chain of steps starts from, and the chain."""
        steps, expression = [], self
        while isinstance(expression, Path):
            steps.append(expression)
            expression = expression.lhs
        return expression, steps[::-1]

    def split(self):
        """At the first step into every element: (the array, the steps within the element)."""
        _, steps = self.chain()
        at = next(i for i, step in enumerate(steps) if step.step is None)
        return steps[at].lhs, steps[at].inner, steps[at + 1 :]

    def level(self):
        root, _ = self.chain()
        return root.level + 1 if isinstance(root, Element) else 1

    def in_element(self):
        """The same path seen from an element of the first array: what the rest of the chain is inside of the EXISTS."""
        _, field, rest = self.split()
        expression = Element(self.level(), field)
        for step in rest:
            expression = Path(step.step, step.inner, expression)
        return expression

    def as_sql(self, compiler, connection):
        if self.many:
            return values_of_elements(self, compiler)
        root, steps = self.chain()
        sql, params = compiler.compile(root)
        path = "".join(step_text(step.step) for step in steps)
        return f"JSON_VALUE({sql}, '${path}' RETURNING {sql_type(self.inner, connection)})", params

    def get_lookup(self, name):
        if self.many:
            return any_element(name) if self.inner.get_lookup(name) else None
        return two_valued(self.inner.get_lookup(name))

    def get_transform(self, name):
        found = (self.inner.is_relation and related_transform(self.inner, name)) or self.inner.get_transform(name)
        if found is None or isinstance(found, PathFactory) or not self.many:
            return found
        return lambda lhs: ManyThen(lhs, found)


class ManyThen(Expression):
    """A transform of the values in every element of an array: applied within the EXISTS."""

    def __init__(self, path, transform):
        self.path, self.transform = path, transform
        # What it does to one such value tells what can be done with the result.
        self.sample = transform(path.sample if isinstance(path, ManyThen) else Element(1, path.inner))
        from .array import ArrayField

        super().__init__(output_field=ArrayField(base_field=self.sample.output_field))

    many = True

    @property
    def inner(self):
        return self.sample.output_field

    def get_source_expressions(self):
        return [self.path]

    def set_source_expressions(self, expressions):
        (self.path,) = expressions

    def split(self):
        return self.path.split()

    def level(self):
        return self.path.level()

    def in_element(self):
        inner = self.path.in_element()
        return ManyThen(inner, self.transform) if getattr(inner, "many", False) else self.transform(inner)

    def as_sql(self, compiler, connection):
        return values_of_elements(self, compiler)

    def get_lookup(self, name):
        return any_element(name) if self.sample.get_lookup(name) else None

    def get_transform(self, name):
        found = self.sample.get_transform(name)
        return found and (lambda lhs: ManyThen(lhs, found))


def values_of_elements(expression, compiler):
    """The array of what the expression is in each element."""
    array, _, _ = expression.split()
    sql, params = compiler.compile(array)
    inner, inner_params = compiler.compile(expression.in_element())
    return f'(CASE WHEN {sql} IS NOT NULL THEN ARRAY(SELECT {inner} FROM UNNEST({sql}) AS "e{expression.level()}"("doc")) END)', [*params, *inner_params, *params]


class PathFactory:
    def __init__(self, *steps):
        self.steps = steps

    def __call__(self, lhs):
        for step, field in self.steps:
            lhs = Path(step, field, lhs)
        return lhs


def document_transform(embedded, name):
    """Where `name` leads from a document: its field of that name, or column."""
    for container in embedded.containers:
        field = container._layout.by_key.get(name)
        if field is None and name == "pk" and container._meta.pk.column:
            field = container._meta.pk
        if field is not None:
            return PathFactory((field.column, field))
    return None


def array_transform(array, name):
    base = array.base_field
    if name == "len":
        return ArrayLength
    if name.isdecimal():
        return PathFactory((int(name), base or models.JSONField()))
    if match := re.fullmatch(r"(\d+)_(\d+)", name):
        return functools.partial(Slice, int(match[1]), int(match[2]))
    if base is None:
        return None
    inner = base.get_transform(name)
    if isinstance(inner, PathFactory):
        return PathFactory((None, base), *inner.steps)
    if inner is None:
        return None
    return lambda lhs: inner(Path(None, base, lhs))


class ArrayLength(Transform):
    lookup_name = "len"
    output_field = models.IntegerField()

    def as_sql(self, compiler, connection):
        sql, params = compiler.compile(self.lhs)
        return f"CARDINALITY({sql})", params

    def get_lookup(self, name):
        return two_valued(self.output_field.get_lookup(name))


class Slice(Transform):
    """`tags__0_2`: from the first index up to, not including, the second, as in Python."""

    def __init__(self, start, end, lhs):
        super().__init__(lhs)
        self.start, self.end = start, end

    @property
    def output_field(self):
        return self.lhs.output_field

    def as_sql(self, compiler, connection):
        sql, params = compiler.compile(self.lhs)
        return f"({sql})[{self.start + 1}:{self.end}]", params

    def get_lookup(self, name):
        return two_valued(self.output_field.get_lookup(name))


# ---- from a key inside a document to the row that it refers to ---------------------------------------------------------------


class Related(Expression):
    """A column of the row that a key inside a document refers to."""

    def __init__(self, path, foreign_key, name):
        target = foreign_key.remote_field.model
        self.path, self.name, self.target = path, name, target
        self.key = target_field(foreign_key)
        found = target._meta.pk if name == "pk" else target._meta.get_field(name)
        if not getattr(found, "concrete", False):
            raise FieldError(f"{foreign_key.name}__{name}: only columns of {target.__name__} can be reached from a key inside a document")
        self.foreign_key, self.column = foreign_key, found
        super().__init__(output_field=found)

    def get_source_expressions(self):
        return [self.path]

    def set_source_expressions(self, expressions):
        (self.path,) = expressions

    def as_sql(self, compiler, connection):
        quote = compiler.quote_name_unless_alias
        sql, params = compiler.compile(self.path)
        table = quote(self.target._meta.db_table)
        level = self.depth()
        key_column = self.foreign_key.target_field.column
        return f'(SELECT "r{level}".{quote(self.column.column)} FROM {table} "r{level}" WHERE "r{level}".{quote(key_column)} = {sql})', params

    def depth(self):
        return 1 + (self.path.depth() if isinstance(self.path, Related) else 0)

    def get_lookup(self, name):
        return two_valued(self.output_field.get_lookup(name))

    def get_transform(self, name):
        if self.column.is_relation and (found := related_transform(self.column, name)):
            return found
        return self.output_field.get_transform(name)


def related_transform(foreign_key, name):
    target = foreign_key.remote_field.model
    if name in ("pk", foreign_key.target_field.name):
        return lambda lhs: lhs
    try:
        target._meta.get_field(name)
    except FieldDoesNotExist:
        return None

    return lambda lhs: Related(lhs, foreign_key, name)


# ---- conditions --------------------------------------------------------------------------------------------------------------


@functools.cache
def two_valued(lookup_class):
    """The lookup as a condition that is false instead of NULL."""
    if lookup_class is None or issubclass(lookup_class, (IsNull, DocumentCondition, MongoLookup)):
        return lookup_class

    class TwoValued(lookup_class):
        def __init__(self, lhs, rhs, *args, **kwargs):
            super().__init__(lhs, key_of(rhs), *args, **kwargs)

        def as_djongo(self, compiler, connection):
            implementation = getattr(super(), "as_djongo", None) or super().as_sql
            sql, params = implementation(compiler, connection)
            return f"({sql}) IS TRUE", params

    TwoValued.__name__ = TwoValued.__qualname__ = lookup_class.__name__
    TwoValued.__module__ = lookup_class.__module__
    return TwoValued


def key_of(value):
    """A model instance stands for its key, as in filters by foreign keys."""
    if isinstance(value, models.Model) and not isinstance(value, ContainerValue):
        return value.pk
    if isinstance(value, (list, tuple, set)) and any(isinstance(item, models.Model) and not isinstance(item, ContainerValue) for item in value):
        return type(value)(key_of(item) for item in value)
    return value


class DocumentCondition(Lookup):
    """A lookup that is written as several conditions, each of them two-valued."""

    prepare_rhs = False
    can_use_none_as_rhs = False

    def condition(self):
        """The condition as an expression, a Q-like tree of (connector, [parts]), or SQL's TRUE or FALSE."""
        raise NotImplementedError

    def as_sql(self, compiler, connection):
        return compile_condition(self.condition(), compiler)


def compile_condition(condition, compiler):
    if condition is True or condition is False:
        return ("TRUE" if condition else "FALSE"), []
    if not isinstance(condition, tuple):
        return compiler.compile(condition)
    connector, parts = condition
    if connector == "NOT":
        sql, params = compile_condition(parts[0], compiler)
        return f"NOT ({sql})", params
    if not parts:
        return compile_condition(connector == "AND", compiler)
    texts, params = [], []
    for part in parts:
        sql, some = compile_condition(part, compiler)
        texts.append(sql if len(parts) == 1 else f"({sql})")
        params.extend(some)
    return f" {connector} ".join(texts), params


class ExistsElement:
    """EXISTS over the elements of an array, with a condition on the element. Not an expression of its own: part of a DocumentCondition."""

    def __init__(self, array, level, condition):
        self.array, self.level, self.condition = array, level, condition

    def as_sql(self, compiler, connection):
        sql, params = compiler.compile(self.array)
        inner, inner_params = compile_condition(self.condition, compiler)
        return f'EXISTS (SELECT 1 FROM UNNEST({sql}) AS "e{self.level}"("doc") WHERE {inner})', [*params, *inner_params]


@functools.cache
def any_element(name):
    class AnyElement(DocumentCondition):
        """The lookup, true for at least one element."""

        lookup_name = name

        def condition(self):
            array, _, _ = self.lhs.split()
            return ExistsElement(array, self.lhs.level(), build(self.lhs.in_element(), name, self.rhs))

    if name == "isnull":
        # Is there no such value in any element, or is there one?
        def condition(self):
            array, _, _ = self.lhs.split()
            found = ExistsElement(array, self.lhs.level(), build(self.lhs.in_element(), "isnull", False))
            return ("NOT", [found]) if self.rhs else found

        AnyElement.condition = condition
    return AnyElement


def level_of(expression):
    if isinstance(expression, Path):
        return expression.level()
    return expression.level + 1 if isinstance(expression, Element) else 1


def build(lhs, name, rhs):
    """The condition of a lookup, by its name, on an expression."""
    lookup_class = lhs.get_lookup(name)
    if lookup_class is None:
        raise FieldError(f"Unsupported lookup {name!r} for {type(lhs.output_field).__name__}.")
    lookup = lookup_class(lhs, rhs)
    if lookup.rhs is None and not lookup.can_use_none_as_rhs:
        if name not in ("exact", "iexact"):
            raise ValueError("Cannot use None as a query value")
        return lhs.get_lookup("isnull")(lhs, True)
    return lookup


def walk(lhs, names):
    """The expression that transforms of those names lead to, and the names that are left."""
    names = list(names)
    while names:
        transform = lhs.get_transform(names[0])
        if transform is None:
            break
        lhs = transform(lhs)
        names.pop(0)
    return lhs, names


def build_by_names(lhs, names, rhs):
    """As in filter(): transforms, then at most one lookup, exact without one."""
    reached, rest = walk(lhs, names)
    if len(rest) > 1 or (rest and reached.get_lookup(rest[0]) is None):
        raise FieldError(f"Unsupported lookup {LOOKUP_SEP.join(rest)!r} for {type(reached.output_field).__name__}: {LOOKUP_SEP.join(names)}.")
    return build(reached, rest[0] if rest else "exact", rhs)


# ---- documents -----------------------------------------------------------------------------------------------------------------


def split_key(key):
    if not isinstance(key, str):
        raise FieldError(f"A key of a document is text, not {key!r}.")
    return [part for dotted in key.split(".") for part in dotted.split(LOOKUP_SEP)]


def match_document(lhs, field, name, rhs):
    """The conditions that a dict asks of a document: those of all its keys."""
    if not isinstance(rhs, Mapping):
        raise FieldError(f"{type(field).__name__} is compared with a dict or with an instance of its container, not with {type(rhs).__name__}: {rhs!r}")
    parts = [] if len(rhs) else [IsNull(lhs, False)]
    for key in rhs:
        value = rhs[key]
        reached, rest = walk(lhs, split_key(key))
        if rest:
            raise FieldError(f"Cannot resolve {key!r} in {type(field).__name__} {field.name or ''}: there is no field of that name.")
        parts.append(build(reached, name, value))
    return "AND", parts


@functools.cache
def document_lookup(name):
    """The lookup of that name with a dict: for each key of the dict the same lookup of its field."""

    class DocumentLookup(DocumentCondition):
        lookup_name = name

        def condition(self):
            field = field_of(self.lhs)
            if hasattr(self.rhs, "resolve_expression") or hasattr(self.rhs, "as_sql"):
                if name == "exact":
                    return Exact(self.lhs, self.rhs)
                raise FieldError(f"The lookup {name!r} of a document takes a dict.")
            if name == "in":
                return "OR", [match_document(self.lhs, field, "exact", one) for one in self.rhs]
            return match_document(self.lhs, field, name, self.rhs)

    return DocumentLookup


def field_of(expression):
    return expression.inner if isinstance(expression, Path) else expression.output_field


class HasKey(DocumentCondition):
    """`blog__has_key="mood"`: is the key stored, whatever its value?"""

    lookup_name = "has_key"

    def as_sql(self, compiler, connection):
        sql, params = compiler.compile(self.lhs)
        path = "".join(map(step_text, str(self.rhs).split(".")))
        return f"COALESCE(JSON_EXISTS({sql}, '${path}'), FALSE)", params


# ---- arrays --------------------------------------------------------------------------------------------------------------------


class ElemMatchLookup(DocumentCondition):
    """All conditions hold for the same element."""

    lookup_name = "elem_match"

    def condition(self):
        array = field_of(self.lhs)
        level = level_of(self.lhs)
        element = Element(level, array.base_field)
        rhs = self.rhs
        if isinstance(rhs, Mapping) and not isinstance(rhs, ContainerValue):
            rhs = ElemMatch(**{LOOKUP_SEP.join(split_key(key)): rhs[key] for key in rhs})
        if isinstance(rhs, Q):
            rhs = ElemMatch(rhs)
        if not isinstance(rhs, ElemMatch):
            raise FieldError(f"elem_match takes a Q or a dict, not {type(rhs).__name__}.")
        return ExistsElement(self.lhs, level, of_q(rhs.q, element))


def of_q(q, element):
    parts = []
    for child in q.children:
        if isinstance(child, Q):
            parts.append(of_q(child, element))
        elif isinstance(child, tuple):
            name, value = child
            if isinstance(value, F) or hasattr(value, "resolve_expression") and not isinstance(value, Q):
                raise FieldError(f"elem_match: {name} can be compared with a value, not with an expression.")
            parts.append(build_by_names(element, name.split(LOOKUP_SEP), value))
        else:
            raise FieldError("elem_match takes conditions on fields of the element.")
    if q.connector == Q.XOR:
        raise FieldError("elem_match knows AND, OR and NOT.")
    condition = q.connector, parts
    return ("NOT", [condition]) if q.negated else condition


def is_expression(value):
    return hasattr(value, "resolve_expression") or hasattr(value, "as_sql")


class ArrayOperator(Lookup):
    """An operator between two arrays."""

    prepare_rhs = False

    def __init__(self, lhs, rhs, operator):
        super().__init__(lhs, rhs)
        self.operator = operator

    def as_sql(self, compiler, connection):
        lhs, lhs_params = compiler.compile(self.lhs)
        if is_expression(self.rhs):
            rhs, rhs_params = compiler.compile(self.rhs)
            rhs = f"({rhs})" if isinstance(self.rhs, models.sql.Query) else rhs
        else:
            field = field_of(self.lhs)
            items = list(self.rhs)
            base = field.base_field
            items = items if base is None else [None if item is None else _stored_item(base, item, connection) for item in items]
            rhs, rhs_params = "%s", [items]
        return f"({lhs} {self.operator} {rhs}) IS TRUE", [*lhs_params, *rhs_params]


def _stored_item(base, item, connection):
    if hasattr(base, "to_stored"):
        return base.to_stored(item, connection, 1)
    return base.get_db_prep_value(base.to_python(item), connection)


def is_list(value):
    return isinstance(value, (list, tuple, set, frozenset))


class ArrayLookup(DocumentCondition):
    """A lookup with an array on the left; whether it means the array or its elements depends on what is on the right."""

    def holds_documents(self):
        return field_of(self.lhs).holds_documents

    def each(self, connector, name="exact"):
        """For each given element: is there one that matches it?"""
        return connector, [self.any(name, item) for item in self.rhs]

    def any(self, name, value):
        """Is there an element for which the lookup holds?"""
        field, level = field_of(self.lhs), level_of(self.lhs)
        if name == "exact" and field.holds_documents is False and not is_expression(value) and value is not None and not isinstance(field.base_field, models.JSONField):
            if not is_list(value):
                return ArrayOperator(self.lhs, [value], "@>")
        return ExistsElement(self.lhs, level, build(Element(level, field.base_field or models.JSONField()), name, value))

    def with_dict(self, name, rhs):
        """A dict: its keys that begin with an index ask that element, the others all of them one and the same element."""
        field, level = field_of(self.lhs), level_of(self.lhs)
        parts, same = [], {}
        for key in rhs:
            if split_key(key)[0].isdecimal():
                reached, rest = walk(self.lhs, split_key(key))
                if rest:
                    raise FieldError(f"Cannot resolve {key!r} in {type(field).__name__} {field.name or ''}.")
                parts.append(build(reached, name, rhs[key]))
            else:
                same[key] = rhs[key]
        if same or not rhs:
            element = Element(level, field.base_field)
            parts.append(ExistsElement(self.lhs, level, match_document(element, field, name, same)))
        return "AND", parts


class ArrayExact(ArrayLookup):
    """A list: the whole array, element by element; a dict or a single value: any element."""

    lookup_name = "exact"

    def condition(self):
        rhs = self.rhs
        if is_expression(rhs):
            return ArrayOperator(self.lhs, rhs, "=")
        if isinstance(rhs, Mapping):
            return self.with_dict("exact", rhs)
        if not is_list(rhs):
            return self.any("exact", rhs)
        if not self.holds_documents():
            return ArrayOperator(self.lhs, rhs, "=")
        field = field_of(self.lhs)
        parts = [build(ArrayLength(self.lhs), "exact", len(rhs))]
        parts += [build(Path(index, field.base_field, self.lhs), "exact", item) for index, item in enumerate(rhs)]
        return "AND", parts


class ArrayIn(ArrayLookup):
    """A list of lists: any of these arrays; a list of values: any element among them."""

    lookup_name = "in"

    def condition(self):
        if is_expression(self.rhs):
            level = level_of(self.lhs)
            return ExistsElement(self.lhs, level, In(Element(level, field_of(self.lhs).base_field), self.rhs))
        items = list(self.rhs)
        if any(is_list(item) for item in items):
            return "OR", [ArrayExact(self.lhs, item) for item in items]
        if self.holds_documents():
            return "OR", [self.with_dict("exact", item) for item in items]
        return ArrayOperator(self.lhs, items, "&&")


class ArrayContains(ArrayLookup):
    """All of these are elements."""

    lookup_name = "contains"

    def condition(self):
        if is_expression(self.rhs):
            return ArrayOperator(self.lhs, self.rhs, "@>")
        if isinstance(self.rhs, Mapping):
            # djongo's: the text lookup of the inner fields.
            return self.with_dict("contains", self.rhs)
        items = self.rhs if is_list(self.rhs) else [self.rhs]
        if self.holds_documents():
            return "AND", [self.any("exact", item) for item in items]
        return ArrayOperator(self.lhs, items, "@>")


class ArrayOverlap(ArrayLookup):
    """At least one of these is an element."""

    lookup_name = "overlap"

    def condition(self):
        if is_expression(self.rhs):
            return ArrayOperator(self.lhs, self.rhs, "&&")
        items = self.rhs if is_list(self.rhs) else [self.rhs]
        if self.holds_documents():
            return "OR", [self.any("exact", item) for item in items]
        return ArrayOperator(self.lhs, items, "&&")


class ArrayContainedBy(ArrayLookup):
    """All elements are among these."""

    lookup_name = "contained_by"

    def condition(self):
        if is_expression(self.rhs):
            return ArrayOperator(self.lhs, self.rhs, "<@")
        items = self.rhs if is_list(self.rhs) else [self.rhs]
        if not self.holds_documents():
            return ArrayOperator(self.lhs, items, "<@")
        field, level = field_of(self.lhs), level_of(self.lhs)
        element = Element(level, field.base_field)
        among = "OR", [build(element, "exact", item) for item in items]
        return "AND", [IsNull(self.lhs, False), ("NOT", [ExistsElement(self.lhs, level, ("NOT", [among]))])]


@functools.cache
def element_lookup(name):
    class ElementLookup(ArrayLookup):
        """Any other lookup: of any element, or with a dict of the inner fields of one element."""

        lookup_name = name

        def condition(self):
            if isinstance(self.rhs, Mapping):
                return self.with_dict(name, self.rhs)
            return self.any(name, self.rhs)

    return ElementLookup


ARRAY_LOOKUPS = {cls.lookup_name: cls for cls in (ArrayExact, ArrayIn, ArrayContains, ArrayOverlap, ArrayContainedBy, ElemMatchLookup)}


def field_lookup(name):
    """The lookup of that name for any field, if there is one; those of MongoDB's own indexes take a document or an array as a whole."""
    return models.Field.get_lookups().get(name)


def is_whole(name):
    found = field_lookup(name)
    return found is not None and issubclass(found, (IsNull, MongoLookup))


def array_lookup(array, name):
    if is_whole(name):
        return field_lookup(name)
    if name in ARRAY_LOOKUPS:
        return ARRAY_LOOKUPS[name]
    base = array.base_field or models.JSONField()
    if array.holds_documents:
        # Of the inner fields, by a dict.
        return element_lookup(name) if field_lookup(name) else None
    return element_lookup(name) if base.get_lookup(name) else None


def embedded_lookup(embedded, name):
    if is_whole(name):
        return field_lookup(name)
    if name == "has_key":
        return HasKey
    return document_lookup(name) if field_lookup(name) else None
