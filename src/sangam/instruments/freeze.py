"""Freeze quantities: the largest order an exchange takes in one piece, by underlying.

`freeze.csv` has the index limits in force since 1 February 2026 (NSE circular of 30 January 2026; BSE's as brokers
publish them). Exchanges revise them month by month with the index's level; ``freeze.csv`` in the home folder overrides
single rows."""

import csv
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from sangam.model.errors import ConfigError

FILE = "freeze.csv"
UNKNOWN = 1
"""What clients of the known API read where no limit is known."""

Freezes = Mapping[tuple[str, str], int]
"""(underlying, exchange) → units."""


def load(home: Path) -> Freezes:
    """The shipped table with the home folder's rows over it. Raises ConfigError that names a bad line."""
    shipped = resources.files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    own = home / FILE
    return {**_read(shipped, FILE), **(_read(own.read_text(encoding="utf-8-sig"), str(own)) if own.exists() else {})}


def _read(text: str, where: str) -> dict[tuple[str, str], int]:
    found = {}
    reader = csv.DictReader(text.splitlines())
    for row in reader:
        try:
            quantity = int(row["quantity"])
            key = (row["underlying"].strip().upper(), row["exchange"].strip().upper())
        except (KeyError, TypeError, ValueError, AttributeError):
            quantity, key = 0, ("", "")
        if quantity < 1:
            raise ConfigError(f"{where}, line {reader.line_num}: write exchange,underlying,quantity (NFO,NIFTY,1800).")
        found[key] = quantity
    return found
