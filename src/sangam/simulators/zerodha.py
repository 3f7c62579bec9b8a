"""Zerodha as its clients see it: the REST parts that a stream needs, and the ticker."""

import csv
import hashlib
import io
import random
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.errors import SymbolNotFound

from . import kite_wire
from .exchange import Exchange, next_day_begins
from .listing import Id
from .market import Market
from .orders import Order
from .server import Simulator
from .session import Refused, Session

MAX_SYMBOLS = 3000
MAX_SOCKETS = 3
MODES = ("ltp", "quote", "full")
QUOTES = {"quote": kite_wire.full_quote, "ohlc": kite_wire.ohlc_quote, "ltp": kite_wire.ltp_quote}
MAX_QUOTES = {"quote": 500, "ohlc": 1000, "ltp": 1000}
HEARTBEAT = b"\x00"

_HTTP_ERRORS = {429: "NetworkException", 502: "DataException", 503: "NetworkException", 504: "NetworkException"}


class Ticker(Session):
    """One socket of the ticker. A subscription (terms: token and mode) starts with the state in mode quote."""

    simulator: "Zerodha"

    def received(self, text: bytes) -> None:
        if self.simulator.faults.swallow_subscriptions:
            return
        try:
            self._obey(msgspec.json.decode(text))
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            self.send_text(_text("error", "Invalid message"))

    def _obey(self, message: dict[str, Any]) -> None:
        action, value = message["a"], message["v"]
        if action == "subscribe":
            self._subscribe([int(token) for token in value])
        elif action == "unsubscribe":
            for token in value:
                if (market := self.simulator.find(int(token))) is not None:
                    self.unsubscribe(market)
        elif action == "mode":
            mode, tokens = value
            if mode not in MODES:
                raise ValueError(mode)
            self._change([int(token) for token in tokens], mode)

    def _subscribe(self, tokens: list[int]) -> None:
        added = []
        for token in tokens:
            market = self.simulator.find(token)
            if market is None or market in self.subscriptions:
                continue
            if len(self.subscriptions) >= MAX_SYMBOLS:
                self.send_text(_text("error", f"Maximum of {MAX_SYMBOLS} instruments exceeded"))
                break
            self.subscribe(market, (token, "quote"))
            added.append(market)
        self.moved(added)

    def _change(self, tokens: list[int], mode: str) -> None:
        changed = []
        for token in tokens:
            market = self.simulator.find(token)
            if market is not None and market in self.subscriptions:
                self.subscribe(market, (token, mode))
                changed.append(market)
        self.moved(changed)

    def moved(self, markets: list[Market]) -> None:
        mine = self.subscriptions
        packets = [self.simulator.packet(market, *mine[market]) for market in markets if market in mine]
        if packets:
            self.send_binary(kite_wire.frame(packets))

    def heartbeat(self) -> None:
        self.send_binary(HEARTBEAT)


class Zerodha(Simulator):
    """One app (api key) of one user. The session dies at 06:00 IST of the exchange's clock; `new_login` makes one."""

    name = "zerodha"

    def __init__(self, exchange: Exchange | None = None, *, user_id: str = "AB1234", **options: Any) -> None:
        super().__init__(exchange, **options)
        self.user_id = user_id
        self._random = random.Random(f"{self.exchange.seed}/{user_id}")
        self._api_key = self._secret(16)
        self._api_secret = self._secret(32)
        self._request_tokens: set[str] = set()
        self._edition = 0
        self._ids: dict[int, Id] = {}
        self._tokens: dict[Id, int] = {}
        self._packets: dict[tuple[int, str], tuple[int, bytes]] = {}
        self.new_login()

    @property
    def credentials(self) -> dict[str, str]:
        return {
            "api_key": self._api_key,
            "api_secret": self._api_secret,
            "access_token": self._access_token,
            "user_id": self.user_id,
        }

    # --- what tests and the hour do -----------------------------------------------------------------------------------

    def new_login(self) -> dict[str, str]:
        self._access_token = self._secret(32)
        self._alive = True
        self._expires = next_day_begins(self.exchange.now_ms)
        self.cut()
        return self.credentials

    def request_token(self) -> str:
        """What the browser brings back from the login page: good for one `POST /session/token`."""
        token = self._secret(32)
        self._request_tokens.add(token)
        return token

    def expire_token(self) -> None:
        self._alive = False
        self.cut()

    def check(self) -> None:
        if self._alive and self.exchange.now_ms >= self._expires:
            self.expire_token()

    def push_order(self, **fields: Any) -> None:
        """Send an order postback to all sockets of the user; `fields` are Kite's and override a plain one."""
        data = {"user_id": self.user_id, "status": "OPEN", "order_id": self._secret(15), "tag": None} | fields
        self.broadcast(_text("order", data))

    def push_message(self, text: str) -> None:
        self.broadcast(_text("message", text))

    def push_error(self, text: str) -> None:
        self.broadcast(_text("error", text))

    def token(self, symbol: str, exchange: str) -> int:
        """The instrument_token of a unified name today. Raises SymbolNotFound."""
        for (name, code), token in self._index().items():
            if name == symbol and code.value == exchange:
                return token
        raise SymbolNotFound(symbol, exchange)

    # --- the ticker ---------------------------------------------------------------------------------------------------

    def accept(self, path: str, query: dict[str, str]) -> Session | Refused:
        self.check()
        if not self._alive or (query.get("api_key"), query.get("access_token")) != (self._api_key, self._access_token):
            return Refused(403, b"Incorrect `api_key` or `access_token`.")
        allowed = MAX_SOCKETS if self.faults.max_sockets is None else self.faults.max_sockets
        if len(self.sessions) >= allowed:
            return Refused(429, b"Too many connections")
        return Ticker(self)

    def find(self, token: int) -> Market | None:
        self._index()
        found = self._ids.get(token)
        return None if found is None else self.exchange.market(*found)

    def packet(self, market: Market, token: int, mode: str) -> bytes:
        """A packet, made once per update however many sockets want it."""
        known = self._packets.get((token, mode))
        if known is None or known[0] != market.updates:
            known = self._packets[token, mode] = (market.updates, kite_wire.packet(market, token, mode))
        return known[1]

    def ordered(self, order: Order) -> None:
        if order.owner == self.user_id:
            contract = self.exchange.market(order.symbol, order.exchange).contract
            self.broadcast(_text("order", kite_wire.postback(order, contract, self.exchange.token(contract))))

    def _index(self) -> dict[Id, int]:
        """Kite's tokens of today's contracts, both ways."""
        if self._edition != self.exchange.edition:
            self._edition = self.exchange.edition
            listed = self.exchange.contracts
            self._tokens = {row.id: kite_wire.instrument_token(row, self.exchange.token(row)) for row in listed}
            self._ids = {token: key for key, token in self._tokens.items()}
            self._packets.clear()
        return self._tokens

    def _secret(self, length: int) -> str:
        return "".join(self._random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))

    # --- REST ---------------------------------------------------------------------------------------------------------

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/session/token", self._login, methods=["POST"]),
            Route("/session/token", self._logout, methods=["DELETE"]),
            Route("/user/profile", self._profile),
            Route("/instruments", self._instruments),
            Route("/instruments/{exchange}", self._instruments),
            Route("/quote", self._quote),
            Route("/quote/{kind}", self._quote),
        ]

    def refusal(self, status: int) -> Response:
        if status == 403:
            return self._no_session()
        return _error(status, _HTTP_ERRORS.get(status, "GeneralException"), "Something went wrong. Please try again.")

    async def _login(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        token = form.get("request_token", "")
        text = self._api_key + token + self._api_secret
        if form.get("api_key") != self._api_key or form.get("checksum") != hashlib.sha256(text.encode()).hexdigest():
            return _error(403, "TokenException", "Invalid `checksum`.")
        if token not in self._request_tokens:
            return _error(403, "TokenException", "Token is invalid or has expired.")
        self._request_tokens.discard(token)
        self.new_login()
        tokens = {"api_key": self._api_key, "access_token": self._access_token, "refresh_token": ""}
        more = {"public_token": self._secret(32), "enctoken": self._secret(32), "silo": ""}
        when = {"login_time": kite_wire.moment(self.exchange.now_ms)}
        return _success(self._person() | tokens | more | when)

    async def _logout(self, request: Request) -> Response:
        if request.query_params.get("access_token") != self._access_token:
            return self._no_session()
        self.expire_token()
        return _success(True)

    async def _profile(self, request: Request) -> Response:
        return _success(self._person()) if self._knows(request) else self._no_session()

    async def _instruments(self, request: Request) -> Response:
        if not self._knows(request):
            return self._no_session()
        if self.faults.damaged_master is not None:
            return Response(self.faults.damaged_master, media_type="text/csv")
        only = request.path_params.get("exchange")
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(kite_wire.COLUMNS)
        for contract in self.exchange.contracts:
            if only in (None, kite_wire.kite_exchange(contract)):
                writer.writerow(kite_wire.instrument_row(contract, self.exchange.token(contract)))
        return Response(text.getvalue(), media_type="text/csv")

    async def _quote(self, request: Request) -> Response:
        if not self._knows(request):
            return self._no_session()
        kind = request.path_params.get("kind", "quote")
        asked = request.query_params.getlist("i")
        if kind not in QUOTES or not 0 < len(asked) <= MAX_QUOTES[kind]:
            return _error(400, "InputException", "Invalid `i`.")
        names = {
            f"{kite_wire.kite_exchange(contract)}:{kite_wire.tradingsymbol(contract)}": contract.id
            for contract in self.exchange.contracts
        }
        tokens = self._index()
        data = {}
        for text in asked:
            key = self._ids.get(int(text)) if text.isdecimal() else names.get(text)
            if key is not None:
                data[text] = QUOTES[kind](self.exchange.market(*key), tokens[key])
        return _success(data)

    def _knows(self, request: Request) -> bool:
        self.check()
        expected = f"token {self._api_key}:{self._access_token}"
        return self._alive and request.headers.get("authorization") == expected

    def _no_session(self) -> Response:
        return _error(403, "TokenException", "Incorrect `api_key` or `access_token`.")

    def _person(self) -> dict[str, Any]:
        return {
            "user_id": self.user_id,
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


def _text(kind: str, data: Any) -> bytes:
    """A text frame of the ticker."""
    return msgspec.json.encode({"type": kind, "data": data})


def _success(data: Any) -> Response:
    body = msgspec.json.encode({"status": "success", "data": data})
    return Response(body, media_type="application/json")


def _error(status: int, kind: str, message: str) -> Response:
    body = msgspec.json.encode({"status": "error", "message": message, "data": None, "error_type": kind})
    return Response(body, status, media_type="application/json")


SIMULATOR = Zerodha
