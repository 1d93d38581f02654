"""Random statements over a fixed schema, from a seed: what they ask is nonsense, what they must answer is what PostgreSQL answers.

Rows have NULLs, fields that were never written, duplicates, Unicode, decimals, dates. Every expression is total (no overflow, no division by zero), so that
an error is a fault; ORDER BY ends in keys and names its NULL order, so that rows can be compared in order.
"""
import random

SCHEMA = [
    "CREATE TABLE a (id integer PRIMARY KEY, i integer, j integer NOT NULL, s varchar(10), f boolean, m numeric(8,2), d date)",
    "CREATE TABLE b (id integer PRIMARY KEY, a_id integer, i integer, s varchar(10), f boolean NOT NULL, m numeric(8,2), d date)",
    "CREATE TABLE c (id integer PRIMARY KEY, a_id integer NOT NULL, b_id integer, i integer, s text, f boolean, m numeric(8,2), d date)",
    "CREATE INDEX a_i ON a (i)",
    "CREATE INDEX b_a ON b (a_id)",
    "CREATE INDEX c_s ON c (s)",
]
COLUMNS = {
    "a": {"int": ["id", "i", "j"], "text": ["s"], "bool": ["f"], "num": ["m"], "date": ["d"]},
    "b": {"int": ["id", "a_id", "i"], "text": ["s"], "bool": ["f"], "num": ["m"], "date": ["d"]},
    "c": {"int": ["id", "a_id", "b_id", "i"], "text": ["s"], "bool": ["f"], "num": ["m"], "date": ["d"]},
}
TEXTS = ["", "a", "ab", "abc", "B", "é", "日本", "%", "a_c", "x y"]
DATES = ["1969-12-31", "2000-02-29", "2020-01-01", "2020-01-31", "2024-12-30"]
PATTERNS = ["'a%'", "'%b%'", "'_'", "'%'", "''", "'a\\_c'", "'%日%'", "'A%'"]
COMPARISONS = ["=", "<>", "<", "<=", ">", ">="]


def rows(rng):
    """INSERT statements"""
    for table, count in (("a", 17), ("b", 23), ("c", 29)):
        for key in range(1, count + 1):
            row = {"id": str(key)}
            for kind, names in COLUMNS[table].items():
                for name in names:
                    required = (table, name) in {("a", "j"), ("b", "f"), ("c", "a_id")}
                    if name == "id" or (not required and rng.random() < 0.1):
                        continue
                    row[name] = "NULL" if not required and rng.random() < 0.15 else constant(rng, kind)
            yield f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})"


def constant(rng, kind):
    if kind == "int":
        return str(rng.randint(-2, 8))
    if kind == "num":
        return rng.choice(["0", "1", "1.5", "2.50", "-0.25", "7.00", "3.33"])
    if kind == "text":
        return "'" + rng.choice(TEXTS) + "'"
    if kind == "date":
        return f"DATE '{rng.choice(DATES)}'"
    return rng.choice(["TRUE", "FALSE"])


class Generator:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.aliases = 0

    def chance(self, p):
        return self.rng.random() < p

    def alias(self):
        self.aliases += 1
        return f"t{self.aliases}"

    # `scope`: list of (alias, table) whose columns can be named.

    def column(self, scope, kind):
        alias, table = self.rng.choice(scope)
        return f"{alias}.{self.rng.choice(COLUMNS[table][kind])}"

    def scalar(self, scope, kind, depth):
        rng = self.rng
        if depth <= 0 or self.chance(0.45):
            return self.column(scope, kind) if scope and self.chance(0.75) else constant(rng, kind)
        sub = lambda k=kind: self.scalar(scope, k, depth - 1)  # noqa: E731
        choices = {
            "int": [
                lambda: f"({sub()} {rng.choice('+-*')} {sub()})",
                lambda: f"({sub()} / {rng.choice(['2', '3', '-2'])})",
                lambda: f"({sub()} % {rng.choice(['2', '3'])})",
                lambda: f"LENGTH({sub('text')})",
                lambda: f"ABS({sub()})",
                lambda: f"EXTRACT(YEAR FROM {sub('date')})::integer",
                lambda: f"EXTRACT(MONTH FROM {sub('date')})::integer",
                lambda: f"(- {sub()})",
                lambda: f"GREATEST({sub()}, {sub()})",
                lambda: f"(SELECT COUNT(*) FROM {self.subquery_body(scope, depth)})::integer",
                lambda: self.scalar_subquery(scope, depth),
            ],
            "num": [lambda: f"({sub()} + {sub('int')})", lambda: f"({sub()} * 2)", lambda: f"ROUND({sub()}, 1)", lambda: f"({sub()} - {sub()})"],
            "text": [
                lambda: f"({sub()} || {sub()})",
                lambda: f"UPPER({sub()})",
                lambda: f"LEFT({sub()}, 2)",
                lambda: f"REPLACE({sub()}, 'a', 'b')",
                lambda: f"({sub('int')})::text",
                lambda: f"TRIM({sub()})",
            ],
            "bool": [lambda: f"({self.predicate(scope, depth - 1)})"],
            "date": [lambda: f"({sub()} + {rng.randint(-40, 40)})", lambda: f"DATE_TRUNC('month', {sub()})::date"],
        }[kind]
        general = [
            lambda: f"COALESCE({sub()}, {sub()})",
            lambda: f"CASE WHEN {self.predicate(scope, depth - 1)} THEN {sub()} ELSE {sub()} END",
            lambda: f"CASE WHEN {self.predicate(scope, depth - 1)} THEN {sub()} END",
            lambda: f"NULLIF({sub()}, {sub()})",
        ]
        return rng.choice(choices * 2 + general)()

    def subquery_body(self, scope, depth):
        """FROM and WHERE of a subquery; its own relation is self.last"""
        table, alias = self.rng.choice("abc"), self.alias()
        inner = [(alias, table)]
        where = self.predicate(inner + (scope if self.chance(0.6) else []), min(depth, 2) - 1)
        if scope and self.chance(0.5):
            where = f"{self.column(inner, 'int')} = {self.column(scope, 'int')} AND {where}"
        self.last = alias   # after the predicate, which may have subqueries of its own
        return f"{table} {alias} WHERE {where}"

    def scalar_subquery(self, scope, depth):
        body = self.subquery_body(scope, depth)
        return f"(SELECT {self.rng.choice(['MAX', 'MIN', 'SUM', 'COUNT'])}({self.last}.i)::integer FROM {body})"

    def predicate(self, scope, depth):
        rng = self.rng
        kind = rng.choice(["int", "int", "text", "num", "date"])
        if depth > 0 and self.chance(0.55):
            sub = lambda: self.predicate(scope, depth - 1)  # noqa: E731
            return rng.choice([
                lambda: f"({sub()} AND {sub()})", lambda: f"({sub()} OR {sub()})", lambda: f"NOT ({sub()})", lambda: f"({sub()} AND {sub()} AND {sub()})",
                lambda: f"({sub()}) IS {rng.choice(['', 'NOT '])}{rng.choice(['TRUE', 'FALSE', 'NULL'])}",
                lambda: f"{rng.choice(['', 'NOT '])}EXISTS (SELECT 1 FROM {self.subquery_body(scope, depth)})",
                lambda: self.in_subquery(scope, depth),
            ])()
        left = self.scalar(scope, kind, depth)
        return rng.choice([
            lambda: f"{left} {rng.choice(COMPARISONS)} {self.scalar(scope, kind, depth - 1)}",
            lambda: f"{left} {rng.choice(COMPARISONS)} {constant(rng, kind)}",
            lambda: f"{left} {rng.choice(COMPARISONS)} {constant(rng, kind)}",
            lambda: f"{left} IS {rng.choice(['', 'NOT '])}NULL",
            lambda: f"{left} {rng.choice(['', 'NOT '])}IN ({', '.join([constant(rng, kind) for _ in range(3)] + (['NULL'] if self.chance(0.2) else []))})",
            lambda: f"{left} {rng.choice(['', 'NOT '])}BETWEEN {constant(rng, kind)} AND {self.scalar(scope, kind, 0)}",
            lambda: f"{left} IS {rng.choice(['', 'NOT '])}DISTINCT FROM {self.scalar(scope, kind, 0)}",
            lambda: self.column(scope, "bool") if scope else "TRUE",
            lambda: f"{self.scalar(scope, 'text', depth)} {rng.choice(['LIKE', 'NOT LIKE', 'ILIKE'])} {rng.choice(PATTERNS)}",
        ])()

    def in_subquery(self, scope, depth):
        left = self.scalar(scope, "int", 1)
        body = self.subquery_body(scope, depth)
        return f"{left} {self.rng.choice(['', 'NOT '])}IN (SELECT {self.last}.{self.rng.choice(['i', 'id'])} FROM {body})"

    def source(self):
        """(FROM clause, scope)"""
        table, alias = self.rng.choice("abc"), self.alias()
        clause, scope = f"{table} {alias}", [(alias, table)]
        for _ in range(self.rng.choice([0, 0, 1, 1, 2])):
            table, alias = self.rng.choice("abc"), self.alias()
            kind = self.rng.choice(["JOIN", "LEFT JOIN", "LEFT JOIN", "JOIN"])
            on = f"{alias}.{self.rng.choice(COLUMNS[table]['int'])} = {self.column(scope, 'int')}"
            scope = scope + [(alias, table)]
            if self.chance(0.4):
                on += f" AND {self.predicate(scope, 1)}"
            clause += f" {kind} {table} {alias} ON {on}"
        return clause, scope

    def select(self):
        """(sql, ordered)"""
        shape = self.rng.random()
        clause, scope = self.source()
        where = f" WHERE {self.predicate(scope, 3)}" if self.chance(0.85) else ""
        if shape < 0.3:
            return self.grouped(clause, scope, where), False
        kinds = [self.rng.choice(["int", "text", "bool", "num", "date"]) for _ in range(self.rng.randint(1, 3))]
        targets = ", ".join(self.scalar(scope, kind, 2) for kind in kinds)
        if shape < 0.4:
            return f"SELECT DISTINCT {targets} FROM {clause}{where}", False
        if shape < 0.5:
            other, other_scope = self.source()
            more = ", ".join(self.scalar(other_scope, kind, 1) for kind in kinds)
            operator = self.rng.choice(["UNION", "UNION ALL", "INTERSECT", "EXCEPT"])
            return f"SELECT {targets} FROM {clause}{where} {operator} SELECT {more} FROM {other} WHERE {self.predicate(other_scope, 2)}", False
        if shape < 0.75:
            keys = ", ".join(f"{alias}.id NULLS FIRST" for alias, _ in scope)
            first = self.scalar(scope, self.rng.choice(["int", "text", "num", "date"]), 1)
            if "t" not in first or first.startswith("'"):      # a constant is no sort key
                first = f"{scope[0][0]}.i"
            limit = f" LIMIT {self.rng.randint(1, 9)}" + (f" OFFSET {self.rng.randint(0, 4)}" if self.chance(0.3) else "") if self.chance(0.6) else ""
            order = f"{first} {self.rng.choice(['ASC', 'DESC'])} {self.rng.choice(['NULLS FIRST', 'NULLS LAST'])}, {keys}"
            return f"SELECT {targets} FROM {clause}{where} ORDER BY {order}{limit}", True
        return f"SELECT {', '.join(f'{alias}.id' for alias, _ in scope)}, {targets} FROM {clause}{where}", False

    def grouped(self, clause, scope, where):
        rng = self.rng
        keys = [self.scalar(scope, rng.choice(["int", "text", "bool", "date", "num"]), 1) for _ in range(rng.choice([0, 1, 1, 2]))]
        keys = [key for key in keys if "t" in key and "SELECT" not in key and not key.startswith("'")]
        aggregates = [
            rng.choice([
                lambda: "COUNT(*)", lambda: f"COUNT({self.column(scope, 'text')})", lambda: f"SUM({self.scalar(scope, 'int', 1)})", lambda: f"MIN({self.column(scope, 'text')})",
                lambda: f"MAX({self.scalar(scope, 'date', 1)})", lambda: f"AVG({self.column(scope, 'num')})", lambda: f"COUNT(DISTINCT {self.column(scope, 'int')})",
                lambda: f"SUM({self.column(scope, 'num')}) FILTER (WHERE {self.predicate(scope, 1)})", lambda: f"BOOL_OR({self.column(scope, 'bool')})",
                lambda: f"MAX({self.column(scope, 'int')})",
                lambda: f"{rng.choice(['MIN', 'MAX'])}({self.scalar(scope, 'num', 1)})",
                lambda: f"MIN({self.column(scope, 'num')}) FILTER (WHERE {self.predicate(scope, 1)})",
            ])()
            for _ in range(rng.randint(1, 3))
        ]
        group = f" GROUP BY {', '.join(keys)}" if keys else ""
        having = f" HAVING {rng.choice(['COUNT(*) > 1', 'MAX(' + self.column(scope, 'int') + ') > 2', 'NOT (SUM(' + self.column(scope, 'int') + ') > 5)'])}" if self.chance(0.3) else ""
        return f"SELECT {', '.join(keys + aggregates)} FROM {clause}{where}{group}{having}"

    def modify(self):
        """An UPDATE, DELETE or INSERT ... SELECT."""
        rng, table = self.rng, self.rng.choice("abc")
        scope = [(table, table)]
        where = f" WHERE {self.predicate(scope, 2)}" if self.chance(0.9) else ""
        shape = rng.random()
        if shape < 0.15:
            return f"DELETE FROM {table} WHERE {self.predicate(scope, 2)} AND {table}.i > 5"
        if shape < 0.3:
            names = ["id"] + [name for kind in ("int", "text", "bool", "num", "date") for name in COLUMNS[table][kind] if name != "id"]
            shift = rng.randint(1, 9) * 1000
            values = [f"{table}.{name}" for name in names]
            return f"INSERT INTO {table} ({', '.join(names)}) SELECT {table}.id + {shift}, {', '.join(values[1:])} FROM {table}{where or ' WHERE TRUE'} ON CONFLICT DO NOTHING"
        sets = []
        for kind in rng.sample(["int", "text", "bool", "num", "date"], rng.randint(1, 3)):
            name = rng.choice([name for name in COLUMNS[table][kind] if name != "id"])
            value = self.scalar(scope, kind, 2) if self.chance(0.7) else constant(rng, kind)
            value = {"int": f"({value}) % 1000", "text": f"LEFT({value}, 10)", "num": f"({value}) % 1000"}.get(kind, value)
            sets.append(f"{name} = {value}")
        return f"UPDATE {table} SET {', '.join(sets)}{where}"
