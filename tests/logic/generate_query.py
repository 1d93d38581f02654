"""Random queries of every shape, put together from generate.py's expressions.

block() is one SELECT or a set operation with columns of given kinds, which may name columns of outer queries: derived tables, CTEs, LATERAL items and the
subqueries of conditions are made of it. query() is what is compared: its rows in any order, or, with ORDER BY over everything, in that one.
"""
import re

from generate import COLUMNS, KINDS, Expressions, Relation, table_relation
from shrink import mark

COLUMN = re.compile(r"\w+\.[a-z]\w*")
SORTABLE = ("int", "num", "float", "text", "bool", "date", "ts")


class Queries(Expressions):
    def __init__(self, seed):
        super().__init__(seed)
        self.ctes = []

    # ---- FROM ----

    def derived(self, outer, depth):
        """A subquery as a relation: its columns are c1, c2 ..."""
        kinds = [self.rng.choice(["int", "int", "text", "num", "date", "bool"]) for _ in range(self.rng.randint(1, 3))]
        if "int" not in kinds:
            kinds[0] = "int"
        alias = self.alias()
        return f"({self.block(outer, kinds, depth - 1)})", Relation(alias, self.named(kinds)), f"{alias}({', '.join(f'c{n + 1}' for n in range(len(kinds)))})"

    def named(self, kinds):
        columns = {}
        for n, kind in enumerate(kinds):
            columns.setdefault(kind, []).append(f"c{n + 1}")
        return columns

    def item(self, outer, depth, lateral=()):
        """(text, relation) of one item of FROM."""
        rng, shape = self.rng, self.rng.random()
        if depth <= 0 or shape < 0.72:
            table, alias = rng.choice("aaabbbcccl"), self.alias()
            return f"{table} {alias}", table_relation(alias, table)
        if shape < 0.8 and self.ctes:
            name, columns = rng.choice(self.ctes)
            alias = self.alias()
            return f"{name} {alias}", Relation(alias, columns)
        if shape < 0.84:
            alias = self.alias()
            kinds = ["int", rng.choice(["text", "num", "date"])]
            values = ", ".join(f"({self.constant(kinds[0])}, {self.constant(kinds[1]) if n else self.typed(kinds[1])})" for n in range(rng.randint(1, 4)))
            return f"(VALUES {values}) {alias}(c1, c2)", Relation(alias, self.named(kinds))
        if shape < 0.87:
            alias = self.alias()
            return f"GENERATE_SERIES({rng.randint(-1, 2)}, {rng.randint(0, 5)}) {alias}(c1)", Relation(alias, {"int": ["c1"]})
        if shape < 0.89 and lateral:
            alias = self.alias()
            return f"UNNEST({self.scalar(list(lateral), 'ints', 1)}) {alias}(c1)", Relation(alias, {"int": ["c1"]})
        text, relation, alias = self.derived(outer, depth)
        return f"{text} {alias}", relation

    def typed(self, kind):
        value = self.constant(kind)
        return value if "::" in value or value.startswith("DATE") else f"{value}::{'text' if kind == 'text' else 'numeric'}"

    def source(self, outer=(), depth=2):
        """(FROM clause, scope of its own)"""
        rng, outer = self.rng, list(outer)
        clause, relation = self.item(outer, depth)
        scope = [relation]
        for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3]) if depth > 0 else rng.choice([0, 0, 1])):
            kind = rng.choice(["JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "LATERAL", ","])
            if kind == ",":
                text, relation = self.item(outer, depth)
                if relation.table is None or rng.random() < 0.5:
                    kind = "CROSS JOIN"     # a comma binds less tightly: an ON that follows could not name what stands before
                else:
                    clause, scope = f"{relation.table} {relation.alias} CROSS JOIN {clause}", [relation] + scope
                    continue
            elif kind == "LATERAL":
                side = rng.choice(["CROSS JOIN LATERAL", "LEFT JOIN LATERAL", "JOIN LATERAL"])
                text, relation, alias = self.derived(outer + scope, min(depth, 1))
                on = "" if side.startswith("CROSS") else f" ON {self.predicate(scope + [relation], 1)}"
                clause += mark("opt", f" {side} {text} {alias}{on}")
                scope = scope + [relation]
                continue
            else:
                text, relation = self.item(outer, depth, scope if kind in ("JOIN", "LEFT JOIN", "CROSS JOIN") else ())
            if kind == "CROSS JOIN":
                clause += mark("opt", f" CROSS JOIN {text}")
                scope = scope + [relation]
                continue
            equal = f"{self.column([relation], 'int')} = {self.column(scope, 'int')}"
            if kind == "FULL JOIN":
                on = equal if "." in equal.split("=")[0] and "." in equal.split("=")[1] else "TRUE"
            elif self.chance(0.8):
                on = equal + self.opt(0.4, lambda: f" AND {self.predicate(scope + [relation] + outer, 1)}")
            else:
                on = f"{self.column([relation], 'int')} {rng.choice(['<', '>=', '<>'])} {self.column(scope, 'int')} AND {self.predicate(scope + [relation], 1)}"
            clause += mark("opt", f" {kind} {text} ON {on}")
            scope = scope + [relation]
        return clause, scope

    # ---- SELECT ----

    def subquery(self, outer, kinds, depth):
        """In parentheses, as in IN (SELECT ...)."""
        return f"({self.block(outer if self.chance(0.6) else (), kinds, min(depth, 2) - 1)})"

    def block(self, outer, kinds, depth):
        rng, outer = self.rng, list(outer)
        shape = rng.random()
        if depth > 0 and shape < 0.12:
            operator = rng.choice(["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"])
            kinds_ = [kind if kind != "json" else "text" for kind in kinds]
            return mark("block", f"({self.block(outer, kinds_, depth - 1)}) {operator} ({self.block(outer, kinds_, depth - 1)})")
        clause, scope = self.source(outer, depth)
        everything = scope + outer
        if depth > 0 and outer and self.chance(0.6):
            where = f" WHERE {self.column(scope, 'int')} = {self.column(outer, 'int')}" + self.opt(0.5, lambda: f" AND {self.predicate(everything, depth)}")
        else:
            where = self.opt(0.7, lambda: f" WHERE {self.predicate(everything, depth)}")
        if shape < 0.25:
            return mark("block", self.grouped_block(clause, scope, outer, where, kinds))
        targets = ", ".join(self.scalar(everything, kind, max(1, min(depth, 2))) for kind in kinds)
        distinct = "DISTINCT " if self.chance(0.15) else ""
        text = f"SELECT {distinct}{targets} FROM {clause}{where}"
        if not distinct and self.chance(0.2) and all(relation.key for relation in scope):
            keys = ", ".join(f"{relation.alias}.{relation.key} NULLS FIRST" for relation in scope)
            text += f" ORDER BY {keys} LIMIT {rng.randint(1, 6)}{self.opt(0.3, lambda: f' OFFSET {rng.randint(0, 3)}')}"
        return mark("block", text)

    def grouped_block(self, clause, scope, outer, where, kinds):
        """GROUP BY with a key or aggregate of each kind."""
        keys, targets = [], []
        for kind in kinds:
            column = self.column(scope, kind)
            if self.chance(0.5) and COLUMN.fullmatch(column):
                keys.append(column)
                targets.append(column)
            else:
                targets.append(self.aggregate(scope, kind))
        group = f" GROUP BY {', '.join(dict.fromkeys(keys))}" if keys else ""
        having = self.opt(0.25, lambda: f" HAVING {self.having(scope, outer)}")
        return f"SELECT {', '.join(targets)} FROM {clause}{where}{group}{having}"

    def having(self, scope, outer=()):
        rng = self.rng
        return rng.choice([
            lambda: "COUNT(*) > 1", lambda: f"MAX({self.column(scope, 'int')}) > 2", lambda: f"NOT (SUM({self.column(scope, 'int')}) > 5)",
            lambda: f"MIN({self.column(scope, 'text')}) <> {self.constant('text')}", lambda: f"COUNT(DISTINCT {self.column(scope, 'int')}) = {rng.randint(0, 3)}",
            lambda: f"SUM({self.column(scope, 'int')}) IN {self.subquery((), ['int'], 1)}", lambda: f"EXISTS {self.subquery(list(outer), ['int'], 1)}",
            lambda: f"COUNT(*) FILTER (WHERE {self.predicate(scope, 0)}) < 3 OR BOOL_OR({self.column(scope, 'bool')})",
        ])()

    def aggregate(self, scope, kind):
        rng = self.rng
        argument = lambda k=kind: self.scalar(scope, k, 1)  # noqa: E731
        filtered = self.opt(0.25, lambda: f" FILTER (WHERE {self.predicate(scope, 1)})")
        distinct = rng.choice(["", "", "", "DISTINCT "])
        extreme = [lambda: f"{rng.choice(['MIN', 'MAX'])}({distinct}{argument()}){filtered}"] if kind not in ("bool", "json", "ints") else []
        forms = {
            "int": [lambda: f"(COUNT(*){filtered})::integer", lambda: f"(COUNT({distinct}{argument(rng.choice(['int', 'text', 'date', 'num', 'bool']))}){filtered})::integer", lambda: f"(SUM({distinct}{argument()}){filtered})::integer",
                    lambda: f"CARDINALITY(ARRAY_AGG({argument()}){filtered})", lambda: f"BIT_AND({argument()}){filtered}"],
            "num": [lambda: f"SUM({distinct}{argument()}){filtered}", lambda: f"ROUND(AVG({distinct}{argument(rng.choice(['int', 'num']))}){filtered}, 6)"],
            "float": [lambda: f"SUM({distinct}{argument()}){filtered}", lambda: f"AVG({argument()}){filtered}"],
            "text": [lambda: f"STRING_AGG({argument()}, ',' ORDER BY {self.column(scope, 'text')} NULLS FIRST, {self.all_keys(scope)}){filtered}" if self.all_keys(scope) else f"MIN({argument()}){filtered}"],
            "bool": [lambda: f"{rng.choice(['BOOL_OR', 'BOOL_AND', 'EVERY'])}({argument()}){filtered}"],
            "ints": [lambda: f"ARRAY_AGG({argument('int')} ORDER BY {self.all_keys(scope) or '1'}){filtered}" if self.all_keys(scope) else f"ARRAY[COUNT(*){filtered}]::integer[]"],
            "json": [lambda: f"JSONB_AGG({argument('int')} ORDER BY {self.all_keys(scope)}){filtered}" if self.all_keys(scope) else f"TO_JSONB(COUNT(*){filtered})"],
        }.get(kind, [])
        return mark(kind, rng.choice(forms + extreme)())

    def all_keys(self, scope, direction=""):
        """Sort keys by which no two rows are equal, or "" if there are none."""
        return ", ".join(f"{relation.alias}.{relation.key}{direction} NULLS FIRST" for relation in scope) if all(relation.key for relation in scope) else ""

    # ---- what is compared ----

    def query(self):
        """(marked sql, ordered)"""
        self.ctes = []
        prefix = ""
        if self.chance(0.15):
            prefix = self.with_clause()
        shape = self.rng.random()
        text, ordered = next(make for bound, make in [
            (0.2, self.grouped), (0.24, self.grouping_sets), (0.38, self.windowed), (0.46, self.set_operation), (0.52, self.distinct_on), (0.8, self.sorted_query), (0.95, self.plain_query), (1.1, self.bare)
        ] if shape < bound)()
        return prefix + text, ordered

    def with_clause(self):
        parts = []
        for n in range(self.rng.choice([1, 1, 2])):
            kinds = ["int"] + [self.rng.choice(["int", "text", "date", "bool"]) for _ in range(self.rng.randint(0, 2))]
            names = ", ".join(f"c{k + 1}" for k in range(len(kinds)))
            materialized = self.rng.choice(["", "", "MATERIALIZED ", "NOT MATERIALIZED "])
            if self.chance(0.2):
                low = self.rng.randint(0, 2)
                kinds = ["int", "int"]
                parts.append(f"q{n}(c1, c2) AS (SELECT id, parent FROM a WHERE id < {low + 6} UNION SELECT a.id, a.parent FROM a JOIN q{n} ON a.id = q{n}.c2 AND a.i > {low})")
            else:
                parts.append(f"q{n}({names}) AS {materialized}({self.block((), kinds, 2)})")
            self.ctes.append((f"q{n}", self.named(kinds)))
        return f"WITH RECURSIVE {', '.join(parts)} "

    def kinds(self, choices, low=1, high=3):
        return [self.rng.choice(choices) for _ in range(self.rng.randint(low, high))]

    def where(self, scope, depth=3):
        return self.opt(0.85, lambda: f" WHERE {self.predicate(scope, depth)}")

    def targets(self, scope, kinds):
        made = [self.scalar(scope, kind, 2) for kind in kinds]
        return made[0] + "".join(mark("opt", ", " + target) for target in made[1:])

    def plain_query(self):
        clause, scope = self.source()
        keys = "".join(f", {relation.alias}.{relation.key}" for relation in scope if relation.key)
        return f"SELECT {self.targets(scope, self.kinds(KINDS))}{mark('opt', keys)} FROM {clause}{self.where(scope)}", False

    def bare(self):
        """Without FROM, SELECT * and the like."""
        rng = self.rng
        if self.chance(0.4):
            return f"SELECT {self.targets([], self.kinds(KINDS))}{self.opt(0.5, lambda: f' WHERE {self.predicate([], 2)}')}", False
        clause, scope = self.source()
        star = rng.choice(["*", f"{scope[-1].alias}.*"])
        if rng.random() < 0.3:
            table, other = rng.choice(["ab", "ac", "bc", "ba", "ca"])
            how = rng.choice(["JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN"])
            using = rng.choice(["i", "id", "i, d", "s"])
            return f"SELECT {rng.choice(['*', using, table + '.id, ' + other + '.id, ' + using])} FROM {table} {how} {other} USING ({using})", False
        return f"SELECT {star} FROM {clause}{self.where(scope)}", False

    def sorted_query(self):
        rng = self.rng
        clause, scope = self.source()
        kinds = self.kinds(SORTABLE)
        targets = ", ".join(self.scalar(scope, kind, 2) for kind in kinds)
        direction = lambda: f"{rng.choice(['ASC', 'DESC'])} {rng.choice(['NULLS FIRST', 'NULLS LAST'])}"  # noqa: E731
        first = ""
        if self.chance(0.7):
            expression = self.scalar(scope, rng.choice(SORTABLE), 1)
            if "t" in expression and not expression.split("\ue001")[1].startswith("'"):      # a bare constant is no sort key
                first = mark("opt", f"COALESCE({expression}, NULL) {direction()}, " if rng.random() < 0.3 else f"CASE WHEN TRUE THEN {expression} END {direction()}, " if "." not in expression else f"{expression} {direction()}, ")
        positions = list(range(1, len(kinds) + 1))
        rng.shuffle(positions)
        distinct = rng.random() < 0.2 and not first
        keys = ", ".join(f"{position} {direction()}" for position in positions)
        if not distinct and self.all_keys(scope) and self.chance(0.6):
            keys = self.all_keys(scope, rng.choice(["", " DESC"]))
        limit = self.opt(0.6, lambda: f" LIMIT {rng.randint(0, 9)}" + self.opt(0.3, lambda: f" OFFSET {rng.randint(0, 4)}"))
        # Rows with equal keys are equal rows if every target is a key.
        if first and not self.all_keys(scope):
            keys = ", ".join(f"{position} {direction()}" for position in positions)
        return f"SELECT {'DISTINCT ' if distinct else ''}{targets} FROM {clause}{self.where(scope)} ORDER BY {first}{keys}{limit}", True

    def distinct_on(self):
        rng = self.rng
        clause, scope = self.source(depth=1)
        keys = self.all_keys(scope)
        on = self.column(scope, rng.choice(["int", "text", "date", "bool"]))
        if not keys or not COLUMN.fullmatch(on):
            return self.plain_query()
        order = f"{on} {rng.choice(['ASC', 'DESC'])} {rng.choice(['NULLS FIRST', 'NULLS LAST'])}, {self.column(scope, 'num') + ' NULLS FIRST, ' if False else ''}{keys}"
        return f"SELECT DISTINCT ON ({on}) {self.targets(scope, self.kinds(KINDS))} FROM {clause}{self.where(scope, 2)} ORDER BY {order}{self.opt(0.3, lambda: f' LIMIT {rng.randint(1, 5)}')}", True

    def set_operation(self):
        rng = self.rng
        kinds = self.kinds(["int", "text", "num", "date", "bool"], 1, 3)
        operators = ["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"]
        text = self.block((), kinds, 2)
        parts = [f"({text})"] + [f"{rng.choice(operators)} ({self.block((), kinds, 1)})" for _ in range(rng.choice([1, 1, 2]))]
        if self.chance(0.4):
            order = ", ".join(f"{n + 1} {rng.choice(['ASC', 'DESC'])} NULLS {rng.choice(['FIRST', 'LAST'])}" for n in range(len(kinds)))
            return f"{' '.join(parts)} ORDER BY {order}{self.opt(0.5, lambda: f' LIMIT {rng.randint(0, 8)} OFFSET {rng.randint(0, 3)}')}", True
        return " ".join(parts), False

    def grouped(self):
        rng = self.rng
        clause, scope = self.source()
        keys = [self.scalar(scope, rng.choice(["int", "text", "bool", "date", "num", "ts"]), 1) for _ in range(rng.choice([0, 1, 1, 2]))]
        keys = [key for key in keys if "t" in key and "SELECT" not in key and "." in key.replace("1.5", "").replace("2.50", "")]
        aggregates = [self.aggregate(scope, rng.choice(KINDS)) for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.2:
            aggregates.append(f"{rng.choice(['STDDEV', 'VAR_POP', 'VARIANCE', 'STDDEV_POP'])}({self.column(scope, 'int')})::float")
        if rng.random() < 0.15:
            aggregates.append(f"{rng.choice(['PERCENTILE_CONT', 'PERCENTILE_DISC'])}({rng.choice(['0.5', '0.25', '1', '0'])}) WITHIN GROUP (ORDER BY {self.column(scope, 'int')})")
        if rng.random() < 0.12:       # an aggregate of this block in a subquery
            alias = self.alias()
            aggregates.append(mark("int", f"(SELECT {self.aggregate(scope, 'int')} FROM c {alias} WHERE {alias}.id = {rng.randint(1, 9)})"))
        if rng.random() < 0.2:
            aggregates.append("COUNT(*)")
        if rng.random() < 0.2:
            aggregates.append(mark("int", f"(COUNT(*) + {self.aggregate(scope, 'int')})"))
        order = ""
        relation = scope[0]
        if relation.table and rng.random() < 0.1:       # by the key of a table: its other columns are functionally dependent
            keys = [f"{relation.alias}.id"]
            aggregates.append(f"{relation.alias}.{rng.choice([name for names in relation.columns.values() for name in names])}")
        if rng.random() < 0.1:
            aggregates.append(f"{rng.choice(['RANK()', 'SUM(COUNT(*))', 'MAX(COUNT(*))'])} OVER (ORDER BY COUNT(*) DESC{', ' + keys[0] + ' NULLS FIRST' if keys else ''})")
        targets = ", ".join(keys) + "".join(mark("opt", ", " + aggregate) if keys else aggregate if n == 0 else mark("opt", ", " + aggregate) for n, aggregate in enumerate(aggregates))
        by = [str(n + 1) for n in range(len(keys))] if rng.random() < 0.2 else keys
        group = f" GROUP BY {', '.join(by)}" if keys else ""
        having = self.opt(0.3, lambda: f" HAVING {self.having(scope)}")
        if keys and rng.random() < 0.3:
            order = " ORDER BY " + ", ".join(f"{n + 1} NULLS FIRST" for n in range(len(keys))) + self.opt(0.5, lambda: f" LIMIT {rng.randint(1, 5)}")
            return f"SELECT {targets} FROM {clause}{self.where(scope, 2)}{group}{having}{order}", True
        return f"SELECT {targets} FROM {clause}{self.where(scope, 2)}{group}{having}", False

    def grouping_sets(self):
        rng = self.rng
        clause, scope = self.source(depth=1)
        keys = list(dict.fromkeys(key for key in (self.column(scope, rng.choice(["int", "text", "bool", "date"])) for _ in range(rng.choice([1, 2, 2, 3]))) if COLUMN.fullmatch(key)))
        if not keys:
            return self.plain_query()
        sets = rng.choice([f"ROLLUP ({', '.join(keys)})", f"CUBE ({', '.join(keys)})", f"GROUPING SETS (({', '.join(keys)}), ({keys[0]}), ())", f"GROUPING SETS (({keys[-1]}), ())"])
        if sets.startswith("GROUPING SETS ((") and sets.count("(") == 3:
            keys = [keys[-1]]
        grouping = self.opt(0.3, lambda: f", GROUPING({', '.join(keys)})")
        return f"SELECT {', '.join(keys)}, {self.aggregate(scope, rng.choice(KINDS))}{grouping} FROM {clause}{self.where(scope, 2)} GROUP BY {sets}{self.opt(0.2, lambda: f' HAVING {self.having(scope)}')}", False

    def window(self, scope):
        rng = self.rng
        partition = self.opt(0.6, lambda: f"PARTITION BY {self.scalar(scope, rng.choice(['int', 'text', 'bool', 'date']), 1)} ")
        key = self.scalar(scope, rng.choice(["int", "text", "num", "date", "float"]), 1)
        direction = f"{rng.choice(['ASC', 'DESC'])} {rng.choice(['NULLS FIRST', 'NULLS LAST'])}"
        total = self.all_keys(scope)
        value_kind = rng.choice(["int", "num", "text", "date"])
        value = lambda: self.scalar(scope, value_kind, 1)  # noqa: E731
        peers = f"ORDER BY CASE WHEN TRUE THEN {key} END {direction}"
        if not total or rng.random() < 0.4:
            call = rng.choice(["RANK()", "DENSE_RANK()", "PERCENT_RANK()", "CUME_DIST()", f"COUNT({value()})", f"SUM({self.column(scope, 'int')})", f"MAX({value()})", "COUNT(*)", f"MIN({value()}) FILTER (WHERE {self.predicate(scope, 0)})",
                               f"AVG({self.column(scope, 'int')})", f"SUM({self.column(scope, 'num')})"])
            frame = rng.choice(["", "", "", " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW", " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
                                " GROUPS BETWEEN CURRENT ROW AND 1 FOLLOWING EXCLUDE GROUP"])
            return f"{call} OVER ({partition}{rng.choice([peers, peers, peers, ''])}{frame})" if not frame.startswith(" GROUPS") else f"{call} OVER ({partition}{peers}{frame})"
        call = rng.choice(["ROW_NUMBER()", f"NTILE({rng.randint(1, 4)})", f"LAG({value()})", f"LEAD({value()}, {rng.randint(0, 3)})", f"FIRST_VALUE({value()})", f"LAST_VALUE({value()})", f"NTH_VALUE({value()}, 2)",
                           f"SUM({self.column(scope, 'int')})", f"COUNT({value()})", f"ARRAY_AGG({self.column(scope, 'int')})", f"STRING_AGG({self.column(scope, 'text')}, ',')", f"MIN({value()})",
                           f"LAG({self.column(scope, 'int')}, 1, 0)"])
        frame = rng.choice(["", " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", " ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING", " ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING",
                            " ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING EXCLUDE CURRENT ROW", " ROWS 2 PRECEDING EXCLUDE TIES"])
        if rng.random() < 0.1:
            return f"{call.split('(')[0] if False else 'SUM'}({self.column(scope, 'int')}) OVER ({partition}ORDER BY {self.column(scope, 'int')} RANGE BETWEEN {rng.randint(0, 3)} PRECEDING AND {rng.randint(0, 3)} FOLLOWING)"
        return f"{call} OVER ({partition}{peers}, {total}{frame})"

    def windowed(self):
        clause, scope = self.source(depth=1)
        windows = [mark("window", self.window(scope)) for _ in range(self.rng.randint(1, 2))]
        keys = "".join(f", {relation.alias}.{relation.key}" for relation in scope if relation.key)
        targets = windows[0] + "".join(mark("opt", ", " + window) for window in windows[1:])
        order = f" ORDER BY {self.all_keys(scope)}{self.opt(0.5, lambda: ' LIMIT 5')}" if self.all_keys(scope) and self.chance(0.3) else ""
        return f"SELECT {targets}, {self.scalar(scope, 'int', 1)}{keys} FROM {clause}{self.where(scope, 2)}{order}", bool(order)


def columns_of(table):
    return [name for names in COLUMNS[table].values() for name in names]
