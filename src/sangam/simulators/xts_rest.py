"""XTS's REST beside orders: logins and the host look-up, masters, quotes, candles and subscriptions."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from sangam.model.clock import IST, IST_SECONDS

from . import xts_wire
from .market import Market
from .rest import joined
from .retail import Invalid
from .tape import Bar

if TYPE_CHECKING:
    from .xts import Xts

INTERACTIVE = "/interactive"
MAX_INSTRUMENTS = 50
COMPRESSIONS = {"60": 1, "120": 2, "180": 3, "300": 5, "600": 10, "900": 15, "1800": 30, "3600": 60, "D": 0}
"""Minutes of a candle (0: a day)."""
QUOTED = (xts_wire.TOUCHLINE, xts_wire.DEPTH, xts_wire.INTEREST, xts_wire.LTP)


class XtsRest:
    def __init__(self, xts: "Xts") -> None:
        self._xts = xts

    def routes(self) -> list[BaseRoute]:
        signed, post, data = self._xts.signed, ["POST"], self._xts.variant.prefix
        subscription = f"{data}/instruments/subscription"
        return [
            Route("/hostlookup", self._look_up, methods=post),
            Route(f"{INTERACTIVE}/thirdparty", self._page),
            Route(f"{INTERACTIVE}/user/session", self._log_in, methods=post),
            Route(f"{INTERACTIVE}/user/session", signed(self._log_out), methods=["DELETE"]),
            Route(f"{INTERACTIVE}/user/profile", signed(self._profile)),
            Route(f"{data}/auth/login", self._log_in_to_data, methods=post),
            Route(f"{data}/auth/logout", signed(self._log_out_of_data), methods=["DELETE"]),
            Route(f"{data}/config/clientConfig", signed(self._config)),
            Route(f"{data}/instruments/master", signed(self._master), methods=post),
            Route(f"{data}/instruments/indexlist", signed(self._indices)),
            Route(f"{data}/instruments/quotes", signed(self._quotes, "quotes"), methods=post),
            Route(f"{data}/instruments/ohlc", signed(self._candles, "history")),
            Route(subscription, signed(self._subscribe, "subscriptions"), methods=post),
            Route(subscription, signed(self._unsubscribe, "subscriptions"), methods=["PUT"]),
        ]

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def _look_up(self, request: Request) -> Response:
        form = {name.casefold(): value for name, value in (await form_of(request)).items()}
        if form.get("accesspassword") != "2021HostLookUpAccess" or not self._xts.variant.lookup:
            return failure("e-hostlookup-0001", "Invalid credentials")
        found = {"connectionString": self._xts.hosts["api"], "UniqueKey": self._xts.unique_key}
        return success(found, "s-hostlookup-0001", "Hostlookup successful")

    async def _page(self, request: Request) -> Response:
        """In place of the login page: the user is in, and the browser goes back with what the page brings."""
        query, login = request.query_params, self._xts.login
        if query.get("appKey") != login.api_key:
            return failure("e-session-0001", "Invalid appKey")
        told: Any = {"accessToken": login.code(), "userID": self._xts.user_id}
        if self._xts.variant.way == "page session":
            self._xts.begin()
            told = msgspec.json.encode(self._session()).decode()  # a text of JSON in JSON
        back = {"session": msgspec.json.encode(told).decode()}
        return RedirectResponse(f"{query.get('returnURL', 'http://127.0.0.1/')}?{urlencode(back)}", 302)

    async def _log_in(self, request: Request) -> Response:
        form, login, variant = await form_of(request), self._xts.login, self._xts.variant
        wanted = {"appKey": login.api_key, "secretKey": login.api_secret}
        if variant.lookup:
            wanted["uniqueKey"] = self._xts.unique_key
        if any(form.get(name) != value for name, value in wanted.items()):
            return failure("e-session-0001", "Invalid credentials")
        if variant.way == "token exchange" and not login.redeem(str(form.get("accessToken"))):
            return failure("e-session-0001", "Invalid accessToken")
        self._xts.begin()
        return success(self._session(), "s-user-0001", "Login successful")

    def _session(self) -> dict[str, Any]:
        owner = self._xts.user_id
        told = {"token": self._xts.login.access_token, "userID": owner, "isInvestorClient": True}
        return told | {"clientCodes": [owner], "enums": {}, "isOneTouchUser": False}

    async def _log_in_to_data(self, request: Request) -> Response:
        """The code of the success begins with ``e-``, as on the wire."""
        form, login = await form_of(request), self._xts.market_login
        if (form.get("appKey"), form.get("secretKey")) != (login.api_key, login.api_secret):
            return failure("e-session-0001", "Invalid credentials")
        self._xts.begin_data()
        told = {"token": login.access_token, "userID": self._xts.user_id, "appVersion": "2.0"}
        return success(told, "e-response-0010", "Provided Valid Credentials")

    async def _log_out(self, request: Request) -> Response:
        self._xts.login.alive = False
        self._xts.cut()
        return success({}, "s-user-0002", "User logged out successfully")

    async def _log_out_of_data(self, request: Request) -> Response:
        self._xts.market_login.alive = False
        self._xts.cut()
        return success({}, "s-user-0002", "User logged out successfully")

    async def _profile(self, request: Request) -> Response:
        owner = self._xts.user_id
        enabled = {
            name: {"ClientId": owner, "ExchangeSegNumber": code, "Enabled": True} for code, name in self._served()
        }
        told = {"ClientId": owner, "ClientName": "XTS USER", "EmailId": "", "MobileNo": "", "PAN": ""}
        return success(told | {"ClientExchangeDetailsList": enabled}, "s-user-0001", "User profile")

    def _served(self) -> Iterable[tuple[int, str]]:
        return sorted({xts_wire.SEGMENTS[code] for code in self._xts.variant.exchanges})

    # --- instruments --------------------------------------------------------------------------------------------------

    async def _config(self, request: Request) -> Response:
        told = {"exchangeSegments": {name: code for code, name in self._served()}, "publishFormat": ["JSON"]}
        return success(told, "s-response-0001", "Fetched configurations successfully")

    async def _master(self, request: Request) -> Response:
        if self._xts.faults.damaged_master is not None:
            return Response(self._xts.faults.damaged_master, media_type="application/json")
        segments = (await form_of(request)).get("exchangeSegmentList") or []
        listed = {contract.id: contract for contract in self._xts.exchange.contracts}
        rows = [
            xts_wire.master_row(contract, number)
            for (_, number), key in self._xts.names.all().items()
            if xts_wire.segment(contract := listed[key]) in segments and contract.exchange.value != "NSE_INDEX"
        ]
        return success("\n".join(rows), "s-response-0001", "Data found")

    async def _indices(self, request: Request) -> Response:
        if self._xts.faults.damaged_master is not None:
            return Response(self._xts.faults.damaged_master, media_type="application/json")
        listed = {contract.id: contract for contract in self._xts.exchange.contracts}
        rows = [
            xts_wire.index_row(listed[key], number)
            for (segment, number), key in self._xts.names.all().items()
            if listed[key].exchange.is_index and str(segment) == request.query_params.get("exchangeSegment")
        ]
        return success({"exchangeSegment": "1", "indexList": rows}, "s-instrument-0001", "Index List successfully")

    # --- market data --------------------------------------------------------------------------------------------------

    async def _quotes(self, request: Request) -> Response:
        form = await form_of(request)
        names, code = self._asked(form)
        if len(names) > MAX_INSTRUMENTS:
            raise Invalid(f"instruments must not contain more than {MAX_INSTRUMENTS} items")
        return success(self._told(names, code), "s-quotes-0001", "Get quotes successfully!")

    def _asked(self, form: dict[str, Any]) -> tuple[list[xts_wire.Name], int]:
        """Names and code of a request. Raises Invalid."""
        try:
            names = [(int(row["exchangeSegment"]), int(row["exchangeInstrumentID"])) for row in form["instruments"]]
        except (KeyError, TypeError, ValueError):
            raise Invalid("instruments are invalid") from None
        if (code := form.get("xtsMessageCode")) not in QUOTED:
            raise Invalid("xtsMessageCode is invalid")
        return names, code

    def _told(self, names: list[xts_wire.Name], code: int) -> dict[str, Any]:
        found = [(name, market) for name in names if (market := self._xts.names.find(name)) is not None]
        texts = [msgspec.json.encode(xts_wire.snapshot(market, name[1], code)).decode() for name, market in found]
        listed = [{"exchangeSegment": segment, "exchangeInstrumentID": number} for segment, number in names]
        return {"mdp": code, "quotesList": listed, "listQuotes": texts}

    async def _subscribe(self, request: Request) -> Response:
        """Counted by instruments. What is subscribed already has no snapshot: it is passed over beside something new,
        and an error where it is alone."""
        asked, code = self._asked(await form_of(request))
        subscribed, find = self._xts.subscribed, self._xts.names.find
        names = [name for name in asked if (market := find(name)) is None or code not in subscribed.get(market, ())]
        if asked and not names:
            return failure("e-session-0002", "Instrument Already Subscribed !")
        found = [market for name in names if (market := find(name)) is not None]
        left = self._xts.variant.symbols - len(subscribed.keys() | set(found))
        if left < 0:
            return failure("e-session-0004", "Subscription limit exceeded")
        if not self._xts.faults.swallow_subscriptions:
            for market in found:
                self._xts.subscribe(market, subscribed.get(market, frozenset()) | {code})
        told = self._told(names, code) | {"Remaining_Subscription_Count": left}
        return success(told, "s-session-0001", "Instrument subscribed successfully!")

    async def _unsubscribe(self, request: Request) -> Response:
        names, code = self._asked(await form_of(request))
        subscribed = self._xts.subscribed
        for name in names:
            market = self._xts.names.find(name)
            if market is not None and code in subscribed.get(market, ()):
                self._xts.subscribe(market, subscribed[market] - {code})
        return success({"mdp": code, "unsubList": []}, "s-session-0001", "Instrument unsubscribed successfully!")

    async def _candles(self, request: Request) -> Response:
        query = request.query_params
        codes = {name: code for code, name in self._served()}
        number = query.get("exchangeInstrumentID", "")
        name = (codes.get(query.get("exchangeSegment", ""), 0), int(number) if number.isdecimal() else 0)
        if (market := self._xts.names.find(name)) is None:
            raise Invalid("exchangeInstrumentID is invalid")
        try:
            minutes = COMPRESSIONS[query["compressionValue"]]
            first, last = (
                datetime.strptime(query[each], "%b %d %Y %H%M%S").replace(tzinfo=IST)
                for each in ("startTime", "endTime")
            )
        except (KeyError, ValueError):
            raise Invalid("startTime, endTime or compressionValue is invalid") from None
        bars = self._xts.exchange.candles(market, minutes, first.date(), last.date())
        head = b'{"type":"success","code":"s-instrument-0002","description":"Instrument data","result":{"dataReponse":"'
        parts = (_cells(market, portion, not minutes, first, last) for portion in bars)
        return StreamingResponse(joined(head, parts, b'"}}'), media_type="application/json")


def _cells(market: Market, bars: list[Bar], daily: bool, first: datetime, last: datetime) -> bytes:
    """Bars between two moments; their times are seconds of India's wall clock."""
    rows = []
    for bar in bars:
        begin = bar.begins(daily)
        if daily or first <= begin <= last:
            prices = "|".join(str(market.rupees(ticks)) for ticks in (bar.open, bar.high, bar.low, bar.close))
            wall = bar.time if daily else bar.time + IST_SECONDS
            rows.append(f"{wall}|{prices}|{bar.volume}|{bar.oi}|")
    return ",".join(rows).encode()


async def form_of(request: Request) -> dict[str, Any]:
    """The JSON object of a body. Raises Invalid."""
    try:
        return msgspec.json.decode(await request.body(), type=dict[str, Any])
    except msgspec.DecodeError:
        raise Invalid("the body is no object") from None


def success(result: Any, code: str = "s-response-0001", text: str = "Request sent") -> Response:
    body = {"type": "success", "code": code, "description": text, "result": result}
    return Response(msgspec.json.encode(body), media_type="application/json")


def failure(code: str, text: str, errors: Iterable[str] = (), status: int = 400) -> Response:
    told = {"status": status, "errors": [{"field": [], "messages": [each]} for each in errors]} if errors else {}
    return JSONResponse({"type": "error", "code": code, "description": text, "result": told}, status)
