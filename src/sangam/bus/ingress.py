"""`LEGACY_ZMQ_INGRESS`: prices from programs that publish as the reference implementation's adapters do
(specs: contract-ws.md, 8). Whatever they call a field, the account `external` hears it in our words."""

import asyncio
import logging
from typing import NamedTuple

import msgspec
import zmq

from sangam.feed import foreign
from sangam.feed.external import External
from sangam.model.clock import Clock
from sangam.model.enums import Exchange, Mode
from sangam.model.market import Depth, Fields

from .sockets import Socket
from .topic import Topic, parse_topic

log = logging.getLogger("sangam.bus")

RATE = 5_000
"""Messages per second that are read; more are dropped, and counted."""
_QUEUE = 10_000
_TELL_SECONDS = 1.0


class Told(NamedTuple):
    """One message in our words."""

    symbol: str
    exchange: str
    fields: Fields
    depth: Depth | None


class Ingress:
    """Binds, reads, hands over. `figures` are counters."""

    def __init__(self, external: External, brokers: list[str], clock: Clock) -> None:
        self.endpoint = ""
        self.taken = self.dropped = self.ignored = 0
        self._external = external
        self._brokers = brokers
        self._clock = clock
        self._allowance = float(RATE)
        self._at = clock.monotonic()
        self._dropped_told = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, endpoint: str) -> None:
        """Bind; `endpoint` tells afterwards where. Raises ConfigError."""
        self._context = zmq.Context(io_threads=1)
        self._socket = Socket(self._context, zmq.SUB, self._received, queue=_QUEUE)
        try:
            self._socket.raw.setsockopt(zmq.SUBSCRIBE, b"")
            self.endpoint = self._socket.bind(endpoint)
        except BaseException:
            self.close()
            raise
        self._tick()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._socket.close()
        self._context.term()

    def figures(self) -> dict[str, int]:
        return {
            "ingress_taken_total": self.taken,
            "ingress_dropped_total": self.dropped,
            "ingress_ignored_total": self.ignored,
        }

    def _tick(self) -> None:
        self._external.refresh()
        if self.dropped > self._dropped_told:
            log.warning("More than %d messages a second from outside: %d dropped", RATE, self.dropped)
            self._dropped_told = self.dropped
        self._timer = asyncio.get_running_loop().call_later(_TELL_SECONDS, self._tick)

    def _received(self, frames: list[bytes]) -> None:
        if not self._may_pass():
            self.dropped += 1
            return
        told = translate(frames, self._brokers)
        if told is None:
            self.ignored += 1
        else:
            self.taken += 1
            self._external.hear(*told)

    def _may_pass(self) -> bool:
        now = self._clock.monotonic()
        self._allowance = min(RATE, self._allowance + (now - self._at) * RATE)
        self._at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True


def translate(frames: list[bytes], brokers: list[str]) -> Told | None:
    """Topic and JSON, in two frames; None for what is no price (orders, positions, damage), whatever the bytes."""
    try:
        name, data = frames
        topic = _topic(name.decode(), brokers)
        row = msgspec.json.decode(data)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None
    if topic is None or not isinstance(row, dict):
        return None
    if isinstance(row.get("data"), dict):
        row = row["data"]
    fields, depth = foreign.read(row)
    if "ltp" not in fields and (topic.mode is not Mode.DEPTH or depth is None):
        return None
    return Told(topic.symbol, topic.exchange, fields, depth)


def _topic(text: str, brokers: list[str]) -> Topic | None:
    symbol, mark, exchange = text.partition("#")
    if mark:
        return Topic(symbol, exchange, Mode.LTP) if symbol and exchange in Exchange.__members__ else None
    return parse_topic(text, brokers) or parse_topic(text.partition("_")[2])  # a broker that we do not know
