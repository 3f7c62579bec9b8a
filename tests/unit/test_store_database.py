import os
import stat
import traceback
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError
from tests.databases import database_url

from sangam.model.errors import ConfigError, StoreError
from sangam.store.database import Database
from sangam.store.migrations import FIRST, upgrade
from sangam.store.tables import accounts, metadata, users, vault


def test_rows_survive_a_reopening_and_faults_roll_back(tmp_path: Path) -> None:
    url = database_url(tmp_path)
    database = Database(url)
    with database.begin() as connection:
        connection.execute(insert(users).values(name="asha", created_at=1))
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(insert(users), [{"name": "ravi", "created_at": 2}, {"name": "asha", "created_at": 3}])
    database.close()
    again = Database(url)
    with again.begin() as connection:
        assert connection.execute(select(users.c.name)).scalars().all() == ["asha"]
    again.close()


def test_a_database_that_takes_nothing_more_says_so_without_the_values(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{(tmp_path / 'sangam.db').as_posix()}")
    blob = {"name": "x", "value": b"planted-secret" * 100_000}

    def fill() -> None:
        with database.begin() as connection:
            connection.execute(text("PRAGMA max_page_count=50"))
            connection.execute(insert(vault).values(blob))

    with pytest.raises(StoreError, match="did not take it: database or disk is full") as caught:
        fill()
    trouble = "".join(traceback.format_exception(caught.value))
    assert "planted" not in trouble
    with database.begin() as connection:
        assert connection.execute(select(vault.c.name)).all() == []
    database.close()


def test_references_are_kept(tmp_path: Path) -> None:
    database = Database(database_url(tmp_path))
    row = {"id": "x", "user": "nobody", "broker": "b", "secrets": b"", "hosts": {}, "created_at": 1}
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(insert(accounts).values(row))
    database.close()


def test_the_steps_lead_to_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    database = Database(database_url(tmp_path))
    with database.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_a_database_from_before_the_steps_is_taken_over_with_its_rows(tmp_path: Path) -> None:
    url = database_url(tmp_path)
    engine = create_engine(url)
    with engine.begin() as connection:
        upgrade(connection, FIRST)
        connection.execute(text("INSERT INTO users (name, created_at) VALUES ('asha', 1)"))
        connection.execute(text("DROP TABLE alembic_version"))
    engine.dispose()
    again = Database(url)
    with again.begin() as connection:
        assert inspect(connection).has_table("alembic_version")
        assert connection.execute(select(users.c.name)).scalars().all() == ["asha"]
    again.close()


def test_a_step_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    url = database_url(tmp_path)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE vault (name VARCHAR(16))"))  # in the way of the first step
    with pytest.raises(ConfigError, match="cannot be opened"):
        Database(url)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["vault"]
    engine.dispose()


def test_sqlite_uses_wal_in_a_private_file(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/deep/sangam.db")
    with database.begin() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    database.close()
    if os.name != "nt":
        assert stat.S_IMODE((tmp_path / "deep" / "sangam.db").stat().st_mode) == 0o600


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "sangam.db").write_text("this is certainly not a database file" * 100)
    with pytest.raises(ConfigError, match="not a database"):
        Database(f"sqlite:///{tmp_path}/sangam.db")


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    with pytest.raises(ConfigError, match="cannot be opened") as caught:
        Database("postgresql+psycopg://user:planted@127.0.0.1:1/sangam?connect_timeout=2")
    assert "planted" not in str(caught.value)


def test_a_missing_driver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"pip install 'sangam\[postgres\]'"):
        Database("postgresql+psycopg://user:planted@localhost/sangam")
