"""Fyers' three sockets: prices (HSM), books of fifty levels (TBT), and news of orders."""

import struct
from typing import TYPE_CHECKING, Any

import msgspec

from . import fyers_wire as wire
from .market import Market
from .session import Session

if TYPE_CHECKING:
    from .fyers import Fyers

MAX_TOPICS = 5000
MAX_BOOKS = 5
ACK_EVERY = 5
PING = 11
RECORDS = 300
"""In one message: its length is a word of 16 bits."""


class Hsm(Session):
    """Terms of a subscription are the topics of its market by their kinds (``sf``, ``dp``, ``if``): the number that
    each has on this socket, and what was told of it last."""

    simulator: "Fyers"
    hears_of_orders = False

    def __init__(self, simulator: "Fyers") -> None:
        super().__init__(simulator)
        self.known = False
        self.lite = False
        self.paused = False
        self.acknowledged = 0
        self._messages = 0
        self._numbers = 0
        self._told: dict[int, list[int]] = {}

    def received_binary(self, payload: bytes) -> None:
        kind = payload[2]
        if kind == 1:
            self._log_in(wire.fields_of(payload))
        elif kind == PING:
            return  # the SDK sends the first before it logs in
        elif not self.known:
            self.close()
        elif kind == 3:
            (self.acknowledged,) = struct.unpack(">I", wire.fields_of(payload)[1])
        elif kind in (4, 5):
            if not self.simulator.faults.swallow_subscriptions:
                names = wire.topics_of(wire.fields_of(payload)[1])
                (self._subscribe if kind == 4 else self._unsubscribe)(names)
        elif kind in (7, 8):
            self.paused = kind == 7
            self.send_binary(wire.answer(kind, b"K"))
        elif kind == 12:
            self.lite = wire.fields_of(payload)[2] == b"L"
            self.send_binary(wire.answer(kind, b"K"))

    def _log_in(self, fields: dict[int, bytes]) -> None:
        login = self.simulator.login
        self.known = login.alive and fields[1].decode() == login.hsm_key
        self.send_binary(wire.answer(1, b"K" if self.known else b"E", struct.pack(">I", ACK_EVERY)))

    def _subscribe(self, names: list[str]) -> None:
        wanted = [(name, found) for name in names if (found := self.simulator.topics.find(name[3:])) is not None]
        if len(self._told) + len(wanted) > min(MAX_TOPICS, self.simulator.plan):
            words = b"Symbol limit of your plan is reached"
            self.send_binary(wire.answer(51, struct.pack(">i", 51001), words, b"\x04"))
            return
        self.send_binary(wire.answer(4, b"K"))
        records = []
        for name, market in wanted:
            kind = name[:2]
            if (kind == "if") is not market.is_index:
                continue
            numbers: dict[str, int] = dict(self.subscriptions.get(market, {}))
            if kind not in numbers:
                self._numbers += 1
                numbers[kind] = self._numbers
                self.subscribe(market, numbers)
            told = self._told[numbers[kind]] = wire.values(kind, market)
            token = self.simulator.exchange.token(market.contract)
            records.append(wire.snapshot(numbers[kind], name, told, market, token))
        self._send_records(records)

    def _unsubscribe(self, names: list[str]) -> None:
        for name in names:
            market = self.simulator.topics.find(name[3:])
            numbers: dict[str, int] = dict(self.subscriptions.get(market, {})) if market is not None else {}
            if market is None or (number := numbers.pop(name[:2], None)) is None:
                continue
            self._told.pop(number, None)
            if numbers:
                self.subscribe(market, numbers)
            else:
                self.unsubscribe(market)
        self.send_binary(wire.answer(5, b"K"))

    def moved(self, markets: list[Market]) -> None:
        if self.paused or self.simulator.faults.mute:
            return
        records = []
        for market in markets:
            for kind, number in self.subscriptions.get(market, {}).items():
                before, after = self._told[number], wire.values(kind, market)
                if self.lite and kind != "dp" and before[0] != after[0]:
                    records.append(wire.lite(number, after[0]))
                elif not self.lite and before != after:
                    records.append(wire.update(number, before, after))
                self._told[number] = after
        self._send_records(records)

    def _send_records(self, records: list[bytes]) -> None:
        for start in range(0, len(records), RECORDS):
            self._messages += 1
            self.send_binary(wire.message(self._messages, records[start : start + RECORDS]))


class Tbt(Session):
    """Terms of a subscription are the book as it was told last, None before. A channel is silent until resumed."""

    simulator: "Fyers"
    hears_of_orders = False

    def __init__(self, simulator: "Fyers") -> None:
        super().__init__(simulator)
        self._resumed: set[str] = set()
        self._channels: dict[Market, str] = {}
        self._sequence = 0

    def received(self, text: bytes) -> None:
        if text == b"ping":
            self.send_text(b"pong")
            return
        if self.simulator.faults.swallow_subscriptions:
            return
        told = msgspec.json.decode(text)
        data = told["data"]
        if told["type"] == 2:
            self._resumed = (self._resumed | set(data["resumeChannels"])) - set(data["pauseChannels"])
        elif data["subs"] == 1:
            self._subscribe(data["symbols"], data["channel"])
        else:
            for market in filter(None, map(self.simulator.named, data["symbols"])):
                self.unsubscribe(market)
        self.moved(list(self.subscriptions))

    def _subscribe(self, symbols: list[str], channel: str) -> None:
        for market in filter(None, map(self.simulator.named, symbols)):
            if len(self.subscriptions) >= MAX_BOOKS:
                self.send_binary(wire.error_message("symbol limit reached"))
                return
            self._channels[market] = channel
            self.subscribe(market, None)

    def moved(self, markets: list[Market]) -> None:
        if self.simulator.faults.mute:
            return
        parts: dict[bool, list[bytes]] = {True: [], False: []}
        for market in markets:
            if market not in self.subscriptions or self._channels[market] not in self._resumed:
                continue
            before, now = self.subscriptions[market], wire.book(market)
            if before != now:
                self._sequence += 1
                token = self.simulator.exchange.token(market.contract)
                parts[before is None].append(wire.feed(market, token, now, before, self._sequence))
                self.subscribe(market, now)
        for whole, feeds in parts.items():
            if feeds:
                self.send_binary(wire.depth_message(feeds, whole=whole))


class Orders(Session):
    simulator: "Fyers"
    hears_of_orders = False

    def received(self, text: bytes) -> None:
        if text == b"ping":
            self.send_text(b"pong")
            return
        told: dict[str, Any] = msgspec.json.decode(text)
        if told.get("T") != "SUB_ORD" or "orders" not in told.get("SLIST", ()):
            self.send_text(b'{"code":-1600,"message":"Invalid request","s":"error"}')
            return
        self.hears_of_orders = told["SUB_T"] == 1
        self.send_text(b'{"code":1605,"message":"Successfully subscribed","s":"ok"}')
