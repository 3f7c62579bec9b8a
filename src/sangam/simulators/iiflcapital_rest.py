"""IIFL Capital's REST beside orders: the login, the profile, contract files, quotes and candles."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from . import iiflcapital_wire as wire
from .market import Market
from .retail import Invalid

if TYPE_CHECKING:
    from .iiflcapital import IiflCapital

BASE = "/v1"
INTERVALS = {
    "1 minute": (1, 30),
    "5 minutes": (5, 60),
    "10 minutes": (10, 60),
    "15 minutes": (15, 60),
    "30 minutes": (30, 60),
    "60 minutes": (60, 60),
    "1 day": (0, 400),
}
"""Minutes of a candle (0: a day), and how many days one request may span: figures of this simulator's own, since IIFL
tells none."""


class IiflRest:
    def __init__(self, iifl: "IiflCapital") -> None:
        self._iifl = iifl

    def routes(self) -> list[BaseRoute]:
        signed, post, data = self._iifl.signed, ["POST"], f"{BASE}/marketdata"
        return [
            Route("/", self._page),
            Route(f"{BASE}/getusersession", self._session, methods=post),
            Route(f"{BASE}/profile", signed(self._profile, "profile")),
            Route(f"{BASE}/profile/logout", signed(self._log_out, "logout"), methods=post),
            Route(f"{BASE}/contractfiles/{{name}}.csv", self._file),
            Route(f"{data}/marketquotes", signed(self._quotes, "quotes"), methods=post),
            Route(f"{data}/marketdepth", signed(self._depth, "depth"), methods=post),
            Route(f"{data}/openinterest", signed(self._interest, "interest"), methods=post),
            Route(f"{data}/historicaldata", signed(self._candles, "history"), methods=post),
        ]

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        """In place of the login page: the user is in, and the browser goes back with a code."""
        query = request.query_params
        if query.get("appkey") != self._iifl.login.api_key:
            return failure("EC054", "Invalid appKey")
        back = {"authCode": self._iifl.login.code(), "clientId": self._iifl.user_id}
        return RedirectResponse(f"{query.get('redirecturl', 'http://127.0.0.1/')}?{urlencode(back)}", 302)

    async def _session(self, request: Request) -> Response:
        """A refusal comes with HTTP 200."""
        form = form_of(await request.body(), dict[str, str])
        if not self._iifl.login.proved(form.get("checkSum", "")):
            return answer({"status": "Not_Ok", "message": "Invalid checkSum"})
        self._iifl.new_login()
        return answer({"status": "Ok", "userSession": self._iifl.login.access_token})

    async def _profile(self, request: Request) -> Response:
        user = self._iifl.user_id
        return success(
            {
                "clientId": f"{user[:1]}{'*' * (len(user) - 2)}{user[-1:]}",
                "clientName": "A TRADER",
                "isTotpEnabled": "Y",
                "accountStatus": "Na",
                "exchanges": sorted(set(wire.SEGMENTS.values())),
                "products": ["NORMAL", "INTRADAY", "DELIVERY", "BNPL"],
                "orderComplexity": ["REGULAR", "AMO", "BO", "CO"],
            }
        )

    async def _log_out(self, request: Request) -> Response:
        self._iifl.expire_token()
        return success({"status": "Success", "message": "Success"})

    # --- market data --------------------------------------------------------------------------------------------------

    async def _file(self, request: Request) -> Response:
        """Asked for by anybody."""
        if self._iifl.faults.damaged_master is not None:
            return Response(self._iifl.faults.damaged_master, media_type="text/csv")
        wanted = request.path_params["name"]
        listed = {contract.id: contract for contract in self._iifl.exchange.contracts}
        rows = [
            (listed[key], token)
            for (segment, token), key in self._iifl.names.all().items()
            if wanted == ("INDICES" if key[1].is_index else segment)
        ]
        if not rows and wanted not in wire.SEGMENTS.values():
            return failure("EC901", "No such file", 404)
        return Response(wire.contract_file(rows), media_type="text/csv")

    async def _quotes(self, request: Request) -> Response:
        rows = []
        for named in form_of(await request.body(), list[dict[str, str]]):
            if (market := self._iifl.found(named)) is not None:
                rows.append(wire.quote(market, named["exchange"], named["instrumentId"]))
            else:
                rows.append({"status": "EC947", "message": "Invalid instrumentId"})
        return success(rows)

    async def _depth(self, request: Request) -> Response:
        return success(wire.depth(self._market(await request.body())))

    async def _interest(self, request: Request) -> Response:
        """Told without an envelope."""
        market = self._market(await request.body())
        if market.contract.expiry is None:
            raise Invalid("Open interest is of derivatives", "EC946")
        told = {"openInterest": market.oi, "dayHighOi": market.oi_high, "dayLowOi": market.oi_low}
        return success(told)

    def _market(self, body: bytes) -> Market:
        market = self._iifl.found(form_of(body, dict[str, str]))
        if market is None:
            raise Invalid("Invalid instrumentId", "EC947")
        return market

    async def _candles(self, request: Request) -> Response:
        """Days come as a text with the candles in it."""
        form = form_of(await request.body(), dict[str, str])
        market = self._market(await request.body())
        try:
            minutes, days = INTERVALS[form["interval"]]
            first, last = (datetime.strptime(form[name], "%d-%b-%Y").date() for name in ("fromDate", "toDate"))
        except (KeyError, ValueError):
            raise Invalid("Invalid interval or date", "EC802") from None
        if first > last:
            raise Invalid("fromDate is after toDate", "EC803")
        if (last - first).days >= days:
            raise Invalid(f"More than {days} days of {form['interval']}", "EC809")
        rupees = market.rupees
        rows = [
            [
                f"{bar.begins(not minutes):%Y-%m-%dT%H:%M:%S}",
                *(rupees(ticks) for ticks in (bar.open, bar.high, bar.low, bar.close)),
                bar.volume,
            ]
            for portion in self._iifl.exchange.candles(market, minutes, first, last)
            for bar in portion
        ]
        told: Any = rows if minutes else msgspec.json.encode(rows).decode()
        return success([{"candles": told}])


def form_of(body: bytes, kind: Any) -> Any:
    """The JSON of a body. Raises Invalid."""
    try:
        return msgspec.json.decode(body, type=kind, strict=False)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Invalid("Invalid request body", "EC801") from None


def answer(body: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def success(result: Any) -> Response:
    return answer({"status": "Ok", "message": "Success", "result": result})


def failure(code: str, message: str, status: int = 400) -> Response:
    return answer({"status": code, "message": message}, status)
