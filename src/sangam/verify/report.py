"""What a verification found: one row of a matrix, and a text to send to others."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .needs import GROUPS


class Count(NamedTuple):
    group: str
    about: str
    ok: int
    failed: int
    skipped: int

    def __str__(self) -> str:
        """As the cells of docs/capabilities.md: those that hold, of those that were tried."""
        return f"{self.ok} of {self.ok + self.failed}" if self.ok + self.failed else "-"


def counts(results: Sequence[Mapping[str, Any]]) -> list[Count]:
    """By group, for those that have checks."""
    found = []
    for group, about in GROUPS.items():
        own = [row["verdict"] for row in results if row["id"].startswith(f"{group}-")]
        if own:
            found.append(Count(group, about, *(own.count(verdict) for verdict in ("ok", "failed", "skipped"))))
    return found


def block(told: Mapping[str, Any]) -> str:
    """Without the account's name, the client's, and whatever the account holds."""
    orders = "with" if told["orders"] else "without"
    head = f"sangam {told['version']}, {told['broker']}, {told['at']}, {orders} orders"
    row = ", ".join(f"{count.group} {count}" for count in counts(told["results"]))
    lines = [head, row]
    lines += [
        f"{result['id']} {result['verdict']}: {result['reason']}"
        for result in told["results"]
        if result["verdict"] != "ok"
    ]
    passed = [result["id"] for result in told["results"] if result["verdict"] == "ok"]
    return "\n".join([*lines, f"ok: {' '.join(passed) or 'none'}"])
