"""A feed, a loop and clients that gateway tests drive by hand."""

import heapq
import itertools
import json
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sangam.feed.port import AccountHealth, Dialect, Granted, Pending, Refused
from sangam.gateway.hub import Hub
from sangam.gateway.lanes import Key, Lane
from sangam.gateway.session import Services, Session
from sangam.gateway.settings import GatewaySettings
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import AccountState, Mode, Scope
from sangam.model.errors import AuthError
from sangam.model.identity import AccountInfo, Identity
from sangam.model.instrument import Level

MAIN = AccountInfo("u1-main", "u1", "alpha")
SECOND = AccountInfo("u1-second", "u1", "beta")
OTHER = AccountInfo("u2-main", "u2", "alpha")

KEYS = {
    "key-u1": Identity(
        user="u1", key_id="k1", scopes=frozenset(Scope), accounts=(MAIN, SECOND), data_account=MAIN, order_account=MAIN
    ),
    "key-u1-slow": Identity(
        user="u1", key_id="k2", scopes=frozenset({Scope.DATA}), accounts=(MAIN,), data_account=MAIN, interval_ms=250
    ),
    "key-u1-none": Identity(user="u1", key_id="k3", scopes=frozenset(), accounts=(MAIN,), data_account=MAIN),
    "key-u2": Identity(user="u2", key_id="k4", scopes=frozenset(Scope), accounts=(OTHER,), data_account=OTHER),
    "key-empty": Identity(user="u3", key_id="k5", scopes=frozenset(Scope)),
}


def authenticate(api_key: str) -> Identity:
    try:
        return KEYS[api_key]
    except KeyError:
        raise AuthError("Invalid API key") from None


class FakeFeed:
    """Equal wants share an id. Symbols of `refusals` are refused, those of `pendings` are taken as pending; for those
    of `slow` the answer is a pending one until `answers` holds another."""

    def __init__(self) -> None:
        self.ids: dict[tuple[str, str, str, Level, Dialect], int] = {}
        self.held: Counter[int] = Counter()
        self.answers: dict[int, Granted | Pending | Refused] = {}
        self.snapshots: dict[int, bytes] = {}
        self.refusals: dict[str, Refused] = {"NOPE": Refused("Symbol 'NOPE' not found", "SYMBOL_NOT_FOUND")}
        self.pendings = {"LATER": "no session; log in first"}
        self.slow: set[str] = set()
        self.on_want: Callable[[int], None] | None = None
        self.states: dict[str, AccountState] = {}

    def want(
        self, account: str, symbol: str, exchange: str, level: Level, dialect: Dialect = Dialect.CANONICAL
    ) -> Granted | Pending | Refused:
        if symbol in self.refusals:
            return self.refusals[symbol]
        level = Level(level.mode, 20 if symbol.endswith(":20") else 5)
        want = self.ids.setdefault((account, symbol, exchange, level, dialect), len(self.ids) + 1)
        self.held[want] += 1
        if self.on_want is not None:
            self.on_want(want)
        if symbol in self.pendings:
            return Pending(want, level, self.pendings[symbol])
        later = Pending(want, level, "the feed was asked for it", asked=True)
        return self.answers.setdefault(want, later if symbol in self.slow else Granted(want, level))

    def answered(self, want: int) -> Granted | Pending | Refused:
        return self.answers[want]

    def release(self, want: int) -> None:
        self.held[want] -= 1
        assert self.held[want] >= 0, "released more often than taken"

    def snapshot(self, want: int) -> bytes | None:
        return self.snapshots.get(want)

    def sequence(self, want: int) -> int:
        return want * 100

    def health(self, account: str) -> AccountHealth:
        state = self.states.get(account, AccountState.LIVE)
        return AccountHealth(account=account, broker="alpha", state=state, modes={"NSE": {"Depth": (5, 20)}})

    @property
    def total_held(self) -> int:
        return sum(self.held.values())

    def id(self, symbol: str, mode: int = 2, account: str = MAIN.id, dialect: Dialect = Dialect.CANONICAL) -> int:
        """The want of an instrument that somebody asked for."""
        (found,) = (
            want
            for (acc, sym, _, level, dia), want in self.ids.items()
            if (acc, sym, level.mode, dia) == (account, symbol, mode, dialect)
        )
        return found


class ManualLoop:
    """`Timers` that run when told to; time moves from timer to timer."""

    def __init__(self) -> None:
        self.clock = ManualClock(datetime(2025, 4, 1, 10, 0, tzinfo=IST))
        self._ready: deque[Callable[[], object]] = deque()
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()

    def call_soon(self, callback: Callable[[], object], /) -> object:
        self._ready.append(callback)
        return None

    def call_later(self, delay: float, callback: Callable[[], object], /) -> object:
        heapq.heappush(self._timers, (self.clock.monotonic() + delay, next(self._count), callback))
        return None

    def turn(self) -> None:
        """One turn: what is ready now, not what it makes ready."""
        for _ in range(len(self._ready)):
            self._ready.popleft()()

    def settle(self) -> None:
        """Turn until nothing is ready; timers wait."""
        for _ in range(10_000):
            if not self._ready:
                return
            self.turn()
        raise AssertionError("the loop never rests")

    def advance(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        self.settle()
        while self._timers and self._timers[0][0] <= end + 1e-9:
            due, _, callback = heapq.heappop(self._timers)
            self.clock.advance(max(0.0, due - self.clock.monotonic()))
            self._ready.append(callback)
            self.settle()
        self.clock.advance(max(0.0, end - self.clock.monotonic()))


def make_lane(interval: int = 50, dialect: Dialect = Dialect.CANONICAL, symbol: str = "TCS:20") -> Lane:
    return Lane(1, Key("acc", symbol, "NSE", Mode.DEPTH), interval, "alpha", dialect)


def unframe(data: bytes) -> list[bytes]:
    """The payloads of unmasked text frames."""
    payloads = []
    while data:
        assert data[0] == 0x81
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        payloads.append(data[start : start + size])
        assert len(payloads[-1]) == size
        data = data[start + size :]
    return payloads


class Client:
    """A session on a wire that records. While `full`, the wire takes nothing and says so to the hub."""

    def __init__(self, world: "World", dialect: Dialect = Dialect.CANONICAL) -> None:
        self.peer = "test:1"
        self.writes: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.world = world
        self.session = Session(world.services, self, dialect)

    def write(self, data: bytes, /) -> None:
        assert data
        self.writes.append(data)

    def close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = (code, reason)
            self.session.end(flush=True)

    def close_later(self, delay: float, code: int, reason: str) -> None:
        self.world.loop.call_later(delay, lambda: self.close(code, reason))

    def unsent(self) -> int:
        return 7

    def pause(self) -> None:
        self.world.hub.delivery.pause(self.session.outbox)

    def resume(self) -> None:
        self.world.hub.delivery.resume(self.session.outbox)

    def say(self, **message: object) -> None:
        self.session.receive(json.dumps(message).encode())
        self.world.loop.settle()

    def ask(self, **message: object) -> dict[str, Any]:
        """Say something and return the first message that comes back."""
        self.heard()
        self.say(**message)
        return self.heard()[0]

    def login(self, api_key: str = "key-u1", **more: object) -> "Client":
        assert "error" not in self.ask(action="authenticate", api_key=api_key, **more).values()
        return self

    def heard(self) -> list[dict[str, Any]]:
        """The messages since the last call."""
        payloads = unframe(b"".join(self.writes))
        self.writes.clear()
        return [json.loads(payload) for payload in payloads]


class World:
    """A hub with its fake feed and hand-driven loop."""

    def __init__(self, **settings: Any) -> None:
        self.loop = ManualLoop()
        self.settings = GatewaySettings(**settings)
        self.feed = FakeFeed()
        self.hub = Hub(self.settings, self.loop.clock, self.loop)
        self.services = Services(self.feed, self.hub, authenticate, ["alpha", "beta"], self.settings, self.loop.clock)

    def client(self, api_key: str | None = "key-u1", **more: object) -> Client:
        client = Client(self)
        return client.login(api_key, **more) if api_key else client

    def publish(self, symbol: str, payload: bytes, mode: int = 2) -> None:
        self.hub.publish(self.feed.id(symbol, mode), payload)
