"""The tables of a master file, and an instrument as a row of the first (specs: symbols.md, 4).

`symtoken` has the known columns. The others are made of it: `listing` is what search reads and options are grouped by
(one row for a share, index or future; one for all options of an underlying, expiry and right), `strike` leads from such
a group to its options, `ref` from a part of a compound token to the one instrument it names. `refused` counts the rows
that were not taken, `refused_row` keeps some of each reason."""

from datetime import date

from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument, expiry_text

FORMAT = 2
"""`PRAGMA user_version` of the files; a file of another format is as good as absent and gets rebuilt."""

CREATE = """
CREATE TABLE symtoken (
    id INTEGER PRIMARY KEY,
    symbol TEXT NOT NULL,
    brsymbol TEXT NOT NULL,
    name TEXT NOT NULL,
    exchange TEXT NOT NULL,
    brexchange TEXT NOT NULL,
    token TEXT NOT NULL,
    expiry TEXT NOT NULL,
    strike REAL NOT NULL,
    lotsize INTEGER NOT NULL,
    instrumenttype TEXT NOT NULL,
    tick_size REAL NOT NULL
);
CREATE TABLE listing (
    id INTEGER PRIMARY KEY,
    words TEXT NOT NULL,
    underlying TEXT NOT NULL,
    exchange TEXT NOT NULL,
    kind TEXT NOT NULL,
    expiry INTEGER NOT NULL,
    instrument INTEGER
);
CREATE TABLE strike (
    listing INTEGER NOT NULL,
    strike TEXT NOT NULL,
    instrument INTEGER NOT NULL,
    PRIMARY KEY (listing, strike, instrument)
) WITHOUT ROWID;
CREATE TABLE ref (
    ref TEXT NOT NULL,
    exchange TEXT NOT NULL,
    instrument INTEGER NOT NULL,
    PRIMARY KEY (exchange, ref)
) WITHOUT ROWID;
CREATE TABLE refused (reason TEXT PRIMARY KEY, count INTEGER NOT NULL);
CREATE TABLE refused_row (reason TEXT NOT NULL, row TEXT NOT NULL);
"""

INDEXES = (
    "CREATE UNIQUE INDEX by_symbol ON symtoken (symbol, exchange)",
    "CREATE UNIQUE INDEX by_brsymbol ON symtoken (brsymbol, brexchange)",
    "CREATE UNIQUE INDEX by_token ON symtoken (token, exchange)",
    "CREATE INDEX by_underlying ON listing (underlying, exchange, kind, expiry)",
)

COLUMNS = "symbol, brsymbol, name, exchange, brexchange, token, expiry, strike, lotsize, instrumenttype, tick_size"
NAMES = tuple(COLUMNS.split(", "))

INSERT = f"INSERT INTO symtoken (id, {COLUMNS}) VALUES (?{', ?' * len(NAMES)})"  # noqa: S608 - our own constants
SELECT = f"SELECT {COLUMNS} FROM symtoken"  # noqa: S608

Row = tuple[str, str, str, str, str, str, str, float, int, str, float]
"""The values of `NAMES`: expiry as ``28-MAR-24`` or empty, strike and tick size in rupees, lot size in units."""

_MONTHS = {expiry_text(date(2000, month, 1))[2:5]: month for month in range(1, 13)}


def to_row(instrument: Instrument) -> Row:
    return (
        instrument.symbol,
        instrument.brsymbol,
        instrument.name,
        instrument.exchange.value,
        instrument.brexchange,
        instrument.token,
        expiry_text(instrument.expiry, "-") if instrument.expiry else "",
        instrument.strike,
        instrument.lot_size,
        instrument.instrument_type.value,
        instrument.tick_size,
    )


def from_row(row: Row) -> Instrument:
    symbol, brsymbol, name, exchange, brexchange, token, expiry, strike, lot_size, kind, tick_size = row
    return Instrument(
        symbol=symbol,
        exchange=Exchange(exchange),
        brsymbol=brsymbol,
        brexchange=brexchange,
        token=token,
        name=name,
        instrument_type=InstrumentType(kind),
        expiry=_date(expiry),
        strike=strike,
        lot_size=lot_size,
        tick_size=tick_size,
    )


def _date(text: str) -> date | None:
    """``28-MAR-24`` as a date."""
    return date(2000 + int(text[7:]), _MONTHS[text[3:6]], int(text[:2])) if text else None
