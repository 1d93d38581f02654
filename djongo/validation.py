"""System checks that need the server (`manage.py check --database default`, `migrate`)."""

from django.core import checks
from django.db.backends.base.validation import BaseDatabaseValidation


class DatabaseValidation(BaseDatabaseValidation):
    def check(self, **kwargs):
        issues = super().check(**kwargs)
        if not self.connection.features.supports_transactions:
            issues.append(
                checks.Warning(
                    f"MongoDB has no transactions on database connection {self.connection.alias!r}: the server isn't part of a replica set.",
                    hint="atomic() only groups statements there and rolls nothing back. Run mongod with --replSet and initiate it"
                    " (one member is enough), or use djongo's embedded server.",
                    id="djongo.W001",
                )
            )
        return issues
