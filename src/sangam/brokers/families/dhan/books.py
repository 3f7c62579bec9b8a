"""Orders, trades, positions, holdings, funds and margins (documents: Orders; Portfolio; Funds & Margin)."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from sangam.brokers.contract import Ctx, Operation, Request, Session
from sangam.brokers.rows import Number, Units, known
from sangam.model.books import Funds, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Action
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate

from .answers import Wire
from .tables import CURRENCIES, NEAREST, NO_SUCH_ORDER, PRODUCT_NAMES, PRODUCTS
from .updates import OrderRow, update


class _Trade(msgspec.Struct, rename="camel"):
    order_id: str
    exchange_trade_id: str
    transaction_type: Action
    exchange_segment: str
    product_type: str
    security_id: str
    traded_quantity: Units
    traded_price: Number
    exchange_time: str | None = None
    update_time: str | None = None


class PositionRow(msgspec.Struct, rename="camel"):
    """`netQty` is signed; the profits hold the contract multiplier."""

    security_id: str
    exchange_segment: str
    product_type: str
    net_qty: Units
    cost_price: Number = 0.0
    buy_avg: Number = 0.0
    sell_avg: Number = 0.0
    realized_profit: Number = 0.0
    unrealized_profit: Number = 0.0
    multiplier: Number = 1.0


class _Holding(msgspec.Struct, rename="camel"):
    security_id: str
    exchange: str
    total_qty: Units
    avg_cost_price: Number
    trading_symbol: str = ""
    last_traded_price: Number | None = None


class _Funds(msgspec.Struct, rename="camel"):
    """The first name is misspelt at Dhan."""

    availabel_balance: Number
    utilized_amount: Number
    collateral_amount: Number = 0.0


class _Margin(msgspec.Struct, rename="camel"):
    total_margin: Number
    span_margin: Number = 0.0
    exposure_margin: Number = 0.0


_SEGMENTS = {"ALL": "NSE_EQ", "NSE": "NSE_EQ", "BSE": "BSE_EQ"}
"""Shares held on both exchanges are told as those of ALL, by NSE's number."""


class Books:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def orders(self, session: Session, ctx: Ctx) -> Operation[list[OrderUpdate]]:
        data = yield asked("/orders")
        return [update(row, self.wire) for row in self.wire.rows(data, OrderRow, "the order book")]

    def order(self, order_id: str, session: Session, ctx: Ctx) -> Operation[OrderUpdate | None]:
        """Answered as an object or as a list of one; an order that is not known as an empty list, or refused."""
        try:
            data = yield asked(f"/orders/{quote(order_id, safe='')}")
        except Refused as refused:
            if NO_SUCH_ORDER in str(refused).casefold():
                return None
            raise
        found = self.wire.rows([data] if isinstance(data, dict) else data, OrderRow, "an order")
        return update(found[-1], self.wire) if found else None

    def find(self, tag: str, session: Session, ctx: Ctx) -> Operation[list[OrderUpdate]]:
        """An order on its way to the exchange is not found by its correlation id (measured), so what is not found there
        is looked for in the book."""
        try:
            data = yield asked(f"/orders/external/{quote(tag, safe='')}")
        except Refused as refused:
            if NO_SUCH_ORDER not in str(refused).casefold():
                raise
            data = []
        if found := self.wire.rows([data] if isinstance(data, dict) else data, OrderRow, "an order"):
            return [update(row, self.wire) for row in found]
        return [row for row in (yield from self.orders(session, ctx)) if row.tag == tag]

    def trades(self, session: Session, ctx: Ctx) -> Operation[list[Trade]]:
        data = yield asked("/trades")
        found = self.wire.rows(data, _Trade, "the trade book")
        known((row.product_type for row in found), NEAREST, self.wire.title, "the trade book")
        return [
            Trade(
                trade_id=row.exchange_trade_id,
                order_id=row.order_id,
                brsymbol="",
                brexchange=row.exchange_segment,
                token=row.security_id,
                action=row.transaction_type,
                product=NEAREST[row.product_type],
                quantity=int(row.traded_quantity),
                price=row.traded_price,
                timestamp=self.wire.moment(row.exchange_time) or self.wire.moment(row.update_time),
            )
            for row in found
        ]

    def positions(self, session: Session, ctx: Ctx) -> Operation[list[Position]]:
        """Net positions of our products. Those of others (MTF, cover orders) are left out: whoever acted on them by one
        of our products would open a second position instead of closing the first."""
        data = yield asked("/positions")
        found = self.wire.rows(data, PositionRow, "the positions")
        known((row.product_type for row in found), NEAREST, self.wire.title, "the positions")
        return [_position(row) for row in found if row.product_type in PRODUCTS]

    def holdings(self, session: Session, ctx: Ctx) -> Operation[list[Holding]]:
        """Prices come from some accounts only; without one there is no result to tell."""
        data = yield asked("/holdings")
        found = []
        for row in self.wire.rows(data, _Holding, "the holdings"):
            quantity, cost = int(row.total_qty), row.avg_cost_price * row.total_qty
            ltp = row.last_traded_price or 0.0
            pnl = ltp * quantity - cost if ltp else 0.0
            found.append(
                Holding(
                    brsymbol=row.trading_symbol,
                    brexchange=_SEGMENTS.get(row.exchange, row.exchange),
                    token=row.security_id,
                    quantity=quantity,
                    average_price=row.avg_cost_price,
                    ltp=ltp,
                    pnl=pnl,
                    pnl_percent=pnl / cost * 100 if cost else 0.0,
                )
            )
        return found

    def funds(self, session: Session, ctx: Ctx) -> Operation[Funds]:
        """Dhan tells no result of the day here."""
        data = yield asked("/fundlimit")
        told = self.wire.read(data, _Funds, "the funds")
        return Funds(
            available_cash=told.availabel_balance, collateral=told.collateral_amount, utilised=told.utilized_amount
        )

    def margin(self, legs: Sequence[tuple[Instrument, MarginLeg]], session: Session, ctx: Ctx) -> Operation[Margin]:
        """One order by itself; several together with the open positions, or where that is not offered their sum, which
        is the most that they can need."""
        scripts = [_leg(instrument, leg) for instrument, leg in legs]
        client = {"dhanClientId": session.secrets["client_id"]}
        alone = [
            Request(method="POST", host="api", path="/margincalculator", json=client | script) for script in scripts
        ]
        if len(scripts) == 1:
            data = yield alone[0]
        elif not self.wire.baskets:
            told = [self.wire.read(data, _Margin, "the margin") for data in (yield alone)]
            return Margin(
                total=sum(each.total_margin for each in told),
                span=sum(each.span_margin for each in told),
                exposure=sum(each.exposure_margin for each in told),
            )
        else:
            # As the SDK and the OpenAPI name it; an example of the documents has other names.
            several = {"includePosition": True, "includeOrder": False, "scripList": scripts}
            data = yield Request(method="POST", host="api", path="/margincalculator/multi", json=client | several)
            data = _camel(data)
        margin = self.wire.read(data, _Margin, "the margin")
        return Margin(total=margin.total_margin, span=margin.span_margin, exposure=margin.exposure_margin)


def asked(path: str) -> Request:
    return Request(method="GET", host="api", path=path)


def _position(row: PositionRow) -> Position:
    """Rows tell no last price: it is made of the average and the unrealised result, so it is as exact as they are."""
    quantity = int(row.net_qty)
    average = row.cost_price or (row.buy_avg if quantity > 0 else row.sell_avg)
    held = quantity * row.multiplier
    digits = 4 if row.exchange_segment in CURRENCIES else 2
    return Position(
        brsymbol="",
        brexchange=row.exchange_segment,
        token=row.security_id,
        product=PRODUCTS[row.product_type],
        quantity=quantity,
        average_price=average if quantity else 0.0,
        ltp=round(average + row.unrealized_profit / held, digits) if held else 0.0,
        pnl=row.realized_profit + row.unrealized_profit,
        realised=row.realized_profit,
        multiplier=row.multiplier,
    )


def _leg(instrument: Instrument, leg: MarginLeg) -> dict[str, Any]:
    told: dict[str, Any] = {
        "exchangeSegment": instrument.brexchange,
        "transactionType": leg.action.value,
        "quantity": leg.quantity,
        "productType": PRODUCT_NAMES[leg.product],
        "securityId": instrument.token,
        "price": float(leg.price),
    }
    return told | ({"triggerPrice": float(leg.trigger_price)} if leg.trigger_price else {})


def _camel(data: Any) -> Any:
    """``total_margin`` as ``totalMargin``: the margin of several orders is documented in both."""
    if not isinstance(data, dict):
        return data
    return {re.sub(r"_(.)", lambda found: found[1].upper(), name): value for name, value in data.items()}
