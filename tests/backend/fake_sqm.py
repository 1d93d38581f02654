"""A stand-in for djongo._sqm with the same surface and no server: it records statements and answers what a test gave it.

The tests of SQL text and settings need only a module that can be imported and a connection that takes statements.
"""

apilevel, threadsafety, paramstyle, version = "2.0", 1, "pyformat", "fake"
Binary = bytes


class Warning(Exception):
    pass


class Error(Exception):
    position = length = hint = code = mongo_code = sql = None


class InterfaceError(Error):
    pass


class DatabaseError(Error):
    pass


class DataError(DatabaseError):
    pass


class OperationalError(DatabaseError):
    pass


class IntegrityError(DatabaseError):
    pass


class InternalError(DatabaseError):
    pass


class ProgrammingError(DatabaseError):
    pass


class NotSupportedError(DatabaseError):
    pass


class Document:
    pass


class Array:
    pass


class Json:
    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return f"Json({self.value!r})"


class Cursor:
    arraysize = 1
    lastrowid = None

    def __init__(self, connection):
        self.connection = connection
        self.rows, self.description, self.rowcount, self.closed = [], None, -1, False

    def execute(self, sql, params=None):
        self.connection.statements.append((sql, params))
        rows = self.connection.answers.pop(0) if self.connection.answers else []
        self.rows = list(rows)
        self.description = [(f"c{i}", "text", None, None, None, None, None) for i in range(len(rows[0]) if rows else 1)]
        self.rowcount = len(self.rows)

    def executemany(self, sql, params):
        for one in params:
            self.execute(sql, one)

    def fetchone(self):
        return self.rows.pop(0) if self.rows else None

    def fetchmany(self, size=None):
        size = size or self.arraysize
        taken, self.rows = self.rows[:size], self.rows[size:]
        return taken

    def fetchall(self):
        taken, self.rows = self.rows, []
        return taken

    def __iter__(self):
        return iter(self.fetchall())

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.closed = True


class Connection:
    server_version = (6, 0, 5)

    def __init__(self, **kwargs):
        self.kwargs = kwargs
        self.statements, self.answers, self.catalogue = [], [], {}
        self.autocommit, self.closed, self.in_transaction = False, False, False
        self.has_transactions, self.written_tables, self.timezone = True, [], None

    def cursor(self):
        return Cursor(self)

    def commit(self):
        self.statements.append(("COMMIT", None))

    def rollback(self):
        self.statements.append(("ROLLBACK", None))

    def close(self):
        self.closed = True

    def ping(self):
        pass

    def tables(self):
        return [{"name": name, "type": "table", "comment": None} for name in sorted(self.catalogue)]

    def table(self, name):
        if name not in self.catalogue:
            raise ProgrammingError(f'relation "{name}" does not exist')
        return {"name": name, **self.catalogue[name]}


def connect(uri, database, **kwargs):
    return Connection(uri=uri, database=database, **kwargs)
