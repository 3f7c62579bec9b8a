"""`LEGACY_ZMQ_INGRESS`: prices from programs that publish as the reference implementation's adapters do
(specs: contract-ws.md, 8). Whatever they call a field, the account `external` hears it in our words."""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
import zmq

from sangam.feed.external import External
from sangam.model.clock import Clock
from sangam.model.enums import Exchange, Mode
from sangam.model.market import Depth, DepthLevel, Fields

from .sockets import Socket
from .topic import Topic, parse_topic

log = logging.getLogger("sangam.bus")

RATE = 5_000
"""Messages per second that are read; more are dropped, and counted."""
_QUEUE = 10_000
_TELL_SECONDS = 1.0

_PRICES = {
    "ltp": ("ltp", "last_price", "lp"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close", "prev_close"),
    "avg_trade_price": ("avg_trade_price", "average_price", "atp"),
    "upper_circuit": ("upper_circuit",),
    "lower_circuit": ("lower_circuit",),
    "bid_price": ("bid_price", "bid"),
    "ask_price": ("ask_price", "ask"),
}
_COUNTS = {
    "volume": ("volume",),
    "oi": ("oi", "open_interest"),
    "last_trade_quantity": ("last_trade_quantity", "last_quantity", "ltq"),
    "total_buy_quantity": ("total_buy_quantity",),
    "total_sell_quantity": ("total_sell_quantity",),
    "bid_size": ("bid_size", "bid_qty"),
    "ask_size": ("ask_size", "ask_qty"),
}
_TIMES = {"timestamp": ("timestamp",), "ltt": ("ltt",)}
_SECONDS_END = 100_000_000_000
"""A time below this is in seconds: as milliseconds it would lie before 1974."""


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
    depth = _depth(row.get("depth"))
    fields: dict[str, float | int] = {}
    for names, read in ((_PRICES, _price), (_COUNTS, _count), (_TIMES, _time)):
        fields |= _fields(row, names, read)
    if fields.get("ltp", 0) <= 0:
        fields.pop("ltp", None)
        if topic.mode is not Mode.DEPTH or depth is None:
            return None
    return Told(topic.symbol, topic.exchange, fields, depth)  # type: ignore[arg-type] # the tables name Fields' own


def _topic(text: str, brokers: list[str]) -> Topic | None:
    symbol, mark, exchange = text.partition("#")
    if mark:
        return Topic(symbol, exchange, Mode.LTP) if symbol and exchange in Exchange.__members__ else None
    return parse_topic(text, brokers) or parse_topic(text.partition("_")[2])  # a broker that we do not know


def _fields(
    row: Mapping[str, Any], names: Mapping[str, tuple[str, ...]], read: Callable[[Any], float | int | None]
) -> dict[str, float | int]:
    """The first spelling of each field that can be read."""
    found = {}
    for name, spellings in names.items():
        value = next((value for each in spellings if (value := read(row.get(each))) is not None), None)
        if value is not None:
            found[name] = value
    return found


def _price(value: Any) -> float | None:
    """Numbers and texts of numbers."""
    if not isinstance(value, (int, float, str)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _count(value: Any) -> int | None:
    number = _price(value)
    return int(number) if number is not None and 0 <= number < 2**53 else None


def _time(value: Any) -> int | None:
    number = _count(value)
    if not number:
        return None
    return number * 1000 if number < _SECONDS_END else number


def _depth(book: Any) -> Depth | None:
    if not isinstance(book, dict):
        return None
    depth = Depth(_side(book.get("buy")), _side(book.get("sell")))
    return depth if depth.buy or depth.sell else None


def _side(rows: Any) -> list[DepthLevel]:
    found = []
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and (price := _price(row.get("price"))) and price > 0:
            found.append(DepthLevel(price, _count(row.get("quantity")) or 0, _count(row.get("orders")) or 0))
    return found
