"""What operators see of orders: how many stand in which state, and how long the journal takes."""

from collections import Counter
from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

from sangam.model.histogram import Histogram
from sangam.model.identity import AccountInfo
from sangam.model.order import Order


def order_families(
    accounts: Iterable[AccountInfo], of: Callable[[str], Iterable[Order]], committed: Histogram
) -> Iterable[Metric]:
    """`of` tells an account's orders of the day and those unsettled of before; states that none is in are left out.
    `committed` are the journal's commits."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for account in accounts:
        counts.update((account.broker, order.mode.value, order.state.value) for order in of(account.id))
    orders = GaugeMetricFamily(
        "sangam_orders", "Orders of today, and unsettled ones of before", labels=["broker", "mode", "state"]
    )
    for labels, count in sorted(counts.items()):
        orders.add_metric(list(labels), count)
    commits = HistogramMetricFamily("sangam_journal_commit_seconds", "How long the journal takes to be durable")
    commits.add_metric([], committed.buckets(), committed.seconds)
    return (orders, commits)
