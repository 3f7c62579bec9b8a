"""`sangam instruments` beside a running server with its embedded market."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.support import wait_for

from sangam.app.server import App
from sangam.cli import main as cli
from sangam.settings import load_settings
from sangam.store.home import Home

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> AsyncIterator[Run]:
    monkeypatch.setenv("SANGAM_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def command(arguments: tuple[str, ...]) -> int:
        monkeypatch.setattr(sys, "argv", ["sangam", "instruments", *arguments])
        try:
            cli.main()
        except SystemExit as left:
            return left.code if isinstance(left.code, int) else 0
        return 0

    async def in_thread(*arguments: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(command, arguments)
        said = capfd.readouterr()
        return code, said.out, said.err

    yield in_thread
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    settings = load_settings(None, sangam_home=tmp_path, api_port=0, websocket_port=0, valid_brokers="paper")
    with Home(tmp_path) as home:
        app = App(settings, home)
        await app.start()
        await wait_for(lambda: list((tmp_path / "masters").glob("paper-*-1.db")), timeout=20, what="the first master")
        yield app
        await app.stop()


async def test_without_a_server_the_way_on_is_told(run: Run) -> None:
    code, out, err = await run("search", "sbin")
    assert (code, out) == (1, "")
    assert "Start it first: sangam serve" in err


async def test_search_status_and_refused(app: App, run: Run) -> None:
    code, out, _ = await run("search", "sbin", "--exchange", "nse")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [["exchange", "symbol"], ["NSE", "SBIN"]]
    code, out, _ = await run("search", "nifty ce", "--broker", "paper", "--limit", "3")
    assert code == 0
    assert all(line.split()[1].startswith("NIFTY") for line in out.splitlines()[1:])
    assert len(out.splitlines()) == 4
    assert (await run("search", "zzzz"))[0] == 1
    code, out, _ = await run("status")
    assert code == 0
    assert out.splitlines()[1].split()[0] == "paper"
    assert out.splitlines()[1].split()[-1] == "idle"
    code, out, err = await run("refused")
    assert (code, out) == (0, "")
    assert err.strip().endswith("rows were taken.")


async def test_refresh_makes_a_new_master(app: App, run: Run, tmp_path: Path) -> None:
    code, _, err = await run("refresh", "paper")
    assert code == 0, err
    assert "-2: " in err
    assert list((tmp_path / "masters").glob("paper-*-2.db"))
    code, _, err = await run("refresh", "nobody")
    assert code == 1
    assert "No account of 'nobody' is logged in. Logged in: demo-paper, paper." in err
