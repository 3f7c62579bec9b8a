"""TRADE and PUSH: one order that is placed, found, changed and cancelled."""

import msgspec

from sangam.model.enums import Exchange as Code
from sangam.model.enums import Product

from . import needs
from .checks import LISTED, PROVED, check, expect
from .subject import Subject

PLACED, CANCELLED = "TRADE-02", "TRADE-17"
_AFTER = (PLACED,)


@check(PLACED, needs.product(Product.CNC, Code.NSE), after=(PROVED, LISTED), open_on=Code.NSE, orders=True)
async def _(subject: Subject) -> None:
    """LIMIT for CNC: one share, far below the market, waits as open."""
    order = await subject.trial.place(Product.CNC)
    row = await subject.trial.row()
    expect((row.status, row.filled_quantity) == ("open", 0), f"the broker's book has it as {row.status}")
    expect((row.action, row.price_type, row.product) == ("BUY", "LIMIT", "CNC"), "the broker's book has other terms")
    expect(row.quantity == order.quantity, "the broker's book has another quantity")
    expect(row.price == float(order.price), "the broker's book has another price")


@check("TRADE-32", needs.ORDERS, needs.TAG, after=_AFTER, orders=True)
async def _(subject: Subject) -> None:
    """Our tag comes back."""
    tag = (await subject.trial.row()).tag
    expect(tag.startswith(subject.trial.standing().our_tag), "the broker's book has another tag")


@check("TRADE-33", needs.ORDERS, needs.TAG, after=_AFTER, orders=True)
async def _(subject: Subject) -> None:
    """An order whose number we never heard is found by its tag; one that never arrived is not."""
    order, live = subject.trial.standing(), subject.trial.live
    found = await live.find(subject.account.id, msgspec.structs.replace(order, order_id=""))
    expect(found is not None and found.order_id == order.order_id, "it is not found")
    lost = msgspec.structs.replace(order, id=f"{order.id[:2]}{order.our_tag[::-1]}", order_id="")
    expect(await live.find(subject.account.id, lost) is None, "one that never was is found")


@check("TRADE-34", needs.ORDERS, needs.ONE_ORDER, after=_AFTER, orders=True)
async def _(subject: Subject) -> None:
    """One order is read by its number."""
    order = subject.trial.standing()
    found = await subject.trial.live.find(subject.account.id, order)
    expect(found is not None and found.order_id == order.order_id, "it is not found")
    expect(found == await subject.trial.row(), "the book tells something else of it")


@check("TRADE-15", needs.orders_on(Code.NSE), after=_AFTER, orders=True)
async def _(subject: Subject) -> None:
    """A waiting order gets another price, and stays the same order."""
    before = subject.trial.standing()
    after = await subject.trial.change()
    expect(after.order_id == before.order_id, "it has another number now")


@check(CANCELLED, needs.orders_on(Code.NSE), after=_AFTER, orders=True)
async def _(subject: Subject) -> None:
    """A waiting order is cancelled."""
    await subject.trial.cancel()
    row = await subject.trial.row()
    expect((row.status, row.filled_quantity) == ("cancelled", 0), f"the broker's book has it as {row.status}")


@check("PUSH-07", needs.ORDER_NEWS, needs.ORDERS, needs.TAG, needs.TAGGED_NEWS, after=(CANCELLED,), orders=True)
async def _(subject: Subject) -> None:
    """Our own orders are told with our tag, from their placing to their cancel."""
    order = subject.trial.standing()
    told = await subject.trial.hears({"open", "cancelled"})
    expect(all(news.tag.startswith(order.our_tag) for news in told), "the stream told it without our tag")
