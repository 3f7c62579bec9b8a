"""Fyers: two sockets tell of one instrument. The data socket has prices and five levels; the other, in protobuf, has
fifty levels and nothing else."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec
from tests.contract import protobuf, wire_fyers_hsm
from tests.contract.driver import make_spec

from sangam.brokers.contract import (
    BaseCodec,
    Carries,
    Confirmed,
    Ctx,
    Endpoint,
    Notice,
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
from sangam.model.errors import DecodeError, Unknown
from sangam.model.instrument import Level
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch

HOSTS = {"api": "https://api-t1.fyers.in", "hsm": wire_fyers_hsm.URL, "tbt": "wss://rtsocket-api.fyers.in/versova"}
LEVELS = 50
TEXT_PING = 10.0


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    return {"Authorization": f"{session.secrets['app_id']}:{session.secrets['access_token']}"}


def check(request: Request, reply: Reply) -> Any:
    if not isinstance(reply.payload, dict) or reply.payload.get("s") != "ok":
        raise Unknown(f"Fyers: HTTP {reply.status} {reply.payload}")
    return reply.payload["data"]


def open_stream(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    found = yield Request(method="GET", host="api", path="/indus/home/tbtws")
    login = f"{session.secrets['app_id']}:{session.secrets['access_token']}"
    return Endpoint(url=session.hosts.get("tbt", found["socket_url"]), headers={"authorization": login})


class Codec(BaseCodec):
    """Keys are tickers. Books come as differences; `books` holds [price, quantity, orders] of each level."""

    def __init__(self) -> None:
        super().__init__()
        self.books: dict[str, tuple[list[list[float]], list[list[float]]]] = {}
        self.resumed = False

    def heartbeat(self) -> Iterator[Result]:
        yield Send("ping")

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        changes = self.changes(wanted)
        for subs, keys in ((-1, changes.removed), (1, changes.added)):
            if keys:
                data = {"subs": subs, "symbols": keys, "mode": "depth", "channel": "1"}
                yield Send(msgspec.json.encode({"type": 1, "data": data}).decode(), tuple(changes.added))
        if changes.added and not self.resumed:
            self.resumed = True
            yield Send('{"type":2,"data":{"resumeChannels":["1"],"pauseChannels":[]}}')
        if changes.added:
            yield Confirmed(tuple(changes.added))

    def received(self, message: Message) -> Iterator[Result]:
        if message == "pong":
            return
        if not isinstance(message, bytes):
            raise DecodeError(f"TBT: unexpected {message!r}")
        envelope = protobuf.read(message)
        if protobuf.one(envelope, 5, int):
            yield Notice("error", protobuf.text(protobuf.one(envelope, 4)))
        for entry in map(protobuf.read, envelope.get(2, [])):
            feed = protobuf.read(protobuf.one(entry, 2))
            if 5 in feed:
                symbol = protobuf.text(protobuf.one(entry, 1))
                yield self.book(symbol, protobuf.read(protobuf.one(feed, 5)), bool(protobuf.one(feed, 10, int)))

    def book(self, symbol: str, depth: dict[int, list[Any]], snapshot: bool) -> Patch:
        if snapshot or symbol not in self.books:
            self.books[symbol] = tuple([[0.0, 0, 0] for _ in range(LEVELS)] for _ in "ba")  # type: ignore[assignment]
        buys, sells = self.books[symbol]
        for side, rows in ((buys, depth.get(4, [])), (sells, depth.get(3, []))):
            for row in map(protobuf.read, rows):
                number = wrapped(row, 4) or 0
                if number >= LEVELS:
                    raise DecodeError(f"TBT: level {number}")
                news = ((wrapped(row, 1), 0, 100), (wrapped(row, 2), 1, 1), (wrapped(row, 3), 2, 1))
                for value, place, divisor in news:
                    if value is not None:
                        side[number][place] = value / divisor if divisor > 1 else value
        sides = ([DepthLevel(p, int(q), int(n)) for p, q, n in side if q] for side in (buys, sells))
        totals = {"total_buy_quantity": wrapped(depth, 1), "total_sell_quantity": wrapped(depth, 2)}
        return Patch(symbol, cast(Fields, {k: v for k, v in totals.items() if v is not None}), Depth(*sides))


def wrapped(message: dict[int, list[Any]], number: int) -> int | None:
    """A google.protobuf wrapper: absent is unknown, empty is zero."""
    return protobuf.one(protobuf.read(protobuf.one(message, number)), 1, int) if number in message else None


HSM = Stream(
    name="hsm",
    carries=Carries(
        {Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)},
        frozenset({Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO, Exchange.MCX, Exchange.NSE_INDEX}),
    ),
    open=wire_fyers_hsm.open_stream,
    codec=wire_fyers_hsm.Codec,
    key=wire_fyers_hsm.key,
    limits=StreamLimits(symbols_per_socket=5000, sockets=1),
    cost=lambda instrument, level: 2 if level.mode is Mode.DEPTH else 1,
    heartbeat=10.0,
)
TBT = Stream(
    name="tbt",
    carries=Carries({Mode.DEPTH: (LEVELS,)}, frozenset({Exchange.NSE, Exchange.NFO}), book_only=True),
    open=open_stream,
    codec=lambda *_: Codec(),
    key=lambda instrument: instrument.brsymbol,
    limits=StreamLimits(symbols_per_socket=5, sockets=3),
    heartbeat=TEXT_PING,
)
SPEC = make_spec("fyers", HOSTS, authorize, check, HSM, TBT)
