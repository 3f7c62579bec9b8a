"""Whether an order may be sent at all, and in which terms: checks, the user's limits and price protection together."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from sangam.brokers.contract import Trading
from sangam.instruments.daily import day_began
from sangam.instruments.freeze import UNKNOWN
from sangam.model.clock import Clock, ist_from_ms
from sangam.model.enums import Action, PriceType
from sangam.model.instrument import Instrument
from sangam.model.order import Change, Order, OrderState, Ticket, TradingMode
from sangam.model.rules import Rules

from .checks import check, check_change, ticket_of
from .journal import Journal
from .protection import Protected, protect
from .risk import Seen, check_day, check_kill, check_risk


class Master(Protocol):
    """The instruments of one broker."""

    def lookup(self, symbol: str, exchange: str) -> Instrument:
        """Raises SymbolNotFound."""
        ...

    def freeze_quantity(self, instrument: Instrument) -> int: ...


class Admission:
    """Asks and changes nothing. `master` raises where an account's instruments are not loaded; `price` tells an
    instrument's last price and its age in milliseconds, None where nobody listens to it."""

    def __init__(
        self,
        journal: Journal,
        *,
        master: Callable[[str], Master],
        price: Callable[[str, Instrument], tuple[float, int] | None],
        rules: Callable[[str], Rules],
        trading: Callable[[str], Trading | None],
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._master = master
        self._price = price
        self._rules = rules
        self._trading = trading
        self._clock = clock

    def terms(self, account: str, mode: TradingMode, ticket: Ticket) -> tuple[Ticket, Instrument]:
        """Its instrument, and the ticket without prices that its price type does not have."""
        instrument, freeze = self._instrument(account, ticket.symbol, ticket.exchange)
        today = ist_from_ms(self._clock.now_ms()).date()
        return check(ticket, instrument, today, trading=self.trading(account, mode), freeze=freeze), instrument

    def change(self, order: Order, change: Change) -> tuple[Change, Instrument]:
        """The same for a change, the user's limits included: the kill switch stops what makes an order larger."""
        instrument, freeze = self._instrument(order.account, order.symbol, order.exchange)
        today = ist_from_ms(self._clock.now_ms()).date()
        trading = self.trading(order.account, order.mode)
        change = check_change(order, change, instrument, today, trading=trading, freeze=freeze)
        rules = self._rules(order.account)
        check_kill(rules, urgent=change.quantity <= order.quantity)
        check_risk(rules, ticket_of(order, change), self._seen(order.account, instrument))
        return change, instrument

    def limits(self, account: str, ticket: Ticket, instrument: Instrument, *, placed: int, urgent: bool) -> None:
        """The user's own limits; `placed` orders went out today or go before this one. An `urgent` order reduces a
        position: no limit keeps anybody in one."""
        if urgent:
            return
        rules = self._rules(account)
        check_kill(rules)
        check_day(rules, placed)
        check_risk(rules, ticket, self._seen(account, instrument))

    def check_kill(self, account: str, *, urgent: bool) -> None:
        """Raises Denied where the kill switch is on."""
        check_kill(self._rules(account), urgent=urgent)

    def triggers(self, account: str, tickets: Sequence[Ticket]) -> None:
        """The same for orders that a trigger will release, at prices that the market is far from now."""
        rules = msgspec.structs.replace(self._rules(account), price_band=None)
        check_kill(rules)
        for ticket in tickets:
            check_risk(rules, ticket, None)

    def protected(
        self,
        account: str,
        mode: TradingMode,
        instrument: Instrument,
        action: Action,
        price_type: PriceType,
        trigger_price: Decimal,
    ) -> Protected | None:
        """What is sent in place of a type that the broker does not take."""
        trading = self.trading(account, mode)
        if trading is None or trading.takes(price_type):
            return None
        seen = self._seen(account, instrument)
        last = seen.price if seen is not None and seen.is_fresh else None
        return protect(price_type, action, trigger_price, instrument, last)

    def trading(self, account: str, mode: TradingMode) -> Trading | None:
        """What the broker can do; paper has no broker."""
        return self._trading(account) if mode is TradingMode.LIVE else None

    def _instrument(self, account: str, symbol: str, exchange: str) -> tuple[Instrument, int | None]:
        master = self._master(account)
        instrument = master.lookup(symbol, exchange)
        freeze = master.freeze_quantity(instrument)
        return instrument, None if freeze == UNKNOWN else freeze

    def _seen(self, account: str, instrument: Instrument) -> Seen | None:
        told = self._price(account, instrument)
        return None if told is None else Seen(Decimal(repr(told[0])), told[1])

    def placed_today(self, account: str, mode: TradingMode) -> int:
        """How many orders count against the day's limit; 0 where there is none."""
        if self._rules(account).max_orders_per_day is None:
            return 0
        began = day_began(self._clock.now_ms())
        return sum(
            order.created_at >= began
            and order.mode is mode
            and order.state is not OrderState.DENIED
            and not order.foreign
            for order in self._journal.of(account)
        )
