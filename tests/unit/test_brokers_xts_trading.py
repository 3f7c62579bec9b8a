"""XTS's orders and books: what goes out, and what an answer proves (xts.md, 3 and 4)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.canned import Canned, drive
from tests.unit.test_brokers_xts_login import CTX, DEALER, SESSION, failure, success
from tests.unit.test_brokers_xts_stream import NEWS

from sangam.brokers import fivepaisaxts, rmoney, wisdom
from sangam.model.books import Funds, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, TradingMode, Validity

SPEC = wisdom.SPEC
assert SPEC.trading is not None
TRADING = SPEC.trading
assert TRADING.convert is not None
convert = TRADING.convert
assert TRADING.margin is not None
margin = TRADING.margin
RELIANCE = Instrument(
    symbol="RELIANCE", exchange=Exchange.NSE, brsymbol="RELIANCE-EQ", brexchange="NSECM", token="2885"
)
ORDER = Order(
    id="L-ABCDEFGHJK",
    account="a1",
    user="u1",
    broker="wisdom",
    mode=TradingMode.LIVE,
    symbol="RELIANCE",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=1,
    price_type=PriceType.LIMIT,
    product=Product.MIS,
    price=Decimal("1233.05"),
)
OPEN = msgspec.structs.replace(ORDER, order_id="1110039096", native={"identifier": "tag01"})
TAKEN = success({"AppOrderID": 1110039096, "OrderUniqueIdentifier": "tag01"})
ACCEPTED = Accepted(order_id="1110039096", native={"identifier": "ABCDEFGHJK"})


def place(session: Any = SESSION, **terms: Any) -> dict[str, Any]:
    """What goes out for an order with these terms."""
    order = msgspec.structs.replace(ORDER, **terms)
    form: dict[str, Any] = drive(SPEC, TRADING.place(order, RELIANCE, session, CTX), TAKEN).request.json
    return form


# --- orders -----------------------------------------------------------------------------------------------------------


def test_an_order_has_numbers_for_numbers() -> None:
    told = drive(SPEC, TRADING.place(ORDER, RELIANCE, SESSION, CTX), TAKEN)
    assert told.result == ACCEPTED
    request = told.request
    assert (request.method, request.path, request.effect, request.lane) == ("POST", "/orders", "write", "orders")
    assert request.json == {
        "exchangeSegment": "NSECM",
        "exchangeInstrumentID": 2885,
        "productType": "MIS",
        "orderType": "LIMIT",
        "orderSide": "BUY",
        "timeInForce": "DAY",
        "disclosedQuantity": 0,
        "orderQuantity": 1,
        "limitPrice": 1233.05,
        "stopPrice": 0.0,
        "orderUniqueIdentifier": "ABCDEFGHJK",
        "apiOrderSource": "",
    }


@pytest.mark.parametrize(
    ("kind", "word", "limit", "stop"),
    [
        (PriceType.MARKET, "MARKET", 0.0, 0.0),
        (PriceType.LIMIT, "LIMIT", 5.5, 0.0),
        (PriceType.SL, "STOPLIMIT", 5.5, 6.5),
        (PriceType.SL_M, "STOPMARKET", 0.0, 6.5),
    ],
)
def test_only_the_prices_of_its_type_are_told(kind: PriceType, word: str, limit: float, stop: float) -> None:
    form = place(price_type=kind, price=Decimal("5.5"), trigger_price=Decimal("6.5"), validity=Validity.IOC)
    assert (form["orderType"], form["limitPrice"], form["stopPrice"]) == (word, limit, stop)
    assert form["timeInForce"] == "IOC"


def test_a_dealer_names_the_client_in_every_call() -> None:
    assert place(DEALER)["clientID"] == "C9"
    change = Change(quantity=2, price_type=PriceType.MARKET)
    told = drive(SPEC, TRADING.modify(OPEN, change, RELIANCE, DEALER, CTX), TAKEN)
    assert told.request.json["clientID"] == "C9"
    told = drive(SPEC, TRADING.cancel(OPEN, DEALER, CTX), TAKEN)
    assert told.request.query == {"appOrderID": "1110039096", "orderUniqueIdentifier": "tag01", "clientID": "C9"}


@pytest.mark.parametrize("told", [success({}), success(None), success({"AppOrderID": 0}), success([1]), {}, "?"])
def test_an_answer_without_a_number_is_no_acceptance(told: Any) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.place(ORDER, RELIANCE, SESSION, CTX), told)


def test_a_bad_request_was_never_an_order() -> None:
    with pytest.raises(Refused):
        drive(SPEC, TRADING.place(ORDER, RELIANCE, SESSION, CTX), failure("e-x", "Bad Request"))


def test_a_change_tells_every_term() -> None:
    change = Change(quantity=7, price_type=PriceType.SL, price=Decimal(1230), trigger_price=Decimal(1229))
    told = drive(SPEC, TRADING.modify(OPEN, change, RELIANCE, SESSION, CTX), TAKEN)
    assert told.request.method == "PUT"
    assert told.request.json == {
        "appOrderID": 1110039096,
        "modifiedProductType": "MIS",
        "modifiedOrderType": "STOPLIMIT",
        "modifiedOrderQuantity": 7,
        "modifiedDisclosedQuantity": 0,
        "modifiedLimitPrice": 1230.0,
        "modifiedStopPrice": 1229.0,
        "modifiedTimeInForce": "DAY",
        "orderUniqueIdentifier": "tag01",
    }


def test_an_order_placed_elsewhere_keeps_its_identifier_and_its_product() -> None:
    order = msgspec.structs.replace(OPEN, native={"identifier": "", "product": "CO"})
    change = Change(quantity=7, price_type=PriceType.MARKET)
    form = drive(SPEC, TRADING.modify(order, change, RELIANCE, SESSION, CTX), TAKEN).request.json
    assert (form["orderUniqueIdentifier"], form["modifiedProductType"]) == ("", "CO")
    query = drive(SPEC, TRADING.cancel(msgspec.structs.replace(OPEN, native={}), SESSION, CTX), TAKEN).request.query
    assert query == {"appOrderID": "1110039096", "orderUniqueIdentifier": "ABCDEFGHJK"}


def test_a_conversion() -> None:
    told = drive(SPEC, convert(RELIANCE, Product.MIS, Product.CNC, -10, SESSION, CTX), success({}))
    assert (told.request.path, told.request.effect) == ("/portfolio/positions/convert", "write")
    assert told.request.json == {
        "exchangeSegment": "NSECM",
        "exchangeInstrumentID": 2885,
        "targetQty": 10,
        "isDayWise": False,
        "oldProductType": "MIS",
        "newProductType": "CNC",
    }


def test_commodities_are_not_ordered_until_their_unit_is_known() -> None:
    assert Exchange.MCX in SPEC.exchanges
    assert Exchange.MCX not in TRADING.products
    assert set(TRADING.products) == {Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO, Exchange.CDS}


def test_margins_are_asked_where_they_are_known_to_be_told() -> None:
    trading = fivepaisaxts.SPEC.trading
    assert trading is not None
    assert trading.margin is None


# --- books ------------------------------------------------------------------------------------------------------------

EMPTY_BOOKS = [
    (TRADING.orders, "e-orders-0005"),
    (TRADING.trades, "e-tradebook-0005"),
    (TRADING.positions, "e-portfolio-0005"),
    (TRADING.holdings, "e-holdings-0005"),
]


@pytest.mark.parametrize(("read", "code"), EMPTY_BOOKS)
def test_an_empty_book_is_one_with_the_words_for_it(read: Any, code: str) -> None:
    assert drive(SPEC, read(SESSION, CTX), failure(code, "Data Not Available")).result == []
    for reply in (failure(code), success(None), success({}), success("x"), Canned([], 200)):
        with pytest.raises(Unknown):
            drive(SPEC, read(SESSION, CTX), reply)


def test_the_order_book_in_either_form_of_times() -> None:
    older = NEWS | {"OrderSide": "BUY", "OrderStatus": "Filled", "CumulativeQuantity": 10, "LeavesQuantity": 0}
    older |= {"OrderAverageTradedPrice": "1,233.50", "LastUpdateDateTime": "14-05-2021 11:17:29"}
    older |= {"OrderUniqueIdentifier": "", "ProductType": "CO"}
    first, second = drive(SPEC, TRADING.orders(SESSION, CTX), success([NEWS, older])).result
    assert (first.status, first.timestamp, first.average_price) == ("trigger pending", 1_735_705_815_237, 0.0)
    assert (second.status, second.average_price, second.timestamp) == ("complete", 1233.5, 1_620_971_249_000)
    assert second.product == "MIS"
    assert second.native == {"identifier": "", "client": "U1", "product": "CO"}


@pytest.mark.parametrize(
    "damage", [{"AppOrderID": None}, {"OrderQuantity": 1.5}, {"OrderSide": "?"}, {"CumulativeQuantity": "x"}]
)
def test_one_damaged_order_spoils_the_book(damage: dict[str, Any]) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.orders(SESSION, CTX), success([NEWS, NEWS | damage]))


def test_a_dealers_books_have_paths_of_their_own_and_other_clients() -> None:
    rows = [NEWS | {"ClientID": "C9"}, NEWS | {"ClientID": "C8"}]
    told = drive(SPEC, TRADING.orders(DEALER, CTX), success(rows))
    assert (told.request.path, told.request.query) == ("/orders/dealerorderbook", {"clientID": "C9"})
    assert len(told.result) == 1
    with pytest.raises(Refused, match="investors only") as caught:
        drive(SPEC, TRADING.funds(DEALER, CTX))
    assert not caught.value.sent


def test_trades_are_fills_not_orders() -> None:
    row = NEWS | {"LastTradedQuantity": 4, "LastTradedPrice": "1,233.05", "ExecutionID": "5", "OrderQuantity": 10}
    row |= {"LastExecutionTransactTime": "14-05-2021 11:17:29"}
    (trade,) = drive(SPEC, TRADING.trades(SESSION, CTX), success([row])).result
    assert trade == Trade(
        trade_id="5", order_id="1110039096", brsymbol="", brexchange="NSECM", token="2885", action=Action.BUY,
        product=Product.MIS, quantity=4, price=1233.05, timestamp=1_620_971_249_000,
    )  # fmt: skip
    with pytest.raises(Unknown, match="products that are not known"):
        drive(SPEC, TRADING.trades(SESSION, CTX), success([row | {"ProductType": "MTF"}]))
    with pytest.raises(Unknown, match="unknown form"):
        drive(SPEC, TRADING.trades(SESSION, CTX), success([row | {"OrderSide": "?"}]))


POSITION = {
    "AccountID": "U1", "TradingSymbol": "NIFTY 31DEC2020 CE 13900", "ExchangeSegment": "NSEFO",
    "ExchangeInstrumentId": "41376", "ProductType": "MIS", "Marketlot": "75", "Multiplier": "1",
    "BuyAveragePrice": "0.00", "SellAveragePrice": "82.70", "Quantity": "-75", "SellAmount": "6,202.50",
    "UnrealizedMTM": "1,485.00", "RealizedMTM": "0.00", "MTM": "1,485.00",
}  # fmt: skip
TOLD = success({"listQuotes": ['{"ExchangeSegment":2,"ExchangeInstrumentID":41376,"LastTradedPrice":62.9}']})
SHORT = Position(
    brsymbol="", brexchange="NSEFO", token="41376", product=Product.MIS, quantity=-75, average_price=82.7, ltp=62.9,
    pnl=1485.0,
)  # fmt: skip


@pytest.mark.parametrize("wrap", [lambda rows: {"positionList": rows}, lambda rows: rows])
def test_positions_with_prices_of_the_market(wrap: Any) -> None:
    """Amounts have commas, as real ones do; rmoney sends the list itself (rmoney.md, 4)."""
    closed = POSITION | {"Quantity": "0", "ProductType": "NRML", "MTM": "-10.50", "RealizedMTM": "-10.50"}
    other = POSITION | {"ProductType": "BO"}
    told = drive(SPEC, TRADING.positions(SESSION, CTX), success(wrap([POSITION, closed, other])), TOLD)
    assert told.requests[0].query == {"dayOrNet": "NetWise"}
    assert told.requests[1].json["instruments"] == [{"exchangeSegment": 2, "exchangeInstrumentID": 41376}]
    assert told.requests[1].auth == "market"
    flat = msgspec.structs.replace(
        SHORT, product=Product.NRML, quantity=0, average_price=0.0, pnl=-10.5, realised=-10.5
    )
    assert told.result == [SHORT, flat]


def test_positions_stand_without_market_data() -> None:
    """Its session may be somebody else's now."""
    rows = success({"positionList": [POSITION]})
    dead = failure("e-session-0007", "Invalid Token")
    told = drive(SPEC, TRADING.positions(SESSION, CTX), rows, dead)
    assert told.result == [msgspec.structs.replace(SHORT, ltp=0.0)]


def test_older_hosts_name_a_position_otherwise() -> None:
    row: dict[str, Any] = {
        name: value for name, value in POSITION.items() if name not in ("ExchangeInstrumentId", "Quantity")
    }
    row |= {"ExchangeInstrumentID": 41376, "NetPosition": -75}
    assert drive(SPEC, TRADING.positions(SESSION, CTX), success([row]), TOLD).result == [SHORT]


@pytest.mark.parametrize(
    "damage",
    [
        {"Quantity": ""}, {"Quantity": "7.5"}, {"ProductType": "?"}, {"ExchangeSegment": "X"},
        {"ExchangeInstrumentId": "4l376"},
    ],
)  # fmt: skip
def test_a_damaged_position_spoils_the_book(damage: dict[str, str]) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.positions(SESSION, CTX), success([POSITION | damage]))


HELD = {"HoldingQuantity": 10, "ExchangeNSEInstrumentId": 2885, "ExchangeBSEInstrumentId": 500325, "BuyAvgPrice": 100.0}


@pytest.mark.parametrize("older", [False, True])
def test_holdings(older: bool) -> None:
    bse = HELD | {"ExchangeNSEInstrumentId": -1, "IsBuyAvgPriceProvided": False}
    result: dict[str, Any] = {"RMSHoldings": {"Holdings": {"INE1": HELD, "INE2": bse}}}
    result = {"RMSHoldingList": [HELD, bse]} if older else result
    quotes = success({"listQuotes": ['{"ExchangeSegment":1,"ExchangeInstrumentID":2885,"LastTradedPrice":110}']})
    told = drive(SPEC, TRADING.holdings(SESSION, CTX), success(result), quotes)
    assert told.result == [
        Holding(brsymbol="", brexchange="NSECM", token="2885", quantity=10, average_price=100.0, ltp=110.0, pnl=100.0,
                pnl_percent=10.0),
        Holding(brsymbol="", brexchange="BSECM", token="500325", quantity=10),
    ]  # fmt: skip


def test_a_holding_of_nothing_is_no_holding() -> None:
    nameless = HELD | {"ExchangeNSEInstrumentId": 0, "ExchangeBSEInstrumentId": 0}
    broken: list[Any] = [{"RMSHoldings": each} for each in ({"Holdings": {"INE1": nameless}}, {}, None)]
    for result in broken:
        with pytest.raises(Unknown):
            drive(SPEC, TRADING.holdings(SESSION, CTX), success(result))


def test_funds_are_those_of_everything() -> None:
    limits = {"netMarginAvailable": "1,000.50", "marginUtilized": "20", "collateral": "NaN", "RealizedMTM": "-3"}
    entries = [
        {"limitHeader": "CASH|ALL|ALL", "limitObject": {"RMSSubLimits": {}}},
        {"limitHeader": "ALL|ALL|ALL", "limitObject": {"RMSSubLimits": limits}},
    ]
    told = drive(SPEC, TRADING.funds(SESSION, CTX), success({"BalanceList": entries}))
    assert told.result == Funds(available_cash=1000.5, utilised=20.0, m2m_realised=-3.0)
    broken: list[Any] = [{}, {"BalanceList": []}, {"BalanceList": entries[:1]}, {"BalanceList": [{}]}, None]
    for damaged in broken:
        with pytest.raises(Unknown):
            drive(SPEC, TRADING.funds(SESSION, CTX), success(damaged))


def test_the_margin_of_a_basket() -> None:
    leg = MarginLeg(
        action=Action.SELL, quantity=10, product=Product.MIS, price_type=PriceType.LIMIT, price=Decimal(1233)
    )
    told = drive(
        rmoney.SPEC,
        margin([(RELIANCE, leg)], SESSION, CTX),
        success({"brokerageDeatils": {"MarginRequired": 183820.35}}),
    )
    assert told.result == Margin(total=183820.35)
    assert told.request.effect == "read"
    assert told.request.json == {
        "portfolio": [
            {"exchange": 1, "exchangeInstrumentId": 2885, "productType": "MIS", "orderType": "LIMIT",
             "orderSide": "SELL", "quantity": 10, "price": 1233.0, "stopPrice": 0.0, "orderSessionType": 1}
        ]
    }  # fmt: skip
    broken: list[Any] = [{}, {"brokerageDeatils": {}}, None]
    for damaged in broken:
        with pytest.raises(Unknown):
            drive(rmoney.SPEC, margin([(RELIANCE, leg)], SESSION, CTX), success(damaged))
