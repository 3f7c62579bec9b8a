"""A broker's sockets for one program: ticks merged per instrument, and news of orders."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from sangam.brokers.contract import BrokerSpec, Event, Operation, Session, Stream
from sangam.model.clock import Clock
from sangam.model.enums import Mode
from sangam.model.errors import Denied, Unsupported
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, Key, Patch
from sangam.transport.socket import Connection, Owner, Timing

from .answers import Tick

Run = Callable[[Operation[Any]], Awaitable[Any]]


class _Known:
    """What was told of one instrument so far."""

    def __init__(self, instrument: Instrument, simulated: bool) -> None:
        self.instrument = instrument
        self.simulated = simulated
        self.fields: dict[str, Any] = {}
        self.depth: Depth | None = None

    def merge(self, patch: Patch) -> Tick | None:
        """None before the first price."""
        self.fields.update(patch.fields)
        if patch.depth is not None or patch.full:
            self.depth = patch.depth
        return tick(self.instrument, self.fields, self.depth, self.simulated)


def tick(instrument: Instrument, fields: Any, depth: Depth | None, simulated: bool) -> Tick | None:
    if fields.get("ltp") is None:
        return None
    return Tick(
        symbol=instrument.symbol, exchange=instrument.exchange.value, simulated=simulated, depth=depth, **fields
    )


class Streams:
    """One connection per stream of the broker. Lives on the loop. `changed` hears of the connection that carries
    orders, or of any where none does."""

    def __init__(
        self,
        spec: BrokerSpec,
        session: Session,
        run: Run,
        clock: Clock,
        *,
        ticked: Callable[[Tick], None],
        told: Callable[[Event], None],
        changed: Callable[[Connection], None],
    ) -> None:
        self._spec = spec
        self._session = session
        self._run = run
        self._clock = clock
        self._ticked = ticked
        self._told = told
        self._changed = changed
        self._timing = Timing(backoff_first=0.5, backoff_cap=5.0)
        self._connections: dict[str, Connection] = {}
        self._known: dict[tuple[str, Key], _Known] = {}
        self._held: dict[Instrument, tuple[Stream, Key]] = {}

    @property
    def orders(self) -> Stream | None:
        """The stream that tells of orders."""
        return next((stream for stream in self._spec.streams if stream.carries.orders), None)

    def start(self) -> None:
        for stream in self._spec.streams:
            if stream.carries.orders or stream.opens == "with_session":
                self._connection(stream)

    async def stop(self) -> None:
        for connection in self._connections.values():
            await connection.stop()

    def want(self, instrument: Instrument, mode: Mode) -> None:
        level = Level(mode)
        stream = next((each for each in self._spec.streams if each.carries.serves(instrument, level)), None)
        key = stream.key(instrument) if stream is not None else None
        if stream is None or key is None:
            raise Unsupported(f"{self._spec.title} does not stream {mode.label} of {instrument.exchange}.")
        connection = self._connection(stream)
        if key not in connection.wanted and len(connection.wanted) >= stream.limits.symbols_per_socket:
            raise Denied(f"{self._spec.title} streams at most {stream.limits.symbols_per_socket} instruments at once.")
        self.unwant(instrument)
        self._held[instrument] = (stream, key)
        self._known[stream.name, key] = _Known(instrument, self._spec.simulated)
        connection.want(key, stream.carries.granted(level))

    def unwant(self, instrument: Instrument) -> None:
        held = self._held.pop(instrument, None)
        if held is not None:
            stream, key = held
            self._known.pop((stream.name, key), None)
            self._connections[stream.name].unwant(key)

    def _connection(self, stream: Stream) -> Connection:
        if stream.name not in self._connections:
            watched = stream is (self.orders or self._spec.streams[0])
            owner = Owner(
                patched=partial(self._patched, stream.name),
                told=self._told,
                changed=self._changed if watched else _deaf,
                expects_data=lambda connection: False,
            )
            self._connections[stream.name] = Connection(
                stream, self._session, owner, self._run, self._clock, self._timing, f"client {stream.name}"
            )
        return self._connections[stream.name]

    def _patched(self, stream: str, patch: Patch) -> None:
        known = self._known.get((stream, patch.key))
        told = known.merge(patch) if known is not None else None
        if told is not None:
            self._ticked(told)


def _deaf(connection: Connection) -> None:
    """The state of a stream that only carries prices."""
