"""Quotes and candles by request (Noren API docs: GetQuotes; TPSeries; EODChartData). Neither takes more than one
instrument."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec

from sangam.brokers.contract import EMPTY, Candle, Ctx, Operation, Session
from sangam.brokers.quote_rows import CandleRow, candles
from sangam.brokers.rows import Number, moment
from sangam.model.clock import IST
from sangam.model.errors import DecodeError, Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Patch

from .answers import Wire
from .packets import Scrip
from .tables import EOD_NAMES, FILLED, INTERVALS


class _Bar(
    msgspec.Struct,
    kw_only=True,
    rename={
        "open": "into", "high": "inth", "low": "intl", "close": "intc", "volume": "intv", "time": "ssboe",
        "clock": "time",
    },
):  # fmt: skip
    """One candle, its start in epoch seconds: of a day, 00:00 UTC of its date. Two brokers' samples of minutes tell it
    by the wall clock alone."""

    time: int = 0
    clock: str = ""
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number = 0
    oi: Number = 0

    def __post_init__(self) -> None:
        self.time = self.time or moment(self.clock, FILLED) // 1000
        if self.time <= 0:
            raise ValueError("no time")


class Market:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.intervals = INTERVALS

    def quotes(self, instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
        (instrument,) = instruments
        named = {"exch": instrument.brexchange, "token": instrument.token}
        try:
            told = yield self.wire.asked(session, "GetQuotes", named)
        except Refused as refused:
            if refused.code != "INVALID_INPUT":
                raise
            return []  # it knows no such token
        return [] if told is EMPTY else [self._quote(instrument, told)]

    def _quote(self, instrument: Instrument, told: Any) -> Patch:
        """As on the socket, where the names are in lower case. A quote's own time is `lut`, its last trade's `ltt` of
        the date `ltd`. What nobody trades has no book."""
        try:
            frame = {name.casefold(): text for name, text in told.items() if text != ""}
            traded = moment(f"{frame['ltd']} {frame.pop('ltt', '')}", FILLED) if "ltd" in frame else 0
            scrip = Scrip(True)
            scrip.add(frame | {"ft": frame.get("lut")})
        except (AttributeError, DecodeError) as error:
            raise Unknown(f"{self.wire.title}: a quote came in an unknown form: {error}") from error
        patch = scrip.patch(instrument, book=not instrument.exchange.is_index, told=scrip.heard > 0)
        if traded > 0:
            patch.fields["ltt"] = traded
        return patch

    def history(
        self, instrument: Instrument, interval: str, first: date, last: date, session: Session, ctx: Ctx
    ) -> Operation[list[Candle]]:
        daily = interval == "D"
        route, told = _days(instrument, first, last) if daily else _minutes(instrument, interval, first, last)
        rows = yield self.wire.asked(session, route, told, charts=True)
        if daily and isinstance(rows, list):
            rows = [_inner(row) for row in rows]
        bars = [row for row in self.wire.rows(rows, _Bar, "candles") if row.open > 0 and row.low > 0]
        begin, end = (int(datetime.combine(day, time(), UTC if daily else IST).timestamp()) for day in (first, last))
        found = [
            CandleRow(row.time, row.open, row.high, row.low, row.close, row.volume, row.oi)
            for row in bars
            if begin <= row.time < end + 86_400
        ]
        return candles(found, self.wire.title, daily=daily)


def _days(instrument: Instrument, first: date, last: date) -> tuple[str, Mapping[str, str]]:
    """Days are asked by name, and those of an index by its own."""
    known = EOD_NAMES if instrument.exchange.is_index else {}
    sym = f"{instrument.brexchange}:{known.get(instrument.symbol, instrument.brsymbol)}"
    begin, end = (int(datetime.combine(day, time(), UTC).timestamp()) for day in (first, last + timedelta(days=1)))
    return "EODChartData", {"sym": sym, "from": str(begin), "to": str(end - 1)}


def _minutes(instrument: Instrument, interval: str, first: date, last: date) -> tuple[str, Mapping[str, str]]:
    begin, end = (int(datetime.combine(day, time(), IST).timestamp()) for day in (first, last + timedelta(days=1)))
    named = {"exch": instrument.brexchange, "token": instrument.token}
    return "TPSeries", {**named, "st": str(begin), "et": str(end - 1), "intrv": INTERVALS[interval].native}


def _inner(row: Any) -> Any:
    """A day comes as a text that holds an object."""
    try:
        return msgspec.json.decode(row) if isinstance(row, str) else row
    except msgspec.DecodeError:
        return row
