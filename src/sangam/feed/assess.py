"""What can be seen of an account's feed: its state, worst socket first, and the figures behind it."""

from collections.abc import Iterable
from typing import NamedTuple

from sangam.brokers.contract import BrokerSpec
from sangam.model.enums import AccountState
from sangam.transport.socket import Connection, SocketState

from .carriage import Carriage
from .port import StreamUse

_WORST_FIRST = (
    SocketState.AUTH_EXPIRED,
    SocketState.REPLACED,
    SocketState.RECONNECTING,
    SocketState.STALE,
    SocketState.CONNECTING,
)


class Dead(NamedTuple):
    """A session that the broker no longer takes, or gave to another program, by its generation. `whole`: all of it, and
    not only a credential that streams have for themselves."""

    generation: int
    state: AccountState
    reason: str
    whole: bool = True


class LiveShare:
    """How much of the market hours since the start a feed was live."""

    def __init__(self) -> None:
        self._seen_ms: int | None = None
        self._open_ms = 0
        self._live_ms = 0

    def look(self, now_ms: int, state: AccountState) -> None:
        """Told at each look at the state; the time since the last look counts for the state that is over now."""
        passed = 0 if self._seen_ms is None else now_ms - self._seen_ms
        self._seen_ms = now_ms
        if state not in (AccountState.CLOSED_MARKET, AccountState.NO_SESSION):
            self._open_ms += passed
            self._live_ms += passed if state is AccountState.LIVE else 0

    @property
    def ratio(self) -> float:
        """From 0 to 1; 1 while no market hour has passed."""
        return self._live_ms / self._open_ms if self._open_ms else 1.0


def worst(connections: Iterable[Connection]) -> tuple[AccountState, str] | None:
    """The state of the socket that is worst off, with its reason; None when all are live."""
    told = list(connections)
    for state in _WORST_FIRST:
        for connection in told:
            if connection.state is state:
                return AccountState(state.value), connection.detail
    return None


def offered(spec: BrokerSpec) -> dict[str, dict[str, tuple[int, ...]]]:
    """Exchange -> mode label -> depth levels, over all streams of a broker."""
    modes: dict[str, dict[str, tuple[int, ...]]] = {}
    for stream in spec.streams:
        for exchange in sorted(stream.carries.exchanges):
            row = modes.setdefault(exchange.value, {})
            for mode, depths in stream.carries.modes.items():
                row[mode.label] = tuple(sorted({*row.get(mode.label, ()), *depths}))
    return modes


def use(carriage: Carriage) -> tuple[StreamUse, ...]:
    return tuple(
        StreamUse(name, len(pool), len(pool.connections), pool.symbols_per_socket, pool.max_sockets)
        for name, pool in carriage.pools.items()
    )
