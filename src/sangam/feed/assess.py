"""What can be seen of an account's feed: its state, worst socket first, and the figures behind it."""

from collections.abc import Iterable

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
