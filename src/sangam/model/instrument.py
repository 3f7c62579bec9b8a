"""Instruments and the unified symbol grammar (specs: symbols.md, 2)."""

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, Protocol

import msgspec

from .enums import Exchange, InstrumentType, Mode

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DERIVATIVE = re.compile(r"(.+?)(\d{2})(" + "|".join(_MONTHS) + r")(\d{2})(?:FUT|(\d+(?:\.\d+)?)(CE|PE))", re.ASCII)
_DEPTH_SUFFIX = re.compile(r"(.+):(5|20|30|50|200)")


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable or index as one broker knows it.

    `token`, `brsymbol` and `brexchange` are the broker's own names; `strike` and `tick_size` are in rupees,
    `lot_size` in units, `expiry` a date or None. `decimals` is how many digits prices of this segment have."""

    symbol: str
    exchange: Exchange
    brsymbol: str
    brexchange: str
    token: str
    name: str = ""
    instrument_type: InstrumentType = InstrumentType.EQ
    expiry: date | None = None
    strike: float = 0.0
    lot_size: int = 1
    tick_size: float = 0.05

    @property
    def decimals(self) -> int:
        """Digits behind the point of this instrument's prices: at least 2, more where the tick asks for it."""
        exponent = Decimal(str(self.tick_size)).normalize().as_tuple().exponent
        return max(2, -exponent) if isinstance(exponent, int) else 2


class Named(Protocol):
    """A broker's row that names an instrument in the broker's way: by `token` where that is told, else by `brsymbol`;
    either is unique within `brexchange`. Where the broker does not tell that, both together name it."""

    @property
    def brsymbol(self) -> str: ...
    @property
    def brexchange(self) -> str: ...
    @property
    def token(self) -> str: ...


class Level(NamedTuple):
    """How much a stream should tell of an instrument: the mode, and in DEPTH the number of book levels."""

    mode: Mode
    depth: int = 5


class ParsedSymbol(NamedTuple):
    base: str
    expiry: date
    strike: float
    kind: InstrumentType


@lru_cache(maxsize=4096)
def expiry_text(day: date, separator: str = "") -> str:
    """``28MAR24``, or ``28-MAR-24`` with a hyphen: locale never matters."""
    return f"{day.day:02d}{separator}{_MONTHS[day.month - 1]}{separator}{day.year % 100:02d}"


@lru_cache(maxsize=16384)
def strike_text(strike: float) -> str:
    """Without trailing zeros: 20800.0 is ``20800``, 292.5 stays ``292.5``."""
    return f"{strike:.4f}".rstrip("0").rstrip(".")


def future_symbol(base: str, expiry: date) -> str:
    return f"{base}{expiry_text(expiry)}FUT"


def option_symbol(base: str, expiry: date, strike: float, right: InstrumentType) -> str:
    return f"{base}{expiry_text(expiry)}{strike_text(strike)}{right.value}"


def parse_symbol(symbol: str) -> ParsedSymbol | None:
    """Take a derivative's symbol apart; None for equities, indices and impossible dates.

    The base may hold digits, ``&`` and ``-`` (NIFTYNXT50, M&M, 726GS2033), so it is matched lazily up to a date."""
    match = _DERIVATIVE.fullmatch(symbol)
    if match is None:
        return None
    base, day, month, year, strike, right = match.groups()
    try:
        expiry = date(2000 + int(year), _MONTHS.index(month) + 1, int(day))
    except ValueError:
        return None
    if right is None:
        return ParsedSymbol(base, expiry, 0.0, InstrumentType.FUT)
    return ParsedSymbol(base, expiry, float(strike), InstrumentType(right))


def split_depth_suffix(symbol: str) -> tuple[str, int | None]:
    """``TCS:20`` asks for a 20-level book of TCS; a plain symbol asks for nothing special."""
    match = _DEPTH_SUFFIX.fullmatch(symbol)
    return (match[1], int(match[2])) if match else (symbol, None)
