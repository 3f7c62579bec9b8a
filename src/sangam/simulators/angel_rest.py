"""SmartAPI's REST beside orders: logins, profile, the scrip master, quotes and candles."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from sangam.model.clock import IST

from . import angel_wire
from .market import Market
from .rest import joined
from .retail import Invalid
from .tape import Bar

if TYPE_CHECKING:
    from .angel import Angel

SECURE = "/rest/secure/angelbroking"
AUTH = "/rest/auth/angelbroking"
MAX_QUOTES = 50
INTERVALS = {
    "ONE_MINUTE": (1, 30),
    "THREE_MINUTE": (3, 60),
    "FIVE_MINUTE": (5, 100),
    "TEN_MINUTE": (10, 100),
    "FIFTEEN_MINUTE": (15, 200),
    "THIRTY_MINUTE": (30, 200),
    "ONE_HOUR": (60, 400),
    "ONE_DAY": (0, 2000),
}
"""Minutes of a candle (0: a day), and how many days one request may span."""


class AngelRest:
    def __init__(self, angel: "Angel") -> None:
        self._angel = angel

    def routes(self) -> list[BaseRoute]:
        signed, post = self._angel.signed, ["POST"]
        return [
            Route("/publisher-login", self._page),
            Route("/OpenAPI_File/files/OpenAPIScripMaster.json", self._master),
            Route(f"{AUTH}/user/v1/loginByPassword", self._log_in, methods=post),
            Route(f"{AUTH}/jwt/v1/generateTokens", signed(self._renew, "login"), methods=post),
            Route(f"{SECURE}/user/v1/getProfile", signed(self._profile, "profile")),
            Route(f"{SECURE}/user/v1/logout", signed(self._log_out, "login"), methods=post),
            Route(f"{SECURE}/market/v1/quote", signed(self._quote, "quote"), methods=post),
            Route(f"{SECURE}/order/v1/getLtpData", signed(self._ltp, "quote"), methods=post),
            Route(f"{SECURE}/order/v1/searchScrip", signed(self._search, "search"), methods=post),
            Route(f"{SECURE}/historical/v1/getCandleData", signed(self._candles(_candle), "history"), methods=post),
            Route(f"{SECURE}/historical/v1/getOIData", signed(self._candles(_interest), "history"), methods=post),
        ]

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        """In place of the publisher's page: the user is in, and the browser goes back with the tokens."""
        query, login = request.query_params, self._angel.login
        if query.get("api_key") != login.api_key:
            return failure("AG8004", "Invalid API Key", 403)
        self._angel.new_login()
        back = {"auth_token": login.access_token, "feed_token": login.feed_token, "refresh_token": login.refresh_token}
        back |= {"state": query["state"]} if "state" in query else {}
        return RedirectResponse(f"{query.get('redirect_url', 'http://127.0.0.1/')}?{urlencode(back)}", 302)

    async def _log_in(self, request: Request) -> Response:
        form, login = await form_of(request), self._angel.login
        if request.headers.get("x-privatekey") != login.api_key:
            return gateway_failure("AG8004", "Invalid API Key")
        if (form.get("clientcode"), form.get("password")) != (self._angel.user_id, login.pin):
            return failure("AB1007", "Login Id or password is invalid")
        if not login.authenticator.proves(form.get("totp")):
            return failure("AB1050", "Invalid totp")
        return self._granted()

    async def _renew(self, request: Request) -> Response:
        if (await form_of(request)).get("refreshToken") != self._angel.login.refresh_token:
            return failure("AB8050", "Invalid Refresh Token")
        return self._granted()

    def _granted(self) -> Response:
        self._angel.new_login()
        return success(self._angel.login.tokens)

    async def _log_out(self, request: Request) -> Response:
        if (await form_of(request)).get("clientcode") != self._angel.user_id:
            return failure("AB1032", "User Not Found")
        self._angel.expire_token()
        return success(None)

    async def _profile(self, request: Request) -> Response:
        return success(
            {
                "clientcode": self._angel.user_id,
                "name": "SMART API",
                "email": "",
                "mobileno": "",
                "exchanges": '["NSE","BSE","MCX","CDS","NFO","BFO"]',
                "products": '["DELIVERY","INTRADAY","CARRYFORWARD"]',
                "lastlogintime": "",
                "brokerid": "B2C",
            }
        )

    # --- market data --------------------------------------------------------------------------------------------------

    async def _master(self, request: Request) -> Response:
        if self._angel.faults.damaged_master is not None:
            return Response(self._angel.faults.damaged_master, media_type="application/json")
        listed = {contract.id: contract for contract in self._angel.exchange.contracts}
        rows = [angel_wire.master_row(listed[key], token) for (_, token), key in self._angel.names.all().items()]
        return Response(msgspec.json.encode(rows), media_type="application/json")

    async def _quote(self, request: Request) -> Response:
        form = await form_of(request)
        mode, asked = form.get("mode"), form.get("exchangeTokens")
        if mode not in ("LTP", "OHLC", "FULL") or not isinstance(asked, dict):
            raise Invalid("Invalid mode or exchangeTokens", "AB2000")
        names = [(segment, token) for segment, tokens in asked.items() for token in tokens]
        if not 0 < len(names) <= MAX_QUOTES:
            raise Invalid(f"At most {MAX_QUOTES} tokens", "AB2000")
        fetched, unfetched = [], []
        for segment, token in names:
            if (market := self._angel.names.find((segment, token))) is not None:
                fetched.append(angel_wire.quote(market, token, mode))
            else:
                row = {"exchange": segment, "symbolToken": token}
                unfetched.append(row | {"message": "Failed to get symbol details", "errorCode": "AB1018"})
        return success({"fetched": fetched, "unfetched": unfetched})

    async def _ltp(self, request: Request) -> Response:
        market = self.market(await form_of(request))
        rupees = market.rupees
        row = {name: str(rupees(getattr(market, name))) for name in ("open", "high", "low", "close", "ltp")}
        name = {"exchange": angel_wire.exchange_name(market.contract), "symboltoken": self._angel.token(market)}
        return success(name | {"tradingsymbol": angel_wire.tradingsymbol(market.contract)} | row)

    async def _search(self, request: Request) -> Response:
        form = await form_of(request)
        listed = {contract.id: contract for contract in self._angel.exchange.contracts}
        found = [
            {"exchange": segment, "tradingsymbol": symbol, "symboltoken": token}
            for (segment, token), key in self._angel.names.all().items()
            if segment == form.get("exchange")
            and (symbol := angel_wire.tradingsymbol(listed[key])).startswith(form.get("searchscrip", ""))
        ]
        return success(found)

    def market(self, form: dict[str, Any]) -> Market:
        """What a form names by segment and token. Raises Invalid."""
        market = self._angel.names.find((form.get("exchange", ""), form.get("symboltoken", "")))
        if market is None:
            raise Invalid("Symbol Not Found", "AB1009")
        return market

    def _candles(self, cell: "Cell") -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            form = await form_of(request)
            market = self.market(form)
            try:
                minutes, days = INTERVALS[form["interval"]]
                first, last = (
                    datetime.strptime(form[name], "%Y-%m-%d %H:%M").replace(tzinfo=IST)
                    for name in ("fromdate", "todate")
                )
            except (KeyError, TypeError, ValueError):
                raise Invalid("Invalid interval or date", "AB1004") from None
            if first > last or (last - first).days >= days:
                raise Invalid(f"At most {days} days", "AB1004")
            bars = self._angel.exchange.candles(market, minutes, first.date(), last.date())
            portions = (_cells(cell, market, portion, not minutes, first, last) for portion in bars)
            body = joined(b'{"status":true,"message":"SUCCESS","errorcode":"","data":[', portions, b"]}")
            return StreamingResponse(body, media_type="application/json")

        return answer


Cell = Callable[[Market, str, Bar], Any]


def _candle(market: Market, begin: str, bar: Bar) -> Any:
    return [begin, *(market.rupees(ticks) for ticks in (bar.open, bar.high, bar.low, bar.close)), bar.volume]


def _interest(market: Market, begin: str, bar: Bar) -> Any:
    return {"time": begin, "oi": bar.oi}


def _cells(cell: Cell, market: Market, bars: list[Bar], daily: bool, first: datetime, last: datetime) -> bytes:
    """Bars that begin between two moments: a JSON list without its brackets."""
    rows = []
    for bar in bars:
        begin = bar.begins(daily)
        if daily or first <= begin <= last:
            rows.append(cell(market, begin.isoformat(), bar))
    return msgspec.json.encode(rows)[1:-1]


async def form_of(request: Request) -> dict[str, Any]:
    """The JSON object of a body. Raises Invalid."""
    try:
        return msgspec.json.decode(await request.body(), type=dict[str, Any])
    except msgspec.DecodeError:
        raise Invalid("Internal Error, Please try after sometime", "AB2001") from None


def success(data: Any) -> Response:
    body = {"status": True, "message": "SUCCESS", "errorcode": "", "data": data}
    return Response(msgspec.json.encode(body), media_type="application/json")


def failure(code: str, message: str, status: int = 200) -> Response:
    body = {"status": False, "message": message, "errorcode": code, "data": None}
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def gateway_failure(code: str, message: str, status: int = 200) -> Response:
    """What stands before the API has an envelope of its own."""
    body = {"success": False, "message": message, "errorCode": code, "data": ""}
    return Response(msgspec.json.encode(body), status, media_type="application/json")
