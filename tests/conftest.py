"""What holds for all tests: property tests are judged by what they find, not by how fast a busy machine is; tests of
rooms that use the database run on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from tests.databases import on_postgres

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("house")

_ON_BOTH = (
    "test_accounts_",
    "test_store_database",
    "test_store_journal",
    "test_store_writer",
    "test_orders_journal",
    "test_paper_executor",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".")[2].startswith(_ON_BOTH):
        metafunc.parametrize("backend", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def backend(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where the homes of a test keep their tables. Every test has it, else pytest would set it up for none."""
    if getattr(request, "param", "sqlite") == "postgresql":
        with on_postgres():
            yield
    else:
        yield
