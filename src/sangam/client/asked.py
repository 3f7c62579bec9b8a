"""The arguments of a strategy program, read once for all brokers. Every fault is an InvalidInput; nothing was sent."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

import msgspec

from sangam.model.books import GttLeg
from sangam.model.enums import Action, Exchange, Mode, PriceType, Product
from sangam.model.errors import InvalidInput
from sangam.model.order import MAX_CLIENT_ID, MAX_TAG, NOTHING, Change, Order, Ticket, Validity

Price = Decimal | float | int | str
Name = tuple[str, Exchange]
"""An instrument: symbol and exchange."""

E = TypeVar("E", bound=StrEnum)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a modification asks for; None stays as it is."""

    price: Decimal | None = None
    quantity: int | None = None
    trigger_price: Decimal | None = None
    price_type: PriceType | None = None

    def applied(self, order: Order) -> Change:
        """The whole new set of an order's terms."""
        return Change(
            quantity=self.quantity or order.quantity,
            price_type=self.price_type or order.price_type,
            price=order.price if self.price is None else self.price,
            trigger_price=order.trigger_price if self.trigger_price is None else self.trigger_price,
            disclosed_quantity=order.disclosed_quantity,
            validity=order.validity,
        )

    def hold(self, order: Order) -> bool:
        """Whether an order has them."""
        change = self.applied(order)
        asked = (change.quantity, change.price_type, change.price, change.trigger_price)
        return asked == (order.quantity, order.price_type, order.price, order.trigger_price)


def ticket(
    symbol: str,
    qty: int,
    side: str,
    price: Price | None,
    *,
    exchange: str,
    product: str,
    price_type: str | None,
    trigger_price: Price | None,
    client_order_id: str,
    tag: str,
    strategy: str,
    validity: str,
    wait_ms: int | None,
) -> Ticket:
    """A placement. Without a price type it is what its prices say: LIMIT, SL, SL-M, or MARKET without any."""
    limit, trigger = rupees("price", price) or NOTHING, rupees("trigger_price", trigger_price) or NOTHING
    kind = choice("price_type", PriceType, price_type) if price_type else _kind(limit, trigger)
    if kind.has_price and not limit:
        raise InvalidInput(f"A {kind} order needs a price.")
    if kind.has_trigger and not trigger:
        raise InvalidInput(f"A {kind} order needs a trigger_price.")
    if len(tag) > MAX_TAG:
        raise InvalidInput(f"tag may have at most {MAX_TAG} characters.")
    return Ticket(
        symbol=_symbol(symbol),
        exchange=choice("exchange", Exchange, exchange),
        action=choice("side", Action, side),
        quantity=quantity(qty),
        price_type=kind,
        product=choice("product", Product, product),
        price=limit,
        trigger_price=trigger,
        validity=choice("validity", Validity, validity),
        strategy=strategy,
        tag=tag,
        client_order_id=known_id(client_order_id),
        wait_ms=wait_ms,
    )


def known_id(client_order_id: str) -> str:
    if not client_order_id or len(client_order_id) > MAX_CLIENT_ID or not client_order_id.isprintable():
        raise InvalidInput(f"client_order_id must have 1 to {MAX_CLIENT_ID} printable characters.")
    return client_order_id


def terms(price: Price | None, qty: int | None, trigger_price: Price | None, price_type: str | None) -> Terms:
    asked = Terms(
        price=rupees("price", price),
        quantity=None if qty is None else quantity(qty),
        trigger_price=rupees("trigger_price", trigger_price),
        price_type=choice("price_type", PriceType, price_type) if price_type else None,
    )
    if asked == Terms():
        raise InvalidInput("A modification must name a new price, qty, trigger_price or price_type.")
    return asked


def gtt_leg(trigger_price: Price, qty: int, side: str, price: Price | None, product: str, price_type: str) -> GttLeg:
    """One leg; without a price its limit is the trigger."""
    trigger, limit = rupees("trigger_price", trigger_price), rupees("price", price)
    if not trigger:
        raise InvalidInput("A GTT needs a trigger_price.")
    return GttLeg(
        trigger=trigger,
        action=choice("side", Action, side),
        quantity=quantity(qty),
        price=limit or trigger,
        price_type=choice("price_type", PriceType, price_type),
        product=choice("product", Product, product),
    )


def instruments(symbols: str | Iterable[str | tuple[str, str]], exchange: str) -> list[Name]:
    """``SBIN``, ``NFO:NIFTY24NOV26FUT``, (symbol, exchange), or many of them; `exchange` is for those that name
    none."""
    found = []
    for each in [symbols] if isinstance(symbols, str) else symbols:
        if isinstance(each, str):
            place, colon, symbol = each.partition(":")
            name = (symbol, place) if colon and place.upper() in Exchange.__members__ else (each, exchange)
        else:
            name = each
        found.append((_symbol(name[0]), choice("exchange", Exchange, name[1])))
    if not found:
        raise InvalidInput("At least one symbol must be named.")
    return found


def mode(asked: str | int | Mode) -> Mode:
    try:
        return Mode[asked.upper()] if isinstance(asked, str) else Mode(asked)
    except (KeyError, ValueError):
        raise InvalidInput(f"mode must be one of {', '.join(Mode.__members__)}, not {asked!r}.") from None


def quantity(qty: int) -> int:
    if not isinstance(qty, int) or isinstance(qty, bool) or qty < 1:
        raise InvalidInput(f"qty must be a whole number of at least 1, not {qty!r}.")
    return qty


def rupees(name: str, value: Price | None) -> Decimal | None:
    """Exactly as written: a float's shortest text is what the caller meant."""
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise InvalidInput(f"{name} must be a price of 0 or more, not {value!r}.")
    return number


def choice(name: str, kind: type[E], value: str) -> E:
    try:
        return kind(value.strip().upper())
    except (AttributeError, ValueError):
        raise InvalidInput(f"{name} must be one of {', '.join(kind)}, not {value!r}.") from None


def _kind(limit: Decimal, trigger: Decimal) -> PriceType:
    if trigger:
        return PriceType.SL if limit else PriceType.SL_M
    return PriceType.LIMIT if limit else PriceType.MARKET


def _symbol(symbol: str) -> str:
    if not isinstance(symbol, str) or not symbol.strip():
        raise InvalidInput(f"symbol must be a text, not {symbol!r}.")
    return symbol.strip().upper()
