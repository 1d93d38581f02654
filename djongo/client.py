"""`manage.py dbshell`: the shell `sqm` on the same server and database."""

import shutil
import sysconfig

from django.db.backends.base.client import BaseDatabaseClient


class DatabaseClient(BaseDatabaseClient):
    executable_name = "sqm"

    @classmethod
    def settings_to_cmd_args_env(cls, settings_dict, parameters):
        from .uri import connection_settings

        return cls._arguments(connection_settings(settings_dict), parameters)

    @classmethod
    def _executable(cls):
        """The one that was installed with this package, whether its environment is activated or not; else what PATH finds."""
        return shutil.which(cls.executable_name, path=sysconfig.get_path("scripts")) or cls.executable_name

    @classmethod
    def _arguments(cls, given, parameters):
        parameters = ["-d", given.database, *parameters]
        if "@" in given.uri:
            # Other users of the machine can read a command line, not an environment.
            return [cls._executable(), *parameters], {"SQM_URI": given.uri}
        return [cls._executable(), given.uri, *parameters], None

    def runshell(self, parameters):
        import os
        import subprocess

        # Not settings_to_cmd_args_env: the embedded server's address is no setting.
        args, env = self._arguments(self.connection.get_connection_settings(), parameters)
        subprocess.run(args, env={**os.environ, **env} if env else None, check=True)
