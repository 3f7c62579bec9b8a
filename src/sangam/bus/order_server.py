"""The orders' end of the border: actions of gateways' clients, carried out once each.

Who asks is looked up here by the key's id: a gateway says which key opened a session, and nothing else is believed."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

import msgspec

from sangam.model.clock import Clock
from sangam.model.enums import Scope
from sangam.model.errors import NotSent, SangamError
from sangam.model.identity import Identity
from sangam.model.order import OrderNews
from sangam.orders.actions import WRITES
from sangam.orders.failure import puzzled, told, unserved
from sangam.orders.ports import Actions

from . import wire

log = logging.getLogger("sangam.bus")

_BATCH = 200
"""Events in one message."""
_AGAIN_SECONDS = 1.0
_encode = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, Any]).decode
L = TypeVar("L")


class OrderServer(Generic[L]):
    """`tell` answers a lease, as long as it lives; `identity` raises AuthError; `identities` are those of all keys."""

    def __init__(
        self,
        tell: Callable[[L, wire.Answer], None],
        identity: Callable[[str], Identity],
        identities: Callable[[], Iterable[Identity]],
        clock: Clock,
    ) -> None:
        self._tell = tell
        self._identity = identity
        self._identities = identities
        self._clock = clock
        self._orders: asyncio.Future[Actions] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self, orders: Actions) -> None:
        served = self._served()
        if not served.done():
            served.set_result(orders)

    def take(self, lease: L, item: wire.Act | wire.Since | wire.Behind) -> None:
        match item:
            case wire.Act():
                self._start(self._act(lease, item))
            case wire.Since():
                self._start(self._since(lease, item))
            case wire.Behind():
                self._start(self._catch_up(lease, item))

    def close(self) -> None:
        """Nobody waits for answers any more; orders under way are the desk's own."""
        for task in self._tasks:
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _served(self) -> asyncio.Future[Actions]:
        if self._orders is None:
            self._orders = asyncio.get_running_loop().create_future()
        return self._orders

    async def _act(self, lease: L, act: wire.Act) -> None:
        try:
            if self._clock.now_ms() > act.until:
                raise NotSent("This waited too long between the server's processes; nothing was sent.")
            served = self._served()
            if not served.done():
                raise unserved()
            identity = self._identity(act.key_id)
            body = _encode(await served.result().act(identity, act.action, _fields(act.fields)))
        except SangamError as error:
            self._tell(lease, wire.Failed(act.id, _encode(told(error))))
        except Exception:  # a defect of ours must cost this request only; of a write it leaves the outcome open
            log.exception("The action %s of a gateway's client failed", act.action)
            failure = puzzled() if act.action in WRITES else SangamError("Internal error; see the server's log")
            self._tell(lease, wire.Failed(act.id, _encode(told(failure))))
        else:
            self._tell(lease, wire.Acted(act.id, body))

    async def _since(self, lease: L, asked: wire.Since) -> None:
        """A server that has just started answers once its orders are there."""
        try:
            identity = self._identity(asked.key_id)
            orders = await asyncio.shield(self._served())
            events, newest = await orders.since(identity, asked.seq)
        except SangamError as error:
            self._tell(lease, wire.Failed(asked.id, _encode(told(error))))
        else:
            self._tell(lease, wire.Replayed(asked.id, newest, events))

    async def _catch_up(self, lease: L, asked: wire.Behind) -> None:
        """Everything that any user was told meanwhile, in the order of the numbers."""
        orders = await asyncio.shield(self._served())
        missed: dict[int, OrderNews] = {}
        readers = {one.user: one for one in self._identities() if one.may(Scope.ORDERS_READ)}
        for identity in readers.values():
            seq = asked.seq
            while events := await self._page(orders, identity, seq):
                missed |= {news.seq: news for news in events}
                seq = events[-1].seq
        due = [missed[seq] for seq in sorted(missed)]
        for at in range(0, max(1, len(due)), _BATCH):
            self._tell(lease, wire.Missed(due[at : at + _BATCH], at + _BATCH < len(due)))
            await asyncio.sleep(0)

    async def _page(self, orders: Actions, identity: Identity, seq: int) -> list[OrderNews]:
        while True:
            try:
                return (await orders.since(identity, seq))[0]
            except SangamError as error:
                log.warning("Events of %s's orders cannot be read, trying again: %s", identity.user, error)
            await asyncio.sleep(_AGAIN_SECONDS)
