"""Groww: NATS over WebSocket; each socket first posts the public half of a fresh key and gets a user token for it."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from tests.contract import protobuf
from tests.contract.driver import make_spec

from sangam.brokers import nkey
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
)  # fmt: skip
from sangam.brokers.wire import Granted, Message, NatsMessage, NatsSubscribe, NatsUnsubscribe
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError, SessionExpired, Unknown
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch

HOSTS = {"api": "https://api.groww.in/v1", "stream": "wss://socket-api.groww.in"}
MARKETS = {
    Exchange.NSE: "eq/nse", Exchange.BSE: "eq/bse", Exchange.NFO: "fo/nse", Exchange.BFO: "fo/bse",
    Exchange.NSE_INDEX: "indices/nse", Exchange.BSE_INDEX: "indices/bse",
}  # fmt: skip
PRICE = {2: "open", 3: "high", 4: "low", 5: "close", 10: "avg_trade_price", 11: "upper_circuit", 12: "lower_circuit",
         13: "ltp"}  # fmt: skip
COUNTS = {6: "volume", 8: "total_buy_quantity", 9: "total_sell_quantity", 14: "oi"}


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {session.secrets['access_token']}", "X-API-VERSION": "1.0"}


def check(request: Request, reply: Reply) -> Any:
    if reply.status == 401:
        raise SessionExpired("Groww ended the session")
    if reply.status != 200 or not isinstance(reply.payload, dict) or reply.payload.get("status") == "FAILURE":
        raise Unknown(f"Groww: HTTP {reply.status} {reply.payload}")
    return reply.payload.get("payload", reply.payload)


def open_stream(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    seed = nkey.encode_seed(ctx.random(nkey.SEED_BYTES))
    body = {"socketKey": nkey.public_key(seed)}
    reply = yield Request(method="POST", host="api", path="/api/apex/v1/socket/token/create/", json=body)
    return Endpoint(
        url=session.host("stream", HOSTS),
        framing="nats",
        framing_options={"jwt": reply["token"], "seed": seed},
        facts={"subscription_id": reply["subscriptionId"]},
    )


class Codec(BaseCodec):
    """Keys are (market, token); a subject is ``/ld/<market>/<kind>.<token>``."""

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        before, after = subjects(self.sent), subjects(wanted)
        changes = self.changes(wanted)
        if gone := tuple(subject for subject in before if subject not in after):
            yield Send(NatsUnsubscribe(gone))
        if new := tuple(subject for subject in after if subject not in before):
            yield Send(NatsSubscribe(new), tuple(changes.added))
        if changes.added:
            yield Confirmed(tuple(changes.added))

    def received(self, message: Message) -> Iterator[Result]:
        if isinstance(message, Granted):
            yield from (Refusal(place(subject), "not permitted") for subject in message.refused)
        elif isinstance(message, NatsMessage):
            yield patch(place(message.subject), protobuf.read(message.payload))


def subjects(wanted: Mapping[Any, Level]) -> dict[str, Key]:
    kinds = {key: ("price", "book") if level.mode is Mode.DEPTH else ("price",) for key, level in wanted.items()}
    return {f"/ld/{key[0]}/{kind}.{key[1]}": key for key in wanted for kind in kinds[key]}


def place(subject: str) -> Key:
    market, _, name = subject.removeprefix("/ld/").rpartition("/")
    _, dot, token = name.partition(".")
    if not dot:
        raise DecodeError(f"Groww: unknown subject {subject!r}")
    return market, token


def patch(key: Key, message: dict[int, list[Any]]) -> Patch:
    part = protobuf.read(next((protobuf.one(message, number) for number in (4, 5, 6) if number in message), b""))
    moment = protobuf.one(part, 1, float)
    fields: dict[str, Any] = {"timestamp": round(moment if moment > 1e11 else moment * 1000)} if moment else {}
    if 5 in message:
        return Patch(key, cast(Fields, fields), Depth(side(part.get(2, [])), side(part.get(3, []))))
    if 6 in message:
        return Patch(key, cast(Fields, fields | {"ltp": protobuf.one(part, 2, float)}))
    fields |= {name: protobuf.one(part, number, float) for number, name in PRICE.items() if number in part}
    fields |= {name: round(protobuf.one(part, number, float)) for number, name in COUNTS.items() if number in part}
    return Patch(key, cast(Fields, fields))


def side(entries: list[Any]) -> list[DepthLevel]:
    """A map from level number (best is 1) to price and quantity."""
    rows = sorted((protobuf.one(entry, 1, int), protobuf.read(protobuf.one(entry, 2)))
                  for entry in map(protobuf.read, entries))  # fmt: skip
    return [DepthLevel(protobuf.one(row, 1, float), round(protobuf.one(row, 2, float))) for _, row in rows]


def key(instrument: Instrument) -> Key | None:
    market = MARKETS.get(instrument.exchange)
    return (market, instrument.token) if market else None


CARRIES = Carries({Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)}, frozenset(MARKETS))
LIMITS = StreamLimits(symbols_per_socket=1000, sockets=1)
STREAM = Stream(name="data", carries=CARRIES, open=open_stream, codec=lambda *_: Codec(), key=key, limits=LIMITS)
SPEC = make_spec("groww", HOSTS, authorize, check, STREAM)
