"""Fyers as its clients see it: the app, its sockets and its answers; the rest is next door."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from . import fyers_rows, fyers_wire
from .exchange import Exchange
from .fyers_gtt import FyersGtt
from .fyers_orders import FyersOrders
from .fyers_rest import LIMITS, FyersLogin, FyersRest, error, refusal, success, told
from .fyers_sockets import Hsm, Orders, Tbt
from .market import Market
from .naming import Names
from .orders import Order
from .retail import Invalid, Retail
from .session import Refused, Session

SOCKETS: dict[str, tuple[str, type[Hsm | Tbt | Orders], int]] = {
    "/hsm/v1-5/prod": ("hsm", Hsm, 3),
    "/versova": ("tbt", Tbt, 3),
    "/trade/v3": ("orders", Orders, 3),
}
"""By path: the row of the broker's host table, and how many sockets of that kind are let in (Fyers says it of TBT)."""


class Fyers(Retail):
    """The session dies at 06:00 IST of the exchange's clock, as its token says."""

    name = "fyers"
    limits_of = LIMITS

    def __init__(
        self,
        exchange: Exchange | None = None,
        *,
        user_id: str = "XY01234",
        renewable: bool = False,
        pin: str = "1234",
        plan: int = 5000,
        **options: Any,
    ) -> None:
        """`renewable` apps may trade refresh tokens; `plan` is how many topics the user may subscribe."""
        super().__init__(exchange, user_id=user_id, **options)
        self.plan = plan
        self.login: FyersLogin = FyersLogin(
            f"{self.exchange.seed}/{user_id}", lambda: self.exchange.now_ms, user_id, renewable=renewable, pin=pin
        )
        self.tickers = Names(self.exchange, fyers_wire.ticker)
        self.topics = Names(self.exchange, fyers_wire.topic)
        orders = FyersOrders(self)
        self.gtt = FyersGtt(self, orders)
        self._parts = (FyersRest(self), orders, self.gtt)

    @property
    def credentials(self) -> dict[str, str]:
        return {
            "api_key": self.login.api_key,
            "api_secret": self.login.api_secret,
            "pin": self.login.pin,
            "access_token": self.login.access_token,
        }

    async def start(self, host: str = "127.0.0.1", rest_port: int = 0, ws_port: int = 0) -> None:
        await super().start(host, rest_port, ws_port)
        stream = self.hosts.pop("stream")
        self.hosts |= {"public": self.hosts["api"], **{row: stream + path for path, (row, _, _) in SOCKETS.items()}}

    def check(self) -> None:
        super().check()
        self.gtt.check()

    def named(self, name: str) -> Market | None:
        """The market of a ticker."""
        return self.tickers.find(name)

    # --- sockets ------------------------------------------------------------------------------------------------------

    def accept(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Session | Refused:
        self.check()
        if path not in SOCKETS:
            return Refused(404)
        _, kind, most = SOCKETS[path]
        if kind is not Hsm and not self.login.knows(headers.get("authorization")):
            return Refused(403)
        allowed = most if self.faults.max_sockets is None else self.faults.max_sockets
        if sum(isinstance(session, kind) for session in self.sessions) >= allowed:
            return Refused(429)
        return kind(self)

    # --- orders -------------------------------------------------------------------------------------------------------

    def order_row(self, order: Order) -> fyers_rows.Row:
        return fyers_rows.order_row(order, *self.listed(order))

    def news(self, order: Order) -> bytes:
        return msgspec.json.encode({"orders": fyers_rows.raw_row(self.order_row(order)), "s": "ok"})

    def webhook(self, order_id: str) -> bytes:
        """What Fyers posts to the app's address about an order."""
        return msgspec.json.encode(self.order_row(self.exchange.ledger.orders[order_id]))

    # --- REST ---------------------------------------------------------------------------------------------------------

    def routes(self) -> list[BaseRoute]:
        return [route for part in self._parts for route in part.routes()]

    def stranger(self, request: Request) -> Response | None:
        known = self.login.knows(request.headers.get("authorization"))
        return None if known else error(401, -17, "Could not authenticate the user")

    def refusal(self, status: int) -> Response:
        return refusal(status)

    def told(self, invalid: Invalid) -> Response:
        return told(invalid)

    def timed_out(self) -> Response:
        """With the code that otherwise proves that nothing was done."""
        return error(400, -50, "Request timed out. Please check the orderbook.")

    def nameless(self) -> Response:
        return success({}, 1101, "Order submitted successfully.")


SIMULATOR = Fyers
