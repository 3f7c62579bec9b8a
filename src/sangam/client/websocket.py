"""A strategy on the server: orders, books and prices over one connection to its gateway.

What happens when the line breaks: an order that was not sent waits for the line until its deadline, then it is denied.
One that was sent is asked about under its client order id, and sent again under the same id, which the server takes for
the same order, while its deadline has not passed. What cannot be found out is InDoubt."""

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import msgspec

from sangam.model.books import Funds, GttLeg
from sangam.model.enums import INTERVALS_MS, Exchange, Mode
from sangam.model.errors import Denied, InDoubt, InvalidInput, NotSent, OrderNotFound, Rejected, SangamError
from sangam.model.order import OrderState, Ticket

from . import asked, wire
from .answers import GttInfo, HoldingInfo, OrderInfo, PositionInfo, Tick, TradeInfo
from .asked import Name, Terms
from .background import Dispatcher, LoopThread
from .interface import BrokerInterface
from .line import Broken, Line, LineState, LineTiming, Listener

T = TypeVar("T")
Fields = Mapping[str, Any]

_OPEN = (OrderState.PENDING, OrderState.SENT, OrderState.UNKNOWN)


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
        await self._line.ready(monotonic() + timeout)

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
        return self._run(lambda line: self._place_once(line, ticket, monotonic() + patience))

    async def _place_once(self, line: Line, ticket: Ticket, ends: float) -> OrderInfo:
        try:
            row = await self._send(line, ticket, ends)
        except Broken as broken:
            row = await self._settle(line, ticket, ends, str(broken))
        if row.get("status") == "error":
            raise wire.failure("place_order", row, ticket)
        return wire.placed(row, ticket)

    async def _send(self, line: Line, ticket: Ticket, ends: float) -> Fields:
        """Raises Denied, or Broken where it may have left."""
        await _up(line, ends)
        left = max(0.0, ends - monotonic())
        fields = wire.placement(ticket, round(left * 1000)) | self._account
        return await _unless_lost(line.ask("place_order", fields, left + self.reply_timeout))

    async def _settle(self, line: Line, ticket: Ticket, ends: float, why: str) -> Fields:
        """What became of an order whose answer is missing. The server's journal knows every order that it sent."""
        until = max(ends, monotonic() + self.reply_timeout)
        while True:
            try:
                await line.ready(until)
                row = await line.ask("get_order", {"client_order_id": ticket.client_order_id} | self._account, 5.0)
                known = row.get("status") == "success"
                if known and (state := OrderState(row["data"]["state"])) not in _OPEN:
                    return _as_reply(row["data"], state)
                if known or monotonic() < ends:
                    return await self._send(line, ticket, until if known else ends)
            except Broken as broken:
                why = str(broken)
                continue
            except SangamError as error:
                why = str(error)
            raise InDoubt(
                f"The order {ticket.client_order_id} may have been sent, and nobody could be asked what became of it "
                f"({why}). Do not place it again under another client_order_id: ask get_order for this one.",
                order=wire.placed({"state": OrderState.UNKNOWN}, ticket),
            )

    def _modify(self, order_id: str, terms: Terms, patience: float) -> OrderInfo:
        return self._run(lambda line: self._modify_once(line, order_id, terms, monotonic() + patience))

    async def _modify_once(self, line: Line, order_id: str, terms: Terms, ends: float) -> OrderInfo:
        try:
            await self._write(line, "modify_order", {"order_id": order_id, **wire.modification(terms)}, ends)
        except Broken as broken:
            order = await self._find(line, order_id, str(broken))
            if not terms.hold(order):
                text = f"Order {order_id} may still be modified; it is not yet ({broken}). Look at it before you go on."
                raise InDoubt(text, order=order) from None
            return order
        return await self._find(line, order_id, "")

    def _cancel(self, order_id: str, patience: float) -> OrderInfo:
        return self._run(lambda line: self._cancel_once(line, order_id, monotonic() + patience))

    async def _cancel_once(self, line: Line, order_id: str, ends: float) -> OrderInfo:
        """A cancel that went astray is repeated: it can only end the same order."""
        while True:
            try:
                await self._write(line, "cancel_order", {"order_id": order_id}, ends)
            except Broken as broken:
                order = await self._find(line, order_id, str(broken))
                if order.is_final:
                    if order.state is not OrderState.CANCELLED:
                        raise Rejected(f"Order {order_id} is {order.state} already.", order=order) from None
                    return order
                if monotonic() >= ends:
                    text = f"Order {order_id} may still be cancelled; it is not yet ({broken})."
                    raise InDoubt(text, order=order) from None
            else:
                return await self._find(line, order_id, "")

    async def _find(self, line: Line, order_id: str, why: str) -> OrderInfo:
        """The order as the server knows it, after something was done to it."""
        try:
            row = await self._read(line, "get_order", {"order_id": order_id} | self._account)
        except (OrderNotFound, NotSent) as error:
            raise InDoubt(f"Order {order_id} was written to, and cannot be read now ({why or error}).") from None
        return wire.order(row["data"])

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
        return str(
            self._run(lambda line: self._repeat(line, "place_gtt", fields, monotonic() + patience))["trigger_id"]
        )

    def cancel_gtt(self, trigger_id: str, *, timeout: float | None = None) -> None:
        patience = self.order_timeout if timeout is None else timeout
        self._run(lambda line: self._repeat(line, "cancel_gtt", {"trigger_id": trigger_id}, monotonic() + patience))

    async def _repeat(self, line: Line, action: str, fields: Fields, ends: float) -> Fields:
        """A write that may be asked for twice: the server knows it by its client order id, or it can only end what
        stands."""
        while True:
            try:
                return await self._write(line, action, fields, ends)
            except Broken as broken:
                if monotonic() >= ends:
                    raise InDoubt(f"{action} was sent, and the answer did not come ({broken}).") from None

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
        answer = self._run(partial(self._while_up, message=_subscription("subscribe", names, mode, **self._interval)))
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
            self._run(partial(self._while_up, message=message))

    async def _while_up(self, line: Line, message: dict[str, Any]) -> Fields:
        """A subscription of now; without a line the next connect makes it."""
        try:
            return await line.ask(message.pop("action"), message | self._account, self.reply_timeout)
        except (Broken, NotSent):
            return {}

    def _greetings(self) -> list[dict[str, Any]]:
        by_mode: dict[Mode, list[Name]] = {}
        for name, mode in dict(self._wanted).items():
            by_mode.setdefault(mode, []).append(name)
        return [
            _subscription("subscribe", names, mode, **self._interval) | self._account for mode, names in by_mode.items()
        ]

    # --- on the loop --------------------------------------------------------------------------------------------------

    def _ask(self, action: str, **fields: Any) -> Fields:
        return self._run(lambda line: self._read(line, action, {**fields, **self._account}))

    async def _read(self, line: Line, action: str, fields: Fields) -> Fields:
        """Reading is harmless: it waits for the line, and is repeated when that breaks."""
        ends = monotonic() + self.reply_timeout
        while True:
            await line.ready(ends)
            try:
                row = await line.ask(action, fields, max(0.1, ends - monotonic()))
            except (Broken, NotSent) as error:
                if monotonic() >= ends:
                    raise NotSent(f"{action} was not answered in time: {error}") from None
                continue
            if row.get("status") == "error":
                raise wire.failure(action, row)
            return row

    async def _write(self, line: Line, action: str, fields: Fields, ends: float) -> Fields:
        """Raises Denied, Rejected, InDoubt as the server says, and Broken where the answer is missing."""
        await _up(line, ends)
        row = await _unless_lost(line.ask(action, {**fields, **self._account}, self.reply_timeout))
        if row.get("status") == "error":
            raise wire.failure(action, row)
        return row

    def _run(self, work: Callable[[Line], Coroutine[Any, Any, T]]) -> T:
        thread, line = self._thread, self._line
        if thread is None or line is None:
            raise Denied("This client is not connected: call connect() first. Nothing was sent.", "NETWORK_ERROR")
        return thread.run(work(line))

    # --- to the strategy ----------------------------------------------------------------------------------------------

    def _call(self, call: Callable[[], object]) -> None:
        if self._dispatcher is not None:
            self._dispatcher.put(call)

    def _tell_tick(self, told: Tick) -> None:
        if self._dispatcher is not None:
            key = (told.symbol, told.exchange)
            self._dispatcher.put_latest(key, lambda: self._tell(self._tick_listener(told), told))


async def _up(line: Line, ends: float) -> None:
    """A write waits for the line; what did not get it in time was not sent."""
    try:
        await line.ready(ends)
    except NotSent as error:
        raise Denied(str(error), error.code) from None


async def _unless_lost(answer: Coroutine[Any, Any, Fields]) -> Fields:
    try:
        return await answer
    except NotSent as error:
        raise Denied(str(error), error.code) from None


def _subscription(action: str, names: list[Name], mode: Mode, **more: Any) -> dict[str, Any]:
    symbols = [{"symbol": symbol, "exchange": exchange.value} for symbol, exchange in names]
    return {"action": action, "symbols": symbols, "mode": int(mode), **more}


def _as_reply(row: Fields, state: OrderState) -> Fields:
    """A row of the book as the answer to its placement would have been."""
    if state not in (OrderState.REJECTED, OrderState.DENIED):
        return row
    reason = row.get("reason") or row.get("rejection_reason") or f"It is {state}."
    return {**row, "status": "error", "message": reason, "code": row.get("code") or "ORDER_ERROR"}
