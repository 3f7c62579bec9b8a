"""REST of the paper wire. Every answer is ``{"status": "success", "data": ...}`` or an error with its `message`.

`GET /session` names the client, `GET /instruments.csv` lists what trades today.
`GET /quotes?tokens=T,T,...` (at most 500) answers rows of token, fields, buy and sell as in the stream's mode 3;
unknown tokens are missing. `GET /candles?token=T&interval=5m&from=2026-08-17&to=2026-08-18` (IST dates, both included,
at most the interval's span) answers rows of epoch second, open, high, low, close, volume, oi; a day's second is 00:00
UTC of its date."""

import csv
import io
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Mode

from .market import Market
from .rest import joined
from .tape import Bar

if TYPE_CHECKING:
    from .paper import Paper

COLUMNS = ("token", "symbol", "exchange", "name", "instrument_type", "expiry", "strike", "lot_size", "tick_size")
MAX_QUOTES = 500
INTERVALS = {
    "1m": (1, 5),
    "3m": (3, 15),
    "5m": (5, 25),
    "10m": (10, 50),
    "15m": (15, 75),
    "30m": (30, 150),
    "1h": (60, 300),
    "D": (0, 2000),
}
"""Minutes of a candle (0: a day), and how many days one request may span."""

_PORTION = 10
"""Markets that are looked at in one go: one that nobody watches catches up first, and others share the loop."""

_encode = msgspec.json.Encoder().encode
_HEAD, _TAIL = b'{"status":"success","data":[', b"]}"


class PaperRest:
    def __init__(self, paper: "Paper") -> None:
        self._paper = paper

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/session", self._session),
            Route("/instruments.csv", self._instruments),
            Route("/quotes", self._quotes),
            Route("/candles", self._candles),
        ]

    async def _session(self, request: Request) -> Response:
        if not self._knows(request):
            return refusal(401)
        return _json(_encode({"status": "success", "data": {"client_id": self._paper.client_id}}))

    async def _instruments(self, request: Request) -> Response:
        if not self._knows(request):
            return refusal(401)
        if self._paper.faults.damaged_master is not None:
            return Response(self._paper.faults.damaged_master, media_type="text/csv")
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for contract in self._paper.exchange.contracts:
            expiry = contract.expiry.isoformat() if contract.expiry else ""
            names = (self._paper.token(contract), contract.symbol, contract.exchange.value, contract.name)
            rules = (contract.strike, contract.lot_size, contract.tick_size)
            writer.writerow((*names, contract.instrument_type.value, expiry, *rules))
        return Response(text.getvalue(), media_type="text/csv")

    async def _quotes(self, request: Request) -> Response:
        if not self._knows(request):
            return refusal(401)
        tokens = [token for token in request.query_params.get("tokens", "").split(",") if token]
        if not 0 < len(tokens) <= MAX_QUOTES:
            return refusal(400, f"Ask for 1 to {MAX_QUOTES} tokens")
        portions = (self._states(tokens[n : n + _PORTION]) for n in range(0, len(tokens), _PORTION))
        return StreamingResponse(joined(_HEAD, portions, _TAIL), media_type="application/json")

    def _states(self, tokens: list[str]) -> bytes:
        found = ((token, self._paper.find(token)) for token in tokens)
        return b",".join(self._paper.row(market, token, Mode.DEPTH) for token, market in found if market is not None)

    async def _candles(self, request: Request) -> Response:
        if not self._knows(request):
            return refusal(401)
        query = request.query_params
        market = self._paper.find(query.get("token", ""))
        if market is None:
            return refusal(400, "Unknown token")
        if (terms := INTERVALS.get(query.get("interval", ""))) is None:
            return refusal(400, "Unknown interval")
        minutes, days = terms
        try:
            first, last = date.fromisoformat(query.get("from", "")), date.fromisoformat(query.get("to", ""))
        except ValueError:
            return refusal(400, "Dates are written as 2026-08-18")
        if not 0 <= (last - first).days < days:
            return refusal(400, f"Ask for 1 to {days} days")
        portions = (_rows(market, bars) for bars in self._paper.exchange.candles(market, minutes, first, last))
        return StreamingResponse(joined(_HEAD, portions, _TAIL), media_type="application/json")

    def _knows(self, request: Request) -> bool:
        return self._paper.admits(request.headers.get("authorization", "").removeprefix("Bearer "))


def refusal(status: int, message: str = "") -> Response:
    if not message:
        message = "Invalid or expired access token" if status == 401 else "Something went wrong. Please try again."
    return _json(_encode({"status": "error", "message": message}), status)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


def _rows(market: Market, bars: list[Bar]) -> bytes:
    """A JSON list without its brackets."""
    rupees = market.rupees
    rows: list[Any] = [
        (bar.time, rupees(bar.open), rupees(bar.high), rupees(bar.low), rupees(bar.close), bar.volume, bar.oi)
        for bar in bars
    ]
    return _encode(rows)[1:-1]
