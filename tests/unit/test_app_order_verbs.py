"""What the command line is told: settlements that are not kept yet, and every setting of the paper book."""

from typing import Any

import msgspec
import pytest
from tests.orders_support import an_order

from sangam.app.order_verbs import OrderVerbs, _plain
from sangam.model.clock import SystemClock
from sangam.model.errors import StoreError
from sangam.model.order import Order, OrderState
from sangam.paper.config import Config


class Told(msgspec.Struct):
    cash: float
    config: Config
    rows: tuple[Config, ...] = ()


def test_settings_are_told_as_they_are_by_default() -> None:
    told = _plain(Told(5.0, Config(charges=True)))
    assert (told["cash"], told["rows"]) == (5.0, ())
    assert list(told["config"]) == list(Config.__struct_fields__)
    assert told["config"]["charges"] is True
    assert told["config"]["nse_bse_square_off_time"] == "15:15"


class FullJournal:
    def get(self, id: str) -> Order:
        return an_order(id=id, state=OrderState.UNKNOWN)

    async def kept(self, done: str) -> None:
        raise StoreError(f"{done}, which could not be written down yet")


class Settles:
    def resolve(self, order: Order, state: str, by: str, note: str) -> Order:
        return msgspec.structs.replace(order, state=OrderState(state))


async def test_a_settlement_that_cannot_be_written_down_yet_says_so() -> None:
    rest: Any = None
    journal: Any = FullJournal()
    updates: Any = Settles()
    verbs = OrderVerbs(journal, updates, rest, rest, SystemClock())
    with pytest.raises(StoreError, match="L-1 is rejected now, which could not be written down yet"):
        await verbs.call("orders/resolve", {"order": "L-1", "outcome": "rejected", "note": "seen"})
