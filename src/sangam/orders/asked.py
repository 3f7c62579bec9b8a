"""What a caller asks for, read strictly from the fields of a message: numbers may be texts, nothing is guessed.

Every fault is an InvalidInput that names the field; nothing was sent then."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from sangam.model.books import GttLeg
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import InvalidInput
from sangam.model.order import MAX_CLIENT_ID, MAX_TAG, MAX_WAIT_MS, NOTHING, Change, Order, Ticket, Validity

from .gtt import gtt_legs

MAX_TEXT = 100
"""Characters of a symbol, a strategy, an id."""

_MAX_QUANTITY = 10**9
_MAX_PRICE = Decimal(10**9)

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


class TriggerType(StrEnum):
    SINGLE = "SINGLE"
    OCO = "OCO"


class Asked:
    """One message's fields. A field may have several names, of which the first one present counts; `at` leads the names
    of an entry of a list in messages of errors (``orders[2].``). Empty texts and null are as good as absent."""

    def __init__(self, fields: Mapping[str, Any], at: str = "") -> None:
        self._fields = fields
        self._at = at

    def text(self, *names: str, limit: int = MAX_TEXT) -> str:
        """Empty where it is absent. Numbers are taken for ids that a program keeps as such."""
        name, value = self._find(names)
        if value is None:
            return ""
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise self._fault(name, "must be a text", value)
        value = value.strip()
        if len(value) > limit or not value.isprintable():
            raise self._fault(name, f"must have at most {limit} printable characters", value)
        return value

    def needed(self, *names: str, limit: int = MAX_TEXT) -> str:
        text = self.text(*names, limit=limit)
        if not text:
            raise InvalidInput(f"{self._at}{names[0]} is missing.")
        return text

    def whole(self, *names: str, least: int = 0, most: int = _MAX_QUANTITY) -> int | None:
        """A whole number (``10``, ``"10"``, ``10.0``), None where it is absent."""
        name, value = self._find(names)
        if value is None:
            return None
        number = self._decimal(name, value)
        if number != number.to_integral_value() or not least <= number <= most:
            raise self._fault(name, f"must be a whole number from {least} to {most}", value)
        return int(number)

    def price(self, *names: str) -> Decimal | None:
        """Rupees, not negative, exactly as written; None where it is absent."""
        name, value = self._find(names)
        if value is None:
            return None
        number = self._decimal(name, value)
        if not 0 <= number <= _MAX_PRICE:
            raise self._fault(name, f"must be rupees from 0 to {_MAX_PRICE}", value)
        return number

    def choice(self, kind: type[E], *names: str) -> E | None:
        """One of an enumeration's values, in any case; None where it is absent."""
        name, value = self._find(names)
        if value is None:
            return None
        if isinstance(value, str):
            try:
                return kind(value.strip().upper())
            except ValueError:
                pass
        raise self._fault(name, f"must be one of {', '.join(kind)}", value)

    def known(self, name: str, value: T | None) -> T:
        """A value that has no default."""
        if value is None:
            raise InvalidInput(f"{self._at}{name} is missing.")
        return value

    def entries(self, name: str, most: int) -> list["Asked"]:
        """The objects of a list that must not be empty."""
        rows = self._fields.get(name)
        if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) for row in rows):
            raise InvalidInput(f"{self._at}{name} must be a list of objects with at least one.")
        if len(rows) > most:
            raise InvalidInput(f"{self._at}{name} may have at most {most} entries, not {len(rows)}.")
        return [Asked(row, f"{self._at}{name}[{index}].") for index, row in enumerate(rows)]

    def _find(self, names: tuple[str, ...]) -> tuple[str, Any]:
        for name in names:
            value = self._fields.get(name)
            if value is not None and value != "":
                return name, value
        return names[0], None

    def _decimal(self, name: str, value: object) -> Decimal:
        """A number, or the text of one. A float's shortest text is what the client wrote."""
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            text = str(value).strip()
            try:
                number = Decimal(text)
            except InvalidOperation:
                number = Decimal("NaN")
            if number.is_finite() and len(text) <= 30 and "_" not in text:
                return number
        raise self._fault(name, "must be a number", value)

    def _fault(self, name: str, what: str, value: object) -> InvalidInput:
        shown = str(value)
        return InvalidInput(f"{self._at}{name} {what}, not {shown if len(shown) <= 40 else shown[:37] + '...'!r}.")


def ticket(asked: Asked) -> Ticket:
    """A placement. Symbol, exchange, side and quantity have no default."""
    exchange, action = asked.choice(Exchange, "exchange"), asked.choice(Action, "side", "action")
    return Ticket(
        symbol=asked.needed("symbol"),
        exchange=asked.known("exchange", exchange),
        action=asked.known("side", action),
        quantity=asked.known("quantity", asked.whole("quantity", "qty", least=1)),
        price_type=asked.choice(PriceType, "price_type", "pricetype", "order_type") or PriceType.MARKET,
        product=asked.choice(Product, "product") or Product.MIS,
        price=asked.price("price") or NOTHING,
        trigger_price=asked.price("trigger_price") or NOTHING,
        disclosed_quantity=asked.whole("disclosed_quantity") or 0,
        validity=asked.choice(Validity, "validity") or Validity.DAY,
        strategy=asked.text("strategy"),
        tag=asked.text("tag", limit=MAX_TAG),
        client_order_id=asked.text("client_order_id", limit=MAX_CLIENT_ID),
        wait_ms=asked.whole("timeout_ms", most=MAX_WAIT_MS),
    )


def change(asked: Asked, order: Order) -> Change:
    """New terms of an order: what is not named stays as it is."""

    def kept(told: Decimal | None, present: Decimal) -> Decimal:
        return present if told is None else told

    disclosed = asked.whole("disclosed_quantity")
    return Change(
        quantity=asked.whole("quantity", "qty", least=1) or order.quantity,
        price_type=asked.choice(PriceType, "price_type", "pricetype", "order_type") or order.price_type,
        price=kept(asked.price("price"), order.price),
        trigger_price=kept(asked.price("trigger_price"), order.trigger_price),
        disclosed_quantity=order.disclosed_quantity if disclosed is None else disclosed,
        validity=asked.choice(Validity, "validity") or order.validity,
    )


def trigger_legs(asked: Asked) -> tuple[GttLeg, ...]:
    """One leg, or two (``trigger_type`` OCO). The price of a single one is its trigger where none is named."""
    kind = asked.choice(TriggerType, "trigger_type") or TriggerType.SINGLE
    trigger = asked.price("trigger_price", "triggerprice_sl") or NOTHING
    target = asked.price("triggerprice_tg") or NOTHING
    if kind is TriggerType.SINGLE and not trigger and not target:
        raise InvalidInput("trigger_price is missing.")
    return gtt_legs(
        kind.value,
        asked.known("side", asked.choice(Action, "side", "action")),
        asked.known("quantity", asked.whole("quantity", "qty", least=1)),
        asked.choice(Product, "product") or Product.CNC,
        asked.choice(PriceType, "price_type", "pricetype", "order_type") or PriceType.LIMIT,
        price=asked.price("price") or trigger or target,
        trigger_sl=trigger,
        trigger_tg=target,
        stoploss=asked.price("stoploss") or NOTHING,
        target=asked.price("target") or NOTHING,
    )
