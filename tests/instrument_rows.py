"""Instruments made by hand, and masters of them, for tests."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from sangam.brokers.contract import RowRefused
from sangam.instruments.build import Parse, build
from sangam.instruments.master import Master
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument, future_symbol, option_symbol, strike_text

NEAR, FAR = date(2026, 11, 24), date(2026, 12, 29)


def share(symbol: str, token: str, exchange: Exchange = Exchange.NSE, brsymbol: str = "", name: str = "") -> Instrument:
    return Instrument(
        symbol=symbol, exchange=exchange, brsymbol=brsymbol or symbol, brexchange=exchange.value, token=token, name=name
    )


def index(symbol: str, token: str, name: str, exchange: Exchange = Exchange.NSE_INDEX) -> Instrument:
    return Instrument(
        symbol=symbol,
        exchange=exchange,
        brsymbol=name,
        brexchange="NSE",
        token=token,
        name=name,
        instrument_type=InstrumentType.INDEX,
    )


def future(base: str, expiry: date, token: str, exchange: Exchange = Exchange.NFO) -> Instrument:
    return Instrument(
        symbol=future_symbol(base, expiry),
        exchange=exchange,
        brsymbol=f"{base}{expiry:%y%b}FUT".upper(),
        brexchange=exchange.value,
        token=token,
        name=base,
        instrument_type=InstrumentType.FUT,
        expiry=expiry,
        lot_size=65,
    )


def option(
    base: str, expiry: date, strike: float, right: str, token: str, exchange: Exchange = Exchange.NFO
) -> Instrument:
    kind = InstrumentType(right)
    return Instrument(
        symbol=option_symbol(base, expiry, strike, kind),
        exchange=exchange,
        brsymbol=f"{base}{expiry:%y%b}{strike_text(strike)}{right}".upper(),
        brexchange=exchange.value,
        token=token,
        name=base,
        instrument_type=kind,
        expiry=expiry,
        strike=strike,
        lot_size=65,
    )


def parse_of(*items: Instrument | RowRefused) -> Parse:
    def parse(files: Sequence[bytes]) -> Iterator[Instrument | RowRefused]:
        yield from items

    return parse


def master_of(
    path: Path, *items: Instrument | RowRefused, freezes: Mapping[tuple[str, str], int] | None = None
) -> Master:
    """A master of these rows; `path` is overwritten."""
    path.unlink(missing_ok=True)
    build(parse_of(*items), [], path)
    return Master(path, path.stem, freezes=freezes)
