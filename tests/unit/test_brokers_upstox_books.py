"""What an account holds, by the documentation's samples; each book also empty and damaged."""

from decimal import Decimal
from typing import Any

import pytest
from tests.canned import Canned, drive

from sangam.brokers.contract import Ctx, Operation, Session
from sangam.brokers.upstox import SPEC
from sangam.model.books import Funds, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="upstox", generation=1, secrets={"access_token": "tok"})
assert SPEC.trading is not None
TRADING = SPEC.trading
assert TRADING.order is not None
assert TRADING.find is not None
assert TRADING.margin is not None
read_order, find, margin = TRADING.order, TRADING.find, TRADING.margin

ORDER: dict[str, Any] = {
    "exchange": "BSE", "product": "D", "price": 0.8, "quantity": 1, "status": "complete", "guid": None, "tag": None,
    "instrument_token": "BSE_EQ|INE220J01025", "placed_by": "*****", "trading_symbol": "FCONSUMER",
    "tradingsymbol": "FCONSUMER", "order_type": "LIMIT", "validity": "DAY", "trigger_price": 0, "disclosed_quantity": 0,
    "transaction_type": "BUY", "average_price": 0.8, "filled_quantity": 1, "pending_quantity": 0,
    "status_message": None, "status_message_raw": None, "exchange_order_id": "1697686200000169148",
    "parent_order_id": None, "order_id": "231019025057849", "variety": "SIMPLE",
    "order_timestamp": "2023-10-19 09:23:23",
    "exchange_timestamp": "2023-10-19 09:23:23", "is_amo": False, "order_request_id": "2",
    "order_ref_id": "57744821658411",
}  # fmt: skip
TRADE: dict[str, Any] = {
    "exchange": "NSE", "product": "D", "trading_symbol": "GMRINFRA-EQ", "instrument_token": "151064324",
    "order_type": "MARKET", "transaction_type": "BUY", "quantity": 1, "exchange_order_id": "221013001021540",
    "order_id": "221013001021539", "exchange_timestamp": "03-Aug-2017 15:03:42", "average_price": 299.4,
    "trade_id": "50091502", "order_ref_id": "udapi-aqwsed14356", "order_timestamp": "23-Apr-2021 14:22:06",
}  # fmt: skip
POSITION: dict[str, Any] = {
    "exchange": "NSE", "multiplier": 1, "value": 24.11, "pnl": 0.02, "product": "I",
    "instrument_token": "NSE_EQ|INE528G01035", "average_price": 0, "buy_value": 24.11, "overnight_quantity": 0,
    "day_buy_value": 24.11, "day_buy_price": 24.11, "overnight_buy_amount": 0, "overnight_buy_quantity": 0,
    "day_buy_quantity": 1, "day_sell_value": 0, "day_sell_price": 0, "overnight_sell_amount": 0,
    "overnight_sell_quantity": 0, "day_sell_quantity": 0, "quantity": 1, "last_price": 24.13, "unrealised": 0.02,
    "realised": 0, "sell_value": 0, "tradingsymbol": "YESBANK", "trading_symbol": "YESBANK", "close_price": 23.99,
    "buy_price": 24.11, "sell_price": 0,
}  # fmt: skip
HOLDING: dict[str, Any] = {
    "isin": "INE528G01035", "cnc_used_quantity": 0, "collateral_type": "WC", "company_name": "YES BANK LTD.",
    "haircut": 0.2, "product": "D", "quantity": 36, "trading_symbol": "YESBANK", "last_price": 17.05,
    "close_price": 17.05, "pnl": -61.2, "day_change": 0, "day_change_percentage": 0,
    "instrument_token": "NSE_EQ|INE528G01035", "average_price": 18.75, "collateral_quantity": 0,
    "collateral_update_quantity": 0, "t1_quantity": 0, "exchange": "NSE",
}  # fmt: skip
SEGMENT = {
    "used_margin": 0.0, "payin_amount": 0.0, "span_margin": 0.0, "adhoc_margin": 0.0, "notional_cash": 0.0,
    "available_margin": 0.0, "exposure_margin": 0.0,
}  # fmt: skip
KEY = "NSE_EQ|INE528G01035"


def success(data: Any) -> dict[str, Any]:
    return {"status": "success", "data": data}


def error(code: str, status: int = 400) -> Canned:
    return Canned({"status": "error", "errors": [{"error_code": code, "message": "no"}]}, status)


BOOKS = (TRADING.orders, TRADING.trades, TRADING.positions, TRADING.holdings)


@pytest.mark.parametrize("book", BOOKS)
def test_an_empty_book_is_empty(book: Any) -> None:
    assert drive(SPEC, book(SESSION, CTX), success([]))[0] == []


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("data", [None, {}, [{}], [None], "", [ORDER | {"quantity": "1.5"}]])
def test_a_damaged_book_is_none(book: Any, data: Any) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, book(SESSION, CTX), success(data))


# --- orders -----------------------------------------------------------------------------------------------------------


def test_the_order_book() -> None:
    (row,), (request,) = drive(SPEC, TRADING.orders(SESSION, CTX), success([ORDER]))
    assert (request.method, request.host, request.path, request.effect) == (
        "GET",
        "api",
        "/v2/order/retrieve-all",
        "read",
    )
    assert (row.order_id, row.token, row.brexchange) == ("231019025057849", "BSE_EQ|INE220J01025", "BSE_EQ")
    assert (row.status, row.product, row.filled_quantity, row.average_price) == ("complete", "CNC", 1, 0.8)
    assert row.timestamp == 1697687603000


def test_one_order() -> None:
    row, (request,) = drive(SPEC, read_order("231019025057849", SESSION, CTX), success(ORDER))
    assert row is not None
    assert row.order_id == "231019025057849"
    assert (request.path, request.query) == ("/v2/order/details", {"order_id": "231019025057849"})
    assert drive(SPEC, read_order("404", SESSION, CTX), error("UDAPI100010", 404))[0] is None
    with pytest.raises(Refused):
        drive(SPEC, read_order("4 04", SESSION, CTX), error("UDAPI1010"))


def test_orders_of_a_tag_are_told_as_they_are_now() -> None:
    states = [
        ORDER | {"tag": "T", "status": "put order req received", "filled_quantity": 0},
        ORDER | {"tag": "T", "status": "complete"},
        ORDER | {"tag": "T", "status": "open", "order_id": "2"},
    ]
    rows, (request,) = drive(SPEC, find("T", SESSION, CTX), success(states))
    assert (request.path, request.query) == ("/v2/order/history", {"tag": "T"})
    assert [(row.order_id, row.status, row.tag) for row in rows] == [
        ("231019025057849", "complete", "T"),
        ("2", "open", "T"),
    ]
    assert drive(SPEC, find("T", SESSION, CTX), error("UDAPI100010", 404))[0] == []
    with pytest.raises(Unknown):
        drive(SPEC, find("T", SESSION, CTX), error("UDAPI100500", 500))


def test_the_trade_book() -> None:
    (old, new), _ = drive(
        SPEC, TRADING.trades(SESSION, CTX), success([TRADE, TRADE | {"instrument_token": "NSE_FO|1", "trade_id": "2"}])
    )
    assert old == Trade(
        trade_id="50091502",
        order_id="221013001021539",
        brsymbol="GMRINFRA",
        brexchange="NSE_EQ",
        action=Action.BUY,
        product=Product.CNC,
        quantity=1,
        price=299.4,
        timestamp=1501752822000,
    )
    assert (new.token, new.brsymbol, new.product) == ("NSE_FO|1", "", Product.NRML)


def test_a_trade_of_a_product_that_is_not_known_is_no_book() -> None:
    with pytest.raises(Unknown, match="XX"):
        drive(SPEC, TRADING.trades(SESSION, CTX), success([TRADE | {"product": "XX"}]))


# --- the portfolio ----------------------------------------------------------------------------------------------------


def test_positions() -> None:
    (row,), _ = drive(SPEC, TRADING.positions(SESSION, CTX), success([POSITION]))
    assert row == Position(
        brsymbol="",
        brexchange="NSE_EQ",
        token=KEY,
        product=Product.MIS,
        quantity=1,
        average_price=24.11,
        ltp=24.13,
        pnl=0.02,
        realised=0.0,
    )


@pytest.mark.parametrize(
    ("quantity", "average", "price"),
    [(1, None, 24.11), (-1, None, 25.0), (-1, 24.5, 24.5), (0, None, 0.0), (0, 0, 0.0)],
)
def test_where_the_average_is_not_told_its_side_counts(quantity: int, average: float | None, price: float) -> None:
    told = POSITION | {"quantity": quantity, "average_price": average, "sell_price": 25.0}
    (row,), _ = drive(SPEC, TRADING.positions(SESSION, CTX), success([told]))
    assert row.average_price == price


def test_positions_of_other_products_are_left_out() -> None:
    rows = [POSITION | {"product": code} for code in ("CO", "MTF", "D")]
    found, _ = drive(SPEC, TRADING.positions(SESSION, CTX), success(rows))
    assert [row.product for row in found] == [Product.CNC]


def test_a_position_of_a_product_that_is_not_known_is_money_that_nobody_watches() -> None:
    with pytest.raises(Unknown, match="XX"):
        drive(SPEC, TRADING.positions(SESSION, CTX), success([POSITION, POSITION | {"product": "XX"}]))


def test_holdings() -> None:
    (row, free), _ = drive(
        SPEC, TRADING.holdings(SESSION, CTX), success([HOLDING, HOLDING | {"average_price": 0, "pnl": 613.8}])
    )
    assert row == Holding(
        brsymbol="",
        brexchange="NSE_EQ",
        token=KEY,
        quantity=36,
        average_price=18.75,
        ltp=17.05,
        pnl=-61.2,
        pnl_percent=-61.2 / 675 * 100,
    )
    assert free.pnl_percent == 0.0


def test_funds_of_both_segments() -> None:
    segments = {
        "equity": SEGMENT | {"available_margin": 1000.5, "used_margin": 200.0},
        "commodity": SEGMENT | {"available_margin": 50.0},
    }
    held = [POSITION | {"realised": 7.0, "unrealised": None}, POSITION | {"product": "MTF", "realised": -2.0}]
    funds, requests = drive(SPEC, TRADING.funds(SESSION, CTX), success(segments), success(held))
    assert [request.path for request in requests] == [
        "/v2/user/get-funds-and-margin",
        "/v2/portfolio/short-term-positions",
    ]
    assert funds == Funds(available_cash=1050.5, utilised=200.0, m2m_realised=5.0, m2m_unrealised=0.02)


def test_funds_that_name_no_segment_are_unknown_and_at_night_there_are_none() -> None:
    with pytest.raises(Unknown):
        drive(SPEC, TRADING.funds(SESSION, CTX), success({}), success([]))
    with pytest.raises(Refused) as caught:
        drive(SPEC, TRADING.funds(SESSION, CTX), error("UDAPI100072", 423))
    assert caught.value.code == "MARKET_CLOSED"


# --- margins ----------------------------------------------------------------------------------------------------------


def asked(*legs: tuple[Instrument, MarginLeg]) -> Operation[Margin]:
    assert margin is not None
    return margin(legs, SESSION, CTX)


def test_margins() -> None:
    share = Instrument(
        symbol="YESBANK", exchange=Exchange.NSE, brsymbol="YESBANK", brexchange="NSE_EQ", token="NSE_EQ|INE528G01035"
    )
    leg = MarginLeg(action=Action.BUY, quantity=10, product=Product.CNC, price_type=PriceType.MARKET)
    limit = MarginLeg(
        action=Action.SELL, quantity=5, product=Product.MIS, price_type=PriceType.LIMIT, price=Decimal("24.15")
    )
    told = {
        "required_margin": 300.0,
        "final_margin": 250.0,
        "margins": [{"span_margin": 100.0, "exposure_margin": 20.0, "total_margin": 120.0}, {"span_margin": None}],
    }
    both, (request,) = drive(SPEC, asked((share, leg), (share, limit)), success(told))
    assert both == Margin(total=250.0, span=100.0, exposure=20.0, benefit=50.0)
    assert (request.method, request.path, request.effect) == ("POST", "/v2/charges/margin", "read")
    key = {"instrument_key": "NSE_EQ|INE528G01035"}
    assert request.json == {
        "instruments": [
            key | {"quantity": 10, "product": "D", "transaction_type": "BUY"},
            key | {"quantity": 5, "product": "I", "transaction_type": "SELL", "price": 24.15},
        ]
    }
    one, _ = drive(SPEC, asked((share, leg)), success(told))
    assert one.benefit is None
