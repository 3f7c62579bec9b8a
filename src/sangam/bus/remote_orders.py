"""A gateway's end of orders: asked of another process at most once, and events of orders that survive its loss.

Nothing is ever asked twice. What was sent when the feed's process went away, or fell silent, may have been done: a
write is then answered as of unknown outcome. Events missed meanwhile are fetched before any newer one is passed on."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sangam.model.clock import Clock
from sangam.model.identity import Identity
from sangam.model.order import OrderNews
from sangam.orders.actions import WRITES
from sangam.orders.failure import ActionFailed

from . import wire

ANSWER_SECONDS = 90.0
"""An answer that takes longer is not waited for: a minute for a slot of the rate limit, and the desk's own patience."""

_encode = msgspec.json.Encoder().encode
_reply = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_failure = msgspec.json.Decoder(dict[str, Any]).decode
_Answer = wire.Acted | wire.Failed | wire.Replayed


class RemoteOrders:
    """Implements `orders.ports.Actions`.

    `send` is False where nothing left; `pass_on` tells the gateway's sink. The feed's end calls the rest."""

    def __init__(
        self, send: Callable[[wire.Request], bool], pass_on: Callable[[OrderNews], object], clock: Clock
    ) -> None:
        self._send = send
        self._pass_on = pass_on
        self._clock = clock
        self._ids = itertools.count(1)
        self._here = False
        self._waiting: dict[int, asyncio.Future[_Answer]] = {}
        self._newest: int | None = None
        self._held: list[OrderNews] = []
        self._missed: list[OrderNews] = []
        self._whole = asyncio.Event()
        """Set while no event is missing here."""

    # --- orders.ports.Actions -----------------------------------------------------------------------------------------

    async def act(self, identity: Identity, action: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        until = self._clock.now_ms() + round(wire.ACT_SECONDS * 1000)
        act = wire.Act(next(self._ids), identity.key_id, action, _encode(fields), until)
        answer = await self._ask(act, _unknown(fields) if action in WRITES else _unheard())
        if isinstance(answer, wire.Acted):
            return dict(_reply(answer.body))
        raise _failed(answer)

    async def since(self, identity: Identity, seq: int) -> tuple[list[OrderNews], int]:
        """Not before what was missed here is known: those events come to everybody who listens."""
        try:
            async with asyncio.timeout(wire.LEASE_SECONDS):
                await self._whole.wait()
        except TimeoutError:
            raise _unheard() from None
        answer = await self._ask(wire.Since(next(self._ids), identity.key_id, seq), _unheard())
        if not isinstance(answer, wire.Replayed):
            raise _failed(answer)
        if self._newest is None:
            self._newest = answer.newest
        return answer.events, answer.newest

    async def _ask(self, request: wire.Act | wire.Since, lost: ActionFailed) -> _Answer:
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = future
        try:
            if not self._here or not self._send(request):
                raise ActionFailed("NETWORK_ERROR", "The server's order process is away; nothing was sent.")
            async with asyncio.timeout(ANSWER_SECONDS):
                return await future
        except (TimeoutError, ConnectionError):
            raise lost from None
        finally:
            del self._waiting[request.id]

    # --- what the feed's process tells --------------------------------------------------------------------------------

    def answered(self, answer: _Answer) -> None:
        future = self._waiting.get(answer.id)
        if future is not None and not future.done():
            future.set_result(answer)

    def heard(self, news: OrderNews) -> None:
        if self._whole.is_set():
            self._newest = max(self._newest or 0, news.seq)
            self._pass_on(news)
        else:
            self._held.append(news)

    def caught_up(self, part: wire.Missed) -> None:
        """A part of what came since `_newest`; it may overlap with what was told live meanwhile."""
        self._missed += part.events
        if part.more:
            return
        known = {news.seq for news in self._missed}
        due = self._missed + [news for news in self._held if news.seq not in known]
        self._missed, self._held = [], []
        self._whole.set()
        for news in due:
            self.heard(news)

    def silent(self) -> None:
        """The feed's process does not answer: what it was asked may have been done."""
        self._here = False
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError())

    def back(self) -> None:
        """It answers again, and holds our lease still."""
        self._here = True

    def begin(self) -> None:
        """A new lease, perhaps of another process: what was asked before is not answered any more, and what came in
        between is not known."""
        self.silent()
        self._here = True
        self._held, self._missed = [], []
        self._whole.clear()
        if self._newest is None:
            self._whole.set()
        else:
            self._send(wire.Behind(self._newest))


def _failed(answer: _Answer) -> ActionFailed:
    if not isinstance(answer, wire.Failed):
        return _unheard()
    fields = _failure(answer.body)
    return ActionFailed(fields.pop("code"), fields.pop("message"), **fields)


def _unknown(fields: Mapping[str, Any]) -> ActionFailed:
    return ActionFailed(
        "OUTCOME_UNKNOWN",
        "The server's order process went away before it answered. Do not repeat this with another client_order_id: "
        "look at the order book, or wait for the order's events.",
        **{name: value for name, value in fields.items() if name in ("order_id", "client_order_id")},
    )


def _unheard() -> ActionFailed:
    return ActionFailed("NETWORK_ERROR", "The server's order process went away before it answered; ask again.")
