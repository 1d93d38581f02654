"""`manage.py dbshell`: the shell `sqm` on the same server and database."""

from django.db.backends.base.client import BaseDatabaseClient


class DatabaseClient(BaseDatabaseClient):
    executable_name = "sqm"

    @classmethod
    def settings_to_cmd_args_env(cls, settings_dict, parameters):
        from .uri import connection_settings

        return cls._arguments(connection_settings(settings_dict), parameters)

    @classmethod
    def _arguments(cls, given, parameters):
        parameters = ["-d", given.database, *parameters]
        if "@" in given.uri:
            # Other users of the machine can read a command line, not an environment.
            return [cls.executable_name, *parameters], {"SQM_URI": given.uri}
        return [cls.executable_name, given.uri, *parameters], None

    def runshell(self, parameters):
        import os
        import subprocess

        # Not settings_to_cmd_args_env: the embedded server's address is no setting.
        args, env = self._arguments(self.connection.get_connection_settings(), parameters)
        subprocess.run(args, env={**os.environ, **env} if env else None, check=True)
