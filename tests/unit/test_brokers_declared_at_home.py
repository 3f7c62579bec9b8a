"""Declarations in a home: they join the house's brokers, and what is not configured says so wherever it is chosen."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli_run import CommandLine, command_line
from tests.conformance.stands import Lotus
from tests.support import ROOT, wait_for

from sangam.adapters import factory, finding
from sangam.app.server import App
from sangam.brokers import families
from sangam.library import BrokerApi
from sangam.model.enums import Mode
from sangam.model.errors import BrokerNotConfigured
from sangam.model.instrument import Level
from sangam.settings import load_settings
from sangam.store.home import Home

ACME = """\
family = "toy"
title = "Acme Securities"
login = "page"
exchanges = ["NSE"]
hosts = { api = "https://api.acme.example" }
"""
FOLDER = """
from dataclasses import replace
from sangam.brokers.zerodha import SPEC as THEIRS
SPEC = replace(THEIRS, name="acme", aliases=())
"""
UNTOLD = "Ask the broker for\n- family: the name of its API product"


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[CommandLine]:
    with command_line(tmp_path, monkeypatch, capfd) as line:
        yield line


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """With one declaration of the tests' own family, and one that is none."""
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(ROOT / "tests" / "families")])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("SANGAM_HOME", str(tmp_path))
    folder = tmp_path / finding.FOLDERS
    folder.mkdir()
    (folder / "acme.toml").write_text(ACME, encoding="utf-8")
    (folder / "broken.toml").write_text('title = "Broken"\nfamily = toy\n', encoding="utf-8")
    yield tmp_path
    sys.modules.pop("sangam.brokers.families.toy", None)
    vars(families).pop("toy", None)


def test_a_declaration_joins_the_brokers_of_the_house_and_a_bad_one_is_told(home: Path) -> None:
    told: dict[str, str] = {}
    known = finding.brokers(home, lambda name, error: told.update({name: str(error)}))
    assert known["acme"].title == "Acme Securities"
    assert "zerodha" in known.names
    broken = home / finding.FOLDERS / "broken.toml"
    assert told == {"broken": f"{broken}, line 2, column 10: this is no TOML: invalid value. Correct it."}
    assert finding.table("Acme").name == "acme"


def test_a_folder_of_its_name_comes_first(home: Path) -> None:
    package = home / finding.FOLDERS / "acme"
    package.mkdir()
    (package / "__init__.py").write_text(FOLDER, encoding="utf-8")
    told: dict[str, str] = {}
    try:
        known = finding.brokers(home, lambda name, error: told.update({name: str(error)}))
    finally:
        for module in [name for name in sys.modules if name.partition(".")[0] == finding.FOLDERS]:
            del sys.modules[module]
    assert known["acme"].title == "Zerodha"
    assert told["acme"].endswith("line 1: the name 'acme' is taken already: give the file another name.")


@pytest.mark.skipif(sys.platform == "win32", reason="rights are no bits there")
@pytest.mark.parametrize("place", ["", "sangam_brokers", "sangam_brokers/acme.toml"])
def test_what_others_may_write_says_nothing_about_where_credentials_go(home: Path, place: str) -> None:
    home.chmod(0o755)
    told: dict[str, str] = {}
    (home / place).chmod((home / place).stat().st_mode | 0o020)
    assert "acme" not in finding.brokers(home, lambda name, error: told.update({name: str(error)})).names
    assert f"others may write {home / place}" in told["acme"]


def test_a_file_of_the_home_configures_what_is_shipped_as_a_name(home: Path) -> None:
    with pytest.raises(BrokerNotConfigured):
        finding.table("mandot")
    (home / finding.FOLDERS / "mandot.toml").write_text(ACME, encoding="utf-8")
    known = finding.brokers(home, lambda name, error: None)
    assert known["mandot"].hosts == {"api": "https://api.acme.example"}
    assert known.unconfigured == []
    assert finding.table("mandot").name == "mandot"


async def test_the_command_line_lists_what_is_not_configured_and_says_what_to_ask(
    home: Path, line: CommandLine
) -> None:
    said = await line.run("brokers")
    shown = " ".join(said.out.split())
    assert "acme Acme Securities" in shown
    assert "mandot Mandot Securities mandot securities - not configured" in shown
    assert "broken.toml, line 2" in said.err
    for command in (
        ("account", "add", "mandot"),
        ("account", "login", "mandot"),
        ("verify", "Mandot"),
        ("simulate", "mandot"),
    ):
        said = await line.run(*command)
        assert (said.code, UNTOLD in said.err) == (1, True), (command, said.err)


async def test_the_server_neither_starts_with_one_alone_nor_takes_an_account_of_one(home: Path) -> None:
    alone = load_settings(None, sangam_home=home, api_port=0, websocket_port=0, valid_brokers=("mandot",))
    with Home(home) as locked:
        app = App(alone, locked)
        with pytest.raises(BrokerNotConfigured, match=UNTOLD):
            await app.start()
        app = App(alone.model_copy(update={"valid_brokers": ()}), locked)
        await app.start()
        try:
            with pytest.raises(BrokerNotConfigured, match=UNTOLD):
                await app.administer("account/add", {"broker": "mandot", "user": "asha"})
        finally:
            await app.stop()


def test_scripts_are_told_as_well(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factory, "BROKER_ADAPTERS", dict(factory.BROKER_ADAPTERS))
    with pytest.raises(ValueError, match=UNTOLD):
        factory.create_broker_adapter("mandot")
    with pytest.raises(ValueError, match=UNTOLD):
        BrokerApi("mandot")
    assert isinstance(factory.create_broker_adapter("acme"), factory.BaseBrokerWebSocketAdapter)


async def test_the_server_serves_a_broker_that_is_one_file(tmp_path: Path) -> None:
    """Its hosts are the simulator's; the child reads its instruments by the table of the file."""
    folder = tmp_path / finding.FOLDERS
    folder.mkdir()
    async with Lotus(heartbeat=0.02) as simulator:
        hosts = "\n".join(f'{name} = "{url}"' for name, url in simulator.hosts.items())
        text = f'family = "tradelab"\ntitle = "Lotus Broking"\n\n[hosts]\n{hosts}\n'
        (folder / "lotus.toml").write_text(text, encoding="utf-8")
        settings = load_settings(None, sangam_home=tmp_path, api_port=0, websocket_port=0, valid_brokers=("lotus",))
        with Home(tmp_path) as locked:
            app = App(settings, locked)
            await app.start()
            try:
                names = {field.name for field in finding.complete(tmp_path)["lotus"].login.fields}
                fields = {name: text for name, text in simulator.credentials.items() if name in names}
                added = await app.administer("account/add", {"broker": "lotus", "user": "asha", "fields": fields})
                account = str(added["account"])
                told = await app.administer("account/login", {"account": account, "fields": fields})
                assert not told["open"], told
                await wait_for(lambda: app._feed.master(account) is not None, what="its instruments")
                app._feed.want(account, "SBIN", "NSE", Level(Mode.LTP))
                await wait_for(lambda: app._feed.last(account, "SBIN", "NSE") is not None, what="a price of its stream")
            finally:
                await app.stop()
