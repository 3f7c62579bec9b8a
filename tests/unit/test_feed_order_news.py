"""Order updates as clients hear them (contract-ws.md 3.5)."""

import json

import pytest
from tests.toy_broker import ToyMaster, toy_instrument

from sangam.feed.order_news import Names, order_message
from sangam.model.identity import AccountInfo
from sangam.model.order import OrderUpdate

ACCOUNT = AccountInfo("u-toy", "u", "toy", "TOY1")
UPDATE = OrderUpdate(
    order_id="250803000001",
    brsymbol="SBIN-TOY",
    brexchange="NSE",
    action="BUY",
    quantity=10,
    status="trigger pending",
    product="MIS",
    price_type="SL-M",
    price=625.5,
    trigger_price=620.0,
    filled_quantity=4,
    pending_quantity=6,
    average_price=625.25,
    rejection_reason="",
    tag="ABC",
    timestamp=1_705_294_800_000,
)


def test_every_field_of_the_contract_in_unified_words() -> None:
    message = json.loads(order_message(UPDATE, ACCOUNT, ToyMaster(toy_instrument("SBIN"))))
    assert message == {
        "type": "order_update",
        "user_id": "u",
        "account": "u-toy",
        "mode": "live",
        "broker": "toy",
        "orderid": "250803000001",
        "symbol": "SBIN",
        "exchange": "NSE",
        "action": "BUY",
        "quantity": 10,
        "filled_quantity": 4,
        "pending_quantity": 6,
        "price": 625.5,
        "trigger_price": 620.0,
        "average_price": 625.25,
        "pricetype": "SL-M",
        "product": "MIS",
        "order_status": "trigger pending",
        "rejection_reason": "",
        "tag": "ABC",
        "timestamp": 1_705_294_800_000,
    }
    assert isinstance(message["quantity"], int)
    assert isinstance(message["price"], float)


@pytest.mark.parametrize("names", [None, ToyMaster()])
def test_the_brokers_own_words_stand_where_the_master_knows_nothing(names: Names | None) -> None:
    message = json.loads(order_message(UPDATE, ACCOUNT, names))
    assert (message["symbol"], message["exchange"]) == ("SBIN-TOY", "NSE")
