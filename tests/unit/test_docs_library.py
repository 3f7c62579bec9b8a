"""docs/library-mode.md: every block runs as it stands there, but for where its broker is and how long it waits."""

import asyncio
import contextlib
import inspect
import io
import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.stands import follow
from tests.server_process import ServerProcess
from tests.simulator_thread import SimulatorThread
from tests.support import ROOT, free_port, wait_for_sync

from sangam import library
from sangam.adapters import finding, hosted, life
from sangam.library import BaseBrokerWebSocketAdapter, BrokerApi
from sangam.library.app_integration import PATIENCE

TEXT = (ROOT / "docs" / "library-mode.md").read_text(encoding="utf-8")
STREAM, LISTEN, ADAPTER, ORDERS, FLASK = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)

SDK = """
import threading


class Stream:
    def __init__(self, key, token):
        self.full, self.end = {}, threading.Event()

    def run_forever(self):
        self.on_open(self)
        while not self.end.wait(0.01):
            for name, full in list(self.full.items()):
                more = {"open": 100, "high": 300, "low": 50, "close": 150} if full else {}
                self.on_data(self, {"name": name, "paise": 12345, **more})

    def subscribe(self, name, full):
        self.full[name] = full

    def unsubscribe(self, name):
        self.full.pop(name, None)

    def close(self):
        self.end.set()
"""


def run(code: str, **space: Any) -> str:
    """What a block prints, callbacks included."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "docs/library-mode.md", "exec"), {"__name__": "docs", **space})  # noqa: S102 - our own page
    return out.getvalue()


def test_prices_in_a_script_and_on_zeromq(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("ZMQ_PORT", str(port))
    with SimulatorThread("zerodha", run=True) as thread:
        known = thread.simulator.credentials
        monkeypatch.setenv("KITE_API_KEY", known["api_key"])
        monkeypatch.setenv("KITE_ACCESS_TOKEN", known["access_token"])
        heard: list[str] = []
        code = LISTEN.replace("5555", str(port)).replace("print(topic.decode(), price.decode())", "HEARD(topic, price)")
        listener = threading.Thread(
            target=lambda: exec(code, {"HEARD": lambda *frames: heard.extend(map(bytes.decode, frames))})  # noqa: S102
        )
        listener.start()
        here = f'os.environ["KITE_ACCESS_TOKEN"], "hosts": {thread.simulator.hosts!r}}}'
        script = STREAM.replace('os.environ["KITE_ACCESS_TOKEN"]}', here).replace("time.sleep(60)", "WAIT(adapter)")
        told = run(script, WAIT=lambda adapter: wait_for_sync(lambda: heard and adapter.connected, 20, "a price"))
        listener.join(10)
    lines = told.splitlines()
    assert lines[0] == "{'status': 'connecting'}"
    assert re.fullmatch(r"NSE SBIN \d+\.\d+", lines[1])
    assert heard[0] == "ZERODHA_NSE_SBIN_LTP"
    assert json.loads(heard[1])["symbol"] == "SBIN"


def test_the_adapter_of_the_page_streams_by_its_commands(tmp_path: Path) -> None:
    home = tmp_path / "home"
    folder = home / "broker" / "acme" / "streaming"
    with ServerProcess(home) as server:
        server.start()  # the demo's user
        server.stop()
        folder.mkdir(parents=True)
        (folder / "acme_adapter.py").write_text(ADAPTER)
        (folder / "acme_sdk.py").write_text(SDK)
        server.start()
        section = TEXT.split("## Your own adapter\n")[1]
        commands = re.findall(r"^\$ sangam (.+)$", section, re.MULTILINE)
        told = [
            server.cli(*command.split(), *(["--count", "2"] if "stream" in command else [])) for command in commands
        ]
    assert told[0].strip() == "demo-acme"
    row = json.loads(told[2].splitlines()[0])
    assert (row["symbol"], row["ltp"], row["high"]) == ("SBIN", 123.45, 3.0)


def test_orders_and_books(monkeypatch: pytest.MonkeyPatch) -> None:
    with SimulatorThread("zerodha", run=True) as thread:
        known = thread.simulator.credentials
        monkeypatch.setenv("KITE_API_KEY", known["api_key"])
        monkeypatch.setenv("KITE_API_SECRET", known["api_secret"])
        api = BrokerApi("zerodha", api_key=known["api_key"], hosts=thread.simulator.hosts)
        brought = asyncio.run(_browse(api.login_url()))
        api.close()
        monkeypatch.setenv("KITE_REQUEST_TOKEN", brought["request_token"])
        hosts = f'api_secret=os.environ["KITE_API_SECRET"], hosts={thread.simulator.hosts!r})'
        told = run(ORDERS.replace('api_secret=os.environ["KITE_API_SECRET"])', hosts)).splitlines()
        assert len(thread.ledger().orders) == 1
    assert float(told[1]) > 0
    assert told[2] == "[('SBIN', 'cancelled')]"


async def _browse(url: str) -> Any:
    return await follow(url)


def test_beside_flask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANGAM_HOME", str(tmp_path))
    monkeypatch.setenv("WEBSOCKET_PORT", "0")
    assert re.fullmatch(r"ws://127\.0\.0\.1:\d+\n", run(FLASK + "\nproxy.stop()"))


def test_the_names_and_figures_are_those_of_the_code() -> None:
    told = set(re.findall(r"`(\w+)[(`]", TEXT))
    assert set(library.__all__) <= told
    methods = {name for name, value in vars(BrokerApi).items() if inspect.isfunction(value) and name[0] != "_"}
    assert methods - {"close"} <= set(re.findall(r"(\w+)\(", TEXT))
    given = {name for name in vars(BaseBrokerWebSocketAdapter) if name[0] != "_"} - {"connect"}
    assert given <= set(re.findall(r"\w+", TEXT))
    for figure in (
        f"within {hosted.LOGIN_TIMEOUT:g} s",
        f"{life.QUEUE:,} prices",
        f"longer than {finding.LOAD_SECONDS:g} s",
        f"waits {PATIENCE:g} s",
        f"group `{finding.ENTRY_POINTS}`",
    ):
        assert figure in TEXT, figure
