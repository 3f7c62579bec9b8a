"""What checks find wrong: prices of another scale, damaged books, times that are none, faulty lists."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from tests.toy_broker import toy_stream

from sangam.brokers.contract import Carries
from sangam.instruments.build import build
from sangam.instruments.master import Master
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, DepthLevel, Fields
from sangam.model.order import NOTHING
from sangam.prices.last import Last
from sangam.verify import prices
from sangam.verify.checks import Wrong
from sangam.verify.survey import survey
from sangam.verify.trial import _below

SBIN = Instrument(symbol="SBIN", exchange=Exchange.NSE, brsymbol="SBIN", brexchange="NSE", token="3045")
GOOD: Fields = {"ltp": 812.5, "open": 810.0, "high": 815.0, "low": 808.0, "close": 811.0, "volume": 5}
NOW = 1_787_000_000_000


def test_prices_that_fit_are_taken() -> None:
    prices.plausible(GOOD, SBIN, "ltp", "open", "volume")
    prices.plausible({"ltp": 812.5}, SBIN, "ltp")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ltp": 0.0}, "not above zero"),
        ({"ltp": 81250.0, "high": 81500.0, "low": 80800.0}, "different scales"),
        ({"low": 816.0}, "low is above its high"),
        ({"ltp": 820.0}, "outside the day's range"),
        ({"ltp": 812.5000305175781}, "more digits than the tick has: ltp"),
    ],
)
def test_prices_that_do_not_fit_are_told(change: Fields, told: str) -> None:
    with pytest.raises(Wrong, match=told):
        prices.plausible({**GOOD, **change}, SBIN, "ltp")


@pytest.mark.parametrize(("price", "so"), [(808.0, True), (812.5, True), (815.0, True), (807.9, False), (81250, False)])
def test_a_trade_at_a_price_of_another_scale_is_found_out(price: float, so: bool) -> None:
    assert prices.had(GOOD, price) is so
    assert prices.had({"ltp": 812.5}, price)


def test_what_lacks_is_named() -> None:
    with pytest.raises(Wrong, match="not told: close, volume"):
        prices.plausible({"ltp": 1.0}, SBIN, "ltp", "close", "volume")


def a_book(buy: list[float], sell: list[float], quantity: int = 5) -> Depth:
    return Depth(*([DepthLevel(price, quantity) for price in side] for side in (buy, sell)))


def test_a_sound_book_is_taken() -> None:
    prices.book(a_book([3.0, 2.0, 1.0], [4.0, 5.0, 6.0]), 5, whole=True)
    prices.book(a_book([], []), 5, whole=False)


@pytest.mark.parametrize(
    ("depth", "told"),
    [
        (None, "no book"),
        (a_book([1.0, 2.0], [4.0]), "buy side is not best first"),
        (a_book([2.0], [5.0, 4.0]), "sell side is not best first"),
        (a_book([4.0], [4.0]), "crossed"),
        (a_book([3.0], [4.0], 0), "an empty row"),
    ],
)
def test_a_damaged_book_is_told(depth: Depth | None, told: str) -> None:
    with pytest.raises(Wrong, match=told):
        prices.book(depth, 5, whole=False)


def test_a_deep_book_must_be_deeper_than_five() -> None:
    with pytest.raises(Wrong, match="3 rows"):
        prices.book(a_book([3.0, 2.0, 1.0], [4.0, 5.0, 6.0]), 20, whole=True)


@pytest.mark.parametrize("moment", [NOW // 1000, NOW * 1000, NOW + 19_800_000, NOW - 19_800_000])
def test_a_time_in_other_units_or_of_another_zone_is_told(moment: int) -> None:
    prices.recent(NOW - 500, NOW, "ltt", is_open=True)
    prices.recent(NOW - 3 * 86_400_000, NOW, "ltt", is_open=False)
    with pytest.raises(Wrong, match="ltt"):
        prices.recent(moment, NOW, "ltt", is_open=True)


@pytest.mark.parametrize(
    ("fields", "price"),
    [
        ({"ltp": 100.0, "close": 100.0}, "95.00"),
        ({"ltp": 100.0, "close": 100.0, "lower_circuit": 96.02}, "96.05"),
        ({"ltp": 100.0, "close": 100.0, "lower_circuit": 99.0}, None),
        ({"ltp": 96.0, "close": 100.0}, None),
        ({"ltp": 5000.0, "close": 5000.0}, None),
        ({"close": 100.0}, None),
        ({"ltp": 100.0}, None),
    ],
)
def test_the_price_of_the_order_is_well_below_the_market_and_inside_the_band(fields: Fields, price: str | None) -> None:
    last = Last()
    last.fields = fields
    found = _below(last, SBIN)
    assert (None if found is None else str(found)) == price
    assert found is None or found > NOTHING


def test_a_survey_finds_what_is_wrong_with_a_list(tmp_path: Path) -> None:
    def parse(files: Sequence[bytes]) -> Iterator[Instrument]:
        yield SBIN
        option = Instrument(
            symbol="NIFTY29OCT26100CE", exchange=Exchange.NFO, brsymbol="o", brexchange="NFO", token="7",
            instrument_type=InstrumentType.CE, expiry=date(2026, 10, 29), strike=100.0, lot_size=75,
        )  # fmt: skip
        future = Instrument(
            symbol="NIFTY31DEC26FUT", exchange=Exchange.NFO, brsymbol="f", brexchange="NFO", token="8",
            instrument_type=InstrumentType.FUT, expiry=date(2026, 12, 31), lot_size=75,
        )  # fmt: skip
        yield option
        yield future

    target = tmp_path / "master.sqlite"
    build(parse, [], target)
    stream = replace(
        toy_stream(), carries=Carries(exchanges=frozenset({Exchange.NFO})), key=lambda instrument: "the same"
    )
    found = survey(Master(target, "today"), [stream], date(2026, 11, 1))
    assert dict(found.listed) == {Exchange.NSE: 1, Exchange.NFO: 2}
    assert found.expired == ["NFO:NIFTY29OCT26100CE"]
    assert found.twice == {stream.name: ["NFO:NIFTY31DEC26FUT"]}
    assert found.nearest[Exchange.NFO].symbol == "NIFTY31DEC26FUT"
    assert [share.symbol for share in found.shares] == ["SBIN"]
    assert (found.faults, found.misnamed) == ({}, [])
