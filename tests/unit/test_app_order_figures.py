from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector
from tests.orders_support import an_order

from sangam.app.order_figures import order_families
from sangam.model.histogram import STAGE_BOUNDS, Histogram
from sangam.model.identity import AccountInfo
from sangam.model.order import OrderState, TradingMode


def test_orders_are_counted_by_broker_mode_and_state() -> None:
    books = {
        "a-toy": [an_order(state=OrderState.OPEN), an_order(state=OrderState.UNKNOWN)],
        "b-toy": [an_order(state=OrderState.OPEN), an_order(state=OrderState.OPEN, mode=TradingMode.PAPER)],
        "b-new": [],
    }
    accounts = [AccountInfo(id, id[0], id[2:]) for id in books]
    committed = Histogram(STAGE_BOUNDS)
    committed.add(0.002)

    class House(Collector):
        def collect(self):  # type: ignore[no-untyped-def]
            return order_families(accounts, books.__getitem__, committed)

    registry = CollectorRegistry()
    registry.register(House())
    told = generate_latest(registry).decode()
    assert [line for line in told.splitlines() if line.startswith("sangam_orders{")] == [
        'sangam_orders{broker="toy",mode="live",state="open"} 2.0',
        'sangam_orders{broker="toy",mode="live",state="unknown"} 1.0',
        'sangam_orders{broker="toy",mode="paper",state="open"} 1.0',
    ]
    assert 'sangam_journal_commit_seconds_bucket{le="0.001"} 0.0' in told
    assert 'sangam_journal_commit_seconds_bucket{le="0.0025"} 1.0' in told
