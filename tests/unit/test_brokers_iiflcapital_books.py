"""IIFL Capital: books on the samples of its portal, as rupees."""

from typing import Any

import pytest
from tests.canned import Canned, drive

from sangam.brokers.contract import Ctx, Session
from sangam.brokers.iiflcapital import SPEC
from sangam.model.books import Funds, Holding, Position, Trade
from sangam.model.enums import Action, Product
from sangam.model.errors import SessionExpired, Unknown

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="iiflcapital", generation=1)
assert SPEC.trading is not None
TRADING = SPEC.trading

ORDER = {
    "clientId": "TEST102", "placedBy": "TEST102", "brokerOrderId": "240920000000124",
    "exchangeOrderId": "1100000000089930", "orderStatus": "cancelled", "formattedInstrumentName": "INFOSYS LIMITED",
    "tradingSymbol": "INFY-EQ", "instrumentId": "1594", "exchange": "NSEEQ", "transactionType": "BUY", "quantity": "1",
    "product": "INTRADAY", "orderComplexity": "REGULAR", "orderType": "LIMIT", "price": "1800.0",
    "averageTradedPrice": "0.0", "slTriggerPrice": "0.0", "validity": "DAY", "disclosedQty": "0",
    "marketProtectionPercent": "0.0", "exchangeTimestamp": "20-Sep-2024 16:05:33",
    "exchangeUpdateTime": "20-Sep-2024 16:05:32", "rejectionReason": "", "mainLegOrderId": "NA",
    "pendingQuantity": "1", "filledQuantity": "0", "appKey": "NA", "apiOrderSource": "API", "algoId": "",
    "source": "API", "orderTag": "NA", "brokerUpdateTime": "",
}  # fmt: skip
TRADE = {
    "brokerOrderId": "240807000000068", "exchangeTradeId": "893487609000000", "tradingSymbol": "IDEA-EQ",
    "instrumentId": "14366", "exchange": "NSEEQ", "transactionType": "BUY", "product": "NORMAL",
    "orderType": "MARKET", "tradedPrice": "15.60", "filledQuantity": "50", "fillTimestamp": "07-Aug-2024 16:14:17",
    "orderTag": "NA",
}  # fmt: skip
POSITION = {
    "instrumentId": "35382", "tradingSymbol": "NIFTY24OCTFUT", "formattedInstrumentName": "NIFTY 31 Oct 2024",
    "exchange": "NSEFO", "product": "NORMAL", "netQuantity": 50, "netAveragePrice": "0", "overnightQuantity": 25,
    "overnightPrice": "25000", "buyQuantity": 50, "buyPrice": 2511846.16, "sellQuantity": 0, "sellPrice": 0,
    "dayBuyQuantity": "25", "dayBuyPrice": 2511846.16, "dayBuyValue": "627961.54", "daySellQuantity": "0",
    "daySellPrice": "0.00", "daySellValue": "0.00", "multiplier": "1", "lotSize": "25", "tickSize": "0.05",
    "previousDayClose": "26308.85",
}  # fmt: skip
HOLDING = {
    "isin": "INE002A01018", "nseInstrumentId": "2885", "bseInstrumentId": "500325", "nseTradingSymbol": "RELIANCE-EQ",
    "bseTradingSymbol": "RELIANCE", "product": "DELIVERY", "totalQuantity": 300, "dpQuantity": 300, "t1Quantity": 0,
    "averageTradedPrice": "2800.00", "previousDayClose": "2700",
}  # fmt: skip


def ok(result: Any) -> dict[str, Any]:
    return {"status": "Ok", "message": "Success", "result": result}


def quote(segment: str, token: str, ltp: float) -> dict[str, Any]:
    return ok([{"exchange": segment, "instrumentId": int(token), "ltp": ltp}])


# --- orders -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [[ORDER], ok([ORDER])])
def test_the_sample_of_an_order(payload: Any) -> None:
    told = drive(SPEC, TRADING.orders(SESSION, CTX), payload)
    assert (told.request.path, told.request.lane) == ("/orders", "orderbook")
    (row,) = told.result
    assert (row.order_id, row.brsymbol, row.brexchange, row.token) == ("240920000000124", "INFY-EQ", "NSEEQ", "1594")
    assert (row.action, row.quantity, row.status, row.product) == ("BUY", 1, "cancelled", "MIS")
    assert (row.price_type, row.price, row.tag) == ("LIMIT", 1800.0, "")
    assert row.timestamp == 1_726_828_533_000


@pytest.mark.parametrize(
    ("word", "kind", "filled", "status"),
    [
        ("open", "LIMIT", "0", "open"),
        ("open", "SL", "0", "open"),
        ("complete", "LIMIT", "1", "complete"),
        ("EXECUTED", "LIMIT", "1", "complete"),
        ("TRIGGER_PENDING", "SL", "0", "trigger pending"),
        ("put order req received", "SL", "0", "trigger pending"),
        ("PUT ORDER REQ RECEIVED", "LIMIT", "0", "open"),
        ("PARTIALLY_FILLED", "SL", "1", "open"),
        ("rejected", "LIMIT", "0", "rejected"),
        ("something new", "LIMIT", "0", "open"),
    ],
)
def test_every_word_for_a_state(word: str, kind: str, filled: str, status: str) -> None:
    row = ORDER | {"orderStatus": word, "orderType": kind, "filledQuantity": filled}
    assert drive(SPEC, TRADING.orders(SESSION, CTX), [row]).result[0].status == status


def test_a_tag_and_a_disclosed_quantity_come_back() -> None:
    row = ORDER | {"orderTag": "ABCDEFGHJKmine", "disclosedQty": "5", "brokerUpdateTime": "20-Sep-2024 16:05:40"}
    (told,) = drive(SPEC, TRADING.orders(SESSION, CTX), [row]).result
    assert (told.tag, told.disclosed_quantity, told.timestamp) == ("ABCDEFGHJKmine", 5, 1_726_828_540_000)


@pytest.mark.parametrize(
    "damage", [{"brokerOrderId": ""}, {"transactionType": "?"}, {"quantity": "1.5"}, {"price": "nan"}, {"status": 1}]
)
def test_one_damaged_row_spoils_the_book(damage: dict[str, Any]) -> None:
    rows = [ORDER, ORDER | damage]
    if "status" in damage:
        rows = [ORDER, damage]
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.orders(SESSION, CTX), rows)


@pytest.mark.parametrize("status", [None, 5, [], {}])
def test_an_answer_whose_status_is_none_is_no_empty_book(status: Any) -> None:
    for payload in ({"status": status}, [{"status": status}]):
        with pytest.raises(Unknown):
            drive(SPEC, TRADING.orders(SESSION, CTX), payload)


# --- the others -------------------------------------------------------------------------------------------------------


def test_a_trade() -> None:
    told = drive(SPEC, TRADING.trades(SESSION, CTX), [TRADE])
    assert told.result == [
        Trade(
            trade_id="893487609000000",
            order_id="240807000000068",
            brsymbol="IDEA-EQ",
            brexchange="NSEEQ",
            token="14366",
            action=Action.BUY,
            product=Product.NRML,
            quantity=50,
            price=15.6,
            timestamp=1_723_027_457_000,
        )
    ]
    with pytest.raises(Unknown, match="NOVELTY"):
        drive(SPEC, TRADING.trades(SESSION, CTX), [TRADE | {"product": "NOVELTY"}])
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.trades(SESSION, CTX), [TRADE | {"transactionType": "X"}])


def test_a_position_is_worked_out_of_its_values() -> None:
    """Whatever scale the prices beside them have."""
    told = drive(SPEC, TRADING.positions(SESSION, CTX), ok([POSITION]), quote("NSEFO", "35382", 25200.0))
    assert told.requests[1].json == [{"exchange": "NSEFO", "instrumentId": "35382"}]
    (row,) = told.result
    assert isinstance(row, Position)
    assert (row.quantity, row.product, row.token, row.ltp) == (50, Product.NRML, "35382", 25200.0)
    assert row.average_price == pytest.approx((25 * 25000 + 627961.54) / 50)
    assert row.pnl == pytest.approx(50 * 25200 - 25 * 25000 - 627961.54)
    assert row.realised == 0.0


def test_a_short_a_closed_and_a_foreign_position() -> None:
    short = POSITION | {
        "netQuantity": -25, "overnightQuantity": -50, "overnightPrice": "25100", "dayBuyValue": "625000",
        "dayBuyQuantity": 25,
    }  # fmt: skip
    closed = POSITION | {
        "instrumentId": "1", "netQuantity": 0, "overnightQuantity": 0, "dayBuyValue": "625000", "dayBuyQuantity": 25,
        "daySellQuantity": "25", "daySellValue": "626000",
    }  # fmt: skip
    later = POSITION | {"instrumentId": "2", "product": "BNPL"}
    told = drive(SPEC, TRADING.positions(SESSION, CTX), [short, closed, later], quote("NSEFO", "35382", 25000.0))
    one, two = told.result
    assert (one.quantity, one.average_price) == (-25, 25100.0)
    assert one.pnl == pytest.approx(50 * 25100 - 625000 - 25 * 25000)
    assert one.realised == pytest.approx(25 * (25100 - 25000))
    assert (two.quantity, two.average_price, two.pnl, two.realised) == (0, 0.0, 1000.0, 1000.0)


def test_positions_stand_without_prices_but_not_without_a_session() -> None:
    for trouble in (Canned("", 429), Canned("", 503), ok([])):
        (row,) = drive(SPEC, TRADING.positions(SESSION, CTX), ok([POSITION]), trouble).result
        assert (row.quantity, row.ltp, row.pnl) == (50, 0.0, 0.0)
    with pytest.raises(SessionExpired):
        drive(SPEC, TRADING.positions(SESSION, CTX), ok([POSITION]), Canned({"status": "EC044"}, 401))


@pytest.mark.parametrize(
    "damage",
    [{"dayBuyValue": "0"}, {"daySellValue": "10"}, {"netQuantity": 75}, {"netQuantity": -50}, {"overnightQuantity": 0}],
)
def test_where_values_and_quantities_do_not_fit_the_quantity_alone_is_told(damage: dict[str, Any]) -> None:
    row = POSITION | {"overnightQuantity": 0, "netQuantity": 25} | damage
    row |= {"netQuantity": 26} if "overnightQuantity" in damage else {}
    (told,) = drive(SPEC, TRADING.positions(SESSION, CTX), ok([row]), quote("NSEFO", "35382", 25200.0)).result
    assert (told.quantity, told.ltp) == (row["netQuantity"], 25200.0)
    assert (told.average_price, told.pnl, told.realised) == (0.0, 0.0, 0.0)


def test_an_empty_position_book_asks_for_no_prices() -> None:
    assert drive(SPEC, TRADING.positions(SESSION, CTX), ok([])).result == []


@pytest.mark.parametrize("damage", [{"product": "NOVELTY"}, {"multiplier": "0"}, {"netQuantity": "1.5"}])
def test_a_damaged_position_spoils_the_book(damage: dict[str, Any]) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.positions(SESSION, CTX), ok([POSITION | damage]))


def test_holdings_are_priced_by_the_exchange_that_names_them() -> None:
    told = drive(SPEC, TRADING.holdings(SESSION, CTX), ok([HOLDING]), quote("NSEEQ", "2885", 2940.0))
    assert told.result == [
        Holding(
            brsymbol="RELIANCE-EQ", brexchange="NSEEQ", token="2885", quantity=300, average_price=2800.0, ltp=2940.0,
            pnl=42_000.0, pnl_percent=5.0,
        )
    ]  # fmt: skip
    only_bse = HOLDING | {"nseInstrumentId": "", "nseTradingSymbol": ""}
    (row,) = drive(SPEC, TRADING.holdings(SESSION, CTX), ok([only_bse]), quote("BSEEQ", "500325", 2940.0)).result
    assert (row.brsymbol, row.brexchange, row.token, row.ltp) == ("RELIANCE", "BSEEQ", "500325", 2940.0)


def test_the_row_of_zeros_is_no_holding_and_shares_without_a_name_are_no_book() -> None:
    nameless = HOLDING | {"nseInstrumentId": "", "bseInstrumentId": None}
    assert drive(SPEC, TRADING.holdings(SESSION, CTX), ok([nameless | {"totalQuantity": 0}])).result == []
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.holdings(SESSION, CTX), ok([nameless]))


def test_funds() -> None:
    told = drive(
        SPEC,
        TRADING.funds(SESSION, CTX),
        ok({"tradingLimit": "1000.50", "collateralMargin": "20", "utilizedMargin": 30, "adhocMargin": None}),
    )
    assert told.result == Funds(available_cash=1000.5, collateral=20.0, utilised=30.0)
