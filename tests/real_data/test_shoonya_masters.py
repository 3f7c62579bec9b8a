"""Every row of the real symbol masters of Shoonya either loads or is refused with a counted reason (19 August 2026)."""

import csv
import gzip
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from tests.support import shared_data

from sangam.brokers.contract import RowRefused
from sangam.brokers.shoonya import SPEC
from sangam.instruments.build import build
from sangam.instruments.master import Master
from sangam.model.enums import Exchange
from sangam.model.instrument import Instrument, ParsedSymbol, parse_symbol

COUNTS: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "NSE": ({"EQ": 9_836, "INDEX": 6}, {}),
    "BSE": ({"EQ": 12_695}, {"no tick size": 3}),
    "BFO": ({"FUT": 634, "CE": 20_333, "PE": 20_333}, {}),
    "CDS": ({"FUT": 129, "CE": 5_485, "PE": 5_485}, {"instrument type UNDCUR is not traded": 4}),
    "MCX": ({"FUT": 153, "CE": 7_558, "PE": 7_558}, {}),
    "NCX": ({"FUT": 8}, {}),
}
"""By file: what loads, and why the rest does not."""


def content(exchange: str) -> bytes:
    return shared_data("shoonya", f"{exchange}_symbols.txt").read_bytes()


def read(exchange: str) -> list[Instrument]:
    return [row for row in SPEC.instruments.parse([content(exchange)]) if isinstance(row, Instrument)]


@pytest.mark.parametrize("exchange", COUNTS)
def test_every_row_loads_or_is_counted(exchange: str) -> None:
    lines = content(exchange).decode().splitlines()[1:]
    rows = list(SPEC.instruments.parse([content(exchange)]))
    taken, refused = COUNTS[exchange]
    assert Counter(row.instrument_type.value for row in rows if isinstance(row, Instrument)) == taken
    assert Counter(row.reason for row in rows if isinstance(row, RowRefused)) == refused
    assert len(rows) == len(lines)
    for line, row in zip(lines, rows, strict=True):
        if isinstance(row, Instrument):
            assert line.startswith(f"{row.brexchange},{row.token},{row.lot_size},")


def test_ticks_are_rupees_as_another_brokers_master_of_the_same_exchange_has_them() -> None:
    """noren.md, 6 leaves it in doubt: 9,276 shares of NSE have the very tick that Upstox tells."""
    packed = shared_data("upstox", "NSE.csv.gz").read_bytes()
    theirs = {
        row["exchange_token"]: float(row["tick_size"])
        for row in csv.DictReader(gzip.decompress(packed).decode().splitlines())
        if row["exchange"] == "NSE_EQ"
    }
    ours = {row.token: row.tick_size for row in read("NSE") if not row.exchange.is_index}
    both = ours.keys() & theirs.keys()
    assert len(both) > 9_000
    assert {token for token in both if ours[token] != theirs[token]} == set()


def test_derivatives_say_what_their_fields_say() -> None:
    for exchange in ("BFO", "CDS", "MCX", "NCX"):
        for row in read(exchange):
            assert row.expiry is not None
            assert parse_symbol(row.symbol) == ParsedSymbol(row.name, row.expiry, row.strike, row.instrument_type)


def test_names() -> None:
    found = {(row.brexchange, row.brsymbol): row for exchange in COUNTS for row in read(exchange)}
    assert {
        name: found[name].symbol
        for name in (
            ("NSE", "RELIANCE-EQ"), ("NSE", "M&M-EQ"), ("BSE", "RELIANCE"), ("BFO", "SENSEX26OCTFUT"),
            ("BFO", "SENSEX26SEP91000PE"), ("BFO", "ETERNAL26SEP355CE"), ("CDS", "USDINR11SEP26F"),
            ("CDS", "USDINR29MAR27P100"), ("MCX", "CRUDEOILM19AUG26"), ("NCX", "KAPAS26FEB2027"),
        )
    } == {
        ("NSE", "RELIANCE-EQ"): "RELIANCE", ("NSE", "M&M-EQ"): "M&M", ("BSE", "RELIANCE"): "RELIANCE",
        ("BFO", "SENSEX26OCTFUT"): "SENSEX29OCT26FUT", ("BFO", "SENSEX26SEP91000PE"): "SENSEX24SEP2691000PE",
        ("BFO", "ETERNAL26SEP355CE"): "ETERNAL24SEP26355CE", ("CDS", "USDINR11SEP26F"): "USDINR11SEP26FUT",
        ("CDS", "USDINR29MAR27P100"): "USDINR29MAR27100PE", ("MCX", "CRUDEOILM19AUG26"): "CRUDEOILM19AUG26FUT",
        ("NCX", "KAPAS26FEB2027"): "KAPAS26FEB27FUT",
    }  # fmt: skip
    indices = {row.token: row.symbol for row in read("NSE") if row.exchange is Exchange.NSE_INDEX}
    assert indices == {
        "26000": "NIFTY", "26009": "BANKNIFTY", "26013": "NIFTYNXT50", "26017": "INDIAVIX", "26037": "FINNIFTY",
        "26074": "MIDCPNIFTY",
    }  # fmt: skip


def test_they_become_a_master(tmp_path: Path) -> None:
    built = build(SPEC.instruments.parse, [content(exchange) for exchange in COUNTS], tmp_path / "shoonya.db")
    refused = sum((Counter(reasons) for _, reasons in COUNTS.values()), Counter[str]())
    assert built.refused == refused
    assert built.rows == sum(sum(taken.values()) for taken, _ in COUNTS.values())
    master = Master(tmp_path / "shoonya.db", "shoonya")
    share = master.lookup("RELIANCE", "NSE")
    assert master.by_brsymbol("RELIANCE-EQ", "NSE") == master.by_token("2885", "NSE") == share
    assert master.expiries("SENSEX", "BFO", "options", since=date(2026, 8, 19))[0] == date(2026, 8, 20)
