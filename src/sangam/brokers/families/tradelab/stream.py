"""The one socket: market data, and news of orders (documents: WebSocket; SDK: wsclient)."""

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlencode

import msgspec

from sangam.brokers.contract import (
    BaseCodec,
    Carries,
    Codec,
    Confirmed,
    Ctx,
    Endpoint,
    LoggedIn,
    Notice,
    Operation,
    Result,
    Send,
    Session,
    Stream,
    StreamLimits,
    batches,
)
from sangam.brokers.wire import Message
from sangam.model.enums import Mode
from sangam.model.errors import BrokerError, DecodeError, SessionExpired
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key, Patch

from .answers import Wire
from .login import Door
from .packets import DECODERS, HEAD, SIZES
from .tables import CODES, ORDER_NEWS, SUBSCRIBE_BATCH, TOLD_IN, TOPICS, TRADE_NEWS
from .updates import news

MOST_NOTICES = 20
"""Of one socket."""

BEAT = '{"a":"h","v":[],"m":""}'


class FeedCodec(BaseCodec):
    """Keys are (exchange code, token). The wire confirms nothing, so what was sent counts as taken."""

    def __init__(self, client: str, scales: Mapping[int, float]) -> None:
        super().__init__()
        self._client = client
        self._scales = scales
        self._kinds: dict[Key, frozenset[int]] = {}
        """Those of the packets that tell of an instrument as it is wanted now."""
        self._heard: set[str] = set()

    def opened(self) -> Iterable[Result]:
        return (Send(_request("subscribe", [self._client, "web"], "updates")), LoggedIn())

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        before = self.sent
        changes = self.changes(wanted)
        self._kinds = {key: TOLD_IN[level.mode] for key, level in wanted.items()}
        for kind, topic in TOPICS.items():
            old, new = _told_in(kind, before), _told_in(kind, wanted)
            for keys in batches([key for key in old if key not in new], SUBSCRIBE_BATCH):
                yield Send(_request("unsubscribe", keys, topic))
            for keys in batches([key for key in new if key not in old], SUBSCRIBE_BATCH):
                yield Send(_request("subscribe", keys, topic), tuple(keys))
        if fresh := (*changes.added, *changes.changed):
            yield Confirmed(fresh)

    def received(self, message: Message) -> Iterable[Result]:
        if isinstance(message, bytes):
            if message[:1] in _NEWS:
                return [each for each in news(message) if self._is_new(each)]
            return self._packet(message)
        if not isinstance(message, str):
            raise DecodeError(f"a {type(message).__name__} is not a message of this wire")
        notice = Notice("warning", message[:500])
        return (notice,) if self._is_new(notice) else ()

    def _is_new(self, result: Result) -> bool:
        """What the broker says is logged once: whatever answers a heartbeat, or words news in a way that is not known,
        would do so every time."""
        if not isinstance(result, Notice):
            return True
        if result.text in self._heard or len(self._heard) == MOST_NOTICES:
            return False
        self._heard.add(result.text)
        return True

    def _packet(self, data: bytes) -> Iterable[Result]:
        kind = data[0] if data else 0
        if len(data) not in SIZES.get(kind, ()):
            raise DecodeError(f"{len(data)} bytes of kind {kind} are no packet of this wire")
        key = HEAD(data)
        kinds = self._kinds.get(key, _NOTHING)
        # What comes late of a mode that was left would set a book that nothing renews.
        if kind not in kinds:
            return ()
        patch: Patch = DECODERS[kind](data, key, self._scales[key[0]])
        if len(kinds) > 1:
            patch.full = False  # the rest comes beside it
        return (patch,)

    def heartbeat(self) -> Iterable[Result]:
        return (Send(BEAT),)


_NOTHING = frozenset[int]()
_NEWS = frozenset({bytes([ORDER_NEWS]), bytes([TRADE_NEWS])})


def _told_in(kind: int, levels: Mapping[Key, Level]) -> dict[Key, None]:
    return {key: None for key, level in levels.items() if kind in TOLD_IN[level.mode]}


def _request(action: str, what: object, topic: str) -> str:
    return msgspec.json.encode({"a": action, "v": what, "m": topic}).decode()


class Feed(Wire):
    def stream(self) -> Stream:
        member = self.member
        carried = frozenset(exchange for exchange in member.exchanges if exchange in member.scales)
        return Stream(
            name="feed",
            carries=Carries(modes={Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)}, exchanges=carried, orders=True),
            open=self._open,
            codec=self._codec,
            key=_key,
            # How many of each there may be is not documented.
            limits=StreamLimits(symbols_per_socket=member.symbols_per_socket, sockets=1),
            opens="with_session",
            heartbeat=member.heartbeat,
            ping=10.0,
        )

    def _open(self, session: Session, ctx: Ctx) -> Operation[Endpoint]:
        """What the socket does to a dead token is not documented, so each attempt asks first whether the session still
        stands; whatever else is answered there is no matter of the feed."""
        try:
            yield from Door(self.member).person(session, ctx)
        except SessionExpired:
            raise
        except BrokerError:
            pass
        query = urlencode({"login_id": self.client(session), "access_token": session.secrets["access_token"]})
        return Endpoint(url=f"{session.host('stream', self.member.hosts)}/ws/v1/feeds?{query}")

    def _codec(self, session: Session, endpoint: Endpoint, ctx: Ctx) -> Codec:
        scales = {CODES[exchange]: float(scale) for exchange, scale in self.member.scales.items()}
        return FeedCodec(self.client(session), scales)


def _key(instrument: Instrument) -> tuple[int, int]:
    return CODES[instrument.exchange], int(instrument.token)
