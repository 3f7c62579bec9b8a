"""Noren's orders, conversions, triggers and books: what goes out, and what an answer proves."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.canned import Canned, drive

from sangam.brokers.contract import Ctx, Request, Session
from sangam.brokers.families.noren import Member, broker
from sangam.model.books import Funds, Gtt, GttLeg, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import RateLimited, Refused, SessionExpired, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, TradingMode, Validity

CTX = Ctx(0, bytes)
SPEC = broker(Member(name="toy", title="Toy", host="toy.example"))
KEYED = broker(Member(name="toy", title="Toy", host="toy.example", body="jkey", lacks=frozenset({"basket margin"})))
SESSION = Session(
    account="a1", broker="toy", generation=1, client_id="DEMO1", secrets={"user_id": "DEMO1", "access_token": "tok"}
)
MM = Instrument(symbol="M&M", exchange=Exchange.NSE, brsymbol="M&M-EQ", brexchange="NSE", token="2031")
ACC = Instrument(symbol="ACC", exchange=Exchange.NSE, brsymbol="ACC-EQ", brexchange="NSE", token="22")
ORDER = Order(
    id="L-ABCDEFGHJK",
    account="a1",
    user="u1",
    broker="toy",
    mode=TradingMode.LIVE,
    symbol="M&M",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=10,
    price_type=PriceType.LIMIT,
    product=Product.MIS,
    price=Decimal("3194.50"),
    tag="my own words, many",
)
TAKEN = {"request_time": "10:48:03 20-05-2020", "stat": "Ok", "norenordno": "200520000000017"}
CHANGED = {"request_time": "10:48:03 20-05-2020", "stat": "Ok", "result": "200520000000017"}
EMPTY = {"stat": "Not_Ok", "emsg": 'Error Occurred : 5 "no data"'}
assert SPEC.trading is not None
TRADING = SPEC.trading
assert TRADING.gtt is not None
assert TRADING.convert is not None
assert TRADING.margin is not None


def form(request: Request) -> dict[str, Any]:
    """What the OMS reads: the body up to the first ``&``."""
    assert request.content is not None
    text = request.content.partition(b"&")[0]
    assert text.startswith(b"jData=")
    told: dict[str, Any] = json.loads(text.removeprefix(b"jData="))
    return told


# --- orders -----------------------------------------------------------------------------------------------------------


def test_an_order_is_all_text_and_its_symbol_is_escaped() -> None:
    told = drive(SPEC, TRADING.place(ORDER, MM, SESSION, CTX), TAKEN)
    assert told.result == Accepted(order_id="200520000000017")
    assert (told.request.path, told.request.effect, told.request.lane) == ("/PlaceOrder", "write", "orders")
    assert form(told.request) == {
        "uid": "DEMO1",
        "actid": "DEMO1",
        "exch": "NSE",
        "tsym": "M%26M-EQ",
        "qty": "10",
        "prc": "3194.50",
        "prctyp": "LMT",
        "ret": "DAY",
        "dscqty": "0",
        "prd": "I",
        "trantype": "B",
        "remarks": "ABCDEFGHJKmyownwords",
        "ordersource": "API",
    }


@pytest.mark.parametrize(
    ("price_type", "told"),
    [(PriceType.LIMIT, ("LMT", "3194.50", None)), (PriceType.SL, ("SL-LMT", "3194.50", "3190"))],
)
def test_a_trigger_is_told_of_stops_alone(price_type: PriceType, told: tuple[str, ...]) -> None:
    order = msgspec.structs.replace(ORDER, price_type=price_type, trigger_price=Decimal(3190))
    sent = form(drive(SPEC, TRADING.place(order, MM, SESSION, CTX), TAKEN).request)
    assert (sent["prctyp"], sent["prc"], sent.get("trgprc")) == told


def test_a_change_tells_the_whole_quantity_and_a_cancel_the_number() -> None:
    order = msgspec.structs.replace(ORDER, order_id="200520000000017")
    change = Change(quantity=7, price_type=PriceType.LIMIT, price=Decimal("3190.5"), validity=Validity.IOC)
    told = drive(SPEC, TRADING.modify(order, change, MM, SESSION, CTX), CHANGED)
    assert told.result == Accepted(order_id="200520000000017")
    sent = form(told.request)
    assert (sent["norenordno"], sent["tsym"], sent["qty"]) == ("200520000000017", "M%26M-EQ", "7")
    assert (sent["prc"], sent["ret"]) == ("3190.5", "IOC")
    cancelled = drive(SPEC, TRADING.cancel(order, SESSION, CTX), CHANGED)
    assert form(cancelled.request) == {"uid": "DEMO1", "norenordno": "200520000000017"}
    wordy = {"stat": "Ok", "result": "Order modified"}  # what is no number does not become the order's
    assert drive(SPEC, TRADING.modify(order, change, MM, SESSION, CTX), wordy).result.order_id == order.order_id
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.cancel(order, SESSION, CTX), {"stat": "Ok"})


def test_the_token_stands_in_a_header_or_behind_the_body() -> None:
    header, behind = (
        drive(spec, spec.trading.place(ORDER, MM, SESSION, CTX), TAKEN).request
        for spec in (SPEC, KEYED)
        if spec.trading is not None
    )
    assert (header.auth, header.headers["Content-Type"]) == ("default", "text/plain")
    assert SPEC.authorize(SESSION, header, None, CTX) == {"Authorization": "Bearer tok"}  # type: ignore[arg-type]
    assert KEYED.authorize(SESSION, behind, None, CTX) == {}  # type: ignore[arg-type]
    assert behind.content is not None
    assert header.content is not None
    assert behind.content == header.content + b"&jKey=tok"
    assert behind.content.count(b"&") == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ALGO_CHK: MKT Order type not allowed for API order", "INVALID_ORDER"),
        ("Rejected : ORA:Order not found", "ORDER_ERROR"),
        ("Trigger price invalid - 0.00", "INVALID_ORDER"),
        ('Error Occurred : 2 "invalid input"', "INVALID_INPUT"),
        ("RED:Margin Shortfall:INR 65823.92 Available:INR 19.41 for C-DEMO1 [X]", "INSUFFICIENT_FUNDS"),
    ],
)
def test_what_proves_a_refusal(text: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        drive(SPEC, TRADING.place(ORDER, MM, SESSION, CTX), {"stat": "Not_Ok", "emsg": text})
    assert caught.value.code == code


@pytest.mark.parametrize(
    "reply",
    [
        {"stat": "Not_Ok", "emsg": "Server Timeout : "},
        {"stat": "Not_Ok", "emsg": 'Error Occurred : 5 "no data"'},
        {"stat": "Not_Ok", "emsg": "Invalid Input : the exchange timed out"},
        {"stat": "Not_Ok"},
        {"stat": "Ok"},
        {"stat": "Ok", "norenordno": ""},
        {},
        [],
        None,
        "<html>",
        Canned({"stat": "Not_Ok", "emsg": "ALGO_CHK: no"}, 502),
        Canned(TAKEN, 500),
        Canned("Bad Gateway", 502),
    ],
)
def test_any_other_answer_to_an_order_is_unknown(reply: Any) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.place(ORDER, MM, SESSION, CTX), reply)


@pytest.mark.parametrize(
    "reply",
    [
        {"stat": "Not_Ok", "emsg": "Session Expired : Invalid Session Key"},
        Canned({"stat": "Not_Ok", "emsg": "Session Expired :  Invalid Session Key"}, 401),
        Canned("", 403),
    ],
)
def test_a_dead_session_is_told_as_such(reply: Any) -> None:
    with pytest.raises(SessionExpired, match="Log in to Toy again"):
        drive(SPEC, TRADING.place(ORDER, MM, SESSION, CTX), reply)


@pytest.mark.parametrize(
    "reply",
    [
        Canned("", 429),
        {
            "stat": "Not_Ok",
            "emsg": "Invalid Input :  Order Recieved 11 in a current second exceeds Limit 10 for user",
        },
    ],
)
def test_too_many_requests_are_told_as_such(reply: Any) -> None:
    with pytest.raises(RateLimited):
        drive(SPEC, TRADING.orders(SESSION, CTX), reply)


@pytest.mark.parametrize(
    ("action", "price_type", "price"),
    [(Action.BUY, PriceType.LIMIT, "3194.5"), (Action.SELL, PriceType.LIMIT, "3194.6")],
)
def test_a_protected_price_gets_on_the_true_tick_where_the_files_tell_none(
    action: Action, price_type: PriceType, price: str
) -> None:
    trading = broker(Member(name="toy", title="Toy", host="t.example", ticks={Exchange.NSE: 0.01})).trading
    assert trading is not None
    terms = {"action": action, "price": Decimal("3194.57"), "sent_price_type": price_type}
    protected = msgspec.structs.replace(ORDER, **terms, sent_price=Decimal("3194.57"))
    told = drive(SPEC, trading.place(protected, MM, SESSION, CTX), {"stat": "Ok", "ti": "0.10"}, TAKEN)
    asked, sent = told.requests
    assert (asked.path, asked.effect, form(asked)["token"]) == ("/GetSecurityInfo", "read", "2031")
    assert Decimal(form(sent)["prc"]) == told.result.price == Decimal(price)
    standing = msgspec.structs.replace(protected, order_id="7")
    for own, expected in ((True, price), (False, "3194.57")):
        change = Change(quantity=10, price_type=price_type, price=Decimal("3194.57"), protected=own)
        replies = [{"stat": "Ok", "ti": "0.10"}, CHANGED] if own else [CHANGED]
        changed = drive(SPEC, trading.modify(standing, change, MM, SESSION, CTX), *replies)
        assert Decimal(form(changed.requests[-1])["prc"]) == Decimal(expected)
    plain = msgspec.structs.replace(ORDER, price=Decimal("3194.57"))
    assert form(drive(SPEC, trading.place(plain, MM, SESSION, CTX), TAKEN).request)["prc"] == "3194.57"
    for damage in ({"stat": "Ok"}, {"stat": "Ok", "ti": "0"}, {"stat": "Ok", "ti": "NaN"}):
        with pytest.raises(Unknown):
            drive(SPEC, trading.place(protected, MM, SESSION, CTX), damage)


# --- books ------------------------------------------------------------------------------------------------------------

COMPLETE = {
    "stat": "Ok", "norenordno": "20121300065716", "uid": "DEMO1", "actid": "DEMO1", "exch": "NSE",
    "tsym": "ACCELYA-EQ", "qty": "180", "trantype": "B", "prctyp": "LMT", "ret": "DAY", "token": "7053", "pp": "2",
    "ls": "1", "ti": "0.05", "prc": "800.00", "avgprc": "800.00", "dscqty": "0", "prd": "M", "status": "COMPLETE",
    "rpt": "Fill", "fillshares": "180", "norentm": "19:59:32 13-12-2020", "exch_tm": "01-01-1980 00:00:00",
    "remarks": "WC TEST Order", "exchordid": "6858",
}  # fmt: skip


def test_the_sample_of_the_order_book() -> None:
    (row,) = drive(SPEC, TRADING.orders(SESSION, CTX), [COMPLETE]).result
    assert (row.order_id, row.status, row.filled_quantity, row.pending_quantity) == (
        "20121300065716",
        "complete",
        180,
        0,
    )
    assert (row.product, row.price_type, row.average_price, row.tag) == ("NRML", "LIMIT", 800.0, "WC TEST Order")
    assert row.timestamp == 1_607_869_772_000


@pytest.mark.parametrize("read", ["orders", "trades", "positions", "holdings"])
def test_an_empty_book_is_told_by_an_error_of_its_own(read: str) -> None:
    ask = getattr(TRADING, read)
    braced = {"stat": "Not_Ok", "emsg": 'Error Occurred : 5 {"no data"}'}  # as the documents' sample of PositionBook
    empties: list[Any] = [EMPTY, braced, {"stat": "Not_Ok", "emsg": "No Data : "}, []]
    for empty in empties:
        assert drive(SPEC, ask(SESSION, CTX), empty).result == []
    doubtful = ({"stat": "Not_Ok", "emsg": "Server Timeout : "}, {"stat": "Not_Ok"}, {"stat": "Ok"}, [{"stat": "Ok"}])
    for reply in (*doubtful, Canned(EMPTY, 502), "", None):
        with pytest.raises(Unknown):
            drive(SPEC, ask(SESSION, CTX), reply)


def test_a_book_whose_side_or_product_nobody_knows_is_no_book() -> None:
    for damage in ({"trantype": "X"}, {"prd": "Z", "flid": "1", "flqty": "1", "flprc": "1"}):
        row = {**COMPLETE, "flid": "1", "flqty": "1", "flprc": "1", **damage}
        with pytest.raises(Unknown):
            drive(SPEC, TRADING.trades(SESSION, CTX), [row])


def test_the_sample_of_the_trade_book() -> None:
    row = {**COMPLETE, "flid": "102", "fltm": "13-12-2020 19:59:31", "flqty": "180", "flprc": "800.00"}
    assert drive(SPEC, TRADING.trades(SESSION, CTX), [row]).result == [
        Trade(
            trade_id="102",
            order_id="20121300065716",
            brsymbol="ACCELYA-EQ",
            brexchange="NSE",
            token="7053",
            action=Action.BUY,
            product=Product.NRML,
            quantity=180,
            price=800.0,
            timestamp=1_607_869_771_000,
        )
    ]
    unset = {**row, "fltm": "01-01-1980 00:00:00"}
    assert drive(SPEC, TRADING.trades(SESSION, CTX), [unset]).result[0].timestamp == 1_607_869_772_000


POSITION = {
    "stat": "Ok", "exch": "MCX", "tsym": "GOLD05OCT26", "token": "1", "prd": "M", "mult": "100", "prcftr": "1.000000",
    "daybuyqty": "2", "daysellqty": "0", "netqty": "3", "netavgprc": "100.00", "lp": "101.00", "urmtom": "300.00",
    "rpnl": "-50.00",
}  # fmt: skip


def test_positions_hold_what_a_unit_is_worth() -> None:
    (row,) = drive(SPEC, TRADING.positions(SESSION, CTX), [POSITION]).result
    assert row == Position(
        brsymbol="GOLD05OCT26",
        brexchange="MCX",
        token="1",
        product=Product.NRML,
        quantity=3,
        average_price=100.0,
        ltp=101.0,
        pnl=250.0,
        realised=-50.0,
        multiplier=100.0,
    )
    assert drive(SPEC, TRADING.positions(SESSION, CTX), [{**POSITION, "prd": "B"}]).result == []
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.positions(SESSION, CTX), [{**POSITION, "mult": "0"}])


def test_holdings_add_up_and_go_by_the_name_of_nse() -> None:
    named = [
        {"exch": exch, "token": token, "tsym": tsym}
        for exch, token, tsym in (("BSE", "5", "ABB"), ("NSE", "13", "ABB-EQ"))
    ]
    row = {"stat": "Ok", "exch_tsym": named, "holdqty": "20", "btstqty": "5", "usedqty": "3", "upldprc": "1800.00"}
    more = {**row, "dpqty": "7", "npoadqty": "7", "colqty": "200"}
    assert drive(SPEC, TRADING.holdings(SESSION, CTX), [row]).result == [
        Holding(brsymbol="ABB-EQ", brexchange="NSE", token="13", quantity=22, average_price=1800.0)
    ]
    assert drive(SPEC, TRADING.holdings(SESSION, CTX), [more]).result[0].quantity == 29


def test_funds_are_what_is_left_and_results_are_those_of_the_positions() -> None:
    limits = {"stat": "Ok", "cash": "1000.00", "payin": "50.00", "payout": "20.00", "marginused": "300.00"}
    limits["brkcollamt"] = "70.00"
    told = drive(SPEC, TRADING.funds(SESSION, CTX), limits, [POSITION])
    assert [request.path for request in told.requests] == ["/Limits", "/PositionBook"]
    assert told.result == Funds(
        available_cash=730.0, collateral=70.0, m2m_realised=-50.0, m2m_unrealised=300.0, utilised=300.0
    )
    assert drive(SPEC, TRADING.funds(SESSION, CTX), limits, EMPTY).result.m2m_realised == 0
    untold = limits | {"payin": "", "collateral": None}
    assert drive(SPEC, TRADING.funds(SESSION, CTX), untold, EMPTY).result.available_cash == 680.0


# --- margins ----------------------------------------------------------------------------------------------------------

LEG = MarginLeg(action=Action.SELL, quantity=5, product=Product.NRML, price_type=PriceType.LIMIT, price=Decimal("2.5"))


def test_one_order_has_its_margin_and_several_that_of_all() -> None:
    single = {"stat": "Ok", "cash": "10.00", "marginused": "90.00", "ordermargin": "100.00", "marginusedprev": "0.00"}
    assert TRADING.margin is not None
    told = drive(SPEC, TRADING.margin([(ACC, LEG)], SESSION, CTX), single)
    assert (told.request.path, told.result) == ("/GetOrderMargin", Margin(total=100.0))
    basket = {"stat": "Ok", "marginused": "170.00", "marginusedtrade": "150.00", "marginusedprev": "40.00"}
    told = drive(SPEC, TRADING.margin([(ACC, LEG), (MM, LEG)], SESSION, CTX), basket)
    assert (told.request.path, told.result) == ("/GetBasketMargin", Margin(total=110.0))
    assert [leg["tsym"] for leg in form(told.request)["basketlists"]] == ["M%26M-EQ"]
    with pytest.raises(Unknown):  # that of the whole account is not that of these
        drive(SPEC, TRADING.margin([(ACC, LEG), (MM, LEG)], SESSION, CTX), {"stat": "Ok", "marginusedtrade": "150.00"})
    assert KEYED.trading is not None
    assert KEYED.trading.margin is not None
    summed = drive(KEYED, KEYED.trading.margin([(ACC, LEG), (MM, LEG)], SESSION, CTX), single, single)
    assert summed.result == Margin(total=200.0)


# --- conversions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quantity", "kind"), [(2, "Day"), (1, "CF")])
def test_a_conversion_says_of_which_day_the_part_is(quantity: int, kind: str) -> None:
    held = {**POSITION, "exch": "NSE", "tsym": "M&M-EQ", "daybuyqty": "2" if kind == "Day" else "0", "netqty": "3"}
    assert TRADING.convert is not None
    told = drive(SPEC, TRADING.convert(MM, Product.NRML, Product.MIS, quantity, SESSION, CTX), [held], {"stat": "Ok"})
    sent = form(told.requests[1])
    assert (sent["postype"], sent["qty"], sent["prevprd"], sent["prd"], sent["trantype"]) == (
        kind,
        str(quantity),
        "M",
        "I",
        "B",
    )


def test_more_than_there_is_is_not_converted() -> None:
    assert TRADING.convert is not None
    with pytest.raises(Refused) as caught:
        drive(SPEC, TRADING.convert(MM, Product.NRML, Product.MIS, 9, SESSION, CTX), EMPTY)
    assert not caught.value.sent


# --- triggers ---------------------------------------------------------------------------------------------------------

STOP = GttLeg(trigger=Decimal("1900"), action=Action.SELL, quantity=1, price=Decimal("1890.5"))
PENDING = {
    "stat": "Ok", "ai_t": "LTP_B_O", "Al_id": "21041500000002", "tsym": "ACC-EQ", "exch": "NSE", "Token": "22",
    "Remarks": "test", "validity": "GTT", "actid": "DEMO1", "trantype": "S", "prctyp": "LMT", "Qty": 1,
    "Prc": "1890.5", "C": "C", "prd": "C", "ordersource": "API", "d": "1900", "oivariable": [],
}  # fmt: skip


@pytest.mark.parametrize(("last", "condition"), [(2000.0, "LTP_B_O"), (1800.0, "LTP_A_O")])
@pytest.mark.parametrize(
    "reply",
    [
        {"stat": "Oi created", "al_id": "21041500000002"},
        {"stat": "OI created", "al_id": "21041500000002"},
        [{"stat": "Oi created", "Al_id": "21041500000002"}],
    ],
)
def test_a_trigger_waits_for_the_price_from_its_side(last: float, condition: str, reply: Any) -> None:
    assert TRADING.gtt is not None
    told = drive(SPEC, TRADING.gtt.place(ACC, [STOP], last, SESSION, CTX), reply)
    sent = form(told.request)
    assert told.result == "21041500000002"
    assert (sent["ai_t"], sent["d"], sent["prc"], sent["validity"]) == (condition, "1900", "1890.5", "GTT")
    assert sent["remarks"], "two brokers' documents ask for it"


def test_triggers_are_listed_in_either_spelling_and_alerts_are_none() -> None:
    assert TRADING.gtt is not None
    lowered = {name.lower(): value for name, value in PENDING.items() if name != "C"}
    alert = {**PENDING, "ai_t": "LTP_A", "prd": ""}
    found = drive(SPEC, TRADING.gtt.list(SESSION, CTX), [PENDING, lowered, alert]).result
    gtt = Gtt(trigger_id="21041500000002", brsymbol="ACC-EQ", brexchange="NSE", token="22", legs=(STOP,))
    assert found == [gtt, gtt]
    assert drive(SPEC, TRADING.gtt.list(SESSION, CTX), EMPTY).result == []
    for damage in ({"Prc": "NaN"}, {"trantype": "?"}, {"Qty": 1.5}):
        with pytest.raises(Unknown):
            drive(SPEC, TRADING.gtt.list(SESSION, CTX), [{**PENDING, **damage}])


def test_a_trigger_that_stands_elsewhere_in_its_row_is_found() -> None:
    """Zebu's sample has it among the variables, and the terms once more in an object of their own (GTT order)."""
    assert TRADING.gtt is not None
    bare = {name: PENDING[name] for name in ("stat", "ai_t", "tsym", "exch")}
    inner = {"trantype": "S", "prctyp": "MKT", "qty": 1, "prc": "0", "prd": "C"}
    row = {**bare, "al_id": "7", "token": "22", "d": "", "oivariable": [{"var_name": "x", "d": "1900"}], "prd": ""}
    (gtt,) = drive(SPEC, TRADING.gtt.list(SESSION, CTX), [{**row, "place_order_params": inner}]).result
    market = msgspec.structs.replace(STOP, price=Decimal(0), price_type=PriceType.MARKET)
    assert (gtt.trigger_id, gtt.legs) == ("7", (market,))
    damaged: list[dict[str, Any]] = [{"oivariable": []}, {"oivariable": 7}, {"oivariable": [7]}]
    for damage in damaged:
        with pytest.raises(Unknown):
            drive(SPEC, TRADING.gtt.list(SESSION, CTX), [{**PENDING, "d": "", **damage}])


def test_a_trigger_keeps_the_side_from_which_it_waits() -> None:
    """The broker does not change that: a stop below that is moved above the price would fire at once."""
    assert TRADING.gtt is not None
    number = "21041500000002"
    lower = msgspec.structs.replace(STOP, trigger=Decimal(1850))
    replaced = [{"stat": "Oi Replacedt", "Al_id": number}]
    told = drive(SPEC, TRADING.gtt.modify(number, ACC, [lower], 2000.0, SESSION, CTX), [PENDING], replaced)
    assert told.result == number
    sent = form(told.requests[1])
    assert (sent["al_id"], sent["ai_t"], sent["d"]) == (number, "LTP_B_O", "1850")
    above = msgspec.structs.replace(STOP, trigger=Decimal(2100))
    for instrument, leg, rows, says in (
        (ACC, above, [PENDING], "waits for the price from the other side"),
        (ACC, lower, EMPTY, "is not there"),
        (MM, lower, [PENDING], "is not there"),
    ):
        with pytest.raises(Refused, match=says) as caught:
            drive(SPEC, TRADING.gtt.modify(number, instrument, [leg], 2000.0, SESSION, CTX), rows)
        assert not caught.value.sent


def test_a_trigger_that_is_not_there_is_refused() -> None:
    assert TRADING.gtt is not None
    with pytest.raises(Refused):
        drive(SPEC, TRADING.gtt.cancel("404", SESSION, CTX), {"stat": "Invalid Oi"})
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.gtt.cancel("1", SESSION, CTX), {"stat": "Oi delete success"})


def test_a_broker_that_lacks_something_does_not_offer_it() -> None:
    bare = broker(
        Member(name="bare", title="Bare", host="b.example", lacks=frozenset({"GTT", "conversion", "order margin"}))
    ).trading
    assert bare is not None
    assert (bare.gtt, bare.convert, bare.margin, bare.postback) == (None, None, None, None)
