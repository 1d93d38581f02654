"""Runs a .test file of SQL on djongo and on other databases, and compares what they answer.

A file is a list of blocks separated by empty lines; lines that start with "#" are comments. It starts with

    oracle postgres sqlite      which databases are asked the same (either, both, or "none": then every query has its rows written down)

and goes on with blocks, each a header line and SQL (one statement, any number of lines):

    statement ok                the statement succeeds, everywhere; rows it touched (INSERT, UPDATE, DELETE) are compared too
    statement error NAME        it fails here with the error of that name (errors.def) and somehow elsewhere; lines after "----" must occur in the message
    query [rowsort|nosort] [LABEL]
                                its rows are those of every oracle. rowsort (the default): in any order; nosort: in this order.
                                Queries of one file with one LABEL must give the same rows: two spellings of one question.
                                Rows after "----", values separated by " | ", are what must come out here (as `show` prints them); then no oracle is asked.
    predicates TABLE            each following line is a condition over TABLE, whose key is "id". The rows for which it is true, for which its NOT is true, and for
                                which it IS NULL must be the oracle's, and be a partition of the table; as a value it must agree.

Before a block, "skipif NAME" and "onlyif NAME" (djongo, postgres, sqlite) say who sees it. The last line of a statement or query may be `with (1, 'x')`:
parameters, a Python tuple. Here every query is run once more with the optimiser off, and once with the constants that follow comparison operators
bound as parameters; outside of transactions, since a second connection wouldn't see what isn't committed.
"""
import datetime
import decimal
import json
import math
import re
import uuid


class Mismatch(AssertionError):
    pass


class Block:
    def __init__(self, kind, words, lines, expected, at, skip, only):
        self.kind, self.words, self.expected, self.at, self.skip, self.only = kind, words, expected, at, skip, only
        self.parameters = None
        if lines and (found := re.fullmatch(r"with (\(.*\))", lines[-1])):
            self.parameters = eval(found[1], {"datetime": datetime, "decimal": decimal, "uuid": uuid})
            lines = lines[:-1]
        self.lines, self.sql = lines, "\n".join(lines)

    def seen_by(self, name):
        return name not in self.skip and (not self.only or name in self.only)

    @property
    def ordered(self):
        return "nosort" in self.words

    @property
    def label(self):
        return next((word for word in self.words if word not in ("rowsort", "nosort")), None)


def parse(text):
    """(oracles, blocks)"""
    oracles, blocks, skip, only = None, [], set(), set()
    lines = text.split("\n")
    i = 0
    while i < len(lines):
        line = lines[i].strip()
        i += 1
        if not line or line.startswith("#"):
            continue
        kind, *words = line.split()
        if kind == "oracle":
            oracles = [] if words == ["none"] else words
        elif kind in ("skipif", "onlyif"):
            (skip if kind == "skipif" else only).update(words)
        elif kind in ("statement", "query", "predicates"):
            at, body, expected = i, [], None
            while i < len(lines) and lines[i].strip():
                if lines[i] == "----" and expected is None:
                    expected = []
                else:
                    (body if expected is None else expected).append(lines[i])
                i += 1
            blocks.append(Block(kind, words, body, expected, at, skip, only))
            skip, only = set(), set()
        else:
            raise ValueError(f"line {i}: {line!r} begins no block")
    if oracles is None:
        raise ValueError("the file has no line: oracle ...")
    return oracles, blocks


# ---- values ----------------------------------------------------------------------------------------------------------


def plain(value):
    """A value in the form in which answers of different drivers are compared."""
    if isinstance(value, datetime.datetime) and value.tzinfo:
        return value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    if isinstance(value, (memoryview, bytearray)):
        return bytes(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def same(a, b, loose):
    """`loose`: SQLite has no booleans, and no decimals."""
    if a is None or b is None:
        return a is b
    if isinstance(a, bool) or isinstance(b, bool):
        return a == b if loose else a is b
    numbers = (int, float, decimal.Decimal)
    if isinstance(a, numbers) and isinstance(b, numbers):
        if isinstance(a, int) and isinstance(b, int):
            return a == b
        if not loose and len({kind(a), kind(b)}) > 1:
            return False
        if not math.isfinite(a) or not math.isfinite(b):
            return str(float(a)) == str(float(b))
        return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-15) if isinstance(a, float) or isinstance(b, float) else close(a, b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y, loose) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key], loose) for key in a)
    return type(a) is type(b) and a == b


def kind(number):
    """SUM(bigint) is a bigint here and numeric in PostgreSQL; else numbers of other types are other answers."""
    return float if isinstance(number, float) else int if math.isfinite(number) and number == int(number) else decimal.Decimal


def close(a, b):
    """Decimals to 15 digits: averages and the like end at another digit here (34 significant ones) than in PostgreSQL."""
    a, b = decimal.Decimal(a), decimal.Decimal(b)
    return a == b or abs(a - b) <= max(abs(a), abs(b)) * decimal.Decimal("1e-15")


def show(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, dict)):
        return json.dumps(value, default=show, ensure_ascii=False)
    if value == "":
        return "(empty)"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return repr(value)[1:-1] if isinstance(value, str) and not value.isprintable() else str(value)


def show_row(row):
    return " | ".join(show(value) for value in row)


def sort_key(row):
    """An order in which two drivers' numbers of one value lie alike."""
    key = []
    for value in row:
        if isinstance(value, (bool, int, float, decimal.Decimal)):
            key.append((1, float(value) if value == value else math.inf, ""))
        else:
            key.append((0 if value is None else 2, 0.0, show(value)))
    return key


def compare(what, ours, theirs, who, ordered, loose=False):
    ours, theirs = [plain(list(row)) for row in ours], [plain(list(row)) for row in theirs]
    if not ordered:
        ours, theirs = sorted(ours, key=sort_key), sorted(theirs, key=sort_key)
    if same(ours, theirs, loose):
        return
    kinds = "" if any(show_row(a) != show_row(b) for a, b in zip(ours, theirs)) or len(ours) != len(theirs) else " (the types differ)"
    raise Mismatch(f"{what}\n  djongo{kinds}:\n{listing(ours, kinds)}\n  {who}:\n{listing(theirs, kinds)}")


def listing(rows, kinds=""):
    lines = [f"    {show_row(row)}" + (f"   {[type(value).__name__ for value in row]}" if kinds else "") for row in rows[:40]]
    return "\n".join(lines + ([f"    ... {len(rows) - 40} more"] if len(rows) > 40 else [])) or "    (no rows)"


# ---- databases -------------------------------------------------------------------------------------------------------


class Database:
    """A DB-API connection in autocommit mode: `name`, `connection`, and the base class of its errors. `loose`: see same()."""

    def __init__(self, name, connection, error, loose=False):
        self.name, self.connection, self.error, self.loose = name, connection, error, loose

    def run(self, sql, parameters=None):
        """(rows or None, row count)"""
        cursor = self.connection.cursor()
        try:
            if parameters is None:
                cursor.execute(sql)
            else:
                cursor.execute(sql.replace("%s", "?") if self.name == "sqlite" else sql, parameters)
            return (cursor.fetchall() if cursor.description else None), cursor.rowcount
        finally:
            cursor.close()


COMPARED = re.compile(r"""'(?:[^']|'')*' | "[^"]*" | (?P<operator>(?<![|&\#<>=!~@?-])(?:<>|<=|>=|=|<|>)\s*) (?P<constant>'(?:[^']|'')*'|\d+(?:\.\d+)?)(?![\w.:]|\s*::)""", re.X)


def with_parameters(sql):
    """(sql, parameters) with the constants that follow a comparison operator taken out, or None if there are none."""
    if "%" in sql:
        return None
    parameters = []

    def take(found):
        text = found["constant"]
        if text is None:
            return found[0]
        if text.startswith("'"):
            value = text[1:-1].replace("''", "'")
        else:
            value = decimal.Decimal(text) if "." in text or len(text) > 18 else int(text)
        parameters.append(value)
        return found["operator"] + "%s"

    bound = COMPARED.sub(take, sql)
    return (bound, tuple(parameters)) if parameters else None


class Run:
    def __init__(self, djongo, connect_unoptimised, oracles):
        """`connect_unoptimised()` opens a connection with the optimiser off."""
        self.djongo, self.connect_unoptimised, self.oracles = djongo, connect_unoptimised, oracles
        self.unoptimised = None
        self.errors = (djongo.error, *(oracle.error for oracle in oracles))
        self.labels, self.queries, self.in_transaction = {}, 0, False

    def file(self, blocks):
        """The messages of all blocks that went wrong."""
        problems = []
        for block in blocks:
            try:
                getattr(self, block.kind)(block)
            except Mismatch as e:
                problems.append(f"line {block.at}: {e}")
            except self.errors as e:
                problems.append(f"line {block.at}: {block.sql}\n  {type(e).__module__}.{type(e).__qualname__}: {e}")
        return problems

    def statement(self, block):
        expected_error = block.words[1] if block.words[0] == "error" else None
        what = block.sql
        counts = {}
        for database in [*self.oracles, self.djongo]:
            if not block.seen_by(database.name):
                continue
            try:
                _, counts[database.name] = database.run(block.sql, block.parameters)
            except database.error as e:
                if not expected_error:
                    raise
                if database is self.djongo:
                    if getattr(e, "code", None) != expected_error:
                        raise Mismatch(f"{what}\n  expected the error {expected_error}, got {getattr(e, 'code', None)}: {e}") from None
                    for line in block.expected or ():
                        if line not in str(e):
                            raise Mismatch(f"{what}\n  expected in the message: {line}\n{e}") from None
            else:
                if expected_error:
                    raise Mismatch(f"{what}\n  expected the error {expected_error} of {database.name}; it succeeded")
        word = (what.split() or [""])[0].upper()
        if word in ("CREATE", "ALTER", "DROP"):
            # A connection looks for other processes' migrations once a second: the next query gets a new one.
            self.unoptimised = None
        if not expected_error and word in ("INSERT", "UPDATE", "DELETE") and len(set(counts.values())) > 1:
            raise Mismatch(f"{what}\n  rows affected: {counts}")
        if not expected_error:
            self.in_transaction = (self.in_transaction or word == "BEGIN") and word not in ("COMMIT", "END") and not re.fullmatch(
                r"ROLLBACK;?", what.strip(), re.I
            )

    def ask(self, sql, parameters, ordered, block):
        """Rows of djongo, compared with every oracle's."""
        self.queries += 1
        ours = self.djongo.run(sql, parameters)[0] if block.seen_by("djongo") else None
        if block.expected is not None and block.kind == "query":
            got = [show_row(plain(row)) for row in ours]
            want = list(block.expected)
            if not ordered:
                got, want = sorted(got), sorted(want)
            if got != want:
                raise Mismatch(f"{sql}\n  djongo:\n    " + "\n    ".join(got) + "\n  expected:\n    " + "\n    ".join(want))
        else:
            for oracle in self.oracles:
                if block.seen_by(oracle.name):
                    theirs = oracle.run(sql, parameters)[0]
                    if ours is not None:
                        compare(sql, ours, theirs, oracle.name, ordered, oracle.loose)
        if ours is None or self.in_transaction or re.search(r"\b(INSERT|UPDATE|DELETE|setval)\b", sql):
            return ours
        self.unoptimised = self.unoptimised or self.connect_unoptimised()
        compare(sql, ours, self.unoptimised.run(sql, parameters)[0], "with the optimiser off", ordered)
        if parameters is None and (bound := with_parameters(sql)):
            compare(sql, ours, self.djongo.run(*bound)[0], f"with the parameters {bound[1]}", ordered)
        return ours

    def query(self, block):
        rows = self.ask(block.sql, block.parameters, block.ordered, block)
        if block.label and rows is not None:
            first = self.labels.setdefault(block.label, rows)
            compare(f"{block.sql}\n  (label {block.label})", rows, first, "the first query of this label", block.ordered)

    def predicates(self, block):
        table = block.words[0]
        problems = []
        everything = self.ids(f"SELECT id FROM {table}", block)
        for predicate in block.lines:
            try:
                parts = [self.ids(f"SELECT id FROM {table} WHERE {form}", block) for form in (predicate, f"NOT ({predicate})", f"({predicate}) IS NULL")]
                if sorted(sum(parts, [])) != sorted(everything):
                    raise Mismatch(f"{predicate}\n  true, false and NULL are no partition: {parts}")
                values = self.ask(f"SELECT id, ({predicate}) AS p FROM {table}", None, False, block) or []
                for part, value in zip(parts, (True, False, None)):
                    if sorted(part) != sorted(key for key, p in values if p is value):
                        raise Mismatch(f"{predicate}\n  as a condition {value} for {sorted(part)}, as a value:\n{listing(values)}")
            except Mismatch as e:
                problems.append(str(e))
            except self.errors as e:
                problems.append(f"{predicate}\n  {type(e).__qualname__}: {e}")
        if problems:
            raise Mismatch("\n".join(problems))

    def ids(self, sql, block):
        return [row[0] for row in self.ask(sql, None, False, block) or ()]
