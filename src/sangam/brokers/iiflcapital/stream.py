"""The one socket, MQTT over TLS: market data, and the user's orders (portal: Streaming; official BridgePy)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from sangam.brokers.contract import (
    BaseCodec,
    BooksChanged,
    Carries,
    Confirmed,
    Ctx,
    Endpoint,
    LoggedIn,
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
)
from sangam.brokers.wire import Granted, Message, MqttMessage, MqttSubscribe, MqttUnsubscribe
from sangam.model.enums import Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key, Patch

from .login import client_of
from .packets import interest, price
from .tables import CARRIED, CASH, FEED, HOSTS, INDEX_EXCHANGES, KEEP_ALIVE, MAX_TOPICS, NEWS, SEGMENTS, SUBSCRIBE_BATCH
from .updates import decode

_INDEX_MARK = "/index"
_SEGMENT_OF = {**SEGMENTS, **{exchange: segment for segment, exchange in INDEX_EXCHANGES.items()}}
_CASH = frozenset(segment.lower() for segment in CASH)
_LTP = Level(Mode.LTP)


class FeedCodec(BaseCodec):
    """Keys are the ends of topics, ``nseeq/2885``; those of indices are marked. The socket is logged in when the topics
    of the user's orders are granted: no order that changes after that goes unheard. A topic of prices has one kind of
    packet for all modes."""

    def __init__(self, client: str) -> None:
        super().__init__()
        self._news = tuple(f"{NEWS}/{kind}/v1/{client.lower()}" for kind in ("order", "trade"))
        self._topics: dict[str, Key] = {}
        self._refused: set[str] = set()
        self._packets: dict[Key, bytes] = {}

    def opened(self) -> Iterable[Result]:
        return (Send(MqttSubscribe(self._news)),)

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        changed = self.changes(wanted).changed
        before, self._topics = (
            self._topics,
            {topic: key for key, level in wanted.items() for topic in topics(key, level)},
        )
        for batch in batches([topic for topic in before if topic not in self._topics], SUBSCRIBE_BATCH):
            yield Send(MqttUnsubscribe(tuple(batch)))
        for batch in batches([topic for topic in self._topics if topic not in before], SUBSCRIBE_BATCH):
            self._refused.difference_update(batch)
            yield Send(MqttSubscribe(tuple(batch)), tuple(dict.fromkeys(self._topics[topic] for topic in batch)))
        self._packets = {key: packet for key, packet in self._packets.items() if key in wanted}
        yield from (self._price(key, self._packets[key]) for key in changed if key in self._packets)

    def received(self, message: Message) -> Iterable[Result]:
        if isinstance(message, MqttMessage):
            topic, payload = message.topic, message.payload
            if (key := self._topics.get(topic)) is None:
                return self._told(topic, payload)
            if topic.startswith(_OI):
                return (interest(key, payload),)
            return (self._price(key, payload),)
        if isinstance(message, Granted):
            return self._granted(message)
        raise DecodeError(f"a {type(message).__name__} is not a message of this wire")

    def _price(self, key: Key, packet: bytes) -> Patch:
        """A packet tells everything: who wants more of it than before need not wait for the next."""
        patch = price(key, packet, self.sent[key].mode, cast(str, key).endswith(_INDEX_MARK))
        self._packets[key] = packet
        return patch

    def _granted(self, answer: Granted) -> Iterator[Result]:
        """An instrument is refused when none of its topics of prices was granted."""
        if self._news[0] in (*answer.taken, *answer.refused):
            yield LoggedIn()
            if refused := [topic for topic in answer.refused if topic in self._news]:
                yield Notice("error", f"no news of orders will come: {', '.join(refused)} not granted")
        prices = [topic for topic in answer.taken if topic in self._topics and not topic.startswith(_OI)]
        if keys := tuple(dict.fromkeys(self._topics[topic] for topic in prices)):
            yield Confirmed(keys)
        self._refused.update(answer.refused)
        for topic in answer.refused:
            key = self._topics.get(topic)
            if key is not None and not topic.startswith(_OI) and self._refused.issuperset(topics(key, _LTP)):
                yield Refusal(key, f"the topic {topic} is not granted")

    def _told(self, topic: str, payload: bytes) -> Iterable[Result]:
        """News of orders, and late packets of what is not wanted any more. A trade is no order: the book tells what it
        filled, as it does where news cannot be read."""
        orders, trades = self._news
        if topic == trades:
            return (BooksChanged(),)
        if topic != orders:
            return ()
        try:
            return (decode(payload),)
        except DecodeError as error:
            return (Notice("error", str(error)), BooksChanged())


_OI = f"{FEED}/oi/"


def topics(key: Key, level: Level) -> list[str]:
    """What an instrument is told by. Whether indices come with the market's topic or with one of their own is disputed:
    both are listened to."""
    name = cast(str, key)
    if name.endswith(_INDEX_MARK):
        name = name.removesuffix(_INDEX_MARK)
        return [f"{FEED}/mw/v1/{name}", f"{FEED}/index/v1/{name}"]
    if level.mode is Mode.LTP or name.partition("/")[0] in _CASH:
        return [f"{FEED}/mw/v1/{name}"]
    return [f"{FEED}/mw/v1/{name}", f"{_OI}v1/{name}"]


def key_of(instrument: Instrument) -> str:
    """Ids are unique within their segment, those of its indices among them."""
    mark = _INDEX_MARK if instrument.exchange.is_index else ""
    return f"{_SEGMENT_OF[instrument.exchange].lower()}/{instrument.token}{mark}"


def _cost(instrument: Instrument, level: Level) -> int:
    return len(topics(key_of(instrument), level))


def _open(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    """Two connections of one client id would end each other."""
    token = session.secrets["access_token"]
    client = client_of(token)
    login = {"client_id": f"sangam{ctx.random(6).hex()}", "username": client, "password": f"OPENID~~{token}~"}
    return done(
        Endpoint(
            url=session.host("stream", HOSTS),
            framing="mqtt",
            framing_options={**login, "keep_alive": KEEP_ALIVE},
            facts={"client": client},
        )
    )


FEED_STREAM = Stream(
    name="feed",
    carries=Carries(modes={Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)}, exchanges=CARRIED, orders=True),
    open=_open,
    codec=lambda session, endpoint, ctx: FeedCodec(endpoint.facts["client"]),
    key=key_of,
    limits=StreamLimits(symbols_per_socket=MAX_TOPICS - 2, sockets=1),
    opens="with_session",
    cost=_cost,
    ping=KEEP_ALIVE / 2,
    silence=KEEP_ALIVE * 1.5,
)
"""Every instrument costs its topics; two are those of the user's orders."""
