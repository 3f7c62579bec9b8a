import ast
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sangam.accounts.demo import Demo
from sangam.app import server as house_app
from sangam.cli import main as cli
from sangam.cli.welcome import welcome_text
from sangam.model.errors import ConfigError
from sangam.settings import Settings
from sangam.store.home import Home, RunInfo

TOKENS = ("--set", "api_key=planted-api-key", "--set", "api_secret=planted-secret")


class Said(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command in a home of its own, as the program would."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("SANGAM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("SANGAM_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def command(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["sangam", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        code = left.value.code
        return Said(code if isinstance(code, int) else 0, said.out, said.err)

    yield command
    root.handlers[:] = before
    root.setLevel(level)


COMMANDS = [
    ("serve",),
    ("simulate",),
    ("brokers",),
    ("stream",),
    ("account", "add"),
    ("account", "login"),
    ("account", "list"),
    ("account", "logout"),
    ("account", "default"),
    ("account", "egress"),
    ("account", "remove"),
    ("user", "add"),
    ("user", "list"),
    ("user", "passwd"),
    ("key", "create"),
    ("key", "list"),
    ("key", "revoke"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(run: Run, command: tuple[str, ...]) -> None:
    said = run(*command, "--help")
    assert said.code == 0
    assert f"sangam {' '.join(command)}" in said.out.split("Example:")[1]


def test_the_program_is_installed() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("sangam"), "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("sangam 0.")


def test_wrong_usage_ends_with_2_and_a_usage_text(run: Run) -> None:
    for text in ("fly", "key create --scope everything", "account add zerodha --set x", "stream SBIN --key k"):
        said = run(*text.split())
        assert said.code == 2
        assert "Traceback" not in said.err
        assert "Usage" in said.err


def test_an_account_and_a_key_are_made_listed_and_closed(run: Run) -> None:
    said = run("account", "add", "Kite", *TOKENS, "--host", "api=http://127.0.0.1:9")
    assert (said.code, said.out) == (0, "me-zerodha\n")
    listed = run("account", "list").out
    assert "me-zerodha" in listed
    assert "data and orders" in listed
    assert "no server is running" in listed

    said = run("key", "create", "--label", "excel", "--scope", "data", "--account", "zerodha", "--interval", "0")
    (key,) = said.out.splitlines()
    assert key.startswith("sangam_")
    assert key not in said.err
    identifier = key.split("_")[1]
    assert identifier in said.err
    row = run("key", "list").out
    assert all(text in row for text in (identifier, "excel", "data", "me-zerodha", "0 ms"))
    assert key not in row

    said = run("account", "egress", "zerodha", "http://me:planted@127.0.0.1:3128")
    assert (said.code, said.err) == (
        0,
        "me-zerodha leaves from the proxy 127.0.0.1:3128; registered at the broker: none is known.\n",
    )
    assert "the proxy" in run("account", "egress", "zerodha", "--registered", "203.0.113.7").err
    assert "any address; registered at the broker: 203.0.113.7" in run("account", "egress", "zerodha", "").err
    assert run("account", "egress", "zerodha", "office").code == 1

    assert run("key", "revoke", identifier).code == 0
    assert run("account", "logout", "zerodha").code == 0
    assert run("account", "remove", "me-zerodha").code == 0
    assert "No account yet" in run("account", "list").err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("account", "add", "nobody"), "Unknown broker 'nobody'. Known brokers: "),
        (("account", "add", "zerodha", "--set", "api_secret=k"), "needs 'api_key' (API key)"),
        (("account", "add", "zerodha", *TOKENS, "--set", "pin=1"), "no login field 'pin'"),
        (("account", "add", "zerodha", *TOKENS, "--host", "api=http://example.com"), "must be encrypted"),
        (("account", "add", "zerodha", *TOKENS, "--user", "A B"), "User name 'A B' is not allowed"),
        (("account", "login", "zerodha"), "Account 'zerodha' is unknown"),
        (("key", "create", "--interval", "70"), "Interval 70 is not allowed: 0, 50"),
        (("key", "create", "--account", "nowhere"), "Account 'nowhere' is unknown"),
        (("key", "revoke", "zzz"), "No API key with id 'zzz'"),
        (("simulate", "nobody"), "Unknown broker 'nobody'"),
        (("stream", "NSE:SBIN"), "No API key: give --key"),
        (("stream", "NSE:SBIN", "--key", "k", "--url", "ws://127.0.0.1:1"), "Is the server running?"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_mistakes_are_told_in_one_plain_line(run: Run, arguments: tuple[str, ...], told: str) -> None:
    said = run(*arguments)
    assert said.code == 1
    assert told in said.err
    assert "Traceback" not in said.err
    assert "planted" not in said.err


def test_bad_settings_are_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "many")
    said = run("brokers")
    assert (said.code, said.err[:16]) == (1, "API_PORT=many is")
    monkeypatch.delenv("API_PORT")
    monkeypatch.setenv("VALID_BROKERS", "zerodha")
    assert "paper" not in run("brokers").out
    monkeypatch.setenv("SANGAM_KEY", "short")
    assert "SANGAM_KEY must hold 32 random bytes" in run("key", "list").err


def test_credentials_may_come_from_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_API_KEY", "from-environment")
    assert run("account", "add", "zerodha").code == 0


def test_the_unforeseen_is_one_line_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: Settings, **options: Any) -> None:
        raise RuntimeError("odd api_key=planted")

    monkeypatch.setattr(house_app, "serve", broken)
    said = run("serve")
    assert said.code == 1
    assert said.err.startswith("RuntimeError: odd api_key=***")
    assert "SANGAM_DEBUG=1" in said.err


def test_serve_passes_its_options_on(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def serve(settings: Settings, **options: Any) -> None:
        seen.update(options, home=settings.sangam_home)
        logging.getLogger("sangam.feed").debug("a detail")

    monkeypatch.setattr(house_app, "serve", serve)
    assert "a detail" not in run("serve").err
    said = run("serve", "--auto-port", "--log-json", "--trace", "feed")
    assert said.code == 0
    assert seen["auto_port"] is True
    assert seen["home"] == tmp_path / "home"
    assert json.loads(said.err)["message"] == "a detail"
    logging.getLogger("sangam.feed").setLevel(logging.NOTSET)


def test_a_home_in_use_without_a_server_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sangam.cli.backend._PATIENCE", 0.1)
    with Home(tmp_path / "home"):
        said = run("key", "list")
    assert said.code == 1
    assert "is in use by another process" in said.err


def test_main_lets_errors_keep_their_text(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(settings: Settings, **options: Any) -> None:
        raise ConfigError("Port 5000 is busy.")

    monkeypatch.setattr(house_app, "serve", busy)
    assert run("serve").err == "Port 5000 is busy.\n"


def test_the_welcome_has_a_few_lines_of_python_that_compile() -> None:
    info = RunInfo(pid=1, api_host="127.0.0.1", api_port=5001, websocket_host="127.0.0.1", websocket_port=8766)
    text = welcome_text(info, Demo("sangam_0a1b2c3d_secret", None, created=True))
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("import time"))
    snippet = lines[start : lines.index("", start)]
    ast.parse("\n".join(snippet))
    for part in (
        "http://127.0.0.1:5001",
        "ws://127.0.0.1:8766",
        "sangam_0a1b2c3d_secret",
        "subscribe_ltp",
        "placeorder",
    ):
        assert part in "\n".join(snippet)
