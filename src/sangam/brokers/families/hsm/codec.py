"""The socket's conversation: login, subscriptions and their answers, data and their acknowledgements."""

import struct
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sangam.brokers.contract import (
    AuthExpired,
    BaseCodec,
    Confirmed,
    LimitChanged,
    LoggedIn,
    Notice,
    Refusal,
    Result,
    Send,
    batches,
)
from sangam.brokers.wire import Message
from sangam.model.enums import Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key, Patch

from . import frames
from .records import BOOK, PRICES, Table, Topic, records

_ANSWERS = {frames.AUTH, frames.SUBSCRIBE, frames.CUSTOM}


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What differs between brokers. `tables` are keyed by the kinds of topics (two letters). `greeting` follows a login
    that succeeded; `full` is the code of the message that says that the socket carries no more."""

    title: str
    tables: Mapping[str, Table]
    channel: int
    topics_in_frame: int
    greeting: tuple[bytes, ...] = ()
    full: int | None = None


class HsmCodec(BaseCodec):
    """Keys are topics of prices (``sf|nse_cm|3045``, ``if|nse_cm|Nifty 50``); who wants a book asks for the ``dp``
    topic as well. Topic numbers are the server's, and of this socket.

    `login` are the values of the fields of the login. `surplus` is what the length of a subscription counts besides
    its topics, where that is not the length."""

    def __init__(self, dialect: Dialect, login: Iterable[bytes], surplus: int | None = None) -> None:
        super().__init__()
        self._dialect = dialect
        self._tables = dialect.tables
        self._login = frames.request(frames.AUTH, *login)
        self._surplus = surplus
        self._topics: dict[int, Topic] = {}
        self._asked: deque[tuple[tuple[Key, ...], int]] = deque()
        self._taken = 0
        self._ack_every = self._heard = 0

    def opened(self) -> Iterable[Result]:
        return (Send(self._login),)

    def heartbeat(self) -> Iterable[Result]:
        return (Send(frames.PING),)

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        before, after = _topics(self.sent), _topics(wanted)
        changed = {key for key in self.changes(wanted).changed if wanted[key].mode is not Mode.LTP}
        gone = before.keys() - after
        # What came late of a want that had ended is not renewed since: it begins anew with the next snapshot.
        stay = before.keys() & after
        self._topics = {number: topic for number, topic in self._topics.items() if topic.name in stay}
        self._taken = max(0, self._taken - len(gone))
        for names in batches(sorted(gone), self._dialect.topics_in_frame):
            yield Send(self._request(frames.UNSUBSCRIBE, names))
        for names in batches(sorted(after.keys() - before), self._dialect.topics_in_frame):
            keys = tuple(dict.fromkeys(after[name] for name in names))
            self._asked.append((keys, len(names)))
            yield Send(self._request(frames.SUBSCRIBE, names), keys)
        # Whoever wants more now hears what the socket told before and will not tell again.
        for topic in self._topics.values() if changed else ():
            if topic.key in changed and (patch := topic.known()) is not None:
                yield patch

    def _request(self, kind: int, names: Iterable[str]) -> bytes:
        listed = frames.listed(tuple(names))
        length = None if self._surplus is None else min(len(listed) + self._surplus, 0xFFFF)
        return frames.request(kind, listed, bytes((self._dialect.channel,)), length=length)

    def received(self, message: Message) -> Iterable[Result]:
        if not isinstance(message, bytes) or len(message) < 3:
            raise DecodeError("no frame of the data socket")
        if (kind := message[2]) == frames.DATA:
            return self._data(message)
        return self._answer(kind, message) if kind in _ANSWERS else ()

    def _data(self, frame: bytes) -> Iterable[Result]:
        """Prices and book of one instrument in a frame are one piece of news, whichever comes first."""
        results: list[Result] = []
        if self._ack_every:
            self._heard += 1
            if self._heard % self._ack_every == 0:  # of damaged ones, too: unacknowledged, the server falls silent
                results.append(Send(frames.request(frames.ACK, frame[3:7])))
        sent, told = self.sent, dict[Key, Patch]()
        try:
            for topic, values in records(frame, self._topics, self._tables):
                if (level := sent.get(topic.key)) is None:
                    continue
                brief = level.mode is not Mode.DEPTH if topic.is_book else level.mode is Mode.LTP
                if (patch := topic.take(values, brief)) is None:
                    continue
                if (before := told.get(topic.key)) is not None and (topic.is_book or not before.fields):
                    if topic.is_book:
                        before.depth = patch.depth
                    else:
                        before.fields = patch.fields
                else:
                    results.append(patch)
                    told[topic.key] = patch
        except (struct.error, IndexError, DecodeError) as error:
            return _damaged(error, results)
        return results

    def _answer(self, kind: int, frame: bytes) -> Iterator[Result]:
        try:
            told = frames.fields(frame)
            if kind == frames.CUSTOM:
                yield from self._words(told)
            elif kind == frames.SUBSCRIBE:
                yield from self._settled(told[1] == frames.OK, f"{self._dialect.title} refused the subscription.")
            else:
                yield from self._logged_in(told)
        except (struct.error, IndexError, KeyError) as error:
            yield from _damaged(error)

    def _logged_in(self, told: Mapping[int, bytes]) -> Iterator[Result]:
        if told[1] != frames.OK:
            yield AuthExpired(f"{self._dialect.title}: the data socket refused the key of this session. Log in again.")
            return
        (self._ack_every,) = struct.unpack(">I", told[2])
        yield from map(Send, self._dialect.greeting)
        yield LoggedIn()

    def _words(self, told: Mapping[int, bytes]) -> Iterator[Result]:
        """A message in words, which may be the answer to a request."""
        (code,) = struct.unpack(">i", told[1])
        text = f"{told.get(2, b'').decode('utf-8', 'replace')} ({code})"
        yield Notice("error", text)
        if code == self._dialect.full and self._taken > 0:
            yield LimitChanged(self._taken)
        if told.get(3) == bytes((frames.SUBSCRIBE,)):
            yield from self._settled(False, text)

    def _settled(self, taken: bool, reason: str) -> Iterator[Result]:
        """The oldest request that is open is answered."""
        if not self._asked:
            return
        keys, count = self._asked.popleft()
        if taken:
            self._taken += count
            yield Confirmed(keys)
        else:
            yield from (Refusal(key, reason) for key in keys)


def _damaged(error: Exception, before: Iterable[Result] = ()) -> Iterator[Result]:
    """What stands before the damage is told: it will not come again."""
    yield from before
    raise DecodeError(f"a damaged frame of the data socket: {error!r}") from error


def _topics(wanted: Mapping[Key, Level]) -> dict[str, Key]:
    """The topics that these wants need, with their keys. Indices have no book."""
    found: dict[str, Key] = {str(key): key for key in wanted}
    deep = [str(key) for key, level in wanted.items() if level.mode is Mode.DEPTH]
    return found | {BOOK + key[2:]: key for key in deep if key.startswith(PRICES)}


def cost(instrument: Instrument, level: Level) -> int:
    """How many topics a want takes."""
    return 2 if level.mode is Mode.DEPTH and not instrument.exchange.is_index else 1
