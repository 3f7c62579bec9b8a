"""One pass over the day's instruments: what is wrong with them, and those that other checks ask for."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from sangam.brokers.contract import Stream
from sangam.instruments.master import Master
from sangam.instruments.schema import from_row
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument, parse_symbol

SHARES = 2000
"""So many shares are kept, for checks that need many."""
_BREATH = 0.0005
"""Seconds between two chunks, so that the event loop of a running server gets its turns."""
_RIGHTS = (InstrumentType.CE, InstrumentType.PE)


class Survey(NamedTuple):
    """`faults` are by exchange. `twice` are by stream: instruments whose key another one has already. Of each kind of
    trouble some examples are kept. `nearest` is the future of each exchange that expires first."""

    listed: Counter[Exchange]
    faults: dict[Exchange, list[str]]
    expired: list[str]
    misnamed: list[str]
    twice: dict[str, list[str]]
    shares: list[Instrument]
    nearest: dict[Exchange, Instrument]


def survey(master: Master, streams: Sequence[Stream], today: date) -> Survey:
    """Belongs to a thread."""
    found = Survey(Counter(), {}, [], [], {}, [], {})
    keys: dict[str, set[object]] = {stream.name: set() for stream in streams}
    for chunk in master.rows():
        for row in chunk:
            _look(from_row(row), found, today)
            _look_at_keys(from_row(row), found, streams, keys)
        time.sleep(_BREATH)
    return found


def _look(instrument: Instrument, found: Survey, today: date) -> None:
    code, name = instrument.exchange, f"{instrument.exchange}:{instrument.symbol}"
    found.listed[code] += 1
    if fault := _fault(instrument):
        found.faults.setdefault(code, []).append(f"{name} has {fault}")
    if instrument.expiry is not None:
        if instrument.expiry < today:
            found.expired.append(name)
        elif instrument.instrument_type is InstrumentType.FUT:
            nearest = found.nearest.get(code)
            if nearest is None or nearest.expiry is None or instrument.expiry < nearest.expiry:
                found.nearest[code] = instrument
        parsed = parse_symbol(instrument.symbol)
        told = (instrument.expiry, instrument.strike, instrument.instrument_type)
        if parsed is None or (parsed.expiry, parsed.strike, parsed.kind) != told:
            found.misnamed.append(name)
    elif code is Exchange.NSE and instrument.instrument_type is InstrumentType.EQ and len(found.shares) < SHARES:
        found.shares.append(instrument)


def _fault(instrument: Instrument) -> str:
    kind = instrument.instrument_type
    wrong = {
        "no name at the broker": not instrument.brsymbol and not instrument.token,
        "no tick": instrument.tick_size <= 0 and not instrument.exchange.is_index,
        "no lot": instrument.lot_size <= 0 and not instrument.exchange.is_index,
        "no expiry": kind in (InstrumentType.FUT, *_RIGHTS) and instrument.expiry is None,
        "no strike": kind in _RIGHTS and instrument.strike <= 0,
    }
    return next((what for what, so in wrong.items() if so), "")


def _look_at_keys(
    instrument: Instrument, found: Survey, streams: Sequence[Stream], keys: dict[str, set[object]]
) -> None:
    for stream in streams:
        if instrument.exchange in stream.carries.exchanges and (key := stream.key(instrument)) is not None:
            if key in keys[stream.name]:
                found.twice.setdefault(stream.name, []).append(f"{instrument.exchange}:{instrument.symbol}")
            keys[stream.name].add(key)
