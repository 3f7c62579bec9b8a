"""The server beside a real Flask application: in this process, as a script, and under a real Gunicorn."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from tests.support import free_port, wait_for_sync
from websockets.sync.client import connect

from sangam.library import start_websocket_proxy
from sangam.model.errors import ConfigError
from sangam.store.home import Home

SCRIPT = """
from flask import Flask

from sangam.library import start_websocket_proxy

app = Flask(__name__)
app.config["WEBSOCKET_PORT"] = {port}


@app.get("/")
def hello():
    return "hello"


proxy = start_websocket_proxy(app, patience={patience})
"""


def flask(home: Path, **config: Any) -> Flask:
    app = Flask("house")
    app.config.update({"SANGAM_HOME": str(home), "WEBSOCKET_PORT": 0, **config})

    @app.get("/")
    def hello() -> str:
        return "hello"

    return app


def streams(url: str, key: str) -> bool:
    """Whether a price comes out of the gateway."""
    with connect(url, proxy=None) as socket:
        socket.send(json.dumps({"action": "authenticate", "api_key": key}))
        socket.send(json.dumps({"action": "subscribe", "symbol": "SBIN", "exchange": "NSE", "mode": "LTP"}))
        for _ in range(50):
            if json.loads(socket.recv(10)).get("type") == "market_data":
                return True
    return False


def demo_key(home: Path) -> str:
    return (home / "demo.key").read_text().strip()


def test_it_runs_beside_the_application_and_ends_when_told(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    app = flask(tmp_path)
    for _ in range(2):  # it may be started again
        proxy = start_websocket_proxy(app)
        assert start_websocket_proxy(app) is proxy
        assert proxy.running
        assert app.test_client().get("/").text == "hello"
        assert streams(proxy.run.websocket_url, demo_key(tmp_path))
        assert httpx.get(f"{proxy.run.api_url}/health", trust_env=False).json()["status"] == "ok"
        assert (tmp_path / "run.json").exists()
        proxy.stop()
        proxy.stop()
        assert not proxy.running
        assert not (tmp_path / "run.json").exists()
        with pytest.raises(OSError, match="refused"):
            connect(proxy.run.websocket_url, proxy=None, open_timeout=2)
    wait_for_sync(lambda: not set(threading.enumerate()) - before, what="all threads to end")


def test_threads_that_start_it_at_once_get_the_same_one(tmp_path: Path) -> None:
    app = flask(tmp_path)
    with ThreadPoolExecutor() as pool:
        proxies = list(pool.map(lambda _: start_websocket_proxy(app, patience=0.5), range(3)))
    assert proxies[0].running
    assert len(set(proxies)) == 1
    proxies[0].stop()


def test_settings_come_from_the_application_and_from_the_call(tmp_path: Path) -> None:
    port, api_port = free_port(), free_port()
    proxy = start_websocket_proxy(flask(tmp_path, WEBSOCKET_PORT=1, API_PORT=api_port), websocket_port=port)
    assert (proxy.run.websocket_port, proxy.run.api_port) == (port, api_port)
    proxy.stop()


def test_what_keeps_it_from_starting_is_raised_and_leaves_nothing(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    proxy = start_websocket_proxy(flask(tmp_path / "one"))
    app = flask(tmp_path / "two", WEBSOCKET_PORT=proxy.run.websocket_port)
    with pytest.raises(ConfigError, match="WEBSOCKET_PORT"):
        start_websocket_proxy(app)
    assert not app.extensions.get("sangam")
    with Home(tmp_path / "two"):  # nobody holds it
        pass
    with pytest.raises(ConfigError, match=r"one worker \(-w 1\)"):
        start_websocket_proxy(flask(tmp_path / "one"), patience=0.1)
    proxy.stop()
    wait_for_sync(lambda: not set(threading.enumerate()) - before, what="all threads to end")


@contextmanager
def program(folder: Path, command: list[str], patience: float = 5.0) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A program that runs `served.py`, with the log of all it says."""
    log = folder / "program.log"
    home = folder / "home"
    served = folder / "served.py"
    served.write_text(SCRIPT.format(port=free_port(), patience=patience))
    environment = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env={**environment, "SANGAM_HOME": str(home), "HOME": str(folder), "PYTHONUNBUFFERED": "1"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process, log
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def run_file(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "home" / "run.json").read_text())
    return found


def clean(log: Path, folder: Path) -> None:
    """It ended in order, and let go of everything."""
    text = log.read_text()
    assert "Traceback" not in text, text
    assert "ResourceWarning" not in text, text
    assert not (folder / "home" / "run.json").exists()
    assert not (folder / "home" / "journal.db-wal").exists()
    with Home(folder / "home"):
        pass


def test_a_script_that_just_ends_ends_it_in_order(tmp_path: Path) -> None:
    with program(tmp_path, ["-W", "default::ResourceWarning", "served.py"]) as (process, log):
        assert process.wait(60) == 0, log.read_text()
    clean(log, tmp_path)


def test_flasks_own_server_ends_it_with_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    with program(tmp_path, ["-m", "flask", "--app", "served", "run", "--port", str(port)]) as (process, log):
        wait_for_sync(lambda: _says_hello(port), 60, f"flask: {log.read_text()}")
        url = f"ws://127.0.0.1:{run_file(tmp_path)['websocket_port']}"
        assert streams(url, demo_key(tmp_path / "home"))
        process.send_signal(signal.SIGINT)
        process.wait(30)
    clean(log, tmp_path)


gunicorn = pytest.mark.skipif(sys.platform == "win32", reason="Gunicorn runs on Unix")


@gunicorn
def test_gunicorn_with_one_worker(tmp_path: Path) -> None:
    port = free_port()
    command = ["-m", "gunicorn", "-w", "1", "-b", f"127.0.0.1:{port}", "served:app"]
    with program(tmp_path, command) as (process, log):
        wait_for_sync(lambda: _says_hello(port), 60, f"gunicorn: {log.read_text()}")
        url = f"ws://127.0.0.1:{run_file(tmp_path)['websocket_port']}"
        assert streams(url, demo_key(tmp_path / "home"))
        first = run_file(tmp_path)["pid"]
        process.send_signal(signal.SIGHUP)  # another worker takes over from this one
        wait_for_sync(lambda: _pid(tmp_path) not in (None, first), 60, "the next worker's server")
        assert streams(url, demo_key(tmp_path / "home"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    clean(log, tmp_path)


@gunicorn
def test_gunicorn_with_two_workers_is_refused(tmp_path: Path) -> None:
    command = ["-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{free_port()}", "served:app"]
    with program(tmp_path, command, patience=1.0) as (process, log):
        assert process.wait(60) != 0
    text = log.read_text()
    assert "runs in one process only" in text
    assert "(-w 1)" in text
    with Home(tmp_path / "home"):  # the worker that served ended in order
        assert not (tmp_path / "home" / "run.json").exists()


def _says_hello(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, timeout=5).text == "hello"
    except httpx.TransportError:
        return False


def _pid(folder: Path) -> int | None:
    try:
        pid: int = run_file(folder)["pid"]
    except (FileNotFoundError, ValueError):
        return None
    return pid
