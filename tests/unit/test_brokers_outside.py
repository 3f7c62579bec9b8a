"""A broker folder in a home: found, listed, logged in, read, quoted and streamed without touching another file."""

import asyncio
import importlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from tests.cli_run import CommandLine, command_line
from tests.support import ROOT, wait_for
from websockets.asyncio.server import ServerConnection, serve

from sangam.adapters import factory, finding
from sangam.app.server import App
from sangam.library import BrokerApi
from sangam.model.enums import Mode
from sangam.model.instrument import Level
from sangam.settings import load_settings
from sangam.simulators.rest import Rest
from sangam.store.home import Home

TOKEN, PAISE = "4711", 81_250
ROWS = (f"{TOKEN},SBIN,0.05", *(f"{number},SHARE{number},0.05" for number in range(99)), "4712,,0.05")
ROBBER = """
from dataclasses import replace
from sangam.brokers.paper import SPEC as OURS
SPEC = replace(OURS, title="Mine")
"""


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[CommandLine]:
    with command_line(tmp_path, monkeypatch, capfd) as line:
        yield line


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """With the broker of docs/adding-a-broker.md, split into two files, and with folders that are none."""
    page = (ROOT / "docs" / "adding-a-broker.md").read_text(encoding="utf-8")
    source = page.split("```python\n", 1)[1].split("```", 1)[0]
    hosts, _, rest = source.partition("EXCHANGES = ")
    imports, _, hosts = hosts.partition("HOSTS = ")
    files = {
        "example/tables.py": f"HOSTS = {hosts}",
        "example/__init__.py": f"{imports}\nfrom .tables import HOSTS\n\nEXCHANGES = {rest}",
        "broken/__init__.py": "import nothing_of_that_name",
        "robber/__init__.py": ROBBER,
        "leaver/__init__.py": "raise SystemExit(3)",
        "nothing/__init__.py": "SPEC = 5",
        "twin/__init__.py": "from ..example import SPEC as OURS\nfrom dataclasses import replace\nSPEC = replace(OURS)",
    }
    for name, text in files.items():
        path = tmp_path / finding.FOLDERS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for module in [name for name in sys.modules if name.partition(".")[0] == finding.FOLDERS]:
        del sys.modules[module]
    importlib.invalidate_caches()


@asynccontextmanager
async def example_broker() -> AsyncIterator[dict[str, str]]:
    """Its own server: the hosts."""

    async def answer(asked: Request) -> Response:
        if asked.headers.get("authorization") != "Bearer t-0123456789":
            return JSONResponse({}, 401)
        match asked.path_params["what"]:
            case "profile":
                return JSONResponse({"id": "EX1"})
            case "instruments.csv":
                return PlainTextResponse("\n".join(ROWS))
            case "quotes":
                return JSONResponse(dict.fromkeys(asked.query_params.getlist("token"), PAISE))
        return JSONResponse({}, 404)

    async def ticks(line: ServerConnection) -> None:
        async for text in line:
            for token in json.loads(text).get("add", ()):
                await line.send(json.dumps([token, PAISE + 5]))

    with socket.create_server(("127.0.0.1", 0)) as bound:
        rest = Rest(Starlette(routes=[Route("/{what}", answer)]), bound)
        await rest.start()
        async with serve(ticks, "127.0.0.1", 0) as stream:
            port = next(iter(stream.sockets)).getsockname()[1]
            yield {"api": f"http://127.0.0.1:{bound.getsockname()[1]}", "stream": f"ws://127.0.0.1:{port}"}
        await rest.stop()


def test_a_folder_in_the_home_is_a_broker_and_faulty_ones_are_told(home: Path) -> None:
    told: dict[str, str] = {}
    known = finding.brokers(home, lambda name, error: told.update({name: str(error)}))
    assert "example" in known.names
    assert known["example"].hosts["api"] == "https://api.example.com"
    assert told == {
        "broken": "ModuleNotFoundError: No module named 'nothing_of_that_name'",
        "leaver": "SystemExit: 3",
        "nothing": "nothing.SPEC is no BrokerSpec",
        "robber": "Broker name 'paper' is claimed twice.",
        "twin": "Broker name 'example' is claimed twice.",
    }


def test_without_such_a_folder_there_are_the_houses_brokers_alone(tmp_path: Path) -> None:
    assert "example" not in finding.brokers(tmp_path, lambda name, error: pytest.fail(f"{name}: {error}")).names


def test_a_folder_that_never_returns_is_left_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "LOAD_SECONDS", 0.2)
    sleeper = home / finding.FOLDERS / "sleeper"  # its import's lock is held while it sleeps: no other test loads it
    sleeper.mkdir()
    (sleeper / "__init__.py").write_text("import threading\nthreading.Event().wait(2.0)")
    told: dict[str, str] = {}
    known = finding.brokers(home, lambda name, error: told.update({name: str(error)}))
    assert "example" in known.names
    assert told["sleeper"] == "it did not load within 0.2 s"


def test_a_package_in_its_place_that_breaks_keeps_nothing_closed(home: Path) -> None:
    (home / finding.FOLDERS / "__init__.py").write_text("1 / 0")
    told: dict[str, str] = {}
    assert "zerodha" in finding.brokers(home, lambda name, error: told.update({name: str(error)})).names
    assert told["example"] == "ZeroDivisionError: division by zero"


@pytest.mark.skipif(sys.platform == "win32", reason="rights are no bits there")
@pytest.mark.parametrize("place", ["", "sangam_brokers", "sangam_brokers/example", "sangam_brokers/example/tables.py"])
def test_code_that_others_may_write_is_not_run(home: Path, place: str) -> None:
    home.chmod(0o755)
    told: dict[str, str] = {}
    assert "example" in finding.brokers(home, _ignore).names
    (home / place).chmod((home / place).stat().st_mode | 0o020)
    assert "example" not in finding.brokers(home, lambda name, error: told.update({name: str(error)})).names
    assert f"others may write {home / place}" in told["example"]
    home.chmod(0o700)  # nobody else gets in
    assert "example" in finding.brokers(home, _ignore).names


def _ignore(name: str, error: Exception) -> None:
    """What is wrong with the others is told elsewhere."""


async def test_the_command_line_lists_it(home: Path, line: CommandLine) -> None:
    said = await line.run("brokers")
    assert "example Example" in " ".join(said.out.split())
    assert "the broker 'broken' cannot be loaded" in said.err


async def test_the_server_serves_it(home: Path) -> None:
    settings = load_settings(None, sangam_home=home, api_port=0, websocket_port=0, valid_brokers=("example",))
    async with example_broker() as hosts:
        with Home(home) as locked:
            app = App(settings, locked)
            run = await app.start()
            try:
                account = await _logged_in(app, hosts)
                await wait_for(lambda: app._feed.master(account) is not None, what="its instruments")
                key = (await app.administer("key/create", {"user": "asha"}))["api_key"]
                body = {"apikey": key, "symbol": "SBIN", "exchange": "NSE"}
                async with httpx.AsyncClient(base_url=run.api_url, trust_env=False) as client:
                    quote = (await client.post("/api/v1/quotes", json=body)).json()
                assert quote["data"]["ltp"] == PAISE / 100
                app._feed.want(account, "SBIN", "NSE", Level(Mode.LTP))
                await wait_for(lambda: _ltp(app, account) == (PAISE + 5) / 100, what="a price from its stream")
                refused = await app.administer("instruments/refused", {"name": account})
                assert (refused["stored"], [row["reason"] for row in refused["refused"]]) == (100, ["no symbol"])
            finally:
                await app.stop()


async def test_scripts_have_it_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANGAM_HOME", str(home))
    monkeypatch.setattr(factory, "BROKER_ADAPTERS", dict(factory.BROKER_ADAPTERS))
    settings = load_settings(None, sangam_home=home, api_port=0, websocket_port=0)
    async with example_broker() as hosts:
        with Home(home) as locked:
            app = App(settings, locked)
            await app.start()
            try:
                await _logged_in(app, hosts)
            finally:
                await app.stop()
        adapter: Any = factory.create_broker_adapter("Example")
        prices: list[float] = []
        adapter.on_data = lambda ws, data: prices.append(data["ltp"])
        adapter.initialize("example", "asha")
        adapter.subscribe("SBIN", "NSE", mode=1)
        await asyncio.to_thread(adapter.connect)
        await wait_for(lambda: prices, what="a price")
        await asyncio.to_thread(adapter.disconnect)
        assert prices[0] == (PAISE + 5) / 100
        api = BrokerApi("example", hosts=hosts, api_key="k-0123456789")
        told = await asyncio.to_thread(api.authenticate_broker, access_token="t-0123456789")
        assert told == ("t-0123456789", None)
        assert await asyncio.to_thread(api.get_token, "SBIN", "NSE") == TOKEN
        await asyncio.to_thread(api.close)
    with pytest.raises(ValueError, match="example"):
        factory.create_broker_adapter("nobody")


async def _logged_in(app: App, hosts: dict[str, str]) -> str:
    fields = {"api_key": "k-0123456789", "access_token": "t-0123456789"}
    added: dict[str, Any] = {"broker": "example", "user": "asha", "fields": fields, "hosts": hosts}
    account = str((await app.administer("account/add", added))["account"])
    told = await app.administer("account/login", {"account": account, "fields": fields, "hosts": hosts})
    assert not told["open"], told
    return account


def _ltp(app: App, account: str) -> float | None:
    last = app._feed.last(account, "SBIN", "NSE")
    return last.fields.get("ltp") if last else None
