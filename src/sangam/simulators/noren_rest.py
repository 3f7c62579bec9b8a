"""Noren's REST beside orders: logins, profile, master files, quotes and candles."""

import hashlib
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sangam.model.clock import ist_from_ms
from sangam.model.enums import Exchange

from . import noren_wire
from .listing import Contract
from .market import Market
from .noren_forms import NO_DATA, WRONG, Form, failed, form_of, one_of, raw, rows, second, success
from .noren_rows import clock, moment
from .retail import Invalid
from .tape import Bar

if TYPE_CHECKING:
    from .noren import Noren

INTERVALS = {each: int(each) for each in ("1", "3", "5", "10", "15", "30", "60", "120", "240")}
MOST_DAYS = 1201

FLATTRADE = {
    "NSE_Equity": (Exchange.NSE, None),
    "BSE_Equity": (Exchange.BSE, None),
    "Nfo_Equity_Derivatives": (Exchange.NFO, False),
    "Nfo_Index_Derivatives": (Exchange.NFO, True),
    "Bfo_Equity_Derivatives": (Exchange.BFO, False),
    "Bfo_Index_Derivatives": (Exchange.BFO, True),
    "Currency_Derivatives": (Exchange.CDS, None),
    "Commodity": (Exchange.MCX, None),
}
"""Its files: an exchange's rows, or those of them whose underlying is an index, or is none."""


class NorenRest:
    def __init__(self, noren: "Noren") -> None:
        self._noren = noren

    def routes(self) -> list[BaseRoute]:
        noren, kind = self._noren, self._noren.kind
        signed, root, post = noren.signed, f"/{kind.root}", ["POST"]
        asked = {
            "UserDetails": self._profile,
            "Logout": self._log_out,
            "GetQuotes": self._quote,
            "GetSecurityInfo": self._quote,
            "SearchScrip": self._search,
            "GetIndexList": self._indices,
            "TPSeries": self._minutes,
            "EODChartData": self._days,
        }
        found = [Route(f"{root}/{name}", signed(handler), methods=post) for name, handler in asked.items()]
        if kind.login == "oauth":
            found += [
                Route("/OAuthlogin/authorize/oauth", self._page),
                Route(f"{root}/GenAcsTok", self._by_code, methods=post),
            ]
        else:
            found += [Route("/login", self._page), Route("/trade/apitoken", self._token, methods=post)]
        if kind.renews:
            found.append(Route(f"{root}/RefreshToken", self._renew, methods=post))
        return [*found, Route("/{name}", self._file)]

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        """In place of the login page: the user is in, and the browser goes to the address registered with the app."""
        query, login = request.query_params, self._noren.login
        if (query.get("client_id") or query.get("app_key")) != login.api_key:
            return failed("Invalid Input : Invalid App Key", 400)
        # Flattrade's documents call it request_code, its own program reads what comes: code
        return RedirectResponse(f"http://127.0.0.1:5000/callback?code={login.code()}&client={self._noren.user_id}", 302)

    async def _by_code(self, request: Request) -> Response:
        try:
            form, login = await form_of(request), self._noren.login
        except Invalid as invalid:
            return failed(str(invalid))
        code = str(form.get("code", ""))
        proof = _hashed(login.api_key + login.api_secret + code)
        if form.get("checksum") != proof or not login.redeem(code):
            return raw({"stat": "Not_Ok", "emsg": "Invalid Input : INVALID_VERIFIER", "uid": self._noren.user_id})
        return self._granted()

    async def _token(self, request: Request) -> Response:
        """Flattrade's own service, which speaks JSON."""
        login = self._noren.login
        try:
            form = msgspec.json.decode(await request.body(), type=Form)
        except msgspec.DecodeError:
            return raw({"token": "", "client": "", "status": "Not_Ok", "emsg": "Invalid Input"})
        code = str(form.get("request_code", ""))
        proof = _hashed(login.api_key + code + login.api_secret)
        known = form.get("api_key") == login.api_key and form.get("api_secret") == proof
        if not known or not login.redeem(code):
            return raw({"token": "", "client": "", "status": "Not_Ok", "emsg": "Invalid API Key or request code"})
        self._noren.new_login()
        return raw({"token": login.access_token, "client": self._noren.user_id, "status": "Ok", "emsg": ""})

    async def _renew(self, request: Request) -> Response:
        try:
            form = await form_of(request)
        except Invalid as invalid:
            return failed(str(invalid))
        if form.get("refresh_token") != self._noren.refresh_token:
            return failed("Invalid refresh token")
        return self._granted()

    def _granted(self) -> Response:
        noren = self._noren
        noren.refresh_token = noren.login.secret(32)
        noren.new_login()
        told = {"USERID": noren.user_id, "uid": noren.user_id, "actid": noren.user_id, "email": ""}
        token = noren.login.access_token
        told |= {"access_token": token, "susertoken": token, "refresh_token": noren.refresh_token}
        return success(noren.exchange.now_ms, **told, expires_in=str(noren.login.expires // 1000))

    async def _log_out(self, request: Request) -> Response:
        self._noren.expire_token()
        return success(self._noren.exchange.now_ms)

    async def _profile(self, request: Request) -> Response:
        user = self._noren.user_id
        told = {"uid": user, "actid": user, "uname": "SIMULATED", "exarr": ["NSE", "NFO"], "access_type": ["API"]}
        return success(self._noren.exchange.now_ms, **told)

    # --- master files -------------------------------------------------------------------------------------------------

    async def _file(self, request: Request) -> Response:
        name, kind = request.path_params["name"], self._noren.kind
        if self._noren.faults.damaged_master is not None:
            return Response(self._noren.faults.damaged_master)
        if kind.masters == "flattrade" and (known := FLATTRADE.get(name.removesuffix(".csv"))) is not None:
            of_index = known[1]
            found = [
                noren_wire.flattrade_row(contract, number)
                for contract, number in self._listed(known[0], indices=known[0] in (Exchange.NSE, Exchange.BSE))
                if of_index is None or of_index == (contract.underlying is not None and contract.underlying[1].is_index)
            ]
            return Response("\n".join((noren_wire.FLATTRADE_HEAD, *found)), media_type="text/csv")
        exchange = noren_wire.FILES.get(name)
        if kind.masters != "zipped" or exchange not in kind.exchanges:
            return Response(status_code=404)
        listed = self._listed(exchange, indices=exchange is Exchange.NSE)
        return Response(noren_wire.zipped(exchange, listed, kind.strike), media_type="application/zip")

    def _listed(self, exchange: Exchange, *, indices: bool) -> list[tuple[Contract, int]]:
        floor = self._noren.exchange
        return [
            (contract, floor.token(contract))
            for contract in floor.contracts
            if contract.exchange is exchange or (indices and contract.exchange.value == f"{exchange.value}_INDEX")
        ]

    async def _indices(self, request: Request) -> Response:
        """As in the documents' samples, which say nowhere that it went well."""
        form = await form_of(request)
        listed = self._listed(Exchange(one_of({each: each for each in ("NSE", "BSE")}, form, "exch")), indices=True)
        values = [
            {"idxname": noren_wire.index_name(contract), "token": str(number)}
            for contract, number in listed
            if contract.exchange.is_index
        ]
        return (
            raw({"request_time": clock(self._noren.exchange.now_ms), "values": values}) if values else failed(NO_DATA)
        )

    # --- market data --------------------------------------------------------------------------------------------------

    def market(self, form: Form) -> Market:
        """What a form names by exchange and token. Raises Invalid."""
        market = self._noren.names.find((str(form.get("exch", "")), str(form.get("token", ""))))
        if market is None:
            raise Invalid(WRONG)
        return market

    async def _quote(self, request: Request) -> Response:
        market = self.market(await form_of(request))
        return success(self._noren.exchange.now_ms, **noren_wire.quote(market, self._noren.token(market)))

    async def _search(self, request: Request) -> Response:
        form = await form_of(request)
        text, code = str(form.get("stext", "")), form.get("exch")
        values = [
            {"exch": code, "token": self._noren.token(market), "tsym": symbol, "ti": f"{market.contract.tick_size:g}"}
            for (exchange, symbol), key in self._noren.symbols.all().items()
            if exchange == code and symbol.startswith(text)
            if (market := self._noren.exchange.market(*key))
        ]
        return success(self._noren.exchange.now_ms, values=values) if values else failed("No Data : ")

    async def _minutes(self, request: Request) -> Response:
        """Newest first, the bars that begin between two epoch seconds."""
        form = await form_of(request)
        market, minutes = self.market(form), one_of(INTERVALS, {"intrv": "1"} | form, "intrv")
        begin = second(form, "st")
        end = second(form, "et") if form.get("et") else self._noren.exchange.now_ms // 1000
        bars = self._bars(market, minutes, begin, end)
        return rows([_bar(market, bar) for bar in reversed(bars)])

    async def _days(self, request: Request) -> Response:
        """Newest first, each an object in a text; symbols stand for themselves here."""
        form = await form_of(request)
        code, _, symbol = str(form.get("sym", "")).partition(":")
        market = self._noren.symbols.find((code, symbol)) or self._index(code, symbol)
        if market is None:
            raise Invalid(WRONG)
        bars = self._bars(market, 0, second(form, "from"), second(form, "to"))
        return rows([msgspec.json.encode(_day(market, bar)).decode() for bar in reversed(bars[-MOST_DAYS:])])

    def _index(self, code: str, name: str) -> Market | None:
        listed = self._listed(Exchange.NSE, indices=True) if code == "NSE" else []
        found = [one for one, _ in listed if one.exchange.is_index and noren_wire.index_name(one) == name]
        return self._noren.exchange.market(*found[0].id) if found else None

    def _bars(self, market: Market, minutes: int, begin: int, end: int) -> list[Bar]:
        first, last = _date(begin), _date(end)
        portions = self._noren.exchange.candles(market, minutes, first, last)
        return [bar for portion in portions for bar in portion if begin <= bar.time <= end]


def _bar(market: Market, bar: Bar) -> dict[str, Any]:
    prices = {name: noren_wire.price(market, ticks) for name, ticks in _prices(bar)}
    told = {"stat": "Ok", "time": moment(bar.time * 1000), "ssboe": str(bar.time), **prices}
    oi = {"intoi": "0", "oi": str(bar.oi)}
    return told | {"intvwap": prices["intc"], "intv": str(bar.volume), "v": str(bar.volume), **oi}


def _day(market: Market, bar: Bar) -> dict[str, str]:
    prices = {name: noren_wire.price(market, ticks) for name, ticks in _prices(bar)}
    day = f"{bar.begins(True):%d-%b-%Y}".upper()
    return {"time": day, **prices, "ssboe": str(bar.time), "intv": f"{bar.volume}.00"}


def _prices(bar: Bar) -> list[tuple[str, int]]:
    return [("into", bar.open), ("inth", bar.high), ("intl", bar.low), ("intc", bar.close)]


def _date(second: int) -> date:
    return ist_from_ms(second * 1000).date()


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
