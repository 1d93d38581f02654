"""Container classes: what a document inside a document is in Python.

In:  a model that serves as container, abstract or not.   Out: container_class(model), a concrete model without a table whose instances are
also mappings:

    e.blog.name == e.blog["name"]     e.blog == {"name": "Beatles", "tagline": "..."}     {**e.blog}     e.blog["mood"] = "any key"

Its keys are the columns of the container's fields and whatever else was stored or set: keys that the model doesn't know are kept. An instance
made from a stored document holds that document and reads a field from it when the field is asked for, through Django's own mechanism for
deferred fields (refresh_from_db), so that loading costs one small object however large the document is. What is missing reads as the field's default.

Invariant: to_document() of what from_document() made gives the same stored values, known fields or not.
"""

import datetime
import decimal
import uuid
from collections.abc import Mapping, MutableMapping, Sequence

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models
from django.db.backends.utils import format_number
from django.db.models.base import ModelState
from django.db.models.query_utils import DeferredAttribute

from djongo import _sqm

from .base import CONTAINER_PREFIX, container_apps

# Levels of documents and arrays in one field's value: MongoDB's limit for a document.
MAX_DEPTH = 100
# What the extension gives for stored documents and arrays that nobody has looked into.
StoredDocument, StoredArray = _sqm.Document, _sqm.Array
Mapping.register(StoredDocument)
Sequence.register(StoredArray)
_stored = StoredDocument, StoredArray
_container_classes = {}
_missing, _unknown = object(), object()


# ---- errors that name the path ------------------------------------------------------------------------------------------


def path_error(path, error):
    """The ValidationError as a list of errors each of which begins with its path: "authors.2.email: Enter a valid email address."."""
    errors = []
    if hasattr(error, "error_dict"):
        pairs = [(join(path, "" if name == "__all__" else name), one) for name, group in error.error_dict.items() for one in group]
    else:
        pairs = [(path, one) for one in error.error_list]
    for where, one in pairs:
        inner = getattr(one, "path", "")
        message = one.bare if inner else one.messages[0]
        full = join(where, inner)
        made = ValidationError(f"{full}: {message}" if full else message, code=one.code)
        made.path, made.bare = full, message
        errors.append(made)
    return errors


def join(path, key):
    return f"{path}.{key}" if path and key != "" else path or str(key)


def check_key(key, path=""):
    """Keys that MongoDB could store but no query could name."""
    if not isinstance(key, str):
        problem = f"a key of a document must be text, not {type(key).__name__}"
    elif "\0" in key:
        problem = f"the key {key!r} contains a NUL"
    elif key.startswith("$") or "." in key:
        problem = f"the key {key!r} begins with $ or contains a dot, which in MongoDB's paths mean something else"
    else:
        return
    raise ValidationError(path_error(path, ValidationError(problem, code="invalid_key")))


def check_depth(depth):
    if depth > MAX_DEPTH:
        raise ValidationError(f"The value is nested deeper than {MAX_DEPTH} levels, or contains itself.", code="depth")


# ---- stored values -> Python -------------------------------------------------------------------------------------------


def _date(value):
    return value.date() if isinstance(value, datetime.datetime) else value


def _datetime(value):
    if isinstance(value, datetime.datetime) and settings.USE_TZ and value.tzinfo is None:
        return value.replace(tzinfo=datetime.timezone.utc)
    return value


def _time(value):
    return value.time() if isinstance(value, datetime.datetime) else value


def _duration(value):
    return datetime.timedelta(microseconds=value) if isinstance(value, int) and not isinstance(value, bool) else value


def _decimal(value):
    return decimal.Decimal(str(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _float(value):
    return float(value) if isinstance(value, (int, decimal.Decimal)) and not isinstance(value, bool) else value


def _integer(value):
    return int(value) if isinstance(value, (float, decimal.Decimal)) and value == value // 1 else value


def _boolean(value):
    return bool(value) if value in (0, 1) and isinstance(value, (int, float)) else value


def _uuid(value):
    if isinstance(value, str):
        try:
            return uuid.UUID(value)
        except ValueError:
            pass
    return value


# What BSON has no type of its own for. A value of another type than the field's is shown as it is: reading never fails.
READERS = {
    "DateField": _date,
    "DateTimeField": _datetime,
    "TimeField": _time,
    "DurationField": _duration,
    "DecimalField": _decimal,
    "FloatField": _float,
    "BooleanField": _boolean,
    "UUIDField": _uuid,
    **dict.fromkeys(
        ["BigIntegerField", "IntegerField", "PositiveBigIntegerField", "PositiveIntegerField", "PositiveSmallIntegerField", "SmallIntegerField"],
        _integer,
    ),
}


def target_field(field):
    """The field whose kind of value it holds: of a foreign key, what that refers to."""
    while getattr(field, "remote_field", None) and hasattr(field, "target_field"):
        field = field.target_field
    return field


def reader(field):
    """The function from what is stored to the field's value, or None where these are the same."""
    field = target_field(field)
    if hasattr(field, "from_stored"):
        return field.from_stored
    read = READERS.get(field.get_internal_type())
    if isinstance(field, models.JSONField):
        return plain
    convert = getattr(field, "from_db_value", None)
    if convert is None:
        return read

    def both(value):
        from django.db import connection

        value = plain(value)
        return convert(read(value) if read else value, field.cached_col, connection)

    return both


def plain(value):
    """Dicts and lists all the way down."""
    if type(value) in _stored:
        return value.decode()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in _items(value)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def to_plain(value):
    """Values of containers as dicts and lists."""
    if isinstance(value, ContainerValue):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return plain(value)


def _items(mapping):
    return ((key, mapping[key]) for key in mapping)


# ---- container classes ---------------------------------------------------------------------------------------------------


class Layout:
    """What is read again and again about a container class."""

    def __init__(self, cls):
        opts = cls._meta
        self.fields = [field for field in opts.concrete_fields]
        self.by_key = {}
        for field in self.fields:
            # A foreign key "owner" is stored as "owner_id"; a dict may hold the owner itself under the field's name.
            self.by_key.setdefault(field.name, field)
        for field in self.fields:
            self.by_key[field.attname] = field
        for field in self.fields:
            self.by_key[field.column] = field
        self.by_attname = {field.attname: field for field in self.fields}
        self.columns = {field.column: field for field in self.fields}
        # The key of a model that has a table as well: stored only if it was set.
        self.optional = {field.column for field in self.fields if field.primary_key}
        self.key = opts.pk if opts.pk.column is not None else None
        self._readers = {}

    def read(self, field, value):
        try:
            read = self._readers[field.attname]
        except KeyError:
            # Not before: a foreign key's target may not be there while the models are loaded.
            read = self._readers[field.attname] = reader(field)
        return value if read is None or value is None else read(value)


class InnerAttribute(DeferredAttribute):
    """A field of a container: read from the stored document when first asked for, afterwards an entry of __dict__."""

    def __init__(self, field):
        super().__init__(field)
        self.attname, self.column, self.read = field.attname, field.column, _unknown

    def __get__(self, instance, cls=None):
        if instance is None:
            return self
        data = instance.__dict__
        document = data.get("_document")
        value = _missing if document is None else document.get(self.column, _missing)
        if value is _missing:
            value = self.field.get_default()
        elif value is not None:
            read = self.read
            if read is _unknown:
                # Not before: a foreign key's target may not be there while the models are loaded.
                read = self.read = reader(self.field)
            if read is not None:
                value = read(value)
        data[self.attname] = value
        return value


class _StateAttribute:
    """The _state of an instance that was made without __init__."""

    def __get__(self, instance, cls):
        if instance is None:
            return self
        state = instance.__dict__["_state"] = ModelState()
        state.adding = False
        return state


class ContainerValue(models.Model):
    """The base of container classes: a model instance that is also a mapping, compares by value and is part of another one's document."""

    _document = None  # the stored document that fields are read from
    _extra = None  # keys that no field has, once they were read or set

    class Meta:
        abstract = True

    # -- made of what is stored, or of a dict

    @classmethod
    def from_document(cls, document):
        self = object.__new__(cls)
        data = self.__dict__
        data["_document"] = document
        key = cls._layout.key
        if key is not None:
            # Django never defers a primary key.
            data[key.attname] = cls._layout.read(key, document.get(key.column))
        return self

    @classmethod
    def from_mapping(cls, mapping):
        """The container of a dict: for what it lacks, the fields' defaults; what no field has is kept."""
        self = cls()
        by_key = cls._layout.by_key
        extra = {}
        for key, value in _items(mapping):
            field = by_key.get(key)
            if field is None:
                extra[key] = value
            elif key == field.name and field.is_relation and isinstance(value, models.Model):
                setattr(self, field.name, value)
            else:
                setattr(self, field.attname, value)
        if extra:
            self.__dict__["_extra"] = extra
        return self

    def refresh_from_db(self, using=None, fields=None, from_queryset=None):
        """Django asks this for a field that wasn't loaded yet and has an attribute of its own kind (files, foreign keys, containers)."""
        if fields is None:
            raise TypeError("A value inside a document can't be reloaded by itself: reload the model that holds it.")
        layout, document = self._layout, self._document
        for attname in fields:
            field = layout.by_attname.get(attname) or self._meta.get_field(attname)
            value = _missing if document is None else document.get(field.column, _missing)
            self.__dict__[field.attname] = field.get_default() if value is _missing else layout.read(field, value)

    def save(self, *args, **kwargs):
        raise TypeError(f"{type(self).__name__} is part of a document: save the model that holds it.")

    def delete(self, *args, **kwargs):
        raise TypeError(f"{type(self).__name__} is part of a document: change and save the model that holds it.")

    save_base = asave = adelete = save

    @property
    def prepare_database_save(self):
        # Has every model, for foreign keys; by it UPDATE would take the value for a reference.
        raise AttributeError("prepare_database_save")

    def to_dict(self):
        """A plain dict, with plain dicts and lists in it; the values as they are (dates, ObjectIds)."""
        return {key: to_plain(self[key]) for key in self}

    def is_untouched(self):
        """Was no field looked at since the document was read?"""
        return self._document is not None and self.__dict__.keys() <= {"_document", "_state"}

    # -- the mapping

    def _extras(self):
        extra = self._extra
        if extra is None:
            document = self._document
            columns = self._layout.columns
            extra = {} if document is None else {key: plain(document[key]) for key in document if key not in columns}
            self.__dict__["_extra"] = extra
        return extra

    def _keys(self):
        optional = self._layout.optional
        for field in self._layout.fields:
            if field.column not in optional or getattr(self, field.attname) is not None:
                yield field.column
        yield from self._extras()

    def __getitem__(self, key):
        field = self._layout.by_key.get(key)
        if field is None:
            return self._extras()[key]
        if field.column in self._layout.optional and getattr(self, field.attname) is None:
            raise KeyError(key)
        return getattr(self, field.attname)

    def __setitem__(self, key, value):
        field = self._layout.by_key.get(key)
        if field is None:
            self._extras()[key] = value
        else:
            setattr(self, field.attname if key != field.name or not isinstance(value, models.Model) else field.name, value)

    def __delitem__(self, key):
        field = self._layout.by_key.get(key)
        if field is None:
            del self._extras()[key]
        else:
            # A field of the model is always there: it takes its default.
            setattr(self, field.attname, field.get_default())

    def __iter__(self):
        return self._keys()

    def __len__(self):
        return sum(1 for _ in self._keys())

    def __bool__(self):
        return True

    def __contains__(self, key):
        return key in self._keys()

    get = MutableMapping.get
    keys = MutableMapping.keys
    items = MutableMapping.items
    values = MutableMapping.values
    setdefault = MutableMapping.setdefault
    update = MutableMapping.update

    def pop(self, key, *default):
        if key not in self:
            if default:
                return default[0]
            raise KeyError(key)
        value = self[key]
        del self[key]
        return value

    def __eq__(self, other):
        if other is self:
            return True
        if not isinstance(other, ContainerValue):
            if not isinstance(other, Mapping):
                return NotImplemented
            try:
                other = self.from_mapping(other)
            except (ValidationError, TypeError, ValueError):
                return False
        elif other._meta.concrete_model is not self._meta.concrete_model:
            return False
        return dict(_items(self)) == dict(_items(other))

    # Mutable, and equal by value.
    __hash__ = None

    def __repr__(self):
        return f"<{type(self).__name__}: {dict(_items(self))!r}>"

    def __str__(self):
        return str(dict(_items(self)))

    # -- copies

    def __reduce__(self):
        # By the container that the project wrote, which can be imported; the container class can't.
        state = {field.attname: getattr(self, field.attname) for field in self._layout.fields}
        return _restore, (self.container_of, state, dict(self._extras()))

    # -- validation

    def clean_fields(self, exclude=None):
        """As Model.clean_fields: a dict of the errors by field, so that a form shows them at its inputs; what lies deeper keeps the rest of its path."""
        errors = {}
        for error in clean_container(self, exclude or ()):
            name, _, rest = error.path.partition(".")
            made = ValidationError(f"{rest}: {error.bare}" if rest else error.bare, code=error.code)
            made.path, made.bare = rest, error.bare
            errors.setdefault(name if self._has_field(name) else NON_FIELD_ERRORS, []).append(made)
        if errors:
            raise ValidationError(errors)

    def _has_field(self, name):
        return any(field.name == name for field in self._layout.fields)

    def validate_unique(self, exclude=None):
        pass

    validate_constraints = validate_unique


MutableMapping.register(ContainerValue)


def _restore(container, state, extra):
    made = container_class(container).__new__(container_class(container))
    for attname, value in state.items():
        setattr(made, attname, value)
    if extra:
        made.__dict__["_extra"] = extra
    return made


class NoKey(models.Field):
    """A model must have a primary key; a document inside another has none. It has no column and nobody sees it."""

    def __init__(self):
        super().__init__(primary_key=True, editable=False, serialize=False, blank=True, null=True)

    def get_attname_column(self):
        return self.get_attname(), None

    def check(self, **kwargs):
        return []


def container_class(model):
    """The concrete class of a container, made once."""
    made = _container_classes.get(model)
    if made is None:
        if issubclass(model, ContainerValue):
            return model
        made = _container_classes[model] = _make_class(model)
    return made


def _make_class(model):
    opts = model._meta
    meta = {
        "abstract": False,
        "managed": False,
        "apps": container_apps,
        "app_label": getattr(opts, "app_label", None) or "djongo",
        "default_related_name": "+",
        "verbose_name": opts.verbose_name or model.__name__,
        "db_table": f"{model.__module__}.{model.__qualname__}",
    }
    attrs = {
        "__module__": model.__module__,
        "__qualname__": model.__qualname__,
        "is_container_class": True,
        "container_of": model,
        "_key": NoKey(),
        "_state": _StateAttribute(),
    }
    if not opts.abstract:
        meta["proxy"] = True
        del attrs["_key"], meta["managed"], meta["default_related_name"], meta["db_table"]
    for field in _declared_fields(model):
        if opts.abstract and field.remote_field and getattr(field.remote_field, "related_name", None):
            # What it refers to must not get an accessor to objects that no query can find.
            copy = field.clone()
            copy.remote_field.related_name = "+"
            copy.creation_counter = field.creation_counter
            attrs[field.name] = copy
    attrs["Meta"] = type("Meta", (), meta)
    unique = f"{CONTAINER_PREFIX}{len(_container_classes)} {model.__name__}"
    made = type(model)(unique, (model, ContainerValue), attrs)
    made.__name__ = model.__name__
    if opts.abstract:
        made._key = None
    for field in made._meta.concrete_fields:
        # Also where a field is called like a method of mappings: then the attribute is the field.
        if field.descriptor_class is DeferredAttribute and not field.primary_key:
            setattr(made, field.attname, InnerAttribute(field))
    made._layout = Layout(made)
    return made


def _declared_fields(model):
    return model._meta.local_fields if model._meta.abstract else model._meta.concrete_fields


# ---- Python -> what is stored --------------------------------------------------------------------------------------------


def to_document(value, connection, depth=1):
    """The dict to be stored: each field's value as the field stores it, then the unknown keys. ValidationErrors name the path."""
    check_depth(depth)
    layout = value._layout
    if type(value._document) is StoredDocument and value.is_untouched():
        return value._document
    document, errors = {}, []
    untouched = value._document if value._document is not None else None
    for field in layout.fields:
        if untouched is not None and field.attname not in value.__dict__:
            # As it was stored: never looked at.
            if field.column in untouched:
                document[field.column] = untouched[field.column]
                continue
        item = getattr(value, field.attname)
        if item is None and field.column in layout.optional:
            continue
        if untouched is not None and field.column not in untouched and item == field.get_default():
            # Reading what is missing changes nothing.
            continue
        try:
            document[field.column] = to_stored(field, item, connection, depth)
        except ValidationError as error:
            errors += path_error(field.name, error)
    for key, item in value._extras().items():
        try:
            check_key(key)
            document[key] = to_plain_stored(item, connection, depth + 1)
        except ValidationError as error:
            errors += path_error(key if isinstance(key, str) else repr(key), error)
    if errors:
        raise ValidationError(errors)
    return document


def to_stored(field, item, connection, depth):
    """One field's value as it is stored inside a document: what the database would refuse in a column is refused here."""
    if item is None:
        if not field.null:
            raise ValidationError(field.error_messages["null"], code="null")
        return None
    if hasattr(field, "to_stored"):
        return field.to_stored(item, connection, depth + 1)
    if hasattr(item, "resolve_expression"):
        raise ValidationError("An expression can't be stored inside a document.", code="invalid")
    try:
        stored = field.get_db_prep_save(field.to_python(item), connection)
        if isinstance(stored, decimal.Decimal) and isinstance(field, models.DecimalField) and field.decimal_places is not None:
            stored = decimal.Decimal(format_number(stored, field.max_digits, field.decimal_places))
    except (TypeError, ValueError, OverflowError, decimal.InvalidOperation) as error:
        text = "The number has more digits than the field." if isinstance(error, decimal.InvalidOperation) else str(error) or type(error).__name__
        raise ValidationError(text, code="invalid") from error
    if isinstance(stored, str) and field.max_length is not None and len(stored) > field.max_length:
        raise ValidationError(f"The text has {len(stored)} characters, {field.max_length} are allowed.", code="max_length")
    return stored


def to_plain_stored(item, connection, depth):
    """A value that no field describes."""
    if isinstance(item, ContainerValue):
        return to_document(item, connection, depth)
    if isinstance(item, Mapping):
        check_depth(depth)
        for key in item:
            check_key(key)
        return {key: to_plain_stored(one, connection, depth + 1) for key, one in _items(item)}
    if isinstance(item, (list, tuple)):
        check_depth(depth)
        return [to_plain_stored(one, connection, depth + 1) for one in item]
    if isinstance(item, models.Model):
        raise ValidationError(f"A {type(item).__name__} can't be stored where no field is declared.", code="invalid")
    return item


def run_pre_save(value, add, depth=1):
    """pre_save of the inner fields (auto_now, files to be stored), at any depth, in a document or in a list of them."""
    check_depth(depth)
    if isinstance(value, list):
        for item in value:
            run_pre_save(item, add, depth + 1)
    if not isinstance(value, ContainerValue):
        return
    for field in value._layout.fields:
        if type(field).pre_save is models.Field.pre_save:
            continue
        if value._document is not None and field.attname not in value.__dict__ and not getattr(field, "auto_now", False):
            continue
        if hasattr(field, "make"):
            run_pre_save(getattr(value, field.attname), add, depth + 1)
        else:
            item = field.pre_save(value, add)
            if not isinstance(field, models.FileField):
                setattr(value, field.attname, item)


def check_levels(value, depth=1):
    """Raises if values of containers nest too deeply, or in a circle."""
    check_depth(depth)
    if isinstance(value, ContainerValue):
        for item in value.__dict__.values():
            if isinstance(item, (dict, list, tuple, ContainerValue)):
                check_levels(item, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            check_levels(item, depth + 1)
    elif isinstance(value, Mapping) and type(value) is not StoredDocument:
        for key in value:
            check_levels(value[key], depth + 1)


# ---- validation -----------------------------------------------------------------------------------------------------------


def clean_container(value, exclude=()):
    """The errors of all inner fields and of the container's own clean(), each naming its path. Sets the cleaned values, as Model.clean_fields does."""
    errors = []
    for key in value._extras():
        try:
            check_key(key)
        except ValidationError as error:
            errors += error.error_list
    for field in value._layout.fields:
        if field.name in exclude or field.column in value._layout.optional:
            continue
        raw = getattr(value, field.attname)
        if field.blank and raw in field.empty_values:
            continue
        try:
            setattr(value, field.attname, field.clean(raw, value))
        except ValidationError as error:
            errors += path_error(field.name, error)
        except (TypeError, ValueError) as error:
            errors += path_error(field.name, ValidationError(str(error), code="invalid"))
    return errors


# ---- text -------------------------------------------------------------------------------------------------------------


def to_json(value):
    """The value for JSON text: each inner field as it serialises itself."""
    if value is None:
        return None
    if isinstance(value, ContainerValue):
        return {**{field.column: _field_to_json(field, value) for field in value._layout.fields if field.column in set(value._keys())}, **to_json(value._extras())}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in _items(value)}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        import base64

        return base64.b64encode(value).decode()
    return str(value)


def _field_to_json(field, value):
    item = getattr(value, field.attname)
    if item is None or isinstance(item, (bool, int, float, str)):
        return item
    if isinstance(item, (ContainerValue, Mapping, list, tuple)):
        return to_json(item)
    return field.value_to_string(value)
