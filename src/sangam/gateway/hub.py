"""The hub: wants → lanes. It is what the feed tells updates, states and orders to, and where sessions plug in."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial

from sangam.feed.port import AccountHealth, Dialect
from sangam.feed.trace import Tell
from sangam.model.clock import Clock
from sangam.model.enums import INTERVALS_MS
from sangam.model.instrument import split_depth_suffix
from sangam.model.order import OrderNews

from . import protocol
from .chores import Timers
from .delivery import Delivery
from .lanes import Key, Lane, Windows
from .outbox import Backlog, Outbox
from .settings import GatewaySettings

_REMEMBERED_ORDERS = 10_000


class Hub:
    """Implements `sangam.feed.port.Sink` towards the feed; sessions use the rest."""

    def __init__(self, settings: GatewaySettings, clock: Clock, timers: Timers) -> None:
        self.delivery = Delivery(settings, clock, timers)
        self.chores = self.delivery.chores
        self._timers = timers
        self._wants: dict[int, list[Lane]] = {}
        self._windows = {
            ms: Windows(ms, self.delivery.deliver, clock, timers, settings.join_seconds) for ms in INTERVALS_MS if ms
        }
        self._followers: dict[tuple[str, str], dict[Outbox, None]] = {}
        self._orders_seen: OrderedDict[tuple[str, str, str, int], None] = OrderedDict()
        self._order_events = 0
        self._max_held = settings.max_backlog_events
        self._tasks: set[asyncio.Task[None]] = set()
        self._traced: dict[tuple[str, str], Tell] = {}

    # What the feed tells

    def publish(self, want: int, payload: bytes) -> None:
        """An update of a want: the hot path."""
        for lane in self._wants.get(want, ()):
            if lane.interval:
                self._windows[lane.interval].offer(lane, payload)
            else:
                self.delivery.deliver(lane, payload)

    def lapse(self, want: int) -> None:
        """Nothing to forget: snapshots are the feed's."""

    def refuse(self, want: int, code: str, reason: str) -> None:
        """Told to the owners in a later turn: they release the want, which must not happen inside the feed's call."""
        for lane in self._wants.get(want, ()):
            for outbox in _listeners(lane):
                self._timers.call_soon(partial(outbox.owner.refused, lane, code, reason))

    def state(self, health: AccountHealth) -> None:
        followers = self._followers.get(("state", health.account))
        if followers:
            self.delivery.send(followers, protocol.feed_state(health))

    def order(self, news: OrderNews) -> None:
        """Every event to those who asked for events. Of the updates of the known protocol, a state that is told twice
        (pushed and polled, say) is passed on once. Nobody listens: nothing is done."""
        for outbox in self._followers.get(("held", news.account), ()):
            outbox.held.append(news)
            if len(outbox.held) > self._max_held:
                self._timers.call_soon(partial(outbox.owner.cut, "too many order events waiting"))
        if news.event and (followers := self._followers.get(("events", news.account))):
            self._order_events += 1
            self.delivery.send(followers, news.event)
        followers = self._followers.get(("orders", news.account))
        if followers and news.update and self._is_fresh(news):
            self._order_events += 1
            self.delivery.send(followers, news.update)

    def _is_fresh(self, news: OrderNews) -> bool:
        identity = protocol.order_identity(news.update)
        if identity is not None:
            seen = (news.account, *identity)
            if seen in self._orders_seen:
                return False
            self._orders_seen[seen] = None
            if len(self._orders_seen) > _REMEMBERED_ORDERS:
                self._orders_seen.popitem(last=False)
        return True

    # What sessions ask

    def enter(self, outbox: Outbox) -> None:
        """A client has come."""
        self.delivery.enter(outbox)

    def leave(self, outbox: Outbox, flush: bool) -> None:
        """A client goes; its owner releases the wants."""
        lanes = list(outbox.lanes.values())
        self.delivery.leave(outbox, flush)
        for lane in lanes:
            self._forget_unheard(lane)
        for kind, account in [topic for topic, followers in self._followers.items() if outbox in followers]:
            self.unfollow(outbox, kind, account)

    def hold(self, held: Backlog, want: int, key: Key, interval: int, broker: str, dialect: Dialect) -> Lane:
        """The lane of a want at an interval, its updates kept in `held` until the client was sent its ack."""
        lanes = self._wants.setdefault(want, [])
        for lane in lanes:
            if lane.interval == interval and lane.key == key:
                break
        else:
            lane = Lane(want, key, interval, broker, dialect)
            lanes.append(lane)
            if self._traced:
                self._retrace(lane)
        lane.backlogs[held] = None
        return lane

    def unhold(self, held: Backlog, lane: Lane) -> None:
        lane.backlogs.pop(held, None)
        self._forget_unheard(lane)

    def attach(self, outbox: Outbox, lane: Lane) -> None:
        """From now on the client hears this lane, which must be held."""
        self.delivery.attach(outbox, lane)

    def detach(self, outbox: Outbox, lane: Lane) -> None:
        self.delivery.detach(outbox, lane)
        self._forget_unheard(lane)

    def send(self, outbox: Outbox, message: bytes) -> None:
        """A reply or an event for one client."""
        self.delivery.send((outbox,), message)

    def follow(self, outbox: Outbox, kind: str, account: str) -> None:
        """Hear an account's ``state``, its ``events`` or ``orders``, or have news of its orders ``held``."""
        self._followers.setdefault((kind, account), {})[outbox] = None

    def unfollow(self, outbox: Outbox, kind: str, account: str) -> None:
        followers = self._followers.get((kind, account))
        if followers is not None:
            followers.pop(outbox, None)
            if not followers:
                del self._followers[kind, account]

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold on to a task until it is done: its session may end before."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def metrics(self) -> dict[str, int]:
        delivery = self.delivery
        return {
            "messages_out_total": delivery.messages,
            "bytes_out_total": delivery.bytes,
            "conflated_total": delivery.conflated,
            "slow_clients": delivery.slow,
            "order_events_total": self._order_events,
            "wants": len(self._wants),
            "lanes": sum(map(len, self._wants.values())),
            "cohorts": delivery.cohorts.count,
        }

    def trace(self, symbol: str, exchange: str, tell: Tell | None) -> None:
        """Tell what is written of an instrument, to whomever; None ends it."""
        if tell is None:
            self._traced.pop((symbol, exchange), None)
        else:
            self._traced[symbol, exchange] = tell
        for lanes in self._wants.values():
            for lane in lanes:
                self._retrace(lane)

    def _retrace(self, lane: Lane) -> None:
        lane.trace(self._traced.get((split_depth_suffix(lane.key.symbol)[0], lane.key.exchange)))

    def _forget_unheard(self, lane: Lane) -> None:
        if not lane.cohorts and not lane.backlogs:
            lanes = self._wants.get(lane.want)
            if lanes is not None and lane in lanes:
                lanes.remove(lane)
                if not lanes:
                    del self._wants[lane.want]


def _listeners(lane: Lane) -> Iterator[Outbox]:
    for backlog in lane.backlogs:
        yield backlog.outbox
    for cohort in lane.cohorts:
        yield from cohort.members
