"""When the books are read again: new sessions at once, then as the broker's streams and the open orders ask for."""

from datetime import datetime
from typing import Any

import pytest
from tests.orders_support import ACCOUNT, MemoryJournal, a_trading, an_order, an_update
from tests.support import wait_for
from tests.toy_broker import toy_session, toy_spec, toy_stream

from sangam.brokers.contract import BooksChanged, BrokerSpec, Session
from sangam.model.calendar import Calendar
from sangam.model.clock import IST, ManualClock
from sangam.model.order import Order, OrderState, OrderUpdate, TradingMode
from sangam.orders.poller import IDLE, OVERDUE, SAFETY, Poller

MONDAY = datetime(2026, 8, 3, 10, 0, tzinfo=IST)
SUNDAY = datetime(2026, 8, 2, 10, 0, tzinfo=IST)
OPEN = an_order(state=OrderState.OPEN, order_id="1001")


class Readings:
    """A reconciler and updates that only remember."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.renewed = self.refused.discard
        self.checked: list[str] = []
        self.sought: set[str] = set()
        self.lost = False
        self.news: list[tuple[str, TradingMode, OrderUpdate]] = []

    def check(self, account: str) -> None:
        self.checked.append(account)

    def seek_late(self, account: str) -> None:
        self.sought.add(account)

    def overdue(self, account: str, seconds: float) -> bool:
        return self.lost and seconds == OVERDUE

    def heard(self, account: str, mode: TradingMode, update: OrderUpdate) -> None:
        self.news.append((account, mode, update))


class Bench:
    def __init__(self, *orders: Order, pushes: bool = False, start: datetime = MONDAY, **spec: Any) -> None:
        self.clock = ManualClock(start)
        self.readings = Readings()
        self.spec = toy_spec(toy_stream(orders=pushes), **{"simulated": False, "trading": a_trading(polls=5.0), **spec})
        self.sessions: dict[str, tuple[BrokerSpec, Session]] = {}
        self.poller = Poller(
            self.readings,  # type: ignore[arg-type]
            self.readings,  # type: ignore[arg-type]
            MemoryJournal(*orders),  # type: ignore[arg-type]
            lambda: self.sessions,
            Calendar(),
            self.clock,
            tick=0.01,
        )

    def login(self, generation: int = 1) -> None:
        self.sessions[ACCOUNT] = self.spec, toy_session("ws://127.0.0.1:1", generation)

    def reads_in(self, seconds: float, step: float = 0.5) -> int:
        """How often the books are read in this time."""
        before = len(self.readings.checked)
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            self.poller.look()
        return len(self.readings.checked) - before


@pytest.mark.parametrize("pushes", [True, False])
def test_a_new_session_is_read_at_once(pushes: bool) -> None:
    bench = Bench(pushes=pushes, start=SUNDAY)
    bench.poller.look()
    assert bench.readings.checked == []
    for generation in (1, 1, 2):
        bench.login(generation)
        bench.poller.look()
    assert bench.readings.checked == [ACCOUNT] * 2
    assert bench.readings.sought == {ACCOUNT}
    bench.sessions.clear()
    bench.poller.look()
    bench.login(2)
    bench.poller.look()
    assert len(bench.readings.checked) == 3


@pytest.mark.parametrize(
    ("orders", "options", "expected"),
    [
        ((OPEN,), {}, 120 / 5),
        ((), {}, 120 / IDLE),
        ((), {"start": SUNDAY}, 0),
        ((OPEN,), {"start": SUNDAY}, 120 / 5),
        ((), {"start": SUNDAY, "simulated": True}, 120 / IDLE),
        ((OPEN,), {"pushes": True}, 120 / SAFETY),
        ((), {"pushes": True}, 0),
        ((an_order(state=OrderState.OPEN, mode=TradingMode.PAPER),), {"pushes": True}, 0),
        ((an_order(state=OrderState.UNKNOWN),), {"pushes": True}, 0),
    ],
    ids=["open", "idle", "Sunday", "open on Sunday", "simulated", "pushes, open", "pushes, idle", "paper", "in doubt"],
)
def test_reads_by_pushes_orders_and_hours(orders: tuple[Order, ...], options: dict[str, Any], expected: float) -> None:
    bench = Bench(*orders, **options)
    bench.login()
    bench.poller.look()
    assert bench.reads_in(120) == expected


def test_a_push_that_does_not_come_is_read() -> None:
    bench = Bench(OPEN, pushes=True)
    bench.login()
    bench.poller.look()
    bench.readings.lost = True
    assert bench.reads_in(20) == 20 / 5
    bench.readings.lost = False
    assert bench.reads_in(20) == 0


def test_a_broker_without_trading_and_a_refused_session_are_left_alone() -> None:
    bench = Bench(OPEN, trading=None)
    bench.login()
    assert bench.reads_in(60) == 0
    bench = Bench(OPEN)
    bench.login()
    bench.poller.look()
    bench.readings.refused.add(ACCOUNT)
    assert bench.reads_in(60) == 0
    bench.login(2)
    bench.poller.look()
    assert len(bench.readings.checked) == 2


def test_what_streams_tell_is_passed_on() -> None:
    bench = Bench(pushes=True)
    bench.poller.told(ACCOUNT, BooksChanged())
    assert bench.readings.checked == [], "not logged in any more"
    bench.login()
    bench.poller.told(ACCOUNT, BooksChanged())
    assert bench.readings.checked == [ACCOUNT]
    update = an_update()
    bench.poller.told(ACCOUNT, update)
    assert bench.readings.news == [(ACCOUNT, TradingMode.LIVE, update)]


async def test_it_looks_by_itself_and_survives_faults(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.sessions[ACCOUNT] = None  # type: ignore[assignment]
    bench.poller.start()
    await wait_for(lambda: "the order polls failed" in caplog.text, what="a fault")
    bench.login()
    await wait_for(lambda: bench.readings.checked == [ACCOUNT], what="a reading")
    await bench.poller.stop()


def test_one_accounts_trouble_is_not_anothers(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(OPEN)
    bench.sessions["a-broken"] = None, toy_session("ws://127.0.0.1:1", 1)  # type: ignore[assignment]
    bench.login()
    bench.poller.look()
    assert bench.readings.checked == [ACCOUNT]
    assert "a-broken: its order polls failed" in caplog.text
