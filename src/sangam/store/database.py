"""One door to the database: SQLite in the home folder, or what `DATABASE_URL` names.

Calls are short and synchronous: the tables are small, and one process owns them."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import NoSuchModuleError, OperationalError, SQLAlchemyError

from sangam.model.errors import ConfigError, StoreError

from .migrations import upgrade


class Database:
    """Opens the database and brings its tables up to date. Raises ConfigError where it cannot be reached."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        shown = parsed.render_as_string(hide_password=True)
        file = parsed.database if parsed.get_backend_name() == "sqlite" else None
        try:
            if file and file != ":memory:":
                Path(file).parent.mkdir(parents=True, exist_ok=True)
                Path(file).touch(mode=0o600)
            self._engine = create_engine(parsed, pool_pre_ping=file is None, hide_parameters=True)
            if parsed.get_backend_name() == "sqlite":
                event.listen(self._engine, "connect", _tune_sqlite)
                event.listen(self._engine, "begin", _begin_sqlite)
            with self._engine.begin() as connection:
                upgrade(connection)
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            raise ConfigError(
                f"DATABASE_URL {shown} needs a driver: pip install 'sangam[postgres]' ({error})."
            ) from error
        except (SQLAlchemyError, OSError) as error:
            cause = getattr(error, "orig", None) or error
            raise ConfigError(f"The database {shown} cannot be opened: {cause}. Check DATABASE_URL.") from error

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction: committed at the end, rolled back by an exception. Raises StoreError."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise StoreError(
                f"The database did not take it: {error.orig}. Free some space, or bring it back, and look before you "
                "repeat."
            ) from error

    def close(self) -> None:
        self._engine.dispose()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _tune_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    """Readers never wait for the writer; a committed row survives a crash of the process.

    Transactions are begun by us: left to itself the driver commits before every change of a table."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")
