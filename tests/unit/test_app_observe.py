"""Health and figures of a house with one account."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector
from tests.feed_rig import feed_rig
from tests.toy_broker import toy_session

from sangam.app.alerts import Alerts
from sangam.app.loop import LagMeter
from sangam.app.observe import Observer
from sangam.brokers.contract import Request
from sangam.gateway.server import Gateway
from sangam.model.enums import AccountState
from sangam.model.errors import AuthError, RateLimited
from sangam.model.identity import Identity
from sangam.transport.trace import Trace


def nobody(api_key: str) -> Identity:
    raise AuthError("Invalid API key")


async def test_what_happened_is_counted_by_account_and_broker(tmp_path: Path) -> None:
    trace, lag = Trace(), LagMeter()
    request = Request(method="GET", host="api", path="/x")
    session = toy_session("ws://127.0.0.1:1")
    trace.called(session, request, 1, status=200, error=None, seconds=0.03)
    trace.called(session, request, 2, status=429, error=RateLimited("slow down"), seconds=0.3)
    trace.waited(session, request, 1.5)
    async with feed_rig() as rig:
        await rig.login()
        await rig.streaming("SBIN")
        await rig.state(AccountState.LIVE)
        alerts = Alerts(rig.feed.all_health, list, tmp_path, rig.clock)
        observer = Observer(rig.feed, Gateway(rig.feed, nobody, brokers=[]), lag, alerts, trace)
        assert observer.health()["status"] == "ok"
        assert observer.health()["alerts"] == []

        class House(Collector):
            collect = staticmethod(observer.families)

        registry = CollectorRegistry()
        registry.register(House())
        told = generate_latest(registry).decode()
        for line in (
            'sangam_feed_updates_total{account="u-toy",broker="toy"} 1.0',
            'sangam_broker_calls_total{broker="toy",error_code="ok"} 1.0',
            'sangam_broker_calls_total{broker="toy",error_code="RATE_LIMITED"} 1.0',
            'sangam_broker_call_seconds_bucket{broker="toy",effect="read",le="0.05"} 1.0',
            'sangam_broker_call_seconds_bucket{broker="toy",effect="read",le="+Inf"} 2.0',
            'sangam_broker_waits_total{broker="toy",lane="default"} 1.0',
            'sangam_stage_seconds_bucket{le="+Inf",stage="publish"} 0.0',
            'sangam_stage_seconds_count{stage="write"} 0.0',
            'sangam_broker_wait_seconds_total{broker="toy",lane="default"} 1.5',
        ):
            assert line in told
        ratio = re.search(r'sangam_feed_live_ratio\{account="u-toy",broker="toy"\} ([\d.]+)', told)
        assert ratio is not None
        assert 0 < float(ratio[1]) <= 1  # connecting took its time
        await rig.server.tell({"event": "expired"})
        await rig.state(AccountState.AUTH_EXPIRED)
        alerts.look()
        assert observer.health()["status"] == "degraded"
        assert [alert["kind"] for alert in observer.health()["alerts"]] == ["login_needed"]
        assert observer.metrics()["alerts"] == 1
    await lag.stop()
