"""IIFL Capital as its clients see it: the MQTT feed here, its REST next door.

It is a broker of MQTT itself. Whether the real one keeps the last packet of a topic for who subscribes later is not
documented; this one does."""

import asyncio
from typing import Any, ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from . import iiflcapital_rows, iiflcapital_wire, mqtt
from .exchange import Exchange
from .iiflcapital_login import IiflLogin
from .iiflcapital_orders import IiflOrders
from .iiflcapital_rest import BASE, IiflRest, failure, success
from .listing import Contract
from .market import Market
from .mqtt import Connect, MqttClient
from .naming import Names, Packets
from .orders import Kind, Order
from .quota import Rows
from .retail import Invalid, Retail

MAX_TOPICS = 6000
FEED = "prod/marketfeed/"
NEWS = "prod/updates/"

Name = tuple[str, str]


class Feed(MqttClient):
    """One connection. The terms of a subscription are its topics."""

    simulator: "IiflCapital"

    def admit(self, login: Connect) -> int:
        return self.simulator.admit(login)

    def granted(self, topic: str) -> bool:
        if len(self.topics) >= MAX_TOPICS or topic != topic.lower():
            return False
        if topic in self.simulator.news_topics:
            return True
        if (market := self.simulator.of_topic(topic)) is not None:
            self.subscribe(market, (*self.subscriptions.get(market, ()), topic))
        return topic.startswith(FEED)

    def subscribed(self, topics: list[str]) -> None:
        for topic in topics:
            if (market := self.simulator.of_topic(topic)) is not None:
                self._tell(market, topic, retained=True)

    def left(self, topic: str) -> None:
        if (market := self.simulator.of_topic(topic)) is None:
            return
        if kept := tuple(each for each in self.subscriptions.get(market, ()) if each != topic):
            self.subscribe(market, kept)
        else:
            self.unsubscribe(market)

    def moved(self, markets: list[Market]) -> None:
        for market in markets:
            for topic in self.subscriptions.get(market, ()):
                self._tell(market, topic)

    def _tell(self, market: Market, topic: str, *, retained: bool = False) -> None:
        payload = self.simulator.packets.get(market, topic.split("/")[2])
        if payload:
            self.publish(topic, payload, retained=retained)

    def send_text(self, payload: bytes) -> None:
        self.tell(self.simulator.news_topics[0], payload)

    def tell(self, topic: str, payload: bytes) -> None:
        """News, to whom they interest."""
        if topic in self.topics:
            self.publish(topic, payload)


class IiflCapital(Retail):
    """One app of one user, who logs in on the broker's page."""

    name = "iiflcapital"
    scheme = "tcp"
    limits_of: ClassVar[Rows] = {
        "orders": ((10, 1.0),),
        "logout": ((2, 1.0),),
        **dict.fromkeys(("orderbook", "trades", "positions", "holdings", "profile"), ((3, 1.0),)),
        **dict.fromkeys(("quotes", "depth", "interest", "history", "funds", "margin"), ((10, 1.0),)),
    }
    segments = frozenset(iiflcapital_wire.SEGMENTS.values())

    def __init__(
        self,
        exchange: Exchange | None = None,
        *,
        user_id: str = "31625881",
        short_indices: bool = False,
        **options: Any,
    ) -> None:
        """With `short_indices`, indices come on a topic of their own and in short, as BridgeNode has it, instead of on
        the market's."""
        super().__init__(exchange, user_id=user_id, **options)
        self.login = IiflLogin(f"{self.exchange.seed}/{user_id}", lambda: self.exchange.now_ms, user_id)
        self.short_indices = short_indices
        self.names: Names[Name] = Names(self.exchange, iiflcapital_wire.name)
        self.packets = Packets(self._packet)
        self.news_topics = tuple(f"{NEWS}{kind}/v1/{user_id.lower()}" for kind in ("order", "trade"))
        self._parts = (IiflRest(self), IiflOrders(self))

    login: IiflLogin

    @property
    def credentials(self) -> dict[str, str]:
        login = self.login
        return {"api_key": login.api_key, "api_secret": login.api_secret, "access_token": login.access_token}

    # --- the feed -----------------------------------------------------------------------------------------------------

    async def listen(self, host: str, port: int) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(lambda: Feed(self), host, port)

    def admit(self, login: Connect) -> int:
        """The code of a CONNACK; HTTP statuses of planned refusals are put into MQTT's words."""
        self.check()
        if (status := self.faults.upgrade_status()) is not None:
            return mqtt.NOT_AUTHORISED if status in (401, 403) else mqtt.UNAVAILABLE
        known = (login.username, login.password) == (self.user_id, self.login.feed_password)
        if not known or not self.login.alive:
            return mqtt.NOT_AUTHORISED
        most = self.faults.max_sockets
        return mqtt.ACCEPTED if most is None or len(self.sessions) < most else mqtt.UNAVAILABLE

    def of_topic(self, topic: str) -> Market | None:
        """The market that a topic of the feed is about."""
        parts = topic.split("/")
        if len(parts) != 6 or not topic.startswith(FEED):
            return None
        return self.names.find((parts[4].upper(), parts[5]))

    def _packet(self, market: Market, kind: str) -> bytes:
        """Empty where nothing is told of that kind."""
        if kind == "index":
            return iiflcapital_wire.short_index(market) if market.is_index and self.short_indices else b""
        if kind == "oi":
            return b"" if market.contract.expiry is None else iiflcapital_wire.interest(market)
        if kind == "mw" and not (market.is_index and self.short_indices):
            return iiflcapital_wire.packet(market)
        return b""

    # --- orders -------------------------------------------------------------------------------------------------------

    def named(self, order: Order) -> tuple[Contract, Name]:
        contract, _ = self.listed(order)
        return contract, self.names.of(contract)

    def order_row(self, order: Order) -> iiflcapital_rows.Row:
        return iiflcapital_rows.order_row(order, *self.named(order), self.user_id)

    def news(self, order: Order) -> bytes:
        return msgspec.json.encode(iiflcapital_rows.order_news(self.order_row(order), order))

    def ordered(self, order: Order) -> None:
        """A fill is told as a trade, too."""
        super().ordered(order)
        ledger = self.exchange.ledger
        filled = order.owner == self.user_id and ledger.history(order.order_id)[-1].kind is Kind.FILLED
        if not filled or self.faults.orders.drop_updates:
            return
        trade = ledger.trades_of(order.order_id)[-1]
        told = iiflcapital_rows.trade_news(trade, order, *self.named(order), self.user_id)
        for session in list(self.sessions):
            if isinstance(session, Feed):
                session.tell(self.news_topics[1], msgspec.json.encode(told))

    def short_of(self, required: float, available: float) -> str:
        return f"RMS:Margin Exceeds,Required:{required:.2f}, Available:{available:.2f}"

    # --- REST ---------------------------------------------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", rest_port: int = 0, ws_port: int = 0) -> None:
        await super().start(host, rest_port, ws_port)
        rest = self.hosts["api"]
        self.hosts |= {"api": f"{rest}{BASE}", "login": rest}

    def routes(self) -> list[BaseRoute]:
        return [route for part in self._parts for route in part.routes()]

    def found(self, named: dict[str, Any]) -> Market | None:
        """What a form names by segment and id."""
        return self.names.find((str(named.get("exchange")), str(named.get("instrumentId"))))

    def stranger(self, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        known = scheme == "Bearer" and token == self.login.access_token and self.login.alive
        return None if known else failure("EC044", "Invalid token", 401)

    def told(self, invalid: Invalid) -> Response:
        return failure(invalid.kind or "Not_Ok", str(invalid))

    def refusal(self, status: int) -> Response:
        if status == 401:
            return failure("EC044", "Invalid token", 401)
        return failure("Not_Ok", "Something went wrong", status)

    def timed_out(self) -> Response:
        return failure("EC903", "Request timed out")

    def nameless(self) -> Response:
        return success([{"status": "Success", "message": "Success"}])


SIMULATOR = IiflCapital
