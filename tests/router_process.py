"""A process that places one order and dies at a given step, as by kill -9. What reaches the broker is a line in the
file `ledger`. Arguments: home, step (see `STEPS`)."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from tests.router_rig import House

from sangam.model.order import Accepted, Order
from sangam.orders.ports import Sending

STEPS = ("checked", "added", "queued", "announcing", "announced", "left", "answered")
CLIENT_ID = "once"


def die() -> None:
    os._exit(9)  # no handler runs and nothing is flushed


async def main(home: Path, step: str) -> None:
    async with House(home) as house:
        add, sent = house.journal.add, house.journal.sent

        def adding(orders: Any) -> Any:
            if step == "checked":
                die()
            future = add(orders)
            if step == "added":
                die()
            return future

        def marking(order: Order, now_ms: int) -> Any:
            future = sent(order, now_ms)
            if step == "announcing":
                die()
            return future

        async def broker(order: Order, sending: Sending) -> Accepted:
            if step == "queued":
                await house.journal.add([])  # whatever was added before is durable then
                die()
            await sending()
            if step == "announced":
                die()
            with (home / "ledger").open("a") as ledger:
                ledger.write(f"{order.client_order_id} {order.our_tag}\n")
            if step == "left":
                die()
            return Accepted(order_id="B1")

        house.journal.add = adding  # type: ignore[method-assign]
        house.journal.sent = marking  # type: ignore[method-assign]
        house.live.placing = broker
        await house.place(client_order_id=CLIENT_ID)
        die()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
