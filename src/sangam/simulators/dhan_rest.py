"""Dhan's REST besides orders: logins, the profile, instruments, quotes and candles."""

import csv
import io
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from . import dhan_wire
from .market import Market
from .retail import Invalid

if TYPE_CHECKING:
    from .dhan import Dhan

QUOTES = {"quote": dhan_wire.full_quote, "ohlc": dhan_wire.ohlc_quote, "ltp": dhan_wire.ltp_quote}
MAX_QUOTES = 1000
INTERVALS = {"1": 1, "5": 5, "15": 15, "25": 25, "60": 60}
MAX_DAYS = 90

BAD_INPUT = "Missing required fields, bad values for parameters etc."

_TYPES = {
    "DH-901": "Invalid_Authentication",
    "DH-904": "Rate_Limit",
    "DH-905": "Input_Exception",
    "DH-906": "Order_Error",
    "DH-907": "Data_Error",
    "DH-908": "Internal_Server_Error",
    "DH-1111": "HOLDING_ERROR",
}


class DhanRest:
    def __init__(self, dhan: "Dhan") -> None:
        self._dhan = dhan
        self._consents: set[str] = set()

    def routes(self) -> list[BaseRoute]:
        signed, v2 = self._dhan.signed, "/v2"
        charts: list[BaseRoute] = [
            Route(f"{v2}/charts/intraday", signed(self._minutes, "data"), methods=["POST"]),
            Route(f"{v2}/charts/historical", signed(self._days, "data"), methods=["POST"]),
            Route("/api-data/api-scrip-master-detailed.csv", self._instruments),
        ]
        if self._dhan.sandbox:
            return charts
        return [
            *charts,
            Route("/app/generateAccessToken", self._by_code, methods=["POST"]),
            Route("/app/generate-consent", self._consent, methods=["POST"]),
            Route("/login/consentApp-login", self._page),
            Route("/app/consumeApp-consent", self._redeem),
            Route(f"{v2}/RenewToken", signed(self._renew)),
            Route(f"{v2}/profile", signed(self._profile)),
            Route(f"{v2}/marketfeed/{{kind}}", signed(self._quotes, "quote"), methods=["POST"]),
        ]

    # --- logins -------------------------------------------------------------------------------------------------------

    async def _by_code(self, request: Request) -> Response:
        """A rejection of a login comes with HTTP 200."""
        query, login = request.query_params, self._dhan.login
        if query.get("dhanClientId") != self._dhan.user_id or query.get("pin") != login.pin:
            return refused_login("Invalid Pin")
        if not login.authenticator.proves(query.get("totp")):
            return refused_login("Invalid TOTP")
        return self._granted()

    async def _consent(self, request: Request) -> Response:
        if not self._knows_app(request) or request.query_params.get("client_id") != self._dhan.user_id:
            return refused_login("Invalid app id or secret")
        consent = self._dhan.login.secret(36)
        self._consents.add(consent)
        return answer({"consentAppId": consent, "consentAppStatus": "GENERATED", "status": "success"})

    async def _page(self, request: Request) -> Response:
        """In place of the login page: the user is in, and the browser goes back to the app."""
        consent = request.query_params.get("consentAppId", "")
        if consent not in self._consents:
            return refused_login("Invalid consent")
        self._consents.discard(consent)
        return RedirectResponse(f"{self._dhan.redirect_url}?{urlencode({'tokenId': self._dhan.login.code()})}", 302)

    async def _redeem(self, request: Request) -> Response:
        if not self._knows_app(request):
            return refused_login("Invalid app id or secret")
        if not self._dhan.login.redeem(request.query_params.get("tokenId", "")):
            return refused_login("Invalid tokenId")
        return self._granted()

    async def _renew(self, request: Request) -> Response:
        return self._granted()

    def _knows_app(self, request: Request) -> bool:
        login, headers = self._dhan.login, request.headers
        return (headers.get("app_id"), headers.get("app_secret")) == (login.api_key, login.api_secret)

    def _granted(self) -> Response:
        self._dhan.new_login()
        login = self._dhan.login
        return answer(
            {
                "dhanClientId": self._dhan.user_id,
                "dhanClientName": "JOHN DOE",
                "dhanClientUcc": "ABCD12345E",
                "givenPowerOfAttorney": False,
                "accessToken": login.access_token,
                "expiryTime": f"{dhan_wire.moment(login.expires).replace(' ', 'T')}.000",
            }
        )

    async def _profile(self, request: Request) -> Response:
        validity = datetime.fromisoformat(dhan_wire.moment(self._dhan.login.expires))
        return answer(
            {
                "dhanClientId": self._dhan.user_id,
                "tokenValidity": f"{validity:%d/%m/%Y %H:%M}",
                "activeSegment": "E, D, C, M, ",
                "ddpi": "Active",
                "mtf": "Active",
                "dataPlan": "Active",
                "dataValidity": "2027-12-05 09:37:52.0",
            }
        )

    # --- market data --------------------------------------------------------------------------------------------------

    async def _instruments(self, request: Request) -> Response:
        if self._dhan.faults.damaged_master is not None:
            return Response(self._dhan.faults.damaged_master, media_type="text/csv")
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(dhan_wire.COLUMNS)
        for contract in self._dhan.exchange.contracts:
            name = dhan_wire.name(contract, self._dhan.exchange.token(contract))
            if name is not None:
                writer.writerow(dhan_wire.instrument_row(contract, name[1]))
        return Response(text.getvalue(), media_type="text/csv")

    async def _quotes(self, request: Request) -> Response:
        asked = await body_of(request)
        asked.pop("dhanClientId", None)
        make = QUOTES.get(request.path_params["kind"])
        if make is None or sum(len(ids) for ids in asked.values()) > MAX_QUOTES:
            return answer({"data": {"804": "Requested number of instruments exceeds limit"}, "status": "failed"}, 400)
        data: dict[str, dict[str, Any]] = {}
        for segment, ids in asked.items():
            found = {str(each): self._dhan.names.find((segment, str(each))) for each in ids}
            data[segment] = {number: make(market) for number, market in found.items() if market is not None}
        return answer({"data": data, "status": "success"})

    async def _minutes(self, request: Request) -> Response:
        asked = await body_of(request)
        minutes = INTERVALS.get(str(asked.get("interval")))
        if minutes is None:
            raise Invalid(BAD_INPUT)
        first, last = _moment(asked, "fromDate"), _moment(asked, "toDate")
        if last - first > timedelta(days=MAX_DAYS):
            raise Invalid(f"Data for Intraday Charts can be fetched for {MAX_DAYS} days at a time")
        market = self._dhan.names.find((str(asked.get("exchangeSegment")), str(asked.get("securityId"))))
        return self._candles(asked, market, minutes, first, last)

    async def _days(self, request: Request) -> Response:
        """The last day is exclusive."""
        asked = await body_of(request)
        first, last = _moment(asked, "fromDate"), _moment(asked, "toDate") - timedelta(seconds=1)
        market = self._dhan.names.find((str(asked.get("exchangeSegment")), str(asked.get("securityId"))))
        if market is None:
            raise Invalid(BAD_INPUT)
        return self._candles(asked, market, 0, first, last)

    def _candles(
        self, asked: dict[str, Any], market: Market | None, minutes: int, first: datetime, last: datetime
    ) -> Response:
        """Of a number that nobody has minutes are empty lists, as on a holiday."""
        names = ("open", "high", "low", "close", "volume", "timestamp", "open_interest")
        columns: dict[str, list[float]] = {name: [] for name in names}
        if market is None:
            return answer(columns)
        if asked.get("instrument") != dhan_wire.instrument_kind(market.contract):
            raise Invalid(BAD_INPUT)
        for portion in self._dhan.exchange.candles(market, minutes, first.date(), last.date()):
            for bar in portion:
                for name in ("open", "high", "low", "close"):
                    columns[name].append(market.rupees(getattr(bar, name)))
                columns["volume"].append(bar.volume)
                columns["timestamp"].append(bar.begins(daily=not minutes).timestamp())
                columns["open_interest"].append(bar.oi if asked.get("oi") else 0)
        return answer(columns)


def _moment(asked: dict[str, Any], name: str) -> datetime:
    try:
        return datetime.fromisoformat(str(asked.get(name)))
    except ValueError:
        raise Invalid(BAD_INPUT) from None


async def body_of(request: Request) -> dict[str, Any]:
    """A JSON object. Raises Invalid."""
    try:
        body = msgspec.json.decode(await request.body())
    except msgspec.DecodeError:
        raise Invalid(BAD_INPUT) from None
    if not isinstance(body, dict):
        raise Invalid(BAD_INPUT)
    return body


def answer(data: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(data), status, media_type="application/json")


def error(status: int, code: str, text: str) -> Response:
    return answer({"errorType": _TYPES.get(code, ""), "errorCode": code, "errorMessage": text}, status)


def refused_login(text: str) -> Response:
    return answer({"message": text, "status": "error"})
