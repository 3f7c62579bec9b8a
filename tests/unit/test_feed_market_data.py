"""Any list and any span, cut to the broker's measure: nothing asked twice, nothing lost."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import BrokerSpec, Candle, Ctx, Data, Interval, Operation, Request, Session
from sangam.brokers.paper import SPEC as PAPER
from sangam.feed.market_data import MAX_REQUESTS, history, quotes, spans
from sangam.model.enums import Exchange
from sangam.model.errors import BrokerError, InvalidInput
from sangam.model.instrument import Instrument
from sangam.model.market import Patch

T = TypeVar("T")

SESSION = Session(account="a1", broker="paper", generation=1)
START = date(2026, 1, 1)


def share(number: int) -> Instrument:
    name = f"S{number}"
    return Instrument(symbol=name, exchange=Exchange.NSE, brsymbol=name, brexchange="NSE", token=str(number))


class Canned:
    """Answers every request with its own query, and remembers it."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def ctx(self) -> Ctx:
        return Ctx(0, bytes)

    async def run(self, spec: BrokerSpec, session: Session, operation: Operation[T]) -> T:
        request = next(operation)
        assert isinstance(request, Request)
        self.asked.append(request.json)
        try:
            operation.send(request.json)
        except StopIteration as stop:
            value: T = stop.value
            return value
        raise AssertionError("one request is enough")


def ask_quotes(instruments: Sequence[Instrument], session: Session, ctx: Ctx) -> Operation[list[Patch]]:
    """A broker that knows only even tokens, and answers backwards."""
    yield Request(method="GET", host="api", path="/", json=[row.symbol for row in instruments])
    return [Patch(row, {"ltp": float(row.token)}) for row in reversed(instruments) if int(row.token) % 2 == 0]


def ask_history(
    instrument: Instrument, interval: str, first: date, last: date, session: Session, ctx: Ctx
) -> Operation[list[Candle]]:
    """A bar a day, and always the one before the span as well: brokers overlap."""
    yield Request(method="GET", host="api", path="/", json=(first, last))
    days = range((first - START).days - 1, (last - START).days + 1)
    return [Candle(day * 86_400, 1.0, 1.0, 1.0, 1.0, day) for day in days if day >= 0]


def broker(data: Data | None) -> BrokerSpec:
    return replace(PAPER, data=data)


TOY = broker(Data(quotes=ask_quotes, quote_batch=3, history=ask_history, intervals={"D": Interval("day", 10)}))


async def test_quotes_go_in_batches_and_keep_the_order() -> None:
    driver = Canned()
    wanted = [share(number) for number in (1, 2, 4, 6, 2, 8, 3)]
    found = await quotes(driver, TOY, SESSION, wanted)
    assert driver.asked == [["S1", "S2", "S4"], ["S6", "S8", "S3"]]
    assert [row.symbol for row in found] == ["S2", "S4", "S6", "S8"]
    assert found[share(8)].fields["ltp"] == 8.0
    assert await quotes(driver, TOY, SESSION, []) == {}
    assert len(driver.asked) == 2


async def test_history_is_joined_in_order_without_doubles() -> None:
    driver = Canned()
    found = await history(driver, TOY, SESSION, share(1), "D", START, START + timedelta(days=24))
    assert [candle.volume for candle in found] == list(range(25))
    assert [(last - first).days + 1 for first, last in driver.asked] == [10, 10, 5]


@pytest.mark.parametrize(
    ("interval", "days", "text"),
    [("1m", 0, "Its intervals: D"), ("D", -1, "is after"), ("D", 10 * MAX_REQUESTS, "at most 400 days of D")],
)
async def test_what_cannot_be_asked_is_said_before_asking(interval: str, days: int, text: str) -> None:
    driver = Canned()
    with pytest.raises(InvalidInput, match=text):
        await history(driver, TOY, SESSION, share(1), interval, START, START + timedelta(days=days))
    assert driver.asked == []


async def test_a_broker_without_data_says_so() -> None:
    driver = Canned()
    with pytest.raises(BrokerError, match="no market data"):
        await quotes(driver, broker(None), SESSION, [share(1)])
    only_candles = broker(Data(history=ask_history))
    with pytest.raises(BrokerError, match="answers no quotes"):
        await quotes(driver, only_candles, SESSION, [])
    only_quotes = broker(Data(quotes=ask_quotes, quote_batch=3))
    with pytest.raises(BrokerError, match="no history"):
        await history(driver, only_quotes, SESSION, share(1), "D", START, START)


@given(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.integers(0, 900), st.integers(1, 400))
def test_spans_cover_every_day_once(start: date, length: int, days: int) -> None:
    end = start + timedelta(days=length)
    pieces = list(spans(start, end, days))
    covered = [first + timedelta(days=n) for first, last in pieces for n in range((last - first).days + 1)]
    assert covered == [start + timedelta(days=n) for n in range(length + 1)]
    assert all((last - first).days < days for first, last in pieces)
