"""``sangam paper`` beside a running server: look, set up, begin anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli_run import CommandLine, command_line, demo, order

from sangam.paper.config import Config


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[CommandLine]:
    with command_line(tmp_path, monkeypatch, capfd) as line:
        yield line


def figures(text: str) -> dict[str, str]:
    """The rows of the tables that have two columns."""
    rows = (row.rsplit(None, 1) for row in text.splitlines() if row.strip())
    return {name.strip(): value for name, value in rows}


async def test_a_book_is_shown_with_money_positions_and_settings(tmp_path: Path, line: CommandLine) -> None:
    async with demo(tmp_path) as app:
        told = figures((await line.run("paper", "show")).out)
        assert told["cash"] == told["available"] == told["equity"] == "10,000,000.00"
        assert set(Config.__struct_fields__) <= set(told)
        assert told["charges"] == "False"
        await order(app)
        shown = (await line.run("paper", "show", "--user", "demo")).out
        (position,) = (row for row in shown.splitlines() if row.startswith("NSE:SBIN"))
        assert position.split()[:3] == ["NSE:SBIN", "CNC", "10"]
        assert figures(shown)["used"] != "0.00"


async def test_settings_are_set_one_or_several(tmp_path: Path, line: CommandLine) -> None:
    async with demo(tmp_path):
        said = await line.run("paper", "set", "charges=true", "starting_capital=500000", "mcx_square_off_time=23:00")
        assert (said.code, said.err) == (0, "Set.\n")
        told = figures((await line.run("paper", "show")).out)
        assert (told["charges"], told["cash"], told["mcx_square_off_time"]) == ("True", "500,000.00", "23:00")
        for wrong, text in (
            ("charges=1", "charges must be one of True, False."),
            ("starting_capital=7", "starting_capital must be one of 100000,"),
            ("nothing=1", "Unknown setting 'nothing'. Known: starting_capital,"),
            ("reset_time=9", "reset_time must be a time like 15:15."),
        ):
            said = await line.run("paper", "set", wrong)
            assert said.code == 1
            assert said.err.startswith(text)
        said = await line.run("paper", "set", "charges")
        assert said.code == 2
        assert "NAME=VALUE" in said.err


async def test_a_book_begins_anew_only_when_asked_twice(
    tmp_path: Path, line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with demo(tmp_path) as app:
        await order(app)
        monkeypatch.setattr("typer.confirm", lambda text, abort: (_ for _ in ()).throw(SystemExit(1)))
        assert (await line.run("paper", "reset")).code == 1
        assert "NSE:SBIN" in (await line.run("paper", "show")).out
        said = await line.run("paper", "reset", "--yes")
        assert (said.code, said.err) == (0, "demo begins anew with 10,000,000.00 rupees of paper.\n")
        said = await line.run("paper", "show")
        assert "NSE:SBIN" not in said.out
        assert "Begun anew once, on " in said.err
        said = await line.run("paper", "show", "--user", "nobody")
        assert said.code == 1
        assert "nobody" in said.err
