"""The listed market of a day: true sizes, right expiries, unique names and numbers."""

from collections import Counter
from datetime import date

from hypothesis import given
from hypothesis import strategies as st
from tests.support import shared_data

from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import parse_symbol
from sangam.simulators.listing import Contract, listing

DAY = date(2026, 8, 18)


def by_name(day: date = DAY) -> dict[tuple[str, Exchange], Contract]:
    return {contract.id: contract for contract in listing(day)}


def test_what_the_embedded_market_lists() -> None:
    found = by_name()
    assert sum(exchange is Exchange.NSE for _, exchange in found) == 50
    for symbol, exchange in (("NIFTY", "NSE_INDEX"), ("BANKNIFTY", "NSE_INDEX"), ("SENSEX", "BSE_INDEX")):
        assert found[symbol, Exchange(exchange)].instrument_type is InstrumentType.INDEX
    assert {exchange for _, exchange in found} >= {Exchange.CDS, Exchange.BCD, Exchange.MCX, Exchange.NCO, Exchange.BSE}


def test_expiries_of_a_day() -> None:
    found = by_name()
    expected = {
        ("NIFTY18AUG2624400CE", Exchange.NFO): False,  # a weekly contract, on its last day
        ("NIFTY25AUG2624400PE", Exchange.NFO): True,  # the last Tuesday of August
        ("BANKNIFTY25AUG2657300CE", Exchange.NFO): True,
        ("BANKNIFTY29SEP2657300CE", Exchange.NFO): True,
        ("SENSEX20AUG2678000CE", Exchange.BFO): False,
        ("SENSEX27AUG26FUT", Exchange.BFO): True,
        ("NIFTY27OCT26FUT", Exchange.NFO): True,
        ("RELIANCE25AUG26FUT", Exchange.NFO): True,
        ("USDINR27AUG26FUT", Exchange.CDS): True,
    }
    assert {key: found[key].monthly for key in expected} == expected
    assert ("NIFTY18AUG2624400CE", Exchange.NFO) not in by_name(date(2026, 8, 19))


@given(st.dates(date(2026, 1, 1), date(2030, 12, 31)))
def test_any_day_is_listed_without_clashes(day: date) -> None:
    contracts = listing(day, strikes=3)
    assert max(Counter(contract.id for contract in contracts).values()) == 1
    assert max(Counter((contract.exchange, contract.token) for contract in contracts).values()) == 1
    for contract in contracts:
        if contract.expiry is None:
            continue
        parsed = parse_symbol(contract.symbol)
        assert contract.expiry >= day
        assert parsed is not None
        assert (parsed.base, parsed.expiry, parsed.strike) == (contract.name, contract.expiry, contract.strike)


def test_a_contract_keeps_its_token_over_days() -> None:
    today, tomorrow = by_name(), by_name(date(2026, 8, 19))
    both = today.keys() & tomorrow.keys()
    assert len(both) > 300
    assert all(today[key].token == tomorrow[key].token for key in both)


def test_three_thousand_instruments_on_demand() -> None:
    assert len(listing(DAY, strikes=120)) > 3000


def test_lots_and_ticks_are_those_of_a_real_master() -> None:
    """Zerodha's dump of 18 August 2026 has the same derivatives with the same lot, tick and trading rules."""
    real = {}
    for line in shared_data("zerodha", "instruments_nfo_bfo.csv").read_text().splitlines()[1:]:
        _, _, _, name, _, expiry, strike, tick, lot, kind, _, exchange = line.split(",")
        real[name, expiry, float(strike), kind, exchange] = (int(lot), float(tick))
    compared = 0
    for contract in listing(DAY):
        if contract.exchange in (Exchange.NFO, Exchange.BFO) and contract.expiry is not None:
            key = (contract.name, contract.expiry.isoformat(), contract.strike, contract.instrument_type.value)
            assert real[*key, contract.exchange.value] == (contract.lot_size, contract.tick_size), key
            compared += 1
    assert compared > 350
