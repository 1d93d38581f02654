"""Models from documents: the source text of a models.py, containers included, that reads and writes what was sampled.

    {_id: ObjectId, name: "x", address: {city: "Rome"}, tags: ["a"], n: 1}
    ->  class ThingAddress(models.EmbeddedModel): city = CharField
        class Thing(models.Model): _id = ObjectIdField(), address = EmbeddedField(ThingAddress), tags = ArrayField(base_field=CharField), n = IntegerField

A field that some documents lack, or have null in, is null=True; one with values of several types is a JSONField. Numbers of several kinds widen.
"""

import datetime
import keyword
import re

from bson import Binary, Decimal128, Int64, ObjectId

KINDS = ((bool, "bool"), (Int64, "long"), (int, "int"), (float, "double"), (Decimal128, "decimal"), (str, "text"), (ObjectId, "objectid"), (datetime.datetime, "datetime"))
WIDER = [{"int", "long"}, {"int", "long", "double"}]


class Seen:
    """What one place in the documents held."""

    def __init__(self):
        self.n, self.kinds, self.longest, self.places, self.digits = 0, set(), 0, 0, 0
        self.midnight, self.keys, self.documents, self.items = True, {}, 0, None

    def add(self, value):
        self.n += 1
        if isinstance(value, dict):
            self.kinds.add("document")
            self.documents += 1
            for key, inner in value.items():
                self.keys.setdefault(key, Seen()).add(inner)
        elif isinstance(value, list):
            self.kinds.add("array")
            self.items = self.items or Seen()
            for inner in value:
                self.items.add(inner)
        elif isinstance(value, (bytes, Binary)):
            self.kinds.add("uuid" if getattr(value, "subtype", 0) in (3, 4) else "bytes")
        elif value is not None:
            kind = next((kind for cls, kind in KINDS if isinstance(value, cls)), "other")
            self.kinds.add(kind)
            if kind == "text":
                self.longest = max(self.longest, len(value))
            elif kind == "datetime":
                self.midnight &= value.time() == datetime.time(0)
            elif kind == "decimal":
                sign, digits, exponent = value.to_decimal().as_tuple()
                if isinstance(exponent, int):
                    self.places = max(self.places, -exponent)
                    self.digits = max(self.digits, len(digits) + exponent)
        else:
            self.kinds.add("null")


def can_be_field(key):
    return bool(re.fullmatch(r"[A-Za-z]\w*", key)) and "__" not in key and not key.endswith("_") and not keyword.iskeyword(key) and key not in ("pk", "check")


class Writer:
    def __init__(self):
        self.lines, self.names = [], set()

    def class_name(self, text):
        name = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^0-9A-Za-z]+", text) if part) or "Collection"
        name = base = f"C{name}" if name[0].isdigit() or keyword.iskeyword(name) else name
        number = 1
        while name in self.names:
            number += 1
            name = f"{base}{number}"
        self.names.add(name)
        return name

    def model(self, collection, documents):
        seen = Seen()
        for document in documents:
            seen.add(document)
        name = self.class_name(collection)
        body = self.fields(name, seen, top=True)
        self.lines += ["", "", f"class {name}(models.Model):", *body]
        self.lines += ["", "    class Meta:", "        managed = False", f"        db_table = {collection!r}"]

    def fields(self, owner, seen, top=False):
        lines, used = [], set()
        for key, inner in seen.keys.items():
            if top and key == "_id":
                lines.insert(0, self.key(inner))
                continue
            name, options = self.field_name(key, used)
            optional = inner.n < seen.documents or "null" in inner.kinds
            made = self.field(owner, key, inner, [*options, *(["null=True", "blank=True"] if optional else [])])
            if options and not top:
                lines.append(f"    # the key {key!r} of the documents can't be the name of a field")
                continue
            lines.append(f"    {name} = {made}")
        return lines or ["    pass"]

    def key(self, seen):
        kinds = seen.kinds - {"null"}
        if kinds == {"objectid"}:
            return "    _id = models.ObjectIdField()"
        made = self.field("", "_id", seen, ["primary_key=True"])
        return f"    _id = {made}" if kinds <= {"int", "long", "text", "uuid"} and len(kinds) == 1 else f"    # _id: {', '.join(sorted(kinds))}"

    def field_name(self, key, used):
        name = re.sub(r"_{2,}", "_", re.sub(r"\W", "_", key)).rstrip("_").lstrip("_") or "field"
        if name[0].isdigit() or keyword.iskeyword(name) or name in ("pk", "id", "objects", "check"):
            name = f"field_{name}"
        while name in used:
            name += "_x"
        used.add(name)
        return name, [] if name == key else [f"db_column={key!r}"]

    def field(self, owner, key, seen, options):
        kinds = seen.kinds - {"null"}
        if any(kinds <= wider for wider in WIDER) and len(kinds) > 1:
            kinds = {"double"} if "double" in kinds else {"long"}
        kind = next(iter(kinds)) if len(kinds) == 1 else "other"
        field, arguments = "JSONField", []
        if kind == "document":
            if seen.keys and all(map(can_be_field, seen.keys)):
                field, arguments = "EmbeddedField", [f"model_container={self.container(owner, key, seen)}"]
        elif kind == "array":
            items = seen.items or Seen()
            inner = items.kinds - {"null"}
            if inner == {"document"} and "null" not in items.kinds:
                made = self.field(owner, key, items, [])
                if made.startswith("models.EmbeddedField("):
                    field, arguments = "ArrayField", [made[len("models.EmbeddedField(") : -1]]
            elif len(inner) == 1 and "null" not in items.kinds and inner != {"array"}:
                field, arguments = "ArrayField", [f"base_field={self.field(owner, key, items, [])}"]
        elif kind == "text":
            field, arguments = ("TextField", []) if seen.longest > 255 else ("CharField", ["max_length=255"])
        elif kind == "datetime":
            field = "DateField" if seen.midnight else "DateTimeField"
        elif kind == "decimal":
            places = seen.places
            field, arguments = "DecimalField", [f"max_digits={max(seen.digits + places + 4, 12)}", f"decimal_places={places}"]
        else:
            field = {"bool": "BooleanField", "int": "IntegerField", "long": "BigIntegerField", "double": "FloatField", "objectid": "GenericObjectIdField", "bytes": "BinaryField", "uuid": "UUIDField"}.get(kind, "JSONField")  # fmt: skip
        return f"models.{field}({', '.join([*arguments, *options])})"

    def container(self, owner, key, seen):
        name = self.class_name(owner + key[:1].upper() + key[1:])
        body = self.fields(name, seen)
        self.lines += ["", "", f"class {name}(models.EmbeddedModel):", *body]
        return name


def write_models(collections):
    """`collections`: {name: an iterable of its documents, by PyMongo}."""
    writer = Writer()
    for name, documents in collections.items():
        writer.model(name, documents)
    return "\n".join(["from djongo import models", *writer.lines]) + "\n"
