"""The rig as a fixture: opened by the test, which says how."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from .harness import Rig, rig


@pytest.fixture
async def open_rig(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Callable[..., Awaitable[Rig]]]:
    async with AsyncExitStack() as stack:

        async def build(**options: object) -> Rig:
            return await stack.enter_async_context(rig(tmp_path / "home", caplog, **options))  # type: ignore[arg-type]

        yield build
