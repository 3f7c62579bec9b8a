"""Durable writes without waiting on the loop: one thread commits what waits together."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable

from .database import Database

Statement = tuple[Executable, Mapping[str, Any] | Sequence[Mapping[str, Any]]]
"""A statement (insert, update, delete) and its row or rows."""


class Writer:
    """One per database file."""

    def __init__(self, database: Database) -> None:
        raise NotImplementedError

    @property
    def trouble(self) -> str:
        """Why the last commit failed, while nothing could be committed since; empty when all is well."""
        raise NotImplementedError

    def put(self, *statements: Statement, keep: bool = False) -> asyncio.Future[None]:
        """Queue statements, which commit together and in the order of the calls. The future is done when they are
        durable (fsync) or raises StoreError.

        Statements that fail are forgotten; with `keep` they are facts: they are tried again until they are durable."""
        raise NotImplementedError

    async def close(self) -> None:
        """Commit what waits."""
        raise NotImplementedError
