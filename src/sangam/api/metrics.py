"""Figures for Prometheus: the API's own, the process's, and what the house hands over."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _House(Collector):
    """Asks at each scrape, so that nothing is counted twice."""

    def __init__(self, figures: Callable[[], Mapping[str, float]], families: Callable[[], Iterable[Metric]]) -> None:
        self._figures = figures
        self._families = families

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        for name, value in self._figures().items():
            if name.endswith("_total"):
                yield CounterMetricFamily(f"sangam_{name}", name.replace("_", " "), value=value)
            else:
                yield GaugeMetricFamily(f"sangam_{name}", name.replace("_", " "), value=value)
        yield from self._families()


class Metrics:
    """One registry per API, so that several may live in one process."""

    def __init__(
        self,
        figures: Callable[[], Mapping[str, float]],
        families: Callable[[], Iterable[Metric]] = tuple,
    ) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "sangam_api_requests", "Requests by path and status", ["path", "status"], registry=self._registry
        )
        self.errors = Counter(
            "sangam_api_errors", "Errors by broker and code", ["broker", "error_code"], registry=self._registry
        )
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(_House(figures, families))

    def text(self) -> bytes:
        return generate_latest(self._registry)
