"""The gateway's end of the border: a feed in another process, spoken to as if it were here.

A want is answered at once, as pending; what the feed says follows. After the feed came back, or took the lease away,
everything is asked for again. Updates pass once each, in order, whichever way they came: a want's `seq` only rises."""

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable, Mapping

import zmq

from sangam.feed.port import AccountHealth, Dialect, Granted, Pending, Refused, Sink
from sangam.model.clock import Clock, ist_from_ms
from sangam.model.enums import AccountState, Mode
from sangam.model.errors import DecodeError
from sangam.model.histogram import STAGE_BOUNDS, Histogram
from sangam.model.instrument import Level
from sangam.model.order import OrderNews

from . import wire
from .keyring import Keyring
from .remote import Remote, WantKey
from .remote_orders import RemoteOrders
from .sockets import Socket

log = logging.getLogger("sangam.bus")

_KNOCK_SECONDS = 0.05
_PATIENCE_SECONDS = 3.0
"""A feed that is silent for so long is said to be away."""
_ANSWER_SECONDS = 0.5
"""Whoever asks for an instrument may wait so long for the feed's answer."""
_RESYNC_SECONDS = 0.2
_BATCH = 500
_DATA_QUEUE = 50_000
_REQUEST_QUEUE = 10_000
_SHOWABLE = frozenset({AccountState.LIVE, AccountState.CLOSED_MARKET})


class RemoteFeed:
    """Implements `feed.port.FeedPort`; its `orders` implement `orders.ports.Actions`. `gateway` names this process in
    the feed's log.

    `figures` is what the feed is told of this gateway now and then: its clients and its counters; `written` is the
    gateway's own, told along."""

    def __init__(self, endpoint: str, gateway: str, clock: Clock, secret: str = "") -> None:
        self.brokers: list[str] = []
        self.keys = Keyring(clock, lambda key_id: self._request(wire.Used(key_id)))
        self.orders = RemoteOrders(lambda item: self._send([item]), self._pass_on, clock)
        self.lost = 0
        """Updates that the border lost since the start."""
        self.figures: Callable[[], tuple[int, Mapping[str, float]]] = lambda: (0, {})
        self.written = Histogram(STAGE_BOUNDS)
        self._endpoint = endpoint
        self._gateway = gateway
        self._secret = secret
        self._clock = clock
        self._sink: Sink | None = None
        self._lease = 0
        self._start = 0
        self._data_endpoint = ""
        self._data: Socket | None = None
        self._joined = False
        self._away = False
        self._heard = clock.monotonic()
        self._number = 0
        self._numbers = itertools.count(1)
        self._records: dict[int, Remote] = {}
        self._by_key: dict[WantKey, Remote] = {}
        self._by_want: dict[int, Remote] = {}
        self._health: dict[str, AccountHealth] = {}
        self._asking: list[wire.Request] = []
        self._resync_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._ready = asyncio.Event()

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._context = zmq.Context(io_threads=1)
        self._requests = Socket(self._context, zmq.DEALER, self._told, queue=_REQUEST_QUEUE)
        self._requests.raw.setsockopt(zmq.ROUTING_ID, b"g" + secrets.token_bytes(8))
        self._requests.connect(self._endpoint)
        self._tick()

    async def ready(self) -> None:
        """Wait until the feed has let us in and its data arrives."""
        await self._ready.wait()

    def stop(self) -> None:
        self.orders.silent()
        if self._timer is not None:
            self._timer.cancel()
        self._requests.close()
        if self._data is not None:
            self._data.close()
        self._context.term()

    def attach(self, sink: Sink) -> None:
        self._sink = sink

    def _tick(self) -> None:
        wait = wire.BEAT_SECONDS if self._joined and not self._away else _KNOCK_SECONDS
        self._timer = asyncio.get_running_loop().call_later(wait, self._tick)
        if not self._away and self._clock.monotonic() - self._heard > _PATIENCE_SECONDS:
            self._miss()
        clients, figures = self.figures()
        self._send([wire.Beat(clients, {**figures, "bus_lost_total": self.lost}, self.written)])

    def _miss(self) -> None:
        """The feed is silent: clients are told, once, that nothing flows."""
        self._away = True
        self.orders.silent()
        log.warning("The feed process does not answer")
        now = self._clock.now_ms()
        for account, health in list(self._health.items()):
            if health.state in _SHOWABLE or health.state is AccountState.CONNECTING:
                self._change(
                    AccountHealth(
                        account=account,
                        broker=health.broker,
                        state=AccountState.RECONNECTING,
                        detail="the feed process does not answer",
                        since=now,
                        modes=health.modes,
                    )
                )

    # --- feed.port.FeedPort -------------------------------------------------------------------------------------------

    def want(
        self, account: str, symbol: str, exchange: str, level: Level, dialect: Dialect = Dialect.CANONICAL
    ) -> Granted | Pending | Refused:
        """A refusal is told by the sink, later."""
        key = (account, symbol, exchange, level if level.mode is Mode.DEPTH else Level(level.mode), dialect)
        record = self._by_key.get(key)
        if record is None:
            record = self._by_key[key] = Remote(next(self._numbers), key)
            self._records[record.id] = record
            if self._joined:
                self._ask(record)
        record.count += 1
        return self._answer(record)

    def answered(self, want: int) -> Granted | Pending | Refused:
        record = self._records[want]
        return record.refusal or self._answer(record)

    def _answer(self, record: Remote) -> Granted | Pending:
        if record.granted or (record.want and self.health(record.key[0]).state in _SHOWABLE):
            return Granted(record.id, record.level)
        asked = not record.want and self._joined and self._clock.monotonic() - record.asked_at < _ANSWER_SECONDS
        return Pending(record.id, record.level, record.reason, asked)

    def release(self, want: int) -> None:
        record = self._records[want]
        record.count -= 1
        if record.count:
            return
        del self._records[want]
        if self._by_key.get(record.key) is record:
            del self._by_key[record.key]
        if self._by_want.get(record.want) is record:
            del self._by_want[record.want]
        if record.lease and record.lease == self._lease:
            self._request(wire.Drop(want))

    def snapshot(self, want: int) -> bytes | None:
        record = self._records[want]
        state = self.health(record.key[0]).state
        if self._away or record.payload is None or state not in _SHOWABLE:
            return None
        if state is AccountState.LIVE and not self._of_today(record.heard_at):
            return None
        return record.payload

    def sequence(self, want: int) -> int:
        return max(0, self._records[want].seq)

    def health(self, account: str) -> AccountHealth:
        health = self._health.get(account)
        if health is None:
            return AccountHealth(account=account, broker="", state=AccountState.NO_SESSION, detail="not served here")
        return health

    def _of_today(self, ms: int) -> bool:
        return ist_from_ms(ms).date() == ist_from_ms(self._clock.now_ms()).date()

    # --- requests -----------------------------------------------------------------------------------------------------

    def _ask(self, record: Remote) -> None:
        account, symbol, exchange, (mode, depth), dialect = record.key
        record.lease = self._lease
        record.asked_at = self._clock.monotonic()
        self._request(wire.Ask(record.id, account, symbol, exchange, mode, depth, dialect))

    def _request(self, item: wire.Request) -> None:
        self._asking.append(item)
        if len(self._asking) == 1:
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        asking, self._asking = self._asking, []
        for at in range(0, len(asking), _BATCH):
            self._send(asking[at : at + _BATCH])

    def _send(self, items: list[wire.Request]) -> bool:
        """Wants that cannot be sent belong to a lease that will be lost, and are asked for again under the next one."""
        return self._requests.send(wire.encode(wire.Upward(self._gateway, self._lease, items, self._secret)))

    # --- answers ------------------------------------------------------------------------------------------------------

    def _told(self, frames: list[bytes]) -> None:
        try:
            told = wire.decode_downward(frames[-1])
        except DecodeError as error:
            log.warning("A message that no feed sends was dropped: %s", error)
            return
        self._heard = self._clock.monotonic()
        if self._away:
            self._away = False
            self.orders.back()
            log.info("The feed process answers again")
        for item in told.items:
            if isinstance(item, wire.Welcome):
                self._welcomed(told.lease, item)
            elif told.lease == self._lease:
                self._hear(item)

    def _welcomed(self, lease: int, welcome: wire.Welcome) -> None:
        """A lease under which nothing is held yet."""
        if lease == self._lease:
            return
        self._lease = lease
        self.brokers = welcome.brokers
        self.orders.begin()
        self._asking = [item for item in self._asking if isinstance(item, wire.Used)]
        if welcome.start != self._start:
            self._start = welcome.start
            self._joined = False
            self._by_want.clear()
            for record in self._records.values():
                record.forget()
                record.granted = False
        if welcome.data != self._data_endpoint:
            self._listen(welcome.data)
        if self._joined:
            self._ask_all()

    def _listen(self, endpoint: str) -> None:
        if self._data is not None:
            self._data.close()
        self._data_endpoint = endpoint
        self._data = Socket(self._context, zmq.SUB, self._updated, queue=_DATA_QUEUE)
        self._data.raw.setsockopt(zmq.SUBSCRIBE, b"")
        self._data.connect(endpoint)

    def _ask_all(self) -> None:
        for record in self._by_key.values():
            self._ask(record)

    def _hear(self, item: wire.Answer) -> None:
        match item:
            case wire.Served():
                self._served(item)
            case wire.Newest():
                self._deliver(item.want, item.seq, item.payload)
            case wire.Refusal():
                self._refused(item)
            case wire.Lapsed():
                record = self._by_want.get(item.want)
                if record is not None and record.seq <= item.seq:
                    record.payload = None
            case wire.States():
                for health in item.accounts:
                    self._change(health)
            case wire.Order():
                self.orders.heard(item.news)
            case wire.Acted() | wire.Failed() | wire.Replayed():
                self.orders.answered(item)
            case wire.Missed():
                self.orders.caught_up(item)
            case wire.Keys():
                self.keys.learn(item)

    def _pass_on(self, news: OrderNews) -> None:
        if self._sink is not None:
            self._sink.order(news)

    def _served(self, answer: wire.Served) -> None:
        record = self._records.get(answer.id)
        if record is None:
            return
        if record.want != answer.want:
            self._by_want.pop(record.want, None)
            record.forget()
            record.want = answer.want
        self._by_want[answer.want] = record
        record.level = Level(answer.mode, answer.depth)
        record.granted = not answer.reason
        record.reason = answer.reason
        if answer.payload is not None:
            self._deliver(answer.want, answer.seq, answer.payload)

    def _refused(self, answer: wire.Refusal) -> None:
        """Told to the owners, who release it; whoever asks next asks the feed again."""
        record = self._records.get(answer.id)
        if record is None:
            return
        if not answer.taken:
            record.lease = 0
        record.refusal = Refused(answer.reason, answer.code)
        if self._by_key.get(record.key) is record:
            del self._by_key[record.key]
        if self._sink is not None:
            self._sink.refuse(record.id, answer.code, answer.reason)

    def _change(self, health: AccountHealth) -> None:
        before = self._health.get(health.account)
        self._health[health.account] = health
        if self._sink is not None and (before is None or before.state is not health.state):
            self._sink.state(health)

    # --- data ---------------------------------------------------------------------------------------------------------

    def _updated(self, frames: list[bytes]) -> None:
        try:
            update = wire.decode_update(frames[-1])
        except DecodeError as error:
            log.warning("An update that no feed sends was dropped: %s", error)
            return
        if update.start != self._start:
            return
        beat = frames[0] == wire.BEAT_TOPIC
        if not self._joined:
            if beat:
                self._join(update.number)
            return
        missed = update.number - self._number - (not beat)
        self._number = update.number
        if missed > 0:
            self._miss_updates(missed)
        if not beat:
            self._deliver(update.want, update.seq, update.payload)

    def _join(self, number: int) -> None:
        """From here on we hear everything, so what is asked for now cannot miss its first update."""
        log.info("The feed is here; asking it for %d instruments", len(self._by_key))
        self._joined = True
        self._number = number
        self._ask_all()
        self._ready.set()

    def _miss_updates(self, count: int) -> None:
        """Lost between the processes: the newest of everything is asked for, so that no last price stays unheard."""
        self.lost += count
        log.warning("%d updates were lost between feed and gateway", count)
        if not self._resync_due:
            self._resync_due = True
            asyncio.get_running_loop().call_later(_RESYNC_SECONDS, self._resync)

    def _resync(self) -> None:
        self._resync_due = False
        self._request(wire.Resync())

    def _deliver(self, want: int, seq: int, payload: bytes) -> None:
        record = self._by_want.get(want)
        if record is None or seq <= record.seq:
            return
        record.seq = seq
        record.payload = payload
        record.heard_at = self._clock.now_ms()
        record.granted = True
        if self._sink is not None:
            self._sink.publish(record.id, payload)
