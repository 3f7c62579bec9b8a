"""What becomes of orders: outcomes and news merged into the journal, told to clients, and to whoever waits.

Everything that changes an order's state after `sent` passes here, so that a status never moves backwards and a fill is
counted once."""

import asyncio
import logging
from collections.abc import Callable

from msgspec.structs import replace

from sangam.instruments.daily import day_began
from sangam.model.clock import Clock
from sangam.model.errors import Conflict, InDoubt, InvalidInput
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Order, OrderNews, OrderState, OrderUpdate, TradingMode

from . import states
from .events import order_news
from .foreign import adopted
from .journal import EventKind, Journal
from .strays import Strays
from .telling import Telling

log = logging.getLogger("sangam.orders")

SUPERSEDED_SECONDS = 15.0
"""For so long news may still tell terms that a change of ours has replaced: no request and no push takes longer."""
_RESOLUTIONS = {
    "complete": OrderState.COMPLETE,
    "cancelled": OrderState.CANCELLED,
    "rejected": OrderState.REJECTED,
    "open": OrderState.OPEN,
}


class Updates:
    def __init__(
        self,
        journal: Journal,
        named: Callable[[str, OrderUpdate], Instrument | None],
        owner: Callable[[str], tuple[str, str]],
        tell: Callable[[OrderNews], object],
        clock: Clock,
    ) -> None:
        """`named(account, update)` finds the instrument that news are about, `owner(account)` its user and broker;
        `tell` passes news on to the doors."""
        self._journal = journal
        self._named = named
        self._owner = owner
        self._telling = Telling(tell)
        self._clock = clock
        self._waiters: dict[str, list[asyncio.Future[Order]]] = {}
        self._superseded: dict[str, tuple[states.Terms, float]] = {}
        self._strays = Strays(journal)
        self._expected: dict[str, tuple[str, float]] = {}
        self._doubtful: Callable[[Order], object] = lambda order: None

    def on_doubt(self, listener: Callable[[Order], object]) -> None:
        """Who hears of orders in doubt, to look for them."""
        self._doubtful = listener

    def close(self) -> None:
        """Tell what is left."""
        self._telling.close()

    # --- outcomes of a placement --------------------------------------------------------------------------------------

    def accepted(self, order: Order, told: Accepted) -> Order:
        """The executor took it: open, unless news were faster."""
        now = self._now(order)
        if now.state in states.UNSETTLED:
            self.expect(now)
        return self._turn(now, states.accept(now, told.order_id, told.native, told.price))

    def rejected(self, order: Order, reason: str, code: str) -> Order:
        """Refused with evidence."""
        return self._end(order, OrderState.REJECTED, reason, code)

    def denied(self, order: Order, reason: str, code: str) -> Order:
        """Provably never sent."""
        return self._end(order, OrderState.DENIED, reason, code)

    def doubtful(self, order: Order, reason: str) -> Order:
        """Nobody knows; from here on only evidence changes it."""
        return self._end(order, OrderState.UNKNOWN, reason, InDoubt.code)

    def expired(self, order: Order) -> Order:
        """Its day is over, and the book has it no more."""
        now = self._now(order)
        if now.state not in states.WORKING:
            return now
        return self._turn(now, replace(now, state=OrderState.EXPIRED, reason="Its trading day is over"))

    def modified(self, order: Order) -> Order:
        """The executor took new terms, which `order` has."""
        now = self._now(order)
        if now.state.is_final:
            return now
        if states.terms(now) != states.terms(order):
            self._superseded[order.id] = states.terms(now), self._clock.monotonic() + SUPERSEDED_SECONDS
        after = replace(
            now,
            quantity=order.quantity,
            price_type=order.price_type,
            price=order.price,
            trigger_price=order.trigger_price,
            disclosed_quantity=order.disclosed_quantity,
            validity=order.validity,
            conversion=order.conversion,
            sent_price_type=order.sent_price_type,
            sent_price=order.sent_price,
            order_id=order.order_id or now.order_id,
            native={**now.native, **order.native},
        )
        self.expect(now)
        if after.state is OrderState.OPEN and states.became_stop(now, after):
            after = replace(after, state=OrderState.TRIGGER_PENDING)
        return self._turn(now, after)

    def resolve(self, order: Order, state: str, by: str, note: str) -> Order:
        """The user settles an order in doubt, on the record. Raises InvalidInput and Conflict."""
        settled = _RESOLUTIONS.get(state.strip().lower())
        if settled is None:
            raise InvalidInput(f"An order is resolved to one of {', '.join(_RESOLUTIONS)}, not to '{state}'.")
        now = self._now(order)
        if now.state is not OrderState.UNKNOWN:
            raise Conflict(f"The order {now.id} is not in doubt: it is {now.state.value}.", "ORDER_ERROR", now)
        reason = f"Resolved by {by}" + (f": {note}" if note else "")
        filled = now.quantity if settled is OrderState.COMPLETE else now.filled_quantity
        after = replace(now, state=settled, filled_quantity=filled, reason=reason, code=states.RESOLVED)
        log.warning("%s: %s resolved to %s by %s: %s", now.account, now.id, settled.value, by, note)
        after = replace(after, updated_at=self._clock.now_ms())
        told: list[OrderNews] = []
        kind = states.kind_of(settled)
        durable = self._journal.save(after, EventKind.RESOLVED, lambda seq: _keep(told, order_news(kind, seq, after)))
        self._telling.put(told, durable)
        self._settled(now, after)
        return after

    # --- news ---------------------------------------------------------------------------------------------------------

    def heard(self, account: str, mode: TradingMode, update: OrderUpdate) -> Order | None:
        """News of an order from any source; one that we never placed is adopted. None where it told nothing new."""
        instrument = self._named(account, update)
        order = self._match(account, mode, update, instrument)
        if order is None:
            return self._adopt(account, mode, update, instrument)
        before = order
        self._expected.pop(order.id, None)
        if order.foreign and instrument is not None and order.symbol != instrument.symbol:
            # It was adopted in the broker's words, before the master was loaded.
            order = replace(order, symbol=instrument.symbol, exchange=instrument.exchange)
        after = self._turn(before, states.merge(order, update, self._replaced(order)))
        return after if after is not before else None

    def waiter(self, order: Order) -> asyncio.Future[Order]:
        """Done when the order leaves pending, sent and unknown."""
        future: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        now = self._now(order)
        if now.state not in states.UNSETTLED:
            future.set_result(now)
        else:
            self._waiters.setdefault(order.id, []).append(future)
            future.add_done_callback(lambda done: self._forget(order.id, done))
        return future

    def unjournalled(self, order: Order) -> Order:
        """The journal did not take it, so it was not sent: who waits for it hears that."""
        for future in self._waiters.pop(order.id, ()):
            if not future.done():
                future.set_result(order)
        return order

    def _forget(self, id: str, done: asyncio.Future[Order]) -> None:
        waiting = self._waiters.get(id, [])
        if done in waiting:
            waiting.remove(done)
            if not waiting:
                del self._waiters[id]

    def expect(self, order: Order) -> None:
        """The broker took a write: it will tell what came of it."""
        if order.mode is TradingMode.LIVE:
            self._expected[order.id] = order.account, self._clock.monotonic()

    def overdue(self, account: str, seconds: float) -> bool:
        """Whether the broker has told nothing for so long that it should have told."""
        since = self._clock.monotonic() - seconds
        return any(whose == account and at <= since for whose, at in self._expected.values())

    # --- whose news ---------------------------------------------------------------------------------------------------

    def _match(
        self, account: str, mode: TradingMode, update: OrderUpdate, instrument: Instrument | None
    ) -> Order | None:
        order = self._journal.by_order_id(account, update.order_id)
        if order is not None and order.mode is mode and not self._of_another_day(order, update):
            return order
        order = self._journal.by_tag(account, update.tag) if update.tag else None
        if order is None or order.mode is not mode or order.foreign:
            return None
        other = instrument is not None and (instrument.symbol, instrument.exchange) != (order.symbol, order.exchange)
        if order.order_id not in ("", update.order_id) or update.action != order.action or other:
            log.warning("%s: %s carries the tag of %s and is another order", account, update.order_id, order.id)
            return None
        return order

    def _of_another_day(self, order: Order, update: OrderUpdate) -> bool:
        """Whether the broker gave the number of an order that ended with its day to another one today."""
        day = day_began(self._clock.now_ms())
        return order.state.is_final and order.created_at < day <= update.timestamp and not _carries(update, order)

    def _adopt(
        self, account: str, mode: TradingMode, update: OrderUpdate, instrument: Instrument | None
    ) -> Order | None:
        """Placed elsewhere, unless it may be an order of ours that has no number yet."""
        now = self._clock.now_ms()
        order = adopted(account, mode, self._owner(account), update, instrument, now)
        if order is None:
            log.debug("%s: %s is an order in terms that we do not know; it is left alone", account, update.order_id)
            return None
        if order.state.is_final and 0 < update.timestamp < day_began(now):
            return None  # settled yesterday, and told then: brokers clear their books later than we do
        if self._strays.may_be_ours(order):
            self._strays.hold(account, mode, update)
            return None
        self._save(states.kind_of(order.state), order)
        self._hear_strays(account)
        return order

    def _hear_strays(self, account: str) -> None:
        for mode, update in self._strays.take(account):
            self.heard(account, mode, update)

    # --- the journal --------------------------------------------------------------------------------------------------

    def _now(self, order: Order) -> Order:
        return self._journal.get(order.id) or order

    def _replaced(self, order: Order) -> states.Terms | None:
        terms, until = self._superseded.get(order.id, (None, 0.0))
        if terms is not None and until < self._clock.monotonic():
            del self._superseded[order.id]
            return None
        return terms

    def _end(self, order: Order, state: OrderState, reason: str, code: str) -> Order:
        """What a placement without an outcome came to; where news were faster, they stand."""
        now = self._now(order)
        if now.state not in states.UNSETTLED or (state is OrderState.UNKNOWN and now.state is state):
            return now
        return self._turn(now, replace(now, state=state, reason=reason, code=code))

    def _turn(self, before: Order, after: Order) -> Order:
        """Journal and tell what lies between two states. `before` where there is nothing."""
        if replace(after, told_at=before.told_at) == before:
            return before
        after = replace(after, updated_at=self._clock.now_ms())
        steps = list(states.steps(before, after))
        for kind, order in steps:
            self._save(kind, order)
        if not steps:
            self._journal.save(after, EventKind.NOTED)
        self._settled(before, after)
        return after

    def _save(self, kind: EventKind, order: Order) -> None:
        told: list[OrderNews] = []
        durable = self._journal.save(order, kind, lambda seq: _keep(told, order_news(kind, seq, order)))
        self._telling.put(told, durable)

    def _settled(self, before: Order, after: Order) -> None:
        if after.state.is_final:
            self._superseded.pop(after.id, None)
            self._expected.pop(after.id, None)
        if after.state not in states.UNSETTLED:
            for future in self._waiters.pop(after.id, ()):
                if not future.done():
                    future.set_result(after)
        self._strays.turned(after)
        if before.state in states.UNSETTLED and after.state not in states.UNSETTLED:
            self._hear_strays(after.account)
        if after.state is OrderState.UNKNOWN and before.state is not after.state:
            self._doubtful(after)


def _carries(update: OrderUpdate, order: Order) -> bool:
    return not order.foreign and update.tag.startswith(order.our_tag)


def _keep(told: list[OrderNews], news: OrderNews) -> OrderNews:
    told.append(news)
    return news
