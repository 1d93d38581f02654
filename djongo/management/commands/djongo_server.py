"""manage.py djongo_server start|stop|status: the project's embedded MongoDB (see djongo/embedded.py)."""
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db.utils import OperationalError

from djongo import embedded


class Command(BaseCommand):
    help = "Starts, stops or shows this project's embedded MongoDB server."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("action", choices=("start", "stop", "status"))
        parser.add_argument("--directory", help="the server's directory (default: .djongo in the project)")

    def handle(self, *, action, directory, **options):
        try:
            result = embedded.command(action, directory, self.stdout)
        except (ImproperlyConfigured, OperationalError) as error:
            raise CommandError(error) from None
        if result:
            sys.exit(result)
