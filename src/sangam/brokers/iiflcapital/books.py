"""Orders, trades, positions, holdings, funds and margins (portal: Order book; Portfolio; Limits; Margin).

Several samples of the portal have prices a hundred times too high, beside values and closes in rupees. Which of the two
the live books have is not documented. Programs in use take them for rupees, and so does this: no price is ever scaled
by what looks likely, since an option may well have lost 99 of its 100 rupees. Positions are worked out of their values;
`sangam verify` (BOOKS-06) holds the prices of the day's trades against the market's."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sangam.brokers.contract import Ctx, Operation, Request, Session
from sangam.brokers.rows import Number, Units, known, moment, shaped
from sangam.model.books import Funds, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate

from .answers import ORDERS, book, read
from .data import last_prices
from .tables import ACTIONS, CLOCK, NEAREST, NONE, PRODUCTS, TITLE
from .terms import named, terms
from .updates import NAMES, OrderRow, update


class _Trade(
    msgspec.Struct,
    rename=NAMES | {"trade_id": "exchangeTradeId", "quantity": "filledQuantity", "price": "tradedPrice"},
):
    trade_id: int | str
    order_id: int | str
    brsymbol: str
    brexchange: str
    token: int | str
    action: str
    product: str
    quantity: Units
    price: Number
    filled: str | None = msgspec.field(default=None, name="fillTimestamp")

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"{self.action} is neither BUY nor SELL")


class _Position(msgspec.Struct, rename="camel"):
    """`net_quantity` is signed. Values are rupees, also where the samples' prices are not."""

    instrument_id: int | str
    exchange: str
    product: str
    net_quantity: Units
    trading_symbol: str = ""
    overnight_quantity: Units = 0.0
    overnight_price: Number = 0.0
    day_buy_quantity: Units = 0.0
    day_buy_value: Number = 0.0
    day_sell_quantity: Units = 0.0
    day_sell_value: Number = 0.0
    multiplier: Number = 1.0

    def __post_init__(self) -> None:
        if self.multiplier <= 0:
            raise ValueError("the worth of a unit is not told")

    @property
    def name(self) -> tuple[str, str]:
        return self.exchange, str(self.instrument_id)

    def position(self, ltp: float) -> Position:
        """Its average is that of the side that is open, and its result that of all its trades. Where quantities and
        values do not fit together, the quantity alone is told."""
        net, unit, over = self.net_quantity, self.multiplier, self.overnight_quantity
        bought, sold = self.day_buy_quantity + max(over, 0), self.day_sell_quantity + max(-over, 0)
        paid = self.day_buy_value + max(over, 0) * self.overnight_price * unit
        got = self.day_sell_value + max(-over, 0) * self.overnight_price * unit
        plain = Position(
            brsymbol=self.trading_symbol,
            brexchange=self.exchange,
            token=str(self.instrument_id),
            product=PRODUCTS[self.product],
            quantity=int(net),
            ltp=ltp,
            multiplier=unit,
        )
        if net != bought - sold or (bought > 0) != (paid > 0) or (sold > 0) != (got > 0) or (net and not ltp):
            return plain
        closed = min(bought, sold)
        side, value = (bought, paid) if net > 0 else (sold, got)
        return msgspec.structs.replace(
            plain,
            average_price=value / side / unit if net else 0.0,
            pnl=got - paid + net * ltp * unit,
            realised=closed * (got / sold - paid / bought) if closed else 0.0,
        )


_NO_ID = (None, "", 0, "0", NONE)


class _Holding(msgspec.Struct, rename="camel"):
    """Shares held on both exchanges are told once. What is bought and not yet here (T+1) is in the total."""

    total_quantity: Units
    average_traded_price: Number = 0.0
    nse_instrument_id: int | str | None = None
    bse_instrument_id: int | str | None = None
    nse_trading_symbol: str | None = None
    bse_trading_symbol: str | None = None

    def __post_init__(self) -> None:
        if self.total_quantity and self.name is None:
            raise ValueError("a holding without an instrument")

    @property
    def name(self) -> tuple[str, str] | None:
        """None for the row of zeros that stands for no holdings."""
        ids = {"NSEEQ": self.nse_instrument_id, "BSEEQ": self.bse_instrument_id}
        return next(((segment, str(told)) for segment, told in ids.items() if told not in _NO_ID), None)


class _Funds(msgspec.Struct, rename="camel"):
    trading_limit: Number
    collateral_margin: Number = 0.0
    utilized_margin: Number = 0.0


class _Margin(msgspec.Struct, rename="camel"):
    current_order_margin: Number


def asked(path: str, lane: str) -> Request:
    return Request(method="GET", host="api", path=path, lane=lane)


def orders(session: Session, ctx: Ctx) -> Operation[list[OrderUpdate]]:
    data = yield asked(ORDERS, "orderbook")
    return [update(row) for row in book(data, OrderRow, "the order book")]


def trades(session: Session, ctx: Ctx) -> Operation[list[Trade]]:
    rows = book((yield asked("/trades", "trades")), _Trade, "the trade book")
    known((row.product for row in rows), NEAREST, TITLE, "the trade book")
    return [
        shaped(
            Trade,
            row,
            trade_id=str(row.trade_id),
            order_id=str(row.order_id),
            token=str(row.token),
            action=ACTIONS[row.action],
            product=NEAREST[row.product],
            quantity=int(row.quantity),
            timestamp=moment(row.filled, CLOCK),
        )
        for row in rows
    ]


def positions(session: Session, ctx: Ctx) -> Operation[list[Position]]:
    """Net positions of our products. Those of others are left out: whoever acted on them by one of our products would
    open a second position instead of closing the first."""
    rows = book((yield asked("/positions", "positions")), _Position, "the positions")
    known((row.product for row in rows), NEAREST, TITLE, "the positions")
    mine = [row for row in rows if row.product in PRODUCTS]
    prices = yield from last_prices(row.name for row in mine)
    return [row.position(prices.get(row.name, 0.0)) for row in mine]


def holdings(session: Session, ctx: Ctx) -> Operation[list[Holding]]:
    rows = book((yield asked("/holdings", "holdings")), _Holding, "the holdings")
    held = [(row, name) for row in rows if (name := row.name) is not None]
    prices = yield from last_prices(name for _, name in held)
    return [_holding(row, name, prices.get(name, 0.0)) for row, name in held]


def _holding(row: _Holding, name: tuple[str, str], ltp: float) -> Holding:
    segment, token = name
    average, symbol = row.average_traded_price, row.nse_trading_symbol if segment == "NSEEQ" else row.bse_trading_symbol
    gained = ltp - average if ltp and average else 0.0
    return Holding(
        brsymbol=symbol or "",
        brexchange=segment,
        token=token,
        quantity=int(row.total_quantity),
        average_price=average,
        ltp=ltp,
        pnl=gained * row.total_quantity,
        pnl_percent=gained / average * 100 if average else 0.0,
    )


def funds(session: Session, ctx: Ctx) -> Operation[Funds]:
    told = read((yield asked("/limits", "funds")), _Funds, "the funds")
    return Funds(available_cash=told.trading_limit, collateral=told.collateral_margin, utilised=told.utilized_margin)


def margin(legs: Sequence[tuple[Instrument, MarginLeg]], session: Session, ctx: Ctx) -> Operation[Margin]:
    """IIFL works out one order at a time: of several it is the sum, which is the most that they can need."""
    forms = [
        {
            **named(instrument, leg.action, leg.product),
            **terms(leg.price_type, leg.price, leg.trigger_price),
            "quantity": str(leg.quantity),
            "validity": "DAY",
        }
        for instrument, leg in legs
    ]
    told: list[Any] = yield [
        Request(method="POST", host="api", path="/preordermargin", json=form, lane="margin") for form in forms
    ]
    return Margin(total=sum(read(each, _Margin, "the margin").current_order_margin for each in told))
