"""What the database can do, told to Django and to its tests. Each flag says what is true of the dialect and of MongoDB below it;
the ledger at the end names, by reason, the tests of Django's own suite that can't pass."""

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
    has_select_for_update = True
    has_select_for_update_nowait = True
    has_select_for_update_of = True
    has_select_for_no_key_update = True
    # MongoDB tells of a lock only by failing.
    has_select_for_update_skip_locked = False
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
    # Written as AND and OR of columns, which MongoDB's indexes can answer.
    supports_tuple_comparison_against_subquery = False
    supports_tuple_lookups = False
    supports_unspecified_pk = True
    supports_update_conflicts = True
    supports_update_conflicts_with_target = True
    supported_explain_formats = {"JSON", "TEXT"}

    # --- types
    has_json_operators = True
    has_native_duration_field = True
    has_native_json_field = True
    has_native_uuid_field = True
    has_real_datatype = True
    json_key_contains_list_matching_requires_list = True
    # Text compares by code point: "C" is the one collation there is.
    supports_non_deterministic_collations = False
    test_collations = {"ci": None, "cs": "C", "deterministic": "C", "non_default": "C", "swedish_ci": None, "virtual": None}
    supports_unlimited_charfield = True
    # BSON dates count milliseconds.
    time_cast_precision = 3

    # --- schema
    can_rename_index = True
    can_rollback_ddl = False
    # A test database is dropped by a connection to another one, and cloned by the server.
    can_clone_databases = True
    schema_editor_uses_clientside_param_binding = True
    supports_combined_alters = False
    supports_comments = True
    supports_covering_indexes = True
    supports_deferrable_unique_constraints = False
    supports_expression_indexes = False
    supports_functions_in_partial_indexes = False
    supports_nulls_distinct_unique_constraints = True
    insert_test_table_with_defaults = "INSERT INTO {} DEFAULT VALUES"

    # --- constraints and transactions
    closed_cursor_error_class = InterfaceError
    # Foreign keys are declared and introspected; DatabaseWrapper.check_constraints() checks them, when asked: as if all of them were
    # deferred. Nothing needs to be set to NULL before a delete.
    supports_foreign_keys = True
    can_defer_constraint_checks = True
    can_release_savepoints = True
    test_now_utc_template = "STATEMENT_TIMESTAMP()"
    prohibits_null_characters_in_text_exception = DataError, "parameter 1: text cannot contain a NUL"

    @cached_property
    def supports_transactions(self):
        """A replica set or a sharded cluster has them, a standalone server hasn't."""
        self.connection.ensure_connection()
        return bool(self.connection.connection.has_transactions)

    @property
    def uses_savepoints(self):
        return self.supports_transactions

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

    django_test_skips = {
        "MongoDB stores milliseconds, these tests store microseconds.": {
            "basic.tests.ModelTest.test_microsecond_precision",
        },
        "Foreign keys aren't enforced when a row is written, only by check_constraints().": set(),
        "Schema changes are no part of transactions in MongoDB.": set(),
    }
