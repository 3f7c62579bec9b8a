"""What of the sandbox is other than its broker: a host of its own, UTC's clock, and less of everything."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from tests.unit.test_brokers_dhan_books import MARGIN, ORDER, SELL, TCS, TRADE

from sangam.accounts.forms import check_hosts
from sangam.brokers.contract import Ctx, Operation, Reply, Request, Session
from sangam.brokers.dhan import SPEC as DHAN
from sangam.brokers.dhan_sandbox import SPEC
from sangam.model.books import Margin
from sangam.model.errors import InvalidInput, SessionExpired, Unknown

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="dhan_sandbox", generation=1, secrets={"client_id": "1", "access_token": "jwt"})
assert SPEC.trading is not None
assert DHAN.trading is not None
TRADING, REAL = SPEC.trading, DHAN.trading
FIVE_AND_A_HALF_HOURS = 19_800_000


def answer(operation: Operation[Any], payload: Any) -> Any:
    next(operation)
    with pytest.raises(StopIteration) as stop:
        operation.send(payload)
    return stop.value.value


def test_it_cannot_reach_the_real_broker() -> None:
    assert set(SPEC.hosts.values()) == {"https://sandbox.dhan.co/v2", "https://images.dhan.co"}
    for row, own in SPEC.hosts.items():
        for host in ("https://api.dhan.co/v2", "https://example.com", "https://127.0.0.1.example.com"):
            with pytest.raises(InvalidInput, match=own):
                check_hosts(SPEC, {row: host})
    check_hosts(SPEC, {"api": "http://127.0.0.1:8000/v2"})


def test_its_rows_are_written_on_utcs_clock() -> None:
    pairs: list[tuple[Operation[Any], Operation[Any], dict[str, Any]]] = [
        (TRADING.orders(SESSION, CTX), REAL.orders(SESSION, CTX), ORDER),
        (TRADING.trades(SESSION, CTX), REAL.trades(SESSION, CTX), TRADE),
    ]
    for ours, theirs, row in pairs:
        (here,), (there,) = answer(ours, [row]), answer(theirs, [row])
        assert here.timestamp == there.timestamp + FIVE_AND_A_HALF_HOURS


def test_a_session_is_proved_by_the_order_book() -> None:
    operation = SPEC.login.check(SESSION, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert request.path == "/orders"
    with pytest.raises(StopIteration) as stop:
        operation.send([])
    assert stop.value.value == "1"
    with pytest.raises(SessionExpired, match="Dhan Sandbox again"):
        SPEC.check(request, Reply(401, {}, {"errorCode": "DH-901", "errorMessage": "dead"}))


def test_the_margin_of_several_orders_is_their_sum() -> None:
    assert TRADING.margin is not None
    operation = TRADING.margin([(TCS, SELL), (TCS, SELL)], SESSION, CTX)
    asked = next(operation)
    assert isinstance(asked, list)
    assert [request.path for request in asked] == ["/margincalculator"] * 2
    with pytest.raises(StopIteration) as stop:
        operation.send([MARGIN, MARGIN])
    assert stop.value.value == Margin(total=5600.0, span=2400.0, exposure=2006.0)


def test_numbers_may_come_as_text() -> None:
    (found,) = answer(TRADING.orders(SESSION, CTX), [ORDER | {"quantity": "5", "price": "100.5", "filledQty": "0"}])
    assert (found.quantity, found.price) == (5, float(Decimal("100.5")))


@pytest.mark.parametrize(
    ("status", "payload"),
    [
        (404, {"timestamp": "2026", "status": 404, "error": "Not Found", "path": "/v2/marketfeed/ltp"}),
        (500, {"errorType": "FUND_LIMIT_ERROR", "errorCode": "", "errorMessage": "stub"}),
        (500, {"errorType": "TRADE_RESOURCE_ERROR"}),
    ],
)
def test_its_stubs_tell_nothing(status: int, payload: Any) -> None:
    with pytest.raises(Unknown):
        SPEC.check(Request(method="GET", host="api", path="/fundlimit"), Reply(status, {}, payload))


def test_it_offers_candles_and_nothing_else_of_the_market() -> None:
    assert SPEC.streams == ()
    assert SPEC.data is not None
    assert SPEC.data.quote_batch == 0
    assert SPEC.data.history is not None
    assert {name: each.days for name, each in SPEC.data.intervals.items()} == {
        "1m": 5, "5m": 5, "15m": 5, "1h": 5, "D": 3650,
    }  # fmt: skip
    request = next(SPEC.data.history(TCS, "1m", date(2026, 8, 17), date(2026, 8, 18), SESSION, CTX))
    assert isinstance(request, Request)
    assert request.path == "/charts/intraday"


def test_it_has_no_other_way_in_and_moves_no_money() -> None:
    login = SPEC.login
    assert (login.redirect, login.steps, login.renew, login.logout) == (None, None, None, None)
    assert [field.name for field in login.daily] == ["access_token"]
    assert SPEC.sandbox
    assert TRADING.postback is None
