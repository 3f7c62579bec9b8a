"""The journal: every order, every write to a broker and every event, durable before anything is sent.

What matters today stands in memory; the database behind it is append-only for events and never forgets."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from sangam.model.clock import Clock
from sangam.model.order import Order, OrderNews
from sangam.store.database import Database
from sangam.store.writer import Writer


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
    order: str = ""
    client_order_id: str = ""
    content: Mapping[str, Any] = {}
    state: ActState = ActState.PENDING
    result: str = ""
    reason: str = ""
    created_at: int = 0
    updated_at: int = 0


class Journal:
    """One per house. Look-ups are dictionary reads; every write returns a future that is done when it is durable.

    Admissions (`add`, `sent`) that cannot be committed are undone here and raise StoreError; facts (`save`) stay and
    are tried again until they are durable."""

    def __init__(self, database: Database, writer: Writer, clock: Clock) -> None:
        """Reads what still matters: unsettled orders of any day, all of today's, and the newest event's number. Orders
        found `pending` become denied (restart), those `sent` become unknown; `pending` acts denied, `sent` unknown."""
        raise NotImplementedError

    # --- look-ups -----------------------------------------------------------------------------------------------------

    def get(self, id: str) -> Order | None:
        raise NotImplementedError

    def by_client(self, account: str, client_order_id: str) -> Order | None:
        raise NotImplementedError

    def by_order_id(self, account: str, order_id: str) -> Order | None:
        raise NotImplementedError

    def by_tag(self, account: str, tag: str) -> Order | None:
        """The order whose `our_tag` a broker's echo begins with."""
        raise NotImplementedError

    def of(self, account: str) -> list[Order]:
        """The account's orders of today and those unsettled of before, oldest first."""
        raise NotImplementedError

    def unsettled(self, account: str) -> list[Order]:
        """Those whose state is not final."""
        raise NotImplementedError

    def placed_at(self, account: str, since_ms: int) -> list[int]:
        """When writes of an account (orders and acts) were sent, epoch ms ascending: the rate logs begin with these."""
        raise NotImplementedError

    # --- writes -------------------------------------------------------------------------------------------------------

    def add(self, orders: Sequence[Order]) -> asyncio.Future[None]:
        """Admission of new orders, `pending`. Await it or a later write of them."""
        raise NotImplementedError

    def sent(self, order: Order, now_ms: int) -> asyncio.Future[None]:
        """Admission: from here on the first byte may leave. The caller awaits it before it does."""
        raise NotImplementedError

    def save(
        self, order: Order, kind: EventKind, news: Callable[[int], OrderNews] | None = None
    ) -> asyncio.Future[None]:
        """A fact: the order as it is now, under the next event number; `news` makes what clients hear of it."""
        raise NotImplementedError

    def add_act(self, act: Act) -> asyncio.Future[None]:
        raise NotImplementedError

    def act_sent(self, act: Act) -> asyncio.Future[None]:
        raise NotImplementedError

    def save_act(self, act: Act) -> asyncio.Future[None]:
        raise NotImplementedError

    def act_by_client(self, account: str, client_order_id: str) -> Act | None:
        raise NotImplementedError

    # --- events -------------------------------------------------------------------------------------------------------

    @property
    def newest(self) -> int:
        """The number of the newest event."""
        raise NotImplementedError

    async def since(self, accounts: Collection[str], seq: int, limit: int = 10_000) -> list[OrderNews]:
        """What clients of these accounts were told after `seq`, oldest first."""
        raise NotImplementedError

    def export(self, account: str | None, since_ms: int, until_ms: int) -> Iterator[dict[str, Any]]:
        """The audit trail, oldest first; belongs to a thread."""
        raise NotImplementedError
