"""The brokers of the Noren family as their clients see them: one socket here, REST next door. What differs between them
stands in `noren_kinds`."""

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from . import noren_rows, noren_wire
from .app_login import AppLogin
from .exchange import Exchange
from .listing import Contract
from .market import Market
from .naming import Names, Packets
from .noren_forms import failed, success
from .noren_kinds import KINDS, Kind
from .noren_orders import NorenOrders
from .noren_rest import NorenRest
from .orders import Order
from .retail import Handler, Invalid, Retail
from .session import Refused, Session

START, STOP = {"t": "tk", "d": "dk"}, {"u": "t", "ud": "d"}
MAX_SOCKETS = 2
"""One is promised; programs of today use two."""
ACKS = {"a": ("accesstoken", "ak"), "c": ("susertoken", "ck")}
"""Logins of the two generations: where the token stands, and how they are answered."""

Name = tuple[str, str]


class Feed(Session):
    """One client's socket. The terms of a subscription are its tasks, and what was told of each last."""

    simulator: "Noren"
    hears_of_orders = False
    logged_in = False

    def received(self, text: bytes) -> None:
        try:
            message = msgspec.json.decode(text, type=dict[str, str])
            task = message["t"]
        except (msgspec.DecodeError, KeyError):
            return
        kind = self.simulator.kind
        if task in ACKS:
            self._log_in(message, *ACKS[task])
        elif task == "h" and kind.acknowledges:
            self._tell({"t": "hk", "ft": str(self.simulator.exchange.now_ms // 1000)})
        elif not self.logged_in or self.simulator.faults.swallow_subscriptions:
            return
        elif task == "o":
            self.hears_of_orders = True
            self._tell({"t": "ok"})
        elif task in START:
            for market in self._named(message):
                self._start(market, task)
        elif task in STOP:
            for market in self._named(message):
                self._stop(market, STOP[task])
            self._tell({"t": f"{task}k", "k": message.get("k", "")})

    def _log_in(self, message: dict[str, str], field: str, answer: str) -> None:
        simulator = self.simulator
        token = message.get(field) == simulator.login.access_token
        self.logged_in = token and simulator.login.alive and message.get("uid") == simulator.user_id
        self.hears_of_orders = self.logged_in and simulator.kind.tells_orders
        self._tell({"t": answer, "uid": message.get("uid", ""), "s": "OK" if self.logged_in else "Not_Ok"})

    def _named(self, message: dict[str, str]) -> list[Market]:
        names = (name.partition("|") for name in message.get("k", "").split("#"))
        return [market for code, _, token in names if (market := self.simulator.names.find((code, token))) is not None]

    def _start(self, market: Market, task: str) -> None:
        told = self.simulator.packets.get(market, task)
        self.subscribe(market, {**self.subscriptions.get(market, {}), task: told})
        self._tell({"t": START[task], **told})

    def _stop(self, market: Market, task: str) -> None:
        left = {other: told for other, told in self.subscriptions.get(market, {}).items() if other != task}
        if left:
            self.subscribe(market, left)
        else:
            self.unsubscribe(market)

    def moved(self, markets: list[Market]) -> None:
        """Tell what changed, and nothing else."""
        for market in markets:
            for task, before in (self.subscriptions.get(market) or {}).items():
                now = self.simulator.packets.get(market, task)
                changed = {name: text for name, text in now.items() if before.get(name) != text}
                if changed:
                    self.subscriptions[market][task] = now
                    self._tell({"t": f"{task}f", "e": now["e"], "tk": now["tk"], **changed})

    def _tell(self, message: dict[str, str]) -> None:
        self.send_text(msgspec.json.encode(message))


class Noren(Retail):
    """One app of one user."""

    kind: ClassVar[Kind]
    login: AppLogin

    def __init__(self, exchange: Exchange | None = None, *, user_id: str = "FA12345", **options: Any) -> None:
        super().__init__(exchange, user_id=user_id, **options)
        self.login = AppLogin(f"{self.exchange.seed}/{user_id}", lambda: self.exchange.now_ms)
        self.refresh_token = self.login.secret(32)
        self.names: Names[Name] = Names(self.exchange, self._name)
        self.symbols: Names[Name] = Names(self.exchange, self._symbol)
        self.packets = Packets(lambda market, task: noren_wire.frame(market, self.token(market), task))
        self.orders = NorenOrders(self)
        self._parts = (NorenRest(self), self.orders)

    @property
    def credentials(self) -> dict[str, str]:
        login = self.login
        told = {
            "user_id": self.user_id,
            "api_key": login.api_key,
            "api_secret": login.api_secret,
            "access_token": login.access_token,
        }
        return told | ({"refresh_token": self.refresh_token} if self.kind.renews else {})

    def _name(self, contract: Contract, number: int) -> Name | None:
        return (noren_wire.code(contract), str(number)) if self.lists(contract) else None

    def _symbol(self, contract: Contract, number: int) -> Name | None:
        return (noren_wire.code(contract), noren_wire.tradingsymbol(contract)) if self.lists(contract) else None

    def lists(self, contract: Contract) -> bool:
        return any(contract.exchange.value.removesuffix("_INDEX") == each.value for each in self.kind.exchanges)

    def token(self, market: Market) -> str:
        return self.names.of(market.contract)[1]

    # --- sockets ------------------------------------------------------------------------------------------------------

    def accept(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Session | Refused:
        """Who somebody is comes with the first message."""
        self.check()
        if path.strip("/") != self.kind.socket:
            return Refused(404)
        allowed = MAX_SOCKETS if self.faults.max_sockets is None else self.faults.max_sockets
        return Refused(429) if len(self.sessions) >= allowed else Feed(self)

    # --- orders -------------------------------------------------------------------------------------------------------

    def order_row(self, order: Order) -> noren_rows.Row:
        contract, _ = self.listed(order)
        return noren_rows.order_row(order, contract, self.names.of(contract)[1], self.user_id)

    def news(self, order: Order) -> bytes:
        contract, _ = self.listed(order)
        token = self.names.of(contract)[1]
        return msgspec.json.encode(noren_rows.news(order, contract, token, self.user_id, self.kind.product))

    def webhook(self, order_id: str) -> bytes:
        """What Flattrade posts to the app's address about an order."""
        row = self.order_row(self.exchange.ledger.orders[order_id])
        signed = f"{row['norenordno']}{row['norentm']}{self.login.api_secret}"
        return msgspec.json.encode(noren_rows.webhook(row, hashlib.sha256(signed.encode()).hexdigest()))

    def check(self) -> None:
        super().check()
        self.orders.triggers.check()

    def short_of(self, required: float, available: float) -> str:
        return f"RED:Margin Shortfall:INR {required - available:.2f} Available:INR {available:.2f} for C-{self.user_id}"

    # --- REST ---------------------------------------------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", rest_port: int = 0, ws_port: int = 0) -> None:
        await super().start(host, rest_port, ws_port)
        rest, sockets = self.hosts["api"], self.hosts["stream"]
        page = "/OAuthlogin/authorize/oauth" if self.kind.login == "oauth" else "/login"
        self.hosts = {
            "api": f"{rest}/{self.kind.root}",
            "login": rest + page,
            "files": rest,
            "stream": f"{sockets}/{self.kind.socket}/",
        } | ({"token": rest} if self.kind.login == "pi" else {})

    def routes(self) -> list[BaseRoute]:
        routes = [route for part in self._parts for route in part.routes()]
        lacking = {f"/{self.kind.root}/{name}" for name in self.kind.lacks}
        return [route for route in routes if getattr(route, "path", "") not in lacking]

    def signed(self, handler: Handler, lane: str = "default") -> Handler:
        """The session may stand in the body, so that comes first."""
        inner = super().signed(handler, "default" if self.kind.shared else lane)

        async def answer(request: Request) -> Response:
            request.state.body = await request.body()
            return await inner(request)

        return answer

    def stranger(self, request: Request) -> Response | None:
        path, kind, login = request.url.path, self.kind, self.login
        body = cast(bytes, request.state.body)
        way = kind.charts if path.endswith(("/TPSeries", "/EODChartData")) else kind.body
        if way == "jkey":
            token = body.partition(b"&jKey=")[2].decode("utf-8", "replace")
        else:
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token == login.access_token and login.alive:
            return None
        return failed("Session Expired :  Invalid Session Key")

    def told(self, invalid: Invalid) -> Response:
        return failed(str(invalid))

    def too_many_requests(self) -> Response:
        if not self.kind.wordy:
            return self.refusal(429)
        return failed("Invalid Input :  Order Recieved 11 in a current second exceeds Limit 10 for user")

    def refusal(self, status: int) -> Response:
        """An OMS that is down has a gateway before it that says so in HTML."""
        if status in (401, 403):
            return failed("Session Expired :  Invalid Session Key", status)
        return HTMLResponse(f"<html><body>{status}</body></html>", status)

    def timed_out(self) -> Response:
        return failed("Rejected : ORA:Order not found: Server Timeout :  ", 400)

    def nameless(self) -> Response:
        return success(self.exchange.now_ms)


def simulated(kind: Kind) -> type[Noren]:
    """The simulator of one broker of the family."""
    return type(kind.name.title(), (Noren,), {"kind": kind, "name": kind.name, "limits_of": kind.limits})


SIMULATORS = tuple(simulated(kind) for kind in KINDS.values())
