"""TRADE: orders from their placing to their end, GTTs, conversions. The exchange's ledger is the judge."""

import re
from decimal import Decimal
from itertools import product as pairs
from typing import Any

import msgspec
import pytest
from tests.conformance.matrix import World, case
from tests.conformance.rig import Rig
from tests.conformance.streaming import ACCOUNT

from sangam.model.books import GttLeg
from sangam.model.enums import Action, PriceType, Product
from sangam.model.enums import Exchange as Code
from sangam.model.errors import BrokerError, RateLimited, Refused, SessionExpired
from sangam.model.instrument import Instrument
from sangam.model.order import Change, Order, Validity
from sangam.verify import needs

OPEN, COMPLETE, CANCELLED, REJECTED, WAITS = "open", "complete", "cancelled", "rejected", "trigger pending"
BECOMES = {
    PriceType.MARKET: COMPLETE,
    PriceType.LIMIT: OPEN,
    PriceType.SL: WAITS,
    PriceType.SL_M: WAITS,
}
"""What an order that the market has not reached is told as."""

PLACES = {Product.CNC: Code.NSE, Product.MIS: Code.NSE, Product.NRML: Code.NFO}


async def traded(rig: Rig, product: Product) -> Instrument:
    return await (rig.future() if PLACES[product] is Code.NFO else rig.share())


def of_terms(number: int, price_type: PriceType, product: Product) -> None:
    need = needs.product(product, PLACES[product])

    @case(f"TRADE-{number:02d}", need, title=f"{price_type.value} for {product.value}, BUY and SELL")
    async def _(rig: Rig) -> None:
        instrument = await traded(rig, product)
        for action in Action:
            order = await rig.place(rig.order(instrument, action, price_type=price_type, product=product), instrument)
            stored = rig.stored(order)
            assert (stored.symbol, stored.exchange) == (instrument.symbol, instrument.exchange)
            assert (stored.action, stored.product, stored.quantity) == (action, product, order.quantity)
            told = await rig.told(order)
            assert told.status == BECOMES[price_type]
            assert await rig.tells_of(told, instrument)
            assert (told.action, told.product, told.quantity) == (action.value, product.value, order.quantity)
            if price_type in (PriceType.LIMIT, PriceType.SL):
                assert told.price_type == price_type
                assert told.price == stored.price == float(order.price)
            if price_type in (PriceType.SL, PriceType.SL_M):
                assert told.trigger_price == stored.trigger_price == float(order.trigger_price)
            if price_type is PriceType.MARKET:
                assert (told.filled_quantity, told.average_price) == (order.quantity, stored.average_price)
        assert rig.sent == 2


for _number, (_product, _kind) in enumerate(pairs(PLACES, PriceType), 1):
    of_terms(_number, _kind, _product)


@case("TRADE-13", needs.orders_on(Code.NSE), needs.immediate(Code.NSE))
async def _(rig: Rig) -> None:
    """IOC: what is not filled at once is cancelled."""
    share = await rig.share()
    order = await rig.place(rig.order(share, validity=Validity.IOC), share)
    assert rig.stored(order).validity == "IOC"
    told = await rig.told(order)
    assert (told.status, told.filled_quantity, told.validity) == (CANCELLED, 0, "IOC")


@case("TRADE-14", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """A disclosed quantity reaches the broker and comes back."""
    share = await rig.share()
    order = await rig.place(rig.order(share, disclosed_quantity=5), share)
    assert (await rig.told(order)).disclosed_quantity == 5


async def waiting(rig: Rig, **terms: Any) -> tuple[Instrument, Order]:
    """An order that waits in the book."""
    share = await rig.share()
    order = await rig.place(rig.order(share, **terms), share)
    assert not rig.stored(order).status.is_final
    return share, order


async def modify(rig: Rig, order: Order, change: Change, instrument: Instrument) -> None:
    taken = await rig.live.modify(ACCOUNT, order, change, instrument, rig.sending, urgent=False)
    assert taken.order_id == order.order_id


async def cancel(rig: Rig, order: Order) -> None:
    taken = await rig.live.cancel(ACCOUNT, order, rig.sending)
    assert taken.order_id == order.order_id


@case("TRADE-15", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """A waiting order gets another quantity and price, and stays the same order."""
    share, order = await waiting(rig)
    await modify(rig, order, Change(quantity=7, price_type=PriceType.LIMIT, price=order.price - 1), share)
    told = await rig.told(order)
    assert (told.status, told.quantity, told.price) == (OPEN, 7, float(order.price - 1))
    assert (rig.stored(order).quantity, rig.stored(order).modifications) == (7, 1)


@case("TRADE-16", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """A waiting LIMIT becomes an SL, and back again."""
    share, order = await waiting(rig)
    stop = Change(quantity=10, price_type=PriceType.SL, price=rig.near(share, 6), trigger_price=rig.near(share, 5))
    await modify(rig, order, stop, share)
    told = await rig.told(order)
    assert (told.status, told.price_type) == (WAITS, PriceType.SL)
    assert (told.price, told.trigger_price) == (float(stop.price), float(stop.trigger_price))
    stopped = msgspec.structs.replace(order, price_type=PriceType.SL, price=stop.price)
    await modify(rig, stopped, Change(quantity=10, price_type=PriceType.LIMIT, price=order.price), share)
    told = await rig.told(order)
    assert (told.status, told.price_type, told.price) == (OPEN, PriceType.LIMIT, float(order.price))


@case("TRADE-17", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """A waiting order is cancelled, and a waiting stop too."""
    for kind in (PriceType.LIMIT, PriceType.SL):
        _, order = await waiting(rig, price_type=kind)
        await cancel(rig, order)
        assert (await rig.told(order)).status == CANCELLED


@case("TRADE-18", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """Cancel all: every waiting order, and those alone; done ones stay as they are."""
    share = await rig.share()
    done = await rig.place(rig.order(share, price_type=PriceType.MARKET), share)
    orders = [(await waiting(rig))[1] for _ in range(4)]
    for order in orders:
        await cancel(rig, order)
    states = {row.order_id: row.status for row in await rig.live.orders(ACCOUNT)}
    assert states == {done.order_id: COMPLETE} | dict.fromkeys((order.order_id for order in orders), CANCELLED)


@case("TRADE-19", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """A cancel or a change that comes too late is refused with evidence; the fill stands."""
    share = await rig.share()
    order = await rig.place(rig.order(share, price_type=PriceType.MARKET), share)
    with pytest.raises(Refused):
        await rig.live.cancel(ACCOUNT, order, rig.sending)
    late = Change(quantity=20, price_type=PriceType.LIMIT, price=rig.near(share, -5))
    with pytest.raises(Refused):
        await rig.live.modify(ACCOUNT, order, late, share, rig.sending, urgent=False)
    assert (await rig.told(order)).status == COMPLETE


@case("TRADE-20", needs.ORDERS)
async def _(rig: Rig) -> None:
    """A cancel of an order that the broker does not know is refused with evidence."""
    share = await rig.share()
    with pytest.raises(Refused):
        await rig.live.cancel(ACCOUNT, rig.order(share, order_id="404", native={}), rig.sending)


@case("TRADE-21", needs.orders_on(Code.NSE), needs.FEW_CHANGES)
async def _(rig: Rig) -> None:
    """One change more than the broker allows is refused, and the order waits on."""
    share, order = await waiting(rig)
    assert rig.trading.modifications is not None
    for number in range(rig.trading.modifications):
        rig.exchange.modify(rig.stored(order).order_id, quantity=11 + number)
    with pytest.raises(Refused):
        await rig.live.modify(
            ACCOUNT, order, Change(quantity=9, price_type=PriceType.LIMIT, price=order.price), share, rig.sending,
            urgent=False,
        )  # fmt: skip
    assert (await rig.told(order)).status == OPEN


async def rejection(rig: Rig, order: Order, instrument: Instrument) -> str:
    """Place what is not taken. By which door it is refused is the broker's affair: at once, or as a rejected order."""
    try:
        placed = await rig.place(order, instrument)
    except Refused as refused:
        assert not rig.all_stored(order)
        return str(refused)
    told = await rig.told(placed)
    assert (told.status, told.filled_quantity) == (REJECTED, 0)
    return told.rejection_reason


@case("TRADE-22", needs.orders_on(Code.NFO))
async def _(rig: Rig) -> None:
    """A quantity off the lot is rejected, with the reason."""
    future = await rig.future()
    order = rig.order(future, quantity=future.lot_size + 1, product=Product.NRML)
    assert "lot" in (await rejection(rig, order, future)).casefold()


@case("TRADE-23", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """A price off the tick is rejected, with the reason."""
    share = await rig.share()
    order = rig.order(share, price=rig.near(share, -5) + Decimal("0.013"))
    assert "tick" in (await rejection(rig, order, share)).casefold()


@case("TRADE-24", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """A price outside the day's range is rejected, with the reason."""
    share = await rig.share()
    assert await rejection(rig, rig.order(share, price=rig.near(share, -40)), share)


@case("TRADE-25", needs.orders_on(Code.NSE), world=World(cash=1000.0))
async def _(rig: Rig) -> None:
    """Too little money: rejected, with the reason."""
    share = await rig.share()
    reason = await rejection(rig, rig.order(share, quantity=100), share)
    assert re.search(r"fund|margin|add rs", reason.casefold())


@case("TRADE-26", needs.orders_on(Code.NSE), world=World(cash=1000.0, early=True))
async def _(rig: Rig) -> None:
    """Too little money, told at once, is a refusal with our code for it; no order came about."""
    share = await rig.share()
    order = rig.order(share, quantity=100)
    with pytest.raises(Refused) as caught:
        await rig.place(order, share)
    assert caught.value.code == "INSUFFICIENT_FUNDS"
    assert not rig.all_stored(order)


@case("TRADE-27", needs.product(Product.CNC, Code.NSE), world=World(holdings=False))
async def _(rig: Rig) -> None:
    """Shares that are not there cannot be sold for delivery."""
    share = await rig.share()
    reason = await rejection(rig, rig.order(share, Action.SELL, product=Product.CNC), share)
    assert "holding" in reason.casefold()


@case("TRADE-28", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """An instrument that the broker does not know is refused with evidence."""
    share = await rig.share()
    order = rig.order(share)
    with pytest.raises(Refused):
        await rig.place(order, rig.stranger(share))
    assert not rig.all_stored(order)


@case("TRADE-29", needs.ORDERS)
async def _(rig: Rig) -> None:
    """A dead session places nothing and is told so."""
    share = await rig.share()
    order = rig.order(share)
    rig.simulator.expire_token()
    with pytest.raises(SessionExpired):
        await rig.place(order, share)
    assert not rig.all_stored(order)


@case("TRADE-30", needs.ORDERS, needs.LIMITS, world=World(limits=True))
async def _(rig: Rig) -> None:
    """A burst of orders waits for its turn: none is refused by the broker for its pace."""
    share = await rig.share()
    for _ in range(14):
        await rig.place(rig.order(share), share, wait=5.0)
    assert rig.stand.too_many(rig.simulator) == 0
    assert len(rig.exchange.ledger.of(rig.client)) == 14


@case("TRADE-31", needs.ORDERS, needs.LIMITS, world=World(limits=True))
async def _(rig: Rig) -> None:
    """An order that may not wait for its turn is not sent; a cancel has room kept for it."""
    share = await rig.share()
    asked: list[Order] = []

    async def burst() -> None:
        for _ in range(1000):
            asked.append(rig.order(share))
            asked[-1] = await rig.place(asked[-1], share, wait=0.0)

    with pytest.raises(RateLimited) as caught:
        await burst()
    assert not caught.value.sent
    assert len(asked) > 1
    assert not rig.all_stored(asked[-1])
    await cancel(rig, asked[0])


@case("TRADE-32", needs.ORDERS, needs.TAG)
async def _(rig: Rig) -> None:
    """Our tag leads, the caller's follows as far as it fits, and both come back."""
    share = await rig.share()
    order = await rig.place(rig.order(share, tag="the caller's own"), share)
    stored = rig.stored(order)
    assert stored.tag.startswith(order.our_tag)
    assert len(stored.tag) <= rig.trading.tag.length
    assert (await rig.told(order)).tag == stored.tag


@case("TRADE-33", needs.ORDERS, needs.TAG)
async def _(rig: Rig) -> None:
    """An order whose number we never heard is found by its tag; one that never arrived is not."""
    share = await rig.share()
    order = rig.order(share)
    placed = await rig.place(order, share)
    found = await rig.live.find(ACCOUNT, order)
    assert found is not None
    assert found.order_id == placed.order_id
    assert await rig.live.find(ACCOUNT, rig.order(share)) is None


@case("TRADE-34", needs.ORDERS, needs.ONE_ORDER)
async def _(rig: Rig) -> None:
    """One order is read by its number; one that the broker does not know is None."""
    share = await rig.share()
    placed = await rig.place(rig.order(share), share)
    assert await rig.live.find(ACCOUNT, placed) == await rig.told(placed)
    await cancel(rig, placed)
    found = await rig.live.find(ACCOUNT, placed)
    assert found == await rig.told(placed)
    assert found.status == CANCELLED
    assert await rig.live.find(ACCOUNT, msgspec.structs.replace(placed, order_id="404")) is None


@case("TRADE-35", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """A partly filled order is open, with what was filled and at which price."""
    share = await rig.share()
    best = rig.market(share).book.depth(False, 1)[0]
    price = Decimal(str(rig.market(share).rupees(best.price)))
    order = await rig.place(rig.order(share, price=price, quantity=best.quantity + 7), share)
    told = await rig.told(order)
    assert (told.status, told.filled_quantity, told.pending_quantity) == (OPEN, best.quantity, 7)
    assert told.average_price == float(price)


@case("TRADE-36", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """A stop that the market reaches is filled."""
    share, order = await waiting(rig, price_type=PriceType.SL)
    rig.move(share, 5.5)
    told = await rig.told(order)
    assert (told.status, told.filled_quantity) == (COMPLETE, 10)


# --- positions and triggers -------------------------------------------------------------------------------------------


@case("TRADE-37", needs.CONVERSION, needs.product(Product.CNC, Code.NSE))
async def _(rig: Rig) -> None:
    """A position becomes one of another product; more than there is is refused."""
    share = await rig.share()
    await rig.place(rig.order(share, price_type=PriceType.MARKET), share)
    await rig.live.convert(ACCOUNT, share, Product.MIS, Product.CNC, 10, rig.sending)
    found = {row.product: row.quantity for row in await rig.live.positions(ACCOUNT) if row.quantity}
    assert found == {Product.CNC: 10}
    with pytest.raises(Refused):
        await rig.live.convert(ACCOUNT, share, Product.MIS, Product.CNC, 10, rig.sending)


def legs(rig: Rig, share: Instrument) -> tuple[GttLeg, GttLeg]:
    """Sell ten shares four percent below the market, or four above."""
    low, high = rig.near(share, -4), rig.near(share, 4)
    return rig.gtt_leg(low, low - 1), rig.gtt_leg(high, high)


async def trigger(rig: Rig, share: Instrument, *wanted: GttLeg) -> str:
    return await rig.live.place_gtt(ACCOUNT, share, wanted, rig.ltp(share), rig.sending)


@case("TRADE-38", needs.GTT)
async def _(rig: Rig) -> None:
    """A GTT is taken and listed with its terms."""
    share = await rig.share()
    stop, _ = legs(rig, share)
    number = await trigger(rig, share, stop)
    (gtt,) = await rig.live.gtts(ACCOUNT)
    assert await rig.tells_of(gtt, share)
    assert (gtt.trigger_id, gtt.status, gtt.legs) == (number, "active", (stop,))


@case("TRADE-39", needs.GTT, needs.OCO)
async def _(rig: Rig) -> None:
    """A GTT of two legs: the lower trigger first, and one cancels the other."""
    share = await rig.share()
    both = legs(rig, share)
    number = await trigger(rig, share, *both)
    (gtt,) = await rig.live.gtts(ACCOUNT)
    assert (gtt.trigger_id, gtt.legs) == (number, both)
    rig.move(share, 4.5)
    rig.simulator.check()
    assert "active" not in {gtt.status for gtt in await rig.live.gtts(ACCOUNT)}
    (order,) = await rig.live.orders(ACCOUNT)
    assert (order.action, order.quantity) == ("SELL", 10)
    assert both[1].price_type is PriceType.MARKET or order.price == float(both[1].price)


@case("TRADE-40", needs.GTT)
async def _(rig: Rig) -> None:
    """A GTT is changed as a whole, and keeps its number."""
    share = await rig.share()
    stop, _ = legs(rig, share)
    number = await trigger(rig, share, stop)
    moved = msgspec.structs.replace(rig.gtt_leg(stop.trigger - 1, stop.trigger - 2), quantity=5)
    assert await rig.live.modify_gtt(ACCOUNT, number, share, [moved], rig.ltp(share), rig.sending) == number
    (gtt,) = await rig.live.gtts(ACCOUNT)
    assert gtt.legs == (moved,)


@case("TRADE-41", needs.GTT)
async def _(rig: Rig) -> None:
    """A GTT is cancelled and does not fire any more; one that is not there is an error."""
    share = await rig.share()
    stop, _ = legs(rig, share)
    number = await trigger(rig, share, stop)
    assert await rig.live.cancel_gtt(ACCOUNT, number, rig.sending) == number
    rig.move(share, -4.5)
    rig.simulator.check()
    assert "active" not in {gtt.status for gtt in await rig.live.gtts(ACCOUNT)}
    assert await rig.live.orders(ACCOUNT) == []
    with pytest.raises(BrokerError):
        await rig.live.cancel_gtt(ACCOUNT, "404", rig.sending)


@case("TRADE-42", needs.GTT)
async def _(rig: Rig) -> None:
    """A GTT that the market reaches places its order."""
    share = await rig.share()
    stop, _ = legs(rig, share)
    await trigger(rig, share, stop)
    rig.move(share, -4.5)
    rig.simulator.check()
    told = {gtt.status for gtt in await rig.live.gtts(ACCOUNT)}
    assert told <= {"triggered"}, "told so, or not told any more by a broker whose list is of those that wait"
    (order,) = await rig.live.orders(ACCOUNT)
    assert (order.action, order.quantity) == ("SELL", 10)
    assert stop.price_type is PriceType.MARKET or order.price == float(stop.price)
