"""The order desk: clients' orders from their arrival to their end, on the markets of an exchange."""

from collections.abc import Callable, Mapping
from datetime import date
from itertools import count

import msgspec

from sangam.model.enums import Action, OrderStatus, PriceType, Product

from .book import Resting
from .listing import Id
from .market import Market
from .orders import Kind, Ledger, Order, Trade, Validity
from .stops import Stops

MAX_MODIFICATIONS = 25
"""How often one order may be modified."""


class Refusal(Exception):
    """The exchange did not make a change or a cancel; the text says why."""


class Desk:
    """`hold` and `release` are told when an order begins and ends to wait in a market."""

    def __init__(
        self, now_ms: Callable[[], int], hold: Callable[[Market], None], release: Callable[[Market], None]
    ) -> None:
        self.ledger = Ledger()
        self.listeners: list[Callable[[Order], None]] = []
        self._now_ms = now_ms
        self._hold = hold
        self._release = release
        self._numbers = count(1)
        self._resting: dict[str, Resting] = {}
        self._stops: dict[Id, Stops] = {}

    def place(
        self,
        day: date,
        market: Market,
        owner: str,
        action: Action,
        quantity: int,
        price_type: PriceType,
        price: float,
        trigger_price: float,
        product: Product,
        tag: str,
        *,
        validity: Validity = Validity.DAY,
        variety: str = "",
        terms: Mapping[str, float | str] | None = None,
        held: bool = False,
        refusal: str = "",
    ) -> Order:
        now = self._now_ms()
        order = Order(
            order_id=f"{day:%y%m%d}{next(self._numbers):09d}",
            owner=owner,
            symbol=market.contract.symbol,
            exchange=market.contract.exchange,
            action=action,
            quantity=quantity,
            price_type=price_type,
            price=price,
            trigger_price=trigger_price,
            product=product,
            validity=validity,
            tag=tag,
            variety=variety,
            terms=dict(terms or {}),
            held=held,
            placed=now,
            updated=now,
        )
        if reason := refusal or _fault(market, order):
            order.status, order.reason = OrderStatus.REJECTED, reason
            self._tell(Kind.REJECTED, order)
            return order
        if not held and _waits_for_trigger(market, order):
            order.status = OrderStatus.TRIGGER_PENDING
        self._tell(Kind.PLACED, order)
        if not held:
            self._admit(market, order)
            self.settle(market)
        return order

    def modify(
        self, market: Market, order: Order, quantity: int, price: float, trigger_price: float, price_type: PriceType
    ) -> None:
        """Change a waiting order; it goes to the end of its new queue. Raises Refusal and changes nothing."""
        changed = msgspec.structs.replace(
            order, quantity=quantity, price=price, trigger_price=trigger_price, price_type=price_type
        )
        if order.modifications >= MAX_MODIFICATIONS:
            raise Refusal("Maximum allowed order modifications exceeded")
        if quantity <= order.filled_quantity:
            raise Refusal("Quantity must be more than what is filled already")
        if (reason := _fault(market, changed)) is not None:
            raise Refusal(reason)
        self._withdraw(market, order)
        anew = order.status is OrderStatus.TRIGGER_PENDING or price_type is not order.price_type
        order.quantity, order.price, order.trigger_price = quantity, price, trigger_price
        order.price_type = price_type
        order.modifications += 1
        if anew and not order.held:
            waits = _waits_for_trigger(market, order)
            order.status = OrderStatus.TRIGGER_PENDING if waits else OrderStatus.OPEN
        self._tell(Kind.MODIFIED, order)
        if not order.held:
            self._admit(market, order)
            self.settle(market)

    def release(self, market: Market, order: Order) -> None:
        """Let a held order into the market."""
        order.held = False
        if _waits_for_trigger(market, order):
            order.status = OrderStatus.TRIGGER_PENDING
        self._tell(Kind.RELEASED, order)
        self._admit(market, order)
        self.settle(market)

    def cancel(self, market: Market, order: Order, reason: str = "") -> None:
        self._withdraw(market, order)
        self._cancelled(order, reason)

    def waiting(self, order_id: str) -> Order:
        """An order that can still be changed. Raises Refusal."""
        order = self.ledger.orders.get(order_id)
        if order is None:
            raise Refusal(f"No such order: {order_id}")
        if order.status.is_final:
            raise Refusal(f"Order is {order.status.value} already")
        return order

    def settle(self, market: Market) -> None:
        """Book what hit resting client orders, and let stops go that the last price triggered, until all is quiet."""
        while True:
            fills, market.fills = market.fills, []
            for fill in fills:
                order = self.ledger.orders[str(fill.resting.client)]
                self._fill(market, order, fill.price, fill.quantity)
                if fill.resting.quantity == 0:
                    del self._resting[order.order_id]
                    self._release(market)
            stops = self._stops.get(market.contract.id)
            if stops is None or (triggered := stops.triggered(market.ltp)) is None:
                return
            stops.remove(triggered)
            self._release(market)
            triggered.status = OrderStatus.OPEN
            self._tell(Kind.TRIGGERED, triggered)
            self._execute(market, triggered)

    # --- the life of one order ----------------------------------------------------------------------------------------

    def _admit(self, market: Market, order: Order) -> None:
        """A stop waits for its trigger; anything else meets the book."""
        if order.status is OrderStatus.TRIGGER_PENDING:
            trigger = round(order.trigger_price / market.contract.tick_size)
            self._stops.setdefault(market.contract.id, Stops()).add(order, trigger)
            self._hold(market)
        else:
            self._execute(market, order)

    def _execute(self, market: Market, order: Order) -> None:
        buy = order.action is Action.BUY
        limit = round(order.price / market.contract.tick_size) if order.price_type.has_price else None
        for fill in market.execute(buy, order.pending_quantity, limit, self._now_ms()):
            self._fill(market, order, fill.price, fill.quantity)
        if not order.pending_quantity:
            return
        if limit is None or order.validity is Validity.IOC:
            self._cancelled(order, "No more liquidity on the other side" if limit is None else "")
            return
        resting = Resting(buy, limit, order.pending_quantity, client=order.order_id)
        market.rest(resting)
        self._resting[order.order_id] = resting
        self._hold(market)

    def _withdraw(self, market: Market, order: Order) -> None:
        if order.held:
            return
        if (resting := self._resting.pop(order.order_id, None)) is not None:
            market.withdraw(resting)
        else:
            self._stops[market.contract.id].remove(order)
        self._release(market)

    def _fill(self, market: Market, order: Order, ticks: int, quantity: int) -> None:
        price = market.rupees(ticks)
        value = order.average_price * order.filled_quantity + price * quantity
        order.filled_quantity += quantity
        order.average_price = round(value / order.filled_quantity, 4)
        if order.filled_quantity == order.quantity:
            order.status = OrderStatus.COMPLETE
        number = f"{len(self.ledger.trades) + 1:08d}"
        self._tell(Kind.FILLED, order, Trade(number, order.order_id, price, quantity, self._now_ms()))

    def _cancelled(self, order: Order, reason: str) -> None:
        order.status, order.reason = OrderStatus.CANCELLED, reason
        self._tell(Kind.CANCELLED, order)

    def _tell(self, kind: Kind, order: Order, trade: Trade | None = None) -> None:
        order.updated = self._now_ms()
        order.changes += 1
        self.ledger.write(order.updated, kind, order, trade)
        for listener in list(self.listeners):
            listener(order)


def _waits_for_trigger(market: Market, order: Order) -> bool:
    return order.price_type.has_trigger and not _triggered(order, market)


def _triggered(order: Order, market: Market) -> bool:
    trigger = round(order.trigger_price / market.contract.tick_size)
    return market.ltp >= trigger if order.action is Action.BUY else market.ltp <= trigger


def _fault(market: Market, order: Order) -> str | None:
    """Why the exchange would not take an order."""
    contract = market.contract
    if market.is_index:
        return "An index cannot be traded"
    if order.quantity <= 0 or order.quantity % contract.lot_size:
        return f"Quantity must be a multiple of the lot size {contract.lot_size}"
    prices = [("Price", order.price)] if order.price_type.has_price else []
    prices += [("Trigger price", order.trigger_price)] if order.price_type.has_trigger else []
    for name, price in prices:
        ticks = price / contract.tick_size
        if abs(ticks - round(ticks)) > 1e-6:
            return f"{name} must be a multiple of the tick size {contract.tick_size}"
        if not market.lower_circuit <= round(ticks) <= market.upper_circuit:
            low, high = market.rupees(market.lower_circuit), market.rupees(market.upper_circuit)
            return f"{name} is outside the day's range {low} to {high}"
    return None
