"""Where the commands speak: answers to stdout, everything else to stderr."""

import sys
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sangam.model.clock import ist_from_ms

_UNBROKEN = 240
"""Columns where nobody looks: a program that reads our tables wants whole cells."""

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _UNBROKEN)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def complain(text: str, hint: str = "") -> None:
    err.print(Text(text, style="red"))
    if hint:
        err.print(Text(hint, style="dim"))


def note(text: str) -> None:
    """For the person, not for the program that reads stdout."""
    err.print(Text(text, style="dim"))


def table(*columns: str) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def moment(ms: int | None) -> str:
    """``2026-08-03 09:15`` in IST; a dash for never."""
    if ms is None:
        return "-"
    when: datetime = ist_from_ms(ms)
    return f"{when:%Y-%m-%d %H:%M}"
