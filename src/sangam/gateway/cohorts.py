"""Cohorts: clients with the same set of lanes share one buffer, so a frame is appended, and joined, once for all.

A client starts alone and stays alone while its subscriptions change. Once they rest it *settles*: it joins the cohort
of an equal set, found by the XOR of the lanes' tags, or becomes one that others may join. At its next change it leaves
again. Whoever moves is written to first, so that nothing is lost, doubled or overtaken."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .outbox import Outbox


class Cohort:
    """Clients that hear the same; `sent` counts messages since it exists."""

    __slots__ = ("buffer", "members", "sent", "settled")

    def __init__(self) -> None:
        self.buffer: list[bytes] = []
        self.members: dict[Outbox, Callable[[bytes], object]] = {}
        self.settled: tuple[int, int] | None = None
        self.sent = 0


class Cohorts:
    """Who is in which cohort. The caller flushes a cohort before its members change."""

    def __init__(self) -> None:
        self.count = 0
        self._settled: dict[tuple[int, int], list[Cohort]] = {}

    def start(self, outbox: Outbox) -> Cohort:
        """A cohort of one, fed by all the client's lanes."""
        cohort = Cohort()
        for lane in outbox.lanes.values():
            lane.cohorts[cohort] = None
        self.count += 1
        self._enter(outbox, cohort)
        return cohort

    def leave(self, outbox: Outbox) -> None:
        cohort = outbox.cohort
        if cohort is None:
            return
        del cohort.members[outbox]
        outbox.sent_before += cohort.sent
        outbox.cohort = None
        if not cohort.members:
            self.loosen(cohort)
            self.count -= 1
            for lane in outbox.lanes.values():
                del lane.cohorts[cohort]

    def loosen(self, cohort: Cohort) -> None:
        """Take a cohort out of the list that others may join."""
        if cohort.settled is not None:
            twins = self._settled[cohort.settled]
            twins.remove(cohort)
            if not twins:
                del self._settled[cohort.settled]
            cohort.settled = None

    def match(self, outbox: Outbox) -> Cohort | None:
        """A settled cohort of exactly this client's lanes."""
        for cohort in self._settled.get((outbox.signature, len(outbox.lanes)), ()):
            if next(iter(cohort.members)).lanes == outbox.lanes:
                return cohort
        return None

    def join(self, outbox: Outbox, cohort: Cohort) -> None:
        self.leave(outbox)
        self._enter(outbox, cohort)

    def settle(self, outbox: Outbox, cohort: Cohort) -> None:
        """Offer a client's own cohort to others."""
        cohort.settled = (outbox.signature, len(outbox.lanes))
        self._settled.setdefault(cohort.settled, []).append(cohort)

    @staticmethod
    def _enter(outbox: Outbox, cohort: Cohort) -> None:
        cohort.members[outbox] = outbox.write
        outbox.cohort = cohort
        outbox.sent_before -= cohort.sent
