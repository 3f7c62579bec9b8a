"""Names of the day and packets that are made once per update."""

from datetime import datetime, timedelta

from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange
from sangam.simulators.listing import Contract
from sangam.simulators.market import Market
from sangam.simulators.naming import Names, Packets

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)


def cash_only(contract: Contract, token: int) -> str | None:
    return f"{contract.exchange.value}.{token}" if contract.exchange is Code.NSE else None


def test_names_lead_to_markets_and_back() -> None:
    exchange = Exchange(clock=ManualClock(MORNING))
    names = Names(exchange, cash_only)
    sbin = exchange.market("SBIN", Code.NSE)
    assert names.of(sbin.contract) == f"NSE.{exchange.token(sbin.contract)}"
    assert names.find(names.of(sbin.contract)) is sbin
    assert names.find("NSE.0") is None
    assert {code for _, code in names.all().values()} == {Code.NSE}


def test_names_follow_the_numbers_of_the_day() -> None:
    clock = ManualClock(MORNING)
    exchange = Exchange(clock=clock)
    names = Names(exchange, cash_only)
    sbin = exchange.market("SBIN", Code.NSE).contract
    before = names.of(sbin)
    exchange.renumber()
    assert names.of(sbin) != before
    assert names.find(before) is not exchange.market("SBIN", Code.NSE)
    clock.set(MORNING + timedelta(days=400))
    exchange.step(1.0)
    assert all(exchange.market(*key).contract.exchange is Code.NSE for key in names.all().values())


def test_a_packet_is_made_once_per_update_and_terms() -> None:
    exchange = Exchange(clock=ManualClock(MORNING))
    made: list[tuple[str, str]] = []

    def make(market: Market, terms: str) -> bytes:
        made.append((market.contract.symbol, terms))
        return f"{terms}{market.updates}".encode()

    packets = Packets(make)
    sbin = exchange.market("SBIN", Code.NSE)
    exchange.watch(sbin)
    first = packets.get(sbin, "full")
    assert packets.get(sbin, "full") is first
    assert packets.get(sbin, "ltp") != first
    assert made == [("SBIN", "full"), ("SBIN", "ltp")]
    exchange.step(5.0)
    assert packets.get(sbin, "full") != first
