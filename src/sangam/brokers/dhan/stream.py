"""Market data: the feed in three modes, and the deep books (documents: Live Market Feed; Full Market Depth)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast
from urllib.parse import urlencode

import msgspec

from sangam.brokers.contract import (
    AuthExpired,
    BaseCodec,
    Carries,
    Codec,
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
    batches,
)
from sangam.brokers.families.dhan.tables import EXCHANGES
from sangam.brokers.wire import Message
from sangam.model.enums import Mode
from sangam.model.errors import BrokerError, DecodeError, SessionExpired
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch

from .packets import ASKS, BEAT, BIDS, DECODERS, DEEP_HEADER, DISCONNECT, Clock, side
from .tables import BOOK, CODES, DEEP, DISCONNECTS, EXPIRED, HOSTS, MODES, NAMES, NO_BOOK, SUBSCRIBE_BATCH


class FeedCodec(BaseCodec):
    """Keys are (segment code, security id): a number alone is of several exchanges. The wire confirms nothing, so what
    was sent counts as taken. The previous close comes once for each subscription, so on a new day all are made anew."""

    def __init__(self, now_ms: int) -> None:
        super().__init__()
        self._clock = Clock(now_ms)
        self._days = 0
        self._strange: set[int] = set()

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        before = self.sent
        added, changed, removed = self.changes(wanted)
        yield from _sent((*removed, *changed), before, 1)
        for send in _sent((*added, *changed), wanted, 0):
            yield send
            yield Confirmed(send.keys)

    def heartbeat(self) -> Iterable[Result]:
        self._clock.beat()
        return ()

    def received(self, message: Message) -> Iterable[Result]:
        if isinstance(message, str):
            return (Notice("warning", message[:200]),)
        if not isinstance(message, bytes):
            raise DecodeError(f"a {type(message).__name__} is not a message of this wire")
        try:
            results = self._packets(message)
        except (ValueError, OverflowError) as error:
            raise DecodeError(f"a price that is none: {error}") from error
        if self._clock.days != self._days:
            self._days = self._clock.days
            results += (*_sent(self.sent, self.sent, 1), *_sent(self.sent, self.sent, 0))
        return results

    def _packets(self, message: bytes) -> list[Result]:
        """Mostly one packet. The length after its code is told by the code, too; what says otherwise is damaged, unless
        it is the whole message."""
        results: list[Result] = []
        at, end = 0, len(message)
        while at < end:
            if at + 8 > end:
                raise DecodeError(f"a message of {end} bytes ends within the header of packet {len(results) + 1}")
            code, told = message[at], message[at + 1] | message[at + 2] << 8
            known = DECODERS.get(code)
            size = known[0] if known is not None and (told == known[0] or end == known[0]) else told
            if not 8 <= size <= end - at:
                raise DecodeError(f"a packet of {size} bytes does not fit into its message of {end}")
            if known is not None:
                if size != known[0]:
                    raise DecodeError(f"a packet of kind {code} has {size} bytes")
                patch = known[1](message, at, self._clock)
                level = self.sent.get(patch.key)
                if level is not None and level.mode < known[2]:
                    _narrow(patch, level.mode)
                results.append(patch)
            elif code == DISCONNECT and size >= 10:
                results.append(_farewell(message[at + 8] | message[at + 9] << 8))
            elif code != 7 and code not in self._strange:  # 7: the market's state, which is not said
                self._strange.add(code)
                results.append(Notice("warning", f"packets of kind {code} are not known and are skipped"))
            at += size
        return results


def _narrow(patch: Patch, mode: Mode) -> None:
    """What comes late of a fuller mode would set a book and a day's prices that nothing renews."""
    patch.depth = None
    if mode is Mode.LTP:
        patch.fields = cast(Fields, {name: value for name, value in patch.fields.items() if name in ("ltp", "ltt")})


class BookCodec(BaseCodec):
    """A deep book. Bids and asks come as packets of their own, mostly in one message; nothing is told before both have
    been heard, nor when a new side crosses the other's older one: that is on its way."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self._levels = levels
        self._sides: dict[Key, dict[int, list[DepthLevel]]] = {}

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        added, _, removed = self.changes(wanted)
        for key in removed:
            self._sides.pop(key, None)
        for keys, code in ((removed, NO_BOOK), (added, BOOK)):
            for some in batches(keys, 1 if self._levels > 20 else SUBSCRIBE_BATCH):
                yield Send(_alone(code, some[0]) if self._levels > 20 else _request(code, some), tuple(some))
        if added:
            yield Confirmed(tuple(added))

    def received(self, message: Message) -> Iterable[Result]:
        if isinstance(message, str):
            return (Notice("warning", message[:200]),)
        if not isinstance(message, bytes):
            raise DecodeError(f"a {type(message).__name__} is not a message of this wire")
        try:
            return self._packets(message)
        except (ValueError, OverflowError) as error:
            raise DecodeError(f"a price that is none: {error}") from error

    def _packets(self, message: bytes) -> list[Result]:
        results: list[Result] = []
        told: dict[Key, set[int]] = {}
        at, end, head = 0, len(message), DEEP_HEADER.size
        while at < end:
            if at + head > end:
                raise DecodeError(f"a message of {end} bytes ends within a header")
            size, code, segment, token, count = DEEP_HEADER.unpack_from(message, at)
            if not head <= size <= end - at:
                raise DecodeError(f"a packet of {size} bytes does not fit into its message of {end}")
            key: Key = (segment, token)
            if code == DISCONNECT:
                # The documents put the reason behind the header, the SDK reads it in the header's last field.
                behind = message[at + head] | message[at + head + 1] << 8 if size >= head + 2 else 0
                results.append(_farewell(behind if behind in DISCONNECTS else count))
            elif code in (BIDS, ASKS):
                rows = self._levels if self._levels == 20 else min(count, self._levels)
                if size < head + 16 * rows:
                    raise DecodeError(f"a packet of {size} bytes has no room for {rows} rows")
                if key in self.sent:
                    found = side(message[at + head : at + head + 16 * rows], segment)
                    self._sides.setdefault(key, {})[code] = found
                    told.setdefault(key, set()).add(code)
            at += size
        for key, codes in told.items():
            sides = self._sides[key]
            if len(sides) == 2 and (len(codes) == 2 or not _crossed(sides[BIDS], sides[ASKS])):
                results.append(Patch(key, {}, Depth(sides[BIDS], sides[ASKS])))
        return results


def _crossed(bids: Sequence[DepthLevel], asks: Sequence[DepthLevel]) -> bool:
    return bool(bids and asks) and bids[0].price >= asks[0].price


def _farewell(reason: int) -> Result:
    text = f"{reason}: {DISCONNECTS.get(reason, 'the socket is ended')}"
    return AuthExpired(text) if reason in EXPIRED else Notice("error", text)


def _sent(keys: Iterable[Key], levels: Mapping[Key, Level], step: int) -> Iterator[Send]:
    """The requests that subscribe these at their levels (`step` 0) or end it (1)."""
    for mode, code in MODES.items():
        for some in batches([key for key in keys if levels[key].mode is mode], SUBSCRIBE_BATCH):
            yield Send(_request(code + step, some), tuple(some))


def _request(code: int, keys: Sequence[Key]) -> str:
    names = [_name(key) for key in keys]
    return _encode({"RequestCode": code, "InstrumentCount": len(names), "InstrumentList": names})


def _alone(code: int, key: Key) -> str:
    return _encode({"RequestCode": code, **_name(key)})


def _name(key: Any) -> dict[str, str]:
    segment, token = key
    return {"ExchangeSegment": NAMES[segment], "SecurityId": str(token)}


def _encode(message: object) -> str:
    return msgspec.json.encode(message).decode()


def alive(session: Session) -> Operation[None]:
    """The feeds say nothing about a bad token: the upgrade is taken and the socket reset. So each attempt asks first
    whether the session still stands; whatever else is answered there is no matter of the feeds."""
    try:
        yield Request(method="GET", host="api", path="/profile")
    except SessionExpired:
        raise
    except BrokerError:
        return


def _open(host: str, query: Mapping[str, str], session: Session, ctx: Ctx) -> Operation[Endpoint]:
    yield from alive(session)
    secrets = session.secrets
    access = {"token": secrets["access_token"], "clientId": secrets["client_id"], "authType": "2"}
    return Endpoint(url=f"{session.host(host, HOSTS)}?{urlencode({**query, **access})}")


def _feed(session: Session, endpoint: Endpoint, ctx: Ctx) -> Codec:
    return FeedCodec(ctx.now_ms)


def _book(levels: int, session: Session, endpoint: Endpoint, ctx: Ctx) -> Codec:
    return BookCodec(levels)


def _key(instrument: Instrument) -> tuple[int, int]:
    return CODES[instrument.exchange], int(instrument.token)


def _deep(levels: int, per_socket: int) -> Stream:
    return Stream(
        name=f"depth{levels}",
        carries=Carries(modes={Mode.DEPTH: (levels,)}, exchanges=DEEP, book_only=True),
        open=partial(_open, f"depth{levels}", {}),
        codec=partial(_book, levels),
        key=_key,
        limits=StreamLimits(symbols_per_socket=per_socket, sockets=5, group="feeds"),
        ping=10.0,
    )


FEED = Stream(
    name="feed",
    carries=Carries(modes={Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)}, exchanges=EXCHANGES),
    open=partial(_open, "stream", {"version": "2"}),
    codec=_feed,
    key=_key,
    # A sixth socket of a user ends the oldest one; whether the deep books have five of their own is not said.
    limits=StreamLimits(symbols_per_socket=5000, sockets=5, group="feeds"),
    heartbeat=BEAT,
    ping=10.0,
)

STREAMS = (FEED, _deep(20, 50), _deep(200, 1))
