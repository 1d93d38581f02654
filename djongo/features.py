"""What the database can do, told to Django and to its tests. Each flag says what is true of the dialect and of MongoDB below it;
the ledger at the end names, by reason, the tests of Django's own suite that can't pass."""

import django
from django.db.backends.base.features import BaseDatabaseFeatures
from django.db.utils import DataError, InterfaceError
from django.utils.functional import cached_property


class DatabaseFeatures(BaseDatabaseFeatures):
    # What the test-suite runs on; the dialect needs 5.0's $dateTrunc and 6.0's partial indexes with $in and $or.
    minimum_database_version = (6, 0)

    # --- reading and writing
    allows_group_by_selected_pks = True
    allow_sliced_subqueries_with_in = True
    can_distinct_on_fields = True
    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    can_return_rows_from_update = True
    greatest_least_ignores_nulls = True
    # Of one INSERT or one list of keys: enough to make the round trip cheap, few enough to keep statement and message small.
    max_query_params = 30_000
    has_select_for_update = True
    has_select_for_update_nowait = True
    has_select_for_update_of = True
    has_select_for_no_key_update = True
    has_select_for_update_skip_locked = True
    # MongoDB's index order: NULL is the smallest value.
    nulls_order_largest = False
    order_by_nulls_first = True
    supports_aggregate_filter_clause = True
    supports_aggregate_order_by_clause = True
    supports_any_value = True
    supports_over_clause = True
    supports_frame_exclusion = True
    supports_frame_range_fixed_distance = True
    supports_slicing_ordering_in_compound = True
    supports_temporal_subtraction = True
    supports_unspecified_pk = True
    supports_update_conflicts = True
    supports_update_conflicts_with_target = True
    supported_explain_formats = {"JSON", "TEXT"}
    # create_test_procedure_*_sql stay None: MongoDB runs no stored procedures.

    # --- types
    has_json_operators = True
    has_native_boolean_field = True
    has_native_duration_field = True
    has_native_json_field = True
    has_native_uuid_field = True
    has_real_datatype = True
    json_key_contains_list_matching_requires_list = True
    # Text compares by code point, under "C" as by default, or by those of casefold(text). No language has an order of its own.
    supports_non_deterministic_collations = True
    test_collations = {"ci": "case_insensitive", "cs": "C", "deterministic": "C", "non_default": "C", "swedish_ci": None, "virtual": "C"}
    supports_no_precision_decimalfield = True
    supports_unlimited_charfield = True
    supports_uuid4_function = True
    supports_uuid4_function_in_default = True
    supports_uuid7_function = True
    supports_uuid7_function_shift = True
    # BSON dates count milliseconds.
    time_cast_precision = 3

    # --- schema
    can_rename_index = True
    # In a transaction MongoDB creates collections and indexes at best, and drops or renames nothing.
    can_rollback_ddl = False
    # Its views are computed when they are read; what $merge writes is a table.
    can_introspect_materialized_views = False
    # A test database is dropped by a connection to another one, and cloned by the server.
    can_clone_databases = True
    schema_editor_uses_clientside_param_binding = True
    # Each action is a step of its own that is resumed or undone alone.
    supports_combined_alters = False
    # Unique indexes are checked at every write.
    supports_deferrable_unique_constraints = False
    # Where files lie is the server's configuration.
    supports_tablespaces = False
    supports_comments = True
    supports_covering_indexes = True
    supports_stored_generated_columns = True
    supports_virtual_generated_columns = True
    supports_nulls_distinct_unique_constraints = True
    insert_test_table_with_defaults = "INSERT INTO {} DEFAULT VALUES"

    # --- constraints and transactions
    closed_cursor_error_class = InterfaceError
    # The core checks them when the transaction ends, as if all were deferred; DatabaseWrapper.check_constraints() does when asked.
    supports_foreign_keys = True
    can_defer_constraint_checks = True
    can_release_savepoints = True
    # Without transactions a savepoint only groups, as atomic() does (DatabaseWrapper._savepoint_rollback): not asked of the server on import.
    uses_savepoints = True
    test_now_utc_template = "STATEMENT_TIMESTAMP()"
    prohibits_null_characters_in_text_exception = DataError, "parameter 1: text cannot contain a NUL"

    @cached_property
    def supports_transactions(self):
        """A replica set or a sharded cluster has them, a standalone server hasn't."""
        self.connection.ensure_connection()
        return bool(self.connection.connection.has_transactions)

    @cached_property
    def introspected_field_types(self):
        return {
            **super().introspected_field_types,
            "GenericIPAddressField": "CharField",
            "PositiveBigIntegerField": "BigIntegerField",
            "PositiveIntegerField": "IntegerField",
            "PositiveSmallIntegerField": "SmallIntegerField",
        }

    # --- the ledger: tests of Django's suite that this database can't pass, by reason
    django_test_expected_failures = set()

    # Tests that Django skips here by a flag above and runs on SQLite: the limit of MongoDB that the flag stands for.
    django_test_feature_skips = {
        "can_rollback_ddl": "MongoDB has no DDL in transactions.",
    }
    # The same, of tests that look for themselves: by the text they give.
    django_test_own_skips = {}

    # The same, where SQLite is the odd one: PostgreSQL has the flag as it is here.
    django_test_sqlite_quirks = {
        "atomic_transactions": "a failed statement fails its transaction",
        "ignores_table_name_case": "names of tables keep their case",
    }

    # What else a test may say that Django skips here for what the database is, by its text.
    django_test_not_here = {
        "This test is only supported on the built-in database backends.": "it asks by vendor; index names have no prefix here",
        "This defensive test only works on databases that don't validate parameter types": "parameters have types here, as in PostgreSQL",
    }

    django_test_skips = {
        "MongoDB stores milliseconds, these tests compare microseconds.": {
            "basic.tests.ModelRefreshTests.test_refresh_unsaved",
            "basic.tests.ModelRefreshTests.test_refresh_with_related",
            "basic.tests.ModelTest.test_microsecond_precision",
            "composite_pk.test_get.CompositePKGetTests.test_get_previous_by_field",
            "db_functions.comparison.test_cast.CastTests.test_cast_from_db_datetime_to_time",
            "db_functions.comparison.test_greatest.GreatestTests.test_basic",
            "db_functions.comparison.test_greatest.GreatestTests.test_coalesce_workaround",
            "db_functions.comparison.test_greatest.GreatestTests.test_ignores_null",
            "db_functions.comparison.test_least.LeastTests.test_basic",
            "db_functions.comparison.test_least.LeastTests.test_coalesce_workaround",
            "db_functions.comparison.test_least.LeastTests.test_ignores_null",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_extract_day_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_extract_duration",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_extract_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_extract_hour_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_extract_iso_weekday_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_extract_iso_year_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_extract_minute_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_extract_month_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_extract_quarter_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_extract_second_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_extract_week_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_extract_weekday_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_extract_year_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_date_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_day_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_hour_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_lookup_name_sql_injection",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_minute_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_month_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_quarter_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_second_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_time_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_week",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_week_before_1000",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_week_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionTests.test_trunc_year_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_extract_day_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_extract_duration",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_extract_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_extract_hour_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_extract_iso_weekday_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_extract_iso_year_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_extract_minute_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_extract_month_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_extract_quarter_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_extract_second_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_extract_week_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_extract_weekday_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_extract_year_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_date_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_day_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_func_with_timezone",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_hour_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_lookup_name_sql_injection",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_minute_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_month_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_quarter_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_second_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_time_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_timezone_applied_before_truncation",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_week",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_week_before_1000",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_week_func",
            "db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests.test_trunc_year_func",
            "expressions.tests.FTimeDeltaTests.test_datetime_subtraction_microseconds",
            "expressions.tests.FTimeDeltaTests.test_negative_timedelta_update",
            "expressions.tests.FTimeDeltaTests.test_time_subtraction",
            "field_defaults.tests.DefaultTests.test_bulk_create_all_db_defaults_one_field",
            "queries.tests.Queries4Tests.test_filter_reverse_non_integer_pk",
            "queryset_pickle.tests.PickleabilityTestCase.test_annotation_values",
            "timezones.tests.LegacyDatabaseTests.test_aware_datetime_in_local_timezone_with_microsecond",
            "timezones.tests.LegacyDatabaseTests.test_naive_datetime_with_microsecond",
            "timezones.tests.NewDatabaseTests.test_aware_datetime_in_local_timezone_with_microsecond",
            "timezones.tests.NewDatabaseTests.test_naive_datetime_with_microsecond",
        },
    }

    if django.VERSION >= (6,):  # its admin shows the microseconds of the moments that these tests create
        django_test_skips["MongoDB stores milliseconds, these tests compare microseconds."] |= {
            "timezones.tests.AdminTests.test_change_readonly",
            "timezones.tests.AdminTests.test_change_readonly_in_other_timezone",
        }
