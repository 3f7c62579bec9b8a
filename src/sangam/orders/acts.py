"""The journal's part for writes that are no placements: modifications, cancels, triggers, conversions."""

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from sangam.model.errors import StoreError
from sangam.model.order import TradingMode
from sangam.store.journal_rows import Known, Rows, Statements, decoded
from sangam.store.writer import Statement, Writer

from .standing import SendTimes


class ActKind(StrEnum):
    MODIFY = "modify"
    CANCEL = "cancel"
    PLACE_GTT = "place_gtt"
    MODIFY_GTT = "modify_gtt"
    CANCEL_GTT = "cancel_gtt"
    CONVERT = "convert"


class ActState(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """A write that is no placement. `order` is our id of the order it is about, empty for GTTs and conversions;
    `content` what was asked; `result` what came of it (a trigger's id)."""

    id: str
    kind: ActKind
    account: str
    user: str
    mode: TradingMode = TradingMode.LIVE
    order: str = ""
    client_order_id: str = ""
    content: Mapping[str, Any] = {}
    state: ActState = ActState.PENDING
    result: str = ""
    reason: str = ""
    created_at: int = 0
    updated_at: int = 0


_AFTER_RESTART = {
    ActState.PENDING: (ActState.DENIED, "The server restarted before this was sent."),
    ActState.SENT: (ActState.UNKNOWN, "The server restarted while this was under way: look at the broker's books."),
}


_CHANGES = (ActState.SENT, ActState.ACCEPTED, ActState.UNKNOWN)


class Acts:
    """Today's acts in memory. Admissions that fail are undone here."""

    def __init__(self, writer: Writer, statements: Statements, times: SendTimes, known: Known) -> None:
        self._writer = writer
        self._statements = statements
        self._times = times
        self._known = known
        self._acts: dict[str, Act] = {}
        self._sent_at: dict[str, int] = {}
        self._clients: dict[tuple[str, str], str] = {}
        self._changes: dict[str, set[str]] = {}

    def restore(self, rows: Rows, since_ms: int, now_ms: int) -> list[Statement]:
        """Read what still matters; returns what the restart makes of what was under way."""
        changed: list[Statement] = []
        for row in rows.standing_acts(tuple(_AFTER_RESTART), since_ms):
            act = decoded(row, Act)
            if act is None:
                continue
            if row["sent_at"]:
                self._sent_at[act.id] = row["sent_at"]
                if act.mode is TradingMode.LIVE:
                    self._times.add(act.account, row["sent_at"])
            if after := _AFTER_RESTART.get(act.state):
                act = msgspec.structs.replace(act, state=after[0], reason=after[1], updated_at=now_ms)
                changed.append((self._statements.save_act, self._row(act, now_ms)))
            self._set(act)
        return changed

    def by_client(self, account: str, client_order_id: str) -> Act | None:
        return self._acts.get(self._clients.get((account, client_order_id), ""))

    def changes(self, order: str) -> int:
        """Modifications of an order that were, or may have been, taken."""
        return len(self._changes.get(order, ()))

    def add(self, act: Act, now_ms: int) -> asyncio.Future[None]:
        future = self._writer.put((self._statements.save_act, self._row(act, now_ms)))
        self._set(act)

        def settled(future: asyncio.Future[None]) -> None:
            if _failed(future) and self._acts.get(act.id) is act:
                self._drop(act)

        future.add_done_callback(settled)
        return future

    def sent(self, act: Act, now_ms: int) -> asyncio.Future[None]:
        before = self._acts.get(act.id)
        if before is None or before.state is not ActState.PENDING:
            return refused(f"This {act.kind} may not be sent: it is {before.state if before else 'not journalled'}.")
        act = msgspec.structs.replace(act, state=ActState.SENT, updated_at=now_ms)
        self._sent_at[act.id] = now_ms
        if act.mode is TradingMode.LIVE:
            self._times.add(act.account, now_ms)
        future = self._writer.put((self._statements.save_act, self._row(act, now_ms)))
        self._set(act)

        def settled(future: asyncio.Future[None]) -> None:
            if _failed(future):
                if act.mode is TradingMode.LIVE:
                    self._times.remove(act.account, now_ms)
                self._sent_at.pop(act.id, None)
                if self._acts.get(act.id) is act:
                    self._set(before)

        future.add_done_callback(settled)
        return future

    def save(self, act: Act, now_ms: int) -> asyncio.Future[None]:
        self._set(act)
        return self._writer.put((self._statements.save_act, self._row(act, now_ms)), keep=True)

    def forget(self, before_ms: int) -> None:
        for act in [each for each in self._acts.values() if max(each.created_at, each.updated_at) < before_ms]:
            self._drop(act)
            if act.client_order_id:
                self._known.add(act.account, act.client_order_id)

    def _set(self, act: Act) -> None:
        self._acts[act.id] = act
        if act.client_order_id:
            self._clients[act.account, act.client_order_id] = act.id
        if act.kind is ActKind.MODIFY and act.state in _CHANGES:
            self._changes.setdefault(act.order, set()).add(act.id)
        else:
            self._uncount(act)

    def _uncount(self, act: Act) -> None:
        if changes := self._changes.get(act.order):
            changes.discard(act.id)
            if not changes:
                del self._changes[act.order]

    def _drop(self, act: Act) -> None:
        self._acts.pop(act.id, None)
        self._uncount(act)
        self._sent_at.pop(act.id, None)
        if self._clients.get((act.account, act.client_order_id)) == act.id:
            del self._clients[act.account, act.client_order_id]

    def _row(self, act: Act, now_ms: int) -> dict[str, Any]:
        return {
            "id": act.id,
            "account": act.account,
            "client_order_id": act.client_order_id or None,
            "state": act.state.value,
            "created_at": act.created_at,
            "sent_at": self._sent_at.get(act.id, 0),
            "updated_at": now_ms,
            "body": msgspec.json.encode(act).decode(),
        }


def refused(text: str) -> asyncio.Future[None]:
    """What an admission gets that the journal does not even write."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_exception(StoreError(text))
    future.exception()  # who awaits it hears it; nobody need
    return future


def _failed(future: asyncio.Future[None]) -> bool:
    return not future.cancelled() and future.exception() is not None
