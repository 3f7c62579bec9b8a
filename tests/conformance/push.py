"""PUSH: what the broker tells of orders by itself."""

import pytest
from tests.conformance.matrix import case
from tests.conformance.rig import Rig
from tests.conformance.streaming import ACCOUNT
from tests.support import wait_for

from sangam.brokers.contract import BooksChanged, unsigned
from sangam.model.enums import Action, PriceType
from sangam.model.errors import DecodeError
from sangam.model.order import Change
from sangam.verify import needs


@case("PUSH-01", needs.ORDER_NEWS)
async def _(rig: Rig) -> None:
    """An order that the owner places elsewhere is told, by an instrument that our list has."""
    share = await rig.share()
    async with rig.streaming() as feed:
        await feed.live()
        order = rig.elsewhere(share)
        told = await feed.hears(order.order_id, "open")
        assert (await rig.master()).named(told) == share
        assert (told.action, told.quantity, told.price_type) == ("BUY", 10, "LIMIT")
        assert (told.product, told.price, told.filled_quantity) == ("MIS", order.price, 0)
        assert abs(told.timestamp - order.updated) < 2000


@case("PUSH-02", needs.ORDER_NEWS)
async def _(rig: Rig) -> None:
    """Fills are told with the sum of what was filled, and their average price."""
    share = await rig.share()
    async with rig.streaming() as feed:
        await feed.live()
        quantity = rig.market(share).book.depth(False, 1)[0].quantity + 7
        order = rig.elsewhere(share, price_type=PriceType.MARKET, price=0.0, quantity=quantity)
        told = await feed.hears(order.order_id, "complete")
        assert (told.filled_quantity, told.pending_quantity) == (quantity, 0)
        assert told.average_price == pytest.approx(order.average_price, abs=0.001)
        filled = [row.filled_quantity for row in feed.updates if row.order_id == order.order_id]
        assert filled == sorted(filled)


@case("PUSH-03", needs.ORDER_NEWS)
async def _(rig: Rig) -> None:
    """A partly filled order is open, and says how much was filled."""
    share = await rig.share()
    best = rig.market(share).book.depth(False, 1)[0]
    async with rig.streaming() as feed:
        await feed.live()
        order = rig.elsewhere(share, price=rig.market(share).rupees(best.price), quantity=best.quantity + 7)
        told = await feed.hears(order.order_id, "open", best.quantity)
        assert told.pending_quantity == 7


@case("PUSH-04", needs.ORDER_NEWS)
async def _(rig: Rig) -> None:
    """A change and a cancel elsewhere are told."""
    share = await rig.share()
    async with rig.streaming() as feed:
        await feed.live()
        order = rig.elsewhere(share)
        rig.exchange.modify(order.order_id, quantity=25)
        await wait_for(lambda: feed.updates and feed.updates[-1].quantity == 25, what="the change")
        assert feed.updates[-1].status == "open"
        rig.exchange.cancel(order.order_id)
        assert (await feed.hears(order.order_id, "cancelled")).filled_quantity == 0


@case("PUSH-05", needs.ORDER_NEWS)
async def _(rig: Rig) -> None:
    """A rejection is told with its reason."""
    share = await rig.share()
    async with rig.streaming() as feed:
        await feed.live()
        order = rig.elsewhere(share, price=0.01)
        assert (await feed.hears(order.order_id, "rejected")).rejection_reason == order.reason


@case("PUSH-06", needs.ORDER_NEWS)
async def _(rig: Rig) -> None:
    """A stop waits as trigger pending, and is told when the market reaches it."""
    share = await rig.share()
    trigger, price = float(rig.near(share, 4)), float(rig.near(share, 5))
    async with rig.streaming() as feed:
        await feed.live()
        order = rig.elsewhere(share, price_type=PriceType.SL, price=price, trigger_price=trigger)
        assert (await feed.hears(order.order_id, "trigger pending")).trigger_price == trigger
        rig.move(share, 4.5)
        assert (await feed.hears(order.order_id, "complete")).filled_quantity == 10


@case("PUSH-07", needs.ORDER_NEWS, needs.ORDERS, needs.TAG, needs.TAGGED_NEWS)
async def _(rig: Rig) -> None:
    """Our own orders are told with our tag, from their placing through a change to their cancel."""
    share = await rig.share()
    async with rig.streaming() as feed:
        await feed.live()
        order = await rig.place(rig.order(share), share)
        assert (await feed.hears(order.order_id, "open")).tag.startswith(order.our_tag)
        change = Change(quantity=7, price_type=PriceType.LIMIT, price=order.price - 1)
        await rig.live.modify(ACCOUNT, order, change, share, rig.sending, urgent=False)
        await wait_for(lambda: feed.updates[-1].quantity == 7, what="the change")
        await rig.live.cancel(ACCOUNT, order, rig.sending)
        await feed.hears(order.order_id, "cancelled")


@case("PUSH-08", needs.ORDER_NEWS, needs.ORDERS)
async def _(rig: Rig) -> None:
    """News and order book agree, whatever the order went through."""
    share = await rig.share()
    async with rig.streaming() as feed:
        await feed.live()
        order = await rig.place(rig.order(share, price_type=PriceType.MARKET), share)
        told, row = await feed.hears(order.order_id, "complete"), await rig.told(order)
        assert await rig.tells_of(told, share)
        assert await rig.tells_of(row, share)
        for name in (
            "order_id", "action", "quantity", "product", "status", "filled_quantity", "average_price", "timestamp",
        ):  # fmt: skip
            assert getattr(told, name) == getattr(row, name), name
        assert told.tag == (row.tag if rig.trading.tag.in_news else "")


@case("PUSH-09", needs.ORDER_NEWS)
async def _(rig: Rig) -> None:
    """Orders of another client are not told."""
    share = await rig.share()
    async with rig.streaming() as feed:
        await feed.live()
        price = float(rig.near(share, -5))
        rig.exchange.place("somebody", share.symbol, share.exchange, Action.BUY, 10, PriceType.LIMIT, price=price)
        mine = rig.elsewhere(share)
        await feed.hears(mine.order_id, "open")
        assert {row.order_id for row in feed.updates} == {mine.order_id}


@case("PUSH-10", needs.ORDER_NEWS)
async def _(rig: Rig) -> None:
    """After a lost connection somebody reads the books, since news may be missing; new news come again."""
    share = await rig.share()
    async with rig.streaming() as feed:
        await feed.live()
        feed.news.clear()
        rig.simulator.faults.kill_sockets()
        await wait_for(lambda: BooksChanged() in feed.news, what="the call to read the books")
        order = rig.elsewhere(share)
        await feed.hears(order.order_id, "open")


@case("PUSH-11", needs.WEBHOOK)
async def _(rig: Rig) -> None:
    """What the broker posts to our address is read like its other news, and its signature holds where it has one."""
    share = await rig.share()
    placed = await rig.place(rig.order(share), share)
    body = rig.stand.webhook(rig.simulator, rig.stored(placed).order_id)
    post = rig.trading.postback
    assert post is not None
    told = post.read(body, {})
    assert (told.order_id, told.status, told.tag) == (placed.order_id, "open", (await rig.told(placed)).tag)
    assert post.verified is unsigned or post.verified(body, {}, rig.session)


@case("PUSH-12", needs.WEBHOOK)
async def _(rig: Rig) -> None:
    """What somebody else posts is not verified, and what is damaged is not read."""
    share = await rig.share()
    body = rig.stand.webhook(rig.simulator, rig.stored(await rig.place(rig.order(share), share)).order_id)
    post = rig.trading.postback
    assert post is not None
    stranger = rig.session_of(dict.fromkeys(rig.session.secrets, "another"))
    assert not post.verified(body, {}, stranger)
    for damaged in (b"", b"{", b"[]", b"null", b"\xff\xfe", body[: len(body) // 2]):
        assert not post.verified(damaged, {}, rig.session)
        with pytest.raises(DecodeError):
            post.read(damaged, {})
