"""Durable writes without waiting on the loop: one thread commits what waits together."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from sangam.model.errors import StoreError
from sangam.model.histogram import STAGE_BOUNDS, Histogram

from .database import Database, not_taken

log = logging.getLogger("sangam.store")

Statement = tuple[Executable, Mapping[str, Any] | Sequence[Mapping[str, Any]]]
"""A statement (insert, update, delete) and its row or rows."""

_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_LINGER = 0.005
"""Seconds that statements may wait for company where nobody waits for them alone."""


class RowRefused(StoreError):
    """The database keeps a rule that this row breaks: it stands already, or holds what no column takes."""


class InDoubtCommit(StoreError):
    """The connection broke while it committed: the rows may be there."""


class _Group:
    """The statements of one call, and who waits for them."""

    __slots__ = ("future", "keep", "loop", "statements")

    def __init__(self, statements: Sequence[Statement], keep: bool, loop: asyncio.AbstractEventLoop) -> None:
        self.statements = statements
        self.keep = keep
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()


_Outcome = tuple[_Group, StoreError | None]


class Writer:
    """One per database file."""

    def __init__(self, database: Database) -> None:
        self.committed = Histogram(STAGE_BOUNDS)
        """How long the database took to make each batch durable."""
        self._database = database
        self._connection: Connection | None = None
        self._condition = threading.Condition()
        self._waiting: list[_Group] = []
        self._kept: list[_Group] = []
        self._trouble = ""
        self._ends: float | None = None  # when closing gives up
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str:
        """Why the last commit failed, while nothing could be committed since; empty when all is well."""
        return self._trouble

    def put(self, *statements: Statement, keep: bool = False, linger: bool = False) -> asyncio.Future[None]:
        """Queue statements, which commit together and in the order of the calls. The future is done when they are
        durable (fsync) or raises StoreError.

        With `linger` they wait a moment for what comes next, so that both cost one flush.

        Statements that fail are forgotten; with `keep` they are facts: they are tried again until they are durable.
        Only where the database refuses the row itself a fact fails too (RowRefused), and is logged.

        Calls that commit together may run statement by statement: equal ones are joined, and those about one table
        keep their order, so that tables must not refer to each other. What is kept is tried again as it is, after a
        broken connection perhaps a second time: its statements must bear that."""
        group = _Group(statements, keep, asyncio.get_running_loop())
        with self._condition:
            if self._ends is not None:
                _settle([(group, StoreError("The server is shutting down and takes nothing more."))])
            else:
                self._waiting.append(group)
                if not linger:
                    self._condition.notify()
        if linger:
            group.loop.call_later(_LINGER, self._wake)
        return group.future

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify()

    async def close(self, timeout: float = 5.0) -> None:
        """Commit what waits, within `timeout` seconds; facts that could not be written are logged, row by row."""
        with self._condition:
            self._ends = time.monotonic() + timeout
            self._condition.notify()
        await asyncio.to_thread(self._thread.join, timeout + 1)
        lost = [*self._kept, *self._waiting]  # after a time-out perhaps more than was lost, never less
        for group in lost:
            if group.keep:
                _log_lost(group, self._trouble or "the database did not answer")
        _settle([(group, StoreError(f"Not written before the end: {self._trouble}")) for group in lost])

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = _PAUSE
        while (batch := self._next(pause)) is not None:
            if not batch:
                continue
            outcomes: list[_Outcome]
            began = time.monotonic()
            try:
                outcomes = self._commit(batch)
            except Exception as error:  # noqa: BLE001 - a thread that ended would take every later order with it
                outcomes = self._failed(batch, error)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self.committed.add(time.monotonic() - began)
                self._kept = []
                pause = _PAUSE
                if self._trouble:
                    log.warning("the database takes writes again")
                self._trouble = ""
            _tell(outcomes)
        self._forget_connection()

    def _next(self, pause: float) -> list[_Group] | None:
        """What to commit next: facts that failed before come first. None at the end."""
        with self._condition:
            if not self._waiting and self._ends is None:
                self._condition.wait(pause if self._kept else None)
            if self._ends is not None and not self._waiting:
                if not self._kept or time.monotonic() >= self._ends:
                    return None
                self._condition.wait(min(pause, max(0.0, self._ends - time.monotonic())))
            batch = [*self._kept, *self._waiting]
            self._kept, self._waiting = batch, []
            return batch

    def _failed(self, batch: list[_Group], error: Exception) -> list[_Outcome]:
        """The database took nothing: admissions fail, facts stay."""
        told = error if isinstance(error, StoreError) else not_taken(error)
        if not self._trouble:
            log.error("%s", told)
        self._trouble = str(told)
        self._kept = [group for group in batch if group.keep]
        return [(group, told) for group in batch if not group.keep]

    def _commit(self, batch: list[_Group]) -> list[_Outcome]:
        """All at once; where one of them is refused, one by one. Raises where the database takes nothing."""
        try:
            self._transact([group.statements for group in batch])
        except Exception as error:
            if not _of_a_row(error):
                raise
        else:
            return [(group, None) for group in batch]
        return self._commit_each(batch)

    def _transact(self, groups: Sequence[Sequence[Statement]]) -> None:
        transaction = self._open().begin()
        try:
            for statement, rows in joined(groups):
                self._open().execute(statement, rows)
        except BaseException:
            self._undo(transaction)
            raise
        self._finish(transaction)

    def _commit_each(self, batch: list[_Group]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        connection = self._open()
        transaction = connection.begin()
        try:
            for group in batch:
                outcomes.append((group, self._try(connection, group)))
        except BaseException:
            self._undo(transaction)
            raise
        self._finish(transaction)
        for group, error in outcomes:
            if error is not None and group.keep:
                _log_lost(group, str(error))
        return outcomes

    def _try(self, connection: Connection, group: _Group) -> StoreError | None:
        try:
            with connection.begin_nested():
                for statement, rows in joined([group.statements]):
                    connection.execute(statement, rows)
        except Exception as error:
            if not _of_a_row(error):
                raise
            cause = " ".join(str(getattr(error, "orig", None) or error).split())
            return RowRefused(f"The database refused it: {cause}.")
        return None

    def _finish(self, transaction: Any) -> None:
        try:
            transaction.commit()
        except BaseException as error:
            self._undo(transaction)
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise InDoubtCommit(str(not_taken(error))) from error
            raise

    def _undo(self, transaction: Any) -> None:
        """Whatever state the connection was left in, the next attempt begins anew."""
        try:
            transaction.rollback()
        except SQLAlchemyError:
            self._forget_connection()
        connection = self._connection
        if connection is not None and (connection.invalidated or connection.in_transaction()):
            self._forget_connection()

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._database.connect()
        return self._connection

    def _forget_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except SQLAlchemyError as error:
                log.info("a connection did not close: %s", error)


def joined(groups: Sequence[Sequence[Statement]]) -> Iterator[tuple[Executable, list[Mapping[str, Any]]]]:
    """Statements about one table in their order, equal neighbours as one with many rows."""
    tables: dict[Any, list[tuple[Executable, list[Mapping[str, Any]]]]] = {}
    for group in groups:
        for statement, given in group:
            runs = tables.setdefault(getattr(statement, "table", None), [])
            if not runs or runs[-1][0] is not statement:
                runs.append((statement, []))
            if isinstance(given, Mapping):
                runs[-1][1].append(given)
            else:
                runs[-1][1].extend(given)
    for runs in tables.values():
        yield from runs


def _of_a_row(error: Exception) -> bool:
    """Whether one row is the cause, and not the state of the database."""
    if isinstance(error, DBAPIError):
        return isinstance(error, (IntegrityError, DataError)) and not error.connection_invalidated
    return isinstance(error, StatementError) or not isinstance(error, (SQLAlchemyError, StoreError))


def _tell(outcomes: list[_Outcome]) -> None:
    """Outcomes go to the loops that wait for them, one call each."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].loop, []).append(outcome)
    for loop, told in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, told)
        except RuntimeError:
            log.info("nobody waits any more for %d writes", len(told))  # their loop is closed


def _settle(outcomes: Sequence[_Outcome]) -> None:
    for group, error in outcomes:
        if group.future.done():
            continue
        if error is None:
            group.future.set_result(None)
        else:
            group.future.set_exception(error)
            group.future.exception()  # who awaits it hears it; nobody need


def _log_lost(group: _Group, reason: str) -> None:
    for statement, rows in group.statements:
        log.error("not written (%s): %s %s", reason, getattr(statement, "table", "?"), rows)
