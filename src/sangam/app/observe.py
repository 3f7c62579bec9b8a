"""What operators see: health and figures."""

from collections.abc import Mapping
from typing import Any, Protocol

from sangam import __version__
from sangam.feed.feed import Feed
from sangam.model.enums import AccountState

from .loop import LagMeter

HEALTHY = frozenset({AccountState.LIVE, AccountState.CLOSED_MARKET, AccountState.CONNECTING, AccountState.NO_SESSION})


class Clients(Protocol):
    """Whoever serves them."""

    @property
    def clients(self) -> int: ...

    def metrics(self) -> Mapping[str, float]: ...


class Observer:
    def __init__(self, feed: Feed, gateway: Clients, lag: LagMeter) -> None:
        self._feed = feed
        self._gateway = gateway
        self._lag = lag

    def health(self) -> dict[str, Any]:
        """`status` is ``degraded`` while any account's feed needs attention."""
        accounts = self._feed.all_health()
        healthy = all(account.state in HEALTHY for account in accounts)
        return {
            "status": "ok" if healthy else "degraded",
            "version": __version__,
            "clients": self._gateway.clients,
            "accounts": [
                {
                    "account": account.account,
                    "broker": account.broker,
                    "state": account.state.value,
                    "detail": account.detail,
                    "since": account.since,
                    "wants": account.wants,
                    "last_data_at": account.last_data_at,
                    "reconnects": account.reconnects,
                }
                for account in accounts
            ],
        }

    def metrics(self) -> Mapping[str, float]:
        """Figures by name; those that only grow end in ``_total``."""
        accounts = self._feed.all_health()
        return {
            **self._gateway.metrics(),
            "loop_lag_ms": self._lag.worst_ms(),
            "feed_accounts": len(accounts),
            "feed_accounts_healthy": sum(account.state in HEALTHY for account in accounts),
            "feed_wants": sum(account.wants for account in accounts),
            "feed_reconnects_total": sum(account.reconnects for account in accounts),
        }
