"""The contract files, one for each segment and one of the indices (portal: Contract files).

The portal does not list their columns: these are found by their names in the header, in whatever order."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache, partial

import msgspec

from sangam.brokers.contract import Ctx, Instruments, Operation, Request, RowRefused, Session
from sangam.brokers.indices import index_symbol
from sangam.brokers.master_files import RowError, derivative, lot_size, named, plain_name, positive
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument

from .tables import CASH, EXCHANGES, INDEX_EXCHANGES, INDICES, SEGMENTS, TITLE

COLUMNS = (
    "Exchange",
    "Instrument ID",
    "Instrument Type",
    "Trading Symbol",
    "Underlying Instrument Symbol",
    "Underlying Instrument Name",
    "Option Type",
    "Strike Price",
    "Expiry",
    "Lot Size",
    "Tick Size",
)

_INDEX_COLUMNS = ("Exchange", "Instrument ID", "Underlying Instrument Name", "Trading Symbol")

_KINDS = {"XX": InstrumentType.FUT, "CE": InstrumentType.CE, "PE": InstrumentType.PE}


def parse(files: Sequence[bytes]) -> Iterator[Instrument | RowRefused]:
    """Every row as an instrument or a refusal; the file of the indices comes last. A file that is another one raises
    DecodeError."""
    for number, content in enumerate(files):
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DecodeError(f"{TITLE}'s instruments file is no text: {error}") from error
        if number == len(SEGMENTS):
            yield from named(text, _INDEX_COLUMNS, _index, TITLE)
            continue
        found = list(named(text, COLUMNS, _instrument, TITLE))
        bearers = Counter(row.symbol for row in found if isinstance(row, Instrument))
        for row in found:
            shared = isinstance(row, Instrument) and bearers[row.symbol] > 1
            yield _told_apart(row) if shared else row  # type: ignore[arg-type]


def _told_apart(row: Instrument) -> Instrument:
    """SBIN is SBIN-EQ; SBIN-BE keeps its series where both are listed."""
    if row.instrument_type is not InstrumentType.EQ or row.brsymbol.endswith("-EQ"):
        return row
    return msgspec.structs.replace(row, symbol=row.brsymbol)


def _instrument(row: list[str]) -> Instrument:
    segment, token, kind, symbol, base, name, right, strike, expiry, lot, tick = (cell.strip() for cell in row)
    if (exchange := EXCHANGES.get(segment)) is None:
        raise RowError(f"exchange {segment or '(none)'} is not offered")
    if kind == "INDEX":
        raise RowError("an index among the shares: they have a file of their own")
    make = partial(
        Instrument,
        exchange=exchange,
        brsymbol=_told(symbol, "trading symbol"),
        brexchange=segment,
        token=_token(token),
        name=name or base,
        tick_size=positive(tick, "tick size"),
        lot_size=lot_size(lot),
    )
    if segment in CASH:
        return make(symbol=plain_name(symbol), instrument_type=InstrumentType.EQ)
    if (which := _KINDS.get(right)) is None:
        raise RowError(f"option type {right or '(none)'} is not known")
    day, value = _expiry(expiry), 0.0 if which is InstrumentType.FUT else positive(strike, "strike")
    plain = "".join(_told(base, "underlying").split()).upper()
    return make(symbol=derivative(plain, day, which, value), instrument_type=which, expiry=day, strike=value)


def _index(row: list[str]) -> Instrument:
    segment, token, name, symbol = (cell.strip() for cell in row)
    exchange: Exchange | None = INDEX_EXCHANGES.get(segment)
    if exchange is None:
        raise RowError(f"indices of {segment or '(none)'} are not offered")
    name = _told(name or symbol, "name")
    return Instrument(
        symbol=index_symbol(exchange, name),
        exchange=exchange,
        brsymbol=symbol or name,
        brexchange=segment,
        token=_token(token),
        name=name,
        instrument_type=InstrumentType.INDEX,
    )


def _told(text: str, what: str) -> str:
    if not text:
        raise RowError(f"no {what}")
    return text


def _token(text: str) -> str:
    if not (text.isascii() and text.isdecimal()):
        raise RowError("unreadable instrument id")
    return text


@lru_cache(maxsize=4096)
def _expiry(text: str) -> date:
    """``30-Apr-2026``, in some files with a time behind it."""
    try:
        return datetime.strptime(text[:11], "%d-%b-%Y").date()
    except ValueError:
        raise RowError("unreadable expiry" if text else "no expiry") from None


def _file(name: str) -> Request:
    path = f"/contractfiles/{name}.csv"
    return Request(method="GET", host="api", path=path, auth="none", reply="file", lane="files")


def _download(session: Session, ctx: Ctx) -> Operation[list[bytes]]:
    files: list[bytes] = yield [_file(name) for name in (*SEGMENTS.values(), INDICES)]
    return files


INSTRUMENTS = Instruments(download=_download, parse=parse)
