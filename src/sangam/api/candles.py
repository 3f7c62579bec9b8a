"""Candles: history, its intervals, and the ticker of chart programs (specs: REST contract, 5.4 to 5.6)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from sangam.brokers.contract import Candle, batches
from sangam.model.clock import IST
from sangam.model.enums import Exchange
from sangam.model.errors import InvalidInput
from sangam.model.identity import AccountInfo

from .deps import ApiDeps
from .errors import ApiError, CompactJson, ErrorCode, success
from .gate import Gate, concerning
from .requests import Bars, Day, Keyed, Pair
from .stream import json_list, paced

AT_ONCE = 1000
"""Longer answers are sent in pieces of so many candles, so that the loop has its turn between them."""

LONG_SPAN, SHORT_SPAN = timedelta(days=3653), timedelta(days=30)
"""How far back a ticker goes: for days and longer, and for intraday candles."""

_DAILY = frozenset("DWMQY")


def make_router(deps: ApiDeps, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["market data"])

    async def candles(account: AccountInfo, wanted: Pair, interval: str, start: date, end: date) -> list[Candle]:
        with concerning(account):
            if start > end:
                raise InvalidInput(f"The start date {start} is after the end date {end}.")
            instrument = deps.master(account.id).lookup(wanted.symbol, wanted.exchange)
            return await deps.history(account.id, instrument, interval, start, end)

    @router.post("/history", summary="Candles")
    async def history(wanted: Bars, request: Request) -> Response:
        """`timestamp` is in epoch seconds: the start of an intraday bar; of days and longer the date at 00:00 UTC."""
        account = gate.account(wanted, request)
        return _bars(await candles(account, wanted, wanted.interval, wanted.start_date, wanted.end_date))

    @router.post("/intervals", summary="Intervals of which candles can be had")
    @router.post("/interval", include_in_schema=False)
    async def intervals(wanted: Keyed, request: Request) -> Response:
        account = gate.account(wanted, request)
        with concerning(account):
            return success(data=interval_data(deps.intervals(account.id)))

    @router.get("/ticker/{name:path}", summary="Candles of EXCHANGE:SYMBOL, as JSON or text")
    async def ticker(
        name: str,
        request: Request,
        apikey: str,
        interval: str = "D",
        start: Annotated[Day | None, Query(alias="from")] = None,
        end: Annotated[Day | None, Query(alias="to")] = None,
        format: Literal["json", "txt"] = "json",
    ) -> Response:
        """A span longer than 10 years (intraday 30 days) is cut at its beginning."""
        try:
            account = gate.account(Keyed(apikey=apikey), request)
            pair = _pair(name)
            last = end or deps.today()
            earliest = last - (LONG_SPAN if interval in _DAILY else SHORT_SPAN)
            bars = await candles(account, pair, interval, max(start or earliest, earliest), last)
        except ApiError as error:
            if format == "txt":
                return PlainTextResponse(str(error.message), error.status)
            raise
        if format == "txt":
            pieces = ("".join(_line(pair, bar, interval) for bar in part).encode() for part in batches(bars, AT_ONCE))
            return StreamingResponse(paced(pieces), media_type="text/plain")
        return _bars(bars)

    return router


def _bars(bars: Sequence[Candle]) -> Response:
    if len(bars) <= AT_ONCE:
        return success(data=bars)
    pieces = json_list(b'{"status":"success","data":[', batches(bars, AT_ONCE))
    return StreamingResponse(paced(pieces), media_type=CompactJson.media_type)


def _pair(name: str) -> Pair:
    exchange, colon, symbol = name.partition(":")
    if not colon or not symbol or exchange not in Exchange.__members__:
        raise ApiError(400, ErrorCode.INVALID_INPUT, f"Write EXCHANGE:SYMBOL, as NSE:RELIANCE; '{name}' is not that.")
    return Pair(symbol=symbol, exchange=Exchange(exchange))


def _line(pair: Pair, bar: Candle, interval: str) -> str:
    zone = UTC if interval in _DAILY else IST
    at = datetime.fromtimestamp(bar.timestamp, zone).strftime("%Y-%m-%d" if interval in _DAILY else "%Y-%m-%d,%H:%M:%S")
    return f"{pair.exchange}:{pair.symbol},{at},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}\n"


_UNITS: Mapping[str, str] = {
    "s": "seconds", "m": "minutes", "h": "hours", "D": "days", "W": "weeks", "M": "months",
}  # fmt: skip


def interval_data(names: Sequence[str]) -> dict[str, list[str]]:
    """The six known groups, each there even if empty. Quarters and years have no group of their own."""
    return {group: [name for name in names if name.endswith(unit)] for unit, group in _UNITS.items()}
