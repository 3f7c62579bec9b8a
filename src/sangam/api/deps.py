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
from sangam.model.identity import Identity
from sangam.model.instrument import Instrument
from sangam.prices.last import Last


@dataclass(frozen=True, kw_only=True)
class ApiDeps:
    """Callables; the first argument of those about markets is an account's id.

    `authenticate` raises AuthError. `master` raises BrokerError where the account's instruments are not loaded.
    `quotes` and `history` are those of `feed.market.Market`; `intervals` are the candles' that can be had. `health` has
    ``status`` (``ok`` or ``degraded`` answer 200, anything else 503); `metrics` are figures of the house by name
    (``..._total`` are counters), `families` those with labels. `admin` runs a verb of `accounts.admin.Admin`.
    `rate_limit` counts a key's requests per second, `greeks_rate_limit` its requests for greeks per minute."""

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

    def today(self) -> date:
        """The date in India."""
        return ist_from_ms(self.clock.now_ms()).date()
