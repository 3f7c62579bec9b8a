"""What holds for all tests: property tests are judged by what they find, not by how fast a busy machine is; tests of
rooms that use the database run on SQLite and on PostgreSQL; workers share the work so that none is left with it."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from tests.databases import on_postgres
from tests.sharing import Sharing
from xdist.remote import Producer

from sangam.logs import redactor

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
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test calls a secret may be a word of another's."""
    monkeypatch.setattr(redactor, "_secrets", set(redactor._secrets))
    monkeypatch.setattr(redactor, "_known", redactor._known)


@pytest.fixture(autouse=True)
def backend(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where the homes of a test keep their tables. Every test has it, else pytest would set it up for none."""
    if getattr(request, "param", "sqlite") == "postgresql":
        with on_postgres():
            yield
    else:
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two more than processors: tests wait as much as they work."""
    return len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)) + 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing | None:
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return Sharing(config, log)
