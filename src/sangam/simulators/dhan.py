"""Dhan as its clients see it: the sockets here, its REST next door. The sandbox is the same with less of it."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from picows import WSMsgType, WSTransport
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from . import dhan_rows, dhan_wire
from .app_login import AppLogin
from .authenticator import Authenticator
from .dhan_orders import DhanOrders
from .dhan_rest import DhanRest, answer, error
from .exchange import Exchange
from .market import Market
from .naming import Names, Packets
from .orders import Order, Trade
from .retail import Invalid, Retail
from .session import Refused, Session

LIMITS = {
    "quote": ((1, 1.0),),
    "data": ((5, 1.0), (100_000, 86_400.0)),
    "orders": ((10, 1.0), (250, 60.0), (1000, 3600.0), (7000, 86_400.0)),
    "default": ((20, 1.0),),
}
MAX_SOCKETS = 5
MAX_SYMBOLS = 5000
MAX_IN_MESSAGE = 100
MODES = {15: dhan_wire.TICKER, 17: dhan_wire.QUOTE, 21: dhan_wire.FULL}
TOKEN_LIVES_MS = 24 * 3_600_000

_CODES = {"margin": "DH-906", "holding": "DH-906"}


class DhanLogin(AppLogin):
    """A user with a PIN and an authenticator; a token lives for a day."""

    def __init__(self, seed: str, exchange: Exchange, lives_ms: int) -> None:
        super().__init__(seed, lambda: exchange.now_ms, ends=lambda now: now + lives_ms, key_length=8)
        self.pin = "471100"
        self.authenticator = Authenticator(self.api_secret, lambda: exchange.now_ms)


class DataSocket(Session):
    """What both kinds of market data share: a bad token is let in and then cut without a word; a sixth socket ends the
    oldest; the sign of life is WebSocket's."""

    simulator: "Dhan"
    hears_of_orders = False

    def __init__(self, simulator: "Dhan", known: bool) -> None:
        super().__init__(simulator)
        self._known = known

    def on_ws_connected(self, transport: WSTransport) -> None:
        super().on_ws_connected(transport)
        if not self._known:
            self.reset()
            return
        self.simulator.crowded()

    def heartbeat(self) -> None:
        self._send(WSMsgType.PING, b"")

    def received(self, text: bytes) -> None:
        if self.simulator.faults.swallow_subscriptions:
            return
        try:
            message = msgspec.json.decode(text)
            self.obey(int(message["RequestCode"]), message)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            self.farewell(814)

    def obey(self, code: int, message: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def farewell(self, reason: int) -> None:
        """Say why, and end it."""
        self.send_binary(dhan_wire.farewell(reason))
        self.close()

    def found(self, rows: list[Mapping[str, Any]]) -> list[Market]:
        markets = [self.simulator.names.find((row["ExchangeSegment"], row["SecurityId"])) for row in rows]
        return [market for market in markets if market is not None]


class Feed(DataSocket):
    """A subscription (terms: kind of packet) begins with the previous close and the state."""

    def obey(self, code: int, message: Mapping[str, Any]) -> None:
        if code == 12:
            self.close()
            return
        rows = message["InstrumentList"]
        if len(rows) > MAX_IN_MESSAGE or len(rows) != message["InstrumentCount"]:
            self.farewell(804)
            return
        markets = self.found(rows)
        if code in MODES:
            for market in markets:
                if len(self.subscriptions) < MAX_SYMBOLS or market in self.subscriptions:
                    self.subscribe(market, MODES[code])
                    self.send_binary(dhan_wire.previous_close(market, int(self.simulator.security_id(market))))
            self.moved(markets)
        elif code - 1 in MODES:
            for market in markets:
                if self.subscriptions.get(market) == MODES[code - 1]:
                    self.unsubscribe(market)

    def moved(self, markets: list[Market]) -> None:
        """One packet in a message; open interest has its own beside quotes."""
        for market in markets:
            if (kind := self.subscriptions.get(market)) is not None:
                self.send_binary(self.simulator.packets.get(market, kind))
                if kind == dhan_wire.QUOTE and market.contract.expiry is not None:
                    number = int(self.simulator.security_id(market))
                    self.send_binary(dhan_wire.open_interest(market, number))


class DeepBook(DataSocket):
    """Books of 20 or 200 levels (the terms); both sides of all that moved in one message."""

    def __init__(self, simulator: "Dhan", known: bool, levels: int, most: int) -> None:
        super().__init__(simulator, known)
        self._levels = levels
        self._most = most

    def farewell(self, reason: int) -> None:
        self.send_binary(dhan_wire.deep_farewell(reason))
        self.close()

    def obey(self, code: int, message: Mapping[str, Any]) -> None:
        markets = self.found(message["InstrumentList"] if self._levels == 20 else [message])
        if code == 23:
            if len(self.subscriptions.keys() | set(markets)) > self._most:
                self.farewell(804)
                return
            for market in markets:
                self.subscribe(market, self._levels)
            self.moved(markets)
        elif code in (24, 25):
            for market in markets:
                self.unsubscribe(market)

    def moved(self, markets: list[Market]) -> None:
        mine = [market for market in markets if market in self.subscriptions]
        books = [
            dhan_wire.deep_book(market, self._levels, int(self.simulator.security_id(market)), market.updates)
            for market in mine
        ]
        if books:
            self.send_binary(b"".join(books))


class OrderNews(Session):
    """Nothing is told before the login message, and nothing is said about that."""

    simulator: "Dhan"
    hears_of_orders = False

    def received(self, text: bytes) -> None:
        try:
            login = msgspec.json.decode(text)["LoginReq"]
            known = (str(login["ClientId"]), login["Token"]) == (self.simulator.user_id, self.simulator.token)
        except (msgspec.DecodeError, KeyError, TypeError):
            known = False
        if known:
            self.hears_of_orders = True
        else:
            self.reset()

    def heartbeat(self) -> None:
        self._send(WSMsgType.PING, b"")


class Dhan(Retail):
    """A token dies a day after it was made, and when another one is."""

    name = "dhan"
    limits_of = LIMITS
    sandbox: ClassVar[bool] = False
    lives_ms: ClassVar[int] = TOKEN_LIVES_MS

    def __init__(
        self,
        exchange: Exchange | None = None,
        *,
        user_id: str = "1000000001",
        redirect_url: str = "http://127.0.0.1:5000/dhan/callback",
        **options: Any,
    ) -> None:
        """`redirect_url` is the address registered with the API key. `in_transit` makes orders invisible to look-ups by
        their correlation id, as those on their way to the exchange are."""
        super().__init__(exchange, user_id=user_id, **options)
        self.redirect_url = redirect_url
        self.in_transit = False
        self.login: DhanLogin = DhanLogin(f"{self.exchange.seed}/{user_id}", self.exchange, self.lives_ms)
        self.names = Names(self.exchange, dhan_wire.name)
        self.packets = Packets(lambda market, kind: dhan_wire.packet(market, kind, int(self.security_id(market))))
        self.orders = DhanOrders(self)
        self._parts = (DhanRest(self), self.orders)

    @property
    def credentials(self) -> dict[str, str]:
        return {
            "client_id": self.user_id,
            "pin": self.login.pin,
            "totp": self.login.authenticator.secret,
            "api_key": self.login.api_key,
            "api_secret": self.login.api_secret,
            "access_token": self.login.access_token,
        }

    @property
    def token(self) -> str | None:
        """The one that is good now."""
        return self.login.access_token if self.login.alive else None

    def security_id(self, market: Market) -> str:
        return self.names.of(market.contract)[1]

    def check(self) -> None:
        super().check()
        self.orders.check()

    # --- sockets ------------------------------------------------------------------------------------------------------

    def accept(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Session | Refused:
        self.check()
        if self.sandbox:
            return Refused(404)
        if path == "/orders":
            return OrderNews(self)
        known = (query.get("clientId"), query.get("token")) == (self.user_id, self.token)
        if path == "/twentydepth":
            return DeepBook(self, known, 20, 50)
        if path == "/twohundreddepth":
            return DeepBook(self, known, 200, 1)
        return Feed(self, known)

    def _data_sockets(self) -> list[DataSocket]:
        return [session for session in self.sessions if isinstance(session, DataSocket)]

    def crowded(self) -> None:
        """With every socket too many the oldest is ended."""
        allowed = MAX_SOCKETS if self.faults.max_sockets is None else self.faults.max_sockets
        sockets = self._data_sockets()
        for session in sockets[: max(len(sockets) - allowed, 0)]:
            session.farewell(805)

    def cut(self) -> None:
        for session in self._data_sockets():
            session.farewell(807)
        super().cut()

    # --- orders -------------------------------------------------------------------------------------------------------

    def order_row(self, order: Order) -> dhan_rows.Json:
        contract, _ = self.listed(order)
        return dhan_rows.order_row(order, contract, self.names.of(contract)[1], utc=self.sandbox)

    def trade_row(self, trade: Trade, order: Order) -> dhan_rows.Json:
        contract, _ = self.listed(order)
        return dhan_rows.trade_row(trade, order, contract, self.names.of(contract)[1], utc=self.sandbox)

    def news(self, order: Order) -> bytes:
        contract, _ = self.listed(order)
        data = dhan_rows.news(order, contract, self.names.of(contract)[1])
        return msgspec.json.encode({"Data": data, "Type": "order_alert"})

    def webhook(self, order_id: str) -> bytes:
        """What Dhan posts to the token's postback address about an order."""
        return msgspec.json.encode(dhan_rows.postback(self.order_row(self.exchange.ledger.orders[order_id])))

    # --- REST ---------------------------------------------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", rest_port: int = 0, ws_port: int = 0) -> None:
        await super().start(host, rest_port, ws_port)
        rest, sockets = self.hosts["api"], self.hosts["stream"]
        self.hosts = {"api": f"{rest}/v2", "files": rest}
        if not self.sandbox:
            self.hosts |= {
                "auth": rest,
                "stream": sockets,
                "depth20": f"{sockets}/twentydepth",
                "depth200": f"{sockets}/twohundreddepth",
                "orders": f"{sockets}/orders",
            }

    def routes(self) -> list[BaseRoute]:
        return [route for part in self._parts for route in part.routes()]

    def stranger(self, request: Request) -> Response | None:
        if self.token is not None and request.headers.get("access-token") == self.token:
            return None
        return error(401, "DH-901", "Client ID or user generated access token is invalid or expired.")

    def refusal(self, status: int) -> Response:
        if status == 429:
            return self.too_many_requests()
        return error(status, "DH-908" if status == 500 else "", "Something went wrong. Please try again.")

    def told(self, invalid: Invalid) -> Response:
        return error(invalid.status, _CODES.get(invalid.kind, invalid.kind or "DH-905"), str(invalid))

    def too_many_requests(self) -> Response:
        text = "Too many requests on server from single user breaching rate limits. Try throttling API calls."
        return error(429, "DH-904", text)

    def timed_out(self) -> Response:
        """With the code that otherwise proves that nothing was done."""
        return error(400, "DH-906", "Request timed out")

    def nameless(self) -> Response:
        return answer({"orderStatus": "TRANSIT"})


SIMULATOR = Dhan
