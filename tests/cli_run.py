"""The command line beside a server that runs in this process."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from tests.support import wait_for

from sangam.app.server import App
from sangam.cli import main as cli
from sangam.settings import load_settings
from sangam.store.home import Home

ACCOUNT = "demo-paper"


class Said(NamedTuple):
    code: int
    out: str
    err: str


class CommandLine:
    """`run` is one call of the program, in a thread, with what it said."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        patch.setenv("SANGAM_HOME", str(home))
        patch.setenv("COLUMNS", "240")
        patch.chdir(home)
        self._patch = patch
        self._capture = capture

    async def run(self, *arguments: str) -> Said:
        self._patch.setattr(sys, "argv", ["sangam", *arguments])
        code = await asyncio.to_thread(self._called)
        said = self._capture.readouterr()
        return Said(code, said.out, said.err)

    def _called(self) -> int:
        try:
            cli.main()
        except SystemExit as left:
            return left.code if isinstance(left.code, int) else 0
        return 0


@contextmanager
def command_line(home: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> Iterator[CommandLine]:
    """The program sets logging up for itself; that is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield CommandLine(home, patch, capture)
    root.handlers[:] = handlers
    root.setLevel(level)


@asynccontextmanager
async def demo(home: Path) -> AsyncIterator[App]:
    """A server on a new home: the simulated market, and a key to it."""
    settings = load_settings(None, sangam_home=home, api_port=0, websocket_port=0)
    with Home(home) as locked:
        app = App(settings, locked)
        await app.start()
        try:
            await wait_for(lambda: app._feed.master(ACCOUNT) is not None, what="the instruments")
            yield app
        finally:
            await app.stop()


async def order(app: App, **terms: Any) -> str:
    """Place one as a program would; our id of it."""
    assert app.run is not None
    assert app.demo is not None
    body = {
        "apikey": app.demo.api_key,
        "strategy": "test",
        "symbol": "SBIN",
        "exchange": "NSE",
        "action": "BUY",
        "quantity": 10,
        "pricetype": "MARKET",
        "product": "CNC",
        **terms,
    }
    async with httpx.AsyncClient(base_url=app.run.api_url, trust_env=False) as rest:
        reply = await rest.post("/api/v1/placeorder", json=body)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["orderid"])
