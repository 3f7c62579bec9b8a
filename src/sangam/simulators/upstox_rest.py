"""Upstox' REST: the login dialog, sessions, profile, instruments, quotes and candles."""

import asyncio
import gzip
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sangam.model.clock import IST, ist_from_ms

from . import upstox_wire
from .app_login import AppLogin
from .market import Market
from .retail import Invalid
from .tape import Bar

if TYPE_CHECKING:
    from .upstox import Upstox

LIMITS = {
    "orders": ((10, 1.0), (500, 60.0), (2000, 1800.0)),
    "quote": ((50, 1.0), (500, 60.0), (2000, 1800.0)),
    "historical": ((50, 1.0), (500, 60.0), (2000, 1800.0)),
    "default": ((50, 1.0), (500, 60.0), (2000, 1800.0)),
}
"""How many requests of a kind are answered in so many seconds."""

MAX_QUOTES = 500
UNITS = {"minutes": (1, 300), "hours": (60, 5), "days": (0, 1)}
"""Minutes of one, and the largest interval."""

NO_SESSION = "UDAPI100050"
_HTTP_ERRORS = {401: NO_SESSION, 429: "UDAPI10005"}
_TEXTS = {401: "Invalid token used to access API", 429: "Too Many Request Sent"}


class UpstoxLogin(AppLogin):
    def __init__(self, seed: str, now_ms: Any, redirect_uri: str) -> None:
        super().__init__(seed, now_ms, ends=next_half_past_three, key_length=36)
        self.redirect_uri = redirect_uri

    def exchange(self, form: Mapping[str, str]) -> None:
        """Trade a code for a session. Raises Invalid."""
        if (form.get("client_id"), form.get("client_secret")) != (self.api_key, self.api_secret):
            raise Invalid("Check your 'client_id' and 'client_secret'; one or both are incorrect.", "UDAPI100069", 401)
        if form.get("redirect_uri") != self.redirect_uri:
            raise Invalid("Check your 'client_id' and 'redirect_uri'; one or both are incorrect.", "UDAPI100070", 401)
        if form.get("grant_type") != "authorization_code" or not self.redeem(form.get("code", "")):
            raise Invalid("Invalid Auth code", "UDAPI100057", 401)
        self.begin()


def next_half_past_three(now_ms: int) -> int:
    """When a token dies: 03:30 in India of the next day, whenever it was made."""
    tomorrow = ist_from_ms(now_ms).date() + timedelta(days=1)
    return int(datetime(tomorrow.year, tomorrow.month, tomorrow.day, 3, 30, tzinfo=IST).timestamp() * 1000)


class UpstoxRest:
    def __init__(self, upstox: "Upstox") -> None:
        self._upstox = upstox

    def routes(self) -> list[BaseRoute]:
        signed = self._upstox.signed
        candles = signed(self._candles, "historical")
        return [
            Route("/v2/login/authorization/dialog", self._dialog),
            Route("/v2/login/authorization/token", self._token, methods=["POST"]),
            Route("/v2/logout", signed(self._logout), methods=["DELETE"]),
            Route("/v2/user/profile", signed(self._profile)),
            Route("/market-quote/instruments/exchange/complete.json.gz", self._instruments),
            Route("/v2/market-quote/quotes", signed(self._quotes, "quote")),
            Route("/v3/historical-candle/intraday/{key}/{unit}/{interval}", candles),
            Route("/v3/historical-candle/{key}/{unit}/{interval}/{last}", candles),
            Route("/v3/historical-candle/{key}/{unit}/{interval}/{last}/{first}", candles),
            Route("/v3/feed/market-data-feed/authorize", signed(self._feed_address)),
            Route("/v2/feed/portfolio-stream-feed/authorize", signed(self._news_address)),
        ]

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def _dialog(self, request: Request) -> Response:
        """In place of the login pages: the user is in, and the browser goes back to the app."""
        query, login = request.query_params, self._upstox.login
        if (query.get("client_id"), query.get("redirect_uri")) != (login.api_key, login.redirect_uri):
            return error(401, "UDAPI100068", "Check your 'client_id' and 'redirect_uri'; one or both are incorrect.")
        back = {"code": self._upstox.login.code()}
        if state := query.get("state"):
            back["state"] = state
        return RedirectResponse(f"{login.redirect_uri}?{urlencode(back)}", 302)

    async def _token(self, request: Request) -> Response:
        login = self._upstox.login
        try:
            login.exchange(dict(parse_qsl((await request.body()).decode("utf-8", "replace"))))
        except Invalid as invalid:
            return self._upstox.told(invalid)
        self._upstox.cut()
        granted = self._person() | {"access_token": login.access_token, "extended_token": None}
        return Response(msgspec.json.encode(granted), media_type="application/json")

    async def _logout(self, request: Request) -> Response:
        self._upstox.expire_token()
        return success(True)

    async def _profile(self, request: Request) -> Response:
        return success(self._person())

    def _person(self) -> dict[str, Any]:
        return {
            "email": "client@example.com",
            "exchanges": ["NSE", "NFO", "BSE", "CDS", "BFO", "BCD"],
            "products": ["D", "CO", "I"],
            "broker": "UPSTOX",
            "user_id": self._upstox.user_id,
            "user_name": "Upstox Client",
            "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
            "user_type": "individual",
            "poa": False,
            "is_active": True,
        }

    async def _feed_address(self, request: Request) -> Response:
        return _address(self._upstox.one_time("/v3/feed/market-data-feed/v1", {}))

    async def _news_address(self, request: Request) -> Response:
        query = {"update_types": request.query_params.get("update_types", "order")}
        return _address(self._upstox.one_time("/v2/feed/portfolio-stream-feed/v1", query))

    # --- market data --------------------------------------------------------------------------------------------------

    async def _instruments(self, request: Request) -> Response:
        content = self._upstox.faults.damaged_master
        if content is None:
            exchange = self._upstox.exchange
            rows = [upstox_wire.instrument_row(each, exchange.token(each)) for each in exchange.contracts]
            content = gzip.compress(msgspec.json.encode(rows), 1)
        return Response(content, media_type="application/x-gzip")

    async def _quotes(self, request: Request) -> Response:
        """Keys that nobody has are left out, unless there is none else."""
        query = request.query_params  # the SDK says `symbol`
        keys = [key for key in (query.get("instrument_key") or query.get("symbol", "")).split(",") if key]
        if len(keys) > MAX_QUOTES:
            raise Invalid(f"Maximum of {MAX_QUOTES} instruments exceeded", "UDAPI100042")
        markets = {key: market for key in keys if (market := self._upstox.find(key)) is not None}
        if not markets:
            raise Invalid("One of either symbol or instrument_key is invalid", "UDAPI1087")
        quotes = {
            upstox_wire.quote_name(market): upstox_wire.full_quote(market, key) for key, market in markets.items()
        }
        return success(quotes)

    async def _candles(self, request: Request) -> Response:
        path, exchange = request.path_params, self._upstox.exchange
        if "|" not in path["key"]:
            raise Invalid("Instrument key is of invalid format", "UDAPI1021")
        if (market := self._upstox.find(path["key"])) is None:
            raise Invalid("Invalid Instrument key", "UDAPI100011")
        if (unit := UNITS.get(path["unit"])) is None:
            raise Invalid("Invalid unit", "UDAPI1146")
        if not path["interval"].isdecimal() or not 0 < (count := int(path["interval"])) <= unit[1]:
            raise Invalid("Invalid interval for the unit", "UDAPI1147")
        today, minutes = exchange.day, unit[0] * count
        first, last = today, ist_from_ms(exchange.now_ms).date()
        if "last" in path:
            first, last = _span(path["last"], path.get("first"), minutes)
            last = min(last, today - timedelta(days=1))
        rows: list[list[Any]] = []
        for portion in exchange.candles(market, minutes, first, last):
            rows += (_row(market, bar, minutes) for bar in portion)
            await asyncio.sleep(0)
        return success({"candles": rows[::-1]})


def _address(url: str) -> Response:
    """As the documents spell it, and as the SDK reads it."""
    return success({"authorized_redirect_uri": url, "authorizedRedirectUri": url})


def _span(last: str, first: str | None, minutes: int) -> tuple[date, date]:
    """The dates of a question, at most a month of small candles, a quarter of others, and ten years of days."""
    try:
        end = date.fromisoformat(last)
        begin = date.fromisoformat(first) if first else end
    except ValueError:
        raise Invalid("Invalid date", "UDAPI1148") from None
    if end < begin:
        raise Invalid("to_date must be greater than or equal to from_date", "UDAPI1015")
    days = 3653 if not minutes else 31 if minutes <= 15 else 92
    if (end - begin).days > days:
        raise Invalid("Invalid date range", "UDAPI1148")
    return begin, end


def _row(market: Market, bar: Bar, minutes: int) -> list[Any]:
    begin = bar.begins(daily=not minutes)
    prices = (market.rupees(ticks) for ticks in (bar.open, bar.high, bar.low, bar.close))
    return [begin.isoformat(), *prices, bar.volume, bar.oi]


def success(data: Any, latency: bool = False) -> Response:
    body = {"status": "success", "data": data}
    return Response(
        msgspec.json.encode(body | {"metadata": {"latency": 30}} if latency else body), media_type="application/json"
    )


def error(status: int, code: str, message: str) -> Response:
    """Both spellings, as the broker sends them."""
    told = {
        **{"errorCode": code, "message": message, "propertyPath": None, "invalidValue": None},
        **{"error_code": code, "property_path": None, "invalid_value": None},
    }
    body = msgspec.json.encode({"status": "error", "errors": [told]})
    return Response(body, status, media_type="application/json")


def refusal(status: int) -> Response:
    """A planned refusal, as Upstox words it."""
    return error(status, _HTTP_ERRORS.get(status, "UDAPI100500"), _TEXTS.get(status, "Something went wrong."))
