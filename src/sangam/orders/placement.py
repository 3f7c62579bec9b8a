"""One placement under way: what its callers wait for, and how far it has come."""

import asyncio
from collections.abc import Callable

from sangam.model.errors import SangamError
from sangam.model.order import Order, Ticket

from .outcome import answer
from .ports import Caller


class Placement:
    """`reply` is done as soon as there is something to tell: an outcome, evidence, or that nobody knows yet. The task
    that places the order may go on after it, and outlives all who wait.

    `leaving` means that the order is being announced as sent, from where nothing can be withdrawn; `announced` that
    the journal has that; `withdrawn` that its user took it back before."""

    def __init__(self, caller: Caller, ticket: Ticket, group: str, urgent: bool) -> None:
        self.caller = caller
        self.ticket = ticket
        self.group = group
        self.urgent = urgent
        self.order: Order | None = None
        self.task: asyncio.Task[None] | None = None
        self.leaving = False
        self.announced = False
        self.withdrawn = False
        self.reply: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        self.reply.add_done_callback(lambda reply: reply.cancelled() or reply.exception())
        self._patience: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[Order] | None = None

    def watch(self, waiter: asyncio.Future[Order], now: Callable[[Order], Order]) -> None:
        """Evidence answers too, with what is known by then: an order may be taken and filled by the same news."""
        self._waiter = waiter
        waiter.add_done_callback(lambda done: None if done.cancelled() else self.settle(now(done.result())))

    def be_patient(self, seconds: float, give_up: Callable[[], SangamError]) -> None:
        """For so long the callers wait for an outcome or evidence."""
        self._patience = asyncio.get_running_loop().call_later(seconds, lambda: self.fail(give_up()))

    def settle(self, order: Order) -> None:
        try:
            found = answer(order)
        except SangamError as error:
            self.fail(error)
            return
        if not self.reply.done():
            self.reply.set_result(found)
            self._rest()

    def fail(self, error: SangamError) -> None:
        if not self.reply.done():
            self.reply.set_exception(error)
            self._rest()

    def withdraw(self) -> bool:
        """Take back an order that waits for its turn; False where it is too late."""
        if self.leaving or self.task is None:
            return False
        self.withdrawn = True
        self.task.cancel()
        return True

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        if self._waiter is not None:
            self._waiter.cancel()
