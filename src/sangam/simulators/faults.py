"""The switchboard of a simulator: everything a real broker does to its clients on a bad day."""

from collections.abc import Mapping
from typing import Protocol

from .mishaps import Mishap, OrderFaults, Rumour

GARBAGE = bytes(range(256)) * 2


class Line(Protocol):
    """One client's socket, as far as faults reach it."""

    def close(self) -> None: ...
    def reset(self) -> None: ...
    def reset_mid_frame(self) -> None: ...
    def send_damaged(self, payload: bytes) -> None: ...
    def last_frame(self) -> bytes: ...
    def freeze(self) -> None: ...


class Target(Protocol):
    """What a simulator offers to its faults."""

    @property
    def lines(self) -> list[Line]: ...
    def expire_token(self) -> None: ...
    def replace_session(self) -> None: ...
    def broadcast(self, text: bytes) -> None: ...


class Faults:
    """Switches (`mute`, `swallow_subscriptions`, `max_sockets`) last until they are set back; methods act once.

    `orders` has the switches of order writes and pushes, which `mishap` and `order_weather` plan."""

    def __init__(self, target: Target) -> None:
        self.mute = False
        """Accept sockets and subscriptions, but send neither ticks nor heartbeats."""
        self.swallow_subscriptions = False
        """Read subscriptions and forget them; heartbeats go on."""
        self.max_sockets: int | None = None
        """Allow fewer sockets than the broker's own figure."""
        self.damaged_master: bytes | None = None
        """Serve these bytes in place of the instruments file."""
        self.orders = OrderFaults()
        self._target = target
        self._upgrades: list[int] = []
        self._replies: list[tuple[str, int]] = []

    def clear(self) -> None:
        """Set every switch back and forget planned refusals."""
        self.mute = self.swallow_subscriptions = False
        self.max_sockets = self.damaged_master = None
        self._upgrades.clear()
        self._replies.clear()
        self.orders.clear()

    def refuse_upgrades(self, status: int = 403, times: int = 1) -> None:
        """Answer the next WebSocket upgrades with this HTTP status."""
        self._upgrades += [status] * times

    def refuse_requests(self, status: int = 503, times: int = 1, path: str = "/") -> None:
        """Answer the next REST requests below `path` with this HTTP status and the broker's error envelope."""
        self._replies += [(path, status)] * times

    def close_sockets(self) -> None:
        """Close all sockets politely."""
        for line in self._target.lines:
            line.close()

    def kill_sockets(self) -> None:
        """Reset all connections without a word."""
        for line in self._target.lines:
            line.reset()

    def reset_mid_frame(self) -> None:
        """Send half a frame on every socket, then reset the connection."""
        for line in self._target.lines:
            line.reset_mid_frame()

    def freeze(self) -> None:
        """Go half-open: nothing is read, answered (pings included) or sent any more; the connections stay."""
        for line in self._target.lines:
            line.freeze()

    def send_garbage(self, payload: bytes = GARBAGE) -> None:
        """Send a frame of nonsense on every socket."""
        for line in self._target.lines:
            line.send_damaged(payload)

    def send_truncated(self) -> None:
        """Repeat the last data frame of every socket without its end."""
        for line in self._target.lines:
            if frame := line.last_frame():
                line.send_damaged(frame[: len(frame) - 3])

    def expire_token(self) -> None:
        """The session ends: sockets are cut, and only a new login is let in."""
        self._target.expire_token()

    def replace_session(self) -> None:
        """Another program logs in and takes the session."""
        self._target.replace_session()

    # --- order writes and pushes --------------------------------------------------------------------------------------

    def mishap(self, kind: Mishap, times: int = 1, *, seconds: float = 2.0, status: int = 503) -> None:
        """Let this happen to the next order writes: `seconds` is how late an answer comes, `status` which 5xx it is."""
        self.orders.mishap(kind, times, seconds=seconds, status=status)

    def order_weather(self, seed: int, rates: Mapping[Mishap | Rumour, float], *, seconds: float = 2.0) -> None:
        """From now on each order write and push meets these mishaps and rumours with their probabilities."""
        self.orders.weather(seed, rates, seconds=seconds)

    def hold_updates(self) -> None:
        """Keep order pushes back until `release_updates`."""
        self.orders.hold_updates()

    def release_updates(self, seed: int | None = None) -> None:
        """Send the held order pushes; with a seed, in another order."""
        for payload in self.orders.release_updates(seed):
            self._target.broadcast(payload)

    # --- asked by the simulator ---------------------------------------------------------------------------------------

    def upgrade_status(self) -> int | None:
        """The planned refusal of this upgrade, if any."""
        return self._upgrades.pop(0) if self._upgrades else None

    def request_status(self, path: str) -> int | None:
        """The planned refusal of this request, if any."""
        for number, (below, status) in enumerate(self._replies):
            if path.startswith(below):
                del self._replies[number]
                return status
        return None
