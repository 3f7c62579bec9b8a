"""Candles by request (documents: Historical Data). Times are true UTC seconds."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import msgspec

from sangam.brokers.contract import EMPTY, Candle, Ctx, Operation, Request, Session
from sangam.brokers.quote_rows import CandleRow, candles
from sangam.brokers.rows import Number
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import Unknown
from sangam.model.instrument import Instrument

from .answers import Wire
from .tables import INDEX_UNDERLYINGS, INTERVALS, KINDS


class _Columns(msgspec.Struct):
    """One list per column; `open_interest` comes where it was asked for."""

    timestamp: list[Number] = []
    open: list[Number] = []
    high: list[Number] = []
    low: list[Number] = []
    close: list[Number] = []
    volume: list[Number] = []
    open_interest: list[Number] = []


def history(wire: Wire) -> Callable[[Instrument, str, date, date, Session, Ctx], Operation[list[Candle]]]:
    """`Data.history` of a wire."""
    return partial(_history, wire)


def _history(
    wire: Wire, instrument: Instrument, interval: str, first: date, last: date, session: Session, ctx: Ctx
) -> Operation[list[Candle]]:
    """The last day of daily candles is exclusive. A day without trading and a number that nobody has are both answered
    with empty lists (measured)."""
    daily = interval == "D"
    asked: dict[str, Any] = {
        "securityId": instrument.token,
        "exchangeSegment": instrument.brexchange,
        "instrument": kind_of(instrument),
        "oi": instrument.expiry is not None,
    }
    if daily:
        path = "/charts/historical"
        asked |= {"expiryCode": 0, "fromDate": f"{first}", "toDate": f"{last + timedelta(days=1)}"}
    else:
        path = "/charts/intraday"
        span = {"fromDate": f"{first} 00:00:00", "toDate": f"{last} 23:59:59"}
        asked |= {"interval": INTERVALS[interval].native, **span}
    data = yield Request(method="POST", host="api", path=path, json=asked, lane="data")
    if data is EMPTY:
        return []
    told = wire.read(data, _Columns, "a history")
    oi = told.open_interest or [0.0] * len(told.timestamp)
    columns = (told.timestamp, told.open, told.high, told.low, told.close, told.volume, oi)
    try:
        rows = [CandleRow(int(start), *rest) for start, *rest in zip(*columns, strict=True)]
    except (ValueError, OverflowError) as error:
        raise Unknown(f"{wire.title}: the columns of a history do not fit together: {error}") from error
    return candles(rows, wire.title, daily=daily)


def kind_of(instrument: Instrument) -> str:
    """What the charts call it: EQUITY, INDEX, FUTIDX, OPTSTK ..."""
    if instrument.exchange.is_index:
        return "INDEX"
    if instrument.expiry is None:
        return "EQUITY"
    future, option = KINDS[instrument.exchange]
    if instrument.name in INDEX_UNDERLYINGS and instrument.exchange in (Exchange.NFO, Exchange.BFO, Exchange.MCX):
        future, option = "FUTIDX", "OPTIDX"
    return future if instrument.instrument_type is InstrumentType.FUT else option
