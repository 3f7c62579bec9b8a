"""Orders, trades, positions, holdings and funds, on rows of the brokers' documents."""

from typing import Any

import pytest
from tests.canned import conduct, result

from sangam.brokers import mastertrust
from sangam.brokers.contract import Ctx, Session
from sangam.brokers.pocketful import SPEC
from sangam.model.books import Funds, Holding, Position, Trade
from sangam.model.enums import Action, Product
from sangam.model.errors import Unknown
from sangam.model.order import OrderUpdate

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="pocketful", generation=1, client_id="YG1234", secrets={"access_token": "t"})
assert SPEC.trading is not None
assert mastertrust.SPEC.trading is not None
TRADING, MASTER = SPEC.trading, mastertrust.SPEC.trading

# pocketful.md, 4
ORDER = {
    "mode": "NEW", "exchange": "NFO", "segment": "", "login_id": "YG1234", "deposit": 0,
    "order_status": "AMO_MODIFY_CONFIRMED", "product": "NRML", "order_type": "LIMIT", "rejection_reason": "",
    "order_side": "BUY", "instrument_token": 100803, "exchange_time": 1709996020, "nnf_id": 333333333333100,
    "quantity": 1500, "trading_symbol": "COFORGE24MAR5700PE", "client_id": "YG1234", "average_trade_price": 0,
    "underlying_token": None, "oms_order_id": "2024030943", "lot_size": 150, "isin": "", "disclosed_quantity": 0,
    "execution_type": "AMO", "source": "pacetrader.pacefin.in", "device": "WEB", "exchange_order_id": "",
    "validity": "DAY", "leg_order_indicator": None, "trade_price": 0, "spread_token": None,
    "market_protection_percentage": 0, "filled_quantity": 0, "order_tag": "", "sl_trigger_price": 0.0,
    "square_off": False, "order_status_info": "", "square_off_value": 0, "tags": None, "order_entry_time": 1709995984,
    "last_activity_reference": 0, "trigger_price": 0, "sl_order_price": 0, "stop_loss_value": 0, "rejection_code": 0,
    "average_price": 0, "trailing_stop_loss": 0, "price": 30.7, "user_order_id": "12780", "symbol": "COFORGE",
    "is_trailing": False, "pro_cli": "CLIENT", "remaining_quantity": 1500, "contract_description": {},
    "series": "OPTSTK", "target_price_type": "absolute", "sl_order_quantity": 0,
}  # fmt: skip

# Master Trust's documents: Order book
SPOKEN = {
    "average_price": "0.00", "exchange_order_id": "NA", "exchange": "MCX", "device": None, "lot_size": 100,
    "order_side": "SELL", "oms_order_id": " 250328000000247", "order_type": "LIMIT",
    "trading_symbol": "CRUDEOIL25APRFUT", "stop_loss_value": None, "quantity": 1, "product": "NRML",
    "validity": "DAY", "average_trade_price": "0.00", "order_status": "rejected", "trigger_price": "0.00",
    "price": "5991.00", "filled_quantity": 0, "disclosed_quantity": 0, "exchange_time": 0, "user_order_id": None,
    "rejection_reason": "RMS:Margin Exceeds,Required:205832.94, Available:75.99", "instrument_token": "441305",
    "remaining_quantity": 1, "order_entry_time": 1743131653,
}  # fmt: skip
TRADE = {
    "exchange": "NSE", "exchange_time": 1743137188, "instrument_token": 14537, "oms_order_id": "250328000022151",
    "order_side": "BUY", "order_type": "MKT", "product": "NRML", "remaining_quantity": None,
    "trade_number": "202485785", "trade_price": 5.88, "trade_quantity": 1, "trade_time": 1743137537,
    "trading_symbol": "DISHTV-EQ", "vol_filled_today": "Filledqty",
}  # fmt: skip
POSITION = {
    "exchange": "NSE", "trading_symbol": "DISHTV-EQ", "net_quantity": 1, "previous_close": 5.83, "buy_quantity": 1,
    "sell_quantity": 0, "cf_sell_quantity": 0, "cf_buy_quantity": 0, "close_price": 5.83, "instrument_token": 14537,
    "ltp": 5.98, "average_sell_price": 0, "realized_mtm": 0, "product": "NRML", "average_buy_price": 5.88,
    "multiplier": 1, "average_price": 5.83,
}  # fmt: skip
HOLDING = {
    "actual_buy_avg": 6.42, "buy_avg": 5.83, "exchange": "NSE", "ltp": 5.9, "previous_close": 5.83, "quantity": 2,
    "instrument_details": {"exchange": 1, "instrument_token": 14537, "trading_symbol": "DISHTV-EQ"},
    "isin": "INE836F01026", "token": 14537, "trading_symbol": "DISHTV-EQ", "used_quantity": 0,
}  # fmt: skip


def ok(data: Any) -> tuple[int, Any]:
    return 200, {"status": "success", "message": "", "data": data}


def book(*rows: Any) -> tuple[int, Any]:
    return ok({"orders": list(rows)})


def told(row: Any, **more: Any) -> OrderUpdate:
    (found,) = result(SPEC, TRADING.orders(SESSION, CTX), book({**row, **more}), book())
    assert isinstance(found, OrderUpdate)
    return found


# --- orders -----------------------------------------------------------------------------------------------------------


def test_the_sample_of_pocketful() -> None:
    assert told(ORDER) == OrderUpdate(
        order_id="2024030943",
        brsymbol="",
        brexchange="NFO",
        token="100803",
        action="BUY",
        quantity=1500,
        status="open",
        product="NRML",
        price_type="LIMIT",
        price=30.7,
        pending_quantity=1500,
        tag="12780",
        timestamp=1_709_996_020_000,
        native={"execution_type": "AMO"},
    )


def test_the_sample_of_master_trust() -> None:
    (found,) = result(mastertrust.SPEC, MASTER.orders(SESSION, CTX), book(), book(SPOKEN))
    assert (found.order_id, found.token, found.status) == ("250328000000247", "441305", "rejected")
    assert (found.price, found.pending_quantity, found.tag) == (5991.0, 0, "")
    assert found.rejection_reason.startswith("RMS:Margin Exceeds")
    assert found.timestamp == 1_743_131_653_000


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("NEW_CONFIRMED", "open"),
        ("MODIFY_CONFIRMED", "open"),
        ("AMO_SUBMITTED", "open"),
        ("CONFIRMED", "open"),
        ("open", "open"),
        ("open pending", "open"),
        ("cancel pending", "open"),
        ("CANCEL_REJECTED", "open"),
        ("MODIFY_REJECTED", "open"),
        ("incomplete", "open"),
        ("COMPLETE", "complete"),
        ("complete", "complete"),
        ("REJECTED", "rejected"),
        ("CANCEL_CONFIRMED", "cancelled"),
        ("AMO_CANCEL_CONFIRMED", "cancelled"),
        ("cancelled", "cancelled"),
        ("TRIGGER_PENDING", "trigger pending"),
        ("Trigger Pending", "trigger pending"),
    ],
)
def test_an_order_is_over_only_where_its_status_says_so_plainly(word: str, status: str) -> None:
    assert told(ORDER, order_status=word).status == status


@pytest.mark.parametrize(
    ("word", "filled", "status"),
    [("NEW_CONFIRMED", 0, "trigger pending"), ("OPEN", 0, "open"), ("MODIFY_CONFIRMED", 150, "open")],
)
def test_a_stop_waits_until_something_says_otherwise(word: str, filled: int, status: str) -> None:
    row = told(ORDER, order_type="SLM", order_status=word, filled_quantity=filled)
    assert (row.status, row.price_type, row.pending_quantity) == (status, "SL-M", 1500 - filled)


def test_the_waiting_are_read_before_the_done_and_the_later_word_counts() -> None:
    """Read the other way round, an order that ends in between would be in neither."""
    done = {**ORDER, "order_status": "COMPLETE", "filled_quantity": 1500, "average_price": 30.65}
    other = {**ORDER, "oms_order_id": "7"}
    requests, rows = conduct(SPEC, TRADING.orders(SESSION, CTX), book(ORDER, other), book(done))
    assert [request.query for request in requests] == [
        {"type": "pending", "client_id": "YG1234"},
        {"type": "completed", "client_id": "YG1234"},
    ]
    assert {row.order_id: (row.status, row.average_price) for row in rows} == {
        "2024030943": ("complete", 30.65),
        "7": ("open", 0.0),
    }


def test_an_average_is_told_under_either_name() -> None:
    assert told(ORDER, average_price="0.00", average_trade_price="30.7512").average_price == 30.7512


@pytest.mark.parametrize("tag", [None, "", "0", 0])
def test_a_number_that_nobody_gave_is_none(tag: Any) -> None:
    assert told(ORDER, user_order_id=tag).tag == ""


def test_legs_keep_the_products_own_name() -> None:
    row = told(ORDER, product="CO")
    assert (row.product, row.native["product"]) == ("MIS", "CO")


def test_an_empty_book_is_empty() -> None:
    assert result(SPEC, TRADING.orders(SESSION, CTX), book(), book()) == []


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"orders": None}, {"orders": {}}, {"orders": [{}]}, {"orders": [{**ORDER, "quantity": 1.5}]}],
)
def test_a_book_in_another_form_is_no_book(data: Any) -> None:
    with pytest.raises(Unknown):
        result(SPEC, TRADING.orders(SESSION, CTX), ok(data))


def test_a_failed_half_is_no_book() -> None:
    with pytest.raises(Unknown):
        result(SPEC, TRADING.orders(SESSION, CTX), book(ORDER), (503, ""))


def test_a_book_that_lost_the_orders_numbers_proves_nothing_about_them() -> None:
    row = {name: value for name, value in ORDER.items() if name != "user_order_id"}
    with pytest.raises(Unknown, match="without the numbers"):
        result(SPEC, TRADING.orders(SESSION, CTX), book(row))


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_trades() -> None:
    (trade,) = result(SPEC, TRADING.trades(SESSION, CTX), ok({"trades": [TRADE]}))
    assert trade == Trade(
        trade_id="202485785",
        order_id="250328000022151",
        brsymbol="",
        brexchange="NSE",
        token="14537",
        action=Action.BUY,
        product=Product.NRML,
        quantity=1,
        price=5.88,
        timestamp=1_743_137_537_000,
    )
    (trade,) = result(SPEC, TRADING.trades(SESSION, CTX), ok({"trades": [{**TRADE, "trade_time": "10:15"}]}))
    assert trade.timestamp == 0


def test_positions_are_those_of_the_net() -> None:
    requests, (row,) = conduct(SPEC, TRADING.positions(SESSION, CTX), ok([POSITION]))
    assert requests[0].query == {"type": "historical", "client_id": "YG1234"}
    assert row == Position(
        brsymbol="",
        brexchange="NSE",
        token="14537",
        product=Product.NRML,
        quantity=1,
        average_price=5.88,
        ltp=5.98,
        pnl=(5.98 - 5.88) * 1,
        realised=0.0,
    )


def test_what_was_closed_is_realised_whatever_the_row_says_of_it() -> None:
    """Pocketful's documents: Positions netwise."""
    closed = {
        **POSITION, "net_quantity": 0, "buy_quantity": 1, "sell_quantity": 1, "average_buy_price": 40520,
        "average_sell_price": 40538, "average_price": 0, "realized_mtm": 0,
    }  # fmt: skip
    (row,) = result(SPEC, TRADING.positions(SESSION, CTX), ok([closed]))
    assert (row.quantity, row.average_price, row.realised, row.pnl) == (0, 0.0, 18.0, 18.0)


def test_what_was_carried_over_counts_at_its_close() -> None:
    carried = {
        **POSITION, "net_quantity": 3, "cf_buy_quantity": 5, "buy_quantity": 0, "sell_quantity": 2,
        "average_buy_price": 0, "average_sell_price": 6.0, "average_price": 5.0, "ltp": 7.0, "multiplier": 10,
    }  # fmt: skip
    (row,) = result(SPEC, TRADING.positions(SESSION, CTX), ok([carried]))
    assert (row.quantity, row.average_price, row.realised, row.pnl) == (3, 5.0, 20.0, 80.0)


def test_a_short_position_has_the_average_of_its_sales() -> None:
    short = {**POSITION, "net_quantity": -2, "buy_quantity": 0, "sell_quantity": 2, "average_sell_price": 6.0}
    (row,) = result(SPEC, TRADING.positions(SESSION, CTX), ok([short]))
    assert (row.quantity, row.average_price, round(row.pnl, 4)) == (-2, 6.0, 0.04)


def test_positions_of_orders_with_legs_are_left_out_and_strange_products_are_no_book() -> None:
    assert result(SPEC, TRADING.positions(SESSION, CTX), ok([{**POSITION, "product": "BO"}])) == []
    with pytest.raises(Unknown, match="MTF"):
        result(SPEC, TRADING.positions(SESSION, CTX), ok([{**POSITION, "product": "MTF"}]))


def test_a_holdings_average_is_the_price_that_was_paid() -> None:
    (row,) = result(SPEC, TRADING.holdings(SESSION, CTX), ok({"holdings": [HOLDING]}))
    assert row == Holding(
        brsymbol="",
        brexchange="NSE",
        token="14537",
        quantity=2,
        average_price=6.42,
        ltp=5.9,
        pnl=(5.9 - 6.42) * 2,
        pnl_percent=(5.9 - 6.42) * 2 / (6.42 * 2) * 100,
    )
    row = {name: value for name, value in HOLDING.items() if name not in ("actual_buy_avg", "instrument_details")}
    (found,) = result(SPEC, TRADING.holdings(SESSION, CTX), ok({"holdings": [row]}))
    assert (found.average_price, found.token) == (5.83, "14537")


def test_a_holding_of_nothing_is_no_book() -> None:
    row = {**HOLDING, "instrument_details": None, "token": None}
    with pytest.raises(Unknown, match="holding of nothing"):
        result(SPEC, TRADING.holdings(SESSION, CTX), ok({"holdings": [row]}))


@pytest.mark.parametrize(
    ("spec", "path", "values", "expected"),
    [
        (
            SPEC,
            "/api/v2/funds/view",
            [
                ["Available Margin", "1000.50"], ["Margin Used", 20], ["Total Pledge Collateral", "7"],
                ["Premium", None], ["unrealized_mtm", "-3.5"], ["realized_mtm", "2"], ["alone"],
            ],
            Funds(available_cash=1000.5, utilised=20.0, collateral=7.0, m2m_unrealised=-3.5, m2m_realised=2.0),
        ),
        (
            mastertrust.SPEC,
            "/api/v1/funds/view",
            [["Available", "74.06"], ["Margin Used", "1.93"], ["Cash Margin", "75.99"], ["Collateral", "0.00"]],
            Funds(available_cash=74.06, utilised=1.93),
        ),
    ],
)  # fmt: skip
def test_funds_are_labels_and_values(spec: Any, path: str, values: Any, expected: Funds) -> None:
    requests, funds = conduct(spec, spec.trading.funds(SESSION, CTX), ok({"client_id": "YG1234", "values": values}))
    assert funds == expected
    assert requests[0].path == path


@pytest.mark.parametrize(
    "values", [[], [["Margin Used", "1"]], [["Available Margin", "nan"]], [["Available Margin", "x"]]]
)
def test_funds_without_the_money_that_is_left_are_no_answer(values: Any) -> None:
    with pytest.raises(Unknown):
        result(SPEC, TRADING.funds(SESSION, CTX), ok({"values": values}))
