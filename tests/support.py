"""Helpers that tests of several rooms share."""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


async def wait_for(
    condition: Callable[[], object | Awaitable[object]], timeout: float = 10.0, what: str = "condition"
) -> None:
    """Poll until the condition (a plain or async callable) is true; fail with its name after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return
        if time.monotonic() > deadline:
            pytest.fail(f"timed out after {timeout} s waiting for {what}")
        await asyncio.sleep(0.01)


def wait_for_sync(condition: Callable[[], object], timeout: float = 10.0, what: str = "condition") -> None:
    """`wait_for` for code without a loop."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"timed out after {timeout} s waiting for {what}")
        time.sleep(0.01)


def free_port() -> int:
    """A port that was free a moment ago, for programs that cannot report the one they bound."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def shared_data(*parts: str) -> Path:
    """A file of the shared data folder; skips the test where it is absent."""
    base = Path(os.environ.get("SANGAM_SHARED_DATA", ROOT.parent / "shared" / "data"))
    path = base.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"shared data not here: {'/'.join(parts)}")
    return path


@contextmanager
def serving(command: Sequence[str | Path], port: int) -> Iterator[None]:
    """A foreign server for the length of a block; skips the test where the program is not installed."""
    program = shutil.which(command[0], path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    if program is None:
        pytest.skip(f"{command[0]} is not installed here")
    process = subprocess.Popen([program, *command[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        assert process.poll() is None, f"{command[0]} ended with code {process.returncode}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for_sync(answers, what=f"{command[0]} on port {port}")
        yield
    finally:
        process.terminate()
        process.wait(5)
