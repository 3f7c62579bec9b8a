"""One connection to the gateway, kept up: authenticated, its order events resumed, its symbols subscribed again.

Lives on a loop. What is asked is answered by `request_id`; an answer that a broken connection swallowed is `Broken`,
for whoever asked knows whether asking again is harmless."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from time import monotonic
from typing import Any, TypeVar

import msgspec

from sangam.brokers.contract import Endpoint
from sangam.model.errors import AuthError, BrokerError, NotSent, SangamError, SessionExpired
from sangam.transport.backoff import Backoff
from sangam.transport.channel import Channel, open_channel
from sangam.transport.framing.base import Wire

from . import wire
from .answers import OrderInfo, Tick

log = logging.getLogger("sangam.client")

T = TypeVar("T")

FEATURES = ("order_events", "refusals")
PING = 10.0
"""Seconds: a silent line is asked whether it lives after so many, and given up after as many more."""
GREETING = 10.0
FAREWELL = 1.0


class Broken(Exception):
    """The connection ended, or the answer did not come, after something was asked: it may have been done."""


class LineState(Enum):
    CONNECTING = "connecting"
    UP = "up"
    WAITING = "waiting"
    ENDED = "ended"


@dataclass(frozen=True)
class Listener:
    """Who hears of a line; calls come from the loop and must not raise."""

    ticked: Callable[[Tick], None]
    ordered: Callable[[OrderInfo], None]
    connected: Callable[[], None]
    disconnected: Callable[[str], None]
    failed: Callable[[Exception], None]


@dataclass(frozen=True)
class LineTiming:
    """Seconds. After `breaker` failed connects in a row, who asks is refused at once until the next try."""

    backoff_first: float = 0.2
    backoff_cap: float = 2.0
    breaker: int = 5


class _Head(msgspec.Struct):
    type: str = ""
    request_id: int | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


_head = msgspec.json.Decoder(_Head).decode
_tick = msgspec.json.Decoder(Tick).decode


class Line:
    """`greetings` are the subscriptions to make anew on each connection. `seen` is the last order event that was told,
    None before the first."""

    def __init__(
        self,
        url: str,
        api_key: str,
        listener: Listener,
        greetings: Callable[[], list[dict[str, Any]]],
        since: int | None,
        timing: LineTiming,
    ) -> None:
        self.state = LineState.CONNECTING
        self.reason = "not connected yet"
        self.seen = since
        self.failures = 0
        self.connects = 0
        self._url = url
        self._api_key = api_key
        self._listener = listener
        self._greetings = greetings
        self._timing = timing
        self._backoff = Backoff(timing.backoff_first, timing.backoff_cap)
        self._start: int | None = None
        self._fatal: AuthError | None = None
        self._socket: _Socket | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        self._task: asyncio.Task[None] | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._keep_up(), name="client line")

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._to(LineState.ENDED, "closed by us")
        self._break("closed by us")

    async def ready(self, ends: float, *, patient: bool = False) -> None:
        """Return once the line is up. Raises NotSent after `ends` (monotonic seconds) and, unless one is `patient`, at
        once while the server has not answered several times in a row; AuthError where the key is wrong."""
        while self.state is not LineState.UP:
            if self._fatal is not None:
                raise self._fatal
            if self.state is LineState.ENDED:
                raise NotSent("This client is not connected: call connect() first. Nothing was sent.")
            if self.state is LineState.WAITING and self.failures >= self._timing.breaker and not patient:
                raise NotSent(
                    f"The server did not answer {self.failures} times in a row ({self.reason}). Nothing was sent; the "
                    "connection is tried again."
                )
            left = ends - monotonic()
            if left <= 0:
                raise NotSent(f"There was no connection to the server in time ({self.reason}). Nothing was sent.")
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            await asyncio.wait({waiter}, timeout=left)
            self._waiters.discard(waiter)

    async def ask(self, action: str, fields: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        """The answer to one request on the line that is up now. Raises Broken; NotSent where nothing can have left."""
        if self._socket is None or self.state is not LineState.UP:
            because = f" ({self.reason})" if self.reason else ""
            raise NotSent(f"The connection to the server is lost{because}.")
        return await self._exchange(self._socket, action, fields, seconds)

    async def _exchange(
        self, socket: "_Socket", action: str, fields: Mapping[str, Any], seconds: float
    ) -> Mapping[str, Any]:
        number = next(self._numbers)
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            socket.send({"action": action, **fields, "request_id": number})
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            raise Broken(f"no answer to {action} within {seconds:g} s") from None
        finally:
            self._asked.pop(number, None)

    # --- the loop -----------------------------------------------------------------------------------------------------

    async def _keep_up(self) -> None:
        while True:
            self._to(LineState.CONNECTING, self.reason)
            socket = _Socket(self._received)
            try:
                reason = await self._live_once(socket)
            except (AuthError, SessionExpired) as error:
                self._fatal = AuthError(f"The server refused the API key: {error}")
                self._listener.failed(self._fatal)
                self._to(LineState.WAITING, str(error))
                return
            except (BrokerError, Broken) as error:
                reason = str(error)
            except Exception as error:
                # A fault of ours may cost this attempt; a strategy that stays without a line costs more.
                log.exception("%s: the connection failed", self._url)
                reason = f"a fault of ours ({type(error).__name__})"
            finally:
                socket.close()
            self.failures += 1
            self._to(LineState.WAITING, reason)
            delay = self._backoff.next()
            log.info("%s: %s; trying again in %.1f s", self._url, reason, delay)
            await asyncio.sleep(delay)

    async def _live_once(self, socket: "_Socket") -> str:
        await self._open(socket)
        await self._first(self._greet(socket), socket)
        self._socket = socket
        self.failures = 0
        self.connects += 1
        self._backoff.reset()
        self._to(LineState.UP, "")
        self._listener.connected()
        try:
            return await socket.ended
        finally:
            self._socket = None
            self._break(socket.reason or "closed by us")
            self._listener.disconnected(socket.reason or "closed by us")

    async def _open(self, socket: "_Socket") -> None:
        endpoint = Endpoint(url=self._url, dead_credential=frozenset({401, 403, 4401}))
        opening = asyncio.ensure_future(open_channel(endpoint, socket, PING))
        try:
            socket.opened(await asyncio.shield(opening))
        except asyncio.CancelledError:  # one that is broken off half-way would stay open: let it end, but not for long
            done, _ = await asyncio.wait({opening}, timeout=FAREWELL)
            if not done:
                opening.cancel()
            elif opening.exception() is None:
                socket.opened(opening.result())
            raise

    async def _first(self, work: Awaitable[None], socket: "_Socket") -> None:
        """The work, or the end of the socket, whichever comes first."""
        task = asyncio.ensure_future(work)
        ended: set[asyncio.Future[Any]] = {task, socket.ended}
        try:
            await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            else:
                raise Broken(await socket.ended)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _greet(self, socket: "_Socket") -> None:
        who = {"api_key": self._api_key, "features": FEATURES}
        answer = await self._exchange(socket, "authenticate", who, GREETING)
        if answer.get("status") != "success":
            refused = AuthError if answer.get("code") == AuthError.code else Broken
            raise refused(str(answer.get("message")))
        since = self._start if self.seen is None else self.seen
        more = {} if since is None else {"since": since}
        answer = await self._exchange(socket, "subscribe_orders", more, GREETING)
        if answer.get("status") == "success":
            self._resume(since, answer.get("last_event"))
        elif answer.get("code") == "INSUFFICIENT_PERMISSION":  # a key for prices only
            self._listener.failed(wire.failure("subscribe_orders", answer))
        else:
            raise Broken(f"the server tells no order events now: {answer.get('message')}")
        for greeting in self._greetings():
            self.complain(await self._exchange(socket, greeting.pop("action"), greeting, GREETING))

    def _resume(self, since: int | None, last: int | None) -> None:
        if since is None:
            self._start = last
        elif last is not None and last < since:
            self.seen, self._start = None, last
            text = f"The server numbers its order events anew (from {last}, not {since}): read the order book."
            self._listener.failed(SangamError(text))

    def complain(self, answer: Mapping[str, Any]) -> None:
        """Tell what of a subscription failed."""
        rows = [row for row in answer.get("subscriptions", []) if row.get("status") == "error"]
        for row in [answer] if answer.get("status") == "error" else rows:
            self._listener.failed(wire.failure("subscribe", row))

    def _to(self, state: LineState, reason: str) -> None:
        self.state, self.reason = state, reason
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _break(self, reason: str) -> None:
        """What was asked and not answered may have been done."""
        for answer in list(self._asked.values()):
            if not answer.done():
                answer.set_exception(Broken(reason))

    # --- from the socket ----------------------------------------------------------------------------------------------

    def _received(self, data: Wire) -> None:
        try:
            head = _head(data)
            if head.type == "market_data":
                self._listener.ticked(_tick(head.data))
            elif head.type.startswith("ORDER_"):
                self._ordered(wire.event(msgspec.json.decode(data)))
            elif head.request_id is not None:
                answer = self._asked.get(head.request_id)
                if answer is not None and not answer.done():
                    answer.set_result(msgspec.json.decode(data))
            elif head.type in ("", "subscription_refused"):
                self._listener.failed(wire.failure("subscribe", msgspec.json.decode(data)))
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
            # One message of a server that is newer than this client must not cost the connection.
            self._listener.failed(SangamError(f"A message of the server could not be read: {error!r}"))

    def _ordered(self, order: OrderInfo) -> None:
        """Each event once, whatever a resume repeats."""
        if self.seen is None or order.seq > self.seen:
            self.seen = order.seq
            self._listener.ordered(order)


class _Socket:
    """The owner of one channel."""

    def __init__(self, received: Callable[[Wire], None]) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.reason = ""
        self._received = received
        self._channel: Channel | None = None

    def opened(self, channel: Channel) -> None:
        self._channel = channel

    def send(self, message: Mapping[str, Any]) -> None:
        if self._channel is not None:
            self._channel.send(msgspec.json.encode(message).decode())

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if not self.ended.done():
            self.ended.cancel()
        elif not self.ended.cancelled():
            self.ended.exception()  # seen here, lest the loop call it never retrieved

    def wire_data(self, data: Wire) -> None:
        self._received(data)

    def wire_closed(self, reason: str, auth: bool = False) -> None:
        self.reason = reason.replace("by the broker", "by the server")
        if self.ended.done():
            return
        if auth:
            self.ended.set_exception(AuthError(self.reason))
        else:
            self.ended.set_result(self.reason)
