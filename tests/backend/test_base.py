"""The wrapper: connecting, transactions, constraint checks, logging, the embedded server's turn, introspection, test databases."""

import logging
import pathlib

import pytest
from app.models import Author
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, OperationalError, connections, transaction
from django.test import override_settings

import djongo
from djongo import base, embedded
from djongo.client import DatabaseClient
from djongo.uri import connection_settings

CATALOGUE = {
    "a": {"columns": [{"name": "id", "type": "bigint", "auto": True, "not_null": True}], "primary_key": ["id"], "constraints": [], "indexes": []},
    "b": {
        "columns": [
            {"name": "id", "type": "bigint", "auto": True, "not_null": True},
            {"name": "a_id", "type": "bigint", "comment": "c"},
            {"name": "word", "type": "varchar(30)", "max_length": 30, "default": "'x'"},
            {"name": "price", "type": "numeric(8, 2)", "precision": 8, "scale": 2},
        ],
        "primary_key": ["id"],
        "constraints": [
            {"name": "b_a_fk", "kind": "foreign", "columns": ["a_id"], "references": ["a", "id"], "on_delete": "NO ACTION"},
            {"name": "b_word", "kind": "unique", "columns": ["word"]},
            {"name": "b_check", "kind": "check", "columns": ["price"], "expression": "price > 0"},
        ],
        "indexes": [
            {"name": "b_word", "columns": ["word"], "orders": ["ASC"], "unique": True},
            {"name": "b_recent", "columns": ["a_id", "word"], "orders": ["ASC", "DESC"], "unique": False},
        ],
    },
}


@pytest.fixture
def catalogued(connection):
    connection.connection.catalogue = CATALOGUE
    return connection


def test_what_it_connects_with(make_connection):
    wrapper = make_connection(USER="u", PASSWORD="p", OPTIONS={"work_mem": 5})
    wrapper.ensure_connection()
    assert wrapper.connection.kwargs == {
        "uri": "mongodb://u:p@db.example/shop?appName=djongo&authSource=admin",
        "database": "shop",
        "json_text": True,
        "work_mem": 5,
    }
    assert wrapper.connection.autocommit is True
    assert (wrapper.vendor, wrapper.display_name, wrapper.get_database_version()) == ("djongo", "MongoDB", (6, 0, 5))


def test_wrong_settings_are_told_on_first_use(make_connection):
    with pytest.raises(ImproperlyConfigured, match="'maxPolSize'.*'maxPoolSize'"):
        make_connection(CLIENT={"maxPolSize": 1}).ensure_connection()


def test_unreachable_server(make_connection, monkeypatch):
    def refuse(**kwargs):
        raise djongo._sqm.OperationalError("no server at db.example:27017")

    monkeypatch.setattr(djongo._sqm, "connect", refuse)
    with pytest.raises(OperationalError, match="db.example:27017"):
        make_connection().ensure_connection()


def test_atomic_and_savepoints(connection):
    raw = connection.connection
    with transaction.atomic():
        assert raw.autocommit is False
        with pytest.raises(KeyError), transaction.atomic():
            Author.objects.filter(pk=1).delete()
            raise KeyError
        with transaction.atomic():
            pass
    assert raw.autocommit is True
    kinds = [sql.split(' "')[0].split(" FROM")[0] for sql, _ in raw.statements]
    assert [k for k in kinds if k.split()[0] in ("SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT")] == [
        "SAVEPOINT", "ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT", "SAVEPOINT", "RELEASE SAVEPOINT", "COMMIT",
    ]  # fmt: skip


def test_a_standalone_server_only_groups(make_connection, caplog):
    wrapper = make_connection()
    wrapper.ensure_connection()
    wrapper.connection.has_transactions = False
    assert wrapper.features.supports_transactions is False and wrapper.features.uses_savepoints is True
    wrapper.set_autocommit(False)
    assert wrapper.connection.autocommit is True
    with caplog.at_level(logging.WARNING, "djongo"):
        wrapper.rollback()
    assert "nothing was rolled back" in caplog.text
    [warning] = wrapper.validation.check()
    assert warning.id == "djongo.W001" and "replica set" in warning.msg


def test_is_usable(connection, monkeypatch):
    assert connection.is_usable()

    def fail():
        raise djongo._sqm.OperationalError("gone")

    monkeypatch.setattr(connection.connection, "ping", fail, raising=False)
    assert not connection.is_usable()


def test_check_constraints(catalogued):
    raw = catalogued.connection
    catalogued.check_constraints()  # outside of a transaction: everything
    assert raw.statements == [
        ('SELECT A."id", A."a_id" FROM "b" A LEFT OUTER JOIN "a" B ON (A."a_id" = B."id") WHERE A."a_id" IS NOT NULL AND B."id" IS NULL LIMIT 1', None)
    ]
    raw.answers = [[(3, 99)]]
    with pytest.raises(IntegrityError, match="table 'b' with primary key '3'.*b.a_id contains a value '99'.* a.id"):
        catalogued.check_constraints(["b"])


@pytest.mark.parametrize("written, asked", [([], 0), (["x"], 0), (["a"], 1), (["b"], 1)])
def test_check_constraints_looks_at_what_the_transaction_wrote(catalogued, written, asked):
    with transaction.atomic():
        catalogued.connection.written_tables = written
        catalogued.check_constraints()
        assert len(catalogued.connection.statements) == asked
        catalogued.connection.statements.clear()
        catalogued.check_constraints(table_names=["a"])
        assert catalogued.connection.statements == []


def test_introspection(catalogued):
    with catalogued.cursor() as cursor:
        introspection = catalogued.introspection
        catalogued.connection.answers = [[("b", "BASE TABLE", None), ("a", "VIEW", "of b")]]
        assert [tuple(info) for info in introspection.get_table_list(cursor)] == [("b", "t", None), ("a", "v", "of b")]
        fields = introspection.get_table_description(cursor, "b")
        assert [introspection.get_field_type(field.type_code, field) for field in fields] == [
            "BigAutoField", "BigIntegerField", "CharField", "DecimalField",
        ]  # fmt: skip
        assert [field.null_ok for field in fields] == [False, True, True, True]
        assert (fields[2].display_size, fields[2].default, fields[3].precision, fields[3].scale, fields[1].comment) == (30, "'x'", 8, 2, "c")
        assert introspection.get_relations(cursor, "b") == {"a_id": ("id", "a")}
        assert introspection.get_sequences(cursor, "b") == [{"table": "b", "column": "id"}]
        constraints = introspection.get_constraints(cursor, "b")
        assert introspection.get_primary_key_columns(cursor, "b") == ["id"]
    assert set(constraints) == {"b_pkey", "b_a_fk", "b_word", "b_check", "b_recent"}
    assert constraints["b_a_fk"]["foreign_key"] == ("a", "id") and constraints["b_word"]["unique"] and constraints["b_check"]["check"]
    assert constraints["b_recent"]["orders"] == ["ASC", "DESC"] and constraints["b_recent"]["type"] == "idx"


class TestEmbedded:
    @pytest.fixture(autouse=True)
    def started(self, monkeypatch):
        calls = []

        def ensure_running(project_dir=None):
            calls.append(project_dir)
            return "mongodb://%2Fx%2Fm.sock/?replicaSet=djongo&directConnection=true"

        monkeypatch.setattr(embedded, "ensure_running", ensure_running)
        monkeypatch.setattr(base, "_listens_on_localhost", lambda: False)
        return calls

    def test_started_without_a_host_in_debug(self, make_connection, started):
        with override_settings(DEBUG=True, BASE_DIR="/site"):
            params = make_connection(HOST="").get_connection_params()
        assert params["uri"] == "mongodb://%2Fx%2Fm.sock/shop?replicaSet=djongo&directConnection=true&appName=djongo"
        assert started == ["/site"]

    @pytest.mark.parametrize("settings", [{"HOST": "db"}, {"HOST": "", "PORT": 27018}, {"HOST": "", "CLIENT": {"host": "db"}}])
    def test_a_configured_host_is_never_replaced(self, make_connection, started, settings):
        with override_settings(DEBUG=True):
            assert "m.sock" not in make_connection(**settings).get_connection_params()["uri"]
        assert started == []

    def test_not_in_production(self, make_connection, started):
        with override_settings(DEBUG=False):
            assert make_connection(HOST="").get_connection_params()["uri"] == "mongodb://localhost/shop?appName=djongo"
        assert started == []

    def test_not_where_something_listens(self, make_connection, started, monkeypatch):
        monkeypatch.setattr(base, "_listens_on_localhost", lambda: True)
        with override_settings(DEBUG=True):
            assert "localhost" in make_connection(HOST="").get_connection_params()["uri"]
        assert started == []

    def test_not_for_a_wrong_entry(self, make_connection, started):
        with override_settings(DEBUG=True), pytest.raises(ImproperlyConfigured):
            make_connection(HOST="", NAME="").get_connection_params()
        assert started == []

    def test_debug_counts_as_the_settings_have_it_while_tests_run(self, make_connection, started):
        from django.test.utils import setup_test_environment, teardown_test_environment

        with override_settings(DEBUG=True):
            setup_test_environment(debug=False)
            try:
                assert "m.sock" in make_connection(HOST="").get_connection_params()["uri"]
            finally:
                teardown_test_environment()


def test_logging_shows_statements(make_connection):
    records = []

    class Handler(logging.Handler):
        def emit(self, record):
            records.append(record.getMessage())

    logger = logging.getLogger("djongo")
    try:
        wrapper = make_connection(LOGGING={"version": 1, "loggers": {"djongo": {"level": "DEBUG", "propagate": False}}})
        wrapper.ensure_connection()
        logger.addHandler(handler := Handler())
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT %s", ["x"])
            assert cursor.fetchall() == []
        assert records == ["sql_command: SELECT %s\nparams: ['x']"]
        logger.removeHandler(handler)
    finally:
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


@pytest.mark.parametrize("config, words", [(["x"], "dictionary"), ({"handlers": {"h": {"class": "no.such"}}}, "dictConfig")])
def test_wrong_logging(make_connection, config, words):
    with pytest.raises(ImproperlyConfigured, match=f"'LOGGING'.*{words}"):
        make_connection(LOGGING=config).ensure_connection()


def test_shell(make_connection, monkeypatch):
    from djongo.client import DatabaseClient

    assert DatabaseClient.settings_to_cmd_args_env({"NAME": "x", "HOST": "db"}, ["-c", "SELECT 1"]) == (
        ["sqm", "mongodb://db/x?appName=djongo", "-d", "x", "-c", "SELECT 1"],
        None,
    )
    args, env = DatabaseClient.settings_to_cmd_args_env({"NAME": "x", "HOST": "db", "USER": "u", "PASSWORD": "pw"}, [])
    assert args == ["sqm", "-d", "x"] and env["SQM_URI"].startswith("mongodb://u:pw@db/x")


def test_test_databases(make_connection, monkeypatch):
    catalogue = {}
    statements = []

    def connect(**kwargs):
        made = real(**kwargs)
        made.catalogue = catalogue.get(kwargs["database"], {})
        made.statements = statements
        return made

    real = djongo._sqm.connect
    monkeypatch.setattr(djongo._sqm, "connect", connect)
    creation = make_connection(NAME="", HOST="mongodb://db/shop").creation
    assert creation._create_test_db(0, autoclobber=True) == "test_shop"
    assert statements == [('CREATE DATABASE "test_shop"', None)]
    # One that is there is not overwritten without a word; keepdb keeps it.
    catalogue["test_shop"] = CATALOGUE
    statements.clear()
    creation._create_test_db(0, autoclobber=True, keepdb=True)
    assert statements == []
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    with pytest.raises(SystemExit):
        creation._create_test_db(0, autoclobber=False)
    creation._destroy_test_db("test_shop", 0)
    assert statements == [('DROP DATABASE "test_shop"', None)]


def test_pep_249_names_of_1_3():
    from djongo import database, exceptions, models

    assert database.IntegrityError is exceptions.IntegrityError is djongo.IntegrityError
    assert exceptions.SQLDecodeError is exceptions.ProgrammingError
    assert models.CharField.__module__.startswith("django.db.models")
    with pytest.raises(AttributeError):
        djongo.nothing
    assert connections["default"].vendor == "djongo"


def test_the_package_tells_the_version_of_its_build():
    meson = (pathlib.Path(djongo.__file__).parents[1] / "meson.build").read_text()
    assert f"version: '{djongo.__version__}'" in meson


def test_dbshell_opens_the_shell_of_its_own_environment(monkeypatch, tmp_path):
    given = connection_settings({"ENGINE": "djongo", "NAME": "x", "HOST": "db"})
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    assert DatabaseClient._arguments(given, ())[0][0] == "sqm"
    (tmp_path / "sqm").touch(mode=0o755)
    assert DatabaseClient._arguments(given, ())[0][0] == str(tmp_path / "sqm")
