"""The one connection loop for every broker socket:

open -> connect -> login -> update -> read -> watch -> back off -> open ...

A `Connection` keeps one socket of one stream up for one session. A dead credential or a taken session ends its loop
for good; whoever owns it makes a new one for the next session generation."""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sangam.brokers.contract import Codec, Ctx, Event, Session, Stream
from sangam.model.clock import Clock
from sangam.model.errors import BrokerError, SessionExpired
from sangam.model.instrument import Level
from sangam.model.market import Key, Patch

from .backoff import Backoff
from .link import Link, RunOperation, SessionTaken

log = logging.getLogger("sangam.transport.socket")


class SocketState(StrEnum):
    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    RECONNECTING = "reconnecting"
    AUTH_EXPIRED = "auth_expired"
    REPLACED = "replaced"


@dataclass(frozen=True)
class Timing:
    """Seconds. Without any data for `stale_after` in market hours the feed is said to be stale; after `stuck_after`
    the socket is opened anew. `check` is how often the watchdog looks; a socket that stayed up for `settled` has
    earned a fresh back-off."""

    stale_after: float = 15.0
    stuck_after: float = 45.0
    check: float = 1.0
    settled: float = 30.0
    backoff_first: float = 1.0
    backoff_cap: float = 60.0


@dataclass(frozen=True)
class Owner:
    """Who hears of a connection; calls come from the loop and must not raise.

    `patched` is the hot path; `told` hears everything else a codec tells; `changed` hears that the state or its
    reason is another one; `expects_data` says whether an exchange of this connection's instruments is in session;
    `took` hears how many seconds some messages took from their arrival until all of them was passed on."""

    patched: Callable[[Patch], None]
    told: Callable[[Event], None]
    changed: Callable[["Connection"], None]
    expects_data: Callable[["Connection"], bool]
    took: Callable[[float], None] | None = None


class Connection:
    """One socket. `want` and `unwant` may be called at any time; what they add up to within one turn of the loop goes
    out together, as soon as the socket is logged in."""

    def __init__(
        self,
        stream: Stream,
        session: Session,
        owner: Owner,
        run: RunOperation,
        clock: Clock,
        timing: Timing,
        label: str,
    ) -> None:
        self.stream = stream
        self.session = session
        self.state = SocketState.CONNECTING
        self.detail = ""
        self.reconnects = 0
        self.label = label
        self.wanted: dict[Key, Level] = {}
        self._owner = owner
        self._run = run
        self._clock = clock
        self._timing = timing
        self._backoff = Backoff(timing.backoff_first, timing.backoff_cap)
        self._link: Link | None = None
        self._codec: Codec | None = None
        self._update_due = False
        self._dropped: set[Key] = set()
        self._task = asyncio.create_task(self._keep_up(), name=f"socket {label}")

    @property
    def unconfirmed(self) -> set[Key]:
        """Wanted instruments that the broker has neither confirmed nor told anything of."""
        if self._link is None or self.state not in _UP:
            return set(self.wanted)
        return self._link.unconfirmed

    def want(self, key: Key, level: Level) -> None:
        self.wanted[key] = level
        self._update_soon()

    def unwant(self, key: Key) -> None:
        if self.wanted.pop(key, None) is not None:
            self._dropped.add(key)
            self._update_soon()

    async def stop(self) -> None:
        """End the loop and wait until nothing of it is left."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _update_soon(self) -> None:
        if not self._update_due:
            self._update_due = True
            asyncio.get_running_loop().call_soon(self._update)

    def _update(self) -> None:
        self._update_due = False
        again = self._dropped & self.wanted.keys()
        self._dropped.clear()
        if self._link is not None and self.state in _UP:
            if again:
                # Wanted anew by somebody who knows nothing yet, while some wires tell the whole only once.
                self._link.update({key: level for key, level in self.wanted.items() if key not in again})
            self._link.update(self.wanted)

    # --- the loop -----------------------------------------------------------------------------------------------------

    async def _keep_up(self) -> None:
        while True:
            try:
                reason = await self._live_once()
            except SessionExpired as error:
                return self._end(SocketState.AUTH_EXPIRED, str(error))
            except SessionTaken as error:
                return self._end(SocketState.REPLACED, str(error))
            except BrokerError as error:
                reason = str(error)
            except Exception as error:
                # A bug in broker code may cost this attempt; an account that stays dark without a word costs more.
                log.exception("%s: the connection failed", self.label)
                reason = f"a fault of ours ({type(error).__name__}), see the log"
            delay = max(self._backoff.next(), self.stream.cooldown)
            log.warning("%s: %s; trying again in %.1f s", self.label, reason, delay)
            self._to(SocketState.RECONNECTING, reason)
            await asyncio.sleep(delay)
            self.reconnects += 1

    async def _live_once(self) -> str:
        """One life of the socket; tells why it ended."""
        session = self.session
        self._check_session()
        ctx = Ctx(self._clock.now_ms(), os.urandom)
        endpoint = await self._run(self.stream.open(session, ctx))
        codec = self.stream.codec(session, endpoint, ctx)
        if self._codec is not None:
            codec.follow(self._codec)
        self._codec = codec
        owner, label = self._owner, self.label
        link = self._link = Link(
            endpoint,
            codec,
            owner.patched,
            owner.told,
            self._run,
            self._clock,
            label,
            session.egress,
            owner.took,
            self.stream.carries,
        )
        try:
            await link.open(self.stream.ping, self.stream.login_timeout)
            log.info("%s: connected", self.label)
            self._to(SocketState.LIVE, "")
            self._update()
            return await self._watch(link)
        finally:
            self._link = None
            link.close()

    async def _watch(self, link: Link) -> str:
        """Until the link ends: keep it alive, and watch the age of what it tells."""
        up_since = self._clock.monotonic()
        expecting_since: float | None = None
        silence = self.stream.silence
        while True:
            await asyncio.wait({link.ended}, timeout=self._timing.check)
            if link.ended.done():
                return link.ended.result()
            self._check_session()
            link.keep_alive(self.stream.heartbeat)
            now = self._clock.monotonic()
            if silence is not None and now - link.last_wire > silence:
                return f"silent for {now - link.last_wire:.0f} s"
            if not self.wanted or not self._owner.expects_data(self):
                expecting_since = None
            elif expecting_since is None:
                expecting_since = now
            age = 0.0 if expecting_since is None else now - max(expecting_since, link.last_data or up_since)
            if age < self._timing.stale_after:
                self._to(SocketState.LIVE, "")
                if link.last_data is not None or now - up_since >= self._timing.settled:
                    self._backoff.reset()
                continue
            reason = f"no data for {age:.0f} s in market hours"
            if age >= self._timing.stuck_after:
                return reason
            if self.state is SocketState.LIVE:
                log.warning("%s: %s", self.label, reason)
                self._to(SocketState.STALE, reason)

    def _check_session(self) -> None:
        expires_at = self.session.expires_at
        if expires_at is not None and self._clock.now_ms() >= expires_at:
            raise SessionExpired("the broker's session has ended for the day")

    def _end(self, state: SocketState, reason: str) -> None:
        log.error("%s: %s (%s). Waiting for a new login.", self.label, state.value, reason)
        self._to(state, reason)

    def _to(self, state: SocketState, detail: str) -> None:
        if (self.state, self.detail) != (state, detail):
            self.state, self.detail = state, detail
            self._owner.changed(self)


_UP = frozenset({SocketState.LIVE, SocketState.STALE})
ENDED = frozenset({SocketState.AUTH_EXPIRED, SocketState.REPLACED})
"""States that only a new session leaves."""
