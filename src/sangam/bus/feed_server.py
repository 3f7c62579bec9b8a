"""The feed's end of the border: many gateways over one feed.

A gateway holds a lease; under it its wants are taken from the feed, once each, so that equal wants of several gateways
are one want there. Whoever is silent for `LEASE_SECONDS` loses the lease and with it the wants. Interest is what was
asked for, never what ZeroMQ believes to be subscribed."""

import asyncio
import hmac
import itertools
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial

import zmq

from sangam.feed.port import AccountHealth, Pending, Refused, Served
from sangam.model.clock import Clock
from sangam.model.errors import AuthError, DecodeError
from sangam.model.histogram import STAGE_BOUNDS, Histogram
from sangam.model.identity import Identity
from sangam.model.instrument import Level, split_depth_suffix
from sangam.model.order import OrderNews
from sangam.orders.ports import Actions

from . import wire
from .order_server import OrderServer
from .sockets import Socket
from .topic import Topic, topic_text

log = logging.getLogger("sangam.bus")

_SLICE = 50
"""Requests handled between two turns of the loop."""
_BATCH = 500
_DATA_QUEUE = 20_000
_ANSWER_QUEUE = 1_000


class Lease:
    """What one gateway holds: its own want ids, and the feed's for each."""

    def __init__(self, routing: bytes, number: int, gateway: str) -> None:
        self.routing = routing
        self.number = number
        self.gateway = gateway
        self.heard = 0.0
        self.wants: dict[int, int] = {}
        self.answers: list[wire.Answer] = []
        self.clients = 0
        self.figures: dict[str, float] = {}
        self.written = Histogram(STAGE_BOUNDS)


class FeedServer:
    """Implements `feed.port.Sink`. `keys` tells all valid API keys; `used` hears the id of a key that opened a session;
    `identity` is what a key's id stands for now, and raises AuthError.

    `start` binds; `endpoint` is then where gateways knock."""

    def __init__(
        self,
        feed: Served,
        clock: Clock,
        *,
        brokers: list[str],
        keys: Callable[[], wire.Keys],
        used: Callable[[str], object] = lambda key_id: None,
        identity: Callable[[str], Identity] | None = None,
        secret: str = "",
    ) -> None:
        self.endpoint = ""
        self.start_number = clock.now_ms()
        self.published = 0
        self._feed = feed
        self._clock = clock
        self._brokers = brokers
        self._keys = keys
        self._keys_told: wire.Keys | None = None
        self._used = used
        self._orders = OrderServer(self._answer, identity or self._identity, self._identities, clock)
        self._secret = secret.encode()
        self._numbers = itertools.count(self.start_number)
        self._leases: dict[bytes, Lease] = {}
        self._holders: dict[int, dict[Lease, int]] = {}
        self._topics: dict[int, bytes] = {}
        self._owners: dict[str, str] = {}
        self._work: deque[Callable[[], None]] = deque()
        self._telling: dict[Lease, None] = {}
        self._data_endpoint = ""
        self._timer: asyncio.TimerHandle | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self, requests: str, data: str) -> None:
        """Bind both endpoints. Raises ConfigError."""
        self._context = zmq.Context(io_threads=1)
        self._requests = Socket(self._context, zmq.ROUTER, self._received, queue=_ANSWER_QUEUE)
        self._requests.raw.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._data = Socket(self._context, zmq.PUB, queue=_DATA_QUEUE)
        try:
            self._data_endpoint = self._data.bind(data)
            self.endpoint = self._requests.bind(requests)
        except BaseException:
            self.close()
            raise
        self._tick()

    def attach_orders(self, orders: Actions) -> None:
        """From now on clients of the gateways may act on orders."""
        self._orders.attach(orders)

    def close(self) -> None:
        self._orders.close()
        if self._timer is not None:
            self._timer.cancel()
        for lease in list(self._leases.values()):
            self._end(lease)
        while self._work:
            self._work.popleft()()
        self._requests.close()
        self._data.close()
        self._context.term()

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(wire.BEAT_SECONDS, self._tick)
        now = self._clock.monotonic()
        for lease in list(self._leases.values()):
            if now - lease.heard > wire.LEASE_SECONDS:
                log.warning("%s is silent; its %d wants are released", lease.gateway, len(lease.wants))
                self._end(lease)
        self._broadcast(wire.States(self._feed.all_health()))
        self.push_keys()
        self._beat()

    def push_keys(self) -> None:
        """Tell the gateways of keys that came, changed or went."""
        keys = self._keys()
        if keys != self._keys_told:
            self._keys_told = keys
            self._broadcast(keys)

    # --- feed.port.Sink -----------------------------------------------------------------------------------------------

    def publish(self, want: int, payload: bytes) -> None:
        topic = self._topics.get(want)
        if topic is not None:
            self.published += 1
            seq = self._feed.sequence(want)
            self._data.send(topic, wire.encode_update(self.published, self.start_number, want, seq, payload))

    def lapse(self, want: int) -> None:
        for lease in self._holders.get(want, ()):
            self._tell(lease, wire.Lapsed(want, self._feed.sequence(want)))

    def refuse(self, want: int, code: str, reason: str) -> None:
        for lease, number in self._holders.get(want, {}).items():
            self._tell(lease, wire.Refusal(number, code, reason, taken=True))

    def state(self, health: AccountHealth) -> None:
        self._broadcast(wire.States([health]))

    def order(self, news: OrderNews) -> None:
        self._broadcast(wire.Order(news))

    # --- what can be seen ---------------------------------------------------------------------------------------------

    @property
    def clients(self) -> int:
        return sum(lease.clients for lease in self._leases.values())

    @property
    def written(self) -> Histogram:
        """Of all gateways: how long what was due to clients took to be written."""
        total = Histogram(STAGE_BOUNDS)
        for lease in self._leases.values():
            total.merge(lease.written)
        return total

    def metrics(self) -> dict[str, float]:
        """The gateways' figures, summed, and the border's own."""
        total: Counter[str] = Counter()
        for lease in self._leases.values():
            total.update(lease.figures)
        return {**total, "gateways": len(self._leases), "bus_published_total": self.published}

    # --- from the gateways --------------------------------------------------------------------------------------------

    def _received(self, frames: list[bytes]) -> None:
        try:
            routing, data = frames
            told = wire.decode_upward(data)
            if not hmac.compare_digest(told.secret.encode(), self._secret):
                raise DecodeError("it does not know the secret")
        except (ValueError, DecodeError) as error:
            log.warning("A message that no gateway sends was dropped: %s", error)
            return
        lease = self._leases.get(routing)
        if lease is None:
            lease = self._welcome(routing, told.gateway)
        elif lease.number != told.lease:
            self._greet(lease)  # it has not heard the first one yet, or that one was lost
        lease.heard = self._clock.monotonic()
        for item in told.items:
            if isinstance(item, wire.Beat):
                lease.clients, lease.figures, lease.written = item.clients, item.figures, item.written
                self._beat()
            elif lease.number != told.lease:
                continue
            elif isinstance(item, wire.Act | wire.Since | wire.Behind):
                self._orders.take(lease, item)
            else:
                self._later(partial(self._handle, lease, item))

    def _welcome(self, routing: bytes, gateway: str) -> Lease:
        lease = self._leases[routing] = Lease(routing, next(self._numbers), gateway)
        log.info("%s is here", gateway)
        self._greet(lease)
        return lease

    def _greet(self, lease: Lease) -> None:
        self._tell(lease, wire.Welcome(self.start_number, self._data_endpoint, self._brokers))
        self._tell(lease, self._keys())
        self._tell(lease, wire.States(self._feed.all_health()))

    def _handle(self, lease: Lease, item: wire.Request) -> None:
        if self._leases.get(lease.routing) is not lease:
            return
        match item:
            case wire.Ask():
                self._ask(lease, item)
            case wire.Drop():
                if (want := lease.wants.pop(item.id, None)) is not None:
                    self._release(lease, want)
            case wire.Resync():
                for want in lease.wants.values():
                    self._later(partial(self._renew, lease, want))
            case wire.Used():
                self._used(item.key_id)

    def _ask(self, lease: Lease, ask: wire.Ask) -> None:
        if ask.id in lease.wants:
            return
        feed = self._feed
        answer = feed.want(ask.account, ask.symbol, ask.exchange, Level(ask.mode, ask.depth), ask.dialect)
        if isinstance(answer, Refused):
            self._tell(lease, wire.Refusal(ask.id, answer.code, answer.reason, taken=False))
            return
        want = lease.wants[ask.id] = answer.want
        self._holders.setdefault(want, {})[lease] = ask.id
        if want not in self._topics:
            self._topics[want] = self._topic(ask).encode()
        mode, depth = answer.level
        reason = answer.reason if isinstance(answer, Pending) else ""
        snapshot = feed.snapshot(want)
        self._tell(lease, wire.Served(ask.id, want, mode, depth, feed.sequence(want), snapshot, reason))

    def _topic(self, ask: wire.Ask) -> str:
        if ask.account not in self._owners:
            self._owners[ask.account] = self._feed.health(ask.account).broker
        symbol, depth = split_depth_suffix(ask.symbol)
        return topic_text(Topic(symbol, ask.exchange, ask.mode, depth or 0, self._owners[ask.account], ask.account))

    def _release(self, lease: Lease, want: int) -> None:
        holders = self._holders.get(want, {})
        holders.pop(lease, None)
        if not holders:
            self._holders.pop(want, None)
            self._topics.pop(want, None)
        self._feed.release(want)

    def _renew(self, lease: Lease, want: int) -> None:
        """Tell a want's newest once more; a gateway that knows it already passes nothing on."""
        if lease in self._holders.get(want, ()) and (payload := self._feed.snapshot(want)) is not None:
            self._tell(lease, wire.Newest(want, self._feed.sequence(want), payload))

    def _end(self, lease: Lease) -> None:
        """The gateway is gone."""
        if self._leases.get(lease.routing) is lease:
            del self._leases[lease.routing]
            self._telling.pop(lease, None)
            for want in lease.wants.values():
                self._later(partial(self._release, lease, want))

    def _identities(self) -> Iterable[Identity]:
        return self._keys().identities.values()

    def _identity(self, key_id: str) -> Identity:
        for identity in self._identities():
            if identity.key_id == key_id:
                return identity
        raise AuthError("Invalid API key")

    # --- to the gateways ----------------------------------------------------------------------------------------------

    def _broadcast(self, answer: wire.Answer) -> None:
        for lease in self._leases.values():
            self._tell(lease, answer)

    def _answer(self, lease: Lease, answer: wire.Answer) -> None:
        if self._leases.get(lease.routing) is lease:
            self._tell(lease, answer)

    def _tell(self, lease: Lease, answer: wire.Answer) -> None:
        lease.answers.append(answer)
        if not self._telling:
            asyncio.get_running_loop().call_soon(self._flush)
        self._telling[lease] = None

    def _flush(self) -> None:
        """A gateway that takes no more is as good as gone: it loses its lease rather than single answers."""
        telling, self._telling = self._telling, {}
        for lease in telling:
            answers, lease.answers = lease.answers, []
            for at in range(0, len(answers), _BATCH):
                batch = wire.Downward(lease.number, answers[at : at + _BATCH])
                if not self._requests.send(lease.routing, wire.encode(batch)):
                    log.warning("%s is gone or takes no answers; its wants are released", lease.gateway)
                    self._end(lease)
                    break

    def _beat(self) -> None:
        self._data.send(wire.BEAT_TOPIC, wire.encode_update(self.published, self.start_number, 0, 0, b""))

    # --- long work in slices ------------------------------------------------------------------------------------------

    def _later(self, work: Callable[[], None]) -> None:
        self._work.append(work)
        if len(self._work) == 1:
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        due = [self._work.popleft() for _ in range(min(_SLICE, len(self._work)))]
        if self._work:
            asyncio.get_running_loop().call_soon(self._turn)
        for work in due:
            work()
