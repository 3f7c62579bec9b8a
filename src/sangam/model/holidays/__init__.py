"""The exchanges' holidays: a file for each year beside this module, and one of the house's own that overrides days.

A day names what is `closed` and what trades in other `sessions` (start and end, IST); ``equity``, ``currency`` and
``commodity`` stand for the exchanges that share a list of holidays."""

from collections.abc import Iterable, Mapping
from datetime import date
from importlib import resources
from pathlib import Path

import msgspec

from sangam.model.calendar import Holiday, Session
from sangam.model.enums import Exchange
from sangam.model.errors import ConfigError

GROUPS: Mapping[str, tuple[Exchange, ...]] = {
    "equity": (Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO, Exchange.NSE_INDEX, Exchange.BSE_INDEX),
    "currency": (Exchange.CDS, Exchange.BCD),
    "commodity": (Exchange.MCX, Exchange.NCO, Exchange.MCX_INDEX),
}


class _Day(msgspec.Struct, forbid_unknown_fields=True):
    date: date
    description: str
    closed: tuple[str, ...] = ()
    sessions: dict[str, Session] = {}


class _File(msgspec.Struct, forbid_unknown_fields=True):
    days: tuple[_Day, ...]
    sources: tuple[str, ...] = ()


_decode = msgspec.json.Decoder(_File).decode


def load(own: Path) -> list[Holiday]:
    """The shipped days and, where that file exists, one's own behind them: the last of a date counts."""
    return [*shipped(), *(parse(own.read_bytes(), str(own)) if own.exists() else ())]


def shipped() -> list[Holiday]:
    """All years that came with this version."""
    files = (entry for entry in resources.files(__package__).iterdir() if entry.name.endswith(".json"))
    return [holiday for file in files for holiday in parse(file.read_bytes(), file.name)]


def parse(content: bytes, name: str) -> list[Holiday]:
    """The days of one file. ConfigError tells what is wrong with it."""
    try:
        return [
            Holiday(
                date=day.date,
                description=day.description,
                closed=frozenset(_exchanges(day.closed)),
                sessions={exchange: hours for key, hours in day.sessions.items() for exchange in _exchanges([key])},
            )
            for day in _decode(content).days
        ]
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"The holidays in {name} cannot be read: {error}.") from error


def _exchanges(names: Iterable[str]) -> Iterable[Exchange]:
    for name in names:
        yield from GROUPS.get(name) or (Exchange(name),)
