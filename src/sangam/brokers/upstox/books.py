"""Orders, trades, positions, holdings, funds and margins as Upstox tells them (Upstox docs: Orders; Portfolio; User;
Margins)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sangam.brokers.contract import Ctx, Operation, Request, Session
from sangam.brokers.rows import Units, known, moment, shaped
from sangam.model.books import Funds, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Action, Product
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate

from .answers import NAMES, Named, read
from .tables import CODES, NEAREST, NO_SUCH_ORDER, TITLE, product
from .updates import OrderRow, update

WHEN = "%d-%b-%Y %H:%M:%S"
"""Of trades alone."""

POSITIONS = "/v2/portfolio/short-term-positions"


class _Trade(Named, kw_only=True, rename=NAMES | {"price": "average_price"}):
    trade_id: str
    order_id: str
    action: Action
    product: str
    quantity: Units
    price: float
    exchange_timestamp: str | None = None
    order_timestamp: str | None = None


class _Position(Named, kw_only=True, rename=NAMES):
    """`quantity` is net. `average_price` may be null or 0 for what was opened today: then the price of its side
    counts."""

    product: str
    quantity: int
    ltp: float
    pnl: float
    average_price: float | None = None
    buy_price: float | None = None
    sell_price: float | None = None
    realised: float | None = None
    unrealised: float | None = None
    multiplier: float = 1.0


class _Holding(Named, kw_only=True, rename=NAMES):
    """`quantity` is the total; `t1_quantity` says how much of it comes tomorrow (docs: Get holdings)."""

    quantity: int
    average_price: float
    ltp: float
    pnl: float


class _Segment(msgspec.Struct):
    available_margin: float
    used_margin: float


class _Margin(msgspec.Struct):
    """`final_margin` is after the benefit that the orders give each other."""

    margins: list[dict[str, float | None]]
    required_margin: float
    final_margin: float


def asked(path: str, **query: str) -> Request:
    return Request(method="GET", host="api", path=path, query=query or None)


def orders(session: Session, ctx: Ctx) -> Operation[list[OrderUpdate]]:
    data = yield asked("/v2/order/retrieve-all")
    return [update(row) for row in read(data, list[OrderRow], "the order book")]


def order(order_id: str, session: Session, ctx: Ctx) -> Operation[OrderUpdate | None]:
    data = yield from _known("/v2/order/details", order_id=order_id)
    return None if data is None else update(read(data, OrderRow, "an order"))


def find(tag: str, session: Session, ctx: Ctx) -> Operation[list[OrderUpdate]]:
    """Upstox answers with all states of all orders that bear exactly this tag, oldest first; an order's last one is
    today's truth."""
    data = yield from _known("/v2/order/history", tag=tag)
    states = read(data or [], list[OrderRow], "the orders of a tag")
    return [update(row) for row in {row.order_id: row for row in states}.values()]


def _known(path: str, **query: str) -> Operation[Any]:
    """What Upstox tells of an order; None where it knows none."""
    try:
        return (yield asked(path, **query))
    except Refused as refused:
        if refused.broker_code == NO_SUCH_ORDER:
            return None
        raise


def trades(session: Session, ctx: Ctx) -> Operation[list[Trade]]:
    data = yield asked("/v2/order/trades/get-trades-for-day")
    rows = read(data, list[_Trade], "the trade book")
    known((row.product for row in rows), NEAREST, TITLE, "the trade book")
    return [_trade(row) for row in rows]


def _trade(row: _Trade) -> Trade:
    ours = product(NEAREST[row.product], row.brexchange)
    when = moment(row.exchange_timestamp, WHEN) or moment(row.order_timestamp, WHEN)
    return shaped(Trade, row, product=ours, quantity=int(row.quantity), timestamp=when)


def positions(session: Session, ctx: Ctx) -> Operation[list[Position]]:
    """Net positions of our products. Those of others (MTF, cover orders) are left out: whoever acted on them by one of
    our products would open a second position instead of closing the first."""
    data = yield asked(POSITIONS)
    rows = read(data, list[_Position], "the positions")
    known((row.product for row in rows), NEAREST, TITLE, "the positions")
    return [_position(row, ours) for row in rows if (ours := product(row.product, row.brexchange)) is not None]


def _position(row: _Position, ours: Product) -> Position:
    side = row.buy_price if row.quantity > 0 else row.sell_price if row.quantity else None
    average, realised = row.average_price or side or 0.0, row.realised or 0.0
    return shaped(Position, row, product=ours, average_price=average, realised=realised)


def holdings(session: Session, ctx: Ctx) -> Operation[list[Holding]]:
    data = yield asked("/v2/portfolio/long-term-holdings")
    found = []
    for row in read(data, list[_Holding], "the holdings"):
        cost = row.average_price * row.quantity
        found.append(shaped(Holding, row, pnl_percent=row.pnl / cost * 100 if cost else 0.0))
    return found


def funds(session: Session, ctx: Ctx) -> Operation[Funds]:
    """Both segments. Results come from the positions; from 00:00 to 05:30 the broker refuses (HTTP 423)."""
    told, held = yield [asked("/v2/user/get-funds-and-margin"), asked(POSITIONS)]
    segments = read(told, dict[str, _Segment], "the funds").values()
    if not segments:
        raise Unknown("Upstox: the funds name no segment.")
    rows = read(held, list[_Position], "the positions")
    return Funds(
        available_cash=sum(each.available_margin for each in segments),
        utilised=sum(each.used_margin for each in segments),
        m2m_realised=sum(row.realised or 0.0 for row in rows),
        m2m_unrealised=sum(row.unrealised or 0.0 for row in rows),
    )


def margin(legs: Sequence[tuple[Instrument, MarginLeg]], session: Session, ctx: Ctx) -> Operation[Margin]:
    """At most 20 orders; the broker refuses more."""
    body = {"instruments": [_leg(instrument, leg) for instrument, leg in legs]}
    data = yield Request(method="POST", host="api", path="/v2/charges/margin", json=body)
    told = read(data, _Margin, "the margin")
    return Margin(
        total=told.final_margin,
        span=sum(leg.get("span_margin") or 0.0 for leg in told.margins),
        exposure=sum(leg.get("exposure_margin") or 0.0 for leg in told.margins),
        benefit=told.required_margin - told.final_margin if len(legs) > 1 else None,
    )


def _leg(instrument: Instrument, leg: MarginLeg) -> dict[str, Any]:
    """Without a price the broker takes the last one."""
    limit = {"price": float(leg.price)} if leg.price_type.has_price else {}
    row = {"instrument_key": instrument.token, "quantity": leg.quantity, "product": CODES[leg.product]}
    return row | {"transaction_type": leg.action.value} | limit
