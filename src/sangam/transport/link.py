"""One life of a broker socket: a channel, a framing and a codec, from opening to its end.

Decides nothing about reconnecting; `socket.Connection` makes a new link for every attempt."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from sangam.brokers.contract import (
    AuthExpired,
    BooksChanged,
    Call,
    Carries,
    Codec,
    Confirmed,
    Endpoint,
    Event,
    LoggedIn,
    Notice,
    Operation,
    Refusal,
    Replaced,
    Result,
    Send,
)
from sangam.brokers.wire import Message
from sangam.model.clock import Clock
from sangam.model.errors import BrokerError, DecodeError, SangamError, SessionExpired
from sangam.model.instrument import Level
from sangam.model.market import Key, Patch

from .channel import Channel, open_channel
from .framing import make_framing
from .framing.base import Closed, Framed, Opened, Out, Plain, Wire

log = logging.getLogger("sangam.transport.socket")

MAX_DAMAGED = 50
"""So many damaged messages in a row and the socket is taken for broken."""

TIMED = 64
"""Every so many messages one is timed."""

RunOperation = Callable[[Operation[Any]], Awaitable[Any]]

_NOTHING = Carries()


class SessionTaken(SangamError):
    """Somebody else took the session over."""

    code = "SESSION_REPLACED"


class Link:
    """`patched` hears every Patch (the hot path), `told` everything else a codec tells for others; neither may raise.
    `took` hears of some messages with patches, a few of them, how many seconds they took to decode and pass on.
    `carries` is what the stream tells: an order whose news are damaged changed all the same, so the books are read.
    `ended` resolves with the reason when the socket is over, or fails with SessionExpired or SessionTaken."""

    def __init__(
        self,
        endpoint: Endpoint,
        codec: Codec,
        patched: Callable[[Patch], None],
        told: Callable[[Event], None],
        run: RunOperation,
        clock: Clock,
        label: str,
        egress: str = "",
        took: Callable[[float], None] | None = None,
        carries: Carries = _NOTHING,
    ) -> None:
        self._endpoint = endpoint
        self._codec = codec
        self._framing = make_framing(endpoint.framing, endpoint.framing_options)
        self._plain = isinstance(self._framing, Plain)
        self._patched = patched
        self._told = told
        self._took = took or _deaf
        self._carries = carries
        self._run = run
        self._monotonic = clock.monotonic
        self._label = label
        self._egress = egress
        self._channel: Channel | None = None
        self._early: list[Wire] | None = None
        self._left: tuple[str, bool] | None = None
        self._damaged = 0
        self._untimed = TIMED
        self._calls: set[asyncio.Task[None]] = set()
        loop = asyncio.get_running_loop()
        self.logged_in: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[str] = loop.create_future()
        self.unconfirmed: set[Key] = set()
        self._asked: set[Key] = set()
        self.last_wire = self._monotonic()
        self.last_data: float | None = None
        self._beat = self._ping = self.last_wire
        self._pace: float | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    async def open(self, ping: float | None, login_timeout: float) -> None:
        """Connect and log in. Raises what the peer's refusal means, or BrokerError when the login stays unanswered."""
        self._early = []
        self._pace = ping
        self._channel = await open_channel(self._endpoint, self, ping, self._egress)
        self._framed(self._framing.start())
        early, self._early = self._early, None
        for data in early:
            self.wire_data(data)
        if self._left is not None:
            self.wire_closed(*self._left)
        first: set[asyncio.Future[Any]] = {self.logged_in, self.ended}
        await asyncio.wait(first, timeout=login_timeout, return_when=asyncio.FIRST_COMPLETED)
        if self.ended.done():
            raise BrokerError(f"{self.ended.result()} before the login was answered")
        if not self.logged_in.done():
            raise BrokerError(f"no login answer within {login_timeout:g} s")

    def update(self, wanted: Mapping[Key, Level]) -> None:
        """The whole set this socket should carry."""
        self.unconfirmed &= wanted.keys()
        self.unconfirmed |= wanted.keys() - self._asked
        self._asked = set(wanted)
        try:
            self._results(self._codec.update(wanted))
        except Exception:
            # A bug in a codec: nothing it should carry was asked for, so this socket is of no use.
            log.exception("%s: the codec failed on %d instruments", self._label, len(wanted))
            self.wire_closed("codec failure")

    def keep_alive(self, heartbeat: float | None) -> None:
        """Send what is due: the codec's heartbeat, the framing's ping."""
        now = self._monotonic()
        if heartbeat and now - self._beat >= heartbeat:
            self._beat = now
            self._results(self._codec.heartbeat())
        if (interval := self._pace or self._framing.ping_interval) and now - self._ping >= interval:
            self._ping = now
            self._send(self._framing.ping())

    def close(self) -> None:
        """Nothing is heard of this link any more."""
        self._patched = self._told = _deaf
        for call in self._calls:
            call.cancel()
        if self._channel is not None:
            self._channel.close()
        for future in (self.logged_in, self.ended):
            if not future.done():
                future.cancel()
            elif not future.cancelled():
                future.exception()  # seen here, lest the loop call it never retrieved

    # --- from the socket ----------------------------------------------------------------------------------------------

    def wire_data(self, data: Wire) -> None:
        if self._early is not None:
            self._early.append(data)  # came with the upgrade, before there is a channel to answer on
            return
        self.last_wire = self._monotonic()
        damaged = self._damaged
        try:
            if self._plain:
                self._results(self._codec.received(data))
            else:
                self._framed(self._framing.feed(data))
        except DecodeError as error:
            self._damage(str(error), data)
        except Exception:
            # A codec must raise DecodeError only; whatever else comes out of one may cost this message, not the feed.
            log.exception("%s: the codec failed on a message of %d bytes", self._label, len(data))
            self._damage("codec failure", data)
        else:
            if self._damaged == damaged:
                self._damaged = 0
        self._untimed -= 1
        if not self._untimed:
            self._untimed = TIMED
            if self.last_data == self.last_wire:
                self._took(self._monotonic() - self.last_wire)

    def wire_closed(self, reason: str, auth: bool = False) -> None:
        if self._early is not None:
            self._left = reason, auth  # after what came before it, which may say why
        elif auth:
            self._fail(SessionExpired(reason))
        elif not self.ended.done():
            self.ended.set_result(reason)

    def _fail(self, error: SangamError) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)

    def _damage(self, reason: str, message: Message = b"") -> None:
        """Where prices come, too, news of orders are text."""
        self._damaged += 1
        if self._carries.orders and (isinstance(message, str) or not self._carries.modes):
            self._told(BooksChanged())
        if self._damaged in (1, 10, MAX_DAMAGED):
            log.warning("%s: damaged message (%d in a row): %s", self._label, self._damaged, reason)
        if self._damaged >= MAX_DAMAGED:
            self.wire_closed(f"{self._damaged} damaged messages in a row")

    def _framed(self, pieces: Iterable[Framed]) -> None:
        for piece in pieces:
            if isinstance(piece, Out):
                self._send((piece.data,))
            elif isinstance(piece, Opened):
                self._results(self._codec.opened())
            elif isinstance(piece, Closed):
                self.wire_closed(piece.reason, piece.auth)
            else:
                try:
                    self._results(self._codec.received(piece))
                except DecodeError as error:
                    self._damage(str(error), piece)  # costs this message, not those that came with it

    def _results(self, results: Iterable[Result]) -> None:
        patched = self._patched
        for result in results:
            if type(result) is Patch:
                self.last_data = self.last_wire
                if self.unconfirmed:
                    self.unconfirmed.discard(result.key)
                patched(result)
            else:
                self._other(result)

    def _other(self, result: Result) -> None:
        match result:
            case Send():
                self._send(self._framing.encode(result.command))
            case Call():
                task = asyncio.create_task(self._call(result), name=f"call {self._label}")
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)
            case LoggedIn():
                if not self.logged_in.done():
                    self.logged_in.set_result(None)
            case AuthExpired():
                self._fail(SessionExpired(result.reason))
            case Replaced():
                self._fail(SessionTaken(result.reason))
            case Confirmed():
                self.unconfirmed.difference_update(result.keys)
            case Notice():
                log.log(_LEVELS[result.level], "%s: the broker says: %s", self._label, result.text)
            case Refusal():
                self.unconfirmed.discard(result.key)
                self._told(result)
            case _:
                self._told(result)

    # --- to the socket ------------------------------------------------------------------------------------------------

    def _send(self, pieces: Iterable[Wire]) -> None:
        if self._channel is not None:
            for piece in pieces:
                self._channel.send(piece)

    async def _call(self, call: Call) -> None:
        purpose = call.purpose or "call"
        try:
            self._results(self._codec.replied(call, await self._run(call.operation)))
        except SessionExpired as error:
            self._fail(error)
        except BrokerError as error:
            log.warning("%s: %s: %s", self._label, purpose, error)
            self._failed(call, error)
        except DecodeError as error:
            self._damage(str(error))
            self._failed(call, BrokerError(f"The answer is damaged: {error}"))
        except Exception:
            # As in `wire_data`: a bug in broker code may cost this call, not the feed.
            log.exception("%s: %s: the codec failed", self._label, purpose)
            self._damage("codec failure")
            self._failed(call, BrokerError("A fault of ours, see the log."))

    def _failed(self, call: Call, error: BrokerError) -> None:
        """The codec hears of every call's end: it may wait for that one before the next."""
        try:
            self._results(self._codec.failed(call, error))
        except Exception:
            log.exception("%s: the codec failed on a failure", self._label)
            self._damage("codec failure")


def _deaf(_: object) -> None:
    """What a closed link tells."""


_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
