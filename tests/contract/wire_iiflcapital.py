"""IIFL Capital: MQTT over a TLS stream; one topic with prices and book, another with open interest."""

import base64
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec
from tests.contract.driver import make_spec

from sangam.brokers.contract import (
    BaseCodec,
    Carries,
    Confirmed,
    Ctx,
    Endpoint,
    Operation,
    Refusal,
    Reply,
    Request,
    Result,
    Send,
    Session,
    Stream,
    StreamLimits,
    WireRequest,
    batches,
    done,
)  # fmt: skip
from sangam.brokers.wire import Granted, Message, MqttMessage, MqttSubscribe, MqttUnsubscribe
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError, Unknown
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch

HOSTS = {"api": "https://api.iiflcapital.com/v1", "stream": "tls://bridge.iiflcapital.com:8883"}
SEGMENTS = {
    Exchange.NSE: "nseeq", Exchange.BSE: "bseeq", Exchange.NFO: "nsefo", Exchange.BFO: "bsefo",
    Exchange.MCX: "mcxcomm", Exchange.NSE_INDEX: "nseeq", Exchange.BSE_INDEX: "bseeq",
}  # fmt: skip
MARKET = struct.Struct("<iIIiiiii2xIiIiIIii")
NAMES = ("ltp", "last_trade_quantity", "volume", "high", "low", "open", "close", "avg_trade_price", "bid_size",
         "bid_price", "ask_size", "ask_price", "total_buy_quantity", "total_sell_quantity")  # fmt: skip
PRICES = {"ltp", "high", "low", "open", "close", "avg_trade_price", "bid_price", "ask_price"}
FEED = "prod/marketfeed/"


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {session.secrets['user_session']}"}


def check(request: Request, reply: Reply) -> Any:
    if not isinstance(reply.payload, dict) or reply.payload.get("status") != "Ok":
        raise Unknown(f"IIFL Capital: HTTP {reply.status} {reply.payload}")
    return reply.payload["result"]


def open_stream(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    token = session.secrets["user_session"]
    claims = token.split(".")[1]
    user = msgspec.json.decode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["preferred_username"]
    login = {"client_id": f"sangam{ctx.random(6).hex()}", "username": user, "password": f"OPENID~~{token}~"}
    url = session.host("stream", HOSTS)
    return done(Endpoint(url=url, framing="mqtt", framing_options={**login, "keep_alive": 20}))


class Codec(BaseCodec):
    """Keys are topic tails, ``<segment>/<id>``."""

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        before, after = topics(self.sent), topics(wanted)
        self.changes(wanted)
        for batch in batches([topic for topic in before if topic not in after], 1024):
            yield Send(MqttUnsubscribe(tuple(batch)))
        for batch in batches([topic for topic in after if topic not in before], 1024):
            yield Send(MqttSubscribe(tuple(batch)), tuple(dict.fromkeys(after[topic] for topic in batch)))

    def received(self, message: Message) -> Iterator[Result]:
        if isinstance(message, Granted):
            if keys := tuple(tail(topic) for topic in message.taken if "/mw/" in topic):
                yield Confirmed(keys)
            yield from (Refusal(tail(topic), "not granted") for topic in message.refused if "/mw/" in topic)
        elif isinstance(message, MqttMessage) and message.topic.startswith(FEED):
            try:
                yield from packet(tail(message.topic), message.topic[len(FEED) :].split("/")[0], message.payload)
            except struct.error as error:
                raise DecodeError(f"IIFL Capital packet: {error}") from None


def packet(key: str, kind: str, data: bytes) -> Iterable[Patch]:
    if kind == "oi":
        oi, high, low, _ = struct.unpack("<4i", data)
        yield Patch(key, {"oi": oi, "oi_day_high": high, "oi_day_low": low})
    elif kind == "mw" and len(data) in (186, 188):
        *values, divisor, traded = MARKET.unpack_from(data)
        scale = float(divisor if divisor > 0 else 100)
        fields: dict[str, Any] = dict(zip(NAMES, values, strict=True))
        fields |= {name: fields[name] / scale for name in PRICES}
        fields["ltt"] = traded * 1000
        rows = [DepthLevel(price / scale, quantity, orders)
                for quantity, price, orders, _ in struct.iter_unpack("<Iihh", data[66:186])]  # fmt: skip
        sides = ([row for row in side if row.quantity] for side in (rows[:5], rows[5:]))
        yield Patch(key, cast(Fields, fields), Depth(*sides))
    elif kind == "mw":
        raise DecodeError(f"IIFL Capital packet of {len(data)} bytes")


def topics(wanted: Mapping[Key, Level]) -> dict[str, Key]:
    kinds = {key: ("mw",) if level.mode is Mode.LTP else ("mw", "oi") for key, level in wanted.items()}
    return {f"{FEED}{kind}/v1/{key}": key for key in wanted for kind in kinds[key]}


def tail(topic: str) -> str:
    return "/".join(topic.split("/")[-2:])


def key(instrument: Instrument) -> Key | None:
    segment = SEGMENTS.get(instrument.exchange)
    return f"{segment}/{instrument.token.lower()}" if segment else None


STREAM = Stream(
    name="data",
    carries=Carries({Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)}, frozenset(SEGMENTS)),
    open=open_stream,
    codec=lambda *_: Codec(),
    key=key,
    limits=StreamLimits(symbols_per_socket=6000, sockets=1),
    cost=lambda instrument, level: 1 if level.mode is Mode.LTP else 2,
)
SPEC = make_spec("iiflcapital", HOSTS, authorize, check, STREAM)
