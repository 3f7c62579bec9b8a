"""The orders of one account as its broker tells of them: merged, and told on as events."""

import base64
from collections.abc import Callable, Mapping
from decimal import Decimal
from hashlib import sha256

from msgspec.structs import replace

from sangam.brokers.contract import Tag
from sangam.model.enums import Action, OrderStatus, PriceType, Product
from sangam.model.errors import Conflict, OrderNotFound
from sangam.model.order import OrderState, OrderUpdate, Ticket, TradingMode, Validity

from .answers import OrderInfo
from .asked import Terms
from .listing import Listing

LETTERS = 10
DIGITS = 9
EVENTS = {
    OrderState.COMPLETE: "ORDER_FILLED",
    OrderState.CANCELLED: "ORDER_CANCELLED",
    OrderState.REJECTED: "ORDER_REJECTED",
}
_UNHEARD = (OrderState.PENDING, OrderState.SENT, OrderState.UNKNOWN)

Tell = Callable[[OrderInfo], None]


def tag_of(client_order_id: str, tag: Tag) -> str:
    """What the broker is given to echo. The same id has the same tag in every run of the program, so an order can be
    found again that was placed before a crash."""
    digest = sha256(client_order_id.encode()).digest()
    if tag.kind == "int":
        return str(10 ** (DIGITS - 1) + int.from_bytes(digest[:8]) % (9 * 10 ** (DIGITS - 1)))
    return base64.b32encode(digest)[:LETTERS].decode()


class OwnOrders:
    """`tell` hears of every change, with the name of the event and its number."""

    def __init__(self, account: str, broker: str, tag: Tag, tell: Tell, mode: TradingMode = TradingMode.LIVE) -> None:
        self.listing = Listing(())
        self._account = account
        self._broker = broker
        self._tag = tag
        self._tell = tell
        self._mode = mode
        self._prefix = "P-" if mode is TradingMode.PAPER else "L-"
        self._tickets: dict[str, Ticket] = {}
        self._orders: dict[str, OrderInfo] = {}
        self._by_order_id: dict[str, str] = {}
        self._by_client: dict[str, str] = {}
        self._seq = 0

    # --- which there are ----------------------------------------------------------------------------------------------

    def all(self) -> list[OrderInfo]:
        """Newest first."""
        return sorted(self._orders.values(), key=lambda order: (order.created_at, order.order_id), reverse=True)

    def find(self, reference: str) -> OrderInfo | None:
        """By the broker's id, ours, or the client order id."""
        id = self._by_order_id.get(reference) or self._by_client.get(reference, reference)
        return self._orders.get(id)

    def known(self, reference: str) -> OrderInfo:
        order = self.find(reference)
        if order is None:
            raise OrderNotFound(f"Order {reference} not found")
        return order

    def standing(self, ticket: Ticket) -> OrderInfo | None:
        """The order that this placement would repeat, from this run of the program or, by its tag, from a former one.
        Raises Conflict where that is another order."""
        id = ticket.client_order_id
        order = self.find(id) or self._orders.get(self._id(id))
        if order is None:
            return None
        if not order.client_order_id:
            self._by_client[id] = order.id
            order = self._orders[order.id] = replace(order, client_order_id=id)
        before = self._tickets.get(id)
        same = _same(before, ticket) if before is not None else _alike(order, ticket)
        if not same:
            text = f"client_order_id '{id}' belongs to another order already. Nothing was sent."
            raise Conflict(text, order=order)
        return order

    # --- what becomes of them -----------------------------------------------------------------------------------------

    def begin(self, ticket: Ticket, now_ms: int) -> OrderInfo:
        """An order that is about to be sent."""
        order = OrderInfo(
            id=self._id(ticket.client_order_id),
            account=self._account,
            user="",
            broker=self._broker,
            mode=self._mode,
            **ticket.asked,
            created_at=now_ms,
            updated_at=now_ms,
        )
        self._orders[order.id] = order
        self._by_client[order.client_order_id] = order.id
        self._tickets[order.client_order_id] = ticket
        return order

    def forget(self, order: OrderInfo) -> None:
        """It was not sent: its client order id is free again."""
        self._orders.pop(order.id, None)
        self._by_client.pop(order.client_order_id, None)
        self._tickets.pop(order.client_order_id, None)

    def accepted(self, id: str, order_id: str, native: Mapping[str, str], now_ms: int) -> OrderInfo:
        """The broker took it into its books; news may have come before this answer."""
        order = self._orders[id]
        return order if order.order_id else self._placed(order, order_id, native, now_ms)

    def refused(self, id: str, reason: str, code: str, now_ms: int) -> OrderInfo:
        order = replace(self._orders[id], state=OrderState.REJECTED, reason=reason, code=code, updated_at=now_ms)
        return self._changed(order, "ORDER_REJECTED")

    def doubted(self, id: str, now_ms: int) -> OrderInfo:
        """It was sent, and the answer is missing. News that came meanwhile win."""
        order = self._orders[id]
        if order.state not in _UNHEARD:
            return order
        return self._changed(replace(order, state=OrderState.UNKNOWN, updated_at=now_ms), "ORDER_UNKNOWN")

    def modified(self, id: str, terms: Terms, now_ms: int) -> OrderInfo:
        order = self._orders[id]
        change = terms.applied(order)
        new = replace(
            order,
            quantity=change.quantity,
            price_type=change.price_type,
            price=change.price,
            trigger_price=change.trigger_price,
            updated_at=now_ms,
        )
        return order if _terms(new) == _terms(order) else self._changed(new, "ORDER_MODIFIED")

    def heard(self, update: OrderUpdate, *, quietly: bool = False) -> OrderInfo | None:
        """Merge what the broker tells. News may repeat and overtake one another: what ended stays ended, the filled
        quantity never falls, and older news change nothing else. None for an exchange that is none of ours."""
        order = self._order(update)
        if order is None:
            return None
        if not order.order_id:
            untold = quietly or update.status == OrderStatus.REJECTED
            order = self._placed(order, update.order_id, update.native, update.timestamp, untold=untold)
        new = _merged(order, update)
        if (_terms(new), new.state, new.filled_quantity) == (_terms(order), order.state, order.filled_quantity):
            self._orders[order.id] = new
            return new
        return self._changed(new, "" if quietly else _event(order, new))

    def _placed(
        self, order: OrderInfo, order_id: str, native: Mapping[str, str], now_ms: int, *, untold: bool = False
    ) -> OrderInfo:
        self._by_order_id[order_id] = order.id
        state = OrderState.TRIGGER_PENDING if order.trigger_price > 0 else OrderState.OPEN
        order = replace(order, order_id=order_id, native=native, state=state, updated_at=now_ms)
        return self._changed(order, "" if untold else "ORDER_PLACED")

    def _order(self, update: OrderUpdate) -> OrderInfo | None:
        known = self._orders.get(self._by_order_id.get(update.order_id, ""))
        if known is None:
            tagged = self._orders.get(self._tagged(update.tag))
            known = tagged if tagged is not None and not tagged.order_id else None
        return known or self._foreign(update)

    def _foreign(self, update: OrderUpdate) -> OrderInfo | None:
        """Placed elsewhere, or in a former run of this program."""
        instrument = self.listing.native(update)
        if instrument is None:
            return None
        ours = self._tagged(update.tag)
        order = OrderInfo(
            id=f"{self._prefix}{update.order_id}"
            if ours in self._orders
            else ours or f"{self._prefix}{update.order_id}",
            account=self._account,
            user="",
            broker=self._broker,
            mode=self._mode,
            symbol=instrument.symbol,
            exchange=instrument.exchange,
            action=Action(update.action),
            quantity=update.quantity,
            price_type=PriceType(update.price_type) if update.price_type else PriceType.LIMIT,
            product=Product(update.product) if update.product else Product.MIS,
            price=_rupees(update.price),
            trigger_price=_rupees(update.trigger_price),
            validity=Validity(update.validity),
            tag=update.tag,
            created_at=update.timestamp,
            foreign=True,
        )
        self._orders[order.id] = order
        return order

    def _changed(self, order: OrderInfo, event: str) -> OrderInfo:
        self._orders[order.id] = order
        if event:
            self._seq += 1
            self._tell(replace(order, event=event, seq=self._seq))
        return order

    def _tagged(self, tag: str) -> str:
        """Our id of an order that the broker echoes this of; empty where it is no tag of ours."""
        size = {"text": LETTERS, "int": DIGITS, "none": 0}[self._tag.kind]
        return f"{self._prefix}{tag[:size]}" if size and len(tag) >= size else ""

    def _id(self, client_order_id: str) -> str:
        return f"{self._prefix}{tag_of(client_order_id, self._tag)}"


def _same(one: Ticket, other: Ticket) -> bool:
    """But for how long they may wait."""
    return replace(one, wait_ms=None) == replace(other, wait_ms=None)


def _alike(order: OrderInfo, ticket: Ticket) -> bool:
    """Terms may have been modified since."""
    return (order.symbol, order.exchange, order.action) == (ticket.symbol, ticket.exchange, ticket.action)


def _merged(order: OrderInfo, update: OrderUpdate) -> OrderInfo:
    filled = max(order.filled_quantity, update.filled_quantity)
    newest = update.timestamp >= order.told_at
    average = update.average_price if update.filled_quantity == filled and update.average_price else order.average_price
    new = replace(order, filled_quantity=filled, average_price=average, told_at=max(order.told_at, update.timestamp))
    state = OrderState.told(update.status)
    if order.state.is_final or not (newest or state.is_final):
        return new
    if state is OrderState.OPEN and filled > 0:
        state = OrderState.PARTIALLY_FILLED
    limited = order.price_type.has_price and update.price > 0
    return replace(
        new,
        state=state,
        quantity=update.quantity,
        price=_rupees(update.price) if limited else order.price,
        trigger_price=_rupees(update.trigger_price) if update.trigger_price > 0 else order.trigger_price,
        reason=update.rejection_reason or order.reason,
        native={**order.native, **update.native},
        updated_at=update.timestamp or order.updated_at,
    )


def _event(old: OrderInfo, new: OrderInfo) -> str:
    if new.state is not old.state and new.state in EVENTS:
        return EVENTS[new.state]
    if new.filled_quantity > old.filled_quantity:
        return "ORDER_PARTIALLY_FILLED"
    if old.state is OrderState.TRIGGER_PENDING and new.state is OrderState.OPEN:
        return "ORDER_TRIGGERED"
    return "" if _terms(new) == _terms(old) else "ORDER_MODIFIED"


def _terms(order: OrderInfo) -> tuple[object, ...]:
    return order.quantity, order.price_type, order.price, order.trigger_price


def _rupees(price: float) -> Decimal:
    return Decimal(repr(price))
