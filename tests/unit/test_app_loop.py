"""The loop and its lateness."""

import asyncio
import gc
import time

from tests.support import wait_for

from sangam.app.loop import LOOK_SECONDS, LagMeter, run, settle


def test_runs_to_the_end() -> None:
    seen = []

    async def main() -> None:
        seen.append(asyncio.get_running_loop())

    run(main())
    assert seen[0].is_closed()


def test_what_stands_is_not_collected_again() -> None:
    before = gc.get_freeze_count()
    settle()
    try:
        assert gc.get_freeze_count() > before + 10_000
        assert len(gc.get_objects()) < 10_000
    finally:
        gc.unfreeze()


async def test_a_blocked_loop_shows_once() -> None:
    meter = LagMeter()
    await asyncio.sleep(0)
    time.sleep(LOOK_SECONDS + 0.2)  # noqa: ASYNC251 - the blocking is what is measured
    worst = 0.0

    def late() -> bool:
        nonlocal worst
        worst = max(worst, meter.worst_ms())
        return worst >= 150

    await wait_for(late, what="the lag to be seen")
    assert meter.worst_ms() < 150
    await meter.stop()
