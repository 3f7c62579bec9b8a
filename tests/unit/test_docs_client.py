"""docs/client.md: every block runs, and the tables name what there is."""

import contextlib
import inspect
import io
import re
from pathlib import Path

import pytest
from tests.server_process import ServerProcess
from tests.simulator_thread import SimulatorThread
from tests.support import ROOT, wait_for_sync

from sangam.client import BrokerInterface, WebSocketBroker
from sangam.client.own_orders import EVENTS
from sangam.model import errors
from sangam.model.errors import BrokerError
from sangam.orders.journal import EventKind

TEXT = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
PYTHON = [text for kind, text in BLOCKS if kind == "python"]


def run(code: str) -> str:
    """What a block prints, callbacks included."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "docs/client.md", "exec"), {"__name__": "docs"})  # noqa: S102 - the page's own words
    return out.getvalue()


def blocks(name: str) -> list[str]:
    found = [code for code in PYTHON if f"{name}(" in code]
    assert found, f"no block has {name}"
    return found


def test_the_paper_block_prints_what_the_page_says() -> None:
    (code,) = blocks("PaperBroker")
    (shown,) = (text for kind, text in BLOCKS if kind == "text")
    assert run(code) == shown


def test_the_server_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ServerProcess(tmp_path / "home") as server:
        server.start()
        monkeypatch.setenv("SANGAM_API_KEY", server.demo_key)
        with WebSocketBroker(server.ws_url, server.demo_key) as broker:
            wait_for_sync(lambda: _priced(broker), 30, "a price")
        told = [run(code.replace("ws://127.0.0.1:8765", server.ws_url)) for code in blocks("WebSocketBroker")]
        assert " open paper\n" in told[0]
        assert "ORDER_PLACED SBIN 0 open" in told[0]
        assert re.fullmatch(r"(open|not sent: .+|refused: .+)\n", told[1])


def test_the_block_without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with SimulatorThread("zerodha", run=True) as simulator:
        known = simulator.simulator.credentials
        monkeypatch.setenv("KITE_API_KEY", known["api_key"])
        monkeypatch.setenv("KITE_ACCESS_TOKEN", known["access_token"])
        (code,) = blocks("KiteBroker")
        here = f'os.environ["KITE_ACCESS_TOKEN"], hosts={simulator.simulator.hosts!r})'
        assert run(code.replace('os.environ["KITE_ACCESS_TOKEN"])', here)).endswith("open\n")


def test_the_interface_is_that_of_the_page() -> None:
    """Each call's signature as it is, without the types."""
    section = TEXT.split("## The interface\n")[1].split("\n## ")[0]
    shown = dict(re.findall(r"`(\w+)\(([^`]*)\)`", section))
    calls = {name for name, value in vars(BrokerInterface).items() if callable(value) and not name.startswith("_")}
    assert calls <= shown.keys()
    for name in calls - {"connect"}:
        parameters = list(inspect.signature(getattr(BrokerInterface, name)).parameters.values())[1:]
        plain = inspect.Signature([each.replace(annotation=inspect.Parameter.empty) for each in parameters])
        assert str(plain).replace("'", '"') == f"({shown[name]})", name


def test_events_and_errors_of_the_page_exist() -> None:
    told = set(re.findall(r"ORDER_[A-Z_]*[A-Z]", TEXT)) - {"ORDER_ERROR"}
    assert told <= {kind.value for kind in EventKind}
    assert set(EVENTS.values()) <= told
    section = TEXT.split("## Errors\n")[1].split("\n```")[0]
    named = {name for row in re.findall(r"^\|([^|]+)\|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named
    assert all(issubclass(getattr(errors, name), errors.SangamError) for name in named)


def _priced(broker: BrokerInterface) -> bool:
    try:
        return broker.get_quote("SBIN").ltp > 0
    except BrokerError:
        return False
