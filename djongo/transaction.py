"""`from djongo import transaction`: django.db.transaction by its documented name. atomic() is a MongoDB transaction on a replica set."""

from django.db.transaction import (  # noqa: F401
    Atomic,
    TransactionManagementError,
    atomic,
    clean_savepoints,
    commit,
    get_autocommit,
    get_connection,
    get_rollback,
    mark_for_rollback_on_error,
    non_atomic_requests,
    on_commit,
    rollback,
    savepoint,
    savepoint_commit,
    savepoint_rollback,
    set_autocommit,
    set_rollback,
)
