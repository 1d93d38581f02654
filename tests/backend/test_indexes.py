"""djongo.models.indexes and CollectionConstraint on a server: the tests of the app `native` next door."""

from test_server import manage  # noqa: F401


def test_native_indexes(manage):  # noqa: F811
    status, output = manage("test", "native", "--noinput")
    assert status == 0, output
