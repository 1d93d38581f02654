"""manage.py djongo_diff: where documents and models disagree, and models for collections that have none."""

import json

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections, router

from djongo.agreement import Comparison
from djongo.implicit import stored_models
from djongo.sampling import write_models


class Command(BaseCommand):
    help = (
        "Lists where stored documents and models disagree: missing and unknown fields, other types, too long texts, in embedded documents too, unique indexes,"
        " counters. The exit status is 1 when they do. --fix puts right what needs no decision. --write-models prints models for the collections that have none."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser):
        parser.add_argument("args", metavar="app_label[.Model]", nargs="*", help="what to look at (default: all models); with --write-models: collections")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=tuple(connections), help="alias of the database")
        parser.add_argument("--fix", action="store_true", help="fill in defaults, renew unique indexes, raise counters, create collections")
        parser.add_argument("--format", choices=("text", "json"), default="text")
        parser.add_argument("--write-models", action="store_true", help="print models, made from a sample of the documents")
        parser.add_argument("--sample", type=int, default=1000, metavar="N", help="how many documents --write-models looks at (default 1000)")

    def handle(self, *labels, database, fix, format, write_models: bool, sample, **options):
        connection = connections[database]
        if connection.vendor != "djongo":
            raise CommandError(f"The database {database!r} isn't djongo's.")
        comparison = Comparison(connection)
        everything = [
            model
            for model in stored_models()
            if router.allow_migrate_model(database, model) and model._meta.app_label != "migrations"
        ]
        tables = {model._meta.db_table for model in everything} | {"django_migrations"}
        if write_models:
            self._write(comparison, labels or comparison.without_model(tables), sample)
            return
        chosen = self._chosen(everything, labels)
        findings = self._compare(comparison, chosen, tables if not labels else None)
        if fix:
            for finding, error in comparison.repair(findings):
                self.stdout.write(f"{'FAILED' if error else 'fixed'}  {self._where(finding)}{finding}" + (f": {error}" if error else ""))
            comparison = Comparison(connection)
            findings = self._compare(comparison, chosen, tables if not labels else None)
        notes = comparison.without_model(tables) if not labels else []
        (self._json if format == "json" else self._text)(findings, notes, len(chosen))
        if findings:
            raise SystemExit(1)

    def _chosen(self, everything, labels):
        chosen = []
        for label in labels:
            app, _, name = label.partition(".")
            found = [m for m in everything if m._meta.app_label == app and (not name or m._meta.model_name == name.lower())]
            if not found:
                raise CommandError(f"There is no app or model {label!r}.")
            chosen += [model for model in found if model not in chosen]
        return chosen or everything

    def _compare(self, comparison, chosen, tables):
        findings = [finding for model in chosen for finding in comparison.model(model)]
        return findings + (comparison.catalogue(tables) if tables else [])

    def _where(self, finding):
        return f"{finding.model._meta.label} " if finding.model else ""

    def _text(self, findings, notes, n):
        model = False
        for finding in findings:
            if finding.model is not model:
                model = finding.model
                self.stdout.write(f"{model._meta.label} ({model._meta.db_table})" if model else "catalogue (__schema__)")
            self.stdout.write(f"  {finding}")
        for name in notes:
            self.stdout.write(f"note: the collection {name} has no model (--write-models {name})")
        if findings:
            self.stdout.write(f"{len(findings)} difference{'s' * (len(findings) != 1)}; {sum(f.repair is not None for f in findings)} of them --fix can put right.")
        else:
            self.stdout.write(f"{n} models and the documents agree.")

    def _json(self, findings, notes, n):
        rows = [
            {
                "model": finding.model and finding.model._meta.label, "path": finding.path, "problem": finding.problem, "count": finding.count,
                "examples": [str(example) for example in finding.examples], "fixable": finding.repair is not None,
            }
            for finding in findings
        ]  # fmt: skip
        self.stdout.write(json.dumps({"models": n, "differences": rows, "collections_without_model": notes}, indent=1))

    def _write(self, comparison, names, sample):
        missing = [name for name in names if name not in comparison.collections]
        if missing:
            raise CommandError(f"There is no collection {missing[0]!r}.")
        self.stdout.write(write_models({name: comparison.database[name].aggregate([{"$sample": {"size": sample}}]) for name in names}), ending="")
