"""What the API needs of the rest of the house; the composition root fills it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from prometheus_client.core import Metric

from sangam.brokers.contract import Candle
from sangam.instruments.master import Master
from sangam.model.calendar import Calendar
from sangam.model.clock import Clock, ist_from_ms
from sangam.model.enums import Mode
from sangam.model.errors import Unsupported
from sangam.model.identity import Identity
from sangam.model.instrument import Instrument
from sangam.model.order import Order, OrderNews
from sangam.orders.ports import Caller, Desk
from sangam.prices.last import Last


def _not_here(*_: object) -> Any:
    raise Unsupported("This server does not offer that.")


@dataclass(frozen=True, kw_only=True)
class ApiDeps:
    """Callables; the first argument of those about markets is an account's id.

    `authenticate` raises AuthError. `master` raises BrokerError where the account's instruments are not loaded.
    `quotes` and `history` are those of `feed.market.Market`; `intervals` are the candles' that can be had. `health` has
    ``status`` (``ok`` or ``degraded`` answer 200, anything else 503); `metrics` are figures of the house by name
    (``..._total`` are counters), `families` those with labels. `admin` runs a verb of `accounts.admin.Admin`.
    `rate_limit` counts a key's requests per second, `greeks_rate_limit` its requests for greeks per minute,
    `order_rate_limit` and `smart_order_rate_limit` those that place or change single orders, per second.

    Without a `desk` no route of orders is served. `analyzer` tells whether an identity's orders go to paper,
    `set_analyzer` turns its user's switch. `paper` are figures of a paper account that funds do not have
    (``total_realized_pnl``, ``last_reset`` in epoch ms, ``reset_count``). `resolve(caller, reference, outcome, note)`
    settles an order in doubt; `events(identity, after)` are news of orders, oldest first, and the newest number."""

    authenticate: Callable[[str], Identity]
    master: Callable[[str], Master]
    quotes: Callable[[str, Sequence[Instrument], Mode], Awaitable[Mapping[Instrument, Last]]]
    history: Callable[[str, Instrument, str, date, date], Awaitable[list[Candle]]]
    intervals: Callable[[str], Sequence[str]]
    calendar: Calendar
    health: Callable[[], Mapping[str, Any]]
    metrics: Callable[[], Mapping[str, float]]
    families: Callable[[], Iterable[Metric]] = tuple
    admin: Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
    clock: Clock
    version: str
    rate_limit: int = 50
    greeks_rate_limit: int = 30
    order_rate_limit: int = 10
    smart_order_rate_limit: int = 10
    desk: Desk | None = None
    simulated: Callable[[str], bool] = lambda account: False
    analyzer: Callable[[Identity], bool] = lambda identity: False
    set_analyzer: Callable[[Identity, bool], Awaitable[None]] = _not_here
    paper: Callable[[Caller], Mapping[str, Any]] | None = None
    resolve: Callable[[Caller, str, str, str], Awaitable[Order]] = _not_here
    events: Callable[[Identity, int], Awaitable[tuple[list[OrderNews], int]]] = _not_here

    def marked(self, account: str) -> dict[str, bool]:
        """Prices of our own exchange, and what is made of them, are said to be such."""
        return {"simulated": True} if self.simulated(account) else {}

    def today(self) -> date:
        """The date in India."""
        return ist_from_ms(self.clock.now_ms()).date()
