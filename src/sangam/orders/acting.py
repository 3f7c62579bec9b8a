"""Writes that are no placements: journalled before they leave, never repeated, their outcome told as it is."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from sangam.model.clock import Clock
from sangam.model.errors import Conflict, Denied, Rejected, SangamError, Unknown
from sangam.model.order import Accepted, Order, TradingMode

from .ids import new_act_id
from .journal import Act, ActKind, ActState, Journal
from .outcome import in_doubt, is_refusal, is_unsent, text_of, told
from .ports import Sending
from .tasks import shutting_down

log = logging.getLogger("sangam.orders")

_CUT = "the server shut down before the answer came"

R = TypeVar("R", str, Accepted)
"""What a write gives: an id at the broker, or what was accepted."""


class Acting:
    def __init__(self, journal: Journal, clock: Clock, random: Callable[[int], bytes]) -> None:
        self._journal = journal
        self._clock = clock
        self._random = random

    def begun(
        self,
        kind: ActKind,
        account: str,
        user: str,
        mode: TradingMode,
        content: Mapping[str, Any],
        *,
        order: str = "",
        client_order_id: str = "",
    ) -> Act:
        """A new act; nothing of it is journalled yet."""
        now = self._clock.now_ms()
        return Act(
            id=new_act_id(self._random),
            kind=kind,
            account=account,
            user=user,
            mode=mode,
            order=order,
            client_order_id=client_order_id,
            content=content,
            created_at=now,
            updated_at=now,
        )

    async def run(self, act: Act, work: Callable[[Sending], Awaitable[R]], order: Order | None = None) -> R:
        """Raises Denied, Rejected, InDoubt, and the errors that speak for themselves; those about an order carry it."""
        added = self._journal.add_act(act)
        announced = False

        async def sending() -> None:
            nonlocal announced
            await both(added, self._journal.act_sent(act))
            announced = True

        try:
            result = await work(sending)
        except asyncio.CancelledError:
            self._failed(act, Unknown(_CUT) if announced else shutting_down(), announced)
            if announced:
                raise in_doubt(self._now(order), _CUT) from None
            raise
        except Exception as error:
            if not isinstance(error, SangamError):
                log.exception("%s: %s failed", act.account, act.kind)
            self._failed(act, error, announced)
            raise told(error, announced, self._now(order)) from error
        self._save(act, ActState.ACCEPTED, result=result if isinstance(result, str) else result.order_id)
        return result

    def _failed(self, act: Act, error: Exception, announced: bool) -> None:
        if is_unsent(error, announced):
            state = ActState.DENIED
        else:
            state = ActState.REFUSED if is_refusal(error) else ActState.UNKNOWN
        log.info("%s: %s of %s is %s: %s", act.account, act.kind, act.order or "-", state, text_of(error))
        self._save(act, state, reason=text_of(error))

    def _save(self, act: Act, state: ActState, *, result: str = "", reason: str = "") -> None:
        now = self._clock.now_ms()
        self._journal.save_act(msgspec.structs.replace(act, state=state, result=result, reason=reason, updated_at=now))

    def _now(self, order: Order | None) -> Order | None:
        return None if order is None else self._journal.get(order.id) or order


def check_repeated(act: Act, kind: ActKind, mode: TradingMode, content: Mapping[str, Any]) -> None:
    """Raises Conflict where a client's id stands for something else."""
    if act.kind is not kind or act.mode is not mode or _plain(act.content) != _plain(content):
        raise Conflict(f"client_order_id {act.client_order_id} stands for another request already. Choose a new one.")


def result_of(act: Act) -> str:
    """What came of an act that was asked for before. Raises as it did."""
    if act.state is ActState.ACCEPTED:
        return act.result
    if act.state is ActState.DENIED:
        raise Denied(act.reason)
    if act.state is ActState.REFUSED:
        raise Rejected(act.reason)
    raise in_doubt(None, act.reason)


async def both(added: asyncio.Future[None], sent: asyncio.Future[None]) -> None:
    """Wait until both are durable; each is heard, and the first that failed is raised."""
    for result in await asyncio.gather(added, sent, return_exceptions=True):
        if result is not None:
            raise result


def _plain(content: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(content, order="deterministic")
