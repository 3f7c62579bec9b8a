"""One user's paper book: his orders, matched against quotes that are given to it.

Pure: no clock, no I/O. Prices and times come in; what changed is left in `dirty` for whoever stores it and in `news`
for whoever tells of it."""

import base64
import hashlib
from collections.abc import Callable
from decimal import Decimal

import msgspec

from sangam.model.clock import ist_from_ms
from sangam.model.enums import Exchange, OrderStatus, PriceType, Product
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument
from sangam.model.order import Change, Validity

from . import admission, gtt, margin, matching
from .charges import charges
from .config import Config
from .judgement import Uncovered, judge, opening, unit_of
from .ledger import Ledger
from .quote import Quote
from .state import ZERO, Balance, DayResult, PaperGtt, PaperOrder, PaperPosition, PaperTrade, PositionKey
from .waiting import Waiting

Spot = tuple[str, Exchange]
"""An instrument's symbol and exchange."""

ENDED = (OrderStatus.COMPLETE, OrderStatus.CANCELLED, OrderStatus.REJECTED)


class PaperBook:
    """`multiplier(instrument)` is how many rupees one unit gains when the price gains one; `always_open(account)` says
    that an account's market knows no hours, so intraday positions are never squared off."""

    def __init__(
        self,
        user: str,
        config: Config,
        balance: Balance,
        multiplier: Callable[[Instrument], Decimal] = lambda instrument: Decimal(1),
        always_open: Callable[[str], bool] = lambda account: False,
    ) -> None:
        self.user = user
        self.config = config
        self.ledger = Ledger(balance)
        self.orders: dict[str, PaperOrder] = {}
        self.trades: list[PaperTrade] = []
        self.gtts: dict[str, PaperGtt] = {}
        self.days: dict[str, DayResult] = {}
        self.open: dict[Spot, Waiting] = {}
        self.armed: dict[Spot, dict[str, PaperGtt]] = {}
        self.closings: set[PositionKey] = set()
        self.wiped: set[str] = set()
        self.dirty: dict[tuple[str, str], msgspec.Struct | None] = {}
        self.news: list[PaperOrder] = []
        self.always_open = always_open
        self._multiplier = multiplier
        self._taken: dict[Spot, matching.Taken] = {}

    # --- orders -------------------------------------------------------------------------------------------------------

    def place(self, order: PaperOrder, quote: Quote | None, now_ms: int, *, forced: bool = False) -> PaperOrder:
        """Admit an order and match it. Raises Refused; one that a broker's books would show as rejected is kept so.

        `forced` orders (square-off, settlement) are not judged."""
        if (known := self.orders.get(order.id)) is not None:
            return known
        order.day = self.ledger.balance.session
        order.created_at = order.updated_at = now_ms
        order.stamp = quote.stamp if quote else ()
        if forced:
            units, unit = opening(self, order), unit_of(self, order, quote)
        else:
            try:
                units, unit = judge(self, order, quote, self.ledger.available, now_ms)
            except Uncovered as refused:
                order.status, order.reason = OrderStatus.REJECTED, str(refused)
                self.orders[order.id] = self.dirty["order", order.id] = order
                raise
        self.orders[order.id] = self._waiting(order)[order.id] = order
        self.ledger.block(order, units, unit)
        if matching.waits_for_trigger(order) and not (quote and matching.triggered(order, quote)):
            order.status = OrderStatus.TRIGGER_PENDING
        self._changed(order, now_ms)
        self._work(order, quote, now_ms, entering=True)
        if order.status not in ENDED:
            self._wait(order)
        return order

    def modify(self, order_id: str, change: Change, quote: Quote | None, now_ms: int) -> PaperOrder:
        """Give a waiting order new terms and match it anew. Raises Refused, and then nothing changed."""
        order = admission.refuse_change(self.orders.get(order_id), order_id, "modify")
        new = msgspec.structs.replace(
            order,
            quantity=change.quantity,
            price_type=change.price_type,
            price=change.price,
            trigger_price=change.trigger_price,
            disclosed_quantity=change.disclosed_quantity,
            validity=change.validity,
            stamp=quote.stamp if quote else (),
        )
        if new.remaining <= 0:
            raise Refused(f"Quantity must be more than the {order.filled} filled already", admission.INVALID_ORDER)
        units, unit = judge(self, new, quote, self.ledger.available + order.blocked, now_ms)
        for name in ("quantity", "price_type", "price", "trigger_price", "disclosed_quantity", "validity", "stamp"):
            setattr(order, name, getattr(new, name))
        self.ledger.block(order, units, unit)
        waits = matching.waits_for_trigger(order) and not (quote and matching.triggered(order, quote))
        order.status = OrderStatus.TRIGGER_PENDING if waits else OrderStatus.OPEN
        self._changed(order, now_ms)
        self._work(order, quote, now_ms, entering=True)
        if order.status not in ENDED:
            self._waiting(order).enter(order)
        return order

    def cancel(self, order_id: str, now_ms: int, reason: str = "") -> PaperOrder:
        """Raises Refused."""
        order = admission.refuse_change(self.orders.get(order_id), order_id, "cancel")
        self._end(order, OrderStatus.CANCELLED, reason, now_ms)
        return order

    def on_quote(self, instrument: Spot, quote: Quote, now_ms: int) -> None:
        """Match what waits in an instrument, oldest order first, and mark what is held of it."""
        waiting = self.open.get(instrument)
        for order in waiting.reached(quote) if waiting else ():
            if order.status not in ENDED:
                self._work(order, quote, now_ms, entering=False)
                if order.status not in ENDED:
                    self._waiting(order).enter(order)
        if quote.ltp:
            gtt.release(self, instrument, quote, now_ms)
            self.mark(instrument, quote.ltp)

    def mark(self, instrument: Spot, ltp: Decimal) -> None:
        for product in Product:
            if (position := self.ledger.positions.get((*instrument, product))) is not None:
                position.ltp = ltp
        if (holding := self.ledger.holdings.get(instrument)) is not None:
            holding.ltp = ltp

    def multiplier(self, instrument: Instrument) -> Decimal:
        return self._multiplier(instrument)

    # --- the life of one order ----------------------------------------------------------------------------------------

    def _work(self, order: PaperOrder, quote: Quote | None, now_ms: int, *, entering: bool) -> None:
        """Match an order against a quote; without one it waits."""
        if quote is not None:
            if matching.waits_for_trigger(order):
                if not matching.triggered(order, quote):
                    return
                order.triggered, entering = True, True
                if order.status is OrderStatus.TRIGGER_PENDING:
                    order.status = OrderStatus.OPEN
                    self._changed(order, now_ms)
            self._match(order, quote, now_ms, entering)
        elif matching.waits_for_trigger(order):
            return
        if order.validity is Validity.IOC and entering and order.status not in ENDED:
            self._end(order, OrderStatus.CANCELLED, "Immediate or cancel: nothing more to be had", now_ms)

    def _match(self, order: PaperOrder, quote: Quote, now_ms: int, entering: bool) -> None:
        at = spot(order.instrument)
        taken = self._taken.setdefault(at, matching.Taken()) if self.config.depth_fills else None
        takes = entering or not order.stamp or not order.price_type.has_price
        for price, quantity in (matching.taking if takes else matching.resting)(order, quote, taken):
            if order.closing and quantity > -order.sign * self.ledger.quantity(order.key):
                self._close_rest(order, price, now_ms)
                return
            if self.ledger.lacks(order, quantity):
                text = admission.short_of_funds(margin.amount(quantity, order.unit), self.ledger.available)
                self._end(order, OrderStatus.CANCELLED, text, now_ms)
                return
            self.fill(order, quantity, price, now_ms)
        order.stamp = quote.stamp

    def _close_rest(self, order: PaperOrder, price: Decimal, now_ms: int) -> None:
        """The last fill of a square-off whose position became smaller beside it."""
        if (left := -order.sign * self.ledger.quantity(order.key)) > 0:
            self.fill(order, left, price, now_ms)
        self._end(order, OrderStatus.CANCELLED, "The position is closed", now_ms)

    def fill(self, order: PaperOrder, quantity: int, price: Decimal, now_ms: int) -> None:
        """Book one fill of an order."""
        instrument = order.instrument
        multiplier = self.multiplier(instrument)
        position, _ = self.ledger.fill(order, quantity, price, multiplier, now_ms)
        turnover = quantity * price * multiplier
        cost = charges(instrument, order.product, order.action, turnover).total if self.config.charges else ZERO
        self.ledger.charge(cost)
        order.filled += quantity
        order.value += quantity * price
        trade = PaperTrade(
            trade_id=f"TRADE-{ist_from_ms(now_ms):%Y%m%d-%H%M%S}-{self.number():08x}",
            order_id=order.id,
            account=order.account,
            instrument=instrument,
            action=order.action,
            product=order.product,
            quantity=quantity,
            price=price,
            charges=cost,
            strategy=order.strategy,
            day=self.ledger.balance.session,
            timestamp=now_ms,
        )
        self.trades.append(trade)
        self.dirty["trade", trade.trade_id] = trade
        self.keep(position)
        if order.remaining:
            order.status = OrderStatus.OPEN
            self._changed(order, now_ms)
        else:
            self._end(order, OrderStatus.COMPLETE, "", now_ms)

    def _waiting(self, order: PaperOrder) -> Waiting:
        return self.open.setdefault(spot(order.instrument), Waiting())

    def _wait(self, order: PaperOrder) -> None:
        self._waiting(order).enter(order)
        if order.closing:
            self.closings.add(order.key)

    def _end(self, order: PaperOrder, status: OrderStatus, reason: str, now_ms: int) -> None:
        self.ledger.unblock(order)
        order.status, order.reason = status, reason
        at = spot(order.instrument)
        waiting = self.open[at]
        del waiting[order.id]
        if order.closing:
            self.closings.discard(order.key)
        if not waiting:
            del self.open[at]
            self._taken.pop(at, None)
        self._changed(order, now_ms)

    def _changed(self, order: PaperOrder, now_ms: int) -> None:
        order.updated_at = now_ms
        self.dirty["order", order.id] = order
        self.news.append(msgspec.structs.replace(order))

    # --- what is stored -----------------------------------------------------------------------------------------------

    def keep(self, position: PaperPosition) -> None:
        """A position changed, and with it the money."""
        self.dirty["position", position_id(position.key)] = position
        self.keep_balance()

    def keep_balance(self) -> None:
        self.dirty["balance", ""] = self.ledger.balance

    def number(self) -> int:
        """The next number for something that this book names itself; never given twice."""
        balance = self.ledger.balance
        balance.serial += 1
        self.keep_balance()
        return balance.serial

    def own_order_id(self, now_ms: int) -> str:
        """For an order that nobody placed from outside."""
        seed = f"{self.user} {self.number()} {now_ms}".encode()
        digest = hashlib.blake2b(seed, digest_size=10).digest()
        return "P-" + base64.b32encode(digest).decode()[:10]

    def close_at(self, position: PaperPosition, price: Decimal, strategy: str, now_ms: int) -> None:
        """Close a whole position at a price, by an order of our own."""
        order = self.closing(position, strategy, now_ms)
        order.day = self.ledger.balance.session
        self.orders[order.id] = self._waiting(order)[order.id] = order
        self.fill(order, order.quantity, price, now_ms)

    def closing(self, position: PaperPosition, strategy: str, now_ms: int) -> PaperOrder:
        """The MARKET order that would close a position."""
        return PaperOrder(
            id=self.own_order_id(now_ms),
            account=position.account,
            instrument=position.instrument,
            action=position.exit,
            quantity=abs(position.quantity),
            price_type=PriceType.MARKET,
            product=position.product,
            strategy=strategy,
            tag=strategy,
            closing=True,
            created_at=now_ms,
        )

    def restore(self, order: PaperOrder) -> None:
        """An order as it was stored."""
        self.orders[order.id] = order
        self.ledger.used += order.blocked
        if order.status not in ENDED:
            self._wait(order)


def position_id(key: PositionKey) -> str:
    return f"{key[1]}:{key[0]}:{key[2]}"


def holding_id(key: Spot) -> str:
    return f"{key[1]}:{key[0]}"


def spot(instrument: Instrument) -> Spot:
    return instrument.symbol, instrument.exchange
