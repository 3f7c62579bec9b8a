"""The feed of one account: its wants, the session and master that give them meaning, and the state clients see.

A want is kept by what the client asked, not by what the broker calls it: whenever the session's generation or the
master changes, every want is resolved again, so a token that means another contract today is never followed."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sangam.brokers.contract import BooksChanged, BrokerSpec, Event, LimitChanged, Operation, Refusal, Session, Stream
from sangam.model.calendar import Calendar
from sangam.model.clock import Clock, ist_from_ms
from sangam.model.enums import AccountState, Exchange, Mode
from sangam.model.errors import SymbolNotFound
from sangam.model.histogram import STAGE_BOUNDS, Histogram
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Instrument, Level, split_depth_suffix
from sangam.model.market import Key
from sangam.model.order import OrderUpdate
from sangam.prices.last import Last
from sangam.prices.prices import Prices
from sangam.transport.socket import ENDED, Connection, Owner, SocketState, Timing

from .assess import Dead, LiveShare, offered, use, worst
from .carriage import Carriage
from .pool import Caps
from .port import AccountHealth, Dialect, Granted, Pending, Refused, Sink
from .publisher import Tally, patcher, payload
from .trace import Tell, Watch
from .wants import Line, Want, WantKey, plan

log = logging.getLogger("sangam.feed")

_CALM = frozenset({AccountState.LIVE, AccountState.CLOSED_MARKET, AccountState.CONNECTING, AccountState.NO_SESSION})
_SHOWABLE = frozenset({AccountState.LIVE, AccountState.CLOSED_MARKET})
_ENDED = frozenset({AccountState.AUTH_EXPIRED, AccountState.REPLACED})


OrderListener = Callable[[str, OrderUpdate | BooksChanged], object]
"""Hears what an account's streams tell of its orders; BooksChanged also when a stream of orders came up, since nobody
knows what it missed."""


class Master(Protocol):
    """The instruments of one broker on one day."""

    @property
    def version(self) -> str: ...

    def lookup(self, symbol: str, exchange: str) -> Instrument:
        """Raises SymbolNotFound."""
        ...

    def by_token(self, token: str, exchange: str) -> Instrument | None: ...


@dataclass(frozen=True)
class FeedTools:
    """What every account's feed works with. `numbers` gives want ids and epochs that are unique in the process;
    `changed` hears of an account whose state is another one."""

    run: Callable[[BrokerSpec, Session, Operation[Any]], Awaitable[Any]]
    sink: Sink
    prices: Prices
    clock: Clock
    calendar: Calendar
    timing: Timing
    caps: Caps
    numbers: "itertools.count[int]"
    changed: Callable[[str], object] = lambda account: None
    ordered: OrderListener = lambda account, news: None
    traced: dict[tuple[str, str], Tell] = field(default_factory=dict)
    watched: Callable[[str, str, str], Iterable[Watch]] = lambda source, symbol, exchange: ()
    published: Histogram = field(default_factory=lambda: Histogram(STAGE_BOUNDS))


class AccountFeed:
    def __init__(self, account: AccountInfo, spec: BrokerSpec, tools: FeedTools) -> None:
        self.account = account
        self.spec = spec
        self.session: Session | None = None
        self.master: Master | None = None
        self._tools = tools
        self._carriage: Carriage | None = None
        self._wants: dict[WantKey, Want] = {}
        self._lines: dict[tuple[str, str], Line] = {}
        self._lives: dict[Connection, int] = {}
        self._reconnects = 0
        self._closing: set[asyncio.Task[None]] = set()
        self._generation = 0
        self._rest = (AccountState.NO_SESSION, "")
        self._state, self._detail = self._rest
        self._since = tools.clock.now_ms()
        self._live = LiveShare()
        self._tally = Tally()

    # --- wants --------------------------------------------------------------------------------------------------------

    def want(self, symbol: str, exchange: str, level: Level, dialect: Dialect, borrower: str = "") -> Want:
        """The want of that key with one more client behind it; one with a `refusal` was not taken."""
        level = level if level.mode is Mode.DEPTH else Level(level.mode)
        key = WantKey(symbol, exchange, level, dialect, borrower)
        want = self._wants.get(key)
        if want is None:
            want = Want(next(self._tools.numbers), key, self.spec.simulated)
            self._resolve(want)
            if want.refusal is None:
                self._wants[key] = want
        if want.refusal is None:
            want.count += 1
            if want.line is not None:
                want.line.relist()
        return want

    def answer(self, want: Want) -> Granted | Pending | Refused:
        """Nothing is granted on a dead session, not even what its sockets carried before."""
        if want.refusal is None and self._state in _ENDED:
            return Pending(want.id, want.level, self._ended)
        return want.answer()

    def release(self, want: Want) -> None:
        """One client less. The last one's want lingers, since programs often come back at once."""
        want.count -= 1
        if want.count:
            return
        if want.line is None:
            self._forget(want)
            return
        want.line.relist()
        if want.leaving is not None:
            want.leaving.cancel()
        want.leaving = asyncio.get_running_loop().call_later(want.line.linger, self._forget, want)

    def hand_over(self, want: Want) -> None:
        """Another account's streams serve this from now on."""
        if self._wants.get(want.key) is want:
            del self._wants[want.key]
        self._unserve(want)
        self._tools.sink.lapse(want.id)
        self._dismiss_idle()

    def take_over(self, want: Want) -> None:
        """A want that was made elsewhere, with the clients behind it; they hear at once what is known here."""
        if (lingering := self._wants.pop(want.key, None)) is not None:
            self._unserve(lingering)
        want.simulated = self.spec.simulated
        self._wants[want.key] = want
        self._resolve(want)
        self._refuse(want)
        if self.snapshot(want) is not None and want.line is not None:
            want.seq += 1
            self._tools.sink.publish(want.id, payload(want, want.line))

    def snapshot(self, want: Want) -> bytes | None:
        """The newest payload, where it may be shown as current."""
        line = want.line
        return payload(want, line) if line is not None and self._showable(line, want.level.mode) else None

    def current(self, symbol: str, exchange: str, mode: Mode) -> Last | None:
        """The state of an instrument that somebody listens to, where it may be shown as current."""
        line = self._lines.get((symbol, exchange))
        return line.last if line is not None and self._showable(line, mode) else None

    def _showable(self, line: Line, mode: Mode) -> bool:
        if self._state not in _SHOWABLE or not line.last.tells(mode):
            return False
        return self._state is AccountState.CLOSED_MARKET or self._heard_today(line)

    def _heard_today(self, line: Line) -> bool:
        """Sockets of long sessions stay up overnight; yesterday's price is no price of today's market."""
        received, now = line.last.received_at, self._tools.clock.now_ms()
        return received is not None and ist_from_ms(received).date() == ist_from_ms(now).date()

    def _forget(self, want: Want) -> None:
        if want.count == 0 and self._wants.get(want.key) is want:
            del self._wants[want.key]
            self._unserve(want)
            self._dismiss_idle()

    def _make_room(self) -> bool:
        """Let go of what only lingers; False when there was nothing."""
        lingering = [want for want in self._wants.values() if not want.count and want.line is not None]
        for want in lingering:
            del self._wants[want.key]
            self._unserve(want)
        return bool(lingering)

    def _resolve(self, want: Want) -> None:
        """Find the instrument and a place on the sockets; sets the want's line, refusal or what it waits for."""
        want.refusal = None
        if self._carriage is None:
            want.waits_for = f"{self.spec.title} is not logged in"
            return
        if self.master is None:
            want.waits_for = self._loading
            return
        if self._state in _ENDED:
            want.waits_for = self._ended
            return
        symbol, depth = split_depth_suffix(want.symbol)
        level = Level(want.key.level.mode, depth or want.key.level.depth)
        try:
            instrument = self.master.lookup(symbol, want.key.exchange)
        except SymbolNotFound as error:
            # A borrower's tokens are another broker's: here they may mean something else.
            named_by_token = None if want.key.borrower else self.master.by_token(symbol, want.key.exchange)
            if named_by_token is None:
                want.refusal = Refused(str(error), error.code)
                return
            # From now on it is this contract that is wanted, whatever the token means tomorrow.
            instrument, symbol = named_by_token, named_by_token.symbol
            want.symbol = symbol
        parts = plan(self.spec.streams, instrument, level)
        if not parts:
            reason = f"{self.spec.title} does not stream {level.mode.label} for {instrument.exchange.value}"
            want.refusal = Refused(reason)
            return
        want.level = parts[0].level if level.mode is Mode.DEPTH else Level(level.mode)
        line = self._lines.get((symbol, want.key.exchange))
        if line is None:
            line = self._lines[symbol, want.key.exchange] = Line(instrument, next(self._tools.numbers))
            self._tools.prices.put((self.account.id, symbol, want.key.exchange), line.last)
            self.overhear(symbol, want.key.exchange)
        line.add(want)
        if not self._carriage.put(line) and not (self._make_room() and self._carriage.put(line)):
            self._unserve(want)
            want.refusal = Refused(self._carriage.full_text(len(self._lines)), "MAX_CAPACITY_REACHED")
        self._dismiss_idle()

    def _unserve(self, want: Want) -> None:
        line = want.line
        if line is None:
            return
        line.remove(want)
        if line.wants and self._carriage is not None:
            self._carriage.put(line)
        else:
            self._drop(line)

    def _drop(self, line: Line) -> None:
        """Nobody needs this instrument any more, or it means another one."""
        self._lapse(line)
        for want in list(line.wants):
            line.remove(want)
        if self._carriage is not None:
            self._carriage.take_off(line)
        place = (line.instrument.symbol, line.instrument.exchange.value)
        self._lines.pop(place, None)
        self._tools.prices.drop((self.account.id, *place))

    def _refuse(self, want: Want) -> None:
        """Tell the clients of a want that was taken before."""
        refusal = want.refusal
        if refusal is not None and want.count:
            log.warning("%s: %s:%s refused: %s", self.account.id, want.key.exchange, want.key.symbol, refusal.reason)
            self._tools.sink.refuse(want.id, refusal.code, refusal.reason)

    def _refuse_line(self, line: Line, refusal: Refused) -> None:
        wants = list(line.wants)
        asyncio.get_running_loop().call_later(line.linger, self._dismiss_idle)
        self._drop(line)
        for want in wants:
            want.refusal = refusal
            self._wants.pop(want.key, None)
            self._refuse(want)

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """What clients ask for, as symbols and exchanges."""
        return [(split_depth_suffix(want.symbol)[0], want.key.exchange) for want in self._wants.values()]

    # --- session and master -------------------------------------------------------------------------------------------

    async def open(self, session: Session, master: Master | None) -> None:
        """Work with this session from now on; sockets of an older one are closed first.

        `master` None says that the instruments of this session are being loaded: wants stay pending until `use`."""
        await self.close(AccountState.CONNECTING)
        self.session = session
        self._generation = session.generation
        self.master = master
        self._carriage = Carriage(self.spec.streams, self._tools.caps, self._connector(session))
        self._resolve_all()
        self.refresh()

    def use(self, master: Master) -> None:
        """Another master: resolve everything again. What names the same instrument streams on undisturbed."""
        if self.session is None or (self.master is not None and self.master.version == master.version):
            return
        self.master = master
        self._resolve_all()
        self.refresh()

    async def close(self, state: AccountState = AccountState.NO_SESSION, detail: str = "") -> None:
        """Let go of the session; wants stay and wait for the next one."""
        connections = self._carriage.connections if self._carriage is not None else []
        for line in list(self._lines.values()):
            self._drop(line)
        self._carriage = self.session = self.master = None
        self._reconnects += sum(connection.reconnects for connection in connections)
        self._resolve_all()
        self._rest = (state, detail)
        self.refresh()
        await asyncio.gather(*(connection.stop() for connection in connections), *self._closing)
        self._lives.clear()

    def end(self) -> None:
        """The account is no more: whoever listens hears that nothing will come."""
        for want in self._wants.values():
            want.refusal = Refused(f"The account {self.account.id} was removed", "BROKER_ERROR")
            self._refuse(want)
        self._wants.clear()

    def _resolve_all(self) -> None:
        """Serve every want by what its words mean today, keeping lines whose instrument is the same."""
        for line in list(self._lines.values()):
            try:
                same = self.master is not None and line.instrument == self.master.lookup(
                    line.instrument.symbol, line.instrument.exchange.value
                )
            except SymbolNotFound:
                same = False
            if not same:
                self._drop(line)
        for want in list(self._wants.values()):
            if want.line is None and not want.count:
                self._wants.pop(want.key, None)
            elif want.line is None:
                self._resolve(want)
                self._refuse(want)
        self._dismiss_idle()

    # --- from the sockets ---------------------------------------------------------------------------------------------

    def _connector(self, session: Session) -> Callable[[Stream, dict[Key, Line]], Callable[[int], Connection]]:
        tools = self._tools

        async def run(operation: Operation[Any]) -> Any:
            return await tools.run(self.spec, session, operation)

        def connect(stream: Stream, lines: dict[Key, Line]) -> Callable[[int], Connection]:
            owner = Owner(
                patched=patcher(lines, tools.clock.now_ms, tools.sink.publish, self._tally),
                told=self._told(stream),
                changed=self._changed,
                expects_data=self._expects_data,
                took=tools.published.add,
            )
            return lambda number: Connection(
                stream, session, owner, run, tools.clock, tools.timing, f"{self.account.id}/{stream.name}#{number}"
            )

        return connect

    def _told(self, stream: Stream) -> Callable[[Event], None]:
        def told(event: Event) -> None:
            carriage = self._carriage
            match event:
                case OrderUpdate() | BooksChanged():
                    self._tools.ordered(self.account.id, event)
                case Refusal() if carriage is not None:
                    if (line := carriage.line(stream, event.key)) is not None:
                        self._refuse_line(line, Refused(event.reason))
                case LimitChanged() if carriage is not None:
                    log.warning("%s: the broker allows %d symbols per socket", self.account.id, event.symbols)
                    for line in carriage.shrink(stream, event.symbols):
                        text = carriage.full_text(len(self._lines))
                        self._refuse_line(line, Refused(text, "MAX_CAPACITY_REACHED"))
                case _:
                    log.debug("%s: %s", self.account.id, event)

        return told

    def _expects_data(self, connection: Connection) -> bool:
        carriage = self._carriage
        pool = carriage.pools.get(connection.stream.name) if carriage is not None else None
        return pool is not None and self._open_now(pool.exchanges(connection))

    def _open_now(self, exchanges: Iterable[Exchange]) -> bool:
        now = self._tools.clock.now_ms()
        return any(self._tools.calendar.is_open(now, exchange) for exchange in exchanges)

    def _changed(self, connection: Connection) -> None:
        if connection.state is SocketState.LIVE:
            before = self._lives.get(connection)
            self._lives[connection] = connection.reconnects
            if before != connection.reconnects and connection.stream.carries.orders:
                self._tools.ordered(self.account.id, BooksChanged())
            if before not in (None, connection.reconnects) and self._carriage is not None:
                # Up again, and updates may have been missed: a new epoch for all that this socket carries.
                for line in self._carriage.lines_on(connection):
                    line.discontinue(next(self._tools.numbers), connection.stream.carries.book_only)
                    self._lapse(line)
        self.refresh()

    def _lapse(self, line: Line) -> None:
        for want in line.wants:
            self._tools.sink.lapse(want.id)

    def _dismiss_idle(self) -> None:
        for connection in self._carriage.dismiss_idle() if self._carriage is not None else ():
            self._lives.pop(connection, None)
            self._reconnects += connection.reconnects
            task = asyncio.create_task(connection.stop(), name=f"close {connection.label}")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def overhear(self, symbol: str, exchange: str) -> None:
        """Trace and watch an instrument, or no longer, as the tools say."""
        if (line := self._lines.get((symbol, exchange))) is not None:
            tools, account = self._tools, self.account.id
            line.overhear(tools.traced.get((symbol, exchange)), tools.watched(account, symbol, exchange), account)

    # --- what can be seen ---------------------------------------------------------------------------------------------

    @property
    def _loading(self) -> str:
        return f"the instruments of {self.spec.title} are being loaded"

    @property
    def _ended(self) -> str:
        return f"{self.spec.title} needs a new login: {self._detail}"

    def refresh(self) -> None:
        """Work out the account's state and tell it when it is another one."""
        before, now = self._state, self._tools.clock.now_ms()
        self._live.look(now, before)
        self._state, self._detail = self._assess()
        if self._state is before:
            return
        self._since = now
        level = logging.INFO if self._state in _CALM else logging.WARNING
        reason = f" ({self._detail})" if self._detail else ""
        log.log(level, "%s: the feed is %s%s", self.account.id, self._state.value, reason)
        self._tools.changed(self.account.id)

    def _assess(self) -> tuple[AccountState, str]:
        if self._carriage is None:
            return self._rest
        if (trouble := worst(self._carriage.connections)) is not None:
            return trouble
        if self.master is None:
            return AccountState.CONNECTING, self._loading
        exchanges = {line.instrument.exchange for line in self._lines.values()} or self.spec.exchanges
        return (AccountState.LIVE if self._open_now(exchanges) else AccountState.CLOSED_MARKET), ""

    @property
    def dead(self) -> Dead | None:
        if self._state not in _ENDED:
            return None
        connections = self._carriage.connections if self._carriage else []
        ended = [each.stream.auth for each in connections if each.state in ENDED]
        return Dead(self._generation, self._state, self._detail, "default" in ended or not ended)

    def health(self) -> AccountHealth:
        received = (line.last.received_at for line in self._lines.values())
        carriage = self._carriage
        return AccountHealth(
            account=self.account.id,
            broker=self.spec.name,
            state=self._state,
            detail=self._detail,
            since=self._since,
            wants=sum(1 for want in self._wants.values() if want.count),
            last_data_at=max((at for at in received if at is not None), default=None),
            reconnects=self._reconnects + sum(each.reconnects for each in (carriage.connections if carriage else ())),
            updates=self._tally.updates,
            live_ratio=self._live.ratio,
            streams=use(carriage) if carriage else (),
            modes=offered(self.spec),
            simulated=self.spec.simulated,
        )
