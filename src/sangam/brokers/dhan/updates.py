"""News of orders over their own socket (documents: Live Order Update). All orders of the client are told, wherever they
were placed."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from sangam.brokers.contract import (
    Codec,
    Ctx,
    Endpoint,
    LoggedIn,
    NewsCodec,
    Operation,
    Result,
    Send,
    Session,
    news_stream,
)
from sangam.brokers.families.dhan.tables import SEGMENTS
from sangam.brokers.families.dhan.updates import reason, status
from sangam.brokers.order_rows import unified
from sangam.brokers.rows import Number, Units
from sangam.brokers.wire import Message
from sangam.model.enums import Action, PriceType, Product
from sangam.model.errors import DecodeError
from sangam.model.order import OrderUpdate

from .stream import alive
from .tables import HOSTS, WIRE

_PRICE_TYPES = {"LMT": PriceType.LIMIT, "MKT": PriceType.MARKET, "SL": PriceType.SL, "SLM": PriceType.SL_M}
_PRODUCTS = {
    "C": Product.CNC,
    "I": Product.MIS,
    "M": Product.NRML,
    "F": Product.CNC,
    "V": Product.MIS,
    "B": Product.MIS,
}
_SIDES = {"B": Action.BUY, "S": Action.SELL}


_NAMES = {
    "order_id": "orderno",
    "action": "txntype",
    "token": "securityid",
    "order_type": "ordertype",
    "trigger_price": "triggerprice",
    "filled_quantity": "tradedqty",
    "disclosed_quantity": "discquantity",
    "average_price": "avgtradedprice",
    "tag": "correlationid",
    "reason": "reasondescription",
    "placed": "orderdatetime",
    "updated": "lastupdatedtime",
}


class _News(msgspec.Struct, rename=_NAMES):
    """Names are in lower case here: the documents write ``OrderNo``, the socket says ``orderNo``."""

    order_id: str | int
    status: str
    exchange: str
    segment: str
    token: str | int
    action: str
    quantity: Units
    product: str = ""
    order_type: str = ""
    validity: str = ""
    price: Number = 0.0
    trigger_price: Number = 0.0
    filled_quantity: Units = 0.0
    disclosed_quantity: Units = 0.0
    average_price: Number = 0.0
    tag: str = ""
    reason: str = ""
    placed: str = ""
    updated: str = ""


def _update(row: _News) -> OrderUpdate:
    segment = SEGMENTS.get((row.exchange.upper(), row.segment.upper()))
    action = _SIDES.get(row.action.upper())
    if segment is None or action is None:
        raise DecodeError(f"order news of segment {row.segment} of exchange {row.exchange}, side {row.action}")
    price_type = _PRICE_TYPES.get(row.order_type.upper())
    filled = int(row.filled_quantity)
    state = status(row.status, price_type, filled)
    return unified(
        row,
        state,
        brsymbol="",
        brexchange=segment.name,
        token=str(row.token),
        action=action.value,
        product=_PRODUCTS.get(row.product.upper(), ""),
        price_type=price_type or "",
        pending_quantity=0 if state.is_final else int(row.quantity) - filled,
        rejection_reason=reason(row.reason, state),
        timestamp=WIRE.moment(row.updated) or WIRE.moment(row.placed),
    )


def decode(text: str) -> Iterator[OrderUpdate]:
    """The news of a frame, in which several objects may stand one behind the other. Raises DecodeError."""
    try:
        for found in _objects(text):
            data = found.get("data")
            if str(found.get("type")).casefold() == "order_alert" and isinstance(data, dict):
                told = {name.casefold(): value for name, value in data.items() if value not in (None, "")}
                yield _update(msgspec.convert(told, _News, strict=False))
    except (ValueError, RecursionError, OverflowError) as error:
        raise DecodeError(f"unreadable order news: {error}") from error


_decoder = json.JSONDecoder()


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Each object with its names in lower case; what is none is damage."""
    rest = text.strip()
    while rest:
        found, end = _decoder.raw_decode(rest)
        if not isinstance(found, dict):
            raise DecodeError("order news that are no object")
        yield {name.casefold(): value for name, value in found.items()}
        rest = rest[end:].lstrip(" \t\r\n,")


class OrderCodec(NewsCodec):
    """The first message logs in; nobody says whether it was taken."""

    def __init__(self, client_id: str, token: str) -> None:
        super().__init__()
        login = {"MsgCode": 42, "ClientId": client_id, "Token": token}
        self._login = msgspec.json.encode({"LoginReq": login, "UserType": "SELF"}).decode()

    def opened(self) -> Iterable[Result]:
        return (Send(self._login), LoggedIn())

    def received(self, message: Message) -> Iterable[Result]:
        if isinstance(message, bytes):
            try:
                message = message.decode()
            except UnicodeError as error:
                raise DecodeError(f"unreadable order news: {error}") from error
        if not isinstance(message, str):
            raise DecodeError(f"a {type(message).__name__} is not a message of this wire")
        return list(decode(message))


def _open(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    yield from alive(session)
    return Endpoint(url=session.host("orders", HOSTS))


def _codec(session: Session, endpoint: Endpoint, ctx: Ctx) -> Codec:
    return OrderCodec(session.secrets["client_id"], session.secrets["access_token"])


ORDERS = news_stream(_open, _codec, ping=10.0)
