"""Each trouble is told once when it begins and once when it ends, wherever people look."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support import wait_for

from sangam.app import alerts as alerts_module
from sangam.app.alerts import DOWN_MS, Alert, Alerts
from sangam.feed.port import AccountHealth
from sangam.feed.source import Progress
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import AccountState


class House:
    def __init__(self, home: Path, webhook: str = "") -> None:
        self.clock = ManualClock(datetime(2026, 8, 18, 10, 0, tzinfo=IST))
        self.state = AccountState.LIVE
        self.since = self.clock.now_ms()
        self.trouble = ""
        self.alerts = Alerts(self.health, self.progress, home, self.clock, webhook)

    def health(self) -> list[AccountHealth]:
        return [AccountHealth(account="a-toy", broker="toy", state=self.state, detail="why", since=self.since)]

    def progress(self) -> list[Progress]:
        return [
            Progress(
                source="toy",
                broker="toy",
                stage="idle",
                version="",
                rows=0,
                made_at=0,
                tried_at=1,
                trouble=self.trouble,
            )
        ]

    def turns(self, state: AccountState) -> None:
        self.state = state
        self.since = self.clock.now_ms()
        self.alerts.look()

    @property
    def kinds(self) -> list[str]:
        return [alert.kind for alert in self.alerts.current]


def test_troubles_of_other_rooms_are_told_too(tmp_path: Path) -> None:
    house = House(tmp_path)
    found = [Alert(kind="journal", about="journal", broker="", text="the disk is full", since=1)]
    alerts = Alerts(house.health, house.progress, tmp_path, house.clock, others=lambda: found)
    alerts.look()
    assert alerts.current == found
    found = []
    alerts.look()
    assert not alerts.current


@pytest.mark.parametrize("state", [AccountState.AUTH_EXPIRED, AccountState.REPLACED])
def test_a_needed_login_is_told_at_once_and_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, state: AccountState
) -> None:
    caplog.set_level(logging.INFO)
    house = House(tmp_path)
    for _ in range(3):
        house.turns(state)
    assert house.kinds == ["login_needed"]
    assert house.alerts.current[0].text == f"the feed is {state.value} (why). Log in now: sangam account login a-toy"
    house.turns(AccountState.LIVE)
    assert house.kinds == []
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


def test_a_feed_that_is_down_calls_a_person_only_when_it_stays_down(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.turns(AccountState.RECONNECTING)
    assert house.kinds == []
    house.clock.advance(DOWN_MS / 1000)
    house.alerts.look()
    assert house.kinds == ["feed_down"]


@pytest.mark.parametrize("state", [AccountState.LIVE, AccountState.CLOSED_MARKET, AccountState.NO_SESSION])
def test_rest_is_no_trouble(tmp_path: Path, state: AccountState) -> None:
    house = House(tmp_path)
    house.turns(state)
    house.clock.advance(DOWN_MS)
    house.alerts.look()
    assert house.kinds == []


def test_refused_instruments_and_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path)
    house.trouble = "the new master is rejected"
    monkeypatch.setattr(alerts_module, "MIN_FREE_BYTES", 1 << 62)
    house.alerts.look()
    assert house.kinds == ["instruments", "disk"]


@asynccontextmanager
async def hook(*statuses: int) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A web server that answers with these statuses in turn, then 200."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length"))
        heard.append(await reader.readexactly(size))
        status = statuses[len(heard) - 1] if len(heard) <= len(statuses) else 200
        writer.write(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?token=planted", heard


async def test_the_webhook_hears_begin_and_end_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts_module, "_TRIES", (0.0, 0.01, 0.01))
    async with hook(500) as (url, heard):
        house = House(tmp_path, url)
        house.turns(AccountState.AUTH_EXPIRED)
        await wait_for(lambda: len(heard) == 2)
        house.turns(AccountState.LIVE)
        await wait_for(lambda: len(heard) == 3)
        told: list[dict[str, Any]] = [msgspec.json.decode(body) for body in heard]
        assert [(row["kind"], row["about"], row["state"]) for row in told] == [
            ("login_needed", "a-toy", "raised"),
            ("login_needed", "a-toy", "raised"),
            ("login_needed", "a-toy", "cleared"),
        ]
        await house.alerts.stop()


async def test_a_webhook_that_is_gone_costs_a_line_without_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alerts_module, "_TRIES", (0.0,))
    house = House(tmp_path, "http://127.0.0.1:1/hook?token=planted")
    house.turns(AccountState.AUTH_EXPIRED)
    await wait_for(lambda: "ALERT_WEBHOOK did not take 'login_needed'" in caplog.text)
    assert "planted" not in caplog.text
    await house.alerts.stop()


async def test_it_watches_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts_module, "EVERY_SECONDS", 0.01)
    house = House(tmp_path)
    house.alerts.start()
    house.state = AccountState.AUTH_EXPIRED
    await wait_for(lambda: house.kinds == ["login_needed"])
    await house.alerts.stop()
