"""Orders, trades, positions, holdings, funds and margins (SmartAPI docs: Orders; Portfolio; Funds; Margin
calculator). An empty book is null."""

from collections.abc import Sequence

import msgspec

from sangam.brokers.contract import Ctx, Operation, Request, Session
from sangam.brokers.rows import Number, Units, known, moment, shaped
from sangam.model.books import Funds, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.clock import ist_from_ms
from sangam.model.enums import Action
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate

from .answers import book, read
from .tables import CLOCK, NEAREST, ORDER_TYPES, ORDERS, PRODUCT_TYPES, PRODUCTS, TITLE, USER
from .updates import NAMES, OrderRow, update


class _Trade(msgspec.Struct, rename=NAMES | {"trade_id": "fillid", "quantity": "fillsize", "price": "fillprice"}):
    """`filltime` is a bare time of today."""

    trade_id: int | str
    order_id: int | str
    brsymbol: str
    brexchange: str
    action: Action
    product: str
    quantity: Units
    price: Number
    filltime: str | None = None


class _Position(
    msgspec.Struct, rename=NAMES | {"quantity": "netqty", "average_price": "avgnetprice", "token": "symboltoken"}
):
    """What a unit is worth beside its price is told by four numbers: gennum / genden x pricenum / priceden."""

    brsymbol: str
    brexchange: str
    token: str
    product: str
    quantity: int
    average_price: Number = 0.0
    ltp: Number = 0.0
    pnl: Number = 0.0
    realised: Number = 0.0
    gennum: Number = 1.0
    genden: Number = 1.0
    pricenum: Number = 1.0
    priceden: Number = 1.0

    def __post_init__(self) -> None:
        if not (self.gennum > 0 and self.genden > 0 and self.pricenum > 0 and self.priceden > 0):
            raise ValueError("the worth of a unit is not told")

    @property
    def multiplier(self) -> float:
        return self.gennum / self.genden * self.pricenum / self.priceden


class _Holding(msgspec.Struct, rename=NAMES | {"token": "symboltoken"}):
    """`t1quantity` waits for its settlement. Profit is told in whole rupees, so it is worked out from the prices."""

    brsymbol: str
    brexchange: str
    token: str
    realisedquantity: int
    average_price: Number
    ltp: Number
    t1quantity: int = 0

    def holding(self) -> Holding:
        quantity, gained = self.realisedquantity + self.t1quantity, self.ltp - self.average_price
        percent = gained / self.average_price * 100 if self.average_price else 0.0
        return shaped(Holding, self, quantity=quantity, pnl=gained * quantity, pnl_percent=percent)


class _Funds(msgspec.Struct):
    availablecash: Number
    collateral: Number | None = None
    m2mrealized: Number | None = None
    m2munrealized: Number | None = None
    utiliseddebits: Number | None = None


class _Parts(msgspec.Struct, frozen=True, rename="camel"):
    span_margin: Number = 0.0
    margin_benefit: Number | None = None


class _Margin(msgspec.Struct, rename="camel"):
    total_margin_required: Number
    margin_components: _Parts = _Parts()


def asked(path: str, lane: str) -> Request:
    return Request(method="GET", host="api", path=path, lane=lane)


def orders(session: Session, ctx: Ctx) -> Operation[list[OrderUpdate]]:
    data = yield asked(f"{ORDERS}/getOrderBook", "orderbook")
    return [update(row) for row in book(data, OrderRow, "the order book")]


def trades(session: Session, ctx: Ctx) -> Operation[list[Trade]]:
    data = yield asked(f"{ORDERS}/getTradeBook", "tradebook")
    rows = book(data, _Trade, "the trade book")
    known((row.product for row in rows), NEAREST, TITLE, "the trade book")
    today = f"{ist_from_ms(ctx.now_ms):%d-%b-%Y}"
    return [
        shaped(
            Trade,
            row,
            trade_id=str(row.trade_id),
            order_id=str(row.order_id),
            product=NEAREST[row.product],
            quantity=int(row.quantity),
            timestamp=moment(f"{today} {row.filltime}", CLOCK),
        )
        for row in rows
    ]


def positions(session: Session, ctx: Ctx) -> Operation[list[Position]]:
    """Net positions of our products. Those of others (margin, bracket) are left out: whoever acted on them by one of
    our products would open a second position instead of closing the first."""
    data = yield asked(f"{ORDERS}/getPosition", "positions")
    rows = book(data, _Position, "the positions")
    known((row.product for row in rows), NEAREST, TITLE, "the positions")
    return [
        shaped(Position, row, product=PRODUCTS[row.product], multiplier=row.multiplier)
        for row in rows
        if row.product in PRODUCTS
    ]


def holdings(session: Session, ctx: Ctx) -> Operation[list[Holding]]:
    data = yield asked("/rest/secure/angelbroking/portfolio/v1/getHolding", "holdings")
    return [row.holding() for row in book(data, _Holding, "the holdings")]


def funds(session: Session, ctx: Ctx) -> Operation[Funds]:
    data = yield asked(f"{USER}/getRMS", "funds")
    told = read(data, _Funds, "the funds")
    return Funds(
        available_cash=told.availablecash,
        collateral=told.collateral or 0.0,
        m2m_realised=told.m2mrealized or 0.0,
        m2m_unrealised=told.m2munrealized or 0.0,
        utilised=told.utiliseddebits or 0.0,
    )


def margin(legs: Sequence[tuple[Instrument, MarginLeg]], session: Session, ctx: Ctx) -> Operation[Margin]:
    """One order, or a basket of 50 at most."""
    form = {
        "positions": [
            {
                "exchange": instrument.brexchange,
                "qty": leg.quantity,
                "price": float(leg.price),
                "productType": PRODUCT_TYPES[leg.product],
                "token": instrument.token,
                "tradeType": leg.action.value,
                "orderType": ORDER_TYPES[leg.price_type],
            }
            for instrument, leg in legs
        ]
    }
    path = "/rest/secure/angelbroking/margin/v1/batch"
    told = read((yield Request(method="POST", host="api", path=path, json=form, lane="margin")), _Margin, "the margin")
    parts = told.margin_components
    return Margin(total=told.total_margin_required, span=parts.span_margin, benefit=parts.margin_benefit)
