"""Quotes and candles of the paper exchange, in the house's own words."""

from collections.abc import Sequence
from datetime import date
from typing import Any, TypeVar

import msgspec

from sangam.brokers.contract import Candle, Ctx, Data, Operation, Request, Session
from sangam.model.errors import Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Patch

from .stream import Tick, patch
from .tables import INTERVALS, QUOTE_BATCH

T = TypeVar("T")

_Row = tuple[int, float, float, float, float, int, int]


def _quotes(instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
    by_token = {instrument.token: instrument for instrument in instruments}
    data = yield Request(method="GET", host="api", path="/quotes", query={"tokens": ",".join(by_token)})
    return [patch(row, by_token[row.token]) for row in _read(data, list[Tick]) if row.token in by_token]


def _history(
    instrument: Instrument, interval: str, first: date, last: date, session: Session, ctx: Ctx
) -> Operation[list[Candle]]:
    query = {"token": instrument.token, "interval": INTERVALS[interval].native, "from": f"{first}", "to": f"{last}"}
    data = yield Request(method="GET", host="api", path="/candles", query=query)
    return [Candle(*row) for row in _read(data, list[_Row])]


def _read(data: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise Unknown(f"Sangam Paper: market data came in an unknown form: {error}") from error


DATA = Data(quotes=_quotes, quote_batch=QUOTE_BATCH, history=_history, intervals=INTERVALS)
