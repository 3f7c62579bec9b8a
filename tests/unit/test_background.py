"""The loop in a thread, and the thread that calls the strategy."""

import asyncio
import sys
import threading
from concurrent.futures import CancelledError

import pytest
from tests.support import wait_for_sync

from sangam.background import Dispatcher, LoopThread
from sangam.model.errors import NotSent


def test_a_coroutine_runs_elsewhere_and_its_error_comes_back() -> None:
    thread = LoopThread("t")

    async def where() -> str:
        return threading.current_thread().name

    async def fail() -> None:
        raise ValueError("mine")

    assert thread.run(where()) == "t"
    with pytest.raises(ValueError, match="mine"):
        thread.run(fail())
    thread.stop()
    with pytest.raises(NotSent):
        thread.run(where())


def test_a_stop_releases_who_waits() -> None:
    thread = LoopThread("t")
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            thread.run(asyncio.sleep(100))
        except CancelledError as error:
            ended.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    wait_for_sync(lambda: thread.run(_tasks()) > 1, what="the waiter")
    thread.stop()
    waiter.join(5)
    assert len(ended) == 1


async def _tasks() -> int:
    return len(asyncio.all_tasks())


def test_calls_keep_their_order_and_the_newest_of_a_key_wins() -> None:
    dispatcher = Dispatcher("d")
    heard: list[str] = []
    gate = threading.Event()
    dispatcher.put(lambda: gate.wait(5))
    for number in range(5):
        dispatcher.put_latest("SBIN", lambda number=number: heard.append(f"tick {number}"))  # type: ignore[misc]
        dispatcher.put(lambda number=number: heard.append(f"order {number}"))  # type: ignore[misc]
    gate.set()
    dispatcher.stop()
    assert heard == ["tick 4", *(f"order {number}" for number in range(5))]
    assert dispatcher.replaced == 4


def test_a_callback_that_calls_for_the_end_ends_no_other(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = Dispatcher("d")
    heard: list[str] = []
    dispatcher.put(sys.exit)
    dispatcher.put(lambda: heard.append("later"))
    dispatcher.stop()
    assert heard == ["later"]
    assert "sys.exit() is for the main thread" in caplog.text


def test_a_callback_may_stop_its_own_dispatcher() -> None:
    dispatcher = Dispatcher("d")
    heard: list[int] = []
    dispatcher.put(dispatcher.stop)
    dispatcher.put(lambda: heard.append(1))
    wait_for_sync(lambda: heard == [1], what="what waited")
