"""Fyers' REST: its login, the profile, symbol masters, quotes and candles."""

import csv
import hashlib
import io
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from sangam.model.clock import ist_from_ms

from . import fyers_wire as wire
from .app_login import AppLogin
from .market import Market
from .rest import joined
from .retail import Invalid
from .tape import Bar

if TYPE_CHECKING:
    from .fyers import Fyers

API, DATA = "/api/v3", "/data"

LIMITS = {"default": ((10, 1.0), (200, 60.0), (100_000, 86_400.0))}
"""All calls count together."""

MAX_QUOTES = 50
INTERVALS = {str(minutes): minutes for minutes in (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 120, 180, 240)}
INTERVALS |= {"D": 0, "1D": 0}
SPANS = {False: 100, True: 366}
"""Days of one request: of minutes, of days."""

_CODES = {"": -50, "margin": -99, "holding": -99}
_HTTP_ERRORS = {401: -17, 403: -16, 429: -429}


class FyersLogin(AppLogin):
    """Access tokens are JSON Web Tokens with the hour of their end and the data socket's key. `renewable` apps may
    trade refresh tokens, which Fyers has stopped for most."""

    def __init__(self, seed: str, now_ms: Callable[[], int], user_id: str, *, renewable: bool, pin: str) -> None:
        self._user_id = user_id
        self._renewable = renewable
        self.pin = pin
        super().__init__(seed, now_ms, key_length=10)
        self.api_key = f"{self.api_key.upper()}-100"

    def begin(self) -> None:
        super().begin()
        self.refresh_token = self.secret(32) if self._renewable else ""

    def new_token(self) -> str:
        self.hsm_key = self.secret(40)
        ends = self._ends(self._now_ms()) // 1000
        claims = {"iss": "api.fyers.in", "exp": ends, "sub": "access_token", "fy_id": self._user_id}
        return ".".join(_part(part) for part in ({"typ": "JWT"}, claims | {"hsm_key": self.hsm_key}, self.secret(20)))

    def knows(self, credential: str | None) -> bool:
        return self.alive and credential == f"{self.api_key}:{self.access_token}"

    def proves(self, asked: dict[str, Any]) -> bool:
        return asked.get("appIdHash") == hashlib.sha256(f"{self.api_key}:{self.api_secret}".encode()).hexdigest()


def _part(value: Any) -> str:
    return urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


class FyersRest:
    def __init__(self, fyers: "Fyers") -> None:
        self._fyers = fyers

    def routes(self) -> list[BaseRoute]:
        signed = self._fyers.signed
        return [
            Route(f"{API}/generate-authcode", self._page),
            Route(f"{API}/validate-authcode", self._exchange, methods=["POST"]),
            Route(f"{API}/validate-refresh-token", self._renew, methods=["POST"]),
            Route(f"{API}/logout", signed(self._logout), methods=["POST"]),
            Route(f"{API}/profile", signed(self._profile)),
            Route("/indus/home/tbtws", signed(self._where)),
            Route(f"{DATA}/symbol-token", self._tokens, methods=["POST"]),
            Route(f"{DATA}/quotes", signed(self._quotes)),
            Route(f"{DATA}/depth", signed(self._depth)),
            Route(f"{DATA}/history", signed(self._history)),
            Route("/sym_details/index_hsm_mapping.json", self._index_names),
            Route("/sym_details/{name}.csv", self._master),
        ]

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        """In place of the login page: the user is in, and the browser goes back to the app."""
        query = request.query_params
        if query.get("client_id") != self._fyers.login.api_key or query.get("response_type") != "code":
            return error(400, -352, "Invalid app id")
        back = {"s": "ok", "code": "200", "auth_code": self._fyers.login.code(), "state": query.get("state", "")}
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode(back)}", 302)

    async def _exchange(self, request: Request) -> Response:
        asked, login = await body_of(request), self._fyers.login
        if not login.proves(asked):
            return error(400, -50, "Invalid app id hash")
        if not login.redeem(asked.get("code", "")):
            return error(400, -437, "invalid auth code")
        return self._granted()

    async def _renew(self, request: Request) -> Response:
        asked, login = await body_of(request), self._fyers.login
        if not login.refresh_token:
            return error(401, -16, "Refresh token API is currently disabled to comply with SEBI regulations.")
        if not login.proves(asked) or (asked.get("refresh_token"), asked.get("pin")) != (
            login.refresh_token,
            login.pin,
        ):
            return error(400, -50, "Invalid input")
        return self._granted()

    def _granted(self) -> Response:
        self._fyers.new_login()
        login = self._fyers.login
        return success({"access_token": login.access_token, "refresh_token": login.refresh_token})

    async def _logout(self, request: Request) -> Response:
        self._fyers.expire_token()
        return success({}, message="you are successfully logged out")

    async def _profile(self, request: Request) -> Response:
        person = {
            "name": "JXXX X X", "image": None, "display_name": "JD", "email_id": "client@example.com",
            "PAN": "FYxxxxxx0S", "fy_id": self._fyers.user_id, "pin_change_date": "19-08-2020 14:58:41",
            "mobile_number": "99xxxxxx99", "totp": True, "pwd_change_date": None, "pwd_to_expire": 42,
            "ddpi_enabled": False, "mtf_enabled": False,
        }  # fmt: skip
        return success({"data": person})

    # --- market data --------------------------------------------------------------------------------------------------

    async def _where(self, request: Request) -> Response:
        return success({"data": {"socket_url": self._fyers.hosts["tbt"]}})

    async def _tokens(self, request: Request) -> Response:
        """Here the header has the bare token."""
        if request.headers.get("authorization") != self._fyers.login.access_token or not self._fyers.login.alive:
            return error(401, -17, "Could not authenticate the user")
        asked = (await body_of(request)).get("symbols", [])
        found = {name: market for name in asked if (market := self._fyers.named(name)) is not None}
        tokens = {name: self._fy_token(market) for name, market in found.items()}
        return success({"validSymbol": tokens, "invalidSymbol": [name for name in asked if name not in found]})

    def _fy_token(self, market: Market) -> str:
        return wire.fy_token(market.contract, self._fyers.exchange.token(market.contract))

    async def _quotes(self, request: Request) -> Response:
        names = request.query_params.get("symbols", "").split(",")
        if not 0 < len(names) <= MAX_QUOTES:
            raise Invalid("Invalid input")
        return success({"d": [self._quote(name) for name in names]})

    def _quote(self, name: str) -> dict[str, Any]:
        market = self._fyers.named(name)
        if market is None:
            return {"n": name, "s": "error", "v": {"code": -300, "errmsg": "invalid symbol provided"}}
        rupees, book = market.rupees, market.book
        bid, ask = rupees(book.best_bid or 0), rupees(book.best_ask or 0)
        value = {
            "ch": rupees(market.ltp - market.close), "chp": 0.0, "lp": rupees(market.ltp), "spread": ask - bid,
            "ask": ask, "bid": bid, "open_price": rupees(market.open), "high_price": rupees(market.high),
            "low_price": rupees(market.low), "prev_close_price": rupees(market.close), "atp": rupees(market.average),
            "volume": market.volume, "short_name": name.partition(":")[2], "exchange": name.partition(":")[0],
            "description": name, "original_name": name, "symbol": name, "fyToken": self._fy_token(market),
            "tt": str(market.updated // 86_400_000 * 86_400),
        }  # fmt: skip
        return {"n": name, "s": "ok", "v": value}

    async def _depth(self, request: Request) -> Response:
        name = request.query_params.get("symbol", "")
        market = self._known(name)
        rupees = market.rupees

        def side(buy: bool) -> list[dict[str, Any]]:
            rows = market.book.depth(buy, 5)
            told = [{"price": rupees(row.price), "volume": row.quantity, "ord": row.orders} for row in rows]
            return told + [{"price": 0, "volume": 0, "ord": 0}] * (5 - len(told))

        value = {
            "totalbuyqty": market.book.total_buy, "totalsellqty": market.book.total_sell, "bids": side(True),
            "ask": side(False), "o": rupees(market.open), "h": rupees(market.high), "l": rupees(market.low),
            "c": rupees(market.close), "chp": 0.0, "tick_Size": market.contract.tick_size,
            "ch": rupees(market.ltp - market.close), "ltq": market.ltq, "ltt": market.ltt // 1000,
            "ltp": rupees(market.ltp), "v": market.volume, "atp": rupees(market.average),
            "lower_ckt": rupees(market.lower_circuit), "upper_ckt": rupees(market.upper_circuit), "expiry": "",
            "oi": market.oi, "oiflag": bool(market.oi), "pdoi": market.oi, "oipercent": 0.0,
        }  # fmt: skip
        return success({"d": {name: value}})

    def _known(self, name: str) -> Market:
        if (market := self._fyers.named(name)) is None:
            raise Invalid("Invalid symbol provided", "-300")
        return market

    async def _history(self, request: Request) -> Response:
        query = request.query_params
        market = self._known(query.get("symbol", ""))
        minutes = INTERVALS.get(query.get("resolution", ""))
        try:
            first, last = (_day(query.get(name, ""), query.get("date_format")) for name in ("range_from", "range_to"))
        except ValueError:
            raise Invalid("Invalid input") from None
        if minutes is None or first > last or (last - first).days >= SPANS[not minutes]:
            raise Invalid("Invalid input")
        bars = list(self._fyers.exchange.candles(market, minutes, first, last))
        if not any(bars):
            return Response(b'{"s":"no_data","candles":[]}', media_type="application/json")
        with_oi = query.get("oi_flag") == "1"
        portions = (_rows(market, portion, with_oi) for portion in bars)
        return StreamingResponse(joined(b'{"s":"ok","candles":[', portions, b"]}"), media_type="application/json")

    # --- public files -------------------------------------------------------------------------------------------------

    async def _master(self, request: Request) -> Response:
        if self._fyers.faults.damaged_master is not None:
            return Response(self._fyers.faults.damaged_master, media_type="text/csv")
        exchange, name = self._fyers.exchange, request.path_params["name"]
        text = io.StringIO()
        writer, today = csv.writer(text), f"{exchange.day}"
        for contract in exchange.contracts:
            place = wire.PLACES.get(contract.exchange)
            if place is not None and place[2] == name:
                writer.writerow(wire.master_row(contract, exchange.token(contract), today))
        return Response(text.getvalue(), media_type="text/csv")

    async def _index_names(self, request: Request) -> Response:
        return Response(msgspec.json.encode(dict(wire.INDICES.values())), media_type="application/json")


def _day(text: str, form: str | None) -> date:
    return date.fromisoformat(text) if form == "1" else ist_from_ms(int(text) * 1000).date()


def _rows(market: Market, bars: list[Bar], with_oi: bool) -> bytes:
    """Candles as a JSON list without its brackets."""
    rupees = market.rupees
    rows: list[list[Any]] = [
        [bar.time, rupees(bar.open), rupees(bar.high), rupees(bar.low), rupees(bar.close), bar.volume]
        + ([bar.oi] if with_oi else [])
        for bar in bars
    ]
    return msgspec.json.encode(rows)[1:-1]


async def body_of(request: Request) -> Any:
    """The JSON of a request. Raises Invalid."""
    try:
        return msgspec.json.decode(await request.body())
    except msgspec.DecodeError:
        raise Invalid("Invalid input") from None


def success(payload: dict[str, Any], code: int = 200, message: str = "") -> Response:
    body = msgspec.json.encode({"s": "ok", "code": code, "message": message} | payload)
    return Response(body, media_type="application/json")


def error(status: int, code: int, message: str) -> Response:
    body = msgspec.json.encode({"code": code, "message": message, "s": "error"})
    return Response(body, status, media_type="application/json")


def told(invalid: Invalid) -> Response:
    """Risk checks are told with HTTP 200, as much else is."""
    code = _CODES.get(invalid.kind) or int(invalid.kind)
    text = {"margin": "RED:Margin Shortfall:", "holding": "RED:RULE:{Check holdings}"}.get(invalid.kind, "") + str(
        invalid
    )
    return error(200 if code == -99 else invalid.status, code, text)


def refusal(status: int) -> Response:
    return error(status, _HTTP_ERRORS.get(status, -99), "internal server error")
