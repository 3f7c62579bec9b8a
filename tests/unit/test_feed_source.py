"""Sources of instruments by the hour: logins before and after the file is ready, sharing, failures, demands."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support import wait_for
from tests.toy_broker import toy_spec

from sangam.brokers.contract import BrokerSpec, Ctx, Operation, Session
from sangam.brokers.paper import SPEC as PAPER
from sangam.feed.source import Source
from sangam.instruments import Master, Masters
from sangam.model.clock import IST, ManualClock
from sangam.model.errors import SessionExpired, Unknown
from sangam.transport.backoff import Backoff

HEADER = b"token,symbol,exchange,name,instrument_type,expiry,strike,lot_size,tick_size\n"


class Desk:
    """A source and what it asks and tells. `answer` is what the broker gives next: a file, or an error."""

    def __init__(self, home: Path) -> None:
        self.clock = ManualClock(datetime(2026, 8, 18, 7, 0, tzinfo=IST))
        self.masters = Masters(home, self.clock)
        self.spec = replace(toy_spec(simulated=False, instruments_ready="08:30"), instruments=PAPER.instruments)
        self.answer: bytes | Exception = HEADER + b"1,SBIN,NSE,,EQ,,,1,0.05\n"
        self.asked: list[str] = []
        self.given: list[tuple[str, str]] = []
        self.expired: list[str] = []
        self.source = self.open()

    def open(self) -> Source:
        return Source("toy", self.spec, self.masters, self._run, self._ctx, self.clock, self._hand_out, self._expire)

    async def _run(self, spec: BrokerSpec, session: Session, operation: Operation[Any]) -> Any:
        self.asked.append(session.account)
        if isinstance(self.answer, Exception):
            raise self.answer
        return [self.answer]

    def _ctx(self) -> Ctx:
        return Ctx(self.clock.now_ms(), bytes)

    async def _hand_out(self, account: str, master: Master) -> None:
        self.given.append((account, master.version))

    async def _expire(self, account: str, error: SessionExpired) -> None:
        self.expired.append(account)

    def join(self, account: str = "a") -> None:
        self.source.join(Session(account=account, broker="toy", generation=1))

    def at(self, hour: int, minute: int = 0, day: int = 18) -> None:
        self.clock.set(datetime(2026, 8, day, hour, minute, tzinfo=IST))

    async def gave(self, *given: tuple[str, int]) -> None:
        """Wait until exactly these accounts got these versions of the day, the newest last."""
        await wait_for(lambda: len(self.given) >= len(given), what=f"{given}, not {self.given}")
        assert [(account, int(version.rpartition("-")[2])) for account, version in self.given] == list(given)

    async def rests(self) -> None:
        """Wait until nothing is under way, and nothing begins in some rounds of the loop."""
        await wait_for(lambda: self.source.progress().stage == "idle", what="rest")
        for _ in range(20):
            await asyncio.sleep(0)
        assert self.source.progress().stage == "idle"


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr("sangam.feed.source.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("sangam.feed.source.GRACE_SECONDS", 0.0)
    monkeypatch.setattr("sangam.feed.source.Backoff", lambda first, cap: Backoff(0.05, 0.05))
    desk = Desk(tmp_path)
    yield desk
    await desk.source.stop()


async def test_a_login_before_the_hour_gets_what_there_is_and_the_days_file_after_it(desk: Desk) -> None:
    desk.join()
    await desk.gave(("a", 1))
    desk.at(8, 29)
    await desk.rests()
    assert len(desk.asked) == 1
    desk.at(8, 30)
    await desk.gave(("a", 1), ("a", 2))
    desk.at(23)
    await desk.rests()
    assert len(desk.asked) == 2
    desk.at(8, 30, day=19)
    await wait_for(lambda: len(desk.given) == 3, what="the next day's")
    assert desk.given[-1][1] == "toy-2026-08-19-1"


async def test_accounts_share_what_one_of_them_fetched(desk: Desk) -> None:
    desk.at(9)
    desk.join("a")
    desk.join("b")
    await desk.gave(("a", 1), ("b", 1))
    desk.join("c")
    await desk.gave(("a", 1), ("b", 1), ("c", 1))
    await desk.rests()
    assert desk.asked == ["b"]


async def test_a_second_login_of_the_day_asks_nothing(desk: Desk) -> None:
    desk.at(9)
    desk.join()
    await desk.gave(("a", 1))
    desk.source.leave("a")
    await desk.source.stop()
    desk.source = desk.open()
    desk.at(15)
    desk.join()
    await desk.gave(("a", 1), ("a", 1))
    await desk.rests()
    assert len(desk.asked) == 1


async def test_yesterdays_master_waits_for_todays(desk: Desk) -> None:
    desk.at(9)
    desk.join()
    await desk.gave(("a", 1))
    desk.source.leave("a")
    desk.at(5, 59, day=19)
    assert desk.source.current() is not None
    desk.at(6, 0, day=19)
    assert desk.source.current() is None
    desk.answer = Unknown("no file today")
    desk.join()
    await desk.gave(("a", 1), ("a", 1))  # until the broker gives one, the old one serves
    assert desk.source.progress().trouble == "no file today"
    desk.answer = HEADER + b"2,TCS,NSE,,EQ,,,1,0.05\n3,SBIN,NSE,,EQ,,,1,0.05\n"
    await wait_for(lambda: desk.given[-1][1] == "toy-2026-08-19-1", what="today's")
    assert desk.source.progress().trouble == ""


async def test_a_rejected_file_is_tried_again_and_nothing_is_replaced(desk: Desk) -> None:
    desk.join()
    await desk.gave(("a", 1))
    desk.answer = b"<html>maintenance</html>"
    desk.at(8, 30)
    await wait_for(lambda: len(desk.asked) >= 3, what="two more attempts")
    assert {version for _, version in desk.given} == {"toy-2026-08-18-1"}
    assert "rejected" in desk.source.progress().trouble


async def test_a_dead_session_is_told_and_another_account_asks(desk: Desk) -> None:
    desk.answer = SessionExpired("token died")
    desk.join("a")
    await wait_for(lambda: desk.expired == ["a"], what="the news")
    await desk.rests()
    assert desk.source.deserted
    assert desk.asked == ["a"], "a dead credential is not tried again"
    desk.answer = HEADER + b"1,SBIN,NSE,,EQ,,,1,0.05\n"
    desk.join("b")
    await desk.gave(("b", 1))


async def test_on_demand(desk: Desk) -> None:
    desk.at(9)
    desk.join()
    await desk.gave(("a", 1))
    desk.clock.advance(60)
    since = desk.source.refresh()
    await desk.gave(("a", 1), ("a", 2))
    told = desk.source.progress()
    assert (told.made_at, told.tried_at, told.rows, told.stage) == (since, since, 1, "idle")


async def test_nobody_is_no_reason_to_ask(desk: Desk) -> None:
    desk.join()
    await desk.gave(("a", 1))
    desk.source.leave("a")
    desk.source.refresh()
    desk.at(9)
    await desk.rests()
    assert len(desk.asked) == 1


async def test_a_master_begun_before_the_hour_is_not_the_days(desk: Desk) -> None:
    """The download began in time, whatever the clock said when it ended."""
    desk.at(8, 29)
    release = asyncio.Event()
    ask: Callable[..., Any] = desk._run

    async def slow(*given: Any) -> Any:
        files = await ask(*given)
        await release.wait()
        return files

    desk.source._run = slow
    desk.join()
    await wait_for(lambda: desk.asked, what="the download")
    desk.at(8, 31)
    release.set()
    await desk.gave(("a", 1), ("a", 2))


async def test_a_bug_is_told_and_ends_nothing(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.answer = TypeError("a bug in a broker's folder")
    desk.join()
    await wait_for(lambda: len(desk.asked) >= 2, what="another attempt")
    assert desk.source.progress().trouble == "TypeError: a bug in a broker's folder"
    assert "no new instruments" in caplog.text
    desk.answer = HEADER + b"1,SBIN,NSE,,EQ,,,1,0.05\n"
    await desk.gave(("a", 1))


async def test_accounts_take_turns_where_one_fails(desk: Desk) -> None:
    desk.answer = Unknown("HTTP 500")
    desk.join("a")
    desk.join("b")
    await wait_for(lambda: len(desk.asked) >= 4, what="four attempts")
    assert desk.asked[:4] == ["b", "a", "b", "a"]
