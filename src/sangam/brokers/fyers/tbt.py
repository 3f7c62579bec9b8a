"""The tick-by-tick socket: books of fifty levels in protobuf (documentation: TBT WebSocket; msg.proto 1.0.0).

Prices are paise. A wrapper that is absent means that its figure did not change."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, cast

import msgspec

from sangam.brokers.contract import (
    BaseCodec,
    Carries,
    Confirmed,
    Ctx,
    Endpoint,
    Notice,
    Operation,
    Request,
    Result,
    Send,
    Session,
    Stream,
    StreamLimits,
)
from sangam.brokers.protobuf import DecodeError as Damaged
from sangam.brokers.protobuf import messages
from sangam.brokers.wire import Message
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import BrokerError, DecodeError
from sangam.model.instrument import Level
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch

from .login import credential
from .tables import HOSTS

LEVELS = 50
CHANNEL = "1"

_SocketMessage = messages(
    "fyers_tbt",
    {
        "MarketLevel": {
            "price": (1, "Int64Value"), "qty": (2, "UInt32Value"), "nord": (3, "UInt32Value"),
            "num": (4, "UInt32Value"),
        },
        "Depth": {
            "tbq": (1, "UInt64Value"), "tsq": (2, "UInt64Value"), "asks": (3, "MarketLevel", "repeated"),
            "bids": (4, "MarketLevel", "repeated"),
        },
        "MarketFeed": {"depth": (5, "Depth"), "snapshot": (10, "bool"), "ticker": (11, "string")},
        "SocketMessage": {
            "feeds": (2, "MarketFeed", "map"), "snapshot": (3, "bool"), "msg": (4, "string"), "error": (5, "bool"),
        },
    },
)["SocketMessage"]  # fmt: skip

Side = list[list[int]]
"""Price in paise, quantity and orders of each level."""


class TbtCodec(BaseCodec):
    """Keys are tickers. The wire confirms nothing, so what was sent counts as taken."""

    def __init__(self) -> None:
        super().__init__()
        self._books: dict[str, tuple[Side, Side]] = {}
        self._resumed = False

    def heartbeat(self) -> Iterable[Result]:
        return (Send("ping"),)

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        changes = self.changes(wanted)
        for key in changes.removed:
            self._books.pop(cast(str, key), None)
        for subs, keys in ((-1, changes.removed), (1, changes.added)):
            if keys:
                asked = {"subs": subs, "symbols": keys, "mode": "depth", "channel": CHANNEL}
                yield Send(_text(1, asked), tuple(keys) if subs > 0 else ())
        if changes.added and not self._resumed:
            self._resumed = True  # a channel tells nothing before that
            yield Send(_text(2, {"resumeChannels": [CHANNEL], "pauseChannels": []}))
        if changes.added:
            yield Confirmed(tuple(changes.added))

    def received(self, message: Message) -> Iterable[Result]:
        if message == "pong":
            return ()
        if not isinstance(message, bytes):
            raise DecodeError(f"a {type(message).__name__} is not a message of this wire")
        try:
            told = _SocketMessage.FromString(message)
        except Damaged as error:
            raise DecodeError(f"unreadable message: {error}") from error
        if told.error:
            return (Notice("error", told.msg),)
        patches = (self._patch(feed, told.snapshot or feed.snapshot) for feed in told.feeds.values())
        return [patch for patch in patches if patch is not None]

    def _patch(self, feed: Any, snapshot: bool) -> Patch | None:
        """Differences to a book that was never told whole would make a wrong one."""
        ticker = feed.ticker
        if ticker not in self.sent or not feed.HasField("depth") or not (snapshot or ticker in self._books):
            return None
        if snapshot:
            self._books[ticker] = ([[0, 0, 0] for _ in range(LEVELS)], [[0, 0, 0] for _ in range(LEVELS)])
        depth, (bids, asks) = feed.depth, self._books[ticker]
        fields: Fields = {}
        if depth.HasField("tbq"):
            fields["total_buy_quantity"] = depth.tbq.value
        if depth.HasField("tsq"):
            fields["total_sell_quantity"] = depth.tsq.value
        return Patch(ticker, fields, Depth(_side(bids, depth.bids), _side(asks, depth.asks)))


def _side(known: Side, news: Iterable[Any]) -> list[DepthLevel]:
    """One side after its changes. A level without a number is none, as it is to the SDK, and so is one whose price was
    never told."""
    for level in news:
        if not level.HasField("num") or (number := level.num.value) >= LEVELS:
            continue
        row = known[number]
        if level.HasField("price"):
            row[0] = level.price.value
        if level.HasField("qty"):
            row[1] = level.qty.value
        if level.HasField("nord"):
            row[2] = level.nord.value
    return [DepthLevel(paise / 100, quantity, orders) for paise, quantity, orders in known if quantity and paise]


def _text(kind: int, data: Mapping[str, Any]) -> str:
    return msgspec.json.encode({"type": kind, "data": data}).decode()


def _open(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    """Where the socket is today is asked for, as the SDK does; its usual address serves where that fails."""
    url = session.host("tbt", HOSTS)
    if "tbt" not in session.hosts:
        with suppress(BrokerError, LookupError, TypeError):
            answer = yield Request(method="GET", host="api", path="/indus/home/tbtws")
            today = str(answer["data"]["socket_url"])
            url = today if today.startswith(("wss://", "ws://")) else url
    return Endpoint(url=url, headers={"authorization": credential(session)})


TBT = Stream(
    name="tbt",
    carries=Carries(modes={Mode.DEPTH: (LEVELS,)}, exchanges=frozenset({Exchange.NSE, Exchange.NFO}), book_only=True),
    open=_open,
    codec=lambda session, endpoint, ctx: TbtCodec(),
    key=lambda instrument: instrument.brsymbol,
    limits=StreamLimits(symbols_per_socket=5, sockets=3),
    silence=35.0,
    heartbeat=10.0,
)
