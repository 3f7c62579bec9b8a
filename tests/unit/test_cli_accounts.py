"""Logging in from the command line: with and without a running server, by every way."""

import asyncio
import io
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import typer
from tests.house import House, broker, open_house
from tests.login_broker import OTP, PIN, Bank, login_broker
from tests.served import Served
from tests.support import wait_for

from sangam.api.server import serve_api
from sangam.brokers.registry import Registry
from sangam.cli import main as cli
from sangam.model.clock import SystemClock
from sangam.settings import Settings
from sangam.store.home import Home, RunInfo
from sangam.transport.http import HttpDriver

REGISTRY = Registry(
    [
        broker(),
        login_broker("echo"),
        login_broker("paste", ways="paste"),
        login_broker("blind", echoes=False, ways="redirect"),
    ]
)


class Said(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Coroutine[Any, Any, Said]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with Bank() as bank:
        yield bank


@pytest.fixture
async def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> AsyncIterator[Run]:
    """Runs a command in a thread, as the program would; `answers` makes a person of who sits before it."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("SANGAM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sangam.cli.backend.finding.brokers", lambda home: REGISTRY)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def command(arguments: tuple[str, ...]) -> int:
        monkeypatch.setattr(sys, "argv", ["sangam", *arguments])
        try:
            cli.main()
        except SystemExit as left:
            return left.code if isinstance(left.code, int) else 0
        return 0

    async def in_thread(*arguments: str, answers: dict[str, str] | None = None) -> Said:
        monkeypatch.setattr(sys, "stdin", io.StringIO() if answers is None else Terminal())
        given = dict(answers or {})
        monkeypatch.setattr(typer, "prompt", lambda label, **options: given.pop(label))
        code = await asyncio.to_thread(command, arguments)
        assert not given, "not everything was asked"
        said = capfd.readouterr()
        return Said(code, said.out, said.err)

    yield in_thread
    root.handlers[:] = before
    root.setLevel(level)


def hosts(bank: Bank) -> tuple[str, str]:
    return "--host", f"api={bank.url}"


# --- nobody serves ----------------------------------------------------------------------------------------------------


async def test_a_pasted_token_is_told_good_or_bad_at_once(run: Run, bank: Bank) -> None:
    token = bank.token()
    said = await run("account", "add", "paste", "--set", f"access_token={token}", *hosts(bank))
    assert (said.code, said.out) == (0, "me-paste\n")
    assert "me-paste: logged in as EX1 (session 1, until" in said.err
    said = await run("account", "login", "paste", "--set", "access_token=planted-dead")
    assert (said.code, said.err) == (1, "Bank: the token is dead\n")
    said = await run("account", "login", "paste", "--set", f"access_token={bank.token()}")
    assert "(session 2, until" in said.err
    listed = (await run("account", "list")).out
    assert "EX1" in listed
    assert "yes" in listed


async def test_a_person_is_asked_only_what_is_missing(run: Run, bank: Bank) -> None:
    answers = {"API key": "k", "PIN": PIN, "Authenticator": "", "Code from the message": OTP}
    assert (await run("account", "add", "echo", *hosts(bank), answers=answers)).code == 0
    said = await run("account", "login", "echo", answers={"Code from the message": OTP})
    assert (said.code, "session 2" in said.err) == (0, True)
    said = await run("account", "login", "echo", "--way", "paste", answers={"Access token": bank.token()})
    assert (said.code, "session 3" in said.err) == (0, True)
    said = await run("account", "login", "echo", answers={"Code from the message": "111111"})
    assert (said.code, said.err) == (1, "Bank: that is wrong\n")


async def test_a_program_is_told_what_to_give(run: Run, bank: Bank) -> None:
    await run("account", "add", "paste", *hosts(bank))
    said = await run("account", "login", "paste")
    assert said.code == 1
    assert said.err == "me-paste needs access_token (Access token): give each by --set, as NAME=VALUE.\n"


async def test_without_a_server_the_address_is_pasted(run: Run, bank: Bank) -> None:
    await run("account", "add", "blind", *hosts(bank))
    said = await run("account", "login", "blind")
    assert said.code == 1
    assert "Start the server" in said.err
    address = f"https://127.0.0.1/blind/callback?code={bank.code()}"
    said = await run("account", "login", "blind", answers={"Paste that address": address})
    assert said.code == 0, said.err
    assert said.out.startswith(f"{bank.url}/page?")
    assert "logged in as EX1" in said.err


async def test_defaults_and_logout(run: Run, bank: Bank) -> None:
    for name in ("paste", "blind"):
        await run("account", "add", name, *hosts(bank))
    said = await run("account", "default", "blind", "--orders")
    assert "me-blind is me's account for orders now." in said.err
    assert "data and orders" in (await run("account", "default", "blind")).err
    await run("account", "login", "paste", "--set", f"access_token={bank.token()}")
    assert "me-paste is logged out" in (await run("account", "logout", "paste")).err
    assert "logged out" in (await run("account", "list")).out


async def test_users_and_their_passwords(run: Run) -> None:
    question = "Password (Enter for none)"
    assert (await run("user", "add", "asha", answers={question: "a long password"})).out == "asha\n"
    said = await run("user", "add", "asha", answers={question: ""})
    assert (said.code, said.err) == (1, "There is a user 'asha' already.\n")
    said = await run("user", "passwd", "asha", answers={"New password": "short"})
    assert (said.code, "8 to 256 characters" in said.err) == (1, True)
    assert (await run("user", "passwd", "asha", answers={"New password": "another password"})).code == 0
    assert "yes" in (await run("user", "list")).out
    assert (await run("user", "passwd", "nobody", answers={"New password": "another password"})).code == 1


# --- beside a running server ------------------------------------------------------------------------------------------


class Running(NamedTuple):
    house: House
    url: str


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    driver = HttpDriver(SystemClock())
    with Home(tmp_path / "home") as home:
        url = ""
        house = open_house(home.path, registry=REGISTRY, run=driver.run, home=lambda: url, state=lambda _: ("live", ""))
        served = Served(house)
        api = await serve_api(served.app, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{api.port}"
        home.write_run(
            RunInfo(
                pid=os.getpid(), api_host="127.0.0.1", api_port=api.port, websocket_host="127.0.0.1", websocket_port=1
            )
        )
        yield Running(house, url)
        await api.stop()
        await served.client.aclose()
        await driver.close()
        house.database.close()


@pytest.mark.parametrize("verb", ["logout", "remove"])
async def test_whoever_leaves_is_told_of_orders_that_stand_at_the_broker(
    run: Run, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    def order(number: int, **differs: str) -> dict[str, str]:
        usual = {"account": "me-paste", "mode": "live", "state": "open", "id": f"L-{number}", "order_id": f"{number}"}
        return usual | differs

    others = [order(9, account="you-paste"), order(8, mode="paper"), order(7, state="cancelled")]
    answers = {
        "orders/list": {"orders": [order(1), order(2, order_id="", state="unknown"), *others]},
        f"account/{verb}": {"account": "me-paste", "untold": ""},
    }

    @contextmanager
    def server(settings: Settings) -> Iterator[Callable[[str, Any], Any]]:
        yield lambda asked, arguments: answers[asked]

    monkeypatch.setattr("sangam.cli.accounts.administration", server)
    said = await run("account", verb, "paste")
    assert "2 of its orders may stand at the broker, and are not cancelled by this: 1, L-2\n" in said.err
    answers["orders/list"] = {"orders": others}
    assert "orders" not in (await run("account", verb, "paste")).err


@pytest.mark.parametrize("name", ["echo", "blind"])
async def test_the_command_waits_until_the_browser_came_back(run: Run, server: Running, bank: Bank, name: str) -> None:
    account = server.house.accounts.create("asha", name, {"pin": PIN} if name == "echo" else {}, bank.hosts).id
    pending = server.house.desk.flows.pending
    waiting = asyncio.create_task(run("account", "login", account, "--way", "redirect"))
    await wait_for(lambda: pending.under_way(account), what="the login to begin")
    flow = next(iter(pending._flows.values()))
    link = f"{server.url}/{name}/login/{account}?ticket={server.house.desk.callbacks.ticket(flow)}"
    async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as browser:
        page = await browser.get(link)
    assert "You may close this window" in page.text
    said = await waiting
    assert said.code == 0, said.err
    assert said.out.startswith(f"{server.url}/{name}/login/{account}?ticket=")
    assert f"{account}: logged in as EX1 (session 1" in said.err


async def test_the_command_tells_why_the_browser_failed(run: Run, server: Running, bank: Bank) -> None:
    account = server.house.accounts.create("asha", "blind", {}, bank.hosts).id
    server.house.accounts.name_client(account, "OTHER9")
    pending = server.house.desk.flows.pending
    waiting = asyncio.create_task(run("account", "login", account))
    await wait_for(lambda: pending.under_way(account), what="the login to begin")
    flow = next(iter(pending._flows.values()))
    said = await run("account", "login", account, "--address", f"https://x/?code={bank.code()}")
    assert (said.code, "EX1 logged in, but asha-blind belongs to OTHER9" in said.err) == (1, True)
    assert flow.error
    assert (await waiting).code == 1


async def test_a_dead_token_is_told_through_the_server_too(run: Run, server: Running, bank: Bank) -> None:
    account = server.house.accounts.create("asha", "paste", {}, bank.hosts).id
    said = await run("account", "login", account, "--set", "access_token=planted-dead")
    assert (said.code, said.err) == (1, "Bank: the token is dead\n")
    said = await run("account", "login", account, "--set", f"access_token={bank.token()}")
    assert (said.code, "session 1" in said.err) == (0, True)
    assert "live" in (await run("account", "list")).out
