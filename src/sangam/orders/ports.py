"""Who executes orders, and what the doors (REST, WebSocket, command line) ask of this room."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from sangam.model.books import Funds, Gtt, GttLeg, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Product
from sangam.model.identity import AccountInfo, Identity
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, OrderNews, OrderUpdate, Ticket, TradingMode

Sending = Callable[[], Awaitable[None]]
"""Awaited by an executor right before the first byte of a write may leave (a slot of the rate limit is taken by then).
It returns once the journal says `sent`, durably; where it raises, nothing may be sent."""


class Executor(Protocol):
    """Carries orders out: live at the broker, or on paper. The first argument is an account's id.

    Writes return what was accepted or raise: NotSent and other unsent BrokerErrors (nothing left), Refused (evidence),
    anything else is unknown. `urgent` writes (cancels, reductions) may use the reserve of the rate limits."""

    mode: TradingMode

    async def place(
        self, account: str, order: Order, instrument: Instrument, sending: Sending, *, urgent: bool, wait: float | None
    ) -> Accepted: ...

    async def modify(
        self, account: str, order: Order, change: Change, instrument: Instrument, sending: Sending, *, urgent: bool
    ) -> Accepted: ...

    async def cancel(self, account: str, order: Order, sending: Sending) -> Accepted: ...

    async def orders(self, account: str) -> list[OrderUpdate]:
        """The whole order book of the day."""
        ...

    async def find(self, account: str, order: Order) -> OrderUpdate | None:
        """One order by its id there or by our tag, by the cheapest read; None where the broker does not know it."""
        ...

    async def trades(self, account: str) -> list[Trade]: ...

    async def positions(self, account: str) -> list[Position]: ...

    async def holdings(self, account: str) -> list[Holding]: ...

    async def funds(self, account: str) -> Funds: ...

    async def margin(self, account: str, legs: Sequence[tuple[Instrument, MarginLeg]]) -> Margin:
        """Raises Unsupported where the broker tells none."""
        ...

    async def convert(
        self, account: str, instrument: Instrument, old: Product, new: Product, quantity: int, sending: Sending
    ) -> None: ...

    async def gtts(self, account: str) -> list[Gtt]: ...

    async def place_gtt(
        self, account: str, instrument: Instrument, legs: Sequence[GttLeg], last_price: float, sending: Sending
    ) -> str: ...

    async def modify_gtt(
        self,
        account: str,
        trigger_id: str,
        instrument: Instrument,
        legs: Sequence[GttLeg],
        last_price: float,
        sending: Sending,
    ) -> str: ...

    async def cancel_gtt(self, account: str, trigger_id: str, sending: Sending) -> str: ...


class Caller(msgspec.Struct, frozen=True):
    """On whose behalf something is done: whose key, which account, live or paper."""

    identity: Identity
    account: AccountInfo
    mode: TradingMode


class Desk(Protocol):
    """What the doors ask. All errors are SangamErrors; those about an order carry it.

    `reference` is an order's id at the broker, ours, or the client order id."""

    def caller(self, identity: Identity, account: str | None) -> Caller:
        """Whom a request means: the account it names by id or by an unambiguous broker, else the key's order account;
        the mode by key, user's switch and broker."""
        ...

    async def place(self, caller: Caller, ticket: Ticket, *, group: str = "", urgent: bool = False) -> Order:
        """Returns once an outcome is known. Raises Denied, Conflict, Rejected, InDoubt (after 8 s without evidence)."""
        ...

    async def place_all(self, caller: Caller, tickets: Sequence[Ticket], *, group: str = "") -> list[Order | Exception]:
        """Journalled in one commit, sent side by side within the rate limits; results in the order of the tickets."""
        ...

    async def modify(self, caller: Caller, reference: str, change: Change) -> Order: ...

    async def cancel(self, caller: Caller, reference: str) -> Order: ...

    def find(self, caller: Caller, reference: str) -> Order:
        """Raises OrderNotFound."""
        ...

    async def known(self, caller: Caller, reference: str) -> Order:
        """As `find`; one that was placed elsewhere is found by a look into the order book."""
        ...

    async def orders(self, caller: Caller) -> list[Order]:
        """The day's orders, newest first: the executor's book with what only the journal knows."""
        ...

    def moving(self, caller: Caller, ended_within: float = 0.0) -> list[Order]:
        """The orders that may still change the caller's positions, and those that ended so few seconds ago; from the
        journal. On paper those of all his accounts, which share one book."""
        ...

    async def trades(self, caller: Caller) -> list[tuple[Instrument, Trade]]: ...

    async def positions(self, caller: Caller) -> list[tuple[Instrument, Position]]: ...

    async def holdings(self, caller: Caller) -> list[tuple[Instrument, Holding]]: ...

    async def funds(self, caller: Caller) -> Funds: ...

    async def margin(self, caller: Caller, legs: Sequence[tuple[Instrument, MarginLeg]]) -> Margin: ...

    async def convert(
        self, caller: Caller, instrument: Instrument, old: Product, new: Product, quantity: int
    ) -> None: ...

    async def gtts(self, caller: Caller) -> list[tuple[Instrument, Gtt]]: ...

    async def place_gtt(
        self, caller: Caller, instrument: Instrument, legs: Sequence[GttLeg], client_order_id: str = ""
    ) -> str: ...

    async def modify_gtt(
        self, caller: Caller, trigger_id: str, instrument: Instrument, legs: Sequence[GttLeg]
    ) -> str: ...

    async def cancel_gtt(self, caller: Caller, trigger_id: str) -> str: ...

    def instrument(self, caller: Caller, symbol: str, exchange: str) -> Instrument:
        """Raises SymbolNotFound."""
        ...

    def freeze_quantity(self, caller: Caller, instrument: Instrument) -> int | None:
        """The largest order that the exchange takes in one piece, None where that is not known."""
        ...

    async def price(self, caller: Caller, instrument: Instrument) -> float:
        """The last price, from the stream or by request. Raises BrokerError where there is none."""
        ...


class Actions(Protocol):
    """Order actions as a WebSocket client words them; a gateway in another process asks over the bus."""

    async def act(self, identity: Identity, action: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The reply's fields without type and request_id. Raises SangamErrors."""
        ...

    async def since(self, identity: Identity, seq: int) -> tuple[list[OrderNews], int]:
        """The events of the identity's accounts after `seq`, oldest first and perhaps not all, and the number up to
        which everything was told by now: what is told live from here on lies beyond both."""
        ...
