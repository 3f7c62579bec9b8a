"""`sangam serve` as a program of its own, for tests and benches that need the real process."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from tests.support import free_port

START_TIMEOUT = 30.0
STOP_TIMEOUT = 20.0


class ServerProcess:
    """One server with its own home and free ports, kept over restarts. What it prints goes to `log`.

    `settings` are environment variables of the server and of its command line; `prefix` runs before the command
    (a pinning program, for example), `options` are those of ``sangam serve``."""

    def __init__(
        self, home: Path, prefix: tuple[str, ...] = (), options: tuple[str, ...] = (), **settings: str
    ) -> None:
        self.home = home
        self.prefix = prefix
        self.options = options
        self.api_port, self.ws_port = free_port(), free_port()
        self.log = home.with_name(f"{home.name}.log")
        self._process: subprocess.Popen[bytes] | None = None
        inherited = {key: value for key, value in os.environ.items() if not key.upper().endswith("_PROXY")}
        self.environment = inherited | {
            "SANGAM_HOME": str(home),
            "API_PORT": str(self.api_port),
            "WEBSOCKET_PORT": str(self.ws_port),
            "ZMQ_PORT": str(free_port()),
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
            **settings,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.ws_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was not started"
        return self._process.pid

    @property
    def demo_key(self) -> str:
        """The API key that a first start on an empty home creates."""
        return (self.home / "demo.key").read_text().strip()

    def start(self) -> None:
        """Start it and wait until it says that all its ports answer."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.prefix, *self._command("serve", *self.options)],
                env=self.environment,
                cwd=self.home.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._healthy():
            if self._process.poll() is not None:
                raise AssertionError(f"the server ended with code {self._process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the server was not healthy after {START_TIMEOUT:g} s:\n{self.log_tail()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it as a service manager would; kill it if it does not go."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the server did not stop within {STOP_TIMEOUT:g} s:\n{self.log_tail()}") from None

    def kill(self) -> None:
        """End it without a chance to clean up."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def cli(self, *arguments: str) -> str:
        """Run a `sangam` command in this home; its stdout. A failing command fails the test with what it said."""
        done = subprocess.run(
            self._command(*arguments),
            env=self.environment,
            cwd=self.home.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"sangam {' '.join(arguments[:2])} failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    def create_key(self, *options: str) -> str:
        """A new API key: the command prints it alone on stdout."""
        return self.cli("key", "create", *options).strip()

    def health(self) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"{self.api_url}/health", timeout=5, trust_env=False).json()
        return answer

    def metrics(self) -> dict[str, float]:
        """`/metrics` by sample name, labels included."""
        text = httpx.get(f"{self.api_url}/metrics", timeout=5, trust_env=False).text
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def run_file(self) -> dict[str, Any]:
        """What the server says it really bound."""
        told: dict[str, Any] = json.loads((self.home / "run.json").read_text())
        return told

    def log_tail(self, characters: int = 3000) -> str:
        return self.log.read_text(errors="replace")[-characters:] if self.log.exists() else ""

    def _healthy(self) -> bool:
        if not (self.home / "run.json").exists():
            return False
        try:
            return httpx.get(f"{self.api_url}/health", timeout=2, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        scripts = Path(sys.executable).parent
        return [str(scripts / "sangam"), *arguments]
