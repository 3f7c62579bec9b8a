"""The commands beside a running server: they ask it, and leave its files alone."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.house import open_house
from tests.served import Served
from websockets.asyncio.server import ServerConnection, serve

from sangam.api.server import serve_api
from sangam.cli import main as cli
from sangam.store.home import Home, RunInfo

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> AsyncIterator[Run]:
    monkeypatch.setenv("SANGAM_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def command(arguments: tuple[str, ...]) -> int:
        monkeypatch.setattr(sys, "argv", ["sangam", *arguments])
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


def running(port: int) -> RunInfo:
    return RunInfo(
        pid=os.getpid(), api_host="127.0.0.1", api_port=port, websocket_host="127.0.0.1", websocket_port=port
    )


async def test_commands_ask_the_server_that_holds_the_home(tmp_path: Path, run: Run) -> None:
    with Home(tmp_path) as home:
        served = Served(open_house(tmp_path))
        server = await serve_api(served.app, "127.0.0.1", 0)
        home.write_run(running(server.port))
        sessions: list[str] = []
        served.house.accounts.on_session(lambda account, session: sessions.append(account))

        code, out, _ = await run("key", "create", "--label", "made beside")
        assert code == 0
        assert served.house.accounts.authenticate(out.strip()).user == "asha"
        fields = ("--set", "api_key=k-123456", "--set", "access_token=t-123456")
        assert (await run("account", "login", "example", *fields))[0] == 0
        assert sessions == ["asha-example"]
        listed = await run("account", "list")
        assert "asha-example" in listed[1], listed
        code, _, err = await run("key", "revoke", "zzz")
        assert (code, err.splitlines()[0]) == (1, "No API key with id 'zzz'. `sangam key list` shows the ids.")

        home.write_private("admin.key", "forgotten")
        served.house.clock.advance(1)
        code, _, err = await run("key", "list")
        assert code == 1
        assert "does not know the key in admin.key" in err
        await server.stop()
        await served.client.aclose()
        served.house.database.close()


async def test_stream_prints_json_lines_and_leaves_after_the_count(tmp_path: Path, run: Run) -> None:
    heard: list[dict[str, object]] = []

    async def gateway(socket: ServerConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            heard.append(message)
            if message["action"] == "authenticate":
                await socket.send('{"type":"auth","status":"success"}')
                continue
            good = {"symbol": "SBIN", "exchange": "NSE", "status": "success"}
            bad = {"symbol": "XYZ", "exchange": "NSE", "status": "error", "message": "no such symbol"}
            await socket.send(json.dumps({"type": "subscribe", "status": "partial", "subscriptions": [good, bad]}))
            for price in (1.5, 1.6, 1.7):
                data = {"symbol": "SBIN", "ltp": price}
                tick = {"type": "market_data", "symbol": "SBIN", "exchange": "NSE", "mode": 1, "data": data}
                await socket.send(json.dumps(tick))

    async with serve(gateway, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        Home(tmp_path).write_run(running(port))
        options = ("--mode", "LTP", "--key", "k", "--count", "2", "--interval", "0", "--account", "a")
        code, out, err = await run("stream", "nse:sbin", "NSE:XYZ", *options)
    assert code == 0
    assert [json.loads(line)["ltp"] for line in out.splitlines()] == [1.5, 1.6]
    assert err == "NSE:XYZ: no such symbol\n"
    assert heard == [
        {"action": "authenticate", "api_key": "k"},
        {
            "action": "subscribe",
            "symbols": [{"exchange": "NSE", "symbol": "SBIN"}, {"exchange": "NSE", "symbol": "XYZ"}],
            "mode": 1,
            "account": "a",
            "interval": 0,
        },
    ]


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (
            '{"type":"auth","status":"error","code":"AUTHENTICATION_ERROR","message":"Invalid API key"}',
            "Invalid API key",
        ),
        (None, "The server closed the connection"),
    ],
)
async def test_stream_tells_why_it_ended(run: Run, reply: str | None, told: str) -> None:
    async def gateway(socket: ServerConnection) -> None:
        if reply is not None:
            await socket.send(reply)
            await socket.wait_closed()

    async with serve(gateway, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        code, out, err = await run("stream", "NSE:SBIN", "--key", "k", "--url", f"ws://127.0.0.1:{port}")
    assert (code, out) == (1, "")
    assert told in err
