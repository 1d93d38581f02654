"""`from djongo import BulkWrite`: the saves of a block in few commands.

    with BulkWrite():
        for entry in Entry.objects.filter(...):
            entry.rating += 1
            entry.save()
        Entry.objects.create(headline="New")

save() of a new row and of one that was read, create(), and update() by primary key are collected, and sent when the block ends, or before anything else is asked of the
database in it, so that reads see what was saved. Rows of one kind go together: one INSERT, or one UPDATE of many rows. Until they are sent, a new object has no key
that the database would give it.

ordered=True (the default): in the order of the saves, and all or nothing: the first error is raised and nothing of the block's last batch remains.
ordered=False: in any order; what fails keeps nothing else from being written, and BulkWriteError lists it afterwards.
If the block raises, what wasn't sent yet is not written.
"""

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction
from django.db.models.lookups import Exact
from django.db.models.sql import InsertQuery


class BulkWriteError(DatabaseError):
    """`errors`: pairs of the object (or of a model and a key) that wasn't written, and the exception."""

    def __init__(self, errors):
        self.errors = errors
        super().__init__(f"{len(errors)} of the writes failed, the first: {errors[0][1]}")


class BulkWrite:
    def __init__(self, ordered=True, using=DEFAULT_DB_ALIAS):
        self.ordered, self.using = ordered, using

    def __enter__(self):
        self.connection = connections[self.using]
        if self.connection.vendor != "djongo":
            raise ValueError(f"The database {self.using!r} isn't djongo's.")
        if self.connection.bulk_write is not None:
            raise transaction.TransactionManagementError("There is a BulkWrite block around this one already.")
        self.operations, self.errors, self.sending = [], [], False
        self.connection.bulk_write = self
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        try:
            if exc_type is None:
                self.send()
        finally:
            self.connection.bulk_write = None
        if exc_type is None and self.errors:
            raise BulkWriteError(self.errors)

    # -- what the compilers hand over

    def insert(self, query, returning_fields):
        """True when the INSERT was collected."""
        if self.sending or query.on_conflict is not None or any(hasattr(value, "resolve_expression") for obj in query.objs for value in vars(obj).values()):
            self.send()
            return False
        model, fields = query.model, tuple(query.fields)
        for obj in query.objs:
            self.operations.append((("insert", model, fields, query.raw, tuple(returning_fields or ())), obj))
        return True

    def update(self, query):
        """True when the UPDATE was collected."""
        condition = query.where.children[0] if len(query.where.children) == 1 and not query.where.negated else None
        by_key = isinstance(condition, Exact) and getattr(getattr(condition.lhs, "target", None), "primary_key", False)
        values = [(field, value) for field, _, value in query.values]
        plain = not any(hasattr(value, "resolve_expression") or hasattr(value, "bind") for _, value in values)
        if self.sending or not by_key or not plain or query.related_updates or not values or hasattr(condition.rhs, "resolve_expression"):
            self.send()
            return False
        self.operations.append((("update", query.model, tuple(field for field, _ in values)), (condition.rhs, [value for _, value in values])))
        return True

    # -- sending

    def send(self):
        if self.sending or not self.operations:
            return
        operations, self.operations, self.sending = self.operations, [], True
        try:
            if self.ordered:
                with transaction.atomic(using=self.using):
                    for kind, items in self._batches(operations):
                        self._run(kind, items)
            else:
                # Stable: a row that was inserted and then saved again is updated afterwards.
                for kind, items in self._batches(sorted(operations, key=lambda operation: operation[0][0])):
                    self._try(kind, items)
        finally:
            self.sending = False

    @staticmethod
    def _batches(operations):
        """Runs of the same kind; no run updates a row twice."""
        kind, items, keys = None, [], set()
        for this, item in operations:
            again = this[0] == "update" and item[0] in keys
            if this != kind or again:
                if items:
                    yield kind, items
                kind, items, keys = this, [], set()
            items.append(item)
            if this[0] == "update":
                keys.add(item[0])
        if items:
            yield kind, items

    def _try(self, kind, items):
        try:
            with transaction.atomic(using=self.using):
                self._run(kind, items)
        except DatabaseError as error:
            if len(items) == 1:
                self.errors.append((items[0] if kind[0] == "insert" else (kind[1], items[0][0]), error))
                return
            for item in items:
                self._try(kind, [item])

    def _run(self, kind, items):
        limit = self.connection.ops.bulk_batch_size(kind[2], items)
        for start in range(0, len(items), limit):
            (self._insert if kind[0] == "insert" else self._update)(kind, items[start : start + limit])

    def _insert(self, kind, objects):
        _, model, fields, raw, returning = kind
        query = InsertQuery(model)
        query.insert_values(fields, objects, raw=raw)
        rows = query.get_compiler(using=self.using).execute_sql(returning)
        for obj, row in zip(objects, rows or (), strict=bool(rows)):
            for field, value in zip(returning, row, strict=True):
                setattr(obj, field.attname, value)

    def _update(self, kind, rows):
        _, model, fields = kind
        quote, table = self.connection.ops.quote_name, model._meta.db_table
        key = model._meta.pk
        names = [f"c{i}" for i in range(len(fields))]
        params = []
        for pk, values in rows:
            params.append(key.get_db_prep_value(pk, self.connection))
            for field, value in zip(fields, values, strict=True):
                value = value.pk if hasattr(value, "_meta") and field.is_relation else value
                params.append(field.get_db_prep_save(value, self.connection))
        one = f"({', '.join(['%s'] * (len(fields) + 1))})"
        sets = ", ".join(f'{quote(field.column)} = "v".{quote(name)}' for field, name in zip(fields, names, strict=True))
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {quote(table)} SET {sets} FROM (VALUES {', '.join([one] * len(rows))}) AS \"v\" (\"k\", {', '.join(map(quote, names))})"
                f' WHERE {quote(table)}.{quote(key.column)} = "v"."k"',
                params,
            )
            if cursor.rowcount != len(rows):
                raise DatabaseError(
                    f"{len(rows) - cursor.rowcount} of {len(rows)} rows of {model._meta.label} that were saved aren't there: new rows with a key of their own"
                    " are saved by create() or save(force_insert=True) in a BulkWrite block"
                )
