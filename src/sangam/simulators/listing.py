"""What the simulated market lists: cash rows from `listing.csv`, derivatives computed for a trading day.

Tokens, names, ticks and lots of shares, indices and their futures are those of the brokers' masters of August 2026;
prices are closes of those days. Quantities of currency and commodity contracts are in lots, as Kite counts them."""

import calendar
import csv
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import cache, lru_cache
from importlib import resources
from itertools import islice, pairwise
from typing import NamedTuple

import msgspec

from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import future_symbol, option_symbol

Id = tuple[str, Exchange]
"""A contract's unified name: (symbol, exchange)."""


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """One listed contract. `price` is where its market starts (rupees; of derivatives: the spot's), `token` the
    exchange's own number, `underlying` what its fair price follows, `monthly` the last expiry of its month."""

    symbol: str
    exchange: Exchange
    token: int
    name: str
    instrument_type: InstrumentType
    price: float
    tick_size: float
    lot_size: int = 1
    expiry: date | None = None
    strike: float = 0.0
    underlying: Id | None = None
    monthly: bool = True

    @property
    def id(self) -> Id:
        return (self.symbol, self.exchange)

    @property
    def decimals(self) -> int:
        return 4 if self.tick_size < 0.01 else 2


def derivative_kind(contract: Contract) -> str:
    """The exchanges' own word for what a derivative is: FUTIDX, OPTSTK, FUTCUR, FUTCOM; an option on a commodity's
    future is an OPTFUT."""
    future = contract.instrument_type is InstrumentType.FUT
    if contract.exchange in (Exchange.MCX, Exchange.NCO):
        return "FUTCOM" if future else "OPTFUT"
    if contract.exchange in (Exchange.CDS, Exchange.BCD):
        of = "CUR"
    else:
        of = "IDX" if contract.underlying is not None and contract.underlying[1].is_index else "STK"
    return ("FUT" if future else "OPT") + of


class Strip(NamedTuple):
    """A strip of options around the spot: strike step, how many expiries, tick."""

    step: float
    expiries: int
    tick: float = 0.05
    strikes: int | None = None


class Family(NamedTuple):
    """Derivatives of one underlying on one exchange: when they expire, and which there are."""

    base: str
    exchange: Exchange
    lot: int
    tick: float
    expiries: Callable[[date], Iterator[date]]
    futures: int
    options: Strip | None = None


@lru_cache(maxsize=4)
def listing(day: date, strikes: int = 10) -> tuple[Contract, ...]:
    """Everything that trades on `day`; index option strips have `strikes` strikes on each side of the money."""
    contracts: list[Contract] = []
    families: list[tuple[Family, Id | None, float]] = []
    for row in _cash_rows():
        contract = _cash(row)
        contracts.append(contract)
        if contract.id in _INDEX_FAMILIES:
            families.append((_INDEX_FAMILIES[contract.id], contract.id, contract.price))
        elif row["future_lot"]:
            lot, tick = int(row["future_lot"]), float(row["future_tick"])
            share = Family(contract.symbol, Exchange.NFO, lot, tick, _LAST_TUESDAYS, futures=2)
            families.append((share, contract.id, contract.price))
    families += [(family, None, price) for family, price in _WITHOUT_SPOT]
    taken = {(contract.exchange, contract.token) for contract in contracts}
    for family, underlying, spot in families:
        contracts.extend(_derivatives(family, underlying, spot, day, strikes, taken))
    return tuple(contracts)


@cache
def _cash_rows() -> list[dict[str, str]]:
    text = resources.files(__package__).joinpath("listing.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _cash(row: dict[str, str]) -> Contract:
    exchange = Exchange(row["exchange"])
    return Contract(
        symbol=row["symbol"],
        exchange=exchange,
        token=int(row["token"]),
        name=row["name"],
        instrument_type=InstrumentType.INDEX if exchange.is_index else InstrumentType.EQ,
        price=float(row["price"]),
        tick_size=float(row["tick_size"]),
    )


def _derivatives(
    family: Family, underlying: Id | None, spot: float, day: date, strikes: int, taken: set[tuple[Exchange, int]]
) -> Iterator[Contract]:
    def contract(symbol: str, kind: InstrumentType, expiry: date, strike: float, tick: float) -> Contract:
        return Contract(
            symbol=symbol,
            exchange=family.exchange,
            token=_token(family.exchange, symbol, taken),
            name=family.base,
            instrument_type=kind,
            price=spot,
            tick_size=tick,
            lot_size=family.lot,
            expiry=expiry,
            strike=strike,
            underlying=underlying,
            monthly=expiry in monthly,
        )

    dates = list(islice(family.expiries(day), 25))
    monthly = [expiry for expiry, following in pairwise(dates) if following.month != expiry.month]
    for expiry in monthly[: family.futures]:
        yield contract(future_symbol(family.base, expiry), InstrumentType.FUT, expiry, 0.0, family.tick)
    if (strip := family.options) is None:
        return
    middle = round(spot / strip.step)
    half = strip.strikes or strikes
    for expiry in dates[: strip.expiries]:
        for n in range(max(1, middle - half), middle + half + 1):
            for right in (InstrumentType.CE, InstrumentType.PE):
                strike = float(n * strip.step)
                yield contract(option_symbol(family.base, expiry, strike, right), right, expiry, strike, strip.tick)


def _token(exchange: Exchange, symbol: str, taken: set[tuple[Exchange, int]]) -> int:
    """A number that a contract keeps on every day and in every run."""
    token = 100_000 + zlib.crc32(symbol.encode()) % 8_000_000
    while (exchange, token) in taken:
        token += 1
    taken.add((exchange, token))
    return token


# --- expiry days: the first on or after a date, then the following ones (holidays do not shift them here) -------------


def _weekly(weekday: int) -> Callable[[date], Iterator[date]]:
    def expiries(day: date) -> Iterator[date]:
        expiry = day + timedelta(days=(weekday - day.weekday()) % 7)
        while True:
            yield expiry
            expiry += timedelta(days=7)

    return expiries


def _monthly(pick: Callable[[int, int], date]) -> Callable[[date], Iterator[date]]:
    def expiries(day: date) -> Iterator[date]:
        year, month = day.year, day.month
        while True:
            if (expiry := pick(year, month)) >= day:
                yield expiry
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)

    return expiries


def _last_weekday(weekday: int) -> Callable[[int, int], date]:
    def pick(year: int, month: int) -> date:
        last = _month_end(year, month)
        return last - timedelta(days=(last.weekday() - weekday) % 7)

    return pick


def _two_days_before_end(year: int, month: int) -> date:
    """Currency: two working days before the month's last working day."""
    day = _working_day(_month_end(year, month))
    for _ in range(2):
        day = _working_day(day - timedelta(days=1))
    return day


def _day_of_month(number: int) -> Callable[[int, int], date]:
    return lambda year, month: _working_day(date(year, month, number))


def _month_end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def _working_day(day: date) -> date:
    while day.weekday() >= 5:
        day -= timedelta(days=1)
    return day


_LAST_TUESDAYS = _monthly(_last_weekday(1))
_TUESDAYS, _THURSDAYS = _weekly(1), _weekly(3)
_CURRENCY = _monthly(_two_days_before_end)

_INDEX_FAMILIES: dict[Id, Family] = {
    ("NIFTY", Exchange.NSE_INDEX): Family("NIFTY", Exchange.NFO, 65, 0.1, _TUESDAYS, 3, Strip(50, 2)),
    ("BANKNIFTY", Exchange.NSE_INDEX): Family("BANKNIFTY", Exchange.NFO, 30, 0.2, _LAST_TUESDAYS, 3, Strip(100, 2)),
    ("SENSEX", Exchange.BSE_INDEX): Family("SENSEX", Exchange.BFO, 20, 0.05, _THURSDAYS, 3, Strip(100, 2)),
}

_WITHOUT_SPOT: Sequence[tuple[Family, float]] = (
    (Family("USDINR", Exchange.CDS, 1, 0.0025, _CURRENCY, 2, Strip(0.25, 1, 0.0025, strikes=4)), 95.6),
    (Family("EURINR", Exchange.CDS, 1, 0.0025, _CURRENCY, 1), 111.2),
    (Family("JPYINR", Exchange.CDS, 1, 0.0025, _CURRENCY, 1), 64.4),
    (Family("USDINR", Exchange.BCD, 1, 0.0025, _CURRENCY, 1), 95.6),
    (Family("CRUDEOIL", Exchange.MCX, 1, 1.0, _monthly(_day_of_month(19)), 2), 6150.0),
    (Family("NATURALGAS", Exchange.MCX, 1, 0.1, _monthly(_day_of_month(25)), 2), 268.4),
    (Family("GOLDM", Exchange.MCX, 1, 1.0, _monthly(_day_of_month(5)), 2), 149_324.0),
    (Family("SILVER", Exchange.MCX, 1, 1.0, _monthly(_day_of_month(4)), 1), 243_651.0),
    (Family("GOLD", Exchange.NCO, 1, 1.0, _monthly(_day_of_month(5)), 2), 149_324.0),
)
