"""``sangam trace`` beside a whole server with its embedded market."""

import asyncio
import json
import logging
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from sangam.app.server import App
from sangam.cli import main as cli
from sangam.settings import load_settings
from sangam.store.home import Home


def command(*arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["sangam", *arguments])
        try:
            cli.main()
        except SystemExit as left:
            return left.code if isinstance(left.code, int) else 0
    return 0


async def test_lines_are_printed_until_the_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SANGAM_HOME", str(tmp_path))
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    with Home(tmp_path) as home:
        app = App(load_settings(None, sangam_home=tmp_path, api_port=0, websocket_port=0), home)
        run = await app.start()
        assert app.demo is not None
        try:
            async with connect(run.websocket_url, proxy=None) as socket:
                for message in (
                    {"action": "authenticate", "api_key": app.demo.api_key},
                    {"action": "subscribe", "symbol": "SBIN", "exchange": "NSE", "mode": "LTP"},
                ):
                    await socket.send(json.dumps(message))
                while "market_data" not in str(await socket.recv()):
                    pass  # the market has begun to stream
                code = await asyncio.to_thread(command, "trace", "nse:sbin", "--seconds", "2")
                said = capfd.readouterr()
                lines = said.out.splitlines()
                assert code == 0, said.err
                assert "tracing NSE:SBIN for 2 s" in said.err
                assert any(" in demo-paper" in line for line in lines)
                assert any(" out demo-paper LTP every 50 ms to 1 clients: {" in line for line in lines)
                code = await asyncio.to_thread(command, "trace", "SBIN")
                assert code == 1
                assert "give EXCHANGE:SYMBOL" in capfd.readouterr().err
        finally:
            await app.stop()
            root.handlers[:] = before
            root.setLevel(level)
