"""The feed of one account: its wants, the sockets that serve them, and the state clients see.

A want is kept by what the client asked, not by what the broker calls it: whenever the session's generation or the
master changes, every want is resolved again, so a token that means another contract today is never followed."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from sangam.brokers.contract import (
    BrokerSpec,
    Event,
    LimitChanged,
    Operation,
    Refusal,
    Session,
    Stream,
)
from sangam.model.calendar import Calendar
from sangam.model.clock import Clock
from sangam.model.enums import AccountState, Exchange, Mode
from sangam.model.errors import SymbolNotFound
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Instrument, Level, split_depth_suffix
from sangam.model.market import Key, OrderUpdate, Patch
from sangam.prices.prices import Prices
from sangam.transport.socket import Connection, Owner, SocketState, Timing

from .order_news import order_message
from .pool import Caps, Pool
from .port import AccountHealth, Dialect, Refused, Sink, StreamUse
from .publisher import Bodies, flat
from .wants import Line, Part, Want, WantKey, plan

log = logging.getLogger("sangam.feed")


class Master(Protocol):
    """The instruments of one broker on one day."""

    @property
    def version(self) -> str: ...

    def lookup(self, symbol: str, exchange: str) -> Instrument:
        """Raises SymbolNotFound."""
        ...

    def by_brsymbol(self, brsymbol: str, brexchange: str) -> Instrument | None: ...


@dataclass(frozen=True)
class FeedTools:
    """What every account's feed works with. `numbers` gives want ids and epochs that are unique in the process."""

    run: Callable[[BrokerSpec, Session, Operation[Any]], Awaitable[Any]]
    sink: Sink
    prices: Prices
    clock: Clock
    calendar: Calendar
    timing: Timing
    caps: Caps
    numbers: "itertools.count[int]"


class AccountFeed:
    def __init__(self, account: AccountInfo, spec: BrokerSpec, tools: FeedTools) -> None:
        self.account = account
        self.spec = spec
        self.session: Session | None = None
        self.master: Master | None = None
        self._tools = tools
        self._ended: tuple[AccountState, str] | None = None
        self._state = AccountState.NO_SESSION
        self._since = tools.clock.now_ms()
        self._wants: dict[WantKey, Want] = {}
        self._lines: dict[tuple[str, str], Line] = {}
        self._by_key: dict[str, dict[Key, Line]] = {stream.name: {} for stream in spec.streams}
        self._pools: dict[str, Pool] = {}
        self._lives: dict[Connection, int] = {}
        self._reconnects = 0
        self._closing: set[asyncio.Task[None]] = set()

    # --- wants --------------------------------------------------------------------------------------------------------

    def want(self, symbol: str, exchange: str, level: Level, dialect: Dialect) -> Want:
        """The want of that key with one more client behind it; one with a `refusal` was not taken."""
        key = WantKey(symbol, exchange, level, dialect)
        want = self._wants.get(key)
        if want is None:
            want = Want(next(self._tools.numbers), key)
            self._resolve(want)
            if want.refusal is None:
                self._wants[key] = want
        if want.refusal is None:
            want.count += 1
            if want.line is not None:
                want.line.relist()
        return want

    def release(self, want: Want) -> None:
        """One client less. The last one's want lingers, since programs often come back at once."""
        want.count -= 1
        if want.count:
            return
        if want.line is None:
            self._forget(want)
            return
        want.line.relist()
        linger = max(part.stream.linger for part in want.line.parts)
        asyncio.get_running_loop().call_later(linger, self._forget, want)

    def _forget(self, want: Want) -> None:
        if want.count == 0 and self._wants.get(want.key) is want:
            del self._wants[want.key]
            self._unserve(want)

    def _resolve(self, want: Want) -> None:
        """Find the instrument and a place on the sockets; sets the want's line, refusal or what it waits for."""
        want.refusal = None
        if self.session is None:
            want.waits_for = f"{self.spec.title} is not logged in"
            return
        if self.master is None:
            want.waits_for = f"the instruments of {self.spec.title} are not loaded yet"
            return
        symbol, depth = split_depth_suffix(want.key.symbol)
        level = Level(want.key.level.mode, depth or want.key.level.depth)
        try:
            instrument = self.master.lookup(symbol, want.key.exchange)
        except SymbolNotFound as error:
            want.refusal = Refused(str(error), error.code)
            return
        parts = plan(self.spec.streams, instrument, level)
        if not parts:
            want.refusal = Refused(
                f"{self.spec.title} does not stream {level.mode.label} for {instrument.exchange.value}"
            )
            return
        want.level = Level(level.mode, parts[0].level.depth) if level.mode is Mode.DEPTH else Level(level.mode)
        line = self._lines.get((symbol, want.key.exchange))
        if line is None:
            line = self._lines[symbol, want.key.exchange] = Line(instrument, next(self._tools.numbers))
            self._tools.prices.put((self.account.id, symbol, want.key.exchange), line.last)
        line.add(want)
        if not self._place(line):
            want.refusal = Refused(self._full(), "MAX_CAPACITY_REACHED")
            self._unserve(want)

    def _place(self, line: Line) -> bool:
        """Carry the line at the level its wants need; False (and nothing changed) when the sockets are full."""
        parts = plan(self.spec.streams, line.instrument, line.level())
        before = {(part.stream.name, part.key): part for part in line.parts}
        for part in parts:
            if not self._pools[part.stream.name].put(part.key, line.instrument, part.level):
                self._restore(line, parts)
                return False
            self._by_key[part.stream.name][part.key] = line
            before.pop((part.stream.name, part.key), None)
        for name, key in before:
            self._pools[name].drop(key)
            del self._by_key[name][key]
        if line.parts and parts[0].level.mode < line.parts[0].level.mode:
            line.last.narrow(parts[0].level.mode)
        line.parts = parts
        line.last.whole = len(parts) == 1
        return True

    def _restore(self, line: Line, tried: tuple[Part, ...]) -> None:
        kept = {(part.stream.name, part.key): part for part in line.parts}
        for part in tried:
            pool = self._pools[part.stream.name]
            old = kept.get((part.stream.name, part.key))
            if old is not None:
                pool.put(part.key, line.instrument, old.level)
            else:
                pool.drop(part.key)
                self._by_key[part.stream.name].pop(part.key, None)

    def _unserve(self, want: Want) -> None:
        line = want.line
        if line is None:
            return
        line.remove(want)
        if line.wants:
            self._place(line)
            return
        self._drop_line(line)
        self._close_idle()

    def _drop_line(self, line: Line) -> None:
        for part in line.parts:
            self._pools[part.stream.name].drop(part.key)
            self._by_key[part.stream.name].pop(part.key, None)
        place = (line.instrument.symbol, line.instrument.exchange.value)
        self._lines.pop(place, None)
        self._tools.prices.drop((self.account.id, *place))

    def _full(self) -> str:
        pool = max(self._pools.values(), key=lambda pool: pool.symbols_per_socket * pool.max_sockets)
        return (
            f"Maximum capacity reached: {pool.max_sockets} connections × {pool.symbols_per_socket} symbols = "
            f"{pool.max_sockets * pool.symbols_per_socket} symbols. Currently subscribed to {len(self._lines)} symbols."
        )

    # --- session and master -------------------------------------------------------------------------------------------

    async def open(self, session: Session, master: Master | None) -> None:
        """Work with this session from now on; sockets of an older one are closed first.

        `master` None says that the instruments of this session are still being loaded: wants stay pending."""
        await self.close()
        self.session = session
        self.master = master
        self._ended = None
        tools = self._tools
        groups: dict[str, list[Pool]] = {}
        for stream in self.spec.streams:
            pool = self._pools[stream.name] = Pool(stream, tools.caps, self._connector(stream, session))
            if stream.limits.group:
                pool.sharers = groups.setdefault(stream.limits.group, [])
                pool.sharers.append(pool)
        for pool in self._pools.values():
            if pool.stream.opens == "with_session":
                pool.open_first()
        self._resolve_all()
        self.refresh()

    def use(self, master: Master) -> None:
        """Another master: resolve everything again. What names the same instrument streams on undisturbed."""
        if self.master is not None and self.master.version == master.version:
            return
        self.master = master
        if self.session is not None:
            self._resolve_all()
            self.refresh()

    async def close(self, state: AccountState = AccountState.NO_SESSION, detail: str = "") -> None:
        """Let go of the session; wants stay and wait for the next one."""
        pools, self._pools = self._pools, {}
        connections = [connection for pool in pools.values() for connection in pool.connections]
        await asyncio.gather(*(connection.stop() for connection in connections), *self._closing)
        self._reconnects += sum(connection.reconnects for connection in connections)
        self._lives.clear()
        self.session = None
        self.master = None
        for keys in self._by_key.values():
            keys.clear()
        for line in list(self._lines.values()):
            line.parts = ()
            self._drop_line(line)
        for want in self._wants.values():
            want.line = None
            want.waits_for = f"{self.spec.title} is not logged in"
        self._ended = (state, detail)
        self.refresh()

    def _resolve_all(self) -> None:
        """Serve every want by what its words mean today, keeping lines whose instrument is the same."""
        if self.master is None or self.session is None:
            for want in self._wants.values():
                self._resolve(want)
            return
        for line in list(self._lines.values()):
            try:
                today: Instrument | None = self.master.lookup(line.instrument.symbol, line.instrument.exchange.value)
            except SymbolNotFound:
                today = None
            if today != line.instrument:
                for want in list(line.wants):
                    line.remove(want)
                self._drop_line(line)
        for want in list(self._wants.values()):
            if want.line is None:
                self._resolve(want)
                if want.refusal is not None and want.count:
                    self._tell_refused(want)

    def _tell_refused(self, want: Want) -> None:
        refusal = want.refusal
        if refusal is not None:
            log.warning("%s: %s:%s refused: %s", self.account.id, want.key.exchange, want.key.symbol, refusal.reason)
            self._tools.sink.refuse(want.id, refusal.code, refusal.reason)

    # --- from the sockets ---------------------------------------------------------------------------------------------

    def _connector(self, stream: Stream, session: Session) -> Callable[[int], Connection]:
        tools = self._tools
        owner = Owner(
            patched=self._patcher(self._by_key[stream.name]),
            told=self._told(stream),
            changed=self._changed,
            expects_data=self._expects_data,
        )

        async def run(operation: Operation[Any]) -> Any:
            return await tools.run(self.spec, session, operation)

        def connect(number: int) -> Connection:
            label = f"{self.account.id}/{stream.name}#{number}"
            return Connection(stream, session, owner, run, tools.clock, tools.timing, label)

        return connect

    def _patcher(self, lines: dict[Key, Line]) -> Callable[[Patch], None]:
        """The hot path: one patch merged, encoded once per wanted mode and handed over."""
        find = lines.get
        now_ms = self._tools.clock.now_ms
        publish = self._tools.sink.publish

        def patched(patch: Patch) -> None:
            line = find(patch.key)
            if line is None:
                return  # unsubscribed a moment ago
            priced = "ltp" in patch.fields
            last = line.last
            last.merge(patch, now_ms())
            bodies = Bodies(last, line.scale)
            for want in line.listened:
                level = want.level
                mode = level.mode
                if (priced or mode is not Mode.LTP) and last.tells(mode):
                    want.seq += 1
                    if want.key.dialect is Dialect.FLAT:
                        publish(want.id, flat(want.key.symbol, want.key.exchange, level, last))
                    else:
                        publish(want.id, b"".join((want.head, b"%d" % want.seq, bodies.of(level))))

        return patched

    def _told(self, stream: Stream) -> Callable[[Event], None]:
        def told(event: Event) -> None:
            match event:
                case OrderUpdate():
                    message = order_message(event, self.account, self.master)
                    self._tools.sink.order(self.account.id, message)
                case Refusal():
                    line = self._by_key[stream.name].get(event.key)
                    if line is not None:
                        self._refuse_line(line, Refused(event.reason))
                case LimitChanged():
                    log.warning("%s: the broker allows %d symbols per socket", self.account.id, event.symbols)
                    self._shrink(stream, event.symbols)
                case _:
                    log.debug("%s: %s", self.account.id, event)

        return told

    def _refuse_line(self, line: Line, refusal: Refused) -> None:
        wants = list(line.wants)
        for want in wants:
            line.remove(want)
        self._drop_line(line)
        for want in wants:
            want.refusal = refusal
            if want.count:
                self._tell_refused(want)
            self._wants.pop(want.key, None)

    def _shrink(self, stream: Stream, symbols: int) -> None:
        pool = self._pools[stream.name]
        lines = [self._by_key[stream.name][key] for key in pool.shrink(symbols)]
        for line in lines:
            for part in line.parts:
                self._pools[part.stream.name].drop(part.key)
        for line in lines:
            if not self._place(line):
                self._refuse_line(line, Refused(self._full(), "MAX_CAPACITY_REACHED"))

    def _expects_data(self, connection: Connection) -> bool:
        pool = self._pools.get(connection.stream.name)
        return pool is not None and self._open_now(pool.exchanges(connection))

    def _open_now(self, exchanges: Iterable[Exchange]) -> bool:
        now = self._tools.clock.now_ms()
        return any(self._tools.calendar.is_open(now, exchange) for exchange in exchanges)

    def _changed(self, connection: Connection) -> None:
        if connection.state is SocketState.LIVE:
            before = self._lives.get(connection)
            if before is not None and before != connection.reconnects:
                self._discontinue(connection)
            self._lives[connection] = connection.reconnects
        self.refresh()

    def _discontinue(self, connection: Connection) -> None:
        """The socket is up again and updates may have been missed: a new epoch for all that it carries."""
        pool = self._pools.get(connection.stream.name)
        lines = self._by_key[connection.stream.name]
        for key in pool.keys_on(connection) if pool else ():
            if (line := lines.get(key)) is not None:
                line.discontinue(next(self._tools.numbers))

    def _close_idle(self) -> None:
        for pool in self._pools.values():
            for connection in pool.idle():
                pool.forget(connection)
                self._lives.pop(connection, None)
                task = asyncio.create_task(connection.stop(), name=f"close {connection.label}")
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    # --- what can be seen ---------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Work out the account's state and tell it when it is another one."""
        state, detail = self._assess()
        if state is self._state:
            return
        level = logging.INFO if state in _CALM else logging.WARNING
        log.log(level, "%s: feed is %s%s", self.account.id, state.value, f" ({detail})" if detail else "")
        self._state = state
        self._since = self._tools.clock.now_ms()
        self._tools.sink.state(self.health())

    def _assess(self) -> tuple[AccountState, str]:
        if self.session is None:
            return self._ended or (AccountState.NO_SESSION, "")
        connections = [connection for pool in self._pools.values() for connection in pool.connections]
        for state in _WORST_FIRST:
            for connection in connections:
                if connection.state is state:
                    return AccountState(state.value), connection.detail
        exchanges = {line.instrument.exchange for line in self._lines.values()} or self.spec.exchanges
        return (AccountState.LIVE if self._open_now(exchanges) else AccountState.CLOSED_MARKET), ""

    def snapshot(self, want: Want) -> bytes | None:
        """The newest payload, where it may be shown as current."""
        line = want.line
        if line is None or self._state not in _SHOWABLE or not line.last.tells(want.level.mode):
            return None
        if want.key.dialect is Dialect.FLAT:
            return flat(want.key.symbol, want.key.exchange, want.level, line.last)
        return b"".join((want.head, b"%d" % want.seq, Bodies(line.last, line.scale).of(want.level)))

    def health(self) -> AccountHealth:
        received = [line.last.received_at for line in self._lines.values() if line.last.received_at is not None]
        connections = [connection for pool in self._pools.values() for connection in pool.connections]
        modes: dict[str, dict[str, tuple[int, ...]]] = {}
        for stream in self.spec.streams:
            for exchange in sorted(stream.carries.exchanges):
                for mode, depths in stream.carries.modes.items():
                    told = modes.setdefault(exchange.value, {}).get(mode.label, ())
                    modes[exchange.value][mode.label] = tuple(sorted({*told, *depths}))
        return AccountHealth(
            account=self.account.id,
            broker=self.spec.name,
            state=self._state,
            detail=self._assess()[1],
            since=self._since,
            wants=sum(1 for want in self._wants.values() if want.count),
            last_data_at=max(received, default=None),
            reconnects=self._reconnects + sum(connection.reconnects for connection in connections),
            streams=tuple(
                StreamUse(name, len(pool), len(pool.connections), pool.symbols_per_socket, pool.max_sockets)
                for name, pool in self._pools.items()
            ),
            modes=modes,
        )


_CALM = frozenset({AccountState.LIVE, AccountState.CLOSED_MARKET, AccountState.CONNECTING, AccountState.NO_SESSION})
_SHOWABLE = frozenset({AccountState.LIVE, AccountState.CLOSED_MARKET})
_WORST_FIRST = (
    SocketState.AUTH_EXPIRED,
    SocketState.REPLACED,
    SocketState.RECONNECTING,
    SocketState.STALE,
    SocketState.CONNECTING,
)
