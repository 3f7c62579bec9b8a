"""Zerodha as its clients see it: the ticker here, its REST and its way in next door."""

from typing import Any

import msgspec
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute

from sangam.model.enums import Exchange as Code
from sangam.model.errors import SymbolNotFound

from . import kite_rows, kite_wire
from .exchange import Exchange
from .kite_books import KiteBooks
from .kite_gtt import KiteGtt
from .kite_login import KiteLogin
from .kite_margins import KiteMargins
from .kite_orders import KiteOrders
from .kite_rest import KiteRest, refusal
from .listing import Contract, Id
from .market import Market
from .orders import Order
from .portfolio import Portfolio
from .server import Simulator
from .session import Refused, Session

MAX_SYMBOLS = 3000
MAX_SOCKETS = 3
MODES = ("ltp", "quote", "full")
HEARTBEAT = b"\x00"
HOLDINGS = (("SBIN", 100, 801.5), ("INFY", 50, 1412.0))


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

    def __init__(
        self,
        exchange: Exchange | None = None,
        *,
        user_id: str = "AB1234",
        redirect_url: str = "http://127.0.0.1:5000/zerodha/callback",
        renewable: bool = False,
        limits: bool = False,
        cash: float = 10_000_000.0,
        holdings: bool = True,
        strict_protection: bool = False,
        protects_as_limit: bool = True,
        refuses_early: bool = False,
        **options: Any,
    ) -> None:
        """`redirect_url` is the address registered with the app, where the login page sends the browser; `renewable`
        apps get refresh tokens; `limits` answers 429 to more requests than Kite takes (`too_many` counts them).

        The user begins with `cash` and, with `holdings`, 100 SBIN and 50 INFY. `strict_protection` refuses MARKET and
        SL-M without market protection; with it they become LIMIT and SL orders of the book unless `protects_as_limit`
        is off. `refuses_early` tells of missing money or shares at once rather than by a rejected order."""
        super().__init__(exchange, **options)
        self.user_id = user_id
        self.redirect_url = redirect_url
        self.limits = limits
        self.too_many = 0
        self.strict_protection = strict_protection
        self.protects_as_limit = protects_as_limit
        self.refuses_early = refuses_early
        self.portfolio = Portfolio(self.exchange, user_id, cash)
        if holdings:
            for symbol, quantity, price in HOLDINGS:
                self.portfolio.hold(symbol, Code.NSE, quantity, price)
        rest = KiteRest(self)
        orders = KiteOrders(self, rest)
        self.gtt = KiteGtt(self, rest, orders)
        self._parts = (rest, KiteBooks(self, rest, orders), orders, self.gtt, KiteMargins(self, rest))
        self.login = KiteLogin(f"{self.exchange.seed}/{user_id}", lambda: self.exchange.now_ms, renewable=renewable)
        self._edition = 0
        self._ids: dict[int, Id] = {}
        self._tokens: dict[Id, int] = {}
        self._names: dict[str, int] = {}
        self._packets: dict[tuple[int, str], tuple[int, bytes]] = {}

    @property
    def credentials(self) -> dict[str, str]:
        return {
            "api_key": self.login.api_key,
            "api_secret": self.login.api_secret,
            "access_token": self.login.access_token,
            "user_id": self.user_id,
        }

    # --- what tests and the hour do -----------------------------------------------------------------------------------

    def new_login(self) -> dict[str, str]:
        self.login.begin()
        self.cut()
        return self.credentials

    def request_token(self) -> str:
        """What the browser brings back from the login page: good for one `POST /session/token`."""
        return self.login.request_token()

    def expire_token(self) -> None:
        self.login.alive = False
        self.cut()

    def check(self) -> None:
        if self.login.outlived:
            self.expire_token()
        self.portfolio.read()
        self.gtt.check()
        for payload in self.faults.orders.overdue(self.exchange.clock.monotonic()):
            self.broadcast(payload)

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
        for (name, code), token in self._index().items():
            if name == symbol and code.value == exchange:
                return token
        raise SymbolNotFound(symbol, exchange)

    # --- the ticker ---------------------------------------------------------------------------------------------------

    def accept(self, path: str, query: dict[str, str]) -> Session | Refused:
        self.check()
        if not self.login.knows(query.get("api_key"), query.get("access_token")):
            return Refused(403, b"Incorrect `api_key` or `access_token`.")
        allowed = MAX_SOCKETS if self.faults.max_sockets is None else self.faults.max_sockets
        if len(self.sessions) >= allowed:
            return Refused(429, b"Too many connections")
        return Ticker(self)

    def find(self, token: int) -> Market | None:
        self._index()
        found = self._ids.get(token)
        return None if found is None else self.exchange.market(*found)

    def names(self) -> dict[str, int]:
        """Kite's tokens by the names that quotes are asked by (``NSE:NIFTY 50``)."""
        self._index()
        return self._names

    def named(self, name: str) -> Market | None:
        """The market of such a name."""
        return self.find(self.names().get(name, 0))

    def packet(self, market: Market, token: int, mode: str) -> bytes:
        """A packet, made once per update however many sockets want it."""
        known = self._packets.get((token, mode))
        if known is None or known[0] != market.updates:
            known = self._packets[token, mode] = (market.updates, kite_wire.packet(market, token, mode))
        return known[1]

    # --- orders -------------------------------------------------------------------------------------------------------

    def ordered(self, order: Order) -> None:
        if order.owner == self.user_id:
            payload = _text("order", self._postback(order))
            for push in self.faults.orders.pushes(payload, self.exchange.clock.monotonic()):
                self.broadcast(push)

    def webhook(self, order_id: str) -> bytes:
        """What Kite posts to the app's postback address about an order, signed."""
        return msgspec.json.encode(self._postback(self.exchange.ledger.orders[order_id]))

    def order(self, order_id: str) -> Order | None:
        """An order of this user."""
        order = self.exchange.ledger.orders.get(order_id)
        return order if order is not None and order.owner == self.user_id else None

    def todays_orders(self) -> list[Order]:
        """The order book: what was placed today, and what waits since yesterday."""
        today = f"{self.exchange.day:%y%m%d}"
        mine = self.exchange.ledger.of(self.user_id)
        return [order for order in mine if order.order_id.startswith(today) or not order.status.is_final]

    def listed(self, order: Order) -> tuple[Contract, int]:
        """The contract of an order and the exchange's number of it."""
        contract = self.exchange.market(order.symbol, order.exchange).contract
        return contract, self.exchange.token(contract)

    def _postback(self, order: Order) -> dict[str, Any]:
        return kite_rows.postback(order, *self.listed(order), self.login.api_secret)

    def _index(self) -> dict[Id, int]:
        """Kite's tokens of today's contracts, both ways."""
        if self._edition != self.exchange.edition:
            self._edition = self.exchange.edition
            listed = self.exchange.contracts
            self._tokens = {row.id: kite_wire.instrument_token(row, self.exchange.token(row)) for row in listed}
            self._ids = {token: key for key, token in self._tokens.items()}
            self._names = {
                f"{kite_wire.kite_exchange(row)}:{kite_wire.tradingsymbol(row)}": self._tokens[row.id] for row in listed
            }
            self._packets.clear()
        return self._tokens

    # --- REST ---------------------------------------------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", rest_port: int = 0, ws_port: int = 0) -> None:
        await super().start(host, rest_port, ws_port)
        self.hosts["login"] = self.hosts["api"]

    def routes(self) -> list[BaseRoute]:
        return [route for part in self._parts for route in part.routes()]

    def middleware(self) -> list[Middleware]:
        return [Middleware(GZipMiddleware, minimum_size=500, compresslevel=5)]

    def refusal(self, status: int) -> Response:
        return refusal(status)


def _text(kind: str, data: Any) -> bytes:
    """A text frame of the ticker."""
    return msgspec.json.encode({"type": kind, "data": data})


SIMULATOR = Zerodha
