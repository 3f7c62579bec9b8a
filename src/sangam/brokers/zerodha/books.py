"""Orders, trades, positions, holdings, funds and margins as Kite tells them (Kite docs: Orders; Portfolio; Margins)."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from sangam.brokers.contract import Ctx, Operation, Request, Session
from sangam.brokers.rows import Units, known, milliseconds, shaped
from sangam.model.books import Funds, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Action
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate

from .answers import read
from .tables import NEAREST, NO_SUCH_ORDER, PRODUCTS, REGULAR, TITLE
from .updates import NAMES, OrderRow, update


class _Trade(msgspec.Struct, rename=NAMES | {"price": "average_price"}):
    """`order_timestamp` is a bare time, so the fill's is taken."""

    trade_id: str
    order_id: str
    brsymbol: str
    brexchange: str
    action: Action
    product: str
    quantity: Units
    price: float
    fill_timestamp: str | None = None


class PositionRow(msgspec.Struct, rename=NAMES):
    """`quantity` is net, `overnight_quantity` what of it was carried over. `pnl` holds the contract multiplier."""

    brsymbol: str
    brexchange: str
    product: str
    quantity: int
    overnight_quantity: int
    average_price: float
    ltp: float
    pnl: float
    realised: float = 0.0
    multiplier: float = 1.0


class Positions(msgspec.Struct):
    net: list[PositionRow]


class _Holding(msgspec.Struct, rename=NAMES):
    brsymbol: str
    brexchange: str
    quantity: int
    t1_quantity: int
    average_price: float
    ltp: float
    pnl: float


class _Available(msgspec.Struct):
    collateral: float = 0.0


class _Utilised(msgspec.Struct):
    debits: float = 0.0
    m2m_realised: float = 0.0
    m2m_unrealised: float = 0.0


class _Segment(msgspec.Struct):
    net: float
    available: _Available
    utilised: _Utilised


class _Funds(msgspec.Struct):
    equity: _Segment | None = None
    commodity: _Segment | None = None


class _Margin(msgspec.Struct):
    total: float
    span: float = 0.0
    exposure: float = 0.0


class _Basket(msgspec.Struct):
    """`final` is after the benefit that the orders give each other."""

    initial: _Margin
    final: _Margin


def asked(path: str) -> Request:
    return Request(method="GET", host="api", path=path)


def orders(session: Session, ctx: Ctx) -> Operation[list[OrderUpdate]]:
    data = yield asked("/orders")
    return [update(row) for row in read(data, list[OrderRow], "the order book")]


def order(order_id: str, session: Session, ctx: Ctx) -> Operation[OrderUpdate | None]:
    """Kite answers with all states of the order; the last one is today's truth."""
    try:
        data = yield asked(f"/orders/{quote(order_id, safe='')}")
    except Refused as refused:
        if NO_SUCH_ORDER in str(refused).casefold():
            return None
        raise
    states = read(data, list[OrderRow], "an order's history")
    return update(states[-1]) if states else None


def trades(session: Session, ctx: Ctx) -> Operation[list[Trade]]:
    data = yield asked("/trades")
    rows = read(data, list[_Trade], "the trade book")
    known((row.product for row in rows), NEAREST, TITLE, "the trade book")
    return [
        shaped(
            Trade,
            row,
            product=NEAREST[row.product],
            quantity=int(row.quantity),
            timestamp=milliseconds(row.fill_timestamp),
        )
        for row in rows
    ]


def positions(session: Session, ctx: Ctx) -> Operation[list[Position]]:
    """Net positions of our products. Those of others (MTF, cover orders) are left out: whoever acted on them by one of
    our products would open a second position instead of closing the first."""
    data = yield asked("/portfolio/positions")
    rows = read(data, Positions, "the positions").net
    known((row.product for row in rows), NEAREST, TITLE, "the positions")
    return [shaped(Position, row, product=PRODUCTS[row.product]) for row in rows if row.product in PRODUCTS]


def holdings(session: Session, ctx: Ctx) -> Operation[list[Holding]]:
    data = yield asked("/portfolio/holdings")
    found = []
    for row in read(data, list[_Holding], "the holdings"):
        quantity = row.quantity + row.t1_quantity
        cost = row.average_price * quantity
        percent = row.pnl / cost * 100 if cost else 0.0
        found.append(shaped(Holding, row, quantity=quantity, pnl_percent=percent))
    return found


def funds(session: Session, ctx: Ctx) -> Operation[Funds]:
    """`available.cash` has been seen as 0, so cash is what is left, plus what is in use, less what is no cash."""
    data = yield asked("/user/margins")
    told = read(data, _Funds, "the funds")
    segments = [segment for segment in (told.equity, told.commodity) if segment is not None]
    if not segments:
        raise Unknown("Zerodha: the funds name no segment.")
    return Funds(
        available_cash=sum(each.net + each.utilised.debits - each.available.collateral for each in segments),
        collateral=sum(each.available.collateral for each in segments),
        m2m_realised=sum(each.utilised.m2m_realised for each in segments),
        m2m_unrealised=sum(each.utilised.m2m_unrealised for each in segments),
        utilised=sum(each.utilised.debits for each in segments),
    )


def margin(legs: Sequence[tuple[Instrument, MarginLeg]], session: Session, ctx: Ctx) -> Operation[Margin]:
    """One order by itself; several as a basket beside the open positions."""
    asks = [_leg(instrument, leg) for instrument, leg in legs]
    if len(asks) == 1:
        data = yield Request(method="POST", host="api", path="/margins/orders", json=asks)
        (alone,) = read(data, tuple[_Margin], "the margin")
        return shaped(Margin, alone)
    query = {"consider_positions": "true"}
    data = yield Request(method="POST", host="api", path="/margins/basket", query=query, json=asks)
    basket = read(data, _Basket, "the margin of a basket")
    return shaped(Margin, basket.final, benefit=basket.initial.total - basket.final.total)


def _leg(instrument: Instrument, leg: MarginLeg) -> dict[str, Any]:
    return {
        "exchange": instrument.brexchange,
        "tradingsymbol": instrument.brsymbol,
        "transaction_type": leg.action.value,
        "variety": REGULAR,
        "product": leg.product.value,
        "order_type": leg.price_type.value,
        "quantity": leg.quantity,
        "price": float(leg.price),
        "trigger_price": float(leg.trigger_price),
    }
