"""Orders, trades, positions, holdings, funds and margins (Noren API docs: Order book; Trade book; Position book;
Holdings; Limits; Get order margin). An empty book is told as an error of its own."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sangam.brokers.contract import Ctx, Operation, Session
from sangam.brokers.rows import Number, Units, known, moment, shaped
from sangam.model.books import Funds, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate

from .answers import Wire, contract, user
from .tables import CLOCK, FILLED, NEAREST, ORDER_TYPES, PRODUCT_CODES, PRODUCTS, UNSET
from .updates import ACTIONS, NAMES, OrderRow, update


class _Trade(msgspec.Struct, rename=NAMES | {"trade_id": "flid", "quantity": "flqty", "price": "flprc"}, kw_only=True):
    trade_id: int | str
    order_id: int | str
    brsymbol: str
    brexchange: str
    token: str = ""
    action: str
    product: str
    quantity: Units
    price: Number
    fltm: str | None = None
    norentm: str | None = None

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"side {self.action!r} is not known")

    @property
    def filled_at(self) -> int:
        """A fill's own time may be unset, which is 1980; then the row's holds."""
        at = moment(self.fltm, FILLED)
        return at if at > UNSET else moment(self.norentm, CLOCK)


class PositionRow(
    msgspec.Struct,
    rename={**NAMES, "quantity": "netqty", "average_price": "netavgprc", "ltp": "lp", "realised": "rpnl"},
    kw_only=True,
):
    """What a unit is worth beside its price is told by two factors; the results hold them."""

    brsymbol: str
    brexchange: str
    token: str = ""
    product: str
    quantity: Units
    average_price: Number = 0.0
    ltp: Number = 0.0
    realised: Number = 0.0
    urmtom: Number = 0.0
    mult: Number = 1.0
    prcftr: Number = 1.0
    daybuyqty: Units = 0
    daysellqty: Units = 0

    def __post_init__(self) -> None:
        if not (self.mult > 0 and self.prcftr > 0):
            raise ValueError("the worth of a unit is not told")

    @property
    def today(self) -> int:
        return int(self.daybuyqty - self.daysellqty)


class _Named(msgspec.Struct, rename={"brexchange": "exch", "brsymbol": "tsym", "ltp": "lp"}):
    brexchange: str
    brsymbol: str
    token: str = ""
    ltp: Number = 0.0


class _Holding(msgspec.Struct, rename={"average_price": "upldprc"}):
    """One share, by its names on each exchange. What is pledged at the broker, unpledged, bought yesterday or held by
    the beneficiary adds up; `npoadqty` and `dpqty` tell the same shares."""

    exch_tsym: list[_Named]
    average_price: Number = 0.0
    holdqty: Units = 0
    dpqty: Units = 0
    npoadqty: Units = 0
    brkcolqty: Units = 0
    benqty: Units = 0
    unplgdqty: Units = 0
    btstqty: Units = 0
    usedqty: Units = 0

    def __post_init__(self) -> None:
        if not self.exch_tsym:
            raise ValueError("a holding without a name")

    @property
    def quantity(self) -> int:
        ours = self.holdqty + self.btstqty + self.brkcolqty + self.unplgdqty + self.benqty
        return int(ours + max(self.npoadqty, self.dpqty) - self.usedqty)

    def holding(self) -> Holding:
        """A share of both exchanges is told as NSE's. Prices come from some brokers only; without one there is no
        result to tell."""
        name = next((each for each in self.exch_tsym if each.brexchange == "NSE"), self.exch_tsym[0])
        gained = name.ltp - self.average_price if name.ltp else 0.0
        percent = gained / self.average_price * 100 if self.average_price else 0.0
        return shaped(
            Holding,
            name,
            quantity=self.quantity,
            average_price=self.average_price,
            pnl=gained * self.quantity,
            pnl_percent=percent,
        )


class _Limits(msgspec.Struct):
    """`payout` is what the user asked back today, told with either sign."""

    cash: Number
    payin: Number = 0.0
    payout: Number = 0.0
    marginused: Number = 0.0
    brkcollamt: Number = 0.0
    collateral: Number = 0.0
    aux_brkcollamt: Number = 0.0


class _OrderMargin(msgspec.Struct):
    """`marginused` is the shortfall where the money does not suffice, so it is not looked at."""

    ordermargin: Number


class _BasketMargin(msgspec.Struct):
    """The account's margin when every leg has traded, and before."""

    marginusedtrade: Number
    marginusedprev: Number


class Books:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def orders(self, session: Session, ctx: Ctx) -> Operation[list[OrderUpdate]]:
        data = yield self.wire.asked(session, "OrderBook")
        return [update(row) for row in self.wire.rows(data, OrderRow, "the order book")]

    def trades(self, session: Session, ctx: Ctx) -> Operation[list[Trade]]:
        data = yield self.wire.asked(session, "TradeBook", {"actid": user(session)})
        found = self.wire.rows(data, _Trade, "the trade book")
        known((row.product for row in found), NEAREST, self.wire.title, "the trade book")
        return [
            shaped(
                Trade,
                row,
                trade_id=str(row.trade_id),
                order_id=str(row.order_id),
                action=ACTIONS[row.action],
                product=NEAREST[row.product],
                quantity=int(row.quantity),
                timestamp=row.filled_at,
            )
            for row in found
        ]

    def position_rows(self, session: Session) -> Operation[list[PositionRow]]:
        data = yield self.wire.asked(session, "PositionBook", {"actid": user(session)})
        return self._position_rows(data)

    def _position_rows(self, data: Any) -> list[PositionRow]:
        found = self.wire.rows(data, PositionRow, "the positions")
        known((row.product for row in found), NEAREST, self.wire.title, "the positions")
        return found

    def positions(self, session: Session, ctx: Ctx) -> Operation[list[Position]]:
        """Net positions of our products. Those of others (margin trading, cover orders) are left out: whoever acted on
        them by one of our products would open a second position instead of closing the first."""
        return [
            shaped(
                Position,
                row,
                product=PRODUCTS[row.product],
                quantity=int(row.quantity),
                pnl=row.realised + row.urmtom,
                multiplier=row.mult * row.prcftr,
            )
            for row in (yield from self.position_rows(session))
            if row.product in PRODUCTS
        ]

    def holdings(self, session: Session, ctx: Ctx) -> Operation[list[Holding]]:
        data = yield self.wire.asked(session, "Holdings", {"actid": user(session), "prd": "C"})
        return [row.holding() for row in self.wire.rows(data, _Holding, "the holdings")]

    def funds(self, session: Session, ctx: Ctx) -> Operation[Funds]:
        """The day's results are those of the positions: not every broker tells them among the limits, and their sign is
        not documented."""
        limits, positions = yield [
            self.wire.asked(session, route, {"actid": user(session)}) for route in ("Limits", "PositionBook")
        ]
        told, rows = self.wire.read(limits, _Limits, "the limits"), self._position_rows(positions)
        return Funds(
            available_cash=told.cash + told.payin - abs(told.payout) - told.marginused,
            collateral=told.brkcollamt + told.collateral + told.aux_brkcollamt,
            m2m_realised=sum(row.realised for row in rows),
            m2m_unrealised=sum(row.urmtom for row in rows),
            utilised=told.marginused,
        )

    def margin(self, legs: Sequence[tuple[Instrument, MarginLeg]], session: Session, ctx: Ctx) -> Operation[Margin]:
        """One order by itself; several together with what is open, or where that is not offered their sum, which is
        the most that they can need."""
        asked = [self._leg(instrument, leg) for instrument, leg in legs]
        who = {"actid": user(session)}
        if len(asked) > 1 and "basket margin" not in self.wire.member.lacks:
            told = yield self.wire.asked(session, "GetBasketMargin", {**who, **asked[0], "basketlists": asked[1:]})
            basket = self.wire.read(told, _BasketMargin, "the margin")
            return Margin(total=basket.marginusedtrade - basket.marginusedprev)
        replies = yield [
            self.wire.asked(session, "GetOrderMargin", {**who, **leg, "rorgqty": "0", "rorgprc": "0"}) for leg in asked
        ]
        return Margin(total=sum(self.wire.read(told, _OrderMargin, "the margin").ordermargin for told in replies))

    @staticmethod
    def _leg(instrument: Instrument, leg: MarginLeg) -> dict[str, str]:
        told = {
            **contract(instrument),
            "qty": str(leg.quantity),
            "prc": f"{leg.price:f}",
            "prd": PRODUCT_CODES[leg.product],
            "trantype": leg.action.value[0],
            "prctyp": ORDER_TYPES[leg.price_type],
        }
        return told | ({"trgprc": f"{leg.trigger_price:f}"} if leg.trigger_price else {})
