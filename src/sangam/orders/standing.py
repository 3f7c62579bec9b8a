"""What of the journal stands in memory: the day's orders and every unsettled one, found by any of their names."""

from bisect import bisect_left, insort

from sangam.model.order import Order, OrderState

_IN_FLIGHT = (OrderState.PENDING, OrderState.SENT)


class Standing:
    """Look-ups are dictionary reads. Of an account's orders the oldest come first."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._clients: dict[tuple[str, str], str] = {}
        self._order_ids: dict[tuple[str, str], str] = {}
        self._tags: dict[tuple[str, str], str] = {}
        self._tag_lengths: list[int] = []  # longest first
        self._accounts: dict[str, dict[str, None]] = {}
        self._unsettled: dict[str, dict[str, None]] = {}
        self._in_flight: dict[str, dict[str, None]] = {}
        self._in_doubt: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def get(self, id: str) -> Order | None:
        return self._orders.get(id)

    def by_client(self, account: str, client_order_id: str) -> Order | None:
        return self._orders.get(self._clients.get((account, client_order_id), ""))

    def by_order_id(self, account: str, order_id: str) -> Order | None:
        return self._orders.get(self._order_ids.get((account, order_id), ""))

    def by_tag(self, account: str, tag: str) -> Order | None:
        for length in self._tag_lengths:
            if id := self._tags.get((account, tag[:length])):
                return self._orders[id]
        return None

    def of(self, account: str) -> list[Order]:
        return [self._orders[id] for id in self._accounts.get(account, ())]

    def unsettled(self, account: str) -> list[Order]:
        return [self._orders[id] for id in self._unsettled.get(account, ())]

    def in_flight(self, account: str) -> list[Order]:
        return [self._orders[id] for id in self._in_flight.get(account, ())]

    def in_doubt(self, account: str) -> list[Order]:
        return [self._orders[id] for id in self._in_doubt.get(account, ())]

    def set(self, order: Order) -> None:
        """A new order, or what a known one is now."""
        if order.id not in self._orders:
            self._accounts.setdefault(order.account, {})[order.id] = None
            if not order.foreign:
                self._name(order)
        self._orders[order.id] = order
        if order.order_id:
            self._order_ids[order.account, order.order_id] = order.id
        for ids, belongs in (
            (self._unsettled, not order.state.is_final),
            (self._in_flight, order.state in _IN_FLIGHT),
            (self._in_doubt, order.state is OrderState.UNKNOWN),
        ):
            if belongs:
                ids.setdefault(order.account, {})[order.id] = None
            else:
                ids.get(order.account, {}).pop(order.id, None)

    def _name(self, order: Order) -> None:
        if order.client_order_id:  # the first keeps it: the database refuses the other
            self._clients.setdefault((order.account, order.client_order_id), order.id)
        self._tags[order.account, order.our_tag] = order.id
        if len(order.our_tag) not in self._tag_lengths:
            self._tag_lengths = sorted([*self._tag_lengths, len(order.our_tag)], reverse=True)

    def drop(self, order: Order) -> None:
        self._orders.pop(order.id, None)
        for names, name in (
            (self._clients, order.client_order_id),
            (self._order_ids, order.order_id),
            (self._tags, order.our_tag),
        ):
            if names.get((order.account, name)) == order.id:
                del names[order.account, name]
        for ids in (self._accounts, self._unsettled, self._in_flight, self._in_doubt):
            ids.get(order.account, {}).pop(order.id, None)

    def forget(self, before_ms: int) -> list[Order]:
        """Settled orders that did not change since; returns them."""
        gone = [
            order
            for order in self._orders.values()
            if order.state.is_final and max(order.created_at, order.updated_at) < before_ms
        ]
        for order in gone:
            self.drop(order)
        return gone


class SendTimes:
    """When live writes of an account left, epoch ms ascending."""

    def __init__(self) -> None:
        self._times: dict[str, list[int]] = {}

    def add(self, account: str, at: int) -> None:
        insort(self._times.setdefault(account, []), at)

    def remove(self, account: str, at: int) -> None:
        """One that did not leave after all."""
        times = self._times.get(account, [])
        place = bisect_left(times, at)
        if times[place : place + 1] == [at]:  # else its day is over, and it was forgotten
            del times[place]

    def since(self, account: str, since_ms: int) -> list[int]:
        times = self._times.get(account, [])
        return times[bisect_left(times, since_ms) :]

    def forget(self, before_ms: int) -> None:
        for times in self._times.values():
            del times[: bisect_left(times, before_ms)]
