"""The instruments dump: one CSV for all exchanges, made once a day (Kite docs: Market quotes and instruments)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache, partial

from sangam.brokers.contract import Ctx, Instruments, Operation, Request, RowRefused, Session
from sangam.brokers.indices import index_symbol
from sangam.brokers.master_files import RowError, derivative, lot_size, plain_name, positive, rows, taken
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument, expiry_text, strike_text

from .tables import EXCHANGES, INDEX_EXCHANGES, JOINT, TITLE

COLUMNS = (
    "instrument_token", "exchange_token", "tradingsymbol", "name", "last_price", "expiry", "strike", "tick_size",
    "lot_size", "instrument_type", "segment", "exchange",
)  # fmt: skip
_WEEKLY_MONTHS = "123456789OND"

_expiry = lru_cache(maxsize=4096)(date.fromisoformat)


def parse(files: Sequence[bytes]) -> Iterator[Instrument | RowRefused]:
    """Every row of the dump as an instrument or a refusal. A file that is not this dump raises DecodeError."""
    for content in files:
        text = content.decode("utf-8-sig", "replace")
        yield from taken(_rows(text), COLUMNS, partial(_instrument, shares=_names_without_series(text)))


_rows = partial(rows, columns=COLUMNS, title=TITLE)


def _names_without_series(text: str) -> Counter[tuple[str, str]]:
    """How many shares of an exchange would bear a name once the series is dropped (CDSL, CDSL-BE: 2)."""
    rows = (row for row in _rows(text) if len(row) == len(COLUMNS) and row[-2] in ("NSE", "BSE"))
    return Counter((row[-1], plain_name(row[2])) for row in rows)


def _instrument(row: list[str], shares: Counter[tuple[str, str]]) -> Instrument:
    token, exchange_token, brsymbol, name, _, expiry, strike, tick, lot, kind, segment, brexchange = row
    if not (token.isdecimal() and exchange_token.isdecimal()):
        raise RowError("unreadable token")
    if not brsymbol:
        raise RowError("no trading symbol")
    exchange = _exchange(segment, brexchange)
    make = partial(
        Instrument,
        exchange=exchange,
        brsymbol=brsymbol,
        brexchange=brexchange,
        token=f"{token}{JOINT}{exchange_token}",
        name=name.strip(),
    )
    if exchange.is_index:
        return make(symbol=index_symbol(exchange, brsymbol), instrument_type=InstrumentType.INDEX)
    make = partial(make, tick_size=positive(tick, "tick size"), lot_size=lot_size(lot))
    if kind == "EQ":
        # A name that several series would bear stays with the row that has no suffix; the others keep theirs.
        plain = plain_name(brsymbol)
        return make(symbol=plain if shares[brexchange, plain] == 1 else brsymbol)
    if kind not in ("FUT", "CE", "PE"):
        raise RowError(f"instrument type {kind or '(none)'} is not known")
    try:
        day = _expiry(expiry)
    except ValueError:
        raise RowError("unreadable expiry" if expiry else "no expiry") from None
    right = InstrumentType(kind)
    price = 0.0 if right is InstrumentType.FUT else positive(strike, "strike")
    base = "".join(name.split()).upper() or _base(brsymbol, day, price, kind)
    return make(symbol=derivative(base, day, right, price), instrument_type=right, expiry=day, strike=price)


def _exchange(segment: str, brexchange: str) -> Exchange:
    market, _, _ = segment.partition("-")
    if market in ("INDICES", "GLOBAL"):
        exchange = INDEX_EXCHANGES.get(brexchange)
    else:
        exchange = EXCHANGES.get(market) if market == brexchange else None
    if exchange is None:
        raise RowError(f"segment {segment} of exchange {brexchange} is not known")
    return exchange


def _base(brsymbol: str, day: date, strike: float, kind: str) -> str:
    """The underlying of a row whose name is empty (older dumps): the symbol without its date, strike and right.
    Monthly symbols write 26AUG, weekly ones 26818 (months 1 to 9, O, N, D)."""
    end = kind if kind == "FUT" else strike_text(strike) + kind
    year = f"{day.year % 100:02d}"
    for middle in (year + expiry_text(day)[2:5], f"{year}{_WEEKLY_MONTHS[day.month - 1]}{day.day:02d}"):
        if brsymbol.endswith(middle + end) and len(brsymbol) > len(middle + end):
            return brsymbol[: -len(middle + end)]
    raise RowError("no underlying name")


def _download(session: Session, ctx: Ctx) -> Operation[list[bytes]]:
    content = yield Request(method="GET", host="api", path="/instruments", reply="file")
    return [content]


INSTRUMENTS = Instruments(download=_download, parse=parse)
