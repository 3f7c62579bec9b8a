"""What a master knows besides its rows: what search reads, options by expiry and strike, parts of compound tokens."""

import re
import sqlite3
from collections.abc import Iterator, Mapping, Set
from datetime import date

from sangam.model.enums import InstrumentType
from sangam.model.instrument import Instrument, expiry_text, strike_text

from .schema import Row

_OPTIONS = frozenset({"CE", "PE"})
_JOINT = re.compile(r"\W+", re.ASCII)
_UNCLEAR = 0

_Group = tuple[str, str, date, str]


class Catalogue:
    """Give it every stored instrument with its id and row, then let it write."""

    def __init__(self) -> None:
        self._singles: list[tuple[str, str, str, str, int, int]] = []
        self._groups: dict[_Group, tuple[str, list[tuple[str, int]]]] = {}
        self._parts: dict[str, dict[str, int]] = {}

    def add(self, number: int, item: Instrument, row: Row) -> None:
        symbol, brsymbol, name, exchange, _, token, *_, kind, _ = row
        parts = _JOINT.split(token)
        if len(parts) > 1:
            meanings = self._parts.setdefault(exchange, {})
            for part in parts:
                meanings[part] = number if meanings.get(part, number) == number else _UNCLEAR
        if item.expiry is None:
            texts = (symbol, name, brsymbol) if item.instrument_type is InstrumentType.INDEX else (symbol, name)
            self._singles.append((_words(*texts), symbol, exchange, kind, 0, number))
            return
        base = underlying_of(item)
        if kind not in _OPTIONS:
            words = _words(symbol, name, brsymbol)
            self._singles.append((words, base, exchange, kind, item.expiry.toordinal(), number))
            return
        strike = strike_text(item.strike)
        group = self._groups.get((base, exchange, item.expiry, kind))
        if group is None:
            # What the broker calls the group: its option's symbol up to the strike.
            head = brsymbol.removesuffix(strike + kind)
            words = _words(base + expiry_text(item.expiry), kind, name, head if head != brsymbol else "")
            group = self._groups[base, exchange, item.expiry, kind] = (words, [])
        group[1].append((strike, number))

    def write(self, db: sqlite3.Connection, tokens: Mapping[str, Set[str]]) -> None:
        """`tokens` are the whole ones of each exchange, which no part of another may be taken for."""
        insert = "INSERT INTO listing (words, underlying, exchange, kind, expiry, instrument) VALUES (?, ?, ?, ?, ?, ?)"
        db.executemany(insert, self._singles)
        db.executemany("INSERT INTO strike VALUES (?, ?, ?)", self._write_groups(db))
        db.executemany("INSERT INTO ref VALUES (?, ?, ?)", self._refs(tokens))

    def _write_groups(self, db: sqlite3.Connection) -> Iterator[tuple[int, str, int]]:
        """Inserts the groups; yields their options in the order of the table's key."""
        first = len(self._singles) + 1
        insert = "INSERT INTO listing VALUES (?, ?, ?, ?, ?, ?, NULL)"
        for listing, ((base, exchange, expiry, right), (words, options)) in enumerate(self._groups.items(), first):
            db.execute(insert, (listing, words, base, exchange, right, expiry.toordinal()))
            options.sort()
            for strike, number in options:
                yield listing, strike, number

    def _refs(self, tokens: Mapping[str, Set[str]]) -> Iterator[tuple[str, str, int]]:
        """Parts that can mean only one instrument of their exchange."""
        for exchange, meanings in sorted(self._parts.items()):
            whole = tokens[exchange]
            for part in sorted(meanings):
                if part and meanings[part] != _UNCLEAR and part not in whole:
                    yield part, exchange, meanings[part]


def underlying_of(instrument: Instrument) -> str:
    """What stands before the date in a derivative's symbol; the symbol of anything else."""
    if instrument.expiry is None:
        return instrument.symbol
    at = instrument.symbol.rfind(expiry_text(instrument.expiry))
    return instrument.symbol[:at] if at > 0 else instrument.symbol


def _words(*texts: str) -> str:
    """One line each, so that no word of a query spans two; without repetitions."""
    return "".join(f"{text}\n" for text in dict.fromkeys(text.upper() for text in texts if text))
