"""Orders, trades, positions, holdings and funds (documents: Order book; Portfolio; Funds)."""

import msgspec

from sangam.brokers.contract import Ctx, Operation, Session
from sangam.brokers.rows import Number, Units, known
from sangam.model.books import Funds, Holding, Position, Trade
from sangam.model.enums import Action
from sangam.model.errors import Unknown
from sangam.model.order import OrderUpdate

from .answers import Wire
from .tables import NEAREST, PRODUCTS
from .updates import OrderRow, moment, update

ORDERS = "/api/v1/orders"


class _Orders(msgspec.Struct):
    orders: list[OrderRow]


class _Trade(msgspec.Struct):
    oms_order_id: str | int
    trade_number: str | int
    exchange: str
    instrument_token: str | int
    order_side: Action
    product: str
    trade_quantity: Units
    trade_price: Number
    trade_time: int | str | None = None


class _Trades(msgspec.Struct):
    trades: list[_Trade]


class _Position(msgspec.Struct):
    """Averages are of what was bought and sold; what was carried over is counted apart, and `average_price` is its
    close. `realized_mtm` is not read: in the documents' samples it may be 0 where something was realised."""

    exchange: str
    instrument_token: str | int
    product: str
    net_quantity: Units
    average_buy_price: Number
    average_sell_price: Number
    buy_quantity: Units
    sell_quantity: Units
    ltp: Number
    cf_buy_quantity: Units = 0.0
    cf_sell_quantity: Units = 0.0
    average_price: Number | None = None
    multiplier: Number = 1.0

    def position(self) -> Position:
        quantity, close = int(self.net_quantity), self.average_price or 0.0
        bought, sold = self.buy_quantity, self.sell_quantity
        if bought - sold != quantity:
            bought, sold = bought + self.cf_buy_quantity, sold + self.cf_sell_quantity
        paid, got = self.average_buy_price or close, self.average_sell_price or close
        average = 0.0 if not quantity else paid if quantity > 0 else got
        closed = min(bought, sold)
        realised = closed * (got - paid) * self.multiplier if closed else 0.0
        return Position(
            brsymbol="",
            brexchange=self.exchange,
            token=str(self.instrument_token).strip(),
            product=PRODUCTS[self.product],
            quantity=quantity,
            average_price=average,
            ltp=self.ltp,
            pnl=realised + (self.ltp - average) * quantity * self.multiplier,
            realised=realised,
            multiplier=self.multiplier,
        )


class _Details(msgspec.Struct):
    instrument_token: str | int


class _Holding(msgspec.Struct):
    """`buy_avg` is yesterday's close where `actual_buy_avg` stands beside it (Master Trust documents: Demat
    holdings)."""

    exchange: str
    quantity: Units
    buy_avg: Number
    ltp: Number
    actual_buy_avg: Number | None = None
    token: str | int | None = None
    instrument_details: _Details | None = None

    def holding(self) -> Holding:
        token = self.instrument_details.instrument_token if self.instrument_details is not None else self.token
        if not token:
            raise ValueError("a holding of nothing")
        quantity = int(self.quantity)
        average = self.buy_avg if self.actual_buy_avg is None else self.actual_buy_avg
        cost, gained = average * quantity, (self.ltp - average) * quantity
        return Holding(
            brsymbol="",
            brexchange=self.exchange,
            token=str(token).strip(),
            quantity=quantity,
            average_price=average,
            ltp=self.ltp,
            pnl=gained,
            pnl_percent=gained / cost * 100 if cost else 0.0,
        )


class _Holdings(msgspec.Struct):
    holdings: list[_Holding]


class _Funds(msgspec.Struct):
    """Rows of a label and its value; some brokers have more columns."""

    values: list[list[str | float | None]]


_AVAILABLE = ("Available Margin", "Available")
_COLLATERAL = ("Total Pledge Collateral", "Collateral")


class Books(Wire):
    def orders(self, session: Session, ctx: Ctx) -> Operation[list[OrderUpdate]]:
        """Those that wait, and then those that are over: what ends in between is in both, and in none the other way
        round."""
        found: dict[str, OrderUpdate] = {}
        for row in (yield from self._rows(session, "pending")) + (yield from self._rows(session, "completed")):
            told = update(row)
            found[told.order_id] = told
        return list(found.values())

    def _rows(self, session: Session, kind: str) -> Operation[list[OrderRow]]:
        data = yield self.asked(ORDERS, session, type=kind)
        found = self.read(data, _Orders, "the order book").orders
        if self.member.echoes and any(row.tag is msgspec.UNSET for row in found):
            # Whoever looks for his order by its number must not conclude that it never arrived.
            raise Unknown(f"{self.title}: the order book came without the numbers that orders were given.")
        return found

    def trades(self, session: Session, ctx: Ctx) -> Operation[list[Trade]]:
        data = yield self.asked("/api/v1/trades", session)
        found = self.read(data, _Trades, "the trade book").trades
        known((row.product for row in found), NEAREST, self.title, "the trade book")
        return [
            Trade(
                trade_id=str(row.trade_number),
                order_id=str(row.oms_order_id).strip(),
                brsymbol="",
                brexchange=row.exchange,
                token=str(row.instrument_token).strip(),
                action=row.order_side,
                product=NEAREST[row.product],
                quantity=int(row.trade_quantity),
                price=row.trade_price,
                timestamp=moment(row.trade_time),
            )
            for row in found
        ]

    def positions(self, session: Session, ctx: Ctx) -> Operation[list[Position]]:
        """Netwise, which the wire calls historical: with what was carried over. Those of cover and bracket orders are
        left out: whoever acted on them by one of our products would open a second position instead of closing the
        first."""
        data = yield self.asked("/api/v1/positions", session, type="historical")
        found = self.read(data, list[_Position], "the positions")
        known((row.product for row in found), NEAREST, self.title, "the positions")
        return [row.position() for row in found if row.product in PRODUCTS]

    def holdings(self, session: Session, ctx: Ctx) -> Operation[list[Holding]]:
        data = yield self.asked("/api/v1/holdings", session)
        try:
            return [row.holding() for row in self.read(data, _Holdings, "the holdings").holdings]
        except ValueError as error:
            raise Unknown(f"{self.title}: {error}") from error

    def funds(self, session: Session, ctx: Ctx) -> Operation[Funds]:
        """Labels and values; without the money that is left there is no answer."""
        data = yield self.asked(f"/api/{self.member.funds}/funds/view", session, type="all")
        told = {str(row[0]): row[1] for row in self.read(data, _Funds, "the funds").values if len(row) > 1}

        def value(*labels: str) -> float:
            text = next((told[label] for label in labels if label in told), "0")
            return self.read(text, Number, "the funds")

        if not any(label in told for label in _AVAILABLE):
            raise Unknown(f"{self.title}: the funds tell no available margin.")
        return Funds(
            available_cash=value(*_AVAILABLE),
            collateral=value(*_COLLATERAL),
            m2m_realised=value("realized_mtm"),
            m2m_unrealised=value("unrealized_mtm"),
            utilised=value("Margin Used"),
        )
