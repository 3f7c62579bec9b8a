"""The two sockets, Socket.IO 2 both: market data, whose subscriptions go by REST, and news of orders (documents: Market
Data socket; Interactive socket)."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, cast
from urllib.parse import urlencode

import msgspec

from sangam.brokers.contract import (
    EMPTY,
    BooksChanged,
    Carries,
    Codec,
    Ctx,
    Endpoint,
    LimitChanged,
    LoggedIn,
    NewsCodec,
    Notice,
    Operation,
    Replaced,
    Request,
    Result,
    Session,
    Stream,
    StreamLimits,
    done,
    news_stream,
)
from sangam.brokers.rest_subscriptions import Kind, RestSubscriptions
from sangam.brokers.wire import Message, SocketIOEvent
from sangam.model.enums import Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Level
from sangam.model.market import Depth, Patch
from sangam.model.market import Key as AnyKey

from .answers import Wire
from .data import key, listed
from .login import user_of
from .member import Member
from .packets import Key, changed, quote, unpacked
from .tables import BATCH, BINARY, BINARY_CODES, CASH, INTEREST, JSON_CODES, OURS
from .updates import decode

FULL = {f"{code}-json-full": code for code in OURS}
PARTIAL = {f"{code}-json-partial": code for code in OURS}
PACKETS = "xts-binary-packet"
UNASKED = ("1105-json-full", "1105-json-partial", "1507-json-full", "1507-json-partial")
"""Sent to everybody: properties of instruments, whose price bands are no prices, and the market's state."""


class _Subscribed(
    msgspec.Struct, rename={"new": "quotesList", "texts": "listQuotes", "left": "Remaining_Subscription_Count"}
):
    new: list[Any] | None = None
    texts: list[str] = []
    left: int | None = None


class FeedCodec(RestSubscriptions):
    """An instrument's prices come under one code: what the host tells under others beside it is the same again."""

    batch = BATCH

    def __init__(self, wire: Wire, codes: Mapping[Mode, int], room: int) -> None:
        super().__init__()
        self._wire = wire
        self._codes = codes
        self._room = room
        self._books: dict[AnyKey, Depth] = {}
        self._strange: set[tuple[int, int]] = set()

    def opened(self) -> Iterable[Result]:
        return ()

    def kinds_of(self, key: AnyKey, level: Level) -> tuple[int, ...]:
        """What expires has open interest, under a code of its own."""
        code = self._codes[level.mode]
        return (code,) if cast(Key, key)[0] in CASH or level.mode is Mode.LTP else (INTEREST, code)

    def request(self, action: Literal["subscribe", "leave"], kind: Kind, keys: tuple[AnyKey, ...]) -> Request:
        return Request(
            method="POST" if action == "subscribe" else "PUT",
            host="market",
            path="/instruments/subscription",
            json={"instruments": listed(cast(tuple[Key, ...], keys)), "xtsMessageCode": kind},
            auth="market",
            effect="write",
            lane="subscriptions",
        )

    def there(self, keys: tuple[AnyKey, ...], payload: Any) -> tuple[AnyKey, ...]:
        """Of some that are new and some that are not, an answer lists the new ones (measured by public programs)."""
        told = None if payload is EMPTY else self._wire.read(payload, _Subscribed, "a subscription").new
        new = {
            (row.get("exchangeSegment"), row.get("exchangeInstrumentID")) for row in told or () if isinstance(row, dict)
        }
        return tuple(key for key in keys if key not in new) if payload is EMPTY or new else ()

    def subscribed(self, kind: Kind, keys: tuple[AnyKey, ...], payload: Any) -> Iterator[Result]:
        """Snapshots, and how many instruments are left: what is counted beside them is not known."""
        told = _Subscribed() if payload is EMPTY else self._wire.read(payload, _Subscribed, "a subscription")
        for text in told.texts:
            try:
                patch = quote(text)
            except DecodeError as error:
                yield Notice("warning", f"a snapshot is damaged: {error}")
                continue
            if kind == INTEREST or patch.key in self.fresh:
                yield from self._ours(cast(int, kind), patch)
        if told.left is not None and (room := len(self.held) + told.left) < self._room:
            self._room = room
            yield LimitChanged(room)

    def received(self, message: Message) -> Iterable[Result]:
        name, payload = event(message)
        if (code := FULL.get(name)) is not None:
            return self._told(code, quote(payload))
        if name in UNASKED:
            return ()
        if name == PACKETS:
            return self._packets(payload)
        if (code := PARTIAL.get(name)) is not None:
            return self._told(code, changed(code, payload, self._books))
        return ordinary(name, payload)

    def _told(self, code: int, patch: Patch) -> Iterable[Result]:
        if self.fresh and code != INTEREST:
            self.fresh.discard(patch.key)
        return self._ours(code, patch)

    def _ours(self, code: int, patch: Patch) -> Iterable[Result]:
        if code not in self.kinds.get(patch.key, ()):
            return ()
        if patch.depth is not None:
            self._books[patch.key] = patch.depth
        return (patch,)

    def _packets(self, payload: Any) -> Iterator[Result]:
        if not isinstance(payload, bytes):
            raise DecodeError(f"a {type(payload).__name__} is no packet")
        for code, told in unpacked(payload):
            if isinstance(told, Patch):
                yield from self._told(code, told)
            elif told is not None and (code, told) not in self._strange:
                self._strange.add((code, told))
                yield Notice("warning", f"packets of {code} with {told} bytes are not known and are skipped")


class OrdersCodec(NewsCodec):
    """`client` is whose news a dealer wants; an investor hears of his own alone."""

    def __init__(self, client: str) -> None:
        super().__init__()
        self._client = client

    def opened(self) -> Iterable[Result]:
        return ()

    def received(self, message: Message) -> Iterable[Result]:
        name, payload = event(message)
        if name in ("order", "trade"):
            told = decode(payload)
            return (told,) if self._client in ("", told.native["client"]) else ()
        if name == "tradeConversion":
            return (BooksChanged(),)
        return () if name == "position" else ordinary(name, payload)  # what made a position is told as a trade


def event(message: Message) -> tuple[str, Any]:
    """Its name and its only argument. Raises DecodeError."""
    if not isinstance(message, SocketIOEvent):
        raise DecodeError(f"a {type(message).__name__} is not a message of this wire")
    return message.name, message.args[0] if message.args else ""


def ordinary(name: str, payload: Any) -> Iterable[Result]:
    """What both sockets say of themselves."""
    if name == "logout":
        return (Replaced("another login took this session"),)
    return (LoggedIn() if name == "joined" else Notice("info", f"{name}: {str(payload)[:200]}"),)


def _open(
    member: Member, row: str, token: str, user: str, query: Mapping[str, str], session: Session, ctx: Ctx
) -> Operation[Endpoint]:
    login = {"token": session.secrets[token], "userID": user_of(session, user)}
    address = f"{session.host(row, member.hosts)}?{urlencode({**login, **query, 'transport': 'websocket', 'EIO': '3'})}"
    return done(Endpoint(url=address, framing="socketio", framing_options={"eio": 3}))


def _codec(member: Member, wire: Wire, session: Session, endpoint: Endpoint, ctx: Ctx) -> Codec:
    binary = BINARY in session.host("market", member.hosts).rpartition("/")[2]
    return FeedCodec(wire, BINARY_CODES if binary else JSON_CODES, member.symbols)


def streams(member: Member, wire: Wire) -> tuple[Stream, ...]:
    feed = Stream(
        name="feed",
        carries=Carries(modes={Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)}, exchanges=frozenset(member.exchanges)),
        open=partial(
            _open, member, "stream", "feed_token", "feed_user", {"publishFormat": "JSON", "broadcastMode": "Full"}
        ),
        codec=partial(_codec, member, wire),
        key=key,
        # Whether a session may have more sockets is not known.
        limits=StreamLimits(symbols_per_socket=member.symbols, sockets=1),
        auth="market",
        stays=True,
        heartbeat=5.0,
        silence=50.0,
    )
    news = news_stream(
        partial(_open, member, "orders", "access_token", "user_id", {"apiType": "INTERACTIVE"}),
        lambda session, endpoint, ctx: OrdersCodec(session.secrets.get("client_code", "")),
        silence=50.0,
    )
    return feed, news
