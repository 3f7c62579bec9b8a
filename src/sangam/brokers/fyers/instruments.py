"""The symbol masters: one CSV without a header per segment, and the data socket's names of indices (documentation:
Symbol Master; no session needed)."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import msgspec

from sangam.brokers.contract import Ctx, Instruments, Operation, Request, RowRefused, Session
from sangam.brokers.indices import index_symbol
from sangam.brokers.master_files import RowError, derivative, lot_size, plain_name, positive, rows, taken
from sangam.model.clock import ist_from_ms
from sangam.model.enums import InstrumentType
from sangam.model.errors import BrokerError, DecodeError
from sangam.model.instrument import Instrument

from .tables import EXCHANGES, HSM_INDEX_NAMES, INDEX_EXCHANGES, INDEX_TYPE, MASTERS, SEGMENTS, TITLE

COLUMNS = (
    "fyToken", "description", "instrument type", "lot", "tick", "ISIN", "session", "updated", "expiry", "ticker",
    "exchange", "segment", "scrip code", "underlying", "underlying scrip code", "strike", "option type",
    "underlying fyToken", "reserved", "reserved", "reserved",
)  # fmt: skip

KINDS = {"CE": InstrumentType.CE, "PE": InstrumentType.PE, "XX": InstrumentType.FUT, "": InstrumentType.FUT}

INDEX_NAMES_FILE = "/sym_details/index_hsm_mapping.json"

_decode_names = msgspec.json.Decoder(dict[str, str]).decode


def parse(files: Sequence[bytes]) -> Iterator[Instrument | RowRefused]:
    """Every row of the CSV files as an instrument or a refusal. The file that is an object of JSON has the data
    socket's names of indices. Another file raises DecodeError."""
    names = dict(HSM_INDEX_NAMES)
    for content in files:
        if _is_names(content):
            names |= _names(content)
    for content in files:
        if not _is_names(content):
            found = rows(content.decode("utf-8-sig", "replace"), COLUMNS, TITLE, header=False)
            yield from taken(found, COLUMNS, partial(_instrument, names=names))


def _is_names(content: bytes) -> bool:
    return content.lstrip()[:1] == b"{"


def _names(content: bytes) -> Mapping[str, str]:
    try:
        return _decode_names(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DecodeError(f"{TITLE}'s file of index names is damaged: {error}") from error


def _instrument(row: list[str], names: Mapping[str, str]) -> Instrument:
    token, _, kind, lot, tick, _, _, _, expiry, ticker, exchange, segment, _, underlying, _, strike, right, *_ = row
    if not token.isdecimal():
        raise RowError("unreadable token")
    market, _, name = ticker.partition(":")
    if not name:
        raise RowError("no ticker")
    place = exchange + segment
    if (unified := (INDEX_EXCHANGES if kind == INDEX_TYPE else EXCHANGES).get(place)) is None:
        raise RowError(f"segment {segment} of exchange {exchange} is not known")
    make = partial(Instrument, exchange=unified, brsymbol=ticker, brexchange=SEGMENTS[place], token=token)
    if unified.is_index:
        known = names.get(ticker) or name.removesuffix("-INDEX")  # the SDK, too, falls back on the ticker
        return make(symbol=index_symbol(unified, known), name=known, instrument_type=InstrumentType.INDEX)
    make = partial(make, tick_size=positive(tick, "tick size"), lot_size=lot_size(lot), name=underlying)
    if segment == "10":
        # On BSE no group is part of the name.
        return make(symbol=name.rpartition("-")[0] or name if market == "BSE" else plain_name(name))
    try:
        day = ist_from_ms(int(expiry) * 1000).date()
    except (ValueError, OverflowError, OSError):
        raise RowError("unreadable expiry" if expiry else "no expiry") from None
    if (what := KINDS.get(right)) is None:
        raise RowError(f"option type {right} is not known")
    price = 0.0 if what is InstrumentType.FUT else positive(strike, "strike")
    base = "".join(underlying.split()).upper()
    if not base:
        raise RowError("no underlying name")
    return make(symbol=derivative(base, day, what, price), instrument_type=what, expiry=day, strike=price)


def _download(session: Session, ctx: Ctx) -> Operation[list[bytes]]:
    """Without the names of indices the list would still be good, but for those that have no derivatives."""
    ask = partial(Request, method="GET", host="public", auth="none", reply="file", lane="files")
    files: list[bytes] = yield [ask(path=f"/sym_details/{name}.csv") for name in MASTERS]
    try:
        names = yield ask(path=INDEX_NAMES_FILE)
    except BrokerError:
        return files
    return [*files, names]


INSTRUMENTS = Instruments(download=_download, parse=parse)
