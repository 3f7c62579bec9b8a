"""Angel One as its clients see it: the feed and the order socket here, its REST next door."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from picows import WSTransport
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from . import angel_rows, angel_wire
from .angel_login import AngelLogin
from .angel_orders import AngelOrders
from .angel_rest import AngelRest, failure, gateway_failure, success
from .exchange import Exchange
from .market import Market
from .naming import Names, Packets
from .orders import Order
from .quota import Rows
from .retail import Invalid, Retail
from .session import Refused, Session

MAX_SUBSCRIPTIONS = 1000
MAX_DEEP = 50
MAX_SOCKETS = 3
PING, PONG = b"ping", b"pong"

Name = tuple[str, str]


class Feed(Session):
    """One socket of the feed. The terms of a subscription are its modes: each of them counts, and is told."""

    simulator: "Angel"
    hears_of_orders = False

    def received(self, text: bytes) -> None:
        if text == PING:
            self.send_text(PONG)
        elif not self.simulator.faults.swallow_subscriptions:
            number = ""
            try:
                message = msgspec.json.decode(text)
                number = message.get("correlationID", "")
                self._obey(message["action"], message["params"])
            except _FullError:
                self._refuse(number, "E1002", "Invalid Request. Subscription Limit Exceeded")
            except (msgspec.DecodeError, AttributeError, KeyError, TypeError, ValueError):
                self._refuse(number, "E1001", "Invalid Request Payload.")

    def _refuse(self, number: str, code: str, text: str) -> None:
        self.send_text(msgspec.json.encode({"correlationID": number, "errorCode": code, "errorMessage": text}))

    def _obey(self, action: int, params: dict[str, Any]) -> None:
        mode = params["mode"]
        asked = [(kind["exchangeType"], token) for kind in params["tokenList"] for token in kind["tokens"]]
        if action not in (0, 1) or mode not in (1, 2, 3, 4) or not all(isinstance(token, str) for _, token in asked):
            raise ValueError(params)
        if mode == angel_wire.DEPTH20 and any(kind != 1 for kind, _ in asked):
            raise ValueError(params)
        found = [market for kind, token in asked if (market := self.simulator.on_feed(kind, token)) is not None]
        if action == 1:
            self._add(found, mode)
        else:
            self._leave(found, mode)

    def _add(self, found: list[Market], mode: int) -> None:
        added = [market for market in found if mode not in self.subscriptions.get(market, ())]
        if self._counted() + len(added) > MAX_SUBSCRIPTIONS:
            raise _FullError
        if mode == angel_wire.DEPTH20 and self._counted(mode) + len(added) > MAX_DEEP:
            raise _FullError
        for market in added:
            if mode == angel_wire.DEPTH20:
                market.deepen(20)
            self.subscribe(market, (*self.subscriptions.get(market, ()), mode))
            self._tell(market, mode)

    def _leave(self, found: list[Market], mode: int) -> None:
        for market in found:
            left = tuple(each for each in self.subscriptions.get(market, ()) if each != mode)
            if left:
                self.subscribe(market, left)
            else:
                self.unsubscribe(market)

    def _counted(self, mode: int | None = None) -> int:
        return sum(len(modes) if mode is None else mode in modes for modes in self.subscriptions.values())

    def moved(self, markets: list[Market]) -> None:
        for market in markets:
            for mode in self.subscriptions.get(market, ()):
                self._tell(market, mode)

    def _tell(self, market: Market, mode: int) -> None:
        self.send_binary(self.simulator.packets.get(market, mode))


class _FullError(Exception):
    """More subscriptions than a socket may have."""


class OrderNews(Session):
    """One order socket: greeted once, then told of every change."""

    simulator: "Angel"

    def on_ws_connected(self, transport: WSTransport) -> None:
        super().on_ws_connected(transport)
        self.send_text(msgspec.json.encode(angel_rows.news(self.simulator.user_id, "AB00", angel_rows.GREETING)))

    def received(self, text: bytes) -> None:
        if text == PING:
            self.send_text(PONG)


class Angel(Retail):
    """One app (api key) of one user, who logs in with a PIN and an authenticator, or on the publisher's page."""

    name = "angel"
    limits_of: ClassVar[Rows] = {
        "login": ((1, 1.0),),
        "profile": ((3, 1.0), (1000, 3600.0)),
        "funds": ((2, 1.0),),
        "orders": ((9, 1.0), (500, 60.0), (1000, 3600.0)),
        "gtt": ((9, 1.0), (500, 60.0), (5000, 3600.0)),
        "history": ((3, 1.0), (180, 60.0), (5000, 3600.0)),
        **dict.fromkeys(("orderbook", "tradebook", "positions", "holdings", "search"), ((1, 1.0),)),
        **dict.fromkeys(("quote", "margin", "rules", "convert", "details"), ((10, 1.0), (500, 60.0), (5000, 3600.0))),
    }

    def __init__(self, exchange: Exchange | None = None, *, user_id: str = "A123456", **options: Any) -> None:
        super().__init__(exchange, user_id=user_id, **options)
        self.login = AngelLogin(f"{self.exchange.seed}/{user_id}", lambda: self.exchange.now_ms)
        self.names: Names[Name] = Names(self.exchange, angel_wire.name)
        self.packets = Packets(self._packet)
        rest = AngelRest(self)
        self.orders = AngelOrders(self)
        self._parts = (rest, self.orders)

    login: AngelLogin

    @property
    def credentials(self) -> dict[str, str]:
        login = self.login
        return {
            "api_key": login.api_key,
            "client_code": self.user_id,
            "pin": login.pin,
            "totp": login.authenticator.secret,
            "access_token": login.access_token,
            "feed_token": login.feed_token,
            "refresh_token": login.refresh_token,
        }

    # --- sockets ------------------------------------------------------------------------------------------------------

    def accept(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Session | Refused:
        self.check()
        login, kind = self.login, OrderNews if path.endswith("/smart-order-update") else Feed
        jwt = headers.get("authorization", "").removeprefix("Bearer ")
        if kind is Feed:
            told = (headers.get("x-client-code"), headers.get("x-feed-token"), headers.get("x-api-key"))
            if query:
                told, jwt = (query.get("clientCode"), query.get("feedToken"), query.get("apiKey")), login.access_token
            wanted = (self.user_id, login.feed_token, login.api_key)
            if not login.alive or jwt != login.access_token or told != wanted:
                return Refused(401, b"Invalid Header - Invalid Auth token")
        elif jwt != login.access_token:
            return Refused(401)
        elif not login.alive:
            return Refused(403)
        allowed = MAX_SOCKETS if self.faults.max_sockets is None else self.faults.max_sockets
        if sum(isinstance(session, kind) for session in self.sessions) >= allowed:
            return Refused(429)
        return kind(self)

    def on_feed(self, kind: int, token: str) -> Market | None:
        """The market of a token in a segment of the feed."""
        return next(
            (
                market
                for code, number in angel_wire.EXCHANGE_TYPES.items()
                if number == kind
                and (market := self.names.find((code.value.removesuffix("_INDEX"), token))) is not None
            ),
            None,
        )

    def _packet(self, market: Market, mode: int) -> bytes:
        return angel_wire.packet(market, self.token(market), mode)

    def token(self, market: Market) -> str:
        return self.names.of(market.contract)[1]

    # --- orders -------------------------------------------------------------------------------------------------------

    def order_row(self, order: Order) -> angel_rows.Row:
        contract, _ = self.listed(order)
        return angel_rows.order_row(order, contract, self.names.of(contract)[1])

    def news(self, order: Order) -> bytes:
        return msgspec.json.encode(angel_rows.news(self.user_id, angel_rows.code(order), self.order_row(order)))

    def webhook(self, order_id: str) -> bytes:
        """What Angel posts to the app's address about an order; nothing signs it."""
        row = self.order_row(self.exchange.ledger.orders[order_id])
        return msgspec.json.encode(row | {"clientcode": self.user_id})

    def check(self) -> None:
        super().check()
        self.orders.triggers.check()

    # --- REST ---------------------------------------------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", rest_port: int = 0, ws_port: int = 0) -> None:
        await super().start(host, rest_port, ws_port)
        sockets, rest = self.hosts["stream"], self.hosts["api"]
        self.hosts |= {"login": rest, "files": rest}
        self.hosts |= {"stream": f"{sockets}/smart-stream", "orders": f"{sockets}/smart-order-update"}

    def routes(self) -> list[BaseRoute]:
        return [route for part in self._parts for route in part.routes()]

    def stranger(self, request: Request) -> Response | None:
        headers, login = request.headers, self.login
        scheme, _, jwt = headers.get("authorization", "").partition(" ")
        if headers.get("x-privatekey") != login.api_key:
            return gateway_failure("AG8004", "Invalid API Key")
        if scheme != "Bearer":
            return gateway_failure("AG8003", "Token missing")
        if jwt != login.access_token:
            return gateway_failure("AG8001", "Invalid Token")
        return None if login.alive else gateway_failure("AG8002", "Token Expired")

    def told(self, invalid: Invalid) -> Response:
        """Errors of the desk come with HTTP 200; `refuses_early` is of no Angel, but if it were, it would be like
        this."""
        code = invalid.kind if invalid.kind.startswith("AB") else "AB2000"
        return failure(code, str(invalid))

    def refusal(self, status: int) -> Response:
        """Who asks too often is told so in plain words, with HTTP 403."""
        if status in (403, 429):
            return PlainTextResponse("Access denied because of exceeding access rate", 403)
        if status == 401:
            return gateway_failure("AG8001", "Invalid Token", 401)
        return failure("AB1004", "Something Went Wrong, Please Try After Sometime", status)

    def timed_out(self) -> Response:
        return failure("AB1008", "Request timed out. Check the order book.")

    def nameless(self) -> Response:
        return success({"script": "SBIN-EQ"})


SIMULATOR = Angel
