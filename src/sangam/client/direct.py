"""Any broker of the registry without a server: its operations and its stream are driven in this process."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple, TypeVar

from sangam.background import Dispatcher, LoopThread
from sangam.brokers import registry
from sangam.brokers.contract import BooksChanged, BrokerSpec, Event, Operation, Refusal, Session
from sangam.model.books import Funds, GttLeg
from sangam.model.clock import SystemClock
from sangam.model.enums import Mode
from sangam.model.errors import NotSent, Rejected, SangamError, SessionExpired, Unsupported
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate, Ticket
from sangam.transport.http import HttpDriver
from sangam.transport.socket import ENDED, Connection, SocketState

from . import books
from .answers import GttInfo, HoldingInfo, OrderInfo, PositionInfo, Tick, TradeInfo
from .asked import Name, Terms
from .direct_desk import DirectDesk
from .interface import BrokerInterface
from .listing import Listing
from .own_orders import OwnOrders
from .streams import Streams

log = logging.getLogger("sangam.client")

T = TypeVar("T")


class _Line(NamedTuple):
    """What there is while connected; all of it lives on the loop."""

    driver: HttpDriver
    desk: DirectDesk
    streams: Streams
    up: asyncio.Event


class DirectBroker(BrokerInterface):
    """`secrets` are the broker's own names of what its login gives, `hosts` replace rows of its host table, `egress` is
    where calls leave from (a source address or a proxy)."""

    def __init__(
        self,
        broker: str,
        secrets: Mapping[str, str],
        *,
        hosts: Mapping[str, str] | None = None,
        client_id: str = "",
        egress: str = "",
    ) -> None:
        super().__init__()
        spec = self._spec = registry.load()[broker]
        if spec.trading is None:
            raise Unsupported(f"Live orders are not supported for broker '{spec.title}' yet.")
        self._trading = spec.trading
        self._session = Session(
            account=f"client-{spec.name}",
            broker=spec.name,
            generation=1,
            client_id=client_id,
            secrets=dict(secrets),
            hosts=dict(hosts or {}),
            egress=egress,
        )
        self._orders = OwnOrders(self._session.account, spec.name, spec.trading.tag, self._tell_order)
        self._thread: LoopThread | None = None
        self._dispatcher: Dispatcher | None = None
        self._line: _Line | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    def connect(self, timeout: float = 60.0) -> None:
        """Prove the session, load the day's instruments and orders, open the stream."""
        if self._thread is not None:
            return
        self._thread, self._dispatcher = LoopThread("client"), Dispatcher("client callbacks")
        try:
            self._thread.run(self._open(timeout))
        except BaseException:
            self.disconnect()
            raise

    async def _open(self, timeout: float) -> None:
        spec, session, clock = self._spec, self._session, SystemClock()
        driver = HttpDriver(clock)
        desk = DirectDesk(spec, self._trading, session, driver, self._orders, clock)
        streams = Streams(
            spec, session, desk.read, clock, ticked=self._tell_tick, told=self._told, changed=self._changed
        )
        line = self._line = _Line(driver, desk, streams, asyncio.Event())
        try:
            async with asyncio.timeout(timeout):
                await desk.ask(spec.login.check)
                files = await desk.ask(spec.instruments.download)
                self._orders.listing = await asyncio.to_thread(_listing, spec, files)
                await desk.catch_up(quietly=True)
                streams.start()
                if streams.orders is None:
                    desk.errand(desk.watch(self._fail))
                    line.up.set()
                    self._call(lambda: self._tell(self.on_connect))
                else:
                    await line.up.wait()
        except TimeoutError:
            raise NotSent(f"{spec.title} was not ready within {timeout:g} s.") from None

    def disconnect(self) -> None:
        thread, dispatcher, line = self._thread, self._dispatcher, self._line
        self._thread = self._line = None
        if thread is None or dispatcher is None:
            return
        if line is not None:
            thread.run(_close(line))
            if line.up.is_set():
                dispatcher.put(lambda: self._tell(self.on_disconnect, "closed by us"))
        thread.stop()
        dispatcher.stop()

    # --- orders -------------------------------------------------------------------------------------------------------

    def _place(self, ticket: Ticket, patience: float) -> OrderInfo:
        return self._run(lambda desk: desk.place(ticket, patience))

    def _modify(self, order_id: str, terms: Terms, patience: float) -> OrderInfo:
        return self._run(lambda desk: desk.modify(order_id, terms, patience))

    def _cancel(self, order_id: str, patience: float) -> OrderInfo:
        return self._run(lambda desk: desk.cancel(order_id, patience))

    def get_order(self, order_id: str) -> OrderInfo:
        return self._run(lambda desk: desk.order(order_id))

    def get_orderbook(self) -> list[OrderInfo]:
        return self._run(lambda desk: desk.book())

    def _place_gtt(self, name: Name, leg: GttLeg, client_order_id: str, patience: float) -> str:
        return self._run(lambda desk: desk.place_gtt(name, leg, client_order_id, patience))

    def cancel_gtt(self, trigger_id: str, *, timeout: float | None = None) -> None:
        patience = self.order_timeout if timeout is None else timeout
        self._run(lambda desk: desk.cancel_gtt(trigger_id, patience))

    # --- books and prices ---------------------------------------------------------------------------------------------

    def get_gtts(self) -> list[GttInfo]:
        gtts = self._run(lambda desk: desk.ask(desk.gtt.list))
        return books.gtts(gtts, self._orders.listing)

    def get_tradebook(self) -> list[TradeInfo]:
        return books.trades(self._ask(self._trading.trades), self._orders.listing)

    def get_positions(self) -> list[PositionInfo]:
        return books.positions(self._ask(self._trading.positions), self._orders.listing)

    def get_holdings(self) -> list[HoldingInfo]:
        return books.holdings(self._ask(self._trading.holdings), self._orders.listing)

    def get_funds(self) -> Funds:
        return self._ask(self._trading.funds)

    def get_quote(self, symbol: str, exchange: str = "NSE") -> Tick:
        instrument = self._orders.listing.lookup(symbol.upper(), exchange.upper())
        return self._run(lambda desk: desk.quote(instrument))

    def _subscribe(self, names: list[Name], mode: Mode) -> None:
        instruments = [self._orders.listing.lookup(*name) for name in names]

        async def want(streams: Streams) -> None:
            for instrument in instruments:
                streams.want(instrument, mode)

        self._run(lambda desk: want(self._open_line().streams))

    def _unsubscribe(self, names: list[Name]) -> None:
        instruments = [self._orders.listing.lookup(*name) for name in names]

        async def release(streams: Streams) -> None:
            for instrument in instruments:
                streams.unwant(instrument)

        self._run(lambda desk: release(self._open_line().streams))

    def _ask(self, what: Callable[[Session, Any], Operation[T]]) -> T:
        return self._run(lambda desk: desk.ask(what))

    def _run(self, work: Callable[[DirectDesk], Coroutine[Any, Any, T]]) -> T:
        line, thread = self._open_line(), self._thread
        if thread is None:
            raise _not_connected()
        return thread.run(work(line.desk))

    def _open_line(self) -> _Line:
        if self._line is None:
            raise _not_connected()
        return self._line

    # --- from the stream ----------------------------------------------------------------------------------------------

    def _told(self, event: Event) -> None:
        if isinstance(event, OrderUpdate):
            self._orders.heard(event)
        elif isinstance(event, BooksChanged):
            self._catch_up()
        elif isinstance(event, Refusal):
            self._fail(Rejected(f"A subscription was refused: {event.reason}"))

    def _changed(self, connection: Connection) -> None:
        line, detail, state = self._line, connection.detail, connection.state
        if line is None:
            return
        if state in ENDED:
            self._fail(SessionExpired(f"{self._spec.title}: {detail}. Log in again."))
        if state is SocketState.LIVE and not line.up.is_set():
            line.up.set()
            self._call(lambda: self._tell(self.on_connect))
            self._catch_up()
        elif (state in ENDED or state is SocketState.RECONNECTING) and line.up.is_set():
            line.up.clear()
            self._call(lambda: self._tell(self.on_disconnect, detail))

    def _catch_up(self) -> None:
        if self._line is not None:
            desk = self._line.desk
            desk.errand(desk.try_to_catch_up(self._fail))

    # --- to the strategy ----------------------------------------------------------------------------------------------

    def _call(self, call: Callable[[], object]) -> None:
        if self._dispatcher is not None:
            self._dispatcher.put(call)

    def _tell_order(self, order: OrderInfo) -> None:
        self._call(lambda: self._tell(self.on_order_update, order))

    def _tell_tick(self, told: Tick) -> None:
        if self._dispatcher is not None:
            key = (told.symbol, told.exchange)
            self._dispatcher.put_latest(key, lambda: self._tell(self._tick_listener(told), told))

    def _fail(self, error: SangamError) -> None:
        self._call(lambda: self._tell_error(error))


async def _close(line: _Line) -> None:
    await line.streams.stop()
    await line.driver.close()


def _listing(spec: BrokerSpec, files: list[bytes]) -> Listing:
    return Listing(row for row in spec.instruments.parse(files) if isinstance(row, Instrument))


def _not_connected() -> NotSent:
    return NotSent("This client is not connected: call connect() first. Nothing was sent.")
