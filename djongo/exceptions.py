"""Exceptions under the names of djongo 1.3. They are DB-API classes now: what reaches application code is django.db.utils' class of the
same name, with these as `__cause__`; each carries `.position`, `.hint` and `.code`."""

import logging

from ._sqm import (  # noqa: F401
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

# 1.3's "this SQL can't be translated" and "a migration is missing" are what SQL calls errors of the program.
SQLDecodeError = ProgrammingError


class MigrationError(ProgrammingError):
    """With ENFORCE_SCHEMA: a model's table or column isn't in the database, or documents don't fit it."""



def print_warn(feature=None, message=None):
    """1.3 printed this to stdout on every migrate."""
    logging.getLogger("djongo").debug("%s", message or feature)
