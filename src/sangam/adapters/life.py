"""One instance of a user's adapter, from its making to its end, as the channel of a socket that is none.

It runs in threads of its own and is never waited for. What it tells goes to the loop by one bounded queue."""

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from sangam.brokers.contract import Session
from sangam.model.errors import NotSent
from sangam.transport.channel import Owner
from sangam.transport.framing.base import Wire

from .base import BaseBrokerWebSocketAdapter

log = logging.getLogger("sangam.adapters")

Kind = type[BaseBrokerWebSocketAdapter]

QUEUE = 10_000
"""Prices that wait for the loop; above it the oldest are dropped."""
GRACE = 2.0
"""Seconds that a call under way may still take before `disconnect` is called beside it."""
_BATCH = 200
_REFUSED_LOGIN = frozenset({"AUTHENTICATION_ERROR", "INVALID_TOKEN"})

_command = msgspec.json.Decoder(tuple[str, str, str, int, int]).decode


def client(session: Session) -> str:
    return session.secrets.get("client_id") or session.secrets.get("user_id") or session.client_id


async def dial(name: str, kind: Kind, session: Session, lives: "list[Life]", owner: Owner) -> "Life":
    """The next life, once the one before has ended."""
    loop = asyncio.get_running_loop()
    until = loop.time() + 2 * GRACE
    while (running := [life for life in lives if life.runs]) and loop.time() < until:  # noqa: ASYNC110 - of threads
        await asyncio.sleep(0.01)
    lives[:] = running
    if lives:
        raise NotSent(f"a call of {kind.__name__} of the attempt before has not returned yet: {lives[0].stands_in}")
    life = Life(name, kind, session, owner)
    lives.append(life)
    return life


class Life:
    """A channel: `send` and `close` are called on the loop, all the rest in the adapter's threads."""

    def __init__(self, name: str, kind: Kind, session: Session, owner: Owner) -> None:
        self.stands_in = "initialize"
        self._name = name
        self._kind = kind
        self._session = session
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._adapter: BaseBrokerWebSocketAdapter | None = None
        self._mail: deque[Wire] = deque(maxlen=QUEUE)
        self._dropped = 0
        self._due = self._opened = self._closed = False
        self._commands: queue.SimpleQueue[Wire | None] = queue.SimpleQueue()
        self._threads = [self._thread("connect", self._connect), self._thread("calls", self._work)]

    @property
    def runs(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def send(self, data: Wire) -> None:
        self._commands.put(data)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._mail.clear()
            self._commands.put(None)
            self._threads.append(self._thread("disconnect", self._end))

    def _thread(self, what: str, target: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=target, name=f"{self._session.account} {what}", daemon=True)
        thread.start()
        return thread

    # --- the adapter's threads ----------------------------------------------------------------------------------------

    def _connect(self) -> None:
        session = self._session
        auth = {**session.secrets, "client_id": client(session)}
        try:
            adapter = self._kind()
            adapter.broker_name, adapter.user_id = self._name, auth["client_id"] or session.account
            adapter.zmq_socket, adapter._host = _Publisher(self), self
            self._adapter = adapter
            adapter.initialize(self._name, adapter.user_id, auth)
            self.stands_in = "connect"
            status, code, reason = _answer(None if self._closed else adapter.connect())
        except BaseException as error:  # noqa: BLE001 - whatever a stranger's code raises is its own matter
            self._lost(f"{self.stands_in} failed: {_text(error)}")
            return
        finally:
            if self._closed:  # it took longer than anybody waited for it
                self.stands_in = "disconnect"
                self._disconnect()
        if status == "error":
            self._lost(f"connect: {reason}", code in _REFUSED_LOGIN)
        elif status != "connecting":
            self.opened()

    def _work(self) -> None:
        while (command := self._commands.get()) is not None:
            verb, symbol, exchange, mode, depth = _command(command)
            adapter = self._adapter
            if adapter is None or self._closed:
                continue
            self.stands_in = verb
            try:
                if verb == "unsubscribe":
                    adapter.unsubscribe(symbol, exchange, mode)
                    continue
                status, _, reason = _answer(adapter.subscribe(symbol, exchange, mode, depth))
            except BaseException as error:  # noqa: BLE001 - as above
                status, reason = "error", f"{verb} failed: {_text(error)}"
                log.warning("%s: %s:%s: %s", self._name, exchange, symbol, reason)
            if verb == "subscribe" and status == "error":
                self._tell("refused", symbol, exchange, reason)
            elif verb == "subscribe":
                self._tell("taken", symbol, exchange)

    def _end(self) -> None:
        for thread in self._threads[:2]:
            thread.join(GRACE)
        if not any(thread.is_alive() for thread in self._threads[:2]):
            self.stands_in = "disconnect"
        self._disconnect()

    def _disconnect(self) -> None:
        if self._adapter is not None:
            try:
                self._adapter.disconnect()
            except BaseException as error:  # noqa: BLE001 - as above
                log.warning("%s: disconnect failed: %s", self._name, _text(error))

    # --- what the adapter tells, in any thread ------------------------------------------------------------------------

    def opened(self) -> None:
        if not self._opened:
            self._opened = True
            self._tell("opened")

    def closed(self, reason: str) -> None:
        if self._opened:
            self._lost(_plain(reason))

    def priced(self, topic: bytes, row: bytes) -> None:
        self._post(b"%b\n%b" % (topic, row))

    def _tell(self, *news: str) -> None:
        """Past the prices that wait: none of this may be dropped."""
        self._soon(partial(self._hear, msgspec.json.encode(news).decode()))

    def _hear(self, message: Wire) -> None:
        if not self._closed:
            self._owner.wire_data(message)

    def _lost(self, reason: str, auth: bool = False) -> None:
        if not self._closed:
            self._soon(partial(self._owner.wire_closed, reason, auth))

    def _post(self, message: Wire) -> None:
        if self._closed:
            return
        if len(self._mail) == QUEUE:
            self._dropped += 1
        self._mail.append(message)
        if not self._due:
            self._due = True
            self._soon(self._drain)

    def _soon(self, call: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # the loop has ended
            self._closed = True

    def _drain(self) -> None:
        self._due = False
        for _ in range(_BATCH):
            if not self._mail:
                self._tell_dropped()
                return
            self._hear(self._mail.popleft())
        if not self._due:
            self._due = True
            self._loop.call_soon(self._drain)

    def _tell_dropped(self) -> None:
        if self._dropped:
            log.warning("%s: prices came faster than they could be passed on: %d dropped", self._name, self._dropped)
            self._dropped = 0


class _Publisher:
    """Stands where an adapter publishes: what it says there goes to the feed."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def send_multipart(self, frames: list[bytes], *options: Any, **more: Any) -> None:
        topic, row = frames
        self._life.priced(bytes(topic), bytes(row))


# --- what strangers say, whatever their objects do --------------------------------------------------------------------


def _answer(told: object) -> tuple[str, str, str]:
    """Status, code and message of what `connect` and `subscribe` answer."""
    row = {name: value for name, value in told.items() if value is not None} if isinstance(told, Mapping) else {}
    status, code, reason = row.get("status", "connecting"), row.get("code", ""), row.get("message", "no reason given")
    return _plain(status), _plain(code), _plain(reason)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {_plain(error)}"


def _plain(told: object) -> str:
    """As text that can be passed on: half a surrogate pair, as of a badly decoded byte, cannot be encoded."""
    try:
        return str(told).encode(errors="replace").decode()
    except BaseException:  # noqa: BLE001 - a `__str__` of theirs
        return f"an unprintable {type(told).__name__}"
