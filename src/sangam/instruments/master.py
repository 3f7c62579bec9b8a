"""One version of a broker's instruments: an immutable SQLite file behind indexed reads and a cache of what is used."""

import contextlib
import sqlite3
import weakref
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

from sangam.model.errors import SymbolNotFound
from sangam.model.instrument import Instrument

from .schema import FORMAT, SELECT, from_row

CACHED = 16_384
"""Instruments kept in memory for each kind of look-up (about 0.6 KB each)."""

_BY_SYMBOL = f"{SELECT} WHERE symbol = ? AND exchange = ?"
_BY_BRSYMBOL = f"{SELECT} WHERE brsymbol = ? AND brexchange = ?"
_BY_TOKEN = f"{SELECT} WHERE token = ? AND exchange = ?"

_Find = Callable[[str, str], Instrument | None]


class Master:
    """Look-ups of one version. The file is never written again, so every answer stays true for the object's life."""

    def __init__(self, path: Path, version: str) -> None:
        """Raises sqlite3.Error when the file is absent, damaged or of another format."""
        db = _connect(path)
        weakref.finalize(self, db.close)
        if db.execute("PRAGMA user_version").fetchone() != (FORMAT,):
            raise sqlite3.DatabaseError(f"{path.name} is not a master of format {FORMAT}")
        self.version = version
        self.count: int = db.execute("SELECT max(id) FROM symtoken").fetchone()[0] or 0
        self._path = path
        self._by_symbol = _cached(db, _BY_SYMBOL)
        self._by_brsymbol = _cached(db, _BY_BRSYMBOL)
        self._by_token = _cached(db, _BY_TOKEN)

    def lookup(self, symbol: str, exchange: str) -> Instrument:
        """The instrument of a unified symbol and exchange code; SymbolNotFound when there is none."""
        instrument = self._by_symbol(symbol, exchange)
        if instrument is None:
            raise SymbolNotFound(symbol, exchange)
        return instrument

    def by_brsymbol(self, brsymbol: str, brexchange: str) -> Instrument | None:
        """The instrument that the broker calls so."""
        return self._by_brsymbol(brsymbol, brexchange)

    def by_token(self, token: str, exchange: str) -> Instrument | None:
        """The instrument of a broker's token in a unified exchange."""
        return self._by_token(token, exchange)

    def search(self, query: str, exchange: str | None = None, limit: int = 50) -> list[Instrument]:
        """Instruments whose symbol or name has every word of the query, the likeliest first. Reads the whole file
        (tens of milliseconds without the GIL) on a connection of its own: call it in a thread."""
        words = query.upper().split()
        if not words:
            return []
        patterns = [f"%{_escaped(word)}%" for word in words]
        where = " AND ".join(["(symbol LIKE ? ESCAPE '!' OR name LIKE ? ESCAPE '!')"] * len(words))
        values: list[str | int] = [pattern for pattern in patterns for _ in range(2)]
        if exchange is not None:
            where += " AND exchange = ?"
            values.append(exchange)
        order = "symbol <> ?, symbol NOT LIKE ? ESCAPE '!', length(symbol), symbol, exchange"
        values += [words[0], f"{_escaped(words[0])}%", limit]
        with contextlib.closing(_connect(self._path)) as db:
            rows = db.execute(f"{SELECT} WHERE {where} ORDER BY {order} LIMIT ?", values).fetchall()
        return [from_row(row) for row in rows]


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)


def _cached(db: sqlite3.Connection, query: str) -> _Find:
    return lru_cache(maxsize=CACHED)(partial(_find, db, query))


def _find(db: sqlite3.Connection, query: str, name: str, exchange: str) -> Instrument | None:
    row = db.execute(query, (name, exchange)).fetchone()
    return from_row(row) if row is not None else None


def _escaped(word: str) -> str:
    return word.replace("!", "!!").replace("%", "!%").replace("_", "!_")
