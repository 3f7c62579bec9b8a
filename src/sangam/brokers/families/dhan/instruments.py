"""The detailed scrip master: one CSV for all exchanges, made every day (documents: Instrument List).

The compact one does not name the underlying of derivatives, and one trading symbol of it may mean several weeks."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache, partial

from sangam.brokers.contract import Ctx, Instruments, Operation, Request, RowRefused, Session
from sangam.brokers.indices import index_symbol
from sangam.brokers.master_files import RowError, derivative, lot_size, named, positive
from sangam.model.enums import InstrumentType
from sangam.model.instrument import Instrument

from .tables import FUTURES, GLOBAL_INDICES, INDEX_NAMES, MAIN_SERIES, OPTIONS, RIGHTS, SEGMENTS

TITLE = "Dhan"
COLUMNS = (
    "EXCH_ID", "SEGMENT", "SECURITY_ID", "INSTRUMENT", "UNDERLYING_SYMBOL", "SYMBOL_NAME", "DISPLAY_NAME", "SERIES",
    "LOT_SIZE", "SM_EXPIRY_DATE", "STRIKE_PRICE", "OPTION_TYPE", "TICK_SIZE",
)  # fmt: skip
"""Those that are read: the number of all has been 31 and 39."""

_expiry = lru_cache(maxsize=4096)(date.fromisoformat)


def parse(files: Sequence[bytes]) -> Iterator[Instrument | RowRefused]:
    """Every row as an instrument or a refusal. A file that is not this one raises DecodeError."""
    for content in files:
        text = content.decode("utf-8-sig", "replace")
        yield from named(text, COLUMNS, partial(_instrument, shares=_shares(text)), TITLE)


def _shares(text: str) -> Counter[tuple[str, str]]:
    """How many shares of an exchange bear a name (MOTHERSON and its debentures: 2)."""
    found = csv.DictReader(io.StringIO(text, newline=""))
    try:
        return Counter((row["EXCH_ID"], row["UNDERLYING_SYMBOL"]) for row in found if row.get("SEGMENT") == "E")
    except (csv.Error, KeyError):
        return Counter()  # `named` says what is wrong with the file


def _instrument(row: list[str], shares: Counter[tuple[str, str]]) -> Instrument:
    market, letter, token, kind, name, listed_as, display, series, lot, expiry, strike, right, tick = row
    if not token.isdecimal():
        raise RowError("unreadable security id")
    if letter == "I" and name in GLOBAL_INDICES:
        market = "GIFT"
    segment = SEGMENTS.get((market, letter))
    if segment is None:
        raise RowError(f"segment {letter} of exchange {market} is not known")
    if not name:
        raise RowError("no underlying symbol")
    exchange = segment.exchange
    make = partial(Instrument, exchange=exchange, brexchange=segment.name, token=token)
    if exchange.is_index:
        symbol = INDEX_NAMES.get(name.upper()) or index_symbol(exchange, name)
        return make(symbol=symbol, brsymbol=name, name=display, instrument_type=InstrumentType.INDEX)
    if kind not in {"EQUITY", *FUTURES, *OPTIONS}:
        raise RowError(f"instrument {kind or '(none)'} of segment {letter} is not known")
    # Ticks are told in paise.
    make = partial(make, tick_size=round(positive(tick, "tick size") / 100, 6), lot_size=lot_size(lot))
    if kind == "EQUITY":
        symbol = name if shares[market, name] == 1 or series in MAIN_SERIES else f"{name}-{series}"
        return make(symbol=symbol, brsymbol=symbol, name=display or listed_as)
    try:
        day = _expiry(expiry[:10])
    except ValueError:
        raise RowError("unreadable expiry" if expiry else "no expiry") from None
    of = InstrumentType.FUT if kind in FUTURES else RIGHTS.get(right)
    if of is None:
        raise RowError(f"option type {right or '(none)'} is not known")
    price = 0.0 if of is InstrumentType.FUT else positive(strike, "strike")
    base = "".join(name.split()).upper()
    return make(
        symbol=derivative(base, day, of, price),
        brsymbol=" ".join(display.split()) or listed_as,
        name=base,
        instrument_type=of,
        expiry=day,
        strike=price,
    )


def _download(session: Session, ctx: Ctx) -> Operation[list[bytes]]:
    content = yield Request(
        method="GET", host="files", path="/api-data/api-scrip-master-detailed.csv", auth="none", reply="file"
    )
    return [content]


INSTRUMENTS = Instruments(download=_download, parse=parse)
