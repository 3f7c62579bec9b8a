"""Tradejini: a ``sub`` replaces the whole list of its feed; frames are key-value packets, their prices scaled by a
segment that may come last."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec
from tests.contract.driver import make_spec

from sangam.brokers.contract import (
    AuthExpired,
    BaseCodec,
    BooksChanged,
    Carries,
    Confirmed,
    Ctx,
    Endpoint,
    Operation,
    Reply,
    Request,
    Result,
    Send,
    Session,
    Stream,
    StreamLimits,
    WireRequest,
    done,
)  # fmt: skip
from sangam.brokers.wire import Message
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError, Unknown
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch

HOSTS = {"api": "https://api.tradejini.com/v2", "stream": "wss://api.tradejini.com/v2.1/stream"}
SEGMENTS = ("", "NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCD", "MCX", "NCO", "BCO")
DIVISORS = {5: 1e7, 6: 1e4, 7: 1e4, 9: 1e4, 10: 1e4}
L1, L5, AUTH, EVENT = 10, 11, 13, 15
PRICE = {29: "ltp", 30: "open", 31: "high", 32: "low", 33: "close", 36: "avg_trade_price", 42: "upper_circuit",
         43: "lower_circuit", 49: "bid_price", 52: "ask_price"}  # fmt: skip
PLAIN = {39: "last_trade_quantity", 40: "volume", 44: "oi", 46: "ltt", 47: "total_buy_quantity", 50: "bid_size",
         48: "total_sell_quantity", 53: "ask_size", 59: "oi_day_high", 60: "oi_day_low"}  # fmt: skip
SIZES = {**dict.fromkeys([25, 26, 28, 55, 57, 62], "B"), 56: "H", 41: "d",
         **dict.fromkeys([27, *range(29, 39), 42, 43, 45, 46, 49, 52, 70, 71, 74], "i"),
         **dict.fromkeys([39, 40, 44, 47, 48, 50, 51, 53, 54, 58, 59, 60], "I")}  # fmt: skip


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {session.secrets['api_key']}:{session.secrets['access_token']}"}


def check(request: Request, reply: Reply) -> Any:
    if not isinstance(reply.payload, dict) or reply.payload.get("s") != "ok":
        raise Unknown(f"Tradejini: HTTP {reply.status} {reply.payload}")
    return reply.payload["d"]


def open_stream(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    token = f"{session.secrets['api_key']}:{session.secrets['access_token']}"
    return done(
        Endpoint(
            url=f"{session.host('stream', HOSTS)}?token={token}&version=3.1",
            dead_credential=frozenset({401, 403, 4001}),
        )
    )


class Codec(BaseCodec):
    """Keys are stream symbols, ``<token>_<segment>``."""

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        before, changes = self.sent, self.changes(wanted)
        for feed, lowest in (("L1", Mode.LTP), ("L5", Mode.DEPTH)):
            old, new = ([key for key in keys if keys[key].mode >= lowest] for keys in (before, wanted))
            if set(old) != set(new):
                request: dict[str, Any] = {"type": feed, "action": "sub" if new else "unsub"}
                if new:
                    request["tokens"] = [{"t": key} for key in new]
                yield Send(msgspec.json.encode(request).decode() + "\n", tuple(changes.added))
        if changes.added:
            yield Confirmed(tuple(changes.added))

    def received(self, message: Message) -> Iterator[Result]:
        if not isinstance(message, bytes) or len(message) < 6 or message[4] != 1 or message[5] not in (0, 100):
            raise DecodeError("Tradejini frame is damaged")
        try:
            data = message[6:] if message[5] == 0 else zlib.decompressobj().decompress(message[6:], 1 << 20)
            at = 0
            while at < len(data):
                size, kind = struct.unpack_from("<hB", data, at)
                if size < 3 or at + size > len(data):
                    raise DecodeError(f"Tradejini packet of {size} bytes")
                if kind in (L1, L5):
                    yield quote(kind, list(pairs(data[at + 3 : at + size])))
                elif kind == AUTH and dict(pairs(data[at + 3 : at + size])).get(25) != 1:
                    yield AuthExpired("the stream refused the token")
                elif kind == EVENT:
                    yield BooksChanged()
                at += size
        except (struct.error, zlib.error) as error:
            raise DecodeError(f"Tradejini packet: {error}") from None


def pairs(data: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        form = SIZES.get(data[at])
        if form is None:
            raise DecodeError(f"Tradejini: unknown key {data[at]}")
        yield data[at], struct.unpack_from("<" + form, data, at + 1)[0]
        at += 1 + struct.calcsize(form)


def quote(kind: int, items: list[tuple[int, Any]]) -> Patch:
    values = dict(items)
    segment = values.get(26, 0)
    if not 0 < segment < len(SEGMENTS) or 27 not in values:
        raise DecodeError("Tradejini packet names no instrument")
    key, scale = f"{values[27]}_{SEGMENTS[segment]}", DIVISORS.get(segment, 100.0)
    fields: dict[str, Any] = {name: values[number] for number, name in PLAIN.items() if number in values}
    fields |= {name: values[number] / scale for number, name in PRICE.items() if number in values}
    if "ltt" in fields:
        fields["ltt"] *= 1000
    if kind == L1:
        return Patch(key, cast(Fields, fields))
    columns = [[value for number, value in items if number == wanted] for wanted in range(49, 55)]
    sides = ([DepthLevel(price / scale, quantity, orders) for price, quantity, orders in zip(*side, strict=False)]
             for side in (columns[:3], columns[3:]))  # fmt: skip
    totals = {name: fields[name] for name in ("total_buy_quantity", "total_sell_quantity") if name in fields}
    return Patch(key, cast(Fields, totals), Depth(*sides))


def key(instrument: Instrument) -> Key | None:
    segment = instrument.exchange.removesuffix("_INDEX")
    return f"{instrument.token}_{segment}" if segment in SEGMENTS else None


STREAM = Stream(
    name="data",
    carries=Carries(
        {Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)},
        frozenset(each for each in Exchange if each.removesuffix("_INDEX") in SEGMENTS),
    ),
    open=open_stream,
    codec=lambda *_: Codec(),
    key=key,
    limits=StreamLimits(symbols_per_socket=3000, sockets=5),
)
SPEC = make_spec("tradejini", HOSTS, authorize, check, STREAM)
