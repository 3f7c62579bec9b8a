"""The journal: every order, every write to a broker and every event, durable before anything is sent.

What matters today stands in memory; the database behind it is append-only for events and never forgets."""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from enum import StrEnum
from heapq import merge
from typing import Any

import msgspec
from sqlalchemy import RowMapping

from sangam.instruments.daily import day_began
from sangam.model.clock import Clock
from sangam.model.errors import StoreError
from sangam.model.order import Order, OrderNews, OrderState, TradingMode
from sangam.store.database import Database
from sangam.store.journal_rows import Known, Rows, Statements, decoded, readable
from sangam.store.writer import InDoubtCommit, Statement, Writer, joined

from .acts import Act, ActKind, Acts, ActState, refused
from .standing import SendTimes, Standing

__all__ = ["Act", "ActKind", "ActState", "EventKind", "Journal"]

log = logging.getLogger("sangam.orders")

_DAY_MS = 86_400_000
_LEAP = 100_000
"""Numbers that a start leaves out: more than ever waited to become durable when a process was killed."""
_RECENT = 10_000
"""News that stay in memory at least, for clients that come back."""
_FINAL = tuple(state.value for state in OrderState if state.is_final)


class EventKind(StrEnum):
    """What clients hear, and three more that only the audit trail knows."""

    PENDING = "ORDER_PENDING"
    SENT = "ORDER_SENT"
    PLACED = "ORDER_PLACED"
    MODIFIED = "ORDER_MODIFIED"
    TRIGGERED = "ORDER_TRIGGERED"
    PARTIALLY_FILLED = "ORDER_PARTIALLY_FILLED"
    FILLED = "ORDER_FILLED"
    CANCELLED = "ORDER_CANCELLED"
    REJECTED = "ORDER_REJECTED"
    UNKNOWN = "ORDER_UNKNOWN"
    RESOLVED = "ORDER_RESOLVED"
    """An audited `resolve` by the user; told as the event of the state it led to."""
    NOTED = "ORDER_NOTED"
    """More is known (an average price, an id) without any change of state."""


_AFTER_RESTART = {
    OrderState.PENDING: (
        OrderState.DENIED,
        EventKind.REJECTED,
        "The server restarted before this order was sent. Place it again if you still want it.",
        "ORDER_ERROR",
    ),
    OrderState.SENT: (
        OrderState.UNKNOWN,
        EventKind.UNKNOWN,
        "The server restarted while this order was under way. Do not repeat it: it is being looked for.",
        "OUTCOME_UNKNOWN",
    ),
}


class Journal:
    """One per house. Look-ups are dictionary reads; every write returns a future that is done when it is durable.

    Admissions (`add`, `sent`) that cannot be committed are undone here and raise StoreError; facts (`save`) stay and
    are tried again until they are durable."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        clock: Clock,
        news: Callable[[EventKind, int, Order], OrderNews] | None = None,
    ) -> None:
        """Reads what still matters: unsettled orders of any day, all of today's, and the newest event's number. Orders
        found `pending` become denied (restart), those `sent` become unknown; `pending` acts denied, `sent` unknown.
        `news` makes what clients who come back hear of that; it is written together with the change, since a start
        that fails later does not find it again. Raises StoreError."""
        self._writer = writer
        self._clock = clock
        self._rows = Rows(database)
        self._statements = Statements(database)
        self._known = Known(self._rows.client_ids())
        self._standing = Standing()
        self._times = SendTimes()
        self._acts = Acts(writer, self._statements, self._times, self._known)
        self._unfounded: set[str] = set()  # their admission failed, but a later write of them is under way
        self._news: list[OrderNews] = []
        self._unread: dict[str, list[str]] = {}
        self.restarted: list[Order] = []
        """The orders that the restart denied or left in doubt."""
        now = clock.now_ms()
        self._day = day_began(now)
        self._newest = self._durable = self._rows.newest()
        if self._newest:
            self._newest += _LEAP
        self._in_memory_from = self._newest
        self._restore(database, now, news)

    def _restore(self, database: Database, now: int, news: Callable[[EventKind, int, Order], OrderNews] | None) -> None:
        changed = self._acts.restore(self._rows, self._day, now)
        for row in self._rows.standing_orders(_FINAL, self._day):
            order = decoded(row, Order)
            if order is None:
                if row["state"] not in (*_FINAL, OrderState.PENDING):
                    self._unread.setdefault(row["account"], []).append(row["id"])
                continue
            if order.sent_at and not order.foreign and order.mode is TradingMode.LIVE:
                self._times.add(order.account, order.sent_at)
            if after := _AFTER_RESTART.get(order.state):
                state, kind, reason, code = after
                order = msgspec.structs.replace(order, state=state, reason=reason, code=code, updated_at=now)
                self.restarted.append(order)
                seq = self._next()
                told = news(kind, seq, order) if news is not None else None
                if told is not None:
                    self._news.append(told)
                changed += self._written(order, kind, now, seq, told)
            self._standing.set(order)
        with database.begin() as connection:
            for statement, given in joined([changed]):
                connection.execute(statement, given)

    # --- look-ups -----------------------------------------------------------------------------------------------------

    def get(self, id: str) -> Order | None:
        return self._standing.get(id)

    def by_client(self, account: str, client_order_id: str) -> Order | None:
        """Also one of days ago, which is read from the database; only that raises StoreError."""
        order = self._standing.by_client(account, client_order_id)
        if order is None and (account, client_order_id) in self._known:
            self._check_there()
            row = self._rows.order_of_client(account, client_order_id)
            order = readable(row, Order) if row is not None else None
        return order

    def by_order_id(self, account: str, order_id: str) -> Order | None:
        return self._standing.by_order_id(account, order_id)

    def by_tag(self, account: str, tag: str) -> Order | None:
        """The order whose `our_tag` a broker's echo begins with."""
        return self._standing.by_tag(account, tag)

    def of(self, account: str) -> list[Order]:
        """The account's orders of today and those unsettled of before, oldest first."""
        self._turn_day()
        return self._standing.of(account)

    def unsettled(self, account: str) -> list[Order]:
        """Those whose state is not final."""
        return self._standing.unsettled(account)

    def in_flight(self, account: str) -> list[Order]:
        """Those that are pending or sent."""
        return self._standing.in_flight(account)

    def in_doubt(self, account: str) -> list[Order]:
        """Those that are unknown."""
        return self._standing.in_doubt(account)

    def unread(self, account: str) -> list[str]:
        """Ids of orders that were not settled when the journal was opened, and whose rows are damaged: nobody here
        knows their terms."""
        return list(self._unread.get(account, ()))

    def placed_at(self, account: str, since_ms: int) -> list[int]:
        """When live writes of an account (orders and acts) were sent, epoch ms ascending: the rate logs begin with
        these. Today's only."""
        return self._times.since(account, since_ms)

    def changes(self, order: Order) -> int:
        """How often it was changed, as far as is known, by acts of today."""
        return self._acts.changes(order.id)

    def _turn_day(self) -> None:
        """What was settled before today leaves memory."""
        now = self._clock.now_ms()
        if now < self._day + _DAY_MS:
            return
        self._day = day_began(now)
        for order in self._standing.forget(self._day):
            if order.client_order_id:
                self._known.add(order.account, order.client_order_id)
        self._acts.forget(self._day)
        self._times.forget(self._day)

    # --- writes -------------------------------------------------------------------------------------------------------

    def add(self, orders: Sequence[Order]) -> asyncio.Future[None]:
        """Admission of new orders, `pending`. Await it or a later write of them: it becomes durable with the next one,
        usually `sent`, or some milliseconds later."""
        self._turn_day()
        for order in orders:
            if self._standing.get(order.id) is not None:
                return refused(f"There is an order {order.id} already.")
        now = self._clock.now_ms()
        numbers = [self._next() for _ in orders]
        bodies = [_body(order) for order in orders]
        rows = [_row(order, now, body) for order, body in zip(orders, bodies, strict=True)]
        events = [
            _event(order, EventKind.PENDING, now, seq, body)
            for order, seq, body in zip(orders, numbers, bodies, strict=True)
        ]
        future = self._writer.put((self._statements.add_order, rows), (self._statements.add_event, events), linger=True)
        for order in orders:
            self._standing.set(order)

        def settled(future: asyncio.Future[None]) -> None:
            error = None if future.cancelled() else future.exception()
            if error is None:
                return
            for order in orders:
                if self._standing.get(order.id) is order:
                    self._standing.drop(order)
                else:
                    self._unfounded.add(order.id)
            if isinstance(error, InDoubtCommit):
                self._withdraw(orders, numbers)

        future.add_done_callback(settled)
        return future

    def _withdraw(self, orders: Sequence[Order], numbers: Sequence[int]) -> None:
        """Whatever a broken connection left of an admission that we called failed."""
        gone = [
            {"gone": order.id, "was": OrderState.PENDING.value, "made": order.created_at}
            for order in orders
            if order.id not in self._unfounded
        ]
        if len(gone) == len(orders):
            events = [{"number": seq} for seq in numbers]
            self._writer.put(
                (self._statements.withdraw_order, gone), (self._statements.withdraw_event, events), keep=True
            )

    def sent(self, order: Order, now_ms: int) -> asyncio.Future[None]:
        """Admission: from here on the first byte may leave. The caller awaits it before it does. Only what is pending
        may be sent, and only once."""
        before = self._standing.get(order.id)
        if before is None or before.state is not OrderState.PENDING:
            return refused(f"Order {order.id} may not be sent: it is {before.state if before else 'not journalled'}.")
        order = msgspec.structs.replace(order, state=OrderState.SENT, sent_at=now_ms, updated_at=now_ms)
        future = self._writer.put(*self._written(order, EventKind.SENT, now_ms, self._next(), None))
        self._standing.set(order)
        live = order.mode is TradingMode.LIVE
        if live:
            self._times.add(order.account, now_ms)

        def settled(future: asyncio.Future[None]) -> None:
            error = None if future.cancelled() else future.exception()
            if error is None:
                self._unfounded.discard(order.id)
                return
            if live:
                self._times.remove(order.account, now_ms)
            if self._standing.get(order.id) is order:
                if order.id in self._unfounded:
                    self._standing.drop(order)
                    if isinstance(error, InDoubtCommit):
                        row = {"gone": order.id, "was": OrderState.SENT.value, "made": order.created_at}
                        self._writer.put((self._statements.withdraw_order, row), keep=True)
                else:
                    self._standing.set(before)
            self._unfounded.discard(order.id)

        future.add_done_callback(settled)
        return future

    def save(
        self, order: Order, kind: EventKind, news: Callable[[int], OrderNews] | None = None
    ) -> asyncio.Future[None]:
        """A fact: the order as it is now, under the next event number; `news` makes what clients hear of it."""
        seq = self._next()
        told = news(seq) if news is not None else None
        future = self._writer.put(*self._written(order, kind, self._clock.now_ms(), seq, told), keep=True)
        self._standing.set(order)
        self._unfounded.discard(order.id)
        if told is not None:
            self._news.append(told)
            if len(self._news) > 2 * _RECENT:
                self._trim()

        def settled(future: asyncio.Future[None]) -> None:
            if not future.cancelled() and future.exception() is None:
                self._durable = max(self._durable, seq)

        future.add_done_callback(settled)
        return future

    def _trim(self) -> None:
        """Older news are read from the database, once they are there."""
        cut = min(len(self._news) - _RECENT, bisect_right(self._news, self._durable, key=_seq))
        if cut > 0:
            self._in_memory_from = self._news[cut - 1].seq
            del self._news[:cut]

    def add_act(self, act: Act) -> asyncio.Future[None]:
        self._turn_day()
        return self._acts.add(act, self._clock.now_ms())

    def act_sent(self, act: Act) -> asyncio.Future[None]:
        """As `sent`, for an act."""
        return self._acts.sent(act, self._clock.now_ms())

    def save_act(self, act: Act) -> asyncio.Future[None]:
        return self._acts.save(act, self._clock.now_ms())

    def act_by_client(self, account: str, client_order_id: str) -> Act | None:
        """The newest; one of days ago is read from the database, and only that raises StoreError."""
        act = self._acts.by_client(account, client_order_id)
        if act is None and (account, client_order_id) in self._known:
            self._check_there()
            row = self._rows.act_of_client(account, client_order_id)
            act = readable(row, Act) if row is not None else None
        return act

    def _check_there(self) -> None:
        """A database that takes nothing is not asked either: the loop would wait for it."""
        if trouble := self._writer.trouble:
            raise StoreError(trouble)

    # --- events -------------------------------------------------------------------------------------------------------

    @property
    def newest(self) -> int:
        """The number of the newest event."""
        return self._newest

    async def since(self, accounts: Collection[str], seq: int, limit: int = 10_000) -> list[OrderNews]:
        """What clients of these accounts were told after `seq`, oldest first."""
        found: list[OrderNews] = []
        border, recent = self._in_memory_from, self._news[bisect_right(self._news, seq, key=_seq) :]
        if seq < border:
            rows = await asyncio.to_thread(self._rows.told, accounts, seq, border, limit)
            found = [OrderNews(row["seq"], row["account"], row["event"], row["update"]) for row in rows]
        for news in recent:
            if len(found) >= limit:
                break
            if news.account in accounts:
                found.append(news)
        return found

    async def kept(self, done: str) -> None:
        """Returns once all that was journalled so far is durable. Where it cannot be for now, raises StoreError that
        says what was `done` all the same: facts are tried again."""
        try:
            await self._writer.put()
        except StoreError as error:
            text = f"{done}, which could not be written down yet; it is tried again. {error}"
            raise StoreError(text) from None

    def export(self, account: str | None, since_ms: int, until_ms: int) -> Iterator[dict[str, Any]]:
        """The audit trail, oldest first; belongs to a thread. Events of orders with the order as it was then, and acts
        at the moment they were asked for, with what came of them."""
        events = map(_exported_event, self._rows.events(account, since_ms, until_ms))
        acts = map(_exported_act, self._rows.acts(account, since_ms, until_ms))
        yield from merge(events, acts, key=lambda entry: entry["at"])

    def _next(self) -> int:
        self._newest += 1
        return self._newest

    def _written(self, order: Order, kind: EventKind, at: int, seq: int, told: OrderNews | None) -> list[Statement]:
        body = _body(order)
        return [
            (self._statements.save_order, _row(order, at, body)),
            (self._statements.add_event, _event(order, kind, at, seq, body, told)),
        ]


def _seq(news: OrderNews) -> int:
    return news.seq


def _body(order: Order) -> str:
    return msgspec.json.encode(order).decode()


def _row(order: Order, at: int, body: str) -> dict[str, Any]:
    return {
        "id": order.id,
        "account": order.account,
        "client_order_id": order.client_order_id or None,
        "order_id": order.order_id,
        "state": order.state.value,
        "created_at": order.created_at,
        "sent_at": order.sent_at,
        "updated_at": at,
        "body": body,
    }


def _event(
    order: Order, kind: EventKind, at: int, seq: int, body: str, told: OrderNews | None = None
) -> dict[str, Any]:
    return {
        "seq": seq,
        "order": order.id,
        "account": order.account,
        "at": at,
        "kind": kind.value,
        "state": order.state.value,
        "body": body,
        "event": told.event if told is not None else None,
        "update": told.update if told is not None else None,
    }


def _exported_event(row: RowMapping) -> dict[str, Any]:
    entry = {name: row[name] for name in ("at", "seq", "account", "kind", "state")}
    return {**entry, "order": msgspec.json.decode(row["body"])}


def _exported_act(row: RowMapping) -> dict[str, Any]:
    act = msgspec.json.decode(row["body"])
    return {
        "at": row["created_at"],
        "sent_at": row["sent_at"],
        "updated_at": row["updated_at"],
        "account": row["account"],
        "kind": f"ACT_{act['kind'].upper()}",
        "state": row["state"],
        "act": act,
    }
