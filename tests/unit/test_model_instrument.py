"""The symbol grammar and instruments (specs: symbols.md, 2)."""

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sangam.model.enums import Exchange, InstrumentType, Mode
from sangam.model.instrument import (
    Instrument,
    Level,
    ParsedSymbol,
    expiry_text,
    future_symbol,
    option_symbol,
    parse_symbol,
    split_depth_suffix,
    strike_text,
)

CE, PE, FUT = InstrumentType.CE, InstrumentType.PE, InstrumentType.FUT

bases = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789&-", min_size=1, max_size=12)
days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
strikes = st.integers(1, 10_000_000).map(lambda quarters: quarters / 4)


def holds_a_date(base: str) -> bool:
    """Bases with a date inside ("X01JAN20Y") are read from their first date: the grammar takes the shortest base."""
    return any(parse_symbol(f"{base[:end]}FUT") for end in range(len(base) + 1))


@given(bases, days)
def test_futures_round_trip(base: str, day: date) -> None:
    assume(not holds_a_date(base))
    assert parse_symbol(future_symbol(base, day)) == ParsedSymbol(base, day, 0.0, FUT)


@given(bases, days, strikes, st.sampled_from([CE, PE]))
def test_options_round_trip(base: str, day: date, strike: float, right: InstrumentType) -> None:
    assume(not holds_a_date(base))
    assert parse_symbol(option_symbol(base, day, strike, right)) == ParsedSymbol(base, day, strike, right)


@given(st.text())
def test_any_text_parses_or_does_not(text: str) -> None:
    parsed = parse_symbol(text)
    assert parsed is None or text.startswith(parsed.base)


@pytest.mark.parametrize(
    ("symbol", "base", "day", "strike", "kind"),
    [
        ("BANKNIFTY24APR24FUT", "BANKNIFTY", date(2024, 4, 24), 0.0, FUT),
        ("NIFTY28MAR2420800CE", "NIFTY", date(2024, 3, 28), 20800.0, CE),
        ("VEDL25APR24292.5CE", "VEDL", date(2024, 4, 25), 292.5, CE),
        ("USDINR19APR2482CE", "USDINR", date(2024, 4, 19), 82.0, CE),
        ("726GS203325APR24FUT", "726GS2033", date(2024, 4, 25), 0.0, FUT),
        ("726GS203225APR2497PE", "726GS2032", date(2024, 4, 25), 97.0, PE),
        ("NIFTYNXT5025NOV25FUT", "NIFTYNXT50", date(2025, 11, 25), 0.0, FUT),
        ("M&M25AUG263000PE", "M&M", date(2026, 8, 25), 3000.0, PE),
        ("BAJAJ-AUTO25AUG26FUT", "BAJAJ-AUTO", date(2026, 8, 25), 0.0, FUT),
    ],
)
def test_examples(symbol: str, base: str, day: date, strike: float, kind: InstrumentType) -> None:
    assert parse_symbol(symbol) == ParsedSymbol(base, day, strike, kind)
    again = future_symbol(base, day) if kind is FUT else option_symbol(base, day, strike, kind)
    assert again == symbol


@pytest.mark.parametrize(
    "symbol",
    [
        "INFY",
        "NIFTY",
        "BTCUSDFUT",
        "X31FEB24FUT",
        "24APR24FUT",
        "NIFTY28MAR24CE",
        "",
        "x24apr24FUT",
        "A24APR24FUT\n",
        "A٢٤APR24FUT",
    ],
)
def test_what_is_no_derivative(symbol: str) -> None:
    assert parse_symbol(symbol) is None


@pytest.mark.parametrize(
    ("strike", "text"), [(20800.0, "20800"), (292.5, "292.5"), (82.25, "82.25"), (0.0025, "0.0025"), (100, "100")]
)
def test_strike_text(strike: float, text: str) -> None:
    assert strike_text(strike) == text


def test_expiry_text() -> None:
    assert expiry_text(date(2024, 3, 8)) == "08MAR24"
    assert expiry_text(date(2024, 3, 8), "-") == "08-MAR-24"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("TCS:20", ("TCS", 20)),
        ("TCS", ("TCS", None)),
        ("TCS:7", ("TCS:7", None)),
        ("A:5:200", ("A:5", 200)),
        ("TCS:20\n", ("TCS:20\n", None)),
    ],
)
def test_depth_suffix(text: str, parts: tuple[str, int | None]) -> None:
    assert split_depth_suffix(text) == parts


@pytest.mark.parametrize(
    ("tick", "decimals"), [(0.05, 2), (0.01, 2), (1.0, 2), (0.0025, 4), (5.0, 2), (0.1, 2), (100, 2)]
)
def test_decimals_follow_the_tick(tick: float, decimals: int) -> None:
    instrument = Instrument(
        symbol="X", exchange=Exchange.CDS, brsymbol="X", brexchange="CDS", token="1", tick_size=tick
    )
    assert instrument.decimals == decimals


def test_levels_compare_by_mode_and_depth() -> None:
    assert Level(Mode.DEPTH) == Level(Mode.DEPTH, 5)
    assert Level(Mode.DEPTH) != Level(Mode.DEPTH, 20)
