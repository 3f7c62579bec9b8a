"""The home folder (`SANGAM_HOME`): one process at a time, and a note of where it listens.

The lock is the operating system's, so it vanishes with its process, however that ends. `run.json` tells the ports that
were really bound; it means something only while somebody holds the lock."""

import os
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from sangam.model.errors import ConfigError

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Where the running server listens. `tls` says that both ports want an encrypted connection."""

    pid: int
    api_host: str
    api_port: int
    websocket_host: str
    websocket_port: int
    tls: bool = False
    version: str = ""
    started_at: int = 0

    @property
    def api_url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{_reachable(self.api_host)}:{self.api_port}"

    @property
    def websocket_url(self) -> str:
        return f"{'wss' if self.tls else 'ws'}://{_reachable(self.websocket_host)}:{self.websocket_port}"


class HomeLocked(ConfigError):
    """Another process holds the home folder; `run` tells where it listens, once it does."""

    def __init__(self, path: Path, run: RunInfo | None) -> None:
        who = f"by process {run.pid}, which serves {run.api_url}" if run else "by another process"
        super().__init__(f"{path} is in use {who}. Stop it, or set SANGAM_HOME to another folder.")
        self.run = run


class Home:
    """The folder, made on first use and readable by its owner only. Use it as a context to hold the lock."""

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"SANGAM_HOME {path} cannot be made: {error.strerror}.") from error
        self.path = path
        self._descriptor: int | None = None

    @property
    def locked(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def lock(self) -> None:
        """Take the folder; raises HomeLocked."""
        try:
            descriptor = os.open(self.path / "home.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"SANGAM_HOME {self.path} cannot be used: {error.strerror}.") from error
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            raise HomeLocked(self.path, self.read_run()) from None
        self._descriptor = descriptor
        self._forget_run()  # whoever was killed left it behind

    def unlock(self) -> None:
        """Give the folder back; closing the descriptor ends the lock."""
        if self._descriptor is not None:
            self._forget_run()
            os.close(self._descriptor)
            self._descriptor = None

    def _forget_run(self) -> None:
        (self.path / "run.json").unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.lock()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.unlock()

    def write_run(self, run: RunInfo) -> None:
        self.write_private("run.json", msgspec.json.encode(run).decode())

    def read_run(self) -> RunInfo | None:
        """What the holder of the lock noted; None before it did."""
        text = self.read("run.json")
        try:
            return msgspec.json.decode(text, type=RunInfo) if text else None
        except msgspec.MsgspecError:
            return None

    def read(self, name: str) -> str | None:
        """A small text file of the folder, or None."""
        try:
            return (self.path / name).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.path / name} cannot be read: {error}.") from error

    def write_private(self, name: str, text: str) -> None:
        """Replace a file in one step; only its owner may read it (mode 0600)."""
        descriptor, temporary = tempfile.mkstemp(dir=self.path, prefix=f".{name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _reachable(host: str) -> str:
    """An address to connect to, for one to listen on."""
    if host in ("", "0.0.0.0"):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host
