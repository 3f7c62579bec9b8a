"""What the known functions are asked, and what they answer."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from sangam.client import asked
from sangam.client.answers import OrderInfo
from sangam.client.asked import Terms
from sangam.model.enums import PriceType
from sangam.model.errors import BrokerError, InvalidInput, SangamError, Unknown
from sangam.model.instrument import Instrument, expiry_text
from sangam.model.order import Ticket

Row = dict[str, Any]


class Response(NamedTuple):
    """What an order call answers first. `status_code` is 200 only for what the broker took; 504 says that the outcome
    is unknown, 503 that nothing was sent."""

    status_code: int
    body: Row

    @property
    def status(self) -> int:
        return self.status_code

    @property
    def text(self) -> str:
        return msgspec.json.encode(self.body).decode()

    def json(self) -> Row:
        return self.body


class SymToken(msgspec.Struct, frozen=True):
    """An instrument by the columns of the known table; `expiry` is ``28-MAR-24`` or empty."""

    symbol: str
    brsymbol: str
    name: str
    exchange: str
    brexchange: str
    token: str
    expiry: str
    strike: float
    lotsize: int
    instrumenttype: str
    tick_size: float

    @classmethod
    def of(cls, found: Instrument) -> "SymToken":
        return cls(
            symbol=found.symbol,
            brsymbol=found.brsymbol,
            name=found.name,
            exchange=found.exchange.value,
            brexchange=found.brexchange,
            token=found.token,
            expiry=expiry_text(found.expiry, "-") if found.expiry else "",
            strike=found.strike,
            lotsize=found.lot_size,
            instrumenttype=found.instrument_type.value,
            tick_size=found.tick_size,
        )


def ticket(data: Mapping[str, Any]) -> Ticket:
    """Prices that the type has no use for are often 0, and never sent."""
    kind = asked.choice("pricetype", PriceType, str(data.get("pricetype") or PriceType.MARKET))
    own = str(data.get("client_order_id") or "")
    made = asked.ticket(
        text(data, "symbol"),
        _count(data, "quantity") or 0,
        text(data, "action"),
        _number(data, "price") if kind.has_price else None,
        exchange=text(data, "exchange"),
        product=str(data.get("product") or "MIS"),
        price_type=kind,
        trigger_price=_number(data, "trigger_price") if kind.has_trigger else None,
        client_order_id=own or "unnamed",
        tag=str(data.get("tag") or ""),
        strategy=str(data.get("strategy") or ""),
        validity=str(data.get("validity") or "DAY"),
        wait_ms=None,
    )
    disclosed = _count(data, "disclosed_quantity") or 0
    return msgspec.structs.replace(made, client_order_id=own, disclosed_quantity=disclosed)


def text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if value is None or not str(value).strip():
        raise InvalidInput(f"'{name}' is missing.")
    return str(value)


def _count(data: Mapping[str, Any], name: str) -> int | None:
    """A whole number, as a number or a text; None for 0 and for what is not there."""
    number = asked.rupees(name, data.get(name) or None)
    if number is not None and number != int(number):
        raise InvalidInput(f"{name} must be a whole number, not {data[name]!r}.")
    return int(number) if number else None


def _number(data: Mapping[str, Any], name: str) -> Decimal | None:
    return asked.rupees(name, data.get(name) or None) or None


def terms(data: Mapping[str, Any]) -> Terms:
    kind = str(data.get("pricetype") or "") or None
    return asked.terms(_number(data, "price"), _count(data, "quantity"), _number(data, "trigger_price"), kind)


def success(order: OrderInfo) -> Response:
    row = {"client_order_id": order.client_order_id, "id": order.id, "state": order.state.value}
    return Response(200, {"status": "success", "orderid": order.order_id, **row})


def failure(error: SangamError) -> Response:
    code, status = error.code, _STATUSES.get(error.code, 400)
    if (isinstance(error, BrokerError) and error.code not in _STATUSES) or isinstance(error, Unknown):
        # Not of an order that was sent, for that would be InDoubt: something could not be read.
        code, status = "BROKER_ERROR" if isinstance(error, Unknown) else code, 503
    body = {"status": "error", "code": code, "message": str(error)}
    order = error.order
    if order is not None:
        body |= {"client_order_id": order.client_order_id, "id": order.id, "state": order.state.value}
        if order.order_id:
            body["orderid"] = order.order_id
    return Response(status, body)


_STATUSES = {"INVALID_TOKEN": 401, "RATE_LIMITED": 429, "OUTCOME_UNKNOWN": 504, "SYMBOL_NOT_FOUND": 404}
