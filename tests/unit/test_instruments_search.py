"""Search: what is found, in which order, and that nothing is missed."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.instrument_rows import FAR, NEAR, future, index, master_of, option, share

from sangam.instruments import Master
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument, strike_text

UNDERLYINGS = ("NIFTY", "BANKNIFTY", "NIFTYNXT50", "RELIANCE")


def market() -> list[Instrument]:
    numbers = map(str, range(1, 10_000))
    rows = [
        index("NIFTY", next(numbers), "NIFTY 50"),
        index("BANKNIFTY", next(numbers), "NIFTY BANK"),
        share("RELIANCE", next(numbers), name="RELIANCE INDUSTRIES"),
        share("RELIANCE", next(numbers), Exchange.BSE, name="RELIANCE INDUSTRIES"),
        share("SBIN", next(numbers), name="STATE BANK OF INDIA"),
        share("BANKINDIA", next(numbers), name="BANK OF INDIA"),
        share("NIFTYBEES", next(numbers), name="NIPPON INDIA ETF"),
        share("BAJAJ-AUTO", next(numbers), name="BAJAJ AUTO"),
        share("M&M", next(numbers), name="MAHINDRA & MAHINDRA"),
    ]
    for day in (FAR, NEAR):
        for base in UNDERLYINGS:
            rows.append(future(base, day, next(numbers)))
            for strike in (240.0, 292.5, 24000.0, 24050.0):
                rows += [option(base, day, strike, right, next(numbers)) for right in ("PE", "CE")]
    return rows


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Master:
    return master_of(tmp_path_factory.mktemp("search") / "m.db", *market())


def found(master: Master, query: str, exchange: str | None = None, limit: int = 500) -> list[str]:
    return [instrument.symbol for instrument in master.search(query, exchange, limit)]


def test_an_option_by_words(master: Master) -> None:
    assert found(master, "nifty 24000 ce") == [
        "NIFTY24NOV2624000CE",
        "NIFTY29DEC2624000CE",
        "NIFTYNXT5024NOV2624000CE",
        "NIFTYNXT5029DEC2624000CE",
        "BANKNIFTY24NOV2624000CE",
        "BANKNIFTY29DEC2624000CE",
    ]
    assert found(master, "24000ce nifty") == found(master, "ce 24000 nifty")
    assert found(master, "reliance 292.5 pe", limit=1) == ["RELIANCE24NOV26292.5PE"]
    assert found(master, "nifty 24050 dec pe")[0] == "NIFTY29DEC2624050PE"


def test_the_exact_strike_comes_before_longer_ones(master: Master) -> None:
    strikes = [instrument.strike for instrument in master.search("reliance 240 ce")]
    assert strikes == [240.0, 240.0, 24000.0, 24050.0, 24000.0, 24050.0]


def test_underlyings_and_futures_come_before_options(master: Master) -> None:
    names = found(master, "nifty")
    assert names[:3] == ["NIFTY", "NIFTY24NOV26FUT", "NIFTY29DEC26FUT"]
    last_single = max(number for number, name in enumerate(names) if name.endswith(("FUT", "NIFTY", "BEES")))
    assert not any(name.endswith(("CE", "PE")) for name in names[: last_single + 1])
    assert names[last_single + 1] == "NIFTY24NOV26240CE"
    assert found(master, "relianc", "NSE") == ["RELIANCE"]
    assert found(master, "relianc")[:4] == ["RELIANCE", "RELIANCE", "RELIANCE24NOV26FUT", "RELIANCE29DEC26FUT"]


def test_words_are_anded_over_symbol_and_name(master: Master) -> None:
    assert found(master, "bank fut") == ["BANKNIFTY24NOV26FUT", "BANKNIFTY29DEC26FUT"]
    assert found(master, "state bank") == ["SBIN"]
    assert found(master, "bank india") == ["BANKINDIA", "SBIN"]
    assert found(master, "bajaj auto") == ["BAJAJ-AUTO"]
    assert found(master, "m&m") == ["M&M"]
    assert found(master, "nifty 50")[0] == "NIFTY"


def test_the_brokers_own_names_of_derivatives_are_known(master: Master) -> None:
    assert found(master, "nifty26nov24000ce") == ["NIFTY24NOV2624000CE"]
    assert found(master, "NIFTY26NOV")[0] == "NIFTY24NOV26FUT"
    assert found(master, "RELIANCE26DEC") == found(master, "RELIANCE29DEC26")


def test_a_symbol_or_its_beginning(master: Master) -> None:
    assert found(master, "NIFTY24NOV2624000CE") == ["NIFTY24NOV2624000CE"]
    assert found(master, "nifty24nov26240") == [
        "NIFTY24NOV2624000CE", "NIFTY24NOV2624000PE", "NIFTY24NOV2624050CE", "NIFTY24NOV2624050PE",
        "NIFTY24NOV26240CE", "NIFTY24NOV26240PE",
    ]  # fmt: skip


@pytest.mark.parametrize("query", ["", "  ", "zzz", "nifty zzz", "%", "_", "'", '"', "nifty 99999 ce", "\x00", "₹"])
def test_nothing_is_nothing(master: Master, query: str) -> None:
    assert found(master, query) == []


def test_limit_and_exchange(master: Master) -> None:
    for limit in (1, 3, 17):
        assert found(master, "nifty", limit=limit) == found(master, "nifty")[:limit]
    assert {each.exchange for each in master.search("nifty", "NFO", 500)} == {Exchange.NFO}
    assert found(master, "nifty", "MCX") == []


def test_a_flood_of_words_is_no_trouble(master: Master) -> None:
    assert found(master, "nifty " * 5000)[:1] == ["NIFTY"]
    assert found(master, "x" * 100_000) == []


WORDS = st.sampled_from(
    ["NIFTY", "nif", "BANK", "RELIANCE", "CE", "PE", "FUT", "NOV", "24", "240", "2", "24000", "292", "292.5", "26DEC",
     "24NOV26", "INDIA", "state", "50", "E", "-", "&", "24000CE", "NIFTY29DEC26"]
)  # fmt: skip


def texts(row: Instrument) -> list[str]:
    if row.expiry is None or row.instrument_type is InstrumentType.FUT:
        return [row.symbol, row.name, *([] if row.instrument_type is InstrumentType.EQ else [row.brsymbol])]
    right = row.instrument_type.value
    base = row.symbol.removesuffix(strike_text(row.strike) + right)
    return [base, right, row.name, row.brsymbol.removesuffix(strike_text(row.strike) + right)]


def is_meant(row: Instrument, words: list[str]) -> bool:
    """The rule, written plainly."""
    rights = {"CE", "PE"} if row.strike else set()
    held = [
        row.instrument_type == word if word in rights else any(word in text for text in texts(row)) for word in words
    ]
    if all(held) or (len(words) == 1 and words[0] in (row.symbol, row.brsymbol)):
        return True
    if held.count(False) != 1 or not row.strike:
        return False
    word, strike = words[held.index(False)], strike_text(row.strike)
    return word == strike or (len(word) >= 3 and word.replace(".", "").isdigit() and strike.startswith(word))


@given(st.lists(WORDS, min_size=1, max_size=4))
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_exactly_what_is_meant_is_found(master: Master, words: list[str]) -> None:
    found = master.search(" ".join(words), limit=500)
    parts = [part for word in words for part in (["24000", "CE"] if word == "24000CE" else [word.upper()])]
    meant = {(row.symbol, row.exchange) for row in market() if is_meant(row, parts)}
    assert len(found) == len({(row.symbol, row.exchange) for row in found}), "something is found twice"
    if meant or len(parts) > 1:  # else a lone word may be the beginning of an option's symbol
        assert {(row.symbol, row.exchange) for row in found} == meant
