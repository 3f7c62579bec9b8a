"""Orders, trades, positions, holdings, funds and margins as Fyers tells them (documentation: Transaction Info; Margin
Calculator)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sangam.brokers.contract import Ctx, Operation, Request, Session
from sangam.brokers.rows import moment, shaped
from sangam.model.books import Funds, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate

from .answers import read
from .tables import MOMENT, NEAREST, OWN_TAG, PRODUCT_OF, PRODUCTS, SIDE_OF, SIDES, TYPE_OF, UNKNOWN_ORDER
from .updates import OrderRow, segment, update

API = "/api/v3"


class _Trade(msgspec.Struct, rename="camel"):
    trade_number: str
    order_number: str
    symbol: str
    side: int
    product_type: str
    traded_qty: int
    trade_price: float
    fy_token: str | int = ""
    order_date_time: str | None = None

    def __post_init__(self) -> None:
        if self.product_type not in NEAREST or self.side not in SIDES:
            raise ValueError(f"trade {self.trade_number} has a product or a side that is not known")


class PositionRow(msgspec.Struct, rename="camel"):
    """`net_avg` is where the position breaks even, so its price is that of the side it is on. What was carried over
    is told apart from today's."""

    id: str
    symbol: str
    product_type: str
    net_qty: int
    buy_avg: float
    sell_avg: float
    ltp: float
    pl: float
    fy_token: str | int = ""
    realized_profit: float = msgspec.field(name="realized_profit", default=0.0)
    multiplier: float = msgspec.field(name="qtyMulti_com", default=1.0)
    cf_buy_qty: int = 0
    cf_sell_qty: int = 0

    def __post_init__(self) -> None:
        if self.product_type not in NEAREST:
            raise ValueError(f"product {self.product_type} is not known")


class _Holding(msgspec.Struct, rename="camel"):
    """Shares bought yesterday may be a row of their own (`holdingType` T1)."""

    symbol: str
    quantity: int
    cost_price: float
    ltp: float
    pl: float
    fy_token: str | int = ""


class _Amount(msgspec.Struct, rename="camel"):
    id: int
    equity_amount: float | None = None
    commodity_amount: float = 0.0


class _Margin(msgspec.Struct):
    """`margin_new_order`, by the documentation, has the margin of open positions too."""

    margin_total: float


def asked(path: str, **more: Any) -> Request:
    return Request(method="GET", host="api", path=API + path, **more)


def orders(session: Session, ctx: Ctx) -> Operation[list[OrderUpdate]]:
    return (yield from _rows({}))


def order(order_id: str, session: Session, ctx: Ctx) -> Operation[OrderUpdate | None]:
    try:
        found = yield from _rows({"id": order_id})
    except Refused as refused:
        if refused.broker_code == UNKNOWN_ORDER:
            return None
        raise
    return next((row for row in found if row.order_id == order_id), None)


def find(tag: str, session: Session, ctx: Ctx) -> Operation[list[OrderUpdate]]:
    return (yield from _rows({"order_tag": OWN_TAG + tag}))


def _rows(query: dict[str, str]) -> Operation[list[OrderUpdate]]:
    answer = yield asked("/orders", query=query or None)
    return [update(row) for row in read(answer.get("orderBook"), list[OrderRow], "the order book")]


def trades(session: Session, ctx: Ctx) -> Operation[list[Trade]]:
    answer = yield asked("/tradebook")
    return [
        Trade(
            trade_id=row.trade_number,
            order_id=row.order_number,
            brsymbol=row.symbol,
            brexchange=segment(row.fy_token),
            action=SIDES[row.side],
            product=NEAREST[row.product_type],
            quantity=row.traded_qty,
            price=row.trade_price,
            timestamp=moment(row.order_date_time, MOMENT),
        )
        for row in read(answer.get("tradeBook"), list[_Trade], "the trade book")
    ]


def positions(session: Session, ctx: Ctx) -> Operation[list[Position]]:
    """Those of our products. Others (MTF, cover and bracket orders) are left out: whoever acted on them by one of our
    products would open a second position instead of closing the first."""
    answer = yield asked("/positions")
    return [
        shaped(
            Position,
            row,
            brsymbol=row.symbol,
            brexchange=segment(row.fy_token),
            product=PRODUCTS[row.product_type],
            quantity=row.net_qty,
            average_price=row.buy_avg if row.net_qty > 0 else row.sell_avg if row.net_qty < 0 else 0.0,
            pnl=row.pl,
            realised=row.realized_profit,
        )
        for row in position_rows(answer)
        if row.product_type in PRODUCTS
    ]


def position_rows(answer: Any) -> list[PositionRow]:
    return read(answer.get("netPositions"), list[PositionRow], "the positions")


def holdings(session: Session, ctx: Ctx) -> Operation[list[Holding]]:
    answer = yield asked("/holdings")
    found: dict[str, list[_Holding]] = {}
    for row in read(answer.get("holdings"), list[_Holding], "the holdings"):
        found.setdefault(row.symbol, []).append(row)
    return [_holding(rows) for rows in found.values()]


def _holding(rows: Sequence[_Holding]) -> Holding:
    quantity, gained = sum(row.quantity for row in rows), sum(row.pl for row in rows)
    cost = sum(row.cost_price * row.quantity for row in rows)
    return Holding(
        brsymbol=rows[0].symbol,
        brexchange=segment(rows[0].fy_token),
        quantity=quantity,
        average_price=cost / quantity if len(rows) > 1 and quantity else rows[0].cost_price,
        ltp=rows[0].ltp,
        pnl=gained,
        pnl_percent=gained / cost * 100 if cost else 0.0,
    )


def funds(session: Session, ctx: Ctx) -> Operation[Funds]:
    """Amounts go by numbers: 2 is in use, 4 realised, 5 collateral, 10 available."""
    answer = yield asked("/funds")
    rows = read(answer.get("fund_limit"), list[_Amount], "the funds")
    amounts = {row.id: row.equity_amount + row.commodity_amount for row in rows if row.equity_amount is not None}
    if missing := {2, 10} - amounts.keys():
        raise Unknown(f"Fyers: the funds lack amount {min(missing)}.")
    return Funds(
        available_cash=amounts[10],
        collateral=amounts.get(5, 0.0),
        m2m_realised=amounts.get(4, 0.0),
        utilised=amounts[2],
    )


def margin(legs: Sequence[tuple[Instrument, MarginLeg]], session: Session, ctx: Ctx) -> Operation[Margin]:
    """Legs count in their order: a sale before the purchase that covers it may get no benefit of it."""
    body = {"data": [_leg(instrument, leg) for instrument, leg in legs]}
    answer = yield Request(method="POST", host="api", path=f"{API}/multiorder/margin", json=body)
    return Margin(total=read(answer.get("data"), _Margin, "the margin").margin_total)


def _leg(instrument: Instrument, leg: MarginLeg) -> dict[str, Any]:
    return {
        "symbol": instrument.brsymbol,
        "qty": leg.quantity,
        "side": SIDE_OF[leg.action],
        "type": TYPE_OF[leg.price_type],
        "productType": PRODUCT_OF[leg.product],
        "limitPrice": float(leg.price),
        "stopPrice": float(leg.trigger_price),
        "stopLoss": 0.0,
        "takeProfit": 0.0,
    }
