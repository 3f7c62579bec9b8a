"""What the simulators of retail brokers share: one user with money and shares, a session that dies by the hour, limits
on requests, writes that meet mishaps, books, and news of orders."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, ClassVar, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from sangam.model.enums import Action, PriceType, Product
from sangam.model.enums import Exchange as Code

from .app_login import AppLogin
from .exchange import Exchange
from .listing import Contract
from .market import Market
from .orders import Order, Trade
from .portfolio import Holding, Portfolio, Position, Wish
from .quota import Quota, Rows
from .server import Simulator

HOLDINGS = (("SBIN", 100, 801.5), ("INFY", 50, 1412.0))
FREEZE = {"NIFTY": 1800, "BANKNIFTY": 600, "SENSEX": 1000}
"""The most units that the exchanges take in one order of an index future or option."""

Handler = Callable[[Request], Awaitable[Response]]


class Invalid(Exception):
    """What a broker's desk tells at once: a kind of its error table ("margin" and "holding" are those of the risk
    checks), the text, and the HTTP status."""

    def __init__(self, text: str, kind: str = "", status: int = 400) -> None:
        super().__init__(text)
        self.kind = kind
        self.status = status


class Owned(NamedTuple):
    """A row of the positions or holdings, with its market and the exchange's number of it."""

    row: Any
    market: Market
    token: int


class Retail(Simulator):
    """One app of one user. `login` has its keys and its session; `new_login` makes another.

    Brokers say how a request proves its session (`stranger`), how their errors look (`told`, `too_many_requests`,
    `timed_out`, `nameless`), how a row of the order book and a push look (`order_row`, `news`), and wrap their handlers
    in `signed` and `write`."""

    limits_of: ClassVar[Rows]
    """What `signed` counts, by lane."""
    login: AppLogin

    def __init__(
        self,
        exchange: Exchange | None = None,
        *,
        user_id: str,
        limits: bool = False,
        cash: float = 10_000_000.0,
        holdings: bool = True,
        refuses_early: bool = False,
        **options: Any,
    ) -> None:
        """`limits` refuses more requests than the broker takes (`too_many` counts them). The user begins with `cash`
        and, with `holdings`, 100 SBIN and 50 INFY. `refuses_early` tells of missing money or shares at once rather than
        by a rejected order."""
        super().__init__(exchange, **options)
        self.user_id = user_id
        self.limits = limits
        self.too_many = 0
        self.refuses_early = refuses_early
        self.portfolio = Portfolio(self.exchange, user_id, cash)
        if holdings:
            for symbol, quantity, price in HOLDINGS:
                self.portfolio.hold(symbol, Code.NSE, quantity, price)
        self._quota = Quota(self.limits_of, self.exchange.clock.monotonic)
        self._rows: dict[str, tuple[int, bytes]] = {}

    # --- what each broker words ---------------------------------------------------------------------------------------

    def stranger(self, request: Request) -> Response | None:
        """The answer to who has no session; None lets in."""
        raise NotImplementedError

    def told(self, invalid: Invalid) -> Response:
        """The envelope of an error that is told at once."""
        raise NotImplementedError

    def too_many_requests(self) -> Response:
        return self.refusal(429)

    def timed_out(self) -> Response:
        """The worst answer to a write that was taken: one that looks like a refusal."""
        raise NotImplementedError

    def nameless(self) -> Response:
        """A success without the order's id."""
        raise NotImplementedError

    def short_of(self, required: float, available: float) -> str:
        """The risk checks' words about missing money."""
        return f"Insufficient funds. Required margin is {required:.2f} but available margin is {available:.2f}."

    def order_row(self, order: Order) -> Any:
        """A row of the order book, to be encoded as JSON."""
        raise NotImplementedError

    def news(self, order: Order) -> bytes | None:
        """What sockets are told of a change of an order; None says nothing."""
        raise NotImplementedError

    # --- what tests and the hour do -----------------------------------------------------------------------------------

    def new_login(self) -> dict[str, str]:
        self.login.begin()
        self.cut()
        return self.credentials

    def expire_token(self) -> None:
        self.login.alive = False
        self.cut()

    def check(self) -> None:
        if self.login.outlived:
            self.expire_token()
        self.portfolio.read()
        for payload in self.faults.orders.overdue(self.exchange.clock.monotonic()):
            self.broadcast(payload)

    # --- requests -----------------------------------------------------------------------------------------------------

    def signed(self, handler: Handler, lane: str = "default") -> Handler:
        """A handler that is asked only by who has a session, and within the limits of its lane. What it raises as
        Invalid is answered in the broker's envelope."""

        async def answer(request: Request) -> Response:
            if self.limits and self._quota.exceeded(lane):
                self.too_many += 1
                return self.too_many_requests()
            self.check()
            refused = self.stranger(request)
            if refused is not None:
                return refused
            try:
                return await handler(request)
            except Invalid as invalid:
                return self.told(invalid)

        return answer

    def write(self, take: Handler, lane: str = "orders") -> Handler:
        """A signed write, with the mishaps of writes."""

        async def answer(request: Request) -> Response:
            await request.body()

            async def taken() -> Response:
                try:
                    return await take(request)
                except Invalid as invalid:
                    return self.told(invalid)

            return await self.faults.orders.carry(request, taken, self.refusal, self.timed_out, self.nameless)

        return self.signed(answer, lane)

    # --- orders -------------------------------------------------------------------------------------------------------

    def ordered(self, order: Order) -> None:
        if order.owner == self.user_id and (payload := self.news(order)) is not None:
            for push in self.faults.orders.pushes(payload, self.exchange.clock.monotonic()):
                self.broadcast(push)

    def order(self, order_id: str) -> Order | None:
        """An order of this user."""
        order = self.exchange.ledger.orders.get(order_id)
        return order if order is not None and order.owner == self.user_id else None

    def todays_orders(self) -> list[Order]:
        """The order book: what was placed today, and what waits since yesterday."""
        today = f"{self.exchange.day:%y%m%d}"
        mine = self.exchange.ledger.of(self.user_id)
        return [order for order in mine if order.order_id.startswith(today) or not order.status.is_final]

    def order_rows(self) -> list[bytes]:
        """The order book, row by row as JSON; a row is encoded once per change of its order."""
        return [self._row(order) for order in self.todays_orders()]

    def _row(self, order: Order) -> bytes:
        known = self._rows.get(order.order_id)
        if known is None or known[0] != order.changes:
            known = self._rows[order.order_id] = (order.changes, msgspec.json.encode(self.order_row(order)))
        return known[1]

    def todays_trades(self) -> list[tuple[Trade, Order]]:
        """The trade book, oldest first."""
        ledger = self.exchange.ledger
        found = [(trade, order) for order in self.todays_orders() for trade in ledger.trades_of(order.order_id)]
        return sorted(found, key=lambda pair: pair[0].trade_id)

    def listed(self, order: Order) -> tuple[Contract, int]:
        """The contract of an order and the exchange's number of it."""
        contract = self.exchange.market(order.symbol, order.exchange).contract
        return contract, self.exchange.token(contract)

    def enter(
        self,
        market: Market,
        action: Action,
        quantity: int,
        price_type: PriceType,
        product: Product,
        *,
        price: float,
        trigger_price: float,
        **more: Any,
    ) -> Order:
        """Let an order of this user in, if only as one that the risk checks reject; `more` is that of
        `Exchange.place`. Raises Invalid."""
        refusal = self.risk(market, Wish(action, quantity, product, price or trigger_price))
        return self.exchange.place(
            self.user_id,
            *market.contract.id,
            action,
            quantity,
            price_type,
            price=price,
            trigger_price=trigger_price,
            product=product,
            refusal=refusal,
            **more,
        )

    def risk(self, market: Market, wish: Wish) -> str:
        """Why the risk checks reject an order, or nothing. With `refuses_early`, missing money or shares are Invalid
        ("margin", "holding")."""
        if market.is_index:
            return ""
        if wish.quantity > (most := largest(market, wish.quantity)):
            return f"Quantity {wish.quantity} is more than the freeze quantity {most}."
        if (short := self.portfolio.shortage(market, wish)) is not None:
            text = self.short_of(*short)
            if self.refuses_early:
                raise Invalid(text, "margin")
            return f"{text} Check the orderbook for open orders."
        if (free := self.portfolio.lacks_shares(market, wish)) is not None:
            text = f"Insufficient stock holding. Trying to sell {wish.quantity} but only {free} can be sold."
            if self.refuses_early:
                raise Invalid(text, "holding")
            return text
        return ""

    # --- the portfolio ------------------------------------------------------------------------------------------------

    def positions(self) -> Iterator[Owned]:
        """Rows are `portfolio.Position`."""
        self.portfolio.read()
        for row in self.portfolio.positions.values():
            yield self._owned(row)

    def holdings(self) -> Iterator[tuple[Owned, int]]:
        """Rows are `portfolio.Holding`, with how many of the shares are sold today."""
        self.portfolio.read()
        for held in self.portfolio.holdings.values():
            sold = self.portfolio.positions.get((*held.contract.id, Product.CNC))
            yield self._owned(held), max(-sold.quantity, 0) if sold is not None else 0

    def _owned(self, row: Position | Holding) -> Owned:
        return Owned(row, self.exchange.market(*row.contract.id), self.exchange.token(row.contract))


def largest(market: Market, otherwise: int) -> int:
    """How many units one order may have."""
    contract = market.contract
    return otherwise if contract.expiry is None else FREEZE.get(contract.name, otherwise)
