"""The DB-API 2.0 names under the module name djongo 1.3 gave them."""

from ._sqm import (  # noqa: F401
    Binary,
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    connect,
)
