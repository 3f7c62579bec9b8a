"""One version of a broker's instruments: an immutable SQLite file behind indexed reads and a cache of what is used."""

import contextlib
import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import SymbolNotFound
from sangam.model.instrument import Instrument, Named, strike_text

from .catalogue import underlying_of
from .freeze import UNKNOWN, Freezes
from .ladder import Ladder
from .schema import COLUMNS, FORMAT, SELECT, Row, from_row
from .search import search

KNOWN = 16_384
"""Answers kept in memory for each kind of look-up (about 0.6 KB each)."""

CHUNK = 500
"""Rows handed out at once by `rows`: a millisecond's work."""

Kind = Literal["futures", "options"]

_BY_SYMBOL = f"{SELECT} WHERE symbol = ? AND exchange = ?"
_BY_BRSYMBOL = f"{SELECT} WHERE brsymbol = ? AND brexchange = ?"
_BY_TOKEN = f"{SELECT} WHERE token = ? AND exchange = ?"
_BY_BRTOKEN = f"{SELECT} WHERE token = ? AND brexchange = ?"
_BY_BOTH = f"{SELECT} WHERE token = ? AND brsymbol = ? GROUP BY token HAVING count(*) = 1"
_BY_REF = f"{SELECT} WHERE id = (SELECT instrument FROM ref WHERE ref = ? AND exchange = ?)"  # noqa: S608

_LISTED = "listing WHERE underlying = ? AND exchange = ?"
_EXPIRIES = f"SELECT DISTINCT expiry FROM {_LISTED} AND kind IN (?, ?, ?) AND expiry >= ? ORDER BY expiry"  # noqa: S608
_FUTURE = f"{SELECT} WHERE id = (SELECT instrument FROM {_LISTED} AND kind = 'FUT' AND expiry = ?)"  # noqa: S608
_GROUP = f"(SELECT id FROM {_LISTED} AND kind = ? AND expiry = ?)"  # noqa: S608
_STRIKES = f"SELECT strike FROM strike WHERE listing = {_GROUP}"  # noqa: S608
_OPTION = f"{SELECT} WHERE id = (SELECT instrument FROM strike WHERE listing = {_GROUP} AND strike = ?)"  # noqa: S608

_EXCHANGE_OF = "SELECT exchange FROM symtoken WHERE brexchange = ? AND instrumenttype != ? LIMIT 1"

Name = tuple[str, str]
"""What an instrument is called, and on which exchange."""

_KINDS: Mapping[Kind, tuple[str, str, str]] = {"futures": ("FUT", "", ""), "options": ("CE", "PE", "")}


class Rung(NamedTuple):
    """One strike of an option chain; a side that is not listed is None."""

    strike: float
    ce: Instrument | None
    pe: Instrument | None


class Refusals(NamedTuple):
    """How many rows were refused for a reason, and some of them as the file had them."""

    total: int
    rows: list[str]


class Master:
    """Look-ups of one version. The file is never written again, so every answer stays true for the object's life.

    All methods but `search`, `warm` and `rows` take microseconds (a whole chain: a millisecond) and belong to the event
    loop; those three use a connection of their own and belong to a thread."""

    def __init__(self, path: Path, version: str, made_at: int = 0, freezes: Freezes | None = None) -> None:
        """`made_at` is when the broker was asked (epoch ms). Raises sqlite3.Error when the file is absent, damaged or
        of another format."""
        db = _connect(path)
        weakref.finalize(self, db.close)
        if db.execute("PRAGMA user_version").fetchone() != (FORMAT,):
            raise sqlite3.DatabaseError(f"{path.name} is not a master of format {FORMAT}")
        self.version = version
        self.made_at = made_at
        self.count: int = db.execute("SELECT max(id) FROM symtoken").fetchone()[0] or 0
        self._path = path
        self._db = db
        self._freezes = freezes or {}
        self._by_symbol = _Index(db, _BY_SYMBOL)
        self._by_brsymbol = _Index(db, _BY_BRSYMBOL)
        self._by_brtoken = _Index(db, _BY_BRTOKEN)
        self._by_both = _Index(db, _BY_BOTH)
        self._by_token = _Index(db, _BY_TOKEN, _BY_REF)

    # --- one instrument -----------------------------------------------------------------------------------------------

    def lookup(self, symbol: str, exchange: str) -> Instrument:
        """The instrument of a unified symbol and exchange code; SymbolNotFound when there is none."""
        instrument = self._by_symbol.find((symbol, exchange))
        if instrument is None:
            raise SymbolNotFound(symbol, exchange)
        return instrument

    def by_brsymbol(self, brsymbol: str, brexchange: str) -> Instrument | None:
        """The instrument that the broker calls so."""
        return self._by_brsymbol.find((brsymbol, brexchange))

    def named(self, row: Named) -> Instrument | None:
        """The instrument that a broker's row is about. One that does not tell its exchange is named by its token and
        symbol together, where they can mean only one."""
        if not row.brexchange:
            return self._by_both.find((row.token, row.brsymbol))
        if row.token:
            return self._by_brtoken.find((row.token, row.brexchange))
        return self.by_brsymbol(row.brsymbol, row.brexchange)

    def exchange_of(self, brexchange: str) -> Exchange | None:
        """Where instruments of a broker's exchange code trade (indices aside). It reads the whole file where there are
        none, so it is for strangers only."""
        found = self._db.execute(_EXCHANGE_OF, (brexchange, InstrumentType.INDEX)).fetchone()
        return None if found is None else Exchange(found[0])

    def by_token(self, token: str, exchange: str) -> Instrument | None:
        """The instrument of a broker's token in a unified exchange.

        A part of a compound token (the exchange's own number, an ISIN) does as well where it can mean only one."""
        return self._by_token.find((token, exchange))

    def option(
        self, underlying: str, exchange: str, expiry: date, strike: float, right: InstrumentType
    ) -> Instrument | None:
        """The option of an underlying on a derivative exchange."""
        key = (underlying, exchange, right.value, expiry.toordinal(), strike_text(strike))
        return self._one(_OPTION, key)

    def future(self, underlying: str, exchange: str, expiry: date) -> Instrument | None:
        """The future of an underlying on a derivative exchange."""
        return self._one(_FUTURE, (underlying, exchange, expiry.toordinal()))

    def freeze_quantity(self, instrument: Instrument) -> int:
        """The largest order the exchange takes in one piece, in units; 1 where it is not known."""
        return self._freezes.get((underlying_of(instrument), instrument.exchange), UNKNOWN)

    # --- derivatives of an underlying ---------------------------------------------------------------------------------

    def expiries(self, underlying: str, exchange: str, kind: Kind, since: date = date.min) -> list[date]:
        """The expiry dates of an underlying's futures or options from `since` on, ascending."""
        rows = self._db.execute(_EXPIRIES, (underlying, exchange, *_KINDS[kind], since.toordinal()))
        return [date.fromordinal(number) for (number,) in rows]

    def strikes(self, underlying: str, exchange: str, expiry: date, right: InstrumentType | None = None) -> list[float]:
        """The strikes of one expiry (rupees, ascending), of one right or of both."""
        rights = (right,) if right else (InstrumentType.CE, InstrumentType.PE)
        day = expiry.toordinal()
        found = {
            float(text)
            for each in rights
            for (text,) in self._db.execute(_STRIKES, (underlying, exchange, each.value, day))
        }
        return sorted(found)

    def chain(
        self, underlying: str, exchange: str, expiry: date, around: float, count: int | None = None
    ) -> list[Rung]:
        """Calls and puts of one expiry by ascending strike: the money (`around` is the underlying's price) and `count`
        strikes on each side of it, or all. Empty where there are no options."""
        strikes = self.strikes(underlying, exchange, expiry)
        if not strikes:
            return []
        ladder = Ladder(strikes, around)

        def side(strike: float, right: InstrumentType) -> Instrument | None:
            return self.option(underlying, exchange, expiry, strike, right)

        return [
            Rung(strike, side(strike, InstrumentType.CE), side(strike, InstrumentType.PE))
            for strike in ladder.around(count)
        ]

    # --- many, in a thread --------------------------------------------------------------------------------------------

    def search(self, query: str, exchange: str | None = None, limit: int = 50) -> list[Instrument]:
        """Instruments that have every word of the query in symbol or name, or as strike; the likeliest first."""
        with contextlib.closing(_connect(self._path)) as db:
            rows = search(db, query, exchange, limit)
        return [from_row(row) for row in rows]

    def warm(self, symbols: Iterable[Name]) -> None:
        """Look these up, so that many at once cost the event loop nothing."""
        with contextlib.closing(_connect(self._path)) as db:
            self._by_symbol.warm(db, symbols)

    def rows(self, exchange: str | None = None) -> Iterator[list[Row]]:
        """Every row of symtoken, or of one exchange, in chunks; columns as `schema.NAMES`."""
        where, values = (" WHERE exchange = ?", (exchange,)) if exchange else ("", ())
        with contextlib.closing(_connect(self._path)) as db:
            cursor = db.execute(f"SELECT {COLUMNS} FROM symtoken{where} ORDER BY id", values)  # noqa: S608 - our words
            while chunk := cursor.fetchmany(CHUNK):
                yield chunk

    def refused(self) -> dict[str, Refusals]:
        """The rows of the broker's files that were not taken, by reason, the most frequent first."""
        counts = self._db.execute("SELECT reason, count FROM refused ORDER BY count DESC, reason").fetchall()
        rows = "SELECT row FROM refused_row WHERE reason = ?"
        return {
            reason: Refusals(count, [row for (row,) in self._db.execute(rows, (reason,))]) for reason, count in counts
        }

    def _one(self, query: str, values: tuple[str | int, ...]) -> Instrument | None:
        row = self._db.execute(query, values).fetchone()
        return from_row(row) if row is not None else None


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)


class _Index:
    """Look-ups by one kind of name; the first query that knows it answers. Answers are kept, the oldest go first."""

    def __init__(self, db: sqlite3.Connection, *queries: str) -> None:
        self._db = db
        self._queries = queries
        self._known: dict[Name, Instrument | None] = {}

    def find(self, name: Name) -> Instrument | None:
        try:
            return self._known[name]
        except KeyError:
            if len(self._known) >= KNOWN:
                del self._known[next(iter(self._known))]
            found = self._known[name] = self._read(self._db, name)
            return found

    def warm(self, db: sqlite3.Connection, names: Iterable[Name]) -> None:
        """Safe in any thread."""
        self._known.update({name: self._read(db, name) for name in islice(names, KNOWN)})

    def _read(self, db: sqlite3.Connection, name: Name) -> Instrument | None:
        found = next((row for query in self._queries if (row := db.execute(query, name).fetchone())), None)
        return from_row(found) if found is not None else None
