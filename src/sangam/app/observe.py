"""What operators see: health and figures."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from sangam import __version__
from sangam.feed.feed import Feed
from sangam.model.enums import AccountState
from sangam.model.histogram import Histogram
from sangam.transport.trace import Trace

from .alerts import Alerts
from .loop import LagMeter

HEALTHY = frozenset({AccountState.LIVE, AccountState.CLOSED_MARKET, AccountState.CONNECTING, AccountState.NO_SESSION})


class Clients(Protocol):
    """Whoever serves them."""

    @property
    def clients(self) -> int: ...

    @property
    def written(self) -> Histogram: ...

    def metrics(self) -> Mapping[str, float]: ...


class Observer:
    def __init__(self, feed: Feed, gateway: Clients, lag: LagMeter, alerts: Alerts, trace: Trace) -> None:
        self._feed = feed
        self._gateway = gateway
        self._lag = lag
        self._alerts = alerts
        self._trace = trace

    def health(self) -> dict[str, Any]:
        """`status` is ``degraded`` while any account's feed needs attention."""
        accounts = self._feed.all_health()
        healthy = all(account.state in HEALTHY for account in accounts)
        return {
            "status": "ok" if healthy else "degraded",
            "version": __version__,
            "clients": self._gateway.clients,
            "alerts": [msgspec.to_builtins(alert) for alert in self._alerts.current],
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
            "alerts": len(self._alerts.current),
            "feed_accounts": len(accounts),
            "feed_accounts_healthy": sum(account.state in HEALTHY for account in accounts),
            "feed_wants": sum(account.wants for account in accounts),
            "feed_reconnects_total": sum(account.reconnects for account in accounts),
        }

    def families(self) -> Iterable[Metric]:
        """What needs labels: each account's feed, the calls to brokers, the stages of an update."""
        ratio = GaugeMetricFamily(
            "sangam_feed_live_ratio", "Share of market hours that a feed was live", labels=["account", "broker"]
        )
        updates = CounterMetricFamily("sangam_feed_updates", "Updates that brokers told", labels=["account", "broker"])
        for account in self._feed.all_health():
            labels = [account.account, account.broker]
            ratio.add_metric(labels, account.live_ratio)
            updates.add_metric(labels, account.updates)
        calls = CounterMetricFamily(
            "sangam_broker_calls", "Calls to brokers by our error code", labels=["broker", "error_code"]
        )
        for (broker, code), count in self._trace.calls.items():
            calls.add_metric([broker, code], count)
        took = HistogramMetricFamily(
            "sangam_broker_call_seconds", "How long brokers take to answer", labels=["broker", "effect"]
        )
        for (broker, effect), histogram in self._trace.latency.items():
            took.add_metric([broker, effect], histogram.buckets(), histogram.seconds)
        waits = CounterMetricFamily(
            "sangam_broker_waits", "Calls that waited for a rate limit", labels=["broker", "lane"]
        )
        waited = CounterMetricFamily(
            "sangam_broker_wait_seconds", "Time that calls waited for rate limits", labels=["broker", "lane"]
        )
        for (broker, lane), wait in self._trace.waits.items():
            waits.add_metric([broker, lane], wait.count)
            waited.add_metric([broker, lane], wait.seconds)
        stages = HistogramMetricFamily("sangam_stage_seconds", "How long updates take, by stage", labels=["stage"])
        for stage, histogram in (("publish", self._feed.published), ("write", self._gateway.written)):
            stages.add_metric([stage], histogram.buckets(), histogram.seconds)
        return (ratio, updates, calls, took, waits, waited, stages)
