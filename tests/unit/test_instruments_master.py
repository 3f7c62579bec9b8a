"""What a master answers: names both ways, options of an underlying, all rows, refused rows."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.instrument_rows import FAR, NEAR, future, index, master_of, option, share

from sangam.brokers.contract import RowRefused
from sangam.instruments import Master
from sangam.instruments.master import CHUNK
from sangam.instruments.schema import NAMES
from sangam.model.books import Holding
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument

CE, PE = InstrumentType.CE, InstrumentType.PE
STRIKES = (23900.0, 23950.0, 24000.0, 24050.5, 24100.0)


def nifty() -> Sequence[Instrument]:
    tokens = iter(range(1000, 2000))
    rows = [option("NIFTY", day, strike, right, str(next(tokens)))
            for day in (FAR, NEAR) for strike in reversed(STRIKES) for right in ("PE", "CE")]  # fmt: skip
    return [
        index("NIFTY", "1", "NIFTY 50"),
        future("NIFTY", FAR, "2"),
        future("NIFTY", NEAR, "3"),
        option("NIFTYNXT50", NEAR, 24000, "CE", "4"),
        option("NIFTY", NEAR, 24000, "CE", "5", Exchange.BFO),
        *rows,
    ]


@pytest.fixture
def master(tmp_path: Path) -> Master:
    return master_of(tmp_path / "m.db", *nifty(), freezes={("NIFTY", "NFO"): 1800})


def test_a_row_without_its_exchange_is_named_by_token_and_symbol_where_they_mean_one(tmp_path: Path) -> None:
    twins = [share("SBIN", "7"), msgspec.structs.replace(share("SBIN", "7"), exchange=Exchange.BSE, brexchange="BSE")]
    master = master_of(tmp_path / "twins.db", *twins, share("INFY", "8"))
    row = Holding(brsymbol="INFY", brexchange="", token="8", quantity=1)
    assert master.named(row) == master.lookup("INFY", "NSE")
    assert master.named(msgspec.structs.replace(row, brsymbol="SBIN", token="7")) is None


def test_expiries_are_those_of_one_underlying_and_kind(master: Master) -> None:
    assert master.expiries("NIFTY", "NFO", "options") == [NEAR, FAR]
    assert master.expiries("NIFTY", "NFO", "futures") == [NEAR, FAR]
    assert master.expiries("NIFTY", "BFO", "options") == [NEAR]
    assert master.expiries("NIFTY", "BFO", "futures") == []
    assert master.expiries("NIFTYNXT50", Exchange.NFO, "options") == [NEAR]
    assert master.expiries("NIFTY", "NFO", "options", since=NEAR) == [NEAR, FAR]
    assert master.expiries("NIFTY", "NFO", "options", since=date(2026, 11, 25)) == [FAR]


def test_strikes_options_and_futures(master: Master) -> None:
    assert master.strikes("NIFTY", "NFO", NEAR) == master.strikes("NIFTY", "NFO", NEAR, PE) == list(STRIKES)
    assert master.strikes("NIFTY", "BFO", NEAR, PE) == []
    found = master.option("NIFTY", "NFO", NEAR, 24050.5, PE)
    assert found is not None
    assert found == master.lookup("NIFTY24NOV2624050.5PE", "NFO")
    assert master.option("NIFTY", "NFO", NEAR, 24050, PE) is None
    assert master.option("NIFTY", "NFO", date(2026, 12, 1), 24000, PE) is None
    assert master.future("NIFTY", "NFO", FAR) == master.lookup("NIFTY29DEC26FUT", "NFO")
    assert master.future("NIFTY", "NFO", date(2026, 12, 1)) is None


def test_a_chain_lies_around_the_price(master: Master) -> None:
    rungs = master.chain("NIFTY", "NFO", NEAR, 24010.0, 1)
    assert [rung.strike for rung in rungs] == [23950.0, 24000.0, 24050.5]
    assert [rung.ce and rung.ce.symbol for rung in rungs] == [
        "NIFTY24NOV2623950CE", "NIFTY24NOV2624000CE", "NIFTY24NOV2624050.5CE",
    ]  # fmt: skip
    assert all(rung.pe and rung.pe.strike == rung.strike for rung in rungs)
    assert len(master.chain("NIFTY", "NFO", NEAR, 24010.0)) == len(STRIKES)
    (alone,) = master.chain("NIFTY", "BFO", NEAR, 1.0)
    assert alone.ce is not None
    assert alone.pe is None
    assert master.chain("NIFTY", "NFO", date(2026, 12, 1), 1.0) == []


def test_a_part_of_a_compound_token_names_what_it_can_only_mean(tmp_path: Path) -> None:
    infy, tcs = share("INFY", "408065::::1594"), share("TCS", "2953217::::11536")
    master = master_of(
        tmp_path / "m.db",
        infy,
        tcs,
        share("INFY", "128053508::::500209", Exchange.BSE),
        share("A", "77::::88"),
        share("B", "88::::99"),
        share("C", "99"),
        share("GOLD", "NSE_EQ|INE009A01021"),
        share("SILVER", "NSE_EQ|INE467B01029"),
        share("TWICE", "5::::5"),
    )
    for token in ("1594", "408065", "408065::::1594"):
        assert master.by_token(token, "NSE") == infy
        assert master.by_token(token, "BSE") is None
    assert master.by_token("11536", Exchange.NSE) == tcs
    names = {token: (found := master.by_token(token, "NSE")) and found.symbol for token in
             ("77", "88", "99", "INE009A01021", "NSE_EQ", "5", "", "::::")}  # fmt: skip
    assert names == {
        "77": "A",
        "88": None,  # a part of two
        "99": "C",  # a part of one, but the whole of another
        "INE009A01021": "GOLD",
        "NSE_EQ": None,
        "5": "TWICE",
        "": None,
        "::::": None,
    }


def test_freeze_quantities_belong_to_the_underlying(master: Master) -> None:
    freezes = {row.symbol: master.freeze_quantity(row) for row in nifty()}
    assert freezes["NIFTY24NOV2624000CE"] == freezes["NIFTY24NOV26FUT"] == 1800
    assert freezes["NIFTYNXT5024NOV2624000CE"] == freezes["NIFTY"] == 1


def test_rows_stream_in_chunks(tmp_path: Path) -> None:
    items = [share(f"S{number}", str(number), (Exchange.NSE, Exchange.BSE)[number % 2]) for number in range(CHUNK * 4)]
    master = master_of(tmp_path / "m.db", *items)
    chunks = list(master.rows())
    assert [len(chunk) for chunk in chunks] == [CHUNK] * 4
    assert [row[0] for chunk in chunks for row in chunk] == [item.symbol for item in items]
    (first, *_), *_ = master.rows("BSE")
    assert dict(zip(NAMES, first, strict=True))["symbol"] == "S1"
    assert sum(map(len, master.rows("BSE"))) == CHUNK * 2
    assert list(master.rows("MCX")) == []


def test_refused_rows_are_kept_by_reason(tmp_path: Path) -> None:
    bad = [RowRefused("no strike", f"row {number}") for number in range(150)]
    good = [share(f"S{number}", str(number)) for number in range(200)]
    master = master_of(tmp_path / "m.db", *good, *bad, RowRefused("unreadable token", "x,y"), share("S0", "999"))
    refused = master.refused()
    assert list(refused) == ["no strike", "duplicate symbol", "unreadable token"]
    assert (refused["no strike"].total, len(refused["no strike"].rows)) == (150, 100)
    assert refused["unreadable token"].rows == ["x,y"]
    assert refused["duplicate symbol"].rows[0].startswith("S0,S0,")


def test_reasons_without_end_are_folded(tmp_path: Path) -> None:
    good = [share(f"S{number}", str(number)) for number in range(2000)]
    master = master_of(tmp_path / "m.db", *good, *(RowRefused(f"unreadable: {number}") for number in range(1000)))
    refused = master.refused()
    assert len(refused) == 51
    assert next(iter(refused)) == "other reasons"
    assert sum(one.total for one in refused.values()) == 1000


parts = st.sampled_from(["1", "2", "3", "44", "INE1", "NSE_EQ"])
tokens = st.lists(st.lists(parts, min_size=1, max_size=3), max_size=8)


@given(tokens)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_refs_as_the_plain_rule_has_them(tmp_path: Path, tokens: list[list[str]]) -> None:
    whole = list(dict.fromkeys("::::".join(token) for token in tokens))
    rows = [share(f"S{number}", token) for number, token in enumerate(whole)]
    master = master_of(tmp_path / "m.db", share("LAST", "|"), *rows)
    for part in ("1", "2", "3", "44", "INE1", "NSE_EQ", *whole):
        meant = [row for row in rows if row.token == part] or [row for row in rows if part in row.token.split("::::")]
        assert master.by_token(part, "NSE") == (meant[0] if len(meant) == 1 else None)
        assert master.by_token(part, "BSE") is None
