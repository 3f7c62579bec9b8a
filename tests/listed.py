"""A handful of instruments with their prices, as a real master: shares, indices, NIFTY and crude oil derivatives.

Options are priced by Black-76 on `FORWARD` with `SIGMA`, without interest, as of `NOW`."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

from sangam.instruments.build import build
from sangam.instruments.master import Master
from sangam.model import black76
from sangam.model.clock import IST
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument, future_symbol, option_symbol

NOW = datetime(2026, 8, 3, 10, 0, tzinfo=IST)
NEAR, FAR = date(2026, 8, 25), date(2026, 9, 29)
SPOT, FORWARD, SIGMA = 24_012.5, 24_030.0, 0.15
CRUDE = 6_105.0

SBIN = Instrument(symbol="SBIN", exchange=Exchange.NSE, brsymbol="SBIN-EQ", brexchange="NSE", token="7", name="SBI")


def instruments() -> Iterator[Instrument]:
    def derivative(base: str, exchange: Exchange, expiry: date, strike: float, kind: InstrumentType) -> Instrument:
        symbol = option_symbol(base, expiry, strike, kind) if strike else future_symbol(base, expiry)
        return Instrument(
            symbol=symbol, exchange=exchange, brsymbol=symbol, brexchange=exchange, token=f"{exchange}{symbol}",
            name=base, instrument_type=kind, expiry=expiry, strike=strike, lot_size=65, tick_size=0.05,
        )  # fmt: skip

    yield SBIN
    for symbol, exchange in (("NIFTY", Exchange.NSE_INDEX), ("SENSEX", Exchange.BSE_INDEX)):
        yield Instrument(
            symbol=symbol, exchange=exchange, brsymbol=symbol, brexchange=exchange, token=symbol,
            instrument_type=InstrumentType.INDEX,
        )  # fmt: skip
    for base, exchange, middle, step in (("NIFTY", Exchange.NFO, 24_000, 50), ("CRUDEOIL", Exchange.MCX, 6_100, 100)):
        for expiry in (NEAR, FAR):
            yield derivative(base, exchange, expiry, 0, InstrumentType.FUT)
            for number in range(-5, 6):
                for right in (InstrumentType.CE, InstrumentType.PE):
                    yield derivative(base, exchange, expiry, middle + number * step, right)


def price(instrument: Instrument) -> float:
    forward = CRUDE if instrument.symbol.startswith("CRUDE") else FORWARD
    if instrument.instrument_type in (InstrumentType.CE, InstrumentType.PE) and instrument.expiry is not None:
        years = (instrument.expiry - NOW.date()).days / black76.DAYS
        right = instrument.instrument_type
        return round(black76.price(right, forward, instrument.strike, years, 0.0, SIGMA) * 20) / 20
    return SPOT if instrument.symbol == "NIFTY" else forward if instrument.expiry else 1.5


def master(folder: Path, freezes: Mapping[tuple[str, str], int] | None = None) -> Master:
    build(lambda files: instruments(), [], folder / "listed.db")
    return Master(folder / "listed.db", "listed-1", freezes=freezes or {("NIFTY", "NFO"): 1800})
