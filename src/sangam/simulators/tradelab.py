"""A broker on the Tradelab platform as its clients see it: the socket here, its REST next door. Each such broker is a
`Variant` in a file of its own."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from . import tradelab_rows, tradelab_wire
from .exchange import Exchange
from .listing import Contract
from .market import Market
from .naming import Names, Packets
from .orders import Order
from .quota import Rows
from .retail import Handler, Invalid, Retail
from .session import Refused, Session
from .tradelab_orders import TradelabOrders
from .tradelab_rest import INPUT, INSIDE, LIMITS, UNAUTHORISED, TradelabLogin, TradelabRest, error, success

MAX_SOCKETS = 3
PATH = "/ws/v1/feeds"
ORDER_NEWS, TRADE_NEWS = 50, 51


class Feed(Session):
    """One socket. The terms of a subscription are its topics."""

    simulator: "Tradelab"
    hears_of_orders = False

    def received(self, text: bytes) -> None:
        """What is not understood is not answered; neither is a heartbeat."""
        try:
            message = msgspec.json.decode(text)
            action, topic, values = message["a"], message["m"], message["v"]
            if topic == "updates":
                self.hears_of_orders = action == "subscribe" and values[0] == self.simulator.user_id
            elif topic in tradelab_wire.MODES and not self.simulator.faults.swallow_subscriptions:
                markets = [self.simulator.on_feed(int(code), int(token)) for code, token in values]
                self._obey(action, topic, [market for market in markets if market is not None])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, IndexError):
            return

    def _obey(self, action: str, topic: str, markets: list[Market]) -> None:
        for market in markets:
            topics = tuple(each for each in self.subscriptions.get(market, ()) if each != topic)
            if action == "subscribe":
                self.subscribe(market, (*topics, topic))
                self.send_binary(self.simulator.packets.get(market, topic))
            elif topics:
                self.subscribe(market, topics)
            else:
                self.unsubscribe(market)

    def moved(self, markets: list[Market]) -> None:
        for market in markets:
            for topic in self.subscriptions.get(market, ()):
                self.send_binary(self.simulator.packets.get(market, topic))


class Tradelab(Retail):
    """One app of one user; the session dies at midnight."""

    limits_of: ClassVar[Rows] = LIMITS
    variant: ClassVar[tradelab_rows.Variant]
    login: TradelabLogin

    def __init__(
        self,
        exchange: Exchange | None = None,
        *,
        user_id: str = "YG1234",
        redirect_uri: str = "http://127.0.0.1:5000/callback",
        **options: object,
    ) -> None:
        """`redirect_uri` is the address registered with the app, where the login page sends the browser."""
        super().__init__(exchange, user_id=user_id, **options)  # type: ignore[arg-type]
        self.login = TradelabLogin(f"{self.exchange.seed}/{user_id}", lambda: self.exchange.now_ms, redirect_uri)
        self.names = Names(self.exchange, self._name)
        self.packets = Packets(lambda market, topic: tradelab_wire.packet(market, self._token(market), topic))
        self._trades = 0
        self._parts = (TradelabRest(self), TradelabOrders(self))

    @property
    def credentials(self) -> dict[str, str]:
        login = self.login
        channel = {"channel_secret": login.channel_secret, "totp": login.authenticator.secret}
        return {
            "client_id": self.user_id,
            "api_key": login.api_key,
            "api_secret": login.api_secret,
            "redirect_uri": login.redirect_uri,
            "access_token": login.access_token,
            **(channel if self.variant.channel else {}),
        }

    # --- instruments --------------------------------------------------------------------------------------------------

    def _name(self, contract: Contract, number: int) -> tuple[str, int] | None:
        if contract.exchange not in self.variant.exchanges:
            return None
        return tradelab_wire.exchange_name(contract), number

    def _token(self, market: Market) -> int:
        return self.names.of(market.contract)[1]

    def find(self, exchange: str, token: int) -> Market | None:
        return self.names.find((exchange, token))

    def on_feed(self, code: int, token: int) -> Market | None:
        name = next((name for name, number in tradelab_wire.EXCHANGE_CODES.items() if number == code), "")
        return self.find(name, token)

    # --- the socket ---------------------------------------------------------------------------------------------------

    def accept(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Session | Refused:
        self.check()
        tokens = {self.login.access_token, self.login.channel_token} - {""}
        known = query.get("login_id") == self.user_id and query.get("access_token") in tokens
        if path != PATH:
            return Refused(404)
        if not (known and self.login.alive):
            return Refused(401)
        allowed = MAX_SOCKETS if self.faults.max_sockets is None else self.faults.max_sockets
        return Refused(429) if len(self.sessions) >= allowed else Feed(self)

    def broadcast(self, text: bytes) -> None:
        """News come as binary frames."""
        for session in list(self.sessions):
            if isinstance(session, Session) and session.hears_of_orders:
                session.send_binary(text)

    def ordered(self, order: Order) -> None:
        """Fills are told twice: as the order's news, and as trades."""
        super().ordered(order)
        told, self._trades = self._trades, len(self.exchange.ledger.trades)
        for trade in self.exchange.ledger.trades[told:]:
            if (of := self.order(trade.order_id)) is not None:
                row = tradelab_rows.trade_row(trade, of, *self.listed(of))
                self.broadcast(tradelab_wire.order_frame(TRADE_NEWS, msgspec.json.encode(row)))

    def order_row(self, order: Order) -> tradelab_rows.Row:
        return tradelab_rows.order_row(order, *self.listed(order), self.variant)

    def news(self, order: Order) -> bytes:
        return tradelab_wire.order_frame(ORDER_NEWS, msgspec.json.encode(self.order_row(order)))

    # --- REST ---------------------------------------------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", rest_port: int = 0, ws_port: int = 0) -> None:
        await super().start(host, rest_port, ws_port)
        if self.variant.channel:
            self.hosts |= {"channel": self.hosts["api"], "channel_stream": self.hosts["stream"]}

    def routes(self) -> list[BaseRoute]:
        return [route for part in self._parts for route in part.routes()]

    def stranger(self, request: Request) -> Response | None:
        return None if self.login.knows(request) else error(401, UNAUTHORISED, "Request Unauthorised")

    def of_client(self, handler: Handler) -> Handler:
        """A handler that must be told whose account is meant."""

        async def answer(request: Request) -> Response:
            if request.query_params.get("client_id") != self.user_id:
                raise Invalid("`client_id` is invalid")
            return await handler(request)

        return answer

    def refusal(self, status: int) -> Response:
        if status == 401:
            return error(401, UNAUTHORISED, "Request Unauthorised")
        return error(status, INSIDE, "Too many requests" if status == 429 else "Something went wrong")

    def told(self, invalid: Invalid) -> Response:
        return error(invalid.status, INPUT, str(invalid))

    def short_of(self, required: float, available: float) -> str:
        return f"RMS:Margin Exceeds,Required:{required:.2f}, Available:{available:.2f} for entity account."

    def timed_out(self) -> Response:
        """Under the code that otherwise says that a field was wrong."""
        return error(400, INPUT, "Request timed out")

    def nameless(self) -> Response:
        return success({"message": "Order place successfully"})
