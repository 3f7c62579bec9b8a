"""Helpers that tests of several rooms share."""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


async def wait_for(
    condition: Callable[[], object | Awaitable[object]], timeout: float = 5.0, what: str = "condition"
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


def wait_for_sync(condition: Callable[[], object], timeout: float = 5.0, what: str = "condition") -> None:
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
