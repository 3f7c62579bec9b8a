"""Zerodha as its clients see it: the ticker here, its REST and its way in next door."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from sangam.model.enums import Exchange as Code

from . import kite_rows, kite_wire
from .exchange import Exchange
from .kite_books import KiteBooks
from .kite_gtt import KiteGtt
from .kite_login import KiteLogin
from .kite_margins import KiteMargins
from .kite_orders import KiteOrders
from .kite_rest import LIMITS, KiteRest, error, kind_of, no_session, refusal, success
from .market import Market
from .naming import Names, Packets
from .orders import Order
from .retail import Invalid, Retail
from .session import Refused, Session

MAX_SYMBOLS = 3000
MAX_SOCKETS = 3
MODES = ("ltp", "quote", "full")
HEARTBEAT = b"\x00"


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


class Zerodha(Retail):
    """The session dies at 06:00 IST of the exchange's clock."""

    name = "zerodha"
    limits_of = LIMITS

    def __init__(
        self,
        exchange: Exchange | None = None,
        *,
        user_id: str = "AB1234",
        redirect_url: str = "http://127.0.0.1:5000/zerodha/callback",
        renewable: bool = False,
        strict_protection: bool = False,
        protects_as_limit: bool = True,
        **options: Any,
    ) -> None:
        """`redirect_url` is the address registered with the app, where the login page sends the browser; `renewable`
        apps get refresh tokens. `strict_protection` refuses MARKET and SL-M without market protection; with it they
        become LIMIT and SL orders of the book unless `protects_as_limit` is off."""
        super().__init__(exchange, user_id=user_id, **options)
        self.redirect_url = redirect_url
        self.strict_protection = strict_protection
        self.protects_as_limit = protects_as_limit
        orders = KiteOrders(self)
        self.gtt = KiteGtt(self, orders)
        self._parts = (KiteRest(self), KiteBooks(self), orders, self.gtt, KiteMargins(self))
        self.login: KiteLogin = KiteLogin(
            f"{self.exchange.seed}/{user_id}", lambda: self.exchange.now_ms, renewable=renewable
        )
        self.tokens = Names(self.exchange, kite_wire.instrument_token)
        self.names = Names(self.exchange, kite_wire.quote_name)
        self._packets = Packets(lambda market, terms: kite_wire.packet(market, *terms))

    @property
    def credentials(self) -> dict[str, str]:
        return {
            "api_key": self.login.api_key,
            "api_secret": self.login.api_secret,
            "access_token": self.login.access_token,
            "user_id": self.user_id,
        }

    # --- what tests and the hour do -----------------------------------------------------------------------------------

    def request_token(self) -> str:
        """What the browser brings back from the login page: good for one `POST /session/token`."""
        return self.login.code()

    def check(self) -> None:
        super().check()
        self.gtt.check()

    def push_order(self, **fields: Any) -> None:
        """Send an order postback to all sockets of the user; `fields` are Kite's and override a plain one."""
        data = {"user_id": self.user_id, "status": "OPEN", "order_id": self.login.secret(15), "tag": None} | fields
        self.broadcast(_text("order", data))

    def push_message(self, text: str) -> None:
        self.broadcast(_text("message", text))

    def push_error(self, text: str) -> None:
        self.broadcast(_text("error", text))

    def token(self, symbol: str, exchange: str) -> int:
        """The instrument_token of a unified name today. Raises SymbolNotFound."""
        return self.tokens.of(self.exchange.market(symbol, Code(exchange)).contract)

    # --- the ticker ---------------------------------------------------------------------------------------------------

    def accept(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Session | Refused:
        self.check()
        if not self.login.knows(query.get("api_key"), query.get("access_token")):
            return Refused(403, b"Incorrect `api_key` or `access_token`.")
        allowed = MAX_SOCKETS if self.faults.max_sockets is None else self.faults.max_sockets
        if len(self.sessions) >= allowed:
            return Refused(429, b"Too many connections")
        return Ticker(self)

    def find(self, token: int) -> Market | None:
        return self.tokens.find(token)

    def named(self, name: str) -> Market | None:
        """The market of a name that quotes are asked by (``NSE:NIFTY 50``)."""
        return self.names.find(name)

    def packet(self, market: Market, token: int, mode: str) -> bytes:
        return self._packets.get(market, (token, mode))

    # --- orders -------------------------------------------------------------------------------------------------------

    def news(self, order: Order) -> bytes:
        return _text("order", self._postback(order))

    def webhook(self, order_id: str) -> bytes:
        """What Kite posts to the app's postback address about an order, signed."""
        return msgspec.json.encode(self._postback(self.exchange.ledger.orders[order_id]))

    def order_row(self, order: Order) -> kite_rows.Row:
        return kite_rows.order_row(order, *self.listed(order))

    def _postback(self, order: Order) -> kite_rows.Row:
        return kite_rows.postback(order, *self.listed(order), self.login.api_secret)

    # --- REST ---------------------------------------------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", rest_port: int = 0, ws_port: int = 0) -> None:
        await super().start(host, rest_port, ws_port)
        self.hosts["login"] = self.hosts["api"]

    def routes(self) -> list[BaseRoute]:
        return [route for part in self._parts for route in part.routes()]

    def middleware(self) -> list[Middleware]:
        return [Middleware(GZipMiddleware, minimum_size=500, compresslevel=5)]

    def stranger(self, request: Request) -> Response | None:
        key, _, token = request.headers.get("authorization", "").removeprefix("token ").partition(":")
        return None if self.login.knows(key, token) else no_session()

    def refusal(self, status: int) -> Response:
        return refusal(status)

    def told(self, invalid: Invalid) -> Response:
        return error(invalid.status, kind_of(invalid), str(invalid))

    def too_many_requests(self) -> Response:
        return error(429, "NetworkException", "Too many requests")

    def timed_out(self) -> Response:
        """With the type that otherwise proves that nothing was done."""
        text = "Order request timed out. Please check the order book and confirm before placing again."
        return error(400, "InputException", text)

    def nameless(self) -> Response:
        return success({})


def _text(kind: str, data: Any) -> bytes:
    """A text frame of the ticker."""
    return msgspec.json.encode({"type": kind, "data": data})


SIMULATOR = Zerodha
