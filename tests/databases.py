"""Databases for tests: SQLite in the test's folder, and a schema of its own in PostgreSQL where that is reachable.

A test says nothing about it: those of the rooms that use the database run on both (see conftest.py)."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

SERVER = os.environ.get("SANGAM_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")

_schemas: set[str] | None = None
"""The schemas of the running test; None while tests run on SQLite."""


def database_url(folder: Path) -> str:
    """The database of a home folder: the same one whenever it is asked for in one test."""
    if _schemas is None:
        return f"sqlite:///{(folder / 'sangam.db').as_posix()}"
    name = "sangam_" + hashlib.sha256(f"{os.getpid()} {folder}".encode()).hexdigest()[:16]
    if name not in _schemas:
        _schemas.add(name)
        _tell(f"CREATE SCHEMA {name}")
    return f"{SERVER}?options=-csearch_path%3D{name}"


@contextmanager
def on_postgres() -> Iterator[None]:
    """Homes opened meanwhile live in PostgreSQL; afterwards nothing of them is left, their connections included.
    Skips where there is none."""
    global _schemas  # noqa: PLW0603 - what runs inside asks by a plain function
    try:
        _tell("SELECT 1")
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        pytest.skip(f"PostgreSQL is not reachable: {type(error).__name__}")
    _schemas = set()
    opened: list[Any] = []

    def note(connection: Any, record: Any) -> None:
        opened.append(connection)

    event.listen(Engine, "connect", note)
    try:
        yield
    finally:
        event.remove(Engine, "connect", note)
        for connection in opened:
            connection.close()
        for name in _schemas:
            _tell(f"DROP SCHEMA {name} CASCADE")
        _schemas = None


def _tell(sql: str) -> None:
    engine = create_engine(SERVER, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    try:
        with engine.connect() as connection:
            connection.execute(text(sql))
    finally:
        engine.dispose()
