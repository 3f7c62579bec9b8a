"""Orders, conversions, rules and books: what goes out, and what an answer proves."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.canned import Canned, drive

from sangam.brokers.angel import SPEC
from sangam.brokers.contract import Ctx, Session, unsigned
from sangam.model.books import Funds, Gtt, GttLeg, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.clock import IST
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import BrokerError, DecodeError, RateLimited, Refused, SessionExpired, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, TradingMode, Validity

NOON = datetime(2020, 10, 20, 12, 0, tzinfo=IST)
CTX = Ctx(int(NOON.timestamp() * 1000), bytes)
SESSION = Session(account="a1", broker="angel", generation=1)
SBIN = Instrument(symbol="SBIN", exchange=Exchange.NSE, brsymbol="SBIN-EQ", brexchange="NSE", token="3045")
ORDER = Order(
    id="L-ABCDEFGHJK",
    account="a1",
    user="u1",
    broker="angel",
    mode=TradingMode.LIVE,
    symbol="SBIN",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=1,
    price_type=PriceType.LIMIT,
    product=Product.MIS,
    price=Decimal("194.50"),
)
OPEN = msgspec.structs.replace(ORDER, order_id="201020000000080", native={"variety": "NORMAL"})
TAKEN = {"script": "SBIN-EQ", "orderid": "201020000000080", "uniqueorderid": "c7db6526-3f32-47c3-a41e-0e5cb6aad365"}
assert SPEC.trading is not None
TRADING = SPEC.trading
assert TRADING.gtt is not None
GTT = TRADING.gtt
NOTHING: tuple[Any, ...] = (None, [])
assert TRADING.convert is not None
convert = TRADING.convert
assert TRADING.margin is not None
margin = TRADING.margin


def success(data: Any) -> dict[str, Any]:
    return {"status": True, "message": "SUCCESS", "errorcode": "", "data": data}


def failure(code: str, text: str = "no") -> dict[str, Any]:
    return {"status": False, "message": text, "errorcode": code, "data": None}


def place(**terms: Any) -> dict[str, Any]:
    """What goes out for an order with these terms."""
    order = msgspec.structs.replace(ORDER, **terms)
    form: dict[str, Any] = drive(SPEC, TRADING.place(order, SBIN, SESSION, CTX), success(TAKEN)).request.json
    return form


# --- orders -----------------------------------------------------------------------------------------------------------


def test_an_order_is_all_text() -> None:
    told = drive(SPEC, TRADING.place(ORDER, SBIN, SESSION, CTX), success(TAKEN))
    assert told.result == Accepted(order_id="201020000000080", native={"variety": "NORMAL"})
    assert told.request.path == "/rest/secure/angelbroking/order/v1/placeOrder"
    assert (told.request.method, told.request.effect, told.request.lane) == ("POST", "write", "orders")
    assert told.request.json == {
        "variety": "NORMAL",
        "tradingsymbol": "SBIN-EQ",
        "symboltoken": "3045",
        "exchange": "NSE",
        "transactiontype": "BUY",
        "ordertype": "LIMIT",
        "producttype": "INTRADAY",
        "duration": "DAY",
        "price": "194.50",
        "triggerprice": "0",
        "squareoff": "0",
        "stoploss": "0",
        "quantity": "1",
        "disclosedquantity": "0",
        "ordertag": "ABCDEFGHJK",
    }


@pytest.mark.parametrize(
    ("price_type", "told"),
    [
        (PriceType.MARKET, ("NORMAL", "MARKET", "0", "0")),
        (PriceType.LIMIT, ("NORMAL", "LIMIT", "194.50", "0")),
        (PriceType.SL, ("STOPLOSS", "STOPLOSS_LIMIT", "194.50", "193")),
        (PriceType.SL_M, ("STOPLOSS", "STOPLOSS_MARKET", "0", "193")),
    ],
)
def test_a_stop_is_of_another_variety(price_type: PriceType, told: tuple[str, ...]) -> None:
    form = place(price_type=price_type, trigger_price=Decimal(193))
    assert tuple(form[name] for name in ("variety", "ordertype", "price", "triggerprice")) == told


def test_products_validity_disclosure_and_the_tag() -> None:
    words = {product: place(product=product)["producttype"] for product in Product}
    assert words == {Product.CNC: "DELIVERY", Product.NRML: "CARRYFORWARD", Product.MIS: "INTRADAY"}
    assert place(validity=Validity.IOC)["duration"] == "IOC"
    assert place(disclosed_quantity=5)["disclosedquantity"] == "5"
    assert place(tag="my own words")["ordertag"] == "ABCDEFGHJKmyownword"  # 19 characters: less than 20
    assert Exchange.MCX in TRADING.no_ioc


def test_surveillance_is_not_consented_to_for_the_user() -> None:
    assert "scripconsent" not in place()


def modify(order: Order = OPEN, **terms: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"quantity": 2, "price_type": PriceType.LIMIT, "price": Decimal(195)}
    change = Change(**(asked | terms))
    told = drive(SPEC, TRADING.modify(order, change, SBIN, SESSION, CTX), success(TAKEN))
    assert told.result == Accepted(order_id="201020000000080", native={"variety": told.request.json["variety"]})
    form: dict[str, Any] = told.request.json
    return form


def test_a_change() -> None:
    assert modify() == {
        "variety": "NORMAL",
        "orderid": "201020000000080",
        "ordertype": "LIMIT",
        "producttype": "INTRADAY",
        "duration": "DAY",
        "price": "195",
        "triggerprice": "0",
        "quantity": "2",
        "disclosedquantity": "0",
        "tradingsymbol": "SBIN-EQ",
        "symboltoken": "3045",
        "exchange": "NSE",
    }


def test_the_variety_goes_with_the_terms_but_of_orders_that_have_their_own() -> None:
    assert modify(price_type=PriceType.SL, trigger_price=Decimal(190))["variety"] == "STOPLOSS"
    stop = msgspec.structs.replace(OPEN, native={"variety": "STOPLOSS"})
    assert modify(stop)["variety"] == "NORMAL"
    assert modify(msgspec.structs.replace(OPEN, native={"variety": "AMO"}))["variety"] == "AMO"


def test_an_order_of_another_product_keeps_it() -> None:
    (told,) = book([ROW | {"producttype": "MARGIN", "status": "open"}])
    assert told.product == "CNC"
    foreign = msgspec.structs.replace(OPEN, product=Product.CNC, native=told.native)
    assert modify(foreign)["producttype"] == "MARGIN"


@pytest.mark.parametrize(
    ("order", "variety"),
    [
        (OPEN, "NORMAL"),
        (msgspec.structs.replace(OPEN, native={"variety": "AMO"}), "AMO"),
        (msgspec.structs.replace(OPEN, native={}), "NORMAL"),
        (msgspec.structs.replace(OPEN, native={}, price_type=PriceType.SL_M), "STOPLOSS"),
    ],
)
def test_a_cancel(order: Order, variety: str) -> None:
    told = drive(SPEC, TRADING.cancel(order, SESSION, CTX), success(TAKEN))
    assert told.request.json == {"variety": variety, "orderid": "201020000000080"}
    assert told.request.effect == "write"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (failure("AB1009", "Symbol Not Found"), Refused),
        (failure("AB1013", "Order not found"), Refused),
        ({"success": False, "message": "Invalid Token", "errorCode": "AG8001", "data": ""}, SessionExpired),
        (Canned("Access denied because of exceeding access rate", 403), RateLimited),
        (failure("AB1004"), Unknown),
        (failure("AB2001"), Unknown),
        (Canned("<html>", 502), Unknown),
        (failure("AB1008", "Request timed out."), Unknown),
        (success(None), Unknown),
        (success({"script": "SBIN-EQ"}), Unknown),
        (success({"orderid": ""}), Unknown),
        (success({"orderid": None}), Unknown),
        (success([]), Unknown),
        ("<html>", Unknown),
    ],
)
def test_what_an_answer_proves(reply: Any, error: type[BrokerError]) -> None:
    change = Change(quantity=2, price_type=PriceType.LIMIT, price=Decimal(195))
    for operation in (
        TRADING.place(ORDER, SBIN, SESSION, CTX),
        TRADING.modify(OPEN, change, SBIN, SESSION, CTX),
        TRADING.cancel(OPEN, SESSION, CTX),
    ):
        with pytest.raises(error) as caught:
            drive(SPEC, operation, reply)
        assert type(caught.value) is error


def test_an_order_id_may_be_a_number() -> None:
    told = drive(SPEC, TRADING.place(ORDER, SBIN, SESSION, CTX), success({"orderid": 201020000000080}))
    assert told.result.order_id == "201020000000080"


def test_a_conversion() -> None:
    told = drive(SPEC, convert(SBIN, Product.CNC, Product.MIS, -3, SESSION, CTX), success(None))
    assert told.request.json == {
        "exchange": "NSE",
        "symboltoken": "3045",
        "tradingsymbol": "SBIN-EQ",
        "oldproducttype": "DELIVERY",
        "newproducttype": "INTRADAY",
        "transactiontype": "SELL",
        "quantity": 3,
        "type": "DAY",
    }
    with pytest.raises(Refused):
        drive(SPEC, convert(SBIN, Product.CNC, Product.MIS, 3, SESSION, CTX), failure("AB1017"))


# --- books ------------------------------------------------------------------------------------------------------------

# angel.md, 4
ROW: dict[str, Any] = {
    "variety": "NORMAL", "ordertype": "LIMIT", "producttype": "INTRADAY", "duration": "DAY", "price": 194.0,
    "triggerprice": 0, "quantity": "1", "disclosedquantity": "0", "squareoff": 0, "stoploss": 0, "trailingstoploss": 0,
    "tradingsymbol": "SBIN-EQ", "transactiontype": "BUY", "exchange": "NSE", "symboltoken": "3045",
    "instrumenttype": "", "strikeprice": -1, "optiontype": "", "expirydate": "", "lotsize": "1", "cancelsize": "1",
    "averageprice": 0, "filledshares": "0", "unfilledshares": "1", "orderid": "201020000000080", "text": "",
    "status": "cancelled", "orderstatus": "cancelled", "updatetime": "20-Oct-2020 13:10:59",
    "exchtime": "20-Oct-2020 13:10:59", "exchorderupdatetime": "20-Oct-2020 13:10:59", "fillid": "", "filltime": "",
    "parentorderid": "", "ordertag": ".test", "uniqueorderid": "c7db6526-3f32-47c3-a41e-0e5cb6aad365",
}  # fmt: skip
TEXTS = ROW | {
    "price": "194.00",
    "triggerprice": "0",
    "averageprice": "0",
    "orderid": 201020000000080,
    "symboltoken": None,
}


def book(data: Any) -> Any:
    return drive(SPEC, TRADING.orders(SESSION, CTX), success(data)).result


@pytest.mark.parametrize("row", [ROW, TEXTS], ids=["numbers", "texts"])
def test_an_order_of_the_book(row: Any) -> None:
    (order,) = book([row])
    assert (order.order_id, order.brsymbol, order.brexchange) == ("201020000000080", "SBIN-EQ", "NSE")
    assert (order.status, order.price, order.quantity, order.pending_quantity) == ("cancelled", 194.0, 1, 1)
    assert (order.product, order.price_type, order.tag) == ("MIS", "LIMIT", ".test")
    assert order.timestamp == 1603179659000
    assert order.native == {"variety": "NORMAL"}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ({"status": "complete"}, "complete"),
        ({"status": "rejected"}, "rejected"),
        ({"status": "cancelled after market order"}, "cancelled"),
        ({"status": "open"}, "open"),
        ({"status": "open pending"}, "open"),
        ({"status": "after market order req received"}, "open"),
        ({"status": "trigger pending", "ordertype": "STOPLOSS_LIMIT"}, "trigger pending"),
        ({"status": "open pending", "ordertype": "STOPLOSS_MARKET"}, "trigger pending"),
        ({"status": "modify pending", "ordertype": "STOPLOSS_LIMIT"}, "trigger pending"),
        ({"status": "open", "ordertype": "STOPLOSS_LIMIT"}, "open"),
        ({"status": "modified", "ordertype": "STOPLOSS_LIMIT", "filledshares": "1"}, "open"),
        ({"status": "something new"}, "open"),
    ],
)
def test_states(words: dict[str, str], status: str) -> None:
    (order,) = book([ROW | words])
    assert order.status == status


def test_an_empty_text_is_nothing_told() -> None:
    """The greeting of the order socket has them in place of numbers."""
    empty = dict.fromkeys(("price", "triggerprice", "averageprice", "filledshares", "unfilledshares", "ordertag"), "")
    (order,) = book([ROW | empty | {"status": "open pending"}])
    assert (order.status, order.quantity, order.price, order.filled_quantity, order.tag) == ("open", 1, 0.0, 0, "")
    assert TRADING.postback is not None
    assert TRADING.postback.read(json.dumps(ROW | empty | {"status": "open pending"}).encode(), {}) == order
    with pytest.raises(Unknown):
        book([ROW | {"quantity": ""}])
    with pytest.raises(Unknown):
        book([ROW | {"orderid": ""}])


def test_products_of_others_are_shown_by_the_nearest() -> None:
    shown = {word: book([ROW | {"producttype": word}])[0].product for word in ("MARGIN", "BO", "CARRYFORWARD", "X")}
    assert shown == {"MARGIN": "CNC", "BO": "MIS", "CARRYFORWARD": "NRML", "X": ""}


def test_an_empty_book_is_null_or_empty() -> None:
    for read in (TRADING.orders, TRADING.trades, TRADING.positions, TRADING.holdings):
        for empty in NOTHING:
            assert drive(SPEC, read(SESSION, CTX), success(empty)).result == []


@pytest.mark.parametrize(
    "damage", [{"quantity": "1.5"}, {"transactiontype": "X"}, {"orderid": None}, {"price": "dear"}]
)
def test_one_damaged_row_spoils_the_book(damage: dict[str, Any]) -> None:
    with pytest.raises(Unknown):
        book([ROW, ROW | damage])
    wholes: tuple[Any, ...] = ({}, "x", [None])
    for whole in wholes:
        with pytest.raises(Unknown):
            book(whole)


@pytest.mark.parametrize("told", [{"status": True, "message": "SUCCESS", "errorcode": ""}, {"success": True}])
def test_a_success_without_data_is_no_empty_book(told: dict[str, Any]) -> None:
    for read in (TRADING.orders, TRADING.trades, TRADING.positions, TRADING.holdings, GTT.list):
        with pytest.raises(Unknown):
            drive(SPEC, read(SESSION, CTX), told)


@pytest.mark.parametrize("number", ["nan", "inf", "-Infinity"])
def test_texts_that_are_no_numbers_are_damage(number: str) -> None:
    with pytest.raises(Unknown):
        book([ROW | {"price": number}])
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.trades(SESSION, CTX), success([TRADE | {"fillprice": number}]))
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.positions(SESSION, CTX), success([POSITION | {"avgnetprice": number}]))
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.funds(SESSION, CTX), success({"availablecash": number}))


@pytest.mark.parametrize("code", ["AB1013", "AB1014", "AB1015", "AB1016", "AB2001"])
def test_a_book_that_failed_is_not_empty(code: str) -> None:
    for read in (TRADING.orders, TRADING.trades, TRADING.positions, TRADING.holdings, TRADING.funds):
        with pytest.raises(BrokerError):
            drive(SPEC, read(SESSION, CTX), failure(code))


TRADE = {
    "exchange": "NSE", "producttype": "DELIVERY", "tradingsymbol": "ITC-EQ", "instrumenttype": "", "symbolgroup": "EQ",
    "strikeprice": "-1", "optiontype": "", "expirydate": "", "marketlot": "1", "precision": "2", "multiplier": "-1",
    "tradevalue": "175.00", "transactiontype": "BUY", "fillprice": "175.00", "fillsize": "1",
    "orderid": "201020000000095", "fillid": "50005750", "filltime": "13:27:53",
}  # fmt: skip


def test_a_trade_is_of_today() -> None:
    (trade,) = drive(SPEC, TRADING.trades(SESSION, CTX), success([TRADE])).result
    assert trade == Trade(
        trade_id="50005750",
        order_id="201020000000095",
        brsymbol="ITC-EQ",
        brexchange="NSE",
        action=Action.BUY,
        product=Product.CNC,
        quantity=1,
        price=175.0,
        timestamp=1603180673000,
    )
    with pytest.raises(Unknown, match="not known in the trade book: X"):
        drive(SPEC, TRADING.trades(SESSION, CTX), success([TRADE | {"producttype": "X"}]))


POSITION = {
    "exchange": "NSE", "symboltoken": "2885", "producttype": "DELIVERY", "tradingsymbol": "RELIANCE-EQ",
    "symbolname": "RELIANCE", "instrumenttype": "", "priceden": "1", "pricenum": "1", "genden": "1", "gennum": "1",
    "precision": "2", "multiplier": "-1", "boardlotsize": "1", "buyqty": "1", "sellqty": "0", "buyamount": "2235.80",
    "sellamount": "0", "symbolgroup": "EQ", "strikeprice": "-1", "optiontype": "", "expirydate": "", "lotsize": "1",
    "cfbuyqty": "0", "cfsellqty": "0", "cfbuyamount": "0", "cfsellamount": "0", "buyavgprice": "2235.80",
    "sellavgprice": "0", "avgnetprice": "2235.80", "netvalue": "- 2235.80", "netqty": "1", "totalbuyvalue": "2235.80",
    "totalsellvalue": "0", "cfbuyavgprice": "0", "cfsellavgprice": "0", "totalbuyavgprice": "2235.80",
    "totalsellavgprice": "0", "netprice": "2235.80",
}  # fmt: skip


def test_a_position() -> None:
    live = POSITION | {"ltp": "2230.00", "pnl": "- 5.80", "realised": "- 0.00", "netqty": "- 1"}
    (position,) = drive(SPEC, TRADING.positions(SESSION, CTX), success([live])).result
    assert position == Position(
        brsymbol="RELIANCE-EQ",
        brexchange="NSE",
        token="2885",
        product=Product.CNC,
        quantity=-1,
        average_price=2235.8,
        ltp=2230.0,
        pnl=-5.8,
        realised=0.0,
    )
    for row in (POSITION, POSITION | {"ltp": "", "pnl": ""}):
        (sample,) = drive(SPEC, TRADING.positions(SESSION, CTX), success([row])).result
        assert (sample.quantity, sample.average_price) == (1, 2235.8)
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.positions(SESSION, CTX), success([POSITION | {"netqty": ""}]))


def test_positions_of_a_product_that_nobody_knows_are_no_book() -> None:
    with pytest.raises(Unknown, match="NEW"):
        drive(SPEC, TRADING.positions(SESSION, CTX), success([POSITION, POSITION | {"producttype": "NEW"}]))


def test_positions_of_other_products_are_left_out_and_units_are_worth_what_is_told() -> None:
    rows = [POSITION | {"producttype": "MARGIN"}, POSITION | {"gennum": "100", "genden": "10"}]
    (position,) = drive(SPEC, TRADING.positions(SESSION, CTX), success(rows)).result
    assert position.multiplier == 10.0
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.positions(SESSION, CTX), success([POSITION | {"genden": "0"}]))


HOLDING = {
    "tradingsymbol": "TATASTEEL-EQ", "exchange": "NSE", "isin": "INE081A01020", "t1quantity": 0, "realisedquantity": 2,
    "quantity": 2, "authorisedquantity": 0, "product": "DELIVERY", "collateralquantity": None, "collateraltype": None,
    "haircut": 0, "averageprice": 111.87, "ltp": 130.15, "symboltoken": "3499", "close": 129.6, "profitandloss": 37,
    "pnlpercentage": 16.34,
}  # fmt: skip


def test_a_holding_is_worked_out_to_the_paisa() -> None:
    held = drive(SPEC, TRADING.holdings(SESSION, CTX), success([HOLDING, HOLDING | {"t1quantity": 3}])).result
    assert [row.quantity for row in held] == [2, 5]
    assert isinstance(held[0], Holding)
    assert held[0].pnl == pytest.approx(36.56)
    assert held[0].pnl_percent == pytest.approx(16.34, abs=0.005)
    (gift,) = drive(SPEC, TRADING.holdings(SESSION, CTX), success([HOLDING | {"averageprice": 0}])).result
    assert gift.pnl_percent == 0.0


def test_funds_may_be_partly_null() -> None:
    told: dict[str, Any] = {"net": "100.5", "availablecash": "100.5", "collateral": None, "utilisedspan": None}
    told |= {"m2munrealized": "-3.5", "m2mrealized": "2", "utiliseddebits": "7.25"}
    funds = drive(SPEC, TRADING.funds(SESSION, CTX), success(told)).result
    assert funds == Funds(available_cash=100.5, m2m_realised=2.0, m2m_unrealised=-3.5, utilised=7.25)
    for damaged in (*NOTHING, told | {"availablecash": None}):
        with pytest.raises(Unknown):
            drive(SPEC, TRADING.funds(SESSION, CTX), success(damaged))


def test_the_margin_of_a_basket() -> None:
    leg = MarginLeg(
        action=Action.BUY, quantity=50, product=Product.MIS, price_type=PriceType.LIMIT, price=Decimal("1.5")
    )
    told = drive(
        SPEC,
        margin([(SBIN, leg)], SESSION, CTX),
        success({"totalMarginRequired": 29612.35, "marginComponents": {"spanMargin": 5, "marginBenefit": 79876.5}}),
    )
    assert told.request.json == {
        "positions": [
            {
                "exchange": "NSE",
                "qty": 50,
                "price": 1.5,
                "productType": "INTRADAY",
                "token": "3045",
                "tradeType": "BUY",
                "orderType": "LIMIT",
            }
        ]
    }
    assert told.result == Margin(total=29612.35, span=5.0, benefit=79876.5)


# --- rules ------------------------------------------------------------------------------------------------------------

LEG = GttLeg(trigger=Decimal(196), action=Action.BUY, quantity=1, price=Decimal(195))
RULE: dict[str, Any] = {
    "id": "1", "status": "NEW", "createddate": "2020-11-16T14:19:51Z", "updateddate": "2020-11-16T14:28:01Z",
    "expirydate": "2021-11-16T14:19:51Z", "clientid": "100", "tradingsymbol": "SBIN-EQ", "symboltoken": "3045",
    "exchange": "NSE", "transactiontype": "BUY", "producttype": "DELIVERY", "price": "195", "qty": "1",
    "triggerprice": "196", "disclosedqty": "10",
}  # fmt: skip


def test_a_rule_is_placed_and_changed() -> None:
    told = drive(SPEC, GTT.place(SBIN, [LEG], 190.0, SESSION, CTX), success({"id": "1"}))
    assert told.result == "1"
    terms = {"symboltoken": "3045", "exchange": "NSE", "price": "195", "qty": "1", "triggerprice": "196"}
    terms |= {"disclosedqty": "0", "timeperiod": "365"}
    named = {"tradingsymbol": "SBIN-EQ", "transactiontype": "BUY", "producttype": "DELIVERY"}
    assert told.request.json == terms | named
    assert (told.request.effect, told.request.lane) == ("write", "gtt")
    told = drive(SPEC, GTT.modify("1", SBIN, [LEG], 190.0, SESSION, CTX), success(RULE), success({"id": 1}))
    assert (told.result, told.requests[1].json) == ("1", {"id": "1"} | terms)


@pytest.mark.parametrize("other", [{"transactiontype": "SELL"}, {"producttype": "MARGIN"}, {"symboltoken": "1"}])
def test_a_change_never_keeps_another_side_in_silence(other: dict[str, str]) -> None:
    """Angel's change of a rule names neither side nor product."""
    with pytest.raises(Refused, match="Cancel it") as caught:
        drive(SPEC, GTT.modify("1", SBIN, [LEG], 190.0, SESSION, CTX), success(RULE | other))
    assert not caught.value.sent


def test_a_rule_is_for_delivery_on_the_cash_exchanges() -> None:
    assert not GTT.oco
    future = msgspec.structs.replace(SBIN, exchange=Exchange.NFO, brexchange="NFO")
    for instrument, leg in ((future, LEG), (SBIN, msgspec.structs.replace(LEG, product=Product.MIS))):
        with pytest.raises(Refused) as caught:
            next(GTT.place(instrument, [leg], 190.0, SESSION, CTX))
        assert not caught.value.sent


def test_a_rule_is_read_before_it_is_cancelled() -> None:
    told = drive(SPEC, GTT.cancel("1", SESSION, CTX), success(RULE), success({"id": "1"}))
    read, write = told.requests
    assert (read.effect, read.json) == ("read", {"id": "1"})
    assert (write.effect, write.json) == ("write", {"id": "1", "symboltoken": "3045", "exchange": "NSE"})
    with pytest.raises(Refused):
        drive(SPEC, GTT.cancel("404", SESSION, CTX), failure("AB9013", "Invalid Rule ID"))


def test_the_list_of_rules() -> None:
    told = drive(SPEC, GTT.list(SESSION, CTX), success([RULE, RULE | {"id": 2, "status": "SENTTOEXCHANGE"}]))
    first, second = told.result
    assert first == Gtt(
        trigger_id="1",
        brsymbol="SBIN-EQ",
        brexchange="NSE",
        token="3045",
        legs=(LEG,),
        created_at=1605536391000,
        updated_at=1605536881000,
        expires_at=1637072391000,
    )
    assert (second.trigger_id, second.status) == ("2", "triggered")
    assert told.request.json["page"] == 1
    for nothing in NOTHING:
        assert drive(SPEC, GTT.list(SESSION, CTX), success(nothing)).result == []
    (single,) = drive(SPEC, GTT.list(SESSION, CTX), success(RULE)).result  # as the documentation shows it
    assert single == first


def test_rules_of_other_products_are_left_out_and_pages_are_read_to_the_end() -> None:
    full = [RULE | {"id": number, "producttype": "MARGIN" if number == 3 else "DELIVERY"} for number in range(10)]
    told = drive(SPEC, GTT.list(SESSION, CTX), success(full), success([RULE | {"id": "11"}]))
    assert len(told.result) == 10
    assert [request.json["page"] for request in told.requests] == [1, 2]
    with pytest.raises(BrokerError):
        drive(SPEC, GTT.list(SESSION, CTX), success(full), failure("AB1004"))


def test_one_page_of_rules_again_and_again_has_an_end() -> None:
    full = [RULE | {"id": number} for number in range(10)]
    with pytest.raises(Unknown, match="page 2"):
        drive(SPEC, GTT.list(SESSION, CTX), success(full), success(full))
    moved = [*full[5:], *(RULE | {"id": number} for number in range(10, 14))]
    told = drive(SPEC, GTT.list(SESSION, CTX), success(full), success(moved))
    assert [rule.trigger_id for rule in told.result] == [str(number) for number in range(14)]


def test_a_rule_without_a_number_is_unknown() -> None:
    with pytest.raises(Unknown):
        drive(SPEC, GTT.place(SBIN, [LEG], 190.0, SESSION, CTX), success({"id": ""}))


# --- the webhook ------------------------------------------------------------------------------------------------------


def test_what_is_posted_is_read_and_never_believed() -> None:
    post = TRADING.postback
    assert post is not None
    told = post.read(json.dumps(ROW | {"clientcode": "A1", "status": "open"}).encode(), {})
    assert (told.order_id, told.status) == ("201020000000080", "open")
    assert post.verified is unsigned


@given(st.one_of(st.binary(max_size=200), st.recursive(st.none(), st.lists).map(json.dumps).map(str.encode)))
def test_nonsense_that_is_posted_is_damage(body: bytes) -> None:
    post = TRADING.postback
    assert post is not None
    with pytest.raises(DecodeError):
        post.read(body, {})
