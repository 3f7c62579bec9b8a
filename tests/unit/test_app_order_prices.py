"""The prices that orders are made by: of the simulated market none where money moves."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from tests.toy_broker import toy_instrument, toy_spec

from sangam.app.order_prices import OrderPrices
from sangam.brokers.dhan import SPEC as REAL
from sangam.brokers.dhan_sandbox import SPEC as SANDBOX
from sangam.model.clock import IST, ManualClock
from sangam.model.errors import BrokerError
from sangam.model.market import Patch
from sangam.prices.last import Last

SBIN = toy_instrument("SBIN")


def prices(spec: Any, *, simulated: bool, ltp: float = 800.0) -> OrderPrices:
    feed, market, clock = Mock(), Mock(), ManualClock(datetime(2026, 8, 18, 10, 0, tzinfo=IST))
    last = Last()
    last.merge(Patch((1, 1), {"ltp": ltp}), clock.now_ms() - 40)
    feed.current.return_value, feed.simulated.return_value, feed.broker.return_value = last, simulated, spec
    market.quotes = AsyncMock(return_value={SBIN: last})
    return OrderPrices(feed, market, clock)


@pytest.mark.parametrize(
    ("spec", "simulated"),
    [(REAL, False), (SANDBOX, True), (SANDBOX, False), (toy_spec(simulated=True), True)],
)
async def test_the_last_price_and_its_age(spec: Any, simulated: bool) -> None:
    told = prices(spec, simulated=simulated)
    assert told.seen("a", SBIN) == (800.0, 40)
    assert await told.price("a", SBIN) == 800.0


@pytest.mark.parametrize("spec", [REAL, replace(REAL, streams=())])
async def test_no_order_of_real_money_is_made_by_simulated_prices(spec: Any) -> None:
    told = prices(spec, simulated=True)
    assert told.seen("a", SBIN) is None
    with pytest.raises(BrokerError, match="simulated market"):
        await told.price("a", SBIN)


async def test_a_price_of_nothing_is_none() -> None:
    with pytest.raises(BrokerError, match="There is no price of NSE:SBIN; nothing was sent"):
        await prices(REAL, simulated=False, ltp=0.0).price("a", SBIN)
