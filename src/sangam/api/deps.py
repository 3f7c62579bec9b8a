"""What the API needs of the rest of the house; the composition root fills it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sangam.model.clock import Clock
from sangam.model.identity import Identity
from sangam.model.instrument import Instrument
from sangam.prices.last import Last


@dataclass(frozen=True, kw_only=True)
class ApiDeps:
    """Callables; (account, symbol, exchange) are texts, the account an id.

    `authenticate` raises AuthError. `last` is what is known of a streaming instrument, or None; `quote` awaits a price
    that tells mode QUOTE of any instrument (SymbolNotFound, BrokerError). `symbol` raises SymbolNotFound. `health` has
    ``status`` (``ok`` or ``degraded`` answer 200, anything else 503); `metrics` are figures of the house by name
    (``..._total`` are counters). `admin` runs a verb of `accounts.admin.Admin`. `rate_limit` counts a key's requests
    per second."""

    authenticate: Callable[[str], Identity]
    last: Callable[[str, str, str], Last | None]
    quote: Callable[[str, str, str], Awaitable[Last]]
    symbol: Callable[[str, str, str], Instrument]
    health: Callable[[], Mapping[str, Any]]
    metrics: Callable[[], Mapping[str, float]]
    admin: Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
    clock: Clock
    version: str
    rate_limit: int = 50
