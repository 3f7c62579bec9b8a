"""Placements: admitted together, journalled in one commit, sent side by side, each exactly once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sangam.brokers.trading import NO_TAG
from sangam.model.clock import Clock
from sangam.model.errors import Denied, SangamError
from sangam.model.instrument import Instrument
from sangam.model.order import Order, OrderState, Ticket, TradingMode

from .acting import both
from .admission import Admission
from .ids import new_id
from .journal import Journal
from .outcome import answer, as_denied, code_of, in_doubt, is_refusal, is_unsent, text_of, told
from .placement import Placement
from .ports import Caller, Executor
from .sameness import check_look_alike, conflict, same
from .tasks import Tasks, shutting_down
from .timing import RouterTiming
from .updates import Updates

log = logging.getLogger("sangam.orders")

_IN_FLIGHT = (OrderState.PENDING, OrderState.SENT, OrderState.UNKNOWN)


class Placing:
    def __init__(
        self,
        journal: Journal,
        updates: Updates,
        executors: Mapping[TradingMode, Executor],
        admission: Admission,
        gate: Callable[[str, TradingMode], Awaitable[None]],
        tasks: Tasks,
        clock: Clock,
        random: Callable[[int], bytes],
        timing: RouterTiming,
    ) -> None:
        """`gate` returns once an account's books are known."""
        self._journal = journal
        self._updates = updates
        self._executors = executors
        self._admission = admission
        self._gate = gate
        self._tasks = tasks
        self._clock = clock
        self._random = random
        self._timing = timing
        self._by_client: dict[tuple[str, str], Placement] = {}
        self._waiting: dict[str, Placement] = {}
        self._unanswered: set[Placement] = set()

    def begin(self, caller: Caller, tickets: Sequence[Ticket], group: str, urgent: bool) -> list[Awaitable[Order]]:
        """What each caller waits for. Nothing is awaited between the look-up of a client's id and its taking."""
        self._tasks.check_open()
        replies: list[Awaitable[Order]] = []
        new: list[Placement] = []
        for ticket in tickets:
            try:
                standing = self._standing(caller, ticket)
            except SangamError as error:
                standing = _failed(error)
            if standing is None:
                placement = Placement(caller, ticket, group, urgent)
                self._remember(placement)
                new.append(placement)
                standing = asyncio.shield(placement.reply)
            replies.append(standing)
        if new:
            self._tasks.spawn(self._admit(caller, new), f"orders of {caller.account.id}")
        return replies

    async def withdraw(self, order: Order) -> bool:
        """Take back an order that waits for its turn; False where there is nothing to take back."""
        placement = self._waiting.get(order.id)
        if placement is None or placement.task is None or not placement.withdraw():
            return False
        await asyncio.wait({placement.task})
        return True

    def close(self) -> None:
        """Whoever still waits for evidence is told that there is none yet."""
        for placement in list(self._unanswered):
            placement.fail(in_doubt(placement.order and self._now(placement.order)))

    # --- the same order again -----------------------------------------------------------------------------------------

    def _standing(self, caller: Caller, ticket: Ticket) -> Awaitable[Order] | None:
        """What stands under the ticket's client order id: the same order, whatever became of it. Raises Conflict where
        it is another, StoreError where nobody can look."""
        if not ticket.client_order_id:
            return None
        key = (caller.account.id, ticket.client_order_id)
        if (placement := self._by_client.get(key)) is not None:
            if placement.caller.mode is not caller.mode or not same(ticket, placement.ticket):
                raise conflict(ticket, placement.order)
            return asyncio.shield(placement.reply)
        if (order := self._journal.by_client(*key)) is None:
            return None
        if order.mode is not caller.mode or not same(ticket, order, changed=self._journal.changes(order) > 0):
            raise conflict(ticket, order)
        return self._evidence(order)

    def _remember(self, placement: Placement) -> None:
        self._unanswered.add(placement)
        placement.reply.add_done_callback(lambda _: self._unanswered.discard(placement))
        if placement.ticket.client_order_id:
            key = (placement.caller.account.id, placement.ticket.client_order_id)
            self._by_client[key] = placement
            placement.reply.add_done_callback(lambda _: self._by_client.pop(key, None))

    async def _evidence(self, order: Order) -> Order:
        """The outcome of an order that was placed before, and where there is none yet, some time for it."""
        if order.state in _IN_FLIGHT:
            try:
                async with asyncio.timeout(self._timing.evidence):
                    order = await self._updates.waiter(order)
            except TimeoutError:
                raise in_doubt(self._journal.get(order.id) or order) from None
        return answer(order)

    # --- admission ----------------------------------------------------------------------------------------------------

    async def _admit(self, caller: Caller, placements: Sequence[Placement]) -> None:
        """Checks, one commit for all that pass, and a task for each."""
        admitted: list[tuple[Placement, Order, Instrument]] = []
        try:
            await self._gate(caller.account.id, caller.mode)
            placed, taken = self._admission.placed_today(caller.account.id, caller.mode), set[str]()
            for placement in placements:
                try:
                    order, instrument = self._admitted(placement, placed + len(taken), taken)
                except SangamError as error:
                    placement.fail(error)
                else:
                    placement.order = order
                    taken.add(order.id)
                    admitted.append((placement, order, instrument))
            added = self._journal.add([order for _, order, _ in admitted]) if admitted else None
        except asyncio.CancelledError:
            _fail_all(placements, shutting_down())
            raise
        except SangamError as error:
            _fail_all(placements, error)
            return
        except Exception as error:
            log.exception("%s: orders could not be checked; nothing was sent", caller.account.id)
            _fail_all(placements, Denied(text_of(error), code_of(error)))
            return
        if added is not None:
            for placement, order, instrument in admitted:
                self._go(placement, order, instrument, added, grouped=len(placements) > 1)

    def _admitted(self, placement: Placement, placed: int, taken: set[str]) -> tuple[Order, Instrument]:
        """The order as it will be journalled. Raises Denied, Conflict, SymbolNotFound."""
        caller, account, mode = placement.caller, placement.caller.account, placement.caller.mode
        ticket, instrument = self._admission.terms(account.id, mode, placement.ticket)
        if not ticket.client_order_id:
            check_look_alike(ticket, mode, [*self._journal.in_doubt(account.id), *self._given_up(account.id)])
        self._admission.limits(account.id, ticket, instrument, placed=placed, urgent=placement.urgent)
        sent = self._admission.protected(
            account.id, mode, instrument, ticket.action, ticket.price_type, ticket.trigger_price
        )
        trading = self._admission.trading(account.id, mode)
        now = self._clock.now_ms()
        order = Order(
            id=new_id(
                mode,
                NO_TAG if trading is None else trading.tag,
                self._random,
                lambda id: id in taken or self._journal.get(id) is not None,
            ),
            account=account.id,
            user=account.user,
            broker=account.broker,
            mode=mode,
            **ticket.asked,
            key_id=caller.identity.key_id,
            group=placement.group,
            conversion="" if sent is None else sent.conversion,
            sent_price_type=None if sent is None else sent.price_type,
            sent_price=None if sent is None else sent.price,
            created_at=now,
            updated_at=now,
        )
        return order, instrument

    def _given_up(self, account: str) -> list[Order]:
        """Orders on their way whose callers were told that nobody knows: they may come again with them."""
        waiting = (placement for placement in self._waiting.values() if placement.reply.done())
        orders = (self._now(placement.order) for placement in waiting if placement.order is not None)
        return [order for order in orders if order.account == account and order.state is OrderState.SENT]

    # --- sending ------------------------------------------------------------------------------------------------------

    def _go(
        self, placement: Placement, order: Order, instrument: Instrument, added: asyncio.Future[None], *, grouped: bool
    ) -> None:
        self._waiting[order.id] = placement
        placement.watch(self._updates.waiter(order), self._now)
        wait = self._timing.group_wait if grouped else None
        if placement.ticket.wait_ms is not None:
            wait = placement.ticket.wait_ms / 1000
        placement.task = self._tasks.spawn(self._send(placement, order, instrument, added, wait), f"order {order.id}")
        placement.task.add_done_callback(lambda task: self._ended(placement, order, task))

    async def _send(
        self,
        placement: Placement,
        order: Order,
        instrument: Instrument,
        added: asyncio.Future[None],
        wait: float | None,
    ) -> None:
        async def sending() -> None:
            self._admission.check_kill(order.account, urgent=placement.urgent)  # it may have waited for its turn
            placement.leaving = True
            await both(added, self._journal.sent(order, self._clock.now_ms()))
            placement.announced = True
            placement.be_patient(self._timing.evidence, lambda: in_doubt(self._now(order)))

        try:
            accepted = await self._executors[order.mode].place(
                order.account, order, instrument, sending, urgent=placement.urgent, wait=wait
            )
        except asyncio.CancelledError:
            if placement.announced:
                self._updates.doubtful(order, "The server shut down before the answer came.")
            raise
        except Exception as error:
            if not isinstance(error, SangamError):
                log.exception("%s: placing %s failed", order.account, order.id)
            self._failed(placement, order, error)
        else:
            placement.settle(self._updates.accepted(order, accepted))

    def _failed(self, placement: Placement, order: Order, error: Exception) -> None:
        unsent = is_unsent(error, placement.announced)
        reason, code = text_of(error), code_of(error, unsent)
        if self._journal.get(order.id) is None:
            now = self._updates.unjournalled(as_denied(order, reason, code))
        elif unsent:
            now = self._updates.denied(order, reason, code)
        elif is_refusal(error):
            now = self._updates.rejected(order, reason, code)
        else:
            now = self._updates.doubtful(order, reason)
        level = logging.WARNING if now.state is OrderState.UNKNOWN else logging.INFO
        log.log(level, "%s: %s is %s: %s", order.account, order.id, now.state.value, reason)
        if now.state in (OrderState.DENIED, OrderState.REJECTED):
            placement.fail(told(error, placement.announced, now))

    def _ended(self, placement: Placement, order: Order, task: asyncio.Task[None]) -> None:
        self._waiting.pop(order.id, None)
        if task.cancelled() and not placement.announced:
            text = "Cancelled before it was sent." if placement.withdrawn else str(shutting_down())
            self._failed(placement, order, Denied(text, "ORDER_ERROR"))
        elif task.cancelled():
            placement.fail(in_doubt(self._now(order)))
        elif (error := task.exception()) is not None:
            log.error("%s: %s was not followed to its end", order.account, order.id, exc_info=error)
            unsent = Denied("A fault of ours, see the log. Nothing was sent.", "ORDER_ERROR", order)
            placement.fail(in_doubt(self._now(order)) if placement.announced else unsent)

    def _now(self, order: Order) -> Order:
        return self._journal.get(order.id) or order


def _fail_all(placements: Sequence[Placement], error: SangamError) -> None:
    for placement in placements:
        placement.fail(error)


async def _failed(error: SangamError) -> Order:
    raise error
