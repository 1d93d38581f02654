"""djongo: MongoDB as a first-class Django database. ENGINE = "djongo" in DATABASES; the SQL is compiled by the C library libsqm."""

__version__ = "2.0.0"

# The names of PEP 249, from the extension, on first use: importing the package must not need a compiled module (pip, docs, embedded server).
_DBAPI = {
    "apilevel", "threadsafety", "paramstyle", "connect", "Connection", "Cursor", "Binary", "Json", "Warning", "Error", "InterfaceError",
    "DatabaseError", "DataError", "OperationalError", "IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError",
}  # fmt: skip


def __getattr__(name):
    if name in ("BulkWrite", "BulkWriteError"):
        from . import bulk

        return getattr(bulk, name)
    if name in _DBAPI:
        from . import _sqm

        return getattr(_sqm, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
