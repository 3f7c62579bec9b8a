"""Orders, trades, positions, holdings, funds and margins (documents: Order; Portfolio; User balance)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sangam.brokers.contract import EMPTY, Ctx, Operation, Request, Session
from sangam.brokers.rows import Number, Units, known, plain, shaped
from sangam.model.books import Funds, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Action
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate

from .answers import Wire
from .data import last_prices
from .login import dealt
from .packets import Key
from .tables import CODES, NEAREST, ORDER_TYPES, PRODUCTS
from .updates import NAMES, OrderRow, Side, stamp, update


class _Trade(
    msgspec.Struct,
    rename=NAMES
    | {
        "trade_id": "ExecutionID", "quantity": "LastTradedQuantity", "price": "LastTradedPrice",
        "traded": "LastExecutionTransactTime",
    },
):  # fmt: skip
    """An order's row with its last fill."""

    trade_id: int | str
    order_id: int | str
    brexchange: str
    token: int | str
    action: Side
    product: str
    quantity: Units
    price: Number
    client: str = ""
    traded: str = ""
    updated: str = ""


class _Position(
    msgspec.Struct,
    rename={
        "brexchange": "ExchangeSegment", "token": "ExchangeInstrumentId", "product": "ProductType",
        "quantity": "Quantity", "bought": "BuyAveragePrice", "sold": "SellAveragePrice", "multiplier": "Multiplier",
        "pnl": "MTM", "realised": "RealizedMTM", "client": "AccountID",
    },
):  # fmt: skip
    brexchange: str
    token: int
    product: str
    quantity: Units
    bought: Number = 0.0
    sold: Number = 0.0
    multiplier: Number = 1.0
    pnl: Number = 0.0
    realised: Number = 0.0
    client: str = ""


_OLDER = {"ExchangeInstrumentID": "ExchangeInstrumentId", "NetPosition": "Quantity"}
"""How older hosts call what a position must have."""


class _Holding(
    msgspec.Struct,
    rename={
        "quantity": "HoldingQuantity", "nse": "ExchangeNSEInstrumentId", "bse": "ExchangeBSEInstrumentId",
        "price": "BuyAvgPrice", "priced": "IsBuyAvgPriceProvided",
    },
):  # fmt: skip
    quantity: Units
    nse: int = 0
    bse: int = 0
    price: Number = 0.0
    priced: bool = True

    @property
    def key(self) -> Key:
        """By the id of the exchange that has one, NSE's first. Raises LookupError where none has."""
        return [key for key in ((CODES["NSECM"], self.nse), (CODES["BSECM"], self.bse)) if key[1] > 0][0]  # noqa: RUF015


class _Limits(
    msgspec.Struct,
    rename={
        "available_cash": "netMarginAvailable", "collateral": "collateral", "utilised": "marginUtilized",
        "m2m_realised": "RealizedMTM", "m2m_unrealised": "UnrealizedMTM",
    },
):  # fmt: skip
    available_cash: Number
    collateral: Number = 0.0
    utilised: Number = 0.0
    m2m_realised: Number = 0.0
    m2m_unrealised: Number = 0.0


_NAMES = {code: name for name, code in CODES.items()}


class Books:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def orders(self, session: Session, ctx: Ctx) -> Operation[list[OrderUpdate]]:
        data = yield _asked(session, "/orders", "/orders/dealerorderbook")
        return [
            update(row) for row in self.wire.book(data, OrderRow, "the order book") if _is_ours(session, row.client)
        ]

    def trades(self, session: Session, ctx: Ctx) -> Operation[list[Trade]]:
        data = yield _asked(session, "/orders/trades", "/orders/dealertradebook")
        rows = [row for row in self.wire.book(data, _Trade, "the trade book") if _is_ours(session, row.client)]
        known((row.product for row in rows), NEAREST, self.wire.title, "the trade book")
        return [
            shaped(
                Trade,
                row,
                trade_id=str(row.trade_id),
                order_id=str(row.order_id),
                brsymbol="",
                token=str(row.token),
                action=Action(row.action.upper()),
                product=NEAREST[row.product],
                quantity=int(row.quantity),
                timestamp=stamp(row.traded) or stamp(row.updated),
            )
            for row in rows
        ]

    def positions(self, session: Session, ctx: Ctx) -> Operation[list[Position]]:
        """Net positions of our products. Those of others (cover, bracket) are left out: whoever acted on them by one of
        our products would open a second position instead of closing the first."""
        data = yield _asked(session, "/portfolio/positions", "/portfolio/dealerpositions", dayOrNet="NetWise")
        told = data.get("positionList") if isinstance(data, dict) else data
        told = [_renamed(row) for row in told] if isinstance(told, list) else told
        rows = [row for row in self.wire.book(told, _Position, "the positions") if _is_ours(session, row.client)]
        known((row.product for row in rows), NEAREST, self.wire.title, "the positions")
        known((row.brexchange for row in rows), CODES, self.wire.title, "the positions")
        rows = [row for row in rows if row.product in PRODUCTS]
        keys = {(CODES[row.brexchange], row.token) for row in rows if row.quantity}
        prices = yield from last_prices(self.wire, sorted(keys))
        return [
            shaped(
                Position,
                row,
                brsymbol="",
                token=str(row.token),
                product=PRODUCTS[row.product],
                quantity=int(row.quantity),
                average_price=(row.bought if row.quantity > 0 else row.sold) if row.quantity else 0.0,
                ltp=prices.get((CODES[row.brexchange], row.token), 0.0),
            )
            for row in rows
        ]

    def holdings(self, session: Session, ctx: Ctx) -> Operation[list[Holding]]:
        """Prices are asked of market data; without one there is no result to tell."""
        data = yield _asked(session, "/portfolio/holdings")
        if data is EMPTY:
            return []
        try:  # by ISIN, or in the older form a list
            found = data["RMSHoldings"]["Holdings"].values() if "RMSHoldings" in data else data["RMSHoldingList"]
            rows = self.wire.read([plain(row) for row in found], list[_Holding], "the holdings")
            names = [row.key for row in rows]
        except (AttributeError, LookupError, TypeError) as error:
            raise Unknown(f"{self.wire.title}: the holdings came in an unknown form: {error!r}") from error
        prices = yield from last_prices(self.wire, names)
        return [_holding(row, prices) for row in rows]

    def funds(self, session: Session, ctx: Ctx) -> Operation[Funds]:
        """Of the entry that stands for everything."""
        if dealt(session):
            raise Refused(f"{self.wire.title} tells funds to investors only.", "INSUFFICIENT_PERMISSION").unsent()
        data = yield _asked(session, "/user/balance")
        try:
            entries = [each["limitObject"] for each in data["BalanceList"] if each["limitHeader"] == "ALL|ALL|ALL"]
            told = plain(entries[0]["RMSSubLimits"])
        except (LookupError, TypeError) as error:
            raise Unknown(f"{self.wire.title}: the funds came without their total: {error!r}") from error
        return shaped(Funds, self.wire.read(told, _Limits, "the funds"))

    def margin(self, legs: Sequence[tuple[Instrument, MarginLeg]], session: Session, ctx: Ctx) -> Operation[Margin]:
        """Of a whole basket. Nothing is told of its parts."""
        form = {"portfolio": [_leg(instrument, leg) for instrument, leg in legs]} | dealt(session)
        data = yield Request(method="POST", host="api", path="/orders/margindetails", json=form, lane="margin")
        told = data.get("brokerageDeatils") if isinstance(data, dict) else None  # misspelt on the wire
        needed = self.wire.read(told, dict[str, Any], "the margin").get("MarginRequired")
        return Margin(total=self.wire.read(needed, Number, "the margin"))


def _asked(session: Session, path: str, dealer: str = "", **query: str) -> Request:
    """A book; dealers have other paths for some."""
    client = dealt(session)
    path = dealer if client and dealer else path
    return Request(method="GET", host="api", path=path, query={**query, **client}, lane="books")


def _is_ours(session: Session, client: str) -> bool:
    """A dealer's books may be about several clients; an investor's are his own."""
    return client == "" or session.secrets.get("client_code", "") in ("", client)


def _renamed(row: Any) -> Any:
    return {_OLDER.get(name, name): value for name, value in row.items()} if isinstance(row, dict) else row


def _holding(row: _Holding, prices: Mapping[Key, float]) -> Holding:
    quantity, price = int(row.quantity), row.price if row.priced else 0.0
    ltp, cost = prices.get(row.key, 0.0), price * quantity
    pnl = ltp * quantity - cost if ltp and cost else 0.0
    segment, token = row.key
    return Holding(
        brsymbol="",
        brexchange=_NAMES[segment],
        token=str(token),
        quantity=quantity,
        average_price=price,
        ltp=ltp,
        pnl=pnl,
        pnl_percent=pnl / cost * 100 if cost else 0.0,
    )


def _leg(instrument: Instrument, leg: MarginLeg) -> dict[str, Any]:
    return {
        "exchange": CODES[instrument.brexchange],
        "exchangeInstrumentId": int(instrument.token),
        "productType": leg.product.value,
        "orderType": ORDER_TYPES[leg.price_type],
        "orderSide": leg.action.value,
        "quantity": leg.quantity,
        "price": float(leg.price),
        "stopPrice": float(leg.trigger_price),
        "orderSessionType": 1,
    }
