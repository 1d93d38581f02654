"""Where documents and models disagree: what `djongo_diff` lists and can put right.

In:  a connection and models. Out: Findings, each with the model, the place in the document, how many documents, and examples of their _id.
The server counts: one pass over a collection gives every field with its BSON types, one more pass each container. Documents never come here, except examples.
"""

from dataclasses import dataclass, field

from django.db import models
from django.db.utils import Error, IntegrityError

from . import implicit

NUMBERS = frozenset(["int", "long"])
# SQL type -> BSON types ($type's names) of its values; a type that isn't here takes any.
BSON_TYPES = {
    "smallint": NUMBERS, "integer": NUMBERS, "bigint": NUMBERS, "interval": NUMBERS,
    "real": NUMBERS | {"double"}, "double precision": NUMBERS | {"double"}, "numeric": {"decimal"},
    "varchar": {"string"}, "char": {"string"}, "text": {"string"}, "boolean": {"bool"}, "bytea": {"binData"}, "uuid": {"binData"}, "objectid": {"objectId"},
    "date": {"date"}, "time": {"date"}, "timestamp": {"date"}, "timestamp with time zone": {"date"}, "document": {"object"}, "array": {"array"},
}  # fmt: skip
EXAMPLES = 3


@dataclass
class Finding:
    model: type
    path: str
    problem: str
    count: int = None
    examples: list = field(default_factory=list)
    repair: object = None  # a function of the schema editor; None: a person has to decide

    def __str__(self):
        count = "" if self.count is None else f"{self.count} document{'s' * (self.count != 1)}: "
        examples = f" (_id {', '.join(map(str, self.examples))})" if self.examples else ""
        return f"{self.path}: {count}{self.problem}{examples}"


class Comparison:
    def __init__(self, connection):
        from .pymongo import database

        self.connection = connection
        connection.ensure_connection()
        self.database = database(connection.alias)
        self.collections = set(self.database.list_collection_names())

    # -- a model and its collection

    def model(self, model):
        """The findings of one model."""
        table = model._meta.db_table
        if table not in self.collections:
            return [Finding(model, table, "there is no such collection", repair=lambda editor: self._create(editor, model))]
        collection = self.database[table]
        total, found = self._statistics(collection, [])
        findings = []
        fields = {}
        for f in model._meta.local_concrete_fields:
            if f.column is not None and not getattr(f, "generated", False):
                fields[self._stored_name(model, f, found)] = f
        for column in implicit.array_columns(model, self.connection):
            wrong = {kind: seen for kind, seen in found.pop(column, {}).items() if kind not in ("array", "null")}
            findings += [Finding(model, column, f"{kind} instead of array", n, [example]) for kind, (n, example) in wrong.items()]
        findings += self._fields(model, collection, [], fields, total, found)
        findings += self._indexes(model, collection, {f.column: name for name, f in fields.items()})
        findings += self._counter(model, collection, fields)
        return findings

    def _stored_name(self, model, f, found):
        """Where the collection has the column; a key may lie in _id."""
        known = self._described(model)
        if known is not None:
            for column in known["columns"]:
                if column["name"] == f.column:
                    return column["field"]
        return "_id" if f.primary_key and f.column not in found else f.column

    def _described(self, model):
        try:
            known = self.connection.connection.table(model._meta.db_table)
        except self.connection.Database.Error:
            return None
        return known if known.get("described") else None

    def _statistics(self, collection, steps):
        """(documents at the end of the path, {key: {BSON type: (how many, _id of one)}})"""
        prefix = [{"$project": {"_id": 0, "id": "$_id", "v": "$$ROOT"}}]
        for step in steps:
            if step is None:
                prefix += [{"$match": {"$expr": {"$isArray": "$v"}}}, {"$unwind": "$v"}]
            else:
                prefix.append({"$project": {"id": 1, "v": {"$getField": {"field": {"$literal": step}, "input": "$v"}}}})
        prefix.append({"$match": {"$expr": {"$eq": [{"$type": "$v"}, "object"]}}})
        total = next((row["n"] for row in collection.aggregate([*prefix, {"$count": "n"}])), 0)
        rows = collection.aggregate(
            [
                *prefix,
                {"$project": {"id": 1, "f": {"$objectToArray": "$v"}}},
                {"$unwind": "$f"},
                {"$group": {"_id": {"k": "$f.k", "t": {"$type": "$f.v"}}, "n": {"$sum": 1}, "example": {"$first": "$id"}}},
            ],
            allowDiskUse=True,
        )
        found = {}
        for row in rows:
            found.setdefault(row["_id"]["k"], {})[row["_id"]["t"]] = row["n"], row["example"]
        return total, found

    def _fields(self, model, collection, steps, fields, total, found):
        findings = []
        for name, f in fields.items():
            path = ".".join([*("[]" if step is None else step for step in steps), name]).replace(".[]", "[]")
            types = dict(found.get(name, {}))
            db_type = f.db_parameters(self.connection)["type"] or ""
            absent = total - sum(n for n, _ in types.values()) + types.pop("null", (0, None))[0]
            if absent and not f.null and not (f.primary_key and name == "_id"):
                findings.append(self._absent(model, collection, steps, name, path, f, absent))
            wanted = {"array"} if db_type.endswith("[]") else BSON_TYPES.get(db_type.split("(")[0])
            for bson_type, (n, example) in sorted(types.items()):
                if wanted is not None and bson_type not in wanted:
                    findings.append(Finding(model, path, f"{bson_type} instead of {' or '.join(sorted(wanted))}", n, [example]))
            if f.max_length and db_type.startswith("varchar") and not steps and "string" in types:
                findings += self._lengths(model, collection, name, path, f.max_length)
            base, inner = f, [*steps, name]
            while isinstance(getattr(base, "base_field", None), models.Field):
                base, inner = base.base_field, [*inner, None]
            if getattr(base, "containers", None) and len(base.containers) == 1:
                inner_fields = {g.attname: g for g in base.container._meta.local_concrete_fields}
                if len(inner) < 12:  # a container may hold itself
                    findings += self._fields(model, collection, inner, inner_fields, *self._statistics(collection, inner))
        for name in sorted(set(found) - set(fields) - ({"_id"} if not steps else set())):
            types = found[name]
            path = ".".join([*("[]" if step is None else step for step in steps), name]).replace(".[]", "[]")
            examples = [example for _, example in types.values()][:EXAMPLES]
            findings.append(Finding(model, path, f"no field of the model ({', '.join(sorted(types))})", sum(n for n, _ in types.values()), examples))
        return findings

    def _absent(self, model, collection, steps, name, path, f, absent):
        examples, repair = [], None
        if not steps:
            examples = [row["_id"] for row in collection.find({name: None}, {"_id": 1}).limit(EXAMPLES)]
            if f.has_default() and not f.is_relation:
                repair = lambda editor: self._fill(editor, model, f)  # noqa: E731
        problem = "missing or null, and the field isn't null=True"
        return Finding(model, path, problem + (f"; its default is {f.get_default()!r}" if repair else ""), absent, examples, repair)

    def _lengths(self, model, collection, name, path, limit):
        query = {"$expr": {"$cond": [{"$eq": [{"$type": f"${name}"}, "string"]}, {"$gt": [{"$strLenCP": f"${name}"}, limit]}, False]}}
        n = collection.count_documents(query)
        examples = [row["_id"] for row in collection.find(query, {"_id": 1}).limit(EXAMPLES)] if n else []
        return [Finding(model, path, f"longer than {limit} characters", n, examples)] if n else []

    # -- unique indexes, counters, the catalogue

    def _indexes(self, model, collection, names):
        wanted = {}
        for f in model._meta.local_concrete_fields:
            if f.unique and not f.primary_key and f.column in names:
                wanted[(f.column,)] = [f]
        for group in model._meta.unique_together:
            fields = [model._meta.get_field(name) for name in group]
            wanted[tuple(f.column for f in fields)] = fields
        for constraint in model._meta.constraints:
            if isinstance(constraint, models.UniqueConstraint) and constraint.fields:
                fields = [model._meta.get_field(name) for name in constraint.fields]
                wanted[tuple(f.column for f in fields)] = None if constraint.condition or constraint.nulls_distinct is False else fields
        columns = {stored: column for column, stored in names.items()}
        findings, there = [], set()
        for name, index in collection.index_information().items():
            key = tuple(columns.get(stored, stored) for stored, _ in index["key"])
            if not index.get("unique") or name == "_id_" or key == (model._meta.pk.column,):
                continue
            there.add(key)
            if key not in wanted:
                drop = lambda editor, name=name: self._drop_index(editor, model, name)  # noqa: E731
                findings.append(Finding(model, ", ".join(key), f"the unique index {name} isn't the model's: it refuses what the model allows", repair=drop))
            elif "partialFilterExpression" not in index and any(f.null for f in wanted[key] or ()):
                renew = lambda editor, name=name, key=key: self._unique(editor, model, wanted[key], name)  # noqa: E731
                findings.append(Finding(model, ", ".join(key), f"the unique index {name} lets only one row be null", repair=renew))
        for key in sorted(wanted.keys() - there):
            make = None if wanted[key] is None else lambda editor, key=key: self._unique(editor, model, wanted[key], None)
            findings.append(Finding(model, ", ".join(key), "there is no unique index", repair=make))
        return findings

    def _counter(self, model, collection, fields):
        auto = model._meta.auto_field
        if auto is None or not (auto.db_parameters(self.connection)["type"] or "").endswith(("int", "integer")):
            return []
        name = next(name for name, f in fields.items() if f is auto)
        greatest = collection.find_one({name: {"$type": "number"}}, {name: 1}, sort=[(name, -1)])
        entry = self.database["__schema__"].find_one({"name": model._meta.db_table}) or {}
        counter = (entry.get("auto") or {}).get("seq")
        if not greatest or counter is None or counter >= greatest[name]:
            return []  # a counter that isn't there is made from the greatest key
        return [Finding(model, name, f"the counter stands at {int(counter)}, the greatest key is {greatest[name]}", repair=lambda editor: self._raise_counter(editor, model))]

    def catalogue(self, tables):
        """Entries of the catalogue that no collection and no model stands for: what djongo 1.3 left behind when it renamed or deleted a model."""
        names = [entry["name"] for entry in self.database["__schema__"].find({}, {"name": 1}) if entry.get("name")]
        return [
            Finding(None, name, "an entry of the catalogue without a collection and a model", repair=lambda editor, name=name: editor.execute(editor.sql_delete_table % {"table": editor.quote_name(name)}))
            for name in sorted(set(names) - self.collections - set(tables))
        ]

    def without_model(self, tables):
        """Collections that are no model's, GridFS's aside."""
        gridfs = {name[: -len(".files")] for name in self.collections if name.endswith(".files")}
        return sorted(
            name
            for name in self.collections
            if name not in tables and name != "__schema__" and not name.startswith(("system.", "__sqm_")) and name.rpartition(".")[0] not in gridfs
        )

    # -- repairs

    def _create(self, editor, model):
        for statement in implicit.create_sql(self.connection, model):
            editor.execute(statement, None)

    def _names(self, editor, model, f):
        return {"table": editor.quote_name(model._meta.db_table), "column": editor.quote_name(f.column)}

    def _fill(self, editor, model, f):
        editor._describe(model)
        names = self._names(editor, model, f)
        value = f.get_db_prep_save(f.get_default(), self.connection)
        with self.connection.cursor() as cursor:
            cursor.execute("UPDATE %(table)s SET %(column)s = %%s WHERE %(column)s IS NULL" % names, [value])
        editor.execute("ALTER TABLE %(table)s ALTER COLUMN %(column)s SET NOT NULL" % names, None)

    def _drop_index(self, editor, model, name):
        editor._describe(model)
        try:
            editor.execute(editor.sql_delete_index % {"name": editor.quote_name(name)}, None)
        except Error:
            editor.execute(editor.sql_delete_unique % {"table": editor.quote_name(model._meta.db_table), "name": editor.quote_name(name)}, None)

    def _unique(self, editor, model, fields, name):
        editor._describe(model)
        if name:
            self._drop_index(editor, model, name)
        editor.execute(str(editor._create_unique_sql(model, fields)), None)

    def _raise_counter(self, editor, model):
        from django.core.management.color import no_style

        with self.connection.cursor() as cursor:
            for statement in self.connection.ops.sequence_reset_sql(no_style(), [model]):
                cursor.execute(statement)

    def repair(self, findings):
        """[(finding, error or None)] of those that can be repaired without asking anybody."""
        results = []
        for finding in findings:
            if finding.repair is None:
                continue
            try:
                with self.connection.schema_editor() as editor:
                    finding.repair(editor)
            except (Error, IntegrityError) as error:
                results.append((finding, error))
            else:
                results.append((finding, None))
        return results
