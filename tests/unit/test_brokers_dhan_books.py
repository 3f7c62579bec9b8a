"""Books, funds, margins, quotes and candles on the documents' samples; damaged ones are unknown, never empty."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import EMPTY, Candle, Ctx, Operation, Reply, Request, Session
from sangam.brokers.dhan import SPEC
from sangam.brokers.families.dhan.history import kind_of
from sangam.model.books import Funds, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Action, Exchange, InstrumentType, PriceType, Product
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, DepthLevel
from sangam.model.order import OrderUpdate

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="dhan", generation=1, secrets={"client_id": "1", "access_token": "jwt"})
assert SPEC.trading is not None
TRADING = SPEC.trading
assert TRADING.order is not None
assert TRADING.find is not None
assert TRADING.margin is not None
ask_order, find, ask_margin = TRADING.order, TRADING.find, TRADING.margin
assert SPEC.data is not None
assert SPEC.data.history is not None
QUOTES, HISTORY = SPEC.data.quotes, SPEC.data.history

# dhan.md, 4
ORDER: dict[str, Any] = {
    "dhanClientId": "1000000003", "orderId": "112111182198", "correlationId": "123abc678", "orderStatus": "PENDING",
    "transactionType": "BUY", "exchangeSegment": "NSE_EQ", "productType": "INTRADAY", "orderType": "MARKET",
    "validity": "DAY", "tradingSymbol": "", "securityId": "11536", "quantity": 5, "disclosedQuantity": 0, "price": 0.0,
    "triggerPrice": 0.0, "afterMarketOrder": False, "createTime": "2021-11-24 13:33:03",
    "updateTime": "2021-11-24 13:33:03", "exchangeTime": "2021-11-24 13:33:03", "drvExpiryDate": None,
    "drvOptionType": None, "drvStrikePrice": 0.0, "omsErrorCode": None, "omsErrorDescription": "CONFIRMED",
    "algoId": "string", "remainingQuantity": 5, "averageTradedPrice": 0, "filledQty": 0,
}  # fmt: skip
TRADE: dict[str, Any] = {
    "dhanClientId": "1000000009", "orderId": "112111182045", "exchangeOrderId": "15112111182045",
    "exchangeTradeId": "15112111182045", "transactionType": "BUY", "exchangeSegment": "NSE_EQ",
    "productType": "INTRADAY", "orderType": "LIMIT", "tradingSymbol": "TCS", "securityId": "11536",
    "tradedQuantity": 40, "tradedPrice": 3345.8, "createTime": "2021-03-10 11:20:06",
    "updateTime": "2021-11-25 17:35:12", "exchangeTime": "2021-11-25 17:35:12", "drvExpiryDate": None,
    "drvOptionType": None, "drvStrikePrice": 0.0,
}  # fmt: skip
POSITION: dict[str, Any] = {
    "dhanClientId": "1000000009", "tradingSymbol": "TCS", "securityId": "11536", "positionType": "LONG",
    "exchangeSegment": "NSE_EQ", "productType": "CNC", "buyAvg": 3345.8, "buyQty": 40, "costPrice": 3215.0,
    "sellAvg": 0.0, "sellQty": 0, "netQty": 40, "realizedProfit": 0.0, "unrealizedProfit": 6122.0,
    "rbiReferenceRate": 1.0, "multiplier": 1, "dayBuyQty": 40, "daySellQty": 0, "drvExpiryDate": "0001-01-01",
    "crossCurrency": False,
}  # fmt: skip
HOLDING: dict[str, Any] = {
    "exchange": "ALL", "tradingSymbol": "HDFC", "securityId": "1330", "isin": "INE001A01036", "totalQty": 1000,
    "dpQty": 1000, "t1Qty": 0, "availableQty": 1000, "collateralQty": 0, "avgCostPrice": 2655.0,
}  # fmt: skip
FUNDS = {
    "dhanClientId": "1000000009", "availabelBalance": 98440.0, "sodLimit": 113642, "collateralAmount": 0.0,
    "receiveableAmount": 0.0, "utilizedAmount": 15202.0, "blockedPayoutAmount": 0.0, "withdrawableBalance": 98310.0,
}  # fmt: skip
MARGIN = {
    "totalMargin": 2800.0, "spanMargin": 1200.0, "exposureMargin": 1003.0, "availableBalance": 10500.0,
    "variableMargin": 1000.0, "insufficientBalance": 0.0, "brokerage": 20.0, "leverage": "4.00",
}  # fmt: skip
TCS = Instrument(symbol="TCS", exchange=Exchange.NSE, brsymbol="TCS", brexchange="NSE_EQ", token="11536")
NOVEMBER_24 = 1_637_740_983_000


def answer(operation: Operation[Any], payload: Any, status: int = 200) -> Any:
    request = next(operation)
    assert isinstance(request, Request)
    with pytest.raises(StopIteration) as stop:
        operation.send(SPEC.check(request, Reply(status, {}, payload)))
    return stop.value.value


# --- orders and trades ------------------------------------------------------------------------------------------------


def test_the_order_book() -> None:
    assert answer(TRADING.orders(SESSION, CTX), [ORDER]) == [
        OrderUpdate(
            order_id="112111182198",
            brsymbol="",
            brexchange="NSE_EQ",
            token="11536",
            action="BUY",
            quantity=5,
            status="open",
            product="MIS",
            price_type="MARKET",
            pending_quantity=5,
            tag="123abc678",
            timestamp=NOVEMBER_24,
        )
    ]


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"orderStatus": "TRANSIT"}, "open", ""),
        ({"orderStatus": "PART_TRADED", "filledQty": 2}, "open", ""),
        ({"orderStatus": "TRADED", "filledQty": 5}, "complete", ""),
        ({"orderStatus": "PENDING", "orderType": "STOP_LOSS"}, "trigger pending", ""),
        ({"orderStatus": "PART_TRADED", "orderType": "STOP_LOSS", "filledQty": 1}, "open", ""),
        ({"orderStatus": "REJECTED", "omsErrorDescription": "RMS:1:no"}, "rejected", "RMS:1:no"),
        ({"orderStatus": "CANCELLED", "omsErrorDescription": None}, "cancelled", ""),
        ({"orderStatus": "CANCELLED"}, "cancelled", ""),  # CONFIRMED stays there
        ({"orderStatus": "CANCELLED", "omsErrorDescription": "EOD"}, "cancelled", "EOD"),
        ({"orderStatus": "EXPIRED", "omsErrorDescription": None}, "cancelled", ""),
    ],
)
def test_statuses_and_reasons(changes: dict[str, Any], status: str, reason: str) -> None:
    (found,) = answer(TRADING.orders(SESSION, CTX), [ORDER | {"omsErrorDescription": "CONFIRMED"} | changes])
    assert (found.status, found.rejection_reason) == (status, reason)
    if status == "complete":
        assert found.pending_quantity == 0


def test_an_order_that_never_reached_the_exchange_has_no_time_of_year_one() -> None:
    (found,) = answer(TRADING.orders(SESSION, CTX), [ORDER | {"updateTime": "0001-01-01 00:00:00"}])
    assert found.timestamp == NOVEMBER_24


@pytest.mark.parametrize("payload", [ORDER, [ORDER]])
def test_one_order_comes_as_an_object_or_a_list(payload: Any) -> None:
    assert answer(ask_order("112111182198", SESSION, CTX), payload).order_id == "112111182198"


def test_an_order_that_is_not_known_is_none() -> None:
    assert answer(ask_order("1", SESSION, CTX), []) is None
    operation = ask_order("1", SESSION, CTX)
    next(operation)
    with pytest.raises(StopIteration) as stop:
        operation.throw(Refused("Dhan: Incorrect request for order and cannot be processed", "ORDER_ERROR", "DH-906"))
    assert stop.value.value is None
    operation = ask_order("1", SESSION, CTX)
    next(operation)
    with pytest.raises(Refused):
        operation.throw(Refused("Dhan: Order is in Transit state", "ORDER_ERROR", "DH-906"))


def test_an_order_is_found_by_its_tag() -> None:
    operation = find("123abc678", SESSION, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert request.path == "/orders/external/123abc678"
    with pytest.raises(StopIteration) as stop:
        operation.send(ORDER)
    assert [each.order_id for each in stop.value.value] == ["112111182198"]


def test_an_order_on_its_way_is_found_in_the_book() -> None:
    for rows, found in (([ORDER], 1), ([ORDER | {"correlationId": "123abc6789"}], 0), ([], 0)):
        operation = find("123abc678", SESSION, CTX)
        next(operation)
        request = operation.throw(
            Refused("Dhan: Incorrect request for order and cannot be processed", "ORDER_ERROR", "DH-906")
        )
        assert isinstance(request, Request)
        assert request.path == "/orders"
        with pytest.raises(StopIteration) as stop:
            operation.send(rows)
        assert len(stop.value.value) == found


def test_a_search_that_is_answered_with_no_data_goes_on_in_the_book() -> None:
    operation = find("123abc678", SESSION, CTX)
    next(operation)
    request = operation.send(EMPTY)
    assert isinstance(request, Request)
    assert request.path == "/orders"


def test_a_search_that_failed_found_nothing_out() -> None:
    operation = find("123abc678", SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.throw(Unknown("out of order"))


def test_the_trade_book() -> None:
    assert answer(TRADING.trades(SESSION, CTX), [TRADE]) == [
        Trade(
            trade_id="15112111182045",
            order_id="112111182045",
            brsymbol="",
            brexchange="NSE_EQ",
            token="11536",
            action=Action.BUY,
            product=Product.MIS,
            quantity=40,
            price=3345.8,
            timestamp=1_637_841_912_000,
        )
    ]
    operation = TRADING.trades(SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown, match="not known in the trade book: XYZ"):
        operation.send([TRADE | {"productType": "XYZ"}])


# --- the portfolio ----------------------------------------------------------------------------------------------------


def test_a_position_has_its_price_from_its_result() -> None:
    (found,) = answer(TRADING.positions(SESSION, CTX), [POSITION])
    assert found == Position(
        brsymbol="",
        brexchange="NSE_EQ",
        token="11536",
        product=Product.CNC,
        quantity=40,
        average_price=3215.0,
        ltp=3368.05,
        pnl=6122.0,
        multiplier=1.0,
    )


def test_short_closed_and_counted_positions() -> None:
    short = {"netQty": -10, "costPrice": 0.0, "sellAvg": 100.0, "unrealizedProfit": 50.0, "realizedProfit": 7.0}
    closed = {"netQty": 0, "unrealizedProfit": 0.0, "realizedProfit": 7.0}
    lots = {"exchangeSegment": "MCX_COMM", "productType": "MARGIN", "netQty": 2, "multiplier": 100, "costPrice": 6150.0}
    currency = {"exchangeSegment": "NSE_CURRENCY", "productType": "MARGIN", "netQty": 1, "multiplier": 1000}
    rows = [
        POSITION | short,
        POSITION | closed,
        POSITION | lots | {"unrealizedProfit": 400.0},
        POSITION | currency | {"costPrice": 95.6025, "unrealizedProfit": 2.5},
        POSITION | {"productType": "MTF"},
    ]
    found = answer(TRADING.positions(SESSION, CTX), rows)
    assert [(each.quantity, each.average_price, each.ltp, each.pnl) for each in found] == [
        (-10, 100.0, 95.0, 57.0),
        (0, 0.0, 0.0, 7.0),
        (2, 6150.0, 6152.0, 400.0),
        (1, 95.6025, 95.605, 2.5),
    ]


@pytest.mark.parametrize(
    ("changes", "segment", "ltp", "pnl"),
    [
        ({}, "NSE_EQ", 0.0, 0.0),
        ({"lastTradedPrice": 2700.0}, "NSE_EQ", 2700.0, 45_000.0),
        ({"exchange": "BSE"}, "BSE_EQ", 0.0, 0.0),
    ],
)
def test_holdings(changes: dict[str, Any], segment: str, ltp: float, pnl: float) -> None:
    (found,) = answer(TRADING.holdings(SESSION, CTX), [HOLDING | changes])
    assert found == Holding(
        brsymbol="HDFC",
        brexchange=segment,
        token="1330",
        quantity=1000,
        average_price=2655.0,
        ltp=ltp,
        pnl=pnl,
        pnl_percent=pnl / 26_550,
    )


def test_no_holdings_come_as_an_error() -> None:
    nothing = {"errorType": "HOLDING_ERROR", "errorCode": "DH-1111", "errorMessage": "No holdings available"}
    assert answer(TRADING.holdings(SESSION, CTX), nothing, 500) == []


def test_funds() -> None:
    assert answer(TRADING.funds(SESSION, CTX), FUNDS) == Funds(available_cash=98440.0, utilised=15202.0)


SELL = MarginLeg(
    action=Action.SELL, quantity=5, product=Product.CNC, price_type=PriceType.SL, price=Decimal(1428),
    trigger_price=Decimal(1427),
)  # fmt: skip


def test_the_margin_of_one_order() -> None:
    operation = ask_margin([(TCS, SELL)], SESSION, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert (request.method, request.path, request.effect) == ("POST", "/margincalculator", "read")
    assert request.json == {
        "dhanClientId": "1", "exchangeSegment": "NSE_EQ", "transactionType": "SELL", "quantity": 5,
        "productType": "CNC", "securityId": "11536", "price": 1428.0, "triggerPrice": 1427.0,
    }  # fmt: skip
    with pytest.raises(StopIteration) as stop:
        operation.send(MARGIN)
    assert stop.value.value == Margin(total=2800.0, span=1200.0, exposure=1003.0)


@pytest.mark.parametrize(
    "told",
    [
        {"total_margin": "150000.00", "span_margin": "50000.00", "exposure_margin": "30000.00", "hedge_benefit": ""},
        {"totalMargin": 150000.0, "spanMargin": 50000.0, "exposureMargin": 30000.0},
    ],
)
def test_the_margin_of_several_is_documented_twice(told: dict[str, Any]) -> None:
    operation = ask_margin([(TCS, SELL), (TCS, SELL)], SESSION, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert request.path == "/margincalculator/multi"
    assert len(request.json["scripList"]) == 2
    with pytest.raises(StopIteration) as stop:
        operation.send(told)
    assert stop.value.value == Margin(total=150_000.0, span=50_000.0, exposure=30_000.0)


# --- quotes and candles -----------------------------------------------------------------------------------------------

# dhan.md, 5
QUOTE: dict[str, Any] = {
    "average_price": 0, "buy_quantity": 1825,
    "depth": {
        "buy": [{"quantity": 1800, "orders": 1, "price": 77}, {"quantity": 25, "orders": 1, "price": 50}],
        "sell": [{"quantity": 0, "orders": 0, "price": 0}],
    },
    "last_price": 368.150390625, "last_quantity": 0, "last_trade_time": "01/01/1980 00:00:00",
    "lower_circuit_limit": 48.25, "net_change": 0, "ohlc": {"open": 0, "close": 368.15, "high": 0, "low": 0}, "oi": 0,
    "oi_day_high": 0, "oi_day_low": 0, "sell_quantity": 0, "upper_circuit_limit": 510.85, "volume": 0,
}  # fmt: skip
OPTION = Instrument(
    symbol="NIFTY27FEB2529200CE", exchange=Exchange.NFO, brsymbol="x", brexchange="NSE_FNO", token="49081",
    name="NIFTY", instrument_type=InstrumentType.CE, expiry=date(2025, 2, 27), strike=29200.0,
)  # fmt: skip
NIFTY = Instrument(
    symbol="NIFTY", exchange=Exchange.NSE_INDEX, brsymbol="NIFTY", brexchange="IDX_I", token="13",
    instrument_type=InstrumentType.INDEX,
)  # fmt: skip


def test_quotes() -> None:
    operation = QUOTES([OPTION, NIFTY, TCS], SESSION, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert (request.path, request.lane) == ("/marketfeed/quote", "quote")
    assert request.json == {"NSE_FNO": [49081], "IDX_I": [13], "NSE_EQ": [11536]}
    told = {"NSE_FNO": {"49081": QUOTE}, "IDX_I": {"13": QUOTE}, "NSE_EQ": {}}
    with pytest.raises(StopIteration) as stop:
        operation.send(SPEC.check(request, Reply(200, {}, {"data": told, "status": "success"})))
    option, index = stop.value.value
    assert (option.key, index.key) == (OPTION, NIFTY)
    assert option.fields["ltp"] == 368.15  # a single float written out
    assert "ltt" not in option.fields
    assert (option.fields["oi"], option.fields["upper_circuit"]) == (0, 510.85)
    assert option.depth == Depth([DepthLevel(77, 1800, 1), DepthLevel(50, 25, 1)], [])
    assert index.fields.keys() == {"ltp", "open", "high", "low", "close"}
    assert index.depth is None


def test_the_time_of_a_quote_is_indias() -> None:
    quote = QUOTE | {"last_trade_time": "18/08/2026 10:00:00"}
    (share,) = answer(QUOTES([TCS], SESSION, CTX), {"data": {"NSE_EQ": {"11536": quote}}, "status": "success"})
    assert share.fields["ltt"] == 1_787_027_400_000
    assert "oi" not in share.fields


def test_minutes_and_days() -> None:
    operation = HISTORY(TCS, "5m", date(2026, 8, 1), date(2026, 8, 18), SESSION, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert (request.path, request.lane) == ("/charts/intraday", "data")
    assert request.json == {
        "securityId": "11536", "exchangeSegment": "NSE_EQ", "instrument": "EQUITY", "oi": False, "interval": "5",
        "fromDate": "2026-08-01 00:00:00", "toDate": "2026-08-18 23:59:59",
    }  # fmt: skip
    told = {"open": [1.0], "high": [2.0], "low": [0.5], "close": [1.5], "volume": [10], "timestamp": [1328845500.0]}
    with pytest.raises(StopIteration) as stop:
        operation.send(told)
    assert stop.value.value == [Candle(1_328_845_500, 1.0, 2.0, 0.5, 1.5, 10, 0)]
    operation = HISTORY(OPTION, "D", date(2012, 1, 11), date(2012, 1, 12), SESSION, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert (request.path, request.json["toDate"]) == ("/charts/historical", "2012-01-13")  # which is exclusive
    assert (request.json["oi"], request.json["instrument"]) == (True, "OPTIDX")
    sample = {  # dhan.md, 5
        "open": [3978, 3856], "high": [3978, 3925], "low": [3861, 3856], "close": [3879.85, 3915.9],
        "volume": [3937092, 1906106], "timestamp": [1326220200, 1326306600], "open_interest": [0, 7],
    }  # fmt: skip
    with pytest.raises(StopIteration) as stop:
        operation.send(sample)
    assert [(bar.timestamp, bar.oi) for bar in stop.value.value] == [(1_326_240_000, 0), (1_326_326_400, 7)]


@pytest.mark.parametrize("payload", [EMPTY, {}, {"open": [], "timestamp": []}])
def test_no_candles_are_none(payload: Any) -> None:
    operation = HISTORY(TCS, "1m", date(2026, 8, 15), date(2026, 8, 16), SESSION, CTX)
    next(operation)
    with pytest.raises(StopIteration) as stop:
        operation.send(payload)
    assert stop.value.value == []


@pytest.mark.parametrize(
    ("exchange", "name", "kind", "told"),
    [
        (Exchange.NFO, "NIFTY", InstrumentType.FUT, "FUTIDX"),
        (Exchange.NFO, "RELIANCE", InstrumentType.FUT, "FUTSTK"),
        (Exchange.BFO, "SENSEX", InstrumentType.PE, "OPTIDX"),
        (Exchange.BFO, "RELIANCE", InstrumentType.PE, "OPTSTK"),
        (Exchange.CDS, "USDINR", InstrumentType.CE, "OPTCUR"),
        (Exchange.MCX, "GOLD", InstrumentType.FUT, "FUTCOM"),
        (Exchange.MCX, "GOLD", InstrumentType.CE, "OPTFUT"),
        (Exchange.MCX, "MCXBULLDEX", InstrumentType.FUT, "FUTIDX"),
    ],
)
def test_the_charts_names_of_derivatives(exchange: Exchange, name: str, kind: InstrumentType, told: str) -> None:
    contract = Instrument(
        symbol="x", exchange=exchange, brsymbol="x", brexchange="x", token="1", name=name, instrument_type=kind,
        expiry=date(2026, 8, 25),
    )  # fmt: skip
    assert kind_of(contract) == told
    assert (kind_of(NIFTY), kind_of(TCS)) == ("INDEX", "EQUITY")


# --- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [None, {}, "x", [POSITION, {}], [POSITION | {"netQty": "x"}], [POSITION | {"netQty": 1.5}]]
)
def test_a_failed_read_of_positions_is_not_flat(data: Any) -> None:
    """Promise 7: one damaged row spoils the whole read."""
    operation = TRADING.positions(SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send(data)


values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
names = st.sampled_from(
    [*ORDER, *TRADE, *POSITION, *HOLDING, *FUNDS, *MARGIN, "data", "timestamp", "open", "total_margin"]
)
payloads = st.recursive(
    values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6), max_leaves=12
)
rows = st.lists(
    st.builds(
        lambda row, damage: row | damage,
        st.sampled_from([ORDER, TRADE, POSITION, HOLDING, FUNDS, MARGIN]),
        st.dictionaries(names, values),
    ),
    max_size=3,
)


@given(payloads | rows | rows.map(lambda found: {"data": {"NSE_EQ": {str(n): row for n, row in enumerate(found)}}}))
def test_any_payload_is_read_or_unknown(data: Any) -> None:
    assert TRADING.gtt is not None
    operations: list[Operation[Any]] = [
        TRADING.orders(SESSION, CTX),
        ask_order("1", SESSION, CTX),
        TRADING.trades(SESSION, CTX),
        TRADING.positions(SESSION, CTX),
        TRADING.holdings(SESSION, CTX),
        TRADING.funds(SESSION, CTX),
        ask_margin([(TCS, SELL)], SESSION, CTX),
        ask_margin([(TCS, SELL), (TCS, SELL)], SESSION, CTX),
        TRADING.gtt.list(SESSION, CTX),
        QUOTES([TCS], SESSION, CTX),
        HISTORY(TCS, "D", date(2026, 8, 1), date(2026, 8, 2), SESSION, CTX),
    ]
    for operation in operations:
        next(operation)
        with pytest.raises((StopIteration, Unknown)):
            operation.send(data)
