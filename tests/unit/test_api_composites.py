"""Baskets, splits, cancel-all, close-position over REST."""

import asyncio
from typing import Any

import pytest
from tests.served import Served

from sangam.model.books import Position
from sangam.model.enums import Product
from sangam.model.errors import InDoubt, Rejected, Unknown
from sangam.model.order import OrderState, TradingMode

SBIN = {"symbol": "SBIN", "exchange": "NSE", "action": "BUY", "quantity": "5"}
FUTURE = {"symbol": "NIFTY25AUG26FUT", "exchange": "NFO", "action": "SELL", "quantity": 65, "product": "NRML"}


def hold(served: Served, quantity: int) -> None:
    instrument = served.master.lookup("SBIN", "NSE")
    row = Position(brsymbol="SBIN-EQ", brexchange="NSE", product=Product.MIS, quantity=quantity)
    served.desk.positions_held.append((instrument, row))


async def test_a_basket(served: Served) -> None:
    served.desk.faults["SBIN"] = Rejected("RMS: margin", "INSUFFICIENT_MARGIN")
    told = (await served.order("basketorder", orders=[FUTURE, SBIN], strategy="S", client_order_id="B")).json()
    assert told == {
        "status": "success",
        "results": [
            {
                "symbol": "NIFTY25AUG26FUT", "exchange": "NFO", "product": "NRML", "status": "success",
                "orderid": "260803000001", "client_order_id": "B/1",
            },
            {
                "symbol": "SBIN", "exchange": "NSE", "product": "MIS", "status": "error", "message": "RMS: margin",
                "error_code": "INSUFFICIENT_MARGIN",
            },
        ],
        "client_order_id": "B",
        "mode": "live",
    }  # fmt: skip
    assert [(one.action, one.strategy) for one in served.desk.placed()] == [("BUY", "S"), ("SELL", "S")]


async def test_a_basket_takes_price_type_for_pricetype(served: Served) -> None:
    await served.order("basketorder", orders=[{**SBIN, "price_type": "LIMIT", "price": "5"}])
    assert served.desk.placed()[0].price_type == "LIMIT"


@pytest.mark.parametrize(
    ("orders", "told"),
    [
        ([SBIN, {**SBIN, "quantity": 0}], "{'orders': {'1': {'quantity': ['Must be greater than 0.']}}}"),
        ([], "{'orders': ['Shorter than minimum length 1.']}"),
        ("x", "{'orders': ['Not a valid list.']}"),
        ([1], "{'orders': {'0': ['Invalid input type.']}}"),
    ],
)
async def test_one_bad_leg_refuses_the_basket(served: Served, orders: Any, told: str) -> None:
    reply = await served.order("basketorder", orders=orders)
    assert (reply.status_code, reply.json()["message"]) == (400, told)
    assert served.desk.asked == []


async def test_a_leg_in_doubt_and_a_fault_of_ours(served: Served) -> None:
    await served.order("placeorder", **SBIN)
    served.desk.faults["SBIN"] = InDoubt("reset", order=served.desk.book[0])
    served.desk.faults["NIFTY25AUG26FUT"] = ZeroDivisionError("inside")
    rows = (await served.order("basketorder", orders=[SBIN, FUTURE])).json()["results"]
    assert (rows[0]["error_code"], rows[0]["orderid"]) == ("OUTCOME_UNKNOWN", "260803000001")
    assert "do not repeat" in rows[0]["message"]
    assert rows[1]["error_code"] == "UNKNOWN_ERROR"
    assert "inside" not in rows[1]["message"]


async def test_a_split(served: Served) -> None:
    told = (await served.order("splitorder", **{**SBIN, "quantity": "105"}, splitsize="50")).json()
    assert told == {
        "status": "success",
        "total_quantity": 105,
        "split_size": 50,
        "results": [
            {"order_num": 1, "quantity": 50, "status": "success", "orderid": "260803000001"},
            {"order_num": 2, "quantity": 50, "status": "success", "orderid": "260803000002"},
            {"order_num": 3, "quantity": 5, "status": "success", "orderid": "260803000003"},
        ],
        "mode": "live",
    }
    reply = await served.order("splitorder", **{**SBIN, "quantity": "101"}, splitsize=1)
    assert reply.status_code == 400
    assert reply.json()["message"] == "Total number of orders would exceed maximum limit of 100"
    assert (await served.order("splitorder", **SBIN, splitsize=0)).status_code == 400
    reply = await served.order("splitorder", {"Idempotency-Key": "x" * 36}, **SBIN, splitsize=1)
    assert (reply.status_code, reply.json()["message"][:35]) == (400, "client_order_id may have at most 34")


async def test_cancel_all(served: Served) -> None:
    assert (await served.order("cancelallorder", strategy="x")).json() == {
        "status": "success",
        "message": "No open orders to cancel",
        "canceled_orders": [],
        "failed_cancellations": [],
        "mode": "live",
    }
    for state in (OrderState.OPEN, OrderState.COMPLETE, OrderState.TRIGGER_PENDING, OrderState.OPEN):
        served.desk.fills = state
        await served.order("placeorder", **SBIN)
    served.desk.faults["260803000003"] = Rejected("too late")
    told = (await served.order("cancelallorder")).json()
    assert told == {
        "status": "success",
        "message": "Canceled 2 orders. Failed to cancel 1 orders.",
        "canceled_orders": ["260803000004", "260803000001"],
        "failed_cancellations": [
            {
                "orderid": "260803000003",
                "message": "too late",
                "error_code": "ORDER_ERROR",
                "reason": "too late",
            }
        ],
        "mode": "live",
    }
    served.desk.faults["orders"] = Unknown("no answer")
    reply = await served.order("cancelallorder")
    assert (reply.status_code, reply.json()["error_code"]) == (504, "NETWORK_ERROR")


async def test_close_position(served: Served) -> None:
    told = (await served.order("closeposition")).json()
    assert (told["message"], told["closed_positions"]) == ("No Open Positions Found", [])
    hold(served, 5)
    told = (await served.order("closeposition", strategy="x")).json()
    assert told == {
        "status": "success",
        "message": "All Open Positions Squared Off",
        "closed_positions": [
            {"symbol": "SBIN", "exchange": "NSE", "product": "MIS", "status": "success", "orderid": "260803000001"}
        ],
        "failed_closures": [],
        "mode": "live",
    }
    served.desk.faults["SBIN"] = Rejected("no")
    told = (await served.order("closeposition")).json()
    assert told["message"] == "Closed 0 positions. Failed to close 1 positions."
    assert told["failed_closures"][0]["reason"] == "no"
    served.desk.mode = TradingMode.PAPER
    served.desk.faults.clear()
    assert (await served.order("closeposition")).json()["message"] == "Closed 1 positions"
    served.desk.positions_held.clear()
    assert (await served.order("closeposition")).json()["message"] == "No open positions to close"


async def test_a_large_position_is_closed_in_slices(served: Served) -> None:
    hold(served, 25)
    served.desk.freezes["SBIN"] = 10
    told = (await served.order("closeposition", client_order_id="C")).json()
    assert told["message"] == "All Open Positions Squared Off"
    (row,) = told["closed_positions"]
    assert (row["symbol"], row["status"], row["orderid"]) == ("SBIN", "success", "260803000001")
    assert [(part["order_num"], part["quantity"], part["status"]) for part in row["split_results"]] == [
        (1, 10, "success"), (2, 10, "success"), (3, 5, "success"),
    ]  # fmt: skip
    served.desk.faults["SBIN"] = Rejected("no")
    told = (await served.order("closeposition")).json()
    (row,) = told["failed_closures"]
    assert (told["closed_positions"], row["reason"], len(row["split_results"])) == ([], "no", 3)


async def test_a_position_that_an_order_still_changes(served: Served) -> None:
    hold(served, 5)
    served.desk.fills = OrderState.OPEN
    body = {**SBIN, "action": "SELL", "quantity": 0, "position_size": 0}
    first = (await served.order("placesmartorder", **body)).json()
    second, closing = await asyncio.gather(served.order("placesmartorder", **body), served.order("closeposition"))
    told = second.json()
    assert (second.status_code, told["error_code"], told["orderid"]) == (409, "ORDER_ERROR", first["orderid"])
    assert "still changes this position. Nothing was sent" in told["message"]
    (row,) = closing.json()["failed_closures"]
    assert (row["symbol"], row["orderid"], row["error_code"]) == ("SBIN", first["orderid"], "ORDER_ERROR")
    assert len(served.desk.placed()) == 1


async def test_an_unreadable_position_book_is_not_flat(served: Served) -> None:
    served.desk.faults["positions"] = Unknown("no answer")
    reply = await served.order("closeposition")
    assert (reply.status_code, reply.json()["status"], reply.json()["error_code"]) == (504, "error", "NETWORK_ERROR")


@pytest.mark.parametrize("held", [5, -5])
async def test_a_position_is_converted_on_its_own_side(served: Served, held: int) -> None:
    hold(served, held)
    body = {"symbol": "SBIN", "exchange": "NSE", "product": "MIS", "to_product": "CNC", "quantity": "3"}
    told = (await served.order("positions/convert", **body)).json()
    quantity = 3 if held > 0 else -3
    assert told == {"status": "success", "quantity": quantity, "product": "CNC", "mode": "live"}
    assert served.desk.asked[-1][2:] == ("MIS", "CNC", quantity)
    for wrong in ({"quantity": 6}, {"to_product": "MIS"}, {"product": "NRML"}, {"symbol": "NOPE"}):
        assert (await served.order("positions/convert", **{**body, **wrong})).status_code == 400
    served.desk.faults["convert"] = Unknown("reset")
    reply = await served.order("positions/convert", **body)
    assert (reply.status_code, reply.json()["error_code"]) == (504, "OUTCOME_UNKNOWN")
