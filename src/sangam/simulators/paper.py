"""The house's own simple wire, for the embedded market: a JSON stream, and the REST of `paper_rest`.

Tokens are the same on every day and in every run. Stream messages have one key. In: ``{"sub": [[token, mode], ...]}``
and ``{"unsub": [token, ...]}``. Out: `ok`, `refused`, `ticks` (rows of token, fields and in mode 3 both sides of the
book), `hb` (every second), `order`, `error`."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

from sangam.model.enums import Exchange as Code
from sangam.model.enums import Mode
from sangam.model.market import Fields
from sangam.model.order import OrderUpdate

from .exchange import Exchange
from .listing import Contract
from .market import Market
from .naming import Names, Packets
from .orders import Order
from .paper_rest import PaperRest, refusal
from .server import Simulator
from .session import Refused, Session

CLIENT_ID = "PAPER1"
LEVELS = 5


class Ask(msgspec.Struct):
    """What a client says."""

    sub: Sequence[tuple[str, Mode]] = ()
    unsub: Sequence[str] = ()


_ask = msgspec.json.Decoder(Ask)
_encode = msgspec.json.Encoder().encode


class Stream(Session):
    """One socket. A subscription (terms: token and mode) is answered at once with the state of the instrument."""

    simulator: "Paper"

    def received(self, text: bytes) -> None:
        if self.simulator.faults.swallow_subscriptions:
            return
        try:
            ask = _ask.decode(text)
        except msgspec.DecodeError as error:
            self.send_text(_encode({"error": str(error)}))
            return
        taken: list[Market] = []
        refused: list[tuple[str, str]] = []
        for token, mode in ask.sub:
            if (market := self.simulator.find(token)) is None:
                refused.append((token, "Unknown token"))
                continue
            self.subscribe(market, (token, mode))
            taken.append(market)
        for token in ask.unsub:
            if (market := self.simulator.find(token)) is not None:
                self.unsubscribe(market)
        if taken:
            self.send_text(_encode({"ok": [self.subscriptions[market][0] for market in taken]}))
        if refused:
            self.send_text(_encode({"refused": refused}))
        self.moved(taken)

    def moved(self, markets: list[Market]) -> None:
        mine = self.subscriptions
        rows = [self.simulator.row(market, *mine[market]) for market in markets if market in mine]
        if rows:
            self.send_text(b'{"ticks":[' + b",".join(rows) + b"]}")

    def heartbeat(self) -> None:
        self.send_text(_encode({"hb": self.simulator.exchange.now_ms}))


class Paper(Simulator):
    """The embedded market's broker: one client, whose token lives as long as the simulator."""

    name = "paper"
    moves = 25
    client_id = CLIENT_ID

    def __init__(self, exchange: Exchange | None = None, *, access_token: str | None = None, **options: Any) -> None:
        super().__init__(exchange, **options)
        self._access_token = access_token or secrets.token_urlsafe(24)
        self._alive = True
        self._names = Names(self.exchange, _token)
        self._rows = Packets(_row)

    @property
    def credentials(self) -> dict[str, str]:
        return {"access_token": self._access_token}

    def new_login(self) -> dict[str, str]:
        self._access_token = secrets.token_urlsafe(24)
        self._alive = True
        self.cut()
        return self.credentials

    def expire_token(self) -> None:
        self._alive = False
        self.cut()

    def admits(self, token: str) -> bool:
        return self._alive and token == self._access_token

    def accept(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Session | Refused:
        if path != "/stream":
            return Refused(404)
        if not self.admits(query.get("token", "")):
            return Refused(401, b"Invalid token")
        if self.faults.max_sockets is not None and len(self.sessions) >= self.faults.max_sockets:
            return Refused(429, b"Too many connections")
        return Stream(self)

    def find(self, token: str) -> Market | None:
        return self._names.find(token)

    def row(self, market: Market, token: str, mode: Mode) -> bytes:
        """One instrument of a ticks message."""
        return self._rows.get(market, (token, mode))

    def ordered(self, order: Order) -> None:
        if order.owner == CLIENT_ID:
            self.broadcast(_encode({"order": _update(order)}))

    def token(self, contract: Contract) -> str:
        """What a contract is called today."""
        return self._names.of(contract)

    # --- REST ---------------------------------------------------------------------------------------------------------

    def routes(self) -> list[BaseRoute]:
        return PaperRest(self).routes()

    def refusal(self, status: int) -> Response:
        return refusal(status)


_PLACES = {code: place for place, code in enumerate(Code, start=1)}


def _token(contract: Contract, number: int) -> str:
    """Unique over all exchanges: the exchange's place in the list of codes, then its own number."""
    return f"{_PLACES[contract.exchange]}{number:08d}"


def _row(market: Market, terms: tuple[str, Mode]) -> bytes:
    token, mode = terms
    items: list[Any] = [token, _fields(market, mode)]
    if mode is Mode.DEPTH:
        items += [_side(market, True), _side(market, False)]
    return _encode(items)


def _fields(market: Market, mode: Mode) -> Fields:
    rupees = market.rupees
    fields: Fields = {"ltp": rupees(market.ltp), "ltt": market.ltt, "timestamp": market.updated}
    if mode is Mode.LTP:
        return fields
    fields |= {
        "open": rupees(market.open),
        "high": rupees(market.high),
        "low": rupees(market.low),
        "close": rupees(market.close),
    }
    if market.is_index:
        return fields
    book = market.book
    fields |= {
        "volume": market.volume,
        "oi": market.oi,
        "oi_day_high": market.oi_high,
        "oi_day_low": market.oi_low,
        "last_trade_quantity": market.ltq,
        "avg_trade_price": rupees(market.average),
        "total_buy_quantity": book.total_buy,
        "total_sell_quantity": book.total_sell,
        "upper_circuit": rupees(market.upper_circuit),
        "lower_circuit": rupees(market.lower_circuit),
    }
    if best := book.depth(True, 1):
        fields |= {"bid_price": rupees(best[0].price), "bid_size": best[0].quantity}
    if best := book.depth(False, 1):
        fields |= {"ask_price": rupees(best[0].price), "ask_size": best[0].quantity}
    return fields


def _side(market: Market, buy: bool) -> list[tuple[float, int, int]]:
    return [(market.rupees(price), quantity, orders) for price, quantity, orders in market.book.depth(buy, LEVELS)]


def _update(order: Order) -> OrderUpdate:
    return OrderUpdate(
        order_id=order.order_id,
        brsymbol=order.symbol,
        brexchange=order.exchange.value,
        action=order.action.value,
        quantity=order.quantity,
        status=order.status.value,
        product=order.product.value,
        price_type=order.price_type.value,
        price=order.price,
        trigger_price=order.trigger_price,
        filled_quantity=order.filled_quantity,
        pending_quantity=order.pending_quantity,
        average_price=order.average_price,
        rejection_reason=order.reason,
        tag=order.tag,
        timestamp=order.updated,
        validity=order.validity.value,
    )


SIMULATOR = Paper
