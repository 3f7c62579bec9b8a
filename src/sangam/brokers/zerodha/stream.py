"""The ticker socket: market data and the user's order updates (Kite Connect docs: WebSocket streaming)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import urlencode

import msgspec

from sangam.brokers.contract import (
    BaseCodec,
    Carries,
    Codec,
    Confirmed,
    Ctx,
    Endpoint,
    Notice,
    Operation,
    Result,
    Send,
    Session,
    Stream,
    StreamLimits,
    batches,
    done,
)
from sangam.brokers.wire import Message
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key

from .packets import DECODERS
from .tables import EXCHANGES, HOSTS, INDEX_EXCHANGES, JOINT, MODES, SUBSCRIBE_BATCH, VERSION
from .updates import decode


class KiteCodec(BaseCodec):
    """Keys are instrument tokens (int). The wire confirms nothing, so what was sent counts as taken."""

    def __init__(self) -> None:
        super().__init__()
        self._strange: set[int] = set()

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        added, changed, removed = self.changes(wanted)
        for keys in batches(removed, SUBSCRIBE_BATCH):
            yield Send(_request("unsubscribe", keys))
        for keys in batches(added, SUBSCRIBE_BATCH):
            yield Send(_request("subscribe", keys), tuple(keys))
        for mode, name in MODES.items():
            chosen = [key for key in (*added, *changed) if wanted[key].mode is mode]
            for keys in batches(chosen, SUBSCRIBE_BATCH):
                yield Send(_request("mode", [name, keys]), tuple(keys))
                yield Confirmed(tuple(keys))

    def received(self, message: Message) -> Iterable[Result]:
        if isinstance(message, bytes):
            return self._packets(message) if len(message) > 1 else ()  # one byte is the heartbeat
        if isinstance(message, str):
            return _text(message)
        raise DecodeError(f"a {type(message).__name__} is not a message of this wire")

    def _packets(self, frame: bytes) -> list[Result]:
        """A frame is a count and that many packets, each after its length; the lengths must fill it exactly."""
        results: list[Result] = []
        at, end = 2, len(frame)
        for _ in range(frame[0] << 8 | frame[1]):
            start = at + 2
            if start > end:
                raise DecodeError(f"a frame of {end} bytes ends before packet {len(results) + 1}")
            size = frame[at] << 8 | frame[at + 1]
            at = start + size
            if at > end:
                raise DecodeError(f"a packet of {size} bytes does not fit into its frame of {end}")
            if (decode := DECODERS.get(size)) is not None:
                results.append(decode(frame, start))
            elif size not in self._strange:
                self._strange.add(size)
                results.append(Notice("warning", f"packets of {size} bytes are of no known kind and are skipped"))
        if at != end:
            raise DecodeError(f"a frame of {end} bytes has {end - at} bytes after its last packet")
        return results


def _request(action: str, value: Sequence[object]) -> str:
    return msgspec.json.encode({"a": action, "v": value}).decode()


class _Text(msgspec.Struct):
    type: str
    data: msgspec.Raw = msgspec.Raw(b"null")


_decode_text = msgspec.json.Decoder(_Text).decode


def _text(message: str) -> Iterable[Result]:
    try:
        text = _decode_text(message)
        if text.type == "order":
            return (decode(text.data),)
        if text.type in ("error", "message"):
            return (Notice("error" if text.type == "error" else "info", _words(text.data)),)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DecodeError(f"unreadable text frame: {error}") from error
    return ()


def _words(data: msgspec.Raw) -> str:
    """What the broker says in words; anything but a plain text stays JSON."""
    value = msgspec.json.decode(data)
    return value if isinstance(value, str) else bytes(data).decode()


def _open(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    secrets = session.secrets
    query = urlencode({"api_key": secrets["api_key"], "access_token": secrets["access_token"]})
    base = session.host("stream", HOSTS)
    return done(Endpoint(url=f"{base}?{query}", headers=VERSION))


def _codec(session: Session, endpoint: Endpoint, ctx: Ctx) -> Codec:
    return KiteCodec()


def _key(instrument: Instrument) -> int:
    return int(instrument.token.partition(JOINT)[0])


CARRIED: frozenset[Exchange] = frozenset((*EXCHANGES.values(), *INDEX_EXCHANGES.values()))

TICKER = Stream(
    name="ticker",
    carries=Carries(modes={Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)}, exchanges=CARRIED, orders=True),
    open=_open,
    codec=_codec,
    key=_key,
    limits=StreamLimits(symbols_per_socket=3000, sockets=3),
    opens="with_session",
    silence=15.0,
    ping=5.0,
)
