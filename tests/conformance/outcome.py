"""OUTCOME: what is known of a write when something went wrong. Nothing is called refused without evidence, nothing is
sent twice, and what is unknown is found out by reading."""

import pytest
from tests.conformance.matrix import case
from tests.conformance.rig import Rig
from tests.conformance.streaming import ACCOUNT
from tests.support import free_port

from sangam.model.enums import PriceType
from sangam.model.errors import BrokerError, Denied, NotSent, RateLimited, Refused, StoreError, Unknown
from sangam.model.order import Change
from sangam.orders.live import Live
from sangam.simulators.mishaps import Mishap
from sangam.verify import needs

SLOW = (Mishap.TAKEN_IN_SILENCE, Mishap.TAKEN_ANSWERED_LATE)


def after_mishap(number: int, mishap: Mishap, error: type[BrokerError], title: str) -> None:
    @case(f"OUTCOME-{number:02d}", needs.ORDERS, title=title)
    async def _(rig: Rig) -> None:
        share = await rig.share()
        order = rig.order(share)
        if mishap in SLOW:
            await rig.hurry()
        rig.simulator.faults.mishap(mishap, seconds=1.5)
        with pytest.raises(error) as caught:
            await rig.place(order, share)
        assert not isinstance(caught.value, Refused) or error is RateLimited
        assert caught.value.sent
        assert rig.sent == 1
        assert len(rig.simulator.faults.orders.happened) == 1
        assert len(rig.all_stored(order)) == mishap.is_taken
        if rig.trading.tag.kind != "none":
            found = await rig.live.find(ACCOUNT, order)
            assert (found is not None) == mishap.is_taken


for _number, (_mishap, _error, _title) in enumerate(
    (
        (Mishap.TAKEN_THEN_RESET, Unknown, "Taken, then the connection breaks: unknown, and found by its tag"),
        (Mishap.TAKEN_IN_SILENCE, Unknown, "Taken, never answered: unknown after the deadline, and found by its tag"),
        (Mishap.TAKEN_ANSWERED_LATE, Unknown, "Taken, answered after the deadline: unknown, and found by its tag"),
        (Mishap.TAKEN_SERVER_ERROR, Unknown, "Taken, answered by a server's error: unknown, and found by its tag"),
        (Mishap.TAKEN_TIMED_OUT, Unknown, "Taken, answered by a time-out's text: unknown, and found by its tag"),
        (Mishap.TAKEN_NONSENSE, Unknown, "Taken, answered by nonsense: unknown, and found by its tag"),
        (Mishap.TAKEN_NAMELESS, Unknown, "Taken, answered without a number: unknown, and found by its tag"),
        (Mishap.LOST_RESET, Unknown, "Not taken, the connection breaks: unknown; reading finds nothing"),
        (Mishap.LOST_SERVER_ERROR, Unknown, "Not taken, answered by a server's error: unknown; reading finds nothing"),
        (Mishap.LOST_TOO_MANY, RateLimited, "Not taken, answered 429: refused for its pace, with evidence"),
    ),
    1,
):
    after_mishap(_number, _mishap, _error, _title)


@case("OUTCOME-11", needs.ORDERS)
async def _(rig: Rig) -> None:
    """Nobody listens at the broker's address: not sent, which is certain."""
    share = await rig.share()
    rig.session = rig.session_of(
        rig.simulator.credentials, hosts={name: f"http://127.0.0.1:{free_port()}" for name in rig.simulator.hosts}
    )
    with pytest.raises(NotSent) as caught:
        await rig.place(rig.order(share), share)
    assert not caught.value.sent


@case("OUTCOME-12", needs.ORDERS)
async def _(rig: Rig) -> None:
    """Where the journal cannot say `sent`, not one byte leaves."""
    share = await rig.share()
    order = rig.order(share)

    async def full() -> None:
        raise StoreError("no space left on the disk")

    with pytest.raises(StoreError):
        await rig.live.place(ACCOUNT, order, share, full, urgent=False, wait=None)
    assert not rig.all_stored(order)


@case("OUTCOME-13", needs.ORDERS)
async def _(rig: Rig) -> None:
    """A login while an order is on its way out holds it back: it belonged to another session."""
    share = await rig.share()
    order = rig.order(share)
    sessions = iter((rig.session, rig.log_in()))
    live = Live(rig.driver, lambda account: rig.spec, lambda account: next(sessions))
    with pytest.raises(Denied, match="Nothing was sent"):
        await live.place(ACCOUNT, order, share, rig.sending, urgent=False, wait=None)
    assert not rig.all_stored(order)
    assert rig.sent == 0


@case("OUTCOME-14", needs.ORDERS)
async def _(rig: Rig) -> None:
    """A change whose answer is lost is unknown; the book tells that it was made."""
    share = await rig.share()
    order = await rig.place(rig.order(share), share)
    rig.simulator.faults.mishap(Mishap.TAKEN_THEN_RESET)
    change = Change(quantity=7, price_type=PriceType.LIMIT, price=order.price)
    with pytest.raises(Unknown):
        await rig.live.modify(ACCOUNT, order, change, share, rig.sending, urgent=False)
    assert (await rig.told(order)).quantity == 7
    assert rig.stored(order).modifications == 1


@case("OUTCOME-15", needs.ORDERS)
async def _(rig: Rig) -> None:
    """A cancel whose answer is lost is unknown; the book tells that it was made."""
    share = await rig.share()
    order = await rig.place(rig.order(share), share)
    rig.simulator.faults.mishap(Mishap.TAKEN_SERVER_ERROR)
    with pytest.raises(Unknown):
        await rig.live.cancel(ACCOUNT, order, rig.sending)
    assert (await rig.told(order)).status == "cancelled"


@case("OUTCOME-16", needs.ORDERS)
async def _(rig: Rig) -> None:
    """A cancel that was lost on its way is unknown; the book tells that the order still waits."""
    share = await rig.share()
    order = await rig.place(rig.order(share), share)
    rig.simulator.faults.mishap(Mishap.LOST_RESET)
    with pytest.raises(Unknown):
        await rig.live.cancel(ACCOUNT, order, rig.sending)
    assert (await rig.told(order)).status == "open"


@case("OUTCOME-17", needs.ORDERS)
async def _(rig: Rig) -> None:
    """After any mishap the next order goes its way."""
    share = await rig.share()
    rig.simulator.faults.mishap(Mishap.TAKEN_NONSENSE)
    with pytest.raises(Unknown):
        await rig.place(rig.order(share), share)
    order = await rig.place(rig.order(share), share)
    assert (await rig.told(order)).status == "open"


@case("OUTCOME-18", needs.GTT)
async def _(rig: Rig) -> None:
    """A GTT whose answer is lost is unknown; the list tells that it stands, and it stands once."""
    share = await rig.share()
    low = rig.near(share, -4)
    rig.simulator.faults.mishap(Mishap.TAKEN_THEN_RESET)
    leg = rig.gtt_leg(low, low - 1)
    with pytest.raises(Unknown):
        await rig.live.place_gtt(ACCOUNT, share, [leg], rig.ltp(share), rig.sending)
    (gtt,) = await rig.live.gtts(ACCOUNT)
    assert gtt.legs == (leg,)
