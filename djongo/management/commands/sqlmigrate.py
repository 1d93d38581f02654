"""manage.py sqlmigrate [--mql]: Django's command; with --mql each statement is followed by the MongoDB commands that it becomes.

They are those for a database in the state that the migrations before it leave: these are gone through without a server. Statements that depend
on the rows (a default for a new column, a conversion) show the form of their commands; where no statement stands, neither does a command.
"""
from django.core.management.base import CommandError
from django.core.management.commands import sqlmigrate
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from djongo import _sqm


class Command(sqlmigrate.Command):
    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("--mql", action="store_true", help="Show the MongoDB commands of each statement as well.")

    def handle(self, *args, mql, **options):
        text = super().handle(*args, **options)
        if not mql:
            return text
        connection = connections[options["database"]]
        if connection.vendor != "djongo":
            raise CommandError(f"--mql is for databases of djongo; {options['database']!r} is one of {connection.display_name}.")
        loader = MigrationLoader(connection, replace_migrations=False)
        migration = loader.get_migration_by_prefix(options["app_label"], options["migration_name"])
        before = [loader.graph.nodes[key] for key in loader.graph.forwards_plan((options["app_label"], migration.name))]
        if not options["backwards"]:
            before.pop()
        history = [sql for earlier in before for sql in loader.collect_sql([(earlier, False)]) if not sql.startswith("--")]
        shown = loader.collect_sql([(migration, options["backwards"])])
        statements = [sql for sql in shown if not sql.startswith("--")]
        answers = iter(_sqm.offline_commands([*history, *statements])[len(history) :])
        return "\n".join(part for sql in shown for part in (sql, *self._commands(sql, answers)))

    @staticmethod
    def _commands(sql, answers):
        if sql.startswith("--"):
            return ()
        answer = next(answers)
        if isinstance(answer, Exception):
            return [f"--   fails: {str(answer).splitlines()[0]}"]
        return [f"--   {command}" for command in answer.splitlines() if command] or ["--   nothing to do: only the catalogue changes"]
