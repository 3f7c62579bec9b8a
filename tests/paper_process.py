"""A process that trades on paper until it is killed, and says on its output what it was answered: the order's id, its
state and what is filled. Arguments: home, database URL, seed, first number of the orders."""

import asyncio
import random
import sys
from decimal import Decimal
from pathlib import Path

from tests.paper_rig import ACCOUNT, INFY, SBIN, FakeSource, at

from sangam.model.clock import ManualClock
from sangam.model.enums import Action, PriceType, Product
from sangam.model.errors import Refused
from sangam.model.order import Order, OrderUpdate, TradingMode
from sangam.paper.executor import PaperExecutor
from sangam.store.journal import open_journal_database
from sangam.store.writer import Writer


def say(update: OrderUpdate) -> None:
    sys.stdout.write(f"{update.order_id} {update.status.replace(' ', '-')} {update.filled_quantity}\n")
    sys.stdout.flush()


async def _sending() -> None:
    await asyncio.sleep(0)


async def _trade(paper: PaperExecutor, source: FakeSource, dice: random.Random, first: int) -> None:
    number = first
    while True:
        number += 1
        of = dice.choice((SBIN, INFY))
        paper.on_price(ACCOUNT, of.symbol, of.exchange.value, source.tell(of, dice.randint(9500, 10500) / 100))
        order = Order(
            id=f"P-{number:010d}",
            account=ACCOUNT,
            user="asha",
            broker="zerodha",
            mode=TradingMode.PAPER,
            symbol=of.symbol,
            exchange=of.exchange,
            action=dice.choice(list(Action)),
            quantity=dice.randint(1, 50),
            price_type=dice.choice((PriceType.MARKET, PriceType.LIMIT, PriceType.LIMIT)),
            product=dice.choice((Product.MIS, Product.CNC)),
            price=Decimal(dice.randint(95, 105)),
        )
        try:
            await paper.place(ACCOUNT, order, of, _sending, urgent=False, wait=None)
            found = await paper.find(ACCOUNT, order)
            if found is not None and found.status == "open" and dice.random() < 0.5:
                await paper.cancel(ACCOUNT, order, _sending)
        except Refused:
            continue


async def main(home: str, url: str, seed: int, first: int) -> None:
    clock = ManualClock(at(10))
    source = FakeSource(clock.now_ms)
    database = open_journal_database(Path(home), url)
    paper = PaperExecutor(
        database,
        Writer(database),
        clock,
        owner=lambda account: "asha",
        named=lambda account, symbol, exchange: None,
        source=source,
        listener=lambda account, update: say(update),
    )
    paper.catch_up()
    for of in (SBIN, INFY):
        source.tell(of, 100.0)
    traders = (_trade(paper, source, random.Random(seed + one), first + one * 100_000) for one in range(4))
    await asyncio.gather(*traders)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
