"""Relations that are kept in arrays of keys, as the compilers and the schema editor see them.

An ArrayTable stands for the intermediate table of an ArrayReferenceField: the table of pairs (owner, target) that isn't there. In SQL it is

    (SELECT "o"."_id" AS "entry_id", "u"."v" AS "author_id", ... FROM "entry" "o" CROSS JOIN LATERAL UNNEST("o"."authors_id") AS "u"("v"))

or, where the query has the owner's row already, LATERAL (SELECT "entry"."_id" AS .. FROM UNNEST("entry"."authors_id") ..). A condition of the query
on either column is also said of the owner's document, where an index can answer it.
"""

# Name of the table that isn't there -> what it stands for.
array_tables = {}
# The owner's alias where the arrays are found by themselves.
OWNER = '"o"'


class ArrayTable:
    def __init__(self, through, source, target, field):
        self.through, self.source_name, self.target_name, self.field = through, source, target, field

    @property
    def source(self):
        return self.through._meta.get_field(self.source_name)

    @property
    def target(self):
        return self.through._meta.get_field(self.target_name)

    @property
    def owner(self):
        """The model whose documents have the array."""
        return self.through._meta.auto_created

    @property
    def column(self):
        return self.field.keys_column

    @property
    def key_column(self):
        return self.source.target_field.column

    def array_type(self, connection):
        return f"{self.target.db_type(connection)}[]"

    def derived_table(self, quote, conditions=()):
        """All pairs; conditions speak of the owner as "o"."""
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f'({self._select(quote, OWNER)} {quote(self.owner._meta.db_table)} {OWNER} CROSS JOIN LATERAL {self._elements(quote, OWNER)}{where})'

    def of_owner(self, quote, owner):
        """The pairs of a row that the query has: for LATERAL, or a subquery."""
        return f"({self._select(quote, owner)} {self._elements(quote, owner)})"

    def _select(self, quote, owner):
        key = f"{owner}.{quote(self.key_column)}"
        target = '"u"."v"'
        return f"SELECT {key} AS {quote(self.source.column)}, {target} AS {quote(self.target.column)}, CAST({key} AS text) || ' ' || CAST({target} AS text) AS \"id\" FROM"

    def _elements(self, quote, owner):
        return f'UNNEST({owner}.{quote(self.column)}) AS "u"("v")'

    # -- writing

    def add(self, cursor, quote, pairs):
        """Puts the targets into the owners' arrays, at the end, unless they are there; several in the order of their keys, as Django forgets theirs."""
        owners = {}
        for owner, target in sorted(pairs):
            owners.setdefault(target, []).append(owner)
        table, array, key = map(quote, (self.owner._meta.db_table, self.column, self.key_column))
        for target, keys in owners.items():
            cursor.execute(
                f"UPDATE {table} SET {array} = ARRAY_APPEND({array}, %s) WHERE {key} IN ({', '.join(['%s'] * len(keys))}) AND ({array} @> ARRAY[%s]) IS NOT TRUE",
                [target, *keys, target],
            )

    def remove(self, cursor, quote, pairs):
        """Takes the targets out of the owners' arrays. Returns how many pairs there were."""
        targets, groups = {}, {}
        for owner, target in pairs:
            targets.setdefault(owner, []).append(target)
        for owner, of_owner in targets.items():
            groups.setdefault(tuple(of_owner), []).append(owner)
        table, array, key = map(quote, (self.owner._meta.db_table, self.column, self.key_column))
        for of_owner, owners in groups.items():
            for start in range(0, len(of_owner), 100):
                some = of_owner[start : start + 100]
                value = array
                for _ in some:
                    value = f"ARRAY_REMOVE({value}, %s)"
                cursor.execute(f"UPDATE {table} SET {array} = {value} WHERE {key} IN ({', '.join(['%s'] * len(owners))})", [*some, *owners])
        return sum(map(len, targets.values()))
