"""Runs in the environment of paho-mqtt, which IIFL Capital's bridgePy is made of: connects as that does, and reads
packets by ctypes structures of its layout.

A line of JSON is a command with its arguments; a line of JSON answers it."""

import ctypes
import json
import sys
import threading
from typing import Any

import paho.mqtt.client as mqtt  # type: ignore[import-not-found,import-untyped,unused-ignore]
from paho.mqtt.enums import CallbackAPIVersion  # type: ignore[import-not-found,import-untyped,unused-ignore]

PATIENCE = 10.0


class Level(ctypes.LittleEndianStructure):
    _pack_ = 2
    _fields_ = (
        ("quantity", ctypes.c_uint32),
        ("price", ctypes.c_int32),
        ("orders", ctypes.c_int16),
        ("side", ctypes.c_int16),
    )


class MarketWatch(ctypes.LittleEndianStructure):
    _pack_ = 2
    _fields_ = (
        ("ltp", ctypes.c_int32),
        ("lastTradedQuantity", ctypes.c_uint32),
        ("tradedVolume", ctypes.c_uint32),
        ("high", ctypes.c_int32),
        ("low", ctypes.c_int32),
        ("open", ctypes.c_int32),
        ("close", ctypes.c_int32),
        ("averageTradedPrice", ctypes.c_int32),
        ("reserved", ctypes.c_uint16),
        ("bestBidQuantity", ctypes.c_uint32),
        ("bestBidPrice", ctypes.c_int32),
        ("bestAskQuantity", ctypes.c_uint32),
        ("bestAskPrice", ctypes.c_int32),
        ("totalBidQuantity", ctypes.c_uint32),
        ("totalAskQuantity", ctypes.c_uint32),
        ("priceDivisor", ctypes.c_int32),
        ("lastTradedTime", ctypes.c_int32),
        ("depth", Level * 10),
    )


class Interest(ctypes.LittleEndianStructure):
    _fields_ = tuple((name, ctypes.c_int32) for name in ("openInterest", "dayHighOi", "dayLowOi", "previousOi"))


class Index(ctypes.LittleEndianStructure):
    _pack_ = 1
    _fields_ = (
        ("indexId", ctypes.c_uint8),
        ("time", ctypes.c_uint16),
        ("value", ctypes.c_uint32),
        ("upMoves", ctypes.c_uint16),
        ("downMoves", ctypes.c_uint16),
        ("close", ctypes.c_uint32),
        ("priceDivisor", ctypes.c_int32),
    )


def plain(read: Any) -> dict[str, Any]:
    told = {name: getattr(read, name) for name, *_ in read._fields_}
    if "depth" in told:
        told["depth"] = [plain(level) for level in told["depth"]]
    return told


def decode(data: bytes) -> dict[str, Any]:
    if len(data) == ctypes.sizeof(Index):
        return plain(Index.from_buffer_copy(data))
    if len(data) == ctypes.sizeof(Interest):
        return plain(Interest.from_buffer_copy(data))
    return plain(MarketWatch.from_buffer_copy(data[: ctypes.sizeof(MarketWatch)]))


class Bridge:
    """One client at a time; whatever comes is kept."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self.answers: list[Any] = []
        self.turn = threading.Condition()

    def wait(self, done: Any) -> None:
        with self.turn:
            if not self.turn.wait_for(done, PATIENCE):
                sys.exit("paho waited in vain")

    def tell(self, where: list[Any], what: Any) -> None:
        with self.turn:
            where.append(what)
            self.turn.notify_all()

    def answer(self, which: Any, what: Any) -> None:
        """One that was refused may tell of its end when the next is there already."""
        if which is self.client:
            self.tell(self.answers, what)

    def connect(self, host: str, port: int, user: str, password: str, keep_alive: int = 20) -> Any:
        client = self.client = mqtt.Client(
            client_id="bridgePy180826100000",
            protocol=mqtt.MQTTv311,
            callback_api_version=CallbackAPIVersion.VERSION2,
            reconnect_on_failure=False,
        )
        self.heard, self.answers = [], []
        client.username_pw_set(user, password)
        client.on_connect = lambda which, _, __, code, ___: self.answer(which, str(code))
        client.on_subscribe = lambda which, _, __, codes, ___: self.answer(which, [code.value for code in codes])
        client.on_unsubscribe = lambda which, *_: self.answer(which, "left")
        client.on_disconnect = lambda which, _, __, code, ___: self.answer(which, f"gone: {code}")
        client.on_message = lambda _, __, told: self.tell(self.heard, (told.topic, told.payload, told.retain))
        client.connect(host, port, keepalive=keep_alive)
        client.loop_start()
        return self.answered()

    def answered(self) -> Any:
        self.wait(lambda: self.answers)
        return self.answers.pop(0)

    def subscribe(self, topics: list[str]) -> Any:
        self.client.subscribe([(topic, 0) for topic in topics])
        return self.answered()

    def unsubscribe(self, topics: list[str]) -> Any:
        self.client.unsubscribe(topics)
        return self.answered()

    def hear(self, topic: str, count: int) -> list[Any]:
        self.wait(lambda: sum(heard[0] == topic for heard in self.heard) >= count)
        found = [heard for heard in self.heard if heard[0] == topic]
        self.heard = [heard for heard in self.heard if heard[0] != topic]
        return [{"hex": payload.hex(), "retained": retained} for _, payload, retained in found]

    def count(self) -> int:
        return len(self.heard)

    def connected(self) -> bool:
        return bool(self.client.is_connected())

    def disconnect(self) -> Any:
        self.client.disconnect()
        told = self.answered()
        self.client.loop_stop()
        return told

    def decode(self, data: str) -> dict[str, Any]:
        return decode(bytes.fromhex(data))


bridge = Bridge()
for line in sys.stdin:
    name, *arguments = json.loads(line)
    sys.stdout.write(json.dumps(getattr(bridge, name)(*arguments)) + "\n")
    sys.stdout.flush()
