from decimal import Decimal
from typing import Any

import pytest
from tests.served import Served

from sangam.model.books import Gtt, GttLeg
from sangam.model.enums import Action
from sangam.model.errors import OrderNotFound, Unsupported

SINGLE: dict[str, Any] = {
    "trigger_type": "single", "exchange": "NSE", "symbol": "SBIN", "action": "sell", "quantity": "5", "product": "CNC",
    "price": "1033.5", "triggerprice_sl": "1030.05", "triggerprice_tg": "", "stoploss": None, "target": "",
    "expires_at": None,
}  # fmt: skip
OCO = {**SINGLE, "trigger_type": "OCO", "price": 0, "triggerprice_tg": 1100, "stoploss": 1029.5, "target": 1101}


async def test_a_trigger_is_placed_replaced_and_taken_back(served: Served) -> None:
    told = (await served.order("placegttorder", **SINGLE, client_order_id="G")).json()
    assert told == {"status": "success", "trigger_id": "77", "client_order_id": "G", "mode": "live"}
    leg = GttLeg(trigger=Decimal("1030.05"), action=Action.SELL, quantity=5, price=Decimal("1033.5"))
    instrument = served.master.lookup("SBIN", "NSE")
    assert served.desk.asked[-1] == ("place_gtt", instrument, (leg,), "G")
    told = (await served.order("modifygttorder", **OCO, trigger_id=77)).json()
    assert told == {"status": "success", "trigger_id": "77", "mode": "live"}
    _, _, _, legs = served.desk.asked.pop()
    assert [float(one.price) for one in legs] == [1029.5, 1101.0]
    told = (await served.order("cancelgttorder", trigger_id="77", strategy="x")).json()
    assert told == {"status": "success", "trigger_id": "77", "mode": "live"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"product": "MIS"}, "{'product': ['Must be one of: CNC, NRML.']}"),
        ({"pricetype": "SL"}, "{'pricetype': ['Must be one of: LIMIT, MARKET.']}"),
        ({"trigger_type": "BOTH"}, "{'trigger_type': ['Must be one of: SINGLE, OCO.']}"),
        ({"triggerprice_sl": 0}, "A SINGLE GTT needs triggerprice_sl or triggerprice_tg above 0."),
        ({"trigger_type": "OCO"}, "An OCO GTT needs"),
        ({"trigger_type": "OCO", "triggerprice_tg": "x"}, "{'triggerprice_tg': ['Not a valid number.']}"),
        ({"expires_at": "2027-01-01"}, "{'expires_at': ["),
        ({"symbol": "NOPE"}, "Symbol 'NOPE' not found"),
    ],
)
async def test_triggers_refused(served: Served, changes: dict[str, Any], told: str) -> None:
    reply = await served.order("placegttorder", **{**SINGLE, **changes})
    assert (reply.status_code, told in reply.json()["message"]) == (400, True), reply.text
    assert served.desk.asked == []


async def test_a_broker_without_triggers_and_a_trigger_that_is_not_there(served: Served) -> None:
    served.desk.faults["place_gtt"] = Unsupported("GTT orders are not supported for broker 'example' yet")
    reply = await served.order("placegttorder", **SINGLE)
    assert (reply.status_code, reply.json()["message"]) == (
        501,
        "GTT orders are not supported for broker 'example' yet",
    )
    served.desk.faults["cancel_gtt"] = OrderNotFound("GTT 5 not found")
    assert (await served.order("cancelgttorder", trigger_id="5")).status_code == 404


async def test_the_book_of_triggers(served: Served) -> None:
    legs = tuple(
        GttLeg(trigger=Decimal(trigger), action=Action.SELL, quantity=5, price=Decimal(price))
        for trigger, price in ((1030, 1029), (1100, 1101))
    )
    gtt = Gtt(
        trigger_id="77", brsymbol="SBIN-EQ", brexchange="NSE", legs=legs, last_price=1050.0,
        created_at=1_785_731_400_000,
    )  # fmt: skip
    served.desk.triggers = [(served.master.lookup("SBIN", "NSE"), gtt)]
    assert (await served.order("gttorderbook")).json()["data"] == [
        {
            "trigger_id": "77",
            "trigger_type": "two-leg",
            "status": "active",
            "symbol": "SBIN",
            "exchange": "NSE",
            "trigger_prices": [1030.0, 1100.0],
            "last_price": 1050.0,
            "legs": [
                {"action": "SELL", "quantity": 5, "price": price, "pricetype": "LIMIT", "product": "CNC"}
                for price in (1029.0, 1101.0)
            ],
            "created_at": "2026-08-03 10:00:00",
            "updated_at": "",
            "expires_at": "",
        }
    ]
