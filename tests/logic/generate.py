"""Random expressions and conditions over a fixed schema, from a seed: what they ask is nonsense, what they must answer is what PostgreSQL answers.

Rows have NULLs, fields that were never written, duplicates, Unicode, decimals, dates, JSON, arrays, a self-reference and a many-to-many table. Every expression
is total (no overflow, no division by zero, no bad cast), so that an error is a fault. Text is marked for shrink.py. generate_query.py makes
queries of these, generate_write.py statements that write; generate_wrong.py makes what must raise.

What docs/semantics.md declares different is not generated: the text of quotients (34 digits here), the order of JSON values, NULL order left to the default.
"""
import random

from shrink import mark

KINDS = ("int", "num", "float", "text", "bool", "date", "ts", "json", "ints")
TYPES = {"int": "integer", "num": "numeric(8,2)", "float": "double precision", "text": "varchar(10)", "bool": "boolean", "date": "date", "ts": "timestamp",
         "json": "jsonb", "ints": "integer[]"}
# {table: {column: (kind, constraint)}}
TABLES = {
    "a": {"id": ("int", "PRIMARY KEY"), "i": ("int", ""), "j": ("int", "NOT NULL"), "parent": ("int", ""), "u": ("int", "UNIQUE"), "s": ("text", ""), "f": ("bool", ""),
          "m": ("num", ""), "x": ("float", ""), "d": ("date", ""), "ts": ("ts", ""), "js": ("json", ""), "r": ("ints", "")},
    "b": {"id": ("int", "PRIMARY KEY"), "a_id": ("int", ""), "i": ("int", ""), "s": ("text", ""), "f": ("bool", "NOT NULL"), "m": ("num", ""), "d": ("date", ""),
          "x": ("float", ""), "js": ("json", "")},
    "c": {"id": ("int", "PRIMARY KEY"), "a_id": ("int", "NOT NULL"), "b_id": ("int", ""), "i": ("int", ""), "s": ("text", ""), "f": ("bool", ""), "m": ("num", "CHECK (m < 5000)"),
          "d": ("date", ""), "ts": ("ts", "")},
    "l": {"id": ("int", "PRIMARY KEY"), "a_id": ("int", "NOT NULL"), "b_id": ("int", "NOT NULL")},
}
COUNTS = {"a": 15, "b": 19, "c": 23, "l": 25}
SCHEMA = [f"CREATE TABLE {table} ({', '.join(f'{name} {TYPES[kind]} {more}'.strip() for name, (kind, more) in columns.items())})" for table, columns in TABLES.items()] + [
    "CREATE INDEX a_i ON a (i)",
    "CREATE INDEX b_a ON b (a_id)",
    "CREATE INDEX c_s ON c (s)",
    "CREATE INDEX c_ij ON c (i DESC, d)",
    "CREATE UNIQUE INDEX l_once ON l (a_id, b_id)",
]
COLUMNS = {table: {kind: [name for name, (k, _) in columns.items() if k == kind] for kind in KINDS} for table, columns in TABLES.items()}
TEXTS = ["", "a", "ab", "abc", "B", "é", "É", "日本", "%", "a_c", "x y", "a\n", "12", "0"]
DATES = ["1969-12-31", "2000-02-29", "2020-01-01", "2020-01-31", "2024-12-30"]
TIMES = ["1969-12-31 23:59:59.5", "2000-02-29 00:00:00", "2020-01-01 12:30:00.125", "2020-03-29 01:30:00", "2024-12-30 06:07:08"]
DOCUMENTS = ['{}', '{"a": 1}', '{"a": null}', '{"a": "1", "b": [1, 2]}', '{"a": {"b": 2}}', '[]', '[1, "a", null]', '"a"', '1', 'null', 'true', '{"a": [1]}', '{"a": 1.5, "b": true}']
ARRAYS = ["{}", "{1}", "{1,2,3}", "{3,2,1}", "{NULL}", "{1,NULL}", "{5,5}"]
PATTERNS = ["'a%'", "'%b%'", "'_'", "'%'", "''", "'a\\_c'", "'%日%'", "'A%'", "'%c'", "'É%'", "'a_'"]
EXPRESSIONS = ["'^a'", "'b'", "'^[a-c]+$'", "'.'", "'é|日'", "'^$'"]
COMPARISONS = ["=", "<>", "<", "<=", ">", ">="]
SIMPLE = {
    "int": ["1", "NULL::integer"], "num": ["1.5", "NULL::numeric"], "float": ["0.5::float", "NULL::float"], "text": ["'a'", "NULL::text"], "bool": ["TRUE", "NULL::boolean"],
    "date": ["DATE '2020-01-01'", "NULL::date"], "ts": ["TIMESTAMP '2020-01-01'", "NULL::timestamp"], "window": ["ROW_NUMBER() OVER ()"], "json": ["'{}'::jsonb", "NULL::jsonb"], "ints": ["ARRAY[1]"],
    "p": ["TRUE", "FALSE", "NULL::boolean"], "agg": ["COUNT(*)"],
}


def rows(rng):
    """[(table, {column: SQL text})]; a column that isn't there was never written."""
    made = []
    for table, columns in TABLES.items():
        seen, unique = set(), list(range(50))
        for key in range(1, COUNTS[table] + 1):
            row = {"id": str(key)}
            for name, (kind, more) in columns.items():
                required = "NOT NULL" in more
                if name == "id" or (not required and rng.random() < 0.1):
                    continue
                if name == "u":
                    row[name] = str(unique.pop(rng.randrange(len(unique))))
                elif name in ("a_id", "b_id", "parent"):
                    row[name] = str(rng.randint(-1, COUNTS.get(name[0], COUNTS["a"]) + 1))
                else:
                    row[name] = constant(rng, kind)
                if not required and rng.random() < 0.15:
                    row[name] = "NULL"
            if table == "l":
                if (row["a_id"], row["b_id"]) in seen:
                    continue
                seen.add((row["a_id"], row["b_id"]))
            made.append((table, row))
    return made


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def constant(rng, kind):
    if kind == "int":
        return str(rng.randint(-2, 8))
    if kind == "num":
        return rng.choice(["0", "1", "1.5", "2.50", "-0.25", "7.00", "3.33"]) + rng.choice(["", "", "::numeric"])
    if kind == "float":
        return rng.choice(["0", "0.5", "1.25", "-3", "1e2"]) + "::float"
    if kind == "text":
        return quote(rng.choice(TEXTS))
    if kind == "date":
        return f"DATE '{rng.choice(DATES)}'"
    if kind == "ts":
        return f"TIMESTAMP '{rng.choice(TIMES)}'"
    if kind == "json":
        return f"'{rng.choice(DOCUMENTS)}'::jsonb"
    if kind == "ints":
        return f"'{rng.choice(ARRAYS)}'::integer[]"
    return rng.choice(["TRUE", "FALSE"])


class Relation:
    """A name in FROM: `columns` as in COLUMNS; `key` is a column that tells its rows apart, if it has one."""

    def __init__(self, alias, columns, key=None, table=None):
        self.alias, self.columns, self.key, self.table = alias, columns, key, table


def table_relation(alias, table):
    return Relation(alias, COLUMNS[table], "id", table)


class Expressions:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.aliases = 0

    def chance(self, p):
        return self.rng.random() < p

    def alias(self):
        self.aliases += 1
        return f"t{self.aliases}"

    def opt(self, p, make):
        """An optional part, with probability p."""
        return mark("opt", make()) if self.chance(p) else ""

    def constant(self, kind):
        return constant(self.rng, kind)

    def column(self, scope, kind):
        """A column, or a constant if nothing in scope has one of that kind."""
        found = [relation for relation in scope if relation.columns.get(kind)]
        if not found:
            return self.constant(kind)
        relation = self.rng.choice(found)
        return f"{relation.alias}.{self.rng.choice(relation.columns[kind])}"

    # ---- values ----

    def scalar(self, scope, kind, depth):
        rng = self.rng
        if depth <= 0 or self.chance(0.45):
            return mark(kind, self.column(scope, kind) if scope and self.chance(0.78) else self.constant(kind))
        sub = lambda k=kind: self.scalar(scope, k, depth - 1)  # noqa: E731
        predicate = lambda: self.predicate(scope, depth - 1)  # noqa: E731
        general = [
            lambda: f"COALESCE({sub()}, {sub()})",
            lambda: f"CASE WHEN {predicate()} THEN {sub()} ELSE {sub()} END",
            lambda: f"CASE WHEN {predicate()} THEN {sub()}{self.opt(0.4, lambda: f' WHEN {predicate()} THEN {sub()}')} END",
            lambda: f"CASE {sub('int')} WHEN {self.constant('int')} THEN {sub()} WHEN {self.constant('int')} THEN {sub()} ELSE {sub()} END",
            lambda: self.scalar_subquery(scope, kind, depth),
        ]
        if kind not in ("json", "ints"):
            general += [lambda: f"NULLIF({sub()}, {sub()})"]
            if kind != "bool":
                general += [lambda: f"{rng.choice(['GREATEST', 'LEAST'])}({sub()}, {sub()})"]
        return mark(kind, rng.choice(getattr(self, f"{kind}_forms")(sub, predicate) * 2 + general)())

    def int_forms(self, sub, predicate):
        rng = self.rng
        return [
            lambda: f"({sub()} {rng.choice('+-*')} {sub()})", lambda: f"({sub()} / {rng.choice(['2', '3', '-2'])})", lambda: f"({sub()} % {rng.choice(['2', '3'])})",
            lambda: f"({sub()} / NULLIF({sub()}, 0))", lambda: f"LENGTH({sub('text')})", lambda: f"ABS({sub()})", lambda: f"(- {sub()})", lambda: f"SIGN({sub()})::integer",
            lambda: f"EXTRACT({rng.choice(['YEAR', 'MONTH', 'DAY', 'DOW', 'ISODOW', 'WEEK', 'QUARTER', 'DOY'])} FROM {sub(rng.choice(['date', 'ts']))})::integer",
            lambda: f"({sub('date')} - {sub('date')})", lambda: f"POSITION({sub('text')} IN {sub('text')})", lambda: f"({predicate()})::integer", lambda: f"MOD({sub()}, 3)",
            lambda: f"CASE WHEN {sub('text')} ~ '^[0-9]+$' THEN 1 ELSE 2 END", lambda: f"CARDINALITY({sub('ints')})", lambda: f"({sub('ints')})[{rng.randint(0, 3)}]",
            lambda: f"ARRAY_LENGTH({sub('ints')}, 1)", lambda: f"ROUND({sub('num')})::integer", lambda: f"({sub('num')})::integer", lambda: f"({sub('float')})::integer",
            lambda: f"({sub()} & {sub()})", lambda: f"ASCII({sub('text')})", lambda: f"BIT_LENGTH({sub('text')})", lambda: f"FLOOR({sub('num')})::integer", lambda: f"CEIL({sub('float')})::integer",
            lambda: f"ARRAY_POSITION({sub('ints')}, {rng.randint(1, 5)})", lambda: f"LENGTH({sub('json')} ->> 'a')",
        ]

    def num_forms(self, sub, predicate):
        rng = self.rng
        return [
            lambda: f"({sub()} {rng.choice('+-')} {sub(rng.choice(['int', 'num']))})", lambda: f"({sub()} * {rng.choice(['2', '0.5', '-1'])})", lambda: f"ROUND({sub()}, 1)", lambda: f"({sub('int')})::numeric",
            lambda: f"TRUNC({sub()}, 1)", lambda: f"ABS({sub()})", lambda: f"ROUND({sub()} / 3, 4)", lambda: f"(- {sub()})", lambda: f"MOD({sub()}, 2)", lambda: f"CEIL(({sub()})::numeric)", lambda: f"({sub('float')})::numeric",
            lambda: f"({sub()})::numeric(8,1)", lambda: f"ROUND({sub()} * {sub()}, 2)",
        ]

    def float_forms(self, sub, predicate):
        rng = self.rng
        return [
            lambda: f"({sub()} {rng.choice('+-')} {sub(rng.choice(['float', 'int']))})", lambda: f"({sub()} * 0.5)", lambda: f"({sub()} / 4)", lambda: f"({sub('int')})::float", lambda: f"({sub('num')} * 4)::float / 4",
            lambda: f"ABS({sub()})", lambda: f"FLOOR({sub()})", lambda: f"ROUND({sub()})", lambda: f"POWER({sub()}, 2)", lambda: f"(- {sub()})", lambda: f"TRUNC({sub()})",
        ]

    def text_forms(self, sub, predicate):
        rng = self.rng
        return [
            lambda: f"({sub()} || {sub()})", lambda: f"UPPER({sub()})", lambda: f"LOWER({sub()})", lambda: f"LEFT({sub()}, {rng.randint(-1, 2)})", lambda: f"RIGHT({sub()}, {rng.randint(-1, 2)})",
            lambda: f"REPLACE({sub()}, 'a', 'b')", lambda: f"({sub('int')})::text", lambda: f"TRIM({sub()})", lambda: f"SUBSTRING({sub()} FROM {rng.randint(-1, 3)} FOR {rng.randint(0, 3)})",
            lambda: f"SUBSTR({sub()}, {rng.randint(0, 2)})", lambda: f"CONCAT({sub()}, {sub('int')}, {sub()})", lambda: f"CONCAT_WS('-', {sub()}, {sub()})", lambda: f"REVERSE({sub()})",
            lambda: f"LPAD({sub()}, {rng.randint(0, 4)}, 'xy')", lambda: f"RPAD({sub()}, 3)", lambda: f"REPEAT({sub()}, {rng.randint(0, 2)})", lambda: f"SPLIT_PART({sub()}, 'a', {rng.randint(1, 2)})",
            lambda: f"({sub('json')} ->> 'a')", lambda: f"({sub('json')} #>> '{{a,b}}')", lambda: f"jsonb_typeof({sub('json')})", lambda: f"({sub('date')})::text", lambda: f"({sub('bool')})::text",
            lambda: f"TO_CHAR({sub('ts')}, '{rng.choice(['YYYY-MM-DD', 'HH24:MI', 'DDD Q', 'FMMonth'])}')", lambda: f"TRANSLATE({sub()}, 'ab', 'é')", lambda: f"REGEXP_REPLACE({sub()}, '[ab]', '.', 'g')",
            lambda: f"ARRAY_TO_STRING({sub('ints')}, ',', '-')", lambda: f"INITCAP({sub()})", lambda: f"({sub()})::varchar(2)", lambda: f"LTRIM({sub()}, 'a')", lambda: f"MD5({sub()})", lambda: f"({sub('ts')})::text",
        ]

    def bool_forms(self, sub, predicate):
        return [lambda: f"({predicate()})", lambda: f"({predicate()})", lambda: f"(({sub('json')} -> 'a') IS NULL)"]

    def date_forms(self, sub, predicate):
        rng = self.rng
        return [lambda: f"({sub()} + {rng.randint(-40, 40)})", lambda: f"DATE_TRUNC('{rng.choice(['month', 'year', 'week', 'quarter'])}', {sub('ts')})::date", lambda: f"({sub('ts')})::date",
                lambda: f"({sub()} - {sub('int')})", lambda: f"DATE_TRUNC('month', {sub()})::date"]

    def ts_forms(self, sub, predicate):
        rng = self.rng
        return [lambda: f"({sub()} {rng.choice('+-')} INTERVAL '{rng.choice(['1 day', '36 hours', '90 seconds', '2 weeks'])}')", lambda: f"DATE_TRUNC('{rng.choice(['hour', 'day', 'month', 'minute'])}', {sub()})",
                lambda: f"({sub('date')})::timestamp", lambda: f"({sub()} AT TIME ZONE 'UTC' AT TIME ZONE '{rng.choice(['Europe/Paris', 'Asia/Tokyo', 'America/New_York'])}')"]

    def json_forms(self, sub, predicate):
        rng = self.rng
        return [lambda: f"({sub()} -> '{rng.choice('ab')}')", lambda: f"(CASE WHEN JSONB_TYPEOF({sub()}) = 'array' THEN {sub()} END -> {rng.choice([0, 1, -1])})" if False else f"('[1, \"a\", [2]]'::jsonb -> {sub('int')})", lambda: f"({sub()} #> '{{a,b}}')", lambda: f"TO_JSONB(({sub('text')})::text)", lambda: f"TO_JSONB({sub(rng.choice(['int', 'bool']))})",
                lambda: f"JSONB_BUILD_OBJECT('a', {sub('int')}, 'b', {sub('text')})", lambda: f"JSONB_BUILD_ARRAY({sub('int')}, {sub('text')})", lambda: f"({sub()} - 'a'::text)" if False else f"({sub()} #- '{{zz}}')" if False else f"JSONB_STRIP_NULLS({sub()})"]

    def ints_forms(self, sub, predicate):
        rng = self.rng
        return [lambda: f"ARRAY[{sub('int')}, {sub('int')}]", lambda: f"({sub()} || {sub()})", lambda: f"ARRAY_APPEND({sub()}, {sub('int')})", lambda: f"ARRAY_REMOVE({sub()}, {rng.randint(1, 3)})",
                lambda: f"ARRAY_CAT({sub()}, {sub()})", lambda: f"({sub()})[{rng.choice(['', '0', '2', sub('int')])}:{rng.choice(['', '1', '2', '9'])}]"]

    # ---- conditions ----

    def predicate(self, scope, depth):
        rng = self.rng
        if depth > 0 and self.chance(0.55):
            sub = lambda: self.predicate(scope, depth - 1)  # noqa: E731
            return mark("p", rng.choice([
                lambda: f"({sub()} AND {sub()})", lambda: f"({sub()} OR {sub()})", lambda: f"(NOT {sub()})", lambda: f"({sub()} AND {sub()} AND {sub()})",
                lambda: f"({sub()}) IS {rng.choice(['', 'NOT '])}{rng.choice(['TRUE', 'FALSE', 'UNKNOWN'])}", lambda: f"({sub()}) = ({sub()})",
                lambda: f"{rng.choice(['', 'NOT '])}EXISTS {self.subquery(scope, ['int'], depth)}", lambda: self.quantified(scope, depth), lambda: self.in_subquery(scope, depth),
                lambda: self.in_subquery(scope, depth), lambda: self.row_comparison(scope, depth),
            ])())
        kind = rng.choice(["int", "int", "int", "text", "text", "num", "date", "ts", "float"])
        left = self.scalar(scope, kind, depth)
        right = lambda: self.scalar(scope, kind, depth - 1)  # noqa: E731
        return mark("p", "(" + rng.choice([
            lambda: f"{left} {rng.choice(COMPARISONS)} {right()}",
            lambda: f"{left} {rng.choice(COMPARISONS)} {self.constant(kind)}",
            lambda: f"{left} {rng.choice(COMPARISONS)} {self.constant(kind)}",
            lambda: f"{left} IS {rng.choice(['', 'NOT '])}NULL",
            lambda: f"{left} {rng.choice(['', 'NOT '])}IN ({', '.join([self.constant(kind) for _ in range(3)] + (['NULL'] if self.chance(0.2) else []))})",
            lambda: f"{left} {rng.choice(['', 'NOT '])}IN ({right()}, {right()})",
            lambda: f"{left} {rng.choice(['', 'NOT '])}BETWEEN {rng.choice(['', '', 'SYMMETRIC '])}{self.constant(kind)} AND {right()}",
            lambda: f"{left} IS {rng.choice(['', 'NOT '])}DISTINCT FROM {right()}",
            lambda: self.column(scope, "bool"),
            lambda: f"{self.scalar(scope, 'text', depth)} {rng.choice(['LIKE', 'NOT LIKE', 'ILIKE'])} {rng.choice(PATTERNS)}",
            lambda: f"{self.scalar(scope, 'text', depth)} {rng.choice(['~', '!~', '~*'])} {rng.choice(EXPRESSIONS)}",
            lambda: f"{self.scalar(scope, 'json', depth)} {rng.choice(['@>', '<@', '=', '<>'])} {self.constant('json')}",
            lambda: f"{self.scalar(scope, 'json', depth)} {rng.choice(['?', '?|', '?&'])} ".replace("?| ", "?| ARRAY['a','b']").replace("?& ", "?& ARRAY['a','b']").replace("? ", "? 'a'"),
            # Not NULL on the left: PostgreSQL 15 takes NULL < ANY('{}') for NULL when it turns an outer join into an inner one.
            lambda: f"COALESCE({self.scalar(scope, 'int', depth)}, 1) {rng.choice(COMPARISONS)} {rng.choice(['ANY', 'ALL'])} ({self.scalar(scope, 'ints', depth - 1)})",
            lambda: f"{self.scalar(scope, 'ints', depth)} {rng.choice(['@>', '<@', '&&', '=', '<'])} {self.scalar(scope, 'ints', 0)}",
            lambda: f"{left} IN ({self.constant(kind)})",
        ])() + ")")

    def in_subquery(self, scope, depth):
        count = self.rng.choice([1, 1, 1, 2])
        kinds = [self.rng.choice(["int", "int", "text", "date"]) for _ in range(count)]
        left = ", ".join(self.scalar(scope, kind, 1) for kind in kinds)
        return f"({f'({left})' if count > 1 else left} {self.rng.choice(['', 'NOT '])}IN {self.subquery(scope, kinds, depth)})"

    def quantified(self, scope, depth):
        kind = self.rng.choice(["int", "int", "text", "num"])
        return f"({self.scalar(scope, kind, 1)} {self.rng.choice(COMPARISONS)} {self.rng.choice(['ANY', 'ALL'])} {self.subquery(scope, [kind], depth)})"

    def row_comparison(self, scope, depth):
        kinds = [self.rng.choice(["int", "text", "date"]) for _ in range(2)]
        left, right = (", ".join(self.scalar(scope, kind, depth - 1) for kind in kinds) for _ in range(2))
        return f"(({left}) {self.rng.choice(COMPARISONS)} ({right}))"

    def scalar_subquery(self, scope, kind, depth):
        """At most one row: an aggregate, a row by its key, or the first row."""
        table, alias = self.rng.choice("abc"), self.alias()
        inner = [table_relation(alias, table)]
        if kind not in ("bool", "json", "ints") and self.chance(0.5):
            return f"(SELECT {self.rng.choice(['MAX', 'MIN'])}({self.column(inner, kind)}) FROM {table} {alias} WHERE {self.correlated(inner, scope, depth)})"
        if kind == "int" and self.chance(0.4):
            return f"(SELECT {self.rng.choice(['COUNT(*)', 'SUM(' + alias + '.i)', 'COUNT(' + alias + '.i)'])} FROM {table} {alias} WHERE {self.correlated(inner, scope, depth)})::integer"
        value = self.scalar(inner + scope, kind, 1)
        if scope and self.chance(0.4):
            return f"(SELECT {value} FROM {table} {alias} WHERE {alias}.id = {self.column(scope, 'int')})"
        return f"(SELECT {value} FROM {table} {alias} WHERE {self.correlated(inner, scope, depth)} ORDER BY {alias}.id{self.rng.choice(['', ' DESC'])} LIMIT 1{self.opt(0.2, lambda: ' OFFSET 1')})"

    def correlated(self, inner, scope, depth):
        where = self.predicate(inner + (scope if self.chance(0.5) else []), min(depth, 2) - 1)
        if scope and self.chance(0.5):
            return f"{self.column(inner, 'int')} = {self.column(scope, 'int')}{mark('opt', ' AND ' + where)}"
        return where
