"""Upstox: each connect asks REST for a one-time URL; requests are JSON in binary frames, ticks are protobuf."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec
from tests.contract import protobuf
from tests.contract.driver import make_spec

from sangam.brokers.contract import (
    BaseCodec,
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
)  # fmt: skip
from sangam.brokers.wire import Message
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError, SessionExpired, Unknown
from sangam.model.instrument import Level
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch

HOSTS = {"api": "https://api.upstox.com"}
OHLC = {2: "open", 3: "high", 4: "low"}
COUNTS = {6: (int, "volume"), 7: (float, "oi"), 9: (float, "total_buy_quantity"), 10: (float, "total_sell_quantity")}


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {session.secrets['access_token']}", "Accept": "application/json"}


def check(request: Request, reply: Reply) -> Any:
    if reply.status == 401:
        raise SessionExpired("Upstox ended the session", "UDAPI100050")
    if not isinstance(reply.payload, dict) or reply.payload.get("status") != "success":
        raise Unknown(f"Upstox: HTTP {reply.status} {reply.payload}")
    return reply.payload["data"]


def open_stream(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    data = yield Request(method="GET", host="api", path="/v3/feed/market-data-feed/authorize")
    return Endpoint(url=data.get("authorized_redirect_uri") or data["authorizedRedirectUri"])


class Codec(BaseCodec):
    """Keys are instrument keys (``NSE_EQ|INE848E01016``)."""

    def __init__(self, session: Session, endpoint: Endpoint, ctx: Ctx) -> None:
        super().__init__()
        self.guid = ctx.random(10).hex()

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        changes = self.changes(wanted)
        if changes.removed:
            yield self.ask("unsub", changes.removed)
        for method, keys in (("sub", changes.added), ("change_mode", changes.changed)):
            for mode in dict.fromkeys(feed_mode(wanted[key]) for key in keys):
                yield self.ask(method, [key for key in keys if feed_mode(wanted[key]) == mode], mode)
        if changes.added:
            yield Confirmed(tuple(changes.added))

    def ask(self, method: str, keys: list[Key], mode: str = "") -> Send:
        data = {"mode": mode, "instrumentKeys": keys} if mode else {"instrumentKeys": keys}
        return Send(msgspec.json.encode({"guid": self.guid, "method": method, "data": data}), tuple(keys))

    def received(self, message: Message) -> Iterator[Result]:
        if not isinstance(message, bytes):
            raise DecodeError(f"Upstox: unexpected text {message!r}")
        response = protobuf.read(message)
        for entry in map(protobuf.read, response.get(2, [])):
            patch = Patch(protobuf.text(protobuf.one(entry, 1)), {})
            feed = protobuf.read(protobuf.one(entry, 2))
            if 1 in feed:
                trade(patch, protobuf.read(protobuf.one(feed, 1)))
            elif 2 in feed:
                full(patch, protobuf.read(protobuf.one(feed, 2)))
            if now := protobuf.one(response, 3, int):
                patch.fields["timestamp"] = now
            yield patch


def feed_mode(level: Level) -> str:
    if level.mode is Mode.LTP:
        return "ltpc"
    return "full_d30" if level == Level(Mode.DEPTH, 30) else "full"


def trade(patch: Patch, message: dict[int, list[Any]]) -> None:
    names = ((1, float, "ltp"), (2, int, "ltt"), (3, int, "last_trade_quantity"), (4, float, "close"))
    told = {name: protobuf.one(message, number, kind) for number, kind, name in names if number in message}
    patch.fields.update(cast(Fields, told))


def full(patch: Patch, message: dict[int, list[Any]]) -> None:
    """`marketFF` (1) of tradables, `indexFF` (2) of indices: they number their day's bars differently."""
    market = protobuf.read(protobuf.one(message, 1 if 1 in message else 2))
    fields = cast(dict[str, Any], patch.fields)
    if 1 in market:
        trade(patch, protobuf.read(protobuf.one(market, 1)))
    for bars in market.get(4 if 1 in message else 2, []):
        for bar in map(protobuf.read, protobuf.read(bars).get(1, [])):
            if protobuf.one(bar, 1) == b"1d":
                fields.update({name: protobuf.one(bar, n, float) for n, name in OHLC.items() if n in bar})
    if 1 not in message:
        return
    if 5 in market:
        fields["avg_trade_price"] = protobuf.one(market, 5, float)
    fields.update({name: round(protobuf.one(market, n, kind)) for n, (kind, name) in COUNTS.items() if n in market})
    if 2 in market:
        rows = [protobuf.read(row) for row in protobuf.read(protobuf.one(market, 2)).get(1, [])]
        sides = ([DepthLevel(protobuf.one(row, p, float), protobuf.one(row, q, int)) for row in rows if q in row]
                 for q, p in ((1, 2), (3, 4)))  # fmt: skip
        patch.depth = Depth(*sides)


STREAM = Stream(
    name="data",
    carries=Carries({Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5, 30)}, frozenset(Exchange)),
    open=open_stream,
    codec=Codec,
    key=lambda instrument: instrument.token,
    limits=StreamLimits(symbols_per_socket=1500, sockets=2),
)
SPEC = make_spec("upstox", HOSTS, authorize, check, STREAM)
