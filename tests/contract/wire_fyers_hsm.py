"""Fyers' data socket: binary fields, a login frame, acknowledgements, and topics that the server numbers."""

import base64
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec

from sangam.brokers.contract import (
    AuthExpired,
    BaseCodec,
    Confirmed,
    Ctx,
    Endpoint,
    LoggedIn,
    Notice,
    Operation,
    Result,
    Send,
    Session,
    batches,
)  # fmt: skip
from sangam.brokers.wire import Message
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError, SessionExpired
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch

URL = "wss://socket.fyers.in/hsm/v1-5/prod"
SOURCE = b"PythonSDK-3.2.0"
CHANNEL = 11
SEGMENTS = {"1010": "nse_cm", "1011": "nse_fo", "1120": "mcx_fo", "1210": "bse_cm", "1211": "bse_fo"}
INDICES = {"NSE:NIFTY50-INDEX": "Nifty 50", "NSE:NIFTYBANK-INDEX": "Nifty Bank"}
UNKNOWN = -(2**31)
PRICES = {"ltp", "bid_price", "ask_price", "avg_trade_price", "low", "high", "open", "close"}
TIMES = {"ltt", "timestamp"}
SCRIP = ("ltp", "volume", "ltt", "timestamp", "bid_size", "ask_size", "bid_price", "ask_price", "last_trade_quantity",
         "total_buy_quantity", "total_sell_quantity", "avg_trade_price", "oi", "low", "high", "", "", "", "",
         "open", "close")  # fmt: skip
INDEX = ("ltp", "close", "timestamp", "high", "low", "open")
FIELDS = {"sf": SCRIP, "if": INDEX, "dp": ("",) * 30}


def frame(kind: int, *values: bytes, length: int | None = None) -> bytes:
    body = bytes((kind, len(values)))
    for number, value in enumerate(values, 1):
        body += struct.pack(">BH", number, len(value)) + value
    return struct.pack(">H", len(body) if length is None else length) + body


def open_stream(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    claims = session.secrets["access_token"].split(".")[1]
    claims = msgspec.json.decode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    if claims["exp"] * 1000 <= ctx.now_ms:
        raise SessionExpired("the access token has ended")
    return Endpoint(url=session.hosts.get("hsm", URL), facts={"hsm_key": claims["hsm_key"]})
    yield


class Codec(BaseCodec):
    """Keys are topics of prices (``sf|segment|token``, ``if|segment|name``); ``dp`` topics of books share their key."""

    def __init__(self, session: Session, endpoint: Endpoint, ctx: Ctx) -> None:
        super().__init__()
        self.login = frame(1, endpoint.facts["hsm_key"].encode(), b"P", b"\x01", SOURCE)
        self.overhead = 18 + len(session.secrets["access_token"]) + len(SOURCE)
        self.topics: dict[int, tuple[str, float, list[int]]] = {}
        self.asked: deque[tuple[Key, ...]] = deque()
        self.ack_every = self.unacked = 0

    def opened(self) -> Iterable[Result]:
        return (Send(self.login),)

    def heartbeat(self) -> Iterable[Result]:
        return (Send(b"\x00\x01\x0b"),)

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        before, after = topics(self.sent), topics(wanted)
        self.changes(wanted)
        for kind, changed in ((5, before.keys() - after), (4, after.keys() - before)):
            for batch in batches(sorted(changed), 1500):
                names = struct.pack(">H", len(batch)) + b"".join(bytes((len(t),)) + t.encode() for t in batch)
                keys = tuple(dict.fromkeys(after[topic] for topic in batch)) if kind == 4 else ()
                self.asked.append(keys)
                yield Send(frame(kind, names, bytes((CHANNEL,)), length=self.overhead + len(names)), keys)

    def received(self, message: Message) -> Iterator[Result]:
        if not isinstance(message, bytes) or len(message) < 4:
            raise DecodeError("HSM frame is cut")
        try:
            if message[2] == 6:
                yield from self.data(message)
            else:
                yield from self.answer(message[2], dict(tlv(message)))
        except (struct.error, IndexError, KeyError, ValueError) as error:
            raise DecodeError(f"HSM frame: {error!r}") from None

    def answer(self, kind: int, fields: dict[int, bytes]) -> Iterator[Result]:
        if kind == 51:
            yield Notice("error", f"{struct.unpack('>i', fields[1])[0]} {fields[2].decode(errors='replace')}")
        elif kind == 1 and fields[1] == b"K":
            (self.ack_every,) = struct.unpack(">I", fields[2])
            yield Send(frame(12, struct.pack(">Q", 1 << CHANNEL), b"F", length=0))
            yield LoggedIn()
        elif kind == 1:
            yield AuthExpired("the data socket refused the key")
        elif kind in (4, 5) and self.asked and (keys := self.asked.popleft()):
            yield Confirmed(keys)

    def data(self, message: bytes) -> Iterator[Result]:
        number, count = struct.unpack_from(">IH", message, 3)
        at = 9
        for _ in range(count):
            kind, topic = struct.unpack_from(">BH", message, at)
            at += 3
            if kind == 0x4C:
                values = [struct.unpack_from(">i", message, at)[0]]
                at += 4
            else:
                if kind == 0x53:
                    name = message[at + 1 : at + 1 + message[at]].decode()
                    at += 1 + message[at]
                size = message[at]
                values = list(struct.unpack_from(f">{size}i", message, at + 1))
                at += 1 + 4 * size
                if kind == 0x53:
                    multiplier, precision = struct.unpack_from(">HB", message, at + 2)
                    at += 5
                    for _text in range(3):
                        at += 1 + message[at]
                    if name[:2] in FIELDS:
                        self.topics[topic] = name, max(1.0, 10.0 ** min(precision, 9) * multiplier), []
            if topic in self.topics:
                yield self.patch(*self.topics[topic], values)
        self.unacked += 1
        if self.ack_every and self.unacked >= self.ack_every:
            self.unacked = 0
            yield Send(frame(3, struct.pack(">I", number)))

    def patch(self, name: str, scale: float, known: list[int], values: list[int]) -> Patch:
        names = FIELDS[name[:2]]
        if len(values) > len(names):
            raise DecodeError(f"HSM record of {len(values)} fields")
        if name.startswith("dp"):
            known[:] = [old if new == UNKNOWN else new for old, new in zip(known or [0] * 30, values, strict=True)]
            rows = [list(map(DepthLevel, (p / scale for p in known[s : s + 5]), known[s + 10 : s + 15],
                             known[s + 20 : s + 25])) for s in (0, 5)]  # fmt: skip
            return Patch("sf" + name[2:], {}, Depth(*([row for row in side if row.quantity] for side in rows)))
        fields: dict[str, Any] = {field: value for field, value in zip(names, values, strict=False)
                                  if field and value != UNKNOWN}  # fmt: skip
        for field, value in fields.items():
            fields[field] = value / scale if field in PRICES else value * 1000 if field in TIMES else value
        return Patch(name, cast(Fields, fields))


def tlv(message: bytes) -> Iterator[tuple[int, bytes]]:
    at = 4
    for _ in range(message[3]):
        number, size = struct.unpack_from(">BH", message, at)
        yield number, message[at + 3 : at + 3 + size]
        at += 3 + size


def topics(wanted: Mapping[Any, Level]) -> dict[str, Key]:
    books = {"dp" + key[2:]: key for key, level in wanted.items() if level.mode is Mode.DEPTH and key[:2] == "sf"}
    return {key: key for key in wanted} | books


def key(instrument: Instrument) -> Key | None:
    if instrument.exchange is Exchange.NSE_INDEX:
        return f"if|nse_cm|{INDICES[instrument.brsymbol]}" if instrument.brsymbol in INDICES else None
    segment = SEGMENTS.get(instrument.token[:4])
    return f"sf|{segment}|{instrument.token[10:]}" if segment else None
