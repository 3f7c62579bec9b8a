"""A trading day, a weekend and a holiday, hour by hour, with clients that stay connected all the time.

The clock is ours; the broker's sessions die at six, its tokens mean other contracts every morning, and the day's
instruments come at half past eight."""

import gc
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from tests.support import wait_for

from sangam.model.calendar import Calendar, Holiday
from sangam.model.enums import Exchange as Code

from .harness import SYMBOLS, TUESDAY, Rig

OpenRig = Callable[..., Awaitable[Rig]]

HOLIDAY = (TUESDAY + timedelta(days=6)).date()
"""The Monday after: closed on all exchanges, though brokers let people log in."""


def at(days: int, hour: int, minute: int = 0) -> datetime:
    """An hour so many days after the Tuesday on which the rig starts."""
    return TUESDAY.replace(hour=hour, minute=minute) + timedelta(days=days)


class Day:
    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    async def comes(self, moment: datetime, state: str) -> None:
        self.rig.clock.jump(moment - timedelta(seconds=0.3))
        await wait_for(lambda: self.rig.health()["state"] == state, what=f"{state} at {moment:%a %H:%M}")

    async def dies_at_six(self, days: int) -> None:
        """The token dies; nobody logs in for a while, and the broker is left in peace."""
        rig = self.rig
        await self.comes(at(days, 6), "auth_expired")
        sockets, calls = rig.stream.accepted, rig.rest.accepted
        await rig.witness.hears(40)
        assert (rig.stream.accepted, rig.rest.accepted) == (sockets, calls), "a dead credential is hammered"

    async def morning(self, days: int, *, opens: bool = True) -> None:
        """Tokens are renumbered overnight; the user logs in at seven, before the day's instruments are out."""
        rig = self.rig
        await self.comes(at(days, 7), "auth_expired")
        rig.exchange.renumber()
        rig.simulator.new_login()
        fresh = len(rig.trader.ticks)
        await rig.login()
        await rig.trader.hears(3, *SYMBOLS)
        assert rig.health()["state"] == "closed_market"
        first = rig.master_version()
        await self.comes(at(days, 8, 30), "closed_market")
        await wait_for(lambda: rig.master_version() != first, what="the instruments of half past eight")
        await rig.trader.hears(3, *SYMBOLS)
        await self.comes(at(days, 9, 15), "live" if opens else "closed_market")
        await rig.trader.hears(3, *SYMBOLS)
        for tick in rig.trader.ticks[fresh:]:
            market = rig.exchange.market(tick.symbol, Code.NSE)
            assert tick.data["close"] == market.rupees(market.close), "another contract's price under this name"


def objects_of_the_house() -> int:
    """How many objects of our own are alive; the simulated market is the broker's business."""
    gc.collect()
    return sum(
        module.startswith("sangam.") and not module.startswith("sangam.simulators")
        for module in (type(each).__module__ or "" for each in gc.get_objects())
    )


async def test_from_three_in_the_night_over_a_weekend_and_a_holiday(open_rig: OpenRig) -> None:
    calendar = Calendar([Holiday(date=HOLIDAY, description="closed", closed=frozenset(Code))])
    rig = await open_rig(calendar=calendar)
    day = Day(rig)
    begun = time.monotonic()
    async with rig.trouble():
        await day.comes(at(0, 15, 40), "closed_market")
        await day.comes(at(1, 3), "closed_market")
        await day.dies_at_six(1)
        await day.morning(1)
        await day.comes(at(1, 9, 30), "live")
        alive = objects_of_the_house()

        # Friday evening to Monday: nobody logs in at the weekend.
        await day.dies_at_six(2)
        await day.morning(2)
        await day.comes(at(3, 2), "closed_market")
        await day.dies_at_six(3)
        for days in (4, 5):
            await day.comes(at(days, 12), "auth_expired")
        # Monday is a holiday: a login works, yet nothing is stale although nothing has to move.
        await day.morning(6, opens=False)
        await day.comes(at(6, 12), "closed_market")
        await day.dies_at_six(7)
        await day.morning(7)
        await day.comes(at(7, 9, 30), "live")
        assert objects_of_the_house() <= alive * 1.1, "memory grows by the day"
    assert rig.trader.states.count("stale") == 0
    assert rig.witness.longest_silence(begun) < 1.5
    assert rig.stream.open == 1
