import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from sangam.model.errors import ConfigError
from sangam.store.database import Database
from sangam.store.tables import accounts, users


def test_rows_survive_a_reopening_and_faults_roll_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/deep/sangam.db"
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


def test_sqlite_uses_wal_and_keeps_references(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/sangam.db")
    with database.begin() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    row = {"id": "x", "user": "nobody", "broker": "b", "secrets": b"", "hosts": {}, "created_at": 1}
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(insert(accounts).values(row))
    database.close()
    if os.name != "nt":
        assert stat.S_IMODE((tmp_path / "sangam.db").stat().st_mode) == 0o600


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "sangam.db").write_text("this is certainly not a database file" * 100)
    with pytest.raises(ConfigError, match="not a database"):
        Database(f"sqlite:///{tmp_path}/sangam.db")


def test_a_missing_driver_is_told_without_the_password() -> None:
    with pytest.raises(ConfigError, match="pip install 'psycopg") as caught:
        Database("postgresql+psycopg://user:planted@localhost/sangam")
    assert "planted" not in str(caught.value)
