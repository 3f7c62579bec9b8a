"""Upstox as its clients see it: the feeds here, its REST next door."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from picows import WSTransport
from starlette.responses import Response
from starlette.routing import BaseRoute

from . import upstox_rows, upstox_wire
from .exchange import Exchange
from .market import Market
from .naming import Names, Packets
from .orders import Order
from .retail import Invalid, Retail
from .session import Moved, Refused, Session
from .upstox_books import UpstoxBooks
from .upstox_gtt import UpstoxGtt
from .upstox_orders import UpstoxOrders
from .upstox_rest import LIMITS, NO_SESSION, UpstoxLogin, UpstoxRest, error, refusal, success

MAX_SOCKETS = 2
MAX_KEYS = {upstox_wire.LTPC: 5000, upstox_wire.GREEKS: 3000, upstox_wire.FULL: 2000, upstox_wire.D30: 50}
CANDLES = "/v3/historical-candle/"
FEED, NEWS = "/v3/feed/market-data-feed", "/v2/feed/portfolio-stream-feed"


class MarketFeed(Session):
    """One socket of the market feed. A subscription has its mode and what was told last, part by part: a live message
    has only parts that changed."""

    simulator: "Upstox"
    hears_of_orders = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        super().on_ws_connected(transport)
        self.send_binary(upstox_wire.market_info(self.simulator.exchange.now_ms))

    def received_binary(self, payload: bytes) -> None:
        """Requests come as binary frames; what text frames do is not documented, so they do nothing."""
        if self.simulator.faults.swallow_subscriptions:
            return
        try:
            message = msgspec.json.decode(payload)
            method, data = message["method"], message["data"]
            keys, mode = [str(key) for key in data["instrumentKeys"]], data.get("mode", upstox_wire.LTPC)
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
            self.send_text(msgspec.json.encode({"status": "failed", "error": "Invalid request"}))
            return
        markets = [market for key in keys if (market := self.simulator.find(key)) is not None]
        if method == "unsub":
            for market in markets:
                self.unsubscribe(market)
        elif method in ("sub", "change_mode") and mode in MAX_KEYS:
            self._take(markets, mode)

    def _take(self, markets: list[Market], mode: str) -> None:
        for market in markets:
            if mode == upstox_wire.D30:
                market.deepen(30)
            self.subscribe(market, (mode, ()))
        if sum(terms[0] == mode for terms in self.subscriptions.values()) > MAX_KEYS[mode]:
            text = f"Maximum of {MAX_KEYS[mode]} instruments in mode {mode} exceeded"
            self.send_text(msgspec.json.encode({"status": "failed", "error": text}))
        self._tell(markets, upstox_wire.INITIAL)

    def moved(self, markets: list[Market]) -> None:
        self._tell([market for market in markets if market in self.subscriptions], upstox_wire.LIVE)

    def _tell(self, markets: list[Market], kind: int) -> None:
        feeds = []
        for market in markets:
            mode, before = self.subscriptions[market]
            parts = self.simulator.parts(market, mode)
            self.subscriptions[market] = (mode, parts)
            fresh = [part for part in parts if kind == upstox_wire.INITIAL or part not in before]
            key = self.simulator.keys.of(market.contract)
            feeds.append((key, upstox_wire.feed(market, mode, fresh)))
        if feeds:
            self.send_binary(upstox_wire.response(kind, feeds, self.simulator.exchange.now_ms))


class PortfolioFeed(Session):
    """One socket of the portfolio stream; its address says what it tells."""

    def __init__(self, simulator: "Upstox", types: frozenset[str]) -> None:
        super().__init__(simulator)
        self.types = types
        self.hears_of_orders = "order" in types


class Upstox(Retail):
    """The session dies at 03:30 IST of the exchange's clock. Sockets are opened by one-time addresses; who comes with
    the session itself is sent on to such an address."""

    name = "upstox"
    limits_of = LIMITS
    login: UpstoxLogin

    def __init__(
        self,
        exchange: Exchange | None = None,
        *,
        user_id: str = "2VABCD",
        redirect_uri: str = "http://127.0.0.1:5000/upstox/callback",
        **options: Any,
    ) -> None:
        """`redirect_uri` is the address registered with the app, where the login page sends the browser."""
        super().__init__(exchange, user_id=user_id, **options)
        self.login = UpstoxLogin(f"{self.exchange.seed}/{user_id}", lambda: self.exchange.now_ms, redirect_uri)
        orders = UpstoxOrders(self)
        self.gtt = UpstoxGtt(self, orders)
        self._parts = (UpstoxRest(self), UpstoxBooks(self), orders, self.gtt)
        self.keys = Names(self.exchange, upstox_wire.instrument_key)
        self._made = Packets(upstox_wire.parts)
        self._codes: set[str] = set()
        self.stream = ""
        """Where its sockets are; clients are told by the authorize calls."""

    @property
    def credentials(self) -> dict[str, str]:
        return {
            "api_key": self.login.api_key,
            "api_secret": self.login.api_secret,
            "redirect_uri": self.login.redirect_uri,
            "access_token": self.login.access_token,
        }

    def check(self) -> None:
        super().check()
        self.gtt.check()

    def expire_token(self) -> None:
        self._codes.clear()
        super().expire_token()

    # --- instruments --------------------------------------------------------------------------------------------------

    def find(self, key: str) -> Market | None:
        return self.keys.find(key)

    def market(self, key: str) -> Market:
        """Raises Invalid."""
        if (market := self.find(key)) is None:
            raise Invalid("Invalid Instrument key", "UDAPI100011")
        return market

    # --- sockets ------------------------------------------------------------------------------------------------------

    def one_time(self, path: str, query: Mapping[str, str]) -> str:
        """An address that opens one socket."""
        code = self.login.secret(24)
        self._codes.add(code)
        return f"{self.stream}{path}?{urlencode({**query, 'code': code})}"

    def accept(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Session | Refused | Moved:
        self.check()
        if path in (FEED, NEWS):
            if not self._is_bearer(headers.get("authorization")):
                return Refused(401, b"Invalid token")
            return Moved(self.one_time(f"{path}/v1", query))
        if (code := query.get("code", "")) not in self._codes:
            return Refused(403, b"Invalid code")
        self._codes.discard(code)
        if path == f"{NEWS}/v1":
            return PortfolioFeed(self, frozenset(query.get("update_types", "order").split(",")))
        allowed = MAX_SOCKETS if self.faults.max_sockets is None else self.faults.max_sockets
        if sum(isinstance(session, MarketFeed) for session in self.sessions) >= allowed:
            return Refused(403, b"Connection limit exceeded")
        return MarketFeed(self)

    def parts(self, market: Market, mode: str) -> Any:
        return self._made.get(market, mode)

    def tell(self, kind: str, row: upstox_rows.Row) -> None:
        """Send news that are no order's to who asked for them."""
        payload = msgspec.json.encode({"update_type": kind, **row})
        for session in list(self.sessions):
            if isinstance(session, PortfolioFeed) and kind in session.types:
                session.send_text(payload)

    # --- orders -------------------------------------------------------------------------------------------------------

    def known(self, order_id: str) -> Order:
        """Raises Invalid."""
        if (order := self.order(order_id)) is None:
            raise Invalid("Order not found", "UDAPI100010", 404)
        return order

    def news(self, order: Order) -> bytes:
        return msgspec.json.encode(upstox_rows.order_news(self.order_row(order), self.user_id))

    def webhook(self, order_id: str) -> bytes:
        """What Upstox posts to the app's postback address about an order; nothing signs it."""
        return self.news(self.exchange.ledger.orders[order_id])

    def order_row(self, order: Order) -> upstox_rows.Row:
        return upstox_rows.order_row(order, *self.listed(order))

    def short_of(self, required: float, available: float) -> str:
        return f"You need to add Rs. {required - available:.2f} in your account to place this trade."

    # --- REST ---------------------------------------------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", rest_port: int = 0, ws_port: int = 0) -> None:
        await super().start(host, rest_port, ws_port)
        self.stream = self.hosts["stream"]
        self.hosts = dict.fromkeys(("api", "orders", "assets"), self.hosts["api"])

    def routes(self) -> list[BaseRoute]:
        return [route for part in self._parts for route in part.routes()]

    def _is_bearer(self, header: str | None) -> bool:
        return self.login.alive and header == f"Bearer {self.login.access_token}"

    def stranger(self, request: Any) -> Response | None:
        """Candles are for everybody: the SDK asks for them without a token."""
        known = request.url.path.startswith(CANDLES) or self._is_bearer(request.headers.get("authorization"))
        return None if known else error(401, NO_SESSION, "Invalid token used to access API")

    def refusal(self, status: int) -> Response:
        return refusal(status)

    def told(self, invalid: Invalid) -> Response:
        """Missing money and shares are told by the words of a rejection, under no code that is documented."""
        code = "UDAPI1000" if invalid.kind in ("margin", "holding", "") else invalid.kind
        return error(invalid.status, code, str(invalid))

    def timed_out(self) -> Response:
        """With the code that otherwise proves that nothing was done."""
        return error(400, "UDAPI1052", "Request timed out. Please check the order book before placing again.")

    def nameless(self) -> Response:
        return success({"order_ids": []}, latency=True)


SIMULATOR = Upstox
