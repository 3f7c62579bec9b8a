"""The order router: every write to an executor passes here, is journalled before it leaves, and leaves once.

Each write runs in a task of the router's own: a caller who goes away cancels nothing. What callers are told is an
outcome, evidence, or that nobody knows yet; never a guess."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from sangam.brokers.contract import Trading
from sangam.model.clock import Clock
from sangam.model.errors import Denied
from sangam.model.instrument import Instrument
from sangam.model.order import Change, Order, Ticket, TradingMode
from sangam.model.rules import Rules

from .acting import Acting, check_repeated, result_of
from .admission import Admission, Master
from .journal import Act, ActKind, Journal
from .outcome import in_doubt
from .placing import Placing
from .ports import Caller, Executor, Sending
from .protection import Protected
from .tasks import Tasks
from .timing import RouterTiming
from .updates import Updates

_OPENING = (ActKind.PLACE_GTT, ActKind.MODIFY_GTT)
"""What the user's limits hold back among the writes that are no placements."""


class Router:
    def __init__(
        self,
        journal: Journal,
        updates: Updates,
        executors: Mapping[TradingMode, Executor],
        *,
        master: Callable[[str], Master],
        price: Callable[[str, Instrument], tuple[float, int] | None],
        rules: Callable[[str], Rules],
        trading: Callable[[str], Trading | None],
        ready: Callable[[str], Awaitable[None]],
        clock: Clock,
        random: Callable[[int], bytes],
        timing: RouterTiming | None = None,
    ) -> None:
        """All callables ask about an account by its id: `master` its instruments (may raise), `price` an instrument's
        last price and its age in milliseconds, `rules` what its user forbids, `trading` what its broker can do, and
        `ready` returns once its live books were compared after a start or a reconnect."""
        self._journal = journal
        self._updates = updates
        self._executors = executors
        self._ready = ready
        self._timing = timing or RouterTiming()
        self._tasks = Tasks()
        self._admission = Admission(journal, master=master, price=price, rules=rules, trading=trading, clock=clock)
        self._acting = Acting(journal, clock, random)
        self._placing = Placing(
            journal,
            updates,
            executors,
            self._admission,
            self._gate,
            self._tasks,
            clock,
            random,
            self._timing,
        )
        self._acts: dict[tuple[str, str], tuple[Act, asyncio.Task[str]]] = {}
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def close(self, seconds: float = 15.0) -> None:
        """Refuse what is new and let end what is under way; what is not over by then is denied where it was not sent,
        and in doubt where it was."""
        await self._tasks.close(seconds)
        self._placing.close()

    # --- placements ---------------------------------------------------------------------------------------------------

    async def place(self, caller: Caller, ticket: Ticket, *, group: str = "", urgent: bool = False) -> Order:
        """Returns once an outcome is known. Raises Denied, Conflict, Rejected, InDoubt; RateLimited, SessionExpired,
        StoreError and Unsupported speak for themselves."""
        (reply,) = self._placing.begin(caller, [ticket], group, urgent)
        return await reply

    async def place_all(self, caller: Caller, tickets: Sequence[Ticket], *, group: str = "") -> list[Order | Exception]:
        """Journalled in one commit, sent side by side; results in the order of the tickets."""
        replies = self._placing.begin(caller, tickets, group, urgent=False)
        return [_known(result) for result in await asyncio.gather(*replies, return_exceptions=True)]

    # --- orders that stand --------------------------------------------------------------------------------------------

    async def modify(self, caller: Caller, order: Order, change: Change) -> Order:
        """The order with its new terms, once the executor took them. Raises as `place` does."""
        self._tasks.check_open()
        return await self._tasks.owned(self._modify(caller, order, change), f"modify {order.id}")

    async def cancel(self, caller: Caller, order: Order) -> Order:
        """The order as it is once the executor took the cancel: that it is cancelled comes as news. One that still
        waits for its turn is withdrawn. Waits for no gate and no rate limit that a reserve can pass."""
        self._tasks.check_open()
        if await self._placing.withdraw(order):
            return self._now(order)
        return await self._tasks.owned(self._cancel(caller, order), f"cancel {order.id}")

    async def _modify(self, caller: Caller, order: Order, change: Change) -> Order:
        lock = self._locks.setdefault(order.id, asyncio.Lock())
        async with lock:
            await self._gate(order.account, order.mode)
            order = await self._at_executor(order, "modify")
            change, instrument = self._admission.change(order, change)
            self._check_changes(order)
            sent = self._admission.protected(
                order.account, order.mode, instrument, order.action, change.price_type, change.trigger_price
            )
            going = (
                change
                if sent is None
                else replace(change, price_type=sent.price_type, price=sent.price, protected=True)
            )
            executor, urgent = self._executors[order.mode], change.quantity < order.quantity
            more = change.quantity > order.quantity
            unless_killed = partial(self._unless_killed, order.account) if more else _as_it_is
            try:
                accepted = await self._acting.run(
                    self._act(caller, ActKind.MODIFY, _content(change, sent), order),
                    lambda sending: executor.modify(
                        order.account, order, going, instrument, unless_killed(sending), urgent=urgent
                    ),
                    order,
                )
            finally:
                self._updates.expect(order)
            return self._updates.modified(
                replace(
                    order,
                    quantity=change.quantity,
                    price_type=change.price_type,
                    price=change.price,
                    trigger_price=change.trigger_price,
                    disclosed_quantity=change.disclosed_quantity,
                    validity=change.validity,
                    conversion="" if sent is None else sent.conversion,
                    sent_price_type=None if sent is None else sent.price_type,
                    sent_price=None if sent is None else accepted.price or sent.price,
                    order_id=accepted.order_id or order.order_id,
                    native=accepted.native,
                )
            )

    async def _cancel(self, caller: Caller, order: Order) -> Order:
        order = await self._at_executor(order, "cancel")
        executor = self._executors[order.mode]
        try:
            await self._acting.run(
                self._act(caller, ActKind.CANCEL, {}, order),
                lambda sending: executor.cancel(order.account, order, sending),
                order,
            )
        finally:
            self._updates.expect(order)
        return self._now(order)

    async def _at_executor(self, order: Order, verb: str) -> Order:
        """The order as it is now, with its number there; some time is given for one under way. Raises Denied where it
        is over, InDoubt where its number cannot be known."""
        order = self._now(order)
        if not order.state.is_final and not order.order_id:
            try:
                async with asyncio.timeout(self._timing.evidence):
                    order = await self._updates.waiter(order)
            except TimeoutError:
                raise in_doubt(self._now(order)) from None
        if order.state.is_final:
            raise Denied(f"Cannot {verb} order in {order.state.outward.value} status", order=order)
        if not order.order_id:
            raise in_doubt(order)
        return order

    def _check_changes(self, order: Order) -> None:
        trading = self._admission.trading(order.account, order.mode)
        most = trading.modifications if trading is not None else None
        if most is not None and self._journal.changes(order) >= most:
            raise Denied(
                f"Order {order.id} was changed {most} times, and its broker allows no more. Cancel it and place anew.",
                order=order,
            )

    # --- other writes -------------------------------------------------------------------------------------------------

    async def act(
        self,
        caller: Caller,
        kind: ActKind,
        content: Mapping[str, Any],
        work: Callable[[Sending], Awaitable[str]],
        *,
        client_order_id: str = "",
        urgent: bool = False,
        tickets: Sequence[Ticket] = (),
    ) -> str:
        """A write that is no placement: `work` does it and tells an id. `content` is what is journalled, and what makes
        it the same when its client order id comes again; `tickets` are the orders it may release, held against the
        user's limits. Raises as `place` does."""
        self._tasks.check_open()
        account, key = caller.account, (caller.account.id, client_order_id)
        if client_order_id and (flying := self._acts.get(key)) is not None:
            check_repeated(flying[0], kind, caller.mode, content)
            return await self._tasks.result(flying[1])
        if client_order_id and (standing := self._journal.act_by_client(*key)) is not None:
            check_repeated(standing, kind, caller.mode, content)
            return result_of(standing)
        act = self._acting.begun(kind, account.id, account.user, caller.mode, content, client_order_id=client_order_id)
        task = self._tasks.spawn(self._do(caller, act, work, urgent, tickets), f"{kind} {account.id}")
        if client_order_id:
            self._acts[key] = act, task
            task.add_done_callback(lambda _: self._acts.pop(key, None))
        return await self._tasks.result(task)

    async def _do(
        self,
        caller: Caller,
        act: Act,
        work: Callable[[Sending], Awaitable[str]],
        urgent: bool,
        tickets: Sequence[Ticket],
    ) -> str:
        if not urgent:
            await self._gate(act.account, caller.mode)
            if act.kind in _OPENING:
                self._admission.triggers(act.account, tickets)
                return await self._acting.run(act, lambda sending: work(self._unless_killed(act.account, sending)))
        return await self._acting.run(act, work)

    # --- shared -------------------------------------------------------------------------------------------------------

    async def _gate(self, account: str, mode: TradingMode) -> None:
        """Raises Denied where an account's books are not compared in time."""
        if mode is not TradingMode.LIVE:
            return
        try:
            async with asyncio.timeout(self._timing.gate):
                await self._ready(account)
        except TimeoutError:
            raise Denied(
                f"{account}: orders and the broker's books are still being compared after a start or reconnect. "
                "Nothing was sent; try again in a moment. Cancels work.",
                "ORDER_ERROR",
            ) from None

    def _unless_killed(self, account: str, sending: Sending) -> Sending:
        """The kill switch stops what waits for its turn, too."""

        async def checked() -> None:
            self._admission.check_kill(account, urgent=False)
            await sending()

        return checked

    def _act(self, caller: Caller, kind: ActKind, content: Mapping[str, Any], order: Order) -> Act:
        return self._acting.begun(kind, order.account, caller.identity.user, order.mode, content, order=order.id)

    def _now(self, order: Order) -> Order:
        return self._journal.get(order.id) or order


def _content(change: Change, sent: Protected | None) -> dict[str, Any]:
    content = {
        "quantity": change.quantity,
        "price_type": change.price_type.value,
        "price": str(change.price),
        "trigger_price": str(change.trigger_price),
        "disclosed_quantity": change.disclosed_quantity,
        "validity": change.validity.value,
    }
    return content if sent is None else {**content, "conversion": sent.conversion}


def _as_it_is(sending: Sending) -> Sending:
    return sending


def _known(result: Order | BaseException) -> Order | Exception:
    if isinstance(result, BaseException) and not isinstance(result, Exception):
        raise result
    return result
