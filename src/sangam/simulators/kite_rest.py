"""Kite's REST: the login page's way back, sessions, profile, instruments, quotes and candles."""

import csv
import io
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from sangam.model.clock import IST
from sangam.model.enums import Exchange as Code
from sangam.model.enums import InstrumentType

from . import kite_wire
from .market import Market
from .rest import joined
from .retail import Invalid
from .tape import Bar

if TYPE_CHECKING:
    from .zerodha import Zerodha

QUOTES = {"quote": kite_wire.full_quote, "ohlc": kite_wire.ohlc_quote, "ltp": kite_wire.ltp_quote}
MAX_QUOTES = {"quote": 500, "ohlc": 1000, "ltp": 1000}
INTERVALS = {
    "minute": (1, 60),
    "3minute": (3, 100),
    "5minute": (5, 100),
    "10minute": (10, 100),
    "15minute": (15, 200),
    "30minute": (30, 200),
    "60minute": (60, 400),
    "day": (0, 2000),
}
"""Minutes of a candle (0: a day), and how many days one request may span."""

LIMITS = {
    "quote": ((1, 1.0),),
    "historical": ((3, 1.0),),
    "orders": ((10, 1.0), (400, 60.0), (5000, 86_400.0)),
    "default": ((10, 1.0),),
}
"""How many requests of a kind are answered in so many seconds."""

_KINDS = {"": "InputException", "margin": "MarginException", "holding": "HoldingException"}
_HTTP_ERRORS = {429: "NetworkException", 502: "DataException", 503: "NetworkException", 504: "NetworkException"}


class KiteRest:
    def __init__(self, kite: "Zerodha") -> None:
        self._kite = kite

    def routes(self) -> list[BaseRoute]:
        signed = self._kite.signed
        return [
            Route("/connect/login", self._page),
            Route("/session/token", self._exchange, methods=["POST"]),
            Route("/session/token", self._logout, methods=["DELETE"]),
            Route("/session/refresh_token", self._renew, methods=["POST"]),
            Route("/user/profile", signed(self._profile)),
            Route("/instruments", signed(self._instruments)),
            Route("/instruments/{exchange}", signed(self._instruments)),
            Route("/instruments/historical/{token}/{interval}", signed(self._candles, "historical")),
            Route("/quote", signed(self._quote, "quote")),
            Route("/quote/{kind}", signed(self._quote, "quote")),
        ]

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        """In place of the login page: the user is in, and the browser goes back to the app."""
        query = request.query_params
        if query.get("api_key") != self._kite.login.api_key:
            return error(400, "InputException", "Invalid `api_key`.")
        back = {"request_token": self._kite.login.code(), "action": "login", "status": "success"}
        back |= dict(parse_qsl(query.get("redirect_params", "")))
        url = self._kite.redirect_url
        return RedirectResponse(f"{url}{'&' if '?' in url else '?'}{urlencode(back)}", 302)

    async def _exchange(self, request: Request) -> Response:
        return self._granted(self._kite.login.exchange(await form_of(request)))

    async def _renew(self, request: Request) -> Response:
        return self._granted(self._kite.login.renew(await form_of(request)))

    def _granted(self, refused: str) -> Response:
        if refused:
            return error(403, "TokenException", refused)
        login = self._kite.login
        self._kite.cut()
        tokens = {"api_key": login.api_key, "access_token": login.access_token, "refresh_token": login.refresh_token}
        more = {"public_token": login.secret(32), "enctoken": login.secret(32), "silo": ""}
        when = {"login_time": kite_wire.moment(self._kite.exchange.now_ms)}
        return success(self._person() | tokens | more | when)

    async def _logout(self, request: Request) -> Response:
        if not self._kite.login.knows(request.query_params.get("api_key"), request.query_params.get("access_token")):
            return no_session()
        self._kite.expire_token()
        return success(True)

    async def _profile(self, request: Request) -> Response:
        return success(self._person())

    def _person(self) -> dict[str, Any]:
        return {
            "user_id": self._kite.user_id,
            "user_type": "individual",
            "email": "client@example.com",
            "user_name": "Kite Connect",
            "user_shortname": "Connect",
            "broker": "ZERODHA",
            "exchanges": ["NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX", "NCO"],
            "products": ["CNC", "NRML", "MIS"],
            "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
            "avatar_url": None,
            "meta": {"demat_consent": "physical"},
        }

    # --- market data --------------------------------------------------------------------------------------------------

    async def _instruments(self, request: Request) -> Response:
        if self._kite.faults.damaged_master is not None:
            return Response(self._kite.faults.damaged_master, media_type="text/csv")
        only = request.path_params.get("exchange")
        exchange = self._kite.exchange
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(kite_wire.COLUMNS)
        for contract in exchange.contracts:
            if only in (None, kite_wire.kite_exchange(contract)):
                writer.writerow(kite_wire.instrument_row(contract, exchange.token(contract)))
        return Response(text.getvalue(), media_type="text/csv")

    async def _quote(self, request: Request) -> Response:
        kind = request.path_params.get("kind", "quote")
        asked = request.query_params.getlist("i")
        if kind not in QUOTES or not 0 < len(asked) <= MAX_QUOTES[kind]:
            return error(400, "InputException", "Invalid `i`.")
        data = {}
        for text in asked:
            market = self._kite.find(int(text)) if text.isdecimal() else self._kite.named(text)
            if market is not None:
                data[text] = QUOTES[kind](market, self._kite.tokens.of(market.contract))
        return success(data)

    async def _candles(self, request: Request) -> Response:
        market, minutes, first, last, continuous = self._question(request)
        bars = self._kite.exchange.candles(market, minutes, first.date(), last.date(), continuous=continuous)
        with_oi = request.query_params.get("oi") == "1"
        portions = (_rows(market, portion, not minutes, first, last, with_oi) for portion in bars)
        body = joined(b'{"status":"success","data":{"candles":[', portions, b"]}}")
        return StreamingResponse(body, media_type="application/json")

    def _question(self, request: Request) -> tuple[Market, int, datetime, datetime, bool]:
        """Which market, minutes of a candle (0: a day), first and last moment, and whether beyond its listing."""
        query, path = request.query_params, request.path_params
        market = self._kite.find(int(path["token"])) if path["token"].isdecimal() else None
        if market is None:
            raise Invalid("invalid token")
        if (terms := INTERVALS.get(path["interval"])) is None:
            raise Invalid("invalid interval")
        minutes, days = terms
        try:
            first, last = _moment(query.get("from", "")), _moment(query.get("to", ""))
        except ValueError:
            raise Invalid("invalid date") from None
        if first > last:
            raise Invalid("invalid date range")
        if (last - first).days >= days:
            raise Invalid(f"interval exceeds max limit: {days} days")
        continuous = query.get("continuous") == "1"
        if continuous and (minutes or not _is_lasting_future(market)):
            raise Invalid("continuous data is for day candles of NFO and MCX futures")
        return market, minutes, first if minutes else first.replace(hour=0, minute=0, second=0), last, continuous


def _is_lasting_future(market: Market) -> bool:
    contract = market.contract
    return contract.instrument_type is InstrumentType.FUT and contract.exchange in (Code.NFO, Code.MCX)


def _moment(text: str) -> datetime:
    """``2026-08-18`` or ``2026-08-18 09:15:00``, in India."""
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def _rows(market: Market, bars: list[Bar], daily: bool, first: datetime, last: datetime, with_oi: bool) -> bytes:
    """Candles that begin between two moments: a JSON list without its brackets."""
    rupees = market.rupees
    rows: list[list[Any]] = []
    for bar in bars:
        begin = bar.begins(daily)
        if first <= begin <= last:
            prices = (rupees(bar.open), rupees(bar.high), rupees(bar.low), rupees(bar.close))
            rows.append([f"{begin:%Y-%m-%dT%H:%M:%S}+0530", *prices, bar.volume, *([bar.oi] if with_oi else [])])
    return msgspec.json.encode(rows)[1:-1]


async def form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


def success(data: Any) -> Response:
    body = msgspec.json.encode({"status": "success", "data": data})
    return Response(body, media_type="application/json")


def error(status: int, kind: str, message: str) -> Response:
    body = msgspec.json.encode({"status": "error", "message": message, "data": None, "error_type": kind})
    return Response(body, status, media_type="application/json")


def kind_of(invalid: Invalid) -> str:
    """Kite's error type."""
    return _KINDS.get(invalid.kind, invalid.kind)


def refusal(status: int) -> Response:
    """A planned refusal, as Kite words it."""
    if status == 403:
        return no_session()
    return error(status, _HTTP_ERRORS.get(status, "GeneralException"), "Something went wrong. Please try again.")


def no_session() -> Response:
    return error(403, "TokenException", "Incorrect `api_key` or `access_token`.")
