"""One door to the database: SQLite in the home folder, or what `DATABASE_URL` names.

Calls are short and synchronous: the tables are small, and one process owns them."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import NoSuchModuleError, OperationalError, SQLAlchemyError

from sangam.model.errors import ConfigError, StoreError

from .migrations import upgrade


class Database:
    """Opens the database and brings its tables up to date. Raises ConfigError where it cannot be reached.

    `history` takes the tables to their newest step. `durable`: what was committed outlives a loss of power, and a
    server that went away is noticed within seconds."""

    def __init__(self, url: str, history: Callable[[Connection], None] = upgrade, *, durable: bool = False) -> None:
        parsed = make_url(url)
        shown = parsed.render_as_string(hide_password=True)
        file = parsed.database if parsed.get_backend_name() == "sqlite" else None
        try:
            if file and file != ":memory:":
                Path(file).parent.mkdir(parents=True, exist_ok=True)
                Path(file).touch(mode=0o600)
            arguments = {**_NOTICED, **parsed.query} if durable and parsed.get_backend_name() == "postgresql" else {}
            self._engine = create_engine(
                parsed, pool_pre_ping=file is None, hide_parameters=True, connect_args=arguments
            )
            if parsed.get_backend_name() == "sqlite":
                event.listen(self._engine, "connect", _tune_sqlite)
                event.listen(self._engine, "begin", _begin_sqlite)
            if durable:
                event.listen(self._engine, "connect", _FORCE[parsed.get_backend_name()])
            with self._engine.begin() as connection:
                history(connection)
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
            raise not_taken(error) from error

    def connect(self) -> Connection:
        """A connection for the thread that asks, which begins transactions and closes it. Raises SQLAlchemyError."""
        return self._engine.connect()

    @property
    def engine(self) -> Engine:
        """For those who listen to what happens on its connections."""
        return self._engine

    def close(self) -> None:
        self._engine.dispose()


def not_taken(error: Exception) -> StoreError:
    """What is told of a database that takes nothing now."""
    cause = " ".join(str(getattr(error, "orig", None) or error).split())
    return StoreError(
        f"The database did not take it: {cause}. Free some space, or bring it back, and look before you repeat."
    )


_NOTICED = {
    "connect_timeout": "3",
    "tcp_user_timeout": "5000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
}
"""A PostgreSQL that vanished without a word is given up within seconds; the URL may say otherwise."""


def _force_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    """On macOS the disk keeps what it was told in its own memory unless it is told more (SQLite: PRAGMA fullfsync)."""
    for pragma in ("synchronous=FULL", "fullfsync=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _force_postgresql(connection: Any, record: Any) -> None:
    """Every commit waits for the disk; a server or role that is set to wait for more keeps that."""
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    connection.commit()  # else a rollback would take the setting back


_FORCE: dict[str, Callable[[Any, Any], None]] = {"sqlite": _force_sqlite, "postgresql": _force_postgresql}


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _tune_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    """Readers never wait for the writer; a committed row survives a crash of the process.

    Transactions are begun by us: left to itself the driver commits before every change of a table."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")
