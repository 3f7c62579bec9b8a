"""Quotes by request (documents: Market Quote)."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from sangam.brokers.contract import EMPTY, Ctx, Data, Operation, Request, Session
from sangam.brokers.families.dhan import history
from sangam.brokers.families.dhan.tables import INTERVALS
from sangam.brokers.quote_rows import BookRow, told
from sangam.brokers.rows import Number, moment
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, DepthLevel, Fields, Patch

from .tables import QUOTE_BATCH, WIRE

_NEVER = 1_000_000_000_000
"""What was never traded was last traded in 1980."""


class _Prices(msgspec.Struct):
    """`close` is the previous day's."""

    open: Number
    high: Number
    low: Number
    close: Number


_RENAMED = {
    "ltp": "last_price",
    "last_trade_quantity": "last_quantity",
    "avg_trade_price": "average_price",
    "total_buy_quantity": "buy_quantity",
    "total_sell_quantity": "sell_quantity",
    "lower_circuit": "lower_circuit_limit",
    "upper_circuit": "upper_circuit_limit",
}


class _Quote(msgspec.Struct, rename=_RENAMED):
    """One instrument of ``POST /marketfeed/quote``, by our names."""

    ltp: Number
    ohlc: _Prices
    last_trade_time: str = ""
    volume: Number | None = None
    oi: Number | None = None
    oi_day_high: Number | None = None
    oi_day_low: Number | None = None
    last_trade_quantity: Number | None = None
    avg_trade_price: Number | None = None
    total_buy_quantity: Number | None = None
    total_sell_quantity: Number | None = None
    lower_circuit: Number | None = None
    upper_circuit: Number | None = None
    depth: BookRow | None = None


class _Answer(msgspec.Struct):
    data: dict[str, dict[str, _Quote]]


def _quotes(instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
    wanted: dict[str, list[int]] = {}
    for instrument in instruments:
        wanted.setdefault(instrument.brexchange, []).append(int(instrument.token))
    data = yield Request(method="POST", host="api", path="/marketfeed/quote", json=wanted, lane="quote")
    answer = {} if data is EMPTY else WIRE.read(data, _Answer, "market data").data
    found = [(each, answer.get(each.brexchange, {}).get(each.token)) for each in instruments]
    return [_patch(instrument, quote) for instrument, quote in found if quote is not None]


def _patch(instrument: Instrument, quote: _Quote) -> Patch:
    """Prices are single floats written out, so they are rounded to the tick's decimals. An index has zeros for what it
    has not, and so have shares for open interest."""
    digits = instrument.decimals
    if instrument.exchange.is_index:
        return Patch(instrument, _rounded({"ltp": quote.ltp, **told(quote.ohlc)}, digits), None, True)
    fields: dict[str, Any] = {**told(quote), **told(quote.ohlc)}
    if instrument.expiry is None:
        for name in ("oi", "oi_day_high", "oi_day_low"):
            fields.pop(name, None)
    if (traded := moment(quote.last_trade_time, "%d/%m/%Y %H:%M:%S")) > _NEVER:
        fields["ltt"] = traded
    book = (quote.depth or BookRow()).depth
    return Patch(instrument, _rounded(fields, digits), Depth(_side(book.buy, digits), _side(book.sell, digits)), True)


def _rounded(fields: Mapping[str, Any], digits: int) -> Fields:
    """Counts stay as they are."""
    return cast(Fields, {name: round(value, digits) for name, value in fields.items()})


def _side(rows: Sequence[DepthLevel], digits: int) -> list[DepthLevel]:
    return [DepthLevel(round(row.price, digits), row.quantity, row.orders) for row in rows]


DATA = Data(quotes=_quotes, quote_batch=QUOTE_BATCH, history=history(WIRE), intervals=INTERVALS)
