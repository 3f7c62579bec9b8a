"""Quotes and candles by request, in rupees (portal: Market data)."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, cast

import msgspec

from sangam.brokers.contract import Candle, Ctx, Data, Operation, Request, Session, batches
from sangam.brokers.quote_rows import CandleRow, LevelRow, candles, told, where_offered
from sangam.brokers.rows import Number, levels, moment
from sangam.model.errors import BrokerError, Refused, SessionExpired, Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, Fields, Patch

from .answers import read
from .tables import CLOCK, INTERVALS, QUOTE_BATCH, TITLE, TOO_LONG

Name = tuple[str, str]
"""Segment and instrument id."""

OF_TRADES = frozenset(
    {"volume", "last_trade_quantity", "avg_trade_price", "total_buy_quantity", "total_sell_quantity"}
    | {"bid_price", "bid_size", "ask_price", "ask_size"}
)
"""What an index has not, though its row has a place for it."""

_RENAMED = {
    "brexchange": "exchange",
    "token": "instrumentId",
    "volume": "tradedVolume",
    "last_trade_quantity": "lastTradedQuantity",
    "avg_trade_price": "averageTradedPrice",
    "bid_price": "bestBidPrice",
    "bid_size": "bestBidQuantity",
    "ask_price": "bestAskPrice",
    "ask_size": "bestAskQuantity",
    "total_buy_quantity": "totalBidQuantity",
    "total_sell_quantity": "totalAskQuantity",
    "heard": "tickTimestamp",
}


class _Quote(msgspec.Struct, rename=_RENAMED):
    """By our names; `close` is the previous day's. A row of what is not known has a status and no price."""

    brexchange: str = ""
    token: int | str = ""
    ltp: Number | None = None
    open: Number | None = None
    high: Number | None = None
    low: Number | None = None
    close: Number | None = None
    volume: int | None = None
    last_trade_quantity: int | None = None
    avg_trade_price: Number | None = None
    bid_price: Number | None = None
    bid_size: int | None = None
    ask_price: Number | None = None
    ask_size: int | None = None
    total_buy_quantity: int | None = None
    total_sell_quantity: int | None = None
    heard: str | None = None


class _Book(msgspec.Struct):
    bids: list[LevelRow] = []
    asks: list[LevelRow] = []


class _Depth(msgspec.Struct, rename="camel"):
    market_depth: _Book


class _Interest(msgspec.Struct, rename={"oi": "openInterest", "oi_day_high": "dayHighOi", "oi_day_low": "dayLowOi"}):
    oi: int
    oi_day_high: int | None = None
    oi_day_low: int | None = None


class _Bars(msgspec.Struct):
    """A list of candles, or one as text."""

    candles: Any


def asked(what: str, form: Any, lane: str) -> Request:
    return Request(method="POST", host="api", path=f"/marketdata/{what}", json=form, lane=lane)


def rows(names: Iterable[Name]) -> Operation[dict[Name, _Quote]]:
    """What is known of up to a batch of instruments; others are missing."""
    form = [{"exchange": segment, "instrumentId": token} for segment, token in names]
    data = yield asked("marketquotes", form, "quotes")
    found = read(data, list[_Quote], "market data")
    return {(row.brexchange, str(row.token)): row for row in found if row.token and row.ltp is not None}


def last_prices(names: Iterable[Name]) -> Operation[dict[Name, float]]:
    """For books, whose rows tell none. Quantities are worth more than prices: what cannot be had is missing."""
    found: dict[Name, float] = {}
    try:
        for batch in batches(list(dict.fromkeys(names)), QUOTE_BATCH):
            told = yield from rows(batch)
            found.update((name, row.ltp or 0.0) for name, row in told.items())
    except SessionExpired:
        raise
    except BrokerError:
        pass
    return found


def _quotes(instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
    """Books and open interest are told of one instrument at a time, and so only where one is asked for."""
    names = {(instrument.brexchange, instrument.token): instrument for instrument in instruments}
    found = yield from rows(names)
    patches = [_patch(names[name], row) for name, row in found.items() if name in names]
    if len(instruments) == 1 and patches and not instruments[0].exchange.is_index:
        yield from _deepen(patches[0], instruments[0])
    return patches


def _deepen(patch: Patch, instrument: Instrument) -> Operation[None]:
    form = {"exchange": instrument.brexchange, "instrumentId": instrument.token}
    if (told_depth := (yield from where_offered(asked("marketdepth", form, "depth")))) is not None:
        book = read(told_depth, _Depth, "a book").market_depth
        patch.depth = Depth(levels(book.bids), levels(book.asks))
    if instrument.expiry is None:
        return
    if (told_interest := (yield from where_offered(asked("openinterest", form, "interest")))) is not None:
        patch.fields.update(told(read(told_interest, _Interest, "open interest")))


def _patch(instrument: Instrument, row: _Quote) -> Patch:
    fields = told(row)
    if instrument.exchange.is_index:
        fields = cast(Fields, {name: value for name, value in fields.items() if name not in OF_TRADES})
    if heard := moment(row.heard, CLOCK):
        fields["timestamp"] = heard
    return Patch(instrument, fields, None, True)


def _history(
    instrument: Instrument, interval: str, first: date, last: date, session: Session, ctx: Ctx
) -> Operation[list[Candle]]:
    """A span that is too long is asked for in halves."""
    form = {
        "exchange": instrument.brexchange,
        "instrumentId": instrument.token,
        "interval": INTERVALS[interval].native,
        "fromDate": f"{first:%d-%b-%Y}",
        "toDate": f"{last:%d-%b-%Y}",
    }
    try:
        data = yield asked("historicaldata", form, "history")
    except Refused as refused:
        if refused.broker_code != TOO_LONG or first == last:
            raise
        middle = first + (last - first) // 2
        earlier = yield from _history(instrument, interval, first, middle, session, ctx)
        later = yield from _history(instrument, interval, middle + timedelta(days=1), last, session, ctx)
        return [*earlier, *later]
    bars = read(_listed(data), list[CandleRow[str]], "candles")
    for bar in bars:
        bar.time += "+05:30"
    return candles(bars, TITLE, daily=interval == "D")


def _listed(data: Any) -> Any:
    """The candles of the one result; they may be a text of their own. Raises Unknown."""
    (first,) = data if isinstance(data, list) and len(data) == 1 else (data,)
    bars = read(first, _Bars, "candles").candles
    if not isinstance(bars, str):
        return bars
    try:
        return msgspec.json.decode(bars)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unknown(f"{TITLE}: candles came in an unknown form: {error}") from error


DATA = Data(
    quotes=_quotes,
    quote_batch=QUOTE_BATCH,
    depth_batch=1,
    history=_history,
    intervals=INTERVALS,
    candle_oi=False,
)
