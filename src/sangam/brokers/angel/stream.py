"""The sockets: market data, books of twenty levels, and the user's orders (SmartAPI docs: WebSocket streaming 2.0;
Websocket order status)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import count
from typing import TypeVar, cast

import msgspec

from sangam.brokers.contract import (
    AuthExpired,
    BaseCodec,
    Carries,
    Confirmed,
    Ctx,
    Endpoint,
    NewsCodec,
    Notice,
    Operation,
    Refusal,
    Result,
    Send,
    Session,
    Stream,
    StreamLimits,
    batches,
    done,
    news_stream,
)
from sangam.brokers.evidence import json_object
from sangam.brokers.wire import Message
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key

from .login import bearer
from .packets import DECODERS, key_of
from .tables import CARRIED, DEPTH20, EXCHANGE_TYPES, HOSTS, MODES, SUBSCRIBE_BATCH
from .updates import decode

T = TypeVar("T")

PING, PONG = "ping", "pong"
SUBSCRIBE, UNSUBSCRIBE = 1, 0
REMEMBERED = 64
"""So many of the newest subscriptions can still be told to be refused."""


class FeedCodec(BaseCodec):
    """Keys are `packets.key_of`; `mode` is what stands for a level on this socket. The wire confirms nothing and
    refuses by the id of a request.

    The same token in two modes would count twice, so the former mode of an instrument is always left first."""

    def __init__(self, mode: Callable[[Level], int]) -> None:
        super().__init__()
        self._mode = mode
        self._modes: dict[Key, int] = {}
        self._numbers = count(1)
        self._asked: dict[str, tuple[Key, ...]] = {}

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        added, changed, removed = self.changes(wanted)
        before, self._modes = self._modes, {key: self._mode(level) for key, level in wanted.items()}
        for _, message in self._requests(UNSUBSCRIBE, [(key, before[key]) for key in (*removed, *changed)]):
            yield Send(message)
        for keys, message in self._requests(SUBSCRIBE, [(key, self._modes[key]) for key in (*changed, *added)]):
            yield Send(message, keys)
            yield Confirmed(keys)

    def _requests(self, action: int, chosen: list[tuple[Key, int]]) -> Iterator[tuple[tuple[Key, ...], str]]:
        modes: dict[int, list[bytes]] = {}
        for key, mode in chosen:
            modes.setdefault(mode, []).append(cast(bytes, key))
        for mode, keys in modes.items():
            for batch in batches(keys, SUBSCRIBE_BATCH):
                tokens: dict[int, list[str]] = {}
                for key in batch:
                    tokens.setdefault(key[0], []).append(key[1:].decode())
                listed = [{"exchangeType": kind, "tokens": each} for kind, each in tokens.items()]
                number = f"{next(self._numbers) % 10**10:010d}"
                if action == SUBSCRIBE:
                    self._asked = dict([*self._asked.items(), (number, tuple(batch))][-REMEMBERED:])
                message = {"correlationID": number, "action": action, "params": {"mode": mode, "tokenList": listed}}
                yield tuple(batch), msgspec.json.encode(message).decode()

    def received(self, message: Message) -> Iterable[Result]:
        if not isinstance(message, bytes):
            return () if message == PONG else self._refused(message)
        known = DECODERS.get(message[:1])
        if known is None or len(message) < known[0]:
            raise DecodeError(f"{len(message)} bytes are no packet of this wire")
        patch = known[1](message)
        # What comes late of a mode that was left would set a book that nothing renews.
        return (patch,) if self._modes.get(patch.key) == message[0] else ()

    def _refused(self, message: Message) -> Iterator[Result]:
        told = _read(message, _Error)
        reason = f"{told.text} ({told.code})"
        yield Notice("error", reason)
        for key in self._asked.pop(told.number or "", ()):
            if self.sent.pop(key, None) is not None:
                yield Refusal(key, reason)

    def heartbeat(self) -> Iterable[Result]:
        return (Send(PING),)


class OrdersCodec(NewsCodec):
    """Every message but the first, which says that we are in, has the state of one order, whatever it says beside."""

    def received(self, message: Message) -> Iterable[Result]:
        if message == PONG:
            return ()
        told = _read(message, _News)
        if json_object(bytes(told.order)).get("orderid"):
            return (decode(told.order),)
        if str(told.status) in ("401", "403"):
            return (AuthExpired(told.error or f"the order socket refuses the session ({told.status})"),)
        return (Notice("error", f"{told.error} ({told.status})"),) if told.error else ()

    def heartbeat(self) -> Iterable[Result]:
        return (Send(PING),)


class _Error(msgspec.Struct, rename={"code": "errorCode", "text": "errorMessage", "number": "correlationID"}):
    code: str
    text: str = ""
    number: str | None = None


class _News(msgspec.Struct, rename={"status": "status-code", "error": "error-message", "order": "orderData"}):
    status: str | int
    error: str | None = None
    order: msgspec.Raw = msgspec.Raw(b"{}")


def _read(message: Message, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(cast(str, message), type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError, TypeError) as error:
        raise DecodeError(f"unreadable text frame: {error}") from error


def _open(session: Session, ctx: Ctx, host: str, dead: frozenset[int]) -> Operation[Endpoint]:
    secrets = session.secrets
    headers = {
        "Authorization": bearer(secrets["access_token"]),
        "x-api-key": secrets["api_key"],
        "x-client-code": session.client_id or secrets["client_code"],
        "x-feed-token": secrets["feed_token"],
    }
    return done(Endpoint(url=session.host(host, HOSTS), headers=headers, dead_credential=dead))


def _key(instrument: Instrument) -> bytes:
    """Tokens are unique within their segment."""
    return key_of(EXCHANGE_TYPES[instrument.brexchange], instrument.token)


# Elsewhere Angel throttles by 403; on the order socket it says that a token has expired.
_feed = partial(
    Stream, open=partial(_open, host="stream", dead=frozenset({401})), key=_key, heartbeat=10.0, silence=25.0
)

FEED = _feed(
    name="feed",
    carries=Carries(modes={Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)}, exchanges=CARRIED),
    codec=lambda session, endpoint, ctx: FeedCodec(lambda level: MODES[level.mode]),
    limits=StreamLimits(symbols_per_socket=1000, sockets=3, group="smart-stream"),
)

BOOKS = _feed(
    name="depth20",
    carries=Carries(modes={Mode.DEPTH: (20,)}, exchanges=frozenset({Exchange.NSE}), book_only=True),
    codec=lambda session, endpoint, ctx: FeedCodec(lambda level: DEPTH20),
    limits=StreamLimits(symbols_per_socket=50, sockets=1, group="smart-stream"),
)

NEWS = news_stream(
    partial(_open, host="orders", dead=frozenset({401, 403})),
    lambda session, endpoint, ctx: OrdersCodec(),
    heartbeat=10.0,
    silence=25.0,
)
