"""A process that journals orders until it is killed, and says on its output what it was promised: each line is printed
once a future is done. Arguments: home, database URL, seed, first number of the orders."""

import asyncio
import random
import sys
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec

from sangam.model.clock import SystemClock
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.order import Order, OrderNews, OrderState, TradingMode
from sangam.orders.journal import Act, ActKind, ActState, EventKind, Journal
from sangam.store.journal import open_journal_database
from sangam.store.writer import Writer

ACCOUNTS = ("asha/alpha", "asha/beta")


def new_order(number: int, now_ms: int = 0, account: str = ACCOUNTS[0], **fields: object) -> Order:
    order = Order(
        id=f"L-{number:010d}",
        account=account,
        user="asha",
        broker=account.partition("/")[2],
        mode=TradingMode.LIVE,
        symbol="RELIANCE",
        exchange=Exchange.NSE,
        action=Action.BUY,
        quantity=10,
        price_type=PriceType.LIMIT,
        product=Product.MIS,
        price=Decimal("2500.05"),
        client_order_id=f"client-{number}",
        created_at=now_ms,
        updated_at=now_ms,
    )
    return msgspec.structs.replace(order, **fields)


def news_of(order: Order, seq: int) -> OrderNews:
    return OrderNews(seq, order.account, f"{order.id} {order.state} {seq}".encode(), b"update")


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def _live(journal: Journal, clock: SystemClock, dice: random.Random, number: int) -> None:
    order = new_order(number, clock.now_ms(), dice.choice(ACCOUNTS))
    await _sometimes(journal.add([order]), dice)
    await journal.sent(order, clock.now_ms())
    say("sent", order.id)
    await asyncio.sleep(dice.random() * 0.01)
    steps = [(OrderState.OPEN, EventKind.PLACED), (OrderState.COMPLETE, EventKind.FILLED)]
    for state, kind in steps[: dice.randint(0, 2)]:
        order = msgspec.structs.replace(order, state=state, order_id=f"X{number}", updated_at=clock.now_ms())
        saved = journal.save(order, kind, partial(news_of, order))
        seq = journal.newest
        say("told", seq)  # not durable yet: a number may be out before it
        await saved
        say("saved", order.id, state.name, seq)
    if dice.random() < 0.3:
        act = Act(id=f"A{number}", kind=ActKind.CANCEL, account=order.account, user="asha", order=order.id)
        await _sometimes(journal.add_act(act), dice)
        await journal.act_sent(act)
        say("act", act.id, "SENT")
        await journal.save_act(msgspec.structs.replace(act, state=ActState.ACCEPTED))
        say("act", act.id, "ACCEPTED")


async def _sometimes(future: asyncio.Future[None], dice: random.Random) -> None:
    """An admission may be awaited or not: the next write of the order follows it anyway."""
    if dice.random() < 0.5:
        await future


async def main(home: str, url: str, seed: str, first: str) -> None:
    dice = random.Random(seed)
    clock = SystemClock()
    database = open_journal_database(Path(home), url)
    journal = Journal(database, Writer(database), clock)
    say("first", journal.newest + 1)
    numbers = iter(range(int(first), sys.maxsize))

    async def trader() -> None:
        for number in numbers:
            await _live(journal, clock, dice, number)

    await asyncio.gather(*(trader() for _ in range(20)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
