"""A broker of the family, as a table."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from sangam.brokers.contract import Limit
from sangam.model.enums import Exchange

from .tables import CODES

LANES = frozenset({"orders", "login", "default"})
"""What requests wait in, each with limits of its own."""

PACE = (Limit("orders", 10, 1.0, reserve=2), Limit("default", 5, 1.0), Limit("login", 1, 1.0))
"""Ours: none of these brokers publishes its limits. More than ten orders a second would have to be registered."""

_TRADED = (Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO)


def _paise() -> Mapping[Exchange, int]:
    return dict.fromkeys((*_TRADED, Exchange.NSE_INDEX, Exchange.BSE_INDEX), 100)


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One broker.

    `hosts` has the rows `api` and `stream` (the address before ``/ws/v1/feeds``), and for the channel login `channel`
    and `channel_stream`, which a session made by it uses instead. `exchanges` are those of the contract file, indices
    included; `scales` says how many of the stream's units a rupee has, and only what is in there is streamed; `trades`
    are those that take orders by the API.

    `order_terms` are added to each new order as they stand. `change_terms` are facts of the order book that a change
    must repeat. `echoes` says that it is documented that the order book tells the number which we give an order.
    `by_exchange` says that the contract file is asked for exchange by exchange."""

    name: str
    title: str
    hosts: Mapping[str, str]
    aliases: tuple[str, ...] = ()
    logins: tuple[Literal["oauth", "channel"], ...] = ("oauth",)
    exchanges: tuple[Exchange, ...] = (*_TRADED, Exchange.NSE_INDEX, Exchange.BSE_INDEX)
    scales: Mapping[Exchange, int] = msgspec.field(default_factory=_paise)
    trades: tuple[Exchange, ...] = _TRADED
    market: Literal["native", "limit stops", "limit"] = "native"
    order_terms: Mapping[str, str | int | bool] = {}
    change_terms: tuple[str, ...] = ()
    echoes: bool = False
    funds: Literal["v1", "v2"] = "v2"
    by_exchange: bool = False
    limits: tuple[Limit, ...] = PACE
    symbols_per_socket: int = 1000
    heartbeat: float = 8.0
    session_ends: str = ""
    instruments_ready: str = "08:30"

    def __post_init__(self) -> None:
        """Raises ValueError for a table that contradicts itself."""
        rows = {"api", "stream", *(("channel", "channel_stream") if "channel" in self.logins else ())}
        if missing := rows - self.hosts.keys():
            raise ValueError(f"hosts have no row {min(missing)}")
        for exchange in (*self.exchanges, *self.scales):
            if exchange not in CODES:
                raise ValueError(f"exchanges have codes, and {exchange} has none")
        if strange := {*self.scales, *self.trades}.difference(self.exchanges):
            raise ValueError(f"scales or trades have {min(strange)}, which is none of the exchanges")
        if any(scale <= 0 for scale in self.scales.values()) or any(each.is_index for each in self.trades):
            raise ValueError("a scale is above zero, and no index takes orders")
