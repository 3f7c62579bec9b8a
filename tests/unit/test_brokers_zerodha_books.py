"""Books, funds and margins: the official mocks read back, and what damage does."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import shared_data

from sangam.brokers.contract import Ctx, Operation, Reply, Request, Session
from sangam.brokers.zerodha import SPEC
from sangam.model.books import Funds, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.clock import IST
from sangam.model.enums import Action, Exchange, InstrumentType, PriceType, Product
from sangam.model.errors import BrokerError, Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="zerodha", generation=1, secrets={"api_key": "key", "access_token": "tok"})
INFY = Instrument(symbol="INFY", exchange=Exchange.NSE, brsymbol="INFY", brexchange="NSE", token="408065::::1594")
CALL = Instrument(
    symbol="NIFTY27JUL2320600CE",
    exchange=Exchange.NFO,
    brsymbol="NIFTY23JUL20600CE",
    brexchange="NFO",
    token="1::::2",
    instrument_type=InstrumentType.CE,
    expiry=date(2023, 7, 27),
    strike=20600.0,
    lot_size=50,
)
SELL = MarginLeg(
    action=Action.SELL, quantity=50, product=Product.NRML, price_type=PriceType.LIMIT, price=Decimal("75.5")
)
assert SPEC.trading is not None
TRADING = SPEC.trading
assert TRADING.order is not None
assert TRADING.margin is not None
ask_order, ask_margin = TRADING.order, TRADING.margin

POSITION = {
    "tradingsymbol": "LEADMINI17DECFUT",
    "exchange": "MCX",
    "instrument_token": 53496327,
    "product": "NRML",
    "quantity": 1,
    "overnight_quantity": 0,
    "multiplier": 1000,
    "average_price": 161.05,
    "close_price": 0,
    "last_price": 161.55,
    "value": -161050,
    "pnl": 500,
    "m2m": 500,
    "unrealised": 500,
    "realised": 0,
    "buy_quantity": 1,
}
ROW = {
    "order_id": "1",
    "tradingsymbol": "INFY",
    "exchange": "NSE",
    "transaction_type": "BUY",
    "quantity": 10,
    "status": "OPEN",
}


def mock(name: str) -> Any:
    return json.loads(shared_data("zerodha", "mocks", name).read_text())


def success(data: Any) -> dict[str, Any]:
    return {"status": "success", "data": data}


def asked(operation: Operation[Any]) -> Request:
    request = next(operation)
    assert isinstance(request, Request)
    return request


def answer(operation: Operation[Any], envelope: Any) -> Any:
    """What an operation makes of one good reply."""
    request = asked(operation)
    assert request.effect == "read"
    with pytest.raises(StopIteration) as stop:
        operation.send(SPEC.check(request, Reply(200, {}, envelope)))
    return stop.value.value


def milliseconds(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=IST).timestamp() * 1000)  # type: ignore[arg-type, misc]


# --- orders -----------------------------------------------------------------------------------------------------------


def test_the_official_order_book() -> None:
    operation = TRADING.orders(SESSION, CTX)
    found: Sequence[OrderUpdate] = answer(operation, mock("orders.json"))
    cancelled, complete = found[:2]
    assert cancelled.status == "cancelled"
    assert complete == OrderUpdate(
        order_id="300000000000000",
        brsymbol="IOC",
        brexchange="NSE",
        action="BUY",
        quantity=1,
        status="complete",
        product="CNC",
        price_type="LIMIT",
        price=109.4,
        filled_quantity=1,
        average_price=109.4,
        timestamp=milliseconds(2021, 5, 31, 15, 20, 28),
        native={"variety": "regular"},
    )
    assert cancelled.timestamp == milliseconds(2021, 5, 31, 9, 18, 58), "when its state last changed at the exchange"
    (rejected,) = (each for each in found if each.order_id == "220524001859672")
    assert rejected.status == "rejected"
    assert rejected.rejection_reason.startswith("Insufficient funds. Required margin is 95417.84")


def test_one_order_is_the_last_of_its_states() -> None:
    operation = ask_order("171229000724687", SESSION, CTX)
    envelope = mock("order_info.json")
    found = answer(operation, envelope)
    assert (found.order_id, found.status) == ("171229000724687", "open")
    states = [ROW | {"status": status} for status in ("PUT ORDER REQ RECEIVED", "OPEN", "COMPLETE")]
    assert answer(ask_order("1", SESSION, CTX), success(states)).status == "complete"
    assert asked(ask_order("1/../2", SESSION, CTX)).path == "/orders/1%2F..%2F2"


def test_an_order_that_kite_does_not_know() -> None:
    assert answer(ask_order("1", SESSION, CTX), success([])) is None
    operation = ask_order("1", SESSION, CTX)
    envelope = {"status": "error", "message": "Couldn't find that `order_id`.", "error_type": "GeneralException"}
    with pytest.raises(Refused) as caught:
        SPEC.check(asked(operation), Reply(404, {}, envelope))
    with pytest.raises(StopIteration) as stop:
        operation.throw(caught.value)
    assert stop.value.value is None


def test_another_refusal_does_not_mean_that_there_is_no_order() -> None:
    for error in (Refused("Insufficient permission"), Unknown("gateway")):
        operation = ask_order("1", SESSION, CTX)
        next(operation)
        with pytest.raises(BrokerError) as caught:
            operation.throw(error)
        assert caught.value is error


# --- trades, positions, holdings --------------------------------------------------------------------------------------


def test_the_official_trades() -> None:
    (found,) = answer(TRADING.trades(SESSION, CTX), mock("order_trades.json"))
    assert found == Trade(
        trade_id="10000000",
        order_id="200000000000000",
        brsymbol="GOLDPETAL21JUNFUT",
        brexchange="MCX",
        action=Action.BUY,
        product=Product.NRML,
        quantity=1,
        price=4852.0,
        timestamp=milliseconds(2021, 5, 31, 16, 0, 36),
    )


def test_trades_of_other_products_are_shown_by_the_nearest_and_unknown_ones_are_not_hidden() -> None:
    row = mock("order_trades.json")["data"][0]
    rows = [row | {"product": product} for product in ("MTF", "CO")]
    assert [each.product for each in answer(TRADING.trades(SESSION, CTX), success(rows))] == [Product.CNC, Product.MIS]
    operation = TRADING.trades(SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown, match="NEW"):
        operation.send([row | {"product": "NEW"}])


def test_positions_are_net_in_lots_with_their_multiplier() -> None:
    closed = POSITION | {"quantity": 0, "pnl": -20.5, "realised": -20.5, "product": "MIS"}
    operation = TRADING.positions(SESSION, CTX)
    lead, flat = answer(operation, success({"net": [POSITION, closed], "day": [POSITION]}))
    assert lead == Position(
        brsymbol="LEADMINI17DECFUT",
        brexchange="MCX",
        product=Product.NRML,
        quantity=1,
        average_price=161.05,
        ltp=161.55,
        pnl=500.0,
        multiplier=1000.0,
    )
    assert (flat.quantity, flat.pnl, flat.realised) == (0, -20.5, -20.5)


def test_positions_of_other_products_are_left_out() -> None:
    rows = [POSITION | {"product": product} for product in ("MTF", "CO", "NRML")]
    found = answer(TRADING.positions(SESSION, CTX), success({"net": rows, "day": []}))
    assert [each.product for each in found] == [Product.NRML]
    operation = TRADING.positions(SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown, match="NEW"):
        operation.send({"net": [POSITION | {"product": "NEW"}], "day": []})


@pytest.mark.parametrize(
    "data", [None, [], {}, {"day": []}, {"net": None}, {"net": [POSITION, {}]}, {"net": [POSITION | {"quantity": "x"}]}]
)
def test_a_failed_read_of_positions_is_not_flat(data: Any) -> None:
    """Promise 7: one damaged row spoils the whole read."""
    operation = TRADING.positions(SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send(data)


def test_the_official_holdings() -> None:
    first, second = answer(TRADING.holdings(SESSION, CTX), mock("holdings.json"))
    assert first == Holding(
        brsymbol="AARON",
        brexchange="NSE",
        quantity=1,
        average_price=161.0,
        ltp=352.95,
        pnl=191.95,
        pnl_percent=191.95 / 161.0 * 100,
    )
    assert (second.brexchange, second.quantity, second.product) == ("BSE", 16, Product.CNC)


def test_holdings_include_what_settles_tomorrow() -> None:
    row = mock("holdings.json")["data"][0]
    fresh, empty = answer(
        TRADING.holdings(SESSION, CTX),
        success([row | {"quantity": 2, "t1_quantity": 3}, row | {"quantity": 0, "t1_quantity": 0}]),
    )
    assert fresh.quantity == 5
    assert (empty.quantity, empty.pnl_percent) == (0, 0.0)


# --- money ------------------------------------------------------------------------------------------------------------


def test_funds_are_the_sum_of_both_segments() -> None:
    both = {"equity": mock("margins_equity.json")["data"], "commodity": mock("margin_commodity.json")["data"]}
    both["equity"]["available"]["collateral"] = 1000.0
    operation = TRADING.funds(SESSION, CTX)
    found: Funds = answer(operation, success(both))
    assert found.available_cash == pytest.approx(99725.05 + 145706.55 - 1000 + 96426.33 + 871.17)
    assert found.utilised == pytest.approx(145706.55 + 871.17)
    assert (found.collateral, found.m2m_realised, found.m2m_unrealised) == (1000.0, 761.7, 0.0)


def test_one_segment_is_enough_and_none_is_unknown() -> None:
    equity = mock("margins_equity.json")["data"]
    found = answer(TRADING.funds(SESSION, CTX), success({"equity": equity}))
    assert found.available_cash == pytest.approx(245431.6)
    operation = TRADING.funds(SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send({})


def test_the_margin_of_one_order() -> None:
    operation = ask_margin([(CALL, SELL)], SESSION, CTX)
    request = asked(operation)
    assert (request.method, request.path, request.effect) == ("POST", "/margins/orders", "read")
    assert request.json == [
        {
            "exchange": "NFO",
            "tradingsymbol": "NIFTY23JUL20600CE",
            "transaction_type": "SELL",
            "variety": "regular",
            "product": "NRML",
            "order_type": "LIMIT",
            "quantity": 50,
            "price": 75.5,
            "trigger_price": 0.0,
        }
    ]
    with pytest.raises(StopIteration) as stop:
        operation.send(SPEC.check(request, Reply(200, {}, mock("order_margins.json"))))
    assert stop.value.value == Margin(total=1498.0)


def test_the_margin_of_a_basket_tells_the_benefit() -> None:
    operation = ask_margin([(CALL, SELL), (INFY, SELL)], SESSION, CTX)
    request = asked(operation)
    assert (request.path, request.query) == ("/margins/basket", {"consider_positions": "true"})
    assert [each["tradingsymbol"] for each in request.json] == ["NIFTY23JUL20600CE", "INFY"]
    with pytest.raises(StopIteration) as stop:
        operation.send(SPEC.check(request, Reply(200, {}, mock("basket_margins.json"))))
    found: Margin = stop.value.value
    assert found.total == pytest.approx(34786.725)
    assert found.benefit == pytest.approx(96504.975 - 34786.725)
    assert found.span == pytest.approx(7788.0)
    assert found.exposure == pytest.approx(29151.225)


@pytest.mark.parametrize("data", [None, [], {}, [{"total": 1}, {"total": 2}], [{"total": "much"}]])
def test_an_odd_margin_is_unknown(data: Any) -> None:
    operation = ask_margin([(CALL, SELL)], SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send(data)


# --- damage -----------------------------------------------------------------------------------------------------------

values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
names = st.sampled_from(
    [*ROW, *POSITION, "net", "day", "equity", "commodity", "trade_id", "available", "utilised", "initial", "final"]
)
payloads = st.recursive(
    values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6), max_leaves=12
)
damaged_rows = st.lists(
    st.builds(lambda row, damage: row | damage, st.sampled_from([ROW, POSITION]), st.dictionaries(names, values)),
    max_size=3,
)


@given(payloads | damaged_rows | damaged_rows.map(lambda rows: {"net": rows, "day": []}))
def test_any_payload_is_read_or_unknown(data: Any) -> None:
    assert TRADING.gtt is not None
    operations: list[Operation[Any]] = [
        TRADING.orders(SESSION, CTX),
        ask_order("1", SESSION, CTX),
        TRADING.trades(SESSION, CTX),
        TRADING.positions(SESSION, CTX),
        TRADING.holdings(SESSION, CTX),
        TRADING.funds(SESSION, CTX),
        ask_margin([(CALL, SELL)], SESSION, CTX),
        ask_margin([(CALL, SELL), (INFY, SELL)], SESSION, CTX),
        TRADING.gtt.list(SESSION, CTX),
    ]
    for operation in operations:
        next(operation)
        with pytest.raises((StopIteration, Unknown)):
            operation.send(data)
