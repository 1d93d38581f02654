"""Random statements that write, and statements that must raise.

write() touches at most one row per row of its FROM (which row an UPDATE .. FROM takes of several is anybody's choice). Constraints are violated now and then: then
both databases raise an error of one class. wrong() spoils a query so that nobody can run it, or makes an expression raise where it is certainly computed.
"""
import re

from generate import TABLES, table_relation
from generate_query import SORTABLE, Queries
from shrink import mark, plain


class Writes(Queries):
    def value(self, scope, kind, depth=2):
        """What fits a column of that kind."""
        if self.chance(0.04):
            return self.scalar(scope, kind, depth)
        text = self.scalar(scope, kind, depth) if self.chance(0.6) else mark(kind, self.constant(kind))
        return {"int": f"({text}) % 1000", "text": f"LEFT({text}, 10)", "num": f"({text}) % 1000"}.get(kind, text)

    def returning(self, table, more=()):
        def make():
            scope = [table_relation(table, table), *more]
            return " RETURNING " + self.rng.choice([f"{table}.*", f"{table}.id, {self.scalar(scope, self.rng.choice(SORTABLE), 1)}", f"{table}.id, {self.scalar(scope, 'int', 2)}"])
        return self.opt(0.35, make)

    def write(self):
        rng, table = self.rng, self.rng.choice("aabbccl")
        return getattr(self, rng.choice(["insert_values", "insert_values", "insert_select", "update", "update", "update", "update_from", "delete", "delete_using", "upsert"]))(table)

    def names(self, table):
        return [name for name, (_, more) in TABLES[table].items() if "NOT NULL" in more or name == "id" or self.chance(0.7)]

    def tuple(self, table, names, key=None):
        values = []
        for name in names:
            kind = TABLES[table][name][0]
            if name == "id":
                values.append(str(key if key is not None else self.rng.randint(1, 30) if self.chance(0.1) else self.rng.randint(1000, 10**9)))
            elif name == "u":
                values.append(str(self.rng.randint(50, 5000)))
            else:
                values.append("NULL" if self.chance(0.03) else "DEFAULT" if self.chance(0.03) and "NOT NULL" not in TABLES[table][name][1] else self.value([], kind, 1))
        return f"({', '.join(values)})"

    def insert_values(self, table):
        names = self.names(table)
        rows = [self.tuple(table, names) for _ in range(self.rng.choice([1, 1, 2, 3]))]
        conflict = self.opt(0.2, lambda: " ON CONFLICT DO NOTHING")
        return f"INSERT INTO {table} ({', '.join(names)}) VALUES {rows[0]}{''.join(mark('opt', ', ' + row) for row in rows[1:])}{conflict}{self.returning(table)}"

    def upsert(self, table):
        rng = self.rng
        names = self.names(table)
        rows = [self.tuple(table, names, key) for key in rng.sample(range(1, 26), 1 if table == "l" else rng.choice([1, 2, 3]))]
        target = rng.choice(["(id)", "(id)", "(id)", "(u)" if table == "a" else "(a_id, b_id)" if table == "l" else "(id)"])
        scope = [table_relation(table, table), table_relation("EXCLUDED", table)]
        sets = []
        for name in rng.sample([name for name in TABLES[table] if name not in ("id", "u")], rng.randint(1, 2)):
            sets.append(f"{name} = {rng.choice([f'EXCLUDED.{name}', self.value(scope, TABLES[table][name][0], 1)])}")
        action = rng.choice([f"DO UPDATE SET {', '.join(sets)}{self.opt(0.3, lambda: f' WHERE {self.predicate(scope, 1)}')}", "DO NOTHING"])
        return f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join(rows)} ON CONFLICT {target} {action}{self.returning(table)}"

    def insert_select(self, table):
        names = [name for name in self.names(table) if name not in ("id", "u")]
        source, scope = self.rng.choice("abc"), None
        scope = [table_relation("s", source)]
        values = [self.value(scope, TABLES[table][name][0], 1) for name in names]
        shift = self.rng.randint(1, 10**6) * 1000 if self.chance(0.9) else 0
        conflict = self.opt(0.2, lambda: " ON CONFLICT DO NOTHING")
        return f"INSERT INTO {table} ({', '.join(['id'] + names)}) SELECT s.id + {shift}{''.join(', ' + value for value in values)} FROM {source} s WHERE s.id < 10 AND {self.predicate(scope, 2)}{conflict}{self.returning(table)}"

    def sets(self, table, scope):
        names = self.rng.sample([name for name in TABLES[table] if name not in ("id", "u")], self.rng.randint(1, 2 if table == "l" else 3))
        return ", ".join(f"{name} = {'NULL' if self.chance(0.03) else self.value(scope, TABLES[table][name][0], 2)}" for name in names)

    def update(self, table):
        scope = [table_relation(table, table)]
        if self.chance(0.07):
            return f"UPDATE {table} SET id = id + {self.rng.choice(['0', '100000'])} WHERE {self.predicate(scope, 1)}{self.returning(table)}"
        return f"UPDATE {table} SET {self.sets(table, scope)}{self.opt(0.9, lambda: f' WHERE {self.predicate(scope, 2)}')}{self.returning(table)}"

    def update_from(self, table):
        other = self.rng.choice("abc")
        scope = [table_relation(table, table), table_relation("o", other)]
        join = f"o.id = {self.column(scope[:1], 'int')}"
        return f"UPDATE {table} SET {self.sets(table, scope)} FROM {other} o WHERE {join}{self.opt(0.7, lambda: f' AND {self.predicate(scope, 2)}')}{self.returning(table, scope[1:])}"

    def delete(self, table):
        scope = [table_relation(table, table)]
        return f"DELETE FROM {table} WHERE {self.predicate(scope, 2)} AND {self.column(scope, 'int')} > 5{self.returning(table)}"

    def delete_using(self, table):
        other = self.rng.choice("abc")
        scope = [table_relation(table, table), table_relation("o", other)]
        return f"DELETE FROM {table} USING {other} o WHERE o.id = {self.column(scope[:1], 'int')} AND o.id < 6 AND {self.predicate(scope, 1)}{self.returning(table)}"

    # ---- what must raise ----

    def wrong(self):
        """(sql, spoiled): a spoiled query may be wrong in two ways, and then it is anybody's choice which is told of."""
        rng = self.rng
        if self.chance(0.15):
            return self.spoil(), True
        return self.certainly_wrong(), False

    def certainly_wrong(self):
        rng = self.rng
        table = rng.choice("abc")
        scope = [table_relation("t", table)]
        whole = [
            "1 / (t.id - t.id)", "(t.id + 9223372036854775807)", "'x'::integer + t.id", "(t.id || 'x')::integer", "(t.id || '-13-01')::date", "SQRT(-1 - ABS(t.id))", "CHR(-1 - t.id)", "t.id % (t.id * 0)", "LN(0 * t.id)",
            "(t.id * 1.0) / 0.0", "(SELECT x.id FROM a x)", "(SELECT x.id, x.i FROM a x)", "t.nothing", "nobody.id", "NOFUNCTION(t.id)", "t.id + DATE '2020-01-01' || 1 > 2", "LENGTH(t.id, 2)", "t.s + 1", "t.d > 5", "t.f + t.f",
            "SUM(SUM(t.id))", "t.id IN (SELECT x.id, x.i FROM a x)", "CAST('abc' AS boolean)", "'{1,2'::integer[]", "'{bad'::jsonb", "t.s LIKE 5", "CASE WHEN t.id THEN 1 END", "CASE WHEN t.f THEN 1 ELSE 'x' END", "NOT t.id", "EXTRACT(nowhere FROM t.d)",
            "COALESCE(t.id, t.d)", "ROW_NUMBER()", "SUM(t.id) OVER (ROWS 1)", "(t.id, t.i) = (1, 2, 3)", "RANK() OVER nowhere", "(t.id::text || '99999999999999999999')::bigint", "10::numeric(2,1)",
            "COUNT(DISTINCT)", "t.id BETWEEN 1", "date_trunc('nothing', t.d)", "ARRAY[1, 'x']", "t.id::nothing", "GREATEST()", "NULLIF(1)", "t.s ~ '('", "SUBSTRING('abc' FROM 1 FOR -1) || t.id", "REPEAT(t.s)", "t.id ->> 'a'",
        ]
        spoiled = [
            lambda: f"SELECT {rng.choice(whole)} FROM {table} t",
            lambda: f"SELECT t.id FROM {table} t WHERE {rng.choice(whole)} IS NOT NULL",
            lambda: f"SELECT t.id, COUNT(*) FROM {table} t GROUP BY t.{rng.choice(['i', 's', 'd'])}",
            lambda: f"SELECT COUNT(*) FROM {table} t WHERE COUNT(*) > 1",
            lambda: f"SELECT id FROM {table} t JOIN a u ON t.id = u.id",
            lambda: f"SELECT t.id FROM {table} t JOIN b t ON TRUE",
            lambda: f"SELECT t.id, t.s FROM {table} t UNION SELECT t.id FROM {table} t",
            lambda: f"SELECT t.id FROM {table} t UNION SELECT t.s FROM {table} t",
            lambda: f"SELECT DISTINCT t.id FROM {table} t ORDER BY t.s",
            lambda: f"SELECT t.id FROM {table} t ORDER BY {rng.choice(['5', '0', 't.nothing', '-1 LIMIT -1'])}",
            lambda: f"SELECT t.id FROM {table} t LIMIT {rng.choice(['-1', 'x', 't.id', '1.5.2'])}",
            lambda: f"SELECT * FROM {table} t, LATERAL (SELECT * FROM nothing) u",
            lambda: f"SELECT u.id FROM {table} t, (SELECT t.id) u",
            lambda: f"WITH q AS (SELECT 1), q AS (SELECT 2) SELECT * FROM {table} t",
            lambda: f"WITH q(a, b) AS (SELECT 1) SELECT * FROM {table} t",
            lambda: f"INSERT INTO {table} (id, nothing) VALUES (5000, 1)",
            lambda: f"INSERT INTO {table} (id, id) VALUES (5000, 1)",
            lambda: f"INSERT INTO {table} (id, i) VALUES (5000, 1, 2)",
            lambda: f"INSERT INTO {table} (id, i) VALUES ({rng.choice(['1, 2', 'NULL, 1', '5000, TRUE', '5000, 3000000000', chr(39) + 'x' + chr(39) + ', 1'])})",
            lambda: f"INSERT INTO {table} (id, s, {'a_id' if table != 'a' else 'j'}{', f' if table == 'b' else ''}) VALUES (5000, 'too long for it', 1{', TRUE' if table == 'b' else ''})" if table != "l" else "SELECT",
            lambda: f"UPDATE {table} SET {rng.choice(['nothing = 1', 'id = 1', 'i = TRUE', 'i = 1, i = 2', 'd = 5', 'id = NULL', 'm = 99999999', 'i = SUM(i)', 'i = (SELECT id FROM a)'])}",
            lambda: f"DELETE FROM {table} WHERE nothing = 1",
        ]
        return rng.choice(spoiled)()

    def spoil(self):
        """A query with a word left out, doubled or taken from elsewhere: most often nobody can read it."""
        words = re.findall(r"'(?:[^']|'')*'\S*|[^\s']+", plain(self.query()[0]))
        at = self.rng.randrange(len(words))
        kind = self.rng.random()
        if kind < 0.5:
            del words[at]
        elif kind < 0.7:
            words.insert(at, self.rng.choice(["AND", "SELECT", "(", ")", "NULL", ",", "FROM", "id", "1"]))
        else:
            words[at] = self.rng.choice(words)
        return " ".join(words)
