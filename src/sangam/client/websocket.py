"""A strategy on the server: orders, books and prices over one connection to its gateway."""

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import msgspec

from sangam.background import Dispatcher, LoopThread
from sangam.model.books import Funds, GttLeg
from sangam.model.enums import INTERVALS_MS, Exchange, Mode
from sangam.model.errors import Denied, InvalidInput
from sangam.model.order import Ticket

from . import asked, wire
from .answers import GttInfo, HoldingInfo, OrderInfo, PositionInfo, Tick, TradeInfo
from .asked import Name, Terms
from .interface import BrokerInterface
from .line import Line, LineState, LineTiming, Listener
from .server_desk import ServerDesk

T = TypeVar("T")
Fields = Mapping[str, Any]


class WebSocketBroker(BrokerInterface):
    """`account` names another account than the key's, `interval` the milliseconds between two ticks of an instrument
    (0 for every one). With `since`, the number of an order event, those that came after it are told on the first
    connect: keep `last_event` to resume after a restart of your program.

    `reply_timeout` is for how long an answer of the server is awaited; its own patience with a broker is 8 s."""

    reply_timeout = 15.0

    def __init__(
        self,
        url: str = "ws://127.0.0.1:8765",
        api_key: str = "",
        *,
        account: str = "",
        interval: int | None = None,
        since: int | None = None,
        timing: LineTiming | None = None,
    ) -> None:
        super().__init__()
        if interval is not None and interval not in INTERVALS_MS:
            raise InvalidInput(f"interval must be one of {', '.join(map(str, INTERVALS_MS))} milliseconds.")
        self._url = url
        self._api_key = api_key
        self._account = {"account": account} if account else {}
        self._interval = {} if interval is None else {"interval": interval}
        self._since = since
        self._timing = timing or LineTiming()
        self._wanted: dict[Name, Mode] = {}
        self._thread: LoopThread | None = None
        self._dispatcher: Dispatcher | None = None
        self._line: Line | None = None

    @property
    def last_event(self) -> int | None:
        """The number of the last order event that was heard."""
        return self._since if self._line is None else self._line.seen

    @property
    def is_connected(self) -> bool:
        return self._line is not None and self._line.state is LineState.UP

    # --- life ---------------------------------------------------------------------------------------------------------

    def connect(self, timeout: float = 10.0) -> None:
        """From here on the connection is kept up until `disconnect`."""
        if self._thread is not None:
            return
        self._thread, self._dispatcher = LoopThread("client"), Dispatcher("client callbacks")
        try:
            self._thread.run(self._open(timeout))
        except BaseException:
            self.disconnect()
            raise

    async def _open(self, timeout: float) -> None:
        listener = Listener(
            ticked=self._tell_tick,
            ordered=lambda order: self._call(lambda: self._tell(self.on_order_update, order)),
            connected=lambda: self._call(lambda: self._tell(self.on_connect)),
            disconnected=lambda reason: self._call(lambda: self._tell(self.on_disconnect, reason)),
            failed=lambda error: self._call(lambda: self._tell_error(error)),
        )
        self._line = Line(self._url, self._api_key, listener, self._greetings, self._since, self._timing)
        self._line.begin()
        await self._line.ready(monotonic() + timeout, patient=True)

    def disconnect(self) -> None:
        thread, dispatcher, line = self._thread, self._dispatcher, self._line
        self._thread = None
        if thread is None or dispatcher is None:
            return
        if line is not None:
            thread.run(line.end())
            self._since = line.seen
        self._line = None
        thread.stop()
        dispatcher.stop()

    # --- orders -------------------------------------------------------------------------------------------------------

    def _place(self, ticket: Ticket, patience: float) -> OrderInfo:
        return self._run(lambda desk: desk.place(ticket, monotonic() + patience))

    def _modify(self, order_id: str, terms: Terms, patience: float) -> OrderInfo:
        return self._run(lambda desk: desk.modify(order_id, terms, monotonic() + patience))

    def _cancel(self, order_id: str, patience: float) -> OrderInfo:
        return self._run(lambda desk: desk.cancel(order_id, monotonic() + patience))

    def get_order(self, order_id: str) -> OrderInfo:
        return wire.order(self._ask("get_order", order_id=order_id)["data"])

    def get_orderbook(self) -> list[OrderInfo]:
        return [wire.order(row) for row in self._ask("get_orderbook")["data"]["orders"]]

    def get_tradebook(self) -> list[TradeInfo]:
        return wire.trades(self._ask("get_tradebook")["data"])

    # --- triggers -----------------------------------------------------------------------------------------------------

    def _place_gtt(self, name: Name, leg: GttLeg, client_order_id: str, patience: float) -> str:
        fields = {
            "symbol": name[0],
            "exchange": name[1].value,
            "side": leg.action.value,
            "quantity": leg.quantity,
            "trigger_price": f"{leg.trigger:f}",
            "price": f"{leg.price:f}",
            "product": leg.product.value,
            "price_type": leg.price_type.value,
            "client_order_id": client_order_id,
        }
        return self._run(lambda desk: desk.place_gtt(fields, monotonic() + patience))

    def cancel_gtt(self, trigger_id: str, *, timeout: float | None = None) -> None:
        patience = self.order_timeout if timeout is None else timeout
        self._run(lambda desk: desk.cancel_gtt(trigger_id, monotonic() + patience))

    def get_gtts(self) -> list[GttInfo]:
        return wire.gtts(self._ask("get_gtts")["data"])

    # --- books and prices ---------------------------------------------------------------------------------------------

    def get_positions(self) -> list[PositionInfo]:
        return wire.positions(self._ask("get_positions")["data"])

    def get_holdings(self) -> list[HoldingInfo]:
        return wire.holdings(self._ask("get_holdings")["data"])

    def get_funds(self) -> Funds:
        return wire.funds(self._ask("get_funds")["data"])

    def get_quote(self, symbol: str, exchange: str = "NSE") -> Tick:
        ((symbol, place),) = asked.instruments([(symbol, exchange)], exchange)
        return msgspec.convert(self._ask("get_quote", symbol=symbol, exchange=place.value)["data"], Tick)

    def _subscribe(self, names: list[Name], mode: Mode) -> None:
        """Kept over reconnects, except what the server refuses now."""
        changed = [name for name in names if self._wanted.get(name, mode) is not mode]
        if changed:
            self._unsubscribe(changed)
        self._wanted.update(dict.fromkeys(names, mode))
        message = _subscription("subscribe", names, mode, **self._interval)
        answer = self._run(partial(ServerDesk.while_up, message=message))
        refused = [row for row in answer.get("subscriptions", []) if row.get("status") == "error"]
        for row in refused:
            self._wanted.pop((str(row.get("symbol")), Exchange(row["exchange"])), None)
        if refused or answer.get("status") == "error":
            raise wire.failure("subscribe", (refused or [answer])[0])

    def _unsubscribe(self, names: list[Name]) -> None:
        by_mode: dict[Mode, list[Name]] = {}
        for name in names:
            if name in self._wanted:
                by_mode.setdefault(self._wanted.pop(name), []).append(name)
        for mode, gone in by_mode.items():
            message = _subscription("unsubscribe", gone, mode)
            self._run(partial(ServerDesk.while_up, message=message))

    def _greetings(self) -> list[dict[str, Any]]:
        by_mode: dict[Mode, list[Name]] = {}
        for name, mode in dict(self._wanted).items():
            by_mode.setdefault(mode, []).append(name)
        return [
            _subscription("subscribe", names, mode, **self._interval) | self._account for mode, names in by_mode.items()
        ]

    # --- on the loop --------------------------------------------------------------------------------------------------

    def _ask(self, action: str, **fields: Any) -> Fields:
        return self._run(lambda desk: desk.read(action, fields))

    def _run(self, work: Callable[[ServerDesk], Coroutine[Any, Any, T]]) -> T:
        thread, line = self._thread, self._line
        if thread is None or line is None:
            raise Denied("This client is not connected: call connect() first. Nothing was sent.", "NETWORK_ERROR")
        return thread.run(work(ServerDesk(line, self._account, self.reply_timeout)))

    # --- to the strategy ----------------------------------------------------------------------------------------------

    def _call(self, call: Callable[[], object]) -> None:
        if self._dispatcher is not None:
            self._dispatcher.put(call)

    def _tell_tick(self, told: Tick) -> None:
        if self._dispatcher is not None:
            key = (told.symbol, told.exchange)
            self._dispatcher.put_latest(key, lambda: self._tell(self._tick_listener(told), told))


def _subscription(action: str, names: list[Name], mode: Mode, **more: Any) -> dict[str, Any]:
    symbols = [{"symbol": symbol, "exchange": exchange.value} for symbol, exchange in names]
    return {"action": action, "symbols": symbols, "mode": int(mode), **more}
