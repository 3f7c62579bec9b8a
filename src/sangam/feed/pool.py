"""The sockets of one stream: opened when needed, filled up to the broker's limits."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from sangam.brokers.contract import Stream
from sangam.model.enums import Exchange
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key
from sangam.transport.socket import ENDED, Connection


@dataclass(frozen=True)
class Caps:
    """The user's own limits; they narrow the broker's figures and never widen them."""

    symbols_per_socket: int | None = None
    sockets: int | None = None


@dataclass
class _Place:
    connection: Connection
    exchange: Exchange
    cost: int
    part: Hashable


@dataclass
class _Load:
    cost: int = 0
    exchanges: dict[Exchange, int] = field(default_factory=dict)
    part: Hashable = None


class Pool:
    """Puts instruments on sockets. A new socket is opened by `connect(number)` when all others are full."""

    def __init__(self, stream: Stream, caps: Caps, connect: Callable[[int], Connection]) -> None:
        self.stream = stream
        self.symbols_per_socket = min(stream.limits.symbols_per_socket, caps.symbols_per_socket or 1 << 30)
        self.max_sockets = min(stream.limits.sockets, caps.sockets or 1 << 30)
        self.sharers: list[Pool] = [self]
        self._connect = connect
        self._loads: dict[Connection, _Load] = {}
        self._places: dict[Key, _Place] = {}

    @property
    def connections(self) -> list[Connection]:
        return list(self._loads)

    def __len__(self) -> int:
        return len(self._places)

    def open_first(self) -> None:
        """Open a socket that has nothing to carry yet."""
        if not self._loads:
            self._new()

    def put(self, key: Key, instrument: Instrument, level: Level) -> bool:
        """Carry an instrument at a level, or change its level; False when every socket is full."""
        cost = self.stream.cost(instrument, level)
        part = self.stream.partition(instrument, level)
        place = self._places.get(key)
        if place is not None:
            load = self._loads[place.connection]
            if place.part == part and load.cost - place.cost + cost <= self.symbols_per_socket:
                load.cost += cost - place.cost
                place.cost = cost
                place.connection.want(key, level)
                return True
            self.drop(key)
        connection = self._room(cost, part)
        if connection is None:
            return False
        load = self._loads[connection]
        load.cost += cost
        load.part = part
        load.exchanges[instrument.exchange] = load.exchanges.get(instrument.exchange, 0) + 1
        self._places[key] = _Place(connection, instrument.exchange, cost, part)
        connection.want(key, level)
        return True

    def drop(self, key: Key) -> None:
        place = self._places.pop(key, None)
        if place is None:
            return
        load = self._loads[place.connection]
        load.cost -= place.cost
        load.exchanges[place.exchange] -= 1
        if not load.exchanges[place.exchange]:
            del load.exchanges[place.exchange]
        place.connection.unwant(key)

    def shrink(self, symbols: int) -> list[Key]:
        """The broker told a smaller limit: the keys that must find another place, newest first."""
        self.symbols_per_socket = min(self.symbols_per_socket, max(1, symbols))
        excess = {connection: load.cost - self.symbols_per_socket for connection, load in self._loads.items()}
        over: list[Key] = []
        for key, place in reversed(self._places.items()):
            if excess[place.connection] > 0:
                excess[place.connection] -= place.cost
                over.append(key)
        return over

    def idle(self) -> list[Connection]:
        """Sockets that carry nothing and need not stay open. One that ended for good stays in its place: a new one
        would try the same dead credential again."""
        keep = 1 if self.stream.opens == "with_session" or self.stream.stays else 0
        loads = list(self._loads.items())[keep:]
        return [connection for connection, load in loads if not load.cost and connection.state not in ENDED]

    def forget(self, connection: Connection) -> None:
        """A socket that carries nothing was closed."""
        del self._loads[connection]

    def exchanges(self, connection: Connection) -> list[Exchange]:
        """The exchanges whose instruments a socket carries."""
        load = self._loads.get(connection)
        return list(load.exchanges) if load else []

    def keys_on(self, connection: Connection) -> list[Key]:
        return [key for key, place in self._places.items() if place.connection is connection]

    def _room(self, cost: int, part: Hashable) -> Connection | None:
        for connection, load in self._loads.items():
            if load.cost + cost <= self.symbols_per_socket and (not load.cost or load.part == part):
                return connection
        return self._new() if cost <= self.symbols_per_socket and self._may_open() else None

    def _may_open(self) -> bool:
        """Whether neither this stream's sockets nor those of its group are all in use."""
        budget = max(pool.max_sockets for pool in self.sharers)
        return len(self._loads) < self.max_sockets and sum(len(pool._loads) for pool in self.sharers) < budget

    def _new(self) -> Connection:
        connection = self._connect(len(self._loads) + 1)
        self._loads[connection] = _Load()
        return connection
