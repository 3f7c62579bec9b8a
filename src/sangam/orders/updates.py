"""What becomes of orders: outcomes and news merged into the journal, told to clients, and to whoever waits.

Everything that changes an order's state after `sent` passes here, so that a status never moves backwards and a fill is
counted once."""

import asyncio
from collections.abc import Callable

from sangam.model.clock import Clock
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Order, OrderNews, OrderUpdate, TradingMode

from .journal import Journal


class Updates:
    def __init__(
        self,
        journal: Journal,
        named: Callable[[str, str, str], Instrument | None],
        owner: Callable[[str], tuple[str, str]],
        tell: Callable[[OrderNews], object],
        clock: Clock,
    ) -> None:
        """`named(account, brsymbol, brexchange)` finds an instrument, `owner(account)` its user and broker; `tell`
        passes news on to the doors."""
        raise NotImplementedError

    # --- outcomes of a placement --------------------------------------------------------------------------------------

    def accepted(self, order: Order, told: Accepted) -> Order:
        """The executor took it: open, unless news were faster."""
        raise NotImplementedError

    def rejected(self, order: Order, reason: str, code: str) -> Order:
        """Refused with evidence."""
        raise NotImplementedError

    def denied(self, order: Order, reason: str, code: str) -> Order:
        """Provably never sent."""
        raise NotImplementedError

    def doubtful(self, order: Order, reason: str) -> Order:
        """Nobody knows; from here on only evidence changes it."""
        raise NotImplementedError

    def modified(self, order: Order) -> Order:
        """The executor took new terms, which `order` has."""
        raise NotImplementedError

    def resolve(self, order: Order, state: str, by: str, note: str) -> Order:
        """The user settles an order in doubt, on the record."""
        raise NotImplementedError

    # --- news ---------------------------------------------------------------------------------------------------------

    def heard(self, account: str, mode: TradingMode, update: OrderUpdate) -> Order | None:
        """News of an order from any source; one that we never placed is adopted. None where it told nothing new."""
        raise NotImplementedError

    def waiter(self, order: Order) -> asyncio.Future[Order]:
        """Done when the order leaves pending, sent and unknown."""
        raise NotImplementedError
