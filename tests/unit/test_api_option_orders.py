"""Option orders by offset over REST, on a listed ladder."""

import asyncio
from typing import Any

import pytest
from tests.listed import SPOT
from tests.served import Served

from sangam.model.errors import InDoubt, Rejected
from sangam.model.order import Order, OrderState, Ticket
from sangam.orders.ports import Caller

NIFTY: dict[str, Any] = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": "25AUG26"}
ATM: dict[str, Any] = {"offset": "ATM", "option_type": "CE", "action": "BUY", "quantity": "65"}


async def test_one_option(served: Served) -> None:
    reply = await served.order("optionsorder", **NIFTY, **{**ATM, "offset": "OTM2"}, product="NRML", strategy="S")
    assert reply.json() == {
        "status": "success",
        "orderid": "260803000001",
        "symbol": "NIFTY25AUG2624100CE",
        "exchange": "NFO",
        "underlying": "NIFTY",
        "underlying_ltp": SPOT,
        "offset": "OTM2",
        "option_type": "CE",
        "mode": "live",
    }
    (ticket,) = served.desk.placed()
    assert (ticket.symbol, ticket.exchange, ticket.quantity, ticket.product, ticket.strategy) == (
        "NIFTY25AUG2624100CE", "NFO", 65, "NRML", "S",
    )  # fmt: skip


async def test_in_slices_and_by_a_future_without_a_date(served: Served) -> None:
    body = {"underlying": "NIFTY29SEP26FUT", "exchange": "NFO", **ATM, "quantity": 130, "splitsize": 65}
    told = (await served.order("optionsorder", **body, strike_int=None)).json()
    assert "orderid" not in told
    assert (told["total_quantity"], told["split_size"], told["symbol"]) == (130, 65, "NIFTY29SEP2624050CE")
    assert told["underlying"] == "NIFTY29SEP26FUT"
    assert [row["quantity"] for row in told["results"]] == [65, 65]


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"offset": "DEEP"}, 400, "not ATM"),
        ({"offset": "OTM50"}, 400, "beyond the last strike"),
        ({"expiry_date": "25AUG27"}, 404, "No strikes found"),
        ({"underlying": "NOPE"}, 404, "Symbol 'NOPE' not found"),
        ({"product": "CNC"}, 400, "Validation error"),
        ({"option_type": "XX"}, 400, "Validation error"),
        ({"quantity": 0}, 400, "Validation error"),
    ],
)
async def test_options_that_cannot_be_ordered(served: Served, changes: dict[str, Any], status: int, told: str) -> None:
    reply = await served.order("optionsorder", **{**NIFTY, **ATM, **changes})
    assert (reply.status_code, told in reply.json()["message"]) == (status, True), reply.text
    assert reply.json()["mode"] == "live"
    assert served.desk.placed() == []


async def test_several_legs(served: Served) -> None:
    legs = [
        {**ATM, "offset": "OTM1", "action": "SELL", "product": "NRML"},
        {**ATM, "offset": "OTM50", "action": "SELL"},
        {**ATM, "option_type": "pe", "expiry_date": "29SEP26", "splitsize": 65, "quantity": 130},
    ]
    told = (await served.order("optionsmultiorder", **NIFTY, legs=legs, client_order_id="M")).json()
    assert (told["underlying"], told["underlying_ltp"], told["mode"]) == ("NIFTY", SPOT, "live")
    first, second, third = told["results"]
    assert first == {
        "leg": 1, "symbol": "NIFTY25AUG2624050CE", "exchange": "NFO", "product": "NRML", "offset": "OTM1",
        "option_type": "CE", "action": "SELL", "status": "success", "orderid": "260803000003",
        "client_order_id": "M/1", "mode": "live",
    }  # fmt: skip
    assert (second["leg"], second["status"], second["offset"]) == (2, "error", "OTM50")
    assert "beyond the last strike" in second["message"]
    assert (third["symbol"], third["status"]) == ("NIFTY29SEP2624000PE", "success")
    assert (third["total_quantity"], third["split_size"]) == (130, 65)
    assert [row["client_order_id"] for row in third["split_results"]] == ["M/3/1", "M/3/2"]
    assert [one.action for one in served.desk.placed()] == ["BUY", "BUY", "SELL"]


@pytest.mark.parametrize(
    ("hedge", "told"),
    [
        ({"offset": "OTM50"}, "failed"),
        ({"quantity": 64}, "failed"),
        ({"offset": "OTM2", "splitsize": 65, "quantity": 130}, "failed"),
        ({"offset": "ITM1"}, "is in doubt"),
        ({"offset": "ITM2"}, "failed"),
        ({"offset": "ITM3"}, "failed"),
    ],
)
async def test_no_leg_is_sold_where_a_bought_one_failed(served: Served, hedge: dict[str, Any], told: str) -> None:
    """A short option without its hedge may lose without limit."""
    desk, place = served.desk, served.desk.place
    desk.faults["NIFTY25AUG2624100CE"] = Rejected("no margin")
    desk.faults["NIFTY25AUG2623950CE"] = InDoubt("nobody knows")

    async def refused_later(caller: Caller, ticket: Ticket, *, group: str = "", urgent: bool = False) -> Order:
        order = await place(caller, ticket, group=group, urgent=urgent)
        late = {"NIFTY25AUG2623900CE": OrderState.REJECTED, "NIFTY25AUG2623850CE": OrderState.CANCELLED}
        if state := late.get(ticket.symbol):
            desk.become(order, OrderState.OPEN)
            asyncio.get_running_loop().call_later(0.05, lambda: desk.become(order, state, reason="no money"))
            return desk.find(caller, order.id)
        return order

    desk.place = refused_later  # type: ignore[method-assign]
    legs = [{**ATM, "action": "SELL"}, ATM, {**ATM, **hedge}, {**ATM, "offset": "OTM3", "action": "SELL"}]
    rows = (await served.order("optionsmultiorder", **NIFTY, legs=legs, client_order_id="M")).json()["results"]
    assert [row.get("message") for row in (rows[0], rows[3])] == [f"not sent: leg 3 {told}"] * 2
    assert [(row["status"], row["symbol"]) for row in (rows[0], rows[1])] == [
        ("error", "NIFTY25AUG2624000CE"), ("success", "NIFTY25AUG2624000CE"),
    ]  # fmt: skip
    assert {one.action for one in desk.placed()} == {"BUY"}


async def test_a_leg_that_was_sold_before_is_told_as_it_is(served: Served) -> None:
    legs = [{**ATM, "action": "SELL"}, {**ATM, "offset": "OTM1"}]
    first = (await served.order("optionsmultiorder", **NIFTY, legs=legs, client_order_id="M")).json()["results"]
    served.desk.faults["NIFTY25AUG2624050CE"] = Rejected("for want of money")
    again = (await served.order("optionsmultiorder", **NIFTY, legs=legs, client_order_id="M")).json()["results"]
    assert again[0] == first[0]
    assert again[1]["status"] == "error"
    assert len(served.desk.book) == 2


async def test_all_legs_fail_and_the_request_succeeds(served: Served) -> None:
    served.desk.faults["NIFTY25AUG2624000CE"] = Rejected("no")
    told = (await served.order("optionsmultiorder", **NIFTY, legs=[ATM])).json()
    assert (told["status"], told["results"][0]["status"], told["results"][0]["message"]) == ("success", "error", "no")
    reply = await served.order("optionsmultiorder", **NIFTY, legs=[ATM] * 21)
    assert reply.json()["errors"] == {"legs": ["Longer than maximum length 20."]}
