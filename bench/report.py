"""Results as tables: on the terminal, and as docs/performance.md."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tests.support import ROOT

RESULTS = ROOT / "bench" / "results.json"
PAPER = 150
"""Columns where there is no terminal to ask."""
PAGE = ROOT / "docs" / "performance.md"

INTRODUCTION = """\
# Performance

`make bench` measures all of this on your machine and rewrites this page. Nothing here is asserted by a test: figures
belong to a machine. The server has one core; the broker's side and the clients are processes on the others. The
broker's side sends the true bytes of a broker's wire; the clients are raw sockets that count every message, and one
in each process is *audited*: every message it got is judged for loss, order and delay afterwards.

- **every** is the delay of each message of the audited clients, **oldest** that of the oldest message of a read over
  all clients (sampled), both from the broker's bytes to the client's bytes.
- **CPU** is the server's CPU time (user and system) by delivered message; **floor** is 0.185 µs, what a C program needs
  that only copies and sends the same bytes.
- **lost** counts messages that were sent and not delivered; **gaps** those missing by `seq`.
"""


@dataclass
class Section:
    """A table and the sentence above it."""

    title: str
    columns: tuple[str, ...]
    note: str = ""
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        self.rows.append(cells)


class Report:
    """Prints each section when it is complete and keeps it for the page."""

    def __init__(self, facts: dict[str, str]) -> None:
        self.facts = facts
        self.sections: list[Section] = []
        self._console = Console(width=None if sys.stdout.isatty() else PAPER)
        self._console.print(" · ".join(facts.values()))

    def part(self, section: Section, fill: Callable[[Section], None]) -> None:
        """Run one part. A part that fails is told and does not cost the others."""
        try:
            fill(section)
        except Exception as error:  # noqa: BLE001 - a bench of many parts shows what it could measure
            section.note = f"{section.note} Not measured: {error}".strip()
        self.sections.append(section)
        self._print(section)

    def _print(self, section: Section) -> None:
        table = Table(title=section.title, caption=section.note or None, title_justify="left", caption_justify="left")
        for number, column in enumerate(section.columns):
            table.add_column(column, justify="right" if number else "left")
        for row in section.rows:
            table.add_row(*row)
        self._console.print(table)

    def save(self, whole: bool) -> None:
        """Write the page: all of it, or these sections in the place of those measured before, with their own date and
        machine, which may be another one."""
        results: dict[str, Any] = {"facts": self.facts, "sections": [vars(one) for one in self.sections]}
        if not whole and RESULTS.exists():
            before = json.loads(RESULTS.read_text())
            dated = f"Measured {self.facts['date']} on {self.facts['machine']}."
            fresh = {one.title: vars(one) | {"note": f"{one.note} {dated}".strip()} for one in self.sections}
            kept = [fresh.pop(one["title"], one) for one in before["sections"]]
            results = {"facts": before["facts"], "sections": [*kept, *fresh.values()]}
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(results))
        self._console.print(f"written: {_here(RESULTS)}, {_here(PAGE)}")


def page(results: dict[str, Any]) -> str:
    """docs/performance.md from results.json."""
    facts = "\n".join(f"- {name}: {value}" for name, value in results["facts"].items())
    parts = [INTRODUCTION, facts]
    for section in results["sections"]:
        head = "| " + " | ".join(section["columns"]) + " |"
        line = "|" + "---|" + "---:|" * (len(section["columns"]) - 1)
        rows = ["| " + " | ".join(row) + " |" for row in section["rows"]]
        parts.append("\n".join((f"## {section['title']}", *([section["note"]] if section["note"] else []), "")))
        parts.append("\n".join((head, line, *rows)))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _here(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
