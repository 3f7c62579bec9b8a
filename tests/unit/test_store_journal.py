import os
import stat
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, inspect, text
from tests.databases import database_url

from sangam.store.database import Database
from sangam.store.journal import open_journal_database
from sangam.store.journal_migrations import VERSION_TABLE
from sangam.store.paper_tables import metadata


def test_the_steps_lead_to_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    database = open_journal_database(tmp_path, database_url(tmp_path))
    with database.begin() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    database.close()


def test_the_house_and_the_journal_keep_their_own_histories(tmp_path: Path) -> None:
    """In PostgreSQL they share a schema; in the home folder each has its file. Either may be opened first and again."""
    url = database_url(tmp_path)
    for _ in range(2):
        journal, house = open_journal_database(tmp_path, url), Database(url)
        with house.begin() as connection:
            tables = set(inspect(connection).get_table_names())
            assert {"users", "alembic_version"} <= tables
            assert ("orders" in tables) == url.startswith("postgresql")
        with journal.begin() as connection:
            assert {"orders", "order_events", "order_acts", VERSION_TABLE} <= set(inspect(connection).get_table_names())
        journal.close()
        house.close()
    assert (tmp_path / "journal.db").exists() == url.startswith("sqlite")


def test_every_commit_is_forced_to_the_disk(tmp_path: Path) -> None:
    """Read back on live connections, also after a rollback on them."""
    database = open_journal_database(tmp_path, database_url(tmp_path))
    sqlite = database.engine.dialect.name == "sqlite"
    asked = text("PRAGMA synchronous" if sqlite else "SHOW synchronous_commit")
    with database.connect() as connection:
        for _ in range(2):
            with connection.begin() as transaction:
                assert connection.execute(asked).scalar() == (2 if sqlite else "on")
                transaction.rollback()
        if sqlite:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert connection.execute(text("PRAGMA fullfsync")).scalar() == 1
    database.close()


def test_a_role_that_does_not_wait_for_the_disk_is_overruled(tmp_path: Path) -> None:
    url = database_url(tmp_path)
    if url.startswith("sqlite"):
        pytest.skip("a setting of PostgreSQL")
    database = open_journal_database(tmp_path, url.replace("?options=", "?options=-csynchronous_commit%3Doff%20"))
    with database.connect() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
    database.close()


def test_a_server_that_vanishes_is_given_up_within_seconds(tmp_path: Path) -> None:
    url = database_url(tmp_path)
    if url.startswith("sqlite"):
        pytest.skip("a setting of PostgreSQL")
    database = open_journal_database(tmp_path, url + "&connect_timeout=7")
    seen: list[dict[str, Any]] = []
    event.listen(database.engine, "do_connect", lambda dialect, record, args, kwargs: seen.append(kwargs))
    with database.begin(), database.connect():
        assert seen[0]["tcp_user_timeout"] == "5000"
        assert seen[0]["connect_timeout"] == "7", "the URL may say otherwise"
    database.close()


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_the_file_is_private(tmp_path: Path) -> None:
    database = open_journal_database(tmp_path, "")
    database.close()
    assert stat.S_IMODE((tmp_path / "journal.db").stat().st_mode) == 0o600
