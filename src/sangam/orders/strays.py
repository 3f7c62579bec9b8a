"""News of orders that may be ours: an order whose answer has not come has no number yet, and not every source echoes
our tag. What looks like it waits until its outcome is known."""

from sangam.instruments.daily import day_began
from sangam.model.order import Order, OrderState, OrderUpdate, TradingMode

from .journal import Journal

_KEPT = 100
"""News of one account that wait at most; the oldest give way, and a later reading of the book repeats them."""


class Strays:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: dict[str, list[tuple[TradingMode, OrderUpdate]]] = {}
        self._doubts: dict[str, set[str]] = {}

    def may_be_ours(self, stray: Order) -> bool:
        """Whether an order of ours in flight or in doubt looks like this one."""
        day = day_began(stray.created_at)
        doubts = [self._journal.get(id) for id in self._doubted(stray.account)]
        return any(
            order is not None
            and not order.order_id
            and day_began(order.created_at) == day  # a doubt of yesterday may last; today's book has nothing of it
            and (order.symbol, order.action, order.mode) == (stray.symbol, stray.action, stray.mode)
            for order in [*self._journal.in_flight(stray.account), *doubts]
        )

    def hold(self, account: str, mode: TradingMode, update: OrderUpdate) -> None:
        waiting = self._waiting.setdefault(account, [])
        if (mode, update) not in waiting:
            waiting.append((mode, update))
            del waiting[:-_KEPT]

    def take(self, account: str) -> list[tuple[TradingMode, OrderUpdate]]:
        return self._waiting.pop(account, [])

    def turned(self, order: Order) -> None:
        """An order of ours is in another state."""
        doubts = self._doubted(order.account)
        if order.state is OrderState.UNKNOWN:
            doubts.add(order.id)
        else:
            doubts.discard(order.id)

    def _doubted(self, account: str) -> set[str]:
        if account not in self._doubts:
            unsettled = self._journal.unsettled(account)
            self._doubts[account] = {order.id for order in unsettled if order.state is OrderState.UNKNOWN}
        return self._doubts[account]
