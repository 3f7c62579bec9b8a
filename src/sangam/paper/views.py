"""A paper book in the words of the house: order updates, trades, positions, holdings, GTTs, figures."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from sangam.model.books import Funds, Gtt, Holding, Position, Trade
from sangam.model.enums import PriceType
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate

from .book import ENDED, PaperBook
from .config import Config
from .state import DayResult, PaperGtt, PaperHolding, PaperOrder, PaperPosition, PaperTrade

Named = Callable[[str, str, str], Instrument | None]
"""An account's own instrument of a symbol and exchange, None where its master has none."""


class PositionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """`realised` is today's; `margin` is what the position blocks."""

    symbol: str
    exchange: str
    product: str
    quantity: int
    average_price: float
    ltp: float
    realised: float
    unrealised: float
    margin: float
    opened_at: int


class HoldingDetail(msgspec.Struct, frozen=True, kw_only=True):
    """`settlement_date` is an ISO date."""

    symbol: str
    exchange: str
    quantity: int
    average_price: float
    ltp: float
    value: float
    pnl: float
    settlement_date: str


class TradeDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What a trade's row in the books does not tell."""

    trade_id: str
    order_id: str
    charges: float
    strategy: str


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a user's paper book. Times are epoch milliseconds; a reset that never was is 0."""

    user: str
    config: Config
    cash: float
    available: float
    used: float
    today_realised: float
    total_realised: float
    unrealised: float
    charges_today: float
    charges_total: float
    equity: float
    last_reset: int
    reset_count: int
    positions: tuple[PositionDetail, ...] = ()
    holdings: tuple[HoldingDetail, ...] = ()
    days: tuple[DayResult, ...] = ()


def statement(book: PaperBook) -> Statement:
    ledger, balance = book.ledger, book.ledger.balance
    return Statement(
        user=book.user,
        config=book.config,
        cash=_money(balance.cash),
        available=_money(ledger.available),
        used=_money(ledger.used),
        today_realised=_money(balance.realised_today),
        total_realised=_money(balance.realised_total),
        unrealised=_money(ledger.unrealised),
        charges_today=_money(balance.charges_today),
        charges_total=_money(balance.charges_total),
        equity=_money(ledger.equity),
        last_reset=balance.last_reset,
        reset_count=balance.reset_count,
        positions=tuple(_position_detail(position) for position in ledger.positions.values()),
        holdings=tuple(_holding_detail(holding) for holding in ledger.holdings.values()),
        days=tuple(book.days[day] for day in sorted(book.days)),
    )


def funds(book: PaperBook) -> Funds:
    ledger = book.ledger
    return Funds(
        available_cash=_money(ledger.available),
        utilised=_money(ledger.used),
        m2m_realised=_money(ledger.balance.realised_today),
        m2m_unrealised=_money(ledger.unrealised),
    )


def update(order: PaperOrder) -> OrderUpdate:
    return OrderUpdate(
        order_id=order.id,
        brsymbol=order.instrument.brsymbol,
        brexchange=order.instrument.brexchange,
        action=order.action.value,
        quantity=order.quantity,
        status=order.status.value,
        product=order.product.value,
        price_type=order.price_type.value,
        price=0.0 if order.price_type in (PriceType.MARKET, PriceType.SL_M) else float(order.price),
        trigger_price=float(order.trigger_price),
        filled_quantity=order.filled,
        pending_quantity=0 if order.status in ENDED else order.remaining,
        average_price=_price(order.average),
        rejection_reason=order.reason,
        tag=order.tag,
        timestamp=order.updated_at,
        disclosed_quantity=order.disclosed_quantity,
        validity=order.validity.value,
    )


def trade(one: PaperTrade) -> Trade:
    return Trade(
        trade_id=one.trade_id,
        order_id=one.order_id,
        brsymbol=one.instrument.brsymbol,
        brexchange=one.instrument.brexchange,
        action=one.action,
        product=one.product,
        quantity=one.quantity,
        price=float(one.price),
        timestamp=one.timestamp,
    )


def trade_detail(one: PaperTrade) -> TradeDetail:
    return TradeDetail(trade_id=one.trade_id, order_id=one.order_id, charges=_money(one.charges), strategy=one.strategy)


def position(one: PaperPosition, account: str, named: Named) -> Position:
    instrument = _of(account, one.instrument, named)
    return Position(
        brsymbol=instrument.brsymbol,
        brexchange=instrument.brexchange,
        product=one.product,
        quantity=one.quantity,
        average_price=_price(one.average),
        ltp=float(one.ltp),
        pnl=_money(one.realised + one.unrealised()),
        realised=_money(one.realised),
        multiplier=float(one.multiplier),
    )


def holding(one: PaperHolding, account: str, named: Named) -> Holding:
    instrument = _of(account, one.instrument, named)
    pnl = _gain(one)
    return Holding(
        brsymbol=instrument.brsymbol,
        brexchange=instrument.brexchange,
        quantity=one.quantity,
        average_price=_price(one.average),
        ltp=float(one.ltp),
        pnl=_money(pnl),
        pnl_percent=_money(100 * pnl / one.cost) if one.cost else 0.0,
    )


def gtt(one: PaperGtt, account: str, named: Named) -> Gtt:
    instrument = _of(account, one.instrument, named)
    return Gtt(
        trigger_id=one.id,
        brsymbol=instrument.brsymbol,
        brexchange=instrument.brexchange,
        legs=one.legs,
        status=one.status,
        last_price=one.last_price,
        created_at=one.created_at,
        updated_at=one.updated_at,
        expires_at=one.expires_at,
    )


def _of(account: str, instrument: Instrument, named: Named) -> Instrument:
    """As this account's broker names it: a book is shared by all accounts of its user."""
    return named(account, instrument.symbol, instrument.exchange) or instrument


def _position_detail(one: PaperPosition) -> PositionDetail:
    return PositionDetail(
        symbol=one.instrument.symbol,
        exchange=one.instrument.exchange,
        product=one.product,
        quantity=one.quantity,
        average_price=_price(one.average),
        ltp=float(one.ltp),
        realised=_money(one.realised),
        unrealised=_money(one.unrealised()),
        margin=_money(one.margin),
        opened_at=one.opened_at,
    )


def _holding_detail(one: PaperHolding) -> HoldingDetail:
    return HoldingDetail(
        symbol=one.instrument.symbol,
        exchange=one.instrument.exchange,
        quantity=one.quantity,
        average_price=_price(one.average),
        ltp=float(one.ltp),
        value=_money(one.quantity * one.ltp or one.cost),
        pnl=_money(_gain(one)),
        settlement_date=one.settled,
    )


def _gain(one: PaperHolding) -> Decimal:
    return one.quantity * one.ltp - one.cost if one.ltp else Decimal(0)


def _money(amount: Decimal) -> float:
    return float(round(amount, 2))


def _price(price: Decimal) -> float:
    return float(round(price, 6))
