"""Symphony XTS as its clients see it: both sockets here, REST next door. Each installation is a row of `VARIANTS`."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

from picows import WSTransport
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from sangam.model.enums import Exchange as Code

from . import xts_rows, xts_wire
from .app_login import AppLogin
from .exchange import Exchange
from .market import Market
from .naming import Names, Packets
from .orders import Order
from .quota import Rows
from .retail import Invalid, Retail
from .session import Refused, Session
from .xts_orders import XtsOrders
from .xts_rest import INTERACTIVE, XtsRest, failure, success

BOTH = frozenset({Code.NSE, Code.BSE, Code.NFO, Code.BFO, Code.NSE_INDEX, Code.BSE_INDEX})
MORE = BOTH | {Code.MCX}
ALL = MORE | {Code.CDS}


class Variant(NamedTuple):
    """One installation.

    `prefix` is where market data is served, as JSON or in packets with quantities of 32 (`narrow`) or 64 bits (`wide`).
    `way` is how a session begins, `lookup` whether the host is looked up first. `symbols` is how many instruments one
    may subscribe. The rest are habits: ISO times, an error for an empty book, positions without a name around them."""

    name: str
    prefix: str = "/apimarketdata"
    wire: Literal["json", "narrow", "wide"] = "json"
    way: Literal["keys", "token exchange", "page session"] = "keys"
    lookup: bool = False
    exchanges: frozenset[Code] = ALL
    symbols: int = 500
    margin: bool = False
    iso: bool = False
    empty_by_error: bool = False
    bare_positions: bool = False


VARIANTS = (
    Variant("fivepaisaxts", exchanges=BOTH),
    Variant("compositedge", way="token exchange"),
    Variant("ibulls", prefix="/apibinarymarketdata", wire="narrow", exchanges=MORE),
    Variant("iifl", empty_by_error=True),
    Variant("wisdom", margin=True),
    Variant("jainamxts", prefix="/apibinarymarketdata", wire="wide", exchanges=BOTH, empty_by_error=True, iso=True),
    Variant("rmoney", way="page session", lookup=True, exchanges=BOTH, symbols=50, margin=True, iso=True,
            bare_positions=True),
)  # fmt: skip


class Line(Session):
    """One Engine.IO 3 connection: the server opens, the client pings."""

    simulator: "Xts"

    def on_ws_connected(self, transport: WSTransport) -> None:
        super().on_ws_connected(transport)
        sid = self.simulator.login.secret(20)
        self.send_text(xts_wire.opening(sid, self.simulator.ping_ms))
        self.send_text(xts_wire.CONNECTED)
        self.send_text(xts_wire.joined(sid))

    def received(self, text: bytes) -> None:
        if text[:1] == b"2":
            self.send_text(b"3" + text[1:])
        elif text in (b"1", b"41"):
            self.close()


class OrderNews(Line):
    """An interactive socket."""


class Feed(Line):
    """A market data socket: it tells what the session has subscribed. The terms of a subscription are its codes."""

    hears_of_orders = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        super().on_ws_connected(transport)
        self.send_text(xts_wire.event("1105-json-partial", "t:12_2201,87:-7.75,88:12.90"))
        for market, codes in self.simulator.subscribed.items():
            self.subscribe(market, codes)

    def moved(self, markets: list[Market]) -> None:
        for market in markets:
            for code in self.subscriptions.get(market, ()):
                for frame in self.simulator.packets.get(market, code):
                    self.send_text(frame.text)
                    if frame.attachment:
                        self.send_binary(frame.attachment)


class Stranger(Line):
    """Who comes without a session is told so as soon as it is there."""

    hears_of_orders = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        super(Line, self).on_ws_connected(transport)
        self.send_text(xts_wire.opening("x", self.simulator.ping_ms))
        self.send_text(b'44"Authentication error"')
        self.close()


class Xts(Retail):
    """Two apps of one user: one for orders (`login`), one for market data (`market_login`). Either's session ends when
    somebody logs in with its keys again; subscriptions belong to the session."""

    variant: ClassVar[Variant]
    limits_of: ClassVar[Rows] = {
        "orders": ((10, 1.0),),
        "history": ((1, 1.0),),
        **dict.fromkeys(("quotes", "subscriptions", "books", "margin"), ((10, 1.0),)),
        "default": ((40, 1.0),),
    }

    def __init__(self, exchange: Exchange | None = None, *, user_id: str = "XTS001", **options: Any) -> None:
        super().__init__(exchange, user_id=user_id, **options)
        seed = f"{self.exchange.seed}/{user_id}"
        self.login = AppLogin(seed, lambda: self.exchange.now_ms)
        self.market_login = AppLogin(f"{seed}/market", lambda: self.exchange.now_ms)
        self.unique_key = self.login.secret(40)
        self.names: Names[xts_wire.Name] = Names(self.exchange, self._name)
        self.packets: Packets[list[xts_wire.Frame]] = Packets(self._frames)
        self.subscribed: dict[Market, frozenset[int]] = {}
        self._parts = (XtsRest(self), XtsOrders(self))

    @property
    def ping_ms(self) -> int:
        """What clients are asked to ping by: as often as anything else happens here by itself."""
        return max(1, round(self._heartbeat * 1000))

    @property
    def credentials(self) -> dict[str, str]:
        return {
            "api_key": self.login.api_key,
            "api_secret": self.login.api_secret,
            "market_key": self.market_login.api_key,
            "market_secret": self.market_login.api_secret,
            "access_token": self.login.access_token,
            "feed_token": self.market_login.access_token,
            "user_id": self.user_id,
        }

    # --- sessions -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Another session for orders: the one before hears that it has ended."""
        self.login.begin()
        self._dismiss(OrderNews)

    def begin_data(self) -> None:
        """Another session for market data, without subscriptions."""
        self.market_login.begin()
        self._forget()
        self._dismiss(Feed)

    def new_login(self) -> dict[str, str]:
        self.market_login.begin()
        self._forget()
        return super().new_login()

    def replace_session(self) -> None:
        self.begin()
        self.begin_data()

    def expire_token(self) -> None:
        self.market_login.alive = False
        self._forget()
        super().expire_token()

    def check(self) -> None:
        if self.market_login.outlived:
            self.expire_token()
        super().check()

    def _dismiss(self, kind: type[Session]) -> None:
        for session in list(self.sessions):
            if isinstance(session, kind):
                session.send_text(xts_wire.event("logout", {"description": "Logged in from another place"}))
                session.close()

    def _forget(self) -> None:
        for market in list(self.subscribed):
            self.subscribe(market, frozenset())

    def subscribe(self, market: Market, codes: frozenset[int]) -> None:
        """What the session has of a market from now on."""
        if codes:
            self.subscribed[market] = codes
        else:
            self.subscribed.pop(market, None)
        for session in self.sessions:
            if isinstance(session, Feed):
                session.subscribe(market, codes) if codes else session.unsubscribe(market)

    def stranger(self, request: Request) -> Response | None:
        """The token stands bare in its header."""
        login = self.market_login if request.url.path.startswith(self.variant.prefix) else self.login
        if request.headers.get("authorization") != login.access_token or not login.alive:
            return failure("e-session-0007", "Invalid Token")
        return None

    # --- sockets ------------------------------------------------------------------------------------------------------

    def accept(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Session | Refused:
        self.check()
        where = {f"{self.variant.prefix}/socket.io/": Feed, f"{INTERACTIVE}/socket.io/": OrderNews}
        kind = where.get(path)
        if kind is None or query.get("EIO") != "3" or query.get("transport") != "websocket":
            return Refused(400, b'{"code":0,"message":"Transport unknown"}')
        allowed = 10 if self.faults.max_sockets is None else self.faults.max_sockets
        if sum(isinstance(session, kind) for session in self.sessions) >= allowed:
            return Refused(503)
        login = self.market_login if kind is Feed else self.login
        if not login.alive or query.get("token") != login.access_token or query.get("userID") != self.user_id:
            return Stranger(self)
        return kind(self)

    def _name(self, contract: Any, number: int) -> xts_wire.Name | None:
        if contract.exchange not in self.variant.exchanges:
            return None
        return xts_wire.SEGMENTS[contract.exchange][0], number

    def _frames(self, market: Market, code: int) -> list[xts_wire.Frame]:
        """A book is told as a touchline and as a last price, too, where it comes as JSON."""
        number = self.names.of(market.contract)[1]
        if self.variant.wire == "json":
            codes = (code, xts_wire.TOUCHLINE, xts_wire.LTP) if code == xts_wire.DEPTH else (code,)
            rows = ((each, xts_wire.row(market, number, each)) for each in codes)
            return [xts_wire.Frame(xts_wire.event(f"{each}-json-full", row)) for each, row in rows]
        wide = self.variant.wire == "wide"
        if code == xts_wire.LTP or (wide and code == xts_wire.INTEREST):
            return []  # nobody knows how these are packed
        data = xts_wire.packet(market, number, code, wide, packed=code == xts_wire.DEPTH)
        return [xts_wire.Frame(xts_wire.PACKETS, xts_wire.BINARY_MESSAGE + data)]

    # --- orders -------------------------------------------------------------------------------------------------------

    def order_row(self, order: Order) -> xts_rows.Row:
        contract, number = self.listed(order)
        return xts_rows.order_row(order, contract, number, self.variant.iso)

    def news(self, order: Order) -> bytes:
        return xts_wire.event("order", xts_rows.news_row(self.order_row(order)))

    def ordered(self, order: Order) -> None:
        """A fill is told as a trade and as a position, too."""
        super().ordered(order)
        made = self.exchange.ledger.trades_of(order.order_id)
        if order.owner == self.user_id and made and made[-1].time == order.updated:
            row = xts_rows.news_row(self.order_row(order))
            self.broadcast(xts_wire.event("trade", xts_rows.trade_row(made[-1], row, self.variant.iso)))
            self.broadcast(xts_wire.event("position", {"LoginID": self.user_id, "ProductType": order.product.value}))

    # --- REST ---------------------------------------------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", rest_port: int = 0, ws_port: int = 0) -> None:
        await super().start(host, rest_port, ws_port)
        sockets, rest, data = self.hosts["stream"], self.hosts["api"], self.variant.prefix
        self.hosts |= {"api": rest + INTERACTIVE, "market": rest + data}
        self.hosts |= {"lookup": rest} if self.variant.lookup else {}
        self.hosts |= {"stream": f"{sockets}{data}/socket.io/", "orders": f"{sockets}{INTERACTIVE}/socket.io/"}

    def routes(self) -> list[BaseRoute]:
        return [route for part in self._parts for route in part.routes()]

    def told(self, invalid: Invalid) -> Response:
        return failure("e-property-validation-failed", "Bad Request", [str(invalid)])

    def refusal(self, status: int) -> Response:
        return failure(f"e-http-{status}", "Please try again later", status=status)

    def timed_out(self) -> Response:
        return failure("e-orders-0001", "Bad Request", ["Request timed out"])

    def nameless(self) -> Response:
        return success({})


SIMULATORS: tuple[type[Xts], ...] = tuple(
    type(f"Xts_{row.name}", (Xts,), {"name": row.name, "variant": row}) for row in VARIANTS
)
